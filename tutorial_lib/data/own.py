"""The user's own data: CC3M or YFCC as shards, ImageNet as folders. Needed by the `paper` profile only.

They are looked for in the data directory, `$TUTORIAL_DATA`:

    cc3m/*.tar                    WebDataset shards, as on pixparse/cc3m-wds; `yfcc15m` likewise
    cc3m-validation/*.tar         pictures that targeted attacks aim at
    imagenet/train/n01440764/*    ImageNet's training pictures, one folder a class
    imagenet/val/n01440764/*      its validation pictures, sorted into the same folders
"""

from __future__ import annotations

import functools
from pathlib import Path

import open_clip
import torch
from torch import Tensor

from tutorial_lib import places
from tutorial_lib.data.decoding import decode
from tutorial_lib.data.loading import open_pairs
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.photographs import TASKS
from tutorial_lib.data.tasks import ZeroShotTask

SUFFIXES = (".jpeg", ".jpg", ".png", ".webp")


def shard_pairs(name: str, *, side: int, limit: int = 0) -> Pairs:
    """The pairs of the shards in that folder of the data directory.

    Args:
        name: of the folder.
        side: width and height of the pictures.
        limit: stop after so many pairs, 0 for all.

    Raises:
        FileNotFoundError: as for `shard_files`.

    Example:
        >>> import os, tempfile
        >>> from unittest import mock
        >>> from tutorial_lib.data.shard_writer import write_pairs
        >>> one = Pairs(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), ("a dog",), ("1",), torch.tensor([-1]))
        >>> with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, TUTORIAL_DATA=folder):
        ...     shards = write_pairs(Path(folder, "cc3m"), one)
        ...     shard_pairs("cc3m", side=4).images.shape
        torch.Size([1, 3, 4, 4])
    """
    return open_pairs(shard_files(name), side=side, limit=limit)


def shard_files(name: str) -> list[Path]:
    """The shards in that folder of the data directory; none is opened.

    Raises:
        FileNotFoundError: there are none; says where they were looked for.

    Example:
        >>> import os
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, TUTORIAL_DATA="nowhere"):
        ...     shard_files("cc3m")
        Traceback (most recent call last):
        FileNotFoundError: there are no shards at nowhere/cc3m/*.tar: put cc3m there as WebDataset, or set TUTORIAL_DATA
    """
    folder = places.data() / name
    found = sorted(folder.glob("*.tar"))
    if not found:
        make = f"tutorial data photos {name} SOURCE makes them" if name in TASKS else f"put {name} there as WebDataset"
        raise FileNotFoundError(f"there are no shards at {folder}/*.tar: {make}, or set TUTORIAL_DATA")
    return found


def require_imagenet() -> None:
    """Check that ImageNet's validation pictures are in the data directory.

    Raises:
        FileNotFoundError: they are not.

    Example:
        >>> import os
        >>> from unittest import mock
        >>> with mock.patch.dict(os.environ, TUTORIAL_DATA="nowhere"):
        ...     require_imagenet()
        Traceback (most recent call last):
        FileNotFoundError: there is no ImageNet at nowhere/imagenet/val: put one folder per class there, ...
    """
    _class_folders("val")


def _class_folders(part: str) -> list[Path]:
    folder = places.data() / "imagenet" / part
    found = sorted(p for p in folder.glob("*") if p.is_dir())
    if len(found) < 2:
        raise FileNotFoundError(
            f"there is no ImageNet at {folder}: put one folder per class there, or set TUTORIAL_DATA"
        )
    return found


def _names(folders: list[Path]) -> tuple[str, ...]:
    """Names of the classes: open_clip's for the 1,000 of ImageNet, else those of the folders."""
    if len(folders) == len(open_clip.IMAGENET_CLASSNAMES):
        return tuple(open_clip.IMAGENET_CLASSNAMES)
    return tuple(f.name.replace("_", " ") for f in folders)


def _read(paths: list[Path], side: int) -> Tensor:
    pictures = [torch.from_numpy(decode(p.read_bytes(), side=side)).permute(2, 0, 1) for p in paths]
    return torch.stack(pictures).contiguous()


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)


def _spare(name: str, side: int, count: int, seed: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random pictures of the validation shards; what they show is not known.

    Source: Carlini & Terzis (2022), section 4.2: targets come from the validation set of Conceptual Captions.
    """
    pairs = shard_pairs(f"{name}-validation", side=side)
    if count > len(pairs):
        raise ValueError(f"{count} targets were asked for, and {name}-validation has {len(pairs)} pictures")
    chosen = torch.randperm(len(pairs), generator=generator)[:count]
    return pairs.images[chosen], torch.full((count,), -1)


def imagenet_task(*, side: int, shards: str = "cc3m") -> ZeroShotTask:
    """ImageNet's validation pictures and class names; targets are pictures of the shards' validation set.

    Raises:
        FileNotFoundError: it is not in the data directory.

    Example:
        >>> import os, tempfile
        >>> from unittest import mock
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, TUTORIAL_DATA=folder):
        ...     for name in ("cat", "fire_truck"):
        ...         Path(folder, "imagenet", "val", name).mkdir(parents=True)
        ...         Image.new("RGB", (8, 8)).save(Path(folder, "imagenet", "val", name, "1.png"))
        ...     task = imagenet_task(side=8)
        >>> task.labels, task.targets.tolist()
        (('cat', 'fire truck'), [0, 1])
    """
    folders = _class_folders("val")
    paths = [(p, k) for k, folder in enumerate(folders) for p in _pictures(folder)]
    return ZeroShotTask(
        labels=_names(folders),
        concepts=tuple(range(len(folders))),
        images=_read([p for p, _ in paths], side),
        targets=torch.tensor([k for _, k in paths]),
        sprite=torch.arange(len(paths)),
        style="photographs",
        twins=0,
        spare=functools.partial(_spare, shards, side),
    )


#: Training pictures of ImageNet that are kept apart for the choice of settings, and what draws them.
VALIDATION, VALIDATION_SEED = 5_000, 2001


def imagenet_validation(*, side: int) -> tuple[Tensor, Tensor]:
    """Random pictures of ImageNet's training set that `imagenet_labelled` never gives, with their classes.

    Example:
        >>> import os, tempfile
        >>> from unittest import mock
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, TUTORIAL_DATA=folder):
        ...     for number in range(20):
        ...         path = Path(folder, "imagenet", "train", ("cat", "dog")[number % 2], f"{number}.png")
        ...         path.parent.mkdir(parents=True, exist_ok=True)
        ...         Image.new("RGB", (8, 8)).save(path)
        ...     images, classes = imagenet_validation(side=8)
        >>> images.shape  # 5,000, and of few pictures a tenth
        torch.Size([2, 3, 8, 8])
    """
    paths, kept = _training_pictures()
    return _labelled([paths[i] for i in kept], side)


def imagenet_labelled(*, side: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random pictures of ImageNet's training set with their classes: shapes (N, 3, side, side) and (N,).

    Source: Carlini & Terzis (2022), section 4.2, trains its linear probe on 50,000 of them.

    Example:
        >>> import os, tempfile
        >>> from unittest import mock
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, TUTORIAL_DATA=folder):
        ...     for number in range(20):
        ...         path = Path(folder, "imagenet", "train", ("cat", "dog")[number % 2], f"{number}.png")
        ...         path.parent.mkdir(parents=True, exist_ok=True)
        ...         Image.new("RGB", (8, 8)).save(path)
        ...     images, classes = imagenet_labelled(side=8, count=100, seed=0)
        >>> len(images)  # of 20, without those that are kept for validation
        18
    """
    paths, kept = _training_pictures()
    apart = set(kept)
    order = torch.randperm(len(paths), generator=torch.Generator().manual_seed(seed)).tolist()
    return _labelled([paths[i] for i in order if i not in apart][:count], side)


def _training_pictures() -> tuple[list[tuple[Path, int]], list[int]]:
    """All training pictures with their classes, and the positions of those that are kept for validation."""
    folders = _class_folders("train")
    paths = [(p, k) for k, folder in enumerate(folders) for p in _pictures(folder)]
    drawn = torch.randperm(len(paths), generator=torch.Generator().manual_seed(VALIDATION_SEED))
    return paths, drawn[: min(VALIDATION, len(paths) // 10)].tolist()


def _labelled(chosen: list[tuple[Path, int]], side: int) -> tuple[Tensor, Tensor]:
    return _read([path for path, _ in chosen], side), torch.tensor([number for _, number in chosen])
