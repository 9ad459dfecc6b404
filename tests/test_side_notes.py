"""Side notes: caveats and sources stand in the margin where there is room, and in the text where there is none."""

import pytest
from browsing import chromium, serving
from bs4 import BeautifulSoup
from docutils import nodes
from visiting import Visit, built, parse

from llm_economics.site import beside

CITED = "chapters/cerebras-sram"
"""A page with sources, and with caveats of both kinds."""


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def address():
    with serving(built()) as found:
        yield found


def paragraph(*parts: str) -> nodes.paragraph:
    """A paragraph of texts; one that begins with ``>`` is cited, and brings its entry along."""
    made = nodes.paragraph()
    for part in parts:
        if part.startswith(">"):
            name = part[1:]
            target = {
                "refuri": f"references.html#{name}",
                "reftitle": f"{name}. A title. URL: https://example.org/{name}",
            }
            made += nodes.reference("", name, **target)
        else:
            made += nodes.Text(part)
    return made


def shown(made: nodes.paragraph) -> list[tuple[str, str]]:
    """Kind and text of what stands beside, in its order."""
    kinds = [(node.get("classes", []), node.astext()) for node in made.findall(nodes.Element)]
    return [("caveat", text) for classes, text in kinds if "side-caveat" in classes] + [
        ("source", BeautifulSoup(node.astext(), "html.parser").get_text().strip())
        for node in made.findall(nodes.raw)
        if node.get("side_source")
    ]


@pytest.mark.parametrize(
    ("text", "caveats"),
    [
        ("It runs at 3.5 (secondary), ours at 8.", ["(secondary)"]),
        (
            "It runs. (The width behind these is our own inference.) It stops.",
            ["(The width behind these is our own inference.)"],
        ),
        (
            "It runs. (It has eight cards (of 40 GB) and a host.) It stops.",
            ["(It has eight cards (of 40 GB) and a host.)"],
        ),
        ("It runs on cards (of 40 GB) and stops (see there).", []),
        ("A bracket ( that nobody closes, unverified.", []),
        ("Two (unverified) at once (an estimate).", ["(unverified)", "(an estimate)"]),
    ],
)
def test_brackets_that_are_caveats_are_told_from_others(text, caveats):
    made = paragraph(text)
    made.children = list(beside._with_caveats(made))
    assert [said for _, said in shown(made)] == caveats
    assert made.astext() == text


def test_a_source_is_told_once_behind_its_bracket():
    told: set[str] = set()
    first, second = paragraph("As [", ">A", ", ", ">B", "] say."), paragraph("As [", ">A", "] says.")
    for made in (first, second):
        beside._tell_sources(made, told)
    assert shown(first) == [("source", "A. A title."), ("source", "B. A title.")]
    assert [type(node).__name__ for node in first.children] == [
        "Text",
        "reference",
        "Text",
        "reference",
        "Text",
        "raw",
        "raw",
        "Text",
    ]
    assert shown(second) == []
    assert not any(node.get("reftitle") for made in (first, second) for node in made.findall(nodes.reference))


JOINT = "Ann B. Lee, Bo Xu, and Cy D. Wu. The title, and more. A journal, 2023."


@pytest.mark.parametrize(
    ("entry", "short"),
    [
        (r"Maker. Cards reach \$2/hour. Blog, 2026.", "Maker. Cards reach $2/hour. Blog, 2026."),
        (f"{JOINT} URL: https://a.example/b.", "Ann B. Lee et al. The title, and more. A journal, 2023."),
        ("Ann Lee and Bo Xu. One, two, and three. 2023.", "Ann Lee and Bo Xu. One, two, and three. 2023."),
        ("Maker. Chips, cards, and racks. Blog, 2024.", "Maker. Chips, cards, and racks. Blog, 2024."),
    ],
)
def test_an_entry_is_short_and_loses_no_title(entry, short):
    assert beside._short(entry) == short


def test_a_page_tells_each_source_that_its_text_cites():
    article = parse(built() / f"{CITED}.html").article
    links = [link for link in article.select("p a[href*='references.html#']") if not link.find_parent(class_="ledger")]
    assert len(article.select(".side-source")) == len({link["href"] for link in links}) > 10
    assert all(note.get_text(strip=True) for note in article.select(".side-note"))
    assert sum(len(str(note)) for note in article.select(".side-note")) < 9_000


WHERE = """[...document.querySelectorAll('.side-note')].map((note) => {
  const [text, place] = [note.closest('p'), note].map((one) => one.getBoundingClientRect());
  return [note.classList.contains('side-source'), place.width, place.left >= text.right, place.right];
})"""
MET = """(() => {
  const box = (one) => one.getBoundingClientRect();
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const notes = [...document.querySelectorAll('.side-note')];
  const others = [...document.querySelectorAll('.bd-article :is(table, figure, pre, h2, h3, .math-block, .side-note)')];
  const lies = (note) => others.some((one) => one !== note && meet(box(note), box(one)));
  return notes.filter(lies).map((note) => note.innerText);
})()"""
A4 = 672  # pixels between the margins of @page


@pytest.mark.parametrize("width", [1100, 1280, 1680])
def test_notes_stand_in_the_margin_where_there_is_room(browser, address, width):
    context = browser.new_context(viewport={"width": width, "height": 900})
    with Visit(context, address, CITED) as visit:
        found = visit.tab.evaluate(WHERE)
        assert len(found) > 20 and {source for source, *_ in found} == {True, False}
        assert all(wide > 150 and beside_text and right <= width for _, wide, beside_text, right in found)
        assert visit.tab.evaluate(MET) == [], "a note lies on something"
        visit.tab.set_viewport_size({"width": A4, "height": 987})
        visit.tab.emulate_media(media="print")
        printed = visit.tab.evaluate(WHERE)
        assert len(printed) == len(found)
        assert all(wide > 150 and beside_text and right <= A4 for _, wide, beside_text, right in printed)
        assert visit.tab.evaluate(MET) == [], "a note lies on something on paper"
    context.close()


def test_on_a_phone_a_caveat_stays_in_its_sentence_and_a_source_comes_with_a_touch(browser, address):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    with Visit(context, address, CITED) as visit:
        tab = visit.tab
        assert all(wide == 0 if source else wide > 0 for source, wide, *_ in tab.evaluate(WHERE))
        assert tab.locator(".side-caveat").first.inner_text().startswith("(")
        link = tab.locator(".bd-article a[href*='references.html#']").first
        link.tap()
        tab.locator(".book-note").wait_for()
        assert tab.locator(".book-note").inner_text().strip() and CITED in tab.url
        link.tap()
        tab.wait_for_url("**/references.html#*")
    context.close()
