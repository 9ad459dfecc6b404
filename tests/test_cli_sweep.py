"""``llm-economics sweep`` as a user calls it: local kernels, a Dask cluster, killed workers, resumption, refusals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import notebook_runner
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_notebook

from llm_economics.cli import main
from llm_economics.facts import ROOT
from llm_economics.facts.units import rounded
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import kernels, notebooks, sweeps
from llm_economics.reruns.notebooks import METADATA

CHAPTER = "speculative-decoding"
PARAMETERS = """\
acceptance: float = 0.8  # chance that a drafted token is accepted [fraction]
draft_tokens: int = 4  # tokens that the draft model writes ahead [token]
weight_format: str = "bf16"  # number format of the stored weights
"""
WORK = """\
import os, time
from pathlib import Path
from llm_economics.book.claims import check, record, tested
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.speculation import expected_tokens
folder = Path(os.environ["SWEEP_TEST"])
begun = len(list(folder.glob(f"{acceptance}-{draft_tokens}-*")))
(folder / f"{acceptance}-{draft_tokens}-{os.getpid()}-{os.getppid()}").touch()
if acceptance == 0.5:
    raise ParameterError("acceptance = 0.5 is refused by this chapter")
if acceptance == 0.6:
    os.kill(os.getpid(), 9)
if acceptance in (0.7, 0.75) and not begun:
    time.sleep(60)
tokens = expected_tokens(acceptance, draft_tokens)
record("tokens_per_step", tokens, "token", "of one sequence")
record("pair", [tokens, 2.0], "token")
record("limit", 1 / (1 - acceptance) if acceptance < 1 else float("inf"), "token")
held = tested(lambda share: share > 0.75, flip={"share": 0.75 if acceptance > 0.75 else 1.0}, share=acceptance)
check("serve-065", holds=held, reason="it is a test")
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a quick chapter that leaves a file each time it is begun, and waits where a test kills it."""
    cells = [new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), new_code_cell(WORK)]
    (tmp_path / "chapters").mkdir()
    (tmp_path / "begun").mkdir()
    nbformat.write(new_notebook(cells=cells, metadata=METADATA), tmp_path / "chapters" / f"{CHAPTER}.ipynb")
    monkeypatch.setenv("LLM_ECONOMICS_CHAPTERS", str(tmp_path / "chapters"))
    monkeypatch.setenv("SWEEP_TEST", str(tmp_path / "begun"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where a killed worker leaves its notebook
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "llm_economics", "sweep", *arguments]
    return subprocess.Popen(
        command, preexec_fn=notebook_runner.heed_interrupts, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def begun(place: Path) -> list[list[str]]:
    """For each time that a point was begun: acceptance, draft tokens, process and parent process."""
    return [path.name.split("-") for path in (place / "begun").iterdir()]


def wait_for(place: Path, process: subprocess.Popen, acceptance: str, times: int = 1) -> list[str]:
    """The first time that a point with this acceptance is begun, once it has been begun so often."""
    while process.poll() is None:
        rows = [row for row in begun(place) if row[0] == acceptance]
        if len(rows) >= times:
            return rows[0]
        time.sleep(0.1)
    raise AssertionError(process.communicate())


def test_a_killed_worker_loses_nothing_and_the_same_command_goes_on(place):
    grid = ("-p", "acceptance=0.5,0.7,0.8", "-p", "draft_tokens=4", "--out", "out", "--jobs", "1")
    process = start(CHAPTER, *grid)
    os.kill(int(wait_for(place, process, "0.7")[2]), signal.SIGKILL)
    shown, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert said.splitlines()[-1] == (
        "Error: 1 of 3 points failed, the first at acceptance = 0.5, draft_tokens = 4: "
        "ParameterError: acceptance = 0.5 is refused by this chapter"
    )
    assert "serve-065: fails at 1, adds up at 1" in shown
    assert sorted(row[0] for row in begun(place)) == ["0.5", "0.7", "0.7", "0.8"]
    check_tables(place / "out")
    drawn = (place / "out" / "picture.svg").read_text(encoding="utf-8")
    assert "Tokens per step: 2.77 to 3.36 token over acceptance" in drawn

    again = CliRunner().invoke(main, ["sweep", CHAPTER, *grid[:-2], "--plot", "limit", "--json"])
    assert "3 of 3 points are stored" in again.stderr
    assert json.loads(again.stdout) == json.loads((place / "out" / "results.json").read_text(encoding="utf-8"))
    assert len(begun(place)) == 4
    assert "Limit: 3.33 to 5 token" in (place / "out" / "picture.svg").read_text(encoding="utf-8")


def check_tables(folder: Path) -> None:
    """CSV, Parquet and JSON hold the same rows, and the values are those of the formula."""
    csv = pd.read_csv(folder / "results.csv").fillna({"error": ""})
    parquet = pd.read_parquet(folder / "results.parquet")
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False)
    told = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert list(told["columns"]) == list(parquet)
    assert told["columns"]["tokens_per_step"] == {"kind": "result", "unit": "token", "meaning": "of one sequence"}
    assert told["defaults"] == {"weight_format": "bf16"}
    for point, (_, row) in zip(told["points"], parquet.iterrows(), strict=True):
        assert point["parameters"] == {"acceptance": row["acceptance"], "draft_tokens": row["draft_tokens"]}
        assert point["error"] == row["error"]
        if row["error"]:
            assert row.drop(["acceptance", "draft_tokens", "error"]).isna().all()
            continue
        by_hand = sum(row["acceptance"] ** i for i in range(5))
        assert row["tokens_per_step"] == point["results"]["tokens_per_step"] == pytest.approx(by_hand, rel=1e-5)
        assert json.loads(row["pair"]) == point["results"]["pair"]
        assert row["serve-065"] == point["verdicts"]["serve-065"]["verdict"]


def test_an_interrupted_sweep_keeps_what_is_finished(place):
    grid = ("-p", "acceptance=0.8,0.9,0.7", "--jobs", "1")
    process = start(CHAPTER, *grid)
    kernel = int(wait_for(place, process, "0.7")[2])
    process.send_signal(signal.SIGINT)
    os.kill(kernel, signal.SIGKILL)  # the point under way, which a second try finishes
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "Error: interrupted; 3 of 3 points are stored, the same command goes on"
    assert not (place / "_build" / "sweeps" / CHAPTER / "results.csv").exists()


def test_a_point_that_kills_its_kernel_is_given_up_and_tried_again_next_time(place):
    sweep = sweeps.plan(CHAPTER, ["acceptance=0.6"])
    (record,) = sweeps.run(sweep, place / "out")
    assert record["lost"] and record["error"].startswith("given up after 3 tries: ")
    assert len(begun(place)) == 3
    assert sweeps.stored(sweep, place / "out") == [None]
    assert [path.name for path in sweeps.write(sweep, [record], place / "out")][-1] == "results.json"
    assert pd.read_csv(place / "out" / "results.csv")["error"].tolist() == [record["error"]]


@pytest.fixture
def another_version(monkeypatch):
    """Lets this process, not its workers, take the package for another version."""

    def pretend():
        monkeypatch.setattr(notebooks, "version", lambda name: "0.0.1")
        notebooks.library.cache_clear()

    yield pretend
    notebooks.library.cache_clear()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_dask_cluster_finishes_the_sweep_when_a_worker_and_a_kernels_keeper_are_killed(place, another_version):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        process = start(CHAPTER, "-p", "acceptance=0.7,0.75,0.9", "--scheduler", cluster.scheduler_address, "--json")
        of_one, of_other = (int(wait_for(place, process, acceptance)[3]) for acceptance in ("0.7", "0.75"))
        worker = parent_of(parent_of(of_other)) if kernels.possible() else of_other
        for victim in (of_one, worker):
            os.kill(victim, signal.SIGKILL)
        shown, said = process.communicate(timeout=120)
        another_version()
        with pytest.raises(ParameterError, match=r"^worker tcp://\S+ has llm_economics 0\.1\.0 \w+: the sweep"):
            sweeps.run(sweeps.plan(CHAPTER, ["acceptance=1"]), place / "out", scheduler=cluster.scheduler_address)
    assert process.returncode == 0, said
    points = json.loads(shown)["points"]
    assert [point["parameters"]["acceptance"] for point in points] == [0.7, 0.75, 0.9]
    assert [point["results"]["limit"] for point in points] == pytest.approx([1 / 0.3, 4, 10], rel=1e-5)
    assert sorted(row[0] for row in begun(place)) == ["0.7", "0.7", "0.75", "0.75", "0.9"]
    assert len(list((place / "_build" / "sweeps" / CHAPTER / "points").iterdir())) == 3


def test_a_point_has_the_records_that_the_chapter_itself_makes():
    sweep = sweeps.plan(CHAPTER, ["acceptance=0.7"], ROOT / "chapters")
    found = sweeps.run_point(CHAPTER, sweep.source, {"acceptance": 0.7})
    verdicts, results = notebook_runner.run(ROOT / "chapters" / f"{CHAPTER}.ipynb", acceptance=0.7)
    assert found["results"] == {
        name: rounded({key: row[key] for key in ("value", "unit", "note")}) for name, row in results.items()
    }
    assert {key: row["verdict"] for key, row in found["verdicts"].items()} == {
        key: row["verdict"] for key, row in verdicts.items()
    }


def test_a_stored_point_depends_on_the_chapter_and_not_on_its_outputs(place):
    path = place / "chapters" / f"{CHAPTER}.ipynb"
    key = sweeps.plan(CHAPTER, ["acceptance=0.8"]).key({"acceptance": 0.8})
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="done")]
    nbformat.write(notebook, path)
    assert sweeps.plan(CHAPTER, ["acceptance=0.8"]).key({"acceptance": 0.8}) == key
    notebook.cells[1].source += "\n1"
    nbformat.write(notebook, path)
    assert sweeps.plan(CHAPTER, ["acceptance=0.8"]).key({"acceptance": 0.8}) != key


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("acceptance", "0.1:0.9:9", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        ("acceptance", "1:0.5:2", [1.0, 0.5]),
        ("draft_tokens", "1:7:4", [1, 3, 5, 7]),
        ("batch", "1:1024:11:log", [2**i for i in range(11)]),
        ("mfu", "0.3, 0.4", [0.3, 0.4]),
        ("precision", "bf16,fp8", ["bf16", "fp8"]),
    ],
)
def test_values_of_an_axis(name, text, values):
    found = sweeps.axis(name, text)
    assert list(found) == values
    assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("assignments", "line"),
    [
        (["acceptnce=0.5"], "speculative-decoding has no parameter 'acceptnce'; nearest: acceptance"),
        (["mfu=0.5"], "speculative-decoding has no parameter 'mfu'; known: acceptance, draft_tokens, weight_format"),
        (["acceptance"], "'acceptance' is not allowed: it must be name=values, such as mfu=0.3,0.4"),
        (["acceptance=0.5,1.5"], "acceptance = 1.5 is not allowed: it must be above 0 and at most 1"),
        (["acceptance=0.5,half"], "acceptance = 'half' is not allowed: it must be a number (fraction)"),
        (["acceptance=0.5,"], "acceptance = '' is not allowed: it must be a number (fraction)"),
        (["acceptance=__import__('os')"], 'acceptance = "__import__(\'os\')" is not allowed: it must be a number'),
        (["acceptance=0.5,0.50"], "acceptance = 0.5 is not allowed: it stands twice in the sweep"),
        (["acceptance=0.5:0.5:3"], "acceptance = 0.5 is not allowed: it stands twice in the sweep"),
        (["acceptance=0.5", "acceptance=0.6"], "acceptance is given twice: put all of its values into one list"),
        (["draft_tokens=1:4:3"], "draft_tokens = '1:4:3' is not allowed: its value 2.5 is not whole"),
        (["draft_tokens=1.5"], "draft_tokens = '1.5' is not allowed: it must be a whole number (token)"),
        (["acceptance=0.1:0.9:1"], "acceptance = '0.1:0.9:1' is not allowed: it must be low:high:count"),
        (["acceptance=0.1:0.9:9:lin"], "acceptance = '0.1:0.9:9:lin' is not allowed: it must be low:high:count"),
        (["acceptance=0.1:0.9:10001"], "acceptance = '0.1:0.9:10001' is not allowed: a sweep has at most 10,000"),
        (["acceptance=" + "1," * 5_000_000], "acceptance has 5,000,001 values: a sweep has at most 10,000 points"),
        (["acceptance=0.1:0.9:500", "draft_tokens=1:64:64"], "32,000 points are not allowed: a sweep has at most"),
        (["weight_format=bf16:fp8:3"], "weight_format = 'bf16:fp8:3' is not allowed: it must be one of fp32, "),
        ([], "nothing to sweep: speculative-decoding takes acceptance, draft_tokens, weight_format"),
    ],
)  # fmt: skip
def test_refused_before_anything_runs(place, assignments, line):
    with pytest.raises(ParameterError) as error:
        sweeps.plan(CHAPTER, assignments)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["speculative-decodin", "-p", "mfu=1"], "no chapter 'speculative-decodin' that takes parameters; nearest: "),
        ([CHAPTER, "-p", "acceptance=2"], "acceptance = 2.0 is not allowed: it must be above 0 and at most 1"),
        ([CHAPTER, "-p", "acceptance=1", "--scheduler", "x", "--jobs", "2"], "--jobs counts points on this machine"),
        ([CHAPTER, "-p", "acceptance=1", "--scheduler", "foo"], "scheduler = 'foo' is not allowed: it must be "),
        ([CHAPTER, "-p", "acceptance=1", "--scheduler", "tcp://127.0.0.1:1"], "scheduler = 'tcp://127.0.0.1:1' is not"),
    ],
)  # fmt: skip
def test_the_command_refuses_in_one_line(place, monkeypatch, arguments, line):
    monkeypatch.setattr(sweeps, "WAIT_S", 0.2)
    answer = CliRunner().invoke(main, ["sweep", *arguments])
    assert answer.exit_code != 0 and answer.stdout == ""
    assert answer.stderr.splitlines()[-1].startswith(f"Error: {line}")
    assert not list((place / "begun").iterdir()) and not (place / "_build").exists()


def test_the_result_to_draw_is_known_before_the_sweep(monkeypatch):
    monkeypatch.delenv("LLM_ECONOMICS_CHAPTERS", raising=False)
    answer = CliRunner().invoke(main, ["sweep", CHAPTER, "-p", "acceptance=0.8", "--plot", "speedup_dens"])
    assert answer.exit_code == 1
    assert answer.stderr.startswith(
        "Error: speculative-decoding has no result 'speedup_dens'; nearest: speedup_dense, "
    )


AXES = {
    "one number": {"batch": (1, 2, 4)},
    "one name": {"precision": ("bf16", "fp8")},
    "few lines": {"batch": (1, 100), "mfu": (0.2, 0.4)},
    "heat map": {"batch": tuple(range(1, 9)), "mfu": tuple(i / 8 for i in range(1, 9))},
    "heat maps": {"precision": ("bf16", "fp8"), "batch": (1, 2, 3), "mfu": (0.2, 0.3)},
    "a fourth is held": {
        "batch": (1, 2, 3),
        "mfu": (0.2, 0.3),
        "utilisation": (0.5, 0.6),
        "precision": ("bf16", "fp8"),
    },
}


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES)
def test_each_number_of_parameters_has_its_picture(axes):
    sweep = sweeps.Sweep("token-cost", "{}", {}, axes)
    values = [{"value": i + 0.5, "unit": "USD", "note": ""} for i in range(len(sweep.points))]
    records = [
        {"parameters": point, "results": {"usd": value}, "verdicts": {}, "error": ""}
        for point, value in zip(sweep.points, values, strict=True)
    ]
    drawn = sweeps.picture(sweep, records)
    low, high = 0.5, np.prod([len(values) for values in axes.values()]) - 0.5
    held = ", at precision = bf16" if len(axes) == 4 else ""
    high -= 1 if held else 0
    assert f"Usd: {low:g} to {high:g} USD over" in drawn and held in drawn
