"""How one claim of the ledger is held against one computation, and the verdict that follows.

``data/claims.csv`` holds statements and tolerances only, never a computed value or a verdict. What a number was made
of decides how firm a verdict can be (:mod:`llm_economics.book.support`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from fractions import Fraction
from functools import cache
from itertools import product
from typing import Any

from llm_economics import facts
from llm_economics.book import rounding, support
from llm_economics.book.rounding import About, Printed
from llm_economics.facts.units import rounded, show
from llm_economics.formulas.elementwise import ParameterError

VERDICT_MIME = "application/vnd.llm-economics.verdict+json"
RESULT_MIME = "application/vnd.llm-economics.result+json"
BASIS_MIME = "application/vnd.llm-economics.basis+json"
"""What a verdict rests on: inputs, interval and the input that flips its test; beside the verdict's record."""

NOT_YET = "not yet checked"
VERDICTS = (
    "holds",
    "adds up",
    "holds if",
    "unit slip",
    "fails",
    "cannot be tested",
    "answered",
    "came true",
    "in part",
    "did not come true",
    "open",
    NOT_YET,
)
OUTCOMES = {
    "confirmed": ("holds", "came true"),
    "adds up": ("adds up",),
    "conditional": ("holds if", "in part"),
    "wrong": ("fails", "unit slip", "did not come true"),
    "unknowable": ("cannot be tested",),
    "open": ("open",),
    "questions answered": ("answered",),
    NOT_YET: (NOT_YET,),
}
"""What a reader wants to know of a verdict, and the verdicts that say so."""
IMMATERIAL = 1.1
"""A lost claim is immaterial while the two values are less than this factor apart."""


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
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Carried:
    """A value made of printed numbers (or a list): nominal, lowest and highest as their rounding allows, and those
    numbers."""

    value: Any
    low: Any
    high: Any
    inputs: tuple[About, ...] = ()

    def __float__(self) -> float:
        return float(self.value)

    @property
    def claims(self) -> tuple[str, ...]:
        """The claims that print the numbers."""
        return tuple(dict.fromkeys(each.claim for each in self.inputs if each.claim))


@dataclass(frozen=True)
class Trial:
    """A yes or no about named inputs, with the inputs (``flip``) at which the answer is the other one."""

    function: Callable[..., Any]
    inputs: Mapping[str, Any]
    flip: Mapping[str, Any]

    @property
    def outcome(self) -> bool:
        return bool(self.function(**self.inputs))

    @property
    def settled(self) -> bool:
        """Whether the rounding of printed inputs leaves the answer as it is."""
        ends = {name: rounding.ends(each) for name, each in self.inputs.items() if isinstance(each, Printed)}
        corners = (dict(zip(ends, corner, strict=True)) for corner in product(*ends.values()))
        return all(bool(self.function(**{**self.inputs, **corner})) == self.outcome for corner in corners)

    @property
    def flips(self) -> bool:
        """Whether the test can be lost, or won: the answer at ``flip`` is the other one."""
        return bool(self.function(**{**self.inputs, **self.flip})) != self.outcome


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
    support: str = support.NONE
    factor_apart: float | None = None
    condition: str | None = None
    immaterial: bool = False
    basis: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def record(self) -> dict[str, Any]:
        """The JSON record, floats at 6 significant digits."""
        return rounded({key: getattr(self, key) for key in KEYS})

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        shown = {"text/markdown": self._markdown(), "text/plain": f"[verdict] {self.id}"}
        return {VERDICT_MIME: self.record(), BASIS_MIME: rounded(dict(self.basis)), **shown}

    def _markdown(self) -> str:
        row = self.record()
        cells = [
            row["stated_text"] or "—",
            text_of(row["computed_value"]),
            text_of(row["ratio"]),
            row["tolerance"],
            flip_text(row["flips_at"]),
        ]
        found = found_label(row, self.basis)
        return (
            f"**{self.id} · {in_words(row)}** · {self.statement}\n\n"
            f"| stated ({self.unit or 'text'}) | {found} | ratio | tolerance | flips at |\n|---|---|---|---|---|\n"
            f"| {' | '.join(cells)} |\n\n{self.reason}"
        )


STANDS_FOR = {
    "gpt4_experts": "gpt4-007",
    "gpt4_experts_per_token": "gpt4-009",
    "gpt4_expert_parameters": "gpt4-008",
    "gpt4_shared_parameters": "gpt4-011",
    "gpt4_layers": "gpt4-005",
    "gpt4_train_tokens": "gpt4-017",
    "gpt4_train_gpus": "train-014",
    "gpt4_batch_tokens": "gpt4-028",
    "pipeline_stages": "serve-041",
    "serving_batch": "serve-038",
    "a100_usd_per_hour": "train-019",
    "gpu_tokens_per_second": "cerebras-003",
    "cycle_per_pretraining": "llama3-010",
}
"""Parameters of chapters whose value is the number that a claim prints."""

KEYS = tuple(each.name for each in fields(Verdict) if each.name != "basis")
"""The keys of a verdict's record, in their order (notebooks are stored with theirs sorted)."""


@cache
def ledger() -> dict[str, Claim]:
    """Every claim of the five articles by id, in the order of ``data/claims.csv``."""
    return {row["id"]: _claim(row) for row in facts.records("claims")}


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
        depends_on=tuple(filter(None, str(row["depends_on"]).split(";"))),
    )


def about(claim_id: str, value: float | None = None, place: int = 0) -> About:
    """A number that a claim prints, in its unit, with the interval that its row allows.

    ``value`` is the chapter's own parameter that stands for it, if it was changed; ``place`` picks from a list. A
    number printed with "about", or as a rounded one, has half a unit of its last digit (twice that for "about") each
    way; an exact one has none; a range has its ends.
    """
    claim = _known_claim(claim_id)
    nominal = claim.stated[place] if value is None else float(value)
    if claim.relation == "range":
        return About(claim_id, nominal, *claim.stated)
    slack = float(f"{abs(nominal) * (claim.tolerance or 0) if claim.tolerance_kind == 'relative' else 0:.3g}")
    return About(claim_id, nominal, nominal - slack, nominal + slack)


def near(value: float, slack: float) -> About:
    """A printed number of a source that is no article, with ``slack``, half a unit of its last digit, each way."""
    return About("", value, value - slack, value + slack)


def carried(function: Callable[..., float], **inputs: Any) -> Carried:
    """``function`` of printed numbers (:func:`about`) and plain ones, with the lowest and highest value it can take.

    The function is assumed to be monotonic in each input, so that its ends lie at ends of the inputs.
    """
    printed = {name: each for name, each in inputs.items() if isinstance(each, About)}
    nominal = function(**{name: each.value if name in printed else each for name, each in inputs.items()})
    ends = product(*((each.low, each.high) for each in printed.values()))
    values = [float(function(**inputs | dict(zip(printed, end, strict=True)))) for end in ends]
    return Carried(plain(nominal), min(values), max(values), tuple(printed.values()))


def as_printed(claim_id: str, value: float | None = None, place: int = 0) -> Printed:
    """The number of :func:`about` to compute with: what is made of it has an interval, which :func:`judge` finds.

    A ``value`` that is not the printed one is a reader's own, and exact.
    """
    found = about(claim_id, value, place)
    own = value is not None and value not in _known_claim(claim_id).stated
    return Printed.of(replace(found, low=found.value, high=found.value) if own else found)


def lowest(function: Callable[..., float]) -> Callable[..., float]:
    """``function``, at the lowest that the rounding of the printed numbers in it allows; for :func:`flip`."""
    return lambda *given: rounding.ends(function(*given))[0]


def highest(function: Callable[..., float]) -> Callable[..., float]:
    """``function``, at the highest that the rounding of the printed numbers in it allows."""
    return lambda *given: rounding.ends(function(*given))[1]


def _made(value: Any) -> Carried | None:
    """What a value remembers of the printed numbers that it was made of, if it is made of any."""
    if isinstance(value, Carried):
        return value
    values = value if isinstance(value, (list, tuple)) else [value]
    inputs = tuple(rounding.sources(*values))
    if not inputs:
        return None
    low, high = ([end for end, _ in map(rounding.ends, values)], [end for _, end in map(rounding.ends, values)])
    return Carried(value, low, high, inputs) if values is value else Carried(value, low[0], high[0], inputs)


def between(low: float, high: float) -> Carried:
    """A value that was found at ``low``, and up to ``high`` elsewhere."""
    return Carried(low, min(low, high), max(low, high))


def tested(function: Callable[..., Any], *, flip: Mapping[str, Any], **inputs: Any) -> Trial:
    """A true/false test of a claim in words, with the inputs at which it would be the other way round.

    ``function`` takes the named ``inputs``; ``flip`` has another value of one or more of them.
    """
    if not flip or not set(flip) <= set(inputs):
        raise ParameterError(f"flip = {sorted(flip)} is not allowed: it changes one or more of {', '.join(inputs)}")
    return Trial(function, inputs, flip)


def _known_claim(claim_id: str) -> Claim:
    claim = ledger().get(claim_id)
    if claim is None:
        raise ParameterError(f"claim_id = {claim_id!r} is not allowed: no such row in data/claims.csv")
    return claim


def judge(
    claim_id: str,
    value: Any = None,
    *,
    reason: str,
    uses: str = "",
    against: str = "",
    holds: Trial | None = None,
    given: str | None = None,
    part: str | None = None,
    slip: float | None = None,
    flips_at: Any = None,
    apart: float | None = None,
    fitted: bool = False,
    alone: bool = False,
) -> Verdict:
    """Hold a computed value against a claim and reach a verdict.

    Parameters
    ----------
    claim_id
        A row of the ledger.
    value
        The computed or cited value in the claim's unit: a number, a sequence for a claim that
        states a list, text, or what :func:`carried` gives, whose interval counts as well. A claim
        that states numbers is judged by the tolerance of its row.
    reason
        Why, in Markdown; complete enough that a second person arrives at the same.
    uses
        What the value was made of, separated by semicolons: rows of ``data/`` as ``file:key``, claims
        by their id, or ``definition`` (:mod:`llm_economics.book.support`). If nothing is named, the
        claims on which the row of the ledger depends. The support of the verdict follows from them.
    against
        Claims, by id, whose numbers are no inputs of the value but the bar that it is held against.
    holds
        The test of a claim in words (:func:`tested`); for forecasts, whether it came true.
    given
        The assumption that the source does not state and under which the value was computed; it
        becomes the verdict's condition, and "holds" becomes "holds if".
    part
        For a forecast that came true in part: which part did, and which did not.
    slip
        The factor by which the printed unit is off (1e-3 where TFLOP was printed for GFLOP): a
        stated value that fits once multiplied by it is a "unit slip"; 1 where the number is right and
        the unit is of another kind.
    flips_at
        Where the verdict changes: ``(parameter, value, unit)``, or a line of text.
    apart
        For a claim in words: how many times what was found and what the claim needs lie apart.
    fitted
        Whether an input was chosen so that the value comes out: its ratio is then no evidence, and is left out.
    alone
        Whether the claim, or what it retells, is the only source of its number: it cannot be tested.

    Raises
    ------
    ParameterError
        If the claim is unknown or what was handed in does not suit its kind.
    """
    claim = _known_claim(claim_id)
    if not reason.strip():
        raise ParameterError(f"reason of {claim_id} is empty: say why")
    made = _made(value)
    value = plain(made.value if made else value)
    names = tuple(dict.fromkeys([*_split(uses), *(made.claims if made else ())])) or claim.depends_on
    inputs = support.inputs_of(claim.article, names, {key: row.article for key, row in ledger().items()})
    reached = not alone and (value is not None or holds is not None)
    if reached and not names:
        raise ParameterError(f"uses of {claim_id} is empty: name the rows and claims that the value was made of")
    grade = support.support_of(inputs, value) if reached else support.NONE
    firm = grade != support.OWN and not any(each.is_claim for each in inputs)
    verdict = _decide(claim, value, made, holds, slip, alone=alone, part=part, given=given, firm=firm)
    lost = verdict in OUTCOMES["wrong"]
    ratio = _ratio(claim, value) if claim.stated and _is_number(value) and not fitted else None
    factor = apart if apart is not None else _apart(claim, value, ratio, made if not lost else None)
    return verdict_of(
        claim,
        computed_value=value,
        ratio=ratio,
        verdict=verdict,
        flips_at=_flip(flips_at) or _flip_of(holds),
        reason=" ".join(filter(None, (reason.strip(), _rounding_text(claim, made, holds)))),
        support=grade,
        factor_apart=factor,
        condition=_condition(verdict, part or given, own=grade == support.OWN),
        immaterial=bool(lost and factor is not None and factor < IMMATERIAL),
        basis=_basis(claim, names, inputs, value, made, holds) | ({"against": _split(against)} if against else {}),
    )


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(";") if name.strip()]


def _condition(verdict: str, text: str | None, *, own: bool) -> str | None:
    """The condition of a verdict; where inputs come from the source alone, that they are right is part of it."""
    if not text or verdict in ("fails", "did not come true"):
        return None
    text = text.strip().rstrip(".")
    return f"{text}, and the article's own inputs are right" if own and verdict == "holds if" else text


def _basis(
    claim: Claim, names: Sequence[str], inputs: Sequence[Any], value: Any, made: Carried | None, test: Any
) -> dict[str, Any]:
    found: dict[str, Any] = {"uses": list(names), "quoted": support.quoted(inputs, value)}
    loose = [asdict(each) for each in made.inputs if each.low != each.high] if made else []
    if made and (loose or made.low != made.high):
        found |= {"low": made.low, "high": made.high, "printed": loose, "decides": _rounding_decides(claim, made)}
    if test:
        found["flip"] = {name: text_of(plain(each)) for name, each in test.flip.items()}
        found["flips"] = test.flips
        found |= {} if test.settled else {"decides": True}
    return found


def _rounding_decides(claim: Claim, made: Carried) -> bool:
    """Whether one end of the interval lies within the tolerance of a claim and the other, or the middle, does not."""
    if not claim.stated or claim.kind == "implied":
        return False
    return len({within(claim, end) for end in (made.low, made.value, made.high)}) > 1 or (
        _reaches(claim, made) != within(claim, made.value)
    )


def _rounding_text(claim: Claim, made: Carried | None, test: Trial | None) -> str:
    """The interval in a sentence, and what hangs on it."""
    if test is not None and not test.settled:
        return "With its inputs as rounded in print the answer may be the other one."
    if made is None or made.low == made.high or not made.inputs:
        return ""
    pairs = zip(*(end if isinstance(end, list) else [end] for end in (made.low, made.high)), strict=True)
    spans = "; ".join(f"{_short(low)} to {_short(high)}" for low, high in pairs)
    text = f"With its inputs as rounded in print it is {spans}"
    if not _rounding_decides(claim, made):
        return f"{text}."
    if not within(claim, made.value):
        return f"{text}, which reaches the stated value; the middle does not."
    outside = [name for name, end in (("lower", made.low), ("upper", made.high)) if not within(claim, end)]
    return f"{text}; the stated value lies inside, the {' and the '.join(outside)} end outside its tolerance."


def _short(value: float) -> str:
    return show(float(value), digits=4, words=abs(value) >= 1e6)


def _flip_of(test: Trial | None) -> str | None:
    """Where a test flips, in words, where nothing better was solved for."""
    if test is None:
        return None
    return "; ".join(f"{name.replace('_', ' ')} = {text_of(plain(each))}" for name, each in test.flip.items())


def verdict_of(claim: Claim, **found: Any) -> Verdict:
    one_range = claim.relation != "list"
    return Verdict(
        **{key: getattr(claim, key) for key in ("id", "article", "locator", "chapter", "statement", "stated_text")},
        stated_low=min(claim.stated, default=None) if one_range else None,
        stated_high=max(claim.stated, default=None) if one_range else None,
        unit=claim.unit,
        tolerance=tolerance_text(claim),
        **found,
    )


def _decide(
    claim: Claim,
    value: Any,
    made: Carried | None,
    test: Trial | None,
    slip: float | None,
    *,
    alone: bool,
    part: str | None,
    given: str | None,
    firm: bool,
) -> str:
    if test is not None and not isinstance(test, Trial):
        raise ParameterError(
            f"holds of {claim.id} = {test!r} is not allowed: a test is made by tested(), with its flip"
        )
    if part is not None and claim.kind != "forecast":
        raise ParameterError(f"part of {claim.id} is not allowed: only a forecast comes true in part")
    if alone:
        return "cannot be tested"
    if claim.kind == "implied":
        if value is None:
            raise ParameterError(f"value of {claim.id} is missing: the ledger asks a question")
        return "answered"
    outcome = _outcome(claim, value, made, test)
    if claim.kind == "forecast":
        if part is not None:
            return "in part"
        return {True: "came true", False: "did not come true", None: "open"}[outcome]
    if outcome is None:
        if claim.kind in ("opinion", "unpublished"):
            return "cannot be tested"
        raise ParameterError(f"value of {claim.id} is missing: a claim of kind {claim.kind} can be tested")
    if not outcome:
        return "unit slip" if slip is not None and _slipped(claim, value, slip) else "fails"
    if slip == 1:
        return "unit slip"
    return "holds if" if given else "holds" if firm else "adds up"


def _outcome(claim: Claim, value: Any, made: Carried | None, test: Trial | None) -> bool | None:
    if not claim.stated or value is None:
        return None if test is None else test.outcome
    if not _is_number(value):
        raise ParameterError(f"value of {claim.id} = {value!r} is not allowed: the claim states numbers")
    if test is not None:
        raise ParameterError(f"holds of {claim.id} is not allowed: the claim states numbers, which decide")
    return within(claim, value) or (made is not None and _reaches(claim, made))


def _reaches(claim: Claim, made: Carried) -> bool:
    """Whether the rounding of the inputs allows a value (of a list, each) within the tolerance."""
    if isinstance(made.low, list):
        stated = claim.stated if claim.relation == "list" else [None] * len(made.low)
        single = (claim if one is None else replace(claim, relation="=", stated=(one,)) for one in stated)
        ends = zip(single, made.value, made.low, made.high, strict=True)
        return all(_reaches(row, Carried(*each)) or within(row, each[0]) for row, *each in ends)
    if within(claim, made.low) or within(claim, made.high):
        return True
    return claim.relation[0] not in "<>" and made.low <= min(claim.stated) and max(claim.stated) <= made.high


def _slipped(claim: Claim, value: Any, slip: float) -> bool:
    return within(claim, [v / slip for v in value] if isinstance(value, list) else value / slip)


def _apart(claim: Claim, value: Any, ratio: Any, made: Carried | None) -> float | None:
    """How many times stated and found lie apart, at least one; a bound that is kept or a range that is met is one.

    Of what was carried through, its point nearest to the stated value counts.
    """
    if ratio is None or claim.kind == "implied":
        return None
    if isinstance(ratio, list) and made is not None and isinstance(made.low, list):
        stated = claim.stated if claim.relation == "list" else claim.stated[:1] * len(made.low)
        ratio = _ratio(claim, [min(max(s, a), b) for s, a, b in zip(stated, made.low, made.high, strict=True)])
    elif made is not None:
        ratio = _ratio(claim, min(max(claim.stated[0], made.low), made.high))
    if claim.relation[0] in "<>" and within(claim, value):
        return 1.0
    ratios = [abs(r) for r in (ratio if isinstance(ratio, list) else [ratio]) if r]
    return max((max(r, 1 / r) for r in ratios), default=None)


def outcome_of(verdict: str) -> str:
    """The heading of :data:`OUTCOMES` under which a verdict counts."""
    return next(name for name, words in OUTCOMES.items() if verdict in words)


def in_words(row: Mapping[str, Any]) -> str:
    """A record's verdict with its condition: *holds if the model is dense*."""
    verdict, condition = row["verdict"], row.get("condition")
    if not condition:
        return verdict
    link = {"holds if": " ", "in part": ": "}.get(verdict, " if ")
    return f"{verdict}{link}{condition}"


def found_label(row: Mapping[str, Any], basis: Mapping[str, Any]) -> str:
    """What a record's value is called: *measured* or *cited* where it stands so in a source, else *computed*."""
    if not basis.get("quoted"):
        return support.COMPUTED
    return support.MEASURED if row["support"] == support.MEASURED else support.CITED


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


def plain(value: Any) -> Any:
    """Numbers of NumPy as Python's own, tuples as lists; quantities are refused, since units must be chosen."""
    if isinstance(value, Printed):
        return float(value)
    if hasattr(value, "magnitude"):
        raise ParameterError(f"value = {value} is not allowed: hand in the magnitude in the claim's unit")
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.item() if hasattr(value, "item") else value


def _is_number(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_number(v) for v in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _flip(flips_at: Any) -> Any:
    if isinstance(flips_at, tuple):
        parameter, value, unit = flips_at
        return None if value is None else {"parameter": parameter, "value": plain(value), "unit": unit}
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
