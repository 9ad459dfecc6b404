"""Runs a chapter's code cells in this process, without a kernel: the records it shows, in a fraction of a second."""

from pathlib import Path
from typing import Any

from llm_economics import rerun


def run(path: Path, **parameters: Any) -> tuple[dict[str, dict], dict[str, dict]]:
    """Verdicts and results by name, with parameters replaced as papermill replaces them."""
    return rerun.evaluate(path, parameters)
