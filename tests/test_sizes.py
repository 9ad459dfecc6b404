"""Weights whose tensors are not read: their sizes are believed, not the configuration beside them.

The sizes are those of files that the tools wrote of one model on a CPU: optimum-intel 2.2.0 with NNCF 3.4.0 (4 and 8
bits), onnxruntime-genai 0.18.0 (4 bits), CTranslate2 4.8.5 (8 bits) and PyTorch 2.13.0. They are made again empty.
"""

import json
import zipfile

import pytest
from command import Command

from llm_economics.checkpoints import sizes
from llm_economics.checkpoints.published import from_files
from llm_economics.formulas.elementwise import ParameterError

LLAMA = {
    "model_type": "llama", "hidden_size": 256, "intermediate_size": 640, "num_hidden_layers": 2, "vocab_size": 2048,
    "num_attention_heads": 8, "num_key_value_heads": 2, "tie_word_embeddings": False, "dtype": "bfloat16",
}  # fmt: skip
PARAMETERS = 2_360_576
OPENVINO_4, OPENVINO_8, CTRANSLATE2 = 1_737_101, 2_384_973, 2_396_127
ONNX = {"model.onnx": 18_355, "model.onnx.data": 3_773_440}


def put(folder, files, config=LLAMA):
    for name, size in files.items():
        with (folder / name).open("wb") as opened:
            opened.truncate(size)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


def archive(path, tensors, top="archive"):
    """A file as torch.save writes it: stored entries, one for each tensor's memory."""
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(f"{top}/data.pkl", b"p" * 3505)
        for number, size in enumerate(tensors):
            opened.writestr(f"{top}/data/{number}", bytes(size))
    return path


@pytest.mark.parametrize(("size", "weights"), [(OPENVINO_4, "int4"), (OPENVINO_8, "int8")])
def test_openvino_beside_the_configuration_of_its_source(tmp_path, size, weights):
    names = {"openvino_model.bin": size, "openvino_model.xml": 300_000, "openvino_tokenizer.bin": 31_000}
    put(tmp_path, names | {"openvino_tokenizer.xml": 9_000})
    for source in (tmp_path, tmp_path / "openvino_model.bin"):
        found = from_files(source)
        stored = found.checkpoint
        assert (stored.bytes, stored.weights, stored.parameters) == (size, weights, PARAMETERS)
        assert stored.read_from == "size of openvino_model.bin"
        assert "gives 4,721,152 B (bf16)" in stored.warnings[0]
        assert sum(stored.parts.values()) == size and found.architecture is not None


def test_the_bits_of_a_parameter_are_told_once(tmp_path):
    put(tmp_path, {"openvino_model.bin": OPENVINO_4, "openvino_model.xml": 300_000})
    shown = Command("model")(tmp_path).stdout
    assert "B as openvino, 5.9 bits a parameter\n" in shown
    assert shown.count("bits a parameter") == 1


def test_experts_have_their_share_of_a_smaller_file(tmp_path):
    mixtral = LLAMA | {"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2}
    plain = from_files(json.dumps(mixtral)).checkpoint
    put(tmp_path, {"openvino_model.bin": plain.bytes // 2, "openvino_model.xml": 9_000}, mixtral)
    stored = from_files(tmp_path).checkpoint
    assert stored.parts["experts"] == pytest.approx(plain.parts["experts"] / 2, abs=1)
    assert stored.weights == "int8" and stored.bytes == plain.bytes // 2


def test_onnx_counts_what_lies_outside_its_graph(tmp_path):
    put(tmp_path, ONNX | {"genai_config.json": 1_453}, None)
    for source in (tmp_path, tmp_path / "model.onnx"):
        stored = from_files(source).checkpoint
        assert (stored.bytes, stored.scheme, stored.parameters) == (sum(ONNX.values()), "onnx", None)


def test_several_onnx_models_are_not_added_up(tmp_path):
    put(tmp_path, {**ONNX, "model_q4.onnx": 1_000_000})
    with pytest.raises(ParameterError, match=r"several ONNX models \(model.onnx, model_q4.onnx"):
        from_files(tmp_path)
    assert from_files(tmp_path / "model_q4.onnx").checkpoint.bytes == 1_000_000
    assert from_files(tmp_path / "model.onnx").checkpoint.bytes == sum(ONNX.values())


def test_a_configuration_of_another_kind_leaves_the_bytes(tmp_path):
    put(tmp_path, {"model.bin": CTRANSLATE2}, {"multi_query_attention": True, "layer_norm_epsilon": 1e-06})
    found = from_files(tmp_path)
    assert found.architecture is None and found.checkpoint.bytes == CTRANSLATE2
    assert "only its bytes are counted" in found.checkpoint.warnings[0]


def test_pytorch_counts_tensors_and_not_its_archive(tmp_path):
    put(tmp_path, {"training_args.bin": 5_000})
    archive(tmp_path / "pytorch_model.bin", [4_000_000, 721_152])
    stored = from_files(tmp_path).checkpoint
    assert (stored.bytes, stored.scheme, stored.warnings) == (2 * PARAMETERS, "bf16", ())
    archive(tmp_path / "pytorch_model.bin", [8_000_000, 1_442_304])  # the same in FP32
    stored = from_files(tmp_path).checkpoint
    assert (stored.bytes, stored.weights) == (4 * PARAMETERS, "fp32") and stored.warnings


def test_shards_of_pytorch(tmp_path):
    put(tmp_path, {})
    names = [f"pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)]
    archive(tmp_path / names[0], [4_000_000])
    with pytest.raises(ParameterError, match=f"of its 2 shards {names[1]} is missing"):
        from_files(tmp_path)
    archive(tmp_path / names[1], [721_152])
    index = tmp_path / sizes.INDEX
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": {"a": names[0], "b": names[1]}}))
    for source in (tmp_path, index):
        assert from_files(source).checkpoint.bytes == 2 * PARAMETERS
    one = from_files(tmp_path / names[0]).checkpoint
    assert one.bytes == 4_000_000 and "is one shard of 2" in one.warnings[0] and one.parameters is None


def test_what_is_too_small_or_not_there_says_nothing(tmp_path):
    put(tmp_path, {"pytorch_model.bin": 134, "optimizer.bin": 90_000})  # a pointer of Git LFS
    assert from_files(tmp_path).checkpoint.read_from == "config.json: dtype"
    for name in ("model.onnx", sizes.INDEX):
        with pytest.raises(ParameterError, match="cannot be read"):
            from_files(tmp_path / "nowhere" / name)


def test_tables_of_tensors_come_before_sizes(tmp_path):
    put(tmp_path, {"pytorch_model.bin": 9_000_000})
    text = json.dumps({"a.weight": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    assert from_files(tmp_path).checkpoint.bytes == 8
