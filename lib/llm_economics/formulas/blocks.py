"""The blocks that language models are made of: what mixes tokens (attention, recurrence) and what stands after it.

Every block answers the same few questions, and whatever is built on blocks asks no others, so a new kind needs no
change anywhere else. A block lists its weights once, as named matrices; every count is a sum over that list. What
depends on the context is a sum of :class:`Reach`. A block knows sizes of its own; the width of the residual stream is
handed to it.

Source of a count is the paper of the block, and the weights of the published models that have it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from llm_economics.formulas.elementwise import ParameterError, check_choice, check_range
from llm_economics.formulas.records import fields, record

NORMS = {"rms": 1, "layer": 2, "layer_without_bias": 1, "fixed": 0}
"""Parameters per feature of each kind of norm (``fixed``: no learned scale)."""


class Weight(NamedTuple):
    """One weight of a block, or several of the same shape.

    Parameters
    ----------
    name
        As files of Hugging Face name it inside a layer, without ".weight"; "*" is an expert's number.
    part
        The component that it counts with, a field of :class:`architecture.ParameterCount`; "experts" are routed.
    rows, columns
        Features out and features in; a vector is one column.
    copies, used
        How many there are (0: those of an earlier layer), and how many of them one token uses.
    product
        Whether a token is multiplied with it as a matrix, 2 FLOP per value.
    """

    name: str
    part: str
    rows: int
    columns: int = 1
    copies: int = 1
    used: int = 1
    product: bool = True

    @property
    def parameters(self) -> int:
        """Values of all copies."""
        return self.rows * self.columns * self.copies

    @property
    def active(self) -> int:
        """Values of the copies that one token uses."""
        return self.rows * self.columns * self.used

    @property
    def idle(self) -> int:
        """Values of the copies that it does not."""
        return self.rows * self.columns * max(self.copies - self.used, 0)


def vector(name: str, part: str, values: int, copies: int = 1, used: int = 1) -> Weight:
    """Norm scales, biases and all else that is applied value by value."""
    return Weight(name, part, values, 1, copies, used, product=False)


class Reach(NamedTuple):
    """What a token costs for each token in reach of it: all earlier ones and itself, or the last ``window``.

    Parameters
    ----------
    window
        Tokens in reach; None: all.
    values
        Cache values that a token adds while the context is within the window.
    read
        Of those, the values that a decode step reads again for each token in reach.
    flops, decode_flops
        FLOP for a token in reach in prefill and training, and in a decode step (they differ for latent attention).
    """

    window: int | None
    values: Any
    read: Any
    flops: Any
    decode_flops: Any


class Block:
    """What a block answers where it has nothing to say; sizes are checked once, when it is made."""

    cache_heads: int | None = None
    """Heads among which tensor parallelism can divide the cache; None: no limit."""

    def __post_init__(self) -> None:
        check_fields(self)

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """All weights, in a residual stream of ``hidden`` features."""
        raise NotImplementedError(f"{self.__class__.__name__} lists no weights")

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """What grows with the context."""
        return ()

    @property
    def state_values(self) -> int:
        """Values that a sequence keeps at any context, at the precision of its cache."""
        return 0

    @property
    def wide_state_values(self) -> int:
        """Values that it keeps in FP32 whatever that precision is, as engines keep recurrent states."""
        return 0

    @property
    def state_flops(self) -> int:
        """FLOP of a token with what a sequence keeps, beside those of the weights."""
        return 0

    @property
    def shares(self) -> dict[str, int]:
        """What tensor parallelism divides, by name: a degree that divides each of them splits the block evenly."""
        return {}


# ---------------------------------------------------------------------------------------------------------------------
# Mixers


@record(kw_only=True)
class GroupedAttention(Block):
    """Multi-head, grouped-query or multi-query attention (Ainslie et al. 2023, arXiv:2305.13245).

    Parameters
    ----------
    heads, kv_heads, head_dim, value_dim
        Query heads, key-value heads (a divisor of those), features of a head, and of its value (None: the same).
    qkv_bias, output_bias, sinks
        Biases of query, key and value; of the output; one learned logit per query head.
    qk_norm
        Norms of queries and keys: "none", over each "head" (shared by heads), the same with a "head_bias", or over the
        "full" width.
    gate
        A gate on the output: "none", a logit for each "head", or one for each "value", which the matrix of the queries
        may give ("query").
    source
        Where keys and values come from: "own" projections; "keys": values are the keys before their norm and position,
        so they have no projection but a cache; "shared": both are an earlier layer's, with neither.
    window
        Tokens in reach; None: all.
    index_heads, index_dim, index_tokens
        An indexer (DeepSeek-V3.2, arXiv:2512.02556, section 2.1): heads that score every key of ``index_dim`` features
        against the query, and how many of the best tokens attention then reads. 0: none.
    """

    heads: int
    kv_heads: int
    head_dim: int
    value_dim: int | None = None
    qkv_bias: bool = False
    output_bias: bool = False
    sinks: bool = False
    qk_norm: str = "none"
    gate: str = "none"
    source: str = "own"
    window: int | None = None
    index_heads: int = 0
    index_dim: int = 0
    index_tokens: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_choice("qk_norm", self.qk_norm, ("none", "head", "head_bias", "full"))
        check_choice("gate", self.gate, ("none", "head", "value", "query"))
        check_choice("source", self.source, ("own", "keys", "shared"))
        if self.heads % self.kv_heads:
            raise not_allowed("kv_heads", self.kv_heads, f"it must divide the {self.heads} heads")
        if self.value_dim is None:
            object.__setattr__(self, "value_dim", self.head_dim)

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Query, key, value and output; gate, indexer, biases, sinks, norms."""
        query, key, value = self.heads * self.head_dim, self.kv_heads * self.head_dim, self.kv_heads * self.value_dim
        if self.gate == "query":
            query *= 2
        projected = [("q_proj", query), ("k_proj", key), ("v_proj", value)]
        projected = projected[: {"own": 3, "keys": 2, "shared": 1}[self.source]]
        found = [Weight(f"self_attn.{name}", "attention", rows, hidden) for name, rows in projected]
        found.append(Weight("self_attn.o_proj", "attention", hidden, self.heads * self.value_dim))
        if self.gate in ("head", "value"):
            width = self.heads * (self.value_dim if self.gate == "value" else 1)
            found.append(Weight("self_attn.gate_proj", "attention", width, hidden))
        if self.qkv_bias:
            found += [vector(f"self_attn.{name}.bias", "biases", rows) for name, rows in projected]
        if self.output_bias:
            found.append(vector("self_attn.o_proj.bias", "biases", hidden))
        if self.sinks:
            found.append(vector("self_attn.sinks", "biases", self.heads))
        if self.qk_norm != "none":
            each = 2 * self.head_dim if self.qk_norm == "head_bias" else self.head_dim
            found.append(vector("self_attn.q_norm", "norms", query if self.qk_norm == "full" else each))
            if self.source != "shared":
                found.append(vector("self_attn.k_norm", "norms", key if self.qk_norm == "full" else each))
        if self.index_heads:
            found += [
                Weight("self_attn.indexer.q_proj", "attention", self.index_heads * self.index_dim, hidden),
                Weight("self_attn.indexer.k_proj", "attention", self.index_dim, hidden),
                vector("self_attn.indexer.norms", "norms", self.index_dim, 2, 2),
            ]
        return tuple(found)

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """Keys and values of the key-value heads; scores and weighted values of all heads."""
        read = self.kv_heads * (self.head_dim + self.value_dim)
        values = 0 if self.source == "shared" else read
        flops = 2 * self.heads * (self.head_dim + self.value_dim)
        if self.index_tokens:
            return indexed(values, read, flops, flops, self.index_heads, self.index_dim, self.index_tokens, False)
        return (Reach(self.window, values, read, flops, flops),)

    @property
    def cache_heads(self) -> int:
        """Heads that keep keys and values."""
        return self.kv_heads

    @property
    def shares(self) -> dict[str, int]:
        """Heads; key-value heads are copied where there are too few."""
        return {"heads": self.heads, "kv_heads": self.kv_heads}


def indexed(
    values, read, flops, decode_flops, heads: int, dim: int, tokens: int, weighed: bool = True
) -> tuple[Reach, ...]:
    """Reaches of attention to the best ``tokens``, scored by ``heads`` with a cached key of ``dim`` features.

    ``weighed``: whether the scores of all heads are added up with weights (a product), or the best head counts.
    """
    keys, scored = (dim, 2 * heads * (dim + weighed)) if heads else (0, 0)
    return (Reach(None, values + keys, keys, scored, scored), Reach(tokens, 0, read, flops, decode_flops))


@record(kw_only=True)
class LatentAttention(Block):
    """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1).

    The cache holds one vector for all heads. In prefill and training the keys and values of each head are decompressed,
    each token's once; in a decode step the query is projected into the latent space instead and attends to the cached
    vectors themselves (``absorbed``, section 2.1.2): more FLOP per key, none to decompress it again. The projections
    cost the same per query either way.

    Parameters
    ----------
    heads, rank, nope, rope, value_dim
        Query heads; features of the cached vector without and with a position; of a head's key without position; of its
        value.
    query_rank
        Features that queries are compressed to; None: projected in one step.
    down_bias, output_bias
        Biases of the two projections down, and of the output.
    gate
        A gate on the output: "none", a logit for each "head", or one for each "value".
    sinks
        One learned logit per query head.
    window
        Tokens in reach; None: all.
    index_heads, index_dim, index_tokens
        An indexer on the compressed queries, as of :class:`GroupedAttention`; ``index_tokens`` without heads: the
        tokens that an earlier layer's indexer chose.
    """

    heads: int
    rank: int
    nope: int
    value_dim: int
    rope: int = 0
    query_rank: int | None = None
    down_bias: bool = False
    output_bias: bool = False
    gate: str = "none"
    sinks: bool = False
    window: int | None = None
    index_heads: int = 0
    index_dim: int = 0
    index_tokens: int = 0
    cache_heads = 1

    def __post_init__(self) -> None:
        check_fields(self)
        check_choice("gate", self.gate, ("none", "head", "value"))

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Query down and up or in one step, key and value down and up, output; norms and biases."""
        query, up = self.heads * (self.nope + self.rope), self.heads * (self.nope + self.value_dim)
        down = self.rank + self.rope
        if self.query_rank is None:
            found = [Weight("self_attn.q_proj", "attention", query, hidden)]
        else:
            found = [
                Weight("self_attn.q_a_proj", "attention", self.query_rank, hidden),
                vector("self_attn.q_a_layernorm", "norms", self.query_rank),
                Weight("self_attn.q_b_proj", "attention", query, self.query_rank),
            ]
            if self.down_bias:
                found.append(vector("self_attn.q_a_proj.bias", "biases", self.query_rank))
        found += [
            Weight("self_attn.kv_a_proj_with_mqa", "attention", down, hidden),
            vector("self_attn.kv_a_layernorm", "norms", self.rank),
            Weight("self_attn.kv_b_proj", "attention", up, self.rank),
            Weight("self_attn.o_proj", "attention", hidden, self.heads * self.value_dim),
        ]
        if self.down_bias:
            found.append(vector("self_attn.kv_a_proj_with_mqa.bias", "biases", down))
        if self.output_bias:
            found.append(vector("self_attn.o_proj.bias", "biases", hidden))
        if self.gate != "none":
            width = self.heads * (self.value_dim if self.gate == "value" else 1)
            found.append(Weight("self_attn.g_proj", "attention", width, hidden))
        if self.sinks:
            found.append(vector("self_attn.sinks", "biases", self.heads))
        if self.index_heads:
            found += [
                Weight(
                    "self_attn.indexer.wq_b", "attention", self.index_heads * self.index_dim, self.query_rank or hidden
                ),
                Weight("self_attn.indexer.wk", "attention", self.index_dim, hidden),
                vector("self_attn.indexer.k_norm", "norms", 2 * self.index_dim),
                Weight("self_attn.indexer.weights_proj", "attention", self.index_heads, hidden),
            ]
        return tuple(found)

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """The latent vector with its rotary part; scores and weighted values of all heads, decompressed or absorbed."""
        values = self.rank + self.rope
        plain = 2 * self.heads * (self.nope + self.rope + self.value_dim)
        absorbed = 2 * self.heads * (self.rank + self.rope + self.rank)
        if self.index_tokens:
            return indexed(values, values, plain, absorbed, self.index_heads, self.index_dim, self.index_tokens)
        return (Reach(self.window, values, values, plain, absorbed),)

    @property
    def shares(self) -> dict[str, int]:
        """Heads."""
        return {"heads": self.heads}


@record(kw_only=True)
class CompressedAttention(Block):
    """Multi-query attention whose keys are their own values, and over compressed ones beyond a window.

    DeepSeek-V4 (technical report of 2026, section 2.3): each layer attends to the last ``window`` tokens, and those of
    ``ratio`` 4 or 128 also to one vector for every ``ratio`` tokens; where the ratio is 4, an indexer picks the best of
    these. Queries and output go through low ranks, the output in groups.

    Parameters
    ----------
    heads, head_dim, query_rank, output_rank, output_groups
        Query heads, features of a head, ranks of queries and of a group of the output.
    window, ratio
        Tokens in reach one by one; tokens in a compressed vector, 0: no such vectors.
    index_heads, index_dim, index_tokens
        Indexer over compressed vectors, and how many of them are read; 0: all are.
    """

    heads: int
    head_dim: int
    query_rank: int
    output_rank: int
    output_groups: int
    window: int
    ratio: int = 0
    index_heads: int = 0
    index_dim: int = 0
    index_tokens: int = 0
    cache_heads = 1

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Queries, the one key and value, output; compressor; indexer with a compressor of its own."""
        query, dim = self.heads * self.head_dim, self.head_dim
        low = self.output_groups * self.output_rank
        found = [
            Weight("self_attn.q_a_proj", "attention", self.query_rank, hidden),
            vector("self_attn.q_a_norm", "norms", self.query_rank),
            Weight("self_attn.q_b_proj", "attention", query, self.query_rank),
            Weight("self_attn.kv_proj", "attention", dim, hidden),
            vector("self_attn.kv_norm", "norms", dim),
            Weight("self_attn.o_a_proj", "attention", low, query // self.output_groups),
            Weight("self_attn.o_b_proj", "attention", hidden, low),
            vector("self_attn.sinks", "biases", self.heads),
        ]
        if self.ratio:
            found += self._compressor("self_attn.compressor", hidden, dim)
        if self.index_heads:
            found += self._compressor("self_attn.indexer.compressor", hidden, self.index_dim)
            index = self.index_heads * self.index_dim
            found.append(Weight("self_attn.indexer.q_b_proj", "attention", index, self.query_rank))
            found.append(Weight("self_attn.indexer.weights_proj", "attention", self.index_heads, hidden))
        return tuple(found)

    def _compressor(self, name: str, hidden: int, dim: int) -> list[Weight]:
        """Values and gates of ``ratio`` tokens, where the ratio is 4 of the four before too; positions; a norm."""
        width = dim * (2 if self.ratio == 4 else 1)
        return [
            Weight(f"{name}.kv_proj", "attention", width, hidden),
            Weight(f"{name}.gate_proj", "attention", width, hidden),
            Weight(f"{name}.position_bias", "attention", width, self.ratio, product=False),
            vector(f"{name}.kv_norm", "norms", dim),
        ]

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """One vector a token within the window, one for ``ratio`` tokens beyond; indexers' keys alike."""
        flops = 4 * self.heads * self.head_dim
        found = (Reach(self.window, self.head_dim, self.head_dim, flops, flops),)
        if not self.ratio:
            return found
        each, flops = self.head_dim / self.ratio, flops / self.ratio
        if not self.index_heads:
            return (*found, Reach(None, each, each, flops, flops))
        keys, scored = self.index_dim / self.ratio, 2 * self.index_heads * (self.index_dim + 1) / self.ratio
        chosen = Reach(self.index_tokens * self.ratio, 0, each, flops, flops)
        return (*found, Reach(None, each + keys, keys, scored, scored), chosen)

    @property
    def shares(self) -> dict[str, int]:
        """Heads and groups of the output."""
        return {"heads": self.heads, "groups": self.output_groups}


@record(kw_only=True)
class Listed(Block):
    """A block of a family that no other shares, told by its lists.

    Parameters
    ----------
    listed, reached
        Its weights and reaches.
    kept, kept_wide, flops
        ``state_values``, ``wide_state_values`` and ``state_flops``.
    heads, kv_heads
        What tensor parallelism divides; None: nothing.
    """

    listed: tuple[Weight, ...]
    reached: tuple[Reach, ...] = ()
    kept: int = 0
    kept_wide: int = 0
    flops: int = 0
    heads: int | None = None
    kv_heads: int | None = None

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """As listed."""
        return self.listed

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """As listed."""
        return self.reached

    @property
    def state_values(self) -> int:
        """As told."""
        return self.kept

    @property
    def wide_state_values(self) -> int:
        """As told."""
        return self.kept_wide

    @property
    def state_flops(self) -> int:
        """As told."""
        return self.flops

    @property
    def cache_heads(self) -> int | None:
        """As told."""
        return self.kv_heads

    @property
    def shares(self) -> dict[str, int]:
        """As told."""
        return {"heads": self.heads} if self.heads else {}


@record
class Several(Block):
    """Blocks side by side or in a row that a layer holds as one; ``held`` False: the weights are an earlier layer's."""

    blocks: tuple[Block, ...]
    held: bool = True

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Those of all; not counted again where they are an earlier layer's."""
        found = [weight for block in self.blocks for weight in block.weights(hidden)]
        return tuple(found) if self.held else tuple([weight._replace(copies=0) for weight in found])

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """Those of all."""
        return tuple([reach for block in self.blocks for reach in block.reaches])

    @property
    def state_values(self) -> int:
        """Those of all."""
        return sum([block.state_values for block in self.blocks])

    @property
    def wide_state_values(self) -> int:
        """Those of all."""
        return sum([block.wide_state_values for block in self.blocks])

    @property
    def state_flops(self) -> int:
        """Those of all."""
        return sum([block.state_flops for block in self.blocks])

    @property
    def cache_heads(self) -> int | None:
        """The fewest."""
        heads = [block.cache_heads for block in self.blocks if block.cache_heads is not None]
        return min(heads) if heads else None

    @property
    def shares(self) -> dict[str, int]:
        """Those of all."""
        return {name: size for block in self.blocks for name, size in block.shares.items()}


# ---------------------------------------------------------------------------------------------------------------------
# Feed-forwards


def mlp(
    hidden: int, width: int, gated: bool, bias: bool, name: str, part: str, bias_part: str = "biases", copies=1, used=1
):
    """Three matrices (SwiGLU, GeGLU; Shazeer 2020, arXiv:2002.05202) or two, with or without biases."""
    found = [Weight(f"{name}.up_proj", part, width, hidden, copies, used)]
    if gated:
        found.insert(0, Weight(f"{name}.gate_proj", part, width, hidden, copies, used))
    found.append(Weight(f"{name}.down_proj", part, hidden, width, copies, used))
    if bias:
        found += [vector(f"{w.name}.bias", bias_part, w.rows, copies, used) for w in found]
    return found


@record(kw_only=True)
class Dense(Block):
    """An MLP of ``width`` features: three matrices where ``gated``, two otherwise; ``bias`` on each."""

    width: int
    gated: bool = True
    bias: bool = False

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Gate, up and down."""
        return tuple(mlp(hidden, self.width, self.gated, self.bias, "mlp", "mlp"))

    @property
    def shares(self) -> dict[str, int]:
        """Its width."""
        return {"width": self.width}


@record(kw_only=True)
class Experts(Block):
    """A mixture of experts (Shazeer et al. 2017, arXiv:1701.06538), with shared experts where ``shared_width``.

    Parameters
    ----------
    width, experts, per_token, gated, bias
        Width of a routed expert, how many there are, how many a token uses; matrices and biases as of :class:`Dense`.
    shared_width, shared_bias, shared_gate
        Width of all shared experts together; their biases; whether a gate of one column scales them.
    router_bias, correction_bias
        Biases of the router; one more value per expert for balancing, where it counts as a parameter.
    latent
        Features that tokens are projected to before the routed experts, and back after them; 0: none.
    extra_choices
        Outputs of the router beside the experts (experts that hand their input on, or nothing).
    """

    width: int
    experts: int
    per_token: int
    gated: bool = True
    bias: bool = False
    shared_width: int = 0
    shared_bias: bool = False
    shared_gate: bool = False
    router_bias: bool = False
    correction_bias: bool = False
    latent: int = 0
    extra_choices: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_range("per_token", self.per_token, 1, self.experts)

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Router, routed experts, shared experts."""
        choices, inner = self.experts + self.extra_choices, self.latent or hidden
        found = [Weight("mlp.gate", "router", choices, hidden)]
        if self.router_bias:
            found.append(vector("mlp.gate.bias", "biases", choices))
        if self.correction_bias:
            found.append(vector("mlp.gate.e_score_correction_bias", "biases", choices))
        if self.latent:
            found.append(Weight("mlp.latent_in_proj", "mlp", self.latent, hidden))
            found.append(Weight("mlp.latent_out_proj", "mlp", hidden, self.latent))
        routed = (self.experts, self.per_token)
        found += mlp(inner, self.width, self.gated, self.bias, "mlp.experts.*", "experts", "experts", *routed)
        if self.shared_width:
            shared = "shared_experts"
            found += mlp(hidden, self.shared_width, self.gated, self.shared_bias, f"mlp.{shared}", shared, shared)
        if self.shared_gate:
            found.append(Weight("mlp.shared_expert_gate", "router", 1, hidden))
        return tuple(found)

    @property
    def shares(self) -> dict[str, int]:
        """Widths of an expert and of the shared ones."""
        return {"expert_width": self.width} | ({"shared_width": self.shared_width} if self.shared_width else {})


# ---------------------------------------------------------------------------------------------------------------------
# Layers


@record
class Layer:
    """A mixer (or none), a feed-forward (or none), and norms.

    Parameters
    ----------
    norms, norm
        How many norms over the residual stream, and their kind, a key of ``NORMS``.
    extras
        Further weights of the layer that belong to neither.
    """

    mixer: Block | None
    feed_forward: Block | None
    norms: int = 2
    norm: str = "rms"
    extras: tuple[Weight, ...] = ()

    def __post_init__(self) -> None:
        check_choice("norm", self.norm, NORMS)
        check_range("norms", self.norms, 0)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Mixer and feed-forward, those that there are."""
        return tuple([block for block in (self.mixer, self.feed_forward) if block is not None])

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Those of the blocks, the norms and the rest."""
        found = [weight for block in self.blocks for weight in block.weights(hidden)]
        if self.norms and NORMS[self.norm]:
            found.append(vector("layernorms", "norms", NORMS[self.norm] * hidden, self.norms, self.norms))
        return tuple(found) + self.extras


# ---------------------------------------------------------------------------------------------------------------------
# Checks


def check_fields(record: Any) -> None:
    """Whole numbers and truth values of a record; a size is at least 1, a count whose default is 0 may be 0."""
    for field in fields(record):
        checked = checked_field(field.name, getattr(record, field.name), field.type, field.default)
        object.__setattr__(record, field.name, checked)


def checked_field(name: str, value: Any, kind: str, default: Any) -> Any:
    """``value`` if it suits a field of this type ("int", "int | None", "bool"; others pass) and default."""
    if kind == "bool" and not isinstance(value, bool):
        raise not_allowed(name, value, "it must be True or False")
    if kind == "int" or (kind == "int | None" and value is not None):
        return check_range(name, whole(name, value), 0 if default == 0 else 1)
    return value


def whole(name: str, value: Any) -> int:
    """``value`` as a whole number, if it is one."""
    try:
        exact = isinstance(value, int) or float(value).is_integer()
    except (TypeError, ValueError):
        exact = False
    if not exact:
        raise not_allowed(name, value, "it must be a whole number")
    return int(value) if isinstance(value, int) else int(float(value))


def not_allowed(name: str, value: Any, why: str) -> ParameterError:
    """The error in one line."""
    return ParameterError(f"{name} = {str(value)[:60]!r} is not allowed: {why}")
