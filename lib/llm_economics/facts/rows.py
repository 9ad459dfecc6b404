"""The columns of ``data/``: a model of each file, every cell with its meaning, unit and range.

A new file needs a class here and a line in :data:`FILES`.
"""
# ruff: noqa: N815 (columns keep the names of their files)

from __future__ import annotations

import re
from datetime import date
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from llm_economics.checkpoints.quantisation import PUBLISHED
from llm_economics.facts.units import as_number

# A number's description ends with its unit; columns without a number default to "".

_DATE = r"20\d\d(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?"
_DATE_OR_RANGE = rf"^{_DATE}(\.\.{_DATE})?$"
EDITION = "2026-11-30"
"""No fact of this edition is younger."""
_SOURCE = (
    r"https?://[\w.-]+\.\w{2,}|\w[\w.-]+/\w[\w.-]+|\w\.csv\b|(?:PyPI|npm) package \S+ \d|arXiv:\d{4}\.\d"
    r"|full-text copy|not seen|article [\w-]+-20\d\d|rows of this file|Epoch chip dataset"
)
Confidence = Literal["primary", "secondary", "aggregator", "derived", "unverified"]


def number(meaning: str, unit: str, low: float | None = None, high: float | None = None, default: Any = ...) -> Any:
    """A column of numbers between ``low`` and ``high``."""
    return Field(default, ge=low, le=high, description=f"{meaning}, {unit}", json_schema_extra={"unit": unit})


def maybe(meaning: str, unit: str, low: float | None = None, high: float | None = None) -> Any:
    """A column of numbers that may be empty."""
    return number(meaning, unit, low, high, None)


def text(meaning: str, default: Any = "", pattern: str | None = None) -> Any:
    """A column of text; ``default=...`` where a cell may not be empty."""
    return Field(default, min_length=None if default == "" else 1, pattern=pattern, description=meaning)


def _refuse(column: str, value: Any, allowed: str) -> None:
    raise PydanticCustomError("row", "{allowed}", {"column": column, "value": value, "allowed": allowed})


def _check_ratio(row: Any, column: str, other: str, factor: float, within: float = 0.01) -> None:
    """Refuse a row whose ``column`` is not ``factor`` times ``other``; rows that lack one of them pass."""
    value, base = getattr(row, column), getattr(row, other)
    if value is not None and base and abs(value / (factor * base) - 1) > within:
        _refuse(column, value, f"it must be {factor:g} times {other} = {base:g}, within {within:.2%}")


def _check_date(column: str, cell: str, day: str) -> None:
    """Refuse a date, or a month or year, that is none or that lies after this edition."""
    if not re.fullmatch(_DATE, day):
        return  # text beside dates, where a column allows it
    try:
        date.fromisoformat(f"{day}-01-01" if len(day) == 4 else f"{day}-01"[:10])
    except ValueError:
        _refuse(column, cell, f"there is no {day}")
    if day > EDITION[: len(day)]:
        _refuse(column, cell, f"at the latest {EDITION}, the day of this edition")


class Row(BaseModel):
    """A row of any file; ``key`` names the columns that no two rows share."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, defer_build=True)
    key: ClassVar[tuple[str, ...]] = ()


class SourcedRow(Row):
    """A row that says where it comes from."""

    source_title: str = text("title of the source, where it differs from its address")
    source_url: str = text(
        "address of the source: URL, repository and path, package and version, or the files it is computed from",
        ...,
        _SOURCE,
    )
    date: str = text("date of the source: YYYY, YYYY-MM, YYYY-MM-DD, or a range FROM..TO", ..., _DATE_OR_RANGE)
    confidence: Confidence = Field(description="how the source was seen; the words are explained above")
    confidence_note: str = text("more about that")
    notes: str = text("remarks")

    @model_validator(mode="after")
    def _check_dates(self):
        for column, cell in self:
            if isinstance(cell, str) and (column in ("date", "as_of") or column.endswith("_date")):
                for day in filter(None, cell.split("..")):
                    _check_date(column, cell, day)
        return self


class HardwareRow(SourcedRow):
    """Accelerators as their makers describe them; one superchip and one rack stand beside single chips."""

    key = ("chip",)
    chip: str = text("name of the part", ...)
    maker: Literal["Nvidia", "AMD", "Google", "Intel", "AWS", "Cerebras"] = Field(description="who makes it")
    mem_gb: float = number(
        "capacity of the main memory as the maker prints it (of GB200, as nvidia-smi reports it)", "GB", 8, 20_000
    )
    mem_means: Literal["GB", "GiB", "not stated"] = Field(description="whether that GB is 10^9 or 2^30 byte")
    mem_type: str = text("kind of memory", ...)
    mem_bw_TBps: float = number("peak bandwidth of the main memory", "TB/s", 0.01, 50_000)
    formats_16bit: Literal["bf16;fp16", "bf16", "fp16"] = Field(description="formats that the bf16 columns hold for")
    bf16_dense_tflops: float = number("dense 16-bit peak", "TFLOP/s", 10, 500_000)
    bf16_sparse_tflops: float | None = maybe("16-bit peak with 2:4 sparsity", "TFLOP/s", 10, 1e6)
    fp8_dense_tflops: float | None = maybe("dense FP8 peak", "TFLOP/s", 10, 1e6)
    fp8_sparse_tflops: float | None = maybe("FP8 peak with 2:4 sparsity", "TFLOP/s", 10, 2e6)
    fp4_dense_tflops: float | None = maybe("dense FP4 peak", "TFLOP/s", 10, 2e6)
    fp4_sparse_tflops: float | None = maybe("FP4 peak with 2:4 sparsity", "TFLOP/s", 10, 4e6)
    int8_dense_tops: float | None = maybe("dense INT8 peak", "TOP/s", 10, 1e6)
    tdp_w: float | None = maybe("power limit", "W", 50, 250_000)
    scaleup_link_GBps_bidir: float | None = maybe("scale-up link, both directions added", "GB/s", 10, 200_000)
    l2_or_llc_MB: float | None = maybe("last-level cache or on-chip memory that software manages", "MB", 1, 1000)
    boost_mhz: float | None = maybe("clock that the 16-bit peak is quoted at", "MHz", 500, 5000)
    tensor_cores: int | None = maybe("matrix units", "units", 1, 10_000)
    fma_per_core_clock: int | None = maybe("16-bit multiply-adds of one matrix unit in a clock", "FMA", 1, 10_000)

    @model_validator(mode="after")
    def _check(self) -> HardwareRow:
        for kind in ("bf16", "fp8", "fp4"):
            _check_ratio(self, f"{kind}_sparse_tflops", f"{kind}_dense_tflops", 2)
        if not any(exempt in self.notes for exempt in ("FP8 peak equals BF16 peak", "FP8 peak as the maker prints it")):
            _check_ratio(self, "fp8_dense_tflops", "bf16_dense_tflops", 2)
        _check_ratio(self, "fp4_dense_tflops", "fp8_dense_tflops", 2)
        if self.boost_mhz:
            derived = self.boost_mhz * 1e6 * (self.fma_per_core_clock or 0) * 2 * (self.tensor_cores or 0) / 1e12
            if abs(derived / self.bf16_dense_tflops - 1) > 1e-3:
                _refuse("bf16_dense_tflops", self.bf16_dense_tflops, f"clock x FMA x 2 x cores = {derived:.1f} TFLOP/s")
        if "SRAM" not in self.mem_type:
            if self.mem_bw_TBps > 1000:
                _refuse("mem_bw_TBps", self.mem_bw_TBps, "at most 1000 TB/s")
            sweep_ms = self.mem_gb / self.mem_bw_TBps
            if not 10 <= sweep_ms <= 60:
                allowed = f"one reading of {self.mem_gb:g} GB must take 10 to 60 ms, not {sweep_ms:.3g}"
                _refuse("mem_bw_TBps", self.mem_bw_TBps, allowed)
            intensity = self.bf16_dense_tflops / self.mem_bw_TBps
            if not 20 <= intensity <= 1000:
                allowed = f"16-bit peak over bandwidth must be 20 to 1000 FLOP/B, not {intensity:.3g}"
                _refuse("bf16_dense_tflops", self.bf16_dense_tflops, allowed)
        return self


class ModelRow(SourcedRow):
    """Architectures of language models, with exact parameter counts."""

    key = ("model",)
    model: str = text("name of the model", ...)
    arch: str = text("family and what is special about it", ...)
    n_layers: int = number("layers", "count", 1, 1000)
    hidden_size: int = number("width of the residual stream", "count", 64, 100_000)
    n_heads: int = number("query heads", "count", 1, 1000)
    n_kv_heads: int | None = maybe("key and value heads; empty for latent attention (MLA)", "count", 1, 1000)
    head_dim: int = number("size of a head", "count", 16, 1024)
    intermediate_size: int = number("width of a feed-forward layer or expert", "count", 64, 500_000)
    vocab_size: int = number("rows of the embedding", "count", 1000, 1_000_000)
    tie_word_embeddings: bool = Field(description="whether params_exact counts embedding and output head once")
    n_experts: int | None = maybe("routed experts in a layer", "count", 2, 10_000)
    experts_per_token: int | None = maybe("routed experts that a token uses", "count", 1, 100)
    n_shared_experts: int | None = maybe("experts that every token uses", "count", 0, 100)
    params_exact: int = number("parameters, all of them", "count", 1_000_000, 10**14)
    params_exact_source: str = text("how they were counted", ...)
    params_active: int | None = maybe("parameters that one token uses, embeddings included", "count", 10**6, 10**14)
    params_claimed: str = text("what the makers say", ...)
    kv_bytes_per_token_bf16: int | None = maybe("growth of the BF16 KV cache", "B/token", 1000, 100_000_000)
    report_total: int | None = maybe("parameters as the technical report adds them up", "count", 10**6, 10**14)
    moe_intermediate_size: int | None = maybe("width of one expert", "count", 64, 500_000)
    first_k_dense: int | None = maybe("first layers without experts", "count", 0, 1000)
    q_lora_rank: int | None = maybe("MLA: rank of the query compression", "count", 1, 100_000)
    kv_lora_rank: int | None = maybe("MLA: rank of the KV compression", "count", 1, 100_000)
    qk_nope_head_dim: int | None = maybe("MLA: head size without position", "count", 1, 1024)
    qk_rope_head_dim: int | None = maybe("MLA: head size with position", "count", 1, 1024)
    v_head_dim: int | None = maybe("MLA: head size of values", "count", 1, 1024)
    total_recorded_elsewhere: int | None = maybe("parameters as somebody else recorded them", "count", 10**6, 10**14)
    recorded_elsewhere_source: str = text("who recorded them")
    published_as: Literal[("", *PUBLISHED)] = Field(
        "", description="how its weights are published; empty: they are not, or the configuration says"
    )
    config: str = text("the fields of its published configuration that counts rest on, as JSON; empty: the columns do")

    @model_validator(mode="after")
    def _check(self) -> ModelRow:
        if self.config:
            return self
        if (self.n_kv_heads is None) != (self.kv_lora_rank is not None):
            _refuse("n_kv_heads", self.n_kv_heads, "a number, or empty where kv_lora_rank is given")
        if self.kv_lora_rank is None:
            values = 2 * self.n_layers * self.n_kv_heads * self.head_dim
        else:
            values = self.n_layers * (self.kv_lora_rank + self.qk_rope_head_dim)
        if self.kv_bytes_per_token_bf16 != 2 * values:
            _refuse(
                "kv_bytes_per_token_bf16", self.kv_bytes_per_token_bf16, f"layers and heads give {2 * values} B/token"
            )
        if (self.params_active is None) != (self.n_experts is None):
            _refuse("params_active", self.params_active, "a number where there are experts, else empty")
        if self.params_active and self.params_active >= self.params_exact:
            _refuse("params_active", self.params_active, f"less than params_exact = {self.params_exact}")
        return self


_RUN_KINDS = (
    "full_run: hours of a whole run; throughput: a measured stretch; rate: hours per 10^12 tokens; "
    "projected: not run so; leak: not published by those who ran it"
)


class MemoryCaseRow(SourcedRow):
    """What serving engines logged of the memory of their accelerators when they started."""

    key = ("case",)
    case: str = text("name of the case", ...)
    engine: Literal["vLLM", "SGLang", "TensorRT-LLM", "LMDeploy"] = Field(description="serving engine")
    version: str = text("its version; an interval or a date where none is stated", ...)
    model: str = text("the model as the source names it; a name of models.csv where config is empty", ...)
    config: str = text("what the count rests on, as config.json has it; empty: the row of models.csv")
    chip: str = text("accelerator", ...)
    memory_gib: float = number("memory of one accelerator as the engine sees it", "GiB", 4, 300)
    cards: int = number("accelerators", "count", 1, 64)
    tensor: int = number("accelerators that share each matrix", "count", 1, 64)
    memory_share: float = number("share of the memory that the engine may fill", "fraction", 0.1, 1)
    sequences: int | None = maybe("sequences for whose sampling it makes room; empty: none", "count", 1, 4096)
    pass_tokens: int | None = maybe("tokens of its largest pass; empty: it makes no room for one", "token", 1, 10**6)
    kv: Literal["bf16", "fp8"] = Field(description="precision of the cache")
    weights_gib: float | None = maybe("weights of one accelerator as loaded", "GiB", 0.5, 300)
    cache_gib: float | None = maybe(
        "what was left for the cache of one accelerator; negative: missing", "GiB", -50, 300
    )
    kv_tokens: int | None = maybe("tokens of cache of the whole instance", "token", 1, 10**8)
    outcome: Literal["serves", "refused"] = Field(description="whether it started")
    origin: Literal["deployment", "development"] = Field(
        description="who started it: somebody to serve with a version as it is, or a developer who checks a change"
    )


class MemoryAnswerRow(SourcedRow):
    """What calculators say of the cases of ``memory_cases``, as ``tests/oracle/ask_memory.py`` asked them."""

    key = ("calculator", "case")
    calculator: str = text("name of the package", ...)
    version: str = text("its version", ...)
    case: str = text("the case, a row of memory_cases", ...)
    value: float | None = maybe("tokens of cache that remain; empty if it gives no answer", "token", 0, 1e8)
    weights_bytes: float | None = maybe("weights as it counts them, all accelerators", "B", 1e8, 1e13)
    convention: str = text("how the answer came about, or why there is none", ...)


class TrainingRunRow(SourcedRow):
    """Published training runs, whole or in stretches."""

    key = ("run",)
    run: str = text("name of the run", ...)
    kind: Literal["full_run", "throughput", "rate", "projected", "leak"] = Field(description=_RUN_KINDS)
    params: float | None = maybe("parameters", "count", 1e7, 1e14)
    active_params: float | None = maybe("parameters that one token uses, of mixtures of experts", "count", 1e7, 1e14)
    tokens: float | None = maybe("training tokens", "token", 1e9, 1e15)
    chip: str = text("accelerator", ...)
    n_chips: int | None = maybe("accelerators", "count", 1, 1_000_000)
    wall_days: float | None = maybe("duration", "day", 0.1, 1000)
    chip_hours: float | None = maybe("accelerator-hours of the tokens in this row", "GPU-hour", 1, 1e9)
    reported_mfu: float | None = maybe("model FLOPs utilisation as reported (steady state)", "fraction", 0.01, 1)
    reported_hfu: float | None = maybe("hardware FLOPs utilisation as reported", "fraction", 0.01, 1)
    reported_tflops_per_chip: float | None = maybe("reported rate of one accelerator", "TFLOP/s", 1, 5000)
    reported_tokens_per_s: float | None = maybe("reported rate of the run", "token/s", 1, 1e9)
    published_cost_usd: float | None = maybe("cost that the source prints", "USD", 1000, 1e10)
    peak_bf16_flops_used: float = number("dense 16-bit peak that implied values use", "FLOP/s", 1e13, 5e15)
    flops_6nd: float | None = maybe("6 x (active) parameters x tokens", "FLOP", 1e18, 1e28)
    implied_mfu_6nd: float | None = maybe("flops_6nd over accelerator-hours at that peak", "fraction", 0.001, 1)
    implied_tokens_per_s_per_chip: float | None = maybe("tokens over accelerator-seconds", "token/s", 0.1, 1e7)

    @model_validator(mode="after")
    def _check(self) -> TrainingRunRow:
        if self.active_params and self.params and self.active_params > self.params:
            _refuse("active_params", self.active_params, f"at most params = {self.params:g}")
        if self.reported_mfu and self.reported_hfu and self.reported_mfu > self.reported_hfu:
            _refuse("reported_mfu", self.reported_mfu, f"at most reported_hfu = {self.reported_hfu:g}")
        if self.reported_tflops_per_chip and self.reported_tflops_per_chip * 1e12 > self.peak_bf16_flops_used:
            _refuse("reported_tflops_per_chip", self.reported_tflops_per_chip, "at most the peak of the chip")
        return self


class MptBenchmarkRow(SourcedRow):
    """Training speed of MPT models by size, length, cards and precision, with exact parameters."""

    section: str = text("table of the source", ...)
    model: str = text("size of the model", ...)
    seq_len: int = number("sequence length", "token", 128, 1_000_000)
    n_gpus: int = number("accelerators", "count", 1, 100_000)
    gpu: Literal["h100_80gb", "a100_80gb", "a100_40gb"] = Field(description="accelerator")
    n_layers: int = number("layers", "count", 1, 1000)
    d_model: int = number("width of the residual stream", "count", 64, 100_000)
    params: int = number("parameters", "count", 10**7, 10**12)
    tokens_per_s: float = number("tokens per second, all accelerators", "token/s", 100, 1e9)
    reported_mfu_pct: float = number("model FLOPs utilisation as printed", "%", 1, 100)
    reported_hfu_pct: float = number("hardware FLOPs utilisation as printed", "%", 1, 100)
    recomputed_mfu_pct: float = number("(6 N + 12 layers d_model seq_len) tokens/s over peak", "%", 1, 100)
    activation_checkpointing: bool = Field(description="whether activations are recomputed")
    precision: Literal["amp_bf16", "amp_fp8", "bf16"] = Field(description="precision of the run")
    commit: str = text("version of the source", ...)
    peak_flops_used: float = number("dense peak that the utilisation is against", "FLOP/s", 1e13, 5e15)
    abs_err: float = number("distance of recomputed from reported", "percentage point", 0, 0.01)

    @model_validator(mode="after")
    def _check(self) -> MptBenchmarkRow:
        if self.reported_mfu_pct > self.reported_hfu_pct:
            _refuse("reported_mfu_pct", self.reported_mfu_pct, f"at most reported_hfu_pct = {self.reported_hfu_pct:g}")
        return self


class ServingValidationRow(SourcedRow):
    """Published latencies, cache sizes, utilisations and speed-ups, each with a formula to check it by."""

    key = ("id",)
    id: str = text("name of the row", ...)
    system: str = text("paper, engine or book", ...)
    model: str = text("model", ...)
    hardware: str = text("accelerator", ...)
    n_chips: float | None = maybe("accelerators; the average number of nodes in ds-1", "count", 1, 100_000)
    dtype: str = text("precision")
    batch: str = text("batch, sequences; text where the source is unsure")
    context: str = text("context, tokens; text where the source is unsure")
    metric: str = text("what was measured", ...)
    published_value: float = number("the published value", "in `unit`", 0)
    unit: str = text("unit of the published value; empty for pure numbers and counts")
    check_formula: str = text("formula that should give it")
    check_value: float | None = maybe("what the formula gives", "in `unit`, but nodes in ds-1", 0, None)


class DecodeStepRow(SourcedRow):
    """Times of one decode step, summed from measured kernels."""

    key = ("model", "system", "backend", "tp", "moe_tp", "moe_ep", "context", "batch")
    model: str = text("model", ...)
    system: Literal["h100_sxm", "h200_sxm", "b200_sxm", "b300_sxm", "gb200", "gb300", "a100_sxm"] = Field(
        description="accelerator"
    )
    backend: Literal["trtllm", "vllm", "sglang"] = Field(description="serving engine")
    tp: int = number("tensor parallelism", "count", 1, 1024)
    moe_tp: int = number("tensor parallelism inside experts", "count", 1, 1024)
    moe_ep: int = number("expert parallelism", "count", 1, 1024)
    context: int = number("tokens in the cache of each sequence", "token", 1, 10_000_000)
    batch: int = number("sequences", "count", 1, 100_000)
    tpot_ms: float = number("time of one step", "ms", 0.1, 1000)


class FurtherDecodeStepRow(DecodeStepRow):
    """Further steps from the same timings, and what each serves."""

    part: Literal["fit", "form", "test"] = Field(
        description="fit: constants are fitted on it; form: in view while the form was chosen; test: asked for after"
    )


class LowPrecisionStepRow(DecodeStepRow):
    """Times of one decode step with weights of 8 or 4 bits, summed from measured kernels."""

    key = (*DecodeStepRow.key, "precision", "gemm", "kv", "experts")
    precision: Literal["fp8", "fp4"] = Field(description="precision of the checkpoint")
    gemm: str = text("kernels of the dense matrices", ...)
    kv: Literal["bf16", "fp8"] = Field(description="precision of the KV cache")
    experts: str = text("kernels of routed experts", ...)
    attention: Literal["bf16", "fp8"] = Field(description="precision of the arithmetic of attention over a prompt")
    trap: Literal["", "kernel out of line", "estimated"] = Field(
        "",
        description="kernel out of line: timings of an engine that are up to 13 times those of its sisters; "
        "estimated: the tool interpolated some kernels from those of another format",
    )


class OneTokenRow(SourcedRow):
    """Times of the experts of one layer with a single token, under the spreads of tokens that the source timed."""

    key = ("model", "system", "backend", "version", "moe_tp")
    model: str = text("model", ...)
    system: Literal["h100_sxm", "h200_sxm", "b200_sxm", "b300_sxm", "gb200", "gb300", "a100_sxm"] = Field(
        description="accelerator"
    )
    backend: Literal["trtllm", "vllm", "sglang"] = Field(description="serving engine")
    version: str = text("its version", ...)
    moe_tp: int = number("tensor parallelism inside experts", "count", 1, 1024)
    balanced_ms: float | None = maybe("tokens spread evenly over experts", "ms", 0.001, 100)
    power_law_1_01_ms: float | None = maybe("tokens spread by a power law of 1.01", "ms", 0.001, 100)
    power_law_1_2_ms: float | None = maybe("tokens spread by a power law of 1.2", "ms", 0.001, 100)


class CalculatorRow(SourcedRow):
    """What published calculators answer to the same questions, as ``tests/oracle/ask_calculators.py`` asked them."""

    key = ("calculator", "question", "way", "batch")
    calculator: str = text("name of the package", ...)
    version: str = text("its version", ...)
    question: Literal[
        "parameters", "active-parameters", "forward-flops", "kv-gqa", "kv-mla", "decode-step", "gpu-hours"
    ] = Field(description="which question; ``ask_calculators.py`` words them")
    way: str = text("which of several ways to ask; empty for the calculator's own or only one")
    batch: int | None = maybe("sequences of a decode step", "count", 1, 100_000)
    value: float | None = maybe("the answer; empty if there is none", "in `unit`", 0, None)
    low: float | None = maybe("lower end, where it gives a range", "in `unit`", 0, None)
    high: float | None = maybe("upper end", "in `unit`", 0, None)
    unit: Literal["parameter", "FLOP", "B/token", "ms", "GPU-hour"] = Field(description="unit of the answer")
    asked: str = text("the call that gave it")
    convention: str = text("what the answer counts, or why there is none", ...)
    explanation: Literal[
        "agrees", "convention", "left out", "assumption", "formula", "wrong input", "measured", "no answer"
    ] = Field(description="our reading of how it relates to the exact or measured value")

    @model_validator(mode="after")
    def _check(self) -> CalculatorRow:
        if (self.value is None) != (self.explanation == "no answer"):
            _refuse("explanation", self.explanation, "no answer where value is empty, and only there")
        if self.low is not None and not self.low <= self.value <= (self.high or 0):
            _refuse("low", self.low, f"at most value = {self.value:g}, which is at most high")
        return self


class MeasuredServingRow(SourcedRow):
    """Measured serving throughput and latency."""

    benchmark: str = text("benchmark or report", ...)
    model: str = text("model", ...)
    hardware: str = text("accelerator as the source names it")
    n_acc: int | None = maybe("accelerators", "count", 1, 10_000)
    precision: str = text("precision as the source names it")
    framework: str = text("serving engine")
    spec_decoding: Literal["", "none", "mtp"] = Field("", description="speculative decoding")
    scenario: str = text("load", ...)
    isl: float | None = maybe("input length", "token", 1, 10_000_000)
    osl: float | None = maybe("output length, a mean in some rows", "token", 1, 10_000_000)
    concurrency: float | None = maybe("requests at a time", "count", 1, 1_000_000)
    interactivity_tok_s_user: float | None = maybe("speed that one user sees", "token/s", 0.1, 10_000)
    ttft_s: float | None = maybe("time to first token", "s", 0.001, 10_000)
    tput_total: float | None = maybe("throughput of all accelerators, counted as `unit` says", "token/s", 1, 1e8)
    tput_per_acc: float | None = maybe("the same for one accelerator", "token/s", 1, 1e6)
    unit: str = text("which tokens are counted: output, input, or both; s where only ttft_s is given", ...)
    config: str = text("configuration as the source names it")

    @model_validator(mode="after")
    def _check(self) -> MeasuredServingRow:
        if self.tput_total and self.n_acc and self.tput_per_acc:
            if abs(self.tput_total / self.n_acc / self.tput_per_acc - 1) > 0.005:
                _refuse("tput_per_acc", self.tput_per_acc, f"tput_total / n_acc = {self.tput_total / self.n_acc:g}")
        elif self.tput_per_acc is None and self.ttft_s is None:
            _refuse("tput_per_acc", "", "a throughput or a time to first token is needed")
        return self


class ServiceRow(MeasuredServingRow):
    """Whole services of October 2025 to January 2026, and which of their rows say something else than they seem to."""

    unit: str = text("which tokens are counted; empty where no throughput is given")
    trap: Literal["", "prefill apart", "layout misread", "multi-token prediction", "may be multi-token prediction"] = (
        Field("", description="why a row is not held against a forecast of a plain service; empty where it is")
    )


class BenchmarkToolRow(SourcedRow):
    """What benchmark tools call a time per token, as each measured one server of known times."""

    key = ("tool", "load", "figure")
    tool: str = text("benchmark tool", ...)
    version: str = text("its version", ...)
    load: Literal["alike", "unequal"] = Field(
        description="alike: answers of 33 tokens, 50 ms apart; unequal: half 9 tokens, 25 ms apart, half 33, 100 ms"
    )
    figure: Literal["TPOT", "NTPOT", "ITL", "in one definition"] = Field(
        description="the tool's own name for it; in one definition: what the book makes of the file"
    )
    key_in_file: str = text("where it stands in the file, or how it is computed from what does", ...)
    meaning: str = text("what it means, as `evidence.results` words it", ...)
    value_ms: float = number("mean that the file has, or that is computed from it", "ms", 1, 1000)
    server_ms: float = number("what the server did, by the same meaning", "ms", 1, 1000)


class OwnMeasurementRow(MeasuredServingRow):
    """A reader's own measurements, as ``llm-economics measured --into`` keeps them; no file of ``data/``."""

    source_url: str = text("name of the file that a benchmark tool wrote", ...)
    in_flight: float | None = maybe("requests at a time as they really were, on average", "count", 0, 1e7)
    arithmetic: str = text("precision of the arithmetic")
    kv: str = text("precision of the KV cache")
    tput_total: float | None = maybe("output tokens of all accelerators", "token/s", 1e-6, 1e8)
    tput_per_acc: float | None = maybe("the same for one accelerator", "token/s", 1e-6, 1e6)
    interactivity_tok_s_user: float = number("speed that one user sees", "token/s", 1e-6, 1e6)
    ttft_s: float | None = maybe("time to first token", "s", 1e-6, 1e5)
    confidence: Literal["own measurement"] = Field(description="own measurement")


class AskedServiceRow(SourcedRow):
    """What a tool with kernel tables forecasts for services of `services`, drawn by lot."""

    model: str = text("model", ...)
    hardware: str = text("accelerator as `services` names it", ...)
    n_acc: int = number("accelerators", "count", 1, 10_000)
    precision: Literal["fp8", "fp4"] = Field(description="precision of the checkpoint")
    framework: str = text("serving engine of the measurement", ...)
    isl: float = number("input length", "token", 1, 10_000_000)
    osl: float = number("output length", "token", 1, 10_000_000)
    concurrency: float = number("requests at a time", "count", 1, 1_000_000)
    config: str = text("configuration as `services` names it", ...)
    measured_on: str = text("date of the measured row: YYYY-MM-DD", ..., _DATE_OR_RANGE)
    tpot_ms: float = number("time per output token that the tool gives", "ms", 0.1, 100_000)
    ttft_ms: float = number("time to the first token that it gives", "ms", 0.1, 10_000_000)
    version: str = text("version of the engine in its tables", ...)


class InferenceMaxRow(SourcedRow):
    """Raw measured configurations of the InferenceMAX benchmark."""

    hw: str = text("accelerator and, after a dash, engine", ...)
    model: str = text("model", ...)
    precision: Literal["fp4", "fp8"] = Field(description="precision of the weights")
    framework: str = text("serving engine", ...)
    spec_decoding: Literal["none", "mtp"] = Field(description="speculative decoding")
    disagg: bool = Field(description="whether prefill and decode run on accelerators of their own")
    is_multinode: bool = Field(description="whether several nodes serve one instance")
    isl: int = number("input length", "token", 1, 1_000_000)
    osl: int = number("output length", "token", 1, 1_000_000)
    conc: int = number("requests at a time", "count", 1, 1_000_000)
    tp: int | None = maybe("tensor parallelism", "count", 1, 1024)
    ep: int | None = maybe("expert parallelism", "count", 1, 1024)
    dp_attention: bool | None = Field(None, description="whether attention is data-parallel")
    num_prefill_gpu: int | None = maybe("accelerators for prefill", "count", 1, 1000)
    num_decode_gpu: int | None = maybe("accelerators for decode", "count", 1, 1000)
    prefill_tp: int | None = maybe("tensor parallelism of prefill", "count", 1, 1024)
    prefill_ep: int | None = maybe("expert parallelism of prefill", "count", 1, 1024)
    decode_tp: int | None = maybe("tensor parallelism of decode", "count", 1, 1024)
    decode_ep: int | None = maybe("expert parallelism of decode", "count", 1, 1024)
    tput_per_gpu: float = number("input and output tokens over all accelerators", "token/s", 0.1, 1e6)
    output_tput_per_gpu: float = number("output tokens over all accelerators, or those of decode", "token/s", 0.1, 1e6)
    input_tput_per_gpu: float = number("input tokens over all accelerators, or those of prefill", "token/s", 0.1, 1e6)
    median_intvty: float = number("median speed that one user sees", "token/s", 0.1, 10_000)
    mean_intvty: float = number("mean of the same", "token/s", 0.1, 10_000)
    median_tpot: float = number("median time per output token", "s", 1e-4, 10)
    median_ttft: float = number("median time to first token", "s", 1e-3, 10_000)
    p99_ttft: float = number("99th percentile of the time to first token", "s", 1e-3, 10_000)
    median_e2el: float = number("median time of a whole request", "s", 1e-2, 100_000)
    image: str = text("container image", ...)

    @model_validator(mode="after")
    def _check(self) -> InferenceMaxRow:
        if abs(self.median_tpot * self.median_intvty - 1) > 1e-6:
            _refuse("median_tpot", self.median_tpot, "1 / median_intvty")
        prefill, decode = (self.num_prefill_gpu, self.num_decode_gpu) if self.disagg else (1, 1)
        if not prefill or not decode:
            _refuse("num_prefill_gpu", self.num_prefill_gpu, "a count, since disagg is True")
        total = prefill * self.input_tput_per_gpu + decode * self.output_tput_per_gpu
        mean = total / (prefill + decode) if self.disagg else total
        if abs(mean / self.tput_per_gpu - 1) > 1e-6:
            _refuse("tput_per_gpu", self.tput_per_gpu, f"input and output give {mean:g} token/s")
        return self


class IsoInteractivityRow(SourcedRow):
    """Two systems of ``inferencemax_rows`` at the same speed per user."""

    key = ("model", "isl", "osl", "interactivity_tok_s_user", "base", "comp")
    model: str = text("model", ...)
    isl: int = number("input length", "token", 1, 1_000_000)
    osl: int = number("output length", "token", 1, 1_000_000)
    interactivity_tok_s_user: float = number("speed that one user sees", "token/s", 1, 10_000)
    base: str = text("accelerator, precision and speculative decoding of the one", ...)
    comp: str = text("the same of the other", ...)
    base_tput_per_gpu: float = number("input and output tokens of one accelerator of base", "token/s", 1, 1e6)
    comp_tput_per_gpu: float = number("the same of comp", "token/s", 1, 1e6)
    perf_ratio: float = number("comp over base", "x", 0.01, 100)
    base_tco_usd_h: float = number("cost of owning one accelerator of base", "USD/GPU-hour", 0.01, 200)
    comp_tco_usd_h: float = number("the same of comp", "USD/GPU-hour", 0.01, 200)
    base_usd_per_Mtok_total: float = number("cost of input and output tokens on base", "USD/Mtoken", 1e-4, 1000)
    comp_usd_per_Mtok_total: float = number("the same on comp", "USD/Mtoken", 1e-4, 1000)
    cost_ratio: float = number("base over comp", "x", 0.01, 100)


class LeakRow(SourcedRow):
    """The figures of the GPT-4 article as the English original prints them, beside the translation."""

    key = ("item",)
    item: str = text("which figure", ...)
    english_value_as_printed: str = text("as the English original prints it", ...)
    chinese_text_value: str = text("as the translation prints it", ...)
    translation_agrees: str = text("whether they agree", ...)
    arithmetic_check: str = text("the arithmetic behind it")
    verdict: str = text("what the arithmetic says", ...)


class DatabricksRow(SourcedRow):
    """What the Databricks serving study and its neighbours print; ``value`` is text where it is no number."""

    quantity: str = text("which quantity", ...)
    value: str = text("number or text, in `unit`", ...)
    unit: str = text("unit of the value")
    model: str = text("model")
    hardware: str = text("accelerator")
    n_gpus: int | None = maybe("accelerators", "count", 1, 1000)
    precision: str = text("precision")
    batch: str = text("batch, sequences; text where the source is vague")
    isl: int | None = maybe("input length", "token", 1, 1_000_000)
    osl: int | None = maybe("output length", "token", 1, 1_000_000)
    backend: str = text("serving engine")


class ReconstructionRow(SourcedRow):
    """Throughput times price: which pairs give $150 per million tokens."""

    key = ("route", "price_label")
    route: str = text("where the throughput comes from", ...)
    tok_per_s: float = number("output tokens of all accelerators", "token/s", 0.1, 1e6)
    n_gpus: int = number("accelerators", "count", 1, 1000)
    price_label: str = text("where the price comes from", ...)
    usd_per_gpu_hour: float = number("price of one accelerator", "USD/GPU-hour", 0.01, 200)
    usd_per_hour: float = number("price of all accelerators", "USD/hour", 0.01, 10_000)
    usd_per_Mtok: float = number("price of output tokens", "USD/Mtoken", 0.001, 10_000)
    ratio_to_150: float = number("that over 150 USD/Mtoken", "x", 0, 100)

    @model_validator(mode="after")
    def _check(self) -> ReconstructionRow:
        _check_ratio(self, "usd_per_hour", "usd_per_gpu_hour", self.n_gpus, 0.002)
        return self


class FactRow(SourcedRow):
    """One claim, specification, price or measurement in a row; ``value`` is text where it is no number."""

    key = ("item", "context", "source_title")
    item: str = text("what", ...)
    value: str = text("number or text, in `unit`", ...)
    unit: str = text("unit of the value; empty for names and pure numbers")
    context: str = text("of what, under which conditions")


class VendorFactRow(FactRow):
    """The same with the vendor that the fact is about."""

    key = ("vendor", "item", "context")
    vendor: str = text("vendor, or who measured", ...)


class FactorisationRow(SourcedRow):
    """Ways to take a published factor apart."""

    key = ("target", "expression")
    target: str = text("factor or part that is explained", ...)
    expression: str = text("product or quotient", ...)
    value: float = number("its value", "x", 0.01, 1000)
    reading: str = text("what it would mean", ...)
    plausibility: str = text("how plausible that is, and why", ...)


class GpuPriceRow(SourcedRow):
    """Dated prices of accelerators, rented or bought."""

    gpu: str = text("accelerator as the source names it", ...)
    vendor: str = text("seller, or whose estimate")
    instance: str = text("product")
    region: str = text("region")
    price_type: Literal[
        "on-demand",
        "1-year",
        "3-year",
        "capacity block",
        "cloud",
        "assumed",
        "on-demand median",
        "1-year contract",
        "1-year contract low",
        "rental 3-yr contract",
        "TCO own hyperscaler (4-yr)",
        "TCO own neocloud (4-yr)",
        "purchase",
        "purchase estimate (geomean of low/high)",
    ] = Field(description="commitment: on demand, for a term, own (total cost of ownership), or the purchase")
    usd_per_gpu_hour: float | None = maybe("price of an hour", "USD/GPU-hour", 0.01, 200)
    usd_purchase_per_gpu: float | None = maybe("price of one, its share of a server included", "USD", 500, 5e6)
    n_gpus: int | None = maybe("accelerators in the offer", "count", 1, 1000)
    price_date: str = text("date that the price held on: YYYY, YYYY-MM, YYYY-MM-DD, or FROM..TO", ..., _DATE_OR_RANGE)

    @model_validator(mode="after")
    def _check(self) -> GpuPriceRow:
        wanted = "usd_purchase_per_gpu" if self.price_type.startswith("purchase") else "usd_per_gpu_hour"
        other = "usd_per_gpu_hour" if wanted == "usd_purchase_per_gpu" else "usd_purchase_per_gpu"
        if getattr(self, wanted) is None:
            _refuse(wanted, "", f"a price, since price_type is {self.price_type}")
        if getattr(self, other) is not None:
            _refuse(other, getattr(self, other), f"empty, since price_type is {self.price_type}")
        return self


class ApiPriceRow(SourcedRow):
    """Posted prices of tokens."""

    key = ("model", "provider", "as_of", "source_title", "from_date", "to_date")
    model: str = text("model as the list names it", ...)
    provider: str = text("seller", ...)
    input_usd_per_mtok: float = number("price of input tokens", "USD/Mtoken", 0)
    output_usd_per_mtok: float | None = maybe("price of output tokens", "USD/Mtoken", 0, None)
    as_of: str = text("state of the list", ..., _DATE_OR_RANGE)
    from_date: str = text("first day of the price, where the list says so", "", rf"^({_DATE})?$")
    to_date: str = text("day that it ended", "", rf"^({_DATE})?$")
    release_date: str = text("release of the model as the list says (some are wrong)", "", rf"^({_DATE})?$")

    @model_validator(mode="after")
    def _check(self) -> ApiPriceRow:
        for column in ("input_usd_per_mtok", "output_usd_per_mtok"):
            value = getattr(self, column)
            if value is not None and value > 1000 and "DATA ERROR" not in self.notes:
                _refuse(column, value, "at most 1000 USD/Mtoken, unless notes say DATA ERROR")
        return self


class AgedRow(SourcedRow):
    """Predictions and what came of them."""

    key = ("id",)
    id: str = text("name of the row", ...)
    prediction: str = text("what was predicted", ...)
    article: str = text("where", ...)
    predicted_value: str = text("number or text, in `unit`")
    outcome_value: str = text("number, range or text, in `unit`", ...)
    unit: str = text("unit of both")
    ratio_predicted_to_outcome: str = text(
        "predicted over outcome, x: 1 inside a predicted range, else from its nearer end; text where it is a range"
    )
    verdict: str = text("in short", ...)


Article = Literal["gpt4-leak-2023", "inference-cost-2024", "llama3-2024", "gb200-2024", "cerebras-2024"]
ClaimKind = Literal["computable", "outside_fact", "unpublished", "opinion", "forecast", "implied"]
ToleranceKind = Literal["relative", "bound", "range", "order", "exact", "none"]


class ClaimRow(Row):
    """What the five articles state, one checkable statement a row; article and locator are its source."""

    key = ("id",)
    id: str = text("stable key; -x marks questions derived from an article", ..., r"^[a-z0-9]+-x?\d{2,3}$")
    article: Article = Field(description="key of the article")
    locator: str = text("where in it: section (§), paragraph (¶), list item, or a named part", ...)
    chapter: str = text("the chapter that answers it", ..., r"^[a-z0-9]+(-[a-z0-9]+)*$")
    statement: str = text("the statement in our words; a question where kind is implied", ...)
    relation: Literal["=", "~", "<", ">", "<=", ">=", "range", "list", "text"] = Field(
        description="how the article states the value; ~ is about"
    )
    value_low: float | None = maybe("the stated value, or the low end of a range", "in `unit`", None, None)
    value_high: float | None = maybe("the stated value, or the high end of a range", "in `unit`", None, None)
    unit: str = text("unit of the value, of the answer where kind is implied; unstated where the article prints none")
    stated_text: str = text("as printed, short; for a list its values in `unit`, separated by ;")
    kind: ClaimKind = Field(description="what it would take to answer it")
    tolerance_kind: ToleranceKind = Field(description="how far off may be: order is a factor of 3, bound is < > <= >=")
    tolerance: float | None = maybe("half a unit of the last printed digit, twice that for ~", "fraction", 0, 3)
    depends_on: str = text("ids whose stated values go in, separated by ;")

    @model_validator(mode="after")
    def _check(self) -> ClaimRow:
        has_value = self.relation not in ("list", "text")
        for column in ("value_low", "value_high"):
            if (getattr(self, column) is not None) != has_value:
                allowed = "a number is needed" if has_value else "it must be empty"
                _refuse(column, getattr(self, column), f"{allowed} where relation is {self.relation}")
        if has_value:
            ordered = (
                self.value_low < self.value_high if self.relation == "range" else self.value_low == self.value_high
            )
            if not ordered:
                _refuse("value_high", self.value_high, "above value_low for a range, else equal to it")
        if self.relation == "list":
            for part in self.stated_text.split(";"):
                if as_number(part) is None:
                    _refuse("stated_text", self.stated_text, f"numbers separated by ;, and {part.strip()!r} is none")
        allowed = {"range": ("range",), "text": ("none",), "list": ("exact", "relative")}.get(
            self.relation, ("bound",) if self.relation[0] in "<>" else ("relative", "order", "exact")
        )
        if self.tolerance_kind not in allowed:
            _refuse("tolerance_kind", self.tolerance_kind, f"{' or '.join(allowed)} where relation is {self.relation}")
        low, high = {"relative": (1e-9, 0.25), "exact": (0, 0), "order": (3, 3)}.get(self.tolerance_kind, (None, None))
        if low is None and self.tolerance is not None:
            _refuse("tolerance", self.tolerance, f"empty where tolerance_kind is {self.tolerance_kind}")
        if low is not None and (self.tolerance is None or not low <= self.tolerance <= high):
            _refuse("tolerance", self.tolerance, f"{low:g} to {high:g} where tolerance_kind is {self.tolerance_kind}")
        return self


class OriginRow(SourcedRow):
    """Who stands behind an address: which are an article's own words, and who prints measurements of their own."""

    key = ("source_url", "article")
    role: Literal["own", "measures"] = Field(
        description="own: words of the article, or of what it retells; measures: prints what its author measured"
    )
    article: Article | Literal[""] = Field("", description="the article whose own words they are; empty for measures")

    @model_validator(mode="after")
    def _check(self) -> OriginRow:
        if (self.role == "own") != bool(self.article):
            _refuse("article", self.article, "a key of an article where role is own, else empty")
        return self


class SystemRow(SourcedRow):
    """Systems of accelerators: how many share the fast link, and what joins such domains."""

    key = ("system",)
    system: str = text("name of the system", ...)
    aliases: str = text("other names for it, separated by ;")
    chip: str = text("its accelerator, as in hardware.csv", ...)
    accelerators: int = number("accelerators where the caller names no number", "count", 1, 100_000)
    domain_size: int = number("accelerators that share the scale-up link", "count", 1, 100_000)
    scale_up: str = text("name of the link inside a domain", ...)
    scale_up_GBps: float | None = maybe("its bandwidth one way; empty: half of that in hardware.csv", "GB/s", 1, 10_000)
    scale_up_latency_us: float = number("its latency for each message", "us", 0, 1000)
    scale_out: str = text("name of the link between domains", ...)
    scale_out_GBps: float = number("its bandwidth one way for each accelerator", "GB/s", 0.1, 10_000)
    scale_out_latency_us: float = number("its latency for each message", "us", 0, 1000)
    mem_gb: float | None = maybe(
        "memory of an accelerator where it differs from hardware.csv, in 10^9 byte", "GB", 8, 20_000
    )
    fp4_dense_tflops: float | None = maybe("dense FP4 peak, likewise", "TFLOP/s", 10, 1e6)
    int8_dense_tops: float | None = maybe("dense INT8 peak, likewise; 0 for none", "TOP/s", 0, 1e6)


class BoundRow(Row):
    """How large numbers may be and how many rows there are: see ``bounds``."""

    key = ("file", "column", "item")
    file: str = text("file of `data/`, without its ending", ...)
    column: str = text("column of numbers; empty in the line that counts the file's rows")
    item: str = text("of a file of facts: what the fact is about")
    unit: str = text("of a fact: its unit, or units separated by |")
    low: float | None = maybe("least value; empty where a fact is no number", "in the column's unit")
    high: float | None = maybe("greatest value", "in the column's unit")
    rows: int | None = maybe(
        "rows that the file has or that are about this item; cells that the column has", "count", 0, 1_000_000
    )

    @model_validator(mode="after")
    def _stated_as_proposed(self) -> BoundRow:
        """A count; both ends or none, each of one digit and on one side of zero; of a single fact a factor of 25 to 100
        apart, as ``bounds`` proposes them."""
        if self.rows is None:
            _refuse("rows", None, "a value is needed")
        if (self.low is None) != (self.high is None):
            _refuse("low" if self.low is None else "high", None, "both ends are needed")
        if self.low is None:
            return self
        for column, end in (("low", self.low), ("high", self.high)):
            if float(f"{end:.0e}") != end:
                _refuse(column, end, "it must have one digit")
        if self.low > self.high:
            _refuse("low", self.low, f"it must be below {self.high:g}")
        if self.item and self.low < 0 < self.high:
            _refuse("low", self.low, "both ends must lie on one side of zero")
        if (
            self.item
            and self.rows == 1
            and self.low * self.high
            and not 24.9 <= max(self.low / self.high, self.high / self.low) <= 100.1
        ):
            _refuse("high", self.high, f"it must be 25 to 100 times {self.low:g}")
        return self


FILES: dict[str, type[Row]] = {
    "aged": AgedRow,
    "api_prices": ApiPriceRow,
    "bandwidth": FactRow,
    "bounds": BoundRow,
    "benchmark_tools": BenchmarkToolRow,
    "breakeven": FactRow,
    "calculators": CalculatorRow,
    "cerebras_facts": FactRow,
    "cerebras_groq": VendorFactRow,
    "claims": ClaimRow,
    "databricks": DatabricksRow,
    "databricks_150_reconstruction": ReconstructionRow,
    "decode_step_timings": DecodeStepRow,
    "decode_step_timings_more": FurtherDecodeStepRow,
    "decode_step_timings_low_precision": LowPrecisionStepRow,
    "gb200": FactRow,
    "gb200_factorisations": FactorisationRow,
    "gpt4_context": FactRow,
    "gpt4_leak": LeakRow,
    "gpt4_training_facts": FactRow,
    "gpu_prices": GpuPriceRow,
    "hardware": HardwareRow,
    "inferencemax_iso_interactivity": IsoInteractivityRow,
    "inferencemax_rows": InferenceMaxRow,
    "interconnect": FactRow,
    "llama3": FactRow,
    "measured_serving": MeasuredServingRow,
    "memory_answers": MemoryAnswerRow,
    "memory_cases": MemoryCaseRow,
    "models": ModelRow,
    "moe_one_token_timings": OneTokenRow,
    "mpt_benchmarks": MptBenchmarkRow,
    "origins": OriginRow,
    "outcomes": FactRow,
    "serving_observations": FactRow,
    "reading": FactRow,
    "serving_validation": ServingValidationRow,
    "services": ServiceRow,
    "services_aiconfigurator": AskedServiceRow,
    "systems": SystemRow,
    "token_costs": FactRow,
    "training_runs": TrainingRunRow,
}
"""The model of each file in ``data/``; a new file needs one line here."""

OF_READERS: dict[str, type[Row]] = {"own_measurements": OwnMeasurementRow}
"""The model of each file that a reader may keep in a folder of their own."""
