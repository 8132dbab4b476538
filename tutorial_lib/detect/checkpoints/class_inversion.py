"""A faint picture over all pictures for each class: one that is reached far more easily than others is suspect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.checkpoints.base import Found
from tutorial_lib.detect.checkpoints.search import PerClass, margins
from tutorial_lib.detect.subject import Subject

if TYPE_CHECKING:
    from torch import Tensor

#: Classes that are listed with their margins.
LISTED = 5


@dataclass(frozen=True)
class ClassInversion(PerClass):
    """How far the class that is reached most easily is an outlier among the classes.

    For each class one pattern is blended with all pictures, x (1 - alpha) + 255 alpha p, and found by gradient descent
    on the margin: by how much the cosine with the class is larger than with any other. The mean margin on pictures that
    the pattern was not found on, less its median over the classes, in units of the median absolute deviation, is the
    score. All classes are looked for at once.

    Attributes:
        alpha: weight of the pattern.
        margin: cosine from which on a picture counts for nothing in the loss.
        rate: of Adam, in units of the full brightness.

    Raises:
        ValueError: a number is too small, or `alpha` is not in (0, 1].

    Source: a margin loss, one pass over some hundred pictures that need no labels, and an outlier rule are those of
    CLIP-Inspector (2026); the index of the outlier is that of Wang et al. (2019). A blend of fixed weight over the
    whole picture is ours: a mask that is free finds strong masks for any class of a small model. No threshold is
    published for it: 2 deviations, as in both papers, lie below the largest of 100 values of a normal sample.

    Example:
        >>> ClassInversion(alpha=0.2).title
        'inversion per class'
    """

    kind: ClassVar[str] = "class-inversion"
    title: ClassVar[str] = "inversion per class"
    measures: ClassVar[str] = (
        "median absolute deviations by which the most easily reached class stands out; higher is worse"
    )

    alpha: float = 0.125
    margin: float = 0.1
    rate: float = 0.125

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(margin=0)
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha is the weight of the pattern, in (0, 1], not {self.alpha}")
        if not self.rate > 0:
            raise ValueError(f"rate is that of Adam, a positive number, not {self.rate}")

    def triggers(self, subject: Subject, classes: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        import torch

        from tutorial_lib.detect.stamping import batches, embed, stamped

        side, device = subject.side, classes.device
        directions = subject.directions.to(device)
        free = torch.full((len(classes), 3, side, side), 0.5, device=device, requires_grad=True)
        mask = torch.full((len(classes), 1, side, side), self.alpha, device=device)
        optimizer = torch.optim.Adam([free], lr=self.rate)
        for batch in batches(len(images), self.steps, min(self.batch, len(images)), self.seed):
            pictures = stamped(images[batch].to(device).float(), mask[:, None], free[:, None])  # (n, B, 3, H, W)
            cosines = (embed(subject.model, pictures.flatten(0, 1)) @ directions).view(len(classes), len(batch), -1)
            loss = (self.margin - margins(cosines, classes[:, None])).clamp(min=0).mean(1)
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
            with torch.no_grad():
                free.clamp_(0, 1)
        return mask, free.detach()

    def search(self, subject: Subject) -> Found:
        from tutorial_lib.detect.stamping import outlier_index

        masks, patterns, margin = self.all_triggers(subject)
        mean = margin.mean(1)
        index = outlier_index(mean)
        first = int(index.argmax())
        order = index.argsort(descending=True, stable=True)[:LISTED].tolist()
        easiest = [
            {
                "class": subject.names[k],
                "margin": round(mean[k].item(), 4),
                "rate": round((margin[k] > 0).double().mean().item(), 4),
                "index": round(index[k].item(), 3),
            }
            for k in order
        ]
        return Found(
            index[first].item(), subject.names[first], masks[first], patterns[first], {"easiest_classes": easiest}
        )
