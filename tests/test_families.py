"""Every family: totals, active parameters, caches and states against transformers, FLOP against PyTorch's counter."""

import json
from collections import Counter
from pathlib import Path

import pytest

from llm_economics.checkpoints import FAMILIES, read
from llm_economics.checkpoints.config import DEFAULTS, REMOTE, outer_classes
from llm_economics.checkpoints.families import REFUSED
from llm_economics.formulas import architecture
from llm_economics.formulas.elementwise import ParameterError

ORACLE = Path(__file__).parent / "oracle"
ROWS = json.loads((ORACLE / "families_oracle.json").read_text(encoding="utf-8"))
COUNTER = json.loads((ORACLE / "block_oracle.json").read_text(encoding="utf-8"))

NOT_COUNTED = {"blt-default", "gemma4_unified_assistant-default", "deepseek_v2-default"}
"""Rows that are refused, with a reason; the third cannot run either, for it says no experts per token."""
SAYS_OTHERWISE = {"dots3_note-default-whole"}
"""A row of a whole model whose active count is not that of its own text model, which is another row."""


def reads(row):
    return read(row["config"]).architecture


COUNTED = [row for row in ROWS if row["id"] not in NOT_COUNTED]


def test_the_oracle_covers_the_families():
    assert len(ROWS) == 382
    asked = Counter()
    for row in COUNTED:
        asked[read(row["config"]).model_type] += 1
    missing = set(FAMILIES) - set(asked)
    # Language models inside others that no row has, and code that comes with the model.
    assert len(missing) <= 20 and not missing & {
        "llama",
        "nemotron_h",
        "deepseek_v4",
        "glm_moe_dsa",
        "qwen3_5_moe_text",
    }


@pytest.mark.parametrize("row", COUNTED, ids=lambda row: row["id"])
def test_totals_and_active_equal_the_classes(row):
    count = architecture.parameters(reads(row))
    total = row["total_text"]
    if row["model_type"] == "longcat_flash":  # what the class allocates for experts without weights is not read
        config = row["config"]
        zero, layers = config.get("zero_expert_num", 256), config.get("num_layers", 28)
        total -= layers * zero * 2 * config.get("expert_ffn_hidden_size", 2048) * config.get("hidden_size", 6144)
    assert count.total == total
    if row.get("active") is not None and row["id"] not in SAYS_OTHERWISE:
        assert count.active == row["active"]


@pytest.mark.parametrize(
    "row", [row for row in COUNTED if row.get("kv_bytes_per_token_long") is not None], ids=lambda row: row["id"]
)
def test_caches_and_states_equal_the_classes(row):
    arch = reads(row)
    long = row["kv_bytes_per_token_long"]
    short, state = row["kv_bytes_per_token_short"], row["state_bytes"]
    if row["model_type"] == "deepseek_v4":
        # Within the window the class also buffers what it compresses, and keeps keys again as values.
        assert architecture.kv_bytes_per_token_long(arch) == long
        assert architecture.kv_bytes_per_token(arch) < short
        assert architecture.state_bytes_per_sequence(arch) < 1.1 * state
        return
    if "dots3_note" in row["model_type"]:  # its class keeps the keys of indexers in FP32; here they are BF16
        twice = 2 * sum(n * mixer.index_dim for n, mixer in arch.mixers if mixer.index_heads)
        long, short = long - twice, short - twice
    assert architecture.kv_bytes_per_token(arch) == short
    assert architecture.kv_bytes_per_token_long(arch) == long
    # A window of W keeps W - 1 tokens between steps there, and W here.
    one = 2 * sum(reach.values for reach in arch.reaches if reach.window is not None)
    assert architecture.state_bytes_per_sequence(arch) - one == state


DRAWN = json.loads((ORACLE / "families_drawn.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", DRAWN, ids=lambda row: row["config"]["model_type"])
def test_shapes_drawn_later_equal_the_classes(row):
    arch = reads(row)
    count = architecture.parameters(arch)
    assert count.total == row["total"]
    assert row["active"] in (None, count.active)
    if "long" in row:
        one = 2 * sum(reach.values for reach in arch.reaches if reach.window is not None)
        assert architecture.kv_bytes_per_token(arch) == row["short"]
        assert architecture.kv_bytes_per_token_long(arch) == row["long"]
        assert architecture.state_bytes_per_sequence(arch) - one == row["state"]


WHAT_CLASSES_DO = {  # total by the class of transformers 5.24.0, on the meta device
    "laguna": (83781, {"num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 16, "gating": False}
        | {"num_hidden_layers": 2, "hidden_size": 48, "intermediate_size": 60, "moe_intermediate_size": 30}
        | {"shared_expert_intermediate_size": 22, "num_experts": 5, "num_experts_per_tok": 1, "vocab_size": 199}
        | {"num_attention_heads_per_layer": [4, 8], "tie_word_embeddings": False}),
    "falcon_h1": (333160, {"vocab_size": 199, "hidden_size": 108, "num_hidden_layers": 5, "num_attention_heads": 6}
        | {"num_key_value_heads": 3, "intermediate_size": 52, "mamba_d_state": 8, "mamba_d_conv": 5}
        | {"mamba_n_heads": 4, "mamba_d_head": 6, "mamba_n_groups": 1, "mamba_d_ssm": 24, "mamba_proj_bias": True}
        | {"tie_word_embeddings": True}),
    "cosmos3_edge_text": (204330, {"vocab_size": 199, "hidden_size": 70, "num_hidden_layers": 4}
        | {"num_attention_heads": 1, "num_key_value_heads": None, "intermediate_size": 58}
        | {"tie_word_embeddings": False}),
}  # fmt: skip


@pytest.mark.parametrize("name", WHAT_CLASSES_DO)
def test_switches_that_a_class_reads_in_its_own_way(name):
    total, config = WHAT_CLASSES_DO[name]
    assert architecture.parameters(read({"model_type": name} | config).architecture).total == total


def test_windows_of_smollm3_are_in_the_layers_without_positions():
    sizes = {"num_hidden_layers": 5, "hidden_size": 48, "num_attention_heads": 4, "num_key_value_heads": 1}
    on = {"use_sliding_window": True, "sliding_window": 40}
    arch = read({"model_type": "smollm3"} | sizes | on).architecture
    assert (architecture.kv_bytes_per_token(arch), architecture.kv_bytes_per_token_long(arch)) == (240, 192)


def test_heads_that_are_not_as_wide_as_helium_are_refused():
    config = {"model_type": "helium", "hidden_size": 44, "num_attention_heads": 6, "num_key_value_heads": 2}
    with pytest.raises(ParameterError, match=r"^head_dim = 12 is not allowed: helium"):
        read(config | {"head_dim": 12})


@pytest.mark.parametrize("name", sorted(NOT_COUNTED))
def test_what_is_not_counted_is_refused_with_a_reason(name):
    row = next(row for row in ROWS if row["id"] == name)
    with pytest.raises(ParameterError) as error:
        read(row["config"])
    assert str(error.value).startswith(("model_type = ", "num_experts_per_tok = "))


@pytest.mark.parametrize("name", [*REFUSED, "kimi_k3"])
def test_models_that_are_refused_by_name(name):
    nested = {"model_type": name, "text_config": {"model_type": "kimi_linear"}}
    for config in ({"model_type": name}, nested):
        with pytest.raises(ParameterError, match=f"^model_type = '{name}' is not allowed: "):
            read(config)


# FLOP

# Products that the counter sees more or less of than the formulas: a convolution pads its input, or is computed again
# for what it keeps; states are updated value by value; what is not a full group yet is not compressed.
PADDED = {"mamba", "jamba", "recurrent_gemma", "lfm2", "inkling_text", "zaya"}
UNSEEN_STATE = {  # share of ``state_flops`` that is no matrix product in the class's decode step
    "qwen3_next": 1,
    "qwen3_5_text": 1,
    "qwen4_exp_text": 1,
    "olmo_hybrid": 1,
    "kimi_linear": 1,
    "bailing_hybrid": 1,
    "mamba": 0,
    "jamba": 0,
    "inkling_text": 0,
    "mamba2": 0.5,
    "bamba": 0.5,
    "nemotron_h": 0.5,
    "zamba2": 0.5,
    "falcon_h1": 0.5,
    "minimax": 0,
    "xlstm": 0,
}
IN_CHUNKS = set(UNSEEN_STATE)
"""Classes that read a prompt in chunks, with more products than token after token."""
STREAMS = {"deepseek_v4"}


def convolutions(arch):
    """FLOP of a token in convolutions."""
    return sum(count * 2 * w.active for count, w in arch.weights if "conv" in w.name and w.product)


@pytest.mark.parametrize("name", COUNTER["models"])
def test_flops_equal_the_counter(name):
    case, tokens = COUNTER["models"][name], COUNTER["tokens"]
    arch = read(case["config"]).architecture
    ours = architecture.forward_flops_per_token(arch, tokens, "full_context")
    if name not in IN_CHUNKS | PADDED | STREAMS:
        assert case["prefill"] == tokens * ours
    if name in PADDED:
        assert 0.98 * tokens * ours < case["prefill"] < 1.02 * tokens * ours
    if name in STREAMS:  # hyper-connections mix streams, and a group that is not full is not compressed
        mixing = arch.n_layers * 2 * 2 * 4 * arch.hidden_size
        assert 0 < case["prefill"] / tokens - ours < mixing
    if name in UNSEEN_STATE:
        state = sum(count * mixer.state_flops for count, mixer in arch.mixers)
        again = 0
        for count, mixer in arch.mixers:  # the class decompresses every cached token again
            up = [w.parameters for w in mixer.weights(arch.hidden_size) if w.name.endswith("kv_b_proj")]
            again += count * 2 * (tokens - 1) * sum(up)
        expected = ours - UNSEEN_STATE[name] * state + convolutions(arch) + again
        assert case["decode"] == pytest.approx(expected, rel=1e-3 if name == "qwen4_exp_text" else 1e-12)


def test_flops_are_held_for_each_block():
    kinds = set()
    for case in COUNTER["models"].values():
        for _, layer in read(case["config"]).architecture.stack:
            kinds |= {type(block).__name__ for block in layer.blocks}
    assert kinds >= {
        "CompressedAttention",
        "DeltaNet",
        "Dense",
        "Experts",
        "GroupedAttention",
        "KimiDelta",
        "LatentAttention",
        "LightningAttention",
        "Listed",
        "Mamba",
        "Mamba2",
        "RecurrentUnit",
        "Several",
        "ShortConvolution",
    }


# Tying

TEXT = {
    "model_type": "mistral",
    "hidden_size": 48,
    "intermediate_size": 52,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 10,
    "vocab_size": 199,
}
INNER = {"gemma3": "gemma3_text", "gemma4": "gemma4_text", "qwen3_vl": "qwen3_vl_text", "qwen3_5": "qwen3_5_text"}
INNER |= {"glm4v": "glm4v_text", "llama4": "llama4_text", "kimi_k25": "mistral", "paligemma": "mistral"}
OUTER_DEFAULT = {
    "gemma3": True,
    "gemma4": True,
    "mistral3": True,
    "internvl": True,
    "kimi_k25": True,
    "paligemma": True,
}
OUTER_DEFAULT |= {"idefics3": False, "smolvlm": False, "qwen3_vl": False, "qwen3_5": False}


@pytest.mark.parametrize("inside", [True, False, None])
@pytest.mark.parametrize("outside", [True, False, None])
@pytest.mark.parametrize("outer", [*OUTER_DEFAULT, "llava", "glm4v", "llama4"])
def test_which_field_ties_a_nested_file(outer, outside, inside):
    text = TEXT | {"model_type": INNER.get(outer, "mistral")}
    if inside is not None:
        text["tie_word_embeddings"] = inside
    config = {"model_type": outer, "text_config": text}
    if outside is not None:
        config["tie_word_embeddings"] = outside
    if outer in OUTER_DEFAULT:
        expected = OUTER_DEFAULT[outer] if outside is None else outside
    elif outer == "llama4":
        expected = bool(inside)
    else:
        expected = bool(outside) or bool(inside)
    assert read(config).architecture.tied_embeddings is expected


def test_a_note_says_which_field_tied():
    config = {"model_type": "mistral3", "text_config": TEXT}
    assert "tie_word_embeddings is the default of its class: tied" in read(config).notes[-1]
    assert architecture.parameters(read(config).architecture).total == 49_632


# Parts and positions


def test_what_predicts_further_tokens_counts_apart():
    row = next(row for row in ROWS if row["id"] == "moonshotai--Kimi-K2-Instruct")
    assert read(row["config"]).parts == {"text": 1_026_408_209_408}
    config = {"model_type": "deepseek_v3", "num_nextn_predict_layers": 1}
    parts = read(config).parts
    assert parts["text"] == 671_026_404_352
    # 11.5 billion beside the shared tables (README_WEIGHTS of the model).
    assert parts["mtp"] == pytest.approx(11.6e9, rel=0.01)


def test_parts_name_what_is_not_counted():
    config = {"model_type": "qwen3_vl", "text_config": {}, "vision_config": {"depth": 2}}
    assert list(read(config).parts) == ["text", "vision"]
    assert read(config).parts["vision"] is None


def test_positions_of_a_model():
    assert read({"model_type": "gpt2"}).max_context == 1024
    assert read({"model_type": "gpt2"}).architecture.learned_positions == 1024
    llama = read({"model_type": "llama", "max_position_embeddings": 131072})
    assert (llama.max_context, llama.architecture.learned_positions) == (131072, 0)
    opt = read({"model_type": "opt"})
    assert (opt.max_context, opt.architecture.learned_positions) == (2048, 2050)


def test_tables_of_defaults_are_whole():
    stored = json.loads(DEFAULTS.read_text(encoding="utf-8"))
    assert stored["transformers"] == "5.24.0"
    assert set(FAMILIES) == set(stored["families"]) | set(REMOTE)
    assert all(rule["text"] in FAMILIES for rule in outer_classes().values())
