"""The Sphinx extension of the book: everything that only the site needs, in one place.

Charts and verdicts become HTML (:mod:`llm_economics.site.outputs`), formulas become MathML
(:mod:`llm_economics.site.mathml`), and no page loads anything from another host: what the
pages need is taken from installed packages while building.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.errors import ExtensionError

from llm_economics.site import mathml
from llm_economics.site.openings import raise_opening
from llm_economics.site.outputs import BookOutputs, fold_code, mark_verdict_cells

__all__ = ["BookOutputs", "setup"]

HERE = Path(__file__).parent
VEGA = f"vega/vega-{version('vl-convert-python')}.js"
_BUNDLE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_config_value("book_banner", {}, "html", dict)
    app.add_html_math_renderer("mathml", (mathml.visit_inline, None), (mathml.visit_block, None))
    app.connect("config-inited", _configure)
    app.connect("builder-inited", _start_bundle)
    app.connect("doctree-read", mark_verdict_cells)
    app.connect("doctree-read", raise_opening)
    app.connect("doctree-read", fold_code)
    app.connect("html-page-context", _page, priority=900)
    app.connect("build-finished", _finish_bundle)
    return {"version": version("llm-economics"), "parallel_read_safe": True, "parallel_write_safe": True}


def _configure(app: Any, config: Any) -> None:
    # Not a folder _static in the book: Jupyter Book would load every script in it on every page.
    config.html_static_path.append(str(HERE / "static"))
    config.templates_path.append(str(HERE / "templates"))
    config.html_math_renderer = "mathml"
    config.html_favicon = str(HERE / "static" / "favicon.svg")
    known = bool(config.html_theme_options.get("repository_url"))
    config.html_theme_options |= {"use_repository_button": known, "use_issues_button": known}


def _start_bundle(app: Any) -> None:
    """Let another process make the Vega bundle while the pages are built; it takes seconds."""
    app.book_bundle = None
    if app.builder.format == "html" and not (Path(app.outdir) / "_static" / VEGA).exists():
        app.book_bundle = subprocess.Popen([sys.executable, "-c", _BUNDLE], stdout=subprocess.PIPE)


def _finish_bundle(app: Any, error: Exception | None) -> None:
    static = Path(app.outdir) / "_static"
    bundle = getattr(app, "book_bundle", None)
    if bundle is not None:
        script, _ = bundle.communicate()
        if bundle.returncode == 0:
            (static / VEGA).parent.mkdir(parents=True, exist_ok=True)
            (static / VEGA).write_bytes(script)
        elif error is None:
            raise ExtensionError("vl_convert could not make the Vega bundle")
    if error is None and app.builder.format == "html":
        for unused in (*static.rglob("*.map"), static / "scripts" / "fontawesome.js"):
            unused.unlink(missing_ok=True)


def _page(app: Any, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Chart scripts where there are charts; none of sphinx-thebe's anywhere, which name an outside host."""
    app.add_css_file("book.css")
    if doctree is not None and any(node.get("book_chart") for node in doctree.findall(nodes.raw)):
        vega = context["pathto"](f"_static/{VEGA}", resource=True)
        app.add_js_file("bookcharts.js", loading_method="defer", **{"data-vega": vega})
    if doctree is not None and any("scorecard" in node.astext()[:2000] for node in doctree.findall(nodes.raw)):
        app.add_js_file("scorecard.js", loading_method="defer")
    # docutils gives bibliographies roles that today's ARIA no longer has.
    body = context.get("body", "").replace(' role="doc-biblioentry"', "")
    body = body.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    body = body.replace(' aria-label="Toggle hidden content"', "")  # the button says what it does
    context["body"] = _banner(app.config.book_banner, context["pathto"]) + body
    context["metatags"] = context.get("metatags", "") + _description(doctree)
    context["script_files"] = [script for script in context["script_files"] if not _is_thebe(script)]
    context["css_files"] = [sheet for sheet in context["css_files"] if not _is_thebe(sheet)]


def _description(doctree: nodes.document | None) -> str:
    """What search engines and previews show of a page: the beginning of its first paragraph."""
    first = "" if doctree is None else next((part.astext() for part in doctree.findall(nodes.paragraph)), "")
    text = textwrap.shorten(first, 300, placeholder=" …")
    return f'<meta name="description" content="{escape(text)}" />' if text else ""


def _banner(banner: Mapping[str, str], pathto: Callable[[str], str]) -> str:
    """What a page says first when the site was built under other assumptions than the book's: plain text only."""
    if not banner:
        return ""
    title, why, headline = (escape(banner[key]) for key in ("title", "why", "headline"))
    return (
        f'<aside class="book-banner" aria-label="Assumptions"><p>Your assumptions: <strong>{title}</strong>. '
        f'<a href="{escape(pathto("what-changed"))}">{headline}</a>.</p>{f"<p>{why}</p>" if why else ""}'
        "<p>Verdicts, numbers and charts are of this run; the text between them was written for the book’s own.</p>"
        "</aside>"
    )


def _is_thebe(asset: Any) -> bool:
    body = (getattr(asset, "attributes", None) or {}).get("body") or ""
    return "thebe" in str(getattr(asset, "filename", "") or "") or "THEBE_JS_URL" in body
