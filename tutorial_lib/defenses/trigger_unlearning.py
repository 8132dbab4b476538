"""Unlearning an inverted trigger: what a detector of checkpoints has found is made to mean nothing.

Neither the attacker's trigger nor its target has to be known: from the audit of a checkpoint to its cleaning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from tutorial_lib.trials import Cleaned, DefenseError, Material, TrainedDefense
from tutorial_lib.trials.defense import Need

if TYPE_CHECKING:
    import open_clip
    import torch
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models import Tokenizer


class Inverter(Protocol):
    """What can look for the trigger of a model: a detector of checkpoints; in a trial, frozen settings with a `kind`.

    Example:
        >>> from tutorial_lib.defenses import KnownTrigger
        >>> inverter: Inverter = KnownTrigger()
        >>> callable(inverter.invert)
        True
    """

    def invert(self, model: open_clip.CLIP, tokenizer: Tokenizer, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """A mask and a pattern, as `tutorial_lib.trials.Material` has them.

        Args:
            model: that may be backdoored; it is left as it is.
            tokenizer: of the model.
            pairs: clean ones to stamp and to look at.
        """


@dataclass(frozen=True)
class TriggerUnlearning(TrainedDefense):
    """L_CLIP plus the squared distance of stamped pictures from where the model had them without the stamp.

    The trigger is stamped on the view, as at test time, and the target is the embedding of the same view without it
    under the model as it was found. What was inverted badly is unlearned to no purpose, and does little harm.

    Attributes:
        weight: of the distance.
        invert: looks for the trigger where `Material` has none.

    Raises:
        ValueError: `weight` is not positive or not finite, `invert` cannot invert, or `TrainedDefense` refuses another
            setting.

    Source: ours, after the unlearning of Wang et al. (2019), "Neural Cleanse", which trains on stamped pictures with
    their own labels; embeddings take the place of labels.

    Example:
        >>> sorted(TriggerUnlearning(weight=2.0).needs)
        ['pairs', 'trigger']
    """

    kind: ClassVar[str] = "unlearn-trigger"
    title: ClassVar[str] = "unlearning an inverted trigger"
    needs: ClassVar[frozenset[Need]] = frozenset({"pairs", "trigger"})
    cost: ClassVar[float] = 1.8  # tiny-rn on one core

    weight: float = 1.0
    invert: Inverter | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.weight > 0 and math.isfinite(self.weight)):
            raise ValueError(f"weight is that of a loss, a positive number, not {self.weight}")
        if self.invert is not None and not callable(getattr(self.invert, "invert", None)):
            raise ValueError(f"invert must be able to invert a model's trigger, which {self.invert!r} is not")

    def check(self, material: Material) -> None:
        super().check(material)
        if material.trigger is not None:
            check_trigger(*material.trigger, side=material.pairs.images.shape[2])
        elif self.invert is None:
            raise DefenseError(f"{self.title} needs one: give a mask and a pattern, or what inverts the model")

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

        import torch

        from tutorial_lib.losses import clip_loss
        from tutorial_lib.models.fast import encode_text
        from tutorial_lib.models.inputs import normalize, preprocessing_of
        from tutorial_lib.training.device import device_for, in_half, seeded
        from tutorial_lib.training.distributed import share, whole
        from tutorial_lib.training.loop import encode_image, optimize, prefetcher, random_views

        self.check(material)
        pairs, recipe, where = material.pairs, self.recipe, device_for(device)
        model.to(where)
        mask, pattern = self._trigger(model, tokenizer, material)
        mask, pattern = mask.to(where), pattern.to(where)
        half, tokens, own = in_half(recipe, where), tokenizer(pairs.captions), preprocessing_of(model)
        before = copy.deepcopy(model).eval().requires_grad_(False)

        def loss_of(batch: Tensor, step: int) -> Tensor:
            crops: list[Tensor] = []

            def seen(views: Tensor) -> Tensor:
                crops.append(views)
                return views

            views = random_views(model, pairs.images, batch, where, seeded(seed, step, 1), recipe.scale, change=seen)
            stamped = normalize(stamp(crops[0], mask, pattern), own)
            both = torch.cat([views, stamped]).contiguous(memory_format=torch.channels_last)
            text = share(tokens[batch])[:, : int(tokens[batch].argmax(1).max()) + 1].to(where)
            image, image_stamped = map(whole, encode_image(model, both, half).chunk(2))
            target = whole(encode_image(before, views, half))
            loss = clip_loss(image, whole(encode_text(model, text).float()), model.logit_scale.exp())
            return loss + self.weight * (image_stamped - target).square().sum(1).mean()

        history = optimize(
            model,
            len(pairs),
            loss_of,
            recipe,
            seed=seed,
            device=where,
            prefetch=prefetcher(pairs.images),
            progress=progress,
        )
        return Cleaned(model, history, {"trigger_share": float(mask.mean())})

    def _trigger(self, model: open_clip.CLIP, tokenizer: Tokenizer, material: Material) -> tuple[Tensor, Tensor]:
        """The given mask and pattern, or what is found now."""
        if material.trigger is not None:
            return material.trigger
        assert self.invert is not None  # checked
        mask, pattern = self.invert.invert(model, tokenizer, material.pairs)
        check_trigger(mask, pattern, side=material.pairs.images.shape[2])
        return mask, pattern


def check_trigger(mask: Tensor, pattern: Tensor, *, side: int) -> None:
    """Whether two tensors are the mask and the pattern of a trigger for pictures of that side.

    Raises:
        DefenseError: says what is wrong with them.

    Example:
        >>> import torch
        >>> check_trigger(torch.ones(1, 8, 8), torch.ones(3, 8, 8), side=32)
        Traceback (most recent call last):
        tutorial_lib.trials.defense.DefenseError: a trigger's mask and pattern are (1 or 3, 32, 32) and (3, 32, 32), ...
    """
    shapes = tuple(mask.shape), tuple(pattern.shape)
    if shapes[0] not in ((1, side, side), (3, side, side)) or shapes[1] != (3, side, side):
        raise DefenseError(
            f"a trigger's mask and pattern are (1 or 3, {side}, {side}) and (3, {side}, {side}), not {shapes[0]} and "
            f"{shapes[1]}"
        )
    for name, values in (("mask", mask), ("pattern", pattern)):
        if not bool(((values >= 0) & (values <= 1)).all()):  # NaN is refused too
            raise DefenseError(f"a trigger's {name} is made of numbers from 0 to 1")


def stamp(pictures: Tensor, mask: Tensor, pattern: Tensor) -> Tensor:
    """Pictures with a trigger: x (1 - mask) + 255 mask * pattern.

    Args:
        pictures: shape (B, 3, H, W), float, from 0 to 255.
        mask: shape (1 or 3, H, W), from 0 to 1.
        pattern: shape (3, H, W), from 0 to 1.

    Example:
        >>> import torch
        >>> stamp(torch.full((1, 3, 1, 1), 100.0), torch.full((1, 1, 1), 0.5), torch.ones(3, 1, 1)).flatten().tolist()
        [177.5, 177.5, 177.5]
    """
    return pictures * (1 - mask) + 255 * mask * pattern
