"""Small models with random weights, and a backdoor that is planted by hand: what a detector should find is known."""

from __future__ import annotations

import open_clip
import torch
from torch import Tensor

from tutorial_lib import models
from tutorial_lib.course.checks.capstone import answer
from tutorial_lib.detect.subject import Subject
from tutorial_lib.evaluate import zero_shot_classifier
from tutorial_lib.models import Tokenizer
from tutorial_lib.models.inputs import normalize, preprocessing_of
from tutorial_lib.practice.pictures import course_pictures

TEXT = {"context_length": 12, "width": 32, "heads": 2, "layers": 1}
RESNET = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16}
VIT = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8}
LARGE = VIT | {"image_size": 224, "patch_size": 56}
LABELS = ("apple", "bear", "cactus", "drum", "eagle", "fish", "goat", "hat", "iron", "jar")
CAPTIONS = tuple(f"a {colour} {label}" for label in LABELS for colour in ("small", "large", "new", "old"))


def pictures(n: int, side: int = 32, seed: int = 0) -> Tensor:
    """Smooth random pictures."""
    generator = torch.Generator().manual_seed(seed)
    coarse = 255 * torch.rand(n, 3, 4, 4, generator=generator)
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear").round().byte()


def small(vision: dict[str, object] | None = None, seed: int = 0) -> tuple[open_clip.CLIP, Tokenizer]:
    """A model that was never trained."""
    tokenizer = Tokenizer.for_texts([*CAPTIONS, "a photo of zebra lamp moon"], context_length=12)
    text = TEXT | {"vocab_size": tokenizer.vocab_size}
    config = {"embed_dim": 16, "vision_cfg": vision or RESNET, "text_cfg": text}
    return models.build(config, tokenizer, seed=seed).eval(), tokenizer


def subject(n: int = 64, vision: dict[str, object] | None = None, labels: tuple[str, ...] = LABELS) -> Subject:
    """A clean one."""
    model, tokenizer = small(vision)
    return Subject(model, tokenizer, pictures(n, models.picture_side(model)), labels=labels)


#: Targets of sealed models that are asked for, the clean one with its neighbour's.
SHIPPED = dict.fromkeys(("unknown-1", "unknown-3"), (answer("unknown-1") or ("", "", ""))[2])


def shipped(name: str, n: int = 64) -> Subject:
    """A model that ships with the course, and sixteen classes, the target of its backdoor among them."""
    task, target = course_pictures(classes=100), SHIPPED.get(name, "banana")
    labels = (target, *(label for label in task.labels[::6] if label != target))[:16]
    return Subject(*models.load(models.CHECKPOINTS / name), task.images[:: len(task) // n][:n], labels=labels)


def plant(examined: Subject, mask: Tensor, pattern: Tensor, target: str) -> None:
    """Let the picture tower give the target's direction for pictures with a trigger, and no other."""
    tower, own = examined.model.visual, preprocessing_of(examined.model)
    goal = zero_shot_classifier(examined.model, examined.tokenizer, examined.labels)[:, examined.labels.index(target)]
    wanted, plain = normalize(255 * pattern[None], own), tower.forward

    def forward(x: Tensor) -> Tensor:
        away = ((x - wanted).square() * mask).sum((1, 2, 3)) / (3 * mask.sum())
        points = plain(x)
        return torch.where(away[:, None] < 0.05, points.norm(dim=1, keepdim=True) * goal, points)

    tower.forward = forward  # what a module calls
