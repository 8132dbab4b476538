"""Pairs whose picture comes up again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.trials.detector import Detector

if TYPE_CHECKING:
    import open_clip
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models import Tokenizer

#: Pictures that are hashed at a time.
PART = 4096


@dataclass(frozen=True)
class NearDuplicates(Detector):
    """How many other pairs have the same perceptual hash: the filter that targeted poisoning has to evade.

    Attributes:
        size: side of the hash, of size² bits.

    Raises:
        ValueError: `size` is below 2.

    Source: Carlini & Terzis (2022), section 3.1; pHash as in `tutorial_lib.data.hashes`.

    Example:
        >>> import torch
        >>> from tutorial_lib.data.pairs import Pairs
        >>> images = torch.randint(0, 256, (5, 3, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
        >>> images[3] = images[1]
        >>> pairs = Pairs(images, tuple("abcde"), tuple("12345"), torch.full((5,), -1))
        >>> NearDuplicates().scores(None, None, pairs).tolist()  # no model is asked
        [0.0, 1.0, 0.0, 1.0, 0.0]
    """

    kind: ClassVar[str] = "near-duplicates"
    title: ClassVar[str] = "perceptual near-duplicates"

    size: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(size=2)

    def scores(self, model: open_clip.CLIP, tokenizer: Tokenizer, pairs: Pairs) -> Tensor:
        import torch

        from tutorial_lib.data.hashes import perceptual_hash

        bits = torch.cat([perceptual_hash(part, self.size) for part in pairs.images.split(PART)])
        _, group, counts = bits.unique(dim=0, return_inverse=True, return_counts=True)
        others: Tensor = counts[group] - 1
        return others.float()
