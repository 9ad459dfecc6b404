#!/usr/bin/env bash
# llama-cpp-python 0.3.36, Llama(path, n_ctx=32768): what memory does a Gemma 3 of six layers, five with a window of 512,
# take for its context?
#
# Guess: what llama.cpp's own programs take: the context in the full layer; in the others the window and a batch, 1,024
# tokens; and no square of scores, as flash attention is used where it can be.
# Found: the whole context in all six layers, 96 MiB where 18.5 do: swa_full, "use full-size SWA cache", is None in Python
# and so what the C library has by default, true, where llama.cpp's programs (common.h) say false. And flash attention is
# off, where they say auto: the buffers for computing are 388 MiB where 38 do, most of it the scores of a batch against the
# context, four bytes for each head, token of the batch and token of the context, with or without windows (a Llama 3 8B's
# 32 heads: 2.1 GB). swa_full=False and flash_attn=True bring both back.
#
# The package is built without optimisation, which changes no size. Python 3.11 to 3.13 and a C++ compiler on Linux, a
# package index, about ten minutes on two cores; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet gguf==0.19.0 numpy==2.4.6
venv/bin/pip download --quiet --no-deps --no-binary :all: llama-cpp-python==0.3.36
tar -xzf llama_cpp_python-0.3.36.tar.gz
own=$(grep -oE "bool swa_full +=[^;]+;|flash_attn_type += LLAMA_FLASH_ATTN_TYPE_[A-Z]+" llama_cpp_python-0.3.36/vendor/llama.cpp/common/common.h)
echo "llama.cpp's programs:" $own
grep -qE "swa_full += false" <<<"$own" && grep -q "AUTO" <<<"$own"
CMAKE_ARGS="-DCMAKE_CXX_FLAGS_RELEASE=-O0 -DCMAKE_C_FLAGS_RELEASE=-O0 -DLLAVA_BUILD=OFF" \
  venv/bin/pip install --quiet ./llama_cpp_python-0.3.36.tar.gz
venv/bin/python - <<'PY'
"""A Gemma 3 with random weights."""
import gguf
import numpy as np

LAYERS, WIDTH, INNER, HEADS, KV_HEADS, HEAD, WORDS = 6, 256, 512, 4, 2, 64, 512
words = ["<unk>", "<s>", "</s>"] + [f"<0x{n:02X}>" for n in range(256)]
words += [f"w{n}" for n in range(WORDS - len(words))]
writer = gguf.GGUFWriter("gemma.gguf", "gemma3")
writer.add_context_length(32768)
writer.add_embedding_length(WIDTH)
writer.add_block_count(LAYERS)
writer.add_feed_forward_length(INNER)
writer.add_head_count(HEADS)
writer.add_head_count_kv(KV_HEADS)
writer.add_key_length(HEAD)
writer.add_value_length(HEAD)
writer.add_layer_norm_rms_eps(1e-6)
writer.add_rope_freq_base(1e4)
writer.add_sliding_window(512)
writer.add_tokenizer_model("llama")
writer.add_token_list(words)
writer.add_token_scores([0.0] * WORDS)
writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * (WORDS - 259))
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)
writer.add_unk_token_id(0)
random = np.random.default_rng(0)
layer = {
    "attn_q": (HEADS * HEAD, WIDTH), "attn_k": (KV_HEADS * HEAD, WIDTH), "attn_v": (KV_HEADS * HEAD, WIDTH),
    "attn_output": (WIDTH, HEADS * HEAD), "ffn_gate": (INNER, WIDTH), "ffn_up": (INNER, WIDTH), "ffn_down": (WIDTH, INNER),
    "attn_norm": WIDTH, "ffn_norm": WIDTH, "attn_q_norm": HEAD, "attn_k_norm": HEAD, "post_attention_norm": WIDTH,
    "post_ffw_norm": WIDTH,
}
shapes = {f"blk.{n}.{name}": shape for n in range(LAYERS) for name, shape in layer.items()}
for name, shape in {"token_embd": (WORDS, WIDTH), "output_norm": WIDTH, **shapes}.items():
    values = random.standard_normal(shape).astype(np.float16) if isinstance(shape, tuple) else np.ones(shape, np.float32)
    writer.add_tensor(f"{name}.weight", values)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
PY
cat > ask.py <<'PY'
import re
import subprocess
import sys
from importlib.metadata import version

started = "import llama_cpp; llama_cpp.Llama('gemma.gguf', n_ctx=32768, verbose=True, {})"
taken = {}
print("llama-cpp-python", version("llama-cpp-python"), "- MiB of cache, MiB of buffers for computing, with n_ctx=32768")
for given in ("", "swa_full=False", "swa_full=False, flash_attn=True"):
    said = subprocess.run([sys.executable, "-c", started.format(given)], capture_output=True, text=True, check=True).stderr
    cache = [float(size) for size in re.findall(r"llama_kv_cache: size = +([\d.]+) MiB", said)]
    buffer = float(re.search(r"compute buffer size = +([\d.]+) MiB", said)[1])
    taken[given] = sum(cache), buffer
    print(f"Llama(path, n_ctx=32768{', ' + given if given else ''}): {sum(cache):g} {cache}, {buffer:.0f}")
each = 2 * 2 * 64 * 2 / 2**20  # MiB of a token in a layer
scores = 4 * 4 * 512 * 32768 / 2**20
whole, windows, both = taken.values()
print(f"by hand: all full {6 * 32768 * each:g}, with windows {(32768 + 5 * 1024) * each:g}; scores of a batch {scores:g}")
assert whole[0] == 6 * 32768 * each and windows[0] == both[0] == (32768 + 5 * 1024) * each
assert whole[1] > windows[1] > scores > 4 * both[1]
PY
venv/bin/python -W ignore ask.py
echo "as found"
