"""The chapter under other assumptions, each result held against the library called directly."""

import json
from math import exp, log, sqrt
from statistics import NormalDist, linear_regression

import pandas as pd
import pytest
from chapter import Chapter, equal, refuses

from llm_economics import facts
from llm_economics.book import claims
from llm_economics.formulas import cost, training

CHAPTER = Chapter("how-it-aged")
LISTS = {2024.96: 0.88, 2025.54: 0.60, 2025.87: 0.30, 2026.87: 0.30}  # third-cheapest seller of a Llama 70B


def trend(points):
    """Value at a time and factor per year of a straight line through the logarithms."""
    slope, start = linear_regression(list(points), [log(value) for value in points.values()])
    return (lambda when: exp(start + slope * when)), exp(slope)


def rent_at_least(price, when):
    """A random walk through Lambda's three prices of a card in a machine of eight H100s with SXM."""
    moves = log(2.99 / 3.49) ** 2 + log(3.99 / 2.99) ** 2
    seen = 2026 + 4.5 / 12 - (2024 + 0.5 / 12)  # January 2024 to May 2026
    spread = sqrt(moves / seen * (when - 2026 - 4.5 / 12))
    return 1 - NormalDist(log(3.99), spread).cdf(log(price))


def expected(p: dict) -> dict[str, float]:
    """The named results, from the library and from data alone."""
    active = p["gpt4_shared_parameters"] + p["gpt4_experts_per_token"] * p["gpt4_expert_parameters"]
    flops = training.training_flops(active, p["gpt4_train_tokens"])
    work = training.accelerator_time(flops, facts.accelerator("H100").peak("bf16"), p["mfu"])
    day = pd.Timestamp("2026-12-01") + pd.Timedelta(days=30.44 * p["months_ahead"])
    when = day.year + day.day_of_year / 365.25
    at_end = [trend({t: v for t, v in LISTS.items() if t != gone})[0](when) for gone in LISTS]
    floor = cost.usd_per_million_tokens(2.90, 1, 12953.38)
    price = sqrt(max(floor, trend(LISTS)[0](when)) * 0.30)
    spread = log(max(floor, max(at_end)) / max(floor, min(at_end))) / 2 + 0.2
    _, r1_growth = trend({2025.69: 2907.33, 2026.23: 8063.75, 2026.58: 16331.8})
    r1 = 16331.8 * r1_growth ** (0.5 * (when - 2026.58))
    _, google_growth = trend({2025.38: 4.8e14, 2025.56: 9.8e14, 2026.38: 3.2e15})
    google = 3.2e15 * google_growth ** (0.5 * (when - 2026.38))
    site = 3.5e10 * 2 ** (12 * (when - 2026.45) / 14)
    return {
        "price_gpt4_level_2026": 0.30, "fall_gpt4_level": 200.0, "companies_over_8192": 12,
        "fall_gpt4_level_per_year": (60 / 0.30) ** (1 / (2025.87 - 2023.2)),
        "gb200_too_modest": 4, "gb200_too_bold": 8,
        "cards_for_a_gpt4": work / (p["window_days"] * 86400),
        "usd_for_a_gpt4": training.cost(work / 3600, p["h100_usd_per_hour"]),
        "tests_won_405b": 13, "months_to_double_after_2024": 403 / 30.44 / 2, "weeks_to_405b": 83 / 7,
        "cost_floor_70b": floor,
        "forecast_price_gpt4_level": price,
        "probability_price_at_most_0_25": NormalDist(log(price), spread).cdf(log(0.25)),
        "forecast_h100_rent": 3.99,
        "probability_rent_at_least_2_99": rent_at_least(2.99, when),
        "forecast_r1_tokens_per_second": r1,
        "probability_r1_doubles": 1 - NormalDist(log(r1), 0.8).cdf(log(2 * 16331.8)),
        "forecast_google_tokens": google,
        "forecast_dearest_site": site,
        "probability_site_over_100_billion": 1 - NormalDist(log(site), 0.5).cdf(log(1e11)),
    }  # fmt: skip


OTHERS = [
    dict(months_ahead=25.0, mfu=0.30, h100_usd_per_hour=2.95),
    dict(gpt4_train_tokens=26e12, window_days=45.0, gpt4_experts_per_token=4, months_ahead=6.0),
]
test_results_equal_the_library = equal(
    CHAPTER,
    expected,
    *OTHERS,
    apart=("probability_google_1e16", "forecasts_came_true"),
)


def test_forecasts_that_came_true_are_counted():
    for changes in ({}, *OTHERS):
        came = list(CHAPTER.verdicts(**changes).values()).count("came true")
        assert CHAPTER.results(**changes)["forecasts_came_true"] == came


def test_forecasts_can_be_scored():
    _, results = CHAPTER.run()
    chances = {name: row for name, row in results.items() if name.startswith("probability_")}
    assert len(chances) == 5 == sum(name.startswith("forecast_") for name in results)
    for row in chances.values():
        assert 0.05 < row["value"] < 0.95
        assert row["note"].startswith("resolve: ") and "December 2027" in row["note"]
    further = CHAPTER.run(months_ahead=25.0)[1]
    assert further["probability_site_over_100_billion"]["value"] > chances["probability_site_over_100_billion"]["value"]


def test_the_verdicts():
    verdicts, _ = CHAPTER.run()
    found = CHAPTER.verdicts()
    assert len(found) == 21
    missed = {name for name, verdict in found.items() if verdict == "did not come true"}
    assert missed == {"train-028", "cerebras-035", "fc-005"}
    assert {name for name, v in found.items() if v == "open"} == {"fc-002", "fc-004", "fc-006", "fc-011", "fc-014"}
    assert found["fc-015"] == "holds if" and sum(v == "came true" for v in found.values()) == 5
    parts = {name for name, verdict in found.items() if verdict == "in part"}
    assert parts == {"fc-001", "fc-008", "fc-009", "fc-010", "fc-012", "fc-013", "fc-016"}
    assert "an H800" in verdicts["train-026"]["condition"] and verdicts["train-026"]["computed_value"] == 12


def test_the_verdict_on_the_compute_flips_where_it_says():
    assert CHAPTER.sides("fc-003", "mfu") == ["did not come true", "came true"]
    assert CHAPTER.verdict("fc-003", window_days=12.0) == "did not come true"


def aging() -> dict[str, float]:
    """What the figure of stated ÷ found shows."""
    chart = next(chart for chart in CHAPTER.charts if "On the GB200" in json.dumps(chart["title"]))
    rows = [row for rows in chart["datasets"].values() for row in rows if "forecast" in row]
    return {row["forecast"]: row["stated ÷ found"] for row in rows}


def test_the_reader_can_leave_each_list_out():
    picker = next(chart for chart in CHAPTER.charts if "left out" in json.dumps(chart.get("params", [])))
    assert '"without 2025-07"' in json.dumps(picker["params"])


def test_the_clock_of_the_price_starts_at_the_release():
    chart = next(chart for chart in CHAPTER.charts if "200-fold" in json.dumps(chart["title"]))
    rows = [row for rows in chart["datasets"].values() for row in rows if row.get("USD") == 60]
    assert {row["series"] for row in rows} == {"OpenAI's flagship", "GPT-4's level"}
    assert len({row["when"] for row in rows}) == 1
    assert (
        "in 3.7 years" in CHAPTER.prose()
        and "7.27 times a year" in CHAPTER.prose()
        and "slower than GPT-3's 10.1" in CHAPTER.prose()
    )


def test_ratios_of_numbers_are_those_of_their_cells():
    """A stated range counts from its nearer end and as one inside; of a found range the middle counts."""
    aged, cell = facts.load("aged").set_index("id"), r"[\d.]+(-[\d.]+)?"
    cells = ["predicted_value", "outcome_value", "ratio_predicted_to_outcome"]
    numeric = aged[aged[cells].apply(lambda column: column.astype(str).str.fullmatch(cell)).all(axis=1)]
    numeric = numeric[~numeric.ratio_predicted_to_outcome.astype(str).str.contains("-")]
    assert len(numeric) >= 20
    for key, (stated, found, ratio) in numeric[cells].iterrows():
        stated, found = ([float(part) for part in str(text).split("-")] for text in (stated, found))
        middle = sqrt(found[0] * found[-1])
        nearest = stated[0] if middle < stated[0] else stated[-1] if middle > stated[-1] else middle
        assert float(ratio) == pytest.approx(nearest / middle, rel=0.02), key


def test_the_rows_on_the_gb200_are_those_of_the_measurements():
    aged = facts.load("aged").set_index("id").outcome_value
    pairs = facts.load("inferencemax_iso_interactivity")
    pairs = pairs[pairs.comp.eq("gb200-fp4-none") & pairs.base.isin(["h200-fp8-none", "h100-fp4-none"])]
    at = pairs.set_index(["model", "isl", "interactivity_tok_s_user"])
    r1, gpt_oss = "DeepSeek-R1-0528", "gpt-oss-120b"
    assert float(aged["C1"]) == pytest.approx(at.cost_ratio[r1, 8192, 20], abs=0.05)
    assert float(aged["C2"]) == pytest.approx(at.cost_ratio[r1, 1024, 20], abs=0.05)
    at_50_ms = [float(part) for part in aged["D2"].split("-")]
    assert at_50_ms == pytest.approx([at.perf_ratio[r1, 8192, 20], at.perf_ratio[r1, 1024, 20]], abs=0.051)
    for key, prompt in (("C4", 1024), ("C9", 8192)):
        seen = pairs[(pairs.model == gpt_oss) & (pairs.isl == prompt) & pairs.interactivity_tok_s_user.between(20, 75)]
        assert aged[key] == f"{seen.cost_ratio.min():.1f}-{seen.cost_ratio.max():.1f}"


def test_numbers_agree_with_the_chapters_that_they_come_from():
    results, verdicts = claims.results(), claims.verdicts()
    shown = aging()
    assert len(shown) == 21

    def ratio(part):
        return next(value for name, value in shown.items() if part in name)

    assert ratio("batch of 32") == pytest.approx(
        150 / results["token-cost"]["usd_batch_32_measured"]["value"], rel=1e-4
    )
    assert ratio("batch one") == pytest.approx(150 / results["token-cost"]["usd_batch_one_measured"]["value"], rel=1e-4)
    assert ratio("bound") == pytest.approx(1 / results["cerebras-sram"]["sram_share_70b"]["value"], rel=1e-4)
    assert ratio("200 MB") == pytest.approx(200 / verdicts["cerebras-017"]["computed_value"], rel=1e-4)
    assert ratio("7,000") == pytest.approx(7000 / verdicts["cerebras-027"]["computed_value"], rel=1e-4)
    assert ratio("R1, 8k prompts, 20") == 1  # inside the stated range: a hit
    token_cost = (CHAPTER.path.parent / "token-cost.ipynb").read_text(encoding="utf-8")
    assert f"{ratio('B200 of 2026'):.0f} times below" in token_cost
    assert "21 times too high" in CHAPTER.prose() and "496 times by 2026" in CHAPTER.prose()


def test_the_thirty_is_shown_at_the_stated_limit_too():
    shown = aging()
    assert shown["30 times per GPU, at the fastest point"] < 1 < shown["30 times per GPU, at the stated 50 ms"]
    assert "missed at the stated 50 ms" in CHAPTER.prose()


test_bad_values_stop_with_one_line = refuses(
    CHAPTER,
    ({"mfu": 1.2}, "mfu = 1.2 is not allowed: it must be above 0 and at most 1"),
    ({"months_ahead": 0}, "months_ahead = 0 is not allowed: it must be above 0 and at most 120"),
    ({"gpt4_experts_per_token": 1.5}, "gpt4_experts_per_token = '1.5' is not allowed: it must be a whole number "
                                      "(expert)"),
)  # fmt: skip
