"""Figures of the course, in plotly: colours that colour-blind readers can tell apart, alt text in every one.

Imports torch only where pictures are drawn: `tutorial claims` loads every experiment and answers at once.
"""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from PIL import Image

if TYPE_CHECKING:
    from torch import Tensor

#: Okabe & Ito's palette without yellow, and grey for black, which a dark page would swallow.
COLOURS = ("#0072B2", "#D55E00", "#CC79A7", "#56B4E9", "#009E73", "#E69F00", "#737373")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")
#: Beside the plot a legend would take half of a phone's screen.
LEGEND_ABOVE = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star")


class Style(NamedTuple):
    """How a line is drawn: two that differ in colour differ in dash and marker too.

    Example:
        >>> Style("#000000", "dash", "circle").dash
        'dash'
    """

    colour: str
    dash: str
    marker: str


BLUE, VERMILION, PURPLE, SKY, GREEN, ORANGE, GREY = COLOURS
#: The one table of colours: what has a name here looks the same in every figure. Vermilion is the attacker's.
STYLES: Mapping[str, Style] = {
    # what was done to the model
    "before": Style(GREY, "solid", "circle"),
    "plain finetuning": Style(ORANGE, "dash", "square"),
    "CleanCLIP": Style(GREEN, "solid", "diamond"),
    "self-supervision only": Style(PURPLE, "dot", "triangle-up"),
    "supervised finetuning": Style(BLUE, "dashdot", "cross"),
    "finetuning with weight decay": Style("#8C6D46", "longdash", "x"),
    "shrink, perturb, finetune": Style(SKY, "longdashdot", "star"),
    "anti-backdoor learning": Style("#999933", "dot", "circle-open"),
    "PAR": Style("#AA4466", "dot", "triangle-down"),
    "unlearning the trigger itself": Style("#6699CC", "dashdot", "triangle-left"),
    "unlearning what a search found": Style("#7755CC", "longdash", "hexagon"),
    # who reads the embedding
    "zero-shot": Style(BLUE, "solid", "circle"),
    "linear probe": Style(PURPLE, "dash", "square"),
    "nearest neighbours": Style(SKY, "dot", "diamond"),
    # pictures and their pairs, as they are and with the trigger
    **dict.fromkeys(("x", "clean", "clean pairs"), Style(BLUE, "solid", "circle")),
    **dict.fromkeys(("x ⊕ bd", "triggered", "pairs with the trigger"), Style(VERMILION, "dash", "square")),
    # what is measured, where both stand in one figure
    "attack success": Style(VERMILION, "dash", "square"),
    "clean accuracy": Style(BLUE, "solid", "circle"),
    # where the patch was in training
    **dict.fromkeys(("at one place", "learned in the corner"), Style(BLUE, "solid", "circle")),
    **dict.fromkeys(("at random places", "learned at random places"), Style(ORANGE, "dash", "square")),
}


def style(name: str, number: int = 0, like: str = "") -> Style:
    """How to draw a line: as its name says, or else as its number in the figure.

    Args:
        name: of the line.
        number: of the line among those of its figure.
        like: a name of `STYLES` whose colour the line takes.

    Raises:
        KeyError: `like` is not in `STYLES`.

    Example:
        >>> style("CleanCLIP", 1) == style("CleanCLIP", 5) == STYLES["CleanCLIP"]
        True
        >>> style("CleanCLIP, 20 % of the pairs", 1, like="CleanCLIP")
        Style(colour='#009E73', dash='dash', marker='square')
    """
    if name in STYLES:
        return STYLES[name]
    k = number % len(COLOURS)
    return Style(STYLES[like].colour if like else COLOURS[k], DASHES[k], MARKERS[k])


def figure(alt: str, *, x: str = "", y: str = "", height: int = 360, title: str = "", stamp: str = "") -> go.Figure:
    """An empty figure with axis titles.

    Args:
        alt: what a reader who cannot see the figure should know.
        x, y: axis titles with units.
        height: in pixels.
        title: shown above.
        stamp: what made the figure (profile, seeds, hardware), in small print below.

    Raises:
        ValueError: `alt` is empty.

    Example:
        >>> fig = figure("The loss falls from 5 to 1.", x="step", y="loss")
        >>> fig.layout.yaxis.title.text, fig.layout.meta["alt"]
        ('loss', 'The loss falls from 5 to 1.')
    """
    if not alt.strip():
        raise ValueError("a figure needs alt text")
    fig = go.Figure()
    fig.update_layout(
        template="plotly_white",
        height=height,
        title={"text": title, "font": {"size": 15}} if title else None,
        margin={"l": 60, "r": 20, "t": 50 if title else 20, "b": 90 if stamp else 55},
        paper_bgcolor="rgba(0,0,0,0)",
        font={"size": 13},
        legend={"bgcolor": "rgba(255,255,255,0.6)"} | ({} if title else LEGEND_ABOVE),
        meta={"alt": alt},
    )
    fig.update_xaxes(title_text=x or None)
    fig.update_yaxes(title_text=y or None)
    if stamp:
        small = {"size": 11}  # in the colour of the page's text, which a dark page has lighter
        fig.add_annotation(
            text=stamp, xref="paper", yref="paper", x=1, y=0, yshift=-62, yanchor="top", showarrow=False, font=small
        )
    return fig


def line(
    fig: go.Figure,
    x: Sequence[float | str],
    y: Sequence[float],
    name: str,
    *,
    low: Sequence[float] | None = None,
    high: Sequence[float] | None = None,
    number: int = 0,
    like: str = "",
) -> go.Figure:
    """Add a line with markers and, where given, its interval as error bars.

    Args:
        name: in the legend.
        number, like: its looks, unless `STYLES` knows its name; see `style`.

    Example:
        >>> fig = line(figure("Two points."), [1, 2], [0.5, 0.75], "ours", low=[0.25, 0.5], high=[0.75, 1.0])
        >>> fig.data[0].name, fig.data[0].error_y.array
        ('ours', (0.25, 0.25))
    """
    drawn = style(name, number, like)
    error = None
    if low is not None and high is not None:
        error = {
            "type": "data",
            "symmetric": False,
            "array": [h - v for v, h in zip(y, high, strict=True)],
            "arrayminus": [v - lo for v, lo in zip(y, low, strict=True)],
        }
    fig.add_scatter(
        x=list(x),
        y=list(y),
        name=name,
        mode="lines+markers",
        error_y=error,
        line={"color": drawn.colour, "dash": drawn.dash},
        marker={"symbol": drawn.marker, "size": 8},
    )
    return fig


def log_axis(fig: go.Figure, values: Sequence[float]) -> go.Figure:
    """Make x logarithmic, with ticks where something was measured: plotly's own read "5 6 7 8 9 1 2 3".

    Args:
        values: the positions; none at or below zero has a place on the axis.

    Example:
        >>> fig = log_axis(figure("A rise."), [0.05, 3, 1000, 1_360_000])
        >>> fig.layout.xaxis.ticktext
        ('0.05', '3', '1,000', '1.36M')
    """
    ticks = sorted({float(v) for v in values if v > 0})
    fig.update_xaxes(type="log", tickvals=ticks, ticktext=[_short(v) for v in ticks])
    return fig


def _short(value: float) -> str:
    """A number as a tick: at most five letters."""
    if value >= 1e6:
        return f"{value / 1e6:.3g}M"
    if value >= 1e4:
        return f"{value / 1e3:.3g}k"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def contact_sheet(
    images: Tensor, *, columns: int = 8, zoom: int = 3, gap: int = 2, below: int | None = None
) -> Image.Image:
    """Pictures side by side on white.

    Args:
        images: shape (N, 3, H, W), uint8.
        columns: pictures in a row.
        zoom: how many screen pixels one picture pixel becomes.
        gap: white pixels between pictures, before zooming.
        below: those under a picture, by default as many.

    Example:
        >>> import torch
        >>> contact_sheet(torch.zeros(10, 3, 8, 8, dtype=torch.uint8), columns=5, zoom=2, gap=0).size
        (80, 32)
    """
    import torch

    count, _, height, width = images.shape
    rows, down = -(-count // columns), height + (gap if below is None else below)
    sheet = torch.full((3, rows * down, columns * (width + gap)), 255, dtype=torch.uint8)
    for i, picture in enumerate(images):
        top, left = (i // columns) * down, (i % columns) * (width + gap)
        sheet[:, top : top + height, left : left + width] = picture
    small = Image.fromarray(sheet.permute(1, 2, 0).numpy())
    return small.resize((small.width * zoom, small.height * zoom), Image.Resampling.NEAREST)


def pictures(
    images: Tensor,
    alt: str,
    *,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    zoom: int = 3,
    title: str = "",
) -> go.Figure:
    """A grid of pictures as a figure, with a text under each one where `titles` are given.

    Args:
        images: shape (N, 3, H, W), uint8.
        alt: what the grid shows.
        titles: a text that is wider than its picture is broken at spaces; `<br>` breaks it too.

    Returns:
        The figure; its layout's `meta["sheet"]` says where the pictures lie, so that a page can lay them out anew.

    Example:
        >>> import torch
        >>> fig = pictures(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "Two black squares.", titles=["one", "two"])
        >>> [note.text for note in fig.layout.annotations]
        ['one', 'two']
    """
    height, width = images.shape[2:]
    said = [_broken(text, width * zoom) for text in titles or ()]
    lines = max((text.count("<br>") + 1 for text in said), default=1)
    gap = 2 if titles is None else max(2, 22 // zoom)
    below = 2 if titles is None else max(2, (8 + 14 * lines) // zoom)
    sheet = contact_sheet(images, columns=columns, zoom=zoom, gap=gap, below=below)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    top = 40 if title else 5
    fig = figure(alt, height=sheet.height + top + 5, title=title)
    fig.add_trace(go.Image(source=source, hoverinfo="skip"))
    fig.update_xaxes(visible=False, range=[0, sheet.width], constrain="domain")
    fig.update_yaxes(visible=False, range=[sheet.height, 0], scaleanchor="x", constrain="domain")
    at = {"count": len(images), "columns": columns, "picture": [width * zoom, height * zoom]}
    at["cell"] = [(width + gap) * zoom, (height + below) * zoom]
    fig.update_layout(margin={"l": 5, "r": 5, "t": top, "b": 0}, meta={"alt": alt, "sheet": at})
    for i, text in enumerate(said):
        row, column = divmod(i, columns)
        fig.add_annotation(
            x=(column * (width + gap) + width / 2) * zoom,
            y=(row * (height + below) + height) * zoom,
            text=text,
            showarrow=False,
            yanchor="top",
            font={"size": 12},
        )
    return fig


def _broken(text: str, pixels: int) -> str:
    """A text in lines of so many pixels, broken at spaces only."""
    lines = [
        textwrap.wrap(part, max(1, pixels // 6), break_long_words=False, break_on_hyphens=False)
        for part in text.split("<br>")
    ]
    return "<br>".join(line for part in lines for line in part)


def scatter_groups(
    points: np.ndarray,
    groups: Sequence[str],
    alt: str,
    *,
    hover: Sequence[str] | None = None,
    title: str = "",
    height: int = 460,
) -> go.Figure:
    """Points in the plane, one colour and marker per group, e.g. a UMAP of embeddings.

    Args:
        points: shape (N, 2).
        groups: group of each point, N strings.
        hover: text shown over each point.

    Example:
        >>> fig = scatter_groups(np.zeros((3, 2)), ["cat", "dog", "cat"], "Two cats and a dog.")
        >>> {trace.name: len(trace.x) for trace in fig.data}
        {'cat': 2, 'dog': 1}
    """
    fig = figure(alt, height=height, title=title)
    _scatter(fig, points, groups, hover)
    return fig


def side_by_side(
    maps: Mapping[str, np.ndarray],
    groups: Sequence[str],
    alt: str,
    *,
    hover: Sequence[str] | None = None,
    height: int = 340,
) -> go.Figure:
    """Maps of the same things in one row, one title each; a click in the legend hides a group in all of them.

    Args:
        maps: shape (N, 2) each, by title.
        groups, hover: as for `scatter_groups`.

    Example:
        >>> maps = {"before": np.zeros((3, 2)), "after": np.ones((3, 2))}
        >>> fig = side_by_side(maps, ["cat", "dog", "cat"], "Cats and dogs, before and after.")
        >>> [(trace.name, trace.showlegend) for trace in fig.data]
        [('cat', True), ('dog', True), ('cat', False), ('dog', False)]
    """
    fig = figure(alt, height=height)
    fig.set_subplots(1, len(maps), subplot_titles=list(maps), horizontal_spacing=0.02)
    fig.update_annotations(font_size=12)
    fig.update_layout(legend={"x": 0, "y": -0.02, "yanchor": "top"}, margin={"l": 10, "r": 10, "t": 40, "b": 40})
    for column, points in enumerate(maps.values(), start=1):
        _scatter(fig, points, groups, hover, row=1, col=column, showlegend=column == 1)
    return fig


def _scatter(
    fig: go.Figure, points: np.ndarray, groups: Sequence[str], hover: Sequence[str] | None, **where: Any
) -> None:
    names = list(dict.fromkeys(groups))
    labels = np.asarray(groups)
    texts = np.asarray(hover if hover is not None else groups)
    for k, name in enumerate(names):
        mine, drawn = labels == name, style(name, k)
        fig.add_scatter(
            x=points[mine, 0].round(3).tolist(),
            y=points[mine, 1].round(3).tolist(),
            mode="markers",
            name=name,
            legendgroup=name,
            text=texts[mine].tolist(),
            hoverinfo="text",
            marker={"color": drawn.colour, "symbol": drawn.marker, "size": 8, "opacity": 0.75},
            **where,
        )
    fig.update_layout(legend_itemsizing="constant")
    fig.update_xaxes(showticklabels=False, zeroline=False)
    fig.update_yaxes(showticklabels=False, zeroline=False)


def density(fig: go.Figure, values: Tensor, name: str, *, number: int = 0, bins: int = 80) -> go.Figure:
    """Add a histogram of values in [-1, 1], scaled to area 1, as a line.

    Example:
        >>> import torch
        >>> fig = density(figure("Most similarities lie near 0."), torch.linspace(-0.5, 0.5, 101), "pairs", bins=20)
        >>> round(sum(fig.data[0].y) * 2 / 20, 3)  # the area
        1.0
    """
    counts, edges = np.histogram(values.numpy(), bins=bins, range=(-1, 1), density=True)
    middle = (edges[1:] + edges[:-1]) / 2
    drawn = style(name, number)
    fig.add_scatter(
        x=middle.round(4).tolist(),
        y=counts.round(4).tolist(),
        name=name,
        mode="lines",
        fill="tozeroy",
        line={"color": drawn.colour, "dash": drawn.dash},
    )
    return fig
