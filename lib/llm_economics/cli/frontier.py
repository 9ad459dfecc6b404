"""``llm-economics frontier``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llm_economics.cli.model import format_named, known, precision_options, system_of, unlike_its_name

if TYPE_CHECKING:
    from llm_economics.evidence.search import Frontier
    from llm_economics.formulas.hardware import Accelerator, System
    from llm_economics.formulas.serving import ServedModel

PRECISIONS = ("bf16", "fp8", "fp4")
SHOWN = {
    "tokens/s/user": ("tokens_per_second_per_user", ".4g"),
    "tokens/s/accelerator": ("tokens_per_second_per_accelerator", ".4g"),
    "TPOT ms": ("tpot_ms", ".4g"),
    "expected": ("expected", "s"),
    "TTFT s": ("ttft_s", ".3g"),
    "batch": ("batch", "d"),
    "tensor": ("tensor", "d"),
    "pipeline": ("pipeline", "d"),
    "data": ("data", "d"),
    "expert": ("expert", "d"),
    "precision": ("precision", "s"),
    "binds": ("binds", "s"),
}
"""Columns of the table: heading, key of a point, format."""


@click.command()
@click.option("--model", "model_name", required=True, help="A model of the catalog, or the path of a config.json.")
@click.option("--system", "system_name", required=True, help="A system of the catalog, or your own (a YAML file).")
@click.option(
    "--accelerators", type=click.IntRange(1, 100_000), help="How many in all; the system's natural size if not given."
)
@click.option(
    "--input",
    "input_tokens",
    type=click.IntRange(1, 10**9),
    default=8192,
    show_default=True,
    help="Tokens of a prompt.",
)
@click.option(
    "--output",
    "output_tokens",
    type=click.IntRange(1, 10**9),
    default=1024,
    show_default=True,
    help="Tokens of an answer.",
)
@click.option("--max-tpot-ms", type=float, help="Longest time per output token that a user accepts.")
@click.option("--max-ttft-s", type=float, help="Longest time to the first token that a user accepts.")
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    help="Shorthand, repeatable: weights and, where the chip has it, arithmetic; the KV cache is BF16.",
)
@precision_options
@click.option("--allow-padding", is_flag=True, help="Also splits that only some engines take, with padded heads.")
@click.option(
    "--kv-heads", type=click.IntRange(1, 1000), help="Heads that keep keys and values, of the leaked GPT-4 only."
)
@click.option("--colocated", is_flag=True, help="Prefill and decode on the same accelerators.")
@click.option("--bandwidth-efficiency", type=float, help="Share of the memory bandwidth that is reached.")
@click.option("--compute-efficiency", type=float, help="Share of the dense peak that is reached.")
@click.option("--link-efficiency", type=float, help="Share of the links' bandwidth that is reached.")
@click.option("--overlap", type=float, help="Share of the communication that other work may hide.")
@click.option("--bound", type=click.Choice(["max", "sum"]), help="Reading and computing overlap, or do not.")
@click.option("--memory-share", type=float, help="Share of the memory that may be filled.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--csv", "csv_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the points to a file.")
def frontier(
    model_name: str,
    system_name: str,
    accelerators: int | None,
    input_tokens: int,
    output_tokens: int,
    max_tpot_ms: float | None,
    max_ttft_s: float | None,
    precisions: tuple[str, ...],
    weights: str | None,
    arithmetic: str | None,
    kv: str | None,
    allow_padding: bool,
    kv_heads: int | None,
    colocated: bool,
    as_json: bool,
    csv_path: Path | None,
    **assumed: Any,
) -> None:
    """Search every way to serve a model on a system: speed for each user against throughput per accelerator."""
    from dataclasses import asdict

    from llm_economics import facts
    from llm_economics.evidence import deployments, offers, search
    from llm_economics.formulas.elementwise import check_range

    max_tpot_ms = check_range("--max-tpot-ms", math.inf if max_tpot_ms is None else max_tpot_ms, 0, open_low=True)
    max_ttft_s = check_range("--max-ttft-s", math.inf if max_ttft_s is None else max_ttft_s, 0, open_low=True)
    system = system_of(system_name, accelerators)
    given = {"weights": weights, "arithmetic": arithmetic, "kv": kv}
    asked = {name: format_named(name, value) for name, value in given.items()}
    notes: list[str] = []
    wanted = tuple(format_named("precision", precision) for precision in precisions)
    models, computed, cache = _models(model_name, system, wanted, asked, kv_heads, input_tokens + output_tokens, notes)
    limits = search.Limits(max_tpot_ms / 1e3, max_ttft_s)
    assumptions = search.Assumptions(**{name: value for name, value in assumed.items() if value is not None})
    workload = search.Workload(input_tokens, output_tokens)
    found = search.search(
        models,
        system,
        workload,
        limits,
        assumptions=assumptions,
        disaggregated=not colocated,
        within=search.space(models, system, allow_padding=allow_padding),
        arithmetic=computed,
    )
    found.require()
    points, best = [_record(point) for point in found.points()], _record(found.best())
    name = model_name if deployments.is_file(model_name) else deployments.model_name(model_name)
    counted = facts.served_models(name, ("bf16",), kv="bf16", kv_heads=kv_heads)["bf16"]
    base = offers.Deployment(counted, system, system.accelerators, kv=cache)
    asked = offers.Workload(input_tokens, output_tokens)
    *points, best = offers.beside([*points, best], base, asked, disaggregated=not colocated)
    if as_json:
        report = {
            "model": found.model,
            "system": system.name,
            "accelerators": system.accelerators,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "disaggregated": not colocated,
            "arithmetic": computed,
            "notes": notes,
            "limits": {"max_tpot_ms": _finite(max_tpot_ms), "max_ttft_s": _finite(max_ttft_s)},
            "assumptions": asdict(assumptions),
            "searched": found.counts.searched,
            "infeasible": {name: getattr(found.counts, name) for name in ("layout", "memory", "ttft", "tpot")},
            "configurations_per_second": found.configurations_per_second,
            "best": best,
            "points": points,
        }
        click.echo(json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _show(found, points, best)
        for note in notes:
            click.echo(f"note: {note}")
    if csv_path is not None:  # last: a file that cannot be written loses no search
        import pandas

        csv_path.write_text(pandas.DataFrame([_flat(point) for point in points]).to_csv(index=False), encoding="utf-8")


def _flat(point: dict[str, Any]) -> dict[str, Any]:
    """A point as one row: of what is expected, time per token with its interval, and throughput."""
    rest = {name: value for name, value in point.items() if name != "expected"}
    expected = point["expected"]
    if expected is None:
        return rest
    times = {f"expected_tpot_ms_{name}": expected["tpot_ms"][name] for name in ("value", "low", "high")}
    name = "tokens_per_second_per_accelerator"
    return rest | times | {f"expected_{name}": expected[name]}


def _models(
    name: str,
    system: System,
    precisions: tuple[str, ...],
    asked: dict[str, str | None],
    kv_heads: int | None,
    context: int,
    notes: list[str],
) -> tuple[dict[str, ServedModel], dict[str, str], str | None]:
    """The model at each precision of its weights, in what each is computed, and the cache; None: by the weights."""
    from llm_economics import facts
    from llm_economics.facts.models import Published, checked_context, is_leaked
    from llm_economics.formulas.elementwise import ParameterError

    chip = system.accelerator
    if is_leaked(name):
        nothing = Published(name, None, None)
        tried = precisions or ((asked["weights"],) if asked["weights"] else _known(chip))
        how = [facts.precisions(nothing, chip, p, arithmetic=asked["arithmetic"], kv=asked["kv"]) for p in tried]
        cache = asked["kv"] or ("bf16" if precisions or asked["weights"] else None)
        models = facts.served_models(name, [one.weights for one in how], kv=cache, kv_heads=kv_heads)
        return models, {one.weights: one.arithmetic for one in how}, cache
    if kv_heads is not None:
        raise ParameterError(f"kv_heads = {kv_heads} is not allowed: only {facts.GPT4} leaves it open")
    published = known(name)
    if published.architecture is None:
        raise ParameterError(f"model = {published.name[:60]!r} is not allowed: only the bytes of its files are known")
    checked_context(published, context, context, notes)
    notes += [] if precisions else unlike_its_name(name, published, asked)
    found = [facts.precisions(published, chip, precision, **asked) for precision in precisions or (None,)]
    models = {one.weights: facts.served(published, one) for one in found}
    return models, {one.weights: one.arithmetic for one in found}, found[0].kv


def _known(chip: Accelerator) -> tuple[str, ...]:
    from llm_economics.formulas.elementwise import ParameterError

    found = tuple(p for p in PRECISIONS if p in chip.peak_flops)
    if not found:
        raise ParameterError(
            f"precision: {chip.name} has dense peaks for {', '.join(chip.peak_flops)}; give --precision"
        )
    return found


def _finite(limit: float) -> float | None:
    """A limit as JSON has it: None where there is none."""
    return None if math.isinf(limit) else limit


def _show(found: Frontier, points: list[dict[str, Any]], best: dict[str, Any]) -> None:
    """The frontier as a table for a terminal, and what is best within the limits."""
    system = found.system
    click.echo(f"{found.model} on {system.name}: {found.counts.searched:,} configurations in {found.seconds:.2f} s\n")
    widths = [max(len(heading), 20 if heading == "expected" else 10) for heading in SHOWN]
    click.echo("  ".join(heading.rjust(width) for heading, width in zip(SHOWN, widths, strict=True)))
    for point in _thinned(points):
        cells = (
            format(point[key] if key != "expected" else _expected(point), form).rjust(width)
            for (key, form), width in zip(SHOWN.values(), widths, strict=True)
        )
        click.echo("  ".join(cells))
    click.echo(
        f"\nmost within the limits: {best['tokens_per_second_per_accelerator']:.4g} tokens/s for each accelerator "
        f"at {best['tokens_per_second_per_user']:.4g} tokens/s for each user; {best['binds']} binds, "
        f"prefill takes {best['prefill_share']:.0%}"
    )
    told = (
        "no service with pipeline stages was measured"
        if best["expected"] is None
        else f"{_expected(best)} ms for the best"
    )
    click.echo(
        f"TPOT is a bound; expected is what a service of this layout takes, nine of ten within the interval: {told}"
    )


def _expected(point: dict[str, Any]) -> str:
    """Time per token of a service, with its interval."""
    if point["expected"] is None:
        return "-"
    times = point["expected"]["tpot_ms"]
    return f"{times['value']:.3g} ({times['low']:.3g}-{times['high']:.3g})"


def _record(point: dict[str, Any]) -> dict[str, Any]:
    """A point for output: seconds of a step in ms, counts as whole numbers."""
    record = {}
    for key, value in point.items():
        if key.endswith("_s") and key != "ttft_s":
            record[f"{key[:-2]}_ms"] = 1e3 * value
        else:
            record[key] = int(value) if key in ("batch", "prefill_prompts") else value
    return record


def _thinned(points: list[dict[str, Any]], most: int = 24) -> list[dict[str, Any]]:
    """At most so many points for a table, evenly, with both ends."""
    if len(points) <= most:
        return points
    return [points[round(i * (len(points) - 1) / (most - 1))] for i in range(most)]
