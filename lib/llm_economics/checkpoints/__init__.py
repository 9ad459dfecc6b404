"""Published models: from their own files to an architecture, exact to the last parameter.

What a file says stands here and how it is read; what follows from an architecture is ``formulas``' part, and what
the book knows of models without their files is ``facts``'. Nothing but the standard library.
"""

from llm_economics.checkpoints.config import MOST, MOST_LAYERS
from llm_economics.checkpoints.families import FAMILIES, REFUSED, Config, arrangements, model_types, read
from llm_economics.checkpoints.quantisation import PUBLISHED
from llm_economics.checkpoints.stored import Checkpoint, read_checkpoint

__all__ = [
    "FAMILIES",
    "MOST",
    "MOST_LAYERS",
    "PUBLISHED",
    "REFUSED",
    "Checkpoint",
    "Config",
    "arrangements",
    "model_types",
    "read",
    "read_checkpoint",
]
