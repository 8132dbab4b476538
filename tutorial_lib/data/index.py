"""Where each pair lies in its shard, so that millions of pictures can stay on disk and be read in any order.

A shard is read once, every picture is decoded to see that it is one, and what was found is kept beside the shard
(`NAME.tar.index`), so that training never meets a pair that it cannot use.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path

from tutorial_lib.data.shards import ShardError, Tally, decode, samples

#: Raised whenever the form of an index changes.
VERSION = 1


@dataclass(frozen=True)
class Entry:
    """One usable pair: its key, caption and class, and where the bytes of its picture are."""

    key: str
    caption: str
    concept: int
    offset: int
    length: int


@dataclass(frozen=True)
class Index:
    """The usable pairs of a shard, and the names of those that were left out, by reason."""

    shard: Path
    entries: tuple[Entry, ...]
    skipped: dict[str, list[str]]


def read_index(shard: Path) -> Index:
    """The index of a shard, from the file beside it or made now.

    Raises:
        ShardError: the shard is missing, truncated, compressed or no archive.
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
            return Index(shard, tuple(Entry(*row) for row in body["entries"]), body["skipped"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none there, of an older version, or damaged: make it again
    index = _make(shard)
    rows = [astuple(entry) for entry in index.entries]
    part = found.with_name(f"{found.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps({"stamp": stamp, "entries": rows, "skipped": index.skipped}), "utf-8")
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
            decode(sample.picture)
        except ValueError:
            tally.skip(sample, "with a corrupted picture")
            continue
        entries.append(Entry(sample.key, sample.caption, sample.number, sample.offset, len(sample.picture)))
    return Index(shard, tuple(entries), tally.skipped)


def read_indices(shards: Sequence[Path], *, workers: int = 0) -> list[Index]:
    """The indices of several shards; those that are missing are made by several processes, once.

    Warns about pairs that are left out, as `read_pairs` does.

    Args:
        shards: WebDataset archives.
        workers: processes; by default one a core.

    Raises:
        ShardError: a shard is damaged, or more than 1 % of all pairs cannot be used.
    """
    workers = min(workers or os.cpu_count() or 1, len(shards))
    if workers > 1 and not all(s.with_name(f"{s.name}.index").is_file() for s in shards):
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            found = list(pool.map(read_index, shards))
    else:
        found = [read_index(s) for s in shards]
    tally = Tally()
    for index in found:
        tally.used += len(index.entries)
        for why, names in index.skipped.items():
            tally.skipped.setdefault(why, []).extend(names)
    tally.report()
    return found
