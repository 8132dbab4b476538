"""Another optimizer, batch size or loss: does the attack care? (Carlini & Terzis 2022, section 2.2.)"""

from __future__ import annotations

from statistics import mean
from typing import Any

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._defended import percent
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.experiments.fig2_right import clean_accuracy, success
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Recipe, Trial

GROUP, ORDER = "carlini_terzis", 115
TITLE = "Optimizer, batch size and loss"
PAPER = "the results are independent of the exact training technique (section 2.2)"


def _laptop(**recipe: Any) -> dict[str, Any]:
    return {"recipe": Recipe(epochs=20, **recipe)}


#: Changes of the backdoor trial. Learning rates are those of a few that were tried at which one model was most
#: accurate; from 0.2 on SGD collapses, at 0.03 it learns nothing, and its weight decay is no decoupled one.
_LAPTOP = {
    "SGD with momentum": _laptop(optimizer="sgd", lr=0.1, weight_decay=1e-4),
    "batches of 64": _laptop(batch_size=64, lr=1e-3),
    "batches of 512": _laptop(batch_size=512),
    "triplet loss": {"objective": "triplet"},
}
VARIANTS: ByProfile[dict[str, dict[str, Any]]] = ByProfile(
    test={"SGD": {"recipe": Recipe(epochs=1, batch_size=64, optimizer="sgd", lr=0.3)}},
    pilot={},
    laptop=_LAPTOP,
    cpu=_LAPTOP,
    gpu={},
    paper={},
)
USUAL = "as everywhere"


def varied(p: Profile, name: str, seed: int) -> Trial:
    """The backdoor of many poisons, trained in one of the ways."""
    return p.backdoor(p.many, seed, **VARIANTS[p].get(name, {}))


def names(p: Profile) -> list[str]:
    """The usual way, then the others; none where nothing is varied."""
    return [USUAL, *VARIANTS[p]] if VARIANTS[p] else []


def trials(p: Profile) -> list[Trial]:
    return [varied(p, name, seed) for seed in p.models.of(__name__) for name in names(p)]


def z_scores(results: Results, name: str) -> dict[int, float]:
    """z-score by seed of the models that were trained in one way."""
    return results.per_seed(lambda s: varied(results.profile, name, s), lambda r: r.metrics["z_score"])


def largest_change(results: Results) -> list[float]:
    """z of the way that differs most on average less z of the usual one, paired by seed."""
    p = results.profile
    changes = [differences(z_scores(results, name), z_scores(results, USUAL)) for name in VARIANTS[p]]
    return max((found for found in changes if found), key=lambda found: abs(mean(found)), default=[])


def table(results: Results) -> Table:
    """Clean accuracy, attack success and z-score of each way to train."""
    p, rows = results.profile, []

    def of(name: str, value: Any) -> dict[int, float]:
        return results.per_seed(lambda s: varied(p, name, s), value)

    for name in names(p):
        z = z_scores(results, name).values()
        cells = [percent(of(name, value).values()) for value in (clean_accuracy, success)]
        rows.append((name, *cells, f"{mean(z):.2f} ({min(z):.2f} to {max(z):.2f})" if z else "not run"))
    return Table(("training", "clean accuracy (%)", "attack success (%)", "z-score"), tuple(rows))


def plot(results: Results) -> go.Figure:
    """z-score of every model, by the way that it was trained."""
    p = results.profile
    fig = plots.figure(
        "Backdoor z-score of the same poisons in models that were trained with another optimizer, batch size or loss.",
        y="backdoor z-score (standard deviations)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    values = [list(z_scores(results, name).values()) for name in names(p)]
    curve(fig, names(p), values, f"{p.many} poisons", points=True, joined=False)
    return fig
