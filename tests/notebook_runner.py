"""What several tests of chapters and commands share."""

import signal
from pathlib import Path
from typing import Any

from llm_economics.reruns import notebooks


def run(path: Path, **parameters: Any) -> tuple[dict[str, dict], dict[str, dict]]:
    """Verdicts and results by name, with parameters replaced as papermill replaces them."""
    return notebooks.evaluate(path, parameters)


def heed_interrupts() -> None:
    """For a new process, before it starts: take Ctrl+C even where the tests run in the background and ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
