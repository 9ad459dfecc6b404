"""Tables of tensors: what is read of safetensors and GGUF files, and what is refused."""

import json
import math
import struct

import pytest

from llm_economics.checkpoints import files
from llm_economics.formulas.elementwise import ParameterError


def header(tensors: dict, *, length: int | None = None) -> bytes:
    """A safetensors header; ``length`` overrides the true one."""
    text = json.dumps(tensors, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text


def entry(begin: int, end: int, dtype: str = "BF16", shape: list[int] | None = None) -> dict:
    return {"dtype": dtype, "shape": [(end - begin) // 2] if shape is None else shape, "data_offsets": [begin, end]}


def write(path, head: bytes, data: int):
    """A sparse file of a head and so many bytes."""
    with path.open("wb") as opened:
        opened.write(head)
        opened.truncate(len(head) + data)
    return path


TWO = {"a.weight": entry(0, 8), "b.weight": entry(8, 20)}


def test_a_file_and_its_metadata(tmp_path):
    path = write(tmp_path / "model.safetensors", header({"__metadata__": {"format": "pt"}} | TWO), 20)
    table = files.read_table(path)
    assert table.bytes == 20
    assert [(tensor.name, tensor.shape, tensor.bytes) for tensor in table.tensors] == [
        ("a.weight", (4,), 8),
        ("b.weight", (6,), 12),
    ]
    assert files.read_table(tmp_path).tensors == table.tensors


def test_four_bit_shapes_count_values(tmp_path):
    path = write(tmp_path / "model.safetensors", header({"w": entry(0, 16, "F4", [4, 8])}), 16)
    assert files.read_table(path).bytes == 16


def test_an_unknown_type_is_taken_at_its_size(tmp_path):
    path = write(tmp_path / "model.safetensors", header({"w": entry(0, 3, "F2_E1M0", [4, 3])}), 3)
    table = files.read_table(path)
    assert table.bytes == 3
    assert "F2_E1M0" in table.warnings[0]


BAD = {
    "cut within the length": (b"\x10\0\0", 0, "it is cut short"),
    "longer header than file": (header(TWO, length=10**6), 0, "its header says 1,000,000 B"),
    "longer header than is read": (header(TWO, length=files.MOST_HEADER + 1), files.MOST_HEADER + 1, "at most"),
    "not JSON": (header(TWO, length=11), 100, "its header is not JSON"),
    "a list": (header([1]), 0, "its header must be a JSON object"),
    "too deep": (struct.pack("<Q", 20_000) + b"[" * 20_000, 0, "its header is not JSON"),
    "beyond the file": (header(TWO), 19, "b.weight ends at 20 B, the file holds 19 B"),
    "overlap": (header({"a": entry(0, 8), "b": entry(6, 18)}), 18, "a and b overlap"),
    "twice the same bytes": (header({"a": entry(0, 8), "b": entry(0, 8)}), 8, "a and b overlap"),
    "backwards": (header({"a": entry(8, 4, shape=[2])}), 8, "a ends before it begins"),
    "negative": (header({"a": entry(-8, 0)}), 8, "a has no data_offsets"),
    "no offsets": (header({"a": {"dtype": "BF16", "shape": [4]}}), 8, "a has no data_offsets"),
    "another size": (header({"a": entry(0, 8, shape=[5])}), 8, "a, BF16 of shape [5], cannot be 8 B long"),
    "huge shape": (header({"a": entry(0, 8, shape=[2**62, 2**62])}), 8, "cannot be 8 B long"),
    "no shape": (header({"a": {"dtype": "BF16", "shape": None, "data_offsets": [0, 8]}}), 8, "a needs a dtype"),
}


def refusal(path) -> str:
    with pytest.raises(ParameterError) as caught:
        files.read_table(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    return str(caught.value)


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_file_is_refused_in_one_line(name, tmp_path):
    head, data, why = BAD[name]
    assert why in refusal(write(tmp_path / "model.safetensors", head, data))


def test_a_tensor_named_twice(tmp_path):
    text = header(TWO).replace(b"b.weight", b"a.weight")
    assert "names a tensor twice" in refusal(write(tmp_path / "model.safetensors", text, 20))


def test_one_tensor_more_than_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_TENSORS", 2)
    write(tmp_path / "model.safetensors", header(TWO), 20)
    assert len(files.read_table(tmp_path).tensors) == 2
    write(tmp_path / "model.safetensors", header(TWO | {"c": entry(20, 22)}), 22)
    assert "it has 3 tensors, at most 2 are read" in refusal(tmp_path)


def shards(folder, count: int, index: bool = True):
    """A checkpoint of so many files of one tensor each."""
    places = {}
    for number in range(1, count + 1):
        name = f"model-{number:05d}-of-{count:05d}.safetensors"
        write(folder / name, header({f"layers.{number}.weight": entry(0, 8)}), 8)
        places[f"layers.{number}.weight"] = name
    if index:
        text = json.dumps({"metadata": {"total_size": 8 * count}, "weight_map": places})
        (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("index", [True, False])
def test_shards_and_one_that_is_missing(tmp_path, index):
    shards(tmp_path, 3, index)
    assert files.read_table(tmp_path).bytes == 24
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    assert "of its 3 shards model-00002-of-00003.safetensors is missing" in refusal(tmp_path)


def test_an_index_is_held_against_the_headers(tmp_path):
    shards(tmp_path, 2)
    path = tmp_path / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    path.write_text(json.dumps(index | {"metadata": {"total_size": 15}}))
    assert files.read_table(path).warnings == (f"{path.name} says total_size = 15, the headers 16 B",)
    index["weight_map"]["lost.weight"] = "model-00001-of-00002.safetensors"
    path.write_text(json.dumps(index))
    assert "lost.weight is in none of the files" in refusal(tmp_path)
    path.write_text(json.dumps({"weight_map": {"a": "../../etc/hosts"}}))
    assert "its files must lie beside it" in refusal(tmp_path)
    path.write_text('{"weight_map": []}')
    assert "weight_map" in refusal(tmp_path)


def test_one_shard_alone_says_so(tmp_path):
    shards(tmp_path, 2)
    table = files.read_table(tmp_path / "model-00002-of-00002.safetensors")
    assert table.bytes == 8
    assert "one shard of 2" in table.warnings[0]


def test_copies_and_adapters_are_left_aside(tmp_path):
    shards(tmp_path, 2, index=False)
    for name in ("consolidated.00.safetensors", "adapter_model.safetensors"):
        write(tmp_path / name, header(TWO), 20)
    assert files.read_table(tmp_path).bytes == 16


def test_a_folder_without_weights(tmp_path):
    assert files.read_table(tmp_path) is None


# GGUF ----------------------------------------------------------------------------------------------------------------


def text(word: str, order: str = "<") -> bytes:
    return struct.pack(order + "Q", len(word)) + word.encode()


def gguf(tensors, values=b"", n_values=0, *, order="<", version=3, n_tensors=None) -> bytes:
    """The head of a GGUF file, padded to its alignment: tensors of (name, shape, type, offset)."""
    count = len(tensors) if n_tensors is None else n_tensors
    head = b"GGUF" + struct.pack(order + "IQQ", version, count, n_values) + values
    for name, shape, kind, offset in tensors:
        head += text(name, order) + struct.pack(order + "I", len(shape))
        head += struct.pack(order + f"{len(shape)}Q", *shape) + struct.pack(order + "IQ", kind, offset)
    return head + b"\0" * (-len(head) % 32)


TENSORS = [("token_embd.weight", (256, 4), 12, 0), ("blk.0.attn_q.weight", (32, 3), 8, 576), ("n", (5,), 0, 704)]


def test_gguf(tmp_path):
    values = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    values += text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc")
    values += text("scores") + struct.pack("<IIQ", 9, 6, 3) + b"\0" * 12
    path = write(tmp_path / "model.gguf", gguf(TENSORS, values, 3), 704 + 20)
    table = files.read_table(path)
    assert table.metadata == {"general.architecture": "llama"}
    assert [tensor.bytes for tensor in table.tensors] == [4 * 144, 3 * 34, 20]
    assert table.tensors[0].shape == (4, 256)
    assert files.read_table(tmp_path).bytes == table.bytes == 576 + 102 + 20


def test_gguf_of_the_other_byte_order(tmp_path):
    path = write(tmp_path / "model.gguf", gguf(TENSORS, order=">"), 724)
    assert files.read_table(path).bytes == 698


@pytest.mark.parametrize("kind", sorted(files.GGUF_TYPES))
def test_gguf_blocks(kind, tmp_path):
    name, block, size = files.GGUF_TYPES[kind]
    path = write(tmp_path / "model.gguf", gguf([("w", (2 * block, 3), kind, 0)]), 6 * size)
    (tensor,) = files.read_table(path).tensors
    assert (tensor.dtype, tensor.bytes, tensor.elements) == (name, 6 * size, math.prod((2 * block, 3)))


GGUF_BAD = {
    "another magic": (b"GGML" + gguf(TENSORS)[4:], 724, "it does not begin as a GGUF file"),
    "version": (gguf(TENSORS, version=9), 724, "its GGUF version is 9"),
    "cut": (gguf(TENSORS)[:60], 0, "it is cut short"),
    "empty": (b"", 0, "it is cut short"),
    "too many": (gguf(TENSORS, n_tensors=files.MOST_TENSORS + 1), 724, "100,001 tensors, at most 100,000"),
    "too many values": (gguf(TENSORS, n_values=files.MOST_VALUES + 1), 724, "at most 10,000 are read"),
    "long text": (gguf([], struct.pack("<Q", 2**62), 1), 0, "it is cut short"),
    "long array": (gguf([], text("k") + struct.pack("<IIQ", 9, 4, 10**7), 1), 0, "an array of 10,000,000"),
    "array beyond the file": (gguf([], text("k") + struct.pack("<IIQ", 9, 8, 10**6), 1), 0, "it is cut short"),
    "array of arrays": (gguf([], text("k") + struct.pack("<IIQ", 9, 9, 1), 1), 99, "array of arrays"),
    "unknown value": (gguf([], text("k") + struct.pack("<I", 77), 1), 99, "the unknown type 77"),
    "unknown type": (gguf([("w", (32,), 99, 0)]), 99, "w has the unknown type 99"),
    "broken block": (gguf([("w", (33,), 8, 0)]), 99, "its rows of 33 are no whole blocks of Q8_0"),
    "dimensions": (gguf([("w", (1,) * 9, 0, 0)]), 99, "w has 9 dimensions"),
    "beyond": (gguf(TENSORS), 723, "n ends at 724 B, the file holds 723 B"),
    "overlap": (gguf([("a", (32,), 0, 0), ("b", (32,), 0, 64)]), 999, "a and b overlap"),
    "alignment": (
        gguf([("a", (4,), 0, 0)], text("general.alignment") + struct.pack("<II", 4, 3), 1),
        99,
        "general.alignment = 3",
    ),
}


@pytest.mark.parametrize("name", GGUF_BAD)
def test_a_damaged_gguf_is_refused_in_one_line(name, tmp_path):
    head, data, why = GGUF_BAD[name]
    assert why in refusal(write(tmp_path / "model.gguf", head, data))


def test_split_gguf(tmp_path):
    for number in (1, 2):
        head = gguf([(f"t{number}", (8,), 0, 0)])
        write(tmp_path / f"m-0000{number}-of-00002.gguf", head, 32)
    assert files.read_table(tmp_path / "m-00001-of-00002.gguf").bytes == 64
    assert files.read_table(tmp_path).bytes == 64
    (tmp_path / "m-00002-of-00002.gguf").unlink()
    assert "m-00002-of-00002.gguf is missing" in refusal(tmp_path)
    write(tmp_path / "m-00002-of-00002.gguf", gguf([("t2", (8,), 0, 0)]), 32)
    write(tmp_path / "other.gguf", gguf(TENSORS), 724)
    assert "several GGUF checkpoints" in refusal(tmp_path)
