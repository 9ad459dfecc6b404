"""Speculative decoding: the published table, limits, inverses, experts and large batches."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_economics.facts.units import Q
from llm_economics.formulas import speculation
from llm_economics.formulas.elementwise import ParameterError

DATA = Path(__file__).parents[1] / "data"
with (DATA / "serving_validation.csv").open(encoding="utf-8") as file:
    ROWS = {row["id"]: row for row in csv.DictReader(file)}
LEVIATHAN = [row for row in ROWS.values() if row["system"] == "Leviathan 2023"]
shares = st.floats(0, 1)
H100 = {"memory_bandwidth": 3.35e12, "peak_flops": 989.4e12}


@pytest.mark.parametrize("row", LEVIATHAN, ids=lambda row: row["id"])
def test_speedup_gives_the_papers_own_prediction(row):
    a, g, c = (float(x) for x in re.search(r"a=([\d.]+) g=(\d+) c=([\d.]+)", row["check_formula"]).groups())
    ours = speculation.speedup(a, g, c)
    predicted = float(re.search(r"Exp=([\d.]+)x", row["notes"]).group(1))
    assert ours == pytest.approx(float(row["check_value"]), abs=0.005)
    assert ours == pytest.approx(predicted, abs=0.07)  # acceptance and cost are printed to two digits
    assert 0.6 < ours / float(row["published_value"]) < 1.5  # against the stopwatch
    assert speculation.acceptance_for(ours, g, c) == pytest.approx(a, abs=1e-9)


def test_chen_2023_latencies_follow_from_their_speedups():
    base, draft = float(ROWS["spec-chen-base"]["published_value"]), 1.8
    for name in ("XSumnucleus", "XSumgreedy", "HumanEvalnucleus"):
        latency = float(ROWS[f"spec-chen-{name}"]["published_value"])
        acceptance = speculation.acceptance_for(base / latency, 4, draft / base)
        assert 0.7 < acceptance < 0.95
        assert base / speculation.speedup(acceptance, 4, draft / base) == pytest.approx(latency, rel=1e-9)


def test_expected_tokens_by_hand():
    assert speculation.expected_tokens(0.8, 4) == pytest.approx(1 + 0.8 + 0.64 + 0.512 + 0.4096)
    assert speculation.expected_tokens(1.0, 4) == 5
    assert speculation.expected_tokens(0.0, 4) == 1


@given(acceptance=shares, drafts=st.integers(0, 64))
def test_expected_tokens_is_the_geometric_sum(acceptance, drafts):
    by_hand = sum(acceptance**i for i in range(drafts + 1))
    assert speculation.expected_tokens(acceptance, drafts) == pytest.approx(by_hand, rel=1e-8)


@given(acceptance=shares, more=shares, drafts=st.integers(0, 64))
def test_more_acceptance_and_longer_drafts_yield_more(acceptance, more, drafts):
    better = acceptance + (1 - acceptance) * more
    now = speculation.expected_tokens(acceptance, drafts)
    assert now <= speculation.expected_tokens(better, drafts) * (1 + 1e-8)
    assert now <= speculation.expected_tokens(acceptance, drafts + 1) * (1 + 1e-8)
    assert 1 <= now <= drafts + 1


@given(acceptance=st.floats(0.01, 0.99), drafts=st.integers(1, 16), cost=st.floats(0.5, 3))
def test_breakeven_draft_cost_neither_helps_nor_hurts(acceptance, drafts, cost):
    draft_cost = speculation.breakeven_draft_cost(acceptance, drafts, cost)
    if draft_cost > 0:
        assert speculation.speedup(acceptance, drafts, draft_cost, cost) == pytest.approx(1, rel=1e-9)


def test_breakeven_acceptance_and_when_none_is_enough():
    assert speculation.acceptance_for(1, 1, 0.3) == pytest.approx(0.3)  # with one token, a > c
    assert speculation.acceptance_for(1, 4, 1.0) == pytest.approx(1)
    assert speculation.acceptance_for(1, 4, 1.1) == float("inf")


@given(acceptance=st.floats(0.01, 0.95), draft_cost=st.floats(0.01, 0.9))
def test_best_draft_is_no_worse_than_its_neighbours(acceptance, draft_cost):
    best = speculation.best_draft(acceptance, draft_cost)
    for tokens in (max(best.draft_tokens - 1, 0), best.draft_tokens + 1):
        assert speculation.speedup(acceptance, tokens, draft_cost) <= best.speedup * (1 + 1e-12)
    assert (best.draft_tokens == 0) == (best.speedup == 1.0)


def test_a_dense_model_verifies_for_free_at_batch_one_and_at_full_price_when_compute_binds():
    dense = {"common_bytes": 140e9, "kv_bytes": 0.0, "flops_per_token": 140e9, **H100}
    assert speculation.verify(4, 1, **dense).cost == pytest.approx(1)
    assert speculation.verify(4, 4096, **dense).cost == pytest.approx(5)
    costs = [speculation.verify(4, batch, **dense).cost for batch in (1, 32, 64, 128, 256, 512)]
    assert costs == sorted(costs)


def test_a_mixture_of_experts_reads_more_to_verify():
    moe = {"common_bytes": 110e9, "expert_bytes": 222e9, "experts": 16, "experts_per_token": 2, "kv_bytes": 0.0}
    one = speculation.verify(4, 1, **moe, flops_per_token=560e9, **H100)
    assert one.plain_bytes == pytest.approx(554e9)
    assert one.verify_bytes == pytest.approx(110e9 + 222e9 * 16 * (1 - 0.875**5))
    assert one.cost == pytest.approx(one.verify_bytes / one.plain_bytes) and one.cost > 3
    best = speculation.best_draft(
        0.8, 0.05, lambda g: speculation.verify(g, 1, **moe, flops_per_token=560e9, **H100).cost
    )
    assert best.draft_tokens < speculation.best_draft(0.8, 0.05).draft_tokens


def test_scalars_arrays_and_quantities_agree():
    acceptance = np.array([0.0, 0.5, 1 - 1e-9, 1.0])
    many = speculation.speedup(acceptance, 4, 0.1)
    assert many.tolist() == pytest.approx([speculation.speedup(a, 4, 0.1) for a in acceptance.tolist()], rel=1e-12)
    units = {"memory_bandwidth": Q(3.35, "TB/s"), "peak_flops": Q(989.4, "TFLOP/s"), "flops_per_token": Q(140, "GFLOP")}
    made = speculation.verify(4, 1, common_bytes=Q(140, "GB"), kv_bytes=Q(0, "GB"), **units)
    assert made.plain_s.to("ms").magnitude == pytest.approx(140 / 3.35)
    assert speculation.speedup(0.8, 4, 0.1, made.cost).to("").magnitude == pytest.approx(3.3616 / 1.4)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: speculation.expected_tokens(1.2, 4), "acceptance = 1.2 is not allowed"),
        (lambda: speculation.expected_tokens(0.5, -1), "draft_tokens = -1 is not allowed"),
        (lambda: speculation.speedup(0.5, 4, -0.1), "draft_cost = -0.1 is not allowed"),
        (lambda: speculation.speedup(0.5, 4, 0.1, 0), "verify_cost = 0 is not allowed"),
        (lambda: speculation.breakeven_draft_cost(0.5, 0), "draft_tokens = 0 is not allowed"),
        (lambda: speculation.acceptance_for(0, 4, 0.1), "wanted_speedup = 0 is not allowed"),
        (lambda: speculation.best_draft(0.5, 0.1, longest=0), "longest = 0 is not allowed"),
        (
            lambda: speculation.verify(4, 0, common_bytes=1.0, kv_bytes=0.0, flops_per_token=1.0, **H100),
            "batch = 0 is not allowed",
        ),
    ],
)
def test_bad_input_gets_one_clear_line(call, line):
    with pytest.raises(ParameterError) as error:
        call()
    assert str(error.value).startswith(line) and "\n" not in str(error.value)


def test_engines_log_accepted_over_drafted():
    """A log of three drafts: 0.80, 0.60 and 0.42 by position, mean length 2.82, draft acceptance 0.607."""
    logged = (0.80, 0.60, 0.42)
    share = sum(logged) / 3
    assert share == pytest.approx(0.607, abs=5e-4)
    assert speculation.acceptance_by_position(logged) == pytest.approx((0.80, 0.75, 0.70))
    acceptance = speculation.acceptance_from_share(share, 3)
    assert acceptance == pytest.approx(0.770, abs=5e-4)
    assert speculation.expected_tokens(acceptance, 3) == pytest.approx(1 + sum(logged))
    assert speculation.expected_tokens(share, 3) < 0.8 * (1 + sum(logged))  # what the other number would give


@given(shares, st.integers(1, 32))
def test_the_two_acceptances_are_each_others_reverse(acceptance, draft_tokens):
    share = speculation.drafted_share(acceptance, draft_tokens)
    assert share <= acceptance + 1e-12
    again = speculation.acceptance_from_share(min(1.0, share), draft_tokens)
    assert speculation.drafted_share(again, draft_tokens) == pytest.approx(share, abs=1e-9)


def test_positions_that_are_never_reached():
    assert speculation.acceptance_by_position((0.5, 0.0, 0.0)) == (0.5, 0.0, 0.0)
    with pytest.raises(ParameterError, match=r"accepted = 0\.9 is not allowed"):
        speculation.acceptance_by_position((0.5, 0.9))
