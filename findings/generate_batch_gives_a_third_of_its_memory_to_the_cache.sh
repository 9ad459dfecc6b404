#!/usr/bin/env bash
# transformers 5.24.0, generate_batch (continuous batching) where no flash attention is installed, max_memory_percent=0.9
# ("Maximum percentage of free GPU memory (after the model is loaded) to use for the KV cache"): how large is the cache?
#
# Guess: some 85% of the memory, what a batch of 8,192 tokens takes being left out.
# Found: a third. Beside the cache stands a mask of a batch of 8,192 tokens (max_batch_tokens) against every token that the
# whole cache can hold, in 16 bits, 16 KiB for each of these. For the layers and heads of Qwen2.5-0.5B, 12 KiB of cache a
# token, it takes 46% of the memory and the cache 33%; for those of Gemma 3 4B, two masks, of the full layers and of the
# windows, both as long as if the whole cache were of full layers: 42%, and the cache 28%. The rest waits for a copy of the
# keys and values of all tokens for one layer, repeated for each head. max_batch_tokens=512 doubles the cache; flash
# attention, which has no mask, makes it 86% and 73%.
#
# A stand-in says that the device has 6 GiB; the rest is a run on the CPU, that takes them. Python 3.11 to 3.13, a package
# index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet accelerate==1.15.0 numpy==2.4.6 psutil==7.2.2 torch==2.13.0 transformers==5.24.0
cat > ask.py <<'PY'
from unittest import mock

import torch
import transformers
from transformers import (
    ContinuousBatchingConfig, Gemma3ForCausalLM, Gemma3TextConfig, GenerationConfig, Qwen2Config, Qwen2ForCausalLM,
)
from transformers.generation.continuous_batching import cache, continuous_api, input_outputs
from transformers.generation.continuous_batching.distributed import DistributedHelper

GIVEN = 6 * 2**30
found = {}


class Cache(cache.PagedAttentionCache):
    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        found["cache"] = self.cache_tensor.nbytes / GIVEN


class Inputs(input_outputs.ContinuousBatchingIOs):
    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        found["masks"] = sum(mask.nbytes for mask in (self.attention_mask or {}).values()) / GIVEN


def run(model, **given):
    """Shares of the memory that the cache and the masks have in a run that answers two prompts."""
    answers = model.generate_batch(
        inputs=[[1, 2, 3, 4], [5, 6, 7]],
        generation_config=GenerationConfig(max_new_tokens=4, do_sample=False, eos_token_id=-1),
        continuous_batching_config=ContinuousBatchingConfig(max_memory_percent=0.9, **given), progress_bar=False,
    )
    assert all(len(answer.generated_tokens) == 4 for answer in answers.values())
    return found["cache"], found["masks"]


def flash(model):
    """Share of the cache, as it is planned for flash attention."""
    with mock.patch.object(model.config, "_attn_implementation_internal", "flash_attention_2"):
        plan = ContinuousBatchingConfig(max_memory_percent=0.9, max_blocks_per_request=0, use_async_batching=False)
        made = cache.PagedAttentionCache(
            model.config, plan, "meta", DistributedHelper(None, None), torch.bfloat16, model_supports_logits_to_keep=True
        )
    return made.cache_tensor.nbytes / GIVEN


torch.manual_seed(0)
small = dict(intermediate_size=64, vocab_size=512, bos_token_id=0, pad_token_id=0)
qwen = Qwen2ForCausalLM(
    Qwen2Config(hidden_size=896, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2, **small)
)
gemma = Gemma3ForCausalLM(Gemma3TextConfig(
    hidden_size=256, num_hidden_layers=34, num_attention_heads=8, num_key_value_heads=4, head_dim=256,
    sliding_window=1024, **small,
))
print("transformers", transformers.__version__, "PyTorch", torch.__version__, "- shares of the memory that is there")
told = (torch.device("cpu"), GIVEN, 0, 0)
with (
    mock.patch.object(cache, "get_device_and_memory_breakdown", lambda: told),
    mock.patch.object(continuous_api, "PagedAttentionCache", Cache),
    mock.patch.object(continuous_api, "ContinuousBatchingIOs", Inputs),
):
    for model in (qwen, gemma):
        model = model.to(torch.bfloat16).eval()
        plain, few, planned = run(model), run(model, max_batch_tokens=512), flash(model)
        print(f"{type(model).__name__}: cache {plain[0]:.0%}, masks {plain[1]:.0%}; with batches of 512 tokens {few[0]:.0%}, "
              f"{few[1]:.0%}; flash attention {planned:.0%}, no mask")
        assert plain[0] < 0.37 and plain[1] > plain[0] and few[0] > 1.7 * plain[0] and planned > 2 * plain[0]
PY
venv/bin/python -W ignore ask.py 2>log || { tail -5 log; exit 1; }
echo "as found"
