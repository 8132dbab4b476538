"""A supervised classifier on the same pictures, for comparison. Introduced in chapter 6.

The image tower, the augmentation, the optimizer and the schedule are those of `train`; the loss is the cross entropy
of a linear head over the class labels, and captions play no part.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib.distributed import whole
from tutorial_lib.train import History, device_for, in_half, optimize, random_views, seeded
from tutorial_lib.trials import Recipe


class Classifier(torch.nn.Module):
    """An image tower with a linear head over classes.

    Args:
        visual: the image tower of a CLIP model, pictures to embeddings of size `width`.
        width: embedding size.
        classes: number of classes.
        seed: initialisation of the head.
    """

    def __init__(self, visual: torch.nn.Module, width: int, classes: int, *, seed: int = 0) -> None:
        super().__init__()
        self.visual = visual
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = torch.nn.Linear(width, classes)

    def encode_image(self, images: Tensor, normalize: bool = False) -> Tensor:
        """Embeddings, as a CLIP model gives them, shape (N, width)."""
        points = self.visual(images)
        return F.normalize(points, dim=-1) if normalize else points

    def forward(self, images: Tensor) -> Tensor:
        """Scores of each class, shape (N, C); the head sees normalised embeddings, scaled as CLIP's are."""
        return self.head(10 * self.encode_image(images, normalize=True))


def train_classifier(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str | torch.device | None = None,
) -> History:
    """Train a classifier in place.

    Args:
        model: moved to `device` and left there in evaluation mode.
        images: shape (N, 3, H, W), uint8.
        labels: what the data set says they are, shape (N,), int64.
        recipe: hyper-parameters, as for CLIP.
        seed: order of the pictures and augmentation.
        device: by default the GPU if there is one.

    Raises:
        ValueError: fewer pictures than one batch.
        TrainingDivergedError: the loss is NaN or infinite.
    """
    device = device_for(device)
    images, labels = images.to(device), labels.to(device)
    half = in_half(recipe, device)

    def loss_of(batch: Tensor, step: int) -> Tensor:
        views = random_views(images, batch, device, seeded(seed, step, 1), recipe.scale)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            scores = model(views)
        return F.cross_entropy(whole(scores.float()), labels[batch.to(device)])

    return optimize(model, len(images), loss_of, recipe, seed=seed, device=device, progress=False)


@torch.no_grad()
def read_with_head(model: Classifier, embeddings: Tensor) -> Tensor:
    """Predicted class of each normalised embedding, shape (N,), int64, on the CPU."""
    device = model.head.weight.device
    return model.head(10 * embeddings.to(device)).argmax(dim=1).cpu()
