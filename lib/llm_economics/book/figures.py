"""The chart forms that chapters share; those that a reader moves stand in :mod:`llm_economics.book.moved`.

Importing this module enables the book's theme and renderer (:func:`enable`).

Every form takes a data frame and the names of its columns, and returns a plain ``alt.Chart``
or ``alt.LayerChart`` that a chapter may go on to change. It raises ``ParameterError`` if a column
is missing, a logarithmic axis meets a value not above 0, or title or description is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from llm_economics.book.charting import (
    NUMBER,
    Rule,
    bar_marks,
    both_ends,
    clean,
    enable,
    field_of,
    finish,
    has,
    names_axis,
    number_axis,
    numbers_at_ends,
    render,
    room,
    series_of,
    theme,
    tooltips,
    utc,
    values_at,
    with_rules,
)
from llm_economics.book.drawing import FONT, GRID, INK, MIME, MUTED, PALETTE
from llm_economics.book.moved import clock, frontier, slider_grid, things
from llm_economics.facts.units import rounded, show
from llm_economics.formulas.elementwise import check_choice

__all__ = ["FONT", "GRID", "INK", "MIME", "MUTED", "NUMBER", "PALETTE", "clean", "enable", "render"]
__all__ += ["bars", "clock", "frontier", "interval", "line", "ratio_dots", "slider_grid", "strips", "theme", "things"]
__all__ += ["tornado", "waterfall"]


def line(
    frame: pd.DataFrame, x: str, y: str, *, title: str, description: str, x_title: str, y_title: str,
    color: str | None = None, kind: str = "line", log_x: bool = False, log_y: bool = False,
    rules: Sequence[Rule] = (), markers: pd.DataFrame | None = None,
) -> alt.Chart | alt.LayerChart:  # fmt: skip
    """One number against another, as a ``kind`` of line, points or both.

    ``color`` is the column that tells series apart (they differ in dash or shape as well); ``markers`` are a
    few named points on top, with the columns ``x`` and ``y`` and a ``label``.
    """
    has(frame, x, y, color)
    check_choice("kind", kind, ("line", "points", "both"))
    frame = utc(frame)
    marked = frame.iloc[:0] if markers is None else utc(markers)
    at = {
        "x": alt.X(**number_axis(frame, x, x_title, *marked[x], *values_at(rules, "x"), log=log_x)),
        "y": alt.Y(**number_axis(frame, y, y_title, *marked[y], *values_at(rules, "y"), log=log_y, zero=not log_y)),
    }
    chart = alt.Chart(frame).encode(tooltip=tooltips(frame), **at)
    if kind == "points":
        layers = [chart.mark_point().encode(*series_of(color, alt.Color, alt.Shape))]
    else:
        dots = {"size": 45} if kind == "both" else False
        series = [channel.legend(symbolType="stroke") for channel in series_of(color, alt.Color, alt.StrokeDash)]
        layers = [chart.mark_line(point=dots).encode(*series)]
    if markers is not None:
        has(marked, "label")
        named = alt.Chart(marked).encode(tooltip=tooltips(marked), **at)
        layers.append(named.mark_point(size=110, shape="diamond", color=PALETTE[1]))
        layers.append(named.mark_text(align="left", dx=9, dy=-9).encode(text=alt.Text(field="label", type="nominal")))
    drawn = alt.layer(*layers) if len(layers) > 1 else layers[0]
    return finish(with_rules(drawn, rules), title, description)


def bars(
    frame: pd.DataFrame, name: str, value: str, *, title: str, description: str, x_title: str,
    color: str | None = None, log: bool = False, rules: Sequence[Rule] = (),
) -> alt.LayerChart:  # fmt: skip
    """One number for each name, printed beside its bar; on a logarithmic axis, which has no zero, a dot."""
    has(frame, name, value, color)
    x = alt.X(
        **number_axis(frame, value, x_title, *values_at(rules, "x"), log=log, zero=True, **both_ends(frame, value, 0))
    )
    chart = alt.Chart(frame).encode(x=x, y=names_axis(frame, name), tooltip=tooltips(frame))
    return finish(
        with_rules(bar_marks(frame, chart, value, series_of(color, alt.Color), log), rules), title, description
    )


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
            **number_axis(
                frame, "answer", x_title, base, log=log, left=room(frame["value"]), right=room(frame["value"])
            )
        ),
        y=names_axis(frame, "input"),
        tooltip=tooltips(frame),
    )
    drawn = chart.mark_bar(height={"band": 0.6}).encode(*series_of("end", alt.Color), x2=alt.datum(rounded(base)))
    labels = numbers_at_ends(frame, chart, "answer", base, text="value")
    return finish(with_rules(alt.layer(drawn, *labels), [("x", base, show(base))]), title, description)


def ratio_dots(
    frame: pd.DataFrame, name: str, ratio: str, *, title: str, description: str,
    x_title: str = "Ours ÷ theirs (log scale)", color: str | None = None,
) -> alt.LayerChart:  # fmt: skip
    """Ratios as dots on a logarithmic axis, tied to a line at one."""
    has(frame, name, ratio, color)
    x = number_axis(
        frame,
        ratio,
        x_title,
        *(1 / frame[ratio]),
        0.5,
        2,
        log=True,
        left=room(frame[ratio]),
        right=room(frame[ratio]),
    )
    x["axis"] = alt.Axis(format=".3~r", grid=False)
    chart = alt.Chart(frame).encode(x=alt.X(**x), y=names_axis(frame, name), tooltip=tooltips(frame))
    stem = chart.mark_rule(strokeWidth=2).encode(x2=alt.datum(1))
    dots = chart.mark_point(size=110).encode(*series_of(color, alt.Color))
    labels = numbers_at_ends(frame, chart, ratio, 1)
    return finish(with_rules(alt.layer(stem, dots, *labels), [("x", 1, "equal")]), title, description)


def strips(
    frame: pd.DataFrame, name: str, ratio: str, *, title: str, description: str,
    color: str | None = None, factor: float | None = None,
) -> alt.LayerChart:  # fmt: skip
    """Predicted ÷ measured for each name, one translucent dot a row, on a logarithmic axis around a line at one.

    ``factor`` adds two lines, at that factor and its inverse; the axis says so, where labels would meet on a phone.
    """
    has(frame, name, ratio, color)
    x_title = "Predicted ÷ measured (log scale" + (f"; outer lines: a factor of {show(factor)})" if factor else ")")
    outer = [("x", factor, f"{show(factor)} times"), ("x", 1 / factor, f"1 ÷ {show(factor)}")] if factor else []
    x = number_axis(frame, ratio, x_title, 0.5, 2, *values_at(outer, "x"), log=True)
    x["axis"] = alt.Axis(format=".3~r", grid=False)
    chart = alt.Chart(frame).encode(x=alt.X(**x), y=names_axis(frame, name), tooltip=tooltips(frame))
    dots = chart.mark_circle(size=70, opacity=0.5).encode(*series_of(color, alt.Color))
    inner = with_rules(dots, outer, labels=False)
    return finish(with_rules(inner, [("x", 1, "equal")]), title, description)


def interval(
    frame: pd.DataFrame, name: str, low: str, middle: str, high: str, *, title: str, description: str,
    x_title: str, log: bool = False, rules: Sequence[Rule] = (),
) -> alt.LayerChart:  # fmt: skip
    """From low to high with a dot and its number at the middle, one row for each name."""
    has(frame, name, low, middle, high)
    ends = [*frame[low], *frame[high], *values_at(rules, "x")]
    x = number_axis(frame, middle, x_title, *ends, log=log, left=16, right=16)
    chart = alt.Chart(frame).encode(y=names_axis(frame, name), tooltip=tooltips(frame))
    dot = chart.encode(x=alt.X(**x))
    number = alt.Text(field=field_of(middle), type="quantitative", format=NUMBER)
    layers = [
        chart.mark_rule(strokeWidth=8, strokeCap="round", color=PALETTE[0], opacity=0.5).encode(
            x=alt.X(**(x | {"field": field_of(low)})), x2=alt.X2(field=field_of(high))
        ),
        dot.mark_point(size=120),
        dot.mark_text(dy=14).encode(text=number),
    ]
    return finish(with_rules(alt.layer(*layers), rules), title, description)


def waterfall(
    frame: pd.DataFrame, name: str, value: str, *, title: str, description: str, x_title: str, total: str,
    product: bool = False,
) -> alt.LayerChart:  # fmt: skip
    """How parts add up to a total, or with ``product`` how factors multiply up to it, on a logarithmic axis."""
    has(frame, name, value)
    rows, start = [], 1.0 if product else 0.0
    for part, amount in zip(frame[name], map(float, frame[value]), strict=True):
        end = start * amount if product else start + amount
        sign = "×" if product else "+" if amount >= 0 else "−"
        rows.append((str(part), start, end, "up" if end >= start else "down", sign + show(abs(amount))))
        start = end
    rows.append((total, 1.0 if product else 0.0, start, "total", show(start)))
    steps = pd.DataFrame(rows, columns=["part", "start", "end", "kind", "label"])
    x = number_axis(steps, "end", x_title, *steps["start"], log=product, zero=True, right=room(steps["label"]))
    kinds = alt.Scale(domain=["up", "down", "total"], range=[PALETTE[0], PALETTE[1], PALETTE[5]])
    chart = alt.Chart(steps).encode(y=names_axis(steps, "part"), tooltip=tooltips(steps))
    drawn = chart.mark_bar(height={"band": 0.68}).encode(
        x=alt.X(**x), x2="start", color=alt.Color(field="kind", type="nominal", scale=kinds, legend=None)
    )
    tip = chart.transform_calculate(tip="max(datum.start, datum.end)").encode(x=alt.X(**(x | {"field": "tip"})))
    labels = tip.mark_text(align="left", dx=7).encode(text=alt.Text(field="label", type="nominal"))
    return finish(alt.layer(drawn, labels), title, description)


enable()
