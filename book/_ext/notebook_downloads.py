"""Sphinx extension: every chapter with code can be downloaded as a Jupyter notebook from its own page.

Its text is what JupyterLab can show: numbers, names of figures and citations in place, quizzes and hints folded. Where
the course has a repository, its first cell installs the course if it is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import doors
import jupytext
import plain_markdown
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

# Tags of cells whose source is folded on the page.
FOLDED = {"hide-cell", "hide-input", "remove-cell", "remove-input", "solution"}
UNFOLDED = "parameters"  # what a reader is to change stays in sight in a notebook
NOTE = (
    "*A chapter of the course “{title}”. Its cells need the environment that `make setup` makes; live figures are on "
    "its page.*"
)
INSTALLS = (
    "*A chapter of the course “{title}”. The first cell installs what the others need; live figures are on its page.*"
)


def values(doctree: nodes.document) -> Iterator[nodes.Element]:
    """Numbers and verdicts that roles have put into the text, in its order."""
    for node in doctree.findall(nodes.Element):
        classes = node.get("classes", ())
        if {"pasted-text", "measured", "verdict"} & set(classes) and not _in_claims(node):
            yield node


def _in_claims(node: nodes.Node | None) -> bool:
    """Whether it belongs to a list of claims, which a notebook tells in its own way."""
    while node is not None and "claims" not in getattr(node, "attributes", {}).get("classes", ()):
        node = node.parent
    return node is not None


class Speaker:
    """What the roles of a page say, as its `Say` for `plain_markdown`.

    Raises:
        ValueError: a role that no notebook has had yet.
    """

    def __init__(self, env: BuildEnvironment, doctree: nodes.document) -> None:
        self.env = env
        self.left = values(doctree)
        self.bibliography = Path(env.srcdir, "references.bib")

    def __call__(self, role: str, text: str) -> str:
        if role in ("glue:text", "measured", "interval", "verdict", "shipped"):
            said = next(self.left, None)
            if said is None:
                raise ValueError(f"nothing on the page stands for {role} {text!r}")
            return said.astext()
        if role in ("cite", "cite:p", "cite:t"):
            return plain_markdown.cited(text, self.bibliography, textual=role == "cite:t")
        if role == "doc":
            return self.env.titles[text].astext()
        if role == "numref":
            page, anchor, _ = self.env.domains["std"].labels[text]
            number = self.env.toc_fignumbers[page]["figure"][anchor]
            return self.env.config.numfig_format["figure"] % ".".join(map(str, number))
        raise ValueError(f"a notebook cannot show the role {role!r} yet")


def offer_notebook(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Write `_sources/<page>.ipynb`; the theme adds a button for what `ipynb_source` names."""
    if doctree is None or "kernelspec" not in app.env.metadata.get(pagename, {}):
        return
    notebook = jupytext.read(app.env.doc2path(pagename))
    speaker = Speaker(app.env, doctree)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = plain_markdown.plain(cell.source, speaker)
        elif FOLDED & (tags := set(cell.metadata.get("tags", ()))) and UNFOLDED not in tags:
            cell.metadata["jupyter"] = {"source_hidden": True}
    if (unsaid := next(speaker.left, None)) is not None:
        raise ValueError(f"{pagename}: {unsaid.astext()!r} stands on the page and not in its notebook")
    notebook.cells = [c for c in notebook.cells if c.source]
    found = doors.repository(app.config)
    first = notebook.cells[0]
    first.source += "\n\n" + (INSTALLS if found else NOTE).format(title=app.config.project)
    doors.with_install_cell(notebook, found)
    path = Path(app.outdir, "_sources", f"{pagename}.ipynb")
    path.parent.mkdir(parents=True, exist_ok=True)
    jupytext.write(notebook, path)
    context["ipynb_source"] = f"{pagename}.ipynb"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", offer_notebook)  # before the theme's buttons, which come at priority 501
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
