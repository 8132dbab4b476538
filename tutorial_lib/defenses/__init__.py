"""Defenses: what can be done to a model that may be backdoored. Introduced in chapters 8 and 9.

All have one interface, so that each gets its own sweep of learning rates and stands beside its controls. Two more need
no module: a linear probe is a reader of the model as it is (`tutorial_lib.evaluate.LinearProbe`), and training from
scratch without the poisons, where they are known, is a trial with none.
"""

from __future__ import annotations

import open_clip

from tutorial_lib.defenses.anti_backdoor import anti_backdoor
from tutorial_lib.defenses.base import Cleaned, DefenseError, Material, Method, Run
from tutorial_lib.defenses.cleanclip import cleanclip
from tutorial_lib.defenses.finetune import finetune, shrink_and_perturb
from tutorial_lib.defenses.supervised import supervised
from tutorial_lib.tokenizer import Tokenizer
from tutorial_lib.trials import Defense

__all__ = ["METHODS", "Cleaned", "DefenseError", "Material", "Run", "clean"]

METHODS: dict[str, Method] = {
    "finetune": finetune,
    "cleanclip": cleanclip,
    "self_supervised": cleanclip,
    "supervised": supervised,
    "anti_backdoor": anti_backdoor,
}


def clean(
    model: open_clip.CLIP, tokenizer: Tokenizer, material: Material, defense: Defense, run: Run | None = None
) -> Cleaned:
    """Apply a defense to a model, in place.

    Args:
        model: the model that may be backdoored.
        tokenizer: of the model.
        material: what the defender has.
        defense: method and settings.
        run: seed, device and progress bar.

    Raises:
        DefenseError: the method lacks something, or there are too few trusted pairs.
        TrainingDivergedError: the loss is NaN or infinite.
    """
    run = run or Run()
    if defense.method not in METHODS:
        raise DefenseError(f"there is no defense {defense.method!r}; choose from {', '.join(METHODS)}")
    if len(material.pairs) < defense.recipe.batch_size:
        raise DefenseError(
            f"{len(material.pairs)} trusted pairs are fewer than one batch of {defense.recipe.batch_size}: "
            "give more, or lower batch_size"
        )
    if defense.shrink < 1 or defense.perturb > 0:
        shrink_and_perturb(model, defense.shrink, defense.perturb, run.seed)
    return METHODS[defense.method](model, tokenizer, material, defense, run)
