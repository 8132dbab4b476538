"""Figures carry alt text and show the data they are given."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from tutorial_lib import plots


def test_a_figure_without_alt_text_is_refused():
    with pytest.raises(ValueError, match="alt text"):
        plots.figure(" ")


def test_contact_sheet_shows_every_pixel_of_every_picture():
    images = torch.randint(0, 256, (5, 3, 4, 6), dtype=torch.uint8)
    sheet = np.asarray(plots.contact_sheet(images, columns=2, zoom=3, gap=1))
    assert sheet.shape == (3 * 5 * 3, 2 * 7 * 3, 3)
    for i in range(5):
        row, column = divmod(i, 2)
        for y in range(4):
            for x in range(6):
                cell = sheet[(row * 5 + y) * 3 : (row * 5 + y + 1) * 3, (column * 7 + x) * 3 : (column * 7 + x + 1) * 3]
                assert (cell == images[i, :, y, x].numpy()).all()


def test_picture_grid_embeds_the_sheet_and_its_titles():
    images = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    fig = plots.pictures(images, "four", titles=list("abcd"), columns=2)
    png = base64.b64decode(fig.data[0].source.split(",", 1)[1])
    assert Image.open(io.BytesIO(png)).size == plots.contact_sheet(images, columns=2, gap=7).size
    assert [a.text for a in fig.layout.annotations] == list("abcd")
    assert fig.layout.meta["alt"] == "four"
    assert fig.layout.meta["sheet"] == {"count": 4, "columns": 2, "picture": [24, 24], "cell": [45, 45]}


def test_long_titles_are_broken_at_spaces_and_have_room():
    images = torch.zeros(4, 3, 20, 20, dtype=torch.uint8)
    titles = ["a low resolution toy of a rooster", "one", "already<br>broken", "unbreakablewordofgreatlength"]
    fig = plots.pictures(images, "four", titles=titles, columns=2, zoom=4)
    shown = [a.text for a in fig.layout.annotations]
    assert shown == ["a low<br>resolution<br>toy of a<br>rooster", *titles[1:]]
    assert [" ".join(text.split("<br>")) for text in shown] == [" ".join(text.split("<br>")) for text in titles]
    right, down = fig.layout.meta["sheet"]["cell"]
    assert (
        down - 4 * 20 >= 4 * 14 > right - 4 * 20
    )  # room for four lines, and pictures beside each other as close as ever
    png = base64.b64decode(fig.data[0].source.split(",", 1)[1])
    assert Image.open(io.BytesIO(png)).size == (2 * right, 2 * down)
    assert [(a.x, a.y) for a in fig.layout.annotations] == [
        (40, 80),
        (right + 40, 80),
        (40, down + 80),
        (right + 40, down + 80),
    ]


def test_groups_differ_in_colour_and_marker():
    points = np.random.default_rng(0).normal(size=(30, 2))
    fig = plots.scatter_groups(points, ["a", "b", "c"] * 10, "three groups")
    assert len({t.marker.color for t in fig.data}) == len({t.marker.symbol for t in fig.data}) == 3
    assert sum(len(t.x) for t in fig.data) == 30


def test_maps_stand_side_by_side_with_one_legend():
    draw = np.random.default_rng(0)
    maps = {name: draw.normal(size=(6, 2)) for name in ("before", "after")}
    fig = plots.side_by_side(maps, ["a", "b"] * 3, "two maps")
    assert [a.text for a in fig.layout.annotations] == ["before", "after"]
    assert [t.xaxis for t in fig.data] == ["x", "x", "x2", "x2"]
    assert [bool(t.showlegend) for t in fig.data] == [True, True, False, False]
    assert np.allclose(fig.data[3].y, maps["after"][1::2, 1].round(3))


def test_a_name_of_the_table_has_its_style_whatever_its_number():
    for number in (0, 3):
        fig = plots.line(plots.figure("x"), [1], [1], "CleanCLIP", number=number)
        assert (fig.data[0].line.color, fig.data[0].marker.symbol) == (plots.GREEN, "diamond")
    fig = plots.scatter_groups(np.zeros((2, 2)), ["x ⊕ bd", "x"], "with the trigger first")
    assert [trace.marker.color for trace in fig.data] == [plots.VERMILION, plots.BLUE]
    fig = plots.density(plots.figure("x"), torch.zeros(3), "x", number=4)
    assert fig.data[0].line.color == plots.BLUE


def test_a_line_like_another_has_its_colour_and_a_dash_of_its_own():
    own, like = plots.style("CleanCLIP"), plots.style("CleanCLIP, longer", 1, like="CleanCLIP")
    assert own.colour == like.colour
    assert own.dash != like.dash
    assert own.marker != like.marker
    with pytest.raises(KeyError):
        plots.style("a method", like="nobody knows it")


def test_methods_differ_and_nothing_but_the_attack_is_vermilion():
    """Also for readers who see no colours: what differs in colour differs in marker."""
    names = list(plots.STYLES)
    cleaned = names[: names.index("zero-shot")]
    for part in ([plots.STYLES[n] for n in cleaned], [plots.STYLES[n] for n in names[len(cleaned) :][:3]]):
        for k in range(2):
            assert len({style[::2][k] for style in part}) == len(part)
    red = {name for name, style in plots.STYLES.items() if style.colour == plots.VERMILION}
    assert red == {"x ⊕ bd", "triggered", "pairs with the trigger", "attack success"}


def test_a_log_axis_has_ticks_where_something_was_measured():
    fig = plots.log_axis(plots.figure("x"), [100, 3, 20, 3, 0, 20_000, 5_299_200])
    assert fig.layout.xaxis.type == "log"
    assert list(fig.layout.xaxis.tickvals) == [3, 20, 100, 20_000, 5_299_200]
    assert list(fig.layout.xaxis.ticktext) == ["3", "20", "100", "20k", "5.3M"]
    for value, text in zip(fig.layout.xaxis.tickvals, fig.layout.xaxis.ticktext, strict=True):
        read = float(text.rstrip("kM").replace(",", "")) * {"k": 1e3, "M": 1e6}.get(text[-1], 1)
        assert read == pytest.approx(value, rel=0.005)


def test_line_draws_its_interval():
    fig = plots.line(plots.figure("x"), [1, 2], [0.5, 0.6], "n", low=[0.4, 0.3], high=[0.7, 0.9])
    assert np.allclose(fig.data[0].error_y.array, [0.2, 0.3])
    assert np.allclose(fig.data[0].error_y.arrayminus, [0.1, 0.3])


def test_density_has_area_one():
    fig = plots.density(plots.figure("x"), torch.rand(5000) - 0.5, "d")
    assert np.trapezoid(fig.data[0].y, fig.data[0].x) == pytest.approx(1, abs=0.02)


def test_legend_stays_off_the_plot():
    assert plots.figure("x").layout.legend.orientation == "h"
