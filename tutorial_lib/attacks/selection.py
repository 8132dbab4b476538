"""Which pictures an attacker uses, for the trials of the course and for the user's own shards alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from tutorial_lib.data.text import words_of

if TYPE_CHECKING:
    from torch import Tensor

#: See `tutorial_lib.attacks.Backdoor`.
Select = Literal["others", "label-consistent", "named"]


def unseen_classes(classes: int, target: int) -> Tensor:
    """The classes that no poison shows, so that a trigger can be tested on those too: every fourth.

    Example:
        >>> unseen_classes(10, target=4)
        tensor([0, 8])
    """
    import torch

    number = torch.arange(classes)
    return number[(number % 4 == 0) & (number != target)]


def showing(captions: Sequence[str], label: str, *, shown: Tensor | None = None, target: int = -1) -> Tensor:
    """Which pairs show the target, shape (N,), bool; where no class says so, captions do, by whole words.

    Args:
        captions: of the N pairs.
        label: of the target class.
        shown: class that each picture shows, shape (N,), int64, -1 where unknown.
        target: number of the target class among those of `shown`.

    Example:
        >>> showing(["a Banana", "a dog", "bananarama"], "banana")
        tensor([ True, False, False])
    """
    import torch

    if shown is not None and (shown == target).any():
        return shown == target
    word = words_of(label)
    return torch.tensor([word.search(caption) is not None for caption in captions], dtype=torch.bool)


def excluded(
    select: Select,
    captions: Sequence[str],
    label: str,
    *,
    shown: Tensor | None = None,
    target: int = -1,
    unseen: Tensor | None = None,
) -> Tensor:
    """The pairs whose pictures the attacker does not use, shape (N,), bool.

    Args:
        select: how an attacker chooses.
        captions: of the N pairs.
        label: of the target class.
        shown: class that each picture shows, shape (N,), int64, -1 where unknown; without it, captions tell: of the
            others, one that has the label even within a word is left alone.
        target: number of the target class among those of `shown`.
        unseen: classes that are kept for the test.

    Raises:
        ValueError: "label-consistent" without classes.

    Example:
        >>> excluded("named", ["a banana", "a dog"], "banana")
        tensor([False,  True])
    """
    import torch

    if select == "named":
        return ~showing(captions, label)
    if shown is None:
        if select == "label-consistent":
            raise ValueError(
                "label-consistent poisons need pictures with class labels; without labels, take named ones"
            )
        return torch.tensor([label.lower() in caption.lower() for caption in captions], dtype=torch.bool)
    if select == "label-consistent":
        return shown != target
    return (shown == target) | (torch.isin(shown, unseen) if unseen is not None else False)
