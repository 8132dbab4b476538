"""The attacker's own trigger in place of an inverted one: how far unlearning could get."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.plugins import Kind
from tutorial_lib.trials.schema import Settings
from tutorial_lib.triggers import Checkerboard, Trigger

if TYPE_CHECKING:
    import open_clip
    from torch import Tensor

    from tutorial_lib.data.pairs import Pairs
    from tutorial_lib.models import Tokenizer


@dataclass(frozen=True)
class KnownTrigger(Settings, Kind):
    """The mask and the pattern of a trigger that is known: the control of every inversion, which no defender has.

    Attributes:
        trigger: that is to be unlearned.

    Example:
        >>> import torch
        >>> from tutorial_lib.data.pairs import Pairs
        >>> pairs = Pairs(torch.zeros(1, 3, 32, 32, dtype=torch.uint8), ("a",), ("1",), torch.tensor([-1]))
        >>> mask, pattern = KnownTrigger(Checkerboard(size=6)).invert(None, None, pairs)
        >>> int(mask.sum()), mask.shape, pattern.shape
        (36, torch.Size([1, 32, 32]), torch.Size([3, 32, 32]))
    """

    kind: ClassVar[str] = "known-trigger"

    trigger: Trigger = field(default_factory=Checkerboard)

    def invert(self, model: open_clip.CLIP, tokenizer: Tokenizer, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """What the trigger makes of black and white pictures says both; no model is asked.

        Raises:
            ValueError: no mask and pattern make the trigger: it moves, or bends pictures.
        """
        import torch

        from tutorial_lib.triggers.parts import mask_and_pattern

        return mask_and_pattern(self.trigger, pairs.images[torch.arange(min(8, len(pairs)))])
