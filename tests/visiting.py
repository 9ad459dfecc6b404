"""The built site as tests meet it: built once in a session, its pages, and a reader's visit to one of them."""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(".*", "_build", "node_modules", "__pycache__", "*.egg-info")

JUNK = {
    ".venv/lib/python3/site-packages/thing/README.md": "# A readme\n\n[broken](nowhere.md)\n",
    ".venv/share/example.ipynb": "{}",
    ".pytest_cache/README.md": "# pytest cache directory\n",
    ".hypothesis/notes.md": "# notes\n",
    "node_modules/thing/readme.md": "## no first heading\n",
    "_build/html/old.html": "<p>an old page</p>",
    "_build/jupyter_execute/index.ipynb": "{}",
}

MODES = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True},
}


def pages() -> list[str]:
    """Names of all pages of ``_toc.yml``, without their ending, the landing page first."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())

    def files(entry):
        if isinstance(entry, list):
            return [name for part in entry for name in files(part)]
        own = [entry[key] for key in ("root", "file") if key in entry]
        return own + [name for key in ("parts", "chapters", "sections") for name in files(entry.get(key, []))]

    return [re.sub(r"\.(md|ipynb)$", "", name) for name in files(toc)]


PAGES = pages()

MOVED = "chapters/kv-cache"
"""A page with a figure that moves."""


@functools.cache
def built() -> Path:
    """The site, built as a reader would build it, in a folder that holds what working in it leaves behind.

    The first worker that needs it builds it, and another waits.
    """
    place = Path(os.environ["LLM_ECONOMICS_CACHE"], "site")
    place.mkdir(parents=True, exist_ok=True)
    root, done = place / "root", place / "done"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(root, ignore_errors=True)
            shutil.copytree(ROOT, root, ignore=LEFT_OUT)
            for name, text in JUNK.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            command = [sys.executable, "-m", "llm_economics.site", "build", ".", "-W", "-n"]
            ended = subprocess.run(command, cwd=root, capture_output=True, text=True)
            assert ended.returncode == 0, f"the build failed:\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}"
            done.touch()
    return root / "_build" / "html"


@functools.cache
def parse(path: Path) -> BeautifulSoup:
    """A page of the site; nobody changes what all share."""
    return BeautifulSoup(path.read_text(), "html.parser")


class Visit:
    """One page, opened, with what it asked for and complained about."""

    def __init__(self, context, address: str, page: str):
        self.tab = context.new_page()
        self.outside: list[str] = []
        self.errors: list[str] = []
        self.tab.on("request", lambda request: self._asked(address, request.url))
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        self.tab.on("requestfailed", self._failed)
        self.tab.goto(f"{address}/{page}" if ".html" in page else f"{address}/{page}.html")

    def _failed(self, request) -> None:
        if "ERR_ABORTED" not in str(request.failure):  # as when a reader goes on to another page
            self.errors.append(f"failed: {request.url}")

    def _asked(self, address: str, url: str) -> None:
        if not url.startswith((f"{address}/", "data:", "blob:")):
            self.outside.append(url)

    def draw(self):
        """Touch each figure, as a reader would, and wait until all are drawn."""
        self.tab.evaluate("Promise.all([...document.querySelectorAll('.book-chart')].map((c) => window.bookTouch(c)))")
        return self.tab

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tab.close()


def moved_figure(visit):
    return visit.tab.locator(".book-chart:has(.book-chart-readout)").first


def painted(pdf: bytes) -> int:
    """How many paths a PDF paints."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    return sum(len(re.findall(rb"(?<=\s)(?:S|s|f|f\*|B)(?=\s)", inflated(stream))) for stream in streams)


def inflated(stream: bytes) -> bytes:
    try:
        return zlib.decompress(stream)
    except zlib.error:
        return b""
