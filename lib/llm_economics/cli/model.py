"""``llm-economics model``."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from llm_economics.formulas.architecture import Architecture
    from llm_economics.formulas.hardware import System
    from llm_economics.formulas.serving import ServedModel


@click.command()
@click.argument("config", metavar="CONFIG|NAME")
@click.option("--context", type=int, default=8192, show_default=True, help="Tokens of each sequence.")
@click.option("--batch", type=int, default=1, show_default=True, help="Sequences at a time.")
@click.option(
    "--system", help="A system or accelerator of the catalog (H200, GB200 NVL72, ...): time a decode step on it."
)
@click.option("--accelerators", type=int, help="How many of it; the fewest that hold the model if not given.")
@click.option("--precision", default="bf16", show_default=True, help="Of weights and arithmetic; the KV cache is BF16.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def model(
    config: str,
    context: int,
    batch: int,
    system: str | None,
    accelerators: int | None,
    precision: str,
    as_json: bool,
) -> None:
    """Count a model: parameters, FLOP and bytes per token, the systems that hold it and how fast they decode.

    CONFIG is a Hugging Face config.json (or the folder that holds one), NAME a model of data/models.csv.
    """
    from llm_economics.formulas.elementwise import ParameterError, check_choice, check_range
    from llm_economics.formulas.hardware import BYTES_PER_VALUE

    check_range("context", context, 1, 1_000_000_000)
    check_range("batch", batch, 1, 1_000_000_000)
    precision = check_choice("precision", precision.lower(), BYTES_PER_VALUE)
    if accelerators is not None:
        check_range("accelerators", accelerators, 1, 100_000)
        if system is None:
            raise ParameterError(f"accelerators = {accelerators} is not allowed: it needs --system")
    answer, architecture = _counts(config, context, batch, precision)
    answer["systems"] = _systems(architecture, context, batch, precision)
    if system is not None:
        answer |= _on_system(architecture, system, accelerators, context, batch, precision)
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False) if as_json else _table(answer))


def _counts(source: str, context: int, batch: int, precision: str) -> tuple[dict[str, Any], Architecture]:
    """What holds on any system."""
    from llm_economics import checkpoints, facts
    from llm_economics.formulas import architecture as counts
    from llm_economics.formulas.hardware import BYTES_PER_VALUE

    model_type, defaulted, fields, notes = None, (), {}, ()
    if _is_config(source):
        config = checkpoints.read(source)
        architecture = config.architecture
        model_type, defaulted, fields, notes = config.model_type, config.defaulted, config.fields, config.notes
    else:
        architecture = facts.model(source)
    count = counts.parameters(architecture)
    flops = {
        convention: _whole(counts.forward_flops_per_token(architecture, context, convention))
        for convention in counts.CONVENTIONS
    }
    return {
        "name": architecture.name,
        "model_type": model_type,
        "context": context,
        "batch": batch,
        "precision": precision,
        "total_parameters": count.total,
        "active_parameters": count.active,
        "kv_bytes_per_token": _whole(counts.kv_bytes_per_token(architecture)),
        "state_bytes_per_sequence": _whole(counts.state_bytes_per_sequence(architecture)),
        "forward_flops_per_token": flops,
        "weight_bytes": {name: _whole(count.total * size) for name, size in BYTES_PER_VALUE.items()},
        "defaulted": list(defaulted),
        "fields": fields,
        "notes": list(notes),
    }, architecture


def _is_config(source: str) -> bool:
    """Whether the argument is meant as a file, a folder or a JSON text, and not as a model's name."""
    looks = source.lstrip().startswith("{") or source.endswith(".json") or source.startswith((".", os.sep))
    return looks or os.path.isfile(source) or os.path.isfile(os.path.join(source, "config.json"))


MOST = 65_536
"""Accelerators up to which the fewest that hold a model are looked for."""


def _fewest(served: ServedModel, system: System, context: int, batch: int) -> int | None:
    """The fewest accelerators that hold model and sequences; None where their number does not help.

    With ``served.kv_heads`` the cache is copied, not divided, beyond one accelerator per key-value head.
    """

    from llm_economics.formulas.serving import capacity

    def holds(n: int) -> bool:
        return bool(capacity(served, replace(system, accelerators=n, domain_size=n), batch, context).fits)

    enough = 1
    while not holds(enough):
        enough *= 2
        if enough > MOST:
            return None
    low = enough // 2  # does not hold it
    while enough - low > 1:
        middle = (low + enough) // 2
        low, enough = (low, middle) if holds(middle) else (middle, enough)
    return enough


def _systems(architecture: Architecture, context: int, batch: int, precision: str) -> list[dict[str, Any]]:
    """For each system of the catalog the fewest of its accelerators that hold the model, and their roofline.

    The KV cache is divided evenly, as by sequences where heads are too few: no split needs less.
    """
    from llm_economics import facts
    from llm_economics.formulas.serving import decode, model_from_architecture

    served = replace(model_from_architecture(architecture, weights=precision), kv_heads=None)
    rows = []
    for name in facts.systems():
        one = facts.system(name, 1)
        chip = one.accelerator
        needed = _fewest(served, one, context, batch)
        row = {"system": name, "accelerator": chip.name, "accelerators": needed, "domain_size": one.domain_size}
        if needed is None:
            why = f"more than {MOST:,} are needed"
        elif precision not in chip.peak_flops:
            why = f"no {precision} peak is known"
        else:
            step = decode(served, facts.system(name, needed), batch, context, precision=precision)
            row |= {
                "decode_ms": step.seconds * 1e3,
                "tokens_per_second_per_user": step.tokens_per_second_per_user,
                "tokens_per_second_per_accelerator": step.tokens_per_second_per_accelerator,
                "binds": step.step.binding,
            }
            why = None
        rows.append(row | {"why_not": why})
    return rows


def _on_system(
    architecture: Architecture, name: str, accelerators: int | None, context: int, batch: int, precision: str
) -> dict[str, Any]:
    """A decode step in tensor parallelism over all accelerators: whether they hold it, roofline and expectation."""
    from llm_economics import facts
    from llm_economics.evidence import calibration
    from llm_economics.formulas.serving import capacity, decode, model_from_architecture

    served = model_from_architecture(architecture, weights=precision)
    if accelerators is None:
        natural = facts.system(name)
        accelerators = _fewest(served, natural, context, batch) or natural.accelerators
    system = facts.system(name, accelerators)
    held = capacity(served, system, batch, context)
    floor = decode(served, system, batch, context, precision=precision)
    expected = calibration.expected_decode(served, system, batch, context, precision=precision)
    return {
        "system": system.name,
        "accelerator": system.accelerator.name,
        "accelerators": accelerators,
        "tensor_parallel": accelerators,
        "fits": bool(held.fits),
        "missing_bytes": _whole(round(held.missing_bytes)),
        "decode_ms": {
            "floor": floor.seconds * 1e3,
            "expected": {
                "value": expected.value_s * 1e3,
                "low": expected.low_s * 1e3,
                "high": expected.high_s * 1e3,
            },
            "calibrated": system.accelerator.name in calibration.chips(),
            "binds": floor.step.binding,
        },
    }


def _whole(value: float) -> int | float:
    return int(value) if value == int(value) else value


# ---------------------------------------------------------------------------------------------------------------------
# For people


def _si(value: float, unit: str) -> str:
    """Three significant digits with a decimal prefix."""
    for factor, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor * 0.9995:
            return f"{_digits(value / factor)} {prefix}{unit}"
    return f"{_digits(value)} {unit}"


def _digits(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def _table(answer: dict[str, Any]) -> str:
    flops = answer["forward_flops_per_token"]
    context, batch, precision = answer["context"], answer["batch"], answer["precision"]
    kind = answer["model_type"] or "data/models.csv"
    facts = {
        "parameters": f"{answer['total_parameters']:,} in all, {answer['active_parameters']:,} active",
        "weights": ", ".join(f"{_si(size, 'B')} {name}" for name, size in answer["weight_bytes"].items()),
        "KV cache": f"{answer['kv_bytes_per_token']:,} B a token in BF16",
        "state": f"{answer['state_bytes_per_sequence']:,} B a sequence (windows when full, states) in BF16",
        "FLOP a token": f"{_si(flops['weights'], 'FLOP')} for the weights; with attention at {context:,} tokens "
        f"{_si(flops['causal'], 'FLOP')} on average, {_si(flops['full_context'], 'FLOP')} for the last",
        "defaulted": ", ".join(answer["defaulted"]) or "nothing",
    }
    lines = [f"{answer['name']} ({kind})", *(f"  {name:<13} {text}" for name, text in facts.items())]
    lines += [f"  {'note':<13} {note}" for note in answer["notes"]]
    if "decode_ms" in answer:
        lines += _step_lines(answer)
    lines += [
        "",
        f"Fewest accelerators that hold {batch:,} x {context:,} tokens in {precision}, and their roofline",
    ]
    form = "  {:<20} {:>6} {:>12} {:>15} {:>10}  {}"
    lines.append(form.format("system", "needs", "ms a token", "tokens/s a user", "and a chip", "bound by"))
    for row in answer["systems"]:
        needs = "-" if row["accelerators"] is None else f"{row['accelerators']:,}"
        if row["why_not"]:
            lines.append(form.format(row["system"], needs, "-", "-", "-", row["why_not"]))
            continue
        outside = "" if row["accelerators"] <= row["domain_size"] else f", over {row['domain_size']} a domain"
        speeds = (row["decode_ms"], row["tokens_per_second_per_user"], row["tokens_per_second_per_accelerator"])
        lines.append(form.format(row["system"], needs, *map(_digits, speeds), row["binds"] + outside))
    return "\n".join(lines)


def _step_lines(answer: dict[str, Any]) -> list[str]:
    step, expected = answer["decode_ms"], answer["decode_ms"]["expected"]
    title = f"A decode step on {answer['accelerators']:,} x {answer['accelerator']} ({answer['system']})"
    title += ", in tensor parallelism over all of them" if answer["accelerators"] > 1 else ""
    missing = f"{_si(answer['missing_bytes'], 'B')} are missing"
    fits = "yes" if answer["fits"] else f"no, {missing} in this split; the times are what if, `frontier` tries others"
    whose = "the middle one of three serving engines"
    if not step["calibrated"]:
        whose += "; but no step of such a chip was timed, so this is a guess by the constants of others"
    spread = f"{_digits(expected['low'])} to {_digits(expected['high'])}"
    return [
        "",
        title,
        f"  {'fits':<13} {fits}",
        f"  {'floor':<13} {_digits(step['floor'])} ms, bound by {step['binds']}",
        f"  {'expected':<13} {_digits(expected['value'])} ms ({spread}), for {whose}",
    ]
