"""Training runs: compute, utilisation, accelerator time, cards, days and cost.

Three identities carry the whole room, for quantities, floats and arrays alike::

    flops            = mfu * peak_flops * accelerator_time
    accelerator_time = accelerators * wall_time
    usd              = accelerator_time * price

Times are seconds of one accelerator (``accelerator_time``) or of the clock
(``wall_time``); any other unit works as long as the inputs agree, or as quantities.
"""

from __future__ import annotations

from typing import Any

from llm_economics.formulas.elementwise import ParameterError, check_range, every
from llm_economics.formulas.records import fields, record

SECONDS_PER_HOUR = 3600.0
SECONDS_PER_DAY = 86400.0

FLOP_PER_PARAMETER_TOKEN = 6.0
"""FLOP to train one parameter on one token: 2 forward, 4 backward (Kaplan et al. 2020, section 2.1)."""

CHINCHILLA_TOKENS_PER_PARAMETER = 20.0
"""Compute-optimal tokens per parameter (Hoffmann et al. 2022, table 3, rounded as commonly quoted)."""


def _check(**values) -> None:
    """Stop at a quantity that is not positive, or a utilisation above one; only a price may be 0."""
    for name, value in values.items():
        check_range(name, value, 0, 1 if name == "mfu" else None, open_low=name != "price")


def training_flops(parameters, tokens, flop_per_parameter_token=FLOP_PER_PARAMETER_TOKEN):
    """FLOP to train ``parameters`` (active ones, for a mixture of experts) on ``tokens``: 6ND.

    Attention over the context is left out, as in Kaplan et al. (2020), eq. 2.2; it adds a few
    per cent at 8k. With quantities, hand in the constant in ``FLOP/parameter/token``.

    Raises
    ------
    ParameterError
        If a count is not positive.
    """
    _check(parameters=parameters, tokens=tokens)
    return flop_per_parameter_token * parameters * tokens


def mfu(flops, accelerator_time, peak_flops):
    """Model FLOPs utilisation, a fraction of the dense peak (Chowdhery et al. 2022, appendix B).

    ``flops`` counts the model's FLOP only, without recomputation. With all accelerator time
    that was paid for it is the run-level MFU; with the time of an undisturbed step, the
    steady-state MFU that papers report.

    Raises
    ------
    ParameterError
        If an input is not positive, or the answer exceeds one: no chip exceeds its peak.
    """
    _check(flops=flops, accelerator_time=accelerator_time, peak_flops=peak_flops)
    return check_range("mfu", flops / (accelerator_time * peak_flops), 0, 1)


def accelerator_time(flops, peak_flops, mfu):
    """Accelerator-seconds that ``flops`` take at a utilisation ``mfu`` of ``peak_flops`` (FLOP/s).

    Raises
    ------
    ParameterError
        If ``mfu`` is not above 0 and at most 1, or another input is not positive.
    """
    _check(flops=flops, peak_flops=peak_flops, mfu=mfu)
    return flops / (mfu * peak_flops)


def accelerators(accelerator_time, wall_time):
    """Cards that must run all through ``wall_time`` to spend ``accelerator_time`` (not rounded).

    Raises
    ------
    ParameterError
        If an input is not positive.
    """
    _check(accelerator_time=accelerator_time, wall_time=wall_time)
    return accelerator_time / wall_time


def wall_time(accelerator_time, accelerators):
    """Clock time in which ``accelerators`` spend ``accelerator_time``.

    Raises
    ------
    ParameterError
        If an input is not positive.
    """
    _check(accelerator_time=accelerator_time, accelerators=accelerators)
    return accelerator_time / accelerators


def cost(accelerator_time, price):
    """USD for ``accelerator_time`` at a rental ``price`` (USD per accelerator per the same unit of time).

    Raises
    ------
    ParameterError
        If the price is negative or the time not positive.
    """
    _check(accelerator_time=accelerator_time, price=price)
    return accelerator_time * price


def tokens_per_parameter(tokens, parameters):
    """Training tokens per parameter; about 20 is compute-optimal (Hoffmann et al. 2022).

    Raises
    ------
    ParameterError
        If a count is not positive.
    """
    _check(parameters=parameters, tokens=tokens)
    return tokens / parameters


@record
class Run:
    """A training run with every quantity that follows from what was given; None where nothing does.

    ``flops`` FLOP, ``mfu`` fraction, ``peak_flops`` FLOP/s of one accelerator,
    ``accelerator_time`` s, ``accelerators`` count, ``wall_time`` s,
    ``price`` USD per accelerator-second, ``usd`` USD.
    """

    flops: Any = None
    mfu: Any = None
    peak_flops: Any = None
    accelerator_time: Any = None
    accelerators: Any = None
    wall_time: Any = None
    price: Any = None
    usd: Any = None


# each identity says: the product of the left names equals the product of the right names
_IDENTITIES = (
    (("flops",), ("mfu", "peak_flops", "accelerator_time")),
    (("accelerator_time",), ("accelerators", "wall_time")),
    (("usd",), ("accelerator_time", "price")),
)


def solve(wanted: str | None = None, **known) -> Run | Any:
    """Fill in a :class:`Run` from what is known, whichever quantities those are.

    Parameters
    ----------
    wanted
        A field of :class:`Run`; then only that value is returned.
    **known
        Fields of :class:`Run`: positive numbers, arrays or quantities.

    Raises
    ------
    ParameterError
        If a name is unknown, a value out of range, the inputs contradict each other by more
        than a part in 10⁹, or ``wanted`` does not follow from them; the line says what would do.
    """
    names = [field.name for field in fields(Run)]
    for name in known:
        if name not in names:
            raise ParameterError(f"{name} is not a quantity of a run: it must be one of {', '.join(names)}")
    _check(**known)
    if wanted is not None and wanted not in names:
        raise ParameterError(f"wanted = {wanted!r} is not allowed: it must be one of {', '.join(names)}")
    given = [name for name in names if name in known]
    values = {name: known[name] for name in given}
    progress = True
    while progress:
        progress = False
        for left, right in _IDENTITIES:
            missing = [name for name in (*left, *right) if name not in values]
            if len(missing) == 1:
                values[missing[0]] = _solve_identity(left, right, missing[0], values)
                progress = True
    for left, right in _IDENTITIES:
        if all(name in values for name in (*left, *right)):
            ours, theirs = _product(left, values), _product(right, values)
            if not every(abs(ours - theirs) <= 1e-9 * abs(ours)):
                raise ParameterError(f"{left[0]} = {ours} is not allowed: {' x '.join(right)} = {theirs}")
    if "mfu" in values:
        _check(mfu=values["mfu"])
    if wanted is None:
        return Run(**values)
    if wanted not in values:
        needs = " or ".join(
            ", ".join(name for name in (*left, *right) if name != wanted and name not in values)
            for left, right in _IDENTITIES
            if wanted in (*left, *right)
        )
        raise ParameterError(f"{wanted} does not follow from {', '.join(given) or 'nothing'}: also give {needs}")
    return values[wanted]


def _product(names, values):
    answer = 1.0
    for name in names:
        answer = answer * values[name]
    return answer


def _solve_identity(left, right, missing, values):
    if missing in left:
        return _product(right, values)
    return _product(left, values) / _product([name for name in right if name != missing], values)
