"""Ask aiconfigurator for decode steps: prints the rows of data/decode_step_timings_more.csv.

    python -m venv ask-env && ask-env/bin/pip install aiconfigurator==0.12.0
    ask-env/bin/python tests/oracle/ask_decode_steps.py > data/decode_step_timings_more.csv

It interpolates the timings of single kernels that its authors measured, and adds them up. The same call gives the 25
rows of data/decode_step_timings.csv back to the last digit; those are left out here. One design for every chip and
engine, fixed beforehand; a row is missing where the weights and the cache do not fit or the engine has no timings.
"""

import csv
import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path

DATA = Path(__file__).parents[2] / "data"
CHIPS = ("h100_sxm", "h200_sxm", "b200_sxm", "b300_sxm", "gb200", "gb300", "a100_sxm")
ENGINES = ("trtllm", "vllm", "sglang")
DESIGN = (  # model as the hub and as data/models.csv call it, accelerators, context, batch
    ("meta-llama/Meta-Llama-3.1-8B", "Llama 3 8B (=3.1 8B)", 1, 2048, 16),
    ("meta-llama/Meta-Llama-3.1-8B", "Llama 3 8B (=3.1 8B)", 1, 32768, 4),
    ("meta-llama/Meta-Llama-3.1-70B", "Llama 3 70B (=3.1 70B)", 8, 2048, 1),
    ("meta-llama/Meta-Llama-3.1-70B", "Llama 3 70B (=3.1 70B)", 8, 2048, 64),
    ("meta-llama/Meta-Llama-3.1-70B", "Llama 3 70B (=3.1 70B)", 4, 8192, 16),
    ("meta-llama/Meta-Llama-3.1-405B", "Llama 3.1 405B", 8, 2048, 8),
    ("Qwen/Qwen2-72B", "Qwen2-72B", 4, 2048, 32),
    ("mistralai/Mixtral-8x7B-v0.1", "Mixtral 8x7B", 2, 2048, 16),
    ("mistralai/Mixtral-8x22B-v0.1", "Mixtral 8x22B (v0.1 base, vocab 32000)", 8, 2048, 32),
)
SOURCE = {
    "source_title": "aiconfigurator 0.12.0 (PyPI wheel, Apache-2.0), kernel timings interpolated and summed",
    "source_url": "https://pypi.org/project/aiconfigurator/0.12.0/",
    "date": "2026-11",
    "confidence": "primary",
    "confidence_note": "measured kernels, interpolated; not an end-to-end run",
}


def config(row: dict[str, str]) -> dict:
    """A model's config.json as far as decoding needs it."""
    experts = row["n_experts"] != ""
    whole = {
        "hidden_size": "hidden_size",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "num_key_value_heads": "n_kv_heads",
        "head_dim": "head_dim",
        "intermediate_size": "intermediate_size",
        "vocab_size": "vocab_size",
        **({"num_local_experts": "n_experts", "num_experts_per_tok": "experts_per_token"} if experts else {}),
    }
    return {
        "architectures": ["MixtralForCausalLM" if experts else "LlamaForCausalLM"],
        "model_type": "mixtral" if experts else "llama",
        "torch_dtype": "bfloat16",
        "max_position_embeddings": 131072,
        **{name: int(row[column]) for name, column in whole.items()},
    }


def main() -> None:
    from aiconfigurator.cli.api import cli_estimate

    logging.disable(logging.WARNING)
    with (DATA / "models.csv").open(encoding="utf-8", newline="") as lines:
        models = {row["model"]: row for row in csv.DictReader(lines)}
    key = ("model", "system", "backend", "tp", "context", "batch")
    with (DATA / "decode_step_timings.csv").open(encoding="utf-8", newline="") as lines:
        known = {tuple(row[column] for column in key) for row in csv.DictReader(lines)}
    columns = ["model", "system", "backend", "tp", "moe_tp", "moe_ep", "context", "batch", "tpot_ms", *SOURCE, "notes"]
    table = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    table.writeheader()
    with tempfile.TemporaryDirectory() as folder:
        for chip in CHIPS:
            for engine in ENGINES:
                for hub, name, tensor, context, batch in DESIGN:
                    if (hub, chip, engine, str(tensor), str(context), str(batch)) in known:
                        continue
                    path = Path(folder, name.split(" (")[0])
                    path.mkdir(exist_ok=True)
                    path.joinpath("config.json").write_text(json.dumps(config(models[name])))
                    experts = {"moe_tp_size": tensor, "moe_ep_size": 1} if models[name]["n_experts"] else {}
                    try:
                        answer = cli_estimate(
                            str(path),
                            chip,
                            mode="static_gen",
                            backend_name=engine,
                            isl=context,
                            osl=2,
                            batch_size=batch,
                            tp_size=tensor,
                            **experts,
                        )
                    except Exception as error:  # no timings of this engine, chip or kernel: a gap, shown on stderr
                        print(chip, engine, name, str(error)[:100], file=sys.stderr)
                        continue
                    if answer.kv_cache_warning:
                        print(chip, engine, name, "does not fit", file=sys.stderr)
                        continue
                    row = dict(model=hub, system=chip, backend=engine, tp=tensor, moe_tp=tensor if experts else 1)
                    row |= dict(moe_ep=1, context=context, batch=batch, tpot_ms=round(answer.tpot, 3))
                    table.writerow(row | SOURCE | {"notes": f"{engine} {answer.backend_version}"})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
