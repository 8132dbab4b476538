"""Sphinx extension: the pages need nothing from another host.

MathJax, plotly.js and the widgets' manager are served from `_static/vendor`, where `data_scripts/vendor.py`
puts them. A plotly figure becomes a numbered figure with a small block of JSON that `static/plotly-embed.js` draws, and
without JavaScript a still picture; a sheet of pictures needs no script at all (see `stills` and `sheets`).
The option `:name: fig-loss` of the cell that shows it lets a text refer to it as {numref}`fig-loss`.
"""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import sheets
import stills
from docutils import nodes
from myst_nb.core.render import MimeData, NbElementRenderer, load_mime_renders
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util import logging

from tutorial_lib.plots import LEGEND_ABOVE

HERE = Path(__file__).resolve().parent
VENDORED = HERE.parent / "_vendor"
PLOTLY = "application/vnd.plotly.v1+json"
DEFAULT_HEIGHT = 450  # plotly's own
TITLE_HEIGHT = 30  # pixels of the margin that a title takes

logger = logging.getLogger(__name__)


def alt_text(figure: dict[str, Any]) -> str:
    """What `figure.update_layout(meta={"alt": "…"})` says, or nothing."""
    meta = figure.get("layout", {}).get("meta")
    return str(meta.get("alt", "")).strip() if isinstance(meta, dict) else ""


def plotly_html(figure: dict[str, Any]) -> str:
    """A figure as HTML: its JSON, its size and its description."""
    height = figure.get("layout", {}).get("height", DEFAULT_HEIGHT)
    parts = {key: figure[key] for key in ("data", "layout", "config", "frames") if figure.get(key)}
    body = json.dumps({"data": [], "layout": {}, **parts}).replace("</", "<\\/")
    alt = html.escape(alt_text(figure))
    if sheets.is_sheet(figure):
        return f'<div class="picture-sheet" role="img" aria-label="{alt}">{sheets.laid_out(figure)}</div>'
    return (
        f'<div class="plotly-embed" role="figure" aria-label="{alt}" style="height:{height}px">'
        f"<noscript>{stills.svg(figure)}</noscript>"
        f'<script type="application/json">{body}</script></div>'
    )


def plotly_figure(figure: dict[str, Any]) -> nodes.figure:
    """A figure that gets a number; its caption is the title, no longer drawn above it, or else the description."""
    layout = dict(figure.get("layout", {}))
    title = (layout.get("title") or {}).get("text", "")
    if title:
        del layout["title"]
        margin, height = layout.get("margin", {}), layout.get("height", DEFAULT_HEIGHT)
        freed = min(TITLE_HEIGHT, margin.get("t", 0))
        layout |= {"margin": margin | {"t": margin.get("t", 0) - freed}, "height": height - freed}
        layout["legend"] = LEGEND_ABOVE | layout.get("legend", {})  # where the title was
    text = (title or alt_text(figure)).rstrip(".") + "."
    symbol = text[1:2] == " " and text[0] != "a"  # "x" stays as it is
    caption = text if symbol else text[:1].upper() + text[1:]
    node = nodes.figure(classes=["plotly-figure"])
    node += nodes.raw("", plotly_html(figure | {"layout": layout}), format="html")
    node += nodes.caption("", caption)
    return node


class PlotlyMime:
    """myst-nb plugin that renders what a plotly figure shows in a notebook."""

    mime_priority_overrides = (("html", PLOTLY, 5), ("dirhtml", PLOTLY, 5), ("singlehtml", PLOTLY, 5))

    @staticmethod
    def handle_mime(renderer: NbElementRenderer, data: MimeData, inline: bool) -> list[nodes.Element] | None:
        if inline or data.mime_type != PLOTLY:
            return None
        figure = data.content if isinstance(data.content, dict) else json.loads(data.content)
        if not alt_text(figure):
            logger.warning(
                'plotly figure without a description: add figure.update_layout(meta={"alt": "…"})',
                location=f"{renderer.renderer.document['source']}:{data.line}",
            )
        document = renderer.renderer.document
        node = plotly_figure(figure)
        name = nodes.fully_normalize_name(str(data.cell_metadata.get("name", "")))
        if name and name not in document.nameids:
            node["names"].append(name)
            document.note_explicit_target(node, node)
        else:
            document.set_id(node, suggested_prefix="figure")
        return [node]


def add_static(app: Sphinx) -> None:
    if not (VENDORED / "vendor").is_dir():
        raise ExtensionError(f"{VENDORED} is missing: run `python data_scripts/vendor.py`, or `make book`")
    app.config.html_static_path += [str(VENDORED), str(HERE / "static")]


def drop_thebe(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """sphinx-thebe adds its script twice (an error in the console) and names another host: leave it out."""

    def about_thebe(asset: object) -> bool:
        body = (getattr(asset, "attributes", None) or {}).get("body") or ""
        return "sphinx-thebe" in str(getattr(asset, "filename", asset)) or "THEBE_JS_URL" in body

    for kind in ("script_files", "css_files"):
        context[kind] = [asset for asset in context.get(kind, []) if not about_thebe(asset)]


def plain_citations(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """docutils calls citations a list whose children are no list items, which a screen reader trips over."""
    if "body" in context:
        context["body"] = context["body"].replace(
            '<div role="list" class="citation-list">', '<div class="citation-list">'
        )


def one_search_bar(app: Sphinx, config: Config) -> None:
    """The theme below sphinx-book-theme would add a second one in an otherwise empty header."""
    config.html_theme_options.setdefault("navbar_persistent", [])


def whole_single_page(app: Sphinx, config: Config) -> None:
    """An extension that registers nodes for the single page hides from it all that is registered for HTML."""
    handlers = app.registry.translation_handlers
    if "singlehtml" in handlers:
        handlers["singlehtml"] = {**handlers.get("html", {}), **handlers["singlehtml"]}


def setup(app: Sphinx) -> dict[str, Any]:
    renderers = load_mime_renders()  # a cached list, so that appending to it registers the plugin
    if PlotlyMime not in renderers:
        renderers.append(PlotlyMime)
    app.add_css_file("book.css")
    app.add_js_file("mathjax-hub-shim.js", defer="defer", priority=600)
    app.add_js_file("plotly-embed.js", defer="defer")
    app.add_js_file("print.js", defer="defer")
    app.connect("config-inited", one_search_bar, priority=100)
    app.connect("config-inited", whole_single_page, priority=900)
    app.connect("builder-inited", add_static)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("html-page-context", plain_citations)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
