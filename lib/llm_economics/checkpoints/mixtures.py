"""Families whose layers are grouped attention and experts, with whatever switches."""

from __future__ import annotations

from functools import partial

from llm_economics.checkpoints.config import Fields, refused
from llm_economics.checkpoints.plain import counted_back, ernie, exaone_windows
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
    by_step,
    decoder,
    everywhere,
    experts,
    kinds,
    layer_windows,
    model,
    switched_windows,
    uniform,
    whole_numbers,
    windows,
    with_shared,
)
from llm_economics.formulas.blocks import Dense, Experts, Layer, Listed, Reach, Several, Weight, vector
from llm_economics.formulas.records import replace

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

    return decoder(f, **BIASES, qk_norm="head", window=reach, sparse=_by_step_if_any, expert=routed)


def gpt_oss(f: Fields) -> Family:
    """Sinks, biases on router and experts, a window in every other layer."""
    return decoder(
        f,
        **BIASES,
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

    return decoder(f, **BIASES, width="intermediate_size_mlp", window=chunks, sparse=sparse, expert=routed)


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
        **BIASES,
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
        window=exaone_windows,
        sparse=after_first,
        expert=lambda f, s: with_shared(f, "num_experts", "num_shared_experts"),
    )


def hy_v3(f: Fields) -> Family:
    """Norms of queries and keys, the first layer dense, shared experts; for none, one as wide as an MLP."""

    def routed(f: Fields, s: Sizes) -> Experts:
        found = with_shared(f, "num_experts", "num_shared_experts", shared_bias=f.flag("mlp_bias"))
        return found if f.value("num_shared_experts") else replace(found, shared_width=f.whole("intermediate_size"))

    return decoder(
        f,
        **BIASES,
        mlp_bias="mlp_bias",
        qk_norm="head",
        sparse=partial(after_first, usual=1),
        expert=routed,
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

    return decoder(f, **BIASES, expert=routed)


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
        **BIASES,
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

    return ernie(f, head=True, sparse=sparse, expert=routed)


def afmoe(f: Fields) -> Family:
    """Four norms, a gate for each value, windows; the balancing bias of the router is a parameter."""
    n_dense = f.whole("num_dense_layers", 0)
    period = f.whole("global_attn_every_n_layers")

    def routed(f: Fields, s: Sizes) -> Experts:
        return with_shared(f, "num_experts", "num_shared_experts", correction_bias=True)

    return decoder(
        f,
        **BIASES,
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
    return decoder(f, **BIASES, sinks=True, qk_norm="head", window=reach, sparse=sparse, expert=routed)


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
    return decoder(f, **BIASES, sinks=swa, window=all_but(4, 0) if swa else None, expert=routed)


def hunyuan_v1_moe(f: Fields) -> Family:
    """Norms of queries and keys; one shared MLP of the full width in every layer."""

    def routed(f: Fields, s: Sizes) -> Experts:
        return experts(f, "num_experts", s.width, "moe_topk", shared_width=s.width)

    return decoder(f, **BIASES, qk_norm="head", expert=routed)


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
    routed = experts(f, "n_routed_experts", width, shared_width=f.whole("share_expert_dim", 0), shared_bias=mlp_bias)

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
    if f.given.pop("head_dim", None) is not None:
        f.notes.append("head_dim is ignored, as transformers ignores it: hidden_size / num_attention_heads")
    return decoder(
        f,
        **BIASES,
        mlp_bias="mlp_bias",
        sparse=partial(after_first, usual=1),
        expert=lambda f, s: with_shared(f, "n_routed_experts", "n_shared_experts", shared_bias=f.flag("mlp_bias")),
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
    reach = counted_back(f, s)
    narrow, width = f.whole("moe_hidden_size"), f.whole("moe_intermediate_size")
    words = kinds(f, s.layers, lambda _: "sparse", ("sparse", "dense"), "mlp_layer_types")
    routed = experts(f, "num_local_experts", width, latent=narrow)
    norms = Listed(listed=(vector("mlp.expert_norms", "norms", narrow, 2, 2),))
    gates = (vector("residual_gates", "norms", s.hidden, 2, 2),)

    def layer(kind: tuple[int | None, str]) -> Layer:
        feed_forward = Several((routed, norms)) if kind[1] == "sparse" else Dense(width=s.width)
        return Layer(attention(s, gate="value", window=kind[0], **biases), feed_forward, 3, extras=gates)

    return model(s, zip(reach, words, strict=True), layer)


FAMILIES = {
    "mixtral": mixtral,
    "qwen2_moe": qwen2_moe,
    "qwen3_moe": qwen3_moe,
    "gpt_oss": gpt_oss,
    "muse_spark_text": muse_spark,
    "minimax_m2": minimax_m2,
    "granitemoe": granitemoe,
    "granitemoeshared": granitemoe,
    "granitemoe_swa": granitemoe,
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
}
