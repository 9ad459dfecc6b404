"""``llm-economics measured``, as a reader calls it on files that benchmark tools wrote."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from command import Command

from llm_economics import facts
from llm_economics.cli import main
from llm_economics.evidence import measured, readers
from llm_economics.facts.store import READERS_FOLDER
from llm_economics.formulas import services
from llm_economics.reruns import runs
from llm_economics.reruns.notebooks import METADATA

FILES = Path(__file__).parent / "results"
PLAIN = FILES / "vllm-0.32.0" / "plain-c8.json"
SERVED = ("--model", "Llama 3 8B", "--system", "H100", "--accelerators", 2)
ALIKE = [
    PLAIN,
    *(FILES / name for name in ("sglang-0.5.23/plain-c8.jsonl", "aiperf-0.13.0/plain-c8/profile_export_aiperf.json")),
    FILES / "aiperf-0.13.0" / "plain-c8" / "profile_export_aiperf.csv",
    FILES / "guidellm-0.8.1" / "plain-c8" / "benchmarks.json",
    FILES / "inference-perf-0.7.0" / "plain-c8",
    FILES / "inference-perf-0.7.0" / "plain-c8" / "inference-perf.partial.stage_0.yaml",
    FILES / "genai-bench-0.0.5" / "plain-c8",
    FILES / "evalscope-1.14.1" / "plain",
    FILES / "tokenomics-0.10.0" / "plain" / "8.json",
    FILES / "llama-benchy-0.4.0" / "plain.json",
]
HEADER = (
    "benchmark,model,hardware,n_acc,precision,framework,spec_decoding,scenario,isl,osl,concurrency,"
    "interactivity_tok_s_user,ttft_s,tput_total,tput_per_acc,unit,config,date"
)
call = Command("measured")
line = call.line


def rows(*arguments: object) -> list[dict]:
    return call.answer(*arguments)["rows"]


def codes(row: dict) -> list[str]:
    return [doubt["code"] for doubt in row["doubts"]]


@pytest.fixture
def table(tmp_path):
    """Writes a table with some cells of one row changed."""

    def write(*changed: dict) -> Path:
        row = dict.fromkeys(HEADER.split(","), "")
        row |= {
            "model": "Llama-3.3-70B",
            "hardware": "h200",
            "n_acc": "8",
            "precision": "fp8",
            "scenario": "aggregated",
        }
        row |= {
            "isl": "1024",
            "osl": "1024",
            "concurrency": "16",
            "interactivity_tok_s_user": "50",
            "config": "tp8 ep1",
        }
        path = tmp_path / "rows.csv"
        lines = [HEADER, *(",".join((row | cells).values()) for cells in changed)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("path", ALIKE, ids=lambda path: str(path.relative_to(FILES)))
def test_a_file_of_each_kind_through_the_command(path):
    row = next(row for row in rows(path, *SERVED, "--usd-per-hour", 2) if row["concurrency"] != 1)
    assert row["why_not"] is None
    assert row["measured_ms"] == pytest.approx(50, rel=0.01)
    assert row["output_tokens"] == 33
    assert row["tpot_ms"]["definition"] in ("per request", "per token") and row["tpot_ms"]["means"]
    assert 200 < row["ttft_ms"]["mean"] < 240
    assert row["taken"]["model"] == "option" and row["taken"]["output_tokens"] == "file"
    assert row["floor_ms"] < row["low_ms"] < row["forecast_ms"] < row["high_ms"] < row["measured_ms"]
    assert row["ratio"] == pytest.approx(row["forecast_ms"] / row["measured_ms"])
    assert 0 < row["mfu"] < row["mbu"] < 1 and row["binds"] == "weights"
    assert row["tokens_per_s_per_user"] == pytest.approx(20, rel=0.01)
    assert row["output_tokens_per_s_per_accelerator"] == pytest.approx(row["output_tokens_per_s"] / 2)
    assert 128 < row["output_tokens_per_s"] < 147
    assert row["usd_per_million_tokens"]["output"] == pytest.approx(4e6 / 3600 / row["output_tokens_per_s"])
    assert len(row["nearest"]) == 3
    for other in row["nearest"]:
        assert other["ratio"] == pytest.approx(other["forecast_ms"] / other["measured_ms"]) and other["source"]


def test_floor_and_forecast_are_those_of_a_service():
    (row,) = rows(PLAIN, *SERVED, "--weights", "fp8", "--kv", "bf16")
    served, system = facts.served_models("Llama 3 8B", kv="bf16")["bf16"], facts.system("H100", 2)
    found = services.forecast(served, system, 8, row["input_tokens"], 33, weights="fp8", arithmetic="fp8", kv="bf16")
    assert row["floor_ms"] == pytest.approx(1e3 * found.tpot_floor_s)
    assert row["forecast_ms"] == pytest.approx(1e3 * found.tpot_s)
    assert row["ttft_forecast_ms"]["value"] == pytest.approx(1e3 * found.ttft_s)
    assert row["mbu"] == pytest.approx(row["floor_ms"] / 50, rel=0.1)
    assert (row["weights"], row["arithmetic"], row["kv"], row["tensor"]) == ("fp8", "fp8", "bf16", 2)


def test_arithmetic_and_split_are_taken_from_options():
    half = ("--tensor", 1, "--arithmetic", "bf16", "--weights", "fp8")
    (whole,), (split,) = rows(PLAIN, *SERVED, "--weights", "fp8"), rows(PLAIN, *SERVED, *half)
    assert split["arithmetic"] == "bf16" and split["tensor"] == 1
    assert split["floor_ms"] > 1.5 * whole["floor_ms"]
    mixture = ("--model", "DeepSeek-V3", "--system", "H200", "--accelerators", 8, "--weights", "fp8", "--expert", 8)
    assert rows(PLAIN, *mixture)[0]["expert"] == 8


def test_a_config_of_ones_own(tmp_path):
    config = {"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32}
    config |= {"num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256}
    path = tmp_path / "mine" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(config))
    (named,), (own,) = rows(PLAIN, *SERVED), rows(PLAIN, "--model", path, *SERVED[2:])
    assert own["floor_ms"] == pytest.approx(named["floor_ms"])


def test_a_system_of_ones_own(tmp_path):
    path = tmp_path / "mine.yaml"
    chip = "{memory_gb: 80, memory_tb_per_s: 3.35, peak_tflops: {bf16: 989.4}}"
    path.write_text(f"accelerator: {chip}\naccelerators: 4\nscale_up: {{bandwidth_gb_per_s: 450, latency_us: 5}}\n")
    (named,), (own,) = rows(PLAIN, *SERVED), rows(PLAIN, *SERVED[:2], "--system", path, "--accelerators", 2)
    assert own["floor_ms"] == pytest.approx(named["floor_ms"], rel=0.1)


def test_what_the_tool_says_stays_beside_what_it_means():
    (row,) = rows(FILES / "guidellm-0.8.1" / "mixed-c8" / "benchmarks.json", *SERVED)
    assert row["measured_ms"] == pytest.approx(85, rel=0.005) and row["definition"] == "per token"
    assert row["says"]["tpot"]["mean"] == pytest.approx(91, rel=0.005)
    assert row["says"]["tpot"]["definition"] == "first token in, per token"
    assert (row["tool"], row["version"]) == ("GuideLLM", "0.8.1")


def test_tables_answer_every_row_that_can_be_and_name_what_is_wrong_with_others(table):
    path = table(
        {},
        {"model": "Nothing-7B"},
        {"hardware": "abacus"},
        {"n_acc": "", "config": ""},
        {"osl": ""},
        {"precision": "fp7"},
        {"interactivity_tok_s_user": "", "concurrency": ""},
        {"scenario": "disagg"},
        {"interactivity_tok_s_user": "", "tput_per_acc": "100", "unit": "TOTAL (in+out) tok/s per GPU"},
    )
    found = rows(path)
    assert [bool(row["why_not"]) for row in found] == [False, *[True] * 7, False]
    reasons = [
        "the model is missing ('Nothing-7B' is not in data/models.csv): give --model",
        "the system is missing ('abacus' is not in data/systems.csv): give --system",
        "the number of accelerators is not in the file: give --accelerators",
        "the output length is not in the file: give --output",
        "weights = 'fp7' is not allowed",
        "the number of requests at a time is not in the file: give --concurrency",
        "prefill and decode on accelerators of their own",
    ]
    for row, reason in zip(found[1:8], reasons, strict=True):
        assert row["why_not"].startswith(reason) and "\n" not in row["why_not"]
    assert found[0]["measured_ms"] == pytest.approx(20) and found[0]["hardware"] == "h200"
    assert found[0]["part"] == "row 2" and found[0]["interactivity_tok_s_user"] == "50"
    assert found[8]["measured_ms"] == pytest.approx(1e3 * 16 / (8 * 100 / 2)) and found[8]["definition"] == "throughput"
    shown = call(path).stdout
    assert "not answered:" in shown and "give --accelerators" in shown


def test_tables_are_answered_as_service_answers_them(table, tmp_path):
    cells = [{}, {"config": "tp3 ep1"}, {"config": "tp4 dp2 ep8", "model": "DeepSeek-R1"}, {"hardware": "mi300x"}]
    path = table(*cells, {"precision": "fp4", "hardware": "b200", "n_acc": ""}, {"spec_decoding": "mtp"})
    asked = json.loads(CliRunner().invoke(main, ["service", "--rows", str(path), "--json"]).stdout)["rows"]
    for own, other in zip(rows(path), asked, strict=True):
        assert own["why_not"] is other["why_not"] is None
        for key in ("measured_ms", "floor_ms", "forecast_ms", "low_ms", "high_ms", "ratio"):
            assert own[key] == pytest.approx(other[key]), key
    other = tmp_path / "other.csv"
    other.write_text(
        "model_name,hw,tp_size,max_concurrency,input_len,output_len,median_tpot_ms,weights\n"
        "Llama 3 8B,h100,2,8,512,128,9.5,fp8\n"
    )
    (row,) = rows(other)
    assert (row["measured_ms"], row["accelerators"], row["weights"]) == (pytest.approx(9.5), 2, "fp8")


def test_options_fill_what_rows_lack(table):
    path = table({"n_acc": "", "config": "", "osl": ""})
    (row,) = rows(path, "--accelerators", 8, "--output", 1024)
    assert row["taken"]["accelerators"] == row["taken"]["output_tokens"] == "option"
    assert row["floor_ms"] == rows(table({}))[0]["floor_ms"]


DOUBTS = {  # code: cells of a row that raise it, and cells that do not
    "faster-than-floor": ({"interactivity_tok_s_user": "900"}, {"interactivity_tok_s_user": "100"}),
    "prefix-cache": ({"isl": "100000", "ttft_s": "0.01"}, {"isl": "100000", "ttft_s": "10"}),
    "littles-law": (
        {"ttft_s": "0.5", "tput_per_acc": "200", "unit": "output tok/s"},
        {"ttft_s": "0.5", "tput_per_acc": "96", "unit": "output tok/s"},
    ),
}


@pytest.mark.parametrize("code", DOUBTS)
def test_doubts_that_need_model_and_system(code, table):
    raising, clean = rows(table(*DOUBTS[code]))
    assert codes(raising) == [code] and codes(clean) == []
    assert raising["doubts"][0]["text"] in call(table(DOUBTS[code][0])).stdout


def test_what_is_not_in_the_file_is_asked_for_and_taken_from_options():
    server = FILES / "loadgen-6.0.17" / "Server" / "mlperf_log_summary.txt"
    assert line(server, *SERVED) == f"{server}, Server, INVALID: the input length is not in the file: give --input"
    (row,) = rows(server, *SERVED, "--input", 512)
    assert row["measured_ms"] == pytest.approx(12.624506) and row["taken"]["input_tokens"] == "option"
    assert "Little's law" in row["taken"]["concurrency"]
    offline = FILES / "loadgen-6.0.17" / "Offline" / "mlperf_log_summary.txt"
    assert line(offline, *SERVED).endswith("the number of requests at a time is not in the file: give --concurrency")
    (row,) = rows(offline, *SERVED, "--input", 512, "--concurrency", 64)
    assert row["measured_ms"] == pytest.approx(64e3 / 1940.74) and row["definition"] == "throughput"


def test_a_rate_that_counts_prompts_is_taken_apart():
    path = FILES / "vllm-0.32.0" / "real-throughput.json"
    (row,) = rows(path, *SERVED, "--input", 128, "--output", 32, "--concurrency", 32)
    assert row["output_tokens_per_s"] == pytest.approx(11372.476 / 5)
    (row,) = rows(
        FILES / "vllm-0.32.0" / "real-latency.json", *SERVED, "--input", 32, "--output", 16, "--concurrency", 4
    )
    assert row["measured_ms"] == pytest.approx(688.272 / 16) and row["definition"] == "one batch, first token in"


def test_llama_bench_brings_the_size_of_its_weights(tmp_path):
    record = {"model_type": "llama 8B Q4_K - Medium", "model_size": 4912898304, "model_n_params": 8030261248}
    record |= {"n_prompt": 0, "n_gen": 128, "n_depth": 512, "avg_ns": 1280000000}
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    (row,) = rows(tmp_path / "a.jsonl", *SERVED[:4], "--accelerators", 1)
    assert row["measured_ms"] == pytest.approx(10) and row["concurrency"] == 1
    assert row["weights"] in ("int4", "fp4") and "4.89 bits" in row["taken"]["weights"]
    refused = line(tmp_path / "a.jsonl", "--model", "Llama 3 70B", *SERVED[2:])
    assert "disagrees with the file's 'llama 8B Q4_K - Medium' of 8.03 billion" in refused


@pytest.mark.parametrize(
    ("named", "model", "refused"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "Llama 3 70B", "which measured 'meta-llama/Llama-3.1-8B-Instruct'"),
        ("my-tuned-8B", "Llama 3 70B", "it disagrees with the file's 'my-tuned-8B' of 8 billion parameters"),
        ("meta-llama/Llama-3.1-8B-Instruct", "Llama 3.1 8B", ""),
        ("my-tuned-8B-4bit", "Llama 3 8B", ""),
        ("prod", "Llama 3 70B", ""),
    ],
)
def test_a_model_and_a_file_that_disagree(named, model, refused, tmp_path):
    content = json.loads(PLAIN.read_text()) | {"model_id": named}
    (tmp_path / "a.json").write_text(json.dumps(content))
    arguments = (tmp_path / "a.json", "--model", model, *SERVED[2:])
    if refused:
        assert refused in line(*arguments)
    else:
        assert rows(*arguments)[0]["why_not"] is None


def test_a_model_that_the_file_names_needs_no_option(tmp_path):
    content = json.loads(PLAIN.read_text()) | {"model_id": "meta-llama/Llama-3.1-8B-Instruct"}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert rows(tmp_path / "a.json", *SERVED[2:])[0]["taken"]["model"] == "file"
    assert line(PLAIN, *SERVED[2:]).endswith(
        "('exact' is not in data/models.csv): give --model, a name or a config.json"
    )
    assert "the file does not name it): give --system" in line(PLAIN, *SERVED[:2])
    assert line(PLAIN, *SERVED[:4]).endswith("the number of accelerators is not in the file: give --accelerators")


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        ((*SERVED[:1], "Lama 3", *SERVED[2:]), "model = 'Lama 3' is not allowed"),
        ((*SERVED[:3], "H201", *SERVED[4:]), "system = 'H201' is not allowed"),
        ((*SERVED, "--weights", "fp7"), "weights = 'fp7' is not allowed: it must be one of"),
        ((*SERVED[:3], "A100", *SERVED[4:], "--arithmetic", "fp8"), "arithmetic = 'fp8' is not allowed on A100"),
        ((*SERVED, "--tensor", 3), "tensor = 3 is not allowed"),
    ],
)
def test_options_that_are_not_allowed(arguments, start):
    assert line(PLAIN, *arguments).startswith(f"{PLAIN}: {start}")


def test_other_options_that_are_not_allowed(tmp_path):
    assert line(PLAIN, *SERVED, "--usd-per-hour", -1).startswith("--usd-per-hour = -1")
    assert line(PLAIN, *SERVED, "--concurrency", "nan").startswith("--concurrency = nan")
    assert line(PLAIN, *SERVED, "--plot", tmp_path / "a.doc").startswith("--plot = ")


def test_files_that_are_no_results_are_one_line(tmp_path):
    bad = tmp_path / "a.json"
    bad.write_text('{"completed": 3, "mean_ttft_ms": 2')
    assert line(bad, *SERVED).startswith(f"{bad}: it ends in the middle (line 1)")
    both = rows(bad, PLAIN, *SERVED)
    assert both[0]["why_not"].startswith("it ends in the middle") and both[1]["why_not"] is None
    content = json.loads(PLAIN.read_text()) | {"completed": 0, "failed": 32}
    bad.write_text(json.dumps(content))
    assert (
        line(bad, *SERVED) == f"{bad}: all 32 requests failed: there is nothing to measure; the server's log says why"
    )


def test_the_same_prompts_in_two_files():
    sglang = FILES / "sglang-0.5.23" / "plain-c8.jsonl"
    first, second = rows(sglang, sglang, *SERVED)
    assert "repeated-prompts" not in codes(first) and "repeated-prompts" in codes(second)


def test_a_table_and_a_picture_are_written(tmp_path):
    paths = (PLAIN, FILES / "tokenomics-0.10.0" / "mixed" / "8.json")
    made = call(*paths, *SERVED, "--csv", tmp_path / "a.csv", "--plot", tmp_path / "a.svg", "--usd-per-hour", 2)
    assert made.exit_code == 0, made.output
    found = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))
    assert [round(float(row["measured_ms"])) for row in found] == [50, 63]
    assert float(found[0]["ratio"]) == pytest.approx(float(found[0]["forecast_ms"]) / float(found[0]["measured_ms"]))
    assert found[1]["doubts"] == "short-outputs" and float(found[0]["usd_per_million_output_tokens"]) > 0
    picture = (tmp_path / "a.svg").read_text()
    assert picture.startswith("<svg") and measured.YOURS in picture and measured.THEIRS in picture
    shown = made.stdout
    assert max(map(len, shown.splitlines())) < 400
    for part in ("not in the file", "floor", "forecast", "published", "its own ITL", "doubt", "$"):
        assert part in shown


def test_rows_are_kept_and_judged_the_same_again(tmp_path):
    into = tmp_path / "mine"
    paths = (PLAIN, FILES / "llama-benchy-0.4.0" / "plain.json", FILES / "aiperf-0.13.0" / "mixed-c8")
    first = rows(*paths, *SERVED, "--kv", "fp8", "--into", into)
    frame = facts.load(measured.OWN, into)
    assert list(frame["confidence"]) == ["own measurement"] * 4 and set(frame["date"]) == {"2026-11-27"}
    assert frame["source_url"].iloc[0] == "plain-c8.json"
    again = measured.stored(into)
    assert [answer.ratio for answer in again] == pytest.approx([row["ratio"] for row in first], rel=1e-4)
    rows(*paths, *SERVED, "--kv", "fp8", "--into", into)
    assert len(facts.load(measured.OWN, into)) == 4  # nothing twice
    assert measured.stored(tmp_path) == [] and measured.stored() == []


def test_a_kept_row_keeps_its_config(tmp_path):
    config = {"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32}
    config |= {"num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256}
    path = tmp_path / "tuned" / "config.json"
    path.parent.mkdir()
    path.write_text(json.dumps(config))
    (row,) = rows(PLAIN, "--model", path, *SERVED[2:], "--into", tmp_path / "mine")
    path.unlink()
    (answer,) = measured.stored(tmp_path / "mine")
    assert answer.ratio == pytest.approx(row["ratio"], rel=1e-4)


def test_a_folder_of_someone_elses_is_left_alone(tmp_path):
    (tmp_path / "own_measurements.csv").write_text("a,b\n1,2\n")
    result = call(PLAIN, *SERVED, "--into", tmp_path)
    assert result.exit_code == 1 and "has other columns: name another --into" in result.stderr
    assert (tmp_path / "own_measurements.csv").read_text() == "a,b\n1,2\n"


def test_published_rows_are_read_from_the_books_own_tables():
    found = measured.published()
    assert len(found.settings) > 100
    assert {setting.result.tool for setting in found.settings} == {"table"}
    near = measured.nearest(found.settings[5])
    assert near[0].measured_s == pytest.approx(found.settings[5].seconds)
    assert len(readers.read(facts.DATA / "measured_serving.csv")) == len(facts.load("measured_serving"))


def test_a_run_sees_ones_own_measurements(tmp_path):
    rows(PLAIN, *SERVED, "--into", tmp_path / "mine")
    cells = [
        "mfu: float = 0.4  # utilisation [fraction]",
        "from llm_economics.book.claims import record\nfrom llm_economics.evidence import measured\n"
        'record("own", len(measured.stored()), "count")',
    ]
    made = [nbformat.v4.new_code_cell(source) for source in cells]
    book = nbformat.v4.new_notebook(cells=made, metadata=METADATA)
    book.cells[0].metadata["tags"] = ["parameters"]
    (tmp_path / "chapters").mkdir()
    nbformat.write(book, tmp_path / "chapters" / "small.ipynb")
    command = [
        sys.executable,
        "-m",
        "llm_economics",
        "run",
        "small",
        "--from",
        "chapters",
        "--out",
        "out",
        "--jobs",
        "1",
    ]
    process = subprocess.run([*command, "--data", "mine"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    (found,) = json.loads((tmp_path / "out" / "results.json").read_text())["results"]["small"]
    assert found["value"] == 1


def test_what_a_chapter_is_made_from_includes_ones_own_measurements(tmp_path, monkeypatch):
    rows(PLAIN, *SERVED, "--into", tmp_path)
    chapter = facts.ROOT / "chapters" / "how-good-is-the-napkin.ipynb"
    without = runs.chapter_key(chapter, {})
    monkeypatch.setenv(READERS_FOLDER, str(tmp_path))
    assert runs.chapter_key(chapter, {}) != without and len(measured.stored()) == 1


def test_a_run_refuses_a_folder_without_measurements(tmp_path):
    result = CliRunner().invoke(main, ["run", "--data", str(tmp_path)])
    assert result.exit_code == 1 and "own_measurements.csv is missing" in result.stderr


@pytest.mark.parametrize("name", ["A100", "a100_sxm", "H200", "b200", "MI300X"])
def test_a_system_is_the_one_that_the_catalog_means(name):
    (row,) = rows(PLAIN, "--model", "Llama 3 8B", "--system", name, "--accelerators", 1)
    served, system = facts.served_models("Llama 3 8B", kv="bf16")["bf16"], facts.system(name, 1)
    assert row["floor_ms"] == pytest.approx(
        1e3 * services.forecast(served, system, 8, row["input_tokens"], 33).tpot_floor_s
    )
