"""Statistics over trained models: the unit is the model, not the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class MeanInterval:
    """Mean over models with its 95 % t interval, and the number of models."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.1%} [{self.low:.1%}, {self.high:.1%}], {self.n} models"


def mean_interval(values: Sequence[float], *, confidence: float = 0.95) -> MeanInterval:
    """Student's t interval of a mean.

    Raises:
        ValueError: fewer than two values: there is no interval then.
    """
    if len(values) < 2:
        raise ValueError(f"an interval needs at least two models, not {len(values)}")
    x = np.asarray(values, dtype=float)
    mean, error = float(x.mean()), float(stats.sem(x))
    if error == 0:
        return MeanInterval(mean, mean, mean, len(x))
    low, high = stats.t.interval(confidence, len(x) - 1, loc=mean, scale=error)
    return MeanInterval(mean, float(low), float(high), len(x))


@dataclass(frozen=True)
class NonInferiority:
    """Whether `treated` is at most `margin` below `control`, paired by seed.

    Attributes:
        difference: mean of treated - control.
        low: lower end of its one-sided 95 % interval.
        margin: the largest loss that counts as none, stated before the records were made.
        holds: `low` is above `-margin`.
    """

    difference: float
    low: float
    margin: float
    n: int

    @property
    def holds(self) -> bool:
        return self.low > -self.margin


def non_inferiority(treated: Sequence[float], control: Sequence[float], *, margin: float) -> NonInferiority:
    """One-sided paired t test of "not lower by more than the margin".

    Raises:
        ValueError: the pairs do not match, or there are fewer than two.
    """
    if len(treated) != len(control) or len(treated) < 2:
        raise ValueError(f"needs at least two pairs, got {len(treated)} treated and {len(control)} control models")
    interval = mean_interval([t - c for t, c in zip(treated, control, strict=True)], confidence=0.90)
    return NonInferiority(interval.mean, interval.low, margin, interval.n)
