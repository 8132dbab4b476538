"""From a trial to a trained model: data, poisons, training."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import open_clip
import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from tutorial_lib import models
from tutorial_lib.attacks import Backdoor, Plan
from tutorial_lib.data.captions import prompt_captions
from tutorial_lib.data.pairs import POISON, Pairs
from tutorial_lib.data.tasks import ZeroShotTask
from tutorial_lib.files import whole
from tutorial_lib.runs import sources
from tutorial_lib.training import distributed, memory
from tutorial_lib.training.device import device_for
from tutorial_lib.training.loop import train
from tutorial_lib.training.supervised import train_classifier
from tutorial_lib.training.text_augment import synonyms_of
from tutorial_lib.training.views import train_with_views
from tutorial_lib.trials import RECIPE_VERSION, Cleaned, History, Trial


@dataclass(frozen=True)
class Outcome:
    """A trained model with everything it was trained and is measured on; what chapters look into.

    Example:
        >>> from tutorial_lib import profiles
        >>> outcome = train_trial(profiles.get("test").backdoor(4, seed=0))
        >>> len(outcome.poisons), outcome.history.steps
        (4, 5)
    """

    model: models.Model
    tokenizer: models.Tokenizer
    clean: Pairs
    poisons: Pairs | None
    plan: Plan | None
    task: ZeroShotTask
    history: History
    trial: Trial
    fingerprint: str
    cleaned: Cleaned | None = None


#: Seconds between two states of a model in training.
STATE_EVERY = 180.0
#: The data of the last trial; they go before others are made, since two large sets may be too many.
_kept: dict[Trial, tuple[Pairs, ZeroShotTask]] = {}


def prepare(trial: Trial) -> tuple[Pairs, ZeroShotTask]:
    """The clean training pairs and the pictures to classify of a trial (kept for the next one).

    Example:
        >>> from tutorial_lib import profiles
        >>> clean, task = prepare(profiles.get("test").base)
        >>> len(clean), len(task.labels)
        (320, 16)
    """
    if (dataset := trial.dataset) not in _kept:
        _kept.clear()
        _kept[dataset] = sources.training_pairs(dataset), sources.zero_shot_task(dataset)
    return _kept[dataset]


def train_trial(
    trial: Trial,
    *,
    progress: bool | None = None,
    device: str | None = None,
    weights: Path | None = None,
    checkpoint: Path | None = None,
    **options: Any,
) -> Outcome:
    """Train the model of a trial, up to its defense (see `tutorial_lib.runs.defend` for what comes after).

    Args:
        trial: what to train.
        progress: as for `tutorial_lib.training.loop.train`.
        device: by default the GPU if there is one.
        weights: a file that holds the trained weights, or shall hold them: several trials that clean one model then
            train it once.
        checkpoint: a file for the state after each epoch, and every few minutes within one; if it is there, training
            goes on from it. Removed at the end, unless `keep_checkpoint` is among the options.
        options: more keyword arguments of `tutorial_lib.training.loop.optimize`.

    Raises:
        ValueError: the attack does not fit the data, the model takes pictures of another side, or the trial is of
            another version of the recipe.

    Example:
        >>> from tutorial_lib import profiles
        >>> train_trial(profiles.get("test").base).poisons is None
        True
    """
    identity, trial = (trial.weights if trial.shares else trial).key, trial.trained
    if trial.recipe_version != RECIPE_VERSION:
        raise ValueError(f"the trial is of recipe {trial.recipe_version}; this version makes recipe {RECIPE_VERSION}")
    config = models.model_config(trial.model)
    if (side := models.config_side(config)) != trial.side:
        raise ValueError(f"{trial.model} takes pictures of {side} x {side} pixels, and the trial has side {trial.side}")
    clean, task = prepare(trial)
    plan = None if trial.attack is None else trial.attack.plan(clean, task, seed=trial.seeds.poison)
    poisons = None if plan is None else plan.poisons
    pairs = clean if poisons is None else clean + poisons
    clip, tokenizer = _model(trial, config, pairs, task)
    options |= {"device": device, "progress": progress}
    if checkpoint is not None:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        options = {"checkpoint_seconds": STATE_EVERY} | options | {"checkpoint": checkpoint, "identity": identity}
    model: models.Model = clip
    with memory.explained(config, trial.recipe, device_for(device)):
        if trial.objective == "supervised":
            model = models.Classifier(clip.visual, config["embed_dim"], len(task.labels), seed=trial.seeds.init)
            labels = _labels(trial, clean, poisons, task)
            history = train_classifier(model, pairs.pixels, labels, trial.recipe, seed=trial.seeds.order, **options)
        else:
            fit = functools.partial(_fit, trial, clip, tokenizer, pairs, **options)
            history = fit() if weights is None else _once(clip, weights, fit, device)
    return Outcome(model, tokenizer, clean, poisons, plan, task, history, trial, pairs.fingerprint())


def _model(
    trial: Trial, config: dict[str, Any], pairs: Pairs, task: ZeroShotTask
) -> tuple[open_clip.CLIP, models.Tokenizer]:
    """The model to train, and its tokenizer: random weights, or those of the trial's start."""
    if trial.start:
        return models.pretrained(trial.start, trial.model)
    prompts = [p for label in task.labels for p in prompt_captions(label)]
    synonyms = synonyms_of(itertools.chain(pairs.captions, prompts))  # twice through millions of captions: no copy
    tokenizer = models.tokenizer_for(config, itertools.chain(pairs.captions, prompts, synonyms))
    return models.build(config, tokenizer, seed=trial.seeds.init), tokenizer


def _fit(trial: Trial, clip: open_clip.CLIP, tokenizer: models.Tokenizer, pairs: Pairs, **options: Any) -> History:
    if trial.method is not None:
        return trial.method.train(clip, tokenizer, pairs, trial.recipe, seed=trial.seeds.order, **options)
    if trial.self_supervision:
        return train_with_views(
            clip,
            tokenizer,
            pairs,
            trial.recipe,
            lambda_self=trial.self_supervision,
            seed=trial.seeds.order,
            **options,
        )
    objective: Literal["clip", "triplet"] = "triplet" if trial.objective == "triplet" else "clip"
    return train(clip, tokenizer, pairs, trial.recipe, objective=objective, seed=trial.seeds.order, **options)


def _once(clip: open_clip.CLIP, weights: Path, fit: Callable[[], History], device: str | None) -> History:
    """Load the weights if they are there; train and keep them if not. Processes wait for the one that trains."""
    first = distributed.rank() == 0
    weights.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(weights.with_suffix(".lock")) if first else contextlib.nullcontext():
        there = _stored(weights, clip) if first and weights.is_file() else None
        if (found := distributed.agreed(there)) is not None:
            clip.to(device_for(device), memory_format=torch.channels_last).eval()
            return found  # of a group, training begins with the weights of the first process
        history = fit()
        if not first:
            return history
        state = {k: v.cpu().contiguous() for k, v in clip.state_dict().items()}
        with whole(weights, alone=True) as part:
            save_file(state, part, metadata={"history": json.dumps(asdict(history))})
        return history


def _stored(weights: Path, clip: open_clip.CLIP) -> History | None:
    """Load kept weights into the model; a damaged or foreign file leaves the model as it is and gives `None`."""
    try:
        with safe_open(weights, "pt") as file:
            history = History(**json.loads(file.metadata()["history"]))
        state = load_file(weights)
    except (SafetensorError, KeyError, TypeError, ValueError):
        return None
    if {k: v.shape for k, v in state.items()} != {k: v.shape for k, v in clip.state_dict().items()}:
        return None
    clip.load_state_dict(state)
    return history


def _labels(trial: Trial, clean: Pairs, poisons: Pairs | None, task: ZeroShotTask) -> Tensor:
    """What a supervised data set would say: the class of each clean picture, the attacker's for each poison."""
    labels = task.class_of_concept(clean.concept)
    if (labels < 0).any():
        raise ValueError("a supervised classifier needs pictures of one class each: leave `scenes` and `shards` out")
    if poisons is None:
        return labels
    if not isinstance(trial.attack, Backdoor):
        raise ValueError("a supervised classifier is only attacked with a backdoor here")
    said = task.class_of_concept(poisons.concept)  # true for a cover
    said[poisons.origin == POISON] = task.class_of(trial.attack.target)
    return torch.cat([labels, said])
