"""``llm-economics solve``: the value at which a verdict changes, against values known by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from llm_economics.book import claims
from llm_economics.cli import main
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import notebooks, solving
from llm_economics.reruns.notebooks import METADATA

CHAPTER, CLAIM = "llama3-cluster-sizing", "llama3-011"  # between 8,000 and 10,000 cards


def chapter(folder: Path, parameters: str, value: str) -> Path:
    """A folder with one small chapter that computes a number of cards."""
    check = f'from llm_economics.book.claims import check\ncheck("{CLAIM}", {value}, reason="as computed")'
    cells = [
        {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "source": parameters},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": check},
        {"cell_type": "code", "id": "c", "metadata": {}, "source": 'raise RuntimeError("what follows is not needed")'},
    ]
    cells = [{**cell, "outputs": [], "execution_count": None} for cell in cells]
    content = {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    (folder / f"{CHAPTER}.ipynb").write_text(json.dumps(content))
    return folder


def edges() -> tuple[float, float]:
    """The numbers of cards at which the verdict changes, with the tolerance of the ledger."""
    claim = claims.ledger()[CLAIM]
    low, high = min(claim.stated), max(claim.stated)
    cards = [low + (high - low) * k / 2 for k in range(3)]
    assert all(claims.within(claim, value) for value in cards) and not claims.within(claim, high * 1.2)
    return low, high


def test_the_real_chapter_flips_where_the_division_says():
    """6.4 million hours in D days on three times the cards: 8,000 at D = 100."""
    command = [sys.executable, "-m", "llm_economics", "solve", CHAPTER, "--for", "window_days", "--claim", CLAIM]
    command += ["--low", "99", "--high", "102", "--json"]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    (point,) = found["flips"]
    assert point["value"] == pytest.approx(6.4e6 * 3 / (24 * 8000), rel=2e-6)
    assert (point["verdict_below"], point["verdict_above"]) == ("holds if", "fails")
    assert point["from_default"] == pytest.approx(100 / 90 - 1, rel=1e-4)
    assert (found["default"], found["unit"], found["low"], found["high"]) == (90.0, "day", 99, 102)


def test_a_number_is_found_on_both_sides_of_the_default(tmp_path):
    low, high = edges()
    folder = chapter(tmp_path, "mfu: float = 0.4  # share", "9000 * (mfu / 0.4) ** 2")
    found = solving.solve(CHAPTER, "mfu", CLAIM, folder=folder)
    assert [(point.verdict_below, point.verdict_above) for point in found.flips] == [
        ("adds up", "fails"),
        ("fails", "adds up"),
    ]
    for point, cards in zip(found.flips, (high, low), strict=True):
        assert 9000 * (point.value / 0.4) ** 2 == pytest.approx(cards, rel=4e-6)
        assert point.from_default == pytest.approx(point.value / 0.4 - 1)
    assert found.high == 1 and found.low == pytest.approx(4e-4) and found.verdict == "adds up"


def test_whole_numbers_end_at_neighbours(tmp_path):
    low, _ = edges()
    folder = chapter(tmp_path, "batch: int = 100  # sequences", "9000 * 100 / batch")
    found = solving.solve(CHAPTER, "batch", CLAIM, folder=folder)
    first = {point.verdict_above: point.value for point in found.flips}
    assert isinstance(first["fails"], int)
    assert 9000 * 100 / (first["fails"] - 1) >= low > 9000 * 100 / first["fails"]


def test_choices_are_listed_one_by_one(tmp_path):
    cards = '{"bf16": 9000, "fp8": 4500, "fp32": 1 / 0 if weight_format == "fp32" else 0}.get(weight_format, 20000)'
    folder = chapter(tmp_path, 'weight_format: str = "bf16"  # format', cards)
    found = solving.solve(CHAPTER, "weight_format", CLAIM, folder=folder)
    assert found.choices["bf16"] == "adds up" and found.choices["fp8"] == "fails" and found.choices["fp32"] is None
    assert set(found.choices) == set(notebooks.parameter("weight_format").choices) and found.flips == ()
    with pytest.raises(ParameterError, match="weight_format is a choice"):
        solving.solve(CHAPTER, "weight_format", CLAIM, low=1, folder=folder)


def test_never_is_an_answer_with_its_range(tmp_path, monkeypatch):
    folder = chapter(tmp_path, "mfu: float = 0.4  # share", "9000 + mfu")
    found = solving.solve(CHAPTER, "mfu", CLAIM, low=0.1, high=0.9, folder=folder)
    assert found.flips == () and (found.low, found.high) == (0.1, 0.9)
    monkeypatch.setattr(solving, "solve", lambda *_: found)
    answer = CliRunner().invoke(main, ["solve", CHAPTER, "--for", "mfu", "--claim", CLAIM])
    assert answer.exit_code == 0
    assert "never flips between 0.1 and 0.9 fraction" in answer.output


def test_a_value_that_the_chapter_refuses_is_no_side(tmp_path):
    folder = chapter(tmp_path, "mfu: float = 0.4  # share", "9000 if mfu < 0.6 else 1 / 0")
    found = solving.solve(CHAPTER, "mfu", CLAIM, folder=folder)
    assert found.flips == () and found.refused > 0


def test_zero_is_tried_where_it_is_allowed(tmp_path):
    folder = chapter(tmp_path, "wafer_usd: float = 0.0  # price", "9000 if wafer_usd < 3 else 1")
    found = solving.solve(CHAPTER, "wafer_usd", CLAIM, high=1000, folder=folder)
    (point,) = found.flips
    assert point.value == pytest.approx(3, rel=2e-6) and found.low == 0 and point.from_default is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["llama3-cluster", "--for", "mfu", "--claim", CLAIM], "no chapter 'llama3-cluster'; nearest: " + CHAPTER),
        ([CHAPTER, "--for", "mfuu", "--claim", CLAIM], f"{CHAPTER} has no parameter 'mfuu'; nearest: mfu"),
        ([CHAPTER, "--for", "mfu", "--claim", "llama3-11"], "no claim 'llama3-11'; nearest: llama3-011"),
        ([CHAPTER, "--for", "mfu", "--claim", "cost-001"], f"cost-001 is answered in token-cost, not in {CHAPTER}"),
        ([CHAPTER, "--for", "mfu", "--claim", CLAIM, "--low", "-1"], "mfu = -1.0 is not allowed: it must be above 0"),
        ([CHAPTER, "--for", "mfu", "--claim", CLAIM, "--high", "nan"], "mfu = nan is not allowed"),
        ([CHAPTER, "--for", "mfu", "--claim", CLAIM, "--low", "0.5", "--high", "0.4"], "mfu: the range from"),
        (["kv-cache", "--for", "batch", "--claim", "serve-045", "--low", "1.5"], "batch = '1.5' is not allowed: "),
    ],
)  # fmt: skip
def test_refused_in_one_line(arguments, message):
    answer = CliRunner().invoke(main, ["solve", *arguments])
    assert answer.exit_code != 0
    assert answer.output.startswith(f"Error: {message}") and len(answer.output.splitlines()) == 1
