"""The notebooks' kernels start warm, and a figure that several tests look at is drawn once in a session."""

import os
import shutil
import tempfile

import pytest

from llm_economics.reruns import kernels

pytest.register_assert_rewrite("chapter")
LONGEST = (
    "test_pages.py::TestByDay",  # has the site built; who builds one of their own come later, and draw less
    "test_reruns.py",
    "test_pages.py::TestByNight",
    "test_cli_run.py",
    "test_pages.py::TestOnAPhone",
    "how-good-is-the-napkin.ipynb",
    "gb200-30x.ipynb",
)


def pytest_configure(config):
    kernels.use()
    if not hasattr(config, "workerinput"):  # the first process; those that it starts inherit what it sets
        config.cache_of_session = tempfile.mkdtemp(prefix="llm-economics-tests-")
        os.environ["LLM_ECONOMICS_CACHE"] = config.cache_of_session


def pytest_unconfigure(config):
    shutil.rmtree(getattr(config, "cache_of_session", ""), ignore_errors=True)


def pytest_collection_modifyitems(items):
    """What lasts longest first, so that no worker is left with it when the others are done."""

    def place(item) -> int:
        return next((i for i, name in enumerate(LONGEST) if f"/{name}" in item.nodeid), len(LONGEST))

    items.sort(key=place)
