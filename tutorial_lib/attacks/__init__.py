"""Whole attacks on the course's task: which poisons a trial adds, and how their success is measured.

Introduced in chapters 3 (targeted) and 4 (backdoor).
"""

from __future__ import annotations

from typing import Any

from tutorial_lib.attacks.backdoor import BackdoorPlan
from tutorial_lib.attacks.targeted import Target, TargetedPlan
from tutorial_lib.attacks.text import TextBackdoorPlan
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.tasks import ZeroShotTask
from tutorial_lib.trials import Attack, Backdoor, Group, Targeted, TextBackdoor

Plan = BackdoorPlan | TargetedPlan | TextBackdoorPlan

__all__ = ["Attack", "Backdoor", "Group", "Plan", "Target", "Targeted", "TextBackdoor", "plan"]

_PLANS: dict[type, Any] = {Backdoor: BackdoorPlan, Targeted: TargetedPlan, TextBackdoor: TextBackdoorPlan}


def plan(attack: Attack, clean: Pairs, task: ZeroShotTask, *, side: int, seed: int) -> Plan:
    """The poisons of an attack and how to measure it.

    Args:
        attack: what to do.
        clean: the pairs that the attacker can see and adds to.
        task: its labels are the classes to aim at, its pictures those to measure on.
        side: width and height of the pictures, in pixels.
        seed: poison seed.

    Raises:
        ValueError: the target class does not exist, the patch does not fit, or there are too few pictures.
    """
    return _PLANS[type(attack)].of(attack, clean, task, side=side, seed=seed)
