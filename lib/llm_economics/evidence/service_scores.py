"""How good forecasts of services are: errors by group, and what three factors would do without any physics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace

import numpy as np
import pandas

from llm_economics.evidence import answers, calibration, services
from llm_economics.formulas import services as formulas
from llm_economics.formulas.elementwise import ParameterError, check_choice
from llm_economics.formulas.services import Constants
from llm_economics.formulas.serving import ServedModel


def scores(rows: pandas.DataFrame, by: str | None = None) -> pandas.DataFrame:
    """Errors of measured ÷ predicted time: rows, median ratio, median error and shares within three factors."""
    ratio = rows["seconds"] / rows["predicted"]
    apart = np.exp(np.log(ratio).abs())
    groups = ratio.groupby(rows[by] if by else np.zeros(len(rows)), sort=True)

    def within(factor: float) -> pandas.Series:
        return (apart < factor).groupby(rows[by] if by else np.zeros(len(rows)), sort=True).mean()

    return pandas.DataFrame(
        {
            "rows": groups.size(),
            "median ratio": groups.median(),
            "median error": groups.agg(lambda r: (r - 1).abs().median()),
            "within 1.25": within(1.25),
            "within 1.5": within(1.5),
            "within 2": within(2.0),
        }
    )


SHORTCUT = {"dense": 1.15, "mixture": 1.57, "other maker": 2.57}
"""Factors by which services were slower than :func:`plain_seconds`, of dense models, of mixtures, on other makers'
chips."""


def plain_seconds(rows: pandas.DataFrame) -> np.ndarray:
    """Seconds per token without anything that an engine adds: what three factors are multiplied on.

    The step of :mod:`calibration` at 16-bit efficiencies whatever the format, and for each token the share of prompts
    read meanwhile at half of the peak.
    """
    found = np.empty(len(rows))
    for one, arguments, formats, _, indices in answers.grouped(services.asked_all(rows)):
        model, system, users, prompt, output, split = arguments
        narrow = formulas.arithmetic_for(one.weights, system.accelerator)
        stored = _stored(model, formulas.bits(one.weights) / 16, formulas.bits(formats["kv"]) / 16)
        step = calibration.terms(stored, system, users, prompt + output / 2, split, precision=narrow)
        reading = (model.flops_per_token * prompt + model.prompt_flops(prompt)) / system.peak(narrow) / 0.5
        found[indices] = calibration.seconds(calibration.fitted(), step) + users * reading / output
    return found


def _stored(model: ServedModel, weights: float, cache: float) -> ServedModel:
    """A model counted in 16 bits with weights and cache at shares of that."""
    reaches = tuple(reach._replace(values=reach.values * cache, read=reach.read * cache) for reach in model.windows)
    read = model.read_bytes_per_token
    return replace(
        model,
        common_bytes=model.common_bytes * weights,
        expert_bytes=model.expert_bytes * weights,
        windows=reaches,
        kv_bytes_per_token=model.kv_bytes_per_token * cache,
        read_bytes_per_token=None if read is None else read * cache,
    )


def three_factors(by: str | None = None) -> pandas.Series:
    """Seconds per token of :func:`measured` services by three factors and no further physics: the bar for the
    constants.

    ``by`` None takes the factors of :data:`SHORTCUT`; else they are the medians of what a fit with that left out would
    see, with the rows of :func:`left_out`. A kind that is not seen takes the factor of mixtures, or of all.
    """
    rows = services.measured()
    rows = rows.assign(plain=plain_seconds(rows), of=services.kinds(rows))
    if by is None:
        return rows["plain"] * rows["of"].map(SHORTCUT)
    check_choice("by", by, (*services.LEFT_OUT, "model"))
    found = []
    for value in sorted(rows[by].unique()):
        out = rows[by] == value
        seen = rows[(rows[by] < value) if by == "month" else ~out]
        seen = seen[~seen["queued"]]
        if seen.empty:
            continue
        slower = seen["seconds"] / seen["plain"]
        factors = slower.groupby(seen["of"]).median()
        other = factors.get("mixture", slower.median())
        found.append(rows[out]["plain"] * rows[out]["of"].map(lambda kind, f=factors, o=other: f.get(kind, o)))
    return pandas.concat(found)


def thinned(rows: pandas.DataFrame, name: str, ratio: str, most: int) -> pandas.DataFrame:
    """At most so many rows of each ``name`` to draw, evenly over the ranks of ``ratio``, its two ends among them."""
    if most < 2:
        raise ParameterError(f"most = {most} is not allowed: it must be at least 2")
    kept = []
    for _, group in rows.sort_values(ratio, kind="stable").groupby(name, sort=False):
        kept += list(group.index[np.unique(np.linspace(0, len(group) - 1, min(most, len(group))).round().astype(int))])
    return rows.loc[sorted(kept)]


def floors(rows: pandas.DataFrame) -> np.ndarray:
    """Seconds per token below which no service of the rows is."""
    return services.forecasts(rows.reset_index(drop=True), formulas.constants())["tpot_floor_s"].to_numpy()


def first_floors(rows: pandas.DataFrame) -> np.ndarray:
    """Seconds below which no first token of service rows comes: the arithmetic of the prompt at the peak."""
    return services.forecasts(rows.reset_index(drop=True), formulas.constants())["ttft_floor_s"].to_numpy()


def narrow_scores(by: str | None = None) -> pandas.DataFrame:
    """Scores of low-precision steps with their chip, and with their engine, left out; ``by`` as for :func:`scores`."""
    ways = {"chip left out": "system", "engine left out": "backend"}
    parts = [scores(services.left_out_steps(way), by).assign(forecast=name) for name, way in ways.items()]
    return pandas.concat([part.rename_axis(by or "kind").reset_index() for part in parts], ignore_index=True)


def regimes(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Rows with what tells their regime: kind, users at a time, share of a step that prompts take."""
    users = pandas.cut(
        rows["concurrency"], [0, 4, 32, 128, np.inf], labels=["1 to 4", "5 to 32", "33 to 128", "above 128"]
    )
    shares = pandas.cut(rows["prompt_share"], [-1, 0.1, 0.25, 1], labels=["below 10%", "10 to 25%", "above 25%"])
    return rows.assign(kind=services.kinds(rows), users=users.astype(str), prompts=shares.astype(str))


def beside_factors(rows: pandas.DataFrame, bar: pandas.Series) -> pandas.DataFrame:
    """Median error and share within 1.25 by regime, of the forecasts in ``rows`` and of ``bar`` (s) for them."""
    ours, theirs = regimes(rows), regimes(rows).assign(predicted=bar)
    parts = []
    for what in ("kind", "users", "prompts"):
        one, other = scores(ours, what), scores(theirs, what)
        parts.append(
            pandas.DataFrame(
                {
                    "regime": what,
                    "group": one.index,
                    "rows": one["rows"],
                    "median error": one["median error"],
                    "by three factors": other["median error"],
                    "within 1.25": one["within 1.25"],
                    "within 1.25 by three factors": other["within 1.25"],
                }
            )
        )
    return pandas.concat(parts, ignore_index=True)


def constants_table(others: Iterable[Constants], show: Callable[[float], str]) -> pandas.DataFrame:
    """Each constant with its meaning and unit, what was believed, what was fitted, and its range over ``others``."""
    beliefs, others = services.BELIEFS | services.FIRST_BELIEFS, list(others)
    rows = []
    for constant in fields(Constants):
        name, values = constant.name, [getattr(one, constant.name) for one in others]
        believed = show(beliefs[name][0]) if name in beliefs else "as of 16-bit steps"
        moved = f"{show(min(values))} to {show(max(values))}" if name in beliefs else ""
        about = constant.metadata
        rows.append((name, about["means"], about["unit"], believed, show(getattr(formulas.constants(), name)), moved))
    return pandas.DataFrame(rows, columns=["constant", "means", "unit", "believed", "fitted", "with a chip left out"])
