"""Scenarios: those of the book are in order, and whatever is not is refused before anything runs."""

from __future__ import annotations

import pytest

from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import notebooks, scenarios

GOOD = "title: Mine\nwhy: Because.\n"


@pytest.mark.parametrize("name", scenarios.names())
def test_a_scenario_of_the_book_changes_what_it_says(name):
    scenario = scenarios.load(name)
    assigned = {slug: own for slug, own in notebooks.assign(scenario.values).items() if own}
    for slug, own in assigned.items():
        defaults = notebooks.defaults(notebooks.chapters()[slug])
        assert any(value != defaults[key] for key, value in own.items()), f"{name} leaves {slug} as it is"
    assert len(scenario.why) > 100


def test_there_are_enough_and_they_differ():
    found = [scenarios.load(name) for name in scenarios.names()]
    assert len(found) >= 5
    assert (
        len({scenario.title for scenario in found}) == len({str(scenario.values) for scenario in found}) == len(found)
    )


def test_a_value_for_one_chapter_goes_before_that_for_all():
    scenario = scenarios.parse(GOOD + "parameters: {batch: 4}\nchapters: {kv-cache: {batch: 8}}", "mine")
    assigned = notebooks.assign(scenario.values)
    assert assigned["kv-cache"]["batch"] == 8 and assigned["token-cost"]["batch"] == 4
    assert scenario.title == "Mine" and scenario.why == "Because."


def test_numbers_are_read_as_python_reads_them():
    scenario = scenarios.parse(GOOD + "parameters: {train_tokens: 6.4e6, mfu: 4e-1, h100_usd_per_hour: 2}", "mine")
    given = notebooks.assign(scenario.values)["llama3-cluster-sizing"]
    assert given == {"train_tokens": 6.4e6, "mfu": 0.4, "h100_usd_per_hour": 2.0}
    assert all(type(value) is float for value in given.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a scenario has the keys title, why, parameters, chapters"),
        ("- a", "a scenario has the keys"),
        ("title: [", "no valid YAML"),
        ("why: x\nparameters: {mfu: 0.3}", "title must be text"),
        ("title: 3\nwhy: x\nparameters: {mfu: 0.3}", "title must be text"),
        ("title: x\nparameters: {mfu: 0.3}", "why must be text"),
        ('title: "a\\nb"\nwhy: x\nparameters: {mfu: 0.3}', "title must be plain text in one line"),
        ('title: "a\\u0007"\nwhy: x\nparameters: {mfu: 0.3}', "title must be plain text in one line"),
        ('title: "a\\u202Eb"\nwhy: x\nparameters: {mfu: 0.3}', "title must be plain text in one line"),
        (f"title: {'x' * 200}\nwhy: x\nparameters: {{mfu: 0.3}}", "title is too long: at most 120 characters"),
        (GOOD, "parameters is empty"),
        (GOOD + "parameter: {mfu: 0.3}", "unknown key 'parameter'; nearest: parameters"),
        (GOOD + "parameters: [mfu]", "parameters must be a mapping"),
        (GOOD + "parameters: 3", "parameters must be a mapping"),
        (GOOD + "chapters: {kv-cache: 3}", "kv-cache must be a mapping"),
        (GOOD + "parameters: {mfuu: 0.3}", "no parameter 'mfuu'; nearest: mfu"),
        (GOOD + "parameters: {kv-cache: {batch: 3}}", "no parameter 'kv-cache'"),
        (GOOD + "parameters: {'kv-cache:batch': 3}", "no parameter 'kv-cache:batch'"),
        (GOOD + "chapters: {kv-cash: {batch: 3}}", "no chapter 'kv-cash'; nearest: kv-cache"),
        (GOOD + "chapters: {kv-cache: {mfu: 0.3}}", "kv-cache has no parameter mfu; known: "),
        (GOOD + "chapters: {kv-cache: {bach: 3}}", "no parameter 'bach'; nearest: batch"),
        (GOOD + "parameters: {mfu: true}", "mfu = 'True' is not allowed: it must be a number"),
        (GOOD + "parameters: {mfu: '0.4'}", "mfu = '0.4' is not allowed: it must be a number"),
        (GOOD + "parameters: {mfu: null}", "mfu = 'None' is not allowed: it must be a number"),
        (GOOD + "parameters: {mfu: [0.4]}", "mfu = '[0.4]' is not allowed: it must be a number"),
        (GOOD + "parameters: {mfu: .nan}", "mfu = nan is not allowed: it must be a finite number"),
        (GOOD + "parameters: {mfu: .inf}", "mfu = inf is not allowed: it must be a finite number"),
        (GOOD + "parameters: {mfu: 1.2}", "mfu = 1.2 is not allowed: it must be above 0 and at most 1"),
        (GOOD + "parameters: {mfu: 2026-11-24}", "mfu = '2026-11-24' is not allowed: it must be a number"),
        (GOOD + "parameters: {mfu: " + "9" * 4000 + "}", "mfu is not allowed: it must be a number of at most"),
        (GOOD + "parameters: {mfu: " + "9" * 6000 + "}", "no valid YAML"),
        (GOOD + "parameters: {batch: 2.0}", "batch = '2.0' is not allowed: it must be a whole number"),
        (GOOD + "parameters: {precision: bf17}", "precision = 'bf17' is not allowed: it must be one of fp32,"),
        (GOOD + "parameters: {precision: 8}", "precision = 8 is not allowed: it must be text"),
        (GOOD + "parameters: {mfu: 0.3, mfu: 0.4}", "'mfu' stands twice"),
        (GOOD + "parameters: {mfu: 0.3}\ntitle: Other", "'title' stands twice"),
        (GOOD + "parameters: {1: 0.3}", "line 3: a key must be text"),
        (GOOD + "parameters: {mfu: !!python/object/apply:os.getpid []}", "tags are not allowed"),
        (GOOD + "parameters: &a {mfu: 0.3}\nchapters: {kv-cache: *a}", "anchors and aliases are not allowed"),
        (GOOD + "parameters: " + "{a: " * 5000, "no valid YAML"),
    ],
)  # fmt: skip
def test_refused_in_one_line(text, message):
    with pytest.raises(ParameterError) as error:
        scenarios.parse(text, "mine")
    assert message in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 1000


def test_a_file_that_is_none_or_too_large_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="no file"):
        scenarios.load(str(tmp_path / "mine.yaml"))
    with pytest.raises(ParameterError, match=r"^no scenario '\.\./README'"):
        scenarios.load("../README")
    large = tmp_path / "large.yaml"
    large.write_text(GOOD + "#" * 10_000_000)
    with pytest.raises(ParameterError, match=r"large\.yaml: it is too large"):
        scenarios.load(str(large))
    large.write_bytes(b"title: \xff")
    with pytest.raises(ParameterError, match=r"large\.yaml: it is not UTF-8 text"):
        scenarios.load(str(large))
    large.write_text(GOOD + "parameters: {mfu: 0.3}")
    assert scenarios.load(str(large)).name == "large"
