"""Where the patch is put, at training and at test, by number of poisons (Carlini & Terzis 2022, figure 4)."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Trial

#: Placements of the patch in training and at test.
PLACEMENTS = (("fixed", "fixed"), ("fixed", "random"), ("random", "fixed"), ("random", "random"))
GROUP, ORDER = "carlini_terzis", 40
TITLE = "Placement of the patch: at training, at test, by number"
PAPER = (
    "75 poisons at one place give z 2.5, at random places 0; from about 300 on random places are stronger by far, and "
    "as strong when tested at random places; more poisons at one place help only marginally (section 5.1.1)"
)


#: Poisons with the patch at random places, ascending; those at one place are the profile's.
RANDOM_COUNTS = ByProfile(
    test=(4, 8), cpu=(32, 64, 128, 256), gpu=(75, 150, 300, 750, 1500), paper=(75, 150, 300, 750, 1500)
)


def most(p: Profile) -> int:
    """The most poisons that both placements have."""
    return max(set(p.counts) & set(RANDOM_COUNTS[p]))


def at_random(p: Profile, count: int, seed: int) -> Trial:
    """A backdoor whose poisons have the patch at random places."""
    return p.backdoor(count, seed, trigger=replace(p.trigger, placement="random"))


def placed(p: Profile, trained: str, count: int, seed: int) -> Trial:
    """The trial with that placement in training; without poisons there is none."""
    return at_random(p, count, seed) if trained == "random" and count > 0 else p.backdoor(count, seed)


def trials(p: Profile) -> list[Trial]:
    seeds = p.models.of(__name__)
    fixed = [p.backdoor(count, seed) for seed in seeds for count in p.counts]
    return fixed + [at_random(p, count, seed) for seed in seeds for count in RANDOM_COUNTS[p]]


def counts_of(p: Profile, trained: str) -> tuple[int, ...]:
    """Numbers of poisons that models with that placement have."""
    return p.counts if trained == "fixed" else (0, *RANDOM_COUNTS[p])


def placement_name(trained: str, tested: str) -> str:
    return f"trained {_word(trained)}, tested {_word(tested)}"


def z_scores(results: Results, trained: str, tested: str, count: int) -> dict[int, float]:
    """z-score by seed, for a placement of the poisons' patch and one of the test pictures'."""
    return results.per_seed(
        lambda s: placed(results.profile, trained, count, s),
        lambda r: r.metrics["tested"][tested]["z_score"],
    )


def few_consistent_better(results: Results) -> list[float]:
    """z with few poisons: one place less random places, each tested as it was trained."""
    few = results.profile.few
    return differences(z_scores(results, "fixed", "fixed", few), z_scores(results, "random", "random", few))


def few_at_random(results: Results) -> list[float]:
    return list(z_scores(results, "random", "random", results.profile.few).values())


def few_consistent(results: Results) -> list[float]:
    return list(z_scores(results, "fixed", "fixed", results.profile.few).values())


def many_random_better(results: Results) -> list[float]:
    """z with most poisons: random places less one place, each tested as it was trained."""
    return differences(
        z_scores(results, "random", "random", most(results.profile)),
        z_scores(results, "fixed", "fixed", most(results.profile)),
    )


def random_test_place_matters(results: Results) -> list[float]:
    """z with most poisons at random places: tested at one place less tested at random places."""
    return differences(
        z_scores(results, "random", "fixed", most(results.profile)),
        z_scores(results, "random", "random", most(results.profile)),
    )


def mismatch_degrades(results: Results) -> list[float]:
    """z with most poisons at one place: tested there less tested at random places."""
    return differences(
        z_scores(results, "fixed", "fixed", most(results.profile)),
        z_scores(results, "fixed", "random", most(results.profile)),
    )


def later_gain(results: Results, count: int) -> list[float]:
    """z with the most poisons at one place less z with `count` there."""
    return differences(
        z_scores(results, "fixed", "fixed", most(results.profile)), z_scores(results, "fixed", "fixed", count)
    )


def consistent_gain(results: Results) -> list[float]:
    """z with most poisons at one place less z with few there."""
    few = results.profile.few
    return differences(
        z_scores(results, "fixed", "fixed", most(results.profile)), z_scores(results, "fixed", "fixed", few)
    )


def plot(results: Results) -> go.Figure:
    """z-score by number of poisons for the four combinations of placements."""
    p = results.profile
    fig = plots.figure(
        "Backdoor z-score against the number of poisons, for the patch at one place or at random places in training "
        "and at test: poisons at random places need more of them and then work at any place.",
        x="poisons",
        y="backdoor z-score (standard deviations)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
        height=440,
    )
    for number, (trained, tested) in enumerate(PLACEMENTS):
        counts = counts_of(p, trained)
        values = [list(z_scores(results, trained, tested, c).values()) for c in counts]
        curve(fig, list(counts), values, placement_name(trained, tested), number=number)
    fig.update_xaxes(type="linear")
    return fig


def _word(placement: str) -> str:
    return "at one place" if placement == "fixed" else "at random"
