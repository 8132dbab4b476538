"""How the texts of chapters are written, so that their pages can be read: before anything is built."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import jupytext
import nbformat
import pytest

from tests.book import site
from tutorial_lib.course import chapters

CHAPTERS = chapters.chapters()
#: The extension that shows quizzes.
QUIZ: ModuleType = site.extension("quiz")
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


def test_what_is_folded_has_one_handle() -> None:
    """`hide-input` with `hide-output` makes two folds of one name, one below the other; `hide-cell` makes one."""
    for path in CHAPTERS:
        assert not [c.source for c in cells(path) if {"hide-input", "hide-output"} <= set(c.metadata.get("tags", ()))]


def test_the_folded_cells_say_what_is_in_them() -> None:
    for path in CHAPTERS:
        assert re.search(r"^:mystnb: \{code_prompt_show: Imports, ", path.read_text(), re.M), path.stem


def quiz(path: Path) -> list[Any]:
    """The questions of a chapter, their choices in the order of its page."""
    found = re.search(r"^```\{quiz\}\n(.*?)^```$", path.read_text(), re.M | re.S)
    assert found is not None
    questions: list[Any] = QUIZ.parse(found[1].splitlines())
    return questions


QUESTIONS = [question for path in CHAPTERS for question in quiz(path)]


def right(question: Any) -> int:
    """Where the right answer stands."""
    return [sign for sign, _, _ in question.choices].index("+")


def length(text: str) -> int:
    """Of what a reader sees: without the signs of formulas and links."""
    return len(re.sub(r"\$|\\[a-z]+|[{}*]|\]\(\w+\.md\)|\[", "", text))


def test_the_right_answer_stands_in_every_place() -> None:
    places = Counter(map(right, QUESTIONS))
    assert sorted(places) == [0, 1, 2, 3]
    assert min(places.values()) >= len(QUESTIONS) / 8
    assert max(places.values()) <= len(QUESTIONS) * 3 / 8
    for path in CHAPTERS:
        assert max(Counter(map(right, quiz(path))).values()) <= 3, path.stem


def test_the_right_answer_is_not_the_longest() -> None:
    """As often as chance has it, and nowhere by far: else a reader learns to look for it."""
    longest = 0
    for question in QUESTIONS:
        lengths = [length(text) for _, text, _ in question.choices]
        others = [n for k, n in enumerate(lengths) if k != right(question)]
        longest += lengths[right(question)] > max(others)
        assert lengths[right(question)] <= 1.5 * max(others), question.ask
        assert lengths[right(question)] >= 0.4 * min(others), question.ask
    assert longest <= 0.4 * len(QUESTIONS)


def test_most_questions_have_four_choices() -> None:
    assert sum(len(question.choices) == 4 for question in QUESTIONS) >= 0.9 * len(QUESTIONS)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_question_leads_back_to_a_section_of_its_page(path: Path) -> None:
    headings = re.findall(r"^#{2,4} (.+)$", path.read_text(), re.M)
    for question in quiz(path):
        assert question.back in headings, question.ask


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("Why?\n+ a\n  b\n- c\n  d\n- e\n  f", "ends with the section"),
        ("Why?\n+ a\n  b\n- c\n  d\n@ Here", "three or four choices, one of them right"),
        ("Why?\n+ a\n  b\n+ c\n  d\n- e\n  f\n@ Here", "three or four choices, one of them right"),
        ("Why?\n+ a\n  b\n- c\n  d\n- e\n@ Here", "a line that says why"),
        ("Why?\n+ a\n  b\n* c\n  d\n- e\n  f\n@ Here", "are needed, not '\\* c'"),
    ],
)
def test_a_quiz_that_cannot_be_read_is_refused(lines: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QUIZ.parse(lines.splitlines())


def test_choices_have_the_same_order_in_every_build() -> None:
    again = [question for path in CHAPTERS for question in quiz(path)]
    assert [q.choices for q in again] == [q.choices for q in QUESTIONS]
    assert any(right(q) for q in again)


def test_verdicts_are_explained_where_they_first_appear() -> None:
    """In the first chapter with claims, above them."""
    first = next(path.read_text() for path in CHAPTERS if "```{claims}" in path.read_text())
    assert "```{drawing} verdicts" in first
    assert first.index("```{drawing} verdicts") < first.index("```{claims}")
