"""What an answer hangs on: tornado, interval, the value at which a result flips, and shares of factors.

Everything here works on a plain function of named numbers, so that a chapter can hand in
the very function that it has just explained.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

from llm_economics.formulas.elementwise import ParameterError, check_choice, check_range, log2
from llm_economics.formulas.records import record


@record
class Range:
    """A plausible range of one input: ``low`` ≤ ``mid`` ≤ ``high``, in the input's own unit.

    Raises
    ------
    ParameterError
        If the three are not in order.
    """

    low: float
    mid: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.mid <= self.high:
            raise ParameterError(
                f"range = ({self.low}, {self.mid}, {self.high}) is not allowed: it must be in the order low, mid, high"
            )


@record
class Bar:
    """One input of a tornado: the answer at both ends of its range, all else at ``mid``."""

    name: str
    low_input: float
    high_input: float
    low: float
    high: float

    @property
    def swing(self) -> float:
        """Distance between the two answers, in the answer's unit."""
        return abs(self.high - self.low)


def tornado(function: Callable[..., float], ranges: Mapping[str, Range]) -> tuple[Bar, ...]:
    """Move one input at a time through its range; bars sorted by swing, widest first.

    Parameters
    ----------
    function
        Takes the inputs by name and returns one number.
    ranges
        A :class:`Range` for each input.
    """
    mid = {name: r.mid for name, r in ranges.items()}
    bars = [
        Bar(name, r.low, r.high, function(**{**mid, name: r.low}), function(**{**mid, name: r.high}))
        for name, r in ranges.items()
    ]
    return tuple(sorted(bars, key=lambda bar: (-bar.swing, bar.name)))


@record
class Interval:
    """Quantiles of an answer when all inputs move together, in the answer's unit."""

    low: float
    median: float
    high: float
    coverage: float
    samples: int


def interval(
    function: Callable[..., float],
    ranges: Mapping[str, Range],
    *,
    coverage: float = 0.90,
    samples: int = 4096,
    seed: int = 20240419,
) -> Interval:
    """The central interval of an answer when every input is drawn from its range.

    Each input follows a triangular distribution with its mode at ``mid``, independent of the
    others; seeded, so the same call gives the same numbers everywhere.

    Raises
    ------
    ParameterError
        If ``coverage`` is not between 0 and 1 or there are fewer than 100 samples.
    """
    check_range("coverage", coverage, 0, 0.999, open_low=True)
    check_range("samples", samples, 100)
    generator = random.Random(seed)
    plain = {name: tuple(map(float, (r.low, r.high, r.mid))) for name, r in ranges.items()}
    answers = sorted(
        function(**{name: generator.triangular(*ends) for name, ends in plain.items()}) for _ in range(int(samples))
    )
    tail = (1 - coverage) / 2
    return Interval(
        quantile(answers, tail), quantile(answers, 0.5), quantile(answers, 1 - tail), coverage, int(samples)
    )


def quantile(ordered: list[float], fraction: float) -> float:
    """Quantile of an ascending list by linear interpolation (Hyndman and Fan 1996, type 7).

    Raises
    ------
    ParameterError
        If the list is empty or the fraction is not between 0 and 1.
    """
    check_range("fraction", fraction, 0, 1)
    check_range("len(ordered)", len(ordered), 1)
    place = fraction * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def flip(
    function: Callable[[float], float], target: float, low: float, high: float, *, scale: str = "linear"
) -> float | None:
    """The input between ``low`` and ``high`` at which ``function`` crosses ``target``; None if it never does.

    Bisection down to the last bit, on a linear or a logarithmic scale: slow, and sure for any continuous function
    that crosses once.

    Raises
    ------
    ParameterError
        If the bounds are not in order, or not positive on a logarithmic scale.
    """
    check_choice("scale", scale, ("linear", "log"))
    check_range("high", high, low, open_low=True)
    if scale == "log":
        check_range("low", low, 0, open_low=True)
    at_low, at_high = function(low) - target, function(high) - target
    if at_low == 0:
        return low
    if at_high == 0:
        return high
    if (at_low > 0) == (at_high > 0):
        return None
    for _ in range(200):
        middle = math.sqrt(low * high) if scale == "log" else (low + high) / 2
        if middle in (low, high):
            break
        at_middle = function(middle) - target
        if at_middle == 0:
            return middle
        if (at_middle > 0) == (at_low > 0):
            low = middle
        else:
            high = middle
    return middle


MAX_FACTORS = 10
"""The most factors that :func:`shapley` takes: it looks at every one of their 2ⁿ sets."""


@record
class Shares:
    """What each factor adds on the way from ``start`` (none of them) to ``end`` (all of them).

    Values are numbers or arrays in the unit of the value function; they sum to ``total``.
    """

    names: tuple[str, ...]
    values: tuple[Any, ...]
    start: Any
    end: Any

    @property
    def total(self):
        """What all factors add together: end - start."""
        return self.end - self.start

    @property
    def fractions(self) -> tuple[Any, ...]:
        """Each value ÷ the total; they sum to one. The total must not be zero."""
        return tuple(value / self.total for value in self.values)


def product_of(factors: Mapping[str, Any]) -> Callable[[frozenset[str]], Any]:
    """Value function of a product: the factors in the set multiplied, 1 for none."""
    for name, factor in factors.items():
        check_range(name, factor, 0, open_low=True)
    return lambda names: math.prod(factor for name, factor in factors.items() if name in names)


def log_product_of(factors: Mapping[str, Any]) -> Callable[[frozenset[str]], Any]:
    """Value function of a product on a log scale, in doublings: a factor's share does not depend on the order."""
    value = product_of(factors)
    return lambda names: log2(value(names))


def ordered_shares(value_function: Callable[[frozenset[str]], Any], names: Sequence[str]) -> Shares:
    """What each factor adds when they are switched on in the order of ``names``: the steps of a waterfall.

    Parameters
    ----------
    value_function
        Takes the set of factors that are switched on, gives a number or an array.

    Raises
    ------
    ParameterError
        If there is no name or a name comes twice.
    """
    names = _checked(names)
    steps = [value_function(frozenset(names[:i])) for i in range(len(names) + 1)]
    values = tuple(after - before for before, after in pairwise(steps))
    return Shares(names, values, steps[0], steps[-1])


def shapley(value_function: Callable[[frozenset[str]], Any], names: Sequence[str]) -> Shares:
    """What each factor adds on average over all orders of switching them on (Shapley 1953), exact.

    Calls ``value_function`` once for each of the 2ⁿ sets; on the log of a throughput, factors that
    only multiply get their own log, and what they do together is split evenly among them.

    Raises
    ------
    ParameterError
        If there is no name, a name comes twice, or there are more than ``MAX_FACTORS``.
    """
    names = _checked(names)
    n = check_range("number of factors", len(names), 1, MAX_FACTORS)
    sets = [frozenset(chosen) for size in range(n + 1) for chosen in combinations(names, size)]
    value = {chosen: value_function(chosen) for chosen in sets}
    shares = []
    for name in names:
        share = 0.0
        for chosen in sets:
            if name not in chosen:
                weight = 1 / (n * math.comb(n - 1, len(chosen)))
                share = share + weight * (value[chosen | {name}] - value[chosen])
        shares.append(share)
    return Shares(names, tuple(shares), value[frozenset()], value[frozenset(names)])


def _checked(names: Sequence[str]) -> tuple[str, ...]:
    names = tuple(names)
    if not names or len(set(names)) != len(names):
        raise ParameterError(
            f"names = {', '.join(names) or 'none'} is not allowed: they must be one or more, all different"
        )
    return names
