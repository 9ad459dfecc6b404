"""How the site shows the outputs that are the book's own: charts, verdicts and named results."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, ClassVar

from docutils import nodes
from myst_nb.core.render import MimeData

from llm_economics.book.claims import stated_value
from llm_economics.book.openings import OPENING_MIME, Opening
from llm_economics.facts.units import show

CHART_MIME = "application/vnd.vegalite.v5+json"
VERDICT_MIME = "application/vnd.llm-economics.verdict+json"
RESULT_MIME = "application/vnd.llm-economics.result+json"
VERDICTS = (
    "holds",
    "holds if",
    "unit slip",
    "fails",
    "cannot be tested",
    "answered",
    "came true",
    "did not come true",
    "open",
    "not yet checked",
)


class BookOutputs:
    """MIME renderer of myst-nb (entry point ``myst_nb.mime_renderers``)."""

    mime_priority_overrides: ClassVar = [
        (builder, mime, 1)
        for builder in ("html", "dirhtml", "singlehtml")
        for mime in (CHART_MIME, VERDICT_MIME, RESULT_MIME, OPENING_MIME)
    ]

    @staticmethod
    def handle_mime(renderer: Any, data: Any, inline: bool) -> list[nodes.Element] | None:
        """The nodes of one output, or None for what is not the book's own."""
        if inline:
            return None
        if data.mime_type == "text/markdown" and _has_own(renderer, data):
            return []  # read twice, its citations would point back to places that are not in the page
        if data.mime_type == "text/html" and "<table" in data.string:
            return [nodes.raw("", _table(data.string), format="html", classes=["output", "text_html"])]
        make = {CHART_MIME: chart, VERDICT_MIME: verdict, RESULT_MIME: result, OPENING_MIME: opening}.get(
            data.mime_type
        )
        if make is None:
            return None
        content = json.loads(data.content) if isinstance(data.content, str) else data.content
        return make(renderer, data, content)


def _table(html: str) -> str:
    """pandas' table without empty header cells, of no use to a screen reader; verdicts and long texts are marked."""
    html = re.sub(r"<th\b([^>]*)>(?:\s|&nbsp;)*</th>", r"<td\1></td>", html).replace(' border="1"', "")
    return re.sub(r"<td\b([^>]*)>([^<]*)</td>", _marked_cell, html)


def _marked_cell(cell: re.Match[str]) -> str:
    text = cell[2].strip()
    mark = f"verdict-cell is-{_slug(text)}" if text in VERDICTS else "long-cell" if len(text) > 60 else ""
    if not mark:
        return cell[0]
    given = re.search(r'\bclass="([^"]*)"', cell[1])
    return f'<td class="{f"{given[1]} {mark}" if given else mark}">{cell[2]}</td>'


def chart(renderer: Any, data: Any, spec: Mapping[str, Any]) -> list[nodes.Element]:
    """A figure with title, controls, room for the drawing, the specification, and the SVG for pages without scripts."""
    spec = dict(spec)
    title = spec.pop("title", "")
    title = title.get("text", "") if isinstance(title, Mapping) else title
    title = " ".join(title) if isinstance(title, list) else title
    moved = any("bind" in param for param in spec.get("params", ()))
    if any(param["name"] == "readout" for param in spec.get("params", ())):
        spec["layer"] = [layer for layer in spec["layer"] if layer.get("name") != "readout"]
    used = json.dumps({key: value for key, value in spec.items() if key != "datasets"})
    spec["datasets"] = {name: rows for name, rows in spec.get("datasets", {}).items() if json.dumps(name) in used}
    if _rows(spec):
        spec["height"] = 30 * _rows(spec)  # a number: Vega-Lite warns of steps beside a width that follows the page
    text = json.dumps(spec, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
    label = escape(spec.get("description", ""))
    controls = '<div class="book-chart-controls"></div>' if moved else ""
    readout = '<output class="book-chart-readout" aria-live="polite"></output>' if moved else ""
    opening = (
        f'<figure class="book-chart" role="group" aria-label="{label}">'
        f'<figcaption class="book-chart-title">{escape(title)}</figcaption>{controls}{readout}'
        f'<div class="book-chart-view" style="min-height:{spec.get("height", 280) + 48}px"></div>'
        f'<script type="application/json">{text}</script>'
        '<p class="book-chart-links pst-js-only"><button type="button" class="book-chart-csv">Data (CSV)</button></p>'
        "<noscript>"
    )
    return [
        nodes.raw("", opening, format="html", book_chart=True),
        *_picture(renderer, data, spec.get("description", "")),
        nodes.raw("", "</noscript></figure>", format="html"),
    ]


def _bundle(renderer: Any, data: Any) -> Mapping[str, Any]:
    """All MIME types of the output that ``data`` belongs to."""
    _, outputs = renderer.renderer.nb_client.code_cell_outputs(data.cell_index)
    return outputs[data.output_index].get("data", {})


def _has_own(renderer: Any, data: Any) -> bool:
    return data.output_index is not None and bool({VERDICT_MIME, RESULT_MIME} & set(_bundle(renderer, data)))


def _picture(renderer: Any, data: Any, description: str) -> Iterable[nodes.Element]:
    """The output's SVG as an image."""
    svg = _bundle(renderer, data).get("image/svg+xml")
    if not svg:
        return []
    picture = MimeData("image/svg+xml", "".join(svg), cell_metadata=data.cell_metadata, line=data.line)
    made = renderer.render_image(picture)
    for image in made:
        image["alt"] = description
    return made


def _rows(view: Mapping[str, Any]) -> int:
    """The number of names on a vertical axis, 0 if it has none."""
    y = view.get("encoding", {}).get("y", {})
    if y.get("type") == "nominal" and isinstance(y.get("sort"), list):
        return len(y["sort"])
    return max((_rows(layer) for layer in view.get("layer", ())), default=0)


def verdict(renderer: Any, data: Any, row: Mapping[str, Any]) -> list[nodes.Element]:
    """A card whose anchor is the claim's id, so that ``[text](#claim-id)`` reaches it from any page."""
    kind = _slug(row["verdict"])
    card = nodes.container(classes=["verdict", f"is-{kind}"], ids=[row["id"]])
    card["names"].append(nodes.fully_normalize_name(row["id"]))
    renderer.renderer.document.note_explicit_target(card, card)
    unit = "" if row.get("unit") in (None, "unstated", "text") else row["unit"]
    foreign = bool(re.search(r"[\u4e00-\u9fff]", row.get("stated_text") or "")) and row.get("stated_low") is not None
    computed = _value(row.get("computed_value"), _digits(row.get("tolerance")))
    numbers = [
        ("stated", stated_value(row) if foreign else row.get("stated_text") or ""),
        ("as printed", row["stated_text"] if foreign else ""),
        (
            "computed",
            f"{computed} {unit}".strip() if computed and not isinstance(row["computed_value"], str) else computed,
        ),
        ("ratio", _value(row.get("ratio"))),
        ("tolerance", _value(row.get("tolerance"))),
        ("flips at", _flip(row.get("flips_at"))),
    ]
    grid = "".join(f"<div><dt>{name}</dt><dd>{escape(text)}</dd></div>" for name, text in numbers if text)
    head = (
        f'<p class="verdict-head"><a class="verdict-id" href="#{escape(row["id"])}">{escape(row["id"])}</a>'
        f'<span class="verdict-badge is-{kind}">{escape(row["verdict"])}</span></p>'
        f'<p class="verdict-statement">{escape(row["statement"])}</p><dl class="verdict-numbers simple">{grid}</dl>'
    )
    card += nodes.raw("", head, format="html")
    reason = nodes.container(classes=["verdict-reason"])
    text = MimeData("text/markdown", row.get("reason") or "", cell_metadata=data.cell_metadata, line=data.line)
    reason += renderer.render_markdown(text)
    card += reason
    return [card]


def result(renderer: Any, data: Any, row: Mapping[str, Any]) -> list[nodes.Element]:
    """One small line with the name, value and unit of a result."""
    note = row.get("note") or row.get("text") or ""
    html = (
        f'<p class="book-result"><code>{escape(row["name"])}</code> = '
        f"<strong>{escape(_value(row['value'], 4))}</strong> {escape(row.get('unit') or '')}"
        f"{f' <span>{escape(note)}</span>' if note else ''}</p>"
    )
    return [nodes.raw("", html, format="html")]


def opening(renderer: Any, data: Any, row: Mapping[str, Any]) -> list[nodes.Element]:
    """The two parts of a chapter's opening, between which its figure comes."""
    made = Opening(**row)
    return [nodes.raw("", html, format="html", opening=True) for html in (made.head(), made.foot())]


def mark_verdict_cells(app: Any, doctree: nodes.document) -> None:
    """Give table cells that say a verdict, and nothing else, the verdict's colours."""
    for cell in doctree.findall(nodes.entry):
        text = cell.astext().strip()
        if text in VERDICTS:
            cell["classes"] += ["verdict-cell", f"is-{_slug(text)}"]


def fold_code(app: Any, doctree: nodes.document) -> None:
    """Put hidden cells that show nothing behind the switch of the hidden cell that follows."""
    for cell in list(doctree.findall(_is_hidden_code)):
        follower = cell.next_node(descend=False, siblings=True)
        if len(cell.children) == 1 and follower is not None and _is_hidden_code(follower):
            follower.children[0].insert(0, cell.children[0].children)
            cell.parent.remove(cell)


def _is_hidden_code(node: nodes.Node) -> bool:
    """Whether a node is a code cell of which the code, and only that, is hidden."""
    return isinstance(node, nodes.container) and bool(node.children) and node.get("hide_mode") == "input"


def _slug(text: str) -> str:
    return text.replace(" ", "-")


def _value(value: Any, digits: int = 3) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, list):
        return "; ".join(_value(part, digits) for part in value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if isinstance(value, int) and abs(value) < 1e6:
            return f"{value:,}"
        return show(value, digits=digits, words=abs(value) >= 1e6)
    return str(value)


def _digits(tolerance: Any) -> int:
    """Four significant digits where three could not tell a value that holds from one that fails."""
    found = re.fullmatch(r"±([\d.]+)%", str(tolerance))
    return 4 if tolerance == "exact" or (found and float(found[1]) < 0.5) else 3


def _flip(flips_at: Any) -> str:
    if not isinstance(flips_at, Mapping):
        return str(flips_at or "")
    text = f"{flips_at['parameter'].replace('_', ' ')} = {_value(flips_at['value'], 4)} {flips_at.get('unit') or ''}"
    return flips_at.get("text") or text.strip()
