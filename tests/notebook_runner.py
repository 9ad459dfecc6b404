"""Runs a chapter's code cells in this process, without a kernel: the records it shows, in a fraction of a second."""

import ast
import json
from pathlib import Path
from typing import Any

from llm_economics import claims


def run(path: Path, **parameters: Any) -> tuple[dict[str, dict], dict[str, dict]]:
    """Verdicts and results by name, with parameters replaced as papermill replaces them."""
    shown: list[Any] = []
    show, claims._show = claims._show, shown.append
    try:
        namespace: dict[str, Any] = {"__name__": "__main__"}
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] != "code":
                continue
            exec(compile(ast.parse("".join(cell["source"])), path.stem, "exec"), namespace)
            if "parameters" in cell["metadata"].get("tags", ()):
                unknown = set(parameters) - set(namespace)
                assert not unknown, f"{path.stem} has no parameters {unknown}"
                namespace.update(parameters)
    finally:
        claims._show = show
    verdicts = {thing.id: thing.record() for thing in shown if isinstance(thing, claims.Verdict)}
    results = {thing.name: vars(thing) for thing in shown if isinstance(thing, claims.Result)}
    return verdicts, results
