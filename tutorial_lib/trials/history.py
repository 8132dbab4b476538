"""What a training run did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class History:
    """What a run did: mean loss by epoch, steps, samples per second of the part that ran here, and a method's notes.

    Example:
        >>> History(loss=[3.2, 2.1], steps=40).loss[-1]
        2.1
    """

    loss: list[float] = field(default_factory=list)
    steps: int = 0
    samples_per_second: float = 0.0
    seconds: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)
