"""Families of state spaces, recurrences and convolutions, alone or with attention."""

from __future__ import annotations

from llm_economics.checkpoints.config import MOST, Fields, refused, whole_number
from llm_economics.checkpoints.shapes import (
    FULL,
    LINEAR,
    SLIDING,
    Family,
    Sizes,
    attention,
    base,
    both_biases,
    divided,
    experts,
    grouped,
    kinds,
    model,
    never_tied,
    sizes,
    uniform,
    whole_numbers,
    windows,
)
from llm_economics.formulas.blocks import Block, Dense, Layer, Listed, Reach, Several, Weight, vector
from llm_economics.formulas.elementwise import check_range
from llm_economics.formulas.records import replace
from llm_economics.formulas.recurrences import LightningAttention, Mamba, Mamba2, RecurrentUnit, ShortConvolution

# ---------------------------------------------------------------------------------------------------------------------
# State spaces


def _mamba(f: Fields, s: Sizes, **switches) -> Mamba:
    rank = f.value("mamba_dt_rank")
    return Mamba(
        width=f.whole("mamba_expand") * s.hidden,
        state_size=f.whole("mamba_d_state"),
        conv_width=f.whole("mamba_d_conv"),
        dt_rank=-(-s.hidden // 16) if rank == "auto" else whole_number("mamba_dt_rank", rank, 1, MOST),
        conv_bias=f.flag("mamba_conv_bias"),
        bias=f.flag("mamba_proj_bias"),
        **switches,
    )


def jamba(f: Fields) -> Family:
    """Mamba with norms, attention and experts each by a period."""
    s = base(f)

    def every(kind: str) -> list[bool]:
        period = f.whole(f"{kind}_layer_period")
        offset = f.whole(f"{kind}_layer_offset", 0)
        if offset >= period:
            raise refused(f"{kind}_layer_offset", offset, f"it must be below {kind}_layer_period = {period}")
        return [i % period == offset for i in range(s.layers)]

    mamba = _mamba(f, s)
    attends, sparse = every("attn"), every("expert")
    routed = experts(f, "num_experts", s.width) if f.whole("num_experts") > 1 and any(sparse) else None

    def layer(kind: tuple[bool, bool]) -> Layer:
        return Layer(attention(s) if kind[0] else mamba, routed if kind[1] and routed else Dense(width=s.width))

    return model(s, zip(attends, sparse, strict=True), layer)


def mamba(f: Fields) -> Family:
    """Mamba alone: no attention and no MLP."""
    s = _bare(f)
    width, rank = int(_number(f, "expand") * s.hidden), f.value("time_step_rank")
    block = Mamba(
        width=width,
        state_size=f.whole("state_size"),
        conv_width=f.whole("conv_kernel"),
        dt_rank=-(-s.hidden // 16) if rank == "auto" else whole_number("time_step_rank", rank, 1, MOST),
        conv_bias=f.flag("use_conv_bias"),
        bias=f.flag("use_bias"),
        norms=False,
    )
    return uniform(s, Layer(block, None, 1))


def mamba2(f: Fields) -> Family:
    """Mamba-2 alone."""
    s = _bare(f)
    heads, dim = f.whole("num_heads"), f.whole("head_dim")
    if heads * dim != int(_number(f, "expand") * s.hidden):
        raise refused("num_heads", heads, "num_heads x head_dim must be expand x hidden_size")
    block = Mamba2(
        heads=heads,
        head_dim=dim,
        groups=f.whole("n_groups"),
        state_size=f.whole("state_size"),
        conv_width=f.whole("conv_kernel"),
        conv_bias=f.flag("use_conv_bias"),
        bias=f.flag("use_bias"),
    )
    return uniform(s, Layer(block, None, 1))


def _bare(f: Fields, layers: str = "num_hidden_layers") -> Sizes:
    return Sizes(
        layers=f.whole(layers, high=10_000),
        hidden=f.whole("hidden_size"),
        vocab=f.whole("vocab_size"),
        tied=f.flag("tie_word_embeddings"),
    )


def _number(f: Fields, name: str) -> float:
    value = f.value(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= MOST:
        raise refused(name, value, "it must be a number above 0")
    return value


def _mamba2(f: Fields, s: Sizes, width: int, **switches) -> Mamba2:
    """Mamba-2 by the fields of Bamba."""
    heads, dim = f.whole("mamba_n_heads"), f.value("mamba_d_head")
    if dim == "auto":
        dim = width // heads
    dim = whole_number("mamba_d_head", dim, 1, MOST)
    if heads * dim != width:
        raise refused("mamba_n_heads", heads, f"mamba_n_heads x mamba_d_head must be {width}")
    return Mamba2(
        heads=heads,
        head_dim=dim,
        groups=f.whole("mamba_n_groups"),
        state_size=f.whole("mamba_d_state"),
        conv_width=f.whole("mamba_d_conv"),
        conv_bias=f.flag("mamba_conv_bias"),
        bias=f.flag("mamba_proj_bias"),
        **switches,
    )


def bamba(f: Fields) -> Family:
    """Mamba-2 with attention in the layers that the file names."""
    s = base(f)
    attends = whole_numbers(f, "attn_layer_indices")
    biases, block = both_biases(f), _mamba2(f, s, f.whole("mamba_expand") * s.hidden)
    dense = Dense(width=s.width, bias=f.flag("mlp_bias"))
    words = kinds(f, s.layers, lambda i: FULL if i in attends else LINEAR, (FULL, LINEAR), "layers_block_type")
    return model(s, words, lambda word: Layer(attention(s, **biases) if word == FULL else block, dense))


def granitemoehybrid(f: Fields) -> Family:
    """Mamba-2 or attention, and a shared MLP beside experts, if there are any."""
    s = base(f)
    biases, block = both_biases(f), _mamba2(f, s, f.whole("mamba_expand") * s.hidden)
    words = kinds(f, s.layers, lambda _: LINEAR, (FULL, LINEAR))
    routed = f.whole("num_local_experts", 0)
    shared = f.whole("shared_intermediate_size", 0 if routed else 1)
    if routed:
        feed_forward: Block = experts(f, "num_local_experts", s.width, shared_width=shared)
    else:
        feed_forward = Dense(width=shared)
    return model(s, words, lambda word: Layer(attention(s, **biases) if word == FULL else block, feed_forward))


def falcon_h1(f: Fields) -> Family:
    """Attention and Mamba-2 side by side in every layer."""
    s = base(f)
    biases, width = both_biases(f), f.maybe("mamba_d_ssm")
    if width is None:
        width = f.whole("mamba_expand") * s.hidden
    block = _mamba2(f, s, width, gated_norm=f.flag("mamba_rms_norm"), output_bias=f.flag("projectors_bias"))
    dense = Dense(width=s.width, bias=f.flag("mlp_bias"))
    return uniform(s, Layer(Several((attention(s, **biases), block)), dense))


def nemotron_h(f: Fields) -> Family:
    """One mixer or one feed-forward a layer, by a pattern; its number of layers is that of the pattern.

    The class leaves out the biases of attention whatever the field says.
    """
    s = Sizes(
        hidden=f.whole("hidden_size"),
        heads=f.whole("num_attention_heads"),
        head_dim=f.whole("head_dim"),
        vocab=f.whole("vocab_size"),
        tied=f.flag("tie_word_embeddings"),
    )
    s = grouped(f, s, "num_key_value_heads")
    never_tied(f, s)
    letters = {"M": LINEAR, "E": "moe", "*": FULL, "-": "mlp"}
    pattern = f.given.get("hybrid_override_pattern")
    if f.given.get("layers_block_type") is None and f.given.get("layer_types") is None and pattern is not None:
        if not isinstance(pattern, str) or not pattern or set(pattern) - set(letters):
            raise refused("hybrid_override_pattern", pattern, "it must be made of M, E, * and -")
        words = [letters[letter] for letter in pattern]
        f.used["hybrid_override_pattern"] = pattern
    else:
        listed = f.value("layers_block_type")
        n_layers = len(listed) if isinstance(listed, list) else 4
        words = kinds(
            f, n_layers, lambda i: (LINEAR, "moe", FULL, "mlp")[i], (LINEAR, "moe", FULL, "mlp"), "layers_block_type"
        )
    block = Mamba2(
        heads=f.whole("mamba_num_heads"),
        head_dim=f.whole("mamba_head_dim"),
        groups=_renamed(f, "n_groups", "mamba_n_groups"),
        state_size=f.whole("ssm_state_size"),
        conv_width=_renamed(f, "conv_kernel", "mamba_d_conv"),
        conv_bias=f.given["mamba_conv_bias"] if "mamba_conv_bias" in f.given else f.flag("use_conv_bias"),
        bias=f.flag("use_bias"),
    )
    bias = f.flag("mlp_bias")
    made: dict[str, Layer] = {LINEAR: Layer(block, None, 1), FULL: Layer(attention(s), None, 1)}
    if "mlp" in words:
        made["mlp"] = Layer(None, Dense(width=_width(f), gated=False, bias=bias), 1)
    if "moe" in words:
        each, shared = f.whole("moe_intermediate_size"), f.whole("moe_shared_expert_intermediate_size")
        routed = experts(
            f,
            "n_routed_experts",
            each,
            gated=False,
            shared_width=shared,
            shared_bias=bias,
            latent=f.maybe("moe_latent_size") or 0,
        )
        latent = (
            vector("mixer.latent_in_proj.bias", "biases", routed.latent),
            vector("mixer.latent_out_proj.bias", "biases", s.hidden),
        )
        made["moe"] = Layer(None, routed, 1, extras=latent if bias and routed.latent else ())
    return model(s, words, lambda word: made[word])


def _width(f: Fields) -> int:
    """A width, or one that the file lists for each layer and that is the same everywhere."""
    given = f.value("intermediate_size")
    if isinstance(given, list) and given and given.count(given[0]) == len(given):
        return whole_number("intermediate_size", given[0], 1, MOST)
    return f.whole("intermediate_size")


def _renamed(f: Fields, name: str, older: str) -> int:
    found = f.extra(older)
    return f.whole(name) if found is None else found


def zamba(f: Fields) -> Family:
    """One transformer, twice as wide, that several layers share, each before its Mamba."""
    s = _bare(f)
    block = _mamba(f, s, norms=False, heads=f.whole("n_mamba_heads"))
    heads, kv_heads = f.whole("num_attention_heads"), f.whole("num_key_value_heads")
    wide = f.maybe("attention_hidden_size") or 2 * s.hidden
    dim = f.maybe("attention_head_dim") or 2 * s.hidden // heads
    period, offset = f.whole("attn_layer_period"), f.whole("attn_layer_offset", 0)

    def usual(i: int) -> str:
        return "hybrid" if i == 2 or (i > 2 and (i - 3) % period == offset) else LINEAR

    words = kinds(f, s.layers, usual, (LINEAR, "hybrid"), "layers_block_type")
    attend = _wide_attention(s, heads, kv_heads, dim, wide)
    shared = Several((attend, Dense(width=f.whole("intermediate_size")), _norms(s, wide)))
    if words.count("hybrid") == 1:
        raise refused("layers_block_type", "one hybrid", "its class ties what hybrid layers share, and needs two")
    return _shared_layers(s, words, [shared], block, {})


def zamba2(f: Fields) -> Family:
    """Several shared transformers that take turns, with an adapter of low rank for each layer that they stand in."""
    s = _bare(f)
    heads = f.whole("num_attention_heads")
    kv_heads = f.maybe("num_key_value_heads") or heads
    wide, width = 2 * s.hidden, f.whole("mamba_expand") * s.hidden
    dim, n_heads = wide // heads, f.whole("n_mamba_heads")
    if width % n_heads:
        raise refused("n_mamba_heads", n_heads, f"it must divide the {width} channels")
    block = Mamba2(
        heads=n_heads,
        head_dim=width // n_heads,
        groups=f.whole("mamba_ngroups"),
        state_size=f.whole("mamba_d_state"),
        conv_width=f.whole("mamba_d_conv"),
        bias=f.flag("add_bias_linear"),
    )
    pattern = [LINEAR] + ([LINEAR] * 5 + ["hybrid"]) * 7 + [LINEAR] * 4 + ["hybrid"] + [LINEAR] * 3 + ["hybrid"]
    pattern += [LINEAR] * 2
    words = kinds(
        f, s.layers, lambda i: pattern[i] if i < len(pattern) else LINEAR, (LINEAR, "hybrid"), "layers_block_type"
    )
    if f.given.get("layers_block_type") is None and f.given.get("layer_types") is None and s.layers != len(pattern):
        raise refused("num_hidden_layers", s.layers, f"without layers_block_type there are {len(pattern)}")
    inner, rank = f.maybe("intermediate_size") or 4 * s.hidden, f.whole("adapter_rank")
    bias = f.flag("add_bias_linear")
    attend = _wide_attention(s, heads, kv_heads, dim, wide)
    shared = Several((attend, Dense(width=inner, bias=bias), _norms(s, wide)))
    adapters = [("mlp.gate_up_proj", s.hidden, 2 * inner)]
    if f.flag("use_shared_attention_adapter"):
        adapters += [(f"self_attn.{name}_proj", wide, wide) for name in ("q", "k", "v")]
    low = {
        "adapters": tuple(
            [
                weight
                for name, into, out in adapters
                for weight in (
                    Weight(f"{name}_adapter.0", "mlp", rank, into),
                    Weight(f"{name}_adapter.1", "mlp", out, rank),
                )
            ]
        )
    }
    return _shared_layers(s, words, [shared] * f.whole("num_mem_blocks"), block, low)


def _wide_attention(s: Sizes, heads: int, kv_heads: int, dim: int, wide: int) -> Listed:
    if heads % kv_heads:
        raise refused("num_key_value_heads", kv_heads, f"it must divide the {heads} heads")
    values, flops = 2 * kv_heads * dim, 4 * heads * dim
    return Listed(
        listed=(
            Weight("self_attn.q_proj", "attention", heads * dim, wide),
            Weight("self_attn.k_proj", "attention", kv_heads * dim, wide),
            Weight("self_attn.v_proj", "attention", kv_heads * dim, wide),
            Weight("self_attn.o_proj", "attention", s.hidden, heads * dim),
        ),
        reached=(Reach(None, values, values, flops, flops),),
        heads=heads,
        kv_heads=kv_heads,
    )


def _norms(s: Sizes, wide: int) -> Listed:
    return Listed(listed=(vector("input_layernorm", "norms", wide), vector("pre_ff_layernorm", "norms", s.hidden)))


def _shared_layers(s: Sizes, words: list[str], shared: list[Several], block: Block, low: dict) -> Family:
    """Layers of a state space, before some of which a shared transformer stands, held once where it first does."""
    if not s.tied:
        raise refused("tie_word_embeddings", False, "its class then holds a shared transformer once for each layer")
    more = (Weight("linear", "mlp", s.hidden, s.hidden), *low.get("adapters", ()))
    seen = 0
    order: list[tuple[bool, int, bool]] = []
    for word in words:
        place = seen % len(shared)
        order.append((word == "hybrid", place, seen < len(shared)))
        seen += word == "hybrid"

    def layer(kind: tuple[bool, int, bool]) -> Layer:
        hybrid, place, first = kind
        if not hybrid:
            return Layer(block, None, 1)
        return Layer(Several((block, replace(shared[place], held=first))), None, 1, extras=more)

    return model(s, order, layer)


# ---------------------------------------------------------------------------------------------------------------------
# Recurrences and convolutions


def recurrent_gemma(f: Fields) -> Family:
    """Recurrent units and attention in a window take turns."""
    s = base(f)
    biases = both_biases(f) | {"output_bias": True}
    mlp = Dense(width=check_range("intermediate_size", s.width, 2) // 2, bias=True)
    listed = f.words("block_types", ("recurrent", "attention"))
    if listed is None:
        raise refused("block_types", None, "it must be a list of words")
    width = f.maybe("lru_width") or s.hidden
    if width % s.heads:
        raise refused("lru_width", width, f"it must be a multiple of num_attention_heads = {s.heads}")
    unit = RecurrentUnit(width=width, n_blocks=s.heads, conv_width=f.whole("conv1d_width"))
    (window,) = windows(f, [True], "attention_window_size")
    mixers = {"attention": attention(s, window=window, **biases), "recurrent": unit}
    return model(s, [listed[i % len(listed)] for i in range(s.layers)], lambda kind: Layer(mixers[kind], mlp))


def lfm2(f: Fields) -> Family:
    """Short convolutions and attention; the width of the MLP is two thirds of the file's, rounded up."""
    s = divided(sizes(f))
    s.width = f.extra("block_ff_dim") or f.whole("intermediate_size")
    if "tie_embedding" in f.given:
        s.tied = f.given["tie_embedding"] is True
    s = grouped(f, s, "num_key_value_heads")
    if "block_auto_adjust_ff_dim" in f.defaults and f.flag("block_auto_adjust_ff_dim"):
        width = int(2 * s.width / 3)
        if f.value("block_ffn_dim_multiplier") is not None:
            width = int(_number(f, "block_ffn_dim_multiplier") * width)
        step = f.whole("block_multiple_of")
        s.width = step * -(-width // step)
    listed = f.given.get("full_attn_idxs")
    attends = whole_numbers(f, "full_attn_idxs") if listed is not None else range(s.layers)
    words = kinds(f, s.layers, lambda i: FULL if i in attends else "conv", (FULL, "conv"))
    mixers: dict[str, Block] = {
        "conv": ShortConvolution(taps=f.whole("conv_L_cache"), width=s.hidden, bias=f.flag("conv_bias")),
        FULL: attention(s, qk_norm="head"),
    }
    if "moe_intermediate_size" not in f.defaults:
        return model(s, words, lambda word: Layer(mixers[word], Dense(width=s.width)))
    n_dense = f.whole("num_dense_layers", 0)
    routed = experts(f, "num_experts", f.whole("moe_intermediate_size"))

    def layer(kind: tuple[str, bool]) -> Layer:
        return Layer(mixers[kind[0]], routed if kind[1] else Dense(width=s.width))

    return model(s, [(word, i >= n_dense) for i, word in enumerate(words)], layer)


def lfm3(f: Fields) -> Family:
    """Short convolutions, windows and full attention with a gate for each head."""
    s = base(f)
    biases = both_biases(f)
    gate = "head" if f.flag("use_attention_gate") else "none"
    norms = 4 if f.flag("use_sandwich_norm") else 2

    def usual(i: int) -> str:
        return FULL if i % 4 == 2 else SLIDING if i % 4 == 0 and i > 0 else "conv"

    words = kinds(f, s.layers, usual, (FULL, SLIDING, "conv"))
    reach = windows(f, [word == SLIDING for word in words])
    conv = ShortConvolution(taps=f.whole("conv_L_cache"), width=s.hidden, bias=f.flag("conv_bias"))

    def layer(kind: tuple[str, int | None]) -> Layer:
        mixer = conv if kind[0] == "conv" else attention(s, window=kind[1], qk_norm="head", gate=gate, **biases)
        return Layer(mixer, Dense(width=s.width), norms)

    return model(s, zip(words, reach, strict=True), layer)


def minimax(f: Fields) -> Family:
    """Lightning and full attention take turns; experts in every layer."""
    s = base(f)
    words = kinds(f, s.layers, lambda i: LINEAR if i % 2 else FULL, (FULL, LINEAR))
    reach = windows(f, [word == FULL for word in words]) if f.value("sliding_window") else [None] * s.layers
    linear = LightningAttention(heads=s.heads, head_dim=s.head_dim)
    routed = experts(f, "num_local_experts", s.width)

    def layer(kind: tuple[str, int | None]) -> Layer:
        return Layer(attention(s) if kind[0] == FULL else linear, routed)

    return model(s, zip(words, reach, strict=True), layer)


def rwkv(f: Fields) -> Family:
    """RWKV-4 (arXiv:2305.13048): the mix of each channel with the token before, and a decaying sum."""
    s = _bare(f)
    width = f.maybe("attention_hidden_size") or s.hidden
    inner = f.maybe("intermediate_size") or 4 * s.hidden
    mixer = Listed(
        listed=(
            Weight("attention.key", "mixers", width, s.hidden),
            Weight("attention.value", "mixers", width, s.hidden),
            Weight("attention.receptance", "mixers", width, s.hidden),
            Weight("attention.output", "mixers", s.hidden, width),
            vector("attention.time_decay", "mixers", width, 2, 2),
            vector("attention.time_mix", "mixers", s.hidden, 3, 3),
        ),
        kept=2 * s.hidden,
        kept_wide=3 * width,
        heads=width,
    )
    feed_forward = Listed(
        listed=(
            Weight("feed_forward.key", "mlp", inner, s.hidden),
            Weight("feed_forward.receptance", "mlp", s.hidden, s.hidden),
            Weight("feed_forward.value", "mlp", s.hidden, inner),
            vector("feed_forward.time_mix", "mlp", s.hidden, 2, 2),
        ),
        heads=inner,
    )
    return uniform(s, Layer(mixer, feed_forward, norm="layer"), norm="layer", embedding_norm=True)


def xlstm(f: Fields) -> Family:
    """Matrix LSTMs (arXiv:2405.04517): linear attention with gates, and a gated MLP."""
    hidden = f.maybe("hidden_size") if "hidden_size" in f.given else None
    hidden = hidden or f.maybe("embedding_dim") or f.whole("hidden_size")
    if f.maybe("embedding_dim") not in (None, hidden):
        raise refused("embedding_dim", f.used["embedding_dim"], f"layers are {hidden} wide")
    layers = f.maybe("num_blocks") or f.whole("num_hidden_layers")
    if f.flag("use_bias"):
        raise refused("use_bias", True, "biases are not counted")
    s = Sizes(layers=layers, hidden=hidden, vocab=f.whole("vocab_size"), tied=f.flag("tie_word_embeddings"))
    never_tied(f, s)
    heads = f.whole("num_heads")
    keys, values = int(hidden * _number(f, "qk_dim_factor")), int(hidden * _number(f, "v_dim_factor"))
    step = f.whole("ffn_round_up_to_multiple_of")
    width = step * int((_number(f, "ffn_proj_factor") * hidden + step - 1) // step)
    state = keys * values // heads
    mixer = Listed(
        listed=(
            Weight("mlstm_layer.q", "mixers", keys, hidden),
            Weight("mlstm_layer.k", "mixers", keys, hidden),
            Weight("mlstm_layer.v", "mixers", values, hidden),
            Weight("mlstm_layer.ogate_preact", "mixers", values, hidden),
            Weight("mlstm_layer.igate_preact", "mixers", heads, hidden),
            Weight("mlstm_layer.fgate_preact", "mixers", heads, hidden),
            vector("mlstm_layer.gate_biases", "mixers", heads, 2, 2),
            vector("mlstm_layer.multihead_norm", "mixers", values // heads * heads),
            Weight("mlstm_layer.out_proj", "mixers", hidden, values),
        ),
        kept=state + keys + heads,
        flops=4 * state + 2 * keys,
        heads=heads,
    )
    return uniform(s, Layer(mixer, Dense(width=width)))


FAMILIES = {
    "jamba": jamba,
    "mamba": mamba,
    "falcon_mamba": mamba,
    "mamba2": mamba2,
    "bamba": bamba,
    "granitemoehybrid": granitemoehybrid,
    "falcon_h1": falcon_h1,
    "nemotron_h": nemotron_h,
    "zamba": zamba,
    "zamba2": zamba2,
    "recurrent_gemma": recurrent_gemma,
    "lfm2": lfm2,
    "lfm2_moe": lfm2,
    "lfm3": lfm3,
    "minimax": minimax,
    "rwkv": rwkv,
    "xlstm": xlstm,
}
