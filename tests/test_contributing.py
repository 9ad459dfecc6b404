"""The page for whoever carries the work on: each file, folder and module that it names is there."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from llm_economics.facts import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w.-]+(?:/[\w.-]*)*(?:/|\.(?:py|md|csv|ipynb|yml|sha256)))`", PAGE)))
MADE = {"_build/html/"}


def place(name: str) -> Path:
    """A path of the page: from the top, or a folder of the library's map."""
    return ROOT / "lib/llm_economics" / name if (ROOT / "lib/llm_economics" / name).is_dir() else ROOT / name


@pytest.mark.parametrize("name", NAMED)
def test_a_named_file_or_folder_is_there(name):
    assert name in MADE or place(name).exists()


def test_the_page_names_every_folder_of_the_library():
    folders = {f"{path.parent.name}/" for path in (ROOT / "lib/llm_economics").glob("*/__init__.py")}
    assert folders <= set(NAMED)


def test_modules_and_tests_that_it_calls_are_there():
    modules = re.findall(r"python -m (llm_economics[\w.]+)", PAGE)
    assert modules and all(find_spec(module) for module in modules)
    files = re.findall(r"pytest (\S+)", PAGE)
    assert files and all((ROOT / file).exists() for file in files)


def test_the_check_can_fail():
    assert not place("lib/llm_economics/no_such_room.py").exists()
