"""Each page as a reader meets it, by day, by night, on a phone and on paper."""

from __future__ import annotations

import functools

import pytest
from axe_playwright_python.sync_playwright import Axe
from visiting import PAGES, Visit, painted

every_page = pytest.mark.parametrize("page", PAGES)


def move_sliders(tab):
    """Each handle changes value, read-out, title, address and drawing, and stays when the page turns dark."""
    for chart in tab.query_selector_all(".book-chart:has(.book-chart-readout)"):
        part = functools.partial(tab.evaluate, "([c, what]) => c.querySelector(what).textContent")
        said = {what: part([chart, f".book-chart-{what}"]) for what in ("readout", "title", "value")}
        assert all(text.strip() for text in said.values())
        marks = chart.query_selector(".vega-embed svg").inner_html()
        handle = chart.query_selector("input")
        handle.press("Home" if handle.input_value() != "0" else "End")
        tab.wait_for_function(
            "([c, before]) => c.querySelector('.vega-embed svg').innerHTML !== before", arg=[chart, marks]
        )
        after = {what: part([chart, f".book-chart-{what}"]) for what in said}
        assert after["value"] != said["value"] and after["title"] != said["title"]
        assert tab.evaluate(
            "(c) => new URLSearchParams(location.search).get(c.state.key) === String(c.state.values[c.state.place])",
            chart,
        )
        ready = chart.get_attribute("data-ready")
        tab.evaluate("document.documentElement.dataset.theme = 'dark'")
        tab.wait_for_function("([c, n]) => c.dataset.ready !== n", arg=[chart, ready])
        assert {what: part([chart, f".book-chart-{what}"]) for what in said} == after
        assert tab.evaluate("(c) => c.view.signal(c.state.name) === c.state.values[c.state.place]", chart)
        tab.evaluate("document.documentElement.dataset.theme = 'light'")
        tab.evaluate("(c) => c.queue", chart)
        chart.query_selector(".book-chart-reset").click()
        assert {what: part([chart, f".book-chart-{what}"]) for what in said} == said
    assert "?" not in tab.url


CODE_IN_EVERY_MODE = "chapters/llama3-cluster-sizing"


AXE = """async () => {
  const alike = new Map(), behind = new Map([[null, ""]]), words = document.createTreeWalker(document.body, 4);
  const ground = (e) => {
    if (!behind.has(e)) {
      const s = getComputedStyle(e);
      behind.set(e, `${s.backgroundColor} ${s.backgroundImage} ${s.opacity} ${s.position};${ground(e.parentElement)}`);
    }
    return behind.get(e);
  };
  while (words.nextNode()) {
    const e = words.currentNode.parentElement, s = getComputedStyle(e);
    if (!words.currentNode.data.trim() || !e.checkVisibility({ visibilityProperty: true })) { continue; }
    alike.set([e.tagName, s.color, s.fontSize, s.fontWeight, s.textShadow, ground(e)].join(), e);
  }
  for (const e of alike.values()) { e.dataset.weighed = ""; }
  axe.configure({ rules: [{ id: "color-contrast", selector: "[data-weighed]" }] });
  const found = (await axe.run({ resultTypes: ["violations"] })).violations;
  return found.map((rule) => `${rule.id} (${rule.nodes.length}×): ${rule.help}: ${rule.nodes[0].html.slice(0, 300)}`);
}"""


def complaints(tab) -> list[str]:
    """What axe finds wrong, a line for each rule; colours are weighed once for all words that look alike."""
    tab.evaluate(Axe().axe_script)
    return tab.evaluate(AXE)


UNLIKE = """[...document.querySelectorAll('.book-chart')].filter((chart) => {
  const [drawn, picture] = ['.vega-embed svg', 'picture img'].map((part) => chart.querySelector(part));
  const names = [...drawn.querySelectorAll('.role-legend-label text')].map((text) => text.textContent);
  return drawn.clientWidth > Number(picture.getAttribute('width')) + 2 || new Set(names).size < names.length;
}).map((chart) => chart.id)"""
OUTSIDE = """[...document.querySelectorAll('.book-copy')].filter((button) => {
  const [inner, outer] = [button, button.parentElement.querySelector('pre')].map((e) => e.getBoundingClientRect());
  return inner.top < outer.top || inner.bottom > outer.bottom || inner.right > outer.right;
}).map((button) => button.parentElement.textContent)"""


def meet(contexts, address, page, mode):
    """A page with every figure drawn: whole, without a complaint, and with nothing from elsewhere."""
    with Visit(contexts[mode], address, page) as visit:
        tab = visit.draw()
        if mode == "light":
            move_sliders(tab)
        assert visit.outside == []
        assert visit.errors == []
        assert tab.evaluate("document.documentElement.dataset.theme") == ("dark" if mode == "dark" else "light")
        charts = tab.evaluate(
            "[...document.querySelectorAll('.book-chart')].map((c) => [c.dataset.error, c.querySelectorAll("
            "'.book-chart-view svg [role=graphics-symbol]').length > 2 "
            "&& c.querySelector('.vega-embed svg').clientWidth > 200])"
        )
        assert charts == [[None, True]] * len(charts)
        assert tab.evaluate(UNLIKE) == [], "a figure that is touched does not look like its picture"
        assert tab.evaluate(OUTSIDE) == [], "a button lies beside its command"
        wide = tab.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1], "the page scrolls sideways"
        ends = tab.evaluate(
            "['head', 'figure', 'do'].map((part) => [...document.querySelectorAll('.opening-' + part)]"
            ".map((e) => (e.getBoundingClientRect().bottom + scrollY) / innerHeight)).flat()"
        )
        assert len(ends) in (0, 3) and max(ends, default=0) <= 1.5, "the opening is longer than a screen and a half"
        share = tab.evaluate(
            "[...document.querySelectorAll('.ledger')].reduce((sum, e) => sum + e.getBoundingClientRect().height, 0)"
            " / document.querySelector('.bd-article').getBoundingClientRect().height"
        )
        assert share < 0.2, "the ledger takes a fifth of the page"
        if page == CODE_IN_EVERY_MODE:
            tab.click(".code-switch")
            tab.locator(".book-code pre").first.wait_for()
        assert complaints(tab) == []


# A class each, since workers take them one by one


class TestByDay:
    @every_page
    def test_page(self, contexts, address, page):
        meet(contexts, address, page, "light")


class TestByNight:
    @every_page
    def test_page(self, contexts, address, page):
        meet(contexts, address, page, "dark")

    def test_a_pale_word_is_found(self, contexts, address):
        with Visit(contexts["dark"], address, "chapters/scorecard") as visit:
            cell = visit.tab.locator(".scorecard td").nth(7 * 143 + 2)  # a statement
            cell.evaluate("(cell) => { cell.style.color = '#444'; }")
            [told] = complaints(visit.tab)
            assert told.startswith("color-contrast (1×)")


class TestOnAPhone:
    @every_page
    def test_page(self, contexts, address, page):
        meet(contexts, address, page, "phone")

    @every_page
    def test_nothing_scrolls_sideways_on_a_phone(self, contexts, address, page):
        with Visit(contexts["phone"], address, page) as visit:
            visit.tab.wait_for_timeout(100)
            wide = visit.tab.evaluate(
                "[...document.querySelectorAll('.bd-article *')].filter((e) => e.scrollWidth > e.clientWidth + 1"
                " && /auto|scroll/.test(getComputedStyle(e).overflowX)).map((e) => e.outerHTML.slice(0, 200))"
            )
            assert wide == []


LOADED = """(found) => Promise.all(found.map((image) => {
  image.loading = "eager";
  const there = image.complete && image.naturalWidth;
  return there || new Promise((resolve, reject) => { image.onload = resolve; image.onerror = reject; });
}))"""


class TestOnPaper:
    @every_page
    def test_every_figure_is_on_paper(self, contexts, address, page):
        with Visit(contexts["light"], address, page) as visit:
            figures = visit.tab.locator(".book-chart").count()
            if not figures:
                return
            pictures = visit.tab.locator(".book-chart img")
            pictures.evaluate_all(LOADED)  # or some browsers print before they are there
            whole = painted(visit.tab.pdf(format="A4"))
            pictures.evaluate_all("(found) => found.forEach((image) => { image.style.visibility = 'hidden'; })")
            assert whole - painted(visit.tab.pdf(format="A4")) >= 15 * figures
