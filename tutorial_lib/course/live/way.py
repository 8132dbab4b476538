"""The straight line between the weights of two patients, and what a model does on the way."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import Any

import open_clip
import torch
from torch import Tensor
from torch.nn.functional import normalize

from tutorial_lib import evaluate, models
from tutorial_lib.attacks import Backdoor
from tutorial_lib.course import live, patients
from tutorial_lib.data.tasks import ZeroShotTask

FROM, TO = "backdoored", "cleaned"
#: Places on the line where both rates are measured, its ends included.
PLACES = 11

#: A model, its class embeddings, shape (d, K), and its scale.
End = tuple[open_clip.CLIP, Tensor, Tensor]


def between(start: Tensor, end: Tensor, share: float) -> Tensor:
    """A share of the way from one tensor to another; counters stay as they are at the start.

    Example:
        >>> between(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0]), 0.25).tolist()
        [0.25, 1.0]
    """
    return torch.lerp(start, end, share) if start.is_floating_point() else start


@functools.cache
def _ends(labels: tuple[str, ...]) -> tuple[End, End]:
    found = []
    for name in (FROM, TO):
        model, tokenizer = models.load(models.CHECKPOINTS / name)
        classifier = evaluate.zero_shot_classifier(model, tokenizer, labels)
        found.append((model, classifier, model.logit_scale.exp()))
    return found[0], found[1]


def on_the_way(share: float, images: Tensor, labels: tuple[str, ...]) -> Tensor:
    """Scores of pictures under the picture tower and the class embeddings a share of the way along.

    Args:
        share: 0 is the backdoored patient, 1 the cleaned one.
        images: shape (N, 3, side, side), uint8.
        labels: the K classes.

    Returns:
        Before the softmax, shape (N, K).
    """
    (model, start, scale), (other, end, other_scale) = _ends(labels)
    mixed = copy.deepcopy(model)
    towers = model.visual.state_dict(), other.visual.state_dict()
    mixed.visual.load_state_dict({k: between(v, towers[1][k], share) for k, v in towers[0].items()})
    classifier = normalize(between(start, end, share), dim=0)
    scores: Tensor = between(scale, other_scale, share) * evaluate.embed_images(mixed, images) @ classifier
    return scores.detach()


def points(task: ZeroShotTask) -> list[list[float]]:
    """Places on the line with attack success and clean accuracy, over all test pictures."""
    attack = patients.TRIALS[FROM].attack
    assert isinstance(attack, Backdoor)
    target, stamped = task.class_of(attack.target), attack.trigger.stamp(task.images)
    found = []
    for k in range(PLACES):
        share = k / (PLACES - 1)
        plain, triggered = (on_the_way(share, images, task.labels).argmax(1) for images in (task.images, stamped))
        success = evaluate.attack_success_rate(triggered, task.targets, target).rate
        right = (plain == task.targets).float().mean().item()
        found.append([round(number, 4) for number in (share, success, right)])
    return found


def path(task: ZeroShotTask, chosen: Sequence[int]) -> dict[str, Any]:
    """What the figure is given: some test pictures with and without the trigger, and the rates on the way.

    Args:
        task: classes and test pictures of the patients.
        chosen: the numbers of the pictures.
    """
    attack = patients.TRIALS[FROM].attack
    assert isinstance(attack, Backdoor)
    plain = task.images[torch.tensor(chosen)]
    labels = [task.labels[int(task.targets[k])] for k in chosen]
    pictures = [
        {"label": label, "pixels": live.pixels(image), "triggered": live.pixels(stamped)}
        for label, image, stamped in zip(labels, plain, attack.trigger.stamp(plain), strict=True)
    ]
    ends = {"from": FROM, "to": TO, "target": attack.target, "side": plain.shape[-1]}
    return ends | {"points": points(task), "pictures": pictures}
