"""The paper's own counts on two cores of a laptop, overnight: 30,000 to 3,000,000 diverse scenes.

All models see the same pairs, as the paper's do: they differ in their poisons, targets, weights and order. Each
backdoored model carries 300 separate targets as well, 75 of them controls without poisons. Of the models of all pairs
those with 300 and with 75 poisons have seeds of their own, so that the targets are seen in five independent models.
"""

from tutorial_lib.attacks import Group, Targeted
from tutorial_lib.profiles.cleaning import Cleaning
from tutorial_lib.profiles.numbers import Models
from tutorial_lib.profiles.profile import Profile
from tutorial_lib.trials import Recipe, Trial
from tutorial_lib.triggers import NoisePatch

#: Drawn at random, once, from the classes whose label is no part of another concept's.
_TARGETS = (
    "closed book", "pineapple", "world map", "volcano", "tram car", "bus stop", "fried shrimp", "clapper board",
)  # fmt: skip
#: Pilots had seeds below this one.
_FIRST = 200
_LARGE = Trial(
    classes=320,
    scenes=3_000_000,
    scenery="diverse",
    model="tiny-rn-long",
    recipe=Recipe(epochs=8, batch_size=1024),
)

OVERNIGHT = Profile(
    name="overnight",
    about="two cores of a laptop, overnight: up to 3,000,000 scenes and the paper's counts",
    live=Trial(),
    base=_LARGE,
    models=Models(
        4,
        _TARGETS,
        first=_FIRST,
        more={"sharing": 8},
        fewer={
            1_000_000: {300: (200, 201), 75: (202, 203)},
            3_000_000: {300: (200, 201), 75: (202, 203), 0: (204,)},
        },
        data=0,
    ),
    counts=(0, 75, 150, 300, 750, 1500),
    few=75,
    many=300,
    cleaning=Cleaning(
        base=Trial(
            classes=320,
            scenes=1_000_000,
            scenery="diverse",
            model="tiny-rn-long",
            recipe=Recipe(epochs=8, batch_size=1024),
        ),
        models=Models(2, _TARGETS, first=_FIRST, data=0),
        count=500,
        recipe=Recipe(epochs=10, batch_size=64),
        share=0.0333,
        rates=(1e-4, 3e-4, 1e-3),
        few_rates=(3e-4,),
        attacks={"badnets": {"trigger": NoisePatch()}},
    ),
    memory_gib=14,
    experiments=(
        "fig2_left", "fig2_right", "fig3", "fig4", "fig5_left", "zscore_success", "sharing", "cc_attacks",
    ),
    beside=Targeted((Group(0), Group(1), Group(3), Group(8)), targets=75),
    ladder={"scenes": 300_000},
    speed=3_480,
)  # fmt: skip
