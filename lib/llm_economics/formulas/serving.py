"""Prefill and decode on a roofline: what a step must read, compute and send, and whether it fits.

Two layers. :func:`roofline` and its neighbours take bytes, FLOP, byte/s and FLOP/s. :func:`decode`,
:func:`prefill` and :func:`capacity` take a :class:`ServedModel` (from a few published numbers or from
an architecture), a system and a split, and broadcast over arrays of batches, contexts and splits.

With all efficiencies at 1 and ``bound="max"`` a time is a floor: nothing is faster than its slowest
term alone. ``bound="sum"`` is the same work with no overlap at all. Not modelled: kernel launches,
sampling, scheduling, uneven splits and the busiest expert (the mean one counts).

Every function stops with a one-line ``ParameterError`` where a number is out of range, a name unknown,
the chip lacks the precision, or a split does not go with the system. A model that does not fit is no
error: :func:`decode` times it all the same, and :func:`capacity` says what is missing.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from llm_economics.formulas.architecture import (
    Architecture,
    Reach,
    kv_bytes_per_token,
    lookup_parameters,
    matmul_parameters,
    mixer_state_bytes,
)
from llm_economics.formulas.architecture import parameters as parameter_count
from llm_economics.formulas.elementwise import (
    ParameterError,
    check_choice,
    check_range,
    every,
    floor,
    known,
    maximum,
    minimum,
    where,
)
from llm_economics.formulas.hardware import STORED_BYTES, System, bytes_per_value, values_in
from llm_economics.formulas.parallelism import Split, group_seconds, kv_bytes_per_accelerator
from llm_economics.formulas.parallelism import weight_bytes_per_accelerator as held_weights
from llm_economics.formulas.records import record, replace
from llm_economics.formulas.routing import check_experts, distinct
from llm_economics.formulas.splits import NOTHING_KNOWN, Shares

TERMS = ("memory", "compute", "link")
BOUNDS = ("max", "sum")


class Step(NamedTuple):
    """Seconds of one step and of each of its terms."""

    memory_s: Any
    compute_s: Any
    link_s: Any
    seconds: Any

    @property
    def binds(self):
        """Index into ``TERMS`` of the longest term (an array of them for arrays)."""
        other = where(self.compute_s >= self.link_s, 1, 2)
        return where(self.memory_s >= maximum(self.compute_s, self.link_s), 0, other)

    @property
    def binding(self) -> str:
        """Name of the longest term of a single step."""
        return TERMS[int(self.binds)]


def roofline(
    bytes_moved,
    flops,
    memory_bandwidth,
    peak_flops,
    link_s=None,
    *,
    bandwidth_efficiency=1.0,
    compute_efficiency=1.0,
    bound: str = "max",
    overlap=None,
) -> Step:
    """Time to move bytes, to compute FLOP and to talk; together the longest, or their sum (Williams et al. 2009).

    Parameters
    ----------
    bytes_moved, flops, memory_bandwidth, peak_flops
        Byte, FLOP, byte/s and dense FLOP/s, all of the same accelerators.
    link_s
        Seconds of communication; None for none.
    bandwidth_efficiency, compute_efficiency
        Fractions of the peaks that are reached; 1 gives a floor.
    bound
        ``max``: the terms overlap fully. ``sum``: not at all.
    overlap
        Share of the communication that may run beside memory and compute, 0 to 1; None: 1 with ``max``, 0 with ``sum``.
    """
    check_range("bytes_moved", bytes_moved, 0)
    check_range("flops", flops, 0)
    _check_positive(memory_bandwidth=memory_bandwidth, peak_flops=peak_flops)
    if link_s is not None:
        check_range("link_s", link_s, 0)
    overlap = _check_roof(bandwidth_efficiency, compute_efficiency, bound, overlap)
    bandwidth, peak = memory_bandwidth * bandwidth_efficiency, peak_flops * compute_efficiency
    return _roofline(bytes_moved, flops, bandwidth, peak, link_s, bound, overlap)


def _check_roof(bandwidth_efficiency, compute_efficiency, bound, overlap):
    check_range("bandwidth_efficiency", bandwidth_efficiency, 0, 1, open_low=True)
    check_range("compute_efficiency", compute_efficiency, 0, 1, open_low=True)
    check_choice("bound", bound, BOUNDS)
    if overlap is None:
        return 1.0 if bound == "max" else 0.0
    return check_range("overlap", overlap, 0, 1)


def _roofline(bytes_moved, flops, bandwidth, peak, link_s, bound, overlap) -> Step:
    memory_s = bytes_moved / bandwidth
    compute_s = flops / peak
    on_chip = maximum(memory_s, compute_s) if bound == "max" else memory_s + compute_s
    if link_s is None:
        return Step(memory_s, compute_s, 0 * memory_s, on_chip)
    return Step(memory_s, compute_s, link_s, on_chip + link_s - minimum(overlap * link_s, on_chip))


def arithmetic_intensity(flops, bytes_moved):
    """FLOP per byte moved: below a chip's :func:`machine_balance` memory binds, above it compute."""
    check_range("flops", flops, 0)
    return flops / check_range("bytes_moved", bytes_moved, 0, open_low=True)


def machine_balance(peak_flops, memory_bandwidth):
    """FLOP that a chip can do in the time in which it reads one byte."""
    _check_positive(peak_flops=peak_flops, memory_bandwidth=memory_bandwidth)
    return peak_flops / memory_bandwidth


def balance_batch(weight_bytes, flops_per_token, memory_bandwidth, peak_flops, kv_bytes_per_sequence=None):
    """Batch at which computing a decode step takes as long as reading what it needs.

    B f / peak = (W + B K) / bandwidth, with weights W, KV cache K of one sequence (None: ignored) and f
    FLOP per token (attention in, if K is given). Without KV cache and at 16 bits this is peak ÷ bandwidth,
    295 for an H100. Infinite where each sequence adds more reading than computing.
    """
    _check_positive(weight_bytes=weight_bytes, flops_per_token=flops_per_token)
    gain = flops_per_token / machine_balance(peak_flops, memory_bandwidth)  # byte of reading hidden per sequence
    if kv_bytes_per_sequence is not None:
        gain = gain - check_range("kv_bytes_per_sequence", kv_bytes_per_sequence, 0)
    return where(gain > 0, weight_bytes / where(gain > 0, gain, weight_bytes), float("inf"))


def mbu(bytes_needed, seconds, memory_bandwidth):
    """Memory bandwidth utilisation: bytes a step must read ÷ what the memory could deliver; above one is an error."""
    _check_positive(bytes_needed=bytes_needed, seconds=seconds, memory_bandwidth=memory_bandwidth)
    return check_range("mbu", bytes_needed / (seconds * memory_bandwidth), 0, 1 + 1e-9)


def readable_bytes(steps_per_second, memory_bandwidth, bandwidth_efficiency=1.0):
    """Bytes that a step may read at most if ``steps_per_second`` are to be made, byte."""
    _check_positive(steps_per_second=steps_per_second, memory_bandwidth=memory_bandwidth)
    check_range("bandwidth_efficiency", bandwidth_efficiency, 0, 1, open_low=True)
    return memory_bandwidth * bandwidth_efficiency / steps_per_second


@record
class Stored:
    """The weights of a model in one format as files hold them, scales and all that stays in 16 bits among them.

    Parameters
    ----------
    weights, dense
        Format or scheme of most weights, and format of most bytes outside routed experts where there are any.
    common_bytes, expert_bytes, lookup_bytes, padding
        As of a :class:`ServedModel`.
    scheme
        How a checkpoint in that format calls itself; "" where only counts are known.
    wide_bytes
        Those of ``common_bytes`` that are in 16 bits or more.
    """

    weights: str
    dense: str
    common_bytes: Any
    expert_bytes: Any = 0.0
    lookup_bytes: Any = 0.0
    padding: Any = 0.0
    scheme: str = ""
    wide_bytes: Any = 0.0


@record(kw_only=True)
class ServedModel:
    """What serving needs to know of a model, at its precisions. Counts are plain; sizes may be quantities.

    Parameters
    ----------
    common_bytes
        Weights that every step reads: attention, dense MLPs, shared experts, norms, output head.
    flops_per_token
        FLOP of one token without attention over the context.
    kv_bytes_per_token
        Growth of a sequence's KV cache below any window, byte.
    expert_bytes, experts, experts_per_token
        One routed expert over all layers, byte; how many, how many per token; 0 for a dense model.
    lookup_bytes
        Held but not streamed: the embedding table where it is not the output head.
    decode_flops_per_key, prefill_flops_per_key
        Attention FLOP of one token and one key, all layers (they differ for latent attention).
    windows
        What of the growth, the reading and the FLOP belongs to layers with fewer tokens in reach, by window.
    read_bytes_per_token
        Of the cache, what a decode step reads per token below any window; None: all.
    state_bytes
        What a sequence keeps at any context (states of recurrent layers), byte; tensor parallelism divides it evenly.
    hidden_bytes, layers, moe_layers
        One token's hidden state, byte, and counts of layers: what communication needs; 0 for none.
    kv_heads
        Heads that tensor parallelism can divide the KV cache by; None: no limit.
    shares
        What a split has to divide evenly, for those who look for splits.
    padding
        What engines add to the routed experts when they load them, as a share of their bytes.
    stored
        Of a model that is counted in 16 bits: its weights in narrower formats; of those that are not there the usual
        scheme is taken (:func:`stored_in`).
    """

    name: str
    common_bytes: Any
    flops_per_token: Any
    kv_bytes_per_token: Any = 0.0
    expert_bytes: Any = 0.0
    experts: Any = 0
    experts_per_token: Any = 0
    lookup_bytes: Any = 0.0
    decode_flops_per_key: Any = 0.0
    prefill_flops_per_key: Any = 0.0
    windows: tuple[Reach, ...] = ()
    read_bytes_per_token: Any = None
    state_bytes: Any = 0.0
    hidden_bytes: Any = 0.0
    layers: int = 0
    moe_layers: int = 0
    kv_heads: int | None = None
    shares: Shares = NOTHING_KNOWN
    padding: Any = 0.0
    stored: tuple[Stored, ...] = ()

    def __post_init__(self) -> None:
        for name in ("flops_per_token", "kv_bytes_per_token", "common_bytes", "expert_bytes", "lookup_bytes"):
            check_range(name, getattr(self, name), 0)
        check_range("state_bytes", self.state_bytes, 0)
        if self.kv_heads is not None:
            check_range("kv_heads", self.kv_heads, 1)
        if not known((self.experts == 0) & (self.experts_per_token == 0)):
            check_experts(self.experts, self.experts_per_token)
        elif not every(self.expert_bytes == 0):
            raise ParameterError(f"experts = {self.experts} is not allowed: expert_bytes = {self.expert_bytes}")

    @cached_property
    def is_moe(self) -> bool:
        """Whether there are routed experts."""
        return not known((self.experts == 0) & (self.experts_per_token == 0))

    @cached_property
    def has_state(self) -> bool:
        """Whether a sequence keeps anything beside its cache."""
        return not known(self.state_bytes == 0)

    @cached_property
    def reaches(self) -> tuple[Reach, ...]:
        """Growth, reading and FLOP (prefill, decode) for each token in reach: of all tokens, then of each window."""
        read = self.kv_bytes_per_token if self.read_bytes_per_token is None else self.read_bytes_per_token
        rest = (self.kv_bytes_per_token, read, self.prefill_flops_per_key, self.decode_flops_per_key)
        for _, *costs in self.windows:
            rest = tuple([total - cost for total, cost in zip(rest, costs, strict=True)])
        return (Reach(None, *rest), *self.windows)

    @property
    def weight_bytes(self):
        """All weights, byte."""
        return self.common_bytes + self.lookup_bytes + self.experts * self.expert_bytes

    def kv_bytes(self, context):
        """KV cache of one sequence of ``context`` tokens, byte."""
        total = self.reaches[0].values * context
        for reach in self.windows:
            total = total + reach.values * minimum(context, reach.window)
        return total

    def kv_bytes_read(self, context):
        """What a decode step reads of it, byte."""
        total = self.reaches[0].read * context
        for reach in self.windows:
            total = total + reach.read * minimum(context, reach.window)
        return total

    def attention_flops(self, context):
        """FLOP of a decode step with the ``context`` tokens of one sequence."""
        total = self.reaches[0].decode_flops * context
        for reach in self.windows:
            total = total + reach.decode_flops * minimum(context, reach.window)
        return total

    def prompt_flops(self, prompt):
        """FLOP of all pairs of tokens in a causal prefill of ``prompt`` tokens."""
        total = self.reaches[0].flops * (prompt * (prompt + 1) / 2)
        for reach in self.windows:
            inner = minimum(prompt, reach.window)
            total = total + reach.flops * (inner * (inner + 1) / 2 + (prompt - inner) * inner)
        return total

    def expert_bytes_read(self, tokens):
        """Expected bytes of routed experts that a step of ``tokens`` touches."""
        if not self.is_moe:
            return 0 * self.common_bytes
        return distinct(self.experts, self.experts_per_token, tokens) * self.expert_bytes


def stored_in(model: ServedModel, weights: str, dense: str | None = None) -> Stored:
    """The weights of a model that is counted in 16 bits, as they are held in a format or a scheme.

    Where the model does not say it (``stored``), large matrices are taken with the scales of the usual scheme
    (:data:`hardware.STORED_BYTES`), and 4-bit mixtures with 16 bits outside their experts; ``dense`` overrides the
    format there.

    Raises
    ------
    ParameterError
        If a format is not known.
    """
    check_choice("weights", weights, STORED_BYTES)
    found = next((one for one in model.stored if one.weights == weights), None)
    if found is not None and dense in (None, found.dense):
        return found
    outer = dense or ("bf16" if model.is_moe and bytes_per_value(values_in(weights)) < 1 else weights)
    common = model.common_bytes * STORED_BYTES[check_choice("dense", outer, STORED_BYTES)] / 2
    wide = common if bytes_per_value(values_in(outer)) >= 2 else 0.0
    if found is not None:
        return replace(found, dense=outer, common_bytes=common, wide_bytes=wide)
    lookup = model.lookup_bytes * max(STORED_BYTES[weights] / 2, 1)
    return Stored(
        weights, values_in(outer), common, model.expert_bytes * STORED_BYTES[weights] / 2, lookup, wide_bytes=wide
    )


def model_from_parameters(
    name: str,
    common_parameters,
    expert_parameters=0.0,
    experts=0,
    experts_per_token=0,
    *,
    bytes_per_parameter=2.0,
    **rest,
) -> ServedModel:
    """A model of which only counts are known: 2 FLOP per active parameter and token.

    ``model_from_parameters("GPT-4", 55e9, 111e9, 16, 2)``; without experts a dense model. ``rest`` are
    further fields of :class:`ServedModel`.
    """
    check_range("common_parameters", common_parameters, 0)
    check_range("bytes_per_parameter", bytes_per_parameter, 0, open_low=True)
    return ServedModel(
        name=name,
        common_bytes=common_parameters * bytes_per_parameter,
        flops_per_token=2.0 * (common_parameters + experts_per_token * expert_parameters),
        expert_bytes=expert_parameters * bytes_per_parameter,
        experts=experts,
        experts_per_token=experts_per_token,
        **rest,
    )


def model_from_architecture(
    arch: Architecture, *, weights: str = "bf16", kv: str = "bf16", hidden: str = "bf16"
) -> ServedModel:
    """A model from its architecture, with weights, KV cache and hidden states at named precisions."""
    size, value = bytes_per_value(weights), bytes_per_value(kv)
    experts, per_token, expert = arch.routed
    looked_up = lookup_parameters(arch)
    windows = [reach for reach in arch.reaches if reach.window is not None]
    return ServedModel(
        name=arch.name,
        common_bytes=(parameter_count(arch).total - experts * expert - looked_up) * size,
        flops_per_token=2.0 * matmul_parameters(arch) + sum([n * block.state_flops for n, block in arch.mixers]),
        kv_bytes_per_token=kv_bytes_per_token(arch, value),
        expert_bytes=expert * size,
        experts=experts,
        experts_per_token=per_token,
        lookup_bytes=looked_up * size,
        decode_flops_per_key=float(sum([reach.decode_flops for reach in arch.reaches])),
        prefill_flops_per_key=float(sum([reach.flops for reach in arch.reaches])),
        windows=tuple([Reach(w, held * value, read * value, *flops) for w, held, read, *flops in windows]),
        read_bytes_per_token=sum([reach.read for reach in arch.reaches]) * value,
        state_bytes=mixer_state_bytes(arch, value),
        hidden_bytes=arch.hidden_size * bytes_per_value(hidden),
        layers=arch.n_layers,
        moe_layers=arch.moe_layers,
        kv_heads=arch.cache_heads,
        shares=_shares(arch),
    )


def _shares(arch: Architecture) -> Shares:
    """What engines divide of an architecture."""
    given = arch.shares
    heads = {mixer.kv_heads for _, mixer in arch.mixers if getattr(mixer, "kv_heads", None)}
    named = [(name, number) for name in given for number in given[name] if name in ("heads", "channels", "blocks")]
    return Shares(
        numbers=tuple(named),
        kv_heads=tuple(sorted(heads)),
        widths=tuple([*given.get("width", ()), *given.get("shared_width", ())]),
        expert_widths=tuple(given.get("expert_width", ())),
        vocabulary=arch.vocab_size,
        experts=arch.n_experts,
        layers=arch.n_layers,
    )


@record
class Capacity:
    """What a model and its sequences take of a system's memory; bytes of all accelerators together.

    ``max_sequences`` is how many sequences of this context fit beside the weights (0 if the weights
    alone do not fit, infinite without KV cache); ``missing_bytes`` is 0 where it fits.
    """

    weight_bytes: Any
    kv_bytes: Any
    memory_bytes: Any
    missing_bytes: Any
    max_sequences: Any
    fits: Any


def capacity(
    model: ServedModel, system: System, batch, context, split: Split | None = None, *, reserve_bytes=None
) -> Capacity:
    """Whether the weights and the KV cache of ``batch`` sequences of ``context`` tokens fit.

    ``split`` None is tensor parallelism over the whole system. ``reserve_bytes`` of each accelerator are
    kept for activations and the runtime (None: nothing).
    """
    split = _split(system, split)
    batch, context = check_range("batch", batch, 1), check_range("context", context, 0)
    n = split.accelerators
    memory = system.accelerator.memory_bytes
    if reserve_bytes is not None:
        memory = memory - check_range("reserve_bytes", reserve_bytes, 0)
    weights = held_weights(model.common_bytes + model.lookup_bytes, model.experts * model.expert_bytes, split)
    sequence = model.kv_bytes(context)
    local_batch = maximum(batch / split.data, 1.0)  # a copy without a sequence holds no less than its weights
    kv = kv_bytes_per_accelerator(local_batch * split.data * sequence, split, model.kv_heads)
    state = model.state_bytes * split.fullest / (split.pipeline * split.tensor)
    free = maximum(memory - weights, 0 * memory)
    missing = maximum(weights + kv - memory, 0 * memory)
    each = kv_bytes_per_accelerator(split.data * sequence, split, model.kv_heads)
    if model.has_state:
        kv, each = kv + local_batch * state, each + state
    has_kv = each > 0
    most = where(has_kv, split.data * floor(free / where(has_kv, each, memory) * (1 + 1e-12)), float("inf"))
    return Capacity(
        weights * n, kv * n, memory * n, missing * n, where(weights <= memory, most, 0.0), weights + kv <= memory
    )


class Service(NamedTuple):
    """One decode or prefill step of a split system, and the rates that follow from it.

    ``tokens`` are produced (decode) or read (prefill) in ``step.seconds`` on ``accelerators``;
    ``bytes_read`` (a part that several hold is read by each), ``kv_bytes_read`` of them for the KV cache, and
    ``flops`` are those of all accelerators in that time; ``memory_bandwidth`` and ``peak_flops`` are of one.
    """

    step: Step
    tokens: Any
    bytes_read: Any
    flops: Any
    accelerators: Any
    memory_bandwidth: Any
    peak_flops: Any
    kv_bytes_read: Any = 0.0

    @property
    def seconds(self):
        """Time per output token of each sequence (decode), time to the first token (prefill), s."""
        return self.step.seconds

    @property
    def tokens_per_second_per_user(self):
        """Speed that one user of a decode step sees, 1 ÷ TPOT."""
        return 1 / self.step.seconds

    @property
    def tokens_per_second(self):
        """Tokens per second of the whole system."""
        return self.tokens / self.step.seconds

    @property
    def tokens_per_second_per_accelerator(self):
        """Tokens per second of one accelerator."""
        return self.tokens_per_second / self.accelerators

    @property
    def mbu(self):
        """Share of the memory bandwidth in use."""
        return self.bytes_read / (self.step.seconds * self.accelerators * self.memory_bandwidth)

    @property
    def mfu(self):
        """Share of the dense peak in use for the model's own FLOP."""
        return self.flops / (self.step.seconds * self.accelerators * self.peak_flops)


def decode(model: ServedModel, system: System, batch, context, split: Split | None = None, **assumptions) -> Service:
    """One decode step: each of ``batch`` sequences gets a token after ``context`` tokens.

    The batch is divided over data copies, and over as many microbatches as there are stages, so that
    a token waits for all stages one after another while other microbatches keep them busy.

    Parameters
    ----------
    split
        None: tensor parallelism over the whole system.
    **assumptions
        ``precision`` of the arithmetic ("bf16"), ``links`` (True: count communication where the model
        gives its hidden state and layers), ``algorithm`` of collectives, and the efficiencies,
        ``bound`` and ``overlap`` of :func:`roofline`.
    """
    context = check_range("context", context, 0)
    flops = model.flops_per_token + model.attention_flops(context)
    return _serve(model, system, batch, 1, model.kv_bytes_read(context), flops, split, **assumptions)


def prefill(model: ServedModel, system: System, batch, prompt, split: Split | None = None, **assumptions) -> Service:
    """Reading ``batch`` prompts of ``prompt`` tokens: ``seconds`` is the floor of TTFT without queueing.

    Attention is causal, the KV cache is written once, and the output head counts for every token (an
    engine may skip it for all but the last). Parameters and errors as for :func:`decode`.
    """
    prompt = check_range("prompt", prompt, 1)
    flops = prompt * model.flops_per_token + model.prompt_flops(prompt)
    return _serve(model, system, batch, prompt, model.kv_bytes(prompt), flops, split, **assumptions)


def _serve(
    model,
    system,
    batch,
    tokens,
    kv_bytes,
    flops,
    split,
    *,
    precision="bf16",
    links=True,
    algorithm="direct",
    bandwidth_efficiency=1.0,
    compute_efficiency=1.0,
    bound="max",
    overlap=None,
) -> Service:
    """One pass of ``tokens`` tokens of each sequence; ``kv_bytes`` and ``flops`` are per sequence."""
    split = _split(system, split)
    batch = check_range("batch", batch, 1)
    overlap = _check_roof(bandwidth_efficiency, compute_efficiency, bound, overlap)
    chip, tensor, data = system.accelerator, split.tensor, split.data
    peak, bandwidth = chip.peak(precision), chip.memory_bandwidth
    in_flight = minimum(split.pipeline, maximum(batch / data, 1.0))  # microbatches
    sequences = maximum(batch / (data * split.pipeline), 1.0)  # of one microbatch, on one copy
    moved = tokens * sequences
    cache = sequences * kv_bytes / (tensor if model.kv_heads is None else minimum(tensor, model.kv_heads))
    if model.has_state:
        cache = cache + sequences * model.state_bytes / tensor
    common = model.common_bytes * (split.padded / tensor)
    read = common + cache
    if model.is_moe:
        pooled = moved * (split.expert_shards / tensor)  # tokens that share one set of experts
        experts = model.expert_bytes_read(pooled) / split.expert_shards
        read = common + experts + cache
    link_s = None
    if links and model.layers:
        link_s = _link_seconds(model, system, split, moved, algorithm)
    work = sequences * flops / tensor * (split.padded * split.fullest)
    step = _roofline(
        read * split.fullest, work, bandwidth * bandwidth_efficiency, peak * compute_efficiency, link_s, bound, overlap
    )
    busy = tensor * minimum(data, batch) * in_flight
    return Service(step, batch * tokens, read * busy, batch * flops, split.accelerators, bandwidth, peak, cache * busy)


def _link_seconds(model, system, split, tokens, algorithm):
    """Communication of one pass of ``tokens`` tokens on each data copy, s.

    Two all-reduces a layer. Where experts are spread, two all-to-alls (to the experts and back) take the place
    of the second, and accelerators that share an expert gather its tokens and add up their parts. Stages follow
    one another: each hands its tokens to the next.
    """

    def seconds(kind, size, members):
        return group_seconds(
            kind, size, members, system.domain_size, system.scale_up, system.scale_out, algorithm=algorithm
        )

    hidden = tokens * model.hidden_bytes
    spread = where((split.expert > 1) | (split.expert_shards > split.tensor * (1 + 1e-9)), 1.0, 0.0) * model.moe_layers
    total = (2 * model.layers - spread) * seconds("all-reduce", hidden, split.tensor)
    if not known(split.pipeline == 1):
        stages = split.expert_shards * split.pipeline
        total = total + (split.pipeline - 1) * seconds("point-to-point", hidden, stages)
    if not known(spread == 0):
        copies = minimum(model.experts_per_token, split.expert)  # a token goes to each group at most once
        sent = copies * hidden / split.tensor
        exchanges = where(split.expert > 1, 2.0, 0.0) * seconds("all-to-all", sent, split.expert_shards)
        total = total + spread * exchanges
        if not known(split.expert_tensor == 1):
            size = sent * split.expert_tensor
            total = total + spread * seconds("all-reduce", size, split.expert_tensor)
    return total


def _check_positive(**values) -> None:
    for name, value in values.items():
        check_range(name, value, 0, open_low=True)


def _split(system: System, split: Split | None) -> Split:
    if split is None:
        many = system.accelerators
        return _tensor_parallel(many) if many.__class__ is int else Split(tensor=many)
    if not every(split.accelerators <= system.accelerators):
        raise ParameterError(
            f"split = {split.accelerators} accelerators is not allowed: {system.name} has {system.accelerators}"
        )
    return split


@lru_cache
def _tensor_parallel(accelerators) -> Split:
    return Split(tensor=accelerators)
