"""The whole book under a reader's assumptions: executed chapters, their results in one table, and a site of its own.

A run is a folder::

    run.json        what was asked, and of each notebook what it was made from and its hash (a run resumes by it)
    chapters/*.ipynb, index.ipynb    the executed copies
    results.json, results.csv        every verdict and every named result
    site/           the static site, if asked for

Each run has an identity, made of all that its numbers hang on: it stands in ``run.json``, in the results and in every
notebook that was run under other values than the book's. A notebook in the folder that is not the one of ``run.json``
is none of the run's: it is read by nobody, and made anew. Only the process that holds the folder writes there.

Nothing in the book's own folders is changed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from llm_economics.book import claims, records
from llm_economics.facts import ROOT, readers_folder
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import kernels, notebooks
from llm_economics.reruns.notebooks import Outcome, write_atomic

PACKAGES = (
    "llm-economics",
    "numpy",
    "pandas",
    "scipy",
    "altair",
    "vl-convert-python",
    "pint",
    "papermill",
    "ipykernel",
)
COLUMNS = ("chapter", "kind", "name", "value", "unit", "verdict", "text")
"""Columns of ``results.csv``; ``kind`` is *verdict* or *result*, a list is written with semicolons."""
BOOK = ("_config.yml", "_toc.yml", "references.bib", "index.ipynb", "chapters")
"""What the site is built from."""


@dataclass(frozen=True)
class Run:
    """A folder, and the assumptions that everything in it was computed under.

    ``values`` holds for each chapter of the book what differs from its own parameters.
    """

    folder: Path
    title: str
    why: str
    values: Mapping[str, Mapping[str, Any]]
    source: Path = ROOT / "chapters"

    @property
    def chapters(self) -> Path:
        """Where the executed chapters are."""
        return self.folder / "chapters"

    @cached_property
    def sources(self) -> dict[str, Path]:
        """The chapters as they are before they run."""
        return notebooks.chapters(self.source)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What ``run.json`` says; its ``notebooks`` give for each what it was made from, its hash and its time."""
        return read_manifest(self.folder) or self._asked() | {"notebooks": {}}

    @cached_property
    def identity(self) -> str:
        """A digest of all that the numbers of the run hang on: assumptions, chapters, library, data, packages."""
        keys = {slug: chapter_key(source, self.values.get(slug, {})) for slug, source in self.sources.items()}
        return _hash(json.dumps(keys, sort_keys=True).encode())[:32]

    @property
    def mark(self) -> str:
        """What is written into the notebooks of the run; nothing if all of its values are the book's own."""
        return self.identity if any(self.values.values()) or readers_folder() else ""

    def _asked(self) -> dict[str, Any]:
        given = {slug: dict(own) for slug, own in self.values.items() if own}
        return {"title": self.title, "why": self.why, "source": str(self.source.resolve()), "values": given}

    def save(self) -> None:
        """Write ``run.json``."""
        self.manifest.update(self._asked() | {"run": self.identity})
        write_atomic(self.folder / "run.json", _json(self.manifest))

    def current(self, slug: str) -> bool:
        """Whether a chapter's output is whole and made from this source, these values, this library and data."""
        return self._whole(slug, chapter_key(self.sources[slug], self.values[slug]))

    def output(self, slug: str) -> Path:
        """Where the executed copy of a notebook belongs."""
        return self.folder / "index.ipynb" if slug == "index" else self.chapters / f"{slug}.ipynb"

    def _whole(self, slug: str, key: str) -> bool:
        made, output = self.manifest["notebooks"].get(slug), self.output(slug)
        return bool(made) and made["key"] == key and output.is_file() and made["sha256"] == _hash(output.read_bytes())

    def _made(self, slug: str, key: str, seconds: float, digest: str = "") -> None:
        digest = digest or _hash(self.output(slug).read_bytes())
        self.manifest["notebooks"][slug] = {"key": key, "sha256": digest, "seconds": round(seconds, 2)}
        self.save()


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """``run.json`` of a folder, None if there is none.

    Raises
    ------
    ParameterError
        If the file is none of this program's.
    """
    path = folder / "run.json"
    if not path.exists():
        return None
    return records.manifest(path)


@contextmanager
def opened(run: Run, *, fresh: bool = False) -> Iterator[None]:
    """Have a folder for a run alone: a new or empty one, or one that holds a run under the same assumptions.

    With ``fresh`` nothing in it counts as finished, and a run under other assumptions is removed.

    Raises
    ------
    ParameterError
        If the folder holds something else, a run under other assumptions, or another program is at work in it.
    """
    asked, found = run._asked(), read_manifest(run.folder)
    other = found is not None and any(found[key] != asked[key] for key in ("values", "source"))
    if other and not fresh:
        raise ParameterError(f"{run.folder} holds a run under other assumptions: name another --out, or add --fresh")
    holds = set(os.listdir(run.folder)) if run.folder.is_dir() else set()
    if found is None and (holds - {".lock"} or run.folder.is_file()):
        raise ParameterError(f"{run.folder} is not empty and holds no run: name another --out")
    run.folder.mkdir(parents=True, exist_ok=True)
    with only_run(run.folder):
        if other:
            for name in ("chapters", "index.ipynb", "results.json", "results.csv", "run.json", "site", ".book"):
                _remove(run.folder / name)
        if fresh:
            run.manifest["notebooks"] = {}
        for left in (*run.folder.glob("*.tmp"), *run.chapters.glob("*.tmp")):  # of a run that was killed while it wrote
            left.unlink()
        run.save()
        yield


def reopen(folder: Path) -> Run:
    """The run that a folder holds.

    Raises
    ------
    ParameterError
        If it holds none.
    """
    found = read_manifest(folder)
    if found is None:
        raise ParameterError(f"{folder} holds no run")
    source = Path(found["source"])
    values = {slug: found["values"].get(slug, {}) for slug in notebooks.chapters(source)}
    return Run(folder, found["title"], found["why"], values, source)


@contextmanager
def only_run(folder: Path, what: str = "run") -> Iterator[None]:
    """Keep a second program out of the folder of a run or a sweep.

    Raises
    ------
    ParameterError
        If another program is at work there.
    """
    import fcntl

    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ParameterError(f"another {what} is at work in {folder}") from None
    finally:
        os.close(lock)


def execute(run: Run, slugs: Iterable[str], pool: Executor, done: Callable[[Outcome], None]) -> list[Outcome]:
    """Execute the chapters that are not current, the longest first; the failures, in the order of their names.

    ``done`` is called after each. Each finished chapter is recorded at once, so that an
    interrupted run resumes.
    """
    tasks, keys = {}, {}
    for slug in sorted(slugs, key=lambda slug: -expected_seconds(run, slug)):
        keys[slug] = chapter_key(run.sources[slug], run.values[slug])
        if run._whole(slug, keys[slug]):
            done(Outcome(slug, 0.0))
        else:
            tasks[slug] = (run.sources[slug], run.output(slug), run.values[slug])
    return _execute(run, tasks, keys, pool, done, {})


def summaries(run: Run) -> list[str]:
    """The notebooks that read what the others found: the landing page is the last."""
    if not (run.source.parent / "index.ipynb").exists():
        return []
    return [path.stem for path in sorted(run.source.glob("*.ipynb")) if path.stem not in run.sources] + ["index"]


def summarise(run: Run, pool: Executor, done: Callable[[Outcome], None]) -> list[Outcome]:
    """Execute the notebooks that read what the chapters found; a chapter that was not run counts as committed."""
    book = stage(run)
    read = _hash(b"".join((book / "chapters" / f"{slug}.ipynb").read_bytes() for slug in run.sources))
    tasks, keys = {}, {}
    for slug in summaries(run):
        source = run.source.parent / "index.ipynb" if slug == "index" else run.source / f"{slug}.ipynb"
        keys[slug] = _hash(f"{chapter_key(source, {})} {read}".encode())
        if run._whole(slug, keys[slug]):
            done(Outcome(slug, 0.0))
        else:
            tasks[slug] = (source, run.output(slug), {})
    env = {"LLM_ECONOMICS_CHAPTERS": str(book / "chapters")}
    failed = _execute(run, tasks, keys, pool, done, env)
    for slug in summaries(run):
        if run.output(slug).exists():
            shutil.copy(run.output(slug), book / run.output(slug).relative_to(run.folder))
    return failed


def _execute(
    run: Run,
    tasks: Mapping[str, tuple[Path, Path, Mapping[str, Any]]],
    keys: Mapping[str, str],
    pool: Executor,
    done: Callable[[Outcome], None],
    env: Mapping[str, str],
) -> list[Outcome]:
    failed = []
    how = {"env": env, "run": run.mark}
    running = {pool.submit(notebooks.run_notebook, *task, **how): slug for slug, task in tasks.items()}
    for future in as_completed(running):
        outcome = _outcome(future, running[future])
        if outcome.ok:
            run._made(outcome.chapter, keys[outcome.chapter], outcome.seconds, outcome.sha256)
        else:
            failed.append(outcome)
        done(outcome)
    return sorted(failed, key=lambda outcome: outcome.chapter)


@contextmanager
def workers(jobs: int) -> Iterator[Executor]:
    """Threads that execute notebooks, each in a kernel of its own; all kernels end if anything is raised."""
    kernels.warm()
    pool = ThreadPoolExecutor(jobs)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        with kernels.ended():
            pool.shutdown()
        raise
    pool.shutdown()


def _outcome(future: Future[Outcome], slug: str) -> Outcome:
    try:
        return future.result()
    except Exception as error:  # what no notebook can be blamed for
        return Outcome(slug, 0.0, reason=f"{type(error).__name__}: {error}")


def expected_seconds(run: Run, slug: str) -> float:
    """How long a chapter took the last time; else a guess from the length of its code."""
    made = run.manifest["notebooks"].get(slug)
    if made:
        return made["seconds"]
    return sum(len("".join(text)) for kind, _, text in notebooks.cells(run.sources[slug]) if kind == "code") / 2000


def chapter_key(source: Path, values: Mapping[str, Any]) -> str:
    """A hash of all that a chapter's outputs are made from: its source, its values, the library, the data, packages."""
    text = json.dumps(notebooks.cells(source))
    made = [text, dict(sorted(values.items())), notebooks.library(), versions(), _readers_data()]
    return _hash(json.dumps(made).encode())


def _readers_data() -> list[str]:
    """Hashes of the reader's own data that chapters of this run see."""
    folder = readers_folder()
    return [_hash(path.read_bytes()) for path in sorted(folder.glob("*"))] if folder else []


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@cache
def versions() -> dict[str, str]:
    """Versions of Python, of this library and of the packages that its results hang on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def collect(run: Run) -> dict[str, Any]:
    """Every verdict and every named result of the chapters that are current, and the parameters in force."""
    current = {slug: source for slug, source in run.sources.items() if run.current(slug)}
    return {
        "title": run.title,
        "why": run.why,
        "run": run.identity,
        "versions": versions(),
        **found_in(run.chapters, current, run.values),
    }


def found_in(
    folder: Path, sources: Mapping[str, Path], values: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """What the executed notebooks of a folder hold, for the chapters that are named."""
    results, parameters = claims.results(folder), {}
    for slug, source in sources.items():
        own = (values or {}).get(slug, {})
        parameters[slug] = {
            name: {"value": own.get(name, default), "default": default, "unit": notebooks.unit(name)}
            for name, default in notebooks.defaults(source).items()
        }
    return {
        "parameters": parameters,
        "verdicts": [row for row in claims.verdicts(folder).values() if row["chapter"] in sources],
        "results": {slug: list(results.get(slug, {}).values()) for slug in sources},
    }


def write_results(run: Run) -> dict[str, Any]:
    """Write ``results.json`` and ``results.csv`` of the chapters that are current; return what was written."""
    found = collect(run)
    write_atomic(run.folder / "results.json", _json(found))
    write_atomic(run.folder / "results.csv", csv_text(COLUMNS, _rows(found)))
    return found


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for row in found["verdicts"]:
        yield row["chapter"], "verdict", row["id"], row["computed_value"], row["unit"], row["verdict"], row["statement"]
    for slug, rows in found["results"].items():
        for row in rows:
            yield slug, "result", row["name"], row["value"], row["unit"], "", row["note"]


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A CSV table; a list becomes its parts with semicolons between them, None an empty cell."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["; ".join(map(str, cell)) if isinstance(cell, list) else cell for cell in row])
    return file.getvalue()


def _json(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


# The site


def stage(run: Run) -> Path:
    """A copy of the book with the chapters of the run in it: what summaries read and what the site is built from."""
    book = run.folder / ".book"
    (book / "chapters").mkdir(parents=True, exist_ok=True)
    root = run.source.parent if (run.source.parent / "_config.yml").exists() else ROOT
    for path in (*(root / name for name in BOOK if name != "chapters"), *sorted((root / "chapters").iterdir())):
        _copy(path, book / path.relative_to(root))
    for slug, source in run.sources.items():
        _copy(run.output(slug) if run.current(slug) else source, book / "chapters" / f"{slug}.ipynb")
    return book


def _copy(source: Path, target: Path) -> None:
    """Copy a file unless its copy is the same already, so that a build goes on from the last."""
    if source.is_file() and not (target.exists() and target.read_bytes() == source.read_bytes()):
        shutil.copyfile(source, target)


_BUILD = """
import sys
from llm_economics.reruns.forks import end_with_parent
end_with_parent(int(sys.argv.pop(1)))
from llm_economics.site.__main__ import main
main()
"""


def build_site(run: Run, page: str, headline: str) -> Path:
    """Build the site of a run, with a banner on every page; a failed build leaves the last good one in place.

    Parameters
    ----------
    page
        Markdown of the page that says what changed.
    headline
        What the banner says of it, as plain text.

    Raises
    ------
    ParameterError
        If the build fails; the last lines that it printed.
    """
    import yaml

    book = stage(run)
    ran = sum(map(run.current, run.sources))
    if ran < len(run.sources):
        headline += f"; {ran} of {len(run.sources)} chapters were run, the others are as in the book"
    for slug in summaries(run):
        _copy(run.output(slug), book / run.output(slug).relative_to(run.folder))
    config = yaml.safe_load((book / "_config.yml").read_text(encoding="utf-8"))
    config["sphinx"]["config"]["book_banner"] = {"title": run.title, "why": run.why, "headline": headline}
    write_atomic(book / "_config.yml", yaml.safe_dump(config, allow_unicode=True, sort_keys=False))
    toc = yaml.safe_load((book / "_toc.yml").read_text(encoding="utf-8"))
    toc["parts"].insert(0, {"caption": "This run", "chapters": [{"file": "what-changed"}]})
    write_atomic(book / "_toc.yml", yaml.safe_dump(toc, allow_unicode=True, sort_keys=False))
    write_atomic(book / "what-changed.md", page)
    notebooks.write_times(book, {slug: made["seconds"] for slug, made in run.manifest["notebooks"].items()})
    command = [sys.executable, "-c", _BUILD, str(os.getpid()), "build", str(book)]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode:
        lines = [line for line in (built.stdout + built.stderr).splitlines() if line.strip()]
        raise ParameterError("the site was not built: " + " | ".join(lines[-3:]))
    fresh, site = run.folder / ".site-new", run.folder / "site"
    _remove(fresh)
    shutil.copytree(book / "_build" / "html", fresh)
    _remove(site)
    fresh.rename(site)
    return site


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
