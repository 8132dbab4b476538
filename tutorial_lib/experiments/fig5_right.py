"""Model size (Carlini & Terzis 2022, figure 5, right)."""

from __future__ import annotations

from statistics import median

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Trial

GROUP, ORDER = "carlini_terzis", 60
TITLE = "Model size: are larger models easier to backdoor?"
PAPER = (
    "a model of 1 million parameters never succeeds, of 5 million sometimes (z 0.3 or 5.4), of 30 million always, "
    "with z between 5.1 and 5.9 (section 5.1.2)"
)


#: Model configs from small to large.
MODELS = ByProfile(
    test=("rn-0.4m", "tiny-rn"),
    cpu=("rn-0.4m", "rn-0.8m", "tiny-rn", "rn-3m", "rn-5m"),
    gpu=("tiny-rn", "rn-5m", "rn-9m", "rn-20m", "rn-28m"),
    paper=("rn50-w8", "rn50-w24", "rn50-w32", "rn50-w48", "rn50-w56"),
)
#: Poisons of each.
COUNT = ByProfile(test=8, cpu=32, gpu=300, paper=300)


def sized(p: Profile, model: str, seed: int) -> Trial:
    """A trial with the profile's number of poisons and that model config."""
    return p.backdoor(COUNT[p], seed, model=model)


def trials(p: Profile) -> list[Trial]:
    return [sized(p, model, seed) for seed in p.models.of(__name__) for model in MODELS[p]]


def z_scores(results: Results, model: str) -> dict[int, float]:
    return results.per_seed(lambda s: sized(results.profile, model, s), lambda r: r.metrics["z_score"])


def smallest(results: Results) -> list[float]:
    return list(z_scores(results, MODELS[results.profile][0]).values())


def largest(results: Results) -> list[float]:
    return list(z_scores(results, MODELS[results.profile][-1]).values())


def larger_easier(results: Results) -> list[float]:
    """z of the largest model less that of the smallest, paired by seed."""
    models = MODELS[results.profile]
    return differences(z_scores(results, models[-1]), z_scores(results, models[0]))


def _deviations(scores: dict[int, float]) -> dict[int, float]:
    middle = median(scores.values()) if scores else 0.0
    return {seed: abs(z - middle) for seed, z in scores.items()}


def larger_less_variance(results: Results) -> list[float]:
    """Distance of z from its median (Brown & Forsythe): the largest model less the second smallest."""
    models = MODELS[results.profile]
    return differences(_deviations(z_scores(results, models[-1])), _deviations(z_scores(results, models[1])))


def plot(results: Results) -> go.Figure:
    """z-score of every model against its number of parameters, with the mean."""
    p = results.profile
    fig = plots.figure(
        "Backdoor z-score against the number of parameters of the image tower, each model a point.",
        x="parameters of the image tower",
        y="backdoor z-score (standard deviations)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
        height=420,
    )
    sizes = []
    for model in MODELS[p]:
        records = results.of(sized(p, model, s) for s in p.models.of(__name__))
        sizes.append(records[0].metrics["image_parameters"] if records else 0)
    values = [list(z_scores(results, model).values()) for model in MODELS[p]]
    curve(fig, sizes, values, f"{COUNT[p]} poisons", points=True)
    return plots.log_axis(fig, sizes)
