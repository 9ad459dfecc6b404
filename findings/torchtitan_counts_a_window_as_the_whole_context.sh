#!/usr/bin/env bash
# torchtitan 0.3.0: how much attention is in the MFU of gpt-oss, half of whose layers see the last 128 tokens only?
#
# Guess: the whole square for the 12 layers that see everything (the code says that it leaves the causal half in), and 128
# tokens for the 12 with a window; no more of those at 131,072 tokens of context than at 8192.
# Found: the whole square for all 24. At 8192 tokens a token of the 20B model is booked with 31.3 GFLOP where 26.6 are in
# its layers by the same convention, at 131,072 with 176 where 99 are: an MFU, and the TFLOP/s that are logged, is 18% and
# 78% too high. The window is in the model (its layers' sliding_window_size); layers without any softmax attention, as
# Qwen3.5's, are left out of the square by the same function.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.14.1 torchtitan==0.3.0
venv/bin/python -W ignore - <<'PY'
from importlib.metadata import version

import torch
from torchtitan.models.gpt_oss import gptoss_configs

config = gptoss_configs["20b"](moe_comm_backend="standard")
windows = [layer.attention.sliding_window_size for layer in config.layers]
with torch.device("meta"):
    model = config.build()
heads, width = config.layers[0].attention.n_heads, config.layers[0].attention.head_dim
print("torchtitan", version("torchtitan"), "torch", version("torch"))
print(len(windows), "layers,", windows.count(128), "of them with a window of 128 tokens")
assert len(windows) == 24 and windows.count(128) == 12
booked = {}
for context, excess in ((8192, 1.18), (131072, 1.78)):
    booked[context] = config.get_nparams_and_flops(model, context)[1]
    square = [6 * heads * 2 * width * seen for seen in (context, min(context, 128))]  # forward and backward, a token
    said, real = 24 * square[0], 12 * sum(square)
    right = booked[context] - said + real
    print(f"{context} tokens: {booked[context] / 1e9:.4g} GFLOP a token, with the windows {right / 1e9:.4g}: {booked[context] / right:.3f} times")
    assert abs(booked[context] / right - excess) < 0.01
assert booked[131072] - booked[8192] == 24 * 6 * heads * 2 * width * (131072 - 8192)
assert 3.5e9 < (booked[8192] - 24 * 6 * heads * 2 * width * 8192) / 6 < 3.7e9  # the rest: 3.6 billion active weights
PY
echo "as found"
