"""Dated prices of accelerators, with seller and commitment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from llm_economics.facts.store import CatalogError, known, load

if TYPE_CHECKING:
    import pandas


def prices_of(
    gpu: str, price_type: str | None = None, *, purchase: bool = False, vendor: str | None = None
) -> pandas.DataFrame:
    """Dated prices of an accelerator, oldest first, from ``data/gpu_prices.csv``.

    Parameters
    ----------
    gpu
        Every word of it must stand in the source's name of the part: "H100" finds "NVIDIA H100 SXM5 80GB" too,
        "A100 80GB" only that size, "H100" never "GH200".
    price_type
        One of the column of that name ("on-demand", "1-year", ...); None for all of them.
    purchase
        Purchase prices in place of prices per hour.
    vendor
        One seller.

    Raises
    ------
    CatalogError
        If there is no such price, or no such chip, price type or vendor.
    """
    frame = load("gpu_prices")
    words = _price_words(gpu)
    hit = frame["gpu"].map(lambda name: words <= _price_words(name))
    if not words or not hit.any():
        known(gpu, sorted(set(frame["gpu"])), "gpu")
    hit &= frame["usd_purchase_per_gpu" if purchase else "usd_per_gpu_hour"].notna()
    for column, wanted in (("price_type", price_type), ("vendor", vendor)):
        if wanted is not None:
            hit &= frame[column] == known(wanted, sorted(set(frame[column]) - {""}), column)
    if not hit.any():
        kind = " ".join(filter(None, ("purchase" if purchase else "hourly", price_type, vendor)))
        raise CatalogError(f"gpu = {gpu!r} is not allowed: data/gpu_prices.csv has no price of it ({kind})")
    return frame[hit].sort_values("price_date", kind="stable").reset_index(drop=True)


def _price_words(name: str) -> frozenset[str]:
    """The words of a chip's name that tell chips apart: "NVIDIA A100 SXM4 80 GB" gives a100, sxm and 80gb."""
    text = re.sub(r"(\d+) ?gb\b", r"\1gb", str(name).lower())
    text = re.sub(r"\bsxm\d\b", "sxm", text)
    return frozenset(re.findall(r"[a-z0-9]+", text)) - {"nvidia", "amd", "google", "tesla", "instinct"}
