"""Why stealthy attacks are hard at this size: the strength of WaNet's warp, what label-consistent poisons hide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.evidence.results import Results, stamp
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._defended import accuracy, before, percent, success
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile, paper
from tutorial_lib.trials import Recipe, Record, Trial
from tutorial_lib.triggers import Blended, NoisePatch, Resampled, Sinusoid, Trigger, WaNet

GROUP, ORDER = "cleanclip", 70
TITLE = "Stealth: how strong a warp, how much of the picture hidden?"
PAPER = "no figure of the papers: what do the stealthy attacks need here?"


#: Strengths of WaNet's warp, ascending.
STRENGTHS: ByProfile[tuple[float, ...]] = ByProfile(
    test=(0.5, 4.0), pilot=(0.5, 8.0, 12.0), cpu=(0.5, 4.0, 8.0), gpu=(0.5, 8.0, 12.0), paper=(0.5, 1.0, 2.0)
)
#: Poisons without a trigger that went through another path, and of the side the shares that they had in between.
UNPLANNED = ByProfile(test=8, pilot=256, cpu=300, gpu=1500, paper=1500)
UNPLANNED_SHARES: ByProfile[tuple[float, ...]] = ByProfile(test=(0.5,), cpu=(0.5,), gpu=(0.75, 0.5), paper=(0.75, 0.5))


@dataclass(frozen=True)
class Named:
    """A setting of the label-consistent attack: its trigger and count, and changes of the base."""

    trigger: Trigger
    count: int
    base: Mapping[str, Any] = field(default_factory=dict)


NAMED: ByProfile[dict[str, Named]] = ByProfile(
    test={"4": Named(NoisePatch(), 4), "4, blended": Named(Blended(alpha=0.5), 4)},
    cpu={
        "100, patch": Named(NoisePatch(), 100),
        "100, blended 0.5": Named(Blended(alpha=0.5), 100),
        "100, wave": Named(Sinusoid(), 100),
    },
    pilot={
        "40, patch": Named(NoisePatch(), 40),
        "80, patch": Named(NoisePatch(), 80, {"copies": 16, "recipe": Recipe(epochs=10)}),
        "40, blended 0.5": Named(Blended(alpha=0.5), 40),
    },
    gpu={str(n): Named(NoisePatch(), n) for n in (100, 300)},
    paper={"1500": Named(paper.PATCH, 1500)},
)


def warped(p: Profile, strength: float, seed: int) -> Trial:
    settings = dict(p.cleaning.attacks["wanet"]) | {"trigger": WaNet(strength=strength)}
    return p.cleaning.attacked(settings, seed)


def named(p: Profile, setting: str, seed: int) -> Trial:
    """The label-consistent attack with that setting of the profile."""
    of = NAMED[p][setting]
    return p.cleaning.attacked({"trigger": of.trigger, "count": of.count, "select": "named"}, seed, **of.base)


def marked(p: Profile, share: float, seed: int) -> Trial:
    """Poisons without a trigger that were made smaller and large again; a share of 1 would be no mark at all."""
    return p.cleaning.attacked({"trigger": Resampled(share), "count": UNPLANNED[p]}, seed)


def trials(p: Profile) -> list[Trial]:
    c = p.cleaning
    return [
        before(base)
        for seed in c.models.of(__name__)
        for base in (
            *(marked(p, share, seed) for share in UNPLANNED_SHARES[p]),
            *(warped(p, s, seed) for s in STRENGTHS[p]),
            *(named(p, setting, seed) for setting in NAMED[p]),
        )
    ]


def by_strength(results: Results, strength: float, value: Callable[[Record], float] = success) -> dict[int, float]:
    return results.per_seed(lambda s: before(warped(results.profile, strength, s)), value)


def by_setting(results: Results, setting: str, value: Callable[[Record], float] = success) -> dict[int, float]:
    return results.per_seed(lambda s: before(named(results.profile, setting, s)), value)


def by_mark(results: Results, share: float, value: Callable[[Record], float] = success) -> dict[int, float]:
    """Attack success of pictures that went through the poisons' path and carry no trigger."""
    return results.per_seed(lambda s: before(marked(results.profile, share, s)), value)


def unmarked(record: Record) -> float:
    return record.metrics["attack_success_untriggered"]["rate"]


def unplanned(results: Results) -> Table:
    """How often pictures that went through another path are called the target, and others."""
    rows = [
        (f"{share:.0%} of the side", *(percent(by_mark(results, share, v).values()) for v in (success, unmarked)))
        for share in UNPLANNED_SHARES[results.profile]
    ]
    return Table(("shrunk in between to", "called the target (%)", "pictures of the usual path (%)"), tuple(rows))


def table(results: Results) -> Table:
    """Success and accuracy of the label-consistent attack by its setting."""
    rows = [
        (n, percent(by_setting(results, n).values()), percent(by_setting(results, n, accuracy).values()))
        for n in NAMED[results.profile]
    ]
    return Table(("label-consistent poisons", "attack success (%)", "clean accuracy (%)"), tuple(rows))


def plot(results: Results) -> go.Figure:
    """Attack success by strength of the warp."""
    p = results.profile
    fig = plots.figure(
        "Attack success of WaNet against the strength of its warp; 0.5 is the published one, half of a half pixel.",
        x="strength of the warp (mean displacement in half pixels)",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    values = [list(by_strength(results, s).values()) for s in STRENGTHS[p]]
    curve(fig, list(STRENGTHS[p]), values, "WaNet", scale=100, bounds=(0, 1), points=True)
    return plots.log_axis(fig, STRENGTHS[p])
