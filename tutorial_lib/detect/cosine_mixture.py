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
        seed: of the mixture's initial clusters.

    Source: Yang et al. (2024), SafeCLIP, section 4.2.

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

    seed: int = 0

    def of_points(self, points: Points) -> Tensor:
        return 1 - self._upper(points)

    def safe(self, points: Points, sure: float = 0.9) -> Tensor:
        """Which pairs are safe, shape (N,), bool.

        Args:
            points: embeddings of the pairs.
            sure: probability of the upper Gaussian from which a pair is safe.

        Raises:
            ValueError: `sure` is not in (0, 1].
        """
        if not 0 < sure <= 1:
            raise ValueError(f"sure is a probability, in (0, 1], not {sure}")
        return self._upper(points) >= sure

    def _upper(self, points: Points) -> Tensor:
        import torch.nn.functional as F

        from tutorial_lib.training.mixture import two_gaussians

        cosine = (F.normalize(points.images, dim=1) * F.normalize(points.texts, dim=1)).sum(1)
        return two_gaussians(cosine, seed=self.seed).larger
