"""Random views of pictures, in batches. Introduced in chapter 1."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MEAN = (0.48145466, 0.4578275, 0.40821073)  # open_clip's OPENAI_DATASET_MEAN
STD = (0.26862954, 0.26130258, 0.27577711)


def normalize(images: Tensor) -> Tensor:
    """uint8 pictures (B, 3, H, W) to the floats that open_clip models expect."""
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1)
    return (images.float() / 255 - mean) / std


def random_resized_crop(
    images: Tensor, generator: torch.Generator, *, scale: tuple[float, float] = (0.9, 1.0), side: int | None = None
) -> Tensor:
    """Crop a random box of each picture and resize it, as torchvision does for one picture.

    Args:
        images: shape (B, 3, H, W), float.
        generator: source of the boxes, on the CPU.
        scale: smallest and largest area of the box, as a share of the picture's.
        side: width and height of the result; by default those of the input.

    Returns:
        Shape (B, 3, side, side). open_clip's default is `scale=(0.9, 1)` without flips.
    """
    batch, _, height, width = images.shape
    area = torch.empty(batch).uniform_(*scale, generator=generator)
    log_ratio = torch.empty(batch).uniform_(math.log(3 / 4), math.log(4 / 3), generator=generator)
    box_w = (area * log_ratio.exp()).sqrt().clamp(max=1.0)  # as a share of the width
    box_h = (area / log_ratio.exp()).sqrt().clamp(max=1.0)
    x = torch.rand(batch, generator=generator) * (1 - box_w)
    y = torch.rand(batch, generator=generator) * (1 - box_h)
    theta = torch.zeros(batch, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = box_w, box_h
    theta[:, 0, 2], theta[:, 1, 2] = 2 * x + box_w - 1, 2 * y + box_h - 1
    size = (batch, 3, side or height, side or width)
    grid = F.affine_grid(theta.to(images.device), list(size), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
