"""Checks of pair similarities and the backdoor z-score (the chapter on the z-score)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from tutorial_lib.course.checks.core import Answer, WrongError, checked, number, same, unit
from tutorial_lib.zscore import backdoor_z_score, pair_similarity

__all__ = ["ceiling", "mean_apart", "mean_similarity", "z_score"]

MANY = 5_000  # pictures for whom a matrix of all pairs is noticed


def _points() -> tuple[Tensor, Tensor]:
    clean = unit(60, 10, seed=21)
    return clean, torch.nn.functional.normalize(clean + 0.8 * clean[0], dim=-1)


@checked("One sum of vectors instead of all pairs.")
def mean_similarity(answer: Answer) -> None:
    """`answer(embeddings)`: mean cosine similarity of all pairs of two different pictures, without an N x N matrix."""
    points = _points()[1]
    n = len(points)
    right = pair_similarity(points).mean
    square = points.sum(0).square().sum().item()
    same(
        number(answer(points)),
        right,
        {
            "each picture is also compared with itself; those n similarities of 1 do not belong in.": square / n**2,
            "pairs of a picture with itself are subtracted, but still counted below the line.": (square - n) / n**2,
            "the n similarities of a picture with itself are still in the sum; subtract them.": square / (n * (n - 1)),
            "this is the sum over all pairs; take the mean.": right * n * (n - 1),
            "this is half the mean: are ordered pairs summed and unordered ones counted, or the reverse?": right / 2,
        },
    )
    many = unit(MANY, 16, seed=22)
    with _NoMatrixOfPairs():  # type: ignore[no-untyped-call]  # torch's own initialiser
        found = number(answer(many))
    same(found, pair_similarity(many).mean)


class _NoMatrixOfPairs(TorchDispatchMode):
    """Stops at the first result that has a number for a large share of all pairs."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and out.numel() > MANY**2 / 8:
            raise WrongError(f"right, but for {MANY:,} pictures all pairs are formed: ‖Σ zᵢ‖² holds their sum.")
        return out


@checked("Counted in standard deviations of clean pairs, without pairs of a picture with itself.")
def z_score(answer: Answer) -> None:
    """`answer(clean, triggered)`: the backdoor z-score of normalised embeddings (N, d)."""
    clean, triggered = _points()
    base, moved = pair_similarity(clean), pair_similarity(triggered)
    right = (moved.mean - base.mean) / base.variance**0.5
    same(
        number(answer(clean, triggered)),
        right,
        {
            "it is divided by the variance, as definition 1 prints; the paper counts standard deviations.": (
                backdoor_z_score(clean, triggered, denominator="variance")
            ),
            "pictures are compared with themselves too; leave those pairs out.": (
                backdoor_z_score(clean, triggered, self_pairs=True)
            ),
            "the spread of the triggered pairs is taken; the scale is that of clean pairs.": (
                (moved.mean - base.mean) / moved.variance**0.5
            ),
            "the sign is wrong: a backdoor raises the similarity.": -right,
            "clean and triggered are exchanged.": (base.mean - moved.mean) / moved.variance**0.5,
        },
        rel=1e-3,  # whether n or n - 1 stands below the line does not matter
    )


@checked("No backdoor can be stronger than one point for all triggered pictures.")
def ceiling(answer: Answer) -> None:
    """`answer(clean)`: the largest z-score that any trigger could have in a model with these clean embeddings."""
    clean = _points()[0]
    base = pair_similarity(clean)
    same(
        number(answer(clean)),
        (1 - base.mean) / base.variance**0.5,
        {
            "the clean mean has to be subtracted first.": 1 / base.variance**0.5,
            "divide by the standard deviation, not by the variance.": (1 - base.mean) / base.variance,
            "a similarity is at most 1, so the difference is at most 1 minus the mean.": 2 / base.variance**0.5,
        },
        rel=1e-3,
    )


@checked("Sums of vectors again: one for the whole, one for each drawing.")
def mean_apart(answer: Answer) -> None:
    """`answer(embeddings, drawings)`: mean similarity of all pairs of different drawings, no N x N matrix."""
    points = _points()[1]
    drawings = torch.arange(60) // 4
    drawings[40:] = 10  # drawings are seen unequally often
    similarity, apart = points @ points.T, drawings[:, None] != drawings[None]
    right, other = similarity[apart].mean().item(), ~torch.eye(60, dtype=torch.bool)
    same(
        number(answer(points.clone(), drawings.clone())),
        right,
        {
            "pairs of two pictures of one drawing are still counted.": similarity[other].mean().item(),
            "pairs of one drawing are subtracted, but still counted below the line.": (
                similarity[apart].sum().item() / (60 * 59)
            ),
            "pairs of one drawing are subtracted, and all n² are counted below the line.": (
                similarity[apart].sum().item() / 60**2
            ),
            "this is the mean over pairs of the same drawing.": similarity[~apart].mean().item(),
            "this is the mean over pairs of the same drawing. ": similarity[~apart & other].mean().item(),
        },
    )
    many, shown = unit(MANY, 16, seed=22), torch.arange(MANY) % 700
    sums = torch.zeros(700, 16, dtype=many.dtype).index_add(0, shown, many)
    pairs = MANY**2 - shown.bincount().square().sum().item()
    with _NoMatrixOfPairs():  # type: ignore[no-untyped-call]  # torch's own initialiser
        found = number(answer(many, shown))
    same(found, (many.sum(0).square().sum() - sums.square().sum()).item() / pairs)
