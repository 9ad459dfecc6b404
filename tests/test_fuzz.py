"""Input of every kind, valid and not: an answer in whole, finite numbers, or one clean line, soon and in little memory.

In the suite a small budget, the same on each run; by hand as many of each kind as asked for, other ones each time:

    LLM_ECONOMICS_FUZZ=100000 python -m pytest -s tests/test_fuzz.py -k configuration
"""

from __future__ import annotations

import csv
import json
import math
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from test_cli_compare import AFTER, side
from test_damages import DATA, FILES, UNITS

from llm_economics import architecture, checkpoints, facts, serving
from llm_economics.book import claims
from llm_economics.facts import documents, store
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import comparison, notebooks, runs, scenarios, sweeps

ORACLE = Path(__file__).parent / "oracle"
BY_HAND = int(os.environ.get("LLM_ECONOMICS_FUZZ", "0"))
SLICE = 2_000
"""Examples after which hypothesis begins anew, since it remembers all that it has tried."""
SECONDS, MEGABYTES = 2.0, 200


def rows_of(found: Any) -> list[dict[str, Any]]:
    """Every configuration in an oracle's file."""
    if isinstance(found, dict) and isinstance(found.get("config"), dict):
        return [found["config"]]
    inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    return [config for each in inner for config in rows_of(each)]


CONFIGS = [
    config
    for name in ("config_oracle.json", "families_oracle.json")
    for config in rows_of(json.loads((ORACLE / name).read_text(encoding="utf-8")))
]
FAMILIES: dict[str, list[dict[str, Any]]] = {}
for config in CONFIGS:
    FAMILIES.setdefault(str(config.get("model_type")), []).append(config)
SYSTEM = """name: mine
accelerator: {memory_gb: 100, memory_tb_per_s: 5, peak_tflops: {bf16: 1000, fp8: 2000}}
accelerators: 16
domain_size: 8
scale_up: {bandwidth_gb_per_s: 400, latency_us: 3}
scale_out: {bandwidth_gb_per_s: 40}
"""
SCENARIO = """title: Mine
why: To see.
parameters: {mfu: 0.4, batch: 8, weight_format: fp8}
chapters: {kv-cache: {batch: 4}}
"""
WORDS = (
    "010", "1:30", "1_000", "-1", "0", "3", "2.5", "1e400", "1e-9", "9" * 400, ".nan", ".inf", "yes", "null", "~", "''",
    "[]", "{}", "&a 1", "*a", "!!int 3", "<<", "a: b", "- 1", "#", "---", "...", "\t", "\x07", "bf16", "mfu",
)  # fmt: skip


def deep(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return found


ODD: tuple[Callable[[random.Random], Any], ...] = (
    lambda r: None,
    lambda r: r.choice([True, False]),
    lambda r: r.choice([0, -1, 1, 2, 3, 7, 64, 127, 128, 4096, 10**9, 10**9 + 1, 2**63, 10**30, -(10**30)]),
    lambda r: 10 ** r.choice([400, 4000]),
    lambda r: r.choice([0.0, -0.0, 1.5, 64.0, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf]),
    lambda r: r.choice(
        ["", "64", "auto", "full_attention", "x" * 10_000, "a\nb", "\x1b[31mred", "\u202eright", "\ud800"]
    ),
    lambda r: r.choice([[], [1, 2], ["full_attention"] * 5, ["sliding_attention"] * 40_000, [None] * 3, [[]], [{}]]),
    lambda r: r.choice([{}, {"a": 1}, {"model_type": "llama"}, {"hidden_size": 64}]),
    lambda r: deep(r.choice([5, 50, 500])),
    lambda r: list(range(r.choice([3, 20_000]))),
)


# What is tried


def configuration(r: random.Random) -> Any:
    """A configuration of any family with up to four of its fields changed, lost, or exchanged for others'."""
    config = json.loads(json.dumps(r.choice(FAMILIES[r.choice(list(FAMILIES))])))
    for _ in range(r.randrange(5)):
        place = config
        while (inner := [key for key in place if isinstance(place[key], dict) and place[key]]) and r.random() < 0.3:
            place = place[r.choice(inner)]
        names = list(place)
        if not names:
            break
        name = r.choice(names)
        if r.random() < 0.15:
            del place[name]
        elif r.random() < 0.25:
            other = r.choice(CONFIGS)
            name = r.choice(list(other))
            place[name] = other[name]
        else:
            place[name] = r.choice(ODD)(r)
    return config if r.random() < 0.98 else r.choice(ODD)(r)


def changed_text(text: str) -> Callable[[random.Random], str]:
    """A file of a reader with words, numbers, lines and characters changed."""

    def change(r: random.Random) -> str:
        lines = text.split("\n")
        for _ in range(r.randrange(1, 5)):
            i = r.randrange(len(lines))
            kind = r.randrange(5)
            if kind == 0:
                parts = lines[i].split(" ")
                parts[r.randrange(len(parts))] = r.choice(WORDS)
                lines[i] = " ".join(parts)
            elif kind == 1:
                lines.insert(i, r.choice(lines))
            elif kind == 2 and len(lines) > 1:
                del lines[i]
            elif kind == 3 and lines[i]:
                k = r.randrange(len(lines[i]))
                lines[i] = lines[i][:k] + r.choice(WORDS) + lines[i][k + 1 :]
            else:
                lines[i] += r.choice([" ", "]", "}", ": ", "x" * 1000])
        return "\n".join(lines)

    return change


def changed_json(found: Any) -> Callable[[random.Random], bytes]:
    """A file of a program with up to three of its values, at any depth, changed or lost, or its end cut off."""

    def change(r: random.Random) -> bytes:
        copy = {"all": json.loads(json.dumps(found))}
        for _ in range(r.randrange(4)):
            place, key = copy, "all"
            while isinstance(place[key], (dict, list)) and place[key] and (place is copy or r.random() < 0.8):
                place = place[key]
                key = r.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if r.random() < 0.2 and place is not copy:
                del place[key]
            else:
                place[key] = r.choice(ODD)(r)
        try:
            content = json.dumps(copy.get("all")).encode()
        except (ValueError, RecursionError):  # a number too long to be written
            content = b"[" * 10_000
        return content if r.random() < 0.9 else content[: r.randrange(len(content))]

    return change


def row(r: random.Random) -> tuple[str, dict[str, str]]:
    """A row of a file of ``data/`` with up to three of its cells changed."""
    name = r.choice(FILES)
    rows = rows_of_data(name)
    record = dict(r.choice(rows))
    for _ in range(r.randrange(4)):
        words = [
            *WORDS,
            *UNITS,
            "2024-02-31",
            "2031-01",
            "\u0663",
            "x" * 100_000,
            r.choice(list(r.choice(rows).values())),
        ]
        record[r.choice(list(record))] = r.choice(words)
    return name, {column: cell for column, cell in record.items() if cell}


def rows_of_data(name: str, read: dict[str, list[dict[str, str]]] = {}) -> list[dict[str, str]]:  # noqa: B006
    if name not in read:
        with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            read[name] = list(csv.DictReader(file))
    return read[name]


# What is asked of it: numbers, all of them finite


def count(config: Any) -> list[Any]:
    """Everything that a configuration is asked for."""
    source = config if isinstance(config, dict) else json.dumps(config)
    found = checkpoints.read(source, "mine")
    arch = found.architecture
    counted = architecture.parameters(arch)
    flops = [architecture.forward_flops_per_token(arch, 8192, kind) for kind in architecture.CONVENTIONS]
    cache = [architecture.kv_bytes_per_token(arch), architecture.kv_bytes(arch, 8192, 2)]
    model = serving.model_from_architecture(arch)
    step = serving.decode(model, facts.system("H100"), 4, 8192).seconds
    assert 0 < counted.active <= counted.total
    assert type(counted.total) is int and type(counted.active) is int
    return [counted.total, counted.active, *flops, *cache, step]


def system(text: str, folder: Path) -> list[Any]:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    found = facts.system_from_file(path)
    chip = found.accelerator
    return [found.accelerators, found.scale_up.bandwidth, chip.memory_bytes, *chip.peak_flops.values()]


def scenario(text: str, folder: Path) -> list[Any]:
    found = scenarios.parse(text, "mine")
    return [value for value in found.parameters.values() if not isinstance(value, str)]


RESULTS = side("t", "holds", AFTER, 0.4) | {"run": "r", "why": ""}
MANIFEST = {
    "title": "t", "why": "", "source": str(facts.ROOT / "chapters"), "values": {"kv-cache": {"batch": 8}}, "run": "r",
    "notebooks": {"kv-cache": {"key": "k", "sha256": "s", "seconds": 1.5}},
}  # fmt: skip
VERDICT = {**RESULTS["verdicts"][0], "condition": None, "flips_at": {"parameter": "mfu", "value": 0.3, "unit": ""}}
OUTPUTS = [
    {"output_type": "display_data", "data": {claims.VERDICT_MIME: VERDICT, claims.BASIS_MIME: {"uses": ["a"]}}},
    {
        "output_type": "display_data",
        "data": {claims.RESULT_MIME: {"name": "n", "value": [1, 2.5], "unit": "x", "note": ""}},
    },
]
NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "source": "mfu: float = 0.4  # x [y]",
         "outputs": [], "execution_count": None},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": ["1"], "outputs": OUTPUTS, "execution_count": 1},
    ],
    "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip
POINT = {
    "parameters": {"acceptance": 0.8}, "error": "", "lost": False,
    "results": {"tokens": {"value": 3.4, "unit": "token", "note": ""}},
    "verdicts": {"serve-065": {"verdict": "holds", "computed_value": [1.5, "a"]}},
}  # fmt: skip
SWEEP = sweeps.Sweep("speculative-decoding", "{}", {}, {"acceptance": (0.8,)})


def results(content: bytes, folder: Path) -> list[Any]:
    (folder / "results.json").write_bytes(content)
    found = comparison.load(folder)
    changes = comparison.compare(RESULTS, found)
    assert "\n".join(comparison.lines(changes)) and comparison.page(changes)
    return [changes.verdicts, changes.values, len(json.dumps(changes.record(), allow_nan=False))]


def manifest(content: bytes, folder: Path) -> list[Any]:
    (folder / "run.json").write_bytes(content)
    found = runs.read_manifest(folder)
    run = runs.Run(folder, "t", "", {"kv-cache": {}})
    return [runs.expected_seconds(run, "kv-cache"), len(found["notebooks"]), run.current("kv-cache")]


def stranger(content: bytes, folder: Path) -> list[Any]:
    path = folder / "llama3-cluster-sizing.ipynb"
    path.write_bytes(content)
    found, cards = claims.results(folder), claims.scorecard(folder)
    assert claims.table_html(cards)
    return [len(found), len(cards), len(notebooks.defaults(path))]


def point(content: bytes, folder: Path) -> list[Any]:
    path = sweeps._file(SWEEP, folder, SWEEP.points[0])
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    found = [record for record in sweeps.stored(SWEEP, folder) if record]
    frame = sweeps.table(SWEEP, found)
    sweeps.plotted(SWEEP, found)
    return [len(json.dumps(sweeps.summary(SWEEP, found), allow_nan=False)), len(frame)]


def data_row(given: tuple[str, dict[str, str]], folder: Path) -> list[Any]:
    name, record = given
    model = store._model(name)
    try:
        (found,) = store._adapter(model).validate_python([record])
    except ValidationError as errors:
        raise store._as_catalog_error(name, model, [record], errors) from None
    return [value for value in vars(found).values() if isinstance(value, (int, float)) and not isinstance(value, bool)]


@dataclass(frozen=True)
class Kind:
    """How one kind of input is made, what is asked of it, and the least share that has to be answered."""

    make: Callable[[random.Random], Any]
    ask: Callable[[Any, Path], list[Any]]
    least: float


KINDS = {
    "configuration": Kind(configuration, lambda config, folder: count(config), 0.1),
    "system": Kind(changed_text(SYSTEM), system, 0.05),
    "scenario": Kind(changed_text(SCENARIO), scenario, 0.05),
    "document": Kind(changed_text(SYSTEM + SCENARIO), lambda text, folder: [len(str(documents.parse(text)))], 0.01),
    "results": Kind(changed_json(RESULTS), results, 0.1),
    "manifest": Kind(changed_json(MANIFEST), manifest, 0.05),
    "notebook": Kind(changed_json(NOTEBOOK), stranger, 0.1),
    "point": Kind(changed_json(POINT), point, 0.1),
    "row": Kind(row, data_row, 0.1),
}


def keeps_the_rule(ask: Callable[[Any, Path], list[Any]], tried: Any, folder: Path) -> bool:
    """Whether an input was answered; that it kept the rule is asserted."""
    shown = repr(tried)[:2000] if not isinstance(tried, bytes) else tried[:2000]
    start = time.process_time()
    try:
        numbers = ask(tried, folder)
    except ParameterError as error:
        line = str(error)
        assert line.isprintable() and len(line) < 2000, (shown, line)
        return False
    finally:
        assert time.process_time() - start < SECONDS, shown
    assert all(math.isfinite(number) for number in numbers), (shown, numbers)
    return True


@pytest.mark.parametrize("name", KINDS)
def test_an_answer_or_one_clean_line(name, tmp_path):
    kind, answered, tried = KINDS[name], 0, 0
    budget = BY_HAND or 150
    for number in range(math.ceil(budget / SLICE)):
        options = {"max_examples": min(budget, SLICE), "deadline": None, "database": None}
        options |= {"suppress_health_check": list(HealthCheck), "phases": [Phase.generate, Phase.shrink]}
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        @settings(derandomize=not BY_HAND, **options)
        @given(st.randoms(use_true_random=True))
        def one(r: random.Random) -> None:
            nonlocal answered, tried
            with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
                tried += 1
                answered += keeps_the_rule(kind.ask, kind.make(r), Path(folder))

        (seed(time.time_ns() + number)(one) if BY_HAND else one)()
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        assert grown < MEGABYTES, f"{grown:.0f} MB"
    assert answered / tried > kind.least
    if BY_HAND:
        print(f"{name}: {tried:,} tried, {answered / tried:.0%} answered, the others refused in one line each")
