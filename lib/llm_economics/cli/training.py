"""``llm-economics training``."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.option("--parameters", type=float, help="Active ones, for a mixture of experts, as in 70e9.")
@click.option("--tokens", type=float, help="Of training, as in 15e12.")
@click.option("--accelerators", type=float, help="How many.")
@click.option("--days", type=float, help="How long, by the clock.")
@click.option("--usd", type=float, help="The budget.")
@click.option("--mfu", type=float, help="Model FLOPs utilisation, a fraction of the dense peak.")
@click.option("--usd-per-hour", type=float, help="Price of one accelerator.")
@click.option("--system", help="A system or accelerator of the catalog, or your own (a YAML file), for its peak.")
@click.option("--precision", help="Format of the arithmetic, for the peak; 16 bits if not given.")
@click.option("--peak-flops", type=float, help="Instead of a system: dense peak of one accelerator, FLOP/s.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def training(as_json: bool, **options: Any) -> None:
    """A training run: compute, accelerators, days and cost, each found where it follows from what is given.

    Leave out what is to be found: the days that a cluster takes, the accelerators that finish in time, the tokens that
    a budget buys, the utilisation behind a reported run.
    """
    from llm_economics.cli.service import Known, as_printed
    from llm_economics.formulas import training_run

    answer = training_run.answer(Known(), **options)
    click.echo(as_printed(answer) if as_json else training_run.told(answer))
