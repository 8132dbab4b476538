"""Canonical JSON of the frozen dataclasses that say what a trial is, stable while the code grows.

A field that comes later is declared with `setting(default, added=True)`. At its default it is left out of the JSON, so
that older trials keep their keys and their records.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tutorial_lib.plugins import Kind


def setting(default: Any, *, added: bool = False, data: bool = False, needs: Mapping[str, Any] | None = None) -> Any:
    """A dataclass field.

    Args:
        default: its value where nothing is said.
        added: older trials did not have the field; `default` is what they meant.
        data: of a trial: the field decides its clean pairs or its pictures to classify.
        needs: other fields and the value at which this one has an effect, `...` for any but their default. Elsewhere it
            must be left at its default, so that no two keys mean the same.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Walk(Settings):
        ...     steps: int
        ...     pace: Literal["slow", "fast"] = setting("slow", added=True)
        ...     breath: float = setting(1.0, added=True, needs={"pace": "fast"})
        >>> as_dict(Walk(3)), as_dict(Walk(3, "fast"))
        ({'steps': 3}, {'steps': 3, 'pace': 'fast'})
        >>> Walk(3, breath=0.5)
        Traceback (most recent call last):
        ValueError: breath of a walk has no effect where pace is 'slow': leave it at 1.0
    """
    return field(default=default, metadata={"added": added, "data": data, "needs": needs or {}})


class Settings:
    """Base of the frozen dataclasses that describe a trial: its choices, and settings without effect, are checked.

    Example:
        See `setting`; a choice that does not exist is refused.

        >>> from tutorial_lib.triggers import Checkerboard
        >>> Checkerboard(placement="fxied")
        Traceback (most recent call last):
        ValueError: placement of a checkerboard must be fixed or random, not 'fxied'
    """

    def __post_init__(self) -> None:
        cls: Any = type(self)
        for name, allowed in _choices(cls).items():
            value = getattr(self, name)
            if value not in allowed:
                *some, last = map(str, allowed)
                words = f"{', '.join(some)} or {last}" if some else last
                raise ValueError(f"{name} of a {_name(type(self))} must be {words}, not {value!r}")
        default = {f.name: f.default for f in fields(cls)}
        for f in fields(cls):
            if getattr(self, f.name) == f.default:
                continue
            for other, wanted in f.metadata.get("needs", {}).items():
                value = getattr(self, other)
                if value == default[other] if wanted is ... else value != wanted:
                    raise ValueError(
                        f"{f.name} of a {_name(type(self))} has no effect where {other} is {value!r}: "
                        f"leave it at {f.default!r}"
                    )

    def require(self, **least: float) -> None:
        """Raises ValueError where a field is below its smallest value, or not a number.

        Raises:
            ValueError: a field is too small or no number.
        """
        for name, smallest in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= smallest:
                raise ValueError(f"{name} of a {_name(type(self))} must be at least {smallest}, not {value!r}")


@functools.cache
def _choices(cls: Any) -> dict[str, tuple[Any, ...]]:
    """What each literal field of a dataclass may be."""
    hints = get_type_hints(cls)
    return {f.name: get_args(hints[f.name]) for f in fields(cls) if get_origin(hints[f.name]) is Literal}


def _name(cls: type) -> str:
    return cls.kind if issubclass(cls, Kind) else cls.__name__.lower()


def as_dict(value: Any) -> Any:
    """Like `dataclasses.asdict`, with the kind of a `Kind` and without added fields that are at their default.

    Example:
        >>> from tutorial_lib.triggers import Sinusoid
        >>> as_dict(Sinusoid())
        {'kind': 'sig', 'delta': 40.0, 'frequency': 6.0}
    """
    if is_dataclass(value) and not isinstance(value, type):
        kept = (f for f in fields(value) if not (f.metadata.get("added") and getattr(value, f.name) == f.default))
        tag = {"kind": value.kind} if isinstance(value, Kind) else {}
        return tag | {f.name: as_dict(getattr(value, f.name)) for f in kept}
    if isinstance(value, tuple | list):
        return [as_dict(v) for v in value]
    return value


def digest(body: Any, *, length: int = 16) -> str:
    """Hash of the canonical JSON of plain data, in hexadecimal digits.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]
