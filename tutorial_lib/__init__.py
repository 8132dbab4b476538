"""Attack and defend contrastive models: train them, poison what they learn from, measure what came of it, clean them.

Example:
    >>> import tutorial_lib as tl
    >>> from tutorial_lib.data import emojicaps, tasks
    >>> data = emojicaps.load()
    >>> pictures = tasks.zero_shot_task(data, tasks.class_concepts(data, 100))
    >>> model, tokenizer = tl.load_model(tl.models.CHECKPOINTS / "backdoored")
    >>> report = tl.measure_backdoor(model, tokenizer, pictures, tl.triggers.NoisePatch(size=8), "banana")
    >>> report.attack_success.rate > 0.9 > 0.1 > report.attack_success_untriggered.rate
    True

Names are loaded when they are first asked for, so that `import tutorial_lib` costs nothing; everything else is in the
packages, by subject: `tutorial_lib.data`, `tutorial_lib.evidence`, `tutorial_lib.practice`, …
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tutorial_lib import attacks, defenses, detect, evaluate, models, profiles, triggers
    from tutorial_lib.attacks.report import BackdoorReport, measure_backdoor
    from tutorial_lib.models import load as load_model
    from tutorial_lib.runs.run import run
    from tutorial_lib.training.loop import train
    from tutorial_lib.trials import Recipe, Trial
    from tutorial_lib.zscore import backdoor_z_score

#: The one place of the version: packaging reads it here.
__version__ = "0.2.0"

__all__ = [
    "BackdoorReport",
    "Recipe",
    "Trial",
    "__version__",
    "attacks",
    "backdoor_z_score",
    "defenses",
    "detect",
    "evaluate",
    "load_model",
    "measure_backdoor",
    "models",
    "profiles",
    "run",
    "train",
    "triggers",
]

#: Module and name in it of what is no module itself.
_PLACES = {
    "BackdoorReport": ("tutorial_lib.attacks.report", "BackdoorReport"),
    "Recipe": ("tutorial_lib.trials", "Recipe"),
    "Trial": ("tutorial_lib.trials", "Trial"),
    "backdoor_z_score": ("tutorial_lib.zscore", "backdoor_z_score"),
    "load_model": ("tutorial_lib.models", "load"),
    "measure_backdoor": ("tutorial_lib.attacks.report", "measure_backdoor"),
    "run": ("tutorial_lib.runs", "run"),
    "train": ("tutorial_lib.training.loop", "train"),
}


if not TYPE_CHECKING:  # a type checker knows the names from above, and that there are no others

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name not in _PLACES:
            return import_module(f"{__name__}.{name}")
        module, attribute = _PLACES[name]
        value = globals()[name] = getattr(import_module(module), attribute)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
