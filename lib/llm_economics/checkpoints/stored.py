"""The bytes of a checkpoint as it is: from the tables of its files, or from what its configuration declares.

Files are believed first: :func:`of_table` needs no model class. :func:`of_declaration` counts every weight of an
architecture in the format that its configuration gives to it. Both say which part belongs to experts, to tables that
are looked up, to further layers that predict tokens ahead, and to all the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_economics.checkpoints.config import SIDE_INDEX, is_weights, load
from llm_economics.checkpoints.formats import Declaration, Format, dtype_bytes, stored_dtype
from llm_economics.checkpoints.quantisation import declared
from llm_economics.checkpoints.sizes import INDEX, Sizes, is_sized, read_sizes
from llm_economics.formulas.architecture import Architecture
from llm_economics.formulas.architecture import parameters as total_of
from llm_economics.formulas.blocks import Layer, Weight, vector
from llm_economics.formulas.hardware import BYTES_PER_VALUE
from llm_economics.formulas.records import field, record, replace

if TYPE_CHECKING:
    from llm_economics.checkpoints.files import Table, Tensor

PARTS = ("common", "lookup", "experts", "ahead", "vision")
"""What bytes belong to: read by every step; tables of which a token reads a row; routed experts; layers that predict
further tokens; encoders of pictures or sound."""


@record
class Checkpoint:
    """What a checkpoint stores; bytes are those of its tensors, without headers and padding.

    Parameters
    ----------
    scheme
        How its weights are stored, in words.
    bytes_quantised, bytes_other
        Of quantised matrices with their scales, and of all else.
    parameters
        Values that they stand for: packed weights are counted one by one, scales not at all.
    kv_scheme
        Precision of the KV cache that it states; None if it states none.
    read_from
        The file that was believed.
    warnings
        What is odd, and where the declaration and the tensors disagree.
    parts
        Bytes by :data:`PARTS`.
    weights, arithmetic
        Precision of most weights, and of the products that an engine makes with them (None: 16 bits).
    outside, wide
        Precision of most bytes of the common part, and how many of them are in 16 bits or more.
    blocks
        Rows and columns that no split may cut, by part of a layer, as :class:`quantisation.Format` has them.
    """

    bytes: int
    scheme: str
    bytes_quantised: int
    bytes_other: int
    parameters: int | None
    kv_scheme: str | None
    read_from: str
    warnings: tuple[str, ...] = ()
    parts: Mapping[str, int] = field(default_factory=dict)
    weights: str = "bf16"
    arithmetic: str | None = None
    block: tuple[int, int] = (1, 1)
    outside: str = "bf16"
    wide: int = 0

    @property
    def bits_per_parameter(self) -> float | None:
        """Bits stored for each parameter, all in."""
        return 8 * self.bytes / self.parameters if self.parameters else None

    @property
    def loaded_bytes(self) -> int:
        """Bytes that an engine holds: all but the layers that predict further tokens."""
        return self.bytes - self.parts.get("ahead", 0)


def read_checkpoint(
    source: str | Path | Mapping[str, Any], architecture: Architecture | None = None
) -> Checkpoint | None:
    """The checkpoint in a file or folder, or behind a configuration of a known ``architecture``; None without either.

    Raises
    ------
    ParameterError
        One line: the files are damaged or incomplete, or the declaration is not allowed.
    """
    path = _path(source)
    folder = path if path is not None and path.is_dir() else path and path.parent
    config = _config(source, path, folder)
    prefix = path.name.removesuffix("config.json") if path is not None and path.name.endswith("config.json") else ""
    declaration = declared(config, folder, prefix) if config is not None else None
    if path is not None and (path.is_dir() or is_weights(path)):
        from llm_economics.checkpoints.files import read_table

        table = read_table(path)
        if table is not None:
            return of_table(table, declaration, config, architecture)
    found = of_declaration(architecture, declaration, config) if architecture is not None and declaration else None
    if not _holds_weights(path):
        return found
    sizes = read_sizes(path)
    return _of_index(folder, found) if sizes is None else _of_sizes(sizes, found)


def _holds_weights(path: Path | None) -> bool:
    """Whether a path is not that of a configuration alone."""
    return path is not None and (path.is_dir() or is_weights(path) or is_sized(path))


def _path(source: Any) -> Path | None:
    if isinstance(source, Mapping) or (isinstance(source, str) and source.lstrip().startswith(("{", "["))):
        return None
    return Path(source)


def _config(source: Any, path: Path | None, folder: Path | None) -> dict[str, Any] | None:
    """The configuration given or beside the weights; None where there is none."""
    if not _holds_weights(path):
        return load(source)[0]
    beside = folder / "config.json" if folder is not None else None
    return load(beside)[0] if beside is not None and beside.is_file() else None


def _of_sizes(sizes: Sizes, found: Checkpoint | None) -> Checkpoint:
    """The bytes that files have; what the declaration says of their kinds, where its bytes come to nearly as many."""
    total, where = sizes.bytes, sizes.read_from
    if found is None or sizes.warnings:  # one shard tells nothing of the others
        return Checkpoint(
            total, sizes.kind, 0, total, None, None, where, warnings=sizes.warnings, parts={"common": total}
        )
    if abs(total - found.bytes) <= _NEAR * found.bytes:
        more = total - found.bytes
        parts = dict(found.parts) | {"common": found.parts.get("common", 0) + more}
        other = found.bytes_other + more
        return replace(found, bytes=total, bytes_other=other, read_from=where, parts=parts)
    parts = {part: size * total // found.bytes for part, size in found.parts.items()}
    parts["common"] = parts.get("common", 0) + total - sum(parts.values())
    bits = 8 * total / found.parameters
    odd = f"the configuration gives {found.bytes:,} B ({found.scheme}), the files have {total:,} B"
    weights = next(name for name, most in _OF_BITS.items() if bits < most)
    whole = weights.startswith("int")
    return Checkpoint(
        bytes=total,
        scheme=f"{sizes.kind}, {bits:.1f} bits a parameter",
        bytes_quantised=total if whole else 0,
        bytes_other=0 if whole else total,
        parameters=found.parameters,
        kv_scheme=found.kv_scheme,
        read_from=where,
        warnings=(*found.warnings, odd),
        parts=parts,
        weights=weights,
        outside=weights,
    )


_NEAR = 0.02
"""Share by which files may be larger than their tensors: graphs, headers."""
_OF_BITS = {"int4": 6, "int8": 12, "bf16": 24, "fp32": float("inf")}
"""Precision that most weights have, by the bits of a parameter that it stays below."""


def _of_index(folder: Path, found: Checkpoint | None) -> Checkpoint | None:
    """With the size that an index states, where its files are not there."""
    from llm_economics.checkpoints.files import read_index

    indices = sorted(folder.glob(f"*{SIDE_INDEX}")) or sorted(folder.glob(INDEX))
    total = read_index(indices[0])["metadata"].get("total_size") if indices else None
    if isinstance(total, bool) or not isinstance(total, (int, float)) or total <= 0:
        return found
    total, where = int(total), f"{indices[0].name}: total_size"
    if found is None:
        return Checkpoint(total, "unknown", 0, total, None, None, where, parts={"common": total})
    if total == found.bytes:
        return replace(found, read_from=where)
    warning = f"the declaration gives {found.bytes:,} B, {where} {total:,}"
    other = total - found.bytes_quantised
    if other < 0:
        return replace(found, warnings=(*found.warnings, warning))
    parts = dict(found.parts) | {"common": max(0, found.parts.get("common", 0) + total - found.bytes)}
    return replace(
        found, bytes=total, bytes_other=other, read_from=where, warnings=(*found.warnings, warning), parts=parts
    )


# ---------------------------------------------------------------------------------------------------------------------
# From a configuration

_VARIANTS = (
    (("model.", "language_model.model."), ("model.", "model.language_model."), ("model.", "backbone.")),
    (("mlp.", "block_sparse_moe."), ("mlp.", "mixer."), ("self_attn.", "mixer."), ("mamba.", "mixer.")),
    (("shared_experts", "shared_expert"),),
    (("gate_proj", "w1"), ("up_proj", "w3"), ("down_proj", "w2")),
)
"""Other spellings of a module's name, by part: those whose words stand in a declaration are tried as well."""
_KINDS = {
    "attention": "linear",
    "mixers": "linear",
    "mlp": "linear",
    "shared_experts": "linear",
    "experts": "expert",
    "head": "head",
    "router": "router",
}
_CORRECTED = {
    "axk1",
    "axk2",
    "bailing_hybrid",
    "deepseek_v3",
    "deepseek_v32",
    "deepseek_v4",
    "dots1",
    "exaone_moe",
    "glm4_moe",
    "glm4_moe_lite",
    "glm_moe_dsa",
    "hy_v3",
    "hy_v4",
    "kimi_k2",
    "kimi_linear",
    "mimo_v2_flash",
    "minimax_m2",
    "nemotron_h",
    "sarvam_mla",
    "sarvam_moe",
    "solar_open",
}
"""Model types whose files keep one FP32 value per expert for balancing, a buffer that is no parameter."""


_WIDE_ROUTERS = _CORRECTED - {"deepseek_v4", "kimi_k2", "minimax_m2"} | {"deepseek_v2", "ernie4_5_moe", "flint"}
"""Model types whose class keeps the router's matrix in FP32, and writes it so."""


def _size(form: Format, weight: Weight, config: Mapping[str, Any]) -> int:
    """Bytes of a weight's copies; the scalars of a tensor stand once where a file keeps all experts as one."""
    size = weight.copies * form.size(weight.rows, weight.columns)
    if weight.part != "experts" or config.get("model_type") != "gpt_oss":
        return size
    scalars = form.size(0, 0)
    return size - scalars * (weight.copies - (not weight.name.endswith("up_proj")))  # gate and up are one as well


_AS_GIVEN = ("modelopt", "auto-round", "mlx")
"""Tools that write such routers and buffers in the type of the weights they were given."""


def _common(sizes: Counter[str]) -> dict[str, Any]:
    """Precision of most bytes of a common part, and how many are in 16 bits or more, from its bytes by precision."""
    return {
        "outside": max(sizes, key=lambda name: sizes[name], default="bf16"),
        "wide": sum(size for name, size in sizes.items() if BYTES_PER_VALUE.get(name, 1.0) >= 2),
    }


def of_declaration(architecture: Architecture, declaration: Declaration, config: Mapping[str, Any]) -> Checkpoint:
    """The bytes of an architecture stored as ``declaration`` says."""
    value = dtype_bytes(config)
    as_given = declaration.method in _AS_GIVEN and _written_by(config, _PINNED)
    wide = config.get("model_type") in _WIDE_ROUTERS and _written_by(config, _PINNED) and not as_given
    parts: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    formats: Counter[Format] = Counter()
    outside: Counter[str] = Counter()
    values = odd = odd_bytes = 0
    for layer, part, weight, times in _named(architecture, config, _names_no_module(declaration)):
        plain = weight.parameters * (4 if wide and weight.name == "mlp.gate" else value)
        form = _format(declaration, layer, weight, config) if _is_matrix(declaration, weight) else None
        size = plain if form is None else _size(form, weight, config)
        copies, held, plain, size = times * weight.copies, times * weight.parameters, times * plain, times * size
        if form is not None and form.keeps(weight.rows, weight.columns):
            odd, odd_bytes = odd + copies, odd_bytes + plain
            seen["other"] += plain
            size = 0 if declaration.tables else size - held  # else its scales are stored all the same
            parts[part] += plain
            form = None if not size else form
        else:
            formats[form] += held if form else 0
        seen["quantised" if form else "other"] += size
        parts[part] += size
        if part == "common":
            outside[form.weights if form else stored_dtype(config)] += size
        values += held
    extras = _buffers(architecture, declaration, config, parts)
    seen["other"] += extras
    parts["common"] += extras
    warnings = list(declaration.warnings)
    if odd:
        warnings.append(
            f"{odd:,} matrices ({odd_bytes:,} B) stay at 16 bits: their sides are no multiples of the blocks of "
            f"{declaration.scheme}"
        )
    if declaration.method == "bitsandbytes" and architecture.n_experts:
        warnings.append("bitsandbytes leaves fused experts at 16 bits, whatever is declared")
    most = max((form for form in formats if form), key=lambda form: formats[form], default=None)
    return Checkpoint(
        bytes=seen["quantised"] + seen["other"],
        scheme=declaration.scheme,
        bytes_quantised=seen["quantised"],
        bytes_other=seen["other"],
        parameters=values,
        kv_scheme=declaration.kv_scheme,
        read_from=declaration.read_from,
        warnings=tuple(warnings),
        parts=dict(parts),
        **_precisions(most, config),
        block=_widest([form for form in formats if form]),
        **_common(outside),
    )


def _precisions(form: Format | None, config: Mapping[str, Any] | None) -> dict[str, Any]:
    if form is None:
        return {"weights": stored_dtype(config or {}), "arithmetic": None}
    return {"weights": form.weights, "arithmetic": form.arithmetic}


def _widest(forms: list[Format]) -> tuple[int, int]:
    return max((form.block[0] for form in forms), default=1), max((form.block[1] for form in forms), default=1)


def _names_no_module(declaration: Declaration) -> bool:
    """Whether nothing in a declaration can tell one layer from another: neither a list of words nor an object in it."""
    if not declaration.formats:
        return True
    if declaration.tables and "layers." in declaration.words:  # MLX leaves out a module by its name alone
        return False
    if declaration.words and all(map(_PLAIN.fullmatch, re.findall(r'"([^"]*)"', declaration.words))):
        return True
    return bool(declaration.words) and not any(sign in declaration.words[1:] for sign in ('["', "{"))


_PLAIN = re.compile(r"[A-Za-z_][\w -]*|(?!.*\.\.)[A-Za-z_.* -]*")
"""Words that cannot mean the number of a layer: without dots, or without digits."""


def _named(
    architecture: Architecture, config: Mapping[str, Any], alike: bool = False
) -> Iterator[tuple[str, str, Weight, int]]:
    """Every weight with its layer's prefix, the part that it belongs to and how often it is there.

    ``alike``: layers of one kind are stored alike, so that the first stands for all of them.
    """
    number = 0
    for count, layer in architecture.stack:
        weights = layer.weights(architecture.hidden_size)
        if {"mlp.up_proj", "mlp.experts.*.up_proj"} <= {weight.name for weight in weights}:  # experts beside an MLP
            weights = [weight._replace(name=weight.name.replace("mlp.experts.", "experts.")) for weight in weights]
        for layer_number in [number] if alike else range(number, number + count):
            for weight in weights:
                part = "experts" if weight.part == "experts" else "common"
                yield f"model.layers.{layer_number}.", part, weight, count if alike else 1
        number += count
    for weight in architecture.ends:
        looked_up = weight.part in ("embedding", "positional") and not weight.product
        yield "", "lookup" if looked_up else "common", weight, 1
    for extra in range(_layers_ahead(config)):
        for weight in _ahead(architecture, architecture.stack[-1][1], config.get("model_type") in _TABLES_AHEAD):
            yield f"model.layers.{number + extra}.", "ahead", weight, 1


_PINNED = (5, 24)
"""The release of ``transformers`` whose files were read."""
_NOT_SAVED = ("deepseek_v3", "glm4_moe")
"""Model types whose class has a default for further layers and builds none: a file that it wrote names them all the
same."""


def _written_by(config: Mapping[str, Any], release: tuple[int, int]) -> bool:
    """Whether a release of ``transformers``, or a later one, wrote the configuration."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})", str(config.get("transformers_version") or ""))
    return bool(found) and (int(found[1]), int(found[2])) >= release


def _layers_ahead(config: Mapping[str, Any]) -> int:
    """Layers that predict further tokens and are stored."""
    ahead = config.get("num_nextn_predict_layers", config.get("num_mtp_layers"))
    if isinstance(ahead, bool) or not isinstance(ahead, int):
        return 0
    if config.get("model_type") in _NOT_SAVED and _written_by(config, _PINNED):
        return 0
    return max(ahead, 0)


_TABLES_AHEAD = ("deepseek_v3", "deepseek_v32", "glm4_moe", "glm_moe_dsa", "kimi_k2")
"""Model types whose further layers bring tables of their own; others share those of the model."""


def _ahead(architecture: Architecture, layer: Layer, tables: bool) -> Iterator[Weight]:
    """A layer that predicts one token further (DeepSeek-V3, arXiv:2412.19437, section 2.2)."""
    hidden, vocabulary = architecture.hidden_size, architecture.vocab_size
    yield from layer.weights(hidden)
    if tables:
        yield Weight("embed_tokens", "embedding", vocabulary, hidden, product=False)
        yield Weight("shared_head.head", "ahead", vocabulary, hidden, product=False)
    yield Weight("eh_proj", "ahead", hidden, 2 * hidden, product=False)
    yield vector("norms", "norms", hidden, 3, 3)


def _is_matrix(declaration: Declaration, weight: Weight) -> bool:
    table = declaration.tables and weight.part == "embedding"
    return (weight.product or table) and weight.columns > 1


def _format(declaration: Declaration, prefix: str, weight: Weight, config: Mapping[str, Any]) -> Format | None:
    kind = _KINDS.get(weight.part)
    if declaration.tables and weight.part == "embedding":
        kind = "embedding"
    if kind == "router" and declaration.tables and config.get("model_type") in _CORRECTED:
        return None  # no layer of its own there, but an array
    if weight.name.endswith("shared_expert_gate") and _every_matrix(declaration):
        kind = "linear"
    if kind is None or "conv" in weight.name:
        return None
    forms = [declaration.format_of(name, kind) for name in _spellings(prefix + weight.name, declaration)]
    if declaration.positive:
        return next((form for form in forms if form is not None), None)
    return None if None in forms else forms[0]


def _every_matrix(declaration: Declaration) -> bool:
    """Whether a tool takes the gate of a shared expert, one row, as any other matrix."""
    tiled = any(form is not None and form.tiled for _, form in declaration.formats)
    return tiled or declaration.method in ("compressed-tensors", "modelopt", "bitsandbytes")


def _spellings(name: str, declaration: Declaration) -> list[str]:
    """A module's name as transformers has it, and as a file may spell it; "*" is the first expert."""
    found = [name.replace("*", "0")]
    for part in _VARIANTS if declaration.words else ():
        found += [
            one.replace(old, new, 1)
            for old, new in part
            if new.rstrip(".") in declaration.words
            for one in found
            if old in one and (old != "model." or one.startswith("model.layers"))
        ]
    return found


def _buffers(architecture: Architecture, declaration: Declaration, config: Mapping[str, Any], parts: Counter) -> int:
    """Bytes of what is stored and is no parameter: corrections of the router, scales of a quantised cache."""
    model_type = config.get("model_type")
    layers = architecture.moe_layers
    ahead = _layers_ahead(config)
    corrections = 0
    if model_type in _CORRECTED and architecture.n_experts:
        as_given = declaration.method in _AS_GIVEN and _written_by(config, _PINNED)
        each = (dtype_bytes(config) if as_given else 4) * architecture.n_experts
        corrections = each * layers
        if ahead:
            parts["ahead"] += each * ahead
            parts["common"] -= each * ahead
            corrections += each * ahead
    angles = _angles(config) if declaration.method == "sinq" else 0
    return corrections + angles + declaration.kv_scale_bytes * architecture.attention_layers


def _angles(config: Mapping[str, Any]) -> int:
    """Bytes of the two tables of angles that SINQ stores with a model of rotary positions."""
    inner = config.get("text_config")
    for given in (inner if isinstance(inner, Mapping) else {}, config):
        heads, hidden = given.get("num_attention_heads"), given.get("hidden_size")
        if isinstance(heads, int) and isinstance(hidden, int) and heads > 0:
            width = given.get("qk_rope_head_dim") or given.get("head_dim") or hidden // heads
            share = given.get("partial_rotary_factor")
            return 8 * (int(width * (share if isinstance(share, float) else 1)) // 2)
    return 0


# ---------------------------------------------------------------------------------------------------------------------
# From the tables of files

# Expressions are compiled when the first table of weights is read.
_AUXILIARY = (
    r"[._]{1,2}(?:weight_scale_inv|weight_scale_2|weight_scales?|scale_inv|scales?|q?biases|weight_global_scale|"
    r"input_global_scale|act_global_scale|input_scale|output_scale|input_scale_ub|input_zero_point|weight_zero_point|"
    r"zero_point|scale_and_zero|per_tensor_scale|act_pre_scale|shift|weight_shape|weight_g_idx|g_idx|qzeros|"
    r"SCB|weight_format|activation_scale|pre_quant_scale|absmax|quant_map|nested_absmax|nested_quant_map|"
    r"quant_state\.bitsandbytes__\w+|(?:input|output)_activation_scale|embedding_scale|"
    r"(?:forward|backward)_hadamard_matrix)$"
    r"|\.(?:zero|shape|axis|group_size|nbits|channel_wise|compute_dtype|encoded_state_dict|offload_meta|optimize|packing|"
    r"quant_scale|quant_zero|round_zero|stores_quant_config|unpack_view_dtype|view_as_float|meta\.[\w.]+)$"
    r"|\.(?:tables2?|codebooks|(?:res_|outlier_)?centroids\.weight|outlier_indices|perm|weight_bias|row_offsets|col_vals|"
    r"in_perm|s[uv]h?|mcg|mul1|q_scale|q_scale_max|q_groups|q_group_map|q_perm|q_invperm)$"
)
_WEIGHT = (
    r"(?:\.weight_packed|\.qweight|\._weight_qdata|_qdata|_blocks|\.weight(?:\._data){0,2}|\.W_q|\.codes|\.indices|"
    r"\.dense_weights|\.trellis|\.q_weight|\.embedding_quantized)$"
)
_CACHE = r"[._](?:[kvq]_scale|prob_output_scale|kv_scale|[kvq]_zero_point)$"
_FLOATS = ("F64", "F32", "F16", "BF16")
_VISION = r"(?:^|\.)(?:visual|vision|vision_tower|vision_model|audio_tower|audio|mm_projector|v)\."
_EXPERT = r"\.experts\.|_exps\.|\.switch_(?:mlp|glu)\."
_TABLE = r"(?:embed_tokens|\bwte|\bwpe|tok_embeddings|word_embeddings|embed_positions|token_embd|position_embd)\b"
_AHEAD = r"(?:^|\.)(?:mtp|nextn|mtp_layers)\b"
_NUMBER = r"(?:^|\.)(?:layers|blk|h)\.(\d+)\."
_ROUTER = r"\.(?:gate|router|shared_expert_gate|router\.proj|gate\.wg|gate_inp)$"


def of_table(
    table: Table,
    declaration: Declaration | None = None,
    config: Mapping[str, Any] | None = None,
    architecture: Architecture | None = None,
) -> Checkpoint:
    """What the tensors of ``table`` are; a declaration adds the scheme's name and is held against them."""
    if table.kind == "gguf":
        return _of_gguf(table)
    scales: dict[str, list[Tensor]] = {}
    plain: list[Tensor] = []
    other = []
    for tensor in table.tensors:
        match = None if re.search(_CACHE, tensor.name) else re.search(_AUXILIARY, tensor.name)
        if match:
            scales.setdefault(re.sub(_WEIGHT, "", tensor.name[: match.start()]), []).append(tensor)
        elif re.search(_CACHE, tensor.name):
            other.append(tensor)
        else:
            plain.append(tensor)
    layers = _layer_count(config)
    parts: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    values, told = 0, True
    corrected = config is not None and config.get("model_type") in _CORRECTED
    tied = bool(architecture.tied_embeddings) if architecture is not None else _head_is_missing(plain)
    scheme, precisions, block = _seen_scheme(plain, scales, declaration, config)
    kept: list[Tensor] = []
    outside: Counter[str] = Counter()
    for tensor in plain:
        module = re.sub(_WEIGHT, "", tensor.name)
        quantised = tensor.dtype not in _FLOATS or _in_other_words(scales.get(module, ()))
        seen["quantised" if quantised else "other"] += tensor.bytes
        part = _part(tensor.name, layers, tied)
        parts[part] += tensor.bytes
        if part == "common":
            narrow = "fp8" if tensor.dtype.startswith("F8") else precisions["weights"]
            outside[narrow if quantised else _WORDS.get(tensor.dtype, "fp32")] += tensor.bytes
        buffer = tensor.name.endswith("inv_freq") or (corrected and tensor.name.endswith("e_score_correction_bias"))
        if not buffer:
            stands_for = _values(tensor, scales.get(module, ()), declaration)
            told, values = told and stands_for is not None, values + (stands_for or 0)
        if not quantised:
            kept.append(tensor)
    if not told:
        values = total_of(architecture).total if architecture is not None else None
    for tensor in (tensor for many in scales.values() for tensor in many):
        seen["quantised"] += tensor.bytes
        parts[_part(tensor.name, layers, tied)] += tensor.bytes
    for tensor in other:
        seen["other"] += tensor.bytes
        parts[_part(tensor.name, layers, tied)] += tensor.bytes
    warnings = [*table.warnings, *(declaration.warnings if declaration else ())]
    warnings += _left_at_16_bits(kept, declaration, config, seen)
    return Checkpoint(
        bytes=table.bytes,
        scheme=scheme,
        bytes_quantised=seen["quantised"],
        bytes_other=seen["other"],
        parameters=values,
        kv_scheme=declaration.kv_scheme if declaration else None,
        read_from=_files(table),
        warnings=tuple(dict.fromkeys(warnings)),
        parts=dict(parts),
        **precisions,
        block=block,
        **_common(outside),
    )


def _files(table: Table) -> str:
    kind = "headers" if table.kind == "safetensors" else "tensor tables"
    if len(table.files) == 1:
        return f"{kind[:-1]} of {table.files[0].name}"
    return f"{kind} of {len(table.files):,} files ({table.files[0].name} ...)"


def _layer_count(config: Mapping[str, Any] | None) -> int | None:
    inner = (config or {}).get("text_config")
    for given in (config or {}, inner if isinstance(inner, Mapping) else {}):
        for key in ("num_hidden_layers", "n_layer", "n_layers"):
            if isinstance(given.get(key), int):
                return given[key]
    return None


def _head_is_missing(tensors: list[Tensor]) -> bool:
    return not any(re.search(r"(?:^|\.)(?:lm_head|output|embed_out)\b", tensor.name) for tensor in tensors)


def _part(name: str, layers: int | None, tied: bool) -> str:
    number = re.search(_NUMBER, name)
    if re.search(_VISION, name):
        return "vision"
    if re.search(_AHEAD, name) or (number and layers is not None and int(number[1]) >= layers):
        return "ahead"
    if re.search(_EXPERT, name) and "shared_expert" not in name:
        return "experts"
    return "lookup" if re.search(_TABLE, name) and not tied else "common"


def _in_other_words(scales: Any) -> bool:
    """Whether what looks like floats are packed weights: bitsandbytes may store them in words of any type."""
    return any(scale.name.endswith("quant_map") for scale in scales)


def _values(tensor: Tensor, scales: Any, declaration: Declaration | None) -> int | None:
    """Weights that a stored tensor stands for; None where its shape does not tell."""
    name, elements = tensor.name, tensor.elements
    ends = {scale.name.rsplit(".", 1)[-1]: scale for scale in scales}
    if _in_other_words(scales):
        return 2 * tensor.bytes
    if tensor.dtype == "U32":
        scale = ends.get("scales")
        return elements * 8 if scale is None else scale.elements * _mlx_group(tensor, scale, declaration)
    if name.endswith((".W_q", "._data")) and tensor.shape:  # rows are groups, laid over one another
        groups = next((ends[end] for end in ("x", "scale", "_scale") if end in ends), None)
        groups = next((one for one in scales if one.name.endswith("meta.scale.x")), groups)
        if groups is None or (groups.shape[0] == 1 and len(groups.shape) == 2 and tensor.shape[0] > 1):
            form = declaration.format_of(re.sub(_WEIGHT, "", name)) if declaration is not None else None
            known = groups is not None and form is not None and form.block[1] > 1  # columns are groups
            return groups.elements * form.block[1] if known else _of_bits(tensor, declaration)
        return elements if name.endswith(".weight._data") else groups.elements * tensor.shape[-1]
    if name.endswith(".trellis") and len(tensor.shape) == 3:
        return tensor.shape[0] * tensor.shape[1] * 256
    if tensor.dtype == "I16" and name.endswith(".qweight"):
        return 4 * elements
    if tensor.dtype == "I16" and "tables2" in ends and "scales" in ends:
        return ends["scales"].shape[0] * tensor.shape[-1]
    if name.endswith((".codes", ".indices", ".dense_weights", ".q_weight")):
        return None
    if tensor.dtype == "I32":
        found = ends.get("scales")
        if name.endswith(".qweight") and found is not None and len(found.shape) == 2 == len(tensor.shape):
            if "qzeros" not in ends or tensor.shape[0] == found.shape[0]:  # AWQ for marlin, or for one row at a time
                return elements * 32 // _packed_bits(declaration)
            if tensor.shape[1] != found.shape[1]:  # packed along the outputs
                return tensor.shape[0] * found.shape[1]
            zeros = ends.get("qzeros")
            bits = round(32 * zeros.shape[1] / found.shape[1]) if zeros is not None and found.shape[1] else 4
            return elements * 32 // max(1, bits)
        return elements * 32 // _packed_bits(declaration)
    if tensor.dtype == "U8":
        if "weight_zero_point" in ends:
            return elements
        if "weight_scale" in ends and ends["weight_scale"].elements == 1 and "weight_scale_2" not in ends:
            return 4 * elements
        if ("weight_scale" in ends and ends["weight_scale"].shape[-1:] == (1,)) or "embedding_scale" in ends:
            return _of_bits(tensor, declaration)
        groups = ends["weight_scale"].shape[-1] if "weight_scale" in ends and ends["weight_scale"].shape else 0
        if groups and tensor.shape and groups * 32 * 3 == tensor.shape[-1] * 4:
            return elements * 4 // 3  # four values of 6 bits in three bytes
        return 2 * elements
    if tensor.dtype == "I8" and name.endswith("_qdata"):
        scale = ends.get("_weight_scale")
        return 2 * elements if scale is not None and scale.shape[-1:] == tensor.shape[:1] != (1,) else elements
    if tensor.dtype == "I8" and any(
        scale.dtype in ("F8_E8M0", "U8", "F32") and scale.elements * 16 == elements for scale in scales
    ):
        return 2 * elements
    return elements


def _of_bits(tensor: Tensor, declaration: Declaration | None) -> int:
    """Weights in a tensor whose bits the declaration alone tells; four where none does."""
    module = re.sub(_WEIGHT, "", tensor.name)
    kinds = ("embedding", "linear") if re.search(_TABLE, tensor.name) else ("linear",)
    forms = [declaration.format_of(module, kind) for kind in kinds] if declaration is not None else []
    bits = next((re.match(r"int(\d)", form.name) for form in forms if form is not None), None)
    return 8 * tensor.bytes // (int(bits[1]) if bits else 4)


def _mlx_group(tensor: Tensor, scale: Tensor, declaration: Declaration | None) -> int:
    """Weights that share a scale; without a declaration those of the mode that words and scales have in common."""
    module = re.sub(_WEIGHT, "", tensor.name)
    form = declaration.format_of(module) if declaration is not None else None
    if form is not None and form.block[1] > 1:
        return form.block[1]
    return 16 if scale.dtype == "U8" and 2 * scale.elements >= tensor.elements else 32 if scale.dtype == "U8" else 64


def _packed_bits(declaration: Declaration | None) -> int:
    for _, form in declaration.formats if declaration else ():
        match = re.match(r"int(\d)", form.name) if form is not None else None
        if match:
            return int(match[1])
    return 4


def _left_at_16_bits(
    kept: list[Tensor], declaration: Declaration | None, config: Mapping[str, Any] | None, seen: Counter
) -> list[str]:
    """Matrices that the declaration calls quantised and that are not."""
    if declaration is None:
        return []
    if not declaration.quantised:
        if seen["quantised"]:
            return [f"the configuration declares no quantisation; {seen['quantised']:,} B of the tensors are quantised"]
        return []
    lost: list[Tensor] = []
    experts: list[Tensor] = []
    for tensor in kept:
        module = re.sub(_WEIGHT, "", tensor.name)
        if (
            len(tensor.shape) < 2
            or re.search(_TABLE, tensor.name)
            or re.search(_ROUTER, module)
            or re.search(_VISION, tensor.name)
        ):
            continue
        if (
            "norm" in module.rsplit(".", 1)[-1]
            or module.endswith(("_bias", ".bias"))
            or "conv" in module
            or not re.search(_NUMBER, tensor.name)
        ):
            continue
        expert = bool(re.search(_EXPERT, tensor.name)) and "shared_expert" not in tensor.name
        if expert and declaration.method == "bitsandbytes":
            experts.append(tensor)
        elif declaration.format_of(module, "expert" if expert else "linear") is not None:
            lost.append(tensor)
    warnings = []
    if experts:
        size = sum(tensor.bytes for tensor in experts)
        warnings.append(
            f"{declaration.scheme} is declared, but the experts are stored at 16 bits ({size:,} B): bitsandbytes "
            "leaves fused experts as they were"
        )
    if lost:
        size = sum(tensor.bytes for tensor in lost)
        shape = "x".join(map(str, lost[0].shape))
        warnings.append(
            f"{declaration.scheme} is declared, but {len(lost):,} matrices are stored at 16 bits ({size:,} B), such as "
            f"{lost[0].name[:80]} of {shape}"
        )
    return warnings


def _seen_scheme(
    plain: list[Tensor], scales: dict[str, list[Tensor]], declaration: Declaration | None, config: Any
) -> tuple[str, dict[str, Any], tuple[int, int]]:
    """Name, precisions and blocks: of the declaration where there is one that quantises, else of what is seen."""
    largest: Counter[str] = Counter()
    for tensor in plain:
        largest[tensor.dtype] += tensor.bytes
    quantised = [tensor for tensor in plain if tensor.dtype not in _FLOATS]
    if declaration is not None and declaration.quantised:
        forms = [form for _, form in declaration.formats if form is not None]
        main = forms[0]
        if not quantised and not any(_in_other_words(some) for some in scales.values()):
            word = largest.most_common(1)[0][0] if largest else "BF16"
            return declaration.scheme, {"weights": _WORDS.get(word, "bf16"), "arithmetic": None}, (1, 1)
        return declaration.scheme, {"weights": main.weights, "arithmetic": main.arithmetic}, _widest(forms)
    if not quantised and any(_in_other_words(some) for some in scales.values()):
        quantised = [tensor for tensor in plain if _in_other_words(scales.get(re.sub(_WEIGHT, "", tensor.name), ()))]
    if not quantised:
        word = largest.most_common(1)[0][0] if largest else "BF16"
        name = _WORDS.get(word, word.lower())
        return name, {"weights": name if name in _WORDS.values() else "bf16", "arithmetic": None}, (1, 1)
    tensor = max(quantised, key=lambda tensor: tensor.bytes)
    return _guess(tensor, scales.get(re.sub(_WEIGHT, "", tensor.name), []))


_WORDS = {"BF16": "bf16", "F16": "fp16", "F32": "fp32"}


_TOOLS = {
    ".W_q": "hqq or sinq",
    "_qdata": "torchao",
    "._data": "quanto",
    ".trellis": "exl3",
    ".q_weight": "exl2",
    ".codes": "aqlm",
    ".indices": "vptq",
    ".dense_weights": "spqr",
}
"""Tools whose weights have a name of their own."""


def _guess(tensor: Tensor, scales: list[Tensor]) -> tuple[str, dict[str, Any], tuple[int, int]]:
    """A scheme from the largest quantised tensor and its scales alone."""
    ends = {scale.name.rsplit(".", 1)[-1]: scale for scale in scales}
    state = next((scale.name.rsplit("__", 1)[-1] for scale in scales if "bitsandbytes__" in scale.name), None)
    four, eight = {"weights": "fp4", "arithmetic": None}, {"weights": "fp8", "arithmetic": "fp8"}
    tool = next((_TOOLS[end] for end in _TOOLS if tensor.name.endswith(end)), None)
    if tool:
        whole = tensor.dtype == "I8" or tensor.dtype.startswith("F8")
        return tool, {"weights": "int8" if whole else "int4", "arithmetic": None}, (1, 1)
    if state:
        return f"bitsandbytes {state}", {"weights": "int4", "arithmetic": None}, (1, 64)
    if "SCB" in ends:
        return "bitsandbytes int8", {"weights": "int8", "arithmetic": "int8"}, (1, 1)
    if tensor.name.endswith("_blocks"):
        return "mxfp4", four, (1, 32)
    if "weight_scale_2" in ends or "weight_global_scale" in ends:
        return (
            "nvfp4",
            four | {"arithmetic": "fp4" if {"input_scale", "input_global_scale"} & set(ends) else None},
            (1, 16),
        )
    if tensor.name.endswith(".qweight"):
        layout = "gptq" if "g_idx" in ends else "awq or gptq"
        return f"{layout} int4", {"weights": "int4", "arithmetic": None}, (8, 1)
    if tensor.dtype.startswith("F8"):
        scale = next((one for one in scales if "scale" in one.name and len(one.shape) == 2 == len(tensor.shape)), None)
        if scale is not None and min(scale.shape) > 0:
            sides = tuple(-(-side // part) for side, part in zip(tensor.shape, scale.shape, strict=True))
            return f"fp8 block {sides[0]}x{sides[1]}", eight, sides
        return "fp8", eight, (1, 1)
    if tensor.dtype == "U32":
        scale = ends.get("scales")
        group = _mlx_group(tensor, scale, None) if scale is not None else 64
        bits = 32 * tensor.elements // max(1, group * scale.elements) if scale is not None else 4
        if scale is not None and scale.dtype == "U8":
            name = "nvfp4" if group == 16 else f"mxfp{bits}"
            return f"mlx {name}", {"weights": "fp8" if bits == 8 else "fp4", "arithmetic": None}, (1, group)
        return f"mlx int{bits}", {"weights": "int4" if bits <= 4 else "int8", "arithmetic": None}, (1, group)
    if tensor.dtype == "I32":
        return "compressed-tensors int4", {"weights": "int4", "arithmetic": None}, (1, 1)
    if tensor.dtype in ("U8", "F4"):
        return "mxfp4" if tensor.dtype == "U8" else "fp4", four, (1, 32)
    return "int8", {"weights": "int8", "arithmetic": "int8"}, (1, 1)


# ---------------------------------------------------------------------------------------------------------------------
# GGUF

FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
    39: "NVFP4", 40: "Q1_0", 41: "Q2_0",
}  # fmt: skip
"""Names of llama.cpp's recipes, by ``general.file_type``."""


def _of_gguf(table: Table) -> Checkpoint:
    plain = (*_FLOATS, "I8", "I16", "I32", "I64")
    sizes: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    outside: Counter[str] = Counter()
    architecture = str(table.metadata.get("general.architecture") or "")
    layers = table.metadata.get(f"{architecture}.block_count")
    ahead = table.metadata.get(f"{architecture}.nextn_predict_layers", 0)
    known = layers - ahead if isinstance(layers, int) and isinstance(ahead, int) else None
    tied = _head_is_missing(list(table.tensors))
    for tensor in table.tensors:
        sizes[tensor.dtype] += tensor.bytes
        part = _part(tensor.name, known, tied)
        parts[part] += tensor.bytes
        if part == "common":
            outside[_gguf_precision(tensor.dtype)] += tensor.bytes
    packed = {tensor.name.removesuffix(".weight") for tensor in table.tensors if tensor.dtype not in plain}
    factors = [(tensor, re.fullmatch(r"(.+)\.(?:input_)?scale", tensor.name)) for tensor in table.tensors]
    scales = [tensor for tensor, match in factors if match and match[1] in packed]
    quantised = sum(size for dtype, size in sizes.items() if dtype not in plain) + sum(one.bytes for one in scales)
    angles = [tensor for tensor in table.tensors if re.match(r"rope_(?:freqs|factors_\w+)\b", tensor.name)]
    values = sum(tensor.elements for tensor in table.tensors) - sum(one.elements for one in (*scales, *angles))
    recipe = FILE_TYPES.get(table.metadata.get("general.file_type"))
    most = sizes.most_common(1)[0][0] if sizes else "F32"
    warnings = list(table.warnings)
    fallback = {
        dtype: size for dtype, size in sizes.items() if dtype not in plain and recipe and not _of(recipe, dtype)
    }
    if fallback and 2 * sum(fallback.values()) > quantised:
        share = ", ".join(f"{size / table.bytes:.0%} {dtype}" for dtype, size in sorted(fallback.items()))
        warnings.append(
            f"{recipe} is a recipe: {share} of the bytes are in other types, where rows fit no block of 256"
        )
    return Checkpoint(
        bytes=table.bytes,
        scheme=f"gguf {recipe or most}",
        bytes_quantised=quantised,
        bytes_other=table.bytes - quantised,
        parameters=values,
        kv_scheme=None,
        read_from=_files(table),
        warnings=tuple(warnings),
        parts=dict(parts),
        weights=_gguf_precision(most),
        **_common(outside),
    )


def _gguf_precision(dtype: str) -> str:
    if dtype in ("MXFP4", "NVFP4"):
        return "fp4"
    return _WORDS.get(dtype) or ("fp32" if dtype == "F64" else "int8" if dtype[:2] in _EIGHT else "int4")


_EIGHT = ("Q8", "Q6", "Q5", "I8")
"""Beginnings of the types that are nearer to 8 bits than to 4."""


_HIGHER = {"Q2_K": "Q3_K", "Q3_K": "Q4_K Q5_K", "Q4_K": "Q5_K", "Q5_K": "Q6_K"}


def _of(recipe: str, dtype: str) -> bool:
    """Whether a recipe uses a type of its own accord: its base, the next better, and Q6_K for what matters most."""
    base = next((name for name in ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K") if recipe.startswith(name)), None)
    if base is None:
        return dtype == recipe or dtype.startswith(("Q6_K", "Q5_K", "Q4_K", "IQ", "Q8_0", "Q3_K", "Q2_K"))
    return dtype in (base, "Q6_K", *_HIGHER.get(base, "").split())
