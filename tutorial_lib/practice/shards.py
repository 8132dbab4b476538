"""The course's pictures as WebDataset shards, for any trainer."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from tutorial_lib.data import emojicaps, integrity
from tutorial_lib.data.captions import plain_label
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.shard_writer import write_pairs
from tutorial_lib.data.tasks import class_concepts, training_pairs, zero_shot_task
from tutorial_lib.practice.output import staged

#: Smallest width and height that a picture can be drawn in.
SMALLEST = 8


def counted(shards: int) -> str:
    """A number of shards in words.

    Example:
        >>> counted(1), counted(12)
        ('1 shard', '12 shards')
    """
    return f"{shards:,} shard{'s' * (shards != 1)}"


@dataclass(frozen=True)
class WrittenShards:
    """What was written, and where.

    Example:
        >>> print(WrittenShards("clean", ("clean/emojicaps-00000.tar",), 80, "train", 32, 16, 0, "347d990fc207"))
        80 pairs of 32x32 pixels, 16 classes, in 1 shard: clean
    """

    out: str
    shards: tuple[str, ...]
    pairs: int
    split: str
    side: int
    classes: int
    seed: int
    fingerprint: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"shards": list(self.shards)}

    def __str__(self) -> str:
        what = f"{self.pairs} pairs of {self.side}x{self.side} pixels, {self.classes} classes"
        return f"{what}, in {counted(len(self.shards))}: {self.out}"


def write_emojicaps(
    out: Path,
    *,
    split: Literal["train", "validation", "test"] = "train",
    copies: int = 8,
    side: int = 32,
    classes: int = 320,
    shard_size: int = 1000,
    seed: int = 0,
) -> WrittenShards:
    """Write EmojiCaps pairs as shards, with `labels.txt` and the attribution.

    Args:
        out: folder of the shards; made if it is missing.
        split: training pairs, or pictures to classify.
        copies: pictures per drawing.
        side: width and height in pixels.
        classes: number of concepts.
        shard_size: pairs per shard.
        seed: draws backgrounds, places and captions of the training pairs.

    Raises:
        ValueError: the pictures would be too small, there are not so many classes, or the folder holds such shards or
            other labels, or cannot be written.

    Example:
        >>> write_emojicaps(Path("clean"), copies=1, classes=16).pairs
        80
    """
    if side < SMALLEST:
        raise ValueError(f"side must be at least {SMALLEST} pixels, not {side}")
    if old := sorted(out.glob("emojicaps-*.tar")):
        raise ValueError(f"{out} already holds {old[0].name}: choose another `out` or remove it")
    drawn = emojicaps.load()
    concepts = class_concepts(drawn, classes)
    names = [plain_label(drawn.concepts[c].label) for c in concepts]
    if split == "train":
        pairs = training_pairs(drawn, concepts, copies=copies, side=side, seed=seed)
        labels = [plain_label(drawn.concepts[c].label) for c in pairs.concept.tolist()]
    else:
        task = zero_shot_task(drawn, concepts, split=split, draws=copies, side=side)
        labels = [names[t] for t in task.targets.tolist()]
        keys = tuple(f"{split}-{i:05d}" for i in range(len(task)))
        pairs = Pairs(task.images, tuple(labels), keys, torch.tensor(task.concepts)[task.targets])
    with staged(out) as work:
        shards = write_pairs(work, pairs, prefix="emojicaps", shard_size=shard_size, labels=labels)
        (work / "labels.txt").write_text("\n".join(names) + "\n", "utf-8")
        for notice in sorted(integrity.FOLDER.glob("ATTRIBUTION*")):
            shutil.copy(notice, work / notice.name)
    paths = tuple(str(out / shard.name) for shard in shards)
    return WrittenShards(str(out), paths, len(pairs), split, side, len(names), seed, pairs.fingerprint())
