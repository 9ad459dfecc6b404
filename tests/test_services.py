"""Whole services: the formula on floats and arrays, rows as benchmarks write them, the fit, scores and traps."""

import csv
import json
import math
from dataclasses import asdict, fields, replace

import numpy as np
import pandas as pd
import pytest

from llm_economics import facts
from llm_economics.evidence import answers, calibration, deployments, offers, service_scores
from llm_economics.evidence import services as evidence
from llm_economics.formulas import services
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.serving import stored_in

DENSE, MIXTURE = deployments.served("Llama 3.3 70B"), deployments.served("DeepSeek-R1")
H200, B200, A100, MI300X = (facts.system(name, 8) for name in ("H200", "B200", "A100", "MI300X"))


# --- the formula


@pytest.mark.parametrize("model", [DENSE, MIXTURE], ids=["dense", "mixture"])
@pytest.mark.parametrize("system", [H200, B200, A100, MI300X], ids=lambda system: system.name)
@pytest.mark.parametrize("weights", ["bf16", "fp8", "fp4", "int4"])
def test_floats_and_arrays_agree(model, system, weights):
    users, prompt, output = np.array([1.0, 7.0, 64.0, 3000.0]), np.array([10.0, 900.0, 8192.0, 5.0]), 512.0
    split = deployments.split(8, 1, 8 if model.is_moe else 1)
    many = services.forecast(model, system, users, prompt, output, split, weights=weights)
    for i in range(len(users)):
        one = services.forecast(model, system, float(users[i]), float(prompt[i]), output, split, weights=weights)
        for field in fields(one):
            if field.name != "terms":
                whole = np.broadcast_to(getattr(many, field.name), users.shape)[i]
                assert getattr(one, field.name) == pytest.approx(whole, rel=1e-12), field.name
        assert one.terms.binds == np.broadcast_to(many.terms.binds, users.shape)[i]


def test_a_step_is_its_terms_by_hand():
    """One sequence of a dense model on one chip, recomputed from the data sheet and the constants."""
    k, chip, one = services.constants(), facts.accelerator("H200"), facts.system("H200", 1)
    found = services.forecast(DENSE, one, 1.0, 1000.0, 100.0, weights="fp8").terms
    layer = 2 * 8192 * 8192 + 2 * 1024 * 8192 + 3 * 28672 * 8192  # in blocks of 128 x 128 with 4 bytes each
    wide = 80 * 4 * 8192 + 2 * 8192 + 2 * 128256 * 8192  # norms and head in 16 bits
    read = 80 * layer * (1 + 4 / 128**2) / 4.8e12 / k.weight_8 + wide / 4.8e12 / k.weight
    peak, other = chip.peak("fp8"), chip.peak("bf16")
    narrow = DENSE.flops_per_token - wide  # two FLOP for two bytes
    computed = narrow / peak / k.compute_narrow + wide / other / k.compute
    assert found.weights_s == pytest.approx(math.hypot(read, computed))
    cache = 1050 * DENSE.kv_bytes_per_token / 2 / 4.8e12 / k.kv_8
    attention = 1050 * DENSE.decode_flops_per_key / chip.peak("bf16") / k.compute
    assert found.cache_s == pytest.approx(math.hypot(cache, attention))
    passes = (services.ACTIVATION_PASSES + services.QUANTISING_PASSES) * 80 * DENSE.hidden_bytes / 4.8e12
    assert found.layers_s == pytest.approx(80 * (k.layer_s + k.quantised_layer_s) + passes)
    assert found.host_s == pytest.approx(k.host_s + k.sequence_s)
    assert found.links_s == found.experts_s == 0
    prompt = 1000 * (narrow / peak / k.prompt_8 + wide / other / k.prompt_16) / 100
    beside = math.hypot(read, computed + prompt) - math.hypot(read, computed)
    pairs = 1000 * 1001 / 2 * DENSE.prefill_flops_per_key / chip.peak("bf16") / k.prompt_16
    assert found.prompts_s == pytest.approx(beside + (pairs + k.prompt_s) / 100)


def test_what_a_checkpoint_leaves_in_16_bits_is_read_and_multiplied_so():
    """Gemma 4 31B's attention in 16 bits beside MLPs in NVFP4: each part at its own rate."""
    name = "Gemma 4 31B"
    model, chip = deployments.served(name), facts.accelerator("B200")
    stored, k = stored_in(model, "fp4"), services.constants()
    assert 0 < stored.wide_bytes < stored.common_bytes == facts.published(name).checkpoint.parts["common"]
    work = services.work(model, facts.system("B200", 1), 1.0, 1000.0, 100.0, weights="fp4")
    found = services.terms(k, work)
    narrow = stored.common_bytes - stored.wide_bytes
    read = (stored.wide_bytes / k.weight + narrow / k.weight_4) / chip.memory_bandwidth
    flops = stored.wide_bytes, model.flops_per_token - stored.wide_bytes
    computed = flops[0] / chip.peak("bf16") / k.compute + flops[1] / chip.peak("fp4") / k.compute_narrow
    assert found.weights_s == pytest.approx(math.hypot(read, computed))
    assert work.wide_read_s == stored.wide_bytes / chip.memory_bandwidth < work.dense_read_s


@pytest.mark.parametrize("name", ["Llama 3 70B", "DeepSeek-V3", "Kimi-K2.5", "gpt-oss-120b"])
@pytest.mark.parametrize("weights", ["bf16", "fp8", "fp4", "int4", "mxfp4"])
def test_bytes_in_16_bits_are_among_those_outside_experts(name, weights):
    stored = stored_in(deployments.served(name), weights)
    assert 0 < stored.wide_bytes <= stored.common_bytes
    assert (stored.wide_bytes > stored.common_bytes / 2) == (stored.dense == "bf16")


@pytest.mark.parametrize("model", [DENSE, MIXTURE], ids=["dense", "mixture"])
def test_more_of_anything_takes_longer(model):
    def tpot(users=16.0, prompt=2048.0, output=512.0, cached=0.0):
        found = services.forecast(model, H200, users, prompt, output, weights="fp8", cached_share=cached)
        return found.tpot_s

    assert tpot(users=17) > tpot() > tpot(users=15)
    assert tpot(prompt=4096) > tpot()
    assert tpot(cached=0.9) < tpot(cached=0.5) < tpot()
    assert tpot(output=256) > tpot()


def test_a_cached_prompt_is_not_read_again_but_still_attended_to():
    ask = lambda share: services.forecast(DENSE, H200, 8.0, 8192.0, 512.0, weights="fp8", cached_share=share)  # noqa: E731
    none, most, all_ = ask(0.0), ask(0.9), ask(1.0)
    assert none.cached_s == 0 and most.cached_s > 0
    assert most.fresh_s < 0.15 * none.fresh_s
    assert all_.ttft_s < most.ttft_s < none.ttft_s
    assert most.tpot_floor_s == none.tpot_floor_s  # the cache is read in every step all the same


def test_what_memory_does_not_hold_waits():
    one = facts.system("H200", 1)
    few, many = (services.forecast(DENSE, one, users, 8192.0, 1024.0, weights="fp8") for users in (8.0, 512.0))
    assert few.sequences == 8 and few.queue_s == 0
    assert 20 < many.sequences < 80
    assert many.queue_s == pytest.approx((512 / many.sequences - 1) * 1024 * many.tpot_s)
    assert many.requests_per_s == pytest.approx(512 / (many.ttft_s + 1024 * many.tpot_s))
    more = services.forecast(DENSE, one, 1024.0, 8192.0, 1024.0, weights="fp8")
    assert more.tpot_s == pytest.approx(many.tpot_s) and more.ttft_s > 1.9 * many.ttft_s


def test_drafted_tokens_help_few_users_most():
    def gain(users):
        plain, drafted = (
            services.forecast(MIXTURE, H200, users, 1024.0, 1024.0, weights="fp8", drafted=n, acceptance=0.8).tpot_s
            for n in (0, 2)
        )
        return plain / drafted

    assert 1.3 < gain(1.0) < 2.44  # (1 - 0.8^3) / 0.2
    assert gain(256.0) < gain(1.0)
    with pytest.raises(ParameterError, match="acceptance"):
        services.forecast(MIXTURE, H200, 1.0, 1.0, 1.0, drafted=2, acceptance=1.5)


def test_what_a_chip_computes_in():
    chips = {name: facts.accelerator(name) for name in ("H200", "B200", "A100", "MI355X", "V100")}
    computes = services.arithmetic_for
    assert computes("fp4", chips["B200"]) == computes("fp4", chips["MI355X"]) == "fp4"
    assert computes("fp4", chips["H200"]) == computes("int4", chips["B200"]) == computes("fp8", chips["A100"]) == "bf16"
    assert computes("fp8", chips["H200"]) == "fp8" and computes("bf16", chips["V100"]) == "fp16"
    kimi = deployments.served("Kimi-K2.5")
    assert services.dense_bits(MIXTURE, "fp4") == services.dense_bits(kimi, "int4") == 16
    assert services.dense_bits(MIXTURE, "int4") == 4
    assert services.dense_bits(DENSE, "fp4") == 4 and services.dense_bits(MIXTURE, "fp8") == 8


def test_factors_of_makers_and_generations():
    k = services.constants()
    w = services.work(DENSE, H200, 8.0, 1024.0, 1024.0, weights="fp8")
    plain = services.terms(k, w)
    now = services.terms(k, replace(w, other_now=1.0))
    before = services.terms(k, replace(w, other_before=1.0))
    assert now.seconds == pytest.approx(k.other_maker * plain.seconds)
    assert before.seconds == pytest.approx(k.other_before * plain.seconds)
    assert services.work(DENSE, MI300X, 8.0, 1.0, 1.0, weights="fp8").other_before == 1
    assert services.work(DENSE, facts.system("MI355X"), 8.0, 1.0, 1.0, weights="fp8").other_now == 1


def test_what_waits_for_memory_goes_with_its_bandwidth():
    """Fixed seconds are the same on every chip; those of latent layers and of an engine's experts are told in bytes."""
    k = services.constants()
    for system in (H200, B200):
        w = services.work(MIXTURE, system, 8.0, 1024.0, 1024.0, weights="fp8")
        fixed = 61 * (k.layer_s + k.quantised_layer_s) + 58 * k.expert_layer_s
        waiting = (61 * k.latent_layer_bytes + 58 * k.engine_layer_bytes) / system.accelerator.memory_bandwidth
        assert services.terms(k, w).layers_s == pytest.approx(fixed + waiting + w.activations_s)
        kernels = services.terms(k, w, engine=False).layers_s
        engine = 58 * k.engine_layer_bytes / system.accelerator.memory_bandwidth
        assert services.terms(k, w).layers_s - kernels == pytest.approx(engine)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"concurrency": 0.5}, "concurrency = 0.5 is not allowed"),
        ({"prompt": 0}, "prompt = 0 is not allowed"),
        ({"output": np.array([1.0, -1.0])}, "output = -1.0 is not allowed"),
        ({"cached_share": 1.5}, "cached_share = 1.5 is not allowed"),
        ({"weights": "fp3"}, "weights = 'fp3' is not allowed"),
        ({"arithmetic": "fp4"}, "precision = 'fp4' is not allowed: H200 SXM has dense peaks for"),
    ],
)
def test_refusals_are_one_line(change, said):
    asked = {"concurrency": 1.0, "prompt": 100.0, "output": 10.0} | change
    with pytest.raises(ParameterError, match=said.replace("(", r"\(")) as error:
        services.forecast(DENSE, H200, asked.pop("concurrency"), asked.pop("prompt"), asked.pop("output"), **asked)
    assert "\n" not in str(error.value)


# --- constants


def test_constants_are_those_of_the_calibration_and_a_few_more():
    k = asdict(services.constants())
    for name, value in asdict(calibration.fitted()).items():
        assert k[name] == pytest.approx(value, rel=1e-3), name
    assert len(k) - len(evidence.KEPT) <= 22
    fractions = [name for name in k if name.startswith(("weight", "expert_n", "expert_w", "kv", "compute", "link"))]
    assert all(0 < k[name] <= 1 for name in fractions)
    assert set(evidence.BELIEFS) | set(evidence.FIRST_BELIEFS) | set(evidence.KEPT) == set(k)
    for name, (believed, deviation) in evidence.BELIEFS.items():  # none has run away from what it means
        assert abs(math.log(k[name] / believed)) < 4 * deviation, name


def test_every_constant_moves_some_service():
    k = services.constants()
    rows = evidence.measured()
    work = evidence._service_work(rows)
    before = services.terms(k, work).seconds
    first = services._first_token(k, work)
    idle = {"before_fp8", "kv", "sparse_layer_s"}  # no service is on such a chip, keeps such a cache, has such layers
    for name in asdict(k):
        other = replace(k, **{name: 1.1 * getattr(k, name)})
        moved = np.abs(services.terms(other, work).seconds / before - 1).max()
        moved = max(moved, np.abs(services._first_token(other, work) / first - 1).max())
        assert moved > 1e-4 or name in idle, name


def test_the_fit_finds_constants_that_made_the_rows(monkeypatch):
    """Rows made by other constants, without any error, give those back, roughly: the fit is no ornament."""
    monkeypatch.setattr(evidence, "ERROR", 0.02)
    true = replace(services.constants(), engine_layer_bytes=300e6, expert_narrow=0.5, prompt_8=0.35)
    rows = evidence.measured()
    rows = rows[rows["last"] & rows["engine"].ne("vllm")].iloc[::2]
    low = evidence.steps().iloc[::2]
    rows = rows.assign(seconds=services.terms(true, evidence._service_work(rows)).seconds, queued=False)
    low = low.assign(seconds=services.terms(true, evidence._step_work(low), engine=False).seconds)
    found = evidence.fit(rows, low)
    for name in ("engine_layer_bytes", "expert_narrow", "prompt_8"):
        assert getattr(found, name) == pytest.approx(getattr(true, name), rel=0.12), name


# --- data and scores


def test_traps_are_out():
    rows = facts.load("services")
    kept = evidence.measured()
    assert 1150 < len(kept) < 1300 and kept["trap"].eq("").all()
    assert not kept["scenario"].eq("disagg").any() and not kept["spec_decoding"].eq("mtp").any()
    layout = kept["config"].str.extract(r"tp(\d+) ep(\d+)").astype(int)
    assert layout[0].le(8).all() and layout[0].eq(kept["n_acc"]).all()
    shipped = rows["benchmark"].str.contains("silicon_sample")
    assert not (kept["benchmark"].str.contains("silicon_sample") & kept["model"].eq("DeepSeek-R1")).any()
    assert rows["date"].max() < "2026-02" and not rows["hardware"].isin(["b300", "gb300", "mi325x"]).any()
    assert rows[rows["scenario"].eq("disagg")]["trap"].eq("prefill apart").all()
    assert rows[shipped & rows["config"].str.contains(r"tp(?:12|2\d|3\d|4\d|5\d|64|72)")]["trap"].ne("").all()


def test_rows_that_may_draft_are_faster_than_those_that_say_none():
    """The reason for the trap: the same configuration, with and without the word."""
    rows = facts.load("services")
    rows = rows[(rows["model"] == "DeepSeek-R1") & (rows["scenario"] == "aggregated")]
    same = ["hardware", "n_acc", "precision", "isl", "osl", "concurrency", "config"]
    said = rows[rows["trap"] == ""].groupby(same)["interactivity_tok_s_user"].max().rename("none")
    silent = rows[rows["trap"] == "may be multi-token prediction"].join(said, on=same, how="inner")
    assert len(silent) > 50
    assert 0.08 < (silent["interactivity_tok_s_user"] > 1.3 * silent["none"]).mean() < 0.4


def test_low_precision_steps_say_what_runs_in_what():
    rows = facts.load("decode_step_timings_low_precision")
    assert set(rows["system"]) == {"h100_sxm", "h200_sxm", "b200_sxm"}
    odd = rows[rows["trap"] == "kernel out of line"]
    assert odd["backend"].eq("vllm").all() and (odd["gemm"].eq("fp8_block") | odd["experts"].eq("fp8_block")).all()
    same = ["model", "system", "tp", "moe_ep", "context", "batch", "kv"]
    times = rows.pivot_table(index=same, columns="backend", values="tpot_ms")
    worst = (times["vllm"] / times[["sglang", "trtllm"]].min(axis=1)).dropna()
    assert worst.max() > 5  # the reason for the trap


def test_no_service_without_a_queue_is_below_the_floor():
    rows = evidence.measured()
    found = evidence.forecasts(rows, services.constants())
    below = rows[(rows["seconds"] < found["tpot_floor_s"]) & ~rows["queued"]]
    assert below.empty, below[["model", "hardware", "concurrency"]]
    assert (found["tpot_s"] >= found["tpot_floor_s"]).all()
    assert (rows["ttft_s"] >= found["ttft_floor_s"]).mean() > 0.999


def test_no_low_precision_step_is_below_the_floor():
    rows = evidence.steps(trap=True)
    work = evidence._step_work(rows)
    floor = np.maximum.reduce([work.dense_read_s, work.expert_read_s, work.cache_read_s, work.attention_s])
    assert (rows["seconds"] > floor).all()


def test_scores_of_what_a_fit_has_not_seen():
    """One chip left out here; the chapter does all. The bar is the three factors that need no physics."""
    rows = evidence.measured()
    out = rows["hardware"] == "h200"
    seen = evidence.steps()
    constants = evidence.fit(rows[~out], seen[seen["system"] != "h200_sxm"])
    h200 = rows[out].assign(predicted=evidence.forecasts(rows[out], constants)["tpot_s"])
    score = service_scores.scores(h200).iloc[0]
    assert score["rows"] == out.sum() and score["median error"] < 0.155
    assert score["within 1.25"] > 0.65 and score["within 1.5"] > 0.87 and score["within 2"] > 0.97


@pytest.mark.parametrize("by", [*evidence.LEFT_OUT, "model", "system", "backend"])
def test_the_fits_that_are_kept_are_those_of_the_rows(by):
    """``python -m llm_economics.evidence.services`` writes them anew."""
    steps = by in evidence.STEPS_LEFT_OUT and by != "model"
    found = (evidence.step_fits_without if steps else evidence.fits_without)(by)
    kept = evidence._kept()["steps" if steps else "services"][by]
    assert list(found) == list(kept)
    for value, fit in found.items():
        assert asdict(fit) == pytest.approx(kept[value], rel=1e-3), value


def test_sixteen_bit_steps_stay_where_they_were():
    rows = calibration.unseen_rows()
    rows = rows[~calibration.contradicted(rows)]
    error = (calibration.predict(rows) / rows["tpot_ms"] - 1).abs()
    mixture = rows["model"].str.contains("Mixtral|Qwen3")
    assert error[~mixture].mean() < 0.05 and error[mixture].mean() < 0.11


# --- rows as benchmarks write them


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("DeepSeek-R1-0528", "DeepSeek-V3"),
        ("deepseek-ai/DeepSeek-R1", "DeepSeek-V3"),
        ("nvidia/DeepSeek-R1-0528-FP4-v2", "DeepSeek-V3"),
        ("amd/DeepSeek-R1-0528-MXFP4-Preview", "DeepSeek-V3"),
        ("dsr1", "DeepSeek-V3"),
        ("Llama-3.3-70B", "Llama 3 70B"),
        ("meta-llama/Llama-3.3-70B-Instruct", "Llama 3 70B"),
        ("nvidia/Llama-3.3-70B-Instruct-FP8", "Llama 3 70B"),
        ("llama2-70b-99.9", "Llama 2 70B"),
        ("llama3.1-405b", "Llama 3.1 405B"),
        ("mixtral-8x7b", "Mixtral 8x7B"),
        ("nvidia/Qwen3-235B-A22B-NVFP4", "Qwen3-235B-A22B"),
        ("amd/DeepSeek-R1-0528-MXFP4-ASQ", "DeepSeek-V3"),
        ("DeepSeek-V3.2-Exp", "DeepSeek-V3.2"),
        ("gpt-oss-120b-w-mxfp4", "gpt-oss-120b"),
        ("RedHatAI/Llama-3.3-70B-Instruct-quantized.w8a8", "Llama 3 70B"),
        ("unsloth/Llama-3.3-70B-Instruct-bnb-4bit", "Llama 3 70B"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "Llama 3 70B"),
        ("qwen3.5-397b", "Qwen3.5-397B-A17B"),
        ("Qwen3-235B-A22B-Thinking-2507", "Qwen3-235B-A22B"),
        ("Kimi-K2-Thinking", "Kimi-K2"),
        ("minimaxm2.5", "MiniMax-M2.5"),
        ("dsv4flash", "DeepSeek-V4-Flash"),
    ],
)
def test_models_are_known_by_the_names_of_benchmarks(written, known):
    assert deployments.served(deployments.model_name(written)).name.startswith(known)


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("b200-trt", "HGX B200"),
        ("b200_sxm", "HGX B200"),
        ("gb200", "GB200 NVL72"),
        ("gb300-nvl72", "GB300 NVL72"),
        ("h20_sxm", "HGX H20"),
        ("MI355X-ATOM", "MI355X x 8"),
        ("mi300x-sglang", "MI300X x 8"),
        ("8x NVIDIA H100-SXM-80GB", "HGX H100"),
        ("NVIDIA H200-SXM-141GBx8", "HGX H200"),
        ("NVIDIA H200 (8x H200-SXM-141GB, TensorRT)", "HGX H200"),
        ("H200-SXM-141GBx8_TRT", "HGX H200"),
        ("AMD Instinct MI325X 256GB HBM3E", "MI325X x 8"),
    ],
)
def test_systems_are_known_by_the_names_of_benchmarks(written, known):
    assert deployments.system(deployments.hardware_name(written), 8).name.split(",")[0] == known


def test_a_row_of_inferencex_as_it_is_written():
    row = {
        "hw": "b200-trt", "tp": "8", "ep": "8", "dp_attention": "False", "conc": "64", "isl": "1024", "osl": "1024",
        "model": "deepseek-ai/DeepSeek-R1-0528", "median_tpot": "0.0204", "framework": "trt",
    }  # fmt: skip
    found, staged, apart = answers.answer([row, row | {"pp": "2"}, row | {"disagg": "True"}])
    assert found["measured_ms"] == pytest.approx(20.4) and found["ratio"] == pytest.approx(found["forecast_ms"] / 20.4)
    assert deployments.asked(row).weights == "fp8"  # no precision: as the model is published
    assert staged["why_not"].startswith("pp = 2 is not allowed") and "accelerators of their own" in apart["why_not"]


@pytest.mark.parametrize(
    ("text", "format_"),
    [
        ("fp8", "fp8"),
        ("FP8_E4M3", "fp8"),
        ("nvfp4", "fp4"),
        ("MXFP4", "fp4"),
        ("w4a16", "int4"),
        ("int4", "int4"),
        ("UINT4", "int4"),
        ("bfloat16", "bf16"),
        ("fp16", "bf16"),
        ("int8", "int8"),
        ("w4a8_mxfp4_mxfp8", "fp4"),
        ("w4afp8", "int4"),
        ("fp8_block", "fp8"),
        ("float8_e4m3fn", "fp8"),
        ("W4A8", "int4"),
        ("W4A16_NVFP4", "fp4"),
        ("NVFP4_AWQ", "fp4"),
        ("auto", "bf16"),
        ("AutoRound", ""),
        ("", ""),
    ],
)
def test_formats_are_known_by_their_spellings(text, format_):
    assert deployments.format_of(text) == format_


ROW = {
    "model": "DeepSeek-R1",
    "hardware": "h200",
    "n_acc": "8",
    "precision": "fp8",
    "isl": "1024",
    "osl": "1024",
    "concurrency": "16",
}


@pytest.mark.parametrize(
    ("change", "layout"),
    [
        ({}, (8, 1, 1)),
        ({"config": "tp8 ep8"}, (8, 1, 8)),
        ({"config": "tp8 ep8 dpattn"}, (1, 8, 8)),
        ({"config": "TP8/EP8, DP-attention"}, (1, 8, 8)),
        ({"config": "DEP8"}, (1, 8, 8)),
        ({"config": "tep8"}, (8, 1, 8)),
        ({"config": "tp4 dp2"}, (4, 2, 1)),
        ({"config": "dp2"}, (4, 2, 1)),
        ({"dp": "8"}, (1, 8, 1)),
        ({"tp": "8", "dp-attention": "true"}, (1, 8, 8)),
        ({"TP": "8", "EP": "8", "DP-Attn": "True"}, (1, 8, 8)),
        ({"n_acc": "", "decode_tp": "4", "decode_ep": "4", "decode_dp_attention": "true"}, (1, 4, 4)),
        ({"tp": "4", "ep": "4"}, (4, 2, 4)),
        ({"tp": "8", "ep": "1", "dp_attention": "True"}, (1, 8, 8)),
        ({"config": "tp64 ep8"}, (8, 1, 8)),
        ({"n_acc": "", "config": "tp4 ep1"}, (4, 1, 1)),
        ({"n_acc": "8.0"}, (8, 1, 1)),
    ],
)
def test_layouts_are_read(change, layout):
    question = deployments.asked(ROW | change)
    assert (question.tensor, question.data, question.expert) == layout
    assert question.split.accelerators == question.accelerators


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model": "Nonesuch-7B"}, "model = 'Nonesuch-7B' is not allowed"),
        ({"model": ""}, "model is missing"),
        ({"hardware": "abacus"}, "system = 'abacus' is not allowed"),
        ({"hardware": ""}, "hardware is missing"),
        ({"precision": "q4_0"}, "precision = 'q4_0' is not allowed"),
        ({"isl": ""}, "isl is missing"),
        ({"osl": "many"}, "osl = 'many' is not allowed"),
        ({"concurrency": "-3"}, "concurrency = '-3' is not allowed"),
        ({"concurrency": "nan"}, "concurrency is missing"),
        ({"n_acc": "", "config": ""}, "n_acc is missing"),
        ({"n_acc": "3.5"}, "n_acc = '3.5' is not allowed: it must be a whole number"),
        ({"cached_share": "2"}, "cached_share = '2' is not allowed"),
        ({"scenario": "disagg"}, "scenario = 'disagg' is not allowed"),
    ],
)
def test_a_row_that_cannot_be_answered_says_why(change, why):
    found = answers.answer([ROW | change])[0]
    assert found["why_not"].startswith(why) and "\n" not in found["why_not"]
    assert found["forecast_ms"] is None and found["ratio"] is None
    assert {name: found[name] for name in ROW} == ROW | {n: v for n, v in change.items() if n in ROW}


def test_lengths_are_read_in_thousands_and_auto_is_what_is_published():
    plain, short = (deployments.asked(ROW | change) for change in ({}, {"isl": "1k", "precision": "auto"}))
    assert plain == short


def test_what_does_not_fit_is_told_and_timed_with_all_users():
    """671 GB beside 640: as if memory were there, and not one user at a time."""
    roomy, tight = answers.answer([ROW, ROW | {"hardware": "h100"}])
    assert roomy["fits"] and not tight["fits"]
    assert roomy["forecast_ms"] < tight["forecast_ms"] < 2 * roomy["forecast_ms"]
    assert tight["forecast_ttft_ms"] < 2 * roomy["forecast_ttft_ms"]


@pytest.mark.parametrize("name", ["H100", "B300", "GB300", "MI325X", "MI355X", "RTX PRO 6000"])
@pytest.mark.parametrize("layout", [(8, 1, 1), (8, 1, 8), (1, 8, 8), (4, 2, 8)], ids=str)
def test_more_users_wait_longer_and_get_more_done(name, layout):
    """Up to 4,096 users and prompts of 100,000 tokens, in every format, also where no service was measured."""
    users, system = np.array([1.0, 2, 3, 8, 32, 128, 256, 512, 1024, 4096]), facts.system(name, 8)
    for model in ("DeepSeek-R1", "Kimi-K2.5", "gpt-oss-120b", "GLM-5"):
        for weights, prompt in (("bf16", 1024.0), ("fp8", 100_000.0), ("fp4", 8192.0), ("int4", 128.0)):
            found = services.forecast(
                deployments.served(model), system, users, prompt, 1024.0, deployments.split(*layout), weights=weights
            )
            assert (np.diff(found.tpot_s) >= 0).all() and (np.diff(found.ttft_s) >= 0).all()
            assert (np.diff(found.requests_per_s) >= -1e-9).all()
            assert (found.tpot_s >= found.tpot_floor_s).all() and (found.ttft_s >= found.ttft_floor_s).all()


def test_answers_keep_columns_and_order():
    rows = [
        ROW | {"concurrency": n, "note": i, "interactivity_tok_s_user": "50"} for i, n in enumerate(("64", "1", "9"))
    ]
    rows.insert(1, ROW | {"model": "?", "note": "x"})
    found = answers.answer(rows)
    assert [row["note"] for row in found] == [0, "x", 1, 2]
    assert found[0]["forecast_ms"] > found[3]["forecast_ms"] > found[2]["forecast_ms"]
    for row in (found[0], found[2], found[3]):
        assert row["measured_ms"] == 20 and row["ratio"] == pytest.approx(row["forecast_ms"] / 20)
        assert row["floor_ms"] <= row["low_ms"] < row["forecast_ms"] < row["high_ms"]
        assert row["why_not"] is None


def test_rows_and_one_question_agree():
    found = answers.answer([ROW])[0]
    deployment = offers.Deployment(MIXTURE, H200, 8, weights="fp8")
    one = offers.offer(deployment, 16.0, offers.Workload(1024.0, 1024.0))
    assert found["forecast_ms"] == pytest.approx(one["tpot_ms"]["value"])
    assert found["floor_ms"] == pytest.approx(one["tpot_ms"]["floor"])


@pytest.mark.parametrize("hardware", ["h100", "mi300x", "a100", "l40s"])
@pytest.mark.parametrize("precision", ["fp4", "mxfp4", "int4", "fp8"])
def test_chips_without_a_peak_for_a_format_answer_all_the_same(hardware, precision):
    found = answers.answer([ROW | {"hardware": hardware, "precision": precision, "model": "mixtral-8x7b"}])[0]
    assert found["why_not"] is None and found["floor_ms"] < found["forecast_ms"] < 100


# --- prices


def test_prices_of_tokens_pay_for_the_hour():
    deployment = offers.Deployment(DENSE, H200, 8)
    for share in (0.0, 0.7):
        work = offers.Workload(6000.0, 300.0, share)
        found = offers.offer(deployment, 32.0, work, 3.0)
        usd = found["usd_per_million_tokens"]
        paid = usd["input"] * 6000 * (1 - share) + usd["output"] * 300 + (usd["cached"] * 6000 * share if share else 0)
        assert paid / 1e6 == pytest.approx(found["usd_per_request"])
        assert usd["cached"] < 0.5 * usd["input"] < usd["output"]
    free = offers.offer(deployment, 32.0, work)
    assert free["usd_per_million_tokens"] is None and free["usd_per_request"] is None


def test_a_ranking_is_in_the_order_of_cost_and_flips_where_it_says():
    work = offers.Workload(4096.0, 512.0)

    def ranked(prices):
        found = []
        for name, usd in prices.items():
            base = offers.Deployment(DENSE, facts.system(name, 1), 1)
            best = offers.cheapest(base, work, 30.0, [1, 2, 4, 8])
            found.append(offers.offer(*best, work, usd))
        return offers.ranked(found)

    prices = {"H200": 3.0, "B200": 6.0, "MI300X": 2.0}
    rows = ranked(prices)
    costs = [row["usd_per_request"] for row in rows]
    assert costs == sorted(costs) and [row["rank"] for row in rows] == [1, 2, 3]
    assert all(row["tokens_per_s_per_user"] >= 30 for row in rows)
    last = rows[-1]
    name = {"H200 SXM": "H200", "B200 SXM (HGX/DGX)": "B200"}.get(last["accelerator"], last["accelerator"])
    for factor, first in ((0.999, True), (1.001, False)):
        again = ranked(prices | {name: factor * last["flips_at_usd_per_hour"]})
        assert (again[0]["accelerator"] == last["accelerator"]) == first


def test_what_is_drawn_of_many_rows_reaches_both_ends_and_every_rank():
    rows = pd.DataFrame(
        {"of": ["a"] * 1000 + ["b"] * 3, "ratio": [*np.random.default_rng(0).permutation(1000), 7, 5, 6]}
    )
    found = service_scores.thinned(rows, "of", "ratio", 11)
    kept = found[found["of"] == "a"]["ratio"]
    assert sorted(kept)[0] == 0 and sorted(kept)[-1] == 999 and len(kept) == 11
    assert np.diff(sorted(kept)) == pytest.approx(99.9, abs=1)
    assert len(found[found["of"] == "b"]) == 3 and found.index.is_monotonic_increasing
    assert (rows.loc[found.index] == found).all(axis=None)
    with pytest.raises(ParameterError, match="most = 1"):
        service_scores.thinned(rows, "of", "ratio", 1)


def test_the_file_holds_what_the_page_needs():
    held = json.loads(services.FILE.read_text(encoding="utf-8"))
    assert set(held["constants"]) == {field.name for field in fields(services.Constants)}
    assert set(held["intervals"]) == {"dense", "mixture", "other maker", "steps"}
    for one in held["intervals"].values():
        low, high = one["tpot"]
        assert 0.3 < low < 1 < high < 3


def test_a_thousand_rows_are_read_from_a_table(tmp_path):
    path = facts.DATA / "services.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))[:1000]
    found = answers.answer(rows)
    assert len(found) == 1000
    told = [row for row in found if row["why_not"] is None]
    assert len(told) > 600 and all(0 < row["floor_ms"] <= row["forecast_ms"] for row in told)
