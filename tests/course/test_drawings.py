"""The drawings of `tutorial_lib.course.drawings`: canvas, attacks, defenses, learning."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

import pytest

from tutorial_lib import places, plots
from tutorial_lib.course import drawings
from tutorial_lib.course.drawings import canvas

SVG = "{http://www.w3.org/2000/svg}"
#: Pixels of a phone's page, and width of a letter in units of the font's size.
PHONE, LETTER = 360, 0.58


def drawn(name: str, narrow: bool) -> ElementTree.Element:
    draw, title = drawings.DRAWINGS[name]
    return ElementTree.fromstring(draw(narrow).svg(title, alone=True))


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "phone"])
@pytest.mark.parametrize("name", drawings.DRAWINGS)
def test_a_drawing_says_what_it_shows_and_keeps_its_letters_in_sight(name: str, narrow: bool) -> None:
    """Letters of 11 pixels and more where the drawing is as wide as its page, and none beyond its edges."""
    root = drawn(name, narrow)
    wide, high = map(float, root.attrib["viewBox"].split()[2:])
    assert root.attrib["role"] == "img"
    assert len(root.findtext(f"{SVG}title") or "") > 60
    assert wide == (PHONE if narrow else 720)
    texts = list(root.iter(f"{SVG}text"))
    assert texts
    for text in texts:
        size, x, y = (float(text.attrib[key]) for key in ("font-size", "x", "y"))
        assert size >= 11
        if "transform" in text.attrib:
            continue
        lines = [line.text or "" for line in text] or [text.text or ""]
        reach = max(map(len, lines)) * size * LETTER
        left = x - reach * {"start": 0, "middle": 0.5, "end": 1}[text.attrib["text-anchor"]]
        assert left >= -4, lines
        assert left + reach <= wide + 4, lines
        assert y >= size * 0.7, lines
        assert y + (len(lines) - 1) * size * 1.25 <= high - 2, lines


def test_colours_are_those_of_the_charts_and_left_to_the_page() -> None:
    assert canvas.COLOURS["attack"] == plots.VERMILION
    assert canvas.COLOURS["defend"] == plots.STYLES["CleanCLIP"].colour
    pages = (places.book() / "_ext" / "static" / "book.css").read_text("utf-8")
    for word in ("holds", "fails"):
        assert f"--verdict-{word}: {canvas.COLOURS[word]};" in pages
    for name in drawings.DRAWINGS:
        page = drawings.html(name)
        for kind, fallback in re.findall(r"var\(--draw-(\w+), (#\w+)\)", page):
            assert canvas.COLOURS[kind] == fallback
        assert "currentColor" in page
        assert "<script" not in page


def test_a_page_has_both_layouts_and_a_notebook_a_picture() -> None:
    page = drawings.html("towers")
    assert page.count("<svg") == 2
    assert 'class="still-phone"' in page
    text = drawings.markdown("towers")
    body = re.fullmatch(r"!\[[^\]]+\]\(data:image/svg\+xml;base64,([\w+/=]+)\)", text)
    assert body is not None
    assert ElementTree.fromstring(base64.b64decode(body[1])).tag == f"{SVG}svg"
    with pytest.raises(ValueError, match="no drawing 'tower'; there are views, towers"):
        drawings.html("tower")


def test_an_arrow_ends_at_its_tip_and_a_warp_moves_a_picture() -> None:
    one = canvas.Canvas(100, 100)
    one.arrow((0, 0), (50, 0), both=True)
    assert one.parts[0].count("M0.0 0.0Q25.0 0.0 50.0 0.0") == 1
    assert len(one.parts) == 3
    plain, bent = canvas.Canvas(10, 10), canvas.Canvas(10, 10)
    plain.picture(0, 0, 10, "house")
    bent.picture(0, 0, 10, "house", warp=lambda a, b: (b, a))
    assert len(plain.parts) == len(bent.parts)
    assert plain.parts[:-1] != bent.parts[:-1]
