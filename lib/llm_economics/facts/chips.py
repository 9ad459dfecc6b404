"""Accelerators of the catalog and the systems that are built of them, by name."""

from __future__ import annotations

import re
from collections.abc import Container
from functools import cache
from typing import TYPE_CHECKING

from llm_economics.facts.store import DATA, CatalogError, known, nearest, plain, validated
from llm_economics.formulas.hardware import Accelerator, Link, System
from llm_economics.formulas.records import replace

if TYPE_CHECKING:
    from llm_economics.facts.rows import HardwareRow, SystemRow

_SHORT_NAMES = {
    "A100 SXM 40GB": ("A100 40GB", "A100 SXM4 40GB"),
    "A100 SXM 80GB": ("A100", "A100 SXM", "A100 80GB", "A100 SXM4", "A100 SXM4 80GB"),
    "V100 SXM2": ("V100", "V100 SXM", "V100 32GB"),
    "H100 SXM5 80GB": ("H100", "H100 SXM", "H100 SXM5", "H100 80GB", "H100 SXM 80GB"),
    "H800 SXM5": ("H800", "H800 SXM"),
    "H200 SXM": ("H200", "H200 141GB"),
    "B200 SXM (HGX/DGX)": ("B200", "B200 SXM", "B200 180GB"),
    "GB200 (per GPU, NVL72)": ("GB200", "GB200 per GPU"),
    "GB200 Grace-Blackwell superchip (2 GPU + 1 Grace)": ("GB200 superchip",),
    "GB200 NVL72 rack (72 GPU)": ("GB200 NVL72", "NVL72", "GB200 rack"),
    "Cerebras WSE-3": ("WSE-3",),
}
"""What a short name means: the SXM part with the larger memory, and of GB200 one of its GPUs."""


_AROUND = (
    r"\b(nvidia|amds?|instinct|google|aws|virtualized|nv|nb|cw|cr|trt|dgxc)\b|\(.*?\)|\bhbm\w*",
    r"\b\d+ ?gb\b",
)
"""What benchmarks write around the name of a part: maker, number (MLPerf), cluster (InferenceX), then memory."""


def _spelt(name: str, names: Container[str]) -> str:
    """A name as the catalog compares it; what benchmarks write around one goes if it is not known with it."""
    bare = str(name)
    for around in _AROUND:
        if plain(bare) in names:
            break
        bare = re.sub(around, " ", bare, flags=re.I)
    return plain(bare) if plain(bare) in names else plain(name)


def accelerators() -> dict[str, Accelerator]:
    """Every part of ``data/hardware.csv`` by its name there."""
    return dict(_accelerators())


def accelerator(name: str) -> Accelerator:
    """A part of ``data/hardware.csv`` by name, blind to case, spaces and hyphens; short names as in "H100".

    "NVIDIA B200-SXM-180GB" and "AMD Instinct MI300X 192GB HBM3 (x16)", as MLPerf writes, "b200-trt" and "h100_sxm"
    are known as well.

    A GB of memory is 2^30 byte where the column ``mem_means`` says GiB, else 10^9 byte.

    Raises
    ------
    CatalogError
        If it is not known; the line lists the nearest names.
    """
    names = {plain(alias): full for full, aliases in _SHORT_NAMES.items() for alias in aliases}
    names |= {plain(full): full for full in _accelerators()}
    wanted = _spelt(name, names)
    if wanted not in names:
        shown = nearest(wanted, names) or list(_accelerators())
        raise CatalogError(
            f"accelerator = {str(name)[:60]!r} is not allowed: it is not known; nearest are {', '.join(shown)}"
        )
    return _accelerators()[names[wanted]]


@cache
def _accelerators() -> dict[str, Accelerator]:
    return {row.chip: _as_accelerator(row) for row in validated("hardware", DATA)}


def _as_accelerator(row: HardwareRow) -> Accelerator:
    def tera(value: float) -> float:
        return float(round(value * 1e12))

    formats = row.formats_16bit.split(";")
    dense = dict.fromkeys(formats, row.bf16_dense_tflops)
    dense |= {"fp8": row.fp8_dense_tflops, "fp4": row.fp4_dense_tflops, "int8": row.int8_dense_tops}
    sparse = dict.fromkeys(formats, row.bf16_sparse_tflops)
    sparse |= {"fp8": row.fp8_sparse_tflops, "fp4": row.fp4_sparse_tflops}
    return Accelerator(
        name=row.chip,
        maker=row.maker,
        memory_bytes=row.mem_gb * (2**30 if row.mem_means == "GiB" else 1e9),
        memory_bandwidth=tera(row.mem_bw_TBps),
        peak_flops={precision: tera(peak) for precision, peak in dense.items() if peak},
        sparse_peak_flops={precision: tera(peak) for precision, peak in sparse.items() if peak},
        tdp_watts=row.tdp_w,
        link_bandwidth=row.scaleup_link_GBps_bidir * 1e9 / 2 if row.scaleup_link_GBps_bidir else None,
    )


def systems() -> tuple[str, ...]:
    """Names of the systems of ``data/systems.csv``."""
    return tuple(row.system for row in validated("systems", DATA))


def chip_names(name: str) -> tuple[str, ...]:
    """Names that the accelerator of a system goes by elsewhere: the system's aliases, then its own."""
    rows = {row.system: row for row in validated("systems", DATA)}
    row = rows.get(name.split(", ")[0])
    return (*filter(None, row.aliases.split(";")), row.system, row.chip) if row else (name,)


def system(name: str, accelerators: int | None = None) -> System:
    """A system of ``data/systems.csv`` by its name or its accelerator's, blind to case, spaces and hyphens.

    "H200", "H200 SXM" and "h200_sxm" are servers of eight, "GB200" is the rack of 72. Links are byte/s of one
    accelerator in one direction, and seconds for each message.

    Parameters
    ----------
    accelerators
        How many in all, in as many domains as it takes; None: the system's natural size.

    Raises
    ------
    CatalogError
        If it is not known; the line lists the nearest names.
    """
    names = _system_names()
    wanted = _spelt(name, names)
    if wanted not in names:
        full = [row.system for row in validated("systems", DATA)]
        shown = nearest(wanted, {key: row.system for key, row in names.items()}) or full
        raise CatalogError(
            f"system = {str(name)[:60]!r} is not allowed: it is not known; nearest are {', '.join(shown)}"
        )
    row = names[wanted]
    return _as_system(row, row.accelerators if accelerators is None else accelerators)


@cache
def _system_names() -> dict[str, SystemRow]:
    """Rows of ``data/systems.csv`` by every plain spelling that they answer to."""
    rows = validated("systems", DATA)
    full = {row.system: row for row in rows}
    of_chip = {row.chip: row for row in reversed(rows)}
    names = {plain(alias): of_chip[chip] for chip in of_chip for alias in (chip, *_SHORT_NAMES.get(chip, ()))}
    for chip, full_name in (
        ("GB200 NVL72 rack (72 GPU)", "GB200 NVL72"),
        ("GB200 Grace-Blackwell superchip (2 GPU + 1 Grace)", "GB200 superchip"),
    ):
        names |= {plain(alias): full[full_name] for alias in (chip, *_SHORT_NAMES[chip])}
    return names | {plain(alias): row for row in rows for alias in (row.system, *filter(None, row.aliases.split(";")))}


def _as_system(row: SystemRow, accelerators: int) -> System:
    chip = _accelerators()[known(row.chip, _accelerators(), "data/systems.csv, column chip")]
    if row.mem_gb or row.fp4_dense_tflops:
        given = {"fp4": row.fp4_dense_tflops, "int8": row.int8_dense_tops}
        peaks = {**chip.peak_flops, **{key: peak * 1e12 for key, peak in given.items() if peak is not None}}
        chip = replace(
            chip,
            name=row.system,
            memory_bytes=row.mem_gb * 1e9 if row.mem_gb else chip.memory_bytes,
            peak_flops={key: peak for key, peak in peaks.items() if peak},
            sparse_peak_flops={},
            tdp_watts=None,
        )
    near = row.scale_up_GBps * 1e9 if row.scale_up_GBps else chip.link_bandwidth
    if near is None:
        raise CatalogError(
            f"data/systems.csv ({row.system}), column scale_up_GBps: a value is needed: hardware.csv has no link"
        )
    return System(
        row.system if accelerators == row.accelerators else f"{row.system}, {accelerators} accelerators",
        chip,
        accelerators,
        row.domain_size,
        Link(row.scale_up, near, row.scale_up_latency_us * 1e-6),
        Link(row.scale_out, row.scale_out_GBps * 1e9, row.scale_out_latency_us * 1e-6),
    )
