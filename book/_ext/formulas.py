"""Formulas for readers without JavaScript: beside the TeX that MathJax draws, the same as MathML.

It stands in a `noscript` element, which nobody else sees, and the TeX is hidden where that shows.
"""

from __future__ import annotations

from contextlib import suppress
from html import escape
from typing import Any

from docutils import nodes
from mathml import mathml
from sphinx.application import Sphinx
from sphinx.ext.mathjax import html_visit_displaymath, html_visit_math

HIDDEN = "<noscript><style>.math { display: none; }</style></noscript>"


def without_script(tex: str, *, display: bool) -> str:
    """A formula where no script runs; one with a command that MathML has no word for here stays TeX."""
    try:
        drawn = mathml(tex, display=display)
    except ValueError:
        drawn = f"<code>{escape(tex)}</code>"
    return f"<noscript>{drawn}</noscript>"


def visit_math(translator: Any, node: nodes.math) -> None:
    with suppress(nodes.SkipNode):
        html_visit_math(translator, node)
    translator.body.append(without_script(node.astext(), display=False))
    raise nodes.SkipNode


def visit_displaymath(translator: Any, node: nodes.math_block) -> None:
    with suppress(nodes.SkipNode):
        html_visit_displaymath(translator, node)
    translator.body.append(without_script(node.astext(), display=True))
    raise nodes.SkipNode


def hide_tex(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document) -> None:
    if doctree is not None and 'class="math' in context.get("body", ""):
        context["metatags"] = context.get("metatags", "") + HIDDEN


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("sphinx.ext.mathjax")
    # In its place and under its name: Sphinx adds MathJax to a page only for the renderer that is called so.
    app.registry.html_inline_math_renderers["mathjax"] = (visit_math, None)
    app.registry.html_block_math_renderers["mathjax"] = (visit_displaymath, None)
    app.connect("html-page-context", hide_tex, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
