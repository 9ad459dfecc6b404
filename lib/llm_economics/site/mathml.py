"""TeX into MathML while building, so that formulas need no script."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import Any

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.math import get_node_equation_number

_INNER = {"aligned": "align*", "split": "align*", "gathered": "gather*", "eqnarray": "align*"}
_OPERATORS = {"&#x0007E;": "&#x0223C;", "&#x000B1;": "&#x000B1;", "&#x0230A;": "&#x0230A;", "&#x0230B;": "&#x0230B;"}
"""What the converter writes as identifiers (plus-minus, tilde, floor) with what they are as operators."""
_NUMBERED = re.compile(r"\\begin\{(equation|align|gather|multline)(\*?)\}(.*)\\end\{\1\2\}", re.DOTALL)


@cache
def convert(tex: str, display: str) -> str:
    """One formula as a ``<math>`` element that carries its TeX as annotation; ``display`` is inline or block.

    Raises
    ------
    ExtensionError
        If the formula cannot be converted; names it.
    """
    from latex2mathml import converter

    for outer, known in _INNER.items():
        tex = tex.replace(f"{{{outer}}}", f"{{{known}}}")
    try:
        made = converter.convert(tex, display=display)
    except Exception as error:
        raise ExtensionError(f"formula {tex!r} cannot be turned into MathML: {error!r}") from error
    head, inner = re.fullmatch(r"(<math[^>]*>)(.*)</math>", made, re.DOTALL).groups()
    for identifier, operator in _OPERATORS.items():
        inner = inner.replace(f"<mi>{identifier}</mi>", f"<mo>{operator}</mo>")
    source = f'<annotation encoding="application/x-tex">{html.escape(tex)}</annotation>'
    return f"{head}<semantics><mrow>{inner}</mrow>{source}</semantics></math>"


def visit_inline(translator: Any, node: nodes.math) -> None:
    """Write an inline formula."""
    translator.body.append(f'<span class="math">{convert(node.astext().strip(), "inline")}</span>')
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    """Write a displayed formula, with number and link if it is labelled."""
    translator.body.append(translator.starttag(node, "div", CLASS="math math-block"))
    formula = convert(_environment(node.astext()), "block")
    translator.body.append(f'<div class="math-scroll">{formula}</div>')
    if node["number"]:
        translator.body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


def _environment(tex: str) -> str:
    """Outer numbered environments as inner ones, which the converter knows; several lines as aligned ones."""
    tex = tex.strip()
    found = _NUMBERED.fullmatch(tex)
    if found:
        tex = found[3].strip()
    lines = [part.strip() for part in re.split(r"\n\s*\n", tex) if part.strip()]
    tex = r" \\ ".join(lines)
    if (r"\\" in tex or "&" in tex) and r"\begin{" not in tex:
        tex = rf"\begin{{align*}}{tex}\end{{align*}}"
    return tex
