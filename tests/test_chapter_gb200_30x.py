"""The chapter under other assumptions, each result held against the library called directly."""

from dataclasses import replace
from functools import cache
from itertools import permutations
from math import ceil, gcd, log

import numpy as np
import pytest
from chapter import Chapter, equal, flips, refuses

from llm_economics import facts
from llm_economics.evidence import calibration, search
from llm_economics.formulas import services, serving
from llm_economics.formulas.hardware import Accelerator, Link, System, bytes_per_value
from llm_economics.formulas.parallelism import Split

CHAPTER = Chapter("gb200-30x")
H100, GB200 = facts.accelerator("H100"), facts.accelerator("GB200")
H100_BYTES, GB200_BYTES = 80 * 2**30, 189471 * 2**20  # the second as nvidia-smi reports it
NEAR_S, FAR_S = (3.6 + 14 * 0.47) / 2 * 1e-6, (8.4 + 9.6) * 1e-6
PROPERTIES = ("precision", "FLOP/s", "memory bandwidth", "memory size", "NVLink speed", "domain of 72")
POWERS = (1, 2, 4, 8, 16, 32, 64)
BATCHES = search.batch_grid(8192, 1.3)


@cache
def chapter(**changes) -> tuple[dict, dict]:
    return CHAPTER.run(**changes)


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


H100S, RACK = system(H100, 64, 8), system(GB200, 72, 72)


def frontier(p: dict, machine: System, precision: str, boxed: bool = False, **assumed) -> search.Frontier:
    models = {precision: model(precision)}
    within = search.space(models, machine, tensor=POWERS, pipeline=POWERS, data=POWERS, batch=BATCHES)
    if boxed:
        within = replace(within, layouts=within.layouts[within.layouts.tensor * within.layouts.data <= 8])
    return search.search(
        models,
        machine,
        search.Workload(p["prompt_tokens"], p["output_tokens"]),
        search.Limits(max_ttft_s=p["ttft_limit_s"]),
        assumptions=search.Assumptions(p["bandwidth_efficiency"], p["mfu"], **assumed),
        within=within,
    )


def by_hand(p: dict, machine: System, precision: str, boxed: bool = False) -> float:
    """The same rate without the search: every layout and batch in one array."""
    served, chip = model(precision), machine.accelerator
    rows = [
        (t, s, d, e)
        for t in POWERS
        for s in POWERS
        for d in POWERS
        for e in POWERS[:5]
        if t * s * d <= machine.accelerators and t * d % e == 0 and (t * d <= 8 or not boxed)
        if t * s * d <= machine.domain_size or machine.domain_size % t == 0 or t % machine.domain_size == 0
    ]
    t, s, d, e = np.array(rows, dtype=float).T[:, :, None]
    split = Split(t, s, d, e, expert_tensor=t * d / e, fullest=np.ceil(120 / s) * s / 120)
    assumed = {
        "precision": precision,
        "bandwidth_efficiency": p["bandwidth_efficiency"],
        "compute_efficiency": p["mfu"],
        "overlap": 0.0,
    }
    alive = 8192 * served.hidden_bytes * (3 + 12 / t)  # hidden states, and an MLP of four of them
    reserve = 0.1 * chip.memory_bytes + alive + 0.3e9 + np.where((t > 1) | (e > 1), 2e9, 0)
    full = p["prompt_tokens"] + p["output_tokens"]

    prompts = 2.0 ** np.arange(8) * s * d
    prompts = prompts[:, 2.0 ** np.arange(8) * p["prompt_tokens"] <= max(65536, p["prompt_tokens"])]
    read = serving.prefill(served, machine, prompts, p["prompt_tokens"], split, **assumed).seconds
    link = machine.scale_out if machine.accelerators > machine.domain_size else machine.scale_up
    sent = served.kv_bytes(p["prompt_tokens"]) / np.minimum(t, 8) / s / link.bandwidth + link.latency_s
    room = serving.capacity(served, machine, prompts, p["prompt_tokens"], split, reserve_bytes=reserve).fits
    prompt_s = np.where(room & (read + sent <= p["ttft_limit_s"]), read * t * s * d / prompts, np.inf).min()

    batch = BATCHES * s * d
    step = serving.decode(served, machine, batch, p["prompt_tokens"] + p["output_tokens"] / 2, split, **assumed)
    fits = serving.capacity(served, machine, batch, full, split, reserve_bytes=reserve).fits
    each = 1 / (1 / step.tokens_per_second_per_accelerator + prompt_s / p["output_tokens"])
    return each[fits & (step.seconds <= p["tpot_limit_ms"] / 1e3)].max(initial=0.0)


def hybrid(p: dict, swapped: frozenset[str], boxed: bool) -> float:
    pick = {name: GB200 if name in swapped else H100 for name in PROPERTIES}
    peak = pick["FLOP/s"].peak("fp8")
    chip = Accelerator(
        "hybrid",
        pick["memory size"].memory_bytes,
        pick["memory bandwidth"].memory_bandwidth,
        {"fp8": peak, "fp4": 2 * peak},
        link_bandwidth=pick["NVLink speed"].link_bandwidth,
    )
    precision = "fp4" if "precision" in swapped else "fp8"
    if "domain of 72" in swapped:
        found = frontier(p, system(chip, 72, 72), precision)
    else:
        found = frontier(p, system(chip, 64, 8), precision, boxed)
    return found.throughput(p["tpot_limit_ms"] / 1e3)


def link_share(p: dict, boxed: bool) -> float:
    """The Shapley share from its definition: the mean over all orders."""
    rates = cache(lambda swapped: log(hybrid(p, swapped, boxed)))
    steps = 0.0
    for order in permutations(PROPERTIES):
        for name in PROPERTIES[4:]:
            before = frozenset(order[: order.index(name)])
            steps += rates(before | {name}) - rates(before)
    return steps / 720 / (rates(frozenset(PROPERTIES)) - rates(frozenset()))


def all_read_ms(p: dict, shared_over: int, experts_over: int, talk_s: float) -> float:
    """The chapter's equation by hand, with the experts that 64 tokens touch."""
    touched = 16 * (1 - (14 / 16) ** 64)
    held = 55e9 / shared_over + touched * 111e9 / experts_over
    return 1e3 * (held / (H100.memory_bandwidth * p["bandwidth_efficiency"]) + talk_s)


def talk(tokens: float, experts_spread: bool) -> float:
    hidden = tokens * 2 * 10752

    def reduce(size, members):
        return 2 * (members - 1) / members * size / 450e9 + 2 * NEAR_S

    if not experts_spread:
        return 240 * reduce(hidden, 8) + 7 * (hidden / 50e9 + FAR_S)
    sent = 2 * hidden / 8
    exchange = max((7 / 8) * (sent / 8) / 450e9 + NEAR_S, (7 / 8) * sent / 50e9 + FAR_S)
    return 120 * reduce(hidden, 8) + 240 * exchange + 120 * reduce(4 * sent, 4)


def thirty(rack: search.Frontier, best: search.Frontier) -> tuple[float, float]:
    ratios = {ms / 10: (rack.throughput(ms / 1e4), best.throughput(ms / 1e4)) for ms in range(50, 1000)}
    ratios = {ms: fast / slow for ms, (fast, slow) in ratios.items() if slow}
    return max((ms for ms, ratio in ratios.items() if ratio >= 30), default=0), max(ratios.values())


def tokens_of_a_service(p: dict, chip: Accelerator, domain: int, counts: tuple, precision: str) -> float:
    """Output tokens per second and GPU where a request takes the least GPU time within the limit, by the forecast."""
    whole = model("bf16")
    served = replace(whole, kv_bytes_per_token=2 * whole.kv_bytes_per_token)
    lengths, formats = (p["prompt_tokens"], p["output_tokens"]), {"weights": precision, "kv": "fp8"}
    found = []
    for n in counts:
        spread = [(t, n // t, gcd(n, 16)) for t in (1, 2, 4, 8, 16, n) if n % t == 0]
        for t, d, e in [(n, 1, 1), *spread]:
            machine, split = system(chip, n, domain), Split(t, 1, d, e, expert_tensor=n / e)
            held = services.sequences_held(served, machine, lengths[0] + lengths[1] / 2, split, **formats)
            if held >= 1:
                users = np.unique(np.round(np.geomspace(1, min(held, 4096 * d), 120)))
                told = services.forecast(served, machine, users, *lengths, split, arithmetic=precision, **formats)
                kept = 1 / told.tpot_s >= 1e3 / p["tpot_limit_ms"]
                rates = told.requests_per_s * p["output_tokens"] / n
                found += zip((n * told.busy_s)[kept], rates[kept], strict=True)
    return min(found)[1]


def expected(p: dict) -> dict[str, float]:
    """The named results, from the library and from data alone."""
    rack, best, boxed = by_hand(p, RACK, "fp4"), by_hand(p, H100S, "fp8"), by_hand(p, H100S, "fp8", True)
    slow = {"overhead_per_layer_s": calibration.fitted().layer_s + calibration.fitted().expert_layer_s}
    at, highest = thirty(frontier(p, RACK, "fp4"), frontier(p, H100S, "fp8"))
    at_fixed, _ = thirty(frontier(p, RACK, "fp4", **slow), frontier(p, H100S, "fp8", **slow))
    prices = p["gb200_usd_per_hour"] / p["h100_usd_per_hour"]
    kv = (p["prompt_tokens"] + p["output_tokens"]) * 2 * 120 * 8 * 128
    prompt = p["prompt_tokens"]
    prompt_flops = prompt * 2 * 277e9 + 4 * 120 * 10752 * prompt * (prompt + 1) / 2
    return {
        "speedup_over_boxes": rack / boxed,
        "speedup_over_spread": rack / best,
        "gb200_tokens_per_second": rack,
        "h100_tokens_per_second": best,
        "h100_boxed_tokens_per_second": boxed,
        "link_share": link_share(p, True),
        "link_share_best_layout": link_share(p, False),
        "thirty_at_ms": at,
        "thirty_at_ms_with_fixed_time": at_fixed,
        "highest_speedup": highest,
        "rest_share_of_thirty": log(30 / (2 * 192 / 80)) / log(30),
        "h100s_to_hold": ceil(1831e9 / (80 * 2**30)),
        "gb200s_to_hold": ceil(1831e9 / 2 / GB200_BYTES),
        "h100s_to_hold_64_users": ceil((1831e9 + 64 * kv) / (0.9 * 80 * 2**30 - 8192 * 2 * 10752 * 4.5 - 2.3e9)),
        "h100s_for_first_token": prompt_flops / (1978.9e12 * p["mfu"] * p["ttft_limit_s"]),
        "boxed_all_experts_ms": all_read_ms(p, 8, 8, talk(64, False)),
        "spread_all_experts_ms": all_read_ms(p, 8, 64, talk(8, True)),
        "service_speedup": tokens_of_a_service(p, GB200, 72, (36, 72), "fp4")
        / tokens_of_a_service(p, H100, 8, (32, 64), "fp8"),
        "price_ratio": prices,
        "cost_ratio_over_boxes": rack / boxed / prices,
        "cost_ratio_over_spread": rack / best / prices,
    }


test_results_equal_the_library = equal(
    CHAPTER,
    expected,
    dict(prompt_tokens=8192, output_tokens=512, tpot_limit_ms=100.0, mfu=0.5, bandwidth_efficiency=0.8),
    dict(tpot_limit_ms=33.0, ttft_limit_s=4.0, h100_usd_per_hour=1.69, gb200_usd_per_hour=2.75),
)


test_verdicts_flip_where_they_say = flips(
    CHAPTER,
    ("gb200-005", "gb200_usd_per_hour", "holds", "fails"),
    ("gb200-007", "gb200_usd_per_hour", "holds if", "fails"),
)


def test_verdicts_at_the_defaults():
    verdicts, results = chapter()
    assert verdicts["gb200-001"]["verdict"] == verdicts["gb200-002"]["verdict"] == "holds if"
    assert verdicts["gb200-003"]["verdict"] == verdicts["gb200-004"]["verdict"] == "holds if"
    assert verdicts["gb200-004"]["computed_value"] == pytest.approx([4.8, 15 / (10000 / 3957.8)])
    assert verdicts["gb200-x03"]["computed_value"] == pytest.approx([5, 6.25])
    assert verdicts["gb200-x02"]["computed_value"] == [
        ceil(1831e9 * size / memory)
        for size, memory in ((1, H100_BYTES), (0.5, GB200_BYTES), (2, H100_BYTES), (1, GB200_BYTES), (2, GB200_BYTES))
    ]
    assert verdicts["gb200-008"]["verdict"] == "cannot be tested"
    assert results["boxed_all_experts_ms"]["value"] > 50 > results["spread_all_experts_ms"]["value"]
    boxes, best = (frontier(CHAPTER.defaults, H100S, "fp8", boxed).columns for boxed in (True, False))
    stop = [1e3 * found["tpot_s"][0] for found in (boxes, best)]
    rates = [found["tokens_per_second_per_accelerator"] for found in (boxes, best)]
    half = [
        1e3 * min(found["tpot_s"][rate >= rate.max() / 2]) for found, rate in zip((boxes, best), rates, strict=True)
    ]
    assert verdicts["gb200-x01"]["computed_value"] == pytest.approx([*stop, *half], rel=1e-5)


def test_the_figure_says_at_each_limit_what_the_chapter_records_and_where_thirty_ends():
    said, results = CHAPTER.moved("limit_ms"), {name: row["value"] for name, row in chapter()[1].items()}
    best, boxes = (f"{results[f'speedup_over_{how}']:.3g} times" for how in ("spread", "boxes"))
    assert said[50.0][1] == f"{best} (boxes: {boxes})" and best in said[50.0][0]
    served = {ms: float(ratio.split()[0]) for ms, (_, ratio) in said.items() if ratio[0].isdigit()}
    assert max(ms for ms, ratio in served.items() if ratio >= 30) == results["thirty_at_ms"]
    assert min(said) < min(served) and "H100s serve nobody" in said[min(said)][0]


def measured(base: str, other: str) -> float:
    """DeepSeek-R1's ratio at 20 tokens/s for each user, 8,192 tokens in, by hand."""
    rows = facts.load("inferencemax_iso_interactivity")
    rows = rows[(rows.model == "DeepSeek-R1-0528") & (rows.base == base) & (rows.comp == other) & (rows.isl == 8192)]
    return float(rows.set_index("interactivity_tok_s_user").perf_ratio[20])


def test_the_lower_bound_is_lost_to_what_was_measured_below_it():
    found = chapter()[0]["gb200-005"]
    assert (found["verdict"], found["condition"]) == ("fails", None)
    assert found["computed_value"] == pytest.approx(3.52 * 2.00 / 3.30, rel=1e-5)
    assert found["flips_at"]["value"] == pytest.approx(3.52 * 2.00 / 4.8, rel=1e-5)
    rented = measured("h200-fp8-none", "gb200-fp4-none") * 1.60 / 3.30
    assert f"the fall is {rented:.3g}, short of the 4.8" in found["reason"] and rented < 4.8


def test_thirty_lies_between_what_was_measured_at_two_speeds():
    found = chapter()[0]["gb200-001"]
    assert (found["verdict"], found["support"], found["factor_apart"]) == ("holds if", "measured", 1.0)
    slow, quick = measured("h200-fp8-none", "gb200-fp4-none"), facts.fact("gb200", "measured_DSR1_H100_vs_GB200_75")
    assert slow < 30 < quick and f"{slow:.3g} times an H200" in found["condition"]


def test_what_the_link_does_for_cost_hangs_on_the_price_too():
    found = chapter()[0]["gb200-003"]
    prices = {"gb200": 3.30, "b200": 2.90}
    rented = [measured("h200-fp8-none", f"{gpu}-fp4-none") * 1.60 / price for gpu, price in prices.items()]
    assert "at three-year rentals {:.3g} and {:.3g}.".format(*rented) in found["reason"]
    assert rented[0] < 4.8 and found["condition"].endswith("GPU-hours are priced at the costs of ownership")


def test_who_needs_a_rack_counts_the_model_of_the_chapter():
    found = chapter()[0]["gb200-007"]
    assert found["statement"].startswith("Not everyone has models large enough")  # item 7 of the article
    sizes = facts.load("models").set_index("model").params_exact  # bytes too, at one for each parameter
    large = set(sizes.index[sizes >= 8 * H100_BYTES])
    assert large == {"Kimi-K2", "Kimi-K2.5", "GLM-5", "GLM-5.2", "DeepSeek-V4-Pro"} and 8 * H100_BYTES < 1831e9
    fitting, known = len(sizes) - len(large), len(sizes) + 1
    assert found["computed_value"].startswith(f"{fitting} of {known} models fit into eight H100s")
    assert f"all but {len(large) + 1} fit into a box" in found["reason"]
    assert f"the largest of these fills {sizes.drop(list(large)).max() / 8 / H100_BYTES:.0%} of it" in found["reason"]


def test_degrees_that_are_no_powers_of_two_and_finer_batches_change_little():
    for machine, precision in ((RACK, "fp4"), (H100S, "fp8")):
        work = search.Workload(32768, 1024)
        every = search.search({precision: model(precision)}, machine, work, search.Limits(max_ttft_s=5.0))
        assert frontier(CHAPTER.defaults, machine, precision).throughput(0.05) == pytest.approx(
            every.throughput(0.05), rel=0.03
        )


test_bad_values_stop_with_one_line = refuses(
    CHAPTER,
    ({"tpot_limit_ms": 0.0}, "tpot_limit_ms = …"),
    ({"tpot_limit_ms": 15.0}, "no feasible configuration of GPT-MoE-1.8T on boxes of eight H100s: TPOT: …"),
    ({"ttft_limit_s": 1.0}, "no feasible configuration of GPT-MoE-1.8T on …"),
    ({"prompt_tokens": 0}, "prompt_tokens = …"),
    ({"output_tokens": 1.5}, "output_tokens = …"),
    ({"h100_usd_per_hour": 0.0}, "h100_usd_per_hour = …"),
    ({"gb200_usd_per_hour": -1.0}, "gb200_usd_per_hour = …"),
    ({"bandwidth_efficiency": 1.2}, "bandwidth_efficiency = …"),
)
