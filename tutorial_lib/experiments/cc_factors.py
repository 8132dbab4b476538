"""Factors of the pre-training: number of poisons and size of the data (Bansal et al. 2023)."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.experiments._defended import Pick, at, by_seed, chosen, committed, numbers, success, with_before, word
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import TrainedDefense, Trial

GROUP, ORDER = "cleanclip", 50
TITLE = "Number of poisons and size of the pre-training data"
PAPER = "the effect of CleanCLIP is analysed against the number of poisons and the size of the pre-training data"
METHODS = ("none", "finetune", "cleanclip")


#: Numbers of poisons, ascending.
COUNTS = ByProfile(test=(4, 8), pilot=(64, 128, 256), cpu=(150, 300, 1500), gpu=(75, 300, 1500), paper=(75, 300, 1500))
#: Changes of the base that make the pre-training data grow, ascending.
SIZES: ByProfile[tuple[dict[str, Any], ...]] = ByProfile(
    test=({"copies": 2}, {"copies": 4}),
    pilot=({"copies": 4}, {"copies": 8}, {"copies": 16}),
    cpu=({"scenes": 25_000}, {"scenes": 50_000}, {"scenes": 100_000}),
    photos=({"limit": 11_250}, {"limit": 22_500}, {}),
    gpu=tuple({"scenes": n} for n in (50_000, 300_000, 1_000_000)),
    paper=({"limit": 500_000}, {"limit": 1_000_000}, {"limit": 2_000_000}, {}),
)


#: The defender's share of each of these data; empty where it is the profile's, so that their pairs grow with them. On
#: a laptop they have 20,000 pairs however large the pre-training was.
SHARES: ByProfile[tuple[float, ...]] = ByProfile(test=(), pilot=(), cpu=(0.8, 0.4, 0.2), photos=(), gpu=(), paper=())


def sweep(p: Profile, method: str, number: int) -> list[TrainedDefense]:
    """A method's settings for the data with that position among the sizes."""
    share = SHARES[p][number] if SHARES[p] else p.cleaning.share
    return p.cleaning.sweep(method, few=True, share=share)


def counted(p: Profile, count: int, seed: int) -> Trial:
    c = p.cleaning
    return c.attacked(dict(c.attacks["badnets"]) | {"count": count}, seed)


def sized(p: Profile, size: dict[str, Any], seed: int) -> Trial:
    return p.cleaning.attacked("badnets", seed, **size)


def trials(p: Profile) -> list[Trial]:
    c = p.cleaning
    usual = [d for method in METHODS[1:] for d in c.sweep(method, few=True)]
    found = []
    for seed in c.models.of(__name__):
        for n in COUNTS[p]:
            found += with_before(counted(p, n, seed), usual)
        for number, size in enumerate(SIZES[p]):
            settings = [d for method in METHODS[1:] for d in sweep(p, method, number)]
            found += with_before(sized(p, size, seed), settings)
    return list(dict.fromkeys(found))


def by_count(results: Results, count: int, method: str, pick: Pick = chosen) -> dict[int, float]:
    """Attack success by seed, for a number of poisons."""
    p = results.profile
    settings = [] if method == "none" else p.cleaning.sweep(method, few=True)
    return by_seed(results, lambda s: counted(p, count, s), settings, success, pick)


def by_size(results: Results, number: int, method: str, pick: Pick = chosen) -> dict[int, float]:
    """Attack success by seed, for the data set with that position among the profile's sizes."""
    p = results.profile
    settings = [] if method == "none" else sweep(p, method, number)
    return by_seed(results, lambda s: sized(p, SIZES[p][number], s), settings, success, pick)


def count_at_one_rate(results: Results, count: int, method: str) -> dict[int, float]:
    """The same after the first setting of the sweep, whether a defender would take it or not."""
    setting = numbers(results).sweep(method, few=True)[0]
    return at(results, lambda s: counted(results.profile, count, s), setting)


def size_at_one_rate(results: Results, number: int, method: str) -> dict[int, float]:
    """The same after the first setting of the sweep, whether a defender would take it or not."""
    p = results.profile
    return at(results, lambda s: sized(p, SIZES[p][number], s), sweep(p, method, number)[0])


def _lower(one: dict[int, float], other: dict[int, float]) -> list[float]:
    """The lower of two numbers of each seed."""
    return [min(one[seed], other[seed]) for seed in sorted(one.keys() & other.keys())]


def all_counts_work(results: Results) -> list[float]:
    """Attack success before cleaning, the lower of that of the fewest and of the most poisons."""
    counts = COUNTS[results.profile]
    return _lower(by_count(results, counts[0], "none"), by_count(results, counts[-1], "none"))


def all_sizes_work(results: Results) -> list[float]:
    """Attack success before cleaning, the lower of that in the smallest and in the largest data."""
    return _lower(by_size(results, 0, "none"), by_size(results, len(SIZES[results.profile]) - 1, "none"))


def more_poisons_harder(results: Results) -> list[float]:
    """Attack success after CleanCLIP, by one who cleans in any case: the most poisons less the fewest."""
    counts = COUNTS[results.profile]
    return differences(*(by_count(results, n, "cleanclip", committed) for n in (counts[-1], counts[0])))


def larger_pretraining_harder(results: Results) -> list[float]:
    """Attack success after CleanCLIP, by one who cleans in any case: the largest data less the smallest."""
    last = len(SIZES[results.profile]) - 1
    return differences(*(by_size(results, size, "cleanclip", committed) for size in (last, 0)))


def plot_left(results: Results) -> go.Figure:
    """Attack success by number of poisons."""
    p = results.profile
    fig = plots.figure(
        "Attack success before, after plain finetuning and after CleanCLIP, by the number of poisons.",
        x="poisons",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    for k, method in enumerate(METHODS):
        values = [list(by_count(results, n, method).values()) for n in COUNTS[p]]
        names = [str(n) for n in COUNTS[p]]
        curve(fig, names, values, word(method), number=k, scale=100, bounds=(0, 1), points=True)
    return fig


def plot_right(results: Results) -> go.Figure:
    """Attack success by size of the pre-training data."""
    p = results.profile
    fig = plots.figure(
        "Attack success before, after plain finetuning and after CleanCLIP, by the size of the pre-training data.",
        x="clean training pairs",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    pairs = [
        next((r.metrics["pairs"] for s in results.seeds if (r := results.get(with_before(sized(p, size, s))[0]))), 0)
        for size in SIZES[p]
    ]
    for k, method in enumerate(METHODS):
        values = [list(by_size(results, n, method).values()) for n in range(len(SIZES[p]))]
        names = [f"{n:,}" for n in pairs]
        curve(fig, names, values, word(method), number=k, scale=100, bounds=(0, 1), points=True)
    return fig


plot = plot_left
