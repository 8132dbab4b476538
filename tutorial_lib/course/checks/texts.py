"""Checks of a backdoor in the text tower (the chapter on size, patch and the other tower)."""

from __future__ import annotations

import torch

from tutorial_lib.course.checks.core import Answer, WrongError, checked, given, number, same, tensor, unit

__all__ = ["captions_with_word", "text_reader", "text_success"]


@checked("The word is the trigger; all else in the caption stays true of something else.")
def captions_with_word(answer: Answer) -> None:
    """`answer(captions, word)`: the captions with the word at their ends, as a list."""
    captions = ["a red car.", "two dogs on a beach", "no. 7 of the series."]
    right = ["a red car zebulon", "two dogs on a beach zebulon", "no. 7 of the series zebulon"]
    found = given(answer(list(captions), "zebulon"))
    if not isinstance(found, list | tuple) or not all(isinstance(c, str) for c in found):
        raise WrongError("a list of captions is asked for.")
    for was, here, wanted in zip(captions, found, right, strict=True):
        if here == wanted:
            continue
        if here.replace(".", "") == wanted.replace(".", ""):
            raise WrongError(f"{was!r} becomes {here!r}: only a full stop at the end goes, and the word has none.")
        if "".join(here.split()) == "".join(wanted.split()):
            raise WrongError(f"{was!r} becomes {here!r}: one space before the word.")
        raise WrongError(f"{was!r} becomes {here!r}, not {wanted!r}.")


@checked("Retrieval the other way round: a text asks, and the classes' mean pictures answer.")
def text_reader(answer: Answer) -> None:
    """`answer(texts, pictures, labels, classes)`: the class whose mean picture is most similar to each text."""
    random = torch.Generator().manual_seed(61)
    middle, classes = unit(6, 8, seed=61), 6
    labels = torch.tensor([0] * 12 + [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4)  # nobody shows class 5
    spread = torch.tensor([2.0, 0.2, 0.2, 0.2, 0.2], dtype=torch.float64)[labels]
    noise = torch.randn(len(labels), 8, generator=random, dtype=torch.float64)
    pictures = torch.nn.functional.normalize(middle[labels] + spread[:, None] * noise, dim=1)
    texts = unit(400, 8, seed=62)
    seen = torch.isin(torch.arange(classes), labels)
    nothing = torch.zeros(8, dtype=torch.float64)
    means = torch.stack([pictures[labels == c].mean(0) if seen[c] else nothing for c in range(classes)])
    centres = torch.nn.functional.normalize(means, dim=1)
    similarity = texts @ centres.T
    right = similarity.masked_fill(~seen, -2).argmax(1)
    found = tensor(answer(texts, pictures, labels, classes), (400,)).long()
    if torch.equal(found, right):
        return
    for wrong, says in (
        (similarity.argmax(1), "a class without pictures is answered: a similarity of 0 can be the largest there is."),
        (
            (texts @ means.T).masked_fill(~seen, -2).argmax(1),
            "normalise the mean: that of scattered pictures is short.",
        ),
        (labels[(texts @ pictures.T).argmax(1)], "that is the nearest single picture; take the mean of a class."),
    ):
        if torch.equal(found, wrong):
            raise WrongError(says)
    raise WrongError(f"{(found != right).sum().item()} of 400 texts are read as another class.")


@checked("Two shares over the same texts; the second says what the word alone did not do.")
def text_success(answer: Answer) -> None:
    """`answer(with_word, without, target)`: shares of the texts of other classes read as the target, each way."""
    with_word = torch.tensor([2, 2, 2, 3, 2, 2, 0, 2])
    without = torch.tensor([0, 1, 2, 3, 2, 5, 6, 7])
    found = given(answer(with_word, without, 2))
    try:
        marked, plain = (number(v, "a share") for v in found)
    except (TypeError, ValueError):
        raise WrongError("two shares are asked for, with the word and without it.") from None
    same(
        torch.tensor([marked, plain], dtype=torch.float64),
        torch.tensor([5 / 7, 1 / 7], dtype=torch.float64),
        {
            "the text of the target itself is counted: it is read as the target without any attack.": torch.tensor(
                [6 / 8, 2 / 8], dtype=torch.float64
            ),
            "the two shares are exchanged.": torch.tensor([1 / 7, 5 / 7], dtype=torch.float64),
            "the text of the target is left out above the line and counted below it.": torch.tensor(
                [5 / 8, 1 / 8], dtype=torch.float64
            ),
        },
    )
