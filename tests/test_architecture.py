"""Architectures: exact parameters, FLOPs and KV bytes, held against answers of transformers and PyTorch."""

import csv
import inspect
import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_economics.facts.units import Q
from llm_economics.formulas.architecture import (
    CONVENTIONS,
    SWITCHES,
    Architecture,
    ParameterCount,
    architecture_from_row,
    attention_flops_per_key,
    forward_flops_per_token,
    gemm_flops,
    kv_bytes,
    kv_bytes_per_token,
    matmul_parameters,
    parameters,
    stacked,
    streamed_parameters,
    training_flops_per_token,
    transformer,
    weight_bytes,
)
from llm_economics.formulas.blocks import Experts
from llm_economics.formulas.elementwise import ParameterError

TESTS = Path(__file__).parent
ORACLE = json.loads((TESTS / "oracle" / "transformer_oracle.json").read_text(encoding="utf-8"))
with (TESTS.parent / "data" / "models.csv").open(encoding="utf-8", newline="") as file:
    ROWS = {row["model"]: row for row in csv.DictReader(file) if not row["config"]}  # those with one: test_facts
DERIVED = {"Grok-1", "PaLM 540B", "MT-NLG 530B"}
"""Models that transformers has no class for: their exact count is the derivation in their row."""

COMPONENTS = [name for name in ParameterCount._fields if name != "idle_experts"]

SIZES = {
    "name": "test",
    "n_layers": 4,
    "hidden_size": 64,
    "n_heads": 8,
    "n_kv_heads": 2,
    "head_dim": 12,
    "intermediate_size": 100,
    "vocab_size": 1000,
    "tied_embeddings": False,
}
EXPERTS = {"n_experts": 8, "experts_per_token": 3, "n_shared_experts": 1, "n_dense_layers": 1}
LATENT = {"q_lora_rank": 24, "kv_lora_rank": 40, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 20}


def arch(**changes) -> Architecture:
    return transformer(**SIZES | changes)


def windowed(shape: Architecture, window: int | None, layers: int) -> Architecture:
    """The same with a window in the first layers, and none in the others."""
    every = [layer for count, layer in shape.stack for _ in range(count)]
    mixers = [replace(layer.mixer, window=window if i < layers else None) for i, layer in enumerate(every)]
    return replace(
        shape, stack=stacked(replace(layer, mixer=mixer) for layer, mixer in zip(every, mixers, strict=True))
    )


def model(name: str) -> Architecture:
    return architecture_from_row(ROWS[name])


def components(count: ParameterCount) -> dict[str, int]:
    return {name: getattr(count, name) for name in COMPONENTS if getattr(count, name)}


# Parameters, to the last one


def test_oracle_and_derivations_cover_every_model():
    assert set(ORACLE["named"]) | DERIVED == set(ROWS)
    assert not set(ORACLE["named"]) & DERIVED
    assert len(ORACLE["small"]) >= 90


@pytest.mark.parametrize("name", ROWS)
def test_totals_equal_the_exact_counts(name):
    count, row = parameters(model(name)), ROWS[name]
    assert count.total == int(row["params_exact"])
    assert count.active == (int(row["params_active"]) if row["params_active"] else count.total)


@pytest.mark.parametrize("name", ORACLE["named"])
def test_components_of_named_models_equal_the_oracle(name):
    assert components(parameters(model(name))) == ORACLE["named"][name]


@pytest.mark.parametrize("case", ORACLE["small"], ids=lambda case: case["family"])
def test_components_of_small_shapes_equal_the_oracle(case):
    assert components(parameters(transformer(name=case["family"], **case["fields"]))) == case["parameters"]


def test_correction_bias_is_counted_where_asked():
    def corrected(layer):
        experts = isinstance(layer.feed_forward, Experts)
        return replace(layer, feed_forward=replace(layer.feed_forward, correction_bias=True)) if experts else layer

    v3 = model("DeepSeek-V3 (main model)").mapped(corrected)
    assert parameters(v3).total == 671_026_404_352 + 58 * 256


@pytest.mark.parametrize("name", ROWS)
def test_kv_bytes_equal_the_table(name):
    assert kv_bytes_per_token(model(name)) == float(ROWS[name]["kv_bytes_per_token_bf16"])


# FLOPs, as PyTorch counts them


@pytest.mark.parametrize("case", ORACLE["flops"], ids=lambda case: case["kind"])
def test_flops_equal_the_oracle(case):
    shape = transformer(name=case["kind"], **case["fields"])
    for measured in case["flops"]:
        context = measured["context"]
        forward = forward_flops_per_token(shape, context, "full_context")
        training = training_flops_per_token(shape, context, "full_context")
        assert forward * context == pytest.approx(measured["prefill"], rel=1e-3)
        assert training * context == pytest.approx(measured["training"], rel=1e-3)
        again = 0
        if shape.latent:
            # That class decompresses the keys and values of every cached token again.
            width = shape.n_heads * (shape.qk_nope_head_dim + shape.v_head_dim)
            again = shape.n_layers * gemm_flops(context - 1, width, shape.kv_lora_rank)
            assert forward_flops_per_token(shape, context, "full_context", absorbed=True) < measured["decode"]
        assert forward + again == pytest.approx(measured["decode"], rel=1e-3)


def test_kinds_of_the_oracle():
    shapes = {case["kind"]: case["fields"] for case in ORACLE["flops"]}
    assert any(f["n_kv_heads"] == f["n_heads"] and not f.get("kv_lora_rank") for f in shapes.values())
    assert any(1 < f["n_kv_heads"] < f["n_heads"] for f in shapes.values())
    assert any(f["n_kv_heads"] == 1 for f in shapes.values())
    assert any(f.get("kv_lora_rank") for f in shapes.values())
    assert any(f.get("n_experts") and not f.get("kv_lora_rank") for f in shapes.values())


def test_absorbed_attention_equals_the_oracle():
    case = dict(ORACLE["absorbed"])
    context, measured = case.pop("context"), case.pop("flops")
    shape = arch(**case)
    up_projections = gemm_flops(case["n_heads"], case["kv_lora_rank"], case["qk_nope_head_dim"] + case["v_head_dim"])
    assert up_projections + context * attention_flops_per_key(shape, absorbed=True) == measured


def test_gpt3_is_close_to_six_flops_per_parameter():
    gpt3 = model("GPT-3 175B")
    assert training_flops_per_token(gpt3, 2048, "weights") / (6 * parameters(gpt3).total) == pytest.approx(1, rel=1e-3)


def test_palm_appendix_b():
    # 6 N + 12 L H Q T per trained token, with the whole context
    palm = model("PaLM 540B")
    attention = training_flops_per_token(palm, 2048, "full_context") - training_flops_per_token(palm, 2048, "weights")
    assert attention == 12 * 118 * 48 * 256 * 2048


@pytest.mark.parametrize("window", [None, 1, 5, 40])
def test_causal_is_the_mean_over_positions(window):
    shape = arch() if window is None else arch(window=window, n_window_layers=3)
    for context in (1, 2, 5, 17, 60):
        each = [forward_flops_per_token(shape, position, "full_context") for position in range(1, context + 1)]
        assert forward_flops_per_token(shape, context, "causal") == pytest.approx(sum(each) / context, rel=1e-12)


def test_causal_is_the_default():
    assert forward_flops_per_token(arch(), 100) == forward_flops_per_token(arch(), 100, "causal")
    assert training_flops_per_token(arch(), 100) == training_flops_per_token(arch(), 100, "causal")


# Traps that published calculators fell into


def test_trap_tied_embeddings_are_not_assumed():
    with pytest.raises(TypeError, match="tied_embeddings"):
        transformer(**{name: value for name, value in SIZES.items() if name != "tied_embeddings"})
    untied, tied = parameters(arch()), parameters(arch(tied_embeddings=True))
    assert untied.total - tied.total == untied.head == 64 * 1000
    assert matmul_parameters(arch(tied_embeddings=True)) == matmul_parameters(arch())


def test_trap_parameters_do_not_depend_on_tensor_parallelism():
    assert list(inspect.signature(parameters).parameters) == ["arch"]
    names = [*(field.name for field in fields(Architecture)), *SWITCHES]
    assert not [name for name in names if "parallel" in name or name == "tp"]
    # neither padded to a multiple of the split nor with key-value heads copied to each accelerator
    assert parameters(model("GPT-3 175B")).embedding == 50257 * 12288
    assert parameters(model("Llama 3.1 405B")).attention == 126 * 16384 * 128 * (128 + 8 + 8 + 128)


def test_trap_flops_of_experts_follow_top_k():
    per_expert = 3 * 2 * 3 * 64 * 100  # three MoE layers, gated
    flops = [forward_flops_per_token(arch(**EXPERTS | {"experts_per_token": k}), 1, "weights") for k in (1, 2, 8)]
    assert flops[1] - flops[0] == per_expert
    assert flops[2] - flops[0] == 7 * per_expert
    more = arch(**EXPERTS | {"n_experts": 16})
    assert forward_flops_per_token(more, 1, "weights") - forward_flops_per_token(arch(**EXPERTS), 1, "weights") == (
        3 * 2 * 64 * 8  # the wider router only
    )


def test_trap_kv_cache_holds_keys_and_values():
    assert kv_bytes_per_token(arch(), 1.0) == 4 * (2 * 12 + 2 * 12)


def test_trap_kv_cache_follows_grouped_queries():
    full = kv_bytes_per_token(arch(n_kv_heads=8))
    assert full == 4 * kv_bytes_per_token(arch(n_kv_heads=2)) == 8 * kv_bytes_per_token(arch(n_kv_heads=1))


def test_trap_latent_cache_holds_the_rotary_part_and_no_factor_two():
    assert kv_bytes_per_token(arch(**LATENT), 1.0) == 4 * (40 + 8)
    assert kv_bytes_per_token(model("DeepSeek-V3 (main model)")) == 61 * (512 + 64) * 2


def test_trap_head_dim_is_not_hidden_over_heads():
    with pytest.raises(TypeError, match="head_dim"):
        transformer(**{name: value for name, value in SIZES.items() if name != "head_dim"})
    assert arch(head_dim=None).head_dim == 8
    gemma = model("Gemma 7B")
    assert gemma.n_heads * gemma.head_dim == 4096 != gemma.hidden_size
    assert gemma.attention_parameters == 4 * 3072 * 4096
    assert kv_bytes_per_token(gemma) == 28 * 2 * 16 * 256 * 2
    assert attention_flops_per_key(gemma) == 4 * 16 * 256


def test_trap_gated_mlp_has_three_matrices():
    assert parameters(arch()).mlp == 4 * 3 * 64 * 100
    assert parameters(arch(gated_mlp=False)).mlp == 4 * 2 * 64 * 100
    assert arch(**EXPERTS).expert_parameters == 3 * 3 * 64 * 100
    assert parameters(arch(**EXPERTS)).shared_experts == 3 * 3 * 64 * 100


def test_trap_embedding_table_is_not_streamed():
    for shape in (arch(), arch(learned_positions=50)):
        count = parameters(shape)
        rows = 7 * 64 * (2 if count.positional else 1)
        assert streamed_parameters(shape, batch=7) == count.total - count.embedding - count.positional + rows
    # where the head is the table, it is read once, as head
    assert streamed_parameters(arch(tied_embeddings=True), batch=7) == parameters(arch(tied_embeddings=True)).total


def test_trap_distinct_experts_are_not_whole():
    shape = arch(**EXPERTS)
    steps = [streamed_parameters(shape, distinct) for distinct in (3, 3.5, 4, 8)]
    assert steps[1] - steps[0] == steps[2] - steps[1] == 0.5 * shape.expert_parameters
    count = parameters(shape)
    assert steps[3] == count.total - count.embedding + 64
    assert steps[0] == count.active - count.embedding + 64


def test_trap_active_share_is_not_cut_to_whole_numbers():
    shape = arch(**EXPERTS)
    assert parameters(shape).experts - parameters(shape).idle_experts == 3 * shape.expert_parameters


# Properties


@st.composite
def architectures(draw) -> Architecture:
    kv_heads, groups = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    layers = draw(st.integers(1, 6))
    changes = {
        "n_layers": layers,
        "hidden_size": draw(st.integers(1, 200)),
        "n_kv_heads": kv_heads,
        "n_heads": kv_heads * groups,
        "head_dim": draw(st.integers(1, 64)),
        "intermediate_size": draw(st.integers(1, 300)),
        "vocab_size": draw(st.integers(1, 500)),
        "norm": draw(st.sampled_from(["rms", "layer", "fixed", "layer_without_bias"])),
        "norms_per_layer": draw(st.integers(1, 4)),
        "learned_positions": draw(st.integers(0, 20)),
    }
    flags = ("tied_embeddings", "gated_mlp", "qkv_bias", "output_bias", "mlp_bias", "final_norm", "embedding_norm")
    changes |= {flag: draw(st.booleans()) for flag in flags}
    if draw(st.booleans()):
        experts = draw(st.integers(1, 12))
        changes |= {"n_experts": experts, "experts_per_token": draw(st.integers(1, experts))}
        changes |= {"n_shared_experts": draw(st.integers(0, 2)), "n_dense_layers": draw(st.integers(0, layers))}
        changes |= {"expert_bias": draw(st.booleans()), "router_bias": draw(st.booleans())}
    if draw(st.booleans()):
        changes |= LATENT | {"q_lora_rank": draw(st.sampled_from([None, 24]))}
    if draw(st.booleans()):
        changes |= {"window": draw(st.integers(1, 100)), "n_window_layers": draw(st.integers(1, layers))}
    return arch(**changes)


@given(shape=architectures())
def test_active_is_at_most_total(shape):
    count = parameters(shape)
    assert 0 < count.active <= count.total
    assert (count.active == count.total) == (count.idle_experts == 0)
    if not shape.n_experts:
        assert count.active == count.total and count.experts == count.router == 0
    assert matmul_parameters(shape) <= count.active + shape.vocab_size * shape.hidden_size
    assert count.total == sum(components(count).values())


@given(shape=architectures(), factor=st.integers(2, 5))
def test_layers_scale_linearly(shape, factor):
    longer = replace(shape, stack=tuple((factor * count, layer) for count, layer in shape.stack))
    one, many = parameters(shape), parameters(longer)
    for name in ("attention", "mlp", "experts", "shared_experts", "router", "biases", "idle_experts"):
        assert getattr(many, name) == factor * getattr(one, name)
    outside = 2 * shape.vocab_size * shape.hidden_size
    for convention in CONVENTIONS:
        once, often = (forward_flops_per_token(a, 33, convention) - outside for a in (shape, longer))
        assert often == pytest.approx(factor * once, rel=1e-12)
    assert kv_bytes(longer, 50, 3) == factor * kv_bytes(shape, 50, 3)


@given(shape=architectures(), context=st.integers(1, 10_000), absorbed=st.booleans())
def test_conventions_are_ordered(shape, context, absorbed):
    weights, causal, full = (forward_flops_per_token(shape, context, c, absorbed=absorbed) for c in CONVENTIONS)
    assert weights < causal <= full
    assert (causal == full) == (context == 1 or all(reach.window == 1 for reach in shape.reaches))
    assert training_flops_per_token(shape, context) == 3 * forward_flops_per_token(shape, context)


@given(shape=architectures(), context=st.integers(0, 10_000), batch=st.integers(0, 100))
def test_cache_grows_as_said_below_the_window(shape, context, batch):
    unwindowed = windowed(shape, None, 0)
    assert kv_bytes(unwindowed, context, batch) == pytest.approx(kv_bytes_per_token(shape) * context * batch)
    assert kv_bytes(shape, context, batch) <= kv_bytes(unwindowed, context, batch)
    if all(reach.window is None or context <= reach.window for reach in shape.reaches):
        assert kv_bytes(shape, context, batch) == kv_bytes(unwindowed, context, batch)


def test_windows_bound_cache_and_attention():
    shape = arch(window=100, n_window_layers=3)
    assert kv_bytes(shape, 1000, 2, 1.0) == 2 * 48 * (1000 + 3 * 100)
    attention = forward_flops_per_token(shape, 1000, "full_context") - forward_flops_per_token(shape, 1, "weights")
    assert attention == 4 * 8 * 12 * (1000 + 3 * 100)


@given(heads=st.integers(1, 16), head_dim=st.integers(1, 64), hidden=st.integers(1, 200))
def test_grouped_queries_with_all_heads_are_multi_head_attention(heads, head_dim, hidden):
    shape = arch(n_heads=heads, n_kv_heads=heads, head_dim=head_dim, hidden_size=hidden)
    assert shape.attention_parameters == 4 * hidden * heads * head_dim
    assert shape.kv_values_per_layer == 2 * heads * head_dim


@given(shape=architectures(), share=st.floats(0, 1), batch=st.integers(1, 64))
def test_streamed_lies_between_active_and_total(shape, share, batch):
    distinct = shape.experts_per_token + share * (shape.n_experts - shape.experts_per_token)
    streamed, count = streamed_parameters(shape, min(distinct, shape.n_experts), batch), parameters(shape)
    table = 0 if shape.tied_embeddings else count.embedding
    rows = batch * shape.hidden_size * (bool(table) + bool(count.positional))
    looked_up = table + count.positional
    assert count.active - looked_up <= streamed - rows <= count.total - looked_up


@given(shape=architectures())
def test_weight_bytes_split_into_matrices_and_the_rest(shape):
    total = parameters(shape).total
    assert weight_bytes(shape) == 2.0 * total
    assert weight_bytes(shape, 2.0, other_bytes_per_value=2.0) == 2.0 * total
    mixed = weight_bytes(shape, 0.5, other_bytes_per_value=2.0)
    assert mixed - weight_bytes(shape, 0.5) == 1.5 * sum(
        getattr(parameters(shape), name) for name in ("embedding", "positional", "router", "norms", "head", "biases")
    )


# Floats, arrays, quantities, no NumPy


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float64])
def test_arrays_give_what_numbers_give(dtype):
    contexts, batches = np.array([1, 700, 131_072], dtype), np.array([[1], [4096], [65_536]], dtype)
    for name in ("Mixtral 8x22B (v0.1 base, vocab 32000)", "Llama 3.1 405B", "DeepSeek-V3 (main model)"):
        shape = windowed(model(name), 4096, 7)
        for convention in ("causal", "full_context"):
            answer = forward_flops_per_token(shape, contexts, convention)
            assert answer.tolist() == [forward_flops_per_token(shape, int(c), convention) for c in contexts]
        cache = kv_bytes(shape, contexts, batches)
        assert cache.tolist() == [[kv_bytes(shape, int(c), int(b[0])) for c in contexts] for b in batches]
        distinct = np.linspace(shape.experts_per_token, shape.n_experts, 3)
        streamed = streamed_parameters(shape, distinct, batches)
        assert streamed.shape == (3, 3)
        assert streamed[2, 1] == streamed_parameters(shape, float(distinct[1]), 65_536)


def test_quantities_give_bytes():
    value = Q(2, "byte")
    assert kv_bytes_per_token(arch(), value).to("byte").magnitude == kv_bytes_per_token(arch())
    assert kv_bytes(arch(), 100, 3, value).to("byte").magnitude == kv_bytes(arch(), 100, 3)
    assert weight_bytes(arch(), value).to("byte").magnitude == weight_bytes(arch())


def test_room_works_without_numpy():
    code = f"""
import sys
for name in ("numpy", "pandas", "pint", "pydantic"):
    sys.modules[name] = None
from llm_economics.formulas.architecture import *
row = {ROWS["DeepSeek-V2"]!r}
shape = architecture_from_row(row)
print(parameters(shape).total, forward_flops_per_token(shape, 4096))
print(kv_bytes(shape, 4096, 2), streamed_parameters(shape, 8.5))
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    shape = model("DeepSeek-V2")
    assert int(answer[0]) == parameters(shape).total
    assert float(answer[1]) == forward_flops_per_token(shape, 4096)
    assert float(answer[2]) == kv_bytes(shape, 4096, 2)
    assert float(answer[3]) == streamed_parameters(shape, 8.5)


# Bad input


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"experts_per_token": 2}, "experts_per_token = '2' is not allowed: it must be 0 where n_experts is 0"),
        ({"n_shared_experts": 1}, "n_shared_experts = '1' is not allowed: it must be 0 where n_experts is 0"),
        ({"n_dense_layers": 1}, "n_dense_layers = '1' is not allowed: it must be 0 where n_experts is 0"),
        (
            EXPERTS | {"experts_per_token": 9},
            "experts_per_token = 9 is not allowed: it must be at least 1 and at most 8",
        ),
        (
            EXPERTS | {"experts_per_token": 0},
            "experts_per_token = 0 is not allowed: it must be at least 1 and at most 8",
        ),
        (EXPERTS | {"n_dense_layers": 5}, "n_dense_layers = 5 is not allowed: it must be at least 0 and at most 4"),
        ({"n_experts": -1}, "n_experts = -1 is not allowed: it must be at least 0"),
        ({"n_kv_heads": 3}, "n_kv_heads = '3' is not allowed: it must divide the 8 heads"),
        ({"n_layers": 0}, "n_layers = 0 is not allowed: it must be at least 1"),
        ({"hidden_size": -64}, "hidden_size = -64 is not allowed: it must be at least 1"),
        ({"vocab_size": 0}, "vocab_size = 0 is not allowed: it must be at least 1"),
        ({"head_dim": 0}, "head_dim = 0 is not allowed: it must be at least 1"),
        ({"intermediate_size": 10.5}, "intermediate_size = '10.5' is not allowed: it must be a whole number"),
        ({"n_layers": None}, "n_layers = 'None' is not allowed: it must be a whole number"),
        ({"n_heads": "many"}, "n_heads = 'many' is not allowed: it must be a whole number"),
        ({"tied_embeddings": "False"}, "tied_embeddings = 'False' is not allowed: it must be True or False"),
        ({"head_dim": None, "hidden_size": 60}, "head_dim = 'None' is not allowed: hidden_size = 60 is not a multiple"),
        ({"norm": "batch"}, "norm = 'batch' is not allowed: it must be one of rms, layer, layer_without_bias, fixed"),
        ({"qk_norm": "half"}, "qk_norm = 'half' is not allowed: it must be one of none, head, full"),
        (LATENT | {"qk_norm": "head"}, "qk_norm = 'head' is not allowed: latent attention has norms of its own"),
        ({"kv_lora_rank": 40}, "qk_nope_head_dim = 'None' is not allowed: latent attention needs it"),
        ({"q_lora_rank": 40}, "kv_lora_rank = 'None' is not allowed: latent attention needs it"),
        ({"window": 100}, "n_window_layers = '0' is not allowed: it must go with window = 100"),
        ({"n_window_layers": 2}, "n_window_layers = '2' is not allowed: it must go with window = None"),
        (
            {"window": 9, "n_window_layers": 5},
            "n_window_layers = 5 is not allowed: it must be at least 0 and at most 4",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_impossible_architectures_are_refused_in_one_line(changes, line):
    with pytest.raises(ParameterError) as error:
        arch(**changes)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: forward_flops_per_token(arch(), 0), "context = 0 is not allowed: it must be at least 1"),
        (lambda: forward_flops_per_token(arch(), 1, "half"), "convention = 'half' is not allowed: it must be one of"),
        (lambda: kv_bytes(arch(), -1), "context = -1 is not allowed"),
        (lambda: kv_bytes(arch(), 1, -1), "batch = -1 is not allowed"),
        (lambda: kv_bytes(arch(), 1, 1, 0), "bytes_per_value = 0 is not allowed: it must be above 0"),
        (lambda: kv_bytes_per_token(arch(), -2.0), "bytes_per_value = -2.0 is not allowed"),
        (lambda: weight_bytes(arch(), 0.0), "bytes_per_value = 0.0 is not allowed"),
        (lambda: weight_bytes(arch(), other_bytes_per_value=0), "other_bytes_per_value = 0 is not allowed"),
        (lambda: streamed_parameters(arch(), 1), "distinct_experts = 1 is not allowed"),
        (lambda: streamed_parameters(arch(**EXPERTS)), "distinct_experts = 0 is not allowed: it must be at least 3"),
        (lambda: streamed_parameters(arch(**EXPERTS), 8.5), "distinct_experts = 8.5 is not allowed"),
        (lambda: streamed_parameters(arch(), batch=0), "batch = 0 is not allowed: it must be at least 1"),
        (lambda: kv_bytes(arch(), np.array([5, -3])), "context = -3 is not allowed: it must be at least 0"),
    ],
)
def test_impossible_uses_are_refused_in_one_line(call, line):
    with pytest.raises(ParameterError) as error:
        call()
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"arch": "llama-ish"}, "Llama 2 7B: arch = 'llama-ish' is not allowed: it must be one of the families"),
        (
            {"tie_word_embeddings": ""},
            "Llama 2 7B: tie_word_embeddings = '' is not allowed: it must be one of True, False",
        ),
        ({"head_dim": ""}, "Llama 2 7B: head_dim = 'None' is not allowed: it must be a whole number"),
        ({"n_kv_heads": float("nan")}, "Llama 2 7B: n_kv_heads = 'None' is not allowed: it must be a whole number"),
        ({"n_layers": "32.5"}, "Llama 2 7B: n_layers = '32.5' is not allowed: it must be a whole number"),
        ({"n_kv_heads": "7"}, "n_kv_heads = '7' is not allowed: it must divide the 32 heads"),
    ],
)
def test_impossible_rows_are_refused_in_one_line(changes, line):
    with pytest.raises(ParameterError) as error:
        architecture_from_row(ROWS["Llama 2 7B"] | changes)
    assert str(error.value).startswith(line)


@pytest.mark.parametrize("name", ROWS)
def test_rows_may_hold_text_numbers_none_or_nan(name):
    numbers = {}
    for column, value in ROWS[name].items():
        try:
            numbers[column] = float(value)
        except ValueError:
            numbers[column] = value or float("nan")
    missing = {column: value or None for column, value in ROWS[name].items()}
    assert architecture_from_row(numbers) == architecture_from_row(missing) == model(name)
