"""Statistics over trained models: the unit is the model, not the picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Estimate:
    """A quantity over trained models with its 95 % interval.

    Attributes:
        value: mean, share or statistic.
        low, high: interval; `nan` where there are too few models for one.
        n: models (or pairs of models) behind it.
        spread: standard deviation between models, `nan` where the quantity is not a mean.
        method: how the interval was made.

    Example:
        >>> print(Estimate(0.5, 0.25, 0.75, 4, 0.1, "t interval over models"))
        0.5 [0.25, 0.75], 4 models
    """

    value: float
    low: float
    high: float
    n: int
    spread: float
    method: str

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}], {self.n} models"


def estimate_mean(values: Sequence[float], *, resolution: float = 1e-3) -> Estimate:
    """Mean with a t interval.

    Args:
        values: one number per model.
        resolution: the standard deviation is taken to be at least this: four models that agree to the last digit
            do not prove that the next one will.

    Raises:
        ValueError: fewer than two values.

    Example:
        >>> print(estimate_mean([0.9, 1.0, 0.8, 0.9]))
        0.9 [0.77, 1.03], 4 models
    """
    if len(values) < 2:
        raise ValueError(f"an interval needs at least two models, not {len(values)}")
    x = np.asarray(values, dtype=float)
    spread = max(float(x.std(ddof=1)), resolution)
    half = float(stats.t.ppf(0.975, len(x) - 1)) * spread / len(x) ** 0.5
    mean = float(x.mean())
    return Estimate(mean, mean - half, mean + half, len(x), spread, "t interval over models")


def estimate_share(hits: Sequence[bool | int]) -> Estimate:
    """Share of models with a property, with the exact (Clopper-Pearson) interval.

    Raises:
        ValueError: no models.

    Example:
        >>> print(estimate_share([True, True, True, False]))
        0.75 [0.194, 0.994], 4 models
    """
    if not hits:
        raise ValueError("a share of no models is undefined")
    k, n = sum(map(bool, hits)), len(hits)
    interval = stats.binomtest(k, n).proportion_ci(confidence_level=0.95, method="exact")
    share = k / n
    return Estimate(
        share, float(interval.low), float(interval.high), n, (share * (1 - share)) ** 0.5, "exact interval over models"
    )


def estimate_statistic(
    samples: Sequence[Sequence[float]], statistic: Callable[..., float], *, resamples: int = 2000
) -> Estimate:
    """Any statistic of models, with a percentile bootstrap over models.

    Args:
        samples: columns of equal length, one entry per model; resampled together.
        statistic: takes the columns, gives a number.

    Raises:
        ValueError: fewer than four models.

    Example:
        >>> found = estimate_statistic(([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]), lambda a, b: float((a - b).mean()))
        >>> found.value, found.n
        (0.0, 5)
    """
    n = len(samples[0])
    if n < 4:
        raise ValueError(f"a bootstrap needs at least four models, not {n}")
    columns = tuple(np.asarray(s, dtype=float) for s in samples)
    result = stats.bootstrap(
        columns,
        lambda *c: statistic(*c),
        paired=True,
        vectorized=False,
        n_resamples=resamples,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    interval = result.confidence_interval
    return Estimate(
        float(statistic(*columns)),
        float(interval.low),
        float(interval.high),
        n,
        float("nan"),
        "bootstrap over models",
    )


def missed(critical: float, freedom: int, shift: float) -> float:
    """Chance that a t stays below the critical one, where its noncentrality is `shift`.

    Example:
        >>> round(missed(2.0, 7, 3.0), 2), missed(2.0, 15, 50.0)
        (0.17, 0.0)
    """
    chance = float(stats.nct.cdf(critical, freedom, shift))
    return chance if math.isfinite(chance) else 0.0  # so far out that the series does not converge


def detectable_difference(estimate: Estimate, *, power: float = 0.8, alpha: float = 0.05) -> float | None:
    """How far from a bound the true mean must be for as many models, as variable as these, to show it.

    Args:
        estimate: gives number and spread of the models.
        power: chance that the interval then lies on the right side of the bound.
        alpha: of the interval, which has 1 - alpha; smaller where a claim is corrected for its family.

    Returns:
        `None` where the quantity is not a mean.

    Example:
        >>> round(detectable_difference(estimate_mean([0.9, 1.0, 0.8, 0.9])), 2)
        0.17
    """
    if not np.isfinite(estimate.spread) or estimate.n < 2:
        return None
    freedom = estimate.n - 1
    critical = stats.t.ppf(1 - alpha / 2, freedom)
    low, high = 0.0, 1.0
    while 1 - missed(critical, freedom, high) < power:
        low, high = high, 2 * high
    while high - low > 1e-4:
        shift = (low + high) / 2
        low, high = (low, shift) if 1 - missed(critical, freedom, shift) >= power else (shift, high)
    return float(high * estimate.spread / estimate.n**0.5)


def estimate_ratio(
    rows: Sequence[Sequence[float]], ratio: Callable[[np.ndarray], float], *, resolution: float = 1e-3
) -> Estimate:
    """A positive ratio of models, with a jackknife over models on its logarithm.

    Args:
        rows: the numbers of each model, of one length.
        ratio: takes such numbers of several models, shape (models, numbers).
        resolution: the standard error of the logarithm is taken to be at least this.

    Raises:
        ValueError: fewer than four models.

    Source: Efron & Tibshirani (1993), section 11.5; pseudo-values with a t interval.

    Example:
        >>> rows = [[1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [4.0, 8.0]]
        >>> found = estimate_ratio(rows, lambda x: x[:, 1].sum() / x[:, 0].sum())
        >>> round(found.value, 6), found.n
        (2.0, 4)
    """
    x = np.asarray(rows, dtype=float)
    n = len(x)
    if n < 4:
        raise ValueError(f"a jackknife needs at least four models, not {n}")
    whole = np.log(ratio(x))
    pseudo = n * whole - (n - 1) * np.log([ratio(np.delete(x, k, axis=0)) for k in range(n)])
    error = max(float(np.std(pseudo, ddof=1)) / n**0.5, resolution)
    half = float(stats.t.ppf(0.975, n - 1)) * error
    value, low, high = (float(np.exp(v)) for v in (whole, whole - half, whole + half))
    return Estimate(value, low, high, n, float("nan"), "jackknife over models")


def estimate_auroc(clean: Sequence[float], backdoored: Sequence[float]) -> Estimate:
    """Area under the ROC curve of scores of models, with DeLong's interval over the models of both groups.

    The area is the chance that a backdoored model has the higher score of two, a tie counting half. Where the groups do
    not overlap, models agree completely, which proves nothing of the next one: the spread of a group's placements is
    taken to be at least that of one model in the other group.

    Args:
        clean: scores of clean models.
        backdoored: scores of backdoored models; higher is more suspicious.

    Raises:
        ValueError: a group has fewer than two models.

    Source: DeLong, DeLong & Clarke-Pearson (1988).

    Example:
        >>> found = estimate_auroc([0.1, 0.2, 0.3], [0.25, 0.4, 0.5])
        >>> round(found.value, 3), found.n
        (0.889, 6)
    """
    if min(len(clean), len(backdoored)) < 2:
        raise ValueError(f"two models of each group are needed, not {len(clean)} and {len(backdoored)}")
    x, y = np.asarray(clean, dtype=float), np.asarray(backdoored, dtype=float)
    higher = (y[:, None] > x).astype(float) + (y[:, None] == x) / 2  # (backdoored, clean)
    area = float(higher.mean())
    variance = 0.0
    for placements, other in ((higher.mean(1), len(x)), (higher.mean(0), len(y))):
        variance += max(float(placements.std(ddof=1)), 1 / other) ** 2 / len(placements)
    half = float(stats.norm.ppf(0.975)) * variance**0.5
    low, high = max(0.0, area - half), min(1.0, area + half)
    return Estimate(area, low, high, len(x) + len(y), float("nan"), "DeLong's interval over models")


def hardest(lists: Iterable[Sequence[float]], above: float = -math.inf, below: float = math.inf) -> list[float]:
    """Of several lists, the one whose mean is the fewest standard errors inside a region: the least clear of the tests.

    A statement about all of them holds where each does, so the largest of their p-values is its own: the
    intersection-union test, which needs no correction.

    Args:
        lists: numbers of models, one list for each part of the statement; empty ones are left out.
        above, below: the region.

    Returns:
        That list; the first one where none has two models, whose spread could be told, and an empty one without any.

    Source: Berger (1982), "Multiparameter hypothesis testing and acceptance sampling".

    Example:
        >>> hardest([[0.2, 0.3, 0.4], [0.1, 0.11, 0.12]], above=0.0)  # the smaller mean is the clearer one
        [0.2, 0.3, 0.4]
        >>> hardest([[], [0.5]]), hardest([])
        ([0.5], [])
    """

    def inside(values: Sequence[float]) -> float:
        found = estimate_mean(values)
        error = max(found.spread / found.n**0.5, 1e-9)
        return float(min(found.value - above, below - found.value) / error)

    given = [list(values) for values in lists if values]
    kept = [values for values in given if len(values) > 1]
    return min(kept, key=inside, default=given[0] if given else [])


def models_for_power(difference: float, spread: float, *, power: float = 0.8, limit: int = 1000) -> int | None:
    """Models a group that a two-sided two-sample t test at 5 % needs to see a difference.

    Args:
        difference: between the means of two groups.
        spread: standard deviation between models within a group.
        power: chance to see it.
        limit: give up beyond so many.

    Returns:
        The smallest number, at least 2, or `None` beyond `limit`.

    Example:
        >>> models_for_power(difference=0.2, spread=0.1)
        6
    """
    if spread <= 0:
        return 2 if difference else None
    effect = abs(difference) / spread
    for n in range(2, limit + 1):
        freedom = 2 * n - 2
        critical = stats.t.ppf(0.975, freedom)
        shift = effect * (n / 2) ** 0.5
        # the noncentral t's other tail never decides
        if 1 - missed(critical, freedom, shift) >= power:
            return n
    return None
