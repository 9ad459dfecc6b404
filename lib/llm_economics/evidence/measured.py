"""A measured server beside its floor, a forecast and what others published: the reader's own point among the others.

A result of ``results`` says how fast; model, system and formats say what it could be. :func:`complete` takes what the
file tells, from the reader what it does not, and keeps which is which. :func:`answers` then compares: the floor (the
roofline, which nothing without drafted tokens beats), the forecast with its interval, use of bandwidth and arithmetic,
price, and the nearest published rows of ``data/`` under the same forecast.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas

from llm_economics import facts
from llm_economics.evidence import answers as evidence
from llm_economics.evidence import deployments, readers
from llm_economics.evidence.results import Doubt, Figure, Result
from llm_economics.facts import models
from llm_economics.formulas import services, serving
from llm_economics.formulas.elementwise import ParameterError, check_range
from llm_economics.formulas.hardware import BYTES_PER_VALUE, System
from llm_economics.formulas.offers import format_option, named_weights
from llm_economics.formulas.parallelism import Split

OWN = "own_measurements"
"""Name of the file that a reader's measurements are kept in."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the reader says; None or "" where the file has to."""

    model: str = ""
    system: str = ""
    accelerators: int | None = None
    weights: str = ""
    arithmetic: str = ""
    kv: str = ""
    tensor: int | None = None
    expert: int | None = None
    concurrency: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    usd_per_hour: float | None = None


@dataclass(frozen=True)
class Deployment:
    """A model on a system in its formats and split: what a floor and a forecast need beside the load.

    ``drafted`` tokens are verified in each step; ``decode_only`` timings have no prompts read between the steps.
    """

    model: str
    system: str
    accelerators: int
    weights: str
    arithmetic: str
    kv: str
    tensor: int
    expert: int
    drafted: float = 0
    decode_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A result with everything that it takes to judge it, and where each part came from."""

    result: Result
    deployment: Deployment
    concurrency: float
    input_tokens: float
    output_tokens: float
    taken: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """Measured seconds per output token."""
        return self.result.tpot.typical

    @property
    def running(self) -> float:
        """Requests that were really in flight, at most those asked for, which a table's row has to be taken for."""
        if self.result.row and not self.result.row.get("in_flight"):
            return self.concurrency
        return max(1.0, min(self.concurrency, self.result.in_flight or self.concurrency))

    @property
    def context(self) -> float:
        """Mean tokens in the cache of a sequence while it decodes."""
        return self.input_tokens + self.output_tokens / 2


@dataclass(frozen=True)
class Times:
    """Arrays of loads, seconds: floor, forecast and interval of the time per output token, and what it consists of.

    ``first_*`` are those of the time to the first token; ``memory_s`` and ``compute_s`` what a decode step takes at the
    full bandwidth and the full arithmetic, ``prompt_s`` the same for one prompt; ``sequences`` are what memory holds.
    """

    floor_s: np.ndarray
    value_s: np.ndarray
    low_s: np.ndarray
    high_s: np.ndarray
    first_floor_s: np.ndarray
    first_value_s: np.ndarray
    first_low_s: np.ndarray
    first_high_s: np.ndarray
    memory_s: np.ndarray
    compute_s: np.ndarray
    prompt_s: np.ndarray
    sequences: np.ndarray
    binds: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A published measurement near a reader's, and forecast ÷ measured for it."""

    label: str
    measured_s: float
    forecast_s: float
    source: str
    date: str

    @property
    def ratio(self) -> float:
        """Forecast ÷ measured."""
        return self.forecast_s / self.measured_s


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A result judged; ``why_not`` says in one line what is missing where it could not be.

    ``ttft_s`` are floor, forecast and interval of the time to the first token; ``binds`` is what takes most of a step.
    """

    result: Result
    setting: Setting | None = None
    floor_s: float | None = None
    value_s: float | None = None
    low_s: float | None = None
    high_s: float | None = None
    ttft_s: tuple[float, float, float, float] | None = None
    binds: str = ""
    mbu: float | None = None
    mfu: float | None = None
    output_per_s: float | None = None
    usd_per_million: Mapping[str, float] | None = None
    nearest: tuple[Neighbour, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    why_not: str = ""

    @property
    def ratio(self) -> float | None:
        """Forecast ÷ measured time per output token; above one the server was faster than the forecast."""
        return self.value_s / self.setting.seconds if self.setting and self.value_s else None


# ---------------------------------------------------------------------------------------------------------------------
# From a file and a reader's options to a setting


def complete(result: Result, given: Given) -> Setting:
    """What the file tells, and from ``given`` what it does not.

    Raises
    ------
    ParameterError
        One line: what is missing or disagrees, and the option that gives it.
    """
    if result.why_not:
        raise ParameterError(result.why_not)
    taken: dict[str, str] = {}
    deployment = _deployment(result, given, taken)
    result, loads = _load(result, given, taken)
    return Setting(result=result, deployment=deployment, taken=taken, **loads)


def _deployment(result: Result, given: Given, taken: dict[str, str]) -> Deployment:
    name = _model(result, given, taken)
    system = _system(result, given, taken)
    count = (
        given.accelerators if result.row is None and given.accelerators else result.accelerators or given.accelerators
    )
    if count is None:
        raise ParameterError("the number of accelerators is not in the file: give --accelerators")
    taken["accelerators"] = (
        "file" if count == result.accelerators and (result.row or not given.accelerators) else "option"
    )
    check_range("accelerators", count, 1, 100_000)
    weights = _weights(result, given, name, taken)
    own = _layout(result, count) if result.row else (result.tensor, result.expert)
    tensor = _degree("tensor", own[0], given.tensor, count, count, taken)
    expert = _degree("expert", own[1], given.expert, 1, count, taken)
    chip = (_own_system(system) if _is_file(system) else _catalog_system(system, 1)).accelerator
    row = result.row or {}
    said = row.get("arithmetic") or given.arithmetic
    arithmetic = _format("arithmetic", said) if said else services.arithmetic_for(weights, chip)
    taken["arithmetic"] = "by weights and chip" if not said else "file" if row.get("arithmetic") else "option"
    if arithmetic not in chip.peak_flops:
        known = ", ".join(chip.peak_flops)
        raise ParameterError(f"arithmetic = {arithmetic!r} is not allowed on {system}: it has {known}")
    said = row.get("kv") or given.kv
    kv = _format("kv", said) if said else ""
    taken["kv"] = "file" if row.get("kv") else "option" if kv else "as engines do by default"
    kv = kv or services.cache_for(weights)
    drafted = deployments.DRAFTED if result.speculation else 0
    return Deployment(name, system, count, weights, arithmetic, kv, tensor, expert, drafted, result.decode_only)


def _layout(result: Result, count: int) -> tuple[int | None, int | None]:
    """Tensor and expert parallelism of a row, as ``service --rows`` reads them; None where it says neither."""
    if result.tensor is None and result.expert is None:
        return None, None
    known = {"model": "Llama 3 8B", "hardware": "H100", "isl": 1, "osl": 1, "concurrency": 1, "scenario": ""}
    asked = deployments.asked({**result.row, **known, "n_acc": count})
    return asked.tensor, asked.expert


def _degree(name: str, own: int | None, option: int | None, default: int, most: int, taken: dict[str, str]) -> int:
    value = own or option or default
    taken[name] = "file" if own else "option" if option else "all accelerators" if default > 1 else "none"
    check_range(name, value, 1, most)
    if most % value:
        raise ParameterError(f"{name} = {value} is not allowed: it must divide the {most} accelerators")
    return int(value)


def _model(result: Result, given: Given, taken: dict[str, str]) -> str:
    own = result.model if result.model and _known(result.model) else ""
    if not own and not given.model:
        which = f"{result.model!r} is not in data/models.csv" if result.model else "the file does not name it"
        raise ParameterError(f"the model is missing ({which}): give --model, a name or a config.json")
    if given.model and (not own or result.row is None):
        _agree(result, given.model, own)
        taken["model"] = "option" if not own else "option, and the file agrees"
        return given.model
    taken["model"] = "file"
    return own


@cache
def _known(name: str) -> bool:
    try:
        return bool(deployments.model_name(name))
    except ParameterError:
        return False


def _catalog(name: str) -> str:
    """A model as the catalog calls it; a path stays as it is."""
    return name if models.is_file(name) or models.is_leaked(name) else deployments.model_name(name)


def _agree(result: Result, model: str, own: str) -> None:
    """Refuse a model that cannot be the one that the file measured."""
    served = _served(_catalog(model), "bf16", None)
    total = served.weight_bytes / 2
    said = result.model
    if own:
        other = _served(_catalog(own), "bf16", None)
        if abs(other.weight_bytes / served.weight_bytes - 1) > 0.02:
            raise ParameterError(f"model = {model!r} disagrees with the file, which measured {said!r}")
        return
    count = result.parameters
    if count is None and (match := re.search(r"(?<![\d.x])(\d+(?:\.\d+)?) ?[bB](?![a-zA-Z])", said)):
        count = 1e9 * float(match[1])
    if count and not 0.75 < count / total < 1.33:
        what = f"{said!r} of {count / 1e9:.3g} billion parameters"
        raise ParameterError(f"model = {model!r} has {total / 1e9:.3g} billion: it disagrees with the file's {what}")


def _system(result: Result, given: Given, taken: dict[str, str]) -> str:
    own = ""
    if result.system:
        try:
            own = _catalog_system(result.system, 1).name and result.system
        except ParameterError:
            own = ""
    chosen = own if own and (result.row or not given.system) else given.system or own
    if not chosen:
        which = f"{result.system!r} is not in data/systems.csv" if result.system else "the file does not name it"
        raise ParameterError(f"the system is missing ({which}): give --system")
    if chosen == own:
        taken["system"] = "file"
        return own
    taken["system"] = f"option (the file says {result.system})" if result.system else "option"
    if not _is_file(chosen):
        _catalog_system(chosen, 1)
    return chosen


@cache
def _catalog_system(name: str, count: int) -> System:
    return deployments.system(name, count)


def _is_file(name: str) -> bool:
    return os.path.isfile(name) or name.endswith((".yaml", ".yml", ".json"))


@cache
def _own_system(path: str) -> System:
    return facts.system_from_file(path)


def _weights(result: Result, given: Given, model: str, taken: dict[str, str]) -> str:
    name = "" if models.is_file(model) and not result.model else result.model or model
    if given.weights and result.row is None:
        taken["weights"] = "option"
        return named_weights(_format("weights", given.weights), name)
    if result.weights:
        taken["weights"] = "file"
        return named_weights(_format("weights", result.weights), name)
    if result.weight_bytes and result.parameters:
        size = result.weight_bytes / result.parameters
        fits = [name for name, value in BYTES_PER_VALUE.items() if value <= 1.02 * size] or ["int4"]
        found = max(fits, key=lambda name: (BYTES_PER_VALUE[name], name == "bf16"))
        taken["weights"] = f"file ({8 * size:.3g} bits a parameter)"
        return found
    if given.weights:
        taken["weights"] = "option"
        return _format("weights", given.weights)
    if named := named_weights("", name):
        taken["weights"] = "the model's name"
        return named
    stored = _stored_weights(_catalog(model))
    taken["weights"] = "as the checkpoint stores them" if stored else "assumed: neither the file nor --weights says"
    return stored or "bf16"


@cache
def _stored_weights(model: str) -> str:
    """Format that a model's own checkpoint stores most of its weights in; "" if that is not known."""
    if models.is_leaked(model):
        return ""
    checkpoint = models.published(model).checkpoint
    return deployments.format_of(checkpoint.weights) if checkpoint else ""


def _format(name: str, text: str) -> str:
    return format_option(name, text, "")


def _load(result: Result, given: Given, taken: dict[str, str]) -> tuple[Result, dict[str, float]]:
    """Concurrency and lengths, and a time per token where only a rate or a batch was timed."""
    own = {
        "concurrency": result.concurrency,
        "input_tokens": result.input_tokens,
        "output_tokens": result.output_tokens,
    }
    loads: dict[str, float] = {}
    for name, value in own.items():
        option = getattr(given, name)
        if value is None and option is None:
            what = name.replace("_tokens", " length").replace("concurrency", "number of requests at a time")
            flag = {"input_tokens": "--input", "output_tokens": "--output"}.get(name, "--concurrency")
            raise ParameterError(f"the {what} is not in the file: give {flag}")
        loads[name] = float(option if value is None else value)
        taken[name] = "option" if value is None else "file"
    if result.concurrency is not None and result.in_flight == result.concurrency:
        taken["concurrency"] = "by Little's law: answered requests × seconds of each ÷ duration"
    check_range("concurrency", loads["concurrency"], 0, 1e7, open_low=True)
    check_range("input", loads["input_tokens"], 0, 1e9)
    check_range("output", loads["output_tokens"], 0, 1e9, open_low=True)
    loads["concurrency"] = max(1.0, loads["concurrency"])
    batch, output = loads["concurrency"], loads["output_tokens"]
    if result.output_per_s is None and result.total_per_s:
        share = output / (output + loads["input_tokens"])
        result = replace(result, output_per_s=result.total_per_s * share)
    if result.tpot is None and (whole := result.says.get("batch")):
        meaning, where = "one batch, first token in", f"{whole.where} ÷ output tokens"
        spread = [value and value / output for value in (whole.mean, whole.median, whole.p99)]
        result = replace(result, tpot=Figure(*spread, meaning=meaning, where=where), in_flight=batch)
    if result.tpot is None and result.output_per_s:
        where = "requests at a time ÷ output tokens per second"
        result = replace(result, tpot=Figure(batch / result.output_per_s, meaning="throughput", where=where))
    if result.tpot is None:
        raise ParameterError(
            "no time per output token is in the file, nor a rate of output tokens: measure with streaming"
        )
    return result, loads


# ---------------------------------------------------------------------------------------------------------------------
# Floor and forecast


@cache
def _served(model: str, weights: str, kv: str | None) -> serving.ServedModel:
    return facts.served_models(model, (weights,), kv=kv)[weights]


@cache
def _where(deployment: Deployment) -> tuple[serving.ServedModel, System, Split]:
    count, tensor, expert = deployment.accelerators, deployment.tensor, deployment.expert
    served = _served(_catalog(deployment.model), deployment.weights, deployment.kv)
    if _is_file(deployment.system):
        system = replace(_own_system(deployment.system), accelerators=count)
    else:
        system = _catalog_system(deployment.system, count)
    return served, system, deployments.split(tensor, count // tensor, expert if served.is_moe else 1)


def times(deployment: Deployment, concurrency, prompt, output) -> Times:
    """Floor, forecast and interval for arrays of loads, as ``llm-economics service`` has them."""
    served, system, split = _where(deployment)
    users, prompt, output = (np.maximum(value, 1.0) for value in (concurrency, prompt, output))
    formats = {"weights": deployment.weights, "arithmetic": deployment.arithmetic, "kv": deployment.kv}
    plain = _served(_catalog(deployment.model), "bf16", "bf16")
    drafts = {"drafted": deployment.drafted, "acceptance": deployments.ACCEPTED}
    found = services.forecast(plain, system, users, prompt, output, split, **formats, **drafts)
    factors = evidence.interval(plain, system.accelerator)
    value = np.maximum(found.terms.decode_s, found.tpot_floor_s) if deployment.decode_only else found.tpot_s
    precision = {"precision": deployment.arithmetic}
    step = serving.decode(served, system, found.sequences, prompt + output / 2, split, **precision).step
    read = serving.prefill(served, system, 1, prompt, split, **precision, links=False).step

    def band(floor, value, factor):
        return floor, value, np.maximum(factor[0] * value, floor), factor[1] * value

    columns = (
        *band(found.tpot_floor_s, value, factors["tpot"]),
        *band(found.ttft_floor_s, found.ttft_s, factors["ttft"]),
        step.memory_s,
        step.compute_s,
        read.compute_s,
        found.sequences,
        found.terms.binds,
    )
    return Times(*np.broadcast_arrays(*columns, users)[: len(columns)])


def _grouped(settings: Sequence[Setting]) -> list[dict[str, float]]:
    """:func:`times` of each setting, computed once for each deployment."""
    groups: dict[Deployment, list[int]] = {}
    for n, setting in enumerate(settings):
        groups.setdefault(setting.deployment, []).append(n)
    found: list[dict[str, float]] = [{} for _ in settings]
    for deployment, places in groups.items():
        loads = (
            (s.concurrency if s.running > 0.9 * s.concurrency else s.running, s.input_tokens, s.output_tokens)
            for s in map(settings.__getitem__, places)
        )
        together = times(deployment, *np.array(list(loads)).T)
        for at, place in enumerate(places):
            found[place] = {name: float(values[at]) for name, values in vars(together).items()}
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Published rows


@dataclass(frozen=True)
class Published:
    """Rows of ``data/`` that say how fast a service was, with their forecasts."""

    settings: tuple[Setting, ...]
    forecast_s: np.ndarray
    measured_s: np.ndarray
    features: np.ndarray
    names: np.ndarray


LIKENESS = (1.0, 0.5, 1.0, 1.0, 0.7, 0.3)
"""What a factor counts in a published row's distance: bytes of the model, of it active, bandwidth of a chip, number of
chips, requests at a time, tokens of context."""

WAITING = 0.3
"""Share of a published request before its first token beyond which it is no neighbour: it queued."""

TABLES = ("measured_serving", "services")
"""Files of published services."""


@cache
def published() -> Published:
    """The measured services of ``data/``, each once, without drafted tokens and disaggregated ones."""
    settings, seen = [], set()
    for name in TABLES:
        if name not in facts.FILES:
            continue
        path = facts.DATA / f"{name}.csv"
        for result in readers.read(path):
            row = result.row or {}
            if (
                result.why_not
                or result.speculation
                or row.get("trap")
                or not result.says.get("tpot")
                or _queued(result)
            ):
                continue
            try:
                setting = complete(result, Given())
            except ParameterError:
                continue
            key = (
                setting.deployment,
                setting.concurrency,
                setting.input_tokens,
                setting.output_tokens,
                setting.seconds,
            )
            if key not in seen:
                seen.add(key)
                settings.append(setting)
    found = _grouped(settings)
    return Published(
        tuple(settings),
        np.array([times_["value_s"] for times_ in found]),
        np.array([setting.seconds for setting in settings]),
        np.array([_features(setting) for setting in settings]),
        np.array([_chip(setting) for setting in settings]),
    )


def _queued(result: Result) -> bool:
    """Whether much of a request is a wait for its first token: fewer requests ran than the row says."""
    first, token = (figure.typical if figure else None for figure in (result.ttft, result.tpot))
    return bool(first and token and result.output_tokens) and first > WAITING * (first + token * result.output_tokens)


def _features(setting: Setting) -> list[float]:
    """What makes two loads alike, as weighted logarithms: bytes of the model, chips, users, context."""
    served, system, _ = _where(setting.deployment)
    active = served.common_bytes + served.experts_per_token * served.expert_bytes
    chip, count = system.accelerator.memory_bandwidth, setting.deployment.accelerators
    values = (served.weight_bytes, active, chip, count, setting.concurrency, setting.context)
    return [weight * float(np.log(max(value, 1e-9))) for weight, value in zip(LIKENESS, values, strict=True)]


def _chip(setting: Setting) -> str:
    return _where(setting.deployment)[1].accelerator.name


def nearest(setting: Setting, how_many: int = 3) -> tuple[Neighbour, ...]:
    """Published rows that are most like a setting; each differs from the next in configuration."""
    rows, found, seen = published(), [], set()
    for place in _by_likeness(setting):
        other = rows.settings[place]
        key = (other.deployment, other.concurrency, other.input_tokens, other.output_tokens)
        if key in seen:
            continue
        seen.add(key)
        found.append(
            Neighbour(
                label=label(other),
                measured_s=float(rows.measured_s[place]),
                forecast_s=float(rows.forecast_s[place]),
                source=(other.result.row or {}).get("benchmark") or (other.result.row or {}).get("source_title", ""),
                date=other.result.date,
            )
        )
        if len(found) == how_many:
            break
    return tuple(found)


def _by_likeness(setting: Setting) -> np.ndarray:
    """Numbers of the published rows, the one most like a setting first."""
    rows = published()
    if not len(rows.settings):
        return np.array([], dtype=int)
    apart = np.abs(rows.features - np.array(_features(setting))).sum(axis=1) + 0.3 * (rows.names != _chip(setting))
    return np.argsort(apart, kind="stable")


def label(setting: Setting) -> str:
    """A setting in one line."""
    where = setting.deployment
    engine = f", {setting.result.engine}" if setting.result.engine else ""
    load = f"{setting.input_tokens:,.0f} in, {setting.output_tokens:,.0f} out, {setting.concurrency:,.3g} at once"
    name = Path(where.model).parent.name if where.model.endswith(".json") else where.model
    return f"{name or where.model}, {where.accelerators} x {where.system}, {where.weights}{engine}, {load}"


# ---------------------------------------------------------------------------------------------------------------------
# The answer


def answers(results: Iterable[Result], given: Given, *, neighbours: int = 3) -> list[Answer]:
    """Each result judged; one that cannot be says why, and the others are answered all the same."""
    found: list[Answer | None] = []
    settings: list[Setting] = []
    for result in results:
        try:
            setting = complete(result, given)
            _where(setting.deployment)
        except ParameterError as error:
            found.append(Answer(result=result, why_not=" ".join(str(error).split())))
            continue
        found.append(None)
        settings.append(setting)
    judged = iter([_answer(s, t, given, neighbours) for s, t in zip(settings, _grouped(settings), strict=True)])
    return [answer or next(judged) for answer in found]


def _answer(setting: Setting, of: Mapping[str, float], given: Given, neighbours: int) -> Answer:
    result, measured = setting.result, setting.seconds
    output_per_s = result.output_per_s or _rate(setting)
    requests = 0.0 if result.decode_only else output_per_s / setting.output_tokens
    _, _, split = _where(setting.deployment)
    return Answer(
        result=result,
        setting=setting,
        floor_s=of["floor_s"],
        value_s=of["value_s"],
        low_s=of["low_s"],
        high_s=of["high_s"],
        ttft_s=(of["first_floor_s"], of["first_value_s"], of["first_low_s"], of["first_high_s"]),
        binds=services.TERMS[int(of["binds"])],
        mbu=of["memory_s"] / measured,
        mfu=of["compute_s"] / measured + requests * of["prompt_s"] / split.data,
        output_per_s=output_per_s,
        usd_per_million=_price(setting, output_per_s, given.usd_per_hour),
        nearest=nearest(setting, neighbours) if neighbours else (),
        doubts=(*result.doubts, *_against_the_floor(setting, of)),
    )


def _rate(setting: Setting) -> float:
    """Output tokens per second that times and concurrency give, where the file has no rate."""
    result, output = setting.result, setting.output_tokens
    first = result.ttft and result.ttft.typical
    if first and not result.decode_only:
        return setting.running * output / (first + setting.seconds * max(output - 1, 0))
    return setting.running / setting.seconds


def _price(setting: Setting, output_per_s: float, usd_per_hour: float | None) -> dict[str, float] | None:
    """USD per million tokens if output tokens bear it all, and if input tokens count the same."""
    if usd_per_hour is None:
        return None
    every = usd_per_hour * setting.deployment.accelerators / 3600
    both = output_per_s * (1 + setting.input_tokens / setting.output_tokens)
    return {"output": 1e6 * every / output_per_s, "input_and_output": 1e6 * every / both}


def _against_the_floor(setting: Setting, of: Mapping[str, float]) -> list[Doubt]:
    result, measured, found = setting.result, setting.seconds, []
    floor = of["floor_s"] * min(1.0, setting.running / setting.concurrency)
    if measured < 0.999 * floor:
        why = (
            "drafted tokens, another model, system, number or format than given, or tokens that were not counted right"
        )
        if result.speculation:
            why = "more of the drafted tokens were accepted than assumed, or one of the others"
        text = f"{1e3 * measured:.4g} ms a token is less than the floor of {1e3 * of['floor_s']:.4g} ms: {why}"
        found.append(Doubt("faster-than-floor", text))
    first = result.ttft and (result.ttft.median or result.ttft.mean)
    cached = any(doubt.code == "prefix-cache" for doubt in result.doubts)
    if first and not cached and setting.input_tokens and first < 0.999 * of["first_floor_s"]:
        text = f"the first token came after {1e3 * first:.4g} ms, reading {setting.input_tokens:,.0f} tokens takes at "
        text += f"least {1e3 * of['first_floor_s']:.4g} ms: a prefix cache had them, or the first piece held no token"
        found.append(Doubt("prefix-cache", text))
    return found


YOURS, THEIRS = "your measurement", "published"


def points(found: Sequence[Answer], near: int | None = None) -> pandas.DataFrame:
    """Forecast and measured milliseconds a token of answers and of the published rows, for a picture.

    ``near`` keeps of the published rows the so many that are most like each answer; None keeps all.
    """
    settings = [answer.setting for answer in found if answer.setting]
    rows = [
        (YOURS, label(a.setting), a.setting.seconds, a.value_s, a.low_s, a.high_s, a.setting.result.file)
        for a in found
        if a.setting
    ]
    others = published()
    places = range(len(others.settings))
    if near is not None:
        places = sorted({int(place) for setting in settings for place in _by_likeness(setting)[:near]})
    rows += [
        (THEIRS, label(one), one.seconds, others.forecast_s[place], None, None, one.result.date)
        for place in places
        for one in [others.settings[place]]
    ]
    frame = pandas.DataFrame(rows, columns=["whose", "what", "measured_ms", "forecast_ms", "low_ms", "high_ms", "from"])
    times_ = ["measured_ms", "forecast_ms", "low_ms", "high_ms"]
    frame[times_] = 1e3 * frame[times_].astype(float)
    return frame


# ---------------------------------------------------------------------------------------------------------------------
# A data file of the reader's own

COLUMNS = (
    "benchmark",
    "model",
    "hardware",
    "n_acc",
    "precision",
    "framework",
    "spec_decoding",
    "scenario",
    "isl",
    "osl",
    "concurrency",
    "in_flight",
    "interactivity_tok_s_user",
    "ttft_s",
    "tput_total",
    "tput_per_acc",
    "unit",
    "config",
    "arithmetic",
    "kv",
    "source_title",
    "source_url",
    "date",
    "confidence",
    "confidence_note",
    "notes",
)
"""Columns of the reader's file: those of ``data/measured_serving.csv``."""


def store(found: Sequence[Answer], folder: Path | str) -> Path:
    """Add answers to the reader's own data file in a folder, and a copy of each config.json that they need.

    A row that the file has already is not added again.

    Raises
    ------
    ParameterError
        If the file there has other columns.
    """
    folder = Path(folder)
    path = folder / f"{OWN}.csv"
    rows = [_stored_row(answer) for answer in found if answer.setting]
    own = {answer.setting.deployment.model for answer in found if answer.setting}
    configs = {_config_name(model): _config_content(model) for model in own if models.is_file(model)}
    if not rows:
        raise ParameterError(f"nothing to store in {folder}: no row could be answered")
    folder.mkdir(parents=True, exist_ok=True)
    old: list[dict[str, str]] = []
    if path.exists():
        with path.open(encoding="utf-8", newline="") as lines:
            reader = csv.DictReader(lines)
            old = list(reader)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise ParameterError(f"{path} has other columns: name another --into")
    new = [{name: str(cell) for name, cell in row.items()} for row in rows]
    kept = list({tuple(row.items()): row for row in (*old, *new)}.values())
    _write(path, kept)
    for name, content in configs.items():
        (folder / name).write_bytes(content)
    return path


def _write(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    temporary = path.with_suffix(".part")
    with temporary.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(temporary, path)


def _config_name(model: str) -> str:
    if model.lstrip().startswith("{"):
        return "model.config.json"
    path = Path(model).resolve()
    return f"{path.parent.name if path.name == 'config.json' else path.stem}.config.json"


def _config_content(model: str) -> bytes:
    """The config.json that a model was read from."""
    if model.lstrip().startswith("{"):
        return model.encode()
    path = Path(model)
    path = path / "config.json" if path.is_dir() else path
    if path.suffix != ".json":
        raise ParameterError(f"--into keeps the model's config.json with the rows: give it as --model, not {path.name}")
    return path.read_bytes()


def _stored_row(answer: Answer) -> dict[str, object]:
    from datetime import UTC, datetime

    setting, result = answer.setting, answer.result
    where, first = setting.deployment, result.ttft and (result.ttft.median or result.ttft.mean)
    day = result.date or datetime.fromtimestamp(Path(result.file).stat().st_mtime, UTC).date().isoformat()
    parallel = f"tp{where.tensor} ep{where.expert}"
    meaning = result.tpot.meaning
    return {
        "benchmark": " ".join(filter(None, (result.tool, result.version))),
        "model": _config_name(where.model) if models.is_file(where.model) else where.model,
        "hardware": where.system,
        "n_acc": where.accelerators,
        "precision": where.weights,
        "framework": result.engine,
        "spec_decoding": "mtp" if result.speculation else "none",
        "scenario": "aggregated",
        "isl": f"{setting.input_tokens:.6g}" if setting.input_tokens >= 1 else "",
        "osl": f"{setting.output_tokens:.6g}",
        "concurrency": f"{setting.concurrency:.6g}",
        "in_flight": f"{result.in_flight:.6g}" if result.in_flight else "",
        "interactivity_tok_s_user": f"{1 / setting.seconds:.6g}",
        "ttft_s": f"{first:.6g}" if first else "",
        "tput_total": f"{answer.output_per_s:.6g}",
        "tput_per_acc": f"{answer.output_per_s / where.accelerators:.6g}",
        "unit": "output tok/s",
        "config": parallel,
        "arithmetic": where.arithmetic,
        "kv": where.kv,
        "source_title": "own measurement",
        "source_url": Path(result.file).name + (f" ({result.part})" if result.part else ""),
        "date": day,
        "confidence": "own measurement",
        "confidence_note": f"time per token: {meaning}",
        "notes": "; ".join(doubt.code for doubt in answer.doubts),
    }


def stored(folder: Path | str | None = None, *, neighbours: int = 0) -> list[Answer]:
    """A reader's own rows, as :func:`store` left them, judged again; empty where there are none.

    ``folder`` None is the one that the run was given (``run --data``).

    Raises
    ------
    CatalogError
        If the file has other columns, or a row is not allowed.
    """
    folder = facts.readers_folder() if folder is None else Path(folder)
    if folder is None or not (folder / f"{OWN}.csv").is_file():
        return []
    facts.load(OWN, folder)  # for its checks
    found = []
    for result in readers.read(folder / f"{OWN}.csv"):
        config = folder / result.model
        found.append(replace(result, model=str(config)) if result.model.endswith(".config.json") else result)
    return answers(found, Given(), neighbours=neighbours)
