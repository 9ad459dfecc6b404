#!/usr/bin/env bash
# mistral-common 1.13.1 (the tokens of a chat with Mistral's models; vLLM uses it for them): a chat of ten questions with
# a system prompt and 20 tools. How many tokens of its prompts does a cache of prefixes know already?
#
# Guess: all but the new question and the last answer: system prompt and tools do not change and come first.
# Found: before v13 of the tokenizer none of the tools. They stand before the last question, so each new one moves them:
# of 33,400 tokens in ten prompts 24,100 are in no earlier one, where v13, which puts them first, has 3,500 new ones, for
# the same words. In v2 and v3 (Nemo's) the system prompt moves with them: 32,700 are new, and the cache is worth 2%.
# The requests are the same in each case; only "version" in the tokenizer's file tells.
#
# Python 3.11 to 3.13, a package index, a minute; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet mistral-common==1.13.1 sentencepiece==0.2.2
cat > ask.py <<'PY'
import json
from importlib.metadata import version

from mistral_common.protocol.instruct.messages import AssistantMessage, SystemMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.tool_calls import Function, Tool
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

TURNS, BLOCK = 10, 16
system = [SystemMessage(content="You help the customers of a shop and answer in a short and polite way. " * 60)]
place = {"type": "object", "properties": {"city": {"type": "string", "description": "Name of the city"}}}
text = "Looks up what the shop knows of its stock, its orders and its customers in one city. "
tools = [Tool(function=Function(name=f"look_up_{n}", description=text * 3, parameters=place)) for n in range(20)]


def tekken(number):
    """A tokenizer of this version: the words of the file that the package brings, with the marks it may ask for."""
    with open(MistralTokenizer._data_path() / "tekken_240718.json") as opened:
        given = json.load(opened)
    marks = [mark["token_str"] for mark in Tekkenizer.DEPRECATED_SPECIAL_TOKENS]
    marks += [mark for mark in ("[CALL_ID]", "[ARGS]", "[THINK]", "[/THINK]") if mark not in marks]
    given["special_tokens"] = [{"rank": n, "token_str": mark, "is_control": True} for n, mark in enumerate(marks)]
    given["config"]["version"] = f"v{number}"
    with open(f"tekken_v{number}.json", "w") as written:
        json.dump(given, written)
    return MistralTokenizer.from_file(f"tekken_v{number}.json")


def alike(one, other):
    return next((n for n, (left, right) in enumerate(zip(one, other)) if left != right), min(len(one), len(other)))


def read(tokenizer, start, tools):
    """Tokens of all prompts of a chat, and those that no earlier prompt of it began with, in whole blocks."""
    messages, seen, total, new = list(start), [], 0, 0
    for turn in range(TURNS):
        messages.append(UserMessage(content=f"Is there anything on shelf {turn} in Paris?"))
        asked = tokenizer.encode_chat_completion(ChatCompletionRequest(messages=messages, tools=tools)).tokens
        total += len(asked)
        new += len(asked) - max((alike(asked, each) // BLOCK * BLOCK for each in seen), default=0)
        seen.append(asked)
        messages.append(AssistantMessage(content=f"There are {turn} boxes on it."))
    return total, new


print("mistral-common", version("mistral-common"), f"- tokens in {TURNS} prompts of a chat / in no earlier one")
asked = {"system prompt": (system, None), "tools": ([], tools), "both": (system, tools)}
made = {
    "v2": MistralTokenizer.v2(), "v3": MistralTokenizer.v3(), "v3 tekken": MistralTokenizer.v3(is_tekken=True),
    "v7": MistralTokenizer.v7(), "v7 tekken": tekken(7), "v11 tekken": tekken(11), "v13 tekken": tekken(13),
}
left = {}
for name, tokenizer in made.items():
    counts = {what: read(tokenizer, *given) for what, given in asked.items()}
    print(f"{name}: " + "; ".join(f"{what} {total:,} / {new:,}" for what, (total, new) in counts.items()))
    left[name] = {what: new / total for what, (total, new) in counts.items()}
for name in ("v2", "v3", "v3 tekken"):
    assert all(share > 0.92 for share in left[name].values())
for name in ("v7", "v7 tekken", "v11 tekken"):
    assert left[name]["system prompt"] < 0.12 and left[name]["tools"] > 0.96 and left[name]["both"] > 0.7
assert all(share < 0.12 for share in left["v13 tekken"].values())
PY
venv/bin/python -W ignore ask.py 2>log || { tail -5 log; exit 1; }
echo "as found"
