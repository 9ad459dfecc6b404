"""The sizes of weights whose tensors are not read: those of OpenVINO, ONNX, PyTorch, CTranslate2 and others.

A ``config.json`` beside them speaks of the model that they were made from, and not of how they are stored: that of
optimum-intel 2.2.0 is the same for 4, 8 and 16 bits. So their sizes are believed.
"""

from __future__ import annotations

import re
from pathlib import Path

from llm_economics.checkpoints.config import refused
from llm_economics.formulas.records import record, replace

_ONNX = r".*\.onnx(?:[._]data(?:[._]?\d+)?)?"
_KINDS = (
    ("openvino", r"(?!.*tokenizer).*\.bin"),  # beside an .xml of the same name
    ("onnx", _ONNX),
    ("pytorch", r"pytorch_model\.bin"),
    ("pytorch", r"pytorch_model-\d+-of-\d+\.bin"),
    ("pytorch", r"consolidated(?:\.\d+)?\.pth"),
    ("ctranslate2", r"model\.bin"),
    ("executorch", r".*\.pte"),
    ("litert", r".*\.(?:tflite|litertlm)"),
)
"""Kinds of files and their names; of a folder with several kinds the first is taken, the others being copies."""
INDEX = "pytorch_model.bin.index.json"
LEAST = 1024
"""Bytes below which a file holds no weights: a pointer of Git LFS, or what a test left behind."""


@record
class Sizes:
    """Files of weights, and the bytes that their tensors have, as far as sizes tell."""

    kind: str
    bytes: int
    files: tuple[Path, ...]
    warnings: tuple[str, ...] = ()

    @property
    def read_from(self) -> str:
        """Where the bytes were read."""
        if len(self.files) == 1:
            return f"size of {self.files[0].name}"
        return f"sizes of {len(self.files):,} files ({self.files[0].name} ...)"


def is_sized(path: Path) -> bool:
    """Whether a path is a file of weights of which the size alone is read, or the index of such files."""
    if path.suffix.lower() == ".json":
        return path.name.lower() == INDEX and path.is_file()
    return path.is_file() and bool(_kind(path))


def _kind(path: Path) -> str | None:
    for kind, pattern in _KINDS:
        if re.fullmatch(pattern, path.name.lower()) and (kind != "openvino" or path.with_suffix(".xml").is_file()):
            return pattern
    return None


def read_sizes(path: Path) -> Sizes | None:
    """The weights of a folder, an index or a file by their sizes; None where there are none of a kind that is known.

    Raises
    ------
    ParameterError
        If a shard is missing, or several ONNX models lie side by side.
    """
    from llm_economics.checkpoints.files import shard_count

    if path.is_dir() or path.name.lower() == INDEX:
        folder = path if path.is_dir() else path.parent
        return _of_files(folder, sorted(file for file in folder.iterdir() if file.is_file()))
    if not is_sized(path):
        return None
    files = [path]
    if path.suffix.lower() == ".onnx":
        files += sorted(file for file in path.parent.iterdir() if file.name.startswith(path.name) and file != path)
    sizes, shards = _of_files(path.parent, files, whole=False), shard_count(path)
    if sizes is None or shards is None:
        return sizes
    return replace(sizes, warnings=(f"{path.name} is one shard of {shards}: give the folder to count all",))


def _of_files(folder: Path, files: list[Path], whole: bool = True) -> Sizes | None:
    from llm_economics.checkpoints.files import one_set

    kinds = {file: _kind(file) for file in files}
    for kind, pattern in _KINDS:
        found = [file for file in files if kinds[file] == pattern]
        if not found or max(file.stat().st_size for file in found) < LEAST:
            continue
        models = {re.split(r"(?i)\.onnx", file.name)[0] for file in found} if kind == "onnx" else ()
        if len(models) > 1:
            names = ", ".join(f"{name}.onnx" for name in sorted(models)[:3])
            why = f"it holds several ONNX models ({names} ...): give one of the files"
            raise refused("checkpoint", str(folder)[-60:], why)
        if kind == "pytorch" and whole:
            found = one_set(folder, found)
        return Sizes(kind, sum(map(_tensor_bytes, found)), tuple(found))
    return None


def _tensor_bytes(path: Path) -> int:
    """Bytes of the tensors of PyTorch's archives, whose entries they are; of any other file its size."""
    import zipfile

    size = path.stat().st_size
    if path.suffix.lower() in (".bin", ".pth") and zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                held = sum(one.file_size for one in archive.infolist() if re.search(r"/data/\d+$", one.filename))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return size
        return held if 0 < held <= size else size
    return size
