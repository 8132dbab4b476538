"""No defense: the model as it is, measured as a cleaned one is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tutorial_lib.trials import Cleaned, Defense, History, Material
from tutorial_lib.trials.defense import Need

if TYPE_CHECKING:
    import open_clip
    import torch

    from tutorial_lib.models import Tokenizer


@dataclass(frozen=True)
class Untouched(Defense):
    """Leave the model as it is; what stands beside every defense as *before*.

    Example:
        >>> Untouched().cost
        0.0
    """

    kind: ClassVar[str] = "none"
    title: ClassVar[str] = "before"
    needs: ClassVar[frozenset[Need]] = frozenset()
    cost: ClassVar[float] = 0.0

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
        return Cleaned(model, History())
