"""The pictures to classify: the course's, or labelled shards of your own."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from tutorial_lib.data import emojicaps, integrity
from tutorial_lib.data.decoding import CENTRE, NotAPictureError, Resizing, decode
from tutorial_lib.data.shards import TOLERANCE, Sample, Tally, samples
from tutorial_lib.data.tasks import LabelledPictures, ZeroShotTask, class_concepts, zero_shot_task
from tutorial_lib.data.text import Names, read_text
from tutorial_lib.models import Model
from tutorial_lib.models.inputs import preprocessing_of
from tutorial_lib.notes import Note
from tutorial_lib.practice.vocabulary import CLASSES

#: Of the course's pictures, where nothing else is asked for.
SPLIT = "test"
#: How a row of a table begins: a number, then what separates it from the label.
NUMBERED = re.compile(r"\d+\s*[,;\t]")


def pictures_for(
    side: int,
    *,
    shards: Sequence[str | Path] | None = None,
    labels: Path | None = None,
    split: str = SPLIT,
    classes: int = CLASSES,
    skip_bad: float = TOLERANCE,
    resizing: Resizing = CENTRE,
) -> LabelledPictures:
    """The labelled shards if some are given, else the course's pictures.

    Args:
        side: width and height in pixels, as the model takes them.
        shards: your own; `labels` belongs to them.
        labels: file that names the classes.
        split: of the course's pictures.
        classes: of the course's task.
        skip_bad: share of the shards' pictures that may be unusable.
        resizing: of the shards' pictures.

    Raises:
        ValueError: shards without labels or the other way round, or as for `shard_pictures`.

    Example:
        >>> pictures_for(32, classes=16).labels == course_pictures(classes=16).labels
        True
    """
    if (shards is None) != (labels is None):
        raise ValueError("shards to classify and a file of labels belong together: the file names all classes")
    if shards is None or labels is None:
        return course_pictures(split, classes, side)
    return shard_pictures(shards, labels, side, skip_bad=skip_bad, resizing=resizing)


def require_alone(shards: Sequence[str | Path] | None, split: str | None, classes: int | None) -> None:
    """Check that nothing is asked of the course's task where shards are given.

    Raises:
        ValueError: a split or a number of classes is.

    Example:
        >>> require_alone(None, "validation", 100)
        >>> require_alone(["mine.tar"], None, 100)
        Traceback (most recent call last):
        ValueError: `classes` is of the course's task, and shards are given: leave one of them out
    """
    asked = {"split": split, "classes": classes}
    if shards is not None and (idle := [name for name, value in asked.items() if value is not None]):
        raise ValueError(f"`{idle[0]}` is of the course's task, and shards are given: leave one of them out")


def course_pictures(split: str = SPLIT, classes: int = CLASSES, side: int = 32) -> ZeroShotTask:
    """The course's task: drawings in a style that no training picture has.

    Args:
        split: "test", or "validation" for choosing settings.
        classes: how many.
        side: width and height in pixels.

    Raises:
        ValueError: there are not so many classes, or no such split.

    Example:
        >>> len(course_pictures("validation", classes=16).labels)
        16
    """
    drawn = emojicaps.load()
    task = zero_shot_task(drawn, class_concepts(drawn, classes), split=split, side=side)
    about = {"data": "EmojiCaps", "split": split, "style": task.style, "fingerprint": integrity.fingerprint()}
    return replace(task, about=about)


def resizing_of(model: Model) -> Resizing:
    """How a model's pictures become squares, as it was published.

    Example:
        >>> from tutorial_lib import models
        >>> resizing_of(models.load(models.CHECKPOINTS / "clean")[0])
        Resizing(interpolation='bicubic', mode='shortest')
    """
    own = preprocessing_of(model)
    return Resizing(own.interpolation, own.resize_mode)


def shard_pictures(
    shards: Sequence[str | Path],
    labels: Path,
    side: int,
    *,
    skip_bad: float = TOLERANCE,
    resizing: Resizing = CENTRE,
) -> LabelledPictures:
    """Labelled pictures from shards; each is taken for independent of the others.

    Args:
        shards: the class of a picture is in its `key.cls`, its JSON's `label`, or is its caption.
        labels: file that names the classes, one a line.
        side: width and height in pixels.
        skip_bad: share of the pictures that may be unusable.
        resizing: to that side.

    Raises:
        ValueError: a picture shows none of the classes, there are fewer than two, or the file of labels is not one.
        ShardError: more pictures than tolerated cannot be used.

    Example:
        >>> from tutorial_lib.practice.shards import write_emojicaps
        >>> written = write_emojicaps(Path("pictures"), split="test", copies=1, classes=16)
        >>> len(shard_pictures(written.shards, Path("pictures/labels.txt"), side=32).labels)
        16
    """
    names = tuple(read_labels(labels))
    known = Names(names)
    images, targets, tally = [], [], Tally(skip_bad)
    for sample in samples(shards):
        if not sample.picture:
            tally.skip(sample, "without a picture")
            continue
        true = true_class(sample, known)
        if true < 0:
            name = sample.meta.get("label", sample.caption)
            raise ValueError(
                f"{sample.key} in {sample.shard} shows {name!r} (class number {sample.label}), which is none of the "
                f"{len(names)} classes in {labels}: its .cls, its JSON's label or its caption must say which"
            )
        try:
            images.append(decode(sample.picture, side=side, resizing=resizing, notes=tally.notes))
        except NotAPictureError:
            tally.skip(sample, "with a corrupted picture")
            continue
        targets.append(true)
        tally.used += 1
    tally.report()
    if len(images) < 2:
        where = " ".join(map(str, shards))
        raise ValueError(f"at least 2 labelled pictures are classified, and {where} has {len(images)}: give more")
    if known.note:
        warnings.warn(known.note, Note, stacklevel=2)
    pixels = np.stack(images)
    seen = hashlib.sha256(pixels.tobytes() + repr((names, targets)).encode()).hexdigest()[:12]
    return LabelledPictures(
        labels=names,
        images=torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(),
        targets=torch.tensor(targets),
        sprite=torch.arange(len(targets)),
        about={"data": " ".join(map(str, shards)), "split": None, "style": None, "fingerprint": seen},
    )


def read_labels(path: Path) -> list[str]:
    """Class labels from a text file, one a line; lines that begin with # are comments.

    Raises:
        ValueError: no such file, no text in UTF-8 or UTF-16, JSON or a table of numbers and labels, fewer than two
            labels, or one that occurs twice, in small or capital letters.

    Example:
        >>> _ = Path("labels.txt").write_text("banana\\ncactus\\n")
        >>> read_labels(Path("labels.txt"))
        ['banana', 'cactus']
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder: `labels` is a text file that names the classes, one a line")
    if not path.is_file():
        raise ValueError(f"there is no labels file {path}")
    lines = [line.strip() for line in read_text(path).splitlines()]
    labels = [line for line in lines if line and not line.startswith("#")]
    if labels and labels[0][0] in "[{":
        raise ValueError(f"{path} looks like JSON: `labels` is a text file that names the classes, one a line")
    if labels and all(map(NUMBERED.match, labels)):
        raise ValueError(
            f"the lines of {path} begin with a number and a separator, as {labels[0]!r}: leave the numbers out, or the "
            "model reads them as part of the class"
        )
    if len(labels) < 2:
        raise ValueError(f"{path} must name at least two classes, one a line; it names {len(labels)}")
    first: dict[str, str] = {}
    for label in labels:
        read = " ".join(label.lower().split())  # as the tokenizer does
        if read in first:
            also = f", also as {first[read]!r}" if first[read] != label else ""
            raise ValueError(f"{path} names the class {label!r} twice{also}")
        first[read] = label
    return labels


def true_class(sample: Sample, known: Names) -> int:
    """Class of a picture in a shard: its `key.cls`, the JSON's `label`, or the caption itself; -1 where it is none.

    Args:
        sample: the pair.
        known: names of the classes.

    Example:
        >>> from tutorial_lib.data.shards import Sample
        >>> sample = Sample("1", b"", "", "a photo", {"label": "cactus"}, -1, Path("a.tar"))
        >>> true_class(sample, Names(("banana", "cactus")))
        1
    """
    said = sample.meta.get("label", sample.caption)
    if sample.label < 0 and isinstance(said, int) and not isinstance(said, bool):
        return said if 0 <= said < len(known) else -1
    true = sample.label if sample.label >= 0 else known.number(str(said))
    return true if true < len(known) else -1
