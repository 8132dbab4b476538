"""How much of a trigger can be seen: PSNR and SSIM. Introduced in the chapter on stealthier triggers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Visibility:
    """Means over pictures.

    Attributes:
        psnr: peak signal-to-noise ratio in decibels, over the pictures that were changed; higher is less visible.
        ssim: structural similarity, at most 1; higher is less visible.
        changed: share of the pixels that differ in any channel.

    Example:
        >>> Visibility(psnr=30.0, ssim=0.95, changed=0.04).changed
        0.04
    """

    psnr: float
    ssim: float
    changed: float


def visibility(images: Tensor, triggered: Tensor) -> Visibility:
    """How far pictures with a trigger are from the same pictures without.

    Args:
        images, triggered: shape (N, 3, H, W), uint8, with sides of at least 7 pixels, the window of SSIM.

    Raises:
        ValueError: the shapes differ, the pictures are too small, or no picture was changed.

    Source: both measures as scikit-image computes them; SSIM is that of Wang et al. (2004) with a uniform window.

    Example:
        >>> import torch
        >>> from tutorial_lib.triggers import Blended, Checkerboard
        >>> grey = torch.full((1, 3, 32, 32), 128, dtype=torch.uint8)
        >>> patch, faint = (visibility(grey, t.stamp(grey)) for t in (Checkerboard(), Blended(alpha=0.03)))
        >>> round(patch.changed, 3), faint.psnr > patch.psnr
        (0.035, True)
    """
    import numpy as np
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    if images.shape != triggered.shape:
        raise ValueError(f"pictures {tuple(images.shape)} and {tuple(triggered.shape)} must have the same shape")
    if min(images.shape[-2:]) < 7:
        raise ValueError(f"{images.shape[-2]}x{images.shape[-1]} pixels are smaller than SSIM's window of 7x7")
    differs = (images != triggered).any(1)  # (N, H, W)
    if not differs.any():
        raise ValueError("no picture was changed: there is nothing to see")
    psnr, ssim = [], []
    for before, after, any_change in zip(images.numpy(), triggered.numpy(), differs.flatten(1).any(1), strict=True):
        ssim.append(structural_similarity(before, after, channel_axis=0, data_range=255))
        if any_change:  # PSNR of an unchanged picture is infinite
            psnr.append(peak_signal_noise_ratio(before, after, data_range=255))
    return Visibility(float(np.mean(psnr)), float(np.mean(ssim)), float(differs.float().mean()))
