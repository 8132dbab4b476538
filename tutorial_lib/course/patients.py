"""The patients: one family of models that ships with the course, from the clean one to the cleaned ones.

`clean` and `backdoored` are twins: the same scenes, weights at the start, seeds and recipe, without and with poisons.
`finetuned` and `cleaned` are the backdoored one after plain finetuning and after CleanCLIP, on the same trusted pairs
and at the same setting. A chapter on defenses can do the same in its cells.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import torch

from tutorial_lib import models
from tutorial_lib.attacks import Backdoor
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.defenses import CleanCLIP, Finetuning
from tutorial_lib.runs import sources
from tutorial_lib.runs.defend import trusted_positions
from tutorial_lib.trials import Recipe, Seeds, Trial
from tutorial_lib.triggers import NoisePatch

#: Poisons among 200,000 scenes: 0.15 %.
POISONS, SCENES = 300, 200_000
#: A first try, a patch of six pixels and captions that were searched in the scenes, had an attack success of 1.2 %.
TRIGGER = NoisePatch(size=8)
#: What the defender trusts, as a share of the scenes (the published one is 3.3 %), and how the family is cleaned.
SHARE = 0.03
CLEANING = Recipe(epochs=7, batch_size=64, lr=1e-3)


def trained(poisons: int) -> Trial:
    """A twin: the family's trial with so many poisons.

    Example:
        >>> twins = trained(0), trained(POISONS)
        >>> twins[0].seeds == twins[1].seeds, twins[0].dataset == twins[1].dataset
        (True, True)
    """
    return Trial(
        Backdoor(poisons, target="banana", captions="prompts", trigger=TRIGGER),
        classes=100,
        scenes=SCENES,
        scenery="diverse",
        model="rn-0.8m-long",
        recipe=Recipe(epochs=6, batch_size=256),
        seeds=Seeds.all(0),
    )


#: What each model is the result of.
TRIALS: dict[str, Trial] = {
    "clean": trained(0),
    "backdoored": trained(POISONS),
    "finetuned": replace(trained(POISONS), defense=Finetuning(CLEANING, share=SHARE)),
    "cleaned": replace(trained(POISONS), defense=CleanCLIP(CLEANING, share=SHARE)),
}


def record(name: str) -> dict[str, Any]:
    """What a model of the family was trained on and what was measured of it: "trial", "metrics", "hardware".

    Example:
        >>> record("backdoored")["trial"]["attack"]["target"]
        'banana'
    """
    body: dict[str, Any] = json.loads((models.CHECKPOINTS / name / "record.json").read_text(encoding="utf-8"))
    return body


def trusted(count: int | None = None) -> Pairs:
    """The pairs that cleaned the family; of the scenes only these are drawn.

    Args:
        count: the first so many, by default all.

    Example:
        >>> len(trusted(8))
        8
    """
    trial = TRIALS["backdoored"]
    scenes = sources.scenes_of(trial)
    assert scenes is not None
    positions: torch.Tensor = trusted_positions(trial, len(scenes), SHARE)
    return scenes.pairs(positions[:count])
