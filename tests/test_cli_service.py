"""``llm-economics service``, as a user calls it."""

import csv
import json

import pytest
from command import Command

from llm_economics import facts
from llm_economics.evidence import deployments
from llm_economics.formulas.serving import stored_in

ASKED = ("DeepSeek-R1", "--system", "H200", "--accelerators", 8, "--concurrency", 16, "--input", 1024, "--output", 1024)
call = Command("service")
answer, line = call.answer, call.line


def test_one_service():
    found = answer(*ASKED, "--usd-per-hour", 3)
    for times in (found["tpot_ms"], found["ttft_ms"]):
        assert set(times) == {"floor", "value", "low", "high"}
        assert 0 < times["floor"] <= times["low"] < times["value"] < times["high"]
    assert found["tokens_per_s_per_user"] == pytest.approx(1e3 / found["tpot_ms"]["value"])
    assert set(found["usd_per_million_tokens"]) == {"input", "cached", "output"}
    assert found["binds"] in found["terms_ms"] and found["fits"] is True
    seconds = found["ttft_ms"]["value"] / 1e3 + 1.024 * found["tpot_ms"]["value"]
    assert found["output_tokens_per_s_per_accelerator"] == pytest.approx(16 * 1024 / seconds / 8)
    evidence = found["evidence"]
    assert evidence["chip_measured"] and evidence["model_measured"] and evidence["services"] > 300


def test_options_reach_the_forecast():
    plain = answer(*ASKED)
    assert (plain["weights"], plain["arithmetic"], plain["kv"], plain["tensor"], plain["expert"]) == (
        "fp8", "fp8", "fp8", 8, 1,
    )  # fmt: skip
    wide = answer(*ASKED, "--weights", "bf16", "--accelerators", 16)
    assert wide["kv"] == "bf16" and wide["arithmetic"] == "bf16"
    assert answer(*ASKED, "--kv", "bf16")["tpot_ms"]["value"] > plain["tpot_ms"]["value"]
    assert answer(*ASKED, "--arithmetic", "bf16")["arithmetic"] == "bf16"
    assert answer(*ASKED, "--expert", 8)["tpot_ms"]["value"] != plain["tpot_ms"]["value"]
    spread = answer(*ASKED, "--tensor", 1, "--expert", 8)
    assert (spread["tensor"], spread["data"], spread["expert"]) == (1, 8, 8)
    assert answer(*ASKED, "--weights", "fp4")["arithmetic"] == "bf16"
    long = (*ASKED[:-4], "--input", 8192, "--output", 128)
    assert answer(*long, "--cached-share", 0.9)["tpot_ms"]["value"] < 0.8 * answer(*long)["tpot_ms"]["value"]
    assert answer(*ASKED, "--drafted", 2)["tpot_ms"]["value"] < plain["tpot_ms"]["value"]


LLAMA = {
    "model_type": "llama", "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
    "num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 128256, "torch_dtype": "bfloat16",
}  # fmt: skip
BLOCKS = {"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}
MODELOPT = {
    "producer": {"name": "modelopt", "version": "0.23"},
    "quantization": {
        "quant_algo": "NVFP4",
        "kv_cache_quant_algo": "FP8",
        "group_size": 16,
        "exclude_modules": ["lm_head"],
    },
}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}


@pytest.mark.parametrize(
    ("files", "system", "formats"),
    [
        ({"config.json": LLAMA}, "H200", ("bf16", "bf16", "bf16")),
        ({"config.json": LLAMA | {"quantization_config": BLOCKS}}, "H200", ("fp8", "fp8", "bf16")),
        ({"config.json": LLAMA | {"quantization_config": BLOCKS}}, "A100", ("fp8", "bf16", "bf16")),
        ({"config.json": LLAMA, "hf_quant_config.json": MODELOPT}, "B200", ("fp4", "fp4", "fp8")),
        ({"config.json": LLAMA, "hf_quant_config.json": MODELOPT}, "H200", ("fp4", "bf16", "fp8")),
        ({"config.json": LLAMA | {"quantization_config": AWQ}}, "B200", ("int4", "bf16", "bf16")),
    ],
)
def test_a_folder_is_served_in_the_formats_of_its_checkpoint(files, system, formats, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    asked = ("--system", system, "--accelerators", 8, "--concurrency", 8)
    found = answer(tmp_path, *asked)
    assert (found["weights"], found["arithmetic"], found["kv"]) == formats
    assert answer(tmp_path / "config.json", *asked)["tpot_ms"] == found["tpot_ms"]
    named = answer("Llama 3.3 70B", *asked, "--weights", formats[0], "--arithmetic", formats[1], "--kv", formats[2])
    assert found["tpot_ms"]["value"] == pytest.approx(named["tpot_ms"]["value"])
    assert answer(tmp_path, *asked, "--weights", "int8")["weights"] == "int8"


def test_what_a_checkpoint_leaves_in_sixteen_bits_is_read_in_sixteen_bits(tmp_path):
    """A mixture whose experts alone are in 4 bits, and one in which everything is."""
    mixture = {
        "model_type": "qwen3_moe", "hidden_size": 4096, "num_hidden_layers": 94, "num_attention_heads": 64,
        "num_key_value_heads": 4, "head_dim": 128, "vocab_size": 151936, "num_experts": 128, "num_experts_per_tok": 8,
        "moe_intermediate_size": 1536, "intermediate_size": 12288, "decoder_sparse_step": 1, "mlp_only_layers": [],
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(mixture), encoding="utf-8")
    speeds = []
    for left in (["lm_head"], ["lm_head", "*self_attn*"]):
        how = MODELOPT | {"quantization": MODELOPT["quantization"] | {"exclude_modules": left}}
        (tmp_path / "hf_quant_config.json").write_text(json.dumps(how), encoding="utf-8")
        speeds.append(
            answer(tmp_path, "--system", "B200", "--accelerators", 4, "--concurrency", 1)["terms_ms"]["weights"]
        )
    assert speeds[1] > 2 * speeds[0]


OWN = """
accelerator: {name: mine, memory_gb: 141, memory_tb_per_s: 4.8, peak_tflops: {bf16: 989.4, fp8: 1978.9}}
accelerators: 8
scale_up: {bandwidth_gb_per_s: 450, latency_us: 5}
"""


def test_every_command_takes_a_readers_own_system(tmp_path):
    """Described as the catalog describes the H200, it answers as the H200 does, without its price."""
    path = tmp_path / "mine.yaml"
    path.write_text(OWN)
    chip = facts.accelerator("H200")
    asked = ("Llama 3.3 70B", "--concurrency", 16)
    mine, theirs = (answer(*asked, "--system", system) for system in (path, "H200"))
    assert mine["accelerator"] == "mine" and mine["accelerators"] == 8 and mine["usd_per_hour"] is None
    memory = 141e9 * 8 / mine["held_bytes"]
    assert mine["fits"] and memory > 1
    faster = chip.memory_bandwidth / 4.8e12
    assert mine["tpot_ms"]["floor"] == pytest.approx(theirs["tpot_ms"]["floor"] * faster, rel=1e-3)
    assert mine["evidence"]["chip_measured"] is False
    step = Command("model").answer("Llama 3.3 70B", "--system", path, "--weights", "fp8")
    assert step["system"].startswith("mine") and step["held_bytes"] == mine["held_bytes"]
    assert (step["weights"], step["tensor"]) == ("fp8", step["tensor_parallel"])
    ranked = answer(*asked[:1], "--system", path, "--system", "H200", "--tokens-per-s", 30, "--usd-per-hour", 2)["rows"]
    assert {row["accelerator"] for row in ranked} == {"mine", "H200 SXM"}
    assert line(*asked, "--system", tmp_path / "none.yaml").startswith("system file")


def test_a_name_is_asked_for_in_the_format_that_it_is_published_in():
    asked = ("--system", "B200", "--accelerators", 4, "--concurrency", 8)
    for name, weights in (
        ("gpt-oss-120b", "fp4"),
        ("Llama 3.3 70B", "fp8"),
        ("nvidia/Llama-3.3-70B-Instruct-FP4", "fp4"),
    ):
        assert answer(name, *asked)["weights"] == weights


@pytest.mark.parametrize("name", ["Gemma 4 31B", "DeepSeek-V4-Flash", "gpt-oss-120b"])
def test_a_name_is_read_in_the_bytes_of_its_checkpoint(name):
    """Also where parts of it are left in wider formats, or in ones between."""
    checkpoint = facts.published(name).checkpoint
    stored = stored_in(deployments.served(name), checkpoint.weights)
    assert stored.common_bytes == checkpoint.parts["common"]
    assert answer(name, *ASKED[1:])["held_bytes"] == checkpoint.loaded_bytes


def test_four_bits_in_name_alone_are_slower_than_four_bits_throughout():
    asked = ("Gemma 4 31B", "--system", "B200", "--accelerators", 1, "--concurrency", 1)
    stored, narrow = (answer(*asked, *more)["terms_ms"]["weights"] for more in ((), ("--weights", "int4")))
    assert stored > 1.3 * narrow


@pytest.mark.parametrize(
    ("model", "accelerators", "more", "said"),
    [
        ("Llama 3 70B", 3, (), "3 does not divide the 64 heads"),
        ("DeepSeek-V3", 72, (), "72 does not divide the 128 heads"),
        ("DeepSeek-V3", 72, ("--tensor", 8, "--expert", 8), "9 does not divide the expert width of 2,048"),
        ("DeepSeek-V3", 64, ("--tensor", 8, "--expert", 64), None),
        ("Llama 3 70B", 6, ("--tensor", 2), None),
        ("Llama 3 70B", 8, (), None),
        ("gpt-4-leak", 72, (), None),
    ],
)
def test_a_split_that_engines_refuse_is_told_as_one(model, accelerators, more, said):
    asked = (model, "--system", "GB200 NVL72", "--accelerators", accelerators, "--concurrency", 64, *more)
    assert answer(*asked)["split_why_not"] == said
    assert ("engines refuse it" in call(*asked).stdout) == bool(said)


def test_a_cached_prompt_costs_less():
    none, most = (
        answer(*ASKED[:-4], "--input", 8192, "--output", 512, "--cached-share", s, "--usd-per-hour", 3)
        for s in (0, 0.9)
    )
    assert most["usd_per_request"] < none["usd_per_request"]
    assert none["usd_per_million_tokens"]["cached"] < none["usd_per_million_tokens"]["input"]
    assert most["ttft_ms"]["value"] < none["ttft_ms"]["value"]


def test_several_systems_at_a_speed():
    asked = ("Llama 3.3 70B", "--tokens-per-s", 40, "--input", 2048, "--output", 512)
    systems = ("--system", "H200", "--system", "MI300X", "--system", "B200")
    found = answer(*asked, *systems, "--usd-per-hour", 3, "--usd-per-hour", 2, "--usd-per-hour", 9)
    rows = found["rows"]
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert [row["usd_per_request"] for row in rows] == sorted(row["usd_per_request"] for row in rows)
    assert {row["accelerator"]: row["usd_per_hour"] for row in rows}["MI300X"] == 2
    for row in rows:
        assert row["tokens_per_s_per_user"] >= 40 and row["fits"] and row["flips_at_usd_per_hour"] > 0
        assert row["tensor"] * row["data"] == row["accelerators"]
    assert rows[0]["flips_at_usd_per_hour"] > rows[0]["usd_per_hour"]
    assert all(row["flips_at_usd_per_hour"] < row["usd_per_hour"] for row in rows[1:])


def test_all_systems_are_ranked_or_say_why_not():
    found = answer("DeepSeek-R1", "--system", "all", "--tokens-per-s", 20, "--input", 1024, "--output", 512)
    rows = found["rows"]
    assert {row["system"].split(",")[0] for row in rows} == set(facts.systems())
    refused = [row for row in rows if row.get("why_not")]
    assert any("Cerebras" in row["system"] for row in refused)
    priced = [row["usd_per_request"] for row in rows if not row.get("why_not") and row["usd_per_request"] is not None]
    assert len(priced) > 5 and priced == sorted(priced)
    text = call("DeepSeek-R1", "--system", "all", "--tokens-per-s", 20, "--input", 1024, "--output", 512)
    assert text.exit_code == 0 and "flips at" in text.stdout and text.stdout.count("\n") >= len(rows)


def test_rows_of_a_table(tmp_path):
    table = tmp_path / "table.csv"
    with (facts.DATA / "services.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["model"] != "gpt-oss-120b"][::40]
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    found = answer("--rows", table)["rows"]
    assert len(found) == len(rows)
    for row, told in zip(rows, found, strict=True):
        assert {name: told[name] for name in row} == row
        assert told["measured_ms"] == pytest.approx(1e3 / float(row["interactivity_tok_s_user"]))
        if told["why_not"] is None:
            assert told["ratio"] == pytest.approx(told["forecast_ms"] / told["measured_ms"])
            assert told["floor_ms"] <= told["forecast_ms"]
        else:
            assert told["forecast_ms"] is told["ratio"] is None
    assert sum(row["why_not"] is None for row in found) > 20
    plain = call("--rows", table)
    assert plain.exit_code == 0 and len(list(csv.DictReader(plain.stdout.splitlines()))) == len(rows)


def test_a_table_with_few_columns_and_odd_names(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text(
        "model,hardware,n_acc,precision,isl,osl,concurrency\n"
        "nvidia/Llama-3.3-70B-Instruct-FP4,NVIDIA B200-SXM-180GB,2,nvfp4,1024,1024,8\n"
        "DeepSeek-R1-0528,gb300,8,fp4,8192,1024,32\n"
        "Llama-3.3-70B,mi325x,4,fp8,1024,1024,8,one,cell,too,many\n"
        "Llama-3.3-70B,b300\n",
        encoding="utf-8",
    )
    found = answer("--rows", table)["rows"]
    assert [row["why_not"] is None for row in found] == [True, True, True, False]
    assert found[0]["measured_ms"] is None and found[0]["ratio"] is None and found[0]["forecast_ms"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "MODEL is missing"),
        (("DeepSeek-R1",), "system is missing"),
        (("DeepSeek-R1", "--system", "H200"), "concurrency is missing"),
        (("DeepSeek-R1", "--system", "H200", "--system", "B200"), "tokens_per_s is missing"),
        ((*ASKED, "--weights", "fp5"), "weights = 'fp5' is not allowed"),
        ((*ASKED, "--arithmetic", "fp4"), "precision = 'fp4' is not allowed: H200 SXM has"),
        ((*ASKED, "--tensor", 3), "tensor = 3 is not allowed: it must divide 8"),
        ((*ASKED, "--expert", 5), "expert = 5 is not allowed"),
        ((*ASKED, "--cached-share", 2), "cached_share = 2.0 is not allowed"),
        ((*ASKED, "--usd-per-hour", 0), "usd_per_hour = 0.0 is not allowed"),
        ((*ASKED, "--usd-per-hour", 1, "--usd-per-hour", 2), "usd_per_hour = 2 prices is not allowed"),
        ((*ASKED[:-4], "--input", 0), "input = 0.0 is not allowed"),
        (("DeepSeek-R1", "--system", "abacus", "--concurrency", 1), "system = 'abacus' is not allowed"),
        (("Nonesuch", "--system", "H200", "--concurrency", 1), "model = 'Nonesuch' is not allowed"),
        (("./nonesuch", "--system", "H200", "--concurrency", 1), "config = 'nonesuch' is not allowed"),
        (("--rows", "nonesuch.csv"), "nonesuch.csv cannot be read"),
    ],
)
def test_refusals(arguments, said):
    assert line(*arguments).startswith(said)


def test_a_table_that_is_none(tmp_path):
    empty, binary = tmp_path / "empty.csv", tmp_path / "binary.csv"
    empty.write_text("")
    binary.write_bytes(b"\xff\xfe\x00model\x00")
    assert "it is empty" in line("--rows", empty)
    assert "it is no CSV table" in line("--rows", binary)


def test_people_read_lines():
    text = call(*ASKED, "--usd-per-hour", 3).stdout
    assert text.startswith("DeepSeek-V3") and "per token" in text and "never below" in text and "a million" in text
    crowd = call("Llama 3.3 70B", "--system", "H200", "--accelerators", 1, "--concurrency", 500).stdout
    assert "run at a time, the others wait" in crowd
