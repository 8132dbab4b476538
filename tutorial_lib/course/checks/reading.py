"""Checks of how embeddings are read (the chapter on CLIP from scratch)."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tutorial_lib.course.checks.core import Answer, checked, number, same, tensor, unit

__all__ = ["accuracy_at", "zero_shot_classifier"]


@checked("One direction per class: the mean of its prompts, normalised again.")
def zero_shot_classifier(answer: Answer) -> None:
    """`answer(prompts)`: class weights (C, d) from normalised prompt embeddings (C, P, d)."""
    prompts = unit(5, 8, 6, seed=11)
    mean = prompts.mean(1)
    same(
        tensor(answer(prompts), (5, 6)),
        F.normalize(mean, dim=-1),
        {
            "the mean of unit vectors is shorter than one; normalise it, or classes with varied prompts lose.": mean,
            "this is the first prompt of each class only; take the mean over all of them.": prompts[:, 0],
            "the normalisation runs over the classes; it must run over the last axis.": F.normalize(mean, dim=0),
        },
    )


@checked("A hit is the right class anywhere among the first k.")
def accuracy_at(answer: Answer) -> None:
    """`answer(scores, targets, k)`: share of rows whose class is among the k highest scores."""
    random = torch.Generator().manual_seed(12)
    scores, targets = torch.randn(200, 30, generator=random), torch.randint(30, (200,), generator=random)
    scores[torch.arange(200), targets] += 1.5
    best, worst = (scores.topk(5, dim=1, largest=largest).indices for largest in (True, False))

    def share(hits: torch.Tensor) -> float:
        return hits.float().mean().item()

    same(
        number(answer(scores, targets, 5)),
        share((best == targets[:, None]).any(1)),
        {
            "this is the accuracy of the first answer; all of the first k count.": share(best[:, 0] == targets),
            "a hit is divided by k here; a row counts once, whichever of its k answers is right.": (
                share((best == targets[:, None]).float())
            ),
            "this is a number of rows; a share is asked for.": (best == targets[:, None]).any(1).sum().item(),
            "this takes the k lowest scores.": share((worst == targets[:, None]).any(1)),
        },
    )
    same(number(answer(scores, targets, 1)), share(scores.argmax(1) == targets))
