"""A laptop: as many models a point as a verdict needs."""

from tutorial_lib.profiles.cleaning import Cleaning
from tutorial_lib.profiles.numbers import Models
from tutorial_lib.profiles.profile import Profile
from tutorial_lib.trials import Recipe, Trial
from tutorial_lib.triggers import Blended, NoisePatch, Sinusoid, WaNet

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
        "fig2_left": 32, "fig2_right": 16, "fig4": 32, "fig5_left": 16, "fig5_right": 16, "fig6": 16,
        "caption_sets": 16, "robust_training": 4,
    },
)  # fmt: skip
#: Experiments with cleaned models in which no confirmatory claim is judged.
_FACTORS = (
    "cc_adaptive", "cc_budget", "cc_critique", "cc_factors", "cc_stealth", "cc_strength", "detect_removal",
    "further_cleaning", "robust_training",
)  # fmt: skip
#: Of the models that are cleaned, 100,000 scenes each; fewer where the papers' factors are looked at. Model 100 chose
#: what is swept, and is judged nowhere.
CLEANED = Models(8, _TARGETS, first=101, more=dict.fromkeys(_FACTORS, 4))

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
        base=Trial(classes=100, scenes=100_000, recipe=Recipe(epochs=10, batch_size=512)),
        models=CLEANED,
        count=300,
        recipe=Recipe(epochs=5, batch_size=64),
        share=0.2,
        rates=(3e-4, 1e-3, 2e-3),
        few_rates=(1e-3, 2e-3),
        own_epochs={"supervised": 134},
        attacks={
            "badnets": {"trigger": NoisePatch()},
            "blended": {"trigger": Blended(pattern_kind="stripes", cell=4), "count": 1500},
            "wanet": {"trigger": WaNet(strength=12.0), "count": 2000},
            "sig": {"trigger": Sinusoid()},
            "label-consistent": {"trigger": Sinusoid(delta=60.0), "count": 100, "select": "named"},
        },
    ),
)
