"""The math: pure functions and frozen records on floats, arrays and quantities.

A formula here imports nothing but the standard library and the rooms before it in this list; it knows no file (but
``services`` that of its constants), no name of a chip or a model, and no price. Numbers of this world come in as
arguments. A room is loaded when it is first asked for.
"""

from importlib import import_module

__all__ = [
    "architecture",
    "attribution",
    "blocks",
    "cost",
    "elementwise",
    "hardware",
    "offers",
    "parallelism",
    "questions",
    "recurrences",
    "routing",
    "services",
    "serving",
    "speculation",
    "splits",
    "training",
    "training_run",
]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")
