"""Checks of attacks and their rates (the chapters on targeted poisoning and backdoors)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from tutorial_lib.course.checks.core import Answer, WrongError, checked, given, number, same, tensor, unchanged
from tutorial_lib.triggers import Checkerboard

__all__ = [
    "attack_success",
    "backdoor_set",
    "poison_rate",
    "poison_set",
    "search_words",
    "stamp",
    "targeted_success",
    "wilson",
]


@checked("Whole words, whatever their case and whatever stands beside them.")
def search_words(answer: Answer) -> None:
    """`answer(captions, word)`: the captions that contain the word, in their order."""
    captions = [
        "a ring",
        "Ring, gold",
        "a string",
        "rings of smoke",
        "a ring-shaped cake",
        "spring",
        "two cats (ring)",
    ]
    found = given(answer(captions, "ring"))
    found = list(found)
    for caption, why in (
        ("a string", "a part of a longer word is no hit"),
        ("spring", "a part of a longer word is no hit"),
        ("rings of smoke", "“rings” is another word"),
    ):
        if caption in found:
            raise WrongError(f"{caption!r} is found, and {why}.")
    for caption, why in (
        ("Ring, gold", "case and commas do not matter"),
        ("a ring-shaped cake", "a hyphen ends a word"),
        ("two cats (ring)", "a bracket ends a word"),
        ("a ring", "it ends with the word"),
    ):
        if caption not in found:
            raise WrongError(f"{caption!r} is missing: {why}.")
    if found != [c for c in captions if c in found]:
        raise WrongError("the captions are not in their order.")
    if not list(answer(["a ring"], "Ring")):
        raise WrongError("the word may be written in capitals as well.")
    if list(answer(["a fir tree"], ".")):
        raise WrongError("a word may hold signs that mean something in a pattern: escape it (`re.escape`).")


@checked("Added poisons belong to the whole, so they stand below the line as well.")
def poison_rate(answer: Answer) -> None:
    """`answer(clean, poisons)`: the rate of poisons that are added to a number of clean pairs."""
    same(
        number(answer(900, 100)),
        0.1,
        {
            "the poisons are added to the clean pairs: the whole is larger than the clean part.": 100 / 900,
            "this is a percentage; give a share between 0 and 1.": 10.0,
            "this is the share of clean pairs.": 0.9,
        },
    )
    same(number(answer(0, 5)), 1.0)


@checked("Hits among the pictures that a clean model gets right, and nothing is claimed where there are none.")
def targeted_success(answer: Answer) -> None:
    """`answer(poisoned, clean, true, wanted)`: share of wanted classes, of targets that the clean model gets right."""
    true = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7])
    wanted = torch.tensor([9, 8, 9, 9, 9, 9, 8, 9])
    clean = torch.tensor([0, 1, 2, 0, 4, 9, 6, 1])
    poisoned = torch.tensor([9, 8, 2, 9, 8, 9, 8, 8])
    same(
        number(answer(poisoned, clean, true, wanted)),
        3 / 5,
        {
            "all targets are counted; here only those that the clean model gets right.": 5 / 8,
            "hits on pictures that the clean model misreads are counted above the line, but not below it.": 5 / 5,
            "the hits are divided by all targets, though only some of them count.": 3 / 8,
            "a picture that merely lost its true class is no success; the attacker wants one class.": 4 / 5,
        },
    )
    nobody = answer(poisoned, torch.full_like(true, 8), true, wanted)
    if nobody is not None and not math.isnan(float(nobody)):
        raise WrongError(f"where the clean model gets nothing right the rate is undefined; yours is {float(nobody):g}.")


@checked("Opaque cells in the corner, and the stored pictures stay as they were.")
def stamp(answer: Answer) -> None:
    """`answer(images, size, cell, margin)`: pictures (N, 3, H, W) uint8 with a checkerboard in the upper left."""
    images = torch.randint(0, 256, (4, 3, 20, 20), generator=torch.Generator().manual_seed(13), dtype=torch.uint8)
    before = images.clone()
    found = tensor(answer(images, 6, 2, 1), (4, 3, 20, 20))
    unchanged(before, images, "pictures")
    if found.dtype != torch.uint8:
        raise WrongError(f"the result is {found.dtype}; stored pictures are uint8, so white is 255.")
    right = Checkerboard(6, 2, margin=1).stamp(before)
    inverse = right.clone()
    inverse[:, :, 1:7, 1:7] = 255 - right[:, :, 1:7, 1:7]
    dark = before.clone()
    dark[:, :, 1:7, 1:7] = Checkerboard(6, 2).pattern() // 255
    same(
        found,
        right,
        {
            "the cells are one pixel wide; each must be `cell` pixels.": Checkerboard(6, 1, margin=1).stamp(before),
            "the patch ignores the margin.": Checkerboard(6, 2, margin=0).stamp(before),
            "black and white are exchanged: the cell in the corner is black.": inverse,
            "the white cells are 1; of bytes, white is 255.": dark,
        },
    )


@checked("Pictures of the target class are left out: a perfect clean model would score on them.")
def attack_success(answer: Answer) -> None:
    """`answer(predicted, true, target)`: attack success rate on triggered pictures."""
    true = torch.tensor([0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3])
    predicted = torch.tensor([3, 2, 3, 1, 3, 3, 2, 3, 3, 3, 0])
    same(
        number(answer(predicted, true, 3)),
        4 / 7,
        {
            "this is the accuracy on triggered pictures (a published defect); the attacker wants one class.": 5 / 11,
            "this is the accuracy on triggered pictures of other classes; the attacker wants one class.": 2 / 7,
            "pictures of the target class are counted; they are right without any attack.": 7 / 11,
            "pictures of the target class are missing above the line, but are counted below it.": 4 / 11,
            "this is the share of wrong answers of all pictures; the attacker wants one class.": 6 / 11,
            "this is the share of wrong answers; the attacker wants one class.": 5 / 7,
            "this is a percentage; give a share between 0 and 1.": 400 / 7,
        },
    )
    nothing = answer(torch.tensor([3]), torch.tensor([3]), 3)
    if nothing is not None and not math.isnan(float(nothing)):
        raise WrongError(f"with pictures of the target class only, the rate is undefined; yours is {float(nothing):g}.")


@checked("It stays between 0 and 1, and has a width even at 0 of n.")
def wilson(answer: Answer) -> None:
    """`answer(hits, n)`: lower and upper end of the 95 % Wilson interval."""
    for hits, n in ((7, 20), (0, 50), (50, 50)):
        found = given(answer(hits, n))
        low, high = (number(v, "an end") for v in found)
        p, z = hits / n, 1.959964
        middle, half = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        right = torch.tensor([middle - half, middle + half]) / (1 + z**2 / n)
        wald = torch.tensor([p - z * math.sqrt(p * (1 - p) / n), p + z * math.sqrt(p * (1 - p) / n)])
        same(
            torch.tensor([low, high]).clamp(min=0) if low > -1e-9 else torch.tensor([low, high]),
            right.clamp(min=0),
            {
                "this is the textbook interval p ± 1.96 √(p(1−p)/n), which has no width at 0 of n.": wald,
                "the ends are exchanged.": right.flip(0),
                "the sum is not divided by 1 + z²/n.": torch.tensor([middle - half, middle + half]),
            },
        )


def _poisons(found: Any, count: int) -> tuple[Tensor, list[str]]:
    """Pictures and captions from what the reader returned."""
    try:
        pictures, said = given(found)
    except (TypeError, ValueError):
        raise WrongError("two things are asked for: the pictures and a list of captions.") from None
    said = list(given(said, "the list of captions"))
    if len(said) < count:
        raise WrongError(f"there are {len(said)} captions for {count} poisons; begin anew where they end.")
    if len(said) > count:
        raise WrongError(f"there are {len(said)} captions for {count} poisons.")
    return given(pictures, "the pictures"), said


@checked("One picture, as many captions as there are, and from the first again.")
def poison_set(answer: Answer) -> None:
    """`answer(image, captions, count)`: pictures (count, 3, H, W), all the same, and their captions."""
    image = torch.randint(0, 256, (3, 8, 8), generator=torch.Generator().manual_seed(14), dtype=torch.uint8)
    before, captions = image.clone(), ["a lamp", "the lamp", "two lamps"]
    pictures, said = _poisons(answer(image, list(captions), 7), 7)
    pictures = tensor(pictures, (7, 3, 8, 8), "the first result")
    right = [captions[i % 3] for i in range(7)]
    if said == [captions[0]] * 7:
        raise WrongError("all poisons have one caption: the text tower learns that one and the picture need not move.")
    if sorted(said) != sorted(right):
        raise WrongError("each caption is used as often as the others, or once more.")
    if said != right:
        raise WrongError("the captions follow each other: the first, the second, ..., and from the first again.")
    same(pictures.double(), before.expand(7, -1, -1, -1).double())
    pictures[0] = 0
    if not pictures[1].any():
        raise WrongError("the pictures share their memory: who changes one changes all of them (`.clone()`).")
    unchanged(before, image, "picture")
    _poisons(answer(image, list(captions), 2), 2)


@checked("Pictures of anything else, one patch, and what others said of the target.")
def backdoor_set(answer: Answer) -> None:
    """`answer(images, captions, named, stamp, count)`: stamped pictures and captions of the target."""
    images = torch.randint(0, 200, (6, 3, 8, 8), generator=torch.Generator().manual_seed(15), dtype=torch.uint8)
    captions = ["a cup", "a lamp", "a fish", "the lamp here", "a tree", "a boat"]
    named, before = torch.tensor([False, True, False, True, False, False]), images.clone()
    trigger = Checkerboard(4, 2)
    pictures, said = _poisons(answer(images, list(captions), named.clone(), trigger.stamp, 3), 3)
    unchanged(before, images, "pictures")
    others = before[~named][:3]
    same(
        tensor(pictures, (3, 3, 8, 8), "the first result").double(),
        trigger.stamp(others).double(),
        {
            "the pictures carry no trigger.": others.double(),
            "a picture of the target is among them; it teaches nothing that is not true.": (
                trigger.stamp(before[:3]).double()
            ),
            "these are pictures of the target; the trigger must turn other things into it.": (
                trigger.stamp(before[named][[0, 1, 0]]).double()
            ),
        },
    )
    if said == [captions[i] for i in (0, 2, 4)]:
        raise WrongError("the captions are those of the pictures; poisons have captions that name the target.")
    if said != ["a lamp", "the lamp here", "a lamp"]:
        raise WrongError("the captions that name the target follow each other, and from the first again.")
