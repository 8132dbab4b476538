"""Distances to the nearest of a random reference: what the detectors of Huang et al. (2025) are made of.

A poison lies far from everything but other poisons, and a small random part of the data holds few of those. So the
number of poisons in the reference has to stay below k: with a share r of poisons, r times the size of the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tutorial_lib.detect.points import PointDetector

if TYPE_CHECKING:
    from torch import Tensor

#: Points whose distances to the reference are in memory at a time.
BLOCK = 8192


@dataclass(frozen=True)
class Neighbours:
    """The k nearest neighbours of N points in a reference of R.

    Attributes:
        distances: ascending, shape (N, k).
        indices: positions in the reference, shape (N, k), int64.
        reference: distances within the reference, of each of its points from its own k nearest, shape (R, k).

    Example:
        >>> import torch
        >>> found = nearest(torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([0, 1, 2]), k=1)
        >>> found.distances.flatten().tolist(), found.indices.flatten().tolist()
        ([1.0, 1.0, 2.0], [1, 0, 1])
    """

    distances: Tensor
    indices: Tensor
    reference: Tensor

    @property
    def k_distance(self) -> Tensor:
        """Of each point from its k-th neighbour, shape (N,)."""
        return self.distances[:, -1]

    @property
    def of_neighbours(self) -> Tensor:
        """The k-distance of each point's neighbours, shape (N, k)."""
        return self.reference[:, -1][self.indices]


def nearest(points: Tensor, reference: Tensor, k: int) -> Neighbours:
    """The nearest points of a reference, a point itself excluded: exact, in blocks.

    Args:
        points: shape (N, d).
        reference: positions of the reference among the points, shape (R,), int64.
        k: neighbours of each.

    Raises:
        ValueError: the reference has not more than k points.

    Example:
        >>> import torch
        >>> points = torch.randn(100, 8, generator=torch.Generator().manual_seed(0))
        >>> nearest(points, torch.arange(50), k=5).distances.shape
        torch.Size([100, 5])
    """
    import torch

    if not 1 <= k < len(reference):
        raise ValueError(f"{k} neighbours need a reference of more than {k} pairs, and it has {len(reference)}")
    points = points.double() if len(points) <= BLOCK else points.float()
    known = points[reference]
    place = torch.full((len(points),), -1)
    place[reference] = torch.arange(len(reference))
    distances, indices = [], []
    for start in range(0, len(points), BLOCK):
        block = torch.cdist(points[start : start + BLOCK], known)
        own = place[start : start + BLOCK]
        block[own >= 0, own[own >= 0]] = float("inf")
        near = block.topk(k, largest=False)
        distances.append(near.values)
        indices.append(near.indices)
    found = torch.cat(distances)
    return Neighbours(found, torch.cat(indices), found[reference])


@dataclass(frozen=True)
class NeighbourDetector(PointDetector):
    """A detector by the distance from a random reference.

    Attributes:
        k: neighbours.
        reference: pairs of the reference, drawn at random; all where there are fewer.
        seed: draws them.
        normalise: embeddings first; in small models their norm tells poisons from others, and without it little does.

    Raises:
        ValueError: `k` or `reference` is below 1.

    Source: Huang et al. (2025), "Detecting backdoor samples in contrastive language image pretraining": k = 16 in
    batches of 2,048, embeddings not normalised.

    Example:
        >>> from tutorial_lib.detect import DETECTORS
        >>> sorted(kind for kind, cls in DETECTORS.items() if issubclass(cls, NeighbourDetector))
        ['caption-disagreement', 'dao', 'k-distance', 'slof']
    """

    k: int = 16
    reference: int = 2048
    seed: int = 0
    normalise: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(k=1, reference=1)

    def neighbours(self, images: Tensor) -> Neighbours:
        """Of every picture in the reference.

        Raises:
            ValueError: there are not more than `k` pairs.
        """
        import torch
        import torch.nn.functional as F

        images = F.normalize(images, dim=1) if self.normalise else images
        drawn = torch.randperm(len(images), generator=torch.Generator().manual_seed(self.seed))
        return nearest(images, drawn[: self.reference], self.k)
