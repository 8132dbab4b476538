"""Cleaning after CleanCLIP: pushing the model away from itself, and unlearning the trigger that an audit has found."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from statistics import mean
from typing import Any

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.defenses import KnownTrigger
from tutorial_lib.detect.checkpoints import UniversalPatch
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._defended import (
    MARGIN,
    Pick,
    accuracy,
    at,
    by_seed,
    committed,
    committed_within,
    percent,
    success,
    validation,
    with_before,
)
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.experiments.cc_critique import STRUCTURED
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, TrainedDefense, Trial

GROUP, ORDER = "cleanclip", 90
TITLE = "Cleaning after CleanCLIP: PAR, and unlearning what an audit found"
PAPER = (
    "PAR leaves less of structured triggers than CleanCLIP: 42.4 against 62.3 % of a patch of stripes on a ResNet-50, "
    "0.1 against 61.8 % of blended stripes (Singh et al. 2024)"
)
#: The attacks, and how figures call them; of a pattern over the whole picture no patch is found.
ATTACKS = {"badnets": "patch of noise", "stripes": "patch of stripes", "blended": "blended pattern"}
PATCHES = ("badnets", "stripes")
#: What is done about them, in the order of figures.
WAYS = {
    "cleanclip": "CleanCLIP",
    "par": "PAR",
    "known": "unlearning the trigger itself",
    "found": "unlearning what a search found",
}
#: Accuracy on validation pictures that the chain from an audit to a cleaned model may cost.
LITTLE = 0.02


def attack_of(p: Profile, attack: str) -> str | Mapping[str, Any]:
    return STRUCTURED[p][attack] if attack == "stripes" else attack


def poisoned(p: Profile, attack: str, seed: int) -> Trial:
    return p.cleaning.attacked(attack_of(p, attack), seed)


def sweep(p: Profile, attack: str, way: str) -> list[TrainedDefense]:
    """A way at each of its learning rates, from weak to strong; nothing for a patch where there is none."""
    c = p.cleaning
    if way in ("cleanclip", "par"):
        return c.sweep(way)
    if attack not in PATCHES:
        return []
    plan = attack_of(p, attack)
    settings = c.attacks[plan] if isinstance(plan, str) else plan
    invert = UniversalPatch() if way == "found" else KnownTrigger(settings["trigger"])
    return c.sweep("unlearn-trigger", invert=invert)


def trials(p: Profile) -> list[Trial]:
    """None where models were made before there were these methods."""
    if p.past:
        return []
    return [
        t
        for seed in p.cleaning.models.of(__name__)
        for attack in ATTACKS
        for t in with_before(poisoned(p, attack, seed), [d for way in WAYS for d in sweep(p, attack, way)])
    ]


def measured(
    results: Results,
    attack: str,
    way: str = "",
    value: Callable[[Record], float] = success,
    pick: Pick = committed,
) -> dict[int, float]:
    """A number of a defender's models by seed, who cleans in any case; of the models as they are where no way is said.

    Nothing where the profile has no such attack.
    """
    p = results.profile
    if p.past:
        return {}
    found = sweep(p, attack, way) if way else []
    if way and not found:
        return {}
    return by_seed(results, lambda s: poisoned(p, attack, s), found, value, pick)


def _works(results: Results, attack: str) -> list[float]:
    """Attack success before anything is done."""
    return list(measured(results, attack).values())


noise_works = functools.partial(_works, attack="badnets")
stripes_work = functools.partial(_works, attack="stripes")
blended_works = functools.partial(_works, attack="blended")


def _par_less_cleanclip(results: Results, attack: str) -> list[float]:
    """Attack success after PAR less after CleanCLIP, each at the setting of a defender who cleans in any case."""
    return differences(measured(results, attack, "par"), measured(results, attack, "cleanclip"))


par_less_cleanclip_noise = functools.partial(_par_less_cleanclip, attack="badnets")
par_less_cleanclip_stripes = functools.partial(_par_less_cleanclip, attack="stripes")


def par_left_blended(results: Results) -> list[float]:
    """Attack success of the blended pattern after PAR, by a defender who cleans in any case."""
    return list(measured(results, "blended", "par").values())


def par_kept(results: Results) -> list[float]:
    """Clean accuracy after PAR less before, patch of noise, by a defender who cleans in any case."""
    return differences(measured(results, "badnets", "par", accuracy), measured(results, "badnets", "", accuracy))


def structure_harms(results: Results, way: str) -> dict[int, float]:
    """Attack success after a way to clean, of the patch of stripes less of the patch of noise, by seed."""
    stripes, noise = (measured(results, attack, way) for attack in ("stripes", "badnets"))
    return {seed: left - noise[seed] for seed, left in stripes.items() if seed in noise}


def structure_harms_par_more(results: Results) -> list[float]:
    """By how much more of the stripes than of the noise PAR leaves, less the same of CleanCLIP."""
    return differences(*(structure_harms(results, way) for way in ("par", "cleanclip")))


def chain(results: Results, attack: str, value: Callable[[Record], float] = success) -> dict[int, float]:
    """A number after a search for a trigger and the unlearning of what it found, where that costs little."""
    return measured(results, attack, "found", value, committed_within(LITTLE))


def _chain_left(results: Results, attack: str) -> list[float]:
    """Attack success after the chain from an audit to a cleaned model, which knows neither trigger nor target."""
    return list(chain(results, attack).values())


chain_left_noise = functools.partial(_chain_left, attack="badnets")
chain_left_stripes = functools.partial(_chain_left, attack="stripes")


def chain_kept(results: Results) -> list[float]:
    """Clean accuracy after the chain less before, patch of noise."""
    return differences(chain(results, "badnets", accuracy), measured(results, "badnets", "", accuracy))


def known_less_found(results: Results) -> list[float]:
    """Attack success after unlearning the trigger itself less after unlearning what was found, patch of noise."""
    within = committed_within(LITTLE)
    known = measured(results, "badnets", "known", pick=within)
    return differences(known, chain(results, "badnets"))


def at_setting(
    results: Results, attack: str, way: str, which: int, value: Callable[[Record], float] = success
) -> dict[int, float]:
    """A number after one setting of a sweep, whether a defender would take it or not; 0 is the weakest, -1 the last."""
    p = results.profile
    found = [] if p.past else sweep(p, attack, way)
    return at(results, lambda s: poisoned(p, attack, s), found[which], value) if found else {}


def left_at(results: Results, attack: str, way: str, which: int = -1) -> list[float]:
    """Attack success after a setting, numbered from the weakest on; by default the strongest, whatever it costs."""
    return list(at_setting(results, attack, way, which).values())


def lost_at(results: Results, attack: str, way: str, which: int = -1) -> list[float]:
    """Clean accuracy that a setting costs, by its number from the weakest on; by default the strongest."""
    return differences(measured(results, attack, "", accuracy), at_setting(results, attack, way, which, accuracy))


def too_dear(results: Results, attack: str, way: str) -> list[float]:
    """1 for each model of which no setting keeps a defender's margin on validation pictures, else 0."""
    p = results.profile
    start = measured(results, attack, "", validation)
    kept = [at_setting(results, attack, way, k, validation) for k in range(len(sweep(p, attack, way)))]
    return [float(all(found[s] < start[s] - MARGIN for found in kept if s in found)) for s in start]


def table(results: Results) -> Table:
    """What is left of each attack, and of the accuracy."""
    rows = []
    for attack, name in ATTACKS.items():
        for way, title in {"": "as it is", **WAYS}.items():
            if way and not sweep(results.profile, attack, way):
                continue
            cells = (percent(measured(results, attack, way, v).values()) for v in (success, accuracy))
            rows.append((name, title, *cells))
    return Table(("attack", "model", "attack success (%)", "clean accuracy (%)"), tuple(rows))


def plot(results: Results) -> go.Figure:
    """Attack success before, and after each way to clean."""
    p = results.profile
    fig = plots.figure(
        "Attack success of three attacks before cleaning, after CleanCLIP, after PAR, and after unlearning the trigger "
        "itself or what a search found, each at the setting of a defender who cleans in any case.",
        x="attack",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    for k, (way, title) in enumerate({"": "before", **WAYS}.items()):
        shown = [a for a in ATTACKS if not way or sweep(p, a, way)]
        values = [list(measured(results, a, way).values()) for a in shown]
        names = [ATTACKS[a] for a in shown]
        curve(fig, names, values, title, number=k, scale=100, bounds=(0, 1), points=True, joined=False)
    return fig


def _tradeoff(results: Results, attack: str) -> go.Figure:
    """Mean accuracy lost and attack success left, a line from the model as it is through the settings of each way."""
    p = results.profile
    fig = plots.figure(
        f"What each way to clean leaves of the {ATTACKS[attack]} against its cost, from the model as it is through "
        "its settings from weak to strong. A good way goes down without going left.",
        x="change of clean accuracy (points)",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + "; each point: mean over models",
    )
    before, start = list(measured(results, attack).values()), measured(results, attack, "", accuracy)
    for k, (way, title) in enumerate(WAYS.items()):
        settings = range(len(sweep(p, attack, way)))
        left = [left_at(results, attack, way, n) for n in settings]
        lost = [differences(at_setting(results, attack, way, n, accuracy), start) for n in settings]
        if all(left):
            x, y = ([round(100 * mean(values), 2) for values in side] for side in ([[0.0], *lost], [before, *left]))
            plots.line(fig, x, y, title, number=k + 1)
    return fig


def plot_stripes(results: Results) -> go.Figure:
    """What is left of the patch of stripes against what it costs."""
    return _tradeoff(results, "stripes")


def plot_noise(results: Results) -> go.Figure:
    """What is left of the patch of noise against what it costs."""
    return _tradeoff(results, "badnets")
