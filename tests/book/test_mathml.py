"""Formulas of the slides: what each part of TeX becomes, and that none of the course's is refused."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.book import site

mathml = site.extension("mathml").mathml
CODE = re.compile(r"^```\{code-cell\}.*?^```$", re.M | re.S)
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$\n]+?)\$", re.S)


def shape(tex: str) -> str:
    """The elements of a formula, without the row around it."""
    return mathml(tex).removeprefix("<math><mrow>").removesuffix("</mrow></math>")


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        ("x_i", "<msub><mi>x</mi><mi>i</mi></msub>"),
        ("x_i^2", "<msubsup><mi>x</mi><mi>i</mi><mrow><mn>2</mn></mrow></msubsup>"),
        ("X'", '<mrow><mi>X</mi><mo lspace="0" rspace="0">′</mo></mrow>'),
        ("-0.14", "<mo>−</mo><mn>0.14</mn>"),
        (r"x \oplus bd", "<mi>x</mi><mo>⊕</mo><mi>b</mi><mi>d</mi>"),
        (r"\mathcal P", '<mi class="mathcal">P</mi>'),
        (r"\text{caption set}", "<mtext>caption set</mtext>"),
        (r"\sqrt{2}", "<msqrt><mrow><mn>2</mn></mrow></msqrt>"),
        (r"\sum_{i}^B", "<munderover><mo>∑</mo><mrow><mi>i</mi></mrow><mrow><mi>B</mi></mrow></munderover>"),
        (r"a < b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
        (r"\operatorname*{Mean}_u", "<msub><mi>Mean</mi><mi>u</mi></msub>"),
        ("(a)", '<mo stretchy="false">(</mo><mi>a</mi><mo stretchy="false">)</mo>'),
        (r"\bigl(", '<mo stretchy="true" minsize="1.2em" maxsize="1.2em">(</mo>'),
        (r"\tfrac12", '<mstyle displaystyle="false"><mfrac><mn>1</mn><mn>2</mn></mfrac></mstyle>'),
    ],
)
def test_parts_of_a_formula(tex: str, expected: str) -> None:
    assert shape(tex) == expected


def test_lines_and_columns() -> None:
    table = ElementTree.fromstring(mathml(r"\begin{aligned} a &= b \\ &= c \end{aligned}", display=True)).find(
        ".//mtable"
    )
    assert table is not None
    assert [["".join(cell.itertext()) for cell in row] for row in table] == [["a", "=b"], ["", "=c"]]


@pytest.mark.parametrize(
    ("tex", "why"), [(r"\unheard", "unheard"), ("{x", "'}'"), ("x_", "too early"), ("x}", "alone")]
)
def test_what_is_not_known_is_refused(tex: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        mathml(tex)


@pytest.mark.parametrize("name", sorted(path.stem for path in site.BOOK.glob("*.md")))
def test_every_formula_of_the_book_is_well_formed(name: str) -> None:
    text = CODE.sub("", (site.BOOK / f"{name}.md").read_text())
    for match in FORMULA.finditer(text):
        root = ElementTree.fromstring(mathml(match[1] or match[2], display=bool(match[1])))
        assert "".join(root.itertext()).strip()
