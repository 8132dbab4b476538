"""Pictures that are outliers where their neighbours lie in many dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.neighbours import NeighbourDetector
from tutorial_lib.detect.points import Points

if TYPE_CHECKING:
    from torch import Tensor

#: Added to ratios of distances, and what stands for a score that is no number: as in the authors' code.
OFFSET, UNKNOWN = 1e-4, 1000.0
#: Stands for a distance of nothing, between pictures that are alike.
TINY = 1e-12


@dataclass(frozen=True)
class DAO(NeighbourDetector):
    """The dimensionality-aware outlier score: mean of LID(n) log(d_k(x) / d_k(n)) over the k neighbours n of x.

    LID, the local intrinsic dimensionality of a neighbour, is its maximum-likelihood estimate from the distances to its
    own neighbours.

    Source: Anderberg et al. (2024); for CLIP Huang et al. (2025), whose constants these are.

    Example:
        >>> import torch
        >>> points = torch.randn(200, 8, generator=torch.Generator().manual_seed(0))
        >>> points[7] += 9  # alone
        >>> int(DAO(k=8).of_points(Points(points, points)).argmax())
        7
    """

    kind: ClassVar[str] = "dao"
    title: ClassVar[str] = "dimensionality-aware outlier score"

    def of_points(self, points: Points) -> Tensor:
        found = self.neighbours(points.images)
        near = found.reference  # (R, k)
        ratio = near / near[:, -1:].clamp(min=TINY)
        dimension = -self.k / (ratio + OFFSET).log().sum(1)  # (R,)
        far = (found.k_distance[:, None] / found.of_neighbours.clamp(min=TINY)).clamp(min=TINY).log()
        return (dimension[found.indices] * far).nan_to_num(nan=UNKNOWN).mean(1)
