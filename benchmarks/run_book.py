"""The whole book executed with one job and with two, and where the time goes.

    python benchmarks/run_book.py [CHAPTER…] [--rounds 3]

Wall times of ``llm-economics run --fresh``, the two settings in turn, the best of the rounds of each; best on a
machine that does nothing else. Then each chapter alone: start of the kernel, its first code cell (the imports), and
all other cells.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from llm_economics.reruns import notebooks


def run_seconds(folder: Path, chapters: list[str], jobs: int) -> float:
    """Wall time of a run into an empty folder or over an earlier one, as a reader calls it."""
    command = [sys.executable, "-m", "llm_economics", "run", *chapters, "--jobs", str(jobs), "--fresh"]
    start = time.perf_counter()
    subprocess.run([*command, "--out", str(folder)], check=True, capture_output=True)
    return time.perf_counter() - start


def parts(path: Path) -> tuple[float, float, float]:
    """Seconds until the kernel takes a first cell, those of the first code cell, and those of the other cells."""
    notebook = nbformat.read(path, as_version=4)
    first = next(index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    at: dict[str, float] = {}

    def begun(cell: object, cell_index: int) -> None:
        at.setdefault("cells", time.perf_counter())

    def ended(cell: object, cell_index: int, **_: object) -> None:
        at["last"] = time.perf_counter()
        if cell_index == first:
            at["imported"] = at["last"]

    begin = time.perf_counter()
    NotebookClient(
        notebook,
        timeout=600,
        extra_arguments=notebooks.QUIET,
        record_timing=False,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_execute=begun,
        on_cell_executed=ended,
    ).execute()
    return at["cells"] - begin, at["imported"] - at["cells"], at["last"] - at["imported"]


def main() -> None:
    """Print both tables."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("chapters", nargs="*")
    asked.add_argument("--rounds", type=int, default=3)
    asked = asked.parse_args()

    best = {1: float("inf"), 2: float("inf")}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(asked.rounds):
            for jobs in best:
                best[jobs] = min(best[jobs], run_seconds(Path(folder) / str(jobs), asked.chapters, jobs))
    for jobs, seconds in best.items():
        print(f"--jobs {jobs}  {seconds:6.1f} s  {best[1] / seconds:5.2f} x")

    print(f"\n{'chapter':<30}{'kernel':>8}{'imports':>9}{'work':>8}   seconds")
    total = [0.0, 0.0, 0.0]
    for slug, path in notebooks.chapters().items():
        if not asked.chapters or slug in asked.chapters:
            found = parts(path)
            total = [a + b for a, b in zip(total, found, strict=True)]
            print(f"{slug:<30}{found[0]:8.2f}{found[1]:9.2f}{found[2]:8.2f}")
    shares = "".join(f"{part / sum(total):{width}.0%}" for part, width in zip(total, (8, 9, 8), strict=True))
    print(f"{'share':<30}{shares}")


if __name__ == "__main__":
    main()
