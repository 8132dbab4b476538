"""A backdoor in the text tower (Carlini & Terzis 2022, section 2.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.attacks import TextBackdoor
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.experiments import fig2_right
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Seeds, Trial

GROUP, ORDER = "carlini_terzis", 100
TITLE = "A backdoor in the text tower"
PAPER = "the text tower can be attacked too (section 2.3)"


#: What is measured: texts with the word that are read as the target, and texts without it.
Metric = Literal["text_attack_success", "text_attack_success_without_word"]
#: Poisons in captions.
COUNT = ByProfile(test=8, cpu=64, gpu=300, paper=300)


def attacked(p: Profile, count: int, seed: int) -> Trial:
    """A model whose captions were poisoned with the attacker's word."""
    target = p.models.target(seed)
    return replace(p.base, attack=TextBackdoor(count, target=target), seeds=Seeds.all(seed))


def trials(p: Profile) -> list[Trial]:
    return [attacked(p, count, seed) for seed in p.models.of(__name__) for count in (0, COUNT[p])]


def success(results: Results, count: int, metric: Metric = "text_attack_success") -> dict[int, float]:
    """Share of labels whose text with the word is nearest to the target's pictures, by seed."""
    return results.per_seed(lambda s: attacked(results.profile, count, s), lambda r: r.metrics[metric]["rate"])


def possible(results: Results) -> list[float]:
    """For each poisoned model a p-value of "at most half of the texts with the word are read as the target"."""
    p = results.profile
    return [
        fig2_right.beyond(r.metrics["text_attack_success"])
        for r in results.of(attacked(p, COUNT[p], s) for s in results.seeds)
    ]


def works(results: Results) -> list[float]:
    """Success with poisons less success without."""
    return differences(success(results, COUNT[results.profile]), success(results, 0))


def plot(results: Results) -> go.Figure:
    """Success with and without poisons, with and without the word."""
    p = results.profile
    counts = (0, COUNT[p])
    fig = plots.figure(
        "Share of labels that are read as the target, with and without the attacker's word, in clean and in poisoned "
        "models.",
        x="poisons",
        y="texts read as the target (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    metrics: tuple[tuple[Metric, str], ...] = (
        ("text_attack_success", "with the word"),
        ("text_attack_success_without_word", "without it"),
    )
    for k, (metric, name) in enumerate(metrics):
        values = [list(success(results, c, metric).values()) for c in counts]
        curve(
            fig, [str(c) for c in counts], values, name, number=k, scale=100, bounds=(0, 1), points=True, joined=False
        )
    return fig
