"""What a service or a training run costs at the latest prices, and the fields of the calculator that ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm_economics import facts
from llm_economics.evidence import deployments, offers
from llm_economics.facts.units import percent, show, usd
from llm_economics.formulas import training_run
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.offers import Workload


@dataclass(frozen=True)
class Today:
    """A sentence with its numbers, the calculator's ``fields`` that ask for them, and the whole ``answer``."""

    says: str
    fields: Mapping[str, Any]
    answer: Mapping[str, Any]


def service(model: str, system: str, users: int, prompt: int = 8192, output: int = 1024) -> Today:
    """A model of the catalog on one whole system, in the format that it is mostly served in, for so many users.

    Raises
    ------
    ParameterError
        If the model or the system is not known, or the system has no price.
    """
    name, place = deployments.model_name(model), facts.system(system)
    form = deployments.formats_of(model, place.accelerator, None, None, None)
    served, price = deployments.served(name), offers.price(system)
    if price is None:
        raise ParameterError(f"system = {system!r} is not allowed: no price of it is known")
    how = {"weights": form.weights, "arithmetic": form.arithmetic, "kv": form.kv}
    asked = offers.Deployment(served, place, place.accelerators, **how)
    found = offers.offer(asked, float(users), Workload(float(prompt), float(output)), price)
    steps, cost = found["tpot_ms"], found["usd_per_million_tokens"]
    speed, slow, fast = (show(1e3 / steps[end]) for end in ("value", "high", "low"))
    who = f"{users:,} users" if users > 1 else "one user"
    fits = "" if found["sequences"] >= users else f", of whom {show(found['sequences'])} run at a time"
    says = (
        f"**Today** {who} of {model}{fits} on one {system} ({usd(price)} a card-hour, median list price) get "
        f"**{speed} tokens/s** each ({slow} to {fast}) for {usd(cost['input'])} in and **{usd(cost['output'])}** out "
        "per million."
    )
    fields = {"tab": "service", "model": served.name, "system": system, "concurrency": users}
    fields |= {"prompt": prompt, "output": output, "cached_share": 0, "hours_in_use": 24}
    return Today(says, fields, found)


def run(parameters: float, tokens: float, chip: str, cards: int, mfu: float) -> Today:
    """A training run of so many active parameters and tokens on ``cards`` of a chip, at a share of its BF16 peak.

    Raises
    ------
    ParameterError
        If the chip is not known, or has no price.
    """
    place, price = facts.accelerator(chip), offers.price(chip)
    if price is None:
        raise ParameterError(f"chip = {chip!r} is not allowed: no price of it is known")
    asked = {"parameters": parameters, "tokens": tokens, "accelerators": cards, "mfu": mfu, "usd_per_hour": price}
    found = training_run.run(**asked, peak_flops=place.peak("bf16"))
    says = (
        f"**Today** {cards:,} {chip}s at {usd(price)} an hour (median list price) and {percent(mfu)} of their BF16 "
        f"peak take **{show(found['days'])} days and {usd(found['usd'])}** for it."
    )
    fields = {"tab": "run", "parameters": entered(parameters), "tokens": entered(tokens), "accelerators": cards}
    system = next(name for name in facts.systems() if facts.system(name).accelerator == place)
    fields |= {"days": "", "mfu": mfu, "usd_per_hour": price, "system": system, "precision": "bf16"}
    return Today(says, fields, found)


def entered(value: Any) -> str:
    """A value as a reader enters it into the form: 70B for seventy billion."""
    if isinstance(value, str):
        return value
    for power, letter in ((1e12, "T"), (1e9, "B")):
        if value >= power:
            return f"{value / power:.12g}{letter}"
    return f"{value:.12g}"
