"""Tables as text and as HTML, cell by cell."""

from html.parser import HTMLParser

import pytest

from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._defended import percent

TABLE = Table(("poisons", "z"), (("0", "0.1"), ("128", "a long one"), ("<b>&", "")))


class Cells(HTMLParser):
    """Rows of a table, each cell with its tag."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.rows: list[list[tuple[str, str]]] = []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append((tag, ""))

    def handle_data(self, data):
        tag, text = self.rows[-1][-1]
        self.rows[-1][-1] = tag, text + data


def test_text_has_columns_that_end_below_each_other() -> None:
    lines = repr(TABLE).splitlines()
    assert len({len(line) for line in lines}) == 1
    for line, row in zip(lines, (TABLE.head, *TABLE.rows), strict=True):
        first, second = line[: len("poisons")], line[len("poisons") + 2 :]
        assert (first.strip(), second.strip()) == row
        assert first.endswith(row[0])
        assert second.endswith(row[1])


def test_html_has_every_cell_and_escapes_it() -> None:
    expected = [[("th", cell) for cell in TABLE.head], *([("td", cell) for cell in row] for row in TABLE.rows)]
    assert Cells(TABLE._repr_html_()).rows == expected
    assert "<b>" not in TABLE._repr_html_()


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="argument 3"):
        repr(Table(("a", "b"), (("1", "2"), ("1",))))


def test_a_column_can_be_left_out():
    left = TABLE.without("poisons")
    assert left == Table(("z",), (("0.1",), ("a long one",), ("",)))
    assert TABLE.without("nothing of that name") == TABLE


def test_brackets_of_models_are_explained() -> None:
    """As `percent` of the experiments writes them; other brackets have no such note."""
    ranged = Table(("attack", "left (%)"), (("one", percent([0.1, 0.3])),))
    assert "the lowest and the highest model" in ranged._repr_html_()
    assert "<caption>" not in Table(("attack",), (("one (2 to 3)",),))._repr_html_()
