"""``llm-economics measured``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from llm_economics.evidence.measured import Answer
    from llm_economics.evidence.results import Figure, Result


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--model", default="", metavar="CONFIG|NAME", help="What was served: a config.json or a model's name.")
@click.option("--system", default="", help="On what: a system or accelerator of the catalog, or your own YAML file.")
@click.option("--accelerators", type=click.IntRange(1, 100_000), help="On how many of it.")
@click.option(
    "--weights",
    default="",
    help="Format of the weights (bf16, fp8, fp4, int4) or scheme (nvfp4, mxfp4, ...); the checkpoint's if not given.",
)
@click.option("--arithmetic", default="", help="Format that is computed in; by the weights and the chip if not given.")
@click.option("--kv", default="", help="Format of the KV cache; fp8 beside weights of fp8 or fp4, else 16 bits.")
@click.option("--tensor", type=click.IntRange(1, 100_000), help="Accelerators that share a matrix; all if not given.")
@click.option("--expert", type=click.IntRange(1, 100_000), help="Groups that the experts are dealt out to.")
@click.option("--concurrency", type=float, help="Requests at a time, where the file does not say.")
@click.option("--input", "input_tokens", type=float, help="Tokens of a prompt, where the file does not say.")
@click.option("--output", "output_tokens", type=float, help="Tokens of an answer, where the file does not say.")
@click.option("--usd-per-hour", type=float, help="Price of one accelerator for an hour.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--csv", "csv_path", type=click.Path(dir_okay=False, path_type=Path), help="Write the rows to a file.")
@click.option("--plot", "plot_path", type=click.Path(dir_okay=False, path_type=Path), help="Draw .svg, .png or .html.")
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), help="Add the rows to a data folder of yours."
)
def measured(
    files: tuple[Path, ...],
    as_json: bool,
    csv_path: Path | None,
    plot_path: Path | None,
    into: Path | None,
    usd_per_hour: float | None,
    **given: Any,
) -> None:
    """Judge a measured server: how far from the floor, what binds, what it costs, and whether to believe it.

    FILE is what a benchmark tool wrote (vLLM, SGLang, AIPerf, GenAI-Perf, GuideLLM, inference-perf, genai-bench,
    evalscope, tokenomics, llama-benchy, llama-bench, LLMPerf, trtllm-bench, MLPerf LoadGen, ...), the folder that it
    wrote to, or a table with the columns of data/measured_serving.csv. What the file tells is taken from it, the rest
    from the options.

    --json prints {"rows": [...]}: measured_ms by the book's definition (or the nearest, named in definition), floor_ms,
    forecast_ms between low_ms and high_ms, ratio (forecast over measured), mbu, mfu, binds, tokens_per_s_per_user,
    output_tokens_per_s_per_accelerator, usd_per_million_tokens, nearest (published rows), doubts (code and text), taken
    (where each input came from), says (the tool's own figures with their definitions), and why_not for a row that
    could not be answered.
    """
    from llm_economics.evidence import measured as own
    from llm_economics.formulas.elementwise import ParameterError, check_range

    for name, limit in (("concurrency", 1e7), ("input_tokens", 1e9), ("output_tokens", 1e9)):
        if given[name] is not None:
            check_range(f"--{name.removesuffix('_tokens')}", given[name], 0, limit, open_low=name != "input_tokens")
    if usd_per_hour is not None:
        check_range("--usd-per-hour", usd_per_hour, 0, 1e6)
    if plot_path is not None and plot_path.suffix not in _FORMATS:
        raise ParameterError(f"--plot = {str(plot_path)[:80]!r} is not allowed: it must end with {', '.join(_FORMATS)}")
    found = own.answers(_results(files), own.Given(usd_per_hour=usd_per_hour, **given))
    answered = [answer for answer in found if answer.setting]
    if not answered and len(found) == 1:
        raise ParameterError(_refusal(found[0]))
    rows = [_record(answer) for answer in found]
    if as_json:
        content = {"usd_per_hour": usd_per_hour, "rows": rows}
        indent = 1 if len(rows) <= SHOWN else None  # a long table is for programs
        click.echo(json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False))
    else:
        _show(found)
    if csv_path is not None:
        csv_path.write_text(_csv(rows), encoding="utf-8")
    if answered and plot_path is not None:
        _draw(answered, plot_path)
    if answered and into is not None:
        click.echo(
            f"{own.store(answered, into)}: {len(answered)} rows; `llm-economics run --data {into}` uses them", err=True
        )
    if not answered:
        raise ParameterError(f"none of {len(found)} rows could be answered; the first: {_refusal(found[0])}")


def _results(files: tuple[Path, ...]) -> list[Result]:
    """The results of all files; one that is none becomes a row that says so."""
    from llm_economics.evidence import readers, results

    found = []
    for path in files:
        try:
            found += readers.read(path)
        except readers.NoResultError as error:
            why = str(error).removeprefix(f"{path}: ")
            found.append(results.Result(tool="?", file=str(path), why_not=why))
    return results.repeated_between(found)


def _refusal(answer: Answer) -> str:
    where = answer.result.file + (f", {answer.result.part}" if answer.result.part else "")
    return f"{where}: {answer.why_not}"


# ---------------------------------------------------------------------------------------------------------------------
# As JSON and CSV


def _record(answer: Answer) -> dict[str, Any]:
    """A row: the measured load, floor and forecast in ms a token, and everything that speaks for or against it."""
    from llm_economics.formulas.hardware import values_in

    result, setting = answer.result, answer.setting
    row: dict[str, Any] = dict(result.row or {})
    row |= {"file": result.file, "part": result.part, "tool": result.tool, "version": result.version}
    row |= {
        "ttft_ms": _figure(result.ttft),
        "tpot_ms": _figure(result.tpot),
        "tpot_per_token_ms": _figure(result.weighted),
        "itl_ms": _figure(result.says.get("itl")),
        "says": {name: _figure(figure) for name, figure in result.says.items()},
    }
    if setting is None:
        return row | {"why_not": answer.why_not}
    where = setting.deployment
    tpot = setting.result.tpot
    return row | {
        "model": where.model,
        "system": where.system,
        "accelerators": where.accelerators,
        "weights": values_in(where.weights),
        "arithmetic": where.arithmetic,
        "kv": where.kv,
        "tensor": where.tensor,
        "expert": where.expert,
        "engine": result.engine,
        "date": result.date,
        "concurrency": setting.concurrency,
        "in_flight": result.in_flight,
        "request_rate": result.rate,
        "input_tokens": setting.input_tokens,
        "output_tokens": setting.output_tokens,
        "requests": result.completed,
        "failed": result.failed,
        "duration_s": result.duration_s,
        "taken": dict(setting.taken),
        "tpot_ms": _figure(tpot),
        "measured_ms": 1e3 * setting.seconds,
        "definition": tpot.meaning,
        "floor_ms": 1e3 * answer.floor_s,
        "forecast_ms": 1e3 * answer.value_s,
        "low_ms": 1e3 * answer.low_s,
        "high_ms": 1e3 * answer.high_s,
        "ratio": answer.ratio,
        "ttft_forecast_ms": dict(zip(("floor", "value", "low", "high"), (1e3 * s for s in answer.ttft_s), strict=True)),
        "mbu": answer.mbu,
        "mfu": answer.mfu,
        "binds": answer.binds,
        "tokens_per_s_per_user": 1 / setting.seconds,
        "output_tokens_per_s": answer.output_per_s,
        "output_tokens_per_s_per_accelerator": answer.output_per_s / where.accelerators,
        "usd_per_million_tokens": answer.usd_per_million and dict(answer.usd_per_million),
        "nearest": [
            {
                "what": other.label,
                "measured_ms": 1e3 * other.measured_s,
                "forecast_ms": 1e3 * other.forecast_s,
                "ratio": other.ratio,
                "source": other.source,
                "date": other.date,
            }
            for other in answer.nearest
        ],
        "doubts": [{"code": doubt.code, "text": doubt.text} for doubt in answer.doubts],
        "why_not": None,
    }


def _figure(figure: Figure | None) -> dict[str, Any] | None:
    from llm_economics.evidence.results import MEANINGS

    if figure is None:
        return None
    values = {name: value and 1e3 * value for name in ("mean", "median", "p99") for value in [getattr(figure, name)]}
    return values | {"definition": figure.meaning, "means": MEANINGS[figure.meaning], "where": figure.where}


def _csv(rows: list[dict[str, Any]]) -> str:
    """The rows without what is nested but for means and the forecast."""
    import csv
    import io

    flat = []
    for row in rows:
        cells = {key: value for key, value in row.items() if not isinstance(value, dict | list)}
        for key in ("ttft_ms", "tpot_ms", "itl_ms"):
            for name in ("mean", "median", "p99") if row.get(key) else ():
                cells[f"{key.removesuffix('_ms')}_{name}_ms"] = row[key][name]
        for name, value in (row.get("usd_per_million_tokens") or {}).items():
            cells[f"usd_per_million_{name}_tokens"] = value
        cells["doubts"] = "; ".join(doubt["code"] for doubt in row.get("doubts") or ())
        flat.append(cells)
    file = io.StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(key for cells in flat for key in cells)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return file.getvalue()


# ---------------------------------------------------------------------------------------------------------------------
# For people

SHOWN = 30
"""Rows of a table up to which each gets a line; beyond, the middle ones are left out."""


def _show(found: list[Answer]) -> None:
    answered = [answer for answer in found if answer.setting]
    if len(answered) <= 3:
        for answer in answered:
            click.echo(_card(answer) + "\n")
    else:
        click.echo(_table(answered))
    for line in _refusals([answer for answer in found if not answer.setting]):
        click.echo(f"not answered: {line}")


def _refusals(refused: list[Answer]) -> list[str]:
    """What was refused, rows with the same reason in one line."""
    groups: dict[tuple[str, str], list[Answer]] = {}
    for answer in refused:
        groups.setdefault((answer.result.file, answer.why_not), []).append(answer)
    lines = []
    for (file, why), answers in groups.items():
        parts = [answer.result.part for answer in answers if answer.result.part]
        more = f" and {len(parts) - 3:,} more" if len(parts) > 3 else ""
        lines.append(f"{file}{', ' if parts else ''}{', '.join(parts[:3])}{more}: {why}")
    return lines


def _digits(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.{digits}g}"


def _card(answer: Answer) -> str:
    """All that is known of one row, a line each."""
    from llm_economics.evidence.results import MEANINGS
    from llm_economics.formulas.questions import BINDS

    result, setting = answer.result, answer.setting
    where, measured = setting.deployment, setting.seconds
    name = " ".join(filter(None, (result.tool, result.version or "")))
    value, low, high = (_digits(1e3 * x) for x in (answer.value_s, answer.low_s, answer.high_s))
    lines = [f"{result.file}{f', {result.part}' if result.part else ''} ({name})"]
    formats = f"weights {where.weights}, arithmetic {where.arithmetic}, cache {where.kv}"
    split = f"tensor {where.tensor}" + (f", expert {where.expert}" if where.expert > 1 else "")
    flight = f", {_digits(result.in_flight)} in flight" if result.in_flight else ""
    load = f"{setting.concurrency:,.3g} requests at a time{flight}; {setting.input_tokens:,.4g} tokens in, "
    answered = f"; {result.completed:,} answered" if result.completed else ""
    failed = f", {result.failed:,} failed" if result.failed else ""
    sources: dict[str, list[str]] = {}
    for key, text in setting.taken.items():
        sources.setdefault(text, []).append(key.replace("_tokens", ""))
    options = [f"{', '.join(keys)} ({text})" for text, keys in sources.items() if text != "file"]
    facts = {
        "served": f"{where.model} on {where.accelerators:,} x {where.system}: {formats}; {split}",
        "load": f"{load}{setting.output_tokens:,.4g} out{answered}{failed}",
        "not in the file": "; ".join(options),
        "measured": f"{_digits(1e3 * measured)} ms a token: {MEANINGS[setting.result.tpot.meaning]}",
        "  from": setting.result.tpot.where,
        "floor": f"{_digits(1e3 * answer.floor_s)} ms",
        "forecast": f"{value} ms ({low} to {high}): {_digits(answer.ratio)} x the measured; "
        f"most of a step is {BINDS[answer.binds]}",
        "uses": f"{answer.mbu:.1%} of the memory bandwidth, {answer.mfu:.1%} of the arithmetic",
        "speed": f"{_digits(1 / measured)} tokens/s for each user, "
        f"{_digits(answer.output_per_s / where.accelerators)} for each accelerator",
    }
    if result.ttft:
        low, high = (_digits(1e3 * seconds) for seconds in answer.ttft_s[2:])
        facts["first token"] = (
            f"{_spread(result.ttft)}; forecast {_digits(1e3 * answer.ttft_s[1])} ms ({low} to {high})"
        )
    for key, figure in result.says.items():
        if key in ("tpot", "itl") and figure.meaning != setting.result.tpot.meaning:
            facts[f"its own {key.upper()}"] = f"{_spread(figure)}: {MEANINGS[figure.meaning]}"
    if answer.usd_per_million:
        price = answer.usd_per_million
        facts["price"] = (
            f"${_digits(price['output'])} a million tokens out if they bear it all, "
            f"${_digits(price['input_and_output'])} a million in and out"
        )
    lines += [f"  {key:<15} {text}" for key, text in facts.items() if text]
    for other in answer.nearest:
        beside = f"{_digits(1e3 * other.measured_s)} ms, forecast {_digits(other.ratio)} x"
        lines.append(f"  {'published':<15} {other.label}: {beside}")
    lines += [f"  {'doubt':<15} {doubt.text} [{doubt.code}]" for doubt in answer.doubts]
    return "\n".join(lines)


def _spread(figure: Figure) -> str:
    parts = [
        f"{_digits(1e3 * value)} ms {name}" for name in ("mean", "median", "p99") if (value := getattr(figure, name))
    ]
    return ", ".join(parts)


def _table(answered: list[Answer]) -> str:
    from statistics import median

    form = "{:<40} {:>6} {:>9} {:>9} {:>9} {:>6} {:>6} {:>6} {:>8} {:>9} {:>9}  {}"
    titles = (
        "what",
        "users",
        "measured",
        "floor",
        "forecast",
        "ratio",
        "MBU",
        "MFU",
        "binds",
        "tok/s/acc",
        "$/M out",
        "doubts",
    )
    lines = [form.format(*titles)]
    shown = answered if len(answered) <= SHOWN else answered[: SHOWN // 2] + answered[-SHOWN // 2 :]
    for n, answer in enumerate(shown):
        if len(answered) > SHOWN and n == SHOWN // 2:
            lines.append(f"... {len(answered) - SHOWN:,} rows; --json and --csv have all ...")
        result, setting = answer.result, answer.setting
        name = "/".join(Path(result.file).parts[-2:]) + (f", {result.part}" if result.part else "")
        price = answer.usd_per_million["output"] if answer.usd_per_million else None
        numbers = (1e3 * setting.seconds, 1e3 * answer.floor_s, 1e3 * answer.value_s, answer.ratio)
        lines.append(
            form.format(
                name[-40:],
                _digits(setting.concurrency),
                *map(_digits, numbers),
                f"{answer.mbu:.0%}",
                f"{answer.mfu:.0%}",
                answer.binds,
                _digits(answer.output_per_s / setting.deployment.accelerators),
                _digits(price),
                ", ".join(doubt.code for doubt in answer.doubts),
            )
        )
    ratios = [answer.ratio for answer in answered]
    near = sum(1 / 1.25 <= ratio <= 1.25 for ratio in ratios) / len(ratios)
    middle = f"forecast ÷ measured {_digits(median(ratios))} in the middle, {near:.0%} within 1.25"
    lines.append(f"{len(answered):,} rows, ms a token; {middle}")
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------------------------
# The picture

_FORMATS = (".svg", ".png", ".html")


def _draw(answered: list[Answer], path: Path) -> None:
    """Forecast against measured: the reader's points among the published ones, and the line where both are equal."""
    import altair as alt

    from llm_economics.book import figures
    from llm_economics.evidence import measured as own

    figures.enable()
    frame = own.points(answered)
    ends = [f(frame[["measured_ms", "forecast_ms"]].to_numpy().ravel()) for f in (min, max)]
    scale = alt.Scale(type="log", domain=[ends[0] / 1.3, ends[1] * 1.3], nice=False)
    x = alt.X("measured_ms", type="quantitative", scale=scale, title="measured, ms a token (log scale)")
    y = alt.Y("forecast_ms", type="quantitative", scale=scale, title="forecast, ms a token (log scale)")
    whose = alt.Color("whose", type="nominal", title=None, sort=[own.YOURS, own.THEIRS])
    shown = {"size": alt.condition(f"datum.whose == '{own.YOURS}'", alt.value(110), alt.value(25))}
    base = alt.Chart(frame).encode(x=x, y=y)
    dots = base.mark_point(filled=True, opacity=0.75).encode(
        color=whose, shape=alt.Shape(**whose.to_dict(), legend=None), tooltip=list(frame.columns), **shown
    )
    bars = (
        base.transform_filter(alt.datum.whose == own.YOURS)
        .mark_rule(strokeWidth=2)
        .encode(y=alt.Y("low_ms", type="quantitative", scale=scale), y2="high_ms", color=whose)
    )
    corners = [{"measured_ms": end, "forecast_ms": end} for end in (ends[0] / 1.3, ends[1] * 1.3)]
    equal = alt.Chart(alt.Data(values=corners)).mark_line(strokeDash=[4, 3], color="gray").encode(x=x, y=y)
    ratios = sorted(answer.ratio for answer in answered)
    title = (
        f"Forecast {_digits(ratios[len(ratios) // 2])} times the measured time per token; on the line both are equal"
    )
    chart = alt.layer(equal, dots, bars).properties(title=title, width=480, height=480, description=title)
    chart.save(str(path), **{".png": {"scale_factor": 2}, ".html": {"inline": True}}.get(path.suffix, {}))
