"""Live in a chapter, with committed records beside it."""

from dataclasses import replace

from tutorial_lib.profiles.pilot import PILOT
from tutorial_lib.trials import RECIPE_VERSION, Trial

DEMO = replace(
    PILOT,
    name="demo",
    about="live in a chapter, with the records of the pilot beside it",
    live=Trial(),
    base=replace(PILOT.base, recipe_version=RECIPE_VERSION),
    cleaning=replace(PILOT.cleaning, base=replace(PILOT.cleaning.base, recipe_version=RECIPE_VERSION)),
    reference="pilot",
    memory_gib=3,
)
