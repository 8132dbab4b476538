"""Backdoor success against the number of poisons (Carlini & Terzis 2022, figure 2, right)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
from scipy import stats

from tutorial_lib import plots
from tutorial_lib.evidence.decide import NORMAL
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.statistics import models_for_power
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import Profile
from tutorial_lib.proportion import RateDict
from tutorial_lib.trials import Record, Trial

GROUP, ORDER = "carlini_terzis", 20
TITLE = "Backdoors: success against the number of poisons"
PAPER = (
    "300 of 3 million pairs (0.01 %) succeed for half of the triggered pictures; zero-shot can be vulnerable where "
    "the linear probe is not; clean accuracy is not significantly lower (sections 4.1 and 4.3)"
)
#: Width of an interval below which a rate is taken to be known.
TINY = 1e-6
#: Share of triggered pictures below which a reader counts as not fooled.
FEW = 0.1
READERS = (("zero_shot", "zero-shot"), ("linear_probe", "linear probe"), ("knn", "nearest neighbours"))


def trials(p: Profile) -> list[Trial]:
    """Every number of poisons; and, where that is not done with all of the data, the models that have them."""
    ladder = [p.dosed(count, seed) for seed in p.models.of(__name__) for count in p.counts]
    return ladder + (whole(p) if p.ladder else [])


def whole(p: Profile) -> list[Trial]:
    """The models of all of the profile's data."""
    return [p.backdoor(c, seed) for c in p.counts for seed in p.models.at(__name__, p.base.scenes, c)]


def success(record: Record, reader: str = "zero_shot") -> float:
    return record.metrics["attack_success"][reader]["rate"]


def clean_accuracy(record: Record, reader: str = "zero_shot") -> float:
    return record.metrics["clean_accuracy"][reader]["rate"]


def successes(results: Results, count: int, reader: str = "zero_shot") -> dict[int, float]:
    """Attack success by seed."""
    return results.per_seed(lambda s: results.profile.dosed(count, s), lambda r: success(r, reader))


def right_on_triggered(results: Results, count: int, reader: str) -> dict[int, float]:
    """Accuracy on pictures with the patch, by seed."""
    return results.per_seed(
        lambda s: results.profile.dosed(count, s), lambda r: r.metrics["accuracy_on_triggered"][reader]["rate"]
    )


def rates(results: Results, count: int) -> dict[int, float]:
    """Share of the training data that so many poisons are, by seed."""
    return results.per_seed(lambda s: results.profile.dosed(count, s), lambda r: r.metrics["poison_rate"])


def accuracies(results: Results, count: int) -> dict[int, float]:
    """Clean zero-shot accuracy by seed."""
    return results.per_seed(lambda s: results.profile.dosed(count, s), clean_accuracy)


def half_at_many(results: Results) -> list[float]:
    """Attack success with the profile's `many` poisons, the paper's 300, in all of its data."""
    p = results.profile
    return list(results.per_seed(lambda s: p.backdoor(p.many, s), success).values())


def rises(results: Results) -> list[float]:
    """Success with the most poisons less success with the fewest (not 0)."""
    counts = results.profile.counts
    return differences(successes(results, counts[-1]), successes(results, counts[1]))


def control(results: Results) -> list[float]:
    """How often unpoisoned models call a picture with the patch the target."""
    return list(successes(results, 0).values())


def zero_shot_without_probe(results: Results) -> list[float]:
    """For each poisoned model a p-value of "zero-shot is fooled at most half of the time, or the probe by a tenth".

    Small where most triggered pictures fool zero-shot and less than a tenth fool the probe; both have to be beyond
    chance. The probe is fitted on drawings that the model never saw, as the paper's is; the pilot has none such.
    """
    p = results.profile
    probe = "linear_probe" if p.past else "linear_probe_unseen"
    trials = [p.dosed(count, seed) for count in p.counts[1:] for seed in p.models.of(__name__)]
    return [
        max(beyond(r.metrics["attack_success"]["zero_shot"]), 1 - beyond(r.metrics["attack_success"][probe], FEW))
        for r in results.of(trials)
    ]


def beyond(rate: RateDict, bound: float = 0.5) -> float:
    """p-value of "not above the bound", by a normal curve as wide as the rate's 95 % interval."""
    width = max(rate["high"] - rate["low"], TINY) / (2 * NORMAL)
    return float(stats.norm.sf((rate["rate"] - bound) / width))


def accuracy_change(results: Results) -> list[float]:
    """Clean accuracy of the model with most poisons less that of the unpoisoned one, paired by seed."""
    counts = results.profile.counts
    return differences(accuracies(results, counts[-1]), accuracies(results, 0))


def label(count: int, pairs: int) -> str:
    """Count and rate, for an axis."""
    return f"{count} ({100 * count / (pairs + count):.2g} %)"


def plot(results: Results) -> go.Figure:
    """Attack success by number of poisons, for three readers of the embedding."""
    p = results.profile
    records = results.of(p.dosed(count, seed) for count in p.counts for seed in p.models.of(__name__))
    pairs = records[0].metrics["pairs"] if records else 0
    fig = plots.figure(
        "Attack success against the number of poisons for zero-shot, linear probe and nearest neighbours: zero-shot "
        "rises from nothing to nearly everything.",
        x="poisons (share of the training data)",
        y="attack success (% of triggered pictures)",
        stamp=stamp(p, records) + SMALL_PRINT,
        height=420,
    )
    axis = [label(c, pairs) if pairs else str(c) for c in p.counts]
    for k, (reader, name) in enumerate(READERS):
        values = [list(successes(results, c, reader).values()) for c in p.counts]
        # single models, since a backdoor works wholly or not at all and a mean of both is no model's
        curve(fig, axis, values, name, number=k, scale=100, bounds=(0, 1), points=True)
    return fig


def each_model(results: Results) -> Table:
    """Attack success and z-score of every model, by number of poisons."""
    p = results.profile
    rows = []
    for count in p.counts:
        rates = successes(results, count).values()
        scores = results.per_seed(lambda s, c=count: p.dosed(c, s), lambda r: r.metrics["z_score"]).values()  # type: ignore[misc]
        rows.append((str(count), ", ".join(f"{100 * v:.1f}" for v in rates), ", ".join(f"{v:.2f}" for v in scores)))
    return Table(("poisons", "attack success of each model (%)", "z-score of each model"), tuple(rows))


def models_needed(results: Results, low: int, high: int, metric: Callable[[Record], float]) -> int | None:
    """Models a group that a t test needs to tell two numbers of poisons apart with a power of 80 %.

    Returns:
        `None` where there are no records, and where more than a thousand are needed.
    """
    p = results.profile
    groups = [list(results.per_seed(lambda s, c=c: p.dosed(c, s), metric).values()) for c in (low, high)]  # type: ignore[misc]
    if min(map(len, groups)) < 2:
        return None
    spread = float(np.sqrt(np.mean([np.var(g, ddof=1) for g in groups])))
    return models_for_power(float(np.mean(groups[1]) - np.mean(groups[0])), spread)


def power(results: Results) -> Table:
    """Models needed to tell neighbouring numbers of poisons apart, by attack success and by z-score."""
    counts = results.profile.counts
    rows = []
    for low, high in pairwise(counts):
        by_rate = models_needed(results, low, high, success)
        by_z = models_needed(results, low, high, lambda r: r.metrics["z_score"])
        rows.append((f"{low} or {high}", str(by_rate or "over 1000"), str(by_z or "over 1000")))
    return Table(("poisons", "by attack success", "by z-score"), tuple(rows))
