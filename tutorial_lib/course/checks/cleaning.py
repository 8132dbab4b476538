"""Checks of defenses (the chapters on CleanCLIP, what it removes, when it works, and whether it holds)."""

from __future__ import annotations

import math
import random

import numpy as np
import torch

from tutorial_lib import losses
from tutorial_lib.course.checks.core import Answer, WrongError, checked, given, number, same, unit
from tutorial_lib.evidence.comparison import defense_effectiveness
from tutorial_lib.trials import Recipe

__all__ = [
    "budget",
    "choose",
    "cleanclip_loss",
    "effectiveness",
    "embedding_distance",
    "frontier",
    "left_at_equal_loss",
    "relative_distance",
    "swap_words",
    "three_shares",
    "warmup",
]


@checked("Two CLIP directions, two in-modal ones, weighted.")
def cleanclip_loss(answer: Answer) -> None:
    """`answer(image, text, image_view, text_view, logit_scale, lambda_self)`: CleanCLIP's loss, in-modal one way."""
    image, text, image_view, text_view = (unit(9, 7, seed=41 + k) for k in range(4))
    clip = losses.clip_loss(image, text, 6.0).item()
    pictures, captions = losses.info_nce(image, image_view, 6.0).item(), losses.info_nce(text, text_view, 6.0).item()
    across = (losses.info_nce(image, text_view, 6.0).item() + losses.info_nce(text, image_view, 6.0).item()) / 2
    same(
        number(answer(image, text, image_view, text_view, 6.0, 2.0)),
        clip + 2 * (pictures + captions) / 2,
        {
            "the weight of the in-modal part is not used.": clip + (pictures + captions) / 2,
            "the in-modal part is the mean of both towers, not their sum.": clip + 2 * (pictures + captions),
            "the captions have an in-modal part too.": clip + 2 * pictures,
            "this leaves the captions out, and halves the pictures' part.": clip + pictures,
            "the CLIP part is missing.": pictures + captions,
            "each view must be compared with its own modality: pictures with pictures, captions with captions.": (
                clip + 2 * across
            ),
            "this is the symmetric form; the published code goes one way, from the plain view to the changed one.": (
                losses.cleanclip_loss(image, text, image_view, text_view, 6.0, lambda_self=2.0, both_ways=True).item()
            ),
        },
    )
    same(number(answer(image, text, image_view, text_view, 6.0, 0.0)), clip)


@checked(
    "The strongest setting whose price on clean validation pictures is small enough, and nothing else is looked at."
)
def choose(answer: Answer) -> None:
    """`answer(before, after, margin)`: position of the last setting, from weak to strong, that loses at most `margin`.

    Where every setting loses more, -1: they keep the model as it is.
    """
    cases = [
        (0.50, [0.49, 0.47, 0.40], 0.05, 1),
        (0.50, [0.51, 0.46, 0.455], 0.05, 2),
        (0.50, [0.40, 0.30], 0.05, -1),
        (0.50, [0.44, 0.48, 0.30], 0.05, 1),
        (0.80, [0.79, 0.50], 0.05, 0),
        (0.30, [0.31, 0.45], 0.02, 1),
        (0.30, [0.29, 0.20], 0.10, 1),
    ]
    for before, after, margin, right in cases:
        found = int(number(answer(before, list(after), margin)))
        if found == right:
            continue
        if right == -1:
            raise WrongError(f"from {before} to {after}, every setting loses more than {margin}: keep the model (-1).")
        if found == max(range(len(after)), key=after.__getitem__):
            raise WrongError(f"of {after} you take the most accurate; take the strongest that loses at most {margin}.")
        raise WrongError(f"from {before} to {after} with a margin of {margin}, setting {right} is right, not {found}.")


@checked("The same words in another order, drawn from the generator that is given.")
def swap_words(answer: Answer) -> None:
    """`answer(caption, draw)`: the caption with two words exchanged that `draw` (a `random.Random`) chooses."""
    caption = "a small dog beside the red car"
    words = caption.split()
    found = given(answer(caption, random.Random(0)))
    if not isinstance(found, str):
        raise WrongError(f"your function returns a {type(found).__name__}; a caption is asked for.")
    if sorted(found.split()) != sorted(words):
        raise WrongError(f"{found!r} has not the same words as {caption!r}: exchange two, lose none.")
    seen = [answer(caption, random.Random(seed)) for seed in range(200)]
    if seen != [answer(caption, random.Random(seed)) for seed in range(200)]:
        raise WrongError("the same generator gives different captions: draw from `draw`, not from the module `random`.")
    moved = [sum(a != b for a, b in zip(words, text.split(), strict=True)) for text in seen]
    if 0 in moved:
        raise WrongError("sometimes nothing is exchanged: draw two different places (`draw.sample`).")
    if max(moved) > 2:
        raise WrongError(f"{max(moved)} words have moved; exchange just two.")
    if len(set(seen)) < 15:
        raise WrongError(f"only {len(set(seen))} of the 21 possible captions occur: every two places may be exchanged.")
    if answer("dog", random.Random(0)) != "dog":
        raise WrongError("a caption of one word cannot be changed: return it as it is.")


@checked("What a defense removes less what it costs; and a model that knows nothing can beat one that was left alone.")
def effectiveness(answer: Answer) -> None:
    """`answer(success, accuracy)`: defense effectiveness rating, from (before, after) of each, as shares."""
    for success, accuracy in (
        ((0.96, 0.12), (0.44, 0.36)),
        ((0.90, 0.00), (0.40, 0.01)),  # a ruined model
        ((0.10, 0.30), (0.40, 0.35)),  # the attack got stronger
        ((0.80, 0.40), (0.40, 0.45)),  # the model got better
        ((0.70, 0.70), (0.40, 0.40)),  # nothing done
    ):
        gained, lost = success[0] - success[1], accuracy[0] - accuracy[1]
        right = defense_effectiveness(success, accuracy)
        same(
            number(answer(success, accuracy)),
            right,
            {
                "this is between -1 and 1; add 1 and halve it.": 2 * right - 1,
                "halve it: 1 is the best that it can be.": 2 * right,
                "one of the drops is negative here; a rise counts as no drop, max(0, ...).": (gained - lost + 1) / 2,
                "the price is missing: what the defense costs in clean accuracy.": (max(0.0, gained) + 1) / 2,
                "the price is added; it has to be taken off.": (max(0.0, gained) + max(0.0, lost) + 1) / 2,
            },
        )


@checked("Up in a straight line, then down a cosine: what training does when the line is not left out.")
def warmup(answer: Answer) -> None:
    """`answer(step, total, share, peak)`: learning rate with linear warm-up over a share of steps, then a cosine."""
    recipe = Recipe(lr=0.003, warmup=0.2)
    for step in (0, 1, 10, 19, 20, 21, 60, 99):
        right = recipe.lr_at(step, 100)
        found = number(answer(step, 100, 0.2, 0.003))
        if abs(found - right) > 1e-9:
            if step < 20 and abs(found - 0.003) < 1e-6:
                raise WrongError(f"step {step} has the full rate: the warm-up is skipped.")
            if step < 20 and abs(found - 0.003 * step / 20) < 1e-9:
                raise WrongError("the first step has rate 0 and teaches nothing; step k has the share (k + 1) / n.")
            raise WrongError(f"at step {step} of 100 the rate is {found:.6f}, and {right:.6f} is right.")


@checked("The third share is what a user meets when only the attacker's answer was unlearned.")
def three_shares(answer: Answer) -> None:
    """`answer(said, true, target)`: shares of other classes called the target, the true class, and anything else."""
    said = torch.tensor([2, 2, 2, 0, 1, 3, 2, 1, 2, 3])
    true = torch.tensor([0, 1, 2, 0, 1, 0, 2, 3, 3, 1])
    found = given(answer(said, true, 2))
    try:
        shares = torch.tensor([number(v, "a share") for v in found], dtype=torch.float64)
    except TypeError:
        raise WrongError("three shares are asked for.") from None
    if len(shares) != 3:
        raise WrongError(f"three shares are asked for, not {len(shares)}.")
    same(
        shares,
        torch.tensor([3 / 8, 2 / 8, 3 / 8], dtype=torch.float64),
        {
            "pictures of the target itself are counted: those are right when they are called so.": torch.tensor(
                [5 / 10, 4 / 10, 1 / 10], dtype=torch.float64
            ),
            "target, right, anything else: in this order.": torch.tensor([2 / 8, 3 / 8, 3 / 8], dtype=torch.float64),
            "shares are asked for, not numbers of pictures.": torch.tensor([3.0, 2.0, 3.0], dtype=torch.float64),
            "shares are asked for; the third is one less the two others.": (
                torch.tensor([3 / 8, 2 / 8, 1 - 3 / 8], dtype=torch.float64)
            ),
        },
    )


def _embeddings() -> tuple[torch.Tensor, torch.Tensor]:
    """Clean ones, and those with a trigger, of length 1."""
    clean = unit(12, 6, seed=71)
    return clean, torch.nn.functional.normalize(clean + 0.7 * unit(1, 6, seed=72), dim=1)


@checked("On the unit sphere a distance says the same of every model, between 0 and 2.")
def embedding_distance(answer: Answer) -> None:
    """`answer(clean, triggered)`: mean distance of the embeddings, (N, d), normalised by the answer."""
    clean, triggered = _embeddings()
    lengths = torch.linspace(1, 5, len(clean), dtype=torch.float64)[:, None]
    a, b = 3 * lengths * clean, lengths * triggered
    apart = (clean - triggered).norm(dim=1)
    same(
        number(answer(a, b)),
        apart.mean().item(),
        {
            "the embeddings are not normalised: first give each the length 1.": (a - b).norm(dim=1).mean().item(),
            "that is the squared distance.": apart.square().mean().item(),
            "that is the cosine; the distance is √(2 − 2 cos).": (clean * triggered).sum(1).mean().item(),
            "one norm of the whole matrix; a distance for each picture, then their mean.": apart.norm().item(),
            "that is the distance of the means; take the mean of the distances.": (
                (clean.mean(0) - triggered.mean(0)).norm().item()
            ),
        },
    )


@checked("In units of what is usual in that model, two models may stand in one table.")
def relative_distance(answer: Answer) -> None:
    """`answer(clean, triggered)`: mean distance over the mean distance of two different clean pictures."""
    clean, triggered = _embeddings()
    apart, pairs, n = (clean - triggered).norm(dim=1).mean().item(), torch.cdist(clean, clean), len(clean)
    usual = pairs.sum().item() / (n * (n - 1))
    same(
        number(answer(clean, triggered)),
        apart / usual,
        {
            "a picture's distance to itself is 0 and is no pair: divide by N (N − 1).": apart / pairs.mean().item(),
            "turn the fraction: the trigger's distance in units of the usual one.": usual / apart,
            "that is the distance itself; divide by that of two clean pictures.": apart,
            "the unit is the distance of two *clean* pictures.": (
                apart / (torch.cdist(triggered, triggered).sum().item() / (n * (n - 1)))
            ),
        },
    )


@checked("Whole batches on both sides; above 100 % no defense is needed.")
def budget(answer: Answer) -> None:
    """`answer(pairs, epochs, batch_size, trained)`: samples of a finetuning as a share of those of the pre-training.

    Only whole batches are trained on; `trained` is a number of samples.
    """
    for pairs, epochs, batch, trained in (
        (800, 10, 64, 80_000),
        (100_000, 10, 128, 192_000_000),
        (120, 10, 64, 80_000),
    ):
        right = epochs * (pairs // batch) * batch / trained
        same(
            number(answer(pairs, epochs, batch, trained)),
            right,
            {
                "the last batch of an epoch is not full and is left out.": epochs * pairs / trained,
                "a share is asked for, not a percentage.": 100 * right,
                "that is one epoch.": right / epochs,
                "those are steps; a step has a batch of samples.": right / batch,
            },
        )


@checked("What another setting beats in both needs no place in a table.")
def frontier(answer: Answer) -> None:
    """`answer(points)`: those of (accuracy, success) that no other point beats, by falling accuracy.

    Another point beats one if it is as good in both numbers and better in one; of equal points one stays.
    """
    for points, right in (
        ([(0.40, 0.9), (0.45, 0.95), (0.35, 0.2), (0.34, 0.3)], [(0.45, 0.95), (0.40, 0.9), (0.35, 0.2)]),
        ([(0.30, 0.1), (0.30, 0.5), (0.20, 0.1)], [(0.30, 0.1)]),
        ([(0.30, 0.1), (0.30, 0.1)], [(0.30, 0.1)]),
        ([(0.41, 0.5)], [(0.41, 0.5)]),
    ):
        found = [(float(a), float(s)) for a, s in given(answer(list(points)))]
        if found == right:
            continue
        if sorted(found) == sorted(right):
            raise WrongError(f"of {points} the right ones are there; give them by falling accuracy.")
        if extra := [point for point in found if point not in right]:
            raise WrongError(f"of {points} you keep {extra[0]}, which another point beats in one number or in both.")
        if len(found) > len(right):
            raise WrongError(f"of {points} two are equal: keep one of them.")
        lost = next(point for point in right if point not in found)
        raise WrongError(f"of {points} you drop {lost}, which nothing beats: success is better the *lower* it is.")


@checked("Compared where they cost the same, and not at a learning rate that happens to be the same.")
def left_at_equal_loss(answer: Answer) -> None:
    """`answer(points, accuracy)`: success at that accuracy on the line through points by falling accuracy.

    `nan` where the line does not reach it: a curve is not continued beyond what was tried.
    """
    points = [(0.45, 0.95), (0.40, 0.80), (0.30, 0.20)]
    for at, right in ((0.45, 0.95), (0.425, 0.875), (0.33, 0.38), (0.30, 0.20)):
        nearest = min(points, key=lambda point: abs(point[0] - at))[1]
        weaker = next(success for accuracy, success in points if accuracy <= at + 1e-9)
        straight = 0.95 + (0.45 - at) / 0.15 * (0.20 - 0.95)
        backwards = float(np.interp(at, [a for a, _ in points], [s for _, s in points]))
        found = given(answer(list(points), at))
        if math.isnan(float(found)):
            raise WrongError("nan on the curve itself: `np.interp` wants its positions ascending, and these fall.")
        same(
            number(found),
            right,
            {
                "`np.interp` wants its positions ascending, and these fall.": backwards,
                "that is the nearest point; go along the line between its neighbours.": nearest,
                "that is the next point that costs more; go along the line between the two.": weaker,
                "the line goes through every point, and not from the first to the last.": straight,
            },
        )
    for outside in (0.46, 0.29):
        found = given(answer(list(points), outside))
        if not math.isnan(float(found)):
            raise WrongError(f"no setting has an accuracy of {outside}: the answer is nan, not {float(found):.2g}.")
