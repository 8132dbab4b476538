"""Pictures whose neighbours are described otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.neighbours import NeighbourDetector
from tutorial_lib.detect.points import Points

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class CaptionDisagreement(NeighbourDetector):
    """One less the mean cosine of a caption with the captions of the nearest pictures of a random reference.

    A model that learned its poisons has moved their pictures to their captions, and sees no disagreement any more: the
    baseline is for models that were trained on something else.

    Source: ours, the neighbours' vote of deep k-NN defenses (Peri et al., 2020) with captions for labels.

    Example:
        >>> import torch
        >>> images = torch.tensor([[0.0], [0.1], [0.2], [0.3]])
        >>> texts = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
        >>> CaptionDisagreement(k=3).of_points(Points(images, texts)).argmax().item()
        2
    """

    kind: ClassVar[str] = "caption-disagreement"
    title: ClassVar[str] = "neighbours' captions disagree"

    def of_points(self, points: Points) -> Tensor:
        import torch

        drawn = torch.randperm(len(points), generator=torch.Generator().manual_seed(self.seed))[: self.reference]
        found = self.neighbours(points.images)
        theirs = points.texts[drawn][found.indices].mean(1)  # (N, d)
        return 1 - (points.texts * theirs).sum(1)
