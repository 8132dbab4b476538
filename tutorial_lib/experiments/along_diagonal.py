"""The z-score with the patch at places from corner to corner; ours, to explain figure 4 (right)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, stamp
from tutorial_lib.experiments import fig4
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, Trial

GROUP, ORDER = "explanations", 20
TITLE = "The patch on its way from corner to corner"
PAPER = "no figure of the papers: at which places does a patch work that was learned in the corner, or anywhere?"
PLACEMENTS: tuple[Literal["fixed", "random"], ...] = ("fixed", "random")


def measured(p: Profile, placement: Literal["fixed", "random"], seed: int) -> Trial:
    """The backdoor with the most poisons, measured along the diagonal."""
    doses = fig4.DOSES[p]
    trigger = replace(p.trigger, size=doses.size, placement=placement)
    return p.backdoor(doses.random[-1], seed, trigger=trigger, attack_diagonal=True)


def trials(p: Profile) -> list[Trial]:
    return [measured(p, placement, seed) for seed in p.models.of(__name__) for placement in PLACEMENTS]


def z_scores(results: Results, placement: Literal["fixed", "random"], margin: int) -> dict[int, float]:
    """z-score by seed with the patch `margin` pixels from the upper and the left edge."""
    return results.per_seed(
        lambda s: measured(results.profile, placement, s), lambda r: r.metrics["z_score_by_margin"][str(margin)]
    )


def inside_less_corner(results: Results) -> list[float]:
    """Learned at random places: mean z well inside the picture less z in the corner, paired by seed."""

    def difference(record: Record) -> float:
        by_margin = {int(m): z for m, z in record.metrics["z_score_by_margin"].items()}
        last = max(by_margin)
        inside = [z for m, z in by_margin.items() if last / 4 <= m <= 3 * last / 4]
        return sum(inside) / len(inside) - by_margin[0]

    return list(results.per_seed(lambda s: measured(results.profile, "random", s), difference).values())


def plot(results: Results) -> go.Figure:
    """z-score by place, for patches learned in the corner and learned anywhere."""
    p = results.profile
    records = results.of(trials(p))
    fig = plots.figure(
        "Backdoor z-score against the place of the patch on the diagonal of the picture, for models that learned it in "
        "the upper left corner and for models that learned it at random places.",
        x="distance of the patch from the upper and left edge at test (pixels)",
        y="backdoor z-score (standard deviations)",
        stamp=stamp(p, records) + SMALL_PRINT,
    )
    margins = sorted({int(m) for r in records for m in r.metrics["z_score_by_margin"]})
    for k, placement in enumerate(PLACEMENTS):
        values = [list(z_scores(results, placement, m).values()) for m in margins]
        name = "learned in the corner" if placement == "fixed" else "learned at random places"
        curve(fig, margins, values, name, number=k)
    return fig
