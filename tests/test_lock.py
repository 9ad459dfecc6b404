"""The lock: the versions of requirements.txt, each with hashes, and for each extra all that it needs."""

import re
import runpy
import tomllib
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from llm_economics.facts import ROOT

LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
locked = runpy.run_path(str(ROOT / ".ci" / "locked.py"))["locked"]


def names(lock: str) -> set[str]:
    return set(re.findall(r"(?m)^([\w.-]+)==", lock))


def test_the_lock_has_the_versions_of_the_list_and_a_hash_for_each():
    versions = [line for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines() if line != "-e ."]
    entries = re.split(r"(?m)^(?=\w)", LOCK)
    assert entries.pop(0) == "" and [entry.partition(" \\\n")[0] for entry in entries] == versions
    assert all(re.search(r"(?m)^    --hash=sha256:[0-9a-f]{64}\b", entry) for entry in entries)
    assert "://" not in LOCK, "nobody is told where to get them"


@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_an_extra_has_all_that_its_packages_need(extra):
    part = names(locked(extra, LOCK, PROJECT))
    assert {"setuptools", "numpy", "pydantic"} <= part <= names(LOCK)
    assert ("jupyterlab" in part) == (extra == "lab") and ("sphinx" in part) == (extra in ("site", "test"))
    for name in part:
        try:
            needed = [Requirement(line) for line in requires(name) or ()]
        except PackageNotFoundError:  # of another system or another extra
            continue
        needed = [need for need in needed if need.marker is None or need.marker.evaluate({"extra": ""})]
        assert {canonicalize_name(need.name) for need in needed} <= part, name


def test_the_parts_are_the_whole():
    parts = [names(locked(extra, LOCK, PROJECT)) for extra in PROJECT["optional-dependencies"]]
    assert set().union(*parts) == names(LOCK)
