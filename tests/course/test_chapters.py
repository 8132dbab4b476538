"""The chapters and the first page of the book, which lists them."""

import re

from tutorial_lib import places
from tutorial_lib.course import chapters


def test_the_first_page_lists_every_chapter_in_its_order() -> None:
    text = (places.book() / "index.md").read_text()
    rows = re.findall(r"^\| \[\]\((\w+)\.md\) \| [^|]+\? \| [^|]+ \|$", text, re.M)
    assert rows == [path.stem for path in chapters.chapters()], "the table of book/index.md"
