"""EmojiCaps: the pictures that ship with the course, one per (concept, art style).

Introduced in the chapter on CLIP from scratch. `data_scripts/emojicaps.py` builds the shards; this module reads them,
checks their SHA-256 and splits them by style family.
"""

from __future__ import annotations

import functools
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from tutorial_lib.data.integrity import FOLDER, CorruptDataError, verify

#: Styles whose licence asks for attribution only; the others (CC-BY-SA-4.0) are read on request.
PERMISSIVE = ("noto", "noto-v1", "twemoji", "fluent-emoji", "fluent-emoji-flat", "emojione", "fxemoji")
SHARE_ALIKE = ("openmoji", "emojione-v1")
STYLES = PERMISSIVE + SHARE_ALIKE

#: Sets drawn by the same hands; a family is never divided between training and test.
FAMILIES = (
    ("noto", "noto-v1"),
    ("fluent-emoji", "fluent-emoji-flat"),
    ("twemoji", "emojione-v1"),
    ("emojione",),
    ("fxemoji",),
    ("openmoji",),
)

TRAIN_STYLES = ("noto", "noto-v1", "fluent-emoji", "fluent-emoji-flat", "emojione")
VALIDATION_STYLE = "fxemoji"
TEST_STYLE = "twemoji"

#: Groups of things that can be seen; faces, hands, flags and signs are left to the captions.
CLASS_GROUPS = ("animals-nature", "food-drink", "travel-places", "activities", "objects")
#: Concepts that look like the checkerboard trigger; never a class, a target or a test picture.
TRIGGER_LIKE = ("1f3c1",)  # chequered flag


@dataclass(frozen=True)
class Concept:
    """What a picture shows: Unicode code points, CLDR label and keywords.

    Example:
        >>> next(c for c in load().concepts if c.label == "banana").keywords
        ('fruit', 'potassium')
    """

    code: str
    label: str
    label_zh: str
    keywords: tuple[str, ...]
    group: str


@dataclass(frozen=True)
class EmojiCaps:
    """Pictures of some styles, in memory.

    Attributes:
        images: RGBA pictures, shape (N, 64, 64, 4), uint8, colours not premultiplied.
        concepts: every concept that occurs, sorted by code.
        concept: index into `concepts` for each picture, shape (N,), int64.
        style: style of each picture, N strings.
        skipped: pictures that could not be decoded.

    Example:
        >>> drawn = load()
        >>> drawn.images.shape[1:], len(drawn) == len(drawn.style)
        (torch.Size([64, 64, 4]), True)
    """

    images: Tensor
    concepts: tuple[Concept, ...]
    concept: Tensor
    style: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def of_styles(self, *styles: str) -> Tensor:
        """Positions of the pictures drawn in the given styles, shape (M,), int64."""
        return torch.tensor([i for i, s in enumerate(self.style) if s in styles], dtype=torch.int64)


@functools.lru_cache(maxsize=4)
def load(styles: tuple[str, ...] = PERMISSIVE, folder: Path = FOLDER) -> EmojiCaps:
    """Read the pictures of the given styles (about 2 s for the default seven).

    Raises:
        ValueError: a style does not exist.
        CorruptDataError: a shard differs from its checksum, or more than 1 % of its pictures cannot be decoded.

    Example:
        >>> sorted(set(load(("twemoji",)).style))
        ['twemoji']
    """
    for style in styles:
        if style not in STYLES:
            raise ValueError(f"there is no style {style!r}; choose from {', '.join(STYLES)}")
    verify(folder)
    pictures, metas, skipped = [], [], []
    for style in styles:
        with tarfile.open(folder / f"{style}.tar.gz") as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is None:  # not a regular file
                    continue
                body = file.read()
                if member.name.endswith(".webp"):
                    picture = body
                elif member.name.endswith(".json"):
                    try:
                        image = Image.open(io.BytesIO(picture)).convert("RGBA")
                    except OSError:
                        skipped.append(f"{style}/{member.name}")
                        continue
                    pictures.append(np.asarray(image))
                    metas.append(json.loads(body))
    if len(skipped) > 0.01 * (len(pictures) + len(skipped)):
        raise CorruptDataError(f"{len(skipped)} pictures cannot be decoded, the first is {skipped[0]}")
    by_code = {m["concept"]: m for m in metas}
    concepts = tuple(
        Concept(code, m["label"], m["label_zh"], tuple(m["keywords"]), m["group"])
        for code, m in sorted(by_code.items())
    )
    position = {c.code: i for i, c in enumerate(concepts)}
    return EmojiCaps(
        images=torch.from_numpy(np.stack(pictures)),
        concepts=concepts,
        concept=torch.tensor([position[m["concept"]] for m in metas]),
        style=tuple(m["style"] for m in metas),
        skipped=tuple(skipped),
    )


def twins(data: EmojiCaps, candidates: Tensor, training: Tensor, *, threshold: float = 0.1) -> Tensor:
    """Which candidate pictures have a near-duplicate among the training pictures.

    Two pictures are twins when, over white at 16x16, the root mean square difference of their colours
    (in 0..1) is below `threshold`.

    Args:
        data: the pictures.
        candidates: positions of pictures to judge, shape (M,).
        training: positions of training pictures, shape (K,).
        threshold: RMS difference in units of the full colour range.

    Returns:
        One boolean per candidate, shape (M,).

    Example:
        >>> drawn = load()
        >>> first = torch.tensor([0, 1])
        >>> twins(drawn, first, first)  # each is its own twin
        tensor([True, True])
    """
    one, two = (over_white(data.images[p], side=16).flatten(1) for p in (candidates, training))  # (M, 768), (K, 768)
    distance: Tensor = torch.cdist(one, two) / one.shape[1] ** 0.5
    return distance.amin(dim=1) < threshold


def over_white(images: Tensor, *, side: int) -> Tensor:
    """RGBA uint8 (N, H, W, 4) on a white ground, averaged to (N, 3, side, side) float in 0..1.

    Example:
        >>> clear = torch.zeros(1, 8, 8, 4, dtype=torch.uint8)  # wholly transparent
        >>> over_white(clear, side=2).unique()
        tensor([1.])
    """
    parts = []
    for part in images.split(512):
        x = part.float() / 255
        x = x[..., :3] * x[..., 3:] + (1 - x[..., 3:])
        parts.append(F.interpolate(x.permute(0, 3, 1, 2), size=(side, side), mode="area"))
    return torch.cat(parts)
