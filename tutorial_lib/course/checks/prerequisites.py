"""Checks of what the course takes for granted: a loop over texts, rows of a tensor, a loss (the self-test)."""

from __future__ import annotations

import math

import torch

from tutorial_lib.course.checks.core import Answer, WrongError, checked, number, same, tensor

__all__ = ["count_captions", "cross_entropy", "unit_rows"]

CAPTIONS = ("A ring.", "a string of beads", "my Ring, lost", "earrings", "one ring to a ring", "an apple")


@checked("A word is between other characters than letters, in any case.")
def count_captions(answer: Answer) -> None:
    """`answer(captions, word)`: how many captions contain the word as a whole, in any case."""
    same(
        number(answer(list(CAPTIONS), "ring")),
        3,
        {
            "captions are counted in which the word is a part of another one, as in string.": 5,
            "words are compared with their capital letters.": 2,
            "a caption that has the word twice counts once.": 4,
            "the full stop or the comma behind a word belongs to no word: split by more than spaces.": 1,
        },
    )
    if number(answer(list(CAPTIONS), "Apple")) != 1:
        raise WrongError("the word itself may have capital letters, too.")


@checked("One division, stretched over the rows.")
def unit_rows(answer: Answer) -> None:
    """`answer(x)`: the rows of x, each divided by its length; rows of zeros stay."""
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    lengths = x.norm(dim=1, keepdim=True)
    found = tensor(answer(x.clone()), (5, 3))
    same(
        found,
        x / lengths,
        {
            "this divides by the squares of the lengths; take the root.": x / lengths.square(),
            "this divides everything by the length of the whole table: norm needs dim=1.": x / x.norm(),
            "this divides by sums of absolute values; the length is the root of the sum of squares.": x
            / x.abs().sum(1, keepdim=True),
            "this divides the columns by their lengths: rows are dim=1.": x / x.norm(dim=0, keepdim=True),
        },
    )
    zero = tensor(answer(torch.zeros(2, 3)), (2, 3))
    if not torch.equal(zero, torch.zeros(2, 3)):
        raise WrongError("a row of zeros becomes nan: keep the length away from zero with clamp(min=1e-12).")


@checked("The logarithm of the sum, and no large exponential.")
def cross_entropy(answer: Answer) -> None:
    """`answer(scores, right)`: -log softmax(scores)[right]."""
    scores = torch.tensor([2.0, -1.0, 0.5, 0.0])
    right = torch.logsumexp(scores, 0).item()
    probability = scores.softmax(0)[2].item()
    same(
        number(answer(scores.clone(), 2)),
        right - 0.5,
        {
            "this is the logarithm itself; the loss is its negative.": 0.5 - right,
            "this is the probability; the loss is its negative logarithm.": probability,
            "this is the logarithm of base 2; take the natural one.": (right - 0.5) / math.log(2),
            "this is the loss of class 0; the right one is the second argument.": right - 2.0,
        },
    )
    large = number(answer(torch.tensor([1000.0, 0.0]), 1))
    if abs(large - 1000.0) > 1e-3:
        raise WrongError(f"for the scores 1000 and 0 it gives {large:g}, and 1000 is right.")
