"""Hugging Face ``config.json`` files as architectures, exact to the last parameter.

:func:`read` takes a path, a JSON text or a mapping. A field that the file leaves out has the default of the
model's class in ``transformers`` (``config_defaults.json``, made by ``tests/oracle/make_config_defaults.py``) and
is listed in :attr:`Config.defaulted`. What cannot be counted for sure is refused with a line that names the field.

Counts are those of the model that ``transformers`` builds for causal language modelling: tied tables once, buffers
not at all. Of a configuration with a ``text_config`` only that language model is counted. Grok-1, which has no class
there, follows its published code.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_economics.checkpoints.config import MOST, MOST_LAYERS, Fields, load, refused, whole_number
from llm_economics.formulas.architecture import Architecture, Mamba, RecurrentUnit
from llm_economics.formulas.elementwise import check_range


@dataclass(frozen=True)
class Config:
    """A configuration as it was understood.

    ``fields`` are the values that the counts rest on, under the names of the model's class; ``defaulted`` are those
    of them that the class gave; ``notes`` say what a reader might expect to be counted and is not.
    """

    model_type: str
    architecture: Architecture
    fields: dict[str, Any]
    defaulted: tuple[str, ...]
    notes: tuple[str, ...]


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
    outer_type = given.get("model_type")
    notes: list[str] = []
    if outer_type == "gemma3" or ("text_config" in given and not _known(outer_type)):
        given = _text_config(given, notes)
    model_type = _model_type(given)
    fields = Fields(model_type, given, notes)
    family = FAMILIES[model_type](fields)
    shown = "".join(c for c in str(name or outer_type) if c.isprintable())[:100]
    architecture = Architecture(name=shown, **family)
    return Config(model_type, architecture, fields.used, tuple(fields.defaulted), tuple(notes))


def model_types() -> tuple[str, ...]:
    """Every ``model_type`` that is known."""
    return tuple(FAMILIES)


def _text_config(given: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """The language model inside a configuration of several parts; the outer one may say whether it is tied."""
    inner = given.get("text_config")
    if inner is None and given["model_type"] == "gemma3":
        inner = {}
    if not isinstance(inner, Mapping):
        raise refused("text_config", inner, "it must be a JSON object")
    inner = dict(inner)
    if "model_type" not in inner and _known(f"{given.get('model_type')}_text"):
        inner["model_type"] = f"{given['model_type']}_text"
    tied = given.get("tie_word_embeddings")
    if tied is not None and inner.setdefault("tie_word_embeddings", tied) != tied:
        raise refused("tie_word_embeddings", tied, f"text_config says {inner['tie_word_embeddings']}")
    parts = [key for key in given if isinstance(key, str) and key.endswith("_config") and key != "text_config"]
    others = [key for key in parts if key not in ("quantization_config", "generation_config")]
    notes.append("only the language model of text_config is counted" + "".join(f", not {key}" for key in others))
    return inner


def _known(model_type: Any) -> bool:
    return isinstance(model_type, str) and model_type in FAMILIES


def _model_type(given: Mapping[str, Any]) -> str:
    model_type = given.get("model_type")
    if model_type is None:
        raise refused("model_type", None, f"it must be given; known are {', '.join(FAMILIES)}")
    if _known(model_type):
        return model_type
    near = difflib.get_close_matches(str(model_type)[:60].lower(), FAMILIES, n=3, cutoff=0.5)
    nearest = f"nearest are {', '.join(near)}; " if near else ""
    raise refused("model_type", model_type, f"it is not known; {nearest}known are {', '.join(FAMILIES)}")


# ---------------------------------------------------------------------------------------------------------------------
# Families


def _sizes(f: Fields, layers="num_hidden_layers", hidden="hidden_size", heads="num_attention_heads") -> dict[str, Any]:
    """What every family has; multi-head attention whose heads share out the hidden size."""
    n_heads, hidden_size = f.whole(heads), f.whole(hidden)
    return {
        "n_layers": f.whole(layers, high=MOST_LAYERS),
        "hidden_size": hidden_size,
        "n_heads": n_heads,
        "n_kv_heads": n_heads,
        "head_dim": None,
        "vocab_size": f.whole("vocab_size"),
        "tied_embeddings": f.flag("tie_word_embeddings"),
    }


def _divided(sizes: dict[str, Any], heads: str = "num_attention_heads") -> dict[str, Any]:
    if sizes["head_dim"] is None and sizes["hidden_size"] % sizes["n_heads"]:
        raise refused(heads, sizes["n_heads"], f"it must divide the hidden size of {sizes['hidden_size']}")
    return sizes


def _grouped(f: Fields, sizes: dict[str, Any], kv_heads: str, heads: str = "num_attention_heads") -> dict[str, Any]:
    """Grouped-query attention: a key-value head serves as many query heads as any other."""
    n_kv_heads = f.maybe(kv_heads) or sizes["n_heads"]
    if sizes["n_heads"] % n_kv_heads:
        raise refused(kv_heads, n_kv_heads, f"it must divide the {sizes['n_heads']} of {heads}")
    return sizes | {"n_kv_heads": n_kv_heads}


def _base(f: Fields) -> dict[str, Any]:
    """The shape of Llama and its descendants."""
    sizes = _sizes(f) | {"intermediate_size": f.whole("intermediate_size")}
    sizes["head_dim"] = f.maybe("head_dim") if "head_dim" in f.defaults else f.extra("head_dim")
    return _grouped(f, _divided(sizes), "num_key_value_heads")


def _attention_bias(f: Fields) -> dict[str, bool]:
    return dict.fromkeys(("qkv_bias", "output_bias"), f.flag("attention_bias"))


def _windows(f: Fields, n_layers: int, window="sliding_window") -> dict[str, Any]:
    """A sliding window in ``n_layers`` layers, unless it is null."""
    size = f.maybe(window)
    return {"window": size, "n_window_layers": n_layers} if size and n_layers else {}


def _layer_windows(f: Fields, n_layers: int, sliding: Callable[[int], bool]) -> dict[str, Any]:
    """A sliding window in the layers that ``layer_types`` names, by default in those that ``sliding`` picks."""
    types = f.words("layer_types", ("full_attention", "sliding_attention"))
    if types is None:
        return _windows(f, sum(sliding(i) for i in range(n_layers)))
    if len(types) != n_layers:
        raise refused("layer_types", f"{len(types)} items", f"it needs one for each of the {n_layers} layers")
    return _windows(f, types.count("sliding_attention"))


def _switched_windows(f: Fields, n_layers: int, sliding: Callable[[int], bool]) -> dict[str, Any]:
    return _layer_windows(f, n_layers, sliding) if f.flag("use_sliding_window") else {}


def _experts(f: Fields, number: str, per_token="num_experts_per_tok", **more: Any) -> dict[str, Any]:
    n_experts = f.whole(number)
    top_k = f.whole(per_token)
    if top_k > n_experts:
        raise refused(per_token, top_k, f"there are {n_experts} experts")
    return {"n_experts": n_experts, "experts_per_token": top_k} | more


def _causal(f: Fields) -> None:
    if f.flag("use_bidirectional_attention"):
        raise refused("use_bidirectional_attention", True, "only causal language models are counted")


def _llama(f: Fields) -> dict[str, Any]:
    return _base(f) | _attention_bias(f) | {"mlp_bias": f.flag("mlp_bias")}


def _mistral(f: Fields) -> dict[str, Any]:
    sizes = _base(f)
    return sizes | _windows(f, sizes["n_layers"])


def _mixtral(f: Fields) -> dict[str, Any]:
    return _mistral(f) | _experts(f, "num_local_experts")


def _qwen2(f: Fields) -> dict[str, Any]:
    sizes = _base(f)
    from_layer = f.whole("max_window_layers", 0) if f.flag("use_sliding_window") else 0
    return sizes | {"qkv_bias": True} | _switched_windows(f, sizes["n_layers"], lambda i: i >= from_layer)


def _qwen3(f: Fields) -> dict[str, Any]:
    return _qwen2(f) | {"qk_norm": "head"} | _attention_bias(f)


def _sparse(f: Fields, n_layers: int) -> dict[str, Any]:
    """Experts in every ``decoder_sparse_step``-th layer, but not in ``mlp_only_layers``."""
    if not f.whole("num_experts", 0):
        return {}
    step, dense = f.whole("decoder_sparse_step"), f.value("mlp_only_layers") or []
    if not isinstance(dense, list) or any(isinstance(i, bool) or not isinstance(i, int) for i in dense):
        raise refused("mlp_only_layers", dense, "it must be a list of whole numbers")
    n_sparse = sum((i + 1) % step == 0 and i not in dense for i in range(n_layers))
    more = {"expert_intermediate_size": f.whole("moe_intermediate_size"), "n_dense_layers": n_layers - n_sparse}
    return _experts(f, "num_experts", **more)


def _qwen2_moe(f: Fields) -> dict[str, Any]:
    sizes = _base(f) | {"qkv_bias": f.flag("qkv_bias")}
    until = f.whole("max_window_layers", 0) if f.flag("use_sliding_window") else 0
    sizes |= _switched_windows(f, sizes["n_layers"], lambda i: i % 2 == 0 and i < until)
    experts = _sparse(f, sizes["n_layers"])
    if experts:
        width = f.whole("shared_expert_intermediate_size", 0)
        experts |= {"n_shared_experts": 1, "shared_intermediate_size": width, "shared_expert_gate": True}
    return sizes | experts


def _qwen3_moe(f: Fields) -> dict[str, Any]:
    sizes = _base(f) | {"qk_norm": "head"} | _attention_bias(f)
    windows = _windows(f, sizes["n_layers"]) if f.flag("use_sliding_window") else {}
    return sizes | windows | _sparse(f, sizes["n_layers"])


def _gemma(f: Fields) -> dict[str, Any]:
    _causal(f)
    return _base(f) | _attention_bias(f)


def _gemma2(f: Fields) -> dict[str, Any]:
    sizes = _gemma(f) | {"norms_per_layer": 4}
    return sizes | _layer_windows(f, sizes["n_layers"], lambda i: i % 2 == 0)


def _gemma3_text(f: Fields) -> dict[str, Any]:
    sizes = _gemma(f) | {"norms_per_layer": 4, "qk_norm": "head"}
    period = f.whole("sliding_window_pattern") if f.given.get("layer_types") is None else 1
    return sizes | _layer_windows(f, sizes["n_layers"], lambda i: (i + 1) % period != 0)


def _olmo(f: Fields) -> dict[str, Any]:
    return _base(f) | _attention_bias(f) | {"norm": "fixed"}


def _olmo2(f: Fields) -> dict[str, Any]:
    return _base(f) | _attention_bias(f) | {"qk_norm": "full"}


def _olmoe(f: Fields) -> dict[str, Any]:
    sizes = _olmo2(f)
    if sizes["head_dim"] not in (None, sizes["hidden_size"] / sizes["n_heads"]):
        raise refused("head_dim", sizes["head_dim"], "olmoe's norms need hidden_size / num_attention_heads")
    return sizes | _experts(f, "num_experts")


_GPT = {"norm": "layer", "gated_mlp": False}


def _biases(present: bool) -> dict[str, bool]:
    return dict.fromkeys(("qkv_bias", "output_bias", "mlp_bias"), present)


def _gpt2(f: Fields) -> dict[str, Any]:
    sizes = _divided(_sizes(f, "n_layer", "n_embd", "n_head"), "n_head") | _GPT | _biases(True)
    if f.flag("add_cross_attention"):
        raise refused("add_cross_attention", True, "only decoders without an encoder are counted")
    inner = f.maybe("n_inner") or 4 * sizes["hidden_size"]
    return sizes | {"intermediate_size": inner, "learned_positions": f.whole("n_positions")}


def _gpt_neox(f: Fields) -> dict[str, Any]:
    sizes = _divided(_sizes(f)) | _GPT | {"intermediate_size": f.whole("intermediate_size"), "mlp_bias": True}
    return sizes | _attention_bias(f)


def _falcon(f: Fields) -> dict[str, Any]:
    sizes = _divided(_sizes(f)) | _GPT | _biases(f.flag("bias"))
    sizes["intermediate_size"] = f.maybe("ffn_hidden_size") or 4 * sizes["hidden_size"]
    new = f.flag("new_decoder_architecture")
    if new:
        sizes = _grouped(f, sizes, "num_kv_heads")
    elif f.flag("multi_query"):
        sizes["n_kv_heads"] = 1
    norms = 2
    if f.flag("parallel_attn"):
        norms = f.maybe("num_ln_in_parallel_attn") or (2 if new else 1)
    return sizes | {"norms_per_layer": 2 if norms == 2 else 1}


def _mpt(f: Fields) -> dict[str, Any]:
    sizes = _divided(_sizes(f, "n_layers", "d_model", "n_heads"), "n_heads")
    usual = {"expansion_ratio": 4, "no_bias": True, "attn_config.qk_ln": False}
    for name, value in (usual | {"attn_config.attn_type": "multihead_attention"}).items():
        if name in f.given and f.given[name] != value:
            f.notes.append(f"{name} is ignored, as transformers ignores it: its class always has {value}")
    return sizes | {"norm": "layer_without_bias", "gated_mlp": False, "intermediate_size": 4 * sizes["hidden_size"]}


def _bloom(f: Fields) -> dict[str, Any]:
    sizes = _divided(_sizes(f, "n_layer", heads="n_head"), "n_head") | _GPT | _biases(True)
    return sizes | {"embedding_norm": True, "intermediate_size": 4 * sizes["hidden_size"]}


def _dbrx(f: Fields) -> dict[str, Any]:
    sizes = _divided(_sizes(f, "n_layers", "d_model", "n_heads"), "n_heads")
    if sizes["tied_embeddings"]:
        raise refused("tie_word_embeddings", True, "dbrx does not tie them")
    sizes = _grouped(f, sizes, "attn_config.kv_n_heads", "n_heads") | {"norm": "layer_without_bias"}
    sizes["intermediate_size"] = f.whole("ffn_config.ffn_hidden_size")
    return sizes | _experts(f, "ffn_config.moe_num_experts", "ffn_config.moe_top_k")


def _jamba(f: Fields) -> dict[str, Any]:
    sizes = _base(f)
    n_layers, hidden = sizes["n_layers"], sizes["hidden_size"]

    def every(kind: str) -> int:
        period = f.whole(f"{kind}_layer_period")
        offset = f.whole(f"{kind}_layer_offset", 0)
        if offset >= period:
            raise refused(f"{kind}_layer_offset", offset, f"it must be below {kind}_layer_period = {period}")
        return sum(i % period == offset for i in range(n_layers))

    rank = f.value("mamba_dt_rank")
    mixer = Mamba(
        width=f.whole("mamba_expand") * hidden,
        state_size=f.whole("mamba_d_state"),
        conv_width=f.whole("mamba_d_conv"),
        dt_rank=-(-hidden // 16) if rank == "auto" else whole_number("mamba_dt_rank", rank, 1, MOST),
        conv_bias=f.flag("mamba_conv_bias"),
        bias=f.flag("mamba_proj_bias"),
    )
    n_mixer_layers = n_layers - every("attn")
    if n_mixer_layers:
        sizes |= {"mixer": mixer, "n_mixer_layers": n_mixer_layers}
    n_sparse = every("expert")
    if f.whole("num_experts") > 1 and n_sparse:
        sizes |= _experts(f, "num_experts", n_dense_layers=n_layers - n_sparse)
    return sizes


def _recurrent_gemma(f: Fields) -> dict[str, Any]:
    sizes = _base(f) | _attention_bias(f) | {"output_bias": True, "mlp_bias": True}
    sizes["intermediate_size"] = check_range("intermediate_size", sizes["intermediate_size"], 2) // 2
    kinds = f.words("block_types", ("recurrent", "attention"))
    if kinds is None:
        raise refused("block_types", None, "it must be a list of words")
    n_layers = sizes["n_layers"]
    n_attention = sum(kinds[i % len(kinds)] == "attention" for i in range(n_layers))
    width = f.maybe("lru_width") or sizes["hidden_size"]
    if width % sizes["n_heads"]:
        raise refused("lru_width", width, f"it must be a multiple of num_attention_heads = {sizes['n_heads']}")
    mixer = RecurrentUnit(width=width, n_blocks=sizes["n_heads"], conv_width=f.whole("conv1d_width"))
    if n_attention < n_layers:
        sizes |= {"mixer": mixer, "n_mixer_layers": n_layers - n_attention}
    return sizes | _windows(f, n_attention, "attention_window_size")


def _deepseek(f: Fields) -> dict[str, Any]:
    sizes = _sizes(f) | _attention_bias(f) | {"intermediate_size": f.whole("intermediate_size")}
    if f.extra("moe_layer_freq") not in (None, 1):
        raise refused("moe_layer_freq", f.used["moe_layer_freq"], "transformers puts experts in every layer")
    latent = ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
    sizes |= {name: f.whole(name) for name in latent} | {"q_lora_rank": f.maybe("q_lora_rank")}
    return sizes | _experts(
        f,
        "n_routed_experts",
        n_shared_experts=f.whole("n_shared_experts", 0),
        expert_intermediate_size=f.whole("moe_intermediate_size"),
        n_dense_layers=min(f.whole("first_k_dense_replace", 0), sizes["n_layers"]),
    )


def _deepseek_v2(f: Fields) -> dict[str, Any]:
    return _deepseek(f) | dict.fromkeys(("mlp_bias", "shared_expert_bias"), f.flag("mlp_bias"))


def _deepseek_v3(f: Fields) -> dict[str, Any]:
    if f.given.get("num_nextn_predict_layers", f.given.get("num_mtp_layers")):
        f.notes.append("layers that predict further tokens (num_nextn_predict_layers) are not counted")
    return _deepseek(f)


def _gpt_oss(f: Fields) -> dict[str, Any]:
    sizes = _base(f) | _attention_bias(f) | _experts(f, "num_local_experts")
    sizes |= {"attention_sinks": True, "router_bias": True, "expert_bias": True}
    return sizes | _layer_windows(f, sizes["n_layers"], lambda i: i % 2 == 0)


def _grok(f: Fields) -> dict[str, Any]:
    return _base(f) | _experts(f, "num_experts") | {"norms_per_layer": 4}


FAMILIES: dict[str, Callable[[Fields], dict[str, Any]]] = {
    "llama": _llama,
    "mistral": _mistral,
    "mixtral": _mixtral,
    "qwen2": _qwen2,
    "qwen2_moe": _qwen2_moe,
    "qwen3": _qwen3,
    "qwen3_moe": _qwen3_moe,
    "gemma": _gemma,
    "gemma2": _gemma2,
    "gemma3_text": _gemma3_text,
    "phi3": _mistral,
    "olmo": _olmo,
    "olmo2": _olmo2,
    "olmoe": _olmoe,
    "gpt2": _gpt2,
    "gpt_neox": _gpt_neox,
    "falcon": _falcon,
    "mpt": _mpt,
    "bloom": _bloom,
    "dbrx": _dbrx,
    "jamba": _jamba,
    "recurrent_gemma": _recurrent_gemma,
    "deepseek_v2": _deepseek_v2,
    "deepseek_v3": _deepseek_v3,
    "gpt_oss": _gpt_oss,
    "grok-1": _grok,
}
"""What turns the fields of each ``model_type`` into those of an architecture."""
