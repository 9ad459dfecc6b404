"""Charts of the book: one Altair theme, one renderer, and the few chart forms that chapters share.

Importing this module enables both (:func:`enable`). A displayed chart becomes its Vega-Lite
specification and an SVG, the same bytes on every run: data at 6 significant digits, datasets
named by their rounded rows, counters renumbered, text measured with the one font that
vl-convert brings along. A chart without title, description (its alt text) or axis titles is refused.

Every form takes a data frame and the names of its columns, and returns a plain ``alt.Chart``
or ``alt.LayerChart`` that a chapter may go on to change. It raises ``ParameterError`` if a column
is missing, a logarithmic axis meets a value not above 0, or title or description is empty.
"""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from llm_economics.book import drawing
from llm_economics.facts.units import rounded, show
from llm_economics.formulas.elementwise import ParameterError, check_choice

MIME = "application/vnd.vegalite.v5+json"
"""What JupyterLab draws; the specification itself names the Vega-Lite version that it is written for."""

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
PALETTE = ("#0072b2", "#d55e00", "#008f68", "#b5579b", "#8a6d1d", "#707070")
"""Okabe and Ito's colours, darkened to at least 3:1 against a white and a near-black page."""
INK, MUTED, GRID = "#1f2328", "#59636e", "#d8dee4"
NUMBER = ",.3~r"
"""d3 format of a number that is shown: three significant digits, thousands separators."""

Title = str | Callable[[pd.DataFrame], str]
"""What a chart that is moved finds: a sentence, or one for each value of its slider, from the rows at that value."""

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
    for part in (alt.FacetedEncoding, alt.MarkDef):  # a fifth of a chapter's time went into copies that nobody changes
        part.__deepcopy__ = lambda self, memo: self


def render(spec: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The MIME bundle of a chart's specification.

    Raises
    ------
    ParameterError
        If the chart has no title, no description, or an axis of numbers without title.
    """
    spec = clean(spec)
    svg = stable_ids(drawing.svg(spec))
    return {MIME: spec, "image/svg+xml": svg, "text/plain": f"[chart] {spec['description']}"}


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


def stable_ids(svg: str) -> str:
    """Renumber the clip and gradient ids, which vl-convert counts up through a process."""
    seen: dict[str, str] = {}
    return re.sub(r"\b(clip|gradient_)\d+\b", lambda m: seen.setdefault(m[0], f"{m[1]}{len(seen)}"), svg)


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


def _finish(chart: Any, title: str, description: str) -> Any:
    _say_what(title, description)
    return chart.properties(title=textwrap.wrap(title, 68), description=" ".join(description.split()))


def _has(frame: pd.DataFrame, *columns: str | None) -> None:
    for column in filter(None, columns):
        check_choice("column", column, tuple(frame.columns))


def _field(column: str) -> str:
    """A column's name as Vega-Lite reads it: dots and brackets are no paths."""
    return re.sub(r"([.\[\]])", r"\\\1", column)


def _utc(frame: pd.DataFrame) -> pd.DataFrame:
    """Dates without a zone as UTC, since Vega reads them in the zone of the machine."""
    naive = [column for column in frame if frame[column].dtype.kind == "M" and frame[column].dt.tz is None]
    return frame.assign(**{column: frame[column].dt.tz_localize("UTC") for column in naive})


def _tooltips(frame: pd.DataFrame) -> list[alt.Tooltip]:
    kinds = {"M": {"timeUnit": "utcyearmonthdate", "type": "temporal"}}
    kinds |= {number: {"type": "quantitative", "format": ",.4~r"} for number in "iuf"}
    return [
        alt.Tooltip(
            field=_field(column),
            title=column.replace("_", " "),
            **kinds.get(frame[column].dtype.kind, {"type": "nominal"}),
        )
        for column in frame.columns
    ]


def _number(
    frame: pd.DataFrame, column: str, title: str | None, *also: Any, log: bool = False, zero: bool = False,
    left: float = 0, right: float = 0,
) -> dict[str, Any]:  # fmt: skip
    """An axis with a fixed scale over a column (and ``also``), with pixels kept free for labels beyond its ends."""
    if pd.api.types.is_datetime64_any_dtype(frame[column]):
        dates = {"scale": alt.Scale(type="utc"), "axis": alt.Axis(grid=True)}
        return {"field": _field(column), "type": "temporal", "title": title, **dates}
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
    return {"field": _field(column), "type": "quantitative", "title": title, **axis}


def _room(texts: Iterable[Any]) -> int:
    """Pixels that the longest label beside a mark takes; numbers are printed as :data:`NUMBER` prints them."""
    return 16 + 7 * max((len(text if isinstance(text, str) else show(text)) for text in texts), default=0)


def _both_ends(frame: pd.DataFrame, column: str, base: float) -> dict[str, int]:
    """Room for the numbers that :func:`_numbers_at_ends` prints."""
    beyond = {"left": frame.loc[frame[column] < base, column], "right": frame.loc[frame[column] >= base, column]}
    return {side: _room(values) for side, values in beyond.items() if len(values)}


def _names(frame: pd.DataFrame, column: str) -> alt.Y:
    """The categories of a horizontal chart in the order of the frame, long ones broken into two lines."""
    order = list(dict.fromkeys(map(str, frame[column])))
    lines = {name: textwrap.wrap(name, max(24, len(name) // 2 + 5)) or [""] for name in order}
    text = f"{json.dumps(lines, ensure_ascii=False)}[datum.value]"
    baseline = {"condition": {"test": f"length({text}) > 1", "value": "bottom"}, "value": "middle"}
    axis = alt.Axis(labelExpr=text, labelBaseline=baseline, labelLineHeight=13)
    return alt.Y(field=_field(column), type="nominal", sort=order, title=None, axis=axis)


def _series(column: str | None, *channels: Any) -> list[Any]:
    """Channels that tell series apart, in the order of the frame."""
    return [channel(field=_field(column), type="nominal", sort=None) for channel in channels if column is not None]


def _numbers_at_ends(
    frame: pd.DataFrame, chart: alt.Chart, value: str, base: float = 0.0, text: str | None = None
) -> list[alt.Chart]:
    """The number beyond the end of each bar or dot, on the side that points away from ``base``."""
    number = alt.Text(field=_field(text or value), type="quantitative", format=NUMBER)
    chart = chart.encode(text=number, color=alt.value(INK))
    sides = {"left": ("right", -8, "<"), "right": ("left", 8, ">=")}
    return [
        chart.mark_text(align=align, dx=dx).transform_filter(f"datum[{value!r}] {compare} {rounded(base)!r}")
        for align, dx, compare in (sides[side] for side in _both_ends(frame, value, base))
    ]


def _at(rules: Sequence[Rule], axis: str) -> list[Any]:
    return [value for place, value, _ in rules if place == axis]


def _with_rules(chart: Any, rules: Sequence[Rule], *, labels: bool = True) -> Any:
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


# The chart forms


def line(
    frame: pd.DataFrame, x: str, y: str, *, title: str, description: str, x_title: str, y_title: str,
    color: str | None = None, kind: str = "line", log_x: bool = False, log_y: bool = False,
    rules: Sequence[Rule] = (), markers: pd.DataFrame | None = None,
) -> alt.Chart | alt.LayerChart:  # fmt: skip
    """One number against another, as a ``kind`` of line, points or both.

    ``color`` is the column that tells series apart (they differ in dash or shape as well); ``markers`` are a
    few named points on top, with the columns ``x`` and ``y`` and a ``label``.
    """
    _has(frame, x, y, color)
    check_choice("kind", kind, ("line", "points", "both"))
    frame = _utc(frame)
    marked = frame.iloc[:0] if markers is None else _utc(markers)
    at = {
        "x": alt.X(**_number(frame, x, x_title, *marked[x], *_at(rules, "x"), log=log_x)),
        "y": alt.Y(**_number(frame, y, y_title, *marked[y], *_at(rules, "y"), log=log_y, zero=not log_y)),
    }
    chart = alt.Chart(frame).encode(tooltip=_tooltips(frame), **at)
    if kind == "points":
        layers = [chart.mark_point().encode(*_series(color, alt.Color, alt.Shape))]
    else:
        dots = {"size": 45} if kind == "both" else False
        series = [channel.legend(symbolType="stroke") for channel in _series(color, alt.Color, alt.StrokeDash)]
        layers = [chart.mark_line(point=dots).encode(*series)]
    if markers is not None:
        _has(marked, "label")
        named = alt.Chart(marked).encode(tooltip=_tooltips(marked), **at)
        layers.append(named.mark_point(size=110, shape="diamond", color=PALETTE[1]))
        layers.append(named.mark_text(align="left", dx=9, dy=-9).encode(text=alt.Text(field="label", type="nominal")))
    drawn = alt.layer(*layers) if len(layers) > 1 else layers[0]
    return _finish(_with_rules(drawn, rules), title, description)


def _bars(frame: pd.DataFrame, chart: alt.Chart, value: str, color: str | None, log: bool) -> alt.LayerChart:
    chart = chart.encode(*_series(color, alt.Color))
    drawn = chart.mark_point(size=110) if log else chart.mark_bar(height={"band": 0.68}, cornerRadiusEnd=2)
    return alt.layer(drawn, *_numbers_at_ends(frame, chart, value))


def bars(
    frame: pd.DataFrame, name: str, value: str, *, title: str, description: str, x_title: str,
    color: str | None = None, log: bool = False, rules: Sequence[Rule] = (),
) -> alt.LayerChart:  # fmt: skip
    """One number for each name, printed beside its bar; on a logarithmic axis, which has no zero, a dot."""
    _has(frame, name, value, color)
    x = alt.X(**_number(frame, value, x_title, *_at(rules, "x"), log=log, zero=True, **_both_ends(frame, value, 0)))
    chart = alt.Chart(frame).encode(x=x, y=_names(frame, name), tooltip=_tooltips(frame))
    return _finish(_with_rules(_bars(frame, chart, value, color, log), rules), title, description)


def tornado(
    parts: Iterable[Any], base: float, *, title: str, description: str, x_title: str,
    names: Mapping[str, str] | None = None, log: bool = False,
) -> alt.LayerChart:  # fmt: skip
    """How far the answer moves from ``base`` when one input moves at a time; each end is labelled with the input.

    ``parts`` have ``name, low_input, high_input, low, high``, as ``attribution.tornado`` gives them; ``names``
    says how to print an input's name.
    """
    names, base = names or {}, float(base)
    frame = pd.DataFrame(
        {"input": names.get(part.name, part.name.replace("_", " ")), "end": end, "value": value, "answer": answer}
        for part in parts
        for end, value, answer in (("low input", part.low_input, part.low), ("high input", part.high_input, part.high))
    )
    chart = alt.Chart(frame).encode(
        x=alt.X(
            **_number(frame, "answer", x_title, base, log=log, left=_room(frame["value"]), right=_room(frame["value"]))
        ),
        y=_names(frame, "input"),
        tooltip=_tooltips(frame),
    )
    drawn = chart.mark_bar(height={"band": 0.6}).encode(*_series("end", alt.Color), x2=alt.datum(rounded(base)))
    labels = _numbers_at_ends(frame, chart, "answer", base, text="value")
    return _finish(_with_rules(alt.layer(drawn, *labels), [("x", base, show(base))]), title, description)


def ratio_dots(
    frame: pd.DataFrame, name: str, ratio: str, *, title: str, description: str,
    x_title: str = "Ours ÷ theirs (log scale)", color: str | None = None,
) -> alt.LayerChart:  # fmt: skip
    """Ratios as dots on a logarithmic axis, tied to a line at one."""
    _has(frame, name, ratio, color)
    x = _number(
        frame,
        ratio,
        x_title,
        *(1 / frame[ratio]),
        0.5,
        2,
        log=True,
        left=_room(frame[ratio]),
        right=_room(frame[ratio]),
    )
    x["axis"] = alt.Axis(format=".3~r", grid=False)
    chart = alt.Chart(frame).encode(x=alt.X(**x), y=_names(frame, name), tooltip=_tooltips(frame))
    stem = chart.mark_rule(strokeWidth=2).encode(x2=alt.datum(1))
    dots = chart.mark_point(size=110).encode(*_series(color, alt.Color))
    labels = _numbers_at_ends(frame, chart, ratio, 1)
    return _finish(_with_rules(alt.layer(stem, dots, *labels), [("x", 1, "equal")]), title, description)


def strips(
    frame: pd.DataFrame, name: str, ratio: str, *, title: str, description: str,
    color: str | None = None, factor: float | None = None,
) -> alt.LayerChart:  # fmt: skip
    """Predicted ÷ measured for each name, one translucent dot a row, on a logarithmic axis around a line at one.

    ``factor`` adds two lines, at that factor and its inverse; the axis says so, where labels would meet on a phone.
    """
    _has(frame, name, ratio, color)
    x_title = "Predicted ÷ measured (log scale" + (f"; outer lines: a factor of {show(factor)})" if factor else ")")
    outer = [("x", factor, f"{show(factor)} times"), ("x", 1 / factor, f"1 ÷ {show(factor)}")] if factor else []
    x = _number(frame, ratio, x_title, 0.5, 2, *_at(outer, "x"), log=True)
    x["axis"] = alt.Axis(format=".3~r", grid=False)
    chart = alt.Chart(frame).encode(x=alt.X(**x), y=_names(frame, name), tooltip=_tooltips(frame))
    dots = chart.mark_circle(size=70, opacity=0.5).encode(*_series(color, alt.Color))
    inner = _with_rules(dots, outer, labels=False)
    return _finish(_with_rules(inner, [("x", 1, "equal")]), title, description)


def interval(
    frame: pd.DataFrame, name: str, low: str, middle: str, high: str, *, title: str, description: str,
    x_title: str, log: bool = False, rules: Sequence[Rule] = (),
) -> alt.LayerChart:  # fmt: skip
    """From low to high with a dot and its number at the middle, one row for each name."""
    _has(frame, name, low, middle, high)
    ends = [*frame[low], *frame[high], *_at(rules, "x")]
    x = _number(frame, middle, x_title, *ends, log=log, left=16, right=16)
    chart = alt.Chart(frame).encode(y=_names(frame, name), tooltip=_tooltips(frame))
    dot = chart.encode(x=alt.X(**x))
    number = alt.Text(field=_field(middle), type="quantitative", format=NUMBER)
    layers = [
        chart.mark_rule(strokeWidth=8, strokeCap="round", color=PALETTE[0], opacity=0.5).encode(
            x=alt.X(**(x | {"field": _field(low)})), x2=alt.X2(field=_field(high))
        ),
        dot.mark_point(size=120),
        dot.mark_text(dy=14).encode(text=number),
    ]
    return _finish(_with_rules(alt.layer(*layers), rules), title, description)


def waterfall(
    frame: pd.DataFrame, name: str, value: str, *, title: str, description: str, x_title: str, total: str,
    product: bool = False,
) -> alt.LayerChart:  # fmt: skip
    """How parts add up to a total, or with ``product`` how factors multiply up to it, on a logarithmic axis."""
    _has(frame, name, value)
    rows, start = [], 1.0 if product else 0.0
    for part, amount in zip(frame[name], map(float, frame[value]), strict=True):
        end = start * amount if product else start + amount
        sign = "×" if product else "+" if amount >= 0 else "−"
        rows.append((str(part), start, end, "up" if end >= start else "down", sign + show(abs(amount))))
        start = end
    rows.append((total, 1.0 if product else 0.0, start, "total", show(start)))
    steps = pd.DataFrame(rows, columns=["part", "start", "end", "kind", "label"])
    x = _number(steps, "end", x_title, *steps["start"], log=product, zero=True, right=_room(steps["label"]))
    kinds = alt.Scale(domain=["up", "down", "total"], range=[PALETTE[0], PALETTE[1], PALETTE[5]])
    chart = alt.Chart(steps).encode(y=_names(steps, "part"), tooltip=_tooltips(steps))
    drawn = chart.mark_bar(height={"band": 0.68}).encode(
        x=alt.X(**x), x2="start", color=alt.Color(field="kind", type="nominal", scale=kinds, legend=None)
    )
    tip = chart.transform_calculate(tip="max(datum.start, datum.end)").encode(x=alt.X(**(x | {"field": "tip"})))
    labels = tip.mark_text(align="left", dx=7).encode(text=alt.Text(field="label", type="nominal"))
    return _finish(alt.layer(drawn, labels), title, description)


def slider_grid(
    frame: pd.DataFrame, slider: str, x: str, y: str, *, readout: str | Callable[[pd.DataFrame], str],
    title: Title, description: str, slider_title: str, x_title: str, y_title: str | None = None,
    start: Any = None, kind: str = "line", color: str | None = None, log_x: bool = False, log_y: bool = False,
    rules: Sequence[Rule] = (), marks: Mapping[str, Any] | None = None,
) -> alt.LayerChart:  # fmt: skip
    """A chart that the reader moves: one slice of a precomputed grid, and a large number that goes with it.

    Evenly spaced numbers get a slider, anything else a picker; axes stay as they are while it moves.

    Parameters
    ----------
    slider
        Column of the input that is moved, an identifier; ``start`` is its first value (else the middle one).
    readout
        The large text: a column that is constant in each slice, or a function of the slice's frame.
    title
        What the chart finds, or a function of the slice's frame: then the title follows the slider.
    kind
        ``line`` or ``points`` (y against x), or ``bars`` (number x for each name y).
    marks
        Values of the slider that are marked beside its start, each under its name: where a verdict flips.

    Raises
    ------
    ParameterError
        If ``start`` is no value of the grid or the readout is not one text for each slice.
    """
    _has(frame, slider, x, y, color)
    check_choice("kind", kind, ("line", "points", "bars"))
    frame, here, params = _moved(frame, slider, start, slider_title, readout)
    chart = alt.Chart(frame).transform_filter(here).encode(tooltip=_tooltips(frame))
    if kind == "bars":
        across = alt.X(**_number(frame, x, x_title, *_at(rules, "x"), log=log_x, zero=True, **_both_ends(frame, x, 0)))
        drawn = _bars(frame, chart.encode(x=across, y=_names(frame, y)), x, color, log_x)
    else:
        chart = chart.encode(
            *_series(color, alt.Color, alt.StrokeDash if kind == "line" else alt.Shape),
            x=alt.X(**_number(frame, x, x_title, *_at(rules, "x"), log=log_x)),
            y=alt.Y(**_number(frame, y, y_title, *_at(rules, "y"), log=log_y, zero=not log_y)),
        )
        drawn = chart.mark_line() if kind == "line" else chart.mark_point()
    drawn = alt.layer(_with_rules(drawn, rules), _readout(-24 if kind == "bars" else -46)).add_params(*params)
    return _finish_moved(drawn, title, description, frame, slider, start, marks)


def frontier(
    frame: pd.DataFrame, slider: str, x: str, y: str, *, color: str, readout: str | Callable[[pd.DataFrame], str],
    title: Title, description: str, slider_title: str, x_title: str, y_title: str, start: Any = None,
    low: str | None = None, high: str | None = None, rules: Sequence[Rule] = (), marks: Mapping[str, Any] | None = None,
) -> alt.LayerChart:  # fmt: skip
    """Curves on two logarithmic axes that stand still, and on each the point that the reader moves along it.

    Each row is a point of a curve (``color``), at one value of ``slider``; its other columns show where the pointer
    rests. ``low`` and ``high`` are a band around the curve, empty where there is none. ``slider``, ``readout``,
    ``title``, ``start`` and ``marks`` are as in :func:`slider_grid`, and so are the errors.
    """
    _has(frame, slider, x, y, color, low, high)
    frame, here, params = _moved(frame, slider, start, slider_title, readout)
    ends = [value for column in (low, high) if column for value in frame[column].dropna()]
    tooltip = _tooltips(frame.drop(columns=[column for column in (low, high) if column]))
    across = alt.X(**_number(frame, x, x_title, *_at(rules, "x"), log=True))
    up = _number(frame, y, y_title, *ends, *_at(rules, "y"), log=True)
    names = alt.Scale(domain=list(dict.fromkeys(map(str, frame[color]))))  # the same for both, or there are two legends
    stroke = {"symbolType": "stroke", "symbolOpacity": 1}
    hue, dash = (channel.scale(names).legend(**stroke) for channel in _series(color, alt.Color, alt.StrokeDash))
    chart = alt.Chart(frame).encode(hue, x=across)
    curves = chart.mark_line().encode(dash, y=alt.Y(**up))
    there = chart.transform_filter(here).encode(tooltip=tooltip)
    rule = alt.Chart(frame).transform_filter(here).mark_rule(strokeDash=[2, 3]).encode(x=across)
    dots = chart.mark_point(size=60, opacity=0.01).encode(y=alt.Y(**up), tooltip=tooltip)
    layers = [curves, rule, dots, there.mark_point(size=110).encode(y=alt.Y(**up))]
    if low and high:
        band = alt.Y(**(up | {"field": _field(low)}))
        layers.insert(0, chart.mark_area(opacity=0.16).encode(y=band, y2=alt.Y2(field=_field(high))))
    rows = -(-len(names.domain) // 3)  # of the legend, above which the number stands
    drawn = alt.layer(_with_rules(alt.layer(*layers), rules), _readout(-46 - 16 * rows)).add_params(*params)
    return _finish_moved(drawn, title, description, frame, slider, start, marks)


def _finish_moved(
    chart: Any,
    title: Title,
    description: str,
    frame: pd.DataFrame,
    slider: str,
    start: Any,
    marks: Mapping[str, Any] | None,
) -> Any:
    """The chart with the title of its start; those of its other values, and the marks, go along for the page."""
    values, start = _slider_values(frame, slider, start)
    own: dict[str, Any] = {}
    if callable(title):
        titles = [str(title(frame[frame[slider] == value])) for value in values]
        title, own["titles"] = titles[values.index(start)], titles
    if marks:
        own["marks"] = {name: _place(values, value) for name, value in marks.items()}
    finished = _finish(chart, title, description)
    return finished.properties(usermeta={"book": own}) if own else finished


def _place(values: Sequence[Any], value: Any) -> int:
    """The place of the value nearest to ``value``."""
    if isinstance(value, str):
        return values.index(check_choice("mark", value, values))
    return min(range(len(values)), key=lambda i: abs(values[i] - float(value)))


def _slider_values(frame: pd.DataFrame, slider: str, start: Any) -> tuple[list[Any], Any]:
    """The values of a slider in their order, and the one that it starts at."""
    values = list(dict.fromkeys(frame[slider]))
    values = sorted(values) if all(isinstance(value, (int, float)) for value in values) else values
    start = values[len(values) // 2] if start is None else check_choice("start", rounded(start), values)
    return values, start


def _moved(
    frame: pd.DataFrame, slider: str, start: Any, slider_title: str, readout: str | Callable[[pd.DataFrame], str]
) -> tuple[pd.DataFrame, str, tuple[alt.Parameter, alt.Parameter]]:
    """The frame, the test that a row belongs to the slider's value, and the two parameters: value and large text."""
    frame = frame.assign(**{slider: rounded(frame[slider].tolist())})
    values, start = _slider_values(frame, slider, start)
    numeric = all(isinstance(value, (int, float)) for value in values)
    step = rounded((values[-1] - values[0]) / (len(values) - 1)) if numeric and len(values) > 2 else 0
    if step and all(abs(values[0] + i * step - value) < 1e-3 * step for i, value in enumerate(values)):
        bind = alt.binding_range(min=values[0], max=values[-1], step=step, name=slider_title)
        place = f"clamp(round(({slider} - {values[0]!r}) / {step!r}), 0, {len(values) - 1})"
    else:
        labels = [show(value) if numeric else value for value in values]
        bind = alt.binding_select(options=values, labels=labels, name=slider_title)
        place = f"indexof({json.dumps(values)}, {slider})"
    texts = [_slice_text(readout, slider, value, frame[frame[slider] == value]) for value in values]
    number = alt.param(name="readout", expr=f"{json.dumps(texts, ensure_ascii=False)}[{place}]")
    here = f"indexof({json.dumps(values)}, datum.{slider}) === {place}"
    return frame, here, (alt.param(name=slider, value=start, bind=bind), number)


def _readout(above: float) -> alt.Chart:
    return alt.Chart(alt.InlineData([{}]), name="readout").mark_text(
        text=alt.ExprRef("readout"), align="left", fontSize=26, fontWeight="bold", x=0, y=above
    )


def _slice_text(readout: str | Callable[[pd.DataFrame], str], slider: str, value: Any, rows: pd.DataFrame) -> str:
    if callable(readout):
        return str(readout(rows))
    _has(rows, readout)
    found = rows[readout].unique().tolist()
    if len(found) != 1:
        raise ParameterError(f"readout = {readout!r} is not allowed: it has {len(found)} values at {slider} = {value}")
    return found[0] if isinstance(found[0], str) else show(found[0])


enable()
