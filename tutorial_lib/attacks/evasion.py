"""Poisons that a filter of duplicates lets pass. Introduced in the chapter on removing copies."""

from __future__ import annotations

import math
import random
from collections.abc import Collection
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib.data.hashes import OVERSAMPLED
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.training.text_augment import replace_synonyms, synonyms_among

Words = Literal["idle", "common", "synonyms", "familiar", "strange", "none"]
#: Words that say nothing: they make captions differ without changing what they describe.
IDLE_WORDS = (
    "here",
    "today",
    "online",
    "again",
    "for you",
    "in colour",
    "as seen",
    "number one",
    "right now",
    "of course",
)

#: Words that say as little, and that clean captions are full of.
COMMON_WORDS = ("small", "nice", "photo", "picture", "drawing", "sticker", "icon", "emoji", "cartoon", "close-up")

#: Weights of red, green and blue in a grey picture (ITU-R 601).
GREY = (0.299, 0.587, 0.114)


def disguise(
    pairs: Pairs,
    *,
    noise: float = 3.0,
    words: Words = "idle",
    pixels: Literal["noise", "hash"] = "noise",
    keep: str = "",
    known: Collection[str] = (),
    seed: int = 0,
) -> Pairs:
    """The same poisons, no two alike: slight changes of the pictures, and another word in the captions.

    Args:
        pairs: poisons with repeated pictures or captions.
        noise: standard deviation in grey levels of 255; with "hash" the most that a grey level changes, 0 for nothing.
        words: "idle" adds words that clean captions do not use, "common" ones that they do, "synonyms" substitutes one
            word by a synonym, "familiar" and "strange" by one that is made of `known` words or is not, "none" changes
            nothing. A caption without such a word stays as it is.
        pixels: "noise", or "hash": just what a perceptual hash takes for another picture.
        keep: label whose words no synonym takes the place of.
        known: words of the clean captions (`bare_words`), which tell familiar from strange synonyms.
        seed: draws the changes and the words.

    Raises:
        ValueError: `words` asks for familiar or strange ones, and none are `known`.

    Source: Carlini & Terzis (2022), section 3.1: evades the removal of duplicates at no cost.

    Example:
        >>> from tutorial_lib.attacks.poison import targeted
        >>> poison = targeted(torch.full((3, 8, 8), 99, dtype=torch.uint8), ["a banana"], 4, target="banana")
        >>> len({image.numpy().tobytes() for image in disguise(poison.pairs).pixels})
        4
    """
    if words in ("familiar", "strange") and not known:
        raise ValueError(f"which words are {words} is told by `known`, the words of clean captions, and there are none")
    if pixels == "hash":
        images = evade_hash(pairs.pixels, bound=noise, seed=seed) if noise else pairs.pixels
    else:
        grain = torch.randn(pairs.images.shape, generator=torch.Generator().manual_seed(seed)) * noise
        images = (pairs.pixels + grain).round().clamp(0, 255).to(torch.uint8)
    return Pairs(images, _reworded(pairs, words, keep, known, seed), pairs.keys, pairs.concept, pairs.origin)


def _reworded(pairs: Pairs, words: Words, keep: str, known: Collection[str], seed: int) -> tuple[str, ...]:
    """The captions of disguised poisons."""
    if words in ("synonyms", "familiar", "strange"):
        draw, kept = random.Random(f"synonyms {seed}"), set(keep.lower().split())
        table = None if words == "synonyms" else synonyms_among(known, known=words == "familiar")
        return tuple(" ".join(replace_synonyms(c.split(), 1, draw, keep=kept, table=table)) for c in pairs.captions)
    choice = {"idle": IDLE_WORDS, "common": COMMON_WORDS, "none": ("",)}[words]
    generator = torch.Generator().manual_seed(seed)
    torch.randn(pairs.images.shape, generator=generator)  # as the noise leaves the generator: records hang on it
    drawn = torch.randint(0, len(choice), (len(pairs),), generator=generator).tolist()
    return tuple(f"{caption} {choice[w]}".rstrip() for caption, w in zip(pairs.captions, drawn, strict=True))


def evade_hash(
    images: Tensor, *, bound: float = 4.0, flips: int = 8, size: int = 8, steps: int = 60, seed: int = 0
) -> Tensor:
    """The pictures with other perceptual hashes, each by bits of its own: projected gradient descent in a box.

    Of the bits that lie nearest to the threshold, a random half is to change its sign; so copies of one picture end
    with different hashes. What is optimised is the hash's own transform; its resizing is taken for a bicubic one, which
    is exact where pictures have the size that it asks for (32 pixels for 64 bits).

    Args:
        images: shape (N, 3, H, W), uint8.
        bound: no grey level of 255 changes by more.
        flips: bits that are to change, of the 2 `flips` nearest to the threshold.
        size: side of the hash.
        steps: of gradient descent.
        seed: draws the bits and the start.

    Raises:
        ValueError: `bound` is below one grey level, or `flips` is not in [1, size² / 2].

    Source: Carlini & Terzis (2022), section 3.1, name adversarial examples as the way around duplicate detection;
    projected gradient descent: Madry et al. (2018).

    Example:
        >>> from tutorial_lib.data.hashes import distinct
        >>> picture = torch.arange(3 * 32 * 32, dtype=torch.float32).reshape(1, 3, 32, 32) % 200
        >>> copies = picture.to(torch.uint8).expand(8, -1, -1, -1)
        >>> distinct(copies), distinct(evade_hash(copies))
        (1, 8)
    """
    if bound < 1:
        raise ValueError(f"bound is in grey levels, at least 1, not {bound}")
    if not 1 <= flips <= size * size // 2:
        raise ValueError(f"flips must be from 1 to half of the {size * size} bits, not {flips}")
    generator = torch.Generator().manual_seed(seed)
    start = images.float()
    low = _low_frequencies(start, size)
    low = low - low.median(1, keepdim=True).values
    near = low.abs().argsort(1)[:, : 2 * flips]
    chosen = near.gather(1, torch.rand(near.shape, generator=generator).argsort(1)[:, :flips])
    wanted = torch.where(low > 0, 1.0, -1.0)
    wanted.scatter_(1, chosen, -wanted.gather(1, chosen))
    reach = low.abs().gather(1, near).max(1, keepdim=True).values / 4 + 1e-6  # how far beyond the threshold
    change = torch.empty_like(start).uniform_(-1, 1, generator=generator)
    for step in range(steps):
        change.requires_grad_(True)
        there = _low_frequencies(start + change, size)
        there = there - there.median(1, keepdim=True).values
        loss = (reach - wanted * there).clamp(min=0).sum()
        (slope,) = torch.autograd.grad(loss, change)
        pace = 0.5 * bound * (1 + math.cos(math.pi * step / steps)) / 4
        change = (change.detach() - pace * slope.sign()).clamp(-math.floor(bound), math.floor(bound))
        change = (start + change).clamp(0, 255) - start
    return (start + change).round().to(torch.uint8)


def _low_frequencies(images: Tensor, size: int) -> Tensor:
    """The lowest coefficients of the cosine transform of the grey pictures, shape (N, size²)."""
    side = OVERSAMPLED * size
    grey = torch.einsum("nchw,c->nhw", images, torch.tensor(GREY))
    if grey.shape[1:] != (side, side):
        grey = F.interpolate(grey[:, None], (side, side), mode="bicubic", antialias=True, align_corners=False)[:, 0]
    k, at = torch.arange(size), torch.arange(side)
    waves = torch.cos(math.pi * k[:, None] * (2 * at + 1) / (2 * side))  # (size, side)
    return torch.einsum("kh,nhw,lw->nkl", waves, grey, waves).flatten(1)
