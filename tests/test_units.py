"""Units: what is refused, what converts, and how numbers are printed."""

import math
import subprocess
import sys

import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_economics.facts.units import Q, expect, percent, registry, rounded, show, ureg, usd
from llm_economics.formulas.elementwise import ParameterError


@pytest.mark.parametrize(
    "refused",
    [
        lambda: 5 * ureg.byte + 3,
        lambda: Q(1, "FLOP") + Q(1, "FLOP/s"),
        lambda: Q(1, "GB") + Q(1, "GB/s"),
        lambda: Q(1, "byte") + Q(1, "FLOP"),
        lambda: Q(1, "token") + Q(1, "word"),
        lambda: Q(1, "parameter") + Q(1, "byte"),
        lambda: Q(1, "gpu*day").to("day"),
        lambda: Q(1, "USD/token").to("USD"),
        lambda: Q(1, "W").to("J"),
        lambda: Q(1, "USD").to("GB"),
    ],
)
def test_mixed_dimensions_are_refused(refused):
    with pytest.raises(pint.DimensionalityError):
        refused()


@pytest.mark.parametrize(
    ("value", "unit", "other", "converted"),
    [
        (150, "cent", "USD", 1.5),
        (1, "GiB", "GB", 1.073741824),
        (8, "bit", "byte", 1),
        (1, "device*hour", "device*s", 3600),
        (2, "GPU-hour", "card*hour", 2),
        (2e-6, "USD/token", "USD/Mtoken", 2),
        (0.0049, "cent/ktoken", "USD/Mtoken", 0.049),
        (15.6, "percent", "x", 0.156),
        (3.35, "TB/s", "GB/ms", 3.35),
        (1, "PFLOP/s", "TFLOP/s", 1000),
        (1, "EFLOP", "GFLOP", 1e9),
        (1, "TiB", "KiB", 2**30),
        (1, "kW*hour", "MJ", 3.6),
        (500, "us", "ms", 0.5),
        (1, "year", "month", 12),
        (1, "wafer", "accelerator", 1),
        (2.5, "USD/GPU-hour", "USD/chip/day", 60),
    ],
)
def test_conversions(value, unit, other, converted):
    assert Q(value, unit).to(other).magnitude == pytest.approx(converted, rel=1e-12)


def test_quantities_work_with_arrays_and_cancel():
    rates = Q(np.array([10.0, 20.0]), "token/s")
    price = (Q(3.6, "USD/hour") / rates).to("USD/Mtoken")
    assert price.magnitude == pytest.approx([100, 50])
    assert (Q(2, "USD/GPU/hour") * Q(8, "GPU") * Q(3, "hour")).to("USD").magnitude == 48
    assert Q(3, "x") + 1 == 4


def test_expect_passes_money_and_refuses_bare_numbers():
    assert expect(Q(250, "cent"), "USD").magnitude == 2.5
    with pytest.raises(ParameterError) as bare:
        expect(2.5, "USD", "price")
    assert str(bare.value) == "price = 2.5 is not allowed: it must be a quantity in USD, not a bare number"
    with pytest.raises(ParameterError) as wrong:
        expect(Q(3, "USD/GPU-hour"), "USD", "price")
    assert str(wrong.value) == "price = 3 USD/device/h is not allowed: it must be a quantity in USD"


def test_unknown_units_are_refused_in_one_line():
    for unit in ("dollarz", "GB/(s", "USD + 3"):
        with pytest.raises(ParameterError, match=r"^unit = .* is not allowed: [^\n]+$"):
            Q(1, unit)


def test_there_is_one_registry():
    assert ureg is registry() and Q(1, "s")._REGISTRY is ureg


def test_numbers_are_printed_without_pint():
    code = "import sys; from llm_economics.facts.units import rounded, usd; usd(2); assert 'pint' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rounded_goes_through_nested_values():
    value = {"a": [1.23456789, (2, 3.00000049)], "b": None, "c": "1.23456789", "d": True, "e": -0.0}
    assert rounded(value) == {"a": [1.23457, (2, 3.0)], "b": None, "c": "1.23456789", "d": True, "e": 0.0}
    assert str(rounded(-0.0)) == "0.0"
    assert rounded(123456789) == 123456789
    assert rounded(np.array([1 / 3, 2.0])) == [0.333333, 2.0]
    assert type(rounded(np.float64(1 / 3))) is float and type(rounded(np.int64(3))) is int
    assert rounded(Q(1 / 3, "USD")) == Q(0.333333, "USD")
    assert rounded(6.4e6 / 7, 3) == 914000.0
    assert math.isnan(rounded(float("nan")))


@given(st.floats(1e-250, 1e250), st.integers(1, 12))
def test_rounded_is_close_and_stays(x, digits):
    once = rounded(x, digits)
    assert abs(once / x - 1) <= 0.5000001 * 10 ** (1 - digits)
    assert rounded(once, digits) == once
    assert rounded(-x, digits) == -once


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (show(2963), "2,960"),
        (show(2963, digits=4), "2,963"),
        (show(0.5), "0.5"),
        (show(0.0000123), "0.0000123"),
        (show(9.996), "10"),
        (show(0), "0"),
        (show(-1234.5, "token/s"), "-1,230 token/s"),
        (show(6.4e6), "6,400,000"),
        (show(6.4e6, "GPU-hours", words=True), "6.4 million GPU-hours"),
        (show(1.831e12, words=True), "1.83 trillion"),
        (show(999_999, words=True), "1 million"),
        (show(999_499, words=True), "999,000"),
        (show(Q(3.35, "TB/s"), "GB/s"), "3,350 GB/s"),
        (show(Q(3.35, "TB/s")), "3.35 TB/s"),
        (show(float("inf")), "inf"),
        (percent(0.156), "15.6%"),
        (percent(0.5), "50%"),
        (percent(Q(2, "percent")), "2%"),
        (usd(12_800_000), "$12.8 million"),
        (usd(63.2e9), "$63.2 billion"),
        (usd(0.0049), "$0.0049"),
        (usd(2.5), "$2.50"),
        (usd(2), "$2"),
        (usd(0.1), "$0.10"),
        (usd(148.6), "$149"),
        (usd(2963), "$2,960"),
        (usd(-12), "-$12"),
        (usd(Q(150, "cent")), "$1.50"),
    ],
)
def test_printed_numbers(shown, printed):
    assert shown == printed


def test_printers_refuse_the_wrong_dimension():
    for wrong in (lambda: usd(Q(3, "GB")), lambda: percent(Q(3, "s")), lambda: show(Q(3, "GB"), "GB/s")):
        with pytest.raises(ParameterError, match="is not allowed"):
            wrong()


@given(st.floats(1e-6, 9.9e14))
def test_printed_numbers_keep_three_digits(x):
    assert float(show(x).replace(",", "")) == pytest.approx(x, rel=0.00501)
    assert len(show(x).replace(",", "").replace(".", "").strip("0")) <= 3


def test_very_large_numbers_are_powers_of_ten():
    assert show(3.8e25) == "3.8 × 10²⁵" == show(3.8e25, words=True)
    assert show(1e15, "FLOP") == "1 × 10¹⁵ FLOP"
    assert show(9.99e14) == "999,000,000,000,000"
    assert show(2.15e25, digits=2) == "2.1 × 10²⁵"
