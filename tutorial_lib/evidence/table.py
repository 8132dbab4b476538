"""Tables of results."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

# How a cell says which models lie lowest and highest.
RANGE = re.compile(r" \(\d+\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}\d+\)$")


@dataclass(frozen=True)
class Table:
    """A table that a notebook shows as HTML and a terminal as text.

    Example:
        >>> Table(("poisons", "z"), (("0", "0.1"), ("128", "5.2")))
        poisons    z
              0  0.1
            128  5.2
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def without(self, column: str) -> Table:
        """The table without the column of that head.

        Example:
            >>> Table(("poisons", "z"), (("0", "0.1"),)).without("poisons")
              z
            0.1
        """
        kept = [k for k, head in enumerate(self.head) if head != column]
        return Table(tuple(self.head[k] for k in kept), tuple(tuple(row[k] for k in kept) for row in self.rows))

    def _repr_html_(self) -> str:
        def row(cells: Iterable[str], tag: str) -> str:
            return "<tr>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in cells) + "</tr>"

        body = "".join(row(r, "td") for r in self.rows)
        ranges = any(RANGE.search(cell) for cells in self.rows for cell in cells)
        caption = "<caption>Means; in brackets the lowest and the highest model.</caption>" if ranges else ""
        return f'<table class="table">{caption}<thead>{row(self.head, "th")}</thead><tbody>{body}</tbody></table>'

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = (
            "  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in (self.head, *self.rows)
        )
        return "\n".join(lines)
