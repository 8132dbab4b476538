"""Sphinx extension: tables that compare methods, from the committed records.

    ```{comparison} defenses
    :profile: pilot
    ```

Plain HTML, whole without a script; `static/comparison.js` lets a reader sort by a column and choose rows. Without a
profile, the newest one is shown that has all records of the table.
"""

from __future__ import annotations

import functools
import math
from html import escape
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tutorial_lib.evidence.comparison import Comparison, Measure, Row
from tutorial_lib.experiments import comparison as tables


@functools.cache
def made(kind: str, profile: str | None) -> Comparison:
    return tables.compare(kind, profile)


def cell(table: Comparison, row: Row, measure: Measure) -> str:
    """A number over its interval; what it is sorted by stands beside it."""
    found = row.values.get(measure.key)
    if found is None:
        return f'<td class="number">{escape(table.said(row, measure))}</td>'
    text = measure.written(found.value)
    low, high = measure.written(found.low), measure.written(found.high)
    if not math.isnan(found.low) and low != high:
        text += f" <small>[{low}, {high}]</small>"
    return f'<td class="number" data-value="{found.value:.6g}" title="{found.n} models">{text}</td>'


def html(table: Comparison) -> str:
    """The table; a script finds what it needs in its classes and data.

    What it is stands before the box in which it scrolls: a caption would be as wide as the table, and cut with it.
    """
    heads = [f'<th scope="col" class="word">{escape(name)}</th>' for name in table.columns]
    heads += [f'<th scope="col" class="number" data-best="{m.best}">{escape(m.head)}</th>' for m in table.measures]
    body = "".join(
        "<tr>"
        + "".join(f'<th scope="row">{escape(word)}</th>' for word in row.words)
        + "".join(cell(table, row, m) for m in table.measures)
        + "</tr>"
        for row in table.rows
    )
    name = f"comparison-{table.name}"
    said = f"{escape(table.title)}. Brackets: 95 % interval over models."
    return (
        f'<p class="comparison-caption" id="{name}-caption">{said}</p>'
        f'<div class="comparison" id="{name}" tabindex="0">'
        f'<table class="table" aria-labelledby="{name}-caption">'
        f"<thead><tr>{''.join(heads)}</tr></thead><tbody>{body}</tbody></table></div>"
    )


class ComparisonDirective(SphinxDirective):
    """A table with what a reader must know beneath; without rows, a sentence that there are no records."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"profile": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        try:
            table = made(self.arguments[0], self.options.get("profile"))
        except ValueError as error:
            raise self.error(str(error)) from error
        if not table.rows:
            title = table.title.partition(":")[0]
            return [nodes.paragraph("", f"{title}: there are no records yet.")]
        notes = nodes.bullet_list("", *(nodes.list_item("", nodes.paragraph("", note)) for note in table.notes))
        return [nodes.raw("", html(table), format="html"), notes]


def forget(app: Sphinx, *_: object) -> list[str]:
    """Records may have changed since the last build; which pages are read anew is a matter of `records`."""
    made.cache_clear()
    return []


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("comparison", ComparisonDirective)
    app.add_js_file("comparison.js", defer="defer")
    app.connect("env-get-outdated", forget)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
