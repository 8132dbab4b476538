"""Tests of claims: is a quantity inside the region of its claim, outside, or is that open? And Holm's correction.

A claim *holds* where "the quantity lies outside the region" is refuted, and *fails* where "it lies inside" is. With two
bounds the first is an intersection-union test: each bound has to be passed, which is the two one-sided tests of
equivalence (TOST). Each side is assess at 2.5 %, so that without a correction the words are those of the 95 % interval.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from scipy import stats

from tutorial_lib.evidence.statistics import Estimate, estimate_mean, estimate_share

K = TypeVar("K", bound=Hashable)
Kind = Literal["mean", "share", "statistic", "exists"]
#: Chance of any wrong word in a family of claims, and of a claim that is judged by itself.
ALPHA = 0.05
#: How many standard errors the end of a 95 % interval is from its middle, on a normal curve.
NORMAL = float(stats.norm.ppf(1 - ALPHA / 2))


@dataclass(frozen=True)
class PValues:
    """One-sided p-values of a claim.

    Attributes:
        holds: of the hypothesis that the quantity lies outside the region; small where the claim holds.
        fails: of the hypothesis that it lies inside; small where the claim fails.

    Example:
        >>> found = PValues(holds=0.01, fails=0.99)
        >>> found.two_sided, found.word()
        (0.02, 'holds')
    """

    holds: float
    fails: float

    @property
    def two_sided(self) -> float:
        """The smaller one, doubled since either could have been it: what is corrected over a family."""
        return min(1.0, 2 * min(self.holds, self.fails))

    def word(self, alpha: float = ALPHA) -> Literal["holds", "fails", "undecided"]:
        """What a claim is that is judged by itself."""
        if self.holds <= alpha / 2:
            return "holds"
        return "fails" if self.fails < alpha / 2 else "undecided"


def p_values(estimate: Estimate, kind: Kind, above: float = -math.inf, below: float = math.inf) -> PValues:
    """Test both hypotheses about a region.

    A mean has Student's t, a share the exact binomial test. A statistic has only its interval, whose ends are taken for
    the 2.5 % points of a normal curve on each side of the value: exact at 2.5 %, an extrapolation below it.

    Args:
        estimate: of the quantity.
        kind: of the quantity.
        above, below: the region; one of them is finite.

    Raises:
        ValueError: no bound is finite, or an existence statement is asked for a region.

    Example:
        >>> from tutorial_lib.evidence.statistics import estimate_mean
        >>> found = p_values(estimate_mean([0.9, 1.0, 0.8, 0.9]), "mean", above=0.5)
        >>> round(found.holds, 4), found.word()
        (0.0011, 'holds')
    """
    if kind == "exists":
        raise ValueError("an existence statement has no region: see existence()")
    bounds = [bound for bound in (above, below) if math.isfinite(bound)]
    if not bounds:
        raise ValueError(f"the region from {above} to {below} has no bound")
    inside, outside = [], []
    for bound in bounds:
        higher, lower = _sides(estimate, kind, bound)
        inside.append(higher if bound == above else lower)
        outside.append(lower if bound == above else higher)
    return PValues(max(inside), min(outside))


def _sides(estimate: Estimate, kind: Kind, bound: float) -> tuple[float, float]:
    """p-values of "not higher than the bound" and of "not lower"."""
    n = estimate.n
    if kind == "share":
        hits = round(estimate.value * n)
        return float(stats.binom.sf(hits - 1, n, bound)), float(stats.binom.cdf(hits, n, bound))
    if kind == "mean" and math.isfinite(estimate.spread):
        t = (estimate.value - bound) / (estimate.spread / n**0.5)
        return float(stats.t.sf(t, n - 1)), float(stats.t.cdf(t, n - 1))
    distance = estimate.value - bound
    end = estimate.value - estimate.low if distance > 0 else estimate.high - estimate.value
    z = distance * NORMAL / end if end > 0 else math.copysign(math.inf, distance) if distance else 0.0
    return float(stats.norm.sf(z)), float(stats.norm.cdf(z))


def existence(values: Sequence[float], alpha: float = ALPHA) -> tuple[Estimate, PValues]:
    """Test of "some models show it": Holm's correction over the models.

    Args:
        values: one p-value a model, small where it shows the thing beyond chance.
        alpha: two-sided, like everywhere, so that a model shows it at half of it.

    Returns:
        The share of the models that show it, with its exact interval, and the p-values; such a statement never fails,
        since the next model may show it.

    Raises:
        ValueError: no models, or a value that is no p-value.

    Example:
        >>> found, p = existence([0.001, 0.4, 0.8, 0.6])
        >>> found.value, p.holds, p.fails
        (0.25, 0.004, 1.0)
    """
    if wrong := [v for v in values if not 0 <= v <= 1]:
        raise ValueError(f"{wrong[0]} is no p-value")
    adjusted = holm_adjusted(dict(enumerate(values)))
    return estimate_share([p <= alpha / 2 for p in adjusted.values()]), PValues(min(adjusted.values()), 1.0)


def holm_adjusted(p: Mapping[K, float]) -> dict[K, float]:
    """Holm's step-down correction: p-values that may be compared with the level of the whole family.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure.

    Example:
        >>> holm_adjusted({"a": 0.01, "b": 0.25, "c": 0.03})
        {'a': 0.03, 'c': 0.06, 'b': 0.25}
    """
    adjusted: dict[K, float] = {}
    largest = 0.0
    for step, name in enumerate(sorted(p, key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - step) * p[name]))
        adjusted[name] = largest
    return adjusted


def estimated(found: Sequence[float] | Estimate | None, kind: Kind) -> Estimate | None:
    """The interval of what a quantity returned; `None` where there are too few models.

    Example:
        >>> estimated([0.9, 0.95, 1.0], "mean").n
        3
    """
    if found is None or isinstance(found, Estimate):
        return found if found is not None and math.isfinite(found.low + found.high) else None
    found = [v for v in found if math.isfinite(v)]
    if kind == "exists":
        return existence(found)[0] if found else None
    if kind == "share":
        return estimate_share([bool(v) for v in found]) if found else None
    return estimate_mean(found) if len(found) > 1 else None


def assess(
    found: Sequence[float] | Estimate | None, kind: Kind, above: float = -math.inf, below: float = math.inf
) -> tuple[Estimate, PValues] | None:
    """Interval and test of what a quantity returned; `None` where there are too few models.

    Args:
        found: numbers of the models, p-values of the models for "exists", or an estimate.
        kind: of the quantity.
        above, below: the region.

    Raises:
        ValueError: no bound is finite, a value is no p-value, or an existence statement is given an estimate.

    Example:
        >>> assess([1.0, 1.1, 0.9, 1.0], "mean", above=0.8, below=1.2)[1].word()
        'holds'
    """
    if kind == "exists":
        if isinstance(found, Estimate):
            raise ValueError("an existence statement is judged by p-values of models, not by an estimate")
        values = [v for v in found or () if math.isfinite(v)]
        return existence(values) if values else None
    estimate = estimated(found, kind)
    return None if estimate is None else (estimate, p_values(estimate, kind, above, below))
