"""Cells that run without a kernel say what they say in one."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from llm_economics.reruns import engine, kernels, notebooks

pytestmark = pytest.mark.skipif(not kernels.possible(), reason="processes are forked on Linux alone")

SAYS = [
    "from IPython.display import HTML, Image, clear_output, display, update_display\nimport asyncio, logging, os, sys",
    "print('a'); print('b', file=sys.stderr); display(HTML('<b>c</b>')); print('d', flush=True); print('e'); 'f'",
    "shown = display({'text/plain': 'first'}, raw=True, display_id='one')",
    "update_display({'text/plain': 'second'}, raw=True, display_id='one')",
    "print('gone'); clear_output(); print('kept')",
    "print('gone'); clear_output(wait=True); print('also kept')",
    "!echo of a shell",
    "%no_such",
    "Image(data=bytes.fromhex('89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de'))",
    "1 / 3;",
    "2 / 3",
    "round(_ * 3), Out[11], In[0]",
    "await asyncio.sleep(0, 'waited for')",
    "%precision 2\n1 / 3",
    "%%capture taken\nprint('taken')\n",
    "taken.stdout, __name__, get_ipython().__class__.__name__",
    "logging.getLogger().warning('logged')",
    "",
    "  \n",
    "# nothing\n",
    "float('nan'), b'\\xff', 'ü \\ud800'.encode('utf-8', 'ignore')",
    "from tqdm.auto import tqdm\nsum(tqdm(range(3), disable=True))",
    "import pandas\npandas.DataFrame({'a': [0.1, None]}).style.format(precision=1).to_html(table_uuid='x')",
]
TORN = (
    "class Torn:\n    def _repr_html_(self): raise ValueError('torn')\n    def __repr__(self): return 'whole'\nTorn()"
)
FAILS = [TORN, "1 / 0", "def f(:", "raise KeyboardInterrupt", "raise SystemExit(3)", "f.g"]


def executed(cells: list, folder: Path) -> list:
    """Number and outputs of each cell."""
    for number, cell in enumerate(cells):
        cell.id = f"c{number}"
    notebook = new_notebook(cells=cells, metadata={"papermill": {}})
    options = notebooks._options(folder, {})
    engine.Engine.execute_notebook(notebook, "python3", progress_bar=False, execution_timeout=60, **options)
    return [(cell.get("execution_count"), cell.get("outputs")) for cell in notebook.cells]


@pytest.mark.parametrize("sources, tags", [(SAYS, []), (FAILS, ["raises-exception"])], ids=["says", "fails"])
def test_outputs_are_those_of_a_kernel(tmp_path, monkeypatch, sources, tags):
    def asked() -> list:
        return [new_markdown_cell("text"), *(new_code_cell(each, metadata={"tags": [*tags]}) for each in sources)]

    forked = executed(asked(), tmp_path)
    errors = [output for _, outputs in forked for output in outputs or () if output.output_type == "error"]
    assert len(errors) == len(sources) * len(tags)
    monkeypatch.setenv("LLM_ECONOMICS_KERNELS", "ordinary")
    assert executed(asked(), tmp_path) == forked


CHART = """
from llm_economics.book import figures
import altair as alt, pandas as pd
frame = pd.DataFrame({"name": ["a", "b"], "number": [1.0, 2.0]})
chart = figures.bars(frame, "name", "number", title="Two", description="Two bars.", x_title="number")
"""
DRAWN = ["chart", "display(chart, chart); print(1)", "at = display(frame, display_id='one')", "at.update(chart)"]
REFUSED = [*DRAWN, "chart.copy().transform_calculate(b='datum.number +* 3')", "print(2)"]


@pytest.mark.parametrize("sources, tags", [(DRAWN, []), (REFUSED, ["raises-exception"])], ids=["drawn", "refused"])
def test_charts_are_those_of_a_kernel(tmp_path, monkeypatch, sources, tags):
    def asked() -> list:
        return [new_code_cell(each, metadata={"tags": [*tags]}) for each in (CHART, *sources)]

    forked = executed(asked(), tmp_path)
    monkeypatch.setenv("LLM_ECONOMICS_KERNELS", "ordinary")
    ordinary = executed(asked(), tmp_path)
    for _, outputs in (*forked, *ordinary):
        for output in outputs:
            output.pop("traceback", None)  # which differs by who draws
    assert ordinary == forked
    shown = [output for _, outputs in forked for output in outputs]
    drawn = [output.data["image/svg+xml"] for output in shown if "image/svg+xml" in output.get("data", ())]
    assert len(drawn) == 4 and all(text.count("<path") > 2 for text in drawn)
    refused = [output.evalue for output in shown if output.output_type == "error"]
    assert len(refused) == len(tags) and all("Unexpected token" in text for text in refused)


def test_what_comes_by_a_descriptor_is_an_output_too(tmp_path):
    cell = new_code_cell("import os\nos.system('echo of a child'); os.write(2, b'low'); print('plain')")
    [(_, outputs)] = executed([cell], tmp_path)
    assert [(each.name, each.text) for each in outputs] == [("stdout", "plain\nof a child\n"), ("stderr", "low")]


@pytest.mark.parametrize("how", ["os.kill(os.getpid(), 9)", "os.kill(os.getppid(), 9); time.sleep(60)", "exit()"])
def test_a_process_that_dies_of_a_cell_is_a_dead_kernel(tmp_path, how):
    with pytest.raises(DeadKernelError):
        executed([new_code_cell(f"import os, time; {how}"), new_code_cell("print(1)")], tmp_path)
    [(number, [output])] = executed([new_code_cell("print(2)")], tmp_path)
    assert (number, output.text) == (1, "2\n"), "it costs only itself"


def test_a_cell_that_takes_too_long_is_named_and_ends(tmp_path):
    cell = new_code_cell("import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)")
    manager = engine.NotebookExecutionManager(new_notebook(cells=[cell]), progress_bar=False)
    manager.nb.metadata.papermill = {}
    manager.notebook_start()
    with kernels.cells(str(tmp_path), {}) as channel, pytest.raises(CellTimeoutError, match=r"time\.sleep"):
        engine.Client(manager, channel, timeout=1).execute()
    pid = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_each_run_has_a_folder_and_an_environment_of_its_own_and_no_history(tmp_path):
    look = "print(os.getcwd(), os.environ.get('LLM_ECONOMICS_OWN'), get_ipython().history_manager.enabled, mine)"
    with kernels.cells(str(tmp_path), {"LLM_ECONOMICS_OWN": "yes"}) as channel:
        answers = channel.makefile("rb")
        channel.sendall(b'"import os; mine = 1"\n"' + look.encode() + b'"\n')
        _, [messages, reply] = [json.loads(answers.readline()) for _ in range(2)]
    assert reply["status"] == "ok" and messages[-1]["content"]["text"].split() == [str(tmp_path), "yes", "False", "1"]
    assert "LLM_ECONOMICS_OWN" not in os.environ
    [(_, [output])] = executed([new_code_cell("mine", metadata={"tags": ["raises-exception"]})], tmp_path)
    assert output.ename == "NameError", "nor has another its names"
