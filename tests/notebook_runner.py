"""What several tests of chapters and commands share."""

import pickle
import signal
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from llm_economics.facts import cache as files
from llm_economics.reruns import notebooks


def run(path: Path, **parameters: Any) -> tuple[dict[str, dict], dict[str, dict]]:
    """Verdicts and results by name, with parameters replaced as papermill replaces them.

    Tests that look at the same outputs share one execution, those of other workers too.
    """
    return deepcopy(_evaluated(path, path.stat().st_mtime_ns, tuple(sorted(parameters.items()))))


def verdict(path: Path, claim: str, **parameters: Any) -> str:
    """A claim's verdict with parameters replaced; of a chapter that is not known so, no more than needed is run."""
    return _verdict(path, path.stat().st_mtime_ns, claim, tuple(sorted(parameters.items())))


@cache
def _verdict(path: Path, changed: int, claim: str, parameters: tuple) -> str:
    if parameters and files.read("tests", files.key(str(path), str(changed), repr(parameters))) is None:
        found = notebooks.evaluate(path, dict(parameters), until=lambda thing: getattr(thing, "id", None) == claim)
    else:
        found = _evaluated(path, changed, parameters)
    return found[0][claim]["verdict"]


@cache
def _evaluated(path: Path, changed: int, parameters: tuple) -> tuple[dict[str, dict], dict[str, dict]]:
    name = files.key(str(path), str(changed), repr(parameters))
    kept = files.read("tests", name)
    if kept is not None:
        return pickle.loads(kept)
    found = notebooks.evaluate(path, dict(parameters))
    files.write("tests", name, pickle.dumps(found))
    return found


def heed_interrupts() -> None:
    """For a new process, before it starts: take Ctrl+C even where the tests run in the background and ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
