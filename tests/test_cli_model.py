"""``llm-economics model``, as a user calls it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from command import Command

from llm_economics import facts
from llm_economics.cli import main
from llm_economics.evidence import calibration
from llm_economics.formulas import architecture, hardware, serving

ORACLE = json.loads((Path(__file__).parent / "oracle" / "config_oracle.json").read_text(encoding="utf-8"))
PUBLISHED = ORACLE["published"]
call = Command("model")
answer, line = call.answer, call.line


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


@pytest.mark.parametrize(("name", "known"), [("dsr1", "DeepSeek-V3"), ("gptoss", "gpt-oss-120b")])
def test_names_that_benchmarks_write(name, known):
    assert answer(name) == answer(known)


@pytest.mark.parametrize(
    ("name", "options", "noted"),
    [
        ("nvidia/DeepSeek-R1-FP4", (), True),
        ("meta-llama/Llama-3.1-8B-Instruct-FP8", (), True),
        ("meta-llama/Llama-3.1-8B-Instruct-FP8", ("--weights", "fp8"), False),
        ("Kimi-K2.5-int4", (), False),
        ("Llama 3 8B", (), False),
    ],
)
def test_a_format_in_a_name_that_the_catalog_does_not_have_is_noted(name, options, noted):
    assert any(note.startswith("the name says") for note in answer(name, *options)["notes"]) == noted


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
        (["gpt-4-leak"], "model = 'gpt-4-leak' is not allowed: of GPT-4 (leaked) only counts are known, no layers"),
        (["nowhere.json"], "config = 'nowhere.json' is not allowed: it cannot be read (No such file"),
        (["dbrx", "--context", "0"], "context = 0 is not allowed"),
        (["dbrx", "--batch", "-1"], "batch = -1 is not allowed"),
        (["dbrx", "--precision", "fp7"], "precision = 'fp7' is not allowed"),
        (["dbrx", "--accelerators", "8"], "accelerators = 8 is not allowed: it needs --system"),
        (["dbrx", "--system", "H200", "--accelerators", "0"], "accelerators = 0 is not allowed"),
        (["dbrx", "--system", "H201"], "system = 'H201' is not allowed: it is not known; nearest are"),
        (["dbrx", "--system", "A100", "--arithmetic", "fp8"], "precision = 'fp8' is not allowed: A100 SXM 80GB has"),
        (["dbrx", "--kv", "fp7"], "kv = 'fp7' is not allowed"),
        (["dbrx", "--memory-share", "1.5"], "memory_share = 1.5 is not allowed"),
        (["gpt-3-175b", "--context", "2049"], "context = 2049 is not allowed: GPT-3 175B has 2,048 learned positions"),
        (["opt-175b", "--context", "2049"], "context = 2049 is not allowed: OPT-175B has 2,048 learned positions"),
        (
            ["dbrx", "--system", "H100", "--accelerators", "3"],
            "accelerators = 3 is not allowed: 3 goes with no copies of the 8 key-value heads; engines take 1, 2, 4",
        ),
    ],
)
def test_refusals(arguments, start):
    assert line(*arguments).startswith(start)


def most(card: float, tensor: int, sizes: dict, weights: float, share: float = 0.9) -> float:
    """What weights and cache may take of an accelerator, of a model of these sizes that has its weights in all."""
    large = min(max(card / 2**30 - 60, 0) / 10, 1)
    links = 0.2e9 + 1.8e9 * large if tensor > 1 else 0.0
    inside = 3 * 2 * sizes["width"] / tensor
    if sizes.get("experts"):
        inside = max(inside, sizes["experts"] * (3 * 2 * sizes["expert_width"] / tensor + 2 * sizes["hidden"]))
    activations = 8192 * (3 * 2 * sizes["hidden"] + inside)
    few, many = (39 * sizes["vocabulary"] * sequences for sequences in (256, 256 + 768 * large))
    filled = share * card - min(0.3e9 + links, 0.1 * card)
    return filled - min(max(activations, many), max(activations, few, (filled - weights / tensor) / 2))


LLAMA_70B = {"hidden": 8192, "width": 28672, "vocabulary": 128256}
DEEPSEEK_V3 = {"hidden": 7168, "width": 18432, "vocabulary": 129280, "experts": 8, "expert_width": 2048}
JAMBA = {"hidden": 4096, "width": 14336, "vocabulary": 65536, "experts": 2, "expert_width": 14336}


def test_systems_are_the_fewest_that_hold_it():
    found = answer("Llama 3 70B", "--context", 32768, "--batch", 4)
    assert [row["system"] for row in found["systems"]] == list(facts.systems())
    weights, cache = found["checkpoint"]["bytes"], 4 * 32768 * found["kv_bytes_per_token"]
    for row in found["systems"]:
        system = facts.system(row["system"], 1)

        def held(tensor, stages, card=system.accelerator.memory_bytes):
            fullest = -(-80 // stages) / 80
            room = most(card, tensor, LLAMA_70B, weights * fullest)
            return (weights / tensor + cache / min(tensor, 8)) * fullest <= room

        splits = [(t, p) for t in (1, 2, 4, 8, 16, 32, 64) for p in range(1, 81) if held(t, p)]
        domain = system.domain_size
        splits = [(t, p) for t, p in splits if t <= domain and (t * p <= domain or domain % t == 0)]
        assert row["accelerators"] == min(t * p for t, p in splits) == row["tensor"] * row["pipeline"], row["system"]
    h200 = next(row for row in found["systems"] if row["system"] == "HGX H200")
    # Two of them hold it: the weights but for the embedding table, and the cache, are read once.
    read = weights + cache - 2 * 128256 * 8192
    assert h200["decode_ms"] == pytest.approx(read / (2 * 4.8e12) * 1e3)
    assert h200["tokens_per_second_per_user"] == pytest.approx(1e3 / h200["decode_ms"])
    assert h200["tokens_per_second_per_accelerator"] == pytest.approx(4e3 / h200["decode_ms"] / 2)
    assert h200["binds"] == "memory"


def test_stages_hold_whole_layers():
    rows = {row["system"]: row for row in answer("Llama 3 70B")["systems"]}
    card = rows["DGX-1 V100"]
    assert (card["tensor"], card["pipeline"]) == (1, 5)  # of 80 layers
    assert rows["HGX A100 40GB"]["accelerators"] == 4
    long = {row["system"]: row for row in answer("Llama 3 70B", "--context", 131072)["systems"]}
    assert (long["DGX-1 V100"]["tensor"], long["DGX-1 V100"]["pipeline"]) == (1, 7)  # the fullest has 12 of 80


def test_weights_of_four_bits_are_computed_in_16_bits():
    rows = {row["system"]: row for row in answer("DBRX", "--precision", "int4")["systems"]}
    for name in ("HGX H100", "HGX A100 80GB", "MI300X x 8", "TPU v5p slice"):
        assert rows[name]["accelerators"] == 1, name
        assert rows[name]["arithmetic"] == "bf16"
        assert rows[name]["decode_ms"] > 0
    assert {row["arithmetic"] for row in answer("DBRX", "--precision", "fp8")["systems"]} >= {"fp8", "bf16"}


def test_each_precision_can_be_asked_for_alone():
    arguments = ("Llama 3 70B", "--system", "H100", "--accelerators", 8)
    plain = answer(*arguments)
    assert plain["precisions"] == {"weights": "bf16", "arithmetic": "bf16", "kv": "bf16"}
    short = answer(*arguments, "--precision", "fp8")
    assert short["precisions"] == {"weights": "fp8", "arithmetic": "fp8", "kv": "bf16"}
    each = answer(*arguments, "--precision", "fp8", "--weights", "int4", "--arithmetic", "bf16", "--kv", "fp8")
    assert each["precisions"] == {"weights": "int4", "arithmetic": "bf16", "kv": "fp8"}
    assert each["held_bytes"] < short["held_bytes"] < plain["held_bytes"]
    assert answer(*arguments, "--kv", "fp8")["cache_tokens"] == pytest.approx(2 * plain["cache_tokens"], rel=1e-5)
    on_a100 = answer("Llama 3 70B", "--system", "A100", "--accelerators", 8, "--precision", "fp8")
    assert on_a100["precisions"]["arithmetic"] == "bf16"


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
    # Eight share its heads and blocks of 128; at the weights' size five would do.
    assert answer("DeepSeek-V3", "--system", "H200", "--precision", "fp8")["accelerators"] == 8


def test_what_does_not_fit_is_counted_and_the_rest_is_named(file):
    config = PUBLISHED["DeepSeek-V3"]
    path = file({key: value for key, value in config["config"].items() if key != "quantization_config"})
    found = answer(path, "--system", "H100", "--accelerators", 8, "--precision", "bf16")
    assert found["total_parameters"] == config["total"]
    assert found["fits"] is False
    weights = found["held_bytes"]
    assert weights == pytest.approx(2 * config["total"], rel=1e-5)
    room = 8 * most(80 * 2**30, 8, DEEPSEEK_V3, weights)
    assert found["missing_bytes"] == pytest.approx(weights + 8 * 8192 * 70272 - room, abs=10)
    shown = call(path, "--system", "H100", "--accelerators", 8, "--precision", "bf16").stdout
    assert "are missing in this split" in shown and "in tensor parallelism over all of them" in shown
    assert found["decode_ms"]["floor"] > 0


def test_states_count_and_only_attention_attends(file):
    path = file(PUBLISHED["Jamba-v0.1"]["config"])
    found = answer(path, "--context", 65536, "--batch", 1024, "--system", "H100")
    state = 1024 * 28 * 8192 * (16 * 4 + 4 * 2)
    cache = 1024 * 65536 * 4 * 2 * 8 * 128 * 2
    row = next(row for row in found["systems"] if row["system"] == "HGX H100")
    t, p = row["tensor"], row["pipeline"]
    fullest = -(-32 // p) / 32
    weights = found["checkpoint"]["bytes"] * fullest
    assert (found["checkpoint"]["bytes"] / t + cache / min(t, 8) + state / t) * fullest <= most(
        80 * 2**30, t, JAMBA, weights
    )
    flops = found["forward_flops_per_token"]
    assert flops["full_context"] - flops["weights"] == 4 * 4 * 32 * 128 * 65536 + 28 * 2 * 8192 * 16


def test_table_for_people(file):
    shown = call(file(PUBLISHED["gpt-oss-20b"]["short"]), "--system", "H100", "--context", 1024).stdout
    for part in ("my-model (gpt_oss)", "20,914,757,184 in all, 4,187,440,704 active", "41.8 GB bf16", "HGX B200"):
        assert part in shown
    assert "defaulted" in shown
    assert "expected" in shown
    assert max(map(len, shown.splitlines())) < 250


def test_an_answer_is_that_of_the_file_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("LLM_ECONOMICS_CACHE", str(tmp_path / "kept"))
    path = tmp_path / "config.json"
    small = {"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4}
    path.write_text(json.dumps(small), encoding="utf-8")
    first = CliRunner().invoke(main, ["model", str(path), "--json"]).output
    assert CliRunner().invoke(main, ["model", str(path), "--json"]).output == first
    path.write_text(json.dumps(small | {"num_hidden_layers": 3}), encoding="utf-8")
    more = json.loads(CliRunner().invoke(main, ["model", str(path), "--json"]).output)
    assert more["total_parameters"] > json.loads(first)["total_parameters"]
    assert not (tmp_path / "kept").exists()  # nothing is validated, so nothing is kept
    path.write_text(json.dumps(small), encoding="utf-8")
    assert CliRunner().invoke(main, ["model", str(path), "--json"]).output == first
    (tmp_path / "hf_quant_config.json").write_text('{"quantization": {"quant_algo": "FP8"}}', encoding="utf-8")
    beside = json.loads(CliRunner().invoke(main, ["model", str(path), "--json"]).output)
    assert beside["checkpoint"]["bytes"] < json.loads(first)["checkpoint"]["bytes"]


def test_weights_have_whole_bytes(tmp_path):
    shape = {"hidden_size": 15, "num_attention_heads": 3, "num_key_value_heads": 1, "intermediate_size": 37}
    config = {"model_type": "qwen2", "vocab_size": 100, "num_hidden_layers": 1, "tie_word_embeddings": True, **shape}
    totals = set()
    for vocab in (100, 101):
        (tmp_path / "config.json").write_text(json.dumps(config | {"vocab_size": vocab}))
        answer = json.loads(CliRunner().invoke(main, ["model", str(tmp_path / "config.json"), "--json"]).stdout)
        totals.add(answer["total_parameters"] % 2)
        assert answer["weight_bytes"]["int4"] == (answer["total_parameters"] + 1) // 2
        assert all(type(size) is int for size in answer["weight_bytes"].values())
    assert totals == {0, 1}


def test_the_first_answer_loads_little(tmp_path):
    """What takes long to load is not asked for: the files of the book are read as they were validated."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "deepseek_v32"}), encoding="utf-8")
    code = (
        "import sys; from click.testing import CliRunner; before = set(sys.modules)\n"
        "from llm_economics.cli import main\n"
        f"assert CliRunner().invoke(main, ['model', {str(path)!r}, '--json']).exit_code == 0\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before} & set(sys.argv[1].split())))\n"
        "print(*sorted(name for name in sys.modules if name.startswith('llm_economics.facts.')))"
    )
    slow = "numpy pandas pydantic pint yaml dataclasses hashlib tempfile statistics fractions difflib zipfile random"
    done = subprocess.run([sys.executable, "-c", code, slow], capture_output=True, text=True, check=True)
    found, rooms = done.stdout.splitlines()
    assert found == ""
    assert rooms == " ".join(f"llm_economics.facts.{room}" for room in ("checked", "chips", "models", "store"))
