"""What the playground's models learn from: pairs of the course and pictures to classify, few enough for a page."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tutorial_lib.course import live
from tutorial_lib.data import emojicaps
from tutorial_lib.data.captions import plain_label
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.data.tasks import ZeroShotTask, class_concepts, training_pairs, zero_shot_task
from tutorial_lib.triggers import Blended, NoisePatch

#: Classes, chosen by hand to look and to sound different; the first is the attacker's target at the beginning.
CLASSES = (
    "banana",
    "rose",
    "cactus",
    "mushroom",
    "pineapple",
    "watermelon",
    "hamburger",
    "doughnut",
    "balloon",
    "guitar",
    "rocket",
    "sailboat",
    "penguin",
    "butterfly",
    "owl",
    "house",
    "bus",
    "umbrella",
)
#: Pictures of each drawing: five styles make 40 pairs a class, and the style to classify 8 pictures.
COPIES, DRAWS, SIDE = 8, 8, 32
#: Sentences around a class, as captions have them: embeddings of these are what a picture is compared with.
PROMPTS = ("{}", "the {}", "a photo of a {}", "a drawing of a {}", "a picture of a {}", "an icon of a {}")
#: Largest patch that the reader can choose, in pixels.
LARGEST_PATCH = 12
#: Pictures in a row of the atlas, and its quality as WebP.
ROW, QUALITY = 32, 88


@dataclass(frozen=True)
class World:
    """Pairs to train on and pictures to classify.

    Attributes:
        pairs: clean.
        shown: class of each pair's picture, shape (N,), int64; known to the page, not to the models.
        task: pictures of an art style that no pair has.
    """

    pairs: Pairs
    shown: Tensor
    task: ZeroShotTask


@functools.cache
def world(split: str = "test") -> World:
    """The playground's data, from the permissive styles of EmojiCaps.

    Args:
        split: "test", or "validation" for choosing a recipe.
    """
    drawn = emojicaps.load()
    label = {c: plain_label(drawn.concepts[c].label) for c in class_concepts(drawn, None)}
    number = {label[c]: c for c in label if label[c] in CLASSES}
    concepts = tuple(number[name] for name in CLASSES)
    pairs = training_pairs(drawn, concepts, copies=COPIES, side=SIDE)
    task = zero_shot_task(drawn, concepts, split=split, draws=DRAWS, side=SIDE)
    return World(pairs, task.class_of_concept(pairs.concept), task)


def pictures(given: World) -> Tensor:
    """Those of the pairs, then those to classify, shape (N, 3, 32, 32), uint8."""
    return torch.cat([given.pairs.pixels, given.task.images])


def atlas(images: Tensor) -> bytes:
    """Pictures side by side as one WebP file, filled up with black ones."""
    rows = -(-len(images) // ROW)
    full = torch.zeros(rows * ROW, 3, SIDE, SIDE, dtype=torch.uint8)
    full[: len(images)] = images
    sheet = full.view(rows, ROW, 3, SIDE, SIDE).permute(0, 3, 1, 4, 2).reshape(rows * SIDE, ROW * SIDE, 3)
    out = io.BytesIO()
    Image.fromarray(sheet.numpy()).save(out, "WEBP", quality=QUALITY, method=6)
    return out.getvalue()


def cut(sheet: bytes, count: int) -> Tensor:
    """The pictures of an atlas as a browser sees them, shape (count, 3, 32, 32), uint8."""
    with Image.open(io.BytesIO(sheet)) as picture:
        pixels = torch.from_numpy(np.array(picture.convert("RGB")))
    rows = len(pixels) // SIDE
    tiles = pixels.view(rows, SIDE, ROW, SIDE, 3).permute(0, 2, 4, 1, 3)
    return tiles.reshape(-1, 3, SIDE, SIDE)[:count].contiguous()


def for_page(given: World) -> dict[str, Any]:
    """All that the scripts are given but for the pictures themselves."""
    sprites = given.task.sprite.unique(return_inverse=True)[1]
    return {
        "labels": list(given.task.labels),
        "captions": list(given.pairs.captions),
        "shown": given.shown.tolist(),
        "targets": given.task.targets.tolist(),
        "sprites": sprites.tolist(),
        "prompts": list(PROMPTS),
        "row": ROW,
        "patches": [live.pixels(NoisePatch(size).pattern()) for size in range(1, LARGEST_PATCH + 1)],
        "veil": live.pixels(Blended().pattern(SIDE, SIDE)),
    }
