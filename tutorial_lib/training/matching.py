"""Epochs in which each picture gets the caption of a pool that it fits best: the training of RoCLIP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tutorial_lib.evaluate import embed_texts
from tutorial_lib.losses import clip_loss
from tutorial_lib.training.curriculum import Passes, Step
from tutorial_lib.training.device import seeded
from tutorial_lib.training.pool import Pool
from tutorial_lib.training.views import Views


class Matching:
    """Passes over all pairs; in every `every`-th epoch, captions come out of the pool.

    Args:
        views: of the pairs.
        every: 1 is each epoch; the first epoch counts as number 1.
        size: captions of the pool.
        changed: pictures and captions are augmented.

    Example:
        >>> from tutorial_lib import models
        >>> from tutorial_lib.data.pairs import Pairs
        >>> from tutorial_lib.trials import Recipe
        >>> images, recipe = torch.zeros(8, 3, 32, 32, dtype=torch.uint8), Recipe(epochs=2, batch_size=4)
        >>> pairs = Pairs(images, ("a dog",) * 8, tuple("12345678"), torch.full((8,), -1))
        >>> model, tokenizer = models.load(models.CHECKPOINTS / "unknown-1")
        >>> views = Views.of(model, tokenizer, pairs, recipe, seed=0, device=torch.device("cpu"))
        >>> matching = Matching(views, every=2, size=4)
        >>> _ = matching.steps(0), matching.steps(1)
        >>> len(matching.pool)  # filled before the second epoch
        4
    """

    def __init__(self, views: Views, *, every: int, size: int, changed: bool = True) -> None:
        self.views, self.every, self.pool, self.changed = views, every, Pool(size), changed
        self._passes = Passes(len(views.pairs), self._own, views.recipe, views.seed)

    @property
    def per_epoch(self) -> int:
        return self._passes.per_epoch

    @property
    def divisible(self) -> bool:
        return False

    def steps(self, epoch: int) -> list[Step]:
        steps = self._passes.steps(epoch)
        if (epoch + 1) % self.every:
            return steps
        if not len(self.pool):
            self._fill()
        return [replace(step, loss_of=self._matched) for step in steps]

    def state(self) -> dict[str, Any]:
        return self.pool.state()

    def restore(self, state: dict[str, Any]) -> None:
        self.pool.restore(state)

    def _fill(self) -> None:
        """Random captions, as the model has them before the first epoch that needs them."""
        views = self.views
        drawn = torch.randperm(len(views.pairs), generator=seeded(views.seed, 4))[: self.pool.size]
        captions = [views.pairs.captions[i] for i in drawn.tolist()]
        self.pool.add(embed_texts(views.model, views.tokenizer, captions).to(views.device))

    def _seen(self, batch: Tensor, step: int) -> tuple[Tensor, Tensor]:
        return self.views.changed(batch, step) if self.changed else self.views.plain(batch, step)

    def _own(self, batch: Tensor, step: int) -> Tensor:
        image, text = self._seen(batch, step)
        return clip_loss(image, text, self.views.model.logit_scale.exp())

    def _matched(self, batch: Tensor, step: int) -> Tensor:
        image, text = self._seen(batch, step)
        nearest = self.pool.nearest(image)
        self.pool.add(text)
        return clip_loss(image, nearest, self.views.model.logit_scale.exp()) + 0 * text.sum()  # a gradient for each
