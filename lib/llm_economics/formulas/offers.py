"""What a service costs: a forecast with its interval and prices per million tokens, and systems ranked at a speed.

An accelerator is paid by the hour whatever it does, so the price of a token is the share of that hour that it took. The
time of a request is divided as the forecast divides a step: prompts that were read, attention to what a prefix cache
held of them, and the rest, which is decoding. What is known of this world (services that were measured, prices) comes
in as arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import gcd, inf, log10
from typing import Any

from llm_economics.formulas import services
from llm_economics.formulas.elementwise import check_choice
from llm_economics.formulas.hardware import BYTES_PER_VALUE, SCHEMES, STORED_BYTES, Accelerator, System, values_in
from llm_economics.formulas.parallelism import Split
from llm_economics.formulas.records import record, replace
from llm_economics.formulas.serving import ServedModel

MOST_USERS = 4096
"""Users on one copy up to which a system is asked."""
LARGEST_GROUP = 72
"""Accelerators up to which one copy of a model is spread when systems are ranked."""


@record
class Workload:
    """Tokens of a request, and the share of its prompt that a prefix cache holds."""

    prompt: float
    output: float
    cached_share: float = 0.0


@record
class Formats:
    """Formats of a model on a chip; None for what follows from the others by a rule of the formulas.

    ``weights`` may name a scheme (:data:`hardware.SCHEMES`) instead.
    """

    weights: str
    arithmetic: str | None = None
    kv: str | None = None


@record
class Measured:
    """Names of accelerators and models of the services that intervals rest on."""

    chips: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()


@record
class Deployment:
    """A model on so many accelerators of a system, in formats and a layout."""

    model: ServedModel
    system: System
    tensor: int
    data: int = 1
    expert: int = 1
    weights: str = "fp8"
    arithmetic: str | None = None
    kv: str | None = None
    drafted: float = 0
    acceptance: float = 0.7

    @property
    def formats(self) -> dict[str, Any]:
        """Formats as the formulas take them."""
        return {"weights": self.weights, "kv": self.kv or services.cache_for(self.weights)}

    @property
    def computes_in(self) -> str:
        """Format of the arithmetic."""
        chip = self.system.accelerator
        return self.arithmetic or services.arithmetic_for(self.weights, chip)

    def ask(self, users, work: Workload) -> services.Forecast:
        """The forecast for so many users at a time."""
        return services.forecast(
            self.model,
            self.system,
            users,
            work.prompt,
            work.output,
            split(self.tensor, self.data, self.expert),
            **self.formats,
            arithmetic=self.computes_in,
            cached_share=work.cached_share,
            drafted=self.drafted,
            acceptance=self.acceptance,
        )

    def holds(self, work: Workload) -> float:
        """Sequences that fit beside the weights; below one the model does not fit."""
        layout = split(self.tensor, self.data, self.expert)
        context = work.prompt + work.output / 2
        return float(services.sequences_held(self.model, self.system, context, layout, **self.formats))

    def refused(self) -> str | None:
        """Why engines refuse the layout, in words; None if they do not, or the model's heads are not known."""
        shares = self.model.shares
        return shares.why_not(self.tensor, self.tensor * self.data // self.expert) if shares.known else None


def interval(model: ServedModel, chip: Accelerator) -> dict[str, Any]:
    """Factors on a forecast between which nine tenths of unseen services of its kind lay, and what they rest on."""
    kind = "mixture" if model.is_moe else "dense"
    return services.recorded()["intervals"][kind if chip.maker in (None, "Nvidia") else "other maker"]


def offer(
    deployment: Deployment, users: float, work: Workload, usd_per_hour: float | None, measured: Measured
) -> dict[str, Any]:
    """One deployment's forecast, interval, price and evidence, as the command line prints it."""
    found, system = deployment.ask(users, work), deployment.system
    factors = interval(deployment.model, system.accelerator)
    requests = float(found.requests_per_s)
    record = {
        "model": deployment.model.name,
        "system": system.name,
        "accelerator": system.accelerator.name,
        "accelerators": system.accelerators,
        "tensor": deployment.tensor,
        "data": deployment.data,
        "expert": deployment.expert,
        "weights": values_in(deployment.weights),
        "scheme": services.scheme(deployment.model, deployment.weights),
        "arithmetic": deployment.computes_in,
        "kv": deployment.formats["kv"],
        "concurrency": users,
        "input_tokens": work.prompt,
        "output_tokens": work.output,
        "cached_share": work.cached_share,
        "held_bytes": services.held_bytes(deployment.model, deployment.weights),
        "fits": deployment.holds(work) >= 1,
        "split_why_not": deployment.refused(),
        "sequences": float(found.sequences),
        "queue_ms": 1e3 * float(found.queue_s),
        "tpot_ms": band(found.tpot_floor_s, found.tpot_s, *factors["tpot"]),
        "ttft_ms": band(found.ttft_floor_s, found.ttft_s, *factors["ttft"]),
        "tokens_per_s_per_user": 1 / float(found.tpot_s),
        "output_tokens_per_s_per_accelerator": requests * work.output / system.accelerators,
        "usd_per_hour": usd_per_hour,
        "usd_per_million_tokens": _prices(deployment, users, found, work, usd_per_hour),
        "seconds_per_request": float(found.busy_s),
        "usd_per_request": None if usd_per_hour is None else system.accelerators * usd_per_hour / 3600 / requests,
        "binds": services.TERMS[int(found.terms.binds)],
        "terms_ms": _terms(found),
    }
    return record | {"evidence": _evidence(deployment, factors, measured)}


def band(floor, value, low: float, high: float) -> dict[str, float]:
    floor, value = 1e3 * float(floor), 1e3 * float(value)
    return {"floor": floor, "value": value, "low": max(low * value, floor), "high": high * value}


def _terms(found: services.Forecast) -> dict[str, float]:
    return {name: 1e3 * float(getattr(found.terms, f"{name}_s")) for name in services.TERMS}


def _prices(
    deployment: Deployment, users: float, found: services.Forecast, work: Workload, usd_per_hour: float | None
) -> dict[str, float] | None:
    """USD per million tokens of a fresh prompt, of one that was cached, and of output; together they pay for the hour.

    Where nothing is cached, a cached token is priced as if half of the prompt were.
    """
    if usd_per_hour is None:
        return None
    rate = 1e6 * deployment.system.accelerators * usd_per_hour / 3600
    fresh = max(work.prompt * (1 - work.cached_share), 1.0)
    held, other = work, found
    if not work.cached_share:
        held = replace(work, cached_share=0.5)
        other = deployment.ask(users, held)
    decoding = float(found.busy_s - found.fresh_s - found.cached_s)
    return {
        "input": rate * float(found.fresh_s) / fresh,
        "cached": rate * float(other.cached_s) / max(held.prompt * held.cached_share, 1.0),
        "output": rate * decoding / work.output,
    }


def _evidence(deployment: Deployment, factors: dict[str, Any], measured: Measured) -> dict[str, Any]:
    chip, model = deployment.system.accelerator.name, deployment.model.name
    return {
        "interval": "nine of ten services that a fit had not seen",
        "services": factors["services"],
        "models": factors["models"],
        "chips": factors["chips"],
        "chip_measured": chip in measured.chips,
        "model_measured": model in measured.models,
    }


# ---------------------------------------------------------------------------------------------------------------------
# Formats and layouts

_FORMATS = (
    (r"fp4|float4", "fp4"),
    (r"int4|uint4|w4a16|w4afp8|w4a8|awq|gptq|(?<![a-z])4 ?bit", "int4"),
    (r"w4a4", "fp4"),
    (r"int8|w8a8", "int8"),
    (r"fp8|float8|e4m3|e5m2", "fp8"),
    (r"bf16|bfloat16|fp16|float16|(?<![a-z])(half|auto)(?![a-z])|16 ?bit", "bf16"),
)


def format_of(text: str) -> str:
    """The format that a text names, as :data:`BYTES_PER_VALUE` calls it; "" if it names none."""
    text = text.lower()
    if text in BYTES_PER_VALUE:
        return "bf16" if text == "fp16" else text
    return next((name for pattern, name in _FORMATS if re.search(pattern, text)), "")


def stored_format(text: str) -> str:
    """The same of weights: the scheme, one of :data:`SCHEMES`, where the text names it, else the format."""
    found = format_of(text)
    return next((name for name, values in SCHEMES.items() if values == found and name in text.lower()), found)


def named_weights(text: str, model: str) -> str:
    """The format of weights by a text about them and the last part of a model's name; "" if neither names one.

    The text decides, but a scheme of that format that the name has says more.
    """
    said, named = stored_format(text), stored_format(model.split("/")[-1])
    return named if said in ("", values_in(named)) else said


def format_option(name: str, value: str | None, default: str) -> str:
    """A format as an option gives it; of "weights" or "precision" it may be a scheme."""
    if value is None:
        return default
    if name in ("weights", "precision"):
        return check_choice(name, stored_format(value) or value.lower(), STORED_BYTES)
    return check_choice(name, format_of(value) or value.lower(), BYTES_PER_VALUE)


def split(tensor: int, data: int = 1, expert: int = 1) -> Split:
    """Tensor parallelism, copies of attention, and groups among which experts are dealt out over all of them."""
    return Split(tensor=tensor, data=data, expert=expert, expert_tensor=tensor * data / expert)


# ---------------------------------------------------------------------------------------------------------------------
# Ranking


def cheapest(
    base: Deployment,
    work: Workload,
    tokens_per_s: float,
    counts: Sequence[int],
    *,
    users: float | None = None,
    tensor: int | None = None,
    expert: int | None = None,
) -> tuple[Deployment, float] | None:
    """The layout and number of users with the least accelerator time per request among those that keep a user's speed.

    ``base`` gives model, formats and a system of any size; ``users``, ``tensor`` and ``expert`` may be given as well.
    None if no layout fits or is fast enough.
    """
    best, least = None, inf
    for deployment in _layouts(base, counts):
        if tensor not in (None, deployment.tensor) or expert not in (None, deployment.expert):
            continue
        most = min(deployment.holds(work), MOST_USERS * deployment.data)
        if most < 1:
            continue
        tried = numbers_of_users(most) if users is None else [users]
        found = _last_fast_enough(deployment, work, tokens_per_s, tried, least)
        if found is not None and found[1] < least:
            best, least = (deployment, float(found[0])), found[1]
    return best


def numbers_of_users(most: float, steps: int = 120) -> list[float]:
    """Whole numbers from one to ``most``, evenly on a logarithmic scale."""
    step = log10(most) / (steps - 1)
    found: list[float] = []
    for i in range(steps):
        number = float(round(10 ** (i * step) if i < steps - 1 else most))
        if not found or number > found[-1]:
            found.append(number)
    return found


def _last_fast_enough(
    deployment: Deployment, work: Workload, tokens_per_s: float, tried: Sequence[float], least: float
) -> tuple[float, float] | None:
    """The most users that keep the speed, and the accelerator time of a request; None if even one does not.

    More users slow a step down and share it among more, so the last that keeps the speed is the cheapest; a layout
    that is dearer than ``least`` even with the most users is not looked at further.
    """

    def asked(users: float) -> tuple[bool, float]:
        found = deployment.ask(users, work)
        return 1 / found.tpot_s >= tokens_per_s, found.busy_s * deployment.system.accelerators

    fast, paid = asked(tried[-1])
    if fast or paid >= least:
        return (tried[-1], paid) if fast else None
    low, high, best = 0, len(tried) - 1, None
    while low < high:
        middle = (low + high) // 2
        fast, paid = asked(tried[middle])
        if fast:
            low, best = middle + 1, (tried[middle], paid)
        else:
            high = middle
    return best


def _layouts(base: Deployment, counts: Sequence[int]) -> Iterator[Deployment]:
    """Tensor parallelism over all, experts dealt out or not, and copies of attention where there are experts."""
    for count in counts:
        system = _resized(base.system, count)
        yield replace(base, system=system, tensor=count, data=1, expert=1)
        groups = gcd(count, int(base.model.experts))  # 1 without experts
        for tensor in (n for n in (1, 2, 4, 8, 16, count) if base.model.is_moe and groups > 1 and count % n == 0):
            yield replace(base, system=system, tensor=tensor, data=count // tensor, expert=groups)


def _resized(system: System, count: int) -> System:
    name = system.name.split(",")[0]
    return replace(
        system, accelerators=count, name=f"{name}, {count} accelerators" if count != system.accelerators else name
    )


def sizes(system: System) -> list[int]:
    """Powers of two up to one domain of the fast link, and the domain itself."""
    most = min(system.domain_size, LARGEST_GROUP)
    return sorted({n for n in (1, 2, 4, 8, 16, 32, 64) if n <= most} | {most})


def ranked(offers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Offers, cheapest request first, each with the hourly price at which the order flips.

    For the first that is the price at which the second is as cheap, for every other the price at which it is as cheap
    as the first. Offers without a price stand behind, those that cannot serve last.
    """
    able = [one for one in offers if not one.get("why_not")]
    priced = sorted((one for one in able if one["usd_per_request"] is not None), key=lambda one: one["usd_per_request"])
    rest = [one for one in able if one["usd_per_request"] is None]
    found = []
    for rank, one in enumerate(priced + rest, start=1):
        rival = priced[1 if one is priced[0] and len(priced) > 1 else 0] if priced else None
        hours = one["accelerators"] / 3600 * one["seconds_per_request"]
        flips = None if rival is None or rival is one else rival["usd_per_request"] / hours
        found.append({"rank": rank, **one, "flips_at_usd_per_hour": flips})
    return found + [one for one in offers if one.get("why_not")]
