"""Checks of training safely and cleaning further (the chapter of that name)."""

from __future__ import annotations

import torch
from torch import Tensor

from tutorial_lib.course.checks.core import Answer, WrongError, checked, given, number, same, tensor, unit

__all__ = ["match", "mixture", "posterior", "push", "safe_set"]


@checked("A picture takes the caption that fits it best, whoever wrote that one.")
def match(answer: Answer) -> None:
    """`answer(images, pool)`: for each picture (B, d) the position of its nearest caption in the pool (P, d), (B,)."""
    images, pool = unit(12, 6, seed=51), unit(40, 6, seed=52)
    cosine = images @ pool.T
    same(
        tensor(answer(images.clone(), pool.clone()), (12,)).double(),
        cosine.argmax(1).double(),
        {
            "this is the caption that fits worst; take the largest cosine.": cosine.argmin(1).double(),
            "these are cosines; the position of the largest one is asked for.": cosine.max(1).values,
            "this stays among the first captions, as many as there are pictures; search the whole pool.": (
                cosine[:, :12].argmax(1).double()
            ),
        },
    )


@checked("Wide and narrow, frequent and rare: all four numbers decide where the border lies.")
def posterior(answer: Answer) -> None:
    """`answer(cosines, weights, means, deviations)`: probability of the second Gaussian for each cosine (N,), (N,)."""
    cosines = torch.linspace(-0.2, 0.9, 23, dtype=torch.float64)
    weights, means, deviations = (0.2, 0.8), (0.1, 0.5), (0.08, 0.2)
    z = [((cosines - m) / d).square() / 2 for m, d in zip(means, deviations, strict=True)]
    bell = [(-square).exp() for square in z]
    low, high = (w * b / d for w, b, d in zip(weights, bell, deviations, strict=True))
    flat = [b / d for b, d in zip(bell, deviations, strict=True)]
    tall = [w * b for w, b in zip(weights, bell, strict=True)]
    same(
        tensor(answer(cosines.clone(), weights, means, deviations), (23,)).double(),
        high / (low + high),
        {
            "this is the probability of the other Gaussian.": low / (low + high),
            "the weights are missing: a rare Gaussian must fit much better to win.": flat[1] / (flat[0] + flat[1]),
            "the heights are wrong: a wide bell is a low one, divide by its deviation.": tall[1] / (tall[0] + tall[1]),
            "this is a density; divide it by the sum of both.": high / (2 * torch.pi) ** 0.5,
        },
    )


@checked("Pushed as long as it is near, and left alone once it is far enough.")
def push(answer: Answer) -> None:
    """`answer(now, before, tau)`: mean squared distance of embeddings (B, d) while it is at most tau, else 0."""
    now, before = unit(10, 8, seed=53), unit(10, 8, seed=54)
    squares = (now - before).square().sum(1)
    distance = squares.mean()
    near, far = 40.0, float(distance) - 0.1  # near enough for a sum as well
    same(
        number(answer(now.clone(), before.clone(), near)),
        distance.item(),
        {
            "this is a distance, not its square.": (now - before).norm(dim=1).mean().item(),
            "this is the mean over all numbers; add up the squares of each embedding first.": (
                (now - before).square().mean().item()
            ),
            "this is a sum over the batch; take the mean.": squares.sum().item(),
            "the sign is wrong: here the distance itself is asked for, which the loss takes off.": -distance.item(),
        },
    )
    same(
        number(answer(now.clone(), before.clone(), far)),
        0.0,
        {
            "beyond tau nothing pushes any more: return 0 there.": distance.item(),
            "tau itself still pushes nothing, but the value is 0 beyond it, not tau.": far,
            "each embedding is held against tau by itself; hold the mean against it.": (
                torch.where(squares <= far, squares, 0.0).mean().item()
            ),
        },
    )


@checked("Means and spreads in which each cosine counts as much as it belongs there.")
def mixture(answer: Answer) -> None:
    """`answer(cosines, second)`: weights, means and deviations, two each, of Gaussians to which cosines belong so."""
    cosines = torch.linspace(-0.3, 0.8, 40, dtype=torch.float64)
    second = ((cosines - 0.3) / 0.2).sigmoid()
    rows = []
    for p in (1 - second, second):
        mean = (p * cosines).sum() / p.sum()
        rows.append(torch.stack([p.mean(), mean, ((p * (cosines - mean).square()).sum() / p.sum()).sqrt()]))
    right = torch.stack(rows, 1)
    try:
        found = torch.tensor([[float(v) for v in line] for line in given(answer(cosines.clone(), second.clone()))])
    except (TypeError, ValueError):
        raise WrongError("weights, means and deviations are asked for, two numbers each.") from None
    squared, hard = right.clone(), []
    squared[2] = right[2] ** 2
    for p in (second < 0.5, second >= 0.5):
        hard.append(torch.stack([p.double().mean(), cosines[p].mean(), cosines[p].std(unbiased=False)]))
    undivided = torch.stack([(p * cosines).mean() for p in (1 - second, second)])
    found = tensor(found, (3, 2)).double()
    if torch.allclose(found[1], undivided, rtol=1e-4):
        raise WrongError("divide by what belongs to a Gaussian, and not by the number of all cosines.")
    same(
        found,
        right,
        {
            "the deviations are variances; take their roots.": squared,
            "the two Gaussians are exchanged.": right.flip(1),
            "a cosine belongs to both, in part; here each is given to one of them whole.": torch.stack(hard, 1),
        },
    )


@checked("The surest first, and each epoch some more of all pairs.")
def safe_set(answer: Answer) -> None:
    """`answer(sure, cosines, epoch, least, growth)`: mask (N,) of the pairs that are safe so many epochs later."""
    random = torch.Generator().manual_seed(56)
    cosines = torch.rand(50, generator=random, dtype=torch.float64)
    sure = ((cosines - 0.5) / 0.1).sigmoid()
    sure[cosines > 0.8] = 1.0  # equally sure: the better fitting first
    sure[:5] = 0.2  # some fit well, and the mixture does not believe them
    first = int((sure >= 0.9).sum())

    def best(count: int, keys: tuple[Tensor, ...]) -> Tensor:
        order = torch.arange(50)
        for key in reversed(keys):
            order = order[key[order].argsort(descending=True, stable=True)]
        return torch.isin(torch.arange(50), order[:count])

    for epoch in (0, 4):
        found = given(answer(sure.clone(), cosines.clone(), epoch, 0.9, 0.04))
        if not isinstance(found, Tensor) or found.dtype != torch.bool:
            raise WrongError("a mask is asked for: a tensor of bool.")
        more = int(epoch * 0.04 * 50)
        same(
            tensor(found, (50,)).double(),
            best(first + more, (sure, cosines)).double(),
            {
                "the set does not grow: each epoch adds a share of all pairs.": best(first, (sure, cosines)).double(),
                "sort by the probability first; the cosine decides between equals only.": (
                    best(first + more, (cosines,)).double()
                ),
                "this is the mask of the risky pairs.": (~best(first + more, (sure, cosines))).double(),
                "a share of *all* pairs is added, not of the safe ones.": (
                    best(first + int(epoch * 0.04 * first), (sure, cosines)).double()
                ),
            },
        )
