"""What fits: one rule for command line, search, services and chapters.

An engine fills a share of the memory. Beside weights and cache it needs room for its largest pass, which is either the
activations of a prompt's chunk or the sampling of one token for each sequence, whichever is more (the two are not alive
at once); and for itself: a context, communication buffers, workspaces. The constants come from logs of engines
(``data/memory_cases.csv``, :mod:`llm_economics.evidence.memory`). Bytes throughout; numbers or arrays.
"""

from __future__ import annotations

from typing import Any

from llm_economics.formulas.elementwise import floor, maximum, minimum, where
from llm_economics.formulas.parallelism import Split, kv_shards, weight_bytes_per_accelerator
from llm_economics.formulas.records import record
from llm_economics.formulas.serving import ServedModel

MEMORY_SHARE = 0.9
"""Share of the memory that an engine fills."""
PASS_TOKENS = 8192
"""Tokens of the largest pass, for which activations have room (longer prompts are read in chunks)."""
HIDDEN_STATES = 3
"""Hidden states of one token that are alive in a layer beside its MLP: residual, norm, input."""
WIDTHS = 3
"""Widths of the MLP that are alive at once: gate, up and their product."""
WIDTHS_UNKNOWN = 12
"""The same in hidden states, of a model whose widths are not known: an MLP of four."""
SAMPLING_BYTES = 39
"""A sequence's logits take so many bytes a word: 16 and 32 bits, sorted with their places, probabilities, sums."""
SEQUENCES = (256, 1024)
"""Sequences that an engine samples at once, on a small and on a large accelerator (defaults of vLLM since 0.8)."""
LARGE = (60 * 2**30, 70 * 2**30)
"""Memory up to which an accelerator is small, and from which it is large."""
ENGINE_BYTES = 0.3e9
"""What an engine keeps on each accelerator beside all that."""
LINK_BYTES = (0.2e9, 2e9)
"""Communication buffers of an accelerator in a group, small and large (that have the faster links)."""


def between(memory_bytes, small: float, large: float) -> Any:
    """A quantity that is ``small`` on small accelerators and ``large`` on large ones, in proportion in between."""
    part = (memory_bytes - LARGE[0]) / (LARGE[1] - LARGE[0])
    return small + (large - small) * minimum(maximum(part, 0.0), 1.0)


def activation_bytes(model: ServedModel, split: Split, pass_tokens=PASS_TOKENS) -> Any:
    """Activations of the largest pass on one accelerator.

    Hidden states are not divided by tensor parallelism, the MLP's widths are. A token passes through all its experts
    at once, each with an output of its own.
    """
    hidden, shares = model.hidden_bytes, model.shares
    expert = 2.0 * WIDTHS * max(shares.expert_widths, default=0) / split.expert_tensor + hidden
    inside = model.experts_per_token * expert if shares.expert_widths else 0.0
    if shares.widths:
        inside = maximum(inside, 2.0 * WIDTHS * max(shares.widths) / split.tensor)
    elif not shares.expert_widths:
        inside = WIDTHS_UNKNOWN * hidden / split.tensor
    return pass_tokens * (HIDDEN_STATES * hidden + inside)


def sampling_bytes(model: ServedModel, sequences) -> Any:
    """Buffers for one token of ``sequences``: the logits are whole on each accelerator, at any split."""
    return SAMPLING_BYTES * sequences * float(model.shares.vocabulary)


def engine_bytes(memory_bytes, split: Split) -> Any:
    """What an engine keeps for itself; no more than a tenth of the memory, so that a small chip is not all engine."""
    links = where((split.tensor > 1) | (split.expert > 1), between(memory_bytes, *LINK_BYTES), 0.0)
    return minimum(ENGINE_BYTES + links, 0.1 * memory_bytes)


def loaded_bytes(model: ServedModel, split: Split) -> Any:
    """Weights of one accelerator as an engine loads them: as stored, and what its kernels pad."""
    common, experts = model.common_bytes + model.lookup_bytes, model.experts * model.expert_bytes
    return weight_bytes_per_accelerator(common, experts * (1 + model.padding), split)


def reserve_bytes(
    model: ServedModel,
    memory_bytes,
    split: Split | None = None,
    share=MEMORY_SHARE,
    *,
    pass_tokens=PASS_TOKENS,
    sequences=None,
    engine=None,
) -> Any:
    """Memory of one accelerator that weights and cache may not use, byte.

    Parameters
    ----------
    memory_bytes
        Memory of one accelerator.
    share
        Of it, what the engine fills.
    pass_tokens
        Tokens of the largest pass.
    sequences
        Sequences that are sampled at once. None: as many as engines do on such an accelerator, but where sampling
        would take more than half of what the weights leave, fewer, down to those of a small one: whoever runs it
        lowers the limit before buying another card.
    engine
        What the engine keeps for itself, links among it; None: :func:`engine_bytes`.
    """
    split = split or Split()
    padding = loaded_bytes(model, split) - _stored_bytes(model, split)
    kept = padding + (engine_bytes(memory_bytes, split) if engine is None else engine)
    activations = activation_bytes(model, split, pass_tokens)
    if sequences is not None:
        largest = maximum(activations, sampling_bytes(model, sequences))
    else:
        left = share * memory_bytes - kept - _stored_bytes(model, split)
        most = sampling_bytes(model, between(memory_bytes, *SEQUENCES))
        least = maximum(activations, sampling_bytes(model, SEQUENCES[0]))
        largest = minimum(maximum(activations, most), maximum(least, left / 2))
    return (1 - share) * memory_bytes + kept + largest


def _stored_bytes(model: ServedModel, split: Split) -> Any:
    common, experts = model.common_bytes + model.lookup_bytes, model.experts * model.expert_bytes
    return weight_bytes_per_accelerator(common, experts, split)


@record
class Room:
    """What one accelerator has left for the cache, byte, and how many tokens of cache the whole instance holds."""

    free_bytes: Any
    tokens: Any


def room(model: ServedModel, memory_bytes, split: Split, context, reserve) -> Room:
    """What remains of ``memory_bytes`` (one accelerator) beside weights and ``reserve``.

    ``tokens`` are those of sequences of ``context`` tokens; layers with a window keep no more than it holds.
    """
    free = memory_bytes - reserve - _stored_bytes(model, split)
    sequence = model.kv_bytes(context)
    each = sequence / context * split.fullest / (split.pipeline * kv_shards(split, model.kv_heads))
    return Room(free, floor(maximum(free, 0.0) / each) * split.data if each > 0 else float("inf"))
