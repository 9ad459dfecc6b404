"""Speculative decoding: how many tokens one verification yields, and when that pays.

A small model drafts ``draft_tokens`` tokens, the large one verifies them in one step, keeps
the accepted prefix and adds one token of its own. Formulas after Leviathan, Kalman and
Matias (2023); each drafted token is accepted with the same probability, independently.

Two numbers are called acceptance. The formulas take the **conditional** one: the chance that a drafted token is
accepted given that all before it were. Engines log the **drafted share**, accepted ÷ drafted tokens, which is lower,
since what stands behind a refusal is drafted and never accepted. :func:`drafted_share` and
:func:`acceptance_from_share` convert.

Every function stops with a one-line ``ParameterError`` where an input is out of range.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from llm_economics.formulas.elementwise import check_range, maximum, where
from llm_economics.formulas.records import record
from llm_economics.formulas.routing import weight_bytes_read


def expected_tokens(acceptance, draft_tokens):
    """Expected tokens per verification, (1 - a^(g+1)) / (1 - a); g + 1 at a = 1 (eq. 1)."""
    check_range("acceptance", acceptance, 0, 1)
    check_range("draft_tokens", draft_tokens, 0)
    missing = 1 - acceptance
    near_one = missing < 1e-6  # the quotient loses its digits there; second order of the geometric sum instead
    series = (draft_tokens + 1) * (1 - draft_tokens * missing / 2)
    return where(near_one, series, (1 - acceptance ** (draft_tokens + 1)) / where(near_one, 1.0, missing))


def drafted_share(acceptance, draft_tokens):
    """Accepted ÷ drafted tokens, as engines log it, of a conditional acceptance: (expected tokens - 1) ÷ g."""
    check_range("draft_tokens", draft_tokens, 1)
    return (expected_tokens(acceptance, draft_tokens) - 1) / draft_tokens


def acceptance_from_share(share: float, draft_tokens: float) -> float:
    """Conditional acceptance of which engines log ``share``, accepted ÷ drafted tokens; by bisection."""
    check_range("share", share, 0, 1)
    return _bisected(lambda acceptance: drafted_share(acceptance, draft_tokens) < share)


def acceptance_by_position(accepted: Sequence[float]) -> tuple[float, ...]:
    """Conditional acceptance at each position of a draft, of the shares that an engine logs by position.

    Those count every draft: the share at a position is the product of the conditional ones up to it. Nothing is known
    of a position behind one that is never accepted; 0 stands there.
    """
    before, found = 1.0, []
    for share in accepted:
        check_range("accepted", share, 0, before)
        found.append(share / before if before else 0.0)
        before = share
    return tuple(found)


def speedup(acceptance, draft_tokens, draft_cost, verify_cost=1.0):
    """How much faster than plain decoding: expected tokens ÷ (g c + v) (theorem 3.8 has v = 1).

    Parameters
    ----------
    draft_cost
        Time of one draft step ÷ time of one plain step of the large model.
    verify_cost
        Time of a step that verifies g + 1 tokens ÷ time of a plain step; 1 where reading the
        weights takes all the time, more for experts and at large batch (:func:`verify`).
    """
    check_range("draft_cost", draft_cost, 0)
    check_range("verify_cost", verify_cost, 0, open_low=True)
    return expected_tokens(acceptance, draft_tokens) / (draft_tokens * draft_cost + verify_cost)


def breakeven_draft_cost(acceptance, draft_tokens, verify_cost=1.0):
    """Draft cost at which drafting neither helps nor hurts: (expected tokens - v) ÷ g; negative if none does."""
    check_range("draft_tokens", draft_tokens, 1)
    check_range("verify_cost", verify_cost, 0, open_low=True)
    return (expected_tokens(acceptance, draft_tokens) - verify_cost) / draft_tokens


def acceptance_for(wanted_speedup: float, draft_tokens: float, draft_cost: float, verify_cost: float = 1.0) -> float:
    """Acceptance that gives a speed-up, by bisection; 1 gives the break-even. Infinite if none is enough."""
    check_range("wanted_speedup", wanted_speedup, 0, open_low=True)
    check_range("draft_tokens", draft_tokens, 1)
    if speedup(1.0, draft_tokens, draft_cost, verify_cost) < wanted_speedup:
        return math.inf
    return _bisected(lambda acceptance: speedup(acceptance, draft_tokens, draft_cost, verify_cost) < wanted_speedup)


def _bisected(too_low: Callable[[float], bool]) -> float:
    """The least acceptance that is not too low."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if too_low(middle):
            low = middle
        else:
            high = middle
    return high


@record
class Draft:
    """A draft length and the speed-up that it gives; 0 tokens and 1.0 where drafting does not pay."""

    draft_tokens: int
    speedup: float


def best_draft(acceptance: float, draft_cost: float, verify_cost=1.0, *, longest: int = 64) -> Draft:
    """The draft length up to ``longest`` with the largest speed-up.

    Parameters
    ----------
    verify_cost
        A number, or a function of the draft length.
    """
    check_range("longest", longest, 1)
    best = Draft(0, 1.0)
    for draft_tokens in range(1, int(longest) + 1):
        cost = verify_cost(draft_tokens) if callable(verify_cost) else verify_cost
        gain = speedup(acceptance, draft_tokens, draft_cost, cost)
        if gain > best.speedup:
            best = Draft(draft_tokens, gain)
    return best


@record
class Verification:
    """A plain and a verifying step beside each other, in bytes and seconds; ``cost`` = verify_s ÷ plain_s."""

    plain_bytes: float
    verify_bytes: float
    plain_s: float
    verify_s: float
    cost: float


def verify(
    draft_tokens,
    batch,
    *,
    common_bytes,
    kv_bytes,
    flops_per_token,
    memory_bandwidth,
    peak_flops,
    expert_bytes=0.0,
    experts=1,
    experts_per_token=1,
) -> Verification:
    """What verifying ``draft_tokens`` per sequence costs: a mixture of experts reads more, a large batch computes more.

    Both steps read the common weights and the KV cache once; the verifying one routes
    batch × (g + 1) tokens, here independent of each other. The longer of memory and compute
    time counts (roofline).

    Parameters
    ----------
    common_bytes, expert_bytes
        Weights read by every step, and one routed expert over all layers, byte.
    kv_bytes
        KV cache of the whole batch, byte.
    flops_per_token, memory_bandwidth, peak_flops
        FLOP, byte/s, FLOP/s of all accelerators.
    """
    check_range("batch", batch, 1)
    check_range("draft_tokens", draft_tokens, 0)
    check_range("common_bytes", common_bytes, 0, open_low=True)
    check_range("kv_bytes", kv_bytes, 0)
    check_range("flops_per_token", flops_per_token, 0)
    check_range("memory_bandwidth", memory_bandwidth, 0, open_low=True)
    check_range("peak_flops", peak_flops, 0, open_low=True)

    def step(tokens):
        bytes_read = weight_bytes_read(experts, experts_per_token, tokens, expert_bytes, common_bytes) + kv_bytes
        return bytes_read, maximum(bytes_read / memory_bandwidth, tokens * flops_per_token / peak_flops)

    plain_bytes, plain_s = step(batch)
    verify_bytes, verify_s = step(batch * (draft_tokens + 1))
    return Verification(plain_bytes, verify_bytes, plain_s, verify_s, verify_s / plain_s)
