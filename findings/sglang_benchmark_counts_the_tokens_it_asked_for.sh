#!/usr/bin/env bash
# SGLang 0.5.23, sglang.benchmark.serving --backend sglang-oai-chat: whose tokens are in its time per token?
#
# Guess: those that came, by the server's usage block or by encoding the text, as in the script of vLLM it began with.
# Found: those that were asked for. A server that stops after 16 of 33 tokens, 50 ms apart, is told to take 23 ms a
# token, and twice the tokens per second that it sent. The tokens in the text are counted, too, as
# total_output_tokens_retokenized; no mean of times uses them, and the server is not asked for its count.
#
# The benchmark is taken from the wheel alone, with stand-ins for two helpers that need the whole engine (an address and
# a constant). Python 3.12 or 3.13 on Linux, a package index, some minutes; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet aiohttp==3.14.5 datasets==5.2.0 msgspec==0.22.0 numpy==2.5.5 orjson==3.13.0 pandas==3.1.1 pillow==13.0.0 \
  pybase64==1.5.1 requests==2.34.2 tqdm==4.70.1 transformers==5.24.0
venv/bin/pip download --quiet --no-deps --only-binary :all: --python-version 3.12 --platform manylinux_2_34_x86_64 sglang==0.5.23
venv/bin/python - <<'PY'
import glob, os, zipfile
wheel = zipfile.ZipFile(glob.glob("sglang-0.5.23-*.whl")[0])
for name in wheel.namelist():
    if name.startswith("sglang/benchmark/"):
        wheel.extract(name)
for folder in ("sglang", "sglang/srt", "sglang/srt/disaggregation", "sglang/srt/utils"):
    os.makedirs(folder, exist_ok=True)
    open(f"{folder}/__init__.py", "w").close()
open("sglang/srt/disaggregation/utils.py", "w").write('FAKE_BOOTSTRAP_HOST = "2.2.2.2"\n')
open("sglang/srt/utils/network.py", "w").write(
    "def resolve_base_url(base, host, port):\n    return base\n\n\nresolve_host_port = resolve_base_url\n"
)
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, **{f"w{n}": n for n in range(1, 200)}}, unk_token="<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<unk>").save_pretrained("tokenizer")
PY
cat > server.py <<'PY'
"""A chat server that answers with 16 words, whatever it is asked for: the first after 200 ms, then one each 50 ms."""
import json, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        body = b'{"object": "list", "data": [{"id": "m", "object": "model"}]}'
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open("asked.txt", "a") as lines:
            lines.write(json.dumps(asked.get("stream_options")) + "\n")
        self.send_response(200); self.send_header("Content-Type", "text/event-stream"); self.end_headers()
        start = time.monotonic()
        for n in range(16):
            time.sleep(max(0, start + 0.2 + 0.05 * n - time.monotonic()))
            self.piece({"delta": {"content": f" w{n + 1}"}, "finish_reason": None})
        self.piece({"delta": {}, "finish_reason": "stop"})
        self.wfile.write(b"data: [DONE]\n\n")
    def piece(self, choice):
        content = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0} | choice]}
        self.wfile.write(b"data: " + json.dumps(content).encode() + b"\n\n"); self.wfile.flush()

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open("port", "w").write(str(server.server_address[1]))
server.serve_forever()
PY
python3 server.py & server=$!
until [ -s port ]; do sleep 0.1; done
HF_HUB_OFFLINE=1 venv/bin/python -m sglang.benchmark.serving --backend sglang-oai-chat --base-url "http://127.0.0.1:$(cat port)" \
  --model m --tokenizer tokenizer --dataset-name random-ids --random-input-len 32 --random-output-len 33 \
  --random-range-ratio 1.0 --num-prompts 4 --max-concurrency 1 --output-file result.jsonl > log 2>&1 || { tail -20 log; exit 1; }
venv/bin/python - <<'PY'
import json
found = json.loads(open("result.jsonl").read())
usage = {line.strip() for line in open("asked.txt")}
print("sglang 0.5.23; stream_options that the server was sent:", usage)
for key in ("total_output_tokens", "total_output_tokens_retokenized", "mean_tpot_ms", "mean_itl_ms", "output_throughput"):
    print(f"{key}: {found[key]:.4g}")
print(f"sent: 64 tokens, 50 ms apart, {64 / found['duration']:.4g} tokens/s")
assert usage == {"null"}
assert found["total_output_tokens"] == 132 and found["total_output_tokens_retokenized"] == 64
assert 22 < found["mean_tpot_ms"] < 26 and 48 < found["mean_itl_ms"] < 53
assert 1.9 < found["output_throughput"] / (64 / found["duration"]) < 2.2
PY
echo "as found"
