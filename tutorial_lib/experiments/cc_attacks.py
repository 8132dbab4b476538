"""The main table: the attacks, before and after (Bansal et al. 2023)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.attacks import Backdoor
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._defended import (
    Pick,
    accuracy,
    at,
    attack_name,
    by_seed,
    chosen,
    committed,
    least_left,
    numbers,
    on_triggered,
    percent,
    success,
    word,
)
from tutorial_lib.experiments._defended import before as _before_trial
from tutorial_lib.experiments._defended import with_before as _with_before
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, Trial
from tutorial_lib.triggers import Trigger

GROUP, ORDER = "cleanclip", 10
TITLE = "The attacks, before and after CleanCLIP"
PAPER = (
    "CleanCLIP reduces the success of BadNets, Blended, WaNet and label-consistent poisons while accuracy is "
    "maintained, and plain finetuning does not; the released backdoored model has 99.9 % at 19.2 % accuracy (measured "
    "by others), and the authors' repository gives 7.2 % at 18.1 % for Blended after CleanCLIP"
)
METHODS = ("finetune", "cleanclip")


def trials(p: Profile) -> list[Trial]:
    c = p.cleaning
    sweeps = [d for method in METHODS for d in c.sweep(method)]
    return [
        t
        for seed in c.models.of(__name__)
        for attack in c.attacks
        for t in (*_with_before(c.attacked(attack, seed), sweeps), *_controls(p, attack, seed))
    ]


def unpoisoned(p: Profile, attack: str | Mapping[str, Any], seed: int) -> Trial:
    """A model that was never poisoned, measured with the trigger of an attack."""
    c = p.cleaning
    settings = c.attacks[attack] if isinstance(attack, str) else attack
    return _before_trial(c.attacked({**settings, "count": 0, "cover": 0}, seed))


def _controls(p: Profile, attack: str, seed: int) -> list[Trial]:
    return [] if p.past else [unpoisoned(p, attack, seed)]


def never(results: Results, attack: str) -> dict[int, float]:
    """How often models that were never poisoned take pictures with an attack's trigger for its target, by seed."""
    p = results.profile
    return {} if p.past else results.per_seed(lambda s: unpoisoned(p, attack, s), success)


def measured(
    results: Results,
    attack: str,
    method: str = "none",
    value: Callable[[Record], float] = success,
    pick: Pick = chosen,
) -> dict[int, float]:
    """A number of the models of an attack, after the setting of a method that a defender takes; "none" is before."""
    c = numbers(results)
    defenses = [] if method == "none" else c.sweep(method)
    return by_seed(results, lambda s: c.attacked(attack, s), defenses, value, pick)


def successes(results: Results, attack: str, method: str = "none") -> dict[int, float]:
    return measured(results, attack, method)


def accuracies(results: Results, attack: str, method: str = "none") -> dict[int, float]:
    return measured(results, attack, method, accuracy)


def readable(results: Results, attack: str, method: str = "none") -> dict[int, float]:
    """Accuracy on triggered pictures."""
    return measured(results, attack, method, on_triggered)


def success_at(
    results: Results, attack: str, method: str, setting: int, value: Callable[[Record], float] = success
) -> dict[int, float]:
    """Attack success after one setting of a method, from weak to strong, whatever it costs."""
    c = numbers(results)
    return at(results, lambda s: c.attacked(attack, s), c.sweep(method)[setting], value)


def accuracy_at(results: Results, attack: str, method: str, setting: int) -> dict[int, float]:
    return success_at(results, attack, method, setting, accuracy)


def others(results: Results, attack: str) -> dict[int, float]:
    """Success of another trigger of the same kind, before cleaning."""
    return measured(results, attack, value=other_pattern)


def _before(results: Results, attack: str) -> list[float]:
    return list(successes(results, attack).values())


badnets_before = functools.partial(_before, attack="badnets")
blended_before = functools.partial(_before, attack="blended")
wanet_before = functools.partial(_before, attack="wanet")
label_consistent_before = functools.partial(_before, attack="label-consistent")


def _removed(results: Results, attack: str) -> list[float]:
    """Success before less success after CleanCLIP, by a defender who cleans in any case."""
    return differences(successes(results, attack), measured(results, attack, "cleanclip", pick=committed))


badnets_removed = functools.partial(_removed, attack="badnets")
blended_removed = functools.partial(_removed, attack="blended")
wanet_removed = functools.partial(_removed, attack="wanet")
label_consistent_removed = functools.partial(_removed, attack="label-consistent")


def has_stripes(p: Profile) -> bool:
    """Whether the profile blends stripes; others blend noise, as published for CleanCLIP."""
    return getattr(p.cleaning.attacks.get("blended", {}).get("trigger"), "pattern_kind", "") == "stripes"


def stripes_left(results: Results) -> list[float]:
    """Success of blended stripes after CleanCLIP, by a defender who cleans in any case."""
    return (
        list(measured(results, "blended", "cleanclip", pick=committed).values()) if has_stripes(results.profile) else []
    )


def accuracy_kept(results: Results) -> list[float]:
    """Clean accuracy after CleanCLIP less before, BadNets, by the defender's rule."""
    return differences(accuracies(results, "badnets", "cleanclip"), accuracies(results, "badnets"))


def removed_within_three(results: Results) -> list[float]:
    """Success before less the least that CleanCLIP leaves for at most three points of accuracy, BadNets."""
    left = measured(results, "badnets", "cleanclip", pick=least_left(0.03))
    return differences(successes(results, "badnets"), left)


def left_by_finetuning(results: Results) -> list[float]:
    """Attack success after plain finetuning, BadNets, by a defender who cleans in any case."""
    return list(measured(results, "badnets", "finetune", pick=committed).values())


def better_than_finetuning(results: Results) -> list[float]:
    """Attack success after plain finetuning less after CleanCLIP, BadNets, by a defender who cleans in any case."""
    finetuned, cleaned = (measured(results, "badnets", m, pick=committed) for m in METHODS)
    return differences(finetuned, cleaned)


def distance(record: Record) -> float:
    return record.metrics["embedding_distance"]


def distances(results: Results, method: str = "none") -> dict[int, float]:
    """Distance of the embeddings of triggered pictures from those of the same pictures without trigger, BadNets."""
    return measured(results, "badnets", method, distance)


def relative_distance(record: Record) -> float:
    """The distance in units of that of two clean pictures, of squared length 2 - 2 cos."""
    return distance(record) / math.sqrt(max(2 - 2 * record.metrics["similarity_clean"], 1e-6))


def _ratio(results: Results, method: str) -> list[float]:
    start = measured(results, "badnets", value=relative_distance)
    after = measured(results, "badnets", method, relative_distance, committed)
    return [after[s] / start[s] for s in sorted(start.keys() & after.keys())]


distance_ratio_cleanclip = functools.partial(_ratio, method="cleanclip")
distance_ratio_finetune = functools.partial(_ratio, method="finetune")


def _setting(trigger: Trigger) -> str:
    """The name of a trigger with what differs from its defaults."""
    changed = [f"{f.name} {getattr(trigger, f.name)}" for f in fields(trigger) if getattr(trigger, f.name) != f.default]
    return ", ".join([trigger.kind, *(c.replace("_", " ") for c in changed)])


def other_pattern(record: Record) -> float:
    """Attack success of another trigger of the same kind."""
    return record.metrics["attack_success_other_patch"]["rate"]


def before(results: Results) -> Table:
    """The attacks and what they reach before cleaning."""
    c, rows = numbers(results), []
    for attack in c.attacks:
        plan = c.attacked(attack, 0).attack
        assert isinstance(plan, Backdoor)
        found = [measured(results, attack, value=v) for v in (success, other_pattern)]
        found += [never(results, attack), accuracies(results, attack)]
        rows.append(
            (attack_name(attack), _setting(plan.trigger), f"{plan.count:,}", *(percent(f.values()) for f in found))
        )
    head = (
        "attack",
        "trigger",
        "poisons",
        "attack success (%)",
        "another of its kind (%)",
        "never poisoned (%)",
        "clean accuracy (%)",
    )
    made = Table(head, tuple(rows))
    # a column of models that nobody has trained yet says nothing
    return made if any(row[5] != percent([]) for row in rows) else made.without("never poisoned (%)")


def table(results: Results) -> Table:
    """Success, clean accuracy and accuracy on triggered pictures of every attack."""
    rows = []
    for attack in numbers(results).attacks:
        for method in ("none", *METHODS):
            cells = (percent(measured(results, attack, method, v).values()) for v in (success, accuracy, on_triggered))
            rows.append((attack_name(attack), word(method), *cells))
    head = ("attack", "model", "attack success (%)", "clean accuracy (%)", "accuracy on triggered (%)")
    return Table(head, tuple(rows))


def plot(results: Results) -> go.Figure:
    """Attack success of every model, before and after."""
    p, c = results.profile, numbers(results)
    fig = plots.figure(
        "Attack success of each attack before cleaning, after plain finetuning and after CleanCLIP, each with the "
        "setting that a defender would choose on clean validation pictures.",
        x="attack",
        y="attack success (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    for k, method in enumerate(("none", *METHODS)):
        values = [list(successes(results, a, method).values()) for a in c.attacks]
        curve(
            fig,
            list(map(attack_name, c.attacks)),
            values,
            word(method),
            number=k,
            scale=100,
            bounds=(0, 1),
            points=True,
            joined=False,
        )
    return fig


def plot_distance(results: Results) -> go.Figure:
    """Distance between embeddings with and without trigger."""
    p = results.profile
    fig = plots.figure(
        "Distance between the embeddings of pictures with and without trigger, before, after plain finetuning and "
        "after CleanCLIP.",
        x="model",
        y="distance of embeddings (0\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}2)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    for method in ("none", *METHODS):
        curve(fig, [word(method)], [list(distances(results, method).values())], word(method), points=True, joined=False)
    return fig.update_layout(showlegend=False)
