"""What engines logged of their memory when they started, beside what :mod:`llm_economics.formulas.memory` says.

``data/memory_cases.csv`` holds the logs. Each names the sequences and the tokens for which the engine made room, as its
command line or the defaults of its version have it. :func:`fitted` finds the rule's constants from logs,
:func:`predictions` says of each log what the rule does, :func:`left_out` does so without its own help, and
:func:`compared` sets our answers beside those of calculators.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from llm_economics.formulas import memory
from llm_economics.formulas.parallelism import Split, kv_shards
from llm_economics.formulas.serving import ServedModel

if TYPE_CHECKING:
    import pandas

OURS = "ours"
"""Name of our own answers among those of the calculators."""


@dataclass(frozen=True)
class Constants:
    """What the logs say: bytes of sampling for a sequence and word, of an engine, and of links (small, large card)."""

    sampling: float = memory.SAMPLING_BYTES
    engine: float = memory.ENGINE_BYTES
    links: tuple[float, float] = memory.LINK_BYTES


@dataclass(frozen=True)
class _Log:
    """A logged start: what was served on what, and what the engine made room for."""

    name: str
    engine: str
    model: ServedModel
    split: Split
    memory_bytes: float
    share: float
    sequences: float
    pass_tokens: float
    deployed: bool
    cache_bytes: float
    """Of one accelerator."""

    @property
    def weights(self) -> float:
        return float(memory.loaded_bytes(self.model, self.split))

    @property
    def fills(self) -> float:
        """What the engine fills with all but its reserve; TensorRT-LLM takes its share of what the weights leave."""
        if self.engine == "TensorRT-LLM":
            return self.weights + self.share * (self.memory_bytes - self.weights)
        return self.share * self.memory_bytes

    @property
    def each(self) -> float:
        """Cache of a token on one accelerator, byte."""
        return float(self.model.kv_bytes(1)) / kv_shards(self.split, self.model.kv_heads)

    @property
    def activations(self) -> float:
        """Activations that count: SGLang's and TensorRT-LLM's shares leave them to the rest of the memory."""
        return float(memory.activation_bytes(self.model, self.split, self.pass_tokens))

    @property
    def sampled(self) -> float:
        """Logits in all, a number."""
        return self.sequences * self.model.shares.vocabulary

    @property
    def kept(self) -> float:
        """What was left neither to weights nor to cache, byte."""
        return self.fills - self.weights - self.cache_bytes

    @property
    def grouped(self) -> bool:
        return self.split.tensor > 1 or self.split.expert > 1

    @property
    def large(self) -> bool:
        return self.memory_bytes >= memory.LARGE[1]

    def own(self, using: Constants) -> float:
        """Of the engine itself, byte."""
        links = using.links[int(self.large)] if self.grouped else 0.0
        return min(using.engine + links, 0.1 * self.memory_bytes)

    def free(self, using: Constants) -> float:
        """What the rule leaves for the cache, byte."""
        return self.fills - self.weights - self.own(using) - max(self.activations, using.sampling * self.sampled)


@cache
def _logs() -> tuple[_Log, ...]:
    from llm_economics import facts
    from llm_economics.facts.models import Precisions

    found = []
    for row in facts.records("memory_cases"):
        case = {name: None if value != value else value for name, value in row.items()}
        if case["kv_tokens"] is None and case["cache_gib"] is None:
            continue
        published = facts.published(case["config"] or case["model"])
        weights = published.checkpoint.weights if published.checkpoint is not None else "bf16"
        model = facts.served(published, Precisions(weights, "bf16", case["kv"], True))
        copies, tensor = case["cards"] // case["tensor"], case["tensor"]
        split = Split(tensor=tensor, data=copies, expert=copies)
        log = _Log(
            case["case"],
            case["engine"],
            model,
            split,
            case["memory_gib"] * 2**30,
            case["memory_share"],
            case["sequences"] or 0,
            case["pass_tokens"] or 0,
            case["origin"] == "deployment",
            0.0,
        )
        tokens = case["kv_tokens"]
        held = tokens / copies * log.each if tokens is not None else case["cache_gib"] * 2**30
        found.append(replace(log, cache_bytes=held))
    return tuple(found)


def fitted(without: str | None = None) -> Constants:
    """The constants that half of the deployments stay below, all but one of them if ``without`` names it.

    Logs of developers, who check a change, do not count. Links of small accelerators are assumed, not fitted: there are
    two logs of such groups.
    """
    from statistics import median

    logs = [log for log in _logs() if log.name != without and log.deployed]
    usual = Constants()
    decided = [log for log in logs if usual.sampling * log.sampled > log.activations]
    sampling = median((log.kept - log.own(usual)) / log.sampled for log in decided)

    def rest(log: _Log) -> float:
        return log.kept - max(log.activations, sampling * log.sampled)

    engine = median(rest(log) for log in logs if not log.grouped)
    links = median(rest(log) - engine for log in logs if log.grouped and log.large)
    return Constants(sampling, engine, (usual.links[0], links))


def predictions() -> pandas.DataFrame:
    """What the rule says of each log; ``kept_bytes`` is what was left neither to weights nor to cache.

    Bytes are of one accelerator, tokens of the whole instance.
    """
    return _said(lambda log: Constants())


def left_out() -> pandas.DataFrame:
    """Each log predicted with constants from all others."""
    return _said(lambda log: fitted(without=log.name))


def _said(constants: Any) -> pandas.DataFrame:
    import pandas

    from llm_economics import facts

    rows = []
    for log in _logs():
        free = log.free(constants(log))
        rows.append(
            {
                "case": log.name,
                "kept_bytes": log.kept,
                "cache_bytes": log.cache_bytes,
                "predicted_bytes": free,
                "logged_tokens": log.cache_bytes / log.each * log.split.data,
                "predicted_tokens": max(free, 0.0) / log.each * log.split.data,
            }
        )
    return facts.load("memory_cases").merge(pandas.DataFrame(rows), on="case")


def compared() -> pandas.DataFrame:
    """Answers ÷ logged tokens of cache: a row a question of ``data/memory_answers.csv``, a column a calculator.

    ``logged_tokens`` and ours stand first; an answer that is not given is missing. Ours come from constants that do not
    know the question's own log.
    """
    from llm_economics import facts

    cases = left_out().set_index("case")
    answers = facts.load("memory_answers").pivot(index="case", columns="calculator", values="value")
    cases = cases.loc[[case for case in cases.index if case in answers.index]]
    found = cases[["logged_tokens"]].assign(**{OURS: cases["predicted_tokens"] / cases["logged_tokens"]})
    return found.join(answers.loc[cases.index].div(cases["logged_tokens"], axis=0))


def mean_errors() -> pandas.Series:
    """Mean of |answer ÷ logged − 1| over the questions that each calculator answers, least first."""
    return errors().mean().sort_values()


def errors() -> pandas.DataFrame:
    """|answer ÷ logged − 1| of each question and calculator."""
    return (compared().drop(columns="logged_tokens") - 1).abs()
