"""Eight sizing questions whose truth an engine logged, put to five calculators, for ``data/memory_answers.csv``.

    python tests/oracle/ask_memory.py data/memory_answers.csv

Run in an environment of its own (Python 3.11), without a network: the folders of the models are made here, with sparse
files whose headers are true, and hf-mem, which asks a hub, is answered from them.

    pip install hf-mem==0.5.6 accelerate==1.15.0 transformers==5.24.0 hf-vram-calc==1.0.9 llm-mem-planner==0.2.2 \
        vramcalc==0.1.2

The question is always: how many tokens of KV cache remain on these cards at this share of their memory? Where a
calculator gives weights and cache instead, what it says of both is put into the same subtraction; what it adds for
activations or the engine is taken off as well.
"""

from __future__ import annotations

import asyncio
import csv
import importlib
import json
import math
import re
import struct
import subprocess
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path
from shutil import which
from types import SimpleNamespace

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "lib"))

from llm_economics import checkpoints  # noqa: E402  (the standard library's floors alone)
from llm_economics.checkpoints import quantisation, stored  # noqa: E402
from llm_economics.checkpoints.files import DTYPE_BITS  # noqa: E402

QUESTIONS = (
    "r1-distill-14b-2x4090",
    "llama31-8b-3090-20k",
    "llama31-8b-3090-29k",
    "qwen3-235b-fp8-4xh100",
    "qwen3-235b-fp8-4xh100-sglang",
    "qwen3-coder-30b-8xa5000",
    "qwen3-coder-480b-8xh20",
    "gpt-oss-120b-h100-0.95",
)
"""All logs of deployments that left room for a cache, of models that the log names."""
TOKENS = 4096
"""Length of the one sequence whose cache the calculators are asked for."""
LLAMA_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}
CLASSES = {
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "qwen3_moe": "Qwen3MoeForCausalLM",
    "gpt_oss": "GptOssForCausalLM",
}


def folder_of(config: dict, place: Path) -> Path:
    """A folder as a hub has it: the configuration and a sparse file with a true header."""
    config = config | {"architectures": [CLASSES[config["model_type"]]], "max_position_embeddings": 131072}
    config = config | {"torch_dtype": "bfloat16", "dtype": "bfloat16", "hidden_act": "silu", "rms_norm_eps": 1e-6}
    place.mkdir(parents=True)
    (place / "config.json").write_text(json.dumps(config))
    architecture = checkpoints.read(config).architecture
    declaration = quantisation.declared(config)
    at, header = 0, {}
    for prefix, _, weight in stored._named(architecture, config):
        form = stored._format(declaration, prefix, weight) if weight.product and weight.columns > 1 else None
        rest = re.sub(r"layernorms$", "input_layernorm", weight.name)
        for copy in range(weight.copies):
            name = prefix + rest.replace("*", str(copy)) + ("" if rest.endswith(".bias") else ".weight")
            if "layernorms" in weight.name and copy:
                name = prefix + "post_attention_layernorm.weight"
            shape = [weight.rows, weight.columns] if weight.columns > 1 else [weight.rows]
            parts = [(name, "BF16" if form is None else "F8_E4M3", shape)]
            if form is not None and form.name.startswith("mxfp4"):
                stem, sides = name.removesuffix(".weight"), [weight.rows, weight.columns // 32]
                parts = [(f"{stem}_blocks", "U8", [*sides, 16]), (f"{stem}_scales", "U8", sides)]
            elif form is not None and "block" in form.name:
                parts.append((f"{name}_scale_inv", "F32", [-(-weight.rows // 128), -(-weight.columns // 128)]))
            elif form is not None:
                parts += [
                    (name.replace(".weight", f".{scale}"), "F32", []) for scale in ("weight_scale", "input_scale")
                ]
            for part, dtype, sides in parts:
                size = math.prod(sides) * DTYPE_BITS[dtype] // 8
                header[part] = {"dtype": dtype, "shape": sides, "data_offsets": [at, at + size]}
                at += size
    text = json.dumps(header).encode()
    with (place / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)
    return place


# Calculators ----------------------------------------------------------------------------------------------------------
# Each returns weights, cache of one sequence of TOKENS (None: it counts none) and what it adds for one card, byte.


def hf_mem(folder: Path, case: dict) -> tuple:
    """Asked through its own function, with the hub's three addresses answered from the folder."""
    import httpx2

    module = importlib.import_module("hf_mem.run")

    def answer(request):
        path = request.url.path
        if "/api/models/" in path:
            names = [{"type": "file", "path": file.name, "size": file.stat().st_size} for file in folder.iterdir()]
            return httpx2.Response(200, json=names)
        file = folder / path.rsplit("/", 1)[-1]
        if not file.exists():
            return httpx2.Response(404)
        asked = request.headers.get("range")
        with file.open("rb") as opened:
            if not asked:
                return httpx2.Response(200, content=opened.read())
            begin, end = (int(number) for number in re.match(r"bytes=(\d+)-(\d+)", asked).groups())
            opened.seek(begin)
            return httpx2.Response(206, content=opened.read(end - begin + 1))

    class Client(httpx2.AsyncClient):
        def __init__(self, **given):
            super().__init__(transport=httpx2.MockTransport(answer))

    real, module.httpx2.AsyncClient = module.httpx2.AsyncClient, Client
    try:
        found = asyncio.run(
            module.arun("own/model", experimental=True, max_model_len=TOKENS, kv_cache_dtype="bfloat16")
        )
    finally:
        module.httpx2.AsyncClient = real
    return found.memory, found.kv_cache, 0.0


def accelerate(folder: Path, case: dict) -> tuple:
    """The row of 16 bits of its table: half of what the model's class takes in FP32; it counts no cache."""
    from accelerate.commands import estimate
    from accelerate.utils import calculate_maximum_sizes

    estimate.verify_on_hub = lambda *given: SimpleNamespace(config={}, library_name="transformers")
    total, _ = calculate_maximum_sizes(estimate.create_empty_model(str(folder), "transformers"))
    return total / 2, None, 0.0


def vramcalc(folder: Path, case: dict) -> tuple:
    """From the JSON of its command."""
    given = ["estimate", folder, "--batch", 1, "--seq", TOKENS, "--dtype", "bf16", "--json"]
    found = json.loads(command(which("vramcalc"), *given))["estimate"]
    return found["weights"], found["kv_cache"], found["activations"] + found["overhead"]


def hf_vram_calc(folder: Path, case: dict) -> tuple:
    """From the JSON that its command writes; it takes GiB of two digits."""
    out = folder.parent / "answer.json"
    given = ["--model", "own/model", "--model_path", folder, "--max_batch_size", 1, "--max_seq_len", TOKENS]
    command(which("hf-vram-calc"), *given, "--output_json", out)
    found = json.loads(out.read_text())["memory_requirements"][0]
    return tuple(found[f"{name}_gib"] * 2**30 for name in ("model_size", "kv_cache_size", "activation_size"))


def modelinfo(folder: Path, case: dict) -> tuple:
    """Its own line of tokens; several cards are asked for as one of their memory together."""
    memory = float(case["memory_gib"]) * int(case["cards"])
    given = ["--context", TOKENS, "--vllm", "--gpu", f"{memory:g}", "--gpu-util", case["memory_share"]]
    shown = command(which("modelinfo"), *given, folder / "model.safetensors")
    tokens = re.search(r"Max Capacity:\s*~([\d,]+)", shown)
    return None, int(tokens[1].replace(",", "")), None


CALCULATORS = {
    "hf-mem": hf_mem,
    "accelerate": accelerate,
    "vramcalc": vramcalc,
    "hf-vram-calc": hf_vram_calc,
    "modelinfo-cli": modelinfo,
}


def command(*given) -> str:
    """What a command prints."""
    done = subprocess.run([str(one) for one in given], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
    return done.stdout


COLUMNS = ["calculator", "version", "case", "value", "weights_bytes", "convention"]
COLUMNS += ["source_title", "source_url", "date", "confidence", "confidence_note", "notes"]


def asked(name: str, case: dict, folder: Path) -> dict:
    """One answer as a row."""
    value = weights = None
    try:
        weights, cache, more = CALCULATORS[name](folder, case)
        if weights is None:
            value, convention = cache, "its own line of tokens"
        elif cache is None:
            convention = "counts no cache: no answer"
        else:
            memory = float(case["memory_gib"]) * 2**30 * float(case["memory_share"])
            value = max(0, int(((memory - more) * int(case["cards"]) - weights) / cache * TOKENS))
            convention = "memory at the share, less its weights and what it adds, by its cache"
    except Exception as error:
        convention = f"no answer: {str(error)[:100]}"
    package = f"{name} {version(name)}"
    return {
        "calculator": name,
        "version": version(name),
        "case": case["case"],
        "value": "" if value is None else value,
        "weights_bytes": "" if weights is None else round(weights),
        "convention": convention,
        "source_title": f"{package} (PyPI)",
        "source_url": f"PyPI package {package}",
        "date": date.today().isoformat(),
        "confidence": "primary",
    }


def main() -> None:
    """Ask all and write the file."""
    cases = {row["case"]: row for row in csv.DictReader((ROOT / "data/memory_cases.csv").open(encoding="utf-8"))}
    rows = []
    for question in QUESTIONS:
        case = cases[question]
        with tempfile.TemporaryDirectory() as place:
            folder = folder_of(json.loads(case["config"]) if case["config"] else LLAMA_8B, Path(place) / question)
            rows += [asked(name, case, folder) for name in CALCULATORS]
    with Path(sys.argv[1]).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n", restval="")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: row["calculator"]))


if __name__ == "__main__":
    main()
