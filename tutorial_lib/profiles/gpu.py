"""One GPU: 3,000,000 scenes and the paper's counts, eight models a point."""

from tutorial_lib.profiles.cleaning import Cleaning
from tutorial_lib.profiles.numbers import Models
from tutorial_lib.profiles.profile import Profile
from tutorial_lib.trials import Recipe, Trial

_TARGETS = ("banana", "cactus", "doughnut", "balloon", "guitar", "rocket", "penguin", "rose")

GPU = Profile(
    name="gpu",
    about="one GPU: 3,000,000 scenes and the paper's counts, eight models a point",
    live=Trial(),
    base=Trial(classes=320, scenes=3_000_000, recipe=Recipe(epochs=10, batch_size=1024)),
    models=Models(8, _TARGETS),
    counts=(0, 75, 150, 300, 750, 1500),
    few=75,
    many=300,
    cleaning=Cleaning(
        base=Trial(classes=320, scenes=300_000, recipe=Recipe(epochs=20, batch_size=1024)),
        models=Models(8, _TARGETS),
        count=300,
        recipe=Recipe(epochs=10, batch_size=64),
        share=0.1,
        rates=(1e-4, 3e-4, 1e-3, 3e-3),
        few_rates=(3e-4, 1e-3, 3e-3),
    ),
    gpu=True,
)
