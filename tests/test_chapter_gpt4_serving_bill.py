"""The chapter under other assumptions, each result held against arithmetic done by hand."""

import pytest
from notebook_runner import run

from llm_economics.catalog import ROOT, accelerator
from llm_economics.elementwise import ParameterError

CHAPTER = ROOT / "chapters/gpt4-serving-bill.ipynb"
DEFAULTS = {
    "serving_gpus": 128,
    "pipeline_stages": 16,
    "serving_mfu": 0.10,
    "serving_batch": 4000,
    "weight_format": "bf16",
    "a100_usd_per_hour": 1.00,
    "h100_usd_per_hour": 2.00,
    "gpt4_expert_parameters": 111e9,
    "gpt4_shared_parameters": 55e9,
}


def user_speed(p, batch) -> float:
    """Tokens per second of one user: every stage in turn reads its shared weights and the distinct experts."""
    size = {"bf16": 2, "fp8": 1}[p["weight_format"]]
    chip, tensor = accelerator("A100 40GB"), p["serving_gpus"] // p["pipeline_stages"]
    micro = max(1.0, batch / p["pipeline_stages"])
    distinct = 16 * (1 - (1 - 2 / 16) ** micro)
    weights = size * (p["gpt4_shared_parameters"] + distinct * p["gpt4_expert_parameters"])
    memory = (weights + micro * 61440 * 8192) / (tensor * chip.memory_bandwidth)
    active = p["gpt4_shared_parameters"] + 2 * p["gpt4_expert_parameters"]
    return 1 / max(memory, micro * 2 * active / (tensor * chip.peak("bf16")))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"serving_mfu": 0.3, "a100_usd_per_hour": 4.1, "serving_batch": 500},
        {"weight_format": "fp8", "serving_gpus": 64, "pipeline_stages": 8, "gpt4_expert_parameters": 90e9},
    ],
    ids=["defaults", "busier and dearer", "half the cards, fp8"],
)
def test_results_equal_arithmetic_by_hand(changes):
    p = {**DEFAULTS, **changes}
    _, results = run(CHAPTER, **changes)
    active = p["gpt4_shared_parameters"] + 2 * p["gpt4_expert_parameters"]
    floor = p["a100_usd_per_hour"] / 3600 / (312e12 / (2 * active)) * 1000
    assert results["floor_cents_a100"]["value"] == pytest.approx(100 * floor, rel=1e-9)
    assert results["likely_cents_a100"]["value"] == pytest.approx(100 * floor / p["serving_mfu"], rel=1e-9)
    assert results["peak_share_if_cents"]["value"] == pytest.approx(floor / 0.000049, rel=1e-9)
    speed = user_speed(p, p["serving_batch"])
    assert results["tokens_per_second_per_user"]["value"] == pytest.approx(speed, rel=1e-6)


def test_the_numbers_of_the_argument():
    verdicts, results = run(CHAPTER)
    assert len(verdicts) == 17
    assert results["peak_share_if_cents"]["value"] > 10, "no card runs at ten times its peak"
    assert 0.05 < results["peak_share_if_dollars"]["value"] < 0.15
    found = {name: row["verdict"] for name, row in verdicts.items()}
    assert found["serve-057"] == "unit slip" and found["serve-014"] == "fails" and found["serve-042"] == "holds if"


def test_verdicts_flip_where_they_say():
    verdicts, _ = run(CHAPTER)
    users = verdicts["serve-014"]["flips_at"]["value"]
    assert [run(CHAPTER, serving_batch=n)[0]["serve-014"]["verdict"] for n in (int(users), int(users) + 1)] == [
        "holds",
        "fails",
    ]
    assert [run(CHAPTER, serving_gpus=n)[0]["serve-043"]["verdict"] for n in (122, 128)] == ["fails", "holds"]
    edge = verdicts["serve-057"]["flips_at"]["value"]
    sides = [run(CHAPTER, serving_mfu=edge * f)[0]["serve-057"]["verdict"] for f in (0.9999, 1.0001)]
    assert sides == ["unit slip", "fails"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"serving_mfu": 1.5}, "serving_mfu = 1.5 is not allowed: it must be above 0 and at most 1"),
        ({"serving_batch": 0}, "serving_batch = 0 is not allowed: it must be at least 1 and at most 1e+06"),
        ({"a100_usd_per_hour": -1.0}, "a100_usd_per_hour = -1.0 is not allowed: it must be at least 0 and at most 100"),
    ],
)
def test_bad_values_stop_with_one_line(changes, line):
    with pytest.raises(ParameterError) as error:
        run(CHAPTER, **changes)
    assert str(error.value) == line
