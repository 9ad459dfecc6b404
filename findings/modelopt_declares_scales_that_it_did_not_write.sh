#!/usr/bin/env bash
# nvidia-modelopt 0.47.0: does hf_quant_config.json say how a checkpoint is stored?
#
# Guess: two formats with different tensors have different declarations, and "pre_quant_scale": true means that there is
# one. Found: neither. INT4_BLOCKWISE_WEIGHT_ONLY is written as W4A16_AWQ with "pre_quant_scale": true, and INT8_DEFAULT
# as W8A8_SQ_PER_CHANNEL, both word for word as the AWQ and SmoothQuant checkpoints that do have such scales; theirs have
# none. Who sizes or loads from the declaration counts tensors that are not there.
#
# Python 3.11 to 3.13, a package index, about five minutes (PyTorch); no network at run time, no GPU.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet nvidia-modelopt==0.47.0 torch==2.14.1 transformers==5.24.0 safetensors
cat > ask.py <<'PY'
import json, os
os.environ["CUDA_VISIBLE_DEVICES"] = ""
from pathlib import Path
import torch
import modelopt.torch.quantization as mtq
from modelopt.torch.export import export_hf_checkpoint
from safetensors import safe_open
from transformers import LlamaConfig, LlamaForCausalLM

SIZES = dict(hidden_size=256, intermediate_size=512, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2,
             vocab_size=512, max_position_embeddings=512)

def written(name):
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SIZES, architectures=["LlamaForCausalLM"])).to(torch.bfloat16)
    texts = [torch.randint(0, 512, (1, 32)) for _ in range(4)]
    model = mtq.quantize(model, getattr(mtq, name), lambda one: [one(text) for text in texts])
    with torch.inference_mode():
        export_hf_checkpoint(model, export_dir=name)
    said = json.loads((Path(name) / "hf_quant_config.json").read_text())["quantization"]
    scales = 0
    for file in Path(name).glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            scales += sum(key.endswith("pre_quant_scale") for key in tensors.keys())
    return said, scales

for plain, scaled in (("INT4_BLOCKWISE_WEIGHT_ONLY_CFG", "INT4_AWQ_CFG"), ("INT8_DEFAULT_CFG", "INT8_SMOOTHQUANT_CFG")):
    (said, none), (as_well, some) = written(plain), written(scaled)
    print(f"{plain}: {json.dumps(said)}, scales of inputs stored: {none}")
    print(f"{scaled}: {json.dumps(as_well)}, scales of inputs stored: {some}")
    assert said == as_well and none == 0 and some > 0, "no longer so"
print("the declarations are equal, the checkpoints are not")
PY
venv/bin/python ask.py 2>/dev/null
