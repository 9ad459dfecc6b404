"""Configurations per second of the search, and its cost in time and memory up to 10⁸ of them.

    python benchmarks/search_speed.py            # about a minute
    python benchmarks/search_speed.py 1e4 1e6    # only these sizes

Each size runs in a process of its own, so that its peak memory is its own. A configuration is a layout and a
batch; all of its terms (weights, KV cache, compute, all-reduces, all-to-alls, point to point, memory) are computed
and it competes for the frontier; the few whose weights do not fit are searched but not timed, and the rate counts
the timed ones only. :func:`ours` is what a comparison with other calculators may time.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

from llm_economics import facts
from llm_economics.evidence.search import Frontier, Limits, Workload, search, space
from llm_economics.formulas.hardware import System
from llm_economics.formulas.serving import ServedModel

SIZES = (1e4, 1e5, 1e6, 1e7, 1e8)
WORK = Workload(2048, 256)


def ours(
    model: ServedModel, system: System, work: Workload = WORK, batches=None, *, precision: str = "fp8"
) -> tuple[Frontier, float]:
    """The frontier of a model on a system at one precision, and the seconds of wall time that it took.

    ``batches`` are sequences of one microbatch of one copy; None: the practical grid. :attr:`Frontier.counts` says how
    many configurations that were, and :attr:`Frontier.columns` holds TPOT and throughput of the best.
    """
    start = time.perf_counter()
    models = {precision: model}
    found = search(models, system, work, Limits(max_ttft_s=5.0), within=space(models, system, batch=batches))
    return found, time.perf_counter() - start


def measure(configurations: float) -> dict[str, float]:
    """Search about so many configurations of a mixture of 1.8 trillion parameters on 256 accelerators."""
    system = facts.system("GB200 NVL72", 256)
    model = facts.served_models("GPT-4 (leaked)", ("fp4",))["fp4"]
    ours(model, system, precision="fp4")  # imports and caches
    layouts = len(space({"fp4": model}, system).layouts)
    most = max(1, round(configurations / layouts))
    cpu, idle = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found, wall = ours(model, system, batches=range(1, most + 1), precision="fp4")
    return {
        "searched": found.counts.searched,
        "timed": found.counts.timed,
        "wall_s": wall,
        "cpu_s": time.process_time() - cpu,
        "points": len(found),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "before_mib": idle / 1024,
    }


def main() -> None:
    """Print a row for each size."""
    sizes = [float(size) for size in sys.argv[1:]] or SIZES
    headings = ("searched", "timed", "wall s", "CPU s", "timed / CPU s", "points", "peak MiB", "before")
    print("".join(heading.rjust(15) for heading in headings))
    for size in sizes:
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(size)], capture_output=True, text=True, check=True
        )
        row = json.loads(done.stdout)
        cells = (
            f"{row['searched']:,}",
            f"{row['timed']:,}",
            f"{row['wall_s']:.3f}",
            f"{row['cpu_s']:.3f}",
            f"{row['timed'] / row['cpu_s']:,.0f}",
            f"{row['points']:,}",
            f"{row['peak_mib']:.0f}",
            f"{row['before_mib']:.0f}",
        )
        print("".join(cell.rjust(15) for cell in cells))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(float(sys.argv[2]))))
    else:
        main()
