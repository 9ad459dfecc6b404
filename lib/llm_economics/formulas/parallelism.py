"""Splitting a model over accelerators: what each one holds, and what it sends over which link.

Sizes are bytes, times seconds, bandwidths byte/s of one accelerator in one direction. Splits are
even unless a :class:`Split` says how much more its fullest stage or its padded parts hold.

Every function stops with a one-line ``ParameterError`` where a count, size or name is not allowed.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from llm_economics.formulas.elementwise import (
    ParameterError,
    ceil,
    check_choice,
    check_range,
    every,
    maximum,
    minimum,
    where,
)
from llm_economics.formulas.hardware import Link
from llm_economics.formulas.records import record


@record
class Split:
    """How a model is divided; numbers or arrays.

    Parameters
    ----------
    tensor
        Accelerators that share each matrix of attention, dense MLPs and output head.
    pipeline
        Stages that the layers are divided into.
    data
        Copies of attention and dense parts, each with its own sequences.
    expert, expert_tensor
        Groups among which the experts of a layer are dealt out, and accelerators that share each
        expert. They are drawn from the tensor × data accelerators of a stage. By default
        ``expert_tensor`` is what tensor parallelism leaves: tensor ÷ expert, at least 1.
    fullest
        Layers of the fullest stage ÷ the mean (:func:`splits.fullest_stage`): it decides memory and time.
    padded
        Parts of attention and dense layers with their padding ÷ without (:meth:`splits.Shares.padded`).
    """

    tensor: Any = 1
    pipeline: Any = 1
    data: Any = 1
    expert: Any = 1
    expert_tensor: Any = None
    fullest: Any = 1.0
    padded: Any = 1.0

    def __post_init__(self) -> None:
        for name in ("tensor", "pipeline", "data", "expert", "fullest", "padded"):
            object.__setattr__(self, name, check_range(name, getattr(self, name), 1))
        if self.expert_tensor is None:
            object.__setattr__(self, "expert_tensor", maximum(1.0, self.tensor / self.expert))
        check_range("expert_tensor", self.expert_tensor, 1)
        shards = self.expert_shards
        if not every((shards >= self.tensor * (1 - 1e-9)) & (shards <= self.tensor * self.data * (1 + 1e-9))):
            raise ParameterError(
                f"expert x expert_tensor = {shards} is not allowed: it must be within tensor = {self.tensor} "
                f"and tensor x data = {self.tensor * self.data}"
            )

    @cached_property
    def accelerators(self):
        """Accelerators in all: tensor × pipeline × data."""
        return self.tensor * self.pipeline * self.data

    @cached_property
    def expert_shards(self):
        """Accelerators over which the experts of one layer are spread."""
        return self.expert * self.expert_tensor


def weight_bytes_per_accelerator(dense_bytes, expert_bytes, split: Split):
    """Weights that one accelerator holds, byte.

    Parameters
    ----------
    dense_bytes, expert_bytes
        All weights outside routed experts, and all routed experts of the model, byte.
    """
    check_range("dense_bytes", dense_bytes, 0)
    check_range("expert_bytes", expert_bytes, 0)
    dense = dense_bytes * (split.padded / split.tensor)
    return (dense + expert_bytes / split.expert_shards) * (split.fullest / split.pipeline)


def kv_shards(split: Split, kv_heads=None):
    """Accelerators of one stage among which the KV cache of a sequence is divided.

    Tensor parallelism divides it by heads, so beyond ``kv_heads`` copies are held (one head with
    multi-query and latent attention). None divides it without limit, as a split by sequences or
    positions does (Pope et al. 2022, section 3.3).
    """
    return split.tensor if kv_heads is None else minimum(split.tensor, check_range("kv_heads", kv_heads, 1))


def kv_bytes_per_accelerator(kv_bytes, split: Split, kv_heads=None):
    """KV cache that one accelerator holds, byte, of ``kv_bytes`` for all sequences of all data copies."""
    check_range("kv_bytes", kv_bytes, 0)
    return kv_bytes * split.fullest / (split.data * split.pipeline * kv_shards(split, kv_heads))


@record
class TrainingState:
    """Bytes that training keeps on one accelerator, activations apart."""

    weights: Any
    gradients: Any
    optimizer: Any

    @property
    def total(self):
        """All three, byte."""
        return self.weights + self.gradients + self.optimizer


def training_state(parameters, data=1, zero_stage: int = 0, *, weight=2.0, gradient=2.0, optimizer=12.0):
    """Weights, gradients and optimizer state on one accelerator, byte (Rajbhandari et al. 2020, section 3).

    Parameters
    ----------
    parameters
        Parameters that one accelerator works on, after tensor and pipeline parallelism.
    data
        Data-parallel degree over which a stage divides what it divides.
    zero_stage
        0 nothing, 1 the optimizer state, 2 the gradients too, 3 the weights too.
    weight, gradient, optimizer
        Bytes per parameter: mixed-precision Adam keeps 2 + 2 + 12 (a 32-bit copy and two moments).
    """
    check_range("parameters", parameters, 0, open_low=True)
    check_range("data", data, 1)
    check_choice("zero_stage", zero_stage, (0, 1, 2, 3))
    return TrainingState(
        parameters * weight / (data if zero_stage >= 3 else 1),
        parameters * gradient / (data if zero_stage >= 2 else 1),
        parameters * optimizer / (data if zero_stage >= 1 else 1),
    )


RECOMPUTE = ("none", "selective", "full")


def activation_bytes_per_layer(
    sequence, batch, hidden, heads, *, tensor=1, sequence_parallel: bool = False, recompute: str = "none"
):
    """16-bit activations that one layer keeps for its backward pass on one accelerator, byte.

    Korthikanti et al. (2022), table 2: sbh (34 + 5as/h) for a multi-head layer with a 4h MLP and
    dropout; ``selective`` recomputes the attention scores, ``full`` keeps the layer's input alone.
    For all layers of the first pipeline stage under 1F1B, multiply by the layers of the model.

    Parameters
    ----------
    sequence, batch, hidden, heads
        Tokens per sequence, sequences per microbatch, features, attention heads.
    """
    for name, value in (("sequence", sequence), ("batch", batch), ("hidden", hidden), ("heads", heads)):
        check_range(name, value, 1)
    check_range("tensor", tensor, 1)
    check_choice("recompute", recompute, RECOMPUTE)
    values = sequence * batch * hidden
    if recompute == "full":
        return 2.0 * values
    scores = 5.0 * heads * sequence / hidden if recompute == "none" else 0.0
    if sequence_parallel:
        return values * (34.0 + scores) / tensor
    return values * (10.0 + (24.0 + scores) / tensor)


def bubble_over_ideal(stages, microbatches, interleave=1):
    """Idle time of a pipeline ÷ its busy time, (p-1)/(v m) (Narayanan et al. 2021, section 2.2)."""
    check_range("stages", stages, 1)
    check_range("microbatches", microbatches, 1)
    check_range("interleave", interleave, 1)
    return (stages - 1) / (interleave * microbatches)


def bubble_share_of_time(stages, microbatches, interleave=1):
    """Idle time of a pipeline ÷ all of its time, (p-1)/(v m + p-1): the share that utilisation loses."""
    overhead = bubble_over_ideal(stages, microbatches, interleave)
    return overhead / (1 + overhead)


_ROUNDS = {"all-reduce": 2.0, "all-gather": 1.0, "reduce-scatter": 1.0, "all-to-all": 1.0, "point-to-point": 1.0}
COLLECTIVES = tuple(_ROUNDS)
ALGORITHMS = ("direct", "ring")


@record
class Transfer:
    """What one accelerator sends in a collective operation: byte, messages in a row, s."""

    bytes_sent: Any
    steps: Any
    seconds: Any


def collective(kind: str, size, members, link: Link, *, algorithm: str = "direct") -> Transfer:
    """One collective among ``members`` accelerators over one link: bytes ÷ bandwidth + steps × latency.

    Each sends (n-1)/n of ``size``, twice for an all-reduce, which is a reduce-scatter and an
    all-gather (Thakur, Rabenseifner and Gropp 2005); point to point sends all of it once.

    Parameters
    ----------
    size
        Bytes that each member holds: before an all-reduce, reduce-scatter, all-to-all or message,
        after an all-gather.
    algorithm
        ``ring`` passes n-1 messages in a row per round, ``direct`` (through a switch) one.
    """
    rounds = _ROUNDS[check_choice("kind", kind, COLLECTIVES)]
    check_choice("algorithm", algorithm, ALGORITHMS)
    check_range("size", size, 0)
    check_range("members", members, 1)
    others = members - 1
    several = minimum(others, 1)
    sent = rounds * several * size if kind == "point-to-point" else rounds * others / members * size
    steps = rounds * (others if algorithm == "ring" and kind != "point-to-point" else several)
    return Transfer(sent, steps, sent / link.bandwidth + steps * link.latency_s)


def group_seconds(
    kind: str, size, members, domain_size, scale_up: Link, scale_out: Link | None = None, *, algorithm: str = "direct"
):
    """Seconds of a collective whose members may lie in several domains of the fast link.

    Groups fill domains. Reductions and gathers run inside each domain, then between domains on the
    1/d of the data that each of d members is left with; an all-to-all sends to both at once, and the
    slower counts; a point-to-point message crosses if the group does.
    """
    inside = minimum(members, check_range("domain_size", domain_size, 1))
    domains = ceil(members / inside)
    if scale_out is None:
        if not every(domains <= 1):
            raise ParameterError(
                f"scale_out = None is not allowed: a group of {members} spans domains of {domain_size}"
            )
        return collective(kind, size, inside, scale_up, algorithm=algorithm).seconds
    if kind == "point-to-point":
        near = collective(kind, size, members, scale_up).seconds
        return where(domains > 1, collective(kind, size, members, scale_out).seconds, near)
    if kind == "all-to-all":
        near = collective(kind, size / domains, inside, scale_up, algorithm=algorithm).seconds
        return maximum(near, collective(kind, size, domains, scale_out, algorithm=algorithm).seconds)
    near = collective(kind, size, inside, scale_up, algorithm=algorithm).seconds
    return near + collective(kind, size / inside, domains, scale_out, algorithm=algorithm).seconds
