"""``llm-economics run`` as a reader calls it: what it writes, what it keeps, and what it refuses."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from notebook_runner import heed_interrupts

from llm_economics.book import claims
from llm_economics.cli import main
from llm_economics.facts import ROOT
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import notebooks, runs
from llm_economics.reruns.notebooks import METADATA

COMMAND = [sys.executable, "-m", "llm_economics"]
TITLE = '<script>alert("x")</script> {{7*7}} `__import__("os")` \\ $x$ \'q\' & <b>bold'
WHY = "Line one.\nA *second* with <img src=x onerror=alert(1)> and {ref}`nowhere`."
SCENARIO = f"title: {json.dumps(TITLE)}\nwhy: {json.dumps(WHY)}\nparameters: {{weight_format: fp8}}\n"


def call(*arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *map(str, arguments)], cwd=cwd, capture_output=True, text=True)


def notebook(path: Path, *cells: str) -> Path:
    """A chapter of its own; the first cell holds its parameters."""
    made = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {"tags": ["parameters"]} if number == 0 else {},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(cells)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": made, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}))
    return path


MFU = "mfu: float = 0.4  # utilisation [fraction]"
RECORD = 'from llm_economics.book.claims import record\nrecord("doubled", 2 * mfu, "fraction")'


# A run of two chapters, its results and its site


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Two chapters run under a scenario with a hostile title, and the whole site of it; called from another folder."""
    here = tmp_path_factory.mktemp("reader")
    (here / "mine.yaml").write_text(SCENARIO)
    sources = [ROOT / "chapters" / f"{slug}.ipynb" for slug in ("expert-routing", "kv-cache")]
    before = [path.read_bytes() for path in sources]
    answer = call(
        *("run", "expert-routing", "kv-cache", "--scenario", "mine.yaml", "-p", "kv-cache:head_size=64"),
        *("--site", "--out", "out"),
        cwd=here,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert f"open {here / 'out' / 'site' / 'index.html'}" in answer.stdout
    assert "100%" in answer.stderr and "WARNING" not in answer.stderr
    assert [path.read_bytes() for path in sources] == before, "the book itself is untouched"
    return here / "out"


def test_results_are_those_of_the_chapters_under_these_values(made):
    found = json.loads((made / "results.json").read_text())
    verdicts, results = notebooks.evaluate(ROOT / "chapters/kv-cache.ipynb", {"weight_format": "fp8", "head_size": 64})
    assert {row["id"]: row for row in found["verdicts"] if row["chapter"] == "kv-cache"} == verdicts
    assert {row["name"]: row["value"] for row in found["results"]["kv-cache"]} == {
        name: claims.rounded(row["value"]) for name, row in results.items()
    }
    assert set(found["results"]) == {"expert-routing", "kv-cache"}
    own = found["parameters"]["kv-cache"]
    assert own["head_size"] == {"value": 64, "default": 128, "unit": "value"}
    assert own["weight_format"]["value"] == "fp8" and own["batch"]["value"] == own["batch"]["default"]
    assert found["versions"]["python"].startswith("3.") and found["versions"]["numpy"]
    assert found["title"] == f"{TITLE}; kv-cache:head_size = 64"


def test_the_table_has_every_verdict_and_every_result(made):
    found = json.loads((made / "results.json").read_text())
    with (made / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == runs.COLUMNS
    names = [row["id"] for row in found["verdicts"]]
    names += [row["name"] for slug in found["results"] for row in found["results"][slug]]
    assert [row["name"] for row in rows] == names
    assert {row["verdict"] for row in rows if row["kind"] == "verdict"} <= set(claims.VERDICTS)


def test_what_reads_the_chapters_is_run_again_with_them(made):
    head = claims.verdicts(made / "chapters")["serve-050"]["verdict"]
    assert head == "fails" != claims.verdicts()["serve-050"]["verdict"]
    card = json.loads((made / "chapters" / "scorecard.ipynb").read_text())
    outputs = [output for cell in card["cells"] for output in cell.get("outputs", ())]
    shown = "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    row = BeautifulSoup(shown, "html.parser").find("a", string="serve-050").find_parent("tr")
    assert row["data-verdict"] == "fails"


def test_the_site_says_on_every_page_what_it_is(made):
    site = made / "site"
    pages = [site / "index.html", site / "what-changed.html", *sorted(site.glob("chapters/*.html"))]
    assert len(pages) == 2 + len(list(ROOT.glob("chapters/*.*")))
    for page in pages:
        text = page.read_text()
        assert "<script>alert" not in text and "<img src=x" not in text
        soup = BeautifulSoup(text[text.index('<aside class="book-banner"') :].partition("</aside>")[0], "html.parser")
        assert soup.strong.get_text() == f"{TITLE}; kv-cache:head_size = 64"
        assert soup.select("script, img, b, span") == []
        assert " ".join(WHY.split()) in soup.get_text()
        (link,) = soup.select("a")
        assert link["href"] == "#" or (page.parent / link["href"]).resolve() == site / "what-changed.html"
        assert "verdicts flip" in link.get_text() and "; 2 of" in link.get_text()


def test_the_page_of_what_changed_lists_flips_and_values(made):
    soup = BeautifulSoup((made / "site" / "what-changed.html").read_text(), "html.parser").select_one("article")
    row = soup.find("a", string="serve-050").find_parent("tr")
    assert [cell.get_text() for cell in row.select("td")][1:3] == ["holds if", "fails"]
    assert row.select_one("td.is-fails") and soup.find("td", string="head_size")
    assert f"to {TITLE}" in soup.get_text() and not soup.select("[onerror]")
    assert not [script for script in soup.select("script") if "alert" in (script.string or "")]
    for link in soup.select("table a"):
        name, _, anchor = link["href"].partition("#")
        assert not anchor or f'id="{anchor}"' in (made / "site" / name).read_text()


def test_a_chapter_of_the_site_has_the_values_that_were_put_in(made):
    soup = BeautifulSoup((made / "site" / "chapters" / "kv-cache.html").read_text(), "html.parser")
    assert (
        soup.find(string=lambda text: text == "64") and soup.select_one("#serve-050 .verdict-badge").string == "fails"
    )


def test_compare_makes_its_page_anew(made):
    page = made / "site" / "what-changed.html"
    first = BeautifulSoup(page.read_text(), "html.parser").select_one("article").get_text()
    page.unlink()
    answer = call("compare", made, "--site", "--json", cwd=made.parent)
    assert answer.returncode == 0, answer.stderr
    assert [row["id"] for row in json.loads(answer.stdout)["flipped"]].count("serve-050") == 1
    assert answer.stderr.splitlines()[-1] == f"open {page}"
    assert BeautifulSoup(page.read_text(), "html.parser").select_one("article").get_text() == first


# Failures, interrupts, resuming


def test_a_failed_chapter_leaves_the_others_and_a_good_output(tmp_path):
    source, out = tmp_path / "chapters", tmp_path / "out"
    notebook(source / "good.ipynb", MFU, RECORD)
    notebook(source / "other.ipynb", MFU, RECORD, "1 / (mfu - mfu)")
    command = ("run", "--from", source, "--out", out, "-p", "mfu=0.25")
    answer = call(*command, cwd=tmp_path)
    assert answer.returncode != 0
    assert "failed: other, cell [4]: ZeroDivisionError: " in answer.stderr
    assert answer.stderr.splitlines()[-1] == "Error: 1 of 2 chapters failed, the others are kept"
    found = json.loads((out / "results.json").read_text())["results"]
    assert found == {"good": [{"name": "doubled", "note": "", "unit": "fraction", "value": 0.5}]}
    assert not (out / "chapters" / "other.ipynb").exists()

    whole = (out / "chapters" / "good.ipynb").read_bytes()
    notebook(source / "good.ipynb", MFU, "raise SystemError('line one\\nline two')")
    notebook(source / "other.ipynb", MFU, RECORD)
    answer = call(*command, cwd=tmp_path)
    assert "failed: good, cell [3]: SystemError: line one line two" in answer.stderr
    assert (out / "chapters" / "good.ipynb").read_bytes() == whole
    assert set(json.loads((out / "results.json").read_text())["results"]) == {"other"}, (
        "the good one is of another source"
    )


def test_an_interrupt_keeps_what_is_finished_and_the_next_run_goes_on(tmp_path):
    source, out = tmp_path / "chapters", tmp_path / "out"
    pid, flag = tmp_path / "pid", tmp_path / "flag"
    notebook(source / "first.ipynb", MFU, RECORD + "\n#" + " long" * 2000)
    wait = f"import os, pathlib, time\npathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\n"
    notebook(
        source / "second.ipynb", MFU, f"{wait}while not pathlib.Path({str(flag)!r}).exists():\n    time.sleep(0.05)"
    )
    command = [*COMMAND, "run", "--from", str(source), "--out", str(out), "--jobs", "1"]
    running = subprocess.Popen(
        command, preexec_fn=heed_interrupts, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: pid.exists() and pid.read_text())
    assert (out / "chapters" / "first.ipynb").exists(), "the longer one goes first"
    running.send_signal(signal.SIGINT)
    _, complaint = running.communicate(timeout=60)
    assert running.returncode == 130, complaint
    assert "interrupted; the chapters that finished are kept" in complaint and "Traceback" not in complaint
    wait_for(lambda: not Path(f"/proc/{pid.read_text()}").exists())
    assert set(json.loads((out / "results.json").read_text())["results"]) == {"first"}

    first = (out / "chapters" / "first.ipynb").stat()
    flag.touch()
    answer = call(*command[3:], cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert (out / "chapters" / "first.ipynb").stat() == first
    assert (out / "chapters" / "second.ipynb").exists() and not list(out.rglob("*.tmp"))


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def a_run(folder: Path, **values: float) -> runs.Run:
    notebook(folder / "chapters" / "some.ipynb", MFU, RECORD)
    return runs.Run(folder / "out", "title", "", {"some": values}, folder / "chapters")


def test_what_was_made_from_something_else_is_made_again(tmp_path):
    run = a_run(tmp_path, mfu=0.5)
    notebooks.write_atomic(run.output("some"), run.sources["some"].read_text())
    run._made("some", runs.chapter_key(run.sources["some"], run.values["some"]), 1.0)
    assert run.current("some")
    assert not a_run(tmp_path, mfu=0.6).current("some")
    assert a_run(tmp_path, mfu=0.5).current("some")
    kept = run.output("some").read_text()
    run.output("some").write_text(kept.replace("doubled", "halved"))
    assert not run.current("some"), "not the file that was written"
    run.output("some").write_text(kept)
    assert run.current("some")
    notebook(run.sources["some"], MFU, RECORD, "mfu")
    assert not run.current("some"), "another source"


def test_a_folder_holds_runs_of_one_set_of_assumptions(tmp_path):
    with runs.opened(a_run(tmp_path, mfu=0.5)):
        pass
    with pytest.raises(ParameterError, match="holds a run under other"), runs.opened(a_run(tmp_path, mfu=0.6)):
        pass
    (tmp_path / "out" / "chapters").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("a reader's own file")
    with runs.opened(a_run(tmp_path, mfu=0.6), fresh=True):
        pass
    assert runs.read_manifest(tmp_path / "out")["values"] == {"some": {"mfu": 0.6}}
    assert (tmp_path / "out" / "mine.txt").exists() and not (tmp_path / "out" / "chapters").exists()
    run, refused_too = a_run(tmp_path, mfu=0.6), pytest.raises(ParameterError, match="another run is at work")
    with runs.opened(run), refused_too, runs.opened(run):
        pass


def test_a_long_chapter_goes_first(tmp_path):
    run = a_run(tmp_path)
    notebook(tmp_path / "chapters" / "long.ipynb", MFU, "#" * 5000)
    assert runs.expected_seconds(run, "long") > runs.expected_seconds(run, "some")
    run.manifest["notebooks"]["some"] = {"seconds": 100.0}
    assert runs.expected_seconds(run, "long") < runs.expected_seconds(run, "some")


# What is refused before anything runs


def refused(tmp_path: Path, *arguments: str) -> str:
    """The one line that a call ends with; nothing is written."""
    out = tmp_path / "out"
    answer = CliRunner().invoke(main, ["run", *arguments, "--out", str(out)])
    assert answer.exit_code != 0 and not out.exists()
    (line,) = answer.output.splitlines()
    return line.removeprefix("Error: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kv-cach"], "no chapter 'kv-cach'; nearest: kv-cache"),
        (["-p", "h100_usd_per_hou=1"], "no parameter 'h100_usd_per_hou'; nearest: h100_usd_per_hour, "),
        (["-p", "mfu=1.2"], "mfu = 1.2 is not allowed: it must be above 0 and at most 1"),
        (["-p", "mfu=nan"], "mfu = 'nan' is not allowed: it must be a number (fraction)"),
        (["-p", "mfu=1e999"], "mfu = inf is not allowed: it must be a finite number"),
        (["-p", "mfu=__import__('os').getpid()"], "mfu = \"__import__('os').getpid()\" is not allowed: it must be"),
        (["-p", "mfu=0.4\nimport os"], "mfu = '0.4\\nimport os' is not allowed: it must be a number (fraction)"),
        (["-p", "mfu=True"], "mfu = 'True' is not allowed: it must be a number (fraction)"),
        (["-p", "mfu=" + "9" * 100_000], "mfu = '999999999999"),
        (["-p", "batch=1.5"], "batch = '1.5' is not allowed: it must be a whole number (sequence)"),
        (["-p", "batch=٣"], "batch = '٣' is not allowed: it must be a whole number (sequence)"),
        (["-p", "precision=fp8\"; import os #"], "precision = 'fp8\"; import os #' is not allowed: it must be one of "),
        (["-p", "mfu"], "-p 'mfu' is not allowed: it must be NAME=VALUE or CHAPTER:NAME=VALUE"),
        (["-p", "mfu=0.3", "-p", "mfu=0.4"], "-p mfu is given twice"),
        (["-p", "kv-cache:mfu=0.3"], "kv-cache has no parameter mfu; known: "),
        (["kv-cache", "-p", "mfu=0.3"], "no chapter that is to run has a parameter mfu: kv-cache"),
        (["kv-cache", "-p", "token-cost:batch=2"], "token-cost is not among the chapters that run: kv-cache"),
        (["--scenario", "fp9"], "no scenario 'fp9'; nearest: fp8 (or the path of a .yaml file)"),
    ],
)  # fmt: skip
def test_refused_in_one_line_with_the_nearest_names(tmp_path, arguments, message):
    assert refused(tmp_path, *arguments).startswith(message)


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "chapters").mkdir()
    answer = CliRunner().invoke(main, ["run", "kv-cache", "--out", str(tmp_path)])
    assert answer.output == f"Error: {tmp_path} is not empty and holds no run: name another --out\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "chapters"]
    (tmp_path / "run.json").write_text("[]")
    answer = CliRunner().invoke(main, ["run", "kv-cache", "--out", str(tmp_path)])
    assert "run.json is no record of a run" in answer.output


def test_text_stays_text_in_a_kernel(tmp_path):
    """Even past every check: papermill's literal of a hostile text is that text."""
    text = (
        '"""\'\'\';import os;os.mkdir("made")#\\\n\\\\" + __import__("os").getcwd() {0} {{x}} </script> \u2028 é \x00'
    )
    source = notebook(
        tmp_path / "in" / "{said}.ipynb",
        'weight_format: str = "bf16"  # format',
        'from llm_economics.book.claims import record\nrecord("said", weight_format, "text")',
    )
    outcome = notebooks.run_notebook(source, tmp_path / "{out}" / "said.ipynb", {"weight_format": text})
    assert outcome.ok, outcome
    assert claims.results(tmp_path / "{out}")["said"]["said"]["value"] == text
    assert not list(tmp_path.rglob("made"))
    for wrong in (float("inf"), ["a"], {"a": 1}, None, "x" * 10_000_000):
        with pytest.raises(ParameterError, match=r"^weight_format of \{said\} is not allowed"):
            notebooks.run_notebook(source, tmp_path / "out.ipynb", {"weight_format": wrong})
    with pytest.raises(ParameterError, match="has no parameter 'weight_formt'; nearest: weight_format"):
        notebooks.run_notebook(source, tmp_path / "out.ipynb", {"weight_formt": "fp8"})


def test_without_values_a_run_gives_the_committed_bytes(tmp_path):
    source = ROOT / "chapters" / "how-to-read.ipynb"
    assert notebooks.run_notebook(source, tmp_path / source.name, {}).ok
    assert (tmp_path / source.name).read_bytes() == source.read_bytes()
    assert "LLM_ECONOMICS_CHAPTERS" not in os.environ
