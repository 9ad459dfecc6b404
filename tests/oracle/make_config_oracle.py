"""Ask ``transformers`` how many parameters the models of real and of random ``config.json`` files have.

Every configuration is built on PyTorch's meta device, which knows shapes and holds no values, and small ones with
values too, for the bytes of their caches and the FLOPs of layers without attention. Published files are written
down as they are on the hub, without fields that say nothing about the shape; ``short`` is what is left of them
without the fields that have the default of their class. Nothing here imports the package.
Run it as the README beside it says; it writes ``config_oracle.json``.
"""

from __future__ import annotations

import json
import random
from dataclasses import MISSING, fields
from pathlib import Path

import torch
import transformers as hf
from torch.utils.flop_counter import FlopCounterMode
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

SHAPES_PER_FAMILY = 8
OUT = Path(__file__).with_name("config_oracle.json")


def parse(file: dict):
    """The configuration object of a file; of a nested one, its language model's."""
    file = {"pad_token_id": None} | file  # that of phi3 lies beyond a small vocabulary
    model_type = file.pop("model_type")
    config = CONFIG_MAPPING[model_type].from_dict(file)
    return config.get_text_config() if "text_config" in file else config


def build(config, device="meta", dtype=None):
    """A causal language model with eager attention and experts as batched products, whose FLOPs are counted."""
    if config.model_type == "dbrx":
        config.attn_config.rope_theta = 1e4  # its class reads it, and has no default for it
    with torch.device(device):
        return hf.AutoModelForCausalLM.from_config(
            config, attn_implementation="eager", experts_implementation="batched_mm", dtype=dtype
        ).eval()


def count(file: dict) -> dict[str, int]:
    """All parameters, tied tables once, and those that one token leaves idle in the experts it is not sent to."""
    config = parse(file)
    model = build(config)
    total = sum(parameter.numel() for parameter in model.parameters())
    idle = 0
    for name, module in model.named_modules():
        if not name.endswith("experts") or type(module).__name__.endswith("MLP"):
            continue
        n_experts = getattr(module, "num_experts", None) or config.ffn_config.moe_num_experts
        top_k = getattr(config, "num_experts_per_tok", None) or config.ffn_config.moe_top_k
        held = sum(parameter.numel() for parameter in module.parameters())
        idle += held // n_experts * (n_experts - top_k)
    return {"total": total, "active": total - idle}


def cache_values(config, n_tokens: int) -> int:
    """Values that a model keeps of one sequence: keys, values, states."""
    model = build(config, "cpu")
    cache = hf.DynamicCache(config=config)
    with torch.no_grad():
        model(torch.zeros(1, n_tokens, dtype=torch.long), use_cache=True, past_key_values=cache)
    tensors = []
    for layer in cache.layers:
        tensors += [getattr(layer, name, None) for name in ("keys", "values")]
        for states in ("conv_states", "recurrent_states"):
            tensors += list((getattr(layer, states, None) or {}).values())
    for _, module in model.named_modules():  # recurrent_gemma keeps its states in its layers
        tensors += [getattr(module, name, None) for name in ("conv1d_state", "recurrent_states")]
    return sum(tensor.numel() for tensor in tensors if torch.is_tensor(tensor))


def short(file: dict) -> dict:
    """The file without what its class would give anyway."""
    if "text_config" in file:
        inner = {"model_type": file["text_config"]["model_type"]}
        return {"model_type": file["model_type"], "text_config": inner | short(file["text_config"])}
    defaults = {}
    for field in fields(CONFIG_MAPPING[file["model_type"]]):
        defaults[field.name] = field.default_factory() if field.default is MISSING else field.default
    kept = {key: value for key, value in file.items() if key not in defaults or defaults[key] != value}
    return kept | {"model_type": file["model_type"]}


def decoder(model_type, layers, hidden, heads, kv_heads, inner, vocab, tied=False, **more) -> dict:
    """The fields that most files have."""
    return {
        "architectures": ["ForCausalLM"],
        "model_type": model_type,
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": inner,
        "vocab_size": vocab,
        "tie_word_embeddings": tied,
        "torch_dtype": "bfloat16",
    } | more


def deepseek(model_type, layers, hidden, heads, inner, expert, experts, top_k, shared, vocab, q_rank, first) -> dict:
    """The fields of DeepSeek-V2 and V3."""
    return decoder(
        model_type,
        layers,
        hidden,
        heads,
        heads,
        inner,
        vocab,
        attention_bias=False,
        moe_intermediate_size=expert,
        n_routed_experts=experts,
        num_experts_per_tok=top_k,
        n_shared_experts=shared,
        q_lora_rank=q_rank,
        kv_lora_rank=512,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
        first_k_dense_replace=first,
        moe_layer_freq=1,
    )


def qwen_moe(model_type, layers, hidden, heads, kv_heads, inner, expert, experts, top_k, **more) -> dict:
    """The fields of the mixtures of Qwen."""
    return decoder(
        model_type,
        layers,
        hidden,
        heads,
        kv_heads,
        inner,
        151936,
        decoder_sparse_step=1,
        moe_intermediate_size=expert,
        num_experts=experts,
        num_experts_per_tok=top_k,
        use_sliding_window=False,
        **more,
    )


def falcon(layers, hidden, heads, kv_heads, vocab=65024, **more) -> dict:
    """The fields of Falcon."""
    flags = {"alibi": False, "bias": False, "multi_query": True, "parallel_attn": True}
    return {
        "model_type": "falcon",
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_kv_heads": kv_heads,
        "vocab_size": vocab,
        "new_decoder_architecture": False,
        **flags,
        **more,
    }


def mpt(layers, hidden, heads) -> dict:
    """The fields of MPT."""
    attention = {"alibi": True, "attn_type": "multihead_attention", "qk_ln": False, "clip_qkv": None}
    sizes = {"n_layers": layers, "d_model": hidden, "n_heads": heads, "vocab_size": 50432, "expansion_ratio": 4}
    return {"model_type": "mpt", **sizes, "no_bias": True, "learned_pos_emb": True, "attn_config": attention}


JAMBA = {
    "attn_layer_offset": 4,
    "attn_layer_period": 8,
    "expert_layer_offset": 1,
    "expert_layer_period": 2,
    "mamba_conv_bias": True,
    "mamba_d_conv": 4,
    "mamba_d_state": 16,
    "mamba_expand": 2,
    "mamba_proj_bias": False,
    "num_experts": 16,
    "num_experts_per_tok": 2,
}
RECURRENT = {"attention_bias": False, "conv1d_width": 4, "attention_window_size": 2048, "head_dim": 256}
RECURRENT |= {"_block_types": ["recurrent", "recurrent", "attention"], "lru_width": 2560}
GEMMA3_4B = {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34}
SIGLIP = {"hidden_size": 1152, "intermediate_size": 4304, "model_type": "siglip_vision_model", "patch_size": 14}

PUBLISHED = {
    "Llama-2-7b": decoder("llama", 32, 4096, 32, 32, 11008, 32000),
    "Llama-3.1-8B": decoder("llama", 32, 4096, 32, 8, 14336, 128256, attention_bias=False, mlp_bias=False),
    "Llama-3.2-1B": decoder("llama", 16, 2048, 32, 8, 8192, 128256, True, head_dim=64),
    "Llama-3.1-405B": decoder("llama", 126, 16384, 128, 8, 53248, 128256, attention_bias=False, mlp_bias=False),
    "Mistral-7B-v0.1": decoder("mistral", 32, 4096, 32, 8, 14336, 32000, sliding_window=4096),
    "Mistral-7B-v0.3": decoder("mistral", 32, 4096, 32, 8, 14336, 32768, sliding_window=None),
    "Mistral-Nemo-12B": decoder("mistral", 40, 5120, 32, 8, 14336, 131072, head_dim=128, sliding_window=None),
    "Mixtral-8x7B": decoder(
        "mixtral", 32, 4096, 32, 8, 14336, 32000, num_local_experts=8, num_experts_per_tok=2, sliding_window=None
    ),
    "Mixtral-8x22B": decoder(
        "mixtral", 56, 6144, 48, 8, 16384, 32768, num_local_experts=8, num_experts_per_tok=2, sliding_window=None
    ),
    "Qwen2.5-0.5B": decoder("qwen2", 24, 896, 14, 2, 4864, 151936, True, use_sliding_window=False),
    "Qwen2-7B": decoder("qwen2", 28, 3584, 28, 4, 18944, 152064, use_sliding_window=False, sliding_window=131072),
    "Qwen2-72B": decoder("qwen2", 80, 8192, 64, 8, 29568, 152064, use_sliding_window=False, max_window_layers=80),
    "Qwen1.5-MoE-A2.7B": qwen_moe(
        "qwen2_moe", 24, 2048, 16, 16, 5632, 1408, 60, 4, shared_expert_intermediate_size=5632
    ),
    "Qwen2-57B-A14B": qwen_moe("qwen2_moe", 28, 3584, 28, 4, 18944, 2560, 64, 8, shared_expert_intermediate_size=20480),
    "Qwen3-0.6B": decoder("qwen3", 28, 1024, 16, 8, 3072, 151936, True, head_dim=128, sliding_window=None),
    "Qwen3-32B": decoder("qwen3", 64, 5120, 64, 8, 25600, 151936, head_dim=128, attention_bias=False),
    "Qwen3-30B-A3B": qwen_moe("qwen3_moe", 48, 2048, 32, 4, 6144, 768, 128, 8, head_dim=128, mlp_only_layers=[]),
    "Qwen3-235B-A22B": qwen_moe("qwen3_moe", 94, 4096, 64, 4, 12288, 1536, 128, 8, head_dim=128, mlp_only_layers=[]),
    "Gemma-2b": decoder("gemma", 18, 2048, 8, 1, 16384, 256000, True, head_dim=256),
    "Gemma-7b": decoder("gemma", 28, 3072, 16, 16, 24576, 256000, True, head_dim=256),
    "Gemma-2-9b": decoder("gemma2", 42, 3584, 16, 8, 14336, 256000, True, head_dim=256, sliding_window=4096),
    "Gemma-2-27b": decoder("gemma2", 46, 4608, 32, 16, 36864, 256000, True, head_dim=128, sliding_window=4096),
    "Gemma-3-1b": decoder(
        "gemma3_text", 26, 1152, 4, 1, 6912, 262144, True, head_dim=256, sliding_window=512, sliding_window_pattern=6
    ),
    "Gemma-3-4b": {
        "model_type": "gemma3",
        "text_config": GEMMA3_4B | {"sliding_window": 1024},
        "vision_config": SIGLIP,
    },
    "Phi-3-mini": decoder("phi3", 32, 3072, 32, 32, 8192, 32064, sliding_window=2047, attention_bias=False),
    "Phi-4-mini": decoder("phi3", 32, 3072, 24, 8, 8192, 200064, True, sliding_window=262144),
    "OLMo-7B": decoder("olmo", 32, 4096, 32, 32, 11008, 50304, clip_qkv=None),
    "OLMo-2-13B": decoder("olmo2", 40, 5120, 40, 40, 13824, 100352),
    "OLMoE-1B-7B": decoder("olmoe", 16, 2048, 16, 16, 1024, 50304, num_experts=64, num_experts_per_tok=8),
    "GPT-2": {"model_type": "gpt2", "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024}
    | {"vocab_size": 50257},
    "GPT-2 XL": {"model_type": "gpt2", "n_ctx": 1024, "n_embd": 1600, "n_head": 25, "n_layer": 48}
    | {"n_positions": 1024, "vocab_size": 50257},
    "GPT-NeoX-20B": {
        key: value
        for key, value in decoder("gpt_neox", 44, 6144, 64, None, 24576, 50432).items()
        if key != "num_key_value_heads"
    },
    "Pythia-6.9b": {
        key: value
        for key, value in decoder("gpt_neox", 32, 4096, 32, None, 16384, 50432).items()
        if key != "num_key_value_heads"
    },
    "Falcon-RW-1B": falcon(24, 2048, 32, 32, 50304, alibi=True, bias=True, multi_query=False, parallel_attn=False),
    "Falcon-7B": falcon(32, 4544, 71, 71),
    "Falcon-40B": falcon(60, 8192, 128, 8, new_decoder_architecture=True),
    "Falcon-180B": falcon(80, 14848, 232, 8, new_decoder_architecture=True),
    "Falcon-11B": falcon(
        60, 4096, 32, 8, ffn_hidden_size=16384, new_decoder_architecture=True, num_ln_in_parallel_attn=1
    )
    | {"tie_word_embeddings": False},
    "MPT-7B": mpt(32, 4096, 32),
    "MPT-30B": mpt(48, 7168, 64),
    "BLOOM": {"model_type": "bloom", "n_layer": 70, "n_embed": 14336, "num_attention_heads": 112, "n_inner": None}
    | {"vocab_size": 250880},
    "BLOOM-560m": {"model_type": "bloom", "n_layer": 24, "hidden_size": 1024, "n_head": 16, "vocab_size": 250880},
    "DBRX": {
        "model_type": "dbrx",
        "d_model": 6144,
        "n_heads": 48,
        "n_layers": 40,
        "vocab_size": 100352,
        "tie_word_embeddings": False,
        "attn_config": {"clip_qkv": 8, "kv_n_heads": 8, "rope_theta": 500000},
        "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4},
    },
    "Jamba-v0.1": decoder("jamba", 32, 4096, 32, 8, 14336, 65536, mamba_dt_rank=256, **JAMBA),
    "Jamba-1.5-Large": decoder("jamba", 72, 8192, 64, 8, 24576, 65536, mamba_dt_rank=512, **JAMBA),
    "RecurrentGemma-2b": decoder("recurrent_gemma", 26, 2560, 10, 1, 15360, 256000, True, **RECURRENT),
    "RecurrentGemma-9b": decoder(
        "recurrent_gemma", 38, 4096, 16, 1, 24576, 256000, True, **RECURRENT | {"lru_width": None}
    ),
    "DeepSeek-V2": deepseek("deepseek_v2", 60, 5120, 128, 12288, 1536, 160, 6, 2, 102400, 1536, 1),
    "DeepSeek-V2-Lite": deepseek("deepseek_v2", 27, 2048, 16, 10944, 1408, 64, 6, 2, 102400, None, 1),
    "DeepSeek-V3": deepseek("deepseek_v3", 61, 7168, 128, 18432, 2048, 256, 8, 1, 129280, 1536, 3)
    | {"num_nextn_predict_layers": 1},
    "gpt-oss-20b": decoder("gpt_oss", 24, 2880, 64, 8, 2880, 201088, head_dim=64, num_local_experts=32)
    | {"num_experts_per_tok": 4, "sliding_window": 128, "attention_bias": True}
    | {"layer_types": ["sliding_attention", "full_attention"] * 12},
    "gpt-oss-120b": decoder("gpt_oss", 36, 2880, 64, 8, 2880, 201088, head_dim=64, num_local_experts=128)
    | {"num_experts_per_tok": 4, "sliding_window": 128, "attention_bias": True},
}


# Random small shapes: the fields of each family that change its count, each given, null or left out.


def some(rng: random.Random, file: dict, keep: float = 0.8) -> dict:
    """Without some of its fields."""
    return {key: value for key, value in file.items() if rng.random() < keep}


def kinds(rng: random.Random, n: int) -> list[str]:
    return [rng.choice(["full_attention", "sliding_attention"]) for _ in range(n)]


def random_file(model_type: str, rng: random.Random) -> dict:
    kv_heads = rng.choice([1, 2, 3])
    heads = kv_heads * rng.choice([1, 2, 4])
    layers = rng.randint(2, 7)
    hidden = heads * 4 * rng.randint(2, 6)
    flag = lambda: rng.random() < 0.5  # noqa: E731
    sizes = {"num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads}
    sizes |= {"intermediate_size": 2 * rng.randint(10, 45), "vocab_size": rng.randint(50, 200)}
    kv = {"num_key_value_heads": kv_heads}
    tied = some(rng, {"tie_word_embeddings": flag()}, 0.7)
    dim = some(rng, {"head_dim": 4 * rng.randint(1, 6)}, 0.6)
    bias = some(rng, {"attention_bias": flag()}, 0.7)
    window = some(rng, {"sliding_window": rng.choice([None, 5, 9])}, 0.7)
    n_experts = rng.randint(2, 8)
    top_k = {"num_experts_per_tok": rng.randint(1, n_experts)}
    local = {rng.choice(["num_experts", "num_local_experts"]): n_experts} | top_k
    width = {"moe_intermediate_size": rng.randint(9, 40)}
    types = some(rng, {"layer_types": kinds(rng, layers)}, 0.5)
    switched = {"use_sliding_window": flag(), "max_window_layers": rng.randint(0, layers), "sliding_window": 6}
    sparse = {"decoder_sparse_step": rng.choice([1, 2, 3]), "mlp_only_layers": rng.choice([None, [], [1], [0, 2]])}
    sparse = some(rng, sparse, 0.8) | width | top_k | {"num_experts": n_experts}
    null_kv = {"num_key_value_heads": None} if flag() else kv
    gpt = {"n_layer": layers, "n_embd": hidden, "n_head": heads, "vocab_size": sizes["vocab_size"]} | tied
    new = flag()
    long = {"num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads}
    files = {
        "llama": sizes
        | null_kv
        | tied
        | bias
        | some(rng, {"mlp_bias": flag()})
        | (dim if flag() else {"head_dim": None}),
        "mistral": sizes | kv | tied | dim | window,
        "mixtral": sizes | kv | tied | dim | window | local,
        "qwen2": sizes | null_kv | tied | dim | switched | types,
        "qwen2_moe": sizes
        | kv
        | tied
        | switched
        | types
        | sparse
        | some(rng, {"qkv_bias": flag()})
        | {"shared_expert_intermediate_size": rng.randint(9, 40)},
        "qwen3": sizes | null_kv | tied | dim | bias | switched | types,
        "qwen3_moe": sizes | kv | tied | dim | bias | sparse | {"use_sliding_window": flag(), "sliding_window": 6},
        "gemma": sizes | kv | tied | dim | bias,
        "gemma2": sizes | kv | tied | dim | bias | window | types,
        "gemma3_text": sizes
        | kv
        | tied
        | dim
        | bias
        | window
        | types
        | some(rng, {"sliding_window_pattern": rng.randint(1, 4)}, 0.5),
        "phi3": sizes | null_kv | tied | dim | window,
        "olmo": sizes | null_kv | tied | dim | bias,
        "olmo2": sizes | null_kv | tied | dim | bias,
        "olmoe": sizes | null_kv | tied | bias | local,
        "gpt2": gpt | some(rng, {"n_inner": rng.choice([None, 70])}) | some(rng, {"n_positions": rng.randint(20, 60)}),
        "gpt_neox": sizes | tied | bias,
        "falcon": long
        | {
            "vocab_size": sizes["vocab_size"],
            "new_decoder_architecture": new,
            "num_kv_heads": kv_heads if new else heads,
        }
        | tied
        | some(rng, {"bias": flag(), "multi_query": flag(), "parallel_attn": flag(), "alibi": flag()}, 0.7)
        | some(rng, {"num_ln_in_parallel_attn": rng.choice([None, 1, 2]), "ffn_hidden_size": rng.choice([None, 50])}),
        "mpt": (long if flag() else {"n_layers": layers, "d_model": hidden, "n_heads": heads})
        | {"vocab_size": sizes["vocab_size"], "max_seq_len": 64}
        | tied,
        "bloom": {"n_layer": layers, rng.choice(["hidden_size", "n_embed"]): hidden, "vocab_size": sizes["vocab_size"]}
        | {rng.choice(["n_head", "num_attention_heads"]): heads}
        | tied,
        "dbrx": {"n_layers": layers, "d_model": hidden, "n_heads": heads, "vocab_size": sizes["vocab_size"]}
        | {"attn_config": {"kv_n_heads": kv_heads, "rope_theta": 1e4, "clip_qkv": 8}}
        | {
            "ffn_config": some(rng, {"ffn_hidden_size": rng.randint(9, 40)}) | some(rng, {"moe_num_experts": n_experts})
        },
        "jamba": sizes
        | kv
        | tied
        | dim
        | {"num_experts": rng.choice([1, n_experts]), "num_experts_per_tok": 1}
        | {"attn_layer_period": rng.randint(2, 4), "attn_layer_offset": rng.randint(0, 1)}
        | {"expert_layer_period": rng.randint(2, 3), "expert_layer_offset": rng.randint(0, 1)}
        | some(rng, {"mamba_d_state": rng.randint(2, 9), "mamba_d_conv": rng.randint(2, 5), "mamba_expand": 3}, 0.7)
        | some(rng, {"mamba_dt_rank": rng.choice(["auto", 7]), "mamba_conv_bias": flag(), "mamba_proj_bias": flag()}),
        "recurrent_gemma": sizes
        | null_kv
        | tied
        | dim
        | bias
        | some(rng, {"lru_width": rng.choice([None, heads * 6]), "conv1d_width": rng.randint(2, 5)}, 0.7)
        | some(rng, {"block_types": rng.choice([["attention"], ["recurrent", "attention"]])}, 0.5)
        | some(rng, {rng.choice(["sliding_window", "attention_window_size"]): 9}, 0.7),
    }
    latent = {"q_lora_rank": rng.choice([None, 12]), "kv_lora_rank": rng.randint(8, 20), "qk_rope_head_dim": 4}
    latent |= {"qk_nope_head_dim": rng.randint(4, 9), "v_head_dim": rng.randint(4, 9)}
    latent |= {"n_routed_experts": 8, "num_experts_per_tok": rng.randint(1, 4)} | width
    latent |= some(rng, {"n_shared_experts": rng.randint(1, 3), "first_k_dense_replace": rng.randint(0, 2)}, 0.7)
    latent |= sizes | bias | tied | {"num_key_value_heads": heads}
    files["deepseek_v2"] = latent | some(rng, {"mlp_bias": flag()})
    files["deepseek_v3"] = latent | {"n_group": 2, "topk_group": 2}
    files["gpt_oss"] = sizes | kv | dim | tied | bias | window | types | local
    return {"model_type": model_type} | files[model_type]


def flops(model_type: str, **more) -> dict:
    """FLOPs of one pass over a few tokens by a model of which matrix products are nearly all."""
    sizes = {"num_hidden_layers": 3, "hidden_size": 512, "num_attention_heads": 8, "intermediate_size": 1024}
    file = {"model_type": model_type, "vocab_size": 1000, "num_key_value_heads": 2} | sizes | more
    n_tokens = 64
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        build(parse(file), "cpu")(torch.zeros(1, n_tokens, dtype=torch.long), use_cache=False)
    return {"config": file, "tokens": n_tokens, "flops": counter.get_total_flops()}


LATENT = ("deepseek_v2", "deepseek_v3")


def random_shapes() -> list[dict]:
    """Files with random small sizes, and what their models hold.

    Not the caches of latent attention and of falcon's new architecture, which are kept for every query head there.
    """
    cases = []
    for model_type in sorted({file["model_type"] for file in PUBLISHED.values()} - {"gemma3"}):
        rng = random.Random(model_type)
        for _ in range(SHAPES_PER_FAMILY):
            file = random_file(model_type, rng)
            case = {"config": file} | count(file)
            config = parse(file)
            repeated = model_type in LATENT or getattr(config, "new_decoder_architecture", False)
            try:
                three, four = (None, None) if repeated else (cache_values(config, n) for n in (3, 4))
            except (AttributeError, RuntimeError, TypeError, ValueError) as error:  # built, and cannot run
                print(f"{model_type}: cannot run: {error}")
                three = None
            if three is not None:
                case["values_per_token"] = four - three
                case["state_values"] = three - 3 * (four - three)
            cases.append(case)
    return cases


def main() -> None:
    published = {}
    for name, file in PUBLISHED.items():
        published[name] = {"config": file, "short": short(file)} | count(file)
        assert count(short(file)) == count(file), name
    stored = {
        "transformers": hf.__version__,
        "published": published,
        "random": random_shapes(),
        "flops": [
            flops("jamba", attn_layer_period=3, attn_layer_offset=1, num_experts=4, mamba_d_state=4),
            flops("recurrent_gemma", lru_width=1024),
        ],
    }
    text = json.dumps(stored, separators=(",", ":")).replace('{"config"', '\n{"config"')
    OUT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
