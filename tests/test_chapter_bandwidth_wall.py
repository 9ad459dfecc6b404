"""The chapter under other assumptions, each result held against arithmetic done by hand."""

import pytest
from notebook_runner import run

from llm_economics.catalog import ROOT
from llm_economics.elementwise import ParameterError

CHAPTER = ROOT / "chapters/bandwidth-wall.ipynb"
DEFAULTS = {
    "tokens_per_word": 1.3,
    "weight_format": "bf16",
    "bandwidth_efficiency": 0.70,
    "wall_gpus": 8,
    "dense_parameters": 1e12,
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"weight_format": "fp4", "bandwidth_efficiency": 0.8},
        {"wall_gpus": 16, "dense_parameters": 4e11, "tokens_per_word": 1.5, "weight_format": "fp8"},
    ],
    ids=["defaults", "four bits", "sixteen cards, fp8"],
)
def test_results_equal_arithmetic_by_hand(changes):
    p = {**DEFAULTS, **changes}
    _, results = run(CHAPTER, **changes)
    size = {"bf16": 2, "fp8": 1, "fp4": 0.5}[p["weight_format"]]
    wanted = {
        "reading_speed": 250 * p["tokens_per_word"] / 60,
        "fast_reading_speed": 1000 * p["tokens_per_word"] / 60,
        "dense_tokens_per_second": p["wall_gpus"]
        * 3.35e12
        * p["bandwidth_efficiency"]
        / (p["dense_parameters"] * size),
        "limit_billion": p["wall_gpus"] * 3e12 * p["bandwidth_efficiency"] / 33.33 / size / 1e9,
        "efficiency_for_300b_fp8": 3e11 * 33.33 / (p["wall_gpus"] * 3e12),
        "h100_balance_fp8": 1978.9e12 / 3.35e12,
        "balance_batch_fp8": 1978.9e12 / 3.35e12 / 2,
        "efficiency_measured": 70.55e9 * 2 / (8 * 3.35e12) / 9.978e-3,
    }
    for name, value in wanted.items():
        assert results[name]["value"] == pytest.approx(value, rel=1e-6), name


def test_verdicts_and_where_they_flip():
    verdicts, _ = run(CHAPTER)
    assert len(verdicts) == 29
    found = {name: row["verdict"] for name, row in verdicts.items()}
    assert found["serve-006"] == "holds if" and found["serve-008"] == "holds" and found["serve-017"] == "fails"
    assert run(CHAPTER, weight_format="fp4", bandwidth_efficiency=0.8)[0]["serve-008"]["verdict"] == "fails"
    at = verdicts["serve-008"]["flips_at"]
    assert at["parameter"] == "wall_gpus" and 28 < at["value"] < 29
    assert [run(CHAPTER, wall_gpus=n)[0]["serve-008"]["verdict"] for n in (28, 29)] == ["holds", "fails"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"bandwidth_efficiency": 0.0}, "bandwidth_efficiency = 0.0 is not allowed: it must be above 0 and at most 1"),
        ({"wall_gpus": 0}, "wall_gpus = 0 is not allowed: it must be at least 1 and at most 100000"),
        ({"weight_format": "int3"}, "weight_format = 'int3' is not allowed: it must be one of"),
    ],
)
def test_bad_values_stop_with_one_line(changes, line):
    with pytest.raises(ParameterError) as error:
        run(CHAPTER, **changes)
    assert str(error.value).startswith(line)
