"""What others take from the site: citation and dates, the head that previews read, claims as data, pictures to share.

Dates and changes come from git where the book stands in a repository with its history, and are left out elsewhere.
What needs the site's own address is made from one setting, ``html: baseurl`` in ``_config.yml``, and left out while it
is empty.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bs4 import BeautifulSoup
from docutils import nodes

from llm_economics.book import claims
from llm_economics.site import charts

CARDS = "_static/cards"
CARD = (1200, 630)
"""Width and height of a picture to share, in pixels."""
CHANGES = 5
"""Changes of a page that its foot names."""
COLUMNS = (
    *("id", "article", "locator", "chapter", "statement", "stated_text", "stated_low", "stated_high", "unit"),
    *("computed_value", "ratio", "factor_apart", "tolerance", "verdict", "condition", "support", "flips_at", "reason"),
)
"""What ``claims.csv`` says of each claim, in this order; ``claims.json`` says the same."""


# From git


@cache
def history(folder: Path, name: str) -> tuple[tuple[str, str], ...]:
    """Date and subject of the last changes of a file, newest first; none where git or its whole history is missing."""
    if _git(folder, "rev-parse", "--is-shallow-repository") != "false":
        return ()
    lines = _git(folder, "log", f"-{CHANGES}", "--format=%cs%x09%s", "--", name).splitlines()
    return tuple((date, subject) for date, _, subject in (line.partition("\t") for line in lines))


def _git(folder: Path, *command: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *command], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


# The foot and the head of a page


def about(app: Any, page: str, title: str) -> dict[str, Any]:
    """What the foot of a page says: version, date, changes, and how to cite it."""
    source = app.env.doc2path(page, base=False) if page in app.env.all_docs else ""
    changes = history(Path(app.srcdir), source) if source else ()
    date = changes[0][0] if changes else ""
    return {
        "version": version("llm-economics"),
        "date": date,
        "changes": changes,
        "bibtex": bibtex(
            app.config.project, app.config.author, title, date, address(app, page), str(app.config.copyright)
        ),
    }


def bibtex(book: str, author: str, title: str, date: str, url: str, year: str) -> str:
    """The BibTeX entry of a page; without date the year of the copyright, without address no ``url``."""
    key = re.sub(r"[^a-z0-9]+", "-", (title if title != book else book).lower()).strip("-")
    fields = {
        "title": f"{{{title}}}",
        "author": f"{{{author}}}",
        "year": date[:4] or next(iter(re.findall(r"\d{4}", year)), ""),
        "howpublished": book if title != book else "",
        "note": f"Version {version('llm-economics')}" + (f", last changed {date}" if date else ""),
        "url": url,
    }
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@misc{{{key},\n{lines}}}"


def address(app: Any, page: str) -> str:
    """Where a page will stand, empty while the site has no address."""
    base = app.config.html_baseurl
    path = "" if page == app.config.root_doc else app.builder.get_target_uri(page)
    return f"{base.rstrip('/')}/{path}" if base else ""


def head(app: Any, page: str, title: str, doctree: nodes.document | None) -> str:
    """Description and preview of a page, and with an address where it stands and its picture."""
    first = "" if doctree is None else next((part.astext() for part in doctree.findall(nodes.paragraph)), "")
    text = textwrap.shorten(re.sub(r"\s*\[[^\]]*\d{4}\w?\]", "", first), 300, placeholder=" …")
    if not text:
        return ""
    url = address(app, page)
    card = (
        f"{app.config.html_baseurl.rstrip('/')}/{CARDS}/{page.rsplit('/', 1)[-1]}.png"
        if url and _figure(doctree)
        else ""
    )
    named = {"og:type": "article", "og:title": title, "og:description": text, "og:site_name": app.config.project}
    named |= {"og:url": url, "og:image": card, "twitter:card": "summary_large_image" if card else "summary"}
    tags = [f'<meta name="description" content="{escape(text)}" />']
    tags += [f'<meta property="{name}" content="{escape(value)}" />' for name, value in named.items() if value]
    if url:
        linked = {
            "@context": "https://schema.org",
            "@type": "Article",
            "headline": title,
            "url": url,
            "description": text,
        }
        linked |= {"author": {"@type": "Organization", "name": app.config.author}, "version": version("llm-economics")}
        tags.append(
            f'<script type="application/ld+json">{json.dumps(linked).replace("</", "<" + chr(92) + "/")}</script>'
        )
    return "\n".join(tags)


# Files beside the pages


def write_claims(outdir: Path, folder: Path) -> None:
    """All claims with their verdicts as ``claims.json`` and ``claims.csv``."""
    rows = [{key: row.get(key) for key in COLUMNS} for row in claims.scorecard(folder)]
    text = json.dumps({"version": version("llm-economics"), "claims": rows}, ensure_ascii=False, indent=1)
    (outdir / "claims.json").write_text(text + "\n", encoding="utf-8")
    with (outdir / "claims.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows([_cell(row[key]) for key in COLUMNS] for row in rows)


def _cell(value: Any) -> Any:
    return (
        json.dumps(value, ensure_ascii=False) if isinstance(value, (list, Mapping)) else "" if value is None else value
    )


def write_search(app: Any, outdir: Path, folder: Path) -> None:
    """What the search field looks through: pages, sections, figures and claims, each with its address."""
    found = [
        {"kind": kind, "title": title, "at": f"{app.builder.get_target_uri(page)}{anchor}", "page": page_title}
        for page, (page_title, entries) in sorted(app.env.book_entries.items())
        if page in app.env.all_docs
        for kind, title, anchor in entries
    ]
    at = {name: app.builder.get_target_uri(name) for name in app.env.all_docs}
    for row in claims.scorecard(folder):
        page = f"chapters/{row['chapter']}"
        if page in at:
            title = f"{row['id']}: {row['statement']} ({row['verdict']})"
            found.append({"kind": "claim", "title": title, "at": f"{at[page]}#{row['id']}", "page": row["chapter"]})
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    (outdir / "_static" / "entries.js").write_text(f"window.bookEntries = {text};\n", encoding="utf-8")


TOLD = {"references": ("div.citation[id]", "p"), "glossary": ("dt[id^=term-]", "")}
"""Of which pages links say on the spot what they lead to: where it stands there."""


def write_told(outdir: Path) -> None:
    """What the page shows beside a citation or a term that is pointed at: the entry itself, by the link's address."""
    told: dict[str, str] = {}
    made = outdir / "_static" / "told.js"
    pages = {page: outdir / "chapters" / f"{page}.html" for page in TOLD}
    if made.is_file() and all(path.is_file() and _written(path) < _written(made) for path in pages.values()):
        return
    for page, (entry, text) in TOLD.items():
        path = pages[page]
        soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") if path.is_file() else BeautifulSoup()
        for mark in soup.select(".headerlink, .backrefs, .label"):
            mark.decompose()
        for found in soup.select(entry):
            said = found.select_one(text) if text else found.find_next("dd")
            words = " ".join(said.get_text().split()) if said else ""
            told[f"{page}.html#{found['id']}"] = textwrap.shorten(words, MOST_TOLD, placeholder=" …")
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    made.write_text(f"window.bookWords = {body};\n", encoding="utf-8")


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns


MOST_TOLD = 420
"""Letters of an entry that are shown beside a link."""


def entries(title: str, doctree: nodes.document) -> tuple[str, list[tuple[str, str, str]]]:
    """Kind, title and anchor of a page's sections and figures."""
    found = [("page", title, "")]
    for section in list(doctree.findall(nodes.section))[1:]:
        found.append(("section", section.next_node(nodes.title).astext(), f"#{section['ids'][0]}"))
    for node in doctree.findall(nodes.raw):
        if node.get("book_chart"):
            figure = node["book_chart"]
            found.append(("figure", charts.title_of(figure["spec"]), f"#{figure['id']}"))
    return title, found


def write_sitemap(app: Any) -> None:
    """``sitemap.xml``, where the site has an address."""
    if not app.config.html_baseurl:
        return
    root = ElementTree.Element("urlset", xmlns="http://www.sitemaps.org/schemas/sitemap/0.9")
    for page in sorted(app.env.all_docs):
        entry = ElementTree.SubElement(root, "url")
        ElementTree.SubElement(entry, "loc").text = address(app, page)
        changes = history(Path(app.srcdir), app.env.doc2path(page, base=False))
        if changes:
            ElementTree.SubElement(entry, "lastmod").text = changes[0][0]
    text = ElementTree.tostring(root, encoding="unicode", xml_declaration=True)
    (Path(app.outdir) / "sitemap.xml").write_text(text + "\n", encoding="utf-8")


def draw_card(app: Any, page: str, title: str, doctree: nodes.document) -> None:
    """The picture that previews of a page show: its title over its first figure; only where the site has an address."""
    figure = _figure(doctree)
    if figure is None or not app.config.html_baseurl:
        return
    import vl_convert

    path = Path(app.outdir) / CARDS / f"{page.rsplit('/', 1)[-1]}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(vl_convert.svg_to_png(card(app.config.project, title, figure["wide"])))


def card(book: str, title: str, svg: str) -> str:
    """A picture to share as SVG: the book's name, a title in at most three lines, a figure below."""
    width, height = CARD
    lines = textwrap.wrap(title, 46)[:3]
    top = 96 + 56 * len(lines)
    wide, high = charts.size(svg)
    scale = min((width - 120) / wide, (height - top - 30) / high)
    words = "".join(_line(text, 60, 120 + 56 * i, 46, "bold") for i, text in enumerate(lines))
    inner = re.sub(r"<style>.*?</style>", "", svg, flags=re.DOTALL)
    figure = f'<g transform="translate({(width - wide * scale) / 2:.0f},{top}) scale({scale:.3f})">{inner}</g>'
    name = _line(book, 60, 62, 26, "normal")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<rect width="{width}" height="{height}" fill="white"/>{name}{words}{figure}</svg>'
    )


def _line(text: str, x: int, y: int, size: int, weight: str) -> str:
    font = 'font-family="Liberation Sans, Arial, sans-serif" fill="#1f2328"'
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" {font}>{escape(text)}</text>'


def _figure(doctree: nodes.document | None) -> Mapping[str, Any] | None:
    raws: Sequence[Any] = [] if doctree is None else list(doctree.findall(nodes.raw))
    return next((node["book_picture"] for node in raws if node.get("book_picture")), None)
