"""Numbers of models against simulation and enumeration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tutorial_lib.evidence.decide import p_values
from tutorial_lib.evidence.sample_size import (
    models_for_existence,
    models_for_mean,
    models_for_share,
    models_to_decide,
    power_of_mean,
    power_of_share,
    spread_bound,
)
from tutorial_lib.evidence.statistics import Estimate, estimate_mean, estimate_share


def decided(n: int, mean: float, spread: float, above: float, below: float, alpha: float) -> float:
    """Share of simulated samples whose word is the right one."""
    draws = np.random.default_rng(0).normal(mean, spread, (3000, n))
    inside = above < mean < below
    found = [p_values(estimate_mean(v), "mean", above, below) for v in draws]
    return float(np.mean([(p.holds if inside else p.fails) <= alpha / 2 for p in found]))


@pytest.mark.parametrize(
    ("mean", "above", "below", "alpha"),
    [
        (0.5, 0.0, math.inf, 0.05),
        (0.5, 0.0, math.inf, 0.002),
        (-0.4, 0.0, math.inf, 0.05),
        (0.1, -0.5, 0.5, 0.05),
        (0.9, -0.5, 0.5, 0.01),
        (0.2, -math.inf, 0.6, 0.05),
    ],
)
def test_power_is_what_simulation_finds(mean, above, below, alpha):
    n = models_for_mean(mean, 0.4, above, below, alpha=alpha)
    claimed = power_of_mean(n, mean, 0.4, above, below, alpha=alpha)
    assert claimed >= 0.8 > power_of_mean(n - 1, mean, 0.4, above, below, alpha=alpha)
    assert decided(n, mean, 0.4, above, below, alpha) == pytest.approx(claimed, abs=0.03)


def test_power_between_two_bounds_is_never_promised_too_high():
    for n in (6, 12, 20):
        assert decided(n, 0.0, 0.5, -0.3, 0.3, 0.05) >= power_of_mean(n, 0.0, 0.5, -0.3, 0.3) - 0.025


def test_no_number_of_models_decides_a_mean_on_a_bound():
    assert models_for_mean(0.5, 0.1, above=0.5, below=math.inf) is None
    assert models_for_mean(0.5, 0.0, above=0.0, below=math.inf) is None
    assert models_for_mean(0.5 + 1e-6, 1.0, above=0.5, below=math.inf) is None
    assert models_for_mean(0.5, 1e-3, above=0.0, below=math.inf) == 2 + (power_of_mean(2, 0.5, 1e-3, 0, math.inf) < 0.8)


def test_spread_stays_below_its_bound_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(0, 1, (20_000, 4)).std(1, ddof=1)
    assert np.mean([spread_bound(float(s), 4) >= 1 for s in draws]) == pytest.approx(0.8, abs=0.01)
    # by hand: with 3 degrees of freedom the 20 % point of chi square is 1.005
    assert spread_bound(1.0, 4) == pytest.approx(math.sqrt(3 / 1.00517), rel=1e-4)
    with pytest.raises(ValueError, match="at least two models"):
        spread_bound(0.1, 1)


@pytest.mark.parametrize(("above", "below"), [(0.2, math.inf), (-math.inf, 0.7), (0.2, 0.8)])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
def test_power_of_a_share_is_the_sum_over_what_decides(share, above, below):
    inside = above < share < below
    for n in (3, 10, 25):
        total = 0.0
        for hits in range(n + 1):
            estimate = estimate_share([k < hits for k in range(n)])
            p = p_values(estimate, "share", above, below)
            if (p.holds if inside else p.fails) <= 0.025:
                # what shows it on the side where the share lies
                side = inside or (estimate.value <= above) == (share <= above)
                total += stats.binom.pmf(hits, n, share) if side else 0.0
        assert power_of_share(n, share, above, below) == pytest.approx(total, abs=1e-9), n


def test_models_for_a_share():
    n = models_for_share(0.0, above=0.2, below=math.inf)
    assert 0.8**n <= 0.025 < 0.8 ** (n - 1)
    assert models_for_share(0.2, above=0.2, below=math.inf) is None
    many = models_for_share(0.4, above=0.2, below=math.inf)
    assert all(power_of_share(k, 0.4, 0.2, math.inf) >= 0.8 for k in range(many, 300))
    assert power_of_share(many - 1, 0.4, 0.2, math.inf) < 0.8


def test_models_for_existence():
    n = models_for_existence(0.1)
    assert 1 - 0.9**n >= 0.8 > 1 - 0.9 ** (n - 1)
    assert models_for_existence(0.0) is None
    assert models_for_existence(1.0) == 1


def test_kind_of_a_claim_chooses_its_analysis():
    share = Estimate(0.0, 0, 0.2, 13, 0.0, "")
    assert models_to_decide(share, "share", 0.2, math.inf) == models_for_share(0.0, 0.2, math.inf)
    assert models_to_decide(share, "exists", -math.inf, math.inf) is None
    assert models_to_decide(Estimate(0.9, 0.8, 1, 9, math.nan, ""), "statistic", 0.5, math.inf) is None
