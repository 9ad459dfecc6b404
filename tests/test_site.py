"""The built site: every page there, every link good, nothing from another host, and what others take along."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import numpy as np
import pandas as pd
import pytest
import vl_convert
import yaml
from bs4 import BeautifulSoup
from docutils import nodes
from PIL import Image
from sphinx.errors import ExtensionError
from visiting import PAGES, painted, parse

from llm_economics.book import claims, drawing, figures
from llm_economics.book.figures import MIME
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.site import aside, charts, ledger, mathml, outputs, paper, runners, weight

ROOT = Path(__file__).parents[1]


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


def test_some_page_has_a_slider(site):
    assert any(parse(site / f"{page}.html").select(".book-chart-readout") for page in PAGES)


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


def test_a_line_that_is_met_from_nearby_keeps_one_legend_of_strokes():
    series = {key: {"field": "kind", "type": "nominal"} for key in ("color", "strokeDash")}
    at = {key: {"field": key, "type": "quantitative"} for key in ("x", "y")}
    spec = {
        "mark": {"type": "line"},
        "encoding": at | series | {"tooltip": [{"field": "x", "type": "quantitative"}]},
        "data": {"name": "d"},
        "datasets": {"d": [{"x": x, "y": x, "kind": kind} for x in (1, 2) for kind in ("one", "two")]},
    }
    drawn = BeautifulSoup(drawing.svg(charts.interactive(spec)), "html.parser")
    assert [text.get_text() for text in drawn.select(".role-legend-label text")] == ["one", "two"]
    assert {path["d"].count("L") for path in drawn.select(".role-legend-symbol path")} == {1}


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


def test_a_style_sheet_is_made_once_for_what_it_styles(tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_ECONOMICS_CACHE", str(tmp_path / "kept"))
    (tmp_path / "pygments.css").write_text(".met{top:0} .other{top:1px} #one{top:2px}")
    page = '<p class="met" id="{}">text</p>'
    made = weight.one_sheet(tmp_path, [page.format("title")], [])
    with monkeypatch.context() as once:
        once.setattr(weight.tinycss2, "parse_stylesheet", None)
        assert weight.one_sheet(tmp_path, [page.format("another-title")], []) == made == ".met{top:0}"
    assert weight.one_sheet(tmp_path, [page.format("one")], []) == ".met{top:0}#one{top:2px}"
    (tmp_path / "pygments.css").write_text(".met{top:1px}")
    assert weight.one_sheet(tmp_path, [page.format("one")], []) == ".met{top:1px}"


def test_verdicts_are_cards_with_their_id_as_anchor(site):
    for page in PAGES:
        recorded = []
        if (ROOT / f"{page}.ipynb").exists():
            for cell in json.loads((ROOT / f"{page}.ipynb").read_text())["cells"]:
                found = (output.get("data", {}).get(claims.VERDICT_MIME) for output in cell.get("outputs", ()))
                recorded += [(row["id"], row["verdict"]) for row in found if row]
        soup = parse(site / f"{page}.html")
        for table in soup.select(".ledger"):
            after = table.find_next_sibling(lambda tag: "only-code" not in tag.get("class", ()))
            assert after is None or "ledger" not in after.get("class", ()), f"{page}: one table in two parts"
        cards = soup.select(".verdict")
        assert [(card["id"], card.select_one(".verdict-badge").get_text()) for card in cards] == recorded


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


def test_a_long_formula_is_written_in_pieces_that_a_phone_sets_below_each_other():
    long = r"\text{bytes per token} = 2 \times \text{layers} \times \text{key-value heads} + f(a + b)"
    pieces = BeautifulSoup(mathml.in_pieces(mathml.convert(long, "block")), "html.parser").select("math")
    said = [piece.mrow.get_text().replace("\xa0", " ") for piece in pieces]
    assert said == ["bytes per token", "=2", "×layers", "×key-value heads", "+f(a+b)"]
    assert all(piece.mrow.mo["form"] == "infix" for piece in pieces[1:])
    assert [len(piece.select("annotation")) for piece in pieces] == [1, 0, 0, 0, 0]
    lines = r"\begin{align*}\text{bytes per token of a model} &= 2 \\ \text{bytes} &= 3\end{align*}"
    for short in (r"a = b + c", lines):
        made = mathml.convert(short, "block")
        assert mathml.in_pieces(made) == made


def test_the_point_behind_a_formula_begins_no_line():
    formula, text = nodes.math("", "c"), nodes.Text("., as it is")
    paragraph = nodes.paragraph("", "", formula, text)
    mathml.take_points(None, nodes.Element("", paragraph), "")
    assert formula["point"] == ".," and paragraph.astext() == "c as it is"


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


EQUATION = "\n\n$$\na = b\n$$ (eq-{})\n\nBy {{eq}}`eq-{}`.\n"
CITED = "\nSome say so {{cite}}`{}`.\n\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A small book of its own with an address, in a repository with two changes, built twice: with git and without."""
    root = tmp_path_factory.mktemp("small")
    (root / "chapters").mkdir()
    (root / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n  - file: chapters/kv-cache\n")
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    config["html"]["baseurl"] = "https://example.org/book/"
    shutil.copy(ROOT / "references.bib", root)
    (root / "_config.yml").write_text(yaml.safe_dump(config))
    text = "# A small book\n\nIts first paragraph, long enough to be a description.\n\n## A section\n\nMore.\n"
    text += f"{CITED.format('gpt4-leak-2023')}```{{bibliography}}\n```\n" + EQUATION.format("first", "first")
    (root / "index.md").write_text(text)
    notebook = json.loads((ROOT / "chapters" / "kv-cache.ipynb").read_text())
    drawn = next(cell for cell in notebook["cells"] if any(MIME in o.get("data", {}) for o in cell.get("outputs", ())))
    title = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": ["# One figure\n\nIt is below."]}
    title["source"].append(EQUATION.format("last", "last"))
    notebook["cells"] = [title, drawn]
    (root / "chapters" / "kv-cache.ipynb").write_text(json.dumps(notebook))
    return root


def built(root: Path, out: str, *command: str) -> Path:
    command = [*(command or [str(Path(sys.executable).with_name("jupyter-book"))]), "build", ".", "--path-output", out]
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


def test_a_build_after_an_edit_is_the_build_from_scratch(small):
    command = (sys.executable, "-m", "llm_economics.site")
    edited = small.with_name("edited")
    shutil.copytree(small, edited, ignore=shutil.ignore_patterns("plain", "again", "dated", ".git"))
    places = built(edited, "twice", *command), edited / "once" / "_build" / "html"
    index = (edited / "index.md").read_text()
    index = index.replace("## A section", EQUATION.format("new", "new") + "## A new section")
    (edited / "index.md").write_text(index.replace("gpt4-leak-2023", "llama3-2024"))
    assert (built(edited, "twice", *command), built(edited, "once", *command)) == places
    files = [sorted(p.relative_to(place) for p in place.rglob("*") if p.is_file()) for place in places]
    assert files[0] == files[1]
    differ = [str(name) for name in files[0] if len({(place / name).read_bytes() for place in places}) > 1]
    assert set(differ) <= {"searchindex.js"}  # where Sphinx keeps words that stand on no page any more
    numbers = [parse(places[0] / name).select(".eqno") for name in ("index.html", "chapters/kv-cache.html")]
    assert [[one.get_text()[:3] for one in page] for page in numbers] == [["(1)", "(2)"], ["(3)"]]
    assert "By Eq. 3." in parse(places[0] / "chapters" / "kv-cache.html").get_text()
    entries = (places[0] / "_static" / "entries.js").read_text()
    assert "A new section" in entries and '"One figure"' in entries and '"figure"' in entries


def test_pictures_are_drawn_beside_a_build_and_one_that_is_refused_ends_it(tmp_path):
    spec = {"mark": "point", "data": {"values": [{"x": 1}]}, "encoding": {"x": {"field": "x", "type": "quantitative"}}}
    aside.Pictures().finish()  # of a build that asks for none
    good, bad = aside.Pictures(), aside.Pictures()
    for name in ("a", "b", "a"):
        good.ask(str(tmp_path / name), spec)
    bad.ask(str(tmp_path / "c"), {"mark": "no such mark"})
    good.finish()
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() and "<svg" in (tmp_path / "a").read_text()
    with pytest.raises(subprocess.CalledProcessError):
        bad.finish()


def test_no_build_runs_a_notebook_or_imports_what_would():
    code = "import sys, llm_economics.site, myst_nb.sphinx_ as ours; print(*sys.modules, ours.create_client.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"sqlalchemy", "nbclient", "numpy", "pandas", "altair"}.isdisjoint(done.stdout.split())
    with pytest.raises(RuntimeError, match="execute_notebooks: must be off"):
        runners.runs_none()


def test_the_book_on_paper_has_all_pages_and_links_that_lead_on(site):
    whole = BeautifulSoup(paper.one_page(site), "html.parser")
    ids = [tag["id"] for tag in whole.select("[id]")]
    assert len(ids) == len(set(ids))
    assert len(whole.select("article.bd-article")) == len(PAGES) and not whole.select("script, img[loading]")
    inner = [link["href"][1:] for link in whole.select("a[href^='#']")]
    assert len(inner) > 500 and set(map(unquote, inner)) <= set(ids)
    assert [
        link["href"] for link in whole.select("a[href]") if not link["href"].startswith(("#", "https:", "http:"))
    ] == []
    sources = [image["src"] for image in whole.select("img[src]")]
    assert len(sources) > 50 and all((site / source).is_file() for source in sources)


@pytest.mark.parametrize("page", ["cerebras-sram", "expert-routing", "gpt4-serving-bill"])
def test_a_touched_figure_has_the_legends_of_its_picture(page):
    def legends(spec):
        return len(vl_convert.vegalite_to_vega(spec).get("legends", ()))

    cells = json.loads((ROOT / "chapters" / f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]
    specs = [
        out["data"][outputs.CHART_MIME]
        for cell in cells
        for out in cell.get("outputs", ())
        if outputs.CHART_MIME in out.get("data", ())
    ]
    dashed = [spec for spec in specs if '"strokeDash": {"field"' in json.dumps(spec)]
    assert dashed and [legends(charts.interactive(spec)) for spec in dashed] == [legends(spec) for spec in dashed]


def test_titles_of_sources_are_written_as_there(site):
    said = parse(site / "chapters" / "references.html").get_text()
    assert "GB200推理" in said and "hits $2.35/hour" in said and "Wired of April 2023" in said


def test_a_card_that_begins_with_a_number_says_of_what():
    head = "<table><thead><tr><th>rows</th><th>why</th></tr></thead><tbody>"
    named = outputs.name_cells(
        f"{head}<tr>\n<td>3</td><td>x</td></tr><tr>\n<td>3 cards</td><td>y</td></tr></tbody></table>"
    )
    first, second = BeautifulSoup(named, "html.parser").select("tbody tr")
    assert first["class"] == ["by-number"] and not second.get("class") and first.td["data-head"] == "rows"


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


@pytest.mark.parametrize("log_y", [True, False])
def test_points_that_follow_a_handle_stand_where_vega_would_draw_them(log_y):
    frame = pd.DataFrame(
        {"users": users, "kind": kind, "share": max(float(log_y), 100 - users * step)}
        for kind, step in (("one", 1.5), ("other", 9))
        for users in (1, 2, 4, 7, 16, 60)
    )
    said = {"readout": "users", "slider_title": "users", "x_title": "users", "y_title": "share, %"}
    said |= {"title": "A finding", "description": "What it shows.", "rules": [("y", 100, "all")], "log_y": log_y}
    spec = figures.clean(figures.frontier(frame, "users", "users", "share", color="kind", **said).to_dict())
    svg = drawing.svg(charts.standing(spec))
    found = charts.places(spec, charts.moved(spec), charts.dressed(svg))
    left, top = map(
        float, re.search(r'<g[^>]*translate\(([\d.]+),([\d.]+)\)"[^>]*>.*?d="M0,0h', svg, re.DOTALL).groups()
    )
    drawn = re.findall(r'aria-roledescription="point" transform="translate\(([\d.]+),([\d.]+)\)', svg)
    seen = [[left + float(x), top + float(y)] for x, y in drawn]
    placed = [place[:2] for series in (0, 1) for at in found["at"] for place in at if place[2] == series]
    assert len(placed) == len(seen) == len(frame) and pytest.approx(np.array(seen), abs=0.06) == np.array(placed)


def test_marks_that_would_meet_stand_in_lines():
    values = list(range(101))
    said = {"readouts": [], "titles": [], "labels": [str(value) for value in values]}
    moved = charts.Moved("n", "n", values, start=50, marks={"a long name": 52, "far": 99, "same": 50}, **said)
    marks = BeautifulSoup(outputs._marks(moved, 100), "html.parser")
    lines = {mark.get_text(): re.search(r"--line:(\d)", mark["style"])[1] for mark in marks.select(".book-chart-mark")}
    assert lines == {"in the text · same": "0", "a long name": "1", "far": "0"}
