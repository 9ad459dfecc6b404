"""Splits that exist: what engines take, for which models, on which machines."""

import numpy as np
import pytest
from configurations import OWN

from llm_economics import checkpoints, facts
from llm_economics.evidence.search import Limits, Workload, search, space
from llm_economics.facts.models import Precisions, Published, existing_splits, one_split
from llm_economics.formulas import serving
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.splits import Shares, fullest_stage, in_machine


def shares(config=OWN, **more) -> Shares:
    return serving.model_from_architecture(checkpoints.read(config | more).architecture).shares


def taken(found: Shares, expert_tensor=None) -> list[int]:
    """Degrees up to 72 that engines take."""
    return [t for t in range(1, 73) if found.divided(t, expert_tensor or (t if found.experts else 1))]


def test_degrees_of_a_dense_model():
    """40 heads, 8 key-value heads, 13,824 columns: 5, 10 and 20 go with no copies, 40 leaves 345.6 columns."""
    assert taken(shares()) == [1, 2, 4, 8]
    assert taken(shares(num_key_value_heads=40)) == [1, 2, 4, 8]  # 5, 10 and 20 do not divide the columns
    assert taken(shares(num_key_value_heads=40, intermediate_size=12800)) == [1, 2, 4, 5, 8, 10, 20, 40]
    assert taken(shares(num_key_value_heads=1, num_attention_heads=64, intermediate_size=28672)) == [
        1,
        2,
        4,
        8,
        16,
        32,
        64,
    ]


@pytest.mark.parametrize(("block", "degrees"), [(1, [1, 2, 4, 8]), (128, [1, 2, 4]), (64, [1, 2, 4, 8])])
def test_quantised_blocks_stay_whole(block, degrees):
    found = shares()
    assert taken(Shares(**vars(found) | {"block": block})) == degrees  # 13,824 / 8 = 1,728 = 13.5 x 128


def test_fp8_blocks_of_128_at_tensor_8():
    """Experts of 1,536: an eighth is 192, no whole blocks; with two groups of experts each has four parts of 384."""
    found = Shares(**vars(serving.model_from_architecture(facts.model("Qwen3-235B-A22B")).shares) | {"block": 128})
    assert found.why_not(8, 8) == "8 does not divide the expert width of 1,536 in whole blocks of 128"
    assert found.divided(8, 4) and found.divided(4, 4) and not found.divided(8, 8)


def test_the_padded_vocabulary_counts():
    assert taken(Shares(vocabulary=50257)) == [t for t in range(1, 73) if 50304 % t == 0]


def test_reasons_are_words():
    found = shares()
    assert found.why_not(3) == "3 does not divide the 40 heads"
    assert found.why_not(5) == "5 goes with no copies of the 8 key-value heads"
    assert found.why_not(40) == "40 does not divide the width of 13,824"
    assert found.why_not(8) is None


@pytest.mark.parametrize(
    ("layers", "stages", "fullest"), [(40, 6, 42 / 40), (80, 12, 84 / 80), (61, 8, 64 / 61), (8, 8, 1)]
)
def test_the_fullest_stage(layers, stages, fullest):
    assert fullest_stage(layers, stages) == pytest.approx(fullest)
    assert fullest_stage(layers, np.array([stages])) == pytest.approx([fullest])


def test_groups_fit_into_the_machine():
    assert in_machine(8, 8, 8, 8) and in_machine(16, 16, 16, 8) and in_machine(4, 24, 64, 8)
    assert not in_machine(16, 16, 8, 8)  # more than there are
    assert not in_machine(6, 24, 64, 8)  # a group in two boxes
    assert in_machine(6, 6, 8, 8)


def test_the_fullest_stage_decides_memory_and_time():
    model = serving.model_from_architecture(checkpoints.read(OWN).architecture)
    six = next(split for split in existing_splits(model, 8, False) if split.accelerators == 6 and split.pipeline == 6)
    system = facts.system("H100", 6)
    even = serving.capacity(model, system, 6, 2048, serving.Split(pipeline=6))
    held = serving.capacity(model, system, 6, 2048, six)
    assert held.weight_bytes == pytest.approx(even.weight_bytes * 1.05)
    assert held.kv_bytes == pytest.approx(even.kv_bytes * 1.05)
    slower = serving.decode(model, system, 6, 2048, six, links=False).seconds
    assert slower == pytest.approx(
        1.05 * serving.decode(model, system, 6, 2048, serving.Split(pipeline=6), links=False).seconds
    )


SYSTEMS = [("GB200 NVL72", 72), ("GB200 NVL36", 36), ("GB300 NVL72", 72), ("H100", 6), ("H100", 3), ("H100", 8)]
MODELS = ["Llama 3 70B", "DeepSeek-V3", "Qwen3-235B-A22B", "Mixtral 8x7B"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("system", "accelerators"), SYSTEMS)
def test_a_frontier_holds_only_splits_that_exist(name, system, accelerators):
    machine = facts.system(system, accelerators)
    published = facts.published(name)
    model = facts.served(published, Precisions("fp8", "fp8", "bf16", True))
    grid = space({"fp8": model}, machine, batch=(1, 8, 64, 512))
    found = search({"fp8": model}, machine, Workload(1024, 128), Limits(), within=grid, disaggregated=False)
    architecture = published.architecture
    for point in found.points():
        t, p, e, each = point["tensor"], point["pipeline"], point["expert"], point["expert_tensor"]
        assert architecture.n_heads % t == 0
        for heads in model.shares.kv_heads:
            assert heads % t == 0 or t % heads == 0
        for width in model.shares.widths:
            assert width % (t * model.shares.block) == 0 or t == 1
        for width in model.shares.expert_widths:
            assert width % (each * model.shares.block) == 0 or each == 1
        assert (architecture.n_experts or 1) % e == 0
        assert t * p * point["data"] <= accelerators and p <= architecture.n_layers
        assert e * each == t * point["data"] or not architecture.n_experts


def test_six_accelerators():
    """Expected of 40 heads: 1, 2 and 4 in tensor parallelism; six stages hold seven layers at most."""
    machine = facts.system("H100", 6)
    model = serving.model_from_architecture(checkpoints.read(OWN).architecture)
    layouts = space({"bf16": model}, machine).layouts
    assert set(layouts.tensor) == {1, 2, 4}
    assert layouts.fullest[(layouts.pipeline == 6)].tolist() == pytest.approx([1.05])


def test_padding_is_marked_and_optional():
    model = serving.model_from_architecture(checkpoints.read(OWN).architecture)
    machine = facts.system("H100", 3)
    assert set(space({"bf16": model}, machine).layouts.tensor) == {1, 2}
    layouts = space({"bf16": model}, machine, allow_padding=True).layouts
    three = layouts[layouts.tensor == 3]
    assert three.padded.tolist() == pytest.approx([42 / 40])  # of 40 heads; 13,824 / 3 is whole
    points = search(
        {"bf16": model}, machine, Workload(2048, 256), within=space({"bf16": model}, machine, allow_padding=True)
    ).points()
    assert {point["tensor"] for point in points if point["padded"]} == {3}
    assert one_split(model, 8, 3, True).padded == pytest.approx(1.05)
    with pytest.raises(ParameterError, match="3 does not divide the 40 heads; engines take 1, 2, 4, 8"):
        one_split(model, 8, 3, False)


def test_heads_that_are_not_known_leave_powers_of_two():
    model = facts.served_models("GPT-4 (leaked)", ("fp8",))["fp8"]
    tried = set(space({"fp8": model}, facts.system("GB200 NVL72")).layouts.tensor)
    assert tried == {1, 2, 4, 8, 16, 32, 64}


def test_a_precision_keeps_to_its_own_blocks():
    """In blocks of 128 an eighth of 13,824 columns is none; in 16 bits it is."""
    published = Published("own", checkpoints.read(OWN).architecture, None)
    models = {name: facts.served(published, Precisions(name, name, "bf16", False)) for name in ("bf16", "fp8")}
    found = search(models, facts.system("H100"), Workload(512, 64), disaggregated=False).points()
    assert max(point["tensor"] for point in found if point["precision"] == "bf16") == 8
    assert max(point["tensor"] for point in found if point["precision"] == "fp8") <= 4
