"""How the site shows verdicts: one compact table a section, whose rows open to number, tolerance, reason and code.

A verdict is a row of its own, with the claim's id as anchor. Rows that follow one another stand in one table; what one
cell checks shares a row there, under the statement of the first.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from docutils import nodes
from myst_nb.core.render import MimeData

from llm_economics.book.claims import BASIS_MIME, found_label, stated_value
from llm_economics.facts.units import show

HEADS = ("verdict", "statement", "stated", "found", "apart")


def verdict(renderer: Any, data: Any, row: Mapping[str, Any]) -> list[nodes.Element]:
    """A row whose anchor is the claim's id, so that ``[text](#claim-id)`` reaches it from any page."""
    basis = _bundle(renderer, data).get(BASIS_MIME, {})
    card = nodes.container(classes=["verdict", f"is-{slug(row['verdict'])}"], ids=[row["id"]])
    card["names"].append(nodes.fully_normalize_name(row["id"]))
    renderer.renderer.document.note_explicit_target(card, card)
    card["book_verdict"] = row
    unit = "" if row.get("unit") in (None, "unstated", "text") else row["unit"]
    record = {"name": row["id"], "value": row.get("computed_value"), "unit": unit, "says": row["statement"]}
    card += nodes.raw("", f"<details>{_summary(row, basis)}{_numbers(row, basis)}", format="html", book_record=record)
    reason = nodes.container(classes=["verdict-reason"])
    text = MimeData("text/markdown", row.get("reason") or "", cell_metadata=data.cell_metadata, line=data.line)
    reason += renderer.render_markdown(text)
    card += reason
    card += nodes.raw("", "</details>", format="html")
    return [card]


def _bundle(renderer: Any, data: Any) -> Mapping[str, Any]:
    _, outputs = renderer.renderer.nb_client.code_cell_outputs(data.cell_index)
    return outputs[data.output_index].get("data", {}) if data.output_index is not None else {}


def _summary(row: Mapping[str, Any], basis: Mapping[str, Any]) -> str:
    """The closed row: badge, statement with the verdict's condition, stated, found, factor apart."""
    label = found_label(row, basis)
    found = _found(row, basis)
    said = f'<small class="verdict-label">{label}</small>' if found and label != "computed" else ""
    apart = row.get("factor_apart")
    factor = f"{show(apart)}×" if apart and apart >= 1.005 else ""
    note = ' <small class="verdict-label">immaterial</small>' if row.get("immaterial") else ""
    return (
        f'<summary class="verdict-head">{badge(row)}<span class="verdict-statement">{escape(row["statement"])}'
        f'</span><span class="verdict-stated">{escape(_stated(row))}</span>'
        f'<span class="verdict-found">{escape(found)} {said}</span><span class="verdict-apart">{factor}{note}</span>'
        f"{_condition(row)}</summary>"
    )


def badge(row: Mapping[str, Any]) -> str:
    """A verdict's word in its colours."""
    return f'<span class="verdict-badge is-{slug(row["verdict"])}">{escape(row["verdict"])}</span>'


def _condition(row: Mapping[str, Any]) -> str:
    if not row.get("condition"):
        return ""
    link = "" if row["verdict"] == "in part" else "if "
    return f'<span class="verdict-condition">{link}{escape(row["condition"])}</span>'


def _stated(row: Mapping[str, Any]) -> str:
    return stated_value(row) if row.get("stated_low") is not None else row.get("stated_text") or ""


def _found(row: Mapping[str, Any], basis: Mapping[str, Any]) -> str:
    unit = "" if row.get("unit") in (None, "unstated", "text") else row["unit"]
    digits = _digits(row.get("tolerance"))
    found = value(row.get("computed_value"), digits)
    if not found or isinstance(row["computed_value"], str):
        return found
    low, high = basis.get("low"), basis.get("high")
    if low is not None and low != high:
        found = f"{value(low, digits)} to {value(high, digits)}"
    return f"{found} {unit}".strip()


def _numbers(row: Mapping[str, Any], basis: Mapping[str, Any]) -> str:
    """What the opened row says in numbers and names."""
    uses = ", ".join(basis.get("uses", ()))
    numbers = [
        ("claim", f'<a class="verdict-id" href="#{row["id"]}">{row["id"]}</a>'),
        ("as printed", escape(row.get("stated_text") or "") if row.get("stated_low") is not None else ""),
        (found_label(row, basis), escape(value(row.get("computed_value"), _digits(row.get("tolerance"))))),
        ("ratio", escape(value(row.get("ratio")))),
        ("tolerance", escape(value(row.get("tolerance")))),
        ("inputs as rounded in print", _printed(basis.get("printed", ()))),
        ("flips at", escape(_flip(row.get("flips_at")))),
        ("support", escape(row.get("support") or "")),
        ("rests on", f"<code>{escape(uses)}</code>" if uses else ""),
    ]
    grid = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>" for name, text in numbers if text)
    return f'<dl class="verdict-numbers simple">{grid}</dl>'


def _printed(inputs: Iterable[Mapping[str, Any]]) -> str:
    """The interval of each printed input, under the claim that prints it."""
    spans = ((each["claim"], f"{value(each['low'], 4)} to {value(each['high'], 4)}") for each in inputs)
    return "; ".join(f"<code>{claim}</code> {span}" if claim else span for claim, span in spans)


def gather(app: Any, doctree: nodes.document, page: str) -> None:
    """Put verdicts that follow one another into one table, each with the code that reached it.

    A cell that shows nothing parts no table: it goes into it, so that its code stays in its place.
    """
    tables: dict[int, nodes.container] = {}
    for cell in list(doctree.findall(_is_ledger_cell)):
        before = list(itertools.takewhile(_is_silent, reversed(cell.parent[: cell.parent.index(cell)])))
        place = cell.parent.index(cell) - len(before) - 1
        table = tables.get(id(cell.parent.children[place])) if place >= 0 else None
        if table is None:
            table = nodes.container(classes=["ledger"])
            head = "".join(f"<span>{name}</span>" for name in HEADS)
            table += nodes.raw("", f'<div class="ledger-heads" aria-hidden="true">{head}</div>', format="html")
            cell.parent.insert(cell.parent.index(cell), table)
            tables[id(table)] = table
        else:
            for silent in reversed(before):
                cell.parent.remove(silent)
                table += silent
        cell.parent.remove(cell)
        table += _rows(cell)
    for row in [node for node in doctree.findall(_is_verdict) if not _in_table(node)]:
        row.parent.replace(row, nodes.container("", row, classes=["ledger"]))  # a cell that shows more than verdicts


def _in_table(node: nodes.Node) -> bool:
    while (node := node.parent) is not None:
        if "ledger" in node.get("classes", ()):
            return True
    return False


def _is_ledger_cell(node: nodes.Node) -> bool:
    """Whether a node is a code cell that shows verdicts and nothing else."""
    if not isinstance(node, nodes.container) or node.get("nb_element") != "cell_code":
        return False
    shown = [part for part in node.children if part.get("nb_element") == "cell_code_output"]
    rows = list(node.findall(_is_verdict))
    return bool(rows) and all(_is_verdict(part) for output in shown for part in output.children)


def _is_silent(node: nodes.Node) -> bool:
    """Whether a node is a code cell that shows nothing, such as one that only records results."""
    if not isinstance(node, nodes.container) or node.get("nb_element") != "cell_code":
        return False
    shown = [part for part in node.children if part.get("nb_element") == "cell_code_output"]
    return all(isinstance(part, nodes.raw) and not part.astext() for output in shown for part in output.children)


def _is_verdict(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and "book_verdict" in node


def _rows(cell: nodes.container) -> list[nodes.Node]:
    rows = list(cell.findall(_is_verdict))
    sources = [part for part in cell.children if part.get("nb_element") != "cell_code_output"]
    for row in rows:
        row.parent.remove(row)
    for source in sources:
        cell.remove(source)
        rows[-1].insert(len(rows[-1]) - 1, source)
    return rows if len(rows) == 1 else [_shared(rows)]


def _shared(rows: list[nodes.container]) -> nodes.container:
    """One row for what one cell checks: the first statement, how many are like it, and how they end."""
    told = [row["book_verdict"] for row in rows]
    group = nodes.container(classes=["ledger-shared", *(["is-one"] if len({t["verdict"] for t in told}) == 1 else [])])
    words = dict.fromkeys(badge(row) for row in told)
    group += nodes.raw(
        "",
        f'<details><summary class="verdict-head"><span>{"".join(words)}</span><span class="verdict-statement">'
        f"{escape(told[0]['statement'])} <strong>and {len(told) - 1} like it</strong></span></summary>",
        format="html",
    )
    group += rows
    group += nodes.raw("", "</details>", format="html")
    return group


def slug(text: str) -> str:
    return text.replace(" ", "-")


def value(given: Any, digits: int = 3) -> str:
    """A recorded value as the site shows it."""
    if given is None or given == "":
        return ""
    if isinstance(given, list):
        return "; ".join(value(part, digits) for part in given)
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        if isinstance(given, int) and abs(given) < 1e6:
            return f"{given:,}"
        return show(given, digits=digits, words=abs(given) >= 1e6)
    return str(given)


def _digits(tolerance: Any) -> int:
    """Four significant digits where three could not tell a value that holds from one that fails."""
    found = re.fullmatch(r"±([\d.]+)%", str(tolerance))
    return 4 if tolerance == "exact" or (found and float(found[1]) < 0.5) else 3


def _flip(flips_at: Any) -> str:
    if not isinstance(flips_at, Mapping):
        return str(flips_at or "")
    text = f"{flips_at['parameter'].replace('_', ' ')} = {value(flips_at['value'], 4)} {flips_at.get('unit') or ''}"
    return flips_at.get("text") or text.strip()
