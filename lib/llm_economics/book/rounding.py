"""Printed numbers that remember, through arithmetic, the interval that their rounding allows.

A chapter computes with them as with any other float. What comes out knows which printed numbers went in, and what it
would have been at the ends of their intervals.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

MOST = 10
"""So many printed inputs are tried at both ends together; of more, each is moved alone and the moves are added up."""


@dataclass(frozen=True)
class About:
    """A printed number with the interval that its rounding allows, and the claim that prints it, if one does."""

    claim: str
    value: float
    low: float
    high: float


class Printed(float):
    """A float made of printed numbers by ``+ - * / ** abs``; a function of another kind gives a plain float.

    Which of two branches was taken, or which of two numbers is the larger, is decided by the nominal values.
    """

    __slots__ = ("function", "parts", "source")
    __array_priority__ = -1.0  # above NumPy's scalars, which would forget, and below its arrays

    @classmethod
    def of(cls, source: About) -> Printed:
        made = cls(source.value)
        made.source, made.function, made.parts = source, None, ()
        return made

    @classmethod
    def made(cls, value: float, function: Callable[..., float], parts: tuple[Any, ...]) -> Printed:
        made = cls(value)
        made.source, made.function, made.parts = None, function, parts
        return made

    def __reduce__(self) -> tuple[type, tuple[float]]:
        return float, (float(self),)


def _remembering(name: str, plain: Callable[..., float], *, swapped: bool) -> Callable[..., Any]:
    own = getattr(float, name)

    def method(self: Printed, *others: Any) -> Any:
        if others and not isinstance(others[0], (int, float)):
            return NotImplemented
        value = own(self, *others)
        if not isinstance(value, float):
            return value  # a complex root, or nothing
        return Printed.made(value, plain, (*others, self) if swapped else (self, *others))

    return method


for _name, _plain in {name: getattr(operator, name) for name in ("add", "sub", "mul", "truediv", "pow")}.items():
    setattr(Printed, f"__{_name}__", _remembering(f"__{_name}__", _plain, swapped=False))
    setattr(Printed, f"__r{_name}__", _remembering(f"__r{_name}__", _plain, swapped=True))
for _name, _plain in {"neg": operator.neg, "abs": abs}.items():
    setattr(Printed, f"__{_name}__", _remembering(f"__{_name}__", _plain, swapped=False))


def sources(*values: Any) -> list[About]:
    """The printed numbers that values were made of, each once."""
    found: dict[About, None] = {}
    for node in _in_order(values):
        if node.source is not None:
            found[node.source] = None
    return list(found)


def ends(value: Any) -> tuple[float, float]:
    """The lowest and the highest value that the rounding of its inputs allows; monotonic in each of them."""
    order = _in_order([value])
    inputs = [one for one in sources(value) if one.low != one.high]
    if len(inputs) > MOST:
        moves = [_span(order, {one: (one.low, one.high)}) for one in inputs]
        low, high = (sum(each[end] - value for each in moves) for end in (0, 1))
        return float(value + low), float(value + high)
    return _span(order, {one: (one.low, one.high) for one in inputs}) if inputs else (float(value), float(value))


def _span(order: list[Printed], choices: Mapping[About, tuple[float, float]]) -> tuple[float, float]:
    values = [_evaluated(order, dict(zip(choices, corner, strict=True))) for corner in product(*choices.values())]
    return min(values), max(values)


def _evaluated(order: list[Printed], at: Mapping[About, float]) -> float:
    """The last of a list of values, each made of those before it, with some printed numbers moved."""
    found: dict[int, float] = {}
    for node in order:
        parts = (found[id(part)] if isinstance(part, Printed) else float(part) for part in node.parts)
        found[id(node)] = at.get(node.source, float(node)) if node.function is None else node.function(*parts)
    return found[id(order[-1])]


def _in_order(values: Iterable[Any]) -> list[Printed]:
    """All that values were made of, each after its parts; without recursion, for sums can be long."""
    done: dict[int, Printed] = {}
    waiting = [(value, False) for value in reversed(list(values)) if isinstance(value, Printed)]
    while waiting:
        node, ready = waiting.pop()
        if id(node) in done:
            continue
        if ready or not node.parts:
            done[id(node)] = node
        else:
            waiting += [(node, True), *((part, False) for part in reversed(node.parts) if isinstance(part, Printed))]
    return list(done.values())
