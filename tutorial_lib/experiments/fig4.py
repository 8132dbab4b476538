"""Where the patch is put, at training and at test, by number of poisons (Carlini & Terzis 2022, figure 4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.statistics import hardest
from tutorial_lib.experiments import placement_small
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


@dataclass(frozen=True)
class Doses:
    """Numbers of poisons, ascending.

    Attributes:
        fixed: with the patch at one place, 0 first.
        random: with the patch at random places.
        few: stands for the paper's 75, at which one place works and random places do not.
        past: the fewest at one place that are past the threshold, as the paper's 75 are.
        size: of the patch, in pixels.
    """

    fixed: tuple[int, ...]
    random: tuple[int, ...]
    few: int
    past: int
    size: int

    @property
    def most(self) -> int:
        """The most poisons that both placements have; 0 where one of them has none."""
        return max(set(self.fixed) & set(self.random), default=0)


_PAPER = (75, 150, 300, 750, 1500)
#: The pilot's patch of 6 pixels meets the ceiling of z before random places can be ahead; one of 4 is an eighth of the
#: side, and needs more poisons.
DOSES = ByProfile(
    test=Doses((0, 4, 8), (4, 8), few=4, past=4, size=6),
    pilot=Doses((0, 8, 16, 32, 64, 128, 256), (32, 64, 128, 256), few=32, past=32, size=6),
    cpu=Doses((0, 64, 128, 256, 512, 1024), (64, 128, 256, 512, 1024), few=128, past=256, size=4),
    overnight=Doses((75,), (), few=75, past=75, size=6),  # a number of the paper that is judged in all of the data
    gpu=Doses((0, *_PAPER), _PAPER, few=75, past=75, size=6),
    paper=Doses((0, *_PAPER), _PAPER, few=75, past=75, size=16),
)


def placed(p: Profile, trained: str, count: int, seed: int) -> Trial:
    """The trial with that placement in training; without poisons there is none."""
    placement: Literal["fixed", "random"] = "random" if trained == "random" and count > 0 else "fixed"
    return p.backdoor(count, seed, trigger=replace(p.trigger, size=DOSES[p].size, placement=placement))


def trials(p: Profile) -> list[Trial]:
    """More models at the numbers of poisons that the claims compare."""
    doses = DOSES[p]
    judged = {0, doses.few, doses.past, doses.most}
    return [
        placed(p, trained, count, seed)
        for trained, counts in (("fixed", doses.fixed), ("random", doses.random))
        for count in counts
        for seed in (p.models.at(__name__, p.base.scenes, count) if count in judged else p.models.base)
    ]


def counts_of(p: Profile, trained: str) -> tuple[int, ...]:
    """Numbers of poisons that models with that placement have."""
    return DOSES[p].fixed if trained == "fixed" else (0, *DOSES[p].random)


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
    return list(ahead(results, DOSES[results.profile].few).values())


def few_at_random(results: Results) -> list[float]:
    return list(z_scores(results, "random", "random", DOSES[results.profile].few).values())


def few_at_random_gain(results: Results) -> list[float]:
    """z with few poisons at random places less z of unpoisoned models, both tested at random places."""
    found = (z_scores(results, "random", "random", count) for count in (DOSES[results.profile].few, 0))
    return differences(*found)


def random_works(results: Results) -> list[float]:
    """z with the most poisons at random places, tested at random places."""
    return list(z_scores(results, "random", "random", DOSES[results.profile].most).values())


def fixed_works(results: Results) -> list[float]:
    """z with the most poisons at one place, tested there."""
    return list(z_scores(results, "fixed", "fixed", DOSES[results.profile].most).values())


def past_threshold(results: Results) -> list[float]:
    """z with the fewest poisons at one place that are past the threshold."""
    return list(z_scores(results, "fixed", "fixed", DOSES[results.profile].past).values())


def ahead(results: Results, count: int) -> dict[int, float]:
    """z at one place less z at random places by seed, each tested as it was trained."""
    fixed, random = (z_scores(results, placement, placement, count) for placement in ("fixed", "random"))
    return {seed: z - random[seed] for seed, z in fixed.items() if seed in random}


def crossing(results: Results) -> list[float]:
    """By how much one place is ahead with few poisons, or random places with the most: of the two, the less clear."""
    return hardest((few_consistent_better(results), many_random_better(results)), above=0.0)


def place_matters_more(results: Results, count: int) -> list[float]:
    """By how much one place is ahead with the smaller patch less with the larger one, paired by seed.

    The other patch is that of `placement_small`.
    """
    mine, other = ahead(results, count), placement_small.ahead(results, count)
    smaller = placement_small.SIZE[results.profile] < DOSES[results.profile].size
    return differences(other, mine) if smaller else differences(mine, other)


def few_consistent(results: Results) -> list[float]:
    return list(z_scores(results, "fixed", "fixed", DOSES[results.profile].few).values())


def many_random_better(results: Results) -> list[float]:
    """z with most poisons: random places less one place, each tested as it was trained."""
    return differences(
        z_scores(results, "random", "random", DOSES[results.profile].most),
        z_scores(results, "fixed", "fixed", DOSES[results.profile].most),
    )


def random_test_place_matters(results: Results) -> list[float]:
    """z with most poisons at random places: tested at one place less tested at random places."""
    return differences(
        z_scores(results, "random", "fixed", DOSES[results.profile].most),
        z_scores(results, "random", "random", DOSES[results.profile].most),
    )


def mismatch_degrades(results: Results) -> list[float]:
    """z with the fewest poisons past the threshold at one place: tested there less tested at random places."""
    return differences(
        z_scores(results, "fixed", "fixed", DOSES[results.profile].past),
        z_scores(results, "fixed", "random", DOSES[results.profile].past),
    )


def later_gain(results: Results, count: int) -> list[float]:
    """z with the most poisons at one place less z with `count` there."""
    return differences(
        z_scores(results, "fixed", "fixed", DOSES[results.profile].most), z_scores(results, "fixed", "fixed", count)
    )


def consistent_gain(results: Results) -> list[float]:
    """z with most poisons at one place less z with the fewest that are past the threshold."""
    return later_gain(results, DOSES[results.profile].past)


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
        name, like = placement_name(trained, tested), _word(trained, "at random places")
        curve(fig, list(counts), values, name, number=number, like=like)
    fig.update_xaxes(type="linear")
    return fig


def _word(placement: str, at_random: str = "at random") -> str:
    return "at one place" if placement == "fixed" else at_random
