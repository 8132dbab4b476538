"""Figures as still pictures: where marks and ticks stand, and that the pages have one for each figure."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import pytest
from bs4 import BeautifulSoup

from tests.book import site
from tutorial_lib import plots, profiles
from tutorial_lib.evidence import registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.experiments._series import curve

stills = site.extension("stills")
DRAWN = [(name, part) for name in registry.names(explanations=True) for part in registry.plots(name)]


def plain(figure: go.Figure) -> dict:
    """As a notebook holds it."""
    return json.loads(figure.to_json())


def points(svg: ElementTree.Element) -> list[tuple[float, float]]:
    """Middles of the round markers, in the order of drawing."""
    return [(float(e.attrib["cx"]), float(e.attrib["cy"])) for e in svg.iter("circle")]


@pytest.fixture(scope="module")
def pilot() -> Results:
    return Results(profiles.get("pilot"))


def test_ticks_that_are_given_are_those_drawn() -> None:
    fig = plots.log_axis(plots.line(plots.figure("x"), [3, 20, 2000], [1, 2, 3], "a"), [3, 20, 2000])
    drawn = ElementTree.fromstring(stills.svg(plain(fig)))
    placed = {"".join(t.itertext()): float(t.attrib["x"]) for t in drawn.iter("text") if t.get("x")}
    assert placed["3"] < placed["20"] < placed["2,000"]
    assert {"5", "10", "100"} & placed.keys() == set()


@pytest.mark.parametrize(("name", "part"), DRAWN, ids=lambda v: str(v))
def test_every_figure_of_the_records_has_a_still_picture(pilot: Results, name: str, part: str) -> None:
    figure = getattr(registry.load(name), part)(pilot)
    drawn = stills.svg(plain(figure))
    root = ElementTree.fromstring(drawn)
    said = " ".join("".join(text.itertext()) for text in root.iter("text"))
    assert "nan" not in drawn.replace("banana", "")  # a target, and no number
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert axis.title.text is None or axis.title.text in said
    named = [t.name for t in figure.data if t.name and t.showlegend is not False]
    if len(named) > 1 and figure.layout.showlegend is not False:
        assert all(each in said for each in named)
    marked = sum(len(t.y) for t in figure.data if t.type == "bar" or "markers" in t.mode)
    shapes = sum(1 for kind in ("circle", "path", "rect") for _ in root.iter(kind))
    assert shapes >= marked


def test_a_point_stands_where_its_numbers_say() -> None:
    figure = plots.line(plots.figure("a line", x="x", y="y (%)"), [0, 5, 10], [10, 20, 30], "line")
    (left, low), (middle, half), (right, high) = points(ElementTree.fromstring(stills.svg(plain(figure))))
    assert middle == pytest.approx((left + right) / 2, abs=0.2)
    assert half == pytest.approx((low + high) / 2, abs=0.2)
    assert low > high  # up is less
    assert 60 <= left < right <= 680


def test_a_logarithmic_axis_has_equal_steps_and_powers_for_small_numbers() -> None:
    figure = plots.line(plots.figure("a line", x="x", y="y"), [1, 10, 100], [1e-4, 1e-2, 1.0], "line")
    figure.update_xaxes(type="log")
    figure.update_yaxes(type="log", exponentformat="power")
    root = ElementTree.fromstring(stills.svg(plain(figure)))
    (a, top), (b, middle), (c, foot) = points(root)
    assert b - a == pytest.approx(c - b, abs=0.2)
    assert middle - top == pytest.approx(foot - middle, abs=0.2)
    assert "10⁻⁴" in {text.text for text in root.iter("text")}


def test_words_stand_in_a_row_and_curves_beside_each_other() -> None:
    figure = plots.figure("curves", y="success (%)")
    for name in ("before", "CleanCLIP"):
        curve(figure, ["a", "b", "c"], [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]], name, joined=False)
    root = ElementTree.fromstring(stills.svg(plain(figure)))
    words = [float(text.attrib["x"]) for text in root.iter("text") if text.text in ("a", "b", "c")]
    assert words[1] - words[0] == pytest.approx(words[2] - words[1])
    before = [x for x, _ in points(root)][-3:]
    assert all(x < word for x, word in zip(before, words, strict=True))


def test_error_bars_reach_their_ends() -> None:
    figure = plots.line(plots.figure("a bar", y="y (%)"), [0, 1], [10, 20], "bar", low=[0, 20], high=[30, 20])
    svg = stills.svg(plain(figure))
    bars = re.search(r'd="M([\d.]+) ([\d.]+)V([\d.]+)M', svg)
    assert bars is not None
    (_, ten), (_, twenty) = points(ElementTree.fromstring(svg))
    unit = (ten - twenty) / 10
    assert float(bars[2]) == pytest.approx(ten + 10 * unit, abs=0.3)
    assert float(bars[3]) == pytest.approx(ten - 20 * unit, abs=0.3)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3.2, 7.7), (0.012, 0.019), (0, 99.3), (1e5, 2.4e6)])
def test_ticks_are_round_and_few(low: float, high: float) -> None:
    found = stills.rounded(low, high)
    assert 3 <= len(found) <= 9
    assert all(low <= v <= high for v in found)
    steps = np.diff(found)
    assert steps == pytest.approx(np.full(len(steps), steps[0]))
    assert all(len(f"{v:.10g}".replace(".", "").strip("-0")) <= 3 for v in found)


def test_decades() -> None:
    assert stills.decades(-4, 0) == pytest.approx([1e-4, 1e-3, 1e-2, 0.1, 1])
    assert stills.decades(0, 1.1) == pytest.approx([1, 2, 5, 10])


def test_line_breaks_and_bold_words_of_plotly_are_kept() -> None:
    text = ElementTree.fromstring(stills.text(5, 9, "a &lt; b<br><b>c</b>"))
    assert [span.text for span in text] == ["a < b", "c"]
    assert text[1].attrib["font-weight"] == "600"


@pytest.mark.parametrize("name", site.chapter_names())
def test_a_page_has_a_still_picture_for_each_of_its_charts(name: str) -> None:
    page = BeautifulSoup((site.HTML / f"{name}.html").read_text(), "html.parser")
    for chart in page.select(".plotly-embed"):
        assert chart.select_one("noscript svg.still") is not None
