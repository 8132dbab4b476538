"""A training method by name, with settings as a command line gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutorial_lib.practice import settings as setting
from tutorial_lib.training.methods import METHODS
from tutorial_lib.trials import Method


def chosen_method(kind: str, settings: Mapping[str, Any]) -> Method:
    """The training method of that kind.

    Args:
        kind: one of `tutorial_lib.training.methods.METHODS`; "_" and "-" are the same.
        settings: fields of the class.

    Raises:
        ValueError: there is no such method, it has no such setting, or a value is of the wrong type or out of range.

    Example:
        >>> chosen_method("safeclip", {"warmup": 2}).warmup
        2
    """
    found = METHODS.find(kind.replace("_", "-"))
    setting.check(found, settings, setting.names(found))
    return found(**settings)
