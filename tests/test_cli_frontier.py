"""``llm-economics frontier`` as a reader calls it."""

import csv
import json
import subprocess
import sys

import pytest
from command import Command

from llm_economics import facts
from llm_economics.evidence.search import Limits, Workload, search

CHART = ["--input", "32768", "--output", "1024", "--max-tpot-ms", "50", "--max-ttft-s", "5"]
run = Command("frontier")
report = run.answer


def test_json_in_a_real_process():
    command = [sys.executable, "-m", "llm_economics", "frontier", "--model", "gpt-4-leak", "--system", "gb200_nvl72"]
    done = subprocess.run([*command, *CHART, "--json"], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["model"] == "GPT-4 (leaked)" and told["system"] == "GB200 NVL72" and told["accelerators"] == 72
    assert told["limits"] == {"max_tpot_ms": 50.0, "max_ttft_s": 5.0}
    assert told["searched"] > 100_000 and told["configurations_per_second"] > 0
    points, best = told["points"], told["best"]
    keys = {"tokens_per_second_per_user", "tokens_per_second_per_accelerator", "tpot_ms", "ttft_s", "batch", "binds"}
    keys |= {"tensor", "pipeline", "expert", "expert_tensor", "data", "precision", "arithmetic", "padded"}
    for point in points:
        assert keys <= set(point) and point["tpot_ms"] <= 50 and point["ttft_s"] <= 5
        assert point["tokens_per_second_per_user"] == pytest.approx(1000 / point["tpot_ms"])
        assert point["accelerators"] == point["tensor"] * point["pipeline"] * point["data"] <= 72
    assert best == max(points, key=lambda point: point["tokens_per_second_per_accelerator"])


def test_answers_are_those_of_the_library():
    told = report("--model", "DeepSeek-V3", "--system", "H200", "--accelerators", 16, *CHART, "--precision", "fp8")
    models = facts.served_models("DeepSeek-V3 (main model)", ("fp8",), kv="bf16")
    found = search(models, facts.system("H200", 16), Workload(32768, 1024), Limits(0.05, 5))
    assert [point["tpot_ms"] for point in told["points"]] == pytest.approx(1e3 * found.columns["tpot_s"])
    assert told["best"]["tokens_per_second_per_accelerator"] == found.throughput(0.05)
    assert told["infeasible"]["memory"] == found.counts.memory


def test_names_are_those_that_model_takes():
    told = report("--model", "nvidia/dsr1-fp4", "--system", "H200", "--input", 1024, "--output", 256)
    assert told["model"] == "DeepSeek-V3 (main model)" and told["notes"][0].startswith("the name says fp4")


def test_bound_and_expectation_hold_the_same_cache():
    case = ["--model", "DeepSeek-V3", "--system", "H200", "--input", 16384, "--output", 256]
    usual, named, narrow = (report(*case, *more)["points"] for more in ((), ("--kv", "bf16"), ("--kv", "fp8")))
    assert [one["expected"] for one in usual] == [one["expected"] for one in named]
    assert [one["expected"] for one in usual] != [one["expected"] for one in narrow]


def test_assumptions_reach_the_search():
    case = ["--model", "Llama 3 70B", "--system", "h100", "--input", 1024, "--output", 256]
    plain = report(*case)
    ideal = report(*case, "--bandwidth-efficiency", 1, "--compute-efficiency", 1, "--overlap", 1, "--memory-share", 1)
    together = report(*case, "--colocated")
    rates = [told["best"]["tokens_per_second_per_accelerator"] for told in (together, plain, ideal)]
    assert rates == sorted(rates) and rates[0] < rates[2]
    assert ideal["assumptions"]["overlap"] == 1 and not together["disaggregated"]
    assert {point["precision"] for point in plain["points"]} == {"bf16"}  # as it is published


def test_each_precision_can_be_asked_for_alone():
    case = ["--model", "Llama 3 70B", "--system", "h100", "--input", 1024, "--output", 256]
    for given, precision, arithmetic in (
        ([], "bf16", "bf16"),
        (["--precision", "fp8"], "fp8", "fp8"),
        (["--precision", "fp4"], "fp4", "bf16"),
        (["--weights", "int4"], "int4", "bf16"),
        (["--precision", "fp8", "--arithmetic", "bf16"], "fp8", "bf16"),
    ):
        points = report(*case, *given)["points"]
        assert {(point["precision"], point["arithmetic"]) for point in points} == {(precision, arithmetic)}
    wide, narrow = (report(*case, "--precision", "fp8", "--kv", kv)["best"] for kv in ("bf16", "fp8"))
    assert narrow["tokens_per_second_per_accelerator"] > wide["tokens_per_second_per_accelerator"]


def test_files_of_the_reader_in_and_out(tmp_path):
    system, model, out = tmp_path / "mine.yaml", tmp_path / "config.json", tmp_path / "points.csv"
    system.write_text("accelerator: H200\naccelerators: 4\nscale_up: {bandwidth_gb_per_s: 450, latency_us: 5}\n")
    sizes = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "vocab_size": 128256}
    heads = {"num_attention_heads": 32, "num_key_value_heads": 8}
    model.write_text(json.dumps({"model_type": "llama", **sizes, **heads}))
    case = ["--input", 500, "--output", 100, "--precision", "fp8"]
    result = run("--model", model, "--system", system, *case, "--csv", out)
    assert result.exit_code == 0 and "most within the limits" in result.stdout and "on mine" in result.stdout
    with out.open(newline="") as file:
        points = list(csv.DictReader(file))
    assert points and all(int(point["accelerators"]) <= 4 for point in points)
    known = report("--model", "Llama 3 8B", "--system", system, *case)
    assert float(points[0]["tpot_ms"]) == pytest.approx(known["points"][0]["tpot_ms"], rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--model", "gpt-4", "--system", "H111"], "nearest are HGX H100"),
        (["--model", "Lama 3 70B", "--system", "H100"], "nearest are Llama 3 70B"),
        (["--model", "gpt-4", "--system", "H100", "--arithmetic", "fp4"], "has dense peaks for bf16, fp16, fp8, int8"),
        (["--model", "Llama 3 70B", "--system", "H100", "--weights", "fp3"], "weights = 'fp3' is not allowed"),
        (["--model", "gpt-3-175b", "--system", "H100"], "context = 33792 is not allowed: GPT-3 175B has 2,048 learned"),
        (["--model", "gpt-4", "--system", "H100"], "memory: the leanest layout needs"),
        (["--model", "gpt-4", "--system", "H100", "--accelerators", "64", "--max-tpot-ms", "5"], "the limit is 5 ms"),
        (["--model", "gpt-4", "--system", "GB200", "--max-ttft-s", "0.01"], "the limit is 0.01 s"),
        (["--model", "gpt-4", "--system", "GB200", "--max-tpot-ms", "-1"], "--max-tpot-ms = -1.0 is not allowed"),
        (["--model", "gpt-4", "--system", "GB200", "--max-ttft-s", "nan"], "--max-ttft-s = nan is not allowed"),
        (["--model", "gpt-4", "--system", "GB200", "--kv", "fp9"], "kv = 'fp9' is not allowed"),
        (["--model", "gpt-4", "--system", "V100"], "V100 SXM2 has dense peaks for fp16; give --precision"),
        (["--model", "x" * 300, "--system", "GB200"], "it is not in data/models.csv"),
        (["--model", "gpt-4", "--system", "x" * 300], "is not allowed"),
        (["--model", "gpt-4", "--system", "none.yaml"], "none.yaml: it cannot be read"),
        (["--model", "none.json", "--system", "H100"], "none.json"),
    ],
)
def test_errors_are_one_line_and_no_output(arguments, says):
    result = run(*arguments, "--input", "32768", "--output", "1024", "--json")
    assert result.exit_code != 0 and result.stdout == ""
    assert says in result.stderr and result.stderr.count("\n") == 1 and result.stderr.startswith("Error: ")


SMALL = ["--model", "Llama 3 8B", "--system", "H100", "--input", 500, "--output", 100]


def test_a_file_that_cannot_be_written_loses_no_search(tmp_path):
    result = run(*SMALL, "--csv", tmp_path / "none" / "points.csv")
    assert result.exit_code == 1 and "most within the limits" in result.stdout
    assert result.stderr == f"Error: {tmp_path}/none/points.csv cannot be read or written: No such file or directory\n"


def test_an_infinite_limit_is_null_and_precisions_are_blind_to_case():
    told = report(*SMALL, "--max-tpot-ms", "inf", "--max-ttft-s", "inf", "--precision", "FP8", "--kv", "BF16")
    assert told["limits"] == {"max_tpot_ms": None, "max_ttft_s": None}
    assert {point["precision"] for point in told["points"]} == {"fp8"}


def test_a_chip_without_the_usual_precisions_serves_at_its_own():
    told = report(*SMALL[:2], "--system", "V100", *SMALL[4:], "--precision", "fp16")
    assert {point["precision"] for point in told["points"]} == {"fp16"}


@pytest.mark.parametrize("text", ["name: 2024-13-45", "[" * 20_000])
def test_a_system_file_that_yaml_gives_up_on_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    result = run(*SMALL[:2], "--system", path)
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr.startswith(f"Error: system file {path}: ")
    assert result.stderr.count("\n") == 1
