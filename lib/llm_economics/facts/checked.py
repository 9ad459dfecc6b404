"""Files of ``data/`` that were validated when they were last changed, read without validating them again.

``checked.json`` holds for each of them its checksum and what its columns hold, and the checksum of the rules that they
were held against; ``python -m llm_economics.facts.store`` writes it. Whatever differs from it is validated.
"""

from __future__ import annotations

import csv
import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

PLACE = Path(__file__).with_name("checked.json")
RULES = ("rows.py", "bounds.py", "units.py", "store.py")
"""Rooms of this floor that say what is allowed, beside ``bounds.csv``."""
_READ = {"int": int, "float": float, "bool": "True".__eq__, "str": str}


def table(name: str, folder: Path) -> dict[str, Any] | None:
    """The columns of a file and which columns of numbers have gaps; None unless it was validated as it is."""
    stored = _stored(folder)
    entry = stored and stored.get(name)
    content = entry and _content(folder / f"{name}.csv")
    return as_table(content, entry["columns"]) if content and entry["checksum"] == checksum(content) else None


def as_table(content: bytes, columns: list[list[Any]]) -> dict[str, Any]:
    """A file's content by ``columns``: name, kind, what an empty cell means, whether a gap among numbers."""
    header, *rows = csv.reader(content.decode().split("\n")[:-1])
    cells = dict(zip(header, zip(*rows, strict=True), strict=True))
    found = {name: [_READ[kind](cell) if cell else empty for cell in cells[name]] for name, kind, empty, _ in columns}
    return {"columns": found, "gaps": [name for name, _, _, number in columns if number and None in found[name]]}


def checksum(*contents: bytes) -> list[int]:
    """Length and CRC-32, which no edit keeps by chance."""
    whole = b"\0".join(contents)
    return [len(whole), zlib.crc32(whole)]


def rules(folder: Path) -> list[int]:
    """The checksum of what files of ``data/`` are held against."""
    here = Path(__file__).parent
    places = [*(here / room for room in RULES), here.parent / "checkpoints" / "quantisation.py", folder / "bounds.csv"]
    return checksum(*map(_content, places))


@cache
def _stored(folder: Path) -> dict[str, Any] | None:
    try:
        stored = json.loads(PLACE.read_bytes())
    except (OSError, ValueError):
        return None
    return stored["files"] if stored["rules"] == rules(folder) else None


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
