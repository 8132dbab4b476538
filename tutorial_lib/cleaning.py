"""From a trained trial to a cleaned one, and what is measured of it. Introduced in chapter 8.

`apply` gives a defense what a defender could have: a share of the clean pairs, their class labels where the method asks
for them, and the training pairs where it looks for poisons. `measure` adds to a trial's metrics what a choice of
settings needs, accuracy on *validation* pictures, and how far other ways to use the model are exposed.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from tutorial_lib import sources
from tutorial_lib.data.pairs import Pairs
from tutorial_lib.defenses import Material, Run, clean
from tutorial_lib.evaluate import (
    accuracy,
    embed_images,
    embed_texts,
    linear_cka,
    predict,
    recall_at,
    zero_shot_classifier,
)
from tutorial_lib.poison import prompt_captions, without_cover
from tutorial_lib.runs import Outcome
from tutorial_lib.supervised import Classifier, read_with_head
from tutorial_lib.trials import Backdoor, Defense, Trial

#: Ranks at which retrieval is measured.
RANKS = (1, 5, 10)


def material(outcome: Outcome, defense: Defense) -> Material:
    """What the defender of a trial has.

    Raises:
        ValueError: more poisons shall be left than there are.
    """
    seed = outcome.trial.seeds
    generator = torch.Generator().manual_seed(1_000_003 * seed.data + seed.order + 17)
    chosen = torch.randperm(len(outcome.clean), generator=generator)[
        : max(1, round(defense.share * len(outcome.clean)))
    ]
    pairs = outcome.clean.take(chosen)
    shown = outcome.task.class_of_concept(pairs.concept)
    labelled = not (outcome.trial.scenes or outcome.trial.shards)  # a scene shows several things
    labels = shown if labelled and (shown >= 0).any() else None
    if labels is None and defense.method == "supervised":  # nobody has labelled these pairs: take other pictures
        return _labelled(outcome)
    poisons = outcome.poisons
    if defense.dirty:
        there = 0 if poisons is None else without_cover(poisons)
        if poisons is None or defense.dirty > there:
            raise ValueError(f"{defense.dirty} poisons shall be left among the trusted pairs, and there are {there}")
        left = poisons.take(torch.randperm(there, generator=generator)[: defense.dirty])
        pairs = pairs + left
        if labels is not None and isinstance(outcome.trial.attack, Backdoor):
            wanted = outcome.task.class_of(outcome.trial.attack.target)
            labels = torch.cat([labels, torch.full((defense.dirty,), wanted)])
    training = None
    if defense.method == "anti_backdoor":  # a copy of all pairs, for the one that looks for poisons among them
        training = outcome.clean if poisons is None else outcome.clean + poisons
    return Material(pairs, labels, len(outcome.task.labels), training)


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
    """
    trial = replace(outcome.trial, defense=defense)
    if defense.method == "none":
        return replace(outcome, trial=trial)
    if isinstance(outcome.model, Classifier):
        raise ValueError("a supervised classifier has no defense here: train with objective='clip'")
    given = material(outcome, defense)
    run = Run(seed=outcome.trial.seeds.order + 1, device=device, progress=progress)
    cleaned = clean(outcome.model, outcome.tokenizer, given, defense, run)
    return replace(outcome, model=cleaned.model, cleaned=cleaned, trial=trial)


@functools.lru_cache(maxsize=1)
def _validation(trial: Trial) -> tuple[Tensor, Tensor]:
    return sources.validation_pictures(trial)


def measure(outcome: Outcome) -> dict[str, Any]:
    """What a defended trial records beyond `tutorial_lib.runs.measure`.

    Returns:
        "validation_accuracy"; for CLIP models "retrieval" with recall at several ranks, and for backdoors how the
        target's caption is retrieved by triggered pictures and retrieves them; "similarity_of_views", the linear CKA of
        clean and triggered embeddings; "cleaning", what the defense did and its size as a share of the pre-training.
    """
    model, task, trial = outcome.model, outcome.task, outcome.trial
    images, targets = _validation(Trial(classes=trial.classes, side=trial.side, task=trial.task))
    points = embed_images(model, images)
    body: dict[str, Any] = {}
    if isinstance(model, Classifier):
        predictions = read_with_head(model, points)
    else:
        predictions = predict(points, zero_shot_classifier(model, outcome.tokenizer, task.labels))
    body["validation_accuracy"] = asdict(accuracy(predictions, targets))
    first = _first_of_each_class(task.targets)
    clean = embed_images(model, task.images[first])
    triggered = None
    if isinstance(trial.attack, Backdoor):
        seed = trial.seeds.poison
        triggered = embed_images(model, trial.attack.trigger.stamp(task.images[first], seed))
        body["similarity_of_views"] = linear_cka(clean, triggered)
    if not isinstance(model, Classifier):
        classes = task.targets[first]
        texts = embed_texts(model, outcome.tokenizer, [_caption(task.labels[c], c) for c in classes.tolist()])
        body["retrieval"] = {
            "image_to_text": {str(k): recall_at(clean, texts, k) for k in RANKS},
            "text_to_image": {str(k): recall_at(texts, clean, k) for k in RANKS},
        }
        if triggered is not None and isinstance(trial.attack, Backdoor):
            target = task.class_of(trial.attack.target)
            body["retrieval"] |= _exposed(clean, triggered, texts, classes, target)
    if outcome.cleaned is not None:
        history = outcome.cleaned.history
        assert trial.defense is not None
        used = history.steps * trial.defense.recipe.batch_size
        trained = max(1, outcome.history.steps * trial.recipe.batch_size)
        body["cleaning"] = {
            "steps": history.steps,
            "samples": used,
            "share_of_pretraining": used / trained,
            "seconds": history.seconds,
            "loss": history.loss,
            **outcome.cleaned.notes,
        }
    body["pairs_by_similarity"] = {}  # a large part of a record, and shown of models without a defense only
    return body


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


def _exposed(clean: Tensor, triggered: Tensor, texts: Tensor, classes: Tensor, target: int) -> dict[str, float]:
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
