"""Backgrounds of diverse scenes: patterns that mix colours, and words for colours.

A pattern is a mask: how much of a second colour is where. All is integer arithmetic, so every device gives the same
bytes.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from tutorial_lib.data import lanes
from tutorial_lib.data.compose import random_below

#: Kinds of patterns, and what a caption calls each, as what is behind something; "" where it has no name.
PATTERNS = ("plain", "shade", "spot", "horizon", "hills", "stripes", "waves", "dots", "clouds", "frame")
WORDS = ("", "", "a bright spot", "a horizon", "hills", "stripes", "waves", "dots", "clouds", "a frame")
#: How many masks there are, all kinds in turn.
MASKS = 2000

#: Colours with a name of one word.
COLOURS = {
    "black": (25, 25, 25), "white": (235, 235, 235), "grey": (128, 128, 128), "red": (200, 40, 40),
    "orange": (230, 130, 30), "yellow": (225, 215, 60), "green": (60, 160, 60), "turquoise": (60, 190, 180),
    "blue": (50, 80, 200), "purple": (130, 60, 170), "pink": (230, 130, 180), "brown": (115, 75, 40),
}  # fmt: skip


@functools.lru_cache(maxsize=2)
def masks(side: int, device: str) -> Tensor:
    """All masks, shape (MASKS, side * side), uint8 in 0..128; mask `k` is of kind `k % len(PATTERNS)`.

    Example:
        >>> found = masks(32, "cpu")
        >>> found.shape, int(found[PATTERNS.index("plain")].max()) < 32  # nothing but grain
        (torch.Size([2000, 1024]), True)
    """
    number = torch.arange(MASKS)

    def draw(limit: int, k: int) -> Tensor:
        return random_below(limit, 2, number, k)[:, None]  # (MASKS, 1)

    cell = torch.arange(side * side)
    x, y = cell % side, cell // side
    across, down = draw(17, 0) - 8, draw(17, 1) - 8
    ramp = across * x + down * y
    ramp = ramp - ramp.amin(1, keepdim=True)
    ramp = ramp * 128 // ramp.amax(1, keepdim=True).clamp(min=1)  # (MASKS, side * side), 0..128
    cloud = (2 * _noise(side, 4) + _noise(side, 9)) // 6  # 0..127
    height = _noise(side, 5)[:, :side]  # of hills, by column
    found = {
        "plain": torch.zeros_like(ramp),
        "shade": ramp,
        "spot": 128 - ((x - draw(side, 2)) ** 2 + (y - draw(side, 3)) ** 2) * 256 // side**2,
        "horizon": (y * 128 // side > 32 + draw(65, 4)) * 128,
        "hills": (y * 128 // side > 24 + draw(65, 4) + height[:, x] // 6) * 128,
        "stripes": ramp // (8 + draw(24, 5)) % 2 * 128,
        "waves": _triangle(ramp * (2 + draw(5, 6)) + cloud),
        "dots": _dots(x, y, 5 + draw(max(2, side // 4), 7), draw(side, 2), draw(side, 3)),
        "clouds": (cloud - 32) * 2,
        "frame": (torch.minimum(torch.minimum(x, y), side - 1 - torch.maximum(x, y)) < 1 + draw(4, 8)) * 128,
    }
    kind = number % len(PATTERNS)
    out = torch.zeros_like(ramp)
    for k, name in enumerate(PATTERNS):
        out = torch.where((kind == k)[:, None], found[name].clamp(0, 128), out)
    block = 1 << draw(3, 9)  # grain of 1, 2 or 4 pixels
    grain = random_below(256, 3, number[:, None] * side * side + y // block * side + x // block, 0)
    return (out + (((grain - 128) * draw(28, 10)) >> 7)).clamp(0, 128).to(torch.uint8).to(device)


def _noise(side: int, knots: int) -> Tensor:
    """Smooth noise between `knots` random values a row and a column, (MASKS, side * side), 0..255."""
    cells = torch.arange(MASKS * knots * knots)
    return lanes.enlarge(random_below(256, 4, cells, knots).view(MASKS, knots, knots), side).flatten(1)


def _triangle(phase: Tensor) -> Tensor:
    """Up to 128 and down again."""
    return (phase % 256 - 128).abs()


def _dots(x: Tensor, y: Tensor, period: Tensor, right: Tensor, down: Tensor) -> Tensor:
    """Round dots in rows, of a third of their distance in radius."""
    across, along = ((at + shift) % period * 2 - period for at, shift in ((x, right), (y, down)))
    return (across**2 + along**2 < (2 * period // 3) ** 2) * 128


def colour_names(colours: Tensor) -> Tensor:
    """Which of `COLOURS` is nearest, by squared distance: channels (B, 3), int64, to (B,).

    Example:
        >>> list(COLOURS)[colour_names(torch.tensor([[250, 20, 30]])).item()]
        'red'
    """
    named = torch.tensor(list(COLOURS.values()), device=colours.device)
    return (colours[:, None] - named).square().sum(2).argmin(1)
