"""What every notebook of the book has in common, checked on the committed files."""

import ast
import json
import re
import statistics
from pathlib import Path

import pytest
import yaml

from llm_economics.book import claims
from llm_economics.facts import ROOT
from llm_economics.facts.parameters import PARAMETERS
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns.notebooks import METADATA, parameters_of

NOTEBOOKS = sorted([*ROOT.glob("chapters/*.ipynb"), ROOT / "index.ipynb"])
names = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell: dict) -> str:
    return "".join(cell["source"])


def code_cells(path: Path) -> list[dict]:
    return [cell for cell in load(path)["cells"] if cell["cell_type"] == "code"]


def tags(cell: dict) -> list[str]:
    return cell["metadata"].get("tags", [])


def is_argument(path: Path) -> bool:
    return not any("no-parameters" in tags(cell) for cell in load(path)["cells"])


ARGUMENTS = [path for path in NOTEBOOKS if is_argument(path)]
arguments = pytest.mark.parametrize("path", ARGUMENTS, ids=lambda path: path.stem)


def toc_files() -> list[str]:
    text = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    toc = yaml.safe_load(text)
    return [toc["root"]] + [entry["file"] for part in toc["parts"] for entry in part["chapters"]]


def test_the_table_of_contents_names_every_notebook():
    assert {str(path.relative_to(ROOT).with_suffix("")) for path in NOTEBOOKS} <= set(toc_files())


@names
def test_metadata_is_minimal(path):
    notebook = load(path)
    assert notebook["metadata"] == METADATA
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for place, cell in enumerate(code_cells(path), start=1):
        assert cell["execution_count"] == place, "run from top to bottom"
        assert set(cell["metadata"]) <= {"tags"}
        assert not any(tag.startswith("nbval") for tag in tags(cell)), "no output is kept out of the comparison"


@names
def test_outputs_are_stored_without_errors(path):
    cells = code_cells(path)
    assert any(cell["outputs"] for cell in cells)
    assert not [cell for cell in cells if {"hide-output", "hide-cell"} & set(tags(cell))], "what is found is shown"
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] in ("error", "stream")]


@names
def test_code_cells_are_short(path):
    lengths = [len([line for line in source(cell).splitlines() if line.strip()]) for cell in code_cells(path)]
    assert max(lengths) <= 20
    assert statistics.median(lengths) <= 5


@arguments
def test_a_tornado_comes_with_its_sobol_shares(path):
    cells = code_cells(path)
    if any("figures.tornado(" in source(cell) for cell in cells):
        stored = json.dumps([cell["outputs"] for cell in cells])
        assert "`Sobol shares <Sobol share>` of the variance" in stored


@names
def test_every_chart_has_a_title_and_a_description(path):
    for cell in code_cells(path):
        for output in cell["outputs"]:
            chart = output.get("data", {}).get("application/vnd.vegalite.v5+json")
            if chart:
                assert chart["description"] and chart["title"]
                assert "image/svg+xml" in output["data"]


@arguments
def test_parameters_are_literals_of_the_table(path):
    cells = [cell for cell in code_cells(path) if "parameters" in tags(cell)]
    assert len(cells) == 1
    for line in source(cells[0]).splitlines():
        statement = ast.parse(line).body[0]
        assert isinstance(statement, ast.AnnAssign)
        ast.literal_eval(statement.value)
    for name, row in parameters_of(path).items():
        assert row["type"] == PARAMETERS[name].type.__name__
        assert row["help"] == PARAMETERS[name].help
        PARAMETERS[name].check(name, ast.literal_eval(row["default"]))


@arguments
def test_parameters_are_validated_right_after(path):
    cells = code_cells(path)
    place = next(i for i, cell in enumerate(cells) if "parameters" in tags(cell))
    call = next(line for line in source(cells[place + 1]).replace("\n", " ").split("validate(")[1:])
    assert set(re.findall(r"(\w+)=\1\b", call)) == set(parameters_of(path))


def test_one_assumption_has_one_default():
    seen: dict[str, tuple[str, str]] = {}
    for path in ARGUMENTS:
        for name, row in parameters_of(path).items():
            default = ast.literal_eval(row["default"])
            first, value = seen.setdefault(name, (path.stem, default))
            assert default == value, f"{name} is {default} in {path.stem} and {value} in {first}"
    assert set(seen) == set(PARAMETERS), "every parameter of the table is used"


@arguments
def test_chapter_answers_all_of_its_claims(path):
    wanted = {row.id for row in claims.ledger().values() if row.chapter == path.stem}
    assert {i for i, row in claims.verdicts().items() if row["chapter"] == path.stem} == wanted


def test_reasons_cite_what_the_bibliography_has():
    keys = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "references.bib").read_text(encoding="utf-8"), re.M))
    for row in claims.verdicts().values():
        for cited in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", row["reason"]):
            assert set(cited.split(",")) <= keys, row["id"]


def test_every_entry_of_the_bibliography_is_cited():
    keys = re.findall(r"^@\w+\{([^,]+),", (ROOT / "references.bib").read_text(encoding="utf-8"), re.M)
    assert len(set(keys)) == len(keys)
    pages = "".join(path.read_text(encoding="utf-8") for path in [*NOTEBOOKS, *ROOT.glob("chapters/*.md")])
    assert not [key for key in keys if key not in pages]


def test_outside_facts_cite_their_source():
    for row in claims.verdicts().values():
        if claims.ledger()[row["id"]].kind == "outside_fact":
            assert "{cite" in row["reason"], f"{row['id']} rests on an outside fact and cites nothing"


@names
def test_no_number_is_typed_into_a_sentence_of_an_answer(path):
    """Sentences with computed numbers are outputs; Markdown cells carry the source's numbers only."""
    for cell in load(path)["cells"]:
        if cell["cell_type"] == "markdown":
            assert not re.search(r"we (find|get|compute)[^.]*\d", source(cell)), source(cell)[:80]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"aceptance": 0.6},
            "aceptance = 0.6 is not allowed: it is no parameter of this chapter; nearest are acceptance",
        ),
        ({"mfu": 0.5}, "mfu = 0.5 was not taken: this chapter has no such parameter"),
        ({"acceptance": 0.6}, None),
    ],
)
def test_what_papermill_injects_is_known_or_told(given, says, capsys):
    """As a kernel runs it: the cells behind it stand in ``In``, papermill's begins with its comment."""
    injected = "# Parameters\n" + "".join(f"{name} = {value}\n" for name, value in given.items())
    space = {"__name__": "__main__", "In": ["", "acceptance: float = 0.7  # chance", injected]}
    code = "from llm_economics.facts.parameters import validate\nvalidate(acceptance=0.7)"
    try:
        exec(code, space)
    except ParameterError as error:
        print(error)
    shown = capsys.readouterr().out
    assert shown.startswith(says) if says else shown == ""
