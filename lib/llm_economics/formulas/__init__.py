"""The math: pure functions and frozen records on floats, arrays and quantities.

A formula here imports nothing but the standard library and the rooms before it in this list; it knows no file,
no name of a chip or a model, and no price. Numbers of this world come in as arguments.
"""

from llm_economics.formulas import (
    architecture,
    attribution,
    cost,
    elementwise,
    hardware,
    parallelism,
    routing,
    serving,
    speculation,
    training,
)

__all__ = [
    "architecture",
    "attribution",
    "cost",
    "elementwise",
    "hardware",
    "parallelism",
    "routing",
    "serving",
    "speculation",
    "training",
]
