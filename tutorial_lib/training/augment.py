"""Random views of pictures, in batches.

Introduced in the chapters on contrastive learning (crops) and CleanCLIP (AutoAugment).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def crop_boxes(
    batch: int, height: int, width: int, generator: torch.Generator, *, scale: tuple[float, float]
) -> Tensor:
    """The boxes that torchvision's RandomResizedCrop draws: ten tries each, then the whole picture.

    Returns:
        Top, left, height and width in pixels, shape (B, 4), int64.

    Example:
        >>> boxes = crop_boxes(5, 32, 32, torch.Generator().manual_seed(0), scale=(0.9, 1.0))
        >>> bool((boxes[:, 2] * boxes[:, 3] > 0.8 * 32 * 32).all())
        True
    """
    tries = (batch, 10)
    area = height * width * torch.empty(tries).uniform_(*scale, generator=generator)
    ratio = torch.empty(tries).uniform_(math.log(3 / 4), math.log(4 / 3), generator=generator).exp()
    box_h, box_w = (area / ratio).sqrt().round().long(), (area * ratio).sqrt().round().long()
    fits = (box_h >= 1) & (box_h <= height) & (box_w >= 1) & (box_w <= width)
    first = torch.where(fits, torch.arange(10), 10).amin(1)  # 10 where no try fits
    whole_h, whole_w = min(height, round(width * 4 / 3)), min(width, round(height * 4 / 3))
    chosen = first.clamp(max=9)[:, None]
    box_h = torch.where(first < 10, box_h.gather(1, chosen)[:, 0], whole_h)
    box_w = torch.where(first < 10, box_w.gather(1, chosen)[:, 0], whole_w)
    top = (torch.rand(batch, generator=generator) * (height - box_h + 1)).long()
    left = (torch.rand(batch, generator=generator) * (width - box_w + 1)).long()
    top = torch.where(first < 10, top, (height - whole_h) // 2)
    left = torch.where(first < 10, left, (width - whole_w) // 2)
    return torch.stack([top, left, box_h, box_w], 1)


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

    Example:
        >>> random_resized_crop(torch.zeros(2, 3, 32, 32), torch.Generator().manual_seed(0), side=16).shape
        torch.Size([2, 3, 16, 16])
    """
    batch, _, height, width = images.shape
    boxes = crop_boxes(batch, height, width, generator, scale=scale)
    return crop(images, boxes, side=side)


def crop(images: Tensor, boxes: Tensor, *, side: int | None = None) -> Tensor:
    """Cut a box out of each picture and resize it (bilinear).

    Args:
        images: shape (B, 3, H, W), float.
        boxes: top, left, height and width in pixels, shape (B, 4).
        side: width and height of the result; by default those of the input.

    Returns:
        Shape (B, 3, side, side).

    Example:
        >>> picture = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4)
        >>> crop(picture, torch.tensor([[0, 0, 2, 2]]), side=2)[0, 0]
        tensor([[0., 1.],
                [4., 5.]])
    """
    batch, _, height, width = images.shape
    boxes = boxes.to(images.device)
    y, x, box_h, box_w = (boxes / torch.tensor([height, width, height, width], device=boxes.device)).unbind(1)
    rows, columns = side or height, side or width
    grid = torch.empty(batch, rows, columns, 2, device=images.device)  # x and y of each point, in [-1, 1]
    grid[..., 0] = (2 * x[:, None] + box_w[:, None] * _middles(columns, images.device) - 1)[:, None, :]
    grid[..., 1] = (2 * y[:, None] + box_h[:, None] * _middles(rows, images.device) - 1)[:, :, None]
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _middles(count: int, device: torch.device) -> Tensor:
    """Twice the middle of each of so many pixels, as a share of the side."""
    return (2 * torch.arange(count, device=device) + 1) / count


def autoaugment(images: Tensor, seed: int, *, group: int = 4) -> Tensor:
    """Each picture changed by a random one of the 25 policies that AutoAugment found for ImageNet.

    Pictures of a group share the policy that torchvision draws, and groups are drawn anew each time: a picture sees
    every policy as often as alone, at a fraction of the time.

    Args:
        images: shape (B, 3, H, W), uint8.
        seed: of groups and policies; the global random state is left as it was.
        group: pictures per policy.

    Returns:
        Shape (B, 3, H, W), uint8, in the order of `images`.

    Source: Cubuk et al. (2019), implemented by torchvision; Bansal et al. (2023) use it for CleanCLIP.

    Example:
        >>> images = torch.arange(3072).view(4, 3, 16, 16).to(torch.uint8)
        >>> torch.equal(autoaugment(images, seed=1), autoaugment(images, seed=1))
        True
    """
    from torchvision.transforms import v2  # takes a moment to import, and only CleanCLIP needs it

    policy = v2.AutoAugment(v2.AutoAugmentPolicy.IMAGENET)
    out = torch.empty_like(images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for chosen in torch.randperm(len(images)).split(group):
            out[chosen.to(images.device)] = policy(images[chosen.to(images.device)])
    return out


def noise_and_cutout(images: Tensor, generator: torch.Generator, *, noise: float, cutout: float) -> Tensor:
    """Gaussian noise, and a grey square in place of a part of each picture.

    Args:
        images: shape (B, 3, H, W), float, from 0 to 255.
        generator: draws both, on the CPU.
        noise: standard deviation, as a share of 255.
        cutout: side of the square, as a share of the picture's; 0 cuts nothing.

    Returns:
        Shape (B, 3, H, W), from 0 to 255.

    Source: the light augmentations of Singh et al. (2024); CutOut is DeVries & Taylor's (2017).

    Example:
        >>> changed = noise_and_cutout(torch.zeros(1, 3, 8, 8), torch.Generator().manual_seed(0), noise=0, cutout=0.25)
        >>> int((changed[0, 0] == 127.5).sum())
        4
    """
    batch, _, height, width = images.shape
    out = images + 255 * noise * torch.randn(images.shape, generator=generator).to(images.device)
    side = round(cutout * min(height, width))
    top = torch.randint(height - side + 1, (batch, 1), generator=generator)
    left = torch.randint(width - side + 1, (batch, 1), generator=generator)
    rows, columns = torch.arange(height), torch.arange(width)
    tall, wide = (rows >= top) & (rows < top + side), (columns >= left) & (columns < left + side)
    hole = (tall[:, None, :, None] & wide[:, None, None, :]).to(images.device)  # (B, 1, H, W)
    return torch.where(hole, 127.5, out.clamp(0, 255))
