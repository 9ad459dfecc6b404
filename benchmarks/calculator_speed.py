"""How long the calculator's page takes to answer on a phone whose processor is four times slower.

    python benchmarks/calculator_speed.py [RUNS]

DevTools slow the main thread of a page down, not the worker in which the library runs, and a busy machine slows
everything. So the processor's own time is counted, of all threads that draw and answer, from the click to the answer,
and taken four times; threads that run side by side make a phone faster than that. The first answer is asked of a fresh
browser, once right away and once where the reader has touched a field before; of RUNS (5) the median counts.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "lib"), str(ROOT / "tests")]

from browsing import chromium, serving  # noqa: E402

from llm_economics.site import answering  # noqa: E402

SLOWER = 4
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DONE = "document.querySelector('#calculator').dataset.done"


def page_alone(folder: Path) -> None:
    """The form, its script and what it loads, without the rest of the site."""
    answering.write(folder)
    shutil.copy(Path(answering.__file__).parent / "static" / "calculator.js", folder / "_static" / "calculator.js")
    head = "<!doctype html><meta charset=utf-8><title>calculator</title><link rel=icon href=data:,>"
    html = head + answering.form() + '<script src="_static/calculator.js"></script>'
    (folder / "calculator.html").write_text(html, encoding="utf-8")


def processor_seconds(browser: Any) -> float:
    """Of all threads of the processes that show pages."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    processes = [Path(f"/proc/{one['id']}/task") for one in found if one["type"] == "renderer"]
    threads = [thread for process in processes for thread in process.glob("*/schedstat")]
    return sum(int(path.read_text().split()[0]) for path in threads) / 1e9


def timed(browser: Any, page: Any, act: str) -> tuple[float, float]:
    """Processor and wall seconds from what a reader does to the answer."""
    before = page.evaluate(f"{DONE} || ''")
    busy, began = processor_seconds(browser), time.perf_counter()
    page.evaluate(act)
    page.wait_for_function(f"(before) => ({DONE} || '') !== before", arg=before, polling=5)
    return processor_seconds(browser) - busy, time.perf_counter() - began


CLICK = "document.querySelector('form button.first').click()"
CHANGE = """() => { const field = document.forms[0].elements.concurrency; field.value = Number(field.value) + 1;
field.dispatchEvent(new Event("change", { bubbles: true })); }"""
TOUCH = "document.forms[0].elements.concurrency.focus()"


def one_reader(url: str, touched: bool) -> list[tuple[float, float]]:
    """The first answer and two more."""
    with chromium() as browser:
        page = browser.new_context(**PHONE).new_page()
        page.goto(url)
        page.wait_for_timeout(500)
        if touched:
            page.evaluate(TOUCH)
            page.wait_for_timeout(3000)
        found = []
        for act in (CLICK, CHANGE, CHANGE):
            found.append(timed(browser, page, act))
            page.wait_for_timeout(700)
        return found


def main(runs: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        page_alone(Path(name))
        kilobytes = sum(path.stat().st_size for path in Path(name).rglob("*.*")) / 1e3
        print(f"{kilobytes:,.0f} kB in all, before a server packs them")
        print(f"{'answer':<34}{'processor s':>12}{f'x {SLOWER}':>8}{'wall s here':>13}")
        with serving(Path(name)) as address:
            for touched in (False, True):
                asked = [one_reader(f"{address}/calculator.html", touched) for _ in range(runs)]
                for i, what in enumerate(("first", "second", "third")):
                    busy, wall = (statistics.median(one[i][k] for one in asked) for k in (0, 1))
                    where = f"{what}, {'after a touch' if touched else 'at once'}"
                    print(f"{where:<34}{busy:>12.3f}{SLOWER * busy:>8.2f}{wall:>13.3f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
