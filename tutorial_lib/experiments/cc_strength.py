"""The strength of self-supervision, λ₂ (Bansal et al. 2023)."""

from __future__ import annotations

from collections.abc import Callable

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.defenses import Defense
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.experiments._defended import accuracy, before, cleaned, success, with_before
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Record, Trial

GROUP, ORDER = "cleanclip", 40
TITLE = "The strength of self-supervision"
PAPER = (
    "λ₂ of 0.5, 1, 2, 4 and 8 leave 7.5, 7.2, 4.3, 2.9 and 1.8 % of Blended, at a clean accuracy of 17.8, 18.1, 17.8, "
    "18.0 and 17.4 % (the authors' repository)"
)


#: λ₂, ascending, and the learning rate at which it is swept.
WEIGHTS: ByProfile[tuple[float, ...]] = ByProfile(
    test=(0.5, 2.0), cpu=(0.5, 1.0, 2.0, 4.0, 8.0), gpu=(0.5, 1.0, 2.0, 4.0, 8.0), paper=(0.5, 1.0, 2.0, 4.0, 8.0)
)
RATE = ByProfile(test=1e-3, cpu=1e-3, gpu=1e-3, paper=1e-5)


#: The attack that is cleaned; the authors' numbers are of Blended.
ATTACK = ByProfile(test="badnets", pilot="badnets", cpu="blended", gpu="blended", paper="blended")


def poisoned(p: Profile, seed: int) -> Trial:
    return p.cleaning.attacked(ATTACK[p], seed)


def defense(p: Profile, weight: float) -> Defense:
    """CleanCLIP with that weight, at one learning rate."""
    return p.cleaning.defense("cleanclip", RATE[p], lambda_self=weight)


def trials(p: Profile) -> list[Trial]:
    defenses = [defense(p, w) for w in WEIGHTS[p]]
    return [t for seed in p.cleaning.models.of(__name__) for t in with_before(poisoned(p, seed), defenses)]


def measured(results: Results, weight: float, value: Callable[[Record], float] = success) -> dict[int, float]:
    p = results.profile
    return results.per_seed(lambda s: cleaned(poisoned(p, s), [defense(p, weight)])[0], value)


def accuracies(results: Results, weight: float) -> dict[int, float]:
    return measured(results, weight, accuracy)


def works(results: Results) -> list[float]:
    """Attack success before cleaning."""
    return list(results.per_seed(lambda s: before(poisoned(results.profile, s)), success).values())


def stronger_cleans_better(results: Results) -> list[float]:
    """Attack success with the smallest weight less with the largest."""
    weights = WEIGHTS[results.profile]
    return differences(measured(results, weights[0]), measured(results, weights[-1]))


def stronger_costs_accuracy(results: Results) -> list[float]:
    """Clean accuracy with the largest weight less with the smallest."""
    weights = WEIGHTS[results.profile]
    return differences(measured(results, weights[-1], accuracy), measured(results, weights[0], accuracy))


def plot(results: Results) -> go.Figure:
    """Attack success and clean accuracy by λ₂."""
    p = results.profile
    fig = plots.figure(
        "Attack success and clean accuracy after CleanCLIP, by the weight of self-supervision, at one learning rate.",
        x="weight of self-supervision, λ₂",
        y="share of pictures (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    for k, (value, name) in enumerate(((success, "attack success"), (accuracy, "clean accuracy"))):
        values = [list(measured(results, w, value).values()) for w in WEIGHTS[p]]
        curve(fig, list(WEIGHTS[p]), values, name, number=k, scale=100, bounds=(0, 1), points=True)
    return plots.log_axis(fig, WEIGHTS[p])
