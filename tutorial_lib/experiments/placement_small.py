"""Placement of a patch of another size; ours, to explain what figure 4 shows here."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, stamp
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Trial

GROUP, ORDER = "carlini_terzis", 130
TITLE = "Placement of a patch of another size"
PAPER = "no figure of the papers: is it the size of the patch that makes its place matter?"
PLACEMENTS: tuple[Literal["fixed", "random"], ...] = ("fixed", "random")
#: Width of the patch: smaller than that of figure 4 in the pilot, larger where that one is small.
SIZE = ByProfile(test=4, pilot=4, cpu=6, gpu=4, paper=4)


def placed(p: Profile, count: int, placement: Literal["fixed", "random"], seed: int) -> Trial:
    """A trial with a patch of that size."""
    return p.backdoor(count, seed, trigger=replace(p.trigger, size=SIZE[p], placement=placement))


def counts(p: Profile) -> tuple[int, ...]:
    return (p.many, p.counts[-1])


def trials(p: Profile) -> list[Trial]:
    return [
        placed(p, count, placement, seed)
        for seed in p.models.of(__name__)
        for count in counts(p)
        for placement in PLACEMENTS
    ]


def z_scores(results: Results, count: int, placement: Literal["fixed", "random"]) -> dict[int, float]:
    """z-score by seed, tested as trained."""
    return results.per_seed(lambda s: placed(results.profile, count, placement, s), lambda r: r.metrics["z_score"])


def ahead(results: Results, count: int) -> dict[int, float]:
    """z at one place less z at random places by seed, each tested as it was trained."""
    fixed, random = (z_scores(results, count, placement) for placement in PLACEMENTS)
    return {seed: z - random[seed] for seed, z in fixed.items() if seed in random}


def consistent_better(results: Results, count: int) -> list[float]:
    """z at one place less z at random places, paired by seed."""
    return list(ahead(results, count).values())


def plot(results: Results) -> go.Figure:
    """z-score by number of poisons, for both placements of that patch."""
    p = results.profile
    size = SIZE[p]
    fig = plots.figure(
        f"Backdoor z-score of a patch of {size} pixels, at one place and at random places, by number of poisons.",
        x="poisons",
        y="backdoor z-score (standard deviations)",
        stamp=stamp(p, results.of(trials(p))) + f"; patch of {size} of {p.base.side} pixels" + SMALL_PRINT,
    )
    for k, placement in enumerate(PLACEMENTS):
        values = [list(z_scores(results, c, placement).values()) for c in counts(p)]
        name = "at one place" if placement == "fixed" else "at random places"
        curve(fig, [str(c) for c in counts(p)], values, name, number=k, points=True)
    return fig
