"""Side notes: caveats in brackets, and what is cited, stand in the margin where there is room.

Both are found in the text as it is written. A caveat is a sentence in brackets of its own, or a bracket that says how
sure something is; it stays in its place in the text, and the style sheet moves it out. A source is told once a page,
where it is cited first; a window without margin shows it when its citation is pointed at, focused or tapped. Paper has
a margin.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Any

from docutils import nodes

UNSURE = re.compile(r"secondary|second hand|unverified|unconfirmed|our (own )?(inference|estimate|guess)|an estimate")
"""Words of a bracket that says how sure something is."""
SENTENCE = re.compile(r"\(\s*[A-Z0-9“].{24,}[.!]\s*\)", re.DOTALL)
_NAMES = r"(?:[^.]|(?<=\b[A-Z])\.)"
MANY = re.compile(rf"^((?:[^.,]|(?<=\b[A-Z])\.)+), {_NAMES}*, and {_NAMES}+\. ")
"""Three authors and more at the head of an entry; a point behind a single letter ends nothing."""
_ELSEWHERE = (nodes.entry, nodes.citation, nodes.definition, nodes.footnote, nodes.caption)
_OWN = {"verdict", "opening", "ledger"}
"""Classes of what has a form of its own, in which nothing is moved."""


def set_beside(app: Any, doctree: nodes.document, page: str) -> None:
    """Mark a page's caveats, and tell its sources, as side notes."""
    if app.builder.format != "html":
        return
    told: set[str] = set()
    for paragraph in list(doctree.findall(nodes.paragraph)):
        if _in_running_text(paragraph):
            paragraph.children = list(_with_caveats(paragraph))
            for child in paragraph.children:
                child.parent = paragraph
            _tell_sources(paragraph, told)


def _in_running_text(node: nodes.Node) -> bool:
    while (node := node.parent) is not None:
        if isinstance(node, _ELSEWHERE) or (isinstance(node, nodes.Element) and _OWN & set(node.get("classes", ()))):
            return False
    return True


# Caveats


def _with_caveats(paragraph: nodes.paragraph) -> Iterator[nodes.Node]:
    """A paragraph's parts, with each bracket that is a caveat as one."""
    open_, depth = [], 0
    for part in _cut_at_brackets(paragraph.children):
        mark = str(part) if isinstance(part, nodes.Text) else ""
        depth += mark == "("
        if not depth:
            yield part
            continue
        open_.append(part)
        depth -= mark == ")"
        if not depth:
            yield from ([nodes.inline(classes=["side-at"]), _caveat(open_)] if _is_caveat(open_) else open_)
            open_ = []
    yield from open_


def _cut_at_brackets(parts: list[nodes.Node]) -> Iterator[nodes.Node]:
    for part in parts:
        if isinstance(part, nodes.Text):
            yield from (nodes.Text(text) for text in re.split(r"([()])", str(part)) if text)
        else:
            yield part


def _is_caveat(parts: list[nodes.Node]) -> bool:
    said = "".join(part.astext() for part in parts)
    own = "".join(str(part) for part in parts if isinstance(part, nodes.Text))
    return bool(UNSURE.search(own) or (SENTENCE.fullmatch(said) and len(own) > len(said) / 2))


def _caveat(parts: list[nodes.Node]) -> nodes.inline:
    bracket, *inner, other = parts
    return nodes.inline("", "", _bracket(bracket), *inner, _bracket(other), classes=["side-note", "side-caveat"])


def _bracket(text: nodes.Text) -> nodes.inline:
    return nodes.inline("", "", text, classes=["side-bracket"])


# Sources


def _tell_sources(paragraph: nodes.paragraph, told: set[str]) -> None:
    """Behind the square bracket that cites it, each source that the page has not told yet."""
    for reference in list(paragraph.findall(nodes.reference)):
        entry = reference.attributes.pop("reftitle", "") if "references.html#" in reference.get("refuri", "") else ""
        if entry and reference["refuri"] not in told:
            told.add(reference["refuri"])
            html = f'<span class="side-note side-source"> {escape(_short(entry))}</span>'
            _put_behind(_end_of_bracket(reference), nodes.raw("", html, format="html", side_source=True))


def _end_of_bracket(reference: nodes.reference) -> nodes.Node:
    """The text that ends with the bracket around a citation; a caveat that it stands in; else the citation itself."""
    above = reference.parent
    while above is not None:
        if "side-caveat" in above.get("classes", ()):
            return above
        above = above.parent
    siblings = reference.parent.children
    for node in siblings[siblings.index(reference) + 1 :]:
        if isinstance(node, nodes.Text) and "]" in node:
            before, after = str(node).split("]", 1)
            closing = nodes.Text(before + "]")
            reference.parent.replace(node, [closing, *([nodes.Text(after)] if after else [])])
            return closing
    return reference


def _put_behind(place: nodes.Node, note: nodes.raw) -> None:
    """Insert a note behind a place and the notes that stand there already."""
    siblings = place.parent.children
    at = siblings.index(place) + 1
    while at < len(siblings) and isinstance(siblings[at], nodes.raw) and siblings[at].get("side_source"):
        at += 1
    place.parent.insert(at, note)


def _short(entry: str) -> str:
    """An entry of the bibliography with the first of many authors, without its address: the references have all."""
    entry = re.sub(r"\s*URL:\s*\S+\s*$", "", entry).replace(r"\$", "$")
    return MANY.sub(r"\1 et al. ", entry).strip()
