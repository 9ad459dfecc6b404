"""Models searched and held against measurements: constants that are fitted, and how good the method is.

NumPy and pandas are at home here. A formula that is fitted stands in ``formulas``, a measurement in ``data/``.
"""
