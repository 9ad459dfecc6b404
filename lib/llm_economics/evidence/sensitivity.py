"""Which inputs make an answer uncertain, and how much of it they do together: Sobol shares, by SALib."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass

from llm_economics.formulas.attribution import Range
from llm_economics.formulas.elementwise import ParameterError


@dataclass(frozen=True)
class Share:
    """An input's part of the variance of an answer: by itself, and with all that it does together with others."""

    first: float
    total: float


def triangular(fraction: float, range_: Range) -> float:
    """Quantile of a triangular distribution with its mode at ``mid``, in the unit of the range."""
    low, mid, high = range_.low, range_.mid, range_.high
    if high == low:
        return mid
    if fraction * (high - low) <= mid - low:
        return low + math.sqrt(fraction * (high - low) * (mid - low))
    return high - math.sqrt((1 - fraction) * (high - low) * (high - mid))


def sobol(
    function: Callable[..., float],
    ranges: Mapping[str, Range],
    *,
    log: bool = False,
    samples: int = 1024,
    seed: int = 20240419,
) -> dict[str, Share]:
    """Sobol indices of each input, largest total first (Saltelli et al. 2010, as SALib computes them).

    Inputs are drawn as in :func:`attribution.interval`: triangular, independent, seeded.

    Parameters
    ----------
    function
        Takes the inputs by name and returns one number; called ``samples`` × (inputs + 2) times.
    log
        Shares of the variance of the answer's logarithm: for an answer that spans factors.
    samples
        A power of two.

    Raises
    ------
    ParameterError
        If ``samples`` is no power of two from 64, no input moves, or ``log`` meets an answer of 0 or less.
    """
    import numpy as np
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as sampling

    if samples < 64 or samples & (samples - 1):
        raise ParameterError(f"samples = {samples} is not allowed: it must be a power of two, at least 64")
    ranges = {name: Range(*map(float, astuple(range_))) for name, range_ in ranges.items()}
    moving = [name for name, range_ in ranges.items() if range_.high > range_.low]
    if not moving:
        raise ParameterError("ranges = all of width zero is not allowed: at least one input must move")
    problem = {"num_vars": len(moving), "names": moving, "bounds": [[0.0, 1.0]] * len(moving)}
    draws = sampling.sample(problem, samples, calc_second_order=False, seed=seed)
    still = {name: range_.mid for name, range_ in ranges.items()}
    answers = np.array(
        [
            function(**still | {name: triangular(u, ranges[name]) for name, u in zip(moving, draw, strict=True)})
            for draw in draws.tolist()
        ],
        dtype=float,
    )
    if log:
        if answers.min() <= 0:
            raise ParameterError(f"answer = {answers.min():.6g} is not allowed: its logarithm is asked for")
        answers = np.log(answers)
    if answers.std() == 0:
        return {name: Share(0.0, 0.0) for name in ranges}
    found = analysis.analyze(problem, answers, calc_second_order=False, num_resamples=10, seed=seed)
    shares = {name: Share(0.0, 0.0) for name in ranges} | {
        name: Share(float(first), float(total))
        for name, first, total in zip(moving, found["S1"], found["ST"], strict=True)
    }
    return dict(sorted(shares.items(), key=lambda item: -item[1].total))


def sentence(shares: Mapping[str, Share], names: Mapping[str, str] | None = None, *, log: bool = False) -> str:
    """What the shares say, largest first, for a page of the book; the remainder is what inputs do only together."""
    names = names or {}
    parts = [f"{names.get(name, name)} {_whole(share.first)}" for name, share in shares.items()]
    together = 1 - sum(share.first for share in shares.values())
    if together >= 0.005:
        parts.append(f"several together {_whole(together)}")
    what = "variance of the logarithm" if log else "variance"
    return f"{{term}}`Sobol shares <Sobol share>` of the {what}: {'; '.join(parts)}."


def _whole(fraction: float) -> str:
    return "under 1%" if fraction < 0.005 else f"{100 * fraction:.0f}%"
