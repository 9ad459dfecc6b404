"""``llm-economics compare``."""

from __future__ import annotations

import json
from pathlib import Path

import click

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("before", type=FOLDER, metavar="RUN_A")
@click.argument("after", type=FOLDER, metavar="[RUN_B]", required=False)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder of the tables; the last run's if not given."
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option("--site", is_flag=True, help="Make it a page of the last run's site.")
def compare(before: Path, after: Path | None, out: Path | None, as_json: bool, site: bool) -> None:
    """Say what changed from one run to another, or from the committed book to one run.

    Writes comparison.json and comparison.csv.
    """
    from llm_economics.formulas.elementwise import ParameterError
    from llm_economics.reruns import comparison, runs

    last = (after or before).resolve()
    old, new = comparison.load(before) if after else comparison.book(), comparison.load(last)
    found = comparison.compare(old, new)
    if not found.chapters:
        held = (f"{side['title']} has {', '.join(side['parameters']) or 'none'}" for side in (old, new))
        raise ParameterError(f"no chapter in common: {'; '.join(held)}")
    if as_json:
        click.echo(json.dumps(found.record(), indent=1, ensure_ascii=False))
    else:
        for line in comparison.lines(found):
            click.echo(line)
    comparison.write(found, out or last)
    if site:
        this = runs.reopen(last)
        missing = [slug for slug in runs.summaries(this) if not this.output(slug).exists()]
        if missing:
            raise ParameterError(f"{last} has no {', '.join(missing)}: make them with `llm-economics run --site`")
        with runs.only_run(last):
            built = runs.build_site(this, comparison.page(found), found.headline)
        click.echo(f"open {built / 'what-changed.html'}", err=as_json)
