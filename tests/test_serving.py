"""Prefill and decode: floors below every measurement, published worked problems, traps, properties, refusals."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_economics import facts
from llm_economics.facts.units import Q
from llm_economics.formulas import serving, training
from llm_economics.formulas.architecture import forward_flops_per_token, kv_bytes, streamed_parameters, weight_bytes
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.hardware import Accelerator, Link, System
from llm_economics.formulas.parallelism import Split

DATA = Path(__file__).parents[1] / "data"


def rows(name):
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


TIMINGS = rows("decode_step_timings")
PUBLISHED = {row["id"]: row for row in rows("serving_validation")}
MODELS = {
    "meta-llama/Meta-Llama-3.1-70B": "Llama 3 70B (=3.1 70B)",
    "meta-llama/Meta-Llama-3.1-8B": "Llama 3 8B (=3.1 8B)",
    "mistralai/Mixtral-8x7B-v0.1": "Mixtral 8x7B",
}
NVLINK, INFINIBAND = Link("NVLink", 450e9), Link("InfiniBand", 50e9)
H100 = Accelerator("H100 SXM", 80e9, 3.35e12, {"bf16": 989.4e12, "fp8": 1978.9e12})
EIGHT = System("8 x H100", H100, 8, 8, NVLINK)
SIXTY_FOUR = System("64 x H100", H100, 64, 8, NVLINK, INFINIBAND)
GPT4 = serving.model_from_parameters("GPT-4", 55e9, 111e9, 16, 2)
LLAMA = serving.model_from_architecture(facts.model("Llama 3 70B (=3.1 70B)"))
MIXTRAL = serving.model_from_architecture(facts.model("Mixtral 8x7B"))
DEEPSEEK = serving.model_from_architecture(facts.model("DeepSeek-V3 (main model)"))


def timed(row, memory_bytes=80 * 2**30):
    """Model, system, batch, context and split of a row of measured decode steps."""
    tensor = int(row["tp"])
    chip = replace(facts.accelerator("H100 SXM5 80GB"), memory_bytes=memory_bytes)
    split = Split(tensor=tensor, expert=int(row["moe_ep"]), expert_tensor=tensor // int(row["moe_ep"]))
    model = serving.model_from_architecture(facts.model(MODELS[row["model"]]))
    return model, System("H100", chip, tensor, 8, NVLINK), int(row["batch"]), int(row["context"]), split


@pytest.mark.parametrize("row", TIMINGS, ids=lambda r: f"{r['model'].split('-')[-1]}-{r['backend']}-{r['batch']}")
def test_floor_lies_below_every_measured_decode_step(row):
    measured = float(row["tpot_ms"]) / 1e3
    floor = serving.decode(*timed(row)).seconds
    assert 0 < floor <= measured
    assert measured < 4 * floor  # and is no empty statement
    assert serving.capacity(*timed(row)).fits


def test_two_measured_rows_fit_only_because_80_gb_means_gib():
    short = [row for row in TIMINGS if not serving.capacity(*timed(row, 80e9)).fits]
    assert len(short) == 2 and {row["batch"] for row in short} == {"256"}
    missing = [serving.capacity(*timed(row, 80e9)) for row in short]
    assert sorted(c.weight_bytes + c.kv_bytes for c in missing) == pytest.approx([84.8e9, 162e9], rel=1e-2)
    for c in missing:
        assert c.missing_bytes == pytest.approx(c.weight_bytes + c.kv_bytes - c.memory_bytes)


def test_plain_floor_is_biased_low_as_a_roofline_is():
    errors = [serving.decode(*timed(row)).seconds * 1e3 / float(row["tpot_ms"]) - 1 for row in TIMINGS]
    assert -0.45 < sum(errors) / len(errors) < -0.30


def seconds(read, flops, bandwidth, peak, **kw):
    return serving.roofline(read, flops, bandwidth, peak, **kw).seconds


V5E, V5E_BF16, V4, A100 = 8.1e11, 1.97e14, 1.2e12, 1.5e12  # rates as each source uses them
LLAMA2 = {f"jax-3-{b}": (b, 6.7e9) for b in (1, 8, 16, 32, 64, 240)}
LLAMA2 |= {f"jax-4-{b}": (b, 1.34e9) for b in (1, 8, 16, 32, 64, 240)}
WORKED = {  # the published problem in its own terms, in the unit of its row
    "pope-1": lambda: 1e3 * seconds(540e9, 2 * 540e9 * 64, 64 * V4, 64 * 275e12),
    "pope-2": lambda: 1e3 * seconds(1080e9, 2 * 540e9 * 64, 64 * V4, 64 * 275e12),
    "pope-3": lambda: training.mfu(2 * 540e9 * 64, 64 * 0.0285, 275e12),
    "kip-1": lambda: 1e3 * seconds(2 * 12 * 40 * 5120**2, 2 * 12.6e9, A100, 312e12),
    "kip-5": lambda: 1e3 * seconds(520e9, 520e9, 16 * A100, 16 * 312e12),
    "kip-6": lambda: 1e3 * seconds(520e9, 512 * 520e9, 16 * A100, 16 * 312e12),
    "jax-1": lambda: 1e3 * seconds(4 * 819e6 + 30e9, 4 * 60e9, 16 * V5E, 16 * V5E_BF16),
    "jax-2": lambda: (
        1e3 * (seconds(256 * 819e6, 0.0, 16 * V5E, 16 * V5E_BF16) + seconds(30e9, 256 * 60e9, 16 * V5E, 16 * V5E_BF16))
    ),
    "jax-7": lambda: 1e3 * seconds(112e9, 32 * 140e9, 8 * V5E, 8 * V5E_BF16),
    "spec-chen-base": lambda: 1e3 * seconds(140e9, 140e9, 16 * V4, 16 * 275e12),
    **{
        name: lambda b=b, kv=kv: 1e3 * seconds(26e9 + b * kv, b * 26e9, 8 * 0.82e12, 8 * V5E_BF16)
        for name, (b, kv) in LLAMA2.items()
    },
}
MEASURED = ("pope-1", "pope-2", "kip-1", "spec-chen-base")
PRINTED = {"jax-1": 2.5, "jax-2": 21, "jax-7": 17, "kip-5": 22, "kip-6": 53}


@pytest.mark.parametrize("name", WORKED)
def test_worked_problems_of_others(name):
    row, ours = PUBLISHED[name], WORKED[name]()
    assert ours == pytest.approx(float(row["check_value"]), rel=3e-3)
    if name in MEASURED:
        assert ours < float(row["published_value"]) < 5 * ours
    else:
        assert ours == pytest.approx(float(row["published_value"]), rel=0.03)


def test_prefill_problems_of_others():
    palm = serving.model_from_parameters("PaLM 540B", 540e9)
    v4 = Accelerator("TPU v4", 32 * 2**30, 1.2e12, {"bf16": 275e12})
    pod = System("64 x TPU v4", v4, 64, 64, Link("ICI", 270e9))
    for name, batch, expected in (("pope-4", 512, 84.7), ("pope-5", 1, 0.292)):
        share = float(PUBLISHED[name]["published_value"])
        assert serving.prefill(palm, pod, batch, 2048, compute_efficiency=share).seconds == pytest.approx(
            expected, rel=3e-3
        )
    step = serving.decode(palm, pod, 512, 2048, compute_efficiency=float(PUBLISHED["pope-6"]["published_value"]))
    assert step.seconds == pytest.approx(95e-3, rel=3e-3) and step.mfu == pytest.approx(0.33)
    llama = serving.model_from_parameters("Llama 3 70B", 70e9)
    v5e = System("16 x TPU v5e", Accelerator("TPU v5e", 16e9, 8.1e11, {"bf16": 1.97e14}), 16, 16, Link("ICI", 45e9))
    row = PUBLISHED["jax-8"]
    first = serving.prefill(llama, v5e, 1, 8192, compute_efficiency=0.40)
    assert first.seconds == pytest.approx(float(row["published_value"]), rel=3e-3) and first.mfu == pytest.approx(0.4)
    thirteen = serving.model_from_parameters("13B", 12 * 40 * 5120**2)
    a100 = Accelerator("A100 40GB", 40e9, 1.5e12, {"bf16": 312e12})
    for name, n in (("kip-3", 1), ("kip-4", 2)):
        system = System("A100", a100, n, 8, Link("NVLink", 300e9))
        assert serving.prefill(thirteen, system, 1, 512).seconds < float(PUBLISHED[name]["published_value"]) / 1e3


def test_contexts_and_caches_of_others():
    budget = 0.3 * 64 * 32 * 2**30
    for name, heads, size in (("pope-9", 1, 256), ("pope-10", 64, 128)):
        for batch in (128, 512):
            row = PUBLISHED[f"{name}-{batch}"]
            tokens = serving.readable_bytes(1, budget) / (2 * 2 * 118 * heads * size * batch)
            assert tokens == pytest.approx(float(row["check_value"]), rel=1e-3)
            assert tokens == pytest.approx(float(row["published_value"]), rel=0.02)
    multihead = serving.model_from_parameters("multihead", 540e9, kv_bytes_per_token=2 * 2 * 118 * 48 * 128)
    total = 512 * multihead.kv_bytes(2048)
    assert total == pytest.approx(float(PUBLISHED["pope-8"]["check_value"]) * 1e12, rel=1e-3)
    four = System("4 x A100", Accelerator("A100 40GB", 40e9, 1.5e12, {"bf16": 312e12}), 4, 8, NVLINK)
    wide = serving.model_from_parameters("52B", 52e9, kv_bytes_per_token=float(PUBLISHED["kip-7"]["check_value"]))
    fits = serving.capacity(wide, four, 1, 1).max_sequences
    assert fits == pytest.approx(float(PUBLISHED["kip-8"]["check_value"]), rel=1e-3)


def test_gpt4_at_batch_one_by_hand():
    step = serving.decode(GPT4, EIGHT, 1, 0)
    assert step.bytes_read == pytest.approx(2 * 277e9) and step.flops == pytest.approx(2 * 277e9)
    assert step.seconds == pytest.approx(554e9 / (8 * 3.35e12)) and step.step.binding == "memory"
    assert step.mbu == pytest.approx(1) and step.tokens_per_second_per_user == pytest.approx(1 / step.seconds)
    held = serving.capacity(GPT4, EIGHT, 1, 0)
    assert not held.fits and held.max_sequences == 0
    assert held.missing_bytes == pytest.approx(2 * (55e9 + 16 * 111e9) - 640e9)


def test_pipeline_stages_add_throughput_and_no_speed():
    split = Split(tensor=8, pipeline=8)
    deep = serving.decode(GPT4, SIXTY_FOUR, 8, 0, split)
    flat = serving.decode(GPT4, EIGHT, 1, 0)
    assert deep.seconds == pytest.approx(flat.seconds) and deep.mbu == pytest.approx(1)
    assert deep.tokens_per_second == pytest.approx(8 * flat.tokens_per_second)
    alone = serving.decode(GPT4, SIXTY_FOUR, 1, 0, split)
    assert alone.seconds == pytest.approx(flat.seconds) and alone.mbu == pytest.approx(1 / 8)


def test_expert_parallelism_pools_the_tokens_of_all_copies():
    many = Split(tensor=1, data=64, expert=16, expert_tensor=4)
    few = Split(tensor=1, data=64)
    pooled, apart = (serving.decode(GPT4, SIXTY_FOUR, 64, 0, split, links=False) for split in (many, few))
    experts = 222e9 * 16 * (1 - (1 - 2 / 16) ** 64) / 64
    assert pooled.step.memory_s == pytest.approx((110e9 + experts) / 3.35e12)
    assert apart.step.memory_s == pytest.approx(554e9 / 3.35e12)


def test_trap_experts_read_at_batch_one_and_at_any_batch():
    layers = 32 * 3 * 4096 * 14336 * 2
    one, four, many = (serving.decode(MIXTRAL, EIGHT, b, 0, links=False).bytes_read for b in (1, 4, 4096))
    assert one == pytest.approx(MIXTRAL.common_bytes + 2 * layers)
    assert four == pytest.approx(MIXTRAL.common_bytes + 5.46875 * layers)
    assert many == pytest.approx(MIXTRAL.common_bytes + 8 * layers)


def test_trap_flops_of_experts_count_the_chosen_ones_only():
    arch = facts.model("Mixtral 8x7B")
    flops = serving.decode(MIXTRAL, EIGHT, 16, 1).flops
    assert flops == pytest.approx(16 * forward_flops_per_token(arch, 1, "full_context"))
    assert flops < 16 * 2 * 13e9


def test_trap_embedding_table_is_held_but_not_streamed():
    table = 128256 * 8192 * 2
    assert LLAMA.weight_bytes == weight_bytes(facts.model("Llama 3 70B (=3.1 70B)"))
    assert serving.decode(LLAMA, EIGHT, 1, 0).bytes_read == pytest.approx(LLAMA.weight_bytes - table)
    gemma = facts.model("Gemma 7B")  # tied: the table is the output head and is streamed
    assert serving.model_from_architecture(gemma).common_bytes == weight_bytes(gemma)


@pytest.mark.parametrize(
    "name", ["Llama 3 70B (=3.1 70B)", "Mixtral 8x7B", "DBRX", "DeepSeek-V3 (main model)", "MPT-7B"]
)
def test_model_from_architecture_agrees_with_the_architecture(name):
    arch = facts.model(name)
    model = serving.model_from_architecture(arch)
    rows_read = streamed_parameters(arch, arch.experts_per_token, 1)
    streamed = model.common_bytes + model.experts_per_token * model.expert_bytes
    assert streamed == pytest.approx(2 * rows_read, rel=1e-5)  # but for the token's own row of the table
    assert model.weight_bytes == pytest.approx(weight_bytes(arch), rel=1e-12)
    assert model.kv_bytes(5000) == pytest.approx(kv_bytes(arch, 5000))
    decoded = serving.decode(model, EIGHT, 3, 700, links=False).flops
    assert decoded == pytest.approx(3 * forward_flops_per_token(arch, 700, "full_context", absorbed=True))
    read = serving.prefill(model, EIGHT, 3, 700, links=False).flops
    assert read == pytest.approx(3 * 700 * forward_flops_per_token(arch, 700, "causal"))


def test_sliding_windows_bound_cache_and_attention():
    full = facts.model("Llama 3 8B (=3.1 8B)")
    half = replace(full.attention, window=128)
    layer = full.stack[0][1]
    arch = replace(full, stack=((16, replace(layer, mixer=half)), (16, layer)))
    model = serving.model_from_architecture(arch)
    for context in (64, 128, 5000):
        assert model.kv_bytes(context) == pytest.approx(kv_bytes(arch, context))
        decoded = serving.decode(model, EIGHT, 1, context).flops
        assert decoded == pytest.approx(forward_flops_per_token(arch, context, "full_context"))
        read = serving.prefill(model, EIGHT, 1, context).flops
        assert read == pytest.approx(context * forward_flops_per_token(arch, context, "causal"))


def test_trap_kv_cache_is_read_once_and_sharded_by_heads():
    split, batch, context = Split(tensor=8), 64, 2048
    kv = batch * 327_680 * context
    with_kv, without = (serving.decode(LLAMA, EIGHT, batch, c, split, links=False) for c in (context, 0))
    assert with_kv.bytes_read - without.bytes_read == pytest.approx(kv)
    assert (with_kv.step.memory_s - without.step.memory_s) * 8 * 3.35e12 == pytest.approx(kv)
    held = serving.capacity(LLAMA, EIGHT, batch, context, split)
    assert held.kv_bytes == pytest.approx(kv)
    latent = serving.capacity(DEEPSEEK, EIGHT, batch, context, split)  # one latent head: every accelerator holds it
    assert latent.kv_bytes == pytest.approx(8 * batch * 70_272 * context)


@given(tensor=st.sampled_from([1, 2, 4, 8]), expert=st.sampled_from([1, 2, 4, 8]))
def test_trap_a_model_is_as_large_at_any_tensor_parallel_degree(tensor, expert):
    split = Split(tensor=tensor, expert=min(expert, tensor))
    assert serving.capacity(MIXTRAL, EIGHT, 1, 0, split).weight_bytes == pytest.approx(MIXTRAL.weight_bytes)


def test_trap_bandwidth_is_decimal_and_peaks_are_dense():
    chip = facts.accelerator("H100 SXM5 80GB")
    assert serving.machine_balance(chip.peak("bf16"), chip.memory_bandwidth) == pytest.approx(989.4 / 3.35)
    dense = serving.balance_batch(140e9, 140e9, 3.35e12, 989.4e12)
    assert dense == pytest.approx(295.34, rel=1e-4)
    assert serving.arithmetic_intensity(256 * 140e9, 140e9) == 256


def test_balance_batch_with_a_cache_is_where_the_two_times_meet():
    batch = serving.balance_batch(140e9, 140e9, 3.35e12, 989.4e12, 0.2e9)
    step = serving.roofline(140e9 + batch * 0.2e9, batch * 140e9, 3.35e12, 989.4e12)
    assert step.memory_s == pytest.approx(step.compute_s)
    assert serving.balance_batch(140e9, 140e9, 3.35e12, 989.4e12, 0.5e9) == float("inf")
    both = serving.balance_batch(140e9, 140e9, 3.35e12, 989.4e12, np.array([0.2e9, 0.5e9]))
    assert both.tolist() == [batch, float("inf")]


@given(
    batch=st.floats(1, 8192),
    context=st.floats(0, 131_072),
    more=st.floats(1, 4),
    share=st.floats(0.05, 1),
    model=st.sampled_from([GPT4, LLAMA, MIXTRAL, DEEPSEEK]),
)
def test_decode_is_monotone_and_floors_lie_below_estimates(batch, context, more, share, model):
    split = Split(tensor=8, pipeline=8)
    floor = serving.decode(model, SIXTY_FOUR, batch, context, split)
    slack = 1 - 1e-9
    assert serving.decode(model, SIXTY_FOUR, batch * more, context, split).seconds >= floor.seconds * slack
    assert serving.decode(model, SIXTY_FOUR, batch, context * more, split).seconds >= floor.seconds * slack
    worse = {"bandwidth_efficiency": share, "compute_efficiency": share}
    assert serving.decode(model, SIXTY_FOUR, batch, context, split, **worse).seconds >= floor.seconds * slack
    total = serving.decode(model, SIXTY_FOUR, batch, context, split, bound="sum").seconds
    assert floor.seconds * slack <= total <= 3 * floor.seconds / slack
    assert floor.mbu <= 1 / slack and floor.mfu <= 1 / slack
    faster = replace(H100, memory_bandwidth=more * 3.35e12, peak_flops={"bf16": more * 989.4e12})
    links = (Link("NVLink", more * 450e9), Link("InfiniBand", more * 50e9))
    scaled = serving.decode(model, System("faster", faster, 64, 8, *links), batch, context, split)
    assert scaled.seconds * more == pytest.approx(floor.seconds, rel=1e-9)


@given(batch=st.integers(2, 2000), context=st.integers(1, 32_768), model=st.sampled_from([LLAMA, MIXTRAL, DEEPSEEK]))
def test_as_many_sequences_fit_as_capacity_says(batch, context, model):
    split = Split(tensor=8, pipeline=4, data=2)
    held = serving.capacity(model, SIXTY_FOUR, batch, context, split)
    assert held.fits == (held.missing_bytes == 0)
    assert held.fits == (batch <= held.max_sequences)
    most = int(held.max_sequences)
    if most:
        assert serving.capacity(model, SIXTY_FOUR, most, context, split).fits
        assert not serving.capacity(model, SIXTY_FOUR, most + 2, context, split).fits


def test_a_model_that_does_not_fit_is_answered_not_refused():
    trillion = serving.model_from_parameters("dense trillion", 1e12)
    held = serving.capacity(trillion, EIGHT, 1, 2048)
    assert not held.fits and held.missing_bytes == pytest.approx(2e12 - 640e9)
    step = serving.decode(trillion, EIGHT, 1, 2048)
    assert step.tokens_per_second_per_user == pytest.approx(13.4)
    within = serving.readable_bytes(33.33, EIGHT.memory_bandwidth) / 2
    assert within == pytest.approx(402e9, rel=1e-3)
    reserved = serving.capacity(LLAMA, EIGHT, 1, 8192, reserve_bytes=10e9)
    assert reserved.memory_bytes == pytest.approx(560e9)
    assert reserved.max_sequences < serving.capacity(LLAMA, EIGHT, 1, 8192).max_sequences


def test_links_count_and_can_bind():
    slow = System("slow link", H100, 8, 8, Link("PCIe", 1e9, 1e-5))
    step = serving.decode(LLAMA, slow, 64, 0)
    by_hand = 160 * (2 * 7 / 8 * 64 * 8192 * 2 / 1e9 + 2 * 1e-5)
    assert step.step.link_s == pytest.approx(by_hand) and step.step.binding == "link"
    assert step.seconds == pytest.approx(by_hand)
    silent = serving.decode(LLAMA, slow, 64, 0, links=False)
    assert silent.step.link_s == 0 and silent.step.binding == "memory"
    across = Split(tensor=1, data=64, expert=64)
    spread = serving.decode(DEEPSEEK, SIXTY_FOUR, 6400, 0, across)
    by_hand = 2 * 58 * 7 / 8 * 8 * 100 * 7168 * 2 / 50e9  # 100 tokens each, 8 experts, two all-to-alls a layer
    assert spread.step.link_s == pytest.approx(by_hand)
    both = serving.decode(DEEPSEEK, SIXTY_FOUR, 100, 0, Split(tensor=8, expert=8))  # each sends its eighth
    reduces, exchanges = (2 * 61 - 58) * 2 * 7 / 8, 2 * 58 * 7 / 8 * 8 / 8
    assert both.step.link_s == pytest.approx((reduces + exchanges) * 100 * 7168 * 2 / 450e9)


def test_accelerators_that_share_an_expert_gather_and_reduce():
    """Two copies of attention, each over two accelerators; two groups of experts, each over two."""
    link = Link("link", 1e11, 1e-6)
    four = System("four", H100, 4, 4, link)
    split = Split(tensor=2, data=2, expert=2, expert_tensor=2)
    model = serving.model_from_parameters("two", 1e9, 1e9, 2, 1, hidden_bytes=1e4, layers=1, moe_layers=1)
    step = serving.decode(model, four, 200, 0, split)  # 100 tokens on each copy, 1e6 byte of hidden states
    attention = 2 * 1 / 2 * 1e6 / 1e11 + 2e-6
    exchanges = 2 * (3 / 4 * 1e6 / 2 / 1e11 + 1e-6)  # each sends the half that it is left with, once there, once back
    shared = 2 * 1 / 2 * 1e6 / 1e11 + 2e-6  # 100 tokens of a group, whole on both of its accelerators
    assert step.step.link_s == pytest.approx(attention + exchanges + shared)
    sliced = serving.decode(model, four, 200, 0, Split(tensor=2, data=2, expert=1, expert_tensor=4))
    assert sliced.step.link_s == pytest.approx(attention + 2 * 3 / 4 * 2e6 / 1e11 + 2e-6)  # all tokens of both copies
    whole = serving.decode(model, four, 200, 0, Split(tensor=4))
    assert whole.step.link_s == pytest.approx(2 * (2 * 3 / 4 * 2e6 / 1e11 + 2e-6))


def test_stages_hand_on_over_the_slow_link_once_they_leave_the_box():
    near, far = Link("near", 1e11), Link("far", 1e10)
    model = serving.model_from_parameters("four layers", 1e9, hidden_bytes=1e4, layers=4)
    inside = serving.decode(model, System("one box", H100, 4, 4, near, far), 40, 0, Split(pipeline=4))
    assert inside.step.link_s == pytest.approx(3 * 10 * 1e4 / 1e11)
    across = serving.decode(model, System("boxes of two", H100, 4, 2, near, far), 40, 0, Split(pipeline=4))
    assert across.step.link_s == pytest.approx(3 * 10 * 1e4 / 1e10)


def test_overlap_hides_a_share_of_the_communication():
    def total(overlap, link_s, bound="max"):
        return serving.roofline(3.0, 2.0, 1.0, 1.0, link_s, bound=bound, overlap=overlap).seconds

    assert [total(share, 2.0) for share in (0, 0.5, 1)] == [5.0, 4.0, 3.0]
    assert [total(share, 8.0) for share in (0, 0.25, 1)] == [11.0, 9.0, 8.0]  # no more than there is to hide behind
    assert total(None, 2.0) == total(1, 2.0) and total(None, 2.0, "sum") == total(0, 2.0, "sum") == 7.0
    assert total(1, 2.0, "sum") == 5.0
    with pytest.raises(ParameterError, match="overlap = 2 is not allowed"):
        total(2, 1.0)


def test_bytes_of_the_cache_are_told_apart():
    split, context = Split(tensor=8), 2048
    step = serving.decode(LLAMA, EIGHT, 64, context, split)
    assert step.kv_bytes_read == pytest.approx(64 * 327_680 * context)
    assert serving.decode(LLAMA, EIGHT, 64, 0, split).kv_bytes_read == 0


def test_prefill_is_compute_bound_and_long_prompts_cost_more_than_in_proportion():
    short, long = (serving.prefill(LLAMA, EIGHT, 1, tokens) for tokens in (8192, 16384))
    assert short.step.binding == "compute" and short.mfu == pytest.approx(1)
    assert 2 * short.seconds < long.seconds < 4 * short.seconds
    assert short.tokens_per_second == pytest.approx(8192 / short.seconds)


@given(seed=st.integers(0, 1000))
def test_scalars_and_arrays_agree(seed):
    generator = np.random.default_rng(seed)
    batch, context = generator.integers(1, 512, 6).astype(float), generator.integers(0, 8192, 6).astype(float)
    tensor, data = np.array([8, 8, 16, 64, 1, 2.0]), np.array([1, 8, 4, 1, 64, 4.0])
    many = serving.decode(DEEPSEEK, SIXTY_FOUR, batch, context, Split(tensor=tensor, data=data, expert=tensor * data))
    held = serving.capacity(DEEPSEEK, SIXTY_FOUR, batch, context, Split(tensor=tensor, data=data))
    for i in range(6):
        t, d, b, c = float(tensor[i]), float(data[i]), float(batch[i]), float(context[i])
        one = serving.decode(DEEPSEEK, SIXTY_FOUR, b, c, Split(tensor=t, data=d, expert=t * d))
        assert many.seconds[i] == pytest.approx(one.seconds, rel=1e-12) and many.step.binds[i] == one.step.binds
        assert many.mbu[i] == pytest.approx(one.mbu) and many.mfu[i] == pytest.approx(one.mfu)
        assert many.tokens_per_second_per_accelerator[i] == pytest.approx(one.tokens_per_second_per_accelerator)
        alone = serving.capacity(DEEPSEEK, SIXTY_FOUR, b, c, Split(tensor=t, data=d))
        assert held.fits[i] == alone.fits and held.max_sequences[i] == alone.max_sequences
        assert held.missing_bytes[i] == pytest.approx(alone.missing_bytes)


def test_quantities_keep_dimensions():
    rates = Q(3.35, "TB/s"), Q(989.4, "TFLOP/s")
    for bound in serving.BOUNDS:
        step = serving.roofline(Q(140, "GB"), Q(140, "GFLOP"), *rates, bound=bound)
        assert step.seconds.is_compatible_with("s") and step.binding == "memory"
    assert serving.roofline(Q(140, "GB"), Q(140, "GFLOP"), *rates, Q(1, "s")).binding == "link"
    assert serving.arithmetic_intensity(Q(2, "FLOP"), Q(1, "byte")).is_compatible_with("FLOP/byte")
    assert serving.machine_balance(rates[1], rates[0]).to("FLOP/byte").magnitude == pytest.approx(295.34, rel=1e-4)
    for kv in (None, Q(0.2, "GB")):
        plain = serving.balance_batch(140e9, 140e9, 3.35e12, 989.4e12, kv and 0.2e9)
        batch = serving.balance_batch(Q(140, "GB"), Q(140, "GFLOP"), *rates, kv)
        assert batch.to("").magnitude == pytest.approx(plain)
    assert serving.mbu(Q(140, "GB"), Q(50, "ms"), rates[0]).to("").magnitude == pytest.approx(140 / 3.35 / 50)
    assert serving.readable_bytes(Q(10, "1/s"), rates[0]).to("GB").magnitude == pytest.approx(335)
    chip = Accelerator("H100", Q(80, "GB"), rates[0], {"bf16": rates[1]})
    system = System("8 x H100", chip, 8, 8, Link("NVLink", Q(450, "GB/s"), Q(1, "µs")))
    model = serving.model_from_parameters(
        "GPT-4", 55e9, 111e9, 16, 2, kv_bytes_per_token=1e5, hidden_bytes=2e4, layers=120, moe_layers=120
    )
    sizes = ("common_bytes", "expert_bytes", "kv_bytes_per_token", "hidden_bytes")
    with_units = replace(
        model,
        flops_per_token=Q(model.flops_per_token, "FLOP"),
        decode_flops_per_key=Q(0, "FLOP"),
        prefill_flops_per_key=Q(0, "FLOP"),
        lookup_bytes=Q(0, "byte"),
        **{name: Q(getattr(model, name), "byte") for name in sizes},
    )
    plain_system = System("8 x H100", H100, 8, 8, Link("NVLink", 450e9, 1e-6))
    for run in (serving.decode, serving.prefill):
        ours, plain = run(with_units, system, 8, 2048), run(model, plain_system, 8, 2048)
        assert ours.seconds.to("s").magnitude == pytest.approx(plain.seconds)
        assert ours.step.binding == plain.step.binding
        assert ours.mfu.to("").magnitude == pytest.approx(plain.mfu)
        assert ours.mbu.to("").magnitude == pytest.approx(plain.mbu)
    held, plain = serving.capacity(with_units, system, 8, 2048), serving.capacity(model, plain_system, 8, 2048)
    assert held.missing_bytes.to("byte").magnitude == pytest.approx(plain.missing_bytes) and not held.fits
    assert float(held.max_sequences) == plain.max_sequences == 0


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: serving.decode(LLAMA, EIGHT, 0, 2048), "batch = 0 is not allowed"),
        (lambda: serving.decode(LLAMA, EIGHT, 1, -1), "context = -1 is not allowed"),
        (lambda: serving.decode(LLAMA, EIGHT, 1, 1, precision="fp4"), "precision = 'fp4' is not allowed: H100 SXM has"),
        (lambda: serving.decode(LLAMA, EIGHT, 1, 1, bound="mean"), "bound = 'mean' is not allowed"),
        (lambda: serving.decode(LLAMA, EIGHT, 1, 1, bandwidth_efficiency=0), "bandwidth_efficiency = 0 is not allowed"),
        (lambda: serving.decode(LLAMA, EIGHT, 1, 1, compute_efficiency=1.1), "compute_efficiency = 1.1 is not allowed"),
        (lambda: serving.decode(LLAMA, EIGHT, 1, 1, Split(tensor=16)), "split = 16 accelerators is not allowed"),
        (lambda: serving.prefill(LLAMA, EIGHT, 1, 0), "prompt = 0 is not allowed"),
        (lambda: serving.prefill(LLAMA, EIGHT, 0, 10), "batch = 0 is not allowed"),
        (lambda: serving.capacity(LLAMA, EIGHT, 0, 10), "batch = 0 is not allowed"),
        (lambda: serving.capacity(LLAMA, EIGHT, 1, 10, reserve_bytes=-1), "reserve_bytes = -1 is not allowed"),
        (lambda: serving.model_from_parameters("x", 1e9, 1e9, 2, 3), "experts_per_token = 3 is not allowed"),
        (lambda: serving.model_from_parameters("x", 1e9, 1e9, 0, 2), "experts = 0 is not allowed"),
        (lambda: serving.model_from_parameters("x", 1e9, 1e9), "experts = 0 is not allowed"),
        (lambda: serving.model_from_parameters("x", -1e9), "common_parameters = -1000000000.0 is not allowed"),
        (lambda: serving.model_from_parameters("x", 1e9, bytes_per_parameter=0), "bytes_per_parameter = 0 is not"),
        (lambda: serving.model_from_architecture(facts.model("DBRX"), kv="fp5"), "precision = 'fp5' is not allowed"),
        (lambda: serving.roofline(1, 1, 0, 1), "memory_bandwidth = 0 is not allowed"),
        (lambda: serving.roofline(1, 1, 1, 1, -1), "link_s = -1 is not allowed"),
        (lambda: serving.mbu(3e12, 0.5, 3e12), "mbu = 2.0 is not allowed"),
        (lambda: serving.balance_batch(0, 1, 1, 1), "weight_bytes = 0 is not allowed"),
        (lambda: serving.arithmetic_intensity(1, 0), "bytes_moved = 0 is not allowed"),
        (lambda: serving.readable_bytes(0, 1), "steps_per_second = 0 is not allowed"),
    ],
)
def test_bad_input_gets_one_clear_line(call, line):
    with pytest.raises(ParameterError) as error:
        call()
    assert str(error.value).startswith(line) and "\n" not in str(error.value)
