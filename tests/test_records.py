"""Files of runs and sweeps, notebooks of others: valid JSON of the wrong shape is one line, with file and field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_cli_compare import AFTER, side
from test_cli_run import MFU, RECORD, notebook
from test_cli_sweep import CHAPTER, place  # noqa: F401 (a fixture)

from llm_economics.book import claims
from llm_economics.cli import main
from llm_economics.facts import documents
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import sweeps

MANIFEST = {"title": "t", "why": "", "source": "/", "values": {}, "run": "r", "notebooks": {}}
RECORDED = {"id": "llama3-011", "chapter": "llama3-cluster-sizing", "verdict": "holds"}


def changed(found: dict, where: str, value: object) -> dict:
    """A copy with another value at a place such as ``results.some.0.unit``; "gone" takes it away."""
    copy = json.loads(json.dumps(found))
    *path, last = (int(part) if part.isdigit() else part for part in where.split("."))
    inner = copy
    for part in path:
        inner = inner[part]
    if value == "gone":
        del inner[last]
    else:
        inner[last] = value
    return copy


def line(*arguments: object) -> str:
    """The one line that a command is refused with."""
    answer = CliRunner().invoke(main, list(map(str, arguments)))
    assert answer.exit_code == 1 and answer.stdout == "", answer.output
    (told,) = answer.stderr.splitlines()
    assert told.isprintable() and len(told) < 600
    return told


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        ("title", 3, "title = 3 is not allowed: it must be a valid string"),
        ("parameters", [], "parameters = [] is not allowed: it must be a valid dictionary"),
        ("parameters.llama3-cluster-sizing.mfu", 0.4, "parameters.llama3-cluster-sizing.mfu = 0.4 is not allowed"),
        ("parameters.llama3-cluster-sizing.mfu.value", None, "parameters.llama3-cluster-sizing.mfu.value"),
        ("parameters.other", {}, "all of it = a dict of 4 is not allowed: other has parameters and no results"),
        ("verdicts.0", None, "verdicts.0 = None is not allowed"),
        ("verdicts.0.id", ["a"], "verdicts.0.id = a list of 1 is not allowed"),
        ("verdicts.0.verdict", "perhaps", "verdicts.0.verdict = 'perhaps' is not allowed: it must be 'holds', "),
        ("verdicts.0.unit", "gone", "verdicts.0.unit is missing"),
        ("verdicts.0.computed_value", {"a": 1}, "verdicts.0.computed_value"),
        (
            "results.llama3-cluster-sizing",
            {},
            "results.llama3-cluster-sizing = {} is not allowed: it must be a valid l",
        ),
        ("results.llama3-cluster-sizing.0.value", float("nan"), "NaN is not allowed: a number is finite"),
        ("results.llama3-cluster-sizing.0.name", "gone", "results.llama3-cluster-sizing.0.name is missing"),
    ],
)
def test_results_of_another_shape(tmp_path, where, value, says):
    results = changed(side("t", "holds", AFTER, 0.4), where, value)
    (tmp_path / "results.json").write_text(json.dumps(results))
    told = line("compare", tmp_path)
    assert told.startswith(f"Error: {tmp_path} holds no results.json of a run: {says}")


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        ("title", None, "title = None is not allowed"),
        ("values", "gone", "values is missing"),
        ("values.kv-cache", 3, "values.kv-cache = 3 is not allowed: it must be"),
        ("values", {"kv-cache": {"batch": [1]}}, "values.kv-cache.batch"),
        ("notebooks", ["kv-cache"], "notebooks = a list of 1 is not allowed"),
        ("notebooks", {"kv-cache": {"key": "k", "sha256": 3, "seconds": 1}}, "notebooks.kv-cache.sha256 = 3 is not"),
        ("notebooks", {"kv-cache": {"key": "k", "sha256": "s", "seconds": "1"}}, "notebooks.kv-cache.seconds = '1' is"),
    ],
)
def test_a_manifest_of_another_shape(tmp_path, where, value, says):
    (tmp_path / "chapters").mkdir()
    (tmp_path / "run.json").write_text(json.dumps(changed(MANIFEST, where, value)))
    for command in (("run", "kv-cache", "--out", tmp_path), ("claims", "--from", tmp_path)):
        assert line(*command).startswith(f"Error: {tmp_path / 'run.json'} is no record of a run: {says}")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({claims.VERDICT_MIME: None}, f"cells.0.outputs.0.data.{claims.VERDICT_MIME} = None is not allowed"),
        ({claims.VERDICT_MIME: {**RECORDED, "verdict": "true"}}, "verdict = 'true' is not allowed"),
        ({claims.VERDICT_MIME: {**RECORDED, "condition": 3}}, "condition = 3 is not allowed"),
        ({claims.RESULT_MIME: {"name": "a", "value": 1}}, "unit is missing"),
        ({claims.RESULT_MIME: {"name": ["a"], "value": 1, "unit": "x"}}, "name = a list of 1 is not allowed"),
        ([], "cells.0.outputs.0.data = [] is not allowed"),
    ],
)
def test_a_strangers_notebook_of_another_shape(tmp_path, data, says):
    path = tmp_path / "llama3-cluster-sizing.ipynb"
    path.write_text(json.dumps({"cells": [{"outputs": [{"data": data}]}]}))
    told = line("claims", "--from", tmp_path)
    assert told.startswith(f"Error: {path} is no notebook: cells.0.outputs.0.data") and says in told


def test_a_strangers_notebook_may_leave_out_what_is_not_needed(tmp_path):
    verdict = {name: RECORDED[name] for name in ("id", "chapter", "verdict")}
    data = {claims.VERDICT_MIME: verdict, claims.RESULT_MIME: {"name": "a", "value": 1, "unit": "x"}}
    path = tmp_path / f"{RECORDED['chapter']}.ipynb"
    path.write_text(json.dumps({"cells": [{"outputs": [{"data": data}]}]}))
    rows = claims.scorecard(tmp_path)
    (row,) = [row for row in rows if row["id"] == RECORDED["id"]]
    assert row["statement"] == row["reason"] == "" and row["computed_value"] is row["condition"] is None
    assert f"#{RECORDED['id']}" in claims.table_html(rows)
    assert claims.results(tmp_path)[RECORDED["chapter"]]["a"]["note"] == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{}", "is no notebook: cells is missing"),
        ('{"cells": [{"source": 3}]}', "is no notebook: cells.0.source"),
        (
            '{"cells": [{"metadata": {"tags": "parameters"}}]}',
            "is no notebook: cells.0.metadata.tags = 'parameters' is",
        ),
        ('{"cells": [], "cells": []}', "is no notebook: its key 'cells' stands twice"),
        ("mfu: float = open('x')", "its cell of parameters is not allowed"),
        ("mfu: float = ", "its cell of parameters is not allowed"),
        ("mfu: float = [0.4]", "its parameter mfu = a list of 1 is not allowed: it must be a number or text"),
    ],
)
def test_a_folder_of_chapters_of_another_shape(tmp_path, content, says):
    path = notebook(tmp_path / "in" / "some.ipynb", content if content[0] != "{" else MFU, RECORD)
    if content[0] == "{":
        path.write_text(content)
    assert says in line("run", "--from", tmp_path / "in", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("where", "value", "says"),
    [
        ("lost", "gone", "lost is missing"),
        ("lost", 0, "lost = 0 is not allowed"),
        ("results", [], "results = [] is not allowed"),
        ("results", {"a": {"value": {}, "unit": "x", "note": ""}}, "results.a.value"),
        ("verdicts", {"no-such": {"verdict": "holds", "computed_value": 1}}, "no claim has the name 'no-such'"),
        ("parameters", {"acceptance": 0.9}, "parameters = \"{'acceptance': 0.9}\" is not allowed: it must be {'acce"),
    ],
)
def test_a_point_of_another_shape(place, where, value, says):  # noqa: F811
    sweep = sweeps.plan(CHAPTER, ["acceptance=0.8"])
    point = {"parameters": {"acceptance": 0.8}, "results": {}, "verdicts": {}, "error": "", "lost": False}
    path = sweeps._file(sweep, Path("out"), {"acceptance": 0.8})
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(changed(point, where, value)))
    told = line("sweep", CHAPTER, "-p", "acceptance=0.8", "--out", "out")
    assert told.startswith(f"Error: {path} is no point of this sweep: ") and says in told
    path.write_text(json.dumps(point))
    assert sweeps.stored(sweep, Path("out")) == [point]
    path.write_text(json.dumps(point)[:-9])  # of a disk that lost its end: the point is run again
    assert sweeps.stored(sweep, Path("out")) == [None]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff", "not UTF-8"),
        (b"{", "not JSON"),
        (b'{"a": {"b": 1, "b": 1}}', "its key 'b' stands twice"),
        (b"[-Infinity]", "-Infinity is not allowed"),
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 5000, "not JSON"),
        (rb'["\ud800"]', "half a character"),
    ],
)
def test_json_of_programs_is_one_clean_line(content, says):
    with pytest.raises(ParameterError, match=says) as error:
        documents.json_text(content)
    assert str(error.value).isprintable() and len(str(error.value)) < 200


def test_a_readers_chapter_may_have_parameters_of_its_own(tmp_path):
    notebook(tmp_path / "in" / "some.ipynb", "mine: float = 0.4  # mine", RECORD.replace("mfu", "mine"))
    answer = CliRunner().invoke(main, ["run", "--from", str(tmp_path / "in"), "--out", str(tmp_path / "out")])
    assert answer.exit_code == 0, answer.output
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["parameters"] == {"some": {"mine": {"value": 0.4, "default": 0.4, "unit": ""}}}
