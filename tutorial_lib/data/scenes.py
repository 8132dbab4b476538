"""EmojiScenes: as many composed pictures with captions as you like, from nothing but a name.

A scene shows one to three EmojiCaps sprites on a background and has a caption that
says so. Scene `i` is a pure function of (VERSION, seed, i): a data set of 3,000,000 pairs is (n, size, seed)
and not a download. The counts are real, the diversity is not: every scene is made of about 7,000 sprites.

Rendering is integer arithmetic, so every device gives the same bytes (`tutorial_lib.data.lanes`).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tutorial_lib.data import emojicaps, lanes
from tutorial_lib.data.captions import TEMPLATES, article, plain_label
from tutorial_lib.data.compose import random_below
from tutorial_lib.data.composed import Scenes
from tutorial_lib.data.sprite_bank import sprite_bank

#: Raised whenever a scene's bytes or caption change.
VERSION = 1

#: Sprite sizes as a share of the picture's, and which of them serve where one, two or three are shown.
SHARES = (0.34, 0.42, 0.5, 0.6, 0.75, 0.9)
SMALLEST = (2, 1, 0)
CHOICES = (4, 3, 3)
MASKS = 512

#: Where sprites go: (first row, last row, first column, last column) in halves of the picture.
_LEFT, _RIGHT, _TOP, _BOTTOM = (0, 2, 0, 1), (0, 2, 1, 2), (0, 1, 0, 2), (1, 2, 0, 2)
_QUARTERS = ((0, 1, 0, 1), (0, 1, 1, 2), (1, 2, 0, 1), (1, 2, 1, 2))
_ALL = (0, 2, 0, 2)
_REGIONS = (
    (_ALL, _ALL, _ALL),
    (_LEFT, _RIGHT, _ALL),
    (_TOP, _BOTTOM, _ALL),
    (_QUARTERS[0], _QUARTERS[3], _ALL),
    (_QUARTERS[2], _QUARTERS[1], _ALL),
    *(tuple(q for q in _QUARTERS if q != empty) for empty in _QUARTERS),
)
_BESIDE, _ABOVE = 1, 2  # the layouts whose captions may say so

TWO = (
    "{0} and {1}",
    "{0} and {1}",
    "{0} next to {1}",
    "{0} next to {1}",
    "{0} with {1}",
    "{0} beside {1}",
    "{0}, {1}",
    "a picture of {0} and {1}",
    "a photo of {0} next to {1}",
    "here is {0} near {1}",
    "{0} together with {1}",
    "this shows {0} and {1}",
)
THREE = (
    "{0}, {1} and {2}",
    "{0}, {1} and {2}",
    "{0} next to {1} and {2}",
    "{0} and {1} with {2}",
    "{0}, {1}, {2}",
    "a picture of {0}, {1} and {2}",
    "a scene with {0}, {1} and {2}",
    "{0} between {1} and {2}",
)
BESIDE = ("{0} to the left of {1}", "{0} on the left, {1} on the right")
ABOVE = ("{0} above {1}", "{0} over {1}", "{0} on top, {1} at the bottom")
SMALL, BIG = ("small", "little", "tiny"), ("big", "large", "huge")


@dataclass(frozen=True)
class Layout:
    """What is where in a batch of scenes; slots without a sprite hold -1 as sprite and concept.

    Attributes:
        region: number of the arrangement, shape (B,), int64.
        concept: index into `emojicaps.load().concepts`, shape (B, 3), int64.
        sprite: position in `emojicaps.load().images`, shape (B, 3), int64; later slots are drawn over earlier ones.
        size: index into the sprite sizes, shape (B, 3), int64.
        top, left: first pixel of each sprite, shape (B, 3), int64.

    Example:
        >>> layout = EmojiScenes(8, size=32).layout(torch.arange(8))
        >>> layout.sprite.shape
        torch.Size([8, 3])
    """

    region: Tensor
    concept: Tensor
    sprite: Tensor
    size: Tensor
    top: Tensor
    left: Tensor


@functools.lru_cache(maxsize=2)
def _grounds(side: int, device: str) -> tuple[Tensor, Tensor]:
    """Mixtures of two colours, (MASKS, side * side), uint8 in 0..128, and where sprites go, (9, 3, 4), in pixels."""
    edges = torch.tensor([0, side // 2, side])
    return _masks(side).to(device), edges[torch.tensor(_REGIONS)].to(device)


def _masks(side: int) -> Tensor:
    """Plain grounds, ramps, discs, horizons and stripes, all with grain; shape (MASKS, side * side), uint8."""
    number = torch.arange(MASKS)

    def draw(limit: int, k: int) -> Tensor:
        return random_below(limit, 0, number, k)[:, None]  # (MASKS, 1)

    cell = torch.arange(side * side)
    x, y = cell % side, cell // side
    across, down = draw(17, 0) - 8, draw(17, 1) - 8
    ramp = across * x + down * y  # (MASKS, side * side)
    ramp = ramp - ramp.amin(1, keepdim=True)
    ramp = ramp * 128 // ramp.amax(1, keepdim=True).clamp(min=1)
    disc = (x - draw(side, 2)) ** 2 + (y - draw(side, 3)) ** 2
    disc = (disc * 128 // (side * side // 2)).clamp(max=128)
    horizon = (ramp > 32 + draw(65, 4)) * 128
    stripes = ramp // (8 + draw(24, 5)) % 2 * 128
    plain = torch.zeros_like(ramp)
    kind = draw(5, 6)
    out = torch.where(kind == 0, ramp, plain)
    for k, pattern in enumerate((disc, horizon, stripes), 1):
        out = torch.where(kind == k, pattern, out)
    block = 1 << draw(3, 7)  # grain of 1, 2 or 4 pixels
    grain = random_below(256, 1, number[:, None] * side * side + y // block * side + x // block, 8)
    grain = ((grain - 128) * draw(32, 9)) >> 7
    return (out + grain).clamp(0, 128).to(torch.uint8)


@dataclass(frozen=True)
class EmojiScenes(Scenes):
    """`n` composed scenes with captions.

    Memory: rendering a batch needs the sprites (67 MB at 32 pixels) and what it returns. All pictures at once
    take n x 3 x size² bytes: at 32 pixels 92 MB for 30,000, 0.9 GB for 300,000 and 9.2 GB for 3,000,000, in memory or
    in a memory map on disk (`pairs`); captions and keys take about 80 bytes a pair.

    Example:
        >>> scenes = EmojiScenes(3_000_000, size=32, seed=0)
        >>> scenes.render([2_999_999]).shape
        torch.Size([1, 3, 32, 32])
    """

    kind: ClassVar[str] = "EmojiScenes"
    version: ClassVar[int] = VERSION

    def layout(self, indices: Tensor | Sequence[int]) -> Layout:
        """What is where in the given scenes.

        Raises:
            IndexError: there is no such scene.
        """
        bank, index = sprite_bank(self.size, self.device, SHARES), self.numbers(indices)
        _, regions = _grounds(self.size, self.device)

        def draw(limit: int | Tensor, k: int) -> Tensor:
            return random_below(limit, self.seed, index, k)

        count = draw(3, 0)  # sprites less one
        region = torch.where(count == 0, 0, 4 * count - 3 + draw(4, 1))
        total = len(bank.usable)
        a, b, c = draw(total, 2), draw(total - 1, 3), draw(total - 2, 4)
        b = b + (b >= a)  # three different concepts, each as likely as any other
        c = c + (c >= torch.minimum(a, b))
        c = c + (c >= torch.maximum(a, b))
        chosen = torch.stack([a, b, c], 1)  # (B, 3)
        sizes = torch.tensor(bank.sizes, device=index.device)
        smallest, choices = torch.tensor(SMALLEST).to(index.device), torch.tensor(CHOICES).to(index.device)
        columns = []
        for slot in range(3):
            usable, k = chosen[:, slot], 10 + 5 * slot
            row = bank.first[usable] + draw(bank.styles[usable], k)
            size = smallest[count] + draw(choices[count], k + 1)
            edge = sizes[size]
            box = regions[region, slot]  # (B, 4)
            top = box[:, 0] + draw((box[:, 1] - box[:, 0] - edge).clamp(min=0) + 1, k + 2)
            left = box[:, 2] + draw((box[:, 3] - box[:, 2] - edge).clamp(min=0) + 1, k + 3)
            there = count >= slot
            columns.append(
                (
                    torch.where(there, bank.usable[usable], -1),
                    torch.where(there, row, -1),
                    size,
                    torch.minimum(top, self.size - edge),
                    torch.minimum(left, self.size - edge),
                )
            )
        concept, row, size, top, left = (torch.stack(column, 1) for column in zip(*columns, strict=True))
        sprite = torch.where(row < 0, -1, bank.position[row.clamp(min=0)])
        return Layout(region, concept, sprite, size, top, left)

    def concepts(self, indices: Tensor | Sequence[int]) -> Tensor:
        """The concepts of each scene, shape (B, 3), int64: indices into `emojicaps.load().concepts`, -1 for none."""
        return self.layout(indices).concept.cpu()

    def draw(self, index: Tensor, out: Tensor) -> None:
        bank, layout = sprite_bank(self.size, self.device, SHARES), self.layout(index)
        canvas = self._background(index)  # (b, side * side), int64
        flat = canvas.view(-1)
        first = torch.arange(len(index), device=index.device)[:, None] * self.size**2
        corner = first + layout.top * self.size + layout.left  # (b, 3), in `flat`
        for slot in range(3):
            sprite_here = layout.sprite[:, slot]
            for k, edge in enumerate(bank.sizes):
                chosen = ((layout.size[:, slot] == k) & (sprite_here >= 0)).nonzero()[:, 0]
                if not len(chosen):
                    continue
                sprite = bank.sprites(k, bank.row[sprite_here[chosen]])
                span = torch.arange(edge, device=index.device)
                place = corner[chosen, slot, None] + (span[:, None] * self.size + span).flatten()  # (b, edge * edge)
                flat[place] = lanes.over(sprite, flat[place])
        out.copy_(lanes.to_bytes(canvas, self.size))

    def _background(self, index: Tensor) -> Tensor:
        """Two colours, mixed by a mask; (b, side * side), int64 pixels."""

        def draw(limit: int, k: int) -> Tensor:
            return random_below(limit, self.seed, index, k)

        masks, _ = _grounds(self.size, self.device)
        one = torch.stack([draw(256, 40 + k) for k in range(3)], 1)  # (b, 3)
        two = torch.stack([draw(256, 43 + k) for k in range(3)], 1)
        two = torch.where(draw(2, 46).bool()[:, None], (3 * one + two) >> 2, two)  # half of the grounds are quiet
        mask = masks.index_select(0, draw(MASKS, 47)).long()  # (b, side * side)
        return lanes.mixed(lanes.colour(one)[:, None], lanes.colour(two)[:, None], mask)

    def captions(self, indices: Tensor | Sequence[int]) -> list[str]:
        """What each scene's alt text says: every sprite is named, and half of the captions end with keywords."""
        index = self.numbers(indices)
        layout, data = self.layout(index), emojicaps.load().concepts
        draws = torch.stack([random_below(1 << 20, self.seed, index, 60 + k) for k in range(10)], 1).tolist()
        out = []
        for region, concept, size, d in zip(
            layout.region.tolist(), layout.concept.tolist(), layout.size.tolist(), draws, strict=True
        ):
            shown = [data[c] for c in concept if c >= 0]
            names = []
            for slot, thing in enumerate(shown):
                rank = size[slot] - SMALLEST[len(shown) - 1]
                words: tuple[str, ...] = SMALL if rank == 0 else BIG if rank == CHOICES[len(shown) - 1] - 1 else ()
                label = plain_label(thing.label)
                names.append(f"{words[d[slot] % 3]} {label}" if words and d[slot] % 5 < 2 else label)
            if len(names) == 1:
                caption = TEMPLATES[d[4] % len(TEMPLATES)].format(label=names[0], a=article(names[0]))
            else:
                form = d[3] % 8  # most captions have articles
                names = [f"the {n}" if form == 0 else n if form < 3 else f"{article(n)} {n}" for n in names]
                templates: tuple[str, ...] = TWO if len(names) == 2 else THREE
                if region in (_BESIDE, _ABOVE) and d[5] % 3 == 0:
                    templates = BESIDE if region == _BESIDE else ABOVE
                caption = templates[d[4] % len(templates)].format(*names)
            keywords = [w for thing in shown for w in thing.keywords if w not in caption]
            if d[6] % 2 and keywords:
                start = d[7] % len(keywords)
                caption += ", " + ", ".join((keywords[start:] + keywords[:start])[: 1 + d[8] % 2])
            out.append(caption)
        return out
