"""A hundred million decode configurations in chunks, on NumPy and on Dask: time and peak memory.

    python benchmarks/dask_decode.py [POINTS]

A grid of batches, contexts and splits, each with memory, compute and link, reduced to the fastest step and the number
of configurations that each term binds. Every way runs in a process of its own, whose peak memory is that of its
resident set less what it had when its imports were done.

numpy, whole     all in one array, for a tenth of the points: its memory grows with them
numpy, chunks    a loop over chunks of the grid, one core
dask, threads    the same formula on Dask arrays, two threads
dask, processes  the same on a cluster of two local processes, its start included; the peak of the larger
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import numpy as np
from decode_sweep import MODEL, SYSTEM

from llm_economics.formulas.parallelism import Split
from llm_economics.formulas.serving import TERMS, decode

CONTEXT = np.geomspace(1, 131_072, 2500)[None, :, None]
SPLIT = Split(tensor=np.array([8.0, 8.0, 16.0, 64.0]), pipeline=np.array([1.0, 8.0, 4.0, 1.0]))
BATCHES_PER_CHUNK = 25
"""Makes a chunk of a quarter of a million points, 2 MB an array."""


def fastest_and_bound(batch):
    """Least seconds of a step, and how many configurations each term binds."""
    step = decode(MODEL, SYSTEM, batch[:, None, None], CONTEXT, SPLIT).step
    binds = step.binds
    return step.seconds.min(), [(binds == term).sum() for term in range(len(TERMS))]


def numpy_whole(batches: int):
    """All at once."""
    return fastest_and_bound(np.linspace(1, 4096, batches))


def numpy_chunks(batches: int):
    """A loop over chunks."""
    batch = np.linspace(1, 4096, batches)
    parts = [fastest_and_bound(batch[i : i + BATCHES_PER_CHUNK]) for i in range(0, batches, BATCHES_PER_CHUNK)]
    return min(seconds for seconds, _ in parts), np.sum([bound for _, bound in parts], axis=0)


def dask_threads(batches: int, **scheduler):
    """The formula on Dask arrays."""
    import dask
    import dask.array as da

    lazy = fastest_and_bound(da.linspace(1, 4096, batches, chunks=BATCHES_PER_CHUNK))
    return dask.compute(*lazy, **(scheduler or {"scheduler": "threads", "num_workers": 2}))


def dask_processes(batches: int):
    """The formula on a cluster of two processes of this machine."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        before = max(client.run(peak_bytes).values())
        answer = dask_threads(batches, scheduler=client)
        return *answer, max(client.run(peak_bytes).values()) - before


def peak_bytes() -> int:
    """Largest resident set that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


WAYS = {
    "numpy, whole": numpy_whole,
    "numpy, chunks": numpy_chunks,
    "dask, threads": dask_threads,
    "dask, processes": dask_processes,
}


def one(way: str, points: int) -> None:
    """Run one way in this process and print its row."""
    batches = max(1, points // (CONTEXT.size * 4))
    if way.startswith("dask"):
        import dask.array

        dask.array.ones(1).compute()  # imports are no part of it
    before, start = peak_bytes(), time.perf_counter()
    fastest, bound, *peak = WAYS[way](batches)
    seconds = time.perf_counter() - start
    used, n = (peak[0] if peak else peak_bytes() - before), batches * CONTEXT.size * 4
    binds = ", ".join(f"{name} {100 * float(count) / n:.4f}%" for name, count in zip(TERMS, bound, strict=True))
    rates = f"{seconds:>9.1f}{n / seconds:>14,.0f}{used / 1e6:>8.0f}"
    print(f"{way:<16}{n:>13,}{rates}  {1e3 * float(fastest):.6f} ms  {binds}")


def main(arguments: list[str]) -> None:
    """Run every way in a process of its own."""
    if len(arguments) == 2:
        one(arguments[0], int(arguments[1]))
        return
    points = int(float(arguments[0])) if arguments else 100_000_000
    print(f"{'way':<16}{'points':>13}{'seconds':>9}{'per second':>14}{'MB':>8}  fastest and what binds", flush=True)
    for way in WAYS:
        most = points // 10 if way == "numpy, whole" else points
        for size in (most // 10, most):
            subprocess.run([sys.executable, __file__, way, str(size)], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
