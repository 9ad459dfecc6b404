"""The time that a decode step really takes: the terms of the roofline, each at the efficiency that was measured.

A step reads weights and KV cache, computes, exchanges hidden states, and in every layer waits for a dozen small
kernels. With D, E, K for what is outside experts, in routed experts and in attention over the cache (read: bytes over
bandwidth, computed: FLOP over dense peak), V for bytes over the link and B for the bytes themselves, m messages in a
row, n layers, e of them with experts, and A for activations over the memory bandwidth, the expected time is

t = |D_read / w, D_comp / c| + E_read / w + E_comp / c + |K_read / k, K_comp / c| + V / l + B / p + m message
+ n layer + e expert_layer + A

where |x, y| is the root of the sum of squares: large matrix products and attention hide part of their computing behind
reading; the many small ones of experts hide none, and no kernel hides behind another. The efficiencies w, c, k, l and
three times are fitted (:class:`Efficiencies`) on steps of H100s, by least squares of log errors in which single wild
rows count less (soft L1), held near round figures where rows say little.

Nothing belongs to a chip: what is fitted on one is used on the next with the figures of its data sheet. One factor,
``before_fp8``, belongs to a generation. And nothing belongs to a serving engine: the expectation is for the middle one.
By what engines differ on the same step, every forecast that does not know the engine is wrong (:func:`least_error`).

``calibration.json`` keeps what the fit gave; ``python -m llm_economics.evidence.calibration`` writes it anew.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llm_economics import facts
from llm_economics.formulas import services, serving
from llm_economics.formulas.elementwise import ParameterError, check_choice, maximum
from llm_economics.formulas.hardware import Link, System
from llm_economics.formulas.parallelism import Split
from llm_economics.formulas.routing import expected_distinct

if TYPE_CHECKING:
    import pandas

FITTED = Path(__file__).with_suffix(".json")

ACTIVATION_PASSES = 12
"""Hidden states that the elementwise kernels of a layer read or write for each token: two residual additions with
their norms move four each, and the activation of a gated MLP about as much as four more."""

INDEPENDENT = 0.7
"""Share of a batch's further tokens that choose their experts afresh; the others follow those before, for routers send
more to some experts. To one decimal what suits the steps of H100s best; the floor takes all to choose afresh."""

CONTRADICTION = 1.5
"""Ratio beyond which two timings of the same work by the same kernel contradict each other."""

ERROR = 0.1
"""Relative error of a row beyond which it counts less and less; also what a row weighs against :data:`BELIEFS`."""


@dataclass(frozen=True)
class Efficiencies:
    """What is fitted: fractions of a data sheet's peaks, times that no data sheet has, one factor.

    Parameters
    ----------
    weight, kv
        Fraction of the memory bandwidth at which weights and the KV cache are read.
    compute
        Fraction of the dense peak.
    link
        Fraction of the link's bandwidth, one way, at which bytes cross it.
    passing_rate
        Bytes per second that the kernels of a collective pass on. What a decode step exchanges is a few megabytes at
        most; it moves as fast as kernels keep bytes in flight, and a link twice as fast takes little off.
    message_s
        Seconds for each message in a row inside a domain: an all-reduce through a switch is two. Between domains it
        takes longer, as the latencies of the two links are to each other.
    layer_s
        Seconds for each layer that are in no other term: launches, tails and small kernels.
    expert_layer_s
        Seconds more for each layer with experts: routing, sorting tokens by expert, adding up.
    before_fp8
        Factor on the whole step for chips without an FP8 peak: engines no longer tune their kernels for them.
    """

    weight: float
    kv: float
    compute: float
    link: float
    passing_rate: float
    message_s: float
    layer_s: float
    expert_layer_s: float
    before_fp8: float


NAMES = tuple(field.name for field in fields(Efficiencies))
BELIEFS = {
    "weight": (0.85, 0.05),
    "kv": (0.85, 0.1),
    "compute": (0.8, 0.1),
    "link": (0.85, 0.05),
    "passing_rate": (400e9, 0.3),
    "message_s": (2.5e-6, 0.25),
    "layer_s": (40e-6, 0.25),
    "expert_layer_s": (12e-6, 0.5),
    "before_fp8": (1.0, 0.2),
}
"""What each is taken to be before any row is seen, and the standard deviation of that, as a fraction."""

COLUMNS = (
    "dense_read",
    "dense_computed",
    "expert_read",
    "expert_computed",
    "kv_read",
    "kv_computed",
    "sent",
    "passed",
    "messages",
    "layers",
    "expert_layers",
    "activations",
    "before_fp8",
)
"""Last axis of :func:`terms`: seconds at the peaks of the data sheet, bytes, counts; the last is 1 or 0."""

HUB_NAMES = {"mistralai/Mixtral-8x22B-v0.1": "Mixtral 8x22B (v0.1 base, vocab 32000)"}
"""A model of the timings that `data/models.csv` knows in two versions."""


@dataclass(frozen=True)
class Expected:
    """Seconds of a decode step: expected, an interval that held nine tenths of the steps of new chips, and the floor.

    No value lies below the floor, the roofline with all efficiencies at one.
    """

    value_s: Any
    low_s: Any
    high_s: Any
    floor_s: Any


def terms(
    model: serving.ServedModel, system: System, batch, context, split: Split | None = None, *, precision: str = "bf16"
) -> np.ndarray:
    """What a step consists of before any efficiency, with ``COLUMNS`` as the last axis.

    Errors are those of :func:`serving.decode`.
    """
    split = split or Split(tensor=system.accelerators)
    chip = system.accelerator

    def step(tokens, links: System) -> serving.Step:
        return serving.decode(model, links, batch, tokens, split, precision=precision).step

    loaded, empty = step(context, _links(system, "bandwidth")), step(0, _links(system, "bandwidth"))
    sequences = maximum(batch / (split.data * split.pipeline), 1.0)
    expert_read, expert_share = 0.0, 0.0
    state_read = sequences * model.state_bytes / split.tensor / chip.memory_bandwidth
    if model.is_moe:
        pooled = sequences * split.expert_shards / split.tensor
        mean = model.expert_bytes_read(pooled) / split.expert_shards
        most = _most_experts(model, 1 + INDEPENDENT * maximum(pooled - 1, 0.0), split.expert)
        expert_read = most * model.expert_bytes / split.expert_tensor / chip.memory_bandwidth
        used = model.experts_per_token * model.expert_bytes
        expert_share = used / (used + model.common_bytes)
        dense_read = empty.memory_s - mean / chip.memory_bandwidth - state_read
    else:
        dense_read = empty.memory_s - state_read
    columns = (
        dense_read,
        (1 - expert_share) * empty.compute_s,
        expert_read,
        expert_share * empty.compute_s,
        loaded.memory_s - empty.memory_s + state_read,
        loaded.compute_s - empty.compute_s,
        loaded.link_s,
        step(context, _links(system, "bytes")).link_s,
        step(context, _links(system, "messages")).link_s,
        model.layers,
        model.moe_layers,
        ACTIVATION_PASSES * model.layers * model.hidden_bytes * sequences / chip.memory_bandwidth,
        0.0 if "fp8" in chip.peak_flops else 1.0,
    )
    return np.stack(np.broadcast_arrays(*columns), axis=-1).astype(float)


def _most_experts(model: serving.ServedModel, tokens, groups):
    """Experts that the accelerator with most of them has to read, for the step waits for it: expected, at least one.

    The experts that ``tokens`` touch fall into the groups of expert parallelism as cards into hands. The largest of
    several such counts lies above their mean by a standard deviation times Blom's score (G. Blom, Statistical Estimates
    and Transformed Beta-Variables, 1958), to a tenth of it, and no hand has more than its share of all experts.
    """
    touched = expected_distinct(model.experts, model.experts_per_token, tokens)
    mean = touched / groups
    variance = mean * (1 - 1 / groups) * (model.experts - touched) / max(model.experts - 1, 1)
    score = 0.0
    if groups > 1:
        from scipy.special import ndtri

        score = maximum(ndtri((groups - 0.375) / (groups + 0.25)), 0.0)
    return np.clip(mean + score * np.sqrt(variance), maximum(mean, 1.0), maximum(model.experts / groups, 1.0))


def _links(system: System, what: str) -> System:
    """The system with links on which a step takes the time of its bytes alone, or seconds as many as bytes or messages.

    A message between domains counts for as many as the latencies of the two links are to each other.
    """
    near, far = system.scale_up, system.scale_out
    ratio = far.latency_s / near.latency_s if far and near.latency_s and far.latency_s else 1.0
    instant = float("inf")
    make = {
        "bandwidth": lambda link, _: Link(link.name, link.bandwidth),
        "bytes": lambda link, _: Link(link.name, 1.0),
        "messages": lambda link, latency: Link(link.name, instant, latency),
    }[what]
    return replace(system, scale_up=make(near, 1.0), scale_out=far and make(far, ratio))


def seconds(efficiencies: Efficiencies, columns: np.ndarray) -> np.ndarray:
    """Seconds of steps whose :func:`terms` are given."""
    e, of = efficiencies, dict(zip(COLUMNS, np.moveaxis(columns, -1, 0), strict=True))
    dense = np.hypot(of["dense_read"] / e.weight, of["dense_computed"] / e.compute)
    experts = of["expert_read"] / e.weight + of["expert_computed"] / e.compute
    attention = np.hypot(of["kv_read"] / e.kv, of["kv_computed"] / e.compute)
    exchange = of["sent"] / e.link + of["passed"] / e.passing_rate + of["messages"] * e.message_s
    waits = of["layers"] * e.layer_s + of["expert_layers"] * e.expert_layer_s
    total = dense + experts + attention + exchange + waits + of["activations"]
    return total * e.before_fp8 ** of["before_fp8"]


def fit(rows: pandas.DataFrame) -> Efficiencies:
    """The efficiencies that make the errors of ``rows`` least, held near :data:`BELIEFS`.

    ``rows`` have the columns of ``data/decode_step_timings.csv``. Fractions come out at most 1.

    Raises
    ------
    ParameterError
        If there are no rows, or a model or system is not known.
    """
    return _fit(_rows_terms(rows), rows["tpot_ms"].to_numpy() / 1e3)


def _fit(columns: np.ndarray, measured: np.ndarray) -> Efficiencies:
    from scipy.optimize import least_squares

    believed, deviation = np.array(list(BELIEFS.values())).T
    fractions = np.array([name in ("weight", "kv", "compute", "link") for name in NAMES])
    most = np.where(fractions, -np.log(believed) / deviation, np.inf)  # unknowns: log, in standard deviations

    def efficiencies(x: np.ndarray) -> Efficiencies:
        return Efficiencies(*(float(value) for value in believed * np.exp(deviation * x)))

    def residuals(x: np.ndarray) -> np.ndarray:
        off = np.log(seconds(efficiencies(x), columns) / measured) / ERROR
        return np.concatenate([np.sign(off) * np.sqrt(2 * (np.sqrt(1 + off**2) - 1)), x])  # soft L1 of rows alone

    return efficiencies(least_squares(residuals, np.zeros(len(NAMES)), bounds=(-np.inf, most)).x)


def _rows_terms(rows: pandas.DataFrame) -> np.ndarray:
    if rows.empty:
        raise ParameterError("rows = 0 is not allowed: a fit needs at least one")
    columns = np.empty((len(rows), len(COLUMNS)))
    groups = rows.reset_index(drop=True).groupby(["model", "system", "tp", "moe_ep"], sort=False)
    for (name, chip, tensor, expert), group in groups:
        model, system, split = deployment(name, chip, tensor, expert)
        columns[group.index] = terms(model, system, group["batch"].to_numpy(), group["context"].to_numpy(), split)
    return columns


@cache
def deployment(name: str, chip: str, tensor: int, expert: int = 1) -> tuple[serving.ServedModel, System, Split]:
    """Model, system and split of a row of timings: 16-bit weights and KV cache, tensor and expert parallelism."""
    model = serving.model_from_architecture(facts.model(HUB_NAMES.get(name, name)))
    tensor, expert = int(tensor), int(expert)
    return model, facts.system(chip, tensor), Split(tensor=tensor, expert=expert, expert_tensor=tensor // expert)


def floors(rows: pandas.DataFrame) -> np.ndarray:
    """Milliseconds that the roofline with all efficiencies at one gives for each of ``rows``."""
    steps = zip(*(rows[name] for name in ("model", "system", "tp", "moe_ep", "batch", "context")), strict=True)
    found = []
    for name, chip, tensor, expert, batch, context in steps:
        model, system, split = deployment(name, chip, tensor, expert)
        found.append(1e3 * serving.decode(model, system, batch, context, split).seconds)
    return np.array(found)


def predict(rows: pandas.DataFrame, efficiencies: Efficiencies | None = None) -> np.ndarray:
    """Milliseconds of the steps of ``rows``; ``efficiencies`` None are the :func:`fitted` ones."""
    return 1e3 * seconds(efficiencies or fitted(), _rows_terms(rows))


def leave_out(rows: pandas.DataFrame, by: str) -> pandas.DataFrame:
    """Each row predicted by a fit on the rows of all other groups.

    Parameters
    ----------
    by
        A column such as "model", "backend" or "system": one fit for each of its values.

    Returns
    -------
    DataFrame
        ``rows`` with ``predicted_ms`` and ``error``, predicted ÷ measured − 1.

    Raises
    ------
    ParameterError
        If there is no such column or it has fewer than two values.
    """
    check_choice("by", by, tuple(rows.columns))
    if rows[by].nunique() < 2:
        raise ParameterError(f"by = {by!r} is not allowed: the rows need at least two values of it")
    columns, measured = _rows_terms(rows), rows["tpot_ms"].to_numpy() / 1e3
    predicted = np.empty(len(rows))
    for value in rows[by].unique():
        out = (rows[by] == value).to_numpy()
        predicted[out] = seconds(_fit(columns[~out], measured[~out]), columns[out])
    return rows.assign(predicted_ms=1e3 * predicted, error=predicted / measured - 1)


def fitted_rows(chip: str = "h100_sxm") -> pandas.DataFrame:
    """The rows behind :func:`fitted`: steps of H100s, or of the A100s on which only ``before_fp8`` hangs.

    Raises
    ------
    ParameterError
        If ``chip`` is neither "h100_sxm" nor "a100_sxm".
    """
    import pandas

    check_choice("chip", chip, ("h100_sxm", "a100_sxm"))
    more = facts.load("decode_step_timings_more")
    rows = pandas.concat([facts.load("decode_step_timings"), more[more["part"] == "fit"].drop(columns="part")])
    rows = rows[rows["system"] == chip]
    return rows[~contradicted(rows)].reset_index(drop=True)


def unseen_rows(part: str = "test") -> pandas.DataFrame:
    """Steps of chips on which nothing is fitted: of ``part`` "test", asked for after everything stood, or "form".

    Rows whose source contradicts itself are among them: see :func:`contradicted`.

    Raises
    ------
    ParameterError
        If ``part`` is neither.
    """
    check_choice("part", part, ("test", "form"))
    more = facts.load("decode_step_timings_more")
    return more[more["part"] == part].drop(columns="part").reset_index(drop=True)


def contradicted(rows: pandas.DataFrame) -> np.ndarray:
    """Which of ``rows`` rest on timings of experts that contradict each other in their own source.

    With one token a layer of experts has the same work however tokens are spread. Where the source times it under
    several spreads and the results differ by more than :data:`CONTRADICTION`, its timings of that kernel are not used.
    The rule looks at no forecast.
    """
    key = ["model", "system", "backend", "moe_tp"]
    timed = facts.load("moe_one_token_timings")
    spreads = timed[["balanced_ms", "power_law_1_01_ms", "power_law_1_2_ms"]]
    bad = timed[spreads.max(axis=1) > CONTRADICTION * spreads.min(axis=1)]
    return rows.set_index(key).index.isin(bad.set_index(key).index) & (rows["moe_ep"] == 1).to_numpy()


STEP = ["model", "system", "tp", "moe_ep", "context", "batch"]
"""Columns that make a step; rows that agree in them differ in the engine."""


def middle_engine(rows: pandas.DataFrame) -> pandas.DataFrame:
    """The steps of ``rows`` that three engines or more were asked for, each with the median of their times."""
    asked = rows.groupby(STEP, sort=False)["tpot_ms"].agg(["median", "size"])
    return asked[asked["size"] >= 3]["median"].rename("tpot_ms").reset_index()


def least_error(rows: pandas.DataFrame) -> float:
    """Least mean absolute relative error over ``rows`` that a forecast blind to the engine can have.

    Every step gets the one time that suits its engines best; it is one of theirs, since the error is convex and bends
    at them alone.
    """
    step = [np.asarray(times) for _, times in rows.groupby(STEP)["tpot_ms"]]
    return sum(min(np.abs(one / times - 1).sum() for one in times) for times in step) / len(rows)


def refit() -> dict[str, Any]:
    """What :func:`fitted`, :func:`spread` and :func:`chips` give, made from the rows, as ``calibration.json`` keeps it.

    The H100's rows first, then ``before_fp8`` alone on the A100's. The spread is that of measured ÷ predicted, 5th and
    95th percentile, over the steps of new chips, part "form"; the A100 is left aside, for without its own rows nothing
    says what ``before_fp8`` is.
    """
    base, old = fit(fitted_rows()), fitted_rows("a100_sxm")
    found = replace(base, before_fp8=float(np.median(old["tpot_ms"] / predict(old, base))))
    rows = unseen_rows("form")
    rows = rows[~contradicted(rows)]
    ratios = rows["tpot_ms"] / predict(rows, found)
    timed = facts.load("decode_step_timings_more")["system"].unique()
    return {
        "efficiencies": asdict(found),
        "spread": [float(value) for value in np.quantile(ratios, (0.05, 0.95))],
        "chips": sorted({facts.system(name, 1).accelerator.name for name in timed}),
    }


@cache
def _kept() -> dict[str, Any]:
    return json.loads(FITTED.read_text(encoding="utf-8"))


@cache
def fitted() -> Efficiencies:
    """The efficiencies in use, fitted on :func:`fitted_rows`."""
    return Efficiencies(**_kept()["efficiencies"])


def spread() -> tuple[float, float]:
    """Measured ÷ predicted, 5th and 95th percentile, over the steps of new chips: see :func:`refit`."""
    low, high = _kept()["spread"]
    return low, high


@cache
def chips() -> frozenset[str]:
    """Names, as in ``data/hardware.csv``, of the accelerators of which steps are among the timings."""
    return frozenset(_kept()["chips"])


def expected_decode(
    model: serving.ServedModel, system: System, batch, context, split: Split | None = None, *, precision: str = "bf16"
) -> Expected:
    """Expected seconds of a decode step, with an interval; broadcasts over arrays of batches and contexts.

    Parameters
    ----------
    split
        None: tensor parallelism over the whole system.
    precision
        Of the arithmetic; the bytes of weights and KV cache are those of ``model``.

    Notes
    -----
    With weights of 8 or 4 bits the constants of :mod:`llm_economics.formulas.services` for such formats are used, which
    were fitted on low-precision steps, and the interval that held nine tenths of those of chips that a fit had not
    seen. For a chip that is not among :func:`chips` this is a guess: a wafer or a TPU has other fixed times than a GPU.
    A model of bare counts (``serving.model_from_parameters`` without ``layers`` and ``hidden_bytes``) has no layers to
    launch and nothing to send: its expectation counts reading and computing only. Errors are those of
    :func:`serving.decode`.
    """
    floor = serving.decode(model, system, batch, context, split, precision=precision).seconds
    narrow = services.bits(precision) < 16 and (split is None or np.all(split.pipeline == 1))
    if narrow:
        value = _narrow_seconds(model, system, batch, context, split, precision)
        low, high = services.recorded()["intervals"]["steps"]["tpot"]
    else:
        value = seconds(fitted(), terms(model, system, batch, context, split, precision=precision))
        low, high = spread()
    value = np.maximum(value, floor)
    bounds = (value, np.maximum(low * value, floor), high * value, floor)
    return Expected(*(float(x) if np.ndim(x) == 0 else np.asarray(x) for x in bounds))


if __name__ == "__main__":
    FITTED.write_text(json.dumps(refit(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _narrow_seconds(model: serving.ServedModel, system: System, batch, context, split: Split | None, precision: str):
    """Seconds of a step with weights of fewer than 16 bits, by the constants for such formats; no engine beside it."""
    wider = 16 / services.bits(precision)
    held = serving.Stored(precision, precision, model.common_bytes, model.expert_bytes, model.lookup_bytes)
    counted = replace(model, common_bytes=held.common_bytes * wider, expert_bytes=held.expert_bytes * wider)
    counted = replace(counted, stored=(held,))
    formats = {"weights": precision, "dense": precision, "arithmetic": precision}
    work = services.work(counted, system, batch, 1, 1, split, **formats, context=context)
    return services.terms(services.constants(), work, engine=False).seconds
