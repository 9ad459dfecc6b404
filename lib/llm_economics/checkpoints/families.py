"""Hugging Face ``config.json`` files as architectures, exact to the last parameter.

:func:`read` takes a path, a JSON text or a mapping. A field that the file leaves out has the default of the
model's class in ``transformers`` (``config_defaults.json``, made by ``tests/oracle/make_config_defaults.py``) and
is listed in :attr:`Config.defaulted`. What cannot be counted for sure is refused with a line that names the field.

Counts are those of the model that ``transformers`` builds for causal language modelling: tied tables once, buffers
not at all. Of a configuration of several parts only the language model is counted; layers that predict further tokens
are counted apart. Models that have no class there follow the code that comes with them. Where a class holds weights
that no forward pass reads, they are not counted, and a note says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from llm_economics.checkpoints import limits
from llm_economics.checkpoints.config import Fields, load, outer_classes, refused
from llm_economics.checkpoints.shapes import Family
from llm_economics.formulas.architecture import Architecture, parameters
from llm_economics.formulas.blocks import Block, Several
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.records import record

ROOMS = {
    "plain": (
        "llama mistral qwen2 qwen3 gemma gemma2 gemma3_text phi3 olmo olmo2 olmoe exaone granite "
        "granite4_vision_text granite_docling_text helium internlm3 iquestcoder cosmos3_edge_text emu3_text_model "
        "smollm3 ministral ministral3 cwm qwen2_vl_text qwen2_5_vl_text qwen2_5_omni_text qwen3_vl_text mimo "
        "vaultgemma phi4_multimodal glm glm4 glm4v_text glm_ocr_text glm_image_text olmo3 exaone4 hyperclovax "
        "cohere cohere2 cohere_compass_text ernie4_5 paddleocr_vl_text hunyuan_v1_dense hunyuan_vl_text seed_oss "
        "bitnet diffllama doge dory nanochat hrm_text muse_glimmer_text apertus apertus1p5_text arcee nemotron "
        "jais2 starcoder2 flex_olmo mellum phimoe granite_swa"
    ),
    "gpt": (
        "gpt2 gpt_neox falcon mpt bloom dbrx persimmon phi stablelm gpt-sw3 openai-gpt gpt_neo gpt_bigcode opt "
        "biogpt xglm gpt_neox_japanese gptj codegen ctrl cpmant modernbert-decoder"
    ),
    "mixtures": (
        "mixtral qwen2_moe qwen3_moe gpt_oss muse_spark_text minimax_m2 granitemoe granitemoeshared granitemoe_swa "
        "hunyuan_v1_moe qwen3_vl_moe_text qwen3_omni_moe_text llama4_text glm4_moe glm4v_moe_text sarvam_moe "
        "solar_open dots1 exaone_moe hy_v3 kolibri1 aria_text cohere2_moe ernie4_5_moe afmoe laguna flint "
        "mimo_v2_flash step3p5 minimax_m3_vl_text jetmoe deepseek_ocr2_text unlimited_ocr_text ernie4_5_vl_moe_text "
        "molmo2_text"
    ),
    "rare": ("grok-1 mllama_text_model gemma4_text gemma4_unified_text gemma3n_text nemotron-nas"),
    "latent": (
        "deepseek_v2 deepseek_v3 kimi_k2 glm4_moe_lite mistral4 sarvam_mla axk1 youtu minicpm3 deepseek_v32 "
        "glm_moe_dsa axk2 hy_v4 hy_v4_vl_text dots3_note_text mistral_large4_text longcat_flash deepseek_v4 "
        "deepseek_ref"
    ),
    "states": (
        "jamba mamba falcon_mamba mamba2 bamba granitemoehybrid falcon_h1 nemotron_h zamba zamba2 recurrent_gemma "
        "lfm2 lfm2_moe lfm3 minimax rwkv xlstm"
    ),
    "hybrids": (
        "qwen3_next qwen3_5_text qwen3_5_moe_text qwen4_exp_text lara_mini olmo_hybrid kimi_linear bailing_hybrid "
        "glm5_next_text inkling_text inkling2_text inkling2_loop_text zaya"
    ),
}
"""The ``model_type``s that each room reads; a room is loaded when one of its families is."""


def _loaded(room: str, name: str, fields: Fields) -> Family:
    return import_module(f"llm_economics.checkpoints.{room}").FAMILIES[name](fields)


FAMILIES: dict[str, Callable[[Fields], Family]] = {
    name: partial(_loaded, room, name) for room, names in ROOMS.items() for name in names.split()
}
"""What turns the fields of each ``model_type`` into those of an architecture."""

REFUSED = {
    "kimi_k3": "no class counts its latent experts, output gates and attention residuals",
    "blt": "its byte-latent parts, local encoders and hash tables are not counted",
    "gemma4_assistant": "a drafter that reads another model's states is no model of its own",
    "gemma4_unified_assistant": "a drafter that reads another model's states is no model of its own",
    "cohere_compass": "it embeds, and predicts no tokens",
}
"""Why a ``model_type`` that has a name here is not counted."""


@record
class Config:
    """A configuration as it was understood.

    ``fields`` are the values that the counts rest on, under the names of the model's class; ``defaulted`` are those
    of them that the class gave; ``notes`` say what a reader might expect to be counted and is not. ``parts`` are
    parameters by part of the checkpoint, None where the file does not tell: "text" is the architecture, "mtp" what
    predicts further tokens. ``max_context`` is the number of positions that the model has or was made for.
    """

    model_type: str
    architecture: Architecture
    fields: dict[str, Any]
    defaulted: tuple[str, ...]
    notes: tuple[str, ...]
    parts: dict[str, int | None]
    max_context: int | None


def read(source: str | Path | Mapping[str, Any], name: str | None = None) -> Config:
    """The configuration in a file (or in a folder's ``config.json``), in a JSON text or in a mapping.

    Raises
    ------
    ParameterError
        One line that names the field: not JSON, model type unknown, a field missing that has no default, of the
        wrong type, out of range, in conflict with another, or of a meaning that is not supported.
    """
    given, path = load(source)
    if name is None:
        stated = given.get("_name_or_path")
        name = stated if isinstance(stated, str) and stated.strip() else path and (path.parent.name or path.stem)
    notes: list[str] = []
    shown_type = given.get("model_type")
    given, others, ties = _language_model(given, notes)
    model_type = _model_type(given)
    fields = Fields(model_type, given, notes)
    family = FAMILIES[model_type](fields)
    limits.check(fields)
    if ties is not None:
        family["tied_embeddings"] = ties
    shown = "".join(c for c in str(name or shown_type) if c.isprintable())[:100]
    architecture = Architecture(name=shown, **family)
    parts: dict[str, int | None] = {"text": parameters(architecture).total}
    further = _further_tokens(architecture, fields)
    if further:
        parts["mtp"] = further
    parts.update(dict.fromkeys(others))
    positions = _positions(architecture, given, fields)
    return Config(model_type, architecture, fields.used, tuple(fields.defaulted), tuple(notes), parts, positions)


def model_types() -> tuple[str, ...]:
    """Every ``model_type`` that is known."""
    return tuple(FAMILIES)


def arrangements() -> dict[str, list[str]]:
    """Which blocks the layers of each family are made of, by its class's defaults: families by arrangement.

    Families whose class has no default for a field that is needed are not among them.
    """
    found: dict[str, list[str]] = {}
    for name in FAMILIES:
        try:
            arch = read({"model_type": name}).architecture
        except ParameterError:
            continue
        found.setdefault(arrangement(arch), []).append(name)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def arrangement(arch: Architecture) -> str:
    """The mixers and the feed-forwards of a stack, by the names of their blocks."""
    mixers = dict.fromkeys([_name(layer.mixer) for _, layer in arch.kinds if layer.mixer is not None])
    others = dict.fromkeys([_name(layer.feed_forward) for _, layer in arch.kinds if layer.feed_forward is not None])
    return " + ".join([" or ".join(sorted(names)) for names in (mixers, others) if names])


def _name(block: Block) -> str:
    inner = block.blocks if isinstance(block, Several) else (block,)
    names = dict.fromkeys([b.__class__.__name__ for b in inner])
    found = " beside ".join(names)
    traits = [word for word, has in (("window", _windowed), ("indexer", _indexed)) if has(block)]
    return found + (f" ({', '.join(traits)})" if traits else "")


def _windowed(block: Block) -> bool:
    return any(reach.window is not None and reach.values for reach in block.reaches)


def _indexed(block: Block) -> bool:
    return bool(getattr(block, "index_heads", 0))


def _known(model_type: Any) -> bool:
    return isinstance(model_type, str) and model_type in FAMILIES


_OTHERS = {
    "an engine of TensorRT-LLM": {"pretrained_config"},
    "a checkpoint of TensorRT-LLM": {"architecture", "num_hidden_layers"},
    "the params.json of Meta or Mistral": {"dim", "n_layers"},
    "the genai_config.json of ONNX Runtime": {"model"},
    "a file of Megatron": {"num_layers", "padded_vocab_size"},
    "a file of CTranslate2": {"bos_token", "unk_token", "layer_norm_epsilon"},
}
"""Other descriptions of models, which have no ``model_type``, by keys that only they have together."""


def _model_type(given: Mapping[str, Any]) -> str:
    model_type = given.get("model_type")
    known = f"known are {', '.join([*_FIRST, '…'])} ({len(FAMILIES)} in all)"
    if model_type is None:
        other = next((whose for whose, keys in _OTHERS.items() if keys <= set(given)), None)
        if other:
            raise refused("model_type", None, f"this is {other}; the config.json of the model's repository is needed")
        raise refused("model_type", None, f"it must be given; {known}")
    if _known(model_type):
        return model_type
    if isinstance(model_type, str) and model_type in REFUSED:
        raise refused("model_type", model_type, REFUSED[model_type])
    import difflib

    names = [*FAMILIES, *outer_classes()]
    near = difflib.get_close_matches(str(model_type)[:60].lower(), names, n=3, cutoff=0.5)
    nearest = f"nearest are {', '.join(near)}; " if near else ""
    raise refused("model_type", model_type, f"it is not known; {nearest}{known}")


_FIRST = ("llama", "mistral", "mixtral", "qwen2", "qwen3_moe", "gemma3_text", "deepseek_v3", "gpt_oss", "gpt2")


# ---------------------------------------------------------------------------------------------------------------------
# Configurations of several parts

_ALIASES = {
    "minimax_m3": "minimax_m3_vl",
    "qwen2_5_omni": "qwen2_5_omni_thinker",
    "qwen3_omni_moe": "qwen3_omni_moe_thinker",
}
"""Types that files have and classes of several parts do not."""
_INSIDE = ("thinker_config", "text_config", "llm_config", "language_config")
_NO_PART = ("quantization_config", "generation_config", "compression_config")


def _language_model(given: dict[str, Any], notes: list[str]) -> tuple[dict[str, Any], list[str], bool | None]:
    """The language model inside; the names of the other parts; whether the outer configuration ties its tables."""
    outer_type, table = given.get("model_type"), outer_classes()
    if not isinstance(outer_type, str):
        outer_type = None
    elif outer_type in REFUSED:
        raise refused("model_type", outer_type, REFUSED[outer_type])
    alias = _ALIASES.get(outer_type, outer_type)
    inside = next((key for key in _INSIDE if key in given), None)
    if _known(outer_type) and not (inside and isinstance(given.get(inside), Mapping) and alias in table):
        return given, [], None
    if alias not in table and inside is None:
        return given, [], None
    rule = table.get(alias, {"text": None, "defaults": {}, "tied_by": "unknown", "tied": None})
    flat = inside is None and any(key in given for key in ("num_hidden_layers", "hidden_size"))
    inner = given if flat else given.get(inside) if inside else dict(rule["defaults"])
    if inside and inner is None and alias in table:
        inner = dict(rule["defaults"])
    if not isinstance(inner, Mapping):
        raise refused(inside, inner, "it must be a JSON object")
    if inside == "thinker_config":
        return _language_model({"model_type": f"{outer_type}_thinker", **inner}, notes)
    inner = dict(inner)
    if flat:
        inner.pop("model_type", None)
    if inner.get("model_type") is None:
        if rule["text"] is None:
            raise refused(f"{inside}.model_type", None, f"{outer_type} is not known, so the file must name it")
        inner["model_type"] = rule["text"]
    if not isinstance(inner["model_type"], str):
        raise refused("model_type", inner["model_type"], "it must be a word")
    if inner["model_type"] in table and not _known(inner["model_type"]):
        inner["model_type"] = table[inner["model_type"]]["text"]
    parts = [
        key for key in given if isinstance(key, str) and key.endswith("_config") and key not in (inside, *_NO_PART)
    ]
    others = [key for key in parts if isinstance(given[key], Mapping) and not flat]
    if not flat:
        notes.append("only the language model of text_config is counted" + "".join(f", not {key}" for key in others))
    ties = _ties(given, inner, rule, notes) if not flat else None
    if rule["text"] == "gemma" and alias == "paligemma":
        inner.pop("use_bidirectional_attention", None)
    return inner, [key.removesuffix("_config") for key in others], ties


def _ties(given: Mapping[str, Any], inner: dict[str, Any], rule: Mapping[str, Any], notes: list[str]) -> bool | None:
    """Whether the tables are tied, by the field that decides in this class; None: as the inner fields say."""
    name = "tie_word_embeddings"
    outside, within = given.get(name), inner.get(name)
    for value in (outside, within):
        if value is not None and not isinstance(value, bool):
            raise refused(name, value, "it must be true or false")
    decides = rule["tied_by"]
    if decides == "unknown":
        if outside is not None and within is not None and outside != within:
            raise refused(name, outside, f"text_config says {within}, and which of them counts is not known")
        return outside
    if decides == "inner":
        return None
    usual = bool(rule["tied"])
    if decides == "both":
        return None if (usual if outside is None else outside) else False
    found = usual if outside is None else outside
    if decides == "either":
        found = found or bool(within)
    if (outside is None and (found or within is not None)) or (outside is not None and within not in (None, outside)):
        whose = "the outer configuration" if decides == "outer" else "either configuration"
        which = f"{name} of {whose} decides" if outside is not None else f"{name} is the default of its class"
        notes.append(
            f"{which}: {'tied' if found else 'not tied'}; a checkpoint may hold a head of its own all the same"
        )
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Beside the model

_FURTHER = ("num_nextn_predict_layers", "num_mtp_layers", "mtp_num_hidden_layers", "num_mtp_modules")


def _further_tokens(arch: Architecture, fields: Fields) -> int | None:
    """Parameters of the layers that predict further tokens, as DeepSeek-V3 has them (arXiv:2412.19437, section 2.2).

    Each is a layer like the last one, a projection of two hidden states to one, and three norms; tables are shared.
    """
    found = [(name, fields.given[name]) for name in _FURTHER if isinstance(fields.given.get(name), int)]
    many = next((value for _, value in found if value and not isinstance(value, bool)), 0)
    if not 0 < many < 100:
        return None
    name = next(name for name, value in found if value)
    fields.notes.append(f"layers that predict further tokens ({name}) are not counted in the total, but apart")
    hidden, layer = arch.hidden_size, arch.stack[-1][1]
    one = sum([weight.parameters for weight in layer.weights(hidden)])
    return many * (one + 2 * hidden * hidden + 3 * hidden)


_POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "context_length", "seq_length")


def _positions(arch: Architecture, given: Mapping[str, Any], fields: Fields) -> int | None:
    """Positions of the learned table, or those that the file (else its class) names."""
    table = fields.defaults
    for name in _POSITIONS:
        value = given.get(name, table.get(name))
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return arch.learned_positions or None
