"""Pictures in the smaller of two clusters of those with like captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.caption_groups import caption_groups
from tutorial_lib.detect.points import PointDetector, Points

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ActivationClustering(PointDetector):
    """How clearly a picture belongs to the smaller of two clusters within its group of captions.

    The score is the distance from the larger cluster's centre less that from the smaller one's, over their sum: from -1
    to 1, and the more clearly the two are apart the nearer to an end.

    Attributes:
        groups: of captions, which stand for classes.
        dimensions: that are kept, by principal components.
        seed: of the grouping and of the clusters.

    Raises:
        ValueError: `groups` or `dimensions` is below 1.

    Source: Chen et al. (2018), with classes and independent components.

    Example:
        >>> import torch
        >>> images = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
        >>> images[:12, 3] += 12  # poisons
        >>> scores = ActivationClustering(groups=1).of_points(Points(images, images))
        >>> sorted(scores.topk(12).indices.tolist())
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    """

    kind: ClassVar[str] = "activation-clustering"
    title: ClassVar[str] = "activation clustering"

    groups: int = 100
    dimensions: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(groups=1, dimensions=1)

    def of_points(self, points: Points) -> Tensor:
        import torch

        group = caption_groups(points.texts, self.groups, self.seed)
        scores = torch.zeros(len(points))
        for number in group.unique():
            mine = group == number
            scores[mine] = self._within(points.images[mine])
        return scores

    def _within(self, images: Tensor) -> Tensor:
        """Of the pictures of one group; 0 where they are too few to fall into two."""
        import torch
        from sklearn.cluster import KMeans

        if len(images.unique(dim=0)) < 3:
            return torch.zeros(len(images))
        centred = (images - images.mean(0)).double()
        main = torch.linalg.svd(centred, full_matrices=False).Vh[: self.dimensions]
        low = centred @ main.T
        found = KMeans(2, random_state=self.seed, n_init=5).fit(low.numpy())
        distance = torch.cdist(low, torch.from_numpy(found.cluster_centers_))  # (n, 2)
        sizes = torch.from_numpy(found.labels_).bincount(minlength=2)
        small, large = distance[:, int(sizes.argmin())], distance[:, 1 - int(sizes.argmin())]
        return ((large - small) / (large + small).clamp(min=1e-12)).float()
