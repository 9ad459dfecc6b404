"""Scenarios: sets of assumptions in YAML, checked whole before anything runs.

A scenario has a ``title``, a ``why``, ``parameters`` for every chapter that has them, and maybe
``chapters`` with values for single ones. Those of the book are in ``scenarios/``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from llm_economics.facts import ROOT
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import notebooks
from llm_economics.reruns.notebooks import nearest

FOLDER = ROOT / "scenarios"
LARGEST = 64_000  # bytes of a file
LONGEST = {"title": 120, "why": 2000}  # characters
KEYS = ("title", "why", "parameters", "chapters")


@dataclass(frozen=True)
class Scenario:
    """A set of assumptions with its reasons; ``values`` are what :func:`notebooks.assign` takes."""

    name: str
    title: str
    why: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    chapters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any]:
        """Values for all chapters by name, and those for one by the chapter's name."""
        return {**self.parameters, **self.chapters}


class _Loader(yaml.SafeLoader):
    """Plain data only; a key that stands twice is an error, and so are anchors, which can grow without end."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.YAMLError(f"line {key_node.start_mark.line + 1}: the key {str(key)[:60]!r} must be text")
        if key in found:
            raise yaml.YAMLError(f"line {key_node.start_mark.line + 1}: {key[:60]!r} stands twice")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_implicit_resolver(  # 6.4e6 and 1e-3 are numbers, as in YAML 1.2 and in Python
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$", re.ASCII), list("-+.0123456789")
)


def names() -> list[str]:
    """The scenarios of the book."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str) -> Scenario:
    """A scenario of the book by name, or one of the reader's own by the path of its file.

    Raises
    ------
    ParameterError
        If there is no such file, or anything in it is not allowed; one line with the nearest known names.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        if name not in names():
            raise ParameterError(f"no scenario {name[:60]!r}{nearest(name, names())} (or the path of a .yaml file)")
        path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise ParameterError(f"no file {str(path)[:200]!r}{nearest(path.stem, names())}")
    if path.stat().st_size > LARGEST:
        raise ParameterError(f"{path} is too large for a scenario: at most {LARGEST} bytes")
    try:
        return parse(path.read_text(encoding="utf-8"), path.stem)
    except (ParameterError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path.name}: {' '.join(str(error).split())}") from error


def parse(text: str, name: str) -> Scenario:
    """Read a scenario and check every name, type and range in it against the chapters of the book.

    Raises
    ------
    ParameterError
        If anything is not allowed.
    """
    try:
        found = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ParameterError(f"no valid YAML: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(found, dict):
        raise ParameterError(f"a scenario has the keys {', '.join(KEYS)}")
    for key in found:
        if key not in KEYS:
            raise ParameterError(f"unknown key {key[:60]!r}{nearest(key, KEYS)}")
    for key in ("title", "why"):
        _check_text(key, found.get(key))
    parameters, chapters = found.get("parameters") or {}, found.get("chapters") or {}
    for key, value in (("parameters", parameters), ("chapters", chapters), *chapters_of(chapters)):
        if not isinstance(value, dict):
            raise ParameterError(f"{key[:60]} must be a mapping, name: value")
    if not parameters and not any(chapters.values()):
        raise ParameterError("parameters is empty: a scenario changes at least one")
    for key in parameters:
        notebooks.parameter(key)
    scenario = Scenario(name, found["title"].strip(), " ".join(found["why"].split()), parameters, chapters)
    notebooks.assign(scenario.values)
    return scenario


def chapters_of(chapters: Any) -> list[tuple[str, Any]]:
    """The parts of ``chapters``, if it has any."""
    return list(chapters.items()) if isinstance(chapters, dict) else []


def _check_text(key: str, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ParameterError(f"{key} must be text")
    if len(value) > LONGEST[key]:
        raise ParameterError(f"{key} is too long: at most {LONGEST[key]} characters")
    if not value.replace("\n", "").isprintable() or (key == "title" and "\n" in value.strip()):
        raise ParameterError(f"{key} must be plain text" + (" in one line" if key == "title" else ""))
