"""``llm-economics service``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_economics.formulas import questions
from llm_economics.formulas.questions import Catalog

if TYPE_CHECKING:
    from llm_economics.formulas.hardware import Accelerator, System
    from llm_economics.formulas.offers import Formats, Measured
    from llm_economics.formulas.serving import ServedModel


@click.command()
@click.argument("model", metavar="FILE|FOLDER|NAME", required=False)
@click.option(
    "--system",
    "systems",
    multiple=True,
    help='A system or accelerator of the catalog, or your own (a YAML file), repeatable; or "all".',
)
@click.option("--accelerators", type=click.IntRange(1, 100_000), help="How many; when ranking, the cheapest number.")
@click.option("--concurrency", type=float, help="Users at a time; when ranking at a speed, the most that keep it.")
@click.option("--input", "prompt", type=float, default=8192, show_default=True, help="Tokens of a prompt.")
@click.option("--output", type=float, default=1024, show_default=True, help="Tokens of an answer.")
@click.option(
    "--weights",
    help="Format of the weights (bf16, fp8, fp4, int4) or scheme (nvfp4, mxfp4, mxfp8, awq, gptq, w4a16); the "
    "checkpoint's, of a 16-bit NAME fp8 where the chip has it.",
)
@click.option("--arithmetic", help="Format of the arithmetic; the checkpoint's, else that of the weights.")
@click.option("--kv", help="Format of the KV cache; a FILE's, BF16 if it states none; of a NAME fp8 below 16 bits.")
@click.option(
    "--tensor", type=click.IntRange(1, 100_000), help="Accelerators that share a copy of attention; all if not given."
)
@click.option(
    "--expert", type=click.IntRange(1, 100_000), help="Groups among which experts are dealt out; 1 if not given."
)
@click.option(
    "--cached-share", type=float, default=0.0, show_default=True, help="Share of the prompt in a prefix cache."
)
@click.option("--drafted", type=float, default=0, show_default=True, help="Tokens drafted in each step.")
@click.option(
    "--acceptance", type=float, default=0.7, show_default=True, help="Chance that a drafted token is accepted."
)
@click.option("--usd-per-hour", "prices", type=float, multiple=True, help="Of one accelerator; one, or one a system.")
@click.option(
    "--hours-in-use", type=float, default=24, show_default=True, help="Of a day; the idle ones are paid as well."
)
@click.option("--tokens-per-s", type=float, help="Speed that every user must have: ranks systems at it.")
@click.option(
    "--rows", "table", type=click.Path(dir_okay=False, path_type=Path), help="Answer each row of a CSV table."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def service(model: str | None, systems: tuple[str, ...], table: Path | None, as_json: bool, **options: Any) -> None:
    """Forecast a whole service of a model: time per token, time to the first, and what a million tokens cost.

    FILE is a config.json or weights, FOLDER one that holds them, NAME a model of data/models.csv or as benchmarks
    write it.
    """
    from llm_economics.formulas.elementwise import ParameterError

    if table is not None:
        _answer_rows(table, as_json)
        return
    if model is None:
        raise ParameterError("MODEL is missing: it is needed where --rows is not given")
    answer = questions.service(model, systems, Known(), **options)
    if as_json:
        click.echo(as_printed(answer))
    else:
        click.echo(questions.told(answer) if "rows" not in answer else questions.table(answer))


def as_printed(answer: dict[str, Any]) -> str:
    """An answer as JSON."""
    return json.dumps(questions.printed(answer), indent=2, ensure_ascii=False, allow_nan=False)


def _answer_rows(table: Path, as_json: bool) -> None:
    from llm_economics.evidence import answers
    from llm_economics.formulas.elementwise import ParameterError

    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            rows = [{name: cell for name, cell in row.items() if name is not None} for row in reader]
            names = list(reader.fieldnames or [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ParameterError(f"rows = {table} is not allowed: it is no CSV table in UTF-8 ({error})") from None
    if not names:
        raise ParameterError(f"rows = {table} is not allowed: it is empty")
    told = answers.answer(rows)
    if as_json:
        click.echo(as_printed({"rows": told}))
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, list(told[0]) if told else names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(told)
    click.echo(text.getvalue(), nl=False)


class Known(Catalog):
    """The catalog of ``data/``."""

    def __init__(self) -> None:
        self._files: dict[str, ServedModel] = {}

    def model(self, name: str) -> ServedModel:
        """As benchmarks or repositories call it, or the path of a configuration."""
        from llm_economics import facts
        from llm_economics.evidence import deployments

        if deployments.is_file(name):
            if name not in self._files:
                self._files[name] = facts.served_models(name)["bf16"]
            return self._files[name]
        return deployments.served(deployments.model_name(name))

    def formats(self, model: str, chip: Accelerator, weights, arithmetic, kv) -> Formats:
        """Those of a checkpoint where options do not give them."""
        from llm_economics.evidence import deployments

        return deployments.formats_of(model, chip, weights, arithmetic, kv)

    def system(self, name: str, accelerators: int | None = None) -> System:
        """By any of its names, or from a file."""
        from llm_economics.cli.model import system_of

        return system_of(name, accelerators)

    def systems(self) -> tuple[str, ...]:
        """All of ``data/systems.csv``."""
        from llm_economics import facts

        return facts.systems()

    def price(self, system: str) -> float | None:
        """The latest on demand."""
        from llm_economics.evidence import offers

        return offers.price(system)

    def measured(self) -> Measured:
        """What the services of ``data/services.csv`` ran on."""
        from llm_economics.evidence import answers

        return answers.measured_services()
