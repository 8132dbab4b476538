"""The pictures to classify: the course's, or labelled shards of your own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from tutorial_lib.data import emojicaps, integrity
from tutorial_lib.data.shards import Sample, Tally, decode, samples
from tutorial_lib.data.tasks import LabelledPictures, ZeroShotTask, class_concepts, zero_shot_task


def pictures_for(
    side: int,
    *,
    shards: Sequence[str | Path] | None = None,
    labels: Path | None = None,
    split: str = "test",
    classes: int = 320,
) -> LabelledPictures:
    """The labelled shards if some are given, else the course's pictures.

    Args:
        side: width and height in pixels, as the model takes them.
        shards: your own; `labels` belongs to them.
        labels: file that names the classes.
        split: of the course's pictures.
        classes: of the course's task.

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
    return shard_pictures(shards, labels, side)


def course_pictures(split: str = "test", classes: int = 320, side: int = 32) -> ZeroShotTask:
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


def shard_pictures(shards: Sequence[str | Path], labels: Path, side: int) -> LabelledPictures:
    """Labelled pictures from shards; each is taken for independent of the others.

    Args:
        shards: the class of a picture is in its `key.cls`, its JSON's `label`, or is its caption.
        labels: file that names the classes, one a line.
        side: width and height in pixels.

    Raises:
        ValueError: a picture shows none of the classes, or the file of labels is not one.
        ShardError: more than 1 % of the pictures cannot be used.

    Example:
        >>> from tutorial_lib.practice.shards import write_emojicaps
        >>> written = write_emojicaps(Path("pictures"), split="test", copies=1, classes=16)
        >>> len(shard_pictures(written.shards, Path("pictures/labels.txt"), side=32).labels)
        16
    """
    names = tuple(read_labels(labels))
    number = numbers(names)
    images, targets, tally = [], [], Tally()
    for sample in samples(shards):
        if not sample.picture:
            tally.skip(sample, "without a picture")
            continue
        true = true_class(sample, number)
        if true < 0:
            name = sample.meta.get("label", sample.caption)
            raise ValueError(
                f"{sample.key} in {sample.shard} shows {name!r} (class number {sample.label}), which is none of the "
                f"{len(names)} classes in {labels}: its .cls, its JSON's label or its caption must say which"
            )
        try:
            images.append(decode(sample.picture, side=side))
        except ValueError:
            tally.skip(sample, "with a corrupted picture")
            continue
        targets.append(true)
        tally.used += 1
    tally.report()
    return LabelledPictures(
        labels=names,
        images=torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(),
        targets=torch.tensor(targets),
        sprite=torch.arange(len(targets)),
        about={"data": " ".join(map(str, shards)), "split": None, "style": None, "fingerprint": None},
    )


def read_labels(path: Path) -> list[str]:
    """Class labels from a text file, one a line.

    Raises:
        ValueError: no such file, fewer than two labels, or one that occurs twice.

    Example:
        >>> _ = Path("labels.txt").write_text("banana\\ncactus\\n")
        >>> read_labels(Path("labels.txt"))
        ['banana', 'cactus']
    """
    if not path.is_file():
        raise ValueError(f"there is no labels file {path}")
    labels = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(labels) < 2:
        raise ValueError(f"{path} must name at least two classes, one a line; it names {len(labels)}")
    if double := next((label for i, label in enumerate(labels) if label in labels[:i]), None):
        raise ValueError(f"{path} names the class {double!r} twice")
    return labels


def numbers(labels: Sequence[str]) -> dict[str, int]:
    """Number of each class by its label.

    Example:
        >>> numbers(["banana", "cactus"])["cactus"]
        1
    """
    return {label: number for number, label in enumerate(labels)}


def true_class(sample: Sample, number: Mapping[str, int]) -> int:
    """Class of a picture in a shard: its `key.cls`, the JSON's `label`, or the caption itself; -1 where it is none.

    Args:
        sample: the pair.
        number: of each class by its label.

    Example:
        >>> from tutorial_lib.data.shards import Sample
        >>> sample = Sample("1", b"", "", "a photo", {"label": "cactus"}, -1, Path("a.tar"))
        >>> true_class(sample, {"banana": 0, "cactus": 1})
        1
    """
    true = sample.label if sample.label >= 0 else number.get(str(sample.meta.get("label", sample.caption)), -1)
    return true if true < len(number) else -1
