"""The chapter under other assumptions, each result held against arithmetic done by hand."""

import pytest
from chapter import Chapter, equal, refuses

from llm_economics.facts import accelerator

CHAPTER = Chapter("gpt4-serving-bill")
ACTIVE, SHARED, EXPERT = 277e9, 55e9, 111e9


def user_speed(p, batch, stages=None, efficiency=1.0, card="A100 40GB") -> float:
    """Tokens per second of one user: every stage in turn reads its shared weights and the distinct experts."""
    size = {"bf16": 2, "fp8": 1}[p["weight_format"]]
    chip = accelerator(card)
    micro = max(1.0, batch / (stages or p["pipeline_stages"]))
    distinct = 16 * (1 - (1 - 2 / 16) ** micro)
    read = size * (SHARED + distinct * EXPERT) + micro * 61440 * 8192
    memory = read / (8 * chip.memory_bandwidth * efficiency)
    attention = 4 * 120 * 84 * 128 * 8192  # over the context
    return 1 / max(memory, micro * (2 * ACTIVE + attention) / (8 * chip.peak("bf16")))


def expected(p: dict) -> dict[str, float]:
    """The named results by hand."""
    hourly = p["a100_usd_per_hour"]
    floor = hourly / 3600 / (312e12 / (2 * ACTIVE)) * 1000
    rent = 128 * hourly / 3600 / 0.0049 * 1000
    by_bandwidth = user_speed(p, p["serving_batch"], 16, p["bandwidth_efficiency"]) * p["serving_batch"]
    return {
        "floor_cents_a100": 100 * floor,
        "likely_cents_a100": 100 * floor / p["serving_mfu"],
        "peak_share_if_cents": floor / 0.000049,
        "peak_share_if_dollars": floor / 0.0049,
        "tokens_per_second_one_user": user_speed(p, 1),
        "tokens_per_second_per_user": user_speed(p, p["serving_batch"]),
        "cents_if_speed_and_batch": 100 * 128 * hourly / 3600 / (4000 * 8.33) * 1000,
        "speed_if_batch_and_cost": rent / 4000,
        "batch_if_speed_and_cost": rent / 8.33,
        "cents_by_bandwidth": 100 * 128 * hourly / 3600 / by_bandwidth * 1000,
        "output_price_over_cost": 0.06 / (floor / p["serving_mfu"]),
        "deepseek_decode_cents": 100 * 8 * p["h100_usd_per_hour"] / 3600 / 14800 * 1000,
    }


test_results_equal_arithmetic_by_hand = equal(
    CHAPTER,
    expected,
    dict(serving_mfu=0.3, a100_usd_per_hour=4.1, serving_batch=500, bandwidth_efficiency=0.5),
    dict(weight_format="fp8", pipeline_stages=8, h100_usd_per_hour=3.0),
    apart=None,
    rel=1e-6,
)


def test_solved_batches_are_where_they_say():
    results = CHAPTER.results()
    users, requests = (results[n] for n in ("users_at_reading_speed", "requests_for_printed_dollars"))
    assert user_speed(CHAPTER.defaults, users) == pytest.approx(8.33, rel=1e-6)
    assert 128 / 3600 / (requests * user_speed(CHAPTER.defaults, requests)) * 1000 == pytest.approx(0.0049, rel=1e-6)


def test_the_figure_keeps_one_promise_or_none_and_changes_where_the_chapter_says():
    said, results = CHAPTER.moved("batch"), CHAPTER.results()
    assert all(title.endswith("; the printed cents hold at no batch") for title, _ in said.values())
    for batch, (title, readout) in said.items():
        speed, paid = batch <= results["users_at_reading_speed"], batch >= results["requests_for_printed_dollars"]
        assert not (speed and paid) and ("neither" in title) == (not speed and not paid), title
        assert "reading speed holds, the price in dollars does not" in title if speed else "speed holds," not in title
        each = user_speed(CHAPTER.defaults, batch)
        assert readout == f"{each:.3g} tokens/s each, {100 * 128 / 3600 / (batch * each) * 1000:.3g} cents"
    assert {4000, int(results["users_at_reading_speed"])} < set(said)


def test_the_numbers_of_the_argument():
    verdicts, results = CHAPTER.run()[0], CHAPTER.results()
    assert len(verdicts) == 17
    assert results["peak_share_if_cents"] > 10, "no card runs at ten times its peak"
    assert 0.05 < results["peak_share_if_dollars"] < 0.15
    found = CHAPTER.verdicts()
    assert found["serve-057"] == found["serve-058"] == "unit slip"
    assert verdicts["serve-043"]["immaterial"], "120 billion, which “about 130” may be, give the 30 that are not less"
    assert found["serve-043"] == "fails" and found["serve-042"] == found["serve-014"] == "holds if"
    assert verdicts["serve-043"]["computed_value"] == pytest.approx(130e9 * 2 / 8 / 1e9)


def test_verdicts_flip_where_they_say():
    for claim, name in (("serve-057", "serving_mfu"), ("serve-058", "h100_serving_mfu")):
        assert CHAPTER.sides(claim, name) == ["unit slip", "fails"]
    found = [CHAPTER.verdict("serve-040", pipeline_stages=n) for n in (15, 16)]
    assert found == ["fails", "adds up"]


def test_reading_speed_holds_for_the_users_that_share_the_cards():
    """The sentence names no batch: the number of users is its condition, not the batch of another claim."""
    claim = CHAPTER.run()[0]["serve-014"]
    users = next(n for n in range(1, 4000) if user_speed(CHAPTER.defaults, n + 1) < 8.33)
    assert users == int(claim["flips_at"]["value"]) == 59
    assert f"at most {users} users share 128 A100s of 40 GB" in claim["condition"]
    assert user_speed(CHAPTER.defaults, 4000) < 8.33 and "with that of §7 it would fail" in claim["reason"]
    dense = 8 * accelerator("A100 40GB").memory_bandwidth / (2 * (SHARED + 16 * EXPERT))
    assert dense < 8.33 < user_speed(CHAPTER.defaults, 1), "sparsity is what makes it possible"
    assert CHAPTER.run(serving_batch=48)[0]["serve-014"] == claim


def test_the_later_speed_of_the_api_refutes_the_leaked_batch_even_in_8_bits():
    bits, early, later = {**CHAPTER.defaults, "weight_format": "fp8"}, 1000 / 196, 1000 / 94
    assert user_speed(CHAPTER.defaults, 4000) < early < user_speed(bits, 4000) < 8.33 < later
    fits = CHAPTER.results()["batch_that_fits_later_speed"]
    assert user_speed(bits, fits) == pytest.approx(later, rel=1e-6)
    assert user_speed(bits, 4000, card="H100") > later
    text = CHAPTER.prose("OpenAI's API gave")
    assert "The later speed **refutes** that batch even in 8 bits" in text
    assert "the earlier speed does not refute it" in text


test_bad_values_stop_with_one_line = refuses(
    CHAPTER,
    ({"serving_mfu": 1.5}, "serving_mfu = 1.5 is not allowed: it must be above 0 and at most 1"),
    ({"serving_batch": 0}, "serving_batch = 0 is not allowed: it must be at least 1 and at most 1e+06"),
    ({"a100_usd_per_hour": -1.0}, "a100_usd_per_hour = -1.0 is not allowed: it must be above 0 and at most 100"),
)
