"""``llm-economics solve``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click


@click.command()
@click.argument("chapter")
@click.option("--for", "parameter", required=True, metavar="PARAMETER", help="The assumption to solve for.")
@click.option("--claim", required=True, metavar="ID", help="The claim whose verdict is to change.")
@click.option("--low", type=float, help="Lowest value to try.")
@click.option("--high", type=float, help="Highest value to try.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def solve(chapter: str, parameter: str, claim: str, low: float | None, high: float | None, as_json: bool) -> None:
    """Find the value of one assumption at which the verdict on a claim changes, by running the CHAPTER again."""
    from llm_economics.reruns import solving

    found = solving.solve(chapter, parameter, claim, low, high)
    if as_json:
        click.echo(json.dumps(found.record(), indent=1, ensure_ascii=False))
        return
    for line in _lines(found):
        click.echo(line)


def _lines(found: Any) -> Iterable[str]:
    name, unit = found.parameter, f" {found.unit}" if found.unit else ""
    yield f"{found.claim}: {found.statement}"
    yield f"{name} = {found.default}{unit}, as in the chapter: {found.verdict}"
    for choice, verdict in (found.choices or {}).items():
        yield f"  {choice}: {verdict or 'the chapter refuses it'}"
    for point in found.flips:
        value = point.value if isinstance(point.value, int) else f"{point.value:.6g}"
        away = "" if point.from_default is None else f", {point.from_default:+.2%} from the chapter's value"
        yield f"flips at {name} = {value}{unit}: {point.verdict_below} below, {point.verdict_above} above{away}"
    if found.choices is None and not found.flips:
        yield f"never flips between {found.low:g} and {found.high:g}{unit}"
    if found.choices is None:
        refused = f", of which the chapter refused {found.refused}" if found.refused else ""
        yield f"scanned from {found.low:g} to {found.high:g}{unit} in {found.runs} runs of the chapter{refused}"
