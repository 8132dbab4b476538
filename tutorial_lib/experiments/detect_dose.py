"""Finding few and finding many poisons: a local outlier score against the number of poisons in its reference."""

from __future__ import annotations

from dataclasses import replace

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.detect import DAO, Detector, KDistance
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.experiments._defended import success
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import ByProfile, Profile
from tutorial_lib.trials import Trial
from tutorial_lib.triggers import NoisePatch

GROUP, ORDER = "detection", 20
TITLE = "How many poisons hide each other?"
PAPER = (
    "no figure of the papers: with k neighbours in a random reference, poisons are each other's neighbours as soon as "
    "more than k of them are in it"
)
#: Poisons with a patch, ascending; the largest count fills the published reference with several times k.
COUNTS: ByProfile[tuple[int, ...]] = ByProfile(
    test=(8, 16),
    pilot=(64, 256, 1024),
    cpu=(100, 300, 1000, 3000),
    gpu=(300, 3000, 9000),
    paper=(300, 3000, 30000),
)
#: As published, with a quarter of its reference, and the plain distance.
DETECTORS: tuple[Detector, ...] = (DAO(), DAO(reference=512), KDistance(), KDistance(reference=512))
#: What figures call them.
NAMES = ("DAO, 2,048 in the reference", "DAO, 512", "k-distance, 2,048", "k-distance, 512")
WORST = 0.05


def looked_at(p: Profile, count: int, seed: int) -> Trial:
    attacked = p.cleaning.attacked({"trigger": NoisePatch(), "count": count}, seed)
    return replace(attacked, detectors=DETECTORS)


def trials(p: Profile) -> list[Trial]:
    """None where the models were made before there were detectors."""
    return [] if p.past else [looked_at(p, n, s) for s in p.cleaning.models.of(__name__) for n in COUNTS[p]]


def recalls(results: Results, count: int, detector: str = "dao", share: float = WORST) -> dict[int, float]:
    """Share of the poisons among the most suspicious pairs, by seed."""
    p = results.profile
    if p.past:
        return {}
    return results.per_seed(
        lambda s: looked_at(p, count, s), lambda r: r.metrics["detection"][detector]["recall"][f"{share:g}"]
    )


def most_by_fewer(results: Results) -> list[float]:
    """At the largest count, recall with 512 in the reference less recall with 2,048, DAO."""
    most = COUNTS[results.profile][-1]
    return differences(recalls(results, most, "dao reference=512"), recalls(results, most))


def fewest(results: Results) -> list[float]:
    """Recall of DAO at the smallest count."""
    return list(recalls(results, COUNTS[results.profile][0]).values())


def fewest_work(results: Results) -> list[float]:
    """Attack success of the models with the smallest count."""
    p = results.profile
    return [] if p.past else list(results.per_seed(lambda s: looked_at(p, COUNTS[p][0], s), success).values())


def plot(results: Results) -> go.Figure:
    """Recall among the most suspicious pairs against the number of poisons."""
    p = results.profile
    fig = plots.figure(
        "Share of the poisons among the most suspicious 5 % of the pairs against the number of poisons, for two "
        "detectors with a large and with a small reference.",
        x="poisons",
        y=f"poisons in the worst {WORST:.0%} of the pairs (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
    )
    for k, (detector, name) in enumerate(zip(DETECTORS, NAMES, strict=True)):
        values = [list(recalls(results, n, detector.label).values()) for n in COUNTS[p]]
        curve(fig, list(COUNTS[p]), values, name, number=k, scale=100, bounds=(0, 1), points=True)
    return plots.log_axis(fig, COUNTS[p])
