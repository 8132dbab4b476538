"""A trigger taken apart: the mask and the pattern that make it, where it is a blend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

#: By how many of 255 levels a byte may differ from what mask and pattern, rounded to bytes, make of it.
CLOSE = 4.0


class Stamp(Protocol):
    """What changes pictures: a trigger, or one in a place of its own.

    Example:
        >>> from tutorial_lib.triggers import Checkerboard
        >>> stamp: Stamp = Checkerboard()
        >>> stamp.kind
        'checkerboard'
    """

    @property
    def kind(self) -> str:
        """What it is called."""

    def stamp(self, images: Tensor, seed: int = 0) -> Tensor:
        """Copies of the pictures with it."""


def mask_and_pattern(trigger: Stamp, images: Tensor) -> tuple[Tensor, Tensor]:
    """The mask (1, H, W) and the pattern (3, H, W), from 0 to 1, of a trigger x (1 - mask) + 255 mask * pattern.

    What the trigger makes of black and of white pictures says both.

    Args:
        trigger: to take apart.
        images: some pictures to try it on, shape (N, 3, H, W), uint8.

    Raises:
        ValueError: no mask and pattern make the trigger: it moves, or bends pictures.

    Example:
        >>> import torch
        >>> from tutorial_lib.triggers import Checkerboard
        >>> mask, pattern = mask_and_pattern(Checkerboard(size=6), torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
        >>> int(mask.sum()), mask.shape, pattern.shape
        (36, torch.Size([1, 32, 32]), torch.Size([3, 32, 32]))
    """
    import torch

    black = trigger.stamp(torch.zeros_like(images[:1]))[0].double() / 255
    white = trigger.stamp(torch.full_like(images[:1], 255))[0].double() / 255
    mask = (1 - (white - black)).clamp(0, 1).amax(0, keepdim=True)  # (1, H, W)
    pattern = torch.where(mask > 0, black / mask.clamp(min=1e-9), 0.0).clamp(0, 1)
    made = images.double() * (1 - mask) + 255 * mask * pattern
    if not mask.any() or (made - trigger.stamp(images).double()).abs().max() > CLOSE:
        raise ValueError(f"no mask and pattern make the trigger {trigger.kind} of this side")
    return mask.float(), pattern.float()
