"""The library as a wheel, alone: no book beside it, and nothing of what only chapters, site and tests need."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from shutil import copyfile, copytree, ignore_patterns

import pytest

ROOT = Path(__file__).parents[1]
ELSEWHERE = ("IPython", "altair", "dask", "distributed", "jupyter_client", "myst_nb", "nbformat", "papermill", "sphinx")
COMMAND = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ELSEWHERE!r} + ("scipy", "SALib", "vl_convert", "pyarrow"):
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Block())
from llm_economics.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Runs a command of the wheel in an empty folder."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder]
    source = folder / "source"
    for name in ("lib", "data"):
        copytree(ROOT / name, source / name, ignore=ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "LICENSE-CC-BY-4.0"):
        copyfile(ROOT / name, source / name)
    built = subprocess.run([*build, source], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    [wheel] = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    place = {**os.environ, "PYTHONPATH": str(folder / "installed")}
    place.pop("LLM_ECONOMICS_CHAPTERS", None)

    def run(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-c", COMMAND, *words], capture_output=True, text=True, env=place, cwd=folder
        )

    return run


def test_a_model_is_counted_and_timed(alone):
    answer = alone("model", "Llama 3 70B", "--system", "H200", "--accelerators", "8", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["total_parameters"] == 70_553_706_496


def test_a_frontier_is_searched(alone):
    answer = alone(
        "frontier", "--model", "Llama 3 8B", "--system", "H100", "--input", "1024", "--output", "128", "--json"
    )
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["points"]


def test_claims_say_where_the_notebooks_must_be(alone):
    answer = alone("claims")
    assert answer.returncode != 0
    assert "--from or LLM_ECONOMICS_CHAPTERS" in answer.stderr and answer.stderr.count("\n") == 1
    answer = alone("claims", "--from", str(ROOT / "chapters"), "--json")
    assert answer.returncode == 0, answer.stderr
    assert len(json.loads(answer.stdout)) == 293
