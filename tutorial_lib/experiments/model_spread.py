"""How much models of one size differ, near their threshold and far beyond it; ours, to explain figure 5 (right)."""

from __future__ import annotations

from statistics import mean

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.experiments import fig5_right
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Trial

GROUP, ORDER = "explanations", 30
TITLE = "Spread between models of one size, near the threshold and beyond it"
PAPER = "no figure of the papers: does the spread belong to the size of a model, or to the number of poisons?"


def sizes(p: Profile) -> tuple[str, ...]:
    """The smallest and the largest model, and the one that the profile uses."""
    models = fig5_right.MODELS[p]
    return tuple(dict.fromkeys((models[0], p.base.model, models[-1])))


def poisoned(p: Profile, model: str, count: int, seed: int) -> Trial:
    return p.backdoor(count, seed, model=model)


def counts(p: Profile) -> tuple[int, int]:
    """Near the threshold, as in figure 5 (right), and the most."""
    return fig5_right.COUNT[p], p.counts[-1]


def trials(p: Profile) -> list[Trial]:
    return [poisoned(p, m, count, seed) for seed in p.models.of(__name__) for count in counts(p) for m in sizes(p)]


def z_scores(results: Results, model: str, count: int) -> dict[int, float]:
    return results.per_seed(lambda s: poisoned(results.profile, model, count, s), lambda r: r.metrics["z_score"])


def _deviation(results: Results, count: int) -> dict[int, float]:
    """Distance of z from the mean of its size, averaged over the sizes, by seed."""
    found: dict[int, list[float]] = {}
    for model in sizes(results.profile):
        z = z_scores(results, model, count)
        for seed, value in z.items():
            found.setdefault(seed, []).append(abs(value - mean(z.values())))
    return {seed: mean(values) for seed, values in found.items()}


def spread_lost(results: Results) -> list[float]:
    """Distance of z from its mean: near the threshold less with the most poisons, all sizes together."""
    near, most = counts(results.profile)
    return differences(_deviation(results, near), _deviation(results, most))


def plot(results: Results) -> go.Figure:
    """z-score of each model by size, for few and for many poisons."""
    p = results.profile
    fig = plots.figure(
        "Backdoor z-score of each model by model size: models of every size differ much near their threshold and "
        "little with many poisons.",
        x="model",
        y="backdoor z-score (standard deviations)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    for k, count in enumerate(counts(p)):
        values = [list(z_scores(results, m, count).values()) for m in sizes(p)]
        curve(fig, sizes(p), values, f"{count} poisons", number=k, points=True)
    return fig
