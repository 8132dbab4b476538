"""CC3M, ResNet-50 at 224 pixels, the paper's hyper-parameters; several GPUs, the user's own data."""

from dataclasses import replace

from tutorial_lib.profiles.cleaning import Cleaning
from tutorial_lib.profiles.numbers import Models
from tutorial_lib.profiles.profile import Profile
from tutorial_lib.trials import Recipe, Trial
from tutorial_lib.triggers import Blended, Checkerboard, NoisePatch, WaNet

_CC3M = Trial(
    shards="cc3m",
    task="imagenet",
    side=224,
    model="RN50",
    recipe=Recipe(
        epochs=30, batch_size=1024, lr=2e-4, weight_decay=0.02, optimizer="sgd", scale=(0.9, 1.0), precision="auto"
    ),
)
#: The published recipe; 100,000 pairs are 3.4 % of CC3M.
_PUBLISHED = Recipe(epochs=10, batch_size=64, lr=1e-5, weight_decay=0.1, warmup=0.0032, betas=(0.9, 0.999), eps=1e-8)
#: The published patch is 16 of 224 pixels.
PATCH = NoisePatch(size=16, cell=1, placement="random", margin=0)

PAPER = Profile(
    name="paper",
    about="CC3M, ResNet-50 at 224 pixels, the paper's hyper-parameters; several GPUs, the user's own data",
    live=Trial(),
    base=_CC3M,
    models=Models(
        32, ("banana", "acoustic guitar", "fire truck", "king penguin", "umbrella", "tabby cat", "volcano", "teapot")
    ),
    counts=(0, 75, 150, 300, 750, 1500),
    few=75,
    many=300,
    cleaning=Cleaning(
        base=replace(_CC3M, recipe=replace(_PUBLISHED, epochs=64, batch_size=128, lr=5e-4, warmup=0.0068)),
        models=Models(4, ("banana",)),
        count=1500,
        recipe=_PUBLISHED,
        share=0.0339,
        rates=(1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 1e-3),
        few_rates=(1e-6, 1e-5, 1e-4),
        own_rates={"supervised": (1e-5, 1e-4, 1e-3)},
        attacks={
            "badnets": {"trigger": PATCH},
            "blended": {"trigger": Blended(cell=1)},
            "wanet": {"trigger": WaNet(grid=224, strength=1.0)},
            "label-consistent": {"trigger": PATCH, "select": "named"},
        },
    ),
    trigger=Checkerboard(size=16, cell=4, margin=0),
    gpu=True,
)
