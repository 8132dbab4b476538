"""Training with changed views of pictures and captions: the loss of CleanCLIP.

Introduced in the chapter on CleanCLIP.
"""

from __future__ import annotations

from typing import Unpack

import open_clip
import torch
from torch import Tensor

from tutorial_lib.data.pairs import Pairs
from tutorial_lib.losses import check_weights, cleanclip_loss
from tutorial_lib.models.fast import encode_text
from tutorial_lib.models.tokenizer import Tokenizer
from tutorial_lib.training.augment import autoaugment
from tutorial_lib.training.device import device_for, in_half, seeded
from tutorial_lib.training.distributed import share, whole
from tutorial_lib.training.loop import Options, encode_image, optimize, prefetcher, random_views
from tutorial_lib.training.text_augment import augment_all
from tutorial_lib.trials import History, Recipe


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
        >>> model, tokenizer = models.load(models.CHECKPOINTS / "unknown")
        >>> images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
        >>> pairs = Pairs(images, ("a dog",) * 8, tuple("12345678"), torch.full((8,), -1))
        >>> train_with_views(model, tokenizer, pairs, Recipe(epochs=1, batch_size=4), progress=False).steps
        2
    """
    check_weights(lambda_clip, lambda_self)
    device = device_for(device)
    half = in_half(recipe, device)
    tokens = tokenizer(pairs.captions)  # (N, L)

    def loss_of(batch: Tensor, step: int) -> Tensor:
        draw = seeded(seed, step, 1)
        changed = autoaugment(pairs.images[batch], _number(seed, step, 2))
        views = torch.cat(
            [
                random_views(model, pairs.images, batch, device, draw, recipe.scale),
                random_views(model, changed, torch.arange(len(batch)), device, draw, recipe.scale),
            ]
        ).contiguous(memory_format=torch.channels_last)
        other_text = augment_all([pairs.captions[i] for i in batch.tolist()], _number(seed, step, 3))
        both = (tokens[batch], tokenizer(other_text))
        longest = max(int(t.argmax(1).max()) for t in both) + 1  # causal text tower: padding has no effect
        text = torch.cat([share(t)[:, :longest] for t in both]).to(device)
        image, image_view = map(whole, encode_image(model, views, half).chunk(2))
        text, text_view = map(whole, encode_text(model, text).float().chunk(2))
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


def _number(*parts: int) -> int:
    """A seed for generators that are not torch's."""
    return int(torch.randint(1 << 31, (), generator=seeded(*parts)))
