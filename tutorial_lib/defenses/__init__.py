"""Defenses: what can be done to a model that may be backdoored.

Introduced in the chapters on CleanCLIP and whether it holds.

One frozen class a file, with its own settings, what it needs, what it costs, its title and `clean()`, so that each gets
its own sweep of learning rates and stands beside its controls. Two more need no class: a linear probe is a reader of
the model as it is (`tutorial_lib.evaluate.LinearProbe`), and training from scratch without the poisons, where they are
known, is a trial with none. A defense is part of a trial's description, so torch is imported only where one cleans.
"""

from __future__ import annotations

from tutorial_lib.defenses.anti_backdoor import AntiBackdoor
from tutorial_lib.defenses.cleanclip import CleanCLIP
from tutorial_lib.defenses.finetune import Finetuning
from tutorial_lib.defenses.known_trigger import KnownTrigger
from tutorial_lib.defenses.par import PerturbAndRecover
from tutorial_lib.defenses.retraining import Retraining
from tutorial_lib.defenses.self_supervision import SelfSupervision
from tutorial_lib.defenses.shrink_and_perturb import ShrinkAndPerturb
from tutorial_lib.defenses.supervised import SupervisedFinetuning
from tutorial_lib.defenses.trigger_unlearning import Inverter, TriggerUnlearning
from tutorial_lib.defenses.untouched import Untouched
from tutorial_lib.plugins import Kinds
from tutorial_lib.trials import Cleaned, Defense, DefenseError, Material, TrainedDefense

__all__ = [
    "DEFENSES",
    "AntiBackdoor",
    "CleanCLIP",
    "Cleaned",
    "Defense",
    "DefenseError",
    "Finetuning",
    "Inverter",
    "KnownTrigger",
    "Material",
    "PerturbAndRecover",
    "Retraining",
    "SelfSupervision",
    "ShrinkAndPerturb",
    "SupervisedFinetuning",
    "TrainedDefense",
    "TriggerUnlearning",
    "Untouched",
]

#: Defenses by kind; those of other packages register as `tutorial_lib.defenses`.
DEFENSES: Kinds[Defense] = Kinds(Defense, __name__, "defense")
