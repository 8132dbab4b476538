"""Targeted poisoning: success against the number of poisons (Carlini & Terzis 2022, figure 2, left)."""

from __future__ import annotations

from tutorial_lib.attacks import Group, Targeted
from tutorial_lib.experiments import recorded
from tutorial_lib.runs import Record, Seeds, Trial

#: Sixteen targets in each group share one model; the last three vary the caption set and hide duplicates.
GROUPS = (
    Group(0),
    Group(1),
    Group(2),
    Group(4),
    Group(8),
    Group(16),
    Group(8, captions="search"),
    Group(8, captions="one"),
    Group(8, disguise=True),
)
NAMES = ("0", "1", "2", "4", "8", "16", "8, searched captions", "8, one caption", "8, disguised")
SEEDS = 4


def together() -> list[Trial]:
    """Many targets in one model, as in the paper."""
    return [Trial(Targeted(GROUPS), seeds=Seeds.all(seed)) for seed in range(SEEDS)]


def alone() -> list[Trial]:
    """The control: one target with eight poisons in a model of its own."""
    return [Trial(Targeted((Group(8),), targets=1), seeds=Seeds.all(seed)) for seed in range(SEEDS)]


def trials() -> list[Trial]:
    return together() + alone()


def records() -> list[Record]:
    return recorded("targeted_count", trials())
