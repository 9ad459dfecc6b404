"""What a page keeps aside until a reader asks for it: the code of its cells, and the specifications of its figures.

Both stand in one script beside the page (``_static/pages/``), which works from plain files too; the page itself holds a
place for each cell's code, and of each figure its picture.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from docutils import nodes

from llm_economics.book import drawing, tracing
from llm_economics.site import answering, charts, numbers

PAGES = "_static/pages"
PICTURES = "_static/figures"

_DRAW = """
import json, sys
from llm_economics.book import drawing
for line in sys.stdin:
    path, spec = json.loads(line)
    with open(path, "w", encoding="utf-8") as file:
        file.write(drawing.svg(spec))
"""


def set_aside(app: Any, doctree: nodes.document, page: str) -> None:
    """Write a page's script, and leave in the page what stands for it."""
    if app.builder.format != "html":
        return
    code = [_take_code(app, cell) for cell in list(doctree.findall(_is_code))]
    figures = [node for node in doctree.findall(nodes.raw) if node.get("book_chart")]
    specs = {node["book_chart"]["id"]: node["book_chart"]["spec"] for node in figures}
    for node in list(doctree.findall(nodes.raw)):
        if node.get("book_picture"):
            _swap(node, _pictures(app, page, node["book_picture"], node["book_alt"]))
    _offer_rerun(app, doctree, page)
    content = {
        "notes": _take_notes(app, doctree, page),
        "code": code,
        "figures": {name: charts.interactive(spec) for name, spec in specs.items()},
    }
    path = Path(app.outdir) / PAGES / f"{page}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    path.write_text(f"window.bookPage = {text};\n", encoding="utf-8")


def _offer_rerun(app: Any, doctree: nodes.document, page: str) -> None:
    """At the end of a chapter with assumptions, the command that runs it again; the page adds what a reader has set."""
    tables = [node for node in doctree.findall(nodes.raw) if 'class="assumptions"' in node.astext()]
    sections = [
        node
        for section in doctree.findall(nodes.section)
        for node in section.children
        if isinstance(node, nodes.section)
    ]
    if not tables or not sections:
        return
    command = f"llm-economics run {page.rsplit('/', 1)[-1]}"
    html = (
        '<div class="book-rerun"><p>The command that runs this chapter with the values set on this page:</p>'
        f'<pre tabindex="0">{escape(command)}</pre></div>'
    )
    own = answering.own_price(Path(app.srcdir) / f"{page}.ipynb") if answering.PAGE in app.env.found_docs else None
    if own:
        html += (
            f'<p class="book-own"><a href="{escape(own)}">Price my own</a>: the calculator, with the values above.</p>'
        )
    last = [node for node in sections if node.parent is sections[0].parent][-1]
    last.append(nodes.raw("", html, format="html"))


def _take_notes(app: Any, doctree: nodes.document, page: str) -> list[dict[str, Any]]:
    """What stands behind the page's numbers; those numbers in its sentences are marked."""
    raws = list(doctree.findall(nodes.raw))
    records = [node["book_record"] for node in raws if node.get("book_record")]
    source = Path(app.env.doc2path(page))
    if not records or source.suffix != ".ipynb":
        return []
    chapter = tracing.read(json.loads(source.read_text(encoding="utf-8"))["cells"])
    forms = [numbers.printed(record["value"], record["unit"]) for record in records]
    used = numbers.mark(doctree, forms)
    names = [record["name"] for record in records]
    for node in raws:
        if node.get("book_result") in names and "opening-number" in node.astext():
            place = names.index(node["book_result"])
            used.add(place)
            html = re.sub(r'(<p class="opening-number">)(.*?)(</p>)', partial(_noted, place), node.astext())
            node.parent.replace(node, nodes.raw("", html, format="html"))
    return [numbers.note(chapter, **record) if i in used else {} for i, record in enumerate(records)]


def _noted(place: int, found: re.Match[str]) -> str:
    return f"{found[1]}{numbers.noted(found[2], place)}{found[3]}"


def _is_code(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code_source"


def _take_code(app: Any, cell: nodes.container) -> str:
    """A cell's code as HTML, its place in the page left empty; the wrapping that hides single cells goes too."""
    source = next(cell.findall(nodes.literal_block)).rawsource or cell.astext()
    html = app.builder.highlighter.highlight_block(source, "python")
    outer = cell.parent if type(cell.parent).__name__ == "HideCodeCellNode" else cell
    whole = outer.parent
    table = assumption_table(source) if "tag_parameters" in whole["classes"] else ""
    _swap(outer, f'{table}<div class="book-code"></div>')
    if len(whole.children) == 1:
        whole["classes"].append("only-code")
    return html


def _swap(node: nodes.Element, html: str) -> None:
    node.parent.replace(node, nodes.raw("", html, format="html"))


def _pictures(app: Any, page: str, figure: Mapping[str, Any], alt: str) -> str:
    """A figure's picture: one for wide windows and paper, one for phones; over both, what follows the handle."""
    spec, name, wide, over = figure["spec"], figure["id"], figure["wide"], ""
    handle = charts.moved(spec)
    if handle and charts.following(spec):
        pictures = [charts.standing(spec), charts.narrow(charts.standing(spec))]
        drawn = [charts.dressed(drawing.svg(picture)) for picture in pictures]
        found = [charts.places(spec, handle, svg) for svg in drawn]
        if None not in found:
            wide, over = drawn[0], "".join(map(_over, found, ("wide", "small"), (handle, handle)))
    path = Path(_picture_path(app, f"{name}-wide.svg"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(wide, encoding="utf-8")
    small = charts.narrow(charts.standing(spec) if over else spec)
    app.book_pictures.ask(_picture_path(app, f"{name}.svg"), small)
    folder = "../" * page.count("/") + PICTURES
    width, height = charts.size(wide)
    return (
        f'<div class="book-chart-still"><picture><source media="screen and (max-width: 560px)" '
        f'srcset="{folder}/{name}.svg"><img src="{folder}/{name}-wide.svg" width="{width}" height="{height}" '
        f'loading="lazy" alt="{alt}"></picture>{over}</div>'
    )


def _over(found: Mapping[str, Any], kind: str, handle: charts.Moved) -> str:
    """The drawing that lies over a picture: a rule and a point on each curve, at the places where they start."""
    top, bottom = found["plot"]
    now = found["at"][handle.start]
    x = now[0][0] if now else 0
    series = sorted({point[2] for points in found["at"] for point in points})
    places = {point[2]: point for point in now}
    dots = "".join(_dot(one, places.get(one)) for one in series)
    at = json.dumps(found["at"], separators=(",", ":"))
    return (
        f'<svg class="book-follow book-follow-{kind}" viewBox="{" ".join(f"{part:g}" for part in found["box"])}" '
        f'aria-hidden="true" data-at="{at}"><line x1="{x}" x2="{x}" y1="{top:g}" y2="{bottom:g}"/>{dots}</svg>'
    )


def _dot(series: int, place: Sequence[float] | None) -> str:
    colour = f"fill:var(--series-{series + 1})"
    if place is None:
        return f'<circle r="6" data-series="{series}" style="{colour};display:none"/>'
    return f'<circle r="6" data-series="{series}" style="{colour}" cx="{place[0]}" cy="{place[1]}"/>'


def _picture_path(app: Any, name: str) -> str:
    return str(Path(app.outdir) / PICTURES / name)


class Pictures:
    """The pictures for phones, drawn in another process while the pages are made."""

    def __init__(self) -> None:
        self._paths: dict[str, None] = {}
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._process: subprocess.Popen | None = None

    def ask(self, path: str, spec: Mapping[str, Any]) -> None:
        """Have a picture drawn into a file."""
        if self._process is None:
            self._process = subprocess.Popen([sys.executable, "-c", _DRAW], stdin=subprocess.PIPE, text=True)
            self._feeder = threading.Thread(target=self._feed, daemon=True)
            self._feeder.start()
        self._paths[path] = None
        self._lines.put(json.dumps([path, spec]) + "\n")

    def _feed(self) -> None:
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:  # the process itself says why it ended
            for line in iter(self._lines.get, ""):
                pipe.write(line)

    def finish(self) -> None:
        """Wait until all are drawn.

        Raises
        ------
        subprocess.CalledProcessError
            If a picture cannot be drawn.
        """
        if self._process is None:
            return
        self._lines.put("")
        self._feeder.join()
        if self._process.wait():
            raise subprocess.CalledProcessError(self._process.returncode, "vl_convert")
        for path in map(Path, self._paths):
            path.write_text(charts.dressed(path.read_text(encoding="utf-8")), encoding="utf-8")


def assumptions(source: str) -> list[dict[str, str]]:
    """Name, value, explanation and unit of each line of a cell of parameters."""
    line = re.compile(r"^(\w+)\s*:\s*\w+\s*=\s*(.*?)\s*#\s*(.*?)\s*(?:\[(.*)\])?\s*$", re.MULTILINE)
    return [
        dict(zip(("name", "value", "help", "unit"), found.groups(default=""), strict=True))
        for found in line.finditer(source)
    ]


def assumption_table(source: str) -> str:
    """A cell of parameters as the table that a page shows."""
    rows = "".join(map(_assumption_row, assumptions(source)))
    head = "".join(f"<th>{name}</th>" for name in ("assumption", "value", "unit", "name"))
    return f'<table class="assumptions"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>' if rows else ""


def _assumption_row(row: Mapping[str, str]) -> str:
    says = row["help"][:1].upper() + row["help"][1:]
    cells = (
        f'<td>{escape(says)}</td><td class="number">{escape(_shown(row["value"]))}</td><td>{escape(row["unit"])}</td>'
    )
    return f'<tr id="assumption-{row["name"]}">{cells}<td><code>{row["name"]}</code></td></tr>'


def _shown(literal: str) -> str:
    """A literal as a reader writes it: no quotes, digits in threes."""
    bare = literal.strip("\"'")
    try:
        number = float(bare.replace("_", ""))
    except ValueError:
        return bare
    return f"{number:,.0f}" if number == int(number) and abs(number) >= 1000 else bare
