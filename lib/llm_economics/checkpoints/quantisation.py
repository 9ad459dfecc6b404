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
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from llm_economics.checkpoints.config import one_of_each, refused
from llm_economics.checkpoints.formats import (
    BITS,
    Declaration,
    Format,
    always,
    awq,
    bitsandbytes_4bit,
    boundary_match,
    dtype_bytes,
    expression_of,
    fp4_group,
    fp8_block,
    fp8_row,
    fp8_tensor,
    gptq,
    group_of,
    int8_row,
    is_glob,
    list_match,
    mapping_of,
    micro,
    mlx,
    names_of,
    number_of,
    packed,
    part_match,
    stored_dtype,
    up,
)
from llm_economics.checkpoints.methods import METHODS, quanto_map
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.records import replace

SIDE_FILES = (
    "hf_quant_config.json",
    "quantization_config.json",
    "quantize_config.json",
    "quant_config.json",
    "quanto_qmap.json",
)
"""Files beside a ``config.json`` that may hold the declaration."""


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
    own = [given for given in inside if isinstance(given, Mapping) and given.get("expert_dtype") == "fp4"]
    experts = fp4_group("fp4 group 32", 32, 0)
    if own and own[0].get("scale_fmt") == "float":
        experts = replace(experts, size=lambda o, i: o * up(i, 2) + 4 * o * up(i, 32))
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
    elif method:
        result = _unknown(method, config)
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
    elif found and all(isinstance(how, Mapping) and set(how) == _QUANTO for how in found.values()):
        method, result = "quanto", quanto_map(found, config)
    else:
        result = _unknown("", config)
    words = json.dumps(found)
    return replace(result, read_from=where, kv_scheme=_kv(found), method=method or "modelopt", words=words)


_QUANTO = {"weights", "activations"}
"""What ``quanto_qmap.json`` says of each module."""


def _unknown(method: str, config: Mapping[str, Any]) -> Declaration:
    name = method or "of no stated method"
    warning = f"a quantisation {name!r} is not known: the weights are counted as {stored_dtype(config)}"
    return Declaration(method or "unknown", "", warnings=(warning,))


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


# Readers, one a quant_method ------------------------------------------------------------------------------------------


def _fp8(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """DeepSeek's blocks, transformers' FineGrainedFP8 and the checkpoints of one scale a tensor."""
    own = "dequantize" in found or "modules_to_convert" in found  # written by transformers 5
    block = _block(found, "weight_block_size")
    static = 4 if found.get("activation_scheme") == "static" else 0
    byte_scales = found.get("scale_fmt") == "ue8m0" and (own or "v4" in str(config.get("model_type")))
    byte_scales = byte_scales or (not own and found.get("quant_method") == "mxfp8")
    form = fp8_block(*block, scale=1 if byte_scales else 4) if block else fp8_tensor(4 + static)
    left = names_of(found, "modules_to_not_convert", "ignored_layers", "ignore")
    if own:
        # Without a list the head stays; with one it stays only if the list says so. Odd sizes stay 16 bits.
        skip = ["lm_head"] if left is None else left
        form = replace(form, tiled=bool(block))
        tests = [(lambda name, kind: boundary_match(name, skip), None)]
        for name, pair in zip(
            (".gate_proj", ".up_proj"), _pair(form), strict=True
        ):  # experts' are one tensor in memory
            tests.append((lambda full, kind, name=name: kind == "expert" and full.endswith(name), pair))
        tests.append((always, form))
    else:
        tests = [(lambda name, kind: kind == "head" or part_match(name, left or ()), None), (always, form)]
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
        replace(both, size=lambda o, i: up(form.size(2 * o, i), 2)),
        replace(both, size=lambda o, i: form.size(2 * o, i) // 2),
    )


def _fbgemm(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    left = names_of(found, "modules_to_not_convert") or []
    form = fp8_row(4)
    return Declaration(
        form.name, "", formats=((lambda name, kind: kind == "head" or part_match(name, left), None), (always, form))
    )


def _compressed(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """compressed-tensors: groups of targets, and what is ignored."""
    groups = found.get("config_groups")
    if not isinstance(groups, Mapping):
        raise refused("config_groups", groups, "it must be a JSON object")
    left = names_of(found, "ignore") or []
    listed = list_match(left)
    tests: list[Any] = [(lambda name, kind: listed(name), None)]
    forms = []
    across = not _older(found.get("version"), (0, 18))
    for group in groups.values():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if not isinstance(weights, Mapping):
            continue
        form = _compressed_format(weights, group, str(group.get("format") or found.get("format") or ""), config, across)
        targets = names_of(group, "targets") or ["Linear"]
        forms.append(form)
        tests.append((_targeted(targets), form))
    scheme = ", ".join(dict.fromkeys(form.name for form in forms)) or stored_dtype(config)
    kv = found.get("kv_cache_scheme")
    scales = 2 * dtype_bytes(config) if isinstance(kv, Mapping) and kv.get("dynamic") is not True else 0
    return Declaration(f"compressed-tensors {scheme}", "", formats=tuple(tests), kv_scale_bytes=scales)


def _targeted(targets: list[str]) -> Callable[[str, str], bool]:
    if any(word in targets for word in ("Linear", "FusedMoE", "re:.*")):
        return always
    listed = list_match(targets)
    return lambda name, kind: listed(name)


def _older(version: Any, than: tuple[int, int]) -> bool:
    """Whether a checkpoint names a version, and an older one."""
    found = re.match(r"(\d{1,6})\.(\d{1,6})", version) if isinstance(version, str) else None
    return found is not None and (int(found[1]), int(found[2])) < than


def _compressed_format(
    weights: Mapping[str, Any], group: Mapping[str, Any], form: str, config: Any, across: bool
) -> Format:
    bits = number_of(weights, "num_bits", 8, BITS)
    scale = dtype_bytes(config)
    strategy = str(weights.get("strategy") or "").lower()
    size = number_of(weights, "group_size", 0) or None
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
            return o * i + (scale + (0 if symmetric else 1)) * o * up(i, size) + static

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
    left = names_of(found, "exclude_modules", "ignore") or []
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
    tests.append((always, form))
    return Declaration(f"modelopt {form.name}", "", formats=tuple(tests), kv_scale_bytes=scales)


def _mixed(layers: Mapping[str, Any], left: list[str], config: Mapping[str, Any]) -> Declaration:
    """A positive list: whatever it does not name stays as it was."""
    exact: dict[str, Format] = {}
    globs: list[tuple[str, Format]] = []
    for name, how in layers.items():
        if not isinstance(how, Mapping):
            raise refused("quantized_layers", how, "each module needs a JSON object")
        form = _modelopt_format(str(how.get("quant_algo") or "").upper(), how, config)
        if is_glob(name):
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
        f"int4 group {group}", "int4", lambda o, i: up(o, 2) * i + 4 * o * up(i, group) + more, None, (2, group)
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
    group = group_of(found, default=0) if found.get("group_size") is not None else None
    if algorithm in _MODELOPT:
        return _MODELOPT[algorithm](group)
    value = dtype_bytes(config)
    if algorithm == "W8A8_SQ_PER_CHANNEL":
        return replace(int8_row(4), size=lambda o, i: o * i + 4 * o + 4 + value * i)
    known = ", ".join((*_MODELOPT, "W8A8_SQ_PER_CHANNEL", "MIXED_PRECISION"))
    raise refused("quant_algo", algorithm, f"known are {known}")


def _mxfp4(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """gpt-oss: the experts' matrices, and nothing else unless a list says so."""
    listed = list_match(names_of(found, "modules_to_not_convert") or [])
    form = replace(fp4_group("mxfp4", 32, 0, arithmetic=None), block=(1, 1))  # engines pad what a split leaves
    tests = ((lambda name, kind: kind != "expert" or listed(name), None), (always, form))
    return Declaration(form.name, "", formats=tests)


def _awq(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    bits = number_of(found, "bits", found.get("w_bit", 4), BITS)
    layout = str(found.get("version") or found.get("format") or "gemm").lower()
    form = awq(bits, group_of(found, "group_size" if "group_size" in found else "q_group_size"), layout)
    left = names_of(found, "modules_to_not_convert") or []
    tests = ((lambda name, kind: kind == "head" or part_match(name, left), None), (always, form))
    return Declaration(f"awq {form.name}", "", formats=tests)


def _gptq(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    base = gptq(number_of(found, "bits", 4, BITS), group_of(found))
    if str(found.get("checkpoint_format") or "").startswith("marlin"):
        base = gptq(number_of(found, "bits", 4, BITS), group_of(found), indices=False)
    tests: list[Any] = []
    if found.get("lm_head") is not True:
        tests.append((lambda name, kind: kind == "head", None))
    tests += _dynamic(found)
    inside = found.get("modules_in_block_to_quantize")
    if isinstance(inside, list) and inside:
        names = [name for part in inside for name in (part if isinstance(part, list) else [part])]
        tests.append((lambda name, kind: kind != "head" and not name.endswith(tuple(map(str, names))), None))
    return Declaration(f"gptq {base.name}", "", formats=(*tests, (always, base)))


def _dynamic(found: Mapping[str, Any]) -> list[Any]:
    """GPTQModel's rules: ``-:`` and an expression leaves modules out, ``+:`` or nothing gives them other numbers."""
    rules = found.get("dynamic")
    tests: list[Any] = []
    for pattern, other in (rules if isinstance(rules, Mapping) else {}).items():
        expression = expression_of(str(pattern).removeprefix("-:").removeprefix("+:"))
        if expression is None:
            continue
        form = None
        if not str(pattern).startswith("-:"):
            given = {**found, **(other if isinstance(other, Mapping) else {})}
            form = gptq(number_of(given, "bits", 4, BITS), group_of(given))
        tests.append((lambda name, kind, expression=expression: bool(expression.match(name)), form))
    return tests


def _auto_round(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    packing = str(found.get("packing_format") or "auto_round:auto_gptq")
    base = _auto_round_format(found, packing, config)
    tests: list[Any] = []
    for name, how in mapping_of(found, "extra_config").items():
        given = {**found, **(how if isinstance(how, Mapping) else {})}
        form = None if number_of(given, "bits", 4) >= 16 else _auto_round_format(given, packing, config)
        tests.append((partial(_named, str(name)), form))
    blocks = found.get("block_name_to_quantize") or found.get("to_quant_block_names")
    if blocks:
        flat = blocks.split(",") if isinstance(blocks, str) else [str(name) for name in _flat(blocks)]
        tests.append((lambda name, kind: not any(name.startswith(f"{block.strip()}.") for block in flat), None))
    tests.append((lambda name, kind: kind == "head", None))
    formats = (*tests, (always, base))
    return Declaration(f"auto-round {base.name}", "", formats=formats, positive=bool(blocks))


def _named(pattern: str, name: str, kind: str) -> bool:
    expression = expression_of(pattern)
    return name == pattern or bool(expression and expression.fullmatch(name))


def _flat(value: Any) -> list[Any]:
    return [inner for part in value for inner in (part if isinstance(part, list) else [part])]


def _auto_round_format(found: Mapping[str, Any], packing: str, config: Mapping[str, Any]) -> Format:
    bits, kind = number_of(found, "bits", 4, (*BITS,)), str(found.get("data_type") or "int")
    inputs = number_of(found, "act_bits", 16)
    if kind.startswith("mx_fp"):
        arithmetic = {4: "fp4", 8: "fp8"}.get(inputs)
        return fp4_group("mxfp4", 32, 0, arithmetic=arithmetic) if bits == 4 else micro(bits, arithmetic=arithmetic)
    if kind.startswith("nv_fp"):
        static = 4 if inputs <= 8 else 0
        return fp4_group("nvfp4", group_of(found, default=16) or 16, 4 + static, arithmetic="fp4" if static else None)
    if kind.startswith("fp"):
        if isinstance(found.get("group_size"), list):
            return fp8_block(*_block(found, "group_size"), scale=2)
        group = group_of(found, default=-1)
        return fp8_tensor(8) if found.get("group_size") == 0 else fp8_block(1, group) if group else fp8_row(2)
    if "awq" in packing:
        return awq(bits, group_of(found))
    return gptq(bits, group_of(found), indices=False, padded=True)


def _bitsandbytes(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    left = names_of(found, "llm_int8_skip_modules")
    skip = ["lm_head"] if left is None else left
    eight = found.get("load_in_8bit") or found.get("_load_in_8bit")
    if eight and found.get("llm_int8_has_fp16_weight") is True:
        warning = "bitsandbytes int8 with llm_int8_has_fp16_weight is stored at 16 bits, and quantised as it loads"
        return Declaration("bitsandbytes int8 kept at 16 bits", "", warnings=(warning,))
    if eight:
        form = int8_row(4, 1)
    else:
        kind = str(found.get("bnb_4bit_quant_type") or "fp4")
        form = bitsandbytes_4bit(kind, nested=bool(found.get("bnb_4bit_use_double_quant")))
    tests = ((lambda name, kind: kind == "expert" or boundary_match(name, skip), None), (always, form))
    return Declaration(f"bitsandbytes {form.name.replace(' row', '')}", "", formats=tests)


def _quark(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """AMD's quark: one configuration for all modules, others by name, and what is excluded."""
    left = names_of(found, "exclude")
    listed = list_match(left or [])
    tests: list[Any] = [(lambda name, kind: (kind == "head" and left is None) or listed(name), None)]
    for pattern, how in mapping_of(found, "layer_quant_config").items():
        own = list_match([str(pattern)])
        tests.append((lambda name, kind, own=own: own(name), _quark_format(how, config)))
    usual = _quark_format(mapping_of(found, "global_quant_config"), config)
    scheme = usual.name if usual is not None else stored_dtype(config)
    return Declaration(f"quark {scheme}", "", formats=(*tests, (always, usual)))


def _quark_format(given: Any, config: Mapping[str, Any]) -> Format | None:
    if not isinstance(given, Mapping) or not given.get("weight"):
        return None
    weights, inputs = mapping_of(given, "weight"), mapping_of(given, "input_tensors")
    dtype, how, value = str(weights.get("dtype") or "").lower(), str(weights.get("qscheme")), dtype_bytes(config)
    if dtype.startswith("fp4"):
        return fp4_group("mxfp4", group_of(weights, default=32) or 32, 0, arithmetic="fp4" if inputs else None)
    if dtype.startswith("fp6"):
        return micro(6, arithmetic="fp8" if inputs else None)
    if dtype.startswith("fp8"):
        static = value if inputs and not inputs.get("is_dynamic") else 0
        return replace(fp8_row(value) if how == "per_channel" else fp8_tensor(value + static))
    whole = re.match(r"u?int([248])$", dtype)
    if whole is None:
        raise refused(
            "quantization_config: weight dtype", dtype or None, "known of quark are fp4, fp6, fp8 and int2 to int8"
        )
    if how == "per_group":
        return awq(int(whole[1]), group_of(weights, default=128))
    if whole[1] == "8" and how == "per_tensor":  # zero points are stored even where there are none
        return replace(int8_row(0, value + 1, weight_only=not inputs), name="int8 tensor")
    return int8_row(value + 1, weight_only=not inputs) if whole[1] == "8" else awq(int(whole[1]), None)


def _mlx(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """One format for all that has matrices, tables and routers among them; modules by name have their own, or none."""

    def form(given: Mapping[str, Any]) -> Format:
        mode = str(given.get("mode") or found.get("mode") or "affine")
        if mode not in _MLX:
            raise refused("quantization: mode", mode[:40], f"known of MLX are {', '.join(_MLX)}")
        group, bits = _MLX[mode]
        return mlx(
            mode,
            number_of(given, "bits", bits, BITS),
            number_of(given, "group_size", group, (16, 32, 64, 128)),
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
    tests = ((lambda name, kind: any(test(name, kind) for test in left), None), *formats, (always, usual))
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
    "mxfp8": _fp8,
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
    **METHODS,
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
    "fp4 but attention": {
        "quantization_config": {
            "quant_method": "modelopt",
            "quant_algo": "NVFP4",
            "ignore": [
                "lm_head",
                "*self_attn.q*",
                "*self_attn.k*",
                "*self_attn.v*",
                "*indexer*",
                "*linear_attn*",
                "*mamba*",
            ],
        }
    },
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
128 (DeepSeek-V3), INT8 by rows, NVFP4 in groups of 16, INT4 in groups of 128 with zero points (what AutoAWQ's examples
and most files that it wrote have; GPTQ takes as much); experts alone in MXFP4 (gpt-oss) or INT4 in groups of 32
(Kimi-K2). Nvidia's NVFP4 files of mixtures leave queries, keys and values in 16 bits, and quantise what comes out of
attention (github.com/ai-dynamo/aiconfigurator/pull/1423 of DeepSeek-V3.1 and V3.2, sgl-project/sglang/pull/18189 of
Qwen3-235B), and mixers without attention (NVIDIA/Model-Optimizer/pull/1687)."""

_NAMED: dict[str, dict[str, Any]] = {
    "mxfp8": {"quantization_config": {"quant_method": "modelopt", "quant_algo": "MXFP8", "ignore": ["lm_head"]}},
    "gptq": {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128}},
    "w4a16": {
        "quantization_config": {
            "quant_method": "compressed-tensors",
            "format": "pack-quantized",
            "ignore": ["lm_head"],
            "config_groups": {
                "group_0": {
                    "targets": ["Linear"],
                    "weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128},
                }
            },
        }
    },
}


def usual(weights: str, mixture: bool) -> dict[str, Any]:
    """What a configuration would say of weights in a format or scheme that a model is not published in.

    MXFP4 leaves out what NVFP4 does; W4A16 is compressed-tensors' preset of that name, of groups of 128.
    """
    if weights == "mxfp4":
        return {"quantization_config": usual("fp4", mixture)["quantization_config"] | {"quant_algo": "MXFP4"}}
    named = {"nvfp4": "fp4", "awq": "int4"}.get(weights, weights)
    return dict(_NAMED.get(named) or PUBLISHED["fp4 but attention" if named == "fp4" and mixture else named])
