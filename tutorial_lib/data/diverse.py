"""DiverseScenes: pictures of one to five things, with captions that are as long and as careless as alt text.

What a scene shows is drawn from every sprite that EmojiScenes has, at ten sizes, also mirrored and in less light; from
arrangements of one to five things, several of a kind and one in front of another among them; and from two patterns of
three colours for the ground. Captions tell the truth about what is where, and not always all of it. What is *not*
diverse are the sprites: about 7,000 drawings of 1,660 concepts (`tutorial_lib.data.diversity` measures it).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from tutorial_lib.data import emojicaps, grounds, lanes
from tutorial_lib.data.compose import random_below
from tutorial_lib.data.composed import Scenes
from tutorial_lib.data.diverse_captions import captions_of
from tutorial_lib.data.sprite_bank import sprite_bank

#: Raised whenever a scene's bytes or caption change.
VERSION = 1

#: Sprite sizes as shares of the picture's, and by number of things the first one that serves and how many do.
SHARES = (0.2, 0.25, 0.31, 0.37, 0.44, 0.5, 0.58, 0.68, 0.8, 1.0)
SMALLEST, CHOICES = (5, 4, 3, 2, 1), (5, 4, 4, 4, 4)
SLOTS = 5
#: How many of 20 scenes show one thing, two, …
COUNTS = (7, 6, 4, 2, 1)
#: Out of so many scenes of two or more things, one shows several of a kind, and one of two things one before the other.
SAME, BEFORE = 6, 6

#: Centres of two things, in quarters of the side (row, column), and of three to five.
TWO = (((2, 1), (2, 3)), ((2, 3), (2, 1)), ((1, 2), (3, 2)), ((3, 2), (1, 2)),
       ((1, 1), (3, 3)), ((3, 3), (1, 1)), ((1, 3), (3, 1)), ((3, 1), (1, 3)))  # fmt: skip
MANY = ((1, 1), (1, 3), (3, 1), (3, 3), (2, 2))

#: Groups of things that look the same in a mirror, unless their name says a side.
MIRRORED = ("animals-nature", "food-drink", "travel-places", "activities", "objects")

#: Where its draws begin: none is one of EmojiScenes'; and numbers of things less one, as often as they occur.
_FIRST = 300
_COUNTED = tuple(n for n, often in enumerate(COUNTS) for _ in range(often))
#: A draw from random numbers below a limit: the limit, and the number of the draw.
Draw = Callable[[int | Tensor, int], Tensor]


@dataclass(frozen=True)
class Layout:
    """What is where in a batch of scenes; slots without a sprite hold -1 as sprite and concept.

    Attributes:
        same: all things are of one kind, shape (B,), bool.
        concept: index into `emojicaps.load().concepts`, shape (B, 5), int64.
        sprite: position in `emojicaps.load().images`, shape (B, 5), int64; later slots are drawn over earlier ones.
        size: index into the sprite sizes, shape (B, 5), int64.
        top, left: first pixel of each sprite, shape (B, 5), int64.
        mirrored: shape (B, 5), bool.
        light: of each sprite, out of 128, shape (B, 5), int64.
        masks: numbers of the ground's two patterns, shape (B, 2), int64; the second is -1 where there is one only.
        colours: of the ground, shape (B, 3, 3), int64: three colours with three channels each.

    Example:
        >>> DiverseScenes(8).layout(torch.arange(8)).sprite.shape
        torch.Size([8, 5])
    """

    same: Tensor
    concept: Tensor
    sprite: Tensor
    size: Tensor
    top: Tensor
    left: Tensor
    mirrored: Tensor
    light: Tensor
    masks: Tensor
    colours: Tensor


@dataclass(frozen=True)
class DiverseScenes(Scenes):
    """`n` composed scenes, as diverse as the shipped sprites allow.

    Example:
        >>> scenes = DiverseScenes(3_000_000)
        >>> scenes.render([2_999_999]).shape, len(scenes.captions([2_999_999]))
        (torch.Size([1, 3, 32, 32]), 1)
    """

    kind: ClassVar[str] = "DiverseScenes"
    version: ClassVar[int] = VERSION

    def layout(self, indices: Tensor | Sequence[int]) -> Layout:
        """What is where in the given scenes.

        Raises:
            IndexError: there is no such scene.
        """
        bank, index = sprite_bank(self.size, self.device, SHARES), self.numbers(indices)

        def draw(limit: int | Tensor, k: int) -> Tensor:
            return random_below(limit, self.seed, index, _FIRST + k)

        def each(limit: int | Tensor, k: int) -> Tensor:  # a draw for every slot, (B, SLOTS)
            limits = limit.unbind(1) if isinstance(limit, Tensor) and limit.ndim == 2 else [limit] * SLOTS
            return torch.stack([draw(one, k + slot) for slot, one in enumerate(limits)], 1)

        count = torch.tensor(_COUNTED, device=index.device)[draw(len(_COUNTED), 0)]  # things less one
        there = torch.arange(SLOTS, device=index.device) <= count[:, None]  # (B, SLOTS)
        same = (count > 0) & (draw(SAME, 1) == 0)
        before = (count == 1) & ~same & (draw(BEFORE, 2) == 0)
        usable = _different(each, len(bank.usable), same)  # (B, SLOTS)
        size = _sizes(each, count, there, before)
        edge = torch.tensor(bank.sizes, device=index.device)[size]
        top, left = (self._corner(draw, each, axis, count, before, edge) for axis in (0, 1))
        concept = bank.usable[usable]
        masks = torch.stack([draw(grounds.MASKS, 3), draw(2 * grounds.MASKS, 4)], 1)
        return Layout(
            same=same,
            concept=torch.where(there, concept, -1),
            sprite=torch.where(there, bank.position[bank.first[usable] + each(bank.styles[usable], 20)], -1),
            size=size,
            top=top,
            left=left,
            mirrored=(each(2, 30) == 0) & _may_be_mirrored(self.device)[concept],
            light=(96 + each(64, 40)).clamp(max=128),
            masks=torch.where(masks < grounds.MASKS, masks, -1),
            colours=_colours(draw),
        )

    def _corner(self, draw: Draw, each: Draw, axis: int, count: Tensor, before: Tensor, edge: Tensor) -> Tensor:
        """First row (axis 0) or column (axis 1) of each sprite, (B, SLOTS)."""
        device, side = count.device, self.size
        places = each(1 << 30, 50).argsort(dim=1, stable=True)
        quarter = torch.tensor(MANY, device=device)[places][..., axis]  # (B, SLOTS)
        pair = torch.tensor(TWO, device=device)[draw(len(TWO), 5)][..., axis]  # (B, 2)
        pair = torch.cat([torch.where(before[:, None], 2, pair), quarter[:, 2:]], 1)
        centre = torch.where((count == 1)[:, None], pair, quarter) * side // 4
        span = torch.where(before, side // 4, side // 8)[:, None].expand(-1, SLOTS)  # how far from there, in all
        centre = centre + each(span + 1, 60 + 10 * axis) - span // 2
        centre = torch.where((count == 0)[:, None], draw(side, 6 + axis)[:, None], centre)
        return torch.minimum((centre - edge // 2).clamp(min=0), side - edge)

    def concepts(self, indices: Tensor | Sequence[int]) -> Tensor:
        return self.layout(indices).concept.cpu()

    def captions(self, indices: Tensor | Sequence[int]) -> list[str]:
        index = self.numbers(indices)
        layout = self.layout(index)
        edge = torch.tensor(sprite_bank(self.size, self.device, SHARES).sizes, device=index.device)[layout.size]
        return captions_of(
            layout.concept,
            layout.top + edge // 2,
            layout.left + edge // 2,
            edge,
            grounds.colour_names(layout.colours[:, 0]),
            layout.masks[:, 0] % len(grounds.PATTERNS),
            lambda k: random_below(1 << 20, self.seed, index, _FIRST + 200 + k),
        )

    def draw(self, index: Tensor, out: Tensor) -> None:
        bank, layout = sprite_bank(self.size, self.device, SHARES), self.layout(index)
        canvas = self._ground(layout)  # (b, side * side), int64
        flat = canvas.view(-1)
        begin = torch.arange(len(index), device=index.device)[:, None] * self.size**2
        corner = begin + layout.top * self.size + layout.left  # (b, SLOTS), in `flat`
        for slot in range(SLOTS):
            there = layout.sprite[:, slot] >= 0
            for k, edge in enumerate(bank.sizes):
                chosen = ((layout.size[:, slot] == k) & there).nonzero()[:, 0]
                if not len(chosen):
                    continue
                sprite = bank.sprites(k, bank.row[layout.sprite[chosen, slot]]).view(-1, edge, edge)
                sprite = torch.where(layout.mirrored[chosen, slot, None, None], sprite.flip(2), sprite).flatten(1)
                sprite = lanes.dimmed(sprite, layout.light[chosen, slot, None])
                span = torch.arange(edge, device=index.device)
                place = corner[chosen, slot, None] + (span[:, None] * self.size + span).flatten()  # (b, edge * edge)
                flat[place] = lanes.over(sprite, flat[place])
        out.copy_(lanes.to_bytes(canvas, self.size))

    def _ground(self, layout: Layout) -> Tensor:
        """Two colours mixed by a pattern, and in half of the scenes a third by another; (b, side * side)."""
        masks = grounds.masks(self.size, self.device)
        one, two, three = lanes.colour(layout.colours).unbind(1)  # (b,)
        ground = lanes.mixed(one[:, None], two[:, None], masks[layout.masks[:, 0]].long())
        second = (layout.masks[:, 1] >= 0).nonzero()[:, 0]
        mask = masks[layout.masks[second, 1]].long()
        ground[second] = lanes.mixed(ground[second], three[second, None], mask)
        return ground


def _different(each: Draw, total: int, same: Tensor) -> Tensor:
    """Numbers below `total`, (B, SLOTS): all different, each as likely as any other; or all the first one."""
    limits = torch.arange(total, total - SLOTS, -1, device=same.device).expand(len(same), SLOTS)
    found = each(limits, 10)
    for slot in range(1, SLOTS):
        for other in found[:, :slot].sort(1).values.unbind(1):
            found[:, slot] += found[:, slot] >= other
    return torch.where(same[:, None], found[:, :1], found)


def _sizes(each: Draw, count: Tensor, there: Tensor, before: Tensor) -> Tensor:
    """Index of each sprite's size, (B, SLOTS): the largest first, so that what is drawn later hides little."""
    first, choices = (torch.tensor(table, device=count.device)[count, None] for table in (SMALLEST, CHOICES))
    drawn = first + each(choices.expand(-1, SLOTS), 80)
    drawn = torch.where(there, drawn, -1).sort(1, descending=True).values.clamp(min=0)
    return torch.where(before[:, None], torch.tensor([9, 3, 0, 0, 0], device=count.device), drawn)


def _colours(draw: Draw) -> Tensor:
    """Three colours of the ground, (B, 3, 3); half of the grounds are quiet: the others lie near the first."""
    found = torch.stack([torch.stack([draw(256, 90 + 3 * c + k) for k in range(3)], 1) for c in range(3)], 1)
    quiet = (draw(2, 8) == 0)[:, None, None]
    return torch.where(quiet, (3 * found[:, :1] + found) >> 2, found)


@functools.lru_cache(maxsize=2)
def _may_be_mirrored(device: str) -> Tensor:
    """Of each concept, whether it looks the same in a mirror."""
    concepts = emojicaps.load().concepts
    sided = re.compile(r"\b(left|right|clockwise)\b")
    return torch.tensor([c.group in MIRRORED and not sided.search(c.label) for c in concepts], device=device)
