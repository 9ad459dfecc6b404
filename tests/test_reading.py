"""What a reader does with pages: moves, points, saves, searches, prints, sends an address."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from browsing import serving
from PIL import Image
from visiting import MOVED, PAGES, Visit, moved_figure, parse

from llm_economics.book import claims


def figure_of_lines(visit):
    return visit.tab.locator(".book-chart:has([id$=handle]):has-text('key-value heads')").last


FITS = """(figure) => {
    const view = figure.querySelector(".book-chart-view");
    return Math.abs(view.querySelector("svg").getBoundingClientRect().width - view.clientWidth) < 3;
}"""


def test_vega_waits_for_a_touch_and_the_handle_does_not(contexts, address):
    with Visit(contexts["light"], address, MOVED) as visit:
        asked = []
        visit.tab.on("request", lambda request: asked.append(request.url))
        figure = moved_figure(visit)
        figure.scroll_into_view_if_needed()
        assert not [url for url in asked if "vega" in url or "/pages/" in url]
        before = figure.locator(".book-chart-readout").text_content()
        visit.tab.route("**/vega/*", lambda route: None)  # even if Vega never comes
        figure.locator("input").focus()
        figure.locator("input").press("Home")
        assert figure.locator(".book-chart-readout").text_content() != before
        assert figure.locator("picture").is_visible()


def test_an_address_brings_back_what_was_moved(contexts, address):
    with Visit(contexts["light"], address, MOVED) as visit:
        figure = moved_figure(visit)
        figure.locator("input").press("Home")
        figure.locator("input").press("ArrowRight")
        said = figure.locator(".book-chart-readout").text_content(), figure.locator(".book-chart-value").text_content()
        url = visit.tab.url
        assert "?" in url
        with Visit(contexts["phone"], address, url.removeprefix(f"{address}/")) as other:
            figure = moved_figure(other)
            assert (
                figure.locator(".book-chart-readout").text_content(),
                figure.locator(".book-chart-value").text_content(),
            ) == said
            assert other.tab.locator(".book-notice").count() == 0 and other.errors == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("kv_heads=1e9", "kv_heads = 1e9"),
        ("kv_heads=NaN", "kv_heads = NaN"),
        ("kv_heads=", "kv_heads = "),
        ("nonsense=1", "names nonsense"),
        ("kv_heads=%3Cimg%20src%3Dx%20onerror%3D%22window.bad%3D1%22%3E", "kv_heads = <img src=x"),
        ("%3Cscript%3Ewindow.bad%3D1%3C%2Fscript%3E=1", "names <script>"),
    ],
)
def test_nonsense_in_an_address_gets_one_line(contexts, address, query, said):
    with Visit(contexts["light"], address, f"{MOVED}.html?{query}") as visit:
        notice = visit.tab.locator(".book-notice")
        assert said in notice.text_content() and notice.locator("*").count() == 0
        state = moved_figure(visit).evaluate("(c) => c.state.place === c.state.start")
        assert state and visit.tab.evaluate("window.bad") is None and visit.errors == []


def test_a_figure_follows_the_width_of_its_column(contexts, address):
    with Visit(contexts["light"], address, MOVED) as visit:
        figure = moved_figure(visit)
        for width in (1280, 800, 500, 1280):
            visit.tab.set_viewport_size({"width": width, "height": 900})
            figure.evaluate("(c) => window.bookTouch(c)")
            visit.tab.wait_for_function(FITS, arg=figure.element_handle(), timeout=5000)
        alone = figure.locator("svg").bounding_box()["width"]
        visit.tab.click(".primary-toggle")  # the pages of the book come beside the text
        visit.tab.wait_for_function(
            "([c, w]) => c.querySelector('svg').getBoundingClientRect().width < w",
            arg=[figure.element_handle(), alone - 50],
        )
        visit.tab.wait_for_function(FITS, arg=figure.element_handle(), timeout=5000)


def test_a_line_answers_a_pointer_that_is_only_near(contexts, address):
    with Visit(contexts["light"], address, MOVED) as visit:
        figure = figure_of_lines(visit)
        figure.evaluate("(c) => window.bookTouch(c)")
        figure.scroll_into_view_if_needed()
        box = figure.locator(".book-chart-view svg").bounding_box()
        visit.tab.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.6 * box["height"])
        visit.tab.mouse.move(box["x"] + 0.52 * box["width"], box["y"] + 0.6 * box["height"])
        tip = visit.tab.locator("#vg-tooltip-element")
        tip.wait_for(state="visible", timeout=3000)
        said = tip.text_content()
        assert "sequences that fit" in said and "tokens of context" in said and "undefined" not in said
        assert figure.locator(".book-ring").count() == 1


@pytest.mark.parametrize("kind", ["csv", "svg", "png"])
def test_what_a_figure_shows_can_be_saved(contexts, address, site, kind):
    with Visit(contexts["light"], address, MOVED) as visit:
        figure = figure_of_lines(visit)
        figure.locator("input").press("Home")
        with visit.tab.expect_download() as download:
            figure.locator(f"[data-save={kind}]").click()
        assert download.value.suggested_filename == f"{MOVED.rsplit('/', 1)[-1]}-{figure.get_attribute('id')}.{kind}"
        saved = Path(download.value.path()).read_bytes()
        if kind == "png":
            with Image.open(io.BytesIO(saved)) as picture:
                assert picture.width > 600 and len(picture.getcolors(10**7)) > 20
        elif kind == "svg":
            assert figure.locator(".book-chart-readout").text_content() in saved.decode() and saved.count(b"<path") > 5
        else:
            rows = list(csv.DictReader(io.StringIO(saved.decode())))
            first = figure.evaluate("(c) => String(c.state.values[0])")
            assert {row["kv_heads"] for row in rows} == {first, ""}  # lines of reference have none


def test_code_is_off_until_it_is_switched_on_and_stays_on(browser, address):
    context = browser.new_context()
    with Visit(context, address, MOVED) as visit:
        assert visit.tab.locator(".book-code pre").count() == 0
        visit.tab.click(".code-switch")
        visit.tab.locator(".book-code pre").first.wait_for(timeout=3000)
        assert visit.tab.locator(".code-switch").get_attribute("aria-pressed") == "true"
    with Visit(context, address, "chapters/token-cost") as visit:
        visit.tab.locator(".book-code pre").first.wait_for(timeout=3000)
        visit.tab.click(".code-switch")
        visit.tab.wait_for_function("document.querySelectorAll('.book-code pre').length === 0")
    context.close()


def test_the_site_works_in_a_folder_and_from_plain_files(contexts, site, tmp_path):
    (tmp_path / "book").symlink_to(site)
    with serving(tmp_path) as address, Visit(contexts["light"], f"{address}/book", MOVED) as visit:
        moved_figure(visit).locator("input").press("Home")
        moved_figure(visit).locator("svg").wait_for(timeout=10_000)
        assert visit.errors == [] and visit.outside == []
    with Visit(contexts["light"], f"file://{site}", MOVED) as visit:
        moved_figure(visit).locator("input").press("Home")
        moved_figure(visit).locator("svg").wait_for(timeout=10_000)
        visit.tab.click(".code-switch")
        visit.tab.locator(".book-code pre").first.wait_for(timeout=3000)
        assert visit.errors == []


def test_phone_menu_opens_and_leads_on(contexts, address):
    with Visit(contexts["phone"], address, "index") as visit:
        link = visit.tab.locator(f".bd-links a[href='{PAGES[1]}.html']")
        assert not link.is_visible()
        visit.tab.click(".primary-toggle")
        link.wait_for(state="visible", timeout=3_000)
        link.click()
        visit.tab.wait_for_url(f"**/{PAGES[1]}.html")
        assert visit.errors == []


@pytest.mark.parametrize("mode", ["light", "phone"])
def test_one_way_to_search_and_it_finds(contexts, address, mode):
    with Visit(contexts[mode], address, "index") as visit:
        buttons = visit.tab.locator(".search-button__button:visible, .bd-article-container form.bd-search:visible")
        assert buttons.count() == 1
        buttons.first.click()
        field = visit.tab.locator("input[type=search]:visible")
        field.fill("training")
        field.press("Enter")
        visit.tab.wait_for_url("**/search.html?q=training*")
        visit.tab.locator("#search-results li a").first.wait_for(timeout=5_000)
        assert visit.outside == [] and visit.errors == []


def test_a_guess_comes_before_the_answer(contexts, address):
    with Visit(contexts["light"], address, "chapters/how-good-is-the-napkin") as visit:
        figure = visit.tab.locator(".book-chart.is-guessing")
        title, view = figure.locator(".book-chart-title"), figure.locator(".book-chart-view")
        assert not title.is_visible() and not view.is_visible()
        figure.locator("input").press("Home")
        figure.locator(".book-chart-guess button").click()
        asked = visit.tab.locator(".book-chart:has(.is-mine)")
        assert asked.locator(".book-chart-title").is_visible() and asked.locator(".book-chart-view").is_visible()
        assert visit.errors == []
    with Visit(contexts["light"], address, "chapters/how-good-is-the-napkin.html?mfu-2=15") as visit:
        assert visit.tab.locator(".book-chart.is-guessing").count() == 0


def test_a_text_runs_at_the_speed_of_the_handle(contexts, address):
    with Visit(contexts["light"], address, "chapters/bandwidth-wall") as visit:
        place = visit.tab.locator(".book-chart-pace")
        place.locator("button").click()
        visit.tab.wait_for_function("document.querySelector('.book-chart-pace span').textContent.split(' ').length > 3")
        assert place.locator("button").text_content() == "Stop" and visit.errors == []


def test_terms_and_sources_are_told_beside_their_links(contexts, address, site):
    with Visit(contexts["light"], address, "chapters/token-cost") as visit:
        note = visit.tab.locator(".book-note")
        for part, word in (("glossary.html#term-Roofline", "bound"), ("references.html#", "2024")):
            link = visit.tab.locator(f".bd-article p a[href*='{part}']").first
            link.focus()
            note.wait_for(state="visible", timeout=3000)
            assert word in note.text_content() and len(note.text_content()) > 40
            link.press("Escape")
            assert not note.is_visible()
        assert visit.outside == [] and visit.errors == []
    told = json.loads((site / "_static" / "told.js").read_text().removeprefix("window.bookWords = ").rstrip(";\n"))
    linked = {a["href"] for page in PAGES[1:] for a in parse(site / f"{page}.html").select("article a[href]")}
    wanted = {href for href in linked if re.match(r"(references\.html#id|glossary\.html#term-)", href)}
    assert len(wanted) > 200 and wanted <= set(told) and all(told.values())


def test_the_scorecards_table_fits_its_column(contexts, address):
    with Visit(contexts["light"], address, "chapters/scorecard") as visit:
        box = visit.tab.locator("table.scorecard").evaluate("(t) => [t.offsetWidth, t.parentElement.clientWidth]")
        assert box[0] <= box[1]


MEET = """([covering, covered]) => [...document.querySelectorAll(covering)].flatMap(function (one) {
    const [a, text] = [one.getBoundingClientRect(), document.createRange()];
    return [...document.querySelectorAll(covered)].filter(function (other) {
        text.selectNodeContents(other);
        const box = other.getBoundingClientRect();
        return !one.contains(other) && a.width && [...text.getClientRects()].some((b) => b.bottom < box.bottom + 2 &&
            a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom);
    }).map((other) => `${one.textContent} | ${other.textContent}`.slice(0, 90));
})"""


@pytest.mark.parametrize("mode", ["light", "phone"])
def test_badges_and_buttons_cover_no_words(contexts, address, mode):
    with Visit(contexts[mode], address, "chapters/how-it-aged") as visit:
        assert visit.tab.locator(".book-copy").count() == 2
        assert visit.tab.evaluate(MEET, [".ledger .verdict-badge", ".verdict-statement"]) == []
        assert visit.tab.evaluate(MEET, [".book-copy", ".bd-article p, .bd-article pre"]) == []
        cut = "(all) => all.filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent)"
        assert visit.tab.locator(".ledger :is(.verdict-apart, .verdict-badge):visible").evaluate_all(cut) == []


def test_what_belongs_together_stands_in_one_line(contexts, address):
    middle = "(all) => all.map((e) => e.getBoundingClientRect()).map((box) => (box.top + box.bottom) / 2)"
    with Visit(contexts["phone"], address, "chapters/how-it-aged") as visit:
        handles, values = (
            visit.tab.locator(f".book-chart-controls {part}").evaluate_all(middle) for part in ("input", "output")
        )
        assert len(handles) == 2 and max(abs(a - b) for a, b in zip(handles, values, strict=True)) < 12
    with Visit(contexts["light"], address, "chapters/scorecard") as visit:
        labels, fields = (
            visit.tab.locator(f".scorecard-filters {part}").evaluate_all(middle)
            for part in ("label", ":is(select, input)")
        )
        assert len(labels) == 4 and max(abs(a - b) for a, b in zip(labels, fields, strict=True)) < 6


def test_a_number_says_where_it_comes_from(contexts, address):
    with Visit(contexts["light"], address, "chapters/token-cost") as visit:
        number = visit.tab.locator(".noted", has_text="$37.50").first
        number.focus()
        note = visit.tab.locator(".book-note")
        note.wait_for(state="visible", timeout=3000)
        said = note.text_content()
        assert "blended_price" in said and "Input tokens for each output token (3.0" in said and "api_prices" in said
        number.press("Escape")
        assert not note.is_visible()


def test_the_command_follows_what_a_reader_sets(contexts, address):
    with Visit(contexts["light"], address, "chapters/token-cost.html?batch=8") as visit:
        command = visit.tab.locator(".book-rerun pre")
        assert command.text_content() == "llm-economics run token-cost -p batch=8"
        visit.tab.click(".book-rerun summary")
        visit.tab.fill(".book-values input >> nth=0", "a b'c")
        assert "-p a100_list_usd_per_hour='a b'\\''c'" in command.text_content() and "batch=8" in visit.tab.url
        assert visit.tab.locator(".book-notice").count() == 0


def test_the_command_follows_the_handles_of_figures(contexts, address):
    with Visit(contexts["light"], address, "chapters/bandwidth-wall") as visit:
        moved_figure(visit).locator("input").press("Home")
        command = visit.tab.locator(".book-rerun pre").text_content()
        assert command == "llm-economics run bandwidth-wall -p dense_parameters=50000000000"
    with Visit(contexts["light"], address, "chapters/llama3-cluster-sizing.html?days=45") as visit:
        assert visit.tab.locator(".book-rerun pre").text_content().endswith("-p window_days=45")


@pytest.mark.parametrize("words", ["h100 price", "cost-007", "batch 6 $30"])
def test_the_search_field_finds_claims_and_figures(contexts, address, words):
    with Visit(contexts["light"], address, "chapters/token-cost") as visit:
        asked = []
        visit.tab.on("request", lambda request: asked.append(request.url))
        assert not [url for url in asked if "entries" in url]
        visit.tab.keyboard.press("Control+k")
        visit.tab.locator("#pst-search-dialog input").fill(words)
        visit.tab.locator(".book-found a").first.wait_for(timeout=5000)
        assert [url for url in asked if url.endswith("entries.js")]
        ground = visit.tab.locator("#pst-search-dialog").evaluate("(e) => getComputedStyle(e).backgroundColor")
        assert re.fullmatch(r"rgb\(\d+, \d+, \d+\)", ground), "the page shows through what was found"
        first = visit.tab.locator(".book-found li").first.text_content().lower()
        assert any(word in first for word in words.split())
        if words == "cost-007":
            visit.tab.locator(".book-found a").first.click()
            visit.tab.wait_for_url("**/token-cost.html#cost-007")


def test_the_scorecards_filter_and_order_stand_in_its_address(contexts, address):
    with Visit(contexts["light"], address, "chapters/scorecard") as visit:
        visit.tab.select_option("#scorecard-verdict", "fails")
        visit.tab.click("table.scorecard th button >> nth=0")
        visit.tab.click("table.scorecard th button >> nth=0")
        shown = visit.tab.locator("table.scorecard tbody tr:visible td:first-child").all_text_contents()
        assert shown == sorted(shown, reverse=True) and len(shown) > 3
        url = visit.tab.url.removeprefix(f"{address}/")
        with Visit(contexts["phone"], address, url) as other:
            again = other.tab.locator("table.scorecard tbody tr:visible td:first-child").all_text_contents()
            assert again == shown and other.tab.locator(".book-notice").count() == 0
        with Visit(contexts["light"], address, "chapters/scorecard.html?verdict=%3Cb%3E&sort=size&x=1") as bad:
            said = bad.tab.locator(".book-notice").text_content()
            assert "verdict = <b>" in said and "sort by size" in said and "names x" in said
            assert bad.tab.locator(".scorecard-count").text_content().startswith(f"{len(claims.ledger())} of")


def test_the_first_figure_can_be_dragged_before_anything_is_loaded(contexts, address):
    with Visit(contexts["phone"], address, "index") as visit:
        asked = []
        visit.tab.on("request", lambda request: asked.append(request.url))
        figure = moved_figure(visit)
        box = figure.locator("picture img").bounding_box()
        assert box["y"] < 844 or figure.bounding_box()["y"] < 700
        figure.scroll_into_view_if_needed()
        box = figure.locator("picture img").bounding_box()
        dot = figure.locator(".book-follow-small circle")
        before = dot.get_attribute("cx"), figure.locator(".book-chart-readout").text_content()
        visit.tab.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.5 * box["height"])
        visit.tab.mouse.down()
        visit.tab.mouse.move(box["x"] + 0.97 * box["width"], box["y"] + 0.5 * box["height"])
        visit.tab.mouse.up()
        after = dot.get_attribute("cx"), figure.locator(".book-chart-readout").text_content()
        assert float(after[0]) > float(before[0]) and after[1] != before[1] and "batch=32" in visit.tab.url
        assert visit.tab.locator(".tile").count() == 5
