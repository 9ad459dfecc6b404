"""What a chapter's code says that its results hang on, read from the code alone, without running it.

A cell's ``record`` or ``check`` gives the expression; the assignments before it lead to the assumptions and the facts
that it uses. So a page can say where a number comes from, and a check that leaves out a fact which it reads is found.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_TABLES = {"accelerator": "hardware", "system": "systems", "model": "models", "prices_of": "gpu_prices"}
_ONE_ROW = ("accelerator", "system", "model")
_CLAIM = re.compile(r"[a-z]+[0-9]*-x?\d{2,3}")


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
    for target, value in _assigned(statement):
        chapter.hangs[target] = chapter.basis(value, table) if value is not None else whole
        if isinstance(statement, ast.Assign):
            chapter.made[target] = ast.get_source_segment(source, statement) or ""
    for call in ast.walk(statement):
        if isinstance(call, ast.Call) and _name(call) in ("record", "check") and call.args:
            pattern = _pattern(call.args[0])
            held = next((word.value for word in call.keywords if word.arg == "holds"), None)
            asked = call.args[1] if len(call.args) > 1 else held
            if pattern is None or asked is None:
                continue
            text = ast.get_source_segment(source, asked) or ""
            parts = [chapter.basis(part, table) for one in (asked, held) for part in _without_flip(one)]
            basis = _both(parts) if isinstance(statement, ast.Expr) else whole
            chapter.records.append((pattern, chapter.made.get(text, text), basis))


def _without_flip(node: ast.expr | None) -> Iterator[ast.expr]:
    """The parts of a test, but for the input that would flip it."""
    if not isinstance(node, ast.Call):
        yield from [] if node is None else [node]
        return
    yield from (node.func, *node.args, *(word.value for word in node.keywords if word.arg != "flip"))


def _both(parts: Iterable[Basis]) -> Basis:
    names, facts = zip(*parts, strict=True) if (parts := list(parts)) else ((), ())
    return frozenset().union(*names), frozenset().union(*facts)


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None]]:
    """Names that a statement binds, each with the expression that it alone gets where that is written out."""
    if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Tuple):
        (target,) = statement.targets[:1]
        values = statement.value.elts
        if isinstance(target, ast.Tuple) and len(target.elts) == len(values):
            yield from ((t.id, v) for t, v in zip(target.elts, values, strict=True) if isinstance(t, ast.Name))
            return
    yield from ((name, None) for name in _stored(statement))


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
    """Tables and items that calls in a piece of code read; the item is empty where several rows are read.

    A claim that is named to a function, or by which something is looked up, is an item of the table ``claims``.
    """
    for call in ast.walk(node):
        if isinstance(call, ast.Subscript) and _CLAIM.fullmatch(_text(call.slice)):
            yield "claims", _text(call.slice)
        if not isinstance(call, ast.Call):
            continue
        name = _name(call)
        if name not in ("check", "record"):
            yield from (("claims", _text(arg)) for arg in call.args if _CLAIM.fullmatch(_text(arg)))
        said = [_text(arg) for arg in call.args[:2]]
        if name == "fact" and said and said[0]:
            whose = isinstance(call.func, ast.Attribute) or not table
            yield (said[0], said[1] if len(said) > 1 else "") if whose else (table, said[0])
        elif name == "load" and said and said[0]:
            yield said[0], ""
        elif name in _TABLES and said:
            yield _TABLES[name], said[0] if name in _ONE_ROW else ""


def _name(call: ast.Call) -> str:
    """What is called, without what it belongs to."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _text(node: ast.expr) -> str:
    """A text that is spelt out, else nothing."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _pattern(name: ast.expr) -> re.Pattern[str] | None:
    """What names a first argument can stand for: a text, or one with gaps."""
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        return re.compile(re.escape(name.value))
    if isinstance(name, ast.JoinedStr):
        return re.compile("".join(re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in name.values))
    return None
