"""Visibility against its formulas, written out."""

import math

import pytest
import torch

from tutorial_lib.triggers import Blended, NoisePatch
from tutorial_lib.triggers.visibility import visibility


def noise(n: int = 4, side: int = 16) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def slow_psnr(before: torch.Tensor, after: torch.Tensor) -> float:
    error = sum((float(a) - float(b)) ** 2 for a, b in zip(before.flatten(), after.flatten(), strict=True))
    return 10 * math.log10(255**2 / (error / before.numel()))


def slow_ssim(before: torch.Tensor, after: torch.Tensor, window: int = 7) -> float:
    """Equation 13 of Wang et al. (2004) with a uniform window, sample covariances, borders left out."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = []
    for channel in range(3):
        a, b = before[channel].double(), after[channel].double()
        for top in range(a.shape[0] - window + 1):
            for left in range(a.shape[1] - window + 1):
                u = a[top : top + window, left : left + window].flatten()
                v = b[top : top + window, left : left + window].flatten()
                covariance = ((u - u.mean()) * (v - v.mean())).sum() / (len(u) - 1)
                up = (2 * u.mean() * v.mean() + c1) * (2 * covariance + c2)
                down = (u.mean() ** 2 + v.mean() ** 2 + c1) * (u.var() + v.var() + c2)
                found.append(float(up / down))
    return sum(found) / len(found)


def test_both_are_their_formulas():
    images = noise(2)
    triggered = Blended().stamp(images)
    seen = visibility(images, triggered)
    assert seen.psnr == pytest.approx(sum(slow_psnr(a, b) for a, b in zip(images, triggered, strict=True)) / 2)
    assert seen.ssim == pytest.approx(
        sum(slow_ssim(a, b) for a, b in zip(images, triggered, strict=True)) / 2, abs=1e-6
    )


def test_a_fainter_trigger_is_less_visible():
    images = noise()
    faint, strong = (visibility(images, Blended(alpha=a).stamp(images)) for a in (0.1, 0.4))
    assert faint.psnr > strong.psnr
    assert faint.ssim > strong.ssim


def test_changed_pixels_are_counted_and_unchanged_pictures_leave_psnr_finite():
    images = noise(4, 32)
    triggered = images.clone()
    triggered[:2] = NoisePatch().stamp(images)[:2]
    seen = visibility(images, triggered)
    assert 0 < seen.changed <= 36 / 32**2 / 2
    assert math.isfinite(seen.psnr)


def test_bad_input():
    with pytest.raises(ValueError, match="must have the same shape"):
        visibility(noise(2), noise(3))
    with pytest.raises(ValueError, match="no picture was changed"):
        visibility(noise(), noise())
    with pytest.raises(ValueError, match="smaller than SSIM's window of 7x7"):
        visibility(noise(side=6), noise(side=6))
