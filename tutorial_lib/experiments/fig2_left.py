"""Targeted poisoning: success against the number of poisons (Carlini & Terzis 2022, figure 2, left)."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.attacks import Group, Targeted
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.statistics import Estimate, estimate_ratio, hardest
from tutorial_lib.experiments import fig2_right
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Recipe, Record, Seeds, Trial

GROUP, ORDER = "carlini_terzis", 10
TITLE = "Targeted poisoning: success against the number of poisons"
PAPER = (
    "3 poisons in 3 million pairs succeed with 40 % probability under zero-shot classification, 15 in 15 million with "
    "20 % (section 4.2); the linear probe falls if and only if zero-shot does (section 4.3)"
)


#: Who reads the embedding of a target.
Reader = Literal["zero_shot", "linear_probe", "knn"]
#: What the trials with single targets share: a field of the profile.
BASE: ByProfile[Literal["live", "base"]] = ByProfile(test="live", cpu="live", photos="base", gpu="base", paper="base")
#: Poisons of the groups of one model, then how many each of the variations has.
COUNTS = ByProfile(
    test=((0, 1, 2), 2),
    pilot=((0, 1, 2, 4, 8), 8),
    cpu=((0, 1, 2, 4, 8, 16), 8),
    gpu=((0, 1, 2, 3, 4, 8, 16, 32), 8),
    paper=((0, 1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512), 8),
)
#: Pictures of a group in one model.
PER_GROUP = ByProfile(test=1, pilot=12, cpu=8, gpu=10, paper=8)
#: Poisons a target beyond the 80 prompts, which repeat there, and pictures of each such group; 0 first.
BEYOND: ByProfile[tuple[tuple[int, ...], int]] = ByProfile(
    test=((0, 3), 1), pilot=((), 0), cpu=((0, 32, 64, 128), 4), gpu=((0, 64, 128, 256), 4), paper=((), 0)
)
#: Poisons of the one target in the control that shares its model with no other.
ALONE = ByProfile(test=2, cpu=8, gpu=8, paper=3)
#: How models learn scenes on a laptop: well enough for the smaller data to be worth an attack.
_SCENES = Recipe(epochs=10, batch_size=512)
#: A data set and one five times as large, as changes of the base, each with its poisons a target.
SAME_RATE: ByProfile[tuple[tuple[dict[str, Any], int], tuple[dict[str, Any], int]]] = ByProfile(
    test=(({"copies": 2}, 1), ({"copies": 10}, 5)),
    pilot=(({"copies": 2}, 1), ({"copies": 10}, 5)),
    cpu=(({"scenes": 20_000, "recipe": _SCENES}, 3), ({"scenes": 100_000, "recipe": _SCENES}, 15)),
    photos=(({"limit": 9_000}, 1), ({}, 5)),
    gpu=(({"scenes": 600_000}, 3), ({"scenes": 3_000_000}, 15)),
    paper=(({}, 3), ({"shards": "yfcc15m"}, 15)),
)


#: Stands for no success at all, in a ratio of two successes or of two counts.
NONE = 0.005
#: Clean accuracy that a poisoned model may have lost, as the claim says.
LOST = -0.03


def base(p: Profile) -> Trial:
    """What the trials share."""
    return p.live if BASE[p] == "live" else p.base


def groups(p: Profile) -> tuple[Group, ...]:
    """Single targets: ascending counts with prompts as captions, then variations of captions and disguise."""
    if (shared := beside(p)) is not None:
        return shared.groups
    counts, many = COUNTS[p]
    return (
        *(Group(n) for n in counts),
        Group(many, captions="search"),
        Group(many, captions="one"),
        Group(many, disguise=True),
        Group(many, disguise=True, words="none"),
        Group(many, disguise=True, words="common", noise=0.0),
        Group(many, disguise=True, noise=0.0),
        *(
            ()
            if p.past
            else (
                Group(many, disguise=True, noise=0.0, words="synonyms"),
                Group(many, disguise=True, noise=2.0, words="none", pixels="hash"),
            )
        ),
    )


def beside(p: Profile) -> Targeted | None:
    """The targets that share each backdoored model of a profile; `None` where they have models of their own."""
    return None if p.beside is None else p.beside.find(Targeted)


def together(p: Profile, seed: int, *, planted: bool = True) -> Trial:
    """Many targets in one model, as in the paper; if not planted, its twin without the poisons."""
    if beside(p) is not None:
        return p.backdoor(p.models.poisons(p.base.scenes, seed), seed)
    return replace(base(p), attack=Targeted(groups(p), PER_GROUP[p], planted), seeds=Seeds.all(seed))


def clean(p: Profile, seed: int) -> Trial:
    """The same without any attack."""
    return replace(base(p), attack=None, seeds=Seeds.all(seed))


def beyond(p: Profile, seed: int) -> Trial:
    """More poisons a target than there are prompts."""
    counts, targets = BEYOND[p]
    return replace(base(p), attack=Targeted(tuple(map(Group, counts)), targets), seeds=Seeds.all(seed))


def alone(p: Profile, seed: int) -> Trial:
    """The control: one target in a model of its own."""
    return replace(base(p), attack=Targeted((Group(ALONE[p]),), targets=1), seeds=Seeds.all(seed))


def at_same_rate(p: Profile, which: int, seed: int) -> Trial:
    """The smaller (0) or the five times larger (1) data set, with poisons in proportion."""
    changes, count = SAME_RATE[p][which]
    return replace(base(p), attack=Targeted((Group(count),), targets=PER_GROUP[p]), seeds=Seeds.all(seed), **changes)


def trials(p: Profile) -> list[Trial]:
    """More models of those whose accuracy is compared, a small difference."""
    if beside(p) is not None:
        return fig2_right.whole(p)
    seeds, few = p.models.of(__name__), p.models.base
    return [
        *(together(p, s) for s in seeds),
        *(alone(p, s) for s in seeds),
        *([] if p.past else _compared(p, seeds)),
        *(together(p, s, planted=False) for s in few if not p.past),
        *(beyond(p, s) for s in few if BEYOND[p][0]),
        *(at_same_rate(p, which, s) for which in (0, 1) for s in few),
    ]


def _compared(p: Profile, seeds: Iterable[int]) -> list[Trial]:
    """The other models whose accuracy is compared: never poisoned, and with most poisons of a backdoor."""
    return [t for s in seeds for t in (clean(p, s), p.backdoor(0, s), p.backdoor(p.counts[-1], s))]


def share(record: Record, group: int, reader: Reader = "zero_shot") -> float:
    """Share of a group's targets that a reader takes for the wanted class."""
    return float(np.mean([t[reader] == t["wanted"] for t in record.metrics["targets"] if t["group"] == group]))


def shares(results: Results, group: int, reader: Reader = "zero_shot") -> dict[int, float]:
    """Success by seed of a group of the shared models."""
    return results.per_seed(lambda s: together(results.profile, s), lambda r: share(r, group, reader))


def counts(p: Profile) -> list[int]:
    """Poisons a target of the groups that differ in nothing else."""
    found: list[int] = []
    for group in groups(p):
        if group != Group(group.count) or group.count in found:
            break
        found.append(group.count)
    return found


def rises(results: Results) -> list[float]:
    """Success with the most poisons less success with the fewest (not 0)."""
    n = len(counts(results.profile))
    return differences(shares(results, n - 1), shares(results, 1))


def three_succeed(results: Results) -> list[float]:
    """Success with three poisons a target."""
    places = counts(results.profile)
    return list(shares(results, places.index(3)).values()) if 3 in places else []


def _also_fallen(results: Results, first: Reader, second: Reader) -> Estimate | None:
    """Of the attacked targets of all models that fell under one reader, the share that fell under the other."""
    p, rows = results.profile, []
    attacked = range(1, len(counts(p)))
    for record in results.of(together(p, s) for s in results.seeds):
        fallen = [t for t in record.metrics["targets"] if t["group"] in attacked and t[first] == t["wanted"]]
        rows.append([float(sum(t[second] == t["wanted"] for t in fallen)), float(len(fallen))])
    if len(rows) < 4 or not sum(fell for _, fell in rows):
        return None
    return estimate_ratio(rows, lambda x: float((x[:, 0].sum() + NONE) / (x[:, 1].sum() + NONE)))


#: The two directions of "if and only if".
probe_falls_too = functools.partial(_also_fallen, first="zero_shot", second="linear_probe")
zero_shot_falls_too = functools.partial(_also_fallen, first="linear_probe", second="zero_shot")


def repeats_keep(results: Results) -> list[float]:
    """Success with the most poisons a target, which repeat the prompts, less with the fewest that do not."""
    found = list(by_repeats(results).values())
    return differences(found[-1], found[1]) if len(found) > 1 else []


def by_repeats(results: Results) -> dict[str, dict[int, float]]:
    """Success by number of poisons beyond the prompts, by seed."""
    counts_, _ = BEYOND[results.profile]
    return {
        str(count): results.per_seed(lambda s: beyond(results.profile, s), lambda r, g=group: share(r, g))  # type: ignore[misc]
        for group, count in enumerate(counts_)
    }


def in_smaller_data(results: Results) -> list[float]:
    """Success in the smaller data set at that rate."""
    return list(results.per_seed(lambda s: at_same_rate(results.profile, 0, s), lambda r: share(r, 0)).values())


def larger_data(results: Results) -> Estimate | None:
    """Success in the five times larger data set over success in the smaller one, at the same rate, of all models."""
    small, large = (
        results.per_seed(lambda s, which=which: at_same_rate(results.profile, which, s), lambda r: share(r, 0))  # type: ignore[misc]
        for which in (0, 1)
    )
    rows = [[small[seed], large[seed]] for seed in sorted(small.keys() & large.keys())]
    if len(rows) < 4:
        return None
    return estimate_ratio(rows, lambda x: float((x[:, 1].mean() + NONE) / (x[:, 0].mean() + NONE)))


def same_count(results: Results) -> list[float]:
    """Success of the smaller data set's number of poisons: in the models of the figure less in the smaller data."""
    p = results.profile
    _, count = SAME_RATE[p][0]
    if count not in counts(p):
        return []
    small = results.per_seed(lambda s: at_same_rate(p, 0, s), lambda r: share(r, 0))
    return differences(shares(results, counts(p).index(count)), small)


def alone_success(results: Results) -> list[float]:
    """1 for each model whose only target fell, else 0."""
    return list(results.per_seed(lambda s: alone(results.profile, s), lambda r: share(r, 0)).values())


def accuracy_cost(results: Results, which: Literal["together", "alone"] = "together") -> list[float]:
    """Clean accuracy of unpoisoned models less that of attacked ones, paired by seed."""
    p, trial = results.profile, {"together": together, "alone": alone}[which]
    unattacked = results.per_seed(lambda s: clean(p, s), fig2_right.clean_accuracy)
    return differences(unattacked, results.per_seed(lambda s: trial(p, s), fig2_right.clean_accuracy))


def worst_accuracy_change(results: Results) -> list[float]:
    """Clean accuracy less that of the unpoisoned models, for the kind of poisoned models whose test is the least clear.

    The kinds are models with most poisons of a backdoor, with many targeted attacks, and with a single one.
    """
    targeted = ([-cost for cost in accuracy_cost(results, which)] for which in ("together", "alone"))
    kinds = [found for found in (fig2_right.accuracy_change(results), *targeted) if found]
    return hardest(kinds, above=LOST)


def plot(results: Results) -> go.Figure:
    """Success by number of poisons for zero-shot and linear probe, and each data set of the same rate."""
    p = results.profile
    x = counts(p)
    fig = plots.figure(
        "Share of targets read as the attacker wants, against the number of poisons a target, for zero-shot and linear "
        "probe; both rise with the number.",
        x="poisons per target",
        y="success (% of targets)",
        stamp=stamp(p, results.of(together(p, s) for s in results.seeds)) + SMALL_PRINT,
        height=420,
    )
    readers: tuple[tuple[Reader, str], ...] = (("zero_shot", "zero-shot"), ("linear_probe", "linear probe"))
    for k, (reader, name) in enumerate(readers):
        values = [list(shares(results, g, reader).values()) for g in range(len(x))]
        curve(fig, [str(c) for c in x], values, name, number=k, scale=100, bounds=(0, 1))
    if beside(p) is None and BEYOND[p][0]:
        further = {count: list(found.values()) for count, found in by_repeats(results).items() if count != "0"}
        name, values = "zero-shot, other models", list(further.values())
        curve(fig, list(further), values, name, number=2, like="zero-shot", scale=100, bounds=(0, 1))
    return fig
