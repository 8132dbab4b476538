"""Sphinx extension: the first time that a page uses a term of the glossary, the term links there."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

GLOSSARY = "glossary"
#: Terms that are also plain English words, which would be linked where they mean something else.
PLAIN = {"Budget", "Claim", "Control", "Oracle", "Profile", "Record", "Trial", "Verdict", "View"}
#: What the text says where the glossary's entry reads otherwise.
SAID = {
    "z-score, backdoor": "z-score",
    "Peak signal-to-noise ratio (PSNR)": "PSNR",
    "Structural similarity (SSIM)": "SSIM",
}
#: Text inside these stays as it is.
KEPT = (
    nodes.reference,
    nodes.literal,
    nodes.literal_block,
    nodes.title,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.term,
    nodes.table,
    addnodes.pending_xref,
)


def entries(path: Path) -> dict[str, str]:
    """What the text says of each entry, and the entry itself."""
    lines = path.read_text().splitlines()
    starts = [a for a, b in pairwise(lines) if b.startswith("  ") and a and not a.startswith(" ")]
    return {SAID.get(entry, entry): entry for entry in starts if entry not in PLAIN and not entry.startswith("`")}


def _kept(text: nodes.Text) -> bool:
    node = text.parent
    while node is not None:
        if isinstance(node, KEPT) or {"quiz", "claims"} & set(node.get("classes", ())):
            return True
        node = node.parent
    return False


def link_first(app: Sphinx, doctree: nodes.document) -> None:
    """Replace the first mention of each term by a reference to the glossary."""
    path = Path(app.srcdir, f"{GLOSSARY}.md")
    if app.env.docname == GLOSSARY or not path.is_file():
        return
    app.env.note_dependency(str(path))
    waiting = entries(path)
    for text in list(doctree.findall(nodes.Text)):
        if not waiting or _kept(text):
            continue
        words = "|".join(re.escape(word) for word in sorted(waiting, key=len, reverse=True))
        parts: list[nodes.Node] = []
        rest = str(text)
        while waiting and (match := re.search(rf"(?<![\w-])({words})s?(?![\w-])", rest, re.IGNORECASE)):
            said = next(word for word in waiting if word.lower() == match[1].lower())
            link = addnodes.pending_xref(
                "", refdomain="std", reftype="term", reftarget=waiting.pop(said), refexplicit=True, refwarn=True
            )
            link += nodes.inline("", match[0], classes=["xref", "std", "std-term"])
            parts += [nodes.Text(rest[: match.start()]), link]
            rest = rest[match.end() :]
            words = "|".join(re.escape(word) for word in sorted(waiting, key=len, reverse=True))
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(rest)])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", link_first)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
