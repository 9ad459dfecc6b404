#!/usr/bin/env bash
# GenZ 0.0.16 (genz-llm), decode_moddeling: what does a step of Mixtral 8x7B take on two H100s as the batch grows?
#
# Guess: at 1 request two of the eight experts are read; from some 8 on all of them, 43 GiB a card, and a step takes three
# times as long. A step of a dense model hardly changes, as the same weights serve all.
# Found: a batch of 64 reads the two experts of one token. Of 43 GiB a card 32 stay "unused" at any batch, and a step takes
# 4.9 ms where reading the weights that it needs takes 12.8 at the card's whole bandwidth: a token is 2.6 times too cheap.
# Each token's work is counted in full, and all weights are in the memory that it asks for, so nothing looks missing.
#
# Python 3.11 to 3.13, a package index, some minutes.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet genz-llm==0.0.16 numpy==2.4.6 pandas==2.3.3
venv/bin/python -W ignore - <<'PY'
from importlib.metadata import version

from GenZ import decode_moddeling
from GenZ.Models import get_configs
from Systems.system_configs import system_configs

def step(model, batch, cards):
    return decode_moddeling(
        model=model, batch_size=batch, Bb=1, input_tokens=512, system_name="H100_GPU", bits="bf16", tensor_parallel=cards,
    )

def told(model, batch, cards):
    answer = step(model, batch, cards)
    table = answer["summary_table"].iloc[0]
    return answer["Latency"], table["Total Weights (MB)"], table["Unused Weights (MB)"]

print("genz-llm", version("genz-llm"))
bandwidth = system_configs["H100_GPU"]["Memory_BW"]
for model, cards in (("mistralai/Mixtral-8x7B", 2), ("meta-llama/Llama-3.1-8B", 1)):
    for batch in (1, 8, 64, 256):
        latency, weights, unused = told(model, batch, cards)
        floor = 1000 * weights / 1024 / bandwidth
        print(f"{model}, batch {batch}: {latency:.2f} ms, all weights at {bandwidth} GiB/s {floor:.1f} ms", end="; ")
        print(f"GiB of weights a card {weights / 1024:.1f}, unused {unused / 1024:.1f}")
        if "Mixtral" in model:
            assert unused == 32256 and latency < 0.6 * floor
            assert batch != 64 or 2.5 < floor / latency < 2.7
        else:
            assert unused == 0 and latency > floor
config = get_configs("mistralai/Mixtral-8x7B")
experts = 32 * 8 * 3 * 4096 * 14336 * 2 / 2**20 / 2
assert (config.num_experts, config.expert_top_k) == (8, 2) and experts == 32256 * 8 / 6  # unused: six of eight
PY
echo "as found"
