"""EmojiScenes: as many composed pictures with captions as you like, from nothing but a name.

A scene shows one to three EmojiCaps sprites on a background and has a caption that
says so. Scene `i` is a pure function of (VERSION, seed, i): a data set of 3,000,000 pairs is (n, size, seed)
and not a download. The counts are real, the diversity is not: every scene is made of about 7,000 sprites.

Rendering is integer arithmetic, so every device gives the same bytes. A pixel is one int64 with red, green,
blue and alpha in lanes of 16 bits; an operation on it serves all four.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tutorial_lib.data import emojicaps, integrity
from tutorial_lib.data.captions import TEMPLATES, article, plain_label
from tutorial_lib.data.compose import packed_sprites, random_below
from tutorial_lib.data.emojicaps import Concept
from tutorial_lib.data.pairs import Pairs

#: Raised whenever a scene's bytes or caption change.
VERSION = 1

#: Sprite sizes as a share of the picture's, and which of them serve where one, two or three are shown.
SHARES = (0.34, 0.42, 0.5, 0.6, 0.75, 0.9)
SMALLEST = (2, 1, 0)
CHOICES = (4, 3, 3)
SPRITE_SIDE = 64
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

_LANES = 0x0001000100010001
_LOW = 0x00FF00FF00FF00FF
_RGB = 0x0000FFFFFFFFFFFF


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


@dataclass(frozen=True)
class _Bank:
    """Everything that scenes of one size are made of, on one device."""

    side: int
    sizes: tuple[int, ...]
    tables: tuple[Tensor, ...]  # sprites at min(size, 64) pixels, (N, s * s), int32
    masks: Tensor  # mixtures of two colours, (MASKS, side * side), uint8 in 0..128
    regions: Tensor  # (9, 3, 4), pixels
    concepts: tuple[Concept, ...]  # every concept of the data
    usable: Tensor  # the concepts that scenes show, (C,)
    first: Tensor  # row of each usable concept's first sprite in the tables, (C,)
    styles: Tensor  # number of its sprites, (C,)
    position: Tensor  # where each row of the tables is in the data, (N,)
    row: Tensor  # and the other way round: which row a picture of the data is, -1 for none, (pictures,)


@functools.lru_cache(maxsize=2)
def _bank(side: int, device: str) -> _Bank:
    data = emojicaps.load()
    hidden = {i for i, c in enumerate(data.concepts) if c.code in emojicaps.TRIGGER_LIKE}
    position = data.of_styles(*emojicaps.TRAIN_STYLES)
    position = position[[c not in hidden for c in data.concept[position].tolist()]]
    position = position[torch.argsort(data.concept[position], stable=True)]
    usable, styles = torch.unique_consecutive(data.concept[position], return_counts=True)
    sizes = tuple(round(side * share) for share in SHARES)
    pictures = data.images[position]
    packed = {s: packed_sprites(pictures, s).flatten(1).to(device) for s in {min(s, SPRITE_SIDE) for s in sizes}}
    row = torch.full((len(data),), -1)
    row[position] = torch.arange(len(position))
    edges = torch.tensor([0, side // 2, side])
    return _Bank(
        side=side,
        sizes=sizes,
        tables=tuple(packed[min(s, SPRITE_SIDE)] for s in sizes),
        masks=_masks(side).to(device),
        regions=edges[torch.tensor(_REGIONS)].to(device),
        concepts=data.concepts,
        usable=usable.to(device),
        first=(styles.cumsum(0) - styles).to(device),
        styles=styles.to(device),
        position=position.to(device),
        row=row.to(device),
    )


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


def _lanes(packed: Tensor) -> Tensor:
    """int32 pixels with 8 bits per channel to int64 pixels with 16."""
    x = packed.long() & 0xFFFFFFFF
    x = (x | (x << 16)) & 0x0000FFFF0000FFFF
    return (x | (x << 8)) & _LOW


def _enlarge(x: Tensor, size: int) -> Tensor:
    """Bilinear, in steps of 1/128 of a source pixel: int64 pixels (b, s, s) to (b, size, size)."""
    last = x.shape[1] - 1
    at = ((2 * torch.arange(size, device=x.device) + 1) * (last + 1) * 64 // size - 64).clamp(0, last * 128)
    low, weight = at >> 7, at & 127
    high = (low + 1).clamp(max=last)
    for axis in (1, 2):
        w = weight[:, None] if axis == 1 else weight
        x = x.index_select(axis, low) * (128 - w) + x.index_select(axis, high) * w
        x = ((x + 64 * _LANES) >> 7) & _LOW
    return x


@dataclass(frozen=True)
class EmojiScenes:
    """`n` composed scenes with captions.

    Memory: rendering a batch needs the sprites (67 MB at 32 pixels) and what it returns. All pictures at once
    take n x 3 x size² bytes: at 32 pixels 92 MB for 30,000 (measured: the process grew by 98 MB with their
    captions), 0.9 GB for 300,000 and 9.2 GB for 3,000,000. Render batches where that is too much.

    Attributes:
        n: number of scenes.
        size: width and height in pixels.
        seed: another seed gives other scenes.
        device: where scenes are rendered; the bytes are the same everywhere.

    Raises:
        ValueError: `n` is below 1, or `size` below 16.

    Example:
        >>> scenes = EmojiScenes(3_000_000, size=32, seed=0)
        >>> scenes.render([2_999_999]).shape
        torch.Size([1, 3, 32, 32])
    """

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
        parts = ("EmojiScenes", VERSION, self.seed, self.n, self.size, integrity.fingerprint())
        return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()[:12]

    def layout(self, indices: Tensor | Sequence[int]) -> Layout:
        """What is where in the given scenes.

        Raises:
            IndexError: there is no such scene.
        """
        bank = _bank(self.size, self.device)
        index = torch.as_tensor(indices, dtype=torch.int64).to(self.device)
        outside = (index < 0) | (index >= self.n)
        if outside.any():
            raise IndexError(f"there is no scene {int(index[outside][0])}; they are numbered 0 to {self.n - 1}")

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
            box = bank.regions[region, slot]  # (B, 4)
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

    def render(self, indices: Tensor | Sequence[int]) -> Tensor:
        """Pictures, shape (B, 3, size, size), uint8, on `device`.

        Raises:
            IndexError: there is no such scene.
        """
        index = torch.as_tensor(indices, dtype=torch.int64).to(self.device)
        out = torch.empty(len(index), 3, self.size, self.size, dtype=torch.uint8, device=self.device)
        budget = 1 << 20 if out.device.type == "cpu" else 1 << 25  # pixels at a time: what a CPU's caches like
        part = max(1, budget // self.size**2)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # many small steps: waiting for a second thread costs more than it brings
        try:
            for start in range(0, len(index), part):
                self._draw(index[start : start + part], out[start : start + part])
        finally:
            torch.set_num_threads(threads)
        return out

    def _draw(self, index: Tensor, out: Tensor) -> None:
        bank, layout = _bank(self.size, self.device), self.layout(index)
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
                sprite = _lanes(bank.tables[k].index_select(0, bank.row[sprite_here[chosen]]))
                if edge > SPRITE_SIDE:
                    sprite = _enlarge(sprite.view(-1, SPRITE_SIDE, SPRITE_SIDE), edge).flatten(1)
                span = torch.arange(edge, device=index.device)
                place = corner[chosen, slot, None] + (span[:, None] * self.size + span).flatten()  # (b, edge * edge)
                under = flat[place] * (255 - (sprite >> 48)) + 128 * _LANES
                under = (under + ((under >> 8) & _LOW)) >> 8  # each lane divided by 255, rounded
                flat[place] = (sprite + (under & _LOW)) & _RGB
        pixels = canvas.view(torch.uint8).view(len(index), self.size, self.size, 8)
        out.copy_(pixels[..., 0:6:2].permute(0, 3, 1, 2))

    def _background(self, index: Tensor) -> Tensor:
        """Two colours, mixed by a mask; (b, side * side), int64 pixels."""

        def draw(limit: int, k: int) -> Tensor:
            return random_below(limit, self.seed, index, k)

        bank = _bank(self.size, self.device)
        one = torch.stack([draw(256, 40 + k) for k in range(3)], 1)  # (b, 3)
        two = torch.stack([draw(256, 43 + k) for k in range(3)], 1)
        two = torch.where(draw(2, 46).bool()[:, None], (3 * one + two) >> 2, two)  # half of the grounds are quiet
        shift = torch.tensor([0, 16, 32], device=index.device)
        one, two = ((colour << shift).sum(1, keepdim=True) for colour in (one, two))  # (b, 1)
        mask = bank.masks.index_select(0, draw(MASKS, 47)).long()  # (b, side * side)
        return ((one * (128 - mask) + two * mask) >> 7) & _LOW

    def captions(self, indices: Tensor | Sequence[int]) -> list[str]:
        """What each scene's alt text says: every sprite is named, and half of the captions end with keywords."""
        index = torch.as_tensor(indices, dtype=torch.int64).to(self.device)
        layout, data = self.layout(index), _bank(self.size, self.device).concepts
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

    def pairs(self, indices: Tensor | Sequence[int] | None = None) -> Pairs:
        """Scenes as stored pairs in the CPU's memory; by default all of them.

        `concept` holds the concept of the first sprite only; `concepts` tells all of them.
        """
        index = torch.arange(self.n) if indices is None else torch.as_tensor(indices, dtype=torch.int64)
        return Pairs(
            images=self.render(index).cpu(),
            captions=tuple(self.captions(index)),
            keys=tuple(f"scene-{self.seed}-{i:07d}" for i in index.tolist()),
            concept=self.concepts(index)[:, 0].contiguous(),
        )
