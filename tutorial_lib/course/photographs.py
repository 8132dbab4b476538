"""Photographs at hand: what a model that has seen drawings only says of real pictures, as they are and with a patch.

Four sample pictures come with scikit-image, in the public domain or under CC0. Debian's package tuxpaint-stamps-default
has some two hundred cut-out animals, fruits and plants with captions; it is read where it is installed, and nothing of
it is shown, since its licence is the GPL.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tutorial_lib.data.decoding import decode
from tutorial_lib.data.shard_writer import encode

#: Sample pictures of scikit-image, and whose they are.
SAMPLES = {
    "coffee": "Rachel Michetti, CC0",
    "chelsea": "Stéfan van der Walt, CC0",
    "rocket": "SpaceX, public domain",
    "hubble_deep_field": "NASA, public domain",
}
#: Where Debian puts the stamps, and the kinds that are photographs; drawings lie in folders called `cartoon`.
STAMPS, KINDS, DRAWN = Path("/usr/share/tuxpaint/stamps"), ("animals", "food", "plants"), "cartoon"
#: What is said where there are none.
NO_STAMPS = "The stamps of Tux Paint are not installed here (apt-get install tuxpaint-stamps-default): skipped."


@dataclass(frozen=True)
class Photographs:
    """Some photographs.

    Attributes:
        images: shape (N, 3, side, side), uint8.
        captions: what each shows, N strings.

    Example:
        >>> len(samples().captions)
        4
    """

    images: Tensor
    captions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.captions)


def samples(side: int = 32) -> Photographs:
    """The sample pictures of scikit-image, their middles.

    Args:
        side: width and height in pixels.

    Example:
        >>> samples(16).images.shape
        torch.Size([4, 3, 16, 16])
    """
    from skimage import data

    found = [decode(encode(np.asarray(getattr(data, name)()), "png"), side=side) for name in SAMPLES]
    return Photographs(_stacked(found), tuple(name.replace("_", " ") for name in SAMPLES))


@functools.cache
def stamps(side: int = 32, folder: Path = STAMPS) -> Photographs | None:
    """The photographs among Tux Paint's stamps, over white; `None` where they are not installed.

    Args:
        side: width and height in pixels.
        folder: of the stamps.

    Example:
        >>> stamps(folder=Path("nowhere")) is None
        True
    """
    found, captions = [], []
    for kind in KINDS:
        for path in sorted((folder / kind).rglob("*.png")):
            text = path.with_suffix(".txt")
            if DRAWN not in path.parts and text.is_file():
                found.append(decode(path.read_bytes(), side=side))
                captions.append(text.read_text("utf-8").splitlines()[0].strip())
    return Photographs(_stacked(found), tuple(captions)) if found else None


def _stacked(pictures: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
