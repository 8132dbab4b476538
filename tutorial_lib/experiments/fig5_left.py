"""Fixed numbers of poisons in growing data (Carlini & Terzis 2022, figure 5, left)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.statistics import hardest
from tutorial_lib.experiments import fig2_right
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Trial

GROUP, ORDER = "carlini_terzis", 50
TITLE = "Count against rate: the same poisons in more data"
PAPER = (
    "300 poisons succeed alike from 50,000 to 3,000,000 pairs; 75 hold up to a million and degrade at two and three "
    "(section 5.1.2)"
)


#: Changes of the profile's base that make the data grow, ascending.
DATA_SIZES: ByProfile[tuple[dict[str, Any], ...]] = ByProfile(
    test=({"copies": 2}, {"copies": 4}),
    pilot=({"copies": 2}, {"copies": 4}, {"copies": 8}, {"copies": 16}),
    cpu=tuple({"classes": 320, "copies": n} for n in (8, 16, 32)),  # 12,800 pairs and more: with less models are poor
    overnight=tuple({"scenes": n} for n in (30_000, 100_000, 300_000, 1_000_000, 3_000_000)),
    photos=({"limit": 11_250}, {"limit": 22_500}, {}),
    gpu=tuple({"scenes": n} for n in (50_000, 300_000, 1_000_000, 2_000_000, 3_000_000)),
    paper=(*({"limit": n} for n in (50_000, 300_000, 1_000_000, 2_000_000)), {}),
)


#: By how much z may change from one data set to the next where it does not matter.
STEP = 1.0


def sized(p: Profile, size: int, count: int, seed: int) -> Trial:
    """A trial with the profile's data set number `size`."""
    return p.backdoor(count, seed, **DATA_SIZES[p][size])


def trials(p: Profile) -> list[Trial]:
    counts, last = (p.many, p.few), len(DATA_SIZES[p]) - 1
    return [
        sized(p, size, count, seed)
        for count in counts
        for size in range(last + 1)
        for seed in (_seeds(p, size, count) if size in (0, last) or p.models.fewer else p.models.base)
    ]


def _seeds(p: Profile, size: int, count: int) -> Sequence[int]:
    return p.models.at(__name__, DATA_SIZES[p][size].get("scenes", 0), count)


def z_scores(results: Results, size: int, count: int) -> dict[int, float]:
    return results.per_seed(lambda s: sized(results.profile, size, count, s), lambda r: r.metrics["z_score"])


def many_constant(results: Results) -> list[float]:
    """z with many poisons: the largest data set less the smallest."""
    p = results.profile
    return differences(z_scores(results, len(DATA_SIZES[p]) - 1, p.many), z_scores(results, 0, p.many))


def many_work(results: Results) -> list[float]:
    """z with many poisons in the smallest data set."""
    return list(z_scores(results, 0, results.profile.many).values())


def few_work(results: Results) -> list[float]:
    """z with few poisons in the smallest data set."""
    return list(z_scores(results, 0, results.profile.few).values())


def succeeds_in_largest(results: Results) -> list[float]:
    """Attack success of many poisons in the largest data set."""
    p = results.profile
    largest = len(DATA_SIZES[p]) - 1
    return list(results.per_seed(lambda s: sized(p, largest, p.many, s), fig2_right.success).values())


def few_degrades(results: Results) -> list[float]:
    """z with few poisons: the largest data set less the smallest."""
    p = results.profile
    return differences(z_scores(results, len(DATA_SIZES[p]) - 1, p.few), z_scores(results, 0, p.few))


def largest_step(results: Results) -> list[float]:
    """z with many poisons: a data set less the next smaller one, for the step whose test is the least clear."""
    p = results.profile
    found = [z_scores(results, size, p.many) for size in range(len(DATA_SIZES[p]))]
    steps = [differences(larger, smaller) for smaller, larger in pairwise(found)]
    return hardest(steps, -STEP, STEP)


def a_million(p: Profile) -> int | None:
    """Which data set has a million pairs; `None` where none has."""
    return next((k for k, changes in enumerate(DATA_SIZES[p]) if 1_000_000 in changes.values()), None)


def few_to_a_million(results: Results) -> list[float]:
    """z with few poisons: a million pairs less the smallest data set."""
    p = results.profile
    size = a_million(p)
    return [] if size is None else differences(z_scores(results, size, p.few), z_scores(results, 0, p.few))


def few_beyond_a_million(results: Results) -> list[float]:
    """z with few poisons: the largest data set less a million pairs."""
    p = results.profile
    size, last = a_million(p), len(DATA_SIZES[p]) - 1
    return [] if size is None else differences(z_scores(results, last, p.few), z_scores(results, size, p.few))


def accuracies(results: Results, size: int) -> dict[int, float]:
    """Clean accuracy by seed with that data set and few poisons: what the model has learned at all."""
    p = results.profile
    return results.per_seed(
        lambda s: sized(p, size, p.few, s), lambda r: r.metrics["clean_accuracy"]["zero_shot"]["rate"]
    )


def plot(results: Results) -> go.Figure:
    """z-score against the number of pairs, for both counts."""
    p = results.profile
    fig = plots.figure(
        "Backdoor z-score of a fixed number of poisons against the size of the training data, for many and for few "
        "poisons.",
        x="clean training pairs",
        y="backdoor z-score (standard deviations)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
        height=420,
    )
    for k, count in enumerate((p.many, p.few)):
        sizes = []
        for size in range(len(DATA_SIZES[p])):
            records = results.of(sized(p, size, count, s) for s in p.models.of(__name__))
            sizes.append(records[0].metrics["pairs"] if records else 0)
        values = [list(z_scores(results, size, count).values()) for size in range(len(sizes))]
        curve(fig, sizes, values, f"{count} poisons", number=k, points=True)
    return plots.log_axis(fig, sizes)
