"""Sphinx extension: drawings that explain, from `tutorial_lib.course.drawings`.

    ```{drawing} towers
    :name: drawing-towers

    The caption.
    ```

A drawing is a numbered figure; a wide page and a phone have each a layout of their own.
"""

from __future__ import annotations

from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tutorial_lib.course import drawings


class Drawing(SphinxDirective):
    """A numbered figure with a caption of one paragraph."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"name": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        try:
            body = drawings.html(self.arguments[0])
        except ValueError as error:
            raise self.error(str(error)) from error
        parsed = self.parse_content_to_nodes()
        if len(parsed) != 1 or not isinstance(parsed[0], nodes.paragraph):
            raise self.error(f"the drawing {self.arguments[0]!r} needs a caption of one paragraph")
        figure = nodes.figure(classes=["drawing-figure"])
        figure += nodes.raw("", body, format="html")
        caption = nodes.caption("", "", *parsed[0].children)
        self.set_source_info(caption)
        figure += caption
        self.set_source_info(figure)
        if "name" in self.options:
            self.add_name(figure)
        else:
            self.state.document.set_id(figure, suggested_prefix="drawing")
        return [figure]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("drawing", Drawing)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
