"""Tornado, interval and flip."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_economics.formulas.attribution import Range, flip, interval, quantile, tornado
from llm_economics.formulas.elementwise import ParameterError


def cost(hours, price):
    return hours * price


RANGES = {"hours": Range(5.0, 6.0, 7.0), "price": Range(1.0, 2.0, 4.0)}


def test_tornado_moves_one_input_at_a_time():
    bars = tornado(cost, RANGES)
    assert [bar.name for bar in bars] == ["price", "hours"]
    assert (bars[0].low, bars[0].high, bars[0].swing) == (6.0, 24.0, 18.0)
    assert (bars[1].low, bars[1].high) == (10.0, 14.0)


def test_interval_is_seeded_and_inside_the_bounds():
    first = interval(cost, RANGES, samples=2000)
    assert first == interval(cost, RANGES, samples=2000)
    assert first != interval(cost, RANGES, samples=2000, seed=1)
    assert 5.0 <= first.low < first.median < first.high <= 28.0
    narrow = interval(cost, RANGES, samples=2000, coverage=0.5)
    assert first.low < narrow.low < narrow.high < first.high


def test_interval_of_one_triangle_matches_its_formula():
    found = interval(lambda x: x, {"x": Range(0.0, 0.5, 1.0)}, samples=40_000)
    # for a symmetric triangle on [0, 1] the 5% quantile is sqrt(0.05 / 2)
    assert found.low == pytest.approx(math.sqrt(0.025), abs=0.005)
    assert found.high == pytest.approx(1 - math.sqrt(0.025), abs=0.005)
    assert found.median == pytest.approx(0.5, abs=0.005)


@given(target=st.floats(0.5, 99.0))
def test_flip_finds_the_crossing(target):
    assert flip(lambda x: x * x, target, 0.0, 10.0) == pytest.approx(math.sqrt(target), rel=1e-12)
    assert flip(lambda x: 100 / x, target, 0.01, 1e6, scale="log") == pytest.approx(100 / target, rel=1e-12)


def test_flip_at_the_bounds_and_beyond():
    assert flip(lambda x: x, 0.0, 0.0, 1.0) == 0.0
    assert flip(lambda x: x, 1.0, 0.0, 1.0) == 1.0
    assert flip(lambda x: x, 2.0, 0.0, 1.0) is None


def test_quantile_interpolates():
    assert quantile([1.0, 2.0, 4.0], 0.5) == 2.0
    assert quantile([1.0, 2.0, 4.0], 0.75) == 3.0
    assert quantile([7.0], 0.3) == 7.0


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: Range(3, 2, 1), r"^range = \(3, 2, 1\) is not allowed: it must be in the order low, mid, high$"),
        (lambda: flip(math.sqrt, 1, 2, 1), "^high = 1 is not allowed: it must be above 2$"),
        (lambda: flip(math.sqrt, 1, 0, 1, scale="log"), "^low = 0 is not allowed: it must be above 0$"),
        (lambda: flip(math.sqrt, 1, 0, 1, scale="cubic"), "^scale = 'cubic' is not allowed"),
        (lambda: interval(cost, RANGES, samples=10), "^samples = 10 is not allowed: it must be at least 100$"),
        (lambda: interval(cost, RANGES, coverage=0), "^coverage = 0 is not allowed"),
        (lambda: quantile([], 0.5), r"^len\(ordered\) = 0 is not allowed"),
    ],
)
def test_bad_input_gets_one_line(call, line):
    with pytest.raises(ParameterError, match=line):
        call()
