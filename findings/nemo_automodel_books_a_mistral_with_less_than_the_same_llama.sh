#!/usr/bin/env bash
# NeMo AutoModel 0.7.0, AutoMFU: what work is booked for a Mistral and for a Llama of the same matrices?
#
# Guess: the same; or None for a model that is not in its table, as its documentation says of one that is not supported.
# Found: a model that is not in the table gets a formula for plain transformers, without a word: two of the three matrices
# of a gated MLP. A token of Mistral 7B is booked with 5.2 billion weights, of a Llama of the very same shape with 7.1, so
# the same speed is an MFU of 31% or of 41%; Gemma 2, Phi-3 and OLMo 2 lose a fifth. Of a mixture that is not in the table
# the formula takes every other layer for a dense one: OLMoE is booked with 57% of its active weights.
#
# The two modules run from the wheel, without its dependencies. Python 3.11 to 3.13, a package index, some minutes and up
# to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 torch==2.13.0 transformers==5.24.0
venv/bin/pip download --quiet --no-deps --only-binary :all: nemo-automodel==0.7.0
venv/bin/python -W ignore - <<'PY'
import glob, sys

import torch
from transformers import AutoModelForCausalLM, Gemma2Config, LlamaConfig, MistralConfig, MixtralConfig, Olmo2Config, OlmoeConfig

sys.path.insert(0, glob.glob("nemo_automodel-0.7.0-*.whl")[0])
from nemo_automodel._transformers.mfu import AutoMFU

def multiplied(config):
    """Weights that a token is multiplied with: all matrices but the embedding, of stacked experts the chosen share."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    embedding = model.get_input_embeddings().weight
    count = embedding.numel() if config.tie_word_embeddings else 0
    for parameter in model.parameters():
        if parameter.dim() == 3:
            count += parameter.numel() * config.num_experts_per_tok // parameter.shape[0]
        elif parameter.dim() == 2 and parameter is not embedding:
            count += parameter.numel()
    return count

shape = dict(
    hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8,
    vocab_size=32768,
)
olmoe = dict(
    hidden_size=2048, intermediate_size=1024, num_hidden_layers=16, num_attention_heads=16, num_key_value_heads=16,
    vocab_size=50304, num_experts=64, num_experts_per_tok=8,
)
print("nemo-automodel 0.7.0; billions of weights a token is multiplied with, and booked for at one token of context")
ratio = {}
for name, config in {
    "Llama, shape of Mistral 7B": LlamaConfig(**shape), "Mistral 7B": MistralConfig(**shape),
    "Mixtral 8x7B": MixtralConfig(**shape), "Gemma 2 2B": Gemma2Config(), "OLMo 2 7B": Olmo2Config(), "OLMoE": OlmoeConfig(**olmoe),
}.items():
    real, booked = multiplied(config), AutoMFU(config, device="H100").get_flops((1, 1)) / 6
    ratio[name] = booked / real
    print(f"{name}: {real / 1e9:.3f}, booked {booked / 1e9:.3f}: {ratio[name]:.3f}")
mistral, llama = (AutoMFU(kind(**shape), device="H100")((1, 8192), 1.0, 1) for kind in (MistralConfig, LlamaConfig))
print(f"MFU of 8192 tokens a second on an H100: as a Mistral {mistral:.1f}%, as a Llama {llama:.1f}%")
assert abs(ratio["Llama, shape of Mistral 7B"] - 1) < 0.002 and abs(ratio["Mixtral 8x7B"] - 1) < 0.002
assert abs(ratio["Mistral 7B"] - 0.736) < 0.002 and 0.76 < ratio["OLMo 2 7B"] < ratio["Gemma 2 2B"] < 0.82
assert abs(ratio["OLMoE"] - 0.571) < 0.002 and 1.28 < llama / mistral < 1.31
PY
echo "as found"
