#!/usr/bin/env bash
# verl 0.9.1, verl.utils.flops_counter: what work is in an MFU of Qwen2.5-0.5B, the model of verl's first example?
#
# Guess: 6 FLOPs for each token and weight that is multiplied with it, and half the square of attention.
# Found: the vocabulary twice, once for the head and once for the embedding, where a row is looked up and nothing is
# multiplied. The two are one tensor in this model, so the 0.49 billion weights are booked as 0.63 billion: an MFU is a
# quarter too high, and by less the larger the model is. Of a vision model (Qwen3-VL 4B) the heads are taken as
# hidden_size / heads = 80 wide where they are 128, by the same module that reads head_dim of its plain sibling.
#
# The module is taken from the wheel alone, with a stand-in for the device's name. Python 3.11 to 3.13, a package index,
# some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 torch==2.13.0 transformers==5.24.0
venv/bin/pip download --quiet --no-deps --only-binary :all: verl==0.9.1
venv/bin/python -W ignore - <<'PY'
import glob, sys, types, zipfile
from types import SimpleNamespace

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen3Config

device = types.ModuleType("verl.utils.device")
device.get_torch_device = lambda: torch.cpu
sys.modules |= {"verl": types.ModuleType("verl"), "verl.utils": types.ModuleType("verl.utils"), "verl.utils.device": device}
counter = types.ModuleType("flops_counter")
exec(zipfile.ZipFile(glob.glob("verl-0.9.1-*.whl")[0]).read("verl/utils/flops_counter.py"), counter.__dict__)

tokens = 64

def booked(config):
    """FLOPs that verl books for a step over one sequence."""
    return 1e12 * counter.FlopsCounter(config).estimate_flops([tokens], delta_time=1.0)[0]

def counted(config):
    """FLOPs of the products of a forward pass and of a backward pass of twice as many, attention as a whole square."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.to_empty(device="cpu").tie_weights()
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        model(input_ids=torch.zeros(1, tokens, dtype=torch.long), use_cache=False)
    return 3 * flops.get_total_flops(), sum(p.numel() for p in model.parameters())

qwen2 = Qwen2Config(
    hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2,
    vocab_size=151936, tie_word_embeddings=True,
)
said, (real, weights) = booked(qwen2), counted(qwen2)
print(f"verl 0.9.1, Qwen2.5-0.5B, {tokens} tokens: {said:.4g} FLOPs; counted with attention's whole square {real:.4g}")
print(f"for each token and 6 FLOPs: {said / tokens / 6:,.0f} weights; the model has {weights:,}")
embedding = qwen2.vocab_size * qwen2.hidden_size
assert 0.999 < (said / tokens / 6 - embedding) / weights < 1.02
assert 1.2 < said / real < 1.3

shape = dict(
    hidden_size=2560, intermediate_size=9728, num_hidden_layers=36, num_attention_heads=32, num_key_value_heads=8,
    head_dim=128, vocab_size=151936,
)
plain = booked(Qwen3Config(**shape))
vision = booked(SimpleNamespace(model_type="qwen3_vl", text_config=SimpleNamespace(**shape), vision_config=None))
print(f"Qwen3 4B {plain:.4g}, the same layers in Qwen3-VL {vision:.4g}")
narrow = 6 * tokens * 36 * (128 - 80) * ((2 * 32 + 2 * 8) * 2560 + tokens * 32)
assert abs((plain - vision) / narrow - 1) < 1e-6
PY
echo "as found"
