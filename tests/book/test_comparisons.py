"""The tables that compare: whole as plain HTML, and sorted and filtered by their script in a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page

from tests.book import site
from tutorial_lib.evidence.comparison import Comparison, Measure, Row

comparisons = site.extension("comparisons")
RATE = Measure("success", "attack success", "%", best="low", bounds=(0, 1))
RATING = Measure("der", "DER", best="high", form=".3f")


def row(attack: str, defense: str, success: float | None, rating: float | None) -> Row:
    values = {"success": RATE.over([] if success is None else [success, success + 0.02])}
    return Row((attack, defense), values | ({} if rating is None else {"der": RATING.over([rating])}))


TABLE = Comparison(
    "defenses",
    "Small <models>",
    ("attack", "defense"),
    (RATE, RATING),
    (
        row("badnets", "none", 0.9, None),
        row("badnets", "CleanCLIP", 0.2, 0.85),
        row("wanet", "CleanCLIP", 0.5, 0.6),
        row("wanet", "finetuning", 0.06, 0.95),
        row("wanet", "another", None, None),
    ),
    "test",
)


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    script = (site.BOOK / "_ext" / "static" / "comparison.js").read_text("utf-8")
    opened = chromium.new_page()
    opened.set_content(f"<!DOCTYPE html><title>a table</title>{comparisons.html(TABLE)}<script>{script}</script>")
    yield opened
    opened.close()


def words(page: Page) -> list[str]:
    return [" ".join(r.locator("th").all_text_contents()) for r in page.locator("tbody tr:visible").all()]


def test_without_a_script_every_number_stands_in_the_table() -> None:
    made = BeautifulSoup(comparisons.html(TABLE), "html.parser")
    caption = made.find(id=made.table["aria-labelledby"])
    assert caption.text.startswith("Small <models>.")
    assert caption.find_parent(class_="comparison") is None  # else it is cut where the table scrolls
    assert [head.text for head in made.thead("th")] == ["attack", "defense", "attack success (%)", "DER"]
    cells = [[cell.text for cell in line("td")] for line in made.tbody("tr")]
    assert cells[1][1] == "0.850"
    assert cells[1][0].startswith("21.0 [")
    assert cells[0][1] == "–"
    assert cells[4] == ["not run", "–"]
    assert not made.find("button")
    assert not made.find("select")


def test_a_column_sorts_with_the_best_first_and_turns_round(page: Page) -> None:
    page.get_by_role("button", name="DER").click()
    assert words(page)[:3] == ["wanet finetuning", "badnets CleanCLIP", "wanet CleanCLIP"]
    assert words(page)[3:] == ["badnets none", "wanet another"]  # not measured
    assert page.locator("th[aria-sort=descending]").inner_text() == "DER"
    page.get_by_role("button", name="DER").click()
    assert words(page)[:3] == ["wanet CleanCLIP", "badnets CleanCLIP", "wanet finetuning"]
    page.get_by_role("button", name="attack success").click()
    assert [w.split()[-1] for w in words(page)] == ["finetuning", "CleanCLIP", "CleanCLIP", "none", "another"]
    assert page.locator("th[aria-sort]").count() == 1
    page.get_by_role("button", name="defense").click()
    assert words(page)[0] == "wanet another"


def test_numbers_are_sorted_as_numbers(page: Page) -> None:
    """0.06 before 0.2, though 7 stands behind 2."""
    page.get_by_role("button", name="attack success").click()
    shown = [cell.get_attribute("data-value") for cell in page.locator("tbody tr td:nth-of-type(1)").all()]
    found = [float(value) for value in shown if value is not None]
    assert found == sorted(found)


def test_choices_hide_rows_and_say_how_many_are_left(page: Page) -> None:
    page.get_by_label("attack").select_option("wanet")
    assert words(page) == ["wanet CleanCLIP", "wanet finetuning", "wanet another"]
    page.get_by_label("defense").select_option("CleanCLIP")
    assert words(page) == ["wanet CleanCLIP"]
    assert page.locator("output").inner_text() == "1 of 5 rows"
    page.get_by_role("button", name="DER").click()
    assert words(page) == ["wanet CleanCLIP"]
    page.get_by_label("attack").select_option("all")
    assert len(words(page)) == 2
