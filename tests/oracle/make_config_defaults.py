"""Ask the configuration classes of ``transformers`` for their defaults; store them beside the package.

For each model type: the fields that its class adds with their defaults, before ``__post_init__`` fills in
what follows from other fields; which of them may be null; and other spellings that the class accepts.
Fields of a nested configuration have its name before a dot. Run it as the README beside it says; it writes
``lib/llm_economics/config_defaults.json``.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path

import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

MODEL_TYPES = (
    "llama",
    "mistral",
    "mixtral",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "gemma",
    "gemma2",
    "gemma3_text",
    "phi3",
    "olmo",
    "olmo2",
    "olmoe",
    "gpt2",
    "gpt_neox",
    "falcon",
    "mpt",
    "bloom",
    "dbrx",
    "jamba",
    "recurrent_gemma",
    "deepseek_v2",
    "deepseek_v3",
    "gpt_oss",
)
NESTED = ("attn_config", "ffn_config")
OUT = Path(__file__).parents[2] / "lib" / "llm_economics" / "config_defaults.json"

# Read by a class's __post_init__ without being one of its fields.
PATTERN = {"gemma3_text": {"sliding_window_pattern": transformers.Gemma3TextConfig()._sliding_window_pattern}}
SPELLINGS = {"falcon": {"n_embed": "hidden_size"}, "bloom": {"n_embed": "hidden_size"}}


def own_fields(config: type, prefix: str = "") -> tuple[dict, list[str]]:
    """Defaults of the fields that a class adds (and of tied embeddings), and those that may be null."""
    inherited = {field.name for field in fields(transformers.PreTrainedConfig)} - {"tie_word_embeddings"}
    defaults, nullable = {}, []
    for field in fields(config):
        if field.name in inherited or field.name in NESTED:
            continue
        default = field.default_factory() if field.default is MISSING else field.default
        defaults[prefix + field.name] = default
        if "None" in str(field.type):
            nullable.append(prefix + field.name)
    if prefix:
        defaults.pop(f"{prefix}tie_word_embeddings", None)
    return defaults, nullable


def family(model_type: str) -> dict:
    """All that is stored of one model type."""
    config = CONFIG_MAPPING[model_type]
    defaults, nullable = own_fields(config)
    for nested, sub_config in config.sub_configs.items():
        inner, inner_nullable = own_fields(sub_config, f"{nested}.")
        defaults |= inner
        nullable += inner_nullable
    defaults |= PATTERN.get(model_type, {})
    spellings = config.attribute_map | SPELLINGS.get(model_type, {})
    # A map may point either way; what counts is which of the two is a field.
    aliases = {a if a not in defaults else b: b if a not in defaults else a for a, b in spellings.items()}
    return {"defaults": defaults, "nullable": sorted(nullable), "aliases": aliases}


if __name__ == "__main__":
    families = {model_type: family(model_type) for model_type in MODEL_TYPES}
    stored = {"transformers": transformers.__version__, "families": families}
    OUT.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
