#!/usr/bin/env bash
# optimum-benchmark 0.6.0, its report of a language model on its own PyTorch backend: a prompt of 512 tokens, 33 tokens
# out, one sample at a time, four times.
#
# Guess: generate.throughput, in samples/s, is one over the time of a generation, and per_token.latency has 4 x 32 gaps
# between tokens, of which the longest is a decode step.
# Found: neither. The throughput of generate is that of decode, in tokens, divided by the time of the whole: 32 samples
# for each one that was made (prefill's samples/s is right). The gaps of each generation are listed again with every
# later one, 326 instead of 128, and among them is the pause from one generation to the next, which holds a prefill: the
# 99th percentile of a token is the time of the prompt.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet optimum-benchmark==0.6.0 datasets==4.4.1 torch==2.13.0 transformers==4.57.6
cat > ask.py <<'PY'
from importlib.metadata import version

from optimum_benchmark import Benchmark, BenchmarkConfig, InferenceConfig, InlineConfig, PyTorchConfig
from transformers import LlamaConfig, LlamaForCausalLM

TIMES, PROMPT, OUT = 4, 512, 33
heads = dict(num_attention_heads=4, num_key_value_heads=2)
LlamaForCausalLM(
    LlamaConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=2, vocab_size=512, **heads)
).save_pretrained("tiny")
scenario = InferenceConfig(
    latency=True, memory=False, energy=False, warmup_runs=1, iterations=TIMES, duration=0,
    input_shapes={"batch_size": 1, "sequence_length": PROMPT},
    generate_kwargs={"max_new_tokens": OUT, "min_new_tokens": OUT},
)
backend = PyTorchConfig(model="tiny", task="text-generation", library="transformers", model_type="llama", device="cpu")
report = Benchmark.launch(
    BenchmarkConfig(name="ask", scenario=scenario, launcher=InlineConfig(), backend=backend)
).to_dict()

print("optimum-benchmark", version("optimum-benchmark"), "transformers", version("transformers"))
shown = {}
for part in ("prefill", "decode", "generate"):
    took, rate = report[part]["latency"]["mean"], report[part]["throughput"]
    shown[part] = rate["value"] * took
    print(f"{part}: {took * 1e3:.1f} ms, {rate['value']:.4g} {rate['unit']}, which is {shown[part]:.4g} in its time")
tokens = report["per_token"]["latency"]
print(f"per_token: {tokens['count']} gaps, median {tokens['p50'] * 1e3:.1f} ms, p99 {tokens['p99'] * 1e3:.1f} ms")
assert report["generate"]["throughput"]["unit"] == report["prefill"]["throughput"]["unit"] == "samples/s"
assert abs(shown["prefill"] - 1) < 1e-6 and abs(shown["generate"] - (OUT - 1)) < 1e-6
assert tokens["count"] == sum(OUT * each - 1 for each in range(1, TIMES + 1)) == 326
assert tokens["p99"] > 0.7 * report["prefill"]["latency"]["mean"] > 2 * tokens["p50"]
PY
HF_HUB_OFFLINE=1 venv/bin/python -W ignore ask.py 2> log || { tail -20 log; exit 1; }
echo "as found"
