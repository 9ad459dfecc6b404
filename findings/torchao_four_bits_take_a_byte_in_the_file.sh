#!/usr/bin/env bash
# transformers 5.24.0 with torchao 0.18.0: how many bits does a weight of 4 bits take in the file, and is the input table
# quantised where the flag asks for it?
#
# Guess: IntxWeightOnlyConfig of int4 in groups of 64 stores 4 bits a weight and a scale a group, some 4.3 bits, int2 some
# 2.3; include_input_output_embeddings=True quantises the head and the input table.
# Found: int4, int2 and int8 all give a file of the same size, 8.38 bits a quantised weight: "unpacked_to_int8", the
# default, keeps a byte for each and a zero point of a byte for each group; config.json says int4 all the same. The flag
# quantises the head alone: the input table stays at 16 bits, without a word.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet accelerate==1.15.0 numpy==2.4.6 torch==2.13.0 torchao==0.18.0 transformers==5.24.0
cat > ask.py <<'PY'
import json
import logging
from importlib.metadata import version

import torch
from safetensors import safe_open
from torchao.quantization import IntxWeightOnlyConfig, PerGroup
from transformers import LlamaConfig, LlamaForCausalLM, TorchAoConfig

logging.disable()
torch.manual_seed(0)
heads = dict(num_attention_heads=4, num_key_value_heads=2, vocab_size=512, num_hidden_layers=2)
LlamaForCausalLM(LlamaConfig(hidden_size=256, intermediate_size=640, **heads)).to(torch.bfloat16).save_pretrained("plain")
sizes = {}
for dtype in (torch.int8, torch.int4, torch.int2):
    how = TorchAoConfig(IntxWeightOnlyConfig(dtype, PerGroup(64)), include_input_output_embeddings=True)
    model = LlamaForCausalLM.from_pretrained("plain", quantization_config=how, dtype=torch.bfloat16, device_map="cpu")
    model.save_pretrained("made")
    with open("made/config.json") as opened:
        said = json.load(opened)["quantization_config"]["quant_type"]["default"]["_data"]["weight_dtype"]["_data"]
    with safe_open("made/model.safetensors", "pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}
    weights = {name: tensor for name, tensor in tensors.items() if name.endswith("_qdata")}
    quantised = sum(tensor.nbytes for name, tensor in tensors.items() if "._weight_" in name)
    bits = 8 * quantised / sum(tensor.numel() for tensor in weights.values())
    sizes[said] = round(bits, 3)
    table = tensors.get("model.embed_tokens.weight")
    head = "lm_head._weight_qdata" in tensors
    print(f"config.json says {said}: {bits:.3f} bits a quantised weight; head quantised: {head}; input table: {table.dtype}")
    assert {tensor.dtype for tensor in weights.values()} == {torch.int8} and head and table.dtype == torch.bfloat16
    assert not any("embed_tokens._weight" in name for name in tensors)
print("torchao", version("torchao"), "transformers", version("transformers"), sizes)
assert sizes == {"int8": 8.375, "int4": 8.375, "int2": 8.375}
PY
venv/bin/python -W ignore ask.py 2>/dev/null
echo "as found"
