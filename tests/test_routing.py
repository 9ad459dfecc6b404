"""Experts touched and loads: against brute force, by hand, and as properties."""

from fractions import Fraction
from itertools import combinations, product
from math import comb, factorial, prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_economics.facts.units import Q
from llm_economics.formulas import routing
from llm_economics.formulas.elementwise import ParameterError

SMALL = [(4, 2, 3), (5, 1, 4), (3, 3, 2), (4, 3, 3)]


def assignments(experts, k, tokens):
    """Loads of every equally likely assignment of tokens to sets of experts."""
    for choice in product(combinations(range(experts), k), repeat=tokens):
        loads = [0] * experts
        for chosen in choice:
            for expert in chosen:
                loads[expert] += 1
        yield loads


@pytest.mark.parametrize("case", SMALL)
def test_exact_distributions_equal_brute_force(case):
    experts, _, tokens = case
    every = list(assignments(*case))
    distinct = routing.distinct_distribution(*case, exact=True)
    one = routing.load_distribution(*case, exact=True)
    most = routing.most_loaded_distribution(*case, exact=True)
    profiles = routing.load_profiles(*case)
    for d in range(experts + 1):
        assert distinct[d] == Fraction(sum(sum(n > 0 for n in loads) == d for loads in every), len(every))
    for n in range(tokens + 1):
        assert one[n] == Fraction(sum(loads[0] == n for loads in every), len(every))
        assert most[n] == Fraction(sum(max(loads) == n for loads in every), len(every))
    for profile, chance in profiles.items():
        assert chance == Fraction(sum(sorted(loads, reverse=True) == list(profile) for loads in every), len(every))


def test_batch_8_on_16_experts_by_hand():
    profiles = routing.load_profiles(16, 2, 8)
    assert len(profiles) < 300 and sum(profiles.values()) == 1
    each_one = Fraction(factorial(16), 2**8 * comb(16, 2) ** 8)
    assert profiles[(1,) * 16] == each_one and 1e-6 < each_one < 2e-6
    one_has_all = profiles[(8, *(1,) * 8, *(0,) * 7)]
    assert one_has_all == Fraction(16 * comb(15, 8) * factorial(8), comb(16, 2) ** 8)
    distinct = routing.distinct_distribution(16, 2, 8, exact=True)
    assert sum(distinct) == 1
    assert sum(d * chance for d, chance in enumerate(distinct)) == 16 * (1 - Fraction(14, 16) ** 8)
    assert sum(n * chance for n, chance in enumerate(routing.load_distribution(16, 2, 8, exact=True))) == 1


@given(experts=st.integers(1, 24), k=st.integers(1, 24), tokens=st.integers(1, 40))
def test_mean_of_the_distribution_is_the_closed_form(experts, k, tokens):
    k = min(k, experts)
    chances = routing.distinct_distribution(experts, k, tokens)
    assert sum(chances) == pytest.approx(1, rel=1e-12)
    mean = sum(d * chance for d, chance in enumerate(chances))
    assert mean == pytest.approx(routing.expected_distinct(experts, k, tokens), rel=1e-9)


@given(experts=st.integers(1, 300), k=st.integers(1, 300), tokens=st.floats(1, 1e5), more=st.floats(0, 1e4))
def test_expected_distinct_grows_with_tokens_within_its_bounds(experts, k, tokens, more):
    k = min(k, experts)
    now, later = routing.expected_distinct(experts, k, tokens), routing.expected_distinct(experts, k, tokens + more)
    assert k * (1 - 1e-12) <= now <= later * (1 + 1e-12) <= experts * (1 + 1e-9)
    assert now <= k * tokens * (1 + 1e-9)


def test_trap_all_experts_at_batch_one_or_a_constant_number_or_min_of_bk_and_e():
    assert routing.expected_distinct(16, 2, 1) == pytest.approx(2)
    assert routing.expected_distinct(8, 2, 4) == pytest.approx(8 * (1 - 0.75**4)) == pytest.approx(5.46875)
    assert routing.expected_distinct(16, 2, 8) == pytest.approx(10.502257, rel=1e-7)
    assert routing.expected_distinct(16, 2, 4000) == pytest.approx(16)


def test_bounds_of_the_busiest_expert_hold_the_exact_mean():
    for case in [(16, 2, 8), (8, 2, 6), (4, 1, 12), (6, 3, 5)]:
        exact = sum(n * chance for n, chance in enumerate(routing.most_loaded_distribution(*case)))
        low, high = routing.most_loaded_bounds(*case)
        assert low <= exact * (1 + 1e-12) and exact <= high * (1 + 1e-12)
    low, high = routing.most_loaded_bounds(16, 2, 4000)
    assert 500 < low <= high < 560 and high - low < 5
    assert routing.most_loaded_bounds(5, 5, 7) == (7, 7)


@given(
    weights=st.lists(st.floats(0.01, 10), min_size=3, max_size=7),
    k=st.integers(1, 3),
)
def test_inclusion_probabilities_equal_brute_force(weights, k):
    chance = {s: prod(weights[i] for i in s) for s in combinations(range(len(weights)), k)}
    total = sum(chance.values())
    by_hand = [sum(c for s, c in chance.items() if i in s) / total for i in range(len(weights))]
    ours = routing.inclusion_probabilities(weights, k)
    assert ours == pytest.approx(by_hand, rel=1e-9) and sum(ours) == pytest.approx(k, rel=1e-12)


@given(exponent=st.floats(0.01, 3), experts=st.integers(4, 64), k=st.integers(1, 4), tokens=st.floats(1, 5000))
def test_skew_touches_fewer_experts_than_uniform_choice(exponent, experts, k, tokens):
    skewed = routing.inclusion_probabilities(routing.zipf_weights(experts, exponent), k)
    uniform = routing.inclusion_probabilities(routing.zipf_weights(experts, 0), k)
    plain = routing.expected_distinct(experts, k, tokens)
    assert routing.expected_distinct_skewed(uniform, tokens) == pytest.approx(plain, rel=1e-9)
    assert routing.expected_distinct_skewed(skewed, tokens) <= plain * (1 + 1e-9)


def test_scalars_and_arrays_agree_and_bytes_keep_their_unit():
    tokens = np.array([1.0, 8.0, 4000.0])
    many = routing.weight_bytes_read(16, 2, tokens, 222e9, 110e9)
    assert many.tolist() == pytest.approx([routing.weight_bytes_read(16, 2, t, 222e9, 110e9) for t in tokens])
    assert routing.tokens_per_expert(16, 2, tokens).tolist() == [0.125, 1, 500]
    read = routing.weight_bytes_read(16, 2, 1, Q(222e9, "byte"), Q(110, "GB"))
    assert read.to("GB").magnitude == pytest.approx(554)
    assert routing.weight_bytes_read(16, 2, 1, Q(222e9, "byte")).to("GB").magnitude == pytest.approx(444)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: routing.expected_distinct(0, 2, 8), "experts = 0 is not allowed"),
        (lambda: routing.expected_distinct(16, 17, 8), "experts_per_token = 17 is not allowed"),
        (lambda: routing.expected_distinct(np.array([16, 4]), 8, 8), "experts_per_token = 8 is not allowed"),
        (lambda: routing.expected_distinct(16, 2, 0), "tokens = 0 is not allowed"),
        (lambda: routing.tokens_per_expert(16, 0, 8), "experts_per_token = 0 is not allowed"),
        (lambda: routing.distinct_distribution(16, 2, 2.5), "tokens = 2.5 is not allowed"),
        (lambda: routing.most_loaded_distribution(16, 2, -1), "tokens = -1 is not allowed"),
        (lambda: routing.load_profiles(256, 8, 64), "tokens = 64 is not allowed"),
        (lambda: routing.inclusion_probabilities([1, 0, 0], 2), "experts_per_token = 2 is not allowed"),
        (lambda: routing.inclusion_probabilities([1, -1, 3], 1), "weights = -1 is not allowed"),
        (lambda: routing.expected_distinct_skewed([0.5, 1.5], 3), "inclusion = 1.5 is not allowed"),
        (lambda: routing.weight_bytes_read(16, 2, 8, -1), "expert_bytes = -1 is not allowed"),
        (lambda: routing.zipf_weights(0, 1), "experts = 0 is not allowed"),
    ],
)
def test_bad_input_gets_one_clear_line(call, line):
    with pytest.raises(ParameterError) as error:
        call()
    assert str(error.value).startswith(line) and "\n" not in str(error.value)
