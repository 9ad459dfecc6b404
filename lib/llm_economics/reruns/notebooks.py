"""Executing notebooks, with the committed assumptions or a reader's own; nothing else changes from run to run."""

from __future__ import annotations

import ast
import difflib
import hashlib
import json
import math
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_economics.book import records
from llm_economics.facts import DATA, ROOT
from llm_economics.facts.parameters import PARAMETERS, Parameter
from llm_economics.formulas.elementwise import ParameterError, shown

if TYPE_CHECKING:
    import nbformat
    import pandas

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
QUIET = ["--IPKernelApp.log_level=40"]
"""Argument of a kernel that reports errors only: its warnings would break a progress bar."""

_PLAIN_VALUE = "it must be a number or text"
_FLOAT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INT = re.compile(r"[+-]?\d+", re.ASCII)


@dataclass(frozen=True)
class Outcome:
    """How the execution of one notebook ended: ``cell`` is the number in its brackets, ``[7]``, where it stopped.

    ``sha256`` is the hash of what was stored.
    """

    chapter: str
    seconds: float
    cell: int | None = None
    reason: str = ""
    sha256: str = ""

    @property
    def ok(self) -> bool:
        """Whether the notebook ran to its end and its output was stored."""
        return not self.reason

    def __str__(self) -> str:
        place = f", cell [{self.cell}]" if self.cell else ""
        return f"{self.chapter}{place}: {self.reason or 'done'}"


def chapters(folder: Path | None = None) -> dict[str, Path]:
    """The notebooks that take parameters, by the name of their file; those of the book if no folder is given."""
    paths = sorted((folder or ROOT / "chapters").glob("*.ipynb"))
    return {path.stem: path for path in paths if _parameters_cell(path) is not None}


def cells(path: Path) -> tuple[tuple[str, Mapping[str, Any], Any], ...]:
    """Type, metadata and source of each cell of a notebook, without outputs; read once as long as it stays the same."""
    found = path.stat()
    return _read_cells(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=256)
def _read_cells(path: Path, changed: int, size: int) -> tuple[tuple[str, Mapping[str, Any], Any], ...]:
    try:
        found = records.notebook(path.read_bytes())["cells"]
    except ParameterError as error:
        raise ParameterError(f"{path} is no notebook: {error}") from None
    return tuple((cell.get("cell_type", "code"), cell.get("metadata", {}), cell.get("source", "")) for cell in found)


def _parameters_cell(path: Path) -> str | None:
    tagged = ("".join(source) for _, metadata, source in cells(path) if "parameters" in metadata.get("tags", ()))
    return next(tagged, None)


def defaults(path: Path) -> dict[str, int | float | str]:
    """The parameters of a chapter and the values it has for them.

    Raises
    ------
    ParameterError
        If the cell of parameters has another than a plain value for one, or no Python.
    """
    try:
        lines = ast.parse(_parameters_cell(path) or "").body
        found = {line.target.id: ast.literal_eval(line.value) for line in lines if isinstance(line, ast.AnnAssign)}
    except (SyntaxError, ValueError, AttributeError, TypeError, RecursionError, MemoryError):
        raise ParameterError(f"{path}: its cell of parameters is not allowed: each is `name: type = value`") from None
    for name, value in found.items():
        if type(value) not in (int, float, str):
            raise ParameterError(f"{path}: its parameter {name[:60]} = {shown(value)} is not allowed: {_PLAIN_VALUE}")
    return found


def parse_value(name: str, text: str) -> int | float | str:
    """The value that a text stands for, by the type of the parameter.

    Raises
    ------
    ParameterError
        If there is no such parameter, or the text is no plain literal of its type, or out of range.
    """
    kind = parameter(name).type
    if kind is str:
        return checked(name, text)
    if len(text) > 40 or not (_INT if kind is int else _FLOAT).fullmatch(text):
        wanted = "a whole number" if kind is int else "a number"
        raise ParameterError(f"{name} = {text[:60]!r} is not allowed: it must be {wanted} ({PARAMETERS[name].unit})")
    return checked(name, kind(text))


def parameter(name: str) -> Parameter:
    """The entry of the table of parameters.

    Raises
    ------
    ParameterError
        If there is none of that name; lists the nearest.
    """
    if name not in PARAMETERS:
        raise ParameterError(f"no parameter {str(name)[:60]!r}{nearest(name, PARAMETERS)}")
    return PARAMETERS[name]


def unit(name: str) -> str:
    """The unit of a parameter; nothing of one that only a reader's own chapter has."""
    return PARAMETERS[name].unit if name in PARAMETERS else ""


def checked(name: str, value: Any) -> int | float | str:
    """The value in the type of its parameter, or one line that says what is allowed.

    Raises
    ------
    ParameterError
        If it has another type, lies out of range or is no finite number.
    """
    known = parameter(name)
    if isinstance(value, float) and not math.isfinite(value):
        raise ParameterError(f"{name} = {value!r} is not allowed: it must be a finite number")
    if isinstance(value, int) and abs(value) > 10**300:  # too long to be printed, or to become a float
        raise ParameterError(f"{name} is not allowed: it must be a number of at most 300 digits")
    return known.type(known.check(name, value))


def sources() -> list[Path]:
    """The files that a notebook's outputs hang on, besides itself: rooms with their tables, and the facts."""
    package = Path(__file__).parents[1]
    rooms = [path for kind in ("py", "txt", "json") for path in package.glob(f"*/*.{kind}")]
    return sorted([*(path for path in rooms if path.parent.name not in ("cli", "site")), *DATA.glob("*.csv")])


@cache
def library() -> str:
    """The package's version and a digest of its :func:`sources`."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"{version('llm-economics')} {digest.hexdigest()[:16]}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known names that are closest to one that is not known, as the end of an error's line."""
    known = list(known)
    found = difflib.get_close_matches(str(name)[:60], known, n=3, cutoff=0.5)
    if found:
        return f"; nearest: {', '.join(found)}"
    return f"; known: {', '.join(known)}" if len(known) <= 20 else ""


def assign(
    values: Mapping[str, Any], chapter_slugs: Iterable[str] | None = None, folder: Path | None = None
) -> dict[str, dict[str, Any]]:
    """Which chapter gets which values: every name, type and range is checked before anything runs.

    Parameters
    ----------
    values
        ``{"mfu": 0.3}`` for every chapter that has it; ``{"kv-cache:batch": 8}`` or
        ``{"kv-cache": {"batch": 8}}`` for one chapter, which then counts before the former.
    chapter_slugs
        The chapters that are to run, all if not given. A value that none of them takes is refused.
    folder
        Where the chapters are; those of the book if not given.

    Returns
    -------
    dict
        For each chapter that is to run its own values, in the types of the parameters; maybe none.

    Raises
    ------
    ParameterError
        Names what is unknown, with the nearest known names, or what is not allowed.
    """
    found = chapters(folder)
    slugs = list(found if chapter_slugs is None else chapter_slugs)
    for slug in slugs:
        known_chapter(slug, found)
    takes = {slug: defaults(found[slug]) for slug in slugs}
    everywhere: list[tuple[str, str, Any]] = []
    single: list[tuple[str, str, Any]] = []
    for key, value in values.items():
        slug, colon, name = str(key).rpartition(":")
        if colon or isinstance(value, Mapping):
            slug = slug if colon else str(key)
            known_chapter(slug, found)
            if slug not in takes:
                raise ParameterError(f"{slug} is not among the chapters that run: {', '.join(slugs)}")
            for own, given in ({name: value} if colon else value).items():
                if parameter(own) and own not in takes[slug]:
                    raise ParameterError(f"{slug} has no parameter {own}{nearest(own, takes[slug])}")
                single.append((slug, own, checked(own, given)))
        else:
            given = checked(name, value)
            having = [slug for slug in slugs if name in takes[slug]]
            if not having:
                raise ParameterError(f"no chapter that is to run has a parameter {name}: {', '.join(slugs)}")
            everywhere += [(slug, name, given) for slug in having]
    assigned: dict[str, dict[str, Any]] = {slug: {} for slug in slugs}
    for slug, name, given in (*everywhere, *single):
        assigned[slug][name] = given
    return assigned


def known_chapter(slug: str, known: Iterable[str]) -> None:
    """Stop with one line that lists the nearest if there is no such chapter.

    Raises
    ------
    ParameterError
        Names the chapter.
    """
    if slug not in known:
        raise ParameterError(f"no chapter {str(slug)[:60]!r}{nearest(slug, known)}")


def run_notebook(
    source: Path, output: Path, values: Mapping[str, Any], *, env: Mapping[str, str] | None = None, run: str = ""
) -> Outcome:
    """Execute a notebook with papermill, by :mod:`engine`, in its own folder and store the executed copy.

    The copy is written whole or not at all, and a notebook that fails leaves an earlier copy as
    it is. Without values it is what :func:`execute` gives.

    Parameters
    ----------
    values
        Plain numbers and text by name, as :func:`assign` gives them.
    env
        Environment variables that the kernel gets besides those of this process.
    run
        The identity of the run that the copy belongs to, which goes into its metadata.

    Raises
    ------
    ParameterError
        If a value is neither a finite number nor short text, or the notebook has no such parameter.
    """
    import nbformat
    from papermill.exceptions import PapermillExecutionError

    source, output = source.resolve(), output.resolve()
    has = defaults(source)
    for name, value in values.items():
        if name not in has:
            raise ParameterError(f"{source.stem} has no parameter {str(name)[:60]!r}{nearest(name, has)}")
        if not isinstance(value, (int, float, str)) or len(repr(value)) > 400 or value in (math.inf, -math.inf):
            raise ParameterError(f"{name} of {source.stem} is not allowed: it must be a number or short text")
    start = time.monotonic()
    cell, reason, digest = None, "", ""
    try:
        notebook = _papermill(nbformat.read(source, as_version=4), source.parent, values, env or {})
        if run:
            notebook.metadata["llm_economics"] = {"run": run}
        text = nbformat.writes(notebook) + "\n"
        write_atomic(output, text)
        digest = hashlib.sha256(text.encode()).hexdigest()
    except PapermillExecutionError as error:
        cell, reason = error.exec_count, f"{error.ename}: {error.evalue}"
    except Exception as error:  # a kernel that died or never came, a disk that is full: the other notebooks go on
        reason = f"{type(error).__name__}: {error}"
    return Outcome(source.stem, time.monotonic() - start, cell, " ".join(reason.split())[:500], digest)


def _papermill(
    notebook: nbformat.NotebookNode, folder: Path, values: Mapping[str, Any], env: Mapping[str, str]
) -> nbformat.NotebookNode:
    """The executed notebook; cells, metadata and identifiers as :func:`execute` leaves them."""
    import nbformat
    from papermill.execute import raise_for_execution_errors
    from papermill.parameterize import parameterize_notebook

    from llm_economics.reruns.engine import NAME, Engine

    kernel, language = METADATA["kernelspec"]["name"], METADATA["kernelspec"]["language"]
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    notebook.metadata = nbformat.from_dict({"papermill": {}})
    if values:
        named = {"kernel_name": kernel, "language": language, "engine_name": NAME}
        notebook = parameterize_notebook(notebook, dict(values), **named)
    options = _options(folder, env) | {"execution_timeout": 600, "progress_bar": False, "autosave_cell_every": 0}
    done = Engine.execute_notebook(notebook, kernel, **options)
    raise_for_execution_errors(done, None)
    for cell in done.cells:
        cell.metadata.pop("papermill", None)
        if "injected-parameters" in cell.metadata.tags:
            cell.id = "injected-parameters"
        if not cell.metadata.tags:
            del cell.metadata["tags"]
    done.metadata = nbformat.from_dict(METADATA)
    return done


def _options(folder: Path, env: Mapping[str, str]) -> dict[str, Any]:
    """What a client of nbclient is told: a kernel in this folder, and nothing that changes from run to run."""
    from traitlets.config import Config

    from llm_economics.reruns import forks, kernels

    kernels.use()
    return {
        "record_timing": False,
        "shutdown_kernel": "immediate",
        "resources": {"metadata": {"path": str(folder)}},
        "extra_arguments": QUIET,
        "config": Config({"Provisioner": {"environment": {**forks.ONE_THREAD, **env}}}),
    }


class _Enough(BaseException):
    """Ends the evaluation of a chapter; no handler of a cell takes it."""


def evaluate(
    path: Path, values: Mapping[str, Any] | None = None, *, until: Callable[[Any], bool] | None = None
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Run a chapter's code cells in this process, without a kernel: what it records, in a fraction of a second.

    Parameters
    ----------
    values
        Parameters in place of the chapter's own, as papermill would put them.
    until
        Takes each verdict and result as it is made; once it says true, the rest of the chapter is left out.

    Returns
    -------
    tuple
        Verdicts by claim and results by name; a verdict has the keys of its record, numbers of results are not rounded.

    Raises
    ------
    ParameterError
        If the chapter has no such parameter, or refuses a value.
    """
    import contextlib
    import io

    from llm_economics.book import claims

    shown: list[Any] = []

    def show(thing: Any) -> None:
        shown.append(thing)
        if until is not None and until(thing):
            raise _Enough

    unknown = set(values or ()) - set(defaults(path))
    if unknown:
        raise ParameterError(f"{path.stem} has no parameter {', '.join(sorted(unknown))}")
    kept, claims._show = claims._show, show
    namespace: dict[str, Any] = {"__name__": "__main__"}
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(_Enough):
            for code, takes_parameters in _code(path, path.stat().st_mtime_ns):
                exec(code, namespace)
                if takes_parameters:
                    namespace.update(values or {})
    finally:
        claims._show = kept
    verdicts = {thing.id: thing.record() for thing in shown if isinstance(thing, claims.Verdict)}
    return verdicts, {thing.name: vars(thing) for thing in shown if isinstance(thing, claims.Result)}


@lru_cache(maxsize=32)
def _code(path: Path, changed: int) -> list[tuple[Any, bool]]:
    """The compiled code cells of a notebook, and which of them holds its parameters."""
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    return [
        (compile("".join(cell["source"]), path.stem, "exec"), "parameters" in cell["metadata"].get("tags", ()))
        for cell in cells
    ]


def write_atomic(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    OSError
        Names the file, whatever is in the way: a full disk, a folder that may not be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write in the place of another, which it replaces at the end, if nothing is raised."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        os.close(descriptor)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and str(error.filename or ".tmp").endswith(".tmp"):
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise


def parameters_of(path: Path) -> dict[str, dict[str, str]]:
    """The parameters of a notebook as papermill sees them: for each its type, default (as text) and help."""
    import papermill

    return {
        name: {"type": row["inferred_type_name"], "default": row["default"], "help": row["help"]}
        for name, row in papermill.inspect_notebook(str(path)).items()
    }


def parameter_table(folder: Path | None = None) -> pandas.DataFrame:
    """Every parameter of the chapters in a folder: meaning, unit, default, what is allowed, which chapters have it."""
    import pandas

    from llm_economics.book.claims import chapters_folder

    rows: dict[str, dict[str, str]] = {}
    for path in sorted((folder or chapters_folder()).glob("*.ipynb")):
        for name, found in parameters_of(path).items():
            known = PARAMETERS[name]
            fresh = {"name": name, "meaning": known.meaning, "unit": known.unit, "default": found["default"]}
            row = rows.setdefault(name, fresh | {"allowed": known.allowed, "chapters": ""})
            row["chapters"] = f"{row['chapters']}, {path.stem}".removeprefix(", ")
    return pandas.DataFrame([rows[name] for name in sorted(rows)])


def execute(path: Path) -> nbformat.NotebookNode:
    """Run a notebook from top to bottom in its own folder; outputs, minimal metadata, no times.

    Raises
    ------
    papermill.exceptions.PapermillExecutionError
        If a cell fails.
    """
    import nbformat

    return _papermill(nbformat.read(path, as_version=4), path.resolve().parent, {}, {})


def refresh(path: Path) -> bool:
    """Run a notebook and store its outputs in it, whole or not at all; True if the file changed."""
    import nbformat

    before = path.read_text(encoding="utf-8")
    after = nbformat.writes(execute(path)) + "\n"
    if after == before:
        return False
    write_atomic(path, after)
    return True


def refresh_all(
    paths: list[Path], jobs: int = 2, seconds: dict[str, float] | None = None
) -> dict[Path, Exception | bool]:
    """Refresh several notebooks, ``jobs`` at a time; for each, whether it changed or why it failed.

    Chapters come first, then the notebooks that read what these found, and the landing page last. ``seconds`` gets
    the time of each by its name.
    """
    from llm_economics.reruns import kernels

    def one(path: Path) -> Exception | bool:
        start = time.monotonic()
        try:
            changed = refresh(path)
            if seconds is not None:
                seconds[path.stem] = time.monotonic() - start
            return changed
        except Exception as error:  # reported by the caller; the others go on
            return error

    def stage(path: Path) -> int:
        return 2 if path.stem == "index" else int(_parameters_cell(path) is None)

    kernels.warm()
    found: dict[Path, Exception | bool] = {}
    with ThreadPoolExecutor(jobs) as pool:
        for _, together in groupby(sorted(paths, key=stage), key=stage):
            some = list(together)
            found |= zip(some, pool.map(one, some), strict=True)
    return {path: found[path] for path in paths}


def main(arguments: list[str]) -> int:
    """``python -m llm_economics.reruns.notebooks [NOTEBOOK…]``: run notebooks, or all, and store their outputs."""
    failed, seconds = 0, {}
    book = [*sorted((ROOT / "chapters").glob("*.ipynb")), ROOT / "index.ipynb"]
    for path, outcome in refresh_all([Path(argument) for argument in arguments] or book, seconds=seconds).items():
        if isinstance(outcome, Exception):
            failed = 1
            print(f"{path}: failed\n{outcome}", file=sys.stderr)
        else:
            print(f"{path}: {'changed' if outcome else 'same'}")
    write_times(ROOT, seconds)
    return failed


def write_times(book: Path, seconds: Mapping[str, float]) -> None:
    """Leave how long notebooks took where the build of a site looks for it; times of others stay."""
    path = book / "_build" / "times.json"
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["seconds"]
    except (OSError, ValueError, LookupError, TypeError):
        before = {}
    taken = {slug: round(value, 2) for slug, value in sorted({**before, **seconds}.items())}
    machine = f"{os.cpu_count()} processors, Python {platform.python_version()}"
    write_atomic(path, json.dumps({"machine": machine, "seconds": taken}, indent=1) + "\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
