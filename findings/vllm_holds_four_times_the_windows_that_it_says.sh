#!/usr/bin/env bash
# vLLM 0.33.0, "KV cache size: N tokens, Maximum concurrency for L tokens per request" at its start (and
# kv_cache_size_tokens in its config): what does it say of Gemma 3 27B (52 of 62 layers with a window of 1,024) in 80 GiB,
# and what do its own blocks then hold?
#
# Guess: a number of tokens that the memory gives, the same for any longest context that is allowed, about what it then
# holds, and never less than without windows, where each layer takes everything.
# Found: of one memory 148,800 tokens (--max-model-len 2048) to 583,317 (131072): it is a count of requests of the longest
# context, in which a layer with a window is booked with the window and all that may be in flight, two batches of 8,192
# (what a server takes on an H100), 17,407 tokens for 1,024. At 8192 it says 18.3 requests, fewer than without windows
# (20.6), and its blocks hold 69 once the prompts are read: 3.8 times as many. At 131072 it says 583,317 tokens and holds
# 255,000 in requests of 2,040. Without windows both agree. For gpt-oss-120b (half its layers, 128 tokens) it says 142
# requests of 8192, and holds 278.
#
# The wheel's Python alone, without its kernels; a stand-in says what its CUDA platform does, that layers may differ.
# Python 3.11 to 3.13 on Linux, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA
# alone; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet aiohttp==3.14.5 cachetools==8.0.2 cbor2==6.3.0 cloudpickle==3.1.3 fastapi==0.165.0 \
  llguidance==1.9.1 msgspec==0.22.0 numpy==2.4.6 openai==3.57.0 openai-harmony==0.0.8 partial-json-parser==0.2.1.1.post7 \
  pillow==13.0.0 prometheus_client==0.26.0 psutil==7.2.2 py-cpuinfo==9.0.0 pybase64==1.5.1 pydantic==2.14.4 pyzmq==27.3.0 \
  requests==2.34.2 torch==2.13.0 transformers==5.20.0 uvloop==0.23.0 xgrammar==0.2.9
venv/bin/pip download --quiet --no-deps --only-binary :all: --python-version 3.12 --platform manylinux_2_28_x86_64 vllm==0.33.0
cat > ask.py <<'PY'
import glob
import zipfile

with zipfile.ZipFile(glob.glob("vllm-0.33.0-*.whl")[0]) as wheel:
    wheel.extractall(members=[name for name in wheel.namelist() if not name.endswith(".so")])

import torch
import transformers
from transformers import Gemma3TextConfig, GptOssConfig
from vllm.config import CacheConfig, DeviceConfig, ModelConfig, ParallelConfig, SchedulerConfig, VllmConfig
from vllm.platforms import current_platform
from vllm.sampling_params import SamplingParams
from vllm.v1.attention.backends.utils import resolve_kv_cache_layout
from vllm.v1.core.kv_cache_manager import KVCacheManager
from vllm.v1.core.kv_cache_planning import get_global_kv_cache_groups, get_kv_cache_configs
from vllm.v1.core.kv_cache_utils import get_kv_cache_capacity, resolve_kv_cache_block_sizes
from vllm.v1.kv_cache_interface import FullAttentionSpec, SlidingWindowSpec
from vllm.v1.request import Request
from vllm.version import __version__

BATCH, MEMORY = 8192, 80 * 2**30
type(current_platform).support_hybrid_kv_cache = classmethod(lambda cls: True)
configs = {
    "Gemma 3 27B": Gemma3TextConfig(
        hidden_size=5376, num_hidden_layers=62, num_attention_heads=32, num_key_value_heads=16, head_dim=128,
        sliding_window=1024, max_position_embeddings=131072, architectures=["Gemma3ForCausalLM"],
    ),
    "gpt-oss-120b": GptOssConfig(quantization_config=None, architectures=["GptOssForCausalLM"]),
}


def planned(name, longest, windows):
    """A server's settings and its plan for the memory, as they are made before the first request."""
    given = VllmConfig(
        model_config=ModelConfig(
            model=name, tokenizer=name, skip_tokenizer_init=True, max_model_len=longest, dtype="bfloat16"
        ),
        cache_config=CacheConfig(block_size=16, enable_prefix_caching=False),
        scheduler_config=SchedulerConfig(
            max_model_len=longest, is_encoder_decoder=False, max_num_batched_tokens=BATCH, max_num_seqs=256
        ),
        parallel_config=ParallelConfig(), device_config=DeviceConfig(device="cpu"),
    )
    shape = given.model_config.hf_text_config
    heads = dict(block_size=16, num_kv_heads=shape.num_key_value_heads, head_size=shape.head_dim, dtype=torch.bfloat16)
    layers = {
        str(n): SlidingWindowSpec(sliding_window=shape.sliding_window, **heads)
        if windows and kind == "sliding_attention" else FullAttentionSpec(**heads)
        for n, kind in enumerate(shape.layer_types)
    }
    resolve_kv_cache_layout(given, [["LBNHC"]])
    return given, get_kv_cache_configs(given, [layers], [MEMORY], get_global_kv_cache_groups(given, [layers]))[0]


def admitted(manager, name, tokens):
    """Whether the blocks hold one more request: its prompt in batches, then two tokens of the answer."""
    request = Request(name, [1] * tokens, SamplingParams(max_tokens=8), None)
    while request.num_computed_tokens < tokens:
        step = min(BATCH, tokens - request.num_computed_tokens)
        if manager.allocate_slots(request, step, full_sequence_must_fit=True) is None:
            return False
        request.num_computed_tokens += step
    for _ in range(2):
        request.append_output_token_ids(1)
        if manager.allocate_slots(request, 1) is None:
            return False
        request.num_computed_tokens += 1
    return True


def ask(name, longest, tokens, windows=True):
    given, plan = planned(name, longest, windows)
    manager = KVCacheManager(
        plan, longest, *resolve_kv_cache_block_sizes(plan, given), max_in_flight_tokens=given.max_in_flight_tokens,
        enable_caching=False,
    )
    held = 0
    while admitted(manager, str(held), tokens):
        held += 1
    said, requests = get_kv_cache_capacity(given, plan)
    print(f"{name}{'' if windows else ' without windows'}, max_model_len {longest:,}: says {said:,} tokens, "
          f"{requests:.1f} requests; holds {held} of {tokens:,} tokens, {held * tokens:,}")
    return said, requests, held


for name, config in configs.items():
    config.dtype = "bfloat16"
    config.save_pretrained(name)
print("vLLM", __version__, "transformers", transformers.__version__, "PyTorch", torch.__version__)
gemma = "Gemma 3 27B"
assert planned(gemma, 8192, True)[0].max_in_flight_tokens == 2 * BATCH
short, middle, long = (ask(gemma, longest, longest - 8) for longest in (2048, 8192, 32768))
longest = ask(gemma, 131072, 2040)
plain = [ask(gemma, longest, longest - 8, windows=False) for longest in (2048, 8192)]
other, other_plain = (ask("gpt-oss-120b", 8192, 8184, windows) for windows in (True, False))
assert (short[0], middle[0], longest[0]) == (148800, 149546, 583317) and plain[0][0] == plain[1][0] == 169120
assert middle[2] > 3.7 * middle[1] and middle[1] < plain[1][1] and long[2] > 3 * long[1]
assert longest[2] * 2040 < 0.45 * longest[0]
assert all(abs(requests - held) < 1 for _, requests, held in (*plain, other_plain)) and other[2] > 1.9 * other[1]
PY
HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 VLLM_LOGGING_LEVEL=ERROR venv/bin/python -W ignore ask.py 2>log || { tail -5 log; exit 1; }
echo "as found"
