#!/usr/bin/env bash
# PyTorch 2.13.0's FlopCounterMode on a mixture of transformers 5.24.0: does it count the experts?
#
# Guess: yes; they are matrix products, and which kernel runs them changes nothing in the count.
# Found: not those of the default. Since transformers 5 the experts run as one grouped product (grouped_mm), which the
# counter has no rule for, so it adds nothing, without a word: of a small Mixtral's forward and backward pass 28% are
# left. The same model told to run its experts one by one (eager), or as a batched product, has them all. The attention
# of a CPU run is missing from each of the three, for the same reason.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 torch==2.13.0 transformers==5.24.0
venv/bin/python - <<'PY'
import torch, transformers
from torch.utils.flop_counter import FlopCounterMode
from transformers import MixtralConfig, MixtralForCausalLM

layers, width, inner, experts, chosen, tokens, vocabulary, heads, kv_heads = 2, 128, 256, 8, 2, 256, 512, 8, 2

def counted(implementation):
    config = MixtralConfig(
        hidden_size=width, intermediate_size=inner, num_hidden_layers=layers, num_attention_heads=heads,
        num_key_value_heads=kv_heads, vocab_size=vocabulary, num_local_experts=experts, num_experts_per_tok=chosen,
    )
    if implementation:
        config._experts_implementation = implementation
    model = MixtralForCausalLM(config)
    counter = FlopCounterMode(display=False)
    with counter:
        model(torch.zeros((1, tokens), dtype=torch.long), use_cache=False).logits.sum().backward()
    return model.config._experts_implementation, counter.get_total_flops()

projections = layers * width * (2 * width + 2 * width * kv_heads // heads)
rest = 6 * tokens * (projections + layers * experts * width + width * vocabulary)
routed = 6 * tokens * layers * chosen * 3 * width * inner
print("PyTorch", torch.__version__, "transformers", transformers.__version__)
print(f"by hand: experts {routed:,}, the other matrices {rest:,}")
found = {}
for asked in (None, "eager", "batched_mm"):
    name, found[asked] = counted(asked)
    print(f"{name}{'' if asked else ' (default)'}: {found[asked]:,}")
assert counted(None)[0] == "grouped_mm"
assert found["eager"] == found["batched_mm"] and abs(found["eager"] - routed - rest) < 0.01 * rest
assert abs(found[None] - rest) < 0.01 * rest and found[None] < 0.3 * found["eager"]
PY
echo "as found"
