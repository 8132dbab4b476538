"""Pictures that lie far from all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.neighbours import NeighbourDetector
from tutorial_lib.detect.points import Points

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class KDistance(NeighbourDetector):
    """The distance of a picture from its k-th neighbour in a random reference.

    Source: Huang et al. (2025), the plainest of their three.

    Example:
        >>> import torch
        >>> points = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
        >>> points[7] += 9  # alone
        >>> int(KDistance(k=8).of_points(Points(points, points)).argmax())
        7
    """

    kind: ClassVar[str] = "k-distance"
    title: ClassVar[str] = "distance to the k-th neighbour"

    def of_points(self, points: Points) -> Tensor:
        return self.neighbours(points.images).k_distance
