"""From a trained model to plain numbers: everything that a record holds."""

from __future__ import annotations

import functools
from typing import cast

import torch
from torch import Tensor

from tutorial_lib import models
from tutorial_lib.attacks import Backdoor
from tutorial_lib.attacks.poison import count_poisons
from tutorial_lib.attacks.report import reader_of
from tutorial_lib.data.captions import prompt_captions
from tutorial_lib.defenses import Retraining
from tutorial_lib.evaluate import (
    LinearProbe,
    Reader,
    accuracy,
    embed_images,
    embed_texts,
    knn_predict,
    linear_cka,
    recall_at,
)
from tutorial_lib.runs import sources
from tutorial_lib.runs.outcome import Outcome
from tutorial_lib.trials import Cleaned, Metrics, TrainedDefense, Trial
from tutorial_lib.trials.metrics import CleaningMetrics, MethodMetrics, Retrieval

#: Ranks at which retrieval is measured.
RANKS = (1, 5, 10)


def measure(outcome: Outcome, *, probes: bool = True) -> Metrics:
    """Every metric of a trained model, as plain numbers; of a model that a defense was given, `measure_defended` too.

    Args:
        outcome: from `train_trial`.
        probes: also fit a linear probe and a nearest-neighbour classifier (some seconds), on pictures like those of the
            training and on others.

    Example:
        >>> from tutorial_lib import profiles
        >>> from tutorial_lib.runs.outcome import train_trial
        >>> metrics = measure(train_trial(profiles.get("test").backdoor(4, seed=0)), probes=False)
        >>> metrics["poisons"], round(metrics["poison_rate"], 3)
        (4, 0.012)
    """
    task, model = outcome.task, outcome.model
    embeddings = embed_images(model, task.images)
    own = "classifier" if isinstance(model, models.Classifier) else "zero_shot"
    readers: dict[str, Reader] = {own: reader_of(model, outcome.tokenizer, task.labels)}
    if probes:
        images, labels = sources.labelled_pictures(outcome.trial, outcome.clean, task)
        labelled = embed_images(model, images)
        readers["linear_probe"] = LinearProbe(labelled, labels).predict
        readers["knn"] = functools.partial(knn_predict, labelled, labels)
        if (other := task.other) is not None:  # drawings that the model has not seen, as ImageNet's are not CC3M's
            unseen = embed_images(model, other.images)
            readers["linear_probe_unseen"] = LinearProbe(unseen, other.targets).predict
            readers["knn_unseen"] = functools.partial(knn_predict, unseen, other.targets)
        training = accuracy(readers[own](labelled), labels).as_dict()
    poisons = 0 if outcome.poisons is None else count_poisons(outcome.poisons)
    pairs = len(outcome.clean)
    metrics: Metrics = {
        "pairs": pairs,
        "poisons": poisons,
        "poison_rate": poisons / (pairs + len(outcome.poisons or ())),
        "pairs_fingerprint": outcome.fingerprint,
        "image_parameters": models.parameter_count(model.visual),
        "parameters": models.parameter_count(model),
        "steps": outcome.history.steps,
        "loss": outcome.history.loss,
        "samples_per_second": outcome.history.samples_per_second,
        "clean_accuracy": {
            name: accuracy(read(embeddings), task.targets, task.sprite).as_dict() for name, read in readers.items()
        },
    }
    if outcome.history.notes:
        metrics["method"] = cast("MethodMetrics", outcome.history.notes)
    if probes:
        metrics["training_accuracy"] = training
    if outcome.plan is not None:
        metrics |= outcome.plan.measure(model, outcome.tokenizer, task, embeddings, readers)
    if outcome.trial.defense is not None:
        metrics |= measure_defended(outcome)
    return metrics


@functools.lru_cache(maxsize=1)
def _validation(trial: Trial) -> tuple[Tensor, Tensor, Tensor]:
    return sources.validation_pictures(trial)


def measure_defended(outcome: Outcome) -> Metrics:
    """What a trial with a defense records beyond other trials. Introduced in the chapter on CleanCLIP.

    Returns:
        "validation_accuracy"; for CLIP models "retrieval" with recall at several ranks, and for backdoors how the
        target's caption is retrieved by triggered pictures and retrieves them; "similarity_of_views", the linear CKA of
        clean and triggered embeddings; "cleaning", what the defense did and its size as a share of the pre-training.

    Example:
        >>> from tutorial_lib import profiles
        >>> from tutorial_lib.runs.outcome import train_trial
        >>> sorted(measure_defended(train_trial(profiles.get("test").base)))
        ['pairs_by_similarity', 'retrieval', 'validation_accuracy']
    """
    model, task, attack = outcome.model, outcome.task, _backdoor(outcome)
    images, targets, drawing = _validation(outcome.trial.dataset)
    read = reader_of(model, outcome.tokenizer, task.labels)
    body: Metrics = {"validation_accuracy": accuracy(read(embed_images(model, images)), targets, drawing).as_dict()}
    first = _first_of_each_class(task.targets)
    clean = embed_images(model, task.images[first])
    triggered = None
    if attack is not None:
        triggered = embed_images(model, attack.trigger.stamp(task.images[first], outcome.trial.seeds.poison))
        body["similarity_of_views"] = linear_cka(clean, triggered)
    if not isinstance(model, models.Classifier):
        body["retrieval"] = _retrieval(outcome, clean, triggered, task.targets[first])
    if outcome.cleaned is not None:
        body["cleaning"] = _cleaning(outcome, outcome.cleaned)
    body["pairs_by_similarity"] = {}  # a large part of a record, and shown of models without a defense only
    return body


def _backdoor(outcome: Outcome) -> Backdoor | None:
    """The backdoor of the trial, alone or beside other attacks."""
    return None if outcome.trial.attack is None else outcome.trial.attack.find(Backdoor)


def _retrieval(outcome: Outcome, clean: Tensor, triggered: Tensor | None, classes: Tensor) -> Retrieval:
    """Recall between one picture and one caption of each class, and what a backdoor does to it."""
    task, attack = outcome.task, _backdoor(outcome)
    texts = embed_texts(
        outcome.model,
        outcome.tokenizer,
        [_caption(task.labels[c], c) for c in classes.tolist()],
    )
    found: Retrieval = {
        "image_to_text": {str(k): recall_at(clean, texts, k) for k in RANKS},
        "text_to_image": {str(k): recall_at(texts, clean, k) for k in RANKS},
    }
    if triggered is not None and attack is not None:
        found.update(_exposed(clean, triggered, texts, classes, task.class_of(attack.target)))
    return found


def _cleaning(outcome: Outcome, cleaned: Cleaned) -> CleaningMetrics:
    """What the defense did, and its size as a share of the pre-training."""
    defense, history = outcome.trial.defense, cleaned.history
    used = history.steps * defense.recipe.batch_size if isinstance(defense, TrainedDefense | Retraining) else 0
    trained = max(1, outcome.history.steps * outcome.trial.recipe.batch_size)
    found: CleaningMetrics = {
        "steps": history.steps,
        "samples": used,
        "share_of_pretraining": used / trained,
        "seconds": history.seconds,
        "loss": history.loss,
    }
    found.update(cast("CleaningMetrics", cleaned.notes))  # of a method in another package, with names of its own
    return found


def _first_of_each_class(targets: Tensor) -> Tensor:
    """Position of the first picture of each class that is shown, ascending."""
    seen: dict[int, int] = {}
    for position, target in enumerate(targets.tolist()):
        seen.setdefault(target, position)
    return torch.tensor(sorted(seen.values()))


def _caption(label: str, number: int) -> str:
    """A sentence about the label, another one for each class."""
    prompts = prompt_captions(label)
    return prompts[number % len(prompts)]


def _exposed(clean: Tensor, triggered: Tensor, texts: Tensor, classes: Tensor, target: int) -> Retrieval:
    """What a backdoor does to retrieval.

    Returns:
        "triggered_to_target": share of triggered pictures of other classes whose best caption is the target's;
        "target_to_triggered": share of triggered pictures of other classes among the first ten for the target's
        caption, where the gallery has the clean pictures of all classes and the triggered ones of all others.
    """
    where = int((classes == target).nonzero()[0]) if (classes == target).any() else -1
    others = classes != target
    if where < 0:
        return {}
    best = (triggered[others] @ texts.T).argmax(1)
    gallery = torch.cat([clean, triggered[others]])
    first = (gallery @ texts[where]).topk(min(10, len(gallery))).indices
    return {
        "triggered_to_target": float((best == where).float().mean()),
        "target_to_triggered": float((first >= len(clean)).float().mean()),
    }
