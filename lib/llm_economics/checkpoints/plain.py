"""Families of dense layers: Llama and what differs from it by a switch or a block."""

from __future__ import annotations

from functools import partial

from llm_economics.checkpoints.config import Fields, refused
from llm_economics.checkpoints.shapes import (
    BIASES,
    FULL,
    SLIDING,
    Family,
    Sizes,
    after_first,
    all_but,
    attention,
    base,
    both_biases,
    decoder,
    everywhere,
    experts,
    head_bias,
    kinds,
    layer_windows,
    model,
    switched_windows,
    uniform,
    whole_numbers,
    windows,
)
from llm_economics.formulas.blocks import Dense, Layer, Listed, Several, Weight, vector

# ---------------------------------------------------------------------------------------------------------------------
# Llama and what differs from it by a switch

llama = partial(decoder, **BIASES, mlp_bias="mlp_bias")
mistral = partial(decoder, window=everywhere)


def _ministral(f: Fields, s: Sizes) -> list[int | None]:
    slides = f.value("sliding_window") is not None
    return layer_windows(f, s.layers, lambda _: slides)


def _last_layers(f: Fields, s: Sizes) -> list[int | None]:
    """Windows from layer ``max_window_layers`` on, where they are switched on."""
    first = f.whole("max_window_layers", 0) if f.flag("use_sliding_window") else 0
    return switched_windows(f, s.layers, lambda i: i >= first)


qwen2 = partial(decoder, qkv_bias=True, window=_last_layers)
qwen3 = partial(decoder, qk_norm="head", window=_last_layers, **BIASES)


def _causal(f: Fields) -> None:
    if f.value("use_bidirectional_attention") is True or f.used["use_bidirectional_attention"] == "all":
        raise refused("use_bidirectional_attention", f.used["use_bidirectional_attention"], "only causal models count")


def gemma(f: Fields, **switches) -> Family:
    """Gemma and its descendants, with ``decoder``'s switches."""
    if "use_bidirectional_attention" in f.defaults:
        _causal(f)
    return decoder(f, **BIASES, **switches)


def _gemma3_windows(f: Fields, s: Sizes) -> list[int | None]:
    period = f.whole("sliding_window_pattern") if f.given.get("layer_types") is None else 1
    return layer_windows(f, s.layers, lambda i: (i + 1) % period != 0)


def exaone_windows(f: Fields, s: Sizes) -> list[int | None]:
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
    return decoder(f, **BIASES, extras=lambda f, s: [vector("self_attn.lambdas", "attention", s.head_dim, 4, 4)])


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

    return decoder(f, **BIASES, mlp_bias="mlp_bias", qk_norm="head", window=everywhere, extras=extras)


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
    return decoder(f, **BIASES, gated=False, qk_norm="head", extras=lambda f, s: [learned])


def bitnet(f: Fields) -> Family:
    """A norm before the projection out of attention, and one before that of the MLP."""

    def norms(f: Fields, s: Sizes) -> list[Weight]:
        return [
            vector("self_attn.attn_sub_norm", "norms", s.hidden),
            vector("mlp.ffn_sub_norm", "norms", s.width),
        ]

    return decoder(f, **BIASES, extras=norms)


def ernie(f: Fields, head: bool = False, **switches) -> Family:
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
        **BIASES,
        norm="layer",
        window=everywhere,
        expert=lambda f, s: experts(f, "num_local_experts", s.width),
        end_extras=head_bias if biased else None,
    )


def counted_back(f: Fields, s: Sizes) -> list[int | None]:
    """Full attention in each fourth layer, counted from the last."""
    return layer_windows(f, s.layers, lambda i: (s.layers - 1 - i) % 4 != 0)


def last_layers_or_all(f: Fields, s: Sizes) -> list[int | None]:
    """Windows where they are switched on, but not in the layers without positions."""
    if not f.flag("use_sliding_window") or f.value("sliding_window") is None:
        return [None] * s.layers
    without, period = whole_numbers(f, "no_rope_layers"), f.whole("no_rope_layer_interval")
    return layer_windows(f, s.layers, lambda i: bool(without[i]) if without else (i + 1) % period != 0)


FAMILIES = {
    "llama": llama,
    "mistral": mistral,
    "qwen2": qwen2,
    "qwen3": qwen3,
    "gemma": gemma,
    "gemma2": partial(gemma, norms=4, window=all_but(2)),
    "gemma3_text": partial(gemma, norms=4, qk_norm="head", window=_gemma3_windows),
    "phi3": mistral,
    "olmo": partial(decoder, **BIASES, norm="fixed"),
    "olmo2": partial(decoder, **BIASES, qk_norm="full"),
    "olmoe": olmoe,
    "exaone": llama,
    "granite": llama,
    "granite4_vision_text": llama,
    "granite_docling_text": llama,
    "helium": helium,
    "internlm3": llama,
    "iquestcoder": llama,
    "cosmos3_edge_text": llama,
    "emu3_text_model": decoder,
    "smollm3": partial(llama, window=last_layers_or_all),
    "ministral": partial(decoder, window=_ministral),
    "ministral3": mistral,
    "cwm": partial(decoder, mlp_bias="mlp_bias", window=all_but(4, 0)),
    "qwen2_vl_text": qwen2,
    "qwen2_5_vl_text": qwen2,
    "qwen2_5_omni_text": qwen2,
    "qwen3_vl_text": partial(decoder, qk_norm="head", **BIASES),
    "mimo": qwen2,
    "vaultgemma": partial(gemma, window=all_but(2)),
    "phi4_multimodal": mistral,
    "glm": partial(decoder, qkv_bias="attention_bias"),
    "glm4": partial(decoder, qkv_bias="attention_bias", norms=4),
    "glm4v_text": partial(decoder, qkv_bias=True, norms=4),
    "glm_ocr_text": partial(decoder, norms=4),
    "glm_image_text": partial(decoder, qkv_bias="attention_bias", norms=4),
    "olmo3": partial(decoder, **BIASES, qk_norm="full", window=all_but(4)),
    "exaone4": partial(decoder, qk_norm="head", window=exaone_windows),
    "hyperclovax": partial(llama, norms=lambda f: 4 if f.flag("use_post_norm") else 2),
    "cohere": partial(
        decoder,
        **BIASES,
        qk_norm=lambda f: "full" if f.flag("use_qk_norm") else "none",
        norms=1,
        norm="layer_without_bias",
    ),
    "cohere2": partial(decoder, **BIASES, norms=1, norm="layer_without_bias", window=_cohere2_windows),
    "cohere_compass_text": partial(decoder, **BIASES, norms=1, norm="layer_without_bias", window=_cohere2_windows),
    "ernie4_5": ernie,
    "paddleocr_vl_text": ernie,
    "hunyuan_v1_dense": partial(decoder, **BIASES, qk_norm="head"),
    "hunyuan_vl_text": partial(decoder, **BIASES, qk_norm="head"),
    "seed_oss": partial(decoder, qkv_bias="attention_bias", output_bias="attention_out_bias", mlp_bias="mlp_bias"),
    "bitnet": bitnet,
    "diffllama": diffllama,
    "doge": doge,
    "dory": dory,
    "nanochat": partial(decoder, **BIASES, gated=False, norm="fixed"),
    "hrm_text": hrm_text,
    "muse_glimmer_text": partial(decoder, **BIASES, gate="value", norms=4, window=counted_back),
    "apertus": apertus,
    "apertus1p5_text": apertus,
    "arcee": partial(decoder, **BIASES, mlp_bias="mlp_bias", gated=False),
    "nemotron": partial(decoder, **BIASES, mlp_bias="mlp_bias", gated=False, norm="layer"),
    "jais2": partial(decoder, **BIASES, mlp_bias="mlp_bias", gated=False, norm="layer"),
    "starcoder2": partial(
        decoder,
        qkv_bias="use_bias",
        output_bias="use_bias",
        mlp_bias="use_bias",
        gated=False,
        norm="layer",
        window=everywhere,
    ),
    "flex_olmo": partial(decoder, **BIASES, qk_norm="full", expert=lambda f, s: experts(f, "num_experts", s.width)),
    "mellum": partial(
        decoder,
        **BIASES,
        qk_norm="head",
        window=lambda f, s: layer_windows(f, s.layers, lambda _: False),
        sparse=after_first,
        expert=lambda f, s: experts(f, "num_experts", f.whole("moe_intermediate_size")),
    ),
    "phimoe": _phimoe,
    "granite_swa": partial(llama, sinks=True, window=all_but(4, 0)),
}
