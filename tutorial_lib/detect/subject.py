"""What is examined: a model, pictures to show it, and the texts that stand for classes."""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import open_clip
    from torch import Tensor

    from tutorial_lib.models import Tokenizer

#: Groups of captions that stand for classes where there are no labels.
GROUPS = 100


class SubjectError(ValueError):
    """A model, or its pictures, that cannot be examined."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A model under examination.

    Attributes:
        model: a CLIP model; it is left as it is.
        tokenizer: of the model.
        images: clean pictures to show it, shape (N, 3, side, side), uint8; nobody has to know what they show.
        labels: of the classes among which the attacker's target is looked for.
        captions: where there are no labels: groups of captions stand for classes, each called by its commonest one.

    Raises:
        SubjectError: pictures are not uint8 or of another side than the model takes, there are labels and captions, or
            weights are not all finite.

    Example:
        >>> import torch
        >>> from tutorial_lib import models
        >>> images = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
        >>> seen = Subject(*models.load(models.CHECKPOINTS / "clean"), images, labels=("banana", "cactus"))
        >>> seen.side, seen.directions.shape
        (32, torch.Size([128, 2]))
    """

    model: open_clip.CLIP
    tokenizer: Tokenizer
    images: Tensor
    labels: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        import torch

        from tutorial_lib.models import picture_side

        side, shape = picture_side(self.model), tuple(self.images.shape)
        if self.images.dtype != torch.uint8 or self.images.dim() != 4 or shape[1] != 3:
            raise SubjectError(f"pictures are uint8 of shape (N, 3, {side}, {side}), not {self.images.dtype} {shape}")
        if shape[2:] != (side, side):
            raise SubjectError(f"the model takes pictures of {side} x {side} pixels, not {shape[2]} x {shape[3]}")
        if self.labels and self.captions:
            raise SubjectError("classes have labels, or captions stand for them: give one of both")
        damaged = (n for n, p in self.model.named_parameters() if not p.isfinite().all())
        if name := next(damaged, ""):
            raise SubjectError(f"weights of the model are not all finite ({name}): it is damaged or did not converge")

    @property
    def side(self) -> int:
        """Width and height of the pictures."""
        return int(self.images.shape[-1])

    @property
    def names(self) -> tuple[str, ...]:
        """What the classes are called: C labels, or a caption of each group."""
        return self.labels or self._groups[0]

    @property
    def directions(self) -> Tensor:
        """Where the model has the texts of each class, shape (d, C), float32 on the CPU; C is 0 without any text.

        Raises:
            SubjectError: the text tower gives numbers that are not finite.
        """
        return self._directions

    @functools.cached_property
    def _directions(self) -> Tensor:
        from tutorial_lib.evaluate import zero_shot_classifier

        labels = self.labels
        found = zero_shot_classifier(self.model, self.tokenizer, labels) if labels else self._groups[1]
        if not found.isfinite().all():
            raise SubjectError("embeddings of texts are not all finite: the model is damaged or did not converge")
        return found

    @functools.cached_property
    def _groups(self) -> tuple[tuple[str, ...], Tensor]:
        """Names of the groups of captions, and the normalised mean of each, shape (d, C)."""
        import torch
        import torch.nn.functional as F

        from tutorial_lib.detect.caption_groups import caption_groups
        from tutorial_lib.evaluate import embed_texts

        if not self.captions:
            return (), torch.zeros(0, 0)
        points = embed_texts(self.model, self.tokenizer, self.captions)
        if not points.isfinite().all():
            raise SubjectError("embeddings of texts are not all finite: the model is damaged or did not converge")
        group = caption_groups(points, GROUPS)
        names, means = [], []
        for number in group.unique().tolist():
            mine = (group == number).nonzero()[:, 0].tolist()
            names.append(Counter(self.captions[i] for i in mine).most_common(1)[0][0])
            means.append(points[mine].mean(0))
        return tuple(names), F.normalize(torch.stack(means), dim=1).T

    @functools.cached_property
    def embeddings(self) -> Tensor:
        """Of the pictures, normalised, shape (N, d), float32 on the CPU.

        Raises:
            SubjectError: they are not finite, or all alike.
        """
        from tutorial_lib.evaluate import embed_images

        points = embed_images(self.model, self.images)
        if not points.isfinite().all():
            raise SubjectError("embeddings of pictures are not all finite: the model is damaged or did not converge")
        if len(points) > 1 and float((points - points[0]).abs().max()) < 1e-6:
            raise SubjectError(
                "the model has one embedding for all pictures: there is nothing that a trigger could move"
            )
        return points
