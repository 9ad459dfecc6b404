"""The whole built site as one PDF, printed by Chromium: every page and figure, numbered, with links that lead on.

python -m llm_economics.site.paper _build/html _build/book.pdf
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urldefrag, urlsplit

from bs4 import BeautifulSoup, Tag

from llm_economics.formulas.elementwise import ParameterError
from llm_economics.site.weight import PRINTED

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Browsers that will do; the first is the second without windows, and takes two thirds of its time."""
LEFT_OUT = "script, form, dialog, noscript, .headerlink, .book-chart-links, .book-rerun, .book-own, .book-notice"
ON_SCREEN = "<p><em>What can be entered here is on the site; on paper the calculator answers nothing.</em></p>"
WAIT_S = 300


def print_book(site: Path, target: Path) -> None:
    """Print the site in a folder as one PDF.

    Raises
    ------
    ParameterError
        If the folder holds no site, no browser is found, or it prints nothing.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise ParameterError(f"no browser found ({', '.join(BROWSERS)}): install Debian's chromium to print the book")
    if not (site / "index.html").is_file():
        raise ParameterError(f"site = {str(site)!r} is not allowed: it has no index.html; build the book first")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".html", prefix="print-", dir=site, encoding="utf-8") as page:
        page.write(one_page(site))
        page.flush()
        flags = [
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--no-pdf-header-footer",
            "--generate-pdf-document-outline",
        ]
        flags += ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [browser, *flags, f"--print-to-pdf={target.absolute()}", Path(page.name).absolute().as_uri()]
        target.unlink(missing_ok=True)
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    if done.returncode or not target.is_file():
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ParameterError(f"{browser} did not print the book: {last}")


def one_page(site: Path) -> str:
    """All pages of a site, in the order of its navigation, as one HTML page beside them."""
    first = BeautifulSoup((site / "index.html").read_text(encoding="utf-8"), "html.parser")
    pages = ["index.html"]
    for link in first.select(".bd-docs-nav a.reference.internal"):
        path = urldefrag(link["href"])[0]
        if path and path not in pages and (site / path).is_file():
            pages.append(path)
    bodies = [_article(site, page, pages) for page in pages]
    sheet = first.select_one("link[rel=stylesheet]")["href"]
    title = first.select_one("article h1").get_text().rstrip("#")
    return (
        f'<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{title}</title>'
        f'<link rel="stylesheet" href="{sheet}"></head><body class="{PRINTED}"><main class="bd-main">'
        f'<div class="bd-content"><div class="bd-article-container">{"".join(bodies)}</div></div></main></body></html>'
    )


def _article(site: Path, page: str, pages: Sequence[str]) -> str:
    """The article of a page whose ids and addresses are good in the one page."""
    article = BeautifulSoup((site / page).read_text(encoding="utf-8"), "html.parser").select_one("article.bd-article")
    for asks in article.select(".calc"):
        asks.replace_with(BeautifulSoup(ON_SCREEN, "html.parser"))
    for unwanted in article.select(LEFT_OUT):
        unwanted.decompose()
    for tag in article.select("[id]"):
        tag["id"] = _anchor(page, tag["id"])
    for link in article.select("a[href]"):
        link["href"] = _within(page, link["href"], pages)
    for tag, key in [(t, k) for k in ("src", "srcset") for t in article.select(f"[{k}]")]:
        tag[key] = _from_root(page, tag[key])
    for image in article.select("img[loading]"):
        del image["loading"]
    article["id"] = _anchor(page, "")
    return _text(article)


def _text(article: Tag) -> str:
    return article.decode(formatter="html5")


def _anchor(page: str, name: str) -> str:
    return f"{PurePosixPath(page).stem}--{name}"


def _from_root(page: str, address: str) -> str:
    """An address on a page as seen from the site's root."""
    return os.path.normpath(PurePosixPath(page).parent / address)


def _within(page: str, address: str, pages: Sequence[str]) -> str:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return address
    where = _from_root(page, parts.path) if parts.path else page
    return f"#{_anchor(where, parts.fragment)}" if where in pages else where


if __name__ == "__main__":
    try:
        print_book(Path(sys.argv[1]), Path(sys.argv[2]))
    except ParameterError as error:
        sys.exit(f"error: {error}")
    except IndexError:
        sys.exit("usage: python -m llm_economics.site.paper SITE PDF")
