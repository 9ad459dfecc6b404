#!/usr/bin/env bash
# Arize Phoenix 20.26.1, costs of traces with the prices that it comes with: two models of 8 and 7 billion parameters as
# Novita and Ollama name them, sao10k/l3-8b-lunaris and marco-o1:7b, 10,000 tokens in and 1,000 out each.
#
# Guess: no cost, as for meta-llama/llama-3.1-8b-instruct, a name that its list does not have either.
# Found: $0.21 each, the price of OpenAI's o1, for o1 is in "sao10k". That is 380 times what the first costs at $0.05 a
# million tokens; the second runs at home. A price's name is searched for anywhere in the model's name, and nothing asks
# whose server it was; the o1, o3, gpt-4 and glm-5 of the list are short.
#
# Python 3.11 to 3.13, a package index, some minutes; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${phoenix:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet arize-phoenix==20.26.1 openai==3.57.0 openinference-instrumentation-openai==0.1.66
read -r web grpc < <(python3 -c "
import socket
held = [socket.socket() for _ in range(2)]
for each in held:
    each.bind(('127.0.0.1', 0))
print(*(each.getsockname()[1] for each in held))")
export PHOENIX_WORKING_DIR="$dir/data" PHOENIX_HOST=127.0.0.1 PHOENIX_PORT="$web" PHOENIX_GRPC_PORT="$grpc" \
  PHOENIX_TELEMETRY_ENABLED=false PHOENIX_ALLOW_EXTERNAL_RESOURCES=false
venv/bin/phoenix serve > log 2>&1 & phoenix=$!
cat > ask.py <<'PY'
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from urllib.error import URLError
from urllib.request import Request, urlopen

import openai
from openinference.instrumentation.openai import OpenAIInstrumentor
from phoenix.otel import register

PHOENIX = f"http://127.0.0.1:{os.environ['PHOENIX_PORT']}"
PATIENCE = 120  # seconds
NAMES = "gpt-4o", "o1", "sao10k/l3-8b-lunaris", "marco-o1:7b", "meta-llama/llama-3.1-8b-instruct"
QUERY = "{projects{edges{node{name spans(first:50){edges{node{attributes costSummary{total{cost}}}}}}}}}"


class Model(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        choice = {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10000, "completion_tokens": 1000, "total_tokens": 11000}
        answer = {"id": "x", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [choice]}
        body = json.dumps(answer | {"usage": usage}).encode()
        self.send_response(200); self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)


def costs():
    asked = Request(f"{PHOENIX}/graphql", json.dumps({"query": QUERY}).encode(), {"Content-Type": "application/json"})
    with urlopen(asked) as answer:
        projects = json.load(answer)["data"]["projects"]["edges"]
    spans = [each["node"] for project in projects if project["node"]["name"] == "ask" for each in project["node"]["spans"]["edges"]]
    return {json.loads(span["attributes"])["llm"]["model_name"]: span["costSummary"]["total"]["cost"] for span in spans}


def wait_for(done):
    until = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < until, "Phoenix did not answer in time"
        time.sleep(1)


def up():
    try:
        return urlopen(PHOENIX).status == 200
    except URLError:
        return False


wait_for(up)
server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
tracer = register(endpoint=f"{PHOENIX}/v1/traces", project_name="ask", batch=False, verbose=False, protocol="http/protobuf")
OpenAIInstrumentor().instrument(tracer_provider=tracer)
client = openai.OpenAI(api_key="x", base_url=f"http://127.0.0.1:{server.server_address[1]}/v1")
for name in NAMES:
    client.chat.completions.create(model=name, messages=[{"role": "user", "content": "hello"}])
wait_for(lambda: set(costs()) == set(NAMES) and costs()["gpt-4o"] and costs()["marco-o1:7b"])
told = costs()
print("arize-phoenix", version("arize-phoenix"))
for name in NAMES:
    print(f"{name}: {told[name]} USD")
O1 = 10_000 * 15e-6 + 1_000 * 60e-6
assert abs(told["gpt-4o"] - 0.035) < 1e-9 and told["meta-llama/llama-3.1-8b-instruct"] is None
assert all(abs(told[name] - O1) < 1e-9 for name in ("o1", "sao10k/l3-8b-lunaris", "marco-o1:7b"))
lunaris = 11_000 * 0.05e-6
print(f"of a list price of 0.05 USD a million tokens: {told['sao10k/l3-8b-lunaris'] / lunaris:.0f} times")
assert 370 < told["sao10k/l3-8b-lunaris"] / lunaris < 390
PY
venv/bin/python -W ignore ask.py || { tail -20 log; exit 1; }
echo "as found"
