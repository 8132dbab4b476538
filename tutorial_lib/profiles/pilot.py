"""The pilot: every figure with four models a point, made by the first version of the recipe.

Its records are read and never made again; they say how many models a verdict of `cpu` needs.
"""

from dataclasses import replace
from typing import Any

from tutorial_lib.profiles.cleaning import Cleaning
from tutorial_lib.profiles.numbers import Models
from tutorial_lib.profiles.profile import Profile
from tutorial_lib.trials import RECIPE_VERSION, Recipe, Trial
from tutorial_lib.triggers import Blended, NoisePatch, WaNet

_LAPTOP = Trial(classes=100, copies=8, recipe=Recipe(epochs=20), recipe_version=1)
_MODELS = Models(4, ("banana", "cactus", "doughnut", "balloon"))

PILOT = Profile(
    name="pilot",
    about="the pilot: the first records, four models a point",
    live=Trial(recipe_version=1),
    base=_LAPTOP,
    models=_MODELS,
    counts=(0, 8, 16, 32, 64, 128, 256),
    few=32,
    many=128,
    memory_gib=6,
    like=("cpu",),
    pilot=True,
    cleaning=Cleaning(
        base=_LAPTOP,
        models=_MODELS,
        count=128,
        recipe=Recipe(epochs=10, batch_size=64),
        share=0.2,
        rates=(3e-4, 1e-3, 3e-3),
        few_rates=(1e-3, 3e-3),
        attacks={
            "badnets": {"trigger": NoisePatch()},
            "blended": {"trigger": Blended(), "count": 256},
            "wanet": {"trigger": WaNet(strength=12.0), "count": 512},
            "label-consistent": {"trigger": Blended(alpha=0.5), "count": 40, "select": "named"},
        },
    ),
)


def renewed(**changes: Any) -> Profile:
    """A profile with the pilot's numbers under the recipe of today.

    Args:
        changes: fields of it; `models` are those of its cleaning, too.

    Example:
        >>> renewed(name="again").past
        False
    """
    base = replace(PILOT.base, recipe_version=RECIPE_VERSION)
    cleaning = replace(PILOT.cleaning, base=base, models=changes.get("models", PILOT.cleaning.models))
    return replace(replace(PILOT, live=Trial(), base=base, cleaning=cleaning), **changes)
