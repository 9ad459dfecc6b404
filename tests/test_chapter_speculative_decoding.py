"""The chapter under other assumptions, each result held against arithmetic done by hand, the library and simulation."""

import random

import pytest
from notebook_runner import run

from llm_economics import speculation
from llm_economics.catalog import ROOT, accelerator
from llm_economics.elementwise import ParameterError

CHAPTER = ROOT / "chapters/speculative-decoding.ipynb"
DEFAULTS = {
    "draft_tokens": 4,
    "acceptance": 0.70,
    "draft_cost": 0.05,
    "gpt4_experts": 16,
    "gpt4_experts_per_token": 2,
    "fresh_experts": 1.0,
    "context_tokens": 8192,
}


def speedup_by_hand(p, batch, dense=False) -> float:
    """Roofline of one A100; GPT-4's shared 55 and 111 billion per expert, 61,440 bytes of cache per token."""
    chip, g = accelerator("A100 40GB"), p["draft_tokens"]
    k, n = p["gpt4_experts_per_token"], p["gpt4_experts"]
    active = 55e9 + k * 111e9
    cache = batch * p["context_tokens"] * 61440

    def read(sequences):
        weights = active if dense else 55e9 + 111e9 * n * (1 - (1 - k / n) ** sequences)
        return 2 * weights + cache

    def seconds(bytes_read, sequences):
        return max(bytes_read / chip.memory_bandwidth, sequences * 2 * active / chip.peak("bf16"))

    more = read(batch * (g + 1)) - read(batch)
    verifying = seconds(read(batch) + p["fresh_experts"] * more, batch * (g + 1))
    tokens = sum(p["acceptance"] ** i for i in range(g + 1))
    return tokens / (g * p["draft_cost"] + verifying / seconds(read(batch), batch))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"acceptance": 0.9, "draft_tokens": 8, "fresh_experts": 0.69},
        {"draft_cost": 0.2, "gpt4_experts": 64, "gpt4_experts_per_token": 4, "context_tokens": 131072},
    ],
    ids=["defaults", "a good draft, alike tokens", "a dear draft, 64 experts, long context"],
)
def test_results_equal_arithmetic_by_hand(changes):
    p = {**DEFAULTS, **changes}
    _, results = run(CHAPTER, **changes)
    a, g, c = p["acceptance"], p["draft_tokens"], p["draft_cost"]
    wanted = {
        "tokens_per_step": speculation.expected_tokens(a, g),
        "speedup_dense": speculation.speedup(a, g, c),
        "breakeven_draft_cost": speculation.breakeven_draft_cost(a, g),
        "breakeven_acceptance": speculation.acceptance_for(1, g, c),
        "speedup_moe": speedup_by_hand(p, 1),
        "speedup_moe_batch_250": speedup_by_hand(p, 250),
        "speedup_dense_batch_1024": speedup_by_hand(p, 1024, dense=True),
    }
    for name, value in wanted.items():
        assert results[name]["value"] == pytest.approx(value, rel=1e-9), name


def test_expected_tokens_by_simulation():
    generator = random.Random(3)
    total = 0
    for _ in range(40_000):
        accepted = 0
        while accepted < 4 and generator.random() < 0.7:
            accepted += 1
        total += accepted + 1
    assert run(CHAPTER)[1]["tokens_per_step"]["value"] == pytest.approx(total / 40_000, rel=0.01)


def test_continuous_batching_against_theory():
    gain = run(CHAPTER)[1]["continuous_batching_gain"]["value"]
    longest_of_32 = sum(1 / n for n in range(1, 33))
    assert 0.95 * longest_of_32 < gain < longest_of_32, "the longest of 32 exponentials, less what drains at the end"


def test_the_mixture_pays_in_the_middle_only():
    _, results = run(CHAPTER)
    last = results["largest_paying_batch_moe"]["value"]
    assert results["speedup_moe"]["value"] < 1 < results["speedup_moe_batch_250"]["value"]
    assert speedup_by_hand(DEFAULTS, last * 0.999) > 1 > speedup_by_hand(DEFAULTS, last * 1.001)


def test_verdicts_and_where_they_flip():
    verdicts, _ = run(CHAPTER)
    assert len(verdicts) == 9
    acceptance = verdicts["serve-064"]["flips_at"]["value"]
    sides = [run(CHAPTER, acceptance=acceptance * f)[0]["serve-064"]["verdict"] for f in (0.999, 1.001)]
    assert sides == ["fails", "holds if"]
    context = verdicts["serve-065"]["flips_at"]["value"]
    sides = [run(CHAPTER, context_tokens=int(context) + step)[0]["serve-065"]["verdict"] for step in (0, 1)]
    assert sides == ["holds", "fails"]
    assert verdicts["serve-x02"]["computed_value"] == pytest.approx(speedup_by_hand(DEFAULTS, 1), rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"acceptance": 1.2}, "acceptance = 1.2 is not allowed: it must be above 0 and at most 1"),
        ({"draft_tokens": 0}, "draft_tokens = 0 is not allowed: it must be at least 1 and at most 64"),
        ({"fresh_experts": 1.5}, "fresh_experts = 1.5 is not allowed: it must be above 0 and at most 1"),
        ({"gpt4_experts_per_token": 17}, "experts_per_token = 17 is not allowed: there are 16 experts"),
    ],
)
def test_bad_values_stop_with_one_line(changes, line):
    with pytest.raises(ParameterError) as error:
        run(CHAPTER, **changes)
    assert str(error.value) == line
