"""Ask ``transformers`` and PyTorch how many parameters and FLOPs models have; store the answers.

Models whose parameters are counted are built on PyTorch's meta device, which knows shapes and holds no values: those
with a name from the published files of ``make_config_oracle.py``. Beside each small shape stand the fields of
``llm_economics.formulas.architecture.Architecture`` that describe it; nothing here imports that module.
Run it as the README beside it says; it writes ``transformer_oracle.json``.
"""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import torch
import transformers as hf
from make_config_oracle import PUBLISHED, build, decoder, parse
from torch.utils.flop_counter import FlopCounterMode

SHAPES_PER_FAMILY = 4
OUT = Path(__file__).with_name("transformer_oracle.json")


# The first pattern that a parameter's name matches is its component.
COMPONENTS = {
    "positional": r"\.wpe\.|embed_positions",
    "head": r"lm_head|embed_out",
    "norms": r"(norm|ln_1|ln_2|ln_f|ln_attn|ln_mlp|norm_1|norm_2|norm_f)\.(weight|bias)$",
    "embedding": r"wte|embed_tokens|word_embeddings|embed_in",
    "experts": r"experts\.(gate_up_proj|down_proj|mlp\.[wv]\d)(_bias)?$",
    "biases": r"bias$|sinks$",
    "shared_experts": r"shared_experts?\.",
    "router": r"(router|router\.layer|mlp\.gate|shared_expert_gate)\.weight$",
    "mlp": r"mlp\.|fc1|fc2|ffn\.",
    "attention": r"attn\.|attention\.",
}


def count(model) -> dict[str, int]:
    """Parameters by component; tied tables are counted once."""
    totals = dict.fromkeys(COMPONENTS, 0)
    for name, parameter in model.named_parameters():
        component = next(key for key, pattern in COMPONENTS.items() if re.search(pattern, name))
        totals[component] += parameter.numel()
    assert sum(totals.values()) == sum(parameter.numel() for parameter in model.parameters())
    return {key: value for key, value in totals.items() if value}


def named_models() -> dict:
    """The models of data/models.csv that transformers has a class for, most from their published files."""
    opt = {"hidden_size": 12288, "ffn_dim": 49152, "word_embed_proj_dim": 12288, "max_position_embeddings": 2048}
    opt |= {"num_hidden_layers": 96, "num_attention_heads": 96, "vocab_size": 50272}
    files = {
        "GPT-3 175B": PUBLISHED["GPT-2"] | {"n_layer": 96, "n_embd": 12288, "n_head": 96, "n_positions": 2048},
        "Llama 2 7B": PUBLISHED["Llama-2-7b"],
        "Llama 2 13B": decoder("llama", 40, 5120, 40, 40, 13824, 32000),
        "Llama 2 70B": decoder("llama", 80, 8192, 64, 8, 28672, 32000),
        "Llama 3 8B (=3.1 8B)": PUBLISHED["Llama-3.1-8B"],
        "Llama 3 70B (=3.1 70B)": decoder("llama", 80, 8192, 64, 8, 28672, 128256),
        "Llama 3.1 405B": PUBLISHED["Llama-3.1-405B"],
        "Mixtral 8x7B": PUBLISHED["Mixtral-8x7B"],
        "Mixtral 8x22B (v0.1 base, vocab 32000)": PUBLISHED["Mixtral-8x22B"] | {"vocab_size": 32000},
        "Mixtral 8x22B (Instruct/v0.3 tokenizer, vocab 32768)": PUBLISHED["Mixtral-8x22B"],
        "DBRX": PUBLISHED["DBRX"],
        "Gemma 7B": PUBLISHED["Gemma-7b"],
        "Qwen2-72B": PUBLISHED["Qwen2-72B"],
        "Qwen3-30B-A3B": PUBLISHED["Qwen3-30B-A3B"],
        "Qwen3-235B-A22B": PUBLISHED["Qwen3-235B-A22B"],
        "DeepSeek-V2": PUBLISHED["DeepSeek-V2"],
        "DeepSeek-V3 (main model)": PUBLISHED["DeepSeek-V3"],
        "MPT-7B": PUBLISHED["MPT-7B"],
        "MPT-30B": PUBLISHED["MPT-30B"],
        "BLOOM 176B": PUBLISHED["BLOOM"],
        "Falcon 180B": PUBLISHED["Falcon-180B"],
        "OPT-175B": {"model_type": "opt"} | opt,
    }
    return {name: parse(file) for name, file in files.items()}


def dbrx(hidden, layers, heads, kv, inner, experts, top_k, vocab):
    """DBRX keeps its sizes in two configurations of its own."""
    return hf.DbrxConfig(
        d_model=hidden,
        n_layers=layers,
        n_heads=heads,
        vocab_size=vocab,
        tie_word_embeddings=False,
        attn_config={"kv_n_heads": kv, "rope_theta": 1e4},
        ffn_config={"ffn_hidden_size": inner, "moe_num_experts": experts, "moe_top_k": top_k},
    )


def shape(rng: random.Random) -> dict:
    """Random small sizes, with the field names of Architecture; head_dim is not hidden ÷ heads."""
    kv = rng.choice([1, 2, 3])
    heads = kv * rng.choice([1, 2, 4])
    return {
        "n_layers": rng.randint(2, 4),
        "hidden_size": 2 * heads * rng.randint(3, 9),
        "n_heads": heads,
        "n_kv_heads": kv,
        "head_dim": 4 * rng.randint(1, 6),
        "intermediate_size": rng.randint(20, 90),
        "vocab_size": rng.randint(50, 200),
        "tied_embeddings": rng.random() < 0.5,
    }


def divided(fields: dict, rng: random.Random, kv_heads: bool = False) -> dict:
    """The same for families whose heads share the hidden size out."""
    heads = rng.choice([2, 4, 8])
    kv = rng.choice([1, 2]) if kv_heads else heads
    width = 4 * rng.randint(1, 4)
    return fields | {"n_heads": heads, "n_kv_heads": kv, "head_dim": width, "hidden_size": heads * width}


def common(fields: dict, head_dim: bool = True, **more) -> dict:
    """Keyword arguments that most configurations share."""
    names = {
        "num_hidden_layers": "n_layers",
        "hidden_size": "hidden_size",
        "num_attention_heads": "n_heads",
        "num_key_value_heads": "n_kv_heads",
        "intermediate_size": "intermediate_size",
        "vocab_size": "vocab_size",
        "tie_word_embeddings": "tied_embeddings",
    }
    keywords = {theirs: fields[ours] for theirs, ours in names.items()}
    if head_dim:
        keywords["head_dim"] = fields["head_dim"]
    return keywords | {"pad_token_id": None, "bos_token_id": None, "eos_token_id": None} | more


def experts(rng: random.Random) -> dict:
    """Random routed experts."""
    n = rng.randint(2, 9)
    return {"n_experts": n, "experts_per_token": rng.randint(1, n)}


GPT_BIASES = {"norm": "layer", "gated_mlp": False, "qkv_bias": True, "output_bias": True, "mlp_bias": True}


def llama(rng):
    f = shape(rng) | dict.fromkeys(("qkv_bias", "output_bias"), rng.random() < 0.5) | {"mlp_bias": rng.random() < 0.5}
    return f, hf.LlamaConfig(**common(f, attention_bias=f["qkv_bias"], mlp_bias=f["mlp_bias"]))


def mistral(rng):
    f = shape(rng) | {"window": 7}
    f["n_window_layers"] = f["n_layers"]
    return f, hf.MistralConfig(**common(f, sliding_window=7))


def mixtral(rng):
    f = shape(rng) | experts(rng)
    return f, hf.MixtralConfig(
        **common(f, num_local_experts=f["n_experts"], num_experts_per_tok=f["experts_per_token"])
    )


def qwen2(rng):
    f = divided(shape(rng), rng, kv_heads=True) | {"qkv_bias": True}
    return f, hf.Qwen2Config(**common(f, head_dim=False))


def qwen2_moe(rng):
    f = divided(shape(rng), rng, kv_heads=True) | experts(rng) | {"qkv_bias": True}
    dense = sorted(rng.sample(range(f["n_layers"]), rng.randint(0, 1)))
    f |= {"expert_intermediate_size": rng.randint(9, 40), "shared_intermediate_size": rng.randint(9, 40)}
    f |= {"shared_expert_gate": True, "n_shared_experts": 1, "n_dense_layers": len(dense)}
    return f, hf.Qwen2MoeConfig(
        **common(f, head_dim=False, num_experts=f["n_experts"], num_experts_per_tok=f["experts_per_token"]),
        moe_intermediate_size=f["expert_intermediate_size"],
        shared_expert_intermediate_size=f["shared_intermediate_size"],
        mlp_only_layers=dense,
    )


def qwen3(rng):
    f = shape(rng) | {"qk_norm": "head"}
    return f, hf.Qwen3Config(**common(f))


def qwen3_moe(rng):
    f = shape(rng) | experts(rng) | {"qk_norm": "head", "expert_intermediate_size": rng.randint(9, 40)}
    return f, hf.Qwen3MoeConfig(
        **common(f, num_experts=f["n_experts"], num_experts_per_tok=f["experts_per_token"]),
        moe_intermediate_size=f["expert_intermediate_size"],
    )


def gemma(rng):
    f = shape(rng)
    return f, hf.GemmaConfig(**common(f))


def gemma2(rng):
    f = shape(rng) | {"norms_per_layer": 4}
    return f, hf.Gemma2Config(**common(f))


def gemma3_text(rng):
    f = shape(rng) | {"norms_per_layer": 4, "qk_norm": "head"}
    return f, hf.Gemma3TextConfig(**common(f))


def phi3(rng):
    f = divided(shape(rng), rng, kv_heads=True)
    return f, hf.Phi3Config(**common(f, head_dim=False))


def olmo(rng):
    f = divided(shape(rng), rng, kv_heads=True) | {"norm": "fixed"}
    return f, hf.OlmoConfig(**common(f, head_dim=False))


def olmo2(rng):
    f = divided(shape(rng), rng, kv_heads=True) | {"qk_norm": "full"}
    return f, hf.Olmo2Config(**common(f, head_dim=False))


def olmoe(rng):
    f = divided(shape(rng), rng, kv_heads=True) | experts(rng) | {"qk_norm": "full"}
    return f, hf.OlmoeConfig(
        **common(f, head_dim=False, num_experts=f["n_experts"], num_experts_per_tok=f["experts_per_token"])
    )


def gpt2(rng):
    f = divided(shape(rng), rng) | GPT_BIASES | {"learned_positions": rng.randint(20, 60)}
    return f, hf.GPT2Config(
        n_layer=f["n_layers"],
        n_embd=f["hidden_size"],
        n_head=f["n_heads"],
        n_inner=f["intermediate_size"],
        n_positions=f["learned_positions"],
        vocab_size=f["vocab_size"],
        tie_word_embeddings=f["tied_embeddings"],
    )


def opt(rng):
    f = divided(shape(rng), rng) | GPT_BIASES | {"learned_positions": rng.randint(20, 60)}
    keywords = common(f, head_dim=False, ffn_dim=f["intermediate_size"], word_embed_proj_dim=f["hidden_size"])
    return f, hf.OPTConfig(**keywords | {"max_position_embeddings": f["learned_positions"] - 2, "pad_token_id": 1})


def gpt_neox(rng):
    f = divided(shape(rng), rng) | GPT_BIASES
    return f, hf.GPTNeoXConfig(**common(f, head_dim=False))


def falcon(rng):
    f = divided(shape(rng), rng) | {"norm": "layer", "gated_mlp": False}
    new = rng.random() < 0.5
    biases = rng.random() < 0.5
    f |= {"qkv_bias": biases, "output_bias": biases, "mlp_bias": biases, "norms_per_layer": 2 if new else 1}
    f["n_kv_heads"] = 2 if new else 1
    keywords = common(f, head_dim=False, ffn_hidden_size=f["intermediate_size"], num_kv_heads=f["n_kv_heads"])
    return f, hf.FalconConfig(**keywords, bias=biases, new_decoder_architecture=new, multi_query=True)


def mpt(rng):
    f = divided(shape(rng), rng) | {"norm": "layer_without_bias", "gated_mlp": False, "tied_embeddings": True}
    f["intermediate_size"] = 4 * f["hidden_size"]  # that class knows no other ratio
    return f, hf.MptConfig(
        n_layers=f["n_layers"],
        d_model=f["hidden_size"],
        n_heads=f["n_heads"],
        vocab_size=f["vocab_size"],
    )


def bloom(rng):
    f = divided(shape(rng), rng) | GPT_BIASES | {"embedding_norm": True}
    f["intermediate_size"] = 4 * f["hidden_size"]
    return f, hf.BloomConfig(
        n_layer=f["n_layers"],
        hidden_size=f["hidden_size"],
        n_head=f["n_heads"],
        vocab_size=f["vocab_size"],
        tie_word_embeddings=f["tied_embeddings"],
    )


def dbrx_shape(rng):
    f = divided(shape(rng), rng, kv_heads=True) | experts(rng)
    f |= {"norm": "layer_without_bias", "tied_embeddings": False}
    sizes = ("hidden_size", "n_layers", "n_heads", "n_kv_heads", "intermediate_size", "n_experts")
    return f, dbrx(*(f[name] for name in sizes), f["experts_per_token"], f["vocab_size"])


def deepseek(rng, config, **more):
    f = shape(rng) | {"n_kv_heads": 1, "head_dim": 1}
    f |= {"n_heads": rng.randint(1, 4), "n_experts": 8, "experts_per_token": rng.randint(1, 4), "n_shared_experts": 2}
    f |= {"expert_intermediate_size": rng.randint(9, 40), "n_dense_layers": rng.randint(0, 1)}
    f |= {"q_lora_rank": rng.choice([None, 12]), "kv_lora_rank": rng.randint(8, 20), "qk_rope_head_dim": 4}
    f |= {"qk_nope_head_dim": rng.randint(4, 9), "v_head_dim": rng.randint(4, 9)}
    biases = rng.random() < 0.5
    f |= {"qkv_bias": biases, "output_bias": biases}
    same = ("q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "n_shared_experts")
    keywords = common(f, head_dim=False, **{name: f[name] for name in same})
    return f, config(
        **keywords | {"num_key_value_heads": f["n_heads"]},
        attention_bias=biases,
        n_routed_experts=f["n_experts"],
        num_experts_per_tok=f["experts_per_token"],
        moe_intermediate_size=f["expert_intermediate_size"],
        first_k_dense_replace=f["n_dense_layers"],
        **more,
    )


def deepseek_v2(rng):
    return deepseek(rng, hf.DeepseekV2Config)


def deepseek_v3(rng):
    return deepseek(rng, hf.DeepseekV3Config, n_group=2, topk_group=2)


def gpt_oss(rng):
    f = shape(rng) | experts(rng) | {"attention_sinks": True, "qkv_bias": True, "output_bias": True}
    f |= {"router_bias": True, "expert_bias": True}
    return f, hf.GptOssConfig(**common(f, num_local_experts=f["n_experts"], num_experts_per_tok=f["experts_per_token"]))


FAMILIES = {
    "llama": llama,
    "mistral": mistral,
    "mixtral": mixtral,
    "qwen2": qwen2,
    "qwen2_moe": qwen2_moe,
    "qwen3": qwen3,
    "qwen3_moe": qwen3_moe,
    "gemma": gemma,
    "gemma2": gemma2,
    "gemma3_text": gemma3_text,
    "phi3": phi3,
    "olmo": olmo,
    "olmo2": olmo2,
    "olmoe": olmoe,
    "gpt2": gpt2,
    "opt": opt,
    "gpt_neox": gpt_neox,
    "falcon": falcon,
    "mpt": mpt,
    "bloom": bloom,
    "dbrx": dbrx_shape,
    "deepseek_v2": deepseek_v2,
    "deepseek_v3": deepseek_v3,
    "gpt_oss": gpt_oss,
}


def flop_models():
    """One model of each kind, large enough that matrix products are all that matters."""
    f = {
        "n_layers": 2,
        "hidden_size": 512,
        "n_heads": 8,
        "n_kv_heads": 8,
        "head_dim": 96,
        "intermediate_size": 1200,
        "vocab_size": 3000,
        "tied_embeddings": False,
    }
    yield "dense, multi-head", f, hf.LlamaConfig(**common(f))
    f = f | {"n_kv_heads": 2}
    yield "dense, grouped-query", f, hf.LlamaConfig(**common(f))
    f = f | {"n_kv_heads": 1, "head_dim": 64, "norm": "layer", "gated_mlp": False, "norms_per_layer": 1}
    f |= {"tied_embeddings": True}
    keywords = common(f, head_dim=False, ffn_hidden_size=f["intermediate_size"])
    yield "dense, multi-query", f, hf.FalconConfig(**keywords, bias=False, multi_query=True)
    f = f | GPT_BIASES | {"n_kv_heads": 8, "norms_per_layer": 2, "learned_positions": 600}
    yield (
        "dense, learned positions",
        f,
        hf.GPT2Config(n_layer=2, n_embd=512, n_head=8, n_inner=1200, n_positions=600, vocab_size=3000),
    )
    f = shape(random.Random(0)) | {"n_layers": 2, "hidden_size": 512, "n_heads": 8, "n_kv_heads": 2, "head_dim": 96}
    f |= {
        "intermediate_size": 600,
        "vocab_size": 3000,
        "n_experts": 8,
        "experts_per_token": 3,
        "tied_embeddings": False,
    }
    yield (
        "mixture of experts",
        f,
        hf.MixtralConfig(**common(f, num_local_experts=f["n_experts"], num_experts_per_tok=f["experts_per_token"])),
    )
    f = f | {"head_dim": 64, "qkv_bias": True, "expert_intermediate_size": 400, "shared_expert_gate": True}
    f |= {"shared_intermediate_size": 500, "n_shared_experts": 1, "n_dense_layers": 1}
    yield (
        "mixture of experts, shared expert",
        f,
        hf.Qwen2MoeConfig(
            **common(f, head_dim=False, num_experts=f["n_experts"], num_experts_per_tok=f["experts_per_token"]),
            moe_intermediate_size=400,
            shared_expert_intermediate_size=500,
            mlp_only_layers=[0],
        ),
    )
    latent = {"kv_lora_rank": 160, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32, "v_head_dim": 80}
    base = {"n_layers": 2, "hidden_size": 512, "n_heads": 8, "n_kv_heads": 8, "head_dim": None}
    base |= {"intermediate_size": 1200, "vocab_size": 3000, "tied_embeddings": False} | latent
    base |= {"n_experts": 8, "experts_per_token": 3, "n_shared_experts": 2, "expert_intermediate_size": 400}
    for kind, dense, rank, config, more in (
        ("latent attention", 2, 192, hf.DeepseekV3Config, {"n_group": 2, "topk_group": 2}),
        ("latent attention, mixture of experts", 1, None, hf.DeepseekV2Config, {}),
    ):
        f = base | {"n_dense_layers": dense, "q_lora_rank": rank}
        keywords = common(f, head_dim=False, **latent, q_lora_rank=rank, n_shared_experts=2, moe_intermediate_size=400)
        yield (
            kind,
            f,
            config(**keywords, n_routed_experts=8, num_experts_per_tok=3, first_k_dense_replace=dense, **more),
        )


def counted(call) -> tuple[int, object]:
    """FLOPs of one call, as PyTorch counts them, and its result."""
    with FlopCounterMode(display=False) as counter:
        result = call()
    return counter.get_total_flops(), result


def flops(config, context: int) -> dict[str, int]:
    """FLOPs of ``context`` tokens at once, forward and with the backward pass, where eager attention
    gives every token ``context`` keys; and of one token that follows ``context - 1`` cached ones."""
    model = build(config, "cpu")
    tokens = torch.zeros((1, context), dtype=torch.long)
    training, _ = counted(lambda: model(tokens, use_cache=False).logits.sum().backward())
    with torch.no_grad():
        prefill, _ = counted(lambda: model(tokens, use_cache=False))
        cache = model(tokens[:, 1:], use_cache=True).past_key_values
        decode, _ = counted(lambda: model(tokens[:, :1], past_key_values=cache, use_cache=True))
    return {"context": context, "prefill": prefill, "training": training, "decode": decode}


def absorbed_attention(heads=6, rank=40, nope=16, rope=8, value=24, context=50) -> dict[str, int]:
    """FLOPs of one query of latent attention computed in the latent space, from the projected query
    to the values of each head, after a check that it gives what decompressed keys and values give."""
    torch.manual_seed(0)
    query, query_rope = torch.randn(heads, 1, nope), torch.randn(heads, 1, rope)
    latent, key_rope = torch.randn(context, rank), torch.randn(context, rope)
    key_up, value_up = torch.randn(heads, nope, rank), torch.randn(heads, rank, value)

    def decompressed():
        keys = latent @ key_up.transpose(1, 2)
        scores = query @ keys.transpose(1, 2) + query_rope @ key_rope.T
        return scores.softmax(-1) @ (latent @ value_up)

    def absorbed():
        scores = torch.cat([query @ key_up, query_rope], -1) @ torch.cat([latent, key_rope], -1).T
        return scores.softmax(-1) @ latent @ value_up

    total, result = counted(absorbed)
    torch.testing.assert_close(result, decompressed(), rtol=1e-3, atol=1e-3)
    sizes = {"n_heads": heads, "kv_lora_rank": rank, "qk_nope_head_dim": nope, "qk_rope_head_dim": rope}
    return sizes | {"v_head_dim": value, "context": context, "flops": total}


def main() -> None:
    hf.logging.set_verbosity_error()
    named = {name: count(build(config)) for name, config in named_models().items()}
    small = []
    for family, make in FAMILIES.items():
        for seed in range(SHAPES_PER_FAMILY):
            fields, config = make(random.Random(f"{family} {seed}"))
            small.append({"family": family, "fields": fields, "parameters": count(build(config))})
    measured = [
        {"kind": kind, "fields": fields, "flops": [flops(config, context) for context in (64, 512)]}
        for kind, fields, config in flop_models()
    ]
    lists = {"small": small, "flops": measured}
    versions = {"torch": torch.__version__, "transformers": hf.__version__}
    rows = [f'"versions": {json.dumps(versions)}', f'"absorbed": {json.dumps(absorbed_attention())}']
    rows.append(f'"named": {json.dumps(named, indent=0)}')
    for key in ("small", "flops"):
        rows.append(f'"{key}": [\n' + ",\n".join(json.dumps(case) for case in lists[key]) + "\n]")
    OUT.write_text("{\n" + ",\n".join(rows) + "\n}\n")
    print(f"{len(named)} models, {len(small)} small shapes, {len(measured)} FLOP counts: {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
