"""Charts are the same bytes on every run, say what they show, and follow their data."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter

import altair as alt
import pandas as pd
import pytest

from llm_economics.book import drawing, figures
from llm_economics.formulas.attribution import Range, tornado
from llm_economics.formulas.elementwise import ParameterError

RUNS = pd.DataFrame({"run": ["8B", "70B", "405B"], "hours": [1.3e6, 6.4e6, 30.84e6], "ratio": [0.56, 1.02, 1.4]})
CURVE = pd.DataFrame(
    {"days": days, "model": model, "cards": hours / 24 / days}
    for model, hours in (("8B", 1.3e6), ("70B", 6.4e6))
    for days in range(10, 100, 10)
)
GRID = pd.DataFrame(
    {"mfu": mfu / 100, "days": days, "cards": 1e6 / mfu / days, "hours": 2.4e7 / mfu, "run": f"run {days}"}
    for mfu in range(20, 65, 5)
    for days in (30, 60, 90)
)
THINGS = pd.DataFrame(
    {"users": users, "model": model, "kind": kind, "number": number}
    for users in (1, 2, 4, 8)
    for model, held in (("8B", 1), ("70B", 4))
    for kind, number in (("weights", held), ("caches", users), ("free", 8 - users))
)
SAID = {"title": "A finding", "description": "What the chart shows."}


def cards(hours: float, days: float) -> float:
    return hours / 24 / days


BARS = tornado(cards, {"hours": Range(5e6, 6.4e6, 7e6), "days": Range(60, 90, 120)})
FORMS = {
    "line": lambda **k: figures.line(CURVE, "days", "cards", color="model", x_title="days", y_title="cards", **k),
    "line with rules and markers": lambda **k: figures.line(
        CURVE, "days", "cards", kind="both", log_x=True, log_y=True, x_title="days", y_title="cards",
        rules=[("x", 90, "90 days"), ("y", 8000, "8,000")],
        markers=pd.DataFrame({"days": [54.0], "cards": [16384.0], "label": ["405B"]}), **k,
    ),
    "points": lambda **k: figures.line(CURVE, "days", "cards", kind="points", x_title="days", y_title="cards", **k),
    "dates": lambda **k: figures.line(
        RUNS.assign(day=pd.to_datetime(["2024-03-30", "2024-04-18", "2024-07-23"])), "day", "hours", x_title="day",
        y_title="hours", rules=[("x", "2024-04-19", "the article")], **k,
    ),
    "bars": lambda **k: figures.bars(RUNS, "run", "hours", x_title="GPU-hours", **k),
    "dots on a log axis": lambda **k: figures.bars(RUNS, "run", "hours", log=True, color="run", x_title="h", **k),
    "tornado": lambda **k: figures.tornado(BARS, cards(6.4e6, 90), x_title="cards", **k),
    "ratio dots": lambda **k: figures.ratio_dots(RUNS, "run", "ratio", **k),
    "interval": lambda **k: figures.interval(
        RUNS.assign(low=RUNS.hours / 2, high=RUNS.hours * 2), "run", "low", "hours", "high", x_title="hours", **k
    ),
    "waterfall": lambda **k: figures.waterfall(RUNS, "run", "hours", x_title="hours", total="all", **k),
    "waterfall of factors": lambda **k: figures.waterfall(
        RUNS, "run", "ratio", x_title="factor", total="all", product=True, **k
    ),
    "slider": lambda **k: figures.slider_grid(
        GRID, "mfu", "days", "cards", readout="hours", slider_title="MFU", x_title="days", y_title="cards", **k
    ),
    "frontier": lambda **k: figures.frontier(
        GRID.assign(low=GRID.cards / 2, high=GRID.cards * 2), "mfu", "days", "cards", color="run", readout="hours",
        low="low", high="high", slider_title="MFU", x_title="days", y_title="cards", **k,
    ),
    "frontier of shares": lambda **k: figures.frontier(
        GRID.assign(share=100 * GRID.mfu * (GRID.days > 30)), "mfu", "days", "share", color="run", readout="hours",
        log_y=False, slider_title="MFU", x_title="days", y_title="share, %", **k,
    ),
    "picker": lambda **k: figures.slider_grid(
        GRID.assign(mfu=GRID.mfu.map("{:.0%}".format)), "mfu", "cards", "run", kind="bars", start="40%",
        readout=lambda rows: f"{len(rows)} rows", slider_title="MFU", x_title="cards", **k,
    ),
    "things in rows": lambda **k: figures.things(
        THINGS, "users", "model", "kind", "number", readout="users", slider_title="users", x_title="wafers",
        empty="free", **k,
    ),
    "things in bins": lambda **k: figures.things(
        THINGS, "users", "model", "kind", "number", readout="users", slider_title="users", y_title="wafers",
        upward=True, **k,
    ),
    "things in lines": lambda **k: figures.things(
        THINGS[THINGS.model == "8B"], "users", "model", "kind", "number", readout="users", slider_title="users",
        across=4, **k,
    ),
    "clock": lambda **k: figures.clock(
        pd.DataFrame({"hours": range(25)}), "hours", readout="hours", slider_title="hours a day", needed=4.9, **k
    ),
}  # fmt: skip
MOVED = (
    "slider",
    "frontier",
    "frontier of shares",
    "picker",
    "things in rows",
    "things in bins",
    "things in lines",
    "clock",
)


def bundle(chart: alt.TopLevelMixin) -> dict:
    return figures.render(chart.to_dict())


def digest() -> str:
    """One hash of the bytes of every form."""
    everything = {name: bundle(make(**SAID)) for name, make in FORMS.items()}
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


@pytest.mark.parametrize("name", FORMS)
def test_each_form_draws_and_describes_itself(name):
    made = bundle(FORMS[name](**SAID))
    assert set(made) == {figures.MIME, "image/svg+xml", "text/plain"}
    assert made["image/svg+xml"].startswith("<svg") and "NaN" not in made["image/svg+xml"]
    assert made["text/plain"] == "[chart] What the chart shows."
    assert sum(len(rows) for rows in made[figures.MIME]["datasets"].values()) >= 3
    alt.Chart.from_dict(made[figures.MIME], validate=True)


def test_same_bytes_again_and_in_another_process_and_time_zone():
    first = digest()
    assert digest() == first
    code = "import sys; sys.path.insert(0, sys.argv[1]); import test_figures; print(test_figures.digest())"
    folder = __file__.rsplit("/", 1)[0]
    elsewhere = os.environ | {"TZ": "America/New_York", "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", code, folder]
    other = subprocess.run(command, env=elsewhere, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == first


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("missing", ["title", "description"])
def test_each_form_wants_title_and_description(name, missing):
    with pytest.raises(ParameterError, match=missing) as stopped:
        FORMS[name](**{**SAID, missing: " "})
    assert "\n" not in str(stopped.value)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"title": "A finding"}, "'A finding' is not allowed: it needs a description, which is its alt text"),
        ({"description": "What the chart shows."}, "chart is not allowed: it needs a title that says the finding"),
    ],
)
def test_renderer_refuses_a_bare_chart(said, message):
    chart = alt.Chart(RUNS).mark_bar().encode(x=alt.X("hours", title="hours")).properties(**said)
    with pytest.raises(ParameterError, match=message):
        bundle(chart)


def test_renderer_refuses_an_axis_of_numbers_without_title():
    chart = alt.Chart(RUNS).mark_bar().encode(x=alt.X("hours", title=None), y=alt.Y("run", title=None))
    with pytest.raises(ParameterError, match="its x axis needs a title"):
        bundle(chart.properties(**SAID))
    layered = (chart + chart.mark_rule()).properties(**SAID)
    with pytest.raises(ParameterError, match="its x axis needs a title"):
        bundle(layered)
    assert bundle((chart + chart.encode(x=alt.X("hours", title="hours"))).properties(**SAID))


def test_floats_are_rounded_and_a_thousandth_shows():
    def with_hours(hours: float) -> dict:
        frame = pd.DataFrame({"run": ["a", "b"], "hours": [hours, 2.0]})
        return bundle(figures.bars(frame, "run", "hours", x_title="hours", **SAID))

    (rows,) = with_hours(1 / 3)[figures.MIME]["datasets"].values()
    assert rows[0]["hours"] == 0.333333
    assert with_hours(1 / 3) == with_hours(1 / 3 + 1e-9)
    assert with_hours(1 / 3)[figures.MIME] != with_hours(1.001 / 3)[figures.MIME]
    assert with_hours(1 / 3)["image/svg+xml"] != with_hours(1.001 / 3)["image/svg+xml"]


def test_what_nobody_will_see_is_held_to_the_rules_and_not_drawn(monkeypatch):
    monkeypatch.setenv("LLM_ECONOMICS_FIGURES", "off")
    monkeypatch.setattr(drawing, "svg", None)
    assert FORMS["bars"](**SAID)._repr_mimebundle_() == {"text/plain": "[chart] What the chart shows."}
    with pytest.raises(ParameterError, match="title"):
        FORMS["bars"](title="", description="What the chart shows.")._repr_mimebundle_()


def test_altairs_counters_do_not_show():
    def zoomed() -> dict:
        chart = alt.Chart(RUNS).mark_bar().encode(x=alt.X("hours", title="hours"), y=alt.Y("run", title=None))
        return bundle((chart.interactive() | chart.add_params(alt.param(value=1))).properties(**SAID))

    first = json.dumps(zoomed())
    assert json.dumps(zoomed()) == first
    assert "param_1" in first and "view_1" in first


def test_a_readout_for_each_slider_value():
    spec = FORMS["slider"](**SAID).to_dict()
    texts = next(param["expr"] for param in spec["params"] if param["name"] == "readout")
    bound = next(param for param in spec["params"] if param["name"] == "mfu")
    assert bound["bind"]["input"] == "range" and bound["value"] == 0.4
    assert json.loads(texts[: texts.index("]") + 1])[0] == "1,200,000"


@pytest.mark.parametrize("name", MOVED)
def test_a_title_that_is_a_function_follows_the_slider(name):
    assert "usermeta" not in bundle(FORMS[name](**SAID))[figures.MIME]
    told = {**SAID, "title": lambda rows: f"{rows.iloc[0].to_dict()}", "marks": {"flips": None, "out of reach": 1e9}}
    if name == "picker":
        told["marks"] = {"flips": None}
    assert "marks" not in bundle(FORMS[name](**told))[figures.MIME]["usermeta"]["book"]
    values = bundle(FORMS[name](**told))[figures.MIME]["usermeta"]["book"]["titles"]
    assert len(values) == len(set(values)) > 3
    ends = {"picker": "60%", "slider": 0.6, "frontier": 0.6, "frontier of shares": 0.6, "clock": 24}
    told["marks"] = {"flips": ends.get(name, 7.9)}
    spec = bundle(FORMS[name](**told))[figures.MIME]
    start = next(param["value"] for param in spec["params"] if "bind" in param)
    assert str(start) in " ".join(spec["title"]) and spec["usermeta"]["book"]["marks"] == {"flips": len(values) - 1}


def test_things_are_as_many_as_the_frame_says():
    drawn = bundle(FORMS["things in rows"](**SAID))["image/svg+xml"]
    marks = re.findall(r'<path aria-label="[^"]*model: [^>]*>', drawn)
    colours = [re.search(r'fill="(#\w+)"', mark)[1] for mark in marks]
    assert Counter(colours) == {figures.PALETTE[0]: 5, figures.PALETTE[1]: 8, figures.GRID: 8}  # at 4 users


def test_guess_and_pace_go_along_for_the_page():
    frame = GRID.assign(run="all")
    said = {"readout": "hours", "slider_title": "MFU", "x_title": "d", "y_title": "c", **SAID, "guess": "Which?"}
    chart = figures.slider_grid(frame, "mfu", "days", "cards", pace=lambda rows: 10 * rows.mfu.iloc[0], **said)
    own = chart.to_dict()["usermeta"]["book"]
    assert own["guess"] == "Which?" and own["pace"] == [2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0]


def test_uneven_values_get_a_picker():
    frame = pd.DataFrame({"batch": [1, 8, 64], "x": [1.0, 2, 3], "y": [1.0, 2, 3], "said": ["a", "b", "c"]})
    said = {"slider_title": "batch", "x_title": "x", "y_title": "y", **SAID}
    spec = figures.slider_grid(frame, "batch", "x", "y", readout="said", **said).to_dict()
    bind = next(param["bind"] for param in spec["params"] if "bind" in param)
    assert (bind["input"], bind["options"], bind["labels"]) == ("select", [1, 8, 64], ["1", "8", "64"])
    with pytest.raises(ParameterError, match="start = '7' is not allowed: it must be one of 1, 8, 64"):
        figures.slider_grid(frame, "batch", "x", "y", readout="said", start=7, **said)
    with pytest.raises(ParameterError, match="readout = 'said' is not allowed: it has 2 values at batch = 1"):
        twice = pd.concat([frame, frame.assign(said="d")])
        figures.slider_grid(twice, "batch", "x", "y", readout="said", **said)


def test_bad_columns_and_logarithms_get_one_line():
    with pytest.raises(ParameterError, match="column = 'hour' is not allowed: it must be one of run, hours, ratio"):
        figures.bars(RUNS, "run", "hour", x_title="hours", **SAID)
    zero = RUNS.assign(hours=[0.0, 1, 2])
    with pytest.raises(ParameterError, match=r"hours = 0\.0 is not allowed: it must be above 0 on a logarithmic axis"):
        figures.bars(zero, "run", "hours", log=True, x_title="hours", **SAID)


def test_columns_with_dots_and_brackets_are_names():
    frame = RUNS.rename(columns={"hours": "hours [6.4M]"})
    made = bundle(figures.bars(frame, "run", "hours [6.4M]", x_title="hours", **SAID))
    assert "1,300,000" in made["image/svg+xml"]


def test_a_frontier_stands_still_while_its_points_move():
    spec = FORMS["frontier"](**SAID).to_dict()
    by_mark = {}
    for layer in spec["layer"][0]["layer"]:
        by_mark.setdefault(layer["mark"]["type"], []).append(layer)
    assert "transform" not in by_mark["line"][0] and "transform" not in by_mark["area"][0]
    moved = [layer for layer in by_mark["point"] + by_mark["rule"] if "transform" in layer]
    assert len(moved) == 2 and all("mfu - 0.2" in layer["transform"][0]["filter"] for layer in moved)
    assert {param["name"] for param in spec["params"]} == {"mfu", "readout"}
    assert spec["layer"][0]["layer"][0]["encoding"]["y2"]["field"] == "high"
