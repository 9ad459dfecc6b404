"""Draw random odd shapes of every family and ask ``transformers`` for parameters and caches; print what differs.

Each shape starts from a random row of ``families_oracle.json``: sizes move, switches flip, lists of layers are drawn
anew, and fields that may are nothing: null, or no shared expert, no dense layer, no table. What the class cannot
build, or what the book refuses, is left out; what the class refuses and the book counts is printed. With a number of
shapes for each family as argument, and perhaps a word that makes a lot of its own. Of the usual lot one shape of each
family that agrees goes to ``families_drawn.json``; what stands there of other lots stays. Run it as the README says.
"""

from __future__ import annotations

import json
import logging
import random
import sys
import warnings
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from llm_economics.checkpoints import FAMILIES, read
from llm_economics.checkpoints.config import Fields
from llm_economics.formulas import architecture
from llm_economics.formulas.elementwise import ParameterError

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
HERE = Path(__file__).parent
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
CHOSEN = ("num_experts_per_tok", "moe_topk", "moe_k", "top_k_experts", "moe_top_k", "num_experts_per_token")
OWN_ACTIVE = ("dbrx", "jetmoe", "longcat_flash")  # fields inside others, experts in attention, weights never read
OWN_CACHE = ("deepseek_v4", "dots3_note_text", "falcon", "xlstm")  # kept in ways of their own
NOTHING = ("n_shared_experts", "num_shared_experts", "shared_intermediate_size", "first_k_dense_replace")
NOTHING += ("num_dense_layers", "num_kv_shared_layers", "hidden_size_per_layer_input", "num_nextn_predict_layers")
FIXED = ("max_position", "n_positions", "n_ctx", "rope", "eps", "token", "std", "clip", "chunk")


def drawn(row: dict, fields: Fields, rng: random.Random, lot: str) -> dict:
    """A row's configuration with other sizes, switches and layers."""
    found, defaults = dict(row), fields.defaults
    layers = next((row[k] for k in ("num_hidden_layers", "n_layer", "n_layers", "num_layers") if k in row), 0)
    for key, value in row.items():
        if any(part in key for part in FIXED):
            continue
        if isinstance(value, bool):
            found[key] = value ^ (rng.random() < 0.3)
        elif isinstance(value, int) and rng.random() < 0.5:
            found[key] = rng.randint(1, 3) if value < 3 else max(2, value + 2 * rng.randint(-value // 6, value // 3))
        elif isinstance(value, list) and len(value) == layers:
            found[key] = [rng.choice(value) for _ in value]
    for key, value in defaults.items():
        if isinstance(value, bool) and key not in row and "cache" not in key and rng.random() < 0.2:
            found[key] = not value
    for key in dict.fromkeys([*defaults, *row]) if lot else ():
        if any(part in key for part in FIXED):
            continue
        if key in NOTHING and rng.random() < 0.3:
            found[key] = 0
        elif key in fields.nullable and rng.random() < 0.12:
            found[key] = None
        elif type(found.get(key)) is int and rng.random() < 0.15:
            found[key] = max(1, found[key] + rng.choice((-1, 1, 3)))
    kept = {key: row[key] for key in row if "num_hidden_layers" in key or key in ("n_layer", "n_layers", "num_layers")}
    return found | kept  # lists keep their length


def built(config: dict, device: str, dtype=None):
    """The model of a configuration, and the configuration as its class has it."""
    made = AutoConfig.for_model(**{"pad_token_id": None} | config)
    with torch.device(device):
        options = {"attn_implementation": "eager", "experts_implementation": "eager", "dtype": dtype}
        return AutoModelForCausalLM.from_config(made, **options).eval(), made


def counted(config: dict) -> dict[str, int | None]:
    """Parameters in all and active."""
    model, made = built(config, "meta")
    model.tie_weights()
    idle, chosen = 0, next((getattr(made, k) for k in CHOSEN if isinstance(getattr(made, k, None), int)), None)
    for name, module in model.named_modules():
        held = sum(parameter.numel() for parameter in module.parameters())
        if name.endswith("experts") and "shared" not in name.rsplit(".", 1)[-1] and held and chosen:
            many = next((getattr(module, k) for k in EXPERTS if isinstance(getattr(module, k, None), int)), None)
            many = (
                len(module) if isinstance(module, torch.nn.ModuleList) else many or next(module.parameters()).shape[0]
            )
            idle += held // many * (many - chosen)
    total = sum(parameter.numel() for parameter in model.parameters())
    return {"total": total, "active": None if made.model_type in OWN_ACTIVE else total - idle}


def held_bytes(found, seen: set[int]) -> int:
    """Bytes of the float tensors that a cache holds."""
    if id(found) in seen or isinstance(found, (torch.nn.Module, type)) or "Config" in type(found).__name__:
        return 0
    seen.add(id(found))
    if torch.is_tensor(found):
        return found.numel() * found.element_size() if found.is_floating_point() else 0
    inner = found.values() if isinstance(found, dict) else found if isinstance(found, (list, tuple)) else None
    inner = vars(found).values() if inner is None and hasattr(found, "__dict__") else inner or ()
    return sum(held_bytes(part, seen) for part in inner)


def cached(config: dict) -> dict[str, int]:
    """Growth for each token below and above every window, and what stays, as the class keeps them in BF16."""
    model, _ = built(config, "cpu", torch.bfloat16)
    sizes = {}
    for n_tokens in (2, 3, 140, 141):
        with torch.no_grad():
            answer = model(input_ids=torch.full((1, n_tokens), 3), use_cache=True)
        name = next(key for key in ("past_key_values", "cache_params", "state") if answer.get(key) is not None)
        sizes[n_tokens] = held_bytes(answer[name], set())
    long = sizes[141] - sizes[140]
    return {"short": sizes[3] - sizes[2], "long": long, "state": sizes[140] - 140 * long}


def ours(arch: architecture.Architecture) -> dict[str, float]:
    """The same by the book; a window of W keeps W - 1 tokens between steps in the class, and W here."""
    one = 2 * sum(reach.values for reach in arch.reaches if reach.window is not None)
    count = architecture.parameters(arch)
    return {
        "total": count.total,
        "active": count.active,
        "short": architecture.kv_bytes_per_token(arch),
        "long": architecture.kv_bytes_per_token_long(arch),
        "state": architecture.state_bytes_per_sequence(arch) - one,
    }


def main() -> None:
    """Draw, compare, print and write."""
    rows = json.loads((HERE / "families_oracle.json").read_text(encoding="utf-8"))
    bases: dict[str, list[dict]] = {}
    for row in rows:
        if row["source"] == "random" and row["model_type"] in FAMILIES:
            bases.setdefault(row["model_type"], []).append(row["config"])
    agreed, lot = [], " ".join(sys.argv[2:])
    for name, found in bases.items():
        kept = differ = 0
        for number in range(int(sys.argv[1])):
            rng = random.Random(f"{lot} {name} {number}".strip())
            config = drawn(rng.choice(found), Fields(name, {}, []), rng, lot)
            try:
                arch = read(config).architecture
            except ParameterError:
                continue
            try:
                theirs = counted(config)
            except Exception as error:  # no model of its class
                print(name, "is refused by its class:", json.dumps(config), repr(error)[:200])
                continue
            if name not in OWN_CACHE and all(r.window is None or r.window < 130 for r in arch.reaches):
                try:
                    theirs |= cached(config)
                except Exception:  # built, and cannot run
                    continue
            mine = ours(arch)
            if name != "longcat_flash" and any(value not in (None, mine[key]) for key, value in theirs.items()):
                differ += 1
                print(name, json.dumps(config), theirs, mine)
            elif name != "longcat_flash" and not kept:
                kept = 1
                agreed.append({"config": config, **theirs})
        print(name, "differ" if differ else "agree", differ, flush=True)
    if lot:
        return
    place = HERE / "families_drawn.json"
    usual = [row["config"] for row in agreed]
    agreed += [row for row in json.loads(place.read_text(encoding="utf-8")) if row["config"] not in usual]
    agreed.sort(key=lambda row: row["config"]["model_type"])
    place.write_text("[\n" + ",\n".join(map(json.dumps, agreed)) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
