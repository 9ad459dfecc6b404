"""Bytes of quantised checkpoints: from headers and from declarations, against files that the tools themselves wrote."""

import importlib.util
import json
import math
import struct
from pathlib import Path

import configurations
import pytest
from click.testing import CliRunner
from configurations import OWN

from llm_economics import checkpoints
from llm_economics.checkpoints import files, quantisation, stored
from llm_economics.cli import main
from llm_economics.formulas.architecture import parameters
from llm_economics.formulas.elementwise import ParameterError

ORACLE = Path(__file__).parent / "oracle"
CASES = json.loads((ORACLE / "checkpoints.json").read_text(encoding="utf-8"))
spec = importlib.util.spec_from_file_location("pack_checkpoints", ORACLE / "pack_checkpoints.py")
pack = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pack)

UNTRUE = {"odD-mlx-4", "moA-nf4", "ds3-bnb-nf4", "llB-fp8-odd", "ds3-fp8", "q2m-fp8", "q35m-fp8"}
"""Whose declaration is not true of all that is stored: fused experts, sides that no blocks cover. With a warning."""


def write_weights(folder: Path, tensors: dict, name: str = "model.safetensors") -> None:
    """A sparse file with a true header."""
    at, header = 0, {}
    for tensor, (dtype, shape) in tensors.items():
        size = math.prod(shape) * files.DTYPE_BITS[dtype] // 8
        header[tensor] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with (folder / name).open("wb") as opened:
        opened.write(struct.pack("<Q", len(text)) + text)
        opened.truncate(8 + len(text) + at)


def write_config(folder: Path, case: dict) -> None:
    for name, content in case["files"].items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def declared(folder: Path) -> stored.Checkpoint:
    return stored.read_checkpoint(folder, checkpoints.read(folder).architecture)


@pytest.mark.parametrize("name", CASES)
def test_the_declaration_gives_the_bytes_of_the_file(name, tmp_path):
    case = CASES[name]
    write_config(tmp_path, case)
    found = declared(tmp_path)
    matrices = sum(name.endswith("quant_map") and "nested" not in name for name in pack.unpacked(case["tensors"]))
    assert abs(found.bytes - case["bytes"]) <= 8 * matrices  # the text of bitsandbytes' state depends on the weights
    assert found.bytes == found.bytes_quantised + found.bytes_other == sum(found.parts.values())
    assert found.parameters == parameters(checkpoints.read(tmp_path).architecture).total
    assert bool(found.warnings) == (name in UNTRUE)


@pytest.mark.parametrize("name", CASES)
def test_headers_give_the_bytes_of_the_file(name, tmp_path):
    case = CASES[name]
    write_config(tmp_path, case)
    by_declaration = declared(tmp_path)
    write_weights(tmp_path, pack.unpacked(case["tensors"]))
    found = declared(tmp_path)
    assert found.bytes == case["bytes"] == sum(found.parts.values())
    assert found.scheme == by_declaration.scheme
    assert found.parameters == by_declaration.parameters
    assert found.read_from == "header of model.safetensors"
    if "quant_map" not in str(case["tensors"]):
        assert found.bytes_quantised == by_declaration.bytes_quantised
    nothing_known = stored.of_table(files.read_table(tmp_path))
    assert nothing_known.bytes == case["bytes"]
    if "codes" not in str(case["tensors"]) and "indices" not in str(case["tensors"]):  # where no shape tells
        assert nothing_known.parameters == pytest.approx(
            found.parameters, rel=1.01
        )  # bits of packed numbers are a guess


def test_a_declaration_that_the_tensors_do_not_keep_is_told(tmp_path):
    case = CASES["moA-nf4"]
    write_config(tmp_path, case)
    assert "bitsandbytes leaves fused experts at 16 bits" in declared(tmp_path).warnings[0]
    write_weights(tmp_path, pack.unpacked(case["tensors"]))
    assert "the experts are stored at 16 bits (3,145,728 B)" in declared(tmp_path).warnings[0]


def test_fp8_that_stayed_16_bits_is_told(tmp_path):
    case = CASES["llA-fp8"]
    write_config(tmp_path, case)
    tensors = pack.unpacked(case["tensors"])
    name = "model.layers.1.mlp.up_proj.weight"
    tensors[name] = ("BF16", tensors[name][1])
    del tensors[f"{name}_scale_inv"]
    write_weights(tmp_path, tensors)
    (warning,) = declared(tmp_path).warnings
    assert warning.startswith("fp8 block 128x128 is declared, but 1 matrices are stored at 16 bits")
    assert name in warning


LLAMA = CASES["llA-fp8"]["files"]["config.json"]


def quantised(tmp_path, **config):
    base = {key: value for key, value in LLAMA.items() if key != "quantization_config"}
    (tmp_path / "config.json").write_text(json.dumps(base | config), encoding="utf-8")
    return declared(tmp_path)


def test_odd_sizes_stay_16_bits_only_where_the_tool_leaves_them(tmp_path):
    fp8 = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    of_tool = quantised(tmp_path, intermediate_size=600, quantization_config=fp8 | {"dequantize": False})
    of_others = quantised(tmp_path, intermediate_size=600, quantization_config=fp8)
    assert "6 matrices" in of_tool.warnings[0] and not of_others.warnings
    assert of_tool.bytes - of_others.bytes == 6 * 600 * 256


@pytest.mark.parametrize(
    ("left_out", "layers"),
    [
        ({"ignore": ["lm_head", "model.layers.0.mlp.down_proj"]}, 1),
        ({"ignore": ["lm_head", "re:.*down_proj"]}, 2),
        ({"ignore": ["lm_head", "model.layers.*.mlp.down_proj"]}, 2),
        ({"ignore": ["lm_head", "re:model.layers.1.mlp.down_proj$"]}, 1),
    ],
)
def test_what_is_left_out_by_name_expression_and_glob(left_out, layers, tmp_path):
    how = CASES["llA-ct-FP8_DYNAMIC"]["files"]["config.json"]["quantization_config"]
    found = quantised(tmp_path, quantization_config=how | left_out)
    assert found.bytes == CASES["llA-ct-FP8_DYNAMIC"]["bytes"] + layers * (256 * 640 - 2 * 256)


@pytest.mark.parametrize(("version", "in_a_word"), [("0.17.1", 10), ("0.9.4.a20250601", 10), ("0.18.0", None)])
def test_three_bits_take_more_in_checkpoints_of_older_versions(version, in_a_word, tmp_path):
    case = CASES["llB-ct-W3A16"]
    config = case["files"]["config.json"]
    config = config | {"quantization_config": config["quantization_config"] | {"version": version}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    words = [t[1] for name, t in pack.unpacked(case["tensors"]).items() if name.endswith("weight_packed")]
    more = sum(rows * (math.ceil(wide * 32 // 3 / in_a_word) - wide) for rows, wide in words) if in_a_word else 0
    assert declared(tmp_path).bytes == case["bytes"] + 4 * more


def test_expressions_that_could_take_forever_are_not_run(tmp_path):
    how = CASES["llA-ct-FP8_DYNAMIC"]["files"]["config.json"]["quantization_config"]
    found = quantised(
        tmp_path, quantization_config=how | {"ignore": ["lm_head", "re:(a+)+$", "re:(", "re:" + "a" * 999]}
    )
    assert found.bytes == CASES["llA-ct-FP8_DYNAMIC"]["bytes"]


def test_mixed_precision_is_a_positive_list(tmp_path):
    layers = {
        "model.layers.0.mlp.down_proj": {"quant_algo": "FP8"},
        "model.layers.1.mlp": {"quant_algo": "NVFP4", "group_size": 16},
        "model.layers.*.self_attn.o_proj": {"quant_algo": "FP8"},
    }
    (tmp_path / "hf_quant_config.json").write_text(
        json.dumps(
            {
                "quantization": {
                    "quant_algo": "MIXED_PRECISION",
                    "kv_cache_quant_algo": "FP8",
                    "quantized_layers": layers,
                }
            }
        )
    )
    found = quantised(tmp_path)
    four = 3 * (256 * 640 * 9 // 16 + 8)
    eight = (256 * 640 + 8) + 2 * (256 * 256 + 8)
    assert (found.bytes_quantised, found.kv_scheme) == (four + eight, "fp8")
    assert (found.scheme, found.read_from) == ("modelopt mixed (fp8 tensor, nvfp4)", "hf_quant_config.json")


def test_experts_in_fp4_by_a_field_of_their_own():
    config = CASES["moA-fp8"]["files"]["config.json"]
    architecture = checkpoints.read(config).architecture
    eight = stored.read_checkpoint(config, architecture)
    four = stored.read_checkpoint(config | {"expert_dtype": "fp4"}, architecture)
    each = 128 * 256
    assert eight.bytes - four.bytes == 48 * (each + 4 * 2 - each // 2 - each // 32)
    assert four.scheme == "fp8 block 128x128, experts fp4"


DEEPSEEK_V3 = {
    "model_type": "deepseek_v3",
    "quantization_config": {
        "activation_scheme": "dynamic",
        "fmt": "e4m3",
        "quant_method": "fp8",
        "weight_block_size": [128, 128],
    },
    "torch_dtype": "bfloat16",
}


def test_deepseek_v3_with_and_without_its_further_layer():
    """The class's defaults are this model; sizes published by its repository."""
    without = DEEPSEEK_V3 | {"num_nextn_predict_layers": 0}
    architecture = checkpoints.read(without).architecture
    assert stored.read_checkpoint(without, architecture).bytes == 673_150_611_808
    found = stored.read_checkpoint(DEEPSEEK_V3 | {"num_nextn_predict_layers": 1}, architecture)
    assert found.bytes == 688_574_839_360
    assert found.loaded_bytes == 673_150_611_808
    assert found.bits_per_parameter == pytest.approx(8.048, abs=5e-4)


GPT_OSS = {
    "model_type": "gpt_oss",
    "quantization_config": {
        "quant_method": "mxfp4",
        "modules_to_not_convert": [
            "model.layers.*.self_attn",
            "model.layers.*.mlp.router",
            "model.embed_tokens",
            "lm_head",
        ],
    },
}


@pytest.mark.parametrize(("layers", "experts", "size"), [(36, 128, 65_248_815_744), (24, 32, 13_761_264_768)])
def test_gpt_oss(layers, experts, size):
    config = GPT_OSS | {"num_hidden_layers": layers, "num_local_experts": experts}
    found = stored.read_checkpoint(config, checkpoints.read(config).architecture)
    assert (found.bytes, found.scheme, found.weights, found.arithmetic) == (size, "mxfp4", "fp4", None)


AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}
OSS = configurations.OSS | {"quantization_config": GPT_OSS["quantization_config"]}


@pytest.mark.parametrize(
    ("config", "size"),
    [
        (OWN, 23_331_645_440),
        (OWN | {"quantization_config": AWQ}, 7_031_613_440),
        (OWN | {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}, 12_324_285_440),
        (OSS, 4_176_386_048),
    ],
)
def test_scales_and_what_stays_at_16_bits_count(config, size):
    assert stored.read_checkpoint(config, checkpoints.read(config).architecture).bytes == size


@pytest.mark.parametrize(
    "how",
    [
        {"quant_method": "fp8", "weight_block_size": [0, 128]},
        {"quant_method": "fp8", "modules_to_not_convert": [1]},
        {"quant_method": "gptq", "bits": 9},
        {"quant_method": "gptq", "bits": "4"},
        {"quant_method": "awq", "group_size": -7},
        {"quant_method": "compressed-tensors", "config_groups": []},
        {"quant_method": "modelopt", "quant_algo": "FP3"},
        {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"},
        {"quant_method": "auto-round", "extra_config": 3},
        [1],
    ],
)
def test_a_declaration_that_is_not_allowed_is_one_line(how, tmp_path):
    with pytest.raises(ParameterError) as caught:
        quantised(tmp_path, quantization_config=how)
    assert "\n" not in str(caught.value)


def test_an_unknown_method_is_counted_as_it_was_and_told(tmp_path):
    found = quantised(tmp_path, quantization_config={"quant_method": "of-tomorrow"})
    assert found.bits_per_parameter == 16
    assert "'of-tomorrow' is not known" in found.warnings[0]


def test_int8_that_is_made_as_it_loads_is_stored_at_16_bits(tmp_path):
    how = {"quant_method": "bitsandbytes", "load_in_8bit": True, "llm_int8_has_fp16_weight": True}
    found = quantised(tmp_path, quantization_config=how)
    assert found.bits_per_parameter == 16 and found.weights == "bf16"
    assert "is stored at 16 bits" in found.warnings[0]


def test_an_average_of_bits_is_told_as_one(tmp_path):
    """ExLlama: bits that are no whole number, and a file beside it that says the same."""
    how = {"quant_method": "exl3", "version": "1.6.5", "bits": 3.5, "head_bits": 6, "codebook": "mcg"}
    found = quantised(tmp_path, quantization_config=how)
    linear = 1376256
    head = 512 * 256
    assert linear * 3.5 / 8 + head * 6 / 8 < found.bytes_quantised < 1.1 * (linear * 3.5 / 8 + head * 6 / 8)
    assert "average" in found.warnings[0]
    older = quantised(tmp_path, quantization_config=how | {"quant_method": "exl2", "bits": 4.0, "head_bits": 16})
    assert linear / 2 < older.bytes_quantised < 1.1 * linear / 2


def test_a_method_in_the_words_of_its_release(tmp_path):
    """torchao's words before release 0.15, lists of AQLM that name weights, experts that were layers once."""
    word = {"quant_method": "torchao", "quant_type": "int4_weight_only", "quant_type_kwargs": {"group_size": 64}}
    found = quantised(tmp_path, quantization_config=word)
    assert found.scheme == "torchao int4 group 64" and found.bytes_quantised == 1376256 // 2 + 4 * 1376256 // 64
    books = {"quant_method": "aqlm", "linear_weights_not_to_quantize": ["lm_head.weight", "model.embed_tokens.weight"]}
    assert quantised(tmp_path, quantization_config=books).bytes_other == 2 * (2 * 512 * 256 + 5 * 256)
    config = CASES["moE-torchao-int8wo-moe"]["files"]["config.json"]
    architecture = checkpoints.read(config).architecture
    now = stored.read_checkpoint(config, architecture)
    before = stored.read_checkpoint(config | {"transformers_version": "4.57.1"}, architecture)
    experts = 2 * 8 * (2 * (128 * 256 + 5 * 128) + 256 * 128 + 5 * 256)
    assert before.bytes_quantised - now.bytes_quantised == experts


def test_an_index_alone_gives_the_size(tmp_path):
    write_config(tmp_path, CASES["llA-fp8"])
    (tmp_path / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": 1903440}, "weight_map": {"a": "model-00001-of-00001.safetensors"}})
    )
    found = declared(tmp_path)
    assert (found.bytes, found.read_from) == (1903440, "model.safetensors.index.json: total_size")
    assert stored.read_checkpoint(tmp_path).bytes == 1903440


def test_gguf_names_its_recipe_and_its_fallback_types(tmp_path):
    def tensor(name, dtype, rows, columns):
        kind = next(kind for kind, (known, *_) in files.GGUF_TYPES.items() if known == dtype)
        _, block, size = files.GGUF_TYPES[kind]
        return files.Tensor(name, dtype, (rows, columns), rows * columns // block * size), kind

    tensors = [
        tensor("blk.0.ffn_up.weight", "Q5_0", 64, 640)[0],
        tensor("blk.0.attn_q.weight", "Q4_K", 8, 256)[0],
        tensor("token_embd.weight", "Q6_K", 8, 256)[0],
        tensor("blk.0.attn_norm.weight", "F32", 1, 640)[0],
    ]
    table = files.Table("gguf", tuple(tensors), (Path("m.gguf"),), {"general.file_type": 15})
    found = stored.of_table(table)
    assert found.scheme == "gguf Q4_K_M"
    assert found.bytes_other == 4 * 640
    assert found.parameters == 64 * 640 + 2 * 8 * 256 + 640
    assert "Q5_0" in found.warnings[0]


def test_gguf_counts_neither_scales_nor_angles_as_parameters():
    # llama.cpp reads X.scale and X.input_scale beside a packed X.weight; a router's scale is a parameter (Gemma 4)
    packed = [("blk.0.ffn_up_exps.weight", "NVFP4", (4, 64, 64), 4 * 64 * 36), ("output", "Q8_0", (64, 32), 64 * 34)]
    plain = [("blk.0.ffn_gate_inp.weight", "F32", (4, 64), 1024), ("blk.0.ffn_gate_inp.scale", "F32", (64,), 256)]
    scales = [("blk.0.ffn_up_exps.scale", "F32", (4,), 16), ("blk.0.ffn_up_exps.input_scale", "F32", (4,), 16)]
    angles = [("rope_freqs.weight", "F32", (32,), 128), ("rope_factors_long.weight", "F32", (32,), 128)]
    tensors = tuple(files.Tensor(*each) for each in (*packed, *plain, *scales, *angles))
    found = stored.of_table(files.Table("gguf", tensors, (Path("m.gguf"),), {"general.file_type": 39}))
    assert found.parameters == 4 * 64 * 64 + 64 * 32 + 4 * 64 + 64
    assert found.bytes_quantised == 4 * 64 * 36 + 64 * 34 + 32
    assert found.bytes == found.bytes_quantised + found.bytes_other == 4 * 64 * 36 + 64 * 34 + 1024 + 256 + 32 + 256
    assert found.scheme == "gguf NVFP4"


def test_every_reader_is_tried():
    configs = [case["files"]["config.json"] for case in CASES.values() if "quanto_qmap.json" not in case["files"]]
    methods = {
        "mlx" if "quantization" in config else config.get("quantization_config", {}).get("quant_method")
        for config in configs
    }
    assert {"fp8", "compressed-tensors", "modelopt", "awq", "gptq", "auto-round", "bitsandbytes", "mlx"} <= methods
    assert {"torchao", "hqq", "sinq", "metal", "aqlm", "vptq", "higgs", "bitnet", "gemma", "quark"} <= methods
    assert methods <= {"mlx", *quantisation.READERS}


# Through the command line ---------------------------------------------------------------------------------------------

KEYS = {"bytes", "scheme", "bytes_quantised", "bytes_other", "bits_per_parameter", "kv_scheme", "read_from", "warnings"}


def told(*arguments) -> dict:
    result = CliRunner().invoke(main, ["model", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_file_a_folder_and_a_name(tmp_path):
    case = CASES["llA-modelopt-NVFP4_DEFAULT_CFG"]
    write_config(tmp_path, case)
    write_weights(tmp_path, pack.unpacked(case["tensors"]))
    for place in (tmp_path, tmp_path / "model.safetensors"):
        found = told(place)["checkpoint"]
        assert set(found) == KEYS
        assert (found["bytes"], found["read_from"]) == (case["bytes"], "header of model.safetensors")
    by_config = told(tmp_path / "config.json")["checkpoint"]
    assert (by_config["bytes"], by_config["read_from"]) == (case["bytes"], "config.json: quantization_config")
    assert told("DeepSeek-V3")["checkpoint"]["bytes"] == 673_150_611_808
    assert told("GPT-3 175B")["checkpoint"] is None


def test_the_declaration_beside_a_configuration(tmp_path):
    case = CASES["llA-modelopt-FP8_DEFAULT_CFG"]
    config = {key: value for key, value in case["files"]["config.json"].items() if key != "quantization_config"}
    side = case["files"]["hf_quant_config.json"]
    side = side | {"quantization": side["quantization"] | {"kv_cache_quant_algo": "FP8"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(side))
    for place in (tmp_path, tmp_path / "config.json", tmp_path / "hf_quant_config.json"):
        found = told(place)["checkpoint"]
        assert (found["bytes"], found["kv_scheme"]) == (case["bytes"] + 16, "fp8")  # two scales a layer of the cache
        assert found["read_from"] == "hf_quant_config.json"
    (tmp_path / "config.json").rename(tmp_path / "mine-config.json")
    (tmp_path / "hf_quant_config.json").rename(tmp_path / "mine-hf_quant_config.json")
    assert told(tmp_path / "mine-config.json")["checkpoint"]["kv_scheme"] == "fp8"


def test_weights_of_a_model_that_is_not_known(tmp_path):
    case = CASES["moA-fp8"]
    write_weights(tmp_path, pack.unpacked(case["tensors"]))
    found = told(tmp_path)
    assert found["checkpoint"]["bytes"] == case["bytes"]
    assert found["checkpoint"]["scheme"] == "fp8 block 128x128"
    assert (found["model_type"], found["systems"]) == (None, [])
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "never_heard_of", "num_hidden_layers": 2}))
    found = told(tmp_path)
    assert found["checkpoint"]["bytes"] == case["bytes"]
    assert "never_heard_of" in found["checkpoint"]["warnings"][-1]
    shown = CliRunner().invoke(main, ["model", str(tmp_path)])
    assert f"{case['bytes']:,} B as fp8 block 128x128" in shown.stdout
    (tmp_path / "model.safetensors").unlink()
    refused = CliRunner().invoke(main, ["model", str(tmp_path)])
    assert refused.exit_code == 1 and "'never_heard_of' is not allowed" in refused.stderr


def test_damaged_weights_are_one_line(tmp_path):
    write_config(tmp_path, CASES["llA-fp8"])
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", 10**15) + b"{}")
    refused = CliRunner().invoke(main, ["model", str(tmp_path)])
    assert refused.exit_code == 1 and refused.stdout == ""
    assert refused.stderr.count("\n") == 1 and "its header says 1,000,000,000,000,000 B" in refused.stderr
