"""A short version of `cpu`: every figure with four models a point, for an evening."""

from tutorial_lib.profiles.numbers import Models
from tutorial_lib.profiles.pilot import PILOT, renewed

LAPTOP = renewed(
    name="laptop",
    about="every figure with four models a point, for an evening",
    models=Models(4, PILOT.models.targets, first=50),
    like=("pilot", "cpu"),
    pilot=False,
)
