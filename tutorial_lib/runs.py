"""`run(trial) -> Record`: one model from data to metrics. Every figure of the course is made of these."""

from __future__ import annotations

import functools
import os
import platform
import time
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import Tensor

from tutorial_lib import attacks, sources
from tutorial_lib import model as models
from tutorial_lib.attacks import Plan
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.evaluate import (
    LinearProbe,
    Reader,
    accuracy,
    embed_images,
    knn_predict,
    predict,
    zero_shot_classifier,
)
from tutorial_lib.poison import prompt_captions
from tutorial_lib.supervised import Classifier, read_with_head, train_classifier
from tutorial_lib.tasks import ZeroShotTask
from tutorial_lib.tokenizer import Tokenizer
from tutorial_lib.train import History, train
from tutorial_lib.trials import RECIPE_VERSION, Backdoor, Record, Seeds, Trial

__all__ = [
    "RECIPE_VERSION",
    "Outcome",
    "Record",
    "Seeds",
    "Trial",
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


@functools.lru_cache(maxsize=1)
def _data(trial: Trial) -> tuple[Pairs, ZeroShotTask]:
    return sources.training_pairs(trial), sources.zero_shot_task(trial)


def prepare(trial: Trial) -> tuple[Pairs, ZeroShotTask]:
    """The clean training pairs and the pictures to classify of a trial (kept for the next one)."""
    seeds = Seeds(data=trial.seeds.data)
    return _data(replace(trial, attack=None, model="", recipe=type(trial.recipe)(), seeds=seeds, objective="clip"))


def train_trial(trial: Trial, *, progress: bool | None = None, device: str | None = None, **options) -> Outcome:
    """Train the model of a trial.

    Args:
        trial: what to train.
        progress: show a bar; by default only on a terminal.
        device: by default the GPU if there is one.
        options: more keyword arguments of `train`.

    Raises:
        ValueError: the attack does not fit the data.
    """
    clean, task = prepare(trial)
    plan = None
    if trial.attack is not None:
        plan = attacks.plan(trial.attack, clean, task, side=trial.side, seed=trial.seeds.poison)
    poisons = None if plan is None else plan.poisons
    pairs = clean if poisons is None else clean + poisons
    config = models.model_config(trial.model)
    prompts = [p for label in task.labels for p in prompt_captions(label)]
    tokenizer = models.tokenizer_for(config, [*pairs.captions, *prompts])
    clip = models.build(config, tokenizer, seed=trial.seeds.init)
    model: open_clip.CLIP | Classifier = clip
    if trial.objective == "supervised":
        model = Classifier(clip.visual, config["embed_dim"], len(task.labels), seed=trial.seeds.init)
        labels = _labels(trial, clean, poisons, task)
        history = train_classifier(model, pairs.images, labels, trial.recipe, seed=trial.seeds.order, device=device)
    else:
        history = train(
            clip, tokenizer, pairs, trial.recipe, seed=trial.seeds.order, device=device, progress=progress, **options
        )
    return Outcome(model, tokenizer, clean, poisons, plan, task, history, trial, pairs.fingerprint())


def _labels(trial: Trial, clean: Pairs, poisons: Pairs | None, task: ZeroShotTask) -> Tensor:
    """What a supervised data set would say: the class of each clean picture, the attacker's for each poison."""
    labels = task.class_of_concept(clean.concept)
    if (labels < 0).any():
        raise ValueError("a supervised classifier needs pictures of one class each: leave `scenes` and `shards` out")
    if poisons is None:
        return labels
    if not isinstance(trial.attack, Backdoor):
        raise ValueError("a supervised classifier is only attacked with a backdoor here")
    return torch.cat([labels, torch.full((len(poisons),), task.class_of(trial.attack.target))])


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
        "poisons": 0 if outcome.poisons is None else len(outcome.poisons),
        "pairs_fingerprint": outcome.fingerprint,
        "image_parameters": models.parameter_count(model.visual),
        "parameters": models.parameter_count(model),
        "steps": outcome.history.steps,
        "loss": outcome.history.loss,
        "samples_per_second": outcome.history.samples_per_second,
        "clean_accuracy": {name: asdict(accuracy(read(embeddings), task.targets)) for name, read in readers.items()},
    }
    metrics["poison_rate"] = metrics["poisons"] / (metrics["pairs"] + metrics["poisons"])
    if outcome.plan is not None:
        metrics |= outcome.plan.measure(model, outcome.tokenizer, task, embeddings, readers)
    return metrics


def run(trial: Trial, *, progress: bool | None = None, device: str | None = None, keep: Path | None = None) -> Record:
    """Train and measure one trial; a pure function of the trial on the same hardware and versions.

    Args:
        trial: what to train.
        progress: show a bar; by default only on a terminal.
        device: by default the GPU if there is one.
        keep: also save the model there, as a directory that `tutorial evaluate` reads (CLIP models only).
    """
    started = time.perf_counter()
    outcome = train_trial(trial, progress=progress, device=device)
    metrics = measure(outcome)
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


def hardware(device: str | None = None) -> str:
    """The machine in a few words: GPU, or CPU model and cores."""
    if torch.cuda.is_available() and device != "cpu":
        return torch.cuda.get_device_name()
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores"
