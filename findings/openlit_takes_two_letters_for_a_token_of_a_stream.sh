#!/usr/bin/env bash
# OpenLIT 1.45.0: what does it count, and price, of a chat that is streamed without a usage block?
#
# A server sends that block with a stream where it is asked to (stream_options.include_usage), and an application that is
# watched by one line, openlit.init(), need not ask.
# Guess: OpenLIT asks for it, or counts the text with a tokenizer, or says that it does not know.
# Found: one token for each two letters and spaces, of prompt and answer. 39 words of plain English, 39 tokens by the
# server's count, are 86 tokens, at 2.2 times their cost; the span has them under the same names as the server's count,
# without a word that they are a guess. Thinking (reasoning) is not in the text that is halved and costs nothing: with 117
# words of thought before the same answer the 156 tokens are 86 again, at half their cost. Where the application asks, both
# are right.
#
# The package is installed without its dependencies' versions, which are in conflict. Python 3.11 to 3.13, a package index,
# about two minutes; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet openai==2.54.0 opentelemetry-exporter-otlp==1.45.2 opentelemetry-instrumentation==0.66b2 \
  opentelemetry-sdk==1.45.2 pydantic==2.14.4 requests==2.34.2 schedule==1.2.2 xmltodict==1.0.4
venv/bin/pip install --quiet --no-deps openlit==1.45.0
cat > server.py <<'PY'
"""A chat server: 39 words of answer, before them as many words of thought as the model's name says."""
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = ("the price of a token is what a server costs in an hour over the tokens that it makes in that hour and the more "
          "people ask at the same time the less each of them has to pay").split()

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200); self.send_header("Content-Type", "text/event-stream"); self.end_headers()
        thought = int(asked["model"])
        for name, words in (("reasoning", (3 * ANSWER)[:thought]), ("content", ANSWER)):
            for word in words:
                self.piece([{"index": 0, "delta": {name: f" {word}"}, "finish_reason": None}])
        self.piece([{"index": 0, "delta": {}, "finish_reason": "stop"}])
        if (asked.get("stream_options") or {}).get("include_usage"):
            count = thought + len(ANSWER)
            self.piece([], {"prompt_tokens": 5, "completion_tokens": count, "total_tokens": 5 + count})
        self.wfile.write(b"data: [DONE]\n\n")
    def piece(self, choices, usage=None):
        content = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
        content |= {"usage": usage} if usage else {}
        self.wfile.write(b"data: " + json.dumps(content).encode() + b"\n\n"); self.wfile.flush()

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open("port", "w").write(str(server.server_address[1]))
server.serve_forever()
PY
python3 server.py > server.log 2>&1 & server=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
cat > ask.py <<'PY'
import json
from importlib.metadata import version

import openlit
from openai import OpenAI
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

price = 0.01  # for 1000 tokens of output
with open("prices.json", "w") as file:
    json.dump({"chat": {name: {"promptPrice": 0, "completionPrice": price} for name in ("0", "117")}}, file)
spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
openlit.init(disable_metrics=True, disable_events=True, pricing_json="prices.json")
client = OpenAI(base_url=f"http://127.0.0.1:{open('port').read()}/v1", api_key="none")
print("openlit", version("openlit"))
told = {}
for model in ("0", "117"):
    for asks in (False, True):
        spans.clear()
        options = {"stream_options": {"include_usage": True}} if asks else {}
        messages = [{"role": "user", "content": "What is a token?"}]
        stream = client.chat.completions.create(model=model, messages=messages, stream=True, **options)
        text = "".join(piece.choices[0].delta.content or "" for piece in stream if piece.choices)
        (span,) = spans.get_finished_spans()
        tokens, cost = (span.attributes[f"gen_ai.usage.{name}"] for name in ("output_tokens", "cost"))
        told[model, asks] = tokens
        print(f"{model} words of thought, {len(text.split())} of answer ({len(text)} letters), "
              f"usage {'asked for' if asks else 'not asked for'}: {tokens} output tokens, ${cost:.5f}")
        assert abs(cost - tokens / 1000 * price) < 1e-9 and len(text) == 172
        assert not [name for name in span.attributes if "estimat" in name.lower()]
assert told == {("0", False): 86, ("0", True): 39, ("117", False): 86, ("117", True): 156}
PY
timeout 120 venv/bin/python ask.py 2> log || { tail -20 log; exit 1; }
echo "as found"
