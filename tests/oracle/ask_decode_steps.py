"""Ask aiconfigurator for decode steps, and its tables for what the steps of mixtures rest on.

    python -m venv ask-env && ask-env/bin/pip install aiconfigurator==0.12.0
    ask-env/bin/python tests/oracle/ask_decode_steps.py steps > data/decode_step_timings_more.csv
    ask-env/bin/python tests/oracle/ask_decode_steps.py kernels > data/moe_one_token_timings.csv

It interpolates the timings of single kernels that its authors measured, and adds them up. The same call gives the 25
rows of data/decode_step_timings.csv back to the last digit; those are left out here. A row is missing where the
weights and the cache do not fit or the engine has no timings. Three designs, each the same for every engine:

fit     steps of H100s, on which the constants of `llm_economics.evidence.calibration` are fitted, and steps of
        A100s, on which its one factor for an older generation hangs;
form    steps of newer chips, in view while the form of the calibration was chosen; nothing is fitted on them.
        Sixteen were drawn by lot as a test of an earlier form; what they showed of all-reduces led to the present one;
test    steps of the same chips, drawn by lot and asked for once, after the form stood. One starting value of the
        fit was lowered afterwards, with the steps of H100s alone in view.

`kernels` prints how long the experts of one layer take with a single token, under each distribution of tokens over
experts that the tables know. One token has the same work under all of them.
"""

import csv
import json
import logging
import random
import sys
import tempfile
import warnings
from pathlib import Path

DATA = Path(__file__).parents[2] / "data"
ENGINES = ("trtllm", "vllm", "sglang")
MODELS = {  # as the hub and as data/models.csv call it
    "L8": ("meta-llama/Meta-Llama-3.1-8B", "Llama 3 8B (=3.1 8B)"),
    "L70": ("meta-llama/Meta-Llama-3.1-70B", "Llama 3 70B (=3.1 70B)"),
    "L405": ("meta-llama/Meta-Llama-3.1-405B", "Llama 3.1 405B"),
    "L2": ("meta-llama/Llama-2-7b-hf", "Llama 2 7B"),
    "Q72": ("Qwen/Qwen2-72B", "Qwen2-72B"),
    "M7": ("mistralai/Mixtral-8x7B-v0.1", "Mixtral 8x7B"),
    "M22": ("mistralai/Mixtral-8x22B-v0.1", "Mixtral 8x22B (v0.1 base, vocab 32000)"),
    "Q30": ("Qwen/Qwen3-30B-A3B", "Qwen3-30B-A3B"),
    "Q235": ("Qwen/Qwen3-235B-A22B", "Qwen3-235B-A22B"),
}
NEW_CHIPS = ("h200_sxm", "b200_sxm", "b300_sxm", "gb200", "gb300")
NINE = [  # model, accelerators, groups of experts, context, batch
    ("L8", 1, 1, 2048, 16),
    ("L8", 1, 1, 32768, 4),
    ("L70", 8, 1, 2048, 1),
    ("L70", 8, 1, 2048, 64),
    ("L70", 4, 1, 8192, 16),
    ("L405", 8, 1, 2048, 8),
    ("Q72", 4, 1, 2048, 32),
    ("M7", 2, 1, 2048, 16),
    ("M22", 8, 1, 2048, 32),
]
WIDE = [
    *[("L8", 1, 1, context, batch) for context, batch in ((2048, 2), (2048, 32), (2048, 128), (512, 64), (8192, 8))],
    *[("L8", 2, 1, 2048, batch) for batch in (1, 32)],
    *[("L70", 4, 1, context, batch) for context, batch in ((2048, 1), (2048, 32), (8192, 8))],
    *[("L70", 8, 1, context, batch) for context, batch in ((512, 128), (8192, 4), (8192, 32))],
    *[("Q72", tensor, 1, context, batch) for tensor, context, batch in ((4, 2048, 4), (8, 2048, 1), (8, 4096, 64))],
    *[("L2", 1, 1, context, batch) for context, batch in ((1024, 1), (1024, 16), (512, 64))],
    *[("M7", 2, 1, 2048, batch) for batch in (1, 4, 64)],
    *[("M7", 4, 1, 2048, batch) for batch in (1, 2, 8, 32, 128)],
    *[("M22", 8, 1, 2048, batch) for batch in (1, 2, 4, 8, 16, 64, 128)],
    *[("Q30", tensor, 1, 2048, batch) for tensor in (1, 2) for batch in (1, 8, 64)],
    *[("Q235", 8, 1, 2048, batch) for batch in (1, 8, 64)],
    *[
        (name, n, n, 2048, batch)
        for name, n in (("M7", 4), ("M22", 8), ("Q30", 4), ("Q235", 8))
        for batch in (1, 8, 64)
    ],
]


def drawn(questions: int, seed: int) -> list[tuple]:
    """Questions by lot: a model with one of its layouts, a context and a batch, each as likely as the next."""
    rng = random.Random(seed)
    layouts = [("L8", 1), ("L8", 2), ("L70", 4), ("L70", 8), ("L405", 8), ("L2", 1), ("Q72", 4), ("Q72", 8)]
    layouts += [("M7", 2), ("M7", 4), ("M22", 8), ("Q30", 1), ("Q30", 2), ("Q235", 8)]
    asked = []
    while len(asked) < questions:
        (name, tensor), context, power = rng.choice(layouts), rng.choice((512, 1024, 3000, 6000, 12000)), rng.random()
        asked.append((name, tensor, 1, context, round(128**power)))
    return asked


DESIGN = [
    ("fit", ("h100_sxm",), NINE + WIDE),
    ("fit", ("a100_sxm",), NINE),
    ("form", NEW_CHIPS, NINE + drawn(16, seed=20261124)),
    ("test", NEW_CHIPS, drawn(24, seed=20261125)),
]
SOURCE = {
    "source_title": "aiconfigurator 0.12.0 (PyPI wheel, Apache-2.0), kernel timings interpolated and summed",
    "source_url": "PyPI package aiconfigurator 0.12.0",
    "date": "2026-11",
    "confidence": "primary",
    "confidence_note": "measured kernels, interpolated; not an end-to-end run",
}
STEP = ("model", "system", "backend", "tp", "moe_tp", "moe_ep", "context", "batch")


def read(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def config(row: dict[str, str]) -> dict:
    """A model's config.json as far as decoding needs it."""
    small = row["moe_intermediate_size"] != ""
    experts = row["n_experts"] != ""
    whole = {
        "hidden_size": "hidden_size",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "num_key_value_heads": "n_kv_heads",
        "head_dim": "head_dim",
        "intermediate_size": "intermediate_size",
        "vocab_size": "vocab_size",
        **({"num_experts_per_tok": "experts_per_token"} if experts else {}),
        **({"num_experts" if small else "num_local_experts": "n_experts"} if experts else {}),
        **({"moe_intermediate_size": "moe_intermediate_size"} if small else {}),
    }
    kind, architecture = (
        ("qwen3_moe", "Qwen3Moe") if small else ("mixtral", "Mixtral") if experts else ("llama", "Llama")
    )
    return {
        "architectures": [f"{architecture}ForCausalLM"],
        "model_type": kind,
        "torch_dtype": "bfloat16",
        "max_position_embeddings": 131072,
        **{name: int(row[column]) for name, column in whole.items()},
    }


def table(columns: tuple[str, ...]) -> csv.DictWriter:
    writer = csv.DictWriter(sys.stdout, [*columns, *SOURCE, "notes"], lineterminator="\n")
    writer.writeheader()
    return writer


def steps() -> None:
    from aiconfigurator.cli.api import cli_estimate

    logging.disable(logging.WARNING)
    models = {row["model"]: row for row in read("models")}
    known = {tuple(row[column] for column in STEP) for row in read("decode_step_timings")}
    writer = table((*STEP, "tpot_ms", "part"))
    with tempfile.TemporaryDirectory() as folder:
        for part, chip, engine, (key, tensor, expert, context, batch) in (
            (part, chip, engine, question)
            for part, chips, questions in DESIGN
            for chip in chips
            for engine in ENGINES
            for question in questions
        ):
            hub, name = MODELS[key]
            mixture = models[name]["n_experts"] != ""
            row = dict(zip(STEP, (hub, chip, engine, tensor, 1, 1, context, batch), strict=True))
            if mixture:
                row |= {"moe_tp": tensor // expert, "moe_ep": expert}
            if tuple(map(str, row.values())) in known:
                continue
            known.add(tuple(map(str, row.values())))
            path = Path(folder, key)
            path.mkdir(exist_ok=True)
            path.joinpath("config.json").write_text(json.dumps(config(models[name])))
            layout = {"moe_tp_size": row["moe_tp"], "moe_ep_size": expert} if mixture else {}
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
                    **layout,
                )
            except Exception as error:  # no timings of this engine, chip or kernel: a gap, shown on stderr
                print(chip, engine, name, str(error)[:100], file=sys.stderr)
                continue
            if answer.kv_cache_warning:
                print(chip, engine, name, context, batch, "does not fit", file=sys.stderr)
                continue
            row |= {"tpot_ms": round(answer.tpot, 3), "part": part}
            writer.writerow(row | SOURCE | {"notes": f"{engine} {answer.backend_version}"})


def kernels() -> None:
    import aiconfigurator_core
    import pyarrow.parquet

    models, written = {row["model"]: row for row in read("models")}, set()
    names = dict(MODELS.values())
    spreads = {"balanced": "balanced_ms", "power_law_1.01": "power_law_1_01_ms", "power_law_1.2": "power_law_1_2_ms"}
    writer = table(("model", "system", "backend", "version", "moe_tp", *spreads.values()))
    rows = read("decode_step_timings_more")
    versions = {(row["system"], row["backend"]): row["notes"].partition(" ")[2] for row in rows}
    for row in read("decode_step_timings") + rows:
        shape = models[names[row["model"]]]
        version = versions[row["system"], row["backend"]]
        key = (row["model"], row["system"], row["backend"], version, row["moe_tp"])
        if not shape["n_experts"] or row["moe_ep"] != "1" or key in written:
            continue
        written.add(key)
        folder = Path(aiconfigurator_core.__file__).parent / "systems" / "data" / row["system"] / "moe" / row["backend"]
        width = shape["moe_intermediate_size"] or shape["intermediate_size"]
        wanted = [int(shape["hidden_size"]), int(width), int(shape["experts_per_token"]), int(shape["n_experts"])]
        wanted += [int(row["moe_tp"]), 1, 1, "bfloat16"]
        columns = (
            "hidden_size",
            "inter_size",
            "topk",
            "num_experts",
            "moe_tp_size",
            "moe_ep_size",
            "num_tokens",
            "moe_dtype",
        )
        found = {}
        for timing in pyarrow.parquet.read_table(folder / version / "moe_perf.parquet").to_pylist():
            if [timing[column] for column in columns] == wanted:
                found[spreads[timing["distribution"]]] = round(timing["latency"], 4)
        if not found:
            print(*key, "has no table of its own", file=sys.stderr)
            continue
        writer.writerow(
            dict(zip(("model", "system", "backend", "version", "moe_tp"), key, strict=True)) | found | SOURCE
        )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    {"steps": steps, "kernels": kernels}[sys.argv[1]]()
