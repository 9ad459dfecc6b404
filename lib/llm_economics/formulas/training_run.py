"""A training run as options give it, answered for people and programs.

The command line and the calculator's page ask here; whatever is left out is solved for by :func:`training.solve`.
"""

from __future__ import annotations

from typing import Any

from llm_economics.formulas import training
from llm_economics.formulas.elementwise import ParameterError, check_range
from llm_economics.formulas.questions import Catalog, digits

OPTIONS: dict[str, Any] = {
    "parameters": None,
    "tokens": None,
    "accelerators": None,
    "days": None,
    "usd": None,
    "mfu": None,
    "usd_per_hour": None,
    "peak_flops": None,
    "system": None,
    "precision": None,
}
"""Options and their defaults: the peak in FLOP/s and the price in USD per hour, both of one accelerator.

The peak is that of 16 bits where no precision is given.
"""
QUANTITIES = tuple(OPTIONS)[:8]
"""Those that are numbers; any that follows from the others may be left out."""
_SUSPECTS = ("days", "accelerators", "usd", "usd_per_hour", "mfu", "tokens", "parameters", "peak_flops")
"""Which of too many is named first."""

_NAMES = {
    "parameters": "parameters",
    "tokens": "tokens",
    "flops": "compute",
    "accelerator_hours": "card-hours",
    "accelerators": "cards",
    "days": "days",
    "usd": "USD",
    "mfu": "MFU",
    "usd_per_hour": "USD per card-hour",
    "peak_flops": "peak",
    "tokens_per_parameter": "tokens per parameter",
}
_UNITS = {"flops": "FLOP", "peak_flops": "FLOP/s"}
_FORMULAS = (
    ("flops", "6 × {parameters} × {tokens}"),
    ("accelerator_hours", "{accelerators} × 24 × {days}"),
    ("accelerator_hours", "{usd} ÷ {usd_per_hour}"),
    ("accelerator_hours", "{flops} ÷ ({mfu} × {peak_flops}) ÷ 3600"),
    ("days", "{accelerator_hours} ÷ {accelerators} ÷ 24"),
    ("accelerators", "{accelerator_hours} ÷ (24 × {days})"),
    ("usd", "{accelerator_hours} × {usd_per_hour}"),
    ("usd_per_hour", "{usd} ÷ {accelerator_hours}"),
    ("mfu", "{flops} ÷ ({peak_flops} × 3600 × {accelerator_hours})"),
    ("peak_flops", "{flops} ÷ ({mfu} × 3600 × {accelerator_hours})"),
    ("flops", "{mfu} × {peak_flops} × 3600 × {accelerator_hours}"),
    ("tokens", "{flops} ÷ (6 × {parameters})"),
    ("parameters", "{flops} ÷ (6 × {tokens})"),
    ("tokens_per_parameter", "{tokens} ÷ {parameters}"),
)
"""What follows from what, in the order in which it is told."""


def answer(catalog: Catalog, **options: Any) -> dict[str, Any]:
    """A training run with whatever follows from ``options``, which are :data:`OPTIONS`; None for what does not.

    Raises
    ------
    ParameterError
        One line: out of range, not known, at odds with the others, or nothing follows.
    """
    options = OPTIONS | options
    given = {name: options[name] for name in QUANTITIES if options[name] is not None}
    for name, value in given.items():
        low = 1e9 if name == "peak_flops" else 0.0  # less was meant in TFLOP/s
        check_range(name, value, low, 1 if name == "mfu" else 1e30, open_low=True)
    chip = precision = None
    if options["system"] is not None:
        if "peak_flops" in given:
            raise ParameterError(f"peak_flops = {given['peak_flops']:g} is not allowed: the system has its own")
        chip = catalog.system(options["system"]).accelerator
        precision = options["precision"] or ("fp16" if "bf16" not in chip.peak_flops else "bf16")
        given["peak_flops"] = chip.peak(precision)
    found = {**run(**given), "accelerator": chip and chip.name, "precision": precision}
    found["found"] = [name for name, _ in _steps(found, set(given))]
    if not found["found"]:
        hint = "give parameters and tokens, accelerators and days, or usd and usd_per_hour, and what is known beside"
        raise ParameterError(f"{' and '.join(given) or 'nothing'} is not enough for an answer: {hint}")
    return found


def run(**given: Any) -> dict[str, Any]:
    """What follows from quantities of a run, by :func:`training.solve`.

    Raises
    ------
    ParameterError
        One line: at odds with each other, or a utilisation above one.
    """
    try:
        return _run(given)
    except ParameterError as error:
        if str(error).startswith("mfu = "):
            raise (error if "mfu" in given else ParameterError(f"{error}; it follows from the others")) from None
        for name in [name for name in _SUSPECTS if name in given]:
            value, other = given[name], _without(name, given)
            if other is not None and abs(other - value) > 1e-9 * abs(value):
                raise ParameterError(
                    f"{name} = {value:g} is not allowed: {other:g} follows from the others; leave one of them out"
                ) from None
        contradicted = ", ".join([f"{name} = {value:g}" for name, value in given.items()])
        raise ParameterError(f"{contradicted} is not allowed together: leave out what is to be found") from None


def _without(name: str, given: dict[str, Any]) -> float | None:
    try:
        return _run({other: value for other, value in given.items() if other != name})[name]
    except ParameterError:
        return None


def _run(given: dict[str, Any]) -> dict[str, Any]:
    known = dict(given)
    fixed = {name: known[name] for name in ("accelerators", "usd", "mfu", "peak_flops") if name in known}
    if "days" in known:
        fixed["wall_time"] = known["days"] * training.SECONDS_PER_DAY
    if "usd_per_hour" in known:
        fixed["price"] = known["usd_per_hour"] / training.SECONDS_PER_HOUR
    if "parameters" in known and "tokens" in known:
        fixed["flops"] = training.training_flops(known["parameters"], known["tokens"])
    found = training.solve(**fixed)
    if found.flops is not None:
        each = training.FLOP_PER_PARAMETER_TOKEN
        if "parameters" in known and "tokens" not in known:
            known["tokens"] = found.flops / each / known["parameters"]
        elif "tokens" in known and "parameters" not in known:
            known["parameters"] = found.flops / each / known["tokens"]
    parameters, tokens = known.get("parameters"), known.get("tokens")
    return {
        "parameters": parameters,
        "tokens": tokens,
        "tokens_per_parameter": training.tokens_per_parameter(tokens, parameters) if parameters and tokens else None,
        "flops": found.flops,
        "accelerators": found.accelerators,
        "days": None if found.wall_time is None else found.wall_time / training.SECONDS_PER_DAY,
        "accelerator_hours": None if found.accelerator_time is None else found.accelerator_time / 3600,
        "usd": found.usd,
        "mfu": found.mfu,
        "usd_per_hour": None if found.price is None else found.price * 3600,
        "peak_flops": found.peak_flops,
    }


# ---------------------------------------------------------------------------------------------------------------------
# For people


def _steps(found: dict[str, Any], known: set[str]) -> list[tuple[str, str]]:
    """Each quantity that was not given, with the formula by which it follows from those before it."""
    known, steps, grown = set(known), [], True
    while grown:
        grown = False
        for name, formula in _FORMULAS:
            needed = [other for other in found if "{" + other + "}" in formula]
            if name not in known and found[name] is not None and all(other in known for other in needed):
                known.add(name)
                steps.append((name, formula))
                grown = True
    return steps


def said(found: dict[str, Any]) -> str:
    """A run in a sentence."""
    parts = []
    if found["parameters"] and found["tokens"]:
        size = f"{_shown('parameters', found['parameters'])} parameters on {_shown('tokens', found['tokens'])} tokens"
        parts.append(f"{size} ({digits(found['tokens_per_parameter'])} a parameter)")
    if found["accelerators"]:
        parts.append(f"{digits(found['accelerators'])} cards")
    for name, text in (("days", "{} days"), ("usd", "${}"), ("mfu", "MFU {}")):
        if found[name]:
            parts.append(text.format(digits(found[name])))
    open_ = [_NAMES[name] for name in QUANTITIES if found[name] is None]
    return ", ".join(parts) + (f"; too little is given for {', '.join(open_)}" if open_ else "") + "."


def workings(found: dict[str, Any]) -> list[dict[str, Any]]:
    """How each number that was found follows: ``name``, ``value``, ``unit``, ``formula``, and ``numbers`` put in."""
    shown = {name: _shown(name, found[name]) for name in _NAMES}
    return [
        {
            "name": _NAMES[name],
            "value": found[name],
            "unit": _UNITS.get(name, ""),
            "formula": formula.format(**_NAMES),
            "numbers": formula.format(**shown),
            "shown": f"{shown[name]} {_UNITS.get(name, '')}".strip(),
        }
        for name, formula in _steps(
            found, {name for name in _NAMES if found[name] is not None and name not in found["found"]}
        )
    ]


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if name in ("parameters", "tokens") and value >= 1e7:
        return f"{digits(value / 1e9)} billion"
    return f"{value:.3g}" if name in _UNITS else digits(value)


def told(found: dict[str, Any]) -> str:
    """A run in lines, with how each number follows."""
    lines = [f"  {one['name']:<22}{one['shown']:<19} {one['formula']} = {one['numbers']}" for one in workings(found)]
    return "\n".join([said(found), *lines])
