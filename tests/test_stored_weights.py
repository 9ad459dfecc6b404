"""What weights take in each format, by hand from the schemes, and that every command counts the same bytes."""

import json
from functools import partial
from itertools import product

import pytest
from command import Command
from test_quantisation import CASES, pack, write_config, write_weights

from llm_economics import facts
from llm_economics.checkpoints import stored
from llm_economics.checkpoints.published import stored_as
from llm_economics.evidence import deployments
from llm_economics.formulas import services
from llm_economics.formulas.elementwise import ParameterError
from llm_economics.formulas.hardware import SCHEMES, STORED_BYTES
from llm_economics.formulas.serving import model_from_parameters, stored_in

service, model = Command("service"), Command("model")
ON = ("--system", "B200", "--accelerators", 8, "--concurrency", 1)


def plain(o, i):
    return 2 * o * i


def packed_32(o, i):
    """compressed-tensors: eight weights of 4 bits a word, a BF16 scale for 32, the shape as two numbers of 64 bits."""
    return 4 * o * i // 8 + 2 * o * i // 32 + 16


def gptq(o, i, indices=True):
    """Eight weights a word, for 128 of them a scale of 16 bits and a zero point of 4, and a number of each column's
    group."""
    return 4 * (i // 8) * o + 2 * (i // 128) * o + 4 * (i // 128) * (o // 8) + 4 * i * indices


awq = partial(gptq, indices=False)


def symmetric(o, i):
    """compressed-tensors' W4A16: eight weights a word, a BF16 scale for 128, the shape."""
    return o * i // 2 + 2 * o * i // 128 + 16


def micro(o, i, size=1 / 2):
    """A byte for 32 weights."""
    return int(size * o * i) + o * i // 32


def blocks(o, i):
    """FP8: four bytes for each block of 128 x 128, those at the edge among them."""
    return o * i + 4 * -(-o // 128) * -(-i // 128)


def nvfp4(o, i):
    """Two weights a byte, a byte for 16, and two scalars."""
    return o * i // 2 + o * i // 16 + 8


def llama_70b(linear):
    """80 layers of seven matrices in ``linear``; norms, table and head in 16 bits."""
    layer = 2 * linear(8192, 8192) + 2 * linear(1024, 8192) + 2 * linear(28672, 8192) + linear(8192, 28672)
    return 80 * (layer + 2 * 2 * 8192) + 2 * 8192 + 2 * 2 * 128256 * 8192


def latent(heads, experts, dense, vocabulary, routed, shared, query_key, output):
    """61 layers of latent attention 7168 wide, ``dense`` of them without experts of 2,048; a format for each kind."""
    attention = query_key(1536, 7168) + query_key(192 * heads, 1536) + query_key(576, 7168)
    attention += query_key(256 * heads, 512) + output(7168, 128 * heads) + 2 * (1536 + 512 + 2 * 7168)
    mlp = lambda form, width: 2 * form(width, 7168) + form(7168, width)  # noqa: E731
    sparse = experts * mlp(routed, 2048) + mlp(shared, 2048) + plain(experts, 7168) + 4 * experts  # and corrections
    return 61 * attention + dense * mlp(shared, 18432) + (61 - dense) * sparse + 2 * 7168 + 2 * plain(vocabulary, 7168)


kimi, deepseek = partial(latent, 64, 384, 1, 163840), partial(latent, 128, 256, 3, 129280)


def gpt_oss():
    """Experts of 2,880 in groups of 32 with a byte each; all else in 16 bits, biases and sinks of attention as well."""
    experts = 128 * (2 * 2880 + 2880) * 2880 * 17 // 32 + 2 * 128 * (2 * 2880 + 2880)
    attention = 2 * 2880 * 4096 + 2 * 512 * 2880 + 4096 + 2 * 512 + 2880 + 64
    return 36 * (experts + 2 * (attention + 2 * 2880 + 128 * 2880 + 128)) + 2 * (2880 + 2 * 201088 * 2880)


HELD = {
    ("Kimi-K2.5", "int4"): kimi(packed_32, plain, plain, plain),
    ("Kimi-K2.5", "fp8"): kimi(*[blocks] * 4),
    ("DeepSeek-V3", "fp8"): deepseek(*[blocks] * 4),
    ("DeepSeek-V3", "fp4"): deepseek(nvfp4, nvfp4, plain, nvfp4),
    ("DeepSeek-V3", "int4"): deepseek(*[awq] * 4),
    ("DeepSeek-V3", "bf16"): deepseek(*[plain] * 4),
    ("gpt-oss-120b", "fp4"): gpt_oss(),
    ("Llama 3 70B", "bf16"): llama_70b(plain),
    ("Llama 3 70B", "fp8"): llama_70b(blocks),
    ("Llama 3 70B", "fp4"): llama_70b(nvfp4),
    ("Llama 3 70B", "int4"): llama_70b(awq),
}


NAMED = {"mxfp4": micro, "nvfp4": nvfp4, "mxfp8": partial(micro, size=1), "awq": awq, "gptq": gptq, "w4a16": symmetric}
HELD |= {("Llama 3 70B", scheme): llama_70b(form) for scheme, form in NAMED.items()}
HELD |= {("DeepSeek-V3", scheme): deepseek(*[NAMED[scheme]] * 4) for scheme in ("mxfp8", "awq", "gptq", "w4a16")}
HELD |= {("DeepSeek-V3", scheme): deepseek(*[NAMED[scheme]] * 2, plain, NAMED[scheme]) for scheme in ("mxfp4", "nvfp4")}
HELD |= {("Kimi-K2.5", "w4a16"): HELD["Kimi-K2.5", "int4"], ("gpt-oss-120b", "mxfp4"): gpt_oss()}


def test_the_checkpoints_by_hand_are_those_that_are_published():
    assert HELD["Kimi-K2.5", "int4"] == 594_206_457_856
    assert HELD["gpt-oss-120b", "fp4"] == 65_248_815_744
    assert HELD["DeepSeek-V3", "fp8"] == 673_150_611_808


@pytest.mark.parametrize(("name", "weights"), HELD)
def test_every_command_counts_the_bytes_of_the_scheme(name, weights):
    """To the byte, but for a value for each expert that only files of some makers have beside the router."""
    held = pytest.approx(HELD[name, weights], abs=4 * 60 * 384)
    assert stored_as(facts.published(name), weights).bytes == held
    assert service.answer(name, *ON, "--weights", weights)["held_bytes"] == held
    asked = ("--system", "B200", "--accelerators", 8, "--weights", weights)
    assert model.answer(name, *asked)["held_bytes"] == held


PUBLISHED_AS = {
    "mxfp4": {"gpt-oss-20b", "gpt-oss-120b", "DeepSeek-V4-Flash", "DeepSeek-V4-Pro"},
    "nvfp4": {"Gemma 4 31B"},
    "w4a16": {"Kimi-K2.5"},
}


@pytest.mark.parametrize("scheme", NAMED)
def test_every_model_counts_the_scales_of_the_scheme_that_is_named(scheme):
    """Its own weights where it is published so, else those of the scheme, never another's of the same width."""
    for row in facts.records("models"):
        published = facts.published(row["model"])
        own, found = published.checkpoint, stored_as(published, scheme)
        said = {"w4a16": "compressed-tensors int4"}.get(scheme, scheme)
        if row["model"] in PUBLISHED_AS.get(scheme, ()):
            assert found is own, row["model"]
        else:
            assert said in found.scheme and found.weights == SCHEMES[scheme], row["model"]
        counted = stored_in(deployments.served(row["model"]), scheme)
        assert services.held_bytes(deployments.served(row["model"]), scheme) == pytest.approx(found.loaded_bytes)
        assert (counted.weights, counted.scheme) == (scheme, found.scheme)


@pytest.mark.parametrize("weights", ["MXFP4", "nvfp4", "AWQ", "w4a16", "W4A16_NVFP4", "mxfp8", "fp8"])
def test_a_scheme_is_asked_for_by_every_command_and_table(weights):
    values = {"m": "fp4", "n": "fp4", "a": "int4", "w": "int4", "f": "fp8"}[weights[0].lower()]
    values = {"W4A16_NVFP4": "fp4", "mxfp8": "fp8"}.get(weights, values)
    asked = ("DeepSeek-V3", "--system", "B200", "--accelerators", 8, "--weights", weights)
    one, other = service.answer(*asked, "--concurrency", 1), model.answer(*asked)
    assert one["weights"] == other["precisions"]["weights"] == values and one["scheme"] == other["scheme"]
    assert one["held_bytes"] == pytest.approx(other["held_bytes"])
    row = {"model": "DeepSeek-V3", "hardware": "b200", "n_acc": "8", "precision": weights, "isl": "1", "osl": "1"}
    told = deployments.asked(row | {"concurrency": "1"})
    assert services.held_bytes(deployments.served(told.name), told.weights) == one["held_bytes"]


NAMES = {
    ("amd/DeepSeek-R1-0528-MXFP4-Preview", ""): "mxfp4",
    ("amd/DeepSeek-R1-0528-MXFP4-Preview", "fp4"): "mxfp4",
    ("amd/DeepSeek-R1-0528-MXFP4-Preview", "fp8"): "fp8",
    ("Qwen/Qwen3-32B-AWQ", ""): "awq",
    ("Qwen/Qwen3-32B-AWQ", "int4"): "awq",
    ("Qwen/Qwen3-32B", "nvfp4"): "nvfp4",
    ("RedHatAI/Llama-3.3-70B-Instruct-quantized.w4a16", ""): "w4a16",
    ("nvidia/Llama-3.3-70B-Instruct-FP4", ""): "fp4",
}


@pytest.mark.parametrize(("name", "said"), NAMES)
def test_a_models_name_says_its_scheme_to_service_tables_and_measured(name, said, tmp_path):
    """A row's floor, a table's and that of one question are of the same bytes."""
    asked = ("--system", "B200", "--accelerators", 8, "--concurrency", 8, "--input", 1024, "--output", 128)
    options = ("--weights", said) if said else ()
    one = service.answer(name, *asked, *options)
    path = tmp_path / "rows.csv"
    path.write_text(f"model,hardware,n_acc,precision,isl,osl,concurrency,tpot_ms\n{name},b200,8,{said},1k,128,8,9\n")
    (row,) = service.answer("--rows", path)["rows"]
    (own,) = Command("measured").answer(path)["rows"]
    assert row["floor_ms"] == pytest.approx(one["tpot_ms"]["floor"]) and one["weights"] == own["weights"]
    assert row["forecast_ms"] == pytest.approx(own["forecast_ms"])
    assert one["held_bytes"] == services.held_bytes(deployments.served(deployments.model_name(name)), NAMES[name, said])
    assert own["input_tokens"] == 1024


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("amd/DeepSeek-R1-0528-MXFP4-Preview", "mxfp4"),
        ("nvidia/gpt-oss-120b-NVFP4", "nvfp4"),
        ("Qwen/Qwen3-32B-AWQ", "awq"),
        ("openai/gpt-oss-120b-w-mxfp4", None),
        ("moonshotai/Kimi-K2.5-W4A16", None),
    ],
)
def test_a_name_of_another_scheme_than_the_catalogs_is_noted(name, other):
    notes = [note for note in model.answer(name)["notes"] if note.startswith("the name says")]
    assert [note.rpartition(": ")[2] for note in notes] == ([f"--weights {other} counts the other"] if other else [])


def test_the_leaked_gpt4_is_held_alike_by_service_and_frontier():
    """Scales as of any model that is not published in a format, and attention in 16 bits beside experts in four."""
    for weights in ("fp8", "fp4", "mxfp4", "int4", "bf16"):
        told = service.answer("gpt-4-leak", "--system", "GB200 NVL72", "--concurrency", 1, "--weights", weights)
        searched = facts.served_models("gpt-4-leak", (weights,))[weights]
        assert told["held_bytes"] == pytest.approx(searched.weight_bytes)
        assert searched.expert_bytes == 111e9 * STORED_BYTES[weights]


def test_a_checkpoint_in_a_folder_is_held_as_it_declares(tmp_path):
    """GPTQ stores the group of every column, which the usual scheme for 4 bits does not."""
    config = {
        "model_type": "llama", "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
        "num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 128256, "torch_dtype": "bfloat16",
        "quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True},
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    found = service.answer(tmp_path, *ON)
    assert (found["weights"], found["held_bytes"]) == ("int4", llama_70b(gptq))
    assert service.answer(tmp_path, *ON, "--weights", "fp8")["held_bytes"] == llama_70b(blocks)


def test_what_is_stored_decides_what_fits():
    """594 GB of Kimi K2.5 do not fit into eight times 80 GB, of which an engine fills nine tenths; 513 GB would."""
    asked = ("Kimi-K2.5", "--system", "H100", "--accelerators", 8)
    found = service.answer(*asked, "--concurrency", 1)
    assert found["fits"] is False and 8 * 0.9 * 80 * 2**30 - found["held_bytes"] < 8 * 3.5e9
    assert model.answer(*asked)["fits"] is False
    assert service.answer("Kimi-K2.5", "--system", "H200", "--accelerators", 8, "--concurrency", 1)["fits"] is True


@pytest.mark.parametrize(("name", "count"), [("Kimi-K2.5", 8), ("gpt-oss-120b", 1), ("Llama 3 70B", 2)])
def test_a_service_holds_as_many_tokens_as_the_table_says(name, count):
    """Room for the cache is what ``model`` says, for formats of all widths."""
    for weights, system in product(("fp8", "fp4", "int4"), ("H200", "B200", "MI325X")):
        asked = ("--system", system, "--accelerators", count, "--weights", weights, "--kv", "bf16")
        found = model.answer(name, *asked, "--context", 4096)
        held = services.sequences_held(
            deployments.served(name), facts.system(system, count), 4096.0, weights=weights, kv="bf16"
        )
        assert held * 4096 == pytest.approx(found["cache_tokens"], abs=1) or (held < 0 and not found["fits"])


def test_a_step_reads_the_scales():
    """The experts of Kimi K2.5 in groups of 32: an eighth more than their values."""
    counted, system = deployments.served("Kimi-K2.5"), facts.system("H200", 8)
    work = services.work(counted, system, 1e9, 1.0, 1.0, weights="int4")
    read = work.expert_read_s * 8 * system.accelerator.memory_bandwidth
    assert read == pytest.approx(60 * 384 * (2 * packed_32(2048, 7168) + packed_32(7168, 2048)), rel=1e-6)
    assert work.dense_bits == 16
    common = work.dense_read_s * 8 * system.accelerator.memory_bandwidth
    values = kimi(lambda o, i: 0, plain, plain, plain) - plain(163840, 7168)  # of the table a row is read
    assert common == pytest.approx(values)


def test_bare_counts_take_the_usual_scheme():
    """One scale of 4 bytes for 128 x 128, a byte for 16, and 2.5 bytes for 128; 16 bits outside experts in 4 bits."""
    assert STORED_BYTES["fp8"] == (128**2 + 4) / 128**2
    assert STORED_BYTES["fp4"] == 9 / 16 and STORED_BYTES["int4"] == 66.5 / 128
    dense, mixture = model_from_parameters("d", 70e9), model_from_parameters("m", 10e9, 1e9, 64, 4)
    assert services.held_bytes(dense, "int4") == 70e9 * 66.5 / 128
    assert services.held_bytes(mixture, "fp4") == 20e9 + 64e9 * 9 / 16
    assert stored_in(mixture, "fp4", "fp8").common_bytes == 10e9 * STORED_BYTES["fp8"]
    with pytest.raises(ParameterError, match="weights = 'fp5' is not allowed"):
        stored_in(dense, "fp5")


def test_what_is_held_outside_experts_is_told_by_its_most_bytes():
    for name, weights, outside in (
        ("Kimi-K2.5", "int4", "bf16"),
        ("Kimi-K2.5", "fp8", "fp8"),
        ("DeepSeek-V3", "fp4", "bf16"),
        ("DeepSeek-V4-Flash", "fp4", "fp8"),
        ("Qwen3-235B-A22B", "int4", "int4"),
        ("Llama 3 70B", "fp4", "fp4"),
    ):
        assert stored_in(deployments.served(name), weights).dense == outside, (name, weights)


FILES = (
    "llA-ar-W4A16-auto_awq", "llA-ar-W4A16-auto_gptq", "llA-nf4", "llB-mo-NVFP4-kv", "llD-mlx-mixed", "moA-ct-W4A16",
    "moA-fp8", "moA-nf4", "moC-mo-NVFP4_EXP", "mx-mo-NVFP4", "ds3-mo-NVFP4", "oss-mo-FP8",
)  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_files_of_the_tools_themselves_are_held_as_they_are(name, tmp_path):
    case = CASES[name]
    write_config(tmp_path, case)
    write_weights(tmp_path, pack.unpacked(case["tensors"]))
    one = ("--system", "B200", "--accelerators", 1)
    found, counted = service.answer(tmp_path, *one, "--concurrency", 1), model.answer(tmp_path, *one)
    assert found["held_bytes"] == pytest.approx(counted["held_bytes"], abs=0.5)
    assert found["held_bytes"] == pytest.approx(stored.read_checkpoint(tmp_path).loaded_bytes, abs=0.5)
