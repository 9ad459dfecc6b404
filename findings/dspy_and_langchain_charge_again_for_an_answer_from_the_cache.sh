#!/usr/bin/env bash
# DSPy 3.4.1, and langchain-core 1.8.3 with langchain-community 0.4.2: ten times the same call with their own caches on.
# The server is asked once; what do the ten calls cost?
#
# Guess: one call, as the server will charge.
# Found: ten, in both. DSPy's history has no tokens and the full price for each answer from its cache, so the sum of
# "cost" is ten times what its own usage tracker counts tokens for. LangChain marks the repeated answers with a
# total_cost of 0 in usage_metadata, adds up their tokens all the same, and the OpenAI callback charges each of them
# again.
#
# Python 3.11 to 3.13, a package index, about two minutes; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet dspy==3.4.1 langchain-community==0.4.2 langchain-core==1.8.3 langchain-openai==1.7.4 litellm==1.110.2
cat > server.py <<'PY'
"""A chat server that says that each answer took 10,000 tokens in and 1,000 out, and writes down that it was asked."""
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open("asked.txt", "a") as lines:
            lines.write(json.dumps(asked["messages"]) + "\n")
        choice = {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10000, "completion_tokens": 1000, "total_tokens": 11000}
        answer = {"id": "x", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [choice]}
        body = json.dumps(answer | {"usage": usage}).encode()
        self.send_response(200); self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open("port", "w").write(str(server.server_address[1]))
server.serve_forever()
PY
python3 server.py & server=$!
until [ -s port ]; do sleep 0.1; done
export OPENAI_API_KEY=x OPENAI_BASE_URL="http://127.0.0.1:$(cat port)/v1" DSPY_CACHEDIR="$dir/cache" LITELLM_LOCAL_MODEL_COST_MAP=True
cat > ask.py <<'PY'
import os
from importlib.metadata import version

import dspy
from langchain_community.callbacks import get_openai_callback
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.globals import set_llm_cache
from langchain_openai import ChatOpenAI

ONE = 10_000 * 2.5e-6 + 1_000 * 10e-6  # USD, GPT-4o's list price


def asked():
    with open("asked.txt") as lines:
        return len(lines.readlines())


model = dspy.LM("openai/gpt-4o", api_base=os.environ["OPENAI_BASE_URL"], api_key="x")
with dspy.track_usage() as tracker, dspy.context(lm=model, track_usage=True):
    for _ in range(10):
        model("hello")
history = [(dict(each["usage"]).get("total_tokens"), each["cost"]) for each in model.history]
counted = tracker.get_total_tokens()["openai/gpt-4o"]["total_tokens"]
charged = sum(cost for _, cost in history)
print("dspy", version("dspy"), "asked the server", asked(), "time; tokens and cost of each call:", history[:3], "...")
print(f"sum of cost {charged:.4g} USD, of one call {ONE:.4g} USD; tokens that its usage tracker counts: {counted}")
assert asked() == 1 and counted == 11_000
assert {tokens for tokens, _ in history[1:]} == {None} and abs(charged / ONE - 10) < 1e-6

set_llm_cache(InMemoryCache())
with get_usage_metadata_callback() as tokens, get_openai_callback() as bill:
    answers = [ChatOpenAI(model="gpt-4o").invoke("hello") for _ in range(10)]
print("langchain-core", version("langchain-core"), "asked the server", asked() - 1, "time")
print("last answer:", answers[-1].usage_metadata)
print(f"counted by core: {tokens.usage_metadata['gpt-4o']}")
print(f"callback: {bill.total_tokens} tokens, {bill.successful_requests} requests, {bill.total_cost:.4g} USD")
assert asked() == 2 and answers[-1].usage_metadata["total_cost"] == 0 and "total_cost" not in answers[0].usage_metadata
assert tokens.usage_metadata["gpt-4o"]["total_tokens"] == bill.total_tokens == 110_000
assert bill.successful_requests == 10 and abs(bill.total_cost / ONE - 10) < 1e-6
PY
venv/bin/python -W ignore ask.py
echo "as found"
