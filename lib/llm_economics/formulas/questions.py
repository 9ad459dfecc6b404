"""Questions about a whole service, as options give them, answered for people and programs.

The command line and the calculator's page ask here, each with a :class:`Catalog` of what it knows by name.
"""

from __future__ import annotations

from typing import Any

from llm_economics.formulas import offers, services
from llm_economics.formulas.elementwise import ParameterError, check_range
from llm_economics.formulas.hardware import Accelerator, System
from llm_economics.formulas.offers import Deployment, Formats, Measured, Workload, format_option
from llm_economics.formulas.serving import ServedModel

OPTIONS: dict[str, Any] = {
    "accelerators": None,
    "concurrency": None,
    "prompt": 8192.0,
    "output": 1024.0,
    "weights": None,
    "arithmetic": None,
    "kv": None,
    "tensor": None,
    "expert": None,
    "cached_share": 0.0,
    "drafted": 0.0,
    "acceptance": 0.7,
    "prices": (),
    "tokens_per_s": None,
    "hours_in_use": 24.0,
}
"""Options of a question and their defaults; lengths in tokens, prices in USD per hour of one accelerator.

``hours_in_use`` are those of a day in which a service answers: an hour of them pays for the idle ones as well.
"""


class Catalog:
    """What is known by name: models, systems with their prices, and which of them were measured."""

    def model(self, name: str) -> ServedModel:
        """A model counted in 16 bits."""
        raise NotImplementedError

    def system(self, name: str, accelerators: int | None = None) -> System:
        """A system with so many accelerators; None: its natural size."""
        raise NotImplementedError

    def formats(self, model: str, chip: Accelerator, weights, arithmetic, kv) -> Formats:
        """Formats as options give them; None where nobody says it."""
        raise NotImplementedError

    def systems(self) -> tuple[str, ...]:
        """Names of all systems."""
        raise NotImplementedError

    def price(self, system: str) -> float | None:
        """USD per hour of one accelerator of a system; None if no price is known."""
        raise NotImplementedError

    def measured(self) -> Measured:
        """What intervals rest on."""
        raise NotImplementedError


def service(model: str, systems: tuple[str, ...], catalog: Catalog, **options: Any) -> dict[str, Any]:
    """One service, or several ranked, as ``llm-economics service`` prints it; ``options`` are :data:`OPTIONS`.

    Raises
    ------
    ParameterError
        One line: something is missing, not known or not allowed.
    """
    options = OPTIONS | options
    if not systems:
        raise ParameterError('system is missing: give --system, several times or "all" to rank')
    if is_one(systems, options["tokens_per_s"]):
        return one(model, systems[0], catalog, options)
    return ranking(model, systems, catalog, options)


def is_one(systems: tuple[str, ...], tokens_per_s: float | None) -> bool:
    """Whether a question is about one service, and not a ranking."""
    return len(systems) == 1 and systems[0].lower() != "all" and tokens_per_s is None


def deployment(model: str, name: str, catalog: Catalog, options: dict[str, Any]) -> Deployment:
    """A model on a system as the options say it."""
    system = catalog.system(name, options["accelerators"])
    served = catalog.model(model)
    stated = [options[name] and format_option(name, options[name], "") for name in ("weights", "arithmetic", "kv")]
    if stated[1]:
        system.accelerator.peak(stated[1])
    formats = catalog.formats(model, system.accelerator, *stated)
    tensor, expert = options["tensor"] or system.accelerators, options["expert"] or 1
    if system.accelerators % tensor:
        raise ParameterError(f"tensor = {tensor} is not allowed: it must divide {system.accelerators} accelerators")
    if system.accelerators % expert or (expert > 1 and not served.is_moe):
        raise ParameterError(
            f"expert = {expert} is not allowed: it must divide the accelerators of a mixture of experts"
        )
    check_range("acceptance", options["acceptance"], 0, 1)
    check_range("drafted", options["drafted"], 0, 64)
    copies = system.accelerators // tensor
    asked = (formats.weights, formats.arithmetic, formats.kv, options["drafted"], options["acceptance"])
    return Deployment(served, system, tensor, copies, max(expert, 1), *asked)


def workload(options: dict[str, Any]) -> Workload:
    """Tokens of a request, and the share of its prompt that is cached."""
    check_range("input", options["prompt"], 1, 1e9)
    check_range("output", options["output"], 1, 1e9)
    check_range("cached_share", options["cached_share"], 0, 1)
    return Workload(options["prompt"], options["output"], options["cached_share"])


def one(model: str, system: str, catalog: Catalog, options: dict[str, Any]) -> dict[str, Any]:
    """One service."""
    work, found = workload(options), deployment(model, system, catalog, options)
    asked = asked_price(options["prices"], 0, 1)
    usd = _paid(catalog.price(found.system.name) if asked is None else asked, options)
    if options["concurrency"] is None:
        raise ParameterError("concurrency is missing: give --concurrency, or --tokens-per-s to look for it")
    check_range("concurrency", options["concurrency"], 1, 1e9)
    return offers.offer(found, options["concurrency"], work, usd, catalog.measured())


def _paid(usd_per_hour: float | None, options: dict[str, Any]) -> float | None:
    """What an hour in use costs."""
    hours = check_range("hours_in_use", options["hours_in_use"], 0, 24, open_low=True)
    return usd_per_hour if usd_per_hour is None or hours == 24 else usd_per_hour * 24 / hours


def asked_price(prices: tuple[float, ...], index: int, systems: int) -> float | None:
    """The price that options give for one of so many systems; None if they give none."""
    if not prices:
        return None
    if len(prices) not in (1, systems):
        raise ParameterError(f"usd_per_hour = {len(prices)} prices is not allowed: give one, or one for each system")
    return check_range("usd_per_hour", prices[index if len(prices) > 1 else 0], 0, 1e6, open_low=True)


def ranking(model: str, systems: tuple[str, ...], catalog: Catalog, options: dict[str, Any]) -> dict[str, Any]:
    """Systems at a speed or for so many users, cheapest first."""
    every = [name.lower() for name in systems] == ["all"]
    names = catalog.systems() if every else systems
    goal = goals(options)
    found = []
    for index, name in enumerate(names):
        usd = asked_price(options["prices"], index, 1 if every else len(names))
        found.append(candidate(model, name, catalog, options, usd, every))
    return {"model": model, **goal, "rows": offers.ranked(found)}


def goals(options: dict[str, Any]) -> dict[str, Any]:
    """What a ranking is asked for."""
    speed, users, work = options["tokens_per_s"], options["concurrency"], workload(options)
    _paid(None, options)
    if speed is None and users is None:
        raise ParameterError("tokens_per_s is missing: a ranking needs --tokens-per-s, or --concurrency")
    if speed is not None:
        check_range("tokens_per_s", speed, 0, 1e6, open_low=True)
    return {
        "input_tokens": work.prompt,
        "output_tokens": work.output,
        "cached_share": work.cached_share,
        "tokens_per_s": speed,
        "concurrency": users,
    }


def candidate(
    model: str, name: str, catalog: Catalog, options: dict[str, Any], usd: float | None, every: bool
) -> dict[str, Any]:
    """A system's best service, or why it has none; of a name that is not known only where ``every`` system is asked."""
    try:
        found = deployment(model, name, catalog, options | {"tensor": None, "expert": None})
        usd = _paid(catalog.price(found.system.name) if usd is None else usd, options)
        return _best(found, options, workload(options), usd, catalog)
    except ParameterError as error:
        if not every and not _is_known(name, catalog):
            raise
        return {"system": name, "why_not": str(error)}


def _is_known(name: str, catalog: Catalog) -> bool:
    try:
        return bool(catalog.system(name))
    except ParameterError:
        return False


def _best(found: Deployment, options: dict[str, Any], work: Workload, usd: float | None, catalog: Catalog):
    """A system's best deployment at a speed or for so many users, or why it has none."""
    speed, users = options["tokens_per_s"], options["concurrency"]
    counts = [options["accelerators"]] if options["accelerators"] else offers.sizes(found.system)
    best = offers.cheapest(
        found, work, speed or 0.0, counts, users=users, tensor=options["tensor"], expert=options["expert"]
    )
    if best is None:
        slow = f"is fast enough for {speed:g} tokens/s a user" if speed else f"holds the model and {users:g} sequences"
        return {"system": found.system.name, "why_not": f"no layout of up to {max(counts)} accelerators {slow}"}
    return offers.offer(*best, work, usd, catalog.measured())


# ---------------------------------------------------------------------------------------------------------------------
# In words, with how each number was found


BINDS = {
    "weights": "reading weights",
    "experts": "reading experts",
    "cache": "reading the cache",
    "links": "sending between cards",
    "layers": "the overhead of layers",
    "host": "the overhead of the host",
    "prompts": "reading new prompts",
}
"""What may take most of a step, in words."""


def said(answer: dict[str, Any]) -> str:
    """One service in a sentence: whether it fits, what binds, the speed, the price."""
    speed, band_ = digits(answer["tokens_per_s_per_user"]), answer["tpot_ms"]
    slow, fast = digits(1e3 / band_["high"]), digits(1e3 / band_["low"])
    where_ = f"{answer['accelerators']} × {answer['accelerator']}"
    fits = f"fits on {where_}" if answer["fits"] else f"does not fit on {where_}: the times are what if"
    words = f"{answer['model']} {fits}; most of a step is {BINDS[answer['binds']]}"
    words += f"; {speed} tokens/s each ({slow} to {fast})"
    if answer["usd_per_million_tokens"]:
        prices = answer["usd_per_million_tokens"]
        low, high = printed([band_["low"] / band_["value"], band_["high"] / band_["value"]])
        words += f"; ${digits(prices['output'])} a million tokens out (× {low:.2g} to {high:.2g})"
        words += f", ${digits(prices['input'])} in, ${digits(prices['cached'])} in from a prefix cache"
    return words + "."


def workings(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """How each number of one service follows: ``name``, ``value``, ``unit``, ``formula``, and ``numbers`` put in."""
    cards, output, seconds = answer["accelerators"], answer["output_tokens"], answer["seconds_per_request"]
    terms = {name: value for name, value in answer["terms_ms"].items() if value}
    found = [
        _working(
            "sequences at a time",
            answer["sequences"],
            "",
            "least of users and what memory holds",
            f"of {digits(answer['concurrency'])} users",
        ),
        _working(
            "time per token",
            answer["tpot_ms"]["value"],
            "ms",
            " + ".join(terms) + ", at least the floor",
            " + ".join([digits(value) for value in terms.values()]) + f"; floor {digits(answer['tpot_ms']['floor'])}",
        ),
        _working(
            "tokens/s of a user",
            answer["tokens_per_s_per_user"],
            "/s",
            "1000 ÷ time per token",
            f"1000 ÷ {digits(answer['tpot_ms']['value'])}",
        ),
        _working(
            "time to the first token",
            answer["ttft_ms"]["value"],
            "ms",
            "prompt read beside others + queue",
            f"{digits(answer['ttft_ms']['value'] - answer['queue_ms'])} + {digits(answer['queue_ms'])}",
        ),
        _working(
            "output tokens/s of a card",
            answer["output_tokens_per_s_per_accelerator"],
            "/s",
            "tokens of an answer ÷ card time of a request",
            f"{digits(output)} ÷ ({digits(seconds)} s × {cards})",
        ),
    ]
    if answer["usd_per_hour"] is None:
        return found
    usd, prices = answer["usd_per_hour"], answer["usd_per_million_tokens"]
    found.append(
        _working(
            "USD of a request",
            answer["usd_per_request"],
            "USD",
            "cards × price ÷ 3600 × seconds of a request",
            f"{cards} × {digits(usd)} ÷ 3600 × {digits(seconds)}",
        )
    )
    for name, what in (
        ("input", "reading fresh tokens"),
        ("cached", "attention to cached ones"),
        ("output", "decoding"),
    ):
        found.append(
            _working(
                f"USD a million tokens, {name}",
                prices[name],
                "USD",
                f"10⁶ × cards × price ÷ 3600 × seconds of {what} ÷ tokens",
                f"10⁶ × {cards} × {digits(usd)} ÷ 3600 × {prices[name] * 3.6e-3 / (cards * usd):.3g} s",
            )
        )
    return found


def _working(name: str, value: float, unit: str, formula: str, numbers: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "formula": formula, "numbers": numbers}


# ---------------------------------------------------------------------------------------------------------------------
# For people


def told(answer: dict[str, Any]) -> str:
    layout = f"tensor {answer['tensor']}" + (f", data {answer['data']}" if answer["data"] > 1 else "")
    layout += f", expert {answer['expert']}" if answer["expert"] > 1 else ""
    formats = f"{answer['weights']} weights, {answer['arithmetic']} arithmetic, {answer['kv']} cache"
    narrow = ", with scales and what stays in 16 bits" if services.bits(answer["weights"]) < 16 else ""
    facts = {
        "weights": f"{digits(answer['held_bytes'] / 1e9)} GB a copy as {answer['scheme']}{narrow}",
        "fits": "yes" if answer["fits"] else "no: the times are what if",
        "per token": _band(answer["tpot_ms"]) + f"; most of a step is {BINDS[answer['binds']]}",
        "first token": _band(answer["ttft_ms"]),
        "speed": f"{digits(answer['tokens_per_s_per_user'])} tokens/s a user, "
        f"{digits(answer['output_tokens_per_s_per_accelerator'])} output tokens/s an accelerator",
    }
    if answer["split_why_not"]:
        facts["split"] = (
            f"engines refuse it, so the times are what if: {answer['split_why_not']}; see --tensor, --expert"
        )
    if answer["sequences"] < answer["concurrency"]:
        facts["queue"] = (
            f"{digits(answer['sequences'])} of {digits(answer['concurrency'])} run at a time, the others wait"
        )
    if answer["usd_per_million_tokens"]:
        prices = ", ".join(f"{name} ${digits(usd)}" for name, usd in answer["usd_per_million_tokens"].items())
        facts["a million"] = f"{prices} at ${digits(answer['usd_per_hour'])} an hour"
    seen = answer["evidence"]
    facts["evidence"] = f"{seen['interval']}, of {seen['services']} ({', '.join(seen['chips'])})"
    if not seen["chip_measured"]:
        facts["evidence"] += "; no service on this chip is among them"
    if not seen["model_measured"]:
        facts["evidence"] += "; no service of this model is among them"
    title = f"{answer['model']} on {answer['accelerators']} x {answer['accelerator']} ({layout}; {formats})"
    return "\n".join([title] + [f"  {name:<12} {text}" for name, text in facts.items()])


def _band(times: dict[str, float]) -> str:
    value, low, high, floor = (digits(times[name]) for name in ("value", "low", "high", "floor"))
    return f"{value} ms ({low} to {high}; never below {floor})"


def printed(value: Any) -> Any:
    """An answer as JSON shows it: 12 digits, for the powers of two machines' libraries differ in the sixteenth."""
    if isinstance(value, dict):
        return {name: printed(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [printed(one) for one in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def table(answer: dict[str, Any]) -> str:
    goal = (
        f"at {answer['tokens_per_s']:g} tokens/s a user"
        if answer["tokens_per_s"]
        else f"for {answer['concurrency']:g} users"
    )
    lines = [
        f"{answer['model']}, {answer['input_tokens']:g} in, {answer['output_tokens']:g} out, {goal}, cheapest first",
        "",
    ]
    heads = (
        "system",
        "cards",
        "t/d/e",
        "users",
        "tokens/s a user",
        "$/hour",
        "in $/M",
        "out $/M",
        "flips at",
        "takes most",
    )
    lines.append(_columns(*heads))
    for row in answer["rows"]:
        if row.get("why_not"):
            lines.append(f"  {row['system']:<22}{row['why_not']}")
            continue
        times = row["tpot_ms"]
        speeds = f"{digits(1e3 / times['value'])} ({digits(1e3 / times['high'])}-{digits(1e3 / times['low'])})"
        prices = row["usd_per_million_tokens"] or {}
        usd = [digits(prices[name]) if prices else "-" for name in ("input", "output")]
        hour, flips = (digits(row[name]) if row[name] else "-" for name in ("usd_per_hour", "flips_at_usd_per_hour"))
        layout = f"{row['tensor']}/{row['data']}/{row['expert']}"
        name, users = row["system"].split(",")[0], f"{row['concurrency']:g}"
        lines.append(_columns(name, row["accelerators"], layout, users, speeds, hour, *usd, flips, row["binds"]))
    return "\n".join(lines)


def _columns(system: str, cards: Any, layout: str, users: str, *rest: str) -> str:
    speed, hour, fresh, made, flips, binds = rest
    return f"  {system:<22}{cards:>6}{layout:>10}{users:>7}{speed:>21}{hour:>9}{fresh:>9}{made:>9}{flips:>10}  {binds}"
