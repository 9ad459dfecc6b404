"""The facts in data/: each row is valid, no value changes unseen, and rows that imply each other agree."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from llm_economics import facts
from llm_economics.facts import DATA, FILES, checked, load
from llm_economics.facts.store import checked_files, with_tables

SUMS = Path(__file__).with_name("data.sha256")
RENEW = "if the change is meant: cd data && sha256sum *.csv > ../tests/data.sha256"


# --- the folder


def test_every_file_has_a_model_and_every_model_a_file():
    assert sorted(path.stem for path in DATA.glob("*.csv")) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_valid_and_every_file_is_plain(name):
    frame = load(name)
    assert len(frame) > 0
    content = (DATA / f"{name}.csv").read_bytes()
    assert b"\r" not in content and content.endswith(b"\n")
    # one row is one line, so that the row that an error names is the line of the file
    assert content.count(b"\n") == len(frame) + 1
    if name not in ("claims", "bounds"):
        assert frame[["source_url", "date", "confidence"]].ne("").all(axis=None)


def test_what_was_validated_is_read_alike_and_read_so_only_as_it_was(tmp_path):
    """Every row of every file is validated here, by today's rules; readers read the same without that."""
    stored = json.loads(checked.PLACE.read_bytes())
    assert stored == checked_files(), "python -m llm_economics.facts.store"
    shutil.copytree(DATA, tmp_path / "data")
    assert checked.table("hardware", tmp_path / "data") == checked.table("hardware", DATA) is not None
    path = tmp_path / "data" / "hardware.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",3.35,", ",3.36,", 1), encoding="utf-8")
    assert checked.table("hardware", tmp_path / "data") is None
    (tmp_path / "data" / "bounds.csv").write_text("", encoding="utf-8")
    checked._stored.cache_clear()
    assert checked.table("systems", tmp_path / "data") is None  # held against other rules
    checked._stored.cache_clear()


def recorded_sums() -> dict[str, str]:
    lines = SUMS.read_text().splitlines()
    return {file: digest for digest, file in (line.split(maxsplit=1) for line in lines)}


def current_sums(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.csv")}


def test_no_value_changed_unseen():
    changed = sorted(set(recorded_sums().items()) ^ set(current_sums(DATA).items()))
    assert not changed, f"{sorted({file for file, _ in changed})} changed; {RENEW}"


def test_the_check_of_changes_can_fail(tmp_path):
    changed = (DATA / "hardware.csv").read_text().replace(",3.35,", ",3.353,", 1)
    (tmp_path / "hardware.csv").write_text(changed)
    assert current_sums(tmp_path)["hardware.csv"] != recorded_sums()["hardware.csv"]


def test_readme_holds_the_tables_of_the_models():
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    assert with_tables(readme) == readme, "python -m llm_economics.facts.store"
    named = re.findall(r"^<!-- columns: (.*) -->$", readme, re.M)
    assert sorted(named) == sorted([*FILES, "every file"])


@pytest.mark.parametrize("name", FILES)
def test_every_column_has_a_meaning_and_every_number_a_unit(name):
    for column, field in FILES[name].model_fields.items():
        assert field.description, column
        if re.search(r"\b(int|float)\b", str(field.annotation)):
            assert field.json_schema_extra["unit"], column
            assert field.description.endswith(field.json_schema_extra["unit"]), column


def test_no_text_speaks_of_the_workplace():
    word = re.compile(r"/work\b|(?<!\.)\.\./(?!tests/)|\bsession\b|\bsubagent\b|\bissue #?\d", re.I)
    for path in DATA.glob("*.*"):
        assert not [line for line in path.read_text(encoding="utf-8").splitlines() if word.search(line)], path.name


# --- rows that imply each other


def assert_close(computed, printed, relative, message=""):
    """``computed`` is ``printed`` within a relative error, set from how many digits are printed."""
    computed, printed = np.asarray(computed, float), np.asarray(printed, float)
    error = np.abs(computed / printed - 1)
    assert error.size and np.nanmax(error) <= relative, f"{message} off by {np.nanmax(error):.2%}"


def assert_printed(computed, printed, last_digit):
    """``printed`` is ``computed`` rounded to its last digit, from inputs that were rounded themselves (0.5%)."""
    off = (computed - printed).abs() - (0.51 * last_digit + 0.005 * printed)
    assert len(off) and off.max() <= 0, (
        f"row {off.idxmax() + 2}: {computed[off.idxmax()]} is not {printed[off.idxmax()]}"
    )


def test_compute_and_utilisation_of_training_runs():
    runs = load("training_runs")
    runs = runs[runs["flops_6nd"].notna()]
    assert len(runs) > 50
    used = runs["active_params"].fillna(runs["params"])
    assert_close(6 * used * runs["tokens"], runs["flops_6nd"], 1e-4, "6ND")
    seconds = runs["chip_hours"] * 3600
    assert_close(runs["flops_6nd"] / (seconds * runs["peak_bf16_flops_used"]), runs["implied_mfu_6nd"], 1e-3, "MFU")
    assert_close(runs["tokens"] / seconds, runs["implied_tokens_per_s_per_chip"], 5e-3, "speed")


def test_hours_are_chips_times_days():
    runs = load("training_runs")
    ratio = (runs["n_chips"] * runs["wall_days"] * 24 / runs["chip_hours"]).set_axis(runs["run"]).dropna()
    # PaLM's two figures do not belong to the same stretch of the run
    assert ratio.pop("PaLM 540B") == pytest.approx(1.1228, abs=1e-3)
    assert len(ratio) > 20
    assert_close(ratio, np.ones(len(ratio)), 0.01)


def test_training_runs_use_the_peak_of_their_chip():
    runs = load("training_runs")
    for chip, peak in set(zip(runs["chip"], runs["peak_bf16_flops_used"], strict=True)):
        known = facts.accelerator(chip)
        assert peak == pytest.approx(known.peak("fp16" if chip == "V100" else "bf16"), rel=1e-3), chip


def test_run_level_mfu_stays_below_the_reported_one():
    runs = load("training_runs").set_index("run")
    for run, implied in (
        ("PaLM 540B", 0.304),
        ("Llama 3.1 405B", 0.346),
        ("Llama 3 8B", 0.156),
        ("Llama 3 70B", 0.279),
    ):
        assert runs.loc[run, "implied_mfu_6nd"] == pytest.approx(implied, abs=6e-4), run
    both = runs[(runs["kind"] == "full_run") & runs["reported_mfu"].notna()]
    above = both[both["implied_mfu_6nd"] > both["reported_mfu"] * 1.005]
    assert above.empty, list(above.index)


def test_mfu_of_mpt_is_recomputed():
    runs = load("mpt_benchmarks")
    per_token = 6 * runs["params"] + 12 * runs["n_layers"] * runs["d_model"] * runs["seq_len"]
    mfu = 100 * per_token * runs["tokens_per_s"] / (runs["n_gpus"] * runs["peak_flops_used"])
    assert (mfu - runs["recomputed_mfu_pct"]).abs().max() < 0.006
    assert (mfu - runs["reported_mfu_pct"]).abs().max() < 0.009
    assert ((mfu - runs["reported_mfu_pct"]).abs() - runs["abs_err"]).abs().max() < 0.002
    for (gpu, precision), group in runs.groupby(["gpu", "precision"]):
        peak = facts.accelerator(gpu).peak("fp8" if precision == "amp_fp8" else "bf16")
        assert_close(group["peak_flops_used"], np.full(len(group), peak), 1e-3, f"{gpu} {precision}")


def test_ratios_at_equal_speed_per_user():
    pairs = load("inferencemax_iso_interactivity")
    assert_printed(pairs["comp_tput_per_gpu"] / pairs["base_tput_per_gpu"], pairs["perf_ratio"], 0.01)
    for side in ("base", "comp"):
        cost = pairs[f"{side}_tco_usd_h"] / 3600 / pairs[f"{side}_tput_per_gpu"] * 1e6
        assert_printed(cost, pairs[f"{side}_usd_per_Mtok_total"], 1e-4)
    price_ratio = pairs["comp_tco_usd_h"] / pairs["base_tco_usd_h"]
    assert_printed(pairs["comp_tput_per_gpu"] / pairs["base_tput_per_gpu"] / price_ratio, pairs["cost_ratio"], 0.01)


def test_costs_per_hour_are_those_of_gpu_prices():
    pairs, owned = load("inferencemax_iso_interactivity"), load("gpu_prices")
    owned = owned[owned["price_type"] == "TCO own hyperscaler (4-yr)"]
    tco = {gpu.split()[0].lower(): usd for gpu, usd in zip(owned["gpu"], owned["usd_per_gpu_hour"], strict=True)}
    for side in ("base", "comp"):
        assert_close(pairs[side].str.split("-").str[0].map(tco), pairs[f"{side}_tco_usd_h"], 1e-9)


def test_dollars_per_million_are_price_over_speed():
    rows = load("databricks_150_reconstruction")
    assert_printed(rows["usd_per_hour"] / 3600 / rows["tok_per_s"] * 1e6, rows["usd_per_Mtok"], 0.1)
    assert_printed(rows["usd_per_Mtok"] / 150, rows["ratio_to_150"], 0.01)


def test_decode_steps_never_beat_the_weights():
    """No step is faster than one reading of the weights that every step needs, at the chip's peak bandwidth."""
    steps = load("decode_step_timings")
    weights = {"70B": 70.55e9 * 2, "8B": 8.03e9 * 2, "8x7B": 12.88e9 * 2}
    size = steps["model"].str.extract(r"(8x7B|70B|8B)")[0].map(weights)
    floor_ms = size / (steps["tp"] * facts.accelerator("H100").memory_bandwidth) * 1e3
    assert (steps["tpot_ms"] > floor_ms).all()


def test_published_serving_values_against_their_formulas():
    rows = load("serving_validation").set_index("id")
    exact = rows[rows.index.str.startswith("jax-3") | rows.index.str.startswith("jax-4")]
    assert len(exact) >= 12
    assert_close(exact["check_value"], exact["published_value"], 1e-6)
    floors = rows.loc[["pope-1", "pope-2", "kip-1", "kip-2", "kip-3", "kip-4", "spec-chen-base"]]
    assert (floors["check_value"] < floors["published_value"]).all(), "a measurement beats its floor"


def test_models_add_up():
    models = load("models").set_index("model")
    recorded = models["total_recorded_elsewhere"].dropna()
    assert_close(models.loc[recorded.index, "params_exact"], recorded, 0.006)
    assert models.loc["Llama 3 70B (=3.1 70B)", "params_exact"] == 70_553_706_496
    claimed = models["params_claimed"].str.extract(r"^([\d.]+)B")[0].astype(float) * 1e9
    assert_close(models["params_exact"], claimed, 0.23)  # Gemma "7B" has 8.54


def test_prices_of_the_same_part_agree_in_magnitude():
    """A price in the wrong unit would stand out among the others of its part and year by a factor of ten."""
    rented = load("gpu_prices").dropna(subset="usd_per_gpu_hour")
    part = rented["gpu"].str.extract(r"(GB200|GB300|H100|H200|H800|A100|V100|B200|B300|MI\d+X|TPU \w+)")[0]
    assert part.notna().all()
    year = rented["price_date"].str[:4]
    spread = rented["usd_per_gpu_hour"] / rented.groupby([part, year])["usd_per_gpu_hour"].transform("median")
    assert spread.between(0.1, 10).all()


def test_input_costs_no_more_than_output_in_most_price_lists():
    listed = load("api_prices").dropna(subset="output_usd_per_mtok")
    assert (listed["input_usd_per_mtok"] <= listed["output_usd_per_mtok"]).mean() > 0.95
    wrong = listed[listed["input_usd_per_mtok"] > 1000]
    assert len(wrong) == 1 and "DATA ERROR" in wrong["notes"].iloc[0]


def test_claims_are_the_whole_ledger():
    claims = load("claims")
    assert len(claims) == 293
    assert claims.groupby("article").size().to_dict() == {
        "cerebras-2024": 52,
        "gb200-2024": 22,
        "gpt4-leak-2023": 153,
        "inference-cost-2024": 35,
        "llama3-2024": 31,
    }
    assert (claims["chapter"] == "llama3-cluster-sizing").sum() == 25
    assert pd.notna(claims.loc[claims["relation"].eq("range"), ["value_low", "value_high"]]).all(axis=None)
