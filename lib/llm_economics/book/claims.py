"""The ledger: what the articles claim, what the chapters found, and how one is held against the other.

A chapter calls :func:`check` and :func:`record`; each leaves one JSON output in the executed notebook, and those
outputs are the only store: scorecard, landing page, tests and command line read them with :func:`verdicts`,
:func:`results` and :func:`scorecard`. How a verdict is reached stands in :mod:`llm_economics.book.judging`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from llm_economics import facts
from llm_economics.book import support, tracing
from llm_economics.book.judging import (
    BASIS_MIME,
    IMMATERIAL,
    KEYS,
    NOT_YET,
    OUTCOMES,
    RESULT_MIME,
    STANDS_FOR,
    VERDICT_MIME,
    VERDICTS,
    Claim,
    Verdict,
    about,
    as_printed,
    between,
    carried,
    flip_text,
    found_label,
    highest,
    in_words,
    judge,
    ledger,
    lowest,
    near,
    outcome_of,
    plain,
    stated_value,
    tested,
    text_of,
    verdict_of,
    within,
)
from llm_economics.facts.units import rounded, show
from llm_economics.formulas.elementwise import ParameterError

__all__ = [
    "BASIS_MIME",
    "IMMATERIAL",
    "NOT_YET",
    "OUTCOMES",
    "RESULT_MIME",
    "VERDICTS",
    "VERDICT_MIME",
    "Claim",
    "Result",
    "Verdict",
    "about",
    "as_printed",
    "bases",
]
__all__ += [
    "between",
    "carried",
    "chapters_folder",
    "check",
    "faults",
    "flip_text",
    "found_label",
    "highest",
    "in_words",
    "judge",
    "ledger",
    "lowest",
    "near",
]
__all__ += [
    "outcome_of",
    "record",
    "results",
    "say",
    "scorecard",
    "table",
    "table_html",
    "tested",
    "verdicts",
    "within",
]

OWN_MIME = "application/vnd.llm-economics."


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
    SHOWN[name] = Result(name, plain(value), unit, note)
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


def _notebooks(folder: Path) -> Iterable[tuple[Path, bytes]]:
    """The notebooks of a folder; of that of a run only those that the run has finished, as it left them."""
    manifest, digests = folder.parent / "run.json", None
    if folder.name == "chapters" and manifest.is_file():
        from llm_economics.book import records

        digests = {slug: made["sha256"] for slug, made in records.manifest(manifest)["notebooks"].items()}
    for path in sorted(folder.glob("*.ipynb")):
        content = path.read_bytes()
        if digests is None or digests.get(path.stem) == hashlib.sha256(content).hexdigest():
            yield path, content


def _bundles(folder: Path | None, mime: str) -> Iterable[tuple[str, dict[str, Any]]]:
    """The outputs of a folder of executed notebooks that hold a record of one kind, each with its chapter."""
    folder = folder or chapters_folder()
    foreign = folder.resolve() != facts.ROOT / "chapters"
    for path, content in _notebooks(folder):
        try:
            found = _outputs(content, foreign)
        except ParameterError as error:
            raise ParameterError(f"{path} is no notebook: {error}") from None
        yield from ((path.stem, deepcopy(data)) for data in found if mime in data)


@lru_cache(maxsize=64)
def _outputs(content: bytes, foreign: bool) -> list[dict[str, Any]]:
    """The book's own records in the outputs of a notebook, whose shape is checked where it is not the book's own."""
    if foreign:
        from llm_economics.book import records

        notebook = records.notebook(content)
    else:
        notebook = json.loads(content)
    outputs = (output for cell in notebook["cells"] for output in cell.get("outputs", ()))
    own = (
        {key: data for key, data in output.get("data", {}).items() if key.startswith(OWN_MIME)} for output in outputs
    )
    return [data for data in own if data]


def _records(folder: Path | None, mime: str) -> Iterable[tuple[str, dict[str, Any]]]:
    return ((chapter, data[mime]) for chapter, data in _bundles(folder, mime))


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
        found[row["id"]] = {key: row.get(key) for key in KEYS}
    return found


def bases(folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """What the verdict on each claim rests on, in a folder of executed notebooks: its inputs and what flips it."""
    return {data[VERDICT_MIME]["id"]: data.get(BASIS_MIME, {}) for _, data in _bundles(folder, VERDICT_MIME)}


CONDITIONAL = re.compile(
    r"\b(?:would|will|only|not) (?:fail|hold)\b|\bfails\b|\bholds? only\b|\bnot tested\b|\bnot shown\b|\bhalf right\b"
    r"|\bscope\b|\bif only\b|\bnobody (?:outside )?(?:has|can|knows|counts)\b|\bonly the author\b"
)
"""Words of a reason that belong into the condition of a verdict."""


def faults(folder: Path | None = None) -> list[str]:
    """What no ledger may have, one line each: empty for the committed chapters.

    A verdict *holds* whose support is its own source or nothing, or whose reason has a condition; *holds if* without
    one; claims that rest on each other in a circle; a true/false test that no named input flips; a check whose code
    reads a row of ``data/``, or a number that a claim prints, that it does not name; and a number that was made of a
    rounded one without its interval.
    """
    found = []
    rows, basis = verdicts(folder), bases(folder)
    read = _read(folder)
    for key, row in rows.items():
        if row["verdict"] == "holds" and row["support"] in (support.OWN, support.NONE):
            found.append(f"{key} holds, and its support is {row['support']}")
        if row["verdict"] == "holds" and (word := CONDITIONAL.search(row["reason"])):
            found.append(f"{key} holds, and its reason has a condition: {word[0]!r}")
        if row["verdict"] in ("holds if", "in part") and not row["condition"]:
            found.append(f"{key} {row['verdict']}, and names no condition")
        if basis[key].get("flips") is False:
            found.append(f"{key}: {basis[key]['flip']} does not flip its test")
        for name in _unnamed(key, read.get(key, ()), basis):
            found.append(f"{key} reads {name}, and does not name it")
        for name in _unrounded(row, read.get(key, ()), basis[key]):
            found.append(f"{key} is made of {name}, which is rounded in print, and has no interval")
    graph = {key: [name for name in each.get("uses", ()) if name in rows] for key, each in basis.items()}
    graph = {key: names for key, names in graph.items() if rows[key]["verdict"] not in ("cannot be tested", "answered")}
    return found + [f"{' rests on '.join([*circle, circle[0]])}" for circle in support.circles(graph)]


def _read(folder: Path | None) -> dict[str, frozenset[tuple[str, str]]]:
    """The rows of ``data/`` that the code of each check reads, as table and item, in a folder of notebooks.

    A parameter that stands for what a claim prints is that claim.
    """
    found: dict[str, frozenset[tuple[str, str]]] = {}
    for _, content in _notebooks(folder or chapters_folder()):
        for name, _, (inputs, read) in tracing.read(json.loads(content)["cells"]).records:
            stands = {("claims", STANDS_FOR[one]) for one in inputs if one in STANDS_FOR}
            found |= {key: read | stands for key in ledger() if name.fullmatch(key)}
    return found


def _unnamed(key: str, read: Iterable[tuple[str, str]], basis: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What a check reads and does not name: rows of ``data/``, and claims other than itself."""
    if not (read := list(read)):
        return []
    rows = [one for one in read if one[0] not in ("claims", "origins")]
    bar = basis.get(key, {}).get("against", ())
    missing = _claims_in(key, read) - _claims_under(key, basis) - set(bar)
    return support.unnamed(rows, _rest_on(key, basis)) + sorted(missing)


def _claims_in(key: str, read: Iterable[tuple[str, str]]) -> set[str]:
    """The claims whose numbers a check reads: neither its own, nor those that its statement itself gives."""
    names = {item for table, item in read if table == "claims" and item in ledger() and item != key}
    given = set(re.findall(r"\d[\d,]*(?:\.\d+)?", ledger()[key].statement)) if names else ()
    return {name for name in names if not set(ledger()[name].stated) & {float(n.replace(",", "")) for n in given}}


def _unrounded(row: Mapping[str, Any], read: Iterable[tuple[str, str]], basis: Mapping[str, Any]) -> list[str]:
    """The rounded claims that went into a number and whose interval it lacks; the ends of a range are no such."""
    value = row["computed_value"]
    if row["verdict"] == "cannot be tested" or value is None or isinstance(value, str):
        return []
    loose = {name for name in _claims_in(row["id"], read) if ledger()[name].relation in "=~" and _loose(name)}
    return sorted(loose - {each["claim"] for each in basis.get("printed", ())})


def _loose(name: str) -> bool:
    return bool(ledger()[name].stated) and about(name).low != about(name).high


def _claims_under(key: str, basis: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The claims that a check names, and those that they rest on."""
    found: set[str] = set()
    waiting = [key]
    while waiting:
        new = {name for name in basis.get(waiting.pop(), {}).get("uses", ()) if name in ledger()} - found
        found |= new
        waiting += new
    return found


def _rest_on(key: str, basis: Mapping[str, Mapping[str, Any]], above: tuple[str, ...] = ()) -> set[str]:
    """The rows that a check names, and those that the claims which it names rest on."""
    uses = basis.get(key, {}).get("uses", ())
    inner = [_rest_on(name, basis, (*above, key)) for name in uses if name in ledger() and name not in above]
    return {name for name in uses if name not in ledger()}.union(*inner)


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
    return [found.get(claim.id) or verdict_of(claim, **blank).record() for claim in ledger().values()]


def counts(rows: Iterable[Mapping[str, Any]]) -> Any:
    """How many statements of each article came to each outcome (:data:`OUTCOMES`), as a frame, with sums."""
    import pandas as pd

    card = pd.DataFrame([(row["article"], outcome_of(row["verdict"])) for row in rows], columns=["article", "outcome"])
    order = [name for name in OUTCOMES if name in set(card.outcome)]
    table = pd.crosstab(card.article, card.outcome)[order].assign(total=lambda frame: frame.sum(axis=1))
    table.loc["all five"] = table.sum()
    return table.rename_axis(index=None, columns=None)


def table_html(rows: Iterable[Mapping[str, Any]]) -> str:
    """The scorecard as an HTML table; the identifier of an answered claim links to its verdict in the built site."""
    from html import escape

    def cells(row: Mapping[str, Any]) -> Iterable[str]:
        answered = row["verdict"] != NOT_YET
        link = f'<a href="{row["chapter"]}.html#{row["id"]}">{row["id"]}</a>'
        yield link if answered else row["id"]
        yield escape(row["verdict"])
        condition = in_words(row).removeprefix(row["verdict"]).lstrip(": ") if row["condition"] else ""
        condition = f"if {condition}" if row["verdict"] == "holds if" else condition
        yield escape(row["statement"]) + (f" <em>{escape(condition)}</em>" if condition else "")
        yield escape(stated_value(row))
        yield escape(text_of(row["computed_value"]))
        yield escape(row["support"] or "")
        yield "" if row["factor_apart"] is None else show(row["factor_apart"])

    heads = ("claim", "verdict", "statement", "stated", "found", "support", "apart")
    head_row = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join(
        f'<tr data-article="{row["article"]}" data-verdict="{row["verdict"]}" data-chapter="{row["chapter"]}" '
        f'data-apart="{row["factor_apart"] or 0:.6g}">' + "".join(f"<td>{cell}</td>" for cell in cells(row)) + "</tr>"
        for row in rows
    )
    return f'<table class="dataframe scorecard"><thead><tr>{head_row}</tr></thead><tbody>{body}</tbody></table>'
