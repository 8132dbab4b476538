"""The pilot: every figure with four models a point, made by the first version of the recipe.

Its records are read and never made again; they say how many models a verdict of `cpu` needs.
"""

from tutorial_lib.profiles.cleaning import Cleaning
from tutorial_lib.profiles.numbers import Models
from tutorial_lib.profiles.profile import Profile
from tutorial_lib.trials import Recipe, Trial
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
