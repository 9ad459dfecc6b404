"""What changed between two runs, or between the committed book and a run: verdicts, values, assumptions."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from llm_economics.book import records
from llm_economics.book.claims import text_of
from llm_economics.facts import ROOT
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import notebooks, runs

COLUMNS = ("change", "chapter", "name", "unit", "before", "after", "relative", "text")
"""Columns of ``comparison.csv``; ``change`` is *verdict*, *value* or *parameter*."""
SMALLEST = 1e-6
"""Relative change below which a value counts as the same; records carry six significant digits."""
BOOK_TITLE = "the book"


@dataclass(frozen=True)
class Flip:
    """A claim whose verdict changed, with what was computed before and after."""

    id: str
    chapter: str
    statement: str
    before: str
    after: str
    unit: str
    computed_before: Any
    computed_after: Any


@dataclass(frozen=True)
class Move:
    """A computed value that changed; ``relative`` is after ÷ before − 1, None where there is no such ratio."""

    kind: str
    chapter: str
    name: str
    unit: str
    before: Any
    after: Any
    relative: float | None


@dataclass(frozen=True)
class Changed:
    """An assumption that differs."""

    chapter: str
    name: str
    unit: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Comparison:
    """What changed in the chapters that both sides have; moves come the largest first."""

    before: str
    after: str
    chapters: tuple[str, ...]
    verdicts: int
    values: int
    parameters: tuple[Changed, ...]
    flipped: tuple[Flip, ...]
    moved: tuple[Move, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """The comparison as plain data."""
        return asdict(self)

    @property
    def headline(self) -> str:
        """What changed, in a few words."""
        verdicts = f"{len(self.flipped)} of {self.verdicts} verdicts flip"
        return f"{verdicts}, {len(self.moved)} of {self.values} values move"


def book() -> dict[str, Any]:
    """The committed book as a run's ``results.json`` has it."""
    chapters = notebooks.chapters()
    return {"title": BOOK_TITLE, **runs.found_in(ROOT / "chapters", chapters)}


def load(folder: Path) -> dict[str, Any]:
    """``results.json`` of a run.

    Raises
    ------
    ParameterError
        If the folder holds no finished run, or the results are of another run than its notebooks.
    """
    path = folder / "results.json"
    try:
        found = records.read(path, records.Results)
    except ParameterError as error:
        how = f"make it with `llm-economics run --out {folder}`"
        raise ParameterError(f"{folder} holds no results.json of a run: {error}; {how}") from None
    now = (runs.read_manifest(folder) or {}).get("run")
    if now and found.get("run", now) != now:
        raise ParameterError(f"{path} is of an earlier run than the notebooks beside it: finish that run first")
    return found


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
    """Hold two runs' results against each other, over the chapters that both have."""
    both = [slug for slug in after["parameters"] if slug in before["parameters"]]
    old_verdicts, new_verdicts = _verdicts(before, both), _verdicts(after, both)
    shared = [key for key in new_verdicts if key in old_verdicts]
    flipped = []
    for key in shared:
        old, new = old_verdicts[key], new_verdicts[key]
        if old["verdict"] != new["verdict"]:
            computed = {"computed_before": old["computed_value"], "computed_after": new["computed_value"]}
            same = {name: new[name] for name in ("id", "chapter", "statement", "unit")}
            flipped.append(Flip(**same, before=old["verdict"], after=new["verdict"], **computed))
    old_values, new_values = _values(before, both), _values(after, both)
    moved = [
        Move(*key, unit, old_values[key][0], value, relative(old_values[key][0], value))
        for key, (value, unit) in new_values.items()
        if key in old_values and _differ(old_values[key][0], value)
    ]
    old_names, new_names = ({(chapter, name) for _, chapter, name in side} for side in (old_values, new_values))
    return Comparison(
        before["title"],
        after["title"],
        tuple(both),
        len(shared),
        sum(key in old_values for key in new_values),
        tuple(_parameters(before, after, both)),
        tuple(flipped),
        tuple(sorted(moved, key=lambda move: (-_size(move), move.chapter, move.name))),
        tuple(f"{chapter}: {name}" for chapter, name in sorted(old_names - new_names)),
        tuple(f"{chapter}: {name}" for chapter, name in sorted(new_names - old_names)),
    )


def _verdicts(side: Mapping[str, Any], chapters: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    return {row["id"]: row for row in side["verdicts"] if row["chapter"] in chapters}


def _values(side: Mapping[str, Any], chapters: Iterable[str]) -> dict[tuple[str, str, str], tuple[Any, str]]:
    """Computed values of claims and named results: value and unit by kind, chapter and name."""
    found = {
        ("verdict", row["chapter"], row["id"]): (row["computed_value"], row["unit"])
        for row in side["verdicts"]
        if row["chapter"] in chapters
    }
    for slug in chapters:
        found |= {("result", slug, row["name"]): (row["value"], row["unit"]) for row in side["results"][slug]}
    return found


def _parameters(before: Mapping[str, Any], after: Mapping[str, Any], chapters: Iterable[str]) -> Iterable[Changed]:
    for slug in chapters:
        for name, row in after["parameters"][slug].items():
            old = before["parameters"][slug].get(name)
            if old and old["value"] != row["value"]:
                yield Changed(slug, name, row["unit"], old["value"], row["value"])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _pairs(before: Any, after: Any) -> list[tuple[float, float]] | None:
    """The numbers of both sides, next to each other; None if they are no numbers or not as many."""
    if _is_number(before) and _is_number(after):
        return [(before, after)]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = list(zip(before, after, strict=True))
        return pairs if all(_is_number(value) for pair in pairs for value in pair) else None
    return None


def _differ(before: Any, after: Any) -> bool:
    pairs = _pairs(before, after)
    if pairs is None:
        return before != after
    return any(not math.isclose(old, new, rel_tol=SMALLEST) for old, new in pairs)


def relative(before: Any, after: Any) -> float | None:
    """After ÷ before − 1, of a list its largest; None for text, and where the number before is zero."""
    pairs = _pairs(before, after)
    if pairs is None or any(old == 0 != new for old, new in pairs):
        return None
    largest = max((new / old - 1 for old, new in pairs if old), key=abs, default=0.0)
    return float(f"{largest:.6g}") if math.isfinite(largest) else None


def _size(move: Move) -> float:
    """How large a move is, alike for a doubling and a halving; changes of sign first, then text last."""
    if move.relative is None:
        return math.inf if _pairs(move.before, move.after) else -1.0
    return math.inf if move.relative <= -1 else abs(math.log1p(move.relative))


def write(comparison: Comparison, folder: Path) -> None:
    """Write ``comparison.json`` and ``comparison.csv``."""
    notebooks.write_atomic(
        folder / "comparison.json", json.dumps(comparison.record(), indent=1, ensure_ascii=False) + "\n"
    )
    notebooks.write_atomic(folder / "comparison.csv", runs.csv_text(COLUMNS, _rows(comparison)))


def _rows(comparison: Comparison) -> Iterable[tuple[Any, ...]]:
    for row in comparison.flipped:
        yield "verdict", row.chapter, row.id, "", row.before, row.after, None, row.statement
    for row in comparison.parameters:
        yield "parameter", row.chapter, row.name, row.unit, row.before, row.after, relative(row.before, row.after), ""
    for row in comparison.moved:
        yield "value", row.chapter, row.name, row.unit, row.before, row.after, row.relative, row.kind


def percent_text(change: float | None) -> str:
    """A relative change in words."""
    if change is None:
        return ""
    return f"× {1 + change:.3g}" if change >= 1 else f"{change:+.3%}" if abs(change) < 0.01 else f"{change:+.1%}"


def lines(comparison: Comparison, longest: int = 20) -> Iterable[str]:
    """The comparison as text for a terminal, at most ``longest`` of the values that moved."""
    yield f"{comparison.before} → {comparison.after}"
    yield f"{len(comparison.chapters)} chapters: {comparison.headline}"
    if comparison.parameters:
        yield "\nassumptions"
        for name, unit, before, after, where in by_parameter(comparison):
            yield f"  {name}: {text_of(before)} → {text_of(after)} {unit}".rstrip() + f"  ({', '.join(where)})"
    if comparison.flipped:
        yield "\nverdicts that flip"
        for row in comparison.flipped:
            yield f"  {row.id}: {row.before} → {row.after}  {row.statement}"
    if comparison.moved:
        yield "\nvalues that move, the largest first"
        for row in comparison.moved[:longest]:
            change = percent_text(row.relative) or "changed"
            yield f"  {change:>9}  {row.chapter}: {row.name}  {text_of(row.before)} → {text_of(row.after)} {row.unit}"
        if len(comparison.moved) > longest:
            yield f"  … and {len(comparison.moved) - longest} more in comparison.csv"


def by_parameter(comparison: Comparison) -> list[tuple[str, str, Any, Any, list[str]]]:
    """Each assumption that differs once, with the chapters that it differs in: name, unit, before, after, chapters."""
    found: dict[tuple[Any, ...], list[str]] = {}
    for row in comparison.parameters:
        found.setdefault((row.name, row.unit, row.before, row.after), []).append(row.chapter)
    return [(*key, where) for key, where in found.items()]


def page(comparison: Comparison) -> str:
    """The comparison as a page of the run's site, in Markdown; every value and title in it is plain text."""
    assumptions = [
        [escape(name), escape(text_of(before)), escape(text_of(after)), escape(unit), ", ".join(map(_link, where))]
        for name, unit, before, after, where in by_parameter(comparison)
    ]
    flipped = [
        [
            _link(row.chapter, row.id),
            *map(escape, (row.before, row.after, row.statement)),
            escape(f"{text_of(row.computed_before)} → {text_of(row.computed_after)} {_unit(row.unit)}"),
        ]
        for row in comparison.flipped
    ]
    moved = [
        [
            _link(row.chapter, row.name if row.kind == "verdict" else ""),
            f"<code>{escape(row.name)}</code>",
            *map(escape, (percent_text(row.relative), text_of(row.before), text_of(row.after), _unit(row.unit))),
        ]
        for row in comparison.moved
    ]
    missing = [*comparison.only_before, *comparison.only_after]
    parts = [
        "# What changed",
        f"<p>From {escape(comparison.before)} to {escape(comparison.after)}. "
        f"In the {len(comparison.chapters)} chapters that were run, {comparison.headline}.</p>",
        "## Assumptions",
        _table(("assumption", "before", "after", "unit", "chapters"), assumptions),
        "## Verdicts that flip",
        _table(("claim", "before", "after", "statement", "computed"), flipped),
        "## Values that move",
        "<p>The largest first: a value that doubles ranks with one that halves.</p>" if moved else "",
        _table(("where", "name", "change", "before", "after", "unit"), moved),
        f"<p>Only on one side: {escape(', '.join(missing))}.</p>" if missing else "",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _unit(unit: str) -> str:
    return "" if unit in ("unstated", "text") else unit


def _link(chapter: str, anchor: str = "") -> str:
    target = f"#{anchor}" if anchor else ""
    return f'<a href="chapters/{escape(chapter)}.html{escape(target)}">{escape(anchor or chapter)}</a>'


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """An HTML table without empty lines, which would end it in Markdown; a verdict's cell has its colours."""
    from llm_economics.book.claims import VERDICTS

    def cell(text: str) -> str:
        kind = f' class="verdict-cell is-{text.replace(" ", "-")}"' if text in VERDICTS else ""
        return f"<td{kind}>{' '.join(text.split())}</td>"

    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    if not body:
        return "<p>None.</p>"
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    table = f'<table class="dataframe"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="output text_html wide-table">{table}</div>'
