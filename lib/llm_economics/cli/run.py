"""``llm-economics run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("chapters", nargs=-1, metavar="[CHAPTER]...")
@click.option(
    "-p", "given", multiple=True, metavar="[CHAPTER:]NAME=VALUE", help="An assumption, for all chapters or one."
)
@click.option("--scenario", "scenario_name", metavar="NAME|FILE", help="A scenario of the book, or a YAML file.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder; _build/runs/… if not given.")
@click.option("--jobs", type=click.IntRange(1, 64), default=2, show_default=True, help="Chapters run at once.")
@click.option("--site", is_flag=True, help="Build the static site of the run too.")
@click.option("--fresh", is_flag=True, help="Start over instead of going on where an earlier run stopped.")
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of chapters; those of the book if not given.",
)
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of your own measurements (measured --into): chapters show them beside the published ones.",
)
def run(
    chapters: tuple[str, ...],
    given: tuple[str, ...],
    scenario_name: str | None,
    out: Path | None,
    jobs: int,
    site: bool,
    fresh: bool,
    source: Path | None,
    data: Path | None,
) -> None:
    """Execute the book, or some CHAPTERs of it, under your own assumptions.

    Executed notebooks, results.json and results.csv go to a folder of their own; the book stays as it is.
    """
    import signal

    from llm_economics.reruns import forks

    forks.WARM.begin()  # its imports take as long as ours
    from llm_economics.facts import ROOT
    from llm_economics.formulas.elementwise import ParameterError
    from llm_economics.reruns import comparison, notebooks, runs

    source = (source or ROOT / "chapters").resolve()
    asked = assumptions(chapters, given, scenario_name, source)
    if data is not None:
        asked |= _with_data(data, asked)
    folder = out or ROOT / "_build" / "runs" / asked["name"]
    this = runs.Run(folder.resolve(), asked["title"], asked["why"], asked["values"], source)
    slugs = list(dict.fromkeys(chapters)) or list(notebooks.chapters(source))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with runs.opened(this, fresh=fresh):
        try:
            failed = _execute(this, slugs, jobs, site)
        except KeyboardInterrupt:
            runs.write_results(this)
            click.echo(
                f"interrupted; the chapters that finished are kept, the same command goes on: {this.folder}", err=True
            )
            raise SystemExit(130) from None
        found = runs.write_results(this)
        for outcome in failed:
            click.echo(f"failed: {outcome}", err=True)
        changes = comparison.compare(comparison.book(), found)
        click.echo(f"{this.folder}: {changes.headline}")
        if failed:
            left = "; no site was built" if site else ""
            raise ParameterError(f"{len(failed)} of {len(slugs)} chapters failed, the others are kept{left}")
        if site:
            comparison.write(changes, this.folder)
            built = runs.build_site(this, comparison.page(changes), changes.headline)
            click.echo(f"open {built / 'index.html'}")


def _with_data(data: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Let every process that executes a chapter see a reader's own data; name and title of such a run."""
    import os

    from llm_economics.facts import load
    from llm_economics.facts.store import READERS_FOLDER

    rows = len(load("own_measurements", data.resolve()))
    os.environ[READERS_FOLDER] = str(data.resolve())
    name = f"{asked['name']},data={data.resolve().name}"[:80]
    return {"name": name, "title": f"{asked['title']}; {rows} measurements of {data.name}"}


def _execute(this: Any, slugs: list[str], jobs: int, site: bool) -> list[Any]:
    """Execute chapters, then what reads them, with a bar on stderr that says which one is done."""
    from tqdm import tqdm

    from llm_economics.reruns import runs

    reading = runs.summaries(this) if site or set(slugs) == set(this.sources) else []
    bar = tqdm(total=len(slugs) + len(reading), unit="notebook", dynamic_ncols=True)
    with bar, runs.workers(jobs) as pool:

        def done(outcome: Any) -> None:
            bar.set_postfix_str(outcome.chapter, refresh=False)
            bar.update()

        failed = runs.execute(this, slugs, pool, done)
        if reading and not failed:
            failed = runs.summarise(this, pool, done)
    return failed


def assumptions(
    chapters: tuple[str, ...], given: tuple[str, ...], scenario_name: str | None, source: Path
) -> dict[str, Any]:
    """Name, title, reasons and values of a run: the scenario's values, and over them those of the command line."""
    import hashlib

    from llm_economics.formulas.elementwise import ParameterError
    from llm_economics.reruns import notebooks, scenarios

    asked: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(f"-p {text[:60]!r} is not allowed: it must be NAME=VALUE or CHAPTER:NAME=VALUE")
        if name in asked:
            raise ParameterError(f"-p {name[:60]} is given twice")
        asked[name] = notebooks.parse_value(name.rpartition(":")[2], value)
    notebooks.assign(asked, chapters or None, source)  # a value that no chapter of this run takes is refused
    values = notebooks.assign(asked, None, source)
    title, why, name = ", ".join(f"{key} = {value}" for key, value in asked.items()), "", ""
    if scenario_name is not None:
        scenario = scenarios.load(scenario_name)
        under = notebooks.assign(scenario.values, None, source)
        values = {slug: under[slug] | values[slug] for slug in values}
        title, why = f"{scenario.title}; {title}".removesuffix("; "), scenario.why
        name = scenario.name
    name = ",".join(filter(None, [name, *sorted(f"{key.replace(':', '.')}={value}" for key, value in asked.items())]))
    if len(name) > 80:
        name = f"{name[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return {"name": name or "book", "title": title or "The book's own assumptions", "why": why, "values": values}
