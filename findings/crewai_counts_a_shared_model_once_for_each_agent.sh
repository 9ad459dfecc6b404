#!/usr/bin/env bash
# CrewAI 1.15.30, token_usage of a crew's kickoff: three agents with a task each, one request a task; with a model object
# each, and with one that all of them share.
#
# Guess: three requests, 33,000 tokens, both times and at every kickoff; it is the same traffic.
# Found: 99,000 and nine requests where they share the model. Every agent adds what its model object has counted since it
# was made, so each request is counted for each agent, and the kickoffs before are in it too: at the second the same three
# requests are 66,000 tokens with a model each and 198,000, six times too many, with one for all.
#
# Python 3.11 to 3.13, a package index, some minutes; no network at run time.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet crewai==1.15.30 openai==2.54.0
cat > server.py <<'PY'
"""A chat server: each answer is final and took 10,000 tokens in and 1,000 out; it writes down that it was asked."""
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        model = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["model"]
        with open("asked.txt", "a") as lines:
            lines.write(model + "\n")
        message = {"role": "assistant", "content": "Thought: I now can give a great answer\nFinal Answer: here it is"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10000, "completion_tokens": 1000, "total_tokens": 11000}
        told = {"id": "x", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": usage}
        body = json.dumps(told).encode()
        self.send_response(200); self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open("port", "w").write(str(server.server_address[1]))
server.serve_forever()
PY
touch asked.txt
python3 server.py & server=$!
until [ -s port ]; do sleep 0.1; done
cat > ask.py <<'PY'
import os
from importlib.metadata import version

from crewai import LLM, Agent, Crew, Task

AGENTS, ONE = 3, 11_000  # ONE: tokens of a request


def requests():
    with open("asked.txt") as lines:
        return len(lines.readlines())


def model():
    return LLM(model="openai/gpt-4o", base_url=os.environ["SERVER"], api_key="x")


def crew(models):
    agents = [Agent(role=f"expert {n}", goal="answer", backstory="You know.", llm=each) for n, each in enumerate(models)]
    tasks = [Task(description="Say what is there.", expected_output="A line.", agent=agent) for agent in agents]
    return Crew(agents=agents, tasks=tasks)


print("crewai", version("crewai"))
shared, told = model(), {}
crews = {"a model each": crew([model() for _ in range(AGENTS)]), "one for all": crew([shared] * AGENTS)}
for name, team in crews.items():
    for kickoff in (1, 2):
        before = requests()
        usage = team.kickoff().token_usage
        sent = requests() - before
        told[name, kickoff] = usage.total_tokens / ONE
        counted = f"{usage.successful_requests} requests, {usage.total_tokens} tokens"
        print(f"{name}, kickoff {kickoff}: {sent} requests, {sent * ONE} tokens; token_usage has {counted}")
        assert sent == AGENTS and usage.successful_requests == told[name, kickoff]
assert list(told.values()) == [AGENTS, 2 * AGENTS, AGENTS * AGENTS, 2 * AGENTS * AGENTS]
PY
CREWAI_DISABLE_TELEMETRY=true OTEL_SDK_DISABLED=true CREWAI_TRACING_ENABLED=false SERVER="http://127.0.0.1:$(cat port)/v1" \
  venv/bin/python -W ignore ask.py 2> log || { tail -20 log; exit 1; }
echo "as found"
