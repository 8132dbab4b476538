"""Labelled photographs as shards: what the profile `photos` trains on, classifies and lets a defender choose on.

`tutorial data photos` writes them into the data directory, `$TUTORIAL_DATA`:

    cifar100/*.tar               what is trained on
    cifar100-validation/*.tar    kept apart of it: a defender chooses settings on them, targeted attacks aim at them
    cifar100-test/*.tar          what is classified; each folder has `labels.txt` with the names of the classes
"""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from torch import Tensor

from tutorial_lib import places
from tutorial_lib.data.loading import read_pairs
from tutorial_lib.data.tasks import LabelledPictures, ZeroShotTask

#: Data sets whose classes are a task of their own.
TASKS = ("cifar10", "cifar100")


def _folder(name: str, part: str) -> Path:
    folder = places.data() / (f"{name}-{part}" if part else name)
    if not any(folder.glob("*.tar")) or not (folder / "labels.txt").is_file():
        raise FileNotFoundError(
            f"there are no photographs with labels.txt in {folder}: tutorial data photos {name} SOURCE makes them, or "
            "set TUTORIAL_DATA"
        )
    return folder


def _labels(folder: Path) -> tuple[str, ...]:
    return tuple((folder / "labels.txt").read_text("utf-8").splitlines())


def _labelled(name: str, part: str, side: int, *, labels: tuple[str, ...] | None = None) -> LabelledPictures:
    """The pictures of a part with their classes.

    Raises:
        FileNotFoundError: they are not in the data directory.
        ValueError: a picture has no class, or the part has other classes.
    """
    folder = _folder(name, part)
    names, pairs = _labels(folder), read_pairs(folder, side=side)
    if labels is not None and names != labels:
        raise ValueError(f"{folder} and {_folder(name, 'test')} have other labels.txt: make both anew")
    if len(pairs.concept) and not 0 <= int(pairs.concept.min()) <= int(pairs.concept.max()) < len(names):
        raise ValueError(f"{folder} has pictures of none of the {len(names)} classes in its labels.txt")
    return LabelledPictures(
        labels=names, images=pairs.pixels, targets=pairs.concept, sprite=torch.arange(len(pairs)), about={"part": part}
    )


def require_photographs(name: str) -> None:
    """Check that the photographs of a task are in the data directory; none is read.

    Raises:
        FileNotFoundError: they are not.

    Example:
        >>> import os
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, TUTORIAL_DATA="nowhere"):
        ...     require_photographs("cifar10")
        Traceback (most recent call last):
        FileNotFoundError: there are no photographs with labels.txt in nowhere/cifar10-test: tutorial data photos ...
    """
    for part in ("test", "validation"):
        _folder(name, part)


def photograph_task(name: str, *, side: int) -> ZeroShotTask:
    """The test photographs of a data set and the names of its classes.

    The kept pictures stand for "the same classes in pictures that training lacks": readers that need labels are fitted
    on them, and targeted attacks aim at them.

    Args:
        name: one of `TASKS`.
        side: width and height of the pictures.

    Raises:
        FileNotFoundError: it is not in the data directory.
        ValueError: the parts have other classes.

    Example:
        >>> import os, tempfile
        >>> from unittest import mock
        >>> from tutorial_lib.data.pairs import Pairs
        >>> from tutorial_lib.data.shard_writer import write_pairs
        >>> black = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
        >>> two = Pairs(black, ("a cat", "a dog"), ("1", "2"), torch.tensor([0, 1]))
        >>> with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, TUTORIAL_DATA=folder):
        ...     for part in ("cifar10-test", "cifar10-validation"):
        ...         _ = write_pairs(Path(folder, part), two)
        ...         _ = Path(folder, part, "labels.txt").write_text("cat\\ndog\\n")
        ...     task = photograph_task("cifar10", side=8)
        >>> task.labels, task.targets.tolist(), len(task.other)
        (('cat', 'dog'), [0, 1], 2)
    """
    test = _labelled(name, "test", side)
    kept = _labelled(name, "validation", side, labels=test.labels)
    return ZeroShotTask(
        labels=test.labels,
        concepts=tuple(range(len(test.labels))),
        images=test.images,
        targets=test.targets,
        sprite=test.sprite,
        style="photographs",
        twins=0,
        other=LabelledPictures(
            labels=kept.labels, images=kept.images, targets=kept.targets, sprite=kept.sprite + len(test)
        ),
        spare=functools.partial(_spare, kept),
    )


def _spare(kept: LabelledPictures, count: int, seed: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random pictures that are kept, and their classes."""
    if count > len(kept):
        raise ValueError(f"{count} targets were asked for, and {len(kept)} pictures can serve: lower `targets`")
    chosen = torch.randperm(len(kept), generator=generator)[:count]
    return kept.images[chosen], kept.targets[chosen]


def photograph_validation(name: str, *, side: int) -> tuple[Tensor, Tensor]:
    """The kept photographs and their classes, on which a defender may choose settings.

    Example:
        >>> import os, tempfile
        >>> from unittest import mock
        >>> from tutorial_lib.data.pairs import Pairs
        >>> from tutorial_lib.data.shard_writer import write_pairs
        >>> black = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
        >>> two = Pairs(black, ("a cat", "a dog"), ("1", "2"), torch.tensor([0, 1]))
        >>> with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, TUTORIAL_DATA=folder):
        ...     _ = write_pairs(Path(folder, "cifar10-validation"), two)
        ...     _ = Path(folder, "cifar10-validation", "labels.txt").write_text("cat\\ndog\\n")
        ...     photograph_validation("cifar10", side=8)[1].tolist()
        [0, 1]
    """
    kept = _labelled(name, "validation", side)
    return kept.images, kept.targets


def photograph_training(name: str, *, side: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random training photographs with their classes, for readers that need labels.

    Args:
        name: one of `TASKS`.
        side: width and height of the pictures.
        count: the most that are given.
        seed: draws them.

    Example:
        >>> import os, tempfile
        >>> from unittest import mock
        >>> from tutorial_lib.data.pairs import Pairs
        >>> from tutorial_lib.data.shard_writer import write_pairs
        >>> black = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
        >>> two = Pairs(black, ("a cat", "a dog"), ("1", "2"), torch.tensor([0, 1]))
        >>> with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, TUTORIAL_DATA=folder):
        ...     _ = write_pairs(Path(folder, "cifar10"), two)
        ...     _ = Path(folder, "cifar10", "labels.txt").write_text("cat\\ndog\\n")
        ...     photograph_training("cifar10", side=8, count=1, seed=0)[1].shape
        torch.Size([1])
    """
    known = _labelled(name, "", side)
    chosen = torch.randperm(len(known), generator=torch.Generator().manual_seed(seed))[:count]
    return known.images[chosen], known.targets[chosen]
