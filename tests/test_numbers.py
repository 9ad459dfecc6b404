"""What stands behind a number in the text: its computation, the assumptions and facts that it hangs on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from docutils import nodes

from llm_economics import facts
from llm_economics.book import tracing
from llm_economics.site import numbers

ROOT = Path(__file__).parents[1]
CHAPTERS = [path for path in sorted((ROOT / "chapters").glob("*.ipynb")) if path.stem != "contradictions"]
"""All but the one whose names of results only running it gives."""
CODE = """
fact = partial(facts.fact, "token_costs")
speed = fact("lambda_8x_a100_80gb", "USD/hour")
def cost(batch, used=utilisation):
    speed = batch * used
    return speed
first = cost(price)
speed = 3
record("first_cost", first, "USD/Mtoken")
record("plain", speed + 1, "x")
for size in sizes:
    record(f"cost_{size}", cost(size) * mfu, "USD")
"""


def cells(code: str = CODE) -> list[dict]:
    given = "price: float = 2.0  # a price [USD]\nutilisation: float = 1.0  # share\nmfu: float = 0.4  # share"
    return [
        {"cell_type": "markdown", "source": "# not code", "metadata": {}},
        {"cell_type": "code", "source": given, "metadata": {"tags": ["parameters"]}},
        {"cell_type": "code", "source": "%matplotlib is no Python", "metadata": {}},
        {"cell_type": "code", "source": code.splitlines(keepends=True), "metadata": {}},
    ]


def test_a_note_names_what_a_record_hangs_on_and_nothing_else():
    chapter = tracing.read(cells())
    first = numbers.note(chapter, "first_cost", 7.135, "USD/Mtoken", "two cards")
    assert first["formula"] == "first = cost(price)" and first["inputs"] == ["price", "utilisation"]
    assert first["value"] == "7.135 USD/Mtoken" and first["says"] == "two cards"
    assert numbers.note(chapter, "plain", 4, "x", "")["inputs"] == []
    assert numbers.note(chapter, "cost_8", 4, "USD", "")["inputs"] == ["mfu", "utilisation"]
    assert "formula" not in numbers.note(chapter, "unknown", 1.0, "x", "")


def test_a_fact_brings_its_source_date_and_confidence():
    code = 'record("price", facts.fact("token_costs", "lambda_8x_a100_80gb", "USD/hour") / 8, "USD/hour")'
    (source,) = numbers.note(tracing.read(cells(code)), "price", 1.79, "USD/hour", "")["sources"]
    assert source == "lambda 8x a100 80gb: SkyPilot catalog, 2024, primary"


@pytest.mark.parametrize(
    ("value", "unit", "form"),
    [
        (148.527, "USD/Mtoken", "$149"),
        (0.203347, "fraction", "20.3%"),
        (2962.96, "GPU", "2,960"),
        (343.597e9, "parameter", "344 billion"),
    ],
)
def test_a_value_is_found_as_the_book_prints_it(value, unit, form):
    assert form in numbers.printed(value, unit)


@pytest.mark.parametrize(("value", "unit"), [(8, "GPU"), (30.0, "x"), (True, "x"), ("text", "text"), (None, "")])
def test_numbers_that_could_be_any_are_left_alone(value, unit):
    assert numbers.printed(value, unit) == set()


def test_only_numbers_of_one_record_in_a_sentence_are_marked():
    title, text = (
        nodes.title("", "of 149.5"),
        nodes.paragraph("", "", nodes.Text("It costs $149, not $1,490 or 149.5: 20.3% of 7.14.")),
    )
    text += nodes.literal("", "$149")
    document = nodes.Element("", title, text)
    used = numbers.mark(document, [{"$149"}, {"20.3%"}, {"7.14"}, {"7.14"}])
    assert used == {0, 1}
    assert [node.astext() for node in text.findall(nodes.raw)] == [numbers.noted("$149", 0), numbers.noted("20.3%", 1)]
    assert 'data-note="0"' in numbers.noted("<b>", 0) and "<b>" not in numbers.noted("<b>", 0)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_can_be_read(path):
    found = json.loads(path.read_text())["cells"]
    chapter = tracing.read(found)
    names = [
        output["data"]["application/vnd.llm-economics.result+json"]["name"]
        for cell in found
        for output in cell.get("outputs", ())
        if "application/vnd.llm-economics.result+json" in output.get("data", {})
    ]
    assert [name for name in names if not numbers.note(chapter, name, 1.0, "", "").get("formula")] == []


def test_a_source_is_told_with_date_and_confidence():
    """By its title or else its address; a shorter name finds its row, and of several rows the table tells how sure."""
    told = numbers._source("hardware", "A100 40GB")
    row = facts.load("hardware").set_index("chip").loc["A100 SXM 40GB"]
    assert told == f"A100 40GB: {row.source_title or row.source_url}, {row.date}, {row.confidence}"
    assert numbers._source("hardware", "H100") == "data/hardware.csv (primary, secondary)"
    assert numbers._source("nothing", "at all") == "data/nothing.csv"
