"""The files of ``data/``, each row validated when it is loaded: units, dense or sparse, date, source, magnitude.

:func:`load` gives a file as a frame, :func:`fact` one number. A row that is not allowed stops with one line that
names file, row (as a spreadsheet counts, the header is row 1), column, value and what is allowed. What was validated
once, by these rules, is read from the cache and not validated again.

``python -m llm_economics.facts.store`` writes the tables of columns in ``data/README.md`` anew from ``rows``.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from llm_economics.facts import checked
from llm_economics.formulas.elementwise import ParameterError, cleaned

if TYPE_CHECKING:  # pydantic takes longer than all else here
    import pandas
    from pydantic import TypeAdapter, ValidationError

    from llm_economics.facts.rows import Row

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
    return _frame(name, Path(root) if root is not None else DATA).copy()


def readers_folder() -> Path | None:
    """The folder of a reader's own data that a run was given (``run --data``), None without one."""
    folder = os.environ.get(READERS_FOLDER)
    return Path(folder) if folder else None


def records(name: str, root: Path | str | None = None) -> list[dict[str, Any]]:
    """The rows of :func:`load` as dictionaries, without pandas; the errors are the same."""
    table = _table(name, Path(root) if root is not None else DATA)
    columns = {
        column: [math.nan if cell is None else float(cell) for cell in cells] if column in table["gaps"] else cells
        for column, cells in table["columns"].items()
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def fact(name: str, item: str, unit: str | None = None, root: Path | str | None = None, **where: str) -> float:
    """The number of the one row of a fact file that has this ``item`` (and ``where``: other columns and their cells).

    Raises
    ------
    CatalogError
        If no row or several rows match, a column is not known, the value is no number, or its unit is not ``unit``.
    """
    from llm_economics.facts.units import as_number

    columns, places = _columns(name, Path(root) if root is not None else DATA)
    if not {"item", "value", "unit"} <= set(columns):
        raise CatalogError(f"file = {name!r} is not allowed: it has no columns item, value and unit")
    if item not in places:
        known(item, sorted(places), f"data/{name}.csv, column item")
    for column in where:
        known(column, list(columns), f"data/{name}.csv, column")
    rows = [place for place in places[item] if all(columns[column][place] == cell for column, cell in where.items())]
    if len(rows) != 1:
        raise CatalogError(f"data/{name}.csv, column item: {item!r} is not allowed: {len(rows)} rows match, not one")
    row, where_it_is = (
        {column: cells[rows[0]] for column, cells in columns.items()},
        f"data/{name}.csv, row {rows[0] + 2} ({item})",
    )
    value = as_number(row["value"])
    if value is None:
        raise CatalogError(f"{where_it_is}, column value: {row['value']!r} is not allowed: it is no number")
    if unit is not None and unit != row["unit"]:
        raise CatalogError(f"{where_it_is}, column unit: {unit!r} is not allowed: it is {row['unit']!r}")
    return value


def describe(name: str) -> list[tuple[str, str]]:
    """The columns that a file has beside those of every sourced file, each with its meaning and unit."""
    model = _model(name)
    return [(column, model.model_fields[column].description) for column in _own(model)]


def _model(name: str, root: Path = DATA) -> type[Row]:
    from llm_economics.facts.rows import FILES, OF_READERS

    files = FILES if root == DATA else FILES | OF_READERS
    return files[known(name, files, "file")]


def _own(model: type[Row]) -> list[str]:
    from llm_economics.facts.rows import SourcedRow

    return [column for column in model.model_fields if column not in SourcedRow.model_fields]


@cache
def _frame(name: str, root: Path) -> pandas.DataFrame:
    import pandas

    table = _table.__wrapped__(name, root)  # which need not be kept beside the frame
    columns = {
        column: pandas.Series(cells, dtype="float64" if column in table["gaps"] else None)
        for column, cells in table["columns"].items()
    }
    return pandas.DataFrame(columns)


@cache
def _columns(name: str, root: Path) -> tuple[dict[str, list[Any]], dict[str, list[int]]]:
    """The cells of a file by column, and the places of each item."""
    frame, places = _frame(name, root), {}
    columns = {column: frame[column].tolist() for column in frame}
    for place, item in enumerate(columns.get("item", ())):
        places.setdefault(item, []).append(place)
    return columns, places


@cache
def _table(name: str, root: Path) -> dict[str, Any]:
    """The columns of a file, each a list of its cells, and which columns of numbers have gaps (None)."""
    if root == DATA and (found := checked.table(name, root)) is not None:
        return found
    from llm_economics.facts import cache as kept

    made_of = kept.key(str(name), *(_content(path) for path in (root / f"{name}.csv", *_rules(root))), _checker())
    found = kept.read("facts", made_of)
    if found is None:
        table = _validated(name, root)
        kept.write("facts", made_of, json.dumps(table).encode())
        return table
    return json.loads(found)


def _rules(root: Path) -> list[Path]:
    """The files that say what is allowed."""
    return [*sorted(Path(__file__).parent.glob("*.py")), *(at / "bounds.csv" for at in (root, DATA))]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@cache
def _checker() -> str:
    """Which Python and which pydantic hold rows against the rules, found without importing it."""
    spec = find_spec("pydantic")
    return f"{sys.version} {spec and (spec.origin, Path(spec.origin).stat().st_mtime_ns)}"


def validated(name: str, root: Path) -> list[SimpleNamespace]:
    """The rows of a file, their cells by name; None where a cell is empty that may be."""
    columns = _table(name, root)["columns"]
    return [SimpleNamespace(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def _validated(name: str, root: Path) -> dict[str, Any]:
    from llm_economics.facts.rows import SourcedRow

    model = _model(name, root)
    rows = _validated_rows(name, root)
    order = [*_own(model), *(column for column in SourcedRow.model_fields if column in model.model_fields)]
    columns = {column: [getattr(row, column) for row in rows] for column in order}
    numbers = _numbers(model)
    return {"columns": columns, "gaps": [column for column in numbers if None in columns[column]]}


def _numbers(model: type[Row]) -> list[str]:
    return [column for column, field in model.model_fields.items() if field.json_schema_extra is not None]


def _validated_rows(name: str, root: Path) -> list[Row]:
    from pydantic import ValidationError

    from llm_economics.facts import bounds
    from llm_economics.facts.rows import ClaimRow

    model, file = _model(name, root), f"data/{name}.csv"
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
    from pydantic import TypeAdapter

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
        f"{file}, row {index + 2} ({cleaned(label)}), column {column}: {value[:80]!r} is not allowed: "
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
                f"{file}, row {line} ({cleaned(shown, 90)}), column {column}: {str(key[0])!r} is not allowed: "
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
    import difflib

    near = difflib.get_close_matches(str(name), list(names), n=3, cutoff=0.4) or sorted(names)
    raise CatalogError(f"{what} = {str(name)[:60]!r} is not allowed: it is not known; nearest are {', '.join(near)}")


def nearest(wanted: str, names: Mapping[str, str]) -> list[str]:
    """Up to three names whose plain spelling, the key, is closest; several spellings of one name count once."""
    import difflib

    near = difflib.get_close_matches(wanted, names, n=6, cutoff=0.4)
    return list(dict.fromkeys(names[key] for key in near))[:3]


def plain(name: str) -> str:
    return "".join(filter(str.isalnum, str(name).lower()))


# ---------------------------------------------------------------------------------------------------------------------
# The tables of columns in data/README.md


def columns_table(name: str) -> str:
    """The columns of a file as a table in Markdown; ``name`` may be "every file" for those that all of them share."""
    from llm_economics.facts.rows import SourcedRow

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


# ---------------------------------------------------------------------------------------------------------------------
# What need not be validated again


def checked_files() -> dict[str, Any]:
    """What ``checked.json`` holds: of every file of ``data/`` a checksum, and its columns so that it is read alike.

    Raises
    ------
    CatalogError
        If a row is not allowed, or a file read without validation would differ.
    """
    from llm_economics.facts.rows import FILES

    files = {}
    for name, model in FILES.items():
        found, content = _validated(name, DATA), (DATA / f"{name}.csv").read_bytes()
        numbers = _numbers(model)
        columns = [
            [column, _kind(cells), "" if "" in cells else None, column in numbers]
            for column, cells in found["columns"].items()
        ]
        if checked.as_table(content, columns) != found:
            raise CatalogError(f"data/{name}.csv is not allowed: it reads otherwise without validation")
        files[name] = {"checksum": checked.checksum(content), "columns": columns}
    return {"rules": checked.rules(DATA), "files": files}


def _kind(cells: list[Any]) -> str:
    kinds = {type(cell).__name__ for cell in cells if cell is not None}
    return kinds.pop() if len(kinds) == 1 else "str"


if __name__ == "__main__":
    readme = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "README.md"
    readme.write_text(with_tables(readme.read_text(encoding="utf-8")), encoding="utf-8")
    if len(sys.argv) < 2:
        text = json.dumps(checked_files(), separators=(",", ":")).replace('},"', '},\n"')
        checked.PLACE.write_text(text + "\n", encoding="utf-8")
