#!/usr/bin/env bash
# smolagents 1.26.0, with openai-agents 0.24.0 beside it: an agent hands a task three times to an agent that it manages,
# which takes four steps each time. A run's token_usage, "count of tokens used during the run": how many are in it?
#
# Guess: those of all 13 requests, 143,000, as the usage of a run of openai-agents counts the agents that it has as tools.
# Found: those of the manager's one request, 11,000, a thirteenth. The managed agent's own monitor has 44,000: it begins
# again with each task, so it holds the last of the three, and the sum of both, 55,000, is of no run. No place has them all.
#
# Python 3.11 to 3.13, a package index, a minute or two; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet openai==3.57.0 openai-agents==0.24.0 smolagents==1.26.0
cat > server.py <<'PY'
"""A chat server: 10,000 tokens in and 1,000 out each time; a manager that asks for help, a helper with four steps a task."""
import json
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

THRICE = "<code>\nfound = [helper('look it up') for _ in range(3)]\nfinal_answer(len(found))\n</code>"
STEP, LAST = "<code>\nx = 1\n</code>", "<code>\nfinal_answer('here it is')\n</code>"
CALL = {"type": "function", "function": {"name": "helper", "arguments": '{"input": "look it up"}'}}
asked = Counter()

def answer(model):
    asked[model] += 1
    if model == "smol-manager":
        return {"content": THRICE}
    if model == "smol-helper":
        return {"content": STEP if asked[model] % 4 else LAST}
    if model == "manager" and asked[model] <= 3:
        return {"content": None, "tool_calls": [CALL | {"id": str(asked[model])}]}
    return {"content": "here it is"}

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        model = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        message = {"role": "assistant"} | answer(model)
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}
        usage = {"prompt_tokens": 10000, "completion_tokens": 1000, "total_tokens": 11000}
        told = {"id": "x", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": usage}
        body = json.dumps(told).encode()
        with open("asked.json", "w") as counted:
            json.dump(asked, counted)
        self.send_response(200); self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open("port", "w").write(str(server.server_address[1]))
server.serve_forever()
PY
python3 server.py & server=$!
until [ -s port ]; do sleep 0.1; done
cat > ask.py <<'PY'
import json
import os
from importlib.metadata import version

from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from openai import AsyncOpenAI
from smolagents import CodeAgent, OpenAIModel

SERVER, ONE = os.environ["SERVER"], 11_000  # tokens of a request


def requests(*models):
    with open("asked.json") as told:
        asked = json.load(told)
    return sum(asked[model] for model in models)


def smol(name):
    return OpenAIModel(model_id=name, api_base=SERVER, api_key="x")


helper = CodeAgent(tools=[], model=smol("smol-helper"), name="helper", description="Looks things up.", verbosity_level=0)
manager = CodeAgent(tools=[], model=smol("smol-manager"), managed_agents=[helper], verbosity_level=0)
run = manager.run("What is there?", return_full_result=True)
sent = requests("smol-manager", "smol-helper")
totals = [agent.monitor.get_total_token_counts().total_tokens for agent in (manager, helper)]
counted = run.token_usage.total_tokens
print("smolagents", version("smolagents"), f"{sent} requests, {sent * ONE} tokens; the run counts {counted}")
print("monitors of the manager and of its agent:", totals)
assert sent == 13 and run.output == 3
assert counted == ONE and totals == [ONE, 4 * ONE]

set_tracing_disabled(True)
client = AsyncOpenAI(base_url=SERVER, api_key="x")
other = Agent(name="helper", instructions="Look things up.", model=OpenAIChatCompletionsModel("helper", client))
tool = other.as_tool("helper", "Looks things up.")
first = Agent(name="manager", instructions="Ask.", model=OpenAIChatCompletionsModel("manager", client), tools=[tool])
usage = Runner.run_sync(first, "What is there?").context_wrapper.usage
sent = requests("manager", "helper")
counted = usage.total_tokens
print("openai-agents", version("openai-agents"), f"{sent} requests, {sent * ONE} tokens; the run counts {counted}")
assert sent == usage.requests == 7 and counted == 7 * ONE
PY
SERVER="http://127.0.0.1:$(cat port)/v1" venv/bin/python -W ignore ask.py
echo "as found"
