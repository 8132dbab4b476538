"""Zero-shot accuracy of unpoisoned models on the task of the first attacks; ours, no figure of the papers."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, stamp
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.experiments.fig2_right import READERS
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, Seeds, Trial

GROUP, ORDER = "carlini_terzis", 120
TITLE = "Accuracy of unpoisoned models"
PAPER = "no figure of the papers: what the models of the chapter on CLIP from scratch can do, over several seeds"


def trained(p: Profile, seed: int) -> Trial:
    return replace(p.live, attack=None, seeds=Seeds.all(seed))


def trials(p: Profile) -> list[Trial]:
    return [trained(p, seed) for seed in p.models.of(__name__)]


def accuracies(results: Results, reader: str = "zero_shot") -> dict[int, float]:
    """Accuracy by seed."""

    def rate(record: Record) -> float:
        return record.metrics["clean_accuracy"][reader]["rate"]

    return results.per_seed(lambda s: trained(results.profile, s), rate)


def plot(results: Results) -> go.Figure:
    """Accuracy of each reader of the embedding, over seeds."""
    p = results.profile
    fig = plots.figure(
        "Accuracy of unpoisoned models on an unseen art style, for zero-shot, linear probe and nearest neighbours.",
        y="accuracy (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    for k, (reader, name) in enumerate(READERS):
        values = [list(accuracies(results, reader).values())]
        curve(fig, [name], values, name, number=k, scale=100, points=True, joined=False)
    return fig.update_layout(showlegend=False)
