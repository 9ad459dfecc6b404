"""One unit registry for every quantity that a reader sees, and one way to print a number.

Bytes, FLOP, tokens, parameters, accelerators and dollars are dimensions of their own
(``llm_units.txt``), so units catch what a plain number hides. They cannot see a cent printed
for a dollar or a TFLOP for a GFLOP: that is the task of ``Accelerator.check_within_peak``.

pint is imported when the first quantity is made, so that :func:`rounded` and the printers stay cheap.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_economics.formulas.elementwise import ParameterError

if TYPE_CHECKING:
    import pint

    ureg: pint.UnitRegistry

__all__ = ["Q", "expect", "percent", "registry", "rounded", "show", "ureg", "usd"]

_NAMES = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))


@cache
def registry() -> pint.UnitRegistry:
    """The registry that all quantities share; ``ureg`` is the same object."""
    import pint

    made = pint.UnitRegistry(Path(__file__).with_name("llm_units.txt"), cache_folder=None)
    made.formatter.default_format = "~P"
    pint.set_application_registry(made)
    return made


def __getattr__(name: str) -> Any:
    if name == "ureg":
        return registry()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def Q(value: Any, unit: str = "") -> pint.Quantity:  # noqa: N802 (short, as in pint's own examples)
    """A quantity: a number or array with a unit, such as ``Q(2.5, "USD/GPU-hour")``.

    Raises
    ------
    ParameterError
        If the registry does not know the unit.
    """
    return registry().Quantity(value, _unit("unit", unit))


def expect(quantity: Any, unit: str, name: str = "value") -> pint.Quantity:
    """The quantity converted to ``unit``, or a stop with one clear line.

    Raises
    ------
    ParameterError
        If it is a bare number, or has another dimension than ``unit``.
    """
    wanted = _unit("unit", unit)
    dimension = getattr(quantity, "dimensionality", None)
    if dimension is None:
        raise ParameterError(
            f"{name} = {quantity!r} is not allowed: it must be a quantity in {unit}, not a bare number"
        )
    if dimension != wanted.dimensionality:
        raise ParameterError(f"{name} = {quantity:~P} is not allowed: it must be a quantity in {unit}")
    return quantity.to(wanted)


def rounded(x: Any, digits: int = 6) -> Any:
    """``x`` with every float in it at ``digits`` significant digits, through lists, tuples and dictionaries.

    Numbers of NumPy come back as Python's own, arrays as lists; whole numbers, text and None as they are.
    Quantities keep their unit.
    """
    if isinstance(x, (bool, str)) or x is None:
        return x
    if hasattr(x, "magnitude"):
        return x.__class__(rounded(x.magnitude, digits), x.units)
    if isinstance(x, Mapping):
        return {key: rounded(value, digits) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return type(x)(rounded(value, digits) for value in x)
    if hasattr(x, "tolist"):
        return rounded(x.tolist(), digits)
    if isinstance(x, float) and math.isfinite(x):
        return float(f"{x:.{digits - 1}e}") + 0.0
    return x


def show(x: Any, unit: str = "", digits: int = 3, *, words: bool = False) -> str:
    """A number for a sentence: at most ``digits`` significant digits, thousands separators, its unit.

    Parameters
    ----------
    x
        A number, or a quantity, which is converted to ``unit`` (or printed in its own).
    unit
        Printed after the number as it stands.
    words
        Write from a million on as "6.4 million".
    """
    number, unit = _magnitude(x, unit)
    printed = _words(number, digits) if words else _digits(number, digits)
    return f"{printed} {unit}".rstrip()


def percent(x: Any, digits: int = 3) -> str:
    """A fraction as percent: ``percent(0.156)`` is "15.6%"."""
    return f"{_digits(100 * _magnitude(x, 'x')[0], digits)}%"


def usd(x: Any, digits: int = 3) -> str:
    """An amount of money: ``usd(12_800_000)`` is "$12.8 million", ``usd(0.0049)`` is "$0.0049"."""
    number = _magnitude(x, "USD")[0]
    amount = _words(abs(number), digits)
    whole, _, cents = amount.partition(".")
    if len(cents) == 1 and abs(number) < 1000:
        amount = f"{whole}.{cents}0"
    return f"{'-' if number < 0 else ''}${amount}"


def _unit(name: str, unit: str) -> pint.Unit:
    try:
        return registry().Unit(re.sub(r"(\w+)-(\w+)", r"(\1*\2)", unit))
    except Exception as error:  # pint lets pass whatever Python's tokenizer raises
        reason = (str(error).splitlines() or ["it cannot be read"])[0]
        raise ParameterError(f"{name} = {unit!r} is not allowed: {reason}") from None


def _magnitude(x: Any, unit: str) -> tuple[float, str]:
    if hasattr(x, "magnitude"):
        converted = expect(x, unit) if unit else x
        return float(converted.magnitude), unit or f"{converted.units:~P}"
    return float(x), unit


def _digits(number: float, digits: int) -> str:
    """At most ``digits`` significant digits, thousands separators, no zeros at the end; powers of ten from 10¹⁵ on."""
    if not math.isfinite(number):
        return str(number)
    number = rounded(number, digits)
    if abs(number) >= 1e15:
        mantissa, power = f"{number:.{digits - 1}e}".split("e+")
        return f"{mantissa.rstrip('0').rstrip('.')} × 10{power.lstrip('0').translate(_SUPERSCRIPT)}"
    places = 0 if number == 0 else max(0, digits - 1 - math.floor(math.log10(abs(number))))
    printed = f"{number:,.{places}f}"
    return printed.rstrip("0").rstrip(".") if "." in printed else printed


_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def _words(number: float, digits: int) -> str:
    number = rounded(number, digits)
    for size, name in _NAMES:
        if size <= abs(number) < 1e15:
            return f"{_digits(number / size, digits)} {name}"
    return _digits(number, digits)


def as_number(cell: str) -> float | None:
    """A cell such as "8e9", "13,000" or "1/3" as a number; None if it is none."""
    top, slash, bottom = cell.strip().replace(",", "").partition("/")
    try:
        return float(top) / float(bottom) if slash else float(top)
    except (ValueError, ZeroDivisionError):
        return None
