"""Sphinx extension: a word in Chinese, told to browsers and screen readers as such.

    {zh}`对比学习`

It stays text: it is found by the search, and printed with a font of the system.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole


class chinese(nodes.inline):  # noqa: N801 - docutils calls nodes so
    """Words in simplified Chinese."""


class ChineseRole(SphinxRole):
    """Its text, marked by its language."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        return [chinese("", self.text)], []


def visit_html(self: Any, node: chinese) -> None:
    self.body.append('<span lang="zh" class="zh">')


def depart_html(self: Any, node: chinese) -> None:
    self.body.append("</span>")


def plain(self: Any, node: chinese) -> None:
    """Builders without languages show the text."""


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_node(chinese, html=(visit_html, depart_html), latex=(plain, plain), text=(plain, plain))
    app.add_role("zh", ChineseRole())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
