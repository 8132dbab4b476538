"""Training with changed views of pictures and captions: the loss of CleanCLIP, and what robust training sees.

Introduced in the chapter on CleanCLIP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Unpack

import open_clip
import torch
from torch import Tensor

from tutorial_lib.data.pairs import Pairs
from tutorial_lib.losses import check_weights, cleanclip_loss
from tutorial_lib.models.fast import encode_text
from tutorial_lib.models.tokenizer import Tokenizer
from tutorial_lib.training.augment import autoaugment
from tutorial_lib.training.curriculum import Curriculum
from tutorial_lib.training.device import device_for, in_half, seeded
from tutorial_lib.training.distributed import share, whole
from tutorial_lib.training.loop import Options, encode_image, follow, optimize, prefetcher, random_views
from tutorial_lib.training.text_augment import augment_all
from tutorial_lib.trials import History, Recipe


@dataclass(frozen=True)
class Views:
    """Embeddings of random views of pairs, normalised, shape (B, d): a pure function of the seed and the step.

    Attributes:
        model: that embeds them.
        tokenizer: of the model.
        pairs: that are seen.
        tokens: of their captions, shape (N, L).
        recipe: its random crop.
        seed: of the views.
        device: of the model.
        half: the picture tower in bfloat16.

    Example:
        >>> from tutorial_lib import models
        >>> model, tokenizer = models.load(models.CHECKPOINTS / "unknown-1")
        >>> images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
        >>> pairs = Pairs(images, ("a dog",) * 8, tuple("12345678"), torch.full((8,), -1))
        >>> views = Views.of(model, tokenizer, pairs, Recipe(), seed=0, device=torch.device("cpu"))
        >>> [x.shape for x in views.changed(torch.arange(4), step=0)]
        [torch.Size([4, 128]), torch.Size([4, 128])]
    """

    model: open_clip.CLIP
    tokenizer: Tokenizer
    pairs: Pairs
    tokens: Tensor
    recipe: Recipe
    seed: int
    device: torch.device
    half: bool

    @classmethod
    def of(
        cls,
        model: open_clip.CLIP,
        tokenizer: Tokenizer,
        pairs: Pairs,
        recipe: Recipe,
        *,
        seed: int,
        device: torch.device,
    ) -> Views:
        """The views of some pairs."""
        tokens = tokenizer(pairs.captions)
        return cls(model, tokenizer, pairs, tokens, recipe, seed, device, in_half(recipe, device))

    def plain(self, batch: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Crops of the pictures, and the captions as they are."""
        views = random_views(self.model, self.pairs.images, batch, self.device, self._draw(step), self.recipe.scale)
        return self._embedded(views, [self.tokens[batch]])

    def changed(self, batch: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Crops of the pictures after AutoAugment, and captions after EDA."""
        return self._embedded(self._changed_views(batch, step, self._draw(step)), [self._changed_tokens(batch, step)])

    def both(self, batch: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Pictures and captions as `plain` has them, then as `changed` does, in one pass through each tower."""
        draw, images = self._draw(step), self.pairs.images
        views = torch.cat(
            [
                random_views(self.model, images, batch, self.device, draw, self.recipe.scale),
                self._changed_views(batch, step, draw),
            ]
        ).contiguous(memory_format=torch.channels_last)
        image, text = self._through(views, [self.tokens[batch], self._changed_tokens(batch, step)])
        (image, image_view), (text, text_view) = (map(whole, x.chunk(2)) for x in (image, text))
        return image, text, image_view, text_view

    def _draw(self, step: int) -> torch.Generator:
        return seeded(self.seed, step, 1)

    def _changed_views(self, batch: Tensor, step: int, draw: torch.Generator) -> Tensor:
        changed = autoaugment(self.pairs.images[batch], _number(self.seed, step, 2))
        return random_views(self.model, changed, torch.arange(len(batch)), self.device, draw, self.recipe.scale)

    def _changed_tokens(self, batch: Tensor, step: int) -> Tensor:
        texts = augment_all([self.pairs.captions[i] for i in batch.tolist()], _number(self.seed, step, 3))
        return self.tokenizer(texts)

    def _embedded(self, views: Tensor, tokens: list[Tensor]) -> tuple[Tensor, Tensor]:
        image, text = self._through(views, tokens)
        return whole(image), whole(text)

    def _through(self, views: Tensor, tokens: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Of this process's share, through the towers."""
        longest = max(int(t.argmax(1).max()) for t in tokens) + 1  # causal text tower: padding has no effect
        text = torch.cat([share(t)[:, :longest] for t in tokens]).to(self.device)
        image = encode_image(self.model, views, self.half)
        return image, encode_text(self.model, text).float()


def train_with_views(
    model: open_clip.CLIP,
    tokenizer: Tokenizer,
    pairs: Pairs,
    recipe: Recipe,
    *,
    lambda_clip: float = 1.0,
    lambda_self: float = 1.0,
    both_ways: bool = False,
    seed: int = 0,
    device: str | torch.device | None = None,
    progress: bool | None = None,
    **options: Unpack[Options],
) -> History:
    """Train a CLIP model in place with the loss of CleanCLIP; augmented views are drawn anew in every step.

    Args:
        model: moved to `device` and left there in evaluation mode.
        tokenizer: of the model.
        pairs: to train on.
        recipe: hyper-parameters; the random crop is applied to both views of a picture.
        lambda_clip, lambda_self, both_ways: of the loss, see `tutorial_lib.losses.cleanclip_loss`.
        seed: order of the pairs and augmentation.
        device: by default the GPU if there is one.
        progress: as for `tutorial_lib.training.loop.train`.
        options: of a checkpoint, as for `tutorial_lib.training.loop.optimize`.

    Raises:
        ValueError: a weight is negative, or there are fewer pairs than one batch.
        TrainingDivergedError: the loss is NaN or infinite.

    Example:
        >>> from tutorial_lib import models
        >>> model, tokenizer = models.load(models.CHECKPOINTS / "unknown-1")
        >>> images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
        >>> pairs = Pairs(images, ("a dog",) * 8, tuple("12345678"), torch.full((8,), -1))
        >>> train_with_views(model, tokenizer, pairs, Recipe(epochs=1, batch_size=4), progress=False).steps
        2
    """
    check_weights(lambda_clip, lambda_self)
    device = device_for(device)
    views = Views.of(model, tokenizer, pairs, recipe, seed=seed, device=device)

    def loss_of(batch: Tensor, step: int) -> Tensor:
        image, text, image_view, text_view = views.both(batch, step)
        return cleanclip_loss(
            image,
            text,
            image_view,
            text_view,
            model.logit_scale.exp(),
            lambda_clip=lambda_clip,
            lambda_self=lambda_self,
            both_ways=both_ways,
        )

    return optimize(
        model,
        len(pairs),
        loss_of,
        recipe,
        seed=seed,
        device=device,
        prefetch=prefetcher(pairs.images),
        progress=progress,
        **options,
    )


def train_by(
    views: Views, curriculum: Curriculum, *, progress: bool | None = None, **options: Unpack[Options]
) -> History:
    """Train a model in place by a curriculum that sees its pairs in views.

    Args:
        views: of the pairs, with the model.
        curriculum: the steps.
        progress: as for `tutorial_lib.training.loop.train`.
        options: of a checkpoint, as for `tutorial_lib.training.loop.follow`.

    Raises:
        ValueError: there are fewer pairs than one batch, or a checkpoint of another run.
        TrainingDivergedError: the loss is NaN or infinite.

    Example:
        >>> from tutorial_lib import models
        >>> from tutorial_lib.losses import clip_loss
        >>> from tutorial_lib.training.curriculum import Passes
        >>> model, tokenizer = models.load(models.CHECKPOINTS / "unknown-1")
        >>> images, recipe = torch.zeros(8, 3, 32, 32, dtype=torch.uint8), Recipe(epochs=1, batch_size=4)
        >>> pairs = Pairs(images, ("a dog",) * 8, tuple("12345678"), torch.full((8,), -1))
        >>> views = Views.of(model, tokenizer, pairs, recipe, seed=0, device=torch.device("cpu"))
        >>> passes = Passes(8, lambda batch, step: clip_loss(*views.changed(batch, step), 10.0), recipe)
        >>> train_by(views, passes, progress=False).steps
        2
    """
    recipe, pairs = views.recipe, views.pairs
    if len(pairs) < recipe.batch_size:
        raise ValueError(f"{len(pairs)} pairs are fewer than one batch of {recipe.batch_size}: lower `batch_size`")
    return follow(
        views.model,
        curriculum,
        recipe,
        device=views.device,
        prefetch=prefetcher(pairs.images),
        progress=progress,
        **options,
    )


def _number(*parts: int) -> int:
    """A seed for generators that are not torch's."""
    return int(torch.randint(1 << 31, (), generator=seeded(*parts)))
