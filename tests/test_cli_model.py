"""``llm-economics model``, as a user calls it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from llm_economics import facts
from llm_economics.cli import main
from llm_economics.evidence import calibration
from llm_economics.formulas import architecture, hardware, serving

ORACLE = json.loads((Path(__file__).parent / "oracle" / "config_oracle.json").read_text(encoding="utf-8"))
PUBLISHED = ORACLE["published"]


def call(*arguments: object):
    return CliRunner().invoke(main, ["model", *map(str, arguments)])


def answer(*arguments: object) -> dict:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def line(*arguments: object) -> str:
    """The one line that a refusal prints."""
    result = call(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: ")
    return result.stderr[len("Error: ") :]


@pytest.fixture
def file(tmp_path):
    """Writes a configuration to a file."""

    def write(config: dict) -> Path:
        path = tmp_path / "my-model" / "config.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(config), encoding="utf-8")
        return path

    return write


def test_a_process_prints_json_and_nothing_else(file):
    config = PUBLISHED["Mixtral-8x7B"]
    command = [
        sys.executable,
        "-m",
        "llm_economics",
        "model",
        str(file(config["short"])),
        "--context",
        "4096",
        "--json",
    ]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert process.stderr == ""
    found = json.loads(process.stdout)
    assert (found["total_parameters"], found["active_parameters"]) == (config["total"], config["active"])
    assert (found["name"], found["model_type"]) == ("my-model", "mixtral")
    assert set(found["defaulted"]) == set(found["fields"])
    assert found["weight_bytes"] == {name: config["total"] * size for name, size in hardware.BYTES_PER_VALUE.items()}
    arch = facts.model("Mixtral 8x7B")
    assert found["kv_bytes_per_token"] == architecture.kv_bytes_per_token(arch)
    assert found["state_bytes_per_sequence"] == 0
    assert found["forward_flops_per_token"] == {
        convention: architecture.forward_flops_per_token(arch, 4096, convention)
        for convention in architecture.CONVENTIONS
    }


def test_a_process_refuses_in_one_line():
    command = [sys.executable, "-m", "llm_economics", "model", '{"model_type": "lama"}']
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr.startswith("Error: model_type = 'lama' is not allowed: it is not known; nearest are llama")
    assert process.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["Llama 3 70B", "llama-3-70b", "LLAMA_3_70B", "Llama 3 70B (=3.1 70B)"])
def test_names_are_forgiving(name):
    assert answer(name)["total_parameters"] == 70_553_706_496


def test_folder_and_nested_file(file):
    folder = file(PUBLISHED["Gemma-3-4b"]["config"]).parent
    found = answer(folder)
    assert found["total_parameters"] == PUBLISHED["Gemma-3-4b"]["total"]
    assert found["model_type"] == "gemma3_text"
    assert "vision_config" in found["notes"][0] or "text_config" in found["notes"][0]


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["Lama 3 70B"], "model = 'Lama 3 70B' is not allowed: it is not in data/models.csv; nearest are Llama 3 70B"),
        (["nowhere.json"], "config = 'nowhere.json' is not allowed: it cannot be read (No such file"),
        (["dbrx", "--context", "0"], "context = 0 is not allowed"),
        (["dbrx", "--batch", "-1"], "batch = -1 is not allowed"),
        (["dbrx", "--precision", "fp7"], "precision = 'fp7' is not allowed"),
        (["dbrx", "--accelerators", "8"], "accelerators = 8 is not allowed: it needs --system"),
        (["dbrx", "--system", "H200", "--accelerators", "0"], "accelerators = 0 is not allowed"),
        (["dbrx", "--system", "H201"], "system = 'H201' is not allowed: it is not known; nearest are"),
        (["dbrx", "--system", "A100", "--precision", "fp8"], "precision = 'fp8' is not allowed: A100 SXM 80GB has"),
    ],
)
def test_refusals(arguments, start):
    assert line(*arguments).startswith(start)


def test_systems_are_the_fewest_that_hold_it():
    found = answer("Llama 3 70B", "--context", 32768, "--batch", 4)
    assert [row["system"] for row in found["systems"]] == list(facts.systems())
    bytes_needed = found["weight_bytes"]["bf16"] + 4 * 32768 * found["kv_bytes_per_token"]
    for row in found["systems"]:
        memory = facts.system(row["system"], 1).accelerator.memory_bytes
        assert (row["accelerators"] - 1) * memory < bytes_needed <= row["accelerators"] * memory
    h200 = next(row for row in found["systems"] if row["system"] == "HGX H200")
    # Two of them hold it: the weights but for the embedding table, and the cache, are read once.
    read = bytes_needed - 2 * 128256 * 8192
    assert h200["decode_ms"] == pytest.approx(read / (2 * 4.8e12) * 1e3)
    assert h200["tokens_per_second_per_user"] == pytest.approx(1e3 / h200["decode_ms"])
    assert h200["tokens_per_second_per_accelerator"] == pytest.approx(4e3 / h200["decode_ms"] / 2)
    assert h200["binds"] == "memory"


def test_a_chip_without_the_precision_still_holds_it():
    rows = {row["system"]: row for row in answer("DBRX", "--precision", "int4")["systems"]}
    assert rows["HGX H100"]["accelerators"] == 1
    assert rows["HGX H100"]["why_not"] == "no int4 peak is known"
    assert "decode_ms" not in rows["HGX H100"]


@pytest.mark.parametrize("name", ["H200", "H200 SXM", "h200_sxm", "hgx-h200"])
def test_a_decode_step(name):
    found = answer("Llama 3 70B", "--system", name, "--accelerators", 8, "--batch", 16, "--context", 4096)
    served = serving.model_from_architecture(facts.model("Llama 3 70B"))
    system = facts.system("H200", 8)
    step, expected = found["decode_ms"], calibration.expected_decode(served, system, 16, 4096)
    assert step["floor"] == pytest.approx(serving.decode(served, system, 16, 4096).seconds * 1e3)
    assert step["expected"] == pytest.approx(
        {"value": expected.value_s * 1e3, "low": expected.low_s * 1e3, "high": expected.high_s * 1e3}
    )
    assert step["floor"] <= step["expected"]["low"] < step["expected"]["value"] < step["expected"]["high"]
    assert step["binds"] == "memory"
    assert (found["accelerators"], found["fits"], found["missing_bytes"]) == (8, True, 0)
    assert found["tensor_parallel"] == 8 and step["calibrated"] is True


@pytest.mark.parametrize(
    ("system", "calibrated"), [("A100", True), ("GB300", True), ("CS-3", False), ("MI300X", False)]
)
def test_an_expectation_for_a_chip_that_was_never_timed_says_so(system, calibrated):
    arguments = ("Llama 3 8B", "--system", system, "--accelerators", 1)
    assert answer(*arguments)["decode_ms"]["calibrated"] is calibrated
    assert ("no step of such a chip was timed" in call(*arguments).stdout) is not calibrated


def test_default_is_the_fewest_that_hold_it():
    assert answer("Llama 3 70B", "--system", "H100")["accelerators"] == 2
    # One latent vector serves all heads, so that each accelerator keeps all of the cache.
    assert answer("DeepSeek-V3", "--system", "H200", "--precision", "fp8")["accelerators"] == 5


def test_what_does_not_fit_is_counted_and_the_rest_is_named(file):
    config = PUBLISHED["DeepSeek-V3"]
    path = file(config["config"])
    found = answer(path, "--system", "H100", "--accelerators", 8)
    assert found["total_parameters"] == config["total"]
    assert found["fits"] is False
    held = 8 * 80 * 2**30
    assert found["missing_bytes"] == pytest.approx(2 * config["total"] + 8 * 8192 * 70272 - held, abs=1)
    shown = call(path, "--system", "H100", "--accelerators", 8).stdout
    assert "no, 659 GB are missing in this split" in shown and "in tensor parallelism over all of them" in shown
    assert found["decode_ms"]["floor"] > 0


def test_states_count_and_only_attention_attends(file):
    path = file(PUBLISHED["Jamba-v0.1"]["config"])
    found = answer(path, "--context", 65536, "--batch", 4096, "--system", "H100")
    total = found["weight_bytes"]["bf16"] + 4096 * (65536 * 4 * 2 * 8 * 128 * 2 + 28 * 8192 * 20 * 2)
    row = next(row for row in found["systems"] if row["system"] == "HGX H100")
    assert (row["accelerators"] - 1) * 80 * 2**30 < total <= row["accelerators"] * 80 * 2**30
    flops = found["forward_flops_per_token"]
    assert flops["full_context"] - flops["weights"] == 4 * 4 * 32 * 128 * 65536


def test_table_for_people(file):
    shown = call(file(PUBLISHED["gpt-oss-20b"]["short"]), "--system", "H100", "--context", 1024).stdout
    for part in ("my-model (gpt_oss)", "20,914,757,184 in all, 4,187,440,704 active", "41.8 GB bf16", "HGX B200"):
        assert part in shown
    assert "defaulted" in shown
    assert "expected" in shown
    assert max(map(len, shown.splitlines())) < 250
