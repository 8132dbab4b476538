"""Synonyms that clean captions have, and such as they lack; ours, to explain what substituted words cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.attacks import Group, Targeted
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.experiments import fig2_left
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Seeds, Trial

GROUP, ORDER = "carlini_terzis", 95
TITLE = "Synonyms that clean captions have, and others"
PAPER = "no figure of the papers: is it the unknown word that makes a substitution cost success?"
#: Pictures of a group in one model.
TARGETS = ByProfile(test=1, cpu=32, gpu=32, paper=8)
Arm = Literal["plain", "familiar", "strange"]
#: What the figure shows: name and arm, after the control without poisons.
ARMS: tuple[tuple[str, Arm | None], ...] = (
    ("no poisons", None),
    ("plain prompts", "plain"),
    ("known synonyms", "familiar"),
    ("unknown synonyms", "strange"),
)


def groups(p: Profile) -> tuple[Group, ...]:
    """No poisons, plain prompts, and one word a caption substituted in two ways, at the count of `caption_sets`."""
    many = fig2_left.COUNTS[p][1]
    hidden = Group(many, disguise=True, noise=0.0)
    return (Group(0), Group(many), replace(hidden, words="familiar"), replace(hidden, words="strange"))


def attacked(p: Profile, seed: int) -> Trial:
    """All arms in one model, each with pictures of its own."""
    return replace(fig2_left.base(p), attack=Targeted(groups(p), TARGETS[p]), seeds=Seeds.all(seed))


def trials(p: Profile) -> list[Trial]:
    return [] if p.past else [attacked(p, seed) for seed in p.models.of(__name__)]


def success(results: Results, arm: Arm | None) -> dict[int, float]:
    """Share of an arm's targets that fall under zero-shot, by seed."""
    p, number = results.profile, [a for _, a in ARMS].index(arm)
    return {} if p.past else results.per_seed(lambda s: attacked(p, s), lambda r: fig2_left.share(r, number))


def plain_succeed(results: Results) -> list[float]:
    """Success of plain prompts, which the substitutions are compared with."""
    return list(success(results, "plain").values())


def familiar_cost(results: Results) -> list[float]:
    """Success with synonyms that clean captions have less success of plain prompts, paired by model."""
    return differences(success(results, "familiar"), success(results, "plain"))


def strange_cost(results: Results) -> list[float]:
    """Success with synonyms that clean captions lack less success of plain prompts, paired by model."""
    return differences(success(results, "strange"), success(results, "plain"))


def strangeness_costs(results: Results) -> list[float]:
    """Success with synonyms that clean captions have less success with others, paired by model."""
    return differences(success(results, "familiar"), success(results, "strange"))


def plot(results: Results) -> go.Figure:
    """Success of each arm, under zero-shot."""
    p = results.profile
    fig = plots.figure(
        "Success of targeted attacks with plain prompts, with a word substituted by one that clean captions have, and "
        "by one that they lack.",
        y="success (% of targets)",
        stamp=stamp(p, results.of(trials(p))) + f"; {groups(p)[1].count} poisons a target" + SMALL_PRINT,
        height=300,
    )
    names, values = [name for name, _ in ARMS], [list(success(results, arm).values()) for _, arm in ARMS]
    curve(fig, names, values, "zero-shot", scale=100, bounds=(0, 1), points=True, joined=False)
    return fig
