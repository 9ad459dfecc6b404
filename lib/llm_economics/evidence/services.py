"""Whole services forecast, fitted and held against what benchmarks measured.

``python -m llm_economics.evidence.services`` fits the constants of :mod:`llm_economics.formulas.services` and writes
them, with the intervals that hold nine tenths of the rows that a fit has not seen, into the file next to it.

Nine constants are those of :mod:`llm_economics.evidence.calibration`, fitted on 16-bit steps of H100s, and stay. The
others are fitted together on low-precision decode steps and on services of ``data/services.csv``, each near what it was
believed to be beforehand (:data:`BELIEFS`), by least squares of log errors in which single wild rows count less (soft
L1). A service that was measured again and again is fitted as it was measured last: a forecast is for the software of
its day. Rows of one model, chip, precision and engine are off alike, so n of them count as the root of n, against
beliefs as well. Services that queue although memory has room are not fitted: their engine was told to run fewer
sequences than there were users, which no row says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llm_economics import facts
from llm_economics.evidence import answers, deployments
from llm_economics.evidence.deployments import Asked, asked
from llm_economics.formulas import services
from llm_economics.formulas.elementwise import ParameterError, check_choice
from llm_economics.formulas.services import Constants, Work

if TYPE_CHECKING:
    import pandas

KEPT = (
    "weight",
    "kv",
    "compute",
    "link",
    "passing_rate",
    "message_s",
    "layer_s",
    "expert_layer_s",
    "before_fp8",
)
"""Constants of the 16-bit calibration."""

BELIEFS = {
    "weight_8": (0.75, 0.15),
    "weight_4": (0.675, 0.2),
    "expert_narrow": (0.7, 0.2),
    "expert_widened": (0.48, 0.25),
    "kv_8": (0.7, 0.15),
    "compute_narrow": (0.6, 0.2),
    "quantised_layer_s": (14e-6, 0.3),
    "latent_layer_bytes": (200e6, 0.3),
    "sparse_layer_s": (60e-6, 0.4),
    "engine_layer_bytes": (140e6, 0.4),
    "host_s": (1e-3, 0.7),
    "sequence_s": (15e-6, 0.5),
    "prompt_16": (0.6, 0.15),
    "prompt_8": (0.42, 0.15),
    "prompt_4": (0.22, 0.2),
    "prompt_s": (5e-3, 1.0),
    "other_maker": (1.2, 0.15),
    "other_before": (1.67, 0.1),
}
"""What each is taken to be before any row is seen, and the standard deviation of that, as a fraction."""

FIRST_BELIEFS = {
    "first_s": (30e-3, 1.0),
    "first_layer_s": (0.95e-3, 0.25),
    "first_work": (1.5, 0.3),
    "first_other": (0.1, 0.5),
}
"""The same for the time to the first token, fitted afterwards."""

FRACTIONS = {name for name in BELIEFS if name.startswith(("weight", "expert", "kv", "compute", "prompt_"))} - {
    "prompt_s"
}
ERROR, FIRST_ERROR = 0.1, 0.2
"""Relative error of a row beyond which it counts less and less; also what a row weighs against beliefs."""
QUEUED = 0.3
"""Share of a request before its first token beyond which a service queues."""
FEW = 8
"""Users up to which the time to the first token is fitted and scored: beyond, it is mostly a queue."""
LEFT_OUT = ("hardware", "engine", "month")
"""What is left out for the scores, one group at a time; a month is asked of a fit on those before it."""
STEPS_LEFT_OUT = {"system": "hardware", "backend": "engine", "model": "model"}
"""The same of low-precision steps, with the column of services that goes with it."""


# ---------------------------------------------------------------------------------------------------------------------
# Rows


@cache
def measured() -> pandas.DataFrame:
    """Services of ``data/services.csv`` without traps that say how many users there were, with their measured seconds.

    ``engine`` is a name without its version, ``month`` that of the row; ``last`` marks the latest of each
    configuration, ``queued`` those in which much of a request is a wait though memory has room; ``kind`` is dense or
    mixture.
    """
    rows = facts.load("services")
    rows = rows[(rows["trap"] == "") & rows["concurrency"].notna()].reset_index(drop=True)
    rows["engine"] = rows["framework"].str.split().str[0].replace({"trtllm": "trt"})
    rows["month"] = rows["date"].str[:7]
    rows["kind"] = [
        "mixture" if deployments.served(deployments.model_name(m)).is_moe else "dense" for m in rows["model"]
    ]
    rows["seconds"] = 1 / rows["interactivity_tok_s_user"]
    rows["last"] = _latest(rows)
    work = _service_work(rows)
    waits = rows["ttft_s"] / (rows["ttft_s"] + rows["osl"] * rows["seconds"]) > QUEUED
    rows["queued"] = waits & (work.prompts * rows["osl"] >= 0.99 * rows["concurrency"] / _copies(rows))
    return rows


def _copies(rows: pandas.DataFrame) -> np.ndarray:
    return np.array([question.data for question in asked_all(rows).values()])


def steps(trap: bool = False) -> pandas.DataFrame:
    """Low-precision decode steps of models that the catalog knows; ``trap``: those of a kernel out of line, too."""
    rows = facts.load("decode_step_timings_low_precision")
    rows = rows[trap | (rows["trap"] != "kernel out of line")]
    known = {name: _known(name) for name in rows["model"].unique()}
    rows = rows[rows["model"].map(known)].reset_index(drop=True)
    return rows.assign(
        seconds=rows["tpot_ms"] / 1e3,
        kind=["mixture" if deployments.served(deployments.model_name(m)).is_moe else "dense" for m in rows["model"]],
    )


def _known(name: str) -> bool:
    try:
        deployments.model_name(name)
    except ParameterError:
        return False
    return True


def forecasts(rows: pandas.DataFrame, using: Constants) -> pandas.DataFrame:
    """Forecasts of service rows as columns."""
    import pandas

    questions = asked_all(rows)
    names = ("tpot_s", "ttft_s", "tpot_floor_s", "ttft_floor_s", "queue_s", "sequences", "prompt_share")
    found = np.empty((len(rows), len(names)))
    for forecast, indices in answers.forecasts(questions, using):
        values = [getattr(forecast, name) for name in names[:-1]] + [forecast.terms.prompts_s / forecast.tpot_s]
        found[indices] = np.stack(np.broadcast_arrays(*values), axis=-1)
    return pandas.DataFrame(found, columns=names, index=rows.index)


def _service_work(rows: pandas.DataFrame) -> Work:
    """What each service's step consists of; the sequences that memory holds hang on no constant."""
    parts, order = [], []
    for _, (model, system, users, prompt, output, split), formats, more, indices in answers.grouped(asked_all(rows)):
        running = services.sequences_running(model, system, users, prompt + output / 2, split, **formats)
        parts.append((services.work(model, system, running, prompt, output, split, **formats, **more), len(indices)))
        order += indices
    return _stacked(parts, order)


def asked_all(rows: pandas.DataFrame) -> dict[int, Asked]:
    """What each row asks, by its position."""
    names = tuple(name for name in rows if any(name in spelt for spelt in deployments.COLUMNS.values()))
    texts = rows[list(names)].astype(str).itertuples(index=False, name=None)
    return {i: _asked_once(names, cells) for i, cells in enumerate(texts)}


@cache
def _asked_once(names: tuple[str, ...], cells: tuple[str, ...]) -> Asked:
    return asked(dict(zip(names, cells, strict=True)))


def _step_work(rows: pandas.DataFrame) -> Work:
    """What each decode step consists of."""
    parts = []
    for row in rows.itertuples():
        name = deployments.model_name(row.model)
        model, system = deployments.served(name), deployments.system(row.system, int(row.tp))
        layout = deployments.split(int(row.tp), 1, int(row.moe_ep))
        narrow = "bf16" if row.experts.startswith("w4a16") else None
        formats = {
            "weights": row.precision,
            "kv": row.kv,
            "arithmetic": narrow,
            "dense": deployments.format_of(row.gemm),
        }
        work = services.work(model, system, row.batch, 1, 1, layout, **formats, context=row.context)
        parts.append((work, 1))
    return _stacked(parts, list(range(len(rows))))


def _stacked(parts: list[tuple[Work, int]], order: list[int]) -> Work:
    """Many records as one of arrays, in the order of the rows."""
    back = np.argsort(order)
    return Work(
        **{
            field.name: np.concatenate([np.broadcast_to(getattr(work, field.name), n) for work, n in parts])[back]
            for field in fields(Work)
        }
    )


# ---------------------------------------------------------------------------------------------------------------------
# The fit


def fit(rows: pandas.DataFrame, low: pandas.DataFrame) -> Constants:
    """Constants that make the errors of services and low-precision steps least, held near :data:`BELIEFS`.

    ``rows`` and ``low`` have the columns of :func:`measured` and :func:`steps`. Fractions come out at most 1.
    """
    rows = rows[rows["last"] & ~rows["queued"]]
    both = [(_service_work(rows), True), (_step_work(low), False)]
    seconds = np.concatenate([rows["seconds"], low["seconds"]])
    groups = [
        *_groups(rows, "model", "hardware", "precision", "engine"),
        *_groups(low, "model", "system", "precision", "backend"),
    ]
    weights = _weights(groups)
    start = replace(_calibrated(), **{name: mean for name, (mean, _) in BELIEFS.items()})

    def predicted(values: dict[str, float]) -> np.ndarray:
        constants = replace(start, **values)
        return np.concatenate([services.terms(constants, work, engine=engine).seconds for work, engine in both])

    fitted = replace(start, **_least(BELIEFS, predicted, seconds, weights, ERROR))
    few = rows[(rows["concurrency"] <= FEW) & rows["ttft_s"].notna()]
    work, first = _service_work(few), few["ttft_s"].to_numpy()

    def waited(values: dict[str, float]) -> np.ndarray:
        return services._first_token(replace(fitted, **values), work)

    return replace(fitted, **_least(FIRST_BELIEFS, waited, first, np.ones(len(first)), FIRST_ERROR))


def _groups(rows: pandas.DataFrame, *columns: str) -> list[str]:
    """What each row shares with others; services and steps, whose columns differ, share nothing."""
    return ["|".join((columns[-1], *cells)) for cells in zip(*(rows[name] for name in columns), strict=True)]


def _weights(groups: list[str]) -> np.ndarray:
    """What each row counts: one over the root of its group, so that n rows of a group count as the root of n."""
    _, number, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return counts[number] ** -0.5


def _least(beliefs: dict[str, tuple[float, float]], predicted, seconds, weights, error: float) -> dict[str, float]:
    from scipy.optimize import least_squares

    names, (believed, deviation) = list(beliefs), np.array(list(beliefs.values())).T
    most = np.array(
        [-np.log(m) / d if n in FRACTIONS else np.inf for n, m, d in zip(names, believed, deviation, strict=True)]
    )

    def values(x: np.ndarray) -> dict[str, float]:
        return dict(zip(names, map(float, believed * np.exp(deviation * x)), strict=True))

    def residuals(x: np.ndarray) -> np.ndarray:
        off = np.log(predicted(values(x)) / seconds) / error
        return np.concatenate([np.sign(off) * np.sqrt(2 * weights * (np.sqrt(1 + off**2) - 1)), x])

    return values(least_squares(residuals, np.zeros(len(names)), bounds=(-np.inf, most), tr_solver="lsmr").x)


@cache
def _calibrated() -> Constants:
    """The calibration's constants; the others are placeholders until they are fitted."""
    from llm_economics.evidence import calibration

    kept = asdict(calibration.fitted())
    return Constants(**{field.name: kept.get(field.name, 0.0) for field in fields(Constants)})


# ---------------------------------------------------------------------------------------------------------------------
# Left out


FITS = Path(__file__).with_name("left_out.json")
"""What each fit with something left out gave; ``python -m llm_economics.evidence.services`` writes it anew."""


@cache
def _kept() -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    return json.loads(FITS.read_text(encoding="utf-8"))


def fits_without(by: str) -> dict[str, Constants]:
    """The fit that has not seen a value of a column, as :func:`left_out` says, by value: made from the rows."""
    check_choice("by", by, (*LEFT_OUT, "model"))
    rows, low = measured(), steps()
    chips = {"hardware": "system", "engine": "backend", "model": "model"}
    found = {}
    for value in sorted(rows[by].unique()):
        seen, seen_low = rows[rows[by] != value], low
        if by == "month":
            seen = rows[rows["month"] < value]
            if seen.empty:
                continue
            seen = seen.assign(last=_latest(seen))
        else:
            same = low[chips[by]].map({name: _same(by, name) for name in low[chips[by]].unique()})
            seen_low = low[same != _same(by, value)]
        found[value] = fit(seen, seen_low)
    return found


def step_fits_without(by: str) -> dict[str, Constants]:
    """As :func:`fits_without`, for :func:`left_out_steps`."""
    check_choice("by", by, STEPS_LEFT_OUT)
    rows, low = measured(), steps()
    column = STEPS_LEFT_OUT[by]
    found = {}
    for value in sorted(low[by].unique()):
        seen = rows[rows[column].map(lambda name: _same(column, name)) != _same(column, value)]
        found[value] = fit(seen, low[low[by] != value])
    return found


@cache
def left_out(by: str) -> pandas.DataFrame:
    """Services, each forecast by a fit that has not seen its group; the fits are kept in :data:`FITS`.

    Parameters
    ----------
    by
        A column: "hardware", "engine" or "model" leave each of its values out; "month" asks each from a fit on those
        before.

    Returns
    -------
    DataFrame
        The rows of :func:`measured`, with ``predicted``, ``first`` (both s) and ``prompt_share``; of the rows of the
        first month, which nothing precedes, none are there. ``attrs["constants"]`` has the fit of each value left out.
    """
    import pandas

    check_choice("by", by, (*LEFT_OUT, "model"))
    rows = measured()
    constants = {value: Constants(**kept) for value, kept in _kept()["services"][by].items()}
    found = []
    for value in constants:
        out = rows[by] == value
        forecast = forecasts(rows[out], constants[value])
        found.append(
            rows[out].assign(
                predicted=forecast["tpot_s"], first=forecast["ttft_s"], prompt_share=forecast["prompt_share"]
            )
        )
    together = pandas.concat(found)
    together.attrs["constants"] = constants
    return together


def _same(by: str, name: str) -> str:
    """A chip, engine or model as services and steps both call it."""
    if by == "hardware":
        return deployments.system(name, 1).accelerator.name
    return deployments.served(deployments.model_name(name)).name if by == "model" else name.replace("trtllm", "trt")


def _latest(rows: pandas.DataFrame) -> pandas.Series:
    same = ["model", "hardware", "n_acc", "precision", "engine", "isl", "osl", "concurrency", "config"]
    return ~rows.sort_values("date", kind="stable").duplicated(same, keep="last").reindex(rows.index)


@cache
def left_out_steps(by: str) -> pandas.DataFrame:
    """Low-precision steps, each forecast by a fit that has not seen its "system", "backend" or "model"."""
    import pandas

    check_choice("by", by, STEPS_LEFT_OUT)
    low, found = steps(), []
    for value, kept in _kept()["steps"][by].items():
        out = low[low[by] == value]
        predicted = services.terms(Constants(**kept), _step_work(out), engine=False).seconds
        found.append(out.assign(predicted=predicted))
    return pandas.concat(found)


# ---------------------------------------------------------------------------------------------------------------------
# The file


def intervals(apart: Mapping[str, pandas.DataFrame] | None = None) -> dict[str, Any]:
    """Factors between which nine tenths of unseen services lay, by kind.

    Chips, engines, months and models were left out in turn (``apart``, by :func:`left_out`), and the four count alike.
    The factor is the same both ways, for the sign of an error on known rows says little about that on unknown ones.
    """
    apart = apart or {by: left_out(by) for by in (*LEFT_OUT, "model")}
    found = {}
    for kind in ("dense", "mixture", "other maker"):
        parts = [rows[~rows["queued"] & (kinds(rows) == kind)] for rows in apart.values()]
        parts = [rows for rows in parts if not rows.empty]
        few = [rows[rows["concurrency"] <= FEW] for rows in parts]
        found[kind] = {
            "tpot": _around([rows["seconds"] / rows["predicted"] for rows in parts]),
            "ttft": _around([rows["ttft_s"] / rows["first"] for rows in few]),
            "services": max(len(rows) for rows in parts),
            "models": sorted({name for rows in parts for name in rows["model"]}),
            "chips": sorted({name for rows in parts for name in rows["hardware"]}),
        }
    low = left_out_steps("system")
    found["steps"] = {"tpot": _quantiles(low["seconds"] / low["predicted"]), "steps": len(low)}
    return found


def kinds(rows: pandas.DataFrame) -> pandas.Series:
    """The kind of each row whose interval it has."""
    makers = {name: deployments.system(name, 1).accelerator.maker for name in rows["hardware"].unique()}
    return rows["kind"].where(rows["hardware"].map(makers) == "Nvidia", "other maker")


def _around(ratios: list[pandas.Series]) -> list[float]:
    """A factor and its inverse: the geometric mean of those within which nine tenths of each of several parts lie."""
    each = [np.exp(np.log(ratio).abs().quantile(0.9)) for ratio in ratios]
    factor = np.prod(each) ** (1 / len(each))
    return [float(f"{1 / factor:.3g}"), float(f"{factor:.3g}")]


def held(rows: pandas.DataFrame) -> pandas.Series:
    """Whether the printed interval around each row's ``predicted`` holds what was measured."""
    factors = kinds(rows).map(lambda kind: services.recorded()["intervals"][kind]["tpot"])
    ratio = rows["seconds"] / rows["predicted"]
    return ratio.ge(factors.str[0]) & ratio.le(factors.str[1])


def _quantiles(ratio: pandas.Series) -> list[float]:
    return [float(f"{q:.3g}") for q in ratio.quantile([0.05, 0.95])]


def main() -> None:
    """Fit everything and write the constants and intervals, and what the fits with something left out gave."""
    apart = {
        "services": {by: fits_without(by) for by in (*LEFT_OUT, "model")},
        "steps": {by: step_fits_without(by) for by in STEPS_LEFT_OUT},
    }
    values = {
        kind: {by: {value: asdict(each) for value, each in fits.items()} for by, fits in ways.items()}
        for kind, ways in apart.items()
    }
    FITS.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    _kept.cache_clear()
    constants = {name: float(f"{value:.4g}") for name, value in asdict(fit(measured(), steps())).items()}
    text = json.dumps({"constants": constants, "intervals": intervals()}, indent=2)
    services.FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
