"""Pictures that stand out along the first singular vector of those with like captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.caption_groups import caption_groups
from tutorial_lib.detect.points import PointDetector, Points

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class SpectralSignatures(PointDetector):
    """Squared projection of a centred picture embedding on the first singular vector of its group of captions.

    Attributes:
        groups: of captions, which stand for classes.
        normalise: embeddings first; their norm alone may tell poisons apart.
        seed: of the grouping.

    Raises:
        ValueError: `groups` is below 1.

    Source: Tran et al. (2018), with classes.

    Example:
        >>> import torch
        >>> images = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
        >>> images[:12, 3] += 12  # poisons
        >>> scores = SpectralSignatures(groups=1, normalise=False).of_points(Points(images, images))
        >>> sorted(scores.topk(12).indices.tolist())
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    """

    kind: ClassVar[str] = "spectral-signatures"
    title: ClassVar[str] = "spectral signatures"

    groups: int = 100
    normalise: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(groups=1)

    def of_points(self, points: Points) -> Tensor:
        import torch
        import torch.nn.functional as F

        images = F.normalize(points.images, dim=1) if self.normalise else points.images
        group = caption_groups(points.texts, self.groups, self.seed)
        scores = torch.zeros(len(points))
        for number in group.unique():
            mine = group == number
            centred = (images[mine] - images[mine].mean(0)).double()
            first = torch.linalg.svd(centred, full_matrices=False).Vh[0]
            scores[mine] = (centred @ first).square().float()
        return scores
