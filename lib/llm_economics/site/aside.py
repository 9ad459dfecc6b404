"""What a page keeps aside until a reader asks for it: the code of its cells, and the specifications of its figures.

Both stand in one script beside the page (``_static/pages/``), which works from plain files too; the page itself holds a
place for each cell's code, and of each figure its picture.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes

from llm_economics.site import charts

PAGES = "_static/pages"
PICTURES = "_static/figures"

_DRAW = """
import json, sys
from llm_economics.book import drawing
for path, spec in json.load(sys.stdin).items():
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
            _swap(node, _pictures(app, page, node["book_picture"]))
    waiting = app.book_waiting
    waiting |= {_picture_path(app, f"{name}.svg"): charts.narrow(spec) for name, spec in specs.items()}
    content = {"code": code, "figures": {name: charts.interactive(spec) for name, spec in specs.items()}}
    path = Path(app.outdir) / PAGES / f"{page}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    path.write_text(f"window.bookPage = {text};\n", encoding="utf-8")


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


def _pictures(app: Any, page: str, picture: Mapping[str, str]) -> str:
    """A figure's picture: one for wide windows and paper, one for phones, each with its size."""
    wide = _picture_path(app, picture["small"].replace(".svg", "-wide.svg"))
    Path(wide).parent.mkdir(parents=True, exist_ok=True)
    Path(wide).write_text(picture["wide"], encoding="utf-8")
    folder = "../" * page.count("/") + PICTURES
    width, height = charts.size(picture["wide"])
    return (
        f'<picture><source media="screen and (max-width: 560px)" srcset="{folder}/{picture["small"]}">'
        f'<img src="{folder}/{Path(wide).name}" width="{width}" height="{height}" loading="lazy" '
        f'alt="{picture["alt"]}"></picture>'
    )


def _picture_path(app: Any, name: str) -> str:
    return str(Path(app.outdir) / PICTURES / name)


def draw(waiting: Mapping[str, Mapping[str, Any]]) -> None:
    """Draw the pictures for phones, in two processes side by side.

    Raises
    ------
    subprocess.CalledProcessError
        If a picture cannot be drawn.
    """
    items = list(waiting.items())
    halves = [dict(items[start::2]) for start in (0, 1) if items[start::2]]
    started = [subprocess.Popen([sys.executable, "-c", _DRAW], stdin=subprocess.PIPE, text=True) for _ in halves]
    for process, half in zip(started, halves, strict=True):
        process.stdin.write(json.dumps(half))
        process.stdin.close()
    for process in started:
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, "vl_convert")
    for path in waiting:
        file = Path(path)
        file.write_text(charts.dressed(file.read_text(encoding="utf-8")), encoding="utf-8")


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
