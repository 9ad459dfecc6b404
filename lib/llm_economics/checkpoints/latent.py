"""Families with latent or compressed attention, with or without an indexer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from llm_economics.checkpoints.config import Fields, refused
from llm_economics.checkpoints.shapes import (
    FULL,
    SLIDING,
    Family,
    Sizes,
    after_first,
    experts,
    kinds,
    model,
    sizes,
    with_shared,
)
from llm_economics.formulas.blocks import (
    CompressedAttention,
    Dense,
    Experts,
    LatentAttention,
    Layer,
    Several,
    Weight,
    vector,
)
from llm_economics.formulas.records import replace

INDEXED = "indexed_attention"


def mla(f: Fields, s: Sizes, bias: bool = False, **switches) -> LatentAttention:
    """Latent attention by the fields of DeepSeek."""
    names = {"rank": "kv_lora_rank", "nope": "qk_nope_head_dim", "rope": "qk_rope_head_dim", "value_dim": "v_head_dim"}
    found = {size: f.whole(name, 0 if size == "rope" else 1) for size, name in names.items()}
    found["query_rank"] = f.maybe("q_lora_rank") if "q_lora_rank" in f.defaults else None
    return LatentAttention(heads=s.heads, down_bias=bias, output_bias=bias, **found | switches)


def _mixed(f: Fields, s: Sizes, usual: int = 0, **switches) -> tuple[list[bool], Experts, Dense]:
    """Which layers have experts, the experts, and the MLP of the others."""
    bias = f.model_type == "deepseek_v2" and f.flag("mlp_bias")  # its descendants have the field and no biases
    sparse = after_first(f, s, usual)
    routed = with_shared(f, "n_routed_experts", "n_shared_experts", shared_bias=bias, **switches)
    return sparse, routed, Dense(width=s.width, bias=bias)


def deepseek(f: Fields, usual: int = 0) -> Family:
    """DeepSeek-V2 and V3: dense layers first, then experts."""
    s = sizes(f)
    bias = f.flag("attention_bias")
    s.width = f.whole("intermediate_size")
    attention = mla(f, s, bias)
    sparse, routed, dense = _mixed(f, s, usual)
    left = () if not dense.bias or f.value("n_shared_experts") != 0 else _bias_of_none(s)
    return model(s, sparse, lambda has: Layer(attention, routed, extras=left) if has else Layer(attention, dense))


def _bias_of_none(s: Sizes) -> tuple[Weight, ...]:
    """What no shared expert leaves where MLPs have biases: that of a projection from no features at all."""
    return (vector("mlp.shared_experts.down_proj.bias", "biases", s.hidden),)


def dense_latent(f: Fields) -> Family:
    """Latent attention and MLPs alone."""
    s = sizes(f)
    bias = f.flag("attention_bias")
    s.width = f.whole("intermediate_size")
    value = f.maybe("v_head_dim") or s.hidden // s.heads
    attention = mla(f, s, bias, value_dim=value) if f.value("v_head_dim") else _with_value(f, s, bias, value)
    dense = Dense(width=s.width, bias=f.flag("mlp_bias") if "mlp_bias" in f.defaults else False)
    return model(s, [None] * s.layers, lambda _: Layer(attention, dense))


def _with_value(f: Fields, s: Sizes, bias: bool, value: int) -> LatentAttention:
    return LatentAttention(
        heads=s.heads,
        rank=f.whole("kv_lora_rank"),
        nope=f.whole("qk_nope_head_dim"),
        rope=f.whole("qk_rope_head_dim"),
        value_dim=value,
        query_rank=f.maybe("q_lora_rank"),
        down_bias=bias,
        output_bias=bias,
    )


def axk1(f: Fields) -> Family:
    """DeepSeek-V3 with one more norm after each mixture of experts."""
    s = sizes(f)
    bias = f.flag("attention_bias")
    s.width = f.whole("intermediate_size")
    attention = mla(f, s, bias)
    sparse, routed, dense = _mixed(f, s, 1)
    return model(s, sparse, lambda has: Layer(attention, routed, 3) if has else Layer(attention, dense))


# ---------------------------------------------------------------------------------------------------------------------
# Indexers


def indexer_types(f: Fields, s: Sizes, usual: Callable[[int], bool] = lambda _: True) -> list[bool]:
    """Which layers have an indexer of their own; the others use what an earlier one chose.

    ``indexer_types`` says it, or a pattern of F and S, or a period and the first layer after which it counts.
    """
    if f.given.get("indexer_types") is not None:
        listed = kinds(f, s.layers, lambda _: "full", ("full", "shared"), "indexer_types")
        return [word == "full" for word in listed]
    pattern, period = f.given.get("index_topk_pattern"), f.extra("index_topk_freq", 1, 0)
    if pattern is not None:
        if len(pattern) != s.layers or set(pattern) - {"F", "S", "full", "shared"}:
            raise refused("index_topk_pattern", pattern, f"it needs F or S for each of the {s.layers} layers")
        return [letter in ("F", "full") for letter in pattern]
    if "index_topk_freq" not in f.given:
        return [usual(i) for i in range(s.layers)]
    offset = f.extra("index_skip_topk_offset", 2, 0)
    return [max(i - offset + 1, 0) % max(period, 1) == 0 for i in range(s.layers)]


def index(f: Fields) -> dict[str, int]:
    """Heads and features of an indexer, and the tokens that it chooses."""
    names = {"index_heads": "index_n_heads", "index_dim": "index_head_dim", "index_tokens": "index_topk"}
    return {size: f.whole(name) for size, name in names.items()}


def sparse_deepseek(f: Fields) -> Family:
    """DeepSeek-V3.2 and GLM-5: every layer attends to the tokens that an indexer chose."""
    s = sizes(f)
    bias = f.flag("attention_bias")
    s.width = f.whole("intermediate_size")
    own = mla(f, s, bias, **index(f))
    shared = replace(own, index_heads=0, index_dim=0)
    if f.given.get("num_experts") is not None:
        f.given["n_routed_experts"] = f.given["num_experts"]
    sparse, routed, dense = _mixed(f, s)
    owners = indexer_types(f, s) if "indexer_types" in f.defaults else [True] * s.layers

    def layer(kind: tuple[bool, bool]) -> Layer:
        return Layer(own if kind[0] else shared, routed if kind[1] else dense)

    return model(s, zip(owners, sparse, strict=True), layer)


def axk2(f: Fields) -> Family:
    """Queries and output gate in one projection; norms with a gate of low rank."""
    s = sizes(f)
    s.width = f.whole("intermediate_size")
    rank = f.whole("gated_norm_rank")
    bias = f.flag("attention_bias")
    attention = mla(f, s, bias, **index(f))
    # Queries and gates are projected at once, from twice the rank.
    rank_, query = attention.query_rank, s.heads * (attention.nope + attention.rope)
    if rank_ is None:
        raise refused("q_lora_rank", None, "queries go through a low rank")
    gate = Weight("self_attn.q_gate_proj", "attention", query + 2 * s.heads * attention.value_dim, rank_)
    low = Weight("layernorm.mlp", "mlp", rank, s.hidden, 2, 2)
    sparse, routed, dense = _mixed(f, s, 1)

    def layer(has: bool) -> Layer:
        gated = (low, low._replace(name="layernorm.mlp_of_experts")) if has else (low,)
        return Layer(attention, routed if has else dense, extras=(gate, *gated))

    return model(s, sparse, layer)


def _streams(s: Sizes, many: int, mixed: int, scales: int) -> tuple[tuple[Weight, ...], tuple[Weight, ...]]:
    """Hyper-connections (arXiv:2409.19606) between ``many`` streams: those of a layer, twice, and those of the head.

    ``mixed`` weights are computed from all streams, and scaled by ``scales`` numbers.
    """
    layer = (
        Weight("hyper_connections.fn", "mlp", mixed, many * s.hidden, 2, 2),
        vector("hyper_connections.base", "norms", mixed, 2, 2),
        vector("hyper_connections.scale", "norms", scales, 2, 2),
    )
    head = (
        Weight("model.hc_head.fn", "mlp", many, many * s.hidden),
        vector("model.hc_head.base", "norms", many + 1),
    )
    return layer, head


def hy_v4(f: Fields) -> Family:
    """Sinks, a gate for each value, hyper-connections; one indexer for four layers."""
    s = sizes(f)
    bias = f.flag("attention_bias")
    s.width = f.whole("intermediate_size")
    own = mla(f, s, bias, gate="value", sinks=True, **index(f))
    shared = replace(own, index_heads=0, index_dim=0)
    owners = indexer_types(f, s, lambda i: i == 0 or (i - 1) % 4 == 0)
    sparse, routed, dense = _mixed(f, s, 1)
    streams = f.whole("hc_mult")
    extras, ends = _streams(s, streams, 2 * streams, 2)

    def layer(kind: tuple[bool, bool]) -> Layer:
        return Layer(own if kind[0] else shared, routed if kind[1] else dense, extras=extras)

    return model(s, zip(owners, sparse, strict=True), layer, extras=ends)


def dots3_note(f: Fields) -> Family:
    """Window layers with larger ranks of their own between those with an indexer; a gate for each head."""
    s = sizes(f)
    bias = f.flag("attention_bias")
    s.width = f.whole("intermediate_size")
    dsa = f.given.get("use_dsa", True)
    windowed = f.given.get("use_sliding_window", True)
    own = mla(f, s, bias, gate="head", **(index(f) if dsa else {}))
    window = f.maybe("sliding_window") or f.extra("sliding_window_size", 512)
    nope, dim = f.extra("swa_qk_nope_head_dim", 192), f.extra("swa_head_dim", 256)
    near = LatentAttention(
        heads=f.extra("swa_num_attention_heads", 64),
        rank=f.extra("swa_kv_lora_rank", 1024),
        nope=nope,
        rope=dim - nope,
        value_dim=f.extra("swa_v_head_dim", 128),
        query_rank=f.extra("swa_q_lora_rank", 1024),
        gate="head",
        down_bias=bias,
        output_bias=bias,
        window=window,
    )
    words = kinds(
        f, s.layers, lambda i: FULL if not windowed or i < 2 or i % 4 == 1 else SLIDING, (FULL, SLIDING, INDEXED)
    )
    sparse = after_first(f, s, 1)
    shared = f.extra("moe_shared_expert_intermediate_size") or f.whole("shared_experts_intermediate_size")
    width = f.whole("moe_intermediate_size")
    routed = experts(f, "n_routed_experts", width, shared_width=shared * f.whole("n_shared_experts", 0))
    dense = Dense(width=s.width)

    def layer(kind: tuple[bool, bool]) -> Layer:
        mixer = near if kind[0] else own
        norm = vector("self_attn.k_rope_only_layernorm", "norms", mixer.rope)
        return Layer(mixer, routed if kind[1] else dense, extras=(norm,))

    return model(s, [(word == SLIDING, has) for word, has in zip(words, sparse, strict=True)], layer)


def mistral_large4(f: Fields) -> Family:
    """Queries in one step, learned softmax scales, a quarter of the layers without positions."""
    s = sizes(f)
    bias = f.flag("attention_bias")
    s.width = f.whole("intermediate_size")
    if f.value("kv_source_layers") not in (None, list(range(s.layers))):
        raise refused(
            "kv_source_layers", f.used["kv_source_layers"], "layers that share latent vectors are not counted"
        )
    own = mla(f, s, bias, **index(f))
    blind = replace(own, nope=own.nope + own.rope, rope=0) if own.rope else own
    given = f.value("no_rope_layers")
    if given is not None and (not isinstance(given, list) or len(given) != s.layers):
        raise refused("no_rope_layers", given, f"it needs one for each of the {s.layers} layers")
    places = [bool(flag) for flag in given] if given else [(i + 1) % 4 != 0 for i in range(s.layers)]
    owners = indexer_types(f, s)
    sparse, routed, dense = _mixed(f, s)

    def layer(kind: tuple[bool, bool, bool]) -> Layer:
        mixer = own if kind[0] else blind
        extras = [vector("self_attn.softmax_scaling", "attention", s.heads, 2, 2)]
        if kind[1]:
            extras.append(vector("self_attn.indexer.q_input_norm", "norms", s.hidden, 2, 2))
            extras.append(vector("self_attn.indexer.softmax_scaling", "attention", own.index_heads, 2, 2))
        else:
            mixer = replace(mixer, index_heads=0, index_dim=0)
        return Layer(mixer, routed if kind[2] else dense, extras=tuple(extras))

    alpha = (vector("model.rotary_emb.alpha", "positional", own.rope // 2),)
    return model(s, zip(places, owners, sparse, strict=True), layer, extras=alpha)


def longcat_flash(f: Fields) -> Family:
    """Two attentions, two MLPs and one mixture a layer, some of whose experts hand their input on.

    The class allocates projections for these too, which no forward pass reads; they are not counted.
    """
    s = sizes(f, "num_layers")
    bias = f.flag("attention_bias")
    attention = mla(f, s, bias)
    each = attention.nope + attention.rope
    if f.extra("qk_head_dim", each) != each:
        raise refused("qk_head_dim", f.given["qk_head_dim"], f"its two parts make {each}")
    dense = Dense(width=f.whole("ffn_hidden_size"))
    extra = f.whole("zero_expert_num", 0)
    routed = experts(f, "n_routed_experts", f.whole("expert_ffn_hidden_size"), "moe_topk", extra_choices=extra)
    if extra:
        f.notes.append(
            f"the {extra} experts that hand their input on have no weights; transformers allocates "
            "projections for them that no forward pass reads, and they are not counted"
        )
    layer = Layer(Several((attention, attention)), Several((dense, dense, routed)), 4)
    return model(s, [None] * s.layers, lambda _: layer)


# ---------------------------------------------------------------------------------------------------------------------
# DeepSeek-V4

_HEAVY, _SPARSE = "heavily_compressed_attention", "compressed_sparse_attention"
_RATIOS = {SLIDING: 0, _SPARSE: 4, _HEAVY: 128}


def deepseek_v4(f: Fields) -> Family:
    """Compressed attention of three kinds, experts everywhere, hyper-connections."""
    s = sizes(f)
    if f.whole("num_key_value_heads") != 1:
        raise refused("num_key_value_heads", f.used["num_key_value_heads"], "keys and values have one head")
    s.head_dim = f.whole("head_dim")
    ratios = f.given.get("compress_ratios")
    if f.given.get("layer_types") is None and ratios is not None:
        known = isinstance(ratios, list) and len(ratios) >= s.layers and all(r in (0, 4, 128) for r in ratios)
        if not known:
            raise refused("compress_ratios", ratios, f"it needs 0, 4 or 128 for each of the {s.layers} layers")
    names = {0: SLIDING, 4: _SPARSE, 128: _HEAVY}

    def usual(i: int) -> str:
        if ratios is not None:
            return names[ratios[i]]
        return _HEAVY if i < 2 or i % 2 == 0 else _SPARSE

    rates = f.value("compress_rates") or {}
    if not isinstance(rates, dict):
        raise refused("compress_rates", rates, "it must be a JSON object")
    rates = {_SPARSE: f.extra("compress_rate_csa", 4), _HEAVY: f.extra("compress_rate_hca", 128)} | dict(rates)
    if rates != {_SPARSE: 4, _HEAVY: 128}:
        raise refused("compress_rates", rates, "only 4 and 128 tokens to a vector are counted")
    words = kinds(f, s.layers, usual, tuple(_RATIOS), longer=True)
    plain = CompressedAttention(
        heads=s.heads,
        head_dim=s.head_dim,
        query_rank=f.whole("q_lora_rank"),
        output_rank=f.whole("o_lora_rank"),
        output_groups=f.whole("o_groups"),
        window=f.whole("sliding_window"),
    )
    if s.heads % plain.output_groups:
        raise refused("o_groups", plain.output_groups, f"it must divide the {s.heads} heads")
    chosen = index(f)
    width = f.whole("moe_intermediate_size")  # of the one shared expert too, whatever n_shared_experts says
    routed = experts(f, "n_routed_experts", width, shared_width=width, shared_bias=f.flag("mlp_bias"))
    streams = f.whole("hc_mult")
    extras, ends = _streams(s, streams, 2 * streams + streams * streams, 3)

    def layer(word: str) -> Layer:
        mixer = replace(plain, ratio=_RATIOS[word], **(chosen if word == _SPARSE else {}))
        return Layer(mixer, routed, extras=extras)

    return model(s, words, layer, extras=ends)


FAMILIES = {
    "deepseek_v2": deepseek,
    "deepseek_v3": deepseek,
    "kimi_k2": deepseek,
    "glm4_moe_lite": partial(deepseek, usual=1),
    "mistral4": deepseek,
    "sarvam_mla": deepseek,
    "axk1": axk1,
    "youtu": dense_latent,
    "minicpm3": dense_latent,
    "deepseek_v32": sparse_deepseek,
    "glm_moe_dsa": sparse_deepseek,
    "axk2": axk2,
    "hy_v4": hy_v4,
    "hy_v4_vl_text": hy_v4,
    "dots3_note_text": dots3_note,
    "mistral_large4_text": mistral_large4,
    "longcat_flash": longcat_flash,
    "deepseek_v4": deepseek_v4,
    "deepseek_ref": deepseek_v4,
}
"""What turns the fields of each ``model_type`` into those of an architecture."""
