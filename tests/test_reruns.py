"""Rerunning the chapters: papermill as a reader calls it, and every parameter counts for something."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from notebook_runner import run
from test_notebooks import ARGUMENTS

from llm_economics.book import claims
from llm_economics.book.openings import Opening
from llm_economics.facts import ROOT
from llm_economics.facts.parameters import PARAMETERS
from llm_economics.formulas.hardware import BYTES_PER_VALUE
from llm_economics.reruns.notebooks import evaluate, parameters_of, sources

CHAPTER = "chapters/llama3-cluster-sizing.ipynb"


def papermill(*arguments: str) -> subprocess.CompletedProcess:
    command = [str(Path(sys.executable).with_name("papermill")), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})


def test_the_command_of_the_readme_answers_for_another_window(tmp_path):
    answer = papermill(CHAPTER, str(tmp_path / "llama3-cluster-sizing.ipynb"), "-p", "window_days", "60")
    assert answer.returncode == 0, answer.stderr
    assert claims.results(tmp_path)["llama3-cluster-sizing"]["cards_in_window"]["value"] == 4444.44
    assert claims.verdicts(tmp_path)["llama3-011"]["verdict"] == "fails"
    assert len(claims.verdicts(tmp_path)) == 25


def test_help_gives_each_parameter_with_type_unit_and_meaning():
    answer = papermill("--help-notebook", CHAPTER)
    assert answer.returncode == 0, answer.stderr
    printed = " ".join(answer.stdout.split())
    for name, row in parameters_of(ROOT / CHAPTER).items():
        assert f"{name}: {row['type']} (default {row['default']}) {row['help']}" in printed


def test_a_stopped_notebook_ends_with_one_clear_line(tmp_path):
    answer = papermill(CHAPTER, str(tmp_path / "out.ipynb"), "-p", "mfu", "1.2")
    assert answer.returncode != 0
    last = [line for line in answer.stderr.splitlines() if line.strip()][-1]
    assert last.endswith("ParameterError: mfu = 1.2 is not allowed: it must be above 0 and at most 1")


def other_values(name: str, default):
    """Allowed values that differ from the default, nearest first."""
    known = PARAMETERS[name]
    if known.type is str:
        return [choice for choice in known.choices or BYTES_PER_VALUE if choice != default]
    if known.type is int:
        candidates = [default + 1, default - 1, default * 2, max(1, default // 2)]
    else:
        candidates = [default * factor for factor in (0.8, 1.25, 0.5, 2.0)]
        candidates += [(known.high or 1.0) * share for share in (0.25, 0.75)]
    return [v for v in candidates if v != default and allowed(name, v)]


def allowed(name, value) -> bool:
    try:
        PARAMETERS[name].check(name, value)
    except ValueError:
        return False
    return True


CASES = [(path, name) for path in ARGUMENTS for name in parameters_of(path)]


@pytest.mark.parametrize(("path", "name"), CASES, ids=[f"{path.stem}-{name}" for path, name in CASES])
def test_every_parameter_changes_some_result(path, name):
    default = ast.literal_eval(parameters_of(path)[name]["default"])
    verdicts, results = run(path)

    def changed(thing) -> bool:
        if isinstance(thing, claims.Verdict):
            return thing.record() != verdicts[thing.id]
        if isinstance(thing, Opening):  # it repeats results and verdicts
            return False
        return vars(thing) != results[thing.name]

    for value in other_values(name, default):
        seen = []
        try:
            evaluate(path, {name: value}, until=lambda thing, seen=seen: seen.append(changed(thing)) or seen[-1])
        except ValueError:  # a combination that the chapter refuses, such as a precision that its chip lacks
            continue
        if seen[-1]:  # the first change is enough, the rest of the chapter was left out
            return
    pytest.fail(f"{name} changes nothing in {path.stem}")


@pytest.mark.parametrize("path", ARGUMENTS, ids=lambda path: path.stem)
def test_the_stored_records_are_those_of_a_fresh_run(path):
    verdicts, results = run(path)
    stored = claims.results().get(path.stem, {})
    assert {name: row["value"] for name, row in stored.items()} == {
        name: claims.rounded(row["value"]) for name, row in results.items()
    }
    assert verdicts == {i: row for i, row in claims.verdicts().items() if row["chapter"] == path.stem}


def test_a_digest_covers_every_room_and_every_fact():
    names = {path.relative_to(ROOT).as_posix() for path in sources()}
    library = "lib/llm_economics"
    for folder in ("formulas", "checkpoints", "facts", "evidence", "book", "reruns"):
        assert {path.relative_to(ROOT).as_posix() for path in (ROOT / library / folder).glob("*.py")} <= names
    assert {
        f"{library}/checkpoints/config_defaults.json",
        f"{library}/facts/llm_units.txt",
        "data/hardware.csv",
    } <= names
