"""The chapter under other assumptions: its errors held against counting by hand, and its evidence against the data."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from chapter import Chapter, refuses

from llm_economics import facts
from llm_economics.book import figures
from llm_economics.evidence import calibration
from llm_economics.evidence import scores as ev
from llm_economics.formulas import serving
from llm_economics.formulas.elementwise import ParameterError

CHAPTER = Chapter("how-good-is-the-napkin")
OTHERS = [
    {},
    {"mfu": 0.33, "miss_factor": 1.5, "held_out": "backend"},
    {"smallest_run_parameters": 5e9, "bandwidth_efficiency": 0.6, "prefill_mfu": 0.35},
]


@cache
def results(index: int) -> dict[str, float]:
    return {name: row["value"] for name, row in CHAPTER.run(**OTHERS[index])[1].items()}


def hours(smallest: float) -> pd.DataFrame:
    """Training runs by the columns of the file alone, with the utilisation that their hours imply."""
    table = facts.load("training_runs")
    table = table[table.kind.isin(["full_run", "rate"]) & table.chip_hours.notna() & table.tokens.notna()]
    table = table[(table.params >= smallest) & ~table.run.isin(ev.CONTRADICTED)]
    return table.assign(mfu=table.implied_mfu_6nd).reset_index(drop=True)


@pytest.mark.parametrize("index", range(len(OTHERS)))
def test_results_are_what_the_data_give(index):
    given, found = OTHERS[index], results(index)
    table = hours(given.get("smallest_run_parameters", 1e9))
    fixed = (table.mfu / given.get("mfu", 0.40) - 1).abs().mean()  # hours go as one over the utilisation
    assert found["napkin_training_mape"] == pytest.approx(fixed, rel=2e-3)
    errors = []
    for row in table.itertuples():
        rest = table[table.run != row.run]
        same = rest[rest.chip == row.chip]
        errors.append(abs(row.mfu / (rest if same.empty else same).mfu.median() - 1))
    assert found["napkin_training_loo_mape"] == pytest.approx(np.mean(errors), rel=2e-3)
    steps = calibration.fitted_rows()
    left_out = calibration.leave_out(steps, given.get("held_out", "model")).error.abs().mean()
    assert found["napkin_decode_mape"] == pytest.approx(left_out, rel=1e-4)
    every = pd.concat([facts.load("decode_step_timings"), facts.load("decode_step_timings_more")])
    floors = calibration.floors(every) / every.tpot_ms
    assert found["napkin_floor_bias"] == pytest.approx((floors - 1).mean(), rel=1e-4)
    short = (floors / given.get("bandwidth_efficiency", 0.70) - 1).abs().mean()
    assert found["napkin_short_mape"] == pytest.approx(short, rel=1e-4)
    whole = ev.served(given.get("prefill_mfu", 0.50))
    ratio, factor = whole.predicted / whole.measured, given.get("miss_factor", 2.0)
    assert found["napkin_served_within"] == pytest.approx(((ratio < factor) & (ratio > 1 / factor)).mean(), rel=1e-4)
    assert found["napkin_counts_wrong"] == 0 and found["napkin_mfu_points"] < 0.01


def test_the_headline_errors_are_small_where_the_chapter_says_so():
    found = results(0)
    assert found["napkin_decode_mape"] < 0.06 and found["napkin_unseen_median"] < 0.05
    assert found["napkin_unseen_dense_mape"] < 0.05 < found["napkin_unseen_mape"] < 0.08
    assert found["napkin_unseen_mape"] < found["napkin_unseen_moe_mape"] < 0.1
    assert found["napkin_engine_blind_floor"] < found["napkin_middle_engine_mape"] < found["napkin_unseen_mape"]
    assert 0.2 < found["napkin_training_loo_mape"] < found["napkin_training_mape"] < 0.27
    assert 0.9 < found["napkin_served_median_ratio"] < 1.15 and 0.9 < found["napkin_served_within"] < 1
    for way in ("chip", "engine", "month"):
        assert found[f"services_{way}_error"] <= 0.155 and found[f"services_{way}_within"] >= 0.65
    assert found["services_within_two"] >= 0.97
    assert 0.85 <= found["services_interval_held"] <= found["services_interval_most"] <= 0.95
    assert found["services_first_error"] <= 0.35 and found["services_first_within_two"] >= 0.79
    assert found["steps_narrow_error"] <= 0.12 and found["steps_narrow_within"] >= 0.8 <= found["steps_engine_within"]
    assert found["services_anchor_error"] < found["services_tool_error"] < 0.2
    assert found["deepseek_nodes"] == pytest.approx(226.75, rel=1e-3)


def test_a_stricter_factor_names_more_misses_and_a_wide_one_fewer():
    assert results(1)["napkin_misses"] > results(0)["napkin_misses"] > 10
    assert results(1)["napkin_served_within"] < results(0)["napkin_served_within"]


def test_every_miss_of_the_printed_page_has_a_cause():
    page = CHAPTER.path.read_text(encoding="utf-8")
    assert "<td>half the later utilisation" in page and "<td>not explained</td>" not in page


def test_mixtures_leave_the_largest_errors_and_one_mean_is_of_one_sign():
    for rows in (ev.left_out_steps(), ev.unseen_steps(), ev.middle_steps()):
        error = (rows.predicted / rows.measured - 1).abs().groupby(rows.model.str.contains("Mixtral|Qwen3")).mean()
        assert error[True] > 1.5 * error[False]
    whole = ev.served()
    batches = whole[~whole.service.isin(["InferenceMAX", "NIM, online"])]  # steps alone promise too much
    assert (batches.predicted > batches.measured).mean() > 0.75


def test_training_runs_that_contradict_each_other_are_not_scored_and_none_is_unverified():
    runs = ev.runs()
    assert not set(runs.run) & set(ev.CONTRADICTED)
    assert set(ev.CONTRADICTED) <= set(facts.load("training_runs").run)
    table = facts.load("training_runs")
    assert set(table[table.run.isin(runs.run)].confidence) <= {"primary", "secondary", "derived", "aggregator"}
    assert runs.mfu.to_numpy() == pytest.approx(runs.implied_mfu_6nd.to_numpy(), rel=5e-3)


def test_scores_by_hand():
    frame = pd.DataFrame({"family": ["a", "a", "b"], "predicted": [2.0, 0.5, 3.0], "measured": [1.0, 1.0, 3.0]})
    a, b = ev.scores(frame).to_dict("records")
    assert (a["rows"], a["mean absolute error, %"], a["bias, %"]) == (2, 75.0, 25.0)
    assert (a["median ratio"], b["worst ratio"], b["bias, %"]) == (1.25, 1.0, 0.0)


def test_a_token_of_a_service_is_a_step_and_its_share_of_prompts():
    model = serving.model_from_architecture(facts.model("Llama 3 8B"))
    system = facts.system("H100", 1)
    step = calibration.expected_decode(model, system, 16, 1024 + 128).value_s
    prompt = ev.prefill_seconds(model, system, 1024, 0.5)
    assert ev.seconds_per_token(model, system, 16, 1024, 256, 0.5) == pytest.approx(step + 16 * prompt / 256)
    assert ev.prefill_seconds(model, system, 1024, 0.25) == pytest.approx(2 * prompt)
    assert ev.seconds_per_token(model, system, 16, 0, 256, 0.5) < step  # decoding alone
    with pytest.raises(ParameterError, match="prefill_mfu = 0"):
        ev.prefill_seconds(model, system, 1024, 0)


def test_strips_are_labelled_and_refuse_what_has_no_logarithm():
    frame = pd.DataFrame({"family": ["a", "a", "b"], "ratio": [0.5, 1.0, 3.0]})
    words = {"title": "Ratios", "description": "Three ratios."}
    spec = figures.strips(frame, "family", "ratio", **words).to_dict()
    assert "Predicted ÷ measured" in str(spec) and spec["description"] == "Three ratios."
    lined = str(figures.strips(frame, "family", "ratio", factor=2.0, **words).to_dict())
    assert (
        "outer lines: a factor of 2" in lined and "'description': '1 ÷ 2'" in lined and "'text': '1 ÷ 2'" not in lined
    )
    with pytest.raises(ParameterError, match="logarithmic"):
        figures.strips(frame.assign(ratio=0.0), "family", "ratio", **words)


test_bad_values_stop_with_one_line = refuses(
    CHAPTER,
    ({"held_out": "chip"}, "held_out = 'chip'…"),
    ({"mfu": 1.2}, "mfu = 1.2…"),
    ({"miss_factor": 0.5}, "miss_factor = 0.5…"),
)
