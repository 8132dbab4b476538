"""Training anew without the pairs that look poisoned: is the backdoor gone, and what does that cost?"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.defenses import Retraining
from tutorial_lib.detect import DAO
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._defended import accuracy, at, attack_name, before, percent, success
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, Trial

GROUP, ORDER = "detection", 30
TITLE = "Training anew without the suspects"
PAPER = (
    "without the most suspicious 10 % of the pairs, attack success falls below 1 % in six of eight attacks (Huang et "
    "al. 2025)"
)
#: Share of the pairs that is left out.
DROP = 0.1
#: The defender's choice, and pairs left out at random.
WAYS = {"dao": "without DAO's worst 10 %", "random": "without 10 % at random"}
#: Who tells the suspects of each.
SUSPECTED_BY = {"dao": DAO(), "random": None}


def defense(p: Profile, way: str) -> Retraining:
    """With the recipe of the first training."""
    return Retraining(p.cleaning.base.recipe, SUSPECTED_BY[way], DROP)


def trials(p: Profile) -> list[Trial]:
    """Every attack; the control only of the patch. None where models were made before there were detectors."""
    if p.past:
        return []
    c = p.cleaning
    return [
        t
        for seed in c.models.of(__name__)
        for attack in c.attacks
        for base in (c.attacked(attack, seed),)
        for t in (before(base), *(replace(base, defense=defense(p, way)) for way in ways(attack)))
    ]


def ways(attack: str) -> tuple[str, ...]:
    return tuple(WAYS) if attack == "badnets" else ("dao",)


def left(
    results: Results, attack: str, way: str = "dao", value: Callable[[Record], float] = success
) -> dict[int, float]:
    """A number of the models that were trained anew, attack success by default, by seed; "" is the first model."""
    p = results.profile
    if p.past or attack not in p.cleaning.attacks:
        return {}
    if not way:
        return results.per_seed(lambda s: before(p.cleaning.attacked(attack, s)), value)
    return at(results, lambda s: p.cleaning.attacked(attack, s), defense(p, way), value)


def _removed(results: Results, attack: str) -> list[float]:
    """Attack success of models that were trained anew without DAO's worst 10 % of the pairs."""
    return list(left(results, attack).values())


badnets_left = functools.partial(_removed, attack="badnets")
blended_left = functools.partial(_removed, attack="blended")
wanet_left = functools.partial(_removed, attack="wanet")
sig_left = functools.partial(_removed, attack="sig")


def accuracy_kept(results: Results) -> list[float]:
    """Clean accuracy after training anew less before, patch."""
    return differences(left(results, "badnets", value=accuracy), left(results, "badnets", "", accuracy))


def accuracy_at_random(results: Results) -> list[float]:
    """Clean accuracy after training anew without 10 % of the pairs at random less before, patch."""
    return differences(left(results, "badnets", "random", accuracy), left(results, "badnets", "", accuracy))


def caught(results: Results, attack: str) -> list[float]:
    """Share of the poisons among the pairs that DAO leaves out."""
    return list(left(results, attack, value=found).values())


def left_at_random(results: Results) -> list[float]:
    """Attack success of models that were trained anew without 10 % of the pairs at random, patch."""
    return list(left(results, "badnets", "random").values())


def found(record: Record) -> float:
    """Share of the poisons among the pairs that were left out."""
    notes = record.metrics["cleaning"]
    return notes["isolated_poisons"] / notes["poisons"]


def table(results: Results) -> Table:
    """What is left of each attack, and of the accuracy."""
    rows = []
    for attack in results.profile.cleaning.attacks:
        for way in ("", *ways(attack)):
            cells = [percent(left(results, attack, way, v).values()) for v in (success, accuracy)]
            hit = percent(left(results, attack, way, found).values()) if way else "–"
            rows.append((attack_name(attack), WAYS[way] if way else "all pairs", hit, *cells))
    return Table(
        ("attack", "training", "poisons left out (%)", "attack success (%)", "clean accuracy (%)"), tuple(rows)
    )


def plot(results: Results) -> go.Figure:
    """Attack success before, and after training anew."""
    p = results.profile
    attacks = list(p.cleaning.attacks)
    fig = plots.figure(
        "Attack success of models trained on all pairs, and of models trained anew without the most suspicious 10 %.",
        x="attack",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    for k, (way, name) in enumerate({"": "all pairs", **WAYS}.items()):
        shown = [a for a in attacks if not way or way in ways(a)]
        values = [list(left(results, a, way).values()) for a in shown]
        curve(
            fig,
            list(map(attack_name, shown)),
            values,
            name,
            number=k,
            scale=100,
            bounds=(0, 1),
            points=True,
            joined=False,
        )
    return fig
