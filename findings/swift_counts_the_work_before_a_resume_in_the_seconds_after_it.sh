#!/usr/bin/env bash
# ms-swift 4.6.0, its perf_log callback: which MFU does a run report that goes on from a checkpoint?
#
# Guess: that of the steps it runs, as the Trainer of transformers does with its steps and tokens a second.
# Found: all work since the first step of the first run, which the checkpoint carries (total_flos), over the seconds since
# this start. A run that goes on half way ends at twice its MFU; the first step after 18 of 20 is reported with nineteen
# times its own, and one after a thousand steps with a thousand times. It comes down as the run goes on, so it looks like
# a slow warm-up in reverse.
#
# The callback is taken from the wheel alone, with stand-ins for swift.utils, and the peak is told to it (DEVICE_TFLOPS).
# Python 3.11 to 3.13, a package index, some minutes and up to 6 GB of disk where the index has PyTorch for CUDA alone.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet accelerate==1.15.0 numpy==2.4.6 torch==2.13.0 transformers==5.24.0
venv/bin/pip download --quiet --no-deps --only-binary :all: ms-swift==4.6.0
cat > ask.py <<'PY'
import glob
import logging
import os
import sys
import types
import zipfile

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

os.environ["DEVICE_TFLOPS"] = "0.01"
utils = types.ModuleType("swift.utils")
utils.get_env_args = lambda name, kind, default: kind(os.environ[name]) if name in os.environ else default
utils.get_dist_setting = lambda: (0, 0, 1, 1)  # rank, local rank, world size, local world size
utils.get_device_count = lambda: 1
utils.get_logger = logging.getLogger
utils.empty_cache = utils.get_current_device = utils.synchronize = None
sys.modules |= {"swift": types.ModuleType("swift"), "swift.utils": utils}
wheel = zipfile.ZipFile(glob.glob("ms_swift-4.6.0-*.whl")[0])
for name in ("swift.callbacks", "swift.callbacks.base", "swift.callbacks.perf_log"):
    module = sys.modules[name] = types.ModuleType(name)
    module.__package__ = "swift.callbacks"
    if name != "swift.callbacks":
        exec(wheel.read(name.replace(".", "/") + ".py"), module.__dict__)
PerfMetricsLogCallback = sys.modules["swift.callbacks.perf_log"].PerfMetricsLogCallback

tokens, steps, saved = 64, 20, (10, 18)
rows = [{"input_ids": row, "labels": row} for row in torch.arange(tokens).repeat(2 * steps, 1).tolist()]

class Seen(PerfMetricsLogCallback):
    """What is reported at each step, with the work of all steps and the seconds that it is over."""

    def on_log(self, args, state, control, logs=None, **others):
        super().on_log(args, state, control, logs=logs, **others)
        self.reported = [*getattr(self, "reported", []), (state.global_step, logs["MFU"], state.total_flos, self.elapsed)]

def reported(start):
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(
        hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, vocab_size=128,
    ))
    arguments = TrainingArguments(
        output_dir="out", max_steps=steps, per_device_train_batch_size=2, logging_steps=1, report_to=[], use_cpu=True,
        save_strategy="no" if start else "steps", save_steps=2, disable_tqdm=True,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows)
    callback = Seen(arguments, trainer)
    trainer.add_callback(callback)
    callback.on_init_end(arguments, trainer.state, trainer.control, model=model)
    trainer.train(resume_from_checkpoint=f"out/checkpoint-{start}" if start else None)
    return callback.reported

print("ms-swift 4.6.0")
for start in (0, *saved):
    lines = reported(start)
    for step, mfu, work, seconds in (lines[0], lines[-1]):
        own = work * (step - start) / step / seconds / 1e10
        print(f"from step {start}, at {step}: MFU {mfu:.4f}, of the steps since then {own:.4f}: {mfu / own:.2f} times")
        assert abs(mfu / own - step / (step - start)) < 0.02 * mfu / own
PY
venv/bin/python -W ignore ask.py 2>log >out.txt || { tail -5 log; exit 1; }
grep -E "^(ms-swift|from)" out.txt
echo "as found"
