"""Families whose layers are grouped attention and an MLP or experts, with whatever switches."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from llm_economics.checkpoints.config import Fields, refused
from llm_economics.checkpoints.shapes import (
    FULL,
    SLIDING,
    Family,
    Sizes,
    after_first,
    all_but,
    attention,
    base,
    both_biases,
    by_step,
    decoder,
    divided,
    everywhere,
    experts,
    grouped,
    head_bias,
    kinds,
    layer_windows,
    model,
    sizes,
    switched_windows,
    uniform,
    whole_numbers,
    windows,
    with_shared,
)
from llm_economics.formulas.blocks import (
    Dense,
    Experts,
    GroupedAttention,
    Layer,
    Listed,
    Reach,
    Several,
    Weight,
    vector,
)

# ---------------------------------------------------------------------------------------------------------------------
# Llama and what differs from it by a switch

_BIASES = {"qkv_bias": "attention_bias", "output_bias": "attention_bias"}
llama = partial(decoder, **_BIASES, mlp_bias="mlp_bias")
mistral = partial(decoder, window=everywhere)


def _ministral(f: Fields, s: Sizes) -> list[int | None]:
    slides = f.value("sliding_window") is not None
    return layer_windows(f, s.layers, lambda _: slides)


def _last_layers(f: Fields, s: Sizes) -> list[int | None]:
    """Windows from layer ``max_window_layers`` on, where they are switched on."""
    first = f.whole("max_window_layers", 0) if f.flag("use_sliding_window") else 0
    return switched_windows(f, s.layers, lambda i: i >= first)


qwen2 = partial(decoder, qkv_bias=True, window=_last_layers)
qwen3 = partial(decoder, qk_norm="head", window=_last_layers, **_BIASES)


def _causal(f: Fields) -> None:
    if f.value("use_bidirectional_attention") is True or f.used["use_bidirectional_attention"] == "all":
        raise refused("use_bidirectional_attention", f.used["use_bidirectional_attention"], "only causal models count")


def gemma(f: Fields, **switches) -> Family:
    """Gemma and its descendants, with ``decoder``'s switches."""
    if "use_bidirectional_attention" in f.defaults:
        _causal(f)
    return decoder(f, **_BIASES, **switches)


def _gemma3_windows(f: Fields, s: Sizes) -> list[int | None]:
    period = f.whole("sliding_window_pattern") if f.given.get("layer_types") is None else 1
    return layer_windows(f, s.layers, lambda i: (i + 1) % period != 0)


def _exaone_windows(f: Fields, s: Sizes) -> list[int | None]:
    period = 0
    if f.value("sliding_window") is not None and f.given.get("layer_types") is None:
        period = f.whole("sliding_window_pattern", 0)
    return layer_windows(f, s.layers, lambda i: period > 0 and (i + 1) % period != 0)


def _cohere2_windows(f: Fields, s: Sizes) -> list[int | None]:
    period = f.extra("sliding_window_pattern", 4)
    return layer_windows(f, s.layers, lambda i: (i + 1) % period != 0)


def olmoe(f: Fields) -> Family:
    """Norms over queries and keys of the full width."""
    s = base(f)
    mixer = attention(s, qk_norm="full", **both_biases(f))
    if s.head_dim != s.hidden / s.heads:
        raise refused("head_dim", s.head_dim, "olmoe's norms need hidden_size / num_attention_heads")
    return uniform(s, Layer(mixer, experts(f, "num_experts", s.width)))


def helium(f: Fields) -> Family:
    """Attention as wide as the hidden size, whose projection out has no bias."""
    s = base(f)
    if s.heads * s.head_dim != s.hidden:
        raise refused(
            "head_dim", s.head_dim, f"helium's {s.heads} heads must be as wide as its hidden size, {s.hidden}"
        )
    return decoder(f, qkv_bias="attention_bias", mlp_bias="mlp_bias")


def diffllama(f: Fields) -> Family:
    """Differential attention: four vectors weigh its two halves; its norm has no weights."""
    return decoder(f, **_BIASES, extras=lambda f, s: [vector("self_attn.lambdas", "attention", s.head_dim, 4, 4)])


def doge(f: Fields) -> Family:
    """Dynamic mask attention, with learned scales of the residual stream."""
    if f.flag("is_moe"):
        raise refused("is_moe", True, "its cross-domain experts are not counted")

    def extras(f: Fields, s: Sizes) -> list[Weight]:
        return [
            vector("residuals", "norms", s.hidden, 2, 2),
            vector("self_attn.A", "attention", s.kv_heads),
            Weight("self_attn.dt_proj", "attention", s.kv_heads, s.kv_heads * s.head_dim),
            *([vector("self_attn.dt_proj.bias", "biases", s.kv_heads)] if f.flag("attention_bias") else []),
        ]

    return decoder(f, **_BIASES, mlp_bias="mlp_bias", qk_norm="head", window=everywhere, extras=extras)


def dory(f: Fields) -> Family:
    """Normalised weights without norms; layers in the middle run several times and keep a cache for each."""
    s = base(f)
    biases, bias = both_biases(f), f.flag("mlp_bias")
    first, loops = f.whole("n_input_layers", 0), f.whole("n_recurrent_loops", high=1000)
    last = f.whole("n_output_layers", 0)
    middle = f.maybe("n_recurrent_layers", 0)
    listed = f.given.get("layer_types")
    if isinstance(listed, list) and "mlp" in listed:
        raise refused("layer_types", "mlp", "layers of attention and MLP apart are not read")
    middle = s.layers - first - last if middle is None else middle
    if middle < 0 or first + middle + last < 1:
        raise refused("n_input_layers", first, f"there are {s.layers} layers")
    n_layers = first + middle + last
    listed = f.given.get("layer_types")
    words = kinds(
        f,
        len(listed) if isinstance(listed, list) else n_layers,
        lambda i: FULL if (i + 1) % 4 == 0 else SLIDING,
        (FULL, SLIDING),
    )
    reach = windows(f, [word == SLIDING for word in words])
    if len(reach) < n_layers:
        raise refused("layer_types", f"{len(reach)} items", f"it needs one for each of the {n_layers} layers")
    scales = (
        vector("self_attn.scales", "attention", s.heads * s.head_dim, 2, 2),
        vector("mlp.scales", "mlp", s.width, 2, 2),
        vector("lambdas", "norms", s.hidden, 2, 2),
    )

    def layer(kind: tuple[int | None, bool]) -> Layer:
        blocks = (attention(s, gate="value", window=kind[0], **biases), Dense(width=s.width, bias=bias))
        held = scales if kind[1] else tuple([weight._replace(copies=0) for weight in scales])
        return Layer(Several(blocks, held=kind[1]), None, 0, extras=held)

    order = [(reach[i], True) for i in range(first + middle)]
    order += [(reach[i], False) for _ in range(loops - 1) for i in range(first, first + middle)]
    order += [(reach[i], True) for i in range(first + middle, n_layers)]
    scale = (vector("lm_head.scale", "head", s.vocab),)
    return model(s, order, layer, final_norm=False, extras=scale)


def hrm_text(f: Fields) -> Family:
    """Two stacks of layers that take turns, H cycles of L steps of one and a step of the other; no weights in norms."""
    s = base(f)
    biases, bias = both_biases(f), f.flag("mlp_bias")
    high, low = f.whole("H_cycles", high=100), f.whole("L_cycles", high=100)
    stacked_layers = f.maybe("num_layers_per_stack") or s.layers
    gates = (vector("self_attn.gate_proj.bias", "biases", s.heads * s.head_dim),) if biases["qkv_bias"] else ()
    blocks = (attention(s, gate="value", **biases), Dense(width=s.width, bias=bias), Listed(listed=gates))
    runs = stacked_layers * high * (low + 1)
    start = (vector("model.z_L_init", "embedding", s.hidden),)

    def layer(held: bool) -> Layer:
        return Layer(Several(blocks, held=held), None, 0)

    order = [i < 2 * stacked_layers for i in range(runs)]
    return model(s, order, layer, final_norm=False, extras=start)


def apertus(f: Fields) -> Family:
    """An MLP of two matrices whose activation has two learned numbers."""
    learned = vector("mlp.act_fn", "mlp", 1, 2, 2)
    return decoder(f, **_BIASES, gated=False, qk_norm="head", extras=lambda f, s: [learned])


def bitnet(f: Fields) -> Family:
    """A norm before the projection out of attention, and one before that of the MLP."""

    def norms(f: Fields, s: Sizes) -> list[Weight]:
        return [
            vector("self_attn.attn_sub_norm", "norms", s.hidden),
            vector("mlp.ffn_sub_norm", "norms", s.width),
        ]

    return decoder(f, **_BIASES, extras=norms)


def _ernie(f: Fields, head: bool = False, **switches) -> Family:
    biased = f.flag("use_bias") and head
    return decoder(
        f,
        qkv_bias="use_bias",
        output_bias="use_bias",
        mlp_bias="use_bias",
        end_extras=head_bias if biased else None,
        **switches,
    )


def _phimoe(f: Fields) -> Family:
    biased = f.flag("lm_head_bias")
    return decoder(
        f,
        **_BIASES,
        norm="layer",
        window=everywhere,
        expert=lambda f, s: experts(f, "num_local_experts", s.width),
        end_extras=head_bias if biased else None,
    )


# ---------------------------------------------------------------------------------------------------------------------
# The line of GPT

_NORM = {"norm": "layer"}


def gpt2(f: Fields, kv_heads: int | None = None, final_norm: bool = True) -> Family:
    """Learned positions and biases everywhere."""
    s = divided(sizes(f, "n_layer", "n_embd", "n_head"), "n_head")
    if "add_cross_attention" in f.defaults and f.flag("add_cross_attention"):
        raise refused("add_cross_attention", True, "only decoders without an encoder are counted")
    inner = (f.maybe("n_inner") if "n_inner" in f.defaults else None) or 4 * s.hidden
    if "multi_query" in f.defaults and f.flag("multi_query"):
        s.kv_heads = 1
    layer = Layer(attention(s, **both_biases(f, True)), Dense(width=inner, gated=False, bias=True), **_NORM)
    return uniform(s, layer, norm="layer", final_norm=final_norm, learned_positions=f.whole("n_positions"))


def gptj(f: Fields) -> Family:
    """Attention without biases beside an MLP with them, behind one norm."""
    s = divided(sizes(f, "n_layer", "n_embd", "n_head"), "n_head")
    inner = f.maybe("n_inner") or 4 * s.hidden
    layer = Layer(attention(s), Dense(width=inner, gated=False, bias=True), 1, "layer")
    return uniform(s, layer, norm="layer", extras=tuple(head_bias(f, s)))


def gpt_neo(f: Fields) -> Family:
    """No bias on queries, keys and values; its local layers keep all keys all the same."""
    s = divided(sizes(f, "num_layers", heads="num_heads"), "num_heads")
    inner = f.maybe("intermediate_size") or 4 * s.hidden
    layer = Layer(attention(s, output_bias=True), Dense(width=inner, gated=False, bias=True), **_NORM)
    return uniform(s, layer, norm="layer", learned_positions=f.whole("max_position_embeddings"))


def gpt_neox(f: Fields) -> Family:
    """Biases on the MLP, and on attention where the field says so."""
    s = divided(sizes(f))
    mlp = Dense(width=f.whole("intermediate_size"), gated=False, bias=True)
    return uniform(s, Layer(attention(s, **both_biases(f)), mlp, **_NORM), norm="layer")


def gpt_neox_japanese(f: Fields) -> Family:
    """No biases but one, after the attention of the last layer."""
    s = divided(sizes(f))
    mlp = Dense(width=f.whole("intermediate_multiple_size") * s.hidden, gated=False)

    def layer(last: bool) -> Layer:
        return Layer(attention(s, output_bias=last), mlp, **_NORM)

    return model(s, [i == s.layers - 1 for i in range(s.layers)], layer, norm="layer")


def ctrl(f: Fields) -> Family:
    """Sines for positions, biases everywhere and on the head."""
    s = divided(sizes(f, "n_layer", "n_embd", "n_head"), "n_head")
    layer = Layer(attention(s, **both_biases(f, True)), Dense(width=f.whole("dff"), gated=False, bias=True), **_NORM)
    return uniform(s, layer, norm="layer", extras=tuple(head_bias(f, s)))


def opt(f: Fields) -> Family:
    """Two more positions than its context; embeddings of a width of their own."""
    s = divided(sizes(f))
    inner, bias = f.whole("ffn_dim"), f.flag("enable_bias")
    kind = "layer" if f.flag("layer_norm_elementwise_affine") else "fixed"
    final = f.flag("do_layer_norm_before") and not f.flag("_remove_final_layer_norm")
    width = f.maybe("word_embed_proj_dim") or s.hidden
    layer = Layer(attention(s, **both_biases(f, bias)), Dense(width=inner, gated=False, bias=bias), norm=kind)
    ends: list[Weight] = []
    if width != s.hidden:
        # The tables are ``width`` wide, and projections lead from there and back.
        table = s.vocab * (width - s.hidden)
        ends += [
            Weight("model.embed_tokens.narrower", "embedding", table, 1, product=s.tied),
            Weight("model.decoder.project_in", "embedding", s.hidden, width),
            Weight("model.decoder.project_out", "head", width, s.hidden),
        ]
        if not s.tied:
            ends.append(Weight("lm_head.narrower", "head", table, 1))
    positions = f.whole("max_position_embeddings") + 2
    return uniform(s, layer, norm=kind, final_norm=final, learned_positions=positions, extras=tuple(ends))


def biogpt(f: Fields) -> Family:
    """As OPT: two more positions than its context."""
    s = divided(sizes(f))
    mlp = Dense(width=f.whole("intermediate_size"), gated=False, bias=True)
    layer = Layer(attention(s, **both_biases(f, True)), mlp, **_NORM)
    return uniform(s, layer, norm="layer", learned_positions=f.whole("max_position_embeddings") + 2)


def xglm(f: Fields) -> Family:
    """Sines for positions, biases everywhere."""
    s = divided(sizes(f, "num_layers", "d_model", "attention_heads"), "attention_heads")
    if f.flag("add_cross_attention"):
        raise refused("add_cross_attention", True, "only decoders without an encoder are counted")
    mlp = Dense(width=f.whole("ffn_dim"), gated=False, bias=True)
    return uniform(s, Layer(attention(s, **both_biases(f, True)), mlp, **_NORM), norm="layer")


def falcon(f: Fields) -> Family:
    """Attention and MLP behind one norm, or two; one key-value head, few or all."""
    s = divided(sizes(f))
    bias = f.flag("bias")
    inner = f.maybe("ffn_hidden_size") or 4 * s.hidden
    new = f.flag("new_decoder_architecture")
    if new:
        s = grouped(f, s, "num_kv_heads")
    elif f.flag("multi_query"):
        s.kv_heads = 1
    norms = 2
    if f.flag("parallel_attn"):
        norms = f.maybe("num_ln_in_parallel_attn") or (2 if new else 1)
    mlp = Dense(width=inner, gated=False, bias=bias)
    mixer = attention(s, **both_biases(f, bias))
    return uniform(s, Layer(mixer, mlp, 2 if norms == 2 else 1, "layer"), norm="layer")


def mpt(f: Fields) -> Family:
    """No biases, and an MLP of four times the hidden size whatever the file says."""
    s = divided(sizes(f, "n_layers", "d_model", "n_heads"), "n_heads")
    usual = {"expansion_ratio": 4, "no_bias": True, "attn_config.qk_ln": False}
    for name, value in (usual | {"attn_config.attn_type": "multihead_attention"}).items():
        if name in f.given and f.given[name] != value:
            f.notes.append(f"{name} is ignored, as transformers ignores it: its class always has {value}")
    norm = "layer_without_bias"
    return uniform(s, Layer(attention(s), Dense(width=4 * s.hidden, gated=False), norm=norm), norm=norm)


def bloom(f: Fields) -> Family:
    """A norm after the embedding, biases everywhere."""
    s = divided(sizes(f, "n_layer", heads="n_head"), "n_head")
    mlp = Dense(width=4 * s.hidden, gated=False, bias=True)
    mixer = attention(s, **both_biases(f, True))
    return uniform(s, Layer(mixer, mlp, norm="layer"), norm="layer", embedding_norm=True)


def dbrx(f: Fields) -> Family:
    """Norms without bias, experts in every layer."""
    s = divided(sizes(f, "n_layers", "d_model", "n_heads"), "n_heads")
    if s.tied:
        raise refused("tie_word_embeddings", True, "dbrx does not tie them")
    s = grouped(f, s, "attn_config.kv_n_heads", "n_heads")
    width, norm = f.whole("ffn_config.ffn_hidden_size"), "layer_without_bias"
    routed = experts(f, "ffn_config.moe_num_experts", width, "ffn_config.moe_top_k")
    return uniform(s, Layer(attention(s), routed, norm=norm), norm=norm)


def phi(f: Fields) -> Family:
    """Attention and MLP behind one norm, biases everywhere and on the head."""
    norms = "head_bias" if f.flag("qk_layernorm") else "none"
    return decoder(
        f,
        qkv_bias=True,
        output_bias=True,
        mlp_bias=True,
        gated=False,
        qk_norm=norms,
        norms=1,
        norm="layer",
        end_extras=head_bias,
    )


def persimmon(f: Fields) -> Family:
    """Biases everywhere; norms of queries and keys with biases."""
    s = divided(sizes(f))
    norms = "head_bias" if f.flag("qk_layernorm") else "none"
    mlp = Dense(width=f.whole("intermediate_size"), gated=False, bias=True)
    mixer = attention(s, qk_norm=norms, **both_biases(f, True))
    return uniform(s, Layer(mixer, mlp, norm="layer"), norm="layer")


def stablelm(f: Fields) -> Family:
    """Norms of queries and keys, where there are any, with a vector for each head."""
    norms = "full" if f.flag("qk_layernorm") else "none"
    count = 1 if f.flag("use_parallel_residual") else 2
    return decoder(f, qkv_bias="use_qkv_bias", qk_norm=norms, norms=count, norm="layer")


def cpmant(f: Fields) -> Family:
    """Said to be tied, yet its head is a table of its own, for the embedding has rows for prompts too."""
    s = sizes(f)
    s.head_dim, inner = f.whole("dim_head"), f.whole("dim_ff")
    prompts = f.whole("prompt_types") * f.whole("prompt_length")
    segments = f.whole("segment_types")
    buckets = f.whole("position_bias_num_buckets")
    relative = (segments * segments + buckets) * s.heads
    s.tied = False
    ends = (
        Weight("model.input_embedding.prompts", "embedding", prompts, s.hidden, product=False),
        Weight("model.segment_embedding", "embedding", segments, s.hidden, product=False),
        vector("model.position_bias", "positional", relative),
    )
    kept = Listed(listed=(), kept=f.used["prompt_length"] * 2 * s.heads * s.head_dim)
    return uniform(s, Layer(Several((attention(s), kept)), Dense(width=inner)), extras=ends)


def modernbert_decoder(f: Fields) -> Family:
    """A norm after the embedding and none before the first attention; a head of its own before the tied one."""
    s = divided(sizes(f))
    s.width = f.whole("intermediate_size")
    kind = "layer" if f.flag("norm_bias") else "layer_without_bias"
    biases, bias = both_biases(f), f.flag("mlp_bias")
    size = f.maybe("local_attention", 0)
    period = f.extra("global_attn_every_n_layers", 3)
    words = kinds(f, s.layers, lambda i: SLIDING if i % period else FULL, (FULL, SLIDING))
    reach = [size // 2 if word == SLIDING and size else None for word in words]

    def layer(kind_: tuple[int | None, bool]) -> Layer:
        mixer = attention(s, window=kind_[0], **biases)
        return Layer(mixer, Dense(width=s.width, bias=bias), 1 if kind_[1] else 2, kind)

    scale = 2 if kind == "layer" else 1
    ends = [
        Weight("head.dense", "head", s.hidden, s.hidden),
        vector("head.norm", "norms", s.hidden * scale),
    ]
    if f.flag("classifier_bias"):
        ends.append(vector("head.dense.bias", "head", s.hidden))
    if f.flag("decoder_bias"):
        ends.append(vector("decoder.bias", "head", s.vocab))
    order = [(reach[i], i == 0) for i in range(s.layers)]
    return model(s, order, layer, norm=kind, embedding_norm=True, extras=tuple(ends))


# ---------------------------------------------------------------------------------------------------------------------
# Experts


def mixtral(f: Fields) -> Family:
    """Experts in every layer, a window in all or none."""
    return decoder(f, window=everywhere, expert=lambda f, s: experts(f, "num_local_experts", s.width))


def qwen2_moe(f: Fields) -> Family:
    """A shared expert with a gate; windows in every other of the first layers where they are switched on."""

    def reach(f: Fields, s: Sizes) -> list[int | None]:
        until = f.whole("max_window_layers", 0) if f.flag("use_sliding_window") else 0
        return switched_windows(f, s.layers, lambda i: i % 2 == 0 and i < until)

    return decoder(f, qkv_bias="qkv_bias", window=reach, sparse=_by_step_if_any, expert=_gated_shared)


def _by_step_if_any(f: Fields, s: Sizes, usual: tuple[int, ...] = ()) -> list[bool]:
    return by_step(f, s, usual) if f.whole("num_experts", 0) else [False] * s.layers


def _gated_shared(f: Fields, s: Sizes) -> Experts:
    """Experts and one shared expert that a gate scales."""
    routed = experts(f, "num_experts", f.whole("moe_intermediate_size"))
    return replace(routed, shared_width=f.whole("shared_expert_intermediate_size", 0), shared_gate=True)


def qwen3_moe(f: Fields) -> Family:
    """Norms of queries and keys; experts by step; a window in all layers where it is switched on."""

    def reach(f: Fields, s: Sizes) -> list[int | None]:
        on = "use_sliding_window" in f.defaults and f.flag("use_sliding_window")
        return everywhere(f, s) if on else [None] * s.layers

    def routed(f: Fields, s: Sizes) -> Experts:
        return experts(f, "num_experts", f.whole("moe_intermediate_size"))

    return decoder(f, **_BIASES, qk_norm="head", window=reach, sparse=_by_step_if_any, expert=routed)


def gpt_oss(f: Fields) -> Family:
    """Sinks, biases on router and experts, a window in every other layer."""
    return decoder(
        f,
        **_BIASES,
        sinks=True,
        window=all_but(2),
        expert=lambda f, s: experts(f, "num_local_experts", s.width, bias=True, router_bias=True),
    )


def llama4(f: Fields) -> Family:
    """Experts with a shared one of their width in some layers; chunks of attention, cached like a window."""
    listed = whole_numbers(f, "moe_layers")
    step = f.whole("interleave_moe_layer_step", 0) if not listed else 0

    def sparse(f: Fields, s: Sizes) -> list[bool]:
        return [(i in listed) if listed else (step > 0 and (i + 1) % step == 0) for i in range(s.layers)]

    def chunks(f: Fields, s: Sizes) -> list[int | None]:
        without = whole_numbers(f, "no_rope_layers")
        period = f.whole("no_rope_layer_interval") if not without else 0
        if without and len(without) != s.layers:
            raise refused("no_rope_layers", f"{len(without)} items", f"it needs one for each of the {s.layers} layers")
        chunked = [bool(without[i]) if without else (i + 1) % period != 0 for i in range(s.layers)]
        return layer_windows(f, s.layers, lambda i: chunked[i], "attention_chunk_size")

    def routed(f: Fields, s: Sizes) -> Experts:
        each = f.whole("intermediate_size")
        return experts(f, "num_local_experts", each, shared_width=each)

    return decoder(f, **_BIASES, width="intermediate_size_mlp", window=chunks, sparse=sparse, expert=routed)


def glm4_moe(f: Fields) -> Family:
    """The first layers dense; shared experts; norms of queries and keys where the field says so."""

    def norm(f: Fields) -> str:
        return "head" if "use_qk_norm" in f.defaults and f.flag("use_qk_norm") else "none"

    return decoder(
        f,
        width="intermediate_size" if "intermediate_size" in f.defaults else None,
        qkv_bias="attention_bias",
        qk_norm=norm,
        sparse=after_first,
        expert=lambda f, s: with_shared(f, "n_routed_experts", "n_shared_experts"),
    )


def _dots1_windows(f: Fields, s: Sizes) -> list[int | None]:
    first = f.whole("max_window_layers", 0) if f.value("sliding_window") is not None else s.layers
    return layer_windows(f, s.layers, lambda i: i >= first)


def dots1(f: Fields) -> Family:
    """GLM's layers with norms of queries and keys and windows in the last."""
    return decoder(
        f,
        **_BIASES,
        qk_norm="head",
        window=_dots1_windows,
        sparse=after_first,
        expert=lambda f, s: with_shared(f, "n_routed_experts", "n_shared_experts"),
    )


def exaone_moe(f: Fields) -> Family:
    """Norms of queries and keys, windows by pattern, the first layers dense."""
    return decoder(
        f,
        qk_norm="head",
        window=_exaone_windows,
        sparse=after_first,
        expert=lambda f, s: with_shared(f, "num_experts", "num_shared_experts"),
    )


def hy_v3(f: Fields) -> Family:
    """Norms of queries and keys, the first layer dense, shared experts."""
    return decoder(
        f,
        **_BIASES,
        mlp_bias="mlp_bias",
        qk_norm="head",
        sparse=partial(after_first, usual=1),
        expert=lambda f, s: with_shared(f, "num_experts", "num_shared_experts", shared_bias=f.flag("mlp_bias")),
    )


def kolibri1(f: Fields) -> Family:
    """Four norms, a gate for each value of attention, experts in every layer."""

    def routed(f: Fields, s: Sizes) -> Experts:
        shared = f.whole("shared_expert_intermediate_size", 0)
        return experts(f, "num_experts", f.whole("moe_intermediate_size"), shared_width=shared)

    return decoder(f, width=None, qk_norm="head", norms=4, window=all_but(5), expert=routed)


def aria_text(f: Fields) -> Family:
    """Experts and shared ones of the MLP's width in every layer."""

    def routed(f: Fields, s: Sizes) -> Experts:
        shared = f.whole("moe_num_shared_experts", 0) * s.width
        bias = f.flag("mlp_bias")
        return experts(f, "moe_num_experts", s.width, "moe_topk", shared_width=shared, shared_bias=bias)

    return decoder(f, **_BIASES, expert=routed)


def cohere2_moe(f: Fields) -> Family:
    """Attention beside the experts behind one norm; the first layers dense, with windows of their own pattern."""
    first = f.extra("first_k_dense_replace", 0, 0)
    inner, outer = f.whole("prefix_dense_sliding_window_pattern"), f.whole("sliding_window_pattern")
    width = f.maybe("prefix_dense_intermediate_size")

    def sliding(i: int) -> bool:
        return (i + 1) % inner != 0 if i < first else (i - first + 1) % outer != 0

    def sparse(f: Fields, s: Sizes) -> list[bool]:
        words = kinds(
            f, s.layers, lambda i: "sparse" if i >= first else "dense", ("sparse", "dense"), "mlp_layer_types"
        )
        s.each = s.width
        s.width = width or s.width
        return [word == "sparse" for word in words]

    def routed(f: Fields, s: Sizes) -> Experts:
        return experts(f, "num_experts", s.each, shared_width=f.whole("num_shared_experts", 0) * s.each)

    return decoder(
        f,
        **_BIASES,
        norms=1,
        norm="layer_without_bias",
        window=lambda f, s: layer_windows(f, s.layers, sliding),
        sparse=sparse,
        expert=routed,
    )


def ernie4_5_moe(f: Fields) -> Family:
    """Experts in a range of layers; the balancing bias of the router is a parameter."""

    def sparse(f: Fields, s: Sizes) -> list[bool]:
        start, step = f.whole("moe_layer_start_index", 0), f.whole("moe_layer_interval")
        end = f.value("moe_layer_end_index")
        if isinstance(end, bool) or not isinstance(end, int):
            raise refused("moe_layer_end_index", end, "it must be a whole number")
        end = s.layers - 1 if end == -1 else end
        return [(i + 1) % step == 0 and start <= i <= end for i in range(s.layers)]

    def routed(f: Fields, s: Sizes) -> Experts:
        found = experts(f, "moe_num_experts", f.whole("moe_intermediate_size"), "moe_k", correction_bias=True)
        bias, shared = f.flag("use_bias"), f.whole("moe_num_shared_experts", 0) * found.width
        return replace(found, shared_width=shared, shared_bias=bias)

    return _ernie(f, head=True, sparse=sparse, expert=routed)


def afmoe(f: Fields) -> Family:
    """Four norms, a gate for each value, windows; the balancing bias of the router is a parameter."""
    n_dense = f.whole("num_dense_layers", 0)
    period = f.whole("global_attn_every_n_layers")

    def routed(f: Fields, s: Sizes) -> Experts:
        return with_shared(f, "num_experts", "num_shared_experts", correction_bias=True)

    return decoder(
        f,
        **_BIASES,
        qk_norm="head",
        gate="value",
        norms=4,
        window=all_but(period),
        sparse=lambda f, s: [i >= n_dense for i in range(s.layers)],
        expert=routed,
    )


def laguna(f: Fields) -> Family:
    """Heads of a number of their own in each layer, each with a gate."""
    s = base(f)
    biases, gating = both_biases(f), f.value("gating")
    if gating not in (True, False, "per-head", "per-element", None):
        raise refused("gating", gating, "it must be true or false, per-head or per-element")
    gate = "head" if gating in (True, "per-head") else "value"  # its class has a gate whatever is said
    heads = whole_numbers(f, "num_attention_heads_per_layer") or [s.heads] * s.layers
    if len(heads) != s.layers:
        raise refused("num_attention_heads_per_layer", f"{len(heads)} items", f"there are {s.layers} layers")
    reach = layer_windows(f, s.layers, lambda _: False)
    sparse = after_first(f, s, 1)
    shared = f.whole("shared_expert_intermediate_size", 0)
    routed = experts(f, "num_experts", f.whole("moe_intermediate_size"), shared_width=shared, correction_bias=True)

    def layer(kind: tuple[int, int | None, bool]) -> Layer:
        mixer = attention(s, heads=kind[0], window=kind[1], qk_norm="head", gate=gate, **biases)
        return Layer(mixer, routed if kind[2] else Dense(width=s.width))

    return model(s, zip(heads, reach, sparse, strict=True), layer)


def flint(f: Fields) -> Family:
    """Sinks, norms of queries and keys, windows but in the first two, every fourth and the last layer."""

    def reach(f: Fields, s: Sizes) -> list[int | None]:
        return layer_windows(f, s.layers, lambda i: not (i < 2 or i % 4 == 1 or i == s.layers - 1))

    def routed(f: Fields, s: Sizes) -> Experts:
        shared = f.whole("shared_expert_intermediate_size", 0)
        return experts(f, "num_experts", f.whole("moe_intermediate_size"), shared_width=shared)

    sparse = partial(_by_step_if_any, usual=(0, 1))
    return decoder(f, **_BIASES, sinks=True, qk_norm="head", window=reach, sparse=sparse, expert=routed)


def mimo_v2_flash(f: Fields) -> Family:
    """Keys wider than values; window layers have twice the key-value heads, and sinks.

    The class ignores the file's own lists and sizes of window layers, and so does this; the published file agrees.
    """
    s = base(f)
    bias, value_dim = f.flag("attention_bias"), f.whole("v_head_dim")
    words = kinds(f, s.layers, lambda i: SLIDING if i and (i + 1) % 6 else FULL, (FULL, SLIDING))
    window = f.extra("sliding_window_size")
    window = f.whole("sliding_window") if window is None else window + 1
    usual = ("sparse", "dense")
    mlps = kinds(f, s.layers, lambda i: usual[i == 0], usual, "mlp_layer_types")
    built = {
        "hybrid_layer_pattern": [int(word == SLIDING) for word in words],
        "moe_layer_freq": [int(word == "sparse") for word in mlps],
        "swa_num_attention_heads": s.heads,
        "swa_num_key_value_heads": 2 * s.kv_heads,
        "swa_head_dim": s.head_dim,
        "swa_v_head_dim": value_dim,
        "add_swa_attention_sink_bias": True,
        "add_full_attention_sink_bias": False,
    }
    for name, value in built.items():
        if f.given.get(name) not in (None, value):
            f.notes.append(f"{name} is ignored, as transformers ignores it: its class has {str(value)[:60]}")
    routed = with_shared(f, "n_routed_experts", "n_shared_experts")

    def layer(kind: tuple[str, str]) -> Layer:
        slides = kind[0] == SLIDING
        mixer = attention(
            s,
            kv_heads=2 * s.kv_heads if slides else s.kv_heads,
            value_dim=value_dim,
            qkv_bias=bias,
            sinks=slides,
            window=window if slides else None,
        )
        return Layer(mixer, routed if kind[1] == "sparse" else Dense(width=s.width))

    return model(s, zip(words, mlps, strict=True), layer)


def granitemoe(f: Fields) -> Family:
    """Experts in every layer, with a shared MLP where it has a width."""

    def routed(f: Fields, s: Sizes) -> Experts:
        shared = f.whole("shared_intermediate_size", 0) if "shared_intermediate_size" in f.defaults else 0
        return experts(f, "num_local_experts", s.width, shared_width=shared)

    swa = "sliding_window" in f.defaults
    return decoder(f, **_BIASES, sinks=swa, window=all_but(4, 0) if swa else None, expert=routed)


def hunyuan_v1_moe(f: Fields) -> Family:
    """Norms of queries and keys; one shared MLP of the full width in every layer."""

    def routed(f: Fields, s: Sizes) -> Experts:
        return experts(f, "num_experts", s.width, "moe_topk", shared_width=s.width)

    return decoder(f, **_BIASES, qk_norm="head", expert=routed)


def minimax_m2(f: Fields) -> Family:
    """Norms of queries and keys over the full width."""
    return decoder(f, qk_norm="full", expert=lambda f, s: experts(f, "num_local_experts", s.width))


def minimax_m3(f: Fields) -> Family:
    """Blocks of keys chosen by an indexer in some layers; dense, routed and shared MLPs of widths of their own."""
    s = base(f, "dense_intermediate_size")
    given = f.given.get("sparse_attention_config") or {}
    if not isinstance(given, dict):
        raise refused("sparse_attention_config", given, "it must be a JSON object")
    older = {
        "index_n_heads": "sparse_num_index_heads",
        "index_head_dim": "sparse_index_dim",
        "index_block_size": "sparse_block_size",
        "index_topk_blocks": "sparse_topk_blocks",
    }
    f.given.update({name: given[old] for name, old in older.items() if old in given})
    frequency = given.get("sparse_attention_freq")
    indexed = [bool(flag) for flag in frequency] if isinstance(frequency, list) else [False] * s.layers
    if len(indexed) < s.layers:
        raise refused("sparse_attention_freq", f"{len(indexed)} items", f"there are {s.layers} layers")
    sparse_word = "minimax_m3_sparse"
    words = kinds(f, s.layers, lambda i: sparse_word if indexed[i] else FULL, (FULL, sparse_word))
    heads, dim = f.whole("index_n_heads"), f.whole("index_head_dim")
    tokens = f.whole("index_block_size") * f.whole("index_topk_blocks")
    freq = f.given.get("moe_layer_freq")
    if freq is not None and (not isinstance(freq, list) or len(freq) < s.layers):
        raise refused("moe_layer_freq", freq, f"it must be a list of {s.layers} numbers")
    usual = [True] * s.layers if freq is None else [bool(flag) for flag in freq]
    mlps = kinds(f, s.layers, lambda i: "sparse" if usual[i] else "dense", ("sparse", "dense"), "mlp_layer_types")
    width = f.whole("intermediate_size")
    routed = experts(f, "num_local_experts", width, shared_width=f.whole("shared_intermediate_size", 0))

    def layer(kind: tuple[str, str]) -> Layer:
        index = {"index_heads": heads, "index_dim": dim, "index_tokens": tokens} if kind[0] == sparse_word else {}
        return Layer(attention(s, qk_norm="head", **index), routed if kind[1] == "sparse" else Dense(width=s.width))

    return model(s, zip(words, mlps, strict=True), layer)


def step3p5(f: Fields) -> Family:
    """Heads of a number of their own in window layers, each with a gate; experts but in the first three layers.

    The lists of flat files go on for the layers that predict further tokens.
    """
    own = {"n_routed_experts", "moe_num_experts", "num_local_experts"} & set(f.given)
    if not own and "num_experts" in f.given:
        f.given["n_routed_experts"] = f.given.pop("num_experts")
    s = base(f)
    bias, mlp_bias = f.flag("attention_bias"), f.flag("mlp_bias")
    words = kinds(f, s.layers, lambda _: FULL, (FULL, SLIDING), longer=True)
    reach = windows(f, [word == SLIDING for word in words])
    other = f.given.get("attention_other_setting")
    inside = other.get("num_attention_heads") if isinstance(other, dict) else None
    heads = f.maybe("num_sliding_attention_heads") or inside or s.heads
    listed = f.given.get("moe_layers_enum")
    items = listed.split(",") if isinstance(listed, str) else listed
    sparse = set(range(f.extra("first_k_dense_replace", 3, 0), s.layers))
    if items is not None:
        try:
            sparse = {int(i) for i in items if str(i).strip()}
        except (TypeError, ValueError):
            raise refused("moe_layers_enum", listed, "it must list whole numbers") from None
    names = ("sparse", "dense")
    mlps = kinds(f, s.layers, lambda i: names[i not in sparse], names, "mlp_layer_types", longer=True)
    width = f.whole("moe_intermediate_size")
    routed = experts(f, "n_routed_experts", width, shared_width=f.whole("share_expert_dim", 0))

    def layer(kind: tuple[str, int | None, str]) -> Layer:
        many = heads if kind[0] == SLIDING else s.heads
        mixer = attention(s, heads=many, window=kind[1], qk_norm="head", gate="head", qkv_bias=bias, output_bias=bias)
        return Layer(mixer, routed if kind[2] == "sparse" else Dense(width=s.width, bias=mlp_bias))

    return model(s, zip(words, reach, mlps, strict=True), layer)


def ocr(f: Fields) -> Family:
    """Multi-head attention, the first layer dense, shared experts beside routed ones."""
    listed = "sliding_window" in f.defaults and f.given.get("layer_types") is not None
    if listed:
        raise refused("layer_types", f.given["layer_types"], "windows over what was generated alone are not counted")
    return decoder(
        f,
        **_BIASES,
        mlp_bias="mlp_bias",
        sparse=partial(after_first, usual=1),
        expert=lambda f, s: with_shared(f, "n_routed_experts", "n_shared_experts"),
    )


def ernie4_5_vl_moe(f: Fields) -> Family:
    """Experts for text and, narrower, for images, of which a token of text uses none; one shared MLP for both."""
    widths = f.value("moe_intermediate_size") or [1536, 512]
    if not isinstance(widths, list) or len(widths) != 2 or not all(isinstance(w, int) and w > 0 for w in widths):
        raise refused("moe_intermediate_size", widths, "it must be two widths")
    s, biased = base(f), f.flag("use_bias")
    routed = experts(f, "moe_num_experts", widths[0], "moe_k", correction_bias=True)
    shared = f.whole("moe_num_shared_experts", 0) * widths[0]
    text = replace(routed, shared_width=shared, shared_bias=biased)
    images = tuple([w._replace(used=0, product=False) for w in replace(routed, width=widths[1]).weights(s.hidden)])
    both = Several((text, Listed(listed=images)))
    dense = Dense(width=s.width, bias=biased)
    sparse = after_first(f, s, 1)
    mixer = attention(s, **both_biases(f, biased))
    return model(s, sparse, lambda has: Layer(mixer, both if has else dense))


def molmo2(f: Fields) -> Family:
    """Rows for images in the embedding alone; norms of queries and keys of two kinds."""
    kind = f.value("qk_norm_type")
    if kind not in ("qwen3", "olmo", None):
        raise refused("qk_norm_type", kind, "it must be qwen3 or olmo")
    found = decoder(f, qkv_bias="attention_bias", qk_norm={"qwen3": "head", "olmo": "full"}.get(kind, "none"))
    if found["tied_embeddings"]:
        raise refused("tie_word_embeddings", True, "its head has fewer rows than its table")
    rows = found["vocab_size"]
    return found | {"vocab_size": rows + f.whole("additional_vocab_size", 0), "head_rows": rows}


def jetmoe(f: Fields) -> Family:
    """Experts in attention too: each has queries and an output of its own, all share keys and values."""
    hidden, kv_heads = f.whole("hidden_size"), f.whole("num_key_value_heads")
    n_layers, dim = f.whole("num_hidden_layers"), f.whole("kv_channels")
    s = Sizes(layers=n_layers, hidden=hidden, vocab=f.whole("vocab_size"), tied=f.flag("tie_word_embeddings"))
    routed = experts(f, "num_local_experts", f.whole("intermediate_size"))
    width, choice = kv_heads * dim, (routed.experts, routed.per_token)
    mixer = Listed(
        listed=(
            Weight("self_attention.experts.*.q_proj", "experts", width, hidden, *choice),
            Weight("self_attention.experts.*.o_proj", "experts", hidden, width, *choice),
            vector("self_attention.experts.bias", "biases", hidden),
            Weight("self_attention.experts.router", "router", routed.experts, hidden),
            Weight("self_attention.k_proj", "attention", width, hidden),
            Weight("self_attention.v_proj", "attention", width, hidden),
        ),
        reached=(Reach(None, 2 * width, 2 * width, *[4 * width * routed.per_token] * 2),),
        heads=kv_heads,
        kv_heads=kv_heads,
    )
    bias = (vector("mlp.bias", "biases", hidden),)
    return uniform(s, Layer(mixer, routed, extras=bias))


def muse_spark(f: Fields) -> Family:
    """Experts in a narrower stream, with norms before and after them; learned gates of the residual stream."""
    s = base(f)
    biases = both_biases(f)
    reach = _counted_back(f, s)
    narrow, width = f.whole("moe_hidden_size"), f.whole("moe_intermediate_size")
    words = kinds(f, s.layers, lambda _: "sparse", ("sparse", "dense"), "mlp_layer_types")
    routed = experts(f, "num_local_experts", width, latent=narrow)
    norms = Listed(listed=(vector("mlp.expert_norms", "norms", narrow, 2, 2),))
    gates = (vector("residual_gates", "norms", s.hidden, 2, 2),)

    def layer(kind: tuple[int | None, str]) -> Layer:
        feed_forward = Several((routed, norms)) if kind[1] == "sparse" else Dense(width=s.width)
        return Layer(attention(s, gate="value", window=kind[0], **biases), feed_forward, 3, extras=gates)

    return model(s, zip(reach, words, strict=True), layer)


def _counted_back(f: Fields, s: Sizes) -> list[int | None]:
    """Full attention in each fourth layer, counted from the last."""
    return layer_windows(f, s.layers, lambda i: (s.layers - 1 - i) % 4 != 0)


def _last_layers_or_all(f: Fields, s: Sizes) -> list[int | None]:
    """Windows where they are switched on, but not in the layers without positions."""
    if not f.flag("use_sliding_window") or f.value("sliding_window") is None:
        return [None] * s.layers
    without, period = whole_numbers(f, "no_rope_layers"), f.whole("no_rope_layer_interval")
    return layer_windows(f, s.layers, lambda i: bool(without[i]) if without else (i + 1) % period != 0)


# ---------------------------------------------------------------------------------------------------------------------
# Gemma with tables a layer


def _gemma4_layers(f: Fields) -> tuple[Sizes, list[str], int, int, int]:
    s = base(f)
    words = kinds(f, s.layers, lambda i: SLIDING if (i + 1) % 6 else FULL, (FULL, SLIDING))
    words[-1] = FULL
    return s, words, f.whole("sliding_window"), f.extra("global_head_dim", 512), f.whole("num_kv_shared_layers", 0)


def gemma4(f: Fields) -> Family:
    """Window layers and full ones of other head sizes; the last layers borrow keys and values; a table a layer."""
    if f.value("use_bidirectional_attention") == "all":
        _causal(f)
    s, words, window, wide, borrow = _gemma4_layers(f)
    biases, equal = both_biases(f), f.flag("attention_k_eq_v")
    few = f.extra("num_global_key_value_heads") if equal else None
    double = f.flag("use_double_wide_mlp")
    per_layer = f.whole("hidden_size_per_layer_input", 0) if "hidden_size_per_layer_input" in f.defaults else 0
    routed = None
    if "enable_moe_block" in f.defaults and f.flag("enable_moe_block"):
        routed = experts(f, "num_experts", f.whole("moe_intermediate_size"), "top_k_experts")
    extras: list[Weight] = []
    if per_layer:
        extras += _per_layer_weights(s, per_layer)
    if routed:
        extras += [
            vector("moe_norms", "norms", s.hidden, 3, 3),
            vector("router.scale", "router", s.hidden),
            vector("router.per_expert_scale", "router", routed.experts),
        ]

    def layer(kind: tuple[str, bool]) -> Layer:
        full, shared = kind[0] == FULL, kind[1]
        mixer = attention(
            s,
            head_dim=wide if full else s.head_dim,
            kv_heads=(few or s.kv_heads) if full else s.kv_heads,
            source="shared" if shared else "keys" if equal and full else "own",
            qk_norm="head",
            window=None if full else window,
            **biases,
        )
        dense = Dense(width=2 * s.width if shared and double else s.width)
        return Layer(mixer, Several((dense, routed)) if routed else dense, 4, extras=tuple(extras))

    ends = _per_layer_ends(f, s, per_layer) if per_layer else ()
    return model(s, [(words[i], i >= s.layers - borrow) for i in range(s.layers)], layer, extras=ends)


def _per_layer_weights(s: Sizes, width: int) -> list[Weight]:
    """Of a layer: its gate, the projection back, and a norm."""
    return [
        Weight("per_layer_input_gate", "mlp", width, s.hidden),
        Weight("per_layer_projection", "mlp", s.hidden, width),
        vector("post_per_layer_input_norm", "norms", s.hidden),
    ]


def _per_layer_ends(f: Fields, s: Sizes, width: int) -> tuple[Weight, ...]:
    """A table with a row for each token and layer, of which a token reads one."""
    rows = f.whole("vocab_size_per_layer_input")
    return (
        Weight("model.embed_tokens_per_layer", "embedding", rows, s.layers * width, product=False),
        Weight("model.per_layer_model_projection", "mlp", s.layers * width, s.hidden),
        vector("model.per_layer_projection_norm", "norms", width),
    )


def gemma3n(f: Fields) -> Family:
    """As Gemma 4, with several streams (AltUp), a low-rank path beside attention (LAuReL), widths that may differ."""
    given = f.value("intermediate_size")
    s = sizes(f)
    s.head_dim = f.whole("head_dim")
    s = grouped(f, s, "num_key_value_heads")
    widths = given if isinstance(given, list) else [given] * s.layers
    if len(widths) != s.layers or any(isinstance(w, bool) or not isinstance(w, int) or w < 1 for w in widths):
        raise refused("intermediate_size", given, f"it must be a width, or one for each of the {s.layers} layers")
    biases = both_biases(f)
    words = kinds(f, s.layers, lambda i: FULL if (i + 1) % 5 == 0 else SLIDING, (FULL, SLIDING))
    reach = windows(f, [word == SLIDING for word in words])
    borrow, streams = f.whole("num_kv_shared_layers", 0), f.whole("altup_num_inputs", 2)
    rank, per_layer = f.whole("laurel_rank"), f.whole("hidden_size_per_layer_input")
    extras = (
        *_per_layer_weights(s, per_layer),
        Weight("altup.modality_router", "mlp", streams, s.hidden),
        vector("altup.router_norm", "norms", s.hidden),
        Weight("altup.prediction_coefs", "mlp", streams * streams, streams),
        Weight("altup.correction_coefs", "mlp", streams, streams),
        vector("altup.correct_output_scale", "norms", s.hidden),
        Weight("laurel.linear_left", "mlp", rank, s.hidden),
        Weight("laurel.linear_right", "mlp", s.hidden, rank),
        vector("laurel.post_laurel_norm", "norms", s.hidden),
    )

    def layer(kind: tuple[int | None, bool, int]) -> Layer:
        source = "shared" if kind[1] else "own"
        mixer = attention(s, qk_norm="head", window=kind[0], source=source, **biases)
        return Layer(mixer, Dense(width=kind[2]), 4, extras=extras)

    ends = (
        *_per_layer_ends(f, s, per_layer),
        Weight("model.altup_projections", "mlp", (streams - 1) * s.hidden, s.hidden),
        Weight("model.altup_unembed_projections", "mlp", (streams - 1) * s.hidden, s.hidden),
    )
    order = [(reach[i], i >= s.layers - borrow, widths[i]) for i in range(s.layers)]
    return model(s, order, layer, extras=ends)


# ---------------------------------------------------------------------------------------------------------------------
# Code that comes with the model


def grok(f: Fields) -> Family:
    """Grok-1 by its published code: four norms and experts in every layer."""
    return decoder(f, norms=4, expert=lambda f, s: experts(f, "num_experts", s.width))


def nemotron_nas(f: Fields) -> Family:
    """Blocks found by a search: each layer has its own key-value heads and width, or lacks one of them with its norm.

    Widths are 2/3 of a multiple of the hidden size, up to a multiple of 256 (the code that comes with the model).
    """
    s = divided(sizes(f))
    listed = f.value("block_configs")
    if not isinstance(listed, list) or len(listed) != s.layers:
        raise refused(
            "block_configs", f"{len(listed) if isinstance(listed, list) else listed}", "one a layer is needed"
        )

    def mixer(block: dict, i: int) -> GroupedAttention | None:
        found = block.get("attention") or {}
        if found.get("no_op"):
            return None
        group = found.get("n_heads_in_group")
        if found.get("replace_with_linear") or not isinstance(group, int) or group < 1 or s.heads % group:
            raise refused(f"block_configs[{i}].attention", found, "it must group the heads")
        return attention(s, kv_heads=s.heads // group)

    def mlp(block: dict, i: int) -> Dense | None:
        found = block.get("ffn") or {}
        if found.get("no_op"):
            return None
        times = found.get("ffn_mult")
        if found.get("replace_with_linear") or not isinstance(times, (int, float)) or not 0 < times < 1000:
            raise refused(f"block_configs[{i}].ffn", found, "it must give ffn_mult")
        return Dense(width=-(-int(2 * times * s.hidden / 3) // 256) * 256)

    layers = []
    for i, block in enumerate(listed):
        if not isinstance(block, dict):
            raise refused("block_configs", block, "its items must be JSON objects")
        first, second = mixer(block, i), mlp(block, i)
        layers.append(Layer(first, second, (first is not None) + (second is not None)))
    return model(s, layers, lambda layer: layer)


def mllama_text(f: Fields) -> Family:
    """Layers that attend to an image stand between the others; only the latter keep a cache of the text."""
    s = base(f)
    crossing = set(whole_numbers(f, "cross_attention_layers") or [3, 8, 13, 18, 23, 28, 33, 38])
    f.notes.append("layers that attend to an image count, but neither their cache nor their attention")
    gates = (vector("cross_attn.norms", "norms", s.head_dim, 2, 2), vector("cross_attn.gates", "norms", 2))

    def layer(crosses: bool) -> Layer:
        if not crosses:
            return Layer(attention(s), Dense(width=s.width))
        weights = attention(s).weights(s.hidden)
        return Layer(Listed(listed=weights, heads=s.heads), Dense(width=s.width), extras=gates)

    extra = (Weight("model.embed_tokens.image_rows", "embedding", 8, s.hidden, product=False),)
    return model(s, [i in crossing for i in range(s.layers)], layer, extras=extra)


FAMILIES = {
    "llama": llama,
    "mistral": mistral,
    "mixtral": mixtral,
    "qwen2": qwen2,
    "qwen2_moe": qwen2_moe,
    "qwen3": qwen3,
    "qwen3_moe": qwen3_moe,
    "gemma": gemma,
    "gemma2": partial(gemma, norms=4, window=all_but(2)),
    "gemma3_text": partial(gemma, norms=4, qk_norm="head", window=_gemma3_windows),
    "phi3": mistral,
    "olmo": partial(decoder, **_BIASES, norm="fixed"),
    "olmo2": partial(decoder, **_BIASES, qk_norm="full"),
    "olmoe": olmoe,
    "gpt2": gpt2,
    "gpt_neox": gpt_neox,
    "falcon": falcon,
    "mpt": mpt,
    "bloom": bloom,
    "dbrx": dbrx,
    "gpt_oss": gpt_oss,
    "grok-1": grok,
    "exaone": llama,
    "granite": llama,
    "granite4_vision_text": llama,
    "granite_docling_text": llama,
    "helium": helium,
    "internlm3": llama,
    "iquestcoder": llama,
    "cosmos3_edge_text": llama,
    "emu3_text_model": decoder,
    "smollm3": partial(llama, window=_last_layers_or_all),
    "ministral": partial(decoder, window=_ministral),
    "ministral3": mistral,
    "cwm": partial(decoder, mlp_bias="mlp_bias", window=all_but(4, 0)),
    "qwen2_vl_text": qwen2,
    "qwen2_5_vl_text": qwen2,
    "qwen2_5_omni_text": qwen2,
    "qwen3_vl_text": partial(decoder, qk_norm="head", **_BIASES),
    "mimo": qwen2,
    "vaultgemma": partial(gemma, window=all_but(2)),
    "phi4_multimodal": mistral,
    "glm": partial(decoder, qkv_bias="attention_bias"),
    "glm4": partial(decoder, qkv_bias="attention_bias", norms=4),
    "glm4v_text": partial(decoder, qkv_bias=True, norms=4),
    "glm_ocr_text": partial(decoder, norms=4),
    "glm_image_text": partial(decoder, qkv_bias="attention_bias", norms=4),
    "olmo3": partial(decoder, **_BIASES, qk_norm="full", window=all_but(4)),
    "exaone4": partial(decoder, qk_norm="head", window=_exaone_windows),
    "hyperclovax": partial(llama, norms=lambda f: 4 if f.flag("use_post_norm") else 2),
    "cohere": partial(
        decoder,
        **_BIASES,
        qk_norm=lambda f: "full" if f.flag("use_qk_norm") else "none",
        norms=1,
        norm="layer_without_bias",
    ),
    "cohere2": partial(decoder, **_BIASES, norms=1, norm="layer_without_bias", window=_cohere2_windows),
    "cohere_compass_text": partial(decoder, **_BIASES, norms=1, norm="layer_without_bias", window=_cohere2_windows),
    "ernie4_5": _ernie,
    "paddleocr_vl_text": _ernie,
    "hunyuan_v1_dense": partial(decoder, **_BIASES, qk_norm="head"),
    "hunyuan_vl_text": partial(decoder, **_BIASES, qk_norm="head"),
    "seed_oss": partial(decoder, qkv_bias="attention_bias", output_bias="attention_out_bias", mlp_bias="mlp_bias"),
    "bitnet": bitnet,
    "diffllama": diffllama,
    "doge": doge,
    "dory": dory,
    "nanochat": partial(decoder, **_BIASES, gated=False, norm="fixed"),
    "hrm_text": hrm_text,
    "muse_spark_text": muse_spark,
    "muse_glimmer_text": partial(decoder, **_BIASES, gate="value", norms=4, window=_counted_back),
    "apertus": apertus,
    "apertus1p5_text": apertus,
    "arcee": partial(decoder, **_BIASES, mlp_bias="mlp_bias", gated=False),
    "nemotron": partial(decoder, **_BIASES, mlp_bias="mlp_bias", gated=False, norm="layer"),
    "jais2": partial(decoder, **_BIASES, mlp_bias="mlp_bias", gated=False, norm="layer"),
    "persimmon": persimmon,
    "starcoder2": partial(
        decoder,
        qkv_bias="use_bias",
        output_bias="use_bias",
        mlp_bias="use_bias",
        gated=False,
        norm="layer",
        window=everywhere,
    ),
    "phi": phi,
    "stablelm": stablelm,
    "gpt-sw3": gpt2,
    "openai-gpt": partial(gpt2, final_norm=False),
    "gpt_neo": gpt_neo,
    "gpt_bigcode": gpt2,
    "opt": opt,
    "biogpt": biogpt,
    "xglm": xglm,
    "gpt_neox_japanese": gpt_neox_japanese,
    "gptj": gptj,
    "codegen": gptj,
    "ctrl": ctrl,
    "cpmant": cpmant,
    "modernbert-decoder": modernbert_decoder,
    "mllama_text_model": mllama_text,
    "minimax_m2": minimax_m2,
    "flex_olmo": partial(decoder, **_BIASES, qk_norm="full", expert=lambda f, s: experts(f, "num_experts", s.width)),
    "mellum": partial(
        decoder,
        **_BIASES,
        qk_norm="head",
        window=lambda f, s: layer_windows(f, s.layers, lambda _: False),
        sparse=after_first,
        expert=lambda f, s: experts(f, "num_experts", f.whole("moe_intermediate_size")),
    ),
    "phimoe": _phimoe,
    "granitemoe": granitemoe,
    "granitemoeshared": granitemoe,
    "granitemoe_swa": granitemoe,
    "granite_swa": partial(llama, sinks=True, window=all_but(4, 0)),
    "hunyuan_v1_moe": hunyuan_v1_moe,
    "qwen3_vl_moe_text": qwen3_moe,
    "qwen3_omni_moe_text": qwen3_moe,
    "llama4_text": llama4,
    "glm4_moe": glm4_moe,
    "glm4v_moe_text": glm4_moe,
    "sarvam_moe": glm4_moe,
    "solar_open": glm4_moe,
    "dots1": dots1,
    "exaone_moe": exaone_moe,
    "hy_v3": hy_v3,
    "kolibri1": kolibri1,
    "aria_text": aria_text,
    "cohere2_moe": cohere2_moe,
    "ernie4_5_moe": ernie4_5_moe,
    "afmoe": afmoe,
    "laguna": laguna,
    "flint": flint,
    "mimo_v2_flash": mimo_v2_flash,
    "step3p5": step3p5,
    "minimax_m3_vl_text": minimax_m3,
    "jetmoe": jetmoe,
    "deepseek_ocr2_text": ocr,
    "unlimited_ocr_text": ocr,
    "ernie4_5_vl_moe_text": ernie4_5_vl_moe,
    "molmo2_text": molmo2,
    "gemma4_text": gemma4,
    "gemma4_unified_text": gemma4,
    "gemma3n_text": gemma3n,
    "nemotron-nas": nemotron_nas,
}
"""What turns the fields of each ``model_type`` into those of an architecture."""
