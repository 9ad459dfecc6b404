#!/usr/bin/env bash
# optimum-intel 2.2.0 with OpenVINO 2026.4.1: a checkpoint in BF16, exported as it is (optimum-cli export openvino of a
# small model, or load_in_8bit=False): how many bits does a parameter take in openvino_model.bin?
#
# Guess: 16, as in the checkpoint.
# Found: 16 of a Llama, and 31.6 of a mixture with 64 experts: all but the experts stays in BF16, the experts, nearly all of
# the parameters, are written in FP32, with the same values. Of a Qwen3-30B-A3B that is 120 GB on disk where 61 were read.
# Where the mixture is exported in FP16 (--weight-format fp16) it takes 16 again.
#
# Python 3.11 to 3.13 on Linux, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA
# alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet nncf==3.4.0 numpy==2.4.6 openvino==2026.4.1 openvino-tokenizers==2026.4.1.0 optimum==2.3.0 \
  requests==2.34.2 setuptools==84.2.1 torch==2.13.0 transformers==5.5.4
venv/bin/pip install --quiet --no-deps optimum-intel==2.2.0
cat > make.py <<'PY'
import torch
from transformers import (
    LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM,
)

torch.manual_seed(0)
shape = dict(
    hidden_size=256, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=64, vocab_size=512,
    bos_token_id=0, eos_token_id=1, pad_token_id=1,
)
experts = dict(num_experts=64, num_experts_per_tok=2, moe_intermediate_size=256)
for name, model in {
    "llama": LlamaForCausalLM(LlamaConfig(intermediate_size=16384, **shape)),
    "qwen3_moe": Qwen3MoeForCausalLM(Qwen3MoeConfig(**experts, **shape)),
    "mixtral": MixtralForCausalLM(MixtralConfig(num_local_experts=64, intermediate_size=256, **shape)),
}.items():
    model.to(torch.bfloat16).save_pretrained(name)
PY
cat > ask.py <<'PY'
import os
from importlib.metadata import version

import numpy as np
import openvino
import torch
from optimum.intel import OVModelForCausalLM
from safetensors.torch import load_file

print("optimum-intel", version("optimum-intel"), "OpenVINO", version("openvino"), "transformers", version("transformers"))


def constants(folder):
    """Bytes of the constants of each type, and the largest one."""
    held, largest = {}, None
    for node in openvino.Core().read_model(f"{folder}/openvino_model.xml").get_ops():
        if node.get_type_name() == "Constant":
            kind = node.get_element_type().get_type_name()
            held[kind] = held.get(kind, 0) + node.get_byte_size()
            if kind == "f32" and (largest is None or node.get_byte_size() > largest.nbytes):
                largest = np.array(node.get_data())
    return held, largest


bits = {}
for name in ("llama", "qwen3_moe", "mixtral"):
    weights = load_file(f"{name}/model.safetensors")
    count = sum(tensor.numel() for tensor in weights.values())
    assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}
    OVModelForCausalLM.from_pretrained(name, export=True, load_in_8bit=False, compile=False).save_pretrained(f"{name}_api")
    for way in ("api", "cli", "fp16"):
        folder = f"{name}_{way}"
        if not os.path.exists(folder):
            continue
        held, largest = constants(folder)
        bits[folder] = 8 * os.path.getsize(f"{folder}/openvino_model.bin") / count
        kinds = {kind: size for kind, size in held.items() if size > 1e5}
        print(f"{folder}: {count:,} parameters, {bits[folder]:.1f} bits each; bytes by type {kinds}")
    if name != "llama":
        rounded = torch.from_numpy(constants(f"{name}_api")[1])
        print(f"  values of experts that are not those of BF16: {(rounded.to(torch.bfloat16).float() != rounded).sum()}")
        assert (rounded.to(torch.bfloat16).float() == rounded).all()
assert 15.9 < bits["llama_api"] < 16.1 and 15.9 < bits["llama_cli"] < 16.1
assert all(30.5 < bits[name] < 32 for name in ("qwen3_moe_api", "qwen3_moe_cli", "mixtral_api"))
assert 15.9 < bits["qwen3_moe_fp16"] < 16.1
PY
export HF_HUB_OFFLINE=1
venv/bin/python -W ignore make.py >log 2>&1 || { tail -5 log; exit 1; }
for given in "llama cli" "qwen3_moe cli" "qwen3_moe fp16 --weight-format fp16"; do
  set -- $given
  venv/bin/optimum-cli export openvino --model "$1" --task text-generation-with-past "${@:3}" "$1_$2" >log 2>&1 || { tail -5 log; exit 1; }
done
venv/bin/python -W ignore ask.py 2>log || { tail -5 log; exit 1; }
echo "as found"
