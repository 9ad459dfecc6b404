#!/usr/bin/env bash
# transformers 5.24.0, Mamba-2: what happens to the cache if it is handed back under the name that other models use?
#
# Guess: the output says "past_key_values" in output, and output["past_key_values"] gives the cache; so forward takes it
# under that name too, or refuses it.
# Found: neither. The name is an alias of the output alone (reading it warns that cache is the new one). But
# forward(past_key_values=...) goes into **kwargs and is dropped without a word: the next token is computed as if it
# were the first, with other logits, and in chunks, padded to a whole one, which PyTorch's counter sees as ten times the
# FLOP of a step. Passed as cache= (or cache_params=) it is right. So a loop that is written for all models alike decodes
# Mamba-2 without its context. Seen: off by 9.8e-07 at 184,864 FLOP as cache, by 2.6 at 1,922,304 as past_key_values.
#
# Python 3.11 to 3.13, a package index, about two minutes; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet torch==2.13.0 transformers==5.24.0
cat > ask.py <<'PY'
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, Mamba2Config

torch.manual_seed(0)
sizes = dict(vocab_size=199, hidden_size=48, num_hidden_layers=5, num_heads=8, head_dim=12, state_size=5, n_groups=2)
model = AutoModelForCausalLM.from_config(Mamba2Config(**sizes, expand=2, chunk_size=32)).eval()
tokens = torch.randint(0, 90, (1, 15))


def step(**cache):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        logits = model(input_ids=tokens[:, -1:], use_cache=True, **cache).logits[:, -1]
    return logits, counter.get_total_flops()


with torch.no_grad():
    whole = model(input_ids=tokens).logits[:, -1]
    first = model(input_ids=tokens[:, :-1], use_cache=True)
    alias, listed, held = "past_key_values" in first, list(first.keys()), first["past_key_values"]
    alone, _ = step()
    dropped, many = step(past_key_values=held)
    right, few = step(cache=held)
print("keys of the output:", listed, "- and 'past_key_values' in it:", alias)
print(f"handed back as cache:           off by {(right - whole).abs().max():.1e}, {few:,} FLOP")
print(f"handed back as past_key_values: off by {(dropped - whole).abs().max():.1e}, {many:,} FLOP")
assert alias and "past_key_values" not in listed
assert torch.allclose(right, whole, atol=1e-4) and few < many / 8
assert torch.equal(dropped, alone) and not torch.allclose(dropped, whole, atol=0.1)
PY
venv/bin/python ask.py
echo "as found"
