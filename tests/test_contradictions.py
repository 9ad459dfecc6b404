"""The page of contradictions: its pairs recomputed from the library and the data, without its own code."""

import json
import re

import pytest
from notebook_runner import run

from llm_economics import facts
from llm_economics.book import claims
from llm_economics.facts import ROOT
from llm_economics.formulas import cost, routing, serving, training
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.hardware import Link, System

PAGE = ROOT / "chapters/contradictions.ipynb"


def page():
    return run(PAGE)


def sides(name: str) -> list[float]:
    return page()[1][name]["value"]


def says(claim: str, place: int = 0) -> float:
    return claims.ledger()[claim].stated[place]


def gpt4() -> serving.ServedModel:
    """As the leak describes it."""
    experts, each, shared = (says(i) for i in ("gpt4-007", "gpt4-008", "gpt4-011"))
    return serving.model_from_parameters("GPT-4", shared, each, int(experts), int(says("gpt4-009")))


def cluster_usd(tokens_per_second: float) -> float:
    return cost.usd_per_million_tokens(says("train-019"), says("serve-040"), tokens_per_second)


def test_it_has_no_parameters_and_answers_no_claim():
    cells = json.loads(PAGE.read_text(encoding="utf-8"))["cells"]
    assert cells[0]["metadata"]["tags"] == ["no-parameters"]
    assert page()[0] == {}


def test_every_pair_of_the_summary_is_settled_in_a_section_of_its_own():
    text = PAGE.read_text(encoding="utf-8")
    summarised = re.findall(r"<ct-([a-z0-9-]+)>", text)
    labels = re.findall(r"\(ct-([a-z0-9-]+)\)=", text)
    pairs = {name for name, row in page()[1].items() if isinstance(row["value"], list)}
    assert len(pairs) == 20
    assert sorted(summarised) == sorted(labels) == sorted(name.replace("_", "-") for name in pairs)


def test_the_summary_is_sorted_by_the_ratio_of_its_sides():
    text = "".join(
        "".join(output["data"].get("text/markdown", ""))
        for cell in json.loads(PAGE.read_text(encoding="utf-8"))["cells"]
        for output in cell.get("outputs", ())
    )
    apart = [float(line.split("|")[4].replace(",", "")) for line in text.splitlines() if line.startswith("| {ref}")]
    ratios = [max(row["value"]) / min(row["value"]) for row in page()[1].values() if isinstance(row["value"], list)]
    assert apart[:-1] == sorted(apart[:-1], reverse=True)
    assert apart[-1] == max(apart) == 1e6, "how one word is read is no contradiction, and comes last"
    assert sorted(apart) == pytest.approx(sorted(ratios), rel=5e-3)


def test_every_identifier_on_the_page_is_one_of_the_ledger():
    used = set(
        re.findall(
            r"(?:`|\(#)((?:gpt4|train|serve|llama3|cost|gb200|cerebras|fc)-x?\d{2,3})[`)]",
            PAGE.read_text(encoding="utf-8"),
        )
    )
    assert len(used) > 40
    assert used <= set(claims.ledger())


def test_prices():
    row = facts.load("api_prices").query("model == 'gpt-4' and as_of == '2023-11'").iloc[0]
    assert sides("gpt4_price") == [row.input_usd_per_mtok, row.output_usd_per_mtok]
    launch = facts.fact("cerebras_groq", "price_70b_launch", "USD/Mtok")
    assert sides("gpu_cloud_70b") == pytest.approx([150, launch * 5])


def test_hardware():
    wafer = facts.accelerator("WSE-3").memory_bandwidth
    bandwidths, speeds = sides("bandwidth_or_speed")
    assert bandwidths == pytest.approx(wafer / 3.3e12)
    assert speeds == pytest.approx(facts.fact("cerebras_groq", "claim_vs_gpu_clouds", "x"))
    assert all(side < facts.accelerator("H100").memory_bandwidth / 1e12 for side in sides("h100_bandwidth"))


def test_one_query_on_twice_the_gpus_gains_less_than_twice_and_more_than_nothing():
    h100 = facts.accelerator("H100")
    model = serving.model_from_architecture(facts.model("Llama 3 70B"))
    speed = {}
    for n in (4, 8):
        system = System(str(n), h100, n, n, Link("NVLink", h100.link_bandwidth, 3e-6))
        step = serving.decode(model, system, 1, 2185).step
        speed[n] = 1 / (step.memory_s + step.compute_s + step.link_s)
    assert sides("gpus_for_one_query") == pytest.approx([1, speed[8] / speed[4]])
    assert 1 < speed[8] / speed[4] < 2


def test_needed_speed():
    weights_gb = facts.fact("cerebras_groq", "model_bytes_70b_fp16", "GB")
    instant = 1000 * facts.fact("cerebras_groq", "bw_needed_1000tps", "TB/s") / weights_gb
    assert sides("speed_people_need") == pytest.approx([1000 / 60 * 2, instant], rel=2e-4)  # two tokens for a word
    assert sides("speed_called_instant") == pytest.approx([instant, facts.fact("cerebras_groq", "speed_llama3.1_70b")])


def test_work_and_size_of_gpt4():
    printed, worked = sides("flop_per_token")
    assert printed / worked == pytest.approx(1000)
    assert worked * 1e9 == pytest.approx(gpt4().flops_per_token, rel=0.02)  # 277 billion parameters, printed as 280
    assert sides("parameters_on_a_node")[1] == pytest.approx(gpt4().weight_bytes / 2 / 16)
    per_gpu = [side * 2 / 8 / 1e9 for side in sides("parameters_on_a_node")]
    assert per_gpu[0] > says("serve-043") > per_gpu[1]
    assert sides("layers_on_a_node") == [120 / 16, 120 / 15]


def test_training():
    peak, cards = facts.accelerator("A100").peak("bf16"), says("train-014")
    flops = training.training_flops(gpt4().flops_per_token / 2, says("gpt4-017"))
    fastest = page()[1]["days_at_full_peak"]["value"]
    assert training.mfu(flops, cards * fastest * 86400, peak) == pytest.approx(1)
    short, whole = sides("days_of_pretraining")
    with pytest.raises(ParameterError, match="mfu"):
        training.mfu(flops, cards * short * 86400, peak)
    assert says("train-016") - 0.01 < training.mfu(flops, cards * whole * 86400, peak) < says("train-016", 1) + 0.01
    printed, most = sides("training_bill")
    assert most == training.cost(cards * 100 * 24, 1.0)
    assert training.mfu(2.15e25, printed * 3600, peak) < says("train-016")
    assert sides("training_batch")[1] * 2 / 16 == says("gpt4-029")
    assert routing.tokens_per_expert(16, 2, sides("training_batch")[1]) == says("gpt4-029")


def test_costs():
    dollars, post = sides("gpt4_serving_cost")
    asked, paid = sides("tokens_per_cluster")
    assert cluster_usd(paid) == pytest.approx(dollars)
    assert cluster_usd(asked) < dollars / 4
    assert post == pytest.approx(150 * 280 / 70)
    assert sides("price_over_cost") == pytest.approx([1, 60 / dollars])


def test_the_cost_extrapolated_from_the_post_is_called_ours():
    text = PAGE.read_text(encoding="utf-8")
    assert "must cost more" not in text
    assert "by our extrapolation" in text and "neither is shown; B is ours" in text
    assert "[cost-010](#cost-010)" in text  # the discounts that the post grants
    assert "Likely not, says the post" in text


def test_savings_by_software_are_measured_on_the_same_gpus():
    runs = facts.load("measured_serving")
    runs = runs[runs.benchmark.str.startswith("rkooo567")]
    best = max(
        fast.tput_total / slow.tput_total
        for _, group in runs.groupby("concurrency")
        for fast in group[group.framework == "FasterTransformer/Triton"].itertuples()
        for slow in group[group.framework == "HF Transformers"].itertuples()
    )
    assert sides("lossless_savings") == pytest.approx([1, best])


def test_translations():
    cents, dollars = sides("cents_or_dollars")
    peak = says("serve-040") * facts.accelerator("A100").peak("bf16")
    busy = [cost.throughput_for(side, 1.0, 128) * gpt4().flops_per_token / peak for side in (cents, dollars)]
    assert busy[0] == pytest.approx(page()[1]["share_of_peak_in_cents"]["value"])
    assert busy[0] > 1 > busy[1]  # only dollars can be computed at all
    rows = facts.load("gpt4_leak").set_index("item")
    assert rows.english_value_as_printed["batch must exceed"] == f"must exceed {sides('batch_to_exceed')[0]:.0f}"
    assert rows.chinese_text_value["batch must exceed"] == f"必须超过{sides('batch_to_exceed')[1]:.0f}"
    million, trillion = sides("what_a_zhao_is")
    assert million < says("gpt4-003") * says("gpt4-006") < trillion
