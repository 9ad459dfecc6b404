"""``llm-economics claims``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print every record with all of its keys as JSON.")
@click.option("--basis", is_flag=True, help="With --json: also what each verdict rests on, with intervals.")
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of executed notebooks, or of a run; the committed chapters if not given.",
)
def claims(as_json: bool, basis: bool, folder: Path | None) -> None:
    """List every claim of the five articles with its verdict."""
    from llm_economics.book.claims import NOT_YET, bases, chapters_folder, in_words, outcome_of, scorecard
    from llm_economics.formulas.elementwise import ParameterError

    if folder is not None and (folder / "chapters").is_dir():
        folder /= "chapters"
    rows = scorecard(folder)
    if all(row["verdict"] == NOT_YET for row in rows):
        if folder is not None:
            raise ParameterError(f"--from {folder} is not allowed: no notebook there holds a verdict")
        where = f"no notebook in {chapters_folder()} holds a verdict"
        raise ParameterError(f"{where}: name the folder of the book's chapters with --from or LLM_ECONOMICS_CHAPTERS")
    if basis and not as_json:
        raise ParameterError("--basis is not allowed: it needs --json")
    if as_json:
        found = bases(folder) if basis else {}
        rows = [row | {"basis": found.get(row["id"], {})} for row in rows] if basis else rows
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    width = max(len(row["id"]) for row in rows)
    for row in rows:
        condition = f"  [{in_words(row)}]" if row["condition"] else ""
        click.echo(f"{row['id']:<{width}}  {row['verdict']:<17}  {row['statement']}{condition}")
    counts = Counter(row["verdict"] for row in rows)
    click.echo(f"\n{len(rows)} claims: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common()))
    outcomes = Counter(outcome_of(row["verdict"]) for row in rows)
    lost = sum(bool(row["immaterial"]) for row in rows)
    told = ", ".join(f"{n} {name}" for name, n in outcomes.most_common())
    click.echo(f"by outcome: {told}" + (f" ({lost} of the wrong ones immaterial)" if lost else ""))
