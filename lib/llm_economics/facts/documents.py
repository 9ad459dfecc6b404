"""Files that a reader writes, systems and scenarios: one reader of YAML, and JSON with it, with one set of rules.

Plain data only: mappings with text as keys, lists, text, numbers, true, false, null. No anchor, no tag, no key twice,
no second document; a number is written as people write one, so that ``010`` and ``1:30`` are text and ``1_000`` too.

What programs write, runs and notebooks, is JSON of a known shape: :func:`json_text` and :func:`shaped` read it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from llm_economics.checkpoints.config import one_of_each
from llm_economics.formulas.elementwise import ParameterError, cleaned, shown

if TYPE_CHECKING:
    from pydantic import BaseModel

LARGEST = 64_000
"""Bytes of a file that a reader writes."""
LARGEST_JSON = 64_000_000
"""Bytes of a file that a program writes."""
DEEPEST = 20
"""Levels of lists and mappings in one another."""

_PLAIN = {
    "bool": (r"true|false|True|False|TRUE|FALSE", "tTfF"),
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "int": (r"[-+]?(0|[1-9]\d*)", "-+0123456789"),
    "float": (
        r"[-+]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
}


class _Reader(yaml.SafeLoader):
    """YAML 1.2's plain data."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 (filled below; yaml's own hold octal numbers, times and dates)
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.YAMLError(f"line {line}: anchors and aliases are not allowed")
        if getattr(event, "tag", None):
            raise yaml.YAMLError(f"line {line}: tags are not allowed")
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.YAMLError(f"line {line}: more than {DEEPEST} levels are not allowed")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise yaml.YAMLError(f"line {line}: a key must be text")
            if key in found:
                raise yaml.YAMLError(f"line {line}: {key[:60]!r} stands twice")
            found[key] = self.construct_object(value_node, deep=True)
        return found


for _kind, (_pattern, _first) in _PLAIN.items():
    _Reader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_pattern})\Z", re.ASCII), list(_first)
    )
_Reader.yaml_implicit_resolvers[""] = _Reader.yaml_implicit_resolvers.pop("\0")
_Reader.add_constructor("tag:yaml.org,2002:map", _Reader.mapping)


def parse(text: str) -> Any:
    """What a text of YAML or JSON holds.

    Raises
    ------
    ParameterError
        One line, with the line of the text where one is to blame.
    """
    if len(text.encode()) > LARGEST:
        raise ParameterError(f"it is too large: at most {LARGEST} bytes are allowed")
    try:
        return yaml.load(text, Loader=_Reader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise ParameterError(f"no valid YAML{where}: {cleaned(error.problem, 200)}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ParameterError(f"no valid YAML: {cleaned(error, 200)}") from None


def load(path: Path) -> Any:
    """What a file of YAML or JSON holds.

    Raises
    ------
    ParameterError
        One line: the file cannot be read, is too large, or is refused by :func:`parse`.
    """
    return parse(_text(content(path, LARGEST)))


def content(path: Path, largest: int = LARGEST_JSON) -> bytes:
    """The bytes of a file.

    Raises
    ------
    ParameterError
        One line: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            found = file.read(largest + 1)
    except (OSError, ValueError) as error:
        raise ParameterError(f"it cannot be read ({getattr(error, 'strerror', None) or 'no path'})") from None
    if len(found) > largest:
        raise ParameterError(f"it is too large: at most {largest} bytes are allowed")
    return found


def _text(found: bytes) -> str:
    try:
        return found.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ParameterError("it is not UTF-8 text") from None


def json_text(found: bytes) -> Any:
    """What the bytes of a JSON file hold: no key twice, and no number that is not finite.

    Raises
    ------
    ParameterError
        One line.
    """
    try:
        return json.loads(_text(found), object_pairs_hook=one_of_each, parse_constant=_refuse_constant)
    except RecursionError:
        raise ParameterError("it is nested too deeply") from None
    except ParameterError:
        raise
    except ValueError as error:
        raise ParameterError(f"it is not JSON ({cleaned(error, 80)})") from None


def _refuse_constant(name: str) -> None:
    raise ParameterError(f"{name} is not allowed: a number is finite")


def shaped(found: Any, shape: type[BaseModel]) -> Any:
    """The same data, once it is sure to have the shape that a model of pydantic says.

    Raises
    ------
    ParameterError
        One line: the field, its value, and what is allowed there.
    """
    from pydantic import ValidationError

    try:
        shape.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = cleaned(".".join(map(str, first["loc"])) or "all of it", 120)
        why = first["msg"].replace("Input should be", "it must be").removeprefix("Value error, ")
        if first["type"] == "missing":
            raise ParameterError(f"{field} is missing") from None
        raise ParameterError(f"{field} = {shown(first['input'])} is not allowed: {cleaned(why, 200)}") from None
    return found
