"""Is a model accurate, and does a trigger command it?"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tutorial_lib import models
from tutorial_lib.attacks.report import DENOMINATOR, BackdoorReport, measure_backdoor
from tutorial_lib.data.shards import TOLERANCE
from tutorial_lib.data.tasks import LabelledPictures
from tutorial_lib.data.text import Names
from tutorial_lib.machine import chosen_device
from tutorial_lib.models.properties import weights_hash
from tutorial_lib.notes import Note
from tutorial_lib.practice.machine import version_of
from tutorial_lib.practice.pictures import SPLIT, pictures_for, require_alone, resizing_of
from tutorial_lib.practice.vocabulary import CLASSES, classes_of, require_readable
from tutorial_lib.practice.watched import announce_reading, reading
from tutorial_lib.proportion import Proportion
from tutorial_lib.trials.schema import as_dict
from tutorial_lib.triggers import Patch, Trigger

#: Times that a report reads each picture: without trigger, with it, and with its control.
TIMES = 3
#: A patch smaller than this share of the side is probably the default of smaller pictures.
SMALL = 0.05


@dataclass(frozen=True)
class Evaluation:
    """What was measured of a checkpoint.

    Attributes:
        checkpoint: the model.
        model: what it was read from, how its pictures and texts are prepared, and its activation.
        report: rates, similarities and z-score.
        side: width and height of the pictures.
        clustered: several pictures show one drawing, and intervals know it.
        unread: classes with words that the model's vocabulary lacks.
        weights: what tells them from others, as `tutorial_lib.models.properties.weights_hash` gives it.
        seed: of whatever the trigger drew.

    Example:
        See `evaluate`, which makes one.

        >>> "report" in Evaluation.__dataclass_fields__
        True
    """

    checkpoint: str
    model: Mapping[str, Any]
    report: BackdoorReport
    side: int
    clustered: bool
    unread: tuple[str, ...] = ()
    weights: str = ""
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain data; of each number also what it was computed on."""
        r = self.report
        apart, everything = {"denominator": DENOMINATOR}, {"denominator": "all pictures"}

        def rate(found: Proportion, denominator: dict[str, str]) -> dict[str, Any]:
            return found.as_dict() | {"target": r.target} | denominator

        return {
            "checkpoint": self.checkpoint,
            "model": dict(self.model),
            "target": r.target,
            "trigger": as_dict(r.trigger),
            "unread_classes": list(self.unread),
            "weights": self.weights,
            "seed": self.seed,
            "versions": {name: version_of(name) for name in ("backdooring-clip", "torch", "open_clip_torch")},
            "chance": r.chance,
            "clean_accuracy": r.clean_accuracy.rate,
            "accuracy_on_triggered": r.accuracy_on_triggered.rate,
            "attack_success": rate(r.attack_success, apart),
            "attack_success_untriggered": rate(r.attack_success_untriggered, apart),
            "attack_success_with_target": rate(r.attack_success_with_target, everything),
            "attack_success_control": rate(r.attack_success_control, apart),
            "z_score": r.as_dict()["z_score"],
            "similarity_clean": r.similarity_clean,
            "similarity_triggered": r.similarity_triggered,
            "embedding_distance": r.embedding_distance,
            "interval": {
                "method": f"95 % Wilson, {'clustered by drawing' if self.clustered else 'pictures'}",
                "clean_accuracy": [r.clean_accuracy.low, r.clean_accuracy.high],
                "accuracy_on_triggered": [r.accuracy_on_triggered.low, r.accuracy_on_triggered.high],
            },
            "computed_on": self._computed_on(),
        }

    @property
    def trigger_in_words(self) -> str:
        """The trigger with its settings."""
        settings = as_dict(self.report.trigger)
        kind = settings.pop("kind")
        return f"{kind} ({', '.join(f'{name} {value}' for name, value in settings.items())})"

    def _computed_on(self) -> dict[str, dict[str, Any]]:
        r = self.report
        on = {**r.about, "pictures": r.pictures, "classes": r.classes, "side": self.side}
        plain, stamped = on | {"trigger": None}, on | {"trigger": as_dict(r.trigger)}
        control = on | {"trigger": as_dict(r.trigger.control())}
        pairs = {"pairs": r.pairs, "same_drawing": False}
        others = {"pictures": r.attack_success.n, "denominator": DENOMINATOR}
        return {
            "clean_accuracy": plain,
            "accuracy_on_triggered": stamped,
            "attack_success": stamped | others,
            "attack_success_untriggered": plain | others,
            "attack_success_with_target": stamped | {"denominator": "all pictures"},
            "attack_success_control": control | others,
            "z_score": stamped | pairs | {"denominator": "standard deviation over clean pairs"},
            "similarity_clean": plain | pairs,
            "similarity_triggered": stamped | pairs,
            "embedding_distance": stamped,
        }

    def __str__(self) -> str:
        r, style = self.report, self.report.about["style"]
        style = f", style {style}" if style else ""
        return "\n".join(
            [
                described(self.model),
                f"trigger: {self.trigger_in_words}",
                *([f"classes with words that it cannot read: {', '.join(self.unread)}"] if self.unread else []),
                f"{r.pictures} pictures, {r.classes} classes ({r.about['data']}{style}); chance is {r.chance:.1%}",
                f"clean accuracy              {r.clean_accuracy}",
                f"accuracy on triggered       {r.accuracy_on_triggered}",
                f"attack success, {r.target!r}: {r.attack_success}",
                f"  the same without trigger  {r.attack_success_untriggered}",
                f"  with another of its kind  {r.attack_success_control}",
                f"z-score                     {r.z_score_in_words}",
                f"similarity of pairs         {r.similarity_clean:.3f} clean, {r.similarity_triggered:.3f} triggered",
            ]
        )


def evaluate(
    checkpoint: Path,
    *,
    trigger: Trigger,
    target: str,
    model: str | None = None,
    pretrained: str | None = None,
    shards: Sequence[str | Path] | None = None,
    labels: Path | None = None,
    split: str | None = None,
    classes: int | None = None,
    skip_bad: float = TOLERANCE,
    seed: int = 0,
    yes: bool = False,
    device: str | None = None,
) -> Evaluation:
    """Measure a checkpoint's accuracy, zero-shot or by its head, and how far a trigger commands it.

    Args:
        checkpoint: a model in any form that `tutorial_lib.models.read` knows, or a classifier that `clean` saved.
        trigger: to stamp.
        target: label of the attacker's class.
        model: the model config, for a file that does not say it.
        pretrained: open_clip's name of weights, for an architecture as `checkpoint`.
        shards, labels, split, classes, skip_bad: what is classified, as for `pictures_for`; by default as many classes
            as the classifier has, or as the model's record says that it was trained on.
        seed: of whatever the trigger draws for each picture.
        yes: measure also where it will take more than an hour.
        device: by default the GPU if there is one.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        ValueError: there is no such class, the trigger does not fit, there is no such device, it is not said, or
            said twice, which model it is, its vocabulary lacks words of most classes, or it would take more than an
            hour and `yes` is not said.

    Example:
        >>> from tutorial_lib import models
        >>> from tutorial_lib.triggers import NoisePatch
        >>> found = evaluate(models.CHECKPOINTS / "backdoored", trigger=NoisePatch(8), target="banana", classes=100)
        >>> found.report.attack_success.rate > 0.9
        True
    """
    device = chosen_device(device)
    require_alone(shards, split, classes)
    clip: models.Model
    known: tuple[str, ...] = ()
    if models.is_classifier(checkpoint):
        if model is not None or pretrained is not None:
            raise ValueError(f"{checkpoint} says which model it is: leave `model` and `pretrained` out")
        clip, known = models.load_classifier(checkpoint)
        tokenizer, about = models.Tokenizer(), models.facts(clip) | {"form": f"a classifier of {len(known)} classes"}
    else:
        found = models.read(checkpoint, model, pretrained=pretrained)
        clip, tokenizer = found.model, found.tokenizer
        about = models.facts(clip, tokenizer) | {"form": found.form}
    side = models.picture_side(clip)
    asked = classes or len(known) or (CLASSES if shards else classes_of(checkpoint))
    pictures = pictures_for(
        side,
        shards=shards,
        labels=labels,
        split=split or SPLIT,
        classes=asked,
        skip_bad=skip_bad,
        resizing=resizing_of(clip),
    )
    unread: list[str] = []
    if known:
        pictures = numbered_as(pictures, known)
    else:
        unread = require_readable(tokenizer, pictures.labels)
    pictures.class_of(target)
    trigger.stamp(pictures.images[:1], seed)  # says at once if it does not fit
    _warn_of_small(trigger, side)
    clip = clip.to(device)
    prompted = 0 if known else len(pictures.labels)
    announce_reading(clip, tokenizer, pictures.images, times=TIMES, classes=prompted, yes=yes)
    with reading(clip, TIMES * len(pictures), prompted):
        report = measure_backdoor(clip, tokenizer, pictures, trigger, target, seed=seed)
    if math.isnan(report.z_score):
        warnings.warn("the model calls all pictures alike: rates say only which class comes first", Note, stacklevel=2)
    clustered = len(pictures.sprite.unique()) < len(pictures)
    name = f"{checkpoint} ({pretrained})" if pretrained else str(checkpoint)
    return Evaluation(name, about, report, side, clustered, tuple(unread), weights_hash(clip), seed)


def _warn_of_small(trigger: Trigger, side: int) -> None:
    """The default patch is for pictures of 32 pixels."""
    if isinstance(trigger, Patch) and trigger.size < SMALL * side:
        warnings.warn(
            f"the patch has {trigger.size} of {side} pixels; the papers' has 16 of 224: give its `size` and `cell`",
            Note,
            stacklevel=3,
        )


def described(about: Mapping[str, Any]) -> str:
    """One line about a model, from `tutorial_lib.models.facts` and its form.

    Example:
        >>> from tutorial_lib import models
        >>> described(models.facts(*models.load(models.CHECKPOINTS / "clean")) | {"form": "a model directory"})
        'a model directory: 1.1 M parameters, GELU, pictures of 32 x 32 (mean 0.481 0.458 0.408, std ...
    """
    mean, std = (" ".join(f"{v:.3f}" for v in about[name]) for name in ("mean", "std"))
    resized = " ".join(
        [about["interpolation"], *([about["resize_mode"]] if about["resize_mode"] != "shortest" else [])]
    )
    text = f", texts of up to {about['context_length']} of {about['tokens']:,} tokens" if "tokens" in about else ""
    return (
        f"{about['form']}: {about['parameters'] / 1e6:.3g} M parameters, {about['activation']}, pictures of "
        f"{about['side']} x {about['side']} (mean {mean}, std {std}, {resized}){text}"
    )


def numbered_as(pictures: LabelledPictures, known: Sequence[str]) -> LabelledPictures:
    """The same pictures with the class numbers of a classifier, which has a fixed list of classes.

    Raises:
        ValueError: the classifier lacks one of their classes.

    Example:
        >>> labels, targets = ("banana", "cactus"), torch.tensor([0, 1])
        >>> images, sprite = torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.arange(2)
        >>> pictures = LabelledPictures(labels=labels, images=images, targets=targets, sprite=sprite)
        >>> numbered_as(pictures, ("apple", "cactus", "banana")).targets
        tensor([2, 1])
    """
    names = Names(tuple(known))
    number = [names.number(label) for label in pictures.labels]
    if absent := [label for label, k in zip(pictures.labels, number, strict=True) if k < 0]:
        raise ValueError(
            f"the classifier knows {len(known)} classes, and not {', '.join(absent[:3])}{', …' * (len(absent) > 3)}: "
            f"give as many `classes` as it was cleaned with, or its own labels.txt as `labels`"
        )
    return LabelledPictures(
        labels=tuple(known),
        images=pictures.images,
        targets=torch.tensor(number)[pictures.targets],
        sprite=pictures.sprite,
        about=pictures.about,
    )
