"""A short version of `cpu`: every figure with four models a point, in about two hours of two cores."""

from dataclasses import replace

from tutorial_lib.profiles.numbers import Models
from tutorial_lib.profiles.pilot import PILOT
from tutorial_lib.trials import RECIPE_VERSION, Trial

_MODELS = Models(4, PILOT.models.targets, first=50)

LAPTOP = replace(
    PILOT,
    name="laptop",
    about="every figure with four models a point, in two hours",
    live=Trial(),
    base=replace(PILOT.base, recipe_version=RECIPE_VERSION),
    models=_MODELS,
    cleaning=replace(PILOT.cleaning, base=replace(PILOT.cleaning.base, recipe_version=RECIPE_VERSION), models=_MODELS),
    like=("pilot", "cpu"),
    pilot=False,
)
