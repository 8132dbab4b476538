"""SafeCLIP: pictures and captions are brought together only where they fit already.

Each modality learns alone first, which no wrong caption can spoil. Then a slow epoch of CLIP shows which pairs fit: the
safe ones are trained on as CLIP does, of the others each side alone, and the safe share grows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
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
class SafeCLIP(Method):
    """In-modal epochs, slow CLIP epochs, then CLIP on the pairs that a mixture of their cosines calls safe.

    Every step sees pictures and captions as they are and augmented (AutoAugment, EDA): the in-modal loss asks the
    augmented view for the other's nearest neighbour in a pool of earlier ones, the CLIP loss brings together the view
    of one side with the augmented one of the other. Learning rates begin anew after the split. Departures from the
    authors' code: pools begin empty and not with random vectors, the slow rate is a share of the recipe's, and the
    pairs that fill no batch of either kind are a last in-modal batch where together they do.

    Attributes:
        warmup: epochs with the in-modal loss only.
        slow: epochs of CLIP on all pairs at the slow rate.
        slow_rate: learning rate of these, as a share of the recipe's.
        sure: probability of the component with the larger mean from which a pair is safe at first.
        growth: by which the safe share grows each epoch.
        most: largest safe share that it grows to.
        pool: embeddings of each in-modal pool; 0 is no pool: a view is asked for its own other view.

    Raises:
        ValueError: a setting is out of range.

    Source: Yang et al. (2024), "Better safe than sorry: pre-training CLIP against targeted data poisoning and backdoor
    attacks": 5 in-modal epochs, one epoch at 5e-6 of 5e-4, p >= 0.9, one point an epoch up to 85 %.

    Example:
        >>> import torch
        >>> from tutorial_lib import models
        >>> from tutorial_lib.data.pairs import Pairs
        >>> model, tokenizer = models.load(models.CHECKPOINTS / "unknown-1")
        >>> images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
        >>> pairs = Pairs(images, ("a dog",) * 8, tuple("12345678"), torch.full((8,), -1))
        >>> recipe = Recipe(epochs=3, batch_size=4)
        >>> SafeCLIP(warmup=1).train(model, tokenizer, pairs, recipe, progress=False).notes
        {'safe': [8], 'safe_poisons': [0]}
    """

    kind: ClassVar[str] = "safeclip"
    title: ClassVar[str] = "SafeCLIP"
    cost: ClassVar[float] = 2.3  # tiny-rn on one core, 14 epochs: 2.0 before the split, 2.45 with it

    warmup: int = 5
    slow: int = 1
    slow_rate: float = 0.01
    sure: float = 0.9
    growth: float = 0.01
    most: float = 0.85
    pool: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(warmup=0, slow=0, growth=0, pool=0)
        for name in ("slow_rate", "sure", "most"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} of a safeclip must be in (0, 1], not {getattr(self, name)}")

    def check(self, recipe: Recipe) -> None:
        if recipe.epochs < self.warmup + self.slow:
            raise ValueError(
                f"{self.title} tells safe pairs from risky ones after {self.warmup + self.slow} epochs ({self.warmup} "
                f"in-modal, {self.slow} slow): {recipe.epochs} are too few"
            )

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
        from tutorial_lib.training.safe_split import SafeSplit
        from tutorial_lib.training.views import Views, train_by

        self.check(recipe)
        views = Views.of(model, tokenizer, pairs, recipe, seed=seed, device=device_for(device))
        split = SafeSplit(views, **{f.name: getattr(self, f.name) for f in fields(self)})
        if options.get("checkpoint") is not None:
            options.setdefault("identity", self.identity(recipe, seed, pairs))
        history = train_by(views, split, progress=progress, **options)
        history.notes.update(split.notes)
        return history
