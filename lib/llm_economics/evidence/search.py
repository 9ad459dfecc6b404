"""Every way to serve a model on a system, and the frontier of speed per user against throughput per accelerator.

A configuration is a precision, a layout (tensor, pipeline, data and expert parallelism) and a batch. Times come
from :func:`serving.decode` and :func:`serving.prefill`, memory from :func:`serving.capacity`, on arrays of
configurations, chunk by chunk, so that memory does not grow with their number.

What the words mean here:

- An *instance* is one copy of the served model: tensor × pipeline × data accelerators, at most those of the system.
  Rates are per accelerator of an instance: many such systems run side by side, so shares need not be whole numbers.
- *Speed per user* is 1 ÷ TPOT, and TPOT the mean time between a user's tokens.
- *Throughput per accelerator* counts output tokens, and all accelerators: those that read the prompts too.
  Disaggregated, prefill has accelerators of its own, as many as keep up (:math:`1/r = 1/r_{decode} + s/o` with s
  accelerator-seconds for each prompt and o output tokens), in the layout that reads most prompts per accelerator
  within the limit on TTFT. Co-located, each prompt stops its instance's decoding for as long as it takes to read:
  all its users wait, TPOT includes it, and TTFT is that of the same layout.
- *TTFT* is the time to read the prompt, without queueing; disaggregated, also to send its KV cache on.
- The KV cache has to fit at the full context (input + output); a decode step is timed at the mean one
  (input + output ÷ 2).

Only splits that exist are searched: tensor degrees divide the model's heads, widths and padded vocabulary and go with
its key-value heads, experts are dealt out whole, stages hold whole layers and the fullest decides, groups fit into the
machine (:mod:`splits`). Of a model of bare counts, whose heads are not known, powers of two are tried.

Not modelled: queues, uneven loads of experts, speculative decoding, prompts divided over pipeline stages. A data copy
without experts to share is nothing but another instance, so dense models have none; copies of one instance always
share all of its experts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from llm_economics.formulas import serving
from llm_economics.formulas.elementwise import ParameterError, check_choice, check_range
from llm_economics.formulas.hardware import System
from llm_economics.formulas.memory import MEMORY_SHARE, PASS_TOKENS, reserve_bytes
from llm_economics.formulas.parallelism import Split, kv_shards
from llm_economics.formulas.serving import ServedModel
from llm_economics.formulas.splits import fullest_stage, in_machine

if TYPE_CHECKING:
    import pandas

BINDS = ("weights", "kv cache", "compute", "link", "overhead")
"""What the longest part of a decode step is spent on; reading is split into weights and KV cache."""
CHUNK = 1 << 16
"""Configurations that are evaluated at once."""


class InfeasibleError(ParameterError):
    """No configuration keeps the limits; the line says which limit was in the way and by how much."""


@dataclass(frozen=True)
class Workload:
    """Tokens of a prompt and of its answer."""

    input_tokens: float
    output_tokens: float

    def __post_init__(self) -> None:
        check_range("input_tokens", self.input_tokens, 1)
        check_range("output_tokens", self.output_tokens, 1)

    @property
    def full_context(self) -> float:
        """Tokens at the end of an answer: what the KV cache has to hold."""
        return self.input_tokens + self.output_tokens

    @property
    def mean_context(self) -> float:
        """Tokens in the middle of an answer: what a decode step reads."""
        return self.input_tokens + self.output_tokens / 2


@dataclass(frozen=True)
class Limits:
    """The longest time per output token and to the first token that a user accepts, s; infinite if not given."""

    max_tpot_s: float = math.inf
    max_ttft_s: float = math.inf

    def __post_init__(self) -> None:
        check_range("max_tpot_s", self.max_tpot_s, 0, open_low=True)
        check_range("max_ttft_s", self.max_ttft_s, 0, open_low=True)


@dataclass(frozen=True)
class Assumptions:
    """What a data sheet does not say. The defaults are those of the book's chapters.

    Parameters
    ----------
    bandwidth_efficiency, compute_efficiency, link_efficiency
        Shares of the peaks that are reached; all at 1 with ``overlap=1`` give a floor. The link's latency stays.
    prefill_efficiency
        Share of the peak compute in prefill; None: as ``compute_efficiency``.
    bound, overlap
        Whether reading and computing overlap (``max``) or not (``sum``), and which share of the communication may
        run beside them, as in :func:`serving.roofline`.
    overhead_per_layer_s
        Time that each layer of a step takes whatever its size (kernel launches), s.
    memory_share
        Share of the memory that an engine may fill.
    pass_tokens, sequences, engine_bytes
        Tokens of the largest pass, for which activations have room (longer prompts are read in chunks), sequences that
        are sampled at once, and what the engine keeps for itself on each accelerator; None: as engines usually do, see
        :func:`memory.reserve_bytes`.
    algorithm
        Of collectives, as in :func:`parallelism.collective`.
    """

    bandwidth_efficiency: float = 0.70
    compute_efficiency: float = 0.40
    link_efficiency: float = 1.0
    prefill_efficiency: float | None = None
    bound: str = "max"
    overlap: float = 0.0
    overhead_per_layer_s: float = 0.0
    memory_share: float = MEMORY_SHARE
    pass_tokens: int = PASS_TOKENS
    sequences: int | None = None
    engine_bytes: float | None = None
    algorithm: str = "direct"

    def __post_init__(self) -> None:
        for name in ("bandwidth_efficiency", "compute_efficiency", "link_efficiency", "memory_share"):
            check_range(name, getattr(self, name), 0, 1, open_low=True)
        if self.prefill_efficiency is not None:
            check_range("prefill_efficiency", self.prefill_efficiency, 0, 1, open_low=True)
        check_choice("bound", self.bound, serving.BOUNDS)
        check_range("overlap", self.overlap, 0, 1)
        check_range("overhead_per_layer_s", self.overhead_per_layer_s, 0)
        check_range("pass_tokens", self.pass_tokens, 1)
        for name in ("sequences", "engine_bytes"):
            if getattr(self, name) is not None:
                check_range(name, getattr(self, name), 0)

    def roof(self, *, prefill: bool = False) -> dict[str, Any]:
        """Keyword arguments of :func:`serving.decode` or :func:`serving.prefill`."""
        compute = self.prefill_efficiency if prefill and self.prefill_efficiency else self.compute_efficiency
        return {
            "bandwidth_efficiency": self.bandwidth_efficiency,
            "compute_efficiency": compute,
            "bound": self.bound,
            "overlap": self.overlap,
            "algorithm": self.algorithm,
        }

    def slowed(self, system: System) -> System:
        """The system with links at the bandwidth that they reach."""
        up, out = (
            link and replace(link, bandwidth=link.bandwidth * self.link_efficiency)
            for link in (system.scale_up, system.scale_out)
        )
        return replace(system, scale_up=up, scale_out=out)


FLOOR = Assumptions(1.0, 1.0, 1.0, overlap=1.0, memory_share=1.0, sequences=0, engine_bytes=0.0)
"""Nothing is faster than this: full peaks, everything overlaps, all memory but for activations may be filled."""


# ---------------------------------------------------------------------------------------------------------------------
# The space


@dataclass(frozen=True)
class Layouts:
    """Layouts, one an element; ``expert_tensor`` accelerators share each expert.

    ``fullest`` and ``padded`` are those of :class:`parallelism.Split`.
    """

    tensor: np.ndarray
    pipeline: np.ndarray
    data: np.ndarray
    expert: np.ndarray
    fullest: np.ndarray
    padded: np.ndarray

    def __len__(self) -> int:
        return len(self.tensor)

    def __getitem__(self, chosen: Any) -> Layouts:
        return Layouts(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @property
    def accelerators(self) -> np.ndarray:
        """Accelerators of an instance."""
        return self.tensor * self.pipeline * self.data

    @property
    def groups(self) -> np.ndarray:
        """Microbatches in flight on all copies: sequences of an instance ÷ those of one microbatch."""
        return self.pipeline * self.data

    @property
    def expert_tensor(self) -> np.ndarray:
        """Accelerators that share each expert."""
        return self.tensor * self.data / self.expert

    @property
    def split(self) -> Split:
        """The layouts as the rooms below take them."""
        return Split(
            self.tensor,
            self.pipeline,
            self.data,
            self.expert,
            expert_tensor=self.expert_tensor,
            fullest=self.fullest,
            padded=self.padded,
        )

    def column(self) -> Layouts:
        """As columns, to broadcast against a row of batches."""
        return self[:, None]


@dataclass(frozen=True)
class Space:
    """Layouts × batches × precisions, never written out.

    ``batches`` are sequences of one microbatch of one data copy, ascending; an instance holds pipeline × data times
    as many. ``rejected`` counts layouts that cannot be: too many accelerators, more stages than layers,
    accelerators that cannot be dealt out to the expert groups, parts that engines do not divide a model into.
    """

    layouts: Layouts
    batches: np.ndarray
    precisions: tuple[str, ...]
    rejected: int = 0

    def __len__(self) -> int:
        return len(self.layouts) * len(self.batches) * len(self.precisions)

    def chunks(self, rows: Layouts, size: int) -> Iterator[tuple[slice, slice]]:
        """Slices of ``rows`` and of batches that hold at most ``size`` configurations."""
        wide = min(len(self.batches), size)
        tall = max(1, size // wide)
        for top in range(0, len(rows), tall):
            for left in range(0, len(self.batches), wide):
                yield slice(top, top + tall), slice(left, left + wide)


def degrees(accelerators: int) -> list[int]:
    """Degrees worth trying: powers of two up to, and divisors of, a number of accelerators."""
    powers = {2**i for i in range(accelerators.bit_length()) if 2**i <= accelerators}
    return sorted(powers | {d for d in range(1, accelerators + 1) if accelerators % d == 0})


def batch_grid(most: int, ratio: float = 1.05) -> np.ndarray:
    """Whole numbers from 1 to ``most``, each about ``ratio`` times the one before."""
    steps = math.ceil(math.log(max(most, 1)) / math.log(ratio)) + 1
    return np.unique(np.minimum(np.round(ratio ** np.arange(steps)), most))


def space(
    models: Mapping[str, ServedModel] | ServedModel,
    system: System,
    *,
    tensor: Iterable[int] | None = None,
    pipeline: Iterable[int] | None = None,
    data: Iterable[int] | None = None,
    expert: Iterable[int] | None = None,
    batch: Iterable[int] | None = None,
    allow_padding: bool = False,
) -> Space:
    """All combinations of the given degrees that a system has accelerators for.

    Parameters
    ----------
    models
        The model at each precision of arithmetic that is to be tried, as for :func:`search`.
    tensor, pipeline, data
        Degrees; None: :func:`degrees` (``data`` of a dense model: 1).
    expert
        Groups that the experts are dealt out to; None: divisors of the number of experts.
    batch
        Sequences of one microbatch of one copy; None: :func:`batch_grid` up to 8,192.
    allow_padding
        Also layouts that only some engines take, with padded heads and widths.
    """
    models = _by_precision(models)
    model = next(iter(models.values()))
    tried = degrees(int(system.accelerators))
    halves = [degree for degree in tried if model.shares.known or degree & (degree - 1) == 0]
    experts = int(model.experts) if model.is_moe else 1
    given = [
        halves if tensor is None else tensor,
        tried if pipeline is None else pipeline,
        (tried if model.is_moe else [1]) if data is None else data,
        [e for e in range(1, experts + 1) if experts % e == 0] if expert is None else expert,
    ]
    columns = [
        _whole(name, values) for name, values in zip(("tensor", "pipeline", "data", "expert"), given, strict=True)
    ]
    batches = batch_grid(8192) if batch is None else _whole("batch", batch)
    rows = _combinations(
        tuple(tuple(column.tolist()) for column in columns),
        system.accelerators,
        model.layers,
        experts,
        model.is_moe,
    )
    layouts = _existing(models, system, rows.astype(float), allow_padding)
    rejected = math.prod(len(column) for column in columns) - len(layouts)
    return Space(layouts, batches, tuple(models), rejected)


def _existing(models: Mapping[str, ServedModel], system: System, rows: np.ndarray, padding: bool) -> Layouts:
    """Those of ``rows`` that fit into the machine and that engines divide one of the models into."""
    model = next(iter(models.values()))
    t, p, d, _ = rows.T
    layouts = Layouts(*rows.T, fullest_stage(model.layers, p) * np.ones(len(rows)), np.ones(len(rows)))
    kept = in_machine(t, t * p * d, system.accelerators, system.domain_size)
    divided = np.zeros(len(rows), dtype=bool)
    for shares in {model.shares for model in models.values()}:
        divided |= np.broadcast_to(shares.divided(t, layouts.expert_tensor), divided.shape)
    if padding and model.shares.known:
        extra = model.shares.paddable(t) & ~divided
        layouts = replace(layouts, padded=np.where(extra, model.shares.padded(t), 1.0))
        divided |= extra
    return layouts[kept & divided]


@lru_cache(maxsize=64)
def _combinations(degrees: tuple, accelerators: float, layers: float, experts: int, is_moe: bool) -> np.ndarray:
    """Tensor, pipeline, data and expert degrees that suit a system and a model, one combination a row."""
    tensor, *further, groups = (np.array(column) for column in degrees)
    kept = tensor[:, None]
    for degree in further:  # one at a time, so that no combination beyond the system is ever held
        most = accelerators // kept.prod(axis=1)
        kept = np.concatenate([np.column_stack([kept[most >= d], np.full((most >= d).sum(), d)]) for d in degree])
    if layers:
        kept = kept[kept[:, 1] <= layers]
    t, _, d = kept.T
    rows = np.concatenate(
        [
            np.column_stack([kept, np.full(len(kept), e)])[(e <= experts) & (t * d % e == 0) & (experts % e == 0)]
            for e in groups
        ]
    )
    if not is_moe:
        rows = rows[rows[:, 2] == 1]
    rows.setflags(write=False)
    return rows


def _whole(name: str, values: Iterable[int]) -> np.ndarray:
    found = np.unique(np.asarray(list(values) if not isinstance(values, (range, np.ndarray)) else values, dtype=float))
    if not len(found):
        raise ParameterError(f"{name} = [] is not allowed: at least one number is needed")
    check_range(name, found, 1)
    if (found % 1).any():
        raise ParameterError(f"{name} = {found[found % 1 > 0][0]:g} is not allowed: it must be a whole number")
    return found


def _by_precision(models: Mapping[str, ServedModel] | ServedModel) -> dict[str, ServedModel]:
    found = {"bf16": models} if isinstance(models, ServedModel) else dict(models)
    if not found:
        raise ParameterError("models = {} is not allowed: at least one precision is needed")
    if len({(m.layers, m.moe_layers, m.experts, m.experts_per_token) for m in found.values()}) > 1:
        raise ParameterError("models are not allowed to differ in layers or experts: they must be one model")
    return found


# ---------------------------------------------------------------------------------------------------------------------
# The search


@dataclass
class Counts:
    """How many configurations a search saw and why the others fell, and how near the nearest of those came.

    ``searched`` counts decode configurations and (``prefill``) those of prefill; ``timed`` of them the ones whose
    weights fit, all terms of which were computed. ``layout``, ``memory``, ``ttft`` and ``tpot`` are reasons,
    ``feasible`` what is left. ``missing_bytes`` is what the leanest instance lacks beside the ``memory_bytes`` that it
    may fill; ``ttft_s`` and ``tpot_s`` are the shortest of those that fit.
    """

    searched: int = 0
    timed: int = 0
    layout: int = 0
    memory: int = 0
    ttft: int = 0
    tpot: int = 0
    feasible: int = 0
    missing_bytes: float = math.inf
    memory_bytes: float = math.nan
    ttft_s: float = math.inf
    tpot_s: float = math.inf


@dataclass(frozen=True)
class _Prefill:
    """The best prefill of each layout: prompts a microbatch, TTFT, accelerator-seconds a prompt (infinite if none)."""

    prompts: np.ndarray
    ttft_s: np.ndarray
    cost_s: np.ndarray


@dataclass(frozen=True)
class _Front:
    """Points of which none is both slower for the user and worse per accelerator; ``tpot_s`` ascends."""

    tpot_s: np.ndarray = field(default_factory=lambda: np.empty(0))
    rate: np.ndarray = field(default_factory=lambda: np.empty(0))
    index: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def merged(self, tpot_s: np.ndarray, rate: np.ndarray, index: np.ndarray) -> _Front:
        """With more points, which need not be in order."""
        if len(self.rate):
            at = np.searchsorted(self.tpot_s, tpot_s, side="right") - 1
            better = rate > np.where(at >= 0, self.rate[at], -1.0)
            tpot_s, rate, index = tpot_s[better], rate[better], index[better]
            if not len(rate):
                return self
        tpot_s = np.concatenate([self.tpot_s, tpot_s])
        rate = np.concatenate([self.rate, rate])
        index = np.concatenate([self.index, index])
        order = np.lexsort((-rate, tpot_s))
        tpot_s, rate, index = tpot_s[order], rate[order], index[order]
        best = np.maximum.accumulate(rate)
        keep = np.concatenate([[True], rate[1:] > best[:-1]])
        return _Front(tpot_s[keep], rate[keep], index[keep])


def search(
    models: Mapping[str, ServedModel] | ServedModel,
    system: System,
    workload: Workload,
    limits: Limits | None = None,
    *,
    assumptions: Assumptions | None = None,
    disaggregated: bool = True,
    within: Space | None = None,
    arithmetic: Mapping[str, str] | None = None,
    chunk: int = CHUNK,
) -> Frontier:
    """The frontier of one system: every configuration of a space timed, and the best of them kept.

    Parameters
    ----------
    models
        The served model at each precision that is tried: ``{"fp8": model, "fp4": smaller}``. A model alone is BF16.
    limits
        Configurations beyond them are left out; without a limit on TPOT the whole frontier comes back, and
        :meth:`Frontier.best` and :meth:`Frontier.throughput` answer for any limit without another search.
    disaggregated
        Whether prefill and decode have accelerators of their own.
    within
        The configurations; None: :func:`space` with its defaults.
    arithmetic
        In what the products of each precision are computed; None: in itself.
    chunk
        Configurations in memory at once; it does not change the answer.

    Raises
    ------
    ParameterError
        If the chip has no such precision. That nothing is feasible is no error: see :meth:`Frontier.require`.
    """
    start = time.perf_counter()
    models, limits, assumptions = _by_precision(models), limits or Limits(), assumptions or Assumptions()
    grid = space(models, system) if within is None else within
    if set(grid.precisions) != set(models):
        raise ParameterError(
            f"within is not allowed: its precisions are {grid.precisions}, the models' {tuple(models)}"
        )
    check_range("chunk", chunk, 1)
    slowed = assumptions.slowed(system)
    computed = {precision: (arithmetic or {}).get(precision, precision) for precision in models}
    case = _Case(models, slowed, workload, limits, assumptions, grid, disaggregated, chunk, computed)
    prefills = [case.prefill(precision) for precision in grid.precisions]
    case.counts.layout = grid.rejected * len(grid.batches) * len(grid.precisions)
    front = _Front()
    for number, precision in enumerate(grid.precisions):
        front = case.decode(number, precision, prefills[number], front)
    return case.frontier(front, prefills, system, time.perf_counter() - start)


@dataclass
class _Case:
    """One search: what it was given, and what it counts on its way."""

    models: dict[str, ServedModel]
    system: System
    workload: Workload
    limits: Limits
    assumptions: Assumptions
    space: Space
    disaggregated: bool
    chunk: int
    arithmetic: dict[str, str]
    counts: Counts = field(default_factory=Counts)

    def reserve(self, model: ServedModel, split: Split) -> np.ndarray:
        """Memory of an accelerator that weights and KV cache may not use, byte."""
        given, memory = self.assumptions, self.system.accelerator.memory_bytes
        settings = {"pass_tokens": given.pass_tokens, "sequences": given.sequences, "engine": given.engine_bytes}
        return np.minimum(reserve_bytes(model, memory, split, given.memory_share, **settings), memory)

    def room(self, model: ServedModel, rows: Layouts, context: float, least: float) -> np.ndarray:
        """Sequences that a microbatch of each layout has memory for; notes what is missing for ``least``."""
        reserve = self.reserve(model, rows.split)
        held = serving.capacity(model, self.system, least * rows.groups, context, rows.split, reserve_bytes=reserve)
        if len(rows) and not held.fits.all():
            leanest = np.argmin(held.missing_bytes + np.where(held.fits, np.inf, 0))
            if held.missing_bytes[leanest] < self.counts.missing_bytes:
                self.counts.missing_bytes = float(held.missing_bytes[leanest])
                self.counts.memory_bytes = float(held.memory_bytes[leanest])
        return np.where(self.divided(model, rows), np.floor(held.max_sequences / rows.groups), 0.0)

    def divided(self, model: ServedModel, rows: Layouts) -> np.ndarray | bool:
        """Which layouts suit this precision: its blocks may leave fewer than those of another."""
        if len({one.shares for one in self.models.values()}) == 1:
            return True
        return model.shares.divided(rows.tensor, rows.expert_tensor) | (rows.padded > 1)

    def prefill(self, precision: str) -> _Prefill:
        """The prefill of each layout that takes fewest accelerator-seconds a prompt within the limit on TTFT."""
        model, work, rows = self.models[precision], self.workload, self.space.layouts
        prompts = 2.0 ** np.arange(1 + max(0, int(math.log2(max(1, 65_536 / work.input_tokens)))))
        roof = self.assumptions.roof(prefill=True) | {"precision": self.arithmetic[precision]}
        room = self.room(model, rows, work.input_tokens, 1)
        best = _Prefill(np.ones(len(rows)), np.full(len(rows), np.inf), np.full(len(rows), np.inf))
        self.counts.searched += len(rows) * len(prompts)
        self.counts.memory += int((room[:, None] < prompts).sum())
        for top in range(0, len(rows), max(1, self.chunk // len(prompts))):
            some = np.arange(top, min(len(rows), top + max(1, self.chunk // len(prompts))))
            some = some[room[some] >= 1]
            if not len(some):
                continue
            block = rows[some].column()
            batch = prompts * block.groups
            step = serving.prefill(model, self.system, batch, work.input_tokens, block.split, **roof)
            seconds = step.seconds + model.layers * self.assumptions.overhead_per_layer_s
            cost = seconds * block.accelerators / batch
            ttft = seconds + self.handover(model, block) if self.disaggregated else seconds
            fits = prompts <= room[some][:, None]
            within = fits & (ttft <= self.limits.max_ttft_s)
            self.counts.timed += fits.size
            self.counts.ttft += int((fits & ~within).sum())
            self.counts.ttft_s = min(self.counts.ttft_s, float(np.min(ttft, where=fits, initial=np.inf)))
            cost = np.where(within, cost, np.inf)
            chosen = np.argmin(cost, axis=1)
            row = np.arange(len(some))
            best.cost_s[some] = cost[row, chosen]
            best.prompts[some] = prompts[chosen]
            best.ttft_s[some] = np.where(np.isfinite(cost[row, chosen]), ttft[row, chosen], np.inf)
        return best

    def handover(self, model: ServedModel, rows: Layouts):
        """Time to send the KV cache and the states of a prompt from prefill to decode, s."""
        far = self.system.accelerators > self.system.domain_size
        link = self.system.scale_out if far else self.system.scale_up
        shards = kv_shards(rows.split, model.kv_heads) * rows.pipeline
        sent = model.kv_bytes(self.workload.input_tokens) / shards
        if model.has_state:
            sent = sent + model.state_bytes / (rows.tensor * rows.pipeline)
        return sent / link.bandwidth + link.latency_s

    def decode(self, number: int, precision: str, prefill: _Prefill, front: _Front) -> _Front:
        """The front with all configurations of one precision added."""
        model, work, grid, counts = self.models[precision], self.workload, self.space, self.counts
        roof = self.assumptions.roof() | {"precision": self.arithmetic[precision]}
        room = self.room(model, grid.layouts, work.full_context, grid.batches[0])
        counts.searched += len(grid.layouts) * len(grid.batches)
        counts.memory += int(len(grid.layouts) * len(grid.batches) - np.searchsorted(grid.batches, room, "right").sum())
        cost = prefill.cost_s
        if self.disaggregated:
            cost = np.full(len(room), cost.min(initial=np.inf))
        used = np.flatnonzero((room >= grid.batches[0]) & np.isfinite(cost))
        if not self.disaggregated:
            lost = (room >= grid.batches[0]) & ~np.isfinite(cost)
            counts.ttft += int(np.searchsorted(grid.batches, room[lost], "right").sum())
        rows = grid.layouts[used]
        first = number * len(grid.layouts) * len(grid.batches)
        overhead = model.layers * self.assumptions.overhead_per_layer_s
        for down, across in grid.chunks(rows, self.chunk):
            block, batches = rows[down].column(), grid.batches[across]
            batch = batches * block.groups
            tpot = serving.decode(model, self.system, batch, work.mean_context, block.split, **roof).seconds + overhead
            per_prompt = cost[used[down]][:, None]
            if self.disaggregated:
                rate = batch / (block.accelerators * tpot + batch * (per_prompt / work.output_tokens))
            else:
                tpot = tpot + batch * (per_prompt / block.accelerators / work.output_tokens)
                rate = batch / (block.accelerators * tpot)
            fits = batches <= room[used[down]][:, None]
            counts.timed += fits.size
            counts.tpot_s = min(counts.tpot_s, float(np.min(tpot, where=fits, initial=np.inf)))
            within = fits & (tpot <= self.limits.max_tpot_s)
            held = int(within.sum())
            counts.feasible += held
            counts.tpot += int(fits.sum()) - held
            if held:
                place = np.flatnonzero(within)
                line, column = np.divmod(place, len(batches))
                index = first + used[down][line] * len(grid.batches) + across.start + column
                front = front.merged(tpot.ravel()[place], rate.ravel()[place], index)
        return front

    def frontier(self, front: _Front, prefills: Sequence[_Prefill], system: System, seconds: float) -> Frontier:
        """The points with everything that is known of them, computed once more for these few."""
        leading = {
            "tokens_per_second_per_user": 1 / front.tpot_s,
            "tokens_per_second_per_accelerator": front.rate,
            "tpot_s": front.tpot_s,
        }
        name = next(iter(self.models.values())).name
        return Frontier(
            name,
            system,
            self.workload,
            self.limits,
            self.assumptions,
            self.disaggregated,
            _Columns(leading, lambda: self.further(front, prefills)),
            self.counts,
            seconds,
        )

    def further(self, front: _Front, prefills: Sequence[_Prefill]) -> dict[str, np.ndarray]:
        """Columns of the points beside their speeds."""
        grid = self.space
        number, rest = np.divmod(front.index, len(grid.layouts) * len(grid.batches))
        layout, batch = np.divmod(rest, len(grid.batches))
        parts = [
            self.points(grid.precisions[n], prefills[n], layout[number == n], grid.batches[batch[number == n]])
            for n in range(len(grid.precisions))
        ]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.argsort(np.concatenate([np.flatnonzero(number == n) for n in range(len(parts))]))
        return {name: values[order] for name, values in columns.items()}

    def points(self, precision: str, prefill: _Prefill, layout: np.ndarray, local: np.ndarray) -> dict[str, np.ndarray]:
        """Columns of some points of one precision."""
        model, work = self.models[precision], self.workload
        rows = self.space.layouts[layout]
        batch = local * rows.groups
        roof = self.assumptions.roof() | {"precision": self.arithmetic[precision]}
        step = serving.decode(model, self.system, batch, work.mean_context, rows.split, **roof)
        held = serving.capacity(
            model, self.system, batch, work.full_context, rows.split, reserve_bytes=self.reserve(model, rows.split)
        )
        cache = step.step.memory_s * step.kv_bytes_read / np.where(step.bytes_read > 0, step.bytes_read, 1)
        overhead = np.full(len(rows), model.layers * self.assumptions.overhead_per_layer_s)
        terms = np.stack([step.step.memory_s - cache, cache, step.step.compute_s, step.step.link_s, overhead])
        reader = layout
        if self.disaggregated and len(layout):
            reader = np.full(len(layout), np.argmin(prefill.cost_s))
        reading = self.space.layouts[reader]
        cost = prefill.cost_s[reader] / work.output_tokens
        decoding = rows.accelerators * (step.seconds + overhead) / batch
        return {
            "ttft_s": prefill.ttft_s[reader],
            "precision": np.full(len(rows), precision, dtype=object),
            "arithmetic": np.full(len(rows), self.arithmetic[precision], dtype=object),
            "batch": batch,
            "tensor": rows.tensor.astype(int),
            "pipeline": rows.pipeline.astype(int),
            "data": rows.data.astype(int),
            "expert": rows.expert.astype(int),
            "expert_tensor": np.rint(rows.expert_tensor).astype(int),
            "padded": rows.padded > 1,
            "accelerators": rows.accelerators.astype(int),
            "binds": np.array(BINDS, dtype=object)[np.argmax(terms, axis=0)],
            "weights_s": terms[0],
            "kv_s": terms[1],
            "compute_s": terms[2],
            "link_s": terms[3],
            "overhead_s": terms[4],
            "step_s": step.seconds + overhead,
            "memory_filled": (held.weight_bytes + held.kv_bytes) / held.memory_bytes,
            "prefill_share": cost / (cost + decoding),
            "prefill_tensor": reading.tensor.astype(int),
            "prefill_pipeline": reading.pipeline.astype(int),
            "prefill_data": reading.data.astype(int),
            "prefill_expert": reading.expert.astype(int),
            "prefill_prompts": prefill.prompts[reader] * reading.groups,
        }


# ---------------------------------------------------------------------------------------------------------------------
# The frontier


class _Columns(Mapping[str, np.ndarray]):
    """Columns of a frontier: the leading ones are there, the others are computed when one of them is asked for."""

    def __init__(self, leading: dict[str, np.ndarray], further: Callable[[], dict[str, np.ndarray]]) -> None:
        self._known, self._further = leading, further

    def _all(self) -> dict[str, np.ndarray]:
        if self._further is not None:
            self._known, self._further = self._known | self._further(), None
        return self._known

    def __getitem__(self, name: str) -> np.ndarray:
        return self._known[name] if name in self._known else self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


@dataclass(frozen=True)
class Frontier:
    """The points of a search of which none is beaten in both speed per user and throughput per accelerator.

    ``columns`` are arrays, one element a point, fastest for the user first:

    - ``tokens_per_second_per_user``, ``tokens_per_second_per_accelerator``, ``tpot_s``, ``ttft_s``;
    - the decode configuration: ``precision`` (of the weights), ``arithmetic``, ``batch`` (sequences of an instance),
      ``tensor``, ``pipeline``, ``data``, ``expert``, ``expert_tensor``, whether heads are ``padded``, and
      ``accelerators`` of an instance;
    - ``binds`` (one of :data:`BINDS`) and the seconds behind it (``weights_s``, ``kv_s``, ``compute_s``, ``link_s``,
      ``overhead_s``, and ``step_s`` for all together), ``memory_filled`` of what may be filled;
    - prefill: ``prefill_share`` of the accelerators (co-located: of their time), its layout ``prefill_tensor`` and so
      on, and ``prefill_prompts`` that an instance reads at once.
    """

    model: str
    system: System
    workload: Workload
    limits: Limits
    assumptions: Assumptions
    disaggregated: bool
    columns: Mapping[str, np.ndarray]
    counts: Counts
    seconds: float

    def __len__(self) -> int:
        return len(self.columns["tpot_s"])

    @property
    def configurations_per_second(self) -> float:
        """Configurations searched ÷ seconds."""
        return self.counts.searched / self.seconds

    def frame(self) -> pandas.DataFrame:
        """The columns as a frame."""
        import pandas

        return pandas.DataFrame(dict(self.columns))

    def points(self) -> list[dict[str, Any]]:
        """The points as records of plain Python values."""
        lists = {name: values.tolist() for name, values in self.columns.items()}
        return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]

    def best(self, max_tpot_s: float | None = None) -> dict[str, Any]:
        """The point with the most throughput whose TPOT is within a limit (None: that of the search).

        Raises
        ------
        InfeasibleError
            If there is none.
        """
        self.require(max_tpot_s)
        at = int(self._at(self.limits.max_tpot_s if max_tpot_s is None else max_tpot_s))
        return {name: values[at : at + 1].tolist()[0] for name, values in self.columns.items()}

    def throughput(self, max_tpot_s):
        """Most output tokens per second and accelerator within a limit on TPOT, or an array of limits; 0 where none."""
        at = self._at(max_tpot_s)
        rates = np.concatenate([self.columns["tokens_per_second_per_accelerator"], [0.0]])
        return rates[at] if np.ndim(at) else float(rates[at])

    def _at(self, max_tpot_s):
        return np.searchsorted(self.columns["tpot_s"], max_tpot_s, side="right") - 1

    def require(self, max_tpot_s: float | None = None) -> Frontier:
        """This frontier, if it has a point within the limits.

        Raises
        ------
        InfeasibleError
            One line: which limit was in the way, and what would be needed.
        """
        limit = self.limits.max_tpot_s if max_tpot_s is None else max_tpot_s
        if len(self) and self.columns["tpot_s"][0] <= limit:
            return self
        seen, what = self.counts, f"no feasible configuration of {self.model} on {self.system.name}"
        if not seen.searched:
            raise InfeasibleError(f"{what}: layout: no combination of the given degrees suits the system and the model")
        if not math.isfinite(seen.ttft_s) or (not math.isfinite(seen.tpot_s) and seen.ttft_s <= self.limits.max_ttft_s):
            needed = seen.memory_bytes + seen.missing_bytes
            raise InfeasibleError(
                f"{what}: memory: the leanest layout needs {needed / 1e9:,.4g} GB and may fill "
                f"{seen.memory_bytes / 1e9:,.4g} GB"
            )
        if seen.ttft_s > self.limits.max_ttft_s:
            raise InfeasibleError(
                f"{what}: TTFT: the fastest first token takes {seen.ttft_s:.4g} s, the limit is "
                f"{self.limits.max_ttft_s:.4g} s"
            )
        raise InfeasibleError(
            f"{what}: TPOT: the fastest output token takes {1e3 * seen.tpot_s:.4g} ms, "
            f"the limit is {1e3 * limit:.4g} ms"
        )
