"""Checks that a reader calls on their answer to an exercise: `checks.info_nce(my_info_nce)`.

Each returns a `Feedback`: right, or one sentence that says what is wrong. Solutions are in the chapters.

The modules of this package are found and not listed; each says in `__all__` which checks it offers here.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

from tutorial_lib.course.checks.core import Feedback as Feedback  # for types; the rest is found


def _offered() -> dict[str, Any]:
    """What the modules of this package offer, in the order of the alphabet.

    Raises:
        ValueError: two modules offer the same name.
    """
    found: dict[str, Any] = {}
    owner: dict[str, str] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__)):
        loaded = import_module(f"{__name__}.{module}")
        for name in loaded.__all__:
            if name in found:
                raise ValueError(f"checks/{module}.py and checks/{owner[name]}.py both have {name!r}: rename one")
            found[name], owner[name] = getattr(loaded, name), module
    return dict(sorted(found.items()))


_CHECKS = _offered()
globals().update(_CHECKS)
__all__ = list(_CHECKS)
