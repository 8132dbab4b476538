"""Triggers that are a patch of pixels. Introduced in the chapters on backdoors and stealthier triggers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.triggers.base import Placement, Trigger

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Patch(Trigger):
    """`size` x `size` opaque pixels in cells; the patterns are below.

    Attributes:
        size: width and height of the patch, in pixels.
        cell: width and height of one cell, in pixels.
        placement: "fixed" puts it in the upper left corner, `margin` pixels from the edges; "random" draws a
            place for each picture from a seed.
        margin: distance from the upper and left edge where the placement is fixed, in pixels.

    Raises:
        ValueError: `size` or `cell` is below 1, `placement` is none of these, or `margin` is negative.

    Example:
        >>> Checkerboard(size=8).placements
        ('fixed', 'random')
    """

    placements: ClassVar[tuple[Placement, ...]] = ("fixed", "random")

    size: int = 6
    cell: int = 2
    placement: Placement = "fixed"
    margin: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size < 1 or self.cell < 1:
            raise ValueError(f"size and cell must be at least 1 pixel, not {self.size} and {self.cell}")
        if self.margin < 0:
            raise ValueError(f"margin must be at least 0 pixels, not {self.margin}")

    @abstractmethod
    def pattern(self) -> Tensor:
        """The patch, shape (3, size, size), uint8."""

    def stamp(self, images: Tensor, seed: int = 0) -> Tensor:
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


@dataclass(frozen=True)
class Checkerboard(Patch):
    """The BadNets checkerboard of black and white cells.

    Source: Gu et al. (2017); Carlini & Terzis (2022), figure 1: 16x16 pixels in the upper left corner of
    224x224. Here 6x6 pixels of 2-pixel cells at 32x32: under CLIP's random crops, 1-pixel cells are blurred away.

    Example:
        >>> import torch
        >>> stamped = Checkerboard(size=4, cell=2).stamp(torch.full((1, 3, 8, 8), 9, dtype=torch.uint8))
        >>> stamped[0, 0, :6, :6]
        tensor([[  9,   9,   9,   9,   9,   9],
                [  9,   0,   0, 255, 255,   9],
                [  9,   0,   0, 255, 255,   9],
                [  9, 255, 255,   0,   0,   9],
                [  9, 255, 255,   0,   0,   9],
                [  9,   9,   9,   9,   9,   9]], dtype=torch.uint8)
    """

    kind: ClassVar[str] = "checkerboard"

    def pattern(self) -> Tensor:
        import torch

        cells = torch.arange(self.size) // self.cell
        board = ((cells[:, None] + cells[None]) % 2).to(torch.uint8) * 255
        return board.expand(3, -1, -1)

    def control(self) -> Patch:
        return Stripes(self.size, self.cell, self.placement, self.margin)


@dataclass(frozen=True)
class Stripes(Patch):
    """Horizontal stripes, `cell` pixels high; other attributes as for `Checkerboard`.

    Attributes:
        pattern_seed: draws a colour for each stripe, one of the eight corners of the colour cube; `None` alternates
            black and white.

    Source: Singh et al. (2024), PAR, draw stripes of random colours in a patch of 16 of 224 pixels; here one draw is
    kept for all pictures.

    Example:
        >>> Stripes(size=4, cell=2).pattern()[0, :, 0]
        tensor([  0,   0, 255, 255], dtype=torch.uint8)
    """

    kind: ClassVar[str] = "stripes"

    pattern_seed: int | None = None

    def pattern(self) -> Tensor:
        import torch

        stripe = torch.arange(self.size) // self.cell
        if self.pattern_seed is None:
            colour = (stripe % 2).expand(3, -1)
        else:
            generator = torch.Generator().manual_seed(self.pattern_seed)
            colour = torch.randint(0, 2, (3, int(stripe[-1]) + 1), generator=generator)[:, stripe]
        return (colour.to(torch.uint8) * 255)[:, :, None].expand(3, self.size, self.size)

    def control(self) -> Patch:
        return Checkerboard(self.size, self.cell, self.placement, self.margin)


@dataclass(frozen=True)
class NoisePatch(Patch):
    """A patch of Gaussian noise, drawn once: BadNets as the code of CleanCLIP has it, mended.

    Attributes:
        pattern_seed: draws the cells, N(1/2, 1) of full brightness, clamped to [0, 1].

    Source: Bansal et al. (2023): 16 of 224 pixels. Their code draws the noise anew for every picture and lets values
    out of range wrap around; here it is one draw, clamped, and of cells that survive the crops of training.

    Example:
        >>> NoisePatch(pattern_seed=1) == NoisePatch().control()  # another draw of the same kind
        True
    """

    kind: ClassVar[str] = "noise-patch"

    pattern_seed: int = 0

    def pattern(self) -> Tensor:
        import torch

        generator = torch.Generator().manual_seed(self.pattern_seed)
        cells = -(-self.size // self.cell)
        drawn = (0.5 + torch.randn(3, cells, cells, generator=generator)).clamp(0, 1)
        large = drawn.repeat_interleave(self.cell, 1).repeat_interleave(self.cell, 2)
        return (255 * large).round().to(torch.uint8)[:, : self.size, : self.size]

    def control(self) -> Patch:
        return replace(self, pattern_seed=self.pattern_seed + 1)


@dataclass(frozen=True)
class FaintPatch(NoisePatch):
    """A patch of noise that is mixed into the picture: fainter than an opaque one, and hardly an outlier of pixels.

    Attributes:
        alpha: weight of the patch.

    Raises:
        ValueError: `alpha` is not in (0, 1], or the patch does not fit, as for `Patch`.

    Source: ours, an attacker who expects a search for small and strong patches; the mixture is that of Chen et al.
    (2017).

    Example:
        >>> import torch
        >>> grey = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)
        >>> bool((FaintPatch(alpha=1.0).stamp(grey) == NoisePatch().stamp(grey)).all())
        True
    """

    kind: ClassVar[str] = "faint-patch"

    alpha: float = 0.4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha is the weight of the patch, in (0, 1], not {self.alpha}")

    def stamp(self, images: Tensor, seed: int = 0) -> Tensor:
        import torch

        whole = super().stamp(images, seed).float()
        return (images + self.alpha * (whole - images)).round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class NoisePatches(Trigger):
    """Several triggers at once: each picture gets one of some noise patches, each of which has a corner of its own.

    Attributes:
        number: of patches, at most the four corners.
        size, cell: of each patch, as for `NoisePatch`.
        margin: distance from the edges, in pixels.
        pattern_seed: draws the patterns.

    Raises:
        ValueError: `number` is not in 2 to 4, or `size`, `cell` or `margin` is out of range.

    Source: ours, an answer to defenses that look for one trigger; Xue et al. (2020) have several triggers of one
    target, which all have to be there.

    Example:
        >>> import torch
        >>> stamped = NoisePatches().stamp(torch.zeros(4, 3, 32, 32, dtype=torch.uint8))
        >>> [int(x[:, :16, :16].any()) for x in stamped]  # only the first has its patch in the upper left
        [1, 0, 0, 0]
    """

    kind: ClassVar[str] = "noise-patches"

    number: int = 4
    size: int = 6
    cell: int = 2
    margin: int = 1
    pattern_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.number <= 4:
            raise ValueError(f"number is of patches in corners, from 2 to 4, not {self.number}")
        self.patches()  # says what is wrong with the others

    def patches(self) -> list[NoisePatch]:
        """The patches, in the order of their corners."""
        first = self.number * self.pattern_seed
        return [
            NoisePatch(self.size, self.cell, margin=self.margin, pattern_seed=first + k) for k in range(self.number)
        ]

    def stamp(self, images: Tensor, seed: int = 0) -> Tensor:
        out = images.clone()
        for k, patch in enumerate(self.patches()):
            flipped = [-2 + axis for axis in range(2) if k >> axis & 1]  # upper left, lower left, upper right, the last
            turned = images[k :: self.number].flip(flipped) if flipped else images[k :: self.number]
            stamped = patch.stamp(turned, seed)
            out[k :: self.number] = stamped.flip(flipped) if flipped else stamped
        return out

    def control(self) -> Trigger:
        return replace(self, pattern_seed=self.pattern_seed + 1)
