"""Decode steps per second beside two published calculators, on a question to which their answers agree with ours.

    python benchmarks/calculators.py servcalc=servcalc-env/bin/python mlsysim=mlsysim-env/bin/python

Each name comes with the interpreter of an environment that holds servcalc 0.1.0 or mlsysim 0.3.0. The question is
the floor of a decode step of Llama 3 70B on eight H100s for many batches and contexts (mlsysim leaves the KV cache
out, so it is asked without context), with every efficiency at 1. First the answers are compared: a difference above
the tolerance stops the run. Then both are timed in turn, five rounds; printed are medians and their ratio. One
configuration at a time is a fair race; the last column is what one gains from handing over arrays. The line below
is the search of ``llm_economics.evidence.search``, which also checks memory, counts links and keeps the frontier.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time

TOLERANCE = {"servcalc": 1e-3, "mlsysim": 0.02}  # mlsysim reads the embedding table too, and rounds to 70.6 billion
SAMPLES = {"servcalc": 20_000, "mlsysim": 1_000}
ROUNDS, MANY = 5, 1_000_000


def configurations(name: str, count: int) -> list[tuple[int, int]]:
    """Batches and contexts, the same for both sides."""
    draw = random.Random(20240419)
    contexts = (1, 1) if name == "mlsysim" else (1, 32_768)
    return [(draw.randint(1, 512), draw.randint(*contexts)) for _ in range(count)]


def servcalc_step():
    """Milliseconds of a step as servcalc computes them, eight GPUs as one eight times as large."""
    from servcalc import Calibration, Curve, GpuSpec, timing, work
    from vramcalc import Arch

    shape = {"hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64}
    arch = Arch.from_config({**shape, "model_type": "llama", "num_key_value_heads": 8, "vocab_size": 128256})
    kv, stream = work.kv_bytes_per_token(arch, 16), work.weight_bytes(arch, 16).stream
    full = Curve(((1, 1.0, 1.0, 1.0),))
    floor, eight = Calibration(full, full, (0, 0, 0), "floor"), GpuSpec("8 H100", 8 * 80 * 2**30, 8 * 3350, 8 * 989.4)

    def step(batch, context):
        done = work.decode_step(arch, batch, batch * context, kv, stream, False)
        return timing.step_time(done, eight, floor, batch).ms.mid

    return step


def mlsysim_step():
    """Milliseconds of a step as mlsysim bounds them."""
    import mlsysim
    from mlsysim.solvers import DecodeBoundModel

    model, h100, solver = mlsysim.Models.Language.Llama3_70B, mlsysim.Hardware.Cloud.H100, DecodeBoundModel()

    def step(batch, context):
        bound = solver.solve(model, h100, "fp16", batch, tp_size=8)
        return max(bound.memory_time, bound.compute_time).to("ms").magnitude

    return step


def ours():
    """The model and the system of the question."""
    from llm_economics import facts
    from llm_economics.formulas import serving
    from llm_economics.formulas.hardware import Link, System

    h100 = facts.accelerator("H100")
    model = serving.model_from_architecture(facts.model("Llama 3 70B"))
    return model, System("8 H100", h100, 8, 8, Link("NVLink", h100.link_bandwidth))


def our_step():
    """Milliseconds of a step as this library computes them; takes arrays too."""
    from llm_economics.formulas import serving

    model, eight = ours()
    return lambda batch, context: 1e3 * serving.decode(model, eight, batch, context, links=False).seconds


def timed(step, rows) -> tuple[float, list[float]]:
    """Seconds for all configurations, one at a time, and the answers."""
    start = time.perf_counter()
    answers = [step(*row) for row in rows]
    return time.perf_counter() - start, answers


def ask(name: str) -> None:
    """Run in the calculator's environment: print seconds and answers as JSON."""
    step = {"servcalc": servcalc_step, "mlsysim": mlsysim_step}[name]()
    rows = configurations(name, SAMPLES[name])
    step(*rows[0])
    print(json.dumps(timed(step, rows)))


def race(name: str, python: str) -> str:
    """One line of the table."""
    import numpy as np

    step, rows = our_step(), configurations(name, SAMPLES[name])
    batch, context = (np.resize(np.array(column, float), MANY) for column in zip(*rows, strict=True))
    seconds: dict[str, list[float]] = {"theirs": [], "ours": [], "arrays": []}
    for _ in range(ROUNDS):
        answer = subprocess.run([python, __file__, "--ask", name], capture_output=True, text=True, check=True)
        theirs_s, theirs = json.loads(answer.stdout.splitlines()[-1])
        ours_s, answers = timed(step, rows)
        start = time.perf_counter()
        arrays = step(batch, context)
        for key, value in (("theirs", theirs_s), ("ours", ours_s), ("arrays", time.perf_counter() - start)):
            seconds[key].append(value)
        off = float(np.max(np.abs(np.array(theirs) / np.array(answers) - 1)))
        if off > TOLERANCE[name] or not np.allclose(arrays[: len(answers)], answers, rtol=1e-12):
            raise SystemExit(f"{name}: answers differ by {off:.2%}, more than {TOLERANCE[name]:.2%}: nothing to race")
    each = {key: statistics.median(times) / (MANY if key == "arrays" else len(rows)) for key, times in seconds.items()}
    rates = "".join(f"{1 / each[key]:>15,.0f}" for key in ("theirs", "ours", "arrays"))
    return (
        f"{name:<12}{off:>12.3%}{rates}{each['theirs'] / each['ours']:>10.2f}{each['theirs'] / each['arrays']:>12,.0f}"
    )


def searched() -> str:
    """One line on the search over the same model and system."""
    from llm_economics.evidence.search import Workload, search, space

    model, eight = ours()
    within = space(model, eight, batch=range(1, 300_001))
    rates = [search(model, eight, Workload(2048, 1024), within=within).configurations_per_second for _ in range(ROUNDS)]
    return f"search over {len(within):,} configurations: {statistics.median(rates):,.0f} per second"


def main(arguments: list[str]) -> None:
    """Print the table for the calculators given as NAME=INTERPRETER."""
    pairs = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    if not pairs or not set(pairs) <= set(TOLERANCE):
        raise SystemExit(__doc__)
    print("configurations per second, medians of", ROUNDS, "rounds")
    heads = ("theirs", "ours", "ours, arrays")
    print(
        f"{'calculator':<12}{'difference':>12}{''.join(f'{head:>15}' for head in heads)}{'ours ÷':>10}{'arrays ÷':>12}"
    )
    for name, python in pairs.items():
        print(race(name, python))
    print(searched())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ask"]:
        ask(sys.argv[2])
    else:
        main(sys.argv[1:])
