"""The pictures that commands classify: the course's task, or labelled shards of the user's."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import positive

if TYPE_CHECKING:
    import open_clip
    from torch import Tensor

    from tutorial_lib.data.shards import Sample


def add(parser: argparse.ArgumentParser, option: str = "--data") -> None:
    """The options that say what is classified; the one for shards may have another name."""
    data = parser.add_argument_group("pictures to classify")
    data.add_argument(
        option,
        dest="classified",
        nargs="+",
        metavar="SHARDS",
        help="labelled shards instead of the course's test pictures",
    )
    data.add_argument("--labels", type=Path, metavar="FILE", help=f"with {option}: the classes, one a line")
    data.add_argument(
        "--classes", type=positive, default=320, help="classes of the course's task (default: %(default)s)"
    )
    data.add_argument("--split", choices=("test", "validation"), default="test", help="(default: %(default)s)")
    data.add_argument(
        "--seed", type=int, default=0, help="draws the trigger's places where they are random (default: 0)"
    )


def check(args: argparse.Namespace, option: str = "--data") -> None:
    """Raises ValueError if one of two options that belong together is missing."""
    if (args.classified is None) != (args.labels is None):
        raise ValueError(
            f"{option} and --labels FILE belong together: the shards say which class, the file names them all"
        )


def side_of(model: open_clip.CLIP) -> int:
    """Width and height of the pictures that a model takes, in pixels."""
    side = model.visual.image_size
    return side if isinstance(side, int) else side[0]


@dataclass(frozen=True)
class LabelledPictures:
    """Pictures to classify, from the course's task or from shards.

    Attributes:
        images: shape (N, 3, side, side), uint8.
        targets: true class, shape (N,), int64.
        labels: name of each class.
        about: where the pictures are from.
        class_of_concept: from concept indices of the course's pictures to classes, -1 where it is none.
    """

    images: Tensor
    targets: Tensor
    labels: tuple[str, ...]
    about: dict[str, Any]
    class_of_concept: Callable[[Tensor], Tensor] | None = None


def load(args: argparse.Namespace, side: int) -> LabelledPictures:
    """The pictures that the options name."""
    return _from_shards(args, side) if args.classified else _course_task(args, side)


def true_class(sample: Sample, number: dict[str, int]) -> int:
    """Class of a picture in a shard: its `key.cls`, the JSON's `label`, or the caption itself; -1 where it is none."""
    true = sample.label if sample.label >= 0 else number.get(str(sample.meta.get("label", sample.caption)), -1)
    return true if true < len(number) else -1


def class_of(label: str, labels: tuple[str, ...]) -> int:
    """Number of the class with that label.

    Raises:
        ValueError: there is none; names the nearest.
    """
    if label in labels:
        return labels.index(label)
    near = [name for name in labels if label.lower() in name.lower() or name.lower() in label.lower()][:5]
    hint = f"did you mean {', '.join(near)}?" if near else f"for example {', '.join(labels[:5])}"
    raise ValueError(f"there is no class {label!r} among {len(labels)}; {hint}")


def _course_task(args: argparse.Namespace, side: int) -> LabelledPictures:
    from tutorial_lib.data import emojicaps, integrity
    from tutorial_lib.data.tasks import class_concepts, zero_shot_task

    pictures = emojicaps.load()
    task = zero_shot_task(pictures, class_concepts(pictures, args.classes), split=args.split, side=side)
    about = {"data": "EmojiCaps", "split": args.split, "style": task.style, "fingerprint": integrity.fingerprint()}
    return LabelledPictures(task.images, task.targets, task.labels, about, task.class_of_concept)


def _from_shards(args: argparse.Namespace, side: int) -> LabelledPictures:
    """Pictures whose class is in `key.cls` (its number), in the JSON's `label`, or is the caption itself."""
    import numpy as np
    import torch

    from tutorial_lib.data.shards import Tally, decode, samples

    labels = tuple(_common.read_labels(args.labels))
    number = {label: i for i, label in enumerate(labels)}
    images, targets, tally = [], [], Tally()
    for sample in samples(args.classified):
        if not sample.picture:
            tally.skip(sample, "without a picture")
            continue
        true = true_class(sample, number)
        if true < 0:
            name = sample.meta.get("label", sample.caption)
            raise ValueError(
                f"{sample.key} in {sample.shard} shows {name!r} (class number {sample.label}), which is none of the "
                f"{len(labels)} classes in {args.labels}: its .cls, its JSON's label or its caption must say which"
            )
        try:
            images.append(decode(sample.picture, side=side))
        except ValueError:
            tally.skip(sample, "with a corrupted picture")
            continue
        targets.append(true)
        tally.used += 1
    tally.report()
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    about = {"data": " ".join(args.classified), "split": None, "style": None, "fingerprint": None}
    return LabelledPictures(pixels, torch.tensor(targets), labels, about)
