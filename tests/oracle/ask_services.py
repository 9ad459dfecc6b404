"""Ask aiconfigurator for whole services of data/services.csv, to hold the book's forecast beside a tool with kernel
tables.

    python -m venv ask-env && ask-env/bin/pip install aiconfigurator==0.12.0
    ask-env/bin/python tests/oracle/ask_services.py > data/services_aiconfigurator.csv

It interpolates timings of kernels that its authors measured on each chip with each engine, in the engine version that
it holds now (`version`), and adds what a service does beside them. Rows of the table without a trap are drawn by lot,
at most fourteen for each chip, engine, model and precision; those of chips and kernels that it has no timings of are
shown on stderr and left out. The accuracy set that its wheel ships is not opened: the measurements are those of
data/services.csv.
"""

import csv
import logging
import random
import re
import sys
from collections import defaultdict
from pathlib import Path

DATA = Path(__file__).parents[2] / "data"
CHIPS = {"b200": "b200_sxm", "h100": "h100_sxm", "h200": "h200_sxm", "gb200": "gb200"}
ENGINES = {"trt": "trtllm", "trtllm": "trtllm", "dynamo-trt": "trtllm", "sglang": "sglang", "vllm": "vllm"}
MODELS = {
    ("DeepSeek-R1", "fp8"): ("deepseek-ai/DeepSeek-R1", {}),
    ("DeepSeek-R1", "fp4"): ("nvidia/DeepSeek-V3.1-NVFP4", {}),
    ("Llama-3.3-70B", "fp8"): ("nvidia/Llama-3.1-70B-Instruct-FP8", {}),
    ("Llama-3.3-70B", "fp4"): (
        "meta-llama/Meta-Llama-3.1-70B",
        {"gemm_quant_mode": "nvfp4", "kvcache_quant_mode": "fp8"},
    ),
    ("gpt-oss-120b", "fp4"): ("openai/gpt-oss-120b", {}),
}
"""The checkpoint that was served, or the one of the same shape and formats that the tool ships a configuration of."""
MOST, SEED = 14, 20261128
SOURCE = {
    "source_title": "aiconfigurator 0.12.0 (PyPI wheel, Apache-2.0), asked for the same service",
    "source_url": "PyPI package aiconfigurator 0.12.0; data/services.csv",
    "date": "2026-11",
    "confidence": "primary",
    "confidence_note": "run by tests/oracle/ask_services.py",
    "notes": "",
}
KEY = ("model", "hardware", "n_acc", "precision", "framework", "isl", "osl", "concurrency", "config", "measured_on")


def drawn() -> list[dict[str, str]]:
    with (DATA / "services.csv").open(encoding="utf-8", newline="") as lines:
        read = (row | {"measured_on": row["date"]} for row in csv.DictReader(lines))
        rows = [row for row in read if not row["trap"] and row["concurrency"]]
    groups = defaultdict(list)
    for row in rows:
        groups[row["hardware"], row["framework"].split()[0], row["model"], row["precision"]].append(row)
    rng = random.Random(SEED)
    return [row for group in groups.values() for row in rng.sample(group, min(MOST, len(group)))]


def main() -> None:
    from aiconfigurator.cli.api import cli_estimate

    logging.disable(logging.WARNING)
    writer = csv.DictWriter(sys.stdout, [*KEY, "tpot_ms", "ttft_ms", "version", *SOURCE], lineterminator="\n")
    writer.writeheader()
    for row in drawn():
        engine = ENGINES[row["framework"].split()[0]]
        tensor, groups = (int(n) for n in re.match(r"tp(\d+) ep(\d+)", row["config"]).groups())
        copies = tensor if "dpattn" in row["config"] else 1
        if row["hardware"] not in CHIPS:
            continue
        path, formats = MODELS[row["model"], row["precision"]]
        experts = {} if row["model"].startswith("Llama") else {"moe_tp_size": tensor // groups, "moe_ep_size": groups}
        try:
            answer = cli_estimate(
                path,
                CHIPS[row["hardware"]],
                mode="agg",
                backend_name=engine,
                isl=int(float(row["isl"])),
                osl=int(float(row["osl"])),
                batch_size=max(1, round(float(row["concurrency"]) / copies)),
                tp_size=tensor // copies,
                attention_dp_size=copies,
                **experts,
                **formats,
            )
        except Exception as error:  # no timings of this engine, chip or kernel: a gap, shown on stderr
            print(*(row[name] for name in KEY), " ".join(str(error).split())[:120], file=sys.stderr)
            continue
        times = {"tpot_ms": round(answer.tpot, 3), "ttft_ms": round(answer.ttft, 1), "version": answer.backend_version}
        writer.writerow({name: row[name] for name in KEY} | times | SOURCE)
        sys.stdout.flush()


if __name__ == "__main__":
    main()
