"""What all charts of the book share: one Altair theme, one renderer, and the parts of which the forms are made.

A displayed chart becomes its Vega-Lite specification and an SVG, the same bytes on every run: data at 6 significant
digits, datasets named by their rounded rows, counters renumbered, text measured with the one font that vl-convert
brings along. A chart without title, description (its alt text) or axis titles is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from llm_economics.book import drawing
from llm_economics.book.drawing import FONT, GRID, INK, MUTED, PALETTE
from llm_economics.facts.units import rounded, show
from llm_economics.formulas.elementwise import ParameterError, check_choice

NUMBER = ",.3~r"
"""d3 format of a number that is shown: three significant digits, thousands separators."""


Rule = tuple[str, Any, str]
"""A reference line: axis ("x" or "y"), value (a date on an axis of dates), label."""


# Theme and renderer


def theme() -> dict[str, Any]:
    """The Altair theme ``book``: quiet axes, y title above its axis, one palette."""
    axis = {"labelColor": INK, "titleColor": MUTED, "gridColor": GRID, "domainColor": MUTED, "tickColor": MUTED}
    axis |= {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 230,
        "labelSeparation": 8,
    }
    title = {"anchor": "start", "frame": "bounds", "fontSize": 15, "color": INK, "offset": 14}
    numbers = {"domain": False, "ticks": False, "labelPadding": 6}
    names = {"grid": False, "ticks": False, "domain": False, "labelPadding": 8}
    config = {
        "font": FONT,
        "background": "white",
        "padding": 8,
        "view": {"continuousWidth": 560, "continuousHeight": 280, "discreteHeight": {"step": 30}, "stroke": None},
        "title": title,
        "axis": axis,
        "axisX": {"titlePadding": 10, "tickCount": 6, "labelBound": True},
        "axisY": {
            "tickCount": 6,
            "titleAngle": 0,
            "titleAlign": "left",
            "titleX": 0,
            "titleY": -12,
            "titleBaseline": "bottom",
        },
        "axisQuantitative": numbers,
        "axisTemporal": numbers,
        "axisDiscrete": names,
        "legend": {"orient": "top", "title": None, "labelFontSize": 12, "labelColor": INK, "columns": 3}
        | {"labelLimit": 260, "symbolStrokeWidth": 2.5, "offset": 26},
        "range": {"category": list(PALETTE)},
        "line": {"strokeWidth": 2.5, "color": PALETTE[0]},
        "point": {"size": 70, "filled": True, "color": PALETTE[0], "opacity": 1},
        "bar": {"color": PALETTE[0]},
        "rule": {"color": MUTED, "strokeWidth": 1.5},
        "text": {"fontSize": 12, "color": INK},
    }
    return {"config": config}


def enable() -> None:
    """Make Altair use this module's theme and renderer."""
    alt.theme.register("book", enable=True)(theme)
    alt.renderers.register("book", render)
    alt.renderers.enable("book")
    alt.utils.schemapi.disable_debug_mode()  # a chart is held against the schema whole, not each of its parts as well
    for part in (alt.FacetedEncoding, alt.MarkDef):  # a fifth of a chapter's time went into copies that nobody changes
        part.__deepcopy__ = lambda self, memo: self


def render(spec: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The MIME bundle of a chart's specification; its description alone where no drawing is wanted.

    Raises
    ------
    ParameterError
        If the chart has no title, no description, or an axis of numbers without title.
    """
    spec = clean(spec)
    text = {"text/plain": f"[chart] {spec['description']}"}
    return drawing.bundle(spec) | text if drawing.wanted() else text


def clean(spec: dict[str, Any]) -> dict[str, Any]:
    """A specification that is the same on every run: rounded data, stable names; refuses what :func:`render` does."""
    _refuse_unlabelled(spec)
    body = rounded({key: value for key, value in spec.items() if key != "datasets"})
    text = json.dumps(body, ensure_ascii=False)
    counters: dict[str, str] = {}
    text = re.sub(
        r"\b(param|view|concat|layer)_\d+(?!\d)",
        lambda m: counters.setdefault(m[0], f"{m[1]}_{sum(k.startswith(m[1]) for k in counters) + 1}"),
        text,
    )
    datasets = {}
    for old, rows in rounded(spec.get("datasets", {})).items():
        digest = hashlib.sha256(json.dumps(rows, sort_keys=True, default=str).encode()).hexdigest()
        name = f"data-{digest[:12]}" if re.fullmatch(r"data-[0-9a-f]{32}", old) else old
        text = text.replace(json.dumps(old), json.dumps(name))
        datasets[name] = rows
    return json.loads(text) | ({"datasets": datasets} if datasets else {})


def _refuse_unlabelled(spec: Mapping[str, Any]) -> None:
    title = spec.get("title")
    title = title.get("text") if isinstance(title, Mapping) else title
    name = " ".join(title) if isinstance(title, list) else title
    _say_what(name, spec.get("description"))
    for channel in _unlabelled_axes(spec):
        raise ParameterError(f"chart {name!r} is not allowed: its {channel} axis needs a title with the unit")


def _say_what(title: Any, description: Any) -> None:
    if not str(title or "").strip():
        raise ParameterError("chart is not allowed: it needs a title that says the finding")
    if not str(description or "").strip():
        raise ParameterError(f"chart {title!r} is not allowed: it needs a description, which is its alt text")


def _unlabelled_axes(view: Mapping[str, Any]) -> Iterable[str]:
    """Channels of numbers or dates that no layer gives a title."""
    for key in ("hconcat", "vconcat", "concat"):
        for part in view.get(key, ()):
            yield from _unlabelled_axes(part)
    if isinstance(view.get("spec"), Mapping):
        yield from _unlabelled_axes(view["spec"])
    for channel in ("x", "y"):
        drawn = [
            d
            for d in _definitions(view, channel)
            if d.get("axis", {}) is not None and ("field" in d or "aggregate" in d)
        ]
        numbers = [d for d in drawn if d.get("type") in ("quantitative", "temporal")]
        if numbers and not any(d.get("title") or (d.get("axis") or {}).get("title") for d in drawn):
            yield channel


def _definitions(view: Mapping[str, Any], channel: str) -> Iterable[Mapping[str, Any]]:
    if channel in view.get("encoding", {}):
        yield view["encoding"][channel]
    for layer in view.get("layer", ()):
        yield from _definitions(layer, channel)


# Parts that the chart forms share


def finish(chart: Any, title: str, description: str) -> Any:
    """The chart with its title, broken into lines, and its alt text."""
    _say_what(title, description)
    return chart.properties(title=textwrap.wrap(title, 68), description=" ".join(description.split()))


def has(frame: pd.DataFrame, *columns: str | None) -> None:
    """Refuse a frame that lacks one of the columns."""
    for column in filter(None, columns):
        check_choice("column", column, tuple(frame.columns))


def field_of(column: str) -> str:
    """A column's name as Vega-Lite reads it: dots and brackets are no paths."""
    return re.sub(r"([.\[\]])", r"\\\1", column)


def utc(frame: pd.DataFrame) -> pd.DataFrame:
    """Dates without a zone as UTC, since Vega reads them in the zone of the machine."""
    naive = [column for column in frame if frame[column].dtype.kind == "M" and frame[column].dt.tz is None]
    return frame.assign(**{column: frame[column].dt.tz_localize("UTC") for column in naive})


def tooltips(frame: pd.DataFrame) -> list[alt.Tooltip]:
    """What a pointer is shown of a row: each column with its name, dates and numbers in the book\'s formats."""
    kinds = {"M": {"timeUnit": "utcyearmonthdate", "type": "temporal"}}
    kinds |= {number: {"type": "quantitative", "format": ",.4~r"} for number in "iuf"}
    return [
        alt.Tooltip(
            field=field_of(column),
            title=column.replace("_", " "),
            **kinds.get(frame[column].dtype.kind, {"type": "nominal"}),
        )
        for column in frame.columns
    ]


def number_axis(
    frame: pd.DataFrame, column: str, title: str | None, *also: Any, log: bool = False, zero: bool = False,
    left: float = 0, right: float = 0,
) -> dict[str, Any]:  # fmt: skip
    """An axis with a fixed scale over a column (and ``also``), with pixels kept free for labels beyond its ends."""
    if pd.api.types.is_datetime64_any_dtype(frame[column]):
        dates = {"scale": alt.Scale(type="utc"), "axis": alt.Axis(grid=True)}
        return {"field": field_of(column), "type": "temporal", "title": title, **dates}
    values = [*map(float, frame[column].dropna()), *map(float, also)]
    low, high = rounded(min(values)), rounded(max(values))
    if log and not low > 0:
        raise ParameterError(f"{column} = {low!r} is not allowed: it must be above 0 on a logarithmic axis")
    low, high = (min(low, 0.0), max(high, 0.0)) if zero and not log else (low, high)
    left, right = (left or 8, right or 8) if log else (left, right)
    free = f"/ max(width - {left + right}, 60)"
    if log:
        ratio = high / low if high > low else 10
        ends = [f"{low!r} * pow({ratio!r}, -{left} {free})", f"{high!r} * pow({ratio!r}, {right} {free})"]
        scale = alt.Scale(type="log", domain=[*map(alt.ExprRef, ends)], nice=False)
    elif left or right:
        ends = [f"{low!r} - {high - low!r} * {left} {free}", f"{high!r} + {high - low!r} * {right} {free}"]
        scale = alt.Scale(domain=[*map(alt.ExprRef, ends)], nice=False, zero=False)
    else:
        scale = alt.Scale(domain=[low, high], nice=True, zero=zero)
    axis = {"scale": scale, "axis": alt.Axis(grid=True)}
    return {"field": field_of(column), "type": "quantitative", "title": title, **axis}


def room(texts: Iterable[Any]) -> int:
    """Pixels that the longest label beside a mark takes; numbers are printed as :data:`NUMBER` prints them."""
    return 16 + 7 * max((len(text if isinstance(text, str) else show(text)) for text in texts), default=0)


def both_ends(frame: pd.DataFrame, column: str, base: float) -> dict[str, int]:
    """Room for the numbers that :func:`_numbers_at_ends` prints."""
    beyond = {"left": frame.loc[frame[column] < base, column], "right": frame.loc[frame[column] >= base, column]}
    return {side: room(values) for side, values in beyond.items() if len(values)}


def names_axis(frame: pd.DataFrame, column: str) -> alt.Y:
    """The categories of a horizontal chart in the order of the frame, long ones broken into two lines."""
    order = list(dict.fromkeys(map(str, frame[column])))
    lines = {name: textwrap.wrap(name, max(24, len(name) // 2 + 5)) or [""] for name in order}
    text = f"{json.dumps(lines, ensure_ascii=False)}[datum.value]"
    baseline = {"condition": {"test": f"length({text}) > 1", "value": "bottom"}, "value": "middle"}
    axis = alt.Axis(labelExpr=text, labelBaseline=baseline, labelLineHeight=13)
    return alt.Y(field=field_of(column), type="nominal", sort=order, title=None, axis=axis)


def series_of(column: str | None, *channels: Any) -> list[Any]:
    """Channels that tell series apart, in the order of the frame."""
    return [channel(field=field_of(column), type="nominal", sort=None) for channel in channels if column is not None]


def numbers_at_ends(
    frame: pd.DataFrame, chart: alt.Chart, value: str, base: float = 0.0, text: str | None = None
) -> list[alt.Chart]:
    """The number beyond the end of each bar or dot, on the side that points away from ``base``."""
    number = alt.Text(field=field_of(text or value), type="quantitative", format=NUMBER)
    chart = chart.encode(text=number, color=alt.value(INK))
    sides = {"left": ("right", -8, "<"), "right": ("left", 8, ">=")}
    return [
        chart.mark_text(align=align, dx=dx).transform_filter(f"datum[{value!r}] {compare} {rounded(base)!r}")
        for align, dx, compare in (sides[side] for side in both_ends(frame, value, base))
    ]


def values_at(rules: Sequence[Rule], axis: str) -> list[Any]:
    """Values of the reference lines across one axis."""
    return [value for place, value, _ in rules if place == axis]


def with_rules(chart: Any, rules: Sequence[Rule], *, labels: bool = True) -> Any:
    """The chart over dashed reference lines, labelled above the plot (x) or at its right end (y), or read out only."""
    layers = []
    for axis, value, label in rules:
        check_choice("axis", axis, ("x", "y"))
        if isinstance(value, (int, float)):
            at, here = rounded(value), repr(rounded(value))
        else:
            day = pd.Timestamp(value)
            at = alt.DateTime(year=day.year, month=day.month, date=day.day, utc=True)
            value, here = day.date().isoformat(), f"utc({day.year}, {day.month - 1}, {day.day})"
        base = alt.Chart(pd.DataFrame([{"reference": label, "value": value}])).encode(**{axis: alt.datum(at)})
        if axis == "x":
            place = f"scale('x', {here}) / width"
            align = alt.ExprRef(f"{place} > 0.8 ? 'right' : {place} < 0.2 ? 'left' : 'center'")
            text = base.mark_text(text=label, aria=False, align=align, baseline="bottom", y=-4)
        else:
            text = base.mark_text(text=label, aria=False, align="right", baseline="bottom", dy=-3, x="width")
        layers += [base.mark_rule(strokeDash=[5, 4], description=label), *([text] if labels else [])]
    return alt.layer(*layers, chart) if layers else chart


def bar_marks(frame: pd.DataFrame, chart: alt.Chart, value: str, series: Sequence[Any], log: bool) -> alt.LayerChart:
    """Bars with their numbers at the ends; dots on a logarithmic axis, which has no zero."""
    chart = chart.encode(*series)
    drawn = chart.mark_point(size=110) if log else chart.mark_bar(height={"band": 0.68}, cornerRadiusEnd=2)
    return alt.layer(drawn, *numbers_at_ends(frame, chart, value))
