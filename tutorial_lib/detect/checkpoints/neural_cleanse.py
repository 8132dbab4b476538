"""Neural Cleanse: the class with the smallest trigger, by a mask and a pattern for each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.checkpoints.base import Found
from tutorial_lib.detect.checkpoints.search import PerClass
from tutorial_lib.detect.checkpoints.thresholds import Threshold
from tutorial_lib.detect.subject import Subject

if TYPE_CHECKING:
    from torch import Tensor

#: The weight of the norm at the start, what makes it larger, how much faster it falls, and steps until it changes.
LAMBDA, FACTOR, DOWN, PATIENCE = 1e-3, 1.5, 1.5, 5


@dataclass(frozen=True)
class NeuralCleanse(PerClass):
    """The anomaly index of the class whose trigger has the smallest mask.

    For each class, a mask and a pattern are found by gradient descent on the cross-entropy towards the class and on the
    norm of the mask, whose weight grows while the trigger works and falls while it does not. The score is how many
    deviations the smallest norm lies below the median over the classes. All classes are looked for at once.

    Attributes:
        works: share of a step's pictures that must be called the class for a mask to count.

    Raises:
        ValueError: a number is too small, or `works` is not in (0, 1].

    Source: Wang et al. (2019), section IV, where an index above 2 is called backdoored. Their label is a head's output;
    here a class is its zero-shot direction times the model's logit scale. They take 1,000 steps and more a class, this
    takes few, for there are a hundred classes and a CPU; and a step's pictures stand for an epoch's.

    Example:
        >>> NeuralCleanse().published.value
        2.0
    """

    kind: ClassVar[str] = "neural-cleanse"
    title: ClassVar[str] = "Neural Cleanse"
    measures: ClassVar[str] = (
        "median absolute deviations by which the smallest mask of a class stands out; higher is worse"
    )
    published: ClassVar[Threshold] = Threshold(2.0, "published", "an anomaly index above 2, Wang et al. (2019)")

    steps: int = 100
    batch: int = 8
    works: float = 0.99
    rate: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.works <= 1:
            raise ValueError(f"works is a share of pictures, in (0, 1], not {self.works}")
        if not self.rate > 0:
            raise ValueError(f"rate is that of Adam, a positive number, not {self.rate}")

    def triggers(self, subject: Subject, classes: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        import torch
        import torch.nn.functional as F

        from tutorial_lib.detect.stamping import batches, embed, stamped

        side, n, device = subject.side, len(classes), classes.device
        directions = subject.directions.to(device) * subject.model.logit_scale.exp().to(device)
        generator = torch.Generator().manual_seed(self.seed)
        start = torch.rand(1, 4, side, side, generator=generator).expand(n, -1, -1, -1)
        free = torch.atanh((start - 0.5) * (2 - 1e-3)).to(device).requires_grad_()
        optimizer = torch.optim.Adam([free], lr=self.rate, betas=(0.5, 0.9))
        weight = torch.full((n,), LAMBDA, device=device)
        good, bad = torch.zeros(n, device=device), torch.zeros(n, device=device)
        best, kept = torch.full((n,), float("inf"), device=device), torch.ones_like(free)
        for batch in batches(len(images), self.steps, min(self.batch, len(images)), self.seed):
            values = free.tanh() / 2 + 0.5
            mask = values[:, :1]
            pictures = stamped(images[batch].to(device).float(), mask[:, None], values[:, None, 1:])
            logits = embed(subject.model, pictures.flatten(0, 1)) @ directions  # (n B, C)
            wanted = classes.repeat_interleave(len(batch))
            entropy = F.cross_entropy(logits, wanted, reduction="none").view(n, -1).mean(1)
            norm = mask.flatten(1).sum(1)
            optimizer.zero_grad()
            (entropy + weight * norm).sum().backward()
            optimizer.step()
            reached = (logits.argmax(1) == wanted).view(n, -1).float().mean(1) >= self.works
            smaller = reached & (norm.detach() < best)
            best = torch.where(smaller, norm.detach(), best)
            kept = torch.where(smaller[:, None, None, None], values.detach(), kept)
            good, bad = torch.where(reached, good + 1, 0.0), torch.where(reached, 0.0, bad + 1)
            up, down = good >= PATIENCE, bad >= PATIENCE
            weight = torch.where(up, weight * FACTOR, torch.where(down, weight / FACTOR**DOWN, weight))
            good, bad = torch.where(up, 0.0, good), torch.where(down, 0.0, bad)
        return kept[:, :1], kept[:, 1:]

    def search(self, subject: Subject) -> Found:
        from tutorial_lib.detect.stamping import outlier_index

        masks, patterns, margin = self.all_triggers(subject)
        norm = masks.flatten(1).sum(1)  # the whole picture where no mask worked
        index = outlier_index(-norm)
        first = int(index.argmax())
        about = {
            "mask_share": round(masks[first].mean().item(), 4),
            "median_mask_share": round(masks.mean((1, 2, 3)).double().quantile(0.5).item(), 4),
            "rate": round((margin[first] > 0).double().mean().item(), 4),
        }
        return Found(index[first].item(), subject.names[first], masks[first], patterns[first], about)
