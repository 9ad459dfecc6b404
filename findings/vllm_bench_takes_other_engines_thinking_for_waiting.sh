#!/usr/bin/env bash
# vLLM 0.33.0, vllm bench serve --backend openai-chat: when has a server that thinks aloud sent its first token?
#
# Guess: with the first word of its thinking, under either name that servers give it, reasoning_content or reasoning.
# Found: under vLLM's own name alone. From a server that calls it reasoning_content, the thinking is waiting: 96 words of
# thought and 32 of answer, 20 ms apart from 200 ms on, are told as some 2130 ms to the first token and 4.9 ms a token. The
# tokens are the server's count, all 128, the time is that of the last 32. Throughput stays right, and the gaps between
# pieces (ITL), 20 ms, show it.
#
# The benchmark is taken from the wheel alone, with stand-ins for helpers that need the whole engine (a tokenizer, types,
# an address). Python 3.12 or 3.13 on Linux, a package index, some minutes; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet aiohttp==3.14.5 numpy==2.5.5 pillow==13.0.0 pybase64==1.5.1 regex==2026.11.19 tqdm==4.70.1 \
  transformers==5.24.0
venv/bin/pip download --quiet --no-deps --only-binary :all: --python-version 3.12 --platform manylinux_2_28_x86_64 vllm==0.33.0
venv/bin/python - <<'PY'
import glob, os, zipfile
wheel = zipfile.ZipFile(glob.glob("vllm-0.33.0-*.whl")[0])
for name in wheel.namelist():
    if name.startswith("vllm/benchmarks/"):
        wheel.extract(name)
stand_ins = {
    "__init__": "", "lora/__init__": "", "multimodal/__init__": "", "transformers_utils/__init__": "", "utils/__init__": "",
    "inputs": "MultiModalDataDict = dict", "lora/request": "class LoRARequest: pass",
    "lora/utils": "get_adapter_absolute_path = None", "multimodal/audio": "get_audio_duration = None",
    "multimodal/image": "convert_image_mode = None", "multimodal/utils": "encode_image_url = fetch_image = None",
    "tokenizers": "from transformers import AutoTokenizer, PreTrainedTokenizerBase as TokenizerLike\n"
    "def get_tokenizer(name, **_): return AutoTokenizer.from_pretrained(name)",
    "transformers_utils/repo_utils": "hf_api = None",
    "utils/argparse_utils": "from argparse import ArgumentParser as FlexibleArgumentParser",
    "utils/import_utils": "class PlaceholderModule:\n    def __init__(self, name): pass\n"
    "    def placeholder_attr(self, name): return object",
    "utils/mistral": "def is_mistral_tokenizer(_): return False", "utils/gc_utils": "def freeze_gc_heap(): pass",
    "utils/network_utils": "def join_host_port(host, port): return f'{host}:{port}'",
    "logger": "import logging\ninit_logger = logging.getLogger",
}
for name, text in stand_ins.items():
    os.makedirs(os.path.dirname(f"vllm/{name}"), exist_ok=True)
    open(f"vllm/{name}.py", "w").write(text + "\n")
open("bench.py", "w").write(
    "import argparse\nfrom vllm.benchmarks.serve import add_cli_args, main\n"
    "parser = argparse.ArgumentParser()\nadd_cli_args(parser)\nmain(parser.parse_args())\n"
)
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, **{f"w{n}": n for n in range(1, 200)}}, unk_token="<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<unk>").save_pretrained("tokenizer")
PY
cat > server.py <<'PY'
"""A chat server: 96 words of thought, under the name that the model's name is, then 32 of answer, 20 ms apart."""
import json, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200); self.send_header("Content-Type", "text/event-stream"); self.end_headers()
        start = time.monotonic()
        for n in range(128):
            time.sleep(max(0, start + 0.2 + 0.02 * n - time.monotonic()))
            self.piece([{"delta": {asked["model"] if n < 96 else "content": f" w{n + 1}"}, "finish_reason": None}])
        self.piece([{"delta": {}, "finish_reason": "stop"}])
        self.piece([], {"prompt_tokens": 32, "completion_tokens": 128, "total_tokens": 160})
        self.wfile.write(b"data: [DONE]\n\n")
    def piece(self, choices, usage=None):
        content = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
        content |= {"usage": usage} if usage else {}
        self.wfile.write(b"data: " + json.dumps(content).encode() + b"\n\n"); self.wfile.flush()

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open("port", "w").write(str(server.server_address[1]))
server.serve_forever()
PY
python3 server.py & server=$!
until [ -s port ]; do sleep 0.1; done
for name in reasoning reasoning_content; do
  HF_HUB_OFFLINE=1 venv/bin/python bench.py --backend openai-chat --endpoint /v1/chat/completions --model "$name" \
    --base-url "http://127.0.0.1:$(cat port)" --tokenizer tokenizer --dataset-name random --random-input-len 32 \
    --random-output-len 128 --num-prompts 4 --max-concurrency 4 --percentile-metrics ttft,tpot,itl,e2el --save-result \
    --result-filename "$name.json" > log 2>&1 || { tail -20 log; exit 1; }
done
venv/bin/python - <<'PY'
import json
found = {name: json.load(open(f"{name}.json")) for name in ("reasoning", "reasoning_content")}
print("vllm 0.33.0; the server's first token after 200 ms, then one each 20 ms")
for name, said in found.items():
    told = ", ".join(f"{key} {said[f'mean_{key}_ms']:.4g}" for key in ("ttft", "tpot", "itl", "e2el"))
    print(f"{name}: {said['total_output_tokens']} tokens, mean ms: {told}; {said['output_throughput']:.4g} tokens/s")
    assert said["completed"] == 4 and said["total_output_tokens"] == 512 and 18 < said["mean_itl_ms"] < 26
own, other = found.values()
assert own["mean_ttft_ms"] < 1200 and 18 < own["mean_tpot_ms"] < 26
assert 2000 < other["mean_ttft_ms"] < 3500 and 4 < other["mean_tpot_ms"] < 7
PY
echo "as found"
