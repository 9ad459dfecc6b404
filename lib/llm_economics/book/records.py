"""The shapes of what runs, sweeps and executed notebooks leave, held against each file that comes from elsewhere.

A file of another shape is refused with one line that names it, the field and what is allowed there. What a file has
besides is left alone, so that a file of a later edition is read as far as it goes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llm_economics.book.judging import BASIS_MIME, RESULT_MIME, VERDICT_MIME, VERDICTS, ledger
from llm_economics.facts import documents
from llm_economics.formulas.elementwise import ParameterError

Whole = Annotated[int, Field(ge=-(10**300), le=10**300)]
"""A whole number that floats reach."""
Plain = bool | Whole | float | str | None
Value = Plain | list[Plain | list[Plain]]
Scalar = Whole | float | str
Count = Annotated[float, Field(ge=0)]


class Shape(BaseModel):
    """JSON, whose numbers are no text and whose text is no number."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="allow")


class Flip(Shape):
    """Where a verdict changes."""

    parameter: str
    value: Value
    unit: str


class RecordedVerdict(Shape):
    """A verdict, as the output of a notebook holds it."""

    id: str
    chapter: str
    verdict: Literal[VERDICTS]
    statement: str = ""
    unit: str = ""
    article: str = ""
    stated_text: str | None = None
    stated_low: float | None = None
    stated_high: float | None = None
    computed_value: Value = None
    ratio: Value = None
    flips_at: Flip | str | None = None
    reason: str = ""
    support: str | None = None
    factor_apart: float | None = None
    condition: str | None = None
    immaterial: bool | None = None


class Basis(Shape):
    """What a verdict rests on."""

    uses: list[str] = []
    flip: dict[str, Any] = {}
    flips: bool = True
    quoted: bool = False


class RecordedResult(Shape):
    """A named result."""

    name: str
    value: Value
    unit: str
    note: str = ""


class Data(Shape):
    """The book's own records in an output of a notebook."""

    verdict: RecordedVerdict = Field(None, alias=VERDICT_MIME)
    basis: Basis = Field(None, alias=BASIS_MIME)
    result: RecordedResult = Field(None, alias=RESULT_MIME)


LEFT_OUT = {
    kind.alias: {name: field.default for name, field in kind.annotation.model_fields.items() if not field.is_required()}
    for kind in Data.model_fields.values()
}
"""What counts in a record of each kind where it leaves something out."""


class Output(Shape):
    """An output of a cell."""

    data: Data = Data()


class Metadata(Shape):
    """What is said of a cell."""

    tags: list[str] = []


class Cell(Shape):
    """A cell of a notebook."""

    cell_type: Literal["code", "markdown", "raw"] = "code"
    metadata: Metadata = Metadata()
    source: str | list[str] = ""
    outputs: list[Output] = []


class Notebook(Shape):
    """A notebook."""

    cells: list[Cell]


class Made(Shape):
    """What a notebook of a run was made from, the hash of what was written, and the time that it took."""

    key: str
    sha256: str
    seconds: Count


class Manifest(Shape):
    """``run.json``."""

    title: str
    why: str
    source: str
    values: dict[str, dict[str, Scalar]]
    notebooks: dict[str, Made]
    run: str = ""


class Assumption(Shape):
    """The value of a parameter in a run."""

    value: Scalar
    default: Scalar
    unit: str


class ComparedVerdict(RecordedVerdict):
    """A verdict of ``results.json``."""

    statement: str
    unit: str
    computed_value: Value


class Results(Shape):
    """``results.json`` of a run."""

    title: str
    parameters: dict[str, dict[str, Assumption]]
    verdicts: list[ComparedVerdict]
    results: dict[str, list[RecordedResult]]
    run: str = ""

    @model_validator(mode="after")
    def _together(self) -> Results:
        for slug in self.parameters:
            if slug not in self.results:
                raise ValueError(f"{slug} has parameters and no results")
        return self


class PointResult(Shape):
    """A named result at a point of a sweep."""

    value: Value
    unit: str
    note: str


class PointVerdict(Shape):
    """The verdict on a claim at a point of a sweep."""

    verdict: Literal[VERDICTS]
    computed_value: Value


class Point(Shape):
    """What a sweep stores of one point."""

    parameters: dict[str, Scalar]
    results: dict[str, PointResult]
    verdicts: dict[str, PointVerdict]
    error: str
    lost: bool

    @model_validator(mode="after")
    def _known(self) -> Point:
        for key in self.verdicts:
            if key not in ledger():
                raise ValueError(f"no claim has the name {key[:60]!r}")
        return self


def read(path: Path, shape: type[Shape]) -> Any:
    """What a JSON file holds, as plain data of this shape.

    Raises
    ------
    ParameterError
        One line without the file's name: it cannot be read, is no JSON, or a field is not allowed.
    """
    return documents.shaped(documents.json_text(documents.content(path)), shape)


def notebook(found: bytes) -> dict[str, Any]:
    """What the bytes of a notebook hold, the book's own records whole; the errors of :func:`read`."""
    made = documents.shaped(documents.json_text(found), Notebook)
    for output in (output for cell in made["cells"] for output in cell.get("outputs", ())):
        data = output.get("data", {})
        data |= {mime: blank | data[mime] for mime, blank in LEFT_OUT.items() if mime in data}
    return made


def manifest(path: Path) -> dict[str, Any]:
    """``run.json`` of a run.

    Raises
    ------
    ParameterError
        One line that names the file and the field.
    """
    try:
        return read(path, Manifest)
    except ParameterError as error:
        raise ParameterError(f"{path} is no record of a run: {error}; remove it, or name another --out") from None
