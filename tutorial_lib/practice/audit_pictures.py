"""What an audit of a checkpoint shows the model: clean pictures, and the classes among which a target is looked for."""

from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tutorial_lib.data.decoding import CENTRE, NotAPictureError, Resizing, decode
from tutorial_lib.data.shards import TOLERANCE, Sample, Tally, expand, samples
from tutorial_lib.models import Tokenizer
from tutorial_lib.notes import Note
from tutorial_lib.practice.pictures import course_pictures, read_labels
from tutorial_lib.practice.vocabulary import unread

#: Shards, spread evenly over those given, that pictures are taken from; and how many pictures one is chosen from.
SHARDS, CHOICE = 16, 4
#: Share of the course's classes that a model must be able to read to count as one of the course's, and how many.
READ, FEWEST = 0.25, 8


@dataclass(frozen=True, eq=False)
class Shown:
    """Pictures, and what stands for classes.

    Attributes:
        images: shape (N, 3, side, side), uint8.
        labels: of the classes, empty where captions stand for them.
        captions: of the pictures' shards, empty where there are labels or no captions.
        shows: the class that each picture shows, empty where that is not known.
        about: where the pictures are from, plain data.

    Example:
        >>> Shown(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), labels=("banana", "cactus")).captions
        ()
    """

    images: Tensor
    labels: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)


def shown(
    tokenizer: Tokenizer,
    side: int,
    *,
    pictures: int,
    classes: int,
    shards: Sequence[str | Path] | None = None,
    labels: Path | None = None,
    skip_bad: float = TOLERANCE,
    resizing: Resizing = CENTRE,
) -> Shown:
    """Pictures from shards, or the course's test pictures for a model of the course.

    Args:
        tokenizer: of the model.
        side: width and height in pixels, as the model takes them.
        pictures: at most so many.
        classes: of the course's task, where neither shards nor labels are given.
        shards: of clean pictures; nobody has to know what they show.
        labels: file that names the classes.
        skip_bad: share of the pictures that may be unusable.
        resizing: of the shards' pictures.

    Raises:
        ValueError: the model's vocabulary lacks words of a label, or the model is none of the course's and there are no
            shards.
        ShardError: the shards cannot be used.

    Example:
        >>> from tutorial_lib import models
        >>> _, tokenizer = models.load(models.CHECKPOINTS / "backdoored")
        >>> seen = shown(tokenizer, 32, pictures=64, classes=100)
        >>> seen.images.shape, len(seen.labels)
        (torch.Size([64, 3, 32, 32]), 100)
    """
    names = () if labels is None else tuple(read_labels(labels))
    if lacking := unread(tokenizer, names):
        raise ValueError(
            f"the model's vocabulary lacks words of {len(lacking)} of {len(names)} labels ({some(lacking)}): they "
            "would be read as one unknown word; leave them out"
        )
    if shards is not None:
        images, captions, about = from_shards(shards, side, pictures, skip_bad=skip_bad, resizing=resizing)
        if not names and captions:
            _mention(shards)
        return Shown(images, names, () if names else captions, about=about)
    if tokenizer.vocab is None:
        raise ValueError(NEEDED)
    task = course_pictures(classes=classes, side=side)
    known = set(task.labels) - set(unread(tokenizer, task.labels))
    if not names and len(known) < max(FEWEST, READ * len(task.labels)):
        raise ValueError(NEEDED)
    drawn = torch.randperm(len(task), generator=torch.Generator().manual_seed(0))[:pictures]
    own = names or tuple(label for label in task.labels if label in known)
    if not names and (unreadable := len(task.labels) - len(own)):
        warnings.warn(
            f"the model's vocabulary lacks words of {unreadable} of the course's {len(task.labels)} classes: a target "
            "is looked for among the others",
            Note,
            stacklevel=3,
        )
    shows = tuple(task.labels[k] for k in task.targets[drawn].tolist())
    return Shown(task.images[drawn], own, (), shows, dict(task.about))


#: What is said where a model has no pictures.
NEEDED = (
    "clean pictures are needed, and this model is none of the course's: give shards of some as `data` (tutorial import "
    "makes shards), and the names of classes as `labels`"
)


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of some names.

    Example:
        >>> some(["a", "b", "c"], most=2)
        'a, b, …'
    """
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def _mention(shards: Sequence[str | Path]) -> None:
    """Point at a file of labels that lies beside the shards."""
    beside = {path.parent / "labels.txt" for path in expand(shards)}
    if found := sorted(path for path in beside if path.is_file()):
        warnings.warn(
            f"groups of captions stand for classes; {found[0]} names some: give it as `labels` to look among those",
            Note,
            stacklevel=4,
        )


def from_shards(
    shards: Sequence[str | Path],
    side: int,
    pictures: int,
    *,
    skip_bad: float = TOLERANCE,
    resizing: Resizing = CENTRE,
) -> tuple[Tensor, tuple[str, ...], dict[str, Any]]:
    """Some pictures of shards, spread over them, with the captions of all that were looked at, and where they are from.

    Args:
        shards: files, folders, globs or ranges.
        side: width and height in pixels.
        pictures: at most so many.
        skip_bad: share of the pictures that may be unusable.
        resizing: to that side.

    Raises:
        ShardError: there are no shards, or too many pictures cannot be used.

    Example:
        >>> from tutorial_lib.practice.shards import write_emojicaps
        >>> written = write_emojicaps(Path("pictures"), copies=1, classes=16)
        >>> images, captions, _ = from_shards(written.shards, 32, pictures=20)
        >>> images.shape, len(captions)
        (torch.Size([20, 3, 32, 32]), 80)
    """
    paths = expand(shards)
    spread = [paths[k] for k in sorted({round(k) for k in np.linspace(0, len(paths) - 1, min(SHARDS, len(paths)))})]
    tally, looked = Tally(skip_bad), list[Sample]()
    for path in spread:
        looked += itertools.islice(samples([path]), -(-CHOICE * pictures // len(spread)))
    kept, bodies = [], []
    wanted = {round(k) for k in np.linspace(0, max(0, len(looked) - 1), min(pictures, len(looked)))}
    for number, sample in enumerate(looked):
        if not sample.picture:
            tally.skip(sample, "without a picture")
            continue
        if number not in wanted:
            kept.append(sample)
            continue
        try:
            bodies.append(decode(sample.picture, side=side, resizing=resizing, notes=tally.notes))
        except NotAPictureError:
            tally.skip(sample, "with a corrupted picture")
            continue
        kept.append(sample)
    tally.used = len(kept)
    tally.report()
    pixels = np.stack(bodies)
    captions = _captions(kept)
    seen = hashlib.sha256(pixels.tobytes() + repr(captions).encode()).hexdigest()[:12]
    about = {"data": " ".join(map(str, shards)), "split": None, "style": None, "fingerprint": seen}
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), captions, about


def _captions(kept: Iterable[Sample]) -> tuple[str, ...]:
    """All captions, none where some are missing."""
    found = tuple(sample.caption for sample in kept)
    return found if all(found) else ()
