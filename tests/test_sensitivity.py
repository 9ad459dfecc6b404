"""Sobol shares against functions whose shares are known in closed form."""

import statistics

import pytest

from llm_economics.evidence.sensitivity import Share, sentence, sobol, triangular
from llm_economics.formulas.attribution import Range, interval
from llm_economics.formulas.elementwise import ParameterError

A, B = Range(0, 1, 1), Range(-3, 0, 2)


def variance(r: Range) -> float:
    a, b, c = r.low, r.mid, r.high
    return (a * a + b * b + c * c - a * b - a * c - b * c) / 18


def test_a_sum_has_the_shares_of_its_variances_and_nothing_together():
    shares = sobol(lambda a, b: a + b, {"a": A, "b": B})
    assert list(shares) == ["b", "a"]
    for name, r in (("a", A), ("b", B)):
        exact = variance(r) / (variance(A) + variance(B))
        assert shares[name].first == pytest.approx(exact, abs=2e-3)
        assert shares[name].total == pytest.approx(exact, abs=2e-3)


def test_a_product_of_centred_inputs_acts_only_together():
    r = Range(-1, 0, 1)
    shares = sobol(lambda a, b: a * b, {"a": r, "b": r}, samples=4096)
    assert all(abs(share.first) < 0.02 and share.total == pytest.approx(1, abs=0.1) for share in shares.values())
    assert sentence(shares).split("together ")[1] in ("99%.", "100%.", "101%.")


def test_the_logarithm_makes_a_product_a_sum():
    r = Range(1, 2, 8)
    shares = sobol(lambda a, b: a * b**2, {"a": r, "b": r}, log=True)
    assert shares["b"].first == pytest.approx(0.8, abs=2e-3)
    assert shares["a"].first + shares["b"].first == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("r", [A, B, Range(0, 0, 2), Range(5, 5, 5)])
def test_quantiles_are_those_of_the_triangle_that_the_interval_draws_from(r):
    points = [triangular((i + 0.5) / 4000, r) for i in range(4000)]
    assert statistics.fmean(points) == pytest.approx((r.low + r.mid + r.high) / 3, abs=1e-6)
    assert statistics.pvariance(points) == pytest.approx(variance(r), rel=2e-3, abs=1e-12)
    assert interval(lambda x: x, {"x": r}).median == pytest.approx(triangular(0.5, r), abs=0.05)


def test_an_input_without_width_has_no_share_and_the_same_seed_gives_the_same_shares():
    ranges = {"a": A, "still": Range(2, 2, 2)}
    shares = sobol(lambda a, still: a * still, ranges)
    assert shares["still"] == Share(0.0, 0.0)
    assert shares == sobol(lambda a, still: a * still, ranges)
    assert sobol(lambda a, still: 1.0, ranges) == {"a": Share(0, 0), "still": Share(0, 0)}


def test_the_sentence_names_the_inputs_largest_first():
    text = sentence({"p": Share(0.7123, 0.8), "q": Share(0.2, 0.3), "r": Share(-0.001, 0)}, {"p": "price"}, log=True)
    assert text.endswith("of the logarithm: price 71%; q 20%; r under 1%; several together 9%."), text


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"samples": 100}, "samples = 100 is not allowed: it must be a power of two, at least 64"),
        ({"ranges": {"a": Range(1, 1, 1)}}, "ranges = all of width zero is not allowed: at least one input must move"),
        ({"log": True, "ranges": {"a": Range(-1, 1, 2)}}, "its logarithm is asked for"),
    ],
)
def test_bad_input_is_refused_in_one_line(options, line):
    call = {"ranges": {"a": A}} | options
    with pytest.raises(ParameterError, match=line) as caught:
        sobol(lambda a: a, **call)
    assert "\n" not in str(caught.value)
