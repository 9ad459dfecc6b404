"""Training runs: identities, round trips, scaling and refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_economics.formulas import training
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.training import Run, solve

counts = st.floats(1e6, 1e14)
fractions = st.floats(0.01, 1.0)
KNOWN = {"flops": 6.35e24, "mfu": 0.4, "peak_flops": 989.4e12, "wall_time": 90 * 86400.0, "price": 2 / 3600}


def test_llama3_70b_by_hand():
    flops = training.training_flops(70_553_706_496, 15e12)
    assert flops == pytest.approx(6.34983358464e24, rel=1e-12)
    hours = training.accelerator_time(flops, 989.4e12, 0.278553) / 3600
    assert hours == pytest.approx(6.4e6, rel=1e-5)
    assert training.accelerators(6.4e6 * 3600, 90 * 86400) == pytest.approx(2962.963, rel=1e-6)
    assert training.cost(6.4e6 * 3600, 2 / 3600) == pytest.approx(12.8e6)
    assert training.tokens_per_parameter(15e12, 70_553_706_496) == pytest.approx(212.604, rel=1e-5)


@given(flops=st.floats(1e18, 1e27), peak=st.floats(1e13, 1e16), share=fractions)
def test_time_and_utilisation_are_inverse(flops, peak, share):
    time = training.accelerator_time(flops, peak, share)
    assert training.mfu(flops, time * (1 + 1e-12), peak) == pytest.approx(share, rel=1e-9)


@given(time=st.floats(1.0, 1e12), cards=st.floats(1.0, 1e6))
def test_cards_and_days_are_inverse(time, cards):
    assert training.accelerators(time, training.wall_time(time, cards)) == pytest.approx(cards, rel=1e-12)


@given(parameters=counts, tokens=counts, factor=st.floats(0.1, 10))
def test_compute_scales_with_either(parameters, tokens, factor):
    one = training.training_flops(parameters, tokens)
    assert training.training_flops(parameters * factor, tokens) == pytest.approx(one * factor, rel=1e-12)
    assert training.training_flops(parameters, tokens * factor) == pytest.approx(one * factor, rel=1e-12)


@given(low=st.floats(0.01, 0.5), step=st.floats(0.001, 0.5))
def test_better_utilisation_is_never_slower(low, step):
    slow, fast = (training.accelerator_time(1e24, 1e15, share) for share in (low, low + step))
    assert fast < slow


@pytest.mark.parametrize("wanted", [name for name in Run.__dataclass_fields__])
def test_any_one_quantity_follows_from_the_others(wanted):
    full = vars(solve(**KNOWN))
    assert None not in full.values()
    others = {name: value for name, value in full.items() if name != wanted}
    assert solve(wanted, **others) == pytest.approx(full[wanted], rel=1e-12)


def test_solve_takes_arrays():
    days = np.array([30.0, 90.0, 180.0])
    cards = solve("accelerators", accelerator_time=6.4e6 * 3600, wall_time=days * 86400)
    assert cards == pytest.approx([6.4e6 / 24 / d for d in days])


def test_solve_says_what_is_missing():
    with pytest.raises(ParameterError, match=r"^usd does not follow from mfu: also give accelerator_time, price$"):
        solve("usd", mfu=0.4)
    assert solve(mfu=0.4) == Run(mfu=0.4)


def test_solve_refuses_contradictions():
    with pytest.raises(
        ParameterError, match=r"accelerator_time = 7\.0 is not allowed: accelerators x wall_time = 6\.0"
    ):
        solve(accelerators=3.0, wall_time=2.0, accelerator_time=7.0)


def test_nothing_runs_faster_than_its_peak():
    with pytest.raises(ParameterError, match=r"^mfu = 1\.\d+ is not allowed"):
        training.mfu(6.35e24, 6.4e6 * 3600 / 4, 989.4e12)
    with pytest.raises(ParameterError, match=r"^mfu = 1\.\d+ is not allowed"):
        solve(flops=6.35e24, peak_flops=989.4e12, accelerator_time=6.4e6 * 3600 / 4)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: training.accelerator_time(1, 1, 1.2), "mfu = 1.2 is not allowed: it must be above 0 and at most 1"),
        (lambda: training.accelerators(1e9, 0), "wall_time = 0 is not allowed: it must be above 0"),
        (lambda: training.cost(1e9, -2), "price = -2 is not allowed: it must be at least 0"),
        (lambda: training.training_flops(0, 1e12), "parameters = 0 is not allowed: it must be above 0"),
        (lambda: training.wall_time(1e9, 0), "accelerators = 0 is not allowed: it must be above 0"),
        (lambda: training.tokens_per_parameter(-1, 1e9), "tokens = -1 is not allowed: it must be above 0"),
        (lambda: solve(days=3), "days is not a quantity of a run: it must be one of flops, mfu, peak_flops, "
                                "accelerator_time, accelerators, wall_time, price, usd"),
        (lambda: solve("days", mfu=0.4), "wanted = 'days' is not allowed: it must be one of flops, mfu, peak_flops, "
                                         "accelerator_time, accelerators, wall_time, price, usd"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_line(call, line):
    with pytest.raises(ParameterError) as error:
        call()
    assert str(error.value) == line


def test_a_free_run_costs_nothing():
    assert solve("usd", accelerator_time=3600.0, price=0) == 0
