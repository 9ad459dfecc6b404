"""How long each notebook takes: a table that the build makes from ``_build/times.json`` of the last run, if there is.

``make outputs`` and ``llm-economics run`` leave that file; it is never committed, so that no notebook changes from run
to run. Without it the build shows the times of ``benchmarks/times.json``, with the machine that they were taken on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from llm_economics.facts.units import show


class ChapterTimes(SphinxDirective):
    """``{chapter-times}``: a table of notebooks and their seconds."""

    def run(self) -> list[nodes.Node]:
        """The table, or a sentence where nothing was timed."""
        root = Path(self.env.srcdir)
        for path in (root / "_build" / "times.json", root / "benchmarks" / "times.json"):
            self.env.note_dependency(str(path))
            taken = _read(path)
            if taken:
                return [nodes.raw("", table(taken, _titles(root)), format="html")]
        return [nodes.paragraph("", "No times were taken yet: make outputs takes them.")]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        taken = json.loads(path.read_text(encoding="utf-8"))
        taken["seconds"] = {str(slug): float(seconds) for slug, seconds in taken["seconds"].items()}
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None
    return taken


def _titles(root: Path) -> dict[str, str]:
    """The first heading of each notebook in ``chapters/``."""
    titles = {}
    for path in sorted((root / "chapters").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        lines = (
            line for cell in cells if cell["cell_type"] == "markdown" for line in "".join(cell["source"]).split("\n")
        )
        titles[path.stem] = next((line[2:].strip() for line in lines if line.startswith("# ")), path.stem)
    return titles


def table(taken: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """HTML: where and when, and the seconds of each notebook that there is, the longest first."""
    rows = [(seconds, slug) for slug, seconds in taken["seconds"].items() if slug in titles]
    said = ", ".join(escape(str(taken[key])) for key in ("machine", "date") if taken.get(key))

    def row(slug: str, seconds: float) -> str:
        link = f'<a href="{escape(slug)}.html">{escape(titles[slug])}</a>'
        return f'<tr><th scope="row">{link}</th><td>{show(seconds)}</td></tr>'

    body = "".join(row(slug, seconds) for seconds, slug in sorted(rows, reverse=True))
    total = f'<tr><th scope="row">all</th><td>{show(sum(seconds for seconds, _ in rows))}</td></tr>'
    head = '<thead><tr><th scope="col">chapter</th><th scope="col">seconds</th></tr></thead>'
    return f'<p>{said}</p><table class="dataframe chapter-times">{head}<tbody>{body}{total}</tbody></table>'
