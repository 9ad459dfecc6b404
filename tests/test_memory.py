"""What fits: the rule by hand, its constants against the logs, and our answers beside those of other calculators."""

import numpy as np
import pytest

from llm_economics import facts
from llm_economics.evidence import memory as logs
from llm_economics.formulas import memory, serving
from llm_economics.formulas.parallelism import Split

GIB = 2**30


def llama(weights="bf16"):
    return serving.model_from_architecture(facts.model("Llama 3 8B"), weights=weights)


def test_activations_by_hand():
    """Three hidden states and three widths of the MLP of each token; two cards halve the widths alone."""
    one, two = (memory.activation_bytes(llama(), Split(tensor), 20_000) for tensor in (1, 2))
    assert one == 20_000 * 2 * (3 * 4096 + 3 * 14336)
    assert two == 20_000 * 2 * (3 * 4096 + 3 * 14336 / 2)
    assert one / GIB == pytest.approx(2.07, rel=0.01)  # logged for passes of 20,000 tokens


def test_experts_have_an_output_each():
    model = serving.model_from_architecture(facts.model("Qwen3-235B-A22B"))
    shared = memory.activation_bytes(model, Split(4), 8192)
    assert shared == 8192 * 2 * (3 * 4096 + 8 * (3 * 1536 / 4 + 4096))


def test_sampling_is_whole_on_each_accelerator():
    """An 8 GB card with 256 sequences of Qwen2.5-7B: 1.42 GiB logged, and so on two cards of a larger model."""
    model = serving.ServedModel(
        name="m", common_bytes=1e9, flops_per_token=1e9, shares=serving.Shares(vocabulary=152_064)
    )
    assert memory.sampling_bytes(model, 256) / GIB == pytest.approx(1.42, abs=0.02)


def test_the_reserve_by_hand():
    """80 GiB at 0.9: 0.3 GB for the engine, 2 GB for links, and 1,024 sequences are sampled."""
    sampled = 39 * 1024 * 128_256
    one, two = (memory.reserve_bytes(llama(), 80 * GIB, Split(tensor)) for tensor in (1, 2))
    assert one == pytest.approx(0.1 * 80 * GIB + 0.3e9 + sampled)
    assert two == pytest.approx(one + 2e9)
    small = memory.reserve_bytes(llama(), 40 * GIB)
    assert small == pytest.approx(0.1 * 40 * GIB + 0.3e9 + 39 * 256 * 128_256)
    stated = memory.reserve_bytes(llama(), 80 * GIB, share=1.0, pass_tokens=1, sequences=0, engine=0.0)
    assert stated == memory.activation_bytes(llama(), Split(), 1)


def test_sampling_gives_way_where_memory_is_short():
    """It takes half of what the weights leave, and no less than a small card's: gpt-oss-120b on one H100."""
    model = facts.served_models("gpt-oss-120b", ("fp4",), kv="bf16")["fp4"]
    card = 80 * GIB
    left = 0.9 * card - 0.3e9 - memory.loaded_bytes(model, Split())
    free = card - memory.reserve_bytes(model, card) - model.weight_bytes
    assert free == pytest.approx(left / 2) and free > 2e9
    assert memory.sampling_bytes(model, 1024) > left  # the limit that engines have by default does not fit
    weights = memory.loaded_bytes(model, Split()) / GIB
    assert weights == pytest.approx(65.97, rel=0.002)  # logged: padded when loaded


def test_more_memory_never_leaves_less_room():
    """Also where sampling and links grow with the accelerator, for the largest vocabulary there is."""
    given = {"name": "m", "common_bytes": 2e9, "flops_per_token": 1e9, "hidden_bytes": 8192.0}
    model = serving.ServedModel(**given, shares=serving.Shares(vocabulary=262_144))
    sizes = np.linspace(4, 200, 393) * GIB
    for split in (Split(), Split(8)):
        free = [size - memory.reserve_bytes(model, size, split) for size in sizes]
        assert (np.diff(free) > 0).all()


def test_small_chips_are_not_all_engine():
    assert memory.engine_bytes(2e9, Split(8)) == 0.2e9


def test_arrays_are_what_scalars_are():
    split = Split(np.array([1, 2, 8]), expert=np.array([1, 1, 1]))
    found = memory.reserve_bytes(llama(), 80 * GIB, split)
    assert list(found) == [memory.reserve_bytes(llama(), 80 * GIB, Split(tensor)) for tensor in (1, 2, 8)]


def test_room_by_hand():
    reserve = memory.reserve_bytes(llama("fp8"), 80 * GIB, Split(2))
    two = memory.room(llama("fp8"), 80 * GIB, Split(2), 8192, reserve)
    free = 80 * GIB - reserve - 8_030_261_248 / 2
    assert two.free_bytes == pytest.approx(free)
    assert two.tokens == int(free // (131072 / 2))


# The logs -------------------------------------------------------------------------------------------------------------


def test_constants_are_those_of_the_logs():
    found = logs.fitted()
    assert found.sampling == pytest.approx(memory.SAMPLING_BYTES, rel=0.03)
    assert found.engine == pytest.approx(memory.ENGINE_BYTES, abs=0.1e9)
    assert found.links[1] == pytest.approx(memory.LINK_BYTES[1], rel=0.25)


def test_every_log_has_a_source_that_was_read():
    cases = facts.load("memory_cases")
    assert "unverified" not in set(cases["confidence"])
    assert cases["source_url"].str.startswith("https://github.com/").all()


def test_logs_are_met_without_their_own_help():
    """Those of deployments within a tenth of the cache; a developer's engine of 2025 kept the logits of all tokens."""
    cases = logs.left_out()
    assert len(cases) >= 14
    served = cases[cases["cache_bytes"] > 0].set_index("case")
    ratios = served["predicted_bytes"] / served["cache_bytes"]
    assert (ratios[served["origin"] == "deployment"] - 1).abs().max() < 0.1
    assert (ratios.drop("llama31-70b-w8a8") - 1).abs().max() < 0.1
    assert (cases.loc[cases["cache_bytes"] < 0, "predicted_bytes"] < 0).all()


def test_why_two_engines_leave_so_different_a_room():
    """The same model on the same four cards: one samples 1,024 sequences inside its share, the other beside it."""
    cases = logs.predictions().set_index("case")
    names = ["qwen3-235b-fp8-4xh100", "qwen3-235b-fp8-4xh100-sglang"]
    found = cases.loc[names, "predicted_tokens"] / cases.loc[names, "logged_tokens"]
    assert (found - 1).abs().max() < 0.05


def test_nobody_is_nearer_than_ours_on_any_question():
    errors = logs.errors()
    assert len(errors) == 8
    others = errors.drop(columns=logs.OURS)
    assert {"hf-mem", "accelerate", "vramcalc", "hf-vram-calc", "modelinfo-cli"} <= set(others.columns)
    assert (errors[logs.OURS] < others.min(axis=1)).all()
    assert logs.mean_errors().index[0] == logs.OURS and errors[logs.OURS].max() < 0.1
