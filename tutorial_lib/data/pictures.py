"""Pictures that need not be in memory: what `Pairs.images` is when a data set is larger than the machine.

`StoredPictures` stands where a uint8 tensor of shape (N, 3, side, side) would: it has a length and a shape, and some
positions give a tensor. Some of its pictures lie in shards and are decoded when they are asked for, or ahead of it, by
threads; others, such as poisons, are in memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property

import torch
from torch import Tensor

from tutorial_lib.data.decoding import CENTRE, Resizing, decode
from tutorial_lib.data.index import Index
from tutorial_lib.machine import usable_cores

#: Decoding threads, in all sets of pictures of a process.
#:
#: :meta hide-value:
WORKERS = usable_cores()


class ShardPictures:
    """The pictures of one shard.

    Args:
        index: of the shard.
        side: width and height that they are resized to.
        resizing: to that side.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from tutorial_lib.data.index import read_index
        >>> from tutorial_lib.data.pairs import Pairs
        >>> from tutorial_lib.data.shard_writer import write_pairs
        >>> one = Pairs(torch.full((1, 3, 8, 8), 7, dtype=torch.uint8), ("a dog",), ("1",), torch.tensor([-1]))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pictures = ShardPictures(read_index(*write_pairs(Path(folder), one)), side=4)
        ...     pictures.read(0).shape, pictures.read(0).unique().tolist()
        (torch.Size([3, 4, 4]), [7])
    """

    def __init__(self, index: Index, side: int, resizing: Resizing = CENTRE) -> None:
        self.index, self.side, self.resizing = index, side, resizing

    def __len__(self) -> int:
        return len(self.index.entries)

    def read(self, position: int) -> Tensor:
        """One picture, shape (3, side, side), uint8."""
        entry = self.index.entries[position]
        with self.index.shard.open("rb", buffering=0) as file:  # kept open, many shards would be too many files
            picture = os.pread(file.fileno(), entry.length, entry.offset)
        return torch.from_numpy(decode(picture, side=self.side, resizing=self.resizing)).permute(2, 0, 1)

    def fingerprint(self) -> bytes:
        """Of the names and places of the pictures; nothing is decoded."""
        digest = hashlib.sha256(f"{self.index.shard.name} {self.side}".encode())
        digest.update(b"" if self.resizing == CENTRE else repr(self.resizing).encode())
        for entry in self.index.entries:
            digest.update(f"{entry.key} {entry.offset} {entry.length}\0".encode())
        return digest.digest()


class StoredPictures:
    """Pictures from shards and from memory, in any order.

    Args:
        sources: shards, and uint8 tensors of shape (n, 3, side, side).
        where: source and position in it of each picture, shape (N, 2), int64; by default all, one after the other.

    Raises:
        ValueError: the pictures are of different sizes, or there are no sources.

    Example:
        >>> dark, bright = torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.full((1, 3, 8, 8), 255, dtype=torch.uint8)
        >>> pictures = StoredPictures([dark, bright])
        >>> pictures.shape, pictures[torch.tensor([2, 0])][:, 0, 0, 0].tolist()
        (torch.Size([3, 3, 8, 8]), [255, 0])
    """

    dtype, device, ndim = torch.uint8, torch.device("cpu"), 4

    def __init__(self, sources: Sequence[ShardPictures | Tensor], where: Tensor | None = None) -> None:
        self.sources = tuple(sources)
        sides = {s.side if isinstance(s, ShardPictures) else s.shape[-1] for s in self.sources}
        if len(sides) != 1:
            raise ValueError(f"pictures of {' and '.join(map(str, sorted(sides)))} pixels: all must have one size")
        self.side = sides.pop()
        if where is None:
            parts = [torch.stack([torch.full((len(s),), k), torch.arange(len(s))], 1) for k, s in enumerate(sources)]
            where = torch.cat(parts)
        self.where = where
        self._ahead: dict[int, Future[Tensor]] = {}

    def __len__(self) -> int:
        return len(self.where)

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self), 3, self.side, self.side))

    @property
    def nbytes(self) -> int:
        """What a tensor of them would take."""
        return self.shape.numel()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(WORKERS, "decode")

    @property
    def in_memory(self) -> bool:
        """Whether no picture lies in a shard."""
        return all(isinstance(s, Tensor) for s in self.sources)

    def _read(self, position: int) -> Tensor:
        """Decode a picture that lies in a shard."""
        source, place = self.where[position].tolist()
        found = self.sources[source]
        assert isinstance(found, ShardPictures)  # those in memory are taken without threads
        return found.read(place)

    def prefetch(self, positions: Tensor) -> None:
        """Begin to decode pictures that will be asked for soon, once."""
        for i in positions.tolist():
            if i not in self._ahead and not isinstance(self.sources[int(self.where[i, 0])], Tensor):
                self._ahead[i] = self._pool.submit(self._read, i)

    def __getitem__(self, positions: Tensor | slice) -> Tensor:
        """Pictures at some positions, or where a mask is true, as a tensor (n, 3, side, side)."""
        if not isinstance(positions, Tensor) or positions.dtype == torch.bool:
            positions = torch.arange(len(self))[positions]
        out = torch.empty((len(positions), *self.shape[1:]), dtype=self.dtype)
        source, place = self.where[positions].unbind(1)
        jobs: dict[int, Future[Tensor]] = {}
        for number in source.unique().tolist():
            rows, found = (source == number).nonzero()[:, 0], self.sources[number]
            if isinstance(found, Tensor):
                out[rows] = found[place[rows]]
                continue
            for row in rows.tolist():
                i = int(positions[row])
                jobs[row] = self._ahead.pop(i) if i in self._ahead else self._pool.submit(self._read, i)
        for row, job in jobs.items():
            out[row] = job.result()
        return out

    def split(self, size: int) -> Iterator[Tensor]:
        """All pictures, decoded `size` at a time."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def select(self, positions: Tensor) -> StoredPictures:
        """The pictures at some positions; nothing is decoded."""
        return StoredPictures(self.sources, self.where[positions])

    def describe(self, digest: hashlib._Hash) -> None:
        """Add to a hash what tells these pictures from others: pixels, or names and places of those in shards."""
        if self.in_memory:
            for part in self.split(4096):
                digest.update(part.numpy().data)  # the bytes of a tensor of all
            return
        digest.update(self.where.numpy().data)
        for source in self.sources:
            own = isinstance(source, ShardPictures)
            digest.update(source.fingerprint() if own else source.contiguous().numpy().data)  # type: ignore[union-attr]


#: Pictures of a data set, in memory or not: uint8, shape (N, 3, H, W).
Images = Tensor | StoredPictures


#: Bytes of pictures beyond which joining makes no copy.
LARGE = 1 << 28


def join(first: Images, second: Images) -> Images:
    """The pictures of both: a tensor if both are, unless the copy would be large.

    Example:
        >>> dark, bright = torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.full((1, 3, 8, 8), 255, dtype=torch.uint8)
        >>> torch.equal(join(dark, bright), join(StoredPictures([dark]), bright)[:])
        True
    """
    if isinstance(first, Tensor) and isinstance(second, Tensor) and first.nbytes + second.nbytes < LARGE:
        return torch.cat([first, second])
    a, b = (StoredPictures([p]) if isinstance(p, Tensor) else p for p in (first, second))
    shifted = b.where + torch.tensor([len(a.sources), 0])
    return StoredPictures([*a.sources, *b.sources], torch.cat([a.where, shifted]))
