"""How a matrix is stored: formats with the bytes that follow from its sides, and what says which module has which."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from llm_economics.checkpoints.config import refused
from llm_economics.formulas.records import record


def up(whole: int, part: int) -> int:
    return -(-whole // part)


# ---------------------------------------------------------------------------------------------------------------------
# Formats: how one matrix is stored


@record
class Format:
    """How a matrix of ``rows`` (outputs) × ``columns`` (inputs) is stored.

    Parameters
    ----------
    name
        As it is printed.
    weights
        Precision of one weight, a name of ``BYTES_PER_VALUE``.
    size
        Bytes of a matrix with its scales, from rows and columns.
    arithmetic
        Precision in which an engine multiplies where the chip can; None: weights are unpacked to 16 bits.
    block
        Rows and columns that belong together: a split may not cut them.
    tiled
        Whether the tool leaves a matrix that whole blocks do not cover as it was.
    fused
        Matrices of the same shape that are quantised as one.
    """

    name: str
    weights: str
    size: Callable[[int, int], int]
    arithmetic: str | None = None
    block: tuple[int, int] = (1, 1)
    tiled: bool = False
    fused: int = 1

    def keeps(self, rows: int, columns: int) -> bool:
        """Whether a matrix stays as it was beside its scales, since whole blocks do not cover it."""
        return self.tiled and (self.fused * rows % self.block[0] != 0 or columns % self.block[1] != 0)


def fp8_block(rows: int, columns: int, scale: int = 4) -> Format:
    """FP8 with a scale of ``scale`` bytes for each block."""

    def size(o: int, i: int) -> int:
        return o * i + scale * up(o, rows) * up(i, columns)

    return Format(f"fp8 block {rows}x{columns}", "fp8", size, "fp8", (rows, columns))


def fp8_row(scale: int) -> Format:
    """FP8 with a scale for each row."""
    return Format("fp8 row", "fp8", lambda o, i: o * i + scale * o, "fp8")


def fp8_tensor(scales: int) -> Format:
    """FP8 with one scale, and ``scales`` bytes for it and that of the activations."""
    return Format("fp8 tensor", "fp8", lambda o, i: o * i + scales, "fp8")


def int8_row(scale: int, more: int = 0, *, weight_only: bool = False) -> Format:
    """INT8 with a scale for each row."""
    return Format("int8 row", "int8", lambda o, i: o * i + scale * o + more, None if weight_only else "int8")


def packed(
    bits: int, group: int | None, scale: int, *, symmetric: bool = True, shape: int = 16, across: bool = True
) -> Format:
    """Whole numbers packed along the row into words of 32 bits: ``pack-quantized`` of compressed-tensors.

    ``across``: a number may begin in one word and end in the next, as since version 0.18; before, as many as fit whole
    share a word (10 of 3 bits), and the rest of it is lost.
    """

    def words(numbers: int) -> int:
        return up(numbers * bits, 32) if across else up(numbers, 32 // bits)

    def size(o: int, i: int) -> int:
        groups = up(i, group) if group else 1
        zeros = 0 if symmetric else 4 * words(o) * groups
        return 4 * o * words(i) + scale * o * groups + zeros + shape

    return Format(_grouped(bits, group, symmetric), whole_format(bits), size, None, (1, group or 1))


def gptq(bits: int, group: int | None, *, indices: bool = True, padded: bool = False) -> Format:
    """Packed along the columns' axis with packed zero points; ``indices`` of groups are stored unless left out.

    ``padded``: the last group is filled up.
    """

    def size(o: int, i: int) -> int:
        groups = up(i, group) if group else 1
        if padded and group:
            i = groups * group
        return 4 * up(i * bits, 32) * o + 2 * groups * o + 4 * groups * up(o * bits, 32) + (4 * i if indices else 0)

    return Format(_grouped(bits, group), whole_format(bits), size, None, (32 // bits or 1, group or 1))


def awq(bits: int, group: int | None, layout: str = "gemm") -> Format:
    """Packed along the rows' axis, with packed zero points even where there are none.

    Other layouts of AutoAWQ: "gemv" and "gemv_fast" fill scales and zero points up to eight groups and more, "marlin"
    has no zero points.
    """

    def size(o: int, i: int) -> int:
        groups = up(i, group) if group else 1
        if layout.startswith("gemv"):
            wide = {64: 2, 32: 4}.get(group or 128, 1)
            width = up(up(groups, 8), wide) * wide
            return up(o * i * bits, 8) + (4 + 16) * o * width + (12 * o * width if layout == "gemv_fast" else 0)
        if layout == "marlin":
            return up(o * i * bits, 8) + 2 * groups * o
        return 4 * i * up(o * bits, 32) + 2 * groups * o + 4 * groups * up(o * bits, 32)

    return Format(_grouped(bits, group), whole_format(bits), size, None, (32 // bits or 1, group or 1))


def fp4_group(name: str, group: int, more: int, *, arithmetic: str | None = "fp4") -> Format:
    """FP4 in groups with a scale of one byte each: NVFP4 (16 and ``more`` for scalars), MXFP4 (32)."""
    return Format(name, "fp4", lambda o, i: o * up(i, 2) + o * up(i, group) + more, arithmetic, (1, group))


def micro(bits: int, *, arithmetic: str | None = "fp8") -> Format:
    """MXFP8 and MXFP6: groups of 32 with a scale of one byte each."""
    return Format(f"mxfp{bits}", "fp8", lambda o, i: up(o * i * bits, 8) + o * up(i, 32), arithmetic, (1, 32))


def mlx(mode: str, bits: int, group: int, more: int = 0) -> Format:
    """MLX: words of 32 bits; a scale and an offset of 16 bits a group (affine), or one byte (its micro formats)."""
    name = f"int{bits} group {group}" if mode == "affine" else mode
    scale = 4 if mode == "affine" else 1
    kind = {"mxfp4": "fp4", "nvfp4": "fp4", "mxfp8": "fp8"}.get(mode, whole_format(bits))
    size = lambda o, i: 4 * o * up(i * bits, 32) + scale * o * up(i, group) + more  # noqa: E731
    return Format(name, kind, size, None, (1, group))


def bitsandbytes_4bit(kind: str, *, nested: bool) -> Format:
    """Groups of 64 over the whole matrix; the text of the state depends on the weights by a few bytes."""

    def size(o: int, i: int) -> int:
        groups = up(o * i, 64)
        text = len(json.dumps({"quant_type": kind, "blocksize": 64, "dtype": "bfloat16", "shape": [o, i]}))
        scales = groups + 4 * up(groups, 256) + 1024 + 90 if nested else 4 * groups
        return up(o * i, 2) + scales + 64 + text

    return Format(f"{kind} double quantised" if nested else kind, "int4", size, None, (1, 64))


def _grouped(bits: int, group: int | None, symmetric: bool = True) -> str:
    kind = f"int{bits} " + (f"group {group}" if group else "row")
    return kind if symmetric else f"{kind} asymmetric"


def whole_format(bits: int) -> str:
    return "int4" if bits <= 4 else "int8"


# ---------------------------------------------------------------------------------------------------------------------
# Names


def boundary_match(name: str, patterns: Iterable[str]) -> bool:
    """As transformers reads ``modules_to_not_convert``: from the start up to a dot, as an expression, or at the end."""
    for pattern in patterns:
        whole = expression_of(rf"(?:{pattern})(?:(?<=\.)|(?=\.|$))")
        if name.endswith(pattern) or (whole and whole.match(name)):
            return True
    return False


def part_match(name: str, patterns: Iterable[str]) -> bool:
    """A pattern is some of the name's parts between dots, an expression from its start, or a glob."""
    dotted = f".{name}."
    return any(f".{pattern.strip('.')}." in dotted for pattern in patterns) or boundary_match(name, patterns)


def list_match(patterns: Iterable[str]) -> Callable[[str], bool]:
    """A list as compressed-tensors and modelopt read it: a name or its parent, ``re:`` and an expression, or a glob."""
    plain = {pattern for pattern in patterns if not pattern.startswith("re:")}
    globs = [fnmatch.translate(pattern) for pattern in plain if is_glob(pattern)]
    glob = re.compile("|".join(globs)) if globs else None
    named = (expression_of(pattern[3:]) for pattern in patterns if pattern.startswith("re:"))
    expressions = [expression for expression in named if expression is not None]

    def matches(name: str) -> bool:
        parts = name.split(".")
        if any(".".join(parts[:end]) in plain for end in range(1, len(parts) + 1)):
            return True
        return bool(glob and glob.match(name)) or any(expression.match(name) for expression in expressions)

    return matches


def is_glob(pattern: str) -> bool:
    """Whether a name is a pattern of a shell."""
    return any(sign in pattern for sign in "*?[")


_LONGEST = 500
_NESTED = re.compile(r"[+*}]\)?[+*{]")


def expression_of(pattern: str) -> re.Pattern[str] | None:
    """A compiled expression, or None for one that is none, is too long or could take forever."""
    if pattern not in _EXPRESSIONS:
        try:
            safe = len(pattern) <= _LONGEST and not _NESTED.search(pattern)
            _EXPRESSIONS[pattern] = re.compile(pattern) if safe else None
        except (re.error, OverflowError, RecursionError):
            _EXPRESSIONS[pattern] = None
    return _EXPRESSIONS[pattern]


_EXPRESSIONS: dict[str, re.Pattern[str] | None] = {}


# ---------------------------------------------------------------------------------------------------------------------
# Declarations


@record
class Declaration:
    """How the weights of a checkpoint are said to be stored.

    ``scheme`` is what is printed, ``kv_scheme`` the precision of the KV cache if one is stated, ``read_from`` where it
    stands. ``formats`` are tried in order: a test of a module's name and kind, and its format (None: left as it was).
    ``positive`` says that names are listed to be quantised, not to be left out; ``words`` are all that is written;
    ``tables`` that embeddings and routers are quantised as everything else.
    """

    scheme: str
    read_from: str
    kv_scheme: str | None = None
    formats: tuple[tuple[Callable[[str, str], bool], Format | None], ...] = ()
    warnings: tuple[str, ...] = ()
    method: str = ""
    kv_scale_bytes: int = 0
    positive: bool = False
    words: str = ""
    tables: bool = False

    def format_of(self, name: str, kind: str = "linear") -> Format | None:
        """The format of a module; what is of another ``kind`` than "linear", "expert" and "head" has none.

        Where ``tables`` are quantised as well, "embedding" and "router" may have one.
        """
        if kind not in ("linear", "expert", "head") and not (self.tables and kind in ("embedding", "router")):
            return None
        for applies, form in self.formats:
            if applies(name, kind):
                return form
        return None

    @property
    def quantised(self) -> bool:
        """Whether anything is quantised at all."""
        return any(form is not None for _, form in self.formats)


DTYPES = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32", "float8_e4m3fn": "fp8"}
_DTYPE_BYTES = {"bf16": 2, "fp16": 2, "fp32": 4, "fp8": 1}


def stored_dtype(config: Mapping[str, Any]) -> str:
    """Precision of what is not quantised: the configuration's ``dtype``, BF16 if it has none."""
    inner = config.get("text_config")
    for given in (config, inner if isinstance(inner, Mapping) else {}):
        for key in ("dtype", "torch_dtype"):
            word = str(given.get(key) or "").removeprefix("torch.")
            if word in DTYPES:
                return DTYPES[word]
    return "bf16"


def dtype_bytes(config: Mapping[str, Any]) -> int:
    """Bytes of a value that is not quantised."""
    return _DTYPE_BYTES[stored_dtype(config)]


def names_of(found: Mapping[str, Any], *keys: str) -> list[str] | None:
    """A list of names under the first key that has one; None if none has."""
    for key in keys:
        value = found.get(key)
        if value is None:
            continue
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise refused(key, value, "it must be a list of names")
        return value
    return None


def number_of(found: Mapping[str, Any], key: str, default: int | None, allowed: Iterable[int] | None = None) -> int:
    value = found.get(key, default)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int):
        raise refused(key, value, "it must be a whole number")
    if allowed is not None and value not in allowed:
        raise refused(key, value, f"it must be one of {', '.join(map(str, allowed))}")
    return value


def group_of(found: Mapping[str, Any], key: str = "group_size", default: int = 128) -> int | None:
    """Size of a group; None for a whole row (-1)."""
    size = number_of(found, key, default)
    if size < -1 or size > 1_000_000:
        raise refused(key, size, "it must be -1 or a whole number of at least 1")
    return size if size > 0 else None


BITS = tuple(range(1, 9))


def always(name: str, kind: str) -> bool:
    return True


def mapping_of(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = found.get(key) or {}
    if not isinstance(value, Mapping):
        raise refused(key, value, "it must be a JSON object")
    return value
