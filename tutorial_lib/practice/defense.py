"""A defense by name, with settings as a command line or a form gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutorial_lib.defenses import DEFENSES
from tutorial_lib.practice import settings as setting
from tutorial_lib.trials import Recipe, TrainedDefense

#: Settings of a trial's defense that mean nothing where the defender brings pairs of their own.
OF_TRIALS = ("share", "dirty")


def methods() -> tuple[str, ...]:
    """The defenses that train, by kind.

    Example:
        >>> "cleanclip" in methods(), "none" in methods()
        (True, False)
    """
    return tuple(kind for kind, cls in DEFENSES.items() if issubclass(cls, TrainedDefense))


def settings_of(method: str) -> tuple[str, ...]:
    """Names of what can be set of a defense, beside its recipe.

    Example:
        >>> settings_of("shrink-and-perturb")
        ('shrink', 'perturb')
    """
    return setting.names(DEFENSES.find(method), without=("recipe", *OF_TRIALS))


def chosen_defense(method: str, recipe: Recipe, settings: Mapping[str, Any]) -> TrainedDefense:
    """The defense of that kind.

    Args:
        method: one of `methods()`; "_" and "-" are the same.
        recipe: hyper-parameters.
        settings: more fields of the class.

    Raises:
        ValueError: there is no such method, it has no such setting, or a value is of the wrong type or out of range.

    Example:
        >>> chosen_defense("cleanclip", Recipe(epochs=2), {"lambda_self": 2.0}).lambda_self
        2.0
    """
    kind = next((m for m in methods() if m.replace("_", "-") == method.replace("_", "-")), None)
    if kind is None:
        raise ValueError(f"there is no method {method!r}; choose from {', '.join(methods())}")
    setting.check(DEFENSES[kind], settings, settings_of(kind), beside=" beside its recipe")
    return DEFENSES[kind](recipe=recipe, **settings)  # type: ignore[call-arg, return-value]
