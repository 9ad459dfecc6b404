#!/usr/bin/env bash
# lightning-fabric 2.6.6, ThroughputMonitor: what peak is an MFU divided by, for a card as its driver names it?
#
# Guess: the dense 16-bit rate of the tensor cores that NVIDIA's data sheet gives, for the common cards at least.
# Found: of nine, two have it. "NVIDIA L40S" and "NVIDIA L40" are read as an L4 (121 TFLOP/s; dense are 362 and 181), so
# an L40S that runs at 40% is told 120%. "NVIDIA H100 NVL" has the rate of a pair of cards.
# RTX 4090 and A6000 have the rate of their plain cores, half and a quarter of what the tensor cores do. "NVIDIA H200"
# and "NVIDIA B200" are not known by these names, and get a warning and no MFU; the H200's row, which a driver's name
# does not reach, holds the rate with sparsity, where the H100's holds the dense one.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet lightning-fabric==2.6.6 numpy==2.4.6 torch==2.13.0
venv/bin/python -W ignore - <<'PY'
from importlib.metadata import version
from unittest import mock

import torch
from lightning_fabric.utilities.throughput import _CUDA_FLOPS, get_available_flops

dense = {  # TFLOP/s at 16 bits, tensor cores, without sparsity, FP32 sums (data sheets)
    "NVIDIA A100-SXM4-80GB": 312, "NVIDIA H100 80GB HBM3": 989, "NVIDIA H100 NVL": 835, "NVIDIA H200": 989,
    "NVIDIA B200": 2250, "NVIDIA L40S": 362, "NVIDIA L40": 181, "NVIDIA GeForce RTX 4090": 165, "NVIDIA RTX A6000": 155,
}
print("lightning-fabric", version("lightning-fabric"))
found = {}
for name, sheet in dense.items():
    with mock.patch("torch.cuda.get_device_name", return_value=name):
        found[name] = get_available_flops(torch.device("cuda", 0), torch.bfloat16)
    print(f"{name}: {found[name] and found[name] / 1e12} TFLOP/s, data sheet {sheet}")
assert found["NVIDIA L40S"] == found["NVIDIA L40"] == 121e12
assert found["NVIDIA H200"] is None and found["NVIDIA B200"] is None
assert _CUDA_FLOPS["h200 sxm1"][torch.bfloat16] == 2.0e15
assert abs(found["NVIDIA H100 80GB HBM3"] / 989.4e12 - 1) < 1e-3 and abs(found["NVIDIA H100 NVL"] / 1978.8e12 - 1) < 1e-3
assert abs(found["NVIDIA GeForce RTX 4090"] / 82.6e12 - 1) < 1e-3 and abs(found["NVIDIA RTX A6000"] / 38.7e12 - 1) < 1e-3
PY
echo "as found"
