"""Executing notebooks so that nothing changes from run to run but the answers."""

from __future__ import annotations

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbclient import NotebookClient

if TYPE_CHECKING:
    import pandas

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def parameters_of(path: Path) -> dict[str, dict[str, str]]:
    """The parameters of a notebook as papermill sees them: for each its type, default (as text) and help."""
    import papermill

    return {
        name: {"type": row["inferred_type_name"], "default": row["default"], "help": row["help"]}
        for name, row in papermill.inspect_notebook(str(path)).items()
    }


def parameter_table(folder: Path | None = None) -> pandas.DataFrame:
    """Every parameter of the chapters in a folder: meaning, unit, default, what is allowed, which chapters have it."""
    import pandas

    from llm_economics.claims import chapters_folder
    from llm_economics.parameters import PARAMETERS

    rows: dict[str, dict[str, str]] = {}
    for path in sorted((folder or chapters_folder()).glob("*.ipynb")):
        for name, found in parameters_of(path).items():
            known = PARAMETERS[name]
            fresh = {"name": name, "meaning": known.meaning, "unit": known.unit, "default": found["default"]}
            row = rows.setdefault(name, fresh | {"allowed": known.allowed, "chapters": ""})
            row["chapters"] = f"{row['chapters']}, {path.stem}".removeprefix(", ")
    return pandas.DataFrame([rows[name] for name in sorted(rows)])


def execute(path: Path) -> nbformat.NotebookNode:
    """Run a notebook from top to bottom in its own folder; outputs, minimal metadata, no times.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=600,
        record_timing=False,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def refresh(path: Path) -> bool:
    """Run a notebook and store its outputs in it, whole or not at all; True if the file changed."""
    before = path.read_text(encoding="utf-8")
    after = nbformat.writes(execute(path)) + "\n"
    if after == before:
        return False
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(after)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
    return True


def refresh_all(paths: list[Path], jobs: int = 2) -> dict[Path, Exception | bool]:
    """Refresh several notebooks, ``jobs`` at a time; for each, whether it changed or why it failed."""

    def one(path: Path) -> Exception | bool:
        try:
            return refresh(path)
        except Exception as error:  # reported by the caller; the others go on
            return error

    with ThreadPoolExecutor(jobs) as pool:
        return dict(zip(paths, pool.map(one, paths), strict=True))


def main(arguments: list[str]) -> int:
    """``python -m llm_economics.rerun NOTEBOOK…``: run the notebooks and store their outputs."""
    failed = 0
    for path, outcome in refresh_all([Path(argument) for argument in arguments]).items():
        if isinstance(outcome, Exception):
            failed = 1
            print(f"{path}: failed\n{outcome}", file=sys.stderr)
        else:
            print(f"{path}: {'changed' if outcome else 'same'}")
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
