"""``llm-economics claims``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print every record with all of its keys as JSON.")
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of executed notebooks; the committed chapters if not given.",
)
def claims(as_json: bool, folder: Path | None) -> None:
    """List every claim of the five articles with its verdict."""
    from llm_economics.claims import scorecard

    rows = scorecard(folder)
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    width = max(len(row["id"]) for row in rows)
    for row in rows:
        click.echo(f"{row['id']:<{width}}  {row['verdict']:<17}  {row['statement']}")
    counts = Counter(row["verdict"] for row in rows)
    click.echo(f"\n{len(rows)} claims: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common()))
