"""Plain finetuning on trusted pairs: the control without which no defense can be judged. Introduced in chapter 8.

Catastrophic forgetting is all it has; a large weight decay helps it along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tutorial_lib.trials import Cleaned, TrainedDefense


@dataclass(frozen=True)
class Finetuning(TrainedDefense):
    """Go on training with the CLIP loss."""

    kind: ClassVar[str] = "finetune"
    title: ClassVar[str] = "plain finetuning"

    def clean(self, model, tokenizer, material, *, seed=0, device=None, progress=False) -> Cleaned:
        from tutorial_lib.training.loop import train

        self.check(material)
        history = train(model, tokenizer, material.pairs, self.recipe, seed=seed, device=device, progress=progress)
        return Cleaned(model, history)
