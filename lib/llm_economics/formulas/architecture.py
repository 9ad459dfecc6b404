"""Architectures of language models: an embedding, a stack of layers and a head, and what follows from them.

Everything is a sum over the weights and reaches that the blocks of the stack list (``blocks``). Counts of parameters
are whole numbers, equal to those of the published weights; FLOPs count matrix products only (2 per multiply-add), so
norms, activations, softmax and rotary embeddings are left out. Nothing depends on how a model is split over
accelerators. Contexts and batches are plain counts (of tokens, of sequences): a number or an array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from llm_economics.formulas.blocks import (
    NORMS,
    Block,
    Dense,
    Experts,
    GroupedAttention,
    LatentAttention,
    Layer,
    Reach,
    Weight,
    check_fields,
    checked_field,
    not_allowed,
    vector,
    whole,
)
from llm_economics.formulas.elementwise import check_choice, check_range, minimum
from llm_economics.formulas.records import record, replace

CONVENTIONS = ("weights", "causal", "full_context")
"""What a count of FLOPs per token includes; see ``forward_flops_per_token``."""


@record(kw_only=True)
class Architecture:
    """A decoder-only language model.

    Parameters
    ----------
    hidden_size, vocab_size
        Width of the residual stream; rows of the embedding table as stored.
    tied_embeddings
        Whether the output head is the embedding table. It has no default.
    stack
        Pairs of a count and a :class:`blocks.Layer`, first layer first.
    norm, final_norm, embedding_norm
        Kind of the norms outside layers (a key of ``blocks.NORMS``), one after the last layer, one after the embedding.
    learned_positions
        Rows of a learned table of positions, as stored (OPT stores two more than its context).
    head_rows
        Rows of the output head where it has fewer than the table; 0: as many.
    extras
        Further weights outside layers, each once.

    Raises
    ------
    ParameterError
        One line that names the field, its value and what is allowed.
    """

    name: str
    hidden_size: int
    vocab_size: int
    tied_embeddings: bool
    stack: tuple[tuple[int, Layer], ...]
    norm: str = "rms"
    final_norm: bool = True
    embedding_norm: bool = False
    learned_positions: int = 0
    head_rows: int = 0
    extras: tuple[Weight, ...] = ()

    def __post_init__(self) -> None:
        check_choice("norm", self.norm, NORMS)
        check_fields(self)
        for count, _ in self.stack:
            check_range("stack", count, 1)
        if not self.stack:
            raise not_allowed("stack", self.stack, "it must have a layer")

    @cached_property
    def kinds(self) -> tuple[tuple[int, Layer], ...]:
        """Every kind of layer with its number, in the order in which they first appear."""
        found: dict[Layer, int] = {}
        for count, layer in self.stack:
            found[layer] = found.get(layer, 0) + count
        return tuple([(count, layer) for layer, count in found.items()])

    @cached_property
    def ends(self) -> tuple[Weight, ...]:
        """Weights outside layers: tables, norms, output head (tied: the table, with which a token is multiplied)."""
        hidden, norm = self.hidden_size, NORMS[self.norm] * self.hidden_size
        tied = self.tied_embeddings
        found = [Weight("model.embed_tokens", "embedding", self.vocab_size, hidden, product=tied)]
        if not tied:
            found.append(Weight("lm_head", "head", self.head_rows or self.vocab_size, hidden))
        if self.learned_positions:
            found.append(Weight("model.embed_positions", "positional", self.learned_positions, hidden, product=False))
        if self.embedding_norm:
            found.append(vector("model.embed_layernorm", "norms", norm))
        if self.final_norm:
            found.append(vector("model.norm", "norms", norm))
        return (*found, *self.extras)

    @cached_property
    def listed(self) -> tuple[tuple[int, Layer, tuple[Weight, ...]], ...]:
        """Every kind of layer with its number and its weights."""
        return tuple([(count, layer, layer.weights(self.hidden_size)) for count, layer in self.kinds])

    @cached_property
    def weights(self) -> tuple[tuple[int, Weight], ...]:
        """All weights, each with how many layers have it; those outside layers once."""
        inside = [(count, weight) for count, _, weights in self.listed for weight in weights]
        return tuple(inside + [(1, weight) for weight in self.ends])

    @cached_property
    def mixers(self) -> tuple[tuple[int, Block], ...]:
        """Every kind of mixer with the number of layers that have it."""
        return tuple([(count, layer.mixer) for count, layer in self.kinds if layer.mixer is not None])

    @cached_property
    def reaches(self) -> tuple[Reach, ...]:
        """What grows with the context, one for each window (None first), summed over layers."""
        found: dict[int | None, list[Any]] = {}
        for count, block in self.mixers:
            for window, *costs in block.reaches:
                sums = found.get(window, [0] * len(costs))
                found[window] = [total + count * cost for total, cost in zip(sums, costs, strict=True)]
        return tuple([Reach(window, *found[window]) for window in sorted(found, key=lambda w: -1 if w is None else w)])

    @property
    def n_layers(self) -> int:
        """Layers."""
        return sum([count for count, _ in self.stack])

    @property
    def attention_layers(self) -> int:
        """Layers that keep a cache."""
        return sum([count for count, block in self.mixers if block.reaches])

    @property
    def moe_layers(self) -> int:
        """Layers with routed experts."""
        return sum([count for count, _, weights in self.listed if any(weight.part == "experts" for weight in weights)])

    @cached_property
    def routed(self) -> tuple[int, int, int]:
        """Routed experts of a layer, those that a token uses, and the parameters of one expert summed over layers.

        Zeros for a dense model. Where layers differ, of the kind of expert that has most parameters in all.
        """
        one: dict[tuple[int, int], int] = {}
        for count, weight in self.weights:
            if weight.part == "experts":
                key = (weight.copies, weight.used)
                one[key] = one.get(key, 0) + count * weight.rows * weight.columns
        if not one:
            return 0, 0, 0
        key = max(one, key=lambda key: key[0] * one[key])
        return *key, one[key]

    @property
    def n_experts(self) -> int:
        """Routed experts of a layer; 0 for a dense model."""
        return self.routed[0]

    @property
    def experts_per_token(self) -> int:
        """Routed experts that a token uses in a layer."""
        return self.routed[1]

    @property
    def expert_parameters(self) -> int:
        """One routed expert with its biases, summed over layers, parameters; 0 for a dense model."""
        return self.routed[2]

    @property
    def attention(self) -> Block:
        """The mixer of the first layer that keeps a cache.

        Raises
        ------
        ParameterError
            If no layer does.
        """
        for _, block in self.mixers:
            if block.reaches:
                return block
        raise not_allowed("stack", self.name, "no layer of it keeps a cache")

    @property
    def attention_parameters(self) -> int:
        """Matrices of the first layer that keeps a cache, parameters, without biases."""
        return sum([weight.parameters for weight in self.attention.weights(self.hidden_size) if weight.product])

    @property
    def router_parameters(self) -> int:
        """Router of a layer with experts, and the gate of its shared ones, parameters, without biases."""
        return max([sum([w.parameters for w in weights if w.part == "router"]) for _, _, weights in self.listed])

    @property
    def kv_values_per_layer(self) -> int:
        """Values that one token leaves in the cache of the first layer that keeps one."""
        return sum([reach.values for reach in self.attention.reaches])

    @property
    def latent(self) -> bool:
        """Whether the cache of that layer is a latent vector for all heads."""
        return hasattr(self.attention, "rank")

    def __getattr__(self, name: str) -> Any:
        """Sizes of the first blocks that have them, under the names that tables give them: ``TABLE_NAMES``."""
        if name in TABLE_NAMES:
            for _, layer in self.stack:
                for block in layer.blocks:
                    if hasattr(block, TABLE_NAMES[name]):
                        return getattr(block, TABLE_NAMES[name])
        raise AttributeError(f"{self.__class__.__name__} has no {name}")

    @property
    def cache_heads(self) -> int | None:
        """Heads among which tensor parallelism can divide the cache, in the layer with fewest; None: no limit."""
        heads = [block.cache_heads for _, block in self.mixers if block.cache_heads is not None]
        return min(heads) if heads else None

    @property
    def shares(self) -> dict[str, tuple[int, ...]]:
        """What tensor parallelism divides, by name: every number that a degree has to divide."""
        found: dict[str, dict[int, None]] = {"vocabulary": {self.vocab_size: None}}
        for _, layer in self.kinds:
            for block in layer.blocks:
                for name, number in block.shares.items():
                    found.setdefault(name, {})[number] = None
        return {name: tuple(numbers) for name, numbers in found.items()}

    def mapped(self, change: Callable[[Layer], Layer]) -> Architecture:
        """The same with every layer changed."""
        return replace(self, stack=tuple([(count, change(layer)) for count, layer in self.stack]))


TABLE_NAMES = {
    "n_heads": "heads",
    "n_kv_heads": "kv_heads",
    "head_dim": "head_dim",
    "q_lora_rank": "query_rank",
    "kv_lora_rank": "rank",
    "qk_nope_head_dim": "nope",
    "qk_rope_head_dim": "rope",
    "v_head_dim": "value_dim",
    "intermediate_size": "width",
}
"""What a table of plain models calls the sizes of blocks."""


def stacked(layers: Iterable[Layer]) -> tuple[tuple[int, Layer], ...]:
    """Layers one by one as a stack: neighbours that are alike become one entry."""
    runs: list[list[Any]] = []
    for layer in layers:
        if runs and (runs[-1][1] is layer or runs[-1][1] == layer):
            runs[-1][0] += 1
        else:
            runs.append([1, layer])
    return tuple([(count, layer) for count, layer in runs])


class ParameterCount(NamedTuple):
    """Parameters of a model by component, all layers together.

    ``head`` is 0 where it is the embedding table. ``experts`` are the routed ones, of which one
    token leaves ``idle_experts`` unused; ``router`` includes gates of shared experts; ``mixers`` stand in
    place of attention, with their own biases and norms; ``biases`` includes attention sinks and the
    router's biases, but not those of experts and norms.
    """

    embedding: int = 0
    positional: int = 0
    attention: int = 0
    mlp: int = 0
    experts: int = 0
    shared_experts: int = 0
    router: int = 0
    norms: int = 0
    head: int = 0
    biases: int = 0
    mixers: int = 0
    idle_experts: int = 0

    @property
    def total(self) -> int:
        """All parameters that the weights hold."""
        return sum(self) - self.idle_experts

    @property
    def active(self) -> int:
        """Total without the routed experts that a token does not use: embeddings, router and
        shared experts count."""
        return self.total - self.idle_experts


def parameters(arch: Architecture) -> ParameterCount:
    """Parameters of each component, exact."""
    parts = dict.fromkeys(ParameterCount._fields, 0)
    for count, weight in arch.weights:
        parts[weight.part] += count * weight.parameters
        parts["idle_experts"] += count * weight.idle
    return ParameterCount(**parts)


def gemm_flops(m, n, k):
    """FLOPs of an m×k by k×n matrix product: 2mnk, a multiplication and an addition each."""
    return 2 * m * n * k


def matmul_parameters(arch: Architecture) -> int:
    """Parameters of the matrices that one token is multiplied with: output head in (tied or not),
    embedding look-up, norms and biases out, and of the routed experts only those it is sent to. Of a
    mixer in place of attention projections, gates and convolution; its scan is elementwise and left out."""
    return sum([count * weight.active for count, weight in arch.weights if weight.product])


def lookup_parameters(arch: Architecture) -> int:
    """Parameters of tables of which a token reads one row: embeddings that are not the output head, positions."""
    return sum([count * weight.parameters for count, weight in arch.weights if _is_table(weight)])


def _is_table(weight: Weight) -> bool:
    return not weight.product and weight.part in ("embedding", "positional")


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
        How latent attention is computed, see :class:`blocks.LatentAttention`.

    Raises
    ------
    ParameterError
        If the convention is unknown or a context is below 1.
    """
    check_choice("convention", convention, CONVENTIONS)
    flops = 2 * matmul_parameters(arch)
    if convention == "weights":
        return flops
    check_range("context", context, 1)
    keys = mean_causal_keys if convention == "causal" else keys_in_reach
    for reach in arch.reaches:
        each = reach.decode_flops if absorbed else reach.flops
        flops = flops + each * keys(context, reach.window)
    return flops + sum([count * block.state_flops for count, block in arch.mixers])


def training_flops_per_token(arch: Architecture, context, convention: str = "causal"):
    """FLOPs to train on one token, FLOP: forward, and twice that for the backward pass.

    Nothing recomputed is counted, so it belongs to MFU, not to HFU (Chowdhery et al. 2022,
    arXiv:2204.02311, appendix B). Latent attention is decompressed.
    """
    return 3 * forward_flops_per_token(arch, context, convention)


def attention_flops_per_key(arch: Architecture, *, absorbed: bool = False) -> int:
    """FLOPs that one query spends on one key and its value in the first layer that keeps a cache, all heads.

    ``absorbed`` is how latent attention is computed, see :class:`blocks.LatentAttention`.
    """
    return sum([reach.decode_flops if absorbed else reach.flops for reach in arch.attention.reaches])


def kv_bytes_per_token(arch: Architecture, bytes_per_value=2.0):
    """Bytes by which the KV cache of a sequence grows per token, below any window; BF16 unless said."""
    check_range("bytes_per_value", bytes_per_value, 0, open_low=True)
    return sum([reach.values for reach in arch.reaches]) * bytes_per_value


def kv_bytes_per_token_long(arch: Architecture, bytes_per_value=2.0):
    """The same above every window: what a token adds for good."""
    check_range("bytes_per_value", bytes_per_value, 0, open_low=True)
    return sum([reach.values for reach in arch.reaches if reach.window is None]) * bytes_per_value


def kv_bytes(arch: Architecture, context, batch=1, bytes_per_value=2.0):
    """Bytes of the KV cache of ``batch`` sequences of ``context`` tokens each, before any sharding.

    A decode step reads them once. Layers with a window keep no more tokens than it holds; what does not grow is
    :func:`mixer_state_bytes`.

    Raises
    ------
    ParameterError
        If a context or batch is negative, or the bytes per value are not positive.
    """
    check_range("context", context, 0)
    check_range("batch", batch, 0)
    check_range("bytes_per_value", bytes_per_value, 0, open_low=True)
    values = 0.0 * context
    for reach in arch.reaches:
        values = values + reach.values * keys_in_reach(context, reach.window)
    return values * batch * bytes_per_value


def mixer_state_bytes(arch: Architecture, bytes_per_value=2.0):
    """Bytes that mixers keep of one sequence at any context: recurrent states in FP32, the rest in BF16 unless said."""
    check_range("bytes_per_value", bytes_per_value, 0, open_low=True)
    kept = [(count * block.state_values, count * block.wide_state_values) for count, block in arch.mixers]
    return sum([values for values, _ in kept]) * bytes_per_value + 4.0 * sum([wide for _, wide in kept])


def state_bytes_per_sequence(arch: Architecture, bytes_per_value=2.0):
    """Bytes of one sequence that stop growing with context: the state of mixers, and the keys and values
    of a full window in the layers that have one; BF16 unless said."""
    windows = sum([reach.values * reach.window for reach in arch.reaches if reach.window is not None])
    return mixer_state_bytes(arch, bytes_per_value) + windows * bytes_per_value


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
    experts, tables = arch.expert_parameters, [weight for _, weight in arch.weights if _is_table(weight)]
    always = parameters(arch).total - lookup_parameters(arch) - arch.n_experts * experts
    return always + 1.0 * batch * sum([table.columns for table in tables]) + distinct_experts * experts


def keys_in_reach(context, window: int | None):
    """Keys in reach of the last of ``context`` tokens; a float, so that 32-bit arrays cannot overflow."""
    return 1.0 * context if window is None else minimum(1.0 * context, float(window))


def mean_causal_keys(context, window: int | None):
    """Keys in reach, itself included, on average over positions 1 … ``context``."""
    reach = keys_in_reach(context, window)
    return reach - reach * (reach - 1) / (2.0 * context)


# ---------------------------------------------------------------------------------------------------------------------
# From a table


def transformer(
    *,
    name: str,
    n_layers: int,
    hidden_size: int,
    n_heads: int,
    n_kv_heads: int,
    head_dim: int | None,
    intermediate_size: int,
    vocab_size: int,
    tied_embeddings: bool,
    **switches: Any,
) -> Architecture:
    """A plain transformer from flat sizes, as a table of models has them.

    Parameters
    ----------
    n_heads, n_kv_heads, head_dim
        Query heads, key-value heads, features of a head; None says that it is hidden size ÷ heads, which must then be
        whole.
    intermediate_size
        Width of a dense MLP.
    **switches
        Those of ``SWITCHES``: layers with dense MLPs (``n_dense_layers``) come first, and so do those with a window
        (``n_window_layers``); ``kv_lora_rank`` and its neighbours make attention latent; widths that are None are
        ``expert_intermediate_size``: ``intermediate_size``, ``shared_intermediate_size``: that of all shared experts.

    Raises
    ------
    ParameterError
        One line that names the field, its value and what is allowed.
    """
    sizes = {
        "n_layers": n_layers,
        "hidden_size": hidden_size,
        "n_heads": n_heads,
        "n_kv_heads": n_kv_heads,
        "intermediate_size": intermediate_size,
        "vocab_size": vocab_size,
    }
    sizes = {field: checked_field(field, value, "int", None) for field, value in sizes.items()}
    checked_field("tied_embeddings", tied_embeddings, "bool", None)
    for unknown in set(switches) - set(SWITCHES):
        raise TypeError(f"{unknown} is no switch of a transformer")
    given = {**SWITCHES, **switches, "head_dim": head_dim}
    s = {
        field: checked_field(field, value, _kind(SWITCHES.get(field)), SWITCHES.get(field))
        for field, value in given.items()
    }
    s.update(sizes)
    check_choice("norm", s["norm"], NORMS)
    check_choice("qk_norm", s["qk_norm"], ("none", "head", "full"))
    _check_counts(s)
    experts = _experts(s) if s["n_experts"] else None
    dense = Dense(width=s["intermediate_size"], gated=s["gated_mlp"], bias=s["mlp_bias"])
    windowed, full = (_attention(s, window) for window in (s["window"], None))
    n_dense = s["n_dense_layers"] if experts else s["n_layers"]

    def layer(i: int) -> Layer:
        mixer = windowed if i < s["n_window_layers"] else full
        return Layer(mixer, dense if i < n_dense else experts, s["norms_per_layer"], s["norm"])

    return Architecture(
        name=name,
        hidden_size=s["hidden_size"],
        vocab_size=s["vocab_size"],
        tied_embeddings=tied_embeddings,
        stack=stacked([layer(i) for i in range(s["n_layers"])]),
        norm=s["norm"],
        final_norm=s["final_norm"],
        embedding_norm=s["embedding_norm"],
        learned_positions=s["learned_positions"],
    )


_LATENT_SIZES = ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
SWITCHES: dict[str, Any] = {
    "gated_mlp": True,
    "n_experts": 0,
    "experts_per_token": 0,
    "expert_intermediate_size": None,
    "n_shared_experts": 0,
    "shared_intermediate_size": None,
    "shared_expert_gate": False,
    "n_dense_layers": 0,
    "router_bias": False,
    "router_correction_bias": False,
    "expert_bias": False,
    "shared_expert_bias": False,
    "q_lora_rank": None,
    "kv_lora_rank": None,
    "qk_nope_head_dim": None,
    "qk_rope_head_dim": None,
    "v_head_dim": None,
    "learned_positions": 0,
    "qkv_bias": False,
    "output_bias": False,
    "mlp_bias": False,
    "attention_sinks": False,
    "norm": "rms",
    "norms_per_layer": 2,
    "final_norm": True,
    "embedding_norm": False,
    "qk_norm": "none",
    "window": None,
    "n_window_layers": 0,
}
"""What :func:`transformer` takes beyond its sizes, with defaults: those of ``blocks``, by the names of a table."""


def _kind(default: Any) -> str:
    """The type of a switch, as :func:`blocks.checked_field` calls it."""
    return {bool: "bool", int: "int", str: "str"}.get(type(default), "int | None")


def _check_counts(s: Mapping[str, Any]) -> None:
    latent = [name for name in (*_LATENT_SIZES, "q_lora_rank") if s[name] is not None]
    if latent:
        for name in _LATENT_SIZES:
            if s[name] is None:
                raise not_allowed(name, None, f"latent attention needs it beside {latent[0]}")
        if s["qk_norm"] != "none":
            raise not_allowed("qk_norm", s["qk_norm"], "latent attention has norms of its own")
    elif s["n_heads"] % s["n_kv_heads"]:
        raise not_allowed("n_kv_heads", s["n_kv_heads"], f"it must divide the {s['n_heads']} heads")
    elif s["head_dim"] is None and s["hidden_size"] % s["n_heads"]:
        need = f"hidden_size = {s['hidden_size']} is not a multiple of n_heads = {s['n_heads']}, so give it"
        raise not_allowed("head_dim", None, need)
    if s["n_experts"]:
        check_range("experts_per_token", s["experts_per_token"], 1, s["n_experts"])
        check_range("n_dense_layers", s["n_dense_layers"], 0, s["n_layers"])
    for name in () if s["n_experts"] else ("experts_per_token", "n_shared_experts", "n_dense_layers"):
        if s[name] != 0:
            raise not_allowed(name, s[name], "it must be 0 where n_experts is 0")
    check_range("n_window_layers", s["n_window_layers"], 0, s["n_layers"])
    if (s["window"] is None) != (s["n_window_layers"] == 0):
        raise not_allowed("n_window_layers", s["n_window_layers"], f"it must go with window = {s['window']}")


def _attention(s: Mapping[str, Any], window: int | None) -> Block:
    if s["kv_lora_rank"] is not None:
        return LatentAttention(
            heads=s["n_heads"],
            rank=s["kv_lora_rank"],
            nope=s["qk_nope_head_dim"],
            rope=s["qk_rope_head_dim"],
            value_dim=s["v_head_dim"],
            query_rank=s["q_lora_rank"],
            down_bias=s["qkv_bias"],
            output_bias=s["output_bias"],
            window=window,
        )
    return GroupedAttention(
        heads=s["n_heads"],
        kv_heads=s["n_kv_heads"],
        head_dim=s["head_dim"] or s["hidden_size"] // s["n_heads"],
        qkv_bias=s["qkv_bias"],
        output_bias=s["output_bias"],
        sinks=s["attention_sinks"],
        qk_norm=s["qk_norm"],
        window=window,
    )


def _experts(s: Mapping[str, Any]) -> Experts:
    width, shared = s["expert_intermediate_size"], s["shared_intermediate_size"]
    width = s["intermediate_size"] if width is None else width
    return Experts(
        width=width,
        experts=s["n_experts"],
        per_token=s["experts_per_token"],
        gated=s["gated_mlp"],
        bias=s["expert_bias"],
        shared_width=s["n_shared_experts"] * width if shared is None else shared,
        shared_bias=s["shared_expert_bias"],
        shared_gate=s["shared_expert_gate"],
        router_bias=s["router_bias"],
        correction_bias=s["router_correction_bias"],
    )


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
        raise not_allowed(f"{name}: arch", family, "it must be one of the families that architecture.py lists")
    if tied not in _TIED:
        raise not_allowed(f"{name}: tie_word_embeddings", tied, f"it must be one of {', '.join(_TIED)}")

    def number(column: str) -> int | None:
        value = row.get(column)
        text = "" if value is None else str(value).strip()
        return None if text.lower() in ("", "nan", "none", "<na>") else whole(f"{name}: {column}", text)

    sizes = ("n_layers", "hidden_size", "n_heads", "head_dim", "intermediate_size", "vocab_size")
    latent = {column: number(column) for column in ("q_lora_rank", *_LATENT_SIZES)}
    needed = {column: number(column) for column in sizes}
    needed["n_kv_heads"] = needed["n_heads"] if latent["kv_lora_rank"] else number("n_kv_heads")
    for column, value in needed.items():
        if value is None:
            raise not_allowed(f"{name}: {column}", None, "it must be a whole number")
    return transformer(
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
