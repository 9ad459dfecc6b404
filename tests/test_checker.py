"""The checker can fail: a change of one part in a thousand is caught, in the smallest number that a page prints."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from llm_economics.book.claims import VERDICT_MIME
from llm_economics.book.figures import MIME as CHART_MIME
from llm_economics.facts import ROOT

CHAPTER = "llama3-cluster-sizing"
NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*(?:\.\d+)?(?![\w,]|\.\d)")


def scratch(folder):
    """A copy of what a chapter needs to run: the library, the data, one chapter."""
    for name in ("lib", "data", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.egg-info", "oracle"))
    (folder / "chapters").mkdir()
    shutil.copy(ROOT / f"chapters/{CHAPTER}.ipynb", folder / "chapters")
    for name in ("pyproject.toml", "_toc.yml"):
        shutil.copy(ROOT / name, folder)
    return folder


def run_pytest(root, *arguments):
    """Pytest in that root, with its own library and data."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root / "lib")},
    )


def failed_cells(root) -> set[int]:
    """The code cells of the chapter, counted from 0, that nbval finds changed."""
    answer = run_pytest(root, f"chapters/{CHAPTER}.ipynb")
    assert answer.returncode in (0, 1), answer.stdout + answer.stderr
    return {int(cell) for cell in re.findall(r"^FAILED \S*::Cell (\d+)", answer.stdout, re.M)}


def in_text(holder, key):
    """Every number that a text prints, each with a function that changes it by one part in a thousand."""
    text = holder[key] if isinstance(holder[key], str) else "".join(holder[key])
    body = text.index("<tbody") if "<tbody" in text else 0

    def change(match):
        changed = f"{float(match.group().replace(',', '')) * 1.001:.9g}"
        holder[key] = text[: match.start()] + changed + text[match.end() :]

    for match in NUMBER.finditer(text, body):
        inside_tag = text.rfind("<", 0, match.start()) > text.rfind(">", 0, match.start())
        value = float(match.group().replace(",", ""))
        if value > 0 and not inside_tag:
            yield value, lambda match=match: change(match)


def in_record(record, key):
    value = record[key]
    if isinstance(value, float) and value > 0:
        yield value, lambda: record.update({key: value * 1.001})


def numbers(data):
    """Kind, number and change for each number that an output of a cell prints."""
    if VERDICT_MIME in data:
        yield from (("verdict record", *found) for found in in_record(data[VERDICT_MIME], "computed_value"))
    elif CHART_MIME in data:
        for rows in data[CHART_MIME]["datasets"].values():
            yield from (("chart", *found) for row in rows for key in row for found in in_record(row, key))
    elif "text/html" in data:
        yield from (("table", *found) for found in in_text(data, "text/html"))
    elif set(data) == {"text/markdown", "text/plain"}:
        yield from (("sentence", *found) for found in in_text(data, "text/markdown"))


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """The cells that were changed, by kind of output, and the cells that nbval then finds changed."""
    root = scratch(tmp_path_factory.mktemp("outputs"))
    path = root / f"chapters/{CHAPTER}.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    smallest = {}
    for index, cell in enumerate(cell for cell in notebook["cells"] if cell["cell_type"] == "code"):
        for output in cell["outputs"]:
            for kind, value, change in numbers(output.get("data", {})):
                if kind not in smallest or value < smallest[kind][0]:
                    smallest[kind] = value, index, change
    for _, _, change in smallest.values():
        change()
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return {kind: index for kind, (_, index, _) in smallest.items()}, failed_cells(root)


@pytest.mark.parametrize("kind", ["table", "sentence", "verdict record", "chart"])
def test_a_stored_output_off_by_a_thousandth_is_caught(failures, kind):
    changed, failed = failures
    assert changed[kind] in failed


def test_nothing_else_is_complained_about(failures):
    changed, failed = failures
    assert failed == set(changed.values())


def test_a_formula_off_by_a_thousandth_is_caught(tmp_path):
    root = scratch(tmp_path)
    formula = root / "lib/llm_economics/formulas/training.py"
    text = formula.read_text(encoding="utf-8")
    assert "FLOP_PER_PARAMETER_TOKEN = 6.0\n" in text
    formula.write_text(text.replace("FLOP_PER_PARAMETER_TOKEN = 6.0\n", "FLOP_PER_PARAMETER_TOKEN = 6.006\n"))
    assert failed_cells(root)


def test_a_fact_off_by_a_thousandth_is_caught(tmp_path):
    root = scratch(tmp_path)
    facts = root / "data/llama3.csv"
    text = facts.read_text(encoding="utf-8")
    assert "share_printed_ssd,0.007," in text, "the smallest share of the table"
    facts.write_text(text.replace("share_printed_ssd,0.007,", "share_printed_ssd,0.007007,"), encoding="utf-8")
    answer = run_pytest(root, "tests/test_data.py", "-k", "test_no_value_changed_unseen")
    assert answer.returncode == 1 and "llama3.csv" in answer.stdout
