"""Where a verdict changes: the value of one assumption, found by running the chapter again and again.

Nothing is assumed about how a verdict depends on the assumption. The range is scanned on a
logarithmic grid; between two neighbours with different verdicts bisection closes in. What
comes and goes again between two neighbours of the grid is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from llm_economics.book import claims
from llm_economics.facts.parameters import Parameter
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import notebooks

PRECISION = 1e-6
"""Relative width at which bisection stops."""
POINTS = 32
"""Values that the scan tries, besides the default."""
DECADES = 3
"""How far from the default the scan goes in either direction, if the allowed range goes as far."""


@dataclass(frozen=True)
class FlipPoint:
    """Where the verdict changes; for whole numbers ``value`` is the first with the verdict above."""

    value: float | int
    verdict_below: str
    verdict_above: str
    from_default: float | None


@dataclass(frozen=True)
class Solution:
    """What was looked for and found: ``flips`` come the nearest to the default first, ``choices`` for text only."""

    chapter: str
    claim: str
    statement: str
    parameter: str
    unit: str
    default: float | int | str
    verdict: str
    low: float | int | None
    high: float | int | None
    runs: int
    refused: int
    flips: tuple[FlipPoint, ...]
    choices: dict[str, str | None] | None = None

    def record(self) -> dict[str, Any]:
        """The answer as plain data."""
        return asdict(self)


def solve(
    chapter: str,
    parameter: str,
    claim: str,
    low: float | None = None,
    high: float | None = None,
    folder: Path | None = None,
) -> Solution:
    """The values of a parameter, nearest to its default, at which the verdict on a claim changes.

    Every value is tried by running the chapter; one that it refuses counts as neither side.

    Parameters
    ----------
    low, high
        Range that is scanned; by default the allowed one, at most a factor of 1,000 from the default.
    folder
        Where the chapters are; those of the book if not given.

    Raises
    ------
    ParameterError
        If chapter, parameter or claim are unknown or do not belong together, or the range is not allowed.
    """
    found = notebooks.chapters(folder)
    notebooks.known_chapter(chapter, found)
    path = found[chapter]
    defaults = notebooks.defaults(path)
    if parameter not in defaults:
        raise ParameterError(f"{chapter} has no parameter {parameter[:60]!r}{notebooks.nearest(parameter, defaults)}")
    statement = _statement(chapter, claim)
    known, default = notebooks.parameter(parameter), defaults[parameter]
    counted = {"runs": 0, "refused": 0}

    def reached(thing: Any) -> bool:
        return getattr(thing, "id", None) == claim

    @cache
    def verdict(value: float | int | str) -> str | None:
        counted["runs"] += 1
        try:
            return notebooks.evaluate(path, {parameter: value}, until=reached)[0][claim]["verdict"]
        except (ValueError, ArithmeticError, LookupError):  # the chapter stops at such a value
            counted["refused"] += 1
            return None

    at_default = notebooks.evaluate(path, until=reached)[0].get(claim)
    if at_default is None:
        raise ParameterError(f"{chapter} reaches no verdict on {claim}")
    head = (chapter, claim, statement, parameter, known.unit, default, at_default["verdict"])
    if known.type is str:
        if low is not None or high is not None:
            raise ParameterError(f"{parameter} is a choice: it takes no --low and --high")
        choices = {choice: verdict(choice) for choice in known.choices}
        return Solution(*head, None, None, counted["runs"], counted["refused"], (), choices)
    grid = scan(parameter, known, default, low, high)
    flips = []
    for a, b in _brackets(grid, verdict, default):
        below, above = bisect(verdict, a, b, whole=known.type is int)
        value = above if known.type is int else math.sqrt(below * above) if below > 0 else above
        away = value / default - 1 if default else None
        flips.append(FlipPoint(value, verdict(below), verdict(above), away))
    flips.sort(key=lambda point: abs(math.log(point.value / default)) if default and point.value > 0 else point.value)
    return Solution(*head, grid[0], grid[-1], counted["runs"], counted["refused"], tuple(flips))


def _statement(chapter: str, claim: str) -> str:
    ledger = claims.ledger()
    if claim not in ledger:
        raise ParameterError(f"no claim {claim[:60]!r}{notebooks.nearest(claim, ledger)}")
    if ledger[claim].chapter != chapter:
        raise ParameterError(f"{claim} is answered in {ledger[claim].chapter}, not in {chapter}")
    return ledger[claim].statement


def scan(parameter: str, known: Parameter, default: float, low: float | None, high: float | None) -> list[float]:
    """The values that are tried first, in order: a logarithmic grid, the default among them if it lies within.

    Raises
    ------
    ParameterError
        If the range is not allowed or empty.
    """
    reach = 10**DECADES
    bottom = known.low or 0.0
    for bound in (low, high):
        if bound is not None and not (bound == bottom and known.open_low):
            notebooks.checked(parameter, int(bound) if known.type is int and float(bound).is_integer() else bound)
    top = high if high is not None else min(known.high or math.inf, default * reach or math.inf)
    start = low if low is not None else max(bottom, default / reach)
    if not math.isfinite(top) or not start < top:
        raise ParameterError(f"{parameter}: the range from {start:g} to {top:g} is empty")
    lowest = start if start > 0 else top / reach**2
    ratio = (top / lowest) ** (1 / (POINTS - 1))
    grid = {lowest * ratio**k for k in range(POINTS - 1)} | {top}
    if start == 0 and not known.open_low:
        grid.add(0.0)
    if known.type is int:
        grid = {round(value) for value in grid} | {math.ceil(start), math.floor(top)}
        grid = {value for value in grid if max(start, bottom) <= value <= top}
    if start <= default <= top:
        grid.add(default)
    return sorted(grid)


def _brackets(grid: list[float], verdict: Callable[[float], str | None], default: float) -> list[tuple[float, float]]:
    """The nearest neighbours with different verdicts on either side of the default."""
    pairs = list(pairwise(grid))
    up = [(a, b) for a, b in pairs if a >= default]
    down = [(a, b) for a, b in reversed(pairs) if a < default]
    found = []
    for side in (up, down):
        for a, b in side:
            if None not in (verdict(a), verdict(b)) and verdict(a) != verdict(b):
                found.append((a, b))
                break
    return found


def bisect(verdict: Callable[[float], str | None], low: float, high: float, *, whole: bool) -> tuple[float, float]:
    """Two values close to each other with different verdicts: neighbours, if they are whole numbers.

    A value that the chapter refuses ends it early, with the bracket that is known.
    """
    at_low = verdict(low)
    while high - low > (1 if whole else PRECISION * high):
        middle = (low + high) // 2 if whole else math.sqrt(low * high) if low > 0 else high / 2
        at_middle = verdict(middle)
        if at_middle is None or middle in (low, high):
            break
        low, high = (middle, high) if at_middle == at_low else (low, middle)
    return low, high
