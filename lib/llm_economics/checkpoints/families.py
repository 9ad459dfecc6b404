"""Hugging Face ``config.json`` files as architectures, exact to the last parameter.

:func:`read` takes a path, a JSON text or a mapping. A field that the file leaves out has the default of the
model's class in ``transformers`` (``config_defaults.json``, made by ``tests/oracle/make_config_defaults.py``) and
is listed in :attr:`Config.defaulted`. What cannot be counted for sure is refused with a line that names the field.

Counts are those of the model that ``transformers`` builds for causal language modelling: tied tables once, buffers
not at all. Of a configuration with a ``text_config`` only that language model is counted. Grok-1, which has no class
there, follows its published code.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from llm_economics.checkpoints.config import MOST, MOST_LAYERS, Fields, load, refused, whole_number
from llm_economics.formulas.architecture import Architecture, stacked
from llm_economics.formulas.blocks import (
    Dense,
    Experts,
    GroupedAttention,
    LatentAttention,
    Layer,
    Mamba,
    RecurrentUnit,
)
from llm_economics.formulas.elementwise import check_range


@dataclass(frozen=True)
class Config:
    """A configuration as it was understood.

    ``fields`` are the values that the counts rest on, under the names of the model's class; ``defaulted`` are those
    of them that the class gave; ``notes`` say what a reader might expect to be counted and is not.
    """

    model_type: str
    architecture: Architecture
    fields: dict[str, Any]
    defaulted: tuple[str, ...]
    notes: tuple[str, ...]


def read(source: str | Path | Mapping[str, Any], name: str | None = None) -> Config:
    """The configuration in a file (or in a folder's ``config.json``), in a JSON text or in a mapping.

    Raises
    ------
    ParameterError
        One line that names the field: not JSON, model type unknown, a field missing that has no default, of the
        wrong type, out of range, in conflict with another, or of a meaning that is not supported.
    """
    given, path = load(source)
    if name is None:
        stated = given.get("_name_or_path")
        name = stated if isinstance(stated, str) and stated.strip() else path and (path.parent.name or path.stem)
    outer_type = given.get("model_type")
    notes: list[str] = []
    if outer_type == "gemma3" or ("text_config" in given and not _known(outer_type)):
        given = _text_config(given, notes)
    model_type = _model_type(given)
    fields = Fields(model_type, given, notes)
    family = FAMILIES[model_type](fields)
    shown = "".join(c for c in str(name or outer_type) if c.isprintable())[:100]
    architecture = Architecture(name=shown, **family)
    return Config(model_type, architecture, fields.used, tuple(fields.defaulted), tuple(notes))


def model_types() -> tuple[str, ...]:
    """Every ``model_type`` that is known."""
    return tuple(FAMILIES)


def _text_config(given: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """The language model inside a configuration of several parts; the outer one may say whether it is tied."""
    inner = given.get("text_config")
    if inner is None and given.get("model_type") == "gemma3":
        inner = {}
    if not isinstance(inner, Mapping):
        raise refused("text_config", inner, "it must be a JSON object")
    inner = dict(inner)
    if "model_type" not in inner and _known(f"{given.get('model_type')}_text"):
        inner["model_type"] = f"{given['model_type']}_text"
    tied = given.get("tie_word_embeddings")
    if tied is not None and inner.setdefault("tie_word_embeddings", tied) != tied:
        raise refused("tie_word_embeddings", tied, f"text_config says {inner['tie_word_embeddings']}")
    parts = [key for key in given if isinstance(key, str) and key.endswith("_config") and key != "text_config"]
    others = [key for key in parts if key not in ("quantization_config", "generation_config")]
    notes.append("only the language model of text_config is counted" + "".join(f", not {key}" for key in others))
    return inner


def _known(model_type: Any) -> bool:
    return isinstance(model_type, str) and model_type in FAMILIES


def _model_type(given: Mapping[str, Any]) -> str:
    model_type = given.get("model_type")
    if model_type is None:
        raise refused("model_type", None, f"it must be given; known are {', '.join(FAMILIES)}")
    if _known(model_type):
        return model_type
    near = difflib.get_close_matches(str(model_type)[:60].lower(), FAMILIES, n=3, cutoff=0.5)
    nearest = f"nearest are {', '.join(near)}; " if near else ""
    raise refused("model_type", model_type, f"it is not known; {nearest}known are {', '.join(FAMILIES)}")


# ---------------------------------------------------------------------------------------------------------------------
# Families


class Sizes(SimpleNamespace):
    """What every family has: layers, hidden, heads, kv_heads, head_dim, width (of a dense MLP), vocab, tied."""


def _sizes(f: Fields, layers="num_hidden_layers", hidden="hidden_size", heads="num_attention_heads") -> Sizes:
    """Multi-head attention whose heads share out the hidden size."""
    n_heads, hidden_size = f.whole(heads), f.whole(hidden)
    return Sizes(
        layers=f.whole(layers, high=MOST_LAYERS),
        hidden=hidden_size,
        heads=n_heads,
        kv_heads=n_heads,
        head_dim=None,
        vocab=f.whole("vocab_size"),
        tied=f.flag("tie_word_embeddings"),
    )


def _divided(s: Sizes, heads: str = "num_attention_heads") -> Sizes:
    """Features of a head, where nothing else gives them."""
    if s.head_dim is None:
        if s.hidden % s.heads:
            raise refused(heads, s.heads, f"it must divide the hidden size of {s.hidden}")
        s.head_dim = s.hidden // s.heads
    return s


def _grouped(f: Fields, s: Sizes, kv_heads: str, heads: str = "num_attention_heads") -> Sizes:
    """Grouped-query attention: a key-value head serves as many query heads as any other."""
    s.kv_heads = f.maybe(kv_heads) or s.heads
    if s.heads % s.kv_heads:
        raise refused(kv_heads, s.kv_heads, f"it must divide the {s.heads} of {heads}")
    return s


def _base(f: Fields) -> Sizes:
    """The shape of Llama and its descendants."""
    s = _sizes(f)
    s.width = f.whole("intermediate_size")
    s.head_dim = f.maybe("head_dim") if "head_dim" in f.defaults else f.extra("head_dim")
    return _grouped(f, _divided(s), "num_key_value_heads")


def _attention(s: Sizes, **switches: Any) -> GroupedAttention:
    return GroupedAttention(**{"heads": s.heads, "kv_heads": s.kv_heads, "head_dim": s.head_dim} | switches)


def _attention_bias(f: Fields) -> dict[str, bool]:
    return dict.fromkeys(("qkv_bias", "output_bias"), f.flag("attention_bias"))


def _model(s: Sizes, kinds: Iterable[Hashable], layer: Callable[..., Layer], **ends: Any) -> dict[str, Any]:
    """The fields of an architecture whose layers are ``layer(kind)``, one for each of ``kinds``."""
    kinds = list(kinds)
    made = {kind: layer(kind) for kind in dict.fromkeys(kinds)}
    stack = stacked([made[kind] for kind in kinds])
    return {"hidden_size": s.hidden, "vocab_size": s.vocab, "tied_embeddings": s.tied, "stack": stack, **ends}


def _uniform(s: Sizes, layer: Layer, **ends: Any) -> dict[str, Any]:
    """The same where all layers are alike."""
    return _model(s, [None] * s.layers, lambda _: layer, **ends)


def _windows(f: Fields, sliding: Iterable[bool], window="sliding_window") -> list[int | None]:
    """The window of each layer, None where it sees all, which a null window makes of every layer."""
    size = f.maybe(window)
    return [size if slides else None for slides in sliding]


def _layer_windows(f: Fields, n_layers: int, sliding: Callable[[int], bool]) -> list[int | None]:
    """A sliding window in the layers that ``layer_types`` names, by default in those that ``sliding`` picks."""
    types = f.words("layer_types", ("full_attention", "sliding_attention"))
    if types is None:
        return _windows(f, [sliding(i) for i in range(n_layers)])
    if len(types) != n_layers:
        raise refused("layer_types", f"{len(types)} items", f"it needs one for each of the {n_layers} layers")
    return _windows(f, [kind == "sliding_attention" for kind in types])


def _switched_windows(f: Fields, n_layers: int, sliding: Callable[[int], bool]) -> list[int | None]:
    return _layer_windows(f, n_layers, sliding) if f.flag("use_sliding_window") else [None] * n_layers


def _experts(f: Fields, number: str, width: int, per_token="num_experts_per_tok", **switches: Any) -> Experts:
    n_experts = f.whole(number)
    top_k = f.whole(per_token)
    if top_k > n_experts:
        raise refused(per_token, top_k, f"there are {n_experts} experts")
    return Experts(width=width, experts=n_experts, per_token=top_k, **switches)


def _causal(f: Fields) -> None:
    if f.flag("use_bidirectional_attention"):
        raise refused("use_bidirectional_attention", True, "only causal language models are counted")


def _llama(f: Fields) -> dict[str, Any]:
    s = _base(f)
    attention = _attention(s, **_attention_bias(f))
    return _uniform(s, Layer(attention, Dense(width=s.width, bias=f.flag("mlp_bias"))))


def _mistral(f: Fields) -> dict[str, Any]:
    s = _base(f)
    (window,) = _windows(f, [True])
    return _uniform(s, Layer(_attention(s, window=window), Dense(width=s.width)))


def _mixtral(f: Fields) -> dict[str, Any]:
    s = _base(f)
    (window,) = _windows(f, [True])
    return _uniform(s, Layer(_attention(s, window=window), _experts(f, "num_local_experts", s.width)))


def _qwen(f: Fields, **switches: Any) -> dict[str, Any]:
    """Dense Qwen, with a window in the later layers where it is switched on."""
    s = _base(f)
    first = f.whole("max_window_layers", 0) if f.flag("use_sliding_window") else 0
    windows = _switched_windows(f, s.layers, lambda i: i >= first)
    switches = switches or {"qk_norm": "head", **_attention_bias(f)}
    return _model(s, windows, lambda window: Layer(_attention(s, window=window, **switches), Dense(width=s.width)))


def _qwen2(f: Fields) -> dict[str, Any]:
    return _qwen(f, qkv_bias=True)


def _sparse(f: Fields, s: Sizes, **switches: Any) -> tuple[list[bool], Experts | None]:
    """Which layers have experts: every ``decoder_sparse_step``-th, but not those of ``mlp_only_layers``."""
    if not f.whole("num_experts", 0):
        return [False] * s.layers, None
    step, dense = f.whole("decoder_sparse_step"), f.value("mlp_only_layers") or []
    if not isinstance(dense, list) or any(isinstance(i, bool) or not isinstance(i, int) for i in dense):
        raise refused("mlp_only_layers", dense, "it must be a list of whole numbers")
    sparse = [(i + 1) % step == 0 and i not in dense for i in range(s.layers)]
    return sparse, _experts(f, "num_experts", f.whole("moe_intermediate_size"), **switches)


def _qwen2_moe(f: Fields) -> dict[str, Any]:
    s = _base(f)
    bias = f.flag("qkv_bias")
    until = f.whole("max_window_layers", 0) if f.flag("use_sliding_window") else 0
    windows = _switched_windows(f, s.layers, lambda i: i % 2 == 0 and i < until)
    sparse, experts = _sparse(f, s)
    if experts:
        width = f.whole("shared_expert_intermediate_size", 0)
        experts = replace(experts, shared_width=width, shared_gate=True)

    def layer(kind: tuple[int | None, bool]) -> Layer:
        return Layer(_attention(s, qkv_bias=bias, window=kind[0]), experts if kind[1] else Dense(width=s.width))

    return _model(s, zip(windows, sparse, strict=True), layer)


def _qwen3_moe(f: Fields) -> dict[str, Any]:
    s = _base(f)
    biases = _attention_bias(f)
    window = _windows(f, [True])[0] if f.flag("use_sliding_window") else None
    sparse, experts = _sparse(f, s)
    attention = _attention(s, qk_norm="head", window=window, **biases)
    return _model(s, sparse, lambda has: Layer(attention, experts if has else Dense(width=s.width)))


def _gemma_sizes(f: Fields) -> tuple[Sizes, dict[str, bool]]:
    _causal(f)
    return _base(f), _attention_bias(f)


def _gemma(f: Fields) -> dict[str, Any]:
    s, biases = _gemma_sizes(f)
    return _uniform(s, Layer(_attention(s, **biases), Dense(width=s.width)))


def _gemma2(f: Fields) -> dict[str, Any]:
    s, biases = _gemma_sizes(f)
    windows = _layer_windows(f, s.layers, lambda i: i % 2 == 0)
    return _model(s, windows, lambda window: Layer(_attention(s, window=window, **biases), Dense(width=s.width), 4))


def _gemma3_text(f: Fields) -> dict[str, Any]:
    s, biases = _gemma_sizes(f)
    period = f.whole("sliding_window_pattern") if f.given.get("layer_types") is None else 1
    windows = _layer_windows(f, s.layers, lambda i: (i + 1) % period != 0)

    def layer(window: int | None) -> Layer:
        return Layer(_attention(s, qk_norm="head", window=window, **biases), Dense(width=s.width), 4)

    return _model(s, windows, layer)


def _olmo(f: Fields) -> dict[str, Any]:
    s = _base(f)
    return _uniform(s, Layer(_attention(s, **_attention_bias(f)), Dense(width=s.width), norm="fixed"), norm="fixed")


def _olmo2(f: Fields) -> dict[str, Any]:
    s = _base(f)
    return _uniform(s, Layer(_attention(s, qk_norm="full", **_attention_bias(f)), Dense(width=s.width)))


def _olmoe(f: Fields) -> dict[str, Any]:
    s = _base(f)
    attention = _attention(s, qk_norm="full", **_attention_bias(f))
    if s.head_dim != s.hidden / s.heads:
        raise refused("head_dim", s.head_dim, "olmoe's norms need hidden_size / num_attention_heads")
    return _uniform(s, Layer(attention, _experts(f, "num_experts", s.width)))


def _biases(present: bool) -> dict[str, bool]:
    return dict.fromkeys(("qkv_bias", "output_bias"), present)


def _gpt2(f: Fields) -> dict[str, Any]:
    s = _divided(_sizes(f, "n_layer", "n_embd", "n_head"), "n_head")
    if f.flag("add_cross_attention"):
        raise refused("add_cross_attention", True, "only decoders without an encoder are counted")
    inner = f.maybe("n_inner") or 4 * s.hidden
    layer = Layer(_attention(s, **_biases(True)), Dense(width=inner, gated=False, bias=True), norm="layer")
    return _uniform(s, layer, norm="layer", learned_positions=f.whole("n_positions"))


def _gpt_neox(f: Fields) -> dict[str, Any]:
    s = _divided(_sizes(f))
    mlp = Dense(width=f.whole("intermediate_size"), gated=False, bias=True)
    return _uniform(s, Layer(_attention(s, **_attention_bias(f)), mlp, norm="layer"), norm="layer")


def _falcon(f: Fields) -> dict[str, Any]:
    s = _divided(_sizes(f))
    bias = f.flag("bias")
    inner = f.maybe("ffn_hidden_size") or 4 * s.hidden
    new = f.flag("new_decoder_architecture")
    if new:
        s = _grouped(f, s, "num_kv_heads")
    elif f.flag("multi_query"):
        s.kv_heads = 1
    norms = 2
    if f.flag("parallel_attn"):
        norms = f.maybe("num_ln_in_parallel_attn") or (2 if new else 1)
    mlp = Dense(width=inner, gated=False, bias=bias)
    return _uniform(s, Layer(_attention(s, **_biases(bias)), mlp, 2 if norms == 2 else 1, "layer"), norm="layer")


def _mpt(f: Fields) -> dict[str, Any]:
    s = _divided(_sizes(f, "n_layers", "d_model", "n_heads"), "n_heads")
    usual = {"expansion_ratio": 4, "no_bias": True, "attn_config.qk_ln": False}
    for name, value in (usual | {"attn_config.attn_type": "multihead_attention"}).items():
        if name in f.given and f.given[name] != value:
            f.notes.append(f"{name} is ignored, as transformers ignores it: its class always has {value}")
    norm = "layer_without_bias"
    return _uniform(s, Layer(_attention(s), Dense(width=4 * s.hidden, gated=False), norm=norm), norm=norm)


def _bloom(f: Fields) -> dict[str, Any]:
    s = _divided(_sizes(f, "n_layer", heads="n_head"), "n_head")
    mlp = Dense(width=4 * s.hidden, gated=False, bias=True)
    return _uniform(s, Layer(_attention(s, **_biases(True)), mlp, norm="layer"), norm="layer", embedding_norm=True)


def _dbrx(f: Fields) -> dict[str, Any]:
    s = _divided(_sizes(f, "n_layers", "d_model", "n_heads"), "n_heads")
    if s.tied:
        raise refused("tie_word_embeddings", True, "dbrx does not tie them")
    s = _grouped(f, s, "attn_config.kv_n_heads", "n_heads")
    width, norm = f.whole("ffn_config.ffn_hidden_size"), "layer_without_bias"
    experts = _experts(f, "ffn_config.moe_num_experts", width, "ffn_config.moe_top_k")
    return _uniform(s, Layer(_attention(s), experts, norm=norm), norm=norm)


def _jamba(f: Fields) -> dict[str, Any]:
    s = _base(f)

    def every(kind: str) -> list[bool]:
        period = f.whole(f"{kind}_layer_period")
        offset = f.whole(f"{kind}_layer_offset", 0)
        if offset >= period:
            raise refused(f"{kind}_layer_offset", offset, f"it must be below {kind}_layer_period = {period}")
        return [i % period == offset for i in range(s.layers)]

    rank = f.value("mamba_dt_rank")
    mamba = Mamba(
        width=f.whole("mamba_expand") * s.hidden,
        state_size=f.whole("mamba_d_state"),
        conv_width=f.whole("mamba_d_conv"),
        dt_rank=-(-s.hidden // 16) if rank == "auto" else whole_number("mamba_dt_rank", rank, 1, MOST),
        conv_bias=f.flag("mamba_conv_bias"),
        bias=f.flag("mamba_proj_bias"),
    )
    attends, sparse = every("attn"), every("expert")
    experts = _experts(f, "num_experts", s.width) if f.whole("num_experts") > 1 and any(sparse) else None

    def layer(kind: tuple[bool, bool]) -> Layer:
        return Layer(_attention(s) if kind[0] else mamba, experts if kind[1] and experts else Dense(width=s.width))

    return _model(s, zip(attends, sparse, strict=True), layer)


def _recurrent_gemma(f: Fields) -> dict[str, Any]:
    s = _base(f)
    biases = _attention_bias(f) | {"output_bias": True}
    mlp = Dense(width=check_range("intermediate_size", s.width, 2) // 2, bias=True)
    kinds = f.words("block_types", ("recurrent", "attention"))
    if kinds is None:
        raise refused("block_types", None, "it must be a list of words")
    width = f.maybe("lru_width") or s.hidden
    if width % s.heads:
        raise refused("lru_width", width, f"it must be a multiple of num_attention_heads = {s.heads}")
    unit = RecurrentUnit(width=width, n_blocks=s.heads, conv_width=f.whole("conv1d_width"))
    (window,) = _windows(f, [True], "attention_window_size")
    mixers = {"attention": _attention(s, window=window, **biases), "recurrent": unit}
    return _model(s, [kinds[i % len(kinds)] for i in range(s.layers)], lambda kind: Layer(mixers[kind], mlp))


def _deepseek(f: Fields, mlp_bias: bool = False) -> dict[str, Any]:
    s = _sizes(f)
    bias = f.flag("attention_bias")
    s.width = f.whole("intermediate_size")
    if f.extra("moe_layer_freq") not in (None, 1):
        raise refused("moe_layer_freq", f.used["moe_layer_freq"], "transformers puts experts in every layer")
    names = {"rank": "kv_lora_rank", "nope": "qk_nope_head_dim", "rope": "qk_rope_head_dim", "value_dim": "v_head_dim"}
    sizes = {size: f.whole(name) for size, name in names.items()}
    sizes["query_rank"] = f.maybe("q_lora_rank")
    attention = LatentAttention(heads=s.heads, down_bias=bias, output_bias=bias, **sizes)
    shared, width = f.whole("n_shared_experts", 0), f.whole("moe_intermediate_size")
    dense = f.whole("first_k_dense_replace", 0)
    experts = _experts(f, "n_routed_experts", width, shared_width=shared * width)
    if "mlp_bias" in f.defaults:
        mlp_bias = f.flag("mlp_bias")
        experts = replace(experts, shared_bias=mlp_bias)
    mlp = Dense(width=s.width, bias=mlp_bias)
    return _model(s, [i < dense for i in range(s.layers)], lambda first: Layer(attention, mlp if first else experts))


def _deepseek_v3(f: Fields) -> dict[str, Any]:
    if f.given.get("num_nextn_predict_layers", f.given.get("num_mtp_layers")):
        f.notes.append("layers that predict further tokens (num_nextn_predict_layers) are not counted")
    return _deepseek(f)


def _gpt_oss(f: Fields) -> dict[str, Any]:
    s = _base(f)
    biases = _attention_bias(f)
    experts = _experts(f, "num_local_experts", s.width, bias=True, router_bias=True)
    windows = _layer_windows(f, s.layers, lambda i: i % 2 == 0)
    return _model(s, windows, lambda window: Layer(_attention(s, sinks=True, window=window, **biases), experts))


def _grok(f: Fields) -> dict[str, Any]:
    s = _base(f)
    return _uniform(s, Layer(_attention(s), _experts(f, "num_experts", s.width), 4))


FAMILIES: dict[str, Callable[[Fields], dict[str, Any]]] = {
    "llama": _llama,
    "mistral": _mistral,
    "mixtral": _mixtral,
    "qwen2": _qwen2,
    "qwen2_moe": _qwen2_moe,
    "qwen3": _qwen,
    "qwen3_moe": _qwen3_moe,
    "gemma": _gemma,
    "gemma2": _gemma2,
    "gemma3_text": _gemma3_text,
    "phi3": _mistral,
    "olmo": _olmo,
    "olmo2": _olmo2,
    "olmoe": _olmoe,
    "gpt2": _gpt2,
    "gpt_neox": _gpt_neox,
    "falcon": _falcon,
    "mpt": _mpt,
    "bloom": _bloom,
    "dbrx": _dbrx,
    "jamba": _jamba,
    "recurrent_gemma": _recurrent_gemma,
    "deepseek_v2": _deepseek,
    "deepseek_v3": _deepseek_v3,
    "gpt_oss": _gpt_oss,
    "grok-1": _grok,
}
"""What turns the fields of each ``model_type`` into those of an architecture."""
