"""How the site shows the outputs that are the book's own: charts, verdicts and named results."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from typing import Any, ClassVar

from docutils import nodes

from llm_economics.book.claims import RESULT_MIME
from llm_economics.book.drawing import MIME as CHART_MIME
from llm_economics.book.drawing import SVG
from llm_economics.book.judging import BASIS_MIME, VERDICT_MIME, VERDICTS
from llm_economics.book.openings import OPENING_MIME, Opening
from llm_economics.site import charts
from llm_economics.site.ledger import slug, verdict


class BookOutputs:
    """MIME renderer of myst-nb (entry point ``myst_nb.mime_renderers``)."""

    mime_priority_overrides: ClassVar = [
        (builder, mime, 1)
        for builder in ("html", "dirhtml", "singlehtml")
        for mime in (CHART_MIME, VERDICT_MIME, RESULT_MIME, OPENING_MIME, BASIS_MIME)
    ]

    @staticmethod
    def handle_mime(renderer: Any, data: Any, inline: bool) -> list[nodes.Element] | None:
        """The nodes of one output, or None for what is not the book's own."""
        if inline:
            return None
        if data.mime_type == BASIS_MIME or (data.mime_type == "text/markdown" and _has_own(renderer, data)):
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
    mark = f"verdict-cell is-{slug(text)}" if text in VERDICTS else "long-cell" if len(text) > 60 else ""
    if not mark:
        return cell[0]
    given = re.search(r'\bclass="([^"]*)"', cell[1])
    return f'<td class="{f"{given[1]} {mark}" if given else mark}">{cell[2]}</td>'


def chart(renderer: Any, data: Any, spec: Mapping[str, Any]) -> list[nodes.Element]:
    """A figure with an address: title, control and read-out, the picture for everybody, and room for the drawing."""
    cell = renderer.renderer.nb_client.notebook["cells"][data.cell_index]
    name = f"figure-{cell['id']}" + (f"-{data.output_index}" if data.output_index else "")
    moved = charts.moved(spec)
    description = escape(spec.get("description", ""))
    figure = {"id": name, "spec": spec, "wide": dressed_picture(renderer, data)}
    kind = "book-chart is-guessing" if moved and moved.guess else "book-chart"
    opening = (
        f'<figure class="{kind}" id="{name}" aria-label="{description}">'
        f'<figcaption class="book-chart-title">{escape(charts.title_of(spec))}</figcaption>'
        f'{_control(moved, name) if moved else ""}<div class="book-chart-view">'
    )
    picture = nodes.raw("", "", format="html", book_picture=figure, book_alt=description)
    saves = "".join(
        f'<button type="button" data-save="{kind}">{kind.upper()}</button>' for kind in ("csv", "svg", "png")
    )
    closing = (
        f'</div><p class="book-chart-links"><a class="book-chart-link" href="#{name}">Link to this figure</a>'
        f'<span class="pst-js-only">{saves}</span></p></figure>'
    )
    return [
        nodes.raw("", opening, format="html", book_chart={"id": name, "spec": spec}),
        picture,
        nodes.raw("", closing, format="html"),
    ]


def dressed_picture(renderer: Any, data: Any) -> str:
    """The output's SVG as the page shows it, empty if it has none."""
    svg = _bundle(renderer, data).get(SVG)
    return charts.dressed("".join(svg)) if svg else ""


IN_THE_TEXT = "in the text"


def _control(moved: charts.Moved, name: str) -> str:
    """The handle, its value, marks below it, and the large read-out: what a page shows before any script has run."""
    last, label = len(moved.values) - 1, escape(moved.labels[moved.start])
    state = json.dumps(moved.state(), separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
    return (
        f'{_question(moved)}<div class="book-chart-controls"><label for="{name}-handle">{escape(moved.title)}</label>'
        f'<div class="book-chart-slide"><input type="range" id="{name}-handle" min="0" max="{last}" step="1" '
        f'value="{moved.start}" aria-valuetext="{label}" autocomplete="off">{_marks(moved, last)}</div>'
        f'<output class="book-chart-value" for="{name}-handle">{label}</output>'
        '<button type="button" class="book-chart-reset" hidden>Reset</button></div>'
        f'<output class="book-chart-readout" aria-live="polite">{escape(moved.readouts[moved.start])}</output>'
        f"{_pace(moved)}"
        f'<script type="application/json" class="book-chart-state">{state}</script>'
    )


def _marks(moved: charts.Moved, last: int) -> str:
    """Where the text stands and what flips, below the slider; a mark that would meet another stands a line lower."""
    places: dict[int, list[str]] = {}
    for text, place in ({IN_THE_TEXT: moved.start} | moved.marks).items():
        places.setdefault(place, []).append(text)
    ends: list[float] = []  # of the texts in each line, in letters of a phone's slider
    ticks = []
    for place, texts in sorted(places.items()):
        text, at = " · ".join(texts), place / max(last, 1)
        left = at * (LETTERS - len(text))
        line = next((i for i, end in enumerate(ends) if end + 2 < left), len(ends))
        ends[line : line + 1] = [left + len(text)]
        ticks.append(f'<span class="book-chart-mark" style="--at:{at:.4g};--line:{line}">{escape(text)}</span>')
    return f'<div class="book-chart-marks" style="--lines:{len(ends)}" aria-hidden="true">{"".join(ticks)}</div>'


LETTERS = 46
"""Letters of a mark that fit below the slider of a phone."""


def _question(moved: charts.Moved) -> str:
    """What a reader is asked to guess before the chart shows; without scripts it shows at once."""
    if not moved.guess:
        return ""
    button = '<button type="button">Show what was measured</button>'
    return f'<p class="book-chart-guess pst-js-only"><strong>Guess first:</strong> {escape(moved.guess)} {button}</p>'


def _pace(moved: charts.Moved) -> str:
    """A text that runs at the speed that the handle sets."""
    if not moved.pace:
        return ""
    return (
        '<p class="book-chart-pace pst-js-only"><button type="button">Read on at this speed</button> <span></span></p>'
    )


def _bundle(renderer: Any, data: Any) -> Mapping[str, Any]:
    """All MIME types of the output that ``data`` belongs to."""
    _, outputs = renderer.renderer.nb_client.code_cell_outputs(data.cell_index)
    return outputs[data.output_index].get("data", {})


def _has_own(renderer: Any, data: Any) -> bool:
    return data.output_index is not None and bool({VERDICT_MIME, RESULT_MIME} & set(_bundle(renderer, data)))


def result(renderer: Any, data: Any, row: Mapping[str, Any]) -> list[nodes.Element]:
    """Nothing to be seen: numbers of the text that are this result show where they come from."""
    record = {"name": row["name"], "value": row["value"], "unit": row.get("unit") or "", "says": row.get("note") or ""}
    return [nodes.raw("", "", format="html", book_record=record)]


def opening(renderer: Any, data: Any, row: Mapping[str, Any]) -> list[nodes.Element]:
    """The two parts of a chapter's opening, between which its figure comes."""
    made = Opening(**row)
    parts = (made.head(), made.foot())
    return [nodes.raw("", html, format="html", opening=True, book_result=made.result) for html in parts]


def mark_verdict_cells(app: Any, doctree: nodes.document) -> None:
    """Give table cells that say a verdict, and nothing else, the verdict's colours."""
    for cell in doctree.findall(nodes.entry):
        text = cell.astext().strip()
        if text in VERDICTS:
            cell["classes"] += ["verdict-cell", f"is-{slug(text)}"]


_BY_NUMBER = re.compile(r"<tr\b(?=[^>]*>\s*<t[hd]\b[^>]*>\s*[\d.,]+\s*</t[hd]>)(?! class)")
"""The beginning of a row whose first cell is a number, which says nothing without the head of its column."""


def name_cells(html: str) -> str:
    """Write on each cell of a table what the head of its column says, for phones, which show rows as cards."""
    return re.sub(r"<table\b.*?</table>", _name_cells_of_table, html, flags=re.DOTALL)


def _name_cells_of_table(table: re.Match[str]) -> str:
    head, marked, body = table[0].partition("</thead>")
    lines = re.findall(r"<tr\b.*?</tr>", head, re.DOTALL)
    if not marked or not lines or "colspan" in table[0] or "rowspan" in table[0]:
        return table[0]
    heads = [_plain(cell) for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", lines[-1], re.DOTALL)]

    def row(found: re.Match[str]) -> str:
        names = iter(heads)
        cells = re.sub(r"<(t[hd])\b", lambda cell: _named(cell[1], next(names, "")), found[0])
        return _BY_NUMBER.sub('<tr class="by-number"', cells, count=1)

    opened = re.sub(r'(<table\b[^>]*?\bclass=")', r"\1cards ", head, count=1)
    opened = opened if opened != head else head.replace("<table", '<table class="cards"', 1)
    return opened + marked + re.sub(r"<tr\b.*?</tr>", row, body, flags=re.DOTALL)


def _named(tag: str, head: str) -> str:
    return f'<{tag} data-head="{head}"' if head else f"<{tag}"


def _plain(html: str) -> str:
    """The text of some HTML, as an attribute may hold it."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split()).replace('"', "&quot;")
