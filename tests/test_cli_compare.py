"""``llm-economics compare``: what counts as changed, in which order, and what is written."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from llm_economics.book import claims
from llm_economics.cli import main
from llm_economics.reruns import comparison, runs


def side(title: str, verdict: str, values: dict[str, object], mfu: float) -> dict:
    """What ``results.json`` of a run of one chapter holds."""
    claim = {"id": "llama3-011", "chapter": "llama3-cluster-sizing", "statement": "A <b>statement</b>", "unit": "GPU"}
    return {
        "title": title,
        "parameters": {claim["chapter"]: {"mfu": {"value": mfu, "default": 0.4, "unit": "fraction"}}},
        "verdicts": [{**claim, "verdict": verdict, "computed_value": 100.0}],
        "results": {claim["chapter"]: [{"name": name, "value": value, "unit": "x"} for name, value in values.items()]},
    }


BEFORE: dict[str, object] = {"doubles": 1.0, "quarters": 8.0, "rises": 100.0, "stays": 3.0, "gone": 1}
BEFORE |= {"word": "a", "many": [1.0, 0.0, 10.0], "from_zero": 0}
AFTER: dict[str, object] = {"doubles": 2.0, "quarters": 2.0, "rises": 101.0, "stays": 3.0000001, "new": 1}
AFTER |= {"word": "b", "many": [1.0, 0.0, 5.0], "from_zero": 4}


@pytest.fixture
def both(tmp_path) -> tuple[Path, Path]:
    for name, found in {
        "a": side("the <first>", "holds", BEFORE, 0.4),
        "b": side("the second", "fails", AFTER, 0.45),
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_text(json.dumps(found))
    return tmp_path / "a", tmp_path / "b"


def call(*arguments: object) -> str:
    answer = CliRunner().invoke(main, ["compare", *map(str, arguments)])
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_flips_moves_and_assumptions(both):
    found = json.loads(call(*both, "--json"))
    assert found == json.loads((both[1] / "comparison.json").read_text())
    (flip,) = found["flipped"]
    assert (flip["id"], flip["before"], flip["after"]) == ("llama3-011", "holds", "fails")
    moves = {row["name"]: row["relative"] for row in found["moved"]}
    assert moves == {
        "from_zero": None, "quarters": -0.75, "doubles": 1.0, "many": -0.5, "rises": 0.01, "word": None,
    }  # fmt: skip
    assert list(moves) == ["from_zero", "quarters", "doubles", "many", "rises", "word"], "the largest first, text last"
    assert found["parameters"] == [
        {"chapter": "llama3-cluster-sizing", "name": "mfu", "unit": "fraction", "before": 0.4, "after": 0.45}
    ]
    assert (found["verdicts"], found["values"]) == (1, 8)
    assert found["only_before"] == ["llama3-cluster-sizing: gone"]
    assert found["only_after"] == ["llama3-cluster-sizing: new"]


def test_the_table_and_the_text_say_the_same(both, tmp_path):
    text = call(*both, "--out", tmp_path / "tables")
    assert "the <first> → the second" in text and "1 of 1 verdicts flip, 6 of 8 values move" in text
    assert "llama3-011: holds → fails" in text and "-75.0%" in text and "× 2" in text and "+1.0%" in text
    with (tmp_path / "tables" / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["change"] for row in rows] == ["verdict", "parameter", *["value"] * 6]
    assert float(rows[1]["relative"]) == 0.125 and rows[0]["text"] == "A <b>statement</b>"
    assert not (both[1] / "comparison.csv").exists()


def test_the_page_is_plain_text_in_markdown(both):
    page = comparison.page(comparison.compare(*map(comparison.load, both)))
    assert "&lt;first&gt;" in page and "<first>" not in page
    assert "&lt;b&gt;statement&lt;/b&gt;" in page
    assert 'href="chapters/llama3-cluster-sizing.html#llama3-011"' in page
    assert all(part.startswith(("#", "<")) and "\n" not in part for part in page.strip().split("\n\n"))


def test_a_run_with_itself_and_the_book_with_itself_change_nothing(both):
    assert "0 of 1 verdicts flip, 0 of 9 values move" in call(both[0], both[0])
    book = comparison.book()
    same = comparison.compare(book, book)
    assert same.flipped == same.moved == same.parameters == ()
    assert same.verdicts == len(claims.ledger())
    assert "None." in comparison.page(same)


def test_one_run_is_held_against_the_committed_book(both):
    found = json.loads(call(both[1], "--json"))
    assert found["before"] == "the book" and found["chapters"] == ["llama3-cluster-sizing"]
    committed = claims.verdicts()["llama3-011"]
    assert found["flipped"][0]["before"] == committed["verdict"]
    assert found["flipped"][0]["computed_before"] == committed["computed_value"]


def test_site_hands_the_page_to_the_run_s_site(both, monkeypatch):
    run = runs.Run(both[1], "the second", "", {slug: {} for slug in comparison.book()["parameters"]})
    run.save()
    asked = []
    monkeypatch.setattr(runs, "summaries", lambda run: [])
    monkeypatch.setattr(
        runs, "build_site", lambda run, page, headline: asked.append((run.title, page, headline)) or Path("s")
    )
    assert call(*both, "--site").endswith("open s/what-changed.html\n")
    ((title, page, headline),) = asked
    assert title == "the second" and page.startswith("# What changed\n")
    assert headline == "1 of 1 verdicts flip, 6 of 8 values move"


def test_sizes_of_lists_and_of_changes_of_sign():
    assert comparison.relative([2.0, 4.0], [3.0, 4.0]) == 0.5
    assert comparison.relative([2.0, 0.0], [3.0, 1.0]) is None
    assert comparison.relative([1.0], [1.0, 2.0]) is None
    assert comparison.relative(2, -2) == -2.0
    assert comparison._size(comparison.Move("result", "c", "n", "x", 2, -2, -2.0)) == math.inf


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"title": "x"}'])
def test_a_folder_without_a_run_is_refused_in_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    answer = CliRunner().invoke(main, ["compare", str(tmp_path)])
    assert answer.exit_code != 0
    assert answer.output.startswith(f"Error: {tmp_path} holds no results.json of a run: ")
    assert len(answer.output.splitlines()) == 1


def test_a_folder_that_cannot_be_written_loses_no_comparison(both, tmp_path):
    (tmp_path / "file").write_text("")
    answer = CliRunner().invoke(main, ["compare", *map(str, both), "--out", str(tmp_path / "file" / "tables")])
    assert answer.exit_code == 1 and "1 of 1 verdicts flip" in answer.stdout
    assert answer.stderr == f"Error: {tmp_path}/file/tables cannot be read or written: Not a directory\n"


def test_runs_without_a_chapter_in_common_are_refused(both):
    other = {"title": "another", "parameters": {"token-cost": {}}, "verdicts": [], "results": {"token-cost": []}}
    (both[1] / "results.json").write_text(json.dumps(other))
    answer = CliRunner().invoke(main, ["compare", *map(str, both)])
    assert answer.exit_code == 1 and not (both[1] / "comparison.json").exists()
    held = "the <first> has llama3-cluster-sizing; another has token-cost"
    assert answer.output == f"Error: no chapter in common: {held}\n"


def test_every_word_of_the_ledger_is_told_with_its_colours():
    heads, words = ("before", "after"), [word for word in claims.VERDICTS if word != claims.NOT_YET]
    html = comparison._table(heads, [(word, "holds") for word in words])
    assert {"adds up", "in part"} <= set(words)
    for word in words:
        assert f'<td class="verdict-cell is-{word.replace(" ", "-")}">{word}</td>' in html
