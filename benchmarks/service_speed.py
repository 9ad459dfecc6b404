"""Forecasts of services per second: one at a time on floats, rows of a table, and a million as arrays.

    python benchmarks/service_speed.py            # about ten seconds

Times are of the process's own CPU on one core, after one call that warms imports and caches. Each is the least of
three.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from llm_economics import facts
from llm_economics.evidence import answers, deployments
from llm_economics.formulas import services

MODELS, SYSTEMS = ("DeepSeek-R1", "Llama 3.3 70B"), ("H200", "B200")


def one_by_one(number: int) -> None:
    """Each forecast on floats, of another number of users and tokens."""
    for i in range(number):
        model, system = deployments.served(MODELS[i % 2]), deployments.system(SYSTEMS[i // 2 % 2], 8)
        services.forecast(model, system, 1.0 + i % 128, 1024.0 + i, 256.0 + i, weights="fp8")


def as_rows(number: int) -> None:
    """Rows as a benchmark writes them, of a thousand numbers of users."""
    row = {
        "model": "DeepSeek-R1-0528",
        "hardware": "h200_sxm",
        "n_acc": 8,
        "precision": "fp8",
        "isl": 1024,
        "osl": 1024,
    }
    answers.answer(row | {"concurrency": 1 + i, "interactivity_tok_s_user": 50} for i in range(number))


def as_arrays(number: int) -> None:
    """All at once, over users and both lengths."""
    users, prompt, output = np.geomspace([1.0, 16.0, 64.0], [512.0, 65536.0, 4096.0], number).T
    services.forecast(deployments.served(MODELS[0]), facts.system("H200", 8), users, prompt, output, weights="fp8")


def seconds(work: Callable[[int], None], number: int) -> float:
    """CPU seconds of a call, the least of three after one that does not count."""
    work(min(number, 1000))
    found = []
    for _ in range(3):
        start = time.process_time()
        work(number)
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    """Print a line for each way."""
    for work, number in ((one_by_one, 1_000), (as_rows, 1_000), (as_arrays, 1_000_000)):
        took = seconds(work, number)
        print(f"{work.__name__:<11} {number:>9,} forecasts {took:7.3f} s {number / took:12,.0f} a second")


if __name__ == "__main__":
    main()
