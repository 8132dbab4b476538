"""Shards to `Pairs`: decoded into memory, or left on disk where they are too many."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch

from tutorial_lib.data.decoding import CENTRE, NotAPictureError, Resizing, decode
from tutorial_lib.data.index import read_indices
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.pictures import ShardPictures, StoredPictures
from tutorial_lib.data.shards import TOLERANCE, Sample, ShardError, Tally, expand, samples
from tutorial_lib.machine import memory_bytes

#: Share of the machine's memory that pictures may take; they are held twice when poisons are added.
SHARE = 1 / 4


def open_pairs(
    paths: str | Path | Iterable[str | Path],
    *,
    side: int,
    resizing: Resizing = CENTRE,
    limit: int = 0,
    memory: float | None = None,
    skip_bad: float = TOLERANCE,
    identities: list[tuple[Path, str]] | None = None,
) -> Pairs:
    """The pairs of some shards: in memory as `read_pairs` gives them, or with `StoredPictures` if they are too many.

    Pictures, order and captions are the same; for stored pictures, a file `SHARD.index` is written beside each shard.

    Args:
        paths: files, folders, globs or ranges, as `expand` reads them.
        side: width and height of the pictures.
        resizing: to that side.
        limit: stop after so many usable pairs, 0 for all.
        memory: bytes that the pictures may take; by default a quarter of the machine's.
        skip_bad: share of the pairs that may be unusable.
        identities: filled with shard and key of each pair, since several shards may have one key.

    Raises:
        ShardError: as for `read_pairs`; also compressed shards with too many pictures.

    Example:
        >>> import tempfile
        >>> from tutorial_lib.data.shard_writer import write_pairs
        >>> images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
        >>> two = Pairs(images, ("a dog", "a cat"), ("1", "2"), torch.tensor([-1, -1]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     shards = write_pairs(Path(folder), two)
        ...     open_pairs(shards, side=8).captions
        ('a dog', 'a cat')
    """
    shards = expand(paths)
    memory = memory_bytes() * SHARE if memory is None else memory
    if _estimate(shards, limit) * 3 * side**2 <= memory:
        return read_pairs(shards, side=side, resizing=resizing, limit=limit, skip_bad=skip_bad, identities=identities)
    indices = read_indices(shards, skip_bad=skip_bad)
    if identities is not None:
        identities += [(index.shard, entry.key) for index in indices for entry in index.entries][: limit or None]
    pictures = StoredPictures([ShardPictures(index, side, resizing) for index in indices])
    entries = [entry for index in indices for entry in index.entries][: limit or None]
    return Pairs(
        pictures if len(entries) == len(pictures) else pictures.select(torch.arange(len(entries))),
        tuple(e.caption for e in entries),
        tuple(e.key for e in entries),
        torch.tensor([e.concept for e in entries]),
    )


def _estimate(shards: list[Path], limit: int) -> float:
    """About how many pairs there are, judged by those of the first shard."""
    first = sum(1 for _ in samples(shards[:1]))
    pairs = first * sum(s.stat().st_size for s in shards) / shards[0].stat().st_size
    return min(pairs, limit or pairs)


def read_pairs(
    paths: str | Path | Iterable[str | Path],
    *,
    side: int | None = None,
    resizing: Resizing = CENTRE,
    limit: int = 0,
    skip_bad: float = TOLERANCE,
    class_of: Callable[[Sample], int] | None = None,
    identities: list[tuple[Path, str]] | None = None,
) -> Pairs:
    """All pairs of some shards, in memory.

    Pairs without a caption or with a corrupted picture are skipped, counted and reported as a
    `SkippedPairsWarning`. Memory is 3 x side² bytes a pair.

    Args:
        paths: files, folders, globs or ranges, as `expand` reads them.
        side: width and height of the result; by default that of the stored pictures.
        resizing: to that side.
        limit: stop after so many usable pairs, 0 for all.
        skip_bad: share of the pairs that may be unusable.
        class_of: what a pair shows, for `concept`; by default its number in `key.json` or `key.cls`.
        identities: filled with shard and key of each pair, since several shards may have one key.

    Raises:
        ShardError: no shards, a damaged shard, too many unusable pairs, or pictures of several sizes
            without `side`.

    Example:
        >>> read_pairs("cc3m/{00000..00331}.tar", side=64)  # doctest: +SKIP
    """
    images: list[np.ndarray] = []
    captions, keys, concept, tally = [], [], [], Tally(skip_bad)
    for sample in samples(paths):
        if tally.unusable(sample):
            continue
        try:
            image = decode(sample.picture, side=side, resizing=resizing, notes=tally.notes)
        except NotAPictureError:
            tally.skip(sample, "with a corrupted picture")
            continue
        if images and image.shape != images[0].shape:
            raise ShardError(
                f"pictures of {images[0].shape[1]}x{images[0].shape[0]} and of {image.shape[1]}x{image.shape[0]} "
                f"pixels ({sample.key} in {sample.shard}): give one side to resize all to"
            )
        images.append(image)
        captions.append(sample.caption)
        keys.append(sample.key)
        if identities is not None:
            identities.append(sample.identity)
        concept.append(class_of(sample) if class_of else sample.number)
        tally.used += 1
        if tally.used == limit:
            break
    tally.report()
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    return Pairs(pixels, tuple(captions), tuple(keys), torch.tensor(concept))
