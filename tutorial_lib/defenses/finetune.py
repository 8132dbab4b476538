"""Plain finetuning on trusted pairs: the control without which no defense can be judged.

Introduced in the chapter on CleanCLIP.

Catastrophic forgetting is all it has; a large weight decay helps it along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.trials import Cleaned, Material, TrainedDefense

if TYPE_CHECKING:
    import open_clip
    import torch

    from tutorial_lib.models import Tokenizer


@dataclass(frozen=True)
class Finetuning(TrainedDefense):
    """Go on training with the CLIP loss.

    Example:
        >>> import torch
        >>> from tutorial_lib import models
        >>> from tutorial_lib.data.pairs import Pairs
        >>> from tutorial_lib.trials import Recipe
        >>> model, tokenizer = models.load(models.CHECKPOINTS / "unknown-1")
        >>> images = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
        >>> trusted = Material(Pairs(images, ("a dog",) * 8, tuple("12345678"), torch.full((8,), -1)))
        >>> Finetuning(Recipe(epochs=1, batch_size=4)).clean(model, tokenizer, trusted).history.steps
        2
    """

    kind: ClassVar[str] = "finetune"
    title: ClassVar[str] = "plain finetuning"

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
        from tutorial_lib.training.loop import train

        self.check(material)
        history = train(model, tokenizer, material.pairs, self.recipe, seed=seed, device=device, progress=progress)
        return Cleaned(model, history)
