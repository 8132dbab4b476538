"""No defense: the model as it is, measured as a cleaned one is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tutorial_lib.trials import Cleaned, Defense, History


@dataclass(frozen=True)
class Untouched(Defense):
    """Leave the model as it is; what stands beside every defense as *before*."""

    kind: ClassVar[str] = "none"
    title: ClassVar[str] = "before"
    needs: ClassVar = frozenset()
    cost: ClassVar[float] = 0.0

    def clean(self, model, tokenizer, material, *, seed=0, device=None, progress=False) -> Cleaned:
        return Cleaned(model, History())
