"""The built site: every page there, every link good, nothing from another host, and each page as a reader meets it."""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.errors import ExtensionError

from llm_economics.book import claims
from llm_economics.site import mathml, outputs

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(".*", "_build", "node_modules", "__pycache__", "*.egg-info")
JUNK = {
    ".venv/lib/python3/site-packages/thing/README.md": "# A readme\n\n[broken](nowhere.md)\n",
    ".venv/share/example.ipynb": "{}",
    ".pytest_cache/README.md": "# pytest cache directory\n",
    ".hypothesis/notes.md": "# notes\n",
    "node_modules/thing/readme.md": "## no first heading\n",
    "_build/html/old.html": "<p>an old page</p>",
    "_build/jupyter_execute/index.ipynb": "{}",
}
MODES = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True},
}
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


def pages() -> list[str]:
    """Names of all pages of ``_toc.yml``, without their ending, the landing page first."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())

    def files(entry):
        if isinstance(entry, list):
            return [name for part in entry for name in files(part)]
        own = [entry[key] for key in ("root", "file") if key in entry]
        return own + [name for key in ("parts", "chapters", "sections") for name in files(entry.get(key, []))]

    return [re.sub(r"\.(md|ipynb)$", "", name) for name in files(toc)]


PAGES = pages()


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built as a reader would build it, in a folder that holds what working in it leaves behind."""
    root = tmp_path_factory.mktemp("book") / "root"
    shutil.copytree(ROOT, root, ignore=LEFT_OUT)
    for name, text in JUNK.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", ".", "-W", "-n"]
    built = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert built.returncode == 0, f"the build failed:\n{built.stdout[-2000:]}\n{built.stderr[-4000:]}"
    return root / "_build" / "html"


# The files


@pytest.mark.parametrize("page", PAGES)
def test_page_is_there(site, page):
    soup = parse(site / f"{page}.html")
    assert len(soup.select("article h1")) == 1
    assert len(soup.article.get_text(strip=True)) > 100
    (described,) = soup.select("meta[name=description]")
    assert 10 < len(described["content"]) <= 300
    assert not soup.select("summary[aria-label]"), "a button is called what it shows"


def test_landing_page_is_the_index_itself(site):
    assert PAGES[0] == "index"
    soup = parse(site / "index.html")
    assert not soup.select("meta[http-equiv=refresh i]")
    cells = json.loads((ROOT / "index.ipynb").read_text())["cells"]
    heading = re.search(r"^# (.*)$", "".join(cells[0]["source"]), re.MULTILINE)[1]
    assert soup.select_one("article h1").get_text().startswith(heading.strip())


def test_no_broken_internal_link(site):
    assert broken_links(site) == []


def test_link_check_can_fail(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="b.html#x">b</a><a href="c.html">c</a><a href="#y">y</a><img src="d.png">'
    )
    (tmp_path / "b.html").write_text('<p id="z">z</p><a href="a.html">a</a><a href="https://example.org">out</a>')
    wrong = ["a.html → #y", "a.html → b.html#x", "a.html → c.html", "a.html → d.png"]
    assert broken_links(tmp_path) == wrong


def test_nothing_is_loaded_from_another_host(site):
    assert outside_assets(site) == []


def test_outside_check_can_fail(tmp_path):
    (tmp_path / "a.html").write_text(
        '<script src="https://cdn.example/x.js"></script><link rel="stylesheet" href="//cdn.example/x.css">'
        '<script>var u = "https://unpkg.com/thebe"</script><style>@import "https://fonts.example/f.css";</style>'
        '<a href="https://example.org">a link is no asset</a>'
    )
    (tmp_path / "a.css").write_text("@font-face { src: url(https://fonts.example/f.woff2) }")
    assert len(outside_assets(tmp_path)) == 5


def test_charts_have_names_data_and_a_picture_without_scripts(site):
    for page in PAGES:
        for chart in parse(site / f"{page}.html").select(".book-chart"):
            spec = json.loads(chart.select_one("script").string)
            assert chart["aria-label"] == spec["description"]
            assert chart.figcaption.get_text(strip=True)
            assert any(spec["datasets"].values())
            picture = chart.select_one("noscript img")
            assert picture["alt"] == spec["description"]
            assert (site / page).parent.joinpath(picture["src"]).is_file()


def test_verdicts_are_cards_with_their_id_as_anchor(site):
    for page in PAGES:
        recorded = []
        if (ROOT / f"{page}.ipynb").exists():
            for cell in json.loads((ROOT / f"{page}.ipynb").read_text())["cells"]:
                found = (output.get("data", {}).get(claims.VERDICT_MIME) for output in cell.get("outputs", ()))
                recorded += [(row["id"], row["verdict"]) for row in found if row]
        cards = parse(site / f"{page}.html").select(".verdict")
        assert [(card["id"], card.select_one(".verdict-badge").get_text()) for card in cards] == recorded


def parse(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(), "html.parser")


def broken_links(site: Path) -> list[str]:
    """Links and files within a site that lead nowhere, as "page → address"."""
    soups = {path: parse(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts}
    anchors = {path: {tag["id"] for tag in soup.select("[id]")} | {""} for path, soup in soups.items()}
    wrong = set()
    for path, soup in soups.items():
        here = path.relative_to(site).as_posix()
        for tag in soup.select("a[href], link[href], script[src], img[src], source[src]"):
            address = tag.get("href") or tag.get("src") or ""
            if urlsplit(address).scheme or address.startswith("//") or address in ("#", ""):
                continue
            whole, anchor = urldefrag(urljoin(f"/{here}", address))
            target = site / unquote(urlsplit(whole).path).lstrip("/")
            if not target.is_file() or (target in anchors and unquote(anchor) not in anchors[target]):
                wrong.add(f"{here} → {address}")
    return sorted(wrong)


def outside_assets(site: Path) -> list[str]:
    """What pages and style sheets load from other hosts."""
    found = []
    remote = re.compile(r"^(https?:)?//", re.IGNORECASE)
    in_css = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^)"';]+""", re.IGNORECASE)
    for path in sorted(site.rglob("*.html")):
        soup = parse(path)
        for tag in soup.select("script[src], img[src], iframe[src], video[src], source[src], embed[src]"):
            found += [f"{path.name}: {tag['src']}"] if remote.match(tag["src"]) else []
        for tag in soup.select("link[href]"):
            loads = {"stylesheet", "preload", "prefetch", "icon", "preconnect", "dns-prefetch", "modulepreload"}
            found += [f"{path.name}: {tag['href']}"] if loads & set(tag["rel"]) and remote.match(tag["href"]) else []
        for tag in soup.select("script:not([src]):not([type='application/json'])"):
            found += [f"{path.name}: {url}" for url in re.findall(r"https?://[^\"'\s]+", tag.string or "")]
        for tag in soup.select("style"):
            found += [f"{path.name}: {url}" for url in in_css.findall(tag.string or "")]
    for path in sorted(site.rglob("*.css")):
        found += [f"{path.name}: {url}" for url in in_css.findall(path.read_text())]
    return found


# The parts of the extension


def test_formulas_become_mathml():
    made = mathml.convert(r"\frac{6 N D}{P} \pm \lfloor x \rfloor", "block")
    assert 'display="block"' in made and "<mfrac>" in made and "<mo>&#x000B1;</mo>" in made
    assert r'<annotation encoding="application/x-tex">\frac{6 N D}{P} \pm' in made
    lines = mathml.convert(mathml._environment("\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}"), "block")
    assert lines.count("<mtr>") == 2 and "&</mi>" not in lines
    assert mathml.convert(r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "block").count("<mtr>") == 2


def test_a_broken_formula_stops_the_build():
    with pytest.raises(ExtensionError, match="cannot be turned into MathML"):
        mathml.convert(r"\frac{a}{", "inline")


def test_every_verdict_has_its_colours():
    sheet = (Path(outputs.__file__).parent / "static" / "book.css").read_text()
    assert outputs.VERDICTS == claims.VERDICTS
    assert (outputs.VERDICT_MIME, outputs.RESULT_MIME) == (claims.VERDICT_MIME, claims.RESULT_MIME)
    for verdict in claims.VERDICTS:
        assert re.search(rf"\.is-{verdict.replace(' ', '-')}\b", sheet), verdict


def test_table_cells_that_say_a_verdict_are_marked():
    said, other = nodes.entry("", nodes.paragraph(text="holds if")), nodes.entry("", nodes.paragraph(text="it holds"))
    document = nodes.Element("", said, other)
    outputs.mark_verdict_cells(None, document)
    assert said["classes"] == ["verdict-cell", "is-holds-if"] and other["classes"] == []
    table = outputs._table('<table><th></th><td class="data">holds if</td><td>fails</td><td>it fails</td></table>')
    assert table == (
        '<table><td></td><td class="data verdict-cell is-holds-if">holds if</td>'
        '<td class="verdict-cell is-fails">fails</td><td>it fails</td></table>'
    )


def test_hidden_cells_that_show_nothing_share_a_switch():
    def cell(*children, hide="input"):
        parts = [nodes.container("", nodes.literal_block(text, text)) for text in children]
        return nodes.container("", *parts, **({"hide_mode": hide} if hide else {}))

    document = nodes.Element("", cell("a"), cell("b"), cell("c", "shown"), cell("d"), cell("e", hide=None), cell("f"))
    outputs.fold_code(None, document)
    assert [[part.astext().split() for part in one] for one in document] == [
        [["a", "b", "c"], ["shown"]],
        [["d"]],
        [["e"]],
        [["f"]],
    ]


def test_a_value_is_shown_as_precisely_as_its_tolerance_asks():
    assert outputs._value(2962.96, outputs._digits("±0.0169%")) == "2,963"
    assert outputs._value(2962.96, outputs._digits("±5%")) == "2,960"
    assert outputs._value([6.4e6, 8]) == "6.4 million; 8"


# The pages in a browser


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium with no way to any other host; skipped where there is none, except in CI."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        message = f"no browser found ({', '.join(names)}): the pages were not opened; install Debian's chromium"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=[*FLAGS, NO_NETWORK])
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(site):
    """The site served on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def contexts(browser):
    made = {mode: browser.new_context(**options, reduced_motion="reduce") for mode, options in MODES.items()}
    yield made
    for context in made.values():
        context.close()


class Visit:
    """One page, opened, with what it asked for and complained about."""

    def __init__(self, context, address: str, page: str):
        self.tab = context.new_page()
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.tab.on("request", lambda request: self._asked(address, request.url))
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        self.tab.on("requestfailed", lambda request: self.errors.append(f"failed: {request.url}"))
        self.tab.goto(f"{address}/{page}.html")

    def _asked(self, address: str, url: str) -> None:
        if not url.startswith((f"{address}/", "data:", "blob:")):
            self.outside.append(url)

    def draw(self):
        """Bring each chart near the window, as scrolling does, and wait until all are drawn."""
        self.tab.evaluate(
            "document.querySelectorAll('.book-chart').forEach((c) => c.dataset.ready || c.scrollIntoView())"
        )
        for chart in self.tab.query_selector_all(".book-chart:not([data-ready])"):
            chart.scroll_into_view_if_needed()
        settled = "[...document.querySelectorAll('.book-chart')].every((c) => c.dataset.ready || c.dataset.error)"
        self.tab.wait_for_function(settled, timeout=20_000)
        self.tab.evaluate("window.scrollTo(0, 0)")
        return self.tab

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tab.close()


def move_sliders(tab):
    """Each slider and picker changes a number, and both stay where they are when the page turns dark."""
    for chart in tab.query_selector_all(".book-chart:has(.book-chart-readout)"):
        said = chart.query_selector(".book-chart-readout")
        before, marks = said.inner_text(), chart.query_selector("svg").inner_html()
        assert before.strip()
        moved = chart.query_selector("input, select")
        if moved.get_attribute("type") == "range":
            moved.focus()
            moved.press("Home")
            if said.inner_text() == before:
                moved.press("End")
        else:
            last = moved.query_selector_all("option")[-1].get_attribute("value")
            first = moved.query_selector_all("option")[0].get_attribute("value")
            moved.select_option(last if moved.input_value() != last else first)
        tab.wait_for_function(
            "([chart, before]) => chart.innerHTML !== before", arg=[chart.query_selector("svg"), marks]
        )
        after = said.inner_text()
        assert after != before
        position = chart.query_selector("input, select").input_value()
        tab.evaluate("(c) => { c.old = c.view; document.documentElement.dataset.theme = 'dark'; }", chart)
        tab.wait_for_function("(c) => c.view !== c.old", arg=chart)
        tab.evaluate("(c) => c.queue", chart)
        assert said.inner_text() == after
        assert chart.query_selector("input, select").input_value() == position
        tab.evaluate("document.documentElement.dataset.theme = 'light'")


CODE_IN_EVERY_MODE = "chapters/llama3-cluster-sizing"


def complaints(tab) -> list[str]:
    """What axe finds wrong, a line for each rule."""
    found = Axe().run(tab).response["violations"]
    return [f"{rule['id']} ({len(rule['nodes'])}×): {rule['help']}: {rule['nodes'][0]['html'][:300]}" for rule in found]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("page", PAGES)
def test_page_as_a_reader_meets_it(contexts, address, page, mode):
    with Visit(contexts[mode], address, page) as visit:
        tab = visit.draw()
        if mode == "light":
            move_sliders(tab)
        assert visit.outside == []
        assert visit.errors == []
        assert tab.evaluate("document.documentElement.dataset.theme") == ("dark" if mode == "dark" else "light")
        charts = tab.evaluate(
            "[...document.querySelectorAll('.book-chart')].map((c) => [c.dataset.error, c.querySelectorAll("
            "'svg [role=graphics-symbol]').length > 2 && c.querySelector('svg').clientWidth > 200])"
        )
        assert charts == [[None, True]] * len(charts)
        wide = tab.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1], "the page scrolls sideways"
        if mode != "light" and page != CODE_IN_EVERY_MODE:  # code is most of a page and everywhere alike
            tab.evaluate("document.querySelectorAll('.cell_input').forEach((cell) => cell.remove())")
        assert complaints(tab) == []


def test_some_page_has_a_slider(site):
    assert any(parse(site / f"{page}.html").select(".book-chart-readout") for page in PAGES)


def test_data_of_a_figure_can_be_downloaded(contexts, address, site):
    page = next(page for page in PAGES if parse(site / f"{page}.html").select(".book-chart"))
    spec = json.loads(parse(site / f"{page}.html").select_one(".book-chart script").string)
    with Visit(contexts["light"], address, page) as visit:
        with visit.draw().expect_download() as download:
            visit.tab.click(".book-chart-csv")
        assert download.value.suggested_filename == f"{page.rsplit('/', 1)[-1]}-figure-1.csv"
        lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 1 + sum(len(rows) for rows in spec["datasets"].values())
    assert set(next(iter(spec["datasets"].values()))[0]) <= set(lines[0].split(","))


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
