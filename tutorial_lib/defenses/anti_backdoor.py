"""Anti-backdoor learning: find the pairs that were learned too well, and unlearn them.

Introduced in the chapter on whether it holds.

Source: Li et al. (2021), for classifiers: isolation of 1 % by the loss early in training, then gradient ascent. Here
unlearning lowers the similarity of picture and caption, which is bounded where an ascending loss is not. Pairs are
isolated by their similarity under the trained model, or, as published, by their early loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from tutorial_lib.detect.early_loss import EarlyLoss
from tutorial_lib.detect.pair_similarity import PairSimilarity
from tutorial_lib.trials import Cleaned, Detector, History, Material, TrainedDefense
from tutorial_lib.trials.defense import Need
from tutorial_lib.trials.schema import setting

if TYPE_CHECKING:
    import open_clip
    import torch
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models import Tokenizer


@dataclass(frozen=True)
class AntiBackdoor(TrainedDefense):
    """Isolate the pairs that fit best, then train on the trusted ones while the similarity of the isolated is lowered.

    Attributes:
        isolate: share of the training pairs that are taken to be poisons.
        isolation: by which they are found: "similarity" under the trained model, or "early-loss" under a new one that
            `tutorial_lib.detect.EarlyLoss` trains for a short time; `cost` does not count that.
        early_epochs: of that training.

    Raises:
        ValueError: `isolate` is not in (0, 1), or a setting is out of range or without effect.

    Example:
        >>> sorted(AntiBackdoor(isolate=0.02).needs)
        ['pairs', 'training']
    """

    kind: ClassVar[str] = "anti-backdoor"
    title: ClassVar[str] = "anti-backdoor learning"
    needs: ClassVar[frozenset[Need]] = frozenset({"pairs", "training"})
    cost: ClassVar[float] = 1.7

    isolate: float = 0.01
    isolation: Literal["similarity", "early-loss"] = setting("similarity", added=True)
    early_epochs: int = setting(3, added=True, needs={"isolation": "early-loss"})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(early_epochs=1)
        if not 0 < self.isolate < 1:
            raise ValueError(f"isolate is a share of the training pairs, in (0, 1), not {self.isolate}")

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
        from tutorial_lib.attacks.poison import count_poisons
        from tutorial_lib.training.device import device_for

        self.check(material)
        training = material.training
        assert training is not None  # checked
        where = device_for(device)
        detector: Detector = PairSimilarity()
        if self.isolation == "early-loss":
            detector = EarlyLoss(epochs=self.early_epochs, batch_size=self.recipe.batch_size, seed=seed)
            model.to(where)
        suspects = detector.suspects(model, tokenizer, training, self.isolate)
        history = self._unlearn(model, tokenizer, material.pairs, training, suspects, seed, where, progress)
        found, there = count_poisons(training.take(suspects)), count_poisons(training)
        notes = {"isolated": len(suspects), "isolated_poisons": found, "poisons": there}
        return Cleaned(model, history, notes)

    def _unlearn(
        self,
        model: open_clip.CLIP,
        tokenizer: Tokenizer,
        pairs: Pairs,
        training: Pairs,
        suspects: Tensor,
        seed: int,
        device: torch.device,
        progress: bool | None,
    ) -> History:
        """Train on trusted pairs, and away from the suspects."""
        import torch

        from tutorial_lib.losses import clip_loss
        from tutorial_lib.models.fast import encode_text
        from tutorial_lib.training.device import in_half, seeded
        from tutorial_lib.training.distributed import share, whole
        from tutorial_lib.training.loop import encode_image, optimize, random_views

        recipe = self.recipe
        half = in_half(recipe, device)
        tokens, doubted = tokenizer(pairs.captions), tokenizer([training.captions[i] for i in suspects.tolist()])

        def loss_of(batch: Tensor, step: int) -> Tensor:
            draw = seeded(seed, step, 1)
            some = torch.randint(len(suspects), (len(batch),), generator=draw)
            views = random_views(model, pairs.images, batch, device, draw, recipe.scale)
            bad = random_views(model, training.images, suspects[some], device, draw, recipe.scale)
            text = torch.cat([share(tokens[batch]), share(doubted[some])]).to(device)
            image, bad_image = map(whole, encode_image(model, torch.cat([views, bad]), half).chunk(2))
            text, bad_text = map(whole, encode_text(model, text).float().chunk(2))
            return clip_loss(image, text, model.logit_scale.exp()) + (bad_image * bad_text).sum(1).mean()

        return optimize(model, len(pairs), loss_of, recipe, seed=seed, device=device, progress=progress)
