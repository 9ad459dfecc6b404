"""Calibrated decode steps: left-out errors, chips never fitted, floors, intervals, determinism, refusals."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from llm_economics import facts
from llm_economics.evidence import calibration
from llm_economics.formulas import serving
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.parallelism import Split

TWENTY_FIVE = facts.load("decode_step_timings")
ROWS = calibration.fitted_rows()
ALL = pd.concat([TWENTY_FIVE, facts.load("decode_step_timings_more")], ignore_index=True)
UNSEEN = calibration.unseen_rows()
UNSEEN["error"] = calibration.predict(UNSEEN) / UNSEEN["tpot_ms"] - 1
SOUND = UNSEEN[~calibration.contradicted(UNSEEN)]
MIXTURE = SOUND["model"].str.contains("Mixtral|Qwen3")


def mape(errors) -> float:
    return float(np.abs(errors).mean())


def test_the_parts_of_the_data_keep_apart():
    step = [*calibration.STEP, "backend"]
    assert not ALL.duplicated(step).any()
    assert set(ROWS["system"]) == {"h100_sxm"} and len(ROWS) > 150 and ROWS["model"].nunique() == 8
    new = {"h200_sxm", "b200_sxm", "b300_sxm", "gb200", "gb300"}
    for part in ("form", "test"):
        assert set(calibration.unseen_rows(part)["system"]) == new
    with pytest.raises(ParameterError, match="part = 'fit'"):
        calibration.unseen_rows("fit")
    with pytest.raises(ParameterError, match="chip = 'h200_sxm'"):
        calibration.fitted_rows("h200_sxm")


def test_a_left_out_model_or_engine_is_predicted_within_six_percent_or_so():
    found = calibration.leave_out(ROWS, "model")
    assert mape(found["error"]) < 0.061 and mape(found["error"][found["moe_ep"] == 1]) < 0.05
    assert mape(calibration.leave_out(ROWS, "backend")["error"]) < 0.062
    assert mape(calibration.predict(TWENTY_FIVE) / TWENTY_FIVE["tpot_ms"] - 1) < 0.05


def test_the_first_twenty_five_rows_by_themselves():
    assert mape(calibration.leave_out(TWENTY_FIVE, "model")["error"]) < 0.05
    assert mape(calibration.leave_out(TWENTY_FIVE, "backend")["error"]) < 0.052
    own = calibration.fit(TWENTY_FIVE)
    assert mape(calibration.predict(TWENTY_FIVE, own) / TWENTY_FIVE["tpot_ms"] - 1) < 0.045


def test_nine_steps_on_every_chip_are_predicted_as_well_as_ever():
    """The 151 rows that were in view first; the 16 of H100s have entered the fit since, the others not."""
    nine = {("8B", 1, 2048, 16), ("8B", 1, 32768, 4), ("70B", 8, 2048, 1), ("70B", 8, 2048, 64), ("70B", 4, 8192, 16)}
    nine |= {("405B", 8, 2048, 8), ("72B", 4, 2048, 32), ("8x7B-v0.1", 2, 2048, 16), ("8x22B-v0.1", 8, 2048, 32)}
    rows = facts.load("decode_step_timings_more")
    rows = rows[rows["system"] != "a100_sxm"]
    size = rows["model"].str.extract(r"-([^-]*B(?:-v0[.]1)?)$")[0]
    steps = zip(size, rows["tp"], rows["context"], rows["batch"], rows["moe_ep"], strict=True)
    rows = rows[[step[:4] in nine and step[4] == 1 for step in steps]]
    error = calibration.predict(rows) / rows["tpot_ms"] - 1
    dense = ~rows["model"].str.contains("Mixtral")
    assert len(rows) == 151 and dense.sum() == 116
    assert mape(error[dense]) < 0.05 and abs(error[dense].mean()) < 0.03 and error.abs().median() < 0.04
    new = dense & (rows["system"] != "h100_sxm")
    chips = error[new].groupby(rows["system"]).agg(mape)
    assert (chips.drop("gb300") < 0.045).all() and chips["gb300"] < 0.09


def test_dense_models_on_chips_that_were_never_fitted_are_predicted_within_five_percent():
    dense = SOUND[~MIXTURE]
    assert len(dense) >= 150 and mape(dense["error"]) < 0.05 and abs(dense["error"].mean()) < 0.03
    assert (dense.groupby("system")["error"].agg(mape).drop("gb300") < 0.05).all()
    assert (
        mape(SOUND["error"][MIXTURE]) < 0.1 and mape(UNSEEN["error"]) < 0.085 and UNSEEN["error"].abs().median() < 0.05
    )


def test_the_middle_engine_is_nearer_than_engines_are_to_each_other():
    middle = calibration.middle_engine(SOUND)
    error = calibration.predict(middle) / middle["tpot_ms"] - 1
    assert len(middle) > 100 and mape(error) < 0.057
    assert mape(error[~middle["model"].str.contains("Mixtral|Qwen3")]) < 0.035
    one = SOUND.groupby(calibration.STEP).get_group(tuple(middle.loc[0, calibration.STEP]))
    assert len(one) == 3 and sorted(one["tpot_ms"])[1] == middle["tpot_ms"][0]


def test_no_constant_for_each_step_errs_less_than_the_bound_for_forecasts_blind_to_engines():
    bound = calibration.least_error(SOUND)
    assert 0.03 < bound < mape(SOUND["error"])
    step = SOUND.groupby(calibration.STEP)["tpot_ms"]
    for share in np.linspace(0, 1, 41):  # any quantile of a step's engines as its one time
        one = step.transform(lambda times, share=share: times.quantile(share))
        assert mape(one / SOUND["tpot_ms"] - 1) >= bound - 1e-12
    assert calibration.least_error(pd.concat([SOUND, SOUND])) == pytest.approx(bound)
    assert calibration.least_error(SOUND.drop_duplicates(calibration.STEP)) == 0


def test_steps_are_set_aside_where_their_source_contradicts_itself_and_nowhere_else():
    timed = facts.load("moe_one_token_timings")
    times = timed.filter(like="_ms")
    apart = times.max(axis=1) / times.min(axis=1)
    assert not apart.between(1.4, 1.6).any(), "the rule would hang on where exactly it cuts"
    marked = ALL[calibration.contradicted(ALL)]
    assert set(marked["model"]) == {"mistralai/Mixtral-8x22B-v0.1"} and set(marked["backend"]) == {"trtllm"}
    assert set(marked["system"]) == set(timed["system"][apart > calibration.CONTRADICTION])
    assert (marked["moe_ep"] == 1).all() and len(marked) < 0.03 * len(ALL)
    mixtures = ALL[ALL["model"].str.contains("Mixtral|Qwen3") & (ALL["moe_ep"] == 1)]
    key = ["model", "system", "backend", "moe_tp"]
    without = set(mixtures.set_index(key).index) - set(timed.set_index(key).index)
    assert without == {("Qwen/Qwen3-235B-A22B", "b200_sxm", "vllm", 8)}  # its table is borrowed from another version


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
    true = replace(
        calibration.fitted(), layer_s=45e-6, kv=0.8, passing_rate=300e9, expert_layer_s=25e-6, before_fp8=1.0
    )
    many = pd.concat([ALL[ALL["system"] != "a100_sxm"]] * 3)  # enough for the rows to outweigh what was believed
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
        assert name not in ("weight", "kv", "compute", "link") or 0 < value <= 1


def test_the_one_generation_factor_hangs_on_the_a100_alone():
    assert calibration.fit(ROWS).before_fp8 == 1
    assert 1.1 < calibration.fitted().before_fp8 < 1.3
    old = calibration.fitted_rows("a100_sxm")
    assert mape(calibration.predict(old, calibration.fit(ROWS)) / old["tpot_ms"] - 1) > 0.1
    assert np.median(calibration.predict(old) / old["tpot_ms"]) == pytest.approx(1, rel=1e-4)


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


def test_the_busiest_of_several_hands_of_experts():
    """Against dealing cards: experts that a batch touches, each in its place, the most in one group."""
    model, system = calibration.deployment("Qwen3-235B-A22B", "H200", 8)[:2]
    read = calibration.COLUMNS.index("expert_read")
    rng = np.random.default_rng(7)
    for batch in (1, 4, 16):
        split = Split(tensor=8, expert=8)
        tokens = 1 + calibration.INDEPENDENT * (batch - 1)
        touched = round(128 * (1 - (1 - 8 / 128) ** tokens))
        hands = [np.bincount(rng.permutation(128)[:touched] // 16, minlength=8).max() for _ in range(4000)]
        one = model.expert_bytes / system.accelerator.memory_bandwidth
        assert calibration.terms(model, system, batch, 2048, split)[read] / one == pytest.approx(
            np.mean(hands), rel=0.1
        )
    all_of_them = calibration.terms(model, system, 4096, 128, Split(tensor=8, expert=8))[read]
    assert all_of_them == pytest.approx(16 * one)


def test_layers_with_experts_and_passed_bytes_are_counted():
    mixture, system, split = calibration.deployment("Mixtral 8x7B", "H100", 2)
    dense = calibration.deployment("Llama 3 8B", "H100", 2)[0]
    at = calibration.COLUMNS.index
    for model, expected in ((mixture, 32), (dense, 0)):
        terms = calibration.terms(model, system, 8, 2048, split if model.is_moe else Split(tensor=2))
        assert terms[at("expert_layers")] == expected and terms[at("layers")] == 32
        # two all-reduces a layer, each sends 2 (n - 1) / n of 8 x 4096 two-byte values
        assert terms[at("passed")] == pytest.approx(32 * 2 * 8 * 4096 * 2)
        assert terms[at("sent")] == pytest.approx(terms[at("passed")] / system.scale_up.bandwidth)


def test_layers_without_experts_do_not_wait_for_routing():
    model = serving.model_from_architecture(facts.model("DeepSeek-V3"), weights="fp8")
    terms = calibration.terms(model, facts.system("H200", 8), 1, 2048, precision="fp8")
    at = calibration.COLUMNS.index
    assert (terms[at("layers")], terms[at("expert_layers")]) == (61, 58)


def test_fp8_and_refusals():
    arch = facts.model("Llama 3 8B")
    model, system = serving.model_from_architecture(arch, weights="fp8"), facts.system("H100", 1)
    fp8 = calibration.expected_decode(model, system, 256, 512, precision="fp8").value_s
    assert fp8 < calibration.expected_decode(model, system, 256, 512).value_s
    with pytest.raises(ParameterError, match="A100 SXM 80GB has dense peaks for bf16, fp16"):
        calibration.expected_decode(model, facts.system("A100", 1), 1, 512, precision="fp8")
    with pytest.raises(ParameterError, match="batch = 0"):
        calibration.expected_decode(model, system, 0, 512)
    with pytest.raises(ParameterError, match="rows = 0"):
        calibration.fit(ROWS.iloc[:0])
    with pytest.raises(ParameterError, match="at least two values"):
        calibration.leave_out(ROWS, "system")
    with pytest.raises(ParameterError, match="by = 'modell'"):
        calibration.leave_out(ROWS, "modell")


def test_what_is_kept_is_what_the_rows_give():
    kept, found = json.loads(calibration.FITTED.read_text(encoding="utf-8")), calibration.refit()
    assert kept["chips"] == found["chips"]
    assert kept["spread"] == pytest.approx(found["spread"], rel=1e-6), "python -m llm_economics.evidence.calibration"
    assert kept["efficiencies"] == pytest.approx(found["efficiencies"], rel=1e-6)


def test_an_expected_step_needs_neither_pandas_nor_scipy():
    code = """
import sys
from llm_economics import facts
from llm_economics.evidence import calibration
calibration.fitted(), calibration.spread(), calibration.chips()
print(*({"pandas", "scipy"} & set(sys.modules)))
"""
    assert not subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
