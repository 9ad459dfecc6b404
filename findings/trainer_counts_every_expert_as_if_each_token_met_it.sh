#!/usr/bin/env bash
# transformers 5.24.0, Trainer: what is total_flos of a mixture of experts?
#
# Guess: 6 FLOPs for each token and active parameter, or a count of the operations.
# Found: 6 for each token and *every* parameter but the embeddings, whether a token meets it or not, trains it or not,
# and none for attention. A small Mixtral with 2 of 8 experts a token is booked with 3.2 times the work of its matrices;
# a run's MFU taken from total_flos (it is in trainer_state.json and in what Trainer logs) is that much too high. With
# all weights but the head frozen the number stays the same.
#
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet accelerate==1.15.0 numpy==2.4.6 torch==2.13.0 transformers==5.24.0
venv/bin/python - <<'PY'
import transformers
from transformers import MixtralConfig, MixtralForCausalLM, Trainer, TrainingArguments

layers, width, inner, experts, chosen, tokens, vocabulary = 2, 128, 256, 8, 2, 64, 512
rows = [{"input_ids": list(range(tokens)), "labels": list(range(tokens))} for _ in range(4)]

def booked(frozen):
    model = MixtralForCausalLM(MixtralConfig(
        hidden_size=width, intermediate_size=inner, num_hidden_layers=layers, num_attention_heads=8,
        num_key_value_heads=2, vocab_size=vocabulary, num_local_experts=experts, num_experts_per_tok=chosen,
    ))
    if frozen:
        for name, parameter in model.named_parameters():
            parameter.requires_grad = name.startswith("lm_head")
    arguments = TrainingArguments(
        output_dir="out", max_steps=2, per_device_train_batch_size=2, report_to=[], use_cpu=True, save_strategy="no",
        disable_tqdm=True, logging_strategy="no",
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows)
    trainer.train()
    return trainer.state.total_flos, model

flos, model = booked(frozen=False)
total = sum(p.numel() for name, p in model.named_parameters() if "embed_tokens" not in name)
spared = layers * (experts - chosen) * 3 * width * inner
print("transformers", transformers.__version__)
print(f"total_flos {flos:.4g} for {4 * tokens} tokens: {flos / (4 * tokens) / 6:,.0f} parameters a token")
print(f"parameters without embeddings {total:,}, of which a token meets {total - spared:,}")
assert flos == 6 * 4 * tokens * total
assert 2.5 < flos / (6 * 4 * tokens * (total - spared)) < 3.5
assert booked(frozen=True)[0] == flos
PY
echo "as found"
