"""Accelerators, links and systems: what a data sheet says, in SI units.

Peaks are dense unless the name says sparse, and always belong to a named precision.
Bandwidths of links are per accelerator and per direction.
"""

from __future__ import annotations

from collections.abc import Mapping

from llm_economics.formulas.elementwise import ParameterError, check_choice, check_range
from llm_economics.formulas.records import field, record

BYTES_PER_VALUE: dict[str, float] = {
    "fp32": 4.0,
    "bf16": 2.0,
    "fp16": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "fp4": 0.5,
    "int4": 0.5,
}
"""Bytes that one stored value takes at each precision, without scale factors."""

SCHEMES: dict[str, str] = {
    "nvfp4": "fp4",
    "mxfp4": "fp4",
    "mxfp8": "fp8",
    "awq": "int4",
    "gptq": "int4",
    "w4a16": "int4",
}
"""Ways of storing weights that go by a name of their own, and the format of their values."""

STORED_BYTES = BYTES_PER_VALUE | {
    "fp8": 1 + 4 / 128**2,
    "fp4": 0.5 + 1 / 16,
    "int4": 0.5 + (2 + 0.5) / 128,
    "nvfp4": 0.5 + 1 / 16,
    "mxfp4": 0.5 + 1 / 32,
    "mxfp8": 1 + 1 / 32,
    "awq": 0.5 + (2 + 0.5) / 128,
    "gptq": 0.5 + (2 + 0.5) / 128,
    "w4a16": 0.5 + 2 / 128,
}
"""The same of a large matrix with its scale factors. Formats take the scheme most used: FP8 has 4 bytes for 128 x 128
values, FP4 is NVFP4 with one for 16, INT4 has a scale and a zero point for 128. MXFP4 and MXFP8 have a byte for 32,
compressed-tensors' W4A16 a scale for 128 and no zero point. INT8 has one scale a row, which is not counted."""


def values_in(weights: str) -> str:
    """The format of the values of weights, a name of :data:`BYTES_PER_VALUE`, where a scheme is named as well."""
    return SCHEMES.get(weights, weights)


def bytes_per_value(precision: str) -> float:
    """Bytes that one value takes at a precision.

    Raises
    ------
    ParameterError
        If the precision is not one of ``BYTES_PER_VALUE``.
    """
    return BYTES_PER_VALUE[check_choice("precision", precision, BYTES_PER_VALUE)]


@record
class Accelerator:
    """One accelerator as its data sheet describes it.

    Parameters
    ----------
    name
        As in ``data/hardware.csv``.
    memory_bytes
        Capacity of the main memory, byte.
    memory_bandwidth
        Peak bandwidth of the main memory, byte/s.
    peak_flops
        Dense peak by precision, FLOP/s.
    sparse_peak_flops
        Peak with structured sparsity by precision, FLOP/s.
    tdp_watts, link_bandwidth
        Power limit, W; scale-up link per direction, byte/s; None where unknown.
    maker
        Whose engines and kernels it runs; None where unknown.

    Raises
    ------
    ParameterError
        If a capacity, bandwidth or peak is not positive.
    """

    name: str
    memory_bytes: float
    memory_bandwidth: float
    peak_flops: Mapping[str, float]
    sparse_peak_flops: Mapping[str, float] = field(default_factory=dict)
    tdp_watts: float | None = None
    link_bandwidth: float | None = None
    maker: str | None = None

    def __post_init__(self) -> None:
        check_range("memory_bytes", self.memory_bytes, 0, open_low=True)
        check_range("memory_bandwidth", self.memory_bandwidth, 0, open_low=True)
        for precision, peak in [*self.peak_flops.items(), *self.sparse_peak_flops.items()]:
            check_range(f"peak_flops[{precision}]", peak, 0, open_low=True)

    def peak(self, precision: str = "bf16", *, sparse: bool = False) -> float:
        """Peak rate at a precision, FLOP/s; dense unless ``sparse``.

        Raises
        ------
        ParameterError
            If the chip has no such peak; the line lists those that it has.
        """
        peaks = self.sparse_peak_flops if sparse else self.peak_flops
        if precision not in peaks:
            known = f"{'sparse' if sparse else 'dense'} peaks for {', '.join(peaks) or 'none'}"
            raise ParameterError(f"precision = {precision!r} is not allowed: {self.name} has {known}")
        return peaks[precision]

    def check_within_peak(self, name: str, rate, precision: str = "bf16", accelerators: float = 1.0):
        """Return ``rate`` (FLOP/s) if these accelerators can reach it at all, else stop.

        Units cannot see a TFLOP that was meant as a GFLOP; a peak can.

        Raises
        ------
        ParameterError
            Names the rate, the peak and the factor between them.
        """
        ceiling = self.peak(precision) * accelerators
        if not isinstance(rate, (int, float)):
            return check_range(name, rate, 0, ceiling)
        if rate > ceiling:
            raise ParameterError(
                f"{name} = {rate:.4g} FLOP/s is not allowed: {accelerators:g} x {self.name} reach at most "
                f"{ceiling:.4g} FLOP/s in dense {precision}, {rate / ceiling:.3g} times less; is a unit off?"
            )
        return check_range(name, rate, 0)


@record
class Link:
    """A link as one accelerator sees it: byte/s in one direction, and seconds per message."""

    name: str
    bandwidth: float
    latency_s: float = 0.0

    def __post_init__(self) -> None:
        check_range("bandwidth", self.bandwidth, 0, open_low=True)
        check_range("latency_s", self.latency_s, 0)


@record
class System:
    """Accelerators joined by a fast link inside domains and a slower one between them.

    Parameters
    ----------
    accelerators
        How many in all; ``domain_size`` of them share the fast ``scale_up`` link.
    scale_out
        The link between domains; None where a system is one domain.

    Raises
    ------
    ParameterError
        If counts are below one, or several domains have no link between them.
    """

    name: str
    accelerator: Accelerator
    accelerators: int
    domain_size: int
    scale_up: Link
    scale_out: Link | None = None

    def __post_init__(self) -> None:
        check_range("accelerators", self.accelerators, 1)
        check_range("domain_size", self.domain_size, 1)
        if self.accelerators > self.domain_size and self.scale_out is None:
            raise ParameterError(
                f"scale_out = None is not allowed: {self.accelerators} accelerators in domains of "
                f"{self.domain_size} need a link between domains"
            )

    @property
    def memory_bytes(self) -> float:
        """Memory of all accelerators, byte."""
        return self.accelerators * self.accelerator.memory_bytes

    @property
    def memory_bandwidth(self) -> float:
        """Memory bandwidth of all accelerators, byte/s."""
        return self.accelerators * self.accelerator.memory_bandwidth

    def peak(self, precision: str = "bf16") -> float:
        """Dense peak of all accelerators at a precision, FLOP/s."""
        return self.accelerators * self.accelerator.peak(precision)
