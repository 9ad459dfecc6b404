"""Price per token: by hand, round trips, owning against renting, refusals."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_economics.facts.units import Q
from llm_economics.formulas import cost
from llm_economics.formulas.elementwise import ParameterError

DATA = Path(__file__).parents[1] / "data"
with (DATA / "serving_validation.csv").open(encoding="utf-8") as file:
    ROWS = {row["id"]: row for row in csv.DictReader(file)}
prices, rates, shares, counts = st.floats(0.01, 100), st.floats(0.1, 1e6), st.floats(0.01, 1), st.integers(1, 10_000)


def test_by_hand_with_its_3600():
    assert cost.usd_per_million_tokens(2.0, 2, 7.407407407) == pytest.approx(150)
    assert cost.usd_per_million_tokens(3.6, 1, 1000) == pytest.approx(1.0)
    assert cost.throughput_for(150, 98.32 / 8, 8) == pytest.approx(98.32 / 3600 / 150e-6)


def test_trap_prices_off_by_a_million():
    per_token = cost.usd_per_token(2 * 8 / 3600, 1000)
    assert cost.usd_per_million_tokens(2, 8, 1000) == pytest.approx(per_token * 1e6)
    assert cost.request_usd(1_000_000, 0, 30, 60) == pytest.approx(30)
    assert cost.request_usd(500, 500, 30, 60) == pytest.approx(0.045)


@given(price=prices, n=counts, rate=rates, share=shares)
def test_every_inverse_comes_back(price, n, rate, share):
    usd = cost.usd_per_million_tokens(price, n, rate, share)
    assert cost.throughput_for(usd, price, n, share) == pytest.approx(rate, rel=1e-9)
    assert cost.utilisation_for(usd, price, n, rate) == pytest.approx(share, rel=1e-9)
    assert cost.price_for(usd, n, rate, share) == pytest.approx(price, rel=1e-9)


@given(price=prices, n=counts, rate=rates, share=shares)
def test_cost_scales_with_price_and_falls_with_use(price, n, rate, share):
    usd = cost.usd_per_million_tokens(price, n, rate, share)
    assert cost.usd_per_million_tokens(2 * price, n, rate, share) == pytest.approx(2 * usd)
    assert cost.usd_per_million_tokens(price, n, 2 * rate, share) == pytest.approx(usd / 2)
    assert cost.usd_per_million_tokens(price, n, rate) <= usd * (1 + 1e-12)


@given(price=prices, n=counts, rate=rates, api=st.floats(0.01, 200))
def test_breakeven_tokens_are_what_the_breakeven_utilisation_makes(price, n, rate, api):
    tokens = cost.rent_breakeven_tokens(price, n, api)
    made_when_full = rate * 3600 * cost.HOURS_PER_MONTH
    assert tokens / made_when_full == pytest.approx(cost.utilisation_for(api, price, n, rate), rel=1e-9)


def test_deepseek_published_day():
    assert cost.request_usd(266e9, 0, 0.55, 0) + cost.request_usd(342e9, 168e9, 0.14, 2.19) == pytest.approx(
        float(ROWS["ds-4"]["published_value"]), rel=2e-4
    )
    tokens_per_second = 168e9 / 86400
    usd = cost.usd_per_million_tokens(2.0, 226.75 * 8, tokens_per_second)
    assert usd * 168e9 / 1e6 == pytest.approx(float(ROWS["ds-3"]["published_value"]), rel=1e-9)


def test_blended_price():
    assert cost.blended_price(30, 60, 0.75) == pytest.approx(37.5)
    assert cost.blended_price(30, 60, 0.75) == pytest.approx(cost.request_usd(3e6, 1e6, 30, 60) / 4)


def test_ownership_by_hand():
    parts = cost.ownership(
        8766 * 4, 4, power_kw=2, load=0.5, pue=1.2, usd_per_kwh=0.10, hosting_usd_per_hour=0.05, residual_share=0.25
    )
    assert (parts.capital, parts.power, parts.hosting) == pytest.approx((0.75, 0.12, 0.05))
    assert parts.total == pytest.approx(0.92)
    assert cost.ownership_usd_per_hour(8766 * 4, 4, residual_share=0.25) == pytest.approx(0.75)


@given(life=st.floats(1, 10), rate=st.floats(0.01, 0.3), residual=st.floats(0, 1))
def test_an_annuity_repays_the_purchase_with_interest(life, rate, residual):
    whole_years = round(life)
    yearly = cost.ownership(100.0, whole_years, cost_of_capital=rate, residual_share=residual).capital * 8766
    present = sum(yearly / (1 + rate) ** year for year in range(1, whole_years + 1))
    assert present + 100 * residual / (1 + rate) ** whole_years == pytest.approx(100, rel=1e-9)
    assert yearly >= 100 * (1 - residual) / whole_years * (1 - 1e-9)


def test_no_interest_is_the_limit_of_little_interest():
    little = cost.ownership_usd_per_hour(1e5, 4, cost_of_capital=1e-7)
    assert cost.ownership_usd_per_hour(1e5, 4) == pytest.approx(little, rel=1e-6)


def test_owning_pays_back_after_hours_or_never():
    assert cost.own_breakeven_hours(20_000, 0.5, 2.5) == pytest.approx(10_000)
    assert cost.own_breakeven_hours(20_000, 2.5, 2.5) == float("inf")
    assert cost.own_breakeven_hours(20_000, 0.5, np.array([0.4, 2.5])).tolist() == [float("inf"), 10_000]


def test_arrays_and_scalars_agree():
    rates_array = np.array([1.0, 10.0, 1000.0])
    for function in (
        lambda rate: cost.usd_per_million_tokens(2, 8, rate, 0.5),
        lambda rate: cost.utilisation_for(30, 2, 8, rate),
        lambda rate: cost.price_for(30, 8, rate),
        lambda rate: cost.ownership(1e5 * rate, 4, cost_of_capital=0.1).total,
    ):
        assert function(rates_array).tolist() == pytest.approx([function(rate) for rate in rates_array.tolist()])


def test_quantities_carry_their_own_scale():
    price, rate = Q(2, "USD/GPU/hour"), Q(1000, "token/s")
    usd = cost.usd_per_million_tokens(price, Q(8, "GPU"), rate, 0.5)
    assert usd.to("USD/Mtoken").magnitude == pytest.approx(cost.usd_per_million_tokens(2, 8, 1000, 0.5))
    target = Q(30, "USD/Mtoken")
    needed = cost.throughput_for(target, price, Q(8, "GPU"))
    assert needed.to("token/s").magnitude == pytest.approx(cost.throughput_for(30, 2, 8))
    assert cost.utilisation_for(target, price, Q(8, "GPU"), rate).to("").magnitude == pytest.approx(
        cost.utilisation_for(30, 2, 8, 1000)
    )
    bid = cost.price_for(target, Q(8, "GPU"), rate)
    assert bid.to("USD/GPU/hour").magnitude == pytest.approx(cost.price_for(30, 8, 1000))
    asked = cost.request_usd(Q(500, "token"), Q(500, "token"), target, 2 * target)
    assert asked.to("USD").magnitude == pytest.approx(0.045)
    tokens = cost.rent_breakeven_tokens(price, Q(8, "GPU"), target, Q(cost.HOURS_PER_MONTH, "hour/month"))
    assert tokens.to("token/month").magnitude == pytest.approx(cost.rent_breakeven_tokens(2, 8, 30))


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: cost.usd_per_million_tokens(-1, 8, 100), "price_per_accelerator_hour = -1 is not allowed"),
        (lambda: cost.usd_per_million_tokens(2, 0, 100), "accelerators = 0 is not allowed"),
        (lambda: cost.usd_per_million_tokens(2, 8, 0), "tokens_per_second = 0 is not allowed"),
        (lambda: cost.usd_per_million_tokens(2, 8, 100, 0), "utilisation = 0 is not allowed"),
        (lambda: cost.usd_per_million_tokens(2, 8, 100, 1.2), "utilisation = 1.2 is not allowed"),
        (lambda: cost.throughput_for(0, 2, 8), "usd_per_million = 0 is not allowed"),
        (lambda: cost.throughput_for(30, 2, 8, 0), "utilisation = 0 is not allowed"),
        (lambda: cost.price_for(30, 8, 100, 2), "utilisation = 2 is not allowed"),
        (lambda: cost.price_for(30, 0, 100), "accelerators = 0 is not allowed"),
        (lambda: cost.request_usd(-1, 0, 1, 1), "input_tokens = -1 is not allowed"),
        (lambda: cost.blended_price(1, -1, 0.5), "output_price = -1 is not allowed"),
        (lambda: cost.blended_price(1, 1, 1.5), "input_share = 1.5 is not allowed"),
        (lambda: cost.rent_breakeven_tokens(2, 8, -30), "usd_per_million = -30 is not allowed"),
        (lambda: cost.ownership(-1, 4), "purchase_usd = -1 is not allowed"),
        (lambda: cost.ownership(1, 0), "life_years = 0 is not allowed"),
        (lambda: cost.ownership(1, 4, pue=0.9), "pue = 0.9 is not allowed"),
        (lambda: cost.ownership(1, 4, usd_per_kwh=-0.1), "usd_per_kwh = -0.1 is not allowed"),
        (lambda: cost.own_breakeven_hours(1, -1, 2), "running_usd_per_hour = -1 is not allowed"),
    ],
)
def test_bad_input_gets_one_clear_line(call, line):
    with pytest.raises(ParameterError) as error:
        call()
    assert str(error.value).startswith(line) and "\n" not in str(error.value)
