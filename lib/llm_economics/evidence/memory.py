"""What fits: one rule for the command line, the search and the chapters, calibrated on logs of serving engines.

An engine fills a share of the memory (0.9 by default in vLLM). Beside weights and cache it needs room for the
activations of its largest pass and for itself: sampling buffers, communication, graphs, workspaces. ``data/
memory_cases.csv`` holds what engines logged at their start; :func:`calibrated` is the amount for the engine itself that
half of them stay below, and :func:`predictions` what the rule says of each of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llm_economics.formulas.elementwise import floor, maximum
from llm_economics.formulas.parallelism import Split, kv_shards, weight_bytes_per_accelerator
from llm_economics.formulas.records import record
from llm_economics.formulas.serving import ServedModel

if TYPE_CHECKING:
    import pandas

MEMORY_SHARE = 0.9
"""Share of the memory that an engine fills."""
PASS_TOKENS = 8192
"""Tokens of the largest pass, for which activations have room (longer prompts are read in chunks)."""
ACTIVATION_STATES = 20
"""Hidden states of one token that are alive in a layer: residual, norm, Q, K, V, attention, an MLP of 4 h, buffers."""
ENGINE_BYTES = 1.7e9
"""What an engine keeps for itself on each accelerator; the median of the logs (:func:`calibrated`)."""


def reserve_bytes(
    memory_bytes, hidden_bytes, share=MEMORY_SHARE, pass_tokens=PASS_TOKENS, engine_bytes=ENGINE_BYTES
) -> Any:
    """Memory of one accelerator that weights and cache may not use, byte.

    Activations are not divided by tensor parallelism: each accelerator holds the hidden states whole (logged alike at
    one and at two accelerators). An engine's own buffers are taken to be no more than a tenth of the memory, so that a
    chip of a few gigabytes is not all engine.
    """
    activations = ACTIVATION_STATES * pass_tokens * hidden_bytes
    return (1 - share) * memory_bytes + activations + min(engine_bytes, 0.1 * memory_bytes)


@record
class Room:
    """What one accelerator has left for the cache, byte, and how many tokens of cache the whole instance holds."""

    free_bytes: Any
    tokens: Any


def room(model: ServedModel, memory_bytes, split: Split, context, reserve) -> Room:
    """What remains of ``memory_bytes`` (one accelerator) beside weights and ``reserve``.

    ``tokens`` are those of sequences of ``context`` tokens; layers with a window keep no more than it holds.
    """
    dense, experts = model.common_bytes + model.lookup_bytes, model.experts * model.expert_bytes
    free = memory_bytes - reserve - weight_bytes_per_accelerator(dense, experts, split)
    sequence = model.kv_bytes(context)
    each = sequence / context * split.fullest / (split.pipeline * kv_shards(split, model.kv_heads))
    return Room(free, floor(maximum(free, 0.0) / each) * split.data if each > 0 else float("inf"))


# ---------------------------------------------------------------------------------------------------------------------
# The logs


def predictions(engine_bytes: float = ENGINE_BYTES) -> pandas.DataFrame:
    """The cases of ``data/memory_cases.csv`` with what the rule says of them.

    Returns
    -------
    DataFrame
        ``cache_bytes`` (logged, of one accelerator), ``overhead_bytes`` (what was left neither to weights nor to
        cache), ``predicted_bytes`` and ``predicted_tokens`` beside ``kv_tokens``.
    """
    from llm_economics import facts

    cases = facts.load("memory_cases")
    cases = cases[cases["kv_tokens"].notna() | cases["cache_gib"].notna()].reset_index(drop=True)
    rows = [_case(case, engine_bytes) for case in cases.to_dict("records")]
    return cases.assign(**{name: [row[name] for row in rows] for name in rows[0]})


def _case(case: dict[str, Any], engine_bytes: float) -> dict[str, float]:
    from llm_economics import facts
    from llm_economics.facts.models import Precisions

    source = str(case["config"]) if str(case["config"]).startswith("{") else str(case["model"])
    model = facts.published(source)
    weights = model.checkpoint.weights if model.checkpoint is not None else "bf16"
    served = facts.served(model, Precisions(weights, "bf16", str(case["kv"]), True))
    split = Split(tensor=int(case["tensor"]))
    memory = case["memory_gib"] * 2**30
    share, hidden = case["memory_share"], served.hidden_bytes
    left = share * memory - (served.weight_bytes / split.tensor)
    each = served.kv_bytes(1) / kv_shards(split, served.kv_heads)
    logged = (
        case["kv_tokens"] * each
        if case["kv_tokens"] == case["kv_tokens"] and case["kv_tokens"] is not None
        else case["cache_gib"] * 2**30
    )
    rule = reserve_bytes(memory, hidden, share, engine_bytes=engine_bytes)
    found = room(served, memory, split, 1, rule)
    return {
        "cache_bytes": logged,
        "overhead_bytes": left - logged,
        "engine_bytes": left - logged - ACTIVATION_STATES * PASS_TOKENS * hidden,
        "predicted_bytes": found.free_bytes,
        "logged_tokens": logged / each,
        "predicted_tokens": float(found.tokens),
    }


def calibrated() -> float:
    """Median over the logs of what an engine kept beside weights, cache and our count of activations, byte."""
    return float(predictions()["engine_bytes"].median())


OURS = "ours"
"""Name of our own answers among those of the calculators."""


def compared() -> pandas.DataFrame:
    """Answers ÷ logged tokens of cache: a row a question of ``data/memory_answers.csv``, a column a calculator.

    ``logged_tokens`` and ours stand first; an answer that is not given is missing. The engine's part is the median of
    all logs, those of the questions among them: a constant that :func:`left_out` takes without them.
    """
    from llm_economics import facts

    cases = predictions().set_index("case")
    answers = facts.load("memory_answers").pivot(index="case", columns="calculator", values="value")
    cases = cases.loc[[case for case in cases.index if case in answers.index]]
    found = cases[["logged_tokens"]].assign(**{OURS: cases["predicted_tokens"] / cases["logged_tokens"]})
    return found.join(answers.loc[cases.index].div(cases["logged_tokens"], axis=0))


def left_out() -> pandas.DataFrame:
    """Each logged case predicted with the engine's part as the median of all other cases."""
    cases = predictions()
    rows = []
    for i in range(len(cases)):
        engine = float(cases["engine_bytes"].drop(index=i).median())
        rows.append(predictions(engine).loc[i, "predicted_tokens"])
    return cases.assign(predicted_tokens=rows)


def mean_errors() -> pandas.Series:
    """Mean of |answer ÷ logged − 1| over the questions that each calculator answers, least first."""
    ratios = compared().drop(columns="logged_tokens")
    return (ratios - 1).abs().mean().sort_values()
