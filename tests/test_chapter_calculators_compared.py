"""The comparison of calculators: our side recomputed by hand, theirs held against what is stored of it."""

import csv
import importlib.util

import pytest
from chapter import Chapter, equal, refuses

from llm_economics import facts
from llm_economics.facts import ROOT

CHAPTER = Chapter("calculators-compared")


def expected(p: dict) -> dict[str, float]:
    """Named results by formulas of this file's own: Llama 3 8B and 70B, Mixtral 8x7B and DeepSeek-V3 by their sizes."""
    layers, hidden, heads, width, rows = 32, 4096, 32, 14336, 128256
    matrices = layers * (2 * hidden**2 + 2 * hidden * hidden // 4 + 3 * hidden * width) + hidden * rows
    keys = {"weights": 0, "causal": 2049 / 2, "full_context": 2048}[p["flops_convention"]]
    flops = 2048 * (2 * matrices + 4 * layers * heads * 128 * keys)

    attention = 80 * (2 * 8192**2 + 2 * 8192 * 1024)
    read = 2 * (attention + 80 * 3 * 8192 * 28672 + 8192 * rows + 161 * 8192)
    total = read / 2 + 8192 * rows
    found = {
        "parameters_mixtral": 46_702_792_704,
        "active_parameters_mixtral": 12_879_925_248,
        "forward_flops_8b": flops,
        "kv_bytes_llama_70b": 2 * 80 * 8 * 128 * 2,
        "kv_bytes_deepseek_v3": 61 * (512 + 64) * 2,
        "gpu_hours_70b_run": 6 * total * p["train_tokens"] / (p["mfu"] * 989.4e12) / 3600,
    }
    for batch in (1, 64):
        cache_bytes = batch * 2048 * found["kv_bytes_llama_70b"]
        memory = (read + cache_bytes) / 8 / 3.35e12
        compute = batch * (2 * (read / 2 - 161 * 8192) + 4 * 80 * 8192 * 2048) / 8 / 989.4e12
        reduce = 2 * (batch * 2 * 8192 * 7 / 8 / 450e9 + p["link_latency_us"] * 1e-6)
        found[f"floor_ms_{batch}"] = 1e3 * memory
        found[f"estimate_ms_{batch}"] = 1e3 * memory / p["bandwidth_efficiency"]
        found[f"nothing_overlaps_ms_{batch}"] = 1e3 * (memory / p["bandwidth_efficiency"] + compute + 160 * reduce)
    return found


test_results_are_those_of_a_count_by_hand = equal(
    CHAPTER,
    expected,
    dict(flops_convention="full_context", mfu=0.5, bandwidth_efficiency=0.9),
    dict(flops_convention="weights", train_tokens=2e12, link_latency_us=10.0, explain_above=0.3),
    apart=None,
)


def test_the_figure_counts_who_agrees_at_each_distance():
    said, results = CHAPTER.moved("close"), CHAPTER.results()
    every = results["answers_to_counts"]
    for threshold in (0.05, 0.5):
        within = every - CHAPTER.results(explain_above=threshold)["answers_to_counts_off"]
        assert said[100 * threshold][1].startswith(f"{within:.0f} of {every:.0f} counts, ")
    steps = [float(readout.split(", ")[1].split()[0].replace("none", "0")) for _, readout in said.values()]
    assert steps == sorted(steps) and 13 == steps[-1] > 2 == steps[list(said).index(10)], "of 15, read off the table"
    assert "none of 15 decode steps" in said[7][0] and "2 of 15 decode steps" in said[10][0]


def test_every_difference_is_rebuilt_at_any_threshold():
    strict, default = CHAPTER.results(explain_above=0.001), CHAPTER.results()
    assert strict["answers_to_counts_off"] > default["answers_to_counts_off"]
    for found in (strict, default):
        assert found["worst_rebuilt"] < 2e-3
        assert found["worst_rebuilt_flops"] < 2e-3


def test_the_estimate_meets_the_measurement_where_it_says():
    edge = CHAPTER.results()["efficiency_that_hits_batch_64"]
    steps = facts.load("decode_step_timings")
    steps = steps[(steps.model == "meta-llama/Meta-Llama-3.1-70B") & (steps.batch == 64) & (steps.context == 2048)]
    slow = CHAPTER.results(bandwidth_efficiency=edge * 0.99)["estimate_ms_64"]
    fast = CHAPTER.results(bandwidth_efficiency=edge * 1.01)["estimate_ms_64"]
    assert fast < steps.tpot_ms.median() < slow


test_a_bad_value_stops_with_one_line = refuses(
    CHAPTER,
    ({"mfu": 1.2}, "mfu = 1.2 is not allowed: it must be above 0 and at most 1"),
    ({"flops_convention": "all"}, "flops_convention = 'all' is not allowed…"),
    ({"link_latency_us": -1.0}, "link_latency_us = -1.0 is not allowed…"),
)


# --- the stored answers


def answers():
    return facts.load("calculators")


def asking():
    """The script that asked; it imports a calculator only when it asks it."""
    spec = importlib.util.spec_from_file_location("ask_calculators", ROOT / "tests/oracle/ask_calculators.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_each_calculator_was_asked_every_question():
    module, rows = asking(), answers()
    assert set(rows.calculator) == set(module.CALCULATORS)
    for calculator, asked in rows.groupby("calculator"):
        assert set(asked.question) == set(module.QUESTIONS), calculator
    assert {question: unit for question, unit in zip(rows.question, rows.unit, strict=True)} == module.QUESTIONS


def test_explanations_say_what_the_numbers_say():
    ours, rows = expected(CHAPTER.defaults), answers()
    exact = {
        "parameters": ours["parameters_mixtral"],
        "active-parameters": ours["active_parameters_mixtral"],
        "kv-gqa": ours["kv_bytes_llama_70b"],
        "kv-mla": ours["kv_bytes_deepseek_v3"],
        "forward-flops": ours["forward_flops_8b"],
        "gpu-hours": ours["gpu_hours_70b_run"],
    }
    rows = rows[rows.value.notna() & rows.question.isin(exact)]
    off = (rows.value / rows.question.map(exact) - 1).abs()
    assert (off[rows.explanation == "agrees"] < 2e-3).all()
    assert (off[rows.explanation.isin(["convention", "left out", "formula", "wrong input"])] > 2e-3).all()
    assert rows.calculator[rows.explanation == "agrees"].nunique() == 7


def test_the_counter_of_pytorch_agrees_to_the_last_flop():
    rows = answers().query('way == "PyTorch\'s counter"')
    assert rows.value.item() == expected({**CHAPTER.defaults, "flops_convention": "full_context"})["forward_flops_8b"]


def test_the_stored_timings_are_those_of_the_other_file():
    rows, measured = answers(), facts.load("decode_step_timings")
    rows = rows[(rows.calculator == "aiconfigurator") & (rows.question == "decode-step")]
    measured = measured[measured.model.eq("meta-llama/Meta-Llama-3.1-70B") & measured.context.eq(2048)]
    known = {(row.backend, row.batch): row.tpot_ms for row in measured.itertuples()}
    assert {(row.way, int(row.batch)): row.value for row in rows.itertuples()} == known


def test_a_row_without_an_answer_says_so(tmp_path):
    text = (ROOT / "data/calculators.csv").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if ",no answer," in line)
    (tmp_path / "calculators.csv").write_text(text.replace(line, line.replace(",no answer,", ",agrees,")))
    with pytest.raises(facts.CatalogError, match="no answer where value is empty"):
        facts.load("calculators", tmp_path)


def test_asking_one_calculator_again_keeps_the_others(tmp_path, monkeypatch):
    module = asking()
    file = tmp_path / "calculators.csv"
    file.write_bytes((ROOT / "data/calculators.csv").read_bytes())
    monkeypatch.setitem(module.CALCULATORS, "servcalc", lambda: module.answer("kv-gqa", 1.0, "asked", "what", "agrees"))
    monkeypatch.setattr(module.importlib.metadata, "version", lambda name: f"{name} of a test")
    monkeypatch.setattr(module.logging, "disable", lambda level: None)
    module.main("servcalc", str(file))
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    new = [row for row in rows if row["calculator"] == "servcalc"]
    assert [(row["value"], row["version"], row["unit"]) for row in new] == [("1", "servcalc of a test", "B/token")]
    before = answers()
    assert len(rows) - 1 == (before.calculator != "servcalc").sum()
