"""What detectors share that look for a trigger of each class."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.checkpoints.base import CheckpointDetector, Work
from tutorial_lib.detect.subject import Subject

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PerClass(CheckpointDetector):
    """A detector that finds a trigger for each class and asks which of them is an outlier.

    Attributes:
        steps: of gradient descent.
        batch: pictures of a step, for each class.
        seed: draws the start and the order of pictures.

    Raises:
        ValueError: a number is too small.

    Example:
        >>> from tutorial_lib.detect.checkpoints import ClassInversion
        >>> issubclass(ClassInversion, PerClass)
        True
    """

    fewest: ClassVar[int] = 32
    fewest_classes: ClassVar[int] = 8

    steps: int = 30
    batch: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(steps=1, batch=1)

    def work(self, subject: Subject) -> Work:
        from tutorial_lib.detect.stamping import together

        classes = len(subject.names)
        at_once = self.batch * min(classes, together(self.batch, subject.side))
        return Work(classes * (len(subject.images) // 4), classes * self.steps * self.batch, at_once=at_once)

    @abstractmethod
    def triggers(self, subject: Subject, classes: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """Triggers of some classes, found on pictures (M, 3, side, side): masks (n, 1, side, side) and patterns
        (n, 3, side, side)."""

    def all_triggers(self, subject: Subject) -> tuple[Tensor, Tensor, Tensor]:
        """The triggers of all classes on three quarters of the pictures, and their margins on the last quarter.

        Returns:
            Masks (C, 1, side, side), patterns (C, 3, side, side), and margins (C, M): by how much the cosine with the
            class is larger than with any other class.
        """
        import torch

        from tutorial_lib.detect.stamping import embed, stamped, together

        directions = subject.directions.to(next(subject.model.parameters()).device)
        known = 3 * len(subject.images) // 4
        numbers = torch.arange(directions.shape[1])
        masks, patterns, margin = [], [], []
        for some in numbers.split(together(self.batch, subject.side)):
            mask, pattern = self.triggers(subject, some.to(directions.device), subject.images[:known])
            masks.append(mask.cpu())
            patterns.append(pattern.cpu())
            for k, number in enumerate(some.tolist()):
                with torch.no_grad():
                    seen = subject.images[known:].to(directions.device).float()
                    points = [embed(subject.model, stamped(x, mask[k], pattern[k])) for x in seen.split(256)]
                    margin.append(margins(torch.cat(points) @ directions, number).cpu())
        return torch.cat(masks), torch.cat(patterns), torch.stack(margin)


def margins(cosines: Tensor, classes: Tensor | int) -> Tensor:
    """By how much the cosine with a class is larger than the largest with another class, shape (…).

    Args:
        cosines: with all classes, shape (…, C).
        classes: one for all, or of shape (…) up to broadcasting.

    Example:
        >>> import torch
        >>> margins(torch.tensor([[0.5, 0.25, 0.0]]), 1)
        tensor([-0.2500])
    """
    import torch

    number = torch.as_tensor(classes, device=cosines.device).expand(cosines.shape[:-1])[..., None]
    own = cosines.gather(-1, number)[..., 0]
    return own - cosines.scatter(-1, number, float("-inf")).amax(-1)
