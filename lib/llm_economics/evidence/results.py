"""What a benchmark of a server found, whichever tool wrote it, with every time in one definition.

Tools mean different things by the same word: with or without the first token, a mean over requests or over tokens,
tokens as the server counted them, as they were asked for, or counted again with another tokenizer. Each number keeps
the definition of its tool (:attr:`Result.says`); :func:`settled` turns them into one. The time per output token is

    (last token − first token) ÷ (tokens − 1) of each request, averaged over requests,

with the tokens that the server counted: recomputed where the file lists all requests, taken over where a summary has
it, else the nearest that the summary's means give, and :data:`MEANINGS` says which.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median

MEANINGS = {
    "per request": "(last − first token) ÷ (tokens − 1) of each request, mean over requests",
    "per token": "time after the first token of all requests ÷ their tokens but the first: long requests weigh more",
    "first token in, per request": "time ÷ tokens of each request: the wait for the first token is in it",
    "first token in, per token": "time of all requests ÷ their tokens: the wait for the first token is in it",
    "between chunks": "gaps between pieces of the stream, pooled: a piece may hold several tokens, or none",
    "between tokens": "gaps between tokens, pooled over requests",
    "one batch": "time of a whole batch after its prompts ÷ tokens but the first of one sequence",
    "one batch, first token in": "time of a whole batch ÷ tokens of one sequence: the prompts are in it",
    "throughput": "requests at a time ÷ output tokens per second: prompts, queues and idle time are in it",
    "to the first token": "from sending a request to its first token",
    "to the first chunk": "from sending a request to the first piece of the stream, with a token or without",
    "of a request": "from sending a request to its last token",
}
"""What a figure can mean."""


@dataclass(frozen=True)
class Figure:
    """A time in seconds: mean, median and 99th percentile over what ``meaning`` says, and where it stands."""

    mean: float | None
    median: float | None = None
    p99: float | None = None
    meaning: str = "per request"
    where: str = ""

    @property
    def typical(self) -> float | None:
        """The mean, or the median where there is no mean."""
        return self.mean or self.median


@dataclass(frozen=True)
class Request:
    """One request that was answered: tokens in and out as the server counted them, seconds to first and last token."""

    input_tokens: float | None
    output_tokens: float | None
    ttft_s: float | None
    seconds: float | None


@dataclass(frozen=True)
class Doubt:
    """A reason not to take a measurement at its word: a code for programs, a line for people."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """One load on one server, as a file tells it; None is what the file does not tell.

    Parameters
    ----------
    says
        The tool's own figures by name: "ttft", "tpot", "itl", "e2e".
    concurrency, in_flight
        Requests at a time as they were asked for, and as they really were on average.
    asked_output, retokenised_output
        Output tokens of a request as asked for, and as counted again by the client; ``output_tokens`` are the tool's.
    server_output, tool_output
        The same as the server counted them, where the tool says both; as the tool counted them, where it was wrong.
    late_end
        Whether the tool times a request to the end of its stream, and gaps between pieces with a token alone.
    only_asked
        Whether ``output_tokens`` are those that were asked for, and the file has no others.
    output_per_s
        Output tokens per second of the whole server.
    requests, listed
        Requests that were answered, and those of them that the file lists one by one.
    cached_share
        Part of the prompts' tokens that the server had in its cache.
    sent_before
        Measured prompts that a warm-up had sent before.
    texts
        Prompts, or answers where the file has no prompts (``texts_are``), to find those that were sent twice.
    """

    tool: str
    file: str
    version: str | None = None
    part: str = ""
    model: str = ""
    engine: str = ""
    system: str = ""
    accelerators: int | None = None
    weights: str = ""
    tensor: int | None = None
    expert: int | None = None
    date: str = ""
    says: dict[str, Figure] = field(default_factory=dict)
    concurrency: float | None = None
    in_flight: float | None = None
    rate: float | None = None
    completed: int | None = None
    failed: int | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    asked_output: float | None = None
    server_output: float | None = None
    tool_output: float | None = None
    only_asked: bool = False
    late_end: bool = False
    retokenised_output: float | None = None
    duration_s: float | None = None
    output_per_s: float | None = None
    total_per_s: float | None = None
    decode_only: bool = False
    speculation: str = ""
    chunks: float | None = None
    requests: tuple[Request, ...] = ()
    cached_share: float | None = None
    sent_before: int = 0
    texts: tuple[str, ...] = ()
    texts_are: str = "prompts"
    parameters: float | None = None
    weight_bytes: float | None = None
    why_not: str = ""
    row: dict[str, str] | None = None
    ttft: Figure | None = None
    tpot: Figure | None = None
    weighted: Figure | None = None
    doubts: tuple[Doubt, ...] = ()


def number(value: object, *, zero: bool = False) -> float | None:
    """A finite number above zero (or zero), also from a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and (found > 0 or (zero and found == 0)) else None


def quantile(values: Sequence[float], share: float) -> float:
    """A quantile of sorted or unsorted values, linear between neighbours as NumPy has it."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def figure(values: Iterable[float], meaning: str, where: str) -> Figure | None:
    """Mean, median and 99th percentile of single values; None without any."""
    values = list(values)
    if not values:
        return None
    return Figure(fmean(values), median(values), quantile(values, 0.99), meaning, where)


def settled(result: Result) -> Result:
    """The result with times, lengths and throughput in the book's definition, and the doubts that the file raises.

    Nothing is invented: a result that lacks what a figure needs keeps None there.
    """
    if result.why_not:
        return result
    if result.completed == 0:
        failed = f"all {result.failed:,} requests failed" if result.failed else "no request was answered"
        return replace(result, why_not=f"{failed}: there is nothing to measure; the server's log says why")
    doubts = [*result.doubts, *_counted(result)]
    found = _lengths(result)
    found = _from_requests(found) if _whole(found) and not _thought(found) else _from_summary(found)
    found = replace(found, in_flight=_in_flight(found))
    if found.concurrency is None and found.in_flight:
        found = replace(found, concurrency=found.in_flight)
    return replace(found, doubts=(*doubts, *_load(found)))


def _whole(result: Result) -> bool:
    """Whether every answered request is listed with all that its times need."""
    listed = [r for r in result.requests if r.output_tokens and r.ttft_s and r.seconds and r.seconds >= r.ttft_s]
    return len(listed) == len(result.requests) > 0 and (result.completed in (None, len(listed)))


def _from_requests(result: Result) -> Result:
    rows = result.requests
    where = f"recomputed from {len(rows):,} requests"
    long = [r for r in rows if r.output_tokens > 1]
    tpot = figure(((r.seconds - r.ttft_s) / (r.output_tokens - 1) for r in long), "per request", where)
    tokens = sum(r.output_tokens - 1 for r in long)
    weighted = sum(r.seconds - r.ttft_s for r in long) / tokens if tokens else None
    output = fmean(r.output_tokens for r in rows)
    prompts = [r.input_tokens for r in rows if r.input_tokens]
    output_per_s = result.output_per_s
    if result.duration_s:
        output_per_s = len(rows) * output / result.duration_s
    return replace(
        result,
        ttft=figure((r.ttft_s for r in rows), "to the first token", where),
        tpot=tpot,
        weighted=Figure(weighted, meaning="per token", where=where) if weighted else None,
        says=result.says | {"e2e": result.says.get("e2e") or figure((r.seconds for r in rows), "of a request", where)},
        completed=len(rows),
        input_tokens=result.input_tokens or (fmean(prompts) if prompts else None),
        output_tokens=output,
        output_per_s=output_per_s,
    )


def _from_summary(result: Result) -> Result:
    says, tokens = result.says, _seen(result) if _thought(result) else result.output_tokens
    ttft, tpot, end = says.get("ttft"), says.get("tpot"), says.get("e2e")
    weighted = None
    if ttft and end and ttft.mean and end.mean and tokens and tokens > 1 and end.mean > ttft.mean:
        seconds = (end.mean - ttft.mean - _pause(result)) / (tokens - 1)
        weighted = Figure(seconds, meaning="per token", where=f"({end.where} − {ttft.where}) ÷ (tokens − 1)")
    elif tpot and tpot.mean and ttft and ttft.mean and tokens and tokens > 1 and tpot.meaning.startswith("first token"):
        seconds = (tpot.mean * tokens - ttft.mean) / (tokens - 1)
        where = f"({tpot.where} × tokens − {ttft.where}) ÷ (tokens − 1)"
        weighted = Figure(seconds, meaning="per token", where=where) if seconds > 0 else None
    return replace(result, ttft=ttft, tpot=_time_per_token(result, weighted), weighted=weighted)


def _time_per_token(result: Result, weighted: Figure | None) -> Figure | None:
    """The tool's own where it means what the book means; else what comes nearest to it."""
    tpot, gaps = (f if f and f.typical else None for f in map(result.says.get, ("tpot", "itl")))
    counted_wrongly = bool(weighted) and _miscounted(result) != _thought(result)
    if gaps and _pause(result):
        return replace(gaps, meaning="per token", where=f"{gaps.where}: the pause after the last token is left out")
    if tpot and tpot.meaning in ("per request", "one batch") and not counted_wrongly:
        return tpot
    if gaps and gaps.meaning == "per token" and not counted_wrongly:
        return gaps
    if weighted or tpot or gaps:
        return weighted or tpot or gaps
    if result.concurrency and result.output_per_s:
        seconds = result.concurrency / result.output_per_s
        return Figure(seconds, meaning="throughput", where="requests at a time ÷ output tokens per second")
    return None


def _pause(result: Result) -> float:
    """Seconds between the last token of a request and the end of its stream, where a tool counts them in; else 0."""
    ttft, end, gaps = (result.says.get(name) for name in ("ttft", "e2e", "itl"))
    if not (
        result.late_end and result.output_tokens and ttft and end and gaps and gaps.mean and ttft.mean and end.mean
    ):
        return 0.0
    after_first = end.mean - ttft.mean
    pause = after_first - gaps.mean * (result.output_tokens - 1)
    return pause if pause > 0.02 * after_first else 0.0


# ---------------------------------------------------------------------------------------------------------------------
# Who counted the tokens


def _miscounted(result: Result) -> bool:
    """Whether the tool's own times rest on other numbers of tokens than those that came."""
    return (
        bool(result.tool_output and result.output_tokens) and abs(result.tool_output / result.output_tokens - 1) > 0.01
    )


def _seen(result: Result) -> float | None:
    """Output tokens in the text that a tool saw, where it counted them there."""
    return result.retokenised_output or result.tool_output


def _thought(result: Result) -> bool:
    """Whether the tokens that a tool did not see fit into its wait for the first: it waited while a model thought."""
    seen, tokens = _seen(result), result.output_tokens
    ttft, end, gaps = (result.says.get(name) for name in ("ttft", "e2e", "itl"))
    if not (seen and tokens and ttft and end and ttft.mean and end.mean) or not 1 < seen < 0.9 * tokens:
        return False
    answering = end.mean - ttft.mean
    pieces = 1 + answering / gaps.mean if gaps and gaps.mean else seen
    if pieces > (seen + tokens) / 2:  # as many as tokens: all were seen
        return False
    return ttft.mean >= (tokens - seen) * answering / (seen - 1) > 0


def _lengths(result: Result) -> Result:
    """The output tokens that came, by whoever counted them best: the server, else what the stream's pieces confirm."""
    counted, again = result.server_output or result.output_tokens, result.retokenised_output
    if not result.server_output and counted and again and abs(again / counted - 1) > 0.03:
        pieces = _pieces(result)
        if pieces and abs(pieces - again) < abs(pieces - counted):
            counted = again
    if counted == result.output_tokens:
        return result
    if not counted or not result.output_tokens:
        return replace(result, output_tokens=counted)
    factor = counted / result.output_tokens
    return replace(
        result,
        output_tokens=counted,
        tool_output=result.output_tokens,
        output_per_s=result.output_per_s and result.output_per_s * factor,
    )


def _pieces(result: Result) -> float | None:
    """Pieces of the stream that a request came in, the first counted: as listed, or from the times between them."""
    if result.chunks:
        return result.chunks
    ttft, end, gaps = (result.says.get(name) for name in ("ttft", "e2e", "itl"))
    if ttft and end and gaps and ttft.mean and end.mean and gaps.mean and gaps.meaning == "between chunks":
        return 1 + (end.mean - ttft.mean) / gaps.mean
    return None


def _counted(result: Result) -> list[Doubt]:
    """Doubts about the number of tokens."""
    counted, server = result.output_tokens, result.server_output
    again, asked = result.retokenised_output, result.asked_output
    real = _lengths(result).output_tokens
    found = []
    if _thought(_lengths(result)):
        seen = _seen(_lengths(result))
        text = (
            f"the tool saw {seen:.4g} of the server's {real:.4g} output tokens a request, and the others fit into the "
            "wait for the first: it waits while a model thinks; the time per token is that of the tokens it saw"
        )
        found.append(Doubt("unseen-tokens", text))
    elif server and counted and abs(counted / server - 1) > 0.01:
        found.append(
            Doubt(
                "retokenised",
                f"the tool counted {counted:.4g} output tokens a request with a tokenizer of its own, the server "
                f"{server:.4g}; the times here are by the server's count",
            )
        )
    elif not server and counted and again and abs(again / counted - 1) > 0.03:
        which = f"those that were asked for; {real:.4g} came" if real != counted else "confirmed by the stream"
        found.append(
            Doubt(
                "requested-lengths" if real != counted else "retokenised",
                f"the tool took {counted:.4g} output tokens a request and found {again:.4g} in the text: the former "
                f"are {which}",
            )
        )
    if result.only_asked and counted:
        text = f"the file has only the output length that was asked for ({counted:.4g}), not what came"
        found.append(Doubt("requested-lengths", text))
    if asked and real and real < 0.97 * asked:
        text = f"{real:.4g} output tokens a request came where {asked:.4g} were asked for: answers were cut short"
        found.append(Doubt("short-outputs", f"{text} (ignore_eos, or a longer limit, gives full lengths)"))
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Load, failures, caches


def _in_flight(result: Result) -> float | None:
    """Requests at a time on average, by Little's law: requests that were answered × seconds of each ÷ duration."""
    if result.row and result.in_flight:  # a row that says so
        return result.in_flight
    end = result.says.get("e2e")
    seconds = end.mean if end else None
    first, next_one = (f.typical if f else None for f in (result.ttft, result.tpot))
    alike = bool(result.tpot) and result.tpot.meaning in ("per request", "per token")
    if not seconds and alike and first and next_one and result.output_tokens:
        seconds = first + next_one * (result.output_tokens - 1)
    if not seconds:
        return result.in_flight
    if result.completed and result.duration_s:
        return result.completed * seconds / result.duration_s
    if result.output_per_s and result.output_tokens:
        return result.output_per_s / result.output_tokens * seconds
    return result.in_flight


LITTLE = (0.7, 1.1)
"""Requests in flight by Little's law ÷ requests asked for: outside of this, the numbers of a file do not go together.
A run of few requests or of unequal ones ends with a server half empty, so the lower end is wide."""


def _load(result: Result) -> list[Doubt]:
    found = []
    asked, real = result.concurrency, result.in_flight
    if asked and real and not LITTLE[0] <= real / asked <= LITTLE[1]:
        more = "more than can be: throughput, latency or concurrency is not what it says"
        fewer = "the client kept fewer requests going, waited, or lost some"
        found.append(
            Doubt(
                "littles-law",
                f"throughput × latency gives {real:.3g} requests at a time, the load was {asked:g}: "
                f"{more if real > asked else fewer}",
            )
        )
    if result.failed:
        total = result.failed + (result.completed or 0)
        of = f" of {total:,}" if result.completed else ""
        found.append(
            Doubt("failed-requests", f"{result.failed:,}{of} requests failed; they are in no mean, but took capacity")
        )
    if result.cached_share and result.cached_share > 0.01:
        found.append(
            Doubt(
                "prefix-cache",
                f"{result.cached_share:.0%} of the prompts' tokens came from the server's cache: they cost it nothing",
            )
        )
    repeated = len(result.texts) - len(set(result.texts))
    if repeated:
        found.append(
            Doubt(
                "repeated-prompts",
                f"{repeated} of {len(result.texts)} listed {result.texts_are} are another request's, word for word",
            )
        )
    if result.sent_before:
        text = f"{result.sent_before} of the measured prompts had been sent in the warm-up: a prefix cache has them"
        found.append(Doubt("repeated-prompts", text))
    pieces, tokens = _pieces(result), result.output_tokens
    found += _unseen(result)
    if result.tpot and "pause" in result.tpot.where:
        text = (
            f"each stream ended {1e3 * _pause(result):.4g} ms after its last token, which the tool's time per token has"
        )
        found.append(Doubt("late-end", f"{text} in it; it is left out here"))
    early = result.says.get("first chunk")
    if early and result.ttft and early.mean < 0.9 * result.ttft.mean:
        at, token = 1e3 * early.mean, 1e3 * result.ttft.mean
        found.append(
            Doubt(
                "empty-chunk",
                f"the first piece of the stream, at {at:.4g} ms, held no token; the first token came at {token:.4g} ms",
            )
        )
    elif pieces and tokens and result.tool.startswith("vLLM") and 0.5 < pieces - tokens < 3.5:
        found.append(
            Doubt(
                "empty-chunk",
                f"a request came in {pieces:.3g} pieces for {tokens:.4g} tokens: one held no token and counts as the "
                "first, so the time to the first token may be too short and the gaps are not those between tokens",
            )
        )
    return found


def _unseen(result: Result) -> list[Doubt]:
    """Far more tokens than pieces of the stream, and a wait for the first piece in which the others fit.

    Some tools take a model's thinking for waiting, and count its tokens all the same.
    """
    first, tpot, gaps = (result.says.get(name) for name in ("ttft", "tpot", "itl"))
    tokens = result.output_tokens
    known = tokens and first and first.mean and tpot and tpot.mean and gaps and gaps.mean
    if result.speculation or not known or _seen(result) or tpot.meaning != "per request":
        return []
    pieces = 1 + tpot.mean * (tokens - 1) / gaps.mean
    if tokens < 1.5 * pieces or first.mean < (tokens - pieces) * gaps.mean:
        return []
    text = (
        f"a request came in {pieces:.3g} pieces for {tokens:.4g} tokens, and the other {tokens - pieces:.3g} fit into "
        f"the wait for the first: pieces hold several tokens, or thinking counts as waiting and a token took "
        f"{1e3 * gaps.mean:.4g} ms"
    )
    return [Doubt("unseen-tokens", text)]


def repeated_between(results: Sequence[Result]) -> list[Result]:
    """The results, each with a doubt where an earlier one had sent the same prompts (or got the same answers)."""
    seen: dict[str, str] = {}
    found = []
    for result in results:
        name = result.file + (f" ({result.part})" if result.part else "")
        same = {seen[text] for text in set(result.texts) if text in seen}
        if same and not result.why_not:
            what = f"{result.texts_are} are those of {', '.join(sorted(same))}, word for word"
            text = f"{what}: a prefix cache may have had the prompts"
            result = replace(result, doubts=(*result.doubts, Doubt("repeated-prompts", text)))
        for text in result.texts:
            seen.setdefault(text, name)
        found.append(result)
    return found
