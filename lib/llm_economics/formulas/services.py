"""What a whole service takes: decode steps, the prompts read between them, the queue, the first token.

A decode step of the roofline is a bound. What an engine adds has a few kinds, each with a constant that means something
(:class:`Constants`) and none that belongs to a chip, a model or an engine. With r for bytes over bandwidth and c for
FLOP over the dense peak, both of the accelerator that has most to do, a step of B sequences takes

t = |r_dense / w, c_dense / u + c_prompt / p| + r_expert / e + c_expert / u + |r_cache / k, c_attention / u| + links
+ n layer + m expert + d sparse + q quantised + (a latent + m engine) / bandwidth + host + B sequence + prompts

where |x, y| is the root of the sum of squares. Matrix products outside experts read prompts beside decoding (chunked
prefill): for every step B ÷ output prompts have to be read, and their FLOP hide partly behind the reading of weights.
Efficiencies w, e, p depend on the width of a format in bits, and outside experts 16-bit weights have their own beside
narrower ones: small kernels take time that does not shrink with their bytes. What a layer with latent attention takes
beside its reading, and an engine for a layer with experts, are chains of small kernels that wait for memory: their time
goes with its bandwidth, so they are told in bytes.

Where memory holds fewer sequences than users ask, the rest waits, and its wait is part of the time to the first token.
The floor is the roofline at all efficiencies one, without any fixed time: no service without drafted tokens is below
it.

Numbers are floats or arrays in SI units; models are counted in 16 bits. ``weights`` and ``kv`` say what they are stored
in, and :func:`serving.stored_in` how many bytes that are, scales among them.
"""

from __future__ import annotations

import json
from functools import cache
from math import inf, sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any

from llm_economics.formulas.elementwise import ParameterError, check_choice, check_range, maximum, minimum, where
from llm_economics.formulas.hardware import BYTES_PER_VALUE, STORED_BYTES, Accelerator, System, values_in
from llm_economics.formulas.memory import reserve_bytes
from llm_economics.formulas.parallelism import Split, weight_bytes_per_accelerator
from llm_economics.formulas.records import field, fields, record, replace
from llm_economics.formulas.routing import expected_distinct
from llm_economics.formulas.serving import ServedModel, stored_in
from llm_economics.formulas.speculation import expected_tokens

FILE = Path(__file__).with_name("service_constants.json")
"""Constants and intervals, as :mod:`llm_economics.evidence.services` fitted them."""

TERMS = ("weights", "experts", "cache", "links", "layers", "host", "prompts")
"""What may take most of a step."""

ACTIVATION_PASSES = 12
"""Hidden states that the elementwise kernels of a layer read or write for each token."""

QUANTISING_PASSES = 32
"""More of them where activations are quantised: the inputs of four products, some 6.5 hidden states, read twice (for
their largest value, and to scale them) and written in half the bytes, by kernels that reach half of the bandwidth."""

INDEPENDENT = 0.7
"""Share of a batch's further tokens that choose their experts afresh; the others follow those before."""


def _constant(unit: str, means: str) -> Any:
    return field(metadata={"unit": unit, "means": means})


@record
class Constants:
    """What is fitted, each with its unit and meaning. The first nine are fitted on 16-bit decode steps alone."""

    weight: float = _constant("fraction", "of the memory bandwidth at which 16-bit weights are read")
    kv: float = _constant("fraction", "of the memory bandwidth at which a 16-bit cache is read")
    compute: float = _constant("fraction", "of the dense 16-bit peak that a decode step reaches")
    link: float = _constant("fraction", "of a link's bandwidth at which bytes cross it")
    passing_rate: float = _constant("byte/s", "that the kernels of a collective pass on")
    message_s: float = _constant("s", "for each message in a row")
    layer_s: float = _constant("s", "for each layer: launches, tails and small kernels")
    expert_layer_s: float = _constant("s", "more for each layer with experts: routing, sorting, adding up")
    before_fp8: float = _constant("factor", "on a step of chips without an FP8 peak")
    weight_8: float = _constant("fraction", "of the memory bandwidth at which 8-bit weights are read")
    weight_4: float = _constant("fraction", "of it at which 4-bit weights are read")
    expert_narrow: float = _constant("fraction", "of it at which routed experts in 8 or 4 bits are read")
    expert_widened: float = _constant("fraction", "of it at which 4-bit experts are read that are widened to 16 bits")
    kv_8: float = _constant("fraction", "of it at which an 8-bit cache is read")
    compute_narrow: float = _constant("fraction", "of the dense 8-bit or 4-bit peak that a decode step reaches")
    quantised_layer_s: float = _constant("s", "more for each layer whose activations are quantised on the way")
    latent_layer_bytes: float = _constant("byte", "that a latent layer's chain of small products could read meanwhile")
    sparse_layer_s: float = _constant("s", "more for each layer that first picks the tokens it attends to")
    engine_layer_bytes: float = _constant("byte", "that could be read while an engine sorts tokens for its experts")
    host_s: float = _constant("s", "that the host adds to a step")
    sequence_s: float = _constant("s", "that the host adds for each sequence")
    prompt_16: float = _constant("fraction", "of the dense peak at which prompts are read in 16 bits")
    prompt_8: float = _constant("fraction", "of the dense peak at which prompts are read in 8 bits")
    prompt_4: float = _constant("fraction", "of the dense peak at which prompts are read in 4 bits")
    prompt_s: float = _constant("s", "that a prompt costs the others beside its arithmetic")
    other_maker: float = _constant("factor", "on times of chips of other makers than Nvidia that have an FP4 peak")
    other_before: float = _constant("factor", "on times of such chips without an FP4 peak")
    first_s: float = _constant("s", "of the time to the first token, whatever the model")
    first_layer_s: float = _constant("s", "of it for each layer, and again for each layer with experts")
    first_work: float = _constant("factor", "on the reading of the prompt, as part of it")
    first_other: float = _constant("fraction", "of that reading, for each other user")


@record
class Work:
    """What one accelerator has to do, before any constant: seconds at the peaks of its data sheet, bytes and counts.

    ``*_bits`` are widths of formats; ``wide_*`` is what 16-bit weights take of ``dense_*``, whose others are of
    ``narrow_bits``; ``byte_s`` is a byte at the memory's bandwidth; ``fresh_*`` is a prompt without what a prefix cache
    holds; ``cached_attention_s`` what its attention to cached tokens adds; ``before_fp8`` and ``other_*`` are 1 or 0.
    """

    sequences: Any
    dense_read_s: Any
    dense_bits: Any
    dense_computed_s: Any
    wide_read_s: Any
    wide_computed_s: Any
    narrow_bits: Any
    expert_read_s: Any
    expert_bits: Any
    expert_computed_s: Any
    cache_read_s: Any
    cache_bits: Any
    attention_s: Any
    sent_s: Any
    passed: Any
    messages: Any
    activations_s: Any
    byte_s: Any
    layers: Any
    expert_layers: Any
    latent_layers: Any
    sparse_layers: Any
    dense_arithmetic_bits: Any
    arithmetic_bits: Any
    prompts: Any
    fresh_dense_s: Any
    fresh_wide_s: Any
    fresh_expert_s: Any
    fresh_attention_s: Any
    cached_attention_s: Any
    fresh_sent_s: Any
    fresh_passed: Any
    held_s: Any
    before_fp8: Any
    other_now: Any
    other_before: Any


@record
class Terms:
    """Seconds of a step by what takes them, in the order of :data:`TERMS`, and together."""

    weights_s: Any
    experts_s: Any
    cache_s: Any
    links_s: Any
    layers_s: Any
    host_s: Any
    prompts_s: Any

    @property
    def decode_s(self):
        """All but the prompts."""
        return self.weights_s + self.experts_s + self.cache_s + self.links_s + self.layers_s + self.host_s

    @property
    def seconds(self):
        """The whole step, prompts read beside it included."""
        return self.decode_s + self.prompts_s

    @property
    def binds(self):
        """Index into :data:`TERMS` of the longest (an array of them for arrays)."""
        longest, index = self.weights_s, 0
        for n, term in enumerate(fields(self)[1:], start=1):
            value = getattr(self, term.name)
            index = where(value > longest, n, index)
            longest = maximum(longest, value)
        return index


@record
class Forecast:
    """A service in a closed loop: each of ``concurrency`` users asks again as soon as its answer is there.

    Seconds; ``tpot_s`` is the time per output token after the first, ``ttft_s`` the time to the first one, a wait in
    the queue included. ``sequences`` run at a time, the others wait. ``requests_per_s`` are those of all accelerators.
    ``fresh_s`` and ``cached_s`` are the accelerators' seconds for one request that reading its prompt takes, and
    attention to what a prefix cache held of it; ``busy_s`` is what a request takes of them in all.
    """

    tpot_s: Any
    ttft_s: Any
    tpot_floor_s: Any
    ttft_floor_s: Any
    queue_s: Any
    sequences: Any
    requests_per_s: Any
    fresh_s: Any
    cached_s: Any
    busy_s: Any
    terms: Terms


@cache
def recorded() -> dict[str, Any]:
    """What the file holds: ``constants``, and ``intervals`` by kind of model."""
    return json.loads(FILE.read_text(encoding="utf-8"))


@cache
def constants() -> Constants:
    """The constants in use."""
    return Constants(**recorded()["constants"])


def arithmetic_for(weights: str, chip: Accelerator, is_moe: bool = False) -> str:
    """Format that a chip computes in with weights of a format: the same if it has a peak for it, else the next wider.

    Integers of 4 bits are widened to 16 everywhere, and so are 4-bit floats on chips without an FP4 peak.
    """
    weights = values_in(check_choice("weights", weights, STORED_BYTES))
    wide = next((name for name in ("bf16", "fp16", "fp32") if name in chip.peak_flops), None)
    if weights in chip.peak_flops and weights != "int4":
        return weights
    if wide is None:
        raise ParameterError(f"weights = {weights!r} is not allowed: {chip.name} has no 16-bit peak")
    return wide


def cache_for(weights: str) -> str:
    """Format of the cache where nobody says it: 8-bit floats beside 8-bit and 4-bit floats, else 16 bits."""
    return "fp8" if values_in(weights) in ("fp8", "fp4") else "bf16"


def bits(format_: str) -> float:
    """Width of the values of a format or scheme."""
    return 8 * BYTES_PER_VALUE[values_in(check_choice("format", format_, STORED_BYTES))]


def dense_bits(model: ServedModel, weights: str) -> float:
    """Width of the weights outside routed experts: many 4-bit checkpoints of mixtures keep those in 16 bits."""
    return bits(stored_in(model, weights).dense)


def work(
    model: ServedModel,
    system: System,
    sequences,
    prompt,
    output,
    split: Split | None = None,
    *,
    weights: str = "bf16",
    arithmetic: str | None = None,
    kv: str = "bf16",
    dense: str | None = None,
    cached_share=0.0,
    drafted=0,
    context=None,
) -> Work:
    """What a step of ``sequences`` asks of one accelerator, and the reading of one prompt; broadcasts.

    Parameters
    ----------
    model
        Counted in 16 bits, as ``serving.model_from_architecture`` gives it.
    prompt, output
        Tokens of a request; the mean ``context`` of a step is the prompt and half of the output if it is not given.
    split
        None: tensor parallelism over the whole system. Without stages (``pipeline`` is 1).
    weights, arithmetic, kv, dense
        Formats, ``weights`` or a scheme; ``arithmetic`` None: :func:`arithmetic_for`; ``dense`` is that of the weights
        outside experts where it is not the model's own (:func:`serving.stored_in`).
    cached_share
        Share of the prompt whose keys and values a prefix cache holds.
    drafted
        Tokens that are verified beside the next one in every step.

    Raises
    ------
    ParameterError
        If a number is out of range, a format not known, or the chip has no peak for the arithmetic.
    """
    split = split or Split(tensor=system.accelerators)
    check_range("pipeline", split.pipeline, 1, 1)
    check_range("sequences", sequences, 1)
    check_range("prompt", prompt, 1)
    check_range("output", output, 1)
    check_range("cached_share", cached_share, 0, 1)
    check_range("drafted", drafted, 0)
    chip, tensor = system.accelerator, split.tensor
    arithmetic = arithmetic or arithmetic_for(weights, chip, model.is_moe)
    wide = chip.peak(arithmetic_for("bf16", chip) if "bf16" in chip.peak_flops else "fp16")
    stored = stored_in(model, weights, dense)
    outer_bits, expert_bits, cache_bits = bits(stored.dense), bits(weights), bits(kv)
    narrow = chip.peak(arithmetic)
    narrow_bits = outer_bits if outer_bits < 16 else expert_bits
    each = maximum(sequences / split.data, 1.0)
    tokens = each * (1 + drafted)
    context = prompt + output / 2 if context is None else context
    expert_flops = 2 * model.experts_per_token * model.expert_bytes / 2
    dense_flops = model.flops_per_token - expert_flops
    wide_flops = minimum(stored.wide_bytes, dense_flops)  # of weights of two bytes, two FLOP a token
    wide_s = wide_flops / tensor / wide
    dense_s = wide_s + (dense_flops - wide_flops) / tensor / (narrow if narrow_bits < 16 else wide)
    fresh = maximum(prompt * (1 - cached_share), 1.0)
    of_experts = split.data / split.expert_shards
    read, moved = _experts_read(model, split, tokens * split.expert_shards / tensor)
    links, fresh_links = _links(model, system, split, tokens), _links(model, system, split, fresh)
    bandwidth = chip.memory_bandwidth
    cache = model.kv_bytes_read(context) * cache_bits / 16 / minimum(tensor, model.kv_heads or tensor)
    cache = cache + model.state_bytes / tensor
    passes = ACTIVATION_PASSES + (QUANTISING_PASSES if bits(arithmetic) < 16 else 0)
    new_maker = 1.0 if "fp4" in chip.peak_flops else 0.0
    other = 0.0 if chip.maker in (None, "Nvidia") else 1.0
    all_pairs = model.prompt_flops(prompt) - model.prompt_flops(prompt - fresh)
    own_pairs = minimum(model.prompt_flops(fresh), all_pairs)
    return Work(
        sequences=each,
        dense_read_s=stored.common_bytes / tensor / bandwidth,
        dense_bits=outer_bits,
        dense_computed_s=tokens * dense_s,
        wide_read_s=stored.wide_bytes / tensor / bandwidth,
        wide_computed_s=tokens * wide_s,
        narrow_bits=narrow_bits,
        expert_read_s=read * stored.expert_bytes / split.expert_tensor / bandwidth,
        expert_bits=expert_bits,
        expert_computed_s=tokens * expert_flops * of_experts / narrow,
        cache_read_s=each * cache / bandwidth,
        cache_bits=cache_bits,
        attention_s=tokens * model.attention_flops(context) / tensor / wide,
        sent_s=links[0],
        passed=links[1],
        messages=links[2],
        activations_s=passes * model.layers * model.hidden_bytes * tokens / bandwidth,
        byte_s=1 / bandwidth,
        layers=model.layers,
        expert_layers=model.moe_layers,
        latent_layers=model.layers if model.decode_flops_per_key > 1.5 * model.prefill_flops_per_key else 0,
        sparse_layers=model.layers if any(reach.values == 0 for reach in model.windows) else 0,
        dense_arithmetic_bits=16.0 if outer_bits == 16 else bits(arithmetic),
        arithmetic_bits=bits(arithmetic),
        prompts=each / output,
        fresh_dense_s=fresh * dense_s,
        fresh_wide_s=fresh * wide_s,
        fresh_expert_s=fresh * expert_flops * of_experts / narrow,
        fresh_attention_s=own_pairs / tensor / wide,
        cached_attention_s=(all_pairs - own_pairs) / tensor / wide,
        fresh_sent_s=fresh_links[0],
        fresh_passed=fresh_links[1],
        held_s=(stored.common_bytes / tensor + moved * model.experts * stored.expert_bytes / split.expert_shards)
        / bandwidth,
        before_fp8=0.0 if "fp8" in chip.peak_flops else 1.0,
        other_now=other * new_maker,
        other_before=other * (1 - new_maker),
    )


def _experts_read(model: ServedModel, split: Split, tokens):
    """Experts that the accelerator with most of them reads, for the step waits for it, and 1 (0 without experts).

    The experts that ``tokens`` touch fall into the groups of expert parallelism as cards into hands. The largest of
    several such counts lies above their mean by a standard deviation times Blom's score (G. Blom, Statistical Estimates
    and Transformed Beta-Variables, 1958), to a tenth of it, and no hand has more than its share of all experts.
    """
    if not model.is_moe:
        return 0.0, 0.0
    groups, experts = split.expert, model.experts
    touched = expected_distinct(experts, model.experts_per_token, 1 + INDEPENDENT * maximum(tokens - 1, 0.0))
    if groups == 1:
        return touched, 1.0
    mean = touched / groups
    variance = mean * (1 - 1 / groups) * (experts - touched) / max(experts - 1, 1)
    score = max(NormalDist().inv_cdf((groups - 0.375) / (groups + 0.25)), 0.0)
    most = maximum(minimum(mean + score * _root(maximum(variance, 0.0)), maximum(experts / groups, 1.0)), 1.0)
    return maximum(most, mean), 1.0


def _links(model: ServedModel, system: System, split: Split, tokens):
    """Seconds at the links' bandwidth, bytes that one accelerator passes on, and messages in a row, for a pass of
    ``tokens``.

    Two all-reduces a layer inside tensor parallelism; with data copies the experts' exchange, there and back, takes the
    place of the second. A message between domains counts for as many as the latencies of the two links are to each
    other.
    """
    near, far = system.scale_up, system.scale_out
    slower = far.latency_s / near.latency_s if far and near.latency_s and far.latency_s else 1.0
    size, spread = tokens * model.hidden_bytes, model.moe_layers if split.data > 1 else 0
    seconds = passed = messages = 0.0

    def add(rounds, size, members):
        nonlocal seconds, passed, messages
        inside = minimum(members, system.domain_size)
        domains = members / inside
        seconds = seconds + rounds * size * (inside - 1) / inside / near.bandwidth
        passed = passed + rounds * size * (inside - 1) / inside
        messages = messages + rounds * minimum(inside - 1, 1)
        if domains > 1:
            seconds = seconds + rounds * size / inside * (domains - 1) / domains / (far or near).bandwidth
            messages = messages + rounds * slower

    add(2 * (2 * model.layers - spread), size, split.tensor)
    if spread:
        add(2 * spread, size * minimum(model.experts_per_token, split.expert) / split.tensor, split.expert_shards)
    return seconds, passed, messages


def terms(constants: Constants, w: Work, *, engine: bool = True) -> Terms:
    """Seconds of a step; without ``engine`` the sum of its kernels, as tools that time kernels report it."""
    k = constants
    weight = _by_width(w.narrow_bits, k.weight, k.weight_8, k.weight_4)
    expert_4 = where(w.arithmetic_bits < 16, k.expert_narrow, k.expert_widened)
    expert = _by_width(w.expert_bits, k.weight, k.expert_narrow, expert_4)
    cache = _by_width(w.cache_bits, k.kv, k.kv_8, k.kv_8)
    expert_rate = _by_width(w.arithmetic_bits, k.compute, k.compute_narrow, k.compute_narrow)
    slower = _slower(k, w)
    dense_read = w.wide_read_s / k.weight + (w.dense_read_s - w.wide_read_s) / weight
    dense_computed = w.wide_computed_s / k.compute + (w.dense_computed_s - w.wide_computed_s) / expert_rate
    dense = _both(dense_read, dense_computed)
    quantised = where(w.dense_arithmetic_bits < 16, k.quantised_layer_s, 0.0)
    layers = w.layers * (k.layer_s + quantised) + w.expert_layers * k.expert_layer_s
    layers = layers + w.sparse_layers * k.sparse_layer_s
    waiting = w.latent_layers * k.latent_layer_bytes + (w.expert_layers * k.engine_layer_bytes if engine else 0.0)
    layers = layers + waiting * w.byte_s
    prompts = 0.0
    if engine:
        beside = _both(dense_read, dense_computed + w.prompts * _dense_prompt_seconds(k, w)) - dense
        prompts = beside + w.prompts * (_other_prompt_seconds(k, w) + k.prompt_s)
    return Terms(
        weights_s=slower * dense,
        experts_s=slower * (w.expert_read_s / expert + w.expert_computed_s / expert_rate),
        cache_s=slower * _both(w.cache_read_s / cache, w.attention_s / k.compute),
        links_s=slower * (w.sent_s / k.link + w.passed / k.passing_rate + w.messages * k.message_s),
        layers_s=slower * (layers + w.activations_s),
        host_s=slower * (k.host_s + w.sequences * k.sequence_s) if engine else 0.0,
        prompts_s=slower * prompts,
    )


def _by_width(width, wide, eight, four):
    return where(width < 6, four, where(width < 12, eight, wide))


def _both(reading, computing):
    """Root of the sum of squares: large products hide part of their arithmetic behind reading."""
    return _root(reading * reading + computing * computing)


def _root(value):
    """Square root, of a float rounded as it is everywhere; powers are not."""
    return sqrt(value) if isinstance(value, float) else value**0.5


def _slower(k: Constants, w: Work):
    """Factor on all times for the chip's maker and generation."""
    other = where(w.other_before > 0, k.other_before, where(w.other_now > 0, k.other_maker, 1.0))
    return other * where(w.before_fp8 > 0, k.before_fp8, 1.0)


def _dense_prompt_seconds(k: Constants, w: Work):
    """Seconds that the reading of one prompt takes in the dense matrices."""
    rate = _by_width(w.arithmetic_bits, k.prompt_16, k.prompt_8, k.prompt_4)
    return w.fresh_wide_s / k.prompt_16 + (w.fresh_dense_s - w.fresh_wide_s) / rate


def _other_prompt_seconds(k: Constants, w: Work):
    """Seconds that the reading of one prompt takes outside the dense matrices."""
    rate = _by_width(w.arithmetic_bits, k.prompt_16, k.prompt_8, k.prompt_4)
    sent = w.fresh_sent_s / k.link + w.fresh_passed / k.passing_rate
    return w.fresh_expert_s / rate + (w.fresh_attention_s + w.cached_attention_s) / k.prompt_16 + sent


def scheme(model: ServedModel, weights: str) -> str:
    """In which scheme weights are counted: as a checkpoint calls it, else the format's name."""
    return stored_in(model, weights).scheme or weights


def held_bytes(model: ServedModel, weights: str) -> float:
    """All weights of one copy of a model as they are stored in a format, byte."""
    stored = stored_in(model, weights)
    return stored.common_bytes + stored.lookup_bytes + model.experts * stored.expert_bytes


def sequences_held(
    model: ServedModel,
    system: System,
    context,
    split: Split | None = None,
    *,
    weights: str = "bf16",
    kv: str = "bf16",
    dense: str | None = None,
):
    """Sequences of a mean ``context`` that fit beside the weights; 0 or less where the weights alone do not."""
    split = split or Split(tensor=system.accelerators)
    tensor, memory = split.tensor, system.accelerator.memory_bytes
    stored = stored_in(model, weights, dense)
    sizes = {name: getattr(stored, name) for name in ("common_bytes", "expert_bytes", "lookup_bytes", "padding")}
    held = weight_bytes_per_accelerator(
        stored.common_bytes + stored.lookup_bytes, model.experts * stored.expert_bytes, split
    )
    free = memory - reserve_bytes(replace(model, **sizes), memory, split) - held
    each = model.kv_bytes(context) * bits(kv) / 16 / minimum(tensor, model.kv_heads or tensor)
    each = each + model.state_bytes / tensor
    return split.data * where(each > 0, free / where(each > 0, each, 1.0), where(free > 0, inf, -1.0))


def sequences_running(
    model: ServedModel, system: System, concurrency, context, split: Split | None = None, **formats: str | None
):
    """Sequences that run of ``concurrency``: all, or as many as memory holds, and one on each copy at least.

    Where the weights alone do not fit, a time can only say what if, and all run.
    """
    split = split or Split(tensor=system.accelerators)
    held = sequences_held(model, system, context, split, **formats)
    return minimum(concurrency, where(held > 0, maximum(held, 1.0 * split.data), inf))


def forecast(
    model: ServedModel,
    system: System,
    concurrency,
    prompt,
    output,
    split: Split | None = None,
    *,
    weights: str = "bf16",
    arithmetic: str | None = None,
    kv: str | None = None,
    dense: str | None = None,
    cached_share=0.0,
    drafted=0,
    acceptance=0.7,
    using: Constants | None = None,
) -> Forecast:
    """A service of ``concurrency`` users at a time; broadcasts over users and lengths.

    Parameters
    ----------
    kv
        Format of the cache; None: :func:`cache_for`.
    drafted, acceptance
        Tokens drafted for each step, by a layer of the model's own kind, and the chance that one is accepted.
    using
        Constants; None: those of :func:`constants`.

    Other parameters and errors are those of :func:`work`. A model that does not fit is timed all the same.
    """
    k = using or constants()
    check_range("concurrency", concurrency, 1)
    split = split or Split(tensor=system.accelerators)
    arithmetic = arithmetic or arithmetic_for(weights, system.accelerator, model.is_moe)
    kv = kv or cache_for(weights)
    formats = {"weights": weights, "kv": kv, "dense": dense}
    running = sequences_running(model, system, concurrency, prompt + output / 2, split, **formats)
    w = work(
        model,
        system,
        running,
        prompt,
        output,
        split,
        arithmetic=arithmetic,
        cached_share=cached_share,
        drafted=drafted,
        **formats,
    )
    step = terms(k, w)
    yielded = expected_tokens(acceptance, drafted)
    drafting = 1 + drafted / maximum(model.layers, 1)
    floor = _step_floor(model, w, weights, running, split, system) / yielded
    tpot = maximum(step.decode_s * drafting / yielded + step.prompts_s, floor)
    first_floor = w.fresh_dense_s - w.fresh_wide_s * (1 - w.arithmetic_bits / 16) + w.fresh_expert_s
    first = maximum(_first_token(k, w), first_floor)
    queue = (concurrency - running) / running * output * tpot
    request = first + queue + output * tpot
    share = step.prompts_s / tpot
    cached = w.prompts * w.cached_attention_s / k.prompt_16 * _slower(k, w)
    busy = request / concurrency
    return Forecast(
        tpot_s=tpot,
        ttft_s=first + queue,
        tpot_floor_s=floor,
        ttft_floor_s=first_floor,
        queue_s=queue,
        sequences=running,
        requests_per_s=1 / busy,
        fresh_s=busy * (share - cached / tpot),
        cached_s=busy * cached / tpot,
        busy_s=busy,
        terms=step,
    )


def _first_token(k: Constants, w: Work):
    """Seconds to the first token without a queue: fixed times, and a prompt whose steps other prompts share."""
    reading = _dense_prompt_seconds(k, w) + _other_prompt_seconds(k, w) + w.held_s / k.weight
    others = 1 + k.first_other * (w.sequences - 1)
    layers = (w.layers + w.expert_layers) * k.first_layer_s
    return k.first_s + _slower(k, w) * (layers + k.first_work * reading * others)


def _step_floor(model: ServedModel, w: Work, weights: str, sequences, split: Split, system: System):
    """Seconds below which no step is: its longest term at all efficiencies one, every format as narrow as it may be.

    Outside routed experts that are the values alone, in the format of the experts.
    """
    values = model.common_bytes * bits(weights) / 16 / split.tensor / system.accelerator.memory_bandwidth
    narrowest = minimum(w.dense_read_s, values)
    experts = 0.0
    if model.is_moe:
        pooled = maximum(sequences / split.data, 1.0) * split.expert_shards / split.tensor
        touched = expected_distinct(model.experts, model.experts_per_token, 1 + INDEPENDENT * maximum(pooled - 1, 0.0))
        one = stored_in(model, weights).expert_bytes / system.accelerator.memory_bandwidth
        experts = touched * one / split.expert_shards
    dense = w.dense_computed_s - w.wide_computed_s * (1 - w.arithmetic_bits / 16)
    computed = dense + w.expert_computed_s + w.attention_s * w.arithmetic_bits / 16
    return maximum(maximum(narrowest + experts + w.cache_read_s, computed), w.sent_s)
