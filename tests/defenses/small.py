"""What defenses are given in tests."""

import copy
from typing import Any

from tutorial_lib.defenses import DEFENSES, KnownTrigger, TrainedDefense, TriggerUnlearning
from tutorial_lib.models import Model
from tutorial_lib.runs import Outcome, defend
from tutorial_lib.trials import Defense, Material, Recipe

#: The classes that train, by kind.
TRAINED = {kind: cls for kind, cls in DEFENSES.items() if issubclass(cls, TrainedDefense)}
SHORT = Recipe(epochs=2, batch_size=32, lr=1e-3)


def fresh(outcome: Outcome) -> Model:
    """A copy of the model, to be changed."""
    return copy.deepcopy(outcome.model)


def made(kind: type[Defense], **settings: Any) -> Defense:
    """A defense with a short recipe and half of the clean pairs; the one that unlearns a trigger knows it."""
    known = {"invert": KnownTrigger()} if kind is TriggerUnlearning else {}
    return kind(**{"recipe": SHORT, "share": 0.5} | known | settings)


def material(outcome: Outcome, defense: Defense) -> Material:
    """What the defender of an outcome has."""
    return defend.material(outcome, defense)
