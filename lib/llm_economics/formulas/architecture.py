"""Architectures of language models: exact parameters, FLOPs per token, KV-cache bytes.

Everything is a flat sum of named matrix products. Counts of parameters are whole numbers, equal to
those of the published weights; FLOPs count matrix products only (2 per multiply-add), so norms,
activations, softmax and rotary embeddings are left out. Nothing depends on how a model is split over
accelerators. Contexts and batches are plain counts (of tokens, of sequences): a number or an array.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from llm_economics.formulas.elementwise import ParameterError, check_choice, check_range, minimum

CONVENTIONS = ("weights", "causal", "full_context")
"""What a count of FLOPs per token includes; see ``forward_flops_per_token``."""

NORMS: dict[str, int] = {"rms": 1, "layer": 2, "layer_without_bias": 1, "fixed": 0}
"""Parameters per feature of each kind of norm (``fixed``: no learned scale)."""

_QK_NORMS = ("none", "head", "full")
_LATENT_SIZES = ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")


@dataclass(frozen=True, kw_only=True)
class Mamba:
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

    def __post_init__(self) -> None:
        _check_fields(self)

    def matrix_parameters(self, hidden: int) -> int:
        """Projections in, to the step and the states, of the step, out; and the convolution."""
        in_and_out = hidden * 2 * self.width + self.width * hidden
        steps = self.width * (self.dt_rank + 2 * self.state_size) + self.dt_rank * self.width
        return in_and_out + steps + self.width * self.conv_width

    def other_parameters(self, hidden: int) -> int:
        """State matrix, skip and step bias of each channel; norms of the step and of both states; biases."""
        channels = self.width * (self.state_size + 2)
        biases = self.conv_bias * self.width + self.bias * (2 * self.width + hidden)
        return channels + self.dt_rank + 2 * self.state_size + biases

    @property
    def state_values(self) -> int:
        """Values that a sequence keeps: the states, and the inputs that the convolution covers."""
        return self.width * (self.state_size + self.conv_width)


@dataclass(frozen=True, kw_only=True)
class RecurrentUnit:
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
        _check_fields(self)
        if self.width % self.n_blocks:
            raise _not_allowed("width", self.width, f"it must be a multiple of the {self.n_blocks} blocks")

    def matrix_parameters(self, hidden: int) -> int:
        """Two projections in and one out, the two gates, and the convolution."""
        return 3 * hidden * self.width + 2 * self.width * (self.width // self.n_blocks) + self.width * self.conv_width

    def other_parameters(self, hidden: int) -> int:
        """The decay of each channel, and biases of projections, gates and convolution."""
        return self.width + 5 * self.width + hidden

    @property
    def state_values(self) -> int:
        """Values that a sequence keeps: one per channel, and the earlier inputs of the convolution."""
        return self.width * self.conv_width


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The shape of a decoder-only language model; sizes are features, counts are whole numbers.

    Parameters
    ----------
    n_layers, hidden_size, vocab_size
        Blocks, width of the residual stream, rows of the embedding table as stored.
    n_heads, n_kv_heads
        Query heads and key-value heads: equal for multi-head, fewer for grouped-query, 1 for
        multi-query attention. With latent attention ``n_kv_heads`` is not used.
    head_dim
        Features per head. It has no default: None says that it is hidden size ÷ heads, which must
        then be whole. With latent attention it is not used.
    intermediate_size
        Width of a dense MLP.
    tied_embeddings
        Whether the output head is the embedding table. It has no default.
    gated_mlp
        Three matrices (SwiGLU, GeGLU) or two, in dense MLPs and experts alike.
    n_experts, experts_per_token, expert_intermediate_size
        Routed experts in each mixture-of-experts layer, those that one token uses, and the width
        of one (None: ``intermediate_size``). 0 experts is a dense model.
    n_shared_experts, shared_intermediate_size, shared_expert_gate
        Experts that every token uses, their width together (None: their number × the width of a
        routed one), and whether a gate of one column scales them.
    n_dense_layers
        Layers of a mixture-of-experts model that keep a dense MLP, at whatever position.
    router_bias, router_correction_bias, expert_bias, shared_expert_bias
        Biases of the router; one more value per expert for balancing, which ``transformers`` keeps
        as a buffer and does not count; biases inside routed and inside shared experts.
    q_lora_rank, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim
        Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1). Without
        ``q_lora_rank`` queries are projected in one step; ``qkv_bias`` means the two down-projections.
    learned_positions
        Rows of a learned table of positions, as stored (OPT stores two more than its context).
    qkv_bias, output_bias, mlp_bias
        Biases of query, key and value; of the attention output; of dense MLPs.
    attention_sinks
        One learned logit per query head.
    norm, norms_per_layer, final_norm, embedding_norm, qk_norm
        Kind (a key of ``NORMS``), how many per block, one after the last block, one after the
        embedding; ``qk_norm``: "none", over each "head" (shared by heads), or "full" width.
    window, n_window_layers
        Sliding window in tokens, and how many layers have it.
    mixer, n_mixer_layers
        What stands in place of attention, and in how many layers.

    Raises
    ------
    ParameterError
        One line that names the field, its value and what is allowed.
    """

    name: str
    n_layers: int
    hidden_size: int
    n_heads: int
    n_kv_heads: int
    head_dim: int | None
    intermediate_size: int
    vocab_size: int
    tied_embeddings: bool
    gated_mlp: bool = True
    n_experts: int = 0
    experts_per_token: int = 0
    expert_intermediate_size: int | None = None
    n_shared_experts: int = 0
    shared_intermediate_size: int | None = None
    shared_expert_gate: bool = False
    n_dense_layers: int = 0
    router_bias: bool = False
    router_correction_bias: bool = False
    expert_bias: bool = False
    shared_expert_bias: bool = False
    q_lora_rank: int | None = None
    kv_lora_rank: int | None = None
    qk_nope_head_dim: int | None = None
    qk_rope_head_dim: int | None = None
    v_head_dim: int | None = None
    learned_positions: int = 0
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    attention_sinks: bool = False
    norm: str = "rms"
    norms_per_layer: int = 2
    final_norm: bool = True
    embedding_norm: bool = False
    qk_norm: str = "none"
    window: int | None = None
    n_window_layers: int = 0
    mixer: Mamba | RecurrentUnit | None = None
    n_mixer_layers: int = 0

    def __post_init__(self) -> None:
        check_choice("norm", self.norm, NORMS)
        check_choice("qk_norm", self.qk_norm, _QK_NORMS)
        _check_fields(self)
        self._check_heads()
        self._check_experts()
        check_range("n_mixer_layers", self.n_mixer_layers, 0, self.n_layers)
        if (self.mixer is None) != (self.n_mixer_layers == 0):
            raise _not_allowed("n_mixer_layers", self.n_mixer_layers, f"it must go with mixer = {self.mixer}")
        check_range("n_window_layers", self.n_window_layers, 0, self.attention_layers)
        if (self.window is None) != (self.n_window_layers == 0):
            raise _not_allowed("n_window_layers", self.n_window_layers, f"it must go with window = {self.window}")

    def _check_heads(self) -> None:
        given = [name for name in (*_LATENT_SIZES, "q_lora_rank") if getattr(self, name) is not None]
        if given:
            for name in _LATENT_SIZES:
                if getattr(self, name) is None:
                    raise _not_allowed(name, None, f"latent attention needs it beside {given[0]}")
            if self.qk_norm != "none":
                raise _not_allowed("qk_norm", self.qk_norm, "latent attention has norms of its own")
            return
        if self.n_heads % self.n_kv_heads:
            raise _not_allowed("n_kv_heads", self.n_kv_heads, f"it must divide the {self.n_heads} heads")
        if self.head_dim is None:
            if self.hidden_size % self.n_heads:
                need = f"hidden_size = {self.hidden_size} is not a multiple of n_heads = {self.n_heads}, so give it"
                raise _not_allowed("head_dim", None, need)
            object.__setattr__(self, "head_dim", self.hidden_size // self.n_heads)

    def _check_experts(self) -> None:
        if self.n_experts:
            check_range("experts_per_token", self.experts_per_token, 1, self.n_experts)
            check_range("n_dense_layers", self.n_dense_layers, 0, self.n_layers)
            return
        for name in ("experts_per_token", "n_shared_experts", "n_dense_layers"):
            if getattr(self, name) != 0:
                raise _not_allowed(name, getattr(self, name), "it must be 0 where n_experts is 0")

    @property
    def latent(self) -> bool:
        """Whether attention is multi-head latent attention."""
        return self.kv_lora_rank is not None

    @property
    def attention_layers(self) -> int:
        """Layers with attention, and so with a KV cache."""
        return self.n_layers - self.n_mixer_layers

    @property
    def moe_layers(self) -> int:
        """Layers with routed experts."""
        return self.n_layers - self.n_dense_layers if self.n_experts else 0

    @property
    def dense_layers(self) -> int:
        """Layers with a dense MLP."""
        return self.n_layers - self.moe_layers

    @property
    def attention_parameters(self) -> int:
        """Attention matrices of one layer, parameters, without biases."""
        hidden, heads = self.hidden_size, self.n_heads
        if not self.latent:
            query = hidden * heads * self.head_dim
            key = hidden * self.n_kv_heads * self.head_dim
            value = hidden * self.n_kv_heads * self.head_dim
            output = heads * self.head_dim * hidden
            return query + key + value + output
        rank, nope, rope, value_dim = (getattr(self, name) for name in _LATENT_SIZES)
        query_width = heads * (nope + rope)
        query = hidden * query_width
        if self.q_lora_rank is not None:
            query = hidden * self.q_lora_rank + self.q_lora_rank * query_width
        kv_down = hidden * (rank + rope)
        key_up = rank * heads * nope
        value_up = rank * heads * value_dim
        output = heads * value_dim * hidden
        return query + kv_down + key_up + value_up + output

    @property
    def mlp_parameters(self) -> int:
        """Matrices of the dense MLP of one layer, parameters, without biases."""
        return self._mlp(self.intermediate_size)

    @property
    def expert_parameters(self) -> int:
        """One routed expert in one layer with its biases, parameters; 0 for a dense model."""
        return self._expert_matrices + (self._mlp_biases(self._expert_width) if self.expert_bias else 0)

    @property
    def shared_expert_parameters(self) -> int:
        """All shared experts of one layer together with their biases, parameters; their gate counts with the router."""
        return self._shared_matrices + (self._mlp_biases(self._shared_width) if self.shared_expert_bias else 0)

    @property
    def router_parameters(self) -> int:
        """Router of one layer, and the gate of its shared experts, parameters, without biases."""
        return self.hidden_size * (self.n_experts + self.shared_expert_gate)

    @property
    def kv_values_per_layer(self) -> int:
        """Values that one token leaves in the cache of one layer: keys **and** values of the
        key-value heads, or the latent vector with its rotary part."""
        if self.latent:
            return self.kv_lora_rank + self.qk_rope_head_dim
        return 2 * self.n_kv_heads * self.head_dim

    @property
    def _expert_width(self) -> int:
        if not self.n_experts:
            return 0
        return self.intermediate_size if self.expert_intermediate_size is None else self.expert_intermediate_size

    @property
    def mixer_parameters(self) -> int:
        """One mixer that stands in place of attention, parameters; 0 without."""
        if self.mixer is None:
            return 0
        return self.mixer.matrix_parameters(self.hidden_size) + self.mixer.other_parameters(self.hidden_size)

    @property
    def _shared_width(self) -> int:
        width = self.shared_intermediate_size
        return self.n_shared_experts * self._expert_width if width is None else width

    @property
    def _shared_matrices(self) -> int:
        return self._mlp(self._shared_width)

    @property
    def _expert_matrices(self) -> int:
        return self._mlp(self._expert_width)

    def _mlp(self, width: int) -> int:
        return (3 if self.gated_mlp else 2) * self.hidden_size * width

    def _mlp_biases(self, width: int) -> int:
        return (2 if self.gated_mlp else 1) * width + self.hidden_size

    @property
    def _attention_norms(self) -> int:
        if self.latent:
            return self.kv_lora_rank + (self.q_lora_rank or 0)
        heads = {"none": 0, "head": 2, "full": self.n_heads + self.n_kv_heads}
        return heads[self.qk_norm] * self.head_dim

    @property
    def _attention_biases(self) -> int:
        if self.latent:
            qkv = self.kv_lora_rank + self.qk_rope_head_dim + (self.q_lora_rank or 0)
        else:
            qkv = (self.n_heads + 2 * self.n_kv_heads) * self.head_dim
        return self.qkv_bias * qkv + self.output_bias * self.hidden_size + self.attention_sinks * self.n_heads


@dataclass(frozen=True)
class ParameterCount:
    """Parameters of a model by component, all layers together.

    ``head`` is 0 where it is the embedding table. ``experts`` are the routed ones, of which one
    token leaves ``idle_experts`` unused; ``router`` includes gates of shared experts; ``mixers`` stand in
    place of attention, with their own biases and norms; ``biases`` includes attention sinks and the
    router's biases, but not those of experts and norms.
    """

    embedding: int
    positional: int
    attention: int
    mlp: int
    experts: int
    shared_experts: int
    router: int
    norms: int
    head: int
    biases: int
    mixers: int
    idle_experts: int

    @property
    def total(self) -> int:
        """All parameters that the weights hold."""
        layers = self.attention + self.mixers + self.mlp + self.experts + self.shared_experts + self.router
        return self.embedding + self.positional + layers + self.norms + self.head + self.biases

    @property
    def active(self) -> int:
        """Total without the routed experts that a token does not use: embeddings, router and
        shared experts count."""
        return self.total - self.idle_experts


def parameters(arch: Architecture) -> ParameterCount:
    """Parameters of each component, exact."""
    hidden = arch.hidden_size
    table = arch.vocab_size * hidden
    router_biases = arch.n_experts * (arch.router_bias + arch.router_correction_bias)
    whole_norms = arch.n_layers * arch.norms_per_layer + arch.final_norm + arch.embedding_norm
    mlp_biases = arch.mlp_bias * arch._mlp_biases(arch.intermediate_size)
    return ParameterCount(
        embedding=table,
        positional=arch.learned_positions * hidden,
        attention=arch.attention_layers * arch.attention_parameters,
        mlp=arch.dense_layers * arch.mlp_parameters,
        experts=arch.moe_layers * arch.n_experts * arch.expert_parameters,
        shared_experts=arch.moe_layers * arch.shared_expert_parameters,
        router=arch.moe_layers * arch.router_parameters,
        norms=whole_norms * NORMS[arch.norm] * hidden + arch.attention_layers * arch._attention_norms,
        head=0 if arch.tied_embeddings else table,
        biases=arch.attention_layers * arch._attention_biases
        + arch.dense_layers * mlp_biases
        + arch.moe_layers * router_biases,
        mixers=arch.n_mixer_layers * arch.mixer_parameters,
        idle_experts=arch.moe_layers * (arch.n_experts - arch.experts_per_token) * arch.expert_parameters,
    )


def gemm_flops(m, n, k):
    """FLOPs of an m×k by k×n matrix product: 2mnk, a multiplication and an addition each."""
    return 2 * m * n * k


def matmul_parameters(arch: Architecture) -> int:
    """Parameters of the matrices that one token is multiplied with: output head in (tied or not),
    embedding look-up, norms and biases out, and of the routed experts only those it is sent to. Of a
    mixer in place of attention projections, gates and convolution; its scan is elementwise and left out."""
    attention = arch.attention_layers * arch.attention_parameters
    if arch.mixer is not None:
        attention += arch.n_mixer_layers * arch.mixer.matrix_parameters(arch.hidden_size)
    mlp = arch.dense_layers * arch.mlp_parameters
    experts = arch.moe_layers * arch.experts_per_token * arch._expert_matrices
    shared = arch.moe_layers * arch._shared_matrices
    router = arch.moe_layers * arch.router_parameters
    head = arch.hidden_size * arch.vocab_size
    return attention + mlp + experts + shared + router + head


def attention_flops_per_key(arch: Architecture, *, absorbed: bool = False) -> int:
    """FLOPs that one query spends on one key and its value in one layer, all heads.

    With latent attention either the keys and values of each head are decompressed (each token's
    once, which ``matmul_parameters`` counts: prefill and training), or, ``absorbed``, the query is
    projected into the latent space and attends to the cached vectors themselves (decode): more
    FLOPs per key, none to decompress it again. The projections cost the same per query either way.
    ``absorbed`` changes nothing for other attention. Source: DeepSeek-V2, arXiv:2405.04434, section 2.1.2.
    """
    score_dim = value_dim = arch.head_dim
    if arch.latent and absorbed:
        score_dim, value_dim = arch.kv_lora_rank + arch.qk_rope_head_dim, arch.kv_lora_rank
    elif arch.latent:
        score_dim, value_dim = arch.qk_nope_head_dim + arch.qk_rope_head_dim, arch.v_head_dim
    scores = gemm_flops(arch.n_heads, 1, score_dim)
    values = gemm_flops(arch.n_heads, value_dim, 1)
    return scores + values


def forward_flops_per_token(arch: Architecture, context, convention: str = "causal", *, absorbed: bool = False):
    """FLOPs of the forward pass for one token, FLOP.

    Parameters
    ----------
    context
        C, tokens; a number or an array, at least 1. Unused by ``weights``.
    convention
        ``weights``: 2 × the parameters of the matrices touched (Kaplan et al. 2020,
        arXiv:2001.08361, equation 2.2, without its context term, with the output head). ``causal``: plus
        the mean attention over C positions of a prefill, (C+1)/2 keys (half the attention of
        Narayanan et al. 2021, arXiv:2104.04473, which counts masked keys too). ``full_context``: plus
        C keys for this token (Chowdhery et al. 2022, arXiv:2204.02311, appendix B; also a decode step
        whose token is the C-th). Layers with a window attend to no more keys than it holds.
    absorbed
        How latent attention is computed, see ``attention_flops_per_key``.

    Raises
    ------
    ParameterError
        If the convention is unknown or a context is below 1.
    """
    check_choice("convention", convention, CONVENTIONS)
    weights = 2 * matmul_parameters(arch)
    if convention == "weights":
        return weights
    keys = _mean_causal_keys if convention == "causal" else _keys
    check_range("context", context, 1)
    layer_keys = (arch.attention_layers - arch.n_window_layers) * keys(context, None)
    if arch.n_window_layers:
        layer_keys = layer_keys + arch.n_window_layers * keys(context, arch.window)
    return weights + attention_flops_per_key(arch, absorbed=absorbed) * layer_keys


def training_flops_per_token(arch: Architecture, context, convention: str = "causal"):
    """FLOPs to train on one token, FLOP: forward, and twice that for the backward pass.

    Nothing recomputed is counted, so it belongs to MFU, not to HFU (Chowdhery et al. 2022,
    arXiv:2204.02311, appendix B). Latent attention is decompressed.
    """
    return 3 * forward_flops_per_token(arch, context, convention)


def kv_bytes_per_token(arch: Architecture, bytes_per_value=2.0):
    """Bytes by which the KV cache of a sequence grows per token, below any window; BF16 unless said."""
    check_range("bytes_per_value", bytes_per_value, 0, open_low=True)
    return arch.attention_layers * arch.kv_values_per_layer * bytes_per_value


def kv_bytes(arch: Architecture, context, batch=1, bytes_per_value=2.0):
    """Bytes of the KV cache of ``batch`` sequences of ``context`` tokens each, before any sharding.

    A decode step reads them once. Layers with a window keep no more tokens than it holds; the state of
    mixers is :func:`mixer_state_bytes`.

    Raises
    ------
    ParameterError
        If a context or batch is negative, or the bytes per value are not positive.
    """
    check_range("context", context, 0)
    check_range("batch", batch, 0)
    check_range("bytes_per_value", bytes_per_value, 0, open_low=True)
    layer_tokens = (arch.attention_layers - arch.n_window_layers) * _keys(context, None)
    if arch.n_window_layers:
        layer_tokens = layer_tokens + arch.n_window_layers * _keys(context, arch.window)
    return arch.kv_values_per_layer * layer_tokens * batch * bytes_per_value


def mixer_state_bytes(arch: Architecture, bytes_per_value=2.0):
    """Bytes that mixers in place of attention keep of one sequence at any context; BF16 unless said."""
    check_range("bytes_per_value", bytes_per_value, 0, open_low=True)
    return (arch.n_mixer_layers * arch.mixer.state_values if arch.mixer else 0) * bytes_per_value


def state_bytes_per_sequence(arch: Architecture, bytes_per_value=2.0):
    """Bytes of one sequence that stop growing with context: the state of mixers, and the keys and values
    of a full window in the layers that have one; BF16 unless said."""
    window = arch.n_window_layers * arch.kv_values_per_layer * (arch.window or 0) * bytes_per_value
    return mixer_state_bytes(arch, bytes_per_value) + window


def weight_bytes(arch: Architecture, bytes_per_value=2.0, *, other_bytes_per_value=None):
    """Bytes of all weights, before any sharding and without scale factors of quantisation.

    ``other_bytes_per_value`` is for what is commonly left unquantised (embeddings, positions, head,
    router, norms, biases); None: the same as the matrices of attention, mixers, MLPs and experts.
    """
    check_range("bytes_per_value", bytes_per_value, 0, open_low=True)
    count = parameters(arch)
    matrices = count.attention + count.mixers + count.mlp + count.experts + count.shared_experts
    if other_bytes_per_value is None:
        return count.total * bytes_per_value
    check_range("other_bytes_per_value", other_bytes_per_value, 0, open_low=True)
    return matrices * bytes_per_value + (count.total - matrices) * other_bytes_per_value


def streamed_parameters(arch: Architecture, distinct_experts=0, batch=1):
    """Parameters that one decode step reads from memory.

    All but the embedding and position tables, of which only the rows of the ``batch`` tokens are
    read, and of the routed experts as many per layer as the batch touches. The output head is read
    whole, and where it is the embedding table no row is counted beside it.

    Parameters
    ----------
    distinct_experts
        Routed experts that the batch touches in a layer, on average over layers: between experts
        per token and experts, not whole in general; 0 for a dense model. A number or an array.
    batch
        Tokens in the step; a number or an array.

    Raises
    ------
    ParameterError
        If no batch can touch that many or that few experts, or the batch is below 1.
    """
    check_range("distinct_experts", distinct_experts, arch.experts_per_token * (1 - 1e-9), arch.n_experts)
    check_range("batch", batch, 1)
    count = parameters(arch)
    head = arch.vocab_size * arch.hidden_size
    layers = count.attention + count.mixers + count.mlp + count.shared_experts + count.router
    always = layers + count.norms + count.biases + head
    row_width = arch.hidden_size * (int(not arch.tied_embeddings) + int(arch.learned_positions > 0))
    return always + 1.0 * batch * row_width + distinct_experts * (arch.moe_layers * arch.expert_parameters)


def _keys(context, window: int | None):
    """Keys in reach of the last of ``context`` tokens; a float, so that 32-bit arrays cannot overflow."""
    return 1.0 * context if window is None else minimum(1.0 * context, float(window))


def _mean_causal_keys(context, window: int | None):
    """Keys in reach, itself included, on average over positions 1 … ``context``."""
    reach = _keys(context, window)
    return reach - reach * (reach - 1) / (2.0 * context)


_LAYER_NORM = {"norm": "layer"}
_ALL_BIASES = {"qkv_bias": True, "output_bias": True, "mlp_bias": True}
_GPT = {**_LAYER_NORM, **_ALL_BIASES, "gated_mlp": False}
_MPT = {"norm": "layer_without_bias", "gated_mlp": False}
_FAMILIES: dict[str, dict[str, Any]] = {
    "gpt2-style, learned pos emb, biases, LayerNorm": {**_GPT, "learned_positions": 2048},
    "opt (learned pos, biases)": {**_GPT, "learned_positions": 2048 + 2},
    # Equation 2 of arXiv:2104.04473 with sequences of 2,048 leaves the final norm out.
    "megatron gpt": {**_GPT, "learned_positions": 2048, "final_norm": False},
    "bloom (ALiBi, biases, embedding LN, tied)": {**_GPT, "embedding_norm": True},
    "falcon new-arch GQA": {**_LAYER_NORM, "gated_mlp": False},
    "mpt (ALiBi, no bias, tied emb, LayerNorm)": _MPT,
    "mpt": _MPT,
    "llama (RMSNorm, SwiGLU, RoPE, no bias)": {},
    "llama": {},
    "llama GQA": {},
    "qwen2 (QKV bias)": {"qkv_bias": True},
    "qwen3 MoE (QK norm)": {"qk_norm": "head"},
    "gemma (GeGLU, tied emb, head_dim 256 != hidden/heads)": {},
    # Attention and MLP stand side by side behind one norm.
    "MQA, parallel attn+FFN, SwiGLU, tied emb, no bias": {"norm": "layer_without_bias", "norms_per_layer": 1},
    "mixtral MoE": {},
    "dbrx MoE, LayerNorm (no bias), fused QKV clip 8": {"norm": "layer_without_bias"},
    "MoE, 4 RMSNorms/layer, tied in/out embedding, fixed-scale norms": {"norms_per_layer": 4},
    "MLA + MoE": {},
}
"""What the column ``arch`` of ``data/models.csv`` says beyond the numbers of its row."""

# Falcon 180B is tied; its files store the table a second time, which its exact count leaves out.
_TIED = {"True": True, "False": False, "HF: separate lm_head stored": True}


def architecture_from_row(row: Mapping[str, Any]) -> Architecture:
    """The architecture that a row of ``data/models.csv`` describes; values may be text, numbers, None or NaN.

    Raises
    ------
    ParameterError
        If the text of ``arch`` is not in the table of families, a needed number is missing, or the
        architecture is not allowed.
    """
    name = str(row.get("model"))
    family, tied = str(row.get("arch")).strip(), str(row.get("tie_word_embeddings")).strip()
    if family not in _FAMILIES:
        raise _not_allowed(f"{name}: arch", family, "it must be one of the families that architecture.py lists")
    if tied not in _TIED:
        raise _not_allowed(f"{name}: tie_word_embeddings", tied, f"it must be one of {', '.join(_TIED)}")

    def number(column: str) -> int | None:
        value = row.get(column)
        text = "" if value is None else str(value).strip()
        return None if text.lower() in ("", "nan", "none", "<na>") else _whole(f"{name}: {column}", text)

    sizes = ("n_layers", "hidden_size", "n_heads", "head_dim", "intermediate_size", "vocab_size")
    latent = {column: number(column) for column in ("q_lora_rank", *_LATENT_SIZES)}
    needed = {column: number(column) for column in sizes}
    needed["n_kv_heads"] = needed["n_heads"] if latent["kv_lora_rank"] else number("n_kv_heads")
    for column, value in needed.items():
        if value is None:
            raise _not_allowed(f"{name}: {column}", None, "it must be a whole number")
    return Architecture(
        name=name,
        tied_embeddings=_TIED[tied],
        n_experts=number("n_experts") or 0,
        experts_per_token=number("experts_per_token") or 0,
        n_shared_experts=number("n_shared_experts") or 0,
        expert_intermediate_size=number("moe_intermediate_size"),
        n_dense_layers=number("first_k_dense") or 0,
        **needed,
        **latent,
        **_FAMILIES[family],
    )


def _check_fields(record: Any) -> None:
    """Whole numbers and truth values of a dataclass; a size is at least 1, a count whose default is 0 may be 0."""
    for field in fields(record):
        value = getattr(record, field.name)
        if field.type == "bool" and not isinstance(value, bool):
            raise _not_allowed(field.name, value, "it must be True or False")
        if field.type in ("int", "int | None") and not (value is None and field.type != "int"):
            whole = _whole(field.name, value)
            object.__setattr__(record, field.name, check_range(field.name, whole, 0 if field.default == 0 else 1))


def _whole(name: str, value: Any) -> int:
    try:
        exact = isinstance(value, int) or float(value).is_integer()
    except (TypeError, ValueError):
        exact = False
    if not exact:
        raise _not_allowed(name, value, "it must be a whole number")
    return int(value) if isinstance(value, int) else int(float(value))


def _not_allowed(name: str, value: Any, why: str) -> ParameterError:
    return ParameterError(f"{name} = {str(value)[:60]!r} is not allowed: {why}")
