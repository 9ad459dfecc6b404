"""Models by name: those of ``data/models.csv``, the leaked GPT-4, and any configuration or checkpoint."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import inf
from pathlib import Path
from typing import Any

from llm_economics import checkpoints
from llm_economics.checkpoints.published import Precisions as Precisions
from llm_economics.checkpoints.published import Published, counted, from_files, in_precisions
from llm_economics.checkpoints.published import precisions as precisions
from llm_economics.checkpoints.published import served as served
from llm_economics.facts import store
from llm_economics.facts.store import CatalogError, load, nearest, plain, records
from llm_economics.formulas.architecture import Architecture, architecture_from_row
from llm_economics.formulas.elementwise import ParameterError, check_choice, check_range
from llm_economics.formulas.hardware import BYTES_PER_VALUE, System, bytes_per_value, values_in
from llm_economics.formulas.parallelism import Split
from llm_economics.formulas.records import replace
from llm_economics.formulas.serving import ServedModel, model_from_parameters, stored_in
from llm_economics.formulas.splits import Shares, fullest_stage


def model(name: str) -> Architecture:
    """An architecture of ``data/models.csv`` by name, blind to case, spaces and hyphens.

    A name that stands before a bracket in the file is enough ("Llama 3 8B"), and so is the name of a model of the same
    shape ("Llama 3.1 8B", "DeepSeek R1") or that of a repository ("meta-llama/Meta-Llama-3.1-8B-Instruct").

    Raises
    ------
    CatalogError
        If it is not known; the line lists the nearest names.
    """
    return _model(name, store.DATA) if isinstance(name, str) else _architecture(_row(name))


@lru_cache(maxsize=256)
def _model(name: str, root: Path) -> Architecture:
    return _architecture(_row(name))


def _architecture(row: Mapping[str, Any]) -> Architecture:
    """By the row's configuration where it has one, else by its columns."""
    if row["config"]:
        return checkpoints.read(row["config"], row["model"]).architecture
    return architecture_from_row(row)


_SAME_SHAPE = {
    "DeepSeek R1": "DeepSeek-V3",
    "DeepSeek-R1-0528": "DeepSeek-V3",
    "DeepSeek-V3-0324": "DeepSeek-V3",
    "DeepSeek-V3.1": "DeepSeek-V3",
    "Llama 3.3 70B": "Llama 3 70B",
    "Llama-4-Scout-17B-16E": "Llama 4 Scout",
    "Llama-4-Maverick-17B-128E": "Llama 4 Maverick",
    "Kimi-K2.6": "Kimi-K2.5",
    "Kimi-K2.7-Code": "Kimi-K2.5",
    "Qwen3.6-27B": "Qwen3.5-27B",
    "Qwen3.6-35B-A3B": "Qwen3.5-35B-A3B",
    "GLM-4.5": "GLM-4.7",
    "GLM-4.6": "GLM-4.7",
    "GLM-5.1": "GLM-5",
    "GLM-5.3": "GLM-5.2",
    "MiniMax-M2.7": "MiniMax-M2.5",
    "Nemotron-3.5-Lightning-30B-A3B": "Nemotron-3 Nano 30B-A3B",
}
"""Models that differ from one of the file in their weights alone."""
_FORMS = (
    r"^(meta-(?=llama)|nvidia-(?=nemotron))|"
    r"(-(v0\.1|instruct|chat|base|hf|it|thinking|bf16|fp16|fp8|nvfp4|fp4|mxfp4|int4|awq))+$"
)
"""What repositories write around the name of a model: its maker, and the form of its weights."""


def _model_rows() -> dict[str, dict[str, Any]]:
    """Rows of ``data/models.csv`` by every name that they answer to."""
    known = records("models")
    short = Counter(row["model"].split("(")[0].strip() for row in known)
    rows = {row["model"]: row for row in known}
    for row in known:
        name, _, rest = row["model"].partition("(")
        if short[name.strip()] == 1:
            rows[name.strip()] = row
        if rest.startswith("="):  # "Llama 3 8B (=3.1 8B)"
            rows[f"{name.split()[0]} {rest[1:].rstrip(')')}"] = row
    return rows | {name: rows[same] for name, same in _SAME_SHAPE.items()}


def _row(name: str, others: tuple[str, ...] = ()) -> dict[str, Any]:
    """The row of a model; ``others`` are names that an error may suggest beside those of the file."""
    names = _model_rows()
    rows = {plain(known): row for known, row in names.items()}
    repository = re.sub(_FORMS, "", str(name).lower().split("/")[-1])
    for wanted in (plain(name), plain(repository)):
        if wanted in rows:
            return rows[wanted]
    suggested = {plain(other): other for other in (*names, *others)}
    shown = nearest(plain(repository), suggested)
    hint = (
        f"nearest are {', '.join(shown)}"
        if shown
        else f"known are {', '.join(row['model'] for row in records('models'))}"
    )
    raise CatalogError(f"model = {str(name)[:60]!r} is not allowed: it is not in data/models.csv; {hint}")


GPT4 = "GPT-4 (leaked)"
"""The GPT-4 of the articles, by the name that :func:`served_models` knows it by."""
_GPT4_NAMES = ("gpt4leaked", "gpt4leak", "gpt4", "gptmoe18t", "moe18t", "gpt418t")


def is_file(source: str) -> bool:
    """Whether an argument is meant as a file, a folder or a JSON text, and not as a model's name."""
    text = str(source)
    looks = text.lstrip().startswith("{") or text.endswith((".json", ".safetensors", ".gguf"))
    return looks or text.startswith((".", os.sep)) or os.path.isfile(text) or _is_folder(text)


def _is_folder(text: str) -> bool:
    return os.path.isdir(text) and (os.sep in text or any(map(is_file, os.listdir(text))))


def published(source: str) -> Published:
    """The model behind a name of ``data/models.csv``, or behind a configuration, a file of weights or a folder.

    Raises
    ------
    ParameterError
        If it is not known or its files are damaged; of a type that is not known with weights beside it, only the
        architecture is missing.
    """
    if not is_file(source):
        if is_leaked(source):
            raise CatalogError(
                f"model = {source[:60]!r} is not allowed: of {GPT4} only counts are known, no layers; "
                "`service` and `frontier` take it"
            )
        row = _row(source, (GPT4,))
        return _of_row(row, _architecture(row))
    return from_files(source)


def _of_row(row: dict[str, Any], architecture: Architecture) -> Published:
    if row["config"]:
        return replace(published(row["config"]), name=row["model"], architecture=architecture)
    stated = row["published_as"]
    if not isinstance(stated, str) or not stated:
        return Published(architecture.name, architecture, None)
    config = dict(checkpoints.PUBLISHED[stated])
    if row["model"].startswith("DeepSeek-V3"):
        config["model_type"] = "deepseek_v3"  # whose files keep corrections of the router
    found = checkpoints.read_checkpoint(config, architecture)
    return Published(architecture.name, architecture, replace(found, read_from="data/models.csv: published_as"))


def served_models(
    name: str, precisions: Sequence[str] = ("bf16",), *, kv: str | None = None, kv_heads: int | None = None
) -> dict[str, ServedModel]:
    """A model for ``serving`` and ``search`` at each precision of its weights.

    Parameters
    ----------
    name
        A model of ``data/models.csv``, "GPT-4 (leaked)", or the path of a ``config.json`` or checkpoint.
    kv
        Precision of the KV cache; None: that of the values of the weights, but at least 8 bits. Hidden states are BF16.
    kv_heads
        Of the leaked GPT-4 alone, whose attention is not known for sure: heads that keep keys and values.
        None: 1, multi-query attention, as the leak has it.

    Raises
    ------
    ParameterError
        If the name, the file or a precision is not known; the line lists the nearest names.
    """
    if not precisions:
        raise ParameterError("precisions = () is not allowed: at least one is needed")
    if kv is not None:
        check_choice("kv", kv, BYTES_PER_VALUE)
    values = {precision: values_in(precision) for precision in precisions}
    cache = {name: kv or ("fp8" if bytes_per_value(values[name]) < 1 else values[name]) for name in precisions}
    if is_leaked(name):
        return {precision: _gpt4(precision, cache[precision], kv_heads or 1) for precision in precisions}
    if kv_heads is not None:
        raise ParameterError(f"kv_heads = {kv_heads} is not allowed: only {GPT4} leaves it open")
    model = published(name)
    return {
        precision: counted(model, kv or "bf16")
        if precision == "bf16"
        else in_precisions(model, precision, cache[precision])
        for precision in precisions
    }


# ---------------------------------------------------------------------------------------------------------------------
# Splits and contexts


def existing_splits(model: ServedModel, domain_size: int, padding: bool, *, pipelines: bool = True) -> list[Split]:
    """Splits in tensor and pipeline parallelism that engines take, fewest accelerators first, then fewest stages.

    ``padding``: also those that only some engines take, with padded heads and widths. Without ``pipelines`` tensor
    parallelism alone.
    """
    return [split_of(sizes) for sizes in split_sizes(model, domain_size, padding, pipelines=pipelines)]


def split_sizes(
    model: ServedModel, domain_size: int, padding: bool, *, pipelines: bool = True
) -> tuple[tuple[Any, ...], ...]:
    """Accelerators, stages and the rest of what :func:`split_of` makes each of :func:`existing_splits` of."""
    return _split_sizes(model.shares, int(domain_size), padding, pipelines)


@lru_cache(maxsize=4096)
def split_of(sizes: tuple[Any, ...]) -> Split:
    """One of :func:`existing_splits`."""
    _, count, tensor, fullest, padded = sizes
    return Split(tensor, count, fullest=fullest, padded=padded)


@lru_cache
def _split_sizes(shares: Shares, domain_size: int, padding: bool, pipelines: bool) -> tuple[tuple[Any, ...], ...]:
    stages = _stages(shares.layers or 1) if pipelines else [(1, 1.0)]
    found = []
    for tensor, padded in _tensors(shares, padding):
        if tensor > domain_size and tensor % domain_size:
            continue
        straddles, least = domain_size % tensor and tensor % domain_size, inf
        for count, fullest in stages:
            if straddles and tensor * count > domain_size:
                break
            if count > 1 and fullest / count >= least:
                continue  # no stage is smaller than with fewer stages
            least = fullest / count
            found.append((tensor * count, count, tensor, fullest, padded))
    found.sort()
    return tuple(found)


@lru_cache
def _stages(layers: int) -> list[tuple[int, float]]:
    return [(count, fullest_stage(layers, count)) for count in range(1, layers + 1)]


@lru_cache
def _tensors(shares: Shares, padding: bool) -> list[tuple[int, float]]:
    """Tensor degrees that some engine takes, and how much more their parts hold with padding."""
    most = max([number for name, number in shares.numbers if name == "heads"], default=1024)
    found = []
    for tensor in range(1, most + 1):
        if shares.divided(tensor, tensor if shares.experts else 1):
            found.append((tensor, 1.0))
        elif padding and shares.known and shares.paddable(tensor):
            found.append((tensor, float(shares.padded(tensor))))
    return found


def one_split(model: ServedModel, domain_size: int, accelerators: int, padding: bool, *, widest: bool = False) -> Split:
    """Tensor parallelism over so many accelerators, if engines take it; ``widest``: over at most so many.

    Raises
    ------
    ParameterError
        One line: which of the model's numbers is not divided, and what is possible.
    """
    whole = existing_splits(model, domain_size, padding, pipelines=False)
    within = [split for split in whole if split.tensor <= accelerators]
    if widest or within[-1].tensor == accelerators:
        return within[-1]
    why = model.shares.why_not(accelerators, accelerators if model.shares.experts else 1)
    why = why or f"a group of {accelerators} straddles domains of {domain_size}"
    near = ", ".join(str(split.tensor) for split in whole[:12])
    raise ParameterError(f"accelerators = {accelerators} is not allowed: {why}; engines take {near}")


def machine(system: System, accelerators: int) -> System:
    """So many accelerators of a system, in as many of its domains as it takes."""
    return replace(system, accelerators=accelerators)


def checked_context(model: Published, asked: int | None, usual: int, notes: list[str]) -> int:
    """The context to count at; says in ``notes`` where a model was not made for it.

    Raises
    ------
    ParameterError
        If the model has a learned table of fewer positions than are asked for.
    """
    learned, stated = _learned_positions(model), model.positions
    if learned is not None:
        if asked is not None and asked > learned:
            raise ParameterError(
                f"context = {asked} is not allowed: {model.name} has {learned:,} learned positions and no more"
            )
        if asked is None and usual > learned:
            notes.append(f"counted at {learned:,} tokens: it has that many learned positions and no more")
        return min(asked or usual, learned)
    context = asked or usual
    if stated is not None and context > stated:
        notes.append(
            f"max_position_embeddings = {stated:,}: a context of {context:,} is beyond what the model was made for"
        )
    return context


_OFFSET = 2  # OPT stores two rows more than it has positions


def _learned_positions(model: Published) -> int | None:
    rows = model.architecture.learned_positions
    if not rows:
        return None
    if model.config is not None and model.config.max_context:
        return min(rows, model.config.max_context)
    return rows - (_OFFSET if model.name.lower().startswith("opt") else 0)


def most_context(model: Published) -> int | None:
    """Positions that a model has or was made for; None where nothing says it."""
    learned = _learned_positions(model)
    return learned or model.positions or (model.config.max_context if model.config is not None else None)


def is_leaked(name: str) -> bool:
    """Whether a name is that of the leaked GPT-4, which has no architecture but counts."""
    return plain(name) in _GPT4_NAMES


def _gpt4(precision: str, kv: str, kv_heads: int) -> ServedModel:
    """The model of ``data/gpt4_leak.csv``; heads of 128, and experts of 8 d² parameters a layer give its width.

    Nothing of it is published, so its weights are stored as the usual scheme has it, as for bare counts.
    """
    stated = load("gpt4_leak").set_index("item")["english_value_as_printed"]
    layers = int(re.search(r"(\d+) layers", stated["total params"])[1])
    experts, billions, chosen = (
        int(n) for n in re.search(r"(\d+) experts, ~(\d+)B.*?(\d+) routed", stated["experts"]).groups()
    )
    shared = 1e9 * int(re.search(r"~(\d+)B", stated["attention params"])[1])
    width = 128 * round((1e9 * billions / layers / 8) ** 0.5 / 128)
    check_range("kv_heads", kv_heads, 1, width // 128)
    plain = model_from_parameters(
        GPT4,
        shared,
        1e9 * billions,
        experts,
        chosen,
        kv_bytes_per_token=2 * layers * kv_heads * 128 * bytes_per_value(kv),
        kv_heads=kv_heads,
        layers=layers,
        moe_layers=layers,
        hidden_bytes=2.0 * width,
        decode_flops_per_key=4.0 * layers * width,
        prefill_flops_per_key=4.0 * layers * width,
    )
    held = stored_in(plain, precision)
    return replace(plain, common_bytes=held.common_bytes, expert_bytes=held.expert_bytes)
