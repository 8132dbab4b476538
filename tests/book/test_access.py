"""An automatic accessibility check of every page, by day and by night and on a phone: nothing serious is found."""

from __future__ import annotations

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from playwright.sync_api import Browser

from tests.book import site

SERIOUS = ("critical", "serious")
LOOKS = {"light": (1280, 900), "dark": (1280, 900), "phone": (390, 844)}


def findings(chromium: Browser, url: str, look: str) -> list[dict[str, Any]]:
    """What axe-core calls critical or serious, each with the first element that it names."""
    width, height = LOOKS[look]
    page = chromium.new_page(
        viewport={"width": width, "height": height}, color_scheme="dark" if look == "dark" else "light"
    )
    try:
        page.goto(url)
        site.settle(page)
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    finally:
        page.close()
    return [
        {"rule": v["id"], "impact": v["impact"], "elements": len(v["nodes"]), "first": v["nodes"][0]["html"][:200]}
        | {"why": v["nodes"][0]["failureSummary"][:300]}
        for v in found
        if v["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", site.page_names())
def test_axe_finds_nothing_serious(chromium: Browser, address: str, name: str, look: str) -> None:
    assert findings(chromium, f"{address}/{name}.html", look) == []


@pytest.mark.parametrize("name", [name for name in site.page_names() if re.match(r"\d+_", name)])
def test_stubs_and_solutions_were_checked_in_the_build(name: str) -> None:
    """The page shows what the checks say: that stubs are not right yet, and that solutions are."""
    page = BeautifulSoup((site.HTML / f"{name}.html").read_text(), "html.parser")
    words = [said.select_one("strong").text for said in page.select("p.check")]
    exercises = len(page.select(".admonition.exercise"))
    assert 3 <= exercises <= 6
    assert words == ["Not yet:", "Right."] * exercises


@pytest.mark.parametrize("name", [name for name in site.page_names() if re.match(r"\d+_", name)])
def test_a_quiz_says_something_about_every_choice(name: str) -> None:
    page = BeautifulSoup((site.HTML / f"{name}.html").read_text(), "html.parser")
    questions = page.select("ol.quiz > li")
    assert 4 <= len(questions) <= 6
    for question in questions:
        words = [choice.select_one("p strong").text for choice in question.select("details")]
        assert len(words) >= 2
        assert "Right." in words
        assert set(words) <= {"Right.", "No."}
        assert all(len(choice.select_one("summary").text) > 0 for choice in question.select("details"))
