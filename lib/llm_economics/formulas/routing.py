"""Which experts a batch touches: expected counts, exact distributions, skew.

A layer has ``experts`` routed experts and sends each token to ``experts_per_token``
different ones. Unless a function says otherwise, every choice of that many experts is
equally likely and tokens choose independently. Real routers are skewed and neighbouring
tokens alike: both touch fewer experts than this and load the busiest one more.

Every function stops with a one-line ``ParameterError`` where a count or probability is out of range.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb
from typing import TYPE_CHECKING

from llm_economics.formulas.elementwise import ParameterError, check_range, every

if TYPE_CHECKING:
    from fractions import Fraction  # which loads decimal numbers too

MAX_MOVES = 400_000
"""Moves from profile to profile that :func:`load_profiles` is willing to make: some seconds."""


def check_experts(experts, experts_per_token) -> None:
    """Stop unless there are experts, and each token uses at least one and at most all of them."""
    check_range("experts", experts, 1)
    check_range("experts_per_token", experts_per_token, 1)
    if not every(experts_per_token <= experts):
        raise ParameterError(f"experts_per_token = {experts_per_token} is not allowed: there are {experts} experts")


def tokens_per_expert(experts, experts_per_token, tokens):
    """Mean tokens of one expert, tokens × k ÷ E, whatever the routing."""
    check_experts(experts, experts_per_token)
    return check_range("tokens", tokens, 1) * experts_per_token / experts


def expected_distinct(experts, experts_per_token, tokens):
    """Expected number of different experts that a batch touches, E (1 - (1 - k/E)^tokens).

    An expert is missed by one token with probability 1 - k/E exactly, so this is exact for
    equally likely choices, not an approximation.
    """
    check_experts(experts, experts_per_token)
    return distinct(experts, experts_per_token, check_range("tokens", tokens, 1))


def distinct(experts, experts_per_token, tokens):
    """The formula of :func:`expected_distinct` alone, for numbers that were checked where they came in."""
    return experts * (1 - (1 - experts_per_token / experts) ** tokens)


def weight_bytes_read(experts, experts_per_token, tokens, expert_bytes, other_bytes=0.0):
    """Expected weight bytes that one step reads: ``other_bytes`` always, each touched expert once.

    Parameters
    ----------
    expert_bytes
        One expert, summed over all layers, byte. Expectations add, so layers need not agree.
    other_bytes
        What every step reads: attention, norms, shared experts, output head, byte.
    """
    check_range("expert_bytes", expert_bytes, 0)
    check_range("other_bytes", other_bytes, 0)
    return expected_distinct(experts, experts_per_token, tokens) * expert_bytes + other_bytes


def distinct_distribution(experts: int, experts_per_token: int, tokens: int, *, exact: bool = False) -> tuple:
    """Probability that a batch touches 0, 1, …, E different experts; index = number touched.

    Token by token: from d touched experts, j of the k chosen ones are new in
    C(d, k-j) C(E-d, j) of C(E, k) ways.

    Parameters
    ----------
    exact
        Fractions in place of floats.
    """
    from fractions import Fraction

    _check_whole(experts, experts_per_token, tokens)
    k, choices = experts_per_token, comb(experts, experts_per_token)
    number = Fraction if exact else (lambda ways, of: ways / of)
    steps = [
        [(d + j, number(comb(d, k - j) * comb(experts - d, j), choices)) for j in range(min(k, experts - d) + 1)]
        for d in range(experts + 1)
    ]
    chances = [number(1, 1)] + [number(0, 1)] * experts
    for _ in range(tokens):
        after = [number(0, 1)] * (experts + 1)
        for d, chance in enumerate(chances):
            if chance:
                for target, step in steps[d]:
                    after[target] += chance * step
        chances = after
    return tuple(chances)


def load_distribution(experts: int, experts_per_token: int, tokens: int, *, exact: bool = False) -> tuple:
    """Probability that one given expert gets 0, 1, …, ``tokens`` tokens: binomial with p = k/E."""
    from fractions import Fraction

    _check_whole(experts, experts_per_token, tokens)
    hit, miss, total = experts_per_token, experts - experts_per_token, experts**tokens
    ways = [hit**tokens]  # from all tokens down to none: C(B, n) k^n (E-k)^(B-n)
    for n in range(tokens, 0, -1):
        ways.append(ways[-1] * n * miss // ((tokens - n + 1) * hit))
    ways.reverse()
    return tuple(Fraction(w, total) if exact else w / total for w in ways)


def load_profiles(experts: int, experts_per_token: int, tokens: int) -> dict[tuple[int, ...], Fraction]:
    """Exact probability of every load profile: the tokens of all experts, busiest first.

    Profiles instead of assignments keep this small: batch 8 on 16 experts, two each, has
    4 × 10¹⁶ equally likely assignments but fewer than 300 profiles.
    """
    from fractions import Fraction

    _check_whole(experts, experts_per_token, tokens)
    ways = {((0, experts),): 1}  # pairs: a load, how many experts have it
    moves = 0
    for _ in range(tokens):
        after: dict[tuple[tuple[int, int], ...], int] = {}
        for levels, so_far in ways.items():
            for picks, choices in _picks(levels, experts_per_token):
                moved = dict(levels)
                for (load, _), picked in zip(levels, picks, strict=False):
                    moved[load] -= picked
                    moved[load + 1] = moved.get(load + 1, 0) + picked
                key = tuple(sorted((load, count) for load, count in moved.items() if count))
                after[key] = after.get(key, 0) + so_far * choices
                moves += 1
                if moves > MAX_MOVES:
                    raise ParameterError(
                        f"tokens = {tokens} is not allowed: too many load profiles of {experts} experts for an exact "
                        "answer; most_loaded_bounds has no limit"
                    )
        ways = after
    total = comb(experts, experts_per_token) ** tokens
    return {
        tuple(load for load, count in reversed(levels) for _ in range(count)): Fraction(n, total)
        for levels, n in ways.items()
    }


def most_loaded_distribution(experts: int, experts_per_token: int, tokens: int, *, exact: bool = False) -> tuple:
    """Probability that the busiest expert has 0, 1, …, ``tokens`` tokens, from :func:`load_profiles`."""
    from fractions import Fraction

    chances = [Fraction(0)] * (tokens + 1 if isinstance(tokens, int) and tokens > 0 else 1)
    for profile, chance in load_profiles(experts, experts_per_token, tokens).items():
        chances[profile[0]] += chance
    return tuple(chances) if exact else tuple(float(chance) for chance in chances)


def most_loaded_bounds(experts: int, experts_per_token: int, tokens: int) -> tuple[float, float]:
    """Lower and upper bound of the expected tokens of the busiest expert, for any batch.

    Above: the chance that any expert exceeds m is at most the sum of their chances. Below:
    loads are negatively associated (Joag-Dev and Proschan 1983), so the busiest of
    independent binomials is stochastically smaller.
    """
    low = high = 0.0
    beyond = 1.0
    for chance in load_distribution(experts, experts_per_token, tokens)[:-1]:
        beyond = max(beyond - chance, 0.0)  # one expert has more than n tokens
        low += 1 - (1 - beyond) ** experts
        high += min(1.0, experts * beyond)
    mean = tokens * experts_per_token / experts
    return max(low, mean), max(min(high, float(tokens)), mean)


def zipf_weights(experts: int, exponent: float) -> tuple[float, ...]:
    """Popularity of experts that falls as rank^-exponent (0 = all alike), scaled to sum to one."""
    check_range("experts", experts, 1)
    check_range("exponent", exponent, 0)
    weights = [rank**-exponent for rank in range(1, int(experts) + 1)]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def inclusion_probabilities(weights: Sequence[float], experts_per_token: int) -> tuple[float, ...]:
    """Probability that a token's experts include each expert, under conditional Poisson sampling.

    A set of k different experts is chosen with a probability proportional to the product of
    its weights (Chen, Dempster and Liu 1994); equal weights give k/E, and k = 1 the weights
    themselves, scaled. Successive draws without replacement would be slightly more skewed.
    """
    for weight in weights:
        check_range("weights", weight, 0)
    k = experts_per_token
    _check_whole(sum(weight > 0 for weight in weights), k, 1)
    scale = max(weights)
    scaled = [weight / scale for weight in weights]
    whole = _symmetric(scaled, k)[k]
    others = (_symmetric(scaled[:i] + scaled[i + 1 :], k - 1)[k - 1] for i in range(len(scaled)))
    return tuple(min(w * other / whole, 1.0) for w, other in zip(scaled, others, strict=True))


def expected_distinct_skewed(inclusion: Sequence[float], tokens):
    """Expected different experts touched by independent tokens: the sum of 1 - (1 - p)^tokens.

    Parameters
    ----------
    inclusion
        For each expert, the share of tokens that visit it; they sum to the experts per token.
        Measured shares do as well as those of :func:`inclusion_probabilities`: only the
        independence of tokens is assumed, not how a token chooses.
    """
    check_range("tokens", tokens, 1)
    return sum(1 - (1 - check_range("inclusion", p, 0, 1)) ** tokens for p in inclusion)


def _check_whole(experts, experts_per_token, tokens) -> None:
    for name, value in (("experts", experts), ("experts_per_token", experts_per_token), ("tokens", tokens)):
        if not isinstance(value, int):
            raise ParameterError(f"{name} = {value!r} is not allowed: it must be a whole number")
    check_experts(experts, experts_per_token)
    check_range("tokens", tokens, 1)


def _picks(levels: Sequence[tuple[int, int]], k: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """Ways to pick k experts from levels of (load, how many): picks per level, and how many choices they stand for."""
    if k == 0:
        yield (), 1
    elif levels:
        count = levels[0][1]
        for picked in range(min(k, count) + 1):
            for rest, choices in _picks(levels[1:], k - picked):
                yield (picked, *rest), comb(count, picked) * choices


def _symmetric(weights: Sequence[float], degree: int) -> list[float]:
    """Elementary symmetric polynomials of the weights up to a degree."""
    sums = [1.0] + [0.0] * degree
    for weight in weights:
        for j in range(degree, 0, -1):
            sums[j] += weight * sums[j - 1]
    return sums
