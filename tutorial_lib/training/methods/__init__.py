"""Training methods: how a model may be trained on pairs that nobody has looked at.

One frozen class a file, with its own settings, its title, what it costs and `train()`. A method is part of a trial's
description, so torch is imported only where one trains.
"""

from __future__ import annotations

from tutorial_lib.plugins import Kinds
from tutorial_lib.training.methods.roclip import RoCLIP
from tutorial_lib.training.methods.safeclip import SafeCLIP
from tutorial_lib.trials.method import Method

__all__ = ["METHODS", "Method", "RoCLIP", "SafeCLIP"]

#: Training methods by kind; those of other packages register as `tutorial_lib.training.methods`.
METHODS: Kinds[Method] = Kinds(Method, __name__, "training method")
