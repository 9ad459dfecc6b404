"""Shares of a total among factors: in a given order, and averaged over all orders (Shapley)."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_economics.formulas.attribution import log_product_of, ordered_shares, product_of, shapley
from llm_economics.formulas.elementwise import ParameterError

FACTORS = {"precision": 2.0, "memory": 2.4, "link": 3.0, "rest": 30 / 14.4}
values = st.lists(st.floats(-100, 100), min_size=16, max_size=16)
NAMES = ("a", "b", "c", "d")


def table(numbers):
    """A value function with an arbitrary number for each subset of NAMES."""
    return lambda chosen: numbers[sum(2**i for i, name in enumerate(NAMES) if name in chosen)]


def test_waterfall_of_a_product_by_hand():
    steps = ordered_shares(product_of(FACTORS), list(FACTORS))
    assert steps.values == pytest.approx((1, 2.8, 9.6, 15.6)) and (steps.start, steps.end) == pytest.approx((1, 30))
    other = ordered_shares(product_of(FACTORS), list(reversed(FACTORS)))
    assert other.values[-1] == pytest.approx(15) and other.total == pytest.approx(steps.total)


def test_on_the_log_of_a_product_each_factor_gets_its_own_log_in_any_order():
    for shares in (
        shapley(log_product_of(FACTORS), list(FACTORS)),
        ordered_shares(log_product_of(FACTORS), list(FACTORS)),
    ):
        assert shares.values == pytest.approx([np.log2(f) for f in FACTORS.values()])
        assert shares.fractions == pytest.approx([np.log(f) / np.log(30) for f in FACTORS.values()])


def test_shapley_of_a_textbook_game():
    # gloves: one left hand, two right hands; a pair is worth 1
    worth = lambda chosen: float("left" in chosen and len(chosen) > 1)  # noqa: E731
    assert shapley(worth, ("left", "right 1", "right 2")).values == pytest.approx((2 / 3, 1 / 6, 1 / 6))


@given(numbers=values)
def test_shapley_is_the_mean_of_all_waterfalls_and_both_sum_to_the_total(numbers):
    value = table(numbers)
    ours = shapley(value, NAMES)
    orders = [dict(zip(order, ordered_shares(value, order).values, strict=True)) for order in permutations(NAMES)]
    mean = [sum(order[name] for order in orders) / 24 for name in NAMES]
    assert ours.values == pytest.approx(mean, abs=1e-10)
    assert sum(ours.values) == pytest.approx(ours.total, abs=1e-10)
    assert sum(ordered_shares(value, NAMES).values) == pytest.approx(numbers[-1] - numbers[0], abs=1e-10)


@given(numbers=values, scale=st.floats(-5, 5))
def test_shapley_is_symmetric_linear_and_gives_a_bystander_nothing(numbers, scale):
    value = table(numbers)
    plain = shapley(value, NAMES)
    scaled = shapley(lambda chosen: scale * value(chosen), NAMES)
    assert scaled.values == pytest.approx([scale * share for share in plain.values], abs=1e-9)
    beside = shapley(value, (*NAMES, "bystander"))
    assert beside.values == pytest.approx((*plain.values, 0), abs=1e-10)
    turned = shapley(value, NAMES[::-1])
    assert turned.values == pytest.approx(plain.values[::-1], abs=1e-10)


def test_arrays_broadcast():
    factors = {"chips": np.array([1.0, 2.0, 4.0]), "speed": 3.0}
    shares = shapley(product_of(factors), list(factors))
    for i, chips in enumerate((1.0, 2.0, 4.0)):
        one = shapley(product_of({"chips": chips, "speed": 3.0}), list(factors))
        assert [value[i] for value in shares.values] == pytest.approx(one.values)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: shapley(len, []), "names = none is not allowed"),
        (lambda: ordered_shares(len, ["a", "a"]), "names = a, a is not allowed"),
        (lambda: shapley(len, [str(i) for i in range(11)]), "number of factors = 11 is not allowed"),
        (lambda: product_of({"link": 0}), "link = 0 is not allowed"),
    ],
)
def test_bad_input_gets_one_clear_line(call, line):
    with pytest.raises(ParameterError) as error:
        call()
    assert str(error.value).startswith(line)
