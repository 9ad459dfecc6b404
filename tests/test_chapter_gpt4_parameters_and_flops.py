"""The chapter under other assumptions, each result held against the library called directly."""

import math

import pytest
from chapter import Chapter, equal, flips, refuses

from llm_economics import facts
from llm_economics.formulas import architecture

CHAPTER = Chapter("gpt4-parameters-and-flops")
PEAK = 128 * facts.accelerator("A100").peak("bf16")


def routed_loss(base: float, experts: float) -> float:
    """Loss of a routed model by the published fit: equation 1 and table 3 of arXiv:2202.01169, up to its constant."""
    saturated = 1 / (1 / (experts - 1 + 1 / (1 / 1.847 - 1 / 314.478)) + 1 / 314.478)
    return base**-0.082 * saturated ** (-0.108 + 0.009 * math.log10(base))


def deepseek_v3_flop() -> float:
    """Two FLOP for each matrix entry that a token meets, from the published shape (arXiv:2412.19437, section 4.2)."""
    d, heads, q, kv = 7168, 128, 1536, 512
    attention = d * q + q * heads * (128 + 64) + d * (kv + 64) + kv * heads * (128 + 128) + heads * 128 * d
    experts = (8 + 1) * 3 * d * 2048 + 256 * d  # routed, shared, and the router
    return 2.0 * (61 * attention + 3 * 3 * d * 18432 + 58 * experts + 129280 * d)


def expected(p: dict) -> dict[str, float]:
    """The named results, from the library and from data alone."""
    layers, expert, shared = p["gpt4_layers"], p["gpt4_expert_parameters"], p["gpt4_shared_parameters"]
    total = p["gpt4_experts"] * expert + shared
    active = p["gpt4_experts_per_token"] * expert + shared
    width = 128 * round((expert / layers / 8) ** 0.5 / 128)
    layer = architecture.transformer(
        name="one layer with multi-query attention", n_layers=1, hidden_size=width, n_heads=width // 128, n_kv_heads=1,
        head_dim=128, intermediate_size=4 * width, vocab_size=1, tied_embeddings=True, gated_mlp=False,
    )  # fmt: skip
    llama = architecture.parameters(facts.model("Llama 3 8B"))
    # three more sets of MLPs and a router of 4 outputs in each of 32 layers
    mixture = llama.total + 3 * llama.mlp + 32 * 4096 * 4
    served = 2 * architecture.parameters(facts.model("Llama 3.1 405B")).total * 542.5
    return {
        "total_parameters": total,
        "active_parameters": active,
        "tflop_per_token": 2 * active / 1e12,
        "tflop_per_token_dense": 2 * total / 1e12,
        "readers_if_printed": PEAK / 560e12 / 8.33,
        "readers_on_128_a100": PEAK / (2 * active) / 8.33,
        "largest_measured_share": served / facts.accelerator("H100").peak("fp8"),
        "width_from_attention": math.sqrt(shared / 4 / layers),
        "width_from_mlp": math.sqrt(expert / 8 / layers),
        "widths_that_print_both": [
            max(math.sqrt((shared - 5e8) / 4 / layers), math.sqrt((expert - 5e8) / 8 / layers)),
            min(math.sqrt((shared + 5e8) / 4 / layers), math.sqrt((expert + 5e8) / 8 / layers)),
        ],
        "mqa_attention_parameters": layers * layer.attention_parameters,
        "community_4x8b_total": mixture,
        "community_4x8b_by_hand": mixture,
        "loss_saved_by_64_experts_1b": 1 - routed_loss(1e9, 64) / routed_loss(1e9, 16),
        "loss_saved_by_64_experts_gpt4": 1 - routed_loss(active, 64) / routed_loss(active, 16),
        "size_at_which_more_experts_stop_helping": 10 ** (0.108 / 0.009),
        "times_the_work_of_deepseek_v3": 2 * active / deepseek_v3_flop(),
        "vision_parameters_if_flamingo": layers / 7 * 12 * width**2 + 435e6 + 194e6,
        "vision_tokens_share": 2e12 / p["gpt4_train_tokens"],
        "models_counted_to_the_last_parameter": len(facts.load("models")),
    }


test_results_equal_the_library = equal(
    CHAPTER,
    expected,
    dict(gpt4_experts=8, gpt4_expert_parameters=220e9),
    dict(gpt4_experts_per_token=4, gpt4_shared_parameters=30e9, gpt4_train_tokens=10e12, gpt4_layers=96),
)


def test_the_numbers_of_the_argument():
    results = CHAPTER.results()
    assert results["total_parameters"] == 1.831e12
    assert results["active_parameters"] == 277e9
    assert results["community_4x8b_total"] == pytest.approx(24.9e9, rel=2e-3)
    found = CHAPTER.verdicts()
    assert len(found) == 28
    assert found["gpt4-013"] == found["gpt4-015"] == "unit slip"
    assert found["gpt4-003"] == found["gpt4-004"] == found["gpt4-012"] == "adds up"
    assert found["gpt4-001"] == found["gpt4-033"] == found["gpt4-040"] == found["gpt4-042"] == "holds if"
    low, high = results["widths_that_print_both"]
    assert low < 10752 < high and not [d for d in range(128, 20000, 128) if low <= d < high and d != 10752]


def test_less_work_is_the_ratio_of_the_work_column():
    page = CHAPTER.path.read_text(encoding="utf-8")
    assert deepseek_v3_flop() == pytest.approx(73.2e9, rel=1e-3)
    assert f"{554e9 / deepseek_v3_flop():.2f} times less work for a token" in page


def test_the_mixture_weighs_what_its_files_weigh():
    files = facts.fact("gpt4_context", "mixture_4x8b_weights", "GB")
    assert CHAPTER.results()["community_4x8b_total"] * 2 / 1e9 == pytest.approx(files, abs=0.03)


def test_more_experts_help_less_the_larger_the_model():
    small, large = (CHAPTER.run(gpt4_expert_parameters=size)[1] for size in (1e9, 400e9))
    name = "loss_saved_by_64_experts_gpt4"
    assert small[name]["value"] > large[name]["value"] > 0
    assert CHAPTER.results(gpt4_expert_parameters=500e9)[name] < 0


def test_the_other_rumour_flips_the_active_count():
    verdicts, _ = CHAPTER.run(gpt4_experts=8, gpt4_expert_parameters=220e9)
    assert verdicts["gpt4-004"]["verdict"] == "adds up"
    assert verdicts["gpt4-012"]["verdict"] == "fails"
    assert verdicts["gpt4-013"]["verdict"] == "fails"


test_verdicts_flip_where_they_say = flips(
    CHAPTER,
    ("gpt4-001", "gpt4_train_tokens", "fails", "holds if"),
    ("gpt4-003", "gpt4_expert_parameters", "fails", "adds up"),
    ("gpt4-004", "gpt4_expert_parameters", "adds up", "fails"),
    ("gpt4-012", "gpt4_expert_parameters", "fails", "adds up"),
    ("gpt4-013", "gpt4_expert_parameters", "fails", "unit slip"),
)


test_bad_values_stop_with_one_line = refuses(
    CHAPTER,
    ({"gpt4_experts": 0}, "gpt4_experts = 0 is not allowed: it must be at least 1 and at most 100000"),
    (
        {"gpt4_experts_per_token": 17},
        "gpt4_experts_per_token = 17 is not allowed: it must be at most gpt4_experts = 16",
    ),
    ({"gpt4_layers": 0}, "gpt4_layers = 0 is not allowed: it must be at least 1 and at most 10000"),
    (
        {"gpt4_shared_parameters": -1.0},
        "gpt4_shared_parameters = -1.0 is not allowed: it must be above 0 and at most 1e+13",
    ),
)  # fmt: skip
