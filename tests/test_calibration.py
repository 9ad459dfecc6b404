"""Calibrated decode steps: left-out errors, chips never fitted, floors, intervals, determinism, refusals."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from llm_economics import calibration, catalog, serving
from llm_economics.elementwise import ParameterError
from llm_economics.parallelism import Split

ROWS = catalog.load("decode_step_timings")
ALL = pd.concat([ROWS, catalog.load("decode_step_timings_more")], ignore_index=True)
UNSEEN = calibration.unseen_rows()
UNSEEN["error"] = calibration.predict(UNSEEN) / UNSEEN["tpot_ms"] - 1


def mape(errors) -> float:
    return float(np.abs(errors).mean())


def test_a_left_out_model_or_engine_is_predicted_within_five_percent_or_so():
    assert mape(calibration.leave_out(ROWS, "model")["error"]) < 0.05
    assert mape(calibration.leave_out(ROWS, "backend")["error"]) < 0.052
    assert mape(calibration.predict(ROWS) / ROWS["tpot_ms"] - 1) < 0.045


def test_chips_that_were_never_fitted_are_predicted_from_their_data_sheets():
    dense = UNSEEN[~UNSEEN["model"].str.contains("Mixtral")]
    assert mape(dense["error"]) < 0.05 and abs(dense["error"].mean()) < 0.03
    new = dense[dense["system"] != "h100_sxm"]
    assert set(new["system"]) == {"h200_sxm", "b200_sxm", "b300_sxm", "gb200", "gb300"}
    chips = new.groupby("system")["error"].agg(mape)
    assert (chips.drop("gb300") < 0.045).all() and chips["gb300"] < 0.09
    assert UNSEEN["error"].abs().median() < 0.04


def test_every_measured_step_lies_above_the_floor_and_the_floor_is_no_prediction():
    ratio = calibration.floors(ALL) / ALL["tpot_ms"]
    assert (ratio < 1).all() and ratio.mean() < 0.7
    for row in ALL.sample(8, random_state=1).itertuples():
        model, system, split = calibration.deployment(row.model, row.system, row.tp, row.moe_ep)
        step = calibration.expected_decode(model, system, row.batch, row.context, split)
        assert step.floor_s <= step.low_s <= step.value_s <= step.high_s


def test_interval_holds_nine_tenths_of_the_steps_of_unseen_chips_or_nearly():
    low, high = calibration.spread()
    measured = 1 / (1 + UNSEEN["error"])
    assert 0.85 < low < 1 < high < 1.4
    assert 0.85 < ((measured >= low) & (measured <= high)).mean() < 0.95


def test_fit_finds_again_what_made_the_rows():
    true = replace(calibration.fitted(), layer_s=45e-6, kv=0.8, before_fp8=1.0)
    many = pd.concat([ALL[ALL["system"] != "a100_sxm"]] * 5)  # enough for the rows to outweigh what was believed
    found = asdict(calibration.fit(many.assign(tpot_ms=calibration.predict(many, true))))
    assert found == pytest.approx(asdict(true), rel=0.03)


def test_fit_is_deterministic_and_blind_to_the_order_of_rows():
    first = asdict(calibration.fit(ROWS))
    assert asdict(calibration.fit(ROWS)) == first
    assert asdict(calibration.fit(ROWS.iloc[::-1])) == pytest.approx(first, rel=1e-4)


def test_fractions_are_fractions_and_each_belief_is_moved_little():
    for name, value in asdict(calibration.fitted()).items():
        believed, deviation = calibration.BELIEFS[name]
        assert abs(np.log(value / believed)) < 3 * deviation
        assert name in ("message_s", "layer_s", "before_fp8") or 0 < value <= 1


def test_the_one_generation_factor_hangs_on_the_a100_alone():
    assert calibration.fit(ROWS).before_fp8 == 1
    assert 1.1 < calibration.fitted().before_fp8 < 1.3
    rows = calibration.fitted_rows()
    assert mape(calibration.leave_out(rows, "system")["error"][rows["system"] == "a100_sxm"]) > 0.1


@pytest.mark.parametrize("name", ["Llama 3 70B", "Mixtral 8x7B", "DeepSeek-V3 (main model)"])
def test_expectation_broadcasts_and_grows_with_batch_and_context(name):
    model, system, _ = calibration.deployment(name, "H200", 8)
    batches, contexts = np.array([1, 8, 64])[:, None], np.array([1024, 16384])
    step = calibration.expected_decode(model, system, batches, contexts)
    assert step.value_s.shape == (3, 2)
    assert (np.diff(step.value_s, axis=0) > 0).all() and (np.diff(step.value_s, axis=1) > 0).all()
    one = calibration.expected_decode(model, system, 8, 16384)
    assert isinstance(one.value_s, float) and one.value_s == pytest.approx(step.value_s[1, 1])


def test_more_messages_cost_time_and_a_faster_memory_saves_it():
    model, system, _ = calibration.deployment("Llama 3 8B", "H100", 2)
    whole = calibration.terms(model, system, 1, 2048)
    alone = calibration.terms(model, system, 1, 2048, Split())
    messages, read = (calibration.COLUMNS.index(name) for name in ("messages", "dense_read"))
    assert whole[messages] == 2 * 2 * 32 and alone[messages] == 0  # two all-reduces a layer, two messages each
    assert alone[read] == pytest.approx(2 * whole[read])
    faster = replace(system, accelerator=replace(system.accelerator, memory_bandwidth=4.8e12))
    before, after = (calibration.expected_decode(model, s, 1, 2048).value_s for s in (system, faster))
    assert after < before


def test_fp8_and_refusals():
    arch = catalog.model("Llama 3 8B")
    model, system = serving.model_from_architecture(arch, weights="fp8"), catalog.system("H100", 1)
    fp8 = calibration.expected_decode(model, system, 256, 512, precision="fp8").value_s
    assert fp8 < calibration.expected_decode(model, system, 256, 512).value_s
    with pytest.raises(ParameterError, match="A100 SXM 80GB has dense peaks for bf16, fp16"):
        calibration.expected_decode(model, catalog.system("A100", 1), 1, 512, precision="fp8")
    with pytest.raises(ParameterError, match="batch = 0"):
        calibration.expected_decode(model, system, 0, 512)
    with pytest.raises(ParameterError, match="rows = 0"):
        calibration.fit(ROWS.iloc[:0])
    with pytest.raises(ParameterError, match="at least two values"):
        calibration.leave_out(ROWS, "system")
    with pytest.raises(ParameterError, match="by = 'modell'"):
        calibration.leave_out(ROWS, "modell")
