"""``llm-economics model``."""

from __future__ import annotations

import atexit
import gc
import json
import math
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llm_economics.facts.models import Precisions, Published
    from llm_economics.formulas.hardware import System
    from llm_economics.formulas.parallelism import Split
    from llm_economics.formulas.serving import ServedModel

DEFAULT_CONTEXT = 8192

atexit.register(gc.freeze)  # a process that ends need not search for garbage in what ends with it


def precision_options(command):
    """The options that say in what a model is held and computed."""
    for name, text in (
        ("--kv", "Precision of the KV cache; the checkpoint's, BF16 if it states none."),
        ("--arithmetic", "Precision of the products; the checkpoint's where the chip has it, else 16 bits."),
        (
            "--weights",
            "Precision of the weights (fp8, fp4, ...) or scheme (nvfp4, mxfp4, ...); the checkpoint's if not given.",
        ),
    ):
        command = click.option(name, help=text)(command)
    return command


@click.command()
@click.argument("config", metavar="FILE|FOLDER|NAME")
@click.option("--context", type=int, help=f"Tokens of each sequence; {DEFAULT_CONTEXT:,} or the most that it has.")
@click.option("--batch", type=int, default=1, show_default=True, help="Sequences at a time.")
@click.option(
    "--system",
    help="A system or accelerator of the catalog (H200, GB200 NVL72, ...), or your own (a YAML file): time a decode "
    "step on it.",
)
@click.option("--accelerators", type=int, help="How many of it; the fewest that hold the model if not given.")
@click.option("--precision", help="Shorthand: weights and, where the chip has it, arithmetic; the KV cache is BF16.")
@precision_options
@click.option("--memory-share", type=float, help="Share of the memory that an engine may fill.  [default: 0.9]")
@click.option("--allow-padding", is_flag=True, help="Also splits that only some engines take, with padded heads.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def model(
    config: str,
    context: int | None,
    batch: int,
    system: str | None,
    accelerators: int | None,
    memory_share: float | None,
    allow_padding: bool,
    as_json: bool,
    **precisions: str | None,
) -> None:
    """Count a model: its checkpoint, FLOP and bytes per token, the systems that hold it and how fast they decode.

    FILE is a config.json, a file of weights (safetensors, its index, GGUF), FOLDER one that holds them, NAME a model
    of data/models.csv. Of weights whose model is not known the bytes are counted alone, of those of PyTorch, OpenVINO,
    ONNX and CTranslate2 the size of the files.
    """
    collects = gc.isenabled()
    gc.disable()  # what one answer makes is less than a collection costs
    try:
        answer = _answer(config, context, batch, system, accelerators, memory_share, allow_padding, precisions)
    finally:
        (gc.enable if collects else gc.disable)()
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False) if as_json else _table(answer))


def _answer(
    config: str,
    context: int | None,
    batch: int,
    system: str | None,
    accelerators: int | None,
    memory_share: float | None,
    allow_padding: bool,
    precisions: Mapping[str, str | None],
) -> dict[str, Any]:
    from llm_economics.formulas.elementwise import ParameterError, check_range
    from llm_economics.formulas.memory import MEMORY_SHARE

    if context is not None:
        check_range("context", context, 1, 1_000_000_000)
    check_range("batch", batch, 1, 1_000_000_000)
    share = check_range("memory_share", MEMORY_SHARE if memory_share is None else memory_share, 0, 1, open_low=True)
    if accelerators is not None:
        check_range("accelerators", accelerators, 1, 100_000)
        if system is None:
            raise ParameterError(f"accelerators = {accelerators} is not allowed: it needs --system")
    asked = {name: format_named(name, value) for name, value in precisions.items()}
    published = known(config)
    if published.architecture is None:
        if system is not None:
            raise ParameterError(
                f"system = {system[:60]!r} is not allowed: only the bytes of {published.name} are known"
            )
        return _bytes_alone(published)
    case = _Case(published, batch, share, allow_padding, asked, context)
    case.notes += unlike_its_name(config, published, asked)
    answer = case.counts()
    answer["systems"] = case.systems()
    return answer if system is None else answer | case.on_system(system, accelerators)


def format_named(name: str, value: str | None) -> str | None:
    """A format as an option gives it, by any of its spellings; of weights it may be a scheme."""
    from llm_economics.formulas.hardware import BYTES_PER_VALUE

    if value is None or value.lower() in BYTES_PER_VALUE:
        return value and value.lower()
    from llm_economics.formulas.offers import format_option

    return format_option(name, value, "")


def system_of(name: str, accelerators: int | None = None) -> System:
    """A system of the catalog, or the reader's own from a file."""
    import os

    from llm_economics import facts

    if not (os.path.isfile(name) or name.endswith((".yaml", ".yml", ".json"))):
        return facts.system(name, accelerators)
    from llm_economics.formulas.records import replace

    system = facts.system_from_file(name)
    return system if accelerators is None else replace(system, accelerators=accelerators)


def known(written: str) -> Published:
    """The model of a file, of ``data/models.csv``, or of a name as benchmarks write it."""
    from llm_economics import facts
    from llm_economics.facts import CatalogError

    try:
        return facts.published(written)
    except CatalogError:
        from llm_economics.facts.models import is_leaked

        if is_leaked(written) or not written.strip():
            raise
        from llm_economics.evidence.deployments import model_name

        return facts.published(model_name(written))


def unlike_its_name(written: str, published: Published, asked: Mapping[str, str | None]) -> list[str]:
    """A note where a name speaks of a format that the catalog's checkpoint does not have, and no option gives one."""
    from llm_economics.facts.models import is_file, plain

    if is_file(written) or plain(published.name).startswith(plain(written)):
        return []
    if asked.get("weights") or asked.get("precision"):
        return []
    from llm_economics.checkpoints.published import is_stored_in
    from llm_economics.formulas.offers import format_of, named_weights

    named, stored = named_weights("", written), published.checkpoint
    held = format_of(stored.weights if stored else "bf16")
    if named in ("", held) or (stored and is_stored_in(stored, named)):
        return []
    return [f"the name says {named}, the catalog has {published.name} in {held}: --weights {named} counts the other"]


def _checkpoint(published: Published) -> dict[str, Any] | None:
    found = published.checkpoint
    if found is None:
        return None
    names = ("bytes", "scheme", "bytes_quantised", "bytes_other", "bits_per_parameter", "kv_scheme", "read_from")
    return {name: getattr(found, name) for name in names} | {"warnings": list(found.warnings)}


def _bytes_alone(published: Published) -> dict[str, Any]:
    """The answer for weights whose model is not known."""
    found = published.checkpoint
    return {
        "name": published.name,
        "model_type": None,
        "total_parameters": found.parameters,
        "active_parameters": None,
        "checkpoint": _checkpoint(published),
        "systems": [],
        "notes": [
            "the model is not known: the bytes of its files are counted, and nothing that follows from its layers"
        ],
    }


class _Case:
    """One question: a model, its sequences, and what its memory may be used for."""

    def __init__(
        self,
        published: Published,
        batch: int,
        share: float,
        padding: bool,
        asked: dict[str, str | None],
        context: int | None,
    ) -> None:
        from llm_economics import facts

        self.published, self.batch, self.share, self.padding, self.asked = published, batch, share, padding, asked
        self.notes = list(published.config.notes if published.config is not None else ())
        self.context = facts.models.checked_context(published, context, DEFAULT_CONTEXT, self.notes)
        ahead = published.checkpoint.parts.get("ahead") if published.checkpoint is not None else None
        if ahead:
            self.notes.append(
                f"{ahead:,} B of the checkpoint are layers that predict further tokens: engines do not hold them "
                "unless they speculate with them"
            )
        self.models: dict[Precisions, ServedModel] = {}

    def served(self, chip) -> tuple[ServedModel, Precisions]:
        """The model at the precisions that suit a chip."""
        from llm_economics import facts

        how = facts.precisions(self.published, chip, **self.asked)
        if how not in self.models:
            self.models[how] = facts.served(self.published, how)
        return self.models[how], how

    def counts(self) -> dict[str, Any]:
        """What holds on any system."""
        from llm_economics import facts
        from llm_economics.formulas import architecture as counts
        from llm_economics.formulas.hardware import BYTES_PER_VALUE

        published, context = self.published, self.context
        architecture, config = published.architecture, published.config
        count = counts.parameters(architecture)
        flops = {
            convention: _whole(counts.forward_flops_per_token(architecture, context, convention))
            for convention in counts.CONVENTIONS
        }
        stored = published.checkpoint
        held = self.asked["weights"] or self.asked["precision"] or (stored.weights if stored else "bf16")
        return {
            "name": architecture.name,
            "model_type": config and config.model_type,
            "context": context,
            "batch": self.batch,
            "precision": self.asked["precision"] or held,
            "memory_share": self.share,
            "total_parameters": count.total,
            "active_parameters": count.active,
            "parts": config.parts if config else {"text": count.total},
            "max_context": facts.models.most_context(published),
            "kv_bytes_per_token": _whole(counts.kv_bytes_per_token(architecture)),
            "kv_bytes_per_token_long": _whole(counts.kv_bytes_per_token_long(architecture)),
            "state_bytes_per_sequence": _whole(counts.state_bytes_per_sequence(architecture)),
            "forward_flops_per_token": flops,
            "weight_bytes": {name: math.ceil(count.total * size) for name, size in BYTES_PER_VALUE.items()},
            "checkpoint": _checkpoint(published),
            "defaulted": list(config.defaulted if config else ()),
            "fields": config.fields if config else {},
            "notes": self.notes,
        }

    def reserve(self, system: System, served: ServedModel, split: Split) -> float:
        """Memory of an accelerator that weights and cache may not use, byte."""
        from llm_economics.formulas.memory import reserve_bytes

        return float(reserve_bytes(served, system.accelerator.memory_bytes, split, self.share))

    def held(self, served: ServedModel, system: System, split: Split):
        """Whether a split holds model and sequences."""
        from llm_economics.formulas.serving import capacity

        reserve = min(self.reserve(system, served, split), system.accelerator.memory_bytes)
        return capacity(served, system, self.batch, self.context, split, reserve_bytes=reserve)

    def fewest(self, served: ServedModel, one: System, *, pipelines: bool = True) -> Split | None:
        """The split with the fewest accelerators that holds model and sequences; None if none does."""
        from llm_economics.facts.models import machine, split_of, split_sizes

        sizes = split_sizes(served, one.domain_size, self.padding, pipelines=pipelines)
        if one.scale_out is None:
            sizes = tuple([size for size in sizes if size[0] <= one.domain_size])
        largest = machine(one, int(sizes[-1][0]))
        if not pipelines and not self.held(served, largest, split_of(sizes[-1])).fits:
            return None
        room = self.share * one.accelerator.memory_bytes  # at the most
        each = served.kv_bytes(self.context) + served.state_bytes
        needed = served.weight_bytes + self.batch * each  # an even split of all of it; none does better
        least = needed / room * (1 - 1e-9) if room > 0 else math.inf
        within = (split_of(size) for size in sizes if size[0] >= least)
        return next((split for split in within if self.held(served, largest, split).fits), None)

    def systems(self) -> list[dict[str, Any]]:
        """For each system of the catalog the fewest of its accelerators that hold the model, and their roofline."""
        from llm_economics import facts
        from llm_economics.facts.models import machine
        from llm_economics.formulas.serving import decode

        rows = []
        for name in facts.systems():
            one = facts.system(name, 1)
            chip = one.accelerator
            row = {"system": name, "accelerator": chip.name, "accelerators": None, "domain_size": one.domain_size}
            try:
                served, how = self.served(chip)
            except ValueError:
                asked = self.asked["arithmetic"]
                rows.append(row | {"why_not": f"no {asked} peak is known"})
                continue
            split = self.fewest(served, one)
            if split is None:
                rows.append(row | {"why_not": "no split that engines take holds it"})
                continue
            needed = int(split.accelerators)
            step = decode(served, machine(one, needed), self.batch, self.context, split, precision=how.arithmetic)
            rows.append(
                row
                | {
                    "accelerators": needed,
                    "tensor": int(split.tensor),
                    "pipeline": int(split.pipeline),
                    "padded": bool(split.padded > 1),
                    "arithmetic": how.arithmetic,
                    "cache_tokens": self.cache_tokens(served, one, split),
                    "decode_ms": step.seconds * 1e3,
                    "tokens_per_second_per_user": step.tokens_per_second_per_user,
                    "tokens_per_second_per_accelerator": step.tokens_per_second_per_accelerator,
                    "binds": step.step.binding,
                    "why_not": None,
                }
            )
        return rows

    def cache_tokens(self, served: ServedModel, system: System, split: Split) -> int | None:
        """Tokens of cache that weights and reserve leave room for; None without a cache."""
        from llm_economics.formulas.memory import room

        memory = system.accelerator.memory_bytes
        found = room(served, memory, split, self.context, self.reserve(system, served, split)).tokens
        return None if found == float("inf") else int(found)

    def on_system(self, name: str, accelerators: int | None) -> dict[str, Any]:
        """A decode step: whether the accelerators hold it, roofline and expectation."""
        from llm_economics.checkpoints.published import stored_as
        from llm_economics.evidence import calibration
        from llm_economics.facts.models import one_split
        from llm_economics.formulas.hardware import values_in
        from llm_economics.formulas.serving import decode

        natural = system_of(name)
        served, how = self.served(natural.accelerator)
        if accelerators is None:
            split = self.fewest(served, natural, pipelines=False) or self.fewest(served, natural)
            split = split or one_split(served, natural.domain_size, natural.accelerators, self.padding, widest=True)
        else:
            split = one_split(served, natural.domain_size, accelerators, self.padding)
        system = system_of(name, int(split.accelerators))
        held = self.held(served, system, split)
        floor = decode(served, system, self.batch, self.context, split, precision=how.arithmetic)
        expected = calibration.expected_decode(
            served, system, self.batch, self.context, split, precision=how.arithmetic
        )
        return {
            "system": system.name,
            "accelerator": system.accelerator.name,
            "accelerators": int(split.accelerators),
            "tensor": int(split.tensor),
            "pipeline": int(split.pipeline),
            "tensor_parallel": int(split.tensor),
            "pipeline_parallel": int(split.pipeline),
            "padded": bool(split.padded > 1),
            **(used := {"weights": values_in(how.weights), "arithmetic": how.arithmetic, "kv": how.kv}),
            "precisions": used,
            "scheme": stored_as(self.published, how.weights).scheme,
            "held_bytes": _whole(round(served.weight_bytes)),
            "reserve_bytes": _whole(round(self.reserve(system, served, split))),
            "cache_tokens": self.cache_tokens(served, system, split),
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


def _beyond(answer: dict[str, Any]) -> str:
    long = answer["kv_bytes_per_token_long"]
    return "" if long == answer["kv_bytes_per_token"] else f", {long:,} B beyond every window"


def _table(answer: dict[str, Any]) -> str:
    kind = answer["model_type"] or ("data/models.csv" if answer["systems"] else "files")
    lines = [f"{answer['name']} ({kind})"]
    lines += [f"  {name:<13} {text}" for name, text in (_facts(answer) if answer["systems"] else {}).items()]
    lines += [f"  {name:<13} {text}" for name, text in _stored_lines(answer["checkpoint"])]
    lines += [f"  {'note':<13} {note}" for note in answer["notes"]]
    if "decode_ms" in answer:
        lines += _step_lines(answer)
    return "\n".join(lines + _system_lines(answer) if answer["systems"] else lines)


def _facts(answer: dict[str, Any]) -> dict[str, str]:
    flops, context = answer["forward_flops_per_token"], answer["context"]
    return {
        "parameters": f"{answer['total_parameters']:,} in all, {answer['active_parameters']:,} active",
        "values alone": ", ".join(f"{_si(size, 'B')} {name}" for name, size in answer["weight_bytes"].items()),
        "KV cache": f"{answer['kv_bytes_per_token']:,} B a token in BF16{_beyond(answer)}",
        "state": f"{answer['state_bytes_per_sequence']:,} B a sequence (windows when full in BF16, states in FP32)",
        "FLOP a token": f"{_si(flops['weights'], 'FLOP')} for the weights; with attention at {context:,} tokens "
        f"{_si(flops['causal'], 'FLOP')} on average, {_si(flops['full_context'], 'FLOP')} for the last",
        "defaulted": ", ".join(answer["defaulted"]) or "nothing",
    }


def _stored_lines(checkpoint: dict[str, Any] | None) -> list[tuple[str, str]]:
    if checkpoint is None:
        return [("checkpoint", "none is published; BF16 is assumed")]
    bits, kv = checkpoint["bits_per_parameter"], checkpoint["kv_scheme"]
    told = "bits a parameter" in checkpoint["scheme"]
    each = f", {bits:.3f} bits a parameter" if bits and not told else ""
    lines = [
        ("checkpoint", f"{checkpoint['bytes']:,} B as {checkpoint['scheme']}{each}"),
        (
            "quantised",
            f"{checkpoint['bytes_quantised']:,} B with scales, {checkpoint['bytes_other']:,} B not; "
            f"KV cache {kv or 'not stated'}; read from {checkpoint['read_from']}",
        ),
    ]
    return lines + [("warning", warning) for warning in checkpoint["warnings"]]


def _system_lines(answer: dict[str, Any]) -> list[str]:
    context, batch = answer["context"], answer["batch"]
    lines = [
        "",
        f"Fewest accelerators that hold {batch:,} x {context:,} tokens with weights in {answer['precision']} in splits "
        f"that engines take,\nat {answer['memory_share']:.0%} of the memory, and their roofline",
    ]
    form = "  {:<20} {:>6} {:>9} {:>11} {:>11} {:>15} {:>10}  {}"
    lines.append(
        form.format(
            "system", "needs", "TP x PP", "KV tokens", "ms a token", "tokens/s a user", "and a chip", "bound by"
        )
    )
    for row in answer["systems"]:
        if row["why_not"]:
            lines.append(form.format(row["system"], "-", "-", "-", "-", "-", "-", row["why_not"]))
            continue
        outside = "" if row["accelerators"] <= row["domain_size"] else f", over {row['domain_size']} a domain"
        speeds = (row["decode_ms"], row["tokens_per_second_per_user"], row["tokens_per_second_per_accelerator"])
        split = f"{row['tensor']} x {row['pipeline']}{'*' if row['padded'] else ''}"
        tokens = "-" if row["cache_tokens"] is None else f"{row['cache_tokens']:,}"
        needs = f"{row['accelerators']:,}"
        lines.append(form.format(row["system"], needs, split, tokens, *map(_digits, speeds), row["binds"] + outside))
    if any(row.get("padded") for row in answer["systems"]):
        lines.append("  * with padded heads or widths: only some engines take it")
    return lines


def _step_lines(answer: dict[str, Any]) -> list[str]:
    step, expected, how = answer["decode_ms"], answer["decode_ms"]["expected"], answer["precisions"]
    title = f"A decode step on {answer['accelerators']:,} x {answer['accelerator']} ({answer['system']})"
    if answer["pipeline_parallel"] > 1:
        title += f", in {answer['pipeline_parallel']} stages of {answer['tensor_parallel']}"
    elif answer["accelerators"] > 1:
        title += ", in tensor parallelism over all of them"
    missing = f"{_si(answer['missing_bytes'], 'B')} are missing"
    fits = "yes" if answer["fits"] else f"no, {missing} in this split; the times are what if, `frontier` tries others"
    fits += f" (at {answer['memory_share']:.0%} of the memory)"
    tokens = answer["cache_tokens"]
    room = "no cache is kept" if tokens is None else f"{tokens:,} tokens of KV cache remain beside the weights"
    whose = "the middle one of three serving engines"
    if not step["calibrated"]:
        whose += "; but no step of such a chip was timed, so this is a guess by the constants of others"
    spread = f"{_digits(expected['low'])} to {_digits(expected['high'])}"
    return [
        "",
        title,
        f"  {'precisions':<13} weights {how['weights']} ({answer['scheme']}), arithmetic {how['arithmetic']}, "
        f"KV cache {how['kv']}",
        f"  {'fits':<13} {fits}",
        f"  {'room':<13} {room}",
        f"  {'floor':<13} {_digits(step['floor'])} ms, bound by {step['binds']}",
        f"  {'expected':<13} {_digits(expected['value'])} ms ({spread}), for {whose}",
    ]
