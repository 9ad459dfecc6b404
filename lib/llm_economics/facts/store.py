"""The files of ``data/``, each row validated when it is loaded: units, dense or sparse, date, source, magnitude.

:func:`load` gives a file as a frame, :func:`fact` one number. A row that is not allowed stops with one line that
names file, row (as a spreadsheet counts, the header is row 1), column, value and what is allowed.

``python -m llm_economics.facts.store`` writes the tables of columns in ``data/README.md`` anew from ``rows``.
"""

from __future__ import annotations

import csv
import difflib
import io
import os
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from llm_economics.facts import bounds
from llm_economics.facts.rows import FILES, OF_READERS, ClaimRow, Row, SourcedRow, as_number
from llm_economics.formulas.elementwise import ParameterError, cleaned

if TYPE_CHECKING:
    import pandas

PACKAGE = Path(__file__).resolve().parents[1]
ROOT = PACKAGE.parents[1]
"""The folder that holds ``data/`` and ``chapters/``; an installed wheel has no chapters."""
DATA = PACKAGE / "data" if (PACKAGE / "data").is_dir() else ROOT / "data"
"""The facts: beside the library where it came as a wheel, else the book's own."""

READERS_FOLDER = "LLM_ECONOMICS_DATA"
"""Name of the variable by which :func:`readers_folder` reaches the processes that execute chapters."""


class CatalogError(ParameterError):
    """A file, row, column or name of the catalog is not allowed; the message is one line."""


def load(name: str, root: Path | str | None = None) -> pandas.DataFrame:
    """The validated file ``data/<name>.csv`` as a frame of its own; ``root`` is another folder to read from.

    Empty cells are NaN (None for booleans) in columns of numbers and "" in columns of text.

    Raises
    ------
    CatalogError
        If there is no such file, or a row of it is not allowed.
    """
    files = FILES if root is None else FILES | OF_READERS
    return _frame(known(name, files, "file"), Path(root) if root is not None else DATA).copy()


def readers_folder() -> Path | None:
    """The folder of a reader's own data that a run was given (``run --data``), None without one."""
    folder = os.environ.get(READERS_FOLDER)
    return Path(folder) if folder else None


def fact(name: str, item: str, unit: str | None = None, root: Path | str | None = None, **where: str) -> float:
    """The number of the one row of a fact file that has this ``item`` (and ``where``: other columns and their cells).

    Raises
    ------
    CatalogError
        If no row or several rows match, a column is not known, the value is no number, or its unit is not ``unit``.
    """
    frame = load(name, root)
    if not {"item", "value", "unit"} <= set(frame):
        raise CatalogError(f"file = {name!r} is not allowed: it has no columns item, value and unit")
    known(item, sorted(set(frame["item"])), f"data/{name}.csv, column item")
    for column in where:
        known(column, list(frame), f"data/{name}.csv, column")
    rows = frame[(frame[["item", *where]] == [item, *where.values()]).all(axis=1)]
    if len(rows) != 1:
        raise CatalogError(f"data/{name}.csv, column item: {item!r} is not allowed: {len(rows)} rows match, not one")
    row, where_it_is = rows.iloc[0], f"data/{name}.csv, row {rows.index[0] + 2} ({item})"
    value = as_number(row["value"])
    if value is None:
        raise CatalogError(f"{where_it_is}, column value: {row['value']!r} is not allowed: it is no number")
    if unit is not None and unit != row["unit"]:
        raise CatalogError(f"{where_it_is}, column unit: {unit!r} is not allowed: it is {row['unit']!r}")
    return value


def describe(name: str) -> list[tuple[str, str]]:
    """The columns that a file has beside those of every sourced file, each with its meaning and unit."""
    model = FILES[known(name, FILES, "file")]
    return [(column, model.model_fields[column].description) for column in _own(model)]


def _own(model: type[Row]) -> list[str]:
    return [column for column in model.model_fields if column not in SourcedRow.model_fields]


@cache
def _frame(name: str, root: Path) -> pandas.DataFrame:
    import pandas

    model = (FILES | OF_READERS)[name]
    rows = validated(name, root)
    columns = {}
    for column in [*_own(model), *(column for column in SourcedRow.model_fields if column in model.model_fields)]:
        field = model.model_fields[column]
        cells = [getattr(row, column) for row in rows]
        is_number = field.json_schema_extra is not None
        columns[column] = pandas.Series(cells, dtype="float64" if is_number and None in cells else None)
    return pandas.DataFrame(columns)


def validated(name: str, root: Path) -> list[Row]:
    model, file = (FILES | OF_READERS)[name], f"data/{name}.csv"
    path = root / f"{name}.csv"
    if not path.is_file():
        raise CatalogError(f"{file} is missing in {root}")
    header, cells = _cells(file, path)
    _check_header(file, header, list(model.model_fields))
    for line, row in enumerate(cells, start=2):
        if len(row) != len(header):
            raise CatalogError(f"{file}, row {line}: {len(row)} cells are not allowed: the header has {len(header)}")
    records = [{column: cell for column, cell in zip(header, row, strict=True) if cell != ""} for row in cells]
    try:
        rows = _adapter(model).validate_python(records)
    except ValidationError as errors:
        raise _as_catalog_error(file, model, records, errors) from None
    _check_keys(file, model, rows)
    if model is ClaimRow:
        _check_depends(file, rows)
    if wrong := bounds.check(name, header, cells, root if (root / "bounds.csv").is_file() else DATA):
        raise CatalogError(f"{file}, {wrong}")
    return rows


def _cells(file: str, path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a file: UTF-8, one line each, ended by a line feed alone, quotes in pairs."""
    try:
        content = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise CatalogError(f"{file}: byte {error.start} is not allowed: a file of data/ is UTF-8") from None
    if "\r" in content or not content.endswith("\n"):
        raise CatalogError(f"{file}: its lines are not allowed: each ends with a line feed, the last one too")
    try:
        header, *cells = csv.reader(content.split("\n")[:-1], strict=True)
    except (csv.Error, ValueError) as error:
        raise CatalogError(f"{file} is not allowed: it is no table in CSV ({cleaned(error)})") from None
    plain = io.StringIO()
    csv.writer(plain, lineterminator="\n").writerows([header, *cells])
    if plain.getvalue() != content:
        pairs = zip(plain.getvalue().split("\n"), content.split("\n"), strict=False)
        row = next(i for i, (ours, theirs) in enumerate(pairs, start=1) if ours != theirs)
        raise CatalogError(f"{file}, row {row}: its quotes are not allowed: they stand where a cell needs them")
    return header, cells


@cache
def _adapter(model: type[Row]) -> TypeAdapter:
    model.model_rebuild()
    return TypeAdapter(list[model])


def _check_header(file: str, header: list[str], columns: list[str]) -> None:
    def refuse(column: str, why: str) -> None:
        raise CatalogError(f"{file}, row 1 (header), column {column}: {column!r} is not allowed: {why}")

    for column in header:
        if column not in columns:
            refuse(column, f"the columns are {', '.join(columns)}")
        if header.count(column) > 1:
            refuse(column, "it stands there twice")
    for column in columns:
        if column not in header:
            raise CatalogError(f"{file}, row 1 (header), column {column}: it is missing")


def _as_catalog_error(file: str, model: type[Row], records: list[dict], errors: ValidationError) -> CatalogError:
    error = errors.errors(include_url=False)[0]
    index, *rest = error["loc"]
    context = error.get("ctx", {})
    column = str(rest[0]) if rest else context.get("column", "?")
    value = records[index].get(column, "")
    label = records[index].get((model.key or tuple(model.model_fields))[0], "")
    return CatalogError(
        f"{file}, row {index + 2} ({label[:60]}), column {column}: {value[:80]!r} is not allowed: "
        f"{_allowed(error['type'], context, model, column)}"
    )


def _allowed(kind: str, context: dict[str, Any], model: type[Row], column: str) -> str:
    """What a column allows, in words, from the kind of error that pydantic names."""
    field = model.model_fields.get(column)
    extra = (field.json_schema_extra or {}) if field else {}
    unit = f" {extra['unit']}" if "unit" in extra else ""
    match kind:
        case "row":
            return context["allowed"]
        case "missing" | "string_too_short":
            return "a value is needed"
        case "greater_than_equal":
            return f"at least {context['ge']:g}{unit}"
        case "less_than_equal":
            return f"at most {context['le']:g}{unit}"
        case "literal_error":
            return f"it must be one of {context['expected']}"
        case "string_pattern_mismatch":
            return f"it must be {field.description}"
        case "int_parsing" | "int_from_float":
            return f"a whole number{unit and ','}{unit} is needed"
        case "float_parsing" | "finite_number":
            return f"a number{unit and ','}{unit} is needed"
        case "bool_parsing":
            return "it must be True or False"
    return kind.replace("_", " ")


def _check_keys(file: str, model: type[Row], rows: list[Row]) -> None:
    seen: dict[tuple, int] = {}
    for line, row in enumerate(rows, start=2):
        key = tuple(getattr(row, column) for column in model.key) or tuple(row.__dict__.values())
        if key in seen:
            column = model.key[0] if model.key else next(iter(model.model_fields))
            shown = " / ".join(str(part) for part in (key if model.key else key[:3]))
            raise CatalogError(
                f"{file}, row {line} ({shown[:90]}), column {column}: {str(key[0])!r} is not allowed: "
                f"row {seen[key]} has the same {' and '.join(model.key) or 'cells'}"
            )
        seen[key] = line


def _check_depends(file: str, rows: list[Row]) -> None:
    known = {row.id for row in rows}
    for line, row in enumerate(rows, start=2):
        for part in filter(None, row.depends_on.split(";")):
            if part not in known or part == row.id:
                raise CatalogError(
                    f"{file}, row {line} ({row.id}), column depends_on: {part!r} is not allowed: "
                    f"{'a row cannot depend on itself' if part == row.id else 'no row has this id'}"
                )


def known(name: str, names: Any, what: str) -> str:
    if name in names:
        return name
    near = difflib.get_close_matches(str(name), list(names), n=3, cutoff=0.4) or sorted(names)
    raise CatalogError(f"{what} = {str(name)[:60]!r} is not allowed: it is not known; nearest are {', '.join(near)}")


def nearest(wanted: str, names: Mapping[str, str]) -> list[str]:
    """Up to three names whose plain spelling, the key, is closest; several spellings of one name count once."""
    near = difflib.get_close_matches(wanted, names, n=6, cutoff=0.4)
    return list(dict.fromkeys(names[key] for key in near))[:3]


def plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", str(name).lower())


# ---------------------------------------------------------------------------------------------------------------------
# The tables of columns in data/README.md


def columns_table(name: str) -> str:
    """The columns of a file as a table in Markdown; ``name`` may be "every file" for those that all of them share."""
    if name == "every file":
        rows = [(column, field.description) for column, field in SourcedRow.model_fields.items()]
    else:
        rows = describe(name)
    return "\n".join(["| column | holds |", "|---|---|", *(f"| {column} | {meaning} |" for column, meaning in rows)])


def with_tables(readme: str) -> str:
    """The text of ``data/README.md`` with the table after each ``<!-- columns: NAME -->`` written anew."""

    def table(match: re.Match) -> str:
        return f"{match[1]}\n{columns_table(match[2])}\n"

    return re.sub(r"(<!-- columns: ([\w ]+) -->)\n(?:\|.*\n)*", table, readme)


if __name__ == "__main__":
    readme = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "README.md"
    readme.write_text(with_tables(readme.read_text(encoding="utf-8")), encoding="utf-8")
