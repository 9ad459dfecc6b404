"""Scenarios: sets of assumptions in YAML, checked whole before anything runs.

A scenario has a ``title``, a ``why``, ``parameters`` for every chapter that has them, and maybe
``chapters`` with values for single ones. Those of the book are in ``scenarios/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_economics.facts import ROOT, documents
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import notebooks
from llm_economics.reruns.notebooks import nearest

FOLDER = ROOT / "scenarios"
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
    try:
        return _scenario(documents.load(path), path.stem)
    except ParameterError as error:
        raise ParameterError(f"{path.name}: {' '.join(str(error).split())}") from error


def parse(text: str, name: str) -> Scenario:
    """Read a scenario and check every name, type and range in it against the chapters of the book.

    Raises
    ------
    ParameterError
        If anything is not allowed.
    """
    return _scenario(documents.parse(text), name)


def _scenario(found: Any, name: str) -> Scenario:
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
