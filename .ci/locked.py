"""Print the part of requirements.lock that one extra of pyproject.toml needs: ``python .ci/locked.py site``."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OURS, BUILD = "llm-economics", {"setuptools", "wheel"}


def direct(extra: str, project: dict[str, Any]) -> set[str]:
    """Packages that an extra names, those of the extras that it takes in, and what the library is built with."""
    found = set(BUILD)
    for line in [*project["dependencies"], *project["optional-dependencies"][extra]]:
        name, extras = re.match(r"([\w.-]+)(?:\[(.+?)\])?", line).groups()
        found |= set().union(*(direct(each, project) for each in extras.split(","))) if name == OURS else {name}
    return found


def locked(extra: str, lock: str, project: dict[str, Any]) -> str:
    """The entries of the lock for an extra: its packages, and what these need by the lock's own notes (``via``)."""
    entries = re.split(r"(?m)^(?=\w)", lock)[1:]
    names = [re.match(r"[\w.-]+", entry)[0] for entry in entries]
    needed_by = [set(re.findall(r"(?m)^    #(?: via)? +(\w[\w.-]*)", entry)) for entry in entries]
    wanted, before = direct(extra, project), 0
    while len(wanted) > before:
        before = len(wanted)
        wanted |= {name for name, parents in zip(names, needed_by, strict=True) if parents & wanted}
    return "".join(entry for name, entry in zip(names, entries, strict=True) if name in wanted)


if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    print(locked(sys.argv[1], (ROOT / "requirements.lock").read_text(encoding="utf-8"), project), end="")
