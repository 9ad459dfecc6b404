"""What the library costs before it does anything: its import beside NumPy's, a call beside the bare arithmetic, and the
first answer about a model beside the command line's own help.

    python benchmarks/import_and_call.py

Ratios of medians, measured side by side in one run.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import timeit
from pathlib import Path

CONFIG = {
    "model_type": "deepseek_v32",
    "num_hidden_layers": 61,
    "max_position_embeddings": 163840,
    "num_nextn_predict_layers": 1,
    "quantization_config": {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]},
}
"""DeepSeek-V3.2, as its file says what its class does not."""


def import_seconds(module: str) -> float:
    """Median wall time of a fresh interpreter that imports a module, less that of one that imports nothing."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(9)]
    return statistics.median(float(run.stdout) for run in runs)


def call_seconds(statement: str, setup: str) -> float:
    """Median time of one call over nine rounds of 20,000."""
    return statistics.median(timeit.repeat(statement, setup, repeat=9, number=20_000)) / 20_000


def cpu_seconds(folder: Path, *arguments: str) -> float:
    """CPU time of the command line in a process of its own, with nothing kept from an earlier one."""
    shutil.rmtree(folder / "kept", ignore_errors=True)
    environment = {**os.environ, "LLM_ECONOMICS_CACHE": str(folder / "kept")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "llm_economics", *arguments]
    subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_answer() -> tuple[float, float]:
    """Median CPU time of the first ``model FILE --json``, and of ``--help``, over 15 runs of each in turn."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
        asked = ("model", str(folder / "config.json"), "--json")
        runs = [(cpu_seconds(folder, *asked), cpu_seconds(folder, "--help")) for _ in range(15)]
    answers, helps = zip(*runs, strict=True)
    return statistics.median(answers), statistics.median(helps)


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
    answer, usage = first_answer()
    ratio = f"{answer / usage:6.2f} x llm-economics --help ({usage * 1e3:.1f} ms), CPU"
    print(f"{'llm-economics model FILE --json':<35} {answer * 1e3:8.2f} ms   {ratio}")


if __name__ == "__main__":
    main()
