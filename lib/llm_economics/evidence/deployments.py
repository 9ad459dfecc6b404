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
from llm_economics.checkpoints.published import formats
from llm_economics.facts import models
from llm_economics.formulas import services
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.hardware import BYTES_PER_VALUE, STORED_BYTES, Accelerator, System
from llm_economics.formulas.offers import Formats, format_of, named_weights, split, stored_format
from llm_economics.formulas.parallelism import Split
from llm_economics.formulas.serving import ServedModel

COLUMNS = {
    "model": ("model", "model_name", "model_path", "infmax_model_prefix"),
    "hardware": ("hardware", "hw", "gpu", "system", "accelerator", "accelerator_model_name", "gpu_name", "system_name"),
    "n_acc": (
        "n_acc",
        "num_gpus",
        "n_gpus",
        "num_gpu",
        "gpus",
        "accelerators",
        "total_accelerators",
        "num_total_gpus",
        "total_gpus",
        "num_decode_gpu",
    ),
    "precision": ("precision", "weights", "weight_data_types", "quantization", "dtype"),
    "kv": ("kv", "kv_precision", "kv_cache_dtype", "kv_cache_precision"),
    "isl": ("isl", "input_tokens", "input_len", "prompt_tokens", "input"),
    "osl": ("osl", "output_tokens", "output_len", "output"),
    "concurrency": ("concurrency", "conc", "max_concurrency", "batch", "batch_size", "bs"),
    "config": ("config", "layout", "parallel"),
    "tp": ("tp", "tensor_parallel", "tp_size", "tensor_parallel_size", "decode_tp"),
    "pp": ("pp", "pipeline_parallel", "pp_size", "pipeline_parallel_size"),
    "ep": ("ep", "expert_parallel", "ep_size", "moe_ep", "decode_ep"),
    "data": ("dp", "data_parallel", "dp_size"),
    "attention_data": (
        "dp_attention",
        "dp_attn",
        "dpattn",
        "enable_dp_attention",
        "decode_dp_attention",
        "decode_dp_attn",
    ),
    "spec_decoding": ("spec_decoding", "speculative", "spec", "spec_method"),
    "scenario": ("scenario", "serving_mode"),
    "apart": ("disagg", "disaggregated", "is_disagg"),
    "cached_share": ("cached_share", "prefix_cache_hit_rate"),
}
"""What a row may call each thing, the name of ``data/measured_serving.csv`` first."""

MEASURED = {
    "interactivity_tok_s_user": lambda speed: 1e3 / speed,
    "tpot_ms": lambda ms: ms,
    "median_tpot_ms": lambda ms: ms,
    "mean_tpot_ms": lambda ms: ms,
    "median_tpot": lambda seconds: 1e3 * seconds,
    "median_intvty": lambda speed: 1e3 / speed,
    "tpot": lambda ms: ms,
    "tokens/s/user": lambda speed: 1e3 / speed,
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
    "dsv4pro": "DeepSeek-V4-Pro",
    "dsv4flash": "DeepSeek-V4-Flash",
    "deepseekv4": "DeepSeek-V4-Pro",
    "glm5": "GLM-5",
    "kimik25": "Kimi-K2.5",
    "kimik2": "Kimi-K2",
    "qwen3235b": "Qwen3-235B-A22B",
    "minimaxm25": "MiniMax-M2.5",
    "minimaxm2": "MiniMax-M2.5",
    "minimaxm21": "MiniMax-M2.5",
    "qwen35": "Qwen3.5-397B-A17B",
    "qwen2572b": "Qwen2-72B",
    "deepseekr1distillllama70b": "Llama 3 70B",
    "deepseekr1distillllama8b": "Llama 3 8B",
}
"""Short names of benchmarks, as :func:`_plain` leaves them."""

_SUFFIX = re.compile(
    r"[-_. ](fp8|fp4|nvfp4|mxfp4|int4|int8|bf16|fp16|awq|gptq|w4a16|w8a8|w4a8|w4a4|static|dynamic|pertensor|block|kv|"
    r"kvcache|terminus|instruct|chat|it|hf|preview|base|thinking|eagle3?|mtp|v1|v2|2[0-9]{3}|0[0-9]{3}|1[0-9]{3}|99(\.9)?|tput|moe|attn|"
    r"asq|w|quantized|bnb|4bit|8bit|exp|edge|interactive|gguf|mlx|autoround)$",
    re.I,
)
_AROUND = re.compile(
    r"[-_ ,]+(vllm|sglang|atom|dynamo|trt|trtllm|tensorrt\w*|rocm|mori|aarch64|x86|sxm\d?|oam)\b.*$"
    r"|^\d+ ?x ?|x ?\d+$|\((x ?)?\d+ ?x?\)",
    re.I,
)
"""What stands around a system's name beside what the catalog takes off: an engine, a number, a socket."""
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
    row = {_column(name): value for name, value in row.items()} | dict(row)
    cells = {name: _cell(row, names) for name, names in COLUMNS.items()}
    if re.search("disagg|apart", cells["scenario"].lower()) or _is_yes(cells["apart"]):
        raise ParameterError("scenario = 'disagg' is not allowed: prefill and decode run on accelerators of their own")
    name = model_name(cells["model"])
    config = _spelt_out(cells["config"].lower())
    numbers = {name: _number(name, cells[name]) for name in ("isl", "osl", "concurrency")}
    stages = _part("pp", config) or (int(float(cells["pp"])) if _is_count(cells["pp"]) else 1)
    if stages > 1:
        raise ParameterError(f"pp = {stages} is not allowed: a service in stages of a pipeline is not forecast")
    attention = bool(re.search(r"dp[-_ ]?att|(?<![a-z])dpa(?![a-z])", config)) or _is_yes(cells["attention_data"])
    count = _count(cells, config)
    tensor, data, expert = _layout(cells, config, count, attention)
    if cells["precision"].lower() == "auto":
        cells["precision"] = ""
    weights = named_weights(cells["precision"], cells["model"]) or stored_weights(name)
    if cells["precision"] and not stored_format(cells["precision"]):
        raise ParameterError(
            f"precision = {cells['precision'][:60]!r} is not allowed: it names none of {', '.join(STORED_BYTES)}"
        )
    kv = format_of(cells["kv"]) or services.cache_for(weights)
    spec = cells["spec_decoding"].lower()
    drafted = 0 if spec in ("", "none", "false", "0", "no", "off", "nan") else DRAFTED
    share = cells["cached_share"]
    return Asked(
        name,
        hardware_name(cells["hardware"]),
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


def _column(name: str) -> str:
    """A column's name in the spelling of :data:`COLUMNS`."""
    return re.sub(r"[- ]+", "_", str(name).strip().lower())


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
    thousands = re.fullmatch(r"([\d.]+)k", cell.lower()) if name in ("isl", "osl") else None
    try:
        value = 1024 * float(thousands[1]) if thousands else float(cell.replace(",", ""))
    except ValueError:
        raise ParameterError(f"{name} = {cell[:60]!r} is not allowed: it is no number") from None
    if name == "cached_share":
        if not 0 <= value <= 1:
            raise ParameterError(f"{name} = {cell[:60]!r} is not allowed: it must be a share from 0 to 1")
    elif not 1 <= value < 1e12:
        raise ParameterError(f"{name} = {cell[:60]!r} is not allowed: it must be at least 1")
    elif name in ("n_acc", "tp") and value % 1:
        raise ParameterError(f"{name} = {cell[:60]!r} is not allowed: it must be a whole number")
    return value


def _spelt_out(config: str) -> str:
    """A layout with the short words of tables in long: "DEP8" is data-parallel attention beside experts dealt out."""
    config = re.sub(r"(?<![a-z])dep[-_= ]?(\d+)", r"tp\1 ep\1 dpattn", config)
    return re.sub(r"(?<![a-z])tep[-_= ]?(\d+)", r"tp\1 ep\1", config)


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
    copies = _part("dp", config) or (int(float(cells["data"])) if _is_count(cells["data"]) else 1)
    alone = count // copies if count % copies == 0 else count
    stated = _part("tp", config) or (int(float(cells["tp"])) if _is_count(cells["tp"]) else alone)
    groups = _part("ep", config) or (int(float(cells["ep"])) if _is_count(cells["ep"]) else 1)
    tensor = stated if stated <= count and count % stated == 0 else count
    if attention:
        tensor = 1
    data = count // tensor
    expert = groups if groups <= count and count % groups == 0 else count
    return tensor, data, count if attention and expert == 1 else expert


def _is_yes(cell: str) -> bool:
    return cell.lower() in ("true", "1", "1.0", "yes")


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
            begun = _only_that_begins(_plain(written.split("/")[-1]))
            if begun is None:
                raise first
            return begun
        tried = shorter


def _only_that_begins(name: str) -> str | None:
    """The only model of the catalog whose name begins like that: "Qwen3.5-397B"."""
    found = [row["model"] for row in facts.records("models") if _plain(row["model"]).startswith(name)]
    return found[0] if len(found) == 1 and len(name) >= _ENOUGH else None


_ENOUGH = 8
"""Letters and digits of a name that may stand for a longer one."""


@cache
def hardware_name(written: str) -> str:
    """A system as the catalog knows it, without the engine, number or socket that a table may write around it.

    A name that is not known either way comes back as it was written.
    """
    if not written:
        raise ParameterError("hardware is missing: the row cannot be answered without it")
    name = written
    while True:
        try:
            system(name, 1)
            return name
        except ParameterError:
            shorter = _AROUND.sub("", name).strip(" -_,")
            if shorter in ("", name):
                return written
            name = shorter


def is_file(model: str) -> bool:
    """Whether a model is told by a file or folder, and not by a name."""
    return models.is_file(model)


@cache
def stored_weights(name: str) -> str:
    """The format that a model is published in, 16 bits where no weights are; "bf16" for all formats of 16."""
    stored = None if models.is_leaked(name) else facts.published(name).checkpoint
    held = stored.weights if stored else "bf16"
    return held if held in BYTES_PER_VALUE and BYTES_PER_VALUE[held] < 2 else "bf16"


def formats_of(model: str, chip: Accelerator, weights: str | None, arithmetic: str | None, kv: str | None) -> Formats:
    """Formats as options give them; where they do not, those of a file's checkpoint decide as ``model`` has it.

    A name of the catalog is asked for in the format of its weights where that is narrower than 16 bits, else in FP8 on
    chips that have it, for that is what such models are mostly served in.
    """
    if not is_file(model):
        stored = named_weights("", model) or stored_weights(model_name(model))
        usual = "fp8" if stored == "bf16" and "fp8" in chip.peak_flops else stored
        return Formats(named_weights(weights, model) if weights else usual, arithmetic, kv)
    return formats(facts.published(model), chip, weights, arithmetic, kv)


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
