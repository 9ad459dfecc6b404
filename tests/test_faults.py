"""Faults in the middle of runs and sweeps: nothing is lost, nothing mixes, nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_cli_run import MFU, RECORD, call, notebook
from test_cli_sweep import CHAPTER, parent_of, place  # noqa: F401 (a fixture)
from test_kernels import alive, forked, wait_for

from llm_economics.book import claims
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import comparison, notebooks, runs, sweeps
from llm_economics.site import times

COMMAND = [sys.executable, "-m", "llm_economics"]


def started(*arguments: object, cwd: Path) -> subprocess.Popen:
    return subprocess.Popen([*COMMAND, *map(str, arguments)], cwd=cwd, stderr=subprocess.PIPE, text=True)


@forked
def test_a_dead_keeper_costs_its_chapter_a_dead_run_nothing_and_the_end_is_that_of_an_undisturbed_run(tmp_path):
    source, pid, flag = tmp_path / "chapters", tmp_path / "pid", tmp_path / "flag"
    for name in ("first", "third"):
        notebook(source / f"{name}.ipynb", MFU, RECORD.replace("doubled", name))
    waits = f"import os, pathlib, time\npathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\n"
    waits += f"while not pathlib.Path({str(flag)!r}).exists():\n    time.sleep(0.02)\n#" + " long" * 2000
    notebook(source / "second.ipynb", MFU, waits, RECORD)
    command = ("run", "--from", source, "-p", "mfu=0.25", "--jobs", "2", "--out")

    running = started(*command, "out", cwd=tmp_path)
    wait_for(lambda: pid.exists() and pid.read_text())
    os.kill(parent_of(int(pid.read_text())), signal.SIGKILL)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 1 and "failed: second: DeadKernelError" in said, said
    assert set(json.loads((tmp_path / "out" / "results.json").read_text())["results"]) == {"first", "third"}

    pid.unlink()
    running = started(*command, "out", cwd=tmp_path)
    wait_for(lambda: pid.exists() and pid.read_text())
    family = [int(pid.read_text())]
    while family[-1] != running.pid:
        family.append(parent_of(family[-1]))
    running.kill()
    running.communicate()
    wait_for(lambda: not any(map(alive, family)), 5)

    flag.touch()
    assert call(*command, "out", cwd=tmp_path).returncode == 0
    assert call(*command, "undisturbed", cwd=tmp_path).returncode == 0
    for name in ("results.json", "results.csv", *(f"chapters/{slug}.ipynb" for slug in ("first", "second", "third"))):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
    assert not list((tmp_path / "out").rglob("*.tmp"))


def finished_run(folder: Path, **values: float) -> runs.Run:
    notebook(folder / "chapters" / "some.ipynb", MFU, RECORD)
    run = runs.Run(folder / "out", "title", "", {"some": values}, folder / "chapters")
    with runs.opened(run):
        assert not runs.execute(run, ["some"], _Here(), lambda outcome: None)
        runs.write_results(run)
    return run


class _Here:
    """Runs what is submitted at once."""

    def submit(self, function, *arguments, **options):
        from concurrent.futures import Future

        future: Future = Future()
        future.set_result(function(*arguments, **options))
        return future


def test_what_a_run_writes_carries_its_identity_and_a_strangers_notebook_is_nobodys(tmp_path):
    run = finished_run(tmp_path / "one", mfu=0.25)
    other = finished_run(tmp_path / "other", mfu=0.75)
    assert run.identity != other.identity
    made = json.loads(run.output("some").read_text())
    assert made["metadata"]["llm_economics"] == {"run": run.identity}
    for name in ("run.json", "results.json"):
        assert json.loads((run.folder / name).read_text())["run"] == run.identity
    assert claims.results(run.chapters)["some"]["doubled"]["value"] == 0.5

    run.output("some").write_bytes(other.output("some").read_bytes())
    again = runs.reopen(run.folder)
    assert claims.results(run.chapters) == {} and not again.current("some")
    assert runs.collect(again)["results"] == {}

    (run.folder / "results.json").write_bytes((other.folder / "results.json").read_bytes())
    with pytest.raises(ParameterError, match=r"is of an earlier run than the notebooks beside it"):
        comparison.load(run.folder)


def test_a_run_with_the_books_own_values_leaves_notebooks_as_they_are(tmp_path):
    run = finished_run(tmp_path)
    assert "llm_economics" not in json.loads(run.output("some").read_text())["metadata"]
    assert run.mark == "" and runs.read_manifest(run.folder)["run"] == run.identity


def test_a_notebook_counts_as_it_was_written_not_as_it_is_found(tmp_path):
    run = finished_run(tmp_path, mfu=0.25)
    outcome = notebooks.run_notebook(run.sources["some"], run.output("some"), {"mfu": 0.25}, run=run.identity)
    run.output("some").write_text("{}")
    run._made("some", runs.chapter_key(run.sources["some"], {"mfu": 0.25}), 1.0, outcome.sha256)
    assert not run.current("some")


def test_a_second_sweep_of_a_folder_is_refused(place):  # noqa: F811
    sweep = sweeps.plan(CHAPTER, ["acceptance=0.8"])
    (place / "out").mkdir()
    with runs.only_run(place / "out"), pytest.raises(ParameterError, match=r"^another sweep is at work in "):
        sweeps.run(sweep, place / "out")


class _Cluster:
    """A Dask client whose workers are all gone."""

    scheduler = SimpleNamespace(ncores=None)

    def sync(self, function, **options):
        return {}


def test_a_sweep_without_workers_says_so_and_stops(monkeypatch):
    monkeypatch.setattr(sweeps, "LOOK_S", 0.01)
    monkeypatch.setattr(sweeps, "GONE_S", 0.05)
    future = SimpleNamespace(add_done_callback=lambda function: None)
    start = time.monotonic()
    with pytest.raises(
        ConnectionError, match=r"^all workers of the Dask scheduler at tcp://a:1 have been gone for 0\.05"
    ):
        list(sweeps._finished([future], _Cluster(), "tcp://a:1"))
    assert time.monotonic() - start >= 0.05


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    path.write_text("old")

    def full(self, text, encoding):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError) as error:
        notebooks.write_atomic(path, "new")
    assert error.value.filename == str(path) and error.value.strerror == "No space left on device"
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_times_stay_where_the_build_finds_them(tmp_path):
    notebooks.write_times(tmp_path, {"a": 1.0, "b": 2.0})
    notebooks.write_times(tmp_path, {"b": 3.456})
    taken = times._read(tmp_path / "_build" / "times.json")
    assert taken["seconds"] == {"a": 1.0, "b": 3.46}
    html = times.table(taken | {"machine": "<two>"}, {"a": "A & a", "b": "B"})
    assert html.index("b.html") < html.index("a.html") and "A &amp; a" in html and "&lt;two&gt;" in html
    assert "<td>4.46</td>" in html and times._read(tmp_path) is None
