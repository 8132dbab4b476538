"""Backdoor triggers: what an attacker does to stored pictures.

Introduced in the chapters on backdoors and stealthier triggers.

Each is defined once, seeded, and never redrawn. A trigger is part of a trial's description, so these modules import
torch only where pictures are stamped: `tutorial status` reads thousands of trials and answers at once.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from tutorial_lib.plugins import Kinds
from tutorial_lib.triggers.base import Placement, Trigger
from tutorial_lib.triggers.overlay import Blended, Sinusoid, Watermark
from tutorial_lib.triggers.patch import Checkerboard, FaintPatch, NoisePatch, NoisePatches, Patch, Stripes
from tutorial_lib.triggers.warp import Resampled, WaNet

__all__ = [
    "TRIGGERS",
    "Blended",
    "Checkerboard",
    "FaintPatch",
    "NoisePatch",
    "NoisePatches",
    "Patch",
    "Placement",
    "Resampled",
    "Sinusoid",
    "Stripes",
    "Trigger",
    "WaNet",
    "Watermark",
    "make_trigger",
]

#: Triggers by the name that the command line uses; those of other packages register as `tutorial_lib.triggers`.
TRIGGERS: Kinds[Trigger] = Kinds(Trigger, __name__, "trigger")


def make_trigger(kind: str, **settings: Any) -> Trigger:
    """The trigger of that kind.

    Raises:
        ValueError: there is no such trigger, or it has no such setting.

    Example:
        >>> make_trigger("checkerboard", size=4)
        Checkerboard(size=4, cell=2, placement='fixed', margin=1)
    """
    cls = TRIGGERS.find(kind)
    known = [f.name for f in fields(cls)]
    if unknown := sorted(settings.keys() - set(known)):
        raise ValueError(f"the trigger {kind} has no {', '.join(unknown)}; it has {', '.join(known)}")
    for field in fields(cls):
        value = settings.get(field.name)
        if isinstance(field.default, int) and isinstance(value, float):
            raise ValueError(f"{field.name} of the trigger {kind} is a whole number, not {value}")
    return cls(**settings)
