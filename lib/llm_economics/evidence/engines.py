"""Files of timings inside an engine, without a server's queue: one short function a tool, as in ``clients``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from llm_economics.evidence.fields import (
    END,
    FIRST,
    accepted,
    at,
    count_of,
    day_of,
    figure_of,
    named,
    per,
    scaled,
    text_of,
)
from llm_economics.evidence.results import Doubt, Figure, Result, figure, number
from llm_economics.formulas.elementwise import cleaned


def vllm_throughput(content: dict, path: Path) -> Iterator[Result]:
    """``vllm bench throughput``: its rate counts prompts too, and the file does not say how long they were."""
    yield Result(
        tool="vLLM bench throughput",
        file=str(path),
        model=text_of(content.get("model_id")),
        completed=count_of(content.get("num_requests")),
        duration_s=number(content.get("elapsed_time")),
        total_per_s=number(content.get("tokens_per_second")),
    )


def vllm_latency(content: dict, path: Path) -> Iterator[Result]:
    """``vllm bench latency``: seconds of a whole batch, whose size and lengths the file does not say."""
    values = content.get("percentiles")
    whole = figure_of(
        {"mean": content.get("avg_latency"), "median": at(values, "50"), "p99": at(values, "99")},
        1.0,
        "of a request",
        "avg_latency",
    )
    yield Result(
        tool="vLLM bench latency", file=str(path), model=text_of(content.get("model_id")), says=named(batch=whole)
    )


def one_batch(content: dict, path: Path) -> Iterator[Result]:
    """``sglang.benchmark.one_batch``: one static batch in the engine itself, prefill and decode steps timed apart."""
    step, prefill = number(content.get("median_decode_latency")), number(content.get("prefill_latency"))
    yield Result(
        tool="SGLang one_batch",
        file=str(path),
        part=text_of(content.get("run_name")),
        engine="SGLang",
        says=named(
            ttft=Figure(prefill, meaning=FIRST, where="prefill_latency") if prefill else None,
            tpot=Figure(step, step, meaning="one batch", where="median_decode_latency") if step else None,
        ),
        concurrency=number(content.get("batch_size")),
        input_tokens=number(content.get("input_len")),
        output_tokens=number(content.get("output_len")),
        decode_only=True,
    )


def one_batch_server(content: dict, path: Path) -> Iterator[Result]:
    """``sglang.benchmark.one_batch_server``: one batch sent to a server (*by its source*)."""
    batch, output = number(content.get("batch_size")), number(content.get("output_len"))
    first, whole = number(content.get("last_ttft")), number(content.get("latency"))
    step = (whole - first) / (output - 1) if first and whole and output and output > 1 and whole > first else None
    short = count_of(content.get("num_early_stopped"))
    total = number(content.get("total_output_tokens"))
    yield Result(
        tool="SGLang one_batch_server",
        file=str(path),
        part=text_of(content.get("run_name")),
        engine="SGLang",
        says=named(
            ttft=Figure(first, meaning=FIRST, where="last_ttft") if first else None,
            tpot=Figure(step, meaning="one batch", where="(latency − last_ttft) ÷ (output_len − 1)") if step else None,
            e2e=Figure(whole, meaning=END, where="latency") if whole else None,
        ),
        concurrency=batch,
        input_tokens=number(content.get("input_len")),
        output_tokens=per(total, batch) if short else output,
        asked_output=output,
        cached_share=number(content.get("cache_hit_rate"), zero=True),
        speculation=accepted(content.get("acc_length")),
    )


def offline_throughput(content: dict, path: Path) -> Iterator[Result]:
    """``sglang.benchmark.offline_throughput`` (*by its source*)."""
    completed = count_of(content.get("successful_requests"))
    yield Result(
        tool="SGLang offline_throughput",
        file=str(path),
        engine="SGLang",
        completed=completed,
        input_tokens=per(number(content.get("total_input_tokens")), completed),
        output_tokens=per(number(content.get("total_output_tokens")), completed),
        duration_s=number(content.get("total_latency")),
        output_per_s=number(content.get("output_throughput")),
        total_per_s=number(content.get("total_throughput")),
    )


def trtllm(content: dict, path: Path) -> Iterator[Result]:
    """The report of ``trtllm-bench`` (*by its documents*): times in ms."""
    performance, load = content["performance"], content.get("request_info") or content.get("dataset") or {}
    stream = content.get("streaming_metrics") or {}

    def statistics(name: str, meaning: str) -> Figure | None:
        mean = performance.get(f"avg_{name}_ms") or stream.get(f"avg_{name}_ms")
        spread = stream.get(f"{name}_percentiles") or performance.get(f"{name}_percentiles") or {}
        values = {"mean": mean or at(spread, "average"), "median": at(spread, "p50"), "p99": at(spread, "p99")}
        return figure_of(values, 1e-3, meaning, f"avg_{name}_ms")

    machine, world = content.get("machine"), content.get("world_info") or {}
    drafts = content.get("decoding_stats")
    yield Result(
        tool="trtllm-bench",
        file=str(path),
        version=text_of(at(content, "engine", "version")) or None,
        model=text_of(at(content, "engine", "model") or at(content, "engine", "model_path")),
        engine="TensorRT-LLM",
        system=text_of(at(machine, "name")),
        accelerators=count_of(world.get("world_size")),
        tensor=count_of(world.get("tp_size")),
        expert=count_of(world.get("ep_size")),
        says=named(
            ttft=statistics("ttft", FIRST),
            tpot=statistics("tpot", "per request"),
            e2e=figure_of({"mean": performance.get("avg_request_latency_ms")}, 1e-3, END, "avg_request_latency_ms"),
        ),
        concurrency=number(
            load.get("avg_num_concurrent_requests")
            or performance.get("avg_concurrent_requests")
            or world.get("max_concurrency")
        ),
        completed=count_of(at(load, "num_requests")),
        input_tokens=number(at(load, "avg_input_length") or at(load, "avg_num_input_tokens_per_request")),
        output_tokens=number(at(load, "avg_output_length") or at(load, "avg_num_output_tokens_per_request")),
        duration_s=scaled(performance.get("total_latency_ms"), 1e-3),
        output_per_s=number(performance.get("system_output_throughput_tok_s")),
        speculation=accepted(at(drafts, "acceptance_length_percentiles", "average")) or text_of(at(drafts, "mode")),
    )


def llama_bench(content: Mapping, path: Path) -> Iterator[Result]:
    """``llama-bench``: one sequence in the engine; a test reads a prompt, generates, or does both in one time."""
    prompt, generated = (number(content.get(name), zero=True) or 0.0 for name in ("n_prompt", "n_gen"))
    depth = number(content.get("n_depth"), zero=True) or 0.0
    mean = scaled(content.get("avg_ns"), 1e-9)
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
    build = text_of(content.get("build_commit"))
    yield Result(
        tool="llama-bench",
        file=str(path),
        version=None if build in ("", "unknown") else f"{cleaned(content.get('build_number'))} ({build})",
        part=test + (f" after {depth:g}" if depth else ""),
        model=text_of(content.get("model_type")),
        engine="llama.cpp",
        system=text_of(content.get("gpu_info")),
        date=day_of(content.get("test_time")),
        says=says,
        concurrency=1.0,
        input_tokens=depth + prompt,
        output_tokens=generated or None,
        decode_only=True,
        parameters=number(content.get("model_n_params")),
        weight_bytes=number(content.get("model_size")),
        why_not=why,
    )


def batched_bench(content: dict, path: Path) -> Iterator[Result]:
    """``llama-batched-bench``: ``pl`` sequences, prompts and generation timed apart (*by its documents*)."""
    batch, tokens, decode = (number(content.get(name)) for name in ("pl", "tg", "t_tg"))
    prefill = number(content.get("t_pp"))
    yield Result(
        tool="llama-batched-bench",
        file=str(path),
        part=f"{batch or 0:g} sequences",
        engine="llama.cpp",
        says=named(
            ttft=Figure(prefill, meaning=FIRST, where="t_pp") if prefill else None,
            tpot=Figure(decode / tokens, meaning="one batch", where="t_tg ÷ tg") if decode and tokens else None,
        ),
        concurrency=batch,
        input_tokens=number(content.get("pp")),
        output_tokens=tokens,
        decode_only=True,
    )


def llama_table(text: str, path: Path) -> Iterator[Result]:
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
        yield from llama_bench(record, path)


def _binary(text: str | None) -> float | None:
    match = re.match(r"([\d.]+) (KiB|MiB|GiB|TiB|K|M|B|T)\b", text or "")
    scale = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
    return float(match[1]) * scale[match[2]] if match else None


def mlperf(text: str, path: Path) -> Iterator[Result]:
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
        return figure_of(found, 1e-9, meaning, mean)

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
        says=named(
            ttft=nanoseconds("ttft", FIRST, "Mean First Token latency (ns)", "first token latency"),
            tpot=nanoseconds("tpot", "per request", "Mean Time per Output Token (ns)", "time to output token"),
            e2e=nanoseconds("e2e", END, "Mean latency (ns)", "latency") if scenario != "Offline" else None,
        ),
        concurrency=1.0 if scenario == "SingleStream" else None,
        rate=samples if scenario in ("Server", "Interactive") else None,
        output_tokens=per(tokens, samples),
        output_per_s=tokens,
        doubts=(Doubt("invalid", "LoadGen itself calls the run INVALID: too short, or over a limit"),)
        if invalid
        else (),
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
