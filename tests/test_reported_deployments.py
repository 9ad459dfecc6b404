"""What people who size servers reported: each case gives the answer that an engine gives, through the command line."""

import json
import random
from collections import Counter

import configurations
import pytest
from click.testing import CliRunner

from llm_economics.cli import main

OWN = configurations.OWN | {"max_position_embeddings": 4096}
AWQ = {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}}
FP8 = {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}
OSS = configurations.OSS | {"tie_word_embeddings": False, "quantization_config": {"quant_method": "mxfp4"}}
GPT_OSS_120B = {
    "model_type": "gpt_oss",
    "num_hidden_layers": 36,
    "num_local_experts": 128,
    "quantization_config": {"quant_method": "mxfp4"},
}
QWEN3_235B = {
    "model_type": "qwen3_moe",
    "hidden_size": 4096,
    "num_hidden_layers": 94,
    "num_attention_heads": 64,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "intermediate_size": 12288,
    "moe_intermediate_size": 1536,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "vocab_size": 151936,
    "tie_word_embeddings": False,
}


def run(command: str, model, *arguments, json_out: bool = True):
    source = json.dumps(model) if isinstance(model, dict) else model
    first = ["--model", source] if command == "frontier" else [source]
    return CliRunner().invoke(main, [command, *first, *map(str, arguments), *(["--json"] if json_out else [])])


def answer(command: str, model, *arguments) -> dict:
    result = run(command, model, *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def needs(model, *arguments) -> dict[str, int | None]:
    return {row["system"]: row["accelerators"] for row in answer("model", model, *arguments)["systems"]}


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(OWN))
    return str(path)


# Splits ---------------------------------------------------------------------------------------------------------------


def test_a_rack_of_72_has_no_degrees_that_no_engine_runs(own):
    case = ["--system", "GB200 NVL72", "--precision", "bf16", "--input", 2048, "--output", 256]
    points = answer("frontier", own, *case)["points"]
    assert {point["tensor"] for point in points} <= {1, 2, 4, 8}


def test_six_cards(own):
    case = ["--system", "H100", "--accelerators", 6, "--precision", "bf16", "--input", 2048, "--output", 256]
    told = answer("frontier", own, *case, "--colocated")
    assert {point["tensor"] for point in told["points"]} <= {1, 2, 4}


def test_three_cards_are_refused_with_the_reason():
    result = run("model", OWN, "--system", "H100", "--accelerators", 3, "--context", 65536, json_out=False)
    assert result.exit_code == 1
    assert "3 does not divide the 40 heads" in result.output


@pytest.mark.parametrize(
    ("model", "heads", "widths"),
    [("Llama 3 70B", 64, (28672,)), ("DeepSeek-V3", 128, (18432,)), ("Llama 3 8B", 32, (14336,))],
)
def test_models_of_the_catalog_on_racks(model, heads, widths):
    for system in ("GB200 NVL72", "GB200 NVL36"):
        points = answer("frontier", model, "--system", system, "--precision", "fp8", "--input", 2048, "--output", 256)
        for point in points["points"]:
            assert heads % point["tensor"] == 0
            assert all(width % point["tensor"] == 0 for width in widths)
            if model == "DeepSeek-V3":
                assert 2048 % point["expert_tensor"] == 0 and 256 % point["expert"] == 0


def test_the_leaked_model_has_no_degrees_of_3_or_9():
    case = ["--system", "NVL72", "--input", 32768, "--output", 1024]
    points = answer("frontier", "gpt-4-leak", *case)["points"]
    assert all(point["tensor"] & (point["tensor"] - 1) == 0 for point in points)


# Bytes ----------------------------------------------------------------------------------------------------------------


def test_scales_and_what_stays_at_16_bits():
    for config, size in (
        (OSS, 4_176_386_048),
        (OWN | AWQ, 7_031_613_440),
        (OWN | FP8, 12_324_285_440),
        (GPT_OSS_120B, 65_248_815_744),
    ):
        found = answer("model", config, "--system", "H100")
        assert found["checkpoint"]["bytes"] == found["held_bytes"] == size


def test_gpt_oss_120b_is_served_by_one_h100():
    found = needs(GPT_OSS_120B)
    assert (found["HGX H100"], found["HGX H200"], found["HGX B200"]) == (1, 1, 1)


def test_llama_70b_in_four_bits_is_too_large_for_one_card_of_40_gb():
    assert needs("Llama 3 70B", "--precision", "int4")["HGX A100 40GB"] > 1


def test_qwen3_235b_in_fp8():
    config = QWEN3_235B | FP8
    assert needs(config)["HGX H100"] == 4  # three hold 232 GB at 90%, the file has 236
    found = answer("model", config, "--system", "H100", "--accelerators", 4)
    assert 178_880 < found["cache_tokens"] < 1.1 * 367_404  # what vLLM and SGLang logged


def test_deepseek_v3():
    eight = answer("model", "DeepSeek-V3", "--system", "H100", "--accelerators", 8)
    assert not eight["fits"] and eight["held_bytes"] == 673_150_611_808
    assert answer("model", "DeepSeek-V3", "--system", "H200", "--accelerators", 8)["fits"]
    four_bits = {"num_nextn_predict_layers": 0, "model_type": "deepseek_v3"}
    left = ["lm_head", "*self_attn.q*", "*self_attn.kv*"]  # the output projection is quantised
    four_bits["quantization_config"] = {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": left}
    found = answer("model", four_bits, "--system", "B200")
    assert found["checkpoint"]["bytes"] == pytest.approx(386_380_083_104, rel=1e-6)
    assert needs(four_bits)["HGX B200"] == 3


def test_kimi_k2_in_nvfp4_needs_four_b200():
    config = {
        "model_type": "deepseek_v3",
        "vocab_size": 163840,
        "num_attention_heads": 64,
        "n_routed_experts": 384,
        "first_k_dense_replace": 1,
        "num_nextn_predict_layers": 0,
        "quantization_config": {
            "quant_method": "modelopt",
            "quant_algo": "NVFP4",
            "ignore": ["lm_head", "*self_attn*", "*shared_experts*", "model.layers.0.*"],
        },
    }
    found = answer("model", config)
    assert found["checkpoint"]["bytes"] == pytest.approx(594.2e9, rel=2e-3)
    assert next(row for row in found["systems"] if row["system"] == "HGX B200")["accelerators"] == 4


# What fits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("context", "fits"), [(300_000, True), (345_000, False), (381_000, False)])
def test_model_and_frontier_have_one_rule(own, context, fits):
    assert answer("model", own, "--system", "H100", "--accelerators", 1, "--context", context)["fits"] is fits
    case = ["--system", "H100", "--accelerators", 1, "--precision", "bf16", "--input", context - 1, "--output", 1]
    found = run("frontier", own, *case, "--colocated")
    assert (found.exit_code == 0) is fits
    assert fits or "memory" in found.output


def test_the_share_is_an_option(own):
    arguments = (own, "--system", "H100", "--accelerators", 1, "--context", 345_000)
    assert answer("model", *arguments, "--memory-share", 1.0)["fits"]
    assert "at 90% of the memory" in run("model", *arguments, json_out=False).output


def test_room_for_the_cache_of_llama_70b_on_one_h200():
    config = {
        "model_type": "llama",
        "hidden_size": 8192,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "intermediate_size": 28672,
        "vocab_size": 128256,
        "tie_word_embeddings": False,
        "quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8", "ignore": ["lm_head"]},
    }
    found = answer("model", config, "--system", "H200", "--accelerators", 1)
    assert found["cache_tokens"] == pytest.approx(174_336, rel=0.05)


# Declarations ---------------------------------------------------------------------------------------------------------


def test_what_a_configuration_says_decides():
    for config, weights in ((OWN | AWQ, "int4"), (OWN | FP8, "fp8"), (OSS, "fp4"), (OWN, "bf16")):
        found = answer("model", config, "--system", "H100")
        assert found["precisions"]["weights"] == weights
        nested = {"model_type": "wrapper", "text_config": {**config}}
        assert answer("model", nested)["checkpoint"]["bytes"] == found["checkpoint"]["bytes"]
    fp8_cache = OWN | {"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8"}}
    fp8_cache["quantization_config"]["kv_cache_quant_algo"] = "FP8"
    found = answer("model", fp8_cache, "--system", "H100")
    assert found["checkpoint"]["kv_scheme"] == found["precisions"]["kv"] == "fp8"


@pytest.mark.parametrize("system", ["H100", "H200", "A100 80GB", "MI300X", "TPU v5p", "Gaudi3", "V100"])
@pytest.mark.parametrize(("config", "weights"), [(OSS, "fp4"), (OWN | AWQ, "int4")])
def test_formats_that_are_unpacked_are_timed(system, config, weights):
    found = answer("model", config, "--system", system)
    assert found["precisions"]["weights"] == weights
    assert found["precisions"]["arithmetic"] in ("bf16", "fp16")
    assert found["decode_ms"]["floor"] > 0


def test_weights_of_8_bits_run_where_there_is_no_arithmetic_of_8_bits():
    found = answer("model", OWN | FP8, "--system", "A100 80GB")
    assert found["precisions"]["arithmetic"] == "bf16"


# Contexts -------------------------------------------------------------------------------------------------------------

GPT2 = {"model_type": "gpt2", "n_layer": 4, "n_embd": 256, "n_head": 4, "n_positions": 128, "vocab_size": 5000}


def test_learned_positions_are_a_limit(tmp_path):
    assert answer("model", GPT2, "--context", 128)["context"] == 128
    refused = run("model", GPT2, "--context", 129)
    assert refused.exit_code == 1 and "128 learned positions" in refused.output
    usual = answer("model", GPT2)
    assert usual["context"] == 128 and "128 tokens" in usual["notes"][-1]
    path = tmp_path / "config.json"
    path.write_text(json.dumps(GPT2))
    refused = run("frontier", str(path), "--system", "H100", "--input", 4000, "--output", 96)
    assert refused.exit_code == 1 and "128 learned positions" in refused.output
    for name, positions in (("OPT-175B", 2048), ("GPT-3 175B", 2048)):
        assert answer("model", name)["context"] == positions


def test_positions_by_rotation_are_a_note(own):
    found = answer("model", own, "--context", 8192)
    assert "max_position_embeddings = 4,096" in found["notes"][-1]
    assert not answer("model", own, "--context", 4096)["notes"]
    case = ["--system", "H100", "--input", 8192, "--output", 1024]
    assert "max_position_embeddings = 4,096" in answer("frontier", own, *case)["notes"][0]


# One answer -----------------------------------------------------------------------------------------------------------


def test_three_commands_agree_on_what_fits():
    """Thirty deployments by lot: what holds by ``model`` does so by ``service``, and ``frontier`` finds a way."""
    lots, seen = random.Random(17), Counter()
    models = (
        "Llama 3 8B",
        "Llama 3 70B",
        "Qwen3-32B",
        "Qwen3-235B-A22B",
        "DeepSeek-V3",
        "Mixtral 8x7B",
        "gpt-oss-120b",
    )
    systems = ("H100", "H200", "A100 80GB", "A100 40GB", "B200", "MI300X", "L40S")
    while seen.total() < 30:
        name, system, count = lots.choice(models), lots.choice(systems), lots.choice((1, 2, 4, 8))
        weights, context = lots.choice(("bf16", "fp8", "int4")), lots.choice((512, 4096, 32768, 131072))
        on = ["--system", system, "--accelerators", count]
        first = run("model", name, *on, "--precision", weights, "--context", context)
        if first.exit_code:
            assert "is not allowed" in first.output and "divide" in first.output  # no split over so many
            continue
        by_model = json.loads(first.stdout)
        formats = ["--weights", weights, "--kv", "bf16", "--input", context - 1, "--output", 1]
        by_search = run("frontier", name, *on, *formats, "--colocated").exit_code == 0
        by_service = answer("service", name, *on, *formats, "--tensor", count, "--concurrency", 1)["fits"]
        case = (name, system, count, weights, context)
        assert by_service == by_model["fits"], case
        assert by_search or not by_model["fits"], case
        assert by_model["fits"] == (by_model["cache_tokens"] >= context), case
        seen[by_model["fits"]] += 1
    assert min(seen.values()) > 5
