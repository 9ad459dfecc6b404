#!/usr/bin/env bash
# mlx-lm 0.32.2, generate with --max-kv-size 512 ("Set the maximum key-value cache size"): how large does the cache get?
#
# Guess: 512 tokens in every layer, for every model with plain attention.
# Found: for a Qwen 2 or 3, yes. For a Llama or a Mistral, one class to mlx-lm, the flag does nothing, without a word:
# since it learnt windows the class brings a list of caches of its own, and where a class does, the flag is passed over
# (a docstring says so; the flag's help does not). After a prompt of 4,096 tokens it holds 8.5 times as much, and grows
# on. So do the full layers of a Gemma 3, and of other models with some windows.
#
# Python 3.11 to 3.13 on Linux, a package index, about two minutes; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet "mlx[cpu]==0.32.4" mlx-lm==0.32.2 transformers==5.24.0
cat > ask.py <<'PY'
import sys
from importlib.metadata import version
from unittest import mock

import mlx.core as mx
from mlx_lm.generate import generate_step, make_prompt_cache
from mlx_lm.utils import _get_classes

shape = dict(
    hidden_size=64, num_hidden_layers=6, intermediate_size=128, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
    rms_norm_eps=1e-5, vocab_size=256, rope_theta=1e4, max_position_embeddings=8192, tie_word_embeddings=True,
)
made, held = [], {}

def noted(*given, **named):
    made.append(make_prompt_cache(*given, **named))
    return made[-1]

print("mlx-lm", version("mlx-lm"), "mlx", version("mlx"), "- tokens of cache in each layer with max_kv_size=512, prompt 4,096")
for name in ("qwen2", "qwen3", "llama", "mistral", "gemma3_text"):
    kind, arguments = _get_classes(shape | {"model_type": name})
    model = kind(arguments.from_dict(shape | {"model_type": name}))
    with mock.patch.object(sys.modules["mlx_lm.generate"], "make_prompt_cache", noted):
        for _ in generate_step(mx.zeros((4096,), mx.int32), model, max_tokens=4, max_kv_size=512):
            pass
    held[name] = [layer.keys.shape[2] for layer in made[-1]]
    print(f"{name}: {held[name]}; brings its own list: {hasattr(model, 'make_cache')}")
assert held["qwen2"] == held["qwen3"] == [512] * 6
assert held["llama"] == held["mistral"] == [4352] * 6
assert held["gemma3_text"].count(4352) == 1 and max(held["gemma3_text"]) == 4352
PY
venv/bin/python -W ignore ask.py 2>log || { tail -5 log; exit 1; }
echo "as found"
