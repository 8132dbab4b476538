"""Intervals over models against textbook formulas and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from tutorial_lib.evidence.statistics import (
    Estimate,
    detectable_difference,
    estimate_auroc,
    estimate_mean,
    estimate_ratio,
    estimate_share,
    estimate_statistic,
    models_for_power,
)

T_975_3 = 3.182446305284263  # quantile of Student's t from a table: 3 degrees of freedom


def test_interval_is_mean_plus_minus_t_times_standard_error():
    values = [0.1, 0.3, 0.2, 0.6]
    mean = sum(values) / 4
    spread = (sum((v - mean) ** 2 for v in values) / 3) ** 0.5
    found = estimate_mean(values)
    assert (found.n, found.spread) == (4, pytest.approx(spread))
    half = T_975_3 * spread / 2
    assert np.allclose([found.value, found.low, found.high], [mean, mean - half, mean + half])


def test_models_that_agree_exactly_still_have_an_interval():
    found = estimate_mean([0.5, 0.5, 0.5, 0.5])
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.01


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    draws = [estimate_mean(rng.normal(0.4, 0.1, 4)) for _ in range(1000)]
    assert 0.93 <= np.mean([d.low <= 0.4 <= d.high for d in draws]) <= 0.97


def test_share_has_the_exact_interval():
    found = estimate_share([True, False, False, False])
    low = stats.beta.ppf(0.025, 1, 4)
    assert (found.value, found.low, found.n) == (0.25, pytest.approx(low), 4)
    assert estimate_share([False] * 4).low == 0
    assert estimate_share([True] * 4).high == 1


def test_bootstrap_of_the_mean_agrees_with_the_t_interval():
    values = np.random.default_rng(1).normal(2, 1, 200)
    booted, exact = estimate_statistic((values,), lambda x: float(np.mean(x))), estimate_mean(values)
    assert booted.value == pytest.approx(exact.value)
    assert booted.low == pytest.approx(exact.low, abs=0.03)
    assert booted.high == pytest.approx(exact.high, abs=0.03)
    assert estimate_statistic((values,), lambda x: float(np.mean(x))) == booted or math.isnan(booted.spread)


def test_power_is_what_simulation_finds():
    n = models_for_power(1.0, 0.5)
    rng = np.random.default_rng(0)

    def power(size):
        a, b = rng.normal(0, 0.5, (4000, size)), rng.normal(1, 0.5, (4000, size))
        return np.mean(stats.ttest_ind(a, b, axis=1).pvalue < 0.05)

    assert power(n) > 0.78
    assert power(n - 1) < 0.82
    assert models_for_power(1e-6, 1.0) is None
    assert models_for_power(1.0, 0.0) == 2


def test_detectable_difference_is_what_simulation_finds():
    found = Estimate(0.0, -1, 1, 4, 0.5, "")
    difference = detectable_difference(found)
    draws = np.random.default_rng(0).normal(difference, 0.5, (20_000, 4))
    low = draws.mean(1) - T_975_3 * draws.std(1, ddof=1) / 2
    assert np.mean(low > 0) == pytest.approx(0.8, abs=0.01)
    assert detectable_difference(Estimate(1.0, 0.5, 1.5, 4, math.nan, "")) is None
    corrected = detectable_difference(found, alpha=0.002)
    low = draws.mean(1) + corrected - difference - stats.t.ppf(0.999, 3) * draws.std(1, ddof=1) / 2
    assert np.mean(low > 0) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("alpha", [0.05, 0.002])
@pytest.mark.parametrize("n", [2, 4, 8, 12, 16, 24, 32, 64, 128])
def test_detectable_difference_is_found_for_any_number_of_models(n, alpha):
    """By the power there. Far out SciPy's noncentral t is no number: 16 models had the largest shift tried."""
    shift = detectable_difference(Estimate(0.0, -1, 1, n, 1.0, ""), alpha=alpha) * n**0.5
    critical = stats.t.ppf(1 - alpha / 2, n - 1)
    assert 1 - stats.nct.cdf(critical, n - 1, shift) == pytest.approx(0.8, abs=1e-3)


def test_bad_input():
    with pytest.raises(ValueError, match="at least two models, not 1"):
        estimate_mean([0.5])
    with pytest.raises(ValueError, match="no models"):
        estimate_share([])
    with pytest.raises(ValueError, match="at least four models, not 2"):
        estimate_statistic(([1, 2],), np.mean)


def test_a_ratio_has_an_interval_that_contains_the_truth_as_often_as_it_says():
    """Two variances of four times; 400 samples of twelve models."""
    draw, hits = np.random.default_rng(0), 0

    def ratio(x):
        return x[:, :6].var(0, ddof=1).mean() / x[:, 6:].var(0, ddof=1).mean()

    for _ in range(400):
        found = estimate_ratio(np.hstack([2 * draw.normal(size=(12, 6)), draw.normal(size=(12, 6))]), ratio)
        assert found.low < found.value < found.high
        hits += found.low < 4 < found.high
    assert 0.92 < hits / 400 < 0.98
    with pytest.raises(ValueError, match="at least four models, not 3"):
        estimate_ratio([[1.0], [2.0], [3.0]], lambda x: x.mean())


def test_equal_models_do_not_prove_a_ratio():
    found = estimate_ratio([[1.0, 2.0]] * 5, lambda x: x[:, 1].mean() / x[:, 0].mean())
    assert found.value == pytest.approx(2)
    assert found.low < 2 < found.high


def test_area_under_the_curve_and_its_interval_by_loops():
    """DeLong's variance from its definition, with a tie."""
    clean, bad = [0.1, 0.3, 0.3, 0.7, 0.2], [0.3, 0.6, 0.9, 0.25]
    psi = [[1.0 if y > x else 0.5 if y == x else 0.0 for x in clean] for y in bad]
    area = sum(map(sum, psi)) / 20
    of_bad = [sum(row) / 5 for row in psi]
    of_clean = [sum(row[j] for row in psi) / 4 for j in range(5)]
    variance = sum((v - area) ** 2 for v in of_bad) / 3 / 4 + sum((v - area) ** 2 for v in of_clean) / 4 / 5
    found = estimate_auroc(clean, bad)
    assert found.value == pytest.approx(area)
    assert found.high == pytest.approx(min(1, area + 1.959964 * variance**0.5), abs=1e-6)
    assert found.low == pytest.approx(area - 1.959964 * variance**0.5, abs=1e-6)
    assert found.value == pytest.approx(stats.mannwhitneyu(bad, clean).statistic / 20)
    assert found.n == 9


def test_groups_that_do_not_overlap_have_an_interval_all_the_same():
    found = estimate_auroc([0.1] * 20, [0.9] * 10)
    assert found.value == found.high == 1.0
    assert found.low == pytest.approx(1 - 1.959964 * (1 / 20**2 / 10 + 1 / 10**2 / 20) ** 0.5, abs=1e-6)
    assert estimate_auroc([0.9] * 20, [0.1] * 10).low == 0.0
    with pytest.raises(ValueError, match="two models of each group are needed, not 1 and 2"):
        estimate_auroc([0.1], [0.2, 0.3])
