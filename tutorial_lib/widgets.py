"""Knobs for JupyterLab. In a built page no callback runs; every chapter has a static twin beside each widget."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as widgets
import torch
from torch import Tensor

from tutorial_lib.plots import contact_sheet
from tutorial_lib.triggers import Checkerboard


def temperature_explorer(similarities: Sequence[float]) -> widgets.Widget:
    """A slider for the temperature and the softmax weight of each candidate; the first one is the partner."""
    slider = widgets.FloatLogSlider(value=0.1, min=-2, max=0.3, step=0.02, description="τ")
    bars = [
        widgets.FloatProgress(min=0, max=1, description=f"{'partner' if i == 0 else 'other'} {s:.1f}")
        for i, s in enumerate(similarities)
    ]
    text = widgets.HTML()

    def update(_=None) -> None:
        weights = (torch.tensor(list(similarities)) / slider.value).softmax(0)
        for bar, weight in zip(bars, weights.tolist(), strict=True):
            bar.value = weight
        text.value = f"loss {-weights[0].log().item():.3f} nats"

    slider.observe(update, "value")
    update()
    return widgets.VBox([slider, *bars, text])


def trigger_explorer(images: Tensor, scores: Callable[[Tensor], dict[str, float]], *, side: int = 32) -> widgets.Widget:
    """Size, cell and place of the checkerboard on one picture, and what the model makes of it.

    Args:
        images: pictures to choose from, shape (N, 3, H, W), uint8.
        scores: maps one picture (3, H, W) to the probability of each label that should be shown.
    """
    which = widgets.IntSlider(0, 0, len(images) - 1, description="picture")
    size = widgets.IntSlider(6, 0, 16, step=1, description="size (px)")
    cell = widgets.IntSlider(2, 1, 4, description="cell (px)")
    margin = widgets.IntSlider(1, 0, side - 1, description="margin (px)")
    picture, text = widgets.Image(format="png", width=side * 6), widgets.HTML()

    def update(_=None) -> None:
        image = images[which.value][None]
        if size.value:
            room = min(margin.value, side - size.value)
            image = Checkerboard(size.value, cell.value, margin=room).stamp(image)
        picture.value = contact_sheet(image, columns=1, zoom=6, gap=0)._repr_png_()
        best = sorted(scores(image[0]).items(), key=lambda item: -item[1])[:5]
        text.value = "<br>".join(f"{label}: {p:.1%}" for label, p in best)

    for knob in (which, size, cell, margin):
        knob.observe(update, "value")
    update()
    return widgets.HBox([widgets.VBox([which, size, cell, margin]), picture, text])
