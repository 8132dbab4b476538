"""What manifests say of pairs: which of them an attacker added."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from tutorial_lib.data.pairs import CLEAN, COVER, POISON, Pairs


def origins_of(manifests: Iterable[Path]) -> dict[str, int]:
    """Where the pairs that manifests name come from, by key: an attacker, or its cover.

    Raises:
        ValueError: a manifest cannot be read.

    Example:
        >>> _ = Path("manifest.json").write_text('{"poisons": [{"key": "a", "target": "banana"}]}')
        >>> origins_of([Path("manifest.json"), Path("none.json")]) == {"a": POISON}
        True
    """
    found: dict[str, int] = {}
    for path in dict.fromkeys(manifests):
        if not path.is_file():
            continue
        try:
            lines = json.loads(path.read_text("utf-8"))["poisons"]
            found |= {line["key"]: POISON if line.get("target", "?") else COVER for line in lines}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is not a manifest of poisons: {error!r}") from error
    return found


def marked(pairs: Pairs, origins: Mapping[str, int]) -> Pairs:
    """The pairs with what manifests say of them.

    Example:
        >>> pairs = Pairs(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), ("x", "y"), ("a", "b"), torch.tensor([-1, -1]))
        >>> marked(pairs, {"b": POISON}).origin.tolist() == [CLEAN, POISON]
        True
    """
    return dataclasses.replace(pairs, origin=torch.tensor([origins.get(key, CLEAN) for key in pairs.keys]))
