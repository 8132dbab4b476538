"""What the captions of a targeted attack do (Carlini & Terzis 2022, sections 3.1 and 3.2); reduces figure 2, left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.attacks import Group
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.statistics import estimate_mean
from tutorial_lib.experiments import fig2_left
from tutorial_lib.experiments._series import SMALL_PRINT
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, Trial

GROUP, ORDER = "carlini_terzis", 90
TITLE = "Captions: searched or prompts, many or one, disguised or not"
PAPER = (
    "searched captions and prompts both work; a diverse caption set moves the picture; duplicates are evaded with "
    "slight noise and idle words at no cost (sections 3.1 and 3.2)"
)


def trials(p: Profile) -> list[Trial]:
    """The shared models of figure 2, left, and their twins without the poisons."""
    attacked = [fig2_left.together(p, seed) for seed in p.models.of(__name__)]
    twins = [] if p.past else [fig2_left.together(p, seed, planted=False) for seed in p.models.of(__name__)]
    return attacked + twins


def _many(p: Profile) -> int:
    """The number of poisons at which captions are varied."""
    return next(g.count for g in fig2_left.groups(p) if g.captions == "search")


def _group(results: Results, **changes: Any) -> int:
    return fig2_left.groups(results.profile).index(replace(Group(_many(results.profile)), **changes))


def success(results: Results, **changes: Any) -> dict[int, float]:
    """Success by seed of the group that differs from plain prompts by `changes`; nothing where a profile has none."""
    if replace(Group(_many(results.profile)), **changes) not in fig2_left.groups(results.profile):
        return {}
    return fig2_left.shares(results, _group(results, **changes))


def probe_agrees(results: Results, captions: str = "search") -> list[float]:
    """Share of targets on which zero-shot and linear probe agree, for one kind of captions."""
    group = _group(results, captions=captions)

    def agreement(record: Record) -> float:
        rows = [t for t in record.metrics["targets"] if t["group"] == group]
        return float(np.mean([(t["zero_shot"] == t["wanted"]) == (t["linear_probe"] == t["wanted"]) for t in rows]))

    return list(results.per_seed(lambda s: fig2_left.together(results.profile, s), agreement).values())


def prompts_succeed(results: Results) -> list[float]:
    """Success of plain prompts, which the disguises are compared with."""
    return list(success(results).values())


def search_works(results: Results) -> list[float]:
    """Success of searched captions less that without poisons."""
    return differences(success(results, captions="search"), fig2_left.shares(results, 0))


def prompts_work(results: Results) -> list[float]:
    """Success of prompts less that without poisons."""
    return differences(success(results), fig2_left.shares(results, 0))


def diversity_helps(results: Results) -> list[float]:
    """Success of different searched captions less that of one repeated."""
    return differences(success(results, captions="search"), success(results, captions="one"))


Tower = Literal["picture", "captions"]


def _place(results: Results, tower: Tower, group: int, *, planted: bool = True) -> dict[int, float]:
    """Where pictures or captions of a group lie on the way from the true class to the wanted one, by seed."""
    name = f"{tower}_moved" if results.profile.past else f"{tower}_at"

    def mean(record: Record) -> float:
        return float(np.mean([t[name] for t in record.metrics["targets"] if t["group"] == group]))  # type: ignore[literal-required]

    return results.per_seed(lambda s: fig2_left.together(results.profile, s, planted=planted), mean)


def _way(results: Results, tower: Tower, group: int) -> dict[int, float]:
    """How far they moved against the twin without poisons, by seed; in the pilot, which has none, where they are."""
    there = _place(results, tower, group)
    if results.profile.past:
        return there
    before = _place(results, tower, group, planted=False)
    return {seed: there[seed] - before[seed] for seed in sorted(there.keys() & before.keys())}


def _moved(results: Results, tower: Tower, **changes: Any) -> dict[int, float]:
    return _way(results, tower, _group(results, **changes))


def picture_moves(results: Results) -> list[float]:
    """With different captions: how far the picture moved less how far the captions did."""
    return differences(_moved(results, "picture", captions="search"), _moved(results, "captions", captions="search"))


def diversity_moves_picture(results: Results) -> list[float]:
    """How far the picture moved with different searched captions less with one repeated."""
    return differences(_moved(results, "picture", captions="search"), _moved(results, "picture", captions="one"))


def attack_moves_picture(results: Results) -> list[float]:
    """How far pictures moved under plain prompts less how far those without poisons did, in the same models."""
    return differences(_moved(results, "picture"), _way(results, "picture", 0))


def repetition_moves_captions(results: Results) -> list[float]:
    """How far one repeated caption moved less how far different searched ones did."""
    return differences(_moved(results, "captions", captions="one"), _moved(results, "captions", captions="search"))


def probe_change(results: Results, variation: str) -> list[float]:
    """Success under a linear probe of a variation of `VARIATIONS` less that of plain prompts."""
    found = (
        fig2_left.shares(results, _group(results, **changes), "linear_probe")
        for changes in (dict(VARIATIONS)[variation], {})
    )
    return differences(*found)


def disguise_cost(results: Results) -> list[float]:
    """Success with noise and idle words less success of plain duplicates."""
    return differences(success(results, disguise=True), success(results))


def noise_cost(results: Results) -> list[float]:
    """Success with noise alone less success of plain duplicates."""
    return differences(success(results, disguise=True, words="none"), success(results))


def common_words_cost(results: Results) -> list[float]:
    """Success with words that clean captions use less success of plain duplicates."""
    return differences(success(results, disguise=True, words="common", noise=0.0), success(results))


def synonyms_cost(results: Results) -> list[float]:
    """Success with a word substituted by a synonym less success of plain duplicates."""
    return differences(success(results, **SUBSTITUTED), success(results))


def evasion_cost(results: Results) -> list[float]:
    """Success of copies that a perceptual hash takes for different pictures less success of plain duplicates."""
    return differences(success(results, **EVADED), success(results))


def evades_hash(results: Results, **changes: Any) -> list[float]:
    """Share of a target's copies that a filter by perceptual hash leaves; by default of those made to evade it."""
    p, changes = results.profile, changes or EVADED
    if p.past:
        return []
    group, count = _group(results, **changes), _many(p)

    def left(record: Record) -> float:
        return float(np.mean([t["distinct"] / count for t in record.metrics["targets"] if t["group"] == group]))

    return list(results.per_seed(lambda s: fig2_left.together(p, s), left).values())


def idle_words_cost(results: Results) -> list[float]:
    """Success with words that clean captions lack less success of plain duplicates."""
    return differences(success(results, disguise=True, noise=0.0), success(results))


#: The disguise that is made against a perceptual hash, and that by substituted words; the pilot has neither.
EVADED: dict[str, Any] = {"disguise": True, "words": "none", "pixels": "hash", "noise": 2.0}
SUBSTITUTED: dict[str, Any] = {"disguise": True, "words": "synonyms", "noise": 0.0}
#: What the figure shows: name and difference from plain prompts.
VARIATIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("prompts", {}),
    ("searched", {"captions": "search"}),
    ("one searched, repeated", {"captions": "one"}),
    ("noise", {"disguise": True, "words": "none"}),
    ("common words", {"disguise": True, "words": "common", "noise": 0.0}),
    ("idle words", {"disguise": True, "noise": 0.0}),
    ("noise and idle words", {"disguise": True}),
    ("substituted words", SUBSTITUTED),
    ("other hashes", EVADED),
)


def plot(results: Results) -> go.Figure:
    """Success of each kind of captions and disguise, for zero-shot and linear probe."""
    p = results.profile
    count = _many(p)
    fig = plots.figure(
        "Success of targeted attacks by kind of captions and disguise, for zero-shot and linear probe.",
        y="success (% of targets)",
        stamp=stamp(p, results.of(trials(p))) + f"; {count} poisons a target" + SMALL_PRINT,
        height=440,
    )
    readers: tuple[tuple[fig2_left.Reader, str], ...] = (("zero_shot", "zero-shot"), ("linear_probe", "linear probe"))
    for k, (reader, title) in enumerate(readers):
        names, means, up, down = [], [], [], []
        for name, changes in VARIATIONS[: -2 if p.past else None]:
            values = list(fig2_left.shares(results, _group(results, **changes), reader).values())
            if len(values) < 2:
                continue
            mean = estimate_mean(values)
            names.append(name)
            means.append(round(100 * mean.value, 2))
            up.append(round(100 * (min(1, mean.high) - mean.value), 2))
            down.append(round(100 * (mean.value - max(0, mean.low)), 2))
        fig.add_bar(
            x=names,
            y=means,
            name=title,
            error_y={"type": "data", "symmetric": False, "array": up, "arrayminus": down},
            marker={"color": plots.STYLES[title].colour, "pattern": {"shape": ("", "/")[k]}},
        )
    fig.update_layout(margin={"b": 150})
    fig.update_annotations(yshift=-120)
    return fig
