"""The chapter under other assumptions, each result held against the library called directly."""

import math

import pytest
from notebook_runner import run

from llm_economics import catalog, transformer
from llm_economics.catalog import ROOT
from llm_economics.elementwise import ParameterError

CHAPTER = ROOT / "chapters/gpt4-parameters-and-flops.ipynb"
DEFAULTS = {
    "gpt4_experts": 16,
    "gpt4_experts_per_token": 2,
    "gpt4_expert_parameters": 111e9,
    "gpt4_shared_parameters": 55e9,
    "gpt4_train_tokens": 13e12,
}


def expected(**changes) -> dict[str, float]:
    """The named results, from the library and from data alone."""
    p = {**DEFAULTS, **changes}
    total = p["gpt4_experts"] * p["gpt4_expert_parameters"] + p["gpt4_shared_parameters"]
    active = p["gpt4_experts_per_token"] * p["gpt4_expert_parameters"] + p["gpt4_shared_parameters"]
    width_mlp = (p["gpt4_expert_parameters"] / 960) ** 0.5
    width = 128 * round(width_mlp / 128)
    layer = transformer.Architecture(
        name="one layer with multi-query attention", n_layers=1, hidden_size=width, n_heads=width // 128, n_kv_heads=1,
        head_dim=128, intermediate_size=4 * width, vocab_size=1, tied_embeddings=True, gated_mlp=False,
    )  # fmt: skip
    mixtral_like = catalog.model("Mixtral 8x7B")
    llama = transformer.parameters(catalog.model("Llama 3 8B"))
    return {
        "total_parameters": total,
        "active_parameters": active,
        "tflop_per_token": 2 * active / 1e12,
        "tflop_per_token_dense": 2 * total / 1e12,
        "ms_on_8_h100_if_printed": 560e12 / (8 * catalog.accelerator("H100").peak("fp8")) * 1e3,
        "width_from_attention": math.sqrt(p["gpt4_shared_parameters"] / 480),
        "width_from_mlp": width_mlp,
        "mqa_attention_parameters": 120 * layer.attention_parameters,
        # three more sets of MLPs and a router of 4 outputs in each of 32 layers; Mixtral's router has no bias either
        "community_4x8b_total": llama.total + 3 * llama.mlp + 32 * 4096 * 4 * (not mixtral_like.router_bias),
        "vision_tokens_share": 2e12 / p["gpt4_train_tokens"],
    }


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gpt4_experts": 8, "gpt4_expert_parameters": 220e9},
        {"gpt4_experts_per_token": 4, "gpt4_shared_parameters": 30e9, "gpt4_train_tokens": 10e12},
    ],
    ids=["defaults", "eight of 220 billion", "four experts per token"],
)
def test_results_equal_the_library(changes):
    _, results = run(CHAPTER, **changes)
    wanted = expected(**changes)
    assert set(results) == set(wanted)
    for name, value in wanted.items():
        assert results[name]["value"] == pytest.approx(value, rel=1e-9), name


def test_the_numbers_of_the_argument():
    verdicts, results = run(CHAPTER)
    assert len(verdicts) == 28
    assert results["total_parameters"]["value"] == 1.831e12
    assert results["active_parameters"]["value"] == 277e9
    assert results["community_4x8b_total"]["value"] == pytest.approx(24.9e9, rel=2e-3)
    found = {name: row["verdict"] for name, row in verdicts.items()}
    assert found["gpt4-013"] == found["gpt4-015"] == "unit slip"
    assert found["gpt4-004"] == found["gpt4-012"] == "holds"


def test_the_other_rumour_flips_the_active_count():
    verdicts, _ = run(CHAPTER, gpt4_experts=8, gpt4_expert_parameters=220e9)
    assert verdicts["gpt4-004"]["verdict"] == "holds"
    assert verdicts["gpt4-012"]["verdict"] == "fails"
    assert verdicts["gpt4-013"]["verdict"] == "fails"


@pytest.mark.parametrize("claim", ["gpt4-003", "gpt4-004", "gpt4-012"])
def test_verdicts_flip_where_they_say(claim):
    at = run(CHAPTER)[0][claim]["flips_at"]
    sides = [run(CHAPTER, **{at["parameter"]: at["value"] * f})[0][claim]["verdict"] for f in (0.9999, 1.0001)]
    assert len(set(sides)) == 2, sides


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"gpt4_experts": 0}, "gpt4_experts = 0 is not allowed: it must be at least 1 and at most 100000"),
        ({"gpt4_experts_per_token": 17}, "gpt4_experts_per_token = 17 is not allowed: it must be at most gpt4_experts = 16"),
        ({"gpt4_shared_parameters": -1.0}, "gpt4_shared_parameters = -1.0 is not allowed: it must be above 0 and at most 1e+13"),
    ],
)  # fmt: skip
def test_bad_values_stop_with_one_line(changes, line):
    with pytest.raises(ParameterError) as error:
        run(CHAPTER, **changes)
    assert str(error.value) == line
