"""MyST-NB's ways to run notebooks, left out of this process: they bring kernels and a database, and no build of this
book runs a notebook. To be imported before MyST-NB is."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

CLIENTS = {"cache": "NotebookClientCache", "direct": "NotebookClientDirect", "inline": "NotebookClientInline"}


def runs_none(*_: Any, **__: Any) -> None:
    """Stands for each of them.

    Raises
    ------
    RuntimeError
        Always; says what runs notebooks here.
    """
    raise RuntimeError("execute_notebooks: must be off, for the site shows stored outputs; `make outputs` makes them")


if "myst_nb.core.execute" not in sys.modules:
    for name, client in CLIENTS.items():
        left_out = sys.modules[f"myst_nb.core.execute.{name}"] = ModuleType(name)
        setattr(left_out, client, runs_none)
