"""Curves over several models: a mean with its interval at each point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.statistics import estimate_mean


def curve(
    fig: go.Figure,
    x: Sequence[Any],
    values: Sequence[Sequence[float]],
    name: str,
    *,
    number: int = 0,
    like: str = "",
    scale: float = 1.0,
    bounds: tuple[float, float] | None = None,
    points: bool = False,
    joined: bool = True,
) -> go.Figure:
    """Add the means of `values` with 95 % t intervals; a point without models is left out.

    Where positions are words, curves stand side by side, so that no interval hides another.

    Args:
        x: one position per point.
        values: models' numbers at each point.
        number, like: its looks, unless `plots.STYLES` knows its name.
        scale: factor for the axis, 100 for per cent.
        bounds: what the quantity cannot leave, before scaling; intervals are cut there.
        points: also show each model.
        joined: whether a line leads from point to point; not between things that have no order.
    """
    kept = [(at, [scale * v for v in here]) for at, here in zip(x, values, strict=True) if here]
    lows, highs, means = [], [], []
    for _, here in kept:
        mean = sum(here) / len(here)
        low = high = mean
        if len(here) > 1:
            interval = estimate_mean(here, resolution=1e-3 * scale)
            low, high = interval.low, interval.high
        if bounds is not None:
            low, high = max(low, scale * bounds[0]), min(high, scale * bounds[1])
        means.append(round(mean, 4))
        lows.append(round(low, 4))
        highs.append(round(high, 4))
    before = len(fig.data)
    plots.line(fig, [at for at, _ in kept], means, name, low=lows, high=highs, number=number, like=like)
    if not joined:
        fig.data[before].mode = "markers"
    if points:
        fig.add_scatter(
            x=[at for at, here in kept for _ in here],
            y=[round(v, 4) for _, here in kept for v in here],
            mode="markers",
            marker={"color": plots.style(name, number, like).colour, "size": 5, "opacity": 0.5},
            showlegend=False,
            hoverinfo="y",
        )
    if len(kept) > 1 and isinstance(kept[0][0], str):
        for trace in fig.data[before:]:
            trace.offsetgroup = name
        fig.update_layout(scattermode="group", scattergap=0.85 if joined else 0.6)
    return fig


SMALL_PRINT = "; bars: 95 % t interval over models"
