"""Quizzes and exercises as they stand in the built pages."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from tests.book import site


@pytest.mark.parametrize("name", site.chapter_names())
def test_stubs_and_solutions_were_checked_in_the_build(name: str) -> None:
    """The page shows what the checks say: that stubs are not right yet, and that solutions are."""
    page = BeautifulSoup((site.HTML / f"{name}.html").read_text(), "html.parser")
    words = [said.select_one("strong").text for said in page.select("p.check")]
    exercises = len(page.select(".admonition.exercise"))
    assert 3 <= exercises <= 6
    assert words == ["Not yet:", "Right."] * exercises


@pytest.mark.parametrize("name", site.chapter_names())
def test_a_quiz_says_something_about_every_choice(name: str) -> None:
    page = BeautifulSoup((site.HTML / f"{name}.html").read_text(), "html.parser")
    questions = page.select("ol.quiz > li")
    assert 4 <= len(questions) <= 6
    for question in questions:
        words = [choice.select_one("p strong").text for choice in question.select("details")]
        assert 3 <= len(words) <= 4
        assert words.count("Right.") == 1
        assert words.count("No.") == len(words) - 1
        for choice, word in zip(question.select("details"), words, strict=True):
            links = choice.select("a.quiz-back")
            assert len(links) == (word == "No.")
            for link in links:
                section = page.select_one(f"section#{link['href'].removeprefix('#')}")
                assert section is not None
                assert link.get_text().startswith("Read again: ")
                assert link.get_text().removeprefix("Read again: ") in section.get_text()
        assert all(len(choice.select_one("summary").text) > 0 for choice in question.select("details"))
