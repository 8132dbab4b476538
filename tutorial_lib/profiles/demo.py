"""Live in a chapter, with committed records beside it."""

from dataclasses import replace

from tutorial_lib.profiles.pilot import PILOT
from tutorial_lib.trials import Trial

DEMO = replace(
    PILOT,
    name="demo",
    about="live in a chapter, with the records of the pilot beside it",
    live=Trial(),
    reference="pilot",
    memory_gib=3,
)
