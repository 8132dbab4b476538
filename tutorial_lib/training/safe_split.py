"""A split of the pairs that is made anew in every epoch: the training of SafeCLIP."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tutorial_lib.data.pairs import POISON
from tutorial_lib.evaluate import embed_images, embed_texts
from tutorial_lib.losses import info_nce
from tutorial_lib.training import distributed
from tutorial_lib.training.curriculum import Loss, Step
from tutorial_lib.training.device import seeded
from tutorial_lib.training.mixture import two_gaussians
from tutorial_lib.training.pool import Pool
from tutorial_lib.training.views import Views


class SafeSplit:
    """In-modal epochs, slow CLIP epochs, then epochs of both: CLIP on safe pairs, each modality alone on the others.

    Args:
        views: of the pairs.
        warmup, slow, slow_rate, sure, growth, most, pool: as for `tutorial_lib.training.methods.SafeCLIP`.

    Attributes:
        notes: of each epoch after the split, how many pairs were safe and how many poisons among them.

    Example:
        >>> from tutorial_lib import models
        >>> from tutorial_lib.data.pairs import Pairs
        >>> from tutorial_lib.trials import Recipe
        >>> images, recipe = torch.zeros(8, 3, 32, 32, dtype=torch.uint8), Recipe(epochs=3, batch_size=4)
        >>> pairs = Pairs(images, ("a dog",) * 8, tuple("12345678"), torch.full((8,), -1))
        >>> model, tokenizer = models.load(models.CHECKPOINTS / "unknown-1")
        >>> views = Views.of(model, tokenizer, pairs, recipe, seed=0, device=torch.device("cpu"))
        >>> split = SafeSplit(views, warmup=1, slow=1, slow_rate=0.01, sure=0.9, growth=0.01, most=0.85, pool=2)
        >>> len(split.steps(2)), split.notes["safe"]  # pairs that are all alike cannot be told apart
        (2, [8])
    """

    def __init__(
        self,
        views: Views,
        *,
        warmup: int,
        slow: int,
        slow_rate: float,
        sure: float,
        growth: float,
        most: float,
        pool: int,
    ) -> None:
        self.views, self.warmup, self.before = views, warmup, warmup + slow
        self.slow_rate, self.sure, self.growth, self.most = slow_rate, sure, growth, most
        self.notes: dict[str, list[int]] = {"safe": [], "safe_poisons": []}
        self._share: float | None = None
        self._pools = [Pool(pool) for _ in range(2)] if pool else []

    @property
    def per_epoch(self) -> int:
        return len(self.views.pairs) // self.views.recipe.batch_size

    @property
    def divisible(self) -> bool:
        return False

    def steps(self, epoch: int) -> list[Step]:
        recipe = self.views.recipe
        order = torch.randperm(len(self.views.pairs), generator=seeded(self.views.seed, epoch))
        if epoch >= self.before:
            safe = self._split()[order]
            return self._of_both(order[~safe], order[safe], epoch)
        loss_of = self.in_modal if epoch < self.warmup else self.clip
        first, total = epoch * self.per_epoch, self.before * self.per_epoch
        batches = order[: self.per_epoch * recipe.batch_size].split(recipe.batch_size)
        slow = None if epoch < self.warmup else self.slow_rate * recipe.lr
        return [
            Step(n, batch, recipe.lr_at(n, total) if slow is None else slow, loss_of)
            for n, batch in enumerate(batches, first)
        ]

    def _of_both(self, risky: Tensor, safe: Tensor, epoch: int) -> list[Step]:
        """In-modal batches of the risky pairs, then CLIP batches of the safe ones.

        What is left of either, less than a batch, is a last in-modal batch if together it fills one.
        """
        recipe = self.views.recipe
        size = recipe.batch_size
        whole = len(safe) // size * size
        alone = torch.cat([risky, safe[whole:]])
        alone = alone[: (self.per_epoch - whole // size) * size]
        batches: list[tuple[Tensor, Loss]] = [(b, self.in_modal) for b in alone.split(size) if len(b)]
        batches += [(b, self.clip) for b in safe[:whole].split(size) if len(b)]
        begun, total = (epoch - self.before) * self.per_epoch, (recipe.epochs - self.before) * self.per_epoch
        first = epoch * self.per_epoch
        return [
            Step(first + k, batch, recipe.lr_at(begun + k, total), loss_of)
            for k, (batch, loss_of) in enumerate(batches)
        ]

    def _split(self) -> Tensor:
        """Which pairs are safe now, shape (N,), bool."""
        views = self.views
        images = embed_images(views.model, views.pairs.images)
        cosine = (images * embed_texts(views.model, views.tokenizer, views.pairs.captions)).sum(1)
        sure, cosine = distributed.agreed((two_gaussians(cosine).larger, cosine))
        if self._share is None:
            safe = sure >= self.sure
            self._share = float(safe.double().mean())
        else:
            self._share = min(self._share + self.growth, self.most)
            by_cosine = cosine.argsort(descending=True, stable=True)
            best = by_cosine[sure[by_cosine].argsort(descending=True, stable=True)]
            safe = torch.zeros_like(sure, dtype=torch.bool)
            safe[best[: round(self._share * len(best))]] = True
        self.notes["safe"].append(int(safe.sum()))
        self.notes["safe_poisons"].append(int((views.pairs.origin[safe] == POISON).sum()))
        return safe

    def state(self) -> dict[str, Any]:
        return {"share": self._share, "notes": self.notes, "pools": [pool.state() for pool in self._pools]}

    def restore(self, state: dict[str, Any]) -> None:
        self._share, self.notes = state["share"], state["notes"]
        for pool, kept in zip(self._pools, state["pools"], strict=True):
            pool.restore(kept)

    def in_modal(self, batch: Tensor, step: int) -> Tensor:
        """Each changed view is to find the nearest in a pool of earlier views to the view it belongs to."""
        image, text, image_view, text_view = self.views.both(batch, step)
        scale = self.views.model.logit_scale.exp()
        if self._pools:
            image, text = (_nearest(pool, own) for pool, own in zip(self._pools, (image, text), strict=True))
        return (info_nce(image_view, image, scale) + info_nce(text_view, text, scale)) / 2

    def clip(self, batch: Tensor, step: int) -> Tensor:
        """The CLIP loss between a view of one side and a changed view of the other."""
        image, text, image_view, text_view = self.views.both(batch, step)
        scale = self.views.model.logit_scale.exp()
        return (info_nce(image, text_view, scale) + info_nce(text, image_view, scale)) / 2


def _nearest(pool: Pool, own: Tensor) -> Tensor:
    """What a pool has nearest to each embedding, which then join it; themselves where it is still empty."""
    near = pool.nearest(own) if len(pool) else own.detach()
    pool.add(own)
    return near
