"""Another optimizer, batch size or loss: does the attack care? (Carlini & Terzis 2022, section 2.2.)"""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean
from typing import Any

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.statistics import hardest
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._defended import percent
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.experiments.fig2_right import clean_accuracy, success
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Recipe, Record, Trial

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
#: Poisons in units of the few with which about half of the pictures are misread: a weaker attack would show.
TIMES = 2
#: What the success of another way may differ by, as the claim says.
REGION = (-0.2, 0.2)


def varied(p: Profile, name: str, seed: int) -> Trial:
    """A backdoor just past its threshold, trained in one of the ways."""
    return p.backdoor(TIMES * p.few, seed, **VARIANTS[p].get(name, {}))


def names(p: Profile) -> list[str]:
    """The usual way, then the others; none where nothing is varied."""
    return [USUAL, *VARIANTS[p]] if VARIANTS[p] else []


def trials(p: Profile) -> list[Trial]:
    return [varied(p, name, seed) for seed in p.models.of(__name__) for name in names(p)]


def _of(results: Results, name: str, value: Callable[[Record], float]) -> dict[int, float]:
    """A number by seed; of the usual training only those models that the others are compared with."""
    p = results.profile
    found = results.per_seed(lambda s: varied(p, name, s), value)
    return {seed: number for seed, number in found.items() if seed in p.models.of(__name__)}


def z_scores(results: Results, name: str) -> dict[int, float]:
    """z-score by seed of the models that were trained in one way."""
    return _of(results, name, lambda r: r.metrics["z_score"])


def successes(results: Results, name: str) -> dict[int, float]:
    """Attack success by seed of the models that were trained in one way."""
    return _of(results, name, success)


def accuracies(results: Results, name: str) -> dict[int, float]:
    """Clean accuracy by seed of the models that were trained in one way."""
    return _of(results, name, clean_accuracy)


def least_clear(results: Results) -> list[float]:
    """Attack success of one way less that of the usual one, by seed: of the way whose test is the least clear."""
    changes = [differences(successes(results, name), successes(results, USUAL)) for name in VARIANTS[results.profile]]
    return hardest(changes, *REGION)


def table(results: Results) -> Table:
    """Clean accuracy, attack success and z-score of each way to train."""
    p, rows = results.profile, []

    for name in names(p):
        z = z_scores(results, name).values()
        cells = [percent(found.values()) for found in (accuracies(results, name), successes(results, name))]
        rows.append((name, *cells, f"{mean(z):.2f} ({min(z):.2f} to {max(z):.2f})" if z else "not run"))
    return Table(("training", "clean accuracy (%)", "attack success (%)", "z-score"), tuple(rows))


def plot(results: Results) -> go.Figure:
    """Attack success of every model, by the way that it was trained."""
    p = results.profile
    fig = plots.figure(
        "Attack success of the same poisons in models that were trained with another optimizer, batch size or loss.",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    values = [list(successes(results, name).values()) for name in names(p)]
    name = f"{TIMES * p.few} poisons"
    curve(fig, names(p), values, name, scale=100, bounds=(0, 1), points=True, joined=False)
    return fig
