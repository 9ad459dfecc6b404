"""The built site: every page there, every link good, nothing from another host, and each page as a reader meets it."""

from __future__ import annotations

import csv
import functools
import gzip
import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
import zlib
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from browsing import chromium, serving
from bs4 import BeautifulSoup
from docutils import nodes
from PIL import Image
from sphinx.errors import ExtensionError

from llm_economics.book import claims
from llm_economics.book.figures import MIME
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.site import aside, charts, ledger, mathml, outputs, paper, weight

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


def test_figures_have_names_data_and_a_picture_without_scripts(site):
    for page in PAGES:
        kept = aside_of(site, page)
        figures = parse(site / f"{page}.html").select(".book-chart")
        assert [figure["id"] for figure in figures] == list(kept["figures"])
        for figure in figures:
            spec = kept["figures"][figure["id"]]
            assert figure["aria-label"] == spec["description"] == figure.select_one("picture img")["alt"]
            assert figure.figcaption.get_text(strip=True)
            assert any(spec["datasets"].values())
            for source in (figure.select_one("img")["src"], figure.select_one("source")["srcset"]):
                drawn = (site / page).parent.joinpath(source).read_text()
                assert drawn.count("<path") > 5 and "Title text" not in drawn
            link = figure.select_one(".book-chart-link")
            assert link["href"] == f"#{figure['id']}"


def test_a_page_holds_no_code_and_its_aside_all_of_it(site):
    for page in PAGES:
        soup = parse(site / f"{page}.html")
        kept = aside_of(site, page)
        assert len(soup.select(".book-code")) == len(kept["code"])
        assert not soup.select(".cell_input, .highlight-ipython3, details.hide")
    source = json.loads((ROOT / "chapters" / "token-cost.ipynb").read_text())["cells"]
    shown = [cell for cell in source if cell["cell_type"] == "code" and "remove-input" not in tags(cell)]
    found = [
        BeautifulSoup(html, "html.parser").get_text().strip() for html in aside_of(site, "chapters/token-cost")["code"]
    ]
    assert found == ["".join(cell["source"]).strip() for cell in shown]


def test_assumptions_are_a_table(site):
    for page in PAGES[1:]:
        cells = json.loads((ROOT / f"{page}.ipynb").read_text())["cells"] if (ROOT / f"{page}.ipynb").exists() else []
        names = [
            line.split(":")[0]
            for cell in cells
            if "parameters" in tags(cell)
            for line in "".join(cell["source"]).splitlines()
            if line.strip()
        ]
        rows = parse(site / f"{page}.html").select("table.assumptions tbody tr")
        assert [row["id"] for row in rows] == [f"assumption-{name}" for name in names if name.isidentifier()], page
        assert all(
            cell.get_text(strip=True) for row in rows for cell in row.select("td:nth-child(-n+2), td:last-child")
        )


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def aside_of(site: Path, page: str) -> dict:
    """What a page keeps aside: code, and specifications by figure."""
    path = site / aside.PAGES / f"{page}.js"
    if not path.exists():
        return {"code": [], "figures": {}}
    return json.loads(path.read_text().removeprefix("window.bookPage = ").rstrip().removesuffix(";"))


# What is left out of the theme


OWN_SCRIPTS = {path.name for path in (Path(weight.__file__).parent / "static").glob("*.js")} - {
    "draw.js",
    "search.js",
    "told.js",
}


def test_a_page_asks_for_one_style_sheet_and_scripts_that_wait(site):
    for page in PAGES:
        soup = parse(site / f"{page}.html")
        assert len(soup.select("link[rel=stylesheet]")) == 1
        scripts = soup.select("script[src]")
        assert {Path(urlsplit(script["src"]).path).name for script in scripts} <= OWN_SCRIPTS
        assert all(script.has_attr("defer") for script in scripts)
        assert not soup.select("[class*='fa-'], link[rel=preload]")
        weighed = [
            site / page / ".." / urlsplit(tag.get("src") or tag["href"]).path
            for tag in (*scripts, *soup.select("link[rel=stylesheet]"))
        ]
        weight_kb = (
            sum(len(gzip.compress(path.resolve().read_bytes())) for path in [*weighed, site / f"{page}.html"]) / 1000
        )
        assert weight_kb < (60 if page == "index" else 110)
    assert (site / "_static" / "figures.js").stat().st_size <= 8192


def test_nothing_of_the_theme_is_shipped_that_no_page_asks_for(site):
    said = " ".join(path.read_text() for path in site.rglob("*.html"))
    said += " ".join(path.read_text() for path in (site / "_static").glob("*.js"))
    kept = [path.name for path in (site / "_static").iterdir() if path.is_file() and path.name != "search.js"]
    assert [name for name in kept if name not in said] == []
    assert not {"scripts", "styles", "vendor", "webpack-macros.html"} & {
        path.name for path in (site / "_static").iterdir()
    }


def test_a_theme_that_changed_is_noticed(tmp_path):
    for name in weight.SHEETS:
        (tmp_path / name.replace("*", "0")).parent.mkdir(exist_ok=True)
        (tmp_path / name.replace("*", "0")).write_text("")
    page = "".join(f"<div {hook}></div>" for hook in weight.HOOKS)
    assert weight.missing(page, tmp_path) == []
    (tmp_path / "styles" / "sphinx-book-theme.css").unlink()
    assert weight.missing(page.replace("bd-article", "article"), tmp_path) == [
        "styles/sphinx-book-theme.css",
        'class="bd-article"',
    ]


def test_the_theme_still_has_the_templates_that_the_site_replaces():
    folders = [
        Path(importlib.util.find_spec(name).origin).parent / "theme" / name
        for name in ("pydata_sphinx_theme", "sphinx_book_theme")
    ]
    own = Path(weight.__file__).parent / "templates" / "components"
    assert {path.name for path in own.iterdir()} == {Path(name).name for name in weight.TEMPLATES} | {"about-page.html"}
    assert [name for name in weight.TEMPLATES if not any((folder / name).is_file() for folder in folders)] == []
    layout = (folders[0] / "layout.html").read_text()
    blocks = re.findall(r"{% block (\w+)", (own.parent / "layout.html").read_text())
    assert [block for block in blocks if not re.search(rf"block {block}\b", layout) and block != "scripts"] == []


def test_a_style_sheet_keeps_what_pages_can_meet(tmp_path):
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "pydata-sphinx-theme.css").write_text(
        ":root{--used:1px;--only-by-unread:2px;--unread:var(--only-by-unread)} .met{top:var(--used)} .other{top:0}"
        "@media print{.met,.other{left:0} #gone{left:0}} @font-face{font-family:x} p:not(.other)>a[href]{left:1px}"
        " nav{top:0} .by-script{top:2px} .met .other{top:3px}"
    )
    made = weight.one_sheet(tmp_path, ['<p class="met"><a href="#">a</a></p>'], ['toggle("by-script")'])
    assert made == (
        ":root{--used:1px;}.met{top:var(--used)}@media print{.met{left:0}}p:not(.other)>a[href]{left:1px}"
        ".by-script{top:2px}"
    )


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


def test_cells_of_tables_carry_the_head_of_their_column():
    head = '<thead><tr><td></td><th>a <b>"b"</b></th></tr></thead>'
    named = outputs.name_cells(f'<table class="dataframe">{head}<tbody><tr><th>x</th><td>1</td></tr></tbody></table>')
    assert named.endswith('<tbody><tr><th>x</th><td data-head="a &quot;b&quot;">1</td></tr></tbody></table>')
    assert named.startswith('<table class="cards dataframe">')
    assert outputs.name_cells("<table><tr><td>1</td></tr></table>") == "<table><tr><td>1</td></tr></table>"


def test_assumptions_are_read_from_their_lines():
    source = "batch: int = 1  # sequences of a step [sequence]\nname: str = 'H100'  # chip\n# a remark\n"
    source += "tokens: float = 15e12  # read [token]"
    first = {"name": "batch", "value": "1", "help": "sequences of a step", "unit": "sequence"}
    assert aside.assumptions(source)[0] == first
    table = BeautifulSoup(aside.assumption_table(source), "html.parser")
    assert [[cell.get_text() for cell in row.select("td")][1:3] for row in table.select("tbody tr")] == [
        ["1", "sequence"],
        ["H100", ""],
        ["15,000,000,000,000", "token"],
    ]


def test_a_value_is_shown_as_precisely_as_its_tolerance_asks():
    assert ledger.value(2962.96, ledger._digits("±0.0169%")) == "2,963"
    assert ledger.value(2962.96, ledger._digits("±5%")) == "2,960"
    assert ledger.value([6.4e6, 8]) == "6.4 million; 8"


# The pages in a browser


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def address(site):
    """The site served on this machine."""
    with serving(site) as started:
        yield started


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
        self.tab.on("requestfailed", self._failed)
        self.tab.goto(f"{address}/{page}" if ".html" in page else f"{address}/{page}.html")

    def _failed(self, request) -> None:
        if "ERR_ABORTED" not in str(request.failure):  # as when a reader goes on to another page
            self.errors.append(f"failed: {request.url}")

    def _asked(self, address: str, url: str) -> None:
        if not url.startswith((f"{address}/", "data:", "blob:")):
            self.outside.append(url)

    def draw(self):
        """Touch each figure, as a reader would, and wait until all are drawn."""
        self.tab.evaluate("Promise.all([...document.querySelectorAll('.book-chart')].map((c) => window.bookTouch(c)))")
        return self.tab

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tab.close()


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


def complaints(tab) -> list[str]:
    """What axe finds wrong, a line for each rule."""
    found = Axe().run(tab, options={"resultTypes": ["violations"]}).response["violations"]  # of others, no addresses
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
            "'.book-chart-view svg [role=graphics-symbol]').length > 2 "
            "&& c.querySelector('.vega-embed svg').clientWidth > 200])"
        )
        assert charts == [[None, True]] * len(charts)
        wide = tab.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1], "the page scrolls sideways"
        ends = tab.evaluate(
            "['head', 'figure', 'do'].map((part) => [...document.querySelectorAll('.opening-' + part)]"
            ".map((e) => (e.getBoundingClientRect().bottom + scrollY) / innerHeight)).flat()"
        )
        assert len(ends) in (0, 3) and max(ends, default=0) <= 1.5, "the opening is longer than a screen and a half"
        if page == CODE_IN_EVERY_MODE:
            tab.click(".code-switch")
            tab.locator(".book-code pre").first.wait_for()
        assert complaints(tab) == []


def test_some_page_has_a_slider(site):
    assert any(parse(site / f"{page}.html").select(".book-chart-readout") for page in PAGES)


MOVED = "chapters/kv-cache"


def moved_figure(visit):
    return visit.tab.locator(".book-chart:has(.book-chart-readout)").first


def figure_of_lines(visit):
    return visit.tab.locator(".book-chart:has([id$=handle]):has-text('key-value heads')").last


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


FITS = """(figure) => {
    const view = figure.querySelector(".book-chart-view");
    return Math.abs(view.querySelector("svg").getBoundingClientRect().width - view.clientWidth) < 3;
}"""


def test_a_figure_follows_the_width_of_its_column(contexts, address):
    with Visit(contexts["light"], address, MOVED) as visit:
        figure = moved_figure(visit)
        for width in (1280, 800, 500, 1280):
            visit.tab.set_viewport_size({"width": width, "height": 900})
            figure.evaluate("(c) => window.bookTouch(c)")
            visit.tab.wait_for_function(FITS, arg=figure.element_handle(), timeout=5000)
        narrow = figure.locator("svg").bounding_box()["width"]
        visit.tab.click(".primary-toggle")
        visit.tab.wait_for_function(
            "([c, w]) => c.querySelector('svg').getBoundingClientRect().width > w",
            arg=[figure.element_handle(), narrow - 1],
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


def painted(pdf: bytes) -> int:
    """How many paths a PDF paints."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    return sum(len(re.findall(rb"(?<=\s)(?:S|s|f|f\*|B)(?=\s)", inflated(stream))) for stream in streams)


def inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""


@pytest.mark.parametrize("page", PAGES)
def test_every_figure_is_on_paper(contexts, address, page):
    with Visit(contexts["light"], address, page) as visit:
        figures = visit.tab.locator(".book-chart").count()
        if not figures:
            return
        whole = painted(visit.tab.pdf(format="A4"))
        visit.tab.evaluate(
            "document.querySelectorAll('.book-chart img').forEach((image) => { image.style.visibility = 'hidden'; })"
        )
        assert whole - painted(visit.tab.pdf(format="A4")) >= 15 * figures


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


# What others take along


def test_claims_are_data_with_stable_identifiers(site):
    rows = json.loads((site / "claims.json").read_text())["claims"]
    assert [row["id"] for row in rows] == list(claims.ledger())
    verdicts = {row["id"]: row["verdict"] for row in claims.scorecard()}
    assert {row["id"]: row["verdict"] for row in rows} == verdicts
    with (site / "claims.csv").open(newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [row["id"] for row in rows]


def test_each_page_says_how_to_cite_it_and_nothing_of_an_address(site):
    for page in PAGES:
        soup = parse(site / f"{page}.html")
        cited = soup.select_one(".book-cite pre").get_text()
        assert cited.startswith("@misc{") and "year = {2026}" in cited and "url" not in cited
        assert version("llm-economics") in cited and not soup.select("time, .book-changes")  # the copy has no history
        assert not soup.select("link[rel=canonical], meta[property='og:url'], meta[property='og:image']")
        assert soup.select_one("meta[property='og:title']")["content"] in soup.article.h1.get_text()
    assert not (site / "sitemap.xml").exists() and not (site / "_static" / "cards").exists()


def test_chapters_end_with_the_command_that_runs_them(site):
    for page in PAGES:
        soup = parse(site / f"{page}.html")
        if soup.select("table.assumptions"):
            command = soup.select_one(".book-rerun pre").get_text()
            assert command == f"llm-economics run {page.rsplit('/', 1)[-1]}"
            assert soup.select("article > section > section")[-1].select_one(".book-rerun")


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A small book of its own with an address, in a repository with two changes, built twice: with git and without."""
    root = tmp_path_factory.mktemp("small")
    (root / "chapters").mkdir()
    (root / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n  - file: chapters/kv-cache\n")
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    config["html"]["baseurl"] = "https://example.org/book/"
    del config["bibtex_bibfiles"]
    (root / "_config.yml").write_text(yaml.safe_dump(config))
    text = "# A small book\n\nIts first paragraph, long enough to be a description.\n\n## A section\n\nMore.\n"
    (root / "index.md").write_text(text)
    notebook = json.loads((ROOT / "chapters" / "kv-cache.ipynb").read_text())
    drawn = next(cell for cell in notebook["cells"] if any(MIME in o.get("data", {}) for o in cell.get("outputs", ())))
    title = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": ["# One figure\n\nIt is below."]}
    notebook["cells"] = [title, drawn]
    (root / "chapters" / "kv-cache.ipynb").write_text(json.dumps(notebook))
    return root


def built(root: Path, out: str) -> Path:
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", ".", "--path-output", out]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return root / out / "_build" / "html"


def test_an_address_and_a_history_are_used_where_they_are(small):
    plain = built(small, "plain")
    assert not parse(plain / "chapters" / "kv-cache.html").select("time")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "index.md", "chapters"], ["commit", "-qm", "Start <b>here</b>"]):
        subprocess.run([*git, *command], cwd=small, check=True)
    dated = built(small, "dated")
    soup = parse(dated / "chapters" / "kv-cache.html")
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", soup.select_one(".book-about time")["datetime"])
    assert "Start <b>here</b>" in soup.select_one(".book-changes").get_text()
    where = "https://example.org/book/chapters/kv-cache.html"
    assert (
        soup.select_one("link[rel=canonical]")["href"] == soup.select_one("meta[property='og:url']")["content"] == where
    )
    assert where in soup.select_one(".book-cite pre").get_text()
    assert json.loads(soup.select_one("script[type='application/ld+json']").string)["url"] == where
    assert where in (dated / "sitemap.xml").read_text()
    card = soup.select_one("meta[property='og:image']")["content"].removeprefix("https://example.org/book/")
    with Image.open(dated / card) as picture:
        assert picture.size == (1200, 630) and len(picture.getcolors(10**6)) > 50


def test_the_same_book_twice_is_the_same_bytes(small):
    first, second = (small / name / "_build" / "html" for name in ("plain", "again"))
    shutil.rmtree(small / ".git", ignore_errors=True)
    first = first if first.exists() else built(small, "plain")
    second = built(small, "again")
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert [name for name in files if (first / name).read_bytes() != (second / name).read_bytes()] == []


def test_the_book_on_paper_has_all_pages_and_links_that_lead_on(site):
    whole = BeautifulSoup(paper.one_page(site), "html.parser")
    ids = [tag["id"] for tag in whole.select("[id]")]
    assert len(ids) == len(set(ids))
    assert len(whole.select("article.bd-article")) == len(PAGES) and not whole.select("script, img[loading]")
    inner = [link["href"][1:] for link in whole.select("a[href^='#']")]
    assert len(inner) > 500 and set(map(unquote, inner)) <= set(ids)
    sources = [image["src"] for image in whole.select("img[src]")]
    assert len(sources) > 50 and all((site / source).is_file() for source in sources)


@pytest.mark.usefixtures("browser")
def test_the_book_is_printed_with_numbered_pages(tmp_path, small):
    site = small / "plain" / "_build" / "html"
    paper.print_book(site if site.exists() else built(small, "plain"), tmp_path / "book.pdf")
    printed = (tmp_path / "book.pdf").read_bytes()
    assert printed.startswith(b"%PDF") and painted(printed) >= 15 and printed.count(b"/Type /Page\n") >= 2
    with pytest.raises(ParameterError, match=r"has no index\.html"):
        paper.print_book(tmp_path, tmp_path / "no.pdf")


def test_titles_and_marks_of_what_is_moved_follow(site):
    """A title of its own for each value of a handle, and where the text stands marked below it."""
    seen = 0
    for page in PAGES:
        for control in parse(site / f"{page}.html").select(".book-chart:has(.book-chart-state)"):
            state = json.loads(control.select_one(".book-chart-state").string)
            assert len(state["titles"]) == len(state["values"]) and len(set(state["titles"])) > 1, control["id"]
            marks = [mark.get_text() for mark in control.select(".book-chart-mark")]
            assert sum("in the text" in mark for mark in marks) == 1, control["id"]
            seen += len(marks) > 1
    assert seen >= 20, "figures that mark where a finding flips"


def test_marks_that_would_meet_stand_in_lines():
    values = list(range(101))
    said = {"readouts": [], "titles": [], "labels": [str(value) for value in values]}
    moved = charts.Moved("n", "n", values, start=50, marks={"a long name": 52, "far": 99, "same": 50}, **said)
    marks = BeautifulSoup(outputs._marks(moved, 100), "html.parser")
    lines = {mark.get_text(): re.search(r"--line:(\d)", mark["style"])[1] for mark in marks.select(".book-chart-mark")}
    assert lines == {"in the text · same": "0", "a long name": "1", "far": "0"}


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


# Numbers, rerun, search, scorecard, landing page


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


@pytest.mark.parametrize("page", PAGES)
def test_nothing_scrolls_sideways_on_a_phone(contexts, address, page):
    with Visit(contexts["phone"], address, page) as visit:
        visit.tab.wait_for_timeout(100)
        wide = visit.tab.evaluate(
            "[...document.querySelectorAll('.bd-article *')].filter((e) => e.scrollWidth > e.clientWidth + 1"
            " && /auto|scroll/.test(getComputedStyle(e).overflowX)).map((e) => e.outerHTML.slice(0, 200))"
        )
        assert wide == []
