"""Two Gaussians for a list of numbers: how SafeCLIP tells safe pairs from risky ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Mixture:
    """A mixture of two Gaussians, the one with the larger mean second.

    Attributes:
        weights, means, deviations: of the two.
        larger: probability that each number belongs to the one with the larger mean, shape (N,), float64.

    Example:
        >>> drawn = torch.randn(1000, generator=torch.Generator().manual_seed(0))
        >>> found = two_gaussians(torch.cat([0.1 * drawn[:250], 1 + 0.1 * drawn[250:]]))
        >>> [round(w, 2) for w in found.weights]
        [0.25, 0.75]
    """

    weights: tuple[float, float]
    means: tuple[float, float]
    deviations: tuple[float, float]
    larger: Tensor


def two_gaussians(values: Tensor, *, seed: int = 0) -> Mixture:
    """Fit two Gaussians by expectation maximization, scikit-learn's with its defaults, as the authors of SafeCLIP do.

    Where the two have different deviations, the wider one may claim numbers at both ends: `larger` need not rise with
    the numbers.

    Args:
        values: shape (N,). Where all are equal there is nothing to tell apart, and all belong to the larger mean.
        seed: of the initial clusters.

    Raises:
        ValueError: fewer than two numbers, or one that is not finite.

    Source: Yang et al. (2024), SafeCLIP, section 4.2; the authors' code.

    Example:
        >>> two_gaussians(torch.tensor([0.0, 0.01, 0.02, 0.9, 1.0, 1.1])).larger.round().tolist()
        [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    """
    from sklearn.mixture import GaussianMixture

    if len(values) < 2:
        raise ValueError(f"a mixture of two needs at least two numbers, not {len(values)}")
    if not values.isfinite().all():
        raise ValueError("the numbers are not all finite: the model is damaged or did not converge")
    numbers = values.double()
    if numbers.max() - numbers.min() < 1e-9:
        mean = numbers.mean().item()
        return Mixture((0.0, 1.0), (mean, mean), (0.0, 0.0), torch.ones_like(numbers))
    column = numbers[:, None].numpy()
    found = GaussianMixture(2, random_state=seed).fit(column)
    low, high = (0, 1) if found.means_[0, 0] <= found.means_[1, 0] else (1, 0)

    def both(of: list[float]) -> tuple[float, float]:
        return of[low], of[high]

    return Mixture(
        both(found.weights_.tolist()),
        both(found.means_[:, 0].tolist()),
        both((found.covariances_[:, 0, 0] ** 0.5).tolist()),
        torch.from_numpy(found.predict_proba(column)[:, high].copy()),
    )
