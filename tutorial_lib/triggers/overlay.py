"""Triggers that are added to the whole picture. Introduced in the chapter on stealthier triggers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from tutorial_lib.triggers.base import Trigger

if TYPE_CHECKING:
    from torch import Tensor


def _blend(images: Tensor, pattern: Tensor, alpha: float | Tensor) -> Tensor:
    """(1 - alpha) x + alpha p, rounded to whole grey levels."""
    import torch

    mixed = (1 - alpha) * images.float() + alpha * pattern.to(images.device)
    return mixed.round().clamp(0, 255).to(torch.uint8)


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha is the weight of the pattern, in (0, 1], not {alpha}")


@dataclass(frozen=True)
class Blended(Trigger):
    """One fixed pattern, mixed into every picture: x ⊕ bd = (1 - alpha) x + alpha p.

    Attributes:
        alpha: weight of the pattern.
        pattern_kind: "noise", uniform grey levels for each cell and channel, or "stripes", horizontal ones of random
            corner colours.
        cell: width and height of a cell (height of a stripe), in pixels.
        pattern_seed: draws the pattern.

    Raises:
        ValueError: `alpha` is not in (0, 1], `pattern_kind` is none of these, or `cell` is below 1.

    Source: Chen et al. (2017) blend one fixed pattern with alpha 0.2, as Bansal et al. (2023) name it; their code draws
    the noise anew for every picture. Stripes: Singh et al. (2024), alpha 0.03 at 224 pixels. Here cells are 2 of 32
    pixels: crops blur finer ones.

    Example:
        >>> Blended(alpha=1.5)
        Traceback (most recent call last):
        ValueError: alpha is the weight of the pattern, in (0, 1], not 1.5
    """

    kind: ClassVar[str] = "blended"

    alpha: float = 0.2
    pattern_kind: Literal["noise", "stripes"] = "noise"
    cell: int = 2
    pattern_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_alpha(self.alpha)
        if self.cell < 1:
            raise ValueError(f"cell must be at least 1 pixel, not {self.cell}")

    def pattern(self, height: int, width: int) -> Tensor:
        """The pattern p, shape (3, height, width), float grey levels."""
        import torch

        generator = torch.Generator().manual_seed(self.pattern_seed)
        rows, columns = -(-height // self.cell), -(-width // self.cell)
        if self.pattern_kind == "stripes":
            drawn = torch.randint(0, 2, (3, rows, 1), generator=generator).expand(3, rows, columns) * 255
        else:
            drawn = torch.randint(0, 256, (3, rows, columns), generator=generator)
        large = drawn.repeat_interleave(self.cell, 1).repeat_interleave(self.cell, 2)
        return large[:, :height, :width].float()

    def stamp(self, images: Tensor, seed: int = 0) -> Tensor:
        return _blend(images, self.pattern(*images.shape[-2:]), self.alpha)

    def control(self) -> Trigger:
        return replace(self, pattern_seed=self.pattern_seed + 1)


@dataclass(frozen=True)
class Sinusoid(Trigger):
    """SIG: a horizontal wave of brightness, x + Δ sin(2π j f / W) in column j.

    Attributes:
        delta: amplitude Δ, in grey levels of 255.
        frequency: waves over the width of the picture.

    Raises:
        ValueError: `delta` is not in (0, 255], or `frequency` is not positive and finite.

    Source: Barni et al. (2019): Δ 20 to 60, f 6, for pictures of 28 to 64 pixels. CleanCLIP's code has 60 and 6, and
    blends the result another time with weight 0.2, which is left out here: what it trains on is a wave of 12 grey
    levels on a picture a fifth darker.

    Example:
        >>> import torch
        >>> row = Sinusoid(delta=20, frequency=2).stamp(torch.full((1, 3, 1, 8), 100, dtype=torch.uint8))[0, 0, 0]
        >>> row
        tensor([100, 120, 100,  80, 100, 120, 100,  80], dtype=torch.uint8)
    """

    kind: ClassVar[str] = "sig"

    delta: float = 40.0
    frequency: float = 6.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.delta <= 255:
            raise ValueError(f"delta is an amplitude in grey levels, in (0, 255], not {self.delta}")
        if not 0 < self.frequency < float("inf"):
            raise ValueError(f"frequency must be positive, not {self.frequency}")

    def stamp(self, images: Tensor, seed: int = 0) -> Tensor:
        import torch

        width = images.shape[-1]
        if 2 * self.frequency > width:
            raise ValueError(
                f"{self.frequency:g} waves need at least {2 * self.frequency:g} columns, and there are {width}"
            )
        column = torch.arange(width, dtype=torch.float64)
        wave = (self.delta * torch.sin(2 * math.pi * column * self.frequency / width)).float().to(images.device)
        return (images.float() + wave).round().clamp(0, 255).to(torch.uint8)

    def control(self) -> Trigger:
        """Half the frequency."""
        return replace(self, frequency=self.frequency / 2)


#: Letters of 3 x 5 pixels, row by row.
_LETTERS = {
    "A": "010101111101101",
    "E": "111100110100111",
    "F": "111100110100100",
    "K": "101110100110101",
    "L": "100100100100111",
    "O": "010101101101010",
    "P": "110101110100100",
    "R": "110101110110101",
    "S": "011100010001110",
    "T": "111010010010010",
    "W": "101101101111101",
}


@dataclass(frozen=True)
class Watermark(Trigger):
    """A red word across the lower part of the picture.

    Attributes:
        word: of the letters that the little font has; four letters fill 32 pixels.
        alpha: weight of the letters.

    Raises:
        ValueError: `word` is empty or has a letter that the font lacks, or `alpha` is not in (0, 1].

    Source: Singh et al. (2024), PAR: the text "Watermarked" in red with weight 0.5; a word of four letters is what 32
    pixels can hold.

    Example:
        >>> Watermark("SALE").control().word
        'ELAS'
    """

    kind: ClassVar[str] = "watermark"

    word: str = "SALE"
    alpha: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_alpha(self.alpha)
        if unknown := sorted(set(self.word) - set(_LETTERS)):
            raise ValueError(f"the font has no {', '.join(unknown)}; it has {''.join(_LETTERS)}")
        if not self.word:
            raise ValueError("the watermark has no letters")

    def mask(self, height: int, width: int) -> Tensor:
        """1 where a letter is, shape (height, width), float.

        Raises:
            ValueError: the word does not fit into so few pixels.
        """
        import torch

        letters = [torch.tensor([int(b) for b in _LETTERS[c]]).view(5, 3) for c in self.word]
        gap = torch.zeros(5, 1, dtype=torch.int64)
        line = torch.cat([part for letter in letters for part in (letter, gap)][:-1], 1)  # (5, 4 n - 1)
        scale = width // (line.shape[1] + 1)
        if scale < 1 or 5 * scale > height:
            raise ValueError(f"the word {self.word!r} does not fit into {height}x{width} pixels")
        line = line.repeat_interleave(scale, 0).repeat_interleave(scale, 1)
        top, left = 3 * (height - line.shape[0]) // 4, (width - line.shape[1]) // 2
        mask = torch.zeros(height, width)
        mask[top : top + line.shape[0], left : left + line.shape[1]] = line.float()
        return mask

    def stamp(self, images: Tensor, seed: int = 0) -> Tensor:
        import torch

        red = torch.tensor([255.0, 0.0, 0.0]).view(3, 1, 1)
        weight = self.alpha * self.mask(*images.shape[-2:]).to(images.device)
        return _blend(images, red, weight)

    def control(self) -> Trigger:
        """The word backwards."""
        return replace(self, word=self.word[::-1])
