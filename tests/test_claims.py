"""The ledger: verdicts follow from values and tolerances, and the notebooks are the only store."""

import json

import pytest
from click.testing import CliRunner

from llm_economics.book import claims, judging
from llm_economics.book.claims import Claim, Result, about, carried, judge, ledger, near
from llm_economics.cli import main
from llm_economics.formulas.elementwise import ParameterError

KEYS = ["id", "article", "locator", "chapter", "statement", "stated_text", "stated_low", "stated_high", "unit"]
KEYS += ["computed_value", "ratio", "tolerance", "verdict", "flips_at", "reason"]
KEYS += ["support", "factor_apart", "condition", "immaterial"]
YES, NO = (claims.tested(lambda n: n == 1, flip={"n": 1 - n}, n=n) for n in (1, 0))


def claim(relation="=", stated=(10.0,), kind="computable", tolerance_kind="relative", tolerance=0.05) -> Claim:
    return Claim(
        "t-1",
        "llama3-2024",
        "¶1",
        "a-chapter",
        "Ten it is.",
        relation,
        stated,
        "x",
        "10",
        kind,
        tolerance_kind,
        tolerance,
    )


@pytest.fixture
def ledger_of(monkeypatch):
    """Makes a ledger of one row."""

    def make(**fields):
        monkeypatch.setattr(judging, "ledger", lambda: {"t-1": claim(**fields)})

    return make


def verdict(value=None, **options) -> str:
    return judge("t-1", value, reason="because", **{"uses": "definition", **options}).verdict


def test_all_rows_are_read():
    assert len(ledger()) == 293
    assert len({row.article for row in ledger().values()}) == 5
    assert ledger()["llama3-001"].stated == (8e9, 70e9)


@pytest.mark.parametrize(
    ("relation", "value", "expected"),
    [
        ("=", 10.5, "holds"),
        ("=", 10.51, "fails"),
        ("~", 9.5, "holds"),
        ("<", 9.99, "holds"),
        ("<", 10.0, "fails"),
        ("<=", 10.0, "holds"),
        (">", 10.0, "fails"),
        (">=", 10.0, "holds"),
        (">=", 9.99, "fails"),
    ],
)
def test_relations(ledger_of, relation, value, expected):
    ledger_of(relation=relation, tolerance_kind="bound" if relation[0] in "<>" else "relative")
    assert verdict(value) == expected


def test_ranges_lists_orders_and_exact_counts(ledger_of):
    ledger_of(relation="range", stated=(8.0, 10.0), tolerance_kind="range", tolerance=None)
    assert [verdict(v) for v in (7.99, 8.0, 10.0, 10.01)] == ["fails", "holds", "holds", "fails"]
    assert [verdict(v) for v in ([8.5, 9.5], [8.5, 12])] == ["holds", "fails"]
    ledger_of(relation="list", stated=(1.0, 100.0))
    assert [verdict(v) for v in ([1.02, 103], [1.02, 110])] == ["holds", "fails"]
    with pytest.raises(ParameterError, match="has 1 numbers: the claim states 2"):
        verdict([1.0])
    ledger_of(tolerance_kind="order", tolerance=None)
    assert [verdict(v) for v in (3.34, 29.9, 3.3, 31.0)] == ["holds", "holds", "fails", "fails"]
    ledger_of(tolerance_kind="exact", tolerance=0.0)
    assert [verdict(v) for v in (10, 10.001)] == ["holds", "fails"]


def test_an_assumption_turns_holds_into_holds_if_and_never_saves_a_failure(ledger_of):
    ledger_of()
    assert verdict(10, given="the clock runs at noon") == "holds if"
    assert verdict(12, given="the clock runs at noon") == "fails"
    found = judge("t-1", 10, reason="Why.", uses="definition", given="the clock runs at noon.")
    assert (found.reason, found.condition) == ("Why.", "the clock runs at noon")
    assert claims.in_words(found.record()) == "holds if the clock runs at noon"
    assert judge("t-1", 12, reason="Why.", uses="definition", given="the clock runs at noon").condition is None


def test_a_unit_slip_needs_the_arithmetic_to_be_right_once_the_unit_is(ledger_of):
    ledger_of()
    assert verdict(0.01, slip=1e-3) == "unit slip"
    assert verdict(0.02, slip=1e-3) == "fails"
    assert verdict(10, slip=1e-3) == "holds"


def test_words_forecasts_questions_and_what_nobody_published(ledger_of):
    ledger_of(relation="text", stated=(), tolerance_kind="none", tolerance=None)
    assert [verdict(holds=YES), verdict(holds=NO), verdict("x", holds=YES)] == ["holds", "fails", "holds"]
    with pytest.raises(ParameterError, match="value of t-1 is missing: a claim of kind computable can be tested"):
        verdict()
    ledger_of(relation="text", stated=(), kind="forecast", tolerance_kind="none", tolerance=None)
    assert [verdict(holds=YES), verdict(holds=NO), verdict()] == ["came true", "did not come true", "open"]
    ledger_of(kind="forecast")
    assert [verdict(10), verdict(12)] == ["came true", "did not come true"]
    ledger_of(relation="text", stated=(), kind="implied", tolerance_kind="none", tolerance=None)
    assert verdict(3.2) == "answered"
    with pytest.raises(ParameterError, match="the ledger asks a question"):
        verdict()
    ledger_of(relation="text", stated=(), kind="opinion", tolerance_kind="none", tolerance=None)
    assert verdict() == "cannot be tested"
    ledger_of(kind="unpublished")
    assert verdict() == "cannot be tested"


def test_numbers_decide_not_the_author(ledger_of):
    ledger_of()
    with pytest.raises(ParameterError, match="the claim states numbers, which decide"):
        verdict(12, holds=YES)
    with pytest.raises(ParameterError, match="the claim states numbers"):
        verdict("ten")


def test_what_only_adds_up_does_not_hold(ledger_of):
    ledger_of()
    assert verdict(10, uses="t-1") == "adds up"
    assert verdict(12, uses="t-1") == "fails"
    found = judge("t-1", 10, reason="Why.", uses="t-1", given="it is noon")
    assert (found.verdict, found.support) == ("holds if", "own inputs")
    assert found.condition == "it is noon, and the article's own inputs are right"
    assert verdict(10, uses="llama3:gpu_hours_70b") == "holds"
    with pytest.raises(ParameterError, match="uses of t-1 is empty"):
        verdict(10, uses=" ; ")


def test_a_number_that_only_the_claim_prints_cannot_be_tested(ledger_of):
    ledger_of()
    found = judge("t-1", reason="Nobody else prints it.", alone=True)
    assert (found.verdict, found.support, found.computed_value) == ("cannot be tested", "none", None)


def test_the_rounding_of_printed_inputs_is_carried_through(ledger_of):
    ledger_of(relation="~", stated=(100.0,), tolerance=0.01)
    close = carried(lambda days, cards: days * cards, days=near(10.3, 0.5), cards=10)
    assert (close.value, close.low, close.high) == pytest.approx((103, 98, 108))
    assert verdict(103) == "fails" and verdict(close) == "holds"
    assert verdict(carried(lambda days: days * 10, days=near(10.3, 0.1))) == "fails"  # 102 to 104
    basis = judge("t-1", close, reason="Why.", uses="definition").basis
    assert (basis["low"], basis["high"]) == pytest.approx((98, 108))
    ledger_of(relation="<", stated=(30.0,), tolerance_kind="bound", tolerance=None)
    assert verdict(carried(lambda x: x, x=near(30.5, 1))) == "holds"
    assert verdict(carried(lambda x: x, x=near(30.5, 0.5))) == "fails"  # 30 is not below 30


def test_a_printed_number_knows_its_interval():
    assert (about("train-024").low, about("train-024").high) == pytest.approx((54, 56), abs=0.01)
    assert (about("train-015").low, about("train-015").high) == (90, 100)
    assert (about("serve-040").low, about("serve-040").high) == (128, 128)
    assert about("gpt4-038", place=1).value == 4
    moved = about("train-024", 110)
    assert (moved.low, moved.high) == pytest.approx((108, 112), abs=0.01)


def test_factor_apart_and_what_is_immaterial(ledger_of):
    def apart(value, **options):
        found = judge("t-1", value, reason="x", uses="definition", **options)
        return found.verdict, found.factor_apart, found.immaterial

    ledger_of()
    assert apart(5) == ("fails", 2.0, False) and apart(20) == ("fails", 2.0, False)
    assert apart(10.9) == ("fails", pytest.approx(1.09), True)
    assert apart(10) == ("holds", 1.0, False)
    assert apart(0.01, slip=1e-3) == ("unit slip", 1000.0, False)
    ledger_of(relation="<", tolerance_kind="bound")
    assert apart(1) == ("holds", 1.0, False) and apart(30) == ("fails", 3.0, False)
    ledger_of(relation="list", stated=(1.0, 100.0))
    assert apart([2, 25]) == ("fails", 4.0, False)
    ledger_of(relation="text", stated=(), tolerance_kind="none", tolerance=None)
    assert apart("x", holds=NO, apart=7) == ("fails", 7, False)
    ledger_of(kind="implied")
    assert apart(5) == ("answered", None, False)


def test_a_fitted_input_leaves_no_ratio(ledger_of):
    ledger_of()
    found = judge("t-1", 10, reason="x", uses="definition", given="it is so", fitted=True)
    assert (found.verdict, found.ratio, found.factor_apart) == ("holds if", None, None)


def test_a_forecast_in_part_says_which_part(ledger_of):
    ledger_of(relation="text", stated=(), kind="forecast", tolerance_kind="none", tolerance=None)
    found = judge("t-1", "x", reason="Why.", uses="definition", holds=YES, part="two of three")
    assert (found.verdict, found.condition) == ("in part", "two of three")
    assert claims.in_words(found.record()) == "in part: two of three"
    ledger_of()
    with pytest.raises(ParameterError, match="only a forecast comes true in part"):
        verdict(10, part="half")


def test_a_true_false_test_names_what_would_flip_it(ledger_of):
    ledger_of(relation="text", stated=(), tolerance_kind="none", tolerance=None)
    with pytest.raises(ParameterError, match=r"a test is made by tested\(\)"):
        verdict("x", holds=True)
    with pytest.raises(ParameterError, match="it changes one or more of n"):
        claims.tested(lambda n: n > 0, flip={"m": 0}, n=1)
    found = judge(
        "t-1", "x", reason="Why.", uses="definition", holds=claims.tested(lambda n: n > 0, flip={"n": 0}, n=1)
    )
    assert found.basis["flip"] == {"n": "0"} and found.basis["flips"] and found.flips_at == "n = 0"
    never = judge(
        "t-1", "x", reason="Why.", uses="definition", holds=claims.tested(lambda n: n > 0, flip={"n": 2}, n=1)
    )
    assert not never.basis["flips"]


# --- what no ledger may have


def test_the_committed_ledger_has_no_faults():
    assert claims.faults() == []


@pytest.fixture
def told(tmp_path):
    """Writes a notebook with one verdict for each set of fields, and gives its faults."""

    def write(*rows):
        blank = {"verdict": "holds", "support": "cited", "reason": "So it is.", "condition": None, "chapter": "one"}
        outputs = [
            {"data": {claims.VERDICT_MIME: {"id": key, **blank, **row}, claims.BASIS_MIME: {"uses": uses, **basis}}}
            for key, row, uses, basis in rows
        ]
        (tmp_path / "one.ipynb").write_text(json.dumps({"cells": [{"outputs": outputs}]}))
        return claims.faults(tmp_path)

    return write


def test_faults_are_found(told):
    assert told(("a", {}, ["llama3:x"], {}), ("b", {"verdict": "adds up", "support": "own inputs"}, ["a"], {})) == []
    assert told(("a", {"support": "own inputs"}, [], {})) == ["a holds, and its support is own inputs"]
    assert told(("a", {"support": "none"}, [], {})) == ["a holds, and its support is none"]
    assert told(("a", {"reason": "True, but the rest is not tested here."}, [], {})) != []
    assert told(("a", {"verdict": "holds if"}, [], {})) == ["a holds if, and names no condition"]
    assert told(("a", {}, [], {"flip": {"n": 2}, "flips": False})) == ["a: {'n': 2} does not flip its test"]
    assert told(("a", {}, ["b"], {}), ("b", {}, ["a"], {})) == ["a rests on b rests on a"]
    unknowable = {"verdict": "cannot be tested", "support": "none"}
    assert told(("a", {}, ["b"], {}), ("b", unknowable, ["a"], {})) == []


def test_outcomes_cover_every_verdict():
    assert sorted(word for words in claims.OUTCOMES.values() for word in words) == sorted(claims.VERDICTS)
    assert [claims.outcome_of(word) for word in ("holds", "in part", "unit slip")] == [
        "confirmed",
        "conditional",
        "wrong",
    ]


def test_reason_and_id_are_compulsory():
    with pytest.raises(ParameterError, match="no such row"):
        judge("llama3-999", 1, reason="x")
    with pytest.raises(ParameterError, match="reason of llama3-009 is empty"):
        judge("llama3-009", 2963, reason=" ")


def test_a_quantity_is_refused_because_its_unit_must_be_chosen():
    from llm_economics.facts.units import Q

    with pytest.raises(ParameterError, match="hand in the magnitude"):
        judge("llama3-009", Q(2963, "device"), reason="x")


def test_record_has_the_keys_of_the_ledger_and_six_digits():
    found = judge(
        "llama3-009",
        2962.962962962963,
        reason="Why.",
        uses="llama3:gpu_hours_70b",
        flips_at=("window_days", 90.0149, "day"),
    )
    assert list(found.record()) == KEYS
    assert found.record()["computed_value"] == 2962.96
    assert found.record()["ratio"] == 0.999988
    assert found.record()["flips_at"] == {"parameter": "window_days", "value": 90.0149, "unit": "day"}
    bundle = found._repr_mimebundle_()
    assert bundle[claims.VERDICT_MIME] == found.record()
    assert "2,962.96" in bundle["text/markdown"]


def test_ratio_of_a_range_is_one_inside():
    ratios = [judge("llama3-011", v, reason="x").ratio for v in (8888.9, 4000.0, 20000.0)]
    assert ratios == [1.0, 0.5, 2.0]


def notebook(folder, name, *records):
    outputs = [{"output_type": "display_data", "data": data, "metadata": {}} for data in records]
    cell = {"cell_type": "code", "source": "", "metadata": {}, "outputs": outputs, "execution_count": None, "id": "a"}
    text = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    (folder / f"{name}.ipynb").write_text(text, encoding="utf-8")


def test_records_are_read_from_executed_notebooks(tmp_path):
    one = judge("llama3-009", 2962.96, reason="x", uses="llama3:gpu_hours_70b")._repr_mimebundle_()
    two = Result("cards", 2962.962962962963, "GPU")._repr_mimebundle_()
    notebook(tmp_path, "llama3-cluster-sizing", one, two)
    assert claims.verdicts(tmp_path)["llama3-009"]["verdict"] == "holds"
    assert claims.results(tmp_path)["llama3-cluster-sizing"]["cards"]["value"] == 2962.96
    rows = claims.scorecard(tmp_path)
    assert len(rows) == 293 and [list(row) for row in rows] == [KEYS] * 293
    assert [row["id"] for row in rows] == list(ledger())
    assert {row["verdict"] for row in rows} == {"holds", "not yet checked"}


def test_a_claim_is_answered_once_and_where_the_ledger_says(tmp_path):
    bundle = judge("llama3-009", 2962.96, reason="x", uses="llama3:gpu_hours_70b")._repr_mimebundle_()
    notebook(tmp_path, "elsewhere", bundle)
    with pytest.raises(ParameterError, match=r"llama3-009 is answered in elsewhere\.ipynb: the ledger says"):
        claims.verdicts(tmp_path)
    (tmp_path / "elsewhere.ipynb").unlink()
    notebook(tmp_path, "llama3-cluster-sizing", bundle, bundle)
    with pytest.raises(ParameterError, match="answered twice"):
        claims.verdicts(tmp_path)


def test_results_have_names_once(tmp_path):
    bundle = Result("cards", 1.0, "GPU")._repr_mimebundle_()
    notebook(tmp_path, "a", bundle, bundle)
    with pytest.raises(ParameterError, match=r"cards is recorded twice in a\.ipynb"):
        claims.results(tmp_path)
    with pytest.raises(ParameterError, match="must be an identifier"):
        claims.record("two words", 1, "x")


def test_command_prints_every_record(tmp_path):
    answer = CliRunner().invoke(main, ["claims", "--json"])
    assert answer.exit_code == 0
    rows = json.loads(answer.stdout)
    assert len(rows) == 293 and all(list(row) == KEYS for row in rows)
    assert {row["verdict"] for row in rows} <= set(claims.VERDICTS)
    answer = CliRunner().invoke(main, ["claims", "--from", str(tmp_path)])
    assert answer.exit_code == 1
    assert answer.stderr == f"Error: --from {tmp_path} is not allowed: no notebook there holds a verdict\n"
    broken = judge("llama3-009", 2962.96, reason="x", uses="llama3:gpu_hours_70b")._repr_mimebundle_()
    notebook(tmp_path, "elsewhere", broken)
    answer = CliRunner().invoke(main, ["claims", "--from", str(tmp_path)])
    assert answer.exit_code == 1
    assert answer.stderr.strip().startswith("Error: llama3-009 is answered in elsewhere.ipynb")


def test_command_says_conditions_and_outcomes():
    told = CliRunner().invoke(main, ["claims"]).stdout
    rows = claims.scorecard()
    assert "[holds if the model is dense and each step makes one token]" in told
    counted = sum(row["verdict"] in ("holds", "came true") for row in rows)
    assert f"{counted} confirmed" in told.splitlines()[-1] and "immaterial" in told.splitlines()[-1]


def test_command_finds_the_chapters_of_a_run(tmp_path):
    (tmp_path / "chapters").mkdir()
    notebook(
        tmp_path / "chapters",
        "llama3-cluster-sizing",
        judge("llama3-009", 2962.96, reason="x", uses="llama3:gpu_hours_70b")._repr_mimebundle_(),
    )
    answer = CliRunner().invoke(main, ["claims", "--from", str(tmp_path)])
    assert answer.exit_code == 0 and "293 claims: 292 not yet checked, 1 holds" in answer.stdout


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"cells": [1]}', '{"cells": null}', "\udcff"])
def test_a_broken_notebook_is_named(tmp_path, text):
    path = tmp_path / "broken.ipynb"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    answer = CliRunner().invoke(main, ["claims", "--from", str(tmp_path)])
    assert answer.exit_code == 1 and answer.output.count("\n") == 1
    assert answer.output.startswith(f"Error: {path} is no notebook: ")


def test_every_claim_is_answered():
    rows = claims.scorecard()
    assert len(rows) == 293
    assert not [row["id"] for row in rows if row["verdict"] == claims.NOT_YET]
