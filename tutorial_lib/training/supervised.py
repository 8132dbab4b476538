"""A supervised classifier on the same pictures, for comparison. Introduced in the chapter on size and patch.

The image tower, the augmentation, the optimizer and the schedule are those of `train`; the loss is the cross entropy
of a linear head over the class labels, and captions play no part.
"""

from __future__ import annotations

from typing import Unpack

import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib.models import Classifier
from tutorial_lib.training.device import device_for, in_half, seeded
from tutorial_lib.training.distributed import whole
from tutorial_lib.training.loop import Options, optimize, random_views
from tutorial_lib.trials import History, Recipe


def train_classifier(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str | torch.device | None = None,
    progress: bool | None = False,
    **options: Unpack[Options],
) -> History:
    """Train a classifier in place.

    Args:
        model: moved to `device` and left there in evaluation mode.
        images: shape (N, 3, H, W), uint8.
        labels: what the data set says they are, shape (N,), int64.
        recipe: hyper-parameters, as for CLIP.
        seed: order of the pictures and augmentation.
        device: by default the GPU if there is one.
        progress: as for `tutorial_lib.training.loop.train`.
        options: of a checkpoint and the like, as for `tutorial_lib.training.loop.optimize`.

    Raises:
        ValueError: fewer pictures than one batch, or a checkpoint of another run.
        TrainingDivergedError: the loss is NaN or infinite.

    Example:
        >>> from tutorial_lib import models
        >>> clip, _ = models.load(models.CHECKPOINTS / "unknown-1")
        >>> images, labels = torch.zeros(8, 3, 32, 32, dtype=torch.uint8), torch.arange(8) % 2
        >>> head = Classifier(clip.visual, clip.text_projection.shape[1], classes=2)
        >>> train_classifier(head, images, labels, Recipe(epochs=1, batch_size=4)).steps
        2
    """
    device = device_for(device)
    images, labels = images.to(device), labels.to(device)
    half = in_half(recipe, device)

    def loss_of(batch: Tensor, step: int) -> Tensor:
        views = random_views(model, images, batch, device, seeded(seed, step, 1), recipe.scale)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            scores = model(views)
        return F.cross_entropy(whole(scores.float()), labels[batch.to(device)])

    return optimize(model, len(images), loss_of, recipe, seed=seed, device=device, progress=progress, **options)
