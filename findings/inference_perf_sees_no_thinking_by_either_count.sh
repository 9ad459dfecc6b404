#!/usr/bin/env bash
# inference-perf 0.7.0, api.type chat: which tokens of a model that thinks aloud are in its rates and times?
#
# Guess: all that the server counts, the first of them with the first word of thinking; at least with
# use_server_output_tokens, which takes the server's count.
# Found: right in neither way. Of 96 words of thought and 32 of answer, 20 ms apart, it sees the answer alone. By default
# the throughput is a fourth of what was sent, so a price for each token comes out four times too high, while the time per
# token, 20 ms, is right. By the server's count the throughput is right and the time per token 4.9 ms: the time of 32
# tokens, divided by 127. The wait for the first token is some 2.1 s both times, the thinking's 1.9 s in it. Both names
# that servers give to the thinking, reasoning and reasoning_content, are passed over.
#
# Python 3.12 or 3.13, a package index, some minutes; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet inference-perf==0.7.0
venv/bin/python - <<'PY'
import json
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, **{f"w{n}": n for n in range(1, 200)}}, unk_token="<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="<unk>").save_pretrained("tokenizer")
prompts = [" ".join(f"w{(7 * talk + n) % 190 + 1}" for n in range(32)) for talk in range(9)]
talks = [[{"from": "human", "value": prompt}, {"from": "gpt", "value": "w1 " * 128}] for prompt in prompts]
json.dump([{"id": str(n), "conversations": talk} for n, talk in enumerate(talks)], open("talks.json", "w"))
PY
cat > server.py <<'PY'
"""A chat server: 96 words of thought, under the name that the model's name is, then 32 of answer, 20 ms apart."""
import json, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        self.send_response(404); self.end_headers()
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
for name in reasoning reasoning_content; do for by_server in false true; do
  cat > settings.yml <<YML
api: {type: chat, streaming: true}
server: {type: vllm, model_name: $name, base_url: "http://127.0.0.1:$(cat port)", ignore_eos: true}
tokenizer: {pretrained_model_name_or_path: $dir/tokenizer}
data: {type: shareGPT, path: $dir/talks.json}
load: {type: concurrent, num_workers: 1, stages: [{num_requests: 8, concurrency_level: 4}]}
report: {request_lifecycle: {summary: true, use_server_output_tokens: $by_server}}
storage: {local_storage: {path: $dir/$name-$by_server}}
YML
  HF_HUB_OFFLINE=1 venv/bin/inference-perf -c settings.yml > log 2>&1 || { tail -20 log; exit 1; }
done; done
venv/bin/python - <<'PY'
import json
from importlib.metadata import version
print("inference-perf", version("inference-perf"), "; the server's first token after 200 ms, then one each 20 ms")
for name in ("reasoning", "reasoning_content"):
    for by_server in ("false", "true"):
        found = json.load(open(f"{name}-{by_server}/summary_lifecycle_metrics.json"))
        good = found["successes"]
        first, token = (1e3 * good["latency"][f"time_{what}"]["mean"] for what in ("to_first_token", "per_output_token"))
        sent = good["output_tokens"]["total"] / found["benchmark_time_seconds"]
        said = good["throughput"]["output_tokens_per_sec"]
        print(f"{name}, use_server_output_tokens {by_server}: first token {first:.0f} ms, {token:.3g} ms a token, "
              f"{said:.3g} tokens/s, sent {sent:.3g}")
        assert good["count"] == 8 and good["output_tokens"]["total"] == 1024 and 2000 < first < 3500
        assert (4 < token < 7 and 0.97 < said / sent < 1.03) if by_server == "true" else (18 < token < 26 and 0.24 < said / sent < 0.26)
PY
echo "as found"
