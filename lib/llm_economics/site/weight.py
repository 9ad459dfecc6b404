"""What the site does without of Jupyter Book's theme, and what stands in its place: the one place where that is said.

The theme's page comes with nine style sheets, some fifteen scripts and a font for ten icons. Here the sheets become
one that holds only what some page uses (:func:`one_sheet`), the scripts are left out for the book's own ``page.js``,
and the templates in ``templates/`` draw the icons. :func:`missing` says what this relies on and the theme has lost.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tinycss2

from llm_economics.facts import cache

SHEETS = (
    "styles/pydata-sphinx-theme.css",
    "pygments.css",
    "styles/sphinx-book-theme.css",
    "mystnb.*.css",
    "book.css",
)
"""The style sheets of which the site's one is made, in the order of the theme's page."""

SEARCH_SCRIPTS = (
    *("documentation_options.js", "doctools.js", "sphinx_highlight.js"),
    *("searchtools.js", "language_data.js", "searchindex.js"),
)
"""The theme's scripts that the page of search results keeps; no other page has any."""

TEMPLATES = (
    "components/article-header-buttons.html",
    "components/toggle-primary-sidebar.html",
    "components/search-field.html",
    "components/search-button-field.html",
    "components/prev-next.html",
    "components/page-toc.html",
)
"""Templates of the theme that the site replaces."""

PRINTED = "book-paper"
"""The class of the one page that is printed as the whole book; no page of the site has it."""

HOOKS = (
    'id="pst-primary-sidebar"',
    'id="pst-primary-sidebar-modal"',
    'id="pst-secondary-sidebar"',
    'id="pst-secondary-sidebar-modal"',
    'id="pst-search-dialog"',
    'class="bd-article"',
    'class="bd-content"',
)
"""Places of the theme's page that ``page.js`` and ``book.css`` count on."""

UNUSED = (
    *("copybutton.css", "copybutton.js", "copybutton_funcs.js", "clipboard.min.js", "design-tabs.js", "file.png"),
    *("sphinx-design.min.css", "sphinx-thebe.css", "sphinx-thebe.js", "togglebutton.css", "togglebutton.js"),
    *("check-solid.svg", "copy-button.svg", "play-solid.svg", "minus.png", "plus.png", "basic.css"),
    *("sbt-webpack-macros.html", "webpack-macros.html"),
    *("styles", "sphinx-book-theme.css", "mystnb.*.css", "pygments.css", "book.css"),
)
"""What is removed from ``_static`` once the pages are written: nothing refers to it any more."""

LEFT = ("images", "locales", "scripts", "vendor")
"""Folders of the theme that are not even copied into ``_static``."""

_BY_SCRIPT = re.compile(r"[A-Za-z][\w-]*")


def missing(page: str, static: Path) -> list[str]:
    """What of the theme this module relies on is not there, in a page of the site and its folder ``_static``."""
    sheets = [name for name in SHEETS if not any(static.glob(name))]
    return sheets + [hook for hook in HOOKS if hook not in page]


# One style sheet


def one_sheet(static: Path, pages: Sequence[str], scripts: Sequence[str]) -> str:
    """The theme's and the book's styles, less every rule that no page and no script of the site can meet."""
    tags, names = _met(pages)
    for script in scripts:
        names |= set(_BY_SCRIPT.findall(script))
        tags |= set(_BY_SCRIPT.findall(script))
    text = "\n".join(path.read_text(encoding="utf-8") for name in SHEETS for path in sorted(static.glob(name)))
    read = _read(" ".join(pages)) | _read(" ".join(scripts))
    written = set(_BY_SCRIPT.findall(text))
    asked = [name for name in sorted(names) if name in written or not _BY_SCRIPT.fullmatch(name)]
    words = json.dumps([sorted(tags), asked, sorted(read), tinycss2.__version__])
    name = cache.key(text, words, Path(__file__).read_bytes())
    kept = cache.read("sheets", name)
    if kept is None:
        rules = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
        kept = _without_unread("".join(_kept(rules, tags, names)), read).encode()
        cache.write("sheets", name, kept)
    return kept.decode()


def _met(pages: Iterable[str]) -> tuple[set[str], set[str]]:
    """Elements, and classes and ids, of the pages."""
    tags, names = {"html", "body", "dialog"}, {PRINTED}
    for page in pages:
        tags |= {tag.lower() for tag in re.findall(r"<([A-Za-z][\w-]*)", page)}
        for value in re.findall(r"\b(?:class|id)=(\"[^\"]*\"|'[^']*')", page):
            names |= set(value[1:-1].split())
    return tags, names


def _kept(rules: Iterable[Any], tags: set[str], names: set[str]) -> Iterator[str]:
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = [s for s in _split(rule.prelude) if _can_match(s, tags, names)]
            if selectors:
                yield f"{','.join(map(_text, selectors))}{{{_text(rule.content)}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports", "layer", "container"):
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            body = "".join(_kept(inner, tags, names))
            if body:
                yield f"@{rule.lower_at_keyword} {_text(rule.prelude)}{{{body}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword == "page":
            yield f"@page {_text(rule.prelude)}{{{_text(rule.content)}}}"


def _split(tokens: Iterable[Any]) -> Iterator[list[Any]]:
    """A list of selectors, at its commas."""
    one: list[Any] = []
    for token in tokens:
        if token.type == "literal" and token.value == ",":
            yield one
            one = []
        else:
            one.append(token)
    yield one


def _can_match(selector: list[Any], tags: set[str], names: set[str]) -> bool:
    """Whether all elements, classes and ids that a selector names exist; what stands in brackets is not asked."""
    before = None
    for token in selector:
        if token.type == "hash" and token.value not in names:
            return False
        if token.type == "ident":
            mark = before.value if before is not None and before.type == "literal" else ""
            if mark == "." and token.value not in names:
                return False
            if mark not in (".", ":") and token.lower_value not in tags:
                return False
        before = token
    return True


def _text(tokens: Iterable[Any]) -> str:
    return re.sub(r"\s+", " ", tinycss2.serialize([token for token in tokens if token.type != "comment"])).strip()


def _without_unread(sheet: str, read: set[str]) -> str:
    """The sheet without custom properties that nothing reads, and without the rules that this leaves empty."""
    set_here = re.compile(r"(?<=[{;\s])(--[\w-]+)\s*:[^;{}]*(;|(?=\}))")
    while unread := {name for name, _ in set_here.findall(sheet)} - _read(sheet) - read:
        sheet = set_here.sub(functools.partial(_unless_in, unread), sheet)
    return re.sub(r"[^{}]+\{\s*\}", "", sheet)


def _read(sheet: str) -> set[str]:
    return set(re.findall(r"var\(\s*(--[\w-]+)", sheet))


def _unless_in(unread: set[str], found: re.Match[str]) -> str:
    return "" if found[1] in unread else found[0]


# Files


def clear(static: Path) -> None:
    """Remove from ``_static`` what no page asks for any more."""
    for name in UNUSED:
        for path in static.glob(name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in static.rglob("*.map"):
        path.unlink()
