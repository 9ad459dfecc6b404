"""The chapter under other assumptions, each result held against counting by hand or the library called directly."""

import math
from functools import cache

import pytest
from notebook_runner import run

from llm_economics import catalog
from llm_economics.catalog import ROOT
from llm_economics.elementwise import ParameterError

CHAPTER = ROOT / "chapters/kv-cache.ipynb"
DEFAULTS = {
    "gpt4_expert_parameters": 111e9,
    "gpt4_shared_parameters": 55e9,
    "weight_format": "bf16",
    "head_size": 128,
    "context_tokens": 8192,
    "batch": 1,
    "a100_usd_per_hour": 1.00,
    "bandwidth_efficiency": 0.70,
}
OTHERS = [
    {},
    {"weight_format": "int8", "context_tokens": 4096, "a100_usd_per_hour": 1.5},
    {"head_size": 64, "gpt4_expert_parameters": 90e9, "context_tokens": 16384, "bandwidth_efficiency": 0.5},
]


@cache
def default_run():
    return run(CHAPTER)


def expected(**changes) -> dict[str, float]:
    """Named results by formulas of this file's own."""
    p = {**DEFAULTS, **changes}
    size = {"bf16": 2, "int8": 1}[p["weight_format"]]
    common, expert = p["gpt4_shared_parameters"], p["gpt4_expert_parameters"]
    weights = (common + 16 * expert) * size / 128  # byte on each card
    card, bandwidth, peak = 40 * 2**30, 1.555e12, 312e12
    full = round(math.sqrt(common / 480) / p["head_size"])
    designs = {"multi_head": (full, 8), "grouped_8": (8, 8), "multi_query_copied": (1, 1), "multi_query_spread": (1, 8)}
    found = {}
    for name, (heads, shards) in designs.items():
        token = 2 * 120 * heads * p["head_size"] * 2

        def fit(context, token=token, shards=shards):
            return math.floor((card - weights) / (token * context / 16 / shards) * (1 + 1e-12))

        n = max(1, fit(p["context_tokens"]))
        each = max(1.0, n / 16)  # sequences of one stage's microbatch
        distinct = 16 * (1 - (1 - 2 / 16) ** each)
        read = (common + distinct * expert) * size / 8 + each * token * p["context_tokens"] / shards
        flops = each * (2 * (common + 2 * expert) + 480 * full * p["head_size"] * p["context_tokens"]) / 8
        seconds = max(read / bandwidth / p["bandwidth_efficiency"], flops / peak)
        found[f"sequences_{name}"] = fit(p["context_tokens"])
        found[f"sequences_long_{name}"] = fit(32768)
        # a stage holds a 16th of the layers, and all 16 stages follow one another
        found[f"usd_per_1k_{name}"] = 128 * p["a100_usd_per_hour"] / 3600 / (n / seconds) * 1000 if n >= 16 else None
    example = 2 * 118 * 48 * p["head_size"] * 2 * 512 * 2048 / 1e12
    unfolded, latent, c = 128 * (192 + 128) * 2, (512 + 64) * 2, p["context_tokens"]
    weights_flop = 2 * matmul_parameters_of_v3()
    again = weights_flop + 61 * c * (2 * 128 * 256 * 512 + 2 * 128 * (192 + 128))
    return {
        **{name: value for name, value in found.items() if value is not None},
        "kv_gpt3": 4 * 96 * 96 * 128,
        "kv_llama3_70b": 4 * 80 * 8 * 128,
        "kv_palm": 4 * 118 * 256,
        "kv_deepseek_v3": 2 * 61 * 576,
        "example_tb": example,
        "example_head_size": 3 / example * p["head_size"],
        "compute_share_multi_head": 1 / (peak / bandwidth),
        "compute_share_multi_query": 48 / (peak / bandwidth),
        "unfolded_over_latent": unfolded / latent,
        "again_over_absorbed": again / (weights_flop + 61 * c * 2 * 128 * (576 + 512)),
    }


def matmul_parameters_of_v3() -> int:
    """DeepSeek-V3's matrices that a token meets, from its configuration."""
    attention = 7168 * 1536 + 1536 * 128 * 192 + 7168 * 576 + 512 * 128 * 256 + 128 * 128 * 7168
    expert, dense = 3 * 7168 * 2048, 3 * 7168 * 18432
    return 61 * attention + 3 * dense + 58 * (9 * expert + 256 * 7168) + 129280 * 7168


@pytest.mark.parametrize("changes", OTHERS, ids=["defaults", "8-bit weights", "narrow heads"])
def test_results_equal_counting_by_hand(changes):
    _, results = run(CHAPTER, **changes) if changes else default_run()
    for name, value in expected(**changes).items():
        assert results[name]["value"] == pytest.approx(value, rel=1e-9), name
    assert set(results) - set(expected(**changes)) <= {"usd_per_1k_multi_head"}


def test_every_claim_of_the_chapter_has_a_verdict():
    claims = catalog.load("claims")
    assert set(default_run()[0]) == set(claims[claims.chapter == "kv-cache"].id)


@pytest.mark.parametrize(
    ("claim", "parameter", "below", "above", "step"),
    [
        ("serve-029", "head_size", "holds if", "fails", None),
        ("serve-030", "head_size", "holds if", "fails", None),
        ("serve-045", "batch", "holds", "fails", None),
        ("serve-050", "context_tokens", "fails", "holds", None),
        ("serve-051", "a100_usd_per_hour", "fails", "holds if", 1e-6),
    ],
)
def test_verdicts_flip_where_the_chapter_says(claim, parameter, below, above, step):
    edge = default_run()[0][claim]["flips_at"]
    assert edge["parameter"] == parameter
    value = edge["value"]
    sides = (value * (1 - step), value * (1 + step)) if step else (math.floor(value), math.ceil(value))
    for side, wanted in zip(sides, (below, above), strict=True):
        assert run(CHAPTER, **{parameter: side})[0][claim]["verdict"] == wanted


def test_what_the_last_section_suggests():
    verdicts = default_run()[0]
    assert verdicts["serve-049"]["verdict"] == "fails"
    eight_bits = run(CHAPTER, weight_format="int8")[0]
    changed = {i for i, row in eight_bits.items() if row["verdict"] != verdicts[i]["verdict"]}
    assert changed == {"serve-050", "serve-051"}
    assert run(CHAPTER, head_size=256)[0]["serve-029"]["verdict"] == "fails"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head_size": 0}, "head_size = 0 is not allowed: it must be at least 1"),
        ({"weight_format": "int7"}, "weight_format = 'int7' is not allowed"),
        ({"bandwidth_efficiency": 1.2}, "bandwidth_efficiency = 1.2 is not allowed: it must be above 0 and at most 1"),
    ],
)
def test_bad_values_stop_with_one_line(changes, message):
    with pytest.raises(ParameterError) as error:
        run(CHAPTER, **changes)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)
