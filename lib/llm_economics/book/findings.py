"""Findings that matter: two numbers that should be one, how far apart they are, and a picture of that."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from llm_economics.book.judging import ledger
from llm_economics.facts.units import show
from llm_economics.formulas.elementwise import ParameterError

WIDTH, HEIGHT, EDGE = 440, 46, 8


@dataclass(frozen=True)
class Finding:
    """A sentence on one claim, and two labelled numbers in ``unit``: what was said, and what was found."""

    claim: str
    text: str
    said: tuple[str, float]
    found: tuple[str, float]
    unit: str

    @property
    def apart(self) -> float:
        """The larger number over the smaller."""
        a, b = self.said[1], self.found[1]
        if a <= 0 or b <= 0:
            raise ParameterError(f"numbers of {self.claim} = {a}, {b} are not allowed: both must be above 0")
        return max(a / b, b / a)


def picture(finding: Finding) -> str:
    """The two numbers as the ends of a logarithmic line, as SVG; the line is as long for every finding."""
    low, high = sorted((finding.said[1], finding.found[1]))
    span = math.log(high / low) or 1.0

    def mark(point: tuple[str, float], kind: str) -> str:
        name, number = point
        x = EDGE + (WIDTH - 2 * EDGE) * math.log(number / low) / span
        label, first = f"{name}: {show(number, words=number >= 1e6)}", number == low
        anchor = 'x="0" text-anchor="start"' if first else f'x="{WIDTH}" text-anchor="end"'
        return (
            f'<circle class="{kind}" cx="{x:.0f}" cy="12" r="5"></circle><text {anchor} y="36">{escape(label)}</text>'
        )

    told = f"{finding.said[0]} {show(finding.said[1])}, {finding.found[0]} {show(finding.found[1])} {finding.unit}"
    return (
        f'<svg class="finding-picture" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(told)}">'
        f'<line x1="{EDGE}" x2="{WIDTH - EDGE}" y1="12" y2="12"></line>'
        f"{mark(finding.said, 'finding-said')}{mark(finding.found, 'finding-found')}</svg>"
    )


def ranked(findings: Iterable[Finding]) -> Any:
    """Findings as a list, the furthest apart first, each with its factor, its picture and the way to its claim."""
    from IPython.display import HTML

    items = sorted(findings, key=lambda each: each.apart, reverse=True)
    return HTML(f'<ol class="findings">{"".join(map(_item, items))}</ol>')


def _item(finding: Finding) -> str:
    link = f"{ledger()[finding.claim].chapter}.html#{finding.claim}"
    return (
        f'<li><p class="finding-apart">{show(finding.apart)}×</p><div><p>{finding.text} '
        f'<a href="{link}">{finding.claim}</a></p>{picture(finding)}'
        f'<p class="finding-unit">{escape(finding.unit)}, logarithmic</p></div></li>'
    )
