"""From a trained trial to how well detectors find its poisons. Introduced in the chapter on finding poisons."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tutorial_lib.attacks.poison import count_poisons
from tutorial_lib.data.pairs import POISON
from tutorial_lib.detect import Detector, PointDetector, Ranking, points_of
from tutorial_lib.models import Classifier
from tutorial_lib.runs.outcome import Outcome
from tutorial_lib.trials.metrics import DetectionMetrics

#: Shares of the pairs, the most suspicious, at which recall is recorded.
SHARES = (0.001, 0.003, 0.01, 0.03, 0.05, 0.1, 0.2)


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
