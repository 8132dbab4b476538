"""Checks of what random crops leave of a patch (the chapter on why an attack success is low)."""

from __future__ import annotations

import torch

from tutorial_lib.course.checks.core import Answer, WrongError, checked, given, number, same
from tutorial_lib.training.augment import crop_boxes

__all__ = ["cell_after", "patch_left", "whole_patches"]


@checked("Two overlaps, one an axis, and their product.")
def patch_left(answer: Answer) -> None:
    """`answer(box, margin, size)`: share of a square patch's area inside a box of top, left, height and width."""
    for box, margin, size, right, says in (
        ((0, 0, 32, 32), 1, 6, 1.0, "the whole picture holds the whole patch"),
        ((3, 2, 20, 24), 1, 6, 4 / 6 * 5 / 6, "four rows and five columns of six are left"),
        ((0, 0, 4, 32), 1, 6, 0.5, "the box ends within the patch: three rows of six are left"),
        ((10, 0, 20, 20), 1, 6, 0.0, "the box begins below the patch; an overlap is never negative"),
        ((10, 12, 20, 20), 1, 6, 0.0, "the box lies below the patch and beside it; two negative overlaps are no area"),
        ((3, 0, 2, 32), 1, 6, 2 / 6, "the box lies within the patch: two rows of six are left"),
    ):
        found = number(answer(box, margin, size))
        if abs(found - right) > 1e-6:
            raise WrongError(f"for a box {box}, margin {margin} and size {size} you say {found:.3g}: {says}.")


@checked("What is cut smaller is drawn larger.")
def cell_after(answer: Answer) -> None:
    """`answer(box, cell, side)`: height and width of a cell of the picture after the box is resized to `side`."""
    found = given(answer((3, 0, 16, 24), 2, 32))
    try:
        high, wide = (number(v, "an entry") for v in found)
    except (TypeError, ValueError):
        raise WrongError("a height and a width are asked for, two numbers.") from None
    same(
        torch.tensor([high, wide], dtype=torch.float64),
        torch.tensor([4.0, 2 * 32 / 24], dtype=torch.float64),
        {
            "height and width are exchanged.": torch.tensor([2 * 32 / 24, 4.0], dtype=torch.float64),
            "a smaller box is enlarged more: divide by its side.": torch.tensor([1.0, 1.5], dtype=torch.float64),
        },
    )


@checked("Four comparisons, and no crop is looked at twice.")
def whole_patches(answer: Answer) -> None:
    """`answer(boxes, margin, size)`: share of the boxes, (N, 4), that hold a whole patch."""
    boxes = crop_boxes(4_000, 32, 32, torch.Generator().manual_seed(7), scale=(0.5, 1.0))
    margin, size = 1, 6
    top, left, height, width = boxes.unbind(1)
    begins = (top <= margin) & (left <= margin)
    ends = (top + height >= margin + size) & (left + width >= margin + size)
    same(
        number(answer(boxes, margin, size)),
        (begins & ends).double().mean().item(),
        {
            "a share is asked for, not a number of boxes.": (begins & ends).sum().item(),
            "a box that begins at the patch's first row still holds it: compare with ≤.": (
                ((top < margin) & (left < margin) & ends).double().mean().item()
            ),
            "both axes must fit; here only the rows are looked at.": (
                ((top <= margin) & (top + height >= margin + size)).double().mean().item()
            ),
        },
    )
    edge = torch.tensor([[1, 1, 6, 6], [1, 1, 5, 6], [1, 1, 6, 5], [0, 0, 7, 7], [2, 0, 30, 30]])
    same(
        number(answer(edge, margin, size)),
        0.4,
        {
            "a box may also end before the patch does: look at its far edges.": 0.8,
            "a box may end before the patch does on either axis: look at both far edges.": 0.6,
        },
    )
