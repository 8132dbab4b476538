"""RoCLIP: every second epoch, a picture is given the caption of a pool that it fits best.

A picture with a trigger is nearest to the caption of what it shows as long as the model has not learned the trigger;
and where it has, the attacker's caption is seldom in the pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tutorial_lib.trials.history import History
from tutorial_lib.trials.method import Method
from tutorial_lib.trials.recipe import Recipe

if TYPE_CHECKING:
    import open_clip
    import torch

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models import Tokenizer


@dataclass(frozen=True)
class RoCLIP(Method):
    """The CLIP loss; in every `every`-th epoch with the nearest captions of a pool.

    The pool is a queue of embeddings of captions, as old as the step that added them, and no gradient goes through it:
    in its epochs the text tower stands still but for weight decay and momentum, as in the authors' code. Before the
    first of them it is filled with random captions, where the authors' begins with random vectors.

    Attributes:
        every: of how many epochs one is matched; 2 leaves the first one as it is and matches the second.
        pool: captions of the pool, as a share of the pairs.
        augment: pictures by AutoAugment and captions by EDA, in all epochs.

    Raises:
        ValueError: `every` is below 1, or `pool` is not in (0, 1].

    Source: Yang et al. (2023), "Robust contrastive language-image pretraining against data poisoning and backdoor
    attacks": K = 2, and 21,845 captions for 1,000,000 pairs in the authors' code.

    Example:
        >>> from tutorial_lib import models
        >>> import torch
        >>> from tutorial_lib.data.pairs import Pairs
        >>> model, tokenizer = models.load(models.CHECKPOINTS / "unknown-1")
        >>> images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
        >>> pairs = Pairs(images, ("a dog",) * 8, tuple("12345678"), torch.full((8,), -1))
        >>> RoCLIP(pool=0.5).train(model, tokenizer, pairs, Recipe(epochs=2, batch_size=4), progress=False).steps
        4
    """

    kind: ClassVar[str] = "roclip"
    title: ClassVar[str] = "RoCLIP"
    cost: ClassVar[float] = 1.2  # tiny-rn on one core

    every: int = 2
    pool: float = 0.02
    augment: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(every=1)
        if not 0 < self.pool <= 1:
            raise ValueError(f"pool of a roclip is a share of the pairs, in (0, 1], not {self.pool}")

    def train(
        self,
        model: open_clip.CLIP,
        tokenizer: Tokenizer,
        pairs: Pairs,
        recipe: Recipe,
        *,
        seed: int = 0,
        device: str | torch.device | None = None,
        progress: bool | None = None,
        **options: Any,
    ) -> History:
        from tutorial_lib.training.device import device_for
        from tutorial_lib.training.matching import Matching
        from tutorial_lib.training.views import Views, train_by

        views = Views.of(model, tokenizer, pairs, recipe, seed=seed, device=device_for(device))
        size = max(1, round(self.pool * len(pairs)))
        matching = Matching(views, every=self.every, size=size, changed=self.augment)
        if options.get("checkpoint") is not None:
            options.setdefault("identity", self.identity(recipe, seed, pairs))
        return train_by(views, matching, progress=progress, **options)
