"""Triggers that move or blur pixels and add none. Introduced in the chapter on stealthier triggers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.triggers.base import Trigger

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class WaNet(Trigger):
    """A smooth warp, the same for every picture.

    Attributes:
        grid: control points along each side, k.
        strength: mean displacement s, where 1 is half a pixel.
        pattern_seed: draws the displacements of the control points.

    Raises:
        ValueError: `grid` is below 2, or `strength` is not positive and finite.

    Source: Nguyen & Tran (2021), equations 4 to 6: k 4, s 0.5 for pictures of 32 pixels, that is a quarter of a pixel
    on average. CleanCLIP's code has k 224, s 1 at 224 pixels, which is no smooth warp. Random resized crops move
    pixels by more than a quarter, so the chapter on stealthier triggers shows what strength survives them.

    Example:
        >>> WaNet(strength=4).flow(32, 32).shape
        torch.Size([1, 32, 32, 2])
    """

    kind: ClassVar[str] = "wanet"

    grid: int = 4
    strength: float = 0.5
    pattern_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.grid < 2:
            raise ValueError(f"grid must be at least 2 control points, not {self.grid}")
        if not 0 < self.strength < float("inf"):
            raise ValueError(f"strength must be positive, not {self.strength}")

    def flow(self, height: int, width: int) -> Tensor:
        """Displacements in units of the strength, mean size 1 at the control points, shape (1, height, width, 2)."""
        import torch
        import torch.nn.functional as F

        generator = torch.Generator().manual_seed(self.pattern_seed)
        points = 2 * torch.rand(1, 2, self.grid, self.grid, generator=generator) - 1
        points = points / points.abs().mean()
        smooth = F.interpolate(points, size=(height, width), mode="bicubic", align_corners=True)
        return smooth.permute(0, 2, 3, 1)

    def _warp(self, images: Tensor, extra: Tensor | None = None) -> Tensor:
        import torch
        import torch.nn.functional as F

        height, width = images.shape[-2:]
        rows, columns = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
        still = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)[None]  # (1, H, W, 2), x before y
        size = torch.tensor([width, height], dtype=torch.float32)
        where = still + self.strength * self.flow(height, width) / size
        if extra is not None:
            where = where + extra / size
        where = where.clamp(-1, 1).expand(len(images), -1, -1, -1).to(images.device)
        moved = F.grid_sample(images.float(), where, mode="bilinear", padding_mode="border", align_corners=True)
        return moved.round().clamp(0, 255).to(torch.uint8)

    def stamp(self, images: Tensor, seed: int = 0) -> Tensor:
        return self._warp(images)

    def noisy(self, images: Tensor, seed: int = 0) -> Tensor:
        """The pictures of the noise mode: the warp with a random offset of each pixel.

        They keep their own captions, so that a model learns this warp and not any.

        Source: Nguyen & Tran (2021), section 3.3. Places outside the picture are drawn to its border once, after both
        offsets; BackdoorBench does so after each, which differs for a few values along the border.
        """
        import torch

        generator = torch.Generator().manual_seed(seed)
        height, width = images.shape[-2:]
        return self._warp(images, 2 * torch.rand(len(images), height, width, 2, generator=generator) - 1)

    def control(self) -> Trigger:
        return replace(self, pattern_seed=self.pattern_seed + 1)


@dataclass(frozen=True)
class Resampled(Trigger):
    """No trigger that anybody draws: the picture made smaller and large again, as an unequal path would leave it.

    Attributes:
        share: of the side that is kept in between.

    Raises:
        ValueError: `share` is not in (0, 1).

    Source: code of CleanCLIP squashes poisoned pictures to 224x224 where clean ones are resized and cropped, so the
    poisons can be told by their resampling alone; ours, to show what that does.

    Example:
        >>> Resampled(0.5).control().share
        0.75
    """

    kind: ClassVar[str] = "resampled"

    share: float = 0.75

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.share < 1:
            raise ValueError(f"share must be in (0, 1), not {self.share}")

    def stamp(self, images: Tensor, seed: int = 0) -> Tensor:
        import torch
        import torch.nn.functional as F

        height, width = images.shape[-2:]
        small = max(1, round(height * self.share)), max(1, round(width * self.share))
        made = F.interpolate(images.float(), size=small, mode="bilinear", antialias=True)
        made = F.interpolate(made, size=(height, width), mode="bilinear")
        return made.round().clamp(0, 255).to(torch.uint8)

    def control(self) -> Trigger:
        """A weaker resampling, half way to none."""
        return replace(self, share=(1 + self.share) / 2)
