#!/usr/bin/env bash
# transformers 5.24.0 with bitsandbytes 0.50.2, Trainer with optim="adamw_8bit": how many bytes a parameter do the moments
# take?
#
# Guess: two and a little for the blocks' scales, half of what plain AdamW takes of a model in BF16, in any matrix.
# Found: two in the layers and in a head of its own, and eight in the input table, which Trainer keeps at 32 bits, where
# plain AdamW takes four; a tied table is the head as well. Of a model that is nearly two thirds table, as Gemma 3 270M
# is, the moments of 8 bits take 45% more than plain ones. TrainingArguments and config say nothing of it.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet accelerate==1.15.0 bitsandbytes==0.50.2 numpy==2.4.6 torch==2.13.0 transformers==5.24.0
cat > ask.py <<'PY'
from collections import Counter
from importlib.metadata import version

import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

rows = [{"input_ids": list(range(64)), "labels": list(range(64))} for _ in range(2)]

def moments(optimiser, tied):
    """Bytes a parameter by part, and of all."""
    model = LlamaForCausalLM(LlamaConfig(
        hidden_size=256, intermediate_size=1024, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=26_500, tie_word_embeddings=tied,
    )).to(torch.bfloat16)
    arguments = TrainingArguments(
        output_dir="out", max_steps=1, per_device_train_batch_size=2, optim=optimiser, report_to=[], use_cpu=True,
        save_strategy="no", disable_tqdm=True, logging_strategy="no",
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows)
    trainer.train()
    names, held, count = {p: name for name, p in model.named_parameters()}, Counter(), Counter()
    for parameter, state in trainer.optimizer.state.items():
        part = next((part for part in ("layers", "embed_tokens", "lm_head") if part in names[parameter]), "norm")
        held[part] += sum(t.nbytes for name, t in state.items() if torch.is_tensor(t) and t.dim() and "qmap" not in name)
        count[part] += parameter.numel()
    share = count["embed_tokens"] / sum(count.values())
    each = {part: round(held[part] / count[part], 2) for part in held}
    print(f"{optimiser}, {'tied' if tied else 'a head of its own'}: {each}, all {sum(held.values()) / sum(count.values()):.2f} B a parameter; input table {share:.0%}")
    return each, sum(held.values()) / sum(count.values())

print("transformers", transformers.__version__, "bitsandbytes", version("bitsandbytes"))
plain, of_plain = moments("adamw_torch", True)
eight, of_eight = moments("adamw_8bit", True)
apart, of_apart = moments("adamw_8bit", False)
assert set(plain.values()) == {4} and of_plain == 4
assert eight["embed_tokens"] == apart["embed_tokens"] == 8 and eight["layers"] < 2.1 and apart["lm_head"] < 2.1
assert of_eight > 1.4 * of_plain and of_apart > of_plain
PY
venv/bin/python -W ignore ask.py 2>log | grep -v train_runtime || { tail -5 log; exit 1; }
echo "as found"
