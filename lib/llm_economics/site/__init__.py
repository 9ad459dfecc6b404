"""The Sphinx extension of the book: everything that only the site needs, in one place.

Charts and verdicts become HTML (:mod:`llm_economics.site.outputs`), formulas become MathML
(:mod:`llm_economics.site.mathml`), and no page loads anything from another host: what the
pages need is taken from installed packages while building.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from pybtex.plugin import find_plugin, register_plugin
from pybtex.style.formatting.alpha import Style
from pybtex.style.template import field, sentence
from sphinx.builders import html
from sphinx.environment import CONFIG_OK
from sphinx.errors import ExtensionError
from sphinx.util.matching import Matcher

from llm_economics.facts import cache

from llm_economics.site import runners  # isort: skip  # noqa: F401  # before MyST-NB
from llm_economics.site import answering, aside, beside, charts, ledger, mathml, sharing, weight
from llm_economics.site.openings import raise_opening
from llm_economics.site.outputs import BookOutputs, mark_verdict_cells, name_cells
from llm_economics.site.times import ChapterTimes

__all__ = ["BookOutputs", "setup"]

HERE = Path(__file__).parent
VEGA = f"vega/vega-{version('vl-convert-python')}.js"
_BUNDLE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"


class AsWritten(Style):
    """References whose titles keep the capitals of their source; pybtex would make "GB200" of a title "Gb200"."""

    def format_title(self, e: Any, which_field: str, as_sentence: bool = True) -> Any:
        """The template of a title."""
        title = field(which_field, apply_func=lambda text: str(text).replace(r"\$", "$"))
        return sentence[title] if as_sentence else title

    def format_entry(self, label: str, entry: Any, bib_data: Any = None) -> Any:
        """An entry as it was formatted before, in this build or the last, while nothing of it has changed."""
        known = self.formatted.get((label, entry.key))
        if known is None or known[0] != entry:
            known = self.formatted[label, entry.key] = (entry, super().format_entry(label, entry, bib_data))
        return known[1]

    formatted: ClassVar[dict[tuple[str, str], tuple[Any, Any]]] = {}


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_config_value("book_banner", {}, "html", dict)
    app.add_config_value("book_site", _digest(), "env", str)  # pages are made again when what makes them has changed
    app.add_directive("chapter-times", ChapterTimes)
    app.add_directive("calculator", answering.Calculator)
    app.add_html_math_renderer("mathml", (mathml.visit_inline, None), (mathml.visit_block, None))
    app.connect("config-inited", _configure, priority=700)  # after Jupyter Book's own
    for backend in ("docutils", "plaintext"):  # pybtex would look through all installed packages at each citation
        register_plugin("pybtex.backends", backend, find_plugin("pybtex.backends", backend), force=True)
    register_plugin("pybtex.style.formatting", "as-written", AsWritten)
    app.connect("builder-inited", _start_bundle)
    app.connect("doctree-read", mark_verdict_cells)
    app.connect("doctree-read", raise_opening)
    app.connect("doctree-read", _list_entries)
    app.connect("env-merge-info", _take_entries)
    app.connect("doctree-resolved", ledger.gather, priority=800)
    app.connect("doctree-resolved", _share, priority=890)
    app.connect("doctree-resolved", beside.set_beside, priority=895)
    app.connect("env-updated", mathml.number_equations)
    app.connect("doctree-resolved", mathml.take_numbers)
    app.connect("doctree-resolved", mathml.take_points, priority=897)
    app.connect("doctree-resolved", aside.set_aside, priority=900)
    app.connect("html-page-context", _page, priority=900)
    app.connect("build-finished", _finish_bundle, priority=900)  # after the theme has written its own
    return {
        "version": version("llm-economics"),
        "env_version": 3,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }


def _digest() -> str:
    """A short name for everything in this folder."""
    files = sorted(path for path in HERE.rglob("*") if path.suffix in (".py", ".html", ".css", ".js", ".mjs"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8]


def _configure(app: Any, config: Any) -> None:
    html.DOTFILES = Matcher(["**/.*", *(f"**/{folder}" for folder in weight.LEFT)])
    # Not a folder _static in the book: Jupyter Book would load every script in it on every page.
    config.html_static_path.append(str(HERE / "static"))
    config.templates_path[:0] = [str(HERE / "templates"), str(HERE / "templates" / "components")]
    config.bibtex_default_style = "as-written"
    config.html_math_renderer = "mathml"
    config.numfig = False  # mathml.number_equations does it
    config.html_favicon = str(HERE / "static" / "favicon.svg")
    known = bool(config.html_theme_options.get("repository_url"))
    config.html_theme_options |= {"use_repository_button": known, "use_issues_button": known}


def _start_bundle(app: Any) -> None:
    """Let another process make the Vega bundle while the pages are built; it takes seconds."""
    app.env.book_entries = getattr(app.env, "book_entries", {})
    app.book_bundle, app.book_pictures, app.book_heads = None, aside.Pictures(), {}
    if app.env.config_status == CONFIG_OK and "cite" in app.env.domains:
        AsWritten.formatted |= {
            (one.formatted_entry.label, one.formatted_entry.key): (one.entry, one.formatted_entry)
            for one in app.env.get_domain("cite").citations
            if one.tooltip_entry  # else a field was missing, of which each build warns
        }
    script = Path(app.outdir) / "_static" / VEGA
    if app.builder.format == "html" and not script.exists():
        kept = cache.read("vega", cache.key(VEGA))
        if kept is not None:
            _write_bundle(script, kept)
        else:
            app.book_bundle = subprocess.Popen([sys.executable, "-c", _BUNDLE], stdout=subprocess.PIPE)


def _write_bundle(path: Path, script: bytes) -> None:
    """Closed in a function, so that it runs as a plain script: browsers refuse modules from plain files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'(function(){"use strict";' + script + b"\n})();\n")


def _finish_bundle(app: Any, error: Exception | None) -> None:
    static = Path(app.outdir) / "_static"
    bundle, app.book_bundle = getattr(app, "book_bundle", None), None
    if bundle is not None:
        script, _ = bundle.communicate()
        if bundle.returncode == 0:
            _write_bundle(static / VEGA, script)
            cache.write("vega", cache.key(VEGA), script)
        elif error is None:
            raise ExtensionError("vl_convert could not make the Vega bundle")
    if error is None and app.builder.format == "html":
        if answering.PAGE in app.env.found_docs:
            answering.write(Path(app.outdir))
        sharing.write_claims(Path(app.outdir), Path(app.srcdir) / "chapters")
        sharing.write_search(app, Path(app.outdir), Path(app.srcdir) / "chapters")
        sharing.write_sitemap(app)
        sharing.write_told(Path(app.outdir))
        _slim(Path(app.outdir))
        app.book_pictures.finish()


def _slim(outdir: Path) -> None:
    """Make the one style sheet and clear away what no page asks for, unless an earlier build has."""
    static = outdir / "_static"
    if (static / "site.css").exists() and not (static / "book.css").exists():
        return
    pages = [path.read_text(encoding="utf-8") for path in sorted(outdir.rglob("*.html")) if static not in path.parents]
    gone = weight.missing(" ".join(pages), static)
    if gone:
        raise ExtensionError(f"the theme has changed: {', '.join(gone)} not found; see llm_economics.site.weight")
    scripts = [path.read_text(encoding="utf-8") for path in sorted((HERE / "static").glob("*.js"))]
    (static / "site.css").write_text(weight.one_sheet(static, pages, scripts), encoding="utf-8")
    weight.clear(static)


def _list_entries(app: Any, doctree: nodes.document) -> None:
    """Note what of a page can be searched for, in what Sphinx keeps from build to build."""
    page = app.env.docname
    app.env.book_entries[page] = sharing.entries(app.env.titles[page].astext(), doctree)


def _take_entries(app: Any, env: Any, pages: Iterable[str], other: Any) -> None:
    env.book_entries |= {page: other.book_entries[page] for page in pages}


def _share(app: Any, doctree: nodes.document, page: str) -> None:
    """Head and picture of a page, from its tree while its figures are still in it."""
    if app.builder.format == "html":
        title = app.env.titles[page].astext()
        app.book_heads[page] = sharing.head(app, page, title, doctree)
        sharing.draw_card(app, page, title, doctree)


def _page(app: Any, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """The scripts that a page needs, and the touches that its HTML needs."""
    context["book_style"] = app.config.book_site
    app.add_js_file("page.js", loading_method="defer")
    raws = [] if doctree is None else list(doctree.findall(nodes.raw))
    if any(node.get("book_chart") for node in raws):
        lazy = {"data-vega": VEGA, "data-draw": "draw.js"}
        given = {key: context["pathto"](f"_static/{name}", resource=True) for key, name in lazy.items()}
        app.add_js_file("figures.js", loading_method="defer", **given)
        if any(charts.plays(node["book_chart"]["spec"]) for node in raws if node.get("book_chart")):
            app.add_js_file("play.js", loading_method="defer")
    if page == answering.PAGE:
        app.add_js_file("calculator.js", loading_method="defer")
    if any("ledger-heads" in node.astext()[:80] for node in raws):
        app.add_js_file("ledger.js", loading_method="defer")
    if any("scorecard" in node.astext()[:2000] for node in raws):
        app.add_js_file("scorecard.js", loading_method="defer")
    # docutils gives bibliographies roles that today's ARIA no longer has.
    body = context.get("body", "").replace(' role="doc-biblioentry"', "")
    body = body.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    context["body"] = _banner(app.config.book_banner, context["pathto"]) + name_cells(body)
    title = app.env.titles[page].astext() if page in app.env.titles else ""
    context["about"] = sharing.about(app, page, title) if title else None
    context["metatags"] = context.get("metatags", "") + app.book_heads.get(page, "")
    own = {path.name for path in (HERE / "static").glob("*.js")}
    allowed = own | (set(weight.SEARCH_SCRIPTS) if page == "search" else set())
    context["script_files"] = [script for script in context["script_files"] if _file_name(script) in allowed]


def _file_name(script: Any) -> str:
    return str(getattr(script, "filename", "") or "").rsplit("/", 1)[-1]


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
