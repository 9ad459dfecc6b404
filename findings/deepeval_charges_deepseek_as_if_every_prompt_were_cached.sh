#!/usr/bin/env bash
# DeepEval 4.3.1 with LiteLLM 1.110.2's list beside it: what DeepSeek costs as a judge, evaluation_cost of a GEval metric
# whose request has 10,000 tokens in, none of them from the cache, and 100 out.
#
# Guess: the list price of the time that DeepEval took its list from: for deepseek-chat $0.28 a million in and $0.42 out,
# $0.00284; for deepseek-r1 $0.55 and $2.19, $0.00572.
# Found: $0.00032 and $0.00162, a ninth and three tenths. The "input_price" of its list is what a prompt costs that is found
# in the server's cache, $0.028 and $0.14, and every prompt is charged so; what the answer says of hits is not read. A judge
# reads far more than it writes, so nearly all of the bill is missing.
#
# Python 3.11 to 3.13, a package index, about two minutes; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet deepeval==4.3.1 openai==3.57.0
venv/bin/pip download --quiet --no-deps --only-binary :all: litellm==1.110.2
python3 - <<'PY'
import glob, zipfile
wheel = zipfile.ZipFile(glob.glob('litellm-1.110.2-*.whl')[0])
open('prices.json', 'wb').write(wheel.read('litellm/model_prices_and_context_window_backup.json'))
PY
cat > server.py <<'PY'
"""A chat server that judges: 10,000 tokens in and 100 out each time, none or all of the prompt from the cache."""
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        model = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        hits = 10000 if self.path.startswith("/warm") else 0
        message = {"role": "assistant", "content": '{"score": 9, "reason": "It says so."}'}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {
            "prompt_tokens": 10000, "completion_tokens": 100, "total_tokens": 10100,
            "prompt_cache_hit_tokens": hits, "prompt_cache_miss_tokens": 10000 - hits,
        }
        told = {"id": "x", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": usage}
        body = json.dumps(told).encode()
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

from deepeval.metrics import GEval
from deepeval.models import DeepSeekModel
from deepeval.test_case import LLMTestCase, SingleTurnParams

IN, OUT = 10_000, 100
case = LLMTestCase(input="What is it?", actual_output="It is so.")


def judged(model, path):
    judge = DeepSeekModel(model=model, api_key="x")
    judge.base_url = os.environ["SERVER"] + path
    metric = GEval(
        name="right", evaluation_steps=["Is it right?"], model=judge, async_mode=False,
        evaluation_params=[SingleTurnParams.INPUT, SingleTurnParams.ACTUAL_OUTPUT],
    )
    metric.measure(case, _show_indicator=False)
    return metric.evaluation_cost


print("deepeval", version("deepeval"), "beside the list of litellm 1.110.2")
with open("prices.json") as listed:
    prices = json.load(listed)
for model in ("deepseek-chat", "deepseek-r1"):
    rate = prices[f"deepseek/{model}"]
    missed = IN * rate["input_cost_per_token"] + OUT * rate["output_cost_per_token"]
    found = IN * rate["cache_read_input_token_cost"] + OUT * rate["output_cost_per_token"]
    cold, warm = judged(model, "/cold"), judged(model, "/warm")
    print(f"{model}: none of the prompt cached ${cold:.5f}, all of it ${warm:.5f}; litellm ${missed:.5f}, ${found:.5f}")
    assert cold == warm and abs(cold / found - 1) < 1e-6 and missed / cold > 3.4
PY
SERVER="http://127.0.0.1:$(cat port)" DEEPEVAL_TELEMETRY_OPT_OUT=YES venv/bin/python -W ignore ask.py
echo "as found"
