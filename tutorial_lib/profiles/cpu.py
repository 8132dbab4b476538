"""A laptop: as many models a point as a verdict needs."""

from tutorial_lib.profiles.cleaning import Cleaning
from tutorial_lib.profiles.numbers import Models
from tutorial_lib.profiles.profile import Profile
from tutorial_lib.trials import Recipe, Trial
from tutorial_lib.triggers import Blended, NoisePatch, WaNet

_LAPTOP = Trial(classes=100, copies=8, recipe=Recipe(epochs=20))
#: Drawn at random, once, from the classes whose label is no part of another concept's.
_TARGETS = (
    "roasted sweet potato", "soft ice cream", "carp streamer", "lollipop", "tornado", "tangerine", "shaved ice", "oden",
    "tanabata tree", "poultry leg", "hibiscus", "lemon", "chocolate bar", "doughnut", "waning crescent moon",
    "rice cracker", "cherries", "palm tree", "tulip", "dango", "maple leaf", "tomato", "steaming bowl",
    "tropical drink", "christmas tree", "first quarter moon face", "sun with face", "red apple", "cactus", "pineapple",
    "four leaf clover", "japanese dolls",
)  # fmt: skip
#: As many as the power analysis of the pilot asks for (`tutorial_lib.evidence.power.models_for`, a test compares); the
#: pilot's models had seeds below 100.
MODELS = Models(
    8,
    _TARGETS,
    first=100,
    more={
        "fig2_left": 32, "fig2_right": 17, "fig4": 32, "fig5_left": 32, "fig5_right": 32, "caption_sets": 27,
        "text_tower": 30, "supervised": 32, "cc_attacks": 32, "cc_frontier": 18, "cc_budget": 26, "cc_strength": 32,
        "cc_factors": 32, "cc_critique": 32,
    },
)  # fmt: skip

CPU = Profile(
    name="cpu",
    about="a laptop: as many models a point as a verdict needs",
    live=Trial(),
    base=_LAPTOP,
    models=MODELS,
    counts=(0, 8, 16, 32, 64, 128, 256),
    few=32,
    many=128,
    memory_gib=6,
    cleaning=Cleaning(
        base=_LAPTOP,
        models=MODELS,
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
