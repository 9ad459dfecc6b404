#!/usr/bin/env bash
# DeepSpeed 0.19.8, estimate_zero2/3_model_states_mem_needs_all_live: what does a model take that is built without
# memory, on PyTorch's meta device, as one that is too large for this machine is?
#
# Guess: what the same model takes when it is built for real: both have the same parameters.
# Found: what one of its tensors takes. Parameters are told apart by the address of their memory, and on the meta device
# every address is 0: of a Llama of 8 billion the head alone is counted, 525 million, and 3.1 GiB for each of eight GPUs
# are said to do, where the same estimate from the number of parameters (..._all_cold) says 18.8.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 setuptools==80.9.0 torch==2.13.0 transformers==5.24.0
DS_BUILD_OPS=0 venv/bin/pip install --quiet deepspeed==0.19.8
cat > ask.py <<'PY'
import contextlib
import io
import re
from importlib.metadata import version

import torch
from deepspeed.runtime.zero.stage3 import estimate_zero3_model_states_mem_needs_all_cold as cold
from deepspeed.runtime.zero.stage3 import estimate_zero3_model_states_mem_needs_all_live as live
from transformers import AutoModelForCausalLM, LlamaConfig

heads = dict(num_attention_heads=32, num_key_value_heads=8)
llama_3_8b = dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, vocab_size=128256, **heads)
small = dict(hidden_size=1024, intermediate_size=2048, num_hidden_layers=2, vocab_size=4096, **heads)

def built(shape, device):
    with torch.device(device):
        return AutoModelForCausalLM.from_config(LlamaConfig(**shape))

def answer(function, *given):
    """Millions of parameters, and GiB of each of eight GPUs where nothing is offloaded."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        function(*given, num_gpus_per_node=8)
    line = next(line for line in text.getvalue().splitlines() if "offload_optimizer=none" in line)
    return int(re.search(r"with (\d+)M total", text.getvalue())[1]), float(re.findall(r"([\d.]+)GB", line)[1])

print("DeepSpeed", version("deepspeed"), "PyTorch", torch.__version__)
for shape, device in ((small, "cpu"), (small, "meta"), (llama_3_8b, "meta")):
    model = built(shape, device)
    total, head = sum(p.numel() for p in model.parameters()), model.lm_head.weight.numel()
    widest = max(sum(p.numel() for p in module.parameters(recurse=False)) for module in model.modules())
    seen, right = answer(live, model), answer(cold, total, widest)
    print(f"{device}: {total:,} parameters, head {head:,}; from the model {seen}, from the numbers {right} (millions, GiB)")
    assert right[0] == total // 10**6 and seen[0] == (total if device == "cpu" else head) // 10**6
    assert seen == right if device == "cpu" else right[1] > 3 * seen[1]
assert right[1] > 6 * seen[1]
PY
venv/bin/python -W ignore ask.py 2>log || { tail -5 log; exit 1; }
echo "as found"
