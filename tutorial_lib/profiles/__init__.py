"""Profiles: one table of numbers each, never another code path. Introduced in the chapter on what makes it work.

`test` checks that everything runs, `demo` is live in a chapter, `pilot` holds the first records, `laptop` makes every
figure in an evening, `cpu` as many models as verdicts need, `overnight` the paper's counts in up to 3,000,000 scenes,
`gpu` is for one GPU, and `paper` for the data and the hyper-parameters of Carlini & Terzis (2022); `photos` takes small
photographs that the user brings. Imports no torch.
"""

from tutorial_lib.profiles.cleaning import Cleaning
from tutorial_lib.profiles.cpu import CPU
from tutorial_lib.profiles.demo import DEMO
from tutorial_lib.profiles.gpu import GPU
from tutorial_lib.profiles.laptop import LAPTOP
from tutorial_lib.profiles.numbers import Models
from tutorial_lib.profiles.overnight import OVERNIGHT
from tutorial_lib.profiles.paper import PAPER
from tutorial_lib.profiles.photos import PHOTOS
from tutorial_lib.profiles.pilot import PILOT
from tutorial_lib.profiles.profile import ByProfile, Profile
from tutorial_lib.profiles.test import TEST

__all__ = ["NAMES", "PROFILES", "ByProfile", "Cleaning", "Models", "Profile", "get"]

PROFILES = {p.name: p for p in (TEST, DEMO, PILOT, LAPTOP, CPU, OVERNIGHT, PHOTOS, GPU, PAPER)}
NAMES = tuple(PROFILES)


def get(name: str) -> Profile:
    """The profile of that name.

    Raises:
        ValueError: there is none; lists those that exist.

    Example:
        >>> get("cpu").many
        128
    """
    if name not in PROFILES:
        raise ValueError(f"there is no profile {name!r}; choose from {', '.join(NAMES)}")
    return PROFILES[name]
