"""The math behind *The Price of a Token*: what it costs to train and serve language models.

Only the formula rooms stand here; they need nothing but the standard library.
"""

from llm_economics import (
    attribution,
    cost,
    elementwise,
    hardware,
    parallelism,
    routing,
    serving,
    speculation,
    training,
    transformer,
)

__all__ = [
    "attribution",
    "cost",
    "elementwise",
    "hardware",
    "parallelism",
    "routing",
    "serving",
    "speculation",
    "training",
    "transformer",
]
