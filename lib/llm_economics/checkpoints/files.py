"""What the files of a checkpoint hold: the tensor tables of safetensors and GGUF, never the tensors themselves.

A table is read from the head of a file and checked against the file's length, so that what comes back is what is
stored. It needs no model class. Formats: https://github.com/huggingface/safetensors (README, "Format") and
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; sizes of GGUF's blocks are those of PyPI gguf 0.19.0, but for
Q8_1, of which the library of llama.cpp in npm node-llama-cpp 3.22.1 says 36 bytes and not 40.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from llm_economics.checkpoints.config import SIDE_INDEX, is_weights, refused  # noqa: F401 (is_weights is handed on)
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.records import record

MOST_HEADER = 16 * 2**20
"""Bytes of the largest safetensors header (or index) that is read; the largest known ones have about 10 MB."""
MOST_METADATA = 64 * 2**20
"""Bytes of the longest head of a GGUF file that is read: it holds the whole vocabulary."""
MOST_TENSORS = 100_000
"""Tensors of one file."""
MOST_FILES = 10_000
"""Files of one checkpoint."""

DTYPE_BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("BOOL", "I8", "U8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
"""Bits of one element of each data type of safetensors."""

GGUF_TYPES: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    9: ("Q8_1", 32, 36),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1),
    25: ("I16", 1, 2),
    26: ("I32", 1, 4),
    27: ("I64", 1, 8),
    28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56),
    30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
    41: ("Q1_0", 128, 18),
    42: ("Q2_0", 64, 18),
}
"""Name of each tensor type, elements of a block and bytes of a block."""


@record
class Tensor:
    """One stored tensor: its type as the format spells it, its shape as stored, its bytes without padding."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int

    @property
    def elements(self) -> int:
        """Stored elements, several packed weights counting as one."""
        return math.prod(self.shape)


@record
class Table:
    """The tensors of a checkpoint.

    ``kind`` is "safetensors" or "gguf"; ``files`` are those that were read; ``metadata`` are plain values of a GGUF
    file's head (its architecture, its split), ``warnings`` say what is odd about the files.
    """

    kind: str
    tensors: tuple[Tensor, ...]
    files: tuple[Path, ...]
    metadata: dict[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Bytes of all tensors, without headers and padding."""
        return sum(tensor.bytes for tensor in self.tensors)


# ---------------------------------------------------------------------------------------------------------------------
# Which files make a checkpoint

_SHARD = r"(.*)-(\d{1,6})-of-(\d{1,6})\.(safetensors|gguf|bin)$"


def find(source: str | Path) -> list[Path]:
    """The weight files of a checkpoint: of a folder, an index or a file; empty where a folder has none.

    Of a folder with an index the files are those that it names. Without one they are the shards or the only file;
    ``consolidated`` copies beside shards, adapters and projectors of images are left aside.

    Raises
    ------
    ParameterError
        If a shard is missing, or GGUF files of several checkpoints lie side by side.
    """
    path = Path(source)
    if path.is_dir():
        indices = sorted(path.glob(f"*{SIDE_INDEX}"), key=lambda file: (file.name != f"model{SIDE_INDEX}", file.name))
        if indices:
            return _of_index(indices[0])
        return one_set(path, _beside(path, ".safetensors") or _beside(path, ".gguf"))
    if path.name.lower().endswith(SIDE_INDEX):
        return _of_index(path)
    match = re.fullmatch(_SHARD, path.name)
    if match and match[4] == "gguf":
        return _shards(path.parent, match)
    return [path]


def _beside(folder: Path, suffix: str) -> list[Path]:
    files = [file for file in sorted(folder.iterdir()) if file.name.lower().endswith(suffix) and file.is_file()]
    aside = ("adapter", "mmproj", "training_args", "optimizer")
    files = [file for file in files if not file.name.lower().startswith(aside)]
    others = [file for file in files if not file.name.startswith("consolidated")]
    return others or files


def shard_count(path: Path) -> int | None:
    """Of how many shards a file is one; None if its name says nothing of it."""
    match = re.fullmatch(_SHARD, path.name)
    return int(match[3]) if match else None


def one_set(folder: Path, files: list[Path]) -> list[Path]:
    """The files of a checkpoint, of which no shard may be missing."""
    if len(files) > MOST_FILES:
        raise _bad(folder, f"it has more than {MOST_FILES:,} weight files")
    sets: dict[str, Any] = {}
    for file in files:
        match = re.fullmatch(_SHARD, file.name)
        sets.setdefault((match[1], match[3]) if match else file.name, match or file)
    if len(sets) > 1 and files[0].suffix.lower() == ".gguf":
        names = ", ".join(file.name for file in files[:3])
        raise _bad(folder, f"it holds several GGUF checkpoints ({names} ...): give one of the files")
    found = [_shards(folder, one) if isinstance(one, re.Match) else [one] for one in sets.values()]
    return [file for one in found for file in one]


def _shards(folder: Path, match: re.Match[str]) -> list[Path]:
    stem, digits, count, suffix = match[1], len(match[2]), match[3], match[4]
    if int(count) > MOST_FILES:
        raise _bad(folder, f"it has more than {MOST_FILES:,} shards")
    # Counted from 1 by all but a few tools, which count from 0.
    first = 0 if (folder / f"{stem}-{0:0{digits}d}-of-{count}.{suffix}").exists() else 1
    names = [f"{stem}-{number:0{digits}d}-of-{count}.{suffix}" for number in range(first, first + int(count))]
    return _all_there(folder, names)


def _all_there(folder: Path, names: list[str]) -> list[Path]:
    files = [folder / name for name in names]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise _bad(folder, f"of its {len(files):,} shards {missing[0]} is missing{more}")
    return files


def _of_index(path: Path) -> list[Path]:
    """The files that an index names; none if not one of them is there."""
    places = read_index(path)["weight_map"]
    names = sorted(set(places.values()))
    if len(names) > MOST_FILES:
        raise _bad(path, f"it names more than {MOST_FILES:,} files")
    for name in names:
        if Path(name).name != name:
            raise refused("weight_map", name, "its files must lie beside it")
    if not any((path.parent / name).is_file() for name in names):
        return []
    return _all_there(path.parent, names)


def read_index(path: Path) -> dict[str, Any]:
    """The index of a sharded checkpoint: ``weight_map`` and ``metadata``, of which ``total_size`` is tensor bytes."""
    try:
        if path.stat().st_size > MOST_HEADER:
            raise _bad(path, f"its index is longer than the {MOST_HEADER:,} B that are read")
        index = json.loads(path.read_bytes(), object_pairs_hook=lambda pairs: _no_twins(path, pairs))
    except ParameterError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not all(isinstance(file, str) for file in places.values()):
        raise _bad(path, "it must be an index with a weight_map of tensors to files")
    metadata = index.get("metadata")
    return {"weight_map": places, "metadata": metadata if isinstance(metadata, dict) else {}}


def _bad(path: Path, why: str) -> ParameterError:
    """The error in one line; of a long path its end is what tells."""
    return refused("checkpoint", str(path)[-60:], why)


def _unreadable(path: Path, error: Exception) -> ParameterError:
    reason = getattr(error, "strerror", None) or "it is not what its name says"
    return _bad(path, f"it cannot be read ({reason})")


# ---------------------------------------------------------------------------------------------------------------------
# Reading


def read_table(source: str | Path) -> Table | None:
    """The tensor table of a file, an index or a folder; None where a folder holds no weights.

    Raises
    ------
    ParameterError
        One line: a header that is cut short, declares more than its file holds, overlaps or is longer than is
        read; a shard that is missing.
    """
    files = find(source)
    if not files:
        return None
    gguf = files[0].suffix.lower() == ".gguf"
    tensors: dict[str, Tensor] = {}
    metadata: dict[str, Any] = {}
    warnings: list[str] = []
    for file in files:
        try:
            with file.open("rb") as opened:
                size = file.stat().st_size
                read = _gguf(file, opened, size, metadata) if gguf else _safetensors(file, opened, size, warnings)
                part = tuple(read)
        except OSError as error:
            raise _unreadable(file, error) from error
        for tensor in part:
            if tensor.name in tensors:
                raise _bad(file, f"it holds {tensor.name[:60]} a second time")
            tensors[tensor.name] = tensor
    warnings += _against_split(files, metadata) if gguf else _against_index(source, files, tensors)
    return Table("gguf" if gguf else "safetensors", tuple(tensors.values()), tuple(files), metadata, tuple(warnings))


def _against_index(source: str | Path, files: list[Path], tensors: dict[str, Tensor]) -> list[str]:
    path = Path(source)
    if path.is_file() and not path.name.lower().endswith(SIDE_INDEX):
        shards = shard_count(path)
        return [f"{path.name} is one shard of {shards}: give the folder to count all"] if shards is not None else []
    folder = path if path.is_dir() else path.parent
    indices = [path] if path.is_file() else sorted(folder.glob(f"*{SIDE_INDEX}"))
    if not indices:
        return []
    index = read_index(indices[0])
    lost = [name for name in index["weight_map"] if name not in tensors]
    if lost:
        raise _bad(indices[0], f"{lost[0][:60]} is in none of the files that it names")
    total, found = index["metadata"].get("total_size"), sum(tensor.bytes for tensor in tensors.values())
    if isinstance(total, (int, float)) and total != found:
        return [f"{indices[0].name} says total_size = {total:,}, the headers {found:,} B"]
    return []


def _against_split(files: list[Path], metadata: dict[str, Any]) -> list[str]:
    count = metadata.get("split.count")
    if isinstance(count, int) and count > len(files):
        return [f"{files[0].name} is one of {count} files of a split checkpoint"]
    return []


def _safetensors(path: Path, opened: BinaryIO, size: int, warnings: list[str]) -> Iterator[Tensor]:
    prefix = opened.read(8)
    if len(prefix) < 8:
        raise _bad(path, "it is cut short: it ends within the length of its header")
    (length,) = struct.unpack("<Q", prefix)
    if length > size - 8:
        raise _bad(path, f"its header says {length:,} B, the file ends after {size - 8:,} B")
    if length > MOST_HEADER:
        raise _bad(path, f"its header has {length:,} B, at most {MOST_HEADER:,} B are read")
    try:
        header = json.loads(opened.read(length), object_pairs_hook=lambda pairs: _no_twins(path, pairs))
    except ParameterError:
        raise
    except (ValueError, RecursionError) as error:
        raise _bad(path, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _bad(path, "its header must be a JSON object")
    header.pop("__metadata__", None)
    if len(header) > MOST_TENSORS:
        raise _bad(path, f"it has {len(header):,} tensors, at most {MOST_TENSORS:,} are read")
    spans = [(*_span(path, name, entry), name, entry) for name, entry in header.items()]
    _check_spans(path, [(begin, end, name) for begin, end, name, _ in spans], size - 8 - length)
    for begin, end, name, entry in spans:
        yield _tensor(path, name, entry, end - begin, warnings)


def _no_twins(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _bad(path, "it names a tensor twice")
    return found


def _span(path: Path, name: str, entry: Any) -> tuple[int, int]:
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(_count(offset) for offset in offsets)):
        raise _bad(path, f"{name[:60]} has no data_offsets of two whole numbers")
    return offsets[0], offsets[1]


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _check_spans(path: Path, spans: list[tuple[int, int, str]], held: int) -> None:
    """Tensors may not overlap, nor reach beyond the ``held`` bytes that follow the header."""
    last, before = 0, ""
    for begin, end, name in sorted(spans):
        if end < begin:
            raise _bad(path, f"{name[:60]} ends before it begins")
        if begin < last and end > begin:
            raise _bad(path, f"{before[:60]} and {name[:60]} overlap")
        if end > held:
            raise _bad(path, f"{name[:60]} ends at {end:,} B, the file holds {held:,} B after its header")
        last, before = max(last, end), name


def _tensor(path: Path, name: str, entry: dict[str, Any], size: int, warnings: list[str]) -> Tensor:
    dtype, shape = entry.get("dtype"), entry.get("shape")
    if not isinstance(dtype, str) or not isinstance(shape, list) or not all(_count(side) for side in shape):
        raise _bad(path, f"{name[:60]} needs a dtype and a shape of whole numbers")
    bits = DTYPE_BITS.get(dtype)
    if bits is None:
        warning = f"{dtype[:20]} is no data type that is known: the sizes are those that the header gives"
        warnings.extend([warning] if warning not in warnings else [])
    elif -(-math.prod(shape) * bits // 8) != size:
        raise _bad(path, f"{name[:60]}, {dtype} of shape {shape}, cannot be {size:,} B long")
    return Tensor(name, dtype, tuple(shape), size)


# ---------------------------------------------------------------------------------------------------------------------
# GGUF

_FIXED = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
MOST_VALUES = 10_000
"""Keys of a GGUF head."""
MOST_ITEMS = 4_000_000
"""Items of an array in a GGUF head."""


class _Head:
    """The head of a GGUF file, read in order; what would lie beyond the file is refused before it is read."""

    def __init__(self, path: Path, opened: BinaryIO, size: int) -> None:
        self.path, self.opened, self.size, self.order = path, opened, size, "<"

    def take(self, length: int) -> bytes:
        self.claim(length)
        return self.opened.read(length)

    def claim(self, length: int) -> None:
        end = self.opened.tell() + length
        if end > self.size:
            raise _bad(self.path, f"it is cut short: its head goes on to {end:,} of {self.size:,} B")
        if end > MOST_METADATA:
            raise _bad(self.path, f"its head has more than the {MOST_METADATA:,} B that are read")

    def number(self, form: str) -> Any:
        form = self.order + form
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def text(self) -> str:
        return self.take(self.number("Q")).decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        """A value, or None for an array, which is passed over."""
        if kind in _FIXED:
            return self.number(_FIXED[kind])
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            raise _bad(self.path, f"its head has a value of the unknown type {kind}")
        inner, length = self.number("I"), self.number("Q")
        if length > MOST_ITEMS:
            raise _bad(self.path, f"its head has an array of {length:,}; at most {MOST_ITEMS:,} are read")
        if inner in _FIXED:
            self.claim(length * struct.calcsize("<" + _FIXED[inner]))
            self.opened.seek(length * struct.calcsize("<" + _FIXED[inner]), 1)
        elif inner == _STRING:
            self.claim(8 * length)
            for _ in range(length):
                size = self.number("Q")
                self.claim(size)
                self.opened.seek(size, 1)
        else:
            raise _bad(self.path, "its head has an array of arrays or of an unknown type")
        return None


def _gguf(path: Path, opened: BinaryIO, size: int, metadata: dict[str, Any]) -> Iterator[Tensor]:
    head = _Head(path, opened, size)
    if head.take(4) != b"GGUF":
        raise _bad(path, "it does not begin as a GGUF file does")
    version = head.number("I")
    if version & 0xFFFF == 0:  # written on a machine of the other byte order
        head.order, version = ">", int.from_bytes(struct.pack("<I", version), "big")
    if version not in (2, 3):
        raise _bad(path, f"its GGUF version is {version}, those that are read are 2 and 3")
    n_tensors, n_values = head.number("Q"), head.number("Q")
    if n_tensors > MOST_TENSORS:
        raise _bad(path, f"it has {n_tensors:,} tensors, at most {MOST_TENSORS:,} are read")
    if n_values > MOST_VALUES:
        raise _bad(path, f"its head has {n_values:,} values, at most {MOST_VALUES:,} are read")
    for _ in range(n_values):
        key = head.text()
        value = head.value(head.number("I"))
        if value is not None:
            metadata.setdefault(key, value)
    infos = [_info(head) for _ in range(n_tensors)]
    alignment = metadata.get("general.alignment", 32)
    if not _count(alignment) or alignment < 1 or alignment % 8:
        raise _bad(path, f"general.alignment = {str(alignment)[:20]} is no multiple of 8")
    start = -(-opened.tell() // alignment) * alignment
    _check_spans(path, [(offset, offset + tensor.bytes, tensor.name) for tensor, offset in infos], max(0, size - start))
    return iter([tensor for tensor, _ in infos])


def _info(head: _Head) -> tuple[Tensor, int]:
    name, dimensions = head.text(), head.number("I")
    if dimensions > 8:
        raise _bad(head.path, f"{name[:60]} has {dimensions} dimensions")
    shape = tuple(head.number("Q") for _ in range(dimensions))
    kind, offset = head.number("I"), head.number("Q")
    if kind not in GGUF_TYPES:
        raise _bad(head.path, f"{name[:60]} has the unknown type {kind}")
    dtype, block, size = GGUF_TYPES[kind]
    if shape and shape[0] % block:
        raise _bad(head.path, f"{name[:60]}: its rows of {shape[0]} are no whole blocks of {dtype}")
    return Tensor(name, dtype, shape[::-1], math.prod(shape) // block * size), offset
