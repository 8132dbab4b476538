"""Image-caption pairs in memory: what every part of the library trains on, poisons and stores."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tutorial_lib.data.captions import captions_for
from tutorial_lib.data.compose import Atlas, random_below, to_images
from tutorial_lib.data.emojicaps import EmojiCaps
from tutorial_lib.data.pictures import Images, StoredPictures, join
from tutorial_lib.data.texts import Strings, taken

#: Where a pair comes from: the data set, an attacker, or an attacker's cover, which tells the truth.
CLEAN, POISON, COVER = 0, 1, 2


@dataclass(frozen=True)
class Pairs:
    """Stored pictures with stored captions; clean and poisoned pairs look alike.

    Attributes:
        images: shape (N, 3, H, W), uint8; a tensor, or `StoredPictures` where they, or a copy, would not fit.
        captions: N strings; a tuple, or `Texts` where there are millions.
        keys: N names, unique within a data set; the same.
        concept: what each picture shows, shape (N,), int64, -1 where unknown; never used in training.
        origin: `CLEAN`, `POISON` or `COVER`, shape (N,), int64; never used in training, only to judge who searches for
            poisons. By default all are clean.

    Raises:
        ValueError: there is not one of each per picture, the pictures have another type or shape, or a caption is
            empty.

    Example:
        >>> two = Pairs(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), ("a", "b"), ("1", "2"), torch.tensor([-1, -1]))
        >>> len(two + two), two.take([1]).captions
        (4, ('b',))
    """

    images: Images
    captions: Strings
    keys: Strings
    concept: Tensor
    origin: Tensor = None  # type: ignore[assignment]  # set below

    def __post_init__(self) -> None:
        n = len(self.images)
        if self.origin is None:
            object.__setattr__(self, "origin", torch.full((n,), CLEAN))
        if not (len(self.captions) == len(self.keys) == len(self.concept) == len(self.origin) == n):
            raise ValueError(
                f"{n} pictures, {len(self.captions)} captions, {len(self.keys)} keys, {len(self.concept)} concepts and "
                f"{len(self.origin)} origins: one of each is needed per pair"
            )
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise ValueError(
                f"pictures must be uint8 of shape (N, 3, H, W), not {self.images.dtype} {tuple(self.images.shape)}"
            )
        for position, caption in enumerate(self.captions):
            if not caption.strip():
                raise ValueError(f"the caption of {self.keys[position]!r} is empty")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def pixels(self) -> Tensor:
        """The pictures as a tensor; those that are stored are decoded, all of them."""
        return self.images if isinstance(self.images, Tensor) else self.images[:]

    def __add__(self, other: Pairs) -> Pairs:
        """X ∪ P: the pairs of both."""
        return Pairs(
            join(self.images, other.images),
            self.captions + other.captions,
            self.keys + other.keys,
            torch.cat([self.concept, other.concept]),
            torch.cat([self.origin, other.origin]),
        )

    def take(self, positions: Tensor | Sequence[int]) -> Pairs:
        """The pairs at the given positions, in that order."""
        order = torch.as_tensor(positions, dtype=torch.int64)
        return Pairs(
            self.images.select(order) if isinstance(self.images, StoredPictures) else self.images[order],
            taken(self.captions, order),
            taken(self.keys, order),
            self.concept[order],
            self.origin[order],
        )

    def fingerprint(self) -> str:
        """Short hash of every picture and caption."""
        digest = hashlib.sha256()
        if isinstance(self.images, StoredPictures):
            self.images.describe(digest)
        else:
            digest.update(self.images.contiguous().numpy().data)
        for caption in self.captions:
            digest.update(caption.encode() + b"\0")
        return digest.hexdigest()[:12]


def draw_pairs(
    data: EmojiCaps, positions: Tensor, *, side: int = 32, copies: int = 1, seed: int = 0, name: str = "emoji"
) -> Pairs:
    """One stored picture and caption for each (sprite, copy): background, size and place are drawn once.

    Args:
        data: the sprites.
        positions: which sprites, shape (M,), int64.
        side: width and height of the pictures, in pixels.
        copies: pictures per sprite.
        seed: data seed; another seed gives other backgrounds, places and captions.
        name: prefix of the keys.

    Returns:
        M x copies pairs; all copies of the first sprite come first.

    Example:
        >>> from tutorial_lib.data import emojicaps
        >>> drawn = emojicaps.load()
        >>> pairs = draw_pairs(drawn, torch.tensor([0, 1]), copies=3)
        >>> len(pairs), pairs.images.shape
        (6, torch.Size([6, 3, 32, 32]))
    """
    sizes = tuple(round(side * f) for f in (0.7, 0.8, 0.9, 1.0))
    atlas = Atlas.of(data.images[positions], side=side, sizes=sizes)
    sprite = torch.arange(len(positions)).repeat_interleave(copies)
    index = torch.arange(len(sprite))
    pictures = []
    for part, chosen in zip(index.split(4096), sprite.split(4096), strict=True):
        size = random_below(len(sizes), seed, part, 0)
        room = side - torch.tensor(sizes)[size] + 1
        top = (random_below(1 << 16, seed, part, 1) * room) >> 16
        left = (random_below(1 << 16, seed, part, 2) * room) >> 16
        canvas = atlas.background(seed, part, 3)
        pictures.append(to_images(atlas.paste(canvas, chosen, size, top, left)))
    concept = data.concept[positions].repeat_interleave(copies)
    concepts = [data.concepts[c] for c in concept.tolist()]
    return Pairs(
        images=torch.cat(pictures),
        captions=tuple(captions_for(concepts, seed, index)),
        keys=tuple(
            f"{name}-{data.concepts[c].code}-{data.style[p]}-{i % copies}"
            for i, (c, p) in enumerate(zip(concept.tolist(), positions.repeat_interleave(copies).tolist(), strict=True))
        ),
        concept=concept,
    )
