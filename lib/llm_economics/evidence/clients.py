"""Files of tools that send requests to a server and time the answers: one short function a tool.

A function takes what the file says under the keys and in the units of its tool, and says which of ``results.MEANINGS``
each time has. It neither corrects nor guesses: that is the work of ``results``. The layouts were seen in files that the
tools themselves wrote against a server of known times, but for those marked *by its documents*.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from llm_economics.evidence.fields import (
    CHUNKS,
    END,
    FIRST,
    KNOWN,
    UNITS,
    NoResultError,
    accepted,
    at,
    count_of,
    day_of,
    day_of_seconds,
    figure_of,
    in_part,
    iso_seconds,
    items,
    json_beside,
    mean_of,
    named,
    per,
    prompt_of,
    scaled,
    text_of,
    texts_of,
)
from llm_economics.evidence.results import Figure, Request, Result, figure, number
from llm_economics.formulas.elementwise import cleaned

_ENGINES = ("vLLM", "SGLang", "TensorRT-LLM", "TGI", "LMDeploy")


def is_flat(content: dict) -> bool:
    return any(key in content for key in ("mean_ttft_ms", "median_ttft_ms", "mean_tpot_ms")) and "completed" in content


def flat(content: dict, path: Path) -> Iterator[Result]:
    """``vllm bench serve``, ``sglang.benchmark.serving`` and their kin: one flat object, times in ms."""
    sglang = "mean_e2e_latency_ms" in content or "total_output_tokens_retokenized" in content
    end = "e2e_latency" if sglang else "e2el"

    def statistics(name: str, meaning: str) -> Figure | None:
        values = {kind: content.get(f"{kind}_{name}_ms") for kind in ("mean", "median", "p99")}
        return figure_of(values, 1e-3, meaning, f"mean_{name}_ms")

    completed, failed = count_of(content.get("completed")), count_of(content.get("failed"))
    if failed is None and (asked := count_of(content.get("num_prompts"))) is not None and completed is not None:
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
        version=text_of(version) or None,
        model=text_of(content.get("model_id")),
        engine=next((name for name in _ENGINES if name.lower() in str(content.get("backend")).lower()), ""),
        date=day_of(content.get("date")),
        says=named(
            ttft=statistics("ttft", FIRST),
            tpot=statistics("tpot", "per request"),
            itl=statistics("itl", CHUNKS),
            e2e=statistics(end, END),
        ),
        concurrency=number(content.get("max_concurrency")),
        rate=number(content.get("request_rate")),
        completed=completed,
        failed=failed,
        input_tokens=per(number(content.get("total_input_tokens")), completed),
        output_tokens=per(tokens, completed),
        asked_output=None if ranged else asked,
        late_end=sglang,
        retokenised_output=per(number(content.get("total_output_tokens_retokenized")), completed),
        duration_s=number(content.get("duration")),
        output_per_s=number(content.get("output_throughput")),
        total_per_s=number(content.get("total_token_throughput")) or number(content.get("total_throughput")),
        requests=_flat_requests(content),
        texts=texts_of(content.get("generated_texts")),
        texts_are="answers",
        speculation=accepted(content.get("accept_length") or content.get("spec_decode_acceptance_length")),
    )


def _flat_requests(content: dict) -> tuple[Request, ...]:
    """Requests of the detailed files, from the first token to the last.

    A stream with more pieces than tokens has one without a token at its head, and perhaps one at its end: their gaps
    are left out. In SGLang's chat mode the tokens are those that were asked for; where the pieces are as many as the
    tokens in the text, each piece counts as one.
    """
    names = ("ttfts", "itls", "output_lens")
    lists = [content.get(name) for name in names]
    if not all(isinstance(values, list) for values in lists) or len({len(values) for values in lists}) != 1:
        return ()
    gaps = [
        [n for gap in each if (n := number(gap, zero=True)) is not None] for each in lists[1] if items(each) is each
    ]
    if len(gaps) != len(lists[0]):
        return ()
    tokens = [number(count) for count in lists[2]]
    answered = [n for n, count in enumerate(tokens) if count and number(lists[0][n])]
    again = number(content.get("total_output_tokens_retokenized"))
    if again and abs(sum(len(gaps[n]) + 1 for n in answered) / again - 1) < 0.02:
        tokens = [len(each) + 1 for each in gaps]
    elif again and abs(sum(tokens[n] for n in answered) / again - 1) > 0.03:
        return ()
    ends, prompts = content.get("latencies"), content.get("input_lens")
    found = []
    for n in answered:
        first, each = number(lists[0][n]), gaps[n]
        end = number(at(ends, n)) or first + sum(each)
        if len(each) in (tokens[n], tokens[n] + 1):
            first += each[0]
            end -= each[-1] if len(each) > tokens[n] else 0.0
        found.append(Request(number(at(prompts, n)), tokens[n], first, end))
    return tuple(found)


def inferencex(content: dict, path: Path) -> Iterator[Result]:
    """A configuration of InferenceX (InferenceMAX): its rows of vLLM's script, with times in seconds."""
    output, per = number(content.get("osl")), number(content.get("output_tput_per_gpu"))
    chips = count_of(content.get("num_gpus")) or count_of(content.get("tp"))
    yield Result(
        tool="InferenceX",
        file=str(path),
        model=text_of(content.get("model") or content.get("infmax_model_prefix")),
        engine=text_of(content.get("framework")),
        system=text_of(content.get("hw")),
        accelerators=chips,
        weights=text_of(content.get("precision")),
        tensor=count_of(content.get("tp")),
        expert=count_of(content.get("ep")),
        says=named(
            ttft=figure_of(_prefixed(content, "ttft"), 1.0, FIRST, "mean_ttft"),
            tpot=figure_of(_prefixed(content, "tpot"), 1.0, "per request", "mean_tpot"),
            itl=figure_of(_prefixed(content, "itl"), 1.0, CHUNKS, "mean_itl"),
            e2e=figure_of(_prefixed(content, "e2el"), 1.0, END, "mean_e2el"),
        ),
        concurrency=number(content.get("conc")),
        input_tokens=number(content.get("isl")),
        output_tokens=output,
        output_per_s=per * chips if per and chips else None,
        speculation=""
        if content.get("spec_decoding") in (None, "", "none", False)
        else cleaned(content["spec_decoding"]),
    )


def _prefixed(content: Mapping, name: str) -> dict[str, Any]:
    return {kind: content.get(f"{kind}_{name}") for kind in ("mean", "median", "p99")}


_AVERAGE = ("avg", "p50", "p99")


def aiperf(content: dict, path: Path) -> Iterator[Result]:
    """AIPerf and GenAI-Perf: an object with its unit for each metric; tokens are counted again unless told not to."""

    def statistics(name: str, meaning: str) -> Figure | None:
        metric = content.get(name)
        unit = UNITS.get(str(at(metric, "unit")).split("/")[0].strip().lower(), 1e-3)
        return figure_of(metric, unit, meaning, f"{name}.avg", _AVERAGE)

    def value(name: str, zero: bool = False) -> float | None:
        return number(at(content, name, "avg"), zero=zero)

    settings = content.get("input_config")
    phase = next((p for p in items(settings, "phases") if at(p, "kind") == "profiling"), None)
    duration = value("benchmark_duration")
    completed, output = value("request_count", zero=True), value("output_sequence_length")
    rate = value("request_throughput")
    if completed is None:
        completed = number(at(content, "request_latency", "count")) or (duration and rate and duration * rate)
    cached = value("overall_usage_prompt_cache_read_pct", zero=True)
    listed = _lines_beside(path, "profile_export.jsonl")
    measured = _measured(listed)
    asked = at(settings, "datasets", 0, "prompts", "osl", "mean") or at(settings, "input", "output_tokens", "mean")
    yield Result(
        tool="AIPerf" if "aiperf_version" in content or "schema_version" in content else "GenAI-Perf",
        file=str(path),
        version=text_of(content.get("aiperf_version")) or None,
        model=text_of(at(settings, "models", "items", 0, "name") or at(settings, "model_names", 0)),
        engine="",
        system=_gpu(content.get("telemetry_data")),
        date=day_of(content.get("start_time")),
        says=named(
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
        rate=number(
            at(phase, "request_rate")
            or at(phase, "rate")
            or at(settings, "loadgen", "request_rate")
            or at(settings, "perf_analyzer", "stimulus", "request_rate")
        ),
        in_flight=value("effective_concurrency"),
        completed=count_of(completed),
        failed=count_of(value("error_request_count", zero=True)),
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
        texts=_aiperf_prompts(json_beside(path, "inputs.json")),
        speculation=accepted(value("spec_decode_acceptance_length")),
    )


def _gpu(telemetry: Any) -> str:
    names = re.findall(r'"(?:gpu_model_name|gpu_name)": "([^"]+)"', json.dumps(telemetry)[:2_000_000])
    return text_of(names[0]) if names else ""


def _aiperf_prompts(inputs: Any) -> tuple[str, ...]:
    sessions = at(inputs, "data")
    if not isinstance(sessions, list):
        return ()
    return texts_of([at(session, "payloads", 0, "messages", 0, "content") for session in sessions])


def _lines_beside(path: Path, name: str) -> list[dict]:
    """The requests that a tool lists in a file of its own beside its result (AIPerf: those of its warm-up too)."""
    try:
        lines = (path.parent / name).read_text(encoding="utf-8").splitlines()
        return [record for line in lines if line.strip() and isinstance(record := json.loads(line), dict)]
    except (OSError, ValueError, RecursionError):
        return []


def _measured(records: list[dict]) -> list[dict]:
    return [record for record in records if at(record, "metadata", "benchmark_phase") != "warmup"]


def _sessions(records: Iterable[dict]) -> set[str]:
    """Conversations by which AIPerf tells prompts apart."""
    return {name for record in records if (name := text_of(at(record, "metadata", "conversation_id")))}


def _aiperf_request(record: dict) -> Request:
    def value(name: str) -> float | None:
        found = number(at(record, "metrics", name, "value"))
        unit = UNITS.get(str(at(record, "metrics", name, "unit")))
        return found if unit is None or found is None else unit * found

    tokens = value("usage_completion_tokens") or value("output_sequence_length")
    prompt = value("usage_prompt_tokens") or value("input_sequence_length")
    return Request(prompt, tokens, value("time_to_first_token"), value("request_latency"))


def aiperf_lines(records: list[dict], path: Path) -> list[Result]:
    """AIPerf's list of requests by itself: the load is not in it, but what was in flight is."""
    listed, records = records, _measured(records)
    good = [record for record in records if not at(record, "error")]
    starts = [n for r in records if (n := number(at(r, "metadata", "request_start_ns")))]
    ends = [n for r in records if (n := number(at(r, "metadata", "request_end_ns")))]
    if not starts or not ends:
        raise NoResultError(f"{path}: no result of a tool that is known ({KNOWN})")

    def mean(name: str) -> float | None:
        return mean_of([at(record, "metrics", name, "value") for record in good])

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


def aiperf_table(text: str, path: Path) -> Iterator[Result]:
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
    if "acceptance_length" in content:
        content["spec_decode_acceptance_length"] = content["acceptance_length"]
    if "active_decode_throughput" in content or "effective_latency_co_aware" in content:
        content["schema_version"] = ""
    yield from aiperf(content, path)


def guidellm(content: dict, path: Path) -> Iterator[Result]:
    """GuideLLM: benchmarks in a list; statistics for successful, errored and incomplete requests apart."""
    version = text_of(at(content, "metadata", "guidellm_version")) or None
    many = len(content["benchmarks"]) > 1
    for n, benchmark in enumerate(content["benchmarks"], start=1):
        if isinstance(benchmark, dict):
            yield _guidellm_one(content, benchmark, path, version, f"benchmark {n}" if many else "")


def _guidellm_one(content: dict, benchmark: dict, path: Path, version: str | None, part: str) -> Result:
    metrics = benchmark.get("metrics")

    def statistics(name: str, unit: float, meaning: str) -> Figure | None:
        found = at(metrics, name, "successful")
        where = f"{name}.successful.mean"
        return figure_of(found, unit, meaning, where, ("mean", "median", "percentiles.p99"))

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
            scaled(r.get("time_to_first_token_ms"), 1e-3),
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
        model=text_of(at(backend, "model") if isinstance(backend, dict) else backend),
        date=day_of_seconds(benchmark.get("start_time")),
        says=named(
            ttft=statistics("time_to_first_token_ms", 1e-3, FIRST),
            tpot=statistics("time_per_output_token_ms", 1e-3, "first token in, per token"),
            itl=statistics("inter_token_latency_ms", 1e-3, "per token"),
            e2e=statistics("request_latency", 1.0, END),
        ),
        concurrency=number(at(strategy, "streams")) or (1.0 if kind == "synchronous" else None),
        rate=number(at(strategy, "rate")),
        in_flight=mean("request_concurrency"),
        completed=count_of(at(counts, "successful")),
        failed=(count_of(at(counts, "errored")) or 0) + (count_of(at(counts, "incomplete")) or 0),
        input_tokens=prompts,
        output_tokens=mean("output_token_count"),
        asked_output=number(at(data, "output_tokens")) if not at(data, "output_tokens_stdev") else None,
        duration_s=number(benchmark.get("duration")),
        output_per_s=mean("output_tokens_per_second"),
        total_per_s=mean("tokens_per_second"),
        requests=requests,
        cached_share=fmean(known) / prompts if known and prompts else None,
        texts=texts_of([prompt_of(r.get("request_args")) for r in listed or () if isinstance(r, dict)])
        if isinstance(listed, list)
        else (),
    )


def _token_end(request: dict) -> float | None:
    """Seconds to the last token, not to what comes after it."""
    timings = at(request, "info", "timings")
    start, last = number(at(timings, "request_start")), number(at(timings, "last_token_iteration"))
    return last - start if start and last and last > start else number(request.get("request_latency"))


def inference_perf(content: dict, path: Path) -> Iterator[Result]:
    """inference-perf: seconds; ``output_len`` as the tool counted, ``output_tokens`` as the server did."""
    good = content["successes"]

    def statistics(name: str, meaning: str) -> Figure | None:
        return figure_of(at(good, "latency", name), 1.0, meaning, f"latency.{name}.mean")

    stage = content.get("load_summary")
    if number(at(stage, "concurrency")) is None and path.name.startswith("summary_"):
        other = json_beside(path, path.name.replace("summary_", "stage_0_"))
        if count_of(at(other, "load_summary", "count")) == count_of(at(stage, "count")):
            stage = at(other, "load_summary")
    total, own = number(at(good, "output_tokens", "mean")), number(at(good, "output_len", "mean"))
    prompt, cached = number(at(good, "prompt_tokens", "total")), number(at(good, "prompt_tokens", "cached"), zero=True)
    completed, throughput = count_of(good.get("count")), good.get("throughput")
    output_per_s = number(at(throughput, "output_tokens_per_sec"))
    used = per(output_per_s, number(at(throughput, "requests_per_sec")))
    by_server = bool(used and own and total) and abs(used - total) < abs(used - own)
    tpot = statistics("time_per_output_token", "per request")
    mean_e2e = statistics("normalized_time_per_output_token", "first token in, per request")
    listed = json_beside(path, "per_request_lifecycle_metrics.json")
    listed = listed if isinstance(listed, list) else []
    yield Result(
        tool="inference-perf",
        file=str(path),
        says=named(
            ttft=statistics("time_to_first_token", FIRST),
            tpot=tpot or mean_e2e,
            ntpot=mean_e2e,
            itl=statistics("inter_token_latency", "between tokens"),
            e2e=statistics("request_latency", END),
        ),
        concurrency=number(at(stage, "concurrency")),
        rate=None if number(at(stage, "concurrency")) else number(at(stage, "requested_rate")),
        completed=completed,
        failed=count_of(at(content, "failures", "count")),
        input_tokens=number(at(good, "prompt_tokens", "mean")) or number(at(good, "prompt_len", "mean")),
        output_tokens=total if by_server else own or total,
        server_output=total,
        retokenised_output=own,
        duration_s=number(content.get("benchmark_time_seconds")),
        output_per_s=output_per_s,
        total_per_s=number(at(throughput, "total_tokens_per_sec")),
        requests=tuple(_inference_perf_request(r) for r in listed if not at(r, "error")),
        cached_share=cached / prompt if prompt and cached is not None else None,
        texts=texts_of([prompt_of(at(r, "request")) for r in listed]),
        model=_model_of(listed),
    )


def _model_of(listed: list) -> str:
    match = re.search(r'"model": ?"([^"]+)"', str(at(listed, 0, "request") or ""))
    return text_of(match[1]) if match else ""


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


def llmd(content: dict, path: Path) -> Iterator[Result]:
    """The benchmark report of llm-d, versions 0.1 and 0.2: every statistic with its units."""
    metrics = at(content, "results", "request_performance", "aggregate") or content.get("metrics")

    def statistics(name: str, meaning: str) -> Figure | None:
        found = at(metrics, "latency", name)
        unit = UNITS.get(str(at(found, "units")).lower(), 1.0)
        return figure_of(found, unit, meaning, f"latency.{name}.mean", ("mean", "p50", "p99"))

    requests, throughput = at(metrics, "requests"), at(metrics, "throughput")
    total, failed = count_of(at(requests, "total")), count_of(at(requests, "failures"))
    accelerator = at(content, "scenario", "host", "accelerator", 0)
    rate = at(throughput, "output_token_rate", "mean") or at(throughput, "output_tokens_per_sec")
    stack = at(content, "scenario", "stack", 0)
    yield Result(
        tool="llm-d benchmark report",
        file=str(path),
        version=text_of(content.get("version")) or None,
        model=text_of(at(content, "scenario", "model", "name") or at(stack, "standardized", "model", "name")),
        engine=text_of(at(content, "scenario", "platform", "engine", 0, "name") or at(stack, "standardized", "tool")),
        system=text_of(at(accelerator, "model") or at(stack, "standardized", "accelerator", "model")),
        says=named(
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
        duration_s=number(at(metrics, "time", "duration")) or iso_seconds(at(content, "run", "time", "duration")),
        output_per_s=number(rate),
    )


def genai_bench(content: dict, path: Path) -> Iterator[Result]:
    """genai-bench: one file a load; what it was told of server and accelerators stands in the file beside it."""
    found = content["aggregated_metrics"]
    unit = UNITS.get(str(content.get("_time_unit") or "s"), 1.0)
    listed = content.get("individual_request_metrics")
    listed = [r for r in listed if isinstance(r, dict)] if isinstance(listed, list) else []

    def statistics(name: str, meaning: str) -> Figure | None:
        where = f"stats.{name}.mean"
        return figure_of(at(found, "stats", name), unit, meaning, where, ("mean", ("p50", "median"), "p99"))

    settings = json_beside(path, "experiment_metadata.json")
    asked = re.fullmatch(r"D\((\d+),\s*(\d+)\)", str(found.get("scenario") or ""))
    rate = number(found.get("request_rate"))
    yield Result(
        tool="genai-bench",
        file=str(path),
        version=text_of(at(settings, "benchmark_version")) or None,
        model=text_of(at(settings, "api_model_name") or at(settings, "model")),
        engine=" ".join(filter(None, (text_of(at(settings, name)) for name in ("server_engine", "server_version")))),
        system=text_of(at(settings, "server_gpu_type")),
        accelerators=count_of(at(settings, "server_gpu_count")),
        says=named(
            ttft=statistics("ttft", FIRST),
            tpot=statistics("tpot", "per request"),
            e2e=statistics("e2e_latency", END),
        ),
        concurrency=None if rate else number(found.get("num_concurrency")),
        rate=rate,
        completed=count_of(found.get("num_completed_requests")),
        failed=count_of(found.get("num_error_requests")),
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
                scaled(r.get("ttft"), unit),
                scaled(r.get("e2e_latency"), unit),
            )
            for r in listed
            if r.get("error_code") in (None, 200)
        ),
    )


EVALSCOPE = {
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


def evalscope(content: dict, path: Path) -> Iterator[Result]:
    """evalscope perf: its summary, with the settings and percentiles that stand beside it; older names of keys too."""

    def value(name: str, zero: bool = False) -> float | None:
        return next((n for key in EVALSCOPE[name] if (n := number(content.get(key), zero=zero)) is not None), None)

    percentiles = json_beside(path, "benchmark_percentile.json")
    percentiles = percentiles if isinstance(percentiles, list) else []
    settings = json_beside(path, "benchmark_args.json")

    def statistics(short: str, long: str, unit: float, meaning: str) -> Figure | None:
        mean = number(content.get(f"Avg {short}"))
        if mean is None and (seconds := number(content.get(f"Average {long} (s)"))) is not None:
            mean = seconds / unit
        middle, last = (
            next((number(p.get(short)) for p in percentiles if at(p, "Percentiles") == share), None)
            for share in ("50%", "99%")
        )
        return figure_of({"mean": mean, "median": middle, "p99": last}, unit, meaning, f"Avg {short}")

    fixed = at(settings, "max_tokens") if at(settings, "max_tokens") == at(settings, "min_tokens") else None
    pieces = number(at(content, "Avg Decoded Tokens per Iter"))
    hit = number(content.get("KV Cache Hit Rate (%)"), zero=True)
    output = value("output")
    yield Result(
        tool="evalscope perf",
        file=str(path),
        late_end=True,
        model=text_of(at(settings, "model")),
        says=named(
            ttft=statistics("TTFT (ms)", "time to first token", 1e-3, FIRST),
            tpot=statistics("TPOT (ms)", "time per output token", 1e-3, "per request"),
            itl=statistics("ITL (ms)", "inter-token latency", 1e-3, CHUNKS),
            e2e=statistics("Latency (s)", "latency", 1.0, END),
        ),
        concurrency=value("concurrency"),
        rate=value("rate"),
        completed=count_of(value("completed", zero=True)),
        failed=count_of(value("failed", zero=True)),
        input_tokens=value("input"),
        output_tokens=output,
        asked_output=number(fixed),
        duration_s=value("duration"),
        output_per_s=value("throughput"),
        total_per_s=value("total"),
        cached_share=None if hit is None else hit / 100,
        chunks=output / pieces if output and pieces else None,
    )


def tokenomics(content: dict, path: Path) -> Iterator[Result]:
    """tokenomics completion: one file a load, rounded to four digits; TPOT and TTFT only where it streamed."""
    found, settings = content["result"], content.get("metadata")
    asked = re.fullmatch(r"D\((\d+),\s*(\d+)\)", str(at(settings, "scenario") or ""))
    tokens, wall = (
        number(at(found, "tokens", "output_per_request", "mean")),
        number(at(found, "batch_metrics", "wall_time", "mean")),
    )
    total = at(found, "usage_extras", "cached_tokens", "cache_hit_rate")
    completed, runs = count_of(at(found, "reliability", "successful")), number(at(settings, "num_runs")) or 1
    ttft = figure_of(at(found, "prefill_metrics", "ttft"), 1.0, FIRST, "prefill_metrics.ttft.mean")
    decode = number(at(found, "decode_metrics", "decode_time", "mean"))
    end = Figure(ttft.mean + decode, meaning=END, where="ttft.mean + decode_time.mean") if ttft and decode else None
    yield Result(
        tool="tokenomics",
        file=str(path),
        model=text_of(at(settings, "model")),
        date=day_of(at(settings, "timestamp")),
        says=named(
            ttft=ttft,
            tpot=figure_of(at(found, "decode_metrics", "tpot"), 1.0, "per request", "decode_metrics.tpot.mean"),
            e2e=end,
        ),
        concurrency=number(content.get("sweep_value")),
        completed=completed,
        failed=count_of(at(found, "reliability", "failed")),
        input_tokens=number(at(found, "tokens", "input_per_request", "mean")),
        output_tokens=tokens,
        asked_output=float(asked[2]) if asked else None,
        duration_s=wall * runs if wall else None,
        output_per_s=number(at(found, "batch_metrics", "e2e_tps", "mean")),
        cached_share=number(total, zero=True),
    )


def llama_benchy(content: dict, path: Path) -> Iterator[Result]:
    """llama-benchy: lengths are those asked for; its rates count decoding alone, each request's values are listed."""
    for load in content["benchmarks"]:
        if not isinstance(load, dict) or load.get("is_context_prefill_phase"):
            continue
        rates = [n for v in items(load, "tg_req_throughput", "values") if (n := number(v))]
        depth = number(load.get("context_size"), zero=True) or 0.0
        prompt, output = number(load.get("prompt_size")), number(load.get("response_size"))
        batch = number(load.get("concurrency"))
        batches = len(items(load, "tg_throughput", "values")) if batch and batch > 1 else 0
        where = "1 ÷ tg_req_throughput.values"
        first = _listed(load, "e2e_ttft", FIRST)
        yield Result(
            tool="llama-benchy",
            file=str(path),
            version=text_of(content.get("version")) or None,
            part=f"{batch:g} at once, {prompt or 0:g} in, {depth:g} before" if batch else "",
            model=text_of(content.get("model")),
            date=day_of(content.get("timestamp")),
            says=named(
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
    values = [1e-3 * n for v in items(load, name, "values") if (n := number(v))]
    return figure(values, meaning, f"{name}.values")


def llmperf(content: dict, path: Path) -> Iterator[Result]:
    """LLMPerf's summary (*by its documents*): its inter-token latency is the time of a request over its tokens."""

    def statistics(name: str, meaning: str) -> Figure | None:
        values = {
            "mean": content.get(f"results_{name}_mean"),
            "median": content.get(f"results_{name}_quantiles_p50"),
            "p99": content.get(f"results_{name}_quantiles_p99"),
        }
        nested = content.get(f"results_{name}")
        return figure_of(values, 1.0, meaning, f"results_{name}_mean") or figure_of(
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
        version=text_of(content.get("version")) or None,
        model=text_of(content.get("model")),
        date=day_of_seconds(content.get("timestamp")),
        says=named(
            ttft=statistics("ttft_s", FIRST),
            tpot=statistics("inter_token_latency_s", "first token in, per request"),
            e2e=statistics("end_to_end_latency_s", END),
        ),
        concurrency=number(content.get("num_concurrent_requests")),
        completed=count_of(completed),
        failed=count_of(errors),
        input_tokens=mean("number_input_tokens"),
        output_tokens=mean("number_output_tokens"),
        asked_output=number(content.get("mean_output_tokens")),
        duration_s=60 * completed / per_minute if completed and per_minute else None,
        output_per_s=number(content.get("results_mean_output_throughput_token_per_s")),
    )


def llmeter(content: dict, path: Path) -> Iterator[Result]:
    """LLMeter's stats.json, and the requests in responses.jsonl beside it: its first token is the first of the answer.

    Where the server says how many tokens were thought, the text holds the others.
    """

    def statistics(name: str, meaning: str) -> Figure | None:
        values = {kind: content.get(f"{name}-{kind}") for kind in _LLMETER}
        return figure_of(values, 1.0, meaning, f"{name}-average", _LLMETER)

    listed = [r for r in _lines_beside(path, "responses.jsonl") if not r.get("error")]
    total, failed = count_of(content.get("total_requests")), count_of(content.get("failed_requests"))
    completed = None if total is None else total - (failed or 0)
    output, duration = number(content.get("total_output_tokens")), number(content.get("total_test_time"))
    prompts = number(content.get("total_input_tokens"))
    cached = number(content.get("total_cached_input_tokens"), zero=True)
    thought = mean_of([number(r.get("num_tokens_output_reasoning"), zero=True) for r in listed])
    tokens = number(content.get("num_tokens_output-average")) or per(output, completed)
    yield Result(
        tool="LLMeter",
        file=str(path),
        model=text_of(content.get("model_id")),
        date=day_of(content.get("start_time")),
        says=named(
            ttft=statistics("time_to_first_token", FIRST),
            tpot=statistics("time_per_output_token", "per request"),
            e2e=statistics("time_to_last_token", END),
        ),
        concurrency=number(content.get("clients")),
        completed=completed,
        failed=failed,
        input_tokens=number(content.get("num_tokens_input-average")) or per(prompts, completed),
        output_tokens=tokens,
        retokenised_output=tokens - thought if tokens and thought else None,
        server_output=tokens if thought else None,
        duration_s=duration,
        output_per_s=per(output, duration),
        cached_share=cached / prompts if prompts and cached is not None else None,
        requests=tuple(
            Request(
                number(r.get("num_tokens_input")),
                number(r.get("num_tokens_output")),
                number(r.get("time_to_first_token")),
                number(r.get("time_to_last_token")),
            )
            for r in listed
        ),
        texts=texts_of([r.get("input_prompt") for r in listed]),
    )


_LLMETER = ("average", "p50", "p99")


def hugging_face(content: dict, path: Path) -> Iterator[Result]:
    """Hugging Face's inference-benchmarker (*by its documents*): times in ms."""
    for run in content["results"]:
        if not isinstance(run, dict) or run.get("id") == "warmup":
            continue

        def statistics(name: str, meaning: str, run: dict = run) -> Figure | None:
            return figure_of(run.get(name), 1e-3, meaning, f"{name}.avg", ("avg", "p50", "p99"))

        completed, total = (
            count_of(run.get("successful_requests") or run.get("total_requests")),
            number(run.get("total_tokens")),
        )
        yield Result(
            tool="inference-benchmarker",
            file=str(path),
            part=text_of(run.get("id")),
            model=text_of(at(content, "config", "model_name") or at(content, "config", "tokenizer")),
            says=named(
                ttft=statistics("time_to_first_token_ms", FIRST),
                itl=statistics("inter_token_latency_ms", CHUNKS),
                e2e=statistics("e2e_latency_ms", END),
            ),
            concurrency=number(at(run, "config", "max_vus"))
            if "Arrival" not in str(run.get("executor_type"))
            else None,
            rate=number(at(run, "config", "rate")),
            completed=completed,
            failed=count_of(run.get("failed_requests")),
            input_tokens=per(number(run.get("total_prompt_tokens")), completed)
            or number(at(content, "config", "prompt_options", "num_tokens")),
            output_tokens=per(total, completed),
            asked_output=number(at(content, "config", "decode_options", "num_tokens")),
            output_per_s=number(run.get("token_throughput_secs")),
            duration_s=scaled(run.get("duration_ms"), 1e-3),
        )


def llm_load_test(content: dict, path: Path) -> Iterator[Result]:
    """llm-load-test (*by its documents*): a summary in ms, and each request in ``results``."""
    summary = content["summary"]

    def statistics(name: str, meaning: str) -> Figure | None:
        return figure_of(summary.get(name), 1e-3, meaning, f"summary.{name}.mean", ("mean", "median", "percentile_99"))

    completed = count_of(summary.get("total_requests"))
    failed = count_of(summary.get("total_failures"))
    yield Result(
        tool="llm-load-test",
        file=str(path),
        model=text_of(at(content, "config", "plugin_options", "model_name")),
        says=named(
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
    "accept_length": "(?:Accept|Acceptance) length",
}


def printed(text: str, path: Path) -> Iterator[Result]:
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
        if is_flat(content):
            yield from (in_part(r, f"run {n}" if len(parts) > 1 else "") for r in flat(content, path))
