"""The chapter under other assumptions, each result held against the library called directly."""

import json
from math import ceil

import pytest
from chapter import Chapter, equal, refuses

from llm_economics import facts
from llm_economics.formulas import architecture, cost, services, serving
from llm_economics.formulas.hardware import Link, System, bytes_per_value
from llm_economics.formulas.parallelism import Split

CHAPTER = Chapter("own-or-rent")
API, SPEED = 0.715, 3821.06  # USD per million, median seller of November 2026; token/s and H100, MLPerf v5.1, Server

TOGETHER = 32 * 12.458  # token/s of two A100s with 32 sequences, decoding; the prompts of 512 take 6.363 s


def total(name: str) -> float:
    return architecture.parameters(facts.model(name)).total


def forecast(cached_share: float) -> services.Forecast:
    """64 users of a 70B in eight bits on eight H100s, prompts of 4,096 tokens and answers of 512."""
    model = facts.served_models("Llama 3.3 70B")["bf16"]
    return services.forecast(
        model, facts.system("H100", 8), 64.0, 4096.0, 512.0, Split(tensor=8), weights="fp8", arithmetic="fp8", kv="fp8",
        cached_share=cached_share,
    )  # fmt: skip


def seconds(found: services.Forecast) -> float:
    """Of the eight cards for one request: each of 64 users asks again as soon as the answer is there."""
    return (found.ttft_s + 512 * found.tpot_s) / 64


def expected(p: dict) -> dict[str, float]:
    """The named results, from the library and from data alone."""
    h100 = facts.accelerator("H100")
    node = System("node", h100, 8, 8, Link("NVLink", h100.link_bandwidth))
    fp8 = serving.model_from_architecture(facts.model("Llama 3.1 405B"), weights="fp8")
    power = 10.2 / 8 * 0.8 * 1.3 * 0.08
    owned = cost.ownership_usd_per_hour(
        p["h100_purchase_usd"], p["life_years"], cost_of_capital=0.10, power_kw=10.2 / 8, load=0.8, pue=1.3,
        usd_per_kwh=0.08,
    )  # fmt: skip
    busy = p["h100_usd_per_hour"] * 8 / 3600 / (API / 1e6) / (8 * SPEED) / p["utilisation"]
    saved = p["h100_usd_per_hour"] - power
    fresh, cached = forecast(0.0), forecast(0.9)
    decoding = seconds(fresh) * (1 - fresh.terms.prompts_s / fresh.tpot_s)
    day = p["frequent_users"] * p["tokens_per_user_day"]
    return {
        "breakeven_tokens_per_month": 8 * p["h100_usd_per_hour"] * 730.5 / API * 1e6,
        "breakeven_busy_share": busy,
        "busy_share_gpt4_2023_with_prompts": 5.12
        * 1e6
        / 3600
        / 60
        * (1 / TOGETHER + 6.363 / 32 / 512)
        * 2
        / p["utilisation"],
        "owned_usd_per_hour": owned,
        "own_breakeven_years": p["h100_purchase_usd"] / saved / 8766,
        "owned_breakeven_tokens_per_month": 8 * owned * 730.5 / API * 1e6,
        "own_service_usd_output": 8 * p["h100_usd_per_hour"] / 3600 * decoding / 512 * 1e6,
        "own_service_cached_saving": 1 - seconds(cached) / seconds(fresh),
        "cards_for_weights": ceil(p["hosted_parameters"] * bytes_per_value(p["weight_format"]) / (80 * 2**30)),
        "sequences_405b_fp8": float(
            serving.capacity(
                fp8, node, 1, 8192, reserve_bytes=0.1 * 80 * 2**30 + 2.3e9 + 39 * 1024 * 128_256
            ).max_sequences
        ),
        "pc_ceiling_8b": 120e9 / ((total("Llama 3 8B") - 128256 * 4096) * 4.8944 / 8),  # of the table a row is read
        "small_model_gain": 49.3 - 47.8,
        "tokens_per_day_all_users": day,
        "cards_for_all_users": day / (168e9 / (226.75 * 8)) / p["utilisation"],
        "bytes_vision_over_text": 147.0,
        "chatgpt_weekly_users_april_2024": 1e8 * 2 ** (161 / 297),
    }


test_results_equal_the_library = equal(
    CHAPTER,
    expected,
    dict(h100_usd_per_hour=2.95, utilisation=0.3, hosted_parameters=6.7e11, tokens_per_user_day=500.0),
    dict(weight_format="int4", h100_purchase_usd=25000.0, life_years=5.0, frequent_users=2e8),
)


def test_the_verdicts():
    found = CHAPTER.verdicts()
    assert len(found) == 14 and "fails" not in found.values()
    assert found["cost-021"] == "holds if" and found["gpt4-037"] == "adds up"
    assert CHAPTER.verdict("cost-021", weight_format="fp8") == "fails"


def stored() -> str:
    return " ".join([CHAPTER.prose(), *(json.dumps(chart["title"]) for chart in CHAPTER.charts)])


def test_sentences_say_what_the_numbers_say():
    text = stored()
    ceiling = 120e9 / (4.26e9 - 32000 * 4096)
    assert f"{1 / 0.054 / ceiling:.1%} of the ceiling of {ceiling:.1f} that follows from the 4.26 GB" in text
    assert f"the 8B takes {total('Llama 3 8B') * 4.8944 / 8e9:.2f} GB" in text
    assert "The rent of the card and the price of the API decide, about equally" in text and "Above all" not in text
    assert "with the wait for the prompt the shares are 13.7% and 439%" in text


def test_rents_of_one_part_are_held_against_each_other():
    """Lambda's $1.99 of 2023 was for a card with PCIe: it belongs to no series of cards with SXM."""
    rows = facts.prices_of("H100", "on-demand")
    first = rows[(rows.vendor == "Lambda Labs") & (rows.price_date == "2023-06-20")].iloc[0]
    assert first.usd_per_gpu_hour == 1.99 and "PCIe" in first.gpu and "inferred" in first.notes
    text = stored()
    assert "\\$3.49 in January 2024, \\$2.99 in September and \\$3.99 in May 2026" in text
    assert "three years later" not in text


def test_the_verdict_on_eight_cards_flips_where_it_says():
    at = CHAPTER.run()[0]["cost-021"]["flips_at"]
    assert at["value"] == pytest.approx(7 * 80 * 2**30 / 2, rel=1e-5)
    assert CHAPTER.sides("cost-021", "hosted_parameters") == ["fails", "holds if"]


test_bad_values_stop_with_one_line = refuses(
    CHAPTER,
    ({"utilisation": 1.2}, "utilisation = 1.2 is not allowed: it must be above 0 and at most 1"),
    ({"life_years": 0}, "life_years = 0 is not allowed: it must be above 0 and at most 30"),
    ({"frequent_users": -1}, "frequent_users = -1 is not allowed: it must be above 0 and at most 1e+10"),
    ({"h100_purchase_usd": "dear"}, "h100_purchase_usd = 'dear' is not allowed: it must be a number (USD)"),
)
