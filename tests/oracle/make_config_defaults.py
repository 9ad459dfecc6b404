"""Ask the configuration classes of ``transformers`` for their defaults; store them beside the package.

For each model type that ``llm_economics.checkpoints`` reads: the fields that its class adds with their defaults, before
``__post_init__`` fills in what follows from other fields; which of them may be null; and other spellings that the class
accepts. Fields of a nested configuration have its name before a dot. For each class that holds a language model inside:
the type of that model where the file does not say, and which of two fields ties its embeddings, tried out.
Run it as the README beside it says; it writes ``lib/llm_economics/checkpoints/config_defaults.json`` and prints the
model types with a causal language model that no family reads.
"""

from __future__ import annotations

import json
import logging
import warnings
from dataclasses import MISSING, fields
from pathlib import Path

import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES,
)

from llm_economics.checkpoints.config import REMOTE
from llm_economics.checkpoints.families import FAMILIES

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
OUT = Path(__file__).parents[2] / "lib" / "llm_economics" / "checkpoints" / "config_defaults.json"

NESTED = ("attn_config", "ffn_config")
# What no count rests on.
UNUSED = (
    "dropout",
    "_token_id",
    "initializer",
    "_eps",
    "epsilon",
    "use_cache",
    "_coef",
    "_softcapping",
    "output_router",
)
# Read by a class's __post_init__ without being one of its fields.
PATTERN = {"gemma3_text": {"sliding_window_pattern": 6}}
SPELLINGS = {"falcon": {"n_embed": "hidden_size"}, "bloom": {"n_embed": "hidden_size"}}


def own_fields(config: type, prefix: str = "") -> tuple[dict, list[str]]:
    """Defaults of the fields that a class adds (and of tied embeddings), and those that may be null."""
    inherited = {field.name for field in fields(transformers.PreTrainedConfig)} - {"tie_word_embeddings"}
    defaults, nullable = {}, []
    for field in fields(config):
        unused = any(part in field.name for part in UNUSED)
        if field.name in inherited or field.name in config.sub_configs or unused:
            continue
        default = field.default_factory() if field.default is MISSING else field.default
        try:
            json.dumps(default)
        except TypeError:
            continue
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
        if nested in NESTED:
            inner, inner_nullable = own_fields(sub_config, f"{nested}.")
            defaults |= inner
            nullable += inner_nullable
    defaults |= PATTERN.get(model_type, {})
    defaults.setdefault("tie_word_embeddings", False)
    spellings = config.attribute_map | SPELLINGS.get(model_type, {})
    # A map may point either way; what counts is which of the two is a field.
    aliases = {a if a not in defaults else b: b if a not in defaults else a for a, b in spellings.items()}
    return {"defaults": defaults, "nullable": sorted(nullable), "aliases": aliases, "refuses": refuses(model_type)}


def refuses(model_type: str) -> list[str]:
    """Which rules between fields the class has: heads of an even size (``head_dim``, ``qk_rope_head_dim``), also where
    they follow from the hidden size (``derived``) and where only a share is turned (``whole``), and heads that divide
    the hidden size (``hidden_size``)."""

    def says(what: str, **fields) -> bool:
        try:
            CONFIG_MAPPING[model_type].from_dict({"pad_token_id": None, **fields})
        except Exception as error:
            return what in str(error)
        return False

    default, even, divides = CONFIG_MAPPING[model_type](), "even rotary", "multiple of the number of attention heads"
    heads = vars(default).get("num_attention_heads")
    asked = {
        "head_dim": says(even, head_dim=21),
        "whole": says(even, head_dim=21, partial_rotary_factor=0.5),
        "qk_rope_head_dim": hasattr(default, "qk_rope_head_dim") and says(even, qk_rope_head_dim=21),
    }
    if isinstance(heads, int):
        asked["derived"] = says(even, hidden_size=21 * heads, head_dim=None) or says(even, hidden_size=21 * heads)
        asked["hidden_size"] = says(divides, hidden_size=20 * heads + 1, head_dim=20)
    return [name for name, found in asked.items() if found]


def outer(model_type: str, model: str) -> dict | None:
    """The inner type, what the class puts into an inner configuration that is left out, and who ties the tables."""
    config = CONFIG_MAPPING[model_type]
    default = config()
    inner = default.text_config
    if inner.model_type not in FAMILIES:
        print(f"{model_type}: its language model is {inner.model_type}, which no family reads")
        return None
    plain, filled = type(inner)().to_dict(), inner.to_dict()
    if any(value != plain.get(key) for key, value in filled.items()):
        plain = family(inner.model_type)["defaults"]  # what follows from other fields counts as changed with them
    defaults = family(inner.model_type)["defaults"]
    changed = {key: value for key, value in filled.items() if key in defaults and value != plain.get(key)}
    changed.pop("tie_word_embeddings", None)
    found = {"text": inner.model_type, "defaults": changed}
    tied = {pair: ties(config, model, *pair) for pair in [(True, False), (False, True), (None, False), (None, True)]}
    rules = {
        (True, False): "outer",
        (False, True): "inner",
        (True, True): "either",
        (False, False): "both",
        (None, None): "unknown",
    }
    found["tied_by"] = rules[tied[True, False], tied[False, True]]
    found["tied"] = {"outer": tied[None, False], "either": tied[None, False], "both": tied[None, True]}.get(
        found["tied_by"]
    )
    return found


def ties(config: type, model: str, outside: bool | None, inside: bool) -> bool | None:
    """Whether a model ties its tables if its configuration says so outside and inside; None if it cannot be built."""
    inner = config().text_config.to_dict() | {"tie_word_embeddings": inside}
    small = {key: value for key, value in inner.items() if not isinstance(value, list)} | {"num_hidden_layers": 1}
    lean = {"model_type": inner["model_type"], "tie_word_embeddings": inside}
    for text in (small, lean, inner):  # not every class can be made small
        given = {"text_config": text}
        if outside is not None:
            given["tie_word_embeddings"] = outside
        try:
            made = config(**given)
            with torch.device("meta"):
                built = getattr(transformers, model)(made)
            built.tie_weights()
            return built.get_output_embeddings().weight is built.get_input_embeddings().weight
        except Exception as error:
            reason = f"{type(error).__name__} {str(error)[:120]}"
    print(f"{config.model_type}: {reason}")
    return None


if __name__ == "__main__":
    families = {name: family(name) for name in FAMILIES if name in CONFIG_MAPPING}
    causal = dict(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    models = {**MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES, **MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES}
    outers = {}
    for name, model in sorted(models.items()):
        config = CONFIG_MAPPING[name] if name in CONFIG_MAPPING else None  # noqa: SIM401
        if config and "text_config" in config.sub_configs:
            try:
                found = outer(name, model)
            except Exception as error:
                print(f"{name}: {type(error).__name__} {str(error)[:120]}")
                continue
            if found:
                outers[name] = found
    stored = {"transformers": transformers.__version__, "families": families, "outer": outers}
    text = json.dumps(stored, indent=1)
    OUT.write_text(text + "\n", encoding="utf-8")
    print("no family reads", *sorted(set(causal) - set(FAMILIES) - set(outers)))
    print("no class for", *sorted(set(FAMILIES) - set(families) - set(REMOTE)))
