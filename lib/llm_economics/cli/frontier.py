"""``llm-economics frontier``."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from llm_economics.evidence.search import Frontier
    from llm_economics.formulas.hardware import System

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
@click.option("--accelerators", type=click.IntRange(1), help="How many in all; the system's natural size if not given.")
@click.option(
    "--input", "input_tokens", type=click.IntRange(1), default=8192, show_default=True, help="Tokens of a prompt."
)
@click.option(
    "--output", "output_tokens", type=click.IntRange(1), default=1024, show_default=True, help="Tokens of an answer."
)
@click.option("--max-tpot-ms", type=float, help="Longest time per output token that a user accepts.")
@click.option("--max-ttft-s", type=float, help="Longest time to the first token that a user accepts.")
@click.option("--precision", "precisions", multiple=True, help="Of weights and arithmetic, repeatable; else all.")
@click.option("--kv", help="Precision of the KV cache; that of the weights, but at least 8 bits, if not given.")
@click.option("--kv-heads", type=click.IntRange(1), help="Heads that keep keys and values, of the leaked GPT-4 only.")
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
    kv: str | None,
    kv_heads: int | None,
    colocated: bool,
    as_json: bool,
    csv_path: Path | None,
    **assumed: Any,
) -> None:
    """Search every way to serve a model on a system: speed for each user against throughput per accelerator."""
    from dataclasses import asdict

    from llm_economics import facts
    from llm_economics.evidence import offers, search
    from llm_economics.formulas.elementwise import ParameterError, check_range

    max_tpot_ms = check_range("--max-tpot-ms", math.inf if max_tpot_ms is None else max_tpot_ms, 0, open_low=True)
    max_ttft_s = check_range("--max-ttft-s", math.inf if max_ttft_s is None else max_ttft_s, 0, open_low=True)
    system = _system(system_name, accelerators)
    peaks = system.accelerator.peak_flops
    precisions = tuple(p.lower() for p in precisions) or tuple(p for p in PRECISIONS if p in peaks)
    if not precisions:
        raise ParameterError(
            f"precision: {system.accelerator.name} has dense peaks for {', '.join(peaks)}; give --precision"
        )
    models = facts.served_models(model_name, precisions, kv=kv and kv.lower(), kv_heads=kv_heads)
    limits = search.Limits(max_tpot_ms / 1e3, max_ttft_s)
    assumptions = search.Assumptions(**{name: value for name, value in assumed.items() if value is not None})
    workload = search.Workload(input_tokens, output_tokens)
    found = search.search(models, system, workload, limits, assumptions=assumptions, disaggregated=not colocated)
    found.require()
    points, best = [_record(point) for point in found.points()], _record(found.best())
    counted = facts.served_models(model_name, ("bf16",), kv="bf16", kv_heads=kv_heads)["bf16"]
    base = offers.Deployment(counted, system, system.accelerators, kv=kv and kv.lower())
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


def _system(name: str, accelerators: int | None) -> System:
    from dataclasses import replace

    from llm_economics import facts

    if not (os.path.isfile(name) or name.endswith((".yaml", ".yml", ".json"))):
        return facts.system(name, accelerators)
    system = facts.system_from_file(name)
    return system if accelerators is None else replace(system, accelerators=accelerators)


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
