"""Input of every kind, valid and not: an answer in whole, finite numbers, or one clean line, soon and in little memory.

In the suite a small budget with a fixed seed; ``python tests/test_fuzz.py 100000`` tries as many of each kind by hand.
"""

from __future__ import annotations

import json
import math
import random
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llm_economics import architecture, checkpoints, facts, serving
from llm_economics.facts import documents
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import scenarios

ORACLE = json.loads((Path(__file__).parent / "oracle" / "config_oracle.json").read_text(encoding="utf-8"))
CONFIGS = [case["config"] for case in (*ORACLE["published"].values(), *ORACLE["random"])]
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
SECONDS, MEGABYTES = 2.0, 200


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


def mutated_config(r: random.Random) -> Any:
    """A published or drawn configuration with up to four of its fields changed, lost, or exchanged for others'."""
    config = json.loads(json.dumps(r.choice(CONFIGS)))
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


def mutated_text(text: str) -> Callable[[random.Random], str]:
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


def count(config: Any) -> list[Any]:
    """Everything that a configuration is asked for."""
    source = config if isinstance(config, dict) else json.dumps(config)
    found = checkpoints.read(source, "mine")
    arch = found.architecture
    counted = architecture.parameters(arch)
    flops = [architecture.forward_flops_per_token(arch, 8192, kind) for kind in architecture.CONVENTIONS]
    cache = [architecture.kv_bytes_per_token(arch), architecture.kv_bytes(arch, 8192, 2)]
    step = serving.decode(serving.model_from_architecture(arch), facts.system("H100"), 4, 8192).seconds
    assert 0 < counted.active <= counted.total
    return [counted.total, counted.active, *flops, *cache, step]


def read_system(folder: Path) -> Callable[[str], list[Any]]:
    path = folder / "mine.yaml"

    def read(text: str) -> list[Any]:
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        system = facts.system_from_file(path)
        chip = system.accelerator
        return [system.accelerators, system.scale_up.bandwidth, chip.memory_bytes, *chip.peak_flops.values()]

    return read


def read_scenario(text: str) -> list[Any]:
    found = scenarios.parse(text, "mine")
    return [value for value in found.parameters.values() if not isinstance(value, str)]


def within_the_rule(make: Callable[[random.Random], Any], ask: Callable[[Any], list[Any]], times: int, seed: int = 1):
    """Ask ``times`` times; the shares that were answered and refused."""
    r, answered = random.Random(seed), 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(times):
        given = make(r)
        start = time.process_time()
        try:
            numbers = ask(given)
            answered += 1
            assert all(math.isfinite(number) and not isinstance(number, bool) for number in numbers), (given, numbers)
        except ParameterError as error:
            line = str(error)
            assert line.isprintable() and len(line) < 2000, (given, line)
        assert time.process_time() - start < SECONDS, given
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < MEGABYTES, f"{grown:.0f} MB"
    return answered / times


def kinds(folder: Path) -> dict[str, tuple[Callable, Callable, float]]:
    """Of each kind of input: what makes it, what asks for it, and the least share that has to be answered."""
    return {
        "config": (mutated_config, count, 0.1),
        "system": (mutated_text(SYSTEM), read_system(folder), 0.05),
        "scenario": (mutated_text(SCENARIO), read_scenario, 0.05),
        "document": (mutated_text(SYSTEM + SCENARIO), lambda text: [len(str(documents.parse(text)))], 0.01),
    }


@pytest.mark.parametrize("kind", ["config", "system", "scenario", "document"])
def test_an_answer_or_one_clean_line(kind, tmp_path):
    make, ask, least = kinds(tmp_path)[kind]
    assert within_the_rule(make, ask, 300) > least


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for name, (make, ask, _) in kinds(Path(folder)).items():
            share = within_the_rule(make, ask, int(sys.argv[1]), seed=2)
            print(f"{name}: {sys.argv[1]} tried, {share:.0%} answered, the others refused in one line each")
