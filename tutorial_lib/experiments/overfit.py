"""Train-test gaps: do contrastive models overfit more than classifiers? (Carlini & Terzis 2022, section 3.)"""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.experiments import unpoisoned
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, Trial

GROUP, ORDER = "carlini_terzis", 118
TITLE = "Train-test gaps"
PAPER = "contrastively trained models have higher train-test gaps than supervised classifiers (section 3)"
#: Who reads the pictures: CLIP by its texts, a classifier by its head.
MODELS = {"zero_shot": "CLIP", "classifier": "supervised classifier"}


def trained(p: Profile, reader: str, seed: int) -> Trial:
    """An unpoisoned model of the same pictures."""
    clip = unpoisoned.trained(p, seed)
    return clip if reader == "zero_shot" else replace(clip, objective="supervised")


def trials(p: Profile) -> list[Trial]:
    """None where records have no accuracy on training pictures, and where pictures have no labels."""
    if p.past or p.live.scenes or p.live.shards:
        return []
    return [trained(p, reader, seed) for seed in p.models.of(__name__) for reader in MODELS]


def _rate(record: Record, reader: str, pictures: str) -> float:
    if pictures == "training":
        return record.metrics["training_accuracy"]["rate"]
    return record.metrics["clean_accuracy"][reader]["rate"]


def accuracies(results: Results, reader: str, pictures: str = "test") -> dict[int, float]:
    """Accuracy by seed on pictures of the "training" or of the "test"."""
    p = results.profile
    if p.past:
        return {}
    return results.per_seed(lambda s: trained(p, reader, s), lambda r: _rate(r, reader, pictures))


def gaps(results: Results, reader: str) -> dict[int, float]:
    """Accuracy on training pictures less accuracy on test pictures, by seed."""
    training, test = (accuracies(results, reader, pictures) for pictures in ("training", "test"))
    return {seed: training[seed] - test[seed] for seed in sorted(training.keys() & test.keys())}


def larger_gap(results: Results) -> list[float]:
    """The gap of CLIP less that of the classifier, paired by seed."""
    return differences(gaps(results, "zero_shot"), gaps(results, "classifier"))


def plot(results: Results) -> go.Figure:
    """Accuracy of both kinds of model on pictures of the training and of the test."""
    p = results.profile
    fig = plots.figure(
        "Accuracy on training pictures and on test pictures, for CLIP and for a supervised classifier of the same "
        "pictures.",
        y="accuracy (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    for k, pictures in enumerate(("training", "test")):
        values = [list(accuracies(results, reader, pictures).values()) for reader in MODELS]
        name = f"{pictures} pictures"
        curve(fig, list(MODELS.values()), values, name, number=k, scale=100, points=True, joined=False)
    return fig
