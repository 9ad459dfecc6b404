"""The opening of a chapter on the page: its cells run last, or where their figure is made, and are read first."""

from __future__ import annotations

from typing import Any

from docutils import nodes


def raise_opening(app: Any, doctree: nodes.document) -> None:
    """Put what cells tagged ``opening`` show under the page's title: head, figures, foot; their code stays."""
    title = next(iter(doctree.findall(nodes.title)), None)
    cells = [node for node in doctree.findall(nodes.container) if "tag_opening" in node["classes"]]
    if title is None or not cells:
        return
    texts, figures = [], []
    for cell in cells:
        for output in [node for node in cell.children if "cell_output" in node["classes"]]:
            cell.remove(output)
            own = [node for node in output.findall(nodes.raw) if node.get("opening")]
            texts += own
            figures += [] if own else output.children
        if not cell.children:
            cell.parent.remove(cell)
    raised = nodes.container(classes=["opening"])
    raised += [*texts[:1], nodes.container("", *figures, classes=["opening-figure"]), *texts[1:]]
    title.parent.insert(title.parent.index(title) + 1, raised)
