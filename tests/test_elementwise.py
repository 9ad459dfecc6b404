"""Elementwise functions answer alike for floats, arrays and quantities."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_economics.facts.units import Q
from llm_economics.formulas import elementwise as ew

numbers = st.floats(-1e6, 1e6)


@given(a=numbers, b=numbers)
def test_scalars_equal_arrays(a, b):
    for name in ("maximum", "minimum"):
        function = getattr(ew, name)
        assert function(a, b) == function(np.array([a]), np.array([b]))[0]
    assert ew.where(a > b, a, b) == ew.where(np.array([a]) > b, a, b)[0]
    assert ew.floor(a) == ew.floor(np.array([a]))[0]
    assert ew.ceil(a) == ew.ceil(np.array([a]))[0]


@given(st.floats(1e-6, 1e12))
def test_log2(x):
    assert ew.log2(x) == pytest.approx(float(ew.log2(np.array([x]))[0]), rel=1e-15)
    assert 2 ** ew.log2(x) == pytest.approx(x, rel=1e-12)


def test_quantities_keep_their_unit():
    assert ew.maximum(Q(1, "GB"), Q(900, "MB")).to("MB").magnitude == 1000
    assert ew.minimum(Q(1, "GB"), Q(900, "MB")).to("MB").magnitude == pytest.approx(900)


def test_infinity_passes_floor_and_ceil():
    assert ew.floor(math.inf) == math.inf
    assert ew.ceil(math.inf) == math.inf


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (1.2, "mfu = 1.2 is not allowed: it must be above 0 and at most 1"),
        (0, "mfu = 0 is not allowed: it must be above 0 and at most 1"),
        (math.nan, "mfu = nan is not allowed: it must be above 0 and at most 1"),
        ("0.4", "mfu = '0.4' is not allowed: it must be a number"),
        (None, "mfu = 'None' is not allowed: it must be a number"),
        (True, "mfu = True is not allowed: it must be a number"),
        (np.array([0.5, 1.5]), "mfu = 1.5 is not allowed: it must be above 0 and at most 1"),
        (np.array([0.5, np.nan]), "mfu = nan is not allowed: it must be above 0 and at most 1"),
    ],
)
def test_range_names_parameter_value_and_what_is_allowed(value, line):
    with pytest.raises(ew.ParameterError) as error:
        ew.check_range("mfu", value, 0, 1, open_low=True)
    assert str(error.value) == line


def test_range_returns_what_is_allowed():
    values = np.array([0.1, 1.0])
    assert ew.check_range("mfu", values, 0, 1, open_low=True) is values
    assert ew.check_range("price", 0, 0) == 0


def test_choice():
    assert ew.check_choice("precision", "fp8", ("bf16", "fp8")) == "fp8"
    with pytest.raises(ew.ParameterError, match=r"^precision = 'int3' is not allowed: it must be one of bf16, fp8$"):
        ew.check_choice("precision", "int3", ("bf16", "fp8"))


def test_every():
    assert ew.every(True) and not ew.every(False)
    assert ew.every(np.array([True, True])) and not ew.every(np.array([True, False]))


def test_what_an_error_quotes_is_cut_and_clean_before_it_is_formatted():
    walked = []
    for _ in range(60):  # as text this would have 2^60 parts
        walked = [walked, walked]
    for value in (
        walked,
        {"a": walked},
        10**5000,
        -(10**400),
        "x" * 10**6,
        "a\nb\x1b[31m\u202e",
        b"\xff\n",
        float("nan"),
    ):
        line = ew.shown(value)
        assert line.isprintable() and len(line) < 80
    assert ew.shown(3) == "3" and ew.shown("a  b") == "'a b'" and ew.shown(None) == "None" and ew.shown([]) == "[]"
    assert ew.shown([1, 2]) == "a list of 2" and ew.cleaned("a\nb") == "a b"
