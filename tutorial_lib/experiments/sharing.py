"""Do attacks that share a model disturb each other? A backdoor and hundreds of targets, together and alone; ours.

Where models are dear, one carries them all (`tutorial_lib.attacks.Together`). Here each attack has models of its own
beside those that it shares, with the same seeds, in few pairs: the poisons are the largest share of the data there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from statistics import mean
from typing import Any

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.attacks import Group, Targeted
from tutorial_lib.attacks.together import beside
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.statistics import hardest
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.experiments.fig2_right import clean_accuracy, success
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Record, Trial

GROUP, ORDER = "carlini_terzis", 135
TITLE = "Attacks that share a model"
PAPER = (
    "several samples can be poisoned at the same time, while each backdoor has a model of its own (section 4.3); here "
    "a backdoor and the targets of one model stand beside each of them alone"
)


@dataclass(frozen=True)
class Plan:
    """What is shared.

    Attributes:
        counts: poisons of the backdoor, ascending.
        targeted: the other attack.
        changes: of the profile's base, for data that are small.
    """

    counts: tuple[int, ...]
    targeted: Targeted
    changes: dict[str, Any] = field(default_factory=dict)


#: Of profiles in which a model carries one attack.
NOTHING = Plan((), Targeted())
PLANS: ByProfile[Plan] = ByProfile(
    test=Plan((4, 8), Targeted((Group(0), Group(2)), targets=2)),
    pilot=NOTHING,
    cpu=NOTHING,
    overnight=Plan(
        (75, 300),
        Targeted((Group(0), Group(1), Group(3), Group(8)), targets=75),
        {"scenes": 30_000},
    ),
    gpu=NOTHING,
    paper=NOTHING,
)


def backdoor(p: Profile, count: int, seed: int) -> Trial:
    """The backdoor alone."""
    return p.alone(count, seed, **PLANS[p].changes)


def targets(p: Profile, seed: int) -> Trial:
    """The targets alone."""
    return replace(backdoor(p, 0, seed), attack=PLANS[p].targeted)


def shared(p: Profile, count: int, seed: int) -> Trial:
    """Both on one model."""
    return beside(backdoor(p, count, seed), PLANS[p].targeted)


def trials(p: Profile) -> list[Trial]:
    if not PLANS[p].counts:
        return []
    return [
        trial
        for seed in p.models.of(__name__)
        for trial in (
            *(t(p, count, seed) for count in PLANS[p].counts for t in (shared, backdoor)),
            targets(p, seed),
        )
    ]


def z_score(record: Record) -> float:
    return record.metrics["z_score"]


def fallen(record: Record) -> float:
    """Share of the attacked targets that zero-shot takes for the wanted class."""
    return mean(t["zero_shot"] == t["wanted"] for t in record.metrics["targets"] if t["count"])


def _changes(results: Results, value: Any, other: Any, most: float) -> list[float]:
    """A number of shared models less the same of models of one attack, where the test of the claim is the least clear.

    The claim lets it change by at most `most`, for each number of poisons.
    """
    p = results.profile
    found = [
        differences(
            results.per_seed(lambda s, c=count: shared(p, c, s), value),  # type: ignore[misc]
            results.per_seed(lambda s, c=count: other(p, c, s), value),  # type: ignore[misc]
        )
        for count in PLANS[p].counts
    ]
    return hardest(found, -most, most)


def z_change(results: Results) -> list[float]:
    """z of the backdoor, shared less alone."""
    return _changes(results, z_score, backdoor, 0.5)


def success_change(results: Results) -> list[float]:
    """Attack success of the backdoor, shared less alone."""
    return _changes(results, success, backdoor, 0.1)


def fallen_change(results: Results) -> list[float]:
    """Success of the targeted attacks, shared less alone."""
    return _changes(results, fallen, lambda p, _, seed: targets(p, seed), 0.1)


def accuracy_change(results: Results) -> list[float]:
    """Clean accuracy, shared less with the backdoor alone."""
    return _changes(results, clean_accuracy, backdoor, 0.03)


def table(results: Results) -> Table:
    """Each number of models with one attack and of shared ones, means over models."""
    p, rows = results.profile, []
    for count in PLANS[p].counts:
        one, both = (results.of(t(p, count, seed) for seed in p.models.of(__name__)) for t in (backdoor, shared))
        single = results.of(targets(p, seed) for seed in p.models.of(__name__))
        for name, value, alone in (
            ("z-score", z_score, one),
            ("attack success (%)", lambda r: 100 * success(r), one),
            ("targets that fell (%)", lambda r: 100 * fallen(r), single),
            ("clean accuracy (%)", lambda r: 100 * clean_accuracy(r), one),
        ):
            cells = (f"{mean(map(value, found)):.2f}" if found else "not run" for found in (alone, both))
            rows.append((f"{count}", name, *cells))
    return Table(("poisons of the backdoor", "what", "one attack a model", "both on one model"), tuple(rows))


def plot(results: Results) -> go.Figure:
    """Success of each attack, alone and shared."""
    p = results.profile
    fig = plots.figure(
        "Success of a backdoor and of targeted attacks, each alone on its model and both on one model.",
        x="attack",
        y="success (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    if not PLANS[p].counts:
        return fig
    counts = PLANS[p].counts
    names = [*(f"backdoor, {count} poisons" for count in counts), "targets"]
    both = [results.per_seed(lambda s, c=c: shared(p, c, s), success) for c in counts]  # type: ignore[misc]
    both.append(results.per_seed(lambda s: shared(p, counts[-1], s), fallen))
    alone = [results.per_seed(lambda s, c=c: backdoor(p, c, s), success) for c in counts]  # type: ignore[misc]
    alone.append(results.per_seed(lambda s: targets(p, s), fallen))
    for number, (name, found) in enumerate((("alone", alone), ("together", both))):
        values = [list(of.values()) for of in found]
        curve(fig, names, values, name, number=number, scale=100, bounds=(0, 1), points=True)
    return fig
