"""Families of linear attention beside full attention, and two like no other."""

from __future__ import annotations

from llm_economics.checkpoints.config import Fields, refused
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
    experts,
    kinds,
    model,
    never_tied,
    sizes,
    whole_numbers,
    windows,
    with_shared,
)
from llm_economics.formulas.blocks import Block, Dense, Experts, Layer, Listed, Reach, Several, Weight, vector
from llm_economics.formulas.records import replace
from llm_economics.formulas.recurrences import DeltaNet, KimiDelta

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
        Weight("self_attn.v_proj_delayed", "attention", key // 2, s.hidden),
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
            kept=(query + key) * (first + second - 2) + key // 2,
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
