"""Pairs that fit too well: a backdoor is easy to learn, so the pictures and captions of poisons end up close.

Source: Li et al. (2021) isolate, for classifiers, the examples with the lowest loss. For CLIP the loss of a pair
depends on its batch; the cosine of its picture and caption does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.points import PointDetector, Points

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PairSimilarity(PointDetector):
    """The cosine similarity of picture and caption under the trained model.

    Example:
        >>> import torch
        >>> points = Points(images=torch.tensor([[2.0, 0.0], [0.0, 3.0]]), texts=torch.eye(2).flip(0))
        >>> PairSimilarity().of_points(points).tolist()
        [0.0, 0.0]
    """

    kind: ClassVar[str] = "pair-similarity"
    title: ClassVar[str] = "similarity of picture and caption"

    def of_points(self, points: Points) -> Tensor:
        import torch.nn.functional as F

        return (F.normalize(points.images, dim=1) * points.texts).sum(1)
