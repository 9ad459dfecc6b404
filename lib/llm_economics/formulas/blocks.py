"""The blocks that language models are made of: what mixes tokens (attention, recurrence) and what stands after it.

Every block answers the same few questions, and whatever is built on blocks asks no others, so a new kind needs no
change anywhere else. A block lists its weights once, as named matrices; every count is a sum over that list. What
depends on the context is a sum of :class:`Reach`. A block knows sizes of its own; the width of the residual stream is
handed to it.

Source of a count is the paper of the block, and the weights of the published models that have it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from llm_economics.formulas.elementwise import ParameterError, check_choice, check_range

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
        How many there are, and how many of them one token uses.
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
        raise NotImplementedError

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """What grows with the context."""
        return ()

    @property
    def state_values(self) -> int:
        """Values that a sequence keeps at any context."""
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


@dataclass(frozen=True, kw_only=True)
class GroupedAttention(Block):
    """Multi-head, grouped-query or multi-query attention (Ainslie et al. 2023, arXiv:2305.13245).

    Parameters
    ----------
    heads, kv_heads, head_dim
        Query heads, key-value heads (a divisor of those), features of a head.
    qkv_bias, output_bias, sinks
        Biases of query, key and value; of the output; one learned logit per query head.
    qk_norm
        Norms of queries and keys: "none", over each "head" (shared by heads), or over the "full" width.
    window
        Tokens in reach; None: all.
    """

    heads: int
    kv_heads: int
    head_dim: int
    qkv_bias: bool = False
    output_bias: bool = False
    sinks: bool = False
    qk_norm: str = "none"
    window: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        check_choice("qk_norm", self.qk_norm, ("none", "head", "full"))
        if self.heads % self.kv_heads:
            raise not_allowed("kv_heads", self.kv_heads, f"it must divide the {self.heads} heads")

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Query, key, value and output; biases, sinks, norms."""
        query, key = self.heads * self.head_dim, self.kv_heads * self.head_dim
        found = [
            Weight("self_attn.q_proj", "attention", query, hidden),
            Weight("self_attn.k_proj", "attention", key, hidden),
            Weight("self_attn.v_proj", "attention", key, hidden),
            Weight("self_attn.o_proj", "attention", hidden, query),
        ]
        if self.qkv_bias:
            found += [
                vector("self_attn.q_proj.bias", "biases", query),
                vector("self_attn.k_proj.bias", "biases", key),
                vector("self_attn.v_proj.bias", "biases", key),
            ]
        if self.output_bias:
            found.append(vector("self_attn.o_proj.bias", "biases", hidden))
        if self.sinks:
            found.append(vector("self_attn.sinks", "biases", self.heads))
        if self.qk_norm != "none":
            full = self.qk_norm == "full"
            found.append(vector("self_attn.q_norm", "norms", query if full else self.head_dim))
            found.append(vector("self_attn.k_norm", "norms", key if full else self.head_dim))
        return tuple(found)

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """Keys and values of the key-value heads; scores and weighted values of all heads."""
        values = 2 * self.kv_heads * self.head_dim
        flops = 4 * self.heads * self.head_dim
        return (Reach(self.window, values, values, flops, flops),)

    @property
    def cache_heads(self) -> int:
        """Heads that keep keys and values."""
        return self.kv_heads

    @property
    def shares(self) -> dict[str, int]:
        """Heads; key-value heads are copied where there are too few."""
        return {"heads": self.heads}


@dataclass(frozen=True, kw_only=True)
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
    window
        Tokens in reach; None: all.
    """

    heads: int
    rank: int
    nope: int
    rope: int
    value_dim: int
    query_rank: int | None = None
    down_bias: bool = False
    output_bias: bool = False
    window: int | None = None
    cache_heads = 1

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
        return tuple(found)

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """The latent vector with its rotary part; scores and weighted values of all heads, decompressed or absorbed."""
        values = self.rank + self.rope
        plain = 2 * self.heads * (self.nope + self.rope + self.value_dim)
        absorbed = 2 * self.heads * (self.rank + self.rope + self.rank)
        return (Reach(self.window, values, values, plain, absorbed),)

    @property
    def shares(self) -> dict[str, int]:
        """Heads."""
        return {"heads": self.heads}


@dataclass(frozen=True, kw_only=True)
class Mamba(Block):
    """A selective state space in place of attention (Gu and Dao 2023, arXiv:2312.00752), with Jamba's norms.

    Parameters
    ----------
    width, state_size, conv_width, dt_rank
        Channels, states per channel, taps of the convolution, rank of the time step.
    conv_bias, bias
        Biases of the convolution, and of the projections in and out.
    """

    width: int
    state_size: int
    conv_width: int
    dt_rank: int
    conv_bias: bool = True
    bias: bool = False

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Projections in, to the step and the states, of the step, out; convolution; states, norms and biases."""
        width, states = self.width, self.state_size
        found = [
            Weight("mamba.in_proj", "mixers", 2 * width, hidden),
            Weight("mamba.conv1d", "mixers", width, self.conv_width),
            Weight("mamba.x_proj", "mixers", self.dt_rank + 2 * states, width),
            Weight("mamba.dt_proj", "mixers", width, self.dt_rank),
            Weight("mamba.out_proj", "mixers", hidden, width),
            Weight("mamba.A_log", "mixers", width, states, product=False),
            vector("mamba.D", "mixers", width),
            vector("mamba.dt_proj.bias", "mixers", width),
            vector("mamba.dt_layernorm", "mixers", self.dt_rank),
            vector("mamba.b_layernorm", "mixers", states),
            vector("mamba.c_layernorm", "mixers", states),
        ]
        if self.conv_bias:
            found.append(vector("mamba.conv1d.bias", "mixers", width))
        if self.bias:
            found.append(vector("mamba.in_proj.bias", "mixers", 2 * width))
            found.append(vector("mamba.out_proj.bias", "mixers", hidden))
        return tuple(found)

    @property
    def state_values(self) -> int:
        """The states, and the inputs that the convolution covers."""
        return self.width * (self.state_size + self.conv_width)

    @property
    def shares(self) -> dict[str, int]:
        """Channels."""
        return {"channels": self.width}


@dataclass(frozen=True, kw_only=True)
class RecurrentUnit(Block):
    """A real-gated linear recurrent unit in place of attention (De et al. 2024, arXiv:2402.19427).

    Parameters
    ----------
    width, n_blocks, conv_width
        Channels, blocks on the diagonal of the gates' matrices, taps of the convolution.
    """

    width: int
    n_blocks: int
    conv_width: int

    def __post_init__(self) -> None:
        check_fields(self)
        if self.width % self.n_blocks:
            raise not_allowed("width", self.width, f"it must be a multiple of the {self.n_blocks} blocks")

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Two projections in and one out, the two gates, the convolution; the decay of each channel; biases."""
        width, gate = self.width, self.width // self.n_blocks
        return (
            Weight("temporal_block.linear_x", "mixers", width, hidden),
            Weight("temporal_block.linear_y", "mixers", width, hidden),
            Weight("temporal_block.linear_out", "mixers", hidden, width),
            Weight("temporal_block.rg_lru.input_gate", "mixers", gate, gate, self.n_blocks, self.n_blocks),
            Weight("temporal_block.rg_lru.recurrent_gate", "mixers", gate, gate, self.n_blocks, self.n_blocks),
            Weight("temporal_block.conv_1d", "mixers", width, self.conv_width),
            vector("temporal_block.rg_lru.recurrent_param", "mixers", width),
            vector("temporal_block.biases", "mixers", width, 5, 5),
            vector("temporal_block.linear_out.bias", "mixers", hidden),
        )

    @property
    def state_values(self) -> int:
        """One per channel, and the earlier inputs of the convolution."""
        return self.width * self.conv_width

    @property
    def shares(self) -> dict[str, int]:
        """Blocks of the gates."""
        return {"blocks": self.n_blocks}


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


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
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

    def __post_init__(self) -> None:
        check_fields(self)
        check_range("per_token", self.per_token, 1, self.experts)

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Router, routed experts, shared experts."""
        found = [Weight("mlp.gate", "router", self.experts, hidden)]
        if self.router_bias:
            found.append(vector("mlp.gate.bias", "biases", self.experts))
        if self.correction_bias:
            found.append(vector("mlp.gate.e_score_correction_bias", "biases", self.experts))
        routed = (self.experts, self.per_token)
        found += mlp(hidden, self.width, self.gated, self.bias, "mlp.experts.*", "experts", "experts", *routed)
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


@dataclass(frozen=True)
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
