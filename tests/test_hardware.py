"""Accelerators, links and systems refuse what no data sheet can say."""

import pytest

from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.hardware import Accelerator, Link, System, bytes_per_value

H100 = Accelerator("H100", 80e9, 3.35e12, {"bf16": 989.4e12, "fp8": 1978.9e12}, {"bf16": 1978.9e12})


def test_dense_and_sparse_peaks_are_kept_apart():
    assert H100.peak("bf16") == 989.4e12
    assert H100.peak("bf16", sparse=True) == 1978.9e12


def test_a_precision_that_the_chip_lacks_is_refused():
    with pytest.raises(ParameterError, match=r"^precision = 'fp4' is not allowed: H100 has dense peaks for bf16, fp8$"):
        H100.peak("fp4")
    with pytest.raises(ParameterError, match=r"sparse peaks for bf16$"):
        H100.peak("fp8", sparse=True)


def test_bytes_per_value():
    assert [bytes_per_value(p) for p in ("fp32", "bf16", "fp8", "fp4")] == [4, 2, 1, 0.5]
    with pytest.raises(ParameterError, match="precision = 'fp6' is not allowed"):
        bytes_per_value("fp6")


def test_no_chip_exceeds_its_peak():
    assert H100.check_within_peak("rate", 4e14) == 4e14
    assert H100.check_within_peak("rate", 4e15, accelerators=8) == 4e15
    with pytest.raises(ParameterError, match=r"rate = 4e\+17 FLOP/s is not allowed.*404 times less"):
        H100.check_within_peak("rate", 400e15)  # TFLOP where GFLOP was meant


def test_impossible_sheets_are_refused():
    with pytest.raises(ParameterError, match="memory_bandwidth = 0 is not allowed"):
        Accelerator("x", 80e9, 0, {"bf16": 1e15})
    with pytest.raises(ParameterError, match=r"peak_flops\[bf16\] = -1"):
        Accelerator("x", 80e9, 1e12, {"bf16": -1})
    with pytest.raises(ParameterError, match="latency_s = -1 is not allowed"):
        Link("x", 1e9, -1)


def test_system_totals():
    system = System("HGX", H100, 8, 8, Link("NVLink", 450e9))
    assert system.memory_bytes == 640e9
    assert system.memory_bandwidth == pytest.approx(26.8e12)
    assert system.peak("fp8") == pytest.approx(8 * 1978.9e12)


def test_several_domains_need_a_link_between_them():
    with pytest.raises(ParameterError, match="16 accelerators in domains of 8 need a link"):
        System("two nodes", H100, 16, 8, Link("NVLink", 450e9))
    with pytest.raises(ParameterError, match="accelerators = 0 is not allowed"):
        System("none", H100, 0, 8, Link("NVLink", 450e9))
