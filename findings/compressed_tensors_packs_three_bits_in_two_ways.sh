#!/usr/bin/env bash
# compressed-tensors 0.17.1 and 0.20.0, pack-quantized with 3 bits: how many bits does a weight take in the file?
#
# Guess: 3 and the scales, in every version; the format's name and the scheme in config.json are the same.
# Found: up to 0.17 ten weights share a word of 32 bits and two bits are lost: 3.2 (5 bits take 5.33, 6 take 6.4, 7 take
# 8). Since 0.18 weights run across words: 3.0. Only "version" in quantization_config tells. A row that the older one
# packed is unpacked by the newer one without an error, to other weights. 4 and 8 bits are the same in both.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet loguru==0.7.3 numpy==2.4.6 psutil==7.2.2 pydantic==2.13.5 torch==2.13.0 transformers==5.24.0
for version in 0.17.1 0.20.0; do
  venv/bin/pip install --quiet --no-deps compressed-tensors==$version
  venv/bin/python -W ignore - <<'PY'
import os
from importlib.metadata import version

import torch
from compressed_tensors.compressors.pack_quantized.base import pack_to_int32, unpack_from_int32

torch.manual_seed(0)
bits_per_weight = {}
for bits in (3, 4, 5, 6, 7, 8):
    weights = torch.randint(-(2 ** (bits - 1)), 2 ** (bits - 1), (4, 960), dtype=torch.int8)
    packed = pack_to_int32(weights, bits)
    bits_per_weight[bits] = round(packed.numel() * 32 / weights.numel(), 2)
    assert (unpack_from_int32(packed, bits, weights.shape) == weights).all()
    if bits == 3 and not os.path.exists("three.pt"):
        torch.save((weights, packed), "three.pt")
print("compressed-tensors", version("compressed-tensors"), bits_per_weight)
weights, packed = torch.load("three.pt")
right = (unpack_from_int32(packed, 3, weights.shape) == weights).float().mean().item()
print(f"3 bits as the older version packed them, read by this one: {right:.0%} of the weights are right")
if version("compressed-tensors") == "0.17.1":
    assert bits_per_weight == {3: 3.2, 4: 4, 5: 5.33, 6: 6.4, 7: 8, 8: 8} and right == 1
else:
    assert bits_per_weight == {bits: bits for bits in (3, 4, 5, 6, 7, 8)} and right < 0.5
PY
done
echo "as found"
