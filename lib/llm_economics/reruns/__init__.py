"""The book under a reader's assumptions: execute notebooks, run, sweep, solve and compare. No formula is here."""

import sys

from llm_economics import book  # noqa: F401  # which keeps more out

# papermill would bring pyarrow and NumPy into each process that starts kernels, 40 MB, to read notebooks from Hadoop.
if "papermill" not in sys.modules and "pyarrow" not in sys.modules:
    sys.modules["pyarrow.fs"] = None
    import papermill  # noqa: F401

    del sys.modules["pyarrow.fs"]
