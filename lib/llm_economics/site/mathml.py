"""TeX into MathML while building, so that formulas need no script."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import Any
from xml.etree import ElementTree

from docutils import nodes
from sphinx.errors import ExtensionError

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


def take_points(app: Any, doctree: nodes.document, page: str) -> None:
    """Give each inline formula the point or comma behind it, which a browser would let begin the next line."""
    for formula in doctree.findall(nodes.math):
        behind = formula.next_node(descend=False, siblings=True)
        found = re.match(r"[.,;:?!]+", behind) if isinstance(behind, nodes.Text) else None
        if found:
            formula["point"] = found[0]
            formula.parent.replace(behind, nodes.Text(behind[found.end() :]))


def number_equations(app: Any, env: Any) -> list[str]:
    """Number equations through the whole book in the order of its contents; the pages whose numbers have moved.

    Sphinx's own way (``numfig``) reads the trees of all pages for it, at each build.
    """
    equations = env.get_domain("math").equations
    before, env.book_equations = getattr(env, "book_equations", {}), {}
    order = list(env.collect_relations())
    found = ((label, page) for label, (page, _) in equations.items() if page in order)
    for number, (label, page) in enumerate(sorted(found, key=lambda one: order.index(one[1])), start=1):
        equations[label] = (page, number)
        env.book_equations.setdefault(page, []).append(number)
    return [page for page, numbers in env.book_equations.items() if numbers != before.get(page)]


def take_numbers(app: Any, doctree: nodes.document, page: str) -> None:
    """Give each labelled equation of a page its number in the book."""
    for equation in doctree.findall(nodes.math_block):
        if equation["number"]:
            equation["number"] = app.env.get_domain("math").get_equation_number_for(equation["label"])


def visit_inline(translator: Any, node: nodes.math) -> None:
    """Write an inline formula."""
    formula = convert(node.astext().strip(), "inline")
    translator.body.append(f'<span class="math">{formula}{node.get("point", "")}</span>')
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    """Write a displayed formula, with number and link if it is labelled."""
    translator.body.append(translator.starttag(node, "div", CLASS="math math-block"))
    formula = in_pieces(convert(_environment(node.astext()), "block"))
    translator.body.append(f'<div class="math-scroll">{formula}</div>')
    if node["number"]:
        translator.body.append(f'<span class="eqno">({node["number"]})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append("</div>\n")
    raise nodes.SkipNode


LONG = 40
"""Letters of a displayed formula from which on it is written in pieces."""
_BREAKS, _OPENING, _CLOSING = frozenset("=≈≥≤×+−"), frozenset("([{"), frozenset(")]}")
MATHML = "http://www.w3.org/1998/Math/MathML"


def in_pieces(formula: str) -> str:
    """A long formula of one line as several, of which a narrow window sets those below that find no room."""
    root = ElementTree.fromstring(formula.replace(f' xmlns="{MATHML}"', "", 1))
    row, source = root.find("semantics/mrow/mrow"), root.find("semantics/annotation")
    if row is None or len("".join(row.itertext())) < LONG or row.find(".//mtable") is not None:
        return formula
    pieces, depth = [ElementTree.Element("mrow")], 0
    for part in row:
        sign = part.text if part.tag == "mo" else ""
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if sign in _BREAKS and not depth and len(pieces[-1]):
            part.set("form", "infix")
            pieces.append(ElementTree.Element("mrow"))
        pieces[-1].append(part)
    first, *others = (ElementTree.tostring(piece, "unicode") for piece in pieces)
    first = f"<semantics>{first}{ElementTree.tostring(source, 'unicode')}</semantics>"
    head = f'<math xmlns="{MATHML}" display="inline" displaystyle="true">'
    return "".join(f"{head}{inner}</math>" for inner in (first, *others))


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
