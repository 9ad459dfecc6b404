"""The search: the same frontier as a loop over scalar rooms, monotone, independent of chunks; systems by name."""

import math
import tracemalloc
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_economics import facts
from llm_economics.evidence import search as searching
from llm_economics.evidence.search import FLOOR, Assumptions, InfeasibleError, Limits, Workload, search, space
from llm_economics.formulas import memory, serving
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.hardware import Accelerator, Link, System
from llm_economics.formulas.parallelism import Split, kv_shards

CHIP = Accelerator("chip", 80e9, 3e12, {"bf16": 1e15, "fp8": 2e15})
SYSTEM = System("two boxes of four", CHIP, 8, 4, Link("near", 450e9, 4e-6), Link("far", 50e9, 1e-5))
WORK = Workload(2000, 500)
MIXTURE = serving.model_from_parameters(
    "mixture",
    10e9,
    20e9,
    8,
    2,
    kv_bytes_per_token=1e5,
    kv_heads=2,
    layers=12,
    moe_layers=10,
    hidden_bytes=8192,
    decode_flops_per_key=4e5,
    prefill_flops_per_key=4e5,
)
DENSE = serving.model_from_parameters("dense", 40e9, kv_bytes_per_token=2e5, kv_heads=4, layers=12, hidden_bytes=8192)


def halved(model):
    """The same model at half the bytes for each weight and value."""
    sizes = ("common_bytes", "expert_bytes", "kv_bytes_per_token")
    return replace(model, **{name: getattr(model, name) / 2 for name in sizes})


def by_hand(models, system, work, limits, assumed, disaggregated, batches, degrees=(1, 2, 3, 4, 8)):
    """Every configuration one at a time, from the scalar rooms; the frontier as a sorted list."""
    n, experts = system.accelerators, int(next(iter(models.values())).experts or 1)
    layouts = [
        (t, p, d, e)
        for t, p, d, e in product(degrees, degrees, degrees if experts > 1 else (1,), range(1, experts + 1))
        if t * p * d <= n and p <= 12 and experts % e == 0 and t * d % e == 0
        if t * p * d <= system.domain_size or system.domain_size % t == 0 or t % system.domain_size == 0
    ]
    links = {
        "scale_up": replace(system.scale_up, bandwidth=system.scale_up.bandwidth * assumed.link_efficiency),
        "scale_out": replace(system.scale_out, bandwidth=system.scale_out.bandwidth * assumed.link_efficiency),
    }
    system = replace(system, **links)
    roof = {
        "bandwidth_efficiency": assumed.bandwidth_efficiency,
        "bound": assumed.bound,
        "overlap": assumed.overlap,
    }
    points = []
    for precision, model in models.items():
        split = {
            k: Split(*k, expert_tensor=k[0] * k[2] / k[3], fullest=math.ceil(12 / k[1]) * k[1] / 12) for k in layouts
        }
        room = {"pass_tokens": assumed.pass_tokens, "sequences": assumed.sequences, "engine": assumed.engine_bytes}
        reserve = {
            k: memory.reserve_bytes(model, CHIP.memory_bytes, split[k], assumed.memory_share, **room) for k in layouts
        }
        extra = model.layers * assumed.overhead_per_layer_s

        def fits(k, batch, context, model=model, split=split, reserve=reserve):
            return serving.capacity(model, system, batch, context, split[k], reserve_bytes=reserve[k]).fits

        cost = {}
        for k in layouts:
            for prompts in (2**i for i in range(6)):
                if prompts * work.input_tokens > 65_536:
                    break
                batch = prompts * k[1] * k[2]
                step = serving.prefill(
                    model,
                    system,
                    batch,
                    work.input_tokens,
                    split[k],
                    precision=precision,
                    compute_efficiency=assumed.prefill_efficiency or assumed.compute_efficiency,
                    **roof,
                )
                ttft = step.seconds + extra
                if disaggregated:
                    shards = kv_shards(split[k], model.kv_heads) * k[1]
                    ttft += model.kv_bytes(work.input_tokens) / shards / system.scale_out.bandwidth
                    ttft += system.scale_out.latency_s
                if fits(k, batch, work.input_tokens) and ttft <= limits.max_ttft_s:
                    cost[k] = min(cost.get(k, math.inf), (step.seconds + extra) * math.prod(k[:3]) / batch)
        for k, local in product(layouts, batches):
            accelerators, batch = math.prod(k[:3]), local * k[1] * k[2]
            if not cost or (not disaggregated and k not in cost) or not fits(k, batch, work.full_context):
                continue
            tpot = extra + (
                serving.decode(
                    model,
                    system,
                    batch,
                    work.mean_context,
                    split[k],
                    precision=precision,
                    compute_efficiency=assumed.compute_efficiency,
                    **roof,
                ).seconds
            )
            if disaggregated:
                rate = 1 / (accelerators * tpot / batch + min(cost.values()) / work.output_tokens)
            else:
                tpot += batch * cost[k] / accelerators / work.output_tokens
                rate = batch / tpot / accelerators
            if tpot <= limits.max_tpot_s:
                points.append((tpot, rate))
    frontier = []
    for tpot, rate in sorted(points, key=lambda point: (point[0], -point[1])):
        if not frontier or rate > frontier[-1][1]:
            frontier.append((tpot, rate))
    return frontier


CASES = {
    "mixture": ({"bf16": MIXTURE, "fp8": halved(MIXTURE)}, Limits(), Assumptions()),
    "mixture, limits": ({"fp8": halved(MIXTURE)}, Limits(0.03, 0.2), Assumptions(memory_share=0.8)),
    "mixture, floor": ({"fp8": halved(MIXTURE)}, Limits(), FLOOR),
    "dense": (
        {"bf16": DENSE},
        Limits(0.1, 0.5),
        Assumptions(bound="sum", overlap=0.3, link_efficiency=0.5, prefill_efficiency=0.6, overhead_per_layer_s=1e-5),
    ),
}


@pytest.mark.parametrize("disaggregated", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_same_frontier_as_a_loop_over_scalars(name, disaggregated):
    models, limits, assumed = CASES[name]
    batches = (1, 2, 5, 16, 64, 200)
    expected = by_hand(models, SYSTEM, WORK, limits, assumed, disaggregated, batches)
    degrees = {axis: (1, 2, 3, 4, 8) for axis in ("tensor", "pipeline", "data")}
    within = space(models, SYSTEM, batch=batches, **degrees)
    found = search(models, SYSTEM, WORK, limits, assumptions=assumed, disaggregated=disaggregated, within=within)
    assert len(expected) > 5
    ours = zip(found.columns["tpot_s"], found.columns["tokens_per_second_per_accelerator"], strict=True)
    assert np.array(list(ours)) == pytest.approx(np.array(expected), rel=1e-9)


def test_definitions_by_hand():
    """One accelerator, no links: all times are three divisions."""
    one = System("one", CHIP, 1, 1, Link("none", 1e9))
    model = serving.model_from_parameters("tiny", 10e9, kv_bytes_per_token=1e5)
    assumed = Assumptions(0.5, 0.5, memory_share=1.0, engine_bytes=0.0)
    within = space(model, one, batch=[8])
    decode = (20e9 + 8 * 1e5 * 2250) / 1.5e12
    prompt = 2000 * 20e9 / 0.5e15
    apart = search(model, one, WORK, assumptions=assumed, within=within).best()
    assert apart["tpot_s"] == pytest.approx(decode) and apart["ttft_s"] == pytest.approx(prompt + 2e8 / 1e9)
    assert apart["tokens_per_second_per_accelerator"] == pytest.approx(1 / (decode / 8 + prompt / 500))
    assert apart["prefill_share"] == pytest.approx(prompt / 500 / (decode / 8 + prompt / 500))
    assert apart["binds"] == "weights" and apart["kv_s"] == pytest.approx(8 * 1e5 * 2250 / 1.5e12)
    assert apart["memory_filled"] == pytest.approx((20e9 + 8 * 2500 * 1e5) / 80e9)
    together = search(model, one, WORK, assumptions=assumed, within=within, disaggregated=False).best()
    assert together["tpot_s"] == pytest.approx(decode + 8 * prompt / 500)
    assert together["tokens_per_second_per_accelerator"] == pytest.approx(8 / together["tpot_s"])
    assert together["ttft_s"] == pytest.approx(prompt)
    assert together["prefill_share"] == pytest.approx(apart["prefill_share"])


def test_chunks_do_not_change_results():
    models = CASES["mixture"][0]
    whole = search(models, SYSTEM, WORK, Limits(0.05, 1.0))
    for chunk in (1_000, 777):
        parts = search(models, SYSTEM, WORK, Limits(0.05, 1.0), chunk=chunk)
        assert parts.counts == whole.counts
        for name, values in whole.columns.items():
            assert (parts.columns[name] == values).all(), name


def test_memory_is_bounded_by_the_chunk():
    within = space(DENSE, SYSTEM, batch=range(1, 200_001))
    tracemalloc.start()
    found = search(DENSE, SYSTEM, WORK, within=within, chunk=1 << 12)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.counts.searched > 1_900_000
    assert peak < 8 * found.counts.searched / 2  # less than half of one column


def test_frontier_is_one():
    found = search({"fp8": MIXTURE, "bf16": MIXTURE}, SYSTEM, WORK)
    columns = found.columns
    assert (np.diff(columns["tpot_s"]) > 0).all() and (np.diff(columns["tokens_per_second_per_accelerator"]) > 0).all()
    assert columns["tokens_per_second_per_user"] == pytest.approx(1 / columns["tpot_s"])
    assert set(columns["binds"]) <= set(searching.BINDS)
    terms = np.stack([columns[f"{term}_s"] for term in ("weights", "kv", "compute", "link", "overhead")])
    assert [searching.BINDS[i] for i in terms.argmax(axis=0)] == columns["binds"].tolist()
    counts = found.counts
    assert found.frame().shape == (len(found), len(columns)) and len(found.points()) == len(found)
    assert counts.feasible > len(found) and counts.timed <= counts.searched


def test_answers_for_any_limit_come_from_one_search():
    whole = search(MIXTURE, SYSTEM, WORK, Limits(max_ttft_s=2.0))
    limits = np.array([1e-6, 0.008, 0.02, 0.05, 1.0])
    rates = whole.throughput(limits)
    assert rates[0] == 0 and (np.diff(rates) >= 0).all()
    for limit, rate in zip(limits[1:], rates[1:], strict=True):
        narrow = search(MIXTURE, SYSTEM, WORK, Limits(limit, 2.0))
        assert narrow.best()["tokens_per_second_per_accelerator"] == rate == whole.throughput(limit)
        assert narrow.best() == whole.best(limit)


LIMITS = np.geomspace(1e-3, 1, 40)
FASTER = ("memory_bandwidth", "memory_bytes", "peak", "scale_up", "scale_out", "latency")


@settings(max_examples=20, deadline=None)
@given(what=st.sampled_from(FASTER), factor=st.floats(1, 8), disaggregated=st.booleans(), overlap=st.floats(0, 1))
def test_better_hardware_never_lowers_the_frontier(what, factor, disaggregated, overlap):
    chip, up, out = CHIP, SYSTEM.scale_up, SYSTEM.scale_out
    if what in ("memory_bandwidth", "memory_bytes"):
        chip = replace(chip, **{what: getattr(chip, what) * factor})
    elif what == "peak":
        chip = replace(chip, peak_flops={name: peak * factor for name, peak in chip.peak_flops.items()})
    elif what == "latency":
        up, out = (replace(link, latency_s=link.latency_s / factor) for link in (up, out))
    else:
        up = replace(up, bandwidth=up.bandwidth * (factor if what == "scale_up" else 1))
        out = replace(out, bandwidth=out.bandwidth * (factor if what == "scale_out" else 1))
    better = replace(SYSTEM, accelerator=chip, scale_up=up, scale_out=out)
    batches = (1, 4, 16, 64)
    before, after = (
        search(
            MIXTURE,
            system,
            WORK,
            Limits(max_ttft_s=3.0),
            assumptions=Assumptions(overlap=overlap),
            disaggregated=disaggregated,
            within=space(MIXTURE, system, batch=batches),
        ).throughput(LIMITS)
        for system in (SYSTEM, better)
    )
    assert (after >= before * (1 - 1e-9)).all() and after.max() > 0


def test_more_accelerators_and_weaker_assumptions_never_lower_the_frontier():
    base = search(MIXTURE, SYSTEM, WORK).throughput(LIMITS)
    sixteen = search(MIXTURE, replace(SYSTEM, accelerators=16), WORK).throughput(LIMITS)
    floor = search(MIXTURE, SYSTEM, WORK, assumptions=FLOOR).throughput(LIMITS)
    assert (sixteen >= base * (1 - 1e-9)).all() and (floor >= base * (1 - 1e-9)).all()
    assert sixteen.sum() > base.sum() and floor.sum() > base.sum()


def test_space_counts_and_rejects():
    small = space(
        {"bf16": MIXTURE, "fp8": MIXTURE}, SYSTEM, tensor=[1, 3], pipeline=[1, 16], data=[2], expert=[1, 2, 3]
    )
    found = {tuple(map(int, row)) for row in np.column_stack([*vars(small.layouts).values()])}
    # Three accelerators on two copies each are six: a group would straddle two boxes of four.
    assert found == {(1, 1, 2, 1, 1, 1), (1, 1, 2, 2, 1, 1)}
    assert len(small) == 2 * len(small.batches) * 2 and small.rejected == 12 - 2
    assert space(DENSE, SYSTEM).layouts.data.tolist() == [1.0] * len(space(DENSE, SYSTEM).layouts)
    assert searching.degrees(72) == [1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 36, 64, 72]
    grid = searching.batch_grid(5000)
    assert grid[0] == 1 and grid[-1] == 5000 and (grid % 1 == 0).all()
    assert (grid[1:] / grid[:-1])[grid[:-1] > 20].max() < 1.08
    for wrong in ({"batch": []}, {"batch": [1.5]}, {"tensor": [0]}):
        with pytest.raises(ParameterError, match="is not allowed"):
            space(MIXTURE, SYSTEM, **wrong)


def test_reasons_name_the_limit_in_the_way():
    def reason(model, system, limits=None, **given):
        found = search(model, system, WORK, limits, **given)
        assert found.counts.feasible == 0 and len(found) == 0
        with pytest.raises(InfeasibleError) as error:
            found.require()
        return str(error.value), found.counts

    huge = serving.model_from_parameters("huge", 1e12, layers=12, kv_bytes_per_token=1.0)
    line, counts = reason(huge, SYSTEM)
    assert (
        "memory: the leanest layout needs 2,000 GB and may fill 557.6 GB" in line and counts.memory == counts.searched
    )
    line, counts = reason(MIXTURE, SYSTEM, Limits(max_ttft_s=1e-3))
    shortest = search(MIXTURE, SYSTEM, WORK).counts.ttft_s
    assert f"TTFT: the fastest first token takes {shortest:.4g} s, the limit is 0.001 s" in line and counts.ttft
    line, counts = reason(MIXTURE, SYSTEM, Limits(max_tpot_s=1e-4))
    shortest = search(MIXTURE, SYSTEM, WORK).columns["tpot_s"][0]
    assert f"TPOT: the fastest output token takes {1e3 * shortest:.4g} ms, the limit is 0.1 ms" in line and counts.tpot
    assert "TTFT" in reason(MIXTURE, SYSTEM, Limits(max_ttft_s=1e-3), disaggregated=False)[0]
    never = space(MIXTURE, SYSTEM, tensor=[16])
    assert "layout: no combination" in reason(MIXTURE, SYSTEM, within=never)[0]
    many = space(MIXTURE, SYSTEM, batch=[10**6])
    assert "memory" in reason(MIXTURE, SYSTEM, within=many)[0]
    with pytest.raises(InfeasibleError, match=r"the limit is 0\.01 ms"):
        search(MIXTURE, SYSTEM, WORK).best(1e-5)


def test_counts_add_up():
    found = search({"bf16": MIXTURE, "fp8": halved(MIXTURE)}, SYSTEM, WORK, Limits(0.01, 0.3), disaggregated=False)
    seen, grid = found.counts, space({"bf16": MIXTURE, "fp8": MIXTURE}, SYSTEM)
    prompts = 6  # 1 to 32 of 2,000 tokens
    assert seen.searched == len(grid) + 2 * prompts * len(grid.layouts)
    together = seen.memory + seen.ttft + seen.tpot + seen.feasible
    kept = seen.searched - together  # prefills within their limit: no reason, and no point of the frontier
    assert 0 < kept <= 2 * prompts * len(grid.layouts)
    assert min(seen.memory, seen.ttft, seen.tpot, seen.feasible) > 0


def test_refusals_are_one_line():
    for call in (
        lambda: search({"fp4": MIXTURE}, SYSTEM, WORK),
        lambda: search({}, SYSTEM, WORK),
        lambda: search({"bf16": MIXTURE, "fp8": DENSE}, SYSTEM, WORK),
        lambda: search({"fp8": MIXTURE}, SYSTEM, WORK, within=space({"bf16": MIXTURE}, SYSTEM)),
        lambda: Workload(0, 1),
        lambda: Limits(max_tpot_s=0),
        lambda: Limits(max_ttft_s=math.nan),
        lambda: Assumptions(overlap=1.5),
        lambda: Assumptions(bound="none"),
        lambda: Assumptions(memory_share=0),
    ):
        with pytest.raises(ParameterError) as error:
            call()
        assert "\n" not in str(error.value) and "not allowed" in str(error.value)


# ---------------------------------------------------------------------------------------------------------------------
# Systems and models by name


def test_systems_by_forgiving_names():
    box = facts.system("H200")
    for name in ("H200 SXM", "h200_sxm", "hgx-h200", "  H200 "):
        assert facts.system(name) == box
    assert (box.accelerators, box.domain_size, box.scale_up.bandwidth, box.scale_out.bandwidth) == (8, 8, 450e9, 50e9)
    rack = facts.system("gb200-nvl72")
    assert facts.system("GB200") == rack and (rack.accelerators, rack.domain_size) == (72, 72)
    assert rack.memory_bytes == pytest.approx(facts.accelerator("NVL72").memory_bytes, rel=1e-3)
    assert facts.system("NVL36").domain_size == 36 and facts.system("H100", 64).accelerators == 64
    bigger = facts.system("GB300").accelerator
    assert bigger.memory_bytes == pytest.approx(284208 * 2**20, rel=1e-4)  # MiB that nvidia-smi reports
    assert bigger.peak("fp4") == 15e15 and bigger.peak("fp8") == 5e15
    box = facts.system("B300").accelerator
    assert box.memory_bytes == pytest.approx(275040 * 2**20, rel=1e-4) and "int8" not in box.peak_flops
    with pytest.raises(facts.CatalogError, match=r"nearest are .*HGX H100"):
        facts.system("H101")


def test_every_accelerator_is_a_system():
    for chip in facts.accelerators():
        system = facts.system(chip)
        assert system.accelerators >= 1 and system.accelerator.memory_bytes * system.accelerators > 0
    assert len(facts.systems()) == len({facts.system(name).name for name in facts.systems()})
    assert all(facts.system(name, 144).accelerators == 144 for name in facts.systems())


FILE = """
name: mine
accelerator: {memory_gb: 100, memory_tb_per_s: 5, peak_tflops: {bf16: 1000, fp8: 2000}}
accelerators: 16
domain_size: 8
scale_up: {bandwidth_gb_per_s: 400, latency_us: 3}
scale_out: {bandwidth_gb_per_s: 40}
"""


def test_a_readers_own_system(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(FILE)
    mine = facts.system_from_file(path)
    assert (mine.name, mine.accelerators, mine.domain_size) == ("mine", 16, 8)
    assert mine.accelerator.memory_bandwidth == 5e12 and mine.accelerator.peak("fp8") == 2e15
    assert (mine.scale_up.bandwidth, mine.scale_up.latency_s, mine.scale_out.bandwidth) == (400e9, 3e-6, 40e9)
    json = tmp_path / "own.json"
    json.write_text('{"accelerator": "h200", "accelerators": 4, "scale_up": {"bandwidth_gb_per_s": 450}}')
    own = facts.system_from_file(json)
    assert own.name == "own" and own.domain_size == 4 and own.accelerator == facts.accelerator("H200")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "accelerators: 16",
            "accelerators: 0",
            "accelerators = 0 is not allowed: input should be greater than or equal to 1",
        ),
        ("latency_us: 3", "latency: 3", "scale_up.latency"),
        ("memory_gb: 100, ", "", "memory_gb is not allowed: field required"),
        ("bf16", "bf61", "peak_tflops = 'bf61' is not allowed"),
        ("accelerator: {memory_gb", "accelerator: {{{memory_gb", "no valid YAML, line 4"),
        ("scale_out: {bandwidth_gb_per_s: 40}", "", "scale_out = None is not allowed"),
        (FILE, "- a list", "its content"),
        ("accelerators: 16", "accelerators: 016", "accelerators = '016' is not allowed"),
        ("accelerators: 16", "accelerators: 16.0", "accelerators = 16.0 is not allowed"),
        ("accelerators: 16", "accelerators: 1:30", "accelerators = '1:30' is not allowed"),
        ("accelerators: 16", "accelerators: 1" + "0" * 30, "accelerators = 1000000000000000000000000000000 is"),
        ("accelerators: 16", "accelerators: true", "accelerators = True is not allowed"),
        ("memory_tb_per_s: 5", "memory_tb_per_s: 5000", "would be read in 2e-05 s"),
        ("memory_gb: 100", "memory_gb: 0.1", "would be read in 2e-05 s"),
        ("bf16: 1000", "bf16: 1000000", "it would be 2e+05 FLOP for each byte"),
        ("bandwidth_gb_per_s: 400,", "bandwidth_gb_per_s: 3600,", "less than or equal to 3000"),
        ("bandwidth_gb_per_s: 40}", "bandwidth_gb_per_s: 400}", "at most 250 GB/s (400 Gbit/s are 50)"),
        ("latency_us: 3", "latency_us: 3000", "less than or equal to 1000"),
        ("name: mine", "name: &a mine", "anchors and aliases are not allowed"),
        ("name: mine", "name: mine\nname: yours", "'name' stands twice"),
        ("name: mine", "name: mine\n" + "#" * 70_000, "it is too large"),
        (FILE, "accelerator: H101\naccelerators: 1\nscale_up: {bandwidth_gb_per_s: 1}", "nearest are"),
    ],
)
def test_what_is_wrong_with_a_readers_file_is_one_line(tmp_path, old, new, says):
    path = tmp_path / "mine.yaml"
    path.write_text(FILE.replace(old, new, 1))
    with pytest.raises(ParameterError) as error:
        facts.system_from_file(path)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_the_leaked_gpt4_by_name():
    models = facts.served_models("gpt-4-leak", ("fp8", "fp4"))
    assert models["fp8"].weight_bytes == pytest.approx((16 * 111e9 + 55e9) * (1 + 4 / 128**2), rel=1e-12)
    assert models["fp4"].weight_bytes == pytest.approx(16 * 111e9 * (0.5 + 1 / 16) + 2 * 55e9, rel=1e-12)
    assert models["fp8"].kv_bytes_per_token == models["fp4"].kv_bytes_per_token == 2 * 120 * 128
    eight = facts.served_models("GPT-4 (leaked)", ("bf16",), kv="fp8", kv_heads=8)["bf16"]
    assert eight.kv_bytes_per_token == 8 * 2 * 120 * 128 and eight.layers == 120
    for width_per_layer in (eight.hidden_bytes / 2,):
        assert 8 * width_per_layer**2 * 120 == pytest.approx(111e9, rel=1e-3)
    with pytest.raises(ParameterError, match="kv_heads = 2 is not allowed"):
        facts.served_models("Llama 3 70B", kv_heads=2)
    with pytest.raises(ParameterError, match="GPT-4 \\(leaked\\)"):
        facts.served_models("gpt4 leakd")
