"""The ledger: what the articles claim, what the chapters found, and how one is held against the other.

``data/claims.csv`` holds statements and tolerances only. A chapter calls :func:`check` and
:func:`record`; each leaves one JSON output in the executed notebook, and those outputs are the
only store: scorecard, landing page, tests and command line read them with :func:`verdicts`,
:func:`results` and :func:`scorecard`.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from llm_economics import facts
from llm_economics.facts.units import rounded, show
from llm_economics.formulas.elementwise import ParameterError

VERDICT_MIME = "application/vnd.llm-economics.verdict+json"
RESULT_MIME = "application/vnd.llm-economics.result+json"

NOT_YET = "not yet checked"
VERDICTS = (
    "holds",
    "holds if",
    "unit slip",
    "fails",
    "cannot be tested",
    "answered",
    "came true",
    "did not come true",
    "open",
    NOT_YET,
)


@dataclass(frozen=True)
class Claim:
    """One row of ``data/claims.csv``; ``stated`` are its values in ``unit`` (two for a range, none for text)."""

    id: str
    article: str
    locator: str
    chapter: str
    statement: str
    relation: str
    stated: tuple[float, ...]
    unit: str
    stated_text: str
    kind: str
    tolerance_kind: str
    tolerance: float | None


@dataclass(frozen=True)
class Verdict:
    """One claim held against one computation; the fields are the keys of its JSON record."""

    id: str
    article: str
    locator: str
    chapter: str
    statement: str
    stated_text: str
    stated_low: float | None
    stated_high: float | None
    unit: str
    computed_value: Any
    ratio: Any
    tolerance: str
    verdict: str
    flips_at: Any
    reason: str

    def record(self) -> dict[str, Any]:
        """The JSON record, floats at 6 significant digits."""
        return rounded(asdict(self))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {VERDICT_MIME: self.record(), "text/markdown": self._markdown(), "text/plain": f"[verdict] {self.id}"}

    def _markdown(self) -> str:
        row = self.record()
        cells = [
            row["stated_text"] or "—",
            text_of(row["computed_value"]),
            text_of(row["ratio"]),
            row["tolerance"],
            flip_text(row["flips_at"]),
        ]
        return (
            f"**{self.id} · {self.verdict}** · {self.statement}\n\n"
            f"| stated ({self.unit or 'text'}) | computed | ratio | tolerance | flips at |\n|---|---|---|---|---|\n"
            f"| {' | '.join(cells)} |\n\n{self.reason}"
        )


KEYS = tuple(field.name for field in fields(Verdict))
"""The keys of a verdict's record, in their order (notebooks are stored with theirs sorted)."""


@dataclass(frozen=True)
class Result:
    """A named result of a chapter, for tests, comparisons and the command line."""

    name: str
    value: Any
    unit: str
    note: str = ""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        row = rounded(asdict(self))
        note = f" ({self.note})" if self.note else ""
        text = f"`{self.name}` = {text_of(row['value'])} {self.unit}".rstrip() + note
        return {RESULT_MIME: row, "text/markdown": text, "text/plain": text}


SHOWN: dict[str, Verdict | Result] = {}
"""What this process has checked and recorded last, by claim and by name."""


@cache
def ledger() -> dict[str, Claim]:
    """Every claim of the five articles by id, in the order of ``data/claims.csv``."""
    return {row["id"]: _claim(row) for row in facts.load("claims").to_dict("records")}


def _claim(row: Mapping[str, Any]) -> Claim:
    row = {key: "" if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
    if row["relation"] == "list":
        stated = tuple(float(Fraction(part.strip())) for part in str(row["stated_text"]).split(";"))
    else:
        stated = tuple(float(row[key]) for key in ("value_low", "value_high") if row[key] not in ("", None))
    return Claim(
        **{key: str(row[key]) for key in ("id", "article", "locator", "chapter", "statement", "relation")},
        stated=stated,
        unit=str(row["unit"]),
        stated_text=str(row["stated_text"]),
        kind=str(row["kind"]),
        tolerance_kind=str(row["tolerance_kind"]),
        tolerance=float(row["tolerance"]) if row["tolerance"] not in ("", None) else None,
    )


def judge(
    claim_id: str,
    value: Any = None,
    *,
    reason: str,
    holds: bool | None = None,
    given: str | None = None,
    slip: float | None = None,
    flips_at: Any = None,
) -> Verdict:
    """Hold a computed value against a claim and reach a verdict.

    Parameters
    ----------
    claim_id
        A row of the ledger.
    value
        The computed or cited value in the claim's unit: a number, a sequence for a claim that
        states a list, or text. A claim that states numbers is judged by the tolerance of its row.
    reason
        Why, in Markdown; complete enough that a second person arrives at the same.
    holds
        The outcome of a claim in words, computed by the chapter; for forecasts, whether it came
        true, None while it is open.
    given
        The assumption that the source does not state and under which the value was computed:
        "holds" becomes "holds if".
    slip
        The factor by which the printed unit is off (1e-3 where TFLOP was printed for GFLOP): a
        stated value that fits once multiplied by it is a "unit slip".
    flips_at
        Where the verdict changes: ``(parameter, value, unit)``, or a line of text.

    Raises
    ------
    ParameterError
        If the claim is unknown or what was handed in does not suit its kind.
    """
    claim = ledger().get(claim_id)
    if claim is None:
        raise ParameterError(f"claim_id = {claim_id!r} is not allowed: no such row in data/claims.csv")
    if not reason.strip():
        raise ParameterError(f"reason of {claim_id} is empty: say why")
    value = _plain(value)
    verdict = _decide(claim, value, holds, given, slip)
    condition = f" Holds if {given.strip().rstrip('.')}." if given and verdict == "holds if" else ""
    return _verdict(
        claim,
        computed_value=value,
        ratio=_ratio(claim, value) if claim.stated and _is_number(value) else None,
        verdict=verdict,
        flips_at=_flip(flips_at),
        reason=reason.strip() + condition,
    )


def _verdict(claim: Claim, **found: Any) -> Verdict:
    one_range = claim.relation != "list"
    return Verdict(
        **{key: getattr(claim, key) for key in ("id", "article", "locator", "chapter", "statement", "stated_text")},
        stated_low=min(claim.stated, default=None) if one_range else None,
        stated_high=max(claim.stated, default=None) if one_range else None,
        unit=claim.unit,
        tolerance=tolerance_text(claim),
        **found,
    )


def _decide(claim: Claim, value: Any, holds: bool | None, given: str | None, slip: float | None) -> str:
    if claim.kind == "implied":
        if value is None:
            raise ParameterError(f"value of {claim.id} is missing: the ledger asks a question")
        return "answered"
    if claim.stated and value is not None:
        if not _is_number(value):
            raise ParameterError(f"value of {claim.id} = {value!r} is not allowed: the claim states numbers")
        if holds is not None:
            raise ParameterError(f"holds of {claim.id} is not allowed: the claim states numbers, which decide")
        outcome = within(claim, value)
        if not outcome and slip is not None and within(claim, _scaled(value, 1 / slip)):
            return "unit slip"
    else:
        outcome = holds
    if claim.kind == "forecast":
        return {True: "came true", False: "did not come true", None: "open"}[outcome]
    if outcome is None:
        if claim.kind in ("opinion", "unpublished"):
            return "cannot be tested"
        raise ParameterError(f"value of {claim.id} is missing: a claim of kind {claim.kind} can be tested")
    if not outcome:
        return "fails"
    return "holds if" if given else "holds"


def within(claim: Claim, value: Any) -> bool:
    """Whether a value (or each of a list) lies within the tolerance of a claim's row.

    Raises
    ------
    ParameterError
        If the number of values does not match the number stated.
    """
    values = [float(v) for v in value] if isinstance(value, Sequence) else [float(value)]
    stated = claim.stated
    if claim.relation == "list":
        if len(values) != len(stated):
            raise ParameterError(f"value of {claim.id} has {len(values)} numbers: the claim states {len(stated)}")
        return all(_near(claim, v, s) for v, s in zip(values, stated, strict=True))
    low, high = min(stated), max(stated)
    compare = {
        "<": lambda v: v < high,
        "<=": lambda v: v <= high,
        ">": lambda v: v > low,
        ">=": lambda v: v >= low,
        "range": lambda v: low <= v <= high,
    }.get(claim.relation, lambda v: _near(claim, v, low))
    return all(compare(v) for v in values)


def _near(claim: Claim, value: float, stated: float) -> bool:
    if claim.tolerance_kind == "order":
        return stated > 0 and value > 0 and 1 / 3 <= value / stated <= 3
    slack = claim.tolerance or 0.0
    return abs(value - stated) <= slack * abs(stated) + 1e-9 * abs(stated)


def _ratio(claim: Claim, value: Any) -> Any:
    """Computed ÷ stated; for a range, ÷ its nearest point, so that one means inside."""
    if isinstance(value, Sequence):
        if claim.relation != "list":
            return [_ratio(claim, v) for v in value]
        return [v / s if s else None for v, s in zip(value, claim.stated, strict=True)]
    nearest = min(max(value, min(claim.stated)), max(claim.stated))
    return value / nearest if nearest else None


def tolerance_text(claim: Claim) -> str:
    """A claim's tolerance in words, as the verdict row shows it."""
    return {
        "relative": f"±{100 * (claim.tolerance or 0):.3g}%",
        "bound": f"{claim.relation} {min(claim.stated, default=0):g}",
        "range": "inside the range",
        "order": "a factor of 3",
        "exact": "exact",
    }.get(claim.tolerance_kind, "none")


def _plain(value: Any) -> Any:
    """Numbers of NumPy as Python's own, tuples as lists; quantities are refused, since units must be chosen."""
    if hasattr(value, "magnitude"):
        raise ParameterError(f"value = {value} is not allowed: hand in the magnitude in the claim's unit")
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value.item() if hasattr(value, "item") else value


def _is_number(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_number(v) for v in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _scaled(value: Any, factor: float) -> Any:
    return [v * factor for v in value] if isinstance(value, list) else value * factor


def _flip(flips_at: Any) -> Any:
    if isinstance(flips_at, tuple):
        parameter, value, unit = flips_at
        return None if value is None else {"parameter": parameter, "value": _plain(value), "unit": unit}
    return flips_at


def stated_value(row: Mapping[str, Any]) -> str:
    """What a claim's record states, as numbers in its unit where it states numbers, else as printed."""
    low, high = row["stated_low"], row["stated_high"]
    if low is None:
        return row["stated_text"] or "—"
    numbers = " to ".join(show(value, digits=4, words=True) for value in sorted({low, high}))
    return numbers if row["unit"] == "unstated" else f"{numbers} {row['unit']}"


def flip_text(flips_at: Any) -> str:
    """Where a verdict flips, in words."""
    if not flips_at:
        return "—"
    if isinstance(flips_at, Mapping):
        return f"{flips_at['parameter']} = {text_of(flips_at['value'])} {flips_at['unit']}".rstrip()
    return str(flips_at)


def text_of(value: Any) -> str:
    """A computed value as verdicts and tables show it."""
    if value is None:
        return "—"
    if isinstance(value, list):
        return "; ".join(map(text_of, value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:,.6g}" if 1e-4 <= abs(value) < 1e6 or value == 0 else show(value, digits=6, words=True)
    return str(value)


def say(text: str) -> Any:
    """A sentence with computed numbers, as Markdown in which a dollar is a dollar and opens no formula."""
    from IPython.display import Markdown

    return Markdown(text.replace("$", r"\$"))


def check(claim_id: str, value: Any = None, **options: Any) -> None:
    """Show the verdict on a claim and leave its record in the notebook; takes what :func:`judge` takes."""
    SHOWN[claim_id] = judge(claim_id, value, **options)
    _show(SHOWN[claim_id])


def record(name: str, value: Any, unit: str, note: str = "") -> None:
    """Show a named result and leave its record in the notebook.

    Raises
    ------
    ParameterError
        If the name is no identifier or the value is a quantity.
    """
    if not name.isidentifier():
        raise ParameterError(f"name = {name!r} is not allowed: it must be an identifier in lower case")
    SHOWN[name] = Result(name, _plain(value), unit, note)
    _show(SHOWN[name])


def _show(thing: Any) -> None:
    from IPython.display import display

    display(thing)


def table(frame: Any, **options: Any) -> Any:
    """A frame as a plain table without its index, the same text on every run; ``options`` are those of ``to_html``."""
    from IPython.display import HTML

    return HTML(frame.to_html(**{"index": False, "border": 0, "justify": "left", **options}))


def chapters_folder() -> Path:
    """Where the executed notebooks are: ``LLM_ECONOMICS_CHAPTERS``, or the committed chapters."""
    return Path(os.environ.get("LLM_ECONOMICS_CHAPTERS") or facts.ROOT / "chapters")


def _records(folder: Path | None, mime: str) -> Iterable[tuple[str, dict[str, Any]]]:
    for path in sorted((folder or chapters_folder()).glob("*.ipynb")):
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            found = [output.get("data", {}).get(mime) for cell in cells for output in cell.get("outputs", ())]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise ParameterError(f"{path} is no notebook: {reason}") from error
        yield from ((path.stem, data) for data in found if data is not None)


def verdicts(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """The recorded verdict of each claim in a folder of executed notebooks.

    Raises
    ------
    ParameterError
        If a file is no notebook, a claim is answered twice, or in another chapter than the ledger says.
    """
    found: dict[str, dict[str, Any]] = {}
    for chapter, row in _records(folder, VERDICT_MIME):
        if row["id"] in found:
            raise ParameterError(f"{row['id']} is answered twice, the second time in {chapter}.ipynb")
        if row["chapter"] != chapter:
            raise ParameterError(f"{row['id']} is answered in {chapter}.ipynb: the ledger says {row['chapter']}")
        found[row["id"]] = {key: row[key] for key in KEYS}
    return found


def results(folder: Path | None = None) -> dict[str, dict[str, dict[str, Any]]]:
    """The named results of each chapter in a folder of executed notebooks.

    Raises
    ------
    ParameterError
        If a file is no notebook, or a chapter records a name twice.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for chapter, row in _records(folder, RESULT_MIME):
        rows = found.setdefault(chapter, {})
        if row["name"] in rows:
            raise ParameterError(f"{row['name']} is recorded twice in {chapter}.ipynb")
        rows[row["name"]] = row
    return found


def scorecard(folder: Path | None = None) -> list[dict[str, Any]]:
    """One record for each claim of the ledger, in its order; *not yet checked* where no chapter answers it."""
    found = verdicts(folder)
    blank = {"computed_value": None, "ratio": None, "verdict": NOT_YET, "flips_at": None, "reason": ""}
    return [found.get(claim.id) or _verdict(claim, **blank).record() for claim in ledger().values()]


def table_html(rows: Iterable[Mapping[str, Any]]) -> str:
    """The scorecard as an HTML table; the identifier of an answered claim links to its verdict in the built site."""
    from html import escape

    def cells(row: Mapping[str, Any]) -> Iterable[str]:
        answered = row["verdict"] != NOT_YET
        link = f'<a href="{row["chapter"]}.html#{row["id"]}">{row["id"]}</a>'
        yield link if answered else row["id"]
        yield escape(row["verdict"])
        yield escape(row["statement"])
        yield escape(stated_value(row))
        yield escape(text_of(row["computed_value"]))

    heads = ("claim", "verdict", "statement", "stated", "computed")
    head_row = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join(
        f'<tr data-article="{row["article"]}" data-verdict="{row["verdict"]}" data-chapter="{row["chapter"]}">'
        + "".join(f"<td>{cell}</td>" for cell in cells(row))
        + "</tr>"
        for row in rows
    )
    return f'<table class="dataframe scorecard"><thead><tr>{head_row}</tr></thead><tbody>{body}</tbody></table>'
