"""Configurations of Hugging Face: exact counts against transformers, defaults, and refusals that name the field."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_economics import checkpoints, facts
from llm_economics.checkpoints import FAMILIES, read
from llm_economics.checkpoints.config import DEFAULTS as DEFAULTS_FILE
from llm_economics.formulas import architecture
from llm_economics.formulas.elementwise import ParameterError

ORACLE = json.loads((Path(__file__).parent / "oracle" / "config_oracle.json").read_text(encoding="utf-8"))
PUBLISHED, RANDOM = ORACLE["published"], ORACLE["random"]
DEFAULTS = json.loads(DEFAULTS_FILE.read_text(encoding="utf-8"))

LLAMA = PUBLISHED["Llama-3.1-8B"]["config"]
GROK = {
    "model_type": "grok-1",
    "num_hidden_layers": 64,
    "hidden_size": 6144,
    "num_attention_heads": 48,
    "num_key_value_heads": 8,
    "intermediate_size": 32768,
    "vocab_size": 131072,
    "num_experts": 8,
    "num_experts_per_tok": 2,
}
IN_CATALOG = {
    "Llama-2-7b": "Llama 2 7B",
    "Llama-3.1-8B": "Llama 3 8B",
    "Llama-3.1-405B": "Llama 3.1 405B",
    "Mixtral-8x7B": "Mixtral 8x7B",
    "Qwen2-72B": "Qwen2-72B",
    "Gemma-7b": "Gemma 7B",
    "DBRX": "DBRX",
    "MPT-30B": "MPT-30B",
    "BLOOM": "BLOOM 176B",
    "Falcon-180B": "Falcon 180B",
    "DeepSeek-V2": "DeepSeek-V2",
    "DeepSeek-V3": "DeepSeek-V3",
}


def counts(config) -> tuple[int, int]:
    count = architecture.parameters(read(config).architecture)
    return count.total, count.active


# Exact


def test_oracle_covers_the_first_families():
    published = {read(case["config"]).model_type for case in PUBLISHED.values()}
    assert len(published) == 25 and published | {"grok-1"} <= set(FAMILIES) == set(checkpoints.model_types())
    assert {case["config"]["model_type"] for case in RANDOM} == published
    assert published <= set(DEFAULTS["families"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_are_exact_in_full_and_shortened(name):
    case = PUBLISHED[name]
    assert counts(case["config"]) == counts(case["short"]) == (case["total"], case["active"])
    full, short = read(case["config"], "x"), read(case["short"], "x")
    assert full.architecture == short.architecture
    assert set(full.defaulted) <= set(short.defaulted) <= set(short.fields)


@pytest.mark.parametrize("case", RANDOM, ids=lambda case: case["config"]["model_type"])
def test_random_shapes_are_exact(case):
    arch = read(case["config"]).architecture
    assert counts(case["config"]) == (case["total"], case["active"])
    if "values_per_token" in case:
        assert architecture.kv_bytes_per_token(arch, 1) == case["values_per_token"]
        kept = sum(count * (mixer.state_values + mixer.wide_state_values) for count, mixer in arch.mixers)
        assert kept == case["state_values"]


def test_random_shapes_have_caches_and_states():
    with_cache = [case for case in RANDOM if "values_per_token" in case]
    assert len({case["config"]["model_type"] for case in with_cache}) == 23
    assert {case["config"]["model_type"] for case in with_cache if case["state_values"]} == {"jamba", "recurrent_gemma"}


@pytest.mark.parametrize("case", ORACLE["flops"], ids=lambda case: case["config"]["model_type"])
def test_flops_of_mixers_equal_the_oracle(case):
    arch, tokens = read(case["config"]).architecture, case["tokens"]
    assert sum(count for count, mixer in arch.mixers if not mixer.reaches) == 2
    flops = architecture.forward_flops_per_token(arch, tokens, "full_context") * tokens
    # The rest is what a convolution pads its input by.
    assert case["flops"] * 0.999 < flops <= case["flops"]


@pytest.mark.parametrize("name", IN_CATALOG)
def test_files_agree_with_the_catalog(name):
    known = facts.model(IN_CATALOG[name])
    arch = read(PUBLISHED[name]["config"]).architecture
    assert architecture.parameters(arch) == architecture.parameters(known)
    assert architecture.kv_bytes_per_token(arch) == architecture.kv_bytes_per_token(known)
    for convention in architecture.CONVENTIONS:
        flops = architecture.forward_flops_per_token(arch, 4096, convention)
        assert flops == architecture.forward_flops_per_token(known, 4096, convention)


def test_grok_against_its_published_total():
    config = read(GROK)
    total = architecture.parameters(config.architecture).total
    assert total == architecture.parameters(facts.model("Grok-1")).total == 315_684_820_992
    assert total == pytest.approx(314e9, rel=0.01)
    assert config.defaulted == ("tie_word_embeddings",)


# State


def test_state_of_windowed_layers_is_their_full_window():
    arch = read(PUBLISHED["gpt-oss-20b"]["config"]).architecture
    assert architecture.state_bytes_per_sequence(arch) == 12 * 128 * 2 * 8 * 64 * 2
    assert architecture.kv_bytes_per_token(arch) == 24 * 2 * 8 * 64 * 2
    held = architecture.kv_bytes(arch, 1_000_000)
    assert held == architecture.state_bytes_per_sequence(arch) + 12 * 1_000_000 * 2 * 8 * 64 * 2


def test_state_of_mamba_does_not_grow():
    arch = read(PUBLISHED["Jamba-v0.1"]["config"]).architecture
    assert (arch.attention_layers, arch.n_layers) == (4, 32)
    assert architecture.kv_bytes_per_token(arch) == 4 * 2 * 8 * 128 * 2
    assert architecture.state_bytes_per_sequence(arch) == 28 * 8192 * (16 * 4 + 4 * 2)  # states in FP32


def test_recurrent_gemma_has_both():
    arch = read(PUBLISHED["RecurrentGemma-2b"]["config"]).architecture
    recurrent, window = 18 * 2560 * (4 + 3 * 2), 8 * 2048 * 2 * 256 * 2
    assert architecture.state_bytes_per_sequence(arch) == recurrent + window


def test_latent_cache():
    arch = read(PUBLISHED["DeepSeek-V3"]["config"]).architecture
    assert architecture.kv_bytes_per_token(arch) == 61 * (512 + 64) * 2
    assert architecture.state_bytes_per_sequence(arch) == 0


# Defaults


def test_defaults_are_listed_by_the_names_of_the_class():
    assert set(read({"model_type": "gpt2"}).defaulted) == {
        "vocab_size",
        "n_embd",
        "n_layer",
        "n_head",
        "n_inner",
        "n_positions",
        "add_cross_attention",
        "tie_word_embeddings",
    }
    assert "n_layer" not in read({"model_type": "gpt2", "num_hidden_layers": 3}).defaulted
    assert "attn_config.kv_n_heads" in read({"model_type": "dbrx"}).defaulted


# Their classes have no default for a field that is needed.
OPEN = {"deepseek_v2", "deepseek_ocr2_text", "dots1", "qwen4_exp_text"}


@pytest.mark.parametrize("model_type", sorted(set(DEFAULTS["families"]) - OPEN))
def test_a_class_alone_is_a_model(model_type):
    config = read({"model_type": model_type})
    table = DEFAULTS["families"][model_type]["defaults"]
    assert set(config.defaulted) == set(config.fields)
    assert config.fields == {name: table[name] for name in config.fields}


def test_null_means_what_the_class_makes_of_it():
    null = LLAMA | {"num_key_value_heads": None, "head_dim": None}
    assert read(null).architecture.n_kv_heads == 32
    assert read(null).architecture.head_dim == 128
    assert not {"num_key_value_heads", "head_dim"} & set(read(null).defaulted)


def test_fields_that_transformers_ignores_are_noted():
    config = read(PUBLISHED["MPT-7B"]["config"] | {"expansion_ratio": 2, "no_bias": False})
    assert architecture.parameters(config.architecture).total == PUBLISHED["MPT-7B"]["total"]
    assert [note.split()[0] for note in config.notes] == ["expansion_ratio", "no_bias"]
    assert "num_nextn_predict_layers" in read(PUBLISHED["DeepSeek-V3"]["config"]).notes[0]


# Sources


def test_sources(tmp_path):
    file = tmp_path / "some-model" / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps(LLAMA), encoding="utf-8")
    for source in (file, str(file), file.parent, json.dumps(LLAMA), LLAMA):
        assert architecture.parameters(read(source).architecture).total == 8_030_261_248
    assert read(file).architecture.name == "some-model"
    assert read(LLAMA | {"_name_or_path": "meta/Llama\n3"}).architecture.name == "meta/Llama3"


def test_language_model_of_a_nested_file():
    nested = {"model_type": "llava", "text_config": LLAMA, "vision_config": {"hidden_size": 7}}
    assert read(nested).architecture == read(LLAMA, "llava").architecture
    assert "not vision_config" in read(nested).notes[0]
    untyped = PUBLISHED["Gemma-3-4b"]["config"]
    untyped = untyped | {"text_config": {k: v for k, v in untyped["text_config"].items() if k != "model_type"}}
    assert counts(untyped)[0] == PUBLISHED["Gemma-3-4b"]["total"]
    assert (
        read(PUBLISHED["Gemma-3-4b"]["config"] | {"tie_word_embeddings": False}).architecture.tied_embeddings is False
    )


# Refusals


def without(config: dict, *names: str) -> dict:
    return {key: value for key, value in config.items() if key not in names}


PHI = PUBLISHED["Phi-3-mini"]["config"]
QWEN_MOE = PUBLISHED["Qwen3-30B-A3B"]["config"]
JAMBA = PUBLISHED["Jamba-v0.1"]["config"]
REFUSED = {
    "model_type": [{}, {"model_type": None}, {"model_type": "lama"}, {"model_type": ["llama"]}],
    "model_type = 'lama' is not allowed: it is not known; nearest are llama": [{"model_type": "lama"}],
    "num_hidden_layers": [LLAMA | {"num_hidden_layers": bad} for bad in ("32", 32.0, -1, 0, True, None, [32], 10**9)],
    "hidden_size": [LLAMA | {"hidden_size": bad} for bad in (-4096, "4096", 10**5000, float("nan"))],
    "num_attention_heads": [LLAMA | {"num_attention_heads": 30}],
    "num_key_value_heads": [LLAMA | {"num_key_value_heads": 5}, LLAMA | {"num_key_value_heads": 0}],
    "head_dim": [PUBLISHED["Gemma-7b"]["config"] | {"head_dim": None}, LLAMA | {"head_dim": -1}],
    "tie_word_embeddings": [
        LLAMA | {"tie_word_embeddings": 1},
        PUBLISHED["DBRX"]["config"] | {"tie_word_embeddings": True},
    ],
    "attention_bias": [LLAMA | {"attention_bias": "no"}],
    "sliding_window": [PHI | {"sliding_window": "2k"}, PHI | {"sliding_window": 0}],
    "n_layer": [without(LLAMA, "num_hidden_layers") | {"n_layer": 32}],
    "num_experts": [GROK | {"num_local_experts": 16}, without(GROK, "num_experts")],
    "num_experts_per_tok": [
        GROK | {"num_experts_per_tok": 9},
        without(PUBLISHED["DeepSeek-V2"]["config"], "num_experts_per_tok"),
        QWEN_MOE | {"num_experts_per_tok": 129},
    ],
    "decoder_sparse_step": [QWEN_MOE | {"decoder_sparse_step": 0}],
    "mlp_only_layers": [QWEN_MOE | {"mlp_only_layers": "1"}, QWEN_MOE | {"mlp_only_layers": [1.5]}],
    "layer_types": [
        PUBLISHED["Gemma-2-9b"]["config"] | {"layer_types": bad}
        for bad in (["full_attention"], "full_attention", ["chunked"] * 42, [3] * 42)
    ],
    "attn_layer_offset": [JAMBA | {"attn_layer_offset": 8}],
    "mamba_dt_rank": [JAMBA | {"mamba_dt_rank": "big"}],
    "moe_layer_freq": [PUBLISHED["DeepSeek-V3"]["config"] | {"moe_layer_freq": 2}],
    "lru_width": [PUBLISHED["RecurrentGemma-2b"]["config"] | {"lru_width": 2561}],
    "block_types": [PUBLISHED["RecurrentGemma-2b"]["config"] | {"block_types": bad} for bad in ([], None, ["x"])],
    "add_cross_attention": [{"model_type": "gpt2", "add_cross_attention": True}],
    "use_bidirectional_attention": [PUBLISHED["Gemma-3-1b"]["config"] | {"use_bidirectional_attention": True}],
    "attn_config": [{"model_type": "mpt", "attn_config": 3}],
    "ffn_config.moe_top_k": [{"model_type": "dbrx", "ffn_config": {"moe_top_k": 5}}],
    "text_config": [{"model_type": "lava", "text_config": None}, {"model_type": "gemma3", "text_config": [1]}],
}
REFUSED["tie_word_embeddings"].append(
    {"model_type": "lava", "tie_word_embeddings": True, "text_config": LLAMA | {"tie_word_embeddings": False}}
)


@pytest.mark.parametrize(("name", "bad"), [(name, bad) for name, cases in REFUSED.items() for bad in cases])
def test_refusals_name_the_field_in_one_line(name, bad):
    with pytest.raises(ParameterError) as error:
        read(bad)
    message = str(error.value)
    assert message.startswith(name)
    assert "\n" not in message
    assert len(message) < 500


@pytest.mark.parametrize("name", without(GROK, "model_type"))
def test_without_a_class_every_field_must_be_given(name):
    with pytest.raises(ParameterError) as error:
        read(without(GROK, name))
    assert str(error.value).startswith(f"{name} = None is not allowed: it must be given")


def test_one_nan_is_not_at_odds_with_itself():
    with pytest.raises(ParameterError, match=r"^hidden_size = nan is not allowed: ") as error:
        read(LLAMA | {"hidden_size": float("nan")})
    assert "says otherwise" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"model_type": llama}',
        "[]",
        "[" * 100_000,
        "{" + '"a":{' * 100_000,
        '{"n_layer": ' + "9" * 5000 + "}",
        "{\0}",
    ],
)
def test_what_is_not_json_is_refused(text, tmp_path):
    for source in (text, tmp_path / "config.json"):
        (tmp_path / "config.json").write_text(text, encoding="utf-8")
        with pytest.raises(ParameterError, match=r"^config = ") as error:
            read(source)
        assert "\n" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "latin.json").write_bytes(b'{"model_type": "\xff"}')
    for path in (tmp_path / "missing.json", tmp_path, tmp_path / "latin.json", "x" * 5000, "a\0b"):
        with pytest.raises(ParameterError, match="it cannot be read"):
            read(path)


# Anything at all gives an answer or a line

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 70)
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["auto", "full_attention", "sliding_attention", "recurrent", "attention", "llama", "gemma3"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = sorted({name for family in DEFAULTS["families"].values() for name in family["defaults"]} | {"text_config"})
ANYTHING = VALUES | st.dictionaries(st.sampled_from([*NAMES, "model_type"]), VALUES, max_size=6)


def answer_or_line(config) -> None:
    try:
        arch = read(config).architecture
    except ParameterError as error:
        assert "\n" not in str(error)
        return
    count = architecture.parameters(arch)
    assert 0 < count.active <= count.total
    for convention in architecture.CONVENTIONS:
        assert architecture.forward_flops_per_token(arch, 100, convention) > 0
    assert architecture.kv_bytes_per_token(arch) >= 0 <= architecture.state_bytes_per_sequence(arch)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([case["config"] for case in [*PUBLISHED.values(), *RANDOM]]), st.data())
def test_a_file_with_errors_in_it(config, data):
    names = st.sampled_from([*config, *DEFAULTS["families"].get(config["model_type"], {"defaults": NAMES})["defaults"]])
    answer_or_line(config | data.draw(st.dictionaries(names, VALUES, max_size=2)))


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_any_json(value):
    answer_or_line(json.dumps(value))
    if isinstance(value, dict):
        answer_or_line(value)
        answer_or_line({"model_type": "llava", "text_config": value})


@settings(max_examples=100, deadline=None)
@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text(text):
    answer_or_line("{" + text)


@pytest.mark.parametrize(
    ("given", "whose"),
    [
        ({"version": "1.0", "pretrained_config": {"architecture": "LlamaForCausalLM"}}, "an engine of TensorRT-LLM"),
        ({"architecture": "LlamaForCausalLM", "num_hidden_layers": 32}, "a checkpoint of TensorRT-LLM"),
        ({"dim": 4096, "n_layers": 32, "vocab_size": 32000}, "the params.json of Meta or Mistral"),
        ({"model": {"type": "llama", "decoder": {}}, "search": {}}, "the genai_config.json of ONNX Runtime"),
        ({"num_layers": 32, "padded_vocab_size": 32000}, "a file of Megatron"),
    ],
)
def test_other_engines_descriptions_are_told_as_theirs(given, whose):
    with pytest.raises(ParameterError) as error:
        read(given)
    said = f"model_type = None is not allowed: this is {whose}; the config.json of the model's repository is needed"
    assert str(error.value) == said


def test_a_folder_without_a_configuration_says_what_it_holds(tmp_path):
    (tmp_path / "params.json").write_text("{}")
    with pytest.raises(
        ParameterError, match=r"it cannot be read \(No such file or directory; the folder holds params\.json\)$"
    ):
        read(tmp_path)


def test_a_key_that_stands_twice_is_refused():
    text = json.dumps({"model_type": "llama", "hidden_size": 64})
    with pytest.raises(ParameterError, match=r"its key 'hidden_size' stands twice"):
        checkpoints.read(text[:-1] + ', "hidden_size": 128}', "mine")


@pytest.mark.parametrize(
    ("model_type", "fields", "says"),
    [
        ("llama", {"head_dim": 21}, "head_dim = 21 is not allowed: it must be even"),
        ("llama", {"hidden_size": 32 * 21}, "head_dim = 21 is not allowed: it must be even"),
        ("llama", {"hidden_size": 4100, "head_dim": 128}, "num_attention_heads = 32 is not allowed: it must divide"),
        ("falcon", {"hidden_size": 71 * 21}, "head_dim = 21 is not allowed: it must be even"),
        ("jetmoe", {"kv_channels": 21}, "head_dim = 21 is not allowed: it must be even"),
        ("deepseek_v3", {"qk_rope_head_dim": 13}, "qk_rope_head_dim = 13 is not allowed: it must be even"),
        ("gemma2", {"use_bidirectional_attention": 0}, "use_bidirectional_attention = 0 is not allowed"),
        ("mamba", {"expand": 2.0}, "expand = 2.0 is not allowed: it must be a whole number"),
        ("gpt_neo", {"num_layers": 3}, "num_layers = 3 is not allowed: attention_types lists another number"),
        ("zaya", {"num_experts_per_tok": 3}, "num_experts_per_tok = 3 is not allowed: it must be 1"),
        ("qwen2_moe", {"num_key_value_heads": None}, "num_key_value_heads = None is not allowed"),
        ("llama4_text", {"interleave_moe_layer_step": 0}, "interleave_moe_layer_step = 0 is not allowed"),
        ("hunyuan_v1_dense", {"head_dim": None}, "head_dim = None is not allowed"),
        ("nemotron", {"num_key_value_heads": None}, "num_key_value_heads = None is not allowed"),
        ("lfm2_moe", {"layer_types": None}, "layer_types = None is not allowed"),
        ("axk2", {"n_group": 1, "topk_group": 3}, "n_group = 1 is not allowed: it must divide"),
        ("internlm3", {"mlp_bias": True}, "attention_bias = False is not allowed: mlp_bias says otherwise"),
        ("glm5_next_text", {"index_topk": 20}, "index_topk = 20 is not allowed: it must be a multiple"),
        ("gemma4_text", {"num_hidden_layers": 6, "num_kv_shared_layers": 2}, "num_kv_shared_layers = 2 is not allowed"),
        ("zamba", {"num_hidden_layers": 4}, "layers_block_type = 'one hybrid' is not allowed"),
        ("qwen2_vl_text", {"hidden_size": 4100}, "hidden_size = 4100 is not allowed: it must be a multiple"),
    ],
)
def test_what_the_class_refuses_between_fields_is_refused(model_type, fields, says):
    with pytest.raises(ParameterError) as error:
        read({"model_type": model_type, **fields}, "mine")
    assert str(error.value).startswith(says)


@pytest.mark.parametrize(
    ("model_type", "fields"),
    [
        ("llama", {"head_dim": 3}),
        ("glm4", {"head_dim": 21}),
        ("llama", {"head_dim": 21, "partial_rotary_factor": 0.5}),
        ("gemma2", {"use_bidirectional_attention": False}),
        ("qwen2", {"hidden_size": 28 * 20 + 1, "head_dim": 20}),
    ],
)
def test_what_the_class_takes_is_counted(model_type, fields):
    assert read({"model_type": model_type, **fields}, "mine").architecture


@pytest.mark.parametrize("value", [10**400, 10**30, [10**30] * 35])
def test_no_field_of_any_family_is_beyond_all_bounds(value):
    with pytest.raises(ParameterError, match=r"^intermediate_size = .* is not allowed: it must be at most 1000000000$"):
        read({"model_type": "gemma3n_text", "intermediate_size": value}, "mine")
