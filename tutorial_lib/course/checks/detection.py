"""Checks of detectors of pairs and of checkpoints (the chapters on finding poisons and on auditing a checkpoint)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tutorial_lib.course.checks.core import Answer, WrongError, checked, given, number, same, tensor, unchanged
from tutorial_lib.detect.neighbours import nearest
from tutorial_lib.detect.stamping import gains, outlier_index, stamped

__all__ = ["at_budget", "crowded", "gain", "k_distance", "local_outlier", "odd_one_out", "stamp_mask", "threshold"]


def _points() -> tuple[Tensor, Tensor]:
    """Forty points, and the positions of twelve of them."""
    random = torch.Generator().manual_seed(51)
    return torch.randn(40, 5, generator=random, dtype=torch.float64), torch.randperm(40, generator=random)[:12]


@checked("A point is not its own neighbour, and only the reference counts.")
def k_distance(answer: Answer) -> None:
    """`answer(points, reference, k)`: distance of each of N points from its k-th neighbour in the reference, (N,)."""
    points, reference = _points()
    k = 4
    right = nearest(points, reference, k).k_distance
    table = torch.cdist(points, points[reference])
    everywhere = torch.cdist(points, points).fill_diagonal_(math.inf)
    same(
        tensor(answer(points, reference, k), (40,)),
        right,
        {
            "a point of the reference is its own nearest neighbour, at distance 0: leave it out.": (
                table.topk(k, largest=False).values[:, -1]
            ),
            "these are neighbours among all points; only those of the reference count.": (
                everywhere.topk(k, largest=False).values[:, -1]
            ),
            "this is the mean of the k distances; the k-th one is asked for.": (
                nearest(points, reference, k).distances.mean(1)
            ),
            "this is the nearest neighbour, not the k-th.": nearest(points, reference, k).distances[:, 0],
            "these are the farthest points; neighbours are the nearest.": (table.topk(k).values[:, -1]),
            "this is the squared distance.": right.square(),
        },
    )


@checked("Far compared with how far the neighbours lie from theirs: a ratio, so that no unit is left.")
def local_outlier(answer: Answer) -> None:
    """`answer(distances, indices, reference)`: mean of d_k(x) / d_k(n) over the k neighbours n of each point, (N,)."""
    points, drawn = _points()
    found = nearest(points, drawn, 4)
    own, theirs = found.k_distance, found.of_neighbours
    same(
        tensor(answer(found.distances, found.indices, found.reference), (40,)),
        (own[:, None] / theirs).mean(1),
        {
            "the ratio is upside down: far from its neighbours is suspicious.": (theirs / own[:, None]).mean(1),
            "this is a ratio of means; the mean of the ratios is asked for.": own / theirs.mean(1),
            "each neighbour has a distance of its own: divide before you take the mean.": own / theirs[:, 0],
            "d_k is the distance of the k-th neighbour, the last of its row.": (
                (found.distances[:, :1] / found.reference[:, 0][found.indices]).mean(1)
            ),
            "this divides by distances of the point itself; those of its neighbours stand in `reference`.": (
                (own[:, None] / found.distances).mean(1)
            ),
        },
    )


@checked("Precision is what a person who looks through the list sees; recall is what she does not see.")
def at_budget(answer: Answer) -> None:
    """`answer(scores, poison, share)`: precision and recall of the most suspicious share of the pairs."""
    random = torch.Generator().manual_seed(52)
    poison = torch.zeros(200, dtype=torch.bool)
    poison[torch.randperm(200, generator=random)[:12]] = True
    scores = torch.randn(200, generator=random, dtype=torch.float64) + 1.5 * poison
    before = scores.clone()
    for share in (0.05, 0.1, 0.25):
        found = given(answer(scores, poison, share))
        if not isinstance(found, tuple | list) or len(found) != 2:
            raise WrongError("two numbers are asked for, the precision and the recall.")
        precision, recall = (number(value) for value in found)
        first = round(share * 200)
        hits = int(poison[scores.argsort(descending=True)[:first]].sum())
        last = int(poison[scores.argsort()[:first]].sum())
        if (precision, recall) == (hits / 12, hits / first) and precision != recall:
            raise WrongError("precision and recall are exchanged: precision is a share of the list.")
        same(
            precision,
            hits / first,
            {
                "the list holds the least suspicious pairs: sort from high to low.": last / first,
                "this is the precision over all pairs: divide by the length of the list.": hits / 200,
            },
        )
        same(recall, hits / 12, {"recall is a share of the poisons, not of all pairs.": hits / 200})
    unchanged(before, scores, "scores")


@checked("k neighbours say that a point is alone only as long as fewer than k of its kind are there.")
def crowded(answer: Answer) -> None:
    """`answer(rate, reference, k)`: chance that a random reference holds more than k poisons, so that they hide."""
    from scipy import stats

    for rate, reference, k in ((0.03, 128, 8), (0.01, 2048, 16), (0.003, 2048, 16)):
        same(
            number(answer(rate, reference, k)),
            float(stats.binom.sf(k, reference, rate)),
            {
                "this is the chance of k or fewer; the rest is asked for.": float(stats.binom.cdf(k, reference, rate)),
                "this counts k poisons as crowded; a poison needs k *others*, so k + 1 with itself.": float(
                    stats.binom.sf(k - 1, reference, rate)
                ),
                "this is the chance of exactly k.": float(stats.binom.pmf(k, reference, rate)),
                "this is how many poisons are expected; a chance is asked for.": rate * reference,
            },
        )


def _stamp() -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(53)
    images = torch.randint(0, 256, (3, 3, 8, 8), generator=random, dtype=torch.uint8)
    return images, torch.rand(1, 8, 8, generator=random), torch.rand(3, 8, 8, generator=random)


@checked("Where the mask is 1 stands the pattern, where it is 0 the picture, and a gradient reaches both.")
def stamp_mask(answer: Answer) -> None:
    """`answer(images, mask, pattern)`: x (1 - mask) + 255 mask pattern of bytes (N, 3, H, W), float."""
    images, mask, pattern = _stamp()
    x = images.float()
    found = tensor(answer(images.clone(), mask, pattern), (3, 3, 8, 8))
    same(
        found.float(),
        stamped(x, mask, pattern),
        {
            "mask and pattern are from 0 to 1, and white is 255: the pattern is too dark.": x * (1 - mask)
            + mask * pattern,
            "mask and picture are exchanged: where the mask is 1 stands the pattern.": x * mask
            + 255 * (1 - mask) * pattern,
            "the picture shines through: take (1 - mask) of it.": x + 255 * mask * pattern,
            "the pattern is not masked.": x * (1 - mask) + 255 * pattern,
        },
    )
    free = mask.clone().requires_grad_()
    moved = answer(images.clone(), free, pattern)
    if not getattr(moved, "requires_grad", False):
        raise WrongError("no gradient reaches the mask: do not round, detach or convert to bytes.")


@checked("A class gains where the trigger leads: what was called so anyhow does not count.")
def gain(answer: Answer) -> None:
    """`answer(before, after, classes)`: number of the class that gains most predictions, and its gain as a share."""
    random = torch.Generator().manual_seed(54)
    before = torch.randint(0, 5, (60,), generator=random)
    before[:36] = 3  # a class that is common without a trigger
    after = before.clone()
    after[torch.randperm(60, generator=random)[:20]] = 1
    found = given(answer(before, after, 5))
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise WrongError("two things are asked for: the number of the class, and its gain.")
    counts = [x.bincount(minlength=5) / 60 for x in (before, after)]
    change = gains(torch.eye(5), torch.eye(5)[before], torch.eye(5)[after])
    first, gained = number(found[0]), number(found[1])
    if int(first) == int(before.bincount(minlength=5).argmax()) != int(change.argmax()):
        raise WrongError("that class is common without the patch as well: subtract its share before.")
    if int(first) != int(change.argmax()):
        raise WrongError(f"class {int(change.argmax())} gains most here, not {int(first)}.")
    same(
        gained,
        change.max().item(),
        {
            "the share before is not subtracted.": counts[1].max().item(),
            "a share is asked for, not a number of pictures.": 60 * change.max().item(),
            "the sign is wrong: a gain is after less before.": -change.max().item(),
        },
    )


@checked("The median and its deviations: one odd value among many does not move them.")
def odd_one_out(answer: Answer) -> None:
    """`answer(values)`: how many deviations each value lies above the median, (N,): over 1.4826 times the MAD."""
    random = torch.Generator().manual_seed(55)
    values = torch.randn(41, generator=random, dtype=torch.float64)
    values[7] += 9
    away = values - values.median()
    mad = away.abs().median()
    same(
        tensor(answer(values), (41,)),
        outlier_index(values),
        {
            "mean and standard deviation are moved by the very value that is looked for; take median and MAD.": (
                (values - values.mean()) / values.std()
            ),
            "the MAD of a normal sample is smaller than its deviation: multiply it by 1.4826.": away / mad,
            "1.4826 belongs to the MAD, below the line.": away * 1.4826 / mad,
            "a value far below the median is no suspect here: keep the sign.": away.abs() / (1.4826 * mad),
        },
    )


@checked("Chosen on clean models alone; how often it finds a backdoor is another question, for other models.")
def threshold(answer: Answer) -> None:
    """`answer(clean, share)`: the lowest score of a clean model above which at most that share of them lies."""
    scores = [0.31, 0.12, 0.55, 0.22, 0.48, 0.27, 0.19, 0.90, 0.36, 0.25]
    ascending = sorted(scores)
    for share, right in ((0.0, 0.90), (0.1, 0.55), (0.2, 0.48), (0.25, 0.48)):
        found = number(answer(list(scores), share))
        above = sum(score > found for score in scores)
        if above > share * len(scores) + 1e-9:
            raise WrongError(
                f"{above} of {len(scores)} clean models lie above {found:g}; at most {share:g} of them may."
            )
        same(found, right, {"even fewer lie above this; take the lowest score that will do.": ascending[-1]})
