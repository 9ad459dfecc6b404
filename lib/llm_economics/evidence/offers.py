"""Offers of this world: the latest price of a system, what intervals rest on, and expectations beside a frontier."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from llm_economics import facts
from llm_economics.evidence import answers
from llm_economics.formulas import offers, services
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.offers import Deployment, Workload, band, cheapest, interval, ranked, sizes

__all__ = ["Deployment", "Workload", "beside", "cheapest", "offer", "price", "ranked", "sizes"]


def offer(deployment: Deployment, users: float, work: Workload, usd_per_hour: float | None = None) -> dict[str, Any]:
    """One deployment's forecast, interval, price and evidence, as the command line prints it."""
    return offers.offer(deployment, users, work, usd_per_hour, answers.measured_services())


def price(name: str) -> float | None:
    """USD per hour of one accelerator of a system: median on demand of the latest year with a price; None if none is
    known."""
    for alias in facts.chip_names(name):
        try:
            rows = facts.prices_of(alias)
        except ParameterError:
            continue
        rows = rows[~rows["price_type"].str.contains("TCO|purchase|spot")]
        demand = rows[rows["price_type"].str.contains("demand")]
        rows = rows if demand.empty else demand
        if not rows.empty:
            latest = rows["price_date"].str[:4].max()
            return float(rows[rows["price_date"].str.startswith(latest)]["usd_per_gpu_hour"].median())
    return None


# ---------------------------------------------------------------------------------------------------------------------
# Beside a bound


def beside(
    points: list[dict[str, Any]], base: Deployment, work: Workload, *, disaggregated: bool
) -> list[dict[str, Any]]:
    """Points of a frontier, each with what a service of its layout and batch is expected to do, under ``expected``.

    A point is a bound; ``expected`` has ``tpot_ms``, ``ttft_ms`` and the rates that follow. Where prompts are read on
    accelerators of their own no service was measured: the step without prompts is forecast, and no time to the first
    token. Layouts with stages (``pipeline``) have None.
    """
    import numpy as np

    found: list[dict[str, Any]] = [dict(point, expected=None) for point in points]
    groups: dict[tuple, list[int]] = {}
    for index, point in enumerate(points):
        if point["pipeline"] == 1:
            layout = (point["precision"], point["accelerators"], point["tensor"], point["data"], point["expert"])
            groups.setdefault(layout, []).append(index)
    factors = interval(base.model, base.system.accelerator)
    for (precision, accelerators, tensor, data, expert), indices in groups.items():
        system = replace(base.system, accelerators=accelerators)
        deployment = replace(base, system=system, tensor=tensor, data=data, expert=expert, weights=precision)
        batch = np.array([float(points[i]["batch"]) for i in indices])
        forecast = deployment.ask(batch, work)
        step = forecast.terms.decode_s if disaggregated else forecast.tpot_s
        columns = (step, forecast.tpot_floor_s, forecast.ttft_s, forecast.ttft_floor_s)
        for i, tpot, floor, first, first_floor in zip(indices, *np.broadcast_arrays(*columns), strict=True):
            expected = {"tpot_ms": band(floor, max(tpot, floor), *factors["tpot"]), "ttft_ms": None}
            if not disaggregated:
                expected["ttft_ms"] = band(first_floor, first, *factors["ttft"])
            found[i]["expected"] = expected | _rates(points[i], float(tpot), disaggregated, deployment.computes_in)
    return found


def _rates(point: dict[str, Any], tpot: float, disaggregated: bool, arithmetic: str) -> dict[str, float]:
    """Rates of a point at its expected time per token; prompts apart are read at the fitted share of the peak."""
    bound = point["tokens_per_second_per_accelerator"]
    longer = 1e3 * tpot / point["tpot_ms"]
    if disaggregated:
        k, width = services.constants(), services.bits(arithmetic)
        rate = k.prompt_4 if width < 6 else k.prompt_8 if width < 12 else k.prompt_16
        longer = (1 - point["prefill_share"]) * longer + point["prefill_share"] / rate
    return {"tokens_per_second_per_user": 1 / tpot, "tokens_per_second_per_accelerator": bound / longer}
