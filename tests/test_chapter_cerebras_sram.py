"""The chapter under other assumptions, each result held against the library called directly."""

import math

import pytest
from chapter import Chapter, equal, flips, refuses

from llm_economics import facts
from llm_economics.formulas import cost, services, serving
from llm_economics.formulas.hardware import Link, System, bytes_per_value
from llm_economics.formulas.parallelism import Split

CHAPTER = Chapter("cerebras-sram")


def expected(p: dict) -> dict[str, float]:
    """The named results, from the library and from data alone."""
    kv = {"8B": 131072, "20B": 131072, "70B": 327680, "405B": 516096}
    parameters = {"8B": 8030261248, "20B": 20e9, "70B": 70553706496, "405B": 405853388800}
    unread = {"8B": 128256 * 4096, "70B": 128256 * 8192}  # one row of the embedding table is looked up
    size, context = bytes_per_value(p["weight_format"]), p["context_tokens"]
    weights = {name: n * size for name, n in parameters.items()}

    def wafers(name, sequences):
        return math.ceil((weights[name] + sequences * kv[name] * context) / 44e9)

    def share(name, speed):
        return speed * ((parameters[name] - unread[name]) * size + kv[name] * context) / 21e15

    def sequences(name, kept=0):
        return max(0, ((44e9 - kept) * wafers(name, 0) - weights[name]) // (kv[name] * context))

    def beside_an_engine(name, hidden, width):
        largest = max(8192 * 2 * (3 * hidden + 3 * width), 39 * 256 * 128_256)  # a pass, or the sampling
        return sequences(name, 0.1 * 44e9 + 0.3e9 + largest)

    arch = facts.model("Llama 3 70B")

    def explained(full, speed, n):
        """Share of a token's time that goes into reading, computing and crossing, one after another."""
        served = serving.model_from_architecture(facts.model(full), weights=p["weight_format"])
        cs3 = System("CS-3", facts.accelerator("WSE-3"), n, 1, Link("fabric", 1e15), Link("I/O", 150e9))
        step = serving.decode(served, cs3, 1, context, Split(pipeline=n)).step
        return speed * (step.memory_s + step.compute_s + step.link_s)

    in_70b, in_8b = explained("Llama 3 70B", 450, 4), explained("Llama 3 8B", 1800, 1)
    in_405b = explained("Llama 3.1 405B", 969, wafers("405B", 0))
    h100 = facts.accelerator("H100")
    full, nvlink = serving.model_from_architecture(arch), Link("NVLink", 450e9, 3e-6)
    speed = {
        n: 1 / serving.decode(full, System("H100s", h100, n, 8, nvlink), 1, 2185, bound="sum").seconds for n in (4, 8)
    }
    one_user = services.forecast(  # none of the chapter's parameters enters
        serving.model_from_architecture(facts.model("Llama 3.1 70B")), facts.system("H100", 8), 1.0, 2048.0, 256.0,
        Split(tensor=8), weights="bf16", arithmetic="bf16", kv="bf16",
    )  # fmt: skip
    azure = cost.blended_price(2.68, 3.54, 0.75)
    others = sorted([azure, 0.59 * 0.75 + 0.79 * 0.25, 0.99, 0.88, 1.0, 1.0 * 0.75 + 3.0 * 0.25])
    hourly = 4 * (p["wafer_usd"] / 4 / 8766 + 23 * 0.10)
    return {
        "bandwidth_at_10": 10 * 2 * parameters["70B"] / 1e12,
        "bandwidth_at_1000": 1000 * 2 * parameters["70B"] / 1e12,
        "h100_limit_70b": p["h100_bandwidth_tb_per_s"] * 1e12 / 2 / parameters["70B"],
        "speedup_4_to_8_h100": speed[8] / speed[4],
        "h100_service_70b": 1 / one_user.tpot_s,
        "sram_share_8b": share("8B", 1800),
        "sram_share_70b": share("70B", 450),
        "explained_share_70b": in_70b,
        "explained_share_405b": in_405b,
        "unexplained_per_layer": (1 - in_70b) / 450 / 80 * 1e6,
        "unexplained_per_layer_8b": (1 - in_8b) / 1800 / 32 * 1e6,
        "unexplained_per_layer_405b": (1 - in_405b) / 969 / 126 * 1e6,
        **{f"wafers_{name.lower()}": wafers(name, 0) for name in ("20B", "70B", "405B")},
        **{f"wafers_{name.lower()}_with_cache": wafers(name, p["batch"]) for name in ("20B", "70B", "405B")},
        **{f"sequences_{name.lower()}": sequences(name) for name in ("8B", "70B")},
        "sequences_8b_beside_an_engine": beside_an_engine("8B", 4096, 14336),
        "sequences_70b_beside_an_engine": beside_an_engine("70B", 8192, 28672),
        "price_against_azure": 0.6 / azure,
        "price_against_median": 0.6 / ((others[2] + others[3]) / 2),
        "streams_to_break_even": hourly / (450 * 4 * 3600 * 0.60e-6),
    }


test_results_equal_the_library = equal(
    CHAPTER,
    expected,
    dict(weight_format="fp8", context_tokens=2048, batch=100, wafer_usd=2.5e6),
    dict(context_tokens=32768, batch=20, h100_bandwidth_tb_per_s=3.0, wafer_usd=1e6, h100_usd_per_hour=5.0),
)


test_verdicts_flip_where_they_say = flips(
    CHAPTER,
    ("cerebras-001", "gpu_tokens_per_second", "holds if", "fails"),
    ("cerebras-019", "h100_bandwidth_tb_per_s", "fails", "holds if"),
    ("cerebras-027", "h100_bandwidth_tb_per_s", "holds", "fails"),
    ("cerebras-029", "small_chip_mb", "holds if", "fails"),
    ("cerebras-040", "h100_usd_per_hour", "fails", "holds"),
)


def test_eight_bits_make_at_least_four_wafers_fall():
    assert CHAPTER.verdict("cerebras-034") == "holds"
    assert CHAPTER.verdict("cerebras-034", weight_format="fp8") == "fails"
    assert CHAPTER.verdict("cerebras-016") == "holds if"
    assert CHAPTER.verdict("cerebras-016", batch=2) == "fails"


def test_the_latency_of_a_layer_is_net_for_all_three_models():
    """By hand: bytes ÷ 21 PB/s, FLOP ÷ 15 PFLOP/s and crossings at 150 GB/s, taken off the time of a token."""
    results = CHAPTER.results()
    models = {  # parameters read, KV bytes a token, layers, width, wafers, tokens per second
        "_8b": (8030261248 - 128256 * 4096, 131072, 32, 4096, 1, 1800),
        "": (70553706496 - 128256 * 8192, 327680, 80, 8192, 4, 450),
        "_405b": (405853388800 - 128256 * 16384, 516096, 126, 16384, 19, 969),
    }
    for name, (read, kv, layers, width, wafers, speed) in models.items():
        memory = (2 * read + kv * 8192) / 21e15
        compute = (2 * read + 4 * 8192 * layers * width) / 15e15  # attention: two products with each key's head
        known = memory + compute + (wafers - 1) * 2 * width / 150e9
        net = results[f"unexplained_per_layer{name}"]
        assert net == pytest.approx(1e6 * (1 / speed - known) / layers, rel=1e-3), name
        assert net < 1e6 / speed / layers
    assert results["explained_share_405b"] > 10 * results["explained_share_70b"]


def test_small_chips_are_named_as_the_assumption():
    groq = facts.fact("cerebras_groq", "LPU_v1_sram", "MB")
    assert groq == CHAPTER.defaults["small_chip_mb"]
    claim = CHAPTER.run()[0]["cerebras-029"]
    assert claim["verdict"] == "holds if" and "one like Groq's" in claim["condition"]
    assert claim["computed_value"] == pytest.approx(44e9 / (groq * 1e6), rel=1e-5)
    for mb, wanted in ((200.0, "fails"), (209.0, "fails"), (210.0, "holds if"), (231.0, "holds if"), (232.0, "fails")):
        assert CHAPTER.verdict("cerebras-029", small_chip_mb=mb) == wanted, mb


def test_memory_on_a_gpu_is_compared_in_decimal_megabytes():
    claim = CHAPTER.run()[0]["cerebras-017"]
    mebibytes = 50 + 2 * 132 * 256 / 1024
    assert claim["computed_value"] == pytest.approx(mebibytes * 1024 * 1024 / 1e6, rel=1e-5)
    assert "116 MiB or 122 MB" in claim["reason"]
    assert f"of an H100 {44e9 / (mebibytes * 1024**2):.3g}" in CHAPTER.run()[0]["cerebras-029"]["reason"]


test_bad_values_stop_with_one_line = refuses(
    CHAPTER,
    ({"batch": 0}, "batch = 0 is not allowed…"),
    ({"context_tokens": 1.5}, "context_tokens = '1.5' is not allowed…"),
    ({"weight_format": "int7"}, "weight_format = 'int7' is not allowed…"),
    ({"wafer_usd": -1.0}, "wafer_usd = -1.0 is not allowed…"),
    ({"h100_bandwidth_tb_per_s": 0.0}, "h100_bandwidth_tb_per_s = 0.0 is not allowed…"),
)
