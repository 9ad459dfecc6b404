"""Weight and speed of the book's pages on a phone, beside mkdocs-material's and Jupyter Book's own first pages.

    make book && python benchmarks/page_speed.py [RUNS] [PAGE.html...]

The table is printed as it grows; where all pages are asked for, it also grows in ``benchmarks/page_speed.md`` (rows as
data in ``page_speed.json``).

Lighthouse from npm, mobile preset, on a server with gzip; of each page the medians of RUNS runs (5) on a machine that
is quiet enough (benchmarkIndex of at least 1,000). kB is what a page transfers before anybody touches it. The two pages
beside it are built in the same run, as their makers set them up: mkdocs-material without its fonts from another host;
Jupyter Book's own asks another host for its formulas, which counts as nothing where there is no network.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SITE = ROOT / "_build" / "html"
NPM = ("lighthouse@12.8.2", "chrome-launcher@1.2.1")
MATERIAL = "mkdocs-material==9.6.14"
QUIET = 1000
"""benchmarkIndex below which a run says more about what else the machine does than about the page; also in the .mjs."""
COLUMNS = ("performance", "accessibility", "best-practices", "seo", "kB", "FCP s", "LCP s", "TBT ms", "runs")


def material(folder: Path) -> Path:
    """The page that ``mkdocs new`` makes, with the theme material."""
    venv.create(folder / "env", with_pip=True)
    subprocess.run([folder / "env/bin/pip", "install", "-q", MATERIAL], check=True)
    subprocess.run([folder / "env/bin/mkdocs", "new", "-q", folder / "mk"], check=True)
    (folder / "mk/mkdocs.yml").write_text("site_name: A book\ntheme:\n  name: material\n  font: false\n")
    subprocess.run([folder / "env/bin/mkdocs", "build", "-q", "-f", folder / "mk/mkdocs.yml"], check=True)
    return folder / "mk" / "site"


def jupyter_book(folder: Path) -> Path:
    """The book that ``jupyter-book create`` makes."""
    command = Path(sys.executable).with_name("jupyter-book")
    subprocess.run([command, "create", folder / "jb"], check=True, capture_output=True)
    subprocess.run([command, "build", folder / "jb"], check=True, capture_output=True)
    return folder / "jb" / "_build" / "html"


def pages() -> list[str]:
    """The landing page, the scorecard and all chapters."""
    found = sorted(path.relative_to(SITE).as_posix() for path in (SITE / "chapters").glob("*.html"))
    return ["index.html", *found]


def main(runs: str = "5", *asked: str) -> None:
    """Print one row a page."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or not SITE.is_dir():
        sys.exit("error: this needs chromium, node with npm, and a built book (make book)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["npm", "install", "--silent", "--prefix", folder, *NPM], check=True)
        shutil.copy(Path(__file__).with_suffix(".mjs"), folder)
        sites = [f"mkdocs-material={material(folder)}=index.html", f"Jupyter Book={jupyter_book(folder)}=intro.html"]
        sites += [f"{page}={SITE}={page}" for page in (asked or pages())]
        print(f"{'page':44s}" + "".join(f"{column:>16s}" for column in COLUMNS))
        rows = []
        command = ["node", folder / "page_speed.mjs", runs, chromium, *sites]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                row = json.loads(line)
                rows.append(row)
                print(f"{row['page']:44s}" + "".join(f"{row.get(column, '-'):>16}" for column in COLUMNS), flush=True)
                if not asked:
                    keep(rows)


def keep(rows: list[dict[str, Any]]) -> None:
    """Store the rows beside this file, as data and as a table."""
    here = Path(__file__)
    here.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")
    head = f"Lighthouse 12.8.2, mobile preset, gzip; medians of the runs at a benchmarkIndex of {QUIET} and more.\n\n"
    lines = ["| page | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    lines += [
        f"| {row['page']} | " + " | ".join(str(row.get(column, "–")) for column in COLUMNS) + " |" for row in rows
    ]
    here.with_suffix(".md").write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
