"""What the functions of many families share: sizes, lists of one word a layer, windows, experts, and the usual decoder.

A family is told by what it differs in from the usual one; :func:`decoder` takes these differences. A switch that is a
word names the field of the configuration that decides.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from types import SimpleNamespace
from typing import Any

from llm_economics.checkpoints.config import MOST_LAYERS, Fields, refused
from llm_economics.formulas.architecture import stacked
from llm_economics.formulas.blocks import Block, Dense, Experts, GroupedAttention, Layer, Weight, vector

Family = dict[str, Any]
"""Fields of an architecture, but for its name."""


class Sizes(SimpleNamespace):
    """What every family has: layers, hidden, heads, kv_heads, head_dim, width (of a dense MLP), vocab, tied."""


def sizes(f: Fields, layers="num_hidden_layers", hidden="hidden_size", heads="num_attention_heads") -> Sizes:
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


def divided(s: Sizes, heads: str = "num_attention_heads", strict: bool = True) -> Sizes:
    """Features of a head, where nothing else gives them; rounded down by classes that are not ``strict``."""
    if s.head_dim is None:
        if s.hidden % s.heads and (strict or s.hidden < s.heads):
            raise refused(heads, s.heads, f"it must divide the hidden size of {s.hidden}")
        s.head_dim = s.hidden // s.heads
    return s


def grouped(f: Fields, s: Sizes, kv_heads: str, heads: str = "num_attention_heads") -> Sizes:
    """Grouped-query attention: a key-value head serves as many query heads as any other."""
    s.kv_heads = f.maybe(kv_heads) or s.heads
    if s.heads % s.kv_heads:
        raise refused(kv_heads, s.kv_heads, f"it must divide the {s.heads} of {heads}")
    return s


STRICT = {
    "llama",
    "gemma2",
    "gemma3_text",
    "gpt_neox",
    "exaone",
    "internlm3",
    "iquestcoder",
    "cosmos3_edge_text",
    "cwm",
    "vaultgemma",
    "hyperclovax",
    "hrm_text",
    "muse_spark_text",
    "muse_glimmer_text",
    "arcee",
    "jais2",
    "aria_text",
    "gemma3n_text",
    "deepseek_v2",
    "minicpm3",
    "stablelm",
    "grok-1",
}
"""Model types whose classes refuse heads that do not divide the hidden size."""


def base(f: Fields, width: str | None = "intermediate_size") -> Sizes:
    """The shape of Llama and its descendants."""
    s = sizes(f)
    s.width = f.whole(width) if width else None
    s.head_dim = f.maybe("head_dim") if "head_dim" in f.defaults else f.extra("head_dim")
    s = divided(s, strict=f.model_type in STRICT)
    has_groups = f.classless or "num_key_value_heads" in f.defaults
    return grouped(f, s, "num_key_value_heads") if has_groups else s


def never_tied(f: Fields, s: Sizes) -> None:
    """The class does not tie its tables, whatever the field says."""
    if s.tied:
        f.notes.append("tie_word_embeddings is ignored, as transformers ignores it: its class has a head of its own")
        s.tied = False


def attention(s: Sizes, **switches: Any) -> GroupedAttention:
    """Grouped attention of these sizes."""
    return GroupedAttention(**{"heads": s.heads, "kv_heads": s.kv_heads, "head_dim": s.head_dim} | switches)


def decides(f: Fields, switch: bool | str) -> bool:
    """A switch, or what the field that it names says."""
    return f.flag(switch) if isinstance(switch, str) else switch


BIASES = {"qkv_bias": "attention_bias", "output_bias": "attention_bias"}
"""Switches of :func:`decoder` where one field decides over all biases of attention."""


def both_biases(f: Fields, switch: bool | str = "attention_bias") -> dict[str, bool]:
    """Biases of queries, keys and values, and of the output."""
    return dict.fromkeys(("qkv_bias", "output_bias"), decides(f, switch))


def model(s: Sizes, kinds: Iterable[Hashable], layer: Callable[..., Layer], **ends: Any) -> Family:
    """Layers ``layer(kind)``, one for each of ``kinds``."""
    kinds = list(kinds)
    made = {kind: layer(kind) for kind in dict.fromkeys(kinds)}
    stack = stacked([made[kind] for kind in kinds])
    return {"hidden_size": s.hidden, "vocab_size": s.vocab, "tied_embeddings": s.tied, "stack": stack, **ends}


def uniform(s: Sizes, layer: Layer, **ends: Any) -> Family:
    """Layers that are all alike."""
    return model(s, [None] * s.layers, lambda _: layer, **ends)


# ---------------------------------------------------------------------------------------------------------------------
# One word a layer

FULL, SLIDING, LINEAR = "full_attention", "sliding_attention", "linear_attention"
_LEGACY = {"attention": FULL, "mamba": LINEAR, "recurrent": LINEAR, "chunked_attention": SLIDING}
"""Words that older files have."""


def kinds(
    f: Fields,
    n_layers: int,
    usual: Callable[[int], str],
    allowed: tuple[str, ...],
    name: str = "layer_types",
    *,
    longer: bool = False,
) -> list[str]:
    """The word of each layer: as the file lists them, by default what ``usual`` says of the number of the layer.

    ``longer``: whether more words than layers are cut, as those of layers that predict further tokens.
    """
    accepted = (*allowed, *(old for old, new in _LEGACY.items() if new in allowed))
    words = f.words(name, accepted) if name in f.defaults or f.given.get(name) is not None else None
    if words is None:
        return [usual(i) for i in range(n_layers)]
    if longer and len(words) > n_layers:
        words = words[:n_layers]
    if len(words) != n_layers:
        raise refused(name, f"{len(words)} items", f"it needs one for each of the {n_layers} layers")
    return [word if word in allowed else _LEGACY[word] for word in words]


def every(period: int, offset: int = -1) -> Callable[[int], bool]:
    """Whether a layer is each ``period``-th, of which the first is layer ``offset``; -1: the last of a period."""
    return lambda i: period > 0 and i % period == offset % period


def windows(f: Fields, sliding: Iterable[bool], window: str = "sliding_window") -> list[int | None]:
    """The window of each layer, None where it sees all, which a null window makes of every layer."""
    size = f.maybe(window)
    return [size if slides else None for slides in sliding]


def layer_windows(f: Fields, n_layers: int, sliding: Callable[[int], bool], window="sliding_window"):
    """A window in the layers that ``layer_types`` names, by default in those that ``sliding`` picks."""
    words = kinds(f, n_layers, lambda i: SLIDING if sliding(i) else FULL, (FULL, SLIDING))
    return windows(f, [word == SLIDING for word in words], window)


def switched_windows(f: Fields, n_layers: int, sliding: Callable[[int], bool]) -> list[int | None]:
    """The same where ``use_sliding_window`` is on."""
    return layer_windows(f, n_layers, sliding) if f.flag("use_sliding_window") else [None] * n_layers


def whole_numbers(f: Fields, name: str, usual: tuple[int, ...] = ()) -> list[int]:
    """A list of whole numbers; null is the usual ones."""
    found = f.value(name) if name in f.defaults else f.given.get(name)
    if found is None:
        return list(usual)
    if not isinstance(found, list) or any(isinstance(i, bool) or not isinstance(i, int) for i in found):
        raise refused(name, found, "it must be a list of whole numbers")
    f.used[name] = found
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Experts


def experts(f: Fields, number: str, width: int, per_token="num_experts_per_tok", **switches: Any) -> Experts:
    """Routed experts, as many as the field ``number`` says."""
    n_experts = f.whole(number)
    top_k = f.whole(per_token)
    if top_k > n_experts:
        raise refused(per_token, top_k, f"there are {n_experts} experts")
    return Experts(width=width, experts=n_experts, per_token=top_k, **switches)


def with_shared(f: Fields, number: str, shared: str, width: str = "moe_intermediate_size", **switches: Any) -> Experts:
    """Routed experts, and as many shared ones of their width as the field ``shared`` says (null: none)."""
    each = f.whole(width)
    n_shared = (f.maybe(shared, 0) if shared in f.defaults else f.extra(shared, 0, 0)) or 0
    return experts(f, number, each, shared_width=n_shared * each, **switches)


def by_step(f: Fields, s: Sizes, usual: tuple[int, ...] = ()) -> list[bool]:
    """Experts in every ``decoder_sparse_step``-th layer, but not in ``mlp_only_layers`` (null: the usual ones)."""
    step = f.whole("decoder_sparse_step") if "decoder_sparse_step" in f.defaults else 1
    dense = whole_numbers(f, "mlp_only_layers", usual)
    return [(i + 1) % step == 0 and i not in dense for i in range(s.layers)]


def after_first(f: Fields, s: Sizes, usual: int = 0) -> list[bool]:
    """Experts in the layers that ``mlp_layer_types`` names, by default from ``first_k_dense_replace`` on."""
    name = "first_k_dense_replace"
    listed = f.given.get("mlp_layer_types")
    first = usual
    if listed is None and (name in f.defaults or f.given.get(name) is not None):
        first = f.whole(name, 0) if name in f.defaults else f.extra(name, 0, 0)
    frequency = f.given.get("moe_layer_freq")
    if isinstance(frequency, list) and listed is None:
        if len(frequency) < s.layers or any(flag not in (0, 1) for flag in frequency):
            raise refused("moe_layer_freq", frequency, f"it needs 0 or 1 for each of the {s.layers} layers")
        return [bool(flag) for flag in frequency[: s.layers]]
    if frequency not in (None, 1) and listed is None:
        raise refused("moe_layer_freq", frequency, "transformers puts experts in every layer")
    if "mlp_layer_types" not in f.defaults and listed is None:
        return [i >= first for i in range(s.layers)]
    words = kinds(f, s.layers, lambda i: "sparse" if i >= first else "dense", ("sparse", "dense"), "mlp_layer_types")
    return [word == "sparse" for word in words]


# ---------------------------------------------------------------------------------------------------------------------
# The usual decoder


def decoder(
    f: Fields,
    *,
    width: str | None = "intermediate_size",
    qkv_bias: bool | str = False,
    output_bias: bool | str = False,
    mlp_bias: bool | str = False,
    gated: bool = True,
    qk_norm: str | Callable[[Fields], str] = "none",
    gate: str = "none",
    sinks: bool = False,
    norms: int | Callable[[Fields], int] = 2,
    norm: str = "rms",
    window: Callable[[Fields, Sizes], list[int | None]] | None = None,
    sparse: Callable[[Fields, Sizes], list[bool]] | None = None,
    expert: Callable[[Fields, Sizes], Experts] | None = None,
    extras: Callable[[Fields, Sizes], Iterable[Weight]] | None = None,
    end_extras: Callable[[Fields, Sizes], Iterable[Weight]] | None = None,
    **ends: Any,
) -> Family:
    """Grouped attention and an MLP, or experts where ``sparse`` says so (``expert`` alone: in every layer)."""
    s = base(f, width)
    switches = {
        "qkv_bias": decides(f, qkv_bias),
        "output_bias": decides(f, output_bias),
        "qk_norm": qk_norm(f) if callable(qk_norm) else qk_norm,
        "gate": gate,
        "sinks": sinks,
    }
    n_norms = norms(f) if callable(norms) else norms
    reach = window(f, s) if window else [None] * s.layers
    has_experts = sparse(f, s) if sparse else [expert is not None] * s.layers
    routed = expert(f, s) if expert and any(has_experts) else None
    more = tuple(extras(f, s)) if extras else ()
    dense = None
    if not all(has_experts):
        dense = Dense(width=s.width, gated=gated, bias=decides(f, mlp_bias))

    def layer(kind: tuple[int | None, bool]) -> Layer:
        feed_forward: Block | None = routed if kind[1] else dense
        return Layer(attention(s, window=kind[0], **switches), feed_forward, n_norms, norm, more)

    ends = {"norm": norm, **ends}
    if end_extras:
        ends["extras"] = tuple(end_extras(f, s))
    return model(s, zip(reach, has_experts, strict=True), layer, **ends)


def everywhere(f: Fields, s: Sizes) -> list[int | None]:
    """``sliding_window`` in every layer, unless it is null."""
    return windows(f, [True] * s.layers)


def all_but(period: int, offset: int = -1) -> Callable[[Fields, Sizes], list[int | None]]:
    """A window in all layers but each ``period``-th, or as ``layer_types`` says."""
    full = every(period, offset)
    return lambda f, s: layer_windows(f, s.layers, lambda i: not full(i))


def head_bias(f: Fields, s: Sizes) -> list[Weight]:
    """A bias of the output head."""
    return [vector("lm_head.bias", "biases", s.vocab)]
