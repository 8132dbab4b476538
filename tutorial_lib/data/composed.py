"""What data sets of composed scenes have in common: numbers, batches, threads, pairs.

Scene `i` is a pure function of the kind, its version, the seed and `i`. How many scenes there are changes none of them.
"""

from __future__ import annotations

import hashlib
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from tutorial_lib.data import integrity, picture_map
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.texts import Texts
from tutorial_lib.machine import usable_cores

#: Scenes whose captions are strings at a time, and pixels that are drawn at a time: what a CPU's caches like.
CAPTIONED, DRAWN, DRAWN_BY_GPU = 1 << 14, 1 << 20, 1 << 25


@dataclass(frozen=True)
class Scenes(ABC):
    """`n` composed scenes with captions.

    Attributes:
        n: number of scenes.
        size: width and height in pixels.
        seed: another seed gives other scenes.
        device: where scenes are rendered; the bytes are the same everywhere.

    Raises:
        ValueError: `n` is below 1, or `size` below 16.

    Example:
        >>> from tutorial_lib.data.scenes import EmojiScenes
        >>> issubclass(EmojiScenes, Scenes)
        True
    """

    #: What the kind is called, and a number that is raised whenever a scene's bytes or caption change.
    kind: ClassVar[str]
    version: ClassVar[int]

    n: int
    size: int = 32
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"a data set needs at least 1 scene, not {self.n}")
        if self.size < 16:
            raise ValueError(f"size must be at least 16 pixels, or three sprites cannot be told apart; not {self.size}")

    def __len__(self) -> int:
        return self.n

    def fingerprint(self) -> str:
        """Short hash of what decides every picture and caption; nothing is rendered."""
        parts = (self.kind, self.version, self.seed, self.n, self.size, integrity.fingerprint())
        return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()[:12]

    def numbers(self, indices: Tensor | Sequence[int]) -> Tensor:
        """The numbers of some scenes, on `device`.

        Raises:
            IndexError: there is no such scene.
        """
        index = torch.as_tensor(indices, dtype=torch.int64).to(self.device)
        outside = (index < 0) | (index >= self.n)
        if outside.any():
            raise IndexError(f"there is no scene {int(index[outside][0])}; they are numbered 0 to {self.n - 1}")
        return index

    @abstractmethod
    def concepts(self, indices: Tensor | Sequence[int]) -> Tensor:
        """The concepts of each scene, shape (B, slots), int64: indices into `emojicaps.load().concepts`, -1 for none.

        Raises:
            IndexError: there is no such scene.
        """

    @abstractmethod
    def captions(self, indices: Tensor | Sequence[int]) -> list[str]:
        """What each scene's alt text says.

        Raises:
            IndexError: there is no such scene.
        """

    @abstractmethod
    def draw(self, index: Tensor, out: Tensor) -> None:
        """Draw a few scenes.

        Args:
            index: their numbers, shape (b,), int64, on `device`.
            out: where they go, shape (b, 3, size, size), uint8.
        """

    def render(self, indices: Tensor | Sequence[int]) -> Tensor:
        """Pictures, shape (B, 3, size, size), uint8, on `device`; by as many threads as PyTorch has.

        Raises:
            IndexError: there is no such scene.
        """
        return self._rendered(self.numbers(indices), torch.get_num_threads())

    def _rendered(self, index: Tensor, workers: int) -> Tensor:
        out = torch.empty(len(index), 3, self.size, self.size, dtype=torch.uint8, device=self.device)
        on_cpu = out.device.type == "cpu"
        part = max(1, (DRAWN if on_cpu else DRAWN_BY_GPU) // self.size**2)
        parts = list(zip(index.split(part), out.split(part), strict=True))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # many small steps: several scenes at a time, not several pixels
        try:
            if min(workers, len(parts)) < 2 or not on_cpu:
                for one in parts:
                    self.draw(*one)
            else:
                self.draw(*parts[0])  # what all need is made once
                with ThreadPoolExecutor(workers, "render") as pool:
                    list(pool.map(lambda one: self.draw(*one), parts[1:]))
        finally:
            torch.set_num_threads(threads)
        return out

    def stored(self, folder: Path) -> Tensor:
        """All pictures in a memory map on disk, drawn once, on every core: shape (n, 3, size, size), uint8.

        Who else needs the map waits for it, so that no other model is kept from its core. A map of more scenes serves a
        data set of fewer, and one of fewer is continued.

        Args:
            folder: made if it is not there.

        Raises:
            NotWrittenError: the disk is full or the folder cannot be written.
            ValueError: the folder holds a map of other pictures under that name.
        """
        unbounded = replace(self, n=1 << 62)  # a block is drawn to its end

        def draw(these: range) -> Tensor:
            return unbounded._rendered(unbounded.numbers(these), usable_cores()).cpu()

        return picture_map.mapped(self.map_in(folder), self.n, self.size, self._made(), draw)

    def map_in(self, folder: Path) -> Path:
        """Where in a folder the memory map of these scenes lies, however many there are."""
        return folder / f"{self.kind}-{hashlib.sha256(self._made().encode()).hexdigest()[:12]}.map"

    def _made(self) -> str:
        return f"{self.kind} {self.version} {self.seed} {self.size} {integrity.fingerprint()}"

    @property
    def nbytes(self) -> int:
        """Of all pictures."""
        return self.n * 3 * self.size**2

    def pairs(self, indices: Tensor | Sequence[int] | None = None, *, folder: Path | None = None) -> Pairs:
        """Scenes as stored pairs; by default all of them, in the CPU's memory.

        Args:
            indices: numbers of scenes, by default all.
            folder: of memory maps; the pictures of all scenes then lie on disk, see `stored`.

        `concept` holds the concept of the first sprite only; `concepts` tells all of them.
        """
        index = torch.arange(self.n) if indices is None else torch.as_tensor(indices, dtype=torch.int64)
        parts = index.split(CAPTIONED)
        return Pairs(
            images=self.stored(folder) if folder is not None and indices is None else self.render(index).cpu(),
            captions=Texts.of(itertools.chain.from_iterable(map(self.captions, parts))),
            keys=Texts.of(self._keys(index)),
            concept=torch.cat([self.concepts(part)[:, 0] for part in parts]),
        )

    def _keys(self, index: Tensor) -> Iterator[str]:
        for part in index.split(CAPTIONED):
            yield from (f"scene-{self.seed}-{i:07d}" for i in part.tolist())
