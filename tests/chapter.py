"""What the tests of chapters share: a chapter under other assumptions, and the questions that each one answers."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from math import ceil, floor
from typing import Any

import pytest
from notebook_runner import run, verdict

from llm_economics.facts import ROOT
from llm_economics.facts.parameters import PARAMETERS
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.reruns import notebooks
from llm_economics.site.charts import moved

CHART = "application/vnd.vegalite.v5+json"


class Chapter:
    """A chapter of the book by its name."""

    def __init__(self, slug: str) -> None:
        self.path = ROOT / "chapters" / f"{slug}.ipynb"
        self.defaults = notebooks.defaults(self.path)

    def run(self, **parameters: Any) -> tuple[dict[str, dict], dict[str, dict]]:
        """Verdicts and results by name."""
        return run(self.path, **parameters)

    def results(self, **parameters: Any) -> dict[str, Any]:
        """The values that the chapter records, by name."""
        return {name: row["value"] for name, row in self.run(**parameters)[1].items()}

    def verdict(self, claim: str, **parameters: Any) -> str:
        return verdict(self.path, claim, **parameters)

    def verdicts(self, **parameters: Any) -> dict[str, str]:
        return {claim: row["verdict"] for claim, row in self.run(**parameters)[0].items()}

    def sides(self, claim: str, parameter: str | None = None, by: float = 1e-4) -> list[str]:
        """The verdicts just below and just above the value at which the chapter says that it flips.

        ``parameter`` is the one that it has to name; of whole numbers, the nearest are tried.
        """
        edge = self.run()[0][claim]["flips_at"]
        name, value = edge["parameter"], edge["value"]
        assert parameter in (None, name)
        whole = PARAMETERS[name].type is int
        both = (ceil(value) - 1, floor(value) + 1) if whole else (value * (1 - by), value * (1 + by))
        return [self.verdict(claim, **{name: side}) for side in both]

    @cached_property
    def outputs(self) -> list[dict]:
        """What the cells of the chapter show, as committed."""
        cells = json.loads(self.path.read_text(encoding="utf-8"))["cells"]
        return [output["data"] for cell in cells for output in cell.get("outputs", ()) if "data" in output]

    def prose(self, word: str = "") -> str:
        """The sentences that its cells print, as committed, of cells in whose sentences a word stands."""
        texts = ("".join(data.get("text/markdown", "")) for data in self.outputs)
        return "\n".join(text for text in texts if word in text)

    @property
    def charts(self) -> list[dict]:
        return [data[CHART] for data in self.outputs if CHART in data]

    def moved(self, handle: str) -> dict[Any, tuple[str, str]]:
        """Title and read-out of the figure with that handle at each of its values, as committed."""
        found = next(made for chart in self.charts if (made := moved(chart)) and made.name == handle)
        return dict(zip(found.values, zip(found.titles, found.readouts, strict=True), strict=True))


def agree(results: Mapping[str, Any], wanted: Mapping[str, Any], rel: float = 1e-9) -> None:
    """Each value that is wanted is found."""
    for name, value in wanted.items():
        assert results[name] == pytest.approx(value, rel=rel), name


def equal(
    chapter: Chapter, expected: Callable[..., Mapping[str, Any]], *cases: Mapping[str, Any],
    apart: Sequence[str] | None = (), rel: float = 1e-9,
) -> Callable[..., None]:  # fmt: skip
    """A test: with the chapter's own values and in each case, its results are what a function of all parameters says.

    There are none but those and the ones ``apart``, if that is not None.
    """

    @pytest.mark.parametrize("changes", [{}, *cases], ids=lambda changes: ",".join(changes) or "defaults")
    def test(changes):
        results, wanted = chapter.results(**changes), expected({**chapter.defaults, **changes})
        assert apart is None or set(results) == {*wanted, *apart}
        agree(results, wanted, rel)

    return test


def flips(chapter: Chapter, *cases: tuple[str, str, str, str], by: float = 1e-4) -> Callable[..., None]:
    """A test: a claim's verdict hangs on the parameter that the chapter names, and changes where it says."""

    @pytest.mark.parametrize(("claim", "parameter", "below", "above"), cases)
    def test(claim, parameter, below, above):
        assert chapter.sides(claim, parameter, by) == [below, above]

    return test


def refuses(chapter: Chapter, *cases: tuple[Mapping[str, Any], str]) -> Callable[..., None]:
    """A test: the chapter stops at values that are not allowed with one line, which begins so where it ends in dots."""

    @pytest.mark.parametrize(("changes", "line"), cases)
    def test(changes, line):
        with pytest.raises(ParameterError) as stopped:
            chapter.run(**changes)
        said = str(stopped.value)
        assert "\n" not in said
        assert said.startswith(line.removesuffix("…")) if line.endswith("…") else said == line

    return test
