"""How long the calculator's page takes to answer on a phone whose processor is four times slower.

    python benchmarks/calculator_speed.py [RUNS]

DevTools slow the main thread of a page down, not the worker in which the library runs. So the processes that draw and
answer are stopped here for some three quarters of the time, all their threads at once (by signals, Linux only); how
much longer a loop then takes in a worker is measured and printed. The seconds are those from the click to the answer
on the page, first of a fresh browser: right away, and where the reader has touched a field before, as one who fills
the form does. Medians of RUNS (5); other work on the machine makes them longer.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "lib"), str(ROOT / "tests")]

from browsing import chromium, serving  # noqa: E402

from llm_economics.site import answering  # noqa: E402

SLOWER = 4
PULSE = 0.01
"""Seconds that a slowed process runs in one go."""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def page_alone(folder: Path) -> None:
    """The form, its script and what it loads, without the rest of the site."""
    answering.write(folder)
    shutil.copy(Path(answering.__file__).parent / "static" / "calculator.js", folder / "_static" / "calculator.js")
    head = "<!doctype html><meta charset=utf-8><title>calculator</title><link rel=icon href=data:,>"
    html = head + answering.form() + '<script src="_static/calculator.js"></script>'
    (folder / "calculator.html").write_text(html, encoding="utf-8")


def renderers(browser: Any) -> list[int]:
    """Processes that show pages."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return [int(one["id"]) for one in found if one["type"] == "renderer"]


@contextlib.contextmanager
def slowed(processes: list[int]) -> Iterator[None]:
    """Run these processes for one part in so many of the time."""
    done = threading.Event()

    def stop_and_go() -> None:
        while not done.is_set():
            _signal(processes, signal.SIGSTOP)
            time.sleep((SLOWER - 1) * PULSE)
            _signal(processes, signal.SIGCONT)
            time.sleep(PULSE)

    thread = threading.Thread(target=stop_and_go)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _signal(processes: list[int], what: int) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, what)


def loop_seconds(page: Any) -> float:
    """Of a loop in a worker."""
    return page.evaluate(LOOP) / 1e3


def timed(page: Any, act: str) -> float:
    """Seconds from what a reader does to the answer on the page, by the page's own clock."""
    return page.evaluate(TIMED.replace("ACT", act)) / 1e3


LOOP = """() => new Promise((resolve) => {
  const loop = "for (let i = 0; i < 4e8; i++) { x += i % 7; }";
  const work = `let t = performance.now(), x = 0; ${loop} postMessage(performance.now() - t)`;
  new Worker(URL.createObjectURL(new Blob([work]))).onmessage = (event) => resolve(event.data);
})"""
TIMED = """() => new Promise((resolve) => {
  const box = document.querySelector("#calculator"), began = performance.now();
  const shown = () => requestAnimationFrame(() => resolve(performance.now() - began));
  const seen = new MutationObserver(() => { seen.disconnect(); shown(); });
  seen.observe(box, { attributes: true, attributeFilter: ["data-done"] });
  ACT
})"""
CLICK = "document.querySelector('form button.first').click();"
CHANGE = """const field = document.forms[0].elements.concurrency; field.value = Number(field.value) + 1;
field.dispatchEvent(new Event("change", { bubbles: true }));"""
TOUCH = "document.forms[0].elements.concurrency.focus()"


def one_reader(url: str, touched: bool) -> list[float]:
    """How much slower it is, the first answer and two more."""
    with chromium() as browser:
        page = browser.new_context(**PHONE).new_page()
        page.goto(url)
        page.wait_for_timeout(500)
        plain = loop_seconds(page)
        with slowed(renderers(browser)):
            found = [loop_seconds(page) / plain]
            if touched:
                page.evaluate(TOUCH)
                page.wait_for_timeout(3000)
            for act in (CLICK, CHANGE, CHANGE):
                found.append(timed(page, act))
                page.wait_for_timeout(1500)
        return found


def main(runs: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        page_alone(Path(name))
        print(f"{'the reader asks':<24}{'slower':>8}{'first s':>10}{'second s':>10}{'third s':>10}")
        with serving(Path(name)) as address:
            for touched in (False, True):
                asked = [one_reader(f"{address}/calculator.html", touched) for _ in range(runs)]
                slower, *answers = map(statistics.median, zip(*asked, strict=True))
                what = "after a touch" if touched else "at once"
                print(f"{what:<24}{slower:>7.1f}x" + "".join(f"{each:>10.3f}" for each in answers), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
