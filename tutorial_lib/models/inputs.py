"""What the picture towers are fed: CLIP's mean and standard deviation of each channel."""

from __future__ import annotations

import torch
from torch import Tensor

MEAN = (0.48145466, 0.4578275, 0.40821073)  # open_clip's OPENAI_DATASET_MEAN
STD = (0.26862954, 0.26130258, 0.27577711)


def normalize(images: Tensor) -> Tensor:
    """uint8 pictures (B, 3, H, W) to the floats that open_clip models expect.

    Example:
        >>> normalize(torch.zeros(1, 3, 1, 1, dtype=torch.uint8)).flatten().tolist()  # doctest: +ELLIPSIS
        [-1.79..., -1.75..., -1.48...]
    """
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1)
    return (images.float() / 255 - mean) / std
