"""A step of CleanCLIP beside a step of plain finetuning, on the same pairs, model and batch."""

from __future__ import annotations

import copy
import statistics
from typing import Any

import torch

from tutorial_lib import models, profiles
from tutorial_lib.defenses import DEFENSES, Material, TrainedDefense
from tutorial_lib.runs.outcome import prepare
from tutorial_lib.trials import Recipe

PAIRS, BATCH = 1280, 64
#: Side of the trigger that is unlearned, in pixels.
PATCH = 6


def compare(*, repeats: int = 3, seed: int = 0) -> dict[str, Any]:
    """Median milliseconds of a step of each defense, taken in turn, and their ratio to plain finetuning."""
    trial = profiles.get("demo").cleaning.attacked("badnets", seed)
    pairs, task = prepare(trial)
    config = models.model_config(trial.model)
    tokenizer = models.tokenizer_for(config, list(pairs.captions))
    fresh = models.build(config, tokenizer, seed=seed)
    trusted = pairs.take(range(PAIRS))
    mask = torch.zeros(1, trial.side, trial.side)
    mask[:, :PATCH, :PATCH] = 1
    trigger = (mask, torch.full((3, trial.side, trial.side), 0.5))  # whatever it is, unlearning it takes as long
    labels = task.class_of_concept(trusted.concept)
    material = Material(trusted, labels, len(task.labels), trusted, trigger=trigger)
    recipe = Recipe(epochs=1, batch_size=BATCH)
    methods = {name: cls(recipe=recipe) for name, cls in DEFENSES.items() if issubclass(cls, TrainedDefense)}
    times: dict[str, list[float]] = {name: [] for name in methods}
    for turn in range(repeats + 1):
        for name, defense in methods.items():
            made = defense.clean(copy.deepcopy(fresh), tokenizer, material, seed=seed)
            if turn:  # the first is for warming up
                times[name].append(1000 * made.history.seconds / made.history.steps)
    step = {name: statistics.median(found) for name, found in times.items()}
    ratio = {name: value / step["finetune"] for name, value in step.items()}
    return {"batch_size": BATCH, "step_ms": step, "ratio_to_finetuning": ratio}


def describe(body: dict[str, Any]) -> list[str]:
    steps = ", ".join(
        f"{name} {body['step_ms'][name]:.0f} ms ({ratio:.2f})" for name, ratio in body["ratio_to_finetuning"].items()
    )
    return [f"cleaning: a step of {body['batch_size']} pairs, and its ratio to plain finetuning: {steps}"]
