"""Backdoor triggers: patterns that an attacker stamps on pictures. Introduced in chapter 4.

A trigger is part of a trial's description, so this module imports torch only where pictures are stamped: `tutorial
status` reads thousands of trials and answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Placement = Literal["fixed", "random"]


@dataclass(frozen=True)
class Checkerboard:
    """The BadNets checkerboard: `size` x `size` pixels of black and white cells.

    Attributes:
        size: width and height of the patch, in pixels.
        cell: width and height of one cell, in pixels.
        placement: "fixed" puts it in the upper left corner, `margin` pixels from the edges; "random" draws a
            place for each picture from a seed.
        margin: distance from the upper and left edge where the placement is fixed, in pixels.

    Source: Gu et al. (2017); Carlini & Terzis (2022), figure 1: 16x16 pixels in the upper left corner of
    224x224. Here 6x6 pixels of 2-pixel cells at 32x32: under CLIP's random crops, 1-pixel cells are blurred away.
    """

    size: int = 6
    cell: int = 2
    placement: Placement = "fixed"
    margin: int = 1
    name: str = "checkerboard"

    def __post_init__(self) -> None:
        if self.size < 1 or self.cell < 1:
            raise ValueError(f"size and cell must be at least 1 pixel, not {self.size} and {self.cell}")
        if self.margin < 0:
            raise ValueError(f"margin must be at least 0 pixels, not {self.margin}")
        if self.placement not in ("fixed", "random"):
            raise ValueError(f"placement must be 'fixed' or 'random', not {self.placement!r}")

    def pattern(self) -> Tensor:
        """The patch, shape (3, size, size), uint8."""
        import torch

        cells = torch.arange(self.size) // self.cell
        board = ((cells[:, None] + cells[None]) % 2).to(torch.uint8) * 255
        return board.expand(3, -1, -1)

    def stamp(self, images: Tensor, seed: int = 0) -> Tensor:
        """Copies of the pictures with the patch: x ⊕ bd.

        Args:
            images: shape (N, 3, H, W), uint8.
            seed: draws the places where the placement is random; picture `i` has the same place each time.

        Raises:
            ValueError: the patch does not fit into the pictures.
        """
        import torch

        height, width = images.shape[-2:]
        margin = self.margin if self.placement == "fixed" else 0
        if self.size + margin > min(height, width):
            raise ValueError(
                f"a {self.size}x{self.size} patch with margin {margin} does not fit into {height}x{width} pixels"
            )
        out = images.clone()
        pattern = self.pattern().to(images.device)
        if self.placement == "fixed":
            out[:, :, margin : margin + self.size, margin : margin + self.size] = pattern
            return out
        generator = torch.Generator().manual_seed(seed)
        free = torch.tensor([height - self.size + 1, width - self.size + 1])
        places = (torch.rand(len(images), 2, generator=generator) * free).long()  # (N, 2): row by row, so N is free
        for i, (top, left) in enumerate(places.tolist()):
            out[i, :, top : top + self.size, left : left + self.size] = pattern
        return out


#: Triggers by the name that the command line uses.
TRIGGERS = {"checkerboard": Checkerboard}


def make_trigger(name: str, **settings) -> Checkerboard:
    """The trigger of that name.

    Raises:
        ValueError: there is no such trigger.
    """
    if name not in TRIGGERS:
        raise ValueError(f"there is no trigger {name!r}; choose from {', '.join(TRIGGERS)}")
    return TRIGGERS[name](**settings)
