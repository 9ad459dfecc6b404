"""The facts in ``data/``, each row validated when it is loaded: units, dense or sparse, date, source, magnitude.

:func:`load` gives a file as a frame, :func:`accelerator` a chip as a record of ``hardware``,
:func:`prices` the dated prices of a chip, :func:`fact` one number. A row that is not allowed stops with one line that
names file, row (as a spreadsheet counts, the header is row 1), column, value and what is allowed.

``python -m llm_economics.catalog`` writes the tables of columns in ``data/README.md`` anew from the models below.
"""
# ruff: noqa: N815 (columns keep the names of their files)

from __future__ import annotations

import csv
import difflib
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from llm_economics.elementwise import ParameterError, check_choice, check_range
from llm_economics.hardware import BYTES_PER_VALUE, Accelerator, Link, System, bytes_per_value
from llm_economics.serving import ServedModel, model_from_architecture, model_from_parameters
from llm_economics.transformer import Architecture, architecture_from_row

if TYPE_CHECKING:
    import pandas

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds ``data/`` and ``chapters/``."""
DATA = ROOT / "data"


class CatalogError(ParameterError):
    """A file, row, column or name of the catalog is not allowed; the message is one line."""


# ---------------------------------------------------------------------------------------------------------------------
# Rows. A number's description ends with its unit; columns without a number default to "".

_DATE = r"20\d\d(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?"
_DATE_OR_RANGE = rf"^{_DATE}(\.\.{_DATE})?$"
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


class Row(BaseModel):
    """A row of any file; ``key`` names the columns that no two rows share."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, defer_build=True)
    key: ClassVar[tuple[str, ...]] = ()


class SourcedRow(Row):
    """A row that says where it comes from."""

    source_title: str = text("title of the source, where it differs from its address")
    source_url: str = text("address of the source: URL, repository and path, or the files it is computed from", ...)
    date: str = text("date of the source: YYYY, YYYY-MM, YYYY-MM-DD, or a range FROM..TO", ..., _DATE_OR_RANGE)
    confidence: Confidence = Field(description="how the source was seen; the words are explained above")
    confidence_note: str = text("more about that")
    notes: str = text("remarks")


class HardwareRow(SourcedRow):
    """Accelerators as their makers describe them; one superchip and one rack stand beside single chips."""

    key = ("chip",)
    chip: str = text("name of the part", ...)
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
        if "FP8 peak equals BF16 peak" not in self.notes:
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
    kv_bytes_per_token_bf16: int = number("growth of the BF16 KV cache", "B/token", 1000, 100_000_000)
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

    @model_validator(mode="after")
    def _check(self) -> ModelRow:
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
                if _as_number(part) is None:
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


FILES: dict[str, type[Row]] = {
    "aged": AgedRow,
    "api_prices": ApiPriceRow,
    "bandwidth": FactRow,
    "breakeven": FactRow,
    "calculators": CalculatorRow,
    "cerebras_facts": FactRow,
    "cerebras_groq": VendorFactRow,
    "claims": ClaimRow,
    "databricks": DatabricksRow,
    "databricks_150_reconstruction": ReconstructionRow,
    "decode_step_timings": DecodeStepRow,
    "decode_step_timings_more": FurtherDecodeStepRow,
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
    "models": ModelRow,
    "moe_one_token_timings": OneTokenRow,
    "mpt_benchmarks": MptBenchmarkRow,
    "outcomes": FactRow,
    "serving_observations": FactRow,
    "reading": FactRow,
    "serving_validation": ServingValidationRow,
    "systems": SystemRow,
    "token_costs": FactRow,
    "training_runs": TrainingRunRow,
}
"""The model of each file in ``data/``; a new file needs one line here."""


# ---------------------------------------------------------------------------------------------------------------------
# Reading


def load(name: str, root: Path | str | None = None) -> pandas.DataFrame:
    """The validated file ``data/<name>.csv`` as a frame of its own; ``root`` is another folder to read from.

    Empty cells are NaN (None for booleans) in columns of numbers and "" in columns of text.

    Raises
    ------
    CatalogError
        If there is no such file, or a row of it is not allowed.
    """
    return _frame(_known(name, FILES, "file"), Path(root) if root is not None else DATA).copy()


def fact(name: str, item: str, unit: str | None = None, root: Path | str | None = None, **where: str) -> float:
    """The number of the one row of a fact file that has this ``item`` (and ``where``: other columns and their cells).

    Raises
    ------
    CatalogError
        If no row or several rows match, a column is not known, the value is no number, or its unit is not ``unit``.
    """
    frame = load(name, root)
    if not {"item", "value", "unit"} <= set(frame):
        raise CatalogError(f"file = {name!r} is not allowed: it has no columns item, value and unit")
    _known(item, sorted(set(frame["item"])), f"data/{name}.csv, column item")
    for column in where:
        _known(column, list(frame), f"data/{name}.csv, column")
    rows = frame[(frame[["item", *where]] == [item, *where.values()]).all(axis=1)]
    if len(rows) != 1:
        raise CatalogError(f"data/{name}.csv, column item: {item!r} is not allowed: {len(rows)} rows match, not one")
    row, where_it_is = rows.iloc[0], f"data/{name}.csv, row {rows.index[0] + 2} ({item})"
    value = _as_number(row["value"])
    if value is None:
        raise CatalogError(f"{where_it_is}, column value: {row['value']!r} is not allowed: it is no number")
    if unit is not None and unit != row["unit"]:
        raise CatalogError(f"{where_it_is}, column unit: {unit!r} is not allowed: it is {row['unit']!r}")
    return value


def describe(name: str) -> list[tuple[str, str]]:
    """The columns that a file has beside those of every sourced file, each with its meaning and unit."""
    model = FILES[_known(name, FILES, "file")]
    return [(column, model.model_fields[column].description) for column in _own(model)]


def _own(model: type[Row]) -> list[str]:
    return [column for column in model.model_fields if column not in SourcedRow.model_fields]


@cache
def _frame(name: str, root: Path) -> pandas.DataFrame:
    import pandas

    model = FILES[name]
    rows = _validated(name, root)
    columns = {}
    for column in [*_own(model), *(column for column in SourcedRow.model_fields if column in model.model_fields)]:
        field = model.model_fields[column]
        cells = [getattr(row, column) for row in rows]
        is_number = field.json_schema_extra is not None
        columns[column] = pandas.Series(cells, dtype="float64" if is_number and None in cells else None)
    return pandas.DataFrame(columns)


def _validated(name: str, root: Path) -> list[Row]:
    model, file = FILES[name], f"data/{name}.csv"
    path = root / f"{name}.csv"
    if not path.is_file():
        raise CatalogError(f"{file} is missing in {root}")
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        header = next(reader, [])
        cells = list(reader)
    _check_header(file, header, list(model.model_fields))
    for line, row in enumerate(cells, start=2):
        if len(row) != len(header):
            raise CatalogError(f"{file}, row {line}: {len(row)} cells are not allowed: the header has {len(header)}")
    records = [{column: cell for column, cell in zip(header, row, strict=True) if cell != ""} for row in cells]
    try:
        rows = _adapter(model).validate_python(records)
    except ValidationError as errors:
        raise _as_catalog_error(file, model, records, errors) from None
    _check_keys(file, model, rows)
    if model is ClaimRow:
        _check_depends(file, rows)
    return rows


@cache
def _adapter(model: type[Row]) -> TypeAdapter:
    model.model_rebuild()
    return TypeAdapter(list[model])


def _check_header(file: str, header: list[str], columns: list[str]) -> None:
    def refuse(column: str, why: str) -> None:
        raise CatalogError(f"{file}, row 1 (header), column {column}: {column!r} is not allowed: {why}")

    for column in header:
        if column not in columns:
            refuse(column, f"the columns are {', '.join(columns)}")
        if header.count(column) > 1:
            refuse(column, "it stands there twice")
    for column in columns:
        if column not in header:
            raise CatalogError(f"{file}, row 1 (header), column {column}: it is missing")


def _as_catalog_error(file: str, model: type[Row], records: list[dict], errors: ValidationError) -> CatalogError:
    error = errors.errors(include_url=False)[0]
    index, *rest = error["loc"]
    context = error.get("ctx", {})
    column = str(rest[0]) if rest else context.get("column", "?")
    value = records[index].get(column, "")
    label = records[index].get((model.key or tuple(model.model_fields))[0], "")
    return CatalogError(
        f"{file}, row {index + 2} ({label[:60]}), column {column}: {value[:80]!r} is not allowed: "
        f"{_allowed(error['type'], context, model, column)}"
    )


def _allowed(kind: str, context: dict[str, Any], model: type[Row], column: str) -> str:
    """What a column allows, in words, from the kind of error that pydantic names."""
    field = model.model_fields.get(column)
    extra = (field.json_schema_extra or {}) if field else {}
    unit = f" {extra['unit']}" if "unit" in extra else ""
    match kind:
        case "row":
            return context["allowed"]
        case "missing" | "string_too_short":
            return "a value is needed"
        case "greater_than_equal":
            return f"at least {context['ge']:g}{unit}"
        case "less_than_equal":
            return f"at most {context['le']:g}{unit}"
        case "literal_error":
            return f"it must be one of {context['expected']}"
        case "string_pattern_mismatch":
            return f"it must be {field.description}"
        case "int_parsing" | "int_from_float":
            return f"a whole number{unit and ','}{unit} is needed"
        case "float_parsing" | "finite_number":
            return f"a number{unit and ','}{unit} is needed"
        case "bool_parsing":
            return "it must be True or False"
    return kind.replace("_", " ")


def _check_keys(file: str, model: type[Row], rows: list[Row]) -> None:
    seen: dict[tuple, int] = {}
    for line, row in enumerate(rows, start=2):
        key = tuple(getattr(row, column) for column in model.key) or tuple(row.__dict__.values())
        if key in seen:
            column = model.key[0] if model.key else next(iter(model.model_fields))
            shown = " / ".join(str(part) for part in (key if model.key else key[:3]))
            raise CatalogError(
                f"{file}, row {line} ({shown[:90]}), column {column}: {str(key[0])!r} is not allowed: "
                f"row {seen[key]} has the same {' and '.join(model.key) or 'cells'}"
            )
        seen[key] = line


def _check_depends(file: str, rows: list[Row]) -> None:
    known = {row.id for row in rows}
    for line, row in enumerate(rows, start=2):
        for part in filter(None, row.depends_on.split(";")):
            if part not in known or part == row.id:
                raise CatalogError(
                    f"{file}, row {line} ({row.id}), column depends_on: {part!r} is not allowed: "
                    f"{'a row cannot depend on itself' if part == row.id else 'no row has this id'}"
                )


def _as_number(cell: str) -> float | None:
    """A cell such as "8e9", "13,000" or "1/3" as a number; None if it is none."""
    top, slash, bottom = cell.strip().replace(",", "").partition("/")
    try:
        return float(top) / float(bottom) if slash else float(top)
    except (ValueError, ZeroDivisionError):
        return None


def _known(name: str, names: Any, what: str) -> str:
    if name in names:
        return name
    near = difflib.get_close_matches(str(name), list(names), n=3, cutoff=0.4) or sorted(names)
    raise CatalogError(f"{what} = {str(name)[:60]!r} is not allowed: it is not known; nearest are {', '.join(near)}")


# ---------------------------------------------------------------------------------------------------------------------
# Accelerators and their prices

_SHORT_NAMES = {
    "A100 SXM 40GB": ("A100 40GB",),
    "A100 SXM 80GB": ("A100", "A100 SXM", "A100 80GB", "A100 SXM4", "A100 SXM4 80GB"),
    "V100 SXM2": ("V100", "V100 SXM", "V100 32GB"),
    "H100 SXM5 80GB": ("H100", "H100 SXM", "H100 SXM5", "H100 80GB", "H100 SXM 80GB"),
    "H800 SXM5": ("H800", "H800 SXM"),
    "H200 SXM": ("H200", "H200 141GB"),
    "B200 SXM (HGX/DGX)": ("B200", "B200 SXM", "B200 180GB"),
    "GB200 (per GPU, NVL72)": ("GB200", "GB200 per GPU"),
    "GB200 Grace-Blackwell superchip (2 GPU + 1 Grace)": ("GB200 superchip",),
    "GB200 NVL72 rack (72 GPU)": ("GB200 NVL72", "NVL72", "GB200 rack"),
    "Cerebras WSE-3": ("WSE-3",),
}
"""What a short name means: the SXM part with the larger memory, and of GB200 one of its GPUs."""


def accelerators() -> dict[str, Accelerator]:
    """Every part of ``data/hardware.csv`` by its name there."""
    return dict(_accelerators())


def accelerator(name: str) -> Accelerator:
    """A part of ``data/hardware.csv`` by name, blind to case, spaces and hyphens; short names as in "H100".

    A GB of memory is 2^30 byte where the column ``mem_means`` says GiB, else 10^9 byte.

    Raises
    ------
    CatalogError
        If it is not known; the line lists the nearest names.
    """
    names = {_plain(alias): full for full, aliases in _SHORT_NAMES.items() for alias in aliases}
    names |= {_plain(full): full for full in _accelerators()}
    wanted = _plain(name)
    if wanted not in names:
        shown = _nearest(wanted, names) or list(_accelerators())
        raise CatalogError(
            f"accelerator = {str(name)[:60]!r} is not allowed: it is not known; nearest are {', '.join(shown)}"
        )
    return _accelerators()[names[wanted]]


@cache
def _accelerators() -> dict[str, Accelerator]:
    return {row.chip: _as_accelerator(row) for row in _validated("hardware", DATA)}


def _as_accelerator(row: HardwareRow) -> Accelerator:
    def tera(value: float) -> float:
        return float(round(value * 1e12))

    formats = row.formats_16bit.split(";")
    dense = dict.fromkeys(formats, row.bf16_dense_tflops)
    dense |= {"fp8": row.fp8_dense_tflops, "fp4": row.fp4_dense_tflops, "int8": row.int8_dense_tops}
    sparse = dict.fromkeys(formats, row.bf16_sparse_tflops)
    sparse |= {"fp8": row.fp8_sparse_tflops, "fp4": row.fp4_sparse_tflops}
    return Accelerator(
        name=row.chip,
        memory_bytes=row.mem_gb * (2**30 if row.mem_means == "GiB" else 1e9),
        memory_bandwidth=tera(row.mem_bw_TBps),
        peak_flops={precision: tera(peak) for precision, peak in dense.items() if peak},
        sparse_peak_flops={precision: tera(peak) for precision, peak in sparse.items() if peak},
        tdp_watts=row.tdp_w,
        link_bandwidth=row.scaleup_link_GBps_bidir * 1e9 / 2 if row.scaleup_link_GBps_bidir else None,
    )


# ---------------------------------------------------------------------------------------------------------------------
# Systems


def systems() -> tuple[str, ...]:
    """Names of the systems of ``data/systems.csv``."""
    return tuple(row.system for row in _validated("systems", DATA))


def system(name: str, accelerators: int | None = None) -> System:
    """A system of ``data/systems.csv`` by its name or its accelerator's, blind to case, spaces and hyphens.

    "H200", "H200 SXM" and "h200_sxm" are servers of eight, "GB200" is the rack of 72. Links are byte/s of one
    accelerator in one direction, and seconds for each message.

    Parameters
    ----------
    accelerators
        How many in all, in as many domains as it takes; None: the system's natural size.

    Raises
    ------
    CatalogError
        If it is not known; the line lists the nearest names.
    """
    rows = _validated("systems", DATA)
    full = {row.system: row for row in rows}
    of_chip = {row.chip: row for row in reversed(rows)}
    names = {_plain(alias): of_chip[chip] for chip in of_chip for alias in (chip, *_SHORT_NAMES.get(chip, ()))}
    for chip, known in (
        ("GB200 NVL72 rack (72 GPU)", "GB200 NVL72"),
        ("GB200 Grace-Blackwell superchip (2 GPU + 1 Grace)", "GB200 superchip"),
    ):
        names |= {_plain(alias): full[known] for alias in (chip, *_SHORT_NAMES[chip])}
    names |= {_plain(alias): row for row in rows for alias in (row.system, *filter(None, row.aliases.split(";")))}
    wanted = _plain(name)
    if wanted not in names:
        shown = _nearest(wanted, {key: row.system for key, row in names.items()}) or list(full)
        raise CatalogError(
            f"system = {str(name)[:60]!r} is not allowed: it is not known; nearest are {', '.join(shown)}"
        )
    row = names[wanted]
    return _as_system(row, row.accelerators if accelerators is None else accelerators)


def _as_system(row: SystemRow, accelerators: int) -> System:
    chip = _accelerators()[_known(row.chip, _accelerators(), "data/systems.csv, column chip")]
    if row.mem_gb or row.fp4_dense_tflops:
        given = {"fp4": row.fp4_dense_tflops, "int8": row.int8_dense_tops}
        peaks = {**chip.peak_flops, **{key: peak * 1e12 for key, peak in given.items() if peak is not None}}
        chip = replace(
            chip,
            name=row.system,
            memory_bytes=row.mem_gb * 1e9 if row.mem_gb else chip.memory_bytes,
            peak_flops={key: peak for key, peak in peaks.items() if peak},
            sparse_peak_flops={},
            tdp_watts=None,
        )
    near = row.scale_up_GBps * 1e9 if row.scale_up_GBps else chip.link_bandwidth
    if near is None:
        raise CatalogError(
            f"data/systems.csv ({row.system}), column scale_up_GBps: a value is needed: hardware.csv has no link"
        )
    return System(
        row.system if accelerators == row.accelerators else f"{row.system}, {accelerators} accelerators",
        chip,
        accelerators,
        row.domain_size,
        Link(row.scale_up, near, row.scale_up_latency_us * 1e-6),
        Link(row.scale_out, row.scale_out_GBps * 1e9, row.scale_out_latency_us * 1e-6),
    )


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class LinkFields(_Plain):
    """A link in a reader's file: one accelerator, one direction."""

    bandwidth_gb_per_s: float = Field(gt=0, le=1e6)
    latency_us: float = Field(0.0, ge=0, le=1e6)
    name: str = "link"


class AcceleratorFields(_Plain):
    """An accelerator in a reader's file; a GB is 10^9 byte; peaks are dense, by precision ("bf16", "fp8", ...)."""

    name: str = "accelerator"
    memory_gb: float = Field(gt=0, le=1e6)
    memory_tb_per_s: float = Field(gt=0, le=1e6)
    peak_tflops: dict[str, float] = Field(min_length=1)


class SystemFields(_Plain):
    """A reader's system; ``accelerator`` is a name of ``data/hardware.csv`` or a description."""

    name: str | None = None
    accelerator: str | AcceleratorFields
    accelerators: int = Field(ge=1, le=1_000_000)
    domain_size: int | None = Field(None, ge=1, le=1_000_000)
    scale_up: LinkFields
    scale_out: LinkFields | None = None


def system_from_file(path: Path | str) -> System:
    """The reader's own system from a YAML or JSON file with the fields of :class:`SystemFields`.

    ``accelerators`` in all, ``domain_size`` of them (all, if it is not given) on the ``scale_up`` link, and
    ``scale_out`` between domains::

        name: two boxes
        accelerator: H200          # or {memory_gb: 151, memory_tb_per_s: 4.8, peak_tflops: {bf16: 989, fp8: 1979}}
        accelerators: 16
        domain_size: 8
        scale_up: {bandwidth_gb_per_s: 450, latency_us: 5}
        scale_out: {bandwidth_gb_per_s: 50, latency_us: 18}

    Raises
    ------
    CatalogError
        One line that names the file, the field, the value and what is allowed.
    """
    import yaml

    path = Path(path)
    try:
        fields = SystemFields.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"system file {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise CatalogError(f"system file {path}, line {line}: it is neither YAML nor JSON") from None
    except ValidationError as errors:
        found = errors.errors(include_url=False)
        error = next((e for e in found if e["type"] != "string_type" or not isinstance(e["input"], dict)), found[0])
        place = ".".join(str(part) for part in error["loc"] if part not in ("str", "AcceleratorFields"))
        shown = "" if error["type"] == "missing" else f" = {str(error['input'])[:60]!r}"
        raise CatalogError(
            f"system file {path}: {place or 'its content'}{shown} is not allowed: {error['msg'].lower()}"
        ) from None
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CatalogError(f"system file {path}: it is no valid YAML: {reason}") from None
    chip = fields.accelerator
    if isinstance(chip, AcceleratorFields):
        for precision in chip.peak_tflops:
            _known(precision, BYTES_PER_VALUE, f"system file {path}: peak_tflops")
        chip = Accelerator(
            chip.name,
            chip.memory_gb * 1e9,
            chip.memory_tb_per_s * 1e12,
            {precision: peak * 1e12 for precision, peak in chip.peak_tflops.items()},
        )
    else:
        chip = accelerator(chip)
    up, out = (
        link and Link(link.name, link.bandwidth_gb_per_s * 1e9, link.latency_us * 1e-6)
        for link in (fields.scale_up, fields.scale_out)
    )
    return System(
        fields.name or path.stem,
        chip,
        fields.accelerators,
        fields.domain_size or fields.accelerators,
        up,
        out,
    )


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
    known = load("models").to_dict("records")
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
    rows = {_plain(known): row for known, row in names.items()}
    repository = re.sub(r"^meta-(?=llama)|(-(v0\.1|instruct|chat|base|hf|it))+$", "", str(name).lower().split("/")[-1])
    for wanted in (_plain(name), _plain(repository)):
        if wanted in rows:
            return architecture_from_row(rows[wanted])
    suggested = {_plain(other): other for other in (*names, *others)}
    shown = _nearest(_plain(repository), suggested)
    hint = f"nearest are {', '.join(shown)}" if shown else f"known are {', '.join(load('models')['model'])}"
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
    if _plain(name) in _GPT4_NAMES:
        return {precision: _gpt4(precision, cache[precision], kv_heads or 1) for precision in precisions}
    if kv_heads is not None:
        raise ParameterError(f"kv_heads = {kv_heads} is not allowed: only {GPT4} leaves it open")
    if os.path.exists(name) or str(name).endswith(".json"):
        from llm_economics import configs

        arch = configs.read(name).architecture
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


def prices(
    gpu: str, price_type: str | None = None, *, purchase: bool = False, vendor: str | None = None
) -> pandas.DataFrame:
    """Dated prices of an accelerator, oldest first, from ``data/gpu_prices.csv``.

    Parameters
    ----------
    gpu
        Every word of it must stand in the source's name of the part: "H100" finds "NVIDIA H100 SXM5 80GB" too,
        "A100 80GB" only that size, "H100" never "GH200".
    price_type
        One of the column of that name ("on-demand", "1-year", ...); None for all of them.
    purchase
        Purchase prices in place of prices per hour.
    vendor
        One seller.

    Raises
    ------
    CatalogError
        If there is no such price, or no such chip, price type or vendor.
    """
    frame = load("gpu_prices")
    words = _price_words(gpu)
    hit = frame["gpu"].map(lambda name: words <= _price_words(name))
    if not words or not hit.any():
        _known(gpu, sorted(set(frame["gpu"])), "gpu")
    hit &= frame["usd_purchase_per_gpu" if purchase else "usd_per_gpu_hour"].notna()
    for column, wanted in (("price_type", price_type), ("vendor", vendor)):
        if wanted is not None:
            hit &= frame[column] == _known(wanted, sorted(set(frame[column]) - {""}), column)
    if not hit.any():
        kind = " ".join(filter(None, ("purchase" if purchase else "hourly", price_type, vendor)))
        raise CatalogError(f"gpu = {gpu!r} is not allowed: data/gpu_prices.csv has no price of it ({kind})")
    return frame[hit].sort_values("price_date", kind="stable").reset_index(drop=True)


def _nearest(wanted: str, names: Mapping[str, str]) -> list[str]:
    """Up to three names whose plain spelling, the key, is closest; several spellings of one name count once."""
    near = difflib.get_close_matches(wanted, names, n=6, cutoff=0.4)
    return list(dict.fromkeys(names[key] for key in near))[:3]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", str(name).lower())


def _price_words(name: str) -> frozenset[str]:
    """The words of a chip's name that tell chips apart: "NVIDIA A100 SXM4 80 GB" gives a100, sxm and 80gb."""
    text = re.sub(r"(\d+) ?gb\b", r"\1gb", str(name).lower())
    text = re.sub(r"\bsxm\d\b", "sxm", text)
    return frozenset(re.findall(r"[a-z0-9]+", text)) - {"nvidia", "amd", "google", "tesla", "instinct"}


# ---------------------------------------------------------------------------------------------------------------------
# The tables of columns in data/README.md


def columns_table(name: str) -> str:
    """The columns of a file as a table in Markdown; ``name`` may be "every file" for those that all of them share."""
    if name == "every file":
        rows = [(column, field.description) for column, field in SourcedRow.model_fields.items()]
    else:
        rows = describe(name)
    return "\n".join(["| column | holds |", "|---|---|", *(f"| {column} | {meaning} |" for column, meaning in rows)])


def with_tables(readme: str) -> str:
    """The text of ``data/README.md`` with the table after each ``<!-- columns: NAME -->`` written anew."""

    def table(match: re.Match) -> str:
        return f"{match[1]}\n{columns_table(match[2])}\n"

    return re.sub(r"(<!-- columns: ([\w ]+) -->)\n(?:\|.*\n)*", table, readme)


if __name__ == "__main__":
    readme = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "README.md"
    readme.write_text(with_tables(readme.read_text(encoding="utf-8")), encoding="utf-8")
