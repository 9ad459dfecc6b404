"""The line of GPT: learned positions, LayerNorm, biases; and its neighbours."""

from __future__ import annotations

from functools import partial

from llm_economics.checkpoints.config import Fields, refused
from llm_economics.checkpoints.shapes import (
    FULL,
    SLIDING,
    Family,
    attention,
    both_biases,
    decoder,
    divided,
    experts,
    grouped,
    head_bias,
    kinds,
    model,
    sizes,
    uniform,
)
from llm_economics.formulas.blocks import Dense, Layer, Listed, Several, Weight, vector

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


FAMILIES = {
    "gpt2": gpt2,
    "gpt_neox": gpt_neox,
    "falcon": falcon,
    "mpt": mpt,
    "bloom": bloom,
    "dbrx": dbrx,
    "persimmon": persimmon,
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
}
