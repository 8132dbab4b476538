"""Sheets of pictures are cut and laid out anew: every picture once, rows that are to be compared below each other."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
import torch

from tests.book import site
from tutorial_lib import plots

sheets = site.extension("sheets")


def figure(count: int, columns: int, titles: list[str] | None = None) -> dict:
    drawn = plots.pictures(torch.zeros(count, 3, 8, 8, dtype=torch.uint8), "pictures", titles=titles, columns=columns)
    return json.loads(drawn.to_json())


def places(given: dict, most: int) -> dict[tuple[int, int], tuple[float, float]]:
    """Where the picture of a row and a column of the sheet came to lie."""
    right, down = given["layout"]["meta"]["sheet"]["cell"]
    found = {}
    for cell in ElementTree.fromstring(sheets.sheet(given, most, 12)).findall("svg"):
        left, top, _, _ = map(float, cell.attrib["viewBox"].split())
        found[round(top / down), round(left / right)] = (float(cell.attrib["x"]), float(cell.attrib["y"]))
    return found


@pytest.mark.parametrize("most", [3, 4, 8])
def test_every_picture_is_there_once_and_columns_stay_together(most: int) -> None:
    found = places(figure(16, 8), most)
    assert len(found) == len(set(found.values())) == 16
    for column in range(8):
        (x, y), (below, further) = found[0, column], found[1, column]
        assert x == below
        assert further > y
        others = [b for (_, c), (a, b) in found.items() if c != column and a == x]
        assert not [b for b in others if y < b < further]  # nothing comes between the two
    assert len({x for x, _ in found.values()}) <= most


def test_an_unfinished_row_and_a_small_sheet_stay_as_they_are() -> None:
    found = places(figure(5, 3), 8)
    assert len(found) == 5
    assert found[1, 0][0] == found[0, 0][0]


def test_a_text_stands_below_its_picture_and_is_no_wider() -> None:
    given = figure(4, 2, titles=["one", "two", "aratherlongname", "four"])
    root = ElementTree.fromstring(sheets.sheet(given, 2, 20))
    cells, texts = root.findall("svg"), root.findall("text")
    assert [text.text for text in texts] == ["one", "two", "aratherlongname", "four"]
    for cell, text in zip(cells, texts, strict=True):
        x, y, wide, high = (float(cell.attrib[key]) for key in ("x", "y", "width", "height"))
        assert float(text.attrib["x"]) == pytest.approx(x + wide / 2)
        assert float(text.attrib["y"]) > y + high
        pitch = given["layout"]["meta"]["sheet"]["cell"][0]
        left, _, page, _ = map(float, root.attrib["viewBox"].split())
        reach = len("aratherlongname") * float(text.attrib["font-size"]) * 0.56 / 2
        assert left - 0.1 <= float(text.attrib["x"]) - reach <= float(text.attrib["x"]) + reach <= left + page + 0.1
        assert len("aratherlongname") * float(text.attrib["font-size"]) * 0.56 <= pitch + 0.1


def test_both_layouts_share_the_bytes() -> None:
    page = sheets.laid_out(figure(16, 8))
    assert page.count("data:image/png") == 1
    assert page.count("<use ") == 32
    assert sheets.is_sheet(figure(2, 2))
    assert not sheets.is_sheet(json.loads(plots.line(plots.figure("x"), [1], [1], "a").to_json()))
