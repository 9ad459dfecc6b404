#!/usr/bin/env bash
# evalscope 1.14.1 perf, workload_throughput.json: what is "steady_state" next to "overall"?
#
# Guess: tokens per second in the middle of the run, without its start and end; at most what the server can send.
# Found: more than it can send. Eight streams of one token each 50 ms are 160 tokens/s at the very most; the file says
# 142 overall and some 260 in the steady state. Tokens count when their request ends, all at once, and the window
# begins a fifth into the run: it holds as many requests as ended in it, not the time in which they were made.
#
# Python 3.11 to 3.13, a package index, about ten minutes; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet "evalscope[perf]==1.14.1"
venv/bin/python - <<'PY'
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, **{f"w{n}": n for n in range(1, 200)}}, unk_token="<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<unk>")
made.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
made.save_pretrained("tokenizer")
PY
cat > server.py <<'PY'
"""A chat server: the first of 33 words after 200 ms, then one each 50 ms."""
import json, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        body = b'{"object": "list", "data": [{"id": "m", "object": "model"}]}'
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200); self.send_header("Content-Type", "text/event-stream"); self.end_headers()
        start = time.monotonic()
        for n in range(33):
            time.sleep(max(0, start + 0.2 + 0.05 * n - time.monotonic()))
            self.piece([{"index": 0, "delta": {"content": f" w{n + 1}"}, "finish_reason": None}])
        self.piece([{"index": 0, "delta": {}, "finish_reason": "length"}])
        self.piece([], {"prompt_tokens": 32, "completion_tokens": 33, "total_tokens": 65})
        self.wfile.write(b"data: [DONE]\n\n")
    def piece(self, choices, usage=None):
        content = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
        content |= {"usage": usage} if usage else {}
        self.wfile.write(b"data: " + json.dumps(content).encode() + b"\n\n"); self.wfile.flush()

class Server(ThreadingHTTPServer):
    request_queue_size = 64

server = Server(("127.0.0.1", 0), Handler)
open("port", "w").write(str(server.server_address[1]))
server.serve_forever()
PY
python3 server.py & server=$!
until [ -s port ]; do sleep 0.1; done
HF_HUB_OFFLINE=1 venv/bin/evalscope perf --url "http://127.0.0.1:$(cat port)/v1/chat/completions" --api openai --model m \
  --tokenizer-path "$dir/tokenizer" --dataset random --min-prompt-length 32 --max-prompt-length 32 --min-tokens 33 \
  --max-tokens 33 --parallel 8 --number 16 --stream --outputs-dir out --no-timestamp > log 2>&1 || { tail -20 log; exit 1; }
venv/bin/python - <<'PY'
import glob, json
from importlib.metadata import version
(path,) = glob.glob("out/**/workload_throughput.json", recursive=True)
rows = {row["metric"]: row for row in json.load(open(path))["rows"]}
tokens = rows["Completion tok/s"]
print("evalscope", version("evalscope"))
print(f"overall {tokens['overall']:.4g} tokens/s, steady state {tokens['steady_state']:.4g}; the server's most: {8 / 0.05:g}")
assert 110 < tokens["overall"] < 150 and tokens["steady_state"] > 1.2 * 8 / 0.05
PY
echo "as found"
