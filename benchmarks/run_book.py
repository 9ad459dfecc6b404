"""How long a rerun of the book takes, beside an older state of it and beside what one would take instead.

    python benchmarks/run_book.py --base FOLDER [--only NAME…] [--rounds 5] [--builds 1] [--tests 1]
                                  [--tools PYTHON] [--store]

FOLDER is another checkout of the book; both are run with this interpreter, in turn, and medians are compared. Each
line says what is run, the seconds of the base and of this checkout, their ratio, the ratio that it may have at most,
and the most memory of a further run. ``--builds`` races ``make book`` as well, in clones with environments of their
own, and ``--tests`` the tests that the base has, ours by their names. With ``--tools``, an interpreter that has nbmake
and pytest-xdist besides what the book needs, the chapters go through stock papermill, two at a time, and through
nbmake with two workers, and the ratio is to be at least three.
``--store`` keeps the time of each chapter in ``benchmarks/times.json``, which the book shows where nothing was run.
On a machine that does other things as well all times are longer, and ratios waver.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
ALL = {"mfu": "0.41", "bandwidth_efficiency": "0.71", "h100_usd_per_hour": "2.1"}
"""Values of their own for parameters that most chapters read."""
CHANGED = [part for name, value in ALL.items() for part in ("-p", f"{name}={value}")]
CASES = {
    "run": (["run", "--jobs", "2", "--fresh", "--out", "{out}", *CHANGED], False, 1 / 3),
    "run-warm": (["run", "--jobs", "2", "--fresh", "--out", "{out}"], True, 1 / 4),
    "chapter": (["run", "kv-cache", "--fresh", "--out", "{out}"], True, 1 / 2),
    "sweep": (["sweep", "kv-cache", "-p", "batch=1:50:50", "--fresh", "--jobs", "2", "--out", "{out}"], True, 1 / 5),
    "model": (["model", "Llama 3 8B", "--json"], True, 1 / 3),
    "claims": (["claims", "--json"], True, 1 / 3),
}
"""Arguments, whether figures of an earlier run are kept, and the ratio that is allowed."""


def environment(book: Path, cache: Path) -> dict[str, str]:
    """In which a checkout runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LLM_ECONOMICS_")}
    return kept | {"PYTHONPATH": str(book / "lib"), "LLM_ECONOMICS_CACHE": str(cache)}


def timed(command: list[str], book: Path, cache: Path, memory: list[float] | None = None) -> float:
    """Seconds of a command; ``memory`` gets what all its processes have together, MB, which takes time to look up."""
    with tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=book, env=environment(book, cache), stdout=subprocess.DEVNULL, stderr=said, text=True
        )
        while memory is not None and process.poll() is None:
            memory.append(sum(map(share_kb, family(process.pid))) / 1000)
            time.sleep(0.25)
        if process.wait():
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} in {book} failed: {said.read()[-2000:]}")
        return time.perf_counter() - start


def family(pid: int) -> list[int]:
    """A process and all that come from it."""
    found = [pid]
    for parent in found:
        try:
            tasks = list(Path(f"/proc/{parent}/task").iterdir())
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def share_kb(pid: int) -> float:
    """Memory of a process, each page divided by the number of processes that have it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) for line in lines if line.startswith("Pss:")), 0.0)


def race(name: str, base: Path, rounds: int) -> str:
    """One line of the table: both checkouts in turn."""
    arguments, warm, allowed = CASES[name]
    seconds: dict[Path, list[float]] = {base: [], HERE: []}
    memory: dict[Path, list[float]] = {base: [], HERE: []}
    with tempfile.TemporaryDirectory() as place:
        for turn in range(rounds + 1):
            for book in seconds:
                own = Path(place, "base" if book == base else "ours")
                cache = own / ("cache" if warm else f"cache-{turn}")
                command = [sys.executable, "-m", "llm_economics", *arguments]
                command = [part.format(out=own / "out") for part in command]
                if turn:
                    seconds[book].append(timed(command, book, cache))
                else:  # which fills the cache of a warm case
                    timed(command, book, cache, memory[book])
    before, ours = (statistics.median(times) for times in seconds.values())
    peaks = f"{max(memory[base]):>9,.0f}{max(memory[HERE]):>7,.0f} MB" if ours > 2 else ""
    return row(name, before, ours, allowed) + peaks


def row(name: str, before: float, ours: float, allowed: float) -> str:
    """A line of the table."""
    return f"{name:<12}{before:>9.2f}{ours:>9.2f}{ours / before:>8.2f}{allowed:>8.2f}"


def builds(base: Path, rounds: int) -> list[str]:
    """Two lines: ``make book`` of a fresh clone, which sets up its environment, and again after a word in a chapter."""
    fresh: dict[Path, list[float]] = {base: [], HERE: []}
    edited: dict[Path, list[float]] = {base: [], HERE: []}
    for _ in range(rounds):
        for book in fresh:
            with tempfile.TemporaryDirectory() as place:
                clone = Path(place, "book")
                subprocess.run(["git", "clone", "--quiet", book, clone], check=True)
                cache = Path(place, "cache")
                fresh[book].append(timed(["make", "book"], clone, cache))
                chapter = clone / "chapters" / "kv-cache.ipynb"
                notebook = json.loads(chapter.read_text(encoding="utf-8"))
                notebook["cells"][0]["source"][-1] += " One more sentence."
                chapter.write_text(json.dumps(notebook, ensure_ascii=False, indent=1), encoding="utf-8")
                edited[book].append(timed(["make", "book"], clone, cache))
    return [
        row(name, statistics.median(times[base]), statistics.median(times[HERE]), allowed)
        for name, times, allowed in (("book", fresh, 2 / 3), ("book edited", edited, 1 / 2))
    ]


def tests(base: Path, rounds: int) -> str:
    """A line: the tests of the base, and what has become of them here, by their names, on two workers each."""
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadscope", "--no-loadscope-reorder"]
    seconds: dict[Path, list[float]] = {base: [], HERE: []}
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "ours")
        theirs, ours = collected(base), collected(HERE)
        chosen = successors(theirs, ours)
        file.write_text("\n".join(chosen) + "\n", encoding="utf-8")
        for _ in range(rounds):
            for book, only in ((base, []), (HERE, [f"@{file}"])):
                seconds[book].append(timed([*command, *only], book, Path("off")))
    before, now = (statistics.median(times) for times in seconds.values())
    return f"{row('tests', before, now, 1 / 2)}    {len(theirs)} and {len(chosen)} of {len(ours)}"


def collected(book: Path) -> list[str]:
    """The names of all tests of a checkout, notebooks' cells among them."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-o", "addopts=--nbval --nbval-current-env"]
    done = subprocess.run(command, cwd=book, env=environment(book, Path("off")), capture_output=True, text=True)
    return [line for line in done.stdout.splitlines() if "::" in line]


RENAMED = {"test_page_as_a_reader_meets_it": "test_page"}


def successors(before: list[str], now: list[str]) -> list[str]:
    """Tests of today that an older state has: by file and name, or wherever the name stands, or the function's."""
    found: dict[str, None] = {}
    for name in before:
        last = name.split("::")[-1]
        like = [one for one in now if one == name] or [one for one in now if one.split("::")[-1] == last]
        function = last.split("[")[0]
        function = RENAMED.get(function, function)
        found |= dict.fromkeys(like or [one for one in now if one.split("::")[-1].split("[")[0] == function])
    return list(found)


def chapters() -> list[Path]:
    """The chapters of this checkout."""
    return sorted((HERE / "chapters").glob("*.ipynb"))


def stock(tools: str, rounds: int) -> list[str]:
    """Two lines: the chapters through papermill and nbmake, with kernels as they always are, against our whole run."""
    seconds: dict[str, list[float]] = {"ours": [], "papermill": [], "nbmake": []}
    with tempfile.TemporaryDirectory() as place:

        def papermill(path: Path) -> None:
            command = [tools, "-m", "papermill", str(path), str(Path(place, path.name)), "--cwd", str(path.parent)]
            subprocess.run(command, env=environment(HERE, Path("off")), check=True, capture_output=True)

        for turn in range(rounds):
            ours = [sys.executable, "-m", "llm_economics", "run", "--jobs", "2", "--fresh", "--out", f"{place}/out"]
            seconds["ours"].append(timed(ours, HERE, Path(place, f"cache-{turn}")))
            start = time.perf_counter()
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(papermill, chapters()))
            seconds["papermill"].append(time.perf_counter() - start)
            nbmake = [
                tools,
                "-m",
                "pytest",
                "--nbmake",
                "-n",
                "2",
                "-q",
                "-o",
                "addopts=",
                "-p",
                "no:nbval",
                "--noconftest",
            ]
            seconds["nbmake"].append(timed([*nbmake, "chapters"], HERE, Path("off")))
    found = {name: statistics.median(times) for name, times in seconds.items()}
    return [
        f"{name:<12}{found[name]:>9.2f}{found['ours']:>9.2f}{found[name] / found['ours']:>8.2f}    at least 3"
        for name in ("papermill", "nbmake")
    ]


def store() -> None:
    """Run all notebooks and keep the time of each."""
    with tempfile.TemporaryDirectory() as place:
        timed([sys.executable, "-m", "llm_economics", "run", "--out", f"{place}/out"], HERE, Path(place, "cache"))
        made = json.loads(Path(place, "out", "run.json").read_text(encoding="utf-8"))["notebooks"]
    taken = {slug: made[slug]["seconds"] for slug in sorted(made)}
    machine = f"{os.cpu_count()} processors, Python {sys.version.split()[0]}"
    kept = {"machine": machine, "date": date.today().isoformat(), "seconds": taken}
    (HERE / "benchmarks" / "times.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--base", type=Path)
    asked.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--tools")
    asked.add_argument("--builds", type=int, default=0, metavar="ROUNDS")
    asked.add_argument("--tests", type=int, default=0, metavar="ROUNDS")
    asked.add_argument("--store", action="store_true")
    asked = asked.parse_args()
    print(f"{'':<12}{'before':>9}{'ours':>9}{'ratio':>8}{'at most':>8}    most memory", flush=True)
    for name in asked.only if asked.base else ():
        print(race(name, asked.base.resolve(), asked.rounds), flush=True)
    for line in builds(asked.base.resolve(), asked.builds) if asked.base and asked.builds else ():
        print(line, flush=True)
    if asked.base and asked.tests:
        print(tests(asked.base.resolve(), asked.tests), flush=True)
    for line in stock(asked.tools, asked.rounds) if asked.tools else ():
        print(line, flush=True)
    if asked.store:
        store()


if __name__ == "__main__":
    main()
