"""CIFAR-100: small photographs, which the user brings; the chapters' experiments on real pictures.

`tutorial data photos cifar100 SOURCE` makes the shards. Nobody has run this profile yet: its numbers were fixed without
a look at any photograph. Where an experiment has none for it, those of `cpu` are taken, and its claims are judged.
"""

from __future__ import annotations

from tutorial_lib.profiles.cleaning import Cleaning
from tutorial_lib.profiles.cpu import CPU
from tutorial_lib.profiles.numbers import Models
from tutorial_lib.profiles.profile import Profile
from tutorial_lib.trials import Recipe, Trial

#: About 45,000 pairs at 32 pixels; about 5,000 are kept for the choice of settings, 10,000 are classified.
CIFAR100 = Trial(shards="cifar100", task="cifar100", recipe=Recipe(epochs=20, batch_size=512))
#: Drawn at random, once, from the classes that are no people and whose name is part of no other and of no caption.
_TARGETS = ("otter", "pine tree", "beetle", "kangaroo")
MODELS = Models(4, _TARGETS)

PHOTOS = Profile(
    name="photos",
    about="CIFAR-100, photographs of 32 pixels that you bring; four models a point",
    live=Trial(),
    base=CIFAR100,
    models=MODELS,
    counts=(0, 16, 32, 64, 128, 256, 512),
    few=64,
    many=256,
    cleaning=Cleaning(
        base=CIFAR100,
        models=MODELS,
        count=300,
        recipe=CPU.cleaning.recipe,
        share=CPU.cleaning.share,
        rates=CPU.cleaning.rates,
        few_rates=CPU.cleaning.few_rates,
        attacks={
            name: {**settings, "count": 150} if name == "label-consistent" else settings
            for name, settings in CPU.cleaning.attacks.items()
        },
    ),
    like=("cpu",),
)
