"""Sweeps: one chapter executed at every point of a grid of parameters, on this machine or on a Dask cluster.

Each point is a run of the chapter's notebook in a process of its own, without its figures, and is stored the moment
it is finished in a file named by what it depends on: the chapter, the parameters, the package and its data. So
an interrupted sweep goes on where it stopped, and a changed chapter or formula is computed again. A
kernel or a worker that is killed costs the point that it was at, which is then run again. Only one sweep at a time
works in a folder, and one whose cluster has lost all of its workers waits for others no longer than ``GONE_S``.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import queue
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_economics.book import claims, records
from llm_economics.book.drawing import NOT_DRAWN
from llm_economics.facts import documents
from llm_economics.facts.parameters import PARAMETERS
from llm_economics.facts.units import show
from llm_economics.formulas.elementwise import ParameterError, shown
from llm_economics.reruns import kernels
from llm_economics.reruns.notebooks import (
    assign,
    chapters,
    defaults,
    library,
    nearest,
    parameter,
    parse_value,
    replacing,
    run_notebook,
    write_atomic,
)
from llm_economics.reruns.runs import only_run

if TYPE_CHECKING:
    import pandas

MAX_POINTS = 10_000
"""Points that a sweep may have: hours of work on one machine."""

TRIES = 3
"""Times that a point is begun before it is given up, if its kernel dies each time."""

WAIT_S = 30
"""Seconds in which a Dask scheduler has to answer, and to have its first worker."""


LOOK_S = 2
"""Seconds without a finished point after which a sweep looks for the workers of its cluster."""

GONE_S = 60
"""Seconds that a sweep waits for a worker when the last of its cluster is gone."""


# The grid


def axis(name: str, text: str) -> tuple[int | float | str, ...]:
    """The values of one parameter: ``1,2,3``, or ``low:high:count`` evenly spaced with both ends, or ``…:log``.

    Raises
    ------
    ParameterError
        If the parameter is unknown, a value is not allowed or stands twice, or there are too many.
    """
    parts = text.split(":", 4)
    if parameter(name).type is not str and len(parts) > 1:
        values = _spaced(name, text[:60], parts)
    elif text.count(",") >= MAX_POINTS:
        raise ParameterError(f"{name} has {text.count(',') + 1:,} values: a sweep has at most {MAX_POINTS:,} points")
    else:
        values = [parse_value(name, part.strip()) for part in text.split(",")]
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise ParameterError(f"{name} = {value} is not allowed: it stands twice in the sweep")
        seen.add(value)
    return tuple(values)


def _spaced(name: str, text: str, parts: Sequence[str]) -> list[int | float | str]:
    form = "low:high:count with a count of at least 2, such as 0.1:0.9:9, or low:high:count:log"
    log = len(parts) == 4 and parts[3] == "log"
    if not (len(parts) == 3 or log) or not (parts[2].isascii() and parts[2].isdigit() and int(parts[2][:9]) > 1):
        raise ParameterError(f"{name} = {text!r} is not allowed: it must be {form}")
    low, high = (parse_value(name, part) for part in parts[:2])
    count = int(parts[2][:9])
    if count > MAX_POINTS:
        raise ParameterError(f"{name} = {text!r} is not allowed: a sweep has at most {MAX_POINTS:,} points")
    if log and not (low > 0 and high > 0):
        raise ParameterError(f"{name} = {text!r} is not allowed: it must lie above 0 to be spaced by ratios")
    steps = [i / (count - 1) for i in range(count)]
    inner = [low * (high / low) ** t if log else low + (high - low) * t for t in steps[1:-1]]
    values = [low, *(float(f"{value:.12g}") for value in inner), high]
    if PARAMETERS[name].type is int:
        broken = [value for value in values if value != round(value)]
        if broken:
            raise ParameterError(f"{name} = {text!r} is not allowed: its value {broken[0]:g} is not whole")
        values = [round(value) for value in values]
    return values


@dataclass(frozen=True)
class Sweep:
    """What is to be run: the text of a chapter's notebook, its defaults, and the values of each swept parameter."""

    chapter: str
    source: str
    defaults: Mapping[str, Any]
    axes: Mapping[str, tuple[Any, ...]]

    @property
    def points(self) -> list[dict[str, Any]]:
        """The parameters of each point, the last parameter changing fastest."""
        return [dict(zip(self.axes, values, strict=True)) for values in itertools.product(*self.axes.values())]

    def key(self, point: Mapping[str, Any]) -> str:
        """Name of a point's file: a digest of all that its results depend on."""
        text = json.dumps([self.chapter, self.source, sorted(point.items()), library()])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def plan(chapter: str, assignments: Iterable[str], folder: Path | None = None) -> Sweep:
    """A sweep from texts such as ``mfu=0.3,0.4``; everything is checked before anything runs.

    Parameters
    ----------
    folder
        Where the chapters are; if not given, what :func:`claims.chapters_folder` says.

    Raises
    ------
    ParameterError
        If the chapter is unknown or takes no such parameter, a value is not allowed or stands twice, or
        there are more than ``MAX_POINTS`` points or no parameter at all.
    """
    folder = folder or claims.chapters_folder()
    found = chapters(folder)
    if chapter not in found:
        raise ParameterError(f"no chapter {chapter[:60]!r} that takes parameters{nearest(chapter, found)}")
    own = defaults(found[chapter])
    axes: dict[str, tuple[Any, ...]] = {}
    for text in assignments:
        name, equals, values = text.partition("=")
        if not equals:
            raise ParameterError(f"{text[:60]!r} is not allowed: it must be name=values, such as mfu=0.3,0.4")
        if name in axes:
            raise ParameterError(f"{name} is given twice: put all of its values into one list")
        if name not in own:
            raise ParameterError(f"{chapter} has no parameter {name[:60]!r}{nearest(name, own)}")
        axes[name] = axis(name, values)
        for value in axes[name]:
            assign({name: value}, [chapter], folder)
    if not axes:
        raise ParameterError(f"nothing to sweep: {chapter} takes {', '.join(own)}")
    count = math.prod(map(len, axes.values()))
    if count > MAX_POINTS:
        raise ParameterError(f"{count:,} points are not allowed: a sweep has at most {MAX_POINTS:,}")
    return Sweep(chapter, _without_outputs(found[chapter]), own, axes)


def _without_outputs(path: Path) -> str:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return json.dumps(notebook, ensure_ascii=False)


# One point


def run_point(chapter: str, source: str, point: Mapping[str, Any]) -> dict[str, Any]:
    """Execute a chapter with other parameters; runs on any machine that has this package.

    Returns
    -------
    dict
        ``parameters``; ``results`` by name with ``value``, ``unit`` and ``note``; ``verdicts`` by claim with
        ``verdict`` and ``computed_value``; ``error``, a line if the chapter stopped, and then neither of
        the former; ``lost``, whether the kernel was to blame rather than the chapter.
    """
    record = {"parameters": dict(point), "results": {}, "verdicts": {}, "error": "", "lost": False}
    for _ in range(TRIES):
        with tempfile.TemporaryDirectory(prefix="llm-economics-sweep-") as folder:
            notebook, done = Path(folder) / f"{chapter}.ipynb", Path(folder) / "done"
            notebook.write_text(source, encoding="utf-8")
            outcome = run_notebook(notebook, done / notebook.name, point, env=NOT_DRAWN)
            if outcome.ok:
                return record | _found(chapter, done)
        if outcome.cell is not None or outcome.reason.startswith("CellTimeoutError"):
            return record | {"error": outcome.reason}
    return record | {"error": f"given up after {TRIES} tries: {outcome.reason}", "lost": True}


def _found(chapter: str, folder: Path) -> dict[str, Any]:
    results, verdicts = claims.results(folder).get(chapter, {}), claims.verdicts(folder)
    return {
        "results": {name: {key: row[key] for key in ("value", "unit", "note")} for name, row in results.items()},
        "verdicts": {key: {name: row[name] for name in ("verdict", "computed_value")} for key, row in verdicts.items()},
    }


# All points


def stored(sweep: Sweep, folder: Path) -> list[dict[str, Any] | None]:
    """The record of each point of the grid as far as it is finished; a point whose kernel was lost is not."""
    return [_read(_file(sweep, folder, point), point) for point in sweep.points]


def _file(sweep: Sweep, folder: Path, point: Mapping[str, Any]) -> Path:
    return folder / "points" / f"{sweep.key(point)}.json"


def _read(path: Path, point: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        found = documents.json_text(documents.content(path))
    except ParameterError:  # not there, or not whole: it is run again
        return None
    try:
        record = documents.shaped(found, records.Point)
        if record["parameters"] != point:
            raise ParameterError(f"parameters = {shown(str(record['parameters']))} is not allowed: it must be {point}")
    except ParameterError as error:
        raise ParameterError(f"{path} is no point of this sweep: {error}; remove it, or add --fresh") from None
    return None if record["lost"] else record


def run(
    sweep: Sweep,
    folder: Path,
    *,
    jobs: int = 2,
    scheduler: str | None = None,
    fresh: bool = False,
    finished: Callable[[dict[str, Any]], None] = lambda record: None,
) -> list[dict[str, Any]]:
    """Run the points that ``folder`` does not have yet, and return the records of all, in the order of the grid.

    Parameters
    ----------
    jobs
        Kernels at a time on this machine.
    scheduler
        Address of a Dask scheduler, whose workers run the points instead.
    fresh
        Run every point anew.
    finished
        Called after each point that was run and stored.

    Raises
    ------
    ParameterError
        If another sweep is at work in the folder, no scheduler answers at that address, or its workers have another
        version of this package.
    ConnectionError
        If the scheduler or all of its workers are lost in mid-run; what is finished is stored.
    OSError
        If a file cannot be written: names it.
    """
    with ExitStack() as held:
        needed = scheduler is not None and (fresh or None in stored(sweep, folder))
        client = held.enter_context(_client(scheduler)) if needed else None
        folder.mkdir(parents=True, exist_ok=True)
        held.enter_context(only_run(folder, "sweep"))
        for left in (folder / "points").glob("*.tmp"):  # of a sweep that was killed while it wrote
            left.unlink()
        if fresh:
            for point in sweep.points:
                _file(sweep, folder, point).unlink(missing_ok=True)
        records = stored(sweep, folder)
        missing = [i for i, record in enumerate(records) if record is None]

        def keep(i: int, record: dict[str, Any]) -> None:
            write_atomic(_file(sweep, folder, record["parameters"]), json.dumps(record, ensure_ascii=False) + "\n")
            records[i] = record
            finished(record)

        if missing and client is not None:
            _on_dask(sweep, missing, client, scheduler, keep)
        elif missing:
            _here(sweep, missing, jobs, keep)
    return [record for record in records if record is not None]


Keep = Callable[[int, dict[str, Any]], None]


def _here(sweep: Sweep, missing: Iterable[int], jobs: int, keep: Keep) -> None:
    """Run points in kernels of this machine, each watched by a thread; if interrupted, finish those under way."""
    kernels.warm()
    points = sweep.points

    def one(i: int) -> None:
        keep(i, run_point(sweep.chapter, sweep.source, points[i]))

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(one, i) for i in missing]
        try:
            for future in futures:
                future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _on_dask(sweep: Sweep, missing: Iterable[int], client: Any, address: str, keep: Keep) -> None:
    """Run points on the workers of a cluster, which return records; only this process writes files."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    points = sweep.points
    source = client.submit(str, sweep.source, pure=False)  # a task, so that it outlives the worker that holds it
    futures = {client.submit(run_point, sweep.chapter, source, points[i], pure=False): i for i in missing}
    for future in _finished(futures, client, address):
        i, reason = futures[future], ""
        try:
            record = future.result()
        except CancelledError:
            raise ConnectionError(f"the Dask scheduler at {address} is lost") from None
        except KilledWorker:  # after as many tries as the cluster allows
            reason = "given up: each worker that began it died"
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        if reason:
            record = {"parameters": points[i], "results": {}, "verdicts": {}, "error": reason, "lost": True}
        keep(i, record)
        future.release()


def _finished(futures: Iterable[Any], client: Any, address: str) -> Iterator[Any]:
    """The futures as they finish, as long as there are workers or new ones come in time.

    Raises
    ------
    ConnectionError
        If the scheduler does not answer any more, or no worker has been there for ``GONE_S``.
    """
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()
    futures = list(futures)
    for future in futures:
        future.add_done_callback(done.put)
    seen = time.monotonic()
    for _ in futures:
        while True:
            try:
                yield done.get(timeout=LOOK_S)
                break
            except queue.Empty:
                if _workers(client, address):
                    seen = time.monotonic()
                elif time.monotonic() - seen > GONE_S:
                    reason = f"all workers of the Dask scheduler at {address} have been gone for {GONE_S:g} s"
                    raise ConnectionError(reason) from None


def _workers(client: Any, address: str) -> int:
    """How many workers a cluster has."""
    try:
        return len(client.sync(client.scheduler.ncores, callback_timeout=WAIT_S))
    except Exception:  # by its kind: OSError, TimeoutError, of a closed connection
        raise ConnectionError(f"the Dask scheduler at {address} is lost") from None


def _client(address: str) -> Any:
    """A client of a running scheduler whose workers have this very package."""
    if "://" not in address:
        raise ParameterError(f"scheduler = {address[:60]!r} is not allowed: it must be like tcp://10.0.0.1:8786")
    import logging

    from distributed import Client

    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # a lost worker is no news
    try:
        client = Client(address, timeout=WAIT_S, set_as_default=False)
    except Exception:  # by its kind: OSError, ValueError, ImportError
        raise ParameterError(f"scheduler = {address[:60]!r} is not allowed: no Dask scheduler answers there") from None
    try:
        client.wait_for_workers(1, timeout=WAIT_S)
        other = {worker: theirs for worker, theirs in client.run(library).items() if theirs != library()}
    except TimeoutError:
        client.close()
        raise ParameterError(f"scheduler = {address[:60]!r} is not allowed: it has no worker") from None
    except Exception as error:
        client.close()
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ParameterError(f"a worker of {address[:60]} lacks this version of llm_economics: {reason}") from None
    if other:
        client.close()
        worker, theirs = next(iter(other.items()))
        raise ParameterError(f"worker {worker} has llm_economics {theirs}: the sweep needs {library()}")
    return client


# The table


def columns(sweep: Sweep, records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Each column of :func:`table` with its ``kind`` (parameter, result, verdict, error), ``unit`` and ``meaning``."""
    found = {
        name: {"kind": "parameter", "unit": PARAMETERS[name].unit, "meaning": PARAMETERS[name].meaning}
        for name in sweep.axes
    }
    for record in records:
        for name, row in record["results"].items():
            column = {"kind": "result", "unit": row["unit"], "meaning": row["note"]}
            found.setdefault(_column(sweep, name), column)
    for record in records:
        for key in record["verdicts"]:
            found.setdefault(key, {"kind": "verdict", "unit": "", "meaning": claims.ledger()[key].statement})
    return found | {"error": {"kind": "error", "unit": "", "meaning": "why the point has no results"}}


def _column(sweep: Sweep, name: str) -> str:
    return f"{name}_computed" if name in sweep.axes else name


def table(sweep: Sweep, records: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """One row for each point: its parameters, every named result, the verdict on each claim, and the error if any.

    A result that is a list stands as JSON text.
    """
    import pandas

    rows = [
        dict(record["parameters"])
        | {_column(sweep, name): row["value"] for name, row in record["results"].items()}
        | {key: row["verdict"] for key, row in record["verdicts"].items()}
        | {"error": record["error"]}
        for record in records
    ]
    return pandas.DataFrame({name: _cells([row.get(name) for row in rows]) for name in columns(sweep, records)})


def _cells(values: Iterable[Any]) -> list[Any]:
    """A column of one type: numbers (of which JSON writes ``inf`` and ``nan`` as text), else text."""
    values = [float(value) if value in ("inf", "-inf", "nan") else value for value in values]
    if all(value is None or isinstance(value, (int, float)) for value in values):
        return values
    return [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]


def summary(sweep: Sweep, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All of a sweep in plain JSON: what was asked, the columns with their units, and the record of each point."""
    points = [{key: row[key] for key in ("parameters", "results", "verdicts", "error")} for row in records]
    for point in points:
        point["results"] = {name: row["value"] for name, row in point["results"].items()}
    return {
        "chapter": sweep.chapter,
        "library": library(),
        "axes": {name: list(values) for name, values in sweep.axes.items()},
        "defaults": {name: value for name, value in sweep.defaults.items() if name not in sweep.axes},
        "columns": columns(sweep, records),
        "points": points,
    }


def write(sweep: Sweep, records: Sequence[Mapping[str, Any]], folder: Path, plot: str | None = None) -> list[Path]:
    """Write ``results.csv``, ``results.parquet``, ``results.json`` and, if there is a number to draw, ``picture.svg``.

    Raises
    ------
    ParameterError
        If ``plot`` is no result with numbers; the tables are written all the same.
    """
    frame = table(sweep, records)
    written = [folder / name for name in ("results.csv", "results.parquet", "results.json", "picture.svg")]
    write_atomic(written[0], frame.to_csv(index=False))
    with replacing(written[1]) as temporary:
        frame.to_parquet(temporary, index=False)
    write_atomic(written[2], json.dumps(summary(sweep, records), indent=1, ensure_ascii=False) + "\n")
    written[3].unlink(missing_ok=True)
    drawn = picture(sweep, records, plot)
    if drawn is None:
        return written[:3]
    write_atomic(written[3], drawn)
    return written


# The picture


def plotted(sweep: Sweep, records: Sequence[Mapping[str, Any]], plot: str | None = None) -> str | None:
    """The result that the picture shows: ``plot``, or the first with numbers that the sweep moves, else the first.

    Raises
    ------
    ParameterError
        If ``plot`` is no result with numbers; lists the nearest.
    """
    frame = table(sweep, records)
    kinds = columns(sweep, records)
    numeric = [name for name in frame if kinds[name]["kind"] == "result" and frame[name].dtype.kind in "iuf"]
    numeric = [name for name in numeric if frame[name].map(math.isfinite).any()]
    if plot is not None and plot not in numeric:
        raise ParameterError(f"no result {plot[:60]!r} with numbers{nearest(plot, numeric)}")
    moving = [name for name in numeric if frame[name].nunique() > 1]
    return plot or next(iter([*moving, *numeric]), None)


def picture(sweep: Sweep, records: Sequence[Mapping[str, Any]], plot: str | None = None) -> str | None:
    """One result over the grid as SVG: a line, lines or a heat map, several of them for a third parameter.

    Further parameters are held at their first value, which the title names. None if no point has a number.
    """
    from llm_economics.book import figures

    result = plotted(sweep, records, plot)
    if result is None:
        return None
    frame = table(sweep, records)
    units = {name: column["unit"] for name, column in columns(sweep, records).items()}
    swept = [name for name, values in sweep.axes.items() if len(values) > 1] or list(sweep.axes)[:1]
    swept.sort(key=lambda name: (PARAMETERS[name].type is str, -len(sweep.axes[name])))
    shown, held = swept[:3], swept[3:]
    for name in held:
        frame = frame[frame[name] == sweep.axes[name][0]]
    frame = frame.loc[frame[result].map(math.isfinite), [*shown, result]]
    if frame.empty:
        return None
    title = _finding(sweep, frame, result, shown, held, units)
    title = title[0].upper() + title[1:]
    description = f"{title}. {len(frame)} points of a sweep of the chapter {sweep.chapter}."
    chart = _chart(frame, shown, result, {name: _label(name, units) for name in (*shown, result)}, title, description)
    return figures.render(chart.to_dict())["image/svg+xml"]


def _label(name: str, units: Mapping[str, str]) -> str:
    return name.replace("_", " ") + (f" ({units[name]})" if units[name] else "")


def _finding(sweep, frame, result, shown, held, units) -> str:
    low, high = frame[result].min(), frame[result].max()
    reach = show(low, words=True) if low == high else f"{show(low, words=True)} to {show(high, words=True)}"
    over = ", ".join(name.replace("_", " ") for name in shown)
    fixed = ", ".join(f"{name.replace('_', ' ')} = {sweep.axes[name][0]}" for name in held)
    return f"{result.replace('_', ' ')}: {reach} {units[result]} over {over}" + (f", at {fixed}" if fixed else "")


def _chart(frame, shown, result, labels, title, description) -> Any:
    """The chart form that suits the number of swept parameters and their types."""
    import altair as alt

    from llm_economics.book import figures

    says = {"title": title, "description": description}
    numeric = [name for name in shown if PARAMETERS[name].type is not str]
    x, rest = shown[0], shown[1:]
    if not rest and not numeric:
        return figures.bars(frame, x, result, x_title=labels[result], **says)
    log_x = x in numeric and frame[x].min() > 0 and frame[x].max() >= 50 * frame[x].min()
    log_y = bool(frame[result].min() > 0 and frame[result].max() >= 1000 * frame[result].min())
    series = {name: [f"{name.replace('_', ' ')} {value}" for value in frame[name]] for name in rest}
    if len(rest) < 2 and numeric and (not rest or frame[rest[0]].nunique() <= len(figures.PALETTE)):
        titles = {"x_title": labels[x], "y_title": labels[result]}
        scales = {"kind": "both", "log_x": log_x, "log_y": log_y}
        return figures.line(frame.assign(**series), x, result, color=next(iter(rest), None), **scales, **titles, **says)
    ordinal = {"type": "ordinal", "axis": alt.Axis(labelOverlap=True, labelAngle=0)}
    cells = alt.Chart(frame.assign(**{name: series[name] for name in rest[1:]})).mark_rect()
    cells = cells.encode(
        x=alt.X(field=x, title=labels[x], **ordinal),
        y=alt.Y(field=rest[0], title=labels[rest[0]], sort="descending", **ordinal),
        color=alt.Color(
            field=result,
            type="quantitative",
            scale=alt.Scale(type="log" if log_y else "linear", scheme="viridis"),
            legend=alt.Legend(title=labels[result], format=figures.NUMBER, gradientLength=220),
        ),
    )
    widest = 560 if len(rest) < 2 else 170
    size = {"width": min(widest, max(120, 48 * frame[x].nunique())), "height": min(400, 28 * frame[rest[0]].nunique())}
    cells = cells.properties(**size)
    if len(rest) > 1:
        header = alt.Header(labelPadding=24, labelAnchor="start", labelFontSize=12, title=None)
        part = alt.Facet(field=rest[1], type="nominal", sort=list(dict.fromkeys(series[rest[1]])), header=header)
        cells = cells.facet(facet=part, columns=3)
    return cells.properties(title=textwrap.wrap(title, 68), description=description)


def changing(sweep: Sweep, records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, int]]]:
    """The claims whose verdict the sweep changes, each with the points of every verdict."""
    for key, column in columns(sweep, records).items():
        if column["kind"] == "verdict":
            counts: dict[str, int] = {}
            for record in records:
                if key in record["verdicts"]:
                    verdict = record["verdicts"][key]["verdict"]
                    counts[verdict] = counts.get(verdict, 0) + 1
            if len(counts) > 1:
                yield key, counts


def check_plot(sweep: Sweep, plot: str | None) -> None:
    """Stop before a sweep if the chapter's stored outputs have results, and none of the name that is to be drawn.

    Raises
    ------
    ParameterError
        Lists the nearest names.
    """
    names = claims.results().get(sweep.chapter, {})
    if plot is not None and names and plot not in names:
        raise ParameterError(f"{sweep.chapter} has no result {plot[:60]!r}{nearest(plot, names)}")
