"""How large each number of ``data/`` may be, in which unit, and how many rows there are: a second book of the facts.

``data/bounds.csv`` holds it, apart from the numbers themselves, so that a slip of a thousand, a unit that was exchanged
or a file that ends too early is refused though every cell is well formed. A range is stated once, one digit at either
end and at least a factor of five around the facts, and new facts have to lie in it or widen it in the open;
``python -m llm_economics.facts.bounds`` proposes the lines for what has none yet and counts the rows anew.
"""

from __future__ import annotations

import csv
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from llm_economics.facts.units import as_number

ITEMS = {
    "aged": ("id", ("predicted_value", "outcome_value", "ratio_predicted_to_outcome")),
    "databricks": ("quantity", ("value",)),
    "gb200_factorisations": ("expression", ("value",)),
    "gpt4_leak": ("item", ("arithmetic_check",)),
    "serving_validation": ("id", ("published_value", "check_value")),
}
"""The column that says what a row is about and those of its numbers, where they are not ``item`` and ``value``."""
COLUMNS = ("file", "column", "item", "unit", "low", "high", "rows")
SEPARATOR = " | "
"""Between the units that a fact may have."""
_FREE = {"id", "as_of", "source_title", "source_url", "confidence_note", "notes"}


def check(file: str, header: Sequence[str], cells: Sequence[Sequence[str]], root: Path) -> str | None:
    """What of a file is not allowed by the ``bounds.csv`` in ``root``, from its row on; None if nothing is."""
    book = _book(root).get(file, {})
    for (column, item), line in book.items():
        if not column:
            if len(cells) != int(line["rows"]):
                return f"row {len(cells) + 1}: {len(cells)} rows are not allowed: bounds.csv counts {line['rows']}"
        elif not item and column in header:
            wrong = _check_column(column, [row[header.index(column)] for row in cells], line)
            if wrong:
                return wrong
    about, values = ITEMS.get(file, ("item", ("value",)))
    for column in values if {about, *values} <= {*header} else ():
        rows_of = defaultdict(list)
        for i, row in enumerate(cells):
            cell = dict(zip(header, row, strict=True))
            rows_of[cell[about]].append((i, cell[column], cell.get("unit", "")))
        for item, rows in rows_of.items():
            wrong = _check_item(column, item, rows, book.get((column, item)))
            if wrong:
                return wrong
    return None


def _check_column(column: str, cells: list[str], line: Mapping[str, str]) -> str | None:
    for i, cell in enumerate(cells):
        number = as_number(cell)
        if cell and line["unit"] and cell not in line["unit"].split(SEPARATOR):
            return f"row {i + 2}, column {column}: {cell[:40]!r} is not allowed: it must be one of {line['unit']}"
        if number is not None and line["low"] and not _within(number, line):
            return _outside(i, column, cell, line)
    filled = sum(map(bool, cells))
    if filled != int(line["rows"]):
        return f"column {column}: {filled} cells are not allowed: bounds.csv counts {line['rows']}"
    return None


def _check_item(column: str, item: str, rows: list[tuple[int, str, str]], line: Mapping[str, str] | None) -> str | None:
    if line is None:
        return f"row {rows[0][0] + 2}: {item[:60]!r} is not allowed: bounds.csv has no line for its {column}"
    for i, value, unit in rows:
        if unit not in line["unit"].split(SEPARATOR):
            return f"row {i + 2} ({item[:60]}), column unit: {unit[:40]!r} is not allowed: it must be {line['unit']!r}"
        number = as_number(value)
        if line["low"] and number is None:
            return f"row {i + 2} ({item[:60]}), column {column}: {value[:40]!r} is not allowed: it must be a number"
        if line["low"] and not _within(number, line):
            return _outside(i, column, value, line, f" ({item[:60]})")
    if len(rows) != int(line["rows"]):
        return f"row {rows[0][0] + 2} ({item[:60]}): {len(rows)} rows are not allowed: bounds.csv counts {line['rows']}"
    return None


def _within(number: float, line: Mapping[str, str]) -> bool:
    return float(line["low"]) <= number <= float(line["high"])


def _outside(i: int, column: str, cell: str, line: Mapping[str, str], what: str = "") -> str:
    return (
        f"row {i + 2}{what}, column {column}: {cell[:40]!r} is not allowed: "
        f"it must be {line['low']} to {line['high']} (bounds.csv)"
    )


@cache
def _book(root: Path) -> dict[str, dict[tuple[str, str], dict[str, str]]]:
    book: dict[str, dict[tuple[str, str], dict[str, str]]] = defaultdict(dict)
    with (root / "bounds.csv").open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            book[line["file"]][line["column"], line["item"]] = line
    return book


def propose(file: str, header: Sequence[str], cells: Sequence[Sequence[str]], old: Mapping) -> Iterable[dict[str, str]]:
    """The lines of a file: those that stand, with rows counted anew, and new ones for what has none."""
    yield dict(zip(COLUMNS, (file, "", "", "", "", "", str(len(cells))), strict=True))
    about, numbers = ITEMS.get(file, ("item", ("value",)))
    numbers = numbers if {about, *numbers} <= {*header} else ()
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in cells if numbers else ():
        groups[row[header.index(about)]].append(dict(zip(header, row, strict=True)))
    for column in numbers:
        for item, rows in groups.items():
            units = SEPARATOR.join(sorted({row.get("unit", "") for row in rows}))
            line = old.get((column, item))
            low, high = (line["low"], line["high"]) if line else _range([row[column] for row in rows])
            yield dict(zip(COLUMNS, (file, column, item, units, low, high, str(len(rows))), strict=True))
    for column in header:
        values = [row[header.index(column)] for row in cells if row[header.index(column)]]
        if column in _FREE or column.endswith("date") or column in numbers or (numbers and column == "unit"):
            continue
        if column == "unit":
            units = SEPARATOR.join(sorted(set(values)))
            yield dict(zip(COLUMNS, (file, column, "", units, "", "", str(len(values))), strict=True))
        line = old.get((column, ""))
        low, high = (line["low"], line["high"]) if line else _range(values, mixed=True)
        if low:
            yield dict(zip(COLUMNS, (file, column, "", "", low, high, str(len(values))), strict=True))


def _range(values: list[str], mixed: bool = False) -> tuple[str, str]:
    """Bounds of cells that are numbers, or, where they may be ``mixed`` with words, of those half that are."""
    found = [as_number(value) for value in values]
    numbers = [number for number in found if number is not None and math.isfinite(number)]
    if not numbers or len(numbers) < len(found) * (0.5 if mixed else 1):
        return "", ""
    low, high = min(numbers), max(numbers)
    return _outward(low, -1), _outward(high, 1)


def _outward(number: float, way: int) -> str:
    """A bound of one digit, a factor of five or a little more beyond a number."""
    if number == 0:
        return "0"
    grows = (number > 0) == (way > 0)
    far = abs(number) * (5 if grows else 0.2)
    step = 10.0 ** math.floor(math.log10(far))
    digit = math.ceil(far / step) if grows else math.floor(far / step)
    return f"{math.copysign(digit * step, number):g}"


def main(root: Path) -> None:
    """Write ``bounds.csv`` of a folder anew."""
    old = _book(root) if (root / "bounds.csv").is_file() else {}
    lines: list[dict[str, str]] = []
    for path in sorted(root.glob("*.csv")):
        if path.stem != "bounds":
            header, *cells = csv.reader(path.read_text(encoding="utf-8").splitlines())
            lines += propose(path.stem, header, cells, old.get(path.stem, {}))
    lines.append(dict.fromkeys(COLUMNS, "") | {"file": "bounds", "rows": str(len(lines) + 1)})
    with (root / "bounds.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[3] / "data")
