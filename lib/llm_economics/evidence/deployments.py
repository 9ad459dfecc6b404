"""Deployments as benchmarks write them: models, formats and layouts of a table's rows, read into the book's own terms.

InferenceX, aiconfigurator and MLPerf name the same things differently, and tables leave out what their authors took for
granted. Whatever a row does not say has a default here, in the open; what cannot be read is refused in one line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from llm_economics import facts
from llm_economics.formulas import services
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.hardware import System
from llm_economics.formulas.offers import format_of, split
from llm_economics.formulas.parallelism import Split
from llm_economics.formulas.serving import ServedModel

COLUMNS = {
    "model": ("model", "model_name", "model_path", "infmax_model_prefix"),
    "hardware": ("hardware", "hw", "gpu", "system", "accelerator", "accelerator_model_name"),
    "n_acc": ("n_acc", "num_gpus", "n_gpus", "num_gpu", "gpus", "accelerators", "total_accelerators"),
    "precision": ("precision", "weights", "weight_data_types", "quantization"),
    "kv": ("kv", "kv_precision", "kv_cache_dtype", "kv_cache_precision"),
    "isl": ("isl", "input_tokens", "input_len", "prompt_tokens"),
    "osl": ("osl", "output_tokens", "output_len"),
    "concurrency": ("concurrency", "conc", "max_concurrency", "batch"),
    "config": ("config", "layout", "parallel"),
    "tp": ("tp", "tensor_parallel", "tp_size"),
    "ep": ("ep", "expert_parallel", "ep_size", "moe_ep"),
    "data": ("dp", "data_parallel", "dp_size"),
    "attention_data": ("dp_attention", "dp_attn", "dpattn", "enable_dp_attention"),
    "spec_decoding": ("spec_decoding", "speculative", "spec"),
    "scenario": ("scenario",),
    "cached_share": ("cached_share", "prefix_cache_hit_rate"),
}
"""What a row may call each thing, the name of ``data/measured_serving.csv`` first."""

MEASURED = {
    "interactivity_tok_s_user": lambda speed: 1e3 / speed,
    "tpot_ms": lambda ms: ms,
    "median_tpot_ms": lambda ms: ms,
    "median_intvty": lambda speed: 1e3 / speed,
}
"""Columns that hold a measured time per output token, and how to get milliseconds from each."""

MODELS = {
    "dsr1": "DeepSeek-R1",
    "dsr10528": "DeepSeek-R1",
    "gptoss": "gpt-oss-120b",
    "gptoss120b": "gpt-oss-120b",
    "llama70b": "Llama 3.3 70B",
    "llama33": "Llama 3.3 70B",
    "dsv32": "DeepSeek-V3.2",
    "dsv4": "DeepSeek-V4-Pro",
    "deepseekv4": "DeepSeek-V4-Pro",
    "glm5": "GLM-5",
    "kimik25": "Kimi-K2.5",
    "kimik2": "Kimi-K2",
    "qwen3235b": "Qwen3-235B-A22B",
    "minimaxm25": "MiniMax-M2.5",
    "minimaxm2": "MiniMax-M2.5",
    "minimaxm21": "MiniMax-M2.5",
    "qwen35": "Qwen3.5-397B-A17B",
}
"""Short names of benchmarks, as :func:`_plain` leaves them."""

_SUFFIX = re.compile(
    r"[-_. ](fp8|fp4|nvfp4|mxfp4|int4|int8|bf16|fp16|awq|gptq|w4a16|w8a8|w4a8|static|dynamic|pertensor|block|kv|"
    r"kvcache|terminus|instruct|chat|it|hf|preview|base|thinking|eagle3?|mtp|v1|v2|2[0-9]{3}|0[0-9]{3}|1[0-9]{3}|99(\.9)?|tput|moe|attn)$",
    re.I,
)
DRAFTED, ACCEPTED = 1, 0.8
"""Tokens drafted in a step, and the chance that one is accepted, where a row says no more than that it drafts."""


@dataclass(frozen=True)
class Asked:
    """A row in the book's terms; rows that agree in all but lengths and users are answered together."""

    name: str
    hardware: str
    accelerators: int
    tensor: int
    data: int
    expert: int
    weights: str
    kv: str
    drafted: float
    concurrency: float
    prompt: float
    output: float
    cached_share: float

    @property
    def deployment(self) -> tuple:
        """All but lengths, users and the share that is cached."""
        return (
            self.name,
            self.hardware,
            self.accelerators,
            self.tensor,
            self.data,
            self.expert,
            self.weights,
            self.kv,
            self.drafted,
        )

    @property
    def split(self) -> Split:
        """Its layout."""
        return split(self.tensor, self.data, self.expert)


def asked(row: Mapping[str, Any]) -> Asked:
    """A row of a table, of text or numbers.

    Raises
    ------
    ParameterError
        One line that says why the row cannot be answered.
    """
    cells = {name: _cell(row, names) for name, names in COLUMNS.items()}
    if "disagg" in cells["scenario"].lower() or "apart" in cells["scenario"].lower():
        raise ParameterError("scenario = 'disagg' is not allowed: prefill and decode run on accelerators of their own")
    name = model_name(cells["model"])
    config = cells["config"].lower()
    numbers = {name: _number(name, cells[name]) for name in ("isl", "osl", "concurrency")}
    attention = "dpattn" in config or "dp_attn" in config or cells["attention_data"].lower() in ("true", "1", "yes")
    count = _count(cells, config)
    tensor, data, expert = _layout(cells, config, count, attention)
    weights = format_of(cells["precision"] or cells["model"]) or "bf16"
    kv = format_of(cells["kv"]) or services.cache_for(weights)
    spec = cells["spec_decoding"].lower()
    drafted = 0 if spec in ("", "none", "false", "0", "no", "off", "nan") else DRAFTED
    share = cells["cached_share"]
    return Asked(
        name,
        cells["hardware"],
        count,
        tensor,
        data,
        expert,
        weights,
        kv,
        drafted,
        numbers["concurrency"],
        numbers["isl"],
        numbers["osl"],
        _number("cached_share", share) if share else 0.0,
    )


def _cell(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = row.get(name)
        text = "" if value is None else str(value).strip()
        if (text and text.lower() not in ("nan", "none", "null", "n/a", "-")) or (name == "spec_decoding" and text):
            return text
    return ""


def _number(name: str, cell: str) -> float:
    if not cell:
        raise ParameterError(f"{name} is missing: the row cannot be answered without it")
    try:
        value = float(cell.replace(",", ""))
    except ValueError:
        raise ParameterError(f"{name} = {cell[:60]!r} is not allowed: it is no number") from None
    if not 0 <= value < 1e12 or (value < 1 and name != "cached_share") or (value > 1 and name == "cached_share"):
        raise ParameterError(f"{name} = {cell[:60]!r} is not allowed: it must be at least 1 (a share: 0 to 1)")
    return value


def _count(cells: Mapping[str, str], config: str) -> int:
    """Accelerators of a row: as stated, else what its layout needs."""
    if cells["n_acc"]:
        return int(_number("n_acc", cells["n_acc"]))
    tensor = _part("tp", config) or (int(_number("tp", cells["tp"])) if cells["tp"] else 0)
    copies = _part("dp", config) or (int(_number("dp", cells["data"])) if cells["data"].isdigit() else 1)
    if tensor:
        return tensor * copies
    found = re.search(r"(?:x ?|^)(\d+) ?x?\b(?!.*gb)", cells["hardware"].lower())
    if found and not re.fullmatch(r"[a-z]+\d+\w*", cells["hardware"].lower()):
        return int(found[1])
    raise ParameterError("n_acc is missing: the row says neither accelerators nor tensor parallelism")


def _part(key: str, config: str) -> int:
    found = re.search(rf"(?<![a-z]){key}[-_= ]?(\d+)", config)
    return int(found[1]) if found else 0


def _layout(cells: Mapping[str, str], config: str, count: int, attention: bool) -> tuple[int, int, int]:
    """Tensor parallelism, copies of attention and groups of experts over ``count`` accelerators."""
    stated = _part("tp", config) or (int(float(cells["tp"])) if _is_count(cells["tp"]) else count)
    groups = _part("ep", config) or (int(float(cells["ep"])) if _is_count(cells["ep"]) else 1)
    tensor = stated if stated <= count and count % stated == 0 else count
    if attention:
        tensor = 1
    data = count // tensor
    expert = groups if groups <= count and count % groups == 0 else count
    return tensor, data, count if attention and expert == 1 else expert


def _is_count(cell: str) -> bool:
    return bool(re.fullmatch(r"[1-9]\d*(\.0+)?", cell))


@cache
def model_name(written: str) -> str:
    """A model that the catalog knows, from a repository, a benchmark's short name, or a name with a format behind it.

    Raises
    ------
    ParameterError
        If the catalog does not know it.
    """
    if not written:
        raise ParameterError("model is missing: the row cannot be answered without it")
    tried = re.sub(r"\s*\(.*?\)", "", written.split("/")[-1]) or written
    first = None
    while True:
        for name in (written if first is None else tried, MODELS.get(_plain(tried), tried)):
            try:
                served(name)
                return name
            except ParameterError as error:
                first = first or error
        shorter = _SUFFIX.sub("", tried)
        if shorter == tried:
            raise first
        tried = shorter


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


@cache
def served(name: str) -> ServedModel:
    """A model counted in 16 bits, as :mod:`llm_economics.formulas.services` takes it."""
    return facts.served_models(name, ("bf16",), kv="bf16")["bf16"]


@cache
def system(name: str, accelerators: int) -> System:
    """So many accelerators of a system of the catalog."""
    return facts.system(name, accelerators)
