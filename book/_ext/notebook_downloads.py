"""Sphinx extension: every chapter with code can be downloaded as a Jupyter notebook from its own page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
from sphinx.application import Sphinx


def offer_notebook(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Write `_sources/<page>.ipynb`; the theme adds a button for what `ipynb_source` names."""
    if doctree is None or "kernelspec" not in app.env.metadata.get(pagename, {}):
        return
    notebook = Path(app.outdir, "_sources", f"{pagename}.ipynb")
    notebook.parent.mkdir(parents=True, exist_ok=True)
    jupytext.write(jupytext.read(app.env.doc2path(pagename)), notebook)
    context["ipynb_source"] = f"{pagename}.ipynb"


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", offer_notebook)  # before the theme's buttons, which come at priority 501
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
