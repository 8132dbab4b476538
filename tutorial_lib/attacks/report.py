"""How far a trigger commands a model: one call, one typed report. Introduced in the chapter on backdoors."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import torch
from torch import Tensor

from tutorial_lib.data.tasks import LabelledPictures
from tutorial_lib.evaluate import Reader, accuracy, attack_success_rate, embed_images, predict, zero_shot_classifier
from tutorial_lib.models import Classifier, Model, Tokenizer
from tutorial_lib.models.classifier import read_with_head
from tutorial_lib.proportion import Proportion
from tutorial_lib.trials.schema import as_dict
from tutorial_lib.triggers import Trigger
from tutorial_lib.zscore import NO_SCALE, backdoor_z_score, pair_similarity

#: Which pictures count for the success of an attack.
DENOMINATOR = "pictures whose true class is not the target"


@dataclass(frozen=True)
class BackdoorReport:
    """What a model does with pictures that carry a trigger, and with the same pictures without.

    Intervals are over pictures of one model; pictures of one drawing are not taken for independent. They say nothing
    about another model that was trained in the same way.

    Attributes:
        target: label of the attacker's class.
        trigger: that was stamped.
        pictures: how many were classified.
        classes: among how many classes.
        clean_accuracy: without trigger.
        accuracy_on_triggered: with trigger, against the true class.
        attack_success: with trigger, called the target, of the pictures whose true class is another.
        attack_success_with_target: the same of all pictures, as some published numbers count.
        attack_success_untriggered: of the same pictures without trigger.
        attack_success_control: with another trigger of the same kind.
        z_score: distance of the mean similarity of triggered pairs from that of clean pairs, in standard deviations;
            nan where all clean pairs are equally similar.
        similarity_clean, similarity_triggered: mean cosine similarity of two pictures of different drawings.
        similarity_clean_std: its standard deviation between clean pairs.
        pairs: how many pairs of pictures of different drawings there are.
        embedding_distance: mean distance of a picture's embeddings with and without trigger, between 0 and 2.
        about: where the pictures are from, plain data.

    Example:
        See `measure_backdoor`, which makes one.

        >>> "attack_success" in BackdoorReport.__dataclass_fields__
        True
    """

    target: str
    trigger: Trigger
    pictures: int
    classes: int
    clean_accuracy: Proportion
    accuracy_on_triggered: Proportion
    attack_success: Proportion
    attack_success_with_target: Proportion
    attack_success_untriggered: Proportion
    attack_success_control: Proportion
    z_score: float
    similarity_clean: float
    similarity_triggered: float
    similarity_clean_std: float
    embedding_distance: float
    pairs: int
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def chance(self) -> float:
        """How often a guess among the classes is right."""
        return 1 / self.classes

    def as_dict(self) -> dict[str, Any]:
        """Plain data; rates with their intervals."""
        body = {name: getattr(self, name) for name in self.__dataclass_fields__}
        body |= {name: value.as_dict() for name, value in body.items() if isinstance(value, Proportion)}
        body["z_score"] = None if math.isnan(self.z_score) else self.z_score
        return body | {"trigger": as_dict(self.trigger), "about": dict(self.about), "chance": self.chance}

    @property
    def z_score_in_words(self) -> str:
        """The z-score, or why there is none."""
        return "none: all pairs are equally similar" if math.isnan(self.z_score) else f"{self.z_score:.2f}"

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(self.as_dict(), ensure_ascii=False)

    def rows(self) -> list[tuple[str, str]]:
        """What is measured and its value, in words."""
        return [
            ("clean accuracy", str(self.clean_accuracy)),
            ("accuracy on triggered", str(self.accuracy_on_triggered)),
            (f"attack success, {self.target!r}", str(self.attack_success)),
            ("the same without trigger", str(self.attack_success_untriggered)),
            (f"the same with {self.trigger.control().kind}, a control", str(self.attack_success_control)),
            ("z-score", self.z_score_in_words),
            ("similarity of pairs", f"{self.similarity_clean:.3f} clean, {self.similarity_triggered:.3f} triggered"),
            ("distance of embeddings", f"{self.embedding_distance:.3f}"),
        ]

    def __str__(self) -> str:
        rows = self.rows()
        width = max(len(name) for name, _ in rows) + 2
        head = f"{self.pictures} pictures, {self.classes} classes; chance is {self.chance:.1%}"
        return "\n".join([head, *(f"{name:{width}s}{value}" for name, value in rows)])

    def _repr_html_(self) -> str:
        head = f"{self.pictures} pictures, {self.classes} classes; chance is {self.chance:.1%}"
        body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in self.rows())
        return f'<table class="table"><caption>{escape(head)}</caption><tbody>{body}</tbody></table>'


def measure_backdoor(
    model: Model,
    tokenizer: Tokenizer,
    pictures: LabelledPictures,
    trigger: Trigger,
    target: str,
    *,
    seed: int = 0,
) -> BackdoorReport:
    """Measure how far a trigger commands a model towards a target class.

    Args:
        model: a CLIP model, read zero-shot, or a classifier, read by its head; on any device.
        tokenizer: of the model.
        pictures: to classify, without trigger.
        trigger: stamped on copies of them.
        target: label of the attacker's class.
        seed: of whatever the trigger draws for each picture.

    Raises:
        ValueError: there is no such class, the trigger does not fit the pictures, or all pictures show the target.

    Source: Carlini & Terzis (2022), sections 4.3 and 5.1.

    Example:
        >>> from tutorial_lib import models
        >>> from tutorial_lib.data import emojicaps
        >>> from tutorial_lib.data.tasks import class_concepts, zero_shot_task
        >>> from tutorial_lib.triggers import NoisePatch
        >>> drawn = emojicaps.load()
        >>> task = zero_shot_task(drawn, class_concepts(drawn, 100), draws=1)
        >>> report = measure_backdoor(*models.load(models.CHECKPOINTS / "backdoored"), task, NoisePatch(8), "banana")
        >>> report.attack_success.rate > 0.9 > 0.1 > report.attack_success_untriggered.rate
        True
    """
    pictures.class_of(target)
    stamped = (trigger.stamp(pictures.images, seed), trigger.control().stamp(pictures.images, seed))
    clean, triggered, control = (embed_images(model, images) for images in (pictures.images, *stamped))
    read = reader_of(model, tokenizer, pictures.labels)
    return report_on(clean, triggered, control, read, pictures, trigger, target)


def reader_of(model: Model, tokenizer: Tokenizer, labels: tuple[str, ...]) -> Reader:
    """The model's own way from embeddings to classes: zero-shot, or the head of a classifier.

    Example:
        >>> from tutorial_lib import models
        >>> read = reader_of(*models.load(models.CHECKPOINTS / "clean"), ("banana", "cactus"))
        >>> read(torch.nn.functional.normalize(torch.ones(3, 128), dim=1)).shape
        torch.Size([3])
    """
    if isinstance(model, Classifier):
        return functools.partial(read_with_head, model)
    return functools.partial(predict, classifier=zero_shot_classifier(model, tokenizer, labels))


def report_on(
    clean: Tensor,
    triggered: Tensor,
    control: Tensor,
    read: Reader,
    pictures: LabelledPictures,
    trigger: Trigger,
    target: str,
) -> BackdoorReport:
    """The report from embeddings that are at hand.

    Args:
        clean, triggered, control: normalised embeddings of the pictures without trigger, with it, and with its control,
            shape (N, d).
        read: from embeddings to classes.
        pictures: true classes, labels and drawings.
        trigger, target: as for `measure_backdoor`.

    Example:
        >>> from tutorial_lib.triggers import Checkerboard
        >>> pictures = LabelledPictures(
        ...     labels=("banana", "cactus"),
        ...     images=torch.zeros(4, 3, 8, 8, dtype=torch.uint8),
        ...     targets=torch.tensor([0, 1, 1, 1]),
        ...     sprite=torch.arange(4),
        ... )
        >>> clean = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [0.1, 1.0], [0.0, 1.0], [0.3, 1.0]]), dim=1)
        >>> triggered = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0]] * 4), dim=1)
        >>> report = report_on(clean, triggered, clean, lambda x: x.argmax(1), pictures, Checkerboard(), "banana")
        >>> report.clean_accuracy.rate, report.attack_success.rate, report.attack_success.n
        (1.0, 1.0, 3)
    """
    goal, true, drawing = pictures.class_of(target), pictures.targets, pictures.sprite
    said, said_triggered = read(clean), read(triggered)

    def success(predictions: Tensor, **options: Any) -> Proportion:
        return attack_success_rate(predictions, true, goal, drawing=drawing, **options)

    similarity = pair_similarity(clean, drawing=drawing)
    scaled = similarity.variance >= NO_SCALE
    return BackdoorReport(
        target=target,
        trigger=trigger,
        pictures=len(true),
        classes=len(pictures.labels),
        clean_accuracy=accuracy(said, true, drawing),
        accuracy_on_triggered=accuracy(said_triggered, true, drawing),
        attack_success=success(said_triggered),
        attack_success_with_target=success(said_triggered, include_target=True),
        attack_success_untriggered=success(said),
        attack_success_control=success(read(control)),
        z_score=backdoor_z_score(clean, triggered, drawing=drawing) if scaled else math.nan,
        similarity_clean=similarity.mean,
        similarity_triggered=pair_similarity(triggered, drawing=drawing).mean,
        similarity_clean_std=similarity.variance**0.5,
        embedding_distance=torch.linalg.vector_norm(clean - triggered, dim=1).mean().item(),
        pairs=similarity.pairs,
        about=pictures.about,
    )
