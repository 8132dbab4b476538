"""Checks of a filter of copies (the chapter on removing copies)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tutorial_lib.course.checks.core import Answer, WrongError, checked, given, same, tensor, unchanged

__all__ = ["bits_apart", "keep_one", "tolerance_within"]


@checked("The Hamming distance: what one flip costs does not depend on where the bit stands.")
def bits_apart(answer: Answer) -> None:
    """`answer(bits)`: in how many bits each two of N hashes differ, (N, N)."""
    bits = torch.rand(7, 64, generator=torch.Generator().manual_seed(71)) > 0.5
    bits[4] = bits[1]
    before = bits.clone()
    found = tensor(answer(bits), (7, 7))
    unchanged(before, bits, "bits")
    apart = (bits[:, None] != bits[None]).sum(2).double()
    same(
        found,
        apart,
        {
            "these bits agree; count those that differ.": 64 - apart,
            "this is the share of bits; their number is asked for.": apart / 64,
            "this is the length of the difference; count its bits.": apart.sqrt(),
            "only bits that are set in both are counted.": (bits[:, None] & bits[None]).sum(2).double(),
        },
    )


def _stays(apart: Tensor, tolerance: float, *, equal: bool = True) -> Tensor:
    """Which stay where each is compared with those that were kept."""
    kept: list[int] = []
    for k in range(len(apart)):
        near = apart[k, kept] <= tolerance if equal else apart[k, kept] < tolerance
        if not near.any():
            kept.append(k)
    return torch.isin(torch.arange(len(apart)), torch.tensor(kept))


@checked("One of each stays; and in a chain of look-alikes, more than one.")
def keep_one(answer: Answer) -> None:
    """`answer(apart, tolerance)`: mask of the pictures that stay, (N,), bool, in their order."""
    at = torch.tensor([0.0, 3.0, 6.0, 9.0, 30.0, 31.0, 34.0, 60.0])  # chains, three bits a step
    apart = (at[:, None] - at[None]).abs()
    before = apart.clone()
    right = _stays(apart, 3)
    found = given(answer(apart, 3))
    unchanged(before, apart, "apart")
    if not isinstance(found, Tensor) or found.dtype != torch.bool:
        raise WrongError("a mask is asked for: a tensor of bool.")
    found = tensor(found, (8,)).bool()
    near = (apart <= 3).tril(-1).any(1)
    for wrong, says in (
        (~right, "this is the mask of those that go."),
        (~near, "a picture near one that was dropped may stay: compare with the kept ones only."),
        (_stays(apart, 3, equal=False), "so many bits as the tolerance says still count as a copy."),
        (((apart <= 3).sum(1) == 1), "one of each is kept: the first of some copies has no earlier one."),
        (torch.zeros(8, dtype=torch.bool), "nothing stays: a picture differs from itself by no bit."),
        (torch.ones(8, dtype=torch.bool), "everything stays."),
    ):
        if torch.equal(found, wrong):
            raise WrongError(says)
    if not torch.equal(found, right):
        raise WrongError(f"{(found != right).sum().item()} of 8 pictures are judged otherwise.")


@checked("Chosen on clean data only; what it does to poisons is found out afterwards.")
def tolerance_within(answer: Answer) -> None:
    """`answer(tolerances, kept, budget)`: the largest tolerance that loses at most the budget, or None."""
    tolerances, kept = [0, 2, 4, 6, 8], [1.0, 0.96875, 0.875, 0.5, 0.25]

    def ask(budget: float) -> Any:
        found = answer(list(tolerances), list(kept), budget)
        return found.item() if isinstance(found, Tensor) else found

    found = given(ask(0.125))
    if found == 2:
        raise WrongError("a loss of just the budget is within it.")
    if found == 0:
        raise WrongError("the largest tolerance is asked for, and 0 is the smallest.")
    if found == 8:
        raise WrongError("the budget is a share that may be lost: 1 less what is kept.")
    if found != 4:
        raise WrongError(f"with a budget of 0.125, 4 is chosen, not {found!r}.")
    if ask(0.0) != 0:
        raise WrongError("without a budget the tolerance that loses nothing is chosen, 0.")
    tolerances, kept = tolerances[2:], kept[2:]
    if ask(0.05) is not None:
        raise WrongError("where the smallest tolerance loses too much, none is chosen: None.")
