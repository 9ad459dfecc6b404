"""One assumption, one name: every parameter that a chapter may have, with its unit, meaning and allowed values.

The defaults stand in the chapters, as literals that papermill replaces; this table says what
is allowed, so that a chapter, a scenario and the command line refuse the same values.
"""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from llm_economics.formulas.architecture import CONVENTIONS
from llm_economics.formulas.elementwise import ParameterError, check_choice, check_range
from llm_economics.formulas.hardware import BYTES_PER_VALUE


@dataclass(frozen=True)
class Parameter:
    """A parameter's type, unit, meaning and allowed values (bounds included, unless ``open_low``)."""

    type: type
    unit: str
    meaning: str
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    choices: tuple[str, ...] = ()

    def check(self, name: str, value: Any) -> Any:
        """Return the value if it has the type and lies in the range, else stop with one line.

        Raises
        ------
        ParameterError
            Names the parameter, the value and what is allowed.
        """
        if self.type is str:
            if not isinstance(value, str):
                raise ParameterError(f"{name} = {value!r} is not allowed: it must be text")
            return check_choice(name, value, self.choices) if self.choices else value
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not (whole or (self.type is float and isinstance(value, float))):
            kind = "a whole number" if self.type is int else "a number"
            raise ParameterError(f"{name} = {str(value)[:60]!r} is not allowed: it must be {kind} ({self.unit})")
        return check_range(name, value, self.low, self.high, open_low=self.open_low)

    @property
    def help(self) -> str:
        """The comment that stands behind the parameter in a chapter, and in ``papermill --help-notebook``."""
        return f"{self.meaning} [{self.unit}]" if self.unit else self.meaning

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        if self.choices:
            return ", ".join(self.choices)
        low = "" if self.low is None else f"{'above' if self.open_low else 'at least'} {self.low:g}"
        high = "" if self.high is None else f"at most {self.high:g}"
        return ", ".join(part for part in (low, high) if part) or "any"


def _number(
    unit: str, meaning: str, low: float = 0.0, high: float | None = None, *, open_low: bool = True
) -> Parameter:
    return Parameter(float, unit, meaning, low, high, open_low)


PARAMETERS: dict[str, Parameter] = {
    "a100_list_usd_per_hour": _number("USD/GPU-hour", "list price of an A100 with 80 GB", 0, 100),
    "acceptance": _number("fraction", "chance that a drafted token is accepted", 0, 1),
    "acceptance_is": Parameter(
        str,
        "",
        "conditional: given that all before it were; drafted: accepted ÷ drafted, as engines log it",
        choices=("conditional", "drafted"),
    ),
    "a100_usd_per_hour": _number("USD/GPU-hour", "rental price of an A100", 0, 100),
    "bandwidth_efficiency": _number("fraction", "share of the peak memory bandwidth that decode reaches", 0, 1),
    "batch": Parameter(int, "sequence", "sequences that one decode step advances", 1, 1_000_000),
    "context_tokens": Parameter(int, "token", "tokens of context of each sequence", 1, 10_000_000),
    "cycle_per_pretraining": _number("x", "whole training cycle ÷ pre-training", 1, 100, open_low=False),
    "fresh_experts": _number("fraction", "further experts that a draft reads ÷ those of independent routing", 0, 1),
    "explain_above": _number("fraction", "relative difference from which an answer needs an explanation", 0, 0.5),
    "flops_convention": Parameter(str, "", "what a count of FLOP includes", choices=CONVENTIONS),
    "frequent_users": _number("user", "people who use a model often", 0, 1e10),
    "gb200_usd_per_hour": _number("USD/GPU-hour", "rental price of one GPU of a GB200 NVL72", 0, 100),
    "draft_cost": _number("x", "time of a draft step ÷ time of a step of the large model", 0, 10),
    "draft_tokens": Parameter(int, "token", "tokens that the draft model writes ahead", 1, 64),
    "gpt4_batch_tokens": _number("token", "tokens of one training batch of GPT-4", 0, 1e12),
    "dense_parameters": _number("parameter", "parameters of the dense model", 0, 1e15),
    "gpt4_expert_parameters": _number("parameter", "parameters of one expert of GPT-4, all layers", 0, 1e13),
    "gpt4_experts": Parameter(int, "expert", "experts of GPT-4", 1, 100_000),
    "gpt4_experts_per_token": Parameter(int, "expert", "experts of GPT-4 that one token meets", 1, 100_000),
    "gpt4_layers": Parameter(int, "layer", "layers of GPT-4", 1, 10_000),
    "gpt4_shared_parameters": _number("parameter", "parameters of GPT-4 outside its experts", 0, 1e13),
    "gpt4_train_gpus": _number("GPU", "A100s that trained GPT-4", 120, 1e7, open_low=False),
    "gpt4_train_tokens": _number("token", "training tokens of GPT-4", 0, 1e16),
    "gpu_hours_70b": _number("GPU-hour", "GPU time of the LLaMA-3 70B run", 0, 1e9),
    "gpu_hours_8b": _number("GPU-hour", "GPU time of the LLaMA-3 8B run", 0, 1e9),
    "gpu_tokens_per_second": _number("token/s", "speed of the GPU service that LLaMA-3.1-8B is compared with", 0, 1e6),
    "h100_bandwidth_tb_per_s": _number("TB/s", "memory bandwidth of the H100 that is compared", 0, 100),
    "h100_purchase_usd": _number("USD", "purchase price of an H100, its share of the server included", 0, 1e6),
    "h100_serving_mfu": _number("fraction", "share of the dense BF16 peak of an H100 that decoding reaches", 0, 1),
    "h100_usd_per_hour": _number("USD/GPU-hour", "rental price of an H100", 0, 100),
    "hosted_parameters": _number("parameter", "parameters of the model that is to be hosted", 0, 1e14),
    "input_tokens_per_output": _number("token/token", "input tokens for each output token", 0, 1e6, open_low=False),
    "life_years": _number("year", "years over which a bought machine is written off", 0, 30),
    "link_latency_us": _number("us", "latency of one message between GPUs of a server", 0, 1000, open_low=False),
    "llama2_context_tokens": Parameter(int, "token", "tokens of context of each LLaMA-2 sequence", 1, 4096),
    "llama2_mbu": _number("fraction", "share of the peak memory bandwidth that LLaMA-2-70B reaches", 0, 1),
    "head_size": Parameter(int, "value", "values in one head", 1, 100_000),
    "large_batch_tokens": Parameter(int, "token", "tokens of the large batch", 1, 10_000_000),
    "held_out": Parameter(str, "", "what each fit of the decode model leaves out", choices=("model", "backend")),
    "mfu": _number("fraction", "model FLOPs utilisation, fraction of dense peak", 0, 1),
    "miss_factor": _number("x", "predicted ÷ measured beyond which a row counts as missed", 1, 1000),
    "months_ahead": _number("month", "months from November 2026 to the day on which a forecast is scored", 0, 120),
    "output_tokens": Parameter(int, "token", "tokens of an answer", 1, 10_000_000),
    "precision": Parameter(str, "", "number format of the matrix products", choices=tuple(BYTES_PER_VALUE)),
    "prefill_mfu": _number("fraction", "model FLOPs utilisation of reading prompts, fraction of dense peak", 0, 1),
    "prompt_tokens": Parameter(int, "token", "tokens of a prompt", 1, 10_000_000),
    "small_chip_mb": _number("MB", "on-chip memory of the chip that the wafer is compared with", 0, 1e6),
    "tokens_per_user_day": _number("token/day", "output tokens that a frequent user draws in a day", 0, 1e9),
    "routed_tokens": Parameter(int, "token", "tokens that one step routes", 1, 16),
    "pipeline_stages": Parameter(int, "stage", "stages of the serving pipeline", 1, 16),
    "smallest_run_parameters": _number("parameter", "parameters below which a training run is left aside", 0, 1e14),
    "serving_batch": Parameter(int, "sequence", "sequences served at once", 1, 1_000_000),
    "serving_mfu": _number("fraction", "share of the dense peak that decoding reaches", 0, 1),
    "tokens_per_word": _number("token/word", "tokens per word of English text", 0, 10),
    "tpot_limit_ms": _number("ms", "longest time per output token that a user accepts", 0, 1e5),
    "train_tokens": _number("token", "training tokens of LLaMA-3", 0, 1e16),
    "ttft_limit_s": _number("s", "longest time to first token that a user accepts", 0, 1e5),
    "utilisation": _number("fraction", "share of the time paid for in which the machine serves", 0, 1),
    "wafer_usd": _number("USD", "purchase price of one CS-3, not published", 0, 1e8, open_low=False),
    "weight_format": Parameter(str, "", "number format of the stored weights", choices=tuple(BYTES_PER_VALUE)),
    "wall_gpus": Parameter(int, "GPU", "GPUs of the server", 1, 100_000),
    "window_days": _number("day", "length of the training window", 0, 3650),
}
"""Every parameter by name."""


def validate(**values: Any) -> None:
    """Check the parameters of a chapter; the first that is not allowed stops it with one clear line.

    In a notebook it also sees what was injected beside them: a name that the book does not know stops the chapter, for
    it is most likely misspelt; one that other chapters have is said to be not taken.

    Raises
    ------
    ParameterError
        Names the parameter, the value and what is allowed.
    """
    for name, value in values.items():
        if name not in PARAMETERS:
            raise ParameterError(f"{name} is not a parameter of the book: see lib/llm_economics/facts/parameters.py")
        PARAMETERS[name].check(name, value)
    _refuse_strangers(inspect.currentframe().f_back.f_globals.get("In", ()), values)


def _refuse_strangers(cells: Iterable[str], taken: dict[str, Any]) -> None:
    """What papermill injected beside the parameters; ``cells`` are the sources that the notebook has run."""
    for name, value in _injected(cells).items():
        if name in taken:
            continue
        if name in PARAMETERS:
            print(f"{name} = {value} was not taken: this chapter has no such parameter")
            continue
        near = difflib.get_close_matches(name, [*taken, *PARAMETERS], n=3, cutoff=0.6)
        hint = f"nearest are {', '.join(dict.fromkeys(near))}" if near else f"it has {', '.join(taken)}"
        raise ParameterError(f"{name} = {value[:60]} is not allowed: it is no parameter of this chapter; {hint}")


def _injected(cells: Iterable[str]) -> dict[str, str]:
    """Names and values of the cells that papermill puts behind the parameters: they begin with a comment of its own."""
    found = {}
    for source in cells:
        if not isinstance(source, str) or not source.startswith("# Parameters"):
            continue
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found[node.targets[0].id] = ast.unparse(node.value)
    return found
