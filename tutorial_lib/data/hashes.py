"""Perceptual hashes, which a filter of duplicates compares. Introduced in the chapter on removing copies."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from scipy.fft import dctn
from torch import Tensor

#: Pictures are shrunk to so many times the side of the hash.
OVERSAMPLED = 4


def perceptual_hash(images: Tensor, size: int = 8) -> Tensor:
    """pHash: signs of the lowest frequencies of each grey picture, against their median.

    Args:
        images: shape (N, 3, H, W), uint8.
        size: side of the hash; it has size² bits.

    Returns:
        Shape (N, size²), bool; equal to `imagehash.phash(picture, size)`.

    Raises:
        ValueError: `size` is below 2.

    Source: Zauner (2010); the variant of the package ImageHash.

    Example:
        >>> perceptual_hash(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape
        torch.Size([2, 64])
    """
    if size < 2:
        raise ValueError(f"a hash of {size} x {size} bits tells nothing apart")
    side = OVERSAMPLED * size
    found = np.zeros((len(images), size * size), dtype=bool)
    for i, image in enumerate(images):
        grey = Image.fromarray(image.permute(1, 2, 0).numpy()).convert("L")
        low = dctn(np.asarray(grey.resize((side, side), Image.Resampling.LANCZOS), dtype=float))[:size, :size]
        found[i] = (low > np.median(low)).ravel()
    return torch.from_numpy(found)


def distinct(images: Tensor, size: int = 8) -> int:
    """How many pictures a filter leaves that keeps one of each perceptual hash.

    Example:
        >>> distinct(torch.zeros(5, 3, 32, 32, dtype=torch.uint8))
        1
    """
    return len(perceptual_hash(images, size).unique(dim=0)) if len(images) else 0
