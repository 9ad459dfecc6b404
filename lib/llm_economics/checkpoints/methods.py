"""What tools beside those of large makers declare: each method of ``transformers`` that writes files of its own.

The sizes were compared, to the byte, with files that the tools wrote on a CPU (torchao 0.18.0, optimum-quanto 0.2.7,
hqq 0.2.8.post1, sinq 0.2.0, and metal of transformers 5.24.0), or with the modules that transformers 5.24.0 builds to
read such a file (aqlm 1.1.7, vptq 0.0.5.post1, higgs, bitnet, gemma); those of fp_quant 0.3.2, EETQ, SpQR and of
exllamav3 1.6.5 were read in their sources.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from llm_economics.checkpoints.config import refused
from llm_economics.checkpoints.formats import (
    BITS,
    Declaration,
    Format,
    always,
    boundary_match,
    dtype_bytes,
    expression_of,
    fp4_group,
    fp8_block,
    fp8_row,
    fp8_tensor,
    group_of,
    int8_row,
    mapping_of,
    mlx,
    names_of,
    number_of,
    stored_dtype,
    up,
    whole_format,
)
from llm_economics.formulas.records import replace

Test = Callable[[str, str], bool]


def _outside(left: list[str] | None, config: Mapping[str, Any], *, head: bool = True) -> tuple[Test, None]:
    """Modules that stay as they were: those listed, or the head where nothing is listed (``head``).

    Since release 5 of transformers experts are one tensor, which none of these tools takes; before, they were layers.
    """
    skip = (["lm_head"] if head else []) if left is None else left
    release = re.match(r"(\d{1,4})\.", str(config.get("transformers_version") or ""))
    fused = release is None or int(release[1]) >= 5
    return (lambda name, kind: (fused and kind == "expert") or boundary_match(name, skip)), None


def _one(name: str, form: Format, outside: tuple[Test, None]) -> Declaration:
    return Declaration(f"{name} {form.name}", "", formats=(outside, (always, form)))


# torchao -------------------------------------------------------------------------------------------------------------


def torchao(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """torchao: a configuration of its own for all layers, or one for each name."""
    kinds = found.get("quant_type")
    if isinstance(kinds, str):  # before release 0.15 a word, its numbers beside it
        given = {"_type": _WORDS.get(kinds, kinds), "_data": found.get("quant_type_kwargs") or {}}
    else:
        given = mapping_of(found, "quant_type").get("default")
    if not isinstance(given, Mapping):
        raise refused("quant_type", given, "it needs a JSON object under 'default'")
    left = names_of(found, "modules_to_not_convert")
    outside = _outside(left, config, head=found.get("include_input_output_embeddings") is not True)
    if given.get("_type") not in ("FqnToConfig", "ModuleFqnToConfig"):
        return _one("torchao", _torchao_format(given, config), outside)
    data = mapping_of(given, "_data")
    names = data.get("fqn_to_config") or data.get("module_fqn_to_config")
    tests: list[Any] = []
    for name, how in (names if isinstance(names, Mapping) else {}).items():
        form = _torchao_format(how, config) if isinstance(how, Mapping) else None
        if name != "_default":
            tests.append((_torchao_name(name), form))
    usual = names.get("_default") if isinstance(names, Mapping) else None
    tests.append((always, _torchao_format(usual, config) if isinstance(usual, Mapping) else None))
    scheme = ", ".join(dict.fromkeys(form.name for _, form in tests if form is not None)) or stored_dtype(config)
    ordered = sorted(tests[:-1], key=lambda test: test[0]("", "is an expression"))  # plain names come first
    return Declaration(f"torchao {scheme}", "", formats=(outside, *ordered, tests[-1]))


def _torchao_name(name: str) -> Test:
    expression = expression_of(name[3:]) if name.startswith("re:") else None

    def matches(module: str, kind: str) -> bool:
        if kind == "is an expression":
            return expression is not None
        if expression is not None:
            return bool(expression.fullmatch(module) or expression.fullmatch(f"{module}.weight"))
        return name in (module, f"{module}.weight")

    return matches


_WORDS = {
    "int4_weight_only": "Int4WeightOnlyConfig",
    "int8_weight_only": "Int8WeightOnlyConfig",
    "int8_dynamic_activation_int8_weight": "Int8DynamicActivationInt8WeightConfig",
    "float8_weight_only": "Float8WeightOnlyConfig",
    "float8_dynamic_activation_float8_weight": "Float8DynamicActivationFloat8WeightConfig",
}


def _torchao_format(given: Mapping[str, Any], config: Mapping[str, Any]) -> Format:
    word, data = str(given.get("_type") or ""), mapping_of(given, "_data")
    both = "DynamicActivation" in word or "StaticActivation" in word
    value = dtype_bytes(config)
    shape = _torchao_shape(data)
    if "Intx" in word:
        # one byte a weight, of however many bits it is, unless an engine's own packing is asked for
        bits = re.match(r"u?int([1-8])$", str(_inner(data.get("weight_dtype")) or "int8"))
        if bits is None:
            raise refused("weight_dtype", data.get("weight_dtype"), "it must be int1 to int8")
        form = _torchao_int(shape or ("row", 0), value, zeros=1)
        name = form.name if bits[1] == "8" else f"int{bits[1]} of 8 bits{form.name.removeprefix('int8')}"
        return replace(form, name=name, weights=whole_format(int(bits[1])), arithmetic=None)
    if "Int4" in word:
        group = group_of(data)
        size = lambda o, i: up(o * i, 2) + 4 * o * (up(i, group) if group else 1)  # noqa: E731
        return Format(f"int4 group {group}" if group else "int4 row", "int4", size, None, (1, group or 1))
    if "Int8" in word:
        group = data.get("group_size")
        shape = ("group", group_of(data) or 1) if isinstance(group, int) and shape is None else shape
        return replace(_torchao_int(shape or ("row", 0), 4, zeros=1), arithmetic="int8" if both else None)
    if "Float8" in word:
        kind, side = shape or ("tensor" if both else "row", 0)
        if kind == "block":
            return fp8_block(*side)
        form = fp8_row(4) if kind == "row" else fp8_tensor(4)
        return replace(form, arithmetic="fp8" if both else None)
    if "NVFP4" in word:
        return fp4_group("nvfp4", 16, 4, arithmetic="fp4" if both else None)
    known = "Int4, Int8, Intx, Float8 and NVFP4 ...WeightConfig"
    raise refused("quant_type", word[:60] or None, f"known of torchao are {known}")


def _inner(value: Any) -> Any:
    return value.get("_data") if isinstance(value, Mapping) else value


def _torchao_shape(data: Mapping[str, Any]) -> tuple[str, Any] | None:
    """What shares a scale: "row", "tensor", "group" with its size, or "block" with its sides; None where unsaid."""
    given = data.get("weight_granularity") or data.get("granularity")
    given = given[-1] if isinstance(given, list) and given else given  # of inputs, of weights
    if not isinstance(given, Mapping):
        return None
    word, inner = given.get("_type"), mapping_of(given, "_data")
    if word == "PerGroup":
        return "group", group_of(inner) or 1
    if word == "PerBlock":
        sides = inner.get("block_size")
        if isinstance(sides, list) and len(sides) == 2 and all(isinstance(one, int) and one > 0 for one in sides):
            return "block", sides
        raise refused("block_size", sides, "it must be two whole numbers of at least 1")
    return ("tensor" if word == "PerTensor" else "row"), 0


def _torchao_int(shape: tuple[str, Any], scale: int, *, zeros: int) -> Format:
    """One byte a weight; a scale of ``scale`` bytes, and a zero point."""
    kind, group = shape
    each = scale + zeros
    if kind == "group":
        return Format(f"int8 group {group}", "int8", lambda o, i: o * i + each * o * up(i, group), None, (1, group))
    if kind == "tensor":
        return Format("int8 tensor", "int8", lambda o, i: o * i + each, None)
    return Format("int8 row", "int8", lambda o, i: o * i + each * o, None)


# Groups of a matrix that is laid out as one ---------------------------------------------------------------------------


def quanto(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """optimum-quanto in the words of transformers, which quantises so as it loads and stores nothing."""
    form = _quanto_format(str(found.get("weights") or "int8"), config)
    return _one("quanto", form, _outside(names_of(found, "modules_to_not_convert"), config))


def quanto_map(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """The file ``quanto_qmap.json`` of optimum-quanto: every quantised module by its name."""
    named: dict[str, Format | None] = {}
    for name, how in found.items():
        weights = str(how.get("weights") if isinstance(how, Mapping) else how)
        named[name] = None if weights == "none" else _quanto_format(weights, config)
    forms = list(dict.fromkeys(form.name for form in named.values() if form is not None))
    tests = [(_is(name), form) for name, form in named.items()]
    return Declaration(f"quanto {', '.join(forms)}", "", formats=tuple(tests), positive=True)


def _is(module: str) -> Test:
    return lambda name, kind: name == module


def _quanto_format(word: str, config: Mapping[str, Any]) -> Format:
    """Scales of a row, below 8 bits with shifts of a group that divides it; two scalars for what goes in and out."""
    value = dtype_bytes(config)
    word = word.removeprefix("q")
    if word.startswith("float8"):
        return replace(fp8_row(value), size=lambda o, i: o * i + value * o + 2 * value, arithmetic=None)
    if word == "int8":
        return int8_row(value, 2 * value, weight_only=True)
    bits = {"int4": 4, "int2": 2}.get(word)
    if bits is None:
        raise refused("weights", word, "known of quanto are float8, int8, int4 and int2")

    def size(o: int, i: int) -> int:
        group = next((group for group in (128, 96, 64, 32) if i % group == 0), i) if i > 128 else i
        return up(o * i * bits, 8) + 2 * value * o * up(i, group) + 2 * value

    return Format(f"int{bits} group 128", whole_format(bits), size, None, (1, 128))


def hqq(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """HQQ: one set of numbers for all layers, or one for each kind of layer."""
    given = mapping_of(found, "quant_config")
    left = names_of(found, "skip_modules")
    outside = _outside(left, config)
    if "weight_quant_params" in given:
        return _one("hqq", _hqq_format(given, config), outside)
    tests = []
    for name, how in given.items():
        if isinstance(how, Mapping):
            tests.append((_ends(name), _hqq_format(how, config)))
    scheme = ", ".join(dict.fromkeys(form.name for _, form in tests)) or stored_dtype(config)
    return Declaration(f"hqq {scheme}", "", formats=(outside, *tests), positive=True)


def _ends(tag: str) -> Test:
    return lambda name, kind: name == tag or name.endswith(f".{tag}")


def _hqq_format(given: Mapping[str, Any], config: Mapping[str, Any]) -> Format:
    params = mapping_of(given, "weight_quant_params")
    bits = number_of(params, "nbits", 4, BITS)
    group = group_of(params, default=64) if params.get("group_size") is not None else None
    value = dtype_bytes(config)
    held = {5: 8, 6: 8, 7: 8}.get(bits, bits)
    text = 69 - (stored_dtype(config) == "fp16") - (stored_dtype(config) == "fp32")  # names of types, as numbers

    def size(o: int, i: int) -> int:
        across = group or i
        rows = across if number_of(params, "axis", 1) == 0 else up(o * i, across)
        each = up(o * i, across) if rows == across and number_of(params, "axis", 1) == 0 else across
        return _packed_rows(rows, each, held) + 2 * value * up(o * i, across) + text

    return Format(
        f"int{bits} " + (f"group {group}" if group else "row"), whole_format(bits), size, None, (1, group or 1)
    )


def _packed_rows(rows: int, columns: int, bits: int) -> int:
    """Whole rows laid over one another: in a byte, or in a word of 32 bits where they leave some of it free."""
    if bits in (1, 2, 4, 8):
        return rows * bits // 8 * columns
    return 4 * up(rows, 32 // bits) * columns


def sinq(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """SINQ: scales and zero points of 8 bits with scales of their own, and a second scale along the other side."""
    bits, group = number_of(found, "nbits", 4, (1, 2, 3, 4, 5, 6, 8)), group_of(found, default=64) or 64
    tiles = str(found.get("tiling_mode") or "1D").upper() == "2D"

    def size(o: int, i: int) -> int:
        each = group
        while each > 1 and i % each:
            each //= 2
        groups = up(o * i, each)
        second = groups if tiles else i
        return _packed_rows(groups, each, bits) + 2 * groups + 4 * up(groups, 32) + 4 + 2 * second

    form = Format(f"int{bits} group {group}", whole_format(bits), size, None, (1, group))
    return _one("sinq", form, _outside(names_of(found, "modules_to_not_convert"), config, head=False))


def metal(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """Metal of transformers: MLX's affine layout, and tables left as they were."""
    bits, group = number_of(found, "bits", 4, (2, 4, 8)), group_of(found, default=64) or 64
    form = mlx("affine", bits, group)
    return _one("metal", form, _outside(names_of(found, "modules_to_not_convert"), config))


# Codes and books ------------------------------------------------------------------------------------------------------


def aqlm(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """AQLM: codes for groups of weights, the books that they point into, and a scale a row of groups."""
    inner, outer = number_of(found, "in_group_size", 8), number_of(found, "out_group_size", 1)
    books, bits = number_of(found, "num_codebooks", 1), number_of(found, "nbits_per_codebook", 16, range(1, 33))
    if min(inner, outer, books) < 1:
        raise refused(
            "in_group_size, out_group_size, num_codebooks", min(inner, outer, books), "they must be at least 1"
        )
    value, code = dtype_bytes(config), 1 if bits <= 8 else 2 if bits <= 16 else 4

    def size(o: int, i: int) -> int:
        codes = up(o, outer) * up(i, inner) * books * code
        return codes + value * books * 2**bits * outer * inner + value * up(o, outer)

    each = books * bits / (inner * outer)
    form = Format(f"{each:g} bits of {books} books", "int4", size, None, (outer, inner))
    left = names_of(found, "linear_weights_not_to_quantize") or []
    plain = [name.removesuffix(".weight") for name in left]
    return _one("aqlm", form, _outside(plain, config))


def vptq(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """VPTQ: vectors along the outputs, pointed at by packed indices; numbers of its own for each layer."""
    shared = mapping_of(found, "shared_layer_config")
    own = mapping_of(found, "config_for_layers")
    tests: list[Any] = [_outside(names_of(found, "modules_to_not_convert"), config)]
    tests += [(_is(name), _vptq_format(how, config)) for name, how in own.items() if isinstance(how, Mapping)]
    tests += [(_ends(name), _vptq_format(how, config)) for name, how in shared.items() if isinstance(how, Mapping)]
    return Declaration("vptq", "", formats=tuple(tests), positive=True)


def _vptq_format(how: Mapping[str, Any], config: Mapping[str, Any]) -> Format:
    value = dtype_bytes(config)
    lens, books, further = (_two(how, key) for key in ("vector_lens", "num_centroids", "num_res_centroids"))
    groups, outliers = number_of(how, "group_num", 1), max(0, number_of(how, "outlier_size", 0))
    length = lens[1]
    if groups < 1 or length < 1 or books[1] < 1:
        raise refused("vector_lens, num_centroids, group_num", [length, books[1], groups], "they must be at least 1")
    bits = int(math.log2(books[1])) + (int(math.log2(further[1])) if further[1] > 0 else 0)

    def size(o: int, i: int) -> int:
        span = number_of(how, "group_size", -1)
        span = span if span > 0 else up(max(0, i - outliers), groups)
        held = 4 * groups * up(o, length) * up(span * bits, 32)
        held += value * groups * length * (books[1] + max(0, further[1]))
        if lens[0] > 1 and books[0] > 0:
            held += value * books[0] * lens[0] + 2 * up(o, lens[0]) * outliers
        held += 2 * i if how.get("enable_perm", True) else 0
        return held + (2 * value * i if how.get("enable_norm", True) else 0)

    return Format(f"{bits / length:g} bits", "int4", size, None, (length, 1))


def _two(how: Mapping[str, Any], key: str) -> list[int]:
    value = how.get(key, [-1, -1])
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(one, int) for one in value):
        raise refused(key, value, "it must be two whole numbers")
    return value


def spqr(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """SpQR: the declaration holds the length of every tensor, since outliers are kept apart one by one."""
    shapes = mapping_of(found, "shapes")
    sizes: dict[str, int] = {}
    for name in shapes:
        match = re.match(r"(.+)\.(dense_weights|row_offsets|col_vals|in_perm)\.shape$", str(name))
        if match:
            length = max(0, number_of(shapes, name, 0))
            sizes[match[1]] = sizes.get(match[1], 0) + length * (8 if match[2] == "dense_weights" else 4)
    tests = [(_is(name), Format("int3", "int4", lambda o, i, held=held: held)) for name, held in sizes.items()]
    left = _outside(names_of(found, "modules_to_not_convert"), config)
    return Declaration("spqr int3", "", formats=(left, *tests), positive=True)


def higgs(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """HIGGS: packed numbers of a grid, scales of a group, the grid itself beside every matrix."""
    bits, group = number_of(found, "bits", 4, (2, 3, 4)), group_of(found, default=256) or 256
    value = dtype_bytes(config)

    def size(o: int, i: int) -> int:
        return 2 * (o * bits // 16) * i + value * (o * up(i, group) + 2**bits + 2 * 4**bits)

    form = Format(f"int{bits} group {group}", "int4", size, None, (16, group))
    return _one("higgs", form, _outside(names_of(found, "modules_to_not_convert"), config))


def exllama(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """ExLlama 2 and 3: an average of bits that the tool spreads over the layers, and bits of the head."""
    name = str(found.get("quant_method") or "exl2")
    warning = f"{name} spreads its bits over the layers: the declaration gives their average"
    tests = []
    for key, head in (("head_bits", True), ("bits", False)):
        bits = found.get(key, 6 if head else None)
        if isinstance(bits, bool) or not isinstance(bits, (int, float)) or not 1 <= bits <= 16:
            raise refused(key, bits, "it must be a number of 1 to 16")
        form = None if bits == 16 else _exllama_format(float(bits))
        tests.append(((lambda module, kind, head=head: kind == "head" if head else True), form))
    scheme = f"{name} {found['bits']:g} bits"
    return Declaration(scheme, "", formats=tuple(tests), warnings=(warning,))


def _exllama_format(bits: float) -> Format:
    size = lambda o, i: math.ceil(o * i * bits / 8) + 2 * (o + i)  # noqa: E731
    return Format(f"{bits:g} bits", whole_format(math.ceil(bits)), size, None, (16, 16))


# Plain layouts --------------------------------------------------------------------------------------------------------


def bitnet(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """BitNet: four weights of three values in a byte along the outputs; in training ("online") as they are."""
    outside = _outside(names_of(found, "modules_to_not_convert"), config)
    if found.get("linear_class") == "autobitlinear" and found.get("quantization_mode") == "online":
        return Declaration("bitnet, made as it loads", "", formats=())
    value = dtype_bytes(config)
    norm = value if found.get("use_rms_norm") is True else 0
    form = Format("int2 tensor", "int4", lambda o, i: o // 4 * i + value + norm * i, None, (4, 1))
    return _one("bitnet", form, outside)


def gemma(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """Gemma's own: whole numbers of a row, with scalars for what goes in and out; tables too where it says so."""
    usual = number_of(found, "num_bits", 4, (2, 4, 8))
    tests: list[Any] = [_outside(names_of(found, "modules_to_not_convert"), config)]
    tables = found.get("quantize_embeddings") is True
    rules: list[tuple[Test, int]] = []
    for pattern, how in mapping_of(found, "module_quant_configs").items():
        expression = expression_of(str(pattern))
        bits = number_of(how if isinstance(how, Mapping) else {}, "num_bits", usual, (2, 4, 8))
        if expression is not None:
            rules.append((lambda name, kind, expression=expression: bool(expression.search(name)), bits))
    for applies, bits in (*rules, (always, usual)):
        for table, more in ((True, 0), (False, 8)):
            tests.append((_of_kind(applies, table), _gemma_format(bits, more)))
    formats = tuple([(lambda name, kind: kind == "router", None), *tests])
    return Declaration(f"gemma int{usual} row", "", formats=formats, tables=tables)


def _of_kind(applies: Test, table: bool) -> Test:
    return lambda name, kind: (kind == "embedding") == table and applies(name, kind)


def _gemma_format(bits: int, more: int) -> Format:
    size = lambda o, i: o * up(i * bits, 8) + 4 * o + more  # noqa: E731
    return Format(f"int{bits} row", whole_format(bits), size, None)


def eetq(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """EETQ: INT8 of a row with scales of 16 bits."""
    return _one("eetq", int8_row(2, weight_only=True), _outside(names_of(found, "modules_to_not_convert"), config))


def fp_quant(found: Mapping[str, Any], config: Mapping[str, Any]) -> Declaration:
    """FP-Quant: MXFP4 or NVFP4 with two matrices that turn what goes in, and two scalars, beside every matrix."""
    word = str(found.get("forward_dtype") or "nvfp4")
    if word not in ("nvfp4", "mxfp4"):
        raise refused("forward_dtype", word, "it must be nvfp4 or mxfp4")
    group = 16 if word == "nvfp4" else 32
    turn = number_of(found, "hadamard_group_size", group)
    more = 2 * (2 * turn * turn + 2)
    form = fp4_group(word, group, more)
    if found.get("store_master_weights") is True or found.get("pseudoquantization") is True:
        form = Format(f"{word} kept at 16 bits", "bf16", lambda o, i: 2 * o * i + more, None)
    left = names_of(found, "modules_to_not_convert")
    return _one("fp_quant", form, _outside(left, config))


METHODS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Declaration]] = {
    "torchao": torchao,
    "quanto": quanto,
    "hqq": hqq,
    "sinq": sinq,
    "metal": metal,
    "aqlm": aqlm,
    "vptq": vptq,
    "spqr": spqr,
    "higgs": higgs,
    "exl2": exllama,
    "exl3": exllama,
    "bitnet": bitnet,
    "gemma": gemma,
    "eetq": eetq,
    "fp-quant": fp_quant,
}
"""What reads each ``quant_method``, underscores written as hyphens."""
