"""The sprites that scenes are made of, resized once: every training style of EmojiCaps, at a few sizes.

Drawings of the two styles that models are tested on are not among them, whatever they show.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from tutorial_lib.data import emojicaps, lanes
from tutorial_lib.data.compose import packed_sprites
from tutorial_lib.data.emojicaps import Concept

#: Width and height of the shipped pictures: larger sprites are enlarged when they are drawn.
SPRITE_SIDE = 64


@dataclass(frozen=True)
class SpriteBank:
    """Sprites for pictures of one side, on one device.

    Attributes:
        side: width and height of the pictures to draw, in pixels.
        sizes: of the sprites, in pixels.
        tables: sprites at min(size, 64) pixels, each (N, s * s), int32, premultiplied.
        concepts: every concept of the data.
        usable: the concepts that scenes show, (C,), int64.
        first: row of each usable concept's first sprite in the tables, (C,).
        styles: number of its sprites, (C,).
        position: where each row of the tables is in the data, (N,).
        row: and the other way round: which row a picture of the data is, -1 for none, (pictures,).

    Example:
        >>> bank = sprite_bank(32, "cpu", (0.5, 1.0))
        >>> bank.sizes, len(bank.usable) == len(bank.styles)
        ((16, 32), True)
    """

    side: int
    sizes: tuple[int, ...]
    tables: tuple[Tensor, ...]
    concepts: tuple[Concept, ...]
    usable: Tensor
    first: Tensor
    styles: Tensor
    position: Tensor
    row: Tensor

    def sprites(self, size: int, rows: Tensor) -> Tensor:
        """Some sprites at a size, as pixels in lanes.

        Args:
            size: index into `sizes`.
            rows: of the tables, shape (b,), int64.

        Returns:
            Shape (b, edge * edge), int64.
        """
        found, edge = lanes.spread(self.tables[size].index_select(0, rows)), self.sizes[size]
        if edge <= SPRITE_SIDE:
            return found
        return lanes.enlarge(found.view(-1, SPRITE_SIDE, SPRITE_SIDE), edge).flatten(1)


@functools.lru_cache(maxsize=4)
def sprite_bank(side: int, device: str, shares: tuple[float, ...]) -> SpriteBank:
    """The sprites for pictures of one side, kept for the next call.

    Args:
        side: width and height of the pictures to draw, in pixels.
        device: where the tables are.
        shares: sizes of the sprites, as shares of the side.

    Example:
        >>> sprite_bank(32, "cpu", (0.5,)) is sprite_bank(32, "cpu", (0.5,))
        True
    """
    data = emojicaps.load()
    hidden = {i for i, c in enumerate(data.concepts) if c.code in emojicaps.TRIGGER_LIKE}
    position = data.of_styles(*emojicaps.TRAIN_STYLES)
    position = position[[c not in hidden for c in data.concept[position].tolist()]]
    position = position[torch.argsort(data.concept[position], stable=True)]
    usable, styles = torch.unique_consecutive(data.concept[position], return_counts=True)
    sizes = tuple(round(side * share) for share in shares)
    pictures = data.images[position]
    packed = {s: packed_sprites(pictures, s).flatten(1).to(device) for s in {min(s, SPRITE_SIDE) for s in sizes}}
    row = torch.full((len(data),), -1)
    row[position] = torch.arange(len(position))
    return SpriteBank(
        side=side,
        sizes=sizes,
        tables=tuple(packed[min(s, SPRITE_SIDE)] for s in sizes),
        concepts=data.concepts,
        usable=usable.to(device),
        first=(styles.cumsum(0) - styles).to(device),
        styles=styles.to(device),
        position=position.to(device),
        row=row.to(device),
    )
