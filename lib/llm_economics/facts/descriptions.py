"""A reader's own system, from a file: its fields, their units and what no machine has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llm_economics.facts import documents
from llm_economics.facts.chips import accelerator
from llm_economics.facts.store import CatalogError, known
from llm_economics.formulas.elementwise import ParameterError, cleaned, shown
from llm_economics.formulas.hardware import BYTES_PER_VALUE, Accelerator, Link, System


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


class LinkFields(_Plain):
    """A link in a reader's file: one accelerator, one direction."""

    bandwidth_gb_per_s: float = Field(gt=0, le=3000)
    latency_us: float = Field(0.0, ge=0, le=1000)
    name: str = "link"


class AcceleratorFields(_Plain):
    """An accelerator in a reader's file; a GB is 10^9 byte; peaks are dense, by precision ("bf16", "fp8", ...)."""

    name: str = "accelerator"
    memory_gb: float = Field(ge=0.01, le=20_000)
    memory_tb_per_s: float = Field(ge=0.01, le=100_000)
    peak_tflops: dict[str, Annotated[float, Field(gt=0, le=1e6)]] = Field(min_length=1)


class SystemFields(_Plain):
    """A reader's system; ``accelerator`` is a name of ``data/hardware.csv`` or a description."""

    name: str | None = None
    accelerator: str | AcceleratorFields
    accelerators: int = Field(ge=1, le=1_000_000)
    domain_size: int | None = Field(None, ge=1, le=1_000_000)
    scale_up: LinkFields
    scale_out: LinkFields | None = None


def system_from_file(path: Path | str) -> System:
    """The reader's own system from a YAML or JSON file with the fields of :class:`SystemFields`.

    ``accelerators`` in all, ``domain_size`` of them (all, if it is not given) on the ``scale_up`` link, and
    ``scale_out`` between domains::

        name: two boxes
        accelerator: H200          # or {memory_gb: 151, memory_tb_per_s: 4.8, peak_tflops: {bf16: 989, fp8: 1979}}
        accelerators: 16
        domain_size: 8
        scale_up: {bandwidth_gb_per_s: 450, latency_us: 5}
        scale_out: {bandwidth_gb_per_s: 50, latency_us: 18}

    A value that only another unit explains (a link in bits, a bandwidth in GB/s where TB/s is due) is refused.

    Raises
    ------
    CatalogError
        One line that names the file, the field, the value and what is allowed.
    """
    path = Path(path)
    what = f"system file {cleaned(path, 200)}"
    try:
        fields = SystemFields.model_validate(documents.load(path))
    except ValidationError as errors:
        raise CatalogError(f"{what}: {_first(errors)}") from None
    except ParameterError as error:
        raise CatalogError(f"{what}: {error}") from None
    _check_units(what, fields)
    chip = fields.accelerator
    if isinstance(chip, AcceleratorFields):
        for precision in chip.peak_tflops:
            known(precision, BYTES_PER_VALUE, f"{what}: peak_tflops")
        chip = Accelerator(
            chip.name,
            chip.memory_gb * 1e9,
            chip.memory_tb_per_s * 1e12,
            {precision: peak * 1e12 for precision, peak in chip.peak_tflops.items()},
        )
    else:
        chip = accelerator(chip)
    up, out = (
        link and Link(link.name, link.bandwidth_gb_per_s * 1e9, link.latency_us * 1e-6)
        for link in (fields.scale_up, fields.scale_out)
    )
    return System(
        fields.name or path.stem,
        chip,
        fields.accelerators,
        fields.domain_size or fields.accelerators,
        up,
        out,
    )


def _first(errors: ValidationError) -> str:
    """The first thing that is wrong with a reader's system, with its place in the file."""
    found = errors.errors(include_url=False)
    error = next((e for e in found if e["type"] != "string_type" or not isinstance(e["input"], dict)), found[0])
    place = ".".join(str(part)[:40] for part in error["loc"] if part not in ("str", "AcceleratorFields"))
    value = "" if error["type"] == "missing" else f" = {shown(error['input'])}"
    return f"{cleaned(place, 100) or 'its content'}{value} is not allowed: {error['msg'].lower()}"


def _check_units(what: str, fields: SystemFields) -> None:
    """Refuse figures that no machine has, but many in another unit."""

    def refuse(name: str, value: float, why: str) -> None:
        raise CatalogError(f"{what}: {name} = {value:g} is not allowed: {why}")

    if fields.scale_out and fields.scale_out.bandwidth_gb_per_s > 250:
        given = fields.scale_out.bandwidth_gb_per_s
        refuse("scale_out.bandwidth_gb_per_s", given, f"at most 250 GB/s ({given:g} Gbit/s are {given / 8:g})")
    chip = fields.accelerator
    if isinstance(chip, str):
        return
    seconds = chip.memory_gb / chip.memory_tb_per_s / 1e3
    if not (seconds <= 1e-5 or 1e-4 <= seconds <= 10):
        why = (
            f"{chip.memory_gb:g} GB would be read in {seconds:.2g} s, which is 0.0001 to 10 s, or at most 1e-05 in SRAM"
        )
        refuse("accelerator.memory_tb_per_s", chip.memory_tb_per_s, why)
    for precision, peak in chip.peak_tflops.items():
        if not 0.1 <= peak / chip.memory_tb_per_s <= 20_000:
            why = (
                f"it would be {peak / chip.memory_tb_per_s:.2g} FLOP for each byte of bandwidth, which is 0.1 to 20000"
            )
            refuse(f"accelerator.peak_tflops.{cleaned(precision, 20)}", peak, why)
