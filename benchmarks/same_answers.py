"""What the command line answers, beside the answers of an earlier build: equal to the last digit, or listed.

    python benchmarks/same_answers.py earlier/lib

Asks both for the JSON of every model of the catalog, of the published and random configurations of the tests, of three
searches and of all claims, each build in one process. Prints the keys whose values differ.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
SEARCHES = (
    ["--model", "GPT-4 (leaked)", "--system", "HGX H100", "--accelerators", "64"],
    ["--model", "Llama 3.1 405B", "--system", "HGX H200", "--precision", "fp8", "--max-tpot-ms", "50", "--colocated"],
    ["--model", "DeepSeek-V3", "--system", "GB200 NVL72", "--precision", "fp8", "--precision", "fp4"],
)


def questions() -> list[list[str]]:
    """Arguments of the command line."""
    from llm_economics import facts

    oracle = json.loads((HERE / "tests/oracle/config_oracle.json").read_text(encoding="utf-8"))
    configs = [*oracle["published"].values(), *({"config": case["config"]} for case in oracle["random"])]
    sources = [*facts.load("models")["model"], *(json.dumps(case["config"]) for case in configs)]
    asked = [["model", source, "--json"] for source in sources]
    asked += [["model", source, "--system", "H100", "--batch", "16", "--json"] for source in sources[:30]]
    return [*asked, *(["frontier", *search, "--json"] for search in SEARCHES), ["claims", "--json"]]


def answer() -> None:
    """Answers of the library on the path to the questions on standard input."""
    from click.testing import CliRunner

    from llm_economics.cli import main

    found = []
    for arguments in json.load(sys.stdin):
        result = CliRunner().invoke(main, arguments)
        found.append(json.loads(result.stdout) if result.exit_code == 0 else result.output)
    print(json.dumps(found))


def ask(lib: str, asked: list[list[str]]) -> list:
    """The answers of one build."""
    command = [sys.executable, __file__, "--answer"]
    environment = os.environ | {"PYTHONPATH": lib}
    done = subprocess.run(
        command,
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=Path(lib).parent,
    )
    return json.loads(done.stdout)


def differences(old, new, where: str = "") -> list[str]:
    """Where two answers differ; order counts."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = [] if list(old) == list(new) else [f"{where} keys {list(old)} -> {list(new)}"]
        return found + [line for key in old if key in new for line in differences(old[key], new[key], f"{where}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            line for i, pair in enumerate(zip(old, new, strict=True)) for line in differences(*pair, f"{where}[{i}]")
        ]
    same = old == new or (old != old and new != new)
    return [] if same else [f"{where} {str(old)[:200]} -> {str(new)[:200]}"]


def main(old: str) -> None:
    """Compare."""
    asked = questions()
    pairs = zip(asked, ask(old, asked), ask(str(HERE / "lib"), asked), strict=True)
    apart = 0
    for arguments, before, after in pairs:
        if isinstance(before, dict):
            for clock in ("seconds", "configurations_per_second"):
                before.pop(clock, None), after.pop(clock, None)
        lines = differences(before, after)
        apart += bool(lines)
        if lines:
            print(" ".join(arguments)[:120], *lines[:12], sep="\n    ")
    print(f"{len(asked)} questions, {apart} answered differently")


if __name__ == "__main__":
    answer() if sys.argv[1] == "--answer" else main(sys.argv[1])
