"""What stands behind a number in the text: the computation that recorded it, what it hangs on, and its sources.

Read from the notebook alone: a cell's ``record`` or ``check`` gives the expression, the assignments before it lead to
the assumptions and facts that it uses. A number in a sentence is tied to a record when it is printed as the book prints
that record's value, and no other record of the page is printed so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from docutils import nodes

from llm_economics import facts
from llm_economics.book import tracing
from llm_economics.facts.units import percent, show, usd

MOST = 6
"""Assumptions, and facts, that a note names."""
_DIGITS = r"\d+(?:,\d{3})*(?:\.\d+)?"
NUMBER = re.compile(rf"(?<![\w.,$])\$?{_DIGITS}(?:%| million\b| billion\b| trillion\b)?(?![\d%]|,\d|\.\d)")


def note(chapter: tracing.Chapter, name: str, value: Any, unit: str, says: str) -> dict[str, Any]:
    """What a page shows of one record: value, computation, assumptions, sources with date and confidence."""
    entry = next((one for one in chapter.records if one[0].fullmatch(name)), None)
    about: dict[str, Any] = {"name": name, "value": f"{show(value, digits=4)} {unit}".strip(), "says": says}
    if entry is None:
        return about
    _, about["formula"], (inputs, read) = entry
    about["inputs"] = sorted(inputs)[:MOST]
    sources = [_source(*one) for one in sorted(read, key=lambda one: (not one[1], one)) if one[0]]
    about["sources"] = list(dict.fromkeys(sources))[:MOST]
    return about


def _source(table: str, item: str) -> str:
    """A fact's source, date and confidence; of several rows the table, with how sure they are."""
    try:
        every = facts.store.records(table)
    except ValueError:
        return f"data/{table}.csv"
    rows = _rows_of(every, item)
    if not item or len(rows) != 1:
        return f"data/{table}.csv{_how_sure(rows or every)}"
    row = {name: str(cell) for name, cell in rows[0].items() if str(cell) not in ("", "nan")}
    origin = row.get("source_title") or row.get("source_url") or row.get("source", "")
    parts = [origin, row.get("date", ""), row.get("confidence", "")]
    return f"{item.replace('_', ' ')}: {', '.join(filter(None, parts)) or f'data/{table}.csv'}"


def _rows_of(every: list[dict[str, Any]], item: str) -> list[dict[str, Any]]:
    """The rows that an item names; where none has that very name, those whose names have all its words."""
    names = [str(row.get("item", next(iter(row.values())))) for row in every]
    rows = [row for row, name in zip(every, names, strict=True) if name == item]
    words = set(item.split())
    if rows or not words:
        return rows
    return [row for row, name in zip(every, names, strict=True) if words <= set(name.split())]


def _how_sure(rows: list[dict[str, Any]]) -> str:
    """How sure several rows are, each word once."""
    sure = sorted({str(row["confidence"]) for row in rows if "confidence" in row})
    return f" ({', '.join(sure)})" if sure else ""


# Numbers in the text


def printed(value: Any, unit: str) -> set[str]:
    """How the book prints a value, in forms that say enough to be told from other numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return set()
    forms = {show(value), show(value, words=True)}
    if "USD" in unit or "$" in unit:
        forms |= {usd(value).replace("\\", "")}
    if unit in ("fraction", "share", "%", "percent"):
        forms = {percent(value)}
    return {form for form in forms if NUMBER.fullmatch(form) and (len(re.sub(r"\D", "", form)) > 2 or form[-1] == "%")}


def mark(doctree: nodes.document, forms: Sequence[set[str]]) -> set[int]:
    """Make the numbers of a page's sentences that are records' into places that show their note; returns those used."""
    owners: dict[str, set[int]] = {}
    for place, own in enumerate(forms):
        for form in own:
            owners.setdefault(form, set()).add(place)
    alone = {form: next(iter(places)) for form, places in owners.items() if len(places) == 1}
    used: set[int] = set()
    for text in list(doctree.findall(nodes.Text)):
        if _in_sentence(text):
            parts = list(_parts(text.astext(), alone, used))
            if any(isinstance(part, nodes.raw) for part in parts):
                text.parent.replace(text, parts)
    return used


def _in_sentence(text: nodes.Text) -> bool:
    outside = (nodes.title, nodes.literal, nodes.literal_block, nodes.reference, nodes.table, nodes.raw, nodes.math)
    node, inside = text.parent, False
    while node is not None:
        if isinstance(node, outside):
            return False
        inside = inside or isinstance(node, (nodes.paragraph, nodes.list_item))
        node = node.parent
    return inside


def _parts(text: str, alone: Mapping[str, int], used: set[int]) -> Iterator[nodes.Node]:
    at = 0
    for found in NUMBER.finditer(text):
        place = alone.get(found[0])
        if place is None:
            continue
        used.add(place)
        if found.start() > at:
            yield nodes.Text(text[at : found.start()])
        yield nodes.raw("", noted(found[0], place), format="html")
        at = found.end()
    if at < len(text):
        yield nodes.Text(text[at:])


def noted(text: str, place: int) -> str:
    """A number that shows its note when it is pointed at, focused or tapped."""
    return f'<span class="noted" tabindex="0" role="button" data-note="{place}">{escape(text)}</span>'
