"""Backdoor success against the number of poisons (Carlini & Terzis 2022, figure 2, right)."""

from __future__ import annotations

from tutorial_lib.attacks import Backdoor
from tutorial_lib.experiments import recorded
from tutorial_lib.runs import Record, Seeds, Trial

#: Poisons added to 12,800 clean pairs; 0 is the control.
COUNTS = (0, 256, 64, 128, 32, 16)
#: One target class per seed, so that no result hangs on one class.
TARGETS = ("banana", "guitar", "rocket", "penguin")
#: "Clean accuracy is not lower": at most three percentage points, fixed before any record was made.
MARGIN = 0.03


def trials() -> list[Trial]:
    """Four models for each count, each with seeds and a target class of its own."""
    return [
        Trial(Backdoor(count, target=target), seeds=Seeds.all(seed))
        for count in COUNTS
        for seed, target in enumerate(TARGETS)
    ]


def records() -> list[Record]:
    return recorded("backdoor_count", trials())
