"""Questions to every public formula, asked in CPython here and in MicroPython in a browser: x, s and n are drawn.

``x`` is a size (1 to 10^6), ``s`` a share, ``n`` and ``m`` whole numbers. Both Pythons run this very file.
"""

from dataclasses import fields
from fractions import Fraction

from llm_economics.checkpoints import config, families, files, methods, quantisation, shapes, stored
from llm_economics.formulas import (
    architecture,
    attribution,
    blocks,
    cost,
    elementwise,
    hardware,
    memory,
    parallelism,
    questions,
    recurrences,
    routing,
    services,
    serving,
    speculation,
    splits,
    training,
)
from llm_economics.formulas.hardware import Accelerator, Link, System
from llm_economics.formulas.parallelism import Split

H100 = Accelerator("H100", 80e9, 3.35e12, {"bf16": 989.4e12, "fp8": 1979e12}, {"bf16": 1979e12}, maker="Nvidia")
SYSTEM = System("64 x H100", H100, 64, 8, Link("NVLink", 450e9, 1e-6), Link("InfiniBand", 50e9, 5e-6))
TEN = shapes.SimpleNamespace(layers=10)
KINDS = ("mixtral", "llama", "deepseek_v3", "gpt_oss", "jamba", "deepseek_v32", "gemma3_text", "qwen3_next")
EXPERTS = dict(expert_bytes=4e9, experts=64, experts_per_token=8)


def arch(n):
    return families.read({"model_type": KINDS[n % len(KINDS)]}).architecture


def served(n):
    return serving.model_from_architecture(arch(n), kv="fp8")


def split(n):
    return Split(tensor=2 ** (n % 4), pipeline=1 + n % 2, data=2, expert=1 + n % 2)


def plain():
    return architecture.transformer(
        name="plain",
        n_layers=4,
        hidden_size=512,
        n_heads=8,
        n_kv_heads=2,
        head_dim=64,
        intermediate_size=1024,
        vocab_size=1000,
        tied_embeddings=False,
    )


ROW = {
    "model": "a row", "arch": "llama GQA", "tie_word_embeddings": "False", "n_layers": "4", "hidden_size": "512",
    "n_heads": "8", "n_kv_heads": "2", "head_dim": "64", "intermediate_size": "1024", "vocab_size": "1000",
}  # fmt: skip
ATTENTION = blocks.GroupedAttention(heads=8, kv_heads=2, head_dim=64, qk_norm="head", gate="head", sinks=True)
LATENT = blocks.LatentAttention(heads=8, rank=64, nope=32, value_dim=32, rope=16, query_rank=48)
BLOCKS = (
    ATTENTION,
    LATENT,
    blocks.CompressedAttention(heads=8, head_dim=64, query_rank=64, output_rank=32, output_groups=2, window=128,
                               ratio=4, index_heads=4, index_dim=16, index_tokens=64),
    blocks.Listed(listed=(blocks.vector("a", "mlp", 5),), reached=ATTENTION.reaches, kept=3, flops=7),
    blocks.Several(blocks=(ATTENTION, recurrences.Mamba(width=64, state_size=16, conv_width=4, dt_rank=8))),
    blocks.Dense(width=1024, bias=True),
    blocks.Experts(width=256, experts=8, per_token=2, shared_width=128, shared_gate=True),
    recurrences.RecurrentUnit(width=64, n_blocks=4, conv_width=4),
    recurrences.Mamba2(heads=8, head_dim=16, groups=2, state_size=32, conv_width=4),
    recurrences.DeltaNet(key_heads=4, value_heads=8, key_dim=16, value_dim=16, conv_width=4),
    recurrences.KimiDelta(heads=8, head_dim=16, conv_width=4),
    recurrences.LightningAttention(heads=8, head_dim=16),
    recurrences.ShortConvolution(taps=3, width=64),
)  # fmt: skip


def of_block(block):
    answers = [block.weights(512), block.reaches, block.state_values, block.wide_state_values, block.state_flops]
    weights = [(w.parameters, w.active, w.idle) for w in block.weights(512)]
    return [*answers, block.cache_heads, block.shares, weights, hash(block) == hash(block)]


def of_architecture(n):
    a = arch(n)
    numbers = [a.n_layers, a.attention_layers, a.moe_layers, a.n_experts, a.experts_per_token, a.expert_parameters]
    more = [a.attention, a.attention_parameters, a.router_parameters, a.kv_values_per_layer, a.latent, a.cache_heads]
    return [*numbers, *more, a.shares, a.kinds, a.mapped(lambda layer: layer) == a, architecture.parameters(a).active]


def of_service(n, x):
    one = serving.decode(served(n), SYSTEM, 1 + x, 4096, split(n))
    rates = [one.seconds, one.tokens_per_second_per_user, one.tokens_per_second, one.tokens_per_second_per_accelerator]
    return [*rates, one.mbu, one.mfu, one.step.binds, one.step.binding]


def powers(x, s):
    """Powers enough that some differ in their last bit between the libraries of two machines."""
    return [(x + i) ** (s + i / 997) for i in range(2000)]


def of_forecast(n, x, s):
    form = ("bf16", "fp8", "fp4", "int4")[n % 4]
    found = services.forecast(served(n), SYSTEM, 1 + x % 500, 1 + x, 512, weights=form, cached_share=s, drafted=n % 3)
    return [found, found.terms.binds, found.terms.decode_s, found.terms.seconds]


def of_work(n, x):
    found = services.work(served(n), SYSTEM, 1 + x % 300, 1024, 128, weights="fp8")
    return [found, services.terms(services.constants(), found), services.recorded()["constants"]]


def of_model(n, x):
    m = served(n)
    return [m.weight_bytes, m.kv_bytes(x), m.kv_bytes_read(x), m.attention_flops(x), m.prompt_flops(x), m.reaches,
            m.expert_bytes_read(1 + x), m.is_moe, m.has_state]  # fmt: skip


def of_shares(n):
    a = served(n).shares
    return [a.divided(n), a.padded(n), a.paddable(n), a.why_not(n), a]


def of_training(n):
    known = {"flops": 3e24, "mfu": 0.4, "peak_flops": 1e15, "accelerators": 1000.0 * n, "price": 0.001}
    return training.solve(**known)


def of_format(n, m):
    formats = [
        quantisation.fp8_block(128, 128), quantisation.fp8_row(4), quantisation.fp8_tensor(8), quantisation.int8_row(2),
        quantisation.packed(4, 128, 2), quantisation.gptq(4, 128), quantisation.awq(4, 128),
        quantisation.fp4_group("nvfp4", 16, 8), quantisation.micro(8),
        quantisation.bitsandbytes_4bit("nf4", nested=True),
    ]  # fmt: skip
    form = formats[n % len(formats)]
    return [form.name, form.size(64 * m, 32 * n), form.keeps(64 * m, 32 * n)]


VECTORS = {"vector_lens": [4, 8], "num_centroids": [64, 256], "num_res_centroids": [-1, 16], "outlier_size": 2}
DECLARED = {
    "torchao": {"quant_type": {"default": {"_type": "Int8WeightOnlyConfig", "_data": {"group_size": 32}}}},
    "quanto": {"weights": "int4"}, "hqq": {"quant_config": {"weight_quant_params": {"nbits": 3, "group_size": 64}}},
    "sinq": {"nbits": 5}, "metal": {"bits": 2}, "aqlm": {"num_codebooks": 2, "nbits_per_codebook": 8},
    "vptq": {"config_for_layers": {"a.b": VECTORS}}, "spqr": {"shapes": {"a.b.dense_weights.shape": 77}},
    "higgs": {"bits": 3}, "exl2": {"bits": 4.25}, "exl3": {"bits": 3.0, "head_bits": 8},
    "bitnet": {"use_rms_norm": True},
    "gemma": {"module_quant_configs": {"b": {"num_bits": 2}}}, "eetq": {}, "fp-quant": {"forward_dtype": "mxfp4"},
}  # fmt: skip


def of_methods(n, m):
    found = [methods.METHODS[method](DECLARED[method], {}) for method in sorted(DECLARED)]
    found.append(methods.quanto_map({"a.b": {"weights": "qint2"}}, {}))
    return [[one.scheme, one.warnings, one.format_of("a.b").size(64 * m, 32 * n)] for one in found]


def of_config(given):
    found = families.read(given)
    checkpoint = stored.read_checkpoint(given, found.architecture)
    what = [found.model_type, found.architecture, found.fields, found.defaulted, found.notes, found.parts]
    rest = [quantisation.declared(given).quantised, checkpoint, checkpoint.bits_per_parameter, checkpoint.loaded_bytes]
    return [*what, found.max_context, families.arrangement(found.architecture), *rest]


def names(n):
    return "abcdef"[: 1 + n % 6]


def factors(x, s, n):
    return dict(zip(names(n), (x, s, 1 + s, 2.5, 3.0, x + s), strict=False))


def of_fields():
    given = {"num_hidden_layers": 2, "layer_types": ["full_attention", "sliding_attention"], "torch_dtype": "float16"}
    its = config.Fields("llama", given, [])
    words = config.Fields("gpt_oss", given, []).words("layer_types", ("full_attention", "sliding_attention"))
    return [words, its.extra("none", 3), its.flag("attention_bias"), config.outer_classes()["gemma3"],
            quantisation.stored_dtype(given), quantisation.dtype_bytes(given), quantisation.side_file(None),
            config.load('{"b": 1, "a": [2.5, "é"]}')[0]]  # fmt: skip


QUESTIONS = {
    "elementwise": lambda x, s, n, m: [
        elementwise.maximum(x, n),
        elementwise.minimum(x, n),
        elementwise.where(s > 0.5, x, n),
        elementwise.floor(x),
        elementwise.ceil(x),
        elementwise.log2(x),
        elementwise.every(True),
        elementwise.known(s > 0.5),
        elementwise.cleaned(f"a\u200b{x}\n b" * n),
        elementwise.shown(x),
        elementwise.shown([1] * n),
        elementwise.check_range("x", x, 0),
        elementwise.check_choice("n", n, (n, m)),
        elementwise.shown(f"é'{x}"),
    ],
    "written": lambda x, s, n, m: [
        f"{x:g} {x:.3g} {x!r} {x:,.0f} {s:.1%} {n:>5} {n:,} {x * 1e9:,.1f} {s:.2e} {x:8.3f}|{s:<9.2f}|{-x:+.1f}",
        f"{n / 8:.2f} {n / 2:.0f} {m * 10**n:,} {x * 10.0**n} {s / 10**n}",
        str(x),
        repr([s, {"a": x}]),
    ],
    "refusals": lambda x, s, n, m: elementwise.check_range("x", x, x * (1 + s)),
    "refusals of choices": lambda x, s, n, m: elementwise.check_choice("x", x, ("a", n)),
    "refusals of fields": lambda x, s, n, m: blocks.GroupedAttention(heads=n, kv_heads=x, head_dim=64),
    "refusals of rates": lambda x, s, n, m: H100.check_within_peak("rate", x * 1e15),
    "hardware": lambda x, s, n, m: [
        hardware.bytes_per_value("fp8"),
        H100.peak("fp8"),
        H100.peak(sparse=True),
        SYSTEM.memory_bytes,
        SYSTEM.memory_bandwidth,
        SYSTEM.peak("bf16"),
        H100.check_within_peak("rate", s * 1e14),
    ],
    "routing.check": lambda x, s, n, m: routing.check_experts(n, m),
    "routing": lambda x, s, n, m: [
        routing.tokens_per_expert(64, n, x),
        routing.expected_distinct(64, n, x),
        routing.distinct(256, n, x),
        routing.weight_bytes_read(64, n, x, 1e9, 1e8),
        routing.zipf_weights(8 + n, s),
        routing.inclusion_probabilities(routing.zipf_weights(8 + n, s), 2),
        routing.expected_distinct_skewed(routing.inclusion_probabilities(routing.zipf_weights(8, s), 2), x),
    ],
    "routing.distributions": lambda x, s, n, m: [
        routing.distinct_distribution(6 + n % 6, 2, m),
        routing.load_distribution(16 + n, 2, 8 * m),
        routing.distinct_distribution(5, 2, 1 + m % 5, exact=True),
        routing.load_distribution(9, 2, 9, exact=True),
        routing.most_loaded_bounds(16 + n, 2, 40 * m),
    ],
    "routing.profiles": lambda x, s, n, m: [
        routing.load_profiles(4 + n % 5, 2, 1 + m % 5),
        routing.most_loaded_distribution(4 + n % 5, 2, 1 + m % 5),
    ],
    "blocks": lambda x, s, n, m: [of_block(block) for block in BLOCKS],
    "blocks.more": lambda x, s, n, m: [
        blocks.indexed(n, m, 3, 4, 2, 8, 64),
        blocks.mlp(64, n, True, True, "mlp", "mlp"),
        blocks.whole("n", float(n)),
        blocks.checked_field("n", n, "int", 1),
        str(blocks.not_allowed("n", x, "why")),
        blocks.Layer(ATTENTION, None, n % 3).weights(64),
        blocks.Block().shares,
        blocks.Block().reaches,
        blocks.Block().state_values,
        blocks.Block().wide_state_values,
        blocks.Block().state_flops,
    ],
    "blocks.none": lambda x, s, n, m: blocks.Block().weights(n),
    "architecture": lambda x, s, n, m: of_architecture(n),
    "architecture.plain": lambda x, s, n, m: [plain(), architecture.architecture_from_row(ROW)],
    "architecture.counts": lambda x, s, n, m: [
        architecture.parameters(arch(n)),
        architecture.gemm_flops(n, m, x),
        architecture.matmul_parameters(arch(n)),
        architecture.lookup_parameters(arch(n)),
        architecture.attention_flops_per_key(arch(n), absorbed=True),
        architecture.weight_bytes(arch(n), 2 * s, other_bytes_per_value=1.0),
        architecture.stacked(()),
        architecture.streamed_parameters(plain()),
        architecture.mixer_state_bytes(arch(n)),
        architecture.state_bytes_per_sequence(arch(n), s),
        architecture.keys_in_reach(x, n),
        architecture.mean_causal_keys(x, n),
        architecture.mean_causal_keys(x, None),
    ],
    "architecture.contexts": lambda x, s, n, m: [
        architecture.forward_flops_per_token(arch(n), x),
        architecture.training_flops_per_token(arch(n), x),
        architecture.forward_flops_per_token(arch(n), x, "full_context", absorbed=True),
        architecture.kv_bytes_per_token(arch(n), s),
        architecture.kv_bytes_per_token_long(arch(n), s),
        architecture.kv_bytes(arch(n), x, m, s),
    ],
    "parallelism": lambda x, s, n, m: [
        parallelism.weight_bytes_per_accelerator(x * 1e6, x * 1e7, split(n)),
        parallelism.kv_shards(split(n), m),
        parallelism.kv_bytes_per_accelerator(x * 1e6, split(n), m),
        parallelism.training_state(x, n, m % 4),
        parallelism.training_state(x, n, m % 4).total,
        parallelism.bubble_over_ideal(n, m + n),
        parallelism.activation_bytes_per_layer(x, n, 4096, 32, tensor=m, recompute="selective"),
        parallelism.bubble_share_of_time(n, m + n, 2),
        parallelism.collective("all-reduce", x, n, SYSTEM.scale_up),
        parallelism.group_seconds("all-to-all", x, n, 8, SYSTEM.scale_up, SYSTEM.scale_out),
    ],
    "splits": lambda x, s, n, m: [
        of_shares(n),
        splits.fullest_stage(n + m, n),
        splits.in_machine(n, m, 64, 8),
        of_shares(m),
    ],
    "serving": lambda x, s, n, m: [
        serving.roofline(x * 1e6, x * 1e9, 3e12, 1e15, s / 1e3, overlap=s),
        serving.arithmetic_intensity(x, n),
        serving.machine_balance(1e15, 3e12),
        serving.balance_batch(1e9 * x, 1e9, 3e12, 1e15, 1e3 * s),
        serving.mbu(1e9, 1.0, 1e12),
        serving.readable_bytes(x, 3e12, s),
        of_model(n, x),
        serving.model_from_parameters("m", 1e9 * x, 1e9, 64, n),
        serving.stored_in(served(n), "int4"),
        serving.stored_in(served(n), "fp4", "fp8"),
        served(n),
    ],
    "serving.steps": lambda x, s, n, m: [
        of_service(n, x),
        serving.prefill(served(n), SYSTEM, m, 1 + x, bandwidth_efficiency=s),
        serving.capacity(served(n), SYSTEM, m, x, split(n), reserve_bytes=1e9),
    ],
    "memory": lambda x, s, n, m: [
        memory.between(x * 1e6, s, 1e3),
        memory.activation_bytes(served(n), split(n), m),
        memory.sampling_bytes(served(n), m),
        memory.engine_bytes(x * 1e6, split(n)),
        memory.loaded_bytes(served(n), split(n)),
        memory.reserve_bytes(served(n), 80e9, split(n), s),
        memory.reserve_bytes(served(n), 80e9, None, pass_tokens=m, sequences=n, engine=1e9),
        memory.room(served(n), 80e9, split(n), 1 + x, 20e9),
    ],
    "training": lambda x, s, n, m: [
        training.training_flops(x * 1e6, x),
        training.mfu(s * 1e20, 1e5, 1e15),
        training.accelerator_time(x, 1e3, s),
        training.accelerators(x, n),
        training.wall_time(x, n),
        training.cost(x, s),
        training.tokens_per_parameter(x, n),
        of_training(n),
        training.solve("wall_time", flops=x, mfu=s, peak_flops=1e3, accelerators=n),
    ],
    "training.open": lambda x, s, n, m: training.solve("usd", flops=x, mfu=s),
    "speculation": lambda x, s, n, m: [
        speculation.expected_tokens(s, n),
        speculation.drafted_share(s, n),
        speculation.speedup(s, n, s, 1 + s),
        speculation.acceptance_from_share(s, n),
        speculation.acceptance_by_position((0.9, 0.9 * s, 0.5 * s)),
        speculation.breakeven_draft_cost(s, n),
        speculation.best_draft(s, 0.05, lambda g: 1 + g / 50),
        speculation.verify(
            n,
            m,
            common_bytes=1e9 * x,
            kv_bytes=x,
            flops_per_token=1e9,
            memory_bandwidth=3e12,
            peak_flops=1e15,
            **EXPERTS,
        ),
    ],
    "speculation.for": lambda x, s, n, m: speculation.acceptance_for(1 + s, n, 0.01),
    "questions": lambda x, s, n, m: questions.printed({"n": (n, None), "powers": powers(x, s)}),
    "services": lambda x, s, n, m: [
        of_forecast(n, x, s),
        of_work(n, x),
        services.arithmetic_for("int4", H100),
        services.cache_for("fp8"),
        services.bits("fp4"),
        services.dense_bits(served(n), "fp4"),
        services.held_bytes(served(n), "int4"),
        services.sequences_held(served(n), SYSTEM, x),
        services.sequences_running(served(n), SYSTEM, m * 50, x, weights="fp8"),
    ],
    "cost": lambda x, s, n, m: [
        cost.usd_per_token(s, x),
        cost.usd_per_million_tokens(2.5, n, x, s),
        cost.throughput_for(x, 2.5, n, s),
        cost.utilisation_for(1e6, s, 1, x * 1e3),
        cost.price_for(x, n, x, s),
        cost.request_usd(x, n, s, 2 * s),
        cost.blended_price(x, n, s),
        cost.rent_breakeven_tokens(2.5, n, x),
        cost.ownership_usd_per_hour(x, n),
        cost.ownership(x, n, cost_of_capital=s, power_kw=0.7, usd_per_kwh=s),
        cost.ownership(x, n, cost_of_capital=s).total,
        cost.own_breakeven_hours(x, s, s + n),
    ],
    "attribution": lambda x, s, n, m: [
        attribution.tornado(
            lambda a, b: a * b**0.5,
            {"a": attribution.Range(s, 2 * s, 3 * s), "b": attribution.Range(1.0, 2.0, 2.0 + x)},
        ),
        [bar.swing for bar in attribution.tornado(lambda a: a * x, {"a": attribution.Range(s, 2 * s, 3 * s)})],
        attribution.quantile([s, x, x + 1], s),
        attribution.flip(lambda v: v * v, x, 0.0, 1e6),
        attribution.flip(lambda v: v * v, x, 1e-3, 1e6, scale="log"),
        attribution.interval(lambda a: a * s, {"a": attribution.Range(1.0, 2.0, 5.0)}, samples=100, seed=n),
    ],
    "attribution.shares": lambda x, s, n, m: [
        attribution.shapley(attribution.product_of(factors(x, s, n)), names(n)),
        attribution.shapley(attribution.log_product_of(factors(x, s, n)), names(n)).fractions,
        attribution.ordered_shares(attribution.product_of(factors(x, s, n)), names(n)).total,
    ],
    "quantisation": lambda x, s, n, m: [
        of_format(n, m),
        quantisation.boundary_match(f"model.layers.{n}.mlp", ["model.layers.1", r"re.*\.mlp"]),
        quantisation.part_match(f"a.layers.{n}.b", ["layers.3", "*.b"]),
        quantisation.list_match(["a.b", r"re:.*layers\.[12]\..*", "c*[0-9]"])(f"c.layers.{n}.{m}"),
    ],
    "methods": lambda x, s, n, m: of_methods(n, m),
    "stored": lambda x, s, n, m: [
        files.Tensor("a", "BF16", (n, m), 4096).elements,
        files.is_weights(f"model-{n}.safetensors"),
        files.is_weights("a.json"),
    ],
    "fields": lambda x, s, n, m: of_fields(),
    "whole numbers": lambda x, s, n, m: config.whole_number("n", n, 1, m),
    "refused": lambda x, s, n, m: str(config.refused("x", {"a": [x, "é\t"]}, "why")),
    "families": lambda x, s, n, m: [
        len(families.model_types()),
        shapes.all_but(n)(config.Fields("mistral", {}, []), TEN),
    ],
    "arrangements": lambda x, s, n, m: families.arrangements(),
}


def told(value):
    """A value in words, each number with all its digits."""
    if isinstance(value, (bool, int, float, str)) or value is None:
        return repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join([f"{told(key)}: {told(one)}" for key, one in value.items()]) + "}"
    if isinstance(value, (list, set, frozenset)) or value.__class__.__name__ == "tuple":
        return f"{value.__class__.__name__}({', '.join([told(one) for one in value])})"
    if isinstance(value, Fraction):
        return f"{value.numerator} / {value.denominator}"
    if hasattr(value, "_fields") or hasattr(value, "__dataclass_fields__"):
        names = value._fields if hasattr(value, "_fields") else [field.name for field in fields(value)]
        return f"{value.__class__.__name__}({', '.join([f'{n}={told(getattr(value, n))}' for n in names])})"
    return "function" if callable(value) else value.__class__.__name__


def answered(name, drawn):
    """A question's answer in words, or its one line of error."""
    try:
        return told(QUESTIONS[name](*drawn))
    except (ValueError, NotImplementedError) as error:
        return f"{error.__class__.__name__}: {error}"


def read(given):
    """What a configuration is read as, in words."""
    try:
        return told(of_config(given))
    except ValueError as error:
        return f"{error.__class__.__name__}: {error}"
