"""How a verdict came about, in a sentence."""

from __future__ import annotations

from typing import Literal

from tutorial_lib.evidence.decide import ALPHA, Kind, PValues
from tutorial_lib.evidence.statistics import Estimate

Role = Literal["confirmatory", "exploratory"]

WHERE = {
    "holds": "lies inside the region",
    "fails": "lies outside the region",
    "undecided": "reaches across a bound of the region",
}


def would_decide(models: int | None, kind: Kind) -> str:
    """How many models would decide an undecided claim.

    Args:
        models: for a chance of 80 %, `None` where no number has it.
        kind: of the quantity.

    Example:
        >>> would_decide(12, "mean")
        'If these models are typical, 12 would decide it with a chance of 80 %.'
    """
    if models is not None:
        return f"If these models are typical, {models:,} would decide it with a chance of 80 %."
    if kind == "statistic":
        return "How many models would decide it is not known of a statistic."
    return "If these models are typical, no number of them would decide it: the quantity lies on a bound."


def reason(estimate: Estimate, own: PValues, *, kind: Kind, role: Role, p: float, family: int, pilot: bool) -> str:
    """Role, interval and correction of a verdict.

    Args:
        estimate: of the quantity.
        own: the claim's p-values.
        kind: of the quantity.
        role: of the claim.
        p: two-sided, after the correction.
        family: claims that it was corrected for, 0 where it was not.
        pilot: whether the records are those of a pilot.

    Example:
        >>> estimate = Estimate(0.5, 0.25, 0.75, 4, 0.1, "t interval over models")
        >>> own = PValues(holds=0.001, fails=0.999)
        >>> reason(estimate, own, kind="mean", role="confirmatory", p=0.04, family=20, pilot=False)
        "Confirmatory: the 95 % interval lies inside the region, and Holm's correction over 20 claims leaves p = 0.04."
    """
    word = own.word()
    if kind == "exists":
        hits = round(estimate.value * estimate.n)
        found = f"{hits} of {estimate.n} models show it beyond chance"
    else:
        found = f"the 95 % interval {WHERE[word]}"
    if role == "exploratory":
        return f"Exploratory, judged by itself: {found}."
    if pilot:
        return f"Confirmatory, but of a pilot and so not corrected: {found}."
    if word == "undecided":
        return f"Confirmatory: {found}."
    corrected = f"Holm's correction over {family} claims leaves p = {p:.2g}"
    return f"Confirmatory: {found}, {'and' if p <= ALPHA else 'but'} {corrected}."
