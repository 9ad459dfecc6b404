"""Families like no other: Gemma with tables a layer, and code that comes with the model."""

from __future__ import annotations

from llm_economics.checkpoints.config import Fields, refused
from llm_economics.checkpoints.plain import _causal
from llm_economics.checkpoints.shapes import (
    FULL,
    SLIDING,
    Family,
    Sizes,
    attention,
    base,
    both_biases,
    decoder,
    divided,
    experts,
    grouped,
    kinds,
    model,
    sizes,
    whole_numbers,
    windows,
)
from llm_economics.formulas.blocks import Dense, GroupedAttention, Layer, Listed, Several, Weight, vector

# ---------------------------------------------------------------------------------------------------------------------
# Gemma with tables a layer


def _gemma4_layers(f: Fields) -> tuple[Sizes, list[str], int, int, int]:
    s = base(f)
    words = kinds(f, s.layers, lambda i: SLIDING if (i + 1) % 6 else FULL, (FULL, SLIDING))
    words[-1] = FULL
    return s, words, f.whole("sliding_window"), f.extra("global_head_dim", 512), _borrowed(f, words)


def _borrowed(f: Fields, words: list[str]) -> int:
    """How many of the last layers borrow keys and values, each of an earlier one of its kind."""
    borrow = f.whole("num_kv_shared_layers", 0)
    if 0 < borrow < len(words) and set(words[:-borrow]) != set(words):
        raise refused("num_kv_shared_layers", borrow, "each kind of layer needs one that keeps keys and values")
    return borrow


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
    borrow, streams = _borrowed(f, words), f.whole("altup_num_inputs", 2)
    rank, per_layer = f.whole("laurel_rank"), f.whole("hidden_size_per_layer_input", 0)
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
    "grok-1": grok,
    "mllama_text_model": mllama_text,
    "gemma4_text": gemma4,
    "gemma4_unified_text": gemma4,
    "gemma3n_text": gemma3n,
    "nemotron-nas": nemotron_nas,
}
