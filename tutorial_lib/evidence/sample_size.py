"""How many models a claim needs: the chance that its test decides, and the fewest models with enough of it."""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy import stats

from tutorial_lib.evidence.decide import ALPHA, Kind
from tutorial_lib.evidence.statistics import Estimate, missed

#: Chance to decide that is asked for.
POWER = 0.8
#: Beyond so many models the answer is "none".
LIMIT = 100_000


def spread_bound(spread: float, n: int, *, confidence: float = 0.8) -> float:
    """The standard deviation that the true one does not exceed, with that confidence.

    A few models tell a spread badly, and half of all plans that take it as it is are too small.

    Source: Browne (1995), On the use of a pilot sample for sample size determination.

    Raises:
        ValueError: fewer than two models.

    Example:
        >>> round(spread_bound(0.1, 4), 3)
        0.173
    """
    if n < 2:
        raise ValueError(f"a spread needs at least two models, not {n}")
    return float(spread * math.sqrt((n - 1) / stats.chi2.ppf(1 - confidence, n - 1)))


def power_of_mean(n: int, mean: float, spread: float, above: float, below: float, *, alpha: float = ALPHA) -> float:
    """Chance that `n` models show on which side of the region's bounds the mean lies.

    With two bounds and a mean between them both have to be passed; the chance is then at least what is returned
    (Bonferroni's inequality).

    Args:
        n: models.
        mean: the true one.
        spread: the true standard deviation between models.
        above, below: the region.
        alpha: two-sided level of the claim.

    Example:
        >>> round(power_of_mean(8, mean=0.5, spread=0.4, above=0.0, below=float("inf")), 2)
        0.86
    """
    bounds = [bound for bound in (above, below) if math.isfinite(bound)]
    if not above < mean < below:
        bounds = [above if mean <= above else below]
    critical = float(stats.t.ppf(1 - alpha / 2, n - 1))
    return max(0.0, 1 - sum(missed(critical, n - 1, abs(mean - b) / spread * math.sqrt(n)) for b in bounds))


def models_to_decide(estimate: Estimate, kind: Kind, above: float, below: float, *, alpha: float = ALPHA) -> int | None:
    """Models that decide a claim with a chance of 80 %, if the estimate is right.

    Returns:
        `None` where no number does, and for a statistic, of which only the interval is known.

    Example:
        >>> from tutorial_lib.evidence.statistics import estimate_mean
        >>> models_to_decide(estimate_mean([0.9, 1.3, 0.8, 1.2]), "mean", 1.0, float("inf"))
        180
    """
    if kind == "exists":
        return models_for_existence(estimate.value)
    if kind == "share":
        return models_for_share(estimate.value, above, below, alpha=alpha)
    return models_for_mean(estimate.value, estimate.spread, above, below, alpha=alpha)


def models_for_mean(
    mean: float, spread: float, above: float, below: float, *, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """The fewest models that decide a claim about a mean with enough power.

    Returns:
        `None` where no number does: the mean lies on a bound, or nearly.

    Example:
        >>> models_for_mean(0.5, 0.4, above=0.0, below=float("inf"))
        8
    """
    if not spread > 0 or mean in (above, below):
        return None
    return _fewest(lambda n: power_of_mean(n, mean, spread, above, below, alpha=alpha) >= power, 2)


def models_for_share(
    share: float, above: float, below: float, *, alpha: float = ALPHA, power: float = POWER, limit: int = 1000
) -> int | None:
    """The fewest models that decide a claim about a share with enough power, by the exact binomial test.

    The power of an exact test goes up and down with the number of models: no number up to `limit` above the returned
    one has less than `power`.

    Returns:
        `None` beyond `limit`.

    Example:
        >>> models_for_share(0.0, above=0.2, below=float("inf"))
        17
    """
    found = None
    for n in range(limit, 0, -1):
        if power_of_share(n, share, above, below, alpha=alpha) < power:
            break
        found = n
    return found


def power_of_share(n: int, share: float, above: float, below: float, *, alpha: float = ALPHA) -> float:
    """Chance that the exact test of `n` models shows on which side of the region's bounds a share lies.

    Example:
        >>> round(power_of_share(17, 0.0, above=0.2, below=float("inf")), 2)
        1.0
    """
    least, most = 0, n  # the numbers of models with the property that decide
    if above < share < below:
        if math.isfinite(above):  # P(X >= least | above) <= alpha / 2
            least = int(stats.binom.isf(alpha / 2, n, above)) + 1
        if math.isfinite(below):
            most = _below(n, below, alpha)
    elif share <= above:
        most = _below(n, above, alpha)
    else:
        least = int(stats.binom.isf(alpha / 2, n, below)) + 1
    return float(stats.binom.cdf(most, n, share) - stats.binom.cdf(least - 1, n, share)) if least <= most else 0.0


def _below(n: int, bound: float, alpha: float) -> int:
    """The most hits that show a share below a bound: P(X <= most | bound) <= alpha / 2; -1 where none do."""
    most = int(stats.binom.ppf(alpha / 2, n, bound))
    return most if stats.binom.cdf(most, n, bound) <= alpha / 2 else most - 1


def models_for_existence(share: float, *, power: float = POWER) -> int | None:
    """The fewest models among which there is one that shows a thing, if that share of all models does.

    Example:
        >>> models_for_existence(0.25)
        6
    """
    if share <= 0:
        return None
    return _fewest(lambda n: float(stats.binom.sf(0, n, share)) >= power, 1)


def _fewest(enough: Callable[[int], bool], least: int) -> int | None:
    """The smallest number from `least` on that is enough, where larger ones are too."""
    high = least
    while not enough(high):
        if high > LIMIT:
            return None
        high *= 2
    low = max(least, high // 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high
