"""The chapter under other assumptions, each result held against counting by hand or the library called directly."""

import math

import pytest
from chapter import Chapter, equal, flips, refuses

CHAPTER = Chapter("kv-cache")


def expected(p: dict) -> dict[str, float]:
    """Named results by formulas of this file's own."""
    size = {"bf16": 2, "int8": 1}[p["weight_format"]]
    common, expert = p["gpt4_shared_parameters"], p["gpt4_expert_parameters"]
    # 120 layers on 16 stages: some stages have 8, and of the heads the fullest of eight cards has one more than others
    weights = 8 / 120 * (common + 16 * expert) * size / 8  # byte on the fullest card
    card, bandwidth, peak = 40 * 2**30, 1.555e12, 312e12
    full = round(math.sqrt(common / 480) / p["head_size"])
    kept = 0.1 * card + 0.5e9 + 8192 * 2 * full * p["head_size"] * (3 + 12 / 8)  # by an engine; activations of a pass
    designs = {"multi_head": full, "grouped_8": 8, "multi_query_copied": 1, "multi_query_spread": None}
    found = {}
    for name, heads in designs.items():
        here = 8 * 2 * math.ceil((heads or 1) / 8) * p["head_size"] * 2  # byte that a token leaves on the fullest card

        def fit(context, kept=kept, here=here, heads=heads):
            on_one_card = math.floor((card - kept - weights) / (here * context) * (1 + 1e-12))
            return on_one_card if heads else 8 * on_one_card  # spread, each card has sequences of its own

        n = max(1, fit(p["context_tokens"]))
        each = max(1.0, n / 16)  # sequences that are in a stage at a time
        distinct = 16 * (1 - (1 - 2 / 16) ** each)
        read = 8 / 120 * (common + distinct * expert) * size / 8
        read += each * here * p["context_tokens"] / (1 if heads else 8)
        flops = each * 8 / 120 * (2 * (common + 2 * expert) + 480 * full * p["head_size"] * p["context_tokens"]) / 8
        slowest = max(read / bandwidth / p["bandwidth_efficiency"], flops / peak)  # seconds of a stage with 8 layers
        # a token takes 120 layers, the time of 15 such stages; 16 groups of sequences queue at each of them
        seconds = max(15, min(16, n)) * slowest
        found[f"sequences_{name}"] = fit(p["context_tokens"])
        found[f"bound_{name}"] = fit(p["context_tokens"], kept=0)
        found[f"sequences_long_{name}"] = fit(32768)
        found[f"usd_per_1k_{name}"] = 128 * p["a100_usd_per_hour"] / 3600 / (n / seconds) * 1000
    example = 2 * 118 * 48 * p["head_size"] * 2 * 512 * 2048 / 1e12
    unfolded, latent, c = 128 * (192 + 128) * 2, (512 + 64) * 2, p["context_tokens"]
    weights_flop = 2 * matmul_parameters_of_v3()
    again = weights_flop + 61 * c * (2 * 128 * 256 * 512 + 2 * 128 * (192 + 128))
    return {
        **found,
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


test_results_equal_counting_by_hand = equal(
    CHAPTER,
    expected,
    dict(weight_format="int8", context_tokens=4096, a100_usd_per_hour=1.5),
    dict(head_size=64, gpt4_expert_parameters=90e9, context_tokens=16384, bandwidth_efficiency=0.5),
    dict(context_tokens=32768),
)


def test_the_fullest_card_holds_whole_layers_heads_and_sequences():
    """8 of 120 layers, 11 of 84 heads; half layers and half heads would promise 43 and 3,646 sequences."""
    verdicts, results = CHAPTER.run()[0], CHAPTER.results()
    assert [results[f"bound_{name}"] for name in ("multi_head", "multi_query_copied")] == [33, 370]
    assert results["bound_multi_query_spread"] == 8 * 370
    assert [results[f"sequences_{name}"] for name in ("multi_head", "multi_query_copied")] == [18, 204]
    assert results["sequences_multi_query_spread"] == 8 * 204
    row = verdicts["serve-045"]
    assert row["unit"] == "GiB" and row["stated_high"] == 40
    by_hand = (1831e9 * 2 * 8 / 120 / 8 + 8 * 2 * 128 * 2 * 8192) / 2**30
    assert row["computed_value"] == pytest.approx(by_hand, rel=1e-5)


def test_multi_head_attention_does_not_pay_at_eight_bits_either():
    verdicts, results = CHAPTER.run(weight_format="int8")
    assert verdicts["serve-051"]["verdict"] == "holds if" and "eight bits or more" in verdicts["serve-051"]["condition"]
    assert results["usd_per_1k_multi_head"]["value"] > 0.06


test_verdicts_flip_where_they_say = flips(
    CHAPTER,
    ("serve-029", "head_size", "holds if", "fails"),
    ("serve-030", "head_size", "holds if", "fails"),
    ("serve-045", "batch", "adds up", "fails"),
    ("serve-050", "context_tokens", "fails", "holds if"),
    by=1e-6,
)
test_a_price_flips_as_printed = flips(  # six digits
    CHAPTER, ("serve-051", "a100_usd_per_hour", "fails", "holds if"), by=5e-6
)


def test_the_first_batch_too_many_is_the_one_that_the_chapter_names():
    assert CHAPTER.verdict("serve-045", batch=CHAPTER.run()[0]["serve-045"]["flips_at"]["value"]) == "fails"


def test_what_the_last_section_suggests():
    verdicts = CHAPTER.run()[0]
    assert verdicts["serve-049"]["verdict"] == "fails"
    eight_bits = CHAPTER.run(weight_format="int8")[0]
    changed = {i for i, row in eight_bits.items() if row["verdict"] != verdicts[i]["verdict"]}
    assert changed == {"serve-050"}
    assert CHAPTER.verdict("serve-029", head_size=256) == "fails"


test_bad_values_stop_with_one_line = refuses(
    CHAPTER,
    ({"head_size": 0}, "head_size = 0 is not allowed: it must be at least 1…"),
    ({"weight_format": "int7"}, "weight_format = 'int7' is not allowed…"),
    ({"bandwidth_efficiency": 1.2}, "bandwidth_efficiency = 1.2 is not allowed: it must be above 0 and at most 1…"),
)
