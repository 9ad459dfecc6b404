"""The opening of a chapter: claim, one number, one condition, and what a reader can do with it.

Its cells carry the tag ``opening``. They come last in the notebook, since they quote what the chapter has found, and
the page shows them first, with the figure that carries the same tag between the two parts. The number is a recorded
result and the badges are the verdicts of the claims named, so an opening cannot say what its chapter does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from llm_economics.book import claims
from llm_economics.facts.units import rounded
from llm_economics.formulas.elementwise import ParameterError

OPENING_MIME = "application/vnd.llm-economics.opening+json"


@dataclass(frozen=True)
class Opening:
    """What a chapter says first. ``verdicts`` are those of its claims, by id; ``value`` is that of ``result``."""

    who: str
    claim: str
    result: str
    value: Any
    unit: str
    number: str
    says: str
    condition: str
    verdicts: Mapping[str, str]
    do: tuple[str, ...]
    flips: str
    trust: str

    def record(self) -> dict[str, Any]:
        """The JSON record, floats at 6 significant digits."""
        return rounded({key: list(value) if key == "do" else value for key, value in asdict(self).items()})

    def head(self) -> str:
        """Claim, number, sentence and condition as HTML."""
        badges = "".join(
            f'<a class="verdict-badge is-{verdict.replace(" ", "-")}" href="#{claim_id}" title="{claim_id}">'
            f"{escape(verdict)}</a> "
            for claim_id, verdict in self.verdicts.items()
        )
        return (
            f'<div class="opening-head"><p class="opening-who">{_html(self.who)}</p>'
            f'<p class="opening-claim">{_html(self.claim)}</p>'
            f'<p class="opening-number">{_html(self.number)}</p>'
            f'<p class="opening-says">{_html(self.says)}</p>'
            f'<p class="opening-condition">{badges}{_html(self.condition)}</p></div>'
        )

    def foot(self) -> str:
        """Do, Flips if and Trust as HTML."""
        do = "</p><p>".join(map(_html, self.do))
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
    *, who: str, claim: str, result: str, number: Callable[[Any], str], says: str, condition: str,
    verdicts: Iterable[str], do: Iterable[str], flips: str, trust: str,
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
    says, condition
        One sentence about the number, and the one condition under which it stands.
    verdicts
        Identifiers of the claims, checked before, whose verdicts are the badges.
    do
        Decisions that a reader can take, each with its number.
    flips, trust
        At which value the verdict changes; whether the number is counted, modelled (and how far off) or measured.

    Texts are plain, but for ``**bold**``.

    Raises
    ------
    ParameterError
        If a text is empty, or the chapter has not recorded the result or checked a claim.
    """
    found = _known("result", result, claims.Result)
    texts = {"who": who, "claim": claim, "says": says, "condition": condition, "flips": flips, "trust": trust}
    for name, text in (*texts.items(), *(("do", line) for line in do)):
        if not text.strip():
            raise ParameterError(f"{name} of the opening is empty: say it")
    badges = {claim_id: _known("claim", claim_id, claims.Verdict).verdict for claim_id in verdicts}
    if not badges or not (do := tuple(do)):
        raise ParameterError("opening is not allowed: it needs a verdict and a decision")
    made = {"result": result, "value": found.value, "unit": found.unit, "number": number(found.value)}
    claims._show(Opening(**texts, **made, verdicts=badges, do=do))


def openings(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """The record of each chapter's opening in a folder of executed notebooks."""
    return dict(claims._records(folder, OPENING_MIME))


def _known(what: str, name: str, kind: type) -> Any:
    found = claims.SHOWN.get(name)
    if not isinstance(found, kind):
        raise ParameterError(f"{what} = {name!r} is not allowed: the chapter has not shown it")
    return found


def _html(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(text, quote=False))
