"""Charts that a reader moves: slices of a precomputed grid, or points along curves that stand still, one handle each.

Title, read-out and picture follow the handle; where it starts (the text's own value) and where a finding flips are
marked on it. The page takes what it needs of that from the specification's ``usermeta``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from llm_economics.book.charting import (
    GRID,
    MUTED,
    PALETTE,
    Rule,
    bar_marks,
    both_ends,
    field_of,
    finish,
    has,
    names_axis,
    number_axis,
    series_of,
    tooltips,
    values_at,
    with_rules,
)
from llm_economics.facts.units import rounded, show
from llm_economics.formulas.elementwise import ParameterError, check_choice

Said = Callable[[pd.DataFrame], str]
Sets = str | tuple[str, float]
Title = str | Said
"""What a chart that is moved finds: a sentence for each value of its slider, from the rows at that value, or one."""


def slider_grid(
    frame: pd.DataFrame, slider: str, x: str, y: str, *, readout: str | Said,
    title: Title, description: str, slider_title: str, x_title: str, y_title: str | None = None,
    start: Any = None, kind: str = "line", color: str | None = None, log_x: bool = False, log_y: bool = False,
    rules: Sequence[Rule] = (), marks: Mapping[str, Any] | None = None, guess: str = "",
    pace: Callable[[pd.DataFrame], float] | None = None, sets: Sets = "",
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
        Values of the slider that are marked beside its start, each under its name: where a verdict flips. One that
        is None, or beyond the ends of the slider, is left out.
    guess
        A question that the page asks first: it shows the chart once the reader has set the handle and answers.
    pace
        Words a second, from the slice's frame: at that pace the page lets a text run.
    sets
        The chapter's parameter that the slider stands for, so that the page's command takes its value; with a number
        behind it where the parameter is so many times the slider's value.

    Raises
    ------
    ParameterError
        If ``start`` is no value of the grid or the readout is not one text for each slice.
    """
    has(frame, slider, x, y, color)
    check_choice("kind", kind, ("line", "points", "bars"))
    frame, here, params = _moved(frame, slider, start, slider_title, readout)
    chart = alt.Chart(frame).transform_filter(here).encode(tooltip=tooltips(frame))
    if kind == "bars":
        across = alt.X(
            **number_axis(frame, x, x_title, *values_at(rules, "x"), log=log_x, zero=True, **both_ends(frame, x, 0))
        )
        drawn = bar_marks(
            frame, chart.encode(x=across, y=names_axis(frame, y)), x, _fixed(frame, color, alt.Color), log_x
        )
    else:
        chart = chart.encode(
            *_fixed(frame, color, alt.Color, alt.StrokeDash if kind == "line" else alt.Shape),
            x=alt.X(**number_axis(frame, x, x_title, *values_at(rules, "x"), log=log_x)),
            y=alt.Y(**number_axis(frame, y, y_title, *values_at(rules, "y"), log=log_y, zero=not log_y)),
        )
        drawn = chart.mark_line() if kind == "line" else chart.mark_point()
    drawn = alt.layer(with_rules(drawn, rules), _readout(-24 if kind == "bars" else -46)).add_params(*params)
    more = {"guess": guess, "pace": pace, "sets": sets}
    return _finish_moved(drawn, title, description, frame, slider, start, marks, **more)


def _fixed(frame: pd.DataFrame, column: str | None, *channels: Any) -> list[Any]:
    """Channels that tell series apart, the same at each value of the slider, whichever series it shows."""
    names = [] if column is None else list(dict.fromkeys(map(str, frame[column])))
    return [channel.scale(alt.Scale(domain=names)) for channel in series_of(column, *channels)]


def frontier(
    frame: pd.DataFrame, slider: str, x: str, y: str, *, color: str, readout: str | Said,
    title: Title, description: str, slider_title: str, x_title: str, y_title: str, start: Any = None,
    low: str | None = None, high: str | None = None, rules: Sequence[Rule] = (), marks: Mapping[str, Any] | None = None,
    sets: Sets = "", log_y: bool = True,
) -> alt.LayerChart:  # fmt: skip
    """Curves over a logarithmic axis that stand still, and on each the point that the reader moves along it.

    Each row is a point of a curve (``color``), at one value of ``slider``; its other columns show where the pointer
    rests. ``low`` and ``high`` are a band around the curve, empty where there is none. Without ``log_y`` the vertical
    axis begins at 0. ``slider``, ``readout``, ``title``, ``start`` and ``marks`` are as in :func:`slider_grid`, and so
    are the errors.
    """
    has(frame, slider, x, y, color, low, high)
    frame, here, params = _moved(frame, slider, start, slider_title, readout)
    ends = [value for column in (low, high) if column for value in frame[column].dropna()]
    tooltip = tooltips(frame.drop(columns=[column for column in (low, high) if column]))
    across = alt.X(**number_axis(frame, x, x_title, *values_at(rules, "x"), log=True))
    up = number_axis(frame, y, y_title, *ends, *values_at(rules, "y"), log=log_y, zero=not log_y)
    up["scale"].nice = False  # the page computes where its points stand
    names = alt.Scale(domain=list(dict.fromkeys(map(str, frame[color]))))  # the same for both, or there are two legends
    stroke = {"symbolType": "stroke", "symbolOpacity": 1}
    hue, dash = (channel.scale(names).legend(**stroke) for channel in series_of(color, alt.Color, alt.StrokeDash))
    chart = alt.Chart(frame).encode(hue, x=across)
    curves = chart.mark_line().encode(dash, y=alt.Y(**up))
    there = chart.transform_filter(here).encode(tooltip=tooltip)
    rule = alt.Chart(frame).transform_filter(here).mark_rule(strokeDash=[2, 3]).encode(x=across)
    dots = chart.mark_point(size=60, opacity=0.01).encode(y=alt.Y(**up), tooltip=tooltip)
    layers = [curves, rule, dots, there.mark_point(size=110).encode(y=alt.Y(**up))]
    if low and high:
        band = alt.Y(**(up | {"field": field_of(low)}))
        layers.insert(0, chart.mark_area(opacity=0.16).encode(y=band, y2=alt.Y2(field=field_of(high))))
    rows = -(-len(names.domain) // 3)  # of the legend, above which the number stands
    drawn = alt.layer(with_rules(alt.layer(*layers), rules), _readout(-46 - 16 * rows)).add_params(*params)
    return _finish_moved(drawn, title, description, frame, slider, start, marks, sets=sets)


def things(
    frame: pd.DataFrame, slider: str, name: str, kind: str, number: str, *, readout: str | Said, title: Title,
    description: str, slider_title: str, x_title: str | None = None, y_title: str | None = None, start: Any = None,
    across: int = 0, upward: bool = False, empty: str = "", marks: Mapping[str, Any] | None = None, sets: Sets = "",
) -> alt.LayerChart:  # fmt: skip
    """Things that are counted, one mark each in the colour of its ``kind``: seats, wafers, balls in their bins.

    Each row of the frame says how many (``number``) of a kind a name has at a value of the slider; kinds follow one
    another in the order of the frame. The names stand below one another, or with ``upward`` side by side; with
    ``across`` the things of the only name fill lines of so many. ``empty`` is the kind that is drawn pale. The other
    options, and the errors, are those of :func:`slider_grid`.
    """
    has(frame, slider, name, kind, number)
    frame = frame.assign(**{number: frame[number].astype(int)})
    frame["first"] = frame.groupby([slider, name], sort=False)[number].cumsum() - frame[number]
    most = int((frame["first"] + frame[number]).max())
    frame, here, params = _moved(frame, slider, start, slider_title, readout)
    chart = alt.Chart(frame).transform_filter(here)
    chart = chart.transform_calculate(each=f"sequence(datum.first, datum.first + datum[{number!r}])")
    chart = chart.transform_flatten(["each"]).encode(
        tooltip=tooltips(frame[[name, kind, number]]), color=_kinds(frame[kind], empty)
    )
    if across:
        lines = -(-most // across)
        drawn = _in_lines(chart, across, lines).properties(height=22 * lines)
    else:
        drawn = _in_rows(chart, frame, name, most, x_title, y_title, upward)
    drawn = alt.layer(drawn, _readout(-64)).add_params(*params)
    return _finish_moved(drawn, title, description, frame, slider, start, marks, sets=sets)


def _kinds(kinds: pd.Series, empty: str) -> alt.Color:
    names = list(dict.fromkeys(map(str, kinds)))
    colours = iter(PALETTE)
    scale = alt.Scale(domain=names, range=[GRID if each == empty else next(colours) for each in names])
    return alt.Color(field=field_of(str(kinds.name)), type="nominal", scale=scale)


SHARE = 0.86
"""Of its place, what a thing takes."""


def _in_rows(
    chart: alt.Chart, frame: pd.DataFrame, name: str, most: int, x_title: str | None, y_title: str | None, upward: bool
) -> alt.Chart:
    chart = chart.transform_calculate(till=f"datum.each + {SHARE}")
    axis = alt.Axis(grid=False, tickMinStep=1)
    scale = alt.Scale(domain=[0, most], nice=False)
    along = {
        "field": "each",
        "type": "quantitative",
        "title": y_title if upward else x_title,
        "scale": scale,
        "axis": axis,
    }
    order = list(dict.fromkeys(map(str, frame[name])))
    all_names = alt.Scale(domain=order)
    if upward:
        bins = alt.X(
            field=field_of(name),
            type="nominal",
            sort=order,
            title=x_title,
            scale=all_names,
            axis=alt.Axis(labelAngle=0),
        )
        return chart.mark_bar(width={"band": 0.8}).encode(x=bins, y=alt.Y(**along), y2="till")
    names = names_axis(frame, name)
    names.scale = all_names
    return chart.mark_bar(height={"band": 0.68}).encode(x=alt.X(**along), x2="till", y=names)


def _in_lines(chart: alt.Chart, across: int, lines: int) -> alt.Chart:
    places = {"left": f"datum.each % {across}", "top": f"floor(datum.each / {across})"}
    places |= {"right": f"datum.left + {SHARE}", "bottom": f"datum.top + {SHARE}"}
    for place, expression in places.items():
        chart = chart.transform_calculate(**{place: expression})
    ends = {"left": (0, across), "top": (lines, 0)}
    x, y = (
        {"field": field, "type": "quantitative", "axis": None, "scale": alt.Scale(domain=list(ends[field]), nice=False)}
        for field in ends
    )
    return chart.mark_rect().encode(x=alt.X(**x), x2="right", y=alt.Y(**y), y2="bottom")


def clock(
    frame: pd.DataFrame, slider: str, *, readout: str | Said, title: Title, description: str, slider_title: str,
    needed: float, start: Any = None, marks: Mapping[str, Any] | None = None,
) -> alt.LayerChart:  # fmt: skip
    """The 24 hours of a day, of which so many as the slider says are filled; the ring outside is what is ``needed``.

    The slider's values are hours, from 0 to 24; the other options, and the errors, are those of :func:`slider_grid`.
    """
    has(frame, slider)
    frame, _, params = _moved(frame, slider, start, slider_title, readout)
    round_clock = {"type": "quantitative", "scale": alt.Scale(domain=[0, 24], range=[0, 6.283185307179586])}
    hours = pd.DataFrame({"hour": hour, "till": hour + 0.94} for hour in range(24))
    filled = alt.condition(f"datum.hour + 0.5 <= {slider}", alt.value(PALETTE[0]), alt.value(GRID))
    face = alt.Chart(hours).encode(
        theta=alt.Theta("hour", **round_clock), theta2="till", tooltip=tooltips(hours[["hour"]])
    )
    slices = face.mark_arc(innerRadius=34, outerRadius=80).encode(color=filled)
    ring = pd.DataFrame([{"from": 0.0, "to": min(needed, 24.0), "hours needed": needed}])
    around = alt.Chart(ring).mark_arc(innerRadius=84, outerRadius=90, color=PALETTE[1])
    around = around.encode(
        theta=alt.Theta("from", **round_clock), theta2="to", tooltip=tooltips(ring[["hours needed"]])
    )
    named = pd.DataFrame({"at": at, "text": f"{at} h"} for at in (0, 6, 12, 18))
    words = alt.Chart(named).mark_text(radius=106, color=MUTED, aria=False)
    words = words.encode(theta=alt.Theta("at", **round_clock), text="text")
    drawn = alt.layer(slices, around, words, _readout(-30)).add_params(*params).properties(height=230)
    return _finish_moved(drawn, title, description, frame, slider, start, marks)


# What they share


def _finish_moved(
    chart: Any,
    title: Title,
    description: str,
    frame: pd.DataFrame,
    slider: str,
    start: Any,
    marks: Mapping[str, Any] | None,
    guess: str = "",
    pace: Callable[[pd.DataFrame], float] | None = None,
    sets: Sets = "",
) -> Any:
    """The chart with the title of its start; the rest goes along for the page: further titles, marks, guess, pace."""
    values, start = _slider_values(frame, slider, start)
    slices = [frame[frame[slider] == value] for value in values]
    own: dict[str, Any] = {}
    if callable(title):
        titles = [str(title(rows)) for rows in slices]
        title, own["titles"] = titles[values.index(start)], titles
    places = {name: _place(values, value) for name, value in (marks or {}).items()}
    own |= {"marks": found} if (found := {name: at for name, at in places.items() if at is not None}) else {}
    own |= {"guess": guess} if guess else {}
    own |= {"pace": [rounded(float(pace(rows))) for rows in slices]} if pace else {}
    own |= {"sets": [sets, 1] if isinstance(sets, str) else list(sets)} if sets else {}
    finished = finish(chart, title, description)
    return finished.properties(usermeta={"book": own}) if own else finished


def _place(values: Sequence[Any], value: Any) -> int | None:
    """The place of the value nearest to ``value``, None if that lies beyond the ends."""
    if isinstance(value, str):
        return values.index(check_choice("mark", value, values))
    if value is None or not values[0] <= float(value) <= values[-1]:
        return None
    return min(range(len(values)), key=lambda i: abs(values[i] - float(value)))


def _slider_values(frame: pd.DataFrame, slider: str, start: Any) -> tuple[list[Any], Any]:
    """The values of a slider in their order, and the one that it starts at."""
    values = list(dict.fromkeys(frame[slider]))
    values = sorted(values) if all(isinstance(value, (int, float)) for value in values) else values
    start = values[len(values) // 2] if start is None else check_choice("start", rounded(start), values)
    return values, start


def _moved(
    frame: pd.DataFrame, slider: str, start: Any, slider_title: str, readout: str | Said
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


def _slice_text(readout: str | Said, slider: str, value: Any, rows: pd.DataFrame) -> str:
    if callable(readout):
        return str(readout(rows))
    has(rows, readout)
    found = rows[readout].unique().tolist()
    if len(found) != 1:
        raise ParameterError(f"readout = {readout!r} is not allowed: it has {len(found)} values at {slider} = {value}")
    return found[0] if isinstance(found[0], str) else show(found[0])
