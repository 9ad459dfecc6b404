"""What stands behind a number in the text: the computation that recorded it, what it hangs on, and its sources.

Read from the notebook alone: a cell's ``record`` or ``check`` gives the expression, the assignments before it lead to
the assumptions and facts that it uses. A number in a sentence is tied to a record when it is printed as the book prints
that record's value, and no other record of the page is printed so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from docutils import nodes

from llm_economics import facts
from llm_economics.facts.units import percent, show, usd

MOST = 6
"""Assumptions, and facts, that a note names."""
_DIGITS = r"\d+(?:,\d{3})*(?:\.\d+)?"
NUMBER = re.compile(rf"(?<![\w.,$])\$?{_DIGITS}(?:%| million\b| billion\b| trillion\b)?(?![\d%]|,\d|\.\d)")
_TABLES = {"accelerator": "hardware", "system": "systems", "model": "models", "prices_of": "gpu_prices"}


Basis = tuple[frozenset[str], frozenset[tuple[str, str]]]
"""What a value hangs on: names of assumptions, and facts as table and item."""


@dataclass
class Chapter:
    """What a chapter's code says: on what each name hangs where the code has got to, and what it has recorded."""

    parameters: set[str] = field(default_factory=set)
    hangs: dict[str, Basis] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    records: list[tuple[re.Pattern[str], str, Basis]] = field(default_factory=list)

    def basis(self, node: ast.AST, table: str) -> Basis:
        """On what a piece of code hangs, by the names that it takes from outside."""
        names = _loaded(node)
        known = [self.hangs[name] for name in names if name in self.hangs]
        inputs = frozenset(names & self.parameters).union(*(one[0] for one in known))
        return inputs, frozenset(_facts(node, table)).union(*(one[1] for one in known))


def read(cells: Iterable[Mapping[str, Any]]) -> Chapter:
    """Read the code cells of a notebook; a cell that is no plain Python says nothing."""
    chapter, table = Chapter(), ""
    for cell in cells:
        source = "".join(cell.get("source", ""))
        try:
            tree = ast.parse(source) if cell.get("cell_type") == "code" else ast.Module([], [])
        except SyntaxError:
            continue
        if "parameters" in cell.get("metadata", {}).get("tags", ()):
            chapter.parameters |= {node.target.id for node in tree.body if isinstance(node, ast.AnnAssign)}
            continue
        found = re.search(r"partial\(facts\.fact, [\"'](\w+)[\"']\)", source)
        table = found[1] if found else table
        for statement in tree.body:
            _learn(chapter, statement, source, table)
    return chapter


def _learn(chapter: Chapter, statement: ast.stmt, source: str, table: str) -> None:
    whole = chapter.basis(statement, table)
    for target in _stored(statement):
        chapter.hangs[target] = whole
        if isinstance(statement, ast.Assign):
            chapter.made[target] = ast.get_source_segment(source, statement) or ""
    for call in ast.walk(statement):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("record", "check") and len(call.args) > 1:
            pattern = _pattern(call.args[0])
            text = ast.get_source_segment(source, call.args[1]) or ""
            basis = chapter.basis(call.args[1], table) if isinstance(statement, ast.Expr) else whole
            if pattern is not None:
                chapter.records.append((pattern, chapter.made.get(text, text), basis))


def _loaded(node: ast.AST) -> set[str]:
    """The names that a piece of code takes from outside itself."""
    names = [inner for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    own = {inner.arg for inner in ast.walk(node) if isinstance(inner, ast.arg)}
    for inner in ast.walk(node):
        if isinstance(inner, ast.comprehension) or (isinstance(node, ast.FunctionDef) and inner is not node):
            own |= {
                name.id for name in ast.walk(inner) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
            }
    return {name.id for name in names if isinstance(name.ctx, ast.Load)} - own


def _stored(statement: ast.stmt) -> set[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _facts(node: ast.AST, table: str) -> Iterator[tuple[str, str]]:
    """Tables and items that calls in a piece of code read; the item is empty where several rows are read."""
    for call in ast.walk(node):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        said = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if name == "fact" and said:
            yield (said[0], said[1]) if isinstance(call.func, ast.Attribute) and len(said) > 1 else (table, said[0])
        elif name == "load" and said:
            yield said[0], ""
        elif name in _TABLES and said:
            yield _TABLES[name], said[0]


def _pattern(name: ast.expr) -> re.Pattern[str] | None:
    """What names a first argument can stand for: a text, or one with gaps."""
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        return re.compile(re.escape(name.value))
    if isinstance(name, ast.JoinedStr):
        return re.compile("".join(re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in name.values))
    return None


def note(chapter: Chapter, name: str, value: Any, unit: str, says: str) -> dict[str, Any]:
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
    """A fact's source, date and confidence; of several rows the table."""
    try:
        frame = facts.load(table)
    except ValueError:
        return f"data/{table}.csv"
    key = "item" if "item" in frame else frame.columns[0]
    rows = frame[frame[key].astype(str) == item]
    if not item or len(rows) != 1:
        return f"data/{table}.csv"
    row = {name: str(cell) for name, cell in rows.iloc[0].items() if str(cell) not in ("", "nan", "None", "<NA>")}
    parts = [row.get("source_title", row.get("source", "")), row.get("date", ""), row.get("confidence", "")]
    return f"{item.replace('_', ' ')}: {', '.join(filter(None, parts)) or f'data/{table}.csv'}"


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
