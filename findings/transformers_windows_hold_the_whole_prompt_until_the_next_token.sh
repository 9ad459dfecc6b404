#!/usr/bin/env bash
# transformers 5.24.0, a model with sliding windows: what does its cache hold after the prompt?
#
# Guess: in a layer with a window the last tokens of the window, as its tensors' shapes and nbytes say.
# Found: the whole prompt, in every layer, as if there were no windows. What a window layer keeps is a view of the keys
# and values of the prompt, so none of their memory is free before the next token makes new ones. A Gemma 3 of six
# layers, windows of 64 and a prompt of 4,096 holds 5.6 times what its tensors say, the memory of six full layers; so
# does a cache that is kept as a prefix for later prompts, or copied. One token later it is what the tensors say.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 torch==2.13.0 transformers==5.24.0
venv/bin/python -W ignore - <<'PY'
import copy

import torch
import transformers
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

layers, window, prompt, kv_heads, width = 6, 64, 4096, 2, 16
torch.manual_seed(0)
model = Gemma3ForCausalLM(Gemma3TextConfig(
    hidden_size=64, intermediate_size=128, num_hidden_layers=layers, num_attention_heads=4, vocab_size=256,
    num_key_value_heads=kv_heads, head_dim=width, sliding_window=window, max_position_embeddings=8192,
)).to(torch.bfloat16)

def tensors(cache):
    return [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]

def said(cache):
    return sum(tensor.nbytes for tensor in tensors(cache))

def held(cache):
    return sum({store.data_ptr(): store.nbytes() for store in (t.untyped_storage() for t in tensors(cache))}.values())

with torch.no_grad():
    cache = model(torch.zeros((1, prompt), dtype=torch.long), logits_to_keep=1)["cache"]
    kept = copy.deepcopy(cache)
    after_prompt = said(cache), held(cache)
    model(torch.zeros((1, 1), dtype=torch.long), cache=cache)
    after_token = said(cache), held(cache)
windowed = model.config.layer_types.count("sliding_attention")
each = 2 * kv_heads * width * 2  # byte of a token in a layer
print("transformers", transformers.__version__, "PyTorch", torch.__version__)
print(f"by hand: {windowed} windows and {layers - windowed} full {each * (windowed * (window - 1) + prompt):,} B; all full {each * layers * prompt:,} B")
print("after the prompt: tensors say {:,} B, held {:,} B".format(*after_prompt))
print("one token later:  tensors say {:,} B, held {:,} B".format(*after_token))
assert windowed == 5 and after_prompt[0] == each * (windowed * (window - 1) + prompt)
assert after_prompt[1] == each * layers * prompt == held(kept)
assert after_token[1] < 1.01 * after_token[0]
PY
echo "as found"
