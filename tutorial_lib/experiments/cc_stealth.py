"""Why stealthy attacks are hard at this size: the strength of WaNet's warp, what label-consistent poisons hide."""

from __future__ import annotations

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.experiments import Results, Table, stamp
from tutorial_lib.experiments._cleaning import accuracy, before, numbers, percent, success
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, Trial
from tutorial_lib.triggers import Resampled, WaNet

TITLE = "Stealth: how strong a warp, how much of the picture hidden?"
PAPER = "no figure of the papers: what do the stealthy attacks need here?"


def warped(p: Profile, strength: float, seed: int) -> Trial:
    settings = dict(p.cleaning.attacks["wanet"]) | {"trigger": WaNet(strength=strength)}
    return p.cleaning.attacked(settings, seed)


def named(p: Profile, setting: str, seed: int) -> Trial:
    """The label-consistent attack with that setting of the profile."""
    return p.cleaning.attacked(dict(p.cleaning.named[setting]) | {"select": "named"}, seed)


def marked(p: Profile, share: float, seed: int) -> Trial:
    """Poisons without a trigger that were made smaller and large again; a share of 1 would be no mark at all."""
    return p.cleaning.attacked({"trigger": Resampled(share), "count": p.cleaning.unplanned_count}, seed)


def trials(p: Profile) -> list[Trial]:
    c = p.cleaning
    return [
        before(base)
        for seed in range(c.seeds)
        for base in (
            *(marked(p, share, seed) for share in c.unplanned_shares),
            *(warped(p, s, seed) for s in c.wanet_strengths),
            *(named(p, setting, seed) for setting in c.named),
        )
    ]


def by_strength(results: Results, strength: float, value=success) -> dict[int, float]:
    return results.per_seed(lambda s: before(warped(results.profile, strength, s)), value)


def by_setting(results: Results, setting: str, value=success) -> dict[int, float]:
    return results.per_seed(lambda s: before(named(results.profile, setting, s)), value)


def by_mark(results: Results, share: float, value=success) -> dict[int, float]:
    """Attack success of pictures that went through the poisons' path and carry no trigger."""
    return results.per_seed(lambda s: before(marked(results.profile, share, s)), value)


def unmarked(record: Record) -> float:
    return record.metrics["attack_success_untriggered"]["rate"]


def unplanned(results: Results) -> Table:
    """How often pictures that went through another path are called the target, and others."""
    rows = [
        (f"{share:.0%} of the side", *(percent(by_mark(results, share, v).values()) for v in (success, unmarked)))
        for share in numbers(results).unplanned_shares
    ]
    return Table(("shrunk in between to", "called the target (%)", "pictures of the usual path (%)"), tuple(rows))


def table(results: Results) -> Table:
    """Success and accuracy of the label-consistent attack by its setting."""
    rows = [
        (n, percent(by_setting(results, n).values()), percent(by_setting(results, n, accuracy).values()))
        for n in numbers(results).named
    ]
    return Table(("label-consistent poisons", "attack success (%)", "clean accuracy (%)"), tuple(rows))


def plot(results: Results) -> go.Figure:
    """Attack success by strength of the warp."""
    p, c = results.profile, numbers(results)
    fig = plots.figure(
        "Attack success of WaNet against the strength of its warp; 0.5 is the published one, half of a half pixel.",
        x="strength of the warp (mean displacement in half pixels)",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    values = [list(by_strength(results, s).values()) for s in c.wanet_strengths]
    curve(fig, list(c.wanet_strengths), values, "WaNet", scale=100, bounds=(0, 1), points=True)
    fig.update_xaxes(type="log")
    return fig
