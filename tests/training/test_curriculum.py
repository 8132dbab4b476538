"""Plain passes, and what a loop tells ahead of time."""

import torch

from tutorial_lib.training.curriculum import AHEAD, Passes, Step, ahead
from tutorial_lib.training.device import seeded
from tutorial_lib.trials import Recipe

RECIPE = Recipe(epochs=3, batch_size=4, lr=0.5, warmup=0.25)


def nothing(batch: torch.Tensor, number: int) -> torch.Tensor:
    return batch.float().mean()


def test_passes_are_the_loop_written_out() -> None:
    passes = Passes(14, nothing, RECIPE, seed=5)
    assert passes.per_epoch == 3
    for epoch in range(3):
        order = torch.randperm(14, generator=seeded(5, epoch)).tolist()
        steps = passes.steps(epoch)
        assert [s.batch.tolist() for s in steps] == [order[0:4], order[4:8], order[8:12]]
        assert [s.number for s in steps] == [3 * epoch, 3 * epoch + 1, 3 * epoch + 2]
        assert [s.lr for s in steps] == [RECIPE.lr_at(s.number, 9) for s in steps]
        assert all(s.loss_of is nothing for s in steps)
    assert passes.state() == {}
    assert passes.divisible


def test_every_batch_is_told_once_before_it_is_needed() -> None:
    steps = [Step(k, torch.tensor([k]), 0.1, nothing) for k in range(6)]
    told: list[int] = []
    for k, step in enumerate(ahead(steps, lambda batch: told.append(int(batch)))):
        assert step is steps[k]
        assert told == list(range(min(6, k + AHEAD + 1)))
    assert list(ahead(steps, None)) == steps
