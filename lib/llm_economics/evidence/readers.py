"""Files of benchmark tools, told apart by their content: one short function a tool, each ends in a ``Result``.

A reader takes what the file says under the keys and in the units of its tool, and says which of :data:`MEANINGS` each
time has. It neither corrects nor guesses: that is the work of ``results``. The layouts were seen in files that the
tools themselves wrote against a server of known times, but for those marked *by its documents*.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from llm_economics.evidence.deployments import COLUMNS, MEASURED
from llm_economics.evidence.results import Figure, Request, Result, figure, number, settled
from llm_economics.formulas.elementwise import ParameterError

MOST_BYTES = 200_000_000
"""Size of a file up to which it is read."""

UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "seconds": 1.0, "s/token": 1.0}
UNITS |= {"ms/token": 1e-3, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}

FIRST, END, CHUNKS = "to the first token", "of a request", "between chunks"


class NoResultError(ParameterError):
    """A file holds no result that is known; the message is one line that names the file and what it is, or lacks."""


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
        if recognised(text):
            return list(reader(text, path))
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
        return [*_aiperf_lines([r for _, r in records], path), *found]
    for n, record in records:
        try:
            part = f"line {n}" if len(lines) > 1 else ""
            found += [_part(result, part) for result in _documents(record, path)]
        except NoResultError as error:
            found.append(Result(tool="?", file=str(path), part=f"line {n}", why_not=str(error).partition(": ")[2]))
    if all(result.tool == "?" for result in found):
        raise NoResultError(f"{path}: {found[0].part}: {found[0].why_not}")
    return found


def _part(result: Result, part: str) -> Result:
    from dataclasses import replace

    return replace(result, part="; ".join(filter(None, [part, result.part])))


def _documents(content: Any, path: Path) -> Iterator[Result]:
    """Results of one JSON value; a list may hold several."""
    if isinstance(content, list) and content and all(isinstance(item, dict) for item in content):
        for n, item in enumerate(content, start=1):
            try:
                yield from (_part(r, f"entry {n}" if len(content) > 1 else "") for r in _documents(item, path))
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


# ---------------------------------------------------------------------------------------------------------------------
# Helpers


def at(content: Any, *keys: str | int) -> Any:
    """A value in nested dictionaries and lists; None where a key is missing."""
    for key in keys:
        if isinstance(content, dict):
            content = content.get(key)
        elif isinstance(content, list) and isinstance(key, int) and -len(content) <= key < len(content):
            content = content[key]
        else:
            return None
    return content


def _count(value: Any) -> int | None:
    found = number(value, zero=True)
    return None if found is None else round(found)


def _string(value: Any) -> str:
    return value.strip()[:200] if isinstance(value, str) else ""


def _strings(values: Any, length: int = 100) -> tuple[str, ...]:
    """Texts long enough to tell prompts or answers apart, cut."""
    texts = [v for v in values if isinstance(v, str)] if isinstance(values, list) else []
    return tuple(text[:400] for text in texts if len(text) >= length)


def _days(value: Any) -> str:
    """A date such as 20261127-212440, or one in ISO form, as YYYY-MM-DD; "" for anything else."""
    match = re.match(r"(20\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])", str(value or ""))
    return "-".join(match.groups()) if match else ""


def _times(content: Any, unit: float, meaning: str, where: str, names=("mean", "median", "p99")) -> Figure | None:
    """A figure from an object of statistics; ``names`` are its keys for mean, median and 99th percentile."""
    values = []
    for name in names:
        value = next((v for v in (number(at(content, *n)) for n in _paths(name)) if v is not None), None)
        values.append(value if value is None else unit * value)
    if values[0] is None and values[1] is None:
        return None
    return Figure(*values, meaning=meaning, where=where)


def _paths(name: str | tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for one in (name,) if isinstance(name, str) else name:
        yield tuple(one.split("."))


def _says(**figures: Figure | None) -> dict[str, Figure]:
    return {name.replace("_", " "): value for name, value in figures.items() if value is not None}


def _sibling(path: Path, name: str) -> Any:
    """The JSON of a file beside this one; None if there is none that can be read."""
    try:
        other = path.parent / name
        return json.loads(other.read_text(encoding="utf-8")) if other.stat().st_size < MOST_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None


def _mean(values: Any) -> float | None:
    found = [n for v in values if (n := number(v)) is not None] if isinstance(values, list) else []
    return fmean(found) if found else None


def _ratio(a: float | None, b: float | None) -> float | None:
    return a / b if a and b else None


# ---------------------------------------------------------------------------------------------------------------------
# vLLM, SGLang and those that took their script over


_ENGINES = ("vLLM", "SGLang", "TensorRT-LLM", "TGI", "LMDeploy")


def _flat(content: dict) -> bool:
    return any(key in content for key in ("mean_ttft_ms", "median_ttft_ms", "mean_tpot_ms")) and "completed" in content


def _flat_result(content: dict, path: Path) -> Iterator[Result]:
    """``vllm bench serve``, ``sglang.benchmark.serving`` and their kin: one flat object, times in ms."""
    sglang = "mean_e2e_latency_ms" in content or "total_output_tokens_retokenized" in content
    end = "e2e_latency" if sglang else "e2el"

    def statistics(name: str, meaning: str) -> Figure | None:
        values = {kind: content.get(f"{kind}_{name}_ms") for kind in ("mean", "median", "p99")}
        return _times(values, 1e-3, meaning, f"mean_{name}_ms")

    completed, failed = _count(content.get("completed")), _count(content.get("failed"))
    if failed is None and (asked := _count(content.get("num_prompts"))) is not None and completed is not None:
        failed = max(asked - completed, 0)
    errors = content.get("errors")
    if failed is None and isinstance(errors, list):
        failed = sum(bool(error) for error in errors)
    tokens = number(content.get("total_output_tokens"), zero=True)
    asked = number(content.get("random_output_len")) or number(content.get("sharegpt_output_len"))
    ranged = number(content.get("random_range_ratio"), zero=True) not in (None, 1.0)
    version = at(content, "server_info", "version")
    yield Result(
        tool="SGLang bench_serving" if sglang else "vLLM bench serve",
        file=str(path),
        version=_string(version) or None,
        model=_string(content.get("model_id")),
        engine=next((name for name in _ENGINES if name.lower() in str(content.get("backend")).lower()), ""),
        date=_days(content.get("date")),
        says=_says(
            ttft=statistics("ttft", FIRST),
            tpot=statistics("tpot", "per request"),
            itl=statistics("itl", CHUNKS),
            e2e=statistics(end, END),
        ),
        concurrency=number(content.get("max_concurrency")),
        rate=number(content.get("request_rate")),
        completed=completed,
        failed=failed,
        input_tokens=_ratio(number(content.get("total_input_tokens")), completed),
        output_tokens=_ratio(tokens, completed),
        asked_output=None if ranged else asked,
        retokenised_output=_ratio(number(content.get("total_output_tokens_retokenized")), completed),
        duration_s=number(content.get("duration")),
        output_per_s=number(content.get("output_throughput")),
        total_per_s=number(content.get("total_token_throughput")) or number(content.get("total_throughput")),
        requests=_flat_requests(content),
        texts=_strings(content.get("generated_texts")),
        texts_are="answers",
        speculation=_accepted(content.get("accept_length")),
    )


def _accepted(length: Any) -> str:
    found = number(length)
    return f"{found:.3g} tokens accepted a step" if found and found > 1.001 else ""


def _flat_requests(content: dict) -> tuple[Request, ...]:
    """Requests of the detailed files; with SGLang the tokens of its chat mode are not the server's, so they are left.

    The gaps add up to the time between the first and the last piece, which is what the tools' own TPOT takes.
    """
    if "total_output_tokens_retokenized" in content and "chat" in str(content.get("backend")):
        return ()
    names = ("ttfts", "itls", "output_lens", "input_lens")
    lists = [content.get(name) for name in names]
    if not all(isinstance(values, list) for values in lists[:3]) or len({len(values) for values in lists[:3]}) != 1:
        return ()
    found = []
    ends = content.get("latencies")
    for n, (ttft, gaps, tokens) in enumerate(zip(*lists[:3], strict=True)):
        first, count = number(ttft), number(tokens)
        if not count:
            continue  # it failed
        whole = number(at(ends, n))
        if whole is None and first and isinstance(gaps, list):
            whole = first + sum(gap for gap in gaps if number(gap, zero=True) is not None)
        found.append(Request(number(at(lists[3], n)), count, first, whole))
    return tuple(found)


def _vllm_throughput(content: dict, path: Path) -> Iterator[Result]:
    """``vllm bench throughput``: its rate counts prompts too, and the file does not say how long they were."""
    yield Result(
        tool="vLLM bench throughput",
        file=str(path),
        model=_string(content.get("model_id")),
        completed=_count(content.get("num_requests")),
        duration_s=number(content.get("elapsed_time")),
        total_per_s=number(content.get("tokens_per_second")),
    )


def _vllm_latency(content: dict, path: Path) -> Iterator[Result]:
    """``vllm bench latency``: seconds of a whole batch, whose size and lengths the file does not say."""
    values = content.get("percentiles")
    whole = _times(
        {"mean": content.get("avg_latency"), "median": at(values, "50"), "p99": at(values, "99")},
        1.0,
        "of a request",
        "avg_latency",
    )
    yield Result(
        tool="vLLM bench latency", file=str(path), model=_string(content.get("model_id")), says=_says(batch=whole)
    )


def _one_batch(content: dict, path: Path) -> Iterator[Result]:
    """``sglang.benchmark.one_batch``: one static batch in the engine itself, prefill and decode steps timed apart."""
    step, prefill = number(content.get("median_decode_latency")), number(content.get("prefill_latency"))
    yield Result(
        tool="SGLang one_batch",
        file=str(path),
        part=_string(content.get("run_name")),
        engine="SGLang",
        says=_says(
            ttft=Figure(prefill, meaning=FIRST, where="prefill_latency") if prefill else None,
            tpot=Figure(step, step, meaning="one batch", where="median_decode_latency") if step else None,
        ),
        concurrency=number(content.get("batch_size")),
        input_tokens=number(content.get("input_len")),
        output_tokens=number(content.get("output_len")),
        decode_only=True,
    )


def _one_batch_server(content: dict, path: Path) -> Iterator[Result]:
    """``sglang.benchmark.one_batch_server``: one batch sent to a server (*by its source*)."""
    batch, output = number(content.get("batch_size")), number(content.get("output_len"))
    first, whole = number(content.get("last_ttft")), number(content.get("latency"))
    step = (whole - first) / (output - 1) if first and whole and output and output > 1 and whole > first else None
    short = _count(content.get("num_early_stopped"))
    total = number(content.get("total_output_tokens"))
    yield Result(
        tool="SGLang one_batch_server",
        file=str(path),
        part=_string(content.get("run_name")),
        engine="SGLang",
        says=_says(
            ttft=Figure(first, meaning=FIRST, where="last_ttft") if first else None,
            tpot=Figure(step, meaning="one batch", where="(latency − last_ttft) ÷ (output_len − 1)") if step else None,
            e2e=Figure(whole, meaning=END, where="latency") if whole else None,
        ),
        concurrency=batch,
        input_tokens=number(content.get("input_len")),
        output_tokens=_ratio(total, batch) if short else output,
        asked_output=output,
        cached_share=number(content.get("cache_hit_rate"), zero=True),
        speculation=_accepted(content.get("acc_length")),
    )


def _offline_throughput(content: dict, path: Path) -> Iterator[Result]:
    """``sglang.benchmark.offline_throughput`` (*by its source*)."""
    completed = _count(content.get("successful_requests"))
    yield Result(
        tool="SGLang offline_throughput",
        file=str(path),
        engine="SGLang",
        completed=completed,
        input_tokens=_ratio(number(content.get("total_input_tokens")), completed),
        output_tokens=_ratio(number(content.get("total_output_tokens")), completed),
        duration_s=number(content.get("total_latency")),
        output_per_s=number(content.get("output_throughput")),
        total_per_s=number(content.get("total_throughput")),
    )


def _inferencex(content: dict, path: Path) -> Iterator[Result]:
    """A configuration of InferenceX (InferenceMAX): its rows of vLLM's script, with times in seconds."""
    output, per = number(content.get("osl")), number(content.get("output_tput_per_gpu"))
    chips = _count(content.get("num_gpus")) or _count(content.get("tp"))
    yield Result(
        tool="InferenceX",
        file=str(path),
        model=_string(content.get("model") or content.get("infmax_model_prefix")),
        engine=_string(content.get("framework")),
        system=_string(content.get("hw")),
        accelerators=chips,
        weights=_string(content.get("precision")),
        tensor=_count(content.get("tp")),
        expert=_count(content.get("ep")),
        says=_says(
            ttft=_times(_prefixed(content, "ttft"), 1.0, FIRST, "mean_ttft"),
            tpot=_times(_prefixed(content, "tpot"), 1.0, "per request", "mean_tpot"),
            itl=_times(_prefixed(content, "itl"), 1.0, CHUNKS, "mean_itl"),
            e2e=_times(_prefixed(content, "e2el"), 1.0, END, "mean_e2el"),
        ),
        concurrency=number(content.get("conc")),
        input_tokens=number(content.get("isl")),
        output_tokens=output,
        output_per_s=per * chips if per and chips else None,
        speculation="" if content.get("spec_decoding") in (None, "", "none", False) else str(content["spec_decoding"]),
    )


def _prefixed(content: Mapping, name: str) -> dict[str, Any]:
    return {kind: content.get(f"{kind}_{name}") for kind in ("mean", "median", "p99")}


# ---------------------------------------------------------------------------------------------------------------------
# AIPerf and GenAI-Perf

_AVERAGE = ("avg", "p50", "p99")


def _aiperf(content: dict, path: Path) -> Iterator[Result]:
    """AIPerf and GenAI-Perf: an object with its unit for each metric; tokens are counted again unless told not to."""

    def statistics(name: str, meaning: str) -> Figure | None:
        metric = content.get(name)
        unit = UNITS.get(str(at(metric, "unit")).split("/")[0].strip().lower(), 1e-3)
        return _times(metric, unit, meaning, f"{name}.avg", _AVERAGE)

    def value(name: str, zero: bool = False) -> float | None:
        return number(at(content, name, "avg"), zero=zero)

    settings = content.get("input_config")
    phase = next((p for p in at(settings, "phases") or () if at(p, "kind") == "profiling"), None)
    duration = value("benchmark_duration")
    completed, output = value("request_count", zero=True), value("output_sequence_length")
    rate = value("request_throughput")
    if completed is None:
        completed = number(at(content, "request_latency", "count")) or (duration and rate and duration * rate)
    cached = value("overall_usage_prompt_cache_read_pct", zero=True)
    listed = _aiperf_listed(path)
    measured = _measured(listed)
    asked = at(settings, "datasets", 0, "prompts", "osl", "mean") or at(settings, "input", "output_tokens", "mean")
    yield Result(
        tool="AIPerf" if "aiperf_version" in content or "schema_version" in content else "GenAI-Perf",
        file=str(path),
        version=_string(content.get("aiperf_version")) or None,
        model=_string(at(settings, "models", "items", 0, "name") or at(settings, "model_names", 0)),
        engine="",
        system=_gpu(content.get("telemetry_data")),
        date=_days(content.get("start_time")),
        says=_says(
            ttft=statistics("time_to_first_token", FIRST),
            tpot=statistics("inter_token_latency", "per request"),
            itl=statistics("inter_chunk_latency", CHUNKS),
            e2e=statistics("request_latency", END),
        ),
        concurrency=number(
            at(phase, "concurrency")
            or at(settings, "loadgen", "concurrency")
            or at(settings, "perf_analyzer", "stimulus", "concurrency")
            or at(settings, "concurrency")
        ),
        rate=number(at(phase, "request_rate") or at(phase, "rate") or at(settings, "loadgen", "request_rate")),
        in_flight=value("effective_concurrency"),
        completed=_count(completed),
        failed=_count(value("error_request_count", zero=True)),
        input_tokens=value("usage_prompt_tokens") or value("input_sequence_length"),
        output_tokens=output,
        asked_output=number(asked),
        server_output=value("usage_completion_tokens"),
        duration_s=duration,
        output_per_s=value("output_token_throughput"),
        total_per_s=value("total_token_throughput"),
        requests=tuple(_aiperf_request(record) for record in measured if not at(record, "error")),
        sent_before=len(_sessions(measured) & _sessions(r for r in listed if r not in measured)),
        cached_share=None if cached is None else cached / 100,
        texts=_aiperf_prompts(_sibling(path, "inputs.json")),
    )


def _gpu(telemetry: Any) -> str:
    names = re.findall(r'"(?:gpu_model_name|gpu_name)": "([^"]+)"', json.dumps(telemetry)[:2_000_000])
    return names[0] if names else ""


def _aiperf_prompts(inputs: Any) -> tuple[str, ...]:
    sessions = at(inputs, "data")
    if not isinstance(sessions, list):
        return ()
    return _strings([at(session, "payloads", 0, "messages", 0, "content") for session in sessions])


def _aiperf_listed(path: Path) -> list[dict]:
    """The requests that AIPerf lists in a file of its own beside its result, those of its warm-up too."""
    try:
        lines = (path.parent / "profile_export.jsonl").read_text(encoding="utf-8").splitlines()
        return [record for line in lines if line.strip() and isinstance(record := json.loads(line), dict)]
    except (OSError, ValueError, RecursionError):
        return []


def _measured(records: list[dict]) -> list[dict]:
    return [record for record in records if at(record, "metadata", "benchmark_phase") != "warmup"]


def _sessions(records: Iterable[dict]) -> set[str]:
    """Conversations by which AIPerf tells prompts apart."""
    return {name for record in records if (name := _string(at(record, "metadata", "conversation_id")))}


def _aiperf_request(record: dict) -> Request:
    def value(name: str) -> float | None:
        found = number(at(record, "metrics", name, "value"))
        unit = UNITS.get(str(at(record, "metrics", name, "unit")))
        return found if unit is None or found is None else unit * found

    tokens = value("usage_completion_tokens") or value("output_sequence_length")
    prompt = value("usage_prompt_tokens") or value("input_sequence_length")
    return Request(prompt, tokens, value("time_to_first_token"), value("request_latency"))


def _aiperf_lines(records: list[dict], path: Path) -> list[Result]:
    """AIPerf's list of requests by itself: the load is not in it, but what was in flight is."""
    listed, records = records, _measured(records)
    good = [record for record in records if not at(record, "error")]
    starts = [n for r in records if (n := number(at(r, "metadata", "request_start_ns")))]
    ends = [n for r in records if (n := number(at(r, "metadata", "request_end_ns")))]
    if not starts or not ends:
        raise NoResultError(f"{path}: no result of a tool that is known ({KNOWN})")

    def mean(name: str) -> float | None:
        return _mean([at(record, "metrics", name, "value") for record in good])

    return [
        Result(
            tool="AIPerf",
            file=str(path),
            part="requests",
            completed=len(good),
            failed=len(records) - len(good),
            output_tokens=mean("output_sequence_length"),
            server_output=mean("usage_completion_tokens"),
            duration_s=1e-9 * (max(ends) - min(starts)) or None,
            requests=tuple(_aiperf_request(record) for record in good),
            sent_before=len(_sessions(records) & _sessions(r for r in listed if r not in records)),
        )
    ]


def _aiperf_table(text: str, path: Path) -> Iterator[Result]:
    """The CSV of AIPerf and GenAI-Perf: statistics of metrics by name and unit, then single values."""
    metrics: dict[str, dict[str, Any]] = {}
    header: list[str] = []
    for row in csv.reader(io.StringIO(text)):
        if row and row[0] == "Metric":
            header = row
        elif header and len(row) == len(header) and (match := re.fullmatch(r"(.+?)(?: \(([^()]*)\))?", row[0])):
            values = {
                "value" if name == "Value" else name: cell.replace(",", "")
                for name, cell in zip(header, row, strict=True)
            }
            key = re.sub(r"\W+", "_", match[1].lower()).strip("_")
            values |= {"unit": match[2] or "", "avg": values.get("avg", values.get("value"))}
            metrics[key] = values
    names = {"request_count": ("request_count",), "output_token_throughput": ("output_token_throughput",)}
    content: dict[str, Any] = {key: found for key, found in metrics.items() if key not in names} | {
        key: metrics[key] for key in names if key in metrics
    }
    if "overall_usage_prompt_cache_read" in content:
        content["overall_usage_prompt_cache_read_pct"] = content["overall_usage_prompt_cache_read"]
    if "active_decode_throughput" in content or "effective_latency_co_aware" in content:
        content["schema_version"] = ""
    yield from _aiperf(content, path)


# ---------------------------------------------------------------------------------------------------------------------
# GuideLLM


def _guidellm(content: dict, path: Path) -> Iterator[Result]:
    """GuideLLM: benchmarks in a list; statistics for successful, errored and incomplete requests apart."""
    version = _string(at(content, "metadata", "guidellm_version")) or None
    many = len(content["benchmarks"]) > 1
    for n, benchmark in enumerate(content["benchmarks"], start=1):
        if isinstance(benchmark, dict):
            yield _guidellm_one(content, benchmark, path, version, f"benchmark {n}" if many else "")


def _guidellm_one(content: dict, benchmark: dict, path: Path, version: str | None, part: str) -> Result:
    metrics = benchmark.get("metrics")

    def statistics(name: str, unit: float, meaning: str) -> Figure | None:
        found = at(metrics, name, "successful")
        where = f"{name}.successful.mean"
        return _times(found, unit, meaning, where, ("mean", "median", "percentiles.p99"))

    def mean(name: str, group: str = "successful") -> float | None:
        return number(at(metrics, name, group, "mean"))

    strategy = (
        at(benchmark, "config", "strategy")
        or at(benchmark, "args", "strategy")
        or at(benchmark, "scheduler", "strategy")
    )
    backend = at(benchmark, "config", "backend") or at(benchmark, "worker", "backend_model")
    counts = (
        at(metrics, "request_totals")
        or at(benchmark, "scheduler_metrics", "requests_made")
        or at(benchmark, "run_stats", "requests_made")
    )
    listed = at(benchmark, "requests", "successful")
    requests = tuple(
        Request(
            number(r.get("prompt_tokens")),
            number(r.get("output_tokens")),
            _scaled(r.get("time_to_first_token_ms"), 1e-3),
            _token_end(r),
        )
        for r in (listed if isinstance(listed, list) else ())
        if isinstance(r, dict)
    )
    data = at(content, "config", "spec", "data", 0)
    cached = [number(at(r, "cached_tokens"), zero=True) for r in listed or ()] if isinstance(listed, list) else []
    prompts = mean("prompt_token_count")
    known = [c for c in cached if c is not None]
    kind = str(at(strategy, "type_") or "")
    return Result(
        tool="GuideLLM",
        file=str(path),
        version=version,
        part=part,
        model=_string(at(backend, "model") if isinstance(backend, dict) else backend),
        date=_seconds_day(benchmark.get("start_time")),
        says=_says(
            ttft=statistics("time_to_first_token_ms", 1e-3, FIRST),
            tpot=statistics("time_per_output_token_ms", 1e-3, "first token in, per token"),
            itl=statistics("inter_token_latency_ms", 1e-3, "per token"),
            e2e=statistics("request_latency", 1.0, END),
        ),
        concurrency=number(at(strategy, "streams")) or (1.0 if kind == "synchronous" else None),
        rate=number(at(strategy, "rate")),
        in_flight=mean("request_concurrency"),
        completed=_count(at(counts, "successful")),
        failed=(_count(at(counts, "errored")) or 0) + (_count(at(counts, "incomplete")) or 0),
        input_tokens=prompts,
        output_tokens=mean("output_token_count"),
        asked_output=number(at(data, "output_tokens")) if not at(data, "output_tokens_stdev") else None,
        duration_s=number(benchmark.get("duration")),
        output_per_s=mean("output_tokens_per_second"),
        total_per_s=mean("tokens_per_second"),
        requests=requests,
        cached_share=fmean(known) / prompts if known and prompts else None,
        texts=_strings([_prompt(r.get("request_args")) for r in listed or () if isinstance(r, dict)])
        if isinstance(listed, list)
        else (),
    )


def _scaled(value: Any, unit: float) -> float | None:
    found = number(value)
    return None if found is None else unit * found


def _token_end(request: dict) -> float | None:
    """Seconds to the last token, not to what comes after it."""
    timings = at(request, "info", "timings")
    start, last = number(at(timings, "request_start")), number(at(timings, "last_token_iteration"))
    return last - start if start and last and last > start else number(request.get("request_latency"))


def _prompt(arguments: Any) -> str:
    """The messages or the prompt in a request's arguments, which may be cut."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""
    match = re.search(r'"(?:messages|prompt)":(.*)', text, re.DOTALL)
    return match[1] if match else ""


def _seconds_day(value: Any) -> str:
    from datetime import UTC, datetime

    seconds = number(value)
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds and 9e8 < seconds < 1e11 else ""


# ---------------------------------------------------------------------------------------------------------------------
# inference-perf and the benchmark report of llm-d


def _inference_perf(content: dict, path: Path) -> Iterator[Result]:
    """inference-perf: seconds; ``output_len`` as the tool counted, ``output_tokens`` as the server did."""
    good = content["successes"]

    def statistics(name: str, meaning: str) -> Figure | None:
        return _times(at(good, "latency", name), 1.0, meaning, f"latency.{name}.mean")

    stage = content.get("load_summary")
    if number(at(stage, "concurrency")) is None and path.name.startswith("summary_"):
        other = _sibling(path, path.name.replace("summary_", "stage_0_"))
        if _count(at(other, "load_summary", "count")) == _count(at(stage, "count")):
            stage = at(other, "load_summary")
    total, own = number(at(good, "output_tokens", "mean")), number(at(good, "output_len", "mean"))
    prompt, cached = number(at(good, "prompt_tokens", "total")), number(at(good, "prompt_tokens", "cached"), zero=True)
    completed = _count(good.get("count"))
    tpot = statistics("time_per_output_token", "per request")
    mean_e2e = statistics("normalized_time_per_output_token", "first token in, per request")
    listed = _sibling(path, "per_request_lifecycle_metrics.json")
    listed = listed if isinstance(listed, list) else []
    yield Result(
        tool="inference-perf",
        file=str(path),
        says=_says(
            ttft=statistics("time_to_first_token", FIRST),
            tpot=tpot or mean_e2e,
            ntpot=mean_e2e,
            itl=statistics("inter_token_latency", "between tokens"),
            e2e=statistics("request_latency", END),
        ),
        concurrency=number(at(stage, "concurrency")),
        rate=None if number(at(stage, "concurrency")) else number(at(stage, "requested_rate")),
        completed=completed,
        failed=_count(at(content, "failures", "count")),
        input_tokens=number(at(good, "prompt_tokens", "mean")) or number(at(good, "prompt_len", "mean")),
        output_tokens=own or total,
        server_output=total,
        duration_s=number(content.get("benchmark_time_seconds")),
        output_per_s=number(at(good, "throughput", "output_tokens_per_sec")),
        total_per_s=number(at(good, "throughput", "total_tokens_per_sec")),
        requests=tuple(_inference_perf_request(r) for r in listed if not at(r, "error")),
        cached_share=cached / prompt if prompt and cached is not None else None,
        texts=_strings([_prompt(at(r, "request")) for r in listed]),
        model=_model_of(listed),
    )


def _model_of(listed: list) -> str:
    match = re.search(r'"model": ?"([^"]+)"', str(at(listed, 0, "request") or ""))
    return match[1] if match else ""


def _inference_perf_request(record: dict) -> Request:
    metrics = at(record, "info", "response_metrics")
    times = at(metrics, "output_token_times") or at(metrics, "chunk_times")
    start = number(record.get("start_time"))
    usage = at(metrics, "server_usage")
    tokens = number(at(usage, "completion_tokens")) or number(at(metrics, "output_tokens"))
    prompt = number(at(usage, "prompt_tokens")) or number(at(record, "info", "input_tokens"))
    whole = isinstance(times, list) and tokens and len(times) >= 0.5 * tokens
    first, last = (number(at(times, 0)), number(at(times, -1))) if whole else (None, None)
    if first is None or last is None or start is None:
        return Request(prompt, tokens, None, None)
    return Request(prompt, tokens, first - start, last - start)


def _llmd(content: dict, path: Path) -> Iterator[Result]:
    """The benchmark report of llm-d, versions 0.1 and 0.2: every statistic with its units."""
    metrics = at(content, "results", "request_performance", "aggregate") or content.get("metrics")

    def statistics(name: str, meaning: str) -> Figure | None:
        found = at(metrics, "latency", name)
        unit = UNITS.get(str(at(found, "units")).lower(), 1.0)
        return _times(found, unit, meaning, f"latency.{name}.mean", ("mean", "p50", "p99"))

    requests, throughput = at(metrics, "requests"), at(metrics, "throughput")
    total, failed = _count(at(requests, "total")), _count(at(requests, "failures"))
    accelerator = at(content, "scenario", "host", "accelerator", 0)
    rate = at(throughput, "output_token_rate", "mean") or at(throughput, "output_tokens_per_sec")
    stack = at(content, "scenario", "stack", 0)
    yield Result(
        tool="llm-d benchmark report",
        file=str(path),
        version=_string(content.get("version")) or None,
        model=_string(at(content, "scenario", "model", "name") or at(stack, "standardized", "model", "name")),
        engine=_string(at(content, "scenario", "platform", "engine", 0, "name") or at(stack, "standardized", "tool")),
        system=_string(at(accelerator, "model") or at(stack, "standardized", "accelerator", "model")),
        says=_says(
            ttft=statistics("time_to_first_token", FIRST),
            tpot=statistics("time_per_output_token", "per request"),
            itl=statistics("inter_token_latency", CHUNKS),
            e2e=statistics("request_latency", END),
        ),
        concurrency=number(at(content, "scenario", "load", "standardized", "concurrency")),
        completed=total - (failed or 0) if total is not None else None,
        failed=failed,
        input_tokens=number(at(requests, "input_length", "mean")),
        output_tokens=number(at(requests, "output_length", "mean")),
        duration_s=number(at(metrics, "time", "duration")) or _iso_seconds(at(content, "run", "time", "duration")),
        output_per_s=number(rate),
    )


def _iso_seconds(text: Any) -> float | None:
    match = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?", str(text or ""))
    return (
        number(sum(float(part or 0) * unit for part, unit in zip(match.groups(), (3600, 60, 1), strict=True)))
        if match
        else None
    )


# ---------------------------------------------------------------------------------------------------------------------
# genai-bench, evalscope, tokenomics, llama-benchy, LLMPerf


def _genai_bench(content: dict, path: Path) -> Iterator[Result]:
    """genai-bench: one file a load; what it was told of server and accelerators stands in the file beside it."""
    found = content["aggregated_metrics"]
    unit = UNITS.get(str(content.get("_time_unit") or "s"), 1.0)
    listed = content.get("individual_request_metrics")
    listed = [r for r in listed if isinstance(r, dict)] if isinstance(listed, list) else []

    def statistics(name: str, meaning: str) -> Figure | None:
        where = f"stats.{name}.mean"
        return _times(at(found, "stats", name), unit, meaning, where, ("mean", ("p50", "median"), "p99"))

    settings = _sibling(path, "experiment_metadata.json")
    asked = re.fullmatch(r"D\((\d+),\s*(\d+)\)", str(found.get("scenario") or ""))
    rate = number(found.get("request_rate"))
    yield Result(
        tool="genai-bench",
        file=str(path),
        version=_string(at(settings, "benchmark_version")) or None,
        model=_string(at(settings, "api_model_name") or at(settings, "model")),
        engine=" ".join(filter(None, (_string(at(settings, name)) for name in ("server_engine", "server_version")))),
        system=_string(at(settings, "server_gpu_type")),
        accelerators=_count(at(settings, "server_gpu_count")),
        says=_says(
            ttft=statistics("ttft", FIRST),
            tpot=statistics("tpot", "per request"),
            e2e=statistics("e2e_latency", END),
        ),
        concurrency=None if rate else number(found.get("num_concurrency")),
        rate=rate,
        completed=_count(found.get("num_completed_requests")),
        failed=_count(found.get("num_error_requests")),
        input_tokens=number(at(found, "stats", "num_input_tokens", "mean")),
        output_tokens=number(at(found, "stats", "num_output_tokens", "mean")),
        asked_output=float(asked[2]) if asked else None,
        duration_s=number(found.get("run_duration")),
        output_per_s=number(found.get("mean_output_throughput_tokens_per_s")),
        total_per_s=number(found.get("mean_total_tokens_throughput_tokens_per_s")),
        requests=tuple(
            Request(
                number(r.get("num_input_tokens")),
                number(r.get("num_output_tokens")),
                _scaled(r.get("ttft"), unit),
                _scaled(r.get("e2e_latency"), unit),
            )
            for r in listed
            if r.get("error_code") in (None, 200)
        ),
    )


_EVALSCOPE = {
    "duration": ("Test Duration (s)", "Time taken for tests (s)"),
    "concurrency": ("Concurrency", "Number of concurrency"),
    "rate": ("Request Rate (req/s)", "Request rate (req/s)"),
    "completed": ("Success Requests", "Succeed requests"),
    "failed": ("Failed Requests", "Failed requests"),
    "latency": ("Avg Latency (s)", "Average latency (s)"),
    "input": ("Avg Input Tokens", "Average input tokens per request"),
    "output": ("Avg Output Tokens", "Average output tokens per request"),
    "throughput": ("Output Throughput (tok/s)", "Output token throughput (tok/s)"),
    "total": ("Total Throughput (tok/s)", "Total token throughput (tok/s)"),
}


def _evalscope(content: dict, path: Path) -> Iterator[Result]:
    """evalscope perf: its summary, with the settings and percentiles that stand beside it; older names of keys too."""

    def value(name: str, zero: bool = False) -> float | None:
        return next((n for key in _EVALSCOPE[name] if (n := number(content.get(key), zero=zero)) is not None), None)

    percentiles = _sibling(path, "benchmark_percentile.json")
    percentiles = percentiles if isinstance(percentiles, list) else []
    settings = _sibling(path, "benchmark_args.json")

    def statistics(short: str, long: str, unit: float, meaning: str) -> Figure | None:
        mean = number(content.get(f"Avg {short}"))
        if mean is None and (seconds := number(content.get(f"Average {long} (s)"))) is not None:
            mean = seconds / unit
        middle, last = (
            next((number(p.get(short)) for p in percentiles if at(p, "Percentiles") == share), None)
            for share in ("50%", "99%")
        )
        return _times({"mean": mean, "median": middle, "p99": last}, unit, meaning, f"Avg {short}")

    fixed = at(settings, "max_tokens") if at(settings, "max_tokens") == at(settings, "min_tokens") else None
    pieces = number(at(content, "Avg Decoded Tokens per Iter"))
    hit = number(content.get("KV Cache Hit Rate (%)"), zero=True)
    output = value("output")
    yield Result(
        tool="evalscope perf",
        file=str(path),
        model=_string(at(settings, "model")),
        says=_says(
            ttft=statistics("TTFT (ms)", "time to first token", 1e-3, FIRST),
            tpot=statistics("TPOT (ms)", "time per output token", 1e-3, "per request"),
            itl=statistics("ITL (ms)", "inter-token latency", 1e-3, CHUNKS),
            e2e=statistics("Latency (s)", "latency", 1.0, END),
        ),
        concurrency=value("concurrency"),
        rate=value("rate"),
        completed=_count(value("completed", zero=True)),
        failed=_count(value("failed", zero=True)),
        input_tokens=value("input"),
        output_tokens=output,
        asked_output=number(fixed),
        duration_s=value("duration"),
        output_per_s=value("throughput"),
        total_per_s=value("total"),
        cached_share=None if hit is None else hit / 100,
        chunks=output / pieces if output and pieces else None,
    )


def _tokenomics(content: dict, path: Path) -> Iterator[Result]:
    """tokenomics completion: one file a load, rounded to four digits; TPOT and TTFT only where it streamed."""
    found, settings = content["result"], content.get("metadata")
    asked = re.fullmatch(r"D\((\d+),\s*(\d+)\)", str(at(settings, "scenario") or ""))
    tokens, wall = (
        number(at(found, "tokens", "output_per_request", "mean")),
        number(at(found, "batch_metrics", "wall_time", "mean")),
    )
    total = at(found, "usage_extras", "cached_tokens", "cache_hit_rate")
    completed, runs = _count(at(found, "reliability", "successful")), number(at(settings, "num_runs")) or 1
    ttft = _times(at(found, "prefill_metrics", "ttft"), 1.0, FIRST, "prefill_metrics.ttft.mean")
    decode = number(at(found, "decode_metrics", "decode_time", "mean"))
    end = Figure(ttft.mean + decode, meaning=END, where="ttft.mean + decode_time.mean") if ttft and decode else None
    yield Result(
        tool="tokenomics",
        file=str(path),
        model=_string(at(settings, "model")),
        date=_days(at(settings, "timestamp")),
        says=_says(
            ttft=ttft,
            tpot=_times(at(found, "decode_metrics", "tpot"), 1.0, "per request", "decode_metrics.tpot.mean"),
            e2e=end,
        ),
        concurrency=number(content.get("sweep_value")),
        completed=completed,
        failed=_count(at(found, "reliability", "failed")),
        input_tokens=number(at(found, "tokens", "input_per_request", "mean")),
        output_tokens=tokens,
        asked_output=float(asked[2]) if asked else None,
        duration_s=wall * runs if wall else None,
        output_per_s=number(at(found, "batch_metrics", "e2e_tps", "mean")),
        cached_share=number(total, zero=True),
    )


def _llama_benchy(content: dict, path: Path) -> Iterator[Result]:
    """llama-benchy: lengths are those asked for; its rates count decoding alone, each request's values are listed."""
    for load in content["benchmarks"]:
        if not isinstance(load, dict) or load.get("is_context_prefill_phase"):
            continue
        rates = [n for v in at(load, "tg_req_throughput", "values") or () if (n := number(v))]
        depth = number(load.get("context_size"), zero=True) or 0.0
        prompt, output = number(load.get("prompt_size")), number(load.get("response_size"))
        batch = number(load.get("concurrency"))
        batches = len(at(load, "tg_throughput", "values") or ()) if batch and batch > 1 else 0
        where = "1 ÷ tg_req_throughput.values"
        first = _listed(load, "e2e_ttft", FIRST)
        yield Result(
            tool="llama-benchy",
            file=str(path),
            version=_string(content.get("version")) or None,
            part=f"{batch:g} at once, {prompt or 0:g} in, {depth:g} before" if batch else "",
            model=_string(content.get("model")),
            date=_days(content.get("timestamp")),
            says=_says(
                ttft=first,
                tpot=figure([1 / rate for rate in rates], "per request", where),
                first_chunk=_listed(load, "ttfr", "to the first chunk"),
            ),
            concurrency=batch,
            completed=len(rates) or None,
            failed=max(round(batch * batches) - len(rates), 0) if batches else None,
            input_tokens=(prompt or 0) + depth or None,
            output_tokens=output,
            only_asked=True,
            cached_share=1.0 if content.get("prefix_caching_enabled") is True and depth else None,
        )


def _listed(load: dict, name: str, meaning: str) -> Figure | None:
    values = [1e-3 * n for v in at(load, name, "values") or () if (n := number(v))]
    return figure(values, meaning, f"{name}.values")


def _llmperf(content: dict, path: Path) -> Iterator[Result]:
    """LLMPerf's summary (*by its documents*): its inter-token latency is the time of a request over its tokens."""

    def statistics(name: str, meaning: str) -> Figure | None:
        values = {
            "mean": content.get(f"results_{name}_mean"),
            "median": content.get(f"results_{name}_quantiles_p50"),
            "p99": content.get(f"results_{name}_quantiles_p99"),
        }
        nested = content.get(f"results_{name}")
        return _times(values, 1.0, meaning, f"results_{name}_mean") or _times(
            nested, 1.0, meaning, f"results_{name}.mean", ("mean", "quantiles.p50", "quantiles.p99")
        )

    def mean(name: str) -> float | None:
        return number(content.get(f"results_{name}_mean")) or number(at(content, f"results_{name}", "mean"))

    completed, per_minute = (
        number(content.get("results_num_completed_requests"), zero=True),
        number(content.get("results_num_completed_requests_per_min")),
    )
    errors = number(content.get("results_number_errors"), zero=True)
    yield Result(
        tool="LLMPerf",
        file=str(path),
        version=_string(content.get("version")) or None,
        model=_string(content.get("model")),
        date=_seconds_day(content.get("timestamp")),
        says=_says(
            ttft=statistics("ttft_s", FIRST),
            tpot=statistics("inter_token_latency_s", "first token in, per request"),
            e2e=statistics("end_to_end_latency_s", END),
        ),
        concurrency=number(content.get("num_concurrent_requests")),
        completed=_count(completed),
        failed=_count(errors),
        input_tokens=mean("number_input_tokens"),
        output_tokens=mean("number_output_tokens"),
        asked_output=number(content.get("mean_output_tokens")),
        duration_s=60 * completed / per_minute if completed and per_minute else None,
        output_per_s=number(content.get("results_mean_output_throughput_token_per_s")),
    )


# ---------------------------------------------------------------------------------------------------------------------
# TensorRT-LLM, Hugging Face, llm-load-test


def _trtllm(content: dict, path: Path) -> Iterator[Result]:
    """The report of ``trtllm-bench`` (*by its documents*): times in ms."""
    performance, load = content["performance"], content.get("request_info") or content.get("dataset") or {}
    stream = content.get("streaming_metrics") or {}

    def statistics(name: str, meaning: str) -> Figure | None:
        mean = performance.get(f"avg_{name}_ms") or stream.get(f"avg_{name}_ms")
        spread = stream.get(f"{name}_percentiles") or performance.get(f"{name}_percentiles") or {}
        values = {"mean": mean or at(spread, "average"), "median": at(spread, "p50"), "p99": at(spread, "p99")}
        return _times(values, 1e-3, meaning, f"avg_{name}_ms")

    machine, world = content.get("machine"), content.get("world_info") or {}
    yield Result(
        tool="trtllm-bench",
        file=str(path),
        version=_string(at(content, "engine", "version")) or None,
        model=_string(at(content, "engine", "model") or at(content, "engine", "model_path")),
        engine="TensorRT-LLM",
        system=_string(at(machine, "name")),
        accelerators=_count(world.get("world_size")),
        tensor=_count(world.get("tp_size")),
        expert=_count(world.get("ep_size")),
        says=_says(
            ttft=statistics("ttft", FIRST),
            tpot=statistics("tpot", "per request"),
            e2e=_times({"mean": performance.get("avg_request_latency_ms")}, 1e-3, END, "avg_request_latency_ms"),
        ),
        concurrency=number(performance.get("avg_concurrent_requests") or world.get("max_concurrency")),
        completed=_count(at(load, "num_requests")),
        input_tokens=number(at(load, "avg_input_length") or at(load, "avg_num_input_tokens_per_request")),
        output_tokens=number(at(load, "avg_output_length") or at(load, "avg_num_output_tokens_per_request")),
        duration_s=_scaled(performance.get("total_latency_ms"), 1e-3),
        output_per_s=number(performance.get("system_output_throughput_tok_s")),
    )


def _hugging_face(content: dict, path: Path) -> Iterator[Result]:
    """Hugging Face's inference-benchmarker (*by its documents*): times in ms."""
    for run in content["results"]:
        if not isinstance(run, dict) or run.get("id") == "warmup":
            continue

        def statistics(name: str, meaning: str, run: dict = run) -> Figure | None:
            return _times(run.get(name), 1e-3, meaning, f"{name}.avg", ("avg", "p50", "p99"))

        completed, total = (
            _count(run.get("successful_requests") or run.get("total_requests")),
            number(run.get("total_tokens")),
        )
        yield Result(
            tool="inference-benchmarker",
            file=str(path),
            part=_string(run.get("id")),
            model=_string(at(content, "config", "model_name") or at(content, "config", "tokenizer")),
            says=_says(
                ttft=statistics("time_to_first_token_ms", FIRST),
                itl=statistics("inter_token_latency_ms", CHUNKS),
                e2e=statistics("e2e_latency_ms", END),
            ),
            concurrency=number(at(run, "config", "max_vus"))
            if "Arrival" not in str(run.get("executor_type"))
            else None,
            rate=number(at(run, "config", "rate")),
            completed=completed,
            failed=_count(run.get("failed_requests")),
            input_tokens=_ratio(number(run.get("total_prompt_tokens")), completed)
            or number(at(content, "config", "prompt_options", "num_tokens")),
            output_tokens=_ratio(total, completed),
            asked_output=number(at(content, "config", "decode_options", "num_tokens")),
            output_per_s=number(run.get("token_throughput_secs")),
            duration_s=_scaled(run.get("duration_ms"), 1e-3),
        )


def _llm_load_test(content: dict, path: Path) -> Iterator[Result]:
    """llm-load-test (*by its documents*): a summary in ms, and each request in ``results``."""
    summary = content["summary"]

    def statistics(name: str, meaning: str) -> Figure | None:
        return _times(summary.get(name), 1e-3, meaning, f"summary.{name}.mean", ("mean", "median", "percentile_99"))

    completed = _count(summary.get("total_requests"))
    failed = _count(summary.get("total_failures"))
    yield Result(
        tool="llm-load-test",
        file=str(path),
        model=_string(at(content, "config", "plugin_options", "model_name")),
        says=_says(
            ttft=statistics("ttft", FIRST),
            tpot=statistics("tpot", "first token in, per request"),
            itl=statistics("itl", "per request"),
            e2e=statistics("response_time", END),
        ),
        concurrency=number(at(content, "config", "load_options", "concurrency")),
        completed=None if completed is None else completed - (failed or 0),
        failed=failed,
        input_tokens=number(at(summary, "input_tokens", "mean")),
        output_tokens=number(at(summary, "output_tokens", "mean")),
        duration_s=number(summary.get("full_duration")),
        output_per_s=number(summary.get("output_tokens_throughput") or summary.get("throughput")),
    )


# ---------------------------------------------------------------------------------------------------------------------
# llama.cpp


def _llama_bench(content: Mapping, path: Path) -> Iterator[Result]:
    """``llama-bench``: one sequence in the engine; a test reads a prompt, generates, or does both in one time."""
    prompt, generated = (number(content.get(name), zero=True) or 0.0 for name in ("n_prompt", "n_gen"))
    depth = number(content.get("n_depth"), zero=True) or 0.0
    mean = _scaled(content.get("avg_ns"), 1e-9)
    samples = content.get("samples_ns")
    times = [1e-9 * n for v in samples if (n := number(v))] if isinstance(samples, list) else []
    test = (
        (f"pp{prompt:g}" if prompt else "")
        + ("+" if prompt and generated else "")
        + (f"tg{generated:g}" if generated else "")
    )
    says = {}
    why = ""
    if prompt and generated:
        why = "prompt and generated tokens are timed together (-pg): test them apart (-p and -n)"
    elif generated and mean:
        median = figure([t / generated for t in times], "one batch", "")
        says["tpot"] = Figure(mean / generated, median and median.median, None, "one batch", "avg_ns ÷ n_gen")
    elif prompt and mean:
        says["ttft"] = Figure(mean, meaning=FIRST, where="avg_ns")
        why = "only the reading of a prompt was timed: test generation too (-n)"
    build = _string(content.get("build_commit"))
    yield Result(
        tool="llama-bench",
        file=str(path),
        version=None if build in ("", "unknown") else f"{content.get('build_number')} ({build})",
        part=test + (f" after {depth:g}" if depth else ""),
        model=_string(content.get("model_type")),
        engine="llama.cpp",
        system=_string(content.get("gpu_info")),
        date=_days(content.get("test_time")),
        says=says,
        concurrency=1.0,
        input_tokens=depth + prompt,
        output_tokens=generated or None,
        decode_only=True,
        parameters=number(content.get("model_n_params")),
        weight_bytes=number(content.get("model_size")),
        why_not=why,
    )


def _batched_bench(content: dict, path: Path) -> Iterator[Result]:
    """``llama-batched-bench``: ``pl`` sequences, prompts and generation timed apart (*by its documents*)."""
    batch, tokens, decode = (number(content.get(name)) for name in ("pl", "tg", "t_tg"))
    prefill = number(content.get("t_pp"))
    yield Result(
        tool="llama-batched-bench",
        file=str(path),
        part=f"{batch or 0:g} sequences",
        engine="llama.cpp",
        says=_says(
            ttft=Figure(prefill, meaning=FIRST, where="t_pp") if prefill else None,
            tpot=Figure(decode / tokens, meaning="one batch", where="t_tg ÷ tg") if decode and tokens else None,
        ),
        concurrency=batch,
        input_tokens=number(content.get("pp")),
        output_tokens=tokens,
        decode_only=True,
    )


def _llama_table(text: str, path: Path) -> Iterator[Result]:
    """The table in Markdown that ``llama-bench`` and ``llama-benchy`` print."""
    lines = [line for line in text.splitlines() if line.lstrip().startswith("|")]
    header = [cell.strip() for cell in lines[0].strip().strip("|").split("|")]
    for line in lines[2:]:
        cells = dict(zip(header, (cell.strip() for cell in line.strip().strip("|").split("|")), strict=False))
        test = re.match(r"(pp|tg)(\d+)(?: @ d(\d+))?$", cells.get("test", ""))
        rate = re.match(r"([\d.,]+)", cells.get("t/s", ""))
        if not test or not rate or not (speed := number(rate[1].replace(",", ""))):
            continue
        count = float(test[2])
        record = {"n_prompt" if test[1] == "pp" else "n_gen": count, "n_depth": test[3], "avg_ns": 1e9 * count / speed}
        record |= {"model_type": cells.get("model"), "model_n_params": _binary(cells.get("params"))}
        record |= {"model_size": _binary(cells.get("size"))}
        yield from _llama_bench(record, path)


def _binary(text: str | None) -> float | None:
    match = re.match(r"([\d.]+) (KiB|MiB|GiB|TiB|K|M|B|T)\b", text or "")
    scale = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
    return float(match[1]) * scale[match[2]] if match else None


# ---------------------------------------------------------------------------------------------------------------------
# MLPerf


def _mlperf(text: str, path: Path) -> Iterator[Result]:
    """``mlperf_log_summary.txt`` of LoadGen: nanoseconds; the lines of its results and additional statistics."""
    values = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and name.strip() and name.strip() not in values:
            values[name.strip()] = value.strip()
    scenario = values.get("Scenario", "")

    def nanoseconds(name: str, meaning: str, mean: str, share: str) -> Figure | None:
        found = {
            "mean": values.get(mean),
            "median": values.get(f"50.00 percentile {share} (ns)"),
            "p99": values.get(f"99.00 percentile {share} (ns)"),
        }
        return _times(found, 1e-9, meaning, mean)

    tokens = number(values.get("Completed tokens per second")) or next(
        (number(values[key]) for key in ("Tokens per second", "Tokens per second (inferred)") if key in values), None
    )
    samples = number(values.get("Completed samples per second")) or number(values.get("Samples per second"))
    invalid = values.get("Result is") == "INVALID"
    yield Result(
        tool="MLPerf LoadGen",
        file=str(path),
        version=_loadgen_version(path),
        part=scenario + (", INVALID" if invalid else ""),
        says=_says(
            ttft=nanoseconds("ttft", FIRST, "Mean First Token latency (ns)", "first token latency"),
            tpot=nanoseconds("tpot", "per request", "Mean Time per Output Token (ns)", "time to output token"),
            e2e=nanoseconds("e2e", END, "Mean latency (ns)", "latency") if scenario != "Offline" else None,
        ),
        concurrency=1.0 if scenario == "SingleStream" else None,
        rate=samples if scenario in ("Server", "Interactive") else None,
        output_tokens=_ratio(tokens, samples),
        output_per_s=tokens,
        why_not=""
        if tokens or "Mean Time per Output Token (ns)" in values
        else "no tokens were timed: run LoadGen with use_token_latencies",
    )


def _loadgen_version(path: Path) -> str | None:
    for name in ("mlperf_log_detail.txt", "mlperf_log_detail.head.txt"):
        try:
            with (path.parent / name).open(encoding="utf-8") as lines:
                match = re.search(r'"loadgen_version", "value": "([\d.]+)', lines.read(4000))
        except (OSError, UnicodeDecodeError):
            continue
        if match:
            return match[1]
    return None


# ---------------------------------------------------------------------------------------------------------------------
# What a server benchmark prints, and tables


_PRINTED = {
    "completed": "Successful requests",
    "failed": "Failed requests",
    "max_concurrency": "(?:Maximum request concurrency|Max request concurrency)",
    "request_rate": r"(?:Request rate configured \(RPS\)|Traffic request rate)",
    "duration": r"Benchmark duration \(s\)",
    "total_input_tokens": "Total input tokens",
    "total_output_tokens": "Total generated tokens",
    "total_output_tokens_retokenized": r"Total generated tokens \(retokenized\)",
    "output_throughput": r"Output token throughput \(tok/s\)",
    "total_token_throughput": r"Total [Tt]oken throughput \(tok/s\)",
}


def _printed(text: str, path: Path) -> Iterator[Result]:
    """What vLLM's and SGLang's scripts print at the end, saved from the terminal; several runs one after another."""
    parts = re.split(r"=+ (?:Serving )?Benchmark Result =+", text)[1:]
    for n, part in enumerate(parts, start=1):
        content: dict[str, Any] = {}
        for key, name in _PRINTED.items():
            if match := re.search(rf"^{name}:\s*([\d.,]+|inf)", part, re.MULTILINE):
                content[key] = match[1].replace(",", "")
        for kind, label in (("mean", "Mean"), ("median", "Median"), ("p99", "P99")):
            for name, shown in (
                ("ttft", "TTFT"),
                ("tpot", "TPOT"),
                ("itl", "ITL"),
                ("e2el", "E2EL"),
                ("e2e_latency", "E2E Latency"),
            ):
                if match := re.search(rf"^{label} {shown} \(ms\):\s*([\d.,]+)", part, re.MULTILINE):
                    content[f"{kind}_{name}_ms"] = match[1].replace(",", "")
        content.setdefault("completed", None)
        if _flat(content):
            yield from (_part(r, f"run {n}" if len(parts) > 1 else "") for r in _flat_result(content, path))


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
    return next((row[one] for one in COLUMNS[name] if row.get(one)), "")


def _table_row(row: dict[str, str], path: Path, n: int) -> Result:
    first, output, prompt = number(row.get("ttft_s")), number(_cell(row, "osl")), number(_cell(row, "isl"), zero=True)
    known = ((name, number(row.get(name)), to_ms) for name, to_ms in MEASURED.items())
    tpot = next((Figure(None, 1e-3 * to_ms(value), where=name) for name, value, to_ms in known if value), None)
    layout = {name: int(count) for name, count in re.findall(r"(?<![a-z])(tp|dp|ep)(\d{1,4})\b", _cell(row, "config"))}
    tensor, copies = (layout.get(short) or _count(_cell(row, name)) for short, name in (("tp", "tp"), ("dp", "data")))
    chips = _count(_cell(row, "n_acc")) or (tensor * (copies or 1) if tensor else None)
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
        engine=row.get("framework", ""),
        system=_cell(row, "hardware"),
        accelerators=chips,
        weights=_cell(row, "precision"),
        tensor=tensor,
        expert=layout.get("ep") or _count(_cell(row, "ep")),
        date=row.get("date", ""),
        says=_says(tpot=tpot, ttft=Figure(None, first, meaning=FIRST, where="ttft_s") if first else None),
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
        for result in _inferencex(clean, path):
            yield _part(result, f"row {n}")


def _llama_csv(text: str, path: Path) -> Iterator[Result]:
    for row in csv.DictReader(io.StringIO(text)):
        yield from _llama_bench(row, path)


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
    yield from _llmd(content, path)


def _is_llmd(content: dict) -> bool:
    first = at(content, "results", "request_performance", "aggregate", "latency") or at(content, "metrics", "latency")
    return at(first, "time_to_first_token", "units") is not None


_OBJECTS: tuple[tuple[Callable[[dict], bool], Callable[[dict, Path], Iterator[Result]]], ...] = (
    (_flat, _flat_result),
    (_has("elapsed_time", "total_num_tokens", "tokens_per_second"), _vllm_throughput),
    (_has("avg_latency", "latencies", "percentiles"), _vllm_latency),
    (_has("batch_size", "input_len", "median_decode_latency"), _one_batch),
    (_has("batch_size", "input_len", "output_len", "latency", "overall_throughput"), _one_batch_server),
    (_has("successful_requests", "total_latency", "output_throughput"), _offline_throughput),
    (_has("successes.latency"), _inference_perf),
    (_has("aggregated_metrics.stats"), _genai_bench),
    (lambda c: any(set(names) & set(c) for names in (_EVALSCOPE["duration"],)), _evalscope),
    (_list_at("benchmarks", "tg_throughput", "prompt_size"), _llama_benchy),
    (_list_at("benchmarks", "metrics"), _guidellm),
    (_has("result.decode_metrics", "result.tokens"), _tokenomics),
    (lambda c: "results_ttft_s_mean" in c or "results_ttft_s" in c, _llmperf),
    (_has("performance.system_output_throughput_tok_s"), _trtllm),
    (_list_at("results", "token_throughput_secs"), _hugging_face),
    (_has("summary.tpot", "summary.ttft"), _llm_load_test),
    (_has("n_gen", "n_prompt", "avg_ns"), _llama_bench),
    (_has("pl", "tg", "t_tg", "speed_tg"), _batched_bench),
    (_is_llmd, _llmd),
    (lambda c: "conc" in c and ("median_tpot" in c or "mean_tpot" in c), _inferencex),
    (_has("time_to_first_token.avg"), _aiperf),
    (_has("request_latency.avg", "request_throughput.avg"), _aiperf),
)

_TEXTS: tuple[tuple[Callable[[str], bool], Callable[[str, Path], Iterator[Result]]], ...] = (
    (lambda text: "MLPerf Results Summary" in text[:2000], _mlperf),
    (lambda text: re.search(r"=+ (?:Serving )?Benchmark Result =+", text) is not None, _printed),
    (_columns("hw", "model", "conc", "isl", "osl", "median_tpot"), _inferencex_table),
    (_is_table, _table_rows),
    (_columns("n_gen", "n_prompt", "avg_ns"), _llama_csv),
    (lambda text: re.match(r"\s*\|\s*model\s*\|.*\btest\s*\|.*\bt/s", text) is not None, _llama_table),
    (_columns("Metric", "avg", "p99"), _aiperf_table),
    (
        lambda text: re.search(r"^\s*request_performance:|^\s*time_to_first_token:", text, re.MULTILINE) is not None,
        _llmd_yaml,
    ),
)

KNOWN = (
    "vLLM, SGLang, AIPerf, GenAI-Perf, GuideLLM, inference-perf, genai-bench, evalscope, llama-bench, llama-benchy, "
    "tokenomics, LLMPerf, MLPerf LoadGen, trtllm-bench, inference-benchmarker, llm-load-test, llm-d, InferenceX"
)
"""Tools whose files are read."""
