"""What the book's methods predict beside what was published, row by row, for the chapter that judges them.

Every function gives a frame with the columns ``family``, ``case``, ``predicted``, ``measured``, ``unit`` and
``confidence``; :func:`scores` says how good that is. Rows that nobody has seen at their source (*unverified*) are
not used. Nothing here is fitted: training takes utilisations given beforehand, serving the efficiencies of
``calibration``, whose rows are marked.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas

from llm_economics import facts
from llm_economics.evidence import calibration, deployments
from llm_economics.formulas import architecture, services, serving, speculation, training
from llm_economics.formulas.elementwise import check_range
from llm_economics.formulas.hardware import System

CONTRADICTED = {
    "Falcon-180B (HF blog hours)": "two sources differ by a factor of 2.5",
    "Falcon-180B (Epoch hours)": "two sources differ by a factor of 2.5",
    "DeepSeek-V3 total": "contains the pre-training that is counted already",
    "OPT-175B": "the hours are an assumption in another paper",
    "MPT-30B": "the time is a quotation, not a log",
}
"""Training runs that are not scored, and why."""


def _frame(rows: list[tuple], family: str) -> pandas.DataFrame:
    columns = ["case", "predicted", "measured", "unit", "confidence"]
    frame = pandas.DataFrame(rows, columns=columns)
    frame.insert(0, "family", family)
    return frame[frame["confidence"] != "unverified"].reset_index(drop=True)


def scores(frame: pandas.DataFrame, by: str | list[str] = "family") -> pandas.DataFrame:
    """Errors of predicted ÷ measured by group: rows, median, mean absolute and bias in percent, and the worst ratio.

    Bias is the mean of predicted ÷ measured − 1; the worst row is the one farthest from 1 in logarithm.
    """
    ratio = frame["predicted"] / frame["measured"]
    error = 100 * (ratio - 1)
    of = partial(pandas.Series.groupby, by=[frame[name] for name in np.atleast_1d(by)], sort=False)
    found = pandas.DataFrame(
        {
            "rows": of(error).size(),
            "median ratio": of(ratio).median(),
            "median absolute error, %": of(error.abs()).median(),
            "mean absolute error, %": of(error.abs()).mean(),
            "bias, %": of(error).mean(),
            "worst ratio": of(ratio).agg(lambda group: group.loc[np.log(group).abs().idxmax()]),
        }
    )
    return found.rename_axis(index=list(np.atleast_1d(by))).reset_index()


# ---------------------------------------------------------------------------------------------------------------------
# Training


def runs(smallest_parameters: float = 1e9) -> pandas.DataFrame:
    """Whole training runs with published accelerator-hours, tokens and parameters (not those of ``CONTRADICTED``).

    Beside the catalog's columns: ``flops`` (6 N D, active parameters), ``mfu`` that the hours imply.
    """
    check_range("smallest_parameters", smallest_parameters, 0)
    table = facts.load("training_runs")
    known = table["kind"].isin(["full_run", "rate"]) & table[["chip_hours", "tokens", "params"]].notna().all(axis=1)
    use = known & (table["params"] >= smallest_parameters) & ~table["run"].isin(CONTRADICTED)
    found = table[use & (table["confidence"] != "unverified")].reset_index(drop=True)
    flops = training.training_flops(found["active_params"].fillna(found["params"]), found["tokens"])
    return found.assign(flops=flops, mfu=training.mfu(flops, found["chip_hours"] * 3600, found["peak_bf16_flops_used"]))


def forecast_hours(found: pandas.DataFrame, mfu) -> pandas.DataFrame:
    """Accelerator-hours of runs by a utilisation decided beforehand; ``mfu`` is one number or one for each run."""
    seconds = training.accelerator_time(found["flops"], found["peak_bf16_flops_used"], mfu)
    known = found.assign(predicted=seconds / 3600, unit="accelerator-hour")
    frame = known[["run", "predicted", "chip_hours", "unit", "confidence", "chip"]]
    frame = frame.rename(columns={"run": "case", "chip_hours": "measured"})
    frame.insert(0, "family", "training, accelerator-hours")
    return frame


def mfu_of_the_others(found: pandas.DataFrame) -> pandas.Series:
    """For each run the median utilisation of the other runs on its chip, or of all others where there is none."""

    def others(run: pandas.Series) -> float:
        rest = found[found["run"] != run["run"]]
        same = rest[rest["chip"] == run["chip"]]
        return (rest if same.empty else same)["mfu"].median()

    return found.apply(others, axis=1)


def recomputed_mfu() -> pandas.DataFrame:
    """The MFU column of the MPT benchmarks from parameters, shape, tokens per second and peak, in percent."""
    rows = facts.load("mpt_benchmarks")
    flops_per_token = 6 * rows["params"] + 12 * rows["n_layers"] * rows["d_model"] * rows["seq_len"]
    mfu = flops_per_token * rows["tokens_per_s"] / (rows["n_gpus"] * rows["peak_flops_used"])
    case = rows["model"] + ", " + rows["seq_len"].astype(str) + " tokens, " + rows["n_gpus"].astype(str) + " GPUs"
    return pandas.DataFrame(
        {
            "family": "training, MFU",
            "case": case,
            "predicted": 100 * mfu,
            "measured": rows["reported_mfu_pct"],
            "unit": "%",
            "confidence": rows["confidence"],
        }
    )


# ---------------------------------------------------------------------------------------------------------------------
# Serving


def _steps(family: str, rows: pandas.DataFrame, predicted_ms) -> pandas.DataFrame:
    found = rows.assign(family=family, predicted=predicted_ms, measured=rows["tpot_ms"], unit="ms")
    found["model"] = found["model"].str.split("/").str[-1]
    case = found["model"] + ", " + found["system"] + ", " + found["backend"] + ", batch " + found["batch"].astype(str)
    columns = ["family", "case", "predicted", "measured", "unit", "confidence"]
    return found.assign(case=case)[[*columns, "model", "system", "backend", "tp", "batch", "context"]]


def left_out_steps(by: str = "model") -> pandas.DataFrame:
    """The decode steps of H100s, each group predicted by a fit on the other groups."""
    rows = calibration.leave_out(calibration.fitted_rows(), by)
    return _steps(f"decode, {by} left out", rows, rows["predicted_ms"])


def unseen_steps() -> pandas.DataFrame:
    """Decode steps of chips that were never fitted, asked for after the calibration stood.

    Those whose source contradicts itself are among them, marked in the column ``contradicted``.
    """
    rows = calibration.unseen_rows()
    found = _steps("decode, chips never fitted", rows, calibration.predict(rows))
    return found.assign(contradicted=calibration.contradicted(rows))


def middle_steps() -> pandas.DataFrame:
    """The same, each step once with the middle one of its engines' times; rows that are contradicted are set aside."""
    rows = calibration.unseen_rows()
    rows = calibration.middle_engine(rows[~calibration.contradicted(rows)])
    rows = rows.assign(backend="middle engine", confidence="derived")
    return _steps("decode, chips never fitted, middle engine", rows, calibration.predict(rows))


def floor_steps(efficiency: float = 1.0) -> pandas.DataFrame:
    """All decode steps, predicted by the plain roofline over one ``efficiency``."""
    rows = pandas.concat([facts.load("decode_step_timings"), facts.load("decode_step_timings_more")])
    check_range("efficiency", efficiency, 0, 1, open_low=True)
    return _steps("decode, roofline", rows.reset_index(drop=True), calibration.floors(rows) / efficiency)


MODELS = {
    "Llama-2-70B": "Llama 2 70B",
    "LLaMA 70B": "Llama 2 70B",
    "llama2-70b": "Llama 2 70B",
    "Llama2-70B": "Llama 2 70B",
    "LLaMA 7B": "Llama 2 7B",
    "Llama-3.3-70B": "Llama 3 70B",
    "Llama-3.1-8B": "Llama 3 8B",
    "DeepSeek-R1-0528": "DeepSeek-V3 (main model)",
    "MPT-7B": "MPT-7B",
}
"""Models of the measurements, as ``data/models.csv`` calls them; Llama 3.1 and 3.3 have the shapes of Llama 3."""

CHIPS = {
    "A100": "A100 40GB",
    "A100-40GB": "A100 40GB",
    "A100-80GB": "A100",
    "A100 80GB": "A100",
    "A100 fp16": "A100",
    "H100 SXM": "H100",
    "H100 SXM fp8": "H100",
    "H100 80GB": "H100",
    "H100-80GB": "H100",
    "h200": "H200",
    "b200": "B200",
    "mi300x": "MI300X",
}
"""Accelerators of the measurements, as ``data/systems.csv`` calls them; the Databricks study used A100s of 40 GB."""

SERVICES = {
    "Cursor": "Cursor, decode alone",
    "TensorRT-LLM v0": "TensorRT-LLM 2023",
    "tugot17": "vLLM, one batch",
    "rkooo567": "three engines, one batch",
    "NVIDIA NIM": "NIM, online",
    "InferenceMAX": "InferenceMAX",
}
"""Measurements that say model, chip, precision, lengths and sequences at once; MLPerf and offline maxima do not."""


CLOSED_LOOPS = ("NVIDIA NIM", "InferenceMAX")
"""Services in which users ask again and again; the others run one batch from its prompts to its last token."""


def _in_a_closed_loop(row) -> float:
    model = deployments.served(MODELS[row.model])
    system, weights = facts.system(CHIPS[row.hardware], int(row.n_acc)), row.precision
    weights = weights if weights in ("fp8", "fp4") else "bf16"
    found = services.forecast(model, system, row.concurrency, row.isl, row.osl, weights=weights)
    return float(found.tpot_s)


def seconds_per_token(
    model: serving.ServedModel, system: System, batch, prompt, output, prefill_mfu: float, precision: str = "bf16"
):
    """Seconds from one token of a sequence to its next, with the reading of prompts between.

    A decode step at the mean context and, for every one of them, the ``batch`` ÷ ``output`` prompts that a batch, or
    a steady stream of requests, has to have read. ``prompt`` = 0 is decoding alone.
    """
    step = calibration.expected_decode(model, system, batch, prompt + output / 2, precision=precision).value_s
    return step + (batch * prefill_seconds(model, system, prompt, prefill_mfu, precision) / output if prompt else 0.0)


def prefill_seconds(model: serving.ServedModel, system: System, prompt, prefill_mfu: float, precision: str = "bf16"):
    """Seconds to read one prompt: its FLOP at a utilisation, but no less than the roofline."""
    check_range("prefill_mfu", prefill_mfu, 0, 1, open_low=True)
    step = serving.prefill(model, system, 1, prompt, precision=precision, links=False).step
    return np.maximum(step.compute_s / prefill_mfu, step.seconds)


def _deployed(name: str, chip: str, count: float, precision: str) -> tuple[serving.ServedModel, System, str]:
    precision = precision if precision in ("fp8", "fp4") else "bf16"
    cache = "bf16" if precision == "bf16" else "fp8"
    model = serving.model_from_architecture(facts.model(MODELS[name]), weights=precision, kv=cache)
    return model, facts.system(CHIPS[chip], int(count)), precision


def served(prefill_mfu: float = 0.5) -> pandas.DataFrame:
    """Tokens per second of one sequence in the measured services of ``SERVICES``, prompts being read between.

    Tensor parallelism over all accelerators, no speculation, the cache in 8 bits where the weights are in 8 or 4.
    Services of ``CLOSED_LOOPS`` are forecast by :func:`services.forecast`, single batches by :func:`seconds_per_token`.
    """
    table = facts.load("measured_serving")
    table["service"] = table["benchmark"].map(lambda name: next((k for k in SERVICES if name.startswith(k)), None))
    known = table["service"].notna() & table["model"].isin(list(MODELS)) & table["hardware"].isin(list(CHIPS))
    sized = table[["isl", "osl", "concurrency"]].notna().all(axis=1) & (table["osl"] > 1)
    whole = (
        (table["scenario"] != "disagg") & (table["spec_decoding"] != "mtp") & ~table["config"].str.contains("ep[2-9]")
    )
    found = []
    for row in table[known & sized & whole].itertuples():
        model, system, precision = _deployed(row.model, row.hardware, row.n_acc, row.precision)
        prompt = 0.0 if "decode only" in row.unit else row.isl
        if row.service in CLOSED_LOOPS:
            step = _in_a_closed_loop(row)
        else:
            step = seconds_per_token(model, system, row.concurrency, prompt, row.osl, prefill_mfu, precision)
        own = row.interactivity_tok_s_user
        measured = own if own > 0 else row.tput_total / row.concurrency
        engine = f", {row.framework}" if row.service == "rkooo567" else ""
        lengths = f"{row.isl:g} in, {row.osl:g} out, {row.concurrency:g} at once"
        case = f"{row.model}, {row.n_acc:g} {row.hardware}{engine}, {lengths}"
        found.append((SERVICES[row.service], case, 1 / float(step), measured, "token/s", row.confidence))
    frame = _frame([row[1:] for row in found], "serving, end to end")
    return frame.assign(service=[row[0] for row in found])


def databricks(prefill_mfu: float = 0.5) -> pandas.DataFrame:
    """The tables of the Databricks study: time to the first token, and throughput of static batches per sequence."""
    table = facts.load("databricks")
    known = table["model"].isin(list(MODELS)) & table["hardware"].isin(list(CHIPS)) & (table["value"] != "OOM")
    found = []
    for row in table[known & table["quantity"].isin(["TTFT", "throughput_static_batching"])].itertuples():
        model, system, _ = _deployed(row.model, row.hardware, row.n_gpus, "bf16")
        batch, value = float(row.batch), float(row.value)
        if row.quantity == "TTFT":
            first = 1e3 * float(prefill_seconds(model, system, row.isl, prefill_mfu))
            found.append((f"{row.model}, {row.n_gpus:g} A100 40GB, first token", first, value, "ms", row.confidence))
        else:
            speed = 1 / float(seconds_per_token(model, system, batch, row.isl, row.osl, prefill_mfu))
            case = f"{row.model}, {row.n_gpus:g} A100 40GB, batch {batch:g}"
            found.append((case, speed, value * row.osl / batch, "token/s", row.confidence))
    return _frame(found, "Databricks study")


_LATENCIES = {  # weights in byte, accelerators, chip
    "pope-1": (540e9, 64, "TPU v4"),
    "pope-2": (1080e9, 64, "TPU v4"),
    "kip-1": (25.2e9, 1, "A100 40GB"),
    "kip-2": (25.2e9, 2, "A100 40GB"),
    "spec-chen-base": (140e9, 16, "TPU v4"),
}


def published_latencies(bandwidth_efficiency: float) -> pandas.DataFrame:
    """Latencies that papers measured, by the shortest formula: weights over bandwidth at one efficiency."""
    table = facts.load("serving_validation").set_index("id")
    found = []
    for name, (weights, count, chip) in _LATENCIES.items():
        row = table.loc[name]
        seconds = weights / (count * facts.accelerator(chip).memory_bandwidth * bandwidth_efficiency)
        case = f"{row['model']}, {count} {chip}, {row['dtype']} ({row['system']})"
        found.append((case, 1e3 * seconds, row["published_value"], "ms", row["confidence"]))
    return _frame(found, "published latencies")


def worked_problems() -> pandas.DataFrame:
    """Decode tables of a textbook, worked again with its own rates by ``serving.roofline``."""
    table = facts.load("serving_validation")
    found = []
    for row in table[table["id"].str.contains("jax-[34]-")].itertuples():
        batch, cache = float(row.batch), {"jax-3": 6.7e9, "jax-4": 1.34e9}[row.id[:5]]
        step = serving.roofline(26e9 + batch * cache, batch * 26e9, 8 * 0.82e12, 8 * 1.97e14)
        found.append((f"{row.model}, batch {batch:g}", 1e3 * step.seconds, row.published_value, "ms", row.confidence))
    return _frame(found, "worked problems")


def speculative() -> pandas.DataFrame:
    """Measured speed-ups of speculative decoding beside Leviathan's formula with the acceptance they measured."""
    table = facts.load("serving_validation")
    found = []
    for row in table[table["system"] == "Leviathan 2023"].itertuples():
        a, g, c = (float(part.split("=")[1]) for part in row.check_formula.split()[-3:])
        faster = float(speculation.speedup(a, g, c))
        found.append((f"{row.model}, {row.metric}", faster, row.published_value, "x", row.confidence))
    return _frame(found, "speculative decoding")


def counts() -> pandas.DataFrame:
    """Parameters and KV bytes of every model of the catalog, counted from its architecture."""
    found = []
    for row in facts.load("models").itertuples():
        arch = facts.model(row.model)
        found.append(
            (f"{row.model}, parameters", architecture.parameters(arch).total, row.params_exact, "", row.confidence)
        )
        if row.kv_bytes_per_token_bf16 != row.kv_bytes_per_token_bf16:
            continue
        bytes_ = architecture.kv_bytes_per_token(arch, 2.0)
        found.append((f"{row.model}, KV cache", bytes_, row.kv_bytes_per_token_bf16, "B/token", row.confidence))
    return _frame(found, "parameters and KV bytes")
