"""Knobs for JupyterLab: those of the live figures, with callbacks on your own models and records.

In a built page no callback runs; the live figures of the pages are their twins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from tutorial_lib import plots
from tutorial_lib.course.chapters import PLOTLY
from tutorial_lib.course.live import data
from tutorial_lib.evidence.shown import Shown, Source
from tutorial_lib.plots import contact_sheet
from tutorial_lib.triggers import Checkerboard, Patch

Scores = Callable[[Tensor], dict[str, float]]


def temperature_explorer(similarities: Sequence[float]) -> widgets.Widget:
    """A slider for the temperature and the softmax weight of each candidate; the first one is the partner."""
    slider = widgets.FloatLogSlider(value=0.1, min=-2, max=0.3, step=0.02, description="τ")
    bars = [
        widgets.FloatProgress(min=0, max=1, description=f"{'partner' if i == 0 else 'other'} {s:.1f}")
        for i, s in enumerate(similarities)
    ]
    text = widgets.HTML()

    def update(_: Any = None) -> None:
        weights = (torch.tensor(list(similarities)) / slider.value).softmax(0)
        for bar, weight in zip(bars, weights.tolist(), strict=True):
            bar.value = weight
        text.value = f"loss {-weights[0].log().item():.3f} nats"

    slider.observe(update, "value")
    update()
    return widgets.VBox([slider, *bars, text])


def trigger_explorer(
    images: Tensor, scores: Scores | Mapping[str, Scores], *, trigger: Patch | None = None
) -> widgets.Widget:
    """Size, cells, opacity and place of a patch on one picture, and what one or several models make of it.

    Args:
        images: pictures to choose from, shape (N, 3, H, W), uint8.
        scores: maps one picture (3, H, W), uint8, to the probability of each label; or such functions by model.
        trigger: a patch whose size is changed; by default the checkerboard.
    """
    trigger = trigger or Checkerboard()
    models = scores if isinstance(scores, Mapping) else {"model": scores}
    side = images.shape[-1]
    which = widgets.IntSlider(0, 0, len(images) - 1, description="picture")
    model = widgets.Dropdown(options=list(models), description="model")
    size = widgets.IntSlider(trigger.size, 0, min(2 * trigger.size, side), description="size (px)")
    cell = widgets.IntSlider(trigger.cell, 1, max(4, trigger.cell), description="cell (px)")
    opacity = widgets.IntSlider(100, 0, 100, description="opacity (%)")
    column, row = (widgets.IntSlider(trigger.margin, 0, side - 1, description=name) for name in ("column", "row"))
    picture, text = widgets.Image(format="png", width=side * 6), widgets.HTML()

    def update(_: Any = None) -> None:
        image = images[which.value].clone()
        if size.value:
            x, y = (min(knob.value, side - size.value) for knob in (column, row))
            place = image[:, y : y + size.value, x : x + size.value]
            pattern = replace(trigger, size=size.value, cell=cell.value).pattern()
            mixed = (1 - opacity.value / 100) * place.double() + opacity.value / 100 * pattern.double()
            place.copy_(mixed.round().to(torch.uint8))
        picture.value = contact_sheet(image[None], columns=1, zoom=6, gap=0)._repr_png_()
        best = sorted(models[model.value](image).items(), key=lambda item: -item[1])[:5]
        text.value = "<br>".join(f"{label}: {p:.1%}" for label, p in best)

    knobs = [which, *([model] if len(models) > 1 else []), size, cell, opacity, column, row]
    for knob in knobs:
        knob.observe(update, "value")
    update()
    return widgets.HBox([widgets.VBox(knobs), picture, text])


def similarity_explorer(source: Source | None = None) -> widgets.Widget:
    """Densities of pair similarity of recorded models, by number of poisons or width of the patch.

    Args:
        source: the records; by default those that the pages show.
    """
    given = {series["name"]: series["points"] for series in data.similarities(source or Shown())["series"]}
    what = widgets.Dropdown(options=list(given), description="vary")
    at = widgets.SelectionSlider(options=["-"], description="setting")
    shown = widgets.Output()

    def choose(_: Any = None) -> None:
        points = given[what.value]
        at.options = [point["value"] for point in points]
        at.value = points[len(points) // 2]["value"]

    def update(_: Any = None) -> None:
        point = next((p for p in given[what.value] if p["value"] == at.value), None)
        if point is None:
            return  # between two series
        fig = plots.figure(
            f"Densities of pair similarities with {at.value}: z-score {point['mean']:.1f}.",
            x="cosine similarity of two pictures",
            y="density",
            title=f"{at.value}: z-score {point['mean']:.1f} (models: {', '.join(f'{z:.1f}' for z in point['z'])})",
        )
        edges = np.linspace(-1, 1, len(point["clean"]) + 1)
        middles = ((edges[1:] + edges[:-1]) / 2).round(4).tolist()
        for k, name in enumerate(("clean", "triggered")):
            plots.line(fig, middles, point[name], name, number=k)
        fig.update_traces(mode="lines")
        _show(shown, fig)

    what.observe(choose, "value")
    at.observe(update, "value")
    choose()
    return widgets.VBox([what, at, shown])


def record_explorer(name: str, source: Source | None = None) -> widgets.Widget:
    """The recorded models of a live figure as points, with axes to choose.

    Args:
        name: "placement" or "frontier".
        source: the records; by default those that the pages show.

    Raises:
        ValueError: there is no such figure.
    """
    kind, of = data.FIGURES.get(name, ("", lambda _: {}))
    if kind != "explore":
        raise ValueError(f"there is no figure {name!r} to explore; there are placement and frontier")
    given = of(source or Shown())
    across = widgets.Dropdown(options=[(title, key) for key, title in given["xs"].items()], value=given["x"])
    up = widgets.Dropdown(options=[(title, key) for key, title in given["ys"].items()], value=given["y"])
    each = widgets.Checkbox(description="each model")
    shown = widgets.Output()

    def update(_: Any = None) -> None:
        fig = plots.figure(
            f"{given['ys'][up.value]} against {given['xs'][across.value]}.",
            x=given["xs"][across.value],
            y=given["ys"][up.value],
            stamp=given["stamp"],
            height=480,
        )
        for group in given["groups"]:
            rows = [row for row in given["rows"] if row["group"] == group["name"]]
            points = _points(rows, across.value, up.value, each.value)
            fig.add_scatter(
                x=[p[0] for p in points],
                y=[p[1] for p in points],
                text=[p[2] for p in points],
                name=group["name"],
                mode="markers" if each.value else "lines+markers",
                line={"color": group["colour"], "dash": group["dash"]},
                marker={"color": group["colour"], "symbol": group["marker"], "size": 9},
            )
        _show(shown, fig)

    for knob in (across, up, each):
        knob.observe(update, "value")
    update()
    return widgets.VBox([widgets.HBox([across, up, each]), shown])


def _points(rows: Sequence[dict[str, Any]], x: str, y: str, each: bool) -> list[tuple[float, float, str]]:
    """Single models, or the mean of each setting."""
    if each:
        return [(row[x], row[y], f"{row['setting']}, seed {row['seed']}, record {row['key']}") for row in rows]
    settings = dict.fromkeys(row["setting"] for row in rows)
    same = [[row for row in rows if row["setting"] == setting] for setting in settings]
    return [
        (float(np.mean([r[x] for r in mine])), float(np.mean([r[y] for r in mine])), f"{s}, {len(mine)} models")
        for s, mine in zip(settings, same, strict=True)
    ]


def _show(where: widgets.Output, fig: go.Figure) -> None:
    """Replace what an output holds.

    It is set, not captured by `with where:`: nbclient (0.11 and before) answers a capture on the socket on which it
    waits for the cell to end, and may then wait for ever (jupyter/nbclient#312).
    """
    data = {PLOTLY: json.loads(fig.to_json()), "text/plain": fig.layout.meta["alt"]}
    where.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)
