"""Put the same eight questions to a published calculator and store its answers in ``data/calculators.csv``.

Each calculator is asked in an environment of its own; this file needs nothing but the standard library and
the calculator that is asked::

    python -m venv servcalc-env && servcalc-env/bin/pip install servcalc==0.1.0
    servcalc-env/bin/python tests/oracle/ask_calculators.py servcalc data/calculators.csv

That replaces the rows of the one calculator and leaves the others; without a file the rows are printed.
``calflops`` also needs ``torch==2.13.0 transformers==5.23.0 accelerate``. No calculator may use the network:
where one would fetch a model's description from a hub, it is given the same description in a file.

``explanation`` says in one word how an answer relates to the exact or measured one, ``convention`` what is
counted, ``notes`` where that stands in the calculator's source.
"""

from __future__ import annotations

import csv
import importlib.metadata
import json
import logging
import sys
import tempfile
import warnings
from datetime import date
from pathlib import Path

QUESTIONS = {
    "parameters": "parameter",  # of Mixtral 8x7B, all
    "active-parameters": "parameter",  # of Mixtral 8x7B, for one token
    "forward-flops": "FLOP",  # one forward pass over one sequence of 2,048 tokens, Llama 3 8B
    "kv-gqa": "B/token",  # KV cache of Llama 3 70B, 16 bits
    "kv-mla": "B/token",  # KV cache of DeepSeek-V3, 16 bits
    "decode-step": "ms",  # Llama 3 70B, bf16, 8 H100, tensor parallelism 8, 2,048 tokens in each cache
    "gpu-hours": "GPU-hour",  # Llama 3 70B on 15e12 tokens, H100 at 40% MFU
}
BATCHES = (1, 4, 16, 64, 256)  # the questions of the chapter are 1 and 64; the others draw the curve
CONTEXT, TOKENS, MFU = 2048, 15e12, 0.40

_COMMON = {"rms_norm_eps": 1e-5, "tie_word_embeddings": False, "hidden_act": "silu", "torch_dtype": "bfloat16"}
_LLAMA = {**_COMMON, "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 128256}
LLAMA_8B = {
    **_LLAMA, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 8192,
}  # fmt: skip
LLAMA_70B = {
    **_LLAMA, "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
    "num_attention_heads": 64, "num_key_value_heads": 8, "max_position_embeddings": 8192,
}  # fmt: skip
MIXTRAL = {
    **_COMMON, "model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "vocab_size": 32000,
    "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "num_local_experts": 8, "num_experts_per_tok": 2, "max_position_embeddings": 32768,
}  # fmt: skip

COLUMNS = (
    "calculator", "version", "question", "way", "batch", "value", "low", "high", "unit", "asked", "convention",
    "explanation", "source_title", "source_url", "date", "confidence", "confidence_note", "notes",
)  # fmt: skip

gqa, mla = "keys and values of the 8 key-value heads", "latent vector and its rotary part"
rows: list[dict] = []


def answer(question, value, asked, convention, explanation, notes="", *, way="", batch="", low="", high="") -> None:
    """Add one row; ``value`` None is a question that the calculator does not answer."""
    given = {"question": question, "way": way, "batch": batch, "value": "" if value is None else float(value)}
    rows.append(
        {**given, "low": low, "high": high, "asked": asked, "convention": convention}
        | {"explanation": explanation, "notes": notes}
    )


def silent(question, why, asked="", way="") -> None:
    """A question that the calculator does not answer, and why."""
    answer(question, None, asked, why, "no answer", way=way)


def plain(number: float) -> str:
    """All digits of a whole number, twelve of any other."""
    return f"{number:.0f}" if number == round(number) else f"{number:.12g}"


def refusal(call, *arguments) -> str:
    """The line with which a calculator refuses."""
    try:
        raise SystemExit(f"not refused: {call(*arguments)}")
    except Exception as error:
        return f"refused: {error}".split("\n")[0]


def ask_aiconfigurator() -> None:
    from aiconfigurator.sdk import common, config, inference_session, models, perf_database
    from aiconfigurator.sdk.backends.factory import get_backend

    def model(path, backend="vllm", **options):
        tp = options.pop("tp_size", 1)
        options = {"moe_tp_size": 1, "moe_ep_size": 1, "attention_dp_size": 1, **options}
        return models.get_model(path, config.ModelConfig(tp_size=tp, pp_size=1, **options), backend)

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(MIXTRAL))
        mixtral = model(folder)
        answer(
            "parameters", sum(op.get_weights() for op in mixtral.generation_ops) / 2,
            "sum of get_weights() / 2 over the generation_ops of get_model(a folder with Mixtral's config.json)",
            "everything but the norms", "agrees",
            "Mixtral's file is in the wheel, but not in DefaultHFModels, the models that need no hub.",
        )  # fmt: skip
    silent("active-parameters", "sums weights for memory, not what one token uses")
    silent("forward-flops", "answers in milliseconds, from timed kernels")
    llama = model("meta-llama/Meta-Llama-3.1-70B")
    answer(
        "kv-gqa", llama.get_kvcache_bytes_per_sequence(CONTEXT) / CONTEXT,
        "get_kvcache_bytes_per_sequence(2048) / 2048, tp_size=1", gqa, "agrees",
    )  # fmt: skip
    sixteen = common.KVCacheQuantMode.bfloat16
    deepseek = "deepseek-ai/DeepSeek-V3"
    answer(
        "kv-mla", model(deepseek, kvcache_quant_mode=sixteen).get_kvcache_bytes_per_sequence(CONTEXT) / CONTEXT,
        "get_kvcache_bytes_per_sequence(2048) / 2048, kvcache_quant_mode=bfloat16",
        mla, "agrees",
    )  # fmt: skip
    answer(
        "kv-mla", model(deepseek).get_kvcache_bytes_per_sequence(CONTEXT) / CONTEXT,
        "the same without kvcache_quant_mode", "8-bit cache, from the checkpoint's own precision", "convention",
        "A different precision, not a different count.", way="its default",
    )  # fmt: skip
    for backend in ("trtllm", "vllm", "sglang"):
        version = perf_database.get_latest_database_version("h100_sxm", backend)
        database = perf_database.get_database("h100_sxm", backend, version)
        eight = model("meta-llama/Meta-Llama-3.1-70B", backend, tp_size=8)
        session = inference_session.InferenceSession(eight, database, get_backend(backend))
        for batch in BATCHES:
            runtime = config.RuntimeConfig(batch_size=batch, isl=CONTEXT, osl=2)
            summary = session.run_static(runtime, "static_gen", stride=1).get_summary_df()
            answer(
                "decode-step", summary["tpot"].iloc[0],
                f"run_static(batch_size={batch}, isl=2048, osl=2, 'static_gen', stride=1), {backend} {version} (H100)",
                "measured kernels, interpolated and summed", "measured",
                "The yardstick of this question, and so no independent party to it.", way=backend, batch=batch,
            )  # fmt: skip
    silent("gpu-hours", "serving only")


def ask_genz() -> None:
    from GenZ import decode_moddeling, get_configs, prefill_moddeling

    on_h100 = {"system_name": "H100_GPU", "bits": "bf16", "model_profilling": True}
    decode_once = {"batch_size": 1, "input_tokens": CONTEXT, "output_tokens": 0, "Bb": 1}
    _, table = decode_moddeling(model="mistralai/Mixtral-8x7B", **decode_once, **on_h100)
    total, unused = (table[f"{name} Weights (MB)"].values[0] * 2**20 / 2 for name in ("Total", "Unused"))
    asked = "decode_moddeling('mistralai/Mixtral-8x7B', Bb=1, model_profilling=True), Total Weights (MB)"
    left_out = "what a decode step multiplies with: input embedding and norms left out"
    where = "create_full_decode_model in GenZ/Models/get_language_model.py adds no input_embedding; MB is 2^20."
    answer("parameters", total, f"{asked} x 2^20 / 2", left_out, "convention", where)
    answer(
        "active-parameters",
        total - unused,
        f"{asked} less Unused Weights (MB), x 2^20 / 2",
        left_out,
        "convention",
        where,
    )
    prefill = prefill_moddeling(
        model="meta-llama/Llama-3.1-8B", batch_size=1, input_tokens=CONTEXT, system_name="H100_GPU", bits="bf16"
    )
    flops = prefill["summary_table"]["MACs (MFLOP)"].values[0] * 1e6
    answer(
        "forward-flops", flops, "prefill_moddeling('meta-llama/Llama-3.1-8B', input_tokens=2048), MACs (MFLOP)",
        "masked keys counted, and the embedding look-up as a product with the whole vocabulary", "convention",
        "input_embedding in GenZ/Models/embedding.py is a GEMM; mha_flash_attention_prefill multiplies all pairs. "
        "The column named MACs holds FLOP here (Operator.get_roofline doubles them), MACs if model_profilling=True.",
    )  # fmt: skip
    answer(
        "kv-gqa", get_configs("meta-llama/Llama-3.1-70B").get_kv_size() * 2,
        "get_configs('meta-llama/Llama-3.1-70B').get_kv_size() x 2", gqa, "agrees",
    )  # fmt: skip
    answer(
        "kv-mla", get_configs("deepseek-ai/DeepSeek-V3-Base").get_kv_size() * 2,
        "get_configs('deepseek-ai/DeepSeek-V3-Base').get_kv_size() x 2",
        "two key-value heads of 56 values stand in for latent attention", "wrong input",
        "Latent attention is a TODO in GenZ/Models/attention.py; misc.py writes num_key_value_heads=2 and no head_dim, "
        "which then becomes 7168 // 128 = 56.",
    )  # fmt: skip
    named = {"model": "meta-llama/Llama-3.1-70B", "system_name": "H100_GPU", "bits": "bf16", "tensor_parallel": 8}
    slow_links = "a roofline for each layer, and 5 us and 14 hops of 1 us for each all-reduce; no kernel overhead"
    fast_memory = (
        "The H100 has 3400 GB/s of 2^30 byte (Systems/system_configs.py, GenZ/unit.py): 9% more than 3.35 TB/s."
    )
    for batch in BATCHES:
        step = decode_moddeling(**named, batch_size=batch, input_tokens=CONTEXT, output_tokens=0, Bb=1)
        asked = f"decode_moddeling('meta-llama/Llama-3.1-70B', batch_size={batch}, input_tokens=2048, Bb=1, TP 8)"
        answer("decode-step", step["Latency"], asked, slow_links, "assumption", fast_memory, batch=batch)
    step = decode_moddeling(**named, batch_size=64, input_tokens=CONTEXT)
    answer(
        "decode-step", step["Latency"], "the same at batch 64 without Bb=1",
        "four beams that share their prompt", "convention",
        "Bb, the beam width, is 4 unless one says otherwise.", way="default Bb", batch=64,
    )  # fmt: skip
    step = decode_moddeling(**{**named, "model": "meta-llama/meta-llama-3.1-70b"}, **decode_once)
    answer(
        "decode-step", step["Latency"], "the same with model='meta-llama/meta-llama-3.1-70b'",
        "the shape of Llama 2 70B (vocabulary of 32,000)", "wrong input",
        "The alias in Model_sets/meta.py points to llama_70b_config, which is Llama 2's.",
        way="by the hub's name", batch=1,
    )  # fmt: skip
    silent("gpu-hours", "inference only")


def ask_mlsysim() -> None:
    import mlsysim
    from mlsysim.physics import calc_training_time, calc_transformer_prefill_flops, calc_transformer_training_flops
    from mlsysim.solvers import DecodeBoundModel, ServingModel

    models = mlsysim.Models.Language
    h100 = mlsysim.Hardware.Cloud.H100
    count = "as the maker rounds it"
    where = "mlsysim/models/data/language.yaml holds rounded counts, with their source."
    answer(
        "parameters",
        models.Mixtral_8x7B.parameters.magnitude,
        "Models.Language.Mixtral_8x7B.parameters",
        count,
        "agrees",
        where,
    )
    answer(
        "active-parameters", models.Mixtral_8x7B.active_parameters.magnitude,
        "Models.Language.Mixtral_8x7B.active_parameters", count, "agrees", where,
    )  # fmt: skip
    small = models.Llama3_8B
    answer(
        "forward-flops",
        calc_transformer_prefill_flops(small.parameters, CONTEXT, small.layers, small.hidden_dim).to("flop").magnitude,
        "calc_transformer_prefill_flops(Llama3_8B.parameters, 2048, layers, hidden_dim)",
        "2 FLOP for every parameter, the embedding table too; causal attention", "convention",
        "mlsysim/physics/transformer.py multiplies n_params, the total.",
    )  # fmt: skip
    for question, model in (("kv-gqa", models.Llama3_70B), ("kv-mla", models.DeepSeek_V3)):
        what = gqa if question == "kv-gqa" else mla
        size = model.get_kv_cache_size(1, 1, "fp16").to("byte").magnitude
        answer(question, size, "get_kv_cache_size(seq_len=1, batch_size=1, 'fp16')", what, "agrees")
    large = models.Llama3_70B
    for batch in BATCHES:
        bound = DecodeBoundModel().solve(large, h100, "fp16", batch, tp_size=8)
        answer(
            "decode-step", max(bound.memory_time, bound.compute_time).to("ms").magnitude,
            f"DecodeBoundModel().solve(Llama3_70B, H100, 'fp16', {batch}, tp_size=8), the longer of its times",
            "the time to read the weights: a bound, without KV cache, links and overhead", "left out",
            "Its docstring says so; the embedding table is read whole.", batch=batch,
        )  # fmt: skip
    for batch in (1, 64):
        one = ServingModel().solve(large, h100, seq_len=CONTEXT, batch_size=batch, precision="fp16")
        answer(
            "decode-step", one.itl.to("ms").magnitude / 8,
            f"ServingModel().solve(Llama3_70B, H100, seq_len=2048, batch_size={batch}).itl / 8",
            "weights and KV cache at peak bandwidth and 10 us a layer, all divided by 8", "left out",
            "ServingModel knows one device and says that the model does not fit it; the division is ours, and divides "
            "FRAMEWORK_LAYER_TAX_MS with the rest.", way="one device / 8", batch=batch,
        )  # fmt: skip
    flops = calc_transformer_training_flops(large.parameters, large.training_tokens)
    answer(
        "gpu-hours", calc_training_time(flops, 1, h100.compute.peak_flops, MFU).to("hour").magnitude,
        "calc_training_time(calc_transformer_training_flops(Llama3_70B.parameters, 15e12), 1, H100 peak, 0.4)",
        "6 N D over 40% of 989 TFLOP/s", "agrees",
    )  # fmt: skip


def ask_servcalc() -> None:
    from servcalc import GpuSpec, calibration, timing, work
    from vramcalc import Arch

    for question in ("parameters", "active-parameters"):
        silent(question, refusal(Arch.from_config, MIXTRAL), "Arch.from_config(Mixtral)")
    answer(
        "forward-flops", work.prefill_total_flops(Arch.from_config(LLAMA_8B), CONTEXT),
        "servcalc.work.prefill_total_flops(Arch.from_config(Llama 3 8B), 2048)",
        "causal attention; the output head for the last token only, as an engine computes it", "convention",
        "servcalc.work.prefill_total_flops.",
    )  # fmt: skip
    arch = Arch.from_config(LLAMA_70B)
    kv = work.kv_bytes_per_token(arch, 16)
    answer("kv-gqa", kv, "servcalc.work.kv_bytes_per_token(arch, 16)", gqa, "agrees")
    silent(
        "kv-mla", refusal(Arch.from_config, {**LLAMA_70B, "model_type": "deepseek_v3"}), "Arch.from_config(DeepSeek-V3)"
    )
    eight = GpuSpec("8 H100", 8 * 80 * 2**30, 8 * 3350, 8 * 989)
    stream = work.weight_bytes(arch, 16).stream
    for batch in BATCHES:
        done = work.decode_step(arch, batch, batch * CONTEXT, kv, stream, False)
        ms = timing.step_time(done, eight, calibration.get("vllm_bf16"), batch).ms
        answer(
            "decode-step", ms.mid,
            f"timing.step_time(work.decode_step(arch, {batch}, ...), 8 x 3350 GB/s and 8 x 989 TFLOP/s, 'vllm_bf16')",
            "roofline at an assumed share of bandwidth and peak, 2 ms on top; no links", "assumption",
            "It is for one GPU: eight are given as one eight times as large. "
            "calibration.py calls its curves priors until measured.", batch=batch, low=ms.low, high=ms.high,
        )  # fmt: skip
    silent("gpu-hours", "serving only")


def ask_ridgepoint() -> None:
    import ridgepoint
    from ridgepoint import _core, hf

    options = {"count": 8, "ctx": CONTEXT, "prompt": CONTEXT, "as_json": True}
    mixtral = json.loads(ridgepoint.fit("mixtral-8x7b", "h100-80gb", **options))
    total = mixtral["model"]["params"]
    answer("parameters", total, "fit('mixtral-8x7b', 'h100-80gb', count=8), model.params", "all", "agrees")
    answer(
        "active-parameters", hf._active_params(MIXTRAL, MIXTRAL, total),
        "hf._active_params(Mixtral's config.json, n_params=46702792704)",
        "the share of active experts, taken of all parameters", "convention",
        "hf.py calls it a crude estimate: attention, embeddings and router are divided by four with the experts.",
    )  # fmt: skip
    silent("forward-flops", "gives seconds to the first token, not FLOP")
    llama = json.loads(ridgepoint.fit("llama-3-70b", "h100-80gb", **options))
    answer(
        "kv-gqa", llama["capacity"]["bytes_per_seq"] / CONTEXT, "fit('llama-3-70b', 'h100-80gb', count=8, ctx=2048), "
        "bytes_per_seq / 2048", gqa, "agrees",
    )  # fmt: skip
    shape = ("DeepSeek-V3", 61, 61, 7168, 671026404352, 37552282624, "mla", 0, 0, 0, 512, 64)
    latent = json.loads(_core.fit_shape(*shape, "h200-141gb", 16, "vllm", "fp16", "fp16", CONTEXT, CONTEXT, True))
    answer(
        "kv-mla", latent["capacity"]["bytes_per_seq"] / CONTEXT,
        "_core.fit_shape(DeepSeek-V3's sizes, geom='mla', ctx=2048), bytes_per_seq / 2048",
        mla, "agrees", "Not among its built-in models; the hub's route hands over these sizes.",
    )  # fmt: skip
    speed = llama["speed"]["decode_tok_s"]
    answer(
        "decode-step", 1e3 / speed["best"], "1000 / decode_tok_s of the same fit",
        "weights and KV cache of one sequence at a calibrated share of the bandwidth; links left out", "assumption",
        "The answer itself lists tp-comm under not_modeled.", batch=1, low=1e3 / speed["high"], high=1e3 / speed["low"],
    )  # fmt: skip
    answer("decode-step", None, "", "gives the speed of one sequence; no batch can be asked for", "no answer", batch=64)
    silent("gpu-hours", "serving only")


def ask_calflops() -> None:
    import torch
    from accelerate import init_empty_weights
    from calflops import calculate_flops
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModelForCausalLM, LlamaConfig, MixtralConfig

    with init_empty_weights():
        mixtral = AutoModelForCausalLM.from_config(MixtralConfig(**MIXTRAL))
        llama = AutoModelForCausalLM.from_config(LlamaConfig(**LLAMA_8B))
    ids = torch.ones(1, CONTEXT, dtype=torch.long, device="meta")
    quiet = {"output_as_string": False, "print_results": False, "print_detailed": False}
    try:
        _, _, total = calculate_flops(model=mixtral, kwargs={"input_ids": ids[:, :8]}, **quiet)
        answer("parameters", total, "calculate_flops(Mixtral on the meta device)", "all", "agrees")
    except RuntimeError as error:
        silent("parameters", f"the forward pass that it needs fails with this transformers: {str(error)[:70]}")
    silent("active-parameters", "counts the module's parameters only")
    ways = {
        "": ("sdpa", "products of the linear layers only: attention is not seen", "left out",
             "pytorch_ops.py wraps torch.matmul, not scaled_dot_product_attention, the default of transformers."),
        "eager attention": ("eager", "masked keys counted", "convention", "With attn_implementation='eager'."),
    }  # fmt: skip
    for way, (implementation, convention, explanation, notes) in ways.items():
        llama.set_attn_implementation(implementation)
        flops, _, _ = calculate_flops(model=llama, kwargs={"input_ids": ids}, **quiet)
        asked = f"calculate_flops(Llama 3 8B on the meta device, input_ids of 1 x 2048), {implementation}"
        answer("forward-flops", flops, asked, convention, explanation, notes, way=way)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        llama(input_ids=ids)
    answer(
        "forward-flops", counter.get_total_flops(),
        "torch.utils.flop_counter.FlopCounterMode around the same model, eager",
        "masked keys counted", "measured", "PyTorch's own counter, as a second witness; not calflops.",
        way="PyTorch's counter",
    )  # fmt: skip
    for question, why in (
        ("kv-gqa", "no caches"), ("kv-mla", "no caches"), ("decode-step", "no times"), ("gpu-hours", "no times"),
    ):  # fmt: skip
        silent(question, why)


def ask_llm_analysis() -> None:
    from llm_analysis import analysis, config

    def described(name, given, **more):
        """Its own description of a model, in a file: the route that needs no hub."""
        shape = {
            "name": name, "num_layers": given["num_hidden_layers"], "n_head": given["num_attention_heads"],
            "hidden_dim": given["hidden_size"], "vocab_size": given["vocab_size"], "model_type": given["model_type"],
            "max_seq_len": given["max_position_embeddings"], "num_key_value_heads": given["num_key_value_heads"],
            "ffn_embed_dim": given["intermediate_size"], "expansion_ratio": 3.5, **more,
        }  # fmt: skip
        path = Path(folder, f"{name}.json")
        path.write_text(json.dumps(shape))
        return str(path)

    def machine(path):
        gpu, sixteen = config.get_gpu_config_by_name("h100-sxm-80gb"), config.get_dtype_config_by_name("w16a16e16")
        return analysis.LLMAnalysis(config.get_model_config_by_name(path), gpu, sixteen, config.ParallelismConfig())

    known = [
        name
        for name in config.model_configs
        if any(word in name.lower() for word in ("llama-3-", "mixtral", "deepseek"))
    ]
    for question in QUESTIONS:
        why = f"{len(config.model_configs)} models come with it, none of those asked for; others are fetched from a hub"
        assert not known, known
        silent(question, why, "get_model_config_by_name('meta-llama/Meta-Llama-3-70B'), ...")
    way = "from a description"
    with tempfile.TemporaryDirectory() as folder:
        mixtral = machine(described("mixtral", MIXTRAL, moe_num_experts=8, moe_top_k=2))
        small, path = machine(described("small", LLAMA_8B)), described("large", LLAMA_70B)
        two = "an MLP of two matrices where it has three; embedding and output head as one table"
        where = "get_num_params_per_layer_mlp and get_num_params_embedding in llm_analysis/analysis.py."
        answer(
            "parameters",
            mixtral.get_num_params_total(),
            "LLMAnalysis(...).get_num_params_total()",
            two,
            "formula",
            where,
            way=way,
        )
        asked = "LLMAnalysis(...).get_num_active_params_total()"
        answer("active-parameters", mixtral.get_num_active_params_total(), asked, two, "formula", where, way=way)
        answer(
            "forward-flops", small.get_num_flops_fwd_total(1, CONTEXT),
            "LLMAnalysis(...).get_num_flops_fwd_total(1, 2048)",
            "an MLP of two matrices four times as wide as the model, whatever is described; masked keys counted",
            "formula",
            "get_num_flops_fwd_per_layer_mlp in llm_analysis/analysis.py returns 16 b s h^2.", way=way,
        )  # fmt: skip
        answer(
            "kv-gqa", machine(path).get_memory_kv_cache_per_layer(1, CONTEXT) * 80 / CONTEXT,
            "get_memory_kv_cache_per_layer(1, 2048) x 80 / 2048", gqa, "agrees", way=way,
        )  # fmt: skip
        silent("kv-mla", "its description of a model has no latent attention", way=way)
        served = {"model_name": path, "gpu_name": "h100-sxm-80gb", "tp_size": 8, "log_level": "ERROR"}
        for batch in BATCHES:
            step = analysis.infer(**served, batch_size_per_gpu=batch, seq_len=CONTEXT, num_tokens_to_generate=1)
            answer(
                "decode-step", step["decode_latency"] * 1e3,
                f"infer(batch_size_per_gpu={batch}, tp_size=8, seq_len=2048, num_tokens_to_generate=1)",
                "a roofline for each layer, a third of the MLP missing; KV cache counted twice; each GPU reads "
                "the whole embedding table, none the output head; 8 us for each all-reduce", "formula",
                "inference() loads and stores the whole cache at each step; get_latency_fwd_input_embedding.",
                way=way, batch=batch,
            )  # fmt: skip
        run = analysis.train(
            model_name=path, gpu_name="h100-sxm-80gb", batch_size_per_gpu=1, total_num_gpus=1024, tp_size=8, ds_zero=3,
            seq_len=CONTEXT, total_num_tokens=TOKENS, flops_efficiency=MFU, log_level="ERROR",
        )  # fmt: skip
        answer(
            "gpu-hours", run["gpu_hours"],
            "train(total_num_tokens=15e12, seq_len=2048, flops_efficiency=0.4), gpu_hours",
            "three forward passes of an MLP of two matrices; masked keys counted", "formula",
            "The FLOP of get_num_flops_fwd_per_layer_mlp again; 989 TFLOP/s.", way=way,
        )  # fmt: skip


CALCULATORS = {
    "aiconfigurator": ask_aiconfigurator,
    "genz-llm": ask_genz,
    "mlsysim": ask_mlsysim,
    "servcalc": ask_servcalc,
    "ridgepoint": ask_ridgepoint,
    "calflops": ask_calflops,
    "llm-analysis": ask_llm_analysis,
}


def main(name: str, file: str | None = None) -> None:
    """Ask the calculator ``name``; put its rows into ``file`` or print them."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    CALCULATORS[name]()
    version = importlib.metadata.version(name)
    order = list(QUESTIONS)
    for row in rows:
        row |= {"calculator": name, "version": version, "unit": QUESTIONS[row["question"]]}
        row |= {"source_title": f"{name} {version} (PyPI)", "source_url": f"PyPI package {name} {version}"}
        row |= {"date": date.today().isoformat(), "confidence": "primary"}
        row["confidence_note"] = "" if row["value"] == "" else "run as printed in the column asked"
        row |= {key: plain(row[key]) for key in ("value", "low", "high") if row[key] != ""}
    kept = []
    if file and Path(file).exists():
        with open(file, encoding="utf-8", newline="") as lines:
            kept = [row for row in csv.DictReader(lines) if row["calculator"] != name]
    done = sorted(
        rows + kept,
        key=lambda row: (
            list(CALCULATORS).index(row["calculator"]),
            order.index(row["question"]),
            row["way"],
            int(row["batch"] or 0),
        ),
    )
    with open(file, "w", encoding="utf-8", newline="") if file else sys.stdout as out:
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(done)


if __name__ == "__main__":
    main(*sys.argv[1:])
