"""Printed numbers keep their interval through arithmetic, and verdicts say what hangs on it."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_economics.book import claims, judging, rounding
from llm_economics.book.rounding import About, Printed, ends, sources
from llm_economics.facts.units import Q
from llm_economics.formulas import cost, serving

TEN, TWO = (Printed.of(About(*each)) for each in (("ten", 10.0, 9.0, 11.0), ("two", 2.0, 1.0, 3.0)))


def test_the_interval_goes_through_operators_and_knows_what_went_in():
    made = 2 * TEN / TWO + 1 - abs(-TEN) ** 2
    assert made == 2 * 10 / 2 + 1 - 100 and isinstance(made, Printed)
    assert ends(TEN / TWO) == (3.0, 11.0) and ends(1 / TWO) == (1 / 3, 1.0) and ends(5) == (5.0, 5.0)
    assert ends(TEN - TEN) == (0.0, 0.0)  # the same number, not two
    assert [each.claim for each in sources(made, TWO)] == ["ten", "two"]
    assert sources(7.0, "x") == []


@given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(0, 0.2), st.floats(0, 0.2))
def test_its_ends_are_those_of_the_function_at_the_corners(a, b, loose, wide):
    one, other = (About(name, x, x * (1 - s), x * (1 + s)) for name, x, s in (("one", a, loose), ("other", b, wide)))

    def function(x, y):
        return 3 * x / (x + y) + y**0.5

    corners = [function(x, y) for x in (one.low, one.high) for y in (other.low, other.high)]
    assert ends(function(Printed.of(one), Printed.of(other))) == pytest.approx((min(corners), max(corners)))


def test_the_formulas_and_units_of_the_book_carry_it():
    assert ends(Q(TEN, "TB/s").to("GB/s").magnitude) == pytest.approx((9000, 11000))
    assert ends(cost.usd_per_million_tokens(TWO, 1, 100.0)) == pytest.approx(
        tuple(cost.usd_per_million_tokens(price, 1, 100.0) for price in (1.0, 3.0))
    )
    assert ends(serving.arithmetic_intensity(TEN, 2)) == (4.5, 5.5)
    assert isinstance(np.float64(2) * TEN, Printed) and type(np.ones(2) * TEN) is np.ndarray


def test_it_is_a_float_for_everybody_else():
    made = TEN * 2
    assert (f"{made:,.1f}", json.dumps(made), hash(made)) == ("20.0", "20.0", hash(20.0))
    assert type(copy.deepcopy(made)) is float
    total = 0.0
    for _ in range(5000):
        total += TEN
    assert ends(total) == (45000.0, 55000.0)  # no recursion
    many = sum((Printed.of(About(str(n), 1.0, 0.9, 1.1)) for n in range(rounding.MOST + 5)), 0.0)
    assert ends(many) == pytest.approx((0.9 * (rounding.MOST + 5), 1.1 * (rounding.MOST + 5)))


def test_a_flip_is_solved_at_the_end_that_reaches_furthest_and_a_readers_own_number_is_exact():
    assert claims.lowest(lambda x: x * TEN)(2) == 18 and claims.highest(lambda x: x * TEN)(2) == 22
    assert ends(claims.as_printed("train-024")) == pytest.approx((54, 56), abs=0.01)
    assert ends(claims.as_printed("train-024", 55.0)) == pytest.approx((54, 56), abs=0.01)
    assert ends(claims.as_printed("train-024", 60.0)) == (60.0, 60.0)


def judged(claim, value, **options):
    return claims.judge(claim, value, **{"reason": "Why.", "uses": "definition", **options})


def test_a_verdict_says_what_its_inputs_as_rounded_leave_open():
    inside = judged("gpt4-012", 2 * claims.as_printed("gpt4-008") + claims.as_printed("gpt4-011"))
    assert inside.basis["uses"] == ["definition", "gpt4-008", "gpt4-011"] and inside.verdict == "adds up"
    assert (inside.basis["low"], inside.basis["high"]) == pytest.approx((274e9, 280e9), rel=1e-3)
    assert not inside.basis["decides"] and "as rounded in print it is 274 billion to 280 billion." in inside.reason
    assert inside.factor_apart == pytest.approx(1.0)
    edge = judged("serve-006", claims.as_printed("serve-004") / 30)
    assert edge.basis["decides"] and "the lower and the upper end outside its tolerance" in edge.reason
    reached = judged("train-024", claims.as_printed("train-015") * 0.59)  # 53.1; 59 at its upper end
    assert reached.verdict == "adds up" and "reaches the stated value; the middle does not" in reached.reason
    lost = judged("train-024", claims.as_printed("train-015") * 2)
    assert lost.verdict == "fails" and lost.basis["low"] == 180
    listed = judged("gpt4-023", [claims.as_printed("gpt4-017") / 13e12 * 0.4, 2.8])
    assert listed.basis["low"] == pytest.approx([0.4 * (1 - 0.07693), 2.8], rel=1e-3)


def test_a_test_in_words_is_asked_at_the_ends_too():
    three = claims.as_printed("serve-054")  # three times, 2.5 to 3.5

    def asked(bound):
        return claims.tested(lambda ratio: ratio > bound, flip={"ratio": 0}, ratio=three)

    assert asked(2).settled and not asked(2.8).settled
    found = judged("serve-056", "in words", holds=asked(2.8), given="so")
    assert found.basis["decides"] and found.reason.endswith("the answer may be the other one.")
    assert "decides" not in judged("serve-056", "in words", holds=asked(2), given="so").basis


def chapter(tmp_path, source, **basis):
    """The faults of a chapter with one check on gpt4-012."""
    row = {"id": "gpt4-012", "chapter": "gpt4-parameters-and-flops", "verdict": "adds up", "support": "own inputs"}
    row |= {"reason": "So.", "condition": None, "computed_value": 277e9}
    output = {"data": {claims.VERDICT_MIME: row, claims.BASIS_MIME: {"uses": [], **basis}}}
    parameters = {"cell_type": "code", "metadata": {"tags": ["parameters"]}}
    cells = [
        parameters | {"source": "gpt4_expert_parameters: float = 111e9"},
        {"cell_type": "code", "metadata": {}, "source": source, "outputs": [output]},
    ]
    (tmp_path / "gpt4-parameters-and-flops.ipynb").write_text(json.dumps({"cells": cells}))
    return claims.faults(tmp_path)


@pytest.mark.parametrize(
    ("source", "read"),
    [
        ('check("gpt4-012", 2 * gpt4_expert_parameters, uses="")', "gpt4-008"),
        ('shared = as_printed("gpt4-011")\ncheck("gpt4-012", 2 + shared, uses="")', "gpt4-011"),
        ('stated = dict()\ncheck("gpt4-012", stated["gpt4-011"], uses="")', "gpt4-011"),
        ('check("gpt4-012", ledger()["gpt4-011"].stated[0], uses="")', "gpt4-011"),
        ('check("gpt4-012", "x", holds=tested(lambda n: n > gpt4_expert_parameters, flip={"n": 0}, n=1))', "gpt4-008"),
    ],
)
def test_a_check_that_reads_what_a_claim_prints_has_to_name_it_and_carry_its_interval(tmp_path, source, read):
    loose = f"gpt4-012 is made of {read}, which is rounded in print, and has no interval"
    assert chapter(tmp_path, source) == [f"gpt4-012 reads {read}, and does not name it", loose]
    assert chapter(tmp_path, source, uses=[read]) == [loose]
    assert chapter(tmp_path, source, uses=[read], printed=[{"claim": read}]) == []
    assert chapter(tmp_path, source, against=[read]) == [loose]  # a bar is no input, and is named all the same


def test_what_the_statement_itself_gives_is_no_input(tmp_path):
    assert "16" in claims.ledger()["serve-034"].statement
    assert claims._claims_in("serve-034", [("claims", "gpt4-007"), ("claims", "gpt4-008")]) == {"gpt4-008"}


def test_parameters_that_stand_for_a_claim_have_its_number():
    from llm_economics.reruns import notebooks

    seen = set()
    for path in notebooks.chapters().values():
        for name, value in notebooks.defaults(path).items():
            if claim := judging.STANDS_FOR.get(name):
                stated = claims.ledger()[claim].stated
                assert value in stated or 1 / value in stated, (path.stem, name)
                seen.add(name)
    assert seen == set(judging.STANDS_FOR)


def test_the_command_prints_the_intervals_beside_the_records():
    from click.testing import CliRunner

    from llm_economics.cli import main

    rows = json.loads(CliRunner().invoke(main, ["claims", "--json", "--basis"]).stdout)
    (row,) = [row for row in rows if row["id"] == "gpt4-012"]
    assert {each["claim"] for each in row["basis"]["printed"]} == {"gpt4-008", "gpt4-011"}
    assert row["basis"]["low"] < row["computed_value"] < row["basis"]["high"]
    refused = CliRunner().invoke(main, ["claims", "--basis"])
    assert refused.exit_code == 1 and "it needs --json" in refused.stderr
