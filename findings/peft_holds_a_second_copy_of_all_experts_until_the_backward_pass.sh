#!/usr/bin/env bash
# PEFT 0.21.2 with transformers 5.24.0: what does a LoRA on the experts of a mixture (Qwen3 MoE) hold from the forward to
# the backward pass, besides weights and adapters?
#
# Guess: what it holds with an adapter on the attention alone, some activations more. The weights are frozen and in memory
# once, whatever is adapted; that is the point of LoRA.
# Found: all experts once more. transformers 5 has the experts of a layer in one tensor; PEFT adds the product of the two
# adapters to it before the layer runs, and the sums stay until the backward pass (but for the first layer's gate and up,
# before which nothing is trained). That is a second 57 GB for Qwen3-30B-A3B, where full fine-tuning holds no such copy.
# With transformers 4.57.6, where each expert has layers of its own, there is none either, and with gradient checkpointing
# none outlives its layer.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
cat > ask.py <<'PY'
import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, Qwen3MoeConfig

width, inner, experts, layers, tokens = 256, 256, 32, 4, 64
stacked = transformers.__version__.startswith("5")

def held(targets, checkpointing=False):
    """Bytes that the graph holds after a forward pass and that are not parameters."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(Qwen3MoeConfig(
        hidden_size=width, intermediate_size=inner, moe_intermediate_size=inner, num_hidden_layers=layers, head_dim=64,
        num_attention_heads=4, num_key_value_heads=2, num_experts=experts, num_experts_per_tok=4, vocab_size=512,
    ), dtype=torch.bfloat16)
    if targets:
        model = get_peft_model(model, LoraConfig(r=8, target_modules=targets), autocast_adapter_dtype=False)
    if checkpointing:
        model.enable_input_require_grads()
        model.gradient_checkpointing_enable()
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    saved = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage
        return tensor

    ids = torch.arange(tokens)[None]
    model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
    assert loss.requires_grad
    return sum(storage.nbytes() for storage in saved.values()) / 1e6

print("peft", peft.__version__, "transformers", transformers.__version__)
one = experts * width * inner * 2 / 1e6  # one of the three matrices of all experts of a layer
attention, adapted = held(["q_proj", "v_proj"]), held(["gate_proj", "up_proj", "down_proj"])
full, checkpointed = held(None), held(["gate_proj", "up_proj", "down_proj"], checkpointing=True)
print(f"MB of experts {3 * layers * one:.1f}; held with LoRA on attention {attention:.1f}, on experts {adapted:.1f},")
print(f"on experts with gradient checkpointing {checkpointed:.1f}, all trained without LoRA {full:.1f}")
assert checkpointed < 1 and max(attention, full) < 0.2 * 3 * layers * one
copies = (3 * layers - 2) * one  # gate and up of the first layer have no gradient to pass on
if stacked:
    assert copies < adapted < copies + 1.5 * full
else:
    assert adapted < 2 * full
PY
for version in 4.57.6 5.24.0; do
  venv/bin/pip install --quiet accelerate==1.15.0 numpy==2.4.6 peft==0.21.2 torch==2.13.0 transformers==$version
  venv/bin/python -W ignore ask.py 2>log || { tail -5 log; exit 1; }
done
echo "as found"
