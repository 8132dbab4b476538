"""Somebody attacks the defense: poisons made for CleanCLIP's augmentations, larger and several triggers; ours."""

from __future__ import annotations

import functools
from typing import Any

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments import cc_attacks
from tutorial_lib.experiments._defended import (
    Pick,
    accuracy,
    by_seed,
    chosen,
    committed,
    percent,
    success,
    with_before,
    word,
)
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Trial
from tutorial_lib.triggers import NoisePatch, NoisePatches

GROUP, ORDER = "cleanclip", 65
TITLE = "An attacker who expects the defense"
PAPER = (
    "no figure of the papers: poisons that have passed CleanCLIP's augmentations, a larger patch, four patches at once"
)
METHODS = ("none", "finetune", "cleanclip")
PLAIN = "one patch"

_KINDS: dict[str, dict[str, Any]] = {
    PLAIN: {"trigger": NoisePatch()},
    "rehearsed": {"trigger": NoisePatch(), "rehearsed": True},
    "a patch of four times the area": {"trigger": NoisePatch(size=12, cell=4)},
    "four patches": {"trigger": NoisePatches()},
}
#: Settings of `Backdoor` by what the attacker does; the number of poisons is the profile's.
KINDS: ByProfile[dict[str, dict[str, Any]]] = ByProfile(
    test=_KINDS, pilot={}, laptop=_KINDS, cpu=_KINDS, gpu=_KINDS, paper={}
)


def attacked(p: Profile, kind: str, seed: int) -> Trial:
    return p.cleaning.attacked(KINDS[p][kind], seed)


def trials(p: Profile) -> list[Trial]:
    c = p.cleaning
    sweeps = [d for method in METHODS[1:] for d in c.sweep(method, few=True)]
    return [
        trial
        for seed in c.models.of(__name__)
        for kind in KINDS[p]
        for trial in (
            *with_before(attacked(p, kind, seed), sweeps),
            cc_attacks.unpoisoned(p, KINDS[p][kind], seed),
        )
    ]


def measured(results: Results, kind: str, method: str, value: Any = success, pick: Pick = chosen) -> dict[int, float]:
    """A number of the models of an attacker, after the setting of a method that a defender takes, by seed."""
    p = results.profile
    settings = [] if method == "none" else p.cleaning.sweep(method, few=True)
    return by_seed(results, functools.partial(attacked, p, kind), settings, value, pick)


def never(results: Results, kind: str) -> dict[int, float]:
    """How often models that were never poisoned take triggered pictures for the target, by seed."""
    p = results.profile
    return results.per_seed(lambda s: cc_attacks.unpoisoned(p, KINDS[p][kind], s), success)


def _survives(results: Results, kind: str) -> list[float]:
    """Attack success after CleanCLIP, by one who cleans in any case: of that attacker less of the plain one."""
    if kind not in KINDS[results.profile]:
        return []
    return differences(*(measured(results, k, "cleanclip", pick=committed) for k in (kind, PLAIN)))


def _works(results: Results, kind: str) -> list[float]:
    """Attack success before cleaning, the lower of that of the attacker and of a plain one."""
    if kind not in KINDS[results.profile]:
        return []
    one, other = (measured(results, k, "none") for k in (kind, PLAIN))
    return [min(one[seed], other[seed]) for seed in sorted(one.keys() & other.keys())]


rehearsed_works = functools.partial(_works, kind="rehearsed")
larger_works = functools.partial(_works, kind="a patch of four times the area")
several_work = functools.partial(_works, kind="four patches")
rehearsed_survives = functools.partial(_survives, kind="rehearsed")
larger_survives = functools.partial(_survives, kind="a patch of four times the area")
several_survive = functools.partial(_survives, kind="four patches")


def table(results: Results) -> Table:
    """Success before and after, with clean accuracy and the controls."""
    rows = []
    for kind in KINDS[results.profile]:
        cells = [percent(never(results, kind).values())]
        cells += [percent(measured(results, kind, "none", v).values()) for v in (cc_attacks.other_pattern, success)]
        for method in METHODS[1:]:
            cells += [percent(measured(results, kind, method, v).values()) for v in (success, accuracy)]
        rows.append((kind, *cells))
    after = [f"{word(m)}: {what} (%)" for m in METHODS[1:] for what in ("success", "accuracy")]
    return Table(("attacker", "never poisoned (%)", "another pattern (%)", "before (%)", *after), tuple(rows))


def plot(results: Results) -> go.Figure:
    """Attack success before and after, by what the attacker does."""
    p = results.profile
    fig = plots.figure(
        "Attack success before, after plain finetuning and after CleanCLIP, for attackers who expect the defense.",
        x="attacker",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    kinds = list(KINDS[p])
    for k, method in enumerate(METHODS):
        values = [list(measured(results, kind, method).values()) for kind in kinds]
        curve(fig, kinds, values, word(method), number=k, scale=100, bounds=(0, 1), points=True, joined=False)
    return fig
