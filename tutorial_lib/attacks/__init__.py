"""Whole attacks: which poisons they add to a data set, and how their success is measured.

Introduced in the chapters on targeted poisoning and backdoors. One frozen class a file; an attack is part of a trial's
description, so torch is imported only where poisons are made or measured. `poison` has the sets as plain functions,
`evasion` what hides their duplicates, `report` the one call that measures a backdoor.
"""

from __future__ import annotations

from tutorial_lib.attacks.backdoor import Backdoor
from tutorial_lib.attacks.base import PairAttack, Seen
from tutorial_lib.attacks.targeted import Group, Targeted
from tutorial_lib.attacks.text import TextBackdoor
from tutorial_lib.attacks.together import Together
from tutorial_lib.plugins import Kinds
from tutorial_lib.trials.attack import Attack, Plan

__all__ = [
    "ATTACKS",
    "Attack",
    "Backdoor",
    "Group",
    "PairAttack",
    "Plan",
    "Seen",
    "Targeted",
    "TextBackdoor",
    "Together",
]

#: Attacks by kind; those of other packages register as `tutorial_lib.attacks`.
ATTACKS: Kinds[Attack] = Kinds(Attack, __name__, "attack", helpers=("evasion", "poison", "report"))
