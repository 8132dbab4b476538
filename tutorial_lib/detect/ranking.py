"""How well a ranking of pairs finds the poisons among them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

#: Share of the poisons that is found where false alarms are counted.
FOUND = 0.95


@dataclass(frozen=True)
class Ranking:
    """A detector's scores against what is known.

    Attributes:
        scores: of all pairs, shape (N,); higher is more suspicious.
        poison: which of them are poisons, shape (N,), bool.

    Raises:
        ValueError: there is no poison, or nothing else.

    Example:
        >>> import torch
        >>> found = Ranking(torch.tensor([0.9, 0.1, 0.8, 0.2]), torch.tensor([True, False, False, True]))
        >>> found.auroc, found.recall(0.25), found.precision(0.25)
        (0.75, 0.5, 1.0)
    """

    scores: Tensor
    poison: Tensor

    def __post_init__(self) -> None:
        if not self.poison.any() or self.poison.all():
            raise ValueError(f"{int(self.poison.sum())} of {len(self.poison)} pairs are poisons: nothing to tell apart")

    @property
    def auroc(self) -> float:
        """Chance that a poison is ranked before a clean pair, ties counted as a half."""
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(self.poison.numpy(), self.scores.numpy()))

    @property
    def average_precision(self) -> float:
        """Mean over the poisons of the precision among the pairs ranked down to them."""
        from sklearn.metrics import average_precision_score

        return float(average_precision_score(self.poison.numpy(), self.scores.numpy()))

    @property
    def false_alarms(self) -> float:
        """Share of the clean pairs that are called poisons by the threshold at which 95 % of the poisons are."""
        found = self.scores[self.poison].sort(descending=True).values
        threshold = found[-(-len(found) * round(100 * FOUND) // 100) - 1]
        return float((self.scores[~self.poison] >= threshold).float().mean())

    def _first(self, share: float) -> Tensor:
        """Which pairs of the most suspicious share are poisons, shape (max(1, round(share N)),)."""
        order = self.scores.argsort(descending=True, stable=True)
        return self.poison[order[: max(1, round(share * len(order)))]]

    def recall(self, share: float) -> float:
        """Share of the poisons among the most suspicious share of the pairs."""
        return int(self._first(share).sum()) / int(self.poison.sum())

    def precision(self, share: float) -> float:
        """Share of poisons in the most suspicious share of the pairs."""
        first = self._first(share)
        return int(first.sum()) / len(first)

    def recalls(self, shares: Iterable[float]) -> dict[float, float]:
        """`recall` at several shares."""
        return {share: self.recall(share) for share in shares}
