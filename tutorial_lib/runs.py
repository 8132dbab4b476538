"""`run(trial) -> Record`: one model from data to metrics. Every figure of the course is made of these."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import open_clip
import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from tutorial_lib import attacks, distributed, footprint, sources
from tutorial_lib import model as models
from tutorial_lib.attacks import Plan
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.defenses import Cleaned
from tutorial_lib.defenses.cleanclip import train_with_views
from tutorial_lib.evaluate import (
    LinearProbe,
    Reader,
    accuracy,
    embed_images,
    knn_predict,
    predict,
    zero_shot_classifier,
)
from tutorial_lib.poison import prompt_captions, without_cover
from tutorial_lib.supervised import Classifier, read_with_head, train_classifier
from tutorial_lib.tasks import ZeroShotTask
from tutorial_lib.tokenizer import Tokenizer
from tutorial_lib.train import History, device_for, train
from tutorial_lib.trials import RECIPE_VERSION, Backdoor, Record, Seeds, Trial

__all__ = [
    "RECIPE_VERSION",
    "Outcome",
    "Record",
    "Seeds",
    "Trial",
    "fit",
    "hardware",
    "measure",
    "prepare",
    "run",
    "train_trial",
]


@dataclass(frozen=True)
class Outcome:
    """A trained model with everything it was trained and is measured on; what chapters look into."""

    model: open_clip.CLIP | Classifier
    tokenizer: Tokenizer
    clean: Pairs
    poisons: Pairs | None
    plan: Plan | None
    task: ZeroShotTask
    history: History
    trial: Trial
    fingerprint: str
    cleaned: Cleaned | None = None


@functools.lru_cache(maxsize=1)
def _data(trial: Trial) -> tuple[Pairs, ZeroShotTask]:
    return sources.training_pairs(trial), sources.zero_shot_task(trial)


def prepare(trial: Trial) -> tuple[Pairs, ZeroShotTask]:
    """The clean training pairs and the pictures to classify of a trial (kept for the next one)."""
    seeds = Seeds(data=trial.seeds.data)
    return _data(
        Trial(
            classes=trial.classes,
            copies=trial.copies,
            side=trial.side,
            seeds=seeds,
            split=trial.split,
            data=trial.data,
            scenes=trial.scenes,
            shards=trial.shards,
            limit=trial.limit,
            task=trial.task,
        )
    )


def train_trial(
    trial: Trial,
    *,
    progress: bool | None = None,
    device: str | None = None,
    weights: Path | None = None,
    checkpoint: Path | None = None,
    **options,
) -> Outcome:
    """Train the model of a trial, up to its defense (see `tutorial_lib.cleaning` for what comes after).

    Args:
        trial: what to train.
        progress: show a bar; by default only on a terminal.
        device: by default the GPU if there is one.
        weights: a file that holds the trained weights, or shall hold them: several trials that clean one model then
            train it once.
        checkpoint: a file for the state after each epoch; if it is there, training goes on from it. Removed at the end.
        options: more keyword arguments of `train`.

    Raises:
        ValueError: the attack does not fit the data.
    """
    trial = trial.trained
    clean, task = prepare(trial)
    plan = None
    if trial.attack is not None:
        plan = attacks.plan(trial.attack, clean, task, side=trial.side, seed=trial.seeds.poison)
    poisons = None if plan is None else plan.poisons
    pairs = clean if poisons is None else clean + poisons
    config = models.model_config(trial.model)
    prompts = [p for label in task.labels for p in prompt_captions(label)]
    tokenizer = models.tokenizer_for(config, [*pairs.captions, *prompts])
    if trial.start:
        clip, tokenizer = models.pretrained(trial.start, trial.model)
    else:
        clip = models.build(config, tokenizer, seed=trial.seeds.init)
    model: open_clip.CLIP | Classifier = clip
    if checkpoint is not None:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        options |= {"checkpoint": checkpoint, "identity": trial.key}
    once = functools.partial(_fit, trial, clip, tokenizer, pairs, device=device, progress=progress, **options)
    explained = footprint.explained(config, trial.recipe, device_for(device))
    if trial.objective == "supervised":
        model = Classifier(clip.visual, config["embed_dim"], len(task.labels), seed=trial.seeds.init)
        labels = _labels(trial, clean, poisons, task)
        history = train_classifier(model, pairs.pixels, labels, trial.recipe, seed=trial.seeds.order, device=device)
    elif weights is None:
        with explained:
            history = once()
    else:
        with explained:
            history = _once(clip, weights, once, device)
    return Outcome(model, tokenizer, clean, poisons, plan, task, history, trial, pairs.fingerprint())


def _fit(trial: Trial, clip: open_clip.CLIP, tokenizer: Tokenizer, pairs: Pairs, **options) -> History:
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
    return train(clip, tokenizer, pairs, trial.recipe, seed=trial.seeds.order, **options)


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
        part = weights.with_suffix(f".{os.getpid()}.part")
        state = {k: v.cpu().contiguous() for k, v in clip.state_dict().items()}
        save_file(state, part, metadata={"history": json.dumps(asdict(history))})
        os.replace(part, weights)
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
    said[: without_cover(poisons)] = task.class_of(trial.attack.target)
    return torch.cat([labels, said])


def measure(outcome: Outcome, *, probes: bool = True) -> dict[str, Any]:
    """Every metric of a trained model, as plain numbers.

    Args:
        outcome: from `train_trial`.
        probes: also fit a linear probe and a nearest-neighbour classifier (some seconds).
    """
    task, model = outcome.task, outcome.model
    embeddings = embed_images(model, task.images)
    readers: dict[str, Reader] = {}
    if isinstance(model, Classifier):
        readers["classifier"] = functools.partial(read_with_head, model)
    else:
        zero_shot = zero_shot_classifier(model, outcome.tokenizer, task.labels)
        readers["zero_shot"] = functools.partial(predict, classifier=zero_shot)
    if probes:
        images, labels = sources.labelled_pictures(outcome.trial, outcome.clean, task)
        labelled = embed_images(model, images)
        readers["linear_probe"] = LinearProbe(labelled, labels).predict
        readers["knn"] = functools.partial(knn_predict, labelled, labels)
    metrics: dict[str, Any] = {
        "pairs": len(outcome.clean),
        "poisons": 0 if outcome.poisons is None else without_cover(outcome.poisons),
        "pairs_fingerprint": outcome.fingerprint,
        "image_parameters": models.parameter_count(model.visual),
        "parameters": models.parameter_count(model),
        "steps": outcome.history.steps,
        "loss": outcome.history.loss,
        "samples_per_second": outcome.history.samples_per_second,
        "clean_accuracy": {name: asdict(accuracy(read(embeddings), task.targets)) for name, read in readers.items()},
    }
    metrics["poison_rate"] = metrics["poisons"] / (metrics["pairs"] + len(outcome.poisons or ()))
    if outcome.plan is not None:
        metrics |= outcome.plan.measure(model, outcome.tokenizer, task, embeddings, readers)
    return metrics


def run(
    trial: Trial,
    *,
    progress: bool | None = None,
    device: str | None = None,
    keep: Path | None = None,
    weights: Path | None = None,
    checkpoint: Path | None = None,
) -> Record:
    """Train, clean where a defense is given, and measure one trial.

    It is a pure function of the trial on the same hardware and versions.

    Args:
        trial: what to train.
        progress: show a bar; by default only on a terminal.
        device: by default the GPU if there is one.
        keep: also save the model there, as a directory that `tutorial evaluate` reads (CLIP models only).
        weights: of the model before the defense, see `train_trial`.
        checkpoint: state of the model in training, see `train_trial`.
    """
    from tutorial_lib import cleaning

    started = time.perf_counter()
    outcome = fit(trial, progress=progress, device=device, weights=weights, checkpoint=checkpoint)
    metrics = measure(outcome)
    if trial.defense is not None:
        metrics |= cleaning.measure(outcome)
    if keep is not None and not isinstance(outcome.model, Classifier):
        models.save(keep, outcome.model, models.model_config(trial.model), outcome.tokenizer, half=True)
    return Record(
        key=trial.key,
        trial=trial.as_dict(),
        metrics=metrics,
        seconds=round(time.perf_counter() - started, 1),
        hardware=hardware(device),
        versions={name: version(name) for name in ("torch", "open_clip_torch")},
        date=time.strftime("%Y-%m-%d", time.gmtime()),
    )


def fit(
    trial: Trial,
    *,
    progress: bool | None = None,
    device: str | None = None,
    weights: Path | None = None,
    checkpoint: Path | None = None,
) -> Outcome:
    """Train and clean, but measure nothing: what every process of a group does; the arguments are those of `run`."""
    from tutorial_lib import cleaning  # it builds on this module

    outcome = train_trial(trial, progress=progress, device=device, weights=weights, checkpoint=checkpoint)
    if trial.defense is not None:
        outcome = cleaning.apply(outcome, trial.defense, device=device, progress=progress)
    return outcome


def hardware(device: str | None = None) -> str:
    """The machine in a few words: GPU, or CPU model and cores."""
    if torch.cuda.is_available() and device != "cpu":
        together = distributed.size()
        return (f"{together} x " if together > 1 else "") + torch.cuda.get_device_name()
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores"
