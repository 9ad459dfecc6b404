"""``llm-economics service``."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from llm_economics.evidence.offers import Deployment, Workload


@click.command()
@click.argument("model", metavar="FILE|FOLDER|NAME", required=False)
@click.option(
    "--system", "systems", multiple=True, help='A system or accelerator of the catalog, repeatable, or "all".'
)
@click.option("--accelerators", type=click.IntRange(1, 100_000), help="How many; when ranking, the cheapest number.")
@click.option("--concurrency", type=float, help="Users at a time; when ranking at a speed, the most that keep it.")
@click.option("--input", "prompt", type=float, default=8192, show_default=True, help="Tokens of a prompt.")
@click.option("--output", type=float, default=1024, show_default=True, help="Tokens of an answer.")
@click.option(
    "--weights",
    help="Format of the weights (bf16, fp8, fp4, int4); the checkpoint's, of a 16-bit NAME fp8 where the chip has it.",
)
@click.option("--arithmetic", help="Format of the arithmetic; the checkpoint's, else that of the weights.")
@click.option("--kv", help="Format of the KV cache; a FILE's, BF16 if it states none; of a NAME fp8 below 16 bits.")
@click.option("--tensor", type=click.IntRange(1), help="Accelerators that share a copy of attention; all if not given.")
@click.option("--expert", type=click.IntRange(1), help="Groups among which experts are dealt out; 1 if not given.")
@click.option(
    "--cached-share", type=float, default=0.0, show_default=True, help="Share of the prompt in a prefix cache."
)
@click.option("--drafted", type=float, default=0, show_default=True, help="Tokens drafted in each step.")
@click.option(
    "--acceptance", type=float, default=0.7, show_default=True, help="Chance that a drafted token is accepted."
)
@click.option("--usd-per-hour", "prices", type=float, multiple=True, help="Of one accelerator; one, or one a system.")
@click.option("--tokens-per-s", type=float, help="Speed that every user must have: ranks systems at it.")
@click.option(
    "--rows", "table", type=click.Path(dir_okay=False, path_type=Path), help="Answer each row of a CSV table."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def service(model: str | None, systems: tuple[str, ...], table: Path | None, as_json: bool, **options: Any) -> None:
    """Forecast a whole service of a model: time per token, time to the first, and what a million tokens cost.

    FILE is a config.json or weights, FOLDER one that holds them, NAME a model of data/models.csv or as benchmarks
    write it.
    """
    from llm_economics.formulas.elementwise import ParameterError

    if table is not None:
        _answer_rows(table, as_json)
        return
    if model is None:
        raise ParameterError("MODEL is missing: it is needed where --rows is not given")
    if not systems:
        raise ParameterError('system is missing: give --system, several times or "all" to rank')
    if len(systems) == 1 and systems[0].lower() != "all" and options["tokens_per_s"] is None:
        answer = _one(model, systems[0], **options)
        click.echo(_as_json(answer) if as_json else _told(answer))
        return
    answer = _ranking(model, systems, **options)
    click.echo(_as_json(answer) if as_json else _table(answer))


def _as_json(answer: dict[str, Any]) -> str:
    return json.dumps(answer, indent=2, ensure_ascii=False, allow_nan=False)


def _answer_rows(table: Path, as_json: bool) -> None:
    from llm_economics.evidence import answers
    from llm_economics.formulas.elementwise import ParameterError

    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            rows = [{name: cell for name, cell in row.items() if name is not None} for row in reader]
            names = list(reader.fieldnames or [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ParameterError(f"rows = {table} is not allowed: it is no CSV table in UTF-8 ({error})") from None
    if not names:
        raise ParameterError(f"rows = {table} is not allowed: it is empty")
    told = answers.answer(rows)
    if as_json:
        click.echo(_as_json({"rows": told}))
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, list(told[0]) if told else names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(told)
    click.echo(text.getvalue(), nl=False)


def _deployment(model: str, name: str, accelerators: int | None, **options: Any) -> Deployment:
    from llm_economics import facts
    from llm_economics.evidence import deployments
    from llm_economics.evidence.offers import Deployment
    from llm_economics.formulas.elementwise import ParameterError, check_range

    system = facts.system(name, accelerators)
    served = deployments.served(model if deployments.is_file(model) else deployments.model_name(model))
    formats = deployments.formats_of(
        model, system.accelerator, options["weights"], options["arithmetic"], options["kv"]
    )
    tensor, expert = options["tensor"] or system.accelerators, options["expert"] or 1
    if system.accelerators % tensor:
        raise ParameterError(f"tensor = {tensor} is not allowed: it must divide {system.accelerators} accelerators")
    if system.accelerators % expert or (expert > 1 and not served.is_moe):
        raise ParameterError(
            f"expert = {expert} is not allowed: it must divide the accelerators of a mixture of experts"
        )
    check_range("acceptance", options["acceptance"], 0, 1)
    check_range("drafted", options["drafted"], 0, 64)
    return Deployment(
        served,
        system,
        tensor,
        system.accelerators // tensor,
        max(expert, 1),
        formats.weights,
        formats.arithmetic,
        formats.kv,
        options["drafted"],
        options["acceptance"],
        formats.dense,
    )


def _workload(options: dict[str, Any]) -> Workload:
    from llm_economics.evidence.offers import Workload
    from llm_economics.formulas.elementwise import check_range

    check_range("input", options["prompt"], 1, 1e9)
    check_range("output", options["output"], 1, 1e9)
    check_range("cached_share", options["cached_share"], 0, 1)
    return Workload(options["prompt"], options["output"], options["cached_share"])


def _one(model: str, system: str, **options: Any) -> dict[str, Any]:
    from llm_economics.evidence import offers
    from llm_economics.formulas.elementwise import ParameterError, check_range

    if options["concurrency"] is None:
        raise ParameterError("concurrency is missing: give --concurrency, or --tokens-per-s to look for it")
    work = _workload(options)
    check_range("concurrency", options["concurrency"], 1, 1e9)
    deployment = _deployment(model, system, **options)
    asked = _price(options["prices"], 0, 1)
    usd = offers.price(deployment.system.name) if asked is None else asked
    return offers.offer(deployment, options["concurrency"], work, usd)


def _price(prices: tuple[float, ...], index: int, systems: int) -> float | None:
    from llm_economics.formulas.elementwise import ParameterError, check_range

    if not prices:
        return None
    if len(prices) not in (1, systems):
        raise ParameterError(f"usd_per_hour = {len(prices)} prices is not allowed: give one, or one for each system")
    return check_range("usd_per_hour", prices[index if len(prices) > 1 else 0], 0, 1e6, open_low=True)


def _ranking(model: str, systems: tuple[str, ...], **options: Any) -> dict[str, Any]:
    from llm_economics import facts
    from llm_economics.evidence import offers
    from llm_economics.formulas.elementwise import ParameterError, check_range

    every = [name.lower() for name in systems] == ["all"]
    names = facts.systems() if every else systems
    speed, users, work = options["tokens_per_s"], options["concurrency"], _workload(options)
    if speed is None and users is None:
        raise ParameterError("tokens_per_s is missing: a ranking needs --tokens-per-s, or --concurrency")
    if speed is not None:
        check_range("tokens_per_s", speed, 0, 1e6, open_low=True)
    found = []
    for index, name in enumerate(names):
        usd = _price(options["prices"], index, 1 if every else len(names))
        try:
            deployment = _deployment(model, name, **(options | {"tensor": None, "expert": None}))
            usd = offers.price(deployment.system.name) if usd is None else usd
            found.append(_offer(deployment, speed, users, work, usd, options))
        except ParameterError as error:
            if not every and not _is_known(name):
                raise
            found.append({"system": name, "why_not": str(error)})
    return {
        "model": model,
        "input_tokens": work.prompt,
        "output_tokens": work.output,
        "cached_share": work.cached_share,
        "tokens_per_s": speed,
        "concurrency": users,
        "rows": offers.ranked(found),
    }


def _is_known(name: str) -> bool:
    from llm_economics import facts

    try:
        return bool(facts.system(name))
    except facts.CatalogError:
        return False


def _offer(deployment: Deployment, speed, users, work: Workload, usd: float | None, options: dict[str, Any]):
    """A system's best deployment at a speed or for so many users, or why it has none."""
    from llm_economics.evidence import offers

    counts = [options["accelerators"]] if options["accelerators"] else offers.sizes(deployment.system)
    best = offers.cheapest(
        deployment, work, speed or 0.0, counts, users=users, tensor=options["tensor"], expert=options["expert"]
    )
    if best is None:
        slow = f"is fast enough for {speed:g} tokens/s a user" if speed else f"holds the model and {users:g} sequences"
        return {"system": deployment.system.name, "why_not": f"no layout of up to {max(counts)} accelerators {slow}"}
    return offers.offer(*best, work, usd)


# ---------------------------------------------------------------------------------------------------------------------
# For people


def _told(answer: dict[str, Any]) -> str:
    layout = f"tensor {answer['tensor']}" + (f", data {answer['data']}" if answer["data"] > 1 else "")
    layout += f", expert {answer['expert']}" if answer["expert"] > 1 else ""
    formats = f"{answer['weights']} weights, {answer['arithmetic']} arithmetic, {answer['kv']} cache"
    facts = {
        "fits": "yes" if answer["fits"] else "no: the times are what if",
        "per token": _band(answer["tpot_ms"]) + f"; {answer['binds']} take most",
        "first token": _band(answer["ttft_ms"]),
        "speed": f"{_digits(answer['tokens_per_s_per_user'])} tokens/s a user, "
        f"{_digits(answer['output_tokens_per_s_per_accelerator'])} output tokens/s an accelerator",
    }
    if answer["sequences"] < answer["concurrency"]:
        facts["queue"] = (
            f"{_digits(answer['sequences'])} of {_digits(answer['concurrency'])} run at a time, the others wait"
        )
    if answer["usd_per_million_tokens"]:
        prices = ", ".join(f"{name} ${_digits(usd)}" for name, usd in answer["usd_per_million_tokens"].items())
        facts["a million"] = f"{prices} at ${_digits(answer['usd_per_hour'])} an hour"
    seen = answer["evidence"]
    facts["evidence"] = f"{seen['interval']}, of {seen['services']} ({', '.join(seen['chips'])})"
    if not seen["chip_measured"]:
        facts["evidence"] += "; no service on this chip is among them"
    if not seen["model_measured"]:
        facts["evidence"] += "; no service of this model is among them"
    title = f"{answer['model']} on {answer['accelerators']} x {answer['accelerator']} ({layout}; {formats})"
    return "\n".join([title, *(f"  {name:<12} {text}" for name, text in facts.items())])


def _band(times: dict[str, float]) -> str:
    value, low, high, floor = (_digits(times[name]) for name in ("value", "low", "high", "floor"))
    return f"{value} ms ({low} to {high}; never below {floor})"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"


def _table(answer: dict[str, Any]) -> str:
    goal = (
        f"at {answer['tokens_per_s']:g} tokens/s a user"
        if answer["tokens_per_s"]
        else f"for {answer['concurrency']:g} users"
    )
    lines = [
        f"{answer['model']}, {answer['input_tokens']:g} in, {answer['output_tokens']:g} out, {goal}, cheapest first",
        "",
    ]
    form = "  {:<22}{:>6}{:>10}{:>7}{:>21}{:>9}{:>9}{:>9}{:>10}  {}"
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
    lines.append(form.format(*heads))
    for row in answer["rows"]:
        if row.get("why_not"):
            lines.append(f"  {row['system']:<22}{row['why_not']}")
            continue
        times = row["tpot_ms"]
        speeds = f"{_digits(1e3 / times['value'])} ({_digits(1e3 / times['high'])}-{_digits(1e3 / times['low'])})"
        prices = row["usd_per_million_tokens"] or {}
        usd = [_digits(prices[name]) if prices else "-" for name in ("input", "output")]
        hour, flips = (_digits(row[name]) if row[name] else "-" for name in ("usd_per_hour", "flips_at_usd_per_hour"))
        layout = f"{row['tensor']}/{row['data']}/{row['expert']}"
        name, users = row["system"].split(",")[0], f"{row['concurrency']:g}"
        lines.append(form.format(name, row["accelerators"], layout, users, speeds, hour, *usd, flips, row["binds"]))
    return "\n".join(lines)
