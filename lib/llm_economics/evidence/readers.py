"""Files of benchmark tools, told apart by their content, and tables of measured services.

Each ends in ``Result``s: of tools that send requests (``clients``), of engines (``engines``), or of a table's row.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from llm_economics.evidence import clients, engines
from llm_economics.evidence.deployments import COLUMNS, MEASURED
from llm_economics.evidence.fields import (
    FIRST,
    KNOWN,
    MOST_BYTES,
    NoResultError,
    at,
    count_of,
    in_part,
    named,
    text_of,
)
from llm_economics.evidence.results import Figure, Result, number, settled


def read(path: Path | str) -> list[Result]:
    """What a file, or the folder that a tool wrote, tells; each result with ``why_not`` where it tells too little.

    Raises
    ------
    NoResultError
        If it cannot be read, is cut off, or is no result of a tool that is known.
    """
    path = Path(path)
    if path.is_dir():
        return _folder(path)
    return [settled(result) for result in _results(path)]


def _folder(folder: Path) -> list[Result]:
    found: list[Result] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in (".json", ".jsonl", ".txt"))[:500]:
        beside = path.name in _BESIDE or re.fullmatch(r"stage_\d+_lifecycle_metrics\.json", path.name)
        if beside or "phases" in path.relative_to(folder).parts:  # AIPerf's parts of one run, its warm-up among them
            continue
        if path.name in ("summary.json", "warmup.json") and any(path.parent.glob("run=*.json")):  # of vLLM's sweeps
            continue
        try:
            found += read(path)
        except NoResultError:
            continue
    if not found:
        raise NoResultError(f"{folder}: no file in it is a result of a tool that is known")
    return found


_BESIDE = {
    "profile_export.jsonl": "one line a request of AIPerf; give profile_export_aiperf.json, which this is read with",
    "inputs.json": "the prompts of AIPerf; the result is profile_export_aiperf.json beside it",
    "server_metrics_export.json": "the server's counters beside AIPerf's result, profile_export_aiperf.json",
    "per_request_lifecycle_metrics.json": "the requests of inference-perf; give summary_lifecycle_metrics.json",
    "validation.json": "inference-perf's check of its report; the result is summary_lifecycle_metrics.json",
    "experiment_metadata.json": "the settings of genai-bench; the result is the D…_time_….json beside it",
    "benchmark_args.json": "the settings of evalscope; the result is benchmark_summary.json beside it",
    "benchmark_percentile.json": "percentiles of evalscope; give benchmark_summary.json, which this is read with",
    "workload_throughput.json": "a part of evalscope's result; give benchmark_summary.json",
    "responses.jsonl": "the requests of LLMeter; give stats.json, which this is read with",
    "workload_timeline.json": "a part of evalscope's result; give benchmark_summary.json",
}
"""Files that stand beside a result and hold none themselves."""


def _results(path: Path) -> list[Result]:
    name, text = str(path), _text(path)
    if path.name in _BESIDE and path.name != "profile_export.jsonl":
        raise NoResultError(f"{name}: this is {_BESIDE[path.name]}")
    if not text.strip():
        raise NoResultError(f"{name}: the file is empty: the run wrote nothing, or has not ended")
    if text.lstrip()[0] in "[{":
        return _json_results(path, text)
    for recognised, reader in _TEXTS:
        try:
            if recognised(text):
                return list(reader(text, path))
        except csv.Error as error:
            raise NoResultError(f"{name}: it is no table in CSV ({error})") from None
    if text.startswith(":::MLLOG"):
        raise NoResultError(f"{name}: this is LoadGen's detailed log; the result is mlperf_log_summary.txt beside it")
    raise NoResultError(f"{name}: no result of a tool that is known, and no table with the columns of one ({KNOWN})")


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise NoResultError(f"{path}: more than {MOST_BYTES / 1e6:.0f} MB is not read: give the summary of the run")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise NoResultError(f"{path}: it is no text in UTF-8: give the JSON, CSV or text that the tool wrote") from None
    except OSError as error:
        raise NoResultError(f"{path}: it cannot be read ({error.strerror})") from None


def _json_results(path: Path, text: str) -> list[Result]:
    try:
        return list(_documents(json.loads(text), path))
    except NoResultError:
        raise
    except json.JSONDecodeError as error:
        if "Extra data" not in error.msg:
            first = text.strip().partition("\n")[0]
            if not (first.startswith("{") and first.endswith("}")):
                what = "ends in the middle" if error.pos >= len(text.rstrip()) - 1 else "is no JSON"
                why = "the run was cut off or still writes; let it finish" if "ends" in what else error.msg
                raise NoResultError(f"{path}: it {what} (line {error.lineno}): {why}") from None
    except RecursionError:
        raise NoResultError(f"{path}: it is nested too deeply to be a result") from None
    except ValueError as error:  # a number of thousands of digits
        raise NoResultError(f"{path}: it is no result: {' '.join(str(error).split())[:120]}") from None
    found: list[Result] = []
    lines = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]
    records = []
    for n, line in lines:
        try:
            records.append((n, json.loads(line)))
        except (ValueError, RecursionError):
            why = f"line {n} is cut off or is no JSON: let the run finish"
            found.append(Result(tool="?", file=str(path), part=f"line {n}", why_not=why))
    if records and all(isinstance(r, dict) and "metadata" in r and "metrics" in r for _, r in records):
        return [*clients.aiperf_lines([r for _, r in records], path), *found]
    for n, record in records:
        try:
            part = f"line {n}" if len(lines) > 1 else ""
            found += [in_part(result, part) for result in _documents(record, path)]
        except NoResultError as error:
            found.append(Result(tool="?", file=str(path), part=f"line {n}", why_not=str(error).partition(": ")[2]))
    if all(result.tool == "?" for result in found):
        raise NoResultError(f"{path}: {found[0].part}: {found[0].why_not}")
    return found


def _documents(content: Any, path: Path) -> Iterator[Result]:
    """Results of one JSON value; a list may hold several."""
    if isinstance(content, list) and content and all(isinstance(item, dict) for item in content):
        for n, item in enumerate(content, start=1):
            try:
                yield from (in_part(r, f"entry {n}" if len(content) > 1 else "") for r in _documents(item, path))
            except NoResultError as error:
                if n == len(content) == 1 or not any(recognised(item) for recognised, _ in _OBJECTS):
                    raise NoResultError(f"{path}: entry {n}: {str(error).partition(': ')[2]}") from None
        return
    if isinstance(content, dict):
        for recognised, reader in _OBJECTS:
            if recognised(content):
                yield from reader(content, path)
                return
    raise NoResultError(f"{path}: no result of a tool that is known ({KNOWN})")


SPEC = {"", "none", "off", "no", "nan", "false", "0"}


def _table_rows(text: str, path: Path) -> Iterator[Result]:
    """A table with the columns of ``data/measured_serving.csv``, one result a row, under the names that it uses."""
    for n, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        yield _table_row(
            {
                key: (cell or "").strip()
                for key, cell in row.items()
                if isinstance(key, str) and not isinstance(cell, list)
            },
            path,
            n,
        )


def _cell(row: Mapping[str, str], name: str) -> str:
    """A row's cell under any of the names that ``service --rows`` knows for it."""
    return next((text_of(row[one]) for one in COLUMNS[name] if row.get(one)), "")


def _length(cell: str) -> float | None:
    """Tokens as ``service --rows`` reads them: "1k" is 1,024; none may be zero."""
    thousands = re.fullmatch(r"([\d.]+)k", cell.lower())
    found = number(thousands[1] if thousands else cell.replace(",", ""), zero=True)
    return 1024 * found if thousands and found else found


def _table_row(row: dict[str, str], path: Path, n: int) -> Result:
    first, output, prompt = number(row.get("ttft_s")), _length(_cell(row, "osl")) or None, _length(_cell(row, "isl"))
    known = ((name, number(row.get(name)), to_ms) for name, to_ms in MEASURED.items())
    tpot = next((Figure(None, 1e-3 * to_ms(value), where=name) for name, value, to_ms in known if value), None)
    layout = {name: int(count) for name, count in re.findall(r"(?<![a-z])(tp|dp|ep)(\d{1,4})\b", _cell(row, "config"))}
    tensor, copies = (layout.get(short) or count_of(_cell(row, name)) for short, name in (("tp", "tp"), ("dp", "data")))
    chips = count_of(_cell(row, "n_acc")) or (tensor * (copies or 1) if tensor else None)
    total = number(row.get("tput_total")) or _times_count(number(row.get("tput_per_acc")), chips)
    unit = row.get("unit", "").lower()
    both = "total" in unit or "in+out" in unit or "both" in unit
    output_per_s = None if "input" in unit else total
    if both and total:
        output_per_s = total * output / (output + prompt) if output and prompt is not None else None
    apart = "prefill and decode on accelerators of their own: the counts of each are needed, and no column has them"
    speculation, scenario = _cell(row, "spec_decoding"), _cell(row, "scenario").lower()
    return Result(
        tool="table",
        file=str(path),
        part=f"row {n}",
        model=_cell(row, "model"),
        engine=text_of(row.get("framework")),
        system=_cell(row, "hardware"),
        accelerators=chips,
        weights=_cell(row, "precision"),
        tensor=tensor,
        expert=layout.get("ep") or count_of(_cell(row, "ep")),
        date=row.get("date", ""),
        says=named(tpot=tpot, ttft=Figure(None, first, meaning=FIRST, where="ttft_s") if first else None),
        concurrency=number(_cell(row, "concurrency")),
        in_flight=number(row.get("in_flight")),
        input_tokens=prompt if prompt is not None or row.get("confidence") != "own measurement" else 0.0,
        output_tokens=output,
        output_per_s=output_per_s,
        total_per_s=total if both else None,
        decode_only="decode only" in unit,
        speculation="" if speculation.lower() in SPEC else speculation,
        row=row,
        why_not=apart if "disagg" in scenario or "apart" in scenario else "",
    )


def _times_count(value: float | None, count: int | None) -> float | None:
    return value * count if value and count else None


def _inferencex_table(text: str, path: Path) -> Iterator[Result]:
    for n, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        clean = {key: cell for key, cell in row.items() if isinstance(key, str) and isinstance(cell, str)}
        for result in clients.inferencex(clean, path):
            yield in_part(result, f"row {n}")


def _flat_table(text: str, path: Path) -> Iterator[Result]:
    """The summary of ``vllm bench sweep``: the flat object of each run as a row."""
    for n, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        clean = {key: cell for key, cell in row.items() if isinstance(key, str) and isinstance(cell, str)}
        yield from (in_part(result, f"row {n}") for result in clients.flat(clean, path))


def _llama_csv(text: str, path: Path) -> Iterator[Result]:
    for row in csv.DictReader(io.StringIO(text)):
        yield from engines.llama_bench(row, path)


def _columns(*names: str) -> Callable[[str], bool]:
    def recognised(text: str) -> bool:
        header = next(csv.reader([text.lstrip().partition("\n")[0]]), [])
        return set(names) <= {name.strip() for name in header}

    return recognised


def _is_table(text: str) -> bool:
    """Whether a header names a model, lengths, and a load or a speed, under any of the names for them."""
    header = {name.strip() for name in next(csv.reader([text.lstrip().partition("\n")[0]]), [])}
    loads = {*COLUMNS["concurrency"], *MEASURED}
    return bool(loads & header) and all(header & set(COLUMNS[name]) for name in ("model", "isl", "osl"))


def _has(*paths: str) -> Callable[[dict], bool]:
    def recognised(content: dict) -> bool:
        return all(at(content, *path.split(".")) is not None for path in paths)

    return recognised


def _list_at(key: str, *keys: str) -> Callable[[dict], bool]:
    """An object with a list under ``key`` whose first item that is an object has ``keys``."""

    def recognised(content: dict) -> bool:
        items = content.get(key)
        first = next((item for item in items if isinstance(item, dict)), {}) if isinstance(items, list) else {}
        return set(keys) <= set(first)

    return recognised


def _yaml(text: str) -> dict | None:
    """The report of llm-d as YAML, read without anything but plain types."""
    import yaml

    if "&" in text and re.search(r"^\s*\S+:\s*&", text, re.MULTILINE):
        return None
    try:
        content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _llmd_yaml(text: str, path: Path) -> Iterator[Result]:
    content = _yaml(text)
    if not content or not _is_llmd(content):
        raise NoResultError(f"{path}: no result of a tool that is known ({KNOWN})")
    yield from clients.llmd(content, path)


def _is_llmd(content: dict) -> bool:
    first = at(content, "results", "request_performance", "aggregate", "latency") or at(content, "metrics", "latency")
    return at(first, "time_to_first_token", "units") is not None


_OBJECTS: tuple[tuple[Callable[[dict], bool], Callable[[dict, Path], Iterator[Result]]], ...] = (
    (clients.is_flat, clients.flat),
    (_has("elapsed_time", "total_num_tokens", "tokens_per_second"), engines.vllm_throughput),
    (_has("avg_latency", "latencies", "percentiles"), engines.vllm_latency),
    (_has("batch_size", "input_len", "median_decode_latency"), engines.one_batch),
    (_has("batch_size", "input_len", "output_len", "latency", "overall_throughput"), engines.one_batch_server),
    (_has("successful_requests", "total_latency", "output_throughput"), engines.offline_throughput),
    (_has("successes.latency"), clients.inference_perf),
    (_has("aggregated_metrics.stats"), clients.genai_bench),
    (lambda c: any(name in c for name in clients.EVALSCOPE["duration"]), clients.evalscope),
    (_list_at("benchmarks", "tg_throughput", "prompt_size"), clients.llama_benchy),
    (_list_at("benchmarks", "metrics"), clients.guidellm),
    (_has("result.decode_metrics", "result.tokens"), clients.tokenomics),
    (lambda c: "results_ttft_s_mean" in c or "results_ttft_s" in c, clients.llmperf),
    (lambda c: "time_to_last_token-average" in c and "total_test_time" in c, clients.llmeter),
    (_has("performance.system_output_throughput_tok_s"), engines.trtllm),
    (_list_at("results", "token_throughput_secs"), clients.hugging_face),
    (_has("summary.tpot", "summary.ttft"), clients.llm_load_test),
    (_has("n_gen", "n_prompt", "avg_ns"), engines.llama_bench),
    (_has("pl", "tg", "t_tg", "speed_tg"), engines.batched_bench),
    (_is_llmd, clients.llmd),
    (lambda c: "conc" in c and ("median_tpot" in c or "mean_tpot" in c), clients.inferencex),
    (_has("time_to_first_token.avg"), clients.aiperf),
    (_has("request_latency.avg", "request_throughput.avg"), clients.aiperf),
)


_TEXTS: tuple[tuple[Callable[[str], bool], Callable[[str, Path], Iterator[Result]]], ...] = (
    (lambda text: "MLPerf Results Summary" in text[:2000], engines.mlperf),
    (lambda text: re.search(r"=+ (?:Serving )?Benchmark Result =+", text) is not None, clients.printed),
    (_columns("hw", "model", "conc", "isl", "osl", "median_tpot"), _inferencex_table),
    (_columns("completed", "mean_ttft_ms", "total_output_tokens"), _flat_table),
    (_is_table, _table_rows),
    (_columns("n_gen", "n_prompt", "avg_ns"), _llama_csv),
    (lambda text: re.match(r"\s*\|\s*model\s*\|.*\btest\s*\|.*\bt/s", text) is not None, engines.llama_table),
    (_columns("Metric", "avg", "p99"), clients.aiperf_table),
    (
        lambda text: re.search(r"^\s*request_performance:|^\s*time_to_first_token:", text, re.MULTILINE) is not None,
        _llmd_yaml,
    ),
)
