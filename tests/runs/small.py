"""A trial that trains in a few seconds."""

from dataclasses import replace

from tutorial_lib.attacks import Backdoor
from tutorial_lib.trials import Recipe, Trial

TINY = Trial(classes=60, copies=2, recipe=Recipe(epochs=1, batch_size=64, precision="float32"))


def backdoored(count=24, **changes):
    return replace(TINY, attack=Backdoor(count, target="banana"), **changes)
