"""What the classes of ``transformers`` refuse of values that are fine each for itself: such a model cannot be made.

Two rules that many classes have, heads of an even size and heads that share out the hidden size, were asked of each
class (``refuses`` of ``config_defaults.json``); the others are told here, by model type. No count hangs on them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llm_economics.checkpoints.config import MOST, Fields, refused

Get = Callable[[str], Any]
"""The value of a field, given or the class's own."""


def check(f: Fields) -> None:
    """Stop if the class of this model refuses its fields, or one that a count rests on is beyond all bounds.

    Raises
    ------
    ParameterError
        One line that names a field.
    """

    def get(name: str) -> Any:
        return f.given.get(name, f.used.get(name, f.defaults.get(name)))

    for name, value in f.used.items():
        for each in value if isinstance(value, list) else (value,):
            if isinstance(each, (int, float)) and not abs(each) <= MOST:
                raise refused(name, each, f"it must be at most {MOST}")
    for name in NO_NULL.get(f.model_type, "").split():
        if get(name) is None:
            raise refused(name, None, f"{f.model_type} does not take null here")
    for name in NOT_WRITTEN_NULL.get(f.model_type, "").split():
        if name in f.given and f.given[name] is None:
            raise refused(name, None, f"{f.model_type} does not take null here")
    _even(f, get)
    for name, holds, why in RULES.get(f.model_type, ()):
        try:
            held = holds(get)
        except (TypeError, ValueError):  # of a field that no count reads
            held = False
        if not held:
            raise refused(name, get(name), why)


def _even(f: Fields, get: Get) -> None:
    """Heads that are turned whole have an even size, but for toys of four; some share out the hidden size."""
    hidden, heads = get("hidden_size"), get("num_attention_heads")
    shared = isinstance(hidden, int) and isinstance(heads, int) and heads > 0
    if shared and "hidden_size" in f.refuses and hidden % heads:
        raise refused("num_attention_heads", heads, f"it must divide the hidden size of {hidden}")
    for name in ("head_dim", "qk_rope_head_dim"):
        same = [name, *f.spellings.get(name, ()), *(field for field, other in f.spellings.items() if name in other)]
        size = next((get(each) for each in same if get(each) is not None), None) if name in f.refuses else None
        if name == "head_dim" and size is None and shared and "derived" in f.refuses:
            size = hidden // heads
        odd = isinstance(size, int) and size > 4 and size % 2 == 1
        if odd and int(size * _turned(f, get)) == size:
            raise refused(name, size, "it must be even: a rotary position turns features in pairs")


def _turned(f: Fields, get: Get) -> float:
    """The share of a head's features that rotary positions turn."""
    if "whole" in f.refuses:
        return 1.0
    places = [get("rope_parameters"), get("rope_scaling"), {"partial_rotary_factor": get("partial_rotary_factor")}]
    found = [place.get("partial_rotary_factor") for place in places if isinstance(place, dict)]
    return next((share for share in found if isinstance(share, (int, float)) and 0 < share < 1), 1.0)


NO_NULL = {
    "afmoe": "head_dim num_shared_experts",
    "dots1": "n_shared_experts",
    "dots3_note_text": "q_lora_rank",
    "ernie4_5_moe": "num_key_value_heads",
    "glm": "head_dim num_key_value_heads",
    "hy_v3": "num_shared_experts",
    "qwen2_moe": "num_key_value_heads",
    "youtu": "v_head_dim",
}
"""Fields of which the class says that they may be null, and fails where they are."""
NOT_WRITTEN_NULL = {
    "hunyuan_v1_dense": "head_dim",
    "hunyuan_v1_moe": "head_dim",
    "hunyuan_vl_text": "head_dim",
    "lfm2_moe": "layer_types",
    "nemotron": "num_key_value_heads",
}
"""The same of fields that are null by default too: a file that leaves one out is counted by the class's usual rule."""


def _causal(*words: Any) -> tuple[str, Callable[[Get], bool], str]:
    name, told = "use_bidirectional_attention", " or ".join(map(str, words)).lower().replace("none", "null")
    return name, lambda get: any(get(name) is word or get(name) == word != 0 for word in words), f"it must be {told}"


def _whole(name: str) -> tuple[str, Callable[[Get], bool], str]:
    return name, lambda get: type(get(name)) is int, "it must be a whole number"


def _multiple(name: str, of: str) -> tuple[str, Callable[[Get], bool], str]:
    def holds(get: Get) -> bool:
        whole, part = get(name), get(of)
        return not (isinstance(whole, int) and isinstance(part, int) and part) or whole % part == 0

    return name, holds, f"it must be a multiple of {of}"


def _layers_of_dory(get: Get) -> bool:
    parts = [get(f"n_{part}_layers") for part in ("input", "recurrent", "output")]
    return None in parts or sum(parts) == get("num_hidden_layers")


def _layers_of_gpt_neo(get: Get) -> bool:
    return sum(len(kinds) * times for kinds, times in get("attention_types") or [["gl", 12]]) == get("num_layers")


def _window_where_it_slides(get: Get) -> bool:
    return bool(get("sliding_window")) or "sliding_attention" not in (get("layer_types") or ["sliding_attention"])


_PATTERN = (
    "sliding_window_pattern",
    lambda get: get("layer_types") is not None or get("sliding_window_pattern") != 0,
    "it must be at least 1",
)
_LOOP = "n_layers_per_attn_res_block"


def _turns_pairs(get: Get) -> bool:
    size = get("attention_head_dim") or 2 * get("hidden_size") // get("num_attention_heads")
    return size <= 4 or size % 2 == 0


def _turns_within_index(get: Get) -> bool:
    share = (get("rope_parameters") or {}).get("partial_rotary_factor", 1.0)
    return int(get("head_dim") * share) <= get("indexer_head_dim")


def _in_groups(get: Get) -> bool:
    groups, chosen = get("n_group"), get("topk_group")
    if groups is None and chosen is None:
        return True
    return 0 < chosen <= groups and get("n_routed_experts") % groups == 0


RULES: dict[str, tuple[tuple[str, Callable[[Get], bool], str], ...]] = {
    "axk2": (("n_group", _in_groups, "it must divide n_routed_experts and be at least topk_group"),),
    "diffllama": (("num_key_value_heads", lambda get: (get("num_key_value_heads") or 2) % 2 == 0,
                   "it must be even"),),
    "dory": (("n_input_layers", _layers_of_dory, "the three kinds of layers must add up to num_hidden_layers"),),
    "dots3_note_text": (
        ("n_group", _in_groups, "it must divide n_routed_experts and be at least topk_group"),
        ("index_head_dim", lambda get: get("index_head_dim") >= get("qk_rope_head_dim"), "below qk_rope_head_dim"),
        ("n_shared_experts", lambda get: get("n_shared_experts") != 0, "it must be at least 1"),
        ("num_key_value_heads", lambda get: get("num_key_value_heads") in (None, get("num_attention_heads")),
         "it must be num_attention_heads"),
    ),
    "deepseek_v4": (
        ("compress_rates", lambda get: get("compress_rates") is None or isinstance(get("compress_rates"), dict),
         "it must be a JSON object"),
    ),
    "exaone4": (
        _PATTERN,
        ("sliding_window", lambda get: get("sliding_window") or get("layer_types"), "layer_types must then be given"),
    ),
    "exaone_moe": (_PATTERN,),
    "falcon_mamba": (_whole("expand"),),
    "mamba": (_whole("expand"),),
    "mamba2": (_whole("expand"),),
    "gemma": (_causal(None, False),),
    "gemma2": (_causal(None, False),),
    "gemma3_text": (_causal(None, False),),
    "gemma4_text": (_causal(None, "vision"),),
    "gemma4_unified_text": (_causal(None, "vision"),),
    "glm5_next_text": (
        ("num_key_value_heads", lambda get: get("num_key_value_heads") in (None, get("num_attention_heads")),
         "it must be num_attention_heads"),
        _multiple("index_topk", "index_kpool"),
        ("qk_rope_head_dim", lambda get: get("qk_rope_head_dim") == 0, "its attention has no rotary positions"),
    ),
    "gpt_neo": (("num_layers", _layers_of_gpt_neo, "attention_types lists another number of layers"),),
    "inkling2_loop_text": (
        ("loop_layer_index_start", lambda get: get("loop_layer_index_start") > 0, "it must be at least 1"),
        _multiple("loop_layer_index_start", _LOOP),
        _multiple("loop_layer_index_end", _LOOP),
    ),
    "internlm3": (
        ("attention_bias", lambda get: bool(get("attention_bias")) == bool(get("mlp_bias")), "mlp_bias says otherwise"),
    ),
    "kolibri1": (("sliding_window", _window_where_it_slides, "layers with a window need one"),),
    "laguna": (
        ("head_dim", lambda get: (get("head_dim") or 2) <= 4 or get("head_dim") % 2 == 0, "it must be even"),
        ("moe_apply_router_weight_on_input", lambda get: not get("moe_apply_router_weight_on_input"),
         "it must be false"),
        ("gating", lambda get: get("gating") is None or isinstance(get("gating"), (bool, str)), "it is no number"),
        ("num_attention_heads_per_layer", lambda get: get("num_attention_heads_per_layer") != [], "it is empty"),
    ),
    "lara_mini": (_multiple("linear_num_value_heads", "linear_num_key_heads"),),
    "llama4_text": (
        ("interleave_moe_layer_step", lambda get: get("interleave_moe_layer_step") != 0, "it must be at least 1"),
    ),
    "olmo_hybrid": (
        ("num_hidden_layers", lambda get: get("layer_types") is not None or get("num_hidden_layers") > 1,
         "it must be at least 2"),
    ),
    "qwen2_vl_text": (_multiple("hidden_size", "num_attention_heads"),),
    "qwen2_5_vl_text": (_multiple("hidden_size", "num_attention_heads"),),
    "qwen4_exp_text": (
        ("ple_layer_ids", lambda get: get("ple_layer_ids") is None or isinstance(get("ple_layer_ids"), list),
         "it must be a list"),
        ("hc_count", lambda get: get("hc_count") > 1, "it must be at least 2"),
        _multiple("indexer_budget", "indexer_compress_ratio"),
        ("indexer_head_dim", _turns_within_index, "it must be as wide as what rotary positions turn of a head"),
        ("indexer_kv_heads", lambda get: get("indexer_kv_heads") == 1, "it must be 1"),
        ("shared_expert_intermediate_size", lambda get: get("shared_expert_intermediate_size") != 0,
         "it must be at least 1"),
    ),
    "zaya": (("num_experts_per_tok", lambda get: get("num_experts_per_tok") in (None, 1), "it must be 1"),),
    "zamba2": (("attention_head_dim", _turns_pairs, "it must be even: a rotary position turns features in pairs"),),
    "zamba": (
        ("n_mamba_heads", lambda get: get("mamba_expand") * get("hidden_size") % get("n_mamba_heads") == 0,
         "it must divide mamba_expand x hidden_size"),
    ),
}  # fmt: skip
"""By model type: the field that is to blame, what must hold, and what is told."""
