"""*The Price of a Token*: what it costs to train and serve language models, computed from first principles.

A floor is a folder; each imports only those above it in this list.

``formulas``      the math, on floats, arrays and quantities; nothing but the standard library
``checkpoints``   published models from their own files; nothing but the standard library
``facts``         what is known, with source and date: ``data/``, validated; units and parameters
``evidence``      models searched, and held against measurements
``book``          what chapters share: claims and figures
``reruns``        the book under a reader's assumptions
``site``          the Sphinx extension and all that only the site needs
``cli``           the command line

The modules of ``formulas`` are handed on: ``from llm_economics import training``.
"""

from llm_economics import formulas
from llm_economics.formulas import __all__ as __all__


def __getattr__(name: str):
    return getattr(formulas, name)
