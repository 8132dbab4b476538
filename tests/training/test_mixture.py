"""Two Gaussians against expectation maximization in loops, on numbers that are drawn from two."""

import math

import pytest
import torch

from tutorial_lib.training.mixture import Mixture, two_gaussians


def drawn(seed: int, *, low: int = 80, high: int = 240, gap: float = 1.0) -> torch.Tensor:
    numbers = torch.randn(low + high, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    numbers[:low] *= 0.25
    numbers[low:] = gap + 0.15 * numbers[low:]
    return numbers


def density(x: float, mean: float, deviation: float) -> float:
    return math.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))


def slow(values: list[float], rounds: int = 200) -> tuple[list[float], list[float], list[float], list[float]]:
    """Expectation maximization, one number after the other, from the two halves of the sorted numbers."""
    half = sorted(values)[len(values) // 2]
    belongs = [[float(x < half), float(x >= half)] for x in values]
    weights, means, deviations = [0.0, 0.0], [0.0, 0.0], [1.0, 1.0]
    for _ in range(rounds):
        for k in (0, 1):
            total = sum(b[k] for b in belongs)
            weights[k] = total / len(values)
            means[k] = sum(b[k] * x for b, x in zip(belongs, values, strict=True)) / total
            spread = sum(b[k] * (x - means[k]) ** 2 for b, x in zip(belongs, values, strict=True)) / total
            deviations[k] = math.sqrt(spread)
        for i, x in enumerate(values):
            both = [weights[k] * density(x, means[k], deviations[k]) for k in (0, 1)]
            belongs[i] = [b / sum(both) for b in both]
    return weights, means, deviations, [b[1] for b in belongs]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_fit_is_that_of_the_loop(seed: int) -> None:
    values = drawn(seed)
    found = two_gaussians(values)
    weights, means, deviations, larger = slow(values.tolist())
    assert found.weights == pytest.approx(weights, abs=0.01)
    assert found.means == pytest.approx(means, abs=0.01)
    assert found.deviations == pytest.approx(deviations, abs=0.01)
    assert found.larger.tolist() == pytest.approx(larger, abs=0.05)


def test_probabilities_are_those_of_the_two_that_it_found() -> None:
    values = drawn(5, gap=0.4)
    found = two_gaussians(values)
    for x, p in zip(values.tolist(), found.larger.tolist(), strict=True):
        low, high = (w * density(x, m, d) for w, m, d in zip(found.weights, found.means, found.deviations, strict=True))
        assert p == pytest.approx(high / (low + high), abs=1e-6)
    assert found.means[0] < found.means[1]


def test_order_and_sign_do_not_matter() -> None:
    values = drawn(3)
    turned = torch.randperm(len(values), generator=torch.Generator().manual_seed(0))
    one, other = two_gaussians(values), two_gaussians(values[turned])
    assert torch.allclose(one.larger[turned], other.larger, atol=1e-3)
    mirrored = two_gaussians(-values)
    assert torch.allclose(mirrored.larger, 1 - one.larger, atol=1e-2)


def test_the_wider_one_may_claim_both_ends() -> None:
    """Published as it is: a number far below all others can belong to the component with the larger mean."""
    narrow = 0.02 * torch.randn(300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wide = 0.3 + 0.4 * torch.randn(300, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = two_gaussians(torch.cat([narrow, wide]))
    lowest = torch.cat([narrow, wide]).argmin()
    assert found.larger[lowest] > 0.9


def test_equal_numbers_cannot_be_told_apart() -> None:
    found = two_gaussians(torch.full((5,), 0.25))
    assert isinstance(found, Mixture)
    assert found.larger.tolist() == [1.0] * 5


def test_what_is_no_list_of_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two numbers, not 1"):
        two_gaussians(torch.ones(1))
    with pytest.raises(ValueError, match="not all finite"):
        two_gaussians(torch.tensor([0.0, math.nan, 1.0]))
