"""Pairs that fit too well: a backdoor is easy to learn, so the pictures and captions of poisons end up close.

Source: Li et al. (2021) isolate, for classifiers, the examples with the lowest loss. For CLIP the loss of a pair
depends on its batch; the cosine of its picture and caption does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.detect.base import Detector

if TYPE_CHECKING:
    import open_clip
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models import Tokenizer


@dataclass(frozen=True)
class PairSimilarity(Detector):
    """The cosine similarity of picture and caption under the trained model.

    Example:
        >>> import torch
        >>> from tutorial_lib import models
        >>> from tutorial_lib.data.pairs import Pairs
        >>> images = torch.zeros(3, 3, 32, 32, dtype=torch.uint8)
        >>> pairs = Pairs(images, ("a", "b", "c"), tuple("123"), torch.full((3,), -1))
        >>> PairSimilarity().scores(*models.load(models.CHECKPOINTS / "unknown"), pairs).shape
        torch.Size([3])
    """

    kind: ClassVar[str] = "pair-similarity"
    title: ClassVar[str] = "similarity of picture and caption"

    def scores(self, model: open_clip.CLIP, tokenizer: Tokenizer, pairs: Pairs) -> Tensor:
        from tutorial_lib.evaluate import embed_images, embed_texts

        images, texts = embed_images(model, pairs.images), embed_texts(model, tokenizer, pairs.captions)
        return (images * texts).sum(1)
