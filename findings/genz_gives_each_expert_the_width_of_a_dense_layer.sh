#!/usr/bin/env bash
# GenZ (genz-llm) 0.0.16, which sizes and times the serving of a model: what do the weights of its mixtures take in BF16?
#
# Guess: two bytes for each of the parameters that a model is known for, as for its dense ones: 1,250 GiB for DeepSeek V3.
# Found: so for Mixtral, whose experts are as wide as intermediate_size says, and 11,500 GiB for DeepSeek V3, 226 instead of
# 31 for DeepSeek MoE 16B. Their own list gives the width of an expert, moe_intermediate_size, and neither the prefill nor
# the decode asks for it: each expert is as wide as the one dense layer, nine and eight times its own. A server's GPUs are
# counted with that, and a 16B model is refused on an H100 with 80 GB.
#
# Python 3.11 to 3.13, a package index, about two minutes.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet genz-llm==0.0.16 numpy==2.4.6 pandas==3.1.1
cat > ask.py <<'PY'
from importlib.metadata import version

from GenZ import decode_moddeling, prefill_moddeling
from GenZ.Models import get_configs

BYTES, GIB = 2, 2**30
PARAMETERS = {
    "meta-llama/Llama-3.1-8B": 8.03e9,
    "mistralai/mixtral-8x7b": 46.7e9,
    "deepseek-ai/deepseek-moe-16b-base": 16.4e9,
    "deepseek-ai/DeepSeek-V3-Base": 671e9,
}


def weights(ask, model, **more):
    _, told = ask(
        model=model, batch_size=1, input_tokens=1024, system_name="H100_GPU", bits="bf16", model_profilling=True, **more
    )
    return float(told["Total Weights (MB)"].iloc[0]) / 1024


print("genz-llm", version("genz-llm"))
ratio, wide = {}, {}
for model, parameters in PARAMETERS.items():
    prefill, decode, real = weights(prefill_moddeling, model), weights(decode_moddeling, model, Bb=1), parameters * BYTES / GIB
    config = get_configs(model)
    ratio[model], wide[model] = prefill / real, config.intermediate_size / config.moe_intermediate_size
    print(f"{model}: prefill {prefill:.4g} GiB, decode {decode:.4g} GiB, {parameters:.3g} parameters take {real:.4g} GiB")
    assert 0.92 < decode / prefill < 1.01
assert all(0.98 < ratio[model] < 1.02 and wide[model] == 1 for model in list(PARAMETERS)[:2])
assert 7 < ratio["deepseek-ai/deepseek-moe-16b-base"] < wide["deepseek-ai/deepseek-moe-16b-base"] < 8
assert 9 < ratio["deepseek-ai/DeepSeek-V3-Base"] < 9.5 and wide["deepseek-ai/DeepSeek-V3-Base"] == 9
try:
    decode_moddeling(model="deepseek-ai/deepseek-moe-16b-base", batch_size=1, input_tokens=1024, Bb=1, system_name="H100_GPU", bits="bf16")
except ValueError as refused:
    print("a 16B model on an H100:", str(refused).split(". \n")[0])
else:
    raise SystemExit("it fits now")
PY
venv/bin/python -W ignore ask.py
echo "as found"
