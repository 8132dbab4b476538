"""Which pairs are poisoned? Detectors on the training pairs of backdoored models, one column an attack."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import plotly.graph_objects as go

from tutorial_lib import plots
from tutorial_lib.detect import (
    DAO,
    SLOF,
    ActivationClustering,
    CaptionDisagreement,
    CosineMixture,
    Detector,
    EarlyLoss,
    KDistance,
    NearDuplicates,
    PairSimilarity,
    SpectralSignatures,
)
from tutorial_lib.evidence.results import Results, differences, stamp
from tutorial_lib.evidence.table import Table
from tutorial_lib.experiments._defended import attack_name, percent, success
from tutorial_lib.experiments._series import SMALL_PRINT, curve
from tutorial_lib.profiles import Profile
from tutorial_lib.trials import Record, Trial
from tutorial_lib.trials.metrics import DetectionMetrics

GROUP, ORDER = "detection", 10
TITLE = "Which pairs are poisoned?"
PAPER = (
    "local outlier scores of picture embeddings find backdoor poisons with an AUROC above 97 %, where detectors made "
    "for classifiers fail (Huang et al. 2025)"
)
#: Local outliers as published and with normalised embeddings, baselines, and what is known of duplicates; by the name
#: that figures give them.
NAMED: dict[str, Detector] = {
    "DAO": DAO(),
    "SLOF": SLOF(),
    "k-distance": KDistance(),
    "DAO, normalised": DAO(normalise=True),
    "spectral signatures": SpectralSignatures(normalise=False),
    "spectral signatures, normalised": SpectralSignatures(),
    "activation clustering": ActivationClustering(),
    "cosine of the pair": PairSimilarity(),
    "early loss": EarlyLoss(),
    "mixture of cosines": CosineMixture(),
    "caption disagreement": CaptionDisagreement(),
    "near-duplicates": NearDuplicates(),
}
#: Those of the figure, of every family one and of distances two.
DRAWN = (
    "DAO",
    "k-distance",
    "spectral signatures",
    "activation clustering",
    "mixture of cosines",
    "caption disagreement",
)
#: Share of the pairs that somebody would look at, or leave out.
WORST = 0.05


def trials(p: Profile) -> list[Trial]:
    """None where the attacks were made before there were detectors."""
    c = p.cleaning
    return [] if p.past else [looked_at(p, a, s) for s in c.models.of(__name__) for a in c.attacks]


def looked_at(p: Profile, attack: str, seed: int) -> Trial:
    """A backdoored model of the main table of cleaning, whose training pairs detectors rank."""
    return replace(p.cleaning.attacked(attack, seed), detectors=tuple(NAMED.values()))


def found(results: Results, attack: str, detector: str, value: Callable[[DetectionMetrics], float]) -> dict[int, float]:
    """A number of a detector, by its label, for the models of an attack, by seed."""
    p = results.profile
    if p.past or attack not in p.cleaning.attacks:
        return {}
    return results.per_seed(lambda s: looked_at(p, attack, s), lambda r: value(r.metrics["detection"][detector]))


def aurocs(results: Results, attack: str, detector: str = "dao") -> dict[int, float]:
    return found(results, attack, detector, lambda m: m["auroc"])


def recalls(results: Results, attack: str, detector: str = "dao", share: float = WORST) -> dict[int, float]:
    """Share of the poisons among the most suspicious pairs."""
    return found(results, attack, detector, lambda m: m["recall"][f"{share:g}"])


def attack_works(results: Results, attack: str) -> list[float]:
    """Attack success of the models whose pairs are ranked."""
    p = results.profile
    if p.past or attack not in p.cleaning.attacks:
        return []
    return list(results.per_seed(lambda s: looked_at(p, attack, s), success).values())


badnets_works = functools.partial(attack_works, attack="badnets")
blended_works = functools.partial(attack_works, attack="blended")
wanet_works = functools.partial(attack_works, attack="wanet")
sig_works = functools.partial(attack_works, attack="sig")


def company(results: Results, attack: str) -> list[float]:
    """How many of an attack's poisons DAO's reference holds on average: a crowd where they outnumber its neighbours."""
    p = results.profile
    if p.past or attack not in p.cleaning.attacks:
        return []
    return list(results.per_seed(lambda s: looked_at(p, attack, s), in_reference).values())


def in_reference(record: Record) -> float:
    m = record.metrics
    return DAO().reference * m["poisons"] / (m["pairs"] + m["poisons"])


blended_company = functools.partial(company, attack="blended")
wanet_company = functools.partial(company, attack="wanet")


def _dao(results: Results, attack: str) -> list[float]:
    return list(aurocs(results, attack).values())


badnets_by_dao = functools.partial(_dao, attack="badnets")
blended_by_dao = functools.partial(_dao, attack="blended")
wanet_by_dao = functools.partial(_dao, attack="wanet")
sig_by_dao = functools.partial(_dao, attack="sig")


def badnets_in_worst(results: Results) -> list[float]:
    """Of the poisons with a patch, the share that DAO has among the most suspicious 5 % of the pairs."""
    return list(recalls(results, "badnets").values())


def _over(results: Results, better: str, worse: str) -> list[float]:
    """AUROC of one detector less that of another on poisons with a patch, paired by seed."""
    return differences(aurocs(results, "badnets", better), aurocs(results, "badnets", worse))


dao_over_spectral = functools.partial(_over, better="dao", worse="spectral-signatures normalise=False")
dao_over_clustering = functools.partial(_over, better="dao", worse="activation-clustering")
dao_over_similarity = functools.partial(_over, better="dao", worse="pair-similarity")
dao_over_early_loss = functools.partial(_over, better="dao", worse="early-loss")
dao_over_mixture = functools.partial(_over, better="dao", worse="cosine-mixture")
dao_over_k_distance = functools.partial(_over, better="dao", worse="k-distance")
raw_over_normalised = functools.partial(_over, better="dao", worse="dao normalise=True")


def _table(results: Results, value: Callable[..., dict[int, float]], unit: str) -> Table:
    attacks = tuple(results.profile.cleaning.attacks)
    rows = [(name, *(percent(value(results, a, d.label).values()) for a in attacks)) for name, d in NAMED.items()]
    return Table((unit, *map(attack_name, attacks)), tuple(rows))


def table(results: Results) -> Table:
    """Poisons among the most suspicious 5 % of the pairs, for every detector and attack."""
    return _table(results, recalls, f"poisons in the worst {WORST:.0%} of the pairs (%)")


def table_auroc(results: Results) -> Table:
    """Area under the curve of hits against false alarms."""
    return _table(results, aurocs, "AUROC (%)")


def plot(results: Results) -> go.Figure:
    """AUROC of six detectors, attack by attack; `table_auroc` has all."""
    p = results.profile
    fig = plots.figure(
        "Area under the curve of hits against false alarms for six detectors of poisoned pairs, attack by attack. Half "
        "is chance.",
        y="AUROC (%)",
        stamp=stamp(p, results.of(trials(p))) + SMALL_PRINT,
        height=460,
    )
    attacks = tuple(p.cleaning.attacks)
    for k, name in enumerate(DRAWN):
        values = [list(aurocs(results, a, NAMED[name].label).values()) for a in attacks]
        names = [attack_name(a) for a in attacks]
        curve(fig, names, values, name, number=k, scale=100, bounds=(0, 1), points=True, joined=False)
    return fig
