"""The chapter under other assumptions, each result held against arithmetic done by hand, the library and simulation."""

import json
import random

import pytest
from notebook_runner import run

from llm_economics.facts import ROOT, accelerator, load
from llm_economics.formulas import speculation
from llm_economics.formulas.elementwise import ParameterError

CHAPTER = ROOT / "chapters/speculative-decoding.ipynb"
DEFAULTS = {
    "draft_tokens": 4,
    "acceptance": 0.70,
    "acceptance_is": "conditional",
    "draft_cost": 0.05,
    "gpt4_experts": 16,
    "gpt4_experts_per_token": 2,
    "fresh_experts": 1.0,
    "context_tokens": 8192,
}


def speedup_by_hand(p, batch, dense=False, kv_heads=1) -> float:
    """Roofline of one A100; GPT-4's shared 55 and 111 billion per expert, 61,440 bytes of cache per token and key-value
    head; each token meets every key of its context with 84 queries, two multiplications and additions a value."""
    chip, g = accelerator("A100 40GB"), p["draft_tokens"]
    k, n = p["gpt4_experts_per_token"], p["gpt4_experts"]
    active = 55e9 + k * 111e9
    cache = batch * p["context_tokens"] * 61440 * kv_heads
    flop = 2 * active + p["context_tokens"] * 120 * 84 * 128 * 4

    def read(sequences):
        weights = active if dense else 55e9 + 111e9 * n * (1 - (1 - k / n) ** sequences)
        return 2 * weights + cache

    def seconds(bytes_read, sequences):
        return max(bytes_read / chip.memory_bandwidth, sequences * flop / chip.peak("bf16"))

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
    assert sides == ["holds if", "fails"]
    assert verdicts["serve-x02"]["computed_value"] == pytest.approx(speedup_by_hand(DEFAULTS, 1), rel=1e-5)


def test_small_batch_is_a_rule_for_dense_models_only():
    verdicts, _ = run(CHAPTER)
    assert verdicts["serve-065"]["verdict"] == "holds if"
    assert verdicts["serve-065"]["condition"].startswith("the model is dense")
    assert speedup_by_hand(DEFAULTS, 1) < 1 < speedup_by_hand(DEFAULTS, 250), "the mixture does the contrary"


def test_every_drafted_token_attends_to_the_context():
    _, results = run(CHAPTER)
    dense, moe = (results[f"largest_paying_batch_{kind}"]["value"] for kind in ("dense", "moe"))
    for last, kind in ((dense, True), (moe, False)):
        below, above = (speedup_by_hand(DEFAULTS, last * f, dense=kind) for f in (0.9999, 1.0001))
        assert below > 1 > above
    assert (round(dense), round(moe)) == (105, 695)
    context = results["context_that_pays_at_1024"]["value"]
    below, above = (
        speedup_by_hand({**DEFAULTS, "context_tokens": context * f}, 1024, dense=True) for f in (0.9999, 1.0001)
    )
    assert below < 1 < above
    # 84 FLOP a byte: five tokens do 420 of them where the chip does 201 in the time of a byte
    chip = accelerator("A100 40GB")
    most = 2.7731 / (4 * 0.05 + 5 * 84 / (chip.peak("bf16") / chip.memory_bandwidth))
    assert results["speedup_endless_context"]["value"] == pytest.approx(most, rel=1e-9)
    assert speedup_by_hand({**DEFAULTS, "context_tokens": 10**12}, 1024, dense=True) == pytest.approx(most, rel=1e-4)


def test_eight_key_value_heads_bring_the_gain_at_a_shorter_context():
    text = texts(CHAPTER)
    assert "drafting pays from a context of about 10,900 tokens on" in text
    sides = [speedup_by_hand({**DEFAULTS, "context_tokens": n}, 1024, dense=True, kv_heads=8) for n in (10_850, 10_950)]
    assert sides[0] < 1 < sides[1]


def test_the_values_worth_trying_do_what_the_page_says():
    page = CHAPTER.read_text()
    assert "`-p acceptance 0.15`" in page and "`-p context_tokens 500000`" in page
    before = run(CHAPTER)[0]
    poor = run(CHAPTER, acceptance=0.15)[0]
    assert {name for name in poor if poor[name]["verdict"] != before[name]["verdict"]} == {"serve-064", "serve-065"}
    sides = [run(CHAPTER, context_tokens=n)[0]["serve-065"]["verdict"] for n in (131_072, 500_000)]
    assert sides == ["holds if", "fails"]


def test_speedups_of_chen_are_from_their_times():
    rows = load("serving_validation").set_index("id")
    row = rows.loc["spec-chen-XSumnucleus"]
    ours = float(rows.published_value["spec-chen-base"]) / float(row.published_value)
    assert f"{ours:.3f}" in row.notes and "(printed 1.92)" in row.notes
    text = texts(CHAPTER)
    assert f"{ours + 1e-9:.2f} where they print 1.92" in text and "print times only" not in text


def texts(path) -> str:
    """The Markdown that the stored chapter shows."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    shown = (output.get("data", {}).get("text/markdown", "") for cell in cells for output in cell.get("outputs", ()))
    return "\n".join("".join(part) for part in shown)


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


def test_the_number_that_engines_log_gives_the_same_chapter():
    logged = speculation.drafted_share(0.6, 3)
    _, conditional = run(CHAPTER, acceptance=0.6, draft_tokens=3)
    _, drafted = run(CHAPTER, acceptance=logged, acceptance_is="drafted", draft_tokens=3)
    assert {name: result["value"] for name, result in drafted.items()} == pytest.approx(
        {name: result["value"] for name, result in conditional.items()}, rel=1e-5
    )
