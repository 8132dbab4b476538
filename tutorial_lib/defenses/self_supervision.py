"""Self-supervision alone: the control that CleanCLIP's CLIP loss is for. Introduced in the chapter on CleanCLIP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tutorial_lib.defenses.cleanclip import CleanCLIP


@dataclass(frozen=True)
class SelfSupervision(CleanCLIP):
    """CleanCLIP without the CLIP loss, λ₁ = 0.

    Example:
        >>> SelfSupervision().lambda_clip, SelfSupervision(lambda_self=2.0).lambda_self
        (0.0, 2.0)
    """

    kind: ClassVar[str] = "self-supervised"
    title: ClassVar[str] = "self-supervision only"
    lambda_clip: ClassVar[float] = 0.0
