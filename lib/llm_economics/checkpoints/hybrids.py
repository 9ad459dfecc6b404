"""Families some of whose layers keep a state of fixed size, or none at all."""

from __future__ import annotations

from dataclasses import replace

from llm_economics.checkpoints.config import MOST, Fields, refused, whole_number
from llm_economics.checkpoints.latent import INDEXED, _streams, index, indexer_types, mla
from llm_economics.checkpoints.shapes import (
    FULL,
    LINEAR,
    SLIDING,
    Family,
    Sizes,
    after_first,
    attention,
    base,
    both_biases,
    by_step,
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
    with_shared,
)
from llm_economics.formulas.blocks import Block, Dense, Experts, Layer, Listed, Reach, Several, Weight, vector
from llm_economics.formulas.elementwise import check_range
from llm_economics.formulas.recurrences import (
    DeltaNet,
    KimiDelta,
    LightningAttention,
    Mamba,
    Mamba2,
    RecurrentUnit,
    ShortConvolution,
)

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
    shared = f.whole("shared_intermediate_size")
    feed_forward: Block = Dense(width=shared)
    if f.whole("num_local_experts", 0):
        feed_forward = experts(f, "num_local_experts", s.width, shared_width=shared)
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


# ---------------------------------------------------------------------------------------------------------------------
# Linear attention


def _delta(f: Fields, projections: str = "split") -> DeltaNet:
    names = {
        "key_heads": "linear_num_key_heads",
        "value_heads": "linear_num_value_heads",
        "key_dim": "linear_key_head_dim",
        "value_dim": "linear_value_head_dim",
        "conv_width": "linear_conv_kernel_dim",
    }
    return DeltaNet(**{size: f.whole(name) for size, name in names.items()}, projections=projections)


def _shared_expert(f: Fields, gate: bool = True) -> Experts:
    shared = f.whole("shared_expert_intermediate_size", 0)
    width = f.whole("moe_intermediate_size")
    return experts(f, "num_experts", width, shared_width=shared, shared_gate=gate)


def qwen3_next(f: Fields) -> Family:
    """Three layers of gated delta rule for one of attention, whose queries come with a gate for each value."""
    s = base(f, "intermediate_size" if "intermediate_size" in f.defaults else None)
    joined = "joined" if f.model_type == "qwen3_next" else "split"
    biases, linear = both_biases(f), _delta(f, joined)
    period = f.extra("full_attention_interval", 4)
    words = kinds(f, s.layers, lambda i: LINEAR if (i + 1) % period else FULL, (FULL, LINEAR))
    has_experts = "num_experts" in f.defaults and f.whole("num_experts", 0) > 0
    sparse = by_step(f, s) if has_experts else [False] * s.layers
    routed = _shared_expert(f) if any(sparse) else None
    full = attention(s, qk_norm="head", gate="query", **biases)

    def layer(kind: tuple[str, bool]) -> Layer:
        return Layer(full if kind[0] == FULL else linear, routed if kind[1] else Dense(width=s.width))

    return model(s, zip(words, sparse, strict=True), layer)


def qwen4_exp(f: Fields) -> Family:
    """The same with an indexer in the layers of attention and streams that are mixed through a low rank."""
    s = base(f, None)
    if f.value("ple_layer_ids"):
        raise refused("ple_layer_ids", f.used["ple_layer_ids"], "tables of hashed n-grams are not counted")
    biases, linear = both_biases(f), _delta(f)
    period = f.extra("full_attention_interval", 4)
    words = kinds(f, s.layers, lambda i: LINEAR if (i + 1) % period else INDEXED, (FULL, LINEAR, INDEXED))
    heads, kv_heads = f.whole("indexer_n_heads"), f.whole("indexer_kv_heads")
    dim, budget, ratio = f.whole("indexer_head_dim"), f.whole("indexer_budget"), f.whole("indexer_compress_ratio")
    read, flops = 2 * s.kv_heads * s.head_dim, 4 * s.heads * s.head_dim
    keys, scored = kv_heads * dim, 2 * heads * dim / ratio
    full = attention(s, qk_norm="head", gate="value", **biases)
    gate = (vector("self_attn.gate.bias", "biases", s.heads * s.head_dim),) if biases["qkv_bias"] else ()
    indexer = (
        *gate,
        Weight("self_attn.indexer.index_qk_proj", "attention", (heads + kv_heads) * dim, s.hidden),
        vector("self_attn.indexer.norms", "norms", dim, 2, 2),
    )
    attend = Listed(
        listed=full.weights(s.hidden) + indexer,
        reached=(Reach(None, read + keys, keys, scored, scored), Reach(budget, 0, read, flops, flops)),
        heads=s.heads,
        kv_heads=s.kv_heads,
    )
    streams, rank = f.whole("hc_count"), f.whole("hc_lowrank")
    wide = streams * s.hidden
    extras = (
        vector("hyper_connection.hc_norm", "norms", wide, 2, 2),
        Weight("hyper_connection.input_mix_weight_down", "mlp", rank, wide, 2, 2),
        Weight("hyper_connection.input_mix_weight_up", "mlp", wide, rank, 2, 2),
        Weight("hyper_connection.block_inject_weight", "mlp", streams, wide, 2, 2),
    )
    ends = tuple([w._replace(name=f"model.{w.name}", copies=1, used=1) for w in extras[:3]])
    routed = _shared_expert(f)
    return model(
        s,
        [word == LINEAR for word in words],
        lambda linear_: Layer(linear if linear_ else attend, routed, 0, extras=extras),
        final_norm=False,
        extras=ends,
    )


def lara_mini(f: Fields) -> Family:
    """Delta rule, windows and full attention; experts with a shared one in every layer."""
    s = base(f, None)
    biases, linear = both_biases(f), _delta(f)
    pattern = (LINEAR, SLIDING, LINEAR, FULL, SLIDING)
    words = kinds(f, s.layers, lambda i: pattern[i % 5], (LINEAR, SLIDING, FULL))
    reach = windows(f, [word == SLIDING for word in words])
    routed = _shared_expert(f, gate=False)

    def layer(kind: tuple[str, int | None]) -> Layer:
        mixer = linear if kind[0] == LINEAR else attention(s, qk_norm="head", window=kind[1], **biases)
        return Layer(mixer, routed)

    return model(s, zip(words, reach, strict=True), layer)


def olmo_hybrid(f: Fields) -> Family:
    """Delta rule, and each fourth layer attention with norms of the full width."""
    s = base(f)
    biases = both_biases(f)
    key_heads = f.maybe("linear_num_key_heads") or s.heads
    value_heads = f.maybe("linear_num_value_heads") or s.heads
    key_dim = f.maybe("linear_key_head_dim") or int(0.75 * s.hidden / key_heads)
    value_dim = f.maybe("linear_value_head_dim") or 2 * key_dim
    linear = DeltaNet(
        key_heads=key_heads,
        value_heads=value_heads,
        key_dim=key_dim,
        value_dim=value_dim,
        conv_width=f.whole("linear_conv_kernel_dim"),
        projections="apart",
    )
    last = s.layers - 1 if s.layers < 4 else None
    words = kinds(f, s.layers, lambda i: FULL if i % 4 == 3 or i == last else LINEAR, (FULL, LINEAR))
    full, dense = attention(s, qk_norm="full", **biases), Dense(width=s.width)
    return model(s, words, lambda word: Layer(full if word == FULL else linear, dense))


def kimi_linear(f: Fields) -> Family:
    """Kimi delta attention, and latent attention in the layers that the file counts from one."""
    given = f.given.get("linear_attn_config") or {}
    if not isinstance(given, dict):
        raise refused("linear_attn_config", given, "it must be a JSON object")
    if given.get("rope_scaling") or f.given.get("latent_moe") or f.given.get("attn_residual"):
        raise refused("linear_attn_config", given, "it is not that of Kimi-Linear")
    for key, name in (
        ("head_dim", "linear_head_dim"),
        ("num_heads", "linear_num_heads"),
        ("short_conv_kernel_size", "linear_conv_kernel_dim"),
    ):
        if given.get(key) is not None:
            f.given[name] = given[key]
    s = sizes(f)
    never_tied(f, s)
    s.width = f.whole("intermediate_size")
    bias = f.flag("attention_bias")
    full = given.get("full_attn_layers")
    if full is not None and (not isinstance(full, list) or any(not isinstance(i, int) for i in full)):
        raise refused("linear_attn_config.full_attn_layers", full, "it must be a list of whole numbers")

    def usual(i: int) -> str:
        attends = (i + 1) in full if full is not None else i > 0 and i % 4 == 0
        return FULL if attends else LINEAR

    words = kinds(f, s.layers, usual, (FULL, LINEAR))
    linear = KimiDelta(
        heads=f.whole("linear_num_heads"),
        head_dim=f.whole("linear_head_dim"),
        conv_width=f.whole("linear_conv_kernel_dim"),
    )
    return _latent_layers(f, s, words, linear, mla(f, s, bias), 1)


def bailing_hybrid(f: Fields) -> Family:
    """Delta attention with full-rank gates, and latent attention with a gate a head at the end of each group."""
    s = sizes(f)
    never_tied(f, s)
    s.width, bias = f.whole("intermediate_size"), f.flag("attention_bias")
    linear = KimiDelta(
        heads=s.heads, head_dim=f.whole("head_dim"), conv_width=f.whole("short_conv_kernel_size"), full_rank=True
    )
    group = f.whole("layer_group_size")
    words = kinds(f, s.layers, lambda i: LINEAR if (i + 1) % group else FULL, (FULL, LINEAR))
    return _latent_layers(f, s, words, linear, mla(f, s, bias, gate="head"), 0)


def _latent_layers(f: Fields, s: Sizes, words: list[str], linear: Block, full: Block, first: int, **ends) -> Family:
    sparse = after_first(f, s, first)
    routed = with_shared(f, "num_local_experts", "n_shared_experts")

    def layer(kind: tuple[str, bool]) -> Layer:
        return Layer(linear if kind[0] == LINEAR else full, routed if kind[1] else Dense(width=s.width))

    return model(s, zip(words, sparse, strict=True), layer, **ends)


def glm5_next(f: Fields) -> Family:
    """Kimi delta attention, and latent attention without positions whose indexer keeps a key for several tokens."""
    given = f.given.get("linear_attn_config") or {}
    for key, name in (
        ("head_dim", "linear_head_dim"),
        ("num_heads", "linear_num_heads"),
        ("short_conv_kernel_size", "linear_conv_kernel_dim"),
    ):
        if isinstance(given, dict) and given.get(key) is not None:
            f.given[name] = given[key]
    s = sizes(f)
    s.width, bias = f.whole("intermediate_size"), f.flag("attention_bias")
    linear = KimiDelta(
        heads=f.whole("linear_num_heads"),
        head_dim=f.whole("linear_head_dim"),
        conv_width=f.whole("linear_conv_kernel_dim"),
    )
    words = kinds(f, s.layers, lambda i: INDEXED if i % 4 == 3 else LINEAR, (LINEAR, INDEXED, FULL))
    owners = indexer_types(f, s)
    full, pool = mla(f, s, bias, **index(f)), f.whole("index_kpool")
    shared = replace(full, index_heads=0, index_dim=0)
    pooling = (
        Weight("self_attn.indexer.index_kpool_compress_ape", "attention", full.index_dim, pool, product=False),
        Weight("self_attn.indexer.index_kpool_compress_gate", "attention", full.index_dim, s.hidden),
    )
    sparse = after_first(f, s, 3)
    routed = with_shared(f, "n_routed_experts", "n_shared_experts")
    many = f.whole("hc_mult")
    extras, ends = _streams(s, many, 2 * many + many * many, 3)

    def layer(kind: tuple[str, bool, bool]) -> Layer:
        word, owns, has = kind
        mixer: Block = linear
        if word != LINEAR:
            mixer = full if owns else shared
        more = pooling if word != LINEAR and owns else ()
        return Layer(mixer, routed if has else Dense(width=s.width), extras=extras + more)

    return model(s, zip(words, owners, sparse, strict=True), layer, extras=ends if f.given.get("_head") else ())


# ---------------------------------------------------------------------------------------------------------------------
# Families like no other


def inkling(f: Fields, second: bool = False, loop: bool = False) -> Family:
    """Convolutions on keys, values and after each block; positions as learned functions of distance.

    ``second``: queries of earlier layers' residuals, sinks and gates that are projected; ``loop``: some layers run
    several times, each pass with messages from the one before.
    """
    s = Sizes(
        layers=f.whole("num_hidden_layers", high=10_000),
        hidden=f.whole("hidden_size"),
        vocab=f.whole("vocab_size"),
        tied=f.flag("tie_word_embeddings"),
    )
    if s.tied:
        raise refused("tie_word_embeddings", True, "its head has rows of its own")
    taps, d_rel, extent = f.whole("conv_kernel_size"), f.whole("d_rel"), f.whole("rel_extent")
    window = f.whole("sliding_window_size")
    names = {"hybrid_sliding": "swa_", "hybrid": ""}
    shapes = {
        word: (f.whole(f"{p}num_attention_heads"), f.whole(f"{p}num_key_value_heads"), f.whole(f"{p}head_dim"))
        for word, p in names.items()
    }
    local = f.given.get("local_layer_ids")
    near = set(whole_numbers(f, "local_layer_ids")) if local is not None else None

    def usual(i: int) -> str:
        slides = i in near if near is not None else (i + 1) % 6 != 0
        return "hybrid_sliding" if slides else "hybrid"

    words = kinds(f, s.layers, usual, tuple(names))
    start, end, passes = 0, 0, 1
    if loop:
        start, end = f.whole("loop_layer_index_start", 0), f.whole("loop_layer_index_end", 0)
        passes = f.whole("loop_num_passes", high=1000)
        if not start < end <= s.layers:
            raise refused("loop_layer_index_end", end, f"it must lie above {start} and within the {s.layers} layers")
    width = f.whole("moe_intermediate_size")
    if second:
        routed: Block = experts(f, "n_routed_experts", width)
        sparse = [True] * s.layers
        dense = None
    else:
        if f.given.get("dense_intermediate_size") is not None:
            width, dense_width = f.whole("intermediate_size"), f.extra("dense_intermediate_size")
        else:
            dense_width = f.whole("intermediate_size")
        first = f.extra("dense_mlp_idx", 0, 0)
        listed = kinds(
            f, s.layers, lambda i: "sparse" if i >= first else "dense", ("sparse", "dense"), "mlp_layer_types"
        )
        sparse = [word == "sparse" for word in listed]
        dense = Several((Dense(width=dense_width), Listed(listed=(vector("mlp.global_scale", "mlp", 1),))))
        n_shared = f.whole("n_shared_experts", 0)
        routed = experts(f, "n_routed_experts", width, shared_width=n_shared * width, extra_choices=n_shared)
        routed = Several((routed, Listed(listed=(vector("mlp.gate.global_scale", "router", 1),))))

    def mixer(word: str) -> Listed:
        heads, kv_heads, dim = shapes[word]
        q, k = heads * dim, kv_heads * dim
        slides = word == "hybrid_sliding"
        reach = window if slides else None
        far = window if slides else extent
        found = [
            Weight("self_attn.q_proj", "attention", q, s.hidden),
            Weight("self_attn.k_proj", "attention", k, s.hidden),
            Weight("self_attn.v_proj", "attention", k, s.hidden),
            Weight("self_attn.r_proj", "attention", heads * d_rel, s.hidden),
            Weight("self_attn.o_proj", "attention", s.hidden, q),
            Weight("self_attn.rel_logits_proj", "attention", d_rel, far, 1, heads),
            Weight("attn_sconv.conv1d", "mixers", s.hidden, taps),
            Weight("mlp_sconv.conv1d", "mixers", s.hidden, taps),
        ]
        if not second:
            found += [
                Weight("self_attn.kv_sconv.conv1d", "mixers", k, taps, 2, 2),
                vector("self_attn.qk_norm", "norms", dim, 2, 2),
            ]
        else:
            found += [
                Weight("self_attn.o_proj.gate_proj", "attention", q, s.hidden),
                Weight("self_attn.sink_proj", "attention", heads, s.hidden),
                Weight("self_attn.q_norm", "norms", heads, dim, product=False),
                Weight("self_attn.r_norm", "norms", heads, d_rel, product=False),
            ]
            if slides:
                found.append(Weight("self_attn.kv_sconv.conv1d", "mixers", k, taps, 2, 2))
            else:
                found.append(Weight("self_attn.kv_sconv.static", "mixers", k, taps, 2, 2, product=False))
                found.append(Weight("self_attn.kv_sconv.weight_proj", "mixers", taps * kv_heads, s.hidden, 2, 2))
        flops = 4 * q
        return Listed(
            listed=tuple(found),
            reached=(Reach(reach, 2 * k, 2 * k, flops, flops),),
            kept_wide=taps * (2 * k + 2 * s.hidden),
            heads=heads,
            kv_heads=kv_heads,
        )

    def layer(kind: tuple[str, bool, int, bool, bool]) -> Layer:
        word, has, queries, held, looped = kind
        full = word == "hybrid"
        norms = 4 if second and full else 2
        extras = [vector("residual.query", "mlp", s.hidden, queries, queries)] if second and queries else []
        if looped:
            rank = f.whole("loop_gate_rank")
            extras += [
                Weight("message_gate.down_proj", "mlp", rank, 2 * s.hidden, 4, 4),
                Weight("message_gate.forget_and_message_proj", "mlp", s.hidden, rank, 8, 8),
            ]
        blocks = (mixer(word), routed if has else dense)
        norm = vector("layernorms", "norms", s.hidden, norms, norms)
        more = tuple(extras) if held else tuple([weight._replace(copies=0) for weight in extras])
        return Layer(Several((*blocks, Listed(listed=(norm,))), held=held), None, 0, extras=more)

    def queries(i: int) -> int:
        """One before the MLP, and before attention one, or three where query, key and value are apart."""
        if not second:
            return 0
        return 1 + (0 if i == 0 else 3 if words[i] == "hybrid" else 1)

    def entry(i: int, held: bool = True) -> tuple[str, bool, int, bool, bool]:
        return words[i], sparse[i], queries(i), held, loop and start <= i < end

    order = [entry(i) for i in range(s.layers)]
    if loop:
        order[end:end] = [entry(i, False) for _ in range(passes - 1) for i in range(start, end)]
    rows = f.maybe("unpadded_vocab_size") if second else None
    ends = [vector("model.embed_norm", "norms", s.hidden)]
    if second:
        ends.append(vector("model.final_input.query", "mlp", s.hidden))
    if loop:
        ends.append(vector("model.message_input.query", "mlp", s.hidden, 4 * (end - start), 4 * (end - start)))
    found = model(s, order, layer, extras=tuple(ends))
    if rows and rows != s.vocab:
        found["head_rows"] = rows
    return found


def zaya(f: Fields) -> Family:
    """Keys and queries mixed by convolutions, half of each value one token late; a router that is a small network."""
    s = base(f, None)
    bias = f.flag("attention_bias")
    words = kinds(f, s.layers, lambda _: "hybrid", ("hybrid", "hybrid_sliding"))
    first, second = f.whole("cca_time0"), f.whole("cca_time1")
    inner = f.whole("router_hidden_size")
    if bias:
        raise refused("attention_bias", True, "biases of attention are not counted")
    query, key = s.heads * s.head_dim, s.kv_heads * s.head_dim
    n_experts, per_token = f.whole("num_experts"), f.whole("num_experts_per_tok")
    width, choices = f.whole("moe_intermediate_size"), n_experts + 1
    listed = (
        Weight("self_attn.q_proj", "attention", query, s.hidden),
        Weight("self_attn.k_proj", "attention", key, s.hidden),
        Weight("self_attn.v_proj_current", "attention", key // 2, s.hidden),
        Weight("self_attn.v_proj_delayed", "attention", key - key // 2, s.hidden),
        Weight("self_attn.o_proj", "attention", s.hidden, query),
        Weight("self_attn.conv_qk_depthwise", "mixers", query + key, first),
        Weight("self_attn.conv_qk_grouped", "mixers", query + key, s.head_dim * second),
        vector("self_attn.conv_biases", "mixers", query + key, 2, 2),
        vector("self_attn.qk_norm.temp", "norms", s.kv_heads),
    )
    routed = Experts(width=width, experts=n_experts, per_token=per_token)
    mlp = tuple([w for w in routed.weights(s.hidden) if w.part == "experts"])
    router = (
        Weight("mlp.gate.down_proj", "router", inner, s.hidden),
        vector("mlp.gate.norms", "router", inner, 4, 4),
        Weight("mlp.gate.fc", "router", inner, inner, 2, 2),
        Weight("mlp.gate.out_proj", "router", choices, inner),
    )
    scale = vector("mlp.gate.router_states_scale", "router", inner)
    residual = vector("residual_scales", "norms", s.hidden, 8, 8)
    reach = windows(f, [word == "hybrid_sliding" for word in words])

    def layer(kind: tuple[int | None, bool]) -> Layer:
        flops = 4 * query
        mixer = Listed(
            listed=listed,
            reached=(Reach(kind[0], 2 * key, 2 * key, flops, flops),),
            kept=(query + key) * (first + second - 2) + key - key // 2,
            heads=s.heads,
            kv_heads=s.kv_heads,
        )
        feed = Listed(listed=(*mlp, *router, *(() if kind[1] else (scale,))), heads=n_experts)
        return Layer(mixer, feed, extras=(residual,))

    ends = [vector("model.input_scales", "norms", s.hidden, 2, 2)]
    if f.flag("lm_head_bias"):
        ends.append(vector("lm_head.bias", "biases", s.vocab))
    return model(s, [(reach[i], i == 0) for i in range(s.layers)], layer, extras=tuple(ends))


def inkling2(f: Fields) -> Family:
    """The second generation."""
    return inkling(f, second=True)


def inkling2_loop(f: Fields) -> Family:
    """The second generation, looped."""
    return inkling(f, second=True, loop=True)


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
    "qwen3_next": qwen3_next,
    "qwen3_5_text": qwen3_next,
    "qwen3_5_moe_text": qwen3_next,
    "qwen4_exp_text": qwen4_exp,
    "lara_mini": lara_mini,
    "olmo_hybrid": olmo_hybrid,
    "kimi_linear": kimi_linear,
    "bailing_hybrid": bailing_hybrid,
    "glm5_next_text": glm5_next,
    "inkling_text": inkling,
    "inkling2_text": inkling2,
    "inkling2_loop_text": inkling2_loop,
    "zaya": zaya,
}
"""What turns the fields of each ``model_type`` into those of an architecture."""
