"""The command line: ``llm-economics`` or ``python -m llm_economics``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click

from llm_economics.elementwise import ParameterError


class _OneLine(click.Group):
    """Shows an error of the library as one line instead of a traceback."""

    def invoke(self, context: click.Context):
        try:
            return super().invoke(context)
        except ParameterError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_OneLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="llm-economics")
def main() -> None:
    """The Price of a Token: what it costs to train and serve large language models."""


@main.command()
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


if __name__ == "__main__":
    main()
