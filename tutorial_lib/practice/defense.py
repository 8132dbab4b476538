"""A defense by name, with settings as a command line or a form gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from tutorial_lib.defenses import DEFENSES
from tutorial_lib.trials import Recipe, TrainedDefense

#: Settings of a trial's defense that mean nothing where the defender brings her own pairs.
OF_TRIALS = ("share", "dirty")


def methods() -> tuple[str, ...]:
    """The defenses that train, by kind."""
    return tuple(kind for kind, cls in DEFENSES.items() if issubclass(cls, TrainedDefense))


def settings_of(method: str) -> tuple[str, ...]:
    """Names of what can be set of a defense, beside its recipe."""
    return tuple(f.name for f in fields(DEFENSES.find(method)) if f.name not in ("recipe", *OF_TRIALS))


def chosen_defense(method: str, recipe: Recipe, settings: Mapping[str, Any]) -> TrainedDefense:
    """The defense of that kind.

    Args:
        method: one of `methods()`; "_" and "-" are the same.
        recipe: hyper-parameters.
        settings: more fields of the class.

    Raises:
        ValueError: there is no such method, it has no such setting, or a value is of the wrong type or out of range.
    """
    kind = next((m for m in methods() if m.replace("_", "-") == method.replace("_", "-")), None)
    if kind is None:
        raise ValueError(f"there is no method {method!r}; choose from {', '.join(methods())}")
    known = settings_of(kind)
    for name, value in settings.items():
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none beside its recipe"
            raise ValueError(f"{kind} has no setting {name}; {has}")
        _check(kind, name, value)
    return DEFENSES[kind](recipe=recipe, **settings)  # type: ignore[call-arg, return-value]


def _check(kind: str, name: str, value: Any) -> None:
    """Whether a value is of the type of the field's default."""
    default = next(f.default for f in fields(DEFENSES[kind]) if f.name == name)
    allowed: type | tuple[type, ...] = (int, float) if isinstance(default, float) else type(default)
    if not isinstance(value, allowed) or (isinstance(value, bool) and not isinstance(default, bool)):
        what = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
        raise ValueError(f"{name} of {kind} is {what.get(type(default), type(default).__name__)}, not {value!r}")
