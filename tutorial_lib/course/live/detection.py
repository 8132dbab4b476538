"""What the live figures of the chapters on detection show: scores of training pairs, and a patch that is being found.

Both are computed when the book is built, and kept until a shipped model or a detector changes: scores of the pairs of a
small model that is trained for them, and the patch in the models that ship.
"""

from __future__ import annotations

import base64
import functools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib import detect, models, profiles
from tutorial_lib.attacks import Backdoor
from tutorial_lib.course import live, patients
from tutorial_lib.course.live import data
from tutorial_lib.data.pairs import POISON, Pairs
from tutorial_lib.detect import DAO, KDistance, PointDetector, Points, SpectralSignatures, points_of
from tutorial_lib.detect.checkpoints import UniversalPatch
from tutorial_lib.detect.stamping import embed, stamped, still
from tutorial_lib.detect.subject import Subject
from tutorial_lib.runs import train_trial

#: Detectors whose scores the reader sets a threshold on, as the figure calls them; the first is shown first.
DETECTORS: dict[str, PointDetector] = {
    "distance, reference of 2,048": KDistance(),
    "DAO, reference of 2,048": DAO(),
    "DAO, reference of 128": DAO(k=8, reference=128),
    "spectral signatures": SpectralSignatures(normalise=False),
}
#: Shares of the scores that lie beyond the ends of the axis and are drawn at them.
BEYOND = 0.001
#: Levels of a number that is drawn.
LEVELS = 65535
#: Models whose patch is watched, pictures that are shown to them, and classes that are listed.
WATCHED, PICTURES, LISTED = {"backdoored": "backdoored", "clean": "clean"}, 256, 5


@functools.cache
def training_points() -> tuple[Pairs, Points]:
    """The training pairs of the model of the chapter on finding poisons, poisons included, and where it has them."""
    trained = train_trial(profiles.get("demo").cleaning.attacked("badnets", 0), progress=False)
    assert trained.poisons is not None
    pairs = trained.clean + trained.poisons
    return pairs, points_of(trained.model, trained.tokenizer, pairs)


def poisons() -> dict[str, Any]:
    """The training pairs of a small backdoored model: how well they fit, and what detectors say of them."""
    pairs, points = training_points()
    fit = (F.normalize(points.images, dim=1) * points.texts).sum(1)
    low, high = math.floor(10 * float(fit.min())) / 10, math.ceil(10 * float(fit.max())) / 10
    return {
        "pairs": len(pairs),
        "poisons": (pairs.origin == POISON).nonzero()[:, 0].tolist(),
        "axis": [low, high],
        "fit": levels(fit, low, high),
        "scores": {name: _drawn(detector.of_points(points)) for name, detector in DETECTORS.items()},
    }


def _drawn(scores: Tensor) -> dict[str, Any]:
    """Scores as heights, and in their exact order: positions from the most to the least suspicious pair."""
    low, high = (float(scores.double().quantile(q)) for q in (BEYOND, 1 - BEYOND))
    order = scores.argsort(descending=True, stable=True)
    return {"heights": levels(scores, low, high), "order": _packed(order.numpy())}


def levels(values: Tensor, low: float, high: float) -> str:
    """Numbers from `low` to `high` as 16 bits each, what lies beyond at the ends; base64."""
    share = ((values.double() - low) / (high - low)).clamp(0, 1)
    return _packed((share * LEVELS).round().numpy())


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(values.astype("<u2").tobytes()).decode()


def inversion(steps: int = 60) -> dict[str, Any]:
    """A patch that is being found, step by step, in the shipped models: where each of them is moved most.

    Args:
        steps: of gradient descent.

    """
    task, trial, trigger = data.task(), patients.TRIALS["backdoored"], patients.TRIGGER
    assert isinstance(trial.attack, Backdoor)
    number = data.chosen()[0]
    drawn = torch.randperm(len(task), generator=torch.Generator().manual_seed(0))[:PICTURES]
    detector = UniversalPatch(steps=steps)
    return {
        "side": trial.side,
        "picture": live.pixels(task.images[number]),
        "label": task.labels[int(task.targets[number])],
        "target": trial.attack.target,
        "trigger": {"size": trigger.size, "pixels": live.pixels(trigger.pattern())},
        "names": WATCHED,
        "models": {
            name: watched(Subject(*models.load(models.CHECKPOINTS / name), task.images[drawn], task.labels), detector)
            for name in WATCHED
        },
    }


def watched(subject: Subject, detector: UniversalPatch) -> dict[str, Any]:
    """The patch with the largest gain, as it is before each step and after the last one.

    Args:
        subject: a model, with pictures and classes; the first half of the pictures is asked what it is called.
        detector: finds the patch.
    """
    place = detector.detect(subject, known=[]).about["place"]
    number = detector.places(subject.side).index(tuple(place))
    mask, half = detector.masks(subject.side)[number : number + 1], len(subject.images) // 2
    seen, plain = subject.images[:half].float(), subject.embeddings[:half]
    frames: list[Tensor] = []
    with still(subject.model):
        last = detector.patterns(subject, mask, number, lambda free: frames.append(free[0]))
        kept = [(frame * mask[0]).mul(255).round().div(255) for frame in frames] + last
        (top, left), size = place, detector.size(subject.side)
        cosines, called = [], []
        with torch.no_grad():
            for pattern in kept:
                points = embed(subject.model, stamped(seen, mask[0], pattern))
                cosines.append(round(float((points * plain).sum(1).mean()), 4))
                counts = (points @ subject.directions).argmax(1).bincount(minlength=len(subject.names))
                called.append([[k, int(counts[k])] for k in counts.argsort(descending=True, stable=True)[:LISTED]])
    parts = torch.stack([p[:, top : top + size, left : left + size] for p in kept]).mul(255).round().byte()
    return {
        "place": [top, left],
        "size": size,
        "asked": half,
        "patches": [live.pixels(part) for part in parts],
        "cosines": cosines,
        "called": [[[subject.names[int(k)], n] for k, n in row if n] for row in called],
    }


#: What is recorded, by the name of its script.
RECORDED: dict[str, Callable[[], dict[str, Any]]] = {"poisons": poisons, "inversion": inversion}


def script(name: str) -> str:
    """JavaScript that hands a page what was recorded.

    Raises:
        KeyError: nothing of that name is.
    """
    body = json.dumps(RECORDED[name](), separators=(",", ":"), allow_nan=False)
    return f"((globalThis.course ??= {{}}).recorded ??= {{}})[{json.dumps(name)}] = {body};\n"


def made_of() -> list[Path]:
    """The files that the recordings depend on."""
    weights = [path for name in WATCHED for path in sorted((models.CHECKPOINTS / name).iterdir())]
    return [*weights, *sorted(Path(detect.__path__[0]).rglob("*.py")), Path(__file__)]
