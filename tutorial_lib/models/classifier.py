"""A supervised classifier: the image tower of a CLIP model with a linear head.

Introduced in the chapter on what makes it work.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


class Classifier(torch.nn.Module):
    """An image tower with a linear head over classes.

    Args:
        visual: the image tower of a CLIP model, pictures to embeddings of size `width`.
        width: embedding size.
        classes: number of classes.
        seed: initialisation of the head.

    Example:
        >>> from tutorial_lib import models
        >>> model, _ = models.load(models.CHECKPOINTS / "clean")
        >>> Classifier(model.visual, 128, classes=10)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """

    def __init__(self, visual: torch.nn.Module, width: int, classes: int, *, seed: int = 0) -> None:
        super().__init__()
        self.visual = visual
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = torch.nn.Linear(width, classes)

    def encode_image(self, images: Tensor, normalize: bool = False) -> Tensor:
        """Embeddings, as a CLIP model gives them, shape (N, width)."""
        points: Tensor = self.visual(images)
        return F.normalize(points, dim=-1) if normalize else points

    def forward(self, images: Tensor) -> Tensor:
        """Scores of each class, shape (N, C); the head sees normalised embeddings, scaled as CLIP's are."""
        scores: Tensor = self.head(10 * self.encode_image(images, normalize=True))
        return scores


@torch.no_grad()
def read_with_head(model: Classifier, embeddings: Tensor) -> Tensor:
    """Predicted class of each normalised embedding, shape (N,), int64, on the CPU.

    Example:
        >>> read_with_head(Classifier(torch.nn.Identity(), 4, classes=3), torch.eye(4)).shape
        torch.Size([4])
    """
    device = model.head.weight.device
    scores: Tensor = model.head(10 * embeddings.to(device))
    return scores.argmax(dim=1).cpu()
