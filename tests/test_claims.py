"""The ledger: verdicts follow from values and tolerances, and the notebooks are the only store."""

import json

import pytest
from click.testing import CliRunner

from llm_economics.book import claims
from llm_economics.book.claims import Claim, Result, judge, ledger
from llm_economics.cli import main
from llm_economics.formulas.elementwise import ParameterError

KEYS = ["id", "article", "locator", "chapter", "statement", "stated_text", "stated_low", "stated_high", "unit"]
KEYS += ["computed_value", "ratio", "tolerance", "verdict", "flips_at", "reason"]


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
        monkeypatch.setattr(claims, "ledger", lambda: {"t-1": claim(**fields)})

    return make


def verdict(value=None, **options) -> str:
    return judge("t-1", value, reason="because", **options).verdict


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
    found = judge("t-1", 10, reason="Why.", given="the clock runs at noon")
    assert found.reason == "Why. Holds if the clock runs at noon."


def test_a_unit_slip_needs_the_arithmetic_to_be_right_once_the_unit_is(ledger_of):
    ledger_of()
    assert verdict(0.01, slip=1e-3) == "unit slip"
    assert verdict(0.02, slip=1e-3) == "fails"
    assert verdict(10, slip=1e-3) == "holds"


def test_words_forecasts_questions_and_what_nobody_published(ledger_of):
    ledger_of(relation="text", stated=(), tolerance_kind="none", tolerance=None)
    assert [verdict(holds=True), verdict(holds=False), verdict("x", holds=True)] == ["holds", "fails", "holds"]
    with pytest.raises(ParameterError, match="value of t-1 is missing: a claim of kind computable can be tested"):
        verdict()
    ledger_of(relation="text", stated=(), kind="forecast", tolerance_kind="none", tolerance=None)
    assert [verdict(holds=True), verdict(holds=False), verdict()] == ["came true", "did not come true", "open"]
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
        verdict(12, holds=True)
    with pytest.raises(ParameterError, match="the claim states numbers"):
        verdict("ten")


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
    found = judge("llama3-009", 2962.962962962963, reason="Why.", flips_at=("window_days", 90.0149, "day"))
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
    one = judge("llama3-009", 2962.96, reason="x")._repr_mimebundle_()
    two = Result("cards", 2962.962962962963, "GPU")._repr_mimebundle_()
    notebook(tmp_path, "llama3-cluster-sizing", one, two)
    assert claims.verdicts(tmp_path)["llama3-009"]["verdict"] == "holds"
    assert claims.results(tmp_path)["llama3-cluster-sizing"]["cards"]["value"] == 2962.96
    rows = claims.scorecard(tmp_path)
    assert len(rows) == 293 and [list(row) for row in rows] == [KEYS] * 293
    assert [row["id"] for row in rows] == list(ledger())
    assert {row["verdict"] for row in rows} == {"holds", "not yet checked"}


def test_a_claim_is_answered_once_and_where_the_ledger_says(tmp_path):
    bundle = judge("llama3-009", 2962.96, reason="x")._repr_mimebundle_()
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
    broken = judge("llama3-009", 2962.96, reason="x")._repr_mimebundle_()
    notebook(tmp_path, "elsewhere", broken)
    answer = CliRunner().invoke(main, ["claims", "--from", str(tmp_path)])
    assert answer.exit_code == 1
    assert answer.stderr.strip().startswith("Error: llama3-009 is answered in elsewhere.ipynb")


def test_command_finds_the_chapters_of_a_run(tmp_path):
    (tmp_path / "chapters").mkdir()
    notebook(
        tmp_path / "chapters", "llama3-cluster-sizing", judge("llama3-009", 2962.96, reason="x")._repr_mimebundle_()
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
