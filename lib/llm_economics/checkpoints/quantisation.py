"""What a checkpoint says about how its weights are stored, and the bytes that follow for each matrix.

A declaration stands in ``quantization_config`` (of the configuration or of its ``text_config``), in a file beside it
(``hf_quant_config.json``, ``quantization_config.json``) or, for experts, in a field ``expert_dtype``. :func:`declared`
reads any of them; :meth:`Declaration.format_of` says how one matrix is stored, None where it stays as it was.
The sizes were compared with files that the tools wrote, to the byte: transformers 5.24.0, compressed-tensors 0.20.0
with llmcompressor 0.14.0.1, nvidia-modelopt 0.47.0, auto-round 0.16.1, bitsandbytes 0.50.2
(``tests/oracle/checkpoints.json``).
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from llm_economics.checkpoints.config import one_of_each, refused
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.records import record, replace


def _up(whole: int, part: int) -> int:
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
        return o * i + scale * _up(o, rows) * _up(i, columns)

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
        return _up(numbers * bits, 32) if across else _up(numbers, 32 // bits)

    def size(o: int, i: int) -> int:
        groups = _up(i, group) if group else 1
        zeros = 0 if symmetric else 4 * words(o) * groups
        return 4 * o * words(i) + scale * o * groups + zeros + shape

    return Format(_grouped(bits, group, symmetric), _whole(bits), size, None, (1, group or 1))


def gptq(bits: int, group: int | None, *, indices: bool = True, padded: bool = False) -> Format:
    """Packed along the columns' axis with packed zero points; ``indices`` of groups are stored unless left out.

    ``padded``: the last group is filled up.
    """

    def size(o: int, i: int) -> int:
        groups = _up(i, group) if group else 1
        if padded and group:
            i = groups * group
        return 4 * _up(i * bits, 32) * o + 2 * groups * o + 4 * groups * _up(o * bits, 32) + (4 * i if indices else 0)

    return Format(_grouped(bits, group), _whole(bits), size, None, (32 // bits or 1, group or 1))


def awq(bits: int, group: int | None) -> Format:
    """Packed along the rows' axis, with packed zero points even where there are none."""

    def size(o: int, i: int) -> int:
        groups = _up(i, group) if group else 1
        return 4 * i * _up(o * bits, 32) + 2 * groups * o + 4 * groups * _up(o * bits, 32)

    return Format(_grouped(bits, group), _whole(bits), size, None, (32 // bits or 1, group or 1))


def fp4_group(name: str, group: int, more: int, *, arithmetic: str | None = "fp4") -> Format:
    """FP4 in groups with a scale of one byte each: NVFP4 (16 and ``more`` for scalars), MXFP4 (32)."""
    return Format(name, "fp4", lambda o, i: o * _up(i, 2) + o * _up(i, group) + more, arithmetic, (1, group))


def micro(bits: int, *, arithmetic: str | None = "fp8") -> Format:
    """MXFP8 and MXFP6: groups of 32 with a scale of one byte each."""
    return Format(f"mxfp{bits}", "fp8", lambda o, i: _up(o * i * bits, 8) + o * _up(i, 32), arithmetic, (1, 32))


def mlx(mode: str, bits: int, group: int, more: int = 0) -> Format:
    """MLX: words of 32 bits; a scale and an offset of 16 bits a group (affine), or one byte (its micro formats)."""
    name = f"int{bits} group {group}" if mode == "affine" else mode
    scale = 4 if mode == "affine" else 1
    kind = {"mxfp4": "fp4", "nvfp4": "fp4", "mxfp8": "fp8"}.get(mode, _whole(bits))
    size = lambda o, i: 4 * o * _up(i * bits, 32) + scale * o * _up(i, group) + more  # noqa: E731
    return Format(name, kind, size, None, (1, group))


def bitsandbytes_4bit(kind: str, *, nested: bool) -> Format:
    """Groups of 64 over the whole matrix; the text of the state depends on the weights by a few bytes."""

    def size(o: int, i: int) -> int:
        groups = _up(o * i, 64)
        text = len(json.dumps({"quant_type": kind, "blocksize": 64, "dtype": "bfloat16", "shape": [o, i]}))
        scales = groups + 4 * _up(groups, 256) + 1024 + 90 if nested else 4 * groups
        return _up(o * i, 2) + scales + 64 + text

    return Format(f"{kind} double quantised" if nested else kind, "int4", size, None, (1, 64))


def _grouped(bits: int, group: int | None, symmetric: bool = True) -> str:
    kind = f"int{bits} " + (f"group {group}" if group else "row")
    return kind if symmetric else f"{kind} asymmetric"


def _whole(bits: int) -> str:
    return "int4" if bits <= 4 else "int8"


# ---------------------------------------------------------------------------------------------------------------------
# Names


def boundary_match(name: str, patterns: Iterable[str]) -> bool:
    """As transformers reads ``modules_to_not_convert``: from the start up to a dot, as an expression, or at the end."""
    for pattern in patterns:
        whole = _expression(rf"(?:{pattern})(?:(?<=\.)|(?=\.|$))")
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
    globs = [fnmatch.translate(pattern) for pattern in plain if _is_glob(pattern)]
    glob = re.compile("|".join(globs)) if globs else None
    named = (_expression(pattern[3:]) for pattern in patterns if pattern.startswith("re:"))
    expressions = [expression for expression in named if expression is not None]

    def matches(name: str) -> bool:
        parts = name.split(".")
        if any(".".join(parts[:end]) in plain for end in range(1, len(parts) + 1)):
            return True
        return bool(glob and glob.match(name)) or any(expression.match(name) for expression in expressions)

    return matches


def _is_glob(pattern: str) -> bool:
    return any(sign in pattern for sign in "*?[")


_LONGEST = 500
_NESTED = re.compile(r"[+*}]\)?[+*{]")


def _expression(pattern: str) -> re.Pattern[str] | None:
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


SIDE_FILES = ("hf_quant_config.json", "quantization_config.json", "quantize_config.json", "quant_config.json")
"""Files beside a ``config.json`` that may hold the declaration."""

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


def side_file(folder: Path | None, prefix: str = "") -> tuple[dict[str, Any], str] | None:
    """The declaration in a file beside the configuration, and the file's name without its ``prefix``."""
    for name in SIDE_FILES if folder is not None else ():
        path = folder / f"{prefix}{name}"
        if path.is_file():
            try:
                found = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=one_of_each)
            except ParameterError as error:
                raise refused(name, path, str(error)) from None
            except (OSError, ValueError, RecursionError) as error:
                raise refused(name, path, "it is not JSON") from error
            if not isinstance(found, dict):
                raise refused(name, path, "it must be a JSON object")
            return found, name
    return None


def declared(config: Mapping[str, Any], folder: Path | None = None, prefix: str = "") -> Declaration:
    """What a configuration and the files beside it say, whose names begin with ``prefix`` as its own does.

    Raises
    ------
    ParameterError
        If a declaration is of no known form, or a number in it is not allowed.
    """
    inner = config.get("text_config") if isinstance(config.get("text_config"), Mapping) else {}
    beside = side_file(folder, prefix)
    for given, where in ((config, "config.json"), (inner, "config.json: text_config")):
        found = given.get("quantization_config") or given.get("compression_config") or _of_mlx(given)
        if found is not None and not isinstance(found, Mapping):
            raise refused("quantization_config", found, "it must be a JSON object")
        if found:
            result = _read(found, config, f"{where}: quantization_config")
            if result.kv_scheme is None and beside is not None:
                result = replace(result, kv_scheme=_kv(beside[0]))
            return _with_experts(result, config, inner)
    if beside is not None:
        return _with_experts(_read(beside[0], config, beside[1]), config, inner)
    dtype = stored_dtype(config)
    return Declaration(dtype, "config.json: dtype" if _has_dtype(config, inner) else "no declaration: BF16 assumed")


def _of_mlx(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What MLX writes beside the fields of a model: ``quantization``, and the same as ``quantization_config``."""
    found = config.get("quantization")
    return found if isinstance(found, Mapping) and {"group_size", "bits"} & set(found) else None


def _has_dtype(*given: Mapping[str, Any]) -> bool:
    return any(one.get(key) for one in given for key in ("dtype", "torch_dtype"))


def _with_experts(result: Declaration, config: Mapping[str, Any], inner: Mapping[str, Any]) -> Declaration:
    """With experts in FP4, where a field of the configuration says so beside ``quantization_config``."""
    inside = [given.get("quantization_config") for given in (config, inner)]
    words = [given.get("expert_dtype") for given in (config, inner, *inside) if isinstance(given, Mapping)]
    if "fp4" not in words:
        return result
    experts = fp4_group("fp4 group 32", 32, 0)
    return replace(
        result,
        scheme=f"{result.scheme}, experts fp4",
        formats=((lambda name, kind: kind == "expert", experts), *result.formats),
        read_from=f"{result.read_from} and expert_dtype",
    )


def _read(found: Mapping[str, Any], config: Mapping[str, Any], where: str) -> Declaration:
    method = str(found.get("quant_method") or "").lower().replace("_", "-")
    nested = found.get("quantization")
    inner = config.get("text_config")
    if not method and any(_of_mlx(given) for given in (config, inner) if isinstance(given, Mapping)):
        method, result = "mlx", _mlx(found, config)
    elif isinstance(nested, Mapping):
        result = _modelopt(nested, config)
    elif method in READERS:
        result = READERS[method](found, config)
    elif "quant_algo" in found:
        result = _modelopt(found, config)
    elif "config_groups" in found:
        result = _compressed(found, config)
    elif "weight_block_size" in found or found.get("fmt") == "e4m3":
        result = _fp8(found, config)
    elif "w_bit" in found or "q_group_size" in found:
        result = _awq(found, config)
    elif "bits" in found:
        result = _gptq(found, config)
    else:
        name = method or "of no stated method"
        warning = f"a quantisation {name!r} is not known: the weights are counted as {stored_dtype(config)}"
        result = Declaration(method or "unknown", where, warnings=(warning,))
    words = json.dumps(found)
    return replace(result, read_from=where, kv_scheme=_kv(found), method=method or "modelopt", words=words)


def _kv(found: Mapping[str, Any]) -> str | None:
    """Precision of the KV cache that a declaration states."""
    nested = found.get("quantization")
    for given in (found, nested if isinstance(nested, Mapping) else {}):
        for key in ("kv_cache_scheme", "kv_cache_quant_algo", "kv_cache_dtype"):
            value = given.get(key)
            if isinstance(value, Mapping) and value.get("num_bits"):
                kind = "int" if value.get("type") == "int" else "fp"
                return f"{kind}{value['num_bits']}"
            if isinstance(value, str) and value.lower() not in ("auto", "none", ""):
                word = value.lower()
                return "fp8" if word.startswith(("fp8", "float8")) else word
        group = given.get("kv_cache_quant_config")
        if isinstance(group, Mapping) and group:
            return "fp8" if "fp8" in json.dumps(group).lower() else None
    return None


def _names(found: Mapping[str, Any], *keys: str) -> list[str] | None:
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


def _number(found: Mapping[str, Any], key: str, default: int | None, allowed: Iterable[int] | None = None) -> int:
    value = found.get(key, default)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int):
        raise refused(key, value, "it must be a whole number")
    if allowed is not None and value not in allowed:
        raise refused(key, value, f"it must be one of {', '.join(map(str, allowed))}")
    return value


def _group(found: Mapping[str, Any], key: str = "group_size", default: int = 128) -> int | None:
    """Size of a group; None for a whole row (-1)."""
    size = _number(found, key, default)
    if size < -1 or size > 1_000_000:
        raise refused(key, size, "it must be -1 or a whole number of at least 1")
    return size if size > 0 else None


_BITS = tuple(range(1, 9))


def _always(name: str, kind: str) -> bool:
    return True


def _layers(name: str, kind: str) -> bool:
    return kind != "head"


# Readers, one a quant_method ------------------------------------------------------------------------------------------


def _fp8(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """DeepSeek's blocks, transformers' FineGrainedFP8 and the checkpoints of one scale a tensor."""
    own = "dequantize" in found or "modules_to_convert" in found  # written by transformers 5
    block = _block(found, "weight_block_size")
    static = 4 if found.get("activation_scheme") == "static" else 0
    byte_scales = found.get("scale_fmt") == "ue8m0" and (own or "v4" in str(config.get("model_type")))
    form = fp8_block(*block, scale=1 if byte_scales else 4) if block else fp8_tensor(4 + static)
    left = _names(found, "modules_to_not_convert", "ignored_layers", "ignore")
    if own:
        # Without a list the head stays; with one it stays only if the list says so. Odd sizes stay 16 bits.
        skip = ["lm_head"] if left is None else left
        form = replace(form, tiled=bool(block))
        tests = [(lambda name, kind: boundary_match(name, skip), None)]
        for name, pair in zip(
            (".gate_proj", ".up_proj"), _pair(form), strict=True
        ):  # experts' are one tensor in memory
            tests.append((lambda full, kind, name=name: kind == "expert" and full.endswith(name), pair))
        tests.append((_always, form))
    else:
        tests = [(lambda name, kind: kind == "head" or part_match(name, left or ()), None), (_always, form)]
    return Declaration(form.name, "", formats=tuple(tests))


def _block(found: Mapping[str, Any], key: str) -> list[int] | None:
    block = found.get(key)
    if block is not None and not (isinstance(block, list) and len(block) == 2 and all(_side(side) for side in block)):
        raise refused(key, block, "it must be null or two whole numbers of at least 1")
    return block


def _side(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1_000_000


def _pair(form: Format) -> tuple[Format, Format]:
    """Two matrices that are quantised as one: what the first takes of their bytes, and the second."""
    both = replace(form, fused=2)
    return (
        replace(both, size=lambda o, i: _up(form.size(2 * o, i), 2)),
        replace(both, size=lambda o, i: form.size(2 * o, i) // 2),
    )


def _fbgemm(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    left = _names(found, "modules_to_not_convert") or []
    form = fp8_row(4)
    return Declaration(
        form.name, "", formats=((lambda name, kind: kind == "head" or part_match(name, left), None), (_always, form))
    )


def _compressed(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """compressed-tensors: groups of targets, and what is ignored."""
    groups = found.get("config_groups")
    if not isinstance(groups, Mapping):
        raise refused("config_groups", groups, "it must be a JSON object")
    left = _names(found, "ignore") or []
    listed = list_match(left)
    tests: list[Any] = [(lambda name, kind: listed(name), None)]
    forms = []
    across = not _older(found.get("version"), (0, 18))
    for group in groups.values():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if not isinstance(weights, Mapping):
            continue
        form = _compressed_format(weights, group, str(group.get("format") or found.get("format") or ""), config, across)
        targets = _names(group, "targets") or ["Linear"]
        forms.append(form)
        tests.append((_targeted(targets), form))
    scheme = ", ".join(dict.fromkeys(form.name for form in forms)) or stored_dtype(config)
    kv = found.get("kv_cache_scheme")
    scales = 2 * dtype_bytes(config) if isinstance(kv, Mapping) and kv.get("dynamic") is not True else 0
    return Declaration(f"compressed-tensors {scheme}", "", formats=tuple(tests), kv_scale_bytes=scales)


def _targeted(targets: list[str]) -> Callable[[str, str], bool]:
    if any(word in targets for word in ("Linear", "FusedMoE", "re:.*")):
        return _always
    listed = list_match(targets)
    return lambda name, kind: listed(name)


def _older(version: Any, than: tuple[int, int]) -> bool:
    """Whether a checkpoint names a version, and an older one."""
    found = re.match(r"(\d{1,6})\.(\d{1,6})", version) if isinstance(version, str) else None
    return found is not None and (int(found[1]), int(found[2])) < than


def _compressed_format(
    weights: Mapping[str, Any], group: Mapping[str, Any], form: str, config: Any, across: bool
) -> Format:
    bits = _number(weights, "num_bits", 8, _BITS)
    scale = dtype_bytes(config)
    strategy = str(weights.get("strategy") or "").lower()
    size = _number(weights, "group_size", 0) or None
    size = None if size is not None and size < 1 else size
    inputs = group.get("input_activations") if isinstance(group.get("input_activations"), Mapping) else None
    weight_only = inputs is None
    if weights.get("type") == "float":
        if "mxfp" in form or str(weights.get("scale_dtype")) == "torch.uint8":
            if bits == 4:
                return fp4_group("mxfp4", 32, 0, arithmetic=None if weight_only else _of_inputs(inputs))
            return micro(bits, arithmetic=None if weight_only else "fp8")
        if bits == 4:
            dynamic = True if inputs is None else inputs.get("dynamic", True)
            more = 4 + (0 if dynamic is True else 4)
            return fp4_group("nvfp4", size or 16, more, arithmetic=None if weight_only else _of_inputs(inputs))
        if strategy == "block":
            block = weights.get("block_structure") or [128, 128]
            if not (isinstance(block, list) and len(block) == 2 and all(_side(side) for side in block)):
                raise refused("block_structure", block, "it must be two whole numbers of at least 1")
            return fp8_block(*block, scale=scale)
        if strategy == "tensor" or not strategy:
            return fp8_tensor(scale + (scale if inputs is not None and inputs.get("dynamic") is False else 0))
        if strategy in ("group", "tensor_group") and size:
            return replace(fp8_block(1, size, scale=scale), name=f"fp8 group {size}")
        return replace(fp8_row(scale), arithmetic=None if weight_only else "fp8")
    symmetric = weights.get("symmetric") is not False
    if "pack" in form or (not form and bits < 8):
        return packed(bits, size if strategy in ("group", "") else None, scale, symmetric=symmetric, across=across)
    static = 0
    if inputs is not None and inputs.get("dynamic") is False:
        static = scale + (0 if inputs.get("symmetric") is not False else 1)
    rows = int8_row(scale, static, weight_only=weight_only)
    if strategy in ("group", "tensor_group") and size:

        def grouped(o: int, i: int) -> int:
            return o * i + (scale + (0 if symmetric else 1)) * o * _up(i, size) + static

        return replace(rows, name=f"int{bits} group {size} in 8 bits", size=grouped, block=(1, size))
    if strategy == "tensor":
        return replace(rows, name="int8 tensor", size=lambda o, i: o * i + scale + (0 if symmetric else 1) + static)
    return rows if symmetric else int8_row(scale + 1, static, weight_only=weight_only)


def _of_inputs(inputs: Mapping[str, Any] | None) -> str | None:
    bits = (inputs or {}).get("num_bits")
    return {4: "fp4", 8: "fp8"}.get(bits)


def _modelopt(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """modelopt, in the words of ``hf_quant_config.json`` or of ``config.json``."""
    algorithm = str(found.get("quant_algo") or "").upper()
    left = _names(found, "exclude_modules", "ignore") or []
    listed = list_match(left)
    kv = _kv(found)
    scales = 8 if kv in ("fp8", "nvfp4") else 0
    if algorithm == "MIXED_PRECISION":
        layers = found.get("quantized_layers")
        if not isinstance(layers, Mapping):
            raise refused("quantized_layers", layers, "MIXED_PRECISION needs it: the format of each module")
        return replace(_mixed(layers, left, config), kv_scale_bytes=scales)
    if not algorithm:
        return Declaration(stored_dtype(config), "", kv_scale_bytes=scales)
    form = _modelopt_format(algorithm, found, config)
    tests: list[Any] = [(lambda name, kind: listed(name), None)]
    if algorithm.endswith("_AWQ"):  # the scales of inputs that come from a norm are folded into it
        value = dtype_bytes(config)
        scaled = replace(form, size=lambda o, i: form.size(o, i) + value * i)
        tests.append((lambda name, kind: name.endswith((".o_proj", ".down_proj")), scaled))
    tests.append((_always, form))
    return Declaration(f"modelopt {form.name}", "", formats=tuple(tests), kv_scale_bytes=scales)


def _mixed(layers: Mapping[str, Any], left: list[str], config: Mapping[str, Any]) -> Declaration:
    """A positive list: whatever it does not name stays as it was."""
    exact: dict[str, Format] = {}
    globs: list[tuple[str, Format]] = []
    for name, how in layers.items():
        if not isinstance(how, Mapping):
            raise refused("quantized_layers", how, "each module needs a JSON object")
        form = _modelopt_format(str(how.get("quant_algo") or "").upper(), how, config)
        if _is_glob(name):
            globs.append((name, form))
        exact[name] = form

    def found(name: str) -> Format | None:
        parts = name.split(".")
        for end in range(len(parts), 0, -1):
            if ".".join(parts[:end]) in exact:
                return exact[".".join(parts[:end])]
        return next((form for pattern, form in globs if fnmatch.fnmatchcase(name, pattern)), None)

    listed = list_match(left)
    tests: list[Any] = [(lambda name, kind: listed(name), None)]
    for form in dict.fromkeys(exact.values()):
        tests.append((lambda name, kind, form=form: found(name) is form, form))
    names = ", ".join(dict.fromkeys(form.name for form in exact.values()))
    return Declaration(f"modelopt mixed ({names})", "", formats=tuple(tests), positive=True)


def _nibbles(group: int, more: int) -> Format:
    """INT4, two rows a byte, with an FP32 scale a group."""
    return Format(
        f"int4 group {group}", "int4", lambda o, i: _up(o, 2) * i + 4 * o * _up(i, group) + more, None, (2, group)
    )


_MODELOPT: dict[str, Callable[[int | None], Format]] = {
    "FP8": lambda group: fp8_tensor(8),
    "FP8_PER_CHANNEL_PER_TOKEN": lambda group: fp8_row(4),
    "FP8_PB_WO": lambda group: replace(fp8_block(group or 128, group or 128), arithmetic=None),
    "FP8_PB_REAL": lambda group: fp8_block(group or 128, group or 128),
    "NVFP4": lambda group: fp4_group("nvfp4", group or 16, 8),
    "W4A16_NVFP4": lambda group: fp4_group("nvfp4", group or 16, 4, arithmetic=None),
    "W4A8_NVFP4_FP8": lambda group: fp4_group("nvfp4", group or 32, 8, arithmetic="fp8"),
    "MXFP4": lambda group: fp4_group("mxfp4", group or 32, 0),
    "W4A8_MXFP4_FP8": lambda group: fp4_group("mxfp4", group or 32, 0, arithmetic="fp8"),
    "MXFP8": lambda group: micro(8),
    "W8A16": lambda group: int8_row(4, weight_only=True),
    "W4A16_AWQ": lambda group: _nibbles(group or 128, 0),
    "W4A8_AWQ": lambda group: _nibbles(group or 128, 8),
    "NVFP4_AWQ": lambda group: fp4_group("nvfp4", group or 16, 8),
}


def _modelopt_format(algorithm: str, found: Mapping[str, Any], config: Mapping[str, Any]) -> Format:
    group = _group(found, default=0) if found.get("group_size") is not None else None
    if algorithm in _MODELOPT:
        return _MODELOPT[algorithm](group)
    value = dtype_bytes(config)
    if algorithm == "W8A8_SQ_PER_CHANNEL":
        return replace(int8_row(4), size=lambda o, i: o * i + 4 * o + 4 + value * i)
    known = ", ".join((*_MODELOPT, "W8A8_SQ_PER_CHANNEL", "MIXED_PRECISION"))
    raise refused("quant_algo", algorithm, f"known are {known}")


def _mxfp4(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """gpt-oss: the experts' matrices, and nothing else unless a list says so."""
    listed = list_match(_names(found, "modules_to_not_convert") or [])
    form = replace(fp4_group("mxfp4", 32, 0, arithmetic=None), block=(1, 1))  # engines pad what a split leaves
    tests = ((lambda name, kind: kind != "expert" or listed(name), None), (_always, form))
    return Declaration(form.name, "", formats=tests)


def _awq(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    bits = _number(found, "bits", found.get("w_bit", 4), _BITS)
    form = awq(bits, _group(found, "group_size" if "group_size" in found else "q_group_size"))
    left = _names(found, "modules_to_not_convert") or []
    tests = ((lambda name, kind: kind == "head" or part_match(name, left), None), (_always, form))
    return Declaration(f"awq {form.name}", "", formats=tests)


def _gptq(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    base = gptq(_number(found, "bits", 4, _BITS), _group(found))
    if str(found.get("checkpoint_format") or "").startswith("marlin"):
        base = gptq(_number(found, "bits", 4, _BITS), _group(found), indices=False)
    tests: list[Any] = []
    if found.get("lm_head") is not True:
        tests.append((lambda name, kind: kind == "head", None))
    tests += _dynamic(found)
    inside = found.get("modules_in_block_to_quantize")
    if isinstance(inside, list) and inside:
        names = [name for part in inside for name in (part if isinstance(part, list) else [part])]
        tests.append((lambda name, kind: kind != "head" and not name.endswith(tuple(map(str, names))), None))
    return Declaration(f"gptq {base.name}", "", formats=(*tests, (_always, base)))


def _dynamic(found: Mapping[str, Any]) -> list[Any]:
    """GPTQModel's rules: ``-:`` and an expression leaves modules out, ``+:`` or nothing gives them other numbers."""
    rules = found.get("dynamic")
    tests: list[Any] = []
    for pattern, other in (rules if isinstance(rules, Mapping) else {}).items():
        expression = _expression(str(pattern).removeprefix("-:").removeprefix("+:"))
        if expression is None:
            continue
        form = None
        if not str(pattern).startswith("-:"):
            given = {**found, **(other if isinstance(other, Mapping) else {})}
            form = gptq(_number(given, "bits", 4, _BITS), _group(given))
        tests.append((lambda name, kind, expression=expression: bool(expression.match(name)), form))
    return tests


def _auto_round(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    packing = str(found.get("packing_format") or "auto_round:auto_gptq")
    base = _auto_round_format(found, packing, config)
    tests: list[Any] = []
    for name, how in _mapping(found, "extra_config").items():
        given = {**found, **(how if isinstance(how, Mapping) else {})}
        form = None if _number(given, "bits", 4) >= 16 else _auto_round_format(given, packing, config)
        tests.append((partial(_named, str(name)), form))
    blocks = found.get("block_name_to_quantize") or found.get("to_quant_block_names")
    if blocks:
        flat = blocks.split(",") if isinstance(blocks, str) else [str(name) for name in _flat(blocks)]
        tests.append((lambda name, kind: not any(name.startswith(f"{block.strip()}.") for block in flat), None))
    tests.append((lambda name, kind: kind == "head", None))
    formats = (*tests, (_always, base))
    return Declaration(f"auto-round {base.name}", "", formats=formats, positive=bool(blocks))


def _named(pattern: str, name: str, kind: str) -> bool:
    expression = _expression(pattern)
    return name == pattern or bool(expression and expression.fullmatch(name))


def _flat(value: Any) -> list[Any]:
    return [inner for part in value for inner in (part if isinstance(part, list) else [part])]


def _mapping(found: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = found.get(key) or {}
    if not isinstance(value, Mapping):
        raise refused(key, value, "it must be a JSON object")
    return value


def _auto_round_format(found: Mapping[str, Any], packing: str, config: Mapping[str, Any]) -> Format:
    bits, kind = _number(found, "bits", 4, (*_BITS,)), str(found.get("data_type") or "int")
    inputs = _number(found, "act_bits", 16)
    if kind.startswith("mx_fp"):
        arithmetic = {4: "fp4", 8: "fp8"}.get(inputs)
        return fp4_group("mxfp4", 32, 0, arithmetic=arithmetic) if bits == 4 else micro(bits, arithmetic=arithmetic)
    if kind.startswith("nv_fp"):
        static = 4 if inputs <= 8 else 0
        return fp4_group("nvfp4", _group(found, default=16) or 16, 4 + static, arithmetic="fp4" if static else None)
    if kind.startswith("fp"):
        if isinstance(found.get("group_size"), list):
            return fp8_block(*_block(found, "group_size"), scale=2)
        group = _group(found, default=-1)
        return fp8_tensor(8) if found.get("group_size") == 0 else fp8_block(1, group) if group else fp8_row(2)
    if "awq" in packing:
        return awq(bits, _group(found))
    return gptq(bits, _group(found), indices=False, padded=True)


def _bitsandbytes(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    left = _names(found, "llm_int8_skip_modules")
    skip = ["lm_head"] if left is None else left
    if found.get("load_in_8bit") or found.get("_load_in_8bit"):
        form = int8_row(4, 1)
    else:
        kind = str(found.get("bnb_4bit_quant_type") or "fp4")
        form = bitsandbytes_4bit(kind, nested=bool(found.get("bnb_4bit_use_double_quant")))
    tests = ((lambda name, kind: kind == "expert" or boundary_match(name, skip), None), (_always, form))
    return Declaration(f"bitsandbytes {form.name.replace(' row', '')}", "", formats=tests)


def _quark(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """AMD's quark: one configuration for all modules, and what is excluded."""
    weights = _mapping(_mapping(found, "global_quant_config"), "weight")
    inputs = _mapping(_mapping(found, "global_quant_config"), "input_tensors")
    listed = list_match(_names(found, "exclude") or [])
    dtype = str(weights.get("dtype") or "").lower()
    if dtype.startswith("fp4"):
        form = fp4_group("mxfp4", _group(weights, default=32) or 32, 0, arithmetic="fp4" if inputs else None)
    elif dtype.startswith("fp8"):
        row = str(weights.get("qscheme")) == "per_channel"
        form = fp8_row(4) if row else fp8_tensor(4 + (4 if inputs and not inputs.get("is_dynamic") else 0))
    elif dtype.startswith("int8"):
        form = int8_row(4)
    else:
        raise refused("quantization_config: weight dtype", dtype or None, "known of quark are fp4, fp8 and int8")
    tests = ((lambda name, kind: kind == "head" or listed(name), None), (_always, form))
    return Declaration(f"quark {form.name}", "", formats=tests)


def _mlx(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """One format for all that has matrices, tables and routers among them; modules by name have their own, or none."""

    def form(given: Mapping[str, Any]) -> Format:
        mode = str(given.get("mode") or found.get("mode") or "affine")
        if mode not in _MLX:
            raise refused("quantization: mode", mode[:40], f"known of MLX are {', '.join(_MLX)}")
        group, bits = _MLX[mode]
        return mlx(
            mode,
            _number(given, "bits", bits, _BITS),
            _number(given, "group_size", group, (16, 32, 64, 128)),
            4 * bool(given.get("global_scale")),
        )

    own = {
        name: value for name, value in found.items() if isinstance(value, (Mapping, bool)) and name != "global_scale"
    }
    formats = [
        (_is_module(name), replace(form(value), tiled=True) if isinstance(value, Mapping) else form(found))
        for name, value in own.items()
        if value is not False
    ]
    left = tuple([_is_module(name) for name, value in own.items() if value is False])
    usual = replace(form(found), tiled=True)
    tests = ((lambda name, kind: any(test(name, kind) for test in left), None), *formats, (_always, usual))
    others = sorted({form.name for _, form in formats} - {usual.name})
    words = usual.name + (f", {', '.join(others)}" if others else "")
    return Declaration(f"mlx {words}", "", formats=tests, tables=True)


_MLX = {"affine": (64, 4), "mxfp4": (32, 4), "nvfp4": (16, 4), "mxfp8": (32, 8)}
"""Modes of MLX: usual group and bits."""


def _is_module(path: str) -> Callable[[str, str], bool]:
    """Whether a module is the one that MLX calls ``path``, where experts are one and everything hangs below a model."""
    wanted = _plain_path(path)
    return lambda name, kind: _plain_path(name) == wanted


def _plain_path(name: str) -> str:
    name = re.sub(r"experts\.\d+\.|switch_(?:mlp|glu)\.|experts\.", "experts.", name)
    name = re.sub(r"block_sparse_moe\.|feed_forward\.", "mlp.", name)
    return re.sub(r"^(?:language_model\.|model\.|text_model\.)+", "", name)


READERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Declaration]] = {
    "fp8": _fp8,
    "fbgemm-fp8": _fbgemm,
    "compressed-tensors": _compressed,
    "modelopt": _modelopt,
    "modelopt-fp4": _modelopt,
    "mxfp4": _mxfp4,
    "awq": _awq,
    "gptq": _gptq,
    "auto-round": _auto_round,
    "bitsandbytes": _bitsandbytes,
    "quark": _quark,
}
"""What reads each ``quant_method``."""


PUBLISHED: dict[str, dict[str, Any]] = {
    "bf16": {"dtype": "bfloat16"},
    "fp16": {"dtype": "float16"},
    "fp32": {"dtype": "float32"},
    "fp8": {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}},
    "int8": {
        "quantization_config": {
            "quant_method": "compressed-tensors",
            "format": "int-quantized",
            "ignore": ["lm_head"],
            "config_groups": {
                "group_0": {
                    "targets": ["Linear"],
                    "weights": {"num_bits": 8, "type": "int", "strategy": "channel"},
                    "input_activations": {"num_bits": 8, "type": "int", "dynamic": True},
                }
            },
        }
    },
    "fp4": {"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head"]}},
    "int4": {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}},
    "mxfp4 experts": {"quantization_config": {"quant_method": "mxfp4"}},
    "int4 experts": {
        "quantization_config": {
            "quant_method": "compressed-tensors",
            "format": "pack-quantized",
            "ignore": ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*", "re:.*mlp\\.(gate|up|down)_proj.*"],
            "config_groups": {
                "group_0": {
                    "targets": ["Linear"],
                    "weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32},
                }
            },
        }
    },
}
"""What a configuration would say of weights at a named precision, in the format most used for it: FP8 in blocks of
128, INT8 by rows, NVFP4, INT4 in groups of 128; experts alone in MXFP4 (gpt-oss) or INT4 in groups of 32 (Kimi-K2)."""
