"""Ask PyTorch's counter for the FLOP of one small model with each block; store them as ``block_oracle.json``.

Each model of the list is one of the random shapes of ``families_oracle.json``, built with random weights on the CPU.
Its FLOP are those of a forward pass over some tokens with eager attention and experts computed one by one, for which
each token has the whole context, since masked keys are computed too; and of one more token after them. Run it as the
README beside it says.
"""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path

import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
HERE = Path(__file__).parent
TOKENS = 15  # within every window, and within what every indexer chooses
MODELS = [
    "qwen2",
    "gemma3_text",
    "gpt_oss",
    "cohere2",
    "afmoe",
    "laguna",
    "mimo_v2_flash",
    "minimax_m3_vl_text",
    "gemma4_text",
    "deepseek_v2",
    "deepseek_v3",
    "deepseek_v32",
    "hy_v4",
    "axk2",
    "dots3_note_text",
    "deepseek_v4",
    "qwen3_next",
    "qwen3_5_text",
    "qwen4_exp_text",
    "kimi_linear",
    "bailing_hybrid",
    "olmo_hybrid",
    "minimax",
    "nemotron_h",
    "jamba",
    "bamba",
    "mamba",
    "mamba2",
    "falcon_h1",
    "zamba2",
    "recurrent_gemma",
    "lfm2",
    "rwkv",
    "xlstm",
    "jetmoe",
    "zaya",
    "inkling_text",
    "phi",
    "gpt2",
    "opt",
]


def counted(config: dict) -> dict[str, int]:
    """FLOP of a forward pass over ``TOKENS`` tokens, and of one more token after it."""
    torch.manual_seed(0)
    made = AutoConfig.for_model(**config, attn_implementation="eager", experts_implementation="eager")
    model = AutoModelForCausalLM.from_config(made).eval()
    ids = torch.randint(0, 90, (1, TOKENS))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(input_ids=ids, use_cache=False)
    found = {"prefill": counter.get_total_flops()}
    try:
        with torch.no_grad():
            first = model(input_ids=ids[:, :-1], use_cache=True)
            names = list(first.keys())  # "in first" knows aliases too, and forward drops what it is given by one
            name = next(key for key in ("past_key_values", "cache", "cache_params", "state") if key in names)
            with FlopCounterMode(display=False) as counter:
                model(input_ids=ids[:, -1:], use_cache=True, **{name: first[name]})
        found["decode"] = counter.get_total_flops()
    except Exception as error:
        print(config["model_type"], "decode:", type(error).__name__, str(error)[:150])
    return found


def main() -> None:
    """Write the file."""
    rows = json.loads((HERE / "families_oracle.json").read_text(encoding="utf-8"))
    found = {}
    for row in rows:
        if row["source"] == "random" and row["model_type"] in MODELS and row["model_type"] not in found:
            try:
                found[row["model_type"]] = {"config": row["config"], **counted(row["config"])}
            except Exception as error:
                print(row["model_type"], type(error).__name__, str(error)[:150])
    stored = {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokens": TOKENS,
        "models": found,
    }
    (HERE / "block_oracle.json").write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
