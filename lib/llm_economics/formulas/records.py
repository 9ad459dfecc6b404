"""Frozen records, which are dataclasses to whoever asks, and take a fiftieth of the time to define.

``dataclasses`` compiles six methods for each class, which was most of what importing the formulas took. All records
share theirs; what ``dataclasses``, ``inspect`` and others want to know of a class is worked out when they first ask.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, TypeVar, dataclass_transform

R = TypeVar("R")
_NOTHING = object()


class field:  # noqa: N801 (as in dataclasses)
    """A field without a plain default: what makes one, or what else there is to know of it."""

    def __init__(
        self, default_factory: Callable[[], Any] | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        self.default_factory, self.metadata = default_factory, metadata or {}


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(made: type | None = None, *, kw_only: bool = False) -> Any:
    """A class as a record of the fields that it annotates, as by ``dataclasses.dataclass(frozen=True)``."""
    if made is None:
        return lambda made: record(made, kw_only=kw_only)
    listed: dict[str, SimpleNamespace] = {}
    for base in reversed(made.__mro__[1:]):
        listed |= {one.name: one for one in base.__dict__.get("__record__", ())}
    for name, kind in made.__annotations__.items():
        if str(kind).startswith(("ClassVar", "typing.ClassVar")):
            continue
        given = getattr(made, name, _NOTHING)
        special = given if isinstance(given, field) else field()
        if special is given:
            delattr(made, name)
            given = _NOTHING
        listed[name] = SimpleNamespace(name=name, type=kind, default=given, kw_only=kw_only, **vars(special))
    made.__record__ = tuple(listed.values())
    made.__match_args__ = tuple([one.name for one in made.__record__ if not one.kw_only])
    made._blank = {one.name: one.default for one in made.__record__}
    made._made = tuple([one for one in made.__record__ if one.default_factory])
    made._needed = frozenset(
        [one.name for one in made.__record__ if one.default is _NOTHING and not one.default_factory]
    )
    for name, shared in _SHARED.items():
        if made.__dict__.get(name) is None:  # a class with __eq__ of its own has None for __hash__
            setattr(made, name, shared)
    return made


def fields(record: Any) -> tuple[Any, ...]:
    """Name, type as it is written, default and metadata of each field of a record, a dataclass or their class."""
    made = record if isinstance(record, type) else record.__class__
    if "__record__" in made.__dict__:
        return made.__record__
    import dataclasses

    return dataclasses.fields(made)


def replace(record: R, **changes: Any) -> R:
    """The record, or dataclass, with some of its fields changed."""
    return record.__class__(**{one.name: getattr(record, one.name) for one in fields(record)} | changes)


def _init(self: Any, /, *given: Any, **named: Any) -> None:
    if given:
        names = self.__match_args__
        if len(given) > len(names):
            raise TypeError(f"{self.__class__.__name__} takes {len(names)} values by place, not {len(given)}")
        for name, value in zip(names, given, strict=False):
            if name in named:
                raise TypeError(f"{self.__class__.__name__} got two values of {name}")
            named[name] = value
    values = self._blank | named
    if len(values) != len(self._blank) or not self._needed <= named.keys():
        unknown, missing = named.keys() - self._blank.keys(), self._needed - named.keys()
        what = f"has no field {min(unknown)}" if unknown else f"needs {', '.join(sorted(missing))}"
        raise TypeError(f"{self.__class__.__name__} {what}")
    for one in self._made:
        if one.name not in named:
            values[one.name] = one.default_factory()
    self.__dict__.update(values)
    check = getattr(self, "__post_init__", None)
    if check is not None:
        check()


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self._blank])


def _eq(self: Any, other: Any) -> bool:
    return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _repr(self: Any) -> str:
    return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._blank)})"


def _frozen(self: Any, name: str, *_: Any) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot change field {name!r} of a record")


class _Asked:
    """What others want to know of a record's class, from a dataclass of the same fields that is made when they ask."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, record: Any, made: type) -> Any:
        import dataclasses
        import inspect

        listed = []
        for one in made.__record__:
            usual = {} if one.default is _NOTHING else {"default": one.default}
            usual |= {"default_factory": one.default_factory} if one.default_factory else {}
            listed.append((one.name, one.type, dataclasses.field(**usual, kw_only=one.kw_only, metadata=one.metadata)))
        twin = dataclasses.make_dataclass(made.__name__, listed, frozen=True)
        for name in ("__dataclass_fields__", "__dataclass_params__"):
            setattr(made, name, getattr(twin, name))
        made.__signature__ = inspect.signature(twin)
        return getattr(made, self.name)


_SHARED = {
    "__init__": _init,
    "__eq__": _eq,
    "__hash__": _hash,
    "__repr__": _repr,
    "__setattr__": _frozen,
    "__delattr__": _frozen,
} | {name: _Asked(name) for name in ("__dataclass_fields__", "__dataclass_params__", "__signature__")}
