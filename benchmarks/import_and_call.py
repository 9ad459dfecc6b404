"""What the library costs before it does anything: its import beside NumPy's, and a call beside the bare arithmetic.

    python benchmarks/import_and_call.py

Ratios of medians, measured side by side in one run.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import timeit


def import_seconds(module: str) -> float:
    """Median wall time of a fresh interpreter that imports a module, less that of one that imports nothing."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(9)]
    return statistics.median(float(run.stdout) for run in runs)


def call_seconds(statement: str, setup: str) -> float:
    """Median time of one call over nine rounds of 20,000."""
    return statistics.median(timeit.repeat(statement, setup, repeat=9, number=20_000)) / 20_000


def main() -> None:
    """Print the table."""
    setup = "from llm_economics.formulas import training; N, D, P = 70_553_706_496, 15e12, 989.4e12"
    ours, numpys = import_seconds("llm_economics"), import_seconds("numpy")
    ratio = f"{ours / numpys:6.2f} x import numpy ({numpys * 1e3:.1f} ms)"
    print(f"{'import llm_economics':<35} {ours * 1e3:8.2f} ms   {ratio}")
    bare = call_seconds("6 * N * D / (0.4 * P)", setup)
    for statement in (
        "training.training_flops(N, D)",
        "training.accelerator_time(6 * N * D, P, 0.4)",
        "training.solve('usd', flops=6 * N * D, mfu=0.4, peak_flops=P, price=2 / 3600)",
    ):
        took = call_seconds(statement, setup)
        ratio = f"{took / bare:6.1f} x the bare arithmetic ({bare * 1e6:.2f} us)"
        print(f"{statement[:34]:<35} {took * 1e6:8.2f} us   {ratio}")


if __name__ == "__main__":
    main()
