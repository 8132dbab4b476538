"""Live in a chapter, with committed records beside it."""

from tutorial_lib.profiles.pilot import renewed

DEMO = renewed(
    name="demo",
    about="live in a chapter, with committed records beside it",
    references=("cpu", "pilot"),
    memory_gib=3,
)
