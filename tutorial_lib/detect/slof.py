"""Pictures that lie further from their neighbours than these from theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.neighbours import NeighbourDetector
from tutorial_lib.detect.points import Points

if TYPE_CHECKING:
    from torch import Tensor

#: Stands for a distance of nothing, between pictures that are alike.
TINY = 1e-12


@dataclass(frozen=True)
class SLOF(NeighbourDetector):
    """The simplified local outlier factor: mean of d_k(x) / d_k(n) over the k neighbours n of a picture x.

    Source: Schubert et al. (2014); for CLIP Huang et al. (2025).

    Example:
        >>> import torch
        >>> points = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
        >>> points[7] += 9  # alone
        >>> int(SLOF(k=8).of_points(Points(points, points)).argmax())
        7
    """

    kind: ClassVar[str] = "slof"
    title: ClassVar[str] = "simplified local outlier factor"

    def of_points(self, points: Points) -> Tensor:
        found = self.neighbours(points.images)
        return (found.k_distance[:, None] / found.of_neighbours.clamp(min=TINY)).mean(1)
