"""Splits, memory per accelerator, pipeline bubbles and collectives: by hand, against papers, as properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_economics.facts.units import Q
from llm_economics.formulas import parallelism
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.hardware import Link
from llm_economics.formulas.parallelism import Split

FAST, SLOW = Link("NVLink", 450e9, 1e-6), Link("InfiniBand", 50e9, 5e-6)
degrees = st.integers(1, 64)
sizes = st.floats(1, 1e12)


def test_split_deals_out_accelerators_and_experts():
    plain = Split(tensor=8, pipeline=16)
    assert plain.accelerators == 128 and plain.expert_shards == 8
    assert Split(tensor=8, expert=8).expert_tensor == 1
    assert Split(tensor=8, expert=2).expert_tensor == 4
    wide = Split(tensor=1, data=64, expert=64)
    assert wide.accelerators == 64 and wide.expert_shards == 64


def test_weights_of_gpt4_per_accelerator_by_hand():
    # 55 billion shared and 16 x 111 billion in experts, 16 bits, 8-way tensor and 15-way pipeline: about 30 GB
    held = parallelism.weight_bytes_per_accelerator(110e9, 16 * 222e9, Split(tensor=8, pipeline=15))
    assert held == pytest.approx((110e9 + 3552e9) / 120) == pytest.approx(30.5e9, rel=1e-2)


@given(tensor=degrees, pipeline=degrees, data=degrees, dense=sizes, experts=sizes)
def test_trap_all_accelerators_together_hold_the_model_once_per_copy(tensor, pipeline, data, dense, experts):
    split = Split(tensor=tensor, pipeline=pipeline, data=data)
    held = parallelism.weight_bytes_per_accelerator(dense, experts, split) * split.accelerators
    assert held == pytest.approx(data * (dense + experts), rel=1e-9)
    spread = Split(tensor=tensor, pipeline=pipeline, data=data, expert=tensor * data)
    held = parallelism.weight_bytes_per_accelerator(dense, experts, spread) * spread.accelerators
    assert held == pytest.approx(data * dense + experts, rel=1e-9)


def test_trap_kv_cache_is_sharded_but_only_as_far_as_it_has_heads():
    split = Split(tensor=8, pipeline=2, data=2)
    assert parallelism.kv_bytes_per_accelerator(3200.0, split) == pytest.approx(100)
    assert parallelism.kv_bytes_per_accelerator(3200.0, split, kv_heads=8) == pytest.approx(100)
    assert parallelism.kv_bytes_per_accelerator(3200.0, split, kv_heads=2) == pytest.approx(400)
    assert parallelism.kv_bytes_per_accelerator(3200.0, split, kv_heads=1) == pytest.approx(800)


def test_zero_stages_of_a_7_5_billion_model_as_published():
    # Rajbhandari et al. 2020, figure 1: 120, 31.4, 16.6 and 1.9 GB over 64 accelerators
    totals = [parallelism.training_state(7.5e9, 64, stage).total / 1e9 for stage in (0, 1, 2, 3)]
    assert totals == pytest.approx([120, 31.4, 16.6, 1.9], abs=0.06)


@given(parameters=sizes, data=degrees, stage=st.integers(0, 2))
def test_a_higher_zero_stage_never_keeps_more(parameters, data, stage):
    now = parallelism.training_state(parameters, data, stage)
    later = parallelism.training_state(parameters, data, stage + 1)
    assert later.total <= now.total * (1 + 1e-12) and now.total <= 16 * parameters * (1 + 1e-12)


def test_activations_of_gpt3_by_hand():
    shape = {"sequence": 2048, "batch": 1, "hidden": 12288, "heads": 96}
    sbh = 2048 * 12288
    whole = parallelism.activation_bytes_per_layer(**shape)
    assert whole == pytest.approx(sbh * (34 + 5 * 96 * 2048 / 12288)) == pytest.approx(sbh * 114)
    # Korthikanti et al. 2022, section 5: for GPT-3 selective recomputation saves 70% of what sequence parallelism keeps
    split = parallelism.activation_bytes_per_layer(**shape, tensor=8, sequence_parallel=True)
    selective = parallelism.activation_bytes_per_layer(**shape, tensor=8, sequence_parallel=True, recompute="selective")
    assert split == pytest.approx(whole / 8) and 1 - selective / split == pytest.approx(0.70, abs=0.005)
    tensor = parallelism.activation_bytes_per_layer(**shape, tensor=8)
    assert tensor == pytest.approx(sbh * (10 + 24 / 8 + 80 / 8))
    assert parallelism.activation_bytes_per_layer(**shape, recompute="full") == 2 * sbh


def test_both_forms_of_the_bubble_by_hand():
    assert parallelism.bubble_over_ideal(15, 60) == pytest.approx(14 / 60)
    assert parallelism.bubble_share_of_time(15, 60) == pytest.approx(14 / 74)
    assert parallelism.bubble_over_ideal(4, 8, interleave=2) == pytest.approx(3 / 16)
    assert parallelism.bubble_share_of_time(1, 8) == 0


@given(stages=st.integers(1, 200), microbatches=st.integers(1, 10_000), interleave=st.integers(1, 8))
def test_bubbles_shrink_with_microbatches_and_the_forms_agree(stages, microbatches, interleave):
    over = parallelism.bubble_over_ideal(stages, microbatches, interleave)
    share = parallelism.bubble_share_of_time(stages, microbatches, interleave)
    assert share == pytest.approx(1 - 1 / (1 + over)) and 0 <= share < 1 and share <= over
    assert parallelism.bubble_share_of_time(stages, 2 * microbatches, interleave) <= share


def test_collectives_by_hand():
    def sent(kind, members):
        return parallelism.collective(kind, 8e9, members, FAST).bytes_sent

    assert [sent(kind, 8) for kind in parallelism.COLLECTIVES] == pytest.approx([14e9, 7e9, 7e9, 7e9, 8e9])
    assert [sent(kind, 1) for kind in parallelism.COLLECTIVES] == [0, 0, 0, 0, 0]
    ring = parallelism.collective("all-reduce", 8e9, 8, FAST, algorithm="ring")
    assert ring.steps == 14 and ring.seconds == pytest.approx(14e9 / 450e9 + 14e-6)
    assert parallelism.collective("all-reduce", 8e9, 8, FAST).steps == 2
    assert parallelism.collective("point-to-point", 8e9, 8, FAST, algorithm="ring").steps == 1


@given(size=sizes, members=st.integers(1, 512))
def test_an_all_reduce_is_a_reduce_scatter_and_an_all_gather(size, members):
    whole = parallelism.collective("all-reduce", size, members, FAST)
    parts = [parallelism.collective(kind, size, members, FAST) for kind in ("reduce-scatter", "all-gather")]
    assert whole.seconds == pytest.approx(sum(part.seconds for part in parts), rel=1e-9)
    assert whole.bytes_sent < 2 * size


@given(size=sizes, members=st.sampled_from([1, 2, 8, 16, 64]), kind=st.sampled_from(parallelism.COLLECTIVES))
def test_leaving_the_domain_never_helps(size, members, kind):
    inside = parallelism.group_seconds(kind, size, members, 64, FAST)
    across = parallelism.group_seconds(kind, size, members, 8, FAST, SLOW)
    assert inside == pytest.approx(parallelism.collective(kind, size, members, FAST).seconds)
    assert across >= inside * (1 - 1e-9)
    if members <= 8:
        assert across == pytest.approx(inside)


def test_groups_across_domains_by_hand():
    free = Link("fast", 450e9), Link("slow", 50e9)
    reduce = parallelism.group_seconds("all-reduce", 8e9, 16, 8, *free)
    assert reduce == pytest.approx(2 * 7 / 8 * 8e9 / 450e9 + 2 * 1 / 2 * 1e9 / 50e9)
    exchange = parallelism.group_seconds("all-to-all", 8e9, 16, 8, *free)
    assert exchange == pytest.approx(max(7 / 16 * 8e9 / 450e9, 8 / 16 * 8e9 / 50e9))
    assert parallelism.group_seconds("point-to-point", 8e9, 16, 8, *free) == pytest.approx(8e9 / 50e9)


def test_scalars_and_arrays_agree():
    members = np.array([1.0, 8.0, 16.0, 64.0])
    for kind in parallelism.COLLECTIVES:
        many = parallelism.group_seconds(kind, 1e9, members, 8, FAST, SLOW)
        one = [parallelism.group_seconds(kind, 1e9, n, 8, FAST, SLOW) for n in members.tolist()]
        assert many.tolist() == pytest.approx(one)
    split = Split(tensor=members, data=2)
    held = parallelism.weight_bytes_per_accelerator(1e12, 1e12, split)
    one = [parallelism.weight_bytes_per_accelerator(1e12, 1e12, Split(tensor=n, data=2)) for n in members.tolist()]
    assert held.tolist() == pytest.approx(one)


def test_quantities_keep_dimensions():
    link = Link("NVLink", Q(450, "GB/s"), Q(1, "µs"))
    done = parallelism.collective("all-reduce", Q(8, "GB"), 8, link)
    assert done.seconds.to("s").magnitude == pytest.approx(14 / 450 + 2e-6)
    assert done.bytes_sent.to("GB").magnitude == pytest.approx(14)
    for kind in parallelism.COLLECTIVES:
        assert parallelism.group_seconds(kind, Q(8, "GB"), 16, 8, link, link).is_compatible_with("s")
    bare = Link("no latency", Q(450, "GB/s"))
    assert parallelism.collective("all-to-all", Q(8, "GB"), 8, bare).seconds.to("s").magnitude == pytest.approx(7 / 450)
    split = Split(tensor=8, pipeline=15)
    held = parallelism.weight_bytes_per_accelerator(Q(110, "GB"), Q(3552, "GB"), split)
    assert held.to("GB").magnitude == pytest.approx(3662 / 120)
    assert parallelism.kv_bytes_per_accelerator(Q(3, "TB"), split).is_compatible_with("byte")
    rates = {"weight": Q(2, "byte/parameter"), "gradient": Q(2, "byte/parameter"), "optimizer": Q(12, "byte/parameter")}
    state = parallelism.training_state(Q(7.5e9, "parameter"), 64, 1, **rates)
    assert state.total.to("GB").magnitude == pytest.approx(31.4, abs=0.01)


SHAPE = {"sequence": 2048, "batch": 1, "hidden": 64, "heads": 8}


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: Split(tensor=0), "tensor = 0 is not allowed"),
        (lambda: Split(tensor=8, expert=16), "expert x expert_tensor = 16.0 is not allowed"),
        (lambda: Split(tensor=8, expert=1, expert_tensor=2), "expert x expert_tensor = 2 is not allowed"),
        (lambda: Split(data=np.array([1, 0])), "data = 0 is not allowed"),
        (lambda: parallelism.weight_bytes_per_accelerator(-1, 0, Split()), "dense_bytes = -1 is not allowed"),
        (lambda: parallelism.kv_bytes_per_accelerator(1, Split(), 0), "kv_heads = 0 is not allowed"),
        (lambda: parallelism.training_state(1e9, 8, 4), "zero_stage = '4' is not allowed"),
        (lambda: parallelism.training_state(0, 8), "parameters = 0 is not allowed"),
        (lambda: parallelism.activation_bytes_per_layer(**{**SHAPE, "heads": 0}), "heads = 0 is not allowed"),
        (lambda: parallelism.activation_bytes_per_layer(**SHAPE, recompute="some"), "recompute = 'some' is not"),
        (lambda: parallelism.bubble_over_ideal(0, 8), "stages = 0 is not allowed"),
        (lambda: parallelism.bubble_share_of_time(8, 0), "microbatches = 0 is not allowed"),
        (lambda: parallelism.collective("gossip", 1, 8, FAST), "kind = 'gossip' is not allowed"),
        (lambda: parallelism.collective("all-reduce", 1, 8, FAST, algorithm="tree"), "algorithm = 'tree' is not"),
        (lambda: parallelism.collective("all-reduce", -1, 8, FAST), "size = -1 is not allowed"),
        (lambda: parallelism.collective("all-reduce", 1, 0, FAST), "members = 0 is not allowed"),
        (lambda: parallelism.group_seconds("all-reduce", 1, 16, 8, FAST), "scale_out = None is not allowed"),
    ],
)
def test_bad_input_gets_one_clear_line(call, line):
    with pytest.raises(ParameterError) as error:
        call()
    assert str(error.value).startswith(line) and "\n" not in str(error.value)
