"""From a trained trial to a cleaned one. Introduced in the chapter on CleanCLIP.

A defense is given what a defender could have: a share of the clean pairs, their class labels where the method asks for
them, and the training pairs where it looks for poisons.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import torch

from tutorial_lib import models
from tutorial_lib.attacks import Backdoor
from tutorial_lib.attacks.poison import count_poisons
from tutorial_lib.data.pairs import POISON, Pairs
from tutorial_lib.runs import sources
from tutorial_lib.runs.outcome import Outcome
from tutorial_lib.trials import Defense, Material, TrainedDefense, Trial


def _generator(trial: Trial) -> torch.Generator:
    """What draws a defender's material."""
    return torch.Generator().manual_seed(1_000_003 * trial.seeds.data + trial.seeds.order + 17)


def _drawn(count: int, share: float, generator: torch.Generator) -> torch.Tensor:
    return torch.randperm(count, generator=generator)[: max(1, round(share * count))]


def trusted_positions(trial: Trial, count: int, share: float) -> torch.Tensor:
    """Which of its clean pairs the defender of a trial trusts, shape (K,), int64.

    Args:
        trial: whose seeds draw them.
        count: number of clean pairs.
        share: of these.

    Example:
        >>> len(trusted_positions(Trial(), 200, 0.03))
        6
    """
    return _drawn(count, share, _generator(trial))


def material(outcome: Outcome, defense: Defense) -> Material:
    """What the defender of a trial has.

    Raises:
        ValueError: more poisons shall be left than there are.

    Example:
        >>> from tutorial_lib import profiles
        >>> from tutorial_lib.runs.outcome import train_trial
        >>> c = profiles.get("test").cleaning
        >>> len(material(train_trial(c.attacked("badnets", 0)), c.sweep("finetune")[0]).pairs)  # half of 320
        160
    """
    trial, clean, poisons = outcome.trial, outcome.clean, outcome.poisons
    training, fresh = None, None
    if "training" in defense.needs:  # a copy of all pairs, for the one that looks for poisons among them
        training = clean if poisons is None else clean + poisons
        fresh = functools.partial(models.build, models.model_config(trial.model), outcome.tokenizer)
    if not isinstance(defense, TrainedDefense):
        return Material(clean.take(torch.empty(0, dtype=torch.int64)), training=training, fresh=fresh)
    generator = _generator(trial)
    pairs = clean.take(_drawn(len(clean), defense.share, generator))
    shown = outcome.task.class_of_concept(pairs.concept)
    of_task = not trial.shards or trial.shards == trial.task  # captions of other shards say what people liked
    labelled = of_task and not trial.scenes  # a scene shows several things
    labels = shown if labelled and (shown >= 0).any() else None
    if labels is None and "labels" in defense.needs:  # nobody has labelled these pairs: take other pictures
        return _labelled(outcome)
    if defense.dirty:
        there = 0 if poisons is None else count_poisons(poisons)
        if poisons is None or defense.dirty > there:
            raise ValueError(f"{defense.dirty} poisons shall be left among the trusted pairs, and there are {there}")
        real = (poisons.origin == POISON).nonzero()[:, 0]
        pairs = pairs + poisons.take(real[torch.randperm(there, generator=generator)[: defense.dirty]])
        backdoor = trial.attack.find(Backdoor) if trial.attack else None
        if labels is not None and backdoor is not None:
            wanted = outcome.task.class_of(backdoor.target)
            labels = torch.cat([labels, torch.full((defense.dirty,), wanted)])
    return Material(pairs, labels, len(outcome.task.labels), training, fresh)


def _labelled(outcome: Outcome) -> Material:
    """Labelled pictures that are not training pairs, as the paper takes 50,000 of ImageNet."""
    images, labels = sources.labelled_pictures(outcome.trial, outcome.clean, outcome.task)
    names = tuple(outcome.task.labels[k] for k in labels.tolist())
    pairs = Pairs(images, names, tuple(f"labelled-{i}" for i in range(len(names))), torch.full((len(names),), -1))
    return Material(pairs, labels, len(outcome.task.labels))


def apply(outcome: Outcome, defense: Defense, *, device: str | None = None, progress: bool | None = False) -> Outcome:
    """The outcome with its model cleaned; the given model is changed.

    Raises:
        DefenseError: the method lacks something that it needs.

    Example:
        >>> from tutorial_lib import profiles
        >>> from tutorial_lib.runs.outcome import train_trial
        >>> c = profiles.get("test").cleaning
        >>> apply(train_trial(c.attacked("badnets", 0)), c.sweep("finetune")[0]).cleaned.history.steps
        5
    """
    trial = replace(outcome.trial, defense=defense)
    if not defense.cost:
        return replace(outcome, trial=trial)
    if isinstance(outcome.model, models.Classifier):
        raise ValueError("a supervised classifier has no defense here: train with objective='clip'")
    if "pairs" in defense.needs and not isinstance(defense, TrainedDefense):
        raise ValueError(f"the defense {defense.kind} says no share of trusted pairs: extend TrainedDefense")
    given = material(outcome, defense)
    seed = trial.seeds.order + 1
    cleaned = defense.clean(outcome.model, outcome.tokenizer, given, seed=seed, device=device, progress=progress)
    return replace(outcome, model=cleaned.model, cleaned=cleaned, trial=trial)
