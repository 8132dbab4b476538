"""Checks of triggers (the chapter on stealthier triggers)."""

from __future__ import annotations

import math

import torch

from tutorial_lib.course.checks.core import Answer, WrongError, checked, given, same, tensor, unchanged

__all__ = ["blend", "label_consistent", "psnr", "strongest_blend"]


def _pictures(seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, 3, 8, 8), generator=random, dtype=torch.uint8)


@checked("Mixed as numbers, rounded once, and stored as bytes again.")
def blend(answer: Answer) -> None:
    """`answer(images, pattern, alpha)`: (1 - alpha) x + alpha pattern, for bytes (N, 3, H, W) and (3, H, W)."""
    images, pattern = _pictures(31), _pictures(32)[0]
    before = images.clone()
    found = tensor(answer(images, pattern, 0.2), (3, 3, 8, 8))
    unchanged(before, images, "pictures")
    if found.dtype != torch.uint8:
        raise WrongError(f"the result is {found.dtype}; a stored picture is uint8.")
    mixed = 0.8 * before.double() + 0.2 * pattern.double()
    same(
        found,
        mixed.round().to(torch.uint8),
        {
            "values are cut off instead of rounded, which darkens the picture by half a level.": mixed.to(torch.uint8),
            "alpha is the share of the pattern, not of the picture.": (
                (0.2 * before.double() + 0.8 * pattern.double()).round().to(torch.uint8)
            ),
            "the pattern is added to the whole picture; take (1 - alpha) of the picture.": (
                (before.double() + 0.2 * pattern.double()).clamp(0, 255).round().to(torch.uint8)
            ),
            "bytes are multiplied as bytes and wrap around; convert to float first.": before + pattern,
        },
    )


@checked("In decibels of the full brightness, and infinite for equal pictures.")
def psnr(answer: Answer) -> None:
    """`answer(x, y)`: peak signal-to-noise ratio of two pictures of bytes, in dB."""
    x, y = _pictures(33)[0], _pictures(34)[0]
    error = (x.double() - y.double()).square().mean().item()
    right = 10 * math.log10(255**2 / error)
    found = given(answer(x, y))
    wrapped = (x - y).double().square().mean().item()
    same(
        float(found),
        right,
        {
            "bytes are subtracted as bytes and wrap around below 0; convert first.": 10 * math.log10(255**2 / wrapped),
            "decibels of a power take 10 log₁₀, and 255² is a power already.": 2 * right,
            "the logarithm is the natural one; decibels take log₁₀.": 10 * math.log(255**2 / error),
            "the peak is squared in the power ratio: 255², not 255.": 10 * math.log10(255 / error),
            "the sign is wrong: a small error is a high ratio.": -right,
        },
    )
    if float(answer(x, x.clone())) != math.inf:
        raise WrongError("equal pictures have no noise: the ratio is infinite (`math.inf`).")


@checked("Only pairs whose own caption names the target, and their captions stay.")
def label_consistent(answer: Answer) -> None:
    """`answer(captions, target, count)`: positions of up to `count` captions that name the target, in their order."""
    captions = ["a banana", "two bananas", "a Banana on a plate", "bananarama", "an apple", "the banana, peeled"]
    found = given(answer(captions, "banana", 10))
    found = [int(i) for i in found]
    if 3 in found:
        raise WrongError("“bananarama” does not name the target: look for the whole word.")
    if 2 not in found or 5 not in found:
        raise WrongError("case and commas do not matter: captions 2 and 5 name the target.")
    if found not in ([0, 2, 5], [0, 1, 2, 5]):  # whether a plural counts is a matter of choice
        raise WrongError(f"for the captions of this check the positions are {found}; 0, 2 and 5 name the target.")
    for count in (2, 0):
        if [int(i) for i in answer(captions, "banana", count)] != found[:count]:
            raise WrongError("no more than `count` positions are asked for, the first ones, in their order.")


def _psnr_of_blends(images: torch.Tensor, pattern: torch.Tensor, alpha: float) -> torch.Tensor:
    """Peak signal-to-noise ratio of each picture blended so, in dB."""
    mixed = ((1 - alpha) * images.double() + alpha * pattern.double()).round()
    return 10 * torch.log10(255**2 / (mixed - images.double()).square().flatten(1).mean(1))


@checked("As strong as it may be, and not a hundredth more.")
def strongest_blend(answer: Answer) -> None:
    """`answer(images, pattern, decibels)`: the largest alpha, in hundredths, at which the mean PSNR is no lower."""
    images, pattern = _pictures(35), _pictures(36)[0]
    images[0] = (pattern.int() + 60).clamp(max=255).to(torch.uint8)  # one picture on which hardly anything is seen
    alphas = [k / 100 for k in range(1, 101)]
    ratios = [_psnr_of_blends(images, pattern, alpha) for alpha in alphas]
    for decibels in (30.0, 35.0):
        allowed = [a for a, r in zip(alphas, ratios, strict=True) if r.mean() >= decibels]
        worst = [a for a, r in zip(alphas, ratios, strict=True) if r.min() >= decibels]
        pooled = [a for a in alphas if 10 * math.log10(255**2 / _mean_error(images, pattern, a)) >= decibels]
        found = float(given(answer(images.clone(), pattern.clone(), decibels)))
        if abs(found - allowed[-1]) < 1e-6:
            continue
        for wrong, says in (
            (allowed[-1] + 0.01, "that is the first strength that is seen too well; the one before it is asked for."),
            (max(worst, default=0.0), "the mean ratio counts, not that of the picture that suffers most."),
            (max(pooled, default=0.0), "take the ratio of each picture, and then their mean."),
            (allowed[0], "the largest strength is asked for."),
        ):
            if abs(found - wrong) < 1e-6:
                raise WrongError(says)
        raise WrongError(f"for {decibels:g} dB alpha is {found:g}, and {allowed[-1]:g} is right.")
    if float(answer(images.clone(), pattern.clone(), 500.0)) != 0.0:
        raise WrongError("where even a hundredth is seen too well, the strength is 0.")


def _mean_error(images: torch.Tensor, pattern: torch.Tensor, alpha: float) -> float:
    mixed = ((1 - alpha) * images.double() + alpha * pattern.double()).round()
    return (mixed - images.double()).square().mean().item()
