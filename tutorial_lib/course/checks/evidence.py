"""Checks of what several models show (the chapters on place and count, whether it holds, and the capstone)."""

from __future__ import annotations

import math

import torch
from scipy import stats

from tutorial_lib.course.checks.core import Answer, WrongError, checked, given, number, same, unit
from tutorial_lib.evaluate import linear_cka
from tutorial_lib.evidence.statistics import estimate_mean

__all__ = ["brier", "models_needed", "paired_interval", "shift", "verdict"]

LEFT = {0: 0.42, 1: 0.55, 2: 0.31, 3: 0.60, 5: 0.10}
RIGHT = {0: 0.35, 1: 0.50, 2: 0.33, 3: 0.44, 4: 0.90}


@checked("A quarter is what always saying one half gets; being sure and wrong costs four times as much.")
def brier(answer: Answer) -> None:
    """`answer(said, true)`: Brier score of probabilities of events, (N,), and whether each happened, (N,), bool."""
    said = torch.tensor([0.9, 0.2, 0.6, 1.0, 0.3], dtype=torch.float64)
    true = torch.tensor([True, False, False, True, True])
    off = said - true.double()
    sure = torch.where(true, said, 1 - said)
    same(
        number(answer(said.clone(), true.clone())),
        off.square().mean().item(),
        {
            "this is the mean absolute error; square it, or whoever is half sure gains by saying 0 or 1.": (
                off.abs().mean().item()
            ),
            "this is a sum; the score is a mean.": off.square().sum().item(),
            "take no root: the score is the mean square itself.": off.square().mean().sqrt().item(),
            "this scores what happened as 0 and what did not as 1.": (said - (~true).double()).square().mean().item(),
            "this rounds to yes or no first, and so forgets how sure you were.": (
                ((said > 0.5) != true).double().mean().item()
            ),
            "this is the logarithmic score, which is infinite for the sure and wrong; square the difference.": (
                -sure.log().mean().item()
            ),
        },
    )
    half = torch.full((4,), 0.5, dtype=torch.float64)
    same(number(answer(half, torch.tensor([True, False, False, False]))), 0.25)


@checked("Paired by seed, so that what the seeds share falls out.")
def paired_interval(answer: Answer) -> None:
    """`answer(left, right)`: 95 % t interval of the mean difference of two dicts by seed, for the seeds in both."""
    found = given(answer(dict(LEFT), dict(RIGHT)))
    low, high = (number(v, "an end") for v in found)
    both = sorted(LEFT.keys() & RIGHT.keys())
    right = estimate_mean([LEFT[s] - RIGHT[s] for s in both])
    differences = torch.tensor([LEFT[s] - RIGHT[s] for s in both], dtype=torch.float64)
    mean, error = differences.mean().item(), differences.std().item() / math.sqrt(len(both))
    groups = torch.tensor([[d[s] for s in both] for d in (LEFT, RIGHT)], dtype=torch.float64)
    apart = math.sqrt(groups.var(1).sum().item() / len(both))
    t, t_apart = (float(stats.t.ppf(0.975, freedom)) for freedom in (len(both) - 1, 2 * len(both) - 2))
    biased = differences.std(unbiased=False).item() / math.sqrt(len(both))

    def ends(width: float) -> torch.Tensor:
        return torch.tensor([mean - width, mean + width], dtype=torch.float64)

    same(
        torch.tensor([low, high], dtype=torch.float64),
        torch.tensor([right.low, right.high], dtype=torch.float64),
        {
            "with four models the factor is that of Student's t (3.18), not 1.96.": ends(1.959964 * error),
            "this is two standard errors; use Student's t with n − 1 degrees of freedom.": ends(2 * error),
            "the spread is that of single differences; that of their mean is smaller by √n.": (
                ends(t * differences.std().item())
            ),
            "the two groups are treated as independent; pair them by seed.": ends(t_apart * apart),
            "the ends are exchanged.": ends(-t * error),
            "the standard deviation needs n − 1 below the line.": ends(t * biased),
        },
        rel=1e-3,
    )


@checked("Absence of evidence is not evidence of absence: between the two stands *undecided*.")
def verdict(answer: Answer) -> None:
    """`answer(low, high, margin)`: is it shown that a difference is not below -margin: holds, fails or undecided?"""
    for low, high, margin, right in (
        (-0.01, 0.05, 0.03, "holds"),
        (-0.20, -0.05, 0.03, "fails"),
        (-0.10, 0.05, 0.03, "undecided"),
        (-0.02, -0.01, 0.03, "holds"),
        (-0.03, 0.00, 0.03, "holds"),
    ):
        found = given(answer(low, high, margin))
        if found not in ("holds", "fails", "undecided"):
            raise WrongError(f"the answer is one of the words holds, fails and undecided, not {found!r}.")
        if found != right:
            where = f"an interval from {low:g} to {high:g} with a margin of {margin:g}"
            if right == "undecided":
                raise WrongError(f"{where} holds values on both sides of {-margin:g}: undecided, not {found!r}.")
            if low == -margin:
                raise WrongError(f"{where} just reaches {-margin:g}: a loss of the margin itself is allowed.")
            if low < 0 and right == "holds":
                raise WrongError(f"{where} lies above {-margin:g} wholly: that it may be below 0 does not matter.")
            raise WrongError(f"{where} is {right!r}, not {found!r}.")


@checked("Four times the precision takes sixteen times the models, and a plan is made before they are trained.")
def models_needed(answer: Answer) -> None:
    """`answer(differences)`: models that show with a chance of 80 % that the mean is above 0, by the normal rule."""
    for found in ([0.57, -0.35, 1.60, 0.46], [0.9, 1.1, 1.0, 1.05], [0.2, -0.5, 1.0, 0.3], [0.02, -0.05, 0.1, 0.03]):
        values = torch.tensor(found, dtype=torch.float64)
        mean, spread, biased = values.mean().item(), values.std().item(), values.std(unbiased=False).item()

        def needed(factor: float, deviation: float, mean: float = mean) -> int:
            return max(2, math.ceil((factor * deviation / mean) ** 2))

        right, got = needed(1.96 + 0.84, spread), number(answer(list(found)))
        if got == right:
            continue
        same(
            got,
            right,
            {
                "that is for a chance of one half: 80 % takes 0.84 standard errors more.": needed(1.96, spread),
                "the standard deviation needs n − 1 below the line.": needed(2.8, biased),
                "an interval needs two models at least.": math.ceil((2.8 * spread / mean) ** 2),
                "round up: a part of a model shows nothing.": math.floor((2.8 * spread / mean) ** 2),
                "that is the factor of the standard error; the number of models is its square.": (
                    math.ceil(2.8 * spread / mean)
                ),
            },
        )


@checked("Unchanged by turning and scaling the space, as a comparison of embeddings must be.")
def shift(answer: Answer) -> None:
    """`answer(x, y)`: linear CKA of two sets of embeddings of the same pictures, (N, d) and (N, e)."""
    x, y = unit(40, 6, seed=51) + 0.3, unit(40, 9, seed=52)
    y[:, :6] += 0.5 * x
    centred_x, centred_y = x - x.mean(0), y - y.mean(0)
    top = (centred_x.T @ centred_y).square().sum()
    scale = (centred_x.T @ centred_x).norm() * (centred_y.T @ centred_y).norm()
    right = linear_cka(x, y)
    plain = (x.T @ y).square().sum() / ((x.T @ x).norm() * (y.T @ y).norm())
    same(
        number(answer(x, y)),
        right,
        {
            "the columns are not centred: a common offset then looks like agreement.": plain.item(),
            "the numerator is the squared norm ‖XᵀY‖².": (top.sqrt() / scale).item(),
            "this is the root; linear CKA has none.": math.sqrt(right),
        },
    )
    turned = x @ torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    same(number(answer(x, 3 * turned)), 1.0)
