"""The catalog: what it reads, what it refuses and how it says so."""

import csv
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from llm_economics import architecture, facts
from llm_economics.facts import DATA, CatalogError, accelerator, accelerators, chips, fact, load, prices_of, store
from llm_economics.formulas.elementwise import ParameterError


def broken_copy(folder, name, row=None, **cells):
    """A copy of one file with some cells changed, in the row that a spreadsheet counts so (2 is the first)."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        table = list(csv.DictReader(lines))
    columns = list(table[0])
    for column, cell in cells.items():
        table[row - 2][column] = cell
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return folder


BROKEN = [
    ("hardware", 5, {"mem_bw_TBps": "3350"}, "at most 1000 TB/s"),
    ("hardware", 5, {"mem_bw_TBps": "0.0034"}, "at least 0.01 TB/s"),
    ("hardware", 5, {"mem_gb": "80e9"}, "at most 20000 GB"),
    ("hardware", 5, {"mem_bw_TBps": "0.335"}, "one reading of 80 GB must take 10 to 60 ms, not 239"),
    ("hardware", 5, {"bf16_dense_tflops": "1978.9"}, "it must be 2 times bf16_dense_tflops = 1978.9, within 1.00%"),
    (
        "hardware",
        5,
        {"bf16_dense_tflops": "987", "bf16_sparse_tflops": "1974"},
        "clock x FMA x 2 x cores = 989.4 TFLOP/s",
    ),
    ("hardware", 6, {"fp8_dense_tflops": "3026", "fp8_sparse_tflops": "6052"}, "it must be 2 times bf16_dense_tflops"),
    ("hardware", 5, {"source_url": ""}, "a value is needed"),
    ("hardware", 5, {"date": ""}, "a value is needed"),
    ("hardware", 5, {"date": "2026-13"}, "it must be date of the source"),
    ("hardware", 5, {"confidence": "sure"}, "it must be one of 'primary', 'secondary'"),
    ("hardware", 5, {"tdp_w": "seven hundred"}, "a number, W is needed"),
    ("hardware", 5, {"tdp_w": "nan"}, "a number, W is needed"),
    ("training_runs", 12, {"reported_mfu": "41"}, "at most 1 fraction"),
    ("training_runs", 12, {"tokens": "15"}, "at least 1e+09 token"),
    ("models", 6, {"n_layers": "32.5"}, "a whole number, count is needed"),
    ("models", 6, {"n_kv_heads": "32"}, "layers and heads give 524288 B/token"),
    ("models", 6, {"tie_word_embeddings": "maybe"}, "it must be True or False"),
    ("gpu_prices", 458, {"usd_per_gpu_hour": "688"}, "at most 200 USD/GPU-hour"),
    ("gpu_prices", 458, {"usd_per_gpu_hour": ""}, "a price, since price_type is on-demand"),
    ("gpu_prices", 2, {"usd_purchase_per_gpu": "18.6"}, "at least 500 USD"),
    ("api_prices", 2, {"input_usd_per_mtok": "30000"}, "at most 1000 USD/Mtoken"),
    ("measured_serving", 3, {"tput_per_acc": "2.5"}, "tput_total / n_acc = 2520.27"),
    ("inferencemax_rows", 2, {"median_tpot": "3.09"}, "1 / median_intvty"),
    ("decode_step_timings", 2, {"tpot_ms": "0.009978"}, "at least 0.1 ms"),
    ("claims", 2, {"id": "gpt4-002"}, "row 2 has the same id"),
    ("claims", 2, {"depends_on": "gpt4-999"}, "no row has this id"),
    ("claims", 2, {"kind": "hearsay"}, "it must be one of 'computable'"),
    ("claims", 2, {"relation": "text"}, "it must be empty where relation is text"),
    ("claims", 2, {"tolerance": "0.3"}, "3 to 3 where tolerance_kind is order"),
    ("claims", 23, {"stated_text": "2; four"}, "numbers separated by ;, and 'four' is none"),
]
# a cell that contradicts others is named where the contradiction shows
NAMED_ELSEWHERE = {
    "it must be 2 times bf16_dense_tflops = 1978.9, within 1.00%": "bf16_sparse_tflops",
    "layers and heads give 524288 B/token": "kv_bytes_per_token_bf16",
    "it must be empty where relation is text": "value_low",
}


@pytest.mark.parametrize(("name", "row", "cells", "allowed"), BROKEN)
def test_a_broken_cell_is_named_with_file_row_and_column(tmp_path, name, row, cells, allowed):
    with pytest.raises(CatalogError) as error:
        load(name, broken_copy(tmp_path, name, row, **cells))
    message = str(error.value)
    assert "\n" not in message and allowed in message
    named_row = 3 if "has the same" in allowed else row
    assert message.startswith(f"data/{name}.csv, row {named_row} (")
    assert f"), column {NAMED_ELSEWHERE.get(allowed, next(iter(cells)))}: " in message
    assert isinstance(error.value, ParameterError)


def test_the_whole_line(tmp_path):
    with pytest.raises(CatalogError) as error:
        load("hardware", broken_copy(tmp_path, "hardware", 5, mem_bw_TBps="3350"))
    assert str(error.value) == (
        "data/hardware.csv, row 5 (H100 SXM5 80GB), column mem_bw_TBps: '3350' is not allowed: at most 1000 TB/s"
    )


def test_a_sparse_peak_in_the_dense_column_is_refused(tmp_path):
    for row, cells in ((5, {"bf16_dense_tflops": "1978.9"}), (11, {"fp4_dense_tflops": "20000"})):
        with pytest.raises(CatalogError, match=r"_sparse_tflops: .* it must be 2 times \w+_dense_tflops"):
            load("hardware", broken_copy(tmp_path, "hardware", row, **cells))


def rewrite(folder, name, change):
    lines = (DATA / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    (folder / f"{name}.csv").write_text("\n".join(change(lines)) + "\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda lines: [f"{line},x" for line in lines],
            "row 1 (header), column x: 'x' is not allowed: the columns are",
        ),
        (lambda lines: [lines[0].replace("tpot_ms", "tpot_s"), *lines[1:]], "row 1 (header), column tpot_s:"),
        (lambda lines: [line.split(",", 1)[1] for line in lines], "row 1 (header), column model: it is missing"),
        (lambda lines: [lines[0], lines[1] + ",", *lines[2:]], "row 2: 16 cells are not allowed: the header has 15"),
        (lambda lines: [*lines, lines[3]], "row 27 (meta-llama/Meta-Llama-3.1-70B / h100_sxm / trtllm / 8"),
        (lambda lines: [], "row 1 (header), column source_title: it is missing"),
    ],
)
def test_broken_tables_are_refused(tmp_path, change, said):
    with pytest.raises(CatalogError) as error:
        load("decode_step_timings", rewrite(tmp_path, "decode_step_timings", change))
    assert said in str(error.value) and str(error.value).startswith("data/decode_step_timings.csv, ")


def test_files_without_a_key_refuse_the_same_row_twice(tmp_path):
    with pytest.raises(CatalogError, match=r"row 521 .* row 520 has the same cells"):
        load("gpu_prices", rewrite(tmp_path, "gpu_prices", lambda lines: [*lines, lines[-1]]))


def test_unknown_and_absent_files(tmp_path):
    with pytest.raises(CatalogError, match=r"file = 'hardwear' is not allowed: .*nearest are hardware"):
        load("hardwear")
    with pytest.raises(CatalogError, match=r"^data/models.csv is missing in "):
        load("models", tmp_path)


def test_frames_are_their_readers_own():
    first = load("hardware")
    first.loc[0, "mem_gb"] = -1
    assert load("hardware").loc[0, "mem_gb"] == 40
    assert store._frame("hardware", DATA) is store._frame("hardware", DATA)


def test_columns_have_their_types():
    frame = load("training_runs")
    assert frame["reported_mfu"].dtype == "float64" and frame["reported_mfu"].isna().any()
    assert frame["notes"].eq("").any() and not frame["notes"].isna().any()
    assert load("models")["n_layers"].dtype == "int64"
    assert load("models")["tie_word_embeddings"].dtype == "bool"
    assert list(frame)[-4:] == ["date", "confidence", "confidence_note", "notes"]


# --- accelerators


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("H100", "H100 SXM5 80GB"),
        ("h100 sxm", "H100 SXM5 80GB"),
        ("h100_80gb", "H100 SXM5 80GB"),
        ("H100-PCIe", "H100 PCIe"),
        ("A100", "A100 SXM 80GB"),
        ("a100-40gb", "A100 SXM 40GB"),
        ("H200", "H200 SXM"),
        ("B200", "B200 SXM (HGX/DGX)"),
        ("gb200", "GB200 (per GPU, NVL72)"),
        ("GB200 NVL72", "GB200 NVL72 rack (72 GPU)"),
        ("wse-3", "Cerebras WSE-3"),
        ("TPUv4", "TPU v4"),
    ],
)
def test_short_names(name, full):
    assert accelerator(name).name == full


@pytest.mark.parametrize(
    ("name", "chip"),
    [
        ("b200", "B200 SXM (HGX/DGX)"),
        ("b200-trt", "B200 SXM (HGX/DGX)"),
        ("h100_sxm", "H100 SXM5 80GB"),
        ("mi355x", "MI355X"),
        ("rtx_pro_6000_server", "RTX PRO 6000 Blackwell Server"),
        ("NVIDIA B200-SXM-180GB", "B200 SXM (HGX/DGX)"),
        ("NVIDIA A100-SXM4-40GB", "A100 SXM 40GB"),
        ("Virtualized NVIDIA H200-SXM-141GB", "H200 SXM"),
        ("AMD Instinct MI355X 288GB HBM3e (x87)", "MI355X"),
        ("AMD Instinct MI325X 256GB HBM3E", "MI325X"),
        ("NVIDIA GB300", "GB300 NVL72"),
        ("TPU7x", "TPU v7"),
        ("trn2.48xlarge", "Trainium2"),
    ],
)
def test_names_that_benchmarks_write(name, chip):
    assert facts.system(name).accelerator.name == chip


@pytest.mark.parametrize("name", ["NVIDIA H200-NVL-141GB", "AMD Instinct MI300X (x32), AMD Instinct MI325X (x16)", ""])
def test_another_part_or_two_parts_are_not_taken_for_one_that_is_known(name):
    with pytest.raises(CatalogError):
        facts.system(name)


def test_every_part_is_an_accelerator_and_found_by_its_name():
    parts = accelerators()
    assert list(parts) == list(load("hardware")["chip"])
    assert all(accelerator(name.upper().replace(" ", "_")) is part for name, part in parts.items())
    parts.clear()
    assert accelerators()
    for full in chips._SHORT_NAMES:
        assert full in accelerators()


def test_h100_in_si_units():
    chip = accelerator("H100")
    assert chip.peak_flops == {"bf16": 989.4e12, "fp16": 989.4e12, "fp8": 1978.9e12, "int8": 1979e12}
    assert chip.peak("bf16", sparse=True) == 1978.9e12
    assert chip.peak("bf16") == pytest.approx(1830e6 * 512 * 2 * 528, rel=1e-4)
    assert (chip.memory_bytes, chip.memory_bandwidth, chip.tdp_watts) == (80 * 2**30, 3.35e12, 700)
    assert chip.link_bandwidth == 450e9


def test_precisions_that_a_chip_lacks():
    with pytest.raises(ParameterError, match="A100 SXM 80GB has dense peaks for bf16, fp16, int8"):
        accelerator("A100").peak("fp8")
    with pytest.raises(ParameterError):
        accelerator("V100").peak("bf16")
    with pytest.raises(ParameterError):
        accelerator("TPU v4").peak("fp16")
    assert accelerator("GB200").peak("fp4") == 1e16
    assert accelerator("WSE-3").memory_bandwidth == 21e15


def test_a_rack_is_its_accelerators():
    rack, one = accelerator("NVL72"), accelerator("GB200")
    for precision in ("bf16", "fp8", "fp4", "int8"):
        assert rack.peak(precision) == 72 * one.peak(precision) or precision == "int8"
    assert rack.memory_bandwidth == 72 * one.memory_bandwidth
    assert rack.memory_bytes == pytest.approx(72 * one.memory_bytes, rel=1e-5)


@pytest.mark.parametrize(
    ("chip", "memory"),
    [
        ("A100", 85_899_345_920),
        ("H100", 85_899_345_920),
        ("H200", 151_397_597_184),
        ("B200", 193_273_528_320),
        ("GB200", 198_674_743_296),
        ("GB200 superchip", 2 * 198_674_743_296),
    ],
)
def test_memory_is_what_nvidia_counts_in_bytes(chip, memory):
    """Its tool aiconfigurator 0.12.0 has these, so that no chip is counted in GiB and another in GB."""
    assert accelerator(chip).memory_bytes == pytest.approx(memory, rel=1e-5)


def test_an_unknown_chip_lists_the_nearest():
    with pytest.raises(CatalogError) as error:
        accelerator("H10O")
    assert str(error.value).startswith(
        "accelerator = 'H10O' is not allowed: it is not known; nearest are H100 SXM5 80GB"
    )


# --- prices and facts


def test_prices_are_dated_and_of_that_part():
    found = prices_of("H100")
    assert found["price_date"].is_monotonic_increasing and found["usd_per_gpu_hour"].notna().all()
    assert found["gpu"].str.contains("H100").all() and not found["gpu"].str.contains("GH200").any()
    assert set(prices_of("A100 80GB")["gpu"]) == {"A100-80GB", "NVIDIA A100 SXM4 80 GB"}
    assert set(prices_of("H100", "3-year")["price_type"]) == {"3-year"}
    bought = prices_of("H100", purchase=True)
    assert bought["usd_purchase_per_gpu"].between(20_000, 50_000).all()
    assert set(prices_of("H100", vendor="Lambda")["vendor"]) == {"Lambda"}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: prices_of("H1000"), "gpu = 'H1000' is not allowed: it is not known; nearest are H100"),
        (lambda: prices_of(""), "gpu = '' is not allowed"),
        (lambda: prices_of("H100", "spotty"), "price_type = 'spotty' is not allowed"),
        (
            lambda: prices_of("H100", vendor="Lamda"),
            "vendor = 'Lamda' is not allowed: it is not known; nearest are Lambda",
        ),
        (lambda: prices_of("GB200", "3-year"), "data/gpu_prices.csv has no price of it (hourly 3-year)"),
        (lambda: fact("gb200", "price_NVL72_rack"), "2 rows match, not one"),
        (lambda: fact("gb200", "price_NVL72_rack", nope="x"), "data/gb200.csv, column = 'nope' is not allowed"),
        (lambda: fact("gb200", "author_cost_drop_claim"), "column value: '4.8-6' is not allowed: it is no number"),
        (lambda: fact("gb200", "claim_30x_press_release", "USD"), "column unit: 'USD' is not allowed: it is 'x'"),
        (lambda: fact("gb200", "claim_30x_press"), "nearest are claim_30x_press_release"),
        (lambda: fact("hardware", "H100"), "file = 'hardware' is not allowed"),
    ],
)
def test_what_cannot_be_found_is_said_in_one_line(call, said):
    with pytest.raises(CatalogError) as error:
        call()
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_fact_is_a_number():
    assert fact("gb200", "claim_30x_press_release", "x") == 30
    rack = fact("gb200", "price_NVL72_rack", "USD", source_title="fetchlogic.net (citing SemiAnalysis)")
    assert rack == 3_100_000


# --- cost


def test_all_files_load():
    for name in facts.FILES:
        assert isinstance(load(name), pd.DataFrame)


def test_reading_a_chip_needs_no_pandas():
    code = "import sys, llm_economics.facts as c; c.accelerator('H100'); sys.exit('pandas' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_readme_is_written_by_a_command(tmp_path):
    readme = tmp_path / "README.md"
    shutil.copy(DATA / "README.md", readme)
    whole = readme.read_text(encoding="utf-8")
    readme.write_text(whole.replace("| mem_gb | ", "| mem_gb | wrong "), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "llm_economics.facts.store", str(readme)], check=True)
    assert readme.read_text(encoding="utf-8") == whole


def test_models_are_found_by_forgiving_names():
    assert facts.model("llama-3 70b").n_layers == 80
    assert facts.model("Llama 3 70B (=3.1 70B)") == facts.model("LLAMA_3_70B")
    assert facts.model("meta-llama/Meta-Llama-3.1-70B-Instruct") == facts.model("Llama 3.1 70B")
    assert facts.model("Llama 3.1 70B") == facts.model("Llama 3 70B")
    assert facts.model("DeepSeek R1") == facts.model("deepseek-ai/DeepSeek-V3")
    with pytest.raises(CatalogError, match=r"model = 'zzzz' is not allowed.*known are GPT-3 175B"):
        facts.model("zzzz")
    with pytest.raises(CatalogError, match=r"model = 'Mixtral 8x22' is not allowed.*nearest are Mixtral"):
        facts.model("Mixtral 8x22")


def test_models_with_a_configuration_count_as_transformers_counts_them():
    rows = [row for row in facts.load("models").itertuples() if row.config]
    assert len(rows) >= 19
    for row in rows:
        arch = facts.model(row.model)
        count = architecture.parameters(arch)
        assert (arch.name, count.total) == (row.model, row.params_exact)
        assert count.active == (row.params_active if row.params_active == row.params_active else row.params_exact)
        if row.kv_bytes_per_token_bf16 == row.kv_bytes_per_token_bf16:
            assert architecture.kv_bytes_per_token(arch) == row.kv_bytes_per_token_bf16


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("nvidia/Kimi-K2.5-NVFP4", "Kimi-K2.5"),
        ("zai-org/GLM-5-FP8", "GLM-5"),
        ("nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16", "Nemotron-3 Ultra 550B-A55B"),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "Llama 4 Scout"),
        ("google/gemma-4-31B-it", "Gemma 4 31B"),
        ("nvidia/Llama-3.1-70B-Instruct-FP8", "Llama 3 70B (=3.1 70B)"),
        ("MiniMaxAI/MiniMax-M2.7", "MiniMax-M2.5"),
    ],
)
def test_models_answer_to_the_names_of_their_repositories(written, name):
    assert facts.model(written) == facts.model(name)
