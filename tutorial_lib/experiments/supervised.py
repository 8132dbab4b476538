"""How many more poisons a supervised classifier needs (Carlini & Terzis 2022, sections 1 and 4.2)."""

from __future__ import annotations

from typing import Literal

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.experiments import fig2_right
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Trial

GROUP, ORDER = "carlini_terzis", 110
TITLE = "The same poisons against a supervised classifier"
PAPER = (
    "poisoning curated labels needs pictures that keep their true label, and about 1 % of the data; "
    "contrastive models need a hundred to a thousand times less (sections 1 and 4.2)"
)
Select = Literal["others", "label-consistent"]


#: Poisons of the classifiers, ascending.
COUNTS: ByProfile[tuple[int, ...]] = ByProfile(test=(0, 4), cpu=(0, 16, 32), gpu=(), paper=())


def classifier(p: Profile, count: int, seed: int, select: Select) -> Trial:
    """A supervised classifier on the same pictures; "label-consistent" poisons pass a human check of the labels."""
    return p.backdoor(count, seed, objective="supervised", attack_select=select)


def trials(p: Profile) -> list[Trial]:
    return [
        classifier(p, count, seed, select)
        for seed in p.models.of(__name__)
        for select in ("others", "label-consistent")
        for count in COUNTS[p]
    ]


def successes(results: Results, count: int, select: Select) -> dict[int, float]:
    """Attack success of the classifier's head, by seed."""
    return results.per_seed(
        lambda s: classifier(results.profile, count, s, select), lambda r: fig2_right.success(r, "classifier")
    )


def contrastive_needs_fewer(results: Results) -> list[float]:
    """Success against CLIP less success against curated labels, with the most poisons that the latter were given."""
    p = results.profile
    most = COUNTS[p][-1]
    return differences(fig2_right.successes(results, most), successes(results, most, "label-consistent"))


def plot(results: Results) -> go.Figure:
    """Success against CLIP, against a classifier with the attacker's labels, and against one with true labels."""
    p = results.profile
    counts = list(COUNTS[p])
    fig = plots.figure(
        "Attack success against the number of poisons for CLIP, for a supervised classifier that takes the attacker's "
        "labels, and for one whose labels are true.",
        x="poisons",
        y="attack success (% of triggered pictures)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
        height=420,
    )
    lines = [("CLIP", [list(fig2_right.successes(results, c).values()) for c in counts])]
    names = (("others", "supervised, attacker's labels"), ("label-consistent", "supervised, true labels"))
    lines += [(name, [list(successes(results, c, select).values()) for c in counts]) for select, name in names]  # type: ignore[arg-type]
    for k, (name, values) in enumerate(lines):
        curve(fig, [str(c) for c in counts], values, name, number=k, scale=100, bounds=(0, 1))
    return fig
