"""The chapter under other assumptions, each result held against the library called directly."""

import pytest
from chapter import Chapter, equal, flips, refuses

from llm_economics import facts
from llm_economics.formulas import training

CHAPTER = Chapter("llama3-cluster-sizing")


def expected(p: dict) -> dict[str, float]:
    """The named results, from the library and from data alone."""
    n_8b, n_70b = (float(facts.load("models").set_index("model").params_exact[f"Llama 3 {m} (=3.1 {m})"])
                   for m in ("8B", "70B"))  # fmt: skip
    peak = facts.accelerator("H100").peak(p["precision"])
    seconds = p["gpu_hours_70b"] * 3600
    work = training.training_flops(n_70b, p["train_tokens"])
    cards = training.solve("accelerators", accelerator_time=seconds, wall_time=p["window_days"] * 86400)
    return {
        "cards_in_window": cards,
        "cluster_for_cycle": cards * p["cycle_per_pretraining"],
        "mfu_70b": training.solve("mfu", flops=work, peak_flops=peak, accelerator_time=seconds),
        "mfu_8b": training.mfu(training.training_flops(n_8b, p["train_tokens"]), p["gpu_hours_8b"] * 3600, peak),
        "tokens_per_parameter_70b": training.tokens_per_parameter(p["train_tokens"], n_70b),
        "data_growth_over_llama2": p["train_tokens"] / 2e12,
        "ms_per_step_if_batch_were_8k": 1e3 * p["window_days"] * 86400 * 8192 / p["train_tokens"],
        "usd_70b": training.cost(p["gpu_hours_70b"], p["h100_usd_per_hour"]),
        "hours_70b_at_assumed_mfu": training.accelerator_time(work, peak, p["mfu"]) / 3600,
        "run_level_mfu_405b": 6 * 405853388800 * 15.6e12 / (30.84e6 * 3600 * 989.4e12),
        "days_405b": 30.84e6 / 16384 / 24,
        "hours_between_interruptions": 54 * 24 / 419,
        "interruptions_70b": p["gpu_hours_70b"] / (54 * 24 / 419 * 16384),
    }


test_results_equal_the_library = equal(
    CHAPTER,
    expected,
    dict(window_days=60.0, mfu=0.45, h100_usd_per_hour=1.5, gpu_hours_8b=1.2e6),
    dict(precision="fp8", train_tokens=20e12, gpu_hours_70b=7e6, cycle_per_pretraining=2.0),
)


def test_the_numbers_of_the_argument():
    results = CHAPTER.results()
    assert round(results["cards_in_window"]) == 2963
    assert results["mfu_8b"] == pytest.approx(0.156, abs=5e-4)
    assert results["mfu_70b"] == pytest.approx(0.279, abs=5e-4)
    found = CHAPTER.verdicts()
    assert len(found) == 25
    assert {name for name, verdict in found.items() if verdict == "fails"} == {
        "llama3-002", "llama3-013", "llama3-015", "llama3-020",
    }  # fmt: skip
    assert found["llama3-009"] == "holds" and found["llama3-011"] == "holds if"


def test_sizes_are_exact_counts_wherever_a_claim_names_one():
    """The nominal 405 billion would lie exactly on the edge of the tolerance; the weights have more."""
    verdicts, _ = CHAPTER.run()
    counts = facts.load("models").set_index("model").params_exact
    small, large, largest = (
        float(counts[name]) for name in ("Llama 3 8B (=3.1 8B)", "Llama 3 70B (=3.1 70B)", "Llama 3.1 405B")
    )
    assert verdicts["llama3-001"]["computed_value"] == [8e9, 70e9], "the names, which the counts round to"
    assert verdicts["llama3-002"]["computed_value"] == pytest.approx(largest, rel=1e-5)
    assert verdicts["llama3-002"]["ratio"] == pytest.approx(1.01463, abs=1e-5)
    assert "on the edge" in verdicts["llama3-002"]["flips_at"]
    assert verdicts["llama3-013"]["computed_value"] == pytest.approx(large / small, rel=1e-5)


def test_output_capacity_is_held_against_output_limits():
    """Level with one of the four rivals, twice the other three; windows, where all are far ahead, are not output."""
    row = CHAPTER.run()[0]["llama3-021"]
    rivals = [4096, 4096, 8192, 4096]  # GPT-4 Turbo, Claude 3 Opus, Gemini 1.5 Pro, Command R+
    names = ("gpt_4_turbo", "claude_3_opus", "gemini_1_5_pro", "command_r_plus")
    assert [facts.fact("llama3", f"max_output_{name}", "token") for name in names] == rivals
    assert row["computed_value"] == "8,192 tokens of output against 4,096 to 8,192"
    assert row["verdict"] == "holds if"
    assert "2 times that of 3 of the 4 does not count" in row["condition"]


def test_the_optimum_of_the_70b_grows_with_its_parameters():
    reason = CHAPTER.run()[0]["llama3-016"]["reason"]
    ratio = 70_553_706_496 / 8_030_261_248
    assert ratio == pytest.approx(8.79, abs=5e-3)
    assert "8.79 times as many, 1.76 trillion" in reason and "seven" not in reason


test_verdicts_flip_where_they_say = flips(
    CHAPTER,
    ("llama3-011", "cycle_per_pretraining", "fails", "holds if"),
    ("llama3-009", "window_days", "holds", "fails"),
    ("llama3-014", "gpu_hours_8b", "fails", "holds if"),
    ("llama3-006", "train_tokens", "fails", "holds"),
)


def test_the_window_of_sixty_days_flips_the_cluster():
    verdicts, _ = CHAPTER.run(window_days=60.0)
    assert verdicts["llama3-009"]["verdict"] == "fails"
    assert verdicts["llama3-011"]["verdict"] == "fails"


def test_parameters_start_from_the_published_facts():
    assert facts.fact("llama3", "gpu_hours_70b", "GPU-hour") == CHAPTER.defaults["gpu_hours_70b"]
    assert facts.fact("llama3", "gpu_hours_8b", "GPU-hour") == CHAPTER.defaults["gpu_hours_8b"]
    assert facts.fact("llama3", "pretraining_tokens_min", "token") == CHAPTER.defaults["train_tokens"]


test_bad_values_stop_with_one_line = refuses(
    CHAPTER,
    ({"mfu": 1.2}, "mfu = 1.2 is not allowed: it must be above 0 and at most 1"),
    ({"window_days": 0}, "window_days = 0 is not allowed: it must be above 0 and at most 3650"),
    ({"h100_usd_per_hour": -1}, "h100_usd_per_hour = -1 is not allowed: it must be above 0 and at most 100"),
    ({"precision": "fp4"}, "precision = 'fp4' is not allowed: H100 SXM5 80GB has dense peaks for "
                           "bf16, fp16, fp8, int8"),
    ({"mfu": "high"}, "mfu = 'high' is not allowed: it must be a number (fraction)"),
)  # fmt: skip
