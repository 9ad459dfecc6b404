"""Faults in the middle of runs and sweeps, one after another, and what each costs: prints the table of them.

    python benchmarks/faults.py            all of it, about a quarter of an hour
    python benchmarks/faults.py sweep disk the groups with these names

Small chapters are run as a reader runs them, in processes of their own, and disturbed. Of each fault the table says
whether every process of the book was gone five seconds later, what finished work was lost, and whether the same
command then gives, byte by byte, what an undisturbed run gives. Linux alone; full and read-only disks need ``mount``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MOMENTS = 20
GONE_S = 5.0
WORK = """\
import time
from llm_economics.book import figures
from llm_economics.book.claims import record
import pandas as pd
time.sleep({seconds})
record("doubled", 2 * mfu, "fraction")
record("name", "{name}", "text")
figures.bars(pd.DataFrame({{"a": ["x", "y"], "b": [mfu, 1.0]}}), "a", "b", title="T", description="D", x_title="b")
"""
CHAPTERS = {"first": 0.0, "second": 0.8, "third": 0.3, "fourth": 0.6}
Words = tuple[str, ...]


class Place:
    """A folder with chapters, and the commands that are disturbed in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.token, self.count = folder, f"{os.getpid()}-{time.monotonic_ns()}", 0
        for name, seconds in CHAPTERS.items():
            notebook(folder / "chapters" / f"{name}.ipynb", WORK.format(name=name, seconds=seconds))
        notebook(folder / "swept" / "second.ipynb", WORK.format(name="second", seconds=0.4))
        self.env = os.environ | {"FAULTS": self.token, "TMPDIR": str(folder), "LLM_ECONOMICS_CACHE": "off"}

    def new(self) -> Path:
        self.count += 1
        return self.folder / f"out-{self.count}"

    def run(self, out: Path) -> list[str]:
        return ["run", "--from", str(self.folder / "chapters"), "-p", "mfu=0.25", "--out", str(out)]

    def sweep(self, out: Path, *more: str) -> list[str]:
        return ["sweep", "second", "-p", "mfu=0.2,0.3,0.4,0.5", "--out", str(out), *(more or ("--jobs", "2"))]

    def start(self, command: list[str], **env: str) -> subprocess.Popen:
        swept = {"LLM_ECONOMICS_CHAPTERS": str(self.folder / "swept")} if command[0] == "sweep" else {}
        return subprocess.Popen(
            [sys.executable, "-m", "llm_economics", *command],
            env=self.env | swept | env,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, command: list[str], **env: str) -> tuple[int, str]:
        running = self.start(command, **env)
        said = running.communicate(timeout=300)[1].splitlines()
        return running.returncode, next((line for line in reversed(said) if line.strip()), "")

    def alive(self) -> set[int]:
        """Processes of the book: all that inherited the token, whoever their parent is by now."""
        found = set()
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if self.token.encode() in (path / "environ").read_bytes():
                    found.add(int(path.name))
            except OSError:
                continue
        return found - {os.getpid()}

    def all_gone(self) -> float:
        """Seconds until no process of the book is alive; infinite if that takes more than ``GONE_S``."""
        start = time.monotonic()
        while self.alive():
            if time.monotonic() - start > GONE_S:
                return float("inf")
            time.sleep(0.02)
        return time.monotonic() - start


def notebook(path: Path, work: str) -> None:
    def cell(source: str, number: int, tags: list[str]) -> dict:
        metadata = {"tags": tags} if tags else {}
        return {"cell_type": "code", "id": f"c{number}", "metadata": metadata, "source": source, "outputs": [],
            "execution_count": None}  # fmt: skip

    cells = [cell("mfu: float = 0.4  # utilisation [fraction]", 0, ["parameters"]), cell(work, 1, [])]
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    path.write_text(json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}))


def files(out: Path) -> dict[str, bytes]:
    """What a run or a sweep is for: all that it wrote but the times that it took."""
    kept = ("chapters/*.ipynb", "results.*", "points/*.json", "picture.svg")
    return {str(path.relative_to(out)): path.read_bytes() for glob in kept for path in out.glob(glob)}


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def roles(place: Place, parent: int) -> dict[str, int]:
    """The processes of a run by what they do, once a kernel and its keeper are there."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        children: dict[int, list[int]] = {}
        for pid in place.alive():
            try:
                children.setdefault(parent_of(pid), []).append(pid)
            except OSError:
                continue
        for server in children.get(parent, ()):
            of_server = children.get(server, ())
            keepers = [pid for pid in of_server if children.get(pid)]
            drawing = [pid for pid in of_server if not children.get(pid)]
            if keepers and drawing:
                kernel = children[keepers[0]][0]
                return {"parent": parent, "server": server, "keeper": keepers[0], "kernel": kernel} | (
                    {"drawing process": min(drawing)}
                )
        time.sleep(0.02)
    raise AssertionError("no kernel was started")


def kill(*pids: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def lost(before: dict[str, bytes], out: Path) -> str:
    """Finished files that are not there any more, or not whole."""
    now = files(out)
    gone = [name for name, content in before.items() if now.get(name) != content and not name.startswith("results")]
    return ", ".join(gone) or "nothing"


Row = tuple[str, str, str, str]


def row(what: str, seconds: float | None, missing: str, same: bool, note: str = "") -> Row:
    gone = "—" if seconds is None else "ALIVE" if seconds > GONE_S else f"{seconds:.1f} s"
    return what, gone, missing, ("equal" if same else "DIFFERS") + (f" ({note})" if note else "")


def killed_after(place: Place, command: Callable[[Path], list[str]], whole: dict[str, bytes], seconds: float) -> Row:
    """The parent is killed some time after its start."""
    out = place.new()
    running = place.start(command(out))
    time.sleep(seconds)
    before, kernels = files(out), len(place.alive()) - 1
    kill(running.pid)
    running.communicate()
    gone = place.all_gone()
    missing = lost(before, out)
    place.finish(command(out))
    note = f"{kernels} processes, {len(before)} files then"
    return row(f"parent of a {command(out)[0]} after {seconds:.2f} s", gone, missing, files(out) == whole, note)


def killed(place: Place, command: Callable[[Path], list[str]], whole: dict[str, bytes], *who: str) -> Row:
    """Processes of a run are killed while a kernel is at work; then the same command goes on where needed."""
    out = place.new()
    running = place.start(command(out))
    found = roles(place, running.pid)
    before = files(out)
    kill(*(found[name] for name in who))
    code = running.wait(300)
    running.communicate()
    gone, missing = place.all_gone(), lost(before, out)
    if code:
        place.finish(command(out))
    how = "went on by itself" if not code else f"exit {code}, resumed"
    return row(f"{' and '.join(who)} of a {command(out)[0]}", gone, missing, files(out) == whole, how)


def undisturbed(place: Place, command: Callable[[Path], list[str]]) -> tuple[dict[str, bytes], float]:
    out, start = place.new(), time.monotonic()
    code, said = place.finish(command(out))
    assert code == 0, said
    return files(out), time.monotonic() - start


def parents(place: Place) -> Iterator[Row]:
    """SIGKILL of the parent at twenty moments of a run, and eight of a sweep."""
    for command, moments in ((place.run, MOMENTS), (place.sweep, 8)):
        whole, seconds = undisturbed(place, command)
        for k in range(moments):
            yield killed_after(place, command, whole, seconds * (k + 0.5) / moments)


def processes(place: Place) -> Iterator[Row]:
    """SIGKILL of each process beneath, and of two at once."""
    for command in (place.run, place.sweep):
        whole, _ = undisturbed(place, command)
        one = [("kernel",), ("keeper",), ("server",), ("drawing process",)]
        two = [("kernel", "parent"), ("keeper", "server"), ("kernel", "drawing process"), ("server", "parent")]
        for who in (*one, *two):
            yield killed(place, command, whole, *who)


SCHEDULER = "from distributed.cli.dask_scheduler import main; main()"
WORKER = "from distributed.cli.dask_worker import main; main()"


@contextmanager
def cluster(place: Place, port: int, workers: int = 2) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """A Dask scheduler, the first of the processes, and its workers."""
    address = f"tcp://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": place.folder}
    begin = [sys.executable, "-c"]
    head = [*begin, SCHEDULER, "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    hand = [*begin, WORKER, address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
    started = [subprocess.Popen(head, env=place.env, **quiet)]
    started += [subprocess.Popen(hand, env=place.env, **quiet) for _ in range(workers)]
    try:
        yield address, started
    finally:
        for process in started:
            process.kill()
            process.wait()


def clusters(place: Place) -> Iterator[Row]:
    """SIGKILL of a worker, the scheduler, and both, in a sweep on a Dask cluster."""
    whole, _ = undisturbed(place, place.sweep)
    for number, (name, victims) in enumerate(
        {"a worker": [1], "the scheduler": [0], "both workers": [1, 2], "scheduler and worker": [0, 1]}.items()
    ):
        out, port = place.new(), 18780 + 2 * number
        with cluster(place, port) as (address, started):
            running = place.start(place.sweep(out, "--scheduler", address))
            while not list(out.glob("points/*.json")) and running.poll() is None:
                time.sleep(0.02)
            before = files(out)
            kill(*(started[i].pid for i in victims))
            said = running.communicate(timeout=300)[1].splitlines()
        gone, missing = place.all_gone(), lost(before, out)
        if running.returncode:
            with cluster(place, port + 1) as (address, _):
                place.finish(place.sweep(out, "--scheduler", address))
        how = f"exit {running.returncode}" + (f": {said[-1][:90]}" if running.returncode else ", went on by itself")
        yield row(f"{name} of a Dask cluster", gone, missing, files(out) == whole, how)


@contextmanager
def disk(place: Place, kilobytes: int) -> Iterator[Path]:
    """A small file system of its own."""
    folder = place.new()
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=755", "tmpfs", str(folder)]
    subprocess.run(options, check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def disks(place: Place) -> Iterator[Row]:
    """A disk that is full, at the start and in the middle, or read-only."""
    for command in (place.run, place.sweep):
        whole, _ = undisturbed(place, command)
        total = sum(map(len, whole.values())) // 1024 + 8
        for name, kilobytes in (("nearly full", total // 2), ("full", 8), ("read-only", total * 4)):
            try:
                with disk(place, kilobytes) as folder:
                    out = folder / "out"
                    if name == "read-only":
                        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
                    code, said = place.finish(command(out))
                    before = files(out)
                    subprocess.run(["mount", "-o", f"remount,rw,size={4 * total}k", str(folder)], check=True)
                    place.finish(command(out))
                    same, missing = files(out) == whole, lost(before, out)
                yield row(f"disk {name}, {command(out)[0]}", None, missing, same, f"exit {code}: {said[:110]}")
            except subprocess.CalledProcessError as error:
                yield f"disk {name}, {command(place.new())[0]}", "—", "—", f"not tried: {error.stderr or error}"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut in half": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "a list": lambda content: b"[]",
    "of another shape": lambda content: content.replace(b'"', b'"_', 1),
    "not UTF-8": lambda content: b"\xff" + content,
}


def damages(place: Place) -> Iterator[Row]:
    """Each kind of file that is left, damaged in each way between a run and the next."""
    for command, globs in (
        (place.run, ("run.json", "results.json", "results.csv", "chapters/third.ipynb")),
        (place.sweep, ("points/*.json", "results.json")),
    ):
        whole, _ = undisturbed(place, command)
        model = place.folder / f"out-{place.count}"
        for name in globs:
            for kind, damage in DAMAGES.items():
                out = place.new()
                shutil.copytree(model, out)
                path = next(out.glob(name))
                path.write_bytes(damage(path.read_bytes()))
                code, said = place.finish(command(out))
                how = "healed"
                if code:
                    told = str(path) in said and code == 1 and said.startswith("Error: ")
                    how = "refused in one line, without the file" if told else f"SAYS {said[:100]}"
                    path.unlink()
                    if name == "run.json":
                        shutil.rmtree(out)
                    place.finish(command(out))
                yield row(f"{name} of a {command(out)[0]} {kind}", None, "nothing", files(out) == whole, how)


CLOCK = "import time\n_now = time.time\ntime.time = lambda: _now() - 400 * 86400\n"


def clocks(place: Place) -> Iterator[Row]:
    """A clock that is set back a year between the half and the whole, and files of tomorrow."""
    (place.folder / "clock").mkdir()
    (place.folder / "clock" / "sitecustomize.py").write_text(CLOCK)
    back = {"PYTHONPATH": os.pathsep.join([str(place.folder / "clock"), os.environ.get("PYTHONPATH", "")])}
    for command in (place.run, place.sweep):
        whole, seconds = undisturbed(place, command)
        for name, env in (("clock set back", back), ("files of tomorrow", {})):
            out = place.new()
            running = place.start(command(out))
            time.sleep(0.8 * seconds)
            kill(running.pid)
            running.communicate()
            gone, before = place.all_gone(), files(out)
            if not env:
                for path in out.rglob("*"):
                    os.utime(path, (time.time() + 86400,) * 2)
            code, _ = place.finish(command(out), **env)
            yield row(f"{name}, {command(out)[0]}", gone, lost(before, out), files(out) == whole, f"exit {code}")


GROUPS = {"parent": parents, "process": processes, "dask": clusters, "disk": disks, "file": damages, "clock": clocks}


def main(names: Iterable[str]) -> int:
    """Print the table; 1 if anything was lost, left alive or differs."""
    bad = 0
    print("| fault | all gone | lost | resumed, against an undisturbed one |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        for name in names or GROUPS:
            place = Place(Path(folder) / name)
            for found in GROUPS[name](place):
                print("| " + " | ".join(found) + " |", flush=True)
                bad += any(word in " ".join(found) for word in ("ALIVE", "DIFFERS", "SAYS"))
    print(f"\n{bad} of these are as they should not be" if bad else "\nall as it should be")
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
