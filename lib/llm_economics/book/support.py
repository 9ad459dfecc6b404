"""What a verdict rests on: the named inputs of a check, who stands behind each, and the support that follows.

A check names its inputs: rows of ``data/`` as ``file:key`` (``llama3:gpu_hours_70b``), claims of the ledger by their
id, and ``definition`` for what follows from meanings alone. A key is a cell of the first two columns, or how one
begins; further parts after ``|`` pick among its rows, ``*`` takes all. ``data/origins.csv`` says which addresses are
an article's own words, and which print measurements of their own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from llm_economics import facts
from llm_economics.facts.store import known
from llm_economics.facts.units import as_number
from llm_economics.formulas.elementwise import ParameterError

MEASURED, CITED, COMPUTED, OWN, NONE = "measured", "cited", "computed", "own inputs", "none"
SUPPORTS = (MEASURED, CITED, COMPUTED, OWN, NONE)
DEFINITION = "definition"


@dataclass(frozen=True)
class Input:
    """One input of a check: a row of ``data/`` or a claim, and how it supports what is made of it."""

    name: str
    support: str
    is_claim: bool = False
    numbers: tuple[float, ...] = ()


def inputs_of(article: str, uses: Iterable[str], article_of: Mapping[str, str]) -> list[Input]:
    """The inputs that a check on a claim of ``article`` names; ``article_of`` has the article of each claim.

    Raises
    ------
    ParameterError
        If a name is no claim, no row of ``data/`` and not ``definition``.
    """
    found = []
    for name in uses:
        if name in article_of:
            found.append(Input(name, OWN if article_of[name] == article else CITED, is_claim=True))
        elif name == DEFINITION:
            found.append(Input(name, COMPUTED))
        else:
            found += [Input(name, _support(article, row["source_url"]), numbers=_numbers(row)) for row in _rows(name)]
    return found


def support_of(inputs: Sequence[Input], value: Any) -> str:
    """The support of a value that was made of ``inputs``: as weak as the weakest; a quoted row keeps its own."""
    kinds = {each.support for each in inputs}
    if OWN in kinds:
        return OWN
    if kinds == {MEASURED}:
        return MEASURED
    return CITED if quoted(inputs, value) else COMPUTED


def quoted(inputs: Sequence[Input], value: Any) -> bool:
    """Whether nothing was computed: each number of ``value`` stands in an input, up to a power of ten, and each input
    has one of them."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        return False
    pairs = [(v, each.name) for v in values for each in inputs if any(_same(v, number) for number in each.numbers)]
    everything = {v for v, _ in pairs} == set(values) and {name for _, name in pairs} == {each.name for each in inputs}
    return bool(pairs) and everything


def unnamed(read: Iterable[tuple[str, str]], named: Iterable[str]) -> list[str]:
    """Rows of ``data/`` that were read, as table and item, and that none of the inputs that a check names has.

    Of a table that was read as a whole it is enough that some row is named.
    """
    rows = [name for name in named if name != DEFINITION]
    have = {_cells(row) for name in rows for row in _rows(name)}
    missing = []
    for table, item in sorted(read):
        if not item:
            missing += [] if any(name.startswith(f"{table}:") for name in rows) else [f"{table}:*"]
            continue
        name = f"{table}:{facts.accelerator(item).name if table == 'hardware' else item}"
        if not have & {_cells(row) for row in _rows(name)}:
            missing.append(name)
    return missing


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(map(str, row.values()))


def circles(graph: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The circles of a graph of claims that rest on claims, each as the ids along it."""
    found, done = [], set()

    def walk(claim: str, path: list[str]) -> None:
        if claim in path:
            found.append(path[path.index(claim) :])
        elif claim not in done:
            for other in graph.get(claim, ()):
                walk(other, [*path, claim])
            done.add(claim)

    for claim in graph:
        walk(claim, [])
    return found


def _same(value: float, number: float) -> bool:
    if value == number:
        return True
    if not value or not number or value * number < 0:
        return False
    power = math.log10(value / number)
    return abs(power - round(power)) < 1e-6


def _support(article: str, address: str) -> str:
    roles = _roles()
    if address.startswith(f"article {article}"):
        return OWN
    roles = {role for start, role, whose in roles if address.startswith(start) and whose in ("", article)}
    return OWN if "own" in roles else MEASURED if "measures" in roles else CITED


@cache
def _roles() -> list[tuple[str, str, str]]:
    return [(row["source_url"], row["role"], row["article"]) for row in facts.records("origins")]


@cache
def _rows(name: str) -> list[dict[str, Any]]:
    """The rows of ``data/`` that a name such as ``file:key|further cell`` stands for."""
    file, _, rest = name.partition(":")
    key, *further = rest.split("|")
    if not key or file not in facts.FILES or file in ("claims", "origins"):
        known(name, [*(f"{file}:" for file in facts.FILES), DEFINITION], "uses")
        raise ParameterError(
            f"uses = {name!r} is not allowed: a key is needed after the file, as in llama3:gpu_hours_70b"
        )
    rows = facts.records(file)
    columns = list(rows[0])[:2]
    named = [row for row in rows if key in ("*", *(str(row[column]) for column in columns))]
    found = named or [row for row in rows if any(str(row[column]).startswith(key) for column in columns)]
    found = [row for row in found if all(any(part in str(cell) for cell in row.values()) for part in further)]
    if not found:
        raise ParameterError(f"uses = {name!r} is not allowed: no row of data/{file}.csv has it")
    return found


def _numbers(row: Mapping[str, Any]) -> tuple[float, ...]:
    cells = (as_number(cell) if isinstance(cell, str) else cell for cell in row.values())
    return tuple(
        float(n) for n in cells if isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n)
    )
