"""Live in a chapter, with committed records beside it."""

from tutorial_lib.profiles.pilot import renewed

DEMO = renewed(
    name="demo",
    about="live in a chapter, with the records of the pilot beside it",
    reference="pilot",
    memory_gib=3,
)
