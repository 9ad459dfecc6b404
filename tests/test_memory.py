"""What fits: the rule by hand, its constant against the logs, and our answers beside those of other calculators."""

import pytest

from llm_economics import facts
from llm_economics.evidence import memory
from llm_economics.formulas import serving
from llm_economics.formulas.parallelism import Split


def test_the_rule_by_hand():
    """80 GiB at 0.9, hidden states of 16 KB: 20 x 8,192 of them are 2.68 GB."""
    found = memory.reserve_bytes(80 * 2**30, 16384)
    assert found == pytest.approx(0.1 * 80 * 2**30 + 20 * 8192 * 16384 + 1.7e9)
    assert memory.reserve_bytes(8e9, 0) == pytest.approx(0.8e9 + 0.8e9)  # at most a tenth for the engine


def test_room_by_hand():
    model = serving.model_from_architecture(facts.model("Llama 3 8B"))
    memory_bytes = 80 * 2**30
    two = memory.room(model, memory_bytes, Split(2), 8192, memory.reserve_bytes(memory_bytes, 8192))
    free = 0.9 * memory_bytes - 8_030_261_248 - 20 * 8192 * 8192 - 1.7e9
    assert two.free_bytes == pytest.approx(free)
    assert two.tokens == int(free // (131072 / 2))


def test_the_engines_part_is_the_median_of_the_logs():
    assert len(memory.predictions()) >= 13
    assert memory.calibrated() == pytest.approx(memory.ENGINE_BYTES, rel=0.02)


def test_most_logs_are_met_without_their_own_help():
    """All but the two engines that keep far more than any other: in the middle, none is off by more than a third."""
    cases = memory.left_out()
    ratios = (cases["predicted_tokens"] / cases["logged_tokens"])[cases["outcome"] == "serves"]
    assert ((ratios - 1).abs() < 0.2).sum() >= 8
    assert (ratios.drop(cases.index[cases["case"].str.startswith("gpt-oss")], errors="ignore") < 1.8).all()


def test_who_does_not_fit_does_not():
    cases = memory.predictions().set_index("case")
    assert cases.loc["qwen25-7b-awq-8gb", "predicted_tokens"] == 0


def test_nobody_is_nearer_than_ours():
    errors = memory.mean_errors().dropna()
    assert errors.index[0] == memory.OURS and errors[memory.OURS] < 0.1
    assert errors.drop(memory.OURS).min() > 1.5 * errors[memory.OURS]
    assert {"hf-mem", "accelerate", "vramcalc", "hf-vram-calc", "modelinfo-cli"} <= set(memory.compared().columns)
    assert len(memory.compared()) == 8
