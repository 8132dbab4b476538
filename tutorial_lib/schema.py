"""Canonical JSON of the frozen dataclasses that say what a trial is, stable while the code grows.

A field that comes later is declared with `added(default)`. At its default it is left out of the JSON, so that older
trials keep their keys and their records.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import field, fields, is_dataclass
from typing import Any


def added(default: Any) -> Any:
    """A dataclass field that older trials did not have; `default` is what they meant."""
    return field(default=default, metadata={"added": True})


def as_dict(value: Any) -> Any:
    """Like `dataclasses.asdict`, without added fields that are at their default."""
    if is_dataclass(value) and not isinstance(value, type):
        kept = (f for f in fields(value) if not (f.metadata.get("added") and getattr(value, f.name) == f.default))
        return {f.name: as_dict(getattr(value, f.name)) for f in kept}
    if isinstance(value, tuple | list):
        return [as_dict(v) for v in value]
    return value


def digest(body: Any, *, length: int = 16) -> str:
    """Hash of the canonical JSON of plain data, in hexadecimal digits."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]
