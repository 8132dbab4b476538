"""How many models each claim gets: the power analysis of the pilot, fixed before any record that decides.

The pilot's mean is taken as right, its spread as the upper 80 % bound of what it may be: a few models tell a spread
badly. A confirmatory claim is planned for the first step of Holm's correction, an exploratory one for 5 %, both with a
chance of 80 % to be decided. The pilot's cleaned models were trained on 4,000 pairs; those of `cpu` see 100,000, of
which there is no pilot, and their numbers follow from what they cost. The numbers stand in `claims.yml`, and a test
derives them again.
"""

from __future__ import annotations

from dataclasses import dataclass

from tutorial_lib import profiles
from tutorial_lib.evidence import claims, registry, sample_size
from tutorial_lib.evidence.claims import Claim
from tutorial_lib.evidence.decide import ALPHA
from tutorial_lib.evidence.reasons import Role
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.statistics import Estimate

#: The profile whose committed records are the pilot.
PILOT = "pilot"
#: Fewest models of a claim, each with a target of its own, and most by its role, whatever would be needed.
LEAST = 8
MOST: dict[Role, int] = {"confirmatory": 32, "exploratory": 16}
#: Cleaned models of experiments without a confirmatory claim.
FEW = 4


@dataclass(frozen=True)
class PowerPlan:
    """The models of a claim.

    Attributes:
        claim: that is planned.
        estimate: of the pilot, `None` where it has too few models.
        spread: that is planned with, `None` where the analysis is not one of a mean.
        alpha: two-sided level of the claim.
        needed: models for a power of 80 %, `None` where that cannot be said.
        models: that the claim gets.
        note: why `needed` is not what it gets, or cannot be said.

    Example:
        >>> plan = planned(claims.get("backdoor_rises"), pilot())
        >>> plan.needed <= plan.models
        True
    """

    claim: Claim
    estimate: Estimate | None
    spread: float | None
    alpha: float
    needed: int | None
    models: int
    note: str = ""


def pilot() -> Results:
    """The committed records of the pilot, whose verdicts are not corrected.

    Example:
        >>> pilot().profile.pilot
        True
    """
    return Results(profiles.get(PILOT))


def planned(claim: Claim, records: Results) -> PowerPlan:
    """The power analysis of one claim on the pilot's records.

    Example:
        >>> planned(claims.get("few_consistent_better"), pilot()).models
        32
    """
    family = {c.id for c in claims.family(records.profile.name)} | {claim.id}
    alpha = ALPHA / len(family) if claim.role == "confirmatory" else ALPHA
    verdict = claims.judge(claim, records)
    estimate, models = verdict.estimate, records.profile.models.number
    note, spread, needed = "", None, None
    if _cleaned(claim.experiment):
        return PowerPlan(
            claim, estimate, None, alpha, None, models_for(claim.experiment), "the pilot cleaned other models"
        )
    if estimate is None:
        note = "no pilot"
    elif not claim.piloted:
        note = "the pilot had another setting"
    elif verdict.verdict == "not applicable here":
        note = "not applicable in the pilot"
    elif claim.kind == "statistic" and estimate.n == models:
        note = "of a statistic only the interval is known"
    elif claim.kind == "statistic" or (claim.kind == "mean" and estimate.n != models):
        note = f"n = {estimate.n} does not count models of one setting"
    elif claim.kind == "mean":
        spread = sample_size.spread_bound(estimate.spread, estimate.n)
        needed = sample_size.models_for_mean(estimate.value, spread, claim.above, claim.below, alpha=alpha)
    else:
        needed = sample_size.models_to_decide(estimate, claim.kind, claim.above, claim.below, alpha=alpha)
    most = MOST[claim.role]
    if not note and (needed is None or needed > most):
        return PowerPlan(claim, estimate, spread, alpha, needed, most, "the most; more were not spent")
    return PowerPlan(claim, estimate, spread, alpha, needed, max(LEAST, needed or 0), note)


def plans(records: Results | None = None) -> list[PowerPlan]:
    """The power analysis of every claim that the pilot's profile can judge.

    Args:
        records: of the pilot; by default the committed ones.

    Example:
        >>> max(plan.models for plan in plans()) == MOST["confirmatory"]
        True
    """
    records = records or pilot()
    return [planned(c, records) for c in claims.load() if records.profile.judged_as in c.profiles]


def models_for(experiment: str) -> int:
    """Models of an experiment: as many as the claim has that needs most, since its claims share their records.

    Example:
        >>> models_for("unpoisoned")  # no claim is of it
        8
    """
    own = [c for c in claims.load() if c.experiment == experiment]
    if _cleaned(experiment):
        return LEAST if any(c.role == "confirmatory" for c in own) else FEW
    return max((c.models for c in own if c.models), default=LEAST)


def _cleaned(experiment: str) -> bool:
    """Whether an experiment is of cleaned models."""
    module = registry.load(experiment)
    return module.GROUP == "cleanclip" or any(t.defense for t in module.trials(profiles.get("cpu")))
