"""The openings of the chapters: each says what its chapter has recorded and judged, whole and computed."""

import ast
import json
import re
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.utils import new_document

from llm_economics.book import claims, openings
from llm_economics.cli.service import Known
from llm_economics.facts import ROOT
from llm_economics.facts.units import show, usd
from llm_economics.formulas import questions, training_run
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import notebooks
from llm_economics.site import answering
from llm_economics.site.openings import raise_opening

FOUND = openings.openings() | openings.openings(ROOT)  # the landing page stands in the root
CLASSES = ["who", "claim", "number", "says", "condition", "do", "flips", "trust"]
chapters = pytest.mark.parametrize("chapter", FOUND)


def cells(chapter: str) -> list[dict]:
    path: Path = ROOT / (f"{chapter}.ipynb" if chapter == "index" else f"chapters/{chapter}.ipynb")
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


@chapters
def test_its_number_is_a_recorded_result_and_its_badges_are_verdicts_of_the_chapter(chapter):
    row, verdicts = FOUND[chapter], claims.verdicts()
    recorded = claims.results(ROOT if chapter == "index" else None)[chapter]
    assert row["value"] == recorded[row["result"]]["value"]
    assert 1 <= len(row["conditions"]) <= 3
    assert bool(row["conditions"][0]["claim"]) == any(row["chapter"] == chapter for row in verdicts.values())
    for part in filter(lambda part: part["claim"], row["conditions"]):
        assert verdicts[part["claim"]]["verdict"] == part["verdict"]
        assert verdicts[part["claim"]]["chapter"] == chapter


@chapters
def test_it_is_whole_and_says_its_decisions_with_numbers(chapter):
    row = FOUND[chapter]
    made = openings.Opening(**row)
    for name in CLASSES:
        assert f'class="opening-{name}"' in made.head() + made.foot()
    assert made.head().count("verdict-badge") == sum(bool(part["claim"]) for part in row["conditions"])
    assert re.search(r"\d", row["number"]) and 1 <= len(row["do"]) <= 3
    assert all(re.search(r"\d|never|no number|nothing", line) for line in row["do"]), row["do"]
    assert sum(map(len, [row["says"], *row["do"], row["flips"], row["trust"]])) < 1150


@chapters
def test_its_decisions_are_computed(chapter):
    """No number in its sentences is typed, but for names such as H100 or 70B, and dates."""
    (cell,) = [
        cell for cell in cells(chapter) if any(openings.OPENING_MIME in o.get("data", {}) for o in cell["outputs"])
    ]
    calls = (node for node in ast.walk(ast.parse("".join(cell["source"]))) if isinstance(node, ast.Call))
    (call,) = (node for node in calls if getattr(node.func, "id", "") == "opening")
    for keyword in call.keywords:
        if keyword.arg in ("says", "conditions", "do", "flips"):
            plain = re.sub(r"(?:19|20)\d\d|(GPT-|LLaMA[- ]|Llama )[\d.]+", "", " ".join(typed(keyword.value)))
            assert not re.findall(r"(?<![\w.-])\d[\d.,]*(?=[\s%.,;:)×]|$)", plain), keyword.arg


def typed(node: ast.AST) -> list[str]:
    """The text that a call spells out, without the braces of its f-strings and the keys of its dictionaries."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    parts = node.values if isinstance(node, (ast.Dict, ast.JoinedStr)) else ast.iter_child_nodes(node)
    return [text for part in parts if not isinstance(part, ast.FormattedValue) for text in typed(part)]


@chapters
def test_one_figure_goes_with_it(chapter):
    tagged = [cell for cell in cells(chapter) if "opening" in cell["metadata"].get("tags", [])]
    charts = [o for cell in tagged for o in cell["outputs"] if "image/svg+xml" in o.get("data", {})]
    assert len(charts) == 1 and sum(len(cell["outputs"]) for cell in tagged) == 2


# --- the reader's own case

ASKED = {chapter: row["own"] for chapter, row in FOUND.items() if row.get("own")}
ASKED |= {f"{path.stem}, below": own for path in notebooks.chapters().values() if (own := answering.own_price(path))}


def asked(address: str) -> dict[str, str]:
    page, _, query = address.partition("?")
    assert page in ("calculator.html", "chapters/calculator.html")
    return dict(parse_qsl(query, strict_parsing=True, keep_blank_values=True))


@pytest.mark.parametrize("address", ASKED.values(), ids=ASKED)
def test_the_calculator_takes_every_field_of_the_link_and_answers(address):
    values = asked(address)
    form = BeautifulSoup(answering.form(), "html.parser").select_one(f"form[data-what={values.pop('tab')}]")
    for name, value in values.items():
        (field,) = form.select(f"[name={name}]")
        assert field.name == "input" or value in [o.get("value", o.text) for o in field.select("option")], (name, value)
    usual = {field["name"]: field.get("value", "") for field in form.select("input[name]")}
    usual |= {field["name"]: (field.select_one("[selected]") or field.option) for field in form.select("select[name]")}
    usual = {name: value if isinstance(value, str) else value.get("value", value.text) for name, value in usual.items()}
    options = {name: number(value) for name, value in (usual | values).items() if value}
    if form["data-what"] == "run":
        assert training_run.answer(Known(), **options)["found"]
        return
    price = options.pop("usd_per_hour", None)
    found = questions.service(
        options.pop("model"), (options.pop("system"),), Known(), **options, prices=() if price is None else (price,)
    )
    assert [row for row in found.get("rows", [found]) if row["tokens_per_s_per_user"]]


def number(text: str) -> float | str:
    """What the form makes of an entry; text that is none as it is."""
    found = re.fullmatch(r"([\d.]+(?:e[+-]?\d+)?)([BT]?)", text)
    return float(found[1]) * {"": 1, "B": 1e9, "T": 1e12}[found[2]] if found else text


@pytest.mark.parametrize("chapter", [chapter for chapter, row in FOUND.items() if "tab=service" in row.get("own", "")])
def test_what_it_says_of_today_is_what_the_calculator_answers(chapter):
    values = asked(FOUND[chapter]["own"])
    options = {name: float(values[name]) for name in ("concurrency", "prompt", "output", "cached_share")}
    found = questions.service(values["model"], (values["system"],), Known(), **options)
    (line,) = [line for line in FOUND[chapter]["do"] if line.startswith("**Today**")]
    assert f"**{show(found['tokens_per_s_per_user'])} tokens/s**" in line
    assert f"**{usd(found['usd_per_million_tokens']['output'])}** out" in line


def test_every_argument_and_the_landing_page_lead_to_the_calculator():
    arguments = {row["chapter"] for row in claims.scorecard()} | {"index"}
    assert {chapter for chapter, row in FOUND.items() if row.get("own")} >= arguments


def said(**changes):
    texts = dict.fromkeys(("who", "claim", "says", "flips", "trust"), "said <1>")
    given = {"result": "made", "number": str, "conditions": {"cost-024": "by count"}, "do": ["**do** it"]}
    openings.opening(**{**texts, **given, **changes})


def test_it_quotes_only_what_was_shown(monkeypatch):
    shown = []
    monkeypatch.setattr(claims, "_show", shown.append)
    monkeypatch.setattr(claims, "SHOWN", {})
    for missing in ("result = 'made'", "claim = 'cost-024'"):
        with pytest.raises(ParameterError, match=missing):
            said()
        claims.record("made", 3, "x")
    claims.check("cost-024", reason="No count exists.")
    said()
    made = shown[-1]
    judged = [{"claim": "cost-024", "verdict": shown[-2].verdict, "condition": "by count"}]
    assert (made.value, made.number, made.conditions) == (3, "3", judged)
    assert (
        "<strong>do</strong>" in made.foot() and "said &lt;1&gt;" in made.head() and 'href="#cost-024"' in made.head()
    )
    for changes in ({"flips": " "}, {"do": []}, {"do": [""]}, {"conditions": {}}):
        with pytest.raises(ParameterError, match="opening"):
            said(**changes)


def test_knife_edges_are_ranges():
    assert [openings.whole(x) for x in (12.9985, 13.001, 13.5, 1234.5, 0)] == [
        "12 to 13",
        "12 to 13",
        "13",
        "1,228 to 1,240",
        "0",
    ]


def rerun(chapter: str, **values) -> openings.Opening:
    """The opening that a chapter has under other assumptions."""
    seen: list = []
    notebooks.evaluate(ROOT / f"chapters/{chapter}.ipynb", values, until=seen.append)
    return next(thing for thing in seen if isinstance(thing, openings.Opening))


@pytest.mark.parametrize(
    ("chapter", "values", "said"),
    [
        ("own-or-rent", {"h100_usd_per_hour": 12.0}, ["calling the API never at $12", "hours, more than there are"]),
        ("bandwidth-wall", {"tokens_per_word": 2.0}, ["above it one user gets less than 33.3", "(here 2)"]),
        ("speculative-decoding", {"acceptance": 0.95}, ["1.29 to 1.77 times", "from a batch of **1** to **1248**."]),
        ("token-cost", {"utilisation": 0.02}, ["no batch that fits"]),
    ],
)
def test_other_assumptions_rewrite_it(chapter, values, said):
    made = rerun(chapter, **values)
    text = " ".join([made.number, made.says, *made.do, made.flips, *(part["condition"] for part in made.conditions)])
    for words in said:
        assert words in text, text


def test_the_page_shows_it_first():
    document = new_document("chapter")
    section = nodes.section("", nodes.title("", "Title"), nodes.paragraph("", "first"))
    shown = [nodes.raw("", part, format="html", opening=True) for part in ("head", "foot")]
    figure, last = (nodes.container(classes=["cell", "tag_opening"]) for _ in range(2))
    figure += [nodes.container("", nodes.raw("", "code", format="html"), classes=["cell_input"])]
    figure += [nodes.container("", nodes.raw("", "chart", format="html"), classes=["cell_output"])]
    last += nodes.container("", nodes.container("", *shown), classes=["cell_output"])
    section += [figure, nodes.paragraph("", "last"), last]
    document += section
    raise_opening(None, document)
    assert [part.astext() for part in document.findall(nodes.Text)] == [
        "Title",
        "head",
        "chart",
        "foot",
        "first",
        "code",
        "last",
    ]
    assert last not in document.findall(nodes.container)
