"""Pairs whose picture and caption do not fit yet: the filter of SafeCLIP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.points import PointDetector, Points

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class CosineMixture(PointDetector):
    """Probability that a pair's cosine belongs to the lower one of two Gaussians.

    It is published for a model that has seen every modality alone and then one slow epoch of CLIP, where poisons do not
    fit yet: what `tutorial_lib.training.methods.SafeCLIP` has after `warmup + slow` epochs. Of a model that has learned
    its poisons it says the opposite, since they fit best of all.

    Attributes:
        sure: probability of the upper Gaussian from which a pair is safe.
        seed: of the mixture's initial clusters.

    Raises:
        ValueError: `sure` is not in (0, 1].

    Source: Yang et al. (2024), SafeCLIP, section 4.2: p >= 0.9.

    Example:
        >>> import torch
        >>> texts = torch.eye(2).repeat(50, 1)
        >>> images = texts + 0.1 * torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
        >>> images[:4] = images[:4].flip(1)  # poisons
        >>> CosineMixture().safe(Points(images, texts))[:6].tolist()
        [False, False, False, False, True, True]
    """

    kind: ClassVar[str] = "cosine-mixture"
    title: ClassVar[str] = "mixture of cosines (SafeCLIP)"

    sure: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.sure <= 1:
            raise ValueError(f"sure of a cosine-mixture is a probability, in (0, 1], not {self.sure}")

    def of_points(self, points: Points) -> Tensor:
        return 1 - self._upper(points)

    def safe(self, points: Points) -> Tensor:
        """Which pairs are safe, shape (N,), bool."""
        return self._upper(points) >= self.sure

    def _upper(self, points: Points) -> Tensor:
        import torch.nn.functional as F

        from tutorial_lib.training.mixture import two_gaussians

        cosine = (F.normalize(points.images, dim=1) * F.normalize(points.texts, dim=1)).sum(1)
        return two_gaussians(cosine, seed=self.seed).larger
