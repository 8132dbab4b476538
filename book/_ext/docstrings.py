"""Sphinx extension: the reference pages show docstrings as they are written, in plain text with `code` in backticks.

`autodoc` reads them as reStructuredText, in which single backticks, bars and stars mean something else.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
#: Representations of objects, up to two deep; and paths of the machine that builds the pages.
OPAQUE = re.compile(r"<(?:[^<>]|<[^<>]*>)*>|PosixPath\([^)]*\)")


def as_restructured(lines: list[str]) -> list[str]:
    """A docstring's lines with code in double backticks, and signs of other meanings escaped; doctests stay."""
    out, tested = [], False
    for line in lines:
        tested = line.lstrip().startswith((">>>", "...")) or (tested and bool(line.strip()))
        out.append(line if tested else _line(line))
    return out


def _line(line: str) -> str:
    parts = CODE.split(line)  # text and code in turn
    parts[::2] = [part.replace("|", r"\|").replace("*", r"\*") for part in parts[::2]]
    parts[1::2] = [f"``{part}``" for part in parts[1::2]]
    return "".join(parts)


def readable(signature: str | None) -> str | None:
    """A signature without what is no Python, as the default of a field that a factory makes."""
    return signature and OPAQUE.sub("...", signature)


def process_signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    return readable(signature), returns


def convert(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = as_restructured(lines)
    if what in ("attribute", "data", "property"):
        lines.insert(0, "")  # else napoleon reads "words: more words" as a type and a description


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", convert, priority=100)  # before napoleon
    app.connect("autodoc-process-signature", process_signature)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
