"""A rate with its interval, over pictures that may not be independent. Introduced in the chapter on backdoors."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from torch import Tensor

#: Quantile of the normal distribution for 95 %.
Z = 1.959963984540054


class RateDict(TypedDict, total=False):
    """A `Proportion` as a record holds it; of an attack, with the label of its target.

    Example:
        >>> import torch
        >>> sorted(Proportion.of(torch.tensor([True, False])).as_dict())
        ['high', 'low', 'n', 'rate']
    """

    rate: float
    low: float
    high: float
    n: int
    target: str


@dataclass(frozen=True)
class Proportion:
    """A rate with its 95 % Wilson interval and the number of pictures counted.

    Example:
        >>> import torch
        >>> print(Proportion.of(torch.arange(10) < 3))
        30.0% [10.8%, 60.3%] of 10
    """

    rate: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, hits: Tensor, drawing: Tensor | None = None) -> Proportion:
        """The share of True.

        Args:
            hits: any shape, bool.
            drawing: what each picture shows one of, same shape, int64. Pictures of one drawing are not independent:
                the interval is that of as many independent pictures as would vary as much between drawings.

        Raises:
            ValueError: there are no pictures.

        Source: Wilson (1927); with drawings, Kish's design effect (1965) by the linearised variance of a ratio.
        """
        if hits.numel() == 0:
            raise ValueError("a rate over no pictures is undefined")
        k, n = int(hits.sum()), hits.numel()
        low, high = wilson(k / n, n if drawing is None else _effective(hits.flatten(), drawing.flatten()))
        return cls(k / n, low, high, n)

    def as_dict(self) -> RateDict:
        """Plain data, as records hold it."""
        return asdict(self)  # type: ignore[return-value]

    def __str__(self) -> str:
        return f"{self.rate:.1%} [{self.low:.1%}, {self.high:.1%}] of {self.n}"


def wilson(rate: float, n: float) -> tuple[float, float]:
    """The 95 % Wilson interval of a rate among `n` independent pictures, not necessarily a whole number.

    Example:
        >>> low, high = wilson(0.0, 50)  # nothing of 50, and yet not certainly nothing
        >>> low, round(high, 3)
        (0.0, 0.071)
    """
    middle = rate + Z**2 / (2 * n)
    half = Z * math.sqrt(rate * (1 - rate) / n + Z**2 / (4 * n**2))
    low, high = ((middle + sign * half) / (1 + Z**2 / n) for sign in (-1, 1))
    return 0.0 if rate == 0 else max(0.0, low), 1.0 if rate == 1 else min(1.0, high)


def _effective(hits: Tensor, drawing: Tensor) -> float:
    """As how many independent pictures they count: between 1 and their number, the drawings' where all agree."""
    import torch

    n, rate = len(hits), float(hits.double().mean())
    _, place = drawing.unique(return_inverse=True)
    clusters = int(place.max()) + 1
    if clusters == n:
        return n
    if rate in (0.0, 1.0) or clusters == 1:
        return clusters
    excess = torch.zeros(clusters, dtype=torch.float64).index_add_(0, place, hits.double() - rate)
    variance = clusters / (clusters - 1) * float(excess.square().sum()) / n**2
    return n if variance == 0 else min(n, rate * (1 - rate) / variance)
