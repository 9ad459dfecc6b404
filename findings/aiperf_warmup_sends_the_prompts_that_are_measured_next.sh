#!/usr/bin/env bash
# AIPerf 0.13.0, --warmup-request-count W: does the warm-up have prompts of its own?
#
# Guess: a warm-up sends other prompts than the measured requests, or a prefix cache would be warm for them; and the
# list of requests, profile_export.jsonl, holds the measured ones, as the summary beside it does.
# Found: neither. The warm-up sends the first W prompts of the data set, the measured requests begin with the same
# ones again, word for word, and the list holds both, told apart by metadata.benchmark_phase alone.
#
# Python 3.11 to 3.13, a package index, about three minutes; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet aiperf==0.13.0
cat > server.py <<'PY'
"""A chat server that answers with eight words, 10 ms apart, and writes down what it is asked."""
import json, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    def log_message(self, *_): pass
    def do_GET(self):
        self.send_response(404); self.end_headers()
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open("asked.txt", "a") as lines:
            lines.write(json.dumps(asked["messages"][-1]["content"]) + "\n")
        self.send_response(200); self.send_header("Content-Type", "text/event-stream"); self.end_headers()
        base = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        for n in range(8):
            time.sleep(0.01)
            self.piece(base | {"choices": [{"index": 0, "delta": {"content": " word"}, "finish_reason": None}]})
        self.piece(base | {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
        usage = {"prompt_tokens": 32, "completion_tokens": 8, "total_tokens": 40}
        self.piece(base | {"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")
    def piece(self, content):
        self.wfile.write(b"data: " + json.dumps(content).encode() + b"\n\n"); self.wfile.flush()

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open("port", "w").write(str(server.server_address[1]))
server.serve_forever()
PY
venv/bin/python - <<'PY'
"""A tokenizer of bytes where the hub's cache would have one, so that nothing is fetched."""
import os
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

letters = sorted(pre_tokenizers.ByteLevel.alphabet())
tokenizer = Tokenizer(models.BPE(vocab={c: n for n, c in enumerate(letters)}, merges=[]))
tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
entry = "hub/models--own--bytes"
os.makedirs(f"{entry}/refs")
open(f"{entry}/refs/main", "w").write("0" * 40)
PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="!").save_pretrained(f"{entry}/snapshots/{'0' * 40}")
PY
export HF_HOME="$dir" HF_HUB_OFFLINE=1
python3 server.py & server=$!
until [ -s port ]; do sleep 0.1; done
venv/bin/aiperf profile --model m --url "http://127.0.0.1:$(cat port)" --endpoint-type chat --streaming \
  --tokenizer own/bytes --use-server-token-count --synthetic-input-tokens-mean 32 --output-tokens-mean 8 \
  --concurrency 2 --warmup-request-count 4 --request-count 12 --ui None --artifact-dir out > log 2>&1 || { tail -20 log; exit 1; }
venv/bin/python - <<'PY'
import json
from importlib.metadata import version
asked = [json.loads(line) for line in open("asked.txt")]
listed = [json.loads(line) for line in open("out/profile_export.jsonl")]
summary = json.load(open("out/profile_export_aiperf.json"))
phases = [record["metadata"]["benchmark_phase"] for record in listed]
warm, measured = asked[:4], asked[4:]
again = sum(prompt in warm for prompt in measured)
print("aiperf", version("aiperf"))
print("requests that the server saw:", len(asked), "; different prompts:", len(set(asked)))
print("measured prompts that the warm-up had sent:", again, "of", len(measured))
print("requests in the summary:", summary["request_count"]["avg"], "; in profile_export.jsonl:", len(listed), phases.count("warmup"), "of them warm-up")
assert len(asked) == 16 and len(set(asked)) == 12 and again == 4
assert summary["request_count"]["avg"] == 12 and len(listed) == 16 and phases.count("warmup") == 4
PY
echo "as found"
