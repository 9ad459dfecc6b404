"""One spelling of each elementwise function for floats, quantities and arrays.

The formula rooms call these instead of ``math`` or ``numpy``. Plain numbers are answered by
the standard library; anything that speaks ``__array_ufunc__`` (NumPy, Dask and pint
objects) is answered by NumPy's function of the same name, which such objects take over.
NumPy is imported only then, so the formula rooms work where it is not installed.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

__all__ = [
    "ParameterError",
    "ceil",
    "check_choice",
    "check_range",
    "cleaned",
    "every",
    "floor",
    "known",
    "log2",
    "maximum",
    "minimum",
    "shown",
    "where",
]


class ParameterError(ValueError):
    """A parameter has a value that is not allowed; the message is one line."""


_PLAIN = frozenset((int, float, bool))


def cleaned(text: Any, most: int = 60) -> str:
    """Text for one line of an error: cut before it is formatted, and of printable characters alone."""
    text = str(text)[: 4 * most]
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:most]


def shown(value: Any, most: int = 60) -> str:
    """A value as an error may quote it, in one line; a container is told by its kind and length, and not walked."""
    if isinstance(value, (list, tuple, dict, set, frozenset)):
        return f"a {type(value).__name__} of {len(value)}" if value else repr(value)
    if isinstance(value, int) and abs(value) >= 10**most:
        return f"a number of more than {most} digits"
    text = cleaned(value, most)
    return text if isinstance(value, (bool, int, float, type(None))) else repr(text)


def _is_array(*values: Any) -> bool:
    return any([value.__class__ not in _PLAIN and hasattr(value, "__array_ufunc__") for value in values])


def maximum(a, b):
    """The larger of two values, element by element (same unit as the inputs)."""
    if a.__class__ in _PLAIN and b.__class__ in _PLAIN:
        return a if a >= b else b
    if _is_array(a, b):
        import numpy

        return numpy.maximum(a, b)
    return a if a >= b else b


def minimum(a, b):
    """The smaller of two values, element by element (same unit as the inputs)."""
    if a.__class__ in _PLAIN and b.__class__ in _PLAIN:
        return a if a <= b else b
    if _is_array(a, b):
        import numpy

        return numpy.minimum(a, b)
    return a if a <= b else b


def where(condition, a, b):
    """``a`` where the condition holds, else ``b``, element by element."""
    if _is_array(condition, a, b):
        import numpy

        return numpy.where(condition, a, b)
    return a if condition else b


def floor(x):
    """The largest whole number not above ``x``; a float, as NumPy gives it."""
    if _is_array(x):
        import numpy

        return numpy.floor(x)
    return float(math.floor(x)) if math.isfinite(x) else x


def ceil(x):
    """The smallest whole number not below ``x``; a float, as NumPy gives it."""
    if _is_array(x):
        import numpy

        return numpy.ceil(x)
    return float(math.ceil(x)) if math.isfinite(x) else x


def log2(x):
    """The logarithm to base two of a positive, dimensionless ``x``."""
    if _is_array(x):
        import numpy

        return numpy.log2(x)
    return math.log2(x)


def every(condition) -> bool:
    """Whether a condition holds for a number, or for every element of an array, as far as can be seen.

    For checks: a lazy condition (Dask) passes unseen, since looking at it would compute it.
    """
    return condition is True or hasattr(condition, "dask") or known(condition)


def known(condition) -> bool:
    """Whether a condition is known to hold for a number, or for every element of an array.

    For short cuts, which must give way to the general formula where a lazy condition (Dask) hides its values.
    """
    if condition is True or condition is False or hasattr(condition, "dask"):
        return condition is True
    if hasattr(condition, "__array_ufunc__") and not hasattr(condition, "magnitude"):
        return bool(condition.all())
    import numpy

    return bool(numpy.all(condition))


def check_range(name: str, value, low: float | None = None, high: float | None = None, *, open_low: bool = False):
    """Return ``value`` if all of it lies within the bounds, else stop with one clear line.

    ``open_low`` leaves ``low`` itself out. NaN is never allowed. A lazy array (Dask) comes back with
    the check as part of its graph: nothing is computed now, each chunk is looked at once, when it is
    computed, and the error is raised then. Lazy quantities pass unchecked.

    Raises
    ------
    ParameterError
        Names the parameter, the offending value and what is allowed.
    """
    kind = value.__class__
    if kind is float or kind is int or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        ok = value == value and (low is None or (value > low if open_low else value >= low))
        if ok and (high is None or value <= high):
            return value
        raise ParameterError(f"{name} = {shown(value)} is not allowed: {_allowed(low, high, open_low)}")
    if hasattr(value, "dask"):
        if hasattr(value, "magnitude"):
            return value
        check = partial(_check_chunk, name, low, high, open_low)
        return value.map_blocks(check, dtype=value.dtype, meta=value._meta)
    if not hasattr(value, "__array_ufunc__"):
        text = value if isinstance(value, bool) else repr(str(value)[:60])
        raise ParameterError(f"{name} = {text} is not allowed: it must be a number")
    import numpy

    if value.__class__ is numpy.ndarray and value.size and value.dtype.kind in "fiu":
        least = value.min()  # NaN if there is one, and then no comparison holds
        above = low is None or (least > low if open_low else least >= low)
        if above and (least == least if high is None else value.max() <= high):
            return value
    ok = value == value
    if low is not None:
        ok = ok & (value > low if open_low else value >= low)
    if high is not None:
        ok = ok & (value <= high)
    if every(ok):
        return value
    flat = numpy.ravel(value)
    worst = flat[int(numpy.argmin(numpy.ravel(ok)))]
    raise ParameterError(f"{name} = {worst} is not allowed: {_allowed(low, high, open_low)}")


def _check_chunk(name: str, low: float | None, high: float | None, open_low: bool, chunk):
    return check_range(name, chunk, low, high, open_low=open_low)


def check_choice(name: str, value: str, allowed) -> str:
    """Return ``value`` if it is one of ``allowed``, else stop with one line that lists them.

    Raises
    ------
    ParameterError
        Names the parameter, the value and what is allowed.
    """
    if value in allowed:
        return value
    raise ParameterError(
        f"{name} = {str(value)[:60]!r} is not allowed: it must be one of {', '.join(map(str, allowed))}"
    )


def _allowed(low, high, open_low: bool) -> str:
    parts = []
    if low is not None:
        parts.append(f"above {low:g}" if open_low else f"at least {low:g}")
    if high is not None:
        parts.append(f"at most {high:g}")
    return "it must be " + (" and ".join(parts) or "a number")
