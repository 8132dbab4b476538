"""Formulas for readers without JavaScript: beside the TeX that MathJax draws, the same as MathML.

It stands in a `noscript` element, which nobody else sees, and the TeX is hidden where that shows.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from html import escape
from typing import Any

from docutils import nodes
from mathml import mathml
from sphinx.application import Sphinx

HIDDEN = "<noscript><style>.math { display: none !important; }</style></noscript>"
Visit = Callable[[Any, Any], None]


def without_script(tex: str, *, display: bool) -> str:
    """A formula where no script runs; one with a command that MathML has no word for here stays TeX."""
    try:
        drawn = mathml(tex, display=display)
    except ValueError:
        drawn = f"<code>{escape(tex)}</code>"
    return f"<noscript>{drawn}</noscript>"


def both(visit: Visit, *, display: bool) -> Visit:
    """What writes a formula, and after it the one for who has no script."""

    def written(translator: Any, node: nodes.math | nodes.math_block) -> None:
        with suppress(nodes.SkipNode):
            visit(translator, node)
        translator.body.append(without_script(node.astext(), display=display))
        raise nodes.SkipNode

    return written


def beside_mathjax(app: Sphinx) -> None:
    """Under MathJax's own name, since Sphinx adds its script to a page only for the renderer that is called so."""
    found = app.registry
    for renderers, display in ((found.html_inline_math_renderers, False), (found.html_block_math_renderers, True)):
        visit, depart = renderers["mathjax"]
        renderers["mathjax"] = (both(visit, display=display), depart)


def hide_tex(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document) -> None:
    if doctree is not None and 'class="math' in context.get("body", ""):
        context["metatags"] = context.get("metatags", "") + HIDDEN


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("sphinx.ext.mathjax")
    app.connect("builder-inited", beside_mathjax, priority=900)  # after those who replace a renderer
    app.connect("html-page-context", hide_tex, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
