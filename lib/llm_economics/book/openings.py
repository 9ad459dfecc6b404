"""The opening of a chapter: claim, one number, one condition, and what a reader can do with it.

Its cells carry the tag ``opening``. They come last in the notebook, since they quote what the chapter has found, and
the page shows them first, with the figure that carries the same tag between the two parts. The number is a recorded
result and the badges are the verdicts of the claims named, so an opening cannot say what its chapter does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from math import floor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from llm_economics.book import claims
from llm_economics.facts.units import rounded
from llm_economics.formulas.elementwise import ParameterError

OPENING_MIME = "application/vnd.llm-economics.opening+json"


@dataclass(frozen=True)
class Opening:
    """What a chapter says first: ``value`` is that of ``result``; ``conditions`` are claim, verdict and condition.

    ``own`` is the calculator's address with values filled in, or nothing.
    """

    who: str
    claim: str
    result: str
    value: Any
    unit: str
    number: str
    says: str
    conditions: list[dict[str, str]]
    do: list[str]
    flips: str
    trust: str
    own: str = ""

    def record(self) -> dict[str, Any]:
        """The JSON record, floats at 6 significant digits."""
        return rounded({name: value for name, value in asdict(self).items() if name != "own" or value})

    def head(self) -> str:
        """Claim, number, sentence and condition as HTML."""
        conditions = "".join(
            f'<p class="opening-condition">{_badge(row)}{_html(row["condition"])}</p>' for row in self.conditions
        )
        return (
            f'<div class="opening-head"><p class="opening-who">{_html(self.who)}</p>'
            f'<p class="opening-claim">{_html(self.claim)}</p>'
            f'<p class="opening-number">{_html(self.number)}</p>'
            f'<p class="opening-says">{_html(self.says)}</p>{conditions}</div>'
        )

    def foot(self) -> str:
        """Do, Flips if and Trust as HTML."""
        link = f' <a class="opening-own" href="{escape(self.own)}">Price my own</a>' if self.own else ""
        do = "</p><p>".join(map(_html, self.do)) + link
        parts = (("do", "Do", do), ("flips", "Flips if", _html(self.flips)), ("trust", "Trust", _html(self.trust)))
        lines = "".join(f'<div class="opening-{key}"><p><b>{name}</b> {text}</p></div>' for key, name, text in parts)
        return f'<div class="opening-foot">{lines}</div>'

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {
            OPENING_MIME: self.record(),  # this the page shows, the next JupyterLab
            "text/html": self.head() + self.foot(),
            "text/plain": f"[opening] {self.result}",
        }


def opening(
    *, who: str, claim: str, result: str, number: Callable[[Any], str], says: str, conditions: Mapping[str, str],
    do: Sequence[str], flips: str, trust: str, own: Mapping[str, Any] | None = None, page: str = "calculator.html",
) -> None:  # fmt: skip
    """Show the opening of the chapter and leave its record in the notebook.

    Parameters
    ----------
    who
        Who said it, and when.
    claim
        The claim in one sentence of our own.
    result
        The name of a result that the chapter has recorded; ``number`` prints its value.
    says
        One sentence about the number.
    conditions
        For a claim or two that were checked before, by identifier, the condition that goes with the verdict;
        in a chapter without claims one condition, under an empty identifier.
    do
        Decisions that a reader can take, each with its number.
    flips, trust
        At which value the verdict changes; whether the number is counted, modelled (and how far off) or measured.

    own
        Fields of the calculator, which the last decision leads to, with their values; ``page`` is its address.

    Texts are plain, but for ``**bold**`` and code between backticks.

    Raises
    ------
    ParameterError
        If a text is empty, or the chapter has not recorded the result or checked a claim.
    """
    found = _known("result", result, claims.Result)
    texts = {"who": who, "claim": claim, "says": says, "flips": flips, "trust": trust}
    parts = (*texts.items(), *conditions.items(), *(("do", line) for line in do))
    for name, text in parts:
        if not text.strip():
            raise ParameterError(f"{name} of the opening is empty: say it")
    if not conditions or not do:
        raise ParameterError("opening is not allowed: it needs a verdict and a decision")
    judged = [
        {"claim": name, "verdict": name and _known("claim", name, claims.Verdict).verdict, "condition": text}
        for name, text in conditions.items()
    ]
    made = {"result": result, "value": found.value, "unit": found.unit, "number": number(found.value)}
    link = f"{page}?{urlencode(own)}" if own else ""
    claims._show(Opening(**texts, **made, conditions=judged, do=list(do), own=link))


def openings(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """The record of each chapter's opening in a folder of executed notebooks."""
    return dict(claims._records(folder, OPENING_MIME))


def whole(exact: float, slack: float = 0.005) -> str:
    """How many whole things fit, as text: "12 to 13" where ``slack`` of the exact number decides between the two."""
    low, high = (floor(exact * factor) for factor in (1 - slack, 1 + slack))
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _known(what: str, name: str, kind: type) -> Any:
    found = claims.SHOWN.get(name)
    if not isinstance(found, kind):
        raise ParameterError(f"{what} = {name!r} is not allowed: the chapter has not shown it")
    return found


def _badge(row: Mapping[str, str]) -> str:
    claim, verdict = row["claim"], row["verdict"]
    kind = verdict.replace(" ", "-")
    badge = f'<a class="verdict-badge is-{kind}" href="#{claim}" title="{claim}">{verdict}</a> '
    return badge if claim else ""


def _html(text: str) -> str:
    bold = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(text, quote=False))
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", bold)
