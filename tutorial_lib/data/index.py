"""Where each pair lies in its shard, so that millions of pictures can stay on disk and be read in any order.

A shard is read once, every picture is decoded to see that it is one, and what was found is kept beside the shard
(`NAME.tar.index`), so that training never meets a pair that it cannot use. Who needs a few pictures of many, as an
attacker does, is content with their headers: `glance` decodes nothing and keeps nothing.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, field
from pathlib import Path

from tutorial_lib.data.decoding import NotAPictureError, decode, header
from tutorial_lib.data.shards import TOLERANCE, Sample, ShardError, Tally, expand, samples
from tutorial_lib.machine import usable_cores
from tutorial_lib.processes import die_with_parent, starting
from tutorial_lib.ticker import Ticker

#: Raised whenever the form of an index changes.
VERSION = 2


@dataclass(frozen=True, slots=True)  # there may be millions
class Entry:
    """One usable pair: its key, caption and class, and where the bytes of its picture are; -1 in a compressed shard.

    Example:
        >>> entry = Entry("1", "a dog", -1, offset=512, length=4)
        >>> (bytes(512) + b"RIFF" + bytes(508))[entry.offset : entry.offset + entry.length]
        b'RIFF'
    """

    key: str
    caption: str
    concept: int
    offset: int
    length: int


@dataclass(frozen=True)
class Index:
    """The usable pairs of a shard, the names of those that were left out, by reason, and what conventions differ on.

    Example:
        >>> index = Index(Path("00000.tar"), (Entry("1", "a dog", -1, 512, 300),), {"without a caption": ["2"]})
        >>> len(index.entries), index.skipped["without a caption"]
        (1, ['2'])
    """

    shard: Path
    entries: tuple[Entry, ...]
    skipped: dict[str, list[str]]
    notes: dict[str, int] = field(default_factory=dict)


def read_index(shard: Path) -> Index:
    """The index of a shard, from the file beside it or made now.

    Raises:
        ShardError: the shard is missing, truncated, compressed or no archive.

    Example:
        >>> import tempfile, torch
        >>> from tutorial_lib.data.pairs import Pairs
        >>> from tutorial_lib.data.shard_writer import write_pairs
        >>> one = Pairs(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), ("a dog",), ("1",), torch.tensor([-1]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     (shard,) = write_pairs(Path(folder), one)
        ...     (entry,) = read_index(shard).entries
        ...     shard.read_bytes()[entry.offset :][:4], Path(f"{shard}.index").is_file()
        (b'RIFF', True)
    """
    found = shard.with_name(f"{shard.name}.index")
    try:
        stat = shard.stat()
        stamp = [VERSION, stat.st_size, stat.st_mtime_ns]
    except OSError as error:
        raise ShardError(f"{shard} cannot be read: {error.strerror}") from error
    try:
        body = json.loads(found.read_text("utf-8"))
        if body["stamp"] == stamp:
            return Index(shard, tuple(Entry(*row) for row in body["entries"]), body["skipped"], body["notes"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none there, of an older version, or damaged: make it again
    index = _make(shard)
    rows = [astuple(entry) for entry in index.entries]
    part = found.with_name(f"{found.name}.{os.getpid()}.part")
    try:
        part.write_text(
            json.dumps({"stamp": stamp, "entries": rows, "skipped": index.skipped, "notes": index.notes}), "utf-8"
        )
        part.replace(found)
    except OSError:  # a folder that cannot be written: the index is made anew each time
        part.unlink(missing_ok=True)
    return index


def _make(shard: Path) -> Index:
    tally, entries = Tally(), []
    for sample in samples(shard):
        if sample.offset < 0 and sample.picture:
            raise ShardError(f"{shard} is compressed, so its pictures cannot be read in any order: unpack it (gunzip)")
        if tally.unusable(sample):
            continue
        try:
            decode(sample.picture, notes=tally.notes)
        except NotAPictureError:
            tally.skip(sample, "with a corrupted picture")
            continue
        entries.append(Entry(sample.key, sample.caption, sample.number, sample.offset, len(sample.picture)))
    return Index(shard, tuple(entries), tally.skipped, dict(tally.notes))


def read_indices(shards: Sequence[Path], *, workers: int = 0, skip_bad: float = TOLERANCE) -> list[Index]:
    """The indices of several shards; those that are missing are made by several processes, once.

    Warns about pairs that are left out, as `read_pairs` does.

    Args:
        shards: WebDataset archives.
        workers: processes; by default one a core.
        skip_bad: share of the pairs that may be unusable.

    Raises:
        ShardError: a shard is damaged, or more pairs than that cannot be used.

    Example:
        >>> import tempfile, torch
        >>> from tutorial_lib.data.pairs import Pairs
        >>> from tutorial_lib.data.shard_writer import write_pairs
        >>> images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
        >>> two = Pairs(images, ("a dog", "a cat"), ("1", "2"), torch.tensor([-1, -1]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     shards = write_pairs(Path(folder), two, shard_size=1)
        ...     [index.entries[0].caption for index in read_indices(shards, workers=1)]
        ['a dog', 'a cat']
    """
    workers = min(workers or usable_cores(), len(shards))
    if workers > 1 and not all(s.with_name(f"{s.name}.index").is_file() for s in shards):
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=die_with_parent)
        with starting(*shards), pool:
            found = list(pool.map(read_index, shards))
    else:
        found = [read_index(s) for s in shards]
    tally = Tally(skip_bad)
    for index in found:
        tally.used += len(index.entries)
        tally.notes.update(index.notes)
        for why, names in index.skipped.items():
            tally.skipped.setdefault(why, []).extend(names)
    tally.report()
    return found


@dataclass(frozen=True)
class Glance:
    """What one pass over the pairs and the headers of their pictures tells.

    Attributes:
        indices: of the shards; pairs without a caption or without a picture are left out, and those whose picture is
            corrupted behind a sound header are not.
        classes: class of each pair, in the order of the indices.
        sizes: widths and heights that occur.
        lossy: number of pictures whose codec does not keep every pixel.

    Example:
        >>> index = Index(Path("00000.tar"), (Entry("1", "a dog", 7, 512, 300),), {})
        >>> Glance((index,), (7,), frozenset({(32, 32)}), lossy=0).side
        32
        >>> Glance((index,), (7,), frozenset({(640, 480)}), lossy=1).side is None
        True
    """

    indices: tuple[Index, ...]
    classes: tuple[int, ...]
    sizes: frozenset[tuple[int, int]]
    lossy: int

    @property
    def entries(self) -> list[Entry]:
        """All pairs."""
        return [entry for index in self.indices for entry in index.entries]

    @property
    def keys(self) -> list[str]:
        """A name of each pair that no other has: its key, with the shard where several shards have it."""
        often = Counter(entry.key for entry in self.entries)
        return [
            entry.key if often[entry.key] == 1 else f"{number:05d}-{index.shard.stem}-{entry.key}"
            for number, index in enumerate(self.indices)
            for entry in index.entries
        ]

    @property
    def side(self) -> int | None:
        """Width and height of the pictures where all are squares of one size, else `None`."""
        return next((width for width, height in self.sizes if width == height), None) if len(self.sizes) == 1 else None

    @property
    def in_any_order(self) -> bool:
        """Whether each picture can be read without those before it: no shard is compressed."""
        return all(entry.offset >= 0 for entry in self.entries)


def glance(
    paths: str | Path | Iterable[str | Path],
    *,
    class_of: Callable[[Sample], int] | None = None,
    resized: bool = False,
    skip_bad: float = TOLERANCE,
) -> Glance:
    """Make indices from headers alone; no picture is decoded, and nothing is written beside the shards.

    Warns about pairs that are left out, as `read_pairs` does.

    Args:
        paths: files, folders, globs or ranges, as `expand` reads them.
        class_of: what a pair shows; by default its number in `key.json` or `key.cls`.
        resized: the pictures will be resized, so that several sizes are no error.
        skip_bad: share of the pairs that may be unusable.

    Raises:
        ShardError: a shard is damaged, or more pairs than that cannot be used.
        ValueError: a key occurs twice in a shard, or pictures have several sizes and are not resized.

    Example:
        >>> import tempfile, torch
        >>> from tutorial_lib.data.pairs import Pairs
        >>> from tutorial_lib.data.shard_writer import write_pairs
        >>> one = Pairs(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), ("a dog",), ("1",), torch.tensor([7]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = glance(write_pairs(Path(folder), one))
        >>> found.side, found.classes, found.lossy
        (8, (7,), 0)
    """
    tally, seen, sizes, lossy = Tally(skip_bad), set(), set(), 0
    entries: dict[Path, list[Entry]] = {shard: [] for shard in expand(paths)}
    classes: list[int] = []
    for sample in Ticker("reading", "pairs").over(samples(entries)):
        if tally.unusable(sample):
            continue
        try:
            size = header(sample.picture)
        except NotAPictureError:
            tally.skip(sample, "with a corrupted picture")
            continue
        if sample.identity in seen:
            raise ValueError(
                f"the key {sample.key} occurs twice in {sample.shard}: `tutorial import` makes keys unique"
            )
        seen.add(sample.identity)
        sizes.add(size)
        if len(sizes) > 1 and not resized:
            (a, b), (c, d) = sorted(sizes)[:2]
            raise ValueError(f"the pictures have several sizes ({a}x{b}, {c}x{d}, …): give a `side` to resize all to")
        entry = Entry(sample.key, sample.caption, sample.number, sample.offset, len(sample.picture))
        entries[sample.shard].append(entry)
        classes.append(class_of(sample) if class_of else sample.number)
        lossy += not sample.lossless
        tally.used += 1
    tally.report()
    indices = tuple(Index(shard, tuple(found), {}) for shard, found in entries.items())
    return Glance(indices, tuple(classes), frozenset(sizes), lossy)
