"""Millions of texts in little memory: what `Pairs.captions` and `Pairs.keys` may be instead of a tuple.

A string of Python takes about 50 bytes beside its letters, and a tuple 8 for each. `Texts` holds the letters of many
texts one after the other and where each ends, and makes a string when somebody asks for it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from typing import overload

import numpy as np
import torch
from torch import Tensor

#: Texts of a block: joining moves no block, and a text is found by its block.
BLOCK = 1 << 16


class Texts(Sequence[str]):
    """Many texts, as a sequence that behaves like a tuple of strings.

    Example:
        >>> texts = Texts.of(["a dog", "a cat", "ein Bär"])
        >>> len(texts), texts[2], texts == ("a dog", "a cat", "ein Bär")
        (3, 'ein Bär', True)
        >>> (texts + ("a bird",))[1:].take([2, 0])
        Texts of 2: a bird, a cat
    """

    def __init__(self, blocks: Iterable[tuple[bytes, np.ndarray]] = ()) -> None:
        self._blocks = tuple(blocks)  # letters, and where each text ends
        self._starts = (0, *accumulate(len(ends) for _, ends in self._blocks))

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """The same texts; no more than a block of them is held as strings."""
        iterator, blocks = iter(texts), []
        while part := [text.encode() for text in islice(iterator, BLOCK)]:
            ends = np.fromiter(accumulate(map(len, part)), dtype=np.int64, count=len(part))
            blocks.append((b"".join(part), ends.astype(np.uint32) if ends[-1] < 1 << 32 else ends))
        return cls(blocks)

    @property
    def nbytes(self) -> int:
        """Bytes of the letters and of the ends."""
        return sum(len(body) + ends.nbytes for body, ends in self._blocks)

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, position: int) -> str: ...

    @overload
    def __getitem__(self, position: slice) -> Texts: ...

    def __getitem__(self, position: int | slice) -> str | Texts:
        if isinstance(position, slice):
            return self.take(range(*position.indices(len(self))))
        if not -len(self) <= position < len(self):
            raise IndexError(f"there is no text {position} among {len(self)}")
        position = position % len(self)
        number = bisect_right(self._starts, position) - 1
        (body, ends), place = self._blocks[number], position - self._starts[number]
        return body[ends[place - 1] if place else 0 : ends[place]].decode()

    def __iter__(self) -> Iterator[str]:
        for body, ends in self._blocks:
            start = 0
            for end in ends.tolist():
                yield body[start:end].decode()
                start = end

    def take(self, positions: Tensor | Sequence[int]) -> Texts:
        """The texts at the given positions, in that order."""
        order = positions.tolist() if isinstance(positions, Tensor) else positions
        return Texts.of(self[i] for i in order)

    def __add__(self, other: Texts | tuple[str, ...]) -> Texts:
        if not isinstance(other, Texts | tuple):
            return NotImplemented
        return Texts((*self._blocks, *_texts(other)._blocks))

    def __radd__(self, other: tuple[str, ...]) -> Texts:
        return _texts(other) + self if isinstance(other, tuple) else NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Texts | tuple):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))  # that of the tuple that it equals

    def __repr__(self) -> str:
        return f"Texts of {len(self):,}: {', '.join(islice(self, 3))}" + (", …" if len(self) > 3 else "")


#: Captions or keys of a data set, of a few pairs or of millions.
Strings = tuple[str, ...] | Texts


def _texts(found: Strings) -> Texts:
    return found if isinstance(found, Texts) else Texts.of(found)


def taken(texts: Strings, positions: Tensor | Sequence[int]) -> Strings:
    """The texts at the given positions, in that order, of the same type.

    Example:
        >>> taken(("a", "b", "c"), torch.tensor([2, 0]))
        ('c', 'a')
    """
    if isinstance(texts, Texts):
        return texts.take(positions)
    return tuple(texts[i] for i in torch.as_tensor(positions, dtype=torch.int64).tolist())
