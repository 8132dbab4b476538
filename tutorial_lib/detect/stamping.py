"""Pictures with a trigger that is still being looked for, and where a model has them; gradients pass through."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import open_clip
import torch
from torch import Tensor

from tutorial_lib.models.fast import small_maps
from tutorial_lib.models.inputs import normalize, preprocessing_of

#: Pixels of stamped pictures that pass through a model at once: 512 pictures of 32 x 32.
BUDGET = 512 * 32**2


def stamped(images: Tensor, mask: Tensor, pattern: Tensor) -> Tensor:
    """Pictures with a trigger: x (1 - mask) + 255 mask * pattern.

    Args:
        images: shape (…, 3, H, W), from 0 to 255.
        mask: shape (…, 1, H, W), from 0 to 1.
        pattern: shape (…, 3, H, W), from 0 to 1.

    Returns:
        Float, of the shape to which the three are broadcast.

    Example:
        >>> stamped(torch.full((3, 1, 1), 100.0), torch.full((1, 1, 1), 0.5), torch.ones(3, 1, 1)).flatten().tolist()
        [177.5, 177.5, 177.5]
    """
    return images * (1 - mask) + 255 * mask * pattern


def embed(model: open_clip.CLIP, pictures: Tensor) -> Tensor:
    """Normalised embeddings, shape (N, d), of float pictures (N, 3, H, W) from 0 to 255; gradients pass through.

    Example:
        >>> from tutorial_lib import models
        >>> model, _ = models.load(models.CHECKPOINTS / "unknown-1")
        >>> embed(model, torch.zeros(2, 3, 32, 32, requires_grad=True)).requires_grad
        True
    """
    found: Tensor = model.encode_image(normalize(pictures, preprocessing_of(model)), normalize=True)
    return found.float()


@contextlib.contextmanager
def still(model: open_clip.CLIP) -> Iterator[None]:
    """Evaluation mode, weights without gradients, and the fast paths of small pictures, in the block.

    Example:
        >>> from tutorial_lib import models
        >>> model, _ = models.load(models.CHECKPOINTS / "unknown-1")
        >>> with still(model):
        ...     any(p.requires_grad for p in model.parameters())
        False
        >>> all(p.requires_grad for p in model.parameters())
        True
    """
    training, free = model.training, [p for p in model.parameters() if p.requires_grad]
    model.eval()
    for weight in free:
        weight.requires_grad_(False)
    try:
        with small_maps(model):
            yield
    finally:
        model.train(training)
        for weight in free:
            weight.requires_grad_(True)


def together(pictures: int, side: int) -> int:
    """How many triggers are tried at once, each on so many pictures, at least one.

    Example:
        >>> together(8, side=32), together(8, side=224)
        (64, 1)
    """
    return max(1, BUDGET // (pictures * side**2))


def batches(images: int, steps: int, size: int, seed: int) -> Tensor:
    """Positions of the pictures of each step, shape (steps, size), int64: epoch after epoch, each in its own order.

    Example:
        >>> drawn = batches(6, steps=2, size=3, seed=0)
        >>> sorted(drawn.flatten().tolist())
        [0, 1, 2, 3, 4, 5]
    """
    generator = torch.Generator().manual_seed(seed)
    epochs = -(-steps * size // images)
    orders = [torch.randperm(images, generator=generator) for _ in range(epochs)]
    return torch.cat(orders)[: steps * size].view(steps, size)


def alikeness(points: Tensor) -> Tensor:
    """Mean cosine of two different ones of N normalised embeddings, shape (…) from (…, N, d).

    Example:
        >>> alikeness(torch.eye(3)), alikeness(torch.eye(3)[[0, 0]])
        (tensor(0.), tensor(1.))
    """
    n = points.shape[-2]
    return (points.sum(-2).square().sum(-1) - points.square().sum((-2, -1))) / (n * (n - 1))


def outlier_index(values: Tensor) -> Tensor:
    """How many deviations each value lies above the median, shape (N,): its distance over 1.4826 times the MAD.

    The median absolute deviation (MAD) of a normal sample, times that constant, is its standard deviation. Where more
    than half of the values are equal it is 0, and the mean absolute deviation takes its place, with its own constant.

    Source: Wang et al. (2019), section IV.B, "anomaly index"; for a MAD of 0 Iglewicz & Hoaglin (1993).

    Example:
        >>> outlier_index(torch.tensor([1.0, 2.0, 3.0, 4.0, 100.0])).round().tolist()
        [-1.0, -1.0, 0.0, 1.0, 65.0]
    """
    away = values.double() - values.double().quantile(0.5)
    median, mean = 1.4826 * away.abs().quantile(0.5), 1.2533 * away.abs().mean()
    return torch.where(away == 0, 0.0, away / (median if median > 0 else mean))


def gains(directions: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """By how much the share of each class among the predictions grows.

    Args:
        directions: of the classes, shape (d, C).
        before, after: embeddings of the same pictures without and with a trigger, shape (N, d).

    Returns:
        Shape (C,), from -1 to 1.

    Example:
        >>> two = torch.eye(2)
        >>> gains(two, before=two, after=two[[1, 1]])
        tensor([-0.5000,  0.5000])
    """
    classes = directions.shape[1]
    shares = [torch.bincount((x @ directions).argmax(1), minlength=classes) / len(x) for x in (before, after)]
    return shares[1] - shares[0]
