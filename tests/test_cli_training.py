"""``llm-economics training``, as a user calls it."""

import pytest
from command import Command

from llm_economics import facts
from llm_economics.formulas import training

RUN = {"parameters": 70e9, "tokens": 15e12, "accelerators": 16384, "mfu": 0.4, "usd_per_hour": 2}
call = Command("training")


def options(**changed) -> list:
    given = {**RUN, "system": "H100", **changed}
    return [
        part for name, value in given.items() if value is not None for part in (f"--{name.replace('_', '-')}", value)
    ]


def test_days_and_cost_of_a_run():
    found = call.answer(*options())
    hours = 6 * 70e9 * 15e12 / (0.4 * facts.accelerator("H100").peak()) / 3600
    assert found["accelerator_hours"] == pytest.approx(hours)
    assert found["days"] == pytest.approx(hours / 16384 / 24)
    assert found["usd"] == pytest.approx(2 * hours)
    assert (found["accelerator"], found["precision"]) == (facts.accelerator("H100").name, "bf16")
    assert found["found"] == ["flops", "accelerator_hours", "days", "usd", "tokens_per_parameter"]


def test_whichever_is_left_out_is_found():
    whole = call.answer(*options())
    whole["peak_flops"] = facts.accelerator("H100").peak()
    asked = {name: whole[name] for name in (*RUN, "days", "usd")}
    for name in asked:
        found = call.answer(*options(**asked | {name: None}))
        assert found[name] == pytest.approx(whole[name]), name
    budget = call.answer(*options(usd=whole["usd"], tokens=None, accelerators=None, days=20))
    assert budget["tokens"] == pytest.approx(15e12)
    assert budget["accelerators"] == pytest.approx(whole["accelerator_hours"] / 24 / 20)
    bare = call.answer(*options(system=None, peak_flops=None, days=whole["days"]))
    assert bare["peak_flops"] == pytest.approx(whole["peak_flops"])


def test_the_peak_is_that_of_a_precision():
    sixteen, eight = (call.answer(*options(precision=name)) for name in (None, "fp8"))
    chip = facts.accelerator("H100")
    assert sixteen["days"] / eight["days"] == pytest.approx(chip.peak("fp8") / chip.peak("bf16"))
    assert call.answer(*options(system="V100"))["precision"] == "fp16"
    assert call.answer(*options(system="GB200 NVL72"))["peak_flops"] == facts.system("GB200").accelerator.peak()
    assert call.answer(*options(system=None, peak_flops=1e15))["peak_flops"] == 1e15


def test_people_read_lines_with_each_formula():
    text = call(*options()).stdout
    assert text.startswith(
        "70 billion parameters on 15,000 billion tokens (214 a parameter), 16,384 cards, 11.2 days, $8"
    )
    assert "card-hours ÷ cards ÷ 24 = " in text
    for line in text.splitlines()[1:]:
        assert "–" not in line and " = " in line
    little = call("--parameters", 7e9, "--tokens", 1e12).stdout
    assert "too little is given for cards, days, USD, MFU, USD per card-hour, peak." in little


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"mfu": 1.5}, "mfu = 1.5 is not allowed: it must be above 0 and at most 1"),
        ({"tokens": 0}, "tokens = 0.0 is not allowed"),
        ({"days": "nan"}, "days = nan is not allowed"),
        ({"days": 3}, "days = 3 is not allowed: 11.2"),
        ({"mfu": None, "days": 3}, "mfu = 1.4"),
        ({"days": 3, "usd": 1}, "parameters = 7e+10, tokens"),
        ({"system": "abacus"}, "system = 'abacus' is not allowed: it is not known"),
        ({"precision": "fp5"}, "precision = 'fp5' is not allowed: H100"),
        ({"peak_flops": 1e15}, "peak_flops = 1e+15 is not allowed: the system has its own"),
        ({"system": None, "peak_flops": 989}, "peak_flops = 989.0 is not allowed: it must be above 1e+09"),
        (dict.fromkeys(RUN), "peak_flops is not enough for an answer"),
    ],
)
def test_refusals(changed, said):
    assert call.line(*options(**changed)).startswith(said)


def test_a_utilisation_that_nobody_gave_is_said_to_follow():
    assert call.line(*options(mfu=None, days=3)).endswith("at most 1; it follows from the others")
    assert call.line(*options(mfu=1.5)).endswith("at most 1")


def test_the_formulas_are_the_librarys():
    found = call.answer(*options(days=None))
    wall = training.wall_time(found["accelerator_hours"] * 3600, 16384)
    assert found["days"] == pytest.approx(wall / training.SECONDS_PER_DAY)
