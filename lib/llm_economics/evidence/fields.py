"""What a field of a result file may hold: helpers of the rooms that read the files of benchmark tools."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from llm_economics.evidence.results import Figure, Result, number
from llm_economics.formulas.elementwise import ParameterError, cleaned

MOST_BYTES = 200_000_000
"""Size of a file up to which it is read."""


UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "seconds": 1.0, "s/token": 1.0}
UNITS |= {"ms/token": 1e-3, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}


FIRST, END, CHUNKS = "to the first token", "of a request", "between chunks"


class NoResultError(ParameterError):
    """A file holds no result that is known; the message is one line that names the file and what it is, or lacks."""


KNOWN = (
    "vLLM, SGLang, AIPerf, GenAI-Perf, GuideLLM, inference-perf, genai-bench, evalscope, llama-bench, llama-benchy, "
    "tokenomics, LLMPerf, LLMeter, MLPerf LoadGen, trtllm-bench, inference-benchmarker, llm-load-test, llm-d, "
    "InferenceX"
)
"""Tools whose files are read."""


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


def items(content: Any, *keys: str | int) -> list[Any]:
    """A list in nested dictionaries and lists; an empty one where there is none."""
    found = at(content, *keys) if keys else content
    return found if isinstance(found, list) else []


def count_of(value: Any) -> int | None:
    found = number(value, zero=True)
    return None if found is None else round(found)


def text_of(value: Any) -> str:
    return cleaned(value, 200) if isinstance(value, str) else ""


def texts_of(values: Any, length: int = 100) -> tuple[str, ...]:
    """Texts long enough to tell prompts or answers apart, cut."""
    texts = [v for v in values if isinstance(v, str)] if isinstance(values, list) else []
    return tuple(text[:400] for text in texts if len(text) >= length)


def day_of(value: Any) -> str:
    """A date such as 20261127-212440, or one in ISO form, as YYYY-MM-DD; "" for anything else."""
    match = re.match(r"(20\d\d)-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])", str(value or ""))
    return "-".join(match.groups()) if match else ""


def day_of_seconds(value: Any) -> str:
    from datetime import UTC, datetime

    seconds = number(value)
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds and 9e8 < seconds < 1e11 else ""


def figure_of(content: Any, unit: float, meaning: str, where: str, names=("mean", "median", "p99")) -> Figure | None:
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


def named(**figures: Figure | None) -> dict[str, Figure]:
    return {name.replace("_", " "): value for name, value in figures.items() if value is not None}


def json_beside(path: Path, name: str) -> Any:
    """The JSON of a file beside this one; None if there is none that can be read."""
    try:
        other = path.parent / name
        return json.loads(other.read_text(encoding="utf-8")) if other.stat().st_size < MOST_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None


def mean_of(values: Any) -> float | None:
    found = [n for v in values if (n := number(v)) is not None] if isinstance(values, list) else []
    return fmean(found) if found else None


def per(a: float | None, b: float | None) -> float | None:
    return a / b if a and b else None


def scaled(value: Any, unit: float) -> float | None:
    found = number(value)
    return None if found is None else unit * found


def prompt_of(arguments: Any) -> str:
    """The messages or the prompt in a request's arguments, which may be cut."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""
    match = re.search(r'"(?:messages|prompt)":(.*)', text, re.DOTALL)
    return match[1] if match else ""


def in_part(result: Result, part: str) -> Result:
    from dataclasses import replace

    return replace(result, part="; ".join(filter(None, [part, result.part])))


def accepted(length: Any) -> str:
    found = number(length)
    return f"{found:.3g} tokens accepted a step" if found and found > 1.001 else ""


def iso_seconds(text: Any) -> float | None:
    match = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?", str(text or ""))
    return (
        number(sum(float(part or 0) * unit for part, unit in zip(match.groups(), (3600, 60, 1), strict=True)))
        if match
        else None
    )
