#!/usr/bin/env bash
# onnxruntime-genai 0.18.0, its model builder's int4 for a CPU: what is in the file, and what does a chat of five tokens
# take?
#
# Guess: 4.5 bits a weight, the input table at 16 bits; a cache of 16 bits for the tokens that are there.
# Found: 5 bits a weight (blocks of 32 with a scale in FP32), the input table of a model with a head of its own in FP32,
# twice what the checkpoint had: of a Llama 3 8B's 6.8 GB 2.1 GB. The cache is FP32, too, and is taken before the first
# token for all of the context, since max_length in genai_config.json is the context of the model and buffers are shared:
# a Llama with 131,072 tokens of context takes all of them for five; max_length=64 takes them for 64.
#
# Python 3.11 to 3.13 on Linux, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA
# alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet numpy==2.4.6 onnx==1.23.2 onnx-ir==1.1.0 onnxruntime==1.32.0 onnxruntime-genai==0.18.0 torch==2.13.0 transformers==5.24.0
cat > make.py <<'PY'
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, **{f"w{n}": n for n in range(1, 2048)}}, unk_token="<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<unk>").save_pretrained("plain")
torch.manual_seed(0)
LlamaForCausalLM(LlamaConfig(
    hidden_size=256, intermediate_size=640, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
    vocab_size=2048, max_position_embeddings=131072, bos_token_id=0, eos_token_id=0, pad_token_id=0,
)).to(torch.bfloat16).save_pretrained("plain")
PY
cat > ask.py <<'PY'
import json
import sys
from importlib.metadata import version
from math import prod

import onnx
import onnxruntime_genai

def resident():
    with open("/proc/self/status") as lines:
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

length = int(sys.argv[1])
model = onnxruntime_genai.Model("made")
given = onnxruntime_genai.GeneratorParams(model)
if length:
    given.set_search_options(max_length=length)
before = resident()
generator = onnxruntime_genai.Generator(model, given)
generator.append_tokens([1, 2, 3, 4])
generator.generate_next_token()
taken = resident() - before
if length:
    print(f"max_length={length}: {taken:,} B more after five tokens")
    assert taken < 60e6
    raise SystemExit
print("onnxruntime-genai", version("onnxruntime-genai"))
graph = onnx.load("made/model.onnx", load_external_data=False).graph
sizes = {one.name: (prod(one.dims), one.data_type) for one in graph.initializer}
table = sizes["model.embed_tokens.weight"]
scales = sum(count for name, (count, kind) in sizes.items() if name.endswith("_scales") and kind == onnx.TensorProto.FLOAT)
packed = sum(count for name, (count, kind) in sizes.items() if name.endswith("_Q4"))
print(f"bits a weight: {(8 * packed + 32 * scales) / (2 * packed):g}; input table FP32: {table[1] == onnx.TensorProto.FLOAT}")
config = json.load(open("made/genai_config.json"))
shape = config["model"]["decoder"]
each = 2 * shape["num_hidden_layers"] * shape["num_key_value_heads"] * shape["head_size"] * 4
whole = each * config["model"]["context_length"]
print("max_length", config["search"]["max_length"], "buffers shared", config["search"]["past_present_share_buffer"])
print(f"{taken:,} B more after five tokens; by hand in FP32 {5 * each:,} B for five, {whole:,} B for the whole context")
assert (8 * packed + 32 * scales) / (2 * packed) == 5 and table == (2048 * 256, onnx.TensorProto.FLOAT)
assert config["search"]["max_length"] == 131072 and 0.95 * whole < taken < 1.3 * whole
PY
HF_HUB_OFFLINE=1 venv/bin/python -W ignore make.py >log 2>&1 || { tail -5 log; exit 1; }
HF_HUB_OFFLINE=1 venv/bin/python -W ignore -m onnxruntime_genai.models.builder -i plain -o made -p int4 -e cpu -c cache \
  --extra_options hf_token=false >log 2>&1 || { tail -5 log; exit 1; }
for length in 0 64; do
  venv/bin/python -W ignore ask.py $length
done
echo "as found"
