"""What every detector of triggered pictures is: a score for each picture, the more suspicious the higher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.subject import Subject, SubjectError
from tutorial_lib.plugins import Kind
from tutorial_lib.trials.schema import Settings

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PictureDetector(Settings, Kind, ABC):
    """Scores pictures that a model is asked about. Subclasses are frozen dataclasses, one a file of `detect/pictures/`.

    The model, its classes and clean pictures of the defender's are a `tutorial_lib.detect.subject.Subject`.

    Attributes:
        title: what figures and tables call it.
        fewest: clean pictures that it needs.
        fewest_classes: classes that it needs.

    Example:
        >>> from tutorial_lib.detect.pictures import PICTURE_DETECTORS
        >>> sorted(PICTURE_DETECTORS)
        ['bdetclip', 'strip']
    """

    title: ClassVar[str]
    fewest: ClassVar[int] = 1
    fewest_classes: ClassVar[int] = 2

    @abstractmethod
    def scores(self, subject: Subject, images: Tensor) -> Tensor:
        """How suspicious each picture is.

        Args:
            subject: the model, its classes, and clean pictures.
            images: pictures to judge, shape (M, 3, side, side), uint8.

        Returns:
            Shape (M,), float; higher is more suspicious.

        Raises:
            SubjectError: as for `check`.
        """

    def check(self, subject: Subject, images: Tensor) -> None:
        """Whether the detector can work.

        Raises:
            SubjectError: there are too few clean pictures or classes, the pictures to judge are of another shape, or
                the classes have captions and no labels.
        """
        import torch

        if images.dtype != torch.uint8 or images.shape[1:] != subject.images.shape[1:]:
            raise SubjectError(
                f"pictures to judge are uint8 of shape (M, 3, {subject.side}, {subject.side}), not {images.dtype} "
                f"{tuple(images.shape)}"
            )
        if len(subject.images) < self.fewest:
            raise SubjectError(f"{self.kind} needs at least {self.fewest} clean pictures, not {len(subject.images)}")
        if len(subject.labels) < self.fewest_classes:
            raise SubjectError(f"{self.kind} needs at least {self.fewest_classes} labels, not {len(subject.labels)}")

    def threshold(self, subject: Subject, *, false_alarms: float = 0.01) -> float:
        """The score above which about that share of clean pictures lies, from those of the subject.

        Args:
            subject: the model, its classes, and clean pictures.
            false_alarms: share of clean pictures that may be called triggered.

        Raises:
            SubjectError: as for `check`.
            ValueError: `false_alarms` is not in (0, 1).

        Example:
            >>> import torch
            >>> from tutorial_lib import models
            >>> from tutorial_lib.detect.pictures import BDetCLIP
            >>> images = torch.randint(0, 255, (8, 3, 32, 32), dtype=torch.uint8)
            >>> subject = Subject(*models.load(models.CHECKPOINTS / "unknown-1"), images, labels=("cactus", "mushroom"))
            >>> limit = BDetCLIP().threshold(subject, false_alarms=0.25)
            >>> int((BDetCLIP().scores(subject, images) > limit).sum())
            2
        """
        if not 0 < false_alarms < 1:
            raise ValueError(f"false_alarms is a share of clean pictures, between 0 and 1, not {false_alarms}")
        return float(self.scores(subject, subject.images).double().quantile(1 - false_alarms))
