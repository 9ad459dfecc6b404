"""Files of benchmark tools, as the tools wrote them, against the known times of the server that they measured."""

import json
import random
from copy import deepcopy
from pathlib import Path

import pytest

from llm_economics import facts
from llm_economics.evidence import readers, results
from llm_economics.evidence.readers import NoResultError, read

FILES = Path(__file__).parent / "results"
N, V, S, A, G = "vllm-0.33.0", "vllm-0.32.0", "sglang-0.5.23", "aiperf-0.13.0", "guidellm-0.8.1"
P, B, E, T, L = (
    "inference-perf-0.7.0",
    "genai-bench-0.0.5",
    "evalscope-1.14.1",
    "tokenomics-0.10.0",
    "llama-benchy-0.4.0",
)

TOOLS = {
    f"{V}/plain-c8.json": ("vLLM bench serve", None),
    f"{S}/plain-c8.jsonl": ("SGLang bench_serving", None),
    f"{A}/plain-c8/profile_export_aiperf.json": ("AIPerf", "0.13.0"),
    f"{A}/plain-c8/profile_export_aiperf.csv": ("AIPerf", None),
    f"{G}/plain-c8/benchmarks.json": ("GuideLLM", "0.8.1"),
    f"{P}/plain-c8/summary_lifecycle_metrics.json": ("inference-perf", None),
    f"{P}/plain-c8/stage_0_lifecycle_metrics.json": ("inference-perf", None),
    f"{P}/plain-c8/inference-perf.partial.stage_0.yaml": ("llm-d benchmark report", "0.2.1"),
    f"{B}/plain-c8/D128_33_text-to-text_num_concurrency_8_time_8s.json": ("genai-bench", "0.0.5"),
    f"{E}/plain/parallel_8_number_32/benchmark_summary.json": ("evalscope perf", None),
    f"{T}/plain/8.json": ("tokenomics", None),
    f"{L}/plain.json": ("llama-benchy", "0.4.0"),
}
SUMMED = {"inference-perf.partial.stage_0.yaml": 6.5, "profile_export_aiperf.csv": 7.9}
"""Files without the concurrency, and what Little's law gives."""


def only(path: str) -> results.Result:
    found = [result for result in read(FILES / path) if result.concurrency != 1]
    assert len(found) == 1
    return found[0]


def codes(path: str) -> list[str]:
    return sorted(doubt.code for doubt in only(path).doubts)


@pytest.mark.parametrize("path", TOOLS)
def test_each_tool_is_known_and_right_where_all_requests_are_alike(path):
    result = only(path)
    assert (result.tool, result.version) == TOOLS[path]
    assert result.why_not == ""
    assert result.tpot.mean == pytest.approx(0.05, rel=0.01)
    assert result.weighted is None or result.weighted.mean == pytest.approx(0.05, rel=0.01)
    assert 0.2 <= result.ttft.mean < 0.24
    assert result.output_tokens == 33
    assert 128 <= result.input_tokens <= 150
    assert result.concurrency == pytest.approx(SUMMED.get(Path(path).name, 8), rel=0.02)
    if result.tool != "llama-benchy":  # it has no rate of the whole run
        assert 129 < result.output_per_s <= 146.7
        assert 6.4 < result.in_flight <= 8


@pytest.mark.parametrize(
    ("path", "per_request", "meaning"),
    [
        (f"{V}/mixed-c8.json", 62.5, "per request"),
        (f"{A}/mixed-c8/profile_export_aiperf.json", 62.5, "per request"),
        (f"{P}/mixed-c8/summary_lifecycle_metrics.json", 62.5, "per request"),
        (f"{E}/mixed/parallel_8_number_16/benchmark_summary.json", 62.5, "per request"),
        (f"{T}/mixed/8.json", 62.5, "per request"),
        (f"{L}/mixed.json", 62.5, "per request"),
        (f"{G}/mixed-c8/benchmarks.json", 85, "per token"),
        (f"{S}/mixed-c8.jsonl", 85, "per token"),
    ],
)
def test_unequal_requests_are_told_with_the_definition_of_their_mean(path, per_request, meaning):
    result = only(path)
    assert result.tpot.meaning == meaning
    assert result.tpot.mean == pytest.approx(per_request / 1e3, rel=0.005)
    assert result.output_tokens == (33 if result.tool == "llama-benchy" else 21)
    if result.weighted:
        assert result.weighted.mean == pytest.approx(0.085, rel=0.005)


def test_the_tools_own_numbers_keep_their_definitions():
    says = only(f"{G}/mixed-c8/benchmarks.json").says
    assert says["tpot"].mean == pytest.approx(0.091, rel=0.001)
    assert says["tpot"].meaning == "first token in, per token"
    assert only(f"{S}/mixed-c8.jsonl").says["tpot"].mean == pytest.approx(0.0531, rel=0.001)
    assert only(f"{V}/plain-c8.json").says["itl"].mean == pytest.approx(0.0485, rel=0.001)
    assert {f.meaning for f in says.values()} <= set(results.MEANINGS)


@pytest.mark.parametrize(
    ("path", "tokens", "rate"),
    [
        (f"{A}/retok-c1/profile_export_aiperf.json", 33, 18.0),
        (f"{P}/retok-c1/summary_lifecycle_metrics.json", 33, 18.1),
        (f"{S}/retok-c1.jsonl", 33, 18.2),
        (f"{V}/retok-c1.json", 33, 18.3),
        (f"{A}/retokserver-c1/profile_export_aiperf.json", 33, 17.7),
        (f"{S}/short-c1.jsonl", 16, 16.5),
        (f"{V}/short-c1.json", 16, 16.8),
        (f"{A}/short-c1/profile_export_aiperf.json", 16, 15.7),
        (f"{G}/short-c1/benchmarks.json", 16, 16.6),
    ],
)
def test_tokens_are_those_that_the_server_sent_whoever_counted(path, tokens, rate):
    (result,) = read(FILES / path)
    assert result.output_tokens == pytest.approx(tokens)
    assert result.tpot.mean == pytest.approx(0.05, rel=0.01)
    assert result.output_per_s == pytest.approx(rate, rel=0.01)


DOUBTS = {  # code: a file that raises it, and one of the same tool that does not
    "retokenised": (f"{A}/retok-c1/profile_export_aiperf.json", f"{A}/retokserver-c1/profile_export_aiperf.json"),
    "requested-lengths": (f"{S}/short-c1.jsonl", f"{S}/plain-c8.jsonl"),
    "short-outputs": (f"{A}/short-c1/profile_export_aiperf.json", f"{A}/plain-c8/profile_export_aiperf.json"),
    "failed-requests": (f"{T}/fail/8.json", f"{T}/plain/8.json"),
    "prefix-cache": (f"{G}/plain-c8/benchmarks.json", f"{G}/fail-c8/benchmarks.json"),
    "repeated-prompts": (f"{S}/real.jsonl", f"{S}/plain-c8.jsonl"),
    "empty-chunk": (f"{L}/roletail.json", f"{L}/plain.json"),
    "littles-law": (f"{V}/fail-c8.json", f"{V}/plain-c8.json"),
    "unseen-tokens": (f"{N}/thinking-c4.json", f"{N}/speculation-c4.json"),
    "late-end": (f"{S}/roletail-c8.jsonl", f"{S}/plain-c8.jsonl"),
}


@pytest.mark.parametrize("code", DOUBTS)
def test_each_doubt_has_a_file_that_raises_it_and_one_that_does_not(code):
    raising, clean = (
        {doubt.code: doubt.text for result in read(FILES / path) for doubt in result.doubts} for path in DOUBTS[code]
    )
    assert code in raising and code not in clean
    assert "\n" not in raising[code] and len(raising[code]) < 250


def test_thinking_that_a_tool_takes_for_waiting_is_told_from_a_summary_too(tmp_path):
    content = json.loads((FILES / N / "thinking-c4.json").read_text())
    detail = ("itls", "ttfts", "latencies", "mean_e2el_ms", "median_e2el_ms", "p99_e2el_ms")  # not there by default
    (tmp_path / "a.json").write_text(json.dumps({key: v for key, v in content.items() if key not in detail}))
    for path in (FILES / N / "thinking-c4.json", tmp_path / "a.json"):
        (result,) = read(path)
        text = next(doubt.text for doubt in result.doubts if doubt.code == "unseen-tokens")
        assert "32 pieces for 128 tokens, and the other 96 fit" in text and "a token took 20.01 ms" in text
    (tmp_path / "a.json").write_text(json.dumps(content | {"mean_ttft_ms": 1900}))  # too short for 96 tokens
    assert "unseen-tokens" not in [doubt.code for doubt in read(tmp_path / "a.json")[0].doubts]


@pytest.mark.parametrize("folder", ["thinking-c4", "thinkingserver-c4"])
def test_thinking_that_a_tool_left_out_of_its_count_is_output_and_its_time_is_no_time_of_the_answer(folder):
    """inference-perf counts the answer alone; told to take the server's count, it spreads the answer's time over it."""
    result = only(f"{P}/{folder}/summary_lifecycle_metrics.json")
    assert result.says["tpot"].mean == pytest.approx(0.02 if folder == "thinking-c4" else 0.0049, rel=0.02)
    assert result.tpot.mean == pytest.approx(0.02, rel=0.02) and result.weighted.mean == pytest.approx(0.02, rel=0.02)
    assert result.output_tokens == 128
    assert result.output_per_s == pytest.approx(8 * 128 / result.duration_s, rel=0.001)
    assert "unseen-tokens" in codes(f"{P}/{folder}/summary_lifecycle_metrics.json")


def test_llmeter_is_read_with_and_without_its_list_of_requests(tmp_path):
    folder = FILES / "llmeter-0.2.0" / "plain-c4"
    (tmp_path / "stats.json").write_text((folder / "stats.json").read_text())
    for path in (folder, tmp_path / "stats.json"):
        (result,) = read(path)
        assert (result.tool, result.concurrency, result.completed, result.model) == ("LLMeter", 4, 8, "m")
        assert (result.input_tokens, result.output_tokens) == (32, 33) and not result.doubts
        assert result.tpot.mean == pytest.approx(0.05, rel=0.01) and result.ttft.mean == pytest.approx(0.2, rel=0.03)
        assert result.output_per_s == pytest.approx(8 * 33 / result.duration_s) and 3.5 < result.in_flight <= 4
    (thinking,) = read(FILES / "llmeter-0.2.0" / "thinking-c4")
    assert thinking.says["tpot"].mean == pytest.approx(0.0049, rel=0.01)
    assert thinking.tpot.mean == pytest.approx(0.02, rel=0.01) and thinking.output_tokens == 128
    assert [doubt.code for doubt in thinking.doubts] == ["unseen-tokens"]


def test_a_throughput_by_the_servers_count_is_taken_as_it_is(tmp_path):
    """The text of this answer has a sixth of its tokens, none of them thought."""
    content = json.loads((FILES / P / "retok-c1/summary_lifecycle_metrics.json").read_text())
    good = content["successes"]
    requests = good["count"] / content["benchmark_time_seconds"]
    good["throughput"] |= {"output_tokens_per_sec": 33 * requests, "requests_per_sec": requests}
    good["latency"]["time_per_output_token"] |= {"mean": 0.05, "median": 0.05, "p99": 0.05}
    (tmp_path / "summary_lifecycle_metrics.json").write_text(json.dumps(content))
    (result,) = read(tmp_path / "summary_lifecycle_metrics.json")
    assert result.output_per_s == pytest.approx(18.1, rel=0.01)
    assert result.output_tokens == 33 and result.tpot.mean == 0.05
    assert {"retokenised", "unseen-tokens"}.isdisjoint(doubt.code for doubt in result.doubts)


def test_another_tokenizer_under_a_long_queue_is_no_thinking(tmp_path):
    """Two thirds of the tokens by the tool's own count, each in a piece of its own, after a wait of seconds."""
    content = json.loads((FILES / A / "retok-c1/profile_export_aiperf.json").read_text())
    statistics = {"output_sequence_length": 22.0, "inter_token_latency": 1600 / 21, "inter_chunk_latency": 50.0}
    statistics |= {"time_to_first_token": 5000.0, "request_latency": 6600.0}
    for name, value in statistics.items():
        content[name] = content.get(name, {"unit": "ms"}) | {"avg": value}
    (tmp_path / "a.json").write_text(json.dumps(content))
    (result,) = read(tmp_path / "a.json")
    assert result.tpot.mean == pytest.approx(0.05) and result.output_tokens == 33
    assert "unseen-tokens" not in [doubt.code for doubt in result.doubts]


def test_a_sweep_counts_each_run_once_and_no_warm_up():
    sweep = FILES / N / "sweep"
    assert [Path(result.file).name for result in read(sweep)] == ["run=0.json", "run=1.json"]
    assert read(sweep / "concurrency-2" / "warmup.json")[0].completed == 2  # by its own name it is read
    rows = read(sweep / "summary.csv")
    assert [(r.part, r.concurrency, r.completed) for r in rows] == [
        ("row 2", 2, 4),
        ("row 3", 2, 4),
        ("row 4", 4, 8),
        ("row 5", 4, 8),
    ]
    for row, run in zip(rows, read(sweep), strict=False):
        assert row.tpot.mean == pytest.approx(run.tpot.mean, rel=1e-4) and row.model == run.model
        assert (row.output_tokens, row.output_per_s) == (33, pytest.approx(run.output_per_s, rel=1e-4))
        assert row.engine == run.engine and row.rate is None and row.date == run.date


def test_speculation_is_known_by_each_tools_own_name(tmp_path):
    assert only(f"{N}/speculation-c4.json").speculation == "3 tokens accepted a step"
    log = "= Serving Benchmark Result =\nSuccessful requests: 4\nMean TTFT (ms): 219\nMean TPOT (ms): 21\n"
    aiperf = json.loads((FILES / A / "plain-c8/profile_export_aiperf.json").read_text())
    table = (FILES / A / "plain-c8/profile_export_aiperf.csv").read_text().splitlines()
    columns = len(table[0].split(","))
    documents = {
        "e.csv": "\n".join([table[0], "Acceptance Length (ratio)" + ",3.00" * (columns - 1), *table[1:]]),
        "a.txt": log + "Acceptance length:                       3.00\n",
        "b.txt": log + "Accept length:                           3.00\n",
        "c.json": json.dumps(aiperf | {"spec_decode_acceptance_length": {"unit": "ratio", "avg": 3.0}}),
        "d.json": json.dumps(
            BY_DOCUMENTS["trtllm-bench"] | {"decoding_stats": {"acceptance_length_percentiles": {"average": 3.0}}}
        ),
    }
    for name, text in documents.items():
        (tmp_path / name).write_text(text)
        assert read(tmp_path / name)[0].speculation == "3 tokens accepted a step", name


@pytest.mark.parametrize(
    "path", [f"{S}/roletail-c8.jsonl", f"{E}/roletail/parallel_8_number_16/benchmark_summary.json"]
)
def test_a_pause_after_the_last_token_is_no_time_between_tokens(path):
    result = only(path)
    assert result.says["tpot"].mean == pytest.approx(0.054, rel=0.01)
    assert result.tpot.mean == result.weighted.mean == pytest.approx(0.05, rel=0.005)
    assert "late-end" in codes(path)


def test_the_empty_chunk_of_a_chat_is_seen_in_a_summary_too():
    assert "empty-chunk" in codes(f"{V}/plain-c8.json")
    assert "empty-chunk" not in codes(f"{V}/real-serve-chat.json")  # whose pieces hold several tokens


def test_more_in_flight_than_asked_for_cannot_be(tmp_path):
    content = json.loads((FILES / V / "plain-c8.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps(content | {"max_concurrency": 4}))
    (result,) = read(tmp_path / "a.json")
    text = next(doubt.text for doubt in result.doubts if doubt.code == "littles-law")
    assert text.startswith("throughput × latency gives 7.99 requests at a time, the load was 4: more than can be")


def test_all_requests_listed_are_computed_anew(tmp_path):
    content = json.loads((FILES / V / "plain-c8.json").read_text())
    lists = {"ttfts": [0.2, 0.4], "itls": [[0.05] * 32, [0.1] * 8], "output_lens": [33, 9], "input_lens": [128, 64]}
    content |= lists | {"completed": 2, "num_prompts": 2, "latencies": None, "duration": 2.0, "mean_tpot_ms": 999.0}
    (tmp_path / "a.json").write_text(json.dumps(content))
    (result,) = read(tmp_path / "a.json")
    assert result.tpot == results.Figure(
        pytest.approx(0.075), pytest.approx(0.075), pytest.approx(0.0995), "per request", "recomputed from 2 requests"
    )
    assert result.weighted.mean == pytest.approx((1.6 + 0.8) / 40)
    assert result.ttft.mean == pytest.approx(0.3)
    assert result.output_tokens == 21 and result.output_per_s == pytest.approx(21)


def test_pieces_without_a_token_are_left_out_where_requests_are_listed(tmp_path):
    content = json.loads((FILES / V / "plain-c8.json").read_text())
    gaps = [0.18, *[0.05] * 32, 0.12]  # nothing at 20 ms, the first token at 200, and a pause before the last piece
    lists = {"ttfts": [0.02], "itls": [gaps], "output_lens": [33], "input_lens": [128], "latencies": [0.02 + sum(gaps)]}
    content |= lists | {"completed": 1, "num_prompts": 1, "mean_ttft_ms": 20, "mean_tpot_ms": 59.4}
    (tmp_path / "a.json").write_text(json.dumps(content))
    (result,) = read(tmp_path / "a.json")
    assert result.ttft.mean == pytest.approx(0.2) and result.tpot.mean == pytest.approx(0.05)


def test_pieces_count_tokens_where_the_tool_took_the_requested_number(tmp_path):
    content = json.loads((FILES / S / "mixed-c8.jsonl").read_text())
    lists = {"ttfts": [0.2, 0.2], "itls": [[0.025] * 8, [0.1] * 32], "output_lens": [33, 33], "input_lens": [128, 128]}
    content |= lists | {"completed": 2, "total_output_tokens": 66, "total_output_tokens_retokenized": 42}
    (tmp_path / "a.json").write_text(json.dumps(content))
    (result,) = read(tmp_path / "a.json")
    assert result.tpot.mean == pytest.approx(0.0625) and result.weighted.mean == pytest.approx(0.085)
    assert result.output_tokens == 21 and "requested-lengths" in [doubt.code for doubt in result.doubts]


def test_requests_that_stand_beside_a_result_are_used_where_they_are_all_of_them(tmp_path):
    folder = FILES / A / "plain-c8"
    content = json.loads((folder / "profile_export_aiperf.json").read_text())
    (tmp_path / "profile_export.jsonl").write_text((folder / "profile_export.jsonl").read_text())
    (tmp_path / "profile_export_aiperf.json").write_text(json.dumps(content | {"request_count": {"avg": 3.0}}))
    (result,) = read(tmp_path / "profile_export_aiperf.json")
    assert result.tpot.where == "recomputed from 3 requests"
    assert result.tpot.mean == pytest.approx(0.05, rel=0.01)
    (result,) = read(folder / "profile_export_aiperf.json")
    assert result.tpot.where == "inter_token_latency.avg"  # three of 32 are no reason to leave the mean of all


def test_a_warm_up_is_no_measurement_but_may_have_sent_its_prompts(tmp_path):
    lines = (FILES / A / "plain-c8" / "profile_export.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    for n, record in enumerate(records):
        record["metadata"] |= {"benchmark_phase": "profiling", "conversation_id": f"session_{n}"}
    warm = json.loads(json.dumps(records[0]))
    warm["metadata"] |= {"benchmark_phase": "warmup"}
    warm["metrics"]["request_latency"]["value"] *= 10
    (tmp_path / "phases" / "warmup").mkdir(parents=True)
    content = json.loads((FILES / A / "plain-c8" / "profile_export_aiperf.json").read_text())
    content["request_count"]["avg"] = 3.0
    for name in ("profile_export_aiperf.json", "phases/warmup/profile_export_aiperf.json"):
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "profile_export.jsonl").write_text("\n".join(json.dumps(record) for record in [warm, *records]))
    (result,) = read(tmp_path)
    assert result.tpot.where == "recomputed from 3 requests" and result.tpot.mean == pytest.approx(0.05, rel=0.01)
    text = next(doubt.text for doubt in result.doubts if doubt.code == "repeated-prompts")
    assert text.startswith("1 of the measured prompts had been sent in the warm-up")
    (alone,) = read(tmp_path / "profile_export.jsonl")
    assert alone.completed == 3 and [doubt.code for doubt in alone.doubts] == ["repeated-prompts"]


def test_llama_bench_times_one_sequence_and_says_what_it_timed():
    prompt, generation = read(FILES / "llama-bench-b11434" / "pp128-tg32.json")
    assert "only the reading of a prompt was timed" in prompt.why_not
    assert generation.tpot.mean == pytest.approx(0.019330208 / 32)
    assert (generation.concurrency, generation.input_tokens, generation.output_tokens) == (1, 0, 32)
    assert (generation.parameters, generation.weight_bytes) == (6424832, 12854272)
    (both,) = read(FILES / "llama-bench-b11434" / "pg-d64.jsonl")
    assert "timed together" in both.why_not


def test_llama_bench_as_csv_and_as_the_table_that_it_prints(tmp_path):
    (tmp_path / "a.csv").write_text(
        "build_commit,build_number,model_type,model_size,model_n_params,n_prompt,n_gen,n_depth,avg_ns\n"
        "abc123,5000,llama 8B Q4_K - Medium,4912898304,8030261248,0,128,512,1280000000\n"
    )
    (tmp_path / "a.md").write_text(
        "| model | size | params | backend | ngl | test | t/s |\n| --- | ---: | ---: | --- | ---: | ---: | ---: |\n"
        "| llama 8B Q4_K - Medium | 4.58 GiB | 8.03 B | CUDA | 99 | tg128 @ d512 | 100.00 ± 0.51 |\n"
    )
    for name, version in (("a.csv", "5000 (abc123)"), ("a.md", None)):
        (result,) = read(tmp_path / name)
        assert (result.tool, result.version) == ("llama-bench", version)
        assert result.tpot.mean == pytest.approx(0.01)
        assert (result.input_tokens, result.output_tokens) == (512, 128)
        assert result.weight_bytes == pytest.approx(4.913e9, rel=0.002)


def test_mlperf_has_its_lengths_and_load_from_its_rates():
    (server,) = read(FILES / "loadgen-6.0.17" / "Server" / "mlperf_log_summary.txt")
    assert (server.tool, server.version, server.part) == ("MLPerf LoadGen", "6.0.17", "Server, INVALID")
    assert server.tpot.mean == pytest.approx(0.012624506)
    assert server.concurrency == pytest.approx(7.97 * 0.526319289)
    assert server.output_tokens == pytest.approx(268.97 / 7.97)
    assert [doubt.code for doubt in server.doubts] == ["invalid"]
    (offline,) = read(FILES / "loadgen-6.0.17" / "Offline" / "mlperf_log_summary.txt")
    assert (
        not offline.doubts and offline.output_per_s == 1940.74 and offline.tpot is None and offline.concurrency is None
    )


def test_what_a_script_printed_is_read_like_its_file(tmp_path):
    text = """Starting
============ Serving Benchmark Result ============
Successful requests:                     32
Failed requests:                         0
Maximum request concurrency:             8
Benchmark duration (s):                  7.25
Total input tokens:                      4,193
Total generated tokens:                  1056
Request throughput (req/s):              4.41
Output token throughput (tok/s):         145.62
Total Token throughput (tok/s):          723.83
---------------Time to First Token----------------
Mean TTFT (ms):                          210.73
Median TTFT (ms):                        211.96
P99 TTFT (ms):                           216.20
-----Time per Output Token (excl. 1st token)------
Mean TPOT (ms):                          50.00
Median TPOT (ms):                        50.01
P99 TPOT (ms):                           50.11
---------------Inter-token Latency----------------
Mean ITL (ms):                           48.49
==================================================
"""
    (tmp_path / "log.txt").write_text(text)
    (result,) = read(tmp_path / "log.txt")
    assert (result.tool, result.concurrency, result.completed) == ("vLLM bench serve", 8, 32)
    assert result.tpot.mean == pytest.approx(0.05) and result.tpot.p99 == pytest.approx(0.05011)
    assert result.output_tokens == 33


BY_DOCUMENTS = {
    "LLMPerf": {
        "version": "2023-08-31",
        "model": "m",
        "num_concurrent_requests": 8,
        "mean_output_tokens": 33,
        "results_ttft_s_mean": 0.2,
        "results_inter_token_latency_s_mean": 1.8 / 33,
        "results_end_to_end_latency_s_mean": 1.8,
        "results_number_input_tokens_mean": "128",
        "results_number_output_tokens_mean": "33",
        "results_num_completed_requests": 32,
        "results_num_completed_requests_per_min": 266.7,
        "results_number_errors": 0,
        "results_mean_output_throughput_token_per_s": 146.7,
    },
    "GenAI-Perf": {
        "request_throughput": {"unit": "requests/sec", "avg": 4.44},
        "request_latency": {"unit": "ms", "avg": 1800.0},
        "time_to_first_token": {"unit": "ms", "avg": 200.0},
        "inter_token_latency": {"unit": "ms", "avg": 50.0},
        "output_token_throughput": {"unit": "tokens/sec", "avg": 146.7},
        "output_sequence_length": {"unit": "tokens", "avg": 33.0},
        "input_sequence_length": {"unit": "tokens", "avg": 128.0},
        "request_count": {"unit": "count", "avg": 32},
        "input_config": {"perf_analyzer": {"stimulus": {"concurrency": 8}}, "model_names": ["m"]},
    },
    "trtllm-bench": {
        "engine": {"model": "m", "version": "1.2.1"},
        "world_info": {"tp_size": 1, "world_size": 1},
        "request_info": {
            "num_requests": 32,
            "avg_num_concurrent_requests": 8,
            "avg_input_length": 128,
            "avg_output_length": 33,
        },
        "performance": {
            "total_latency_ms": 7200,
            "avg_request_latency_ms": 1800,
            "system_output_throughput_tok_s": 146.7,
        },
        "streaming_metrics": {"avg_ttft_ms": 200, "avg_tpot_ms": 50},
    },
    "inference-benchmarker": {
        "config": {"model_name": "m", "prompt_options": {"num_tokens": 128}},
        "results": [
            {"id": "warmup", "token_throughput_secs": 1},
            {
                "id": "throughput",
                "executor_type": "ConstantVUs",
                "config": {"max_vus": 8},
                "total_requests": 32,
                "total_tokens": 1056,
                "token_throughput_secs": 146.7,
                "duration_ms": 7200,
                "time_to_first_token_ms": {"p50": 200, "avg": 200},
                "inter_token_latency_ms": {"p50": 50, "avg": 50},
                "e2e_latency_ms": {"p50": 1800, "avg": 1800},
            },
        ],
    },
    "llm-load-test": {
        "config": {"load_options": {"concurrency": 8}},
        "summary": {
            "tpot": {"mean": 1800 / 33},
            "ttft": {"mean": 200},
            "itl": {"mean": 50},
            "response_time": {"mean": 1800},
            "input_tokens": {"mean": 128},
            "output_tokens": {"mean": 33},
            "output_tokens_throughput": 146.7,
            "total_requests": 32,
            "total_failures": 0,
        },
    },
    "SGLang one_batch": {
        "run_name": "default",
        "batch_size": 8,
        "input_len": 128,
        "output_len": 33,
        "prefill_latency": 0.2,
        "prefill_throughput": 5120,
        "median_decode_latency": 0.05,
        "total_latency": 1.8,
        "overall_throughput": 715,
    },
    "SGLang one_batch_server": {
        "run_name": "default",
        "batch_size": 8,
        "input_len": 128,
        "output_len": 33,
        "latency": 1.8,
        "overall_throughput": 715,
        "last_ttft": 0.2,
        "acc_length": 1.0,
    },
    "llama-batched-bench": {"pp": 128, "tg": 33, "pl": 8, "t_pp": 0.2, "speed_pp": 5120, "t_tg": 1.65, "speed_tg": 160},
    "InferenceX": {
        "hw": "h200",
        "model": "m",
        "conc": 8,
        "isl": 128,
        "osl": 33,
        "tp": 8,
        "ep": 1,
        "median_tpot": 0.05,
        "mean_tpot": 0.05,
        "median_ttft": 0.2,
        "mean_ttft": 0.2,
        "output_tput_per_gpu": 18.3,
    },
}


@pytest.mark.parametrize("tool", BY_DOCUMENTS)
def test_layouts_known_from_documents(tool, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(BY_DOCUMENTS[tool]))
    (result,) = read(tmp_path / "a.json")
    assert result.tool == tool and not result.why_not
    assert result.tpot.mean == pytest.approx(0.05) and result.ttft.mean == pytest.approx(0.2)
    assert (result.concurrency, result.input_tokens, result.output_tokens) == (8, 128, 33)
    assert not result.doubts


def test_the_older_keys_of_evalscope(tmp_path):
    content = {
        "Time taken for tests (s)": 7.2,
        "Number of concurrency": 8,
        "Succeed requests": 32,
        "Failed requests": 0,
        "Output token throughput (tok/s)": 146.7,
        "Average latency (s)": 1.8,
        "Average time to first token (s)": 0.2,
        "Average time per output token (s)": 0.05,
        "Average input tokens per request": 128.0,
        "Average output tokens per request": 33.0,
    }
    (tmp_path / "benchmark_summary.json").write_text(json.dumps(content))
    (result,) = read(tmp_path / "benchmark_summary.json")
    assert result.tpot.mean == pytest.approx(0.05) and result.weighted.mean == pytest.approx(0.05)
    assert result.ttft.mean == pytest.approx(0.2)


def test_the_same_prompts_in_two_files_are_named():
    found = results.repeated_between([only(f"{S}/plain-c8.jsonl"), only(f"{S}/plain-c8.jsonl")])
    assert [len(result.doubts) for result in found] == [0, 1]
    assert found[1].doubts[0].code == "repeated-prompts"
    assert not results.repeated_between([only(f"{S}/plain-c8.jsonl"), only(f"{S}/mixed-c8.jsonl")])[1].doubts[2:]


def test_a_folder_gives_each_of_its_runs_once():
    assert [result.tool for result in read(FILES / E / "mixed")] == ["evalscope perf"]
    assert [result.tool for result in read(FILES / P / "mixed-c8")] == ["inference-perf"]
    assert [result.tool for result in read(FILES / A / "plain-c8")] == ["AIPerf"]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.json", "", "the file is empty"),
        ("a.json", '{"completed": 3, "mean_ttft_ms": 2', "it ends in the middle (line 1): the run was cut off"),
        ("a.json", '{"completed": 3,\n "mean_ttft_ms" 2}', "it is no JSON (line 2)"),
        ("a.json", '{"hello": 1}', "no result of a tool that is known"),
        ("a.json", "[1, 2]", "no result of a tool that is known"),
        ("a.json", "[" * 100_000, "it "),
        ("a.json", '{"completed": ' + "9" * 10_000 + "}", "it is no result"),
        ("a.csv", "x,y\n1,2\n", "no result of a tool that is known"),
        ("a.txt", "nothing of the kind", "no result of a tool that is known"),
        ("a.bin", b"\xff\xfe\x00\x01\x80", "it is no text in UTF-8"),
        ("validation.json", "{}", "this is inference-perf's check of its report"),
        (
            "mlperf_log_detail.txt",
            ":::MLLOG {}",
            "this is LoadGen's detailed log; the result is mlperf_log_summary.txt",
        ),
    ],
)
def test_what_is_no_result_is_refused_in_one_line(name, content, line, tmp_path):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(NoResultError) as refused:
        read(path)
    text = str(refused.value)
    assert text.startswith(f"{path}: {line}") and "\n" not in text and len(text) < len(str(path)) + 400


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(NoResultError, match=r"nowhere.json: it cannot be read \(No such file"):
        read(tmp_path / "nowhere.json")


def test_good_lines_are_read_though_the_last_is_half_written(tmp_path):
    whole = (FILES / S / "plain-c8.jsonl").read_text()
    (tmp_path / "a.jsonl").write_text(whole + whole[:500])
    good, bad = sorted(read(tmp_path / "a.jsonl"), key=lambda result: result.why_not)
    assert good.tpot and good.part == "line 1"
    assert bad.part == "line 2" and "cut off" in bad.why_not


def test_a_run_in_which_all_failed_says_so(tmp_path):
    content = json.loads((FILES / V / "fail-c8.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps(content | {"completed": 0, "failed": 16, "mean_tpot_ms": 0.0}))
    (result,) = read(tmp_path / "a.json")
    assert result.why_not.startswith("all 16 requests failed: there is nothing to measure")


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -1, 0, "abc", None, [], {}, True, 10**400], ids=lambda value: str(value)[:9]
)
def test_numbers_that_are_none_count_as_missing(value, tmp_path):
    content = json.loads((FILES / S / "plain-c8.jsonl").read_text())
    for key in ("mean_tpot_ms", "mean_ttft_ms", "output_throughput", "max_concurrency", "duration"):
        (tmp_path / "a.json").write_text(json.dumps(content | {key: value}))
        for result in read(tmp_path / "a.json"):
            assert result.tpot is None or result.tpot.typical > 0


def test_every_reader_has_a_test():
    tested = {tool for tool, _ in TOOLS.values()} | set(BY_DOCUMENTS) | {"llama-bench", "MLPerf LoadGen", "LLMeter"}
    source = Path(readers.__file__).with_name("clients.py").read_text(encoding="utf-8")
    named = {
        line.split('tool="')[1].split('"')[0] for line in source.splitlines() if 'tool="' in line and "if " not in line
    }
    assert named - tested <= {"?", "table", "vLLM bench throughput", "vLLM bench latency", "SGLang offline_throughput"}


def test_the_books_table_of_definitions_is_made_from_these_files():
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("lists", Path(__file__).parent / "oracle" / "list_benchmark_tools.py")
    lists = module_from_spec(spec)
    spec.loader.exec_module(lists)
    assert (facts.DATA / "benchmark_tools.csv").read_text(encoding="utf-8") == lists.text()
    table = facts.load("benchmark_tools")
    assert set(table["meaning"]) <= set(results.MEANINGS)
    own = table[table["figure"] == "in one definition"]
    off = (own["value_ms"] / own["server_ms"] - 1).abs()
    assert off[own["tool"] != "genai-bench"].max() < 0.01  # which counted other requests than were asked for


def test_damaged_files_are_answered_or_refused_in_one_line(tmp_path):
    chance = random.Random(20)
    values = [
        None,
        "x",
        "",
        -1,
        0,
        [],
        {},
        True,
        float("nan"),
        1e300,
        10**30,
        [None],
        {"mean": 1},
        "\x1b[31m\nline",
        3.5,
    ]
    sources = [path for path in sorted(FILES.rglob("*.json*")) if path.name not in readers._BESIDE]
    for number in range(150):
        source = chance.choice(sources)
        content = json.loads(source.read_text(encoding="utf-8"))
        for _ in range(3):
            place = content
            while isinstance(place, dict | list) and place:
                key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
                if not isinstance(place[key], dict | list) or chance.random() < 0.1:
                    place[key] = deepcopy(chance.choice(values))
                    break
                place = place[key]
        text = json.dumps(content)
        path = tmp_path / f"{number}{source.suffix}"
        path.write_text(text if chance.random() < 0.9 else text[: chance.randrange(len(text))], encoding="utf-8")
        try:
            found = read(path)
        except NoResultError as error:
            assert str(error).isprintable()
            continue
        for result in found:
            assert result.why_not.isprintable() and all(doubt.text.isprintable() for doubt in result.doubts)
            assert result.model.isprintable() and (result.tpot is None or result.tpot.typical > 0)
