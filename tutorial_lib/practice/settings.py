"""Settings of a class as a command line or a form gives them: by name, with values that may be anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from tutorial_lib.plugins import Kind

#: The largest whole number that a setting may be; a seed beyond it fits no generator.
MOST = 2**32 - 1
#: How the type of a default is called.
TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


def names(cls: type[Any], *, without: Collection[str] = ()) -> tuple[str, ...]:
    """What can be set of a dataclass.

    Example:
        >>> from tutorial_lib.defenses import CleanCLIP
        >>> names(CleanCLIP, without=("recipe", "share", "dirty"))
        ('lambda_self', 'both_ways')
    """
    return tuple(f.name for f in fields(cls) if f.name not in without)


def check(cls: type[Kind], settings: Mapping[str, Any], known: Collection[str], *, beside: str = "") -> None:
    """Whether the settings exist and their values have the types of the defaults.

    Args:
        cls: a dataclass.
        settings: values by name.
        known: names of what can be set.
        beside: what the class has besides, for the message where it has no settings.

    Raises:
        ValueError: there is no such setting, or a value has another type or is too large.

    Example:
        >>> from tutorial_lib.defenses import CleanCLIP
        >>> check(CleanCLIP, {"both_ways": 1}, ["both_ways"])
        Traceback (most recent call last):
        ValueError: both_ways of cleanclip is true or false, not 1
    """
    defaults: dict[str, Field[Any]] = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for name, value in settings.items():
        if name not in known:
            has = f"it has {', '.join(known)}" if known else f"it has none{beside}"
            raise ValueError(f"{cls.kind} has no setting {name}; {has}")
        default = defaults[name].default
        if default is MISSING or default is None or type(default) not in TYPES:
            continue  # checked where the class is made
        allowed: type | tuple[type, ...] = (int, float) if isinstance(default, float) else type(default)
        if not isinstance(value, allowed) or (isinstance(value, bool) and not isinstance(default, bool)):
            raise ValueError(f"{name} of {cls.kind} is {TYPES[type(default)]}, not {value!r}")
        if isinstance(value, int) and abs(value) > MOST:
            raise ValueError(f"{name} of {cls.kind} is a number of at most {MOST}, not {value}")
