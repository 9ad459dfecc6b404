"""The chapter under other assumptions, each result held against the library and against arithmetic done by hand."""

import pytest
from chapter import Chapter, equal, refuses

from llm_economics import facts
from llm_economics.formulas import serving
from llm_economics.formulas.hardware import Link, System

CHAPTER = Chapter("bandwidth-wall")
BYTES = {"bf16": 2.0, "fp8": 1.0, "int4": 0.5}
H100 = facts.accelerator("H100")


def on_eight(p):
    """One decode step of a Llama 3 70B on eight H100s, and the largest batch."""
    model = serving.model_from_architecture(facts.model("Llama 3 70B"), weights=p["weight_format"])
    node = System("8", H100, 8, 8, Link("NVLink", 450e9, 3.6e-6))
    step = serving.decode(
        model,
        node,
        p["batch"],
        p["context_tokens"],
        precision="fp8" if p["weight_format"] == "fp8" else "bf16",
        bandwidth_efficiency=p["bandwidth_efficiency"],
        bound="sum",
    )
    kept = 0.1 * H100.memory_bytes + 2.3e9 + 39 * 1024 * 128_256  # an engine with its links, and its sampling
    return step, serving.capacity(model, node, 1, p["context_tokens"], reserve_bytes=kept).max_sequences


def expected(p: dict) -> dict[str, float]:
    """The named results by hand."""
    size, bandwidth = BYTES[p["weight_format"]], p["wall_gpus"] * 3.35e12
    fast = 1000 * p["tokens_per_word"] / 60
    step, room = on_eight(p)
    return {
        "reading_speed": 250 * p["tokens_per_word"] / 60,
        "fast_reading_speed": fast,
        "tokens_per_word_implied": 8.33 * 60 / 250,
        "dense_weights_tb": p["dense_parameters"] * size / 1e12,
        "dense_speed_bound": bandwidth / (p["dense_parameters"] * size),
        "dense_speed": bandwidth * p["bandwidth_efficiency"] / (p["dense_parameters"] * size),
        "sweeps_per_second": 3.35e12 / (80 * 2**30),
        "tokens_per_word_where_walls_meet": 3.35e12 / (80 * 2**30) * p["bandwidth_efficiency"] * 60 / 1000,
        "largest_dense_model": min(p["wall_gpus"] * 80 * 2**30, bandwidth * p["bandwidth_efficiency"] / fast) / size,
        "bytes_behind_300b": 8 * 3e12 / 2 / 20 / 3e11,
        "share_behind_300b_bf16": 3e11 * 2 * 33.33 / 24e12,
        "share_behind_300b_fp8": 3e11 * 33.33 / 24e12,
        "h100_balance_fp8": 1978.9 / 3.35,
        "balance_batch_fp8": 1978.9 / 3.35 / 2,
        "speed_at_batch": step.tokens_per_second_per_user,
        "throughput_at_batch": step.tokens_per_second,
        "mfu_at_batch": step.mfu,
        "largest_batch": room,
        "share_405b_h200": 108 / 1.9 * 405853388800 / (8 * 4.8e12),
    }


test_results_equal_the_library_and_arithmetic = equal(
    CHAPTER,
    expected,
    dict(weight_format="int4", bandwidth_efficiency=0.8, batch=32),
    dict(wall_gpus=16, dense_parameters=4e11, tokens_per_word=1.5, weight_format="fp8", context_tokens=2048),
    apart=None,
    rel=1e-6,
)


def test_no_batch_balances_beyond_the_context_that_the_chapter_names():
    context = CHAPTER.results()["context_beyond_balance"]
    model = serving.model_from_architecture(facts.model("Llama 3 70B"))

    def batch(c):
        flops = model.flops_per_token + model.decode_flops_per_key * c
        return serving.balance_batch(model.common_bytes, flops, H100.memory_bandwidth, H100.peak(), model.kv_bytes(c))

    assert batch(context * 0.99) < 1e5 and batch(context * 1.01) == float("inf")


def test_no_measured_step_is_faster_than_the_floor():
    results = CHAPTER.results()
    assert 0.5 < results["worst_floor_over_measured"] <= 1
    row = facts.load("decode_step_timings").query("model.str.contains('70B') and batch == 256").tpot_ms.min()
    by_hand = 1e3 * (139.0e9 + 256 * 2048 * 327680) / (8 * 3.35e12)  # weights without the input embeddings, KV cache
    assert by_hand < row
    assert results["lowest_estimate_over_measured"] < 1 < results["highest_estimate_over_measured"]


def test_verdicts_and_where_they_flip():
    verdicts, _ = CHAPTER.run()
    assert len(verdicts) == 29
    found = CHAPTER.verdicts()
    assert found["serve-006"] == found["serve-008"] == found["serve-013"] == "holds if"
    assert found["serve-005"] == found["serve-017"] == "fails"
    assert CHAPTER.sides("serve-017", "tokens_per_word") == ["fails", "adds up"]  # the words a minute are the article's
    assert verdicts["serve-017"]["support"] == "own inputs"
    assert CHAPTER.sides("serve-001", "dense_parameters") == ["fails", "holds if"]


def test_the_overhead_of_a_library_exceeds_the_reading_only_where_many_cards_share_a_model():
    row = CHAPTER.run()[0]["serve-011"]
    assert row["verdict"] == "holds if" and row["condition"] == "many cards share the model"
    weights = 2 * (12 * 44 * 6144**2 + 51200 * 6144)  # byte of the 20B
    more_ms = {1: 5609 - 560, 2: 3532 - 358, 4: 2438 - 248, 8: 2053 - 212}  # 180 tokens more
    overhead = {n: ms / 1e3 / 180 * n * 2.039e12 / weights - 1 for n, ms in more_ms.items()}
    assert overhead[1] < overhead[2] < 1 < overhead[4] < overhead[8]
    assert row["flips_at"] == "2 cards or fewer, for a 20B"
    assert all(f"{100 * value:.3g}% on {n}" in row["reason"] for n, value in overhead.items())


def test_talk_is_a_fixed_start_that_the_chapter_names_and_cites():
    """The bytes that a card sends grow 1.75-fold from two cards to eight; only the start makes it 1.03."""
    row = CHAPTER.run()[0]["serve-028"]
    sent = {n: 2 * (n - 1) / n * 8 * 8192 * 2 / 450e9 for n in (2, 8)}  # s for a batch of 8 of Llama 3 70B
    assert sent[8] / sent[2] == pytest.approx(1.75)
    talk = {n: seconds + 2 * 3.6e-6 for n, seconds in sent.items()}
    ring = {n: seconds + 3.6e-6 + 2 * (n - 1) * 0.47e-6 for n, seconds in sent.items()}
    assert row["computed_value"].endswith(f"talking × {talk[8] / talk[2]:.3g}")
    for part in ("1.75-fold", "nvidia-nccl-tuning", "7.2 µs", f"{ring[8] / ring[2]:.3g}-fold"):
        assert part in row["reason"]
    assert f"= {160e3 * talk[2]:.3g} to {160e3 * talk[8]:.3g} ms" in row["reason"]
    assert "whatever n" not in row["reason"]


def test_precision_decides_whether_a_trillion_keeps_up():
    at = CHAPTER.run()[0]["serve-008"]["flips_at"]
    assert at["parameter"] == "bytes per parameter" and BYTES["int4"] < at["value"] < BYTES["fp8"]
    sides = {name: CHAPTER.verdict("serve-008", weight_format=name) for name in BYTES}
    assert sides == {"bf16": "holds if", "fp8": "holds if", "int4": "fails"}


test_bad_values_stop_with_one_line = refuses(
    CHAPTER,
    ({"bandwidth_efficiency": 0.0}, "bandwidth_efficiency = 0.0 is not allowed: it must be above 0 and at most 1…"),
    ({"wall_gpus": 0}, "wall_gpus = 0 is not allowed: it must be at least 1 and at most 100000…"),
    ({"batch": 1.5}, "batch = '1.5' is not allowed: it must be a whole number (sequence)…"),
    ({"weight_format": "int3"}, "weight_format = 'int3' is not allowed: it must be one of…"),
)
