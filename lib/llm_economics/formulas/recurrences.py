"""Mixers that keep a state of fixed size in place of a growing cache: state spaces, linear attention, convolutions.

The products of a token with the state count as ``state_flops``, 2 FLOP per multiply-add, in the form that decodes one
token after another; training and prefill in chunks do somewhat more. Decays and gates, value by value, are left out.
PyTorch's counter sees of it what is computed as a product of matrices: all of Mamba's and of linear attention's, the
read-out alone of Mamba-2's, which updates its states value by value, and nothing of a delta rule's.
Recurrent states are kept in FP32, what a convolution still needs at the precision of the cache.
"""

from __future__ import annotations

from llm_economics.formulas.blocks import Block, Weight, check_fields, not_allowed, vector
from llm_economics.formulas.records import record


@record(kw_only=True)
class Mamba(Block):
    """A selective state space in place of attention (Gu and Dao 2023, arXiv:2312.00752).

    Parameters
    ----------
    width, state_size, conv_width, dt_rank
        Channels, states per channel, taps of the convolution, rank of the time step.
    conv_bias, bias
        Biases of the convolution, and of the projections in and out.
    norms
        Norms of the time step and of both states (Jamba, arXiv:2403.19887).
    heads
        Parts that the projections from channels to steps and states, and back, are divided into (Zamba).
    """

    width: int
    state_size: int
    conv_width: int
    dt_rank: int
    conv_bias: bool = True
    bias: bool = False
    norms: bool = True
    heads: int = 1

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
        ]
        if self.norms:
            found += [
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
        """The inputs that the convolution covers."""
        return self.width * self.conv_width

    @property
    def wide_state_values(self) -> int:
        """The states of each channel."""
        return self.width * self.state_size

    @property
    def state_flops(self) -> int:
        """Every state is read; what goes into it is scaled value by value."""
        return 2 * self.width * self.state_size

    @property
    def shares(self) -> dict[str, int]:
        """Channels."""
        return {"channels": self.width}


@record(kw_only=True)
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
        """The earlier inputs of the convolution."""
        return self.width * (self.conv_width - 1)

    @property
    def wide_state_values(self) -> int:
        """One per channel."""
        return self.width

    @property
    def shares(self) -> dict[str, int]:
        """Blocks of the gates."""
        return {"blocks": self.n_blocks}


@record(kw_only=True)
class Mamba2(Block):
    """A state space with one decay a head (Dao and Gu 2024, arXiv:2405.21060).

    Parameters
    ----------
    heads, head_dim, groups, state_size, conv_width
        Heads and channels of one; groups that share states' inputs and outputs; states per channel; taps.
    conv_bias, bias, output_bias, gated_norm
        Biases of the convolution, of the projections in and out, where they differ of that out; a norm before it.
    """

    heads: int
    head_dim: int
    groups: int
    state_size: int
    conv_width: int
    conv_bias: bool = True
    bias: bool = False
    gated_norm: bool = True
    output_bias: bool | None = None

    @property
    def width(self) -> int:
        """Channels."""
        return self.heads * self.head_dim

    @property
    def convolved(self) -> int:
        """Channels and states that go through the convolution."""
        return self.width + 2 * self.groups * self.state_size

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Projection in to gate, channels, states and steps; convolution; decay, skip and step bias of a head; out."""
        into = self.width + self.convolved + self.heads
        found = [
            Weight("mamba.in_proj", "mixers", into, hidden),
            Weight("mamba.conv1d", "mixers", self.convolved, self.conv_width),
            vector("mamba.A_log", "mixers", self.heads),
            vector("mamba.D", "mixers", self.heads),
            vector("mamba.dt_bias", "mixers", self.heads),
            Weight("mamba.out_proj", "mixers", hidden, self.width),
        ]
        if self.conv_bias:
            found.append(vector("mamba.conv1d.bias", "mixers", self.convolved))
        if self.gated_norm:
            found.append(vector("mamba.norm", "mixers", self.width))
        if self.bias:
            found.append(vector("mamba.in_proj.bias", "mixers", into))
        if self.bias if self.output_bias is None else self.output_bias:
            found.append(vector("mamba.out_proj.bias", "mixers", hidden))
        return tuple(found)

    @property
    def state_values(self) -> int:
        """The inputs that the convolution covers."""
        return self.convolved * self.conv_width

    @property
    def wide_state_values(self) -> int:
        """The states of each channel."""
        return self.width * self.state_size

    @property
    def state_flops(self) -> int:
        """The input goes into every state, and every state is read."""
        return 4 * self.width * self.state_size

    @property
    def shares(self) -> dict[str, int]:
        """Heads."""
        return {"mamba_heads": self.heads}


@record(kw_only=True)
class DeltaNet(Block):
    """Gated delta rule (Yang et al. 2024, arXiv:2412.06464): linear attention that overwrites what it held for a key.

    Parameters
    ----------
    key_heads, value_heads, key_dim, value_dim, conv_width
        Heads of queries and keys, heads of values, features of each, taps of the convolution over all of them.
    projections
        How its matrices are cut: "joined" in two, "split" in four, "apart" in six.
    """

    key_heads: int
    value_heads: int
    key_dim: int
    value_dim: int
    conv_width: int
    projections: str = "split"

    @property
    def convolved(self) -> int:
        """Queries, keys and values."""
        return 2 * self.key_heads * self.key_dim + self.value_heads * self.value_dim

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Queries, keys, values; output gate; strength and decay of a head; convolution; norm; out."""
        value = self.value_heads * self.value_dim
        return (
            *[Weight(f"linear_attn.{name}", "mixers", rows, hidden) for name, rows in self._projections()],
            Weight("linear_attn.conv1d", "mixers", self.convolved, self.conv_width),
            vector("linear_attn.A_log", "mixers", self.value_heads),
            vector("linear_attn.dt_bias", "mixers", self.value_heads),
            vector("linear_attn.norm", "mixers", self.value_dim),
            Weight("linear_attn.out_proj", "mixers", hidden, value),
        )

    def _projections(self) -> list[tuple[str, int]]:
        key, value, heads = self.key_heads * self.key_dim, self.value_heads * self.value_dim, self.value_heads
        if self.projections == "joined":
            return [("in_proj_qkvz", self.convolved + value), ("in_proj_ba", 2 * heads)]
        if self.projections == "apart":
            names = ("q_proj", "k_proj", "v_proj", "g_proj", "a_proj", "b_proj")
            return list(zip(names, (key, key, value, value, heads, heads), strict=True))
        return [("in_proj_qkv", self.convolved), ("in_proj_z", value), ("in_proj_b", heads), ("in_proj_a", heads)]

    @property
    def state_values(self) -> int:
        """The inputs that the convolution covers."""
        return self.convolved * self.conv_width

    @property
    def wide_state_values(self) -> int:
        """A matrix of keys by values for each value head."""
        return self.value_heads * self.key_dim * self.value_dim

    @property
    def state_flops(self) -> int:
        """What the state holds for the key, its correction, and the read-out for the query (equation 10)."""
        return 6 * self.wide_state_values

    @property
    def shares(self) -> dict[str, int]:
        """Heads."""
        return {"linear_heads": self.key_heads}


@record(kw_only=True)
class KimiDelta(Block):
    """Kimi delta attention (arXiv:2510.26692): the gated delta rule with a decay of its own for each feature of a key.

    Parameters
    ----------
    heads, head_dim, conv_width
        Heads, features of one, taps of each of the three convolutions.
    full_rank
        Whether decay and output gate are projected in one step, and not through the features of one head.
    """

    heads: int
    head_dim: int
    conv_width: int
    full_rank: bool = False

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Queries, keys, values and output; convolutions; decay, strength and gate; norm."""
        width = self.heads * self.head_dim
        found = [Weight(f"self_attn.{name}_proj", "mixers", width, hidden) for name in "qkv"]
        found += [Weight(f"self_attn.{name}_conv1d", "mixers", width, self.conv_width) for name in "qkv"]
        for name in ("f", "g"):
            if self.full_rank:
                found.append(Weight(f"self_attn.{name}_proj", "mixers", width, hidden))
            else:
                found.append(Weight(f"self_attn.{name}_a_proj", "mixers", self.head_dim, hidden))
                found.append(Weight(f"self_attn.{name}_b_proj", "mixers", width, self.head_dim))
        return (
            *found,
            vector("self_attn.dt_bias", "mixers", width),
            vector("self_attn.A_log", "mixers", self.heads),
            Weight("self_attn.b_proj", "mixers", self.heads, hidden),
            vector("self_attn.o_norm", "mixers", self.head_dim),
            Weight("self_attn.o_proj", "mixers", hidden, width),
        )

    @property
    def state_values(self) -> int:
        """The inputs that the convolutions cover."""
        return 3 * self.heads * self.head_dim * self.conv_width

    @property
    def wide_state_values(self) -> int:
        """A square matrix for each head."""
        return self.heads * self.head_dim**2

    @property
    def state_flops(self) -> int:
        """What the state holds for the key, its correction, and the read-out for the query."""
        return 6 * self.wide_state_values

    @property
    def shares(self) -> dict[str, int]:
        """Heads."""
        return {"linear_heads": self.heads}


@record(kw_only=True)
class LightningAttention(Block):
    """Linear attention with a fixed decay a head (MiniMax-01, arXiv:2501.08313, section 2.2); its state is BF16."""

    heads: int
    head_dim: int

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Queries, keys and values; output and its gate; norm."""
        width = self.heads * self.head_dim
        return (
            Weight("self_attn.qkv_proj", "mixers", 3 * width, hidden),
            Weight("self_attn.output_gate", "mixers", width, hidden),
            Weight("self_attn.out_proj", "mixers", hidden, width),
            vector("self_attn.norm", "mixers", width),
        )

    @property
    def state_values(self) -> int:
        """A square matrix for each head."""
        return self.heads * self.head_dim**2

    @property
    def state_flops(self) -> int:
        """A key and its value go in, a query reads."""
        return 4 * self.state_values

    @property
    def shares(self) -> dict[str, int]:
        """Heads."""
        return {"heads": self.heads}


@record(kw_only=True)
class ShortConvolution(Block):
    """A gated convolution over the last ``taps`` tokens (LFM2, arXiv:2511.23404); ``bias`` on all its parts."""

    taps: int
    width: int
    bias: bool = False

    def weights(self, hidden: int) -> tuple[Weight, ...]:
        """Projection in to two gates and the input, convolution, projection out."""
        found = [
            Weight("conv.in_proj", "mixers", 3 * self.width, hidden),
            Weight("conv.conv", "mixers", self.width, self.taps),
            Weight("conv.out_proj", "mixers", hidden, self.width),
        ]
        if self.bias:
            found += [vector(f"{weight.name}.bias", "mixers", weight.rows) for weight in found]
        return tuple(found)

    @property
    def state_values(self) -> int:
        """The inputs that the convolution covers."""
        return self.width * self.taps

    @property
    def shares(self) -> dict[str, int]:
        """Channels."""
        return {"channels": self.width}
