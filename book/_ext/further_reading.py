"""Sphinx extension: what to read after a chapter, and what for.

    ```{further-reading} zscore
    ```

The lists stand in `further_reading.yml`, each under the name of its page.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from pybtex.database import parse_file
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

BOOK = Path(__file__).resolve().parent.parent
LISTS, BIBLIOGRAPHY = BOOK / "further_reading.yml", BOOK / "references.bib"


@dataclass(frozen=True)
class Entry:
    """A paper and what to read it for.

    Attributes:
        paper: its key in the bibliography.
        title: as it is printed.
        read: a sentence or two.
    """

    paper: str
    title: str
    read: str


@cache
def lists(path: Path = LISTS, bibliography: Path = BIBLIOGRAPHY) -> dict[str, tuple[Entry, ...]]:
    """The entries of every page.

    Raises:
        ValueError: a paper is not in the bibliography, or stands twice in a list.
    """
    known = parse_file(str(bibliography)).entries
    found = {}
    for page, given in yaml.safe_load(path.read_text()).items():
        keys = [entry["paper"] for entry in given]
        wrong = [key for key in keys if key not in known] or [key for key in keys if keys.count(key) > 1]
        if wrong:
            raise ValueError(f"further reading of {page}: {wrong[0]!r} is not in {bibliography.name}, or there twice")
        found[page] = tuple(
            Entry(e["paper"], known[e["paper"]].fields["title"].translate(str.maketrans("", "", "{}")), e["read"])
            for e in given
        )
    return found


def of(page: str) -> tuple[Entry, ...]:
    """The entries of one page.

    Raises:
        ValueError: there is no list for it.
    """
    if page not in lists():
        raise ValueError(f"{LISTS.name} has nothing for {page!r}; it has {', '.join(lists())}")
    return lists()[page]


def item(entry: Entry, cited: str) -> str:
    """A line of the list as markdown; `cited` says the authors and the year."""
    return f"- {cited}, *{entry.title}*. {entry.read}"


class FurtherReading(SphinxDirective):
    """A list of papers, each with its reason."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(LISTS))
        try:
            entries = of(self.arguments[0])
        except ValueError as error:
            raise self.error(str(error)) from error
        text = "\n".join(item(entry, f"{{cite:t}}`{entry.paper}`") for entry in entries)
        return [nodes.container("", *self.parse_text_to_nodes(text), classes=["further-reading"])]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("further-reading", FurtherReading)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
