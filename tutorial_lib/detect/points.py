"""What detectors look at: where a model puts the pictures and the captions of its training set."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tutorial_lib.trials.detector import Detector

if TYPE_CHECKING:
    import open_clip
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models import Tokenizer


@dataclass(frozen=True)
class Points:
    """Embeddings of N pairs, made once for several detectors.

    Attributes:
        images: of the pictures, not normalised, shape (N, d): their norm tells poisons apart in some models.
        texts: of the captions, normalised, shape (N, d).

    Raises:
        ValueError: there are not as many captions as pictures, or a number is not finite.

    Example:
        >>> import torch
        >>> len(Points(torch.eye(3), torch.eye(3)))
        3
    """

    images: Tensor
    texts: Tensor

    def __post_init__(self) -> None:
        if len(self.images) != len(self.texts):
            raise ValueError(f"{len(self.images)} pictures and {len(self.texts)} captions are no pairs")
        for name in ("images", "texts"):
            embeddings = getattr(self, name)
            if embeddings.numel() and not all(bound.isfinite() for bound in embeddings.aminmax()):  # without a copy
                raise ValueError(f"embeddings of {name} are not all finite: the model is damaged or did not converge")

    def __len__(self) -> int:
        return len(self.images)


def points_of(model: open_clip.CLIP, tokenizer: Tokenizer, pairs: Pairs) -> Points:
    """The embeddings of pairs under a model.

    Example:
        >>> import torch
        >>> from tutorial_lib import models
        >>> from tutorial_lib.data.pairs import Pairs
        >>> images = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> pairs = Pairs(images, ("a", "b"), tuple("12"), torch.full((2,), -1))
        >>> points_of(*models.load(models.CHECKPOINTS / "unknown-1"), pairs).images.shape
        torch.Size([2, 128])
    """
    from tutorial_lib.evaluate import embed_images, embed_texts

    return Points(embed_images(model, pairs.images, normalise=False), embed_texts(model, tokenizer, pairs.captions))


@dataclass(frozen=True)
class PointDetector(Detector):
    """A detector that looks at embeddings only.

    Example:
        >>> from tutorial_lib.detect import DETECTORS
        >>> issubclass(DETECTORS["dao"], PointDetector)
        True
    """

    @abstractmethod
    def of_points(self, points: Points) -> Tensor:
        """How suspicious each pair is, shape (N,), float; higher is more suspicious.

        Raises:
            ValueError: there are too few pairs.
        """

    def scores(self, model: open_clip.CLIP, tokenizer: Tokenizer, pairs: Pairs) -> Tensor:
        return self.of_points(points_of(model, tokenizer, pairs))
