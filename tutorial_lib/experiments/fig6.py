"""Size of the patch (Carlini & Terzis 2022, figure 6)."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Trial

GROUP, ORDER = "carlini_terzis", 70
TITLE = "Size of the patch"
PAPER = (
    "on 224 x 224 pixels a patch of 2 x 2 fails, 4 x 4 begins to succeed, 16 x 16 is significantly better, larger "
    "ones are not, and 32 x 32 may be worse (section 5.1.3); only the shape is compared here"
)


#: Widths of the patch in pixels, ascending.
PATCHES = ByProfile(
    test=(4, 6), pilot=(2, 4, 6, 8, 12, 16), cpu=(2, 4, 6, 8, 10), gpu=(2, 4, 6, 8, 10), paper=(2, 4, 8, 16, 32)
)
#: The width beyond which larger ones are no better, the paper's 16: 7 to 9 % of the side.
ENOUGH = ByProfile(test=4, pilot=8, cpu=6, gpu=6, paper=16)
#: Poisons of each.
COUNT = ByProfile(test=8, pilot=64, cpu=128, gpu=75, paper=75)
#: Side of the pictures: at 64 pixels, patches of the paper's shares of the side (up to 14 %) have pixels to differ in.
SIDE = ByProfile(test=32, pilot=32, cpu=64, photos=32, gpu=64, paper=224)
#: The model that takes such pictures.
MODEL = ByProfile(test="tiny-rn", pilot="tiny-rn", cpu="tiny-rn-64", photos="tiny-rn", gpu="tiny-rn-64", paper="RN50")
#: Cells across a patch; 0 for cells of the profile's size, of which a larger patch has more.
CELLS = ByProfile(test=2, pilot=0, cpu=2, gpu=2, paper=0)


def patched(p: Profile, size: int, seed: int) -> Trial:
    """A trial with a patch of that width; its pattern stays the same where the number of cells is fixed."""
    cell = size // CELLS[p] if CELLS[p] else p.trigger.cell
    return p.backdoor(COUNT[p], seed, trigger=replace(p.trigger, size=size, cell=cell), side=SIDE[p], model=MODEL[p])


def trials(p: Profile) -> list[Trial]:
    return [patched(p, size, seed) for seed in p.models.of(__name__) for size in PATCHES[p]]


def z_scores(results: Results, size: int) -> dict[int, float]:
    return results.per_seed(lambda s: patched(results.profile, size, s), lambda r: r.metrics["z_score"])


def smallest_fails(results: Results) -> list[float]:
    return list(z_scores(results, PATCHES[results.profile][0]).values())


def larger_better(results: Results) -> list[float]:
    """z of the patch beyond which larger ones are no better less that of the second smallest."""
    p = results.profile
    return differences(z_scores(results, ENOUGH[p]), z_scores(results, PATCHES[p][1]))


def enough_works(results: Results) -> list[float]:
    """z of the patch beyond which larger ones are no better."""
    return list(z_scores(results, ENOUGH[results.profile]).values())


def second_succeeds(results: Results) -> list[float]:
    return list(z_scores(results, PATCHES[results.profile][1]).values())


def largest_no_better(results: Results) -> list[float]:
    """z of the largest patch less that of the one that is large enough."""
    p = results.profile
    return differences(z_scores(results, PATCHES[p][-1]), z_scores(results, ENOUGH[p]))


def plot(results: Results) -> go.Figure:
    """z-score against the width of the patch as a share of the side."""
    p = results.profile
    fig = plots.figure(
        "Backdoor z-score against the width of the patch as a share of the picture's side.",
        x="width of the patch (% of the side)",
        y="backdoor z-score (standard deviations)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
        height=420,
    )
    widths = [round(100 * size / SIDE[p], 2) for size in PATCHES[p]]
    values = [list(z_scores(results, size).values()) for size in PATCHES[p]]
    curve(fig, widths, values, f"{COUNT[p]} poisons", points=True)
    return fig
