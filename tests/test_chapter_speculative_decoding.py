"""The chapter under other assumptions, each result held against the library and against simulation."""

import random

import pytest
from notebook_runner import run

from llm_economics import routing, speculation
from llm_economics.catalog import ROOT
from llm_economics.elementwise import ParameterError

CHAPTER = ROOT / "chapters/speculative-decoding.ipynb"
DEFAULTS = {
    "draft_tokens": 4,
    "acceptance": 0.70,
    "draft_cost": 0.05,
    "gpt4_experts": 16,
    "gpt4_experts_per_token": 2,
}


@pytest.mark.parametrize(
    "changes",
    [{}, {"acceptance": 0.9, "draft_tokens": 8}, {"draft_cost": 0.2, "gpt4_experts": 64, "gpt4_experts_per_token": 4}],
    ids=["defaults", "a good draft", "a dear draft, 64 experts"],
)
def test_results_equal_the_library(changes):
    p = {**DEFAULTS, **changes}
    _, results = run(CHAPTER, **changes)
    a, g, c = p["acceptance"], p["draft_tokens"], p["draft_cost"]
    tokens = sum(a**i for i in range(g + 1))
    cache = 8192 * 61440
    plain, verifying = (
        110e9 + 222e9 * routing.expected_distinct(p["gpt4_experts"], p["gpt4_experts_per_token"], n) + cache
        for n in (1, g + 1)
    )
    wanted = {
        "tokens_per_step": tokens,
        "speedup_dense": tokens / (1 + g * c),
        "verify_cost_moe": verifying / plain,
        "speedup_moe": tokens / (g * c + verifying / plain),
    }
    for name, value in wanted.items():
        assert results[name]["value"] == pytest.approx(value, rel=1e-9), name


def test_expected_tokens_by_simulation():
    generator = random.Random(3)
    total = 0
    for _ in range(40_000):
        accepted = 0
        while accepted < 4 and generator.random() < 0.7:
            accepted += 1
        total += accepted + 1
    assert run(CHAPTER)[1]["tokens_per_step"]["value"] == pytest.approx(total / 40_000, rel=0.01)


def test_verdicts_and_where_they_flip():
    verdicts, _ = run(CHAPTER)
    assert len(verdicts) == 9
    at = verdicts["serve-064"]["flips_at"]
    assert at["parameter"] == "acceptance"
    assert speculation.speedup(at["value"], 4, 0.05) == pytest.approx(1, rel=1e-5)
    sides = [run(CHAPTER, acceptance=at["value"] * f)[0]["serve-064"]["verdict"][:5] for f in (0.999, 1.001)]
    assert sides == ["fails", "holds"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"acceptance": 1.2}, "acceptance = 1.2 is not allowed: it must be above 0 and at most 1"),
        ({"draft_tokens": 0}, "draft_tokens = 0 is not allowed: it must be at least 1 and at most 64"),
        ({"gpt4_experts_per_token": 17}, "experts_per_token = 17 is not allowed: there are 16 experts"),
    ],
)
def test_bad_values_stop_with_one_line(changes, line):
    with pytest.raises(ParameterError) as error:
        run(CHAPTER, **changes)
    assert str(error.value) == line
