"""The chapter under other assumptions, each result held against the library called directly."""

from itertools import permutations
from math import ceil, log

import numpy as np
import pytest
from notebook_runner import run

from llm_economics import catalog, serving
from llm_economics.catalog import ROOT
from llm_economics.elementwise import ParameterError
from llm_economics.hardware import Accelerator, Link, System, bytes_per_value
from llm_economics.parallelism import Split

CHAPTER = ROOT / "chapters/gb200-30x.ipynb"
DEFAULTS = {
    "tpot_limit_ms": 50.0,
    "ttft_limit_s": 5.0,
    "prompt_tokens": 32768,
    "output_tokens": 1024,
    "mfu": 0.40,
    "bandwidth_efficiency": 0.70,
    "h100_usd_per_hour": 2.00,
    "gb200_usd_per_hour": 3.30,
}
H100, GB200 = catalog.accelerator("H100"), catalog.accelerator("GB200")
NEAR_S, FAR_S = (3.6 + 14 * 0.47) / 2 * 1e-6, (8.4 + 9.6) * 1e-6
GRID = np.unique(np.geomspace(1, 20000, 600).round())


def model(precision: str) -> serving.ServedModel:
    size = bytes_per_value(precision)
    return serving.ServedModel(
        name="1.8T",
        common_bytes=55e9 * size,
        expert_bytes=111e9 * size,
        experts=16,
        experts_per_token=2,
        flops_per_token=2 * 277e9,
        kv_bytes_per_token=2 * 120 * 8 * 128,
        kv_heads=8,
        layers=120,
        moe_layers=120,
        hidden_bytes=2 * 10752,
        decode_flops_per_key=4 * 120 * 10752,
        prefill_flops_per_key=4 * 120 * 10752,
    )


def system(chip: Accelerator, n: int, domain: int) -> System:
    return System("s", chip, n, domain, Link("a", chip.link_bandwidth, NEAR_S), Link("b", 50e9, FAR_S))


def boxed(n: int) -> Split:
    return Split(tensor=8, pipeline=n / 8)


def spread(n: int) -> Split:
    return Split(tensor=8, data=n / 8, expert=16, expert_tensor=n / 16)


def prompt_flops(tokens: int) -> float:
    return tokens * 2 * 277e9 + 4 * 120 * 10752 * tokens * (tokens + 1) / 2


def rate(p: dict, machine: System, precision: str, split: Split, batches=GRID) -> float:
    context = p["prompt_tokens"] + p["output_tokens"]
    assumed = {
        "precision": precision,
        "bandwidth_efficiency": p["bandwidth_efficiency"],
        "compute_efficiency": p["mfu"],
    }
    step = serving.decode(model(precision), machine, batches, context, split, bound="sum", **assumed)
    fits = serving.capacity(model(precision), machine, batches, context, split).fits
    allowed = fits & (step.seconds <= p["tpot_limit_ms"] / 1e3)
    if not allowed.any():
        return 0.0
    decode_s = split.accelerators / (batches[allowed] / step.seconds[allowed]).max()
    prompt_s = prompt_flops(p["prompt_tokens"]) / (machine.accelerator.peak(precision) * p["mfu"])
    return 1 / (decode_s + prompt_s / p["output_tokens"])


def hybrid(p: dict, swapped: frozenset[str]) -> float:
    pick = {part: GB200 if part in swapped else H100 for part in ("memory", "compute", "link")}
    peak = pick["compute"].peak("fp8")
    chip = Accelerator(
        "hybrid",
        pick["memory"].memory_bytes,
        pick["memory"].memory_bandwidth,
        {"fp8": peak, "fp4": 2 * peak},
        link_bandwidth=pick["link"].link_bandwidth,
    )
    precision = "fp4" if "precision" in swapped else "fp8"
    if "link" in swapped:
        return rate(p, system(chip, 72, 72), precision, spread(72))
    return rate(p, system(chip, 64, 8), precision, boxed(64))


def link_share(p: dict) -> float:
    """The Shapley share from its definition: the mean over all orders."""
    properties = ("precision", "memory", "compute", "link")
    steps = []
    for order in permutations(properties):
        before = frozenset(order[: order.index("link")])
        steps.append(log(hybrid(p, before | {"link"}) / hybrid(p, before)))
    return np.mean(steps) / log(hybrid(p, frozenset(properties)) / hybrid(p, frozenset()))


def all_read_ms(p: dict, shared_over: int, experts_over: int, talk_s: float) -> float:
    """The chapter's equation by hand, with the experts that 64 tokens touch."""
    touched = 16 * (1 - (14 / 16) ** 64)
    held = 55e9 / shared_over + touched * 111e9 / experts_over
    return 1e3 * (held / (H100.memory_bandwidth * p["bandwidth_efficiency"]) + talk_s)


def talk(tokens: float, experts_spread: bool) -> float:
    hidden = tokens * 2 * 10752
    reduce = 2 * (7 / 8) * hidden / 450e9 + 2 * NEAR_S
    if not experts_spread:
        return 240 * reduce + 7 * (hidden / 50e9 + FAR_S)
    sent = 2 * hidden / 8
    exchange = max((7 / 8) * (sent / 8) / 450e9 + NEAR_S, (7 / 8) * sent / 50e9 + FAR_S)
    return 120 * reduce + 240 * exchange


def expected(**changes) -> dict[str, float]:
    """The named results, from the library and from data alone."""
    p = {**DEFAULTS, **changes}
    rack = rate(p, system(GB200, 72, 72), "fp4", spread(72))
    layouts = [rate(p, system(H100, 64, 8), "fp8", split(64)) for split in (boxed, spread)]
    prices = p["gb200_usd_per_hour"] / p["h100_usd_per_hour"]
    at_limits = []
    for limit in np.arange(5, 100, 0.5):
        q = {**p, "tpot_limit_ms": limit}
        better = max(rate(q, system(H100, 64, 8), "fp8", split(64)) for split in (boxed, spread))
        at_limits.append(rate(q, system(GB200, 72, 72), "fp4", spread(72)) / better if better else 0)
    kv = (p["prompt_tokens"] + p["output_tokens"]) * 2 * 120 * 8 * 128
    return {
        "rest_share_of_thirty": log(30 / (2 * 192 / 80)) / log(30),
        "h100s_to_hold": ceil(1831e9 / (80 * 2**30)),
        "gb200s_to_hold": ceil(1831e9 / 2 / 186e9),
        "h100s_to_hold_64_users": ceil((1831e9 + 64 * kv) / (80 * 2**30)),
        "h100s_for_first_token": prompt_flops(p["prompt_tokens"]) / (1978.9e12 * p["mfu"] * p["ttft_limit_s"]),
        "boxed_all_experts_ms": all_read_ms(p, 8, 8, talk(64, False)),
        "spread_all_experts_ms": all_read_ms(p, 8, 64, talk(8, True)),
        "speedup_over_boxes": rack / layouts[0],
        "speedup_over_spread": rack / layouts[1],
        "gb200_tokens_per_second": rack,
        "h100_tokens_per_second": layouts[0],
        "highest_speedup": max(at_limits),
        "link_share": link_share(p),
        "price_ratio": prices,
        "cost_ratio_over_boxes": rack / layouts[0] / prices,
        "cost_ratio_over_spread": rack / layouts[1] / prices,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"prompt_tokens": 8192, "output_tokens": 512, "tpot_limit_ms": 120.0, "mfu": 0.5, "bandwidth_efficiency": 0.8},
        {"tpot_limit_ms": 33.0, "ttft_limit_s": 2.0, "h100_usd_per_hour": 1.69, "gb200_usd_per_hour": 2.75},
    ],
    ids=["defaults", "short prompts, patient users", "hasty users, other prices"],
)
def test_results_equal_the_library(changes):
    _, results = run(CHAPTER, **changes)
    wanted = expected(**changes)
    assert set(results) == set(wanted)
    for name, value in wanted.items():
        assert results[name]["value"] == pytest.approx(value, rel=1e-9), name


def test_every_parameter_matters():
    verdicts, results = run(CHAPTER)
    before = {name: row["value"] for name, row in results.items()} | verdicts
    for name, value in DEFAULTS.items():
        changed = type(value)(value * 2) if name not in ("mfu", "bandwidth_efficiency") else value * 0.9
        verdicts, results = run(CHAPTER, **{name: changed})
        assert {n: row["value"] for n, row in results.items()} | verdicts != before, name


@pytest.mark.parametrize(("claim", "inside"), [("gb200-005", "holds if"), ("gb200-007", "holds")])
def test_verdicts_flip_where_they_say(claim, inside):
    verdicts, _ = run(CHAPTER)
    edge = verdicts[claim]["flips_at"]
    assert (edge["parameter"], verdicts[claim]["verdict"]) == ("gb200_usd_per_hour", inside)
    assert run(CHAPTER, gb200_usd_per_hour=0.999 * edge["value"])[0][claim]["verdict"] == inside
    assert run(CHAPTER, gb200_usd_per_hour=1.001 * edge["value"])[0][claim]["verdict"] == "fails"


def test_verdicts_at_the_defaults():
    verdicts, results = run(CHAPTER)
    assert verdicts["gb200-004"]["computed_value"] == pytest.approx([4.8, 15 / (10000 / 3957.8)])
    assert verdicts["gb200-x03"]["computed_value"] == pytest.approx([5, 6.25])
    assert verdicts["gb200-x02"]["computed_value"] == [22, 5, 43, 10, 20]
    assert verdicts["gb200-008"]["verdict"] == "cannot be tested"
    assert results["boxed_all_experts_ms"]["value"] > 50 > results["spread_all_experts_ms"]["value"]
    assert verdicts["gb200-x01"]["computed_value"][:2] == pytest.approx(
        [results[f"{layout}_all_experts_ms"]["value"] for layout in ("boxed", "spread")], rel=1e-5
    )


def test_no_batch_between_the_steps_of_the_grid_is_much_better():
    every = np.arange(1.0, 2000.0)
    for case in (
        (system(H100, 64, 8), "fp8", boxed(64)),
        (system(H100, 64, 8), "fp8", spread(64)),
        (system(GB200, 72, 72), "fp4", spread(72)),
    ):
        assert rate(DEFAULTS, *case) == pytest.approx(rate(DEFAULTS, *case, batches=every), rel=0.01)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"tpot_limit_ms": 0.0}, "tpot_limit_ms"),
        ({"tpot_limit_ms": 5.0}, "tpot_limit_ms"),
        ({"prompt_tokens": 0}, "prompt_tokens"),
        ({"output_tokens": 1.5}, "output_tokens"),
        ({"h100_usd_per_hour": 0.0}, "h100_usd_per_hour"),
        ({"gb200_usd_per_hour": -1.0}, "gb200_usd_per_hour"),
        ({"bandwidth_efficiency": 1.2}, "bandwidth_efficiency"),
    ],
)
def test_bad_values_stop_with_one_line(changes, name):
    with pytest.raises(ParameterError) as error:
        run(CHAPTER, **changes)
    assert str(error.value).startswith(f"{name} = ")
    assert "\n" not in str(error.value)
