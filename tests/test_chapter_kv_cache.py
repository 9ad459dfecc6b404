"""The chapter under other assumptions, each result held against the library called directly."""

import pytest
from notebook_runner import run

from llm_economics import serving
from llm_economics.catalog import ROOT, accelerator
from llm_economics.elementwise import ParameterError
from llm_economics.hardware import Link, System

CHAPTER = ROOT / "chapters/kv-cache.ipynb"
DEFAULTS = {
    "kv_heads": 1,
    "head_size": 128,
    "gpt4_experts": 16,
    "gpt4_expert_parameters": 111e9,
    "gpt4_shared_parameters": 55e9,
    "serving_gpus": 128,
    "weight_precision": "bf16",
}


def room(context, heads, p) -> float:
    """Sequences that fit, by the capacity room of the library, with memory and cache shared evenly."""
    size = {"bf16": 2.0, "fp8": 1.0}[p["weight_precision"]]
    model = serving.model_from_parameters(
        "GPT-4", p["gpt4_shared_parameters"], p["gpt4_expert_parameters"], p["gpt4_experts"], 2, bytes_per_parameter=size,
        kv_bytes_per_token=2 * 120 * heads * p["head_size"] * 2,
    )  # fmt: skip
    one = System("one pool", accelerator("A100 40GB"), 1, 1, Link("none", 1e12))
    spare = p["serving_gpus"] * one.memory_bytes - model.weight_bytes
    return max(0.0, spare / model.kv_bytes(context))


@pytest.mark.parametrize(
    "changes",
    [{}, {"kv_heads": 8, "weight_precision": "fp8"}, {"serving_gpus": 160, "head_size": 64, "gpt4_experts": 8}],
    ids=["defaults", "eight heads, fp8", "more cards, narrow heads"],
)
def test_results_equal_the_library(changes):
    p = {**DEFAULTS, **changes}
    _, results = run(CHAPTER, **changes)
    wanted = {
        "sequences_8k": room(8192, p["kv_heads"], p),
        "sequences_32k": room(32768, p["kv_heads"], p),
        "sequences_8k_mha": room(8192, 84, p),
        "sequences_8k_copied": room(8192, p["kv_heads"], p) / 8,
        "kv_kb_per_token": 2 * 120 * p["kv_heads"] * p["head_size"] * 2 / 1e3,
        "heads_for_3_tb": 3e12 / (512 * 2048 * 2 * 118 * 128 * 2),
        "example_tb": 2 * 2 * 118 * 48 * 128 * 512 * 2048 / 1e12,
    }
    for name, value in wanted.items():
        assert results[name]["value"] == pytest.approx(value, rel=1e-9), name


def test_verdicts_and_where_they_flip():
    verdicts, _ = run(CHAPTER)
    assert len(verdicts) == 11
    assert verdicts["serve-029"]["verdict"] == "holds if" and verdicts["serve-045"]["verdict"] == "holds"
    at = verdicts["serve-045"]["flips_at"]
    assert at["parameter"] == "serving_gpus" and 91 < at["value"] < 92
    assert [run(CHAPTER, serving_gpus=n)[0]["serve-045"]["verdict"] for n in (91, 92)] == ["fails", "holds"]
    assert run(CHAPTER, kv_heads=8)[0]["serve-048"]["verdict"] == "fails"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"kv_heads": 0}, "kv_heads = 0 is not allowed: it must be at least 1 and at most 10000"),
        ({"weight_precision": "int3"}, "weight_precision = 'int3' is not allowed: it must be one of"),
    ],
)
def test_bad_values_stop_with_one_line(changes, line):
    with pytest.raises(ParameterError) as error:
        run(CHAPTER, **changes)
    assert str(error.value).startswith(line)
