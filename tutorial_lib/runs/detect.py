"""What detectors say of the pairs and of the model of a trained trial. Introduced in the chapter on finding poisons."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from tutorial_lib.attacks import Backdoor
from tutorial_lib.attacks.poison import count_poisons
from tutorial_lib.attacks.together import Together
from tutorial_lib.data.pairs import POISON
from tutorial_lib.detect import Detector, PointDetector, Ranking, points_of
from tutorial_lib.detect.checkpoints import CheckpointDetector
from tutorial_lib.detect.subject import Subject
from tutorial_lib.models import Classifier
from tutorial_lib.runs.outcome import Outcome
from tutorial_lib.trials import Attack
from tutorial_lib.trials.metrics import AuditMetrics, DetectionMetrics

#: Shares of the pairs, the most suspicious, at which recall is recorded.
SHARES = (0.001, 0.003, 0.01, 0.03, 0.05, 0.1, 0.2)
#: Clean pictures that detectors of checkpoints are shown, as many as `tutorial audit` shows.
SHOWN = 256


def look(outcome: Outcome, detectors: Sequence[Detector]) -> dict[str, DetectionMetrics]:
    """How detectors rank the training pairs of a poisoned model; those that look at embeddings share them.

    Args:
        outcome: of a trial with poisons.
        detectors: told apart by their labels.

    Returns:
        By label; seconds are the detector's own, without the embeddings.

    Raises:
        ValueError: the model has no poisons, or is a classifier.

    Example:
        >>> from tutorial_lib import profiles
        >>> from tutorial_lib.detect import KDistance, NearDuplicates
        >>> from tutorial_lib.runs.outcome import train_trial
        >>> outcome = train_trial(profiles.get("test").backdoor(4, seed=0))
        >>> list(look(outcome, [KDistance(), NearDuplicates()]))
        ['k-distance', 'near-duplicates']
    """
    model, poisons = outcome.model, outcome.poisons
    if isinstance(model, Classifier):
        raise ValueError("a supervised classifier has no pairs to look at: train with objective='clip'")
    if poisons is None or not count_poisons(poisons):
        raise ValueError("detectors look for poisons, and this trial has none")
    pairs = outcome.clean + poisons
    points = None
    found: dict[str, DetectionMetrics] = {}
    for detector in detectors:
        if isinstance(detector, PointDetector):
            points = points_of(model, outcome.tokenizer, pairs) if points is None else points
        started = time.perf_counter()
        if isinstance(detector, PointDetector) and points is not None:
            scores = detector.of_points(points)
        else:
            scores = detector.scores(model, outcome.tokenizer, pairs)
        seconds = time.perf_counter() - started
        ranking = Ranking(scores.float().cpu(), pairs.origin == POISON)
        found[detector.label] = {
            "auroc": ranking.auroc,
            "average_precision": ranking.average_precision,
            "false_alarms": ranking.false_alarms,
            "recall": {f"{share:g}": ranking.recall(share) for share in SHARES},
            "seconds": seconds,
        }
    return found


def audit(outcome: Outcome, detectors: Sequence[CheckpointDetector]) -> dict[str, AuditMetrics]:
    """What detectors of checkpoints say of a model, poisoned or not.

    They are shown clean test pictures and the labels of the task, and know nothing of the attack: as `tutorial audit`
    examines a model of the course.

    Args:
        outcome: of any trial of a CLIP model.
        detectors: told apart by their labels.

    Raises:
        ValueError: the model is a classifier.
        SubjectError: there are too few pictures or classes for a detector.

    Example:
        >>> from tutorial_lib import profiles
        >>> from tutorial_lib.detect.checkpoints import TriggerScan
        >>> from tutorial_lib.runs.outcome import train_trial
        >>> found = audit(train_trial(profiles.get("test").backdoor(0, seed=0)), [TriggerScan(patterns=1)])
        >>> found["trigger-scan patterns=1"]["named"]  # it was never poisoned
        0
    """
    if isinstance(outcome.model, Classifier):
        raise ValueError("a supervised classifier has no texts to look for a target among: train with objective='clip'")
    task = outcome.task
    some = torch.randperm(len(task.images), generator=torch.Generator().manual_seed(0))[:SHOWN]
    subject = Subject(outcome.model, outcome.tokenizer, task.images[some], labels=tuple(task.labels))
    wanted = targets(outcome.trial.attack)
    found: dict[str, AuditMetrics] = {}
    for detector in detectors:
        finding = detector.detect(subject, known=())
        target = finding.target or ""
        found[detector.label] = {
            "score": round(finding.score, 6),
            "target": target,
            "named": int(target in wanted),
            "seconds": round(finding.seconds, 2),
        }
    return found


def targets(attack: Attack | None) -> set[str]:
    """The targets of the backdoors that an attack plants.

    Example:
        >>> sorted(targets(Together((Backdoor(300), Backdoor(75, target="cactus"))))), targets(Backdoor(0))
        (['banana', 'cactus'], set())
    """
    parts = attack.parts if isinstance(attack, Together) else (attack,)
    return {part.target for part in parts if isinstance(part, Backdoor) and part.count}
