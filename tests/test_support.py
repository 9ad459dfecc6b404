"""What a verdict rests on: named inputs, who stands behind them, and circles."""

import ast
import json

import pytest

from llm_economics import facts
from llm_economics.book import claims, support, tracing
from llm_economics.formulas.elementwise import ParameterError

ROOT = facts.ROOT
LEAK, CEREBRAS, LLAMA = "gpt4-leak-2023", "cerebras-2024", "llama3-2024"
OF = {"gpt4-008": LEAK, "gpt4-011": LEAK}


def graded(article, uses, value=None):
    return support.support_of(support.inputs_of(article, uses, OF), value)


def test_a_quoted_row_is_cited_and_what_is_made_of_it_computed():
    assert graded(LLAMA, ["llama3:gpu_hours_70b"], 6.4e6) == "cited"
    assert graded(LLAMA, ["llama3:gpu_hours_70b"], 6.4) == "cited"  # in millions
    assert graded(LLAMA, ["llama3:gpu_hours_70b"], 2962.96) == "computed"
    assert graded(LLAMA, ["llama3:memory_training_gpu", "llama3:tdp_training_gpu"], [80, 700]) == "cited"
    assert graded(LLAMA, ["llama3:memory_training_gpu"], "in words") == "computed"
    assert graded(LLAMA, ["definition"], 2) == "computed"


def test_measurements_of_others_are_measured_and_stay_so_only_alone():
    assert graded(LLAMA, ["reading:silent_nonfiction"], 238) == "measured"
    assert graded(LLAMA, ["reading:silent_nonfiction", "reading:silent_fiction"], 249) == "measured"
    assert graded(LLAMA, ["reading:silent_nonfiction", "hardware:H100 SXM"], 5) == "computed"


def test_the_own_words_of_an_article_are_own_inputs_for_it_alone():
    post = ["cerebras_groq:speed_llama3.1_8b|introducing-cerebras-inference"]
    assert graded(CEREBRAS, post, 1800) == "own inputs"
    assert graded(LEAK, post, 1800) == "cited"
    assert graded(CEREBRAS, [*post, "reading:silent_fiction"], 7) == "own inputs"
    assert graded(LEAK, ["gpt4-008"], 111) == "own inputs"
    assert graded(LLAMA, ["gpt4-008"], 111) != "own inputs"


def test_support_follows_the_source_of_the_row(monkeypatch):
    moved = [("https://github.com/meta-llama/llama3", "own", LLAMA)]
    monkeypatch.setattr(support, "_roles", lambda: moved)
    assert graded(LLAMA, ["llama3:gpu_hours_70b"], 6.4e6) == "own inputs"
    monkeypatch.setattr(support, "_roles", lambda: [("https://github.com/meta-llama/llama3", "measures", "")])
    assert graded(LLAMA, ["llama3:gpu_hours_70b"], 6.4e6) == "measured"


@pytest.mark.parametrize("name", ["llama3:no_such_item", "no_such_file:x", "llama3:", "words", "claims:gpt4-001"])
def test_a_name_without_a_row_is_refused(name):
    with pytest.raises(ParameterError, match="is not allowed"):
        support.inputs_of(LLAMA, [name], OF)


def test_keys_pick_rows():
    assert len(support._rows("mpt_benchmarks:*")) == len(facts.load("mpt_benchmarks"))
    assert len(support._rows("training_runs:*|405B stage")) == 3
    assert [row["chip"] for row in support._rows("hardware:H100 SXM")] == ["H100 SXM5 80GB"]


def test_circles():
    assert support.circles({"a": ["b"], "b": ["c"], "c": []}) == []
    assert support.circles({"a": ["b"], "b": ["c"], "c": ["a"]}) == [["a", "b", "c"]]
    assert support.circles({"a": ["a"]}) == [["a"]]
    assert support.circles({"a": ["b", "c"], "b": ["d"], "c": ["d"]}) == []


def test_every_role_is_used_and_every_address_stands_in_data():
    known = {
        str(row)
        for name in facts.FILES
        if name not in ("bounds", "claims", "origins")
        for row in facts.load(name).source_url
    }
    for start, _role, _article in support._roles():
        assert any(address.startswith(start) for address in known), start


def checks():
    """Every call of ``check`` in a chapter, as parsed."""
    for path in sorted(claims.chapters_folder().glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code" and "check(" in source:
                calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
                yield from (node for node in calls if getattr(node.func, "id", "") == "check")


def test_a_fact_that_a_check_hands_in_is_among_what_it_uses():
    seen = 0
    for call in checks():
        uses = "".join(ast.unparse(key.value) for key in call.keywords if key.arg == "uses")
        for node in ast.walk(call.args[1]) if len(call.args) > 1 else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("fact", "facts.fact", "told"):
                texts = [part.value for part in node.args if isinstance(part, ast.Constant)]
                item = texts[1 if ast.unparse(node.func) == "facts.fact" else 0] if texts else None
                assert item is None or item in uses, ast.unparse(call)[:200]
                seen += item is not None
    assert seen > 20


def test_no_check_decides_by_a_bare_truth():
    """Every test of a claim in words is made by ``tested``, and none of its inputs is flipped to itself."""
    tests = [key.value for call in checks() for key in call.keywords if key.arg == "holds"]
    assert len(tests) > 60
    for node in tests:
        assert isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tested", ast.unparse(node)[:200]


def test_every_flip_was_tried_when_the_chapters_ran():
    tried = [basis for basis in claims.bases().values() if "flip" in basis]
    assert len(tried) > 60 and all(basis["flips"] is True for basis in tried)


def test_what_a_check_reads_is_followed_through_its_code():
    code = """
fact = partial(facts.fact, "outcomes")
small, large = facts.accelerator("A100"), facts.model("Llama 3 8B")
listed = facts.prices_of("H100")
def speed(n):
    return n * small.memory_bandwidth
check("a", speed(2), uses="")
check("b", large.layers + fact("tpu_first", "year"), uses="")
check("c", holds=tested(lambda n: n > 1, flip={"n": 0}, n=len(listed)), uses="")
"""
    found = tracing.read([{"cell_type": "code", "source": code, "metadata": {}}]).records
    assert {name.pattern: set(read) for name, _, (_, read) in found} == {
        "a": {("hardware", "A100")},
        "b": {("models", "Llama 3 8B"), ("outcomes", "tpu_first")},
        "c": {("gpu_prices", "")},
    }


def test_rows_that_are_read_and_not_named_are_found():
    read = {("hardware", "H100"), ("gpu_prices", ""), ("outcomes", "tpu_first")}
    named = ["hardware:H100 SXM", "definition"]
    assert support.unnamed(read, named) == ["gpu_prices:*", "outcomes:tpu_first"]
    assert support.unnamed(read, [*named, "gpu_prices:*|p5.48xlarge", "outcomes:tpu_first"]) == []


def test_a_check_that_leaves_out_what_it_reads_is_a_fault(tmp_path):
    book = tmp_path / "kv-cache.ipynb"
    notebook = json.loads((ROOT / "chapters" / "kv-cache.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if output.get("data", {}).get(claims.VERDICT_MIME, {}).get("id") == "serve-031":
                output["data"][claims.BASIS_MIME]["uses"] = ["hardware:A100 SXM 40GB"]
    book.write_text(json.dumps(notebook), encoding="utf-8")
    assert claims.faults(tmp_path) == ["serve-031 reads models:PaLM 540B, and does not name it"]
