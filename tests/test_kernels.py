"""Kernels that start warm: what each has of its own, what ends them, and that nothing else changes."""

from __future__ import annotations

import ast
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook

from llm_economics.book import drawing
from llm_economics.facts import ROOT, cache
from llm_economics.reruns import forks, kernels, notebooks

forked = pytest.mark.skipif(not kernels.possible(), reason="kernels are forked on Linux alone")


def ran(folder: Path, *cells: str, env: dict[str, str] | None = None) -> list[str]:
    """What each cell prints, in a kernel of its own."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=60, **notebooks._options(folder, env or {})).execute()
    return ["".join(output.get("text", "") for output in cell.outputs).strip() for cell in notebook.cells]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # gone, or going while it is read
        return False
    return state != "Z"


def wait_for(condition, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


LOOK = """
import json, os, random, sys, numpy
print(json.dumps({"here": os.getcwd(), "parent": os.getppid(), "pid": os.getpid(), "names": sorted(dir()),
  "drawn": [random.random(), numpy.random.rand()], "env": os.environ.get("LLM_ECONOMICS_OWN"), "path": sys.path,
  "argv": sys.argv[1], "warm": "llm_economics.book.figures" in sys.modules, "name": __name__, "v8": "vl_convert" in
  sys.modules, "group": os.getpgid(0), "file": os.readlink("/proc/self/fd/0"),
  "history": get_ipython().history_manager.enabled}))
"""


@forked
def test_each_kernel_has_a_process_namespace_seed_folder_and_environment_of_its_own(tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    first = json.loads(ran(tmp_path, "mine = 1\n" + LOOK)[0])
    second = json.loads(ran(tmp_path / "other", LOOK, env={"LLM_ECONOMICS_OWN": "yes"})[0])
    assert first["warm"] and second["warm"] and not first["v8"], "imports are done, vl-convert is left alone"
    assert "mine" in first["names"] and "mine" not in second["names"]
    assert (first["here"], second["here"]) == (str(tmp_path), str(tmp_path / "other"))
    assert (first["env"], second["env"]) == (None, "yes")
    assert len({first["pid"], second["pid"], first["parent"], second["parent"], os.getpid()}) == 5
    assert first["group"] == first["pid"], "what it starts is interrupted and killed with it"
    assert not set(first["drawn"]) & set(second["drawn"])
    assert first["file"] == "/dev/null" and first["name"] == "__main__"
    assert not first["history"], "what the book runs is no history of the reader's own"
    monkeypatch.setenv("LLM_ECONOMICS_KERNELS", "ordinary")
    ordinary = json.loads(ran(tmp_path, LOOK)[0])
    assert ordinary["parent"] == os.getpid() and not ordinary["warm"] and not ordinary["history"]
    for name in ("path", "argv", "here", "env"):
        assert type(ordinary[name]) is type(first[name])
    assert ordinary["path"] == first["path"]


@forked
def test_outputs_are_those_of_an_ordinary_kernel_byte_by_byte(tmp_path, monkeypatch):
    cells = [
        "import math, pandas as pd\nfrom llm_economics import facts\nfrom llm_economics.book import figures\n"
        "from llm_economics.book.claims import record\nfrom llm_economics.facts.units import Q",
        "chips = facts.load('hardware')[['chip', 'mem_gb', 'mem_bw_TBps']].head(9)\nchips",
        "record('ratio', (chips.mem_gb / chips.mem_bw_TBps).mean(), 'GB/(TB/s)')",
        "figures.bars(chips, 'chip', 'mem_gb', title='Memory', description='Memory of nine parts.', x_title='GB')",
        "print(Q(3, 'FLOP') / Q(7, 's'), math.pi, {*'warm'} == {*'mraw'})\nimport sys; print('said', file=sys.stderr)",
    ]
    source = tmp_path / "some.ipynb"
    source.write_text(nbformat.writes(new_notebook(cells=[new_code_cell(c, id=f"c{i}") for i, c in enumerate(cells)])))
    warm = nbformat.writes(notebooks.execute(source))
    assert "<svg" in warm and "vegalite" in warm
    monkeypatch.setenv("LLM_ECONOMICS_KERNELS", "ordinary")
    monkeypatch.setenv("LLM_ECONOMICS_CACHE", "off")
    assert nbformat.writes(notebooks.execute(source)) == warm


@forked
def test_the_process_that_forks_has_what_chapters_import_and_no_thread():
    code = (
        "import json, sys; from llm_economics.reruns import forks; forks.warm_up()\n"
        "print(json.dumps([forks.threads(), sorted(sys.modules)]))"
    )
    env = os.environ | forks.ONE_THREAD | forks.NO_THREAD
    answer = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    threads, modules = json.loads(answer.stdout.splitlines()[-1])
    assert threads == 1 and "vl_convert" not in modules
    for path in [*ROOT.glob("chapters/*.ipynb"), ROOT / "index.ipynb"]:
        cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        nodes = [node for cell in cells for node in ast.walk(ast.parse("".join(cell["source"])))]
        asked = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        asked |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
        assert asked <= {*modules, *sys.stdlib_module_names}, path.stem


@forked
def test_each_process_dies_for_itself(tmp_path):
    for victim in ("os.getpid()", "os.getppid()"):
        with pytest.raises(DeadKernelError):
            ran(tmp_path, f"import os, time; os.kill({victim}, 9); time.sleep(60)")
    before = forks.WARM._process
    assert ran(tmp_path, f"import os; os.kill({before.pid}, 9); print(1)", "print(2)") == ["1", "2"], "a kernel goes on"
    with pytest.raises(DeadKernelError):  # the first kernel of a process, which nobody asked to draw before
        ran(tmp_path, "import os, time; os.kill(os.getppid(), 9); time.sleep(60)")
    with pytest.raises(DeadKernelError):  # the first kernel of a process, which nobody asked to draw before
        ran(tmp_path, "import os, time; os.kill(os.getppid(), 9); time.sleep(60)")
    assert ran(tmp_path, "print(3)") == ["3"], "another process is started"
    assert forks.WARM._process is not before


def test_without_a_process_to_fork_from_kernels_are_ordinary(tmp_path, monkeypatch):
    def refused(self, message, descriptors):
        raise OSError("no more processes")

    monkeypatch.setattr(forks.Warm, "send", refused)
    assert ran(tmp_path, "import os; print(os.getppid())") == [str(os.getpid())]


PARENT = """
import sys
from pathlib import Path
import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from llm_economics.reruns import kernels, notebooks
cells = [f"import os, time; open({str(Path(sys.argv[1]))!r}, 'w').write(str(os.getpid())); time.sleep(600)"]
kernels.warm()
NotebookClient(new_notebook(cells=list(map(new_code_cell, cells))), **notebooks._options(Path.cwd(), {})).execute()
"""


@forked
def test_all_processes_end_with_their_parent_however_it_ends(tmp_path):
    pid = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(pid)], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: pid.exists() and pid.read_text())
        family = [int(pid.read_text())]
        while family[-1] != parent.pid:  # the kernel, its keeper, the process that both come from
            family.append(int(Path(f"/proc/{family[-1]}/stat").read_text().rpartition(")")[2].split()[1]))
        server = family[-2]
        family += map(int, Path(f"/proc/{server}/task/{server}/children").read_text().split())
        assert len(set(family)) == 5, "and the one that draws"
    finally:
        parent.kill()
        parent.wait(30)
    wait_for(lambda: not any(map(alive, family)), 5)
    assert not alive(parent.pid)


@forked
def test_the_process_that_forks_refuses_once_it_holds_a_thread():
    code = (
        "import socket, sys, threading, time\n"
        "from llm_economics.reruns.forks import Server\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "Server(socket.socket(fileno=int(sys.argv[1]))).serve()"
    )
    ours, theirs = socket.socketpair()
    server = subprocess.Popen([sys.executable, "-c", code, str(theirs.fileno())], pass_fds=[theirs.fileno()])
    theirs.close()
    mine, its = socket.socketpair()
    mine.sendall(b'{"argv": [], "env": {}, "cwd": "/"}\n')
    socket.send_fds(ours, [b"k"], [its.fileno(), 0, 1, 2])
    assert b"holds threads" in mine.recv(200)
    ours.close()
    assert server.wait(30) == 0


# Charts


SPEC = {"mark": "point", "data": {"values": [{"a": 1}]}, "encoding": {"x": {"field": "a", "type": "quantitative"}}}


@forked
def test_charts_of_kernels_are_drawn_by_one_process_that_they_share(tmp_path):
    kernels.warm()
    try:
        assert drawing._ask(json.dumps(SPEC)).startswith("<svg")
        assert drawing.svg({**SPEC, "width": 101}).startswith("<svg")
        with pytest.raises(ValueError):
            drawing.svg({"mark": 3})
    finally:
        drawing.share(None)
    assert "vl_convert" not in ran(tmp_path, f"from llm_economics.book import drawing\ndrawing.svg({SPEC})\nimport sys"
        "\nprint([name for name in sys.modules if name == 'vl_convert'])")[0]  # fmt: skip


def test_a_chart_is_drawn_here_when_the_other_process_is_gone(monkeypatch):
    ours, theirs = socket.socketpair()
    drawing.share(ours)
    theirs.close()
    monkeypatch.setenv("LLM_ECONOMICS_CACHE", "off")
    assert drawing.svg(SPEC).startswith("<svg")
    assert drawing._shared is None


def test_a_figure_is_drawn_once_and_a_damaged_one_again(tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_ECONOMICS_CACHE", str(tmp_path))
    drawn = []
    monkeypatch.setattr(drawing, "_draw", lambda text: drawn.append(text) or f"<svg>{len(drawn)}</svg>")
    assert drawing.svg(SPEC) == drawing.svg(SPEC) == "<svg>1</svg>"
    (kept,) = (tmp_path / "figures").iterdir()
    kept.write_bytes(kept.read_bytes()[:-4])
    assert drawing.svg(SPEC) == "<svg>2</svg>"
    assert drawing.svg({**SPEC, "width": 9}) == "<svg>3</svg>", "another figure"
    monkeypatch.setattr(drawing, "_versions", lambda: "vl-convert of another day")
    assert drawing.svg(SPEC) == "<svg>4</svg>"
    monkeypatch.setenv("LLM_ECONOMICS_CACHE", "off")
    assert drawing.svg(SPEC) == "<svg>5</svg>"


def test_what_cannot_be_kept_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LLM_ECONOMICS_CACHE", str(tmp_path / "file"))
    cache.write("figures", "name", b"content")
    assert cache.read("figures", "name") is None


def test_too_much_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_ECONOMICS_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "MOST", 3)
    (tmp_path / "some").mkdir()
    for age in range(4):
        (tmp_path / "some" / str(age)).write_text("")
        os.utime(tmp_path / "some" / str(age), (age, age))
    cache.write("some", "new", b"content")
    assert {path.name for path in (tmp_path / "some").iterdir()} == {"2", "3", "new"}


def test_figures_are_those_of_vl_convert():
    import vl_convert

    assert drawing.svg(SPEC) == drawing._stable(vl_convert.vegalite_to_svg(SPEC))


def test_modules_that_are_imported_ahead_exist():
    import importlib.util

    assert [module for module in forks.MODULES if importlib.util.find_spec(module) is None] == []
