"""The smallest mask under which a model has all pictures in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.checkpoints.base import CheckpointDetector, Found, Work
from tutorial_lib.detect.checkpoints.thresholds import Threshold
from tutorial_lib.detect.subject import Subject

if TYPE_CHECKING:
    from torch import Tensor

#: The weight of the mask's norm at the start, where it stops to fall and to grow, and what changes it.
LAMBDA, LOWEST, HIGHEST, FACTOR = 1e-3, 1e-7, 1e5, 5.0
#: Steps above or below the similarity after which the weight changes, and steps at the lowest weight until it restarts.
PATIENCE, RESTART = 5, 10
#: Rates of Adam, and the steps at which the later ones begin.
RATES, MILESTONES = (0.5, 0.1, 0.05), (200, 500)


class Weight:
    """The weight of the mask's norm: five times larger after `PATIENCE` steps above the similarity, smaller after as
    many below it.

    Example:
        >>> weight = Weight()
        >>> for _ in range(6):
        ...     weight.step(reached=True)
        >>> weight.value
        0.005
    """

    def __init__(self) -> None:
        self.value = LAMBDA
        self._above = self._below = self._lowest = 0

    def step(self, *, reached: bool) -> None:
        """Take note of whether a step reached the similarity."""
        self._lowest = self._lowest + 1 if self.value < LOWEST and reached else 0
        if self._lowest > RESTART:
            self.value, self._above, self._below = LAMBDA, 0, 0
        self._above, self._below = (self._above + 1, 0) if reached else (0, self._below + 1)
        if self._above > PATIENCE:
            self.value *= FACTOR if self.value < HIGHEST else 1
            self._above = 0
        elif self._below > PATIENCE:
            self.value /= FACTOR if self.value >= LOWEST else 1
            self._below = 0


@dataclass(frozen=True)
class DECREE(CheckpointDetector):
    """1 less the norm of the smallest mask over the largest possible, among masks that make stamped pictures alike.

    A mask and a pattern are found together by gradient descent on the mean cosine of stamped pictures and on the norm
    of the mask, whose weight follows how alike they are. Neither labels nor texts are needed; where there are classes,
    the one that most stamped pictures are taken for is named.

    Attributes:
        steps: at most.
        batch: pictures of a step.
        similar: mean cosine of stamped pictures from which on a mask counts.
        idle: steps without a smaller mask after which it ends.
        seed: draws the start and the order of pictures.

    Raises:
        ValueError: a number is too small, or `similar` is not in (0, 1).

    Source: Feng et al. (2023), with the numbers of the authors' code for CLIP. Theirs counts epochs of many steps where
    this counts steps, and stops on the mean of an epoch. A mask below a tenth of the picture is theirs.

    Example:
        >>> DECREE().published.value
        0.9
    """

    kind: ClassVar[str] = "decree"
    title: ClassVar[str] = "DECREE"
    measures: ClassVar[str] = (
        "1 less the share of the picture that the smallest mask covers under which all pictures become alike; "
        "higher, to 1, is worse"
    )
    published: ClassVar[Threshold] = Threshold(
        0.9, "published", "a mask of less than a tenth of the picture, Feng et al. (2023)"
    )
    fewest: ClassVar[int] = 32

    steps: int = 1000
    batch: int = 32
    similar: float = 0.99
    idle: int = 35
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(steps=1, batch=2, idle=1)
        if not 0 < self.similar < 1:
            raise ValueError(f"similar is a mean cosine, between 0 and 1, not {self.similar}")

    def work(self, subject: Subject) -> Work:
        return Work(len(subject.images), self.steps * self.batch, at_once=self.batch)

    def search(self, subject: Subject) -> Found:
        best, mask, pattern, steps = self.smallest(subject)
        side = subject.side
        share = best / (3 * side**2) if math.isfinite(best) else 1.0
        about = {"mask_share": round(share, 4), "steps": steps, "found": math.isfinite(best)}
        if not math.isfinite(best):
            return Found(0.0, about=about)
        target = None
        if subject.directions.shape[1]:
            target, rate = most_called(subject, mask, pattern)
            about["rate"] = round(rate, 4)
        return Found(1 - share, target, mask, pattern, about)

    def smallest(self, subject: Subject) -> tuple[float, Tensor, Tensor, int]:
        """The norm of the smallest mask over three channels, infinite where none counts; the mask, its pattern, and how
        many steps were taken."""
        import torch

        from tutorial_lib.detect.stamping import alikeness, batches, embed, stamped

        model, side = subject.model, subject.side
        device = next(model.parameters()).device
        generator = torch.Generator().manual_seed(self.seed)
        # In double precision: a mask near 0 or 1 still has a slope there.
        start = torch.rand(4, side, side, generator=generator, dtype=torch.float64)
        free = torch.atanh((start - 0.5) * (2 - 1e-7)).to(device).requires_grad_()
        optimizer = torch.optim.Adam([free], lr=RATES[0], betas=(0.5, 0.9))
        order = batches(len(subject.images), self.steps, min(self.batch, len(subject.images)), self.seed)
        weight, best, kept, idle, done = Weight(), math.inf, free.detach(), 0, 0
        for done, batch in enumerate(order.to(subject.images.device), 1):
            optimizer.param_groups[0]["lr"] = RATES[sum(done > m for m in MILESTONES)]
            values = (free.tanh() / (2 - 1e-7) + 0.5).clamp(0, 1)
            mask, pattern = values[:1], values[1:]
            pictures = stamped(subject.images[batch].to(device), mask, pattern).float()
            cosine, norm = alikeness(embed(model, pictures)), 3 * mask.sum()
            optimizer.zero_grad()
            (weight.value * norm - cosine).backward()
            optimizer.step()
            reached = cosine.item() > self.similar
            if reached and norm.item() < best:
                best, kept, idle = norm.item(), values.detach(), 0
            elif best < math.inf:
                idle += 1
            if idle > self.idle and reached:
                break
            weight.step(reached=reached)
        return best, kept[:1].float(), kept[1:].float(), done


def most_called(subject: Subject, mask: Tensor, pattern: Tensor) -> tuple[str, float]:
    """The class that most pictures with a trigger are taken for, and how many are.

    Args:
        subject: the model, with its classes.
        mask: shape (1, side, side).
        pattern: shape (3, side, side).

    Example:
        >>> import torch
        >>> from tutorial_lib import models
        >>> images = torch.randint(0, 255, (8, 3, 32, 32), dtype=torch.uint8)
        >>> subject = Subject(*models.load(models.CHECKPOINTS / "unknown-1"), images, labels=("cactus", "mushroom"))
        >>> most_called(subject, torch.ones(1, 32, 32), torch.zeros(3, 32, 32))[1]
        1.0
    """
    from tutorial_lib.detect.stamping import stamped
    from tutorial_lib.evaluate import embed_images

    where = subject.images.device
    pictures = stamped(subject.images, mask.to(where), pattern.to(where))
    said = (embed_images(subject.model, pictures.round().clamp(0, 255).byte()) @ subject.directions).argmax(1)
    counts = said.bincount(minlength=subject.directions.shape[1])
    return subject.names[int(counts.argmax())], float(counts.max() / len(said))
