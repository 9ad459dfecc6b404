"""A million decode configurations at once, beside the same ones in a loop.

    python benchmarks/decode_sweep.py

Each configuration counts memory, compute and link, and says which binds. Prints seconds for 10⁶ of
them, configurations per second, the ratio to the scalar loop, and the largest difference between the
two answers. Times are the best of several runs on one core.
"""

from __future__ import annotations

import time

import numpy as np

from llm_economics.formulas.hardware import Accelerator, Link, System
from llm_economics.formulas.parallelism import Split
from llm_economics.formulas.serving import decode, model_from_parameters

MODEL = model_from_parameters(
    "16 experts of 111 billion",
    55e9,
    111e9,
    16,
    2,
    kv_bytes_per_token=2 * 2 * 120 * 128,
    decode_flops_per_key=4 * 120 * 10_700,
    hidden_bytes=2 * 10_700,
    layers=120,
    moe_layers=120,
    kv_heads=1,
)
H100 = Accelerator("H100 SXM", 80e9, 3.35e12, {"bf16": 989.4e12})
SYSTEM = System("64 x H100", H100, 64, 8, Link("NVLink", 450e9, 1e-6), Link("InfiniBand", 50e9, 5e-6))


def seconds_per_token(batch, context, tensor, pipeline):
    """Time of a decode step and which term binds, scalars or arrays."""
    step = decode(MODEL, SYSTEM, batch, context, Split(tensor=tensor, pipeline=pipeline)).step
    return step.seconds, step.binds


def best(function, *arguments, runs: int = 7) -> float:
    """Least seconds of several runs."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


def loop(batch, context, tensor, pipeline) -> list[float]:
    """The same answers one at a time."""
    columns = (column.tolist() for column in (batch, context, tensor, pipeline))
    return [seconds_per_token(*row)[0] for row in zip(*columns, strict=True)]


def main() -> None:
    """Time a grid, a flat list and the loop, and print the table."""
    batch = np.geomspace(1, 4096, 100)[:, None, None]
    context = np.geomspace(1, 131_072, 2500)[None, :, None]
    tensor, pipeline = np.array([8.0, 8.0, 16.0, 64.0]), np.array([1.0, 8.0, 4.0, 1.0])
    generator = np.random.default_rng(20240419)
    picked = generator.integers(0, 4, 1_000_000)
    flat = (
        generator.uniform(1, 4096, 1_000_000),
        generator.uniform(1, 131_072, 1_000_000),
        tensor[picked],
        pipeline[picked],
    )
    few = tuple(column[:20_000] for column in flat)

    grid_s = best(seconds_per_token, batch, context, tensor, pipeline)
    one_split_s = best(seconds_per_token, flat[0], flat[1], 8.0, 8.0)
    flat_s = best(seconds_per_token, *flat)
    loop_s = best(loop, *few, runs=3) * 50
    answers, _ = seconds_per_token(*few)
    difference = float(np.max(np.abs(np.array(loop(*few)) / answers - 1)))
    print(f"{'10^6 decode configurations':<42}{'seconds':>9}{'per second':>13}{'loop / this':>13}")
    for name, seconds in (
        ("grid 100 batches x 2500 contexts x 4 splits", grid_s),
        ("flat list of batch and context, one split", one_split_s),
        ("flat list of batch, context and split", flat_s),
        ("scalar loop (from 20,000)", loop_s),
    ):
        print(f"{name:<44}{seconds:>7.3f}{1e6 / seconds:>13,.0f}{loop_s / seconds:>13,.1f}")
    print(f"largest relative difference between loop and arrays: {difference:.1e}")


if __name__ == "__main__":
    main()
