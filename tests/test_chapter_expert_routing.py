"""The chapter under other assumptions, each result held against counting by hand."""

import json
import re
from itertools import combinations
from math import comb

import pytest
from chapter import Chapter, equal, refuses

from llm_economics.formulas import routing

CHAPTER = Chapter("expert-routing")


def expected(p: dict) -> dict[str, float]:
    """Named results from closed forms."""
    experts, per, tokens = p["gpt4_experts"], p["gpt4_experts_per_token"], p["routed_tokens"]
    size = {"bf16": 2, "fp8": 1}[p["precision"]]
    distinct = experts * (1 - (1 - per / experts) ** tokens)
    read = size * (distinct * p["gpt4_expert_parameters"] + p["gpt4_shared_parameters"])

    def read_of_128(chosen):  # the experts of all sizes hold as much together; the shared part stays
        touched = 1 - (1 - chosen / 128) ** tokens
        return size * (touched * experts * p["gpt4_expert_parameters"] + p["gpt4_shared_parameters"])

    return {
        "mean_tokens_per_expert": tokens * per / experts,
        "idle_probability": (1 - per / experts) ** tokens,
        "distinct_experts": distinct,
        "bytes_read_per_token": read / tokens / 1e9,
        "read_128_same_work": read_of_128(16) / read,
        "read_128_two_each": read_of_128(2) / read,
        "large_mean": p["large_batch_tokens"] * per / experts,
        "large_busiest_low": routing.most_loaded_bounds(experts, per, p["large_batch_tokens"])[0],
        "large_busiest_high": routing.most_loaded_bounds(experts, per, p["large_batch_tokens"])[1],
        "tokens_per_read": p["large_batch_tokens"] * per / experts / 16,
        "utilisation_left": size * (per * p["gpt4_expert_parameters"] + p["gpt4_shared_parameters"]) / read,
    }


test_results_equal_closed_forms = equal(
    CHAPTER,
    expected,
    dict(gpt4_experts=64, routed_tokens=12),
    dict(gpt4_experts_per_token=4, precision="fp8", routed_tokens=4),
    apart=None,
)


def test_the_table_of_cuts_counts_the_shared_part():
    """By hand: 55 billion shared, 16 experts of 111 billion or the same 1,776 billion cut finer, two bytes each."""
    balance = 312e12 / 1.555e12
    wanted = []
    for experts, chosen, each in (
        (16, 2, 111), (64, 8, 27.75), (128, 16, 13.875), (64, 2, 27.75), (128, 2, 13.875), (64, 2, 111),
    ):  # fmt: skip
        touched = experts * (1 - (1 - chosen / experts) ** 8)
        filled = balance * 2 * (experts * each + 55) / (2 * (chosen * each + 55))
        wanted.append([2 * (touched * each + 55) / 1e3, filled])
    cells = json.loads(CHAPTER.path.read_text(encoding="utf-8"))["cells"]
    (cell,) = (cell for cell in cells if "".join(cell["source"]) == "table(compare)")
    rows = re.findall(r"<tr>(.*?)</tr>", "".join(cell["outputs"][0]["data"]["text/html"]), re.S)
    shown = [re.findall(r"<td>(.*?)</td>", row) for row in rows]
    shown = [[float(row[i].replace(",", "")) for i in (1, 3)] for row in shown if row]
    assert shown == [pytest.approx(row, rel=5e-3) for row in wanted]
    assert [round(wanted[0][0], 2), round(wanted[0][1], -1)] == [2.44, 1330], "as the text has them"
    text = " ".join(
        "".join(o["data"].get("text/markdown", "")) for c in cells for o in c.get("outputs", []) if "data" in o
    )
    assert f"{wanted[4][1] / wanted[0][1]:.2f} times the batch" in text


def test_the_even_outcome_by_counting():
    # 8 tokens share out 16 experts in pairs: 16! / 2**8 ordered ways among C(16, 2)**8 equally likely ones
    ways = 1
    for left in range(16, 0, -2):
        ways *= comb(left, 2)
    results = CHAPTER.results()
    assert results["even_probability"] == pytest.approx(ways / comb(16, 2) ** 8, rel=1e-12)


def test_eight_four_one_and_none_side_by_side_by_counting():
    # one expert is in all 8 pairs, so the partners decide: 8 throws at 15 of them, one hit exactly 4 times,
    # another once; the rest may see two or three of the four that are left
    ways = 16 * 15 * comb(8, 4) * (14**4 - sum_without_a_single(14, 4))
    results = CHAPTER.results()
    assert results["lopsided_probability"] == pytest.approx(ways / comb(16, 2) ** 8, rel=1e-12)


def sum_without_a_single(partners: int, throws: int) -> int:
    """Ways to throw four tokens at partners so that none sees exactly one: four alike, or two pairs."""
    assert throws == 4
    return partners + comb(partners, 2) * comb(4, 2)


def test_the_variation_of_a_step_by_brute_force():
    # the variance of the distinct experts over all picks of 3 tokens among 4 experts, two each
    results = CHAPTER.results(gpt4_experts=4, routed_tokens=3)
    pairs = list(combinations(range(4), 2))
    touched = [len(set().union(*picks)) for picks in product3(pairs)]
    mean = sum(touched) / len(touched)
    deviation = (sum((d - mean) ** 2 for d in touched) / len(touched)) ** 0.5
    alike = deviation * 111 / (mean * 111 + 55)
    assert results["step_variation_alike"] == pytest.approx(alike, rel=1e-9)
    assert results["step_variation"] == pytest.approx(alike / 120**0.5, rel=1e-9)


def test_the_busiest_expert_by_brute_force():
    results = CHAPTER.results(gpt4_experts=4, routed_tokens=3)
    pairs = list(combinations(range(4), 2))
    loads = [max(sum(e in pick for pick in picks) for e in range(4)) for picks in product3(pairs)]
    assert results["mean_busiest"] == pytest.approx(sum(loads) / len(loads), rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "touched"),
    [
        ({"routed_tokens": 1}, 2),
        ({"gpt4_experts": 4, "gpt4_experts_per_token": 4, "routed_tokens": 3}, 4),
        ({"gpt4_experts": 1, "gpt4_experts_per_token": 1, "routed_tokens": 3}, 1),
    ],
    ids=["one token", "all experts for each token", "one expert"],
)
def test_where_routing_chooses_nothing_a_step_is_steady_and_nothing_is_lost(changes, touched):
    verdicts, results = CHAPTER.run(**changes)
    assert results["distinct_experts"]["value"] == pytest.approx(touched)
    assert results["step_variation"]["value"] == pytest.approx(0, abs=1e-6)
    assert results["utilisation_left"]["value"] == pytest.approx(1)
    assert verdicts["serve-015"]["verdict"] == verdicts["serve-036"]["verdict"] == "fails"


def product3(items):
    return [(a, b, c) for a in items for b in items for c in items]


def test_verdicts_and_where_they_flip():
    verdicts, _ = CHAPTER.run()
    assert len(verdicts) == 7
    assert (verdicts["serve-034"]["verdict"], verdicts["serve-039"]["verdict"]) == ("holds", "adds up")
    assert CHAPTER.verdict("serve-034", routed_tokens=9) == "fails"
    assert verdicts["serve-015"]["verdict"] == "holds if"
    assert verdicts["serve-039"]["flips_at"]["value"] == pytest.approx(4080)
    assert CHAPTER.sides("serve-039", "large_batch_tokens") == ["adds up", "fails"]
    assert verdicts["serve-036"]["verdict"] == "fails"
    edge = verdicts["serve-015"]["flips_at"]
    assert edge["parameter"] == "routed_tokens" and 2 < edge["value"] < 3
    two, three = (CHAPTER.run(routed_tokens=n)[0] for n in (2, 3))
    assert (two["serve-015"]["verdict"], three["serve-015"]["verdict"]) == ("fails", "holds if")
    assert {i for i in two if two[i]["verdict"] != verdicts[i]["verdict"]} == {"serve-015", "serve-034", "serve-035"}


test_bad_values_stop_with_one_line = refuses(
    CHAPTER,
    ({"gpt4_experts": 0}, "gpt4_experts = 0 is not allowed: it must be at least 1…"),
    ({"gpt4_experts_per_token": 17}, "experts_per_token = 17 is not allowed…"),
    ({"routed_tokens": 0}, "routed_tokens = 0 is not allowed: it must be at least 1 and at most 16…"),
)
