"""The tiles of the landing page: of each article a claim, what was found, and both on one small axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from math import log
from typing import Any

from llm_economics.formulas.elementwise import ParameterError


@dataclass(frozen=True)
class Span:
    """What was claimed or found: a text, and the numbers from ``low`` to ``high`` that stand for it on the axis."""

    text: str
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            raise ParameterError(f"span from {self.low} to {self.high} is not allowed: it must be above 0 and rise")


@dataclass(frozen=True)
class Tile:
    """One article's claim beside what its chapter found."""

    chapter: str
    who: str
    claimed: Span
    found: Span
    says: str

    def html(self) -> str:
        """A link to the chapter that shows all of it."""
        texts = (self.chapter, self.who, self.claimed.text, self.found.text, self.says)
        chapter, who, claimed, found, says = map(escape, texts)
        return (
            f'<a class="tile" href="chapters/{chapter}.html"><span class="tile-who">{who}</span>'
            f'<span class="tile-found"><s>{claimed}</s> <strong>{found}</strong></span>'
            f'{spark(self.claimed, self.found)}<span class="tile-says">{says}</span></a>'
        )


def spark(claimed: Span, found: Span) -> str:
    """Claimed (a ring or an open bar) and found (filled) on one logarithmic axis, as a small SVG of 160 × 28 pixels."""
    ends = claimed.low, claimed.high, found.low, found.high
    low, high = min(ends), max(ends)
    across = (lambda value: 80.0) if low == high else (lambda value: 10 + 140 * log(value / low) / log(high / low))
    return (
        '<svg class="spark" viewBox="0 0 160 28" role="img" '
        f'aria-label="claimed {escape(claimed.text)}, found {escape(found.text)}"><path d="M4 14h152"/>'
        f"{_mark(claimed, across, 'claimed')}{_mark(found, across, 'found')}</svg>"
    )


def _mark(span: Span, across: Any, kind: str) -> str:
    left, right = across(span.low), across(span.high)
    return f'<rect class="{kind}" x="{left - 6:.1f}" y="8" width="{right - left + 12:.1f}" height="12" rx="6"/>'


@dataclass(frozen=True)
class Tiles:
    """Tiles as a notebook and the page show them."""

    tiles: tuple[Tile, ...]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        text = "\n".join(f"{tile.who}: {tile.claimed.text} → {tile.found.text}. {tile.says}" for tile in self.tiles)
        return {
            "text/html": f'<div class="tiles">{"".join(tile.html() for tile in self.tiles)}</div>',
            "text/plain": text,
        }


def tiles(found: Iterable[Tile]) -> Tiles:
    """Show tiles side by side."""
    return Tiles(tuple(found))


def about(who: str, openings: Mapping[str, Mapping[str, Any]], chapter: str, claimed: Span, found: Span) -> Tile:
    """A tile that says what its chapter's opening says.

    Raises
    ------
    ParameterError
        If the chapter has no opening.
    """
    if chapter not in openings:
        raise ParameterError(f"chapter = {chapter!r} is not allowed: it has no opening")
    first, *_ = str(openings[chapter]["says"]).split(";")
    return Tile(chapter, who, claimed, found, first.rstrip(".") + ".")
