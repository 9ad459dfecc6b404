"""Models by name: those of ``data/models.csv``, the leaked GPT-4, and any ``config.json``."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from llm_economics import checkpoints
from llm_economics.facts.store import CatalogError, load, nearest, plain, records
from llm_economics.formulas.architecture import Architecture, architecture_from_row
from llm_economics.formulas.elementwise import ParameterError, check_choice, check_range
from llm_economics.formulas.hardware import BYTES_PER_VALUE, bytes_per_value
from llm_economics.formulas.serving import ServedModel, model_from_architecture, model_from_parameters


def model(name: str) -> Architecture:
    """An architecture of ``data/models.csv`` by name, blind to case, spaces and hyphens.

    A name that stands before a bracket in the file is enough ("Llama 3 8B"), and so is the name of a model of the same
    shape ("Llama 3.1 8B", "DeepSeek R1") or that of a repository ("meta-llama/Meta-Llama-3.1-8B-Instruct").

    Raises
    ------
    CatalogError
        If it is not known; the line lists the nearest names.
    """
    return _model(name)


_SAME_SHAPE = {"DeepSeek R1": "DeepSeek-V3", "DeepSeek-V3.1": "DeepSeek-V3", "Llama 3.3 70B": "Llama 3 70B"}
"""Models that differ from one of the file in their weights alone."""


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


def _model(name: str, others: tuple[str, ...] = ()) -> Architecture:
    """The same; ``others`` are names that an error may suggest beside those of the file."""
    names = _model_rows()
    rows = {plain(known): row for known, row in names.items()}
    repository = re.sub(r"^meta-(?=llama)|(-(v0\.1|instruct|chat|base|hf|it))+$", "", str(name).lower().split("/")[-1])
    for wanted in (plain(name), plain(repository)):
        if wanted in rows:
            return architecture_from_row(rows[wanted])
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


def served_models(
    name: str, precisions: Sequence[str] = ("bf16",), *, kv: str | None = None, kv_heads: int | None = None
) -> dict[str, ServedModel]:
    """A model for ``serving`` and ``search`` at each precision of its weights.

    Parameters
    ----------
    name
        A model of ``data/models.csv``, "GPT-4 (leaked)", or the path of a ``config.json`` of Hugging Face.
    kv
        Precision of the KV cache; None: that of the weights, but at least 8 bits. Hidden states are BF16.
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
    cache = {precision: kv or ("fp8" if bytes_per_value(precision) < 1 else precision) for precision in precisions}
    if plain(name) in _GPT4_NAMES:
        return {precision: _gpt4(precision, cache[precision], kv_heads or 1) for precision in precisions}
    if kv_heads is not None:
        raise ParameterError(f"kv_heads = {kv_heads} is not allowed: only {GPT4} leaves it open")
    if os.path.exists(name) or str(name).endswith(".json"):
        arch = checkpoints.read(name).architecture
    else:
        arch = _model(name, (GPT4,))
    return {
        precision: model_from_architecture(arch, weights=precision, kv=cache[precision]) for precision in precisions
    }


def _gpt4(precision: str, kv: str, kv_heads: int) -> ServedModel:
    """The model of ``data/gpt4_leak.csv``; heads of 128, and experts of 8 d² parameters a layer give its width."""
    stated = load("gpt4_leak").set_index("item")["english_value_as_printed"]
    layers = int(re.search(r"(\d+) layers", stated["total params"])[1])
    experts, billions, chosen = (
        int(n) for n in re.search(r"(\d+) experts, ~(\d+)B.*?(\d+) routed", stated["experts"]).groups()
    )
    shared = 1e9 * int(re.search(r"~(\d+)B", stated["attention params"])[1])
    width = 128 * round((1e9 * billions / layers / 8) ** 0.5 / 128)
    check_range("kv_heads", kv_heads, 1, width // 128)
    return model_from_parameters(
        GPT4,
        shared,
        1e9 * billions,
        experts,
        chosen,
        bytes_per_parameter=bytes_per_value(precision),
        kv_bytes_per_token=2 * layers * kv_heads * 128 * bytes_per_value(kv),
        kv_heads=kv_heads,
        layers=layers,
        moe_layers=layers,
        hidden_bytes=2.0 * width,
        decode_flops_per_key=4.0 * layers * width,
        prefill_flops_per_key=4.0 * layers * width,
    )
