"""A chart's specification as the page needs it: what moves, what is hovered, how it looks on a phone and in the dark.

Nothing here draws. Notebooks store each chart's specification and SVG; this module turns them into what the page shows
before (:func:`dressed`, :func:`narrow`) and after (:func:`interactive`) a reader touches the figure.
"""

from __future__ import annotations

import copy
import itertools
import json
import math
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from llm_economics.book.drawing import GRID, INK, MUTED, PALETTE
from llm_economics.facts.units import show

DARK = {
    INK: "#d6dce3",
    MUTED: "#9ba6b2",
    GRID: "#343b44",
    **dict(zip(PALETTE, ("#56a8e6", "#f0883e", "#35b98f", "#dc8fc8", "#c9a64f", "#a3a3a3"), strict=True)),
}
"""Colours of figures on a dark page, each at least 4.5:1 against it."""

SVG = "{http://www.w3.org/2000/svg}"
ElementTree.register_namespace("", SVG[1:-1])
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")

NARROW = 320
"""Width in pixels of the figures that phones show; also in ``book.css``."""
LABEL = 150
"""Pixels of a name on a phone's vertical axis, at most; also in ``draw.js``."""


@dataclass(frozen=True)
class Moved:
    """What a reader moves in a figure: the values, what is read out at each, and where the text stands."""

    name: str
    title: str
    values: list[Any]
    labels: list[str]
    start: int
    readouts: list[str]
    titles: list[str]
    marks: dict[str, int]
    guess: str = ""
    pace: tuple[float, ...] = ()
    sets: tuple[Any, ...] = ()
    along: str = ""

    def state(self) -> dict[str, Any]:
        """What the page's script needs of it."""
        keys = ("name", "title", "values", "labels", "readouts", "titles", "pace", "sets", "along")
        return {key: getattr(self, key) for key in keys if getattr(self, key)} | {"start": self.start}


def title_of(spec: Mapping[str, Any]) -> str:
    """The title in one line."""
    title = spec.get("title", "")
    title = title.get("text", "") if isinstance(title, Mapping) else title
    return " ".join(title) if isinstance(title, list) else str(title)


def moved(spec: Mapping[str, Any]) -> Moved | None:
    """The control of a chart that a reader moves, None if it stands still."""
    bound = next((param for param in spec.get("params", ()) if "bind" in param), None)
    if bound is None:
        return None
    bind, own = bound["bind"], spec.get("usermeta", {}).get("book", {})
    values = bind["options"] if bind["input"] == "select" else _steps(bind["min"], bind["max"], bind["step"])
    labels = [str(label) for label in bind.get("labels") or map(show, values)]
    start = min(range(len(values)), key=lambda i: _distance(values[i], bound["value"]))
    said = next((param["expr"] for param in spec["params"] if param["name"] == "readout"), "[]")
    readouts, _ = json.JSONDecoder().raw_decode(said)
    told = {"titles": own.get("titles", []), "marks": own.get("marks", {}), "guess": own.get("guess", "")}
    return Moved(
        bound["name"], bind["name"], values, labels, start, readouts, **told, pace=tuple(own.get("pace", ())),
        sets=tuple(own.get("sets", ())),
        along=next((_name_of(view["encoding"]["x"]) for view in following(spec)), ""),
    )  # fmt: skip


def _name_of(channel: Mapping[str, Any]) -> str:
    """The column that a channel shows, without Vega-Lite's escapes."""
    return re.sub(r"\\(.)", r"\1", channel["field"])


def plays(spec: Mapping[str, Any]) -> bool:
    """Whether the page asks for a guess first, or lets a text run."""
    return bool({"guess", "pace"} & set(spec.get("usermeta", {}).get("book", {})))


def _steps(low: float, high: float, step: float) -> list[float]:
    """The values of an evenly spaced slider, without what binary fractions add."""
    return [float(f"{low + i * step:.6g}") for i in range(round((high - low) / step) + 1)]


def _distance(a: Any, b: Any) -> float:
    return abs(a - b) if isinstance(a, (int, float)) and isinstance(b, (int, float)) else float(a != b)


def interactive(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The specification that the page draws: title, control and readout are the page's, lines are met from nearby."""
    spec = copy.deepcopy(dict(spec))
    for key in ("title", "usermeta"):
        spec.pop(key, None)
    spec["usermeta"] = {
        "columns": _legend_columns(spec),
        "axisY": _title_above(spec),
        "phone": list(_phone_swaps(spec)),
    }
    for param in spec.get("params", ()):
        param.pop("bind", None)
    if "layer" in spec:
        spec["layer"] = [layer for layer in spec["layer"] if layer.get("name") != "readout"]
    axes = {field: title for field, title in _axis_titles(spec)}
    for view in list(_views(spec)):
        _name_tooltips(view, axes)
        _meet_from_nearby(view)
    used = json.dumps({key: value for key, value in spec.items() if key != "datasets"})
    spec["datasets"] = {name: rows for name, rows in spec.get("datasets", {}).items() if json.dumps(name) in used}
    if rows(spec):
        spec["height"] = 30 * rows(spec)  # a number: Vega-Lite warns of steps beside a width that follows the page
    return spec


def _views(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield spec
    for key in ("layer", "hconcat", "vconcat", "concat"):
        for part in spec.get(key, ()):
            yield from _views(part)


def _axis_titles(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for view in _views(spec):
        for channel in ("x", "y"):
            encoding = view.get("encoding", {}).get(channel, {})
            if encoding.get("field") and encoding.get("title"):
                yield encoding["field"], re.sub(r"\s*\(log scale[^)]*\)", "", encoding["title"])


def _name_tooltips(view: dict[str, Any], axes: Mapping[str, str]) -> None:
    """Call what a tooltip shows as its axis calls it, unit and all."""
    tips = view.get("encoding", {}).get("tooltip")
    for tip in tips if isinstance(tips, list) else ():
        tip["title"] = axes.get(tip.get("field"), tip.get("title"))


def _mark(view: Mapping[str, Any]) -> str:
    mark = view.get("mark", "")
    return mark.get("type", "") if isinstance(mark, Mapping) else mark


def _meet_from_nearby(view: dict[str, Any]) -> None:
    """Beside each line that has tooltips, unseen points that carry them: the page shows the one nearest the pointer."""
    encoding = view.get("encoding", {})
    if _mark(view) != "line" or not encoding.get("tooltip"):
        return
    mark = view.pop("mark")
    del view["encoding"]
    for series in (encoding[key] for key in ("color", "strokeDash") if "field" in encoding.get(key, {})):
        if series.get("legend", {}) is not None:
            series["legend"] = {"symbolType": "stroke"} | series.get("legend", {})
    kept = ("x", "y", "color", "strokeDash", "tooltip")  # what differs would give line and points a legend each
    met = {key: encoding[key] for key in kept if key in encoding}
    line = {"mark": mark, "encoding": {key: value for key, value in encoding.items() if key != "tooltip"}}
    view["layer"] = [line, {"mark": {"type": "point", "size": 90, "opacity": 0, "aria": False}, "encoding": met}]


def rows(view: Mapping[str, Any]) -> int:
    """The number of names on a vertical axis, 0 if it has none."""
    y = view.get("encoding", {}).get("y", {})
    if y.get("type") == "nominal" and isinstance(y.get("sort"), list):
        return len(y["sort"])
    return max((rows(layer) for layer in view.get("layer", ())), default=0)


def narrow(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The specification for a picture that a phone can read: as wide as its screen, titles of axes in several lines."""
    spec = {key: value for key, value in spec.items() if key not in ("title", "usermeta")}
    text = _compact(spec)
    for wide, small in _phone_swaps(spec):
        text = text.replace(wide, small)
    spec = json.loads(text)
    if "layer" in spec:
        spec["layer"] = [layer for layer in spec["layer"] if layer.get("name") != "readout"]
    for view in _views(spec):
        x = view.get("encoding", {}).get("x", {})
        if isinstance(x.get("title"), str):
            x["title"] = textwrap.wrap(x["title"], 44)
        if (x.get("scale") or {}).get("type") == "log" and x.get("axis", {}) is not None:
            x["axis"] = x.get("axis", {}) | {"tickCount": 8}  # of which those that meet are left out
        y = view.get("encoding", {}).get("y", {})
        if isinstance(y.get("title"), str):
            y["title"] = textwrap.wrap(y["title"], 44)
    config = spec["config"] = spec.get("config", {})
    config["axisX"] = config.get("axisX", {}) | {"tickCount": 4, "labelOverlap": True, "titleAnchor": "end"}
    config["axisY"] = config.get("axisY", {}) | _title_above(spec)
    config["axis"] = config.get("axis", {}) | {"labelLimit": LABEL}
    config["legend"] = config.get("legend", {}) | {"columns": _legend_columns(spec), "labelLimit": NARROW - 40}
    config["legend"] |= {"offset": 40} if _title_above(spec) else {}
    config["padding"] = 2
    if rows(spec):
        spec["height"] = 30 * rows(spec)
    fits = {"type": "fit-x", "contains": "padding"}
    return spec | ({"width": NARROW, "autosize": fits} if "mark" in spec or "layer" in spec else {})


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _phone_swaps(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Parts of a specification's text, and what stands there on a phone: names in short lines, labels apart."""
    axes = [view.get("encoding", {}).get("y", {}).get("axis") or {} for view in _views(spec)]
    expressions = {axis.get("labelExpr", "") for axis in axes}
    for found in filter(None, (re.match(r"\{.*\}(?=\[datum\.value\])", text) for text in sorted(expressions))):
        lines = {name: _two_lines(name) for name in json.loads(found[0])}
        yield _compact(found[0])[1:-1], _compact(_compact(lines))[1:-1]
    lowest = min(_labels_at_the_right(spec), key=lambda label: label[0], default=None)
    if lowest is not None and len(list(_labels_at_the_right(spec))) > 1:
        yield _compact(lowest[1]), _compact(lowest[1] | {"baseline": "top", "dy": 3})


def _two_lines(name: str) -> list[str]:
    """A name in at most two lines, as short as they can be from 22 letters on."""
    return next(lines for width in itertools.count(22) if len(lines := textwrap.wrap(name, width) or [""]) < 3)


def _title_above(spec: Mapping[str, Any]) -> dict[str, int]:
    """Where the title of a phone's vertical axis stands: above the labels of vertical reference lines, if there are."""
    marked = any(_mark(view) == "text" and "datum" in view.get("encoding", {}).get("x", {}) for view in _views(spec))
    return {"titleY": -26} if marked else {}


def _labels_at_the_right(spec: Mapping[str, Any]) -> Iterator[tuple[float, Mapping[str, Any]]]:
    """Value and mark of each label of a horizontal reference line."""
    for view in _views(spec):
        at = view.get("encoding", {}).get("y", {}).get("datum")
        if _mark(view) == "text" and isinstance(at, (int, float)):
            yield at, view["mark"]


def _legend_columns(spec: Mapping[str, Any]) -> int:
    """Columns of a legend on a phone, above a plot that leaves room for the names on its axis."""
    names = [name for view in _views(spec) for name in view.get("encoding", {}).get("y", {}).get("sort") or ()]
    left = min(LABEL, 6 * max(map(len, names), default=6))
    return 2 if 2 * (32 + 6.2 * _longest_series(spec)) <= NARROW - left else 1


def _longest_series(spec: Mapping[str, Any]) -> int:
    """Letters of the longest name in a legend."""
    fields = {
        v["encoding"]["color"]["field"] for v in _views(spec) if v.get("encoding", {}).get("color", {}).get("field")
    }
    named = (row.get(field) for data in spec.get("datasets", {}).values() for row in data for field in fields)
    return max((len(str(name)) for name in named if name is not None), default=0)


def dressed(svg: str) -> str:
    """A picture less title and read-out, which the page writes, that turns dark with the element that holds it."""
    root = ElementTree.fromstring(svg)
    if root[0].tag.endswith("rect"):
        root.remove(root[0])  # the white ground
    _cut(root)
    for element in root.iter():
        for key in [key for key in element.attrib if key.startswith("aria-") or key in ("role", "pointer-events")]:
            del element.attrib[key]
    text = ElementTree.tostring(root, encoding="unicode")
    kinds = [(kind, light, dark) for light, dark in DARK.items() for kind in ("fill", "stroke")]
    rules = "".join(
        f'[{kind}="{light}"]{{{kind}:{dark}}}' for kind, light, dark in kinds if f'{kind}="{light}"' in text
    )
    style = f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>" if rules else ""
    return re.sub(r"(<svg[^>]*>)", lambda found: found[1] + style, text, count=1)


def _cut(root: ElementTree.Element) -> None:
    """Remove title and read-out of a picture, and the room that they took above the plot and its legend."""
    body = next((part for part in root if "transform" in part.attrib), None)
    if body is None:
        return
    ends, legends = [0.0], []
    for parent in list(root.iter()):
        for part in list(parent):
            kind = part.get("class", "")
            inside = next((inner for inner in part.iter(f"{SVG}g") if "transform" in inner.attrib), None)
            if "role-legend" in kind.split() and inside is not None:
                legends.append(_down(body) + _down(inside) - 4)
            if "role-title" in kind.split() or "readout_marks" in kind:
                text = next(part.iter(f"{SVG}text"), None)
                if text is not None:
                    moved = _down(inside) if inside is not None else 0.0
                    ends.append(_down(body) + moved + _down(text) + 17 * max(0, len(text) - 1) + 5)
                parent.remove(part)
    top = max(0.0, min(max(ends), *legends, *_tops(body, 0.0)))
    width, height = float(root.get("width")), float(root.get("height"))
    root.set("viewBox", f"0 {top:g} {width:g} {height - top:g}")
    root.set("height", f"{height - top:g}")


def _tops(element: ElementTree.Element, down: float) -> Iterator[float]:
    """Where the texts of a picture begin, so that none is cut."""
    down += _down(element)
    if element.tag == f"{SVG}text":
        yield down - float(element.get("font-size", "12").removesuffix("px"))
    for part in element:
        yield from _tops(part, down)


def _down(element: ElementTree.Element) -> float:
    """How far an element's transform moves it down."""
    found = re.search(r"translate\([^,)]+,\s*(-?[\d.]+)\)", element.get("transform", ""))
    return float(found[1]) if found else 0.0


# Points that follow a handle before anything is drawn


_END = re.compile(r"([\d.e+-]+) \* pow\(([\d.e+-]+), (-?\d+) / max\(width - (\d+), 60\)\)")


def standing(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The specification without title and read-out, and without what follows the handle."""
    spec = copy.deepcopy(dict(spec))
    for key in ("title", "usermeta"):
        spec.pop(key, None)
    for view in list(_views(spec)):
        if "layer" in view:
            view["layer"] = [part for part in view["layer"] if part.get("name") != "readout" and not _follows(part)]
    return spec


def _follows(view: Mapping[str, Any]) -> bool:
    return "transform" in view and _mark(view) in ("point", "rule")


def following(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The points of a chart that move along curves which stand still; none of a chart whose curves move."""
    views = list(_views(spec))
    stands = any(_mark(view) == "line" and "transform" not in view for view in views)
    if not stands or any("transform" in view and not _follows(view) for view in views):
        return []
    return [view for view in views if _follows(view) and _mark(view) == "point"]


def places(spec: Mapping[str, Any], handle: Moved, svg: str) -> dict[str, Any] | None:
    """Where the moving points stand in a picture at each value: ``at[value] = [[x, y, series], …]``, in its pixels."""
    frame = re.search(r'<g[^>]*translate\(([\d.]+),([\d.]+)\)"[^>]*>.*?d="M0,0h([\d.]+)v([\d.]+)h', svg, re.DOTALL)
    moving = following(spec)
    if frame is None or not moving:
        return None
    left, top, width, height = map(float, frame.groups())
    encoding = moving[0]["encoding"]
    across, up = (_scale(encoding[channel], width) for channel in ("x", "y"))
    if across is None or up is None:
        return None
    names = encoding["color"]["scale"]["domain"]
    x, y, series = (encoding[channel]["field"] for channel in ("x", "y", "color"))
    at: list[list[Any]] = [[] for _ in handle.values]
    for row in data_rows(spec):
        if handle.name in row and row.get(y) is not None and row.get(series) in names:
            place = handle.values.index(min(handle.values, key=lambda value: _distance(value, row[handle.name])))
            point = left + width * across(row[x]), top + height * (1 - up(row[y])), names.index(row[series])
            at[place].append([round(point[0], 1), round(point[1], 1), point[2]])
    view = [float(part) for part in re.search(r'viewBox="([^"]+)"', svg)[1].split()]
    return {"box": view, "plot": [top, top + height], "at": at}


def _scale(channel: Mapping[str, Any], width: float) -> Callable[[float], float] | None:
    """A channel's scale as shares of its length, None if it is not one of those that stand where the book says."""
    domain = channel.get("scale", {}).get("domain", ())
    if channel.get("scale", {}).get("nice") is False and all(isinstance(end, (int, float)) for end in domain):
        first, last = domain
        return lambda value: (value - first) / (last - first)
    found = [_END.fullmatch(end["expr"]) for end in domain if isinstance(end, Mapping) and "expr" in end]
    if len(found) != 2 or None in found:
        return None
    ends = [float(m[1]) * float(m[2]) ** (float(m[3]) / max(width - float(m[4]), 60)) for m in found]
    low, high = map(math.log, ends)
    return lambda value: (math.log(value) - low) / (high - low)


def size(svg: str) -> tuple[int, int]:
    """Width and height of a picture in pixels, for a page that keeps its place."""
    found = re.search(r'<svg[^>]*?\bwidth="([\d.]+)"[^>]*?\bheight="([\d.]+)"', svg)
    return (math.ceil(float(found[1])), math.ceil(float(found[2]))) if found else (NARROW, 280)


def data_rows(spec: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """All rows of all datasets."""
    return [row for data in spec.get("datasets", {}).values() for row in data]
