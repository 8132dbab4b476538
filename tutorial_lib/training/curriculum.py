"""What a run trains on, epoch by epoch: passes over all pairs, or what a method makes of what it has seen so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from tutorial_lib.training.device import seeded
from tutorial_lib.trials import Recipe

#: The loss of some examples, given their positions (B,) and the number of the step.
Loss = Callable[[Tensor, int], Tensor]

#: Batches whose pictures are decoded ahead.
AHEAD = 2


@dataclass(frozen=True)
class Step:
    """One step of a run.

    Attributes:
        number: counted from 0 over the whole run.
        batch: positions of its examples, shape (B,), int64.
        lr: learning rate.
        loss_of: the loss.

    Example:
        >>> step = Step(0, torch.arange(4), 1e-3, lambda batch, number: batch.float().mean())
        >>> step.loss_of(step.batch, step.number).item()
        1.5
    """

    number: int
    batch: Tensor
    lr: float
    loss_of: Loss


class Curriculum(Protocol):
    """The steps of each epoch, and what has to be kept between two of them.

    Attributes:
        per_epoch: steps of an epoch.
        divisible: the steps of an epoch follow from its number alone, so that a run can go on in the middle of one;
            else they depend on the model at its beginning, or on a state, which is known at ends of epochs only.

    Example:
        >>> curriculum: Curriculum = Passes(10, lambda batch, number: batch.float().mean(), Recipe(batch_size=4))
        >>> curriculum.per_epoch, curriculum.state()
        (2, {})
    """

    @property
    def per_epoch(self) -> int: ...

    @property
    def divisible(self) -> bool: ...

    def steps(self, epoch: int) -> Sequence[Step]:
        """The steps of an epoch, counted from 0; the model may be looked at and be left in either mode."""

    def state(self) -> dict[str, Any]:
        """What the next epoch needs to know of those before: tensors, numbers and texts, for a checkpoint."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave."""


@dataclass(frozen=True)
class Passes:
    """Passes over all examples with one loss, in an order of its own each: plain training.

    Attributes:
        count: of examples.
        loss_of: the loss.
        recipe: batch size, epochs and learning rates; the last, smaller batch of an epoch is dropped.
        seed: of the orders.
        rate: learning rate of a step, given its number and the number of all; by default the recipe's.

    Example:
        >>> passes = Passes(10, lambda batch, number: batch.float().mean(), Recipe(epochs=2, batch_size=4))
        >>> [step.number for step in passes.steps(1)]
        [2, 3]
    """

    count: int
    loss_of: Loss
    recipe: Recipe
    seed: int = 0
    rate: Callable[[int, int], float] | None = None

    @property
    def per_epoch(self) -> int:
        return self.count // self.recipe.batch_size

    @property
    def divisible(self) -> bool:
        return True

    def steps(self, epoch: int) -> list[Step]:
        recipe, first, total = self.recipe, epoch * self.per_epoch, self.recipe.steps(self.count)
        order = torch.randperm(self.count, generator=seeded(self.seed, epoch))
        batches = order[: self.per_epoch * recipe.batch_size].split(recipe.batch_size)
        rate = self.rate or recipe.lr_at
        return [Step(n, batch, rate(n, total), self.loss_of) for n, batch in enumerate(batches, first)]

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """There is nothing to go on from."""


def ahead(steps: Sequence[Step], prefetch: Callable[[Tensor], None] | None) -> Iterator[Step]:
    """The steps in their order; `prefetch` is told of each batch `AHEAD` steps before.

    Example:
        >>> told: list[int] = []
        >>> steps = Passes(10, lambda batch, number: batch.float().mean(), Recipe(batch_size=2)).steps(0)
        >>> _ = next(ahead(steps, lambda batch: told.extend(batch.tolist())))
        >>> len(told)  # the first batch and the next two
        6
    """
    for k, step in enumerate(steps):
        if prefetch is not None:
            for soon in steps[: AHEAD + 1] if k == 0 else steps[k + AHEAD : k + AHEAD + 1]:
                prefetch(soon.batch)
        yield step
