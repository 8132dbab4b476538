"""How the texts of chapters are written, so that their pages can be read: before anything is built."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import jupytext
import nbformat
import pytest

from tutorial_lib.course import chapters

CHAPTERS = chapters.chapters()
#: Characters of a line of code that a page shows without scrolling at 1280 pixels.
WIDTH = 80


def cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_code_fits_its_box(path: Path) -> None:
    long = [line for cell in cells(path) for line in cell.source.splitlines() if len(line) > WIDTH]
    assert not long, f"longer than {WIDTH} characters"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_chapter_opens_with_folded_imports_and_parameters(path: Path) -> None:
    """A reader comes for the question, and not for twenty lines of imports."""
    imports, parameters = cells(path)[:2]
    assert any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(imports.source).body)
    assert "hide-input" in imports.metadata["tags"]
    assert {"hide-input", "parameters"} <= set(parameters.metadata["tags"])
    for cell in cells(path):
        only_imports = all(isinstance(n, ast.Import | ast.ImportFrom) for n in ast.parse(cell.source).body)
        assert not only_imports or "hide-input" in cell.metadata["tags"], cell.source


def test_the_folded_cells_say_what_is_in_them() -> None:
    for path in CHAPTERS:
        assert re.search(r"^:mystnb: \{code_prompt_show: Imports, ", path.read_text(), re.M), path.stem
