#!/usr/bin/env bash
# Agno 3.1.10, metrics of a run: the same traffic, 10,000 tokens in, of which 9,000 come from the cache, and 1,000 out, of
# which 900 are thoughts, as OpenAI, Anthropic and Gemini each tell it.
#
# Guess: input_tokens 10,000, output_tokens 1,000 and total_tokens 11,000 from each: they are added up over the models of
# a team and of a session.
# Found: so from OpenAI alone. Of Claude the cached tokens are not in input_tokens nor in the total: 1,000 and 2,000. Of
# Gemini the thoughts are not in output_tokens nor in the total, 100 and 10,100, though its own total, sent in the same
# answer, is 11,000. cache_read_tokens and reasoning_tokens are a part of the count for one model, and beside it for
# another; output_tokens times a price gives a tenth of what Gemini charges.
#
# Python 3.11 to 3.13, a package index, a minute or two; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet agno==3.1.10 anthropic==2.14.0 google-genai==3.6.1 openai==3.57.0
cat > server.py <<'PY'
"""A server that speaks as OpenAI, Anthropic and Gemini do and tells each time the same traffic."""
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OPENAI = {
    "id": "x", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 10000, "completion_tokens": 1000, "total_tokens": 11000,
        "prompt_tokens_details": {"cached_tokens": 9000}, "completion_tokens_details": {"reasoning_tokens": 900},
    },
}
ANTHROPIC = {
    "id": "x", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn", "stop_sequence": None,
    "usage": {
        "input_tokens": 1000, "cache_read_input_tokens": 9000, "cache_creation_input_tokens": 0, "output_tokens": 1000,
    },
}
GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "hello"}]}, "finishReason": "STOP", "index": 0}],
    "usageMetadata": {
        "promptTokenCount": 10000, "cachedContentTokenCount": 9000, "candidatesTokenCount": 100,
        "thoughtsTokenCount": 900, "totalTokenCount": 11000,
    },
}

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        speaks = GEMINI if "generateContent" in self.path else ANTHROPIC if self.path.endswith("/messages") else OPENAI
        body = json.dumps(speaks).encode()
        self.send_response(200); self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open("port", "w").write(str(server.server_address[1]))
server.serve_forever()
PY
python3 server.py & server=$!
until [ -s port ]; do sleep 0.1; done
cat > ask.py <<'PY'
import os
from importlib.metadata import version

from agno.agent import Agent
from agno.models.anthropic import Claude
from agno.models.google import Gemini
from agno.models.openai import OpenAIChat

server = os.environ["SERVER"]
models = {
    "OpenAI": OpenAIChat(id="gpt-5", api_key="x", base_url=f"{server}/v1"),
    "Claude": Claude(id="claude-sonnet-4-5", api_key="x", client_params={"base_url": server}),
    "Gemini": Gemini(id="gemini-2.5-pro", api_key="x", client_params={"http_options": {"base_url": server}}),
}
KEYS = "input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens", "total_tokens"
print("agno", version("agno"), "; ".join(KEYS))
told = {}
for name, model in models.items():
    metrics = Agent(model=model, telemetry=False).run("hello").metrics
    told[name] = tuple(getattr(metrics, key) for key in KEYS)
    print(f"{name}: {told[name]}")
assert told == {
    "OpenAI": (10_000, 9_000, 1_000, 900, 11_000),
    "Claude": (1_000, 9_000, 1_000, 0, 2_000),
    "Gemini": (10_000, 9_000, 100, 900, 10_100),
}
PY
SERVER="http://127.0.0.1:$(cat port)" venv/bin/python -W ignore ask.py
echo "as found"
