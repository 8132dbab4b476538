"""Distances to the nearest of a random reference: what the detectors of Huang et al. (2025) are made of.

A poison lies far from everything but other poisons, and a small random part of the data holds few of those. So the
number of poisons in the reference has to stay below k: with a share r of poisons, r times the size of the reference.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tutorial_lib.detect import approximate
from tutorial_lib.detect.points import PointDetector
from tutorial_lib.notes import Note
from tutorial_lib.trials.schema import setting

if TYPE_CHECKING:
    from torch import Tensor

#: Points whose distances to the reference are in memory at a time, and distances.
BLOCK, ENTRIES = 8192, 1 << 24
#: Pairs of a reference above which exact neighbours take long.
MANY = 100_000
#: How neighbours are found.
Index = Literal["auto", "exact", "approximate"]


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


def nearest(points: Tensor, reference: Tensor, k: int, *, index: Index = "exact") -> Neighbours:
    """The nearest points of a reference, a point itself excluded.

    Exact neighbours are found in blocks of `ENTRIES` distances, 64 MB, beside the points and a copy of the reference:
    6.1 GB for 3,000,000 points of 512 numbers, and as much again if all are in the reference. How much an approximate
    index takes is said in `tutorial_lib.detect.approximate`; where it finds too few, exact neighbours take their place.

    Args:
        points: shape (N, d).
        reference: positions of the reference among the points, shape (R,), int64.
        k: neighbours of each.
        index: "exact", "approximate", or "auto": approximate above `MANY` pairs in the reference, if faiss is there.

    Raises:
        ValueError: the reference has not more than k points.
        ImportError: an approximate index is asked for, and faiss is not installed.

    Example:
        >>> import torch
        >>> points = torch.randn(100, 8, generator=torch.Generator().manual_seed(0))
        >>> nearest(points, torch.arange(50), k=5).distances.shape
        torch.Size([100, 5])
    """
    import torch

    if not 1 <= k < len(reference):
        raise ValueError(
            f"{k} neighbours need a reference of more than {k} pairs, and it has {len(reference)}: give more pairs, or "
            "fewer neighbours, as in --set k=4"
        )
    points = points.double() if len(points) <= BLOCK else points.float()
    if index == "approximate" or (index == "auto" and len(reference) > MANY and _can_approximate(len(reference))):
        points = points.float()
        distances, indices = approximate.search(points, reference, k)
        short = (indices[:, -1] < 0).nonzero()[:, 0]
        if len(short):
            distances[short], indices[short] = _exact(points, short, reference, k)
    else:
        distances, indices = _exact(points, torch.arange(len(points)), reference, k)
    return Neighbours(distances, indices, distances[reference])


def _can_approximate(size: int) -> bool:
    """Whether faiss is there; says it where it would help."""
    if not (found := approximate.available()):
        warnings.warn(
            f"exact neighbours among {size:,} pairs take long: `pip install 'backdooring-clip[neighbours]'` brings an "
            "approximate index",
            Note,
            stacklevel=4,
        )
    return found


def _exact(points: Tensor, rows: Tensor, reference: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Distances and neighbours of some of the points, (len(rows), k) each."""
    import torch

    known = points[reference]
    squares = known.square().sum(1)
    place = torch.full((len(points),), -1)
    place[reference] = torch.arange(len(reference))
    distances, indices = [], []
    for some in rows.split(max(1, min(BLOCK, ENTRIES // len(reference)))):
        here, own = points[some], place[some]
        block = torch.addmm(squares, here, known.T, alpha=-2)  # |r|² - 2 x·r has the order of the distances |x - r|
        block[own >= 0, own[own >= 0]] = float("inf")
        near = block.topk(k, largest=False)
        distances.append((near.values + here.square().sum(1, keepdim=True)).clamp(min=0).sqrt())
        indices.append(near.indices)
    return torch.cat(distances), torch.cat(indices)


@dataclass(frozen=True)
class NeighbourDetector(PointDetector):
    """A detector by the distance from a random reference.

    Attributes:
        k: neighbours.
        reference: pairs of the reference, drawn at random; all where there are fewer.
        seed: draws them.
        normalise: embeddings first; in small models their norm tells poisons from others, and without it little does.
        index: how neighbours are found: "exact", "approximate", or "auto", see `nearest`.

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
    index: Index = setting("auto", added=True)

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
        return nearest(images, drawn[: self.reference], self.k, index=self.index)
