"""A table's rows answered: forecast, floor, interval and measurement of each, all that share a deployment at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

from llm_economics.evidence import deployments
from llm_economics.evidence.deployments import MEASURED, Asked, asked
from llm_economics.formulas import services
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.offers import Measured, interval
from llm_economics.formulas.services import Constants, Forecast


def answer(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each row with all that came in, and its forecast, floor, measurement and their ratio, in milliseconds a token.

    ``ratio`` is forecast ÷ measured; it and ``measured_ms`` are None where nothing was measured. ``fits`` says whether
    memory holds the model and a sequence; if not, the times are what if. A row that cannot be answered has None, and
    ``why_not`` says why.
    """
    import numpy as np

    rows = [dict(row) for row in rows]
    questions, reasons = _questions(rows)
    found: dict[int, tuple] = {}
    for forecast, indices in forecasts(questions):
        one = questions[indices[0]]
        chip = deployments.system(one.hardware, one.accelerators).accelerator
        low, high = interval(deployments.served(one.name), chip)["tpot"]
        fits = np.array([_held(questions[i]) >= 1 for i in indices])
        values = (forecast.tpot_s, forecast.tpot_floor_s, forecast.ttft_s)
        value, floor, first = (1e3 * np.broadcast_to(part, len(indices)) for part in values)
        lows = np.maximum(low * value, floor)
        for i, fit, *row in zip(indices, fits, value, floor, first, lows, high * value, strict=True):
            found[i] = (*map(float, row), bool(fit))
    return [row | _told(row, found.get(i), reasons.get(i)) for i, row in enumerate(rows)]


def _held(one: Asked) -> float:
    """Sequences of a row's mean length that memory holds beside the weights."""
    model, system = deployments.served(one.name), deployments.system(one.hardware, one.accelerators)
    formats = {"weights": one.weights, "kv": one.kv}
    return float(services.sequences_held(model, system, one.prompt + one.output / 2, one.split, **formats))


def _told(row: Mapping[str, Any], found: tuple | None, reason: str | None) -> dict[str, Any]:
    value, floor, first, low, high, fits = found or (None,) * 6
    measured = measured_ms(row)
    return {
        "forecast_ms": value,
        "floor_ms": floor,
        "low_ms": low,
        "high_ms": high,
        "forecast_ttft_ms": first,
        "fits": fits,
        "measured_ms": measured,
        "ratio": value / measured if value and measured else None,
        "why_not": reason,
    }


def measured_ms(row: Mapping[str, Any]) -> float | None:
    """Milliseconds per output token that a row measured; None if it does not say."""
    for name, convert in MEASURED.items():
        try:
            value = float(row[name])
        except (KeyError, TypeError, ValueError):
            continue
        if 0 < value < inf:
            return convert(value)
    return None


def _questions(rows: list[dict[str, Any]]) -> tuple[dict[int, Asked], dict[int, str]]:
    """What each row asks, and why some cannot be answered."""
    questions, reasons = {}, {}
    for i, row in enumerate(rows):
        try:
            question = asked(row)
            deployments.system(question.hardware, question.accelerators)
            questions[i] = question
        except ParameterError as error:
            reasons[i] = str(error)
    return questions, reasons


def grouped(questions: Mapping[int, Asked]) -> Iterable[tuple[Asked, tuple, dict[str, str], dict[str, Any], list]]:
    """Rows that share a deployment: one of them, arguments and formats of the formulas, what else, their numbers."""
    import numpy as np

    groups: dict[tuple, list[int]] = {}
    for i, question in questions.items():
        groups.setdefault(question.deployment, []).append(i)
    for indices in groups.values():
        one = questions[indices[0]]
        users, prompt, output, cached = (
            np.array([getattr(questions[i], name) for i in indices])
            for name in ("concurrency", "prompt", "output", "cached_share")
        )
        model, system = deployments.served(one.name), deployments.system(one.hardware, one.accelerators)
        formats = {"weights": one.weights, "kv": one.kv}
        yield one, (model, system, users, prompt, output, one.split), formats, {"cached_share": cached}, indices


def forecasts(questions: Mapping[int, Asked], using: Constants | None = None) -> Iterable[tuple[Forecast, list[int]]]:
    """Forecasts of rows that share a deployment, as arrays, with the numbers of the rows."""
    for one, arguments, formats, more, indices in grouped(questions):
        more |= {"drafted": one.drafted, "acceptance": deployments.ACCEPTED, "using": using}
        yield services.forecast(*arguments, **formats, **more), indices


def measured_services() -> Measured:
    """Accelerators and models of the services that intervals rest on."""
    return Measured(frozenset(measured_chips()), frozenset(measured_models()))


def measured_chips() -> set[str]:
    """Accelerators of the services that intervals rest on."""
    return {deployments.system(name, 1).accelerator.name for one in _intervals() for name in one["chips"]}


def measured_models() -> set[str]:
    """Models of the services that intervals rest on."""
    return {deployments.served(deployments.model_name(name)).name for one in _intervals() for name in one["models"]}


def _intervals() -> list[dict[str, Any]]:
    return [one for name, one in services.recorded()["intervals"].items() if name != "steps"]
