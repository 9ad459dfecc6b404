"""``llm-economics sweep``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click


@click.command()
@click.argument("chapter")
@click.option(
    "-p",
    "--parameter",
    "assignments",
    multiple=True,
    metavar="NAME=VALUES",
    help="Values 1,2,3, or low:high:count evenly spaced, or low:high:count:log; several -p make a grid.",
)
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler, such as tcp://10.0.0.1:8786.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Points at a time on this machine; as many as processors.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="[_build/sweeps/CHAPTER]")
@click.option("--plot", metavar="RESULT", help="The result to draw; the first that the sweep moves if not given.")
@click.option("--fresh", is_flag=True, help="Run every point anew, also those that are stored.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json.")
def sweep(
    chapter: str,
    assignments: tuple[str, ...],
    scheduler: str | None,
    jobs: int | None,
    out: Path | None,
    plot: str | None,
    fresh: bool,
    as_json: bool,
) -> None:
    """Run CHAPTER at every point of a grid of parameters, here or on a Dask cluster.

    Writes results.csv, results.parquet, results.json and picture.svg. Every finished point is stored at
    once; the same command goes on where it was stopped.
    """
    if scheduler and jobs:
        raise click.UsageError("--jobs counts points on this machine; the cluster of --scheduler has its own workers")
    from tqdm import tqdm

    from llm_economics.reruns import sweeps

    planned = sweeps.plan(chapter, assignments)
    sweeps.check_plot(planned, plot)
    folder = out or Path("_build", "sweeps", chapter)
    total = len(planned.points)
    there = 0 if fresh else sum(record is not None for record in sweeps.stored(planned, folder))
    if there:
        click.echo(f"{there} of {total} points are stored in {folder} already", err=True)
    with tqdm(total=total, initial=there, unit="point", disable=None) as bar:
        try:
            records = sweeps.run(
                planned,
                folder,
                jobs=jobs or os.cpu_count() or 1,
                scheduler=scheduler,
                fresh=fresh,
                finished=lambda record: bar.update(),
            )
        except (KeyboardInterrupt, OSError) as error:
            bar.close()
            kept = sum(record is not None for record in sweeps.stored(planned, folder))
            reason = str(error) or "interrupted"
            if isinstance(error, OSError) and error.filename:
                reason = f"{error.filename} cannot be read or written: {error.strerror}"
            click.echo(f"Error: {reason}; {kept} of {total} points are stored, the same command goes on", err=True)
            raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
    written = sweeps.write(planned, records, folder, plot)
    if as_json:
        click.echo(json.dumps(sweeps.summary(planned, records), indent=1, ensure_ascii=False))
    else:
        _show(planned, records, plot)
        click.echo("\n" + "\n".join(map(str, written)))
    failed = [record for record in records if record["error"]]
    if failed:
        where = ", ".join(f"{name} = {value}" for name, value in failed[0]["parameters"].items())
        raise click.ClickException(
            f"{len(failed)} of {total} points failed, the first at {where}: {failed[0]['error']}"
        )


def _show(planned, records, plot: str | None) -> None:
    """The parameters and the drawn result of the first points, and the verdicts that the sweep changes."""
    from llm_economics.reruns import sweeps

    frame = sweeps.table(planned, records)
    shown = sweeps.plotted(planned, records, plot)
    units = {name: column["unit"] for name, column in sweeps.columns(planned, records).items()}
    frame = frame[[*planned.axes, *([shown] if shown else [])]].rename(columns=lambda n: f"{n} [{units[n]}]")
    click.echo(frame.to_string(index=False, max_rows=40, na_rep="failed"))
    for key, counts in sweeps.changing(planned, records):
        click.echo(f"{key}: " + ", ".join(f"{verdict} at {n}" for verdict, n in counts.items()))
