#!/usr/bin/env bash
# mcp-agent 0.2.6, get_token_summary().cost: one answer of GPT-4o, 10,000 tokens in and 1,000 out, under the two names that
# the model has, gpt-4o and gpt-4o-2024-08-06.
#
# Guess: $0.035 both times, $2.50 and $10 for a million; or nothing, if it has no price.
# Found: $0.0029 and $0.36, a twelfth and ten times the bill. Its list has neither name and it takes the likest: one that
# begins like the name asked for, gpt-4o-mini, or one that the name has in it, gpt-4, at $30 and $60. A server's own model
# that has no like in the list costs $0.50 a million tokens.
#
# Python 3.11 to 3.13, a package index, a minute or two; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet mcp-agent==0.2.6 mcp==1.30.0 openai==3.57.0
cat > server.py <<'PY'
"""A chat server that says that each answer took 10,000 tokens in and 1,000 out."""
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
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
cat > ask.py <<'PY'
import asyncio
import os
from importlib.metadata import version

from mcp_agent.agents.agent import Agent
from mcp_agent.app import MCPApp
from mcp_agent.config import LoggerSettings, OpenAISettings, Settings
from mcp_agent.workflows.llm.augmented_llm_openai import OpenAIAugmentedLLM

TOKENS = (10_000, 1_000)
GPT_4O = 10_000 * 2.5e-6 + 1_000 * 10e-6  # USD, the list price


async def cost(model):
    server = OpenAISettings(api_key="x", base_url=os.environ["SERVER"], default_model=model)
    app = MCPApp(name="ask", settings=Settings(openai=server, logger=LoggerSettings(type="none")))
    async with app.run():
        async with Agent(name="one", instruction="Answer.") as agent:
            await (await agent.attach_llm(OpenAIAugmentedLLM)).generate_str("hello")
        summary = await app.get_token_summary()
    assert (summary.usage.input_tokens, summary.usage.output_tokens) == TOKENS and list(summary.model_usage) == [f"{model} (OpenAI)"]
    return summary.cost


print("mcp-agent", version("mcp-agent"), f"an answer of GPT-4o costs {GPT_4O:.4g} USD")
names = "gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-mini", "gpt-4", "my-llama"
costs = {name: asyncio.run(cost(name)) for name in names}
for name, each in costs.items():
    print(f"asked for {name}: {each:.4g} USD")
assert costs["gpt-4o"] == costs["gpt-4o-mini"] < GPT_4O / 10
assert costs["gpt-4o-2024-08-06"] == costs["gpt-4"] > 10 * GPT_4O
assert abs(costs["my-llama"] - sum(TOKENS) * 0.5e-6) < 1e-9
PY
SERVER="http://127.0.0.1:$(cat port)/v1" venv/bin/python -W ignore ask.py
echo "as found"
