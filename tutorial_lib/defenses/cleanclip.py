"""CleanCLIP: finetuning with self-supervision within each modality. Introduced in the chapter on CleanCLIP.

A backdoor ties a patch of pixels to a caption. A picture and its augmented view share what the picture shows, and less
of what a trigger is; so do a caption and its paraphrase. Asking each tower to recognise its own views loosens the tie.

Source: Bansal et al. (2023).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.trials import Cleaned, Material, TrainedDefense

if TYPE_CHECKING:
    import open_clip
    import torch

    from tutorial_lib.models import Tokenizer


@dataclass(frozen=True)
class CleanCLIP(TrainedDefense):
    """λ₁ L_CLIP + λ₂ L_SS on the trusted pairs.

    Attributes:
        lambda_self: weight λ₂ of self-supervision.
        both_ways: of the in-modal loss, see `tutorial_lib.losses.in_modal_loss`.

    Raises:
        ValueError: `lambda_self` is negative or not finite, or `TrainedDefense` refuses another setting.

    Example:
        >>> CleanCLIP(lambda_self=2.0).needs
        frozenset({'pairs'})
    """

    kind: ClassVar[str] = "cleanclip"
    title: ClassVar[str] = "CleanCLIP"
    cost: ClassVar[float] = 1.7  # as `tutorial bench --only clean` measures it on two cores
    lambda_clip: ClassVar[float] = 1.0

    lambda_self: float = 1.0
    both_ways: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.lambda_self >= 0 and math.isfinite(self.lambda_self)):
            raise ValueError(f"lambda_self is the weight of a loss, a number of at least 0, not {self.lambda_self}")

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
        from tutorial_lib.training.views import train_with_views

        self.check(material)
        history = train_with_views(
            model,
            tokenizer,
            material.pairs,
            self.recipe,
            lambda_clip=self.lambda_clip,
            lambda_self=self.lambda_self,
            both_ways=self.both_ways,
            seed=seed,
            device=device,
            progress=progress,
        )
        return Cleaned(model, history)
