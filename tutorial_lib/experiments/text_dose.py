"""More poisons in captions; ours, to explain the verdict on the text tower."""

from __future__ import annotations

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.experiments import more_models, text_tower
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Trial

GROUP, ORDER = "explanations", 40
TITLE = "The text tower: success against the number of poisons"
PAPER = "no figure of the papers: does the word work fully with more poisons?"


def counts(p: Profile) -> tuple[int, ...]:
    """0, half, once, twice and four times the profile's number."""
    once = text_tower.COUNT[p]
    return (0, once // 2, once, 2 * once, 4 * once)


def trials(p: Profile) -> list[Trial]:
    return [text_tower.attacked(p, count, seed) for seed in p.models.of(__name__) for count in counts(p)]


def works(results: Results, count: int) -> list[float]:
    """Success with so many poisons less success without."""
    return differences(text_tower.success(results, count), text_tower.success(results, 0))


def of_target(results: Results, target: str) -> list[float]:
    """Success with the profile's number of poisons of all models, further ones too, that were attacked for a target."""
    p = results.profile
    models = [*p.models.of(__name__), *more_models.seeds(p)]
    found = text_tower.success(results.with_seeds(models), text_tower.COUNT[p])
    return [rate for seed, rate in found.items() if p.models.target(seed) == target]


def plot(results: Results) -> go.Figure:
    """Share of texts that are read as the target, by number of poisons: a line for each target, on which it depends."""
    p = results.profile
    targets: dict[str, list[int]] = {}
    for seed in p.models.of(__name__):
        targets.setdefault(p.models.target(seed), []).append(seed)
    several = max(map(len, targets.values()), default=0) > 1  # else a line is a model, and has neither bars nor points
    fig = plots.figure(
        "Share of labels whose text with the attacker's word is read as the target, by number of poisoned captions, a "
        "line for each target.",
        x="poisons",
        y="texts read as the target (%)",
        stamp=stamp(p, results.of(trials(p))) + (SMALL_PRINT if several else ""),
    )
    for k, (target, seeds) in enumerate(targets.items()):
        values = [list(text_tower.success(results.with_seeds(seeds), c).values()) for c in counts(p)]
        curve(fig, [str(c) for c in counts(p)], values, target, number=k, scale=100, bounds=(0, 1), points=several)
    return fig
