"""STRIP: whatever is laid over a picture with a trigger, the model says the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.pictures.base import PictureDetector
from tutorial_lib.detect.subject import Subject

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class STRIP(PictureDetector):
    """Minus the mean entropy of the predictions, in nats, of a picture blended with clean ones.

    Attributes:
        overlays: clean pictures that are laid over each one.
        weight: of the overlay.
        seed: draws the overlays, the same for all pictures.

    Raises:
        ValueError: `overlays` is below 1, or `weight` is not in (0, 1).

    Source: Gao et al. (2019). A class's probability is the softmax of the zero-shot cosines times the model's logit
    scale. They take 100 overlays. Their threshold is the quantile of a normal distribution that is fitted to the
    entropies of clean pictures, and so it is here.

    Example:
        >>> STRIP(overlays=8).title
        'STRIP'
    """

    kind: ClassVar[str] = "strip"
    title: ClassVar[str] = "STRIP"
    fewest: ClassVar[int] = 8

    overlays: int = 32
    weight: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(overlays=1)
        if not 0 < self.weight < 1:
            raise ValueError(f"weight is that of the overlay, between 0 and 1, not {self.weight}")

    def scores(self, subject: Subject, images: Tensor) -> Tensor:
        import torch

        from tutorial_lib.evaluate import embed_images

        self.check(subject, images)
        generator = torch.Generator().manual_seed(self.seed)
        drawn = torch.randperm(len(subject.images), generator=generator)[: self.overlays]
        scale = subject.model.logit_scale.detach().exp().float().cpu()
        entropy = torch.zeros(len(images))
        for overlay in subject.images[drawn].to(images.device).float():
            mixed = ((1 - self.weight) * images.float() + self.weight * overlay).round().byte()
            chance = (scale * embed_images(subject.model, mixed) @ subject.directions).log_softmax(1)
            entropy -= (chance.exp() * chance).sum(1)
        return -entropy / len(drawn)

    def threshold(self, subject: Subject, *, false_alarms: float = 0.01) -> float:
        """The quantile of a normal distribution with the mean and the standard deviation of the clean scores.

        Raises:
            SubjectError: as for `check`.
            ValueError: `false_alarms` is not in (0, 1).
        """
        from statistics import NormalDist

        if not 0 < false_alarms < 1:
            raise ValueError(f"false_alarms is a share of clean pictures, between 0 and 1, not {false_alarms}")
        clean = self.scores(subject, subject.images).double()
        return float(clean.mean() + NormalDist().inv_cdf(1 - false_alarms) * clean.std())
