"""Seconds: does everything run?"""

from tutorial_lib.profiles.cleaning import Cleaning
from tutorial_lib.profiles.numbers import Models
from tutorial_lib.profiles.profile import Profile
from tutorial_lib.trials import Recipe, Trial

_SHORT = Trial(classes=100, copies=2, recipe=Recipe(epochs=1, batch_size=64))
_TINY = Trial(classes=16, copies=4, recipe=Recipe(epochs=1, batch_size=64))

TEST = Profile(
    name="test",
    about="seconds: does everything run?",
    live=_SHORT,
    base=_TINY,
    models=Models(2, ("rainbow", "volcano")),
    counts=(0, 4, 8),
    few=4,
    many=8,
    memory_gib=2,
    cleaning=Cleaning(
        base=_TINY,
        models=Models(1, ("rainbow", "volcano")),
        count=8,
        recipe=Recipe(epochs=1, batch_size=32),
        share=0.5,
        rates=(3e-4, 1e-3),
        few_rates=(1e-3,),
    ),
)
