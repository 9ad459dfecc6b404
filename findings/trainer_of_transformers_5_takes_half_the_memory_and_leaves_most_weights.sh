#!/usr/bin/env bash
# transformers 4.57.6 and 5.24.0: how many bytes a parameter does one fine-tuning script take, from_pretrained and a
# Trainer with bf16=True, of a checkpoint in BF16?
#
# Guess: 16 in both: BF16 as "mixed precision" leaves weights, gradients and both moments of Adam in FP32.
# Found: 16 and 8. Since transformers 5 the checkpoint's type is loaded where none is asked for, and bf16=True makes no
# master copy: weights, gradients and moments are all in BF16, without a word. A plan of 16 bytes is off by two, and
# the training is another: at a usual rate of 2e-5 one step moves every weight under 4.57 and three in ten under 5.24;
# the steps of the others are rounded away. dtype=torch.float32 brings both back.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet accelerate==1.15.0 numpy==2.4.6 torch==2.13.0
cat > ask.py <<'PY'
import os
import sys

import torch
import transformers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Trainer, TrainerCallback, TrainingArguments

width, vocabulary, tokens = 256, 512, 64
if not os.path.exists("plain"):
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(
        hidden_size=width, intermediate_size=640, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=vocabulary,
    )).to(torch.bfloat16).save_pretrained("plain")
rows = [{"input_ids": row, "labels": row} for row in torch.arange(vocabulary).reshape(-1, tokens).tolist()]
gradients = {}

class Look(TrainerCallback):
    def on_pre_optimizer_step(self, args, state, control, model=None, **_):
        gradients.update({name: parameter.grad.nbytes for name, parameter in model.named_parameters()})

def trained(**how):
    model = AutoModelForCausalLM.from_pretrained("plain", **how)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    arguments = TrainingArguments(
        output_dir="out", max_steps=1, per_device_train_batch_size=len(rows), bf16=True, learning_rate=2e-5, report_to=[],
        lr_scheduler_type="constant", use_cpu=True, save_strategy="no", disable_tqdm=True, logging_strategy="no",
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[Look()])
    trainer.train()
    count = sum(parameter.numel() for parameter in model.parameters())
    moments = sum(t.nbytes for state in trainer.optimizer.state.values() for t in state.values() if t.dim())
    each = [sum(p.nbytes for p in model.parameters()) / count, sum(gradients.values()) / count, moments / count]
    moved = sum((p.detach() != old).sum().item() for p, old in zip(model.parameters(), before)) / count
    print(f"transformers {transformers.__version__} {how or ''}: weights, gradients, moments {each}, {sum(each):g} B a parameter; moved {moved:.0%}")
    return sum(each), moved

(size, moved), (plain_size, plain_moved) = trained(), trained(**{sys.argv[1]: torch.float32})
if transformers.__version__.startswith("4"):
    assert size == 16 and moved > 0.9
else:
    assert size == 8 and moved < 0.4
assert plain_size == 16 and plain_moved > 0.9
PY
for version in 4.57.6:torch_dtype 5.24.0:dtype; do
  venv/bin/pip install --quiet transformers==${version%:*}
  venv/bin/python -W ignore ask.py ${version#*:} 2>log | grep ^transformers || { tail -5 log; exit 1; }
done
echo "as found"
