"""How many more poisons a supervised classifier needs (Carlini & Terzis 2022, sections 1 and 4.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import geometric_mean
from typing import Any, Literal

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, stamp
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments import fig2_right
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Recipe, Trial

GROUP, ORDER = "carlini_terzis", 110
TITLE = "The same poisons against a supervised classifier"
PAPER = (
    "poisoning curated labels needs pictures that keep their true label, and about 1 % of the data; "
    "contrastive models need a hundred to a thousand times less (sections 1 and 4.2)"
)
Select = Literal["others", "label-consistent"]
Victim = Literal["clip", "others", "true"]
VICTIMS: dict[Victim, str] = {
    "clip": "CLIP",
    "others": "supervised, attacker's labels",
    "true": "supervised, true labels",
}


@dataclass(frozen=True)
class Doses:
    """Numbers of poisons of each victim, ascending.

    Attributes:
        clip: of CLIP models.
        others: of classifiers that take the attacker's labels.
        true: of classifiers whose labels are true: poisons are pictures of the target, and there are no more of them.
        data: changes of the profile's data and recipe, for all three.
    """

    clip: tuple[int, ...] = ()
    others: tuple[int, ...] = ()
    true: tuple[int, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


#: 160 pictures of a target: with the pilot's 40 no number of true labels reaches what CLIP falls to.
DOSES = ByProfile(
    test=Doses((0, 4), (0, 4), (0, 4)),
    pilot=Doses((0, 16, 32), (0, 16, 32), (0, 16, 32)),
    cpu=Doses(
        (16, 32, 64, 128, 256), (16, 32, 64, 128), (40, 80, 160), data={"copies": 32, "recipe": Recipe(epochs=10)}
    ),
    photos=Doses((64, 128, 256, 512), (16, 32, 64, 128), (40, 80, 160)),
    gpu=Doses(),
    paper=Doses(),
)


def contrastive(p: Profile, count: int, seed: int) -> Trial:
    """A CLIP model of the same data."""
    return p.backdoor(count, seed, **DOSES[p].data)


def classifier(p: Profile, count: int, seed: int, select: Select) -> Trial:
    """A supervised classifier on the same pictures; "label-consistent" poisons pass a human check of the labels."""
    return p.backdoor(count, seed, objective="supervised", attack_select=select, **DOSES[p].data)


def trials(p: Profile) -> list[Trial]:
    doses = DOSES[p]
    return [
        trial
        for seed in p.models.of(__name__)
        for trial in (
            *(contrastive(p, count, seed) for count in doses.clip),
            *(classifier(p, count, seed, "others") for count in doses.others),
            *(classifier(p, count, seed, "label-consistent") for count in doses.true),
        )
    ]


def successes(results: Results, count: int, select: Select) -> dict[int, float]:
    """Attack success of the classifier's head, by seed."""
    return results.per_seed(
        lambda s: classifier(results.profile, count, s, select), lambda r: fig2_right.success(r, "classifier")
    )


def against_clip(results: Results, count: int) -> dict[int, float]:
    """Attack success of CLIP models of the same data, by seed."""
    return results.per_seed(lambda s: contrastive(results.profile, count, s), fig2_right.success)


def half_dose(successes_by_count: Mapping[int, float]) -> float:
    """The number of poisons at which half of the triggered pictures are misread.

    Between two numbers success is taken to be linear in the logarithm of the number; where half is never reached, the
    answer is infinite.

    Args:
        successes_by_count: attack success by number of poisons; 0 says nothing.

    Example:
        >>> half_dose({0: 0.0, 16: 0.25, 64: 0.75})
        32.0
    """
    counts = sorted(count for count in successes_by_count if count)
    for low, high in pairwise(counts):
        before, after = successes_by_count[low], successes_by_count[high]
        if before < 0.5 <= after:
            return float(low * (high / low) ** ((0.5 - before) / (after - before)))
    if counts and successes_by_count[counts[0]] >= 0.5:
        return float(counts[0])  # an upper bound
    return math.inf


def half_doses(results: Results, victim: Victim) -> dict[int, float]:
    """The half dose of each seed's models; of "true" at least the number of pictures that there are."""
    doses = DOSES[results.profile]
    found: dict[int, dict[int, float]] = {}
    for count in getattr(doses, victim):
        if victim == "clip":
            by_seed = against_clip(results, count)
        else:
            by_seed = successes(results, count, "label-consistent" if victim == "true" else "others")
        for seed, value in by_seed.items():
            found.setdefault(seed, {})[count] = value
    whole = {seed: by for seed, by in found.items() if len(by) == len(getattr(doses, victim))}
    return {seed: min(half_dose(by), max(by)) for seed, by in whole.items()}


def contrastive_needs_fewer(results: Results) -> list[float]:
    """Orders of magnitude between the half doses of true labels and of CLIP.

    A lower bound where true labels never reach half with all pictures of the target; likewise an upper bound of CLIP's
    dose would only make it smaller.
    """
    clip, true = half_doses(results, "clip"), half_doses(results, "true")
    return [math.log10(true[seed] / clip[seed]) for seed in sorted(clip.keys() & true.keys())]


def harder_than_mislabelling(results: Results) -> list[float]:
    """Orders of magnitude between the half doses of CLIP and of a classifier that takes the attacker's labels."""
    clip, others = half_doses(results, "clip"), half_doses(results, "others")
    return [math.log10(clip[seed] / others[seed]) for seed in sorted(clip.keys() & others.keys())]


def table(results: Results) -> Table:
    """Half doses of each victim, the geometric mean over models with the lowest and the highest."""
    rows = []
    for victim, name in VICTIMS.items():
        doses = list(half_doses(results, victim).values())
        said = f"{geometric_mean(doses):.0f} ({min(doses):.0f} to {max(doses):.0f})" if doses else "not run"
        most = max(getattr(DOSES[results.profile], victim), default=0)
        rows.append((name, said, str(most)))
    return Table(("victim", "poisons for half of the pictures", "most poisons tried"), tuple(rows))


def plot(results: Results) -> go.Figure:
    """Success against CLIP, against a classifier with the attacker's labels, and against one with true labels."""
    p = results.profile
    doses = DOSES[p]
    fig = plots.figure(
        "Attack success against the number of poisons for CLIP, for a supervised classifier that takes the attacker's "
        "labels, and for one whose labels are true.",
        x="poisons",
        y="attack success (% of triggered pictures)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
        height=420,
    )
    lines = [
        (VICTIMS["clip"], doses.clip, [list(against_clip(results, n).values()) for n in doses.clip]),
        (VICTIMS["others"], doses.others, [list(successes(results, n, "others").values()) for n in doses.others]),
        (VICTIMS["true"], doses.true, [list(successes(results, n, "label-consistent").values()) for n in doses.true]),
    ]
    for k, (name, counts, values) in enumerate(lines):
        curve(fig, list(counts), values, name, number=k, scale=100, bounds=(0, 1))
    return fig
