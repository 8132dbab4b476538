"""PAR: push the embeddings away from where the backdoor has put them, and let the CLIP loss bring order back.

No augmentation has to guess what the trigger looks like: the tie is loosened by moving everything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.trials import Cleaned, Material, TrainedDefense

if TYPE_CHECKING:
    import open_clip
    import torch
    from torch import Tensor

    from tutorial_lib.models import Tokenizer


@dataclass(frozen=True)
class PerturbAndRecover(TrainedDefense):
    """L_CLIP less half the squared distances from the model as it was found, each until it exceeds tau.

    Both models see the same view, the found one in evaluation mode, and the logit scale stays as it is. The learning
    rate falls in a line from the recipe's to a tenth of it over the first half of all steps, then by a cosine to 0: the
    recipe's `warmup` is not used. Published are 3e-5, 3e-6 and 1e-9 for models of OpenAI's size, 10 epochs of 250,000
    pairs and a weight decay of 1e-4.

    Attributes:
        tau: mean squared distance of the embeddings of a modality, at most 4, from which on it is not pushed.
        noise: standard deviation of Gaussian noise in each view, as a share of 255.
        cutout: side of the square that is cut out of each view, as a share of the picture's. The paper names both
            augmentations; their sizes are ours.

    Raises:
        ValueError: a setting is out of range, or `TrainedDefense` refuses another one.

    Source: Singh et al. (2024), "Perturb and recover: fine-tuning for effective backdoor removal from CLIP", tau 2.15.

    Example:
        >>> PerturbAndRecover(tau=1.0).needs
        frozenset({'pairs'})
    """

    kind: ClassVar[str] = "par"
    title: ClassVar[str] = "PAR"
    cost: ClassVar[float] = 1.4  # tiny-rn on one core

    tau: float = 2.15
    noise: float = 0.03
    cutout: float = 0.125

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(tau=0, noise=0, cutout=0)
        if not (self.tau <= 4 and self.cutout < 1 and math.isfinite(self.noise)):
            raise ValueError(
                f"tau is at most 4, cutout below 1 and noise finite, not {self.tau}, {self.cutout} and {self.noise}"
            )

    def rate(self, step: int, total: int) -> float:
        """Learning rate of a step, counted from 0."""
        lr, half = self.recipe.lr, total / 2
        if step < half:
            return lr * (1 - 0.9 * step / half)
        return lr / 10 * 0.5 * (1 + math.cos(math.pi * (step - half) / half))

    def clean(
        self,
        model: open_clip.CLIP,
        tokenizer: Tokenizer,
        material: Material,
        *,
        seed: int = 0,
        device: str | torch.device | None = None,
        progress: bool | None = False,
    ) -> Cleaned:
        import copy

        from tutorial_lib.losses import par_loss
        from tutorial_lib.models.fast import encode_text
        from tutorial_lib.training.augment import noise_and_cutout
        from tutorial_lib.training.curriculum import Passes
        from tutorial_lib.training.device import device_for, in_half, seeded
        from tutorial_lib.training.distributed import share, whole
        from tutorial_lib.training.loop import encode_image, follow, prefetcher, random_views

        self.check(material)
        pairs, recipe, where = material.pairs, self.recipe, device_for(device)
        half, tokens = in_half(recipe, where), tokenizer(pairs.captions)
        model.to(where)
        before = copy.deepcopy(model).eval().requires_grad_(False)

        def loss_of(batch: Tensor, step: int) -> Tensor:
            draw = seeded(seed, step, 1)

            def change(views: Tensor) -> Tensor:
                return noise_and_cutout(views, draw, noise=self.noise, cutout=self.cutout)

            views = random_views(model, pairs.images, batch, where, draw, recipe.scale, change=change)
            text = share(tokens[batch])[:, : int(tokens[batch].argmax(1).max()) + 1].to(where)
            found = [(encode_image(m, views, half), encode_text(m, text).float()) for m in (model, before)]
            (image, caption), (image_before, caption_before) = (map(whole, both) for both in found)
            scale = model.logit_scale
            fixed = scale.exp().detach()
            loss: Tensor = par_loss(image, caption, image_before, caption_before, fixed, self.tau) + 0 * scale
            return loss

        passes = Passes(len(pairs), loss_of, recipe, seed, self.rate)
        history = follow(model, passes, recipe, device=where, prefetch=prefetcher(pairs.images), progress=progress)
        return Cleaned(model, history)
